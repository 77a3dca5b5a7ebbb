"""Published counts of real diseases by area, with the exposures of the same areas.

They go through the same estimators as a cohort does. A count that the producer withheld (fewer than
11 persons) is missing here, never zero.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from epi.errors import DataError, ParameterError
from epi.files import digest_file
from epi.sources.open_data import find_open_data, read_arrondissements, read_t1d_counts

T1D_FILE = "external_checks/t1d_hospitalised_2023_arrondissements.csv.gz"
ENVIRONMENT_FILE = "arrondissements_2024_environment_social.csv.gz"

DEFINITIONS: dict[str, dict[str, Any]] = {
    "E10.1_ketoacidosis": {
        "denominator": "pop_0029",
        "groups": ("pop_0_14", "pop_15_29"),
        "label_en": "Hospitalised with diabetic ketoacidosis (E10.1) in 2023, under 30: a proxy of incidence",
        "label_fr": "Hospitalisations pour acidocétose diabétique (E10.1) en 2023, moins de 30 ans : proxy d'incidence",
        "ages": "under 30",
    },
    "any_E10": {
        # The producer's national totals by age reach 48,300 persons under 45 and 29,800 under 30; the
        # areas of this file add up to 46,585.
        "denominator": "pop_0044",
        "groups": ("pop_0_14", "pop_15_29", "pop_30_44"),
        "label_en": "Hospitalised with type 1 diabetes (any E10) in 2023, under 45",
        "label_fr": "Hospitalisés avec un diabète de type 1 (tout E10) en 2023, moins de 45 ans",
        "ages": "under 45",
    },
}
"""Case definitions: the population that each is counted in, and its words."""

_INSEE, _AIR, _WATER, _FILOSOFI = "INSEE census 2021", "INERIS commune maps", "SISE-Eaux controls 2023", "Filosofi 2021"

# name: label_en, label_fr, unit, producer, vintage, what a higher value means
VARIABLES: dict[str, tuple[str, str, str, str, str, str]] = {
    "fdep_like": (
        "Deprivation (FDep method)", "Défavorisation (méthode FDep)", "",
        _INSEE, "2011-2021", "more deprived",
    ),
    "unemployment_rate_15_64_2021": (
        "Unemployment, 15-64", "Chômage, 15-64 ans", "",
        _INSEE, "2021", "more unemployment",
    ),
    "share_bac_or_more_2021": (
        "Baccalauréat or more", "Baccalauréat ou plus", "",
        _INSEE, "2021", "more educated",
    ),
    "share_workers_25_54_2011": (
        "Manual workers, 25-54", "Ouvriers, 25-54 ans", "",
        "INSEE census 2011", "2011", "more workers",
    ),
    "median_declared_income_uc_eur": (
        "Median declared income", "Revenu déclaré médian", "€",
        _FILOSOFI, "2021", "richer",
    ),
    "gini_declared_income": (
        "Income inequality (Gini)", "Inégalité de revenu (Gini)", "",
        _FILOSOFI, "2021", "more unequal",
    ),
    "no2_ugm3": (
        "Nitrogen dioxide (NO2)", "Dioxyde d'azote (NO2)", "µg/m³",
        _AIR, "not stated", "more polluted",
    ),
    "o3_ugm3": (
        "Ozone (O3)", "Ozone (O3)", "µg/m³",
        _AIR, "not stated", "more polluted",
    ),
    "pm10_ugm3": (
        "Particles PM10", "Particules PM10", "µg/m³",
        _AIR, "not stated", "more polluted",
    ),
    "pm25_ugm3": (
        "Fine particles PM2.5", "Particules fines PM2,5", "µg/m³",
        _AIR, "not stated", "more polluted",
    ),
    "water_nitrate_mg_l": (
        "Nitrate in tap water", "Nitrates dans l'eau", "mg/L",
        _WATER, "2023", "more nitrate",
    ),
    "water_chloride_mg_l": (
        "Chloride in tap water", "Chlorures dans l'eau", "mg/L",
        _WATER, "2023", "more chloride",
    ),
    "water_sulfate_mg_l": (
        "Sulfate in tap water", "Sulfates dans l'eau", "mg/L",
        _WATER, "2023", "more sulfate",
    ),
    "water_ph": (
        "pH of tap water", "pH de l'eau", "",
        _WATER, "2023", "less acid",
    ),
    "social_housing_per_1000": (
        "Social housing", "Logements sociaux", "/1000",
        "INSEE", "not stated", "more social housing",
    ),
    "health_facilities_per_1000": (
        "Health facilities", "Établissements de santé", "/1000",
        "INSEE", "not stated", "more facilities",
    ),
    "liberal_health_professionals_per_1000": (
        "Independent health professionals", "Professionnels de santé libéraux", "/1000",
        "INSEE", "not stated", "more care",
    ),
}  # fmt: skip
"""Exposures of arrondissements that are offered, with their words."""

_LICENCE = "compiled by envir-t1d, licence to confirm; upstream Licence Ouverte 2.0"


@dataclass(frozen=True)
class OpenRegister:
    """A real outcome by area, ready for the estimators.

    Parameters
    ----------
    cases : pandas.DataFrame
        `by` and ``observed``; missing where the count was withheld.
    population : pandas.DataFrame
        `by` and ``persons``.
    exposures : pandas.DataFrame
        `by` and one column for each of `variables`.
    variables : mapping
        Labels, unit and provenance of each exposure.
    by : str
        Level of territory.
    about : mapping
        What the outcome is, its denominators, files with their digests, and limits.
    """

    cases: pd.DataFrame
    population: pd.DataFrame
    exposures: pd.DataFrame
    variables: Mapping[str, Mapping[str, Any]]
    by: str
    about: Mapping[str, Any]

    @property
    def table(self) -> pd.DataFrame:
        """The exposures, under the name that a screen looks for."""
        return self.exposures

    @property
    def n_withheld(self) -> int:
        """Number of areas whose count was withheld."""
        return int(self.cases["observed"].isna().sum())


def read_t1d(
    folder: str | os.PathLike[str] | None = None,
    case_definition: Literal["any_E10", "E10.1_ketoacidosis"] = "any_E10",
) -> OpenRegister:
    """Read type 1 diabetes hospitalisations of 2023 by arrondissement, with exposures.

    Parameters
    ----------
    folder : path-like, optional
        Folder of open data; ``EPI_OPEN_DATA`` by default.
    case_definition : {"any_E10", "E10.1_ketoacidosis"}, optional
        Persons with any type 1 diabetes code, under 45; or with ketoacidosis, under 30, a proxy of
        incidence. Each has its own denominator.

    Returns
    -------
    OpenRegister
        Cases, population and exposures of the 315 metropolitan arrondissements outside Corsica.

    Raises
    ------
    DataError
        If a file is missing or not in the documented layout.
    ParameterError
        If the case definition is unknown.
    """
    if case_definition not in DEFINITIONS:
        raise ParameterError(f"case_definition is {case_definition!r}", " or ".join(DEFINITIONS))
    words = DEFINITIONS[case_definition]
    root = find_open_data(folder)
    counts = read_t1d_counts(root / T1D_FILE).table
    areas = read_arrondissements(root / ENVIRONMENT_FILE).table
    counts = counts[counts["case_definition"] == case_definition]
    faults = []
    if counts.empty:
        faults.append(f"no row has case_definition {case_definition!r}")
    stray = int((~counts["arr_code"].isin(areas["arr"])).sum())
    if stray:
        faults.append(f"{stray} arrondissement(s) of the counts have no exposures")
    small = int((counts["persons_2023"] < 11).sum())
    if small:
        faults.append(f"{small} count(s) are under 11, which the producer withholds")
    if faults:
        raise DataError("the counts of type 1 diabetes cannot be used", "the documented layout", faults=faults)
    areas = areas.sort_values("arr", ignore_index=True)
    by_area = counts.set_index("arr_code")
    # Where a count was withheld its row is absent: the population is then the census groups' own sum,
    # which the file's denominators equal to six figures where both are there.
    census = areas.set_index("arr")[list(words["groups"])].sum(axis=1)
    persons = by_area[words["denominator"]].reindex(areas["arr"]).fillna(census)
    cases = by_area["persons_2023"].reindex(areas["arr"]).astype(float)
    key = "arrondissement"
    variables = {
        name: {
            "label_en": row[0], "label_fr": row[1], "unit": row[2], "source": ENVIRONMENT_FILE, "producer": row[3],
            "vintage": row[4], "licence": _LICENCE, "support": key, "origin": "open data",
            "direction_note": f"higher = {row[5]}",
        }
        for name, row in VARIABLES.items()
    }  # fmt: skip
    about = {
        **{field: words[field] for field in ("label_en", "label_fr", "ages", "denominator")},
        "case_definition": case_definition,
        "origin": "open data",
        "source": "PMSI 2023 (persons hospitalised), counts under 11 withheld by the producer",
        "licence": _LICENCE,
        "files": {name: digest_file(root / name) for name in (T1D_FILE, ENVIRONMENT_FILE)},
        "limit_en": "Crude ratios: counts are not given by age and sex. Areas whose count was withheld are those with "
        "few cases, so that ratios of the informed areas lean upwards when many are withheld.",
        "limit_fr": "Rapports bruts : les effectifs ne sont pas donnés par âge et sexe. Les territoires masqués sont "
        "ceux qui ont peu de cas : quand ils sont nombreux, les rapports des autres sont tirés vers le haut.",
    }
    return OpenRegister(
        cases=pd.DataFrame({key: areas["arr"], "observed": cases.to_numpy()}),
        population=pd.DataFrame({key: areas["arr"], "persons": persons.to_numpy()}),
        exposures=areas.rename(columns={"arr": key})[[key, *VARIABLES]],
        variables=variables,
        by=key,
        about=about,
    )
