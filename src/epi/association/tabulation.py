"""Cases and persons at risk laid side by side, by area and stratum.

A cohort, a frame of persons and a frame of published counts all become the same table here, so that
what is estimated afterwards does not depend on where the cases came from. Nobody is lost without
being counted: each reason has its row in `losses`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.current_areas import check_areas
from epi.association.eligibility import Eligibility, check_period, describe_population, eligible_population
from epi.errors import EstimationError, ParameterError
from epi.geography.areas import area_of, belongs_to
from epi.geography.codes import check_codes
from epi.geography.communes import LEVELS

if TYPE_CHECKING:
    from epi.cohort import Cohort

Absent = Literal["refuse", "zero", "missing"]


@dataclass(frozen=True)
class Tabulation:
    """Cases and person-years by area and stratum.

    Parameters
    ----------
    cells : pandas.DataFrame
        Sorted by area and strata: `area`, the strata, `observed` (NaN when withheld) and
        `person_years` (0 where nobody lives).
    strata : tuple of str
        Names of the strata, possibly none.
    losses : pandas.DataFrame
        `reason` and `persons`: cases that could not be placed in a cell.
    years : float
        Length of observation that persons were multiplied by.
    unplaced_person_years : float, optional
        Population of communes that belong to no area, left out.
    eligibility : Eligibility, optional
        How the population was brought to those whom the cohort's definition could take in.
    source : str, optional
        Where the population comes from, as its metadata say.
    """

    cells: pd.DataFrame
    strata: tuple[str, ...]
    losses: pd.DataFrame
    years: float
    unplaced_person_years: float = 0.0
    eligibility: Eligibility = field(default_factory=Eligibility)
    source: str = ""

    def settings(self) -> dict[str, Any]:
        """Say whom the population stands for.

        Returns
        -------
        dict
            ``eligibility``, ``ages``, ``cases_restricted_by``, ``population`` and the ``note`` of them.
        """
        said = f" Population: {self.source}." if self.source else ""
        return {
            "eligibility": list(self.eligibility.words),
            "ages": self.eligibility.ages.words(),
            "cases_restricted_by": list(self.eligibility.cases_only),
            "population": self.source,
            "note": said + self.eligibility.note(),
        }


def tabulate(
    observed: Cohort | pd.DataFrame,
    population: pd.DataFrame,
    *,
    by: str | None,
    strata: Sequence[str] = ("sex", "age_low"),
    years: float | None = None,
    absent: Absent = "refuse",
    within: str | Iterable[str] | None = None,
) -> Tabulation:
    """Count cases and person-years by area and stratum.

    Parameters
    ----------
    observed : Cohort or pandas.DataFrame
        A cohort of incident cases (its population is then restricted to those whom its definition
        could take in), a frame of persons (``patient_id``, ``insee_code``, ``sex``,
        ``age_completed`` or ``age_at_index``) or a frame of counts (the area, the strata and ``observed``, missing
        where it was withheld).
    population : pandas.DataFrame
        The area or ``insee_code``, the strata, and ``persons`` or ``person_years``.
    by : str or None
        Area: a level of :data:`epi.geography.communes.LEVELS` or a column of both frames; None
        for one area in all.
    strata : sequence of str, optional
        Columns to stratify by; ``()`` for a crude comparison.
    years : float, optional
        Years of observation, for a population in persons; by default the cohort's period, or 1.
    absent : {"refuse", "zero", "missing"}, optional
        What a cell of the population without a row of counts means. Persons are all there, so
        that no person is zero; counts published may have been withheld.
    within : str or iterable of str, optional
        Communes at stake: a place such as ``"metropolitan France"`` (see
        :func:`epi.geography.belongs_to`) or INSEE codes. Needs ``insee_code``.

    Returns
    -------
    Tabulation
        The cells and the cases that fell out of them.

    Raises
    ------
    EstimationError
        If a stratum has cases and no population anywhere, counts and population do not match, or
        the cohort's period ends after the extraction.
    ParameterError
        If a column is missing or an option unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> cases = pd.DataFrame({"arr": ["011", "012"], "observed": [15, 19]})
    >>> people = pd.DataFrame({"arr": ["011", "012"], "persons": [42_595, 118_635]})
    >>> tabulate(cases, people, by="arr", strata=()).cells["observed"].tolist()
    [15.0, 19.0]
    """
    strata = tuple(strata)
    if not isinstance(population, pd.DataFrame):
        raise ParameterError(f"population is a {type(population).__name__}", "a frame", 'ws.reference("population")')
    eligibility, source = Eligibility(), ""
    if isinstance(observed, pd.DataFrame):
        cases_frame, are_persons = observed, "observed" not in observed.columns
    elif hasattr(type(observed), "members"):
        # An enriched cohort carries the cohort it comes from; enriched frames carry none.
        cohort = getattr(observed, "cohort", None) if hasattr(observed, "catalogue") else observed
        if cohort is not None:
            cohort.require_population("incident", "an incidence ratio or rate")
            check_period(cohort)
            years = years if years is not None else _period_years(cohort.period)
            source = describe_population(cohort.workspace, population)
            population, eligibility = eligible_population(cohort, population)
        cases_frame, are_persons = observed.members, True
    else:
        raise ParameterError(f"observed is a {type(observed).__name__}", "a cohort or a frame of persons or counts")
    losses: list[tuple[str, int]] = []
    people, length, unplaced = _at_risk(population, by, strata, years, within)
    if are_persons:
        counts = _count_persons(cases_frame, by, strata, people, within, losses)
        absent = "zero"
    else:
        counts = _given_counts(cases_frame, by, strata, within)
    keys = ["area", *strata]
    cells = people.merge(counts, on=keys, how="outer", indicator=True, validate="one_to_one")
    lonely = int((cells["_merge"] == "left_only").sum())
    if lonely and absent == "refuse":
        raise EstimationError(
            f"{lonely} cell(s) of the population have no row in the counts",
            "a row for each area and stratum",
            "say what that means: absent='zero' (nobody fell ill) or absent='missing' (withheld)",
        )
    if absent == "zero":
        cells.loc[cells["_merge"] == "left_only", "observed"] = 0.0
    cells["person_years"] = cells["person_years"].fillna(0.0)
    cells = cells.drop(columns="_merge").sort_values(keys, ignore_index=True)
    _refuse_empty_strata(cells, strata)
    if cells["person_years"].sum() <= 0:
        raise EstimationError("nobody is at risk", "a population above zero")
    lost = pd.DataFrame(losses, columns=["reason", "persons"])
    return Tabulation(cells, strata, lost, length, unplaced, eligibility, source)


def _period_years(period: Any) -> float | None:
    """Give the length of a period, both ends included, whole years being whole."""
    if period is None or period[0] is None or period[1] is None:
        return None
    start, end = (pd.Timestamp(day).date() for day in period)
    after = end + dt.timedelta(days=1)
    whole = after.year - start.year - ((after.month, after.day) < (start.month, start.day))
    turn = (pd.Timestamp(start) + pd.DateOffset(years=whole)).date()
    return whole + (after - turn).days / 365.25


def _need(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    lacking = [column for column in columns if column not in frame.columns]
    if lacking:
        raise ParameterError(
            f"{what} has no column {', '.join(map(repr, lacking))}",
            f"among its columns: {', '.join(map(str, frame.columns[:12]))}",
        )


def place(frame: pd.DataFrame, by: str | None, what: str) -> pd.Series:
    """Find the area of each row, from its own column or from its commune.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows with a column `by`, or ``insee_code`` when `by` is a level of territory.
    by : str or None
        The area; None puts every row in one.
    what : str
        What the rows are, for messages.

    Returns
    -------
    pandas.Series
        Text codes, missing where there is none.

    Raises
    ------
    GeographyError
        If areas are of a level of territory and are none of today's: they would be other places under the same code.
    ParameterError
        If the frame has neither column, or codes are numbers: their leading zeros are lost.

    Examples
    --------
    >>> place(pd.DataFrame({"insee_code": ["38185", None]}), "region", "cases").tolist()
    ['84', None]
    """
    if by is None:
        return pd.Series("all", index=frame.index, dtype=object)
    own = by if by in frame.columns else "insee_code"
    if own not in frame.columns or (own != by and by not in LEVELS):
        raise ParameterError(
            f"{what} cannot be placed by {by!r}",
            f"a column {by!r}, or insee_code and a level among {', '.join(LEVELS)}",
        )
    codes = frame[own]
    if not (pd.api.types.is_object_dtype(codes) or isinstance(codes.dtype, pd.StringDtype | pd.CategoricalDtype)):
        raise ParameterError(
            f"{what}: {own!r} holds {codes.dtype}, so that leading zeros are lost",
            "codes as text, such as '01053'",
            f"read the file with dtype={{{own!r}: str}}",
        )
    codes = codes.astype(object).where(codes.notna(), None)
    if own == by:
        check_areas(codes, by, what)
        return codes
    check_codes(codes)
    return area_of(codes, by)


def _inside(frame: pd.DataFrame, within: str | Iterable[str] | None, what: str) -> pd.Series:
    if within is None:
        return pd.Series(True, index=frame.index)
    _need(frame, ["insee_code"], f"{what} (within= needs communes)")
    if isinstance(within, str):
        return belongs_to(frame["insee_code"], within).fillna(False).astype(bool)
    return frame["insee_code"].isin(set(within))


def _at_risk(
    population: pd.DataFrame,
    by: str | None,
    strata: tuple[str, ...],
    years: float | None,
    within: str | Iterable[str] | None,
) -> tuple[pd.DataFrame, float, float]:
    _need(population, strata, "the population")
    column = "person_years" if "person_years" in population.columns else "persons"
    _need(population, [column], "the population")
    if column == "person_years" and years not in (None, 1, 1.0):
        raise ParameterError(
            f"the population is in person-years and years is {years:g}", "one or the other", "leave years out"
        )
    length = 1.0 if years is None else float(years)
    if not length > 0:
        raise ParameterError(f"years is {years}", "a length of time above zero")
    dated = [name for name in ("year", "annee") if name in population.columns and name not in (by, *strata)]
    several = max((population[name].nunique() for name in dated), default=1)
    if column == "persons" and several > 1 and length != 1:
        raise ParameterError(
            f"the population has {several} years, each of which would be multiplied by {length:g}",
            "persons of one year, or their sum over the years as person_years",
            'population.groupby([…])["persons"].sum().rename("person_years"), and leave years out',
        )
    frame = population[_inside(population, within, "the population")]
    values = frame[column].astype(float)
    if values.isna().any() or (values < 0).any():
        raise EstimationError(
            f"{column} is missing or negative in {int((values.isna() | (values < 0)).sum())} row(s)",
            "a population of zero or more in every row",
        )
    frame = frame.assign(area=place(frame, by, "the population"), person_years=values * length)
    unplaced = float(frame.loc[frame["area"].isna(), "person_years"].sum())
    frame = frame.dropna(subset="area")
    for name in strata:
        if frame[name].isna().any():
            raise EstimationError(
                f"the population has no {name!r} in {int(frame[name].isna().sum())} row(s)", "complete strata"
            )
    keys = ["area", *strata]
    frame = frame.sort_values([*keys, "person_years"])
    return frame.groupby(keys, as_index=False, observed=True)[["person_years"]].sum(), length, unplaced


def _count_persons(
    members: pd.DataFrame,
    by: str | None,
    strata: tuple[str, ...],
    people: pd.DataFrame,
    within: str | Iterable[str] | None,
    losses: list[tuple[str, int]],
) -> pd.DataFrame:
    frame = members.assign(area=place(members, by, "the cases"))
    if "age_low" in strata and "age_low" not in frame.columns:
        # Completed years where they are known: on a birthday, years of 365.25 days may fall short of it.
        column = "age_completed" if "age_completed" in frame.columns else "age_at_index"
        _need(frame, [column], "the cases")
        lows = np.sort(people["age_low"].unique())
        ages = frame[column].astype(float)
        slot = np.searchsorted(lows, ages, side="right") - 1
        frame["age_low"] = np.where(ages.notna() & (slot >= 0), lows[np.clip(slot, 0, None)], np.nan)
    _need(frame, strata, "the cases")
    inside = _inside(frame, within, "the cases")
    keep = pd.Series(True, index=frame.index)

    def drop(where: pd.Series, reason: str) -> None:
        losses.append((reason, int((where & keep).sum())))
        keep[where] = False

    if by is not None:
        drop(frame["area"].isna(), f"no {by} of residence")
    if within is not None:
        drop(~inside, "resident outside the communes at stake")
    for name in strata:
        known = set(people[name])
        drop(~frame[name].isin(known), f"{name} unknown or absent from the population")
    if "age_low" in strata:
        frame = frame.assign(age_low=frame["age_low"].where(keep, people["age_low"].iloc[0]))
        frame["age_low"] = frame["age_low"].astype(people["age_low"].dtype)
    if len(frame) and not keep.any():
        raise EstimationError(
            f"none of the {len(frame)} cases can be placed in the population",
            "cases with a residence, a sex and an age at index that the population knows",
            "for a cohort, index_on('diagnosis') gives the age",
            faults=[f"{persons} case(s): {reason}" for reason, persons in losses if persons],
        )
    keys = ["area", *strata]
    counted = frame[keep].groupby(keys, as_index=False, observed=True).size()
    counted = counted.rename(columns={"size": "observed"})
    return counted.assign(observed=counted["observed"].astype(float))


def _given_counts(
    frame: pd.DataFrame, by: str | None, strata: tuple[str, ...], within: str | Iterable[str] | None
) -> pd.DataFrame:
    _need(frame, strata, "the counts")
    frame = frame[_inside(frame, within, "the counts")]
    frame = frame.assign(area=place(frame, by, "the counts"), observed=frame["observed"].astype(float))
    faults = []
    values = frame["observed"].dropna()
    if (values < 0).any() or not np.array_equal(values, np.floor(values)):
        faults.append("'observed' has values that are not counts")
    faults += [
        f"{name!r} is missing in {int(frame[name].isna().sum())} row(s)"
        for name in ("area", *strata)
        if frame[name].isna().any()
    ]
    if faults:
        raise EstimationError("the counts cannot be used", "whole counts in named cells", faults=faults)
    keys = ["area", *strata]
    return frame.groupby(keys, observed=True)["observed"].agg(_sum_or_missing).rename("observed").reset_index()


def _sum_or_missing(values: pd.Series) -> float:
    """Add up counts; a sum with a withheld part is withheld."""
    return float(values.sum(skipna=False))


def _refuse_empty_strata(cells: pd.DataFrame, strata: tuple[str, ...]) -> None:
    if not strata:
        return
    totals = cells.groupby(list(strata), observed=True)[["observed", "person_years"]].sum()
    empty = totals[(totals["person_years"] <= 0) & (totals["observed"] > 0)]
    if len(empty):
        raise EstimationError(
            f"{int(empty['observed'].sum())} case(s) are in {len(empty)} stratum(s) of {' × '.join(strata)} "
            "without any population",
            "the same strata in cases and population",
            "bring both to the same age groups",
        )
