"""Standardised incidence ratios by area: observed over expected, with exact intervals.

Indirect standardisation: the expected number of an area is its own population at the rates of a
reference, which are those of all areas together (``internal``) or given ones. Ratios of areas with
different age structures are not comparable with each other to the letter; they compare each area
with the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.tabulation import Absent, Tabulation, tabulate
from epi.errors import EstimationError, ParameterError
from epi.geography import communes as places
from epi.results import Counted, Release
from epi.stats.intervals import check_level, rate_interval, ratio_interval
from epi.stats.notation import format_ratio

if TYPE_CHECKING:
    from epi.cohort import Cohort
    from epi.plotting import Chart

Lang = Literal["fr", "en"]

WITHHELD = "count withheld"
EMPTY = "no population"
NOBODY = "nobody expected"
SMALL = "population too small"
USUAL = (WITHHELD, EMPTY, NOBODY, SMALL)


@dataclass(frozen=True)
class Sir:
    """Standardised incidence ratios of areas.

    Parameters
    ----------
    table : pandas.DataFrame
        Sorted by area: `area`, `name`, `observed`, `expected`, `person_years`, `sir`, `ci_low`,
        `ci_high`, and `status`, empty when there is a ratio, else why there is none.
    overall : mapping
        All informed areas together: observed, expected, person_years, sir, ci_low, ci_high,
        rate (per 100,000 person-years) with its limits, areas, and the areas and person-years
        left out for each reason.
    losses : pandas.DataFrame
        `reason` and `persons`: cases that have no cell.
    settings : mapping
        What determined the estimates.
    """

    table: pd.DataFrame
    overall: Mapping[str, Any]
    losses: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table; observed counts are protected, with all that is computed from them.
        """
        corrected = self.settings.get("corrected") == "referral"
        limits = "Poisson limits, with the error of the correction," if corrected else "Exact Poisson limits"
        note = (
            f"Expected by {_reference_words(self.settings, 'en')}. {limits} at "
            f"{self.settings['level']:.0%}. {self.overall['areas']} areas with a ratio.{self.settings['note']}"
        )
        # A column that has nothing to say of any area is left out.
        table = self.table.drop(columns="status") if (self.table["status"] == "").all() else self.table.copy()
        labels = {
            "area": "Area", "name": "Name", "observed": "Observed", "expected": "Expected",
            "person_years": "Person-years", "sir": "SIR", "ci_low": "Low", "ci_high": "High", "status": "Status",
        }  # fmt: skip
        return Release(
            table=table,
            counts=(Counted("observed", adds_up_within=(), derived=("sir", "ci_low", "ci_high")),),
            title=f"{self.title('en')} by {self.settings['by']}",
            note=note,
            # The population and the rates of a reference are facts of territories, not of the cases.
            not_counts=("person_years", "expected"),
            labels={key: word for key, word in labels.items() if key in table},
        )

    def title(self, lang: Lang = "en") -> str:
        """Name the ratio: without strata it is not standardised, and is not called so.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            A short name.
        """
        corrected = {"en": ", corrected for referral", "fr": ", corrigé du recours"}[lang]
        after = corrected if self.settings.get("corrected") == "referral" else ""
        if self.settings["strata"]:
            return {"en": "Standardised incidence ratio", "fr": "Rapport d'incidence standardisé"}[lang] + after
        return {"en": "Crude ratio, not standardised", "fr": "Rapport brut, non standardisé"}[lang] + after

    def chart_map(self, level: str | None = None, *, lang: Lang = "en", **options: Any) -> Chart:
        """Draw the map of the ratios.

        Parameters
        ----------
        level : str, optional
            Level of territory the areas are codes of; the one asked for by default.
        lang : {"fr", "en"}, optional
            Language of the picture.
        **options : object
            Passed to :func:`epi.geography.maps.choropleth`.

        Returns
        -------
        Chart
            The map; areas without a ratio are shown as such.

        Raises
        ------
        ParameterError
            If the areas are no level of territory.
        """
        from epi.association.charts import draw_sir_map

        chosen = level or str(self.settings["by"])
        if chosen not in places.LEVELS:
            raise ParameterError(
                f"areas are {chosen!r}, which is no level of territory", ", ".join(places.LEVELS), "chart_map(level=…)"
            )
        return draw_sir_map(self, chosen, lang, **options)

    def chart_funnel(self, *, lang: Lang = "en") -> Chart:
        """Draw the ratios against the expected numbers, with limits of chance.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            The funnel plot, limits at 95 % and 99.8 % (Spiegelhalter, Stat Med 2005).
        """
        from epi.association.charts import draw_funnel

        return draw_funnel(self, lang)

    def __str__(self) -> str:
        words = [
            f"{self.overall['areas']} areas by {self.settings['by']}: {self.overall['observed']:,.0f} observed, "
            f"{self.overall['expected']:,.1f} expected, SIR "
            + format_ratio(self.overall["sir"], self.overall["ci_low"], self.overall["ci_high"])
        ]
        words += [f"{count} areas: {why}" for why, count in self.overall["left_out"].items() if count]
        lost = zip(self.losses["reason"], self.losses["persons"], strict=True)
        words += [f"{persons} cases: {reason}" for reason, persons in lost if persons]
        return "; ".join(words)

    def _repr_html_(self) -> str:
        import html

        body = self.table.to_html(index=False, max_rows=20, float_format="{:,.2f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


_STRATA = {"sex": {"en": "sex", "fr": "sexe"}, "age_low": {"en": "age", "fr": "âge"}}


def _reference_words(settings: Mapping[str, Any], lang: Lang) -> str:
    names = [_STRATA.get(name, {}).get(lang, name) for name in settings["strata"]]
    strata = (" et " if lang == "fr" else " and ").join(names) if len(names) < 3 else ", ".join(names)
    if lang == "fr":
        base = "les taux de l'ensemble" if settings["reference"] == "internal" else "des taux externes"
        return base + (f" par {strata}" if strata else "")
    base = "the rates of all areas together" if settings["reference"] == "internal" else "given rates"
    return base + (f" by {strata}" if strata else "")


def estimate_sir(
    observed: Cohort | pd.DataFrame,
    population: pd.DataFrame | None = None,
    by: str = "bassin_de_vie",
    *,
    strata: Sequence[str] = ("sex", "age_low"),
    years: float | None = None,
    reference: Literal["internal"] | pd.DataFrame = "internal",
    level: float = 0.95,
    absent: Absent = "refuse",
    within: str | Iterable[str] | None = None,
    min_population: float = 0,
) -> Sir:
    """Compare the cases of each area with those expected at reference rates.

    Parameters
    ----------
    observed : Cohort or pandas.DataFrame
        Cases: a cohort, a frame of persons, or a frame of counts by area with ``observed``; see
        :func:`epi.association.tabulation.tabulate`. A missing count is withheld, never zero.
    population : pandas.DataFrame, optional
        Persons or person-years by area (or ``insee_code``) and strata; that of a cohort's
        workspace by default.
    by : str, optional
        Area: a level of territory or a column.
    strata : sequence of str, optional
        What to standardise by; ``()`` for none.
    years : float, optional
        Years of observation; a cohort's own period by default.
    reference : {"internal"} or pandas.DataFrame, optional
        Rates: all informed areas together, or a frame of the strata and ``rate`` for one
        person-year.
    level : float, optional
        Confidence level.
    absent : {"refuse", "zero", "missing"}, optional
        What an area without a row of counts means.
    within : str or iterable of str, optional
        Communes at stake, for cases and population both.
    min_population : float, optional
        Areas with fewer persons than this on average get no ratio; they still count in the
        internal reference.

    Returns
    -------
    Sir
        The table by area, the whole, and what was left out.

    Raises
    ------
    EstimationError
        If cases fall in strata without population, strata lack a reference rate, or there are no
        cases at all.
    ParameterError
        If a column or an option is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> cases = pd.DataFrame({"area": ["a", "b"], "observed": [100, 20]})
    >>> people = pd.DataFrame({"area": ["a", "b"], "person_years": [54_070.0, 20_000.0]})
    >>> rates = pd.DataFrame({"rate": [0.001]})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=rates)
    >>> print(ratio_interval(sir.table["observed"][0], sir.table["expected"][0]))
    1.85 (1.50-2.25)
    """
    check_level(level)
    if population is None:
        workspace = getattr(observed, "workspace", None)
        if workspace is None:
            raise ParameterError("nothing says how many persons were at risk", "population=, or a cohort")
        population = workspace.reference("population")
    tab = tabulate(observed, population, by=by, strata=strata, years=years, absent=absent, within=within)
    rates, kind = _reference_rates(tab, reference)
    cells = tab.cells.merge(rates, on=list(tab.strata), how="left") if tab.strata else tab.cells.assign(
        rate=float(rates["rate"].iloc[0])
    )  # fmt: skip
    cells["expected"] = cells["person_years"] * cells["rate"]
    cells = cells.sort_values(["area", *tab.strata])
    groups = cells.groupby("area", sort=True)
    table = pd.DataFrame(
        {
            "observed": groups["observed"].agg(lambda values: values.sum(skipna=False)),
            "expected": groups["expected"].sum(),
            "person_years": groups["person_years"].sum(),
        }
    ).reset_index()
    table.insert(1, "name", table["area"].map(_names(by)).fillna(table["area"]))
    table["status"] = np.select(
        [
            table["person_years"] <= 0,
            table["observed"].isna(),
            table["expected"] <= 0,
            table["person_years"] < min_population * tab.years,
        ],
        [EMPTY, WITHHELD, NOBODY, SMALL],
        default="",
    )
    informed = table["status"] == ""
    if not informed.any():
        raise EstimationError("no area has both a count and an expected number", "at least one area")
    ratio = ratio_interval(table["observed"].where(informed), table["expected"].where(informed), level=level)
    table["sir"], table["ci_low"], table["ci_high"] = ratio.estimate, ratio.low, ratio.high
    status = table.pop("status")
    table["status"] = status
    settings = {
        "by": by,
        "strata": list(tab.strata),
        "years": tab.years,
        "reference": kind,
        "level": level,
        "absent": absent,
        "within": within if isinstance(within, str) or within is None else "given communes",
        "min_population": min_population,
        "synthetic": bool(getattr(getattr(observed, "workspace", None), "synthetic", False)),
        **tab.settings(),
    }
    overall = {**summarise(table, level), "unplaced_person_years": tab.unplaced_person_years}
    return Sir(table, overall, tab.losses, settings)


def _names(by: str) -> dict[str, str]:
    return places.names_of(by) if by in places.LEVELS else {}


def _reference_rates(tab: Tabulation, reference: Literal["internal"] | pd.DataFrame) -> tuple[pd.DataFrame, str]:
    strata = list(tab.strata)
    if isinstance(reference, pd.DataFrame):
        lacking = [column for column in [*strata, "rate"] if column not in reference.columns]
        if lacking:
            raise ParameterError(
                f"the reference has no column {', '.join(map(repr, lacking))}", "the strata and 'rate'"
            )
        rates = reference[[*strata, "rate"]]
        if (strata and rates.duplicated(strata).any()) or (not strata and len(rates) != 1):
            raise EstimationError("the reference has several rates for a stratum", "one rate a stratum")
        if rates["rate"].isna().any() or (rates["rate"] < 0).any():
            raise EstimationError("the reference has missing or negative rates", "rates of zero or more")
        if strata:
            have = tab.cells[tab.cells["person_years"] > 0][strata].drop_duplicates()
            missing = have.merge(rates, on=strata, how="left")["rate"].isna().sum()
            if missing:
                raise EstimationError(
                    f"{int(missing)} stratum(s) of the population have no reference rate",
                    f"a rate for each of {' × '.join(strata)}",
                )
        return rates, "external"
    if reference != "internal":
        raise ParameterError(f"reference is {reference!r}", "'internal' or a frame of rates")
    # Withheld areas are out of both sums: their cases are unknown, their population is not at rest.
    withheld = tab.cells.groupby("area")["observed"].transform(lambda values: values.isna().any())
    inhabited = tab.cells.groupby("area")["person_years"].transform("sum") > 0
    known = tab.cells[~withheld.astype(bool) & inhabited]
    if known["observed"].sum() <= 0:
        raise EstimationError("there is no case in the informed areas", "at least one case")
    if not strata:
        rate = known["observed"].sum() / known["person_years"].sum()
        return pd.DataFrame({"rate": [rate]}), "internal"
    sums = known.groupby(strata, as_index=False, observed=True)[["observed", "person_years"]].sum()
    alone = sums[(sums["person_years"] <= 0) & (sums["observed"] > 0)]
    if len(alone):
        raise EstimationError(
            f"{len(alone)} stratum(s) of {' × '.join(strata)} have cases and nobody at risk in the informed areas",
            "population in every stratum that has cases",
            "bring both to the same age groups",
        )
    with np.errstate(invalid="ignore"):
        sums["rate"] = (sums["observed"] / sums["person_years"]).where(sums["person_years"] > 0, 0.0)
    return sums[[*strata, "rate"]], "internal"


def summarise(table: pd.DataFrame, level: float) -> dict[str, Any]:
    """Add up the areas that have a ratio.

    Parameters
    ----------
    table : pandas.DataFrame
        Areas with `observed`, `expected`, `person_years`, `sir` and `status`.
    level : float
        Confidence level.

    Returns
    -------
    dict
        As in :attr:`Sir.overall`.
    """
    informed = table[table["sir"].notna()]
    observed, expected = float(informed["observed"].sum()), float(informed["expected"].sum())
    time = float(informed["person_years"].sum())
    ratio = ratio_interval(observed, expected, level=level)
    rate = rate_interval(observed, time, level=level)
    out = table[table["status"] != ""]
    return {
        "observed": int(observed),
        "expected": expected,
        "person_years": time,
        "sir": ratio.estimate,
        "ci_low": ratio.low,
        "ci_high": ratio.high,
        "rate_per_100000": rate.estimate,
        "rate_ci_low": rate.low,
        "rate_ci_high": rate.high,
        "areas": len(informed),
        "left_out": {why: int((out["status"] == why).sum()) for why in dict.fromkeys([*USUAL, *sorted(out["status"])])},
        "left_out_person_years": float(out["person_years"].sum()),
        "cases_without_population": int(out.loc[out["status"] == EMPTY, "observed"].sum()),
    }
