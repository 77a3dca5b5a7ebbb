"""What each criterion asks of a patient's facts, as yes or no, part by part.

Written on the operators of a table of facts; the engine behind is known to :mod:`epi.cohort.extract` alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from epi.cohort import criteria as c
from epi.cohort import evidence as e


def known(column: Any) -> Any:
    """Say where a column has a value.

    Parameters
    ----------
    column : expression
        A column.

    Returns
    -------
    expression
        Yes or no.
    """
    return column.notnull()


def _days(end: Any, start: Any) -> Any:
    return end.delta(start, unit="day")


def _age(f: Any, criterion: c.Aged, at: Any) -> Any:
    """Compare ages: completed years for whole limits, years of 365.25 days for others."""
    birth = f.birth_date
    short = (at.month() * 100 + at.day()) < (birth.month() * 100 + birth.day())
    completed = at.year() - birth.year() - short.cast("int32")
    exact = _days(at, birth) / 365.25
    low, high = criterion.at_least, criterion.at_most
    limits = []
    if low is not None:
        limits.append((completed if _whole(low) else exact) >= low)
    if high is not None:
        limits.append((completed if _whole(high) else exact) <= high)
    return limits[0] & limits[1] if len(limits) == 2 else limits[0]


def _whole(value: float) -> bool:
    return float(value).is_integer()


def _between(day: Any, start: dt.date, end: dt.date) -> Any:
    return day.between(start, end)


def _when(criterion: c.Aged, f: Any, rank: int) -> Any:
    return f.index_date if criterion.day is None else f[f"day_{rank}"]


def _signs(f: Any) -> Any:
    return f.birth_date + f.first_signs_age_days.round().cast("int64").as_interval("D")


def _followed(criterion: c.FollowUp, f: Any) -> list[Any]:
    parts = [f.exit_date > f.entry_date]
    if criterion.at_least_days:
        parts.append(_days(f.exit_date, f.entry_date) >= criterion.at_least_days)
    return parts


def _not_diagnosed(criterion: e.NotDiagnosed, f: Any, rank: int) -> Any:
    day = f[f"excluded_{rank}"]
    return (~known(day) | (day > f.index_date)) if criterion.before_index else ~known(day)


CONDITIONS: dict[type, Callable[[Any, Any, int, str], list[Any]]] = {
    c.NotAFetus: lambda k, f, r, x: [~f.is_fetus.fill_null(False)],
    # The dictionary's default: a country that is not written is FR.
    c.FrenchResident: lambda k, f, r, x: [f.residence_country.fill_null("FR").isin(list(c.FRANCE))],
    c.IndexKnown: lambda k, f, r, x: [known(f.index_date)],
    c.Aged: lambda k, f, r, x: [known(_when(k, f, r)) & known(f.birth_date), _age(f, k, _when(k, f, r))],
    c.Born: lambda k, f, r, x: [known(f.birth_date), _between(f.birth_date, k.start, k.end)],
    # INSEE writes places of birth abroad with 99 and a country.
    c.BornInFrance: lambda k, f, r, x: [known(f.birth_commune), ~f.birth_commune.startswith("99")],
    c.OfSex: lambda k, f, r, x: [f.sex.isin(sorted(k.values))],
    c.KnownResidence: lambda k, f, r, x: [known(f.insee_code)],
    c.Residing: lambda k, f, r, x: [known(f.insee_code), f[x]],
    c.InCommuneOf: lambda k, f, r, x: [known(f.insee_code), f.commune_population >= k.at_least],
    c.FollowUp: lambda k, f, r, x: _followed(k, f),
    e.Known: lambda k, f, r, x: [known(f.included)],
    e.Included: lambda k, f, r, x: [known(f.first_inclusion_date), _between(f.first_inclusion_date, k.start, k.end)],
    e.Diagnosed: lambda k, f, r, x: [known(f.has_code), f.diagnosis_matches],
    # A form that is not recorded stays: sporadic forms are the rule, and often left blank.
    e.NotFamilial: lambda k, f, r, x: [f.sporadic_familial.fill_null("") != "familial"],
    e.DiagnosedBetween: lambda k, f, r, x: [known(f.diagnosis_date), _between(f.diagnosis_date, k.start, k.end)],
    e.SignsBetween: lambda k, f, r, x: [
        known(f.birth_date) & known(f.first_signs_age_days),
        _between(_signs(f).cast("date"), k.start, k.end),
    ],
    e.NotDiagnosed: lambda k, f, r, x: [_not_diagnosed(k, f, r)],
    e.AlsoDiagnosed: lambda k, f, r, x: [known(f[f"also_{r}"])],
    e.Active: lambda k, f, r, x: [known(f[f"active_{r}"])],
    e.AtSites: lambda k, f, r, x: [known(f[f"at_{r}"])],
}
