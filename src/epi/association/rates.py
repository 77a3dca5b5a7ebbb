"""Crude and directly standardised incidence rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.association.eligibility import Ages
from epi.association.tabulation import Absent, tabulate
from epi.errors import EstimationError, ParameterError
from epi.geography import communes as places
from epi.results import Counted, Release
from epi.stats.intervals import check_level, rate_interval
from epi.stats.standardisation import GammaLimits, direct_rate, direct_ratio, standard_population

if TYPE_CHECKING:
    from epi.cohort import Cohort


@dataclass(frozen=True)
class Rates:
    """Crude and standardised rates.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each area (one in all when there is none): `area`, `name`, `observed`,
        `person_years`, `crude`, `crude_low`, `crude_high`, `standardised`, `standardised_low`,
        `standardised_high`, rates per `settings["per"]` person-years, and `status`. With a reference,
        `reference_observed`, `ratio` (comparative incidence figure), `ratio_low` and `ratio_high` too.
    losses : pandas.DataFrame
        `reason` and `persons`: cases that have no cell.
    settings : mapping
        What determined the estimates.
    """

    table: pd.DataFrame
    losses: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table; observed counts are protected, with the rates made of them.
        """
        per = f"{self.settings['per']:,.0f}"
        ages = self.settings["ages"]
        kinds = ("crude", "standardised", *(("ratio",) if "ratio" in self.table else ()))
        derived = tuple(f"{kind}{end}" for kind in kinds for end in ("", "_low", "_high"))
        counts = [Counted("observed", adds_up_within=(), derived=derived)]
        told = ""
        if "ratio" in self.table:
            # A ratio and a rate give back the rate of a small reference: its count hides the ratios too.
            counts.append(Counted("reference_observed", adds_up_within=(), derived=derived[6:]))
            told = f" Ratios of standardised rates to that of {self.settings['reference_name']}, log-normal limits."
        words = {"fay-feuer": "Fay and Feuer", "tiwari": "Tiwari and others"}[self.settings["limits"]]
        return Release(
            table=self.table.copy(),
            counts=tuple(counts),
            title=f"Incidence per {per} person-years" + (f", aged {ages}" if ages else ""),
            note=f"Standardised on {self.settings['standard']}; exact and gamma ({words}) limits at "
            f"{self.settings['level']:.0%}.{told}{self.settings['note']}",
            not_counts=("person_years",),
        )

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, max_rows=20, float_format="{:,.2f}".format, na_rep="–"))


def estimate_rates(
    observed: Cohort | pd.DataFrame,
    population: pd.DataFrame,
    by: str | None = None,
    *,
    strata: Sequence[str] = ("sex", "age_low"),
    standard: str | pd.DataFrame = "european_2013",
    years: float | None = None,
    per: float = 100_000,
    level: float = 0.95,
    absent: Absent = "refuse",
    within: str | Iterable[str] | None = None,
    limits: GammaLimits = "fay-feuer",
    reference: str | None = None,
) -> Rates:
    """Estimate crude and directly standardised rates, in all or by area.

    Parameters
    ----------
    observed : Cohort or pandas.DataFrame
        Cases; see :func:`epi.association.tabulation.tabulate`.
    population : pandas.DataFrame
        Persons or person-years by area (or ``insee_code``) and strata.
    by : str, optional
        Area, or a column of persons such as ``sex``; all together by default.
    strata : sequence of str, optional
        Strata of the standardisation, ``age_low`` among them for a named standard.
    standard : str or pandas.DataFrame, optional
        ``european_2013``, ``france_2019``, ``who_world``, ``us_2010`` (both sexes alike, truncated at the ages
        that a cohort's definition takes in), or a frame of the strata and ``weight``, used as it is.
    years : float, optional
        Years of observation; a cohort's own period by default.
    per : float, optional
        Number of person-years rates are given for.
    level : float, optional
        Confidence level.
    absent : {"refuse", "zero", "missing"}, optional
        What a cell without a row of counts means.
    within : str or iterable of str, optional
        Communes at stake, for cases and population both.
    limits : {"fay-feuer", "tiwari"}, optional
        Gamma limits of standardised rates: never too short, or shorter and right on average; see
        :func:`epi.stats.standardisation.direct_rate`.
    reference : str, optional
        An area that the others are compared with: the ratio of standardised rates, or comparative incidence figure.

    Returns
    -------
    Rates
        One row an area.

    Raises
    ------
    EstimationError
        If the standard and the strata do not match.
    ParameterError
        If a column or an option is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> lows = list(range(0, 100, 5))
    >>> cases = pd.DataFrame({"age_low": lows, "observed": [2] * 20})
    >>> people = pd.DataFrame({"age_low": lows, "persons": [50_000.0] * 20})
    >>> estimate_rates(cases, people, strata=("age_low",)).table[["crude", "standardised"]].round(2).values.tolist()
    [[4.0, 4.0]]
    """
    check_level(level)
    strata = tuple(name for name in strata if name != by)
    tab = tabulate(observed, population, by=by, strata=strata, years=years, absent=absent, within=within)
    weights, words = _weights(standard, tab.cells, strata, tab.eligibility.ages)
    cells = tab.cells.merge(weights, on=list(strata), how="left") if strata else tab.cells.assign(weight=1.0)
    if cells["weight"].isna().any():
        raise EstimationError(
            f"the standard has no weight for {int(cells['weight'].isna().sum())} cell(s)",
            "the same strata in the standard and in the population",
        )
    parts = {area: part.sort_values(list(strata) or ["area"]) for area, part in cells.groupby("area", sort=True)}
    rows = [{"area": area, **_rates_of(part, len(weights), per, level, limits)} for area, part in parts.items()]
    table = pd.DataFrame(rows)
    if reference is not None:
        if reference not in parts:
            raise ParameterError(
                "the reference is none of the areas", "one of them", f"reference={next(iter(parts))!r}"
            )
        table = _compared(table, parts, reference, level)
    names = places.names_of(by) if by in places.LEVELS else {}
    table.insert(1, "name", table["area"].map(names).fillna(table["area"]))
    settings = {
        "by": by,
        "strata": list(strata),
        "standard": words,
        "years": tab.years,
        "per": per,
        "level": level,
        "limits": limits,
        "reference": reference,
        "reference_name": None if reference is None else str(names.get(reference, reference)),
        **tab.settings(),
    }
    return Rates(table, tab.losses, settings)


def _weights(
    standard: str | pd.DataFrame, cells: pd.DataFrame, strata: tuple[str, ...], ages: Ages
) -> tuple[pd.DataFrame, str]:
    if isinstance(standard, pd.DataFrame):
        lacking = [name for name in (*strata, "weight") if name not in standard.columns]
        if lacking:
            raise ParameterError(f"the standard has no column {', '.join(lacking)}", "the strata and 'weight'")
        twice = int(standard.duplicated(list(strata)).sum()) if strata else max(len(standard) - 1, 0)
        if twice:
            raise EstimationError(f"the standard gives {twice} cell(s) twice", "one weight for each stratum")
        return standard[[*strata, "weight"]], "a given population"
    frame = standard_population(standard)
    if "age_low" not in strata:
        raise ParameterError(f"{standard} is a population by age", "age_low among the strata")
    others = cells[[name for name in strata if name != "age_low"]].drop_duplicates()
    lows = np.sort(cells["age_low"].unique())
    words = standard
    if ages.words():
        # A cohort of adults is compared on the adults of the standard, cut as its population is.
        share = ages.share(frame["age_low"].to_numpy(dtype=float))
        frame = frame.assign(weight=frame["weight"] * share)[share > 0]
        frame["weight"] /= frame["weight"].sum()
        words = f"{standard}, truncated at {ages.words()}"
    # The standard's five-year groups are added up into the population's own, when they are wider.
    slot = np.searchsorted(lows, frame["age_low"], side="right") - 1
    if (slot < 0).any() or not set(lows) <= set(frame["age_low"]):
        raise EstimationError(
            "age groups do not start where those of the standard do", "groups from 0, by steps of five years"
        )
    frame = frame.assign(age_low=lows[slot]).groupby("age_low", as_index=False)[["weight"]].sum()
    return (frame.merge(others, how="cross") if others.shape[1] else frame), words


def _compared(table: pd.DataFrame, parts: dict[Any, pd.DataFrame], reference: str, level: float) -> pd.DataFrame:
    """Add the ratio of each standardised rate to that of the reference; missing where either is."""
    known = set(table.loc[table["standardised"].notna(), "area"])
    base = parts[reference]
    found: list[tuple[Any, Any, Any]] = []
    for area in table["area"]:
        row: tuple[Any, Any, Any] = (np.nan, np.nan, np.nan)
        if area == reference and area in known:
            row = (1.0, np.nan, np.nan)
        elif {area, reference} <= known:
            part = parts[area]
            both = direct_ratio(
                part["observed"], part["person_years"], base["observed"], base["person_years"], part["weight"],
                level=level,
            )  # fmt: skip
            row = (both.estimate, both.low, both.high)
        found.append(row)
    observed = table.loc[table["area"] == reference, "observed"].iloc[0]
    place = table.columns.get_loc("status")
    added = pd.DataFrame(found, columns=["ratio", "ratio_low", "ratio_high"], index=table.index)
    added.insert(0, "reference_observed", observed)
    return pd.concat([table.iloc[:, :place], added, table.iloc[:, place:]], axis=1)


def _rates_of(part: pd.DataFrame, strata: int, per: float, level: float, limits: GammaLimits) -> dict[str, Any]:
    observed, time = part["observed"].sum(skipna=False), float(part["person_years"].sum())
    row: dict[str, Any] = {"observed": observed, "person_years": time}
    hollow = dict.fromkeys(
        ("crude", "crude_low", "crude_high", "standardised", "standardised_low", "standardised_high"), np.nan
    )
    if time <= 0 or np.isnan(observed):
        return {**row, **hollow, "status": "no population" if time <= 0 else "count withheld"}
    crude = rate_interval(observed, time, per=per, level=level)
    row |= {"crude": crude.estimate, "crude_low": crude.low, "crude_high": crude.high}
    if len(part) < strata or (part["person_years"] <= 0).any():
        empty = dict.fromkeys(("standardised", "standardised_low", "standardised_high"), np.nan)
        return {**row, **empty, "status": "nobody at risk in some strata of the standard"}
    direct = direct_rate(part["observed"], part["person_years"], part["weight"], per=per, level=level, limits=limits)
    return row | {
        "standardised": direct.estimate,
        "standardised_low": direct.low,
        "standardised_high": direct.high,
        "status": "",
    }
