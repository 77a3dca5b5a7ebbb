"""What may be published of a curve: its values at times between which nothing happens to few persons.

Each step of a curve is a person's day. A published curve is read at times so far apart that each
interval between two of them tells of nobody, or of enough persons: as events, as entries and as ends
without event, and so does the rest after the last time. Round times come first, others only where
they fit between. Values are rounded: all digits of a product would tell its factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.arguments import check_number
from epi.errors import DisclosureError
from epi.results import Counted, Release
from epi.survival.counting import DayCounts, after_days
from epi.survival.data import DAYS_PER_YEAR
from epi.survival.few import published_least
from epi.survival.groups import ALL, count_groups
from epi.survival.incidence import incidence_columns
from epi.survival.steps import round_days

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.curves import SurvivalCurves
    from epi.survival.data import SurvivalData
    from epi.survival.hazard import CumulativeHazard
    from epi.survival.incidence import CumulativeIncidence
    from epi.survival.net import NetSurvival

ROUND_YEARS = (1 / 12, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
INTERVALS = 10
"""About as many round times fit under an axis."""
PARTS = 12
"""Finer times tried within a round one."""
DECIMALS = 4
LABELS = {
    "group": "Group", "years": "Years", "at_risk": "At risk after", "events": "Events since the time before",
    "left": "Left without event", "entered": "Entered", "survival": "Survival", "hazard": "Cumulative hazard",
    "ci_low": "Low", "ci_high": "High", "cause": "Cause", "incidence": "Cumulative incidence",
}  # fmt: skip


def tells_of_death(data: SurvivalData) -> bool:
    """Say whether the one event is death: a curve is then of survival, not of survival without something.

    Parameters
    ----------
    data : SurvivalData
        The follow-up.

    Returns
    -------
    bool
        Whether it is.
    """
    return tuple(data.causes) in (("death",), ("décès",))


def round_step(span: float, years: float | None) -> float:
    """Choose the distance of round times.

    Parameters
    ----------
    span : float
        Days of follow-up.
    years : float or None
        What is asked for.

    Returns
    -------
    float
        Years.

    Raises
    ------
    ParameterError
        If it is not above zero.
    """
    if years is not None:
        return check_number("years", years, "a distance above zero", above=0, do="years=1")
    return next((step for step in ROUND_YEARS if span / DAYS_PER_YEAR <= step * INTERVALS), 50.0)


def reporting_days(counters: NDArray[np.int64], first: int, least: int, step: float) -> NDArray[np.int64]:
    """Choose the days at which a group's curve may be read.

    Parameters
    ----------
    counters : numpy.ndarray of int64, shape (counters, days)
        Cumulated numbers of persons until each day included: events of each cause, ends without, entries.
    first : int
        Day of the first column.
    least : int
        Fewest persons an interval may tell of.
    step : float
        Years between round times.

    Returns
    -------
    numpy.ndarray of int64
        Days, in order; empty where none will do.
    """
    size = counters.shape[1]
    whole = counters[:, -1]

    def told(low: NDArray[np.int64], high: NDArray[np.int64]) -> bool:
        there = high - low
        return bool(((there == 0) | (there >= least)).all())

    def value(day: int) -> NDArray[np.int64]:
        return np.asarray(counters[:, day - first])

    def fits(before: NDArray[np.int64], day: int, after: NDArray[np.int64]) -> bool:
        # Those at risk after the day leave later, or have entered: the rest of the counters tells of them.
        return told(before, value(day)) and told(value(day), after)

    nobody = np.zeros_like(whole)
    kept: list[int] = []
    # A curve starts where follow-up does: at a common start enough persons are there at once.
    for day in sorted({first, *round_days(first, first + size - 1, step).tolist()}):
        if told(value(kept[-1]) if kept else nobody, value(day)):
            kept.append(day)
    while kept and not told(value(kept[-1]), whole):
        kept.pop()
    finer = round_days(first, first + size - 1, step / PARTS).tolist()
    found: list[int] = []
    for start, stop in zip([None, *kept], [*kept, None], strict=True):
        before = nobody if start is None else value(start)
        after = whole if stop is None else value(stop)
        for day in finer:
            if (start is None or day > start) and (stop is None or day < stop) and fits(before, day, after):
                found.append(day)
                before = value(day)
        if stop is not None:
            found.append(stop)
    return np.array(found, dtype=np.int64)


def reporting_rows(
    counts: DayCounts, events: NDArray[np.int64], labels: Sequence[str], least: int, years: float | None
) -> tuple[pd.DataFrame, float]:
    """Count what happens between the times at which curves may be read.

    Parameters
    ----------
    counts : DayCounts
        Counts of the groups.
    events : numpy.ndarray of int64, shape (groups, days, causes)
        Events reported.
    labels : sequence of str
        Names of the groups.
    least : int
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    rows : pandas.DataFrame
        `group`, `time` (days), `years`, `at_risk` (after the day), `events_1`, ... , `left`, `entered`
        since the time before.
    step : float
        Years between round times.

    Raises
    ------
    DisclosureError
        If no time of any group will do.
    """
    step = round_step(counts.at_risk.shape[1], years)
    parts = []
    for at, label in enumerate(labels):
        deaths = events[at].T.cumsum(axis=1)
        gone = (counts.left[at] - events[at].sum(axis=1)).cumsum()
        come = counts.entered[at].cumsum()
        counters = np.vstack([deaths, gone, come])
        days = reporting_days(counters, counts.first, least, step)
        # Where few are at risk a curve rests on few, whatever happened before.
        days = days[after_days(counts)[at, days - counts.first] >= least]
        if not len(days):
            continue
        here = counters[:, days - counts.first]
        since = np.diff(here, axis=1, prepend=0)
        part: dict[str, Any] = {"group": label, "time": days, "years": np.round(days / DAYS_PER_YEAR, 2),
                                "at_risk": here[-1] - here[:-1].sum(axis=0)}  # fmt: skip
        part |= {f"events_{cause}": since[cause] for cause in range(len(deaths))}
        part |= {"left": since[-2], "entered": since[-1]}
        parts.append(pd.DataFrame(part))
    if not parts:
        raise DisclosureError(
            f"no curve can be read at any time without telling of fewer than {least} persons",
            f"at least {least} events, or groups large enough", "take groups together, or a coarser years=",
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True), step


def release_survival(found: SurvivalCurves, min_count: int | None, years: float | None) -> Release:
    """Say what would be published of survival curves.

    Parameters
    ----------
    found : SurvivalCurves
        The curves.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Release
        The table.
    """
    named = f" without {found.settings['cause']}" if found.settings["cause"] else " without event"
    if not found.settings["cause"] and tells_of_death(found.data):
        named = ""
    start = found.settings["conditional_on"]
    after = f", among those at risk at {start / DAYS_PER_YEAR:.2f} years" if start is not None else ""
    title = f"Survival{named}{after}"
    return _release(found, "survival", title, min_count, years)


def release_incidence(found: CumulativeIncidence, min_count: int | None, years: float | None) -> Release:
    """Say what would be published of cumulative incidences.

    Parameters
    ----------
    found : CumulativeIncidence
        The incidences.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Release
        The table.
    """
    least = published_least(min_count)
    counts, labels, _ = count_groups(found.data, found.settings["by"])
    rows, _ = reporting_rows(counts, counts.events, labels, least, years)
    columns = incidence_columns(found.causes)
    names = {f"events_{at}": kept[0] for at, kept in enumerate(columns.values())}
    table, estimates = rows.rename(columns=names), list[str]()
    headings: dict[str, str] = {}
    for cause, (events, *read) in columns.items():
        values = read_published(
            found.table[found.table["cause"] == cause], rows, {"incidence": 0.0, "ci_low": np.nan, "ci_high": np.nan}
        )
        table = table.join(values.set_axis(read, axis=1))
        estimates += read
        headings |= {events: f"{cause}: events since the time before", read[0]: f"{cause}: cumulative incidence",
                     read[1]: f"{cause}: low", read[2]: f"{cause}: high"}  # fmt: skip
    start = found.settings["conditional_on"]
    after = f", among those without event at {start / DAYS_PER_YEAR:.2f} years" if start is not None else ""
    title = f"Cumulative incidence of {', '.join(found.causes)}{after}"
    note = _note(found.settings, least, len(labels) > 1)
    return declare(table.drop(columns="time"), estimates, title, note, [kept[0] for kept in columns.values()], headings)


def release_hazard(found: CumulativeHazard, min_count: int | None, years: float | None) -> Release:
    """Say what would be published of cumulative hazards.

    Parameters
    ----------
    found : CumulativeHazard
        The hazards.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Release
        The table.
    """
    named = f" of {found.settings['cause']}" if found.settings["cause"] else ""
    if found.settings["repeated"]:
        raise DisclosureError(
            "repeated events count events, not persons", "a first event for each person",
            "publish a model's ratio, or the time to the first event",
        )  # fmt: skip
    return _release(found, "hazard", f"Cumulative hazard{named}", min_count, years)


def release_net(found: NetSurvival, min_count: int | None, years: float | None) -> Release:
    """Say what would be published of net survival.

    Parameters
    ----------
    found : NetSurvival
        The curves.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Release
        The table, observed survival beside net survival.
    """
    settings = found.settings
    least = published_least(min_count)
    counts, labels, _ = count_groups(found.data, settings["by"])
    rows, _ = reporting_rows(counts, counts.events.sum(axis=2, keepdims=True), labels, least, years)
    columns = ["survival", "ci_low", "ci_high", "observed"]
    values = read_published(found.table, rows, {"observed": 1.0})
    # Net survival is no step curve: it is read on the day itself.
    read = found.at(np.unique(rows["time"])).drop(columns=["at_risk", "events", "se"]).round(DECIMALS)
    table = rows.rename(columns={"events_0": "events"}).join(values).merge(read, on=["group", "time"], how="left")
    table = table[[name for name in table if name not in ("time", "observed")] + ["observed"]]
    start = settings["conditional_on"]
    after = f" among those alive at {start / DAYS_PER_YEAR:.2f} years" if start is not None else ""
    note = f"{_note(settings, least, len(labels) > 1)} Life table: {settings['life_table']}."
    names = {"survival": "Net survival", "observed": "Observed survival"}
    return declare(table, columns, f"Net survival{after}", note, ["events"], names)


def _release(
    found: SurvivalCurves | CumulativeHazard, estimate: str, title: str, min_count: int | None, years: float | None
) -> Release:
    settings = found.settings
    least = published_least(min_count)
    counts, labels, _ = count_groups(found.data, settings["by"])
    cause = settings["cause"]
    number = None if cause is None else found.data.cause_number(cause) - 1
    events = counts.events.sum(axis=2, keepdims=True) if number is None else counts.events[:, :, number : number + 1]
    rows, _ = reporting_rows(counts, events, labels, least, years)
    start = 1.0 if estimate == "survival" else 0.0
    values = read_published(found.table, rows, {estimate: start, "ci_low": np.nan, "ci_high": np.nan})
    table = rows.rename(columns={"events_0": "events"}).join(values).drop(columns="time")
    return declare(table, [estimate, "ci_low", "ci_high"], title, _note(settings, least, len(labels) > 1), ["events"])


def read_published(table: pd.DataFrame, rows: pd.DataFrame, columns: Mapping[str, float]) -> pd.DataFrame:
    """Read step curves at the published times, rounded.

    Parameters
    ----------
    table : pandas.DataFrame
        `group`, `time` and the columns.
    rows : pandas.DataFrame
        `group` and `time` of the published rows.
    columns : mapping
        Columns, and their value before the first day: limits have none.

    Returns
    -------
    pandas.DataFrame
        The columns, a row for each published row.
    """
    parts = []
    for group, part in rows.groupby("group", sort=False):
        curve = table[table["group"] == group]
        step = np.searchsorted(curve["time"].to_numpy(), part["time"].to_numpy(), side="right")
        read = {
            name: np.concatenate([[first], curve[name].to_numpy(dtype=np.float64)])[step].round(DECIMALS)
            for name, first in columns.items()
        }
        parts.append(pd.DataFrame(read, index=part.index))
    return pd.concat(parts)


def declare(
    table: pd.DataFrame, estimates: Sequence[str], title: str, note: str, events: Sequence[str],
    labels: Mapping[str, str] | None = None,
) -> Release:  # fmt: skip
    """Declare a table of a curve: its counts, and what falls with them.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    estimates : sequence of str
        Columns computed from the counts.
    title, note : str
        Printed above and below.
    events : sequence of str
        Columns of events.
    labels : mapping, optional
        Headings of further columns.

    Returns
    -------
    Release
        What would be published.
    """
    if not table["entered"].iloc[1:].any() and "group" in table and (table["group"] == ALL).all():
        table = table.drop(columns="entered")
    if (table["group"] == ALL).all():
        table = table.drop(columns="group")
    counted = [name for name in (*events, "left", "entered", "at_risk") if name in table]
    names = {**LABELS, **(labels or {})}
    # One hidden number takes its whole row along: those at risk before and after would give it back.
    fallen = {name: tuple(other for other in (*counted, *estimates) if other != name) for name in counted}
    return Release(
        table.reset_index(drop=True),
        tuple(Counted(name, derived=fallen[name]) for name in counted),
        title,
        note,
        ("years",),
        {name: names[name] for name in table if name in names},
    )


def _note(settings: Mapping[str, Any], least: int, groups: bool) -> str:
    kind = settings["estimator"]
    conditional = settings.get("conditional_on")
    words = [
        f"{kind} estimate with delayed entry where persons enter late; limits at {settings['level']:.0%} on the "
        f"{settings['interval']} scale, {settings['variance']} variance.",
        f"Read at times between which each number of persons{' of a group' if groups else ''} is nobody or at least "
        f"{least}; the last times of follow-up are left out.",
    ]
    if settings["weights"]:
        words.append("Estimates are weighted, numbers of persons are not.")
    if settings.get("few_clusters"):
        words.append("Clusters are few: limits are too narrow.")
    if conditional is not None:
        words.append("The curve is 1 where it starts: nothing is said of earlier deaths.")
    return " ".join(words)
