"""Risk sets: whom a curve is of, where they are too few or empty, and from when they are enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epi.arguments import check_whole
from epi.errors import DataError, EstimationError, ParameterError
from epi.survival.counting import DayCounts, after_days, recurrences
from epi.survival.groups import ALL, By, count_groups
from epi.survival.steps import Unit, round_days, whole_days

if TYPE_CHECKING:
    import pandas as pd

    from epi.survival.data import SurvivalData


def find_start(
    data: SurvivalData, by: By, on: float | None, minimal: int, unit: Unit = "days"
) -> tuple[int, SurvivalData]:
    """Find a common start with enough persons at risk in each group, and keep what follows it.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    by : str, sequence of str or None
        Groups.
    on : float or None
        The start; the first whole month that suits all groups where None.
    minimal : int
        Persons at risk that each group needs just after the start.
    unit : {"days", "years"}, optional
        Unit of ``on``.

    Returns
    -------
    day : int
        The start.
    inside : SurvivalData
        The follow-up after it.

    Raises
    ------
    ParameterError
        If ``minimal`` is below 1.
    EstimationError
        If a group has too few persons at risk, or if its risk set empties and fills again afterwards.
    """
    minimal = check_whole("minimal", minimal, "at least 1 person at risk", least=1, do="minimal=20")
    counts, labels, _ = count_groups(data, by)
    after = after_days(counts)
    if on is None:
        # Round times only: the very day would be that of somebody's entry.
        months = round_days(counts.first, counts.first + after.shape[1] - 1, 1 / 12)
        enough = months[(after[:, months - counts.first] >= minimal).all(axis=0)]
        if not len(enough):
            most = [f"{label}: at most {int(after[at].max())}" for at, label in enumerate(labels)]
            raise EstimationError(
                f"at no time have all groups {minimal} persons at risk",
                "groups observed over a common range of times, of a month at least",
                "lower minimal=, or compare fewer groups", faults=most,
            )  # fmt: skip
        day = int(enough[0])
    else:
        day = int(whole_days([on], unit)[0])
        column = day - counts.first
        there = after[:, column] if 0 <= column < after.shape[1] else np.zeros(len(labels))
        if (there < minimal).any():
            faults = [f"{labels[at]}: {int(there[at])} at risk" for at in np.flatnonzero(there < minimal)]
            raise EstimationError(
                f"too few persons are at risk at day {day}", f"at least {minimal} in each group",
                "on=None finds the first time that suits all groups", faults=faults,
            )  # fmt: skip
    inside = data.window(low=day)
    empty = _gaps(*count_groups(inside, by)[:2])
    if empty:
        raise EstimationError(
            "the risk set empties after the start: nobody tells what happens meanwhile",
            "somebody at risk until the end of follow-up", "start later, with on=", faults=empty,
        )  # fmt: skip
    return day, inside


def risk_notes(counts: DayCounts, table: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Say where risk sets make a curve unfit to be read as it is.

    Parameters
    ----------
    counts : DayCounts
        Counts of the groups.
    table : pandas.DataFrame
        `group`, `time`, `at_risk` and `survival`.
    labels : sequence of str
        Names of the groups.

    Returns
    -------
    list of str
        Sentences: curves at 0 while others enter later, times at which nobody is at risk.
    """
    return [*_fallen(counts, table, labels), *_gaps(counts, labels)]


def focus(data: SurvivalData, cause: str | None) -> SurvivalData:
    """Turn to one cause where persons have several rows: time after another event is no new stay.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    cause : str or None
        The event; any where None.

    Returns
    -------
    SurvivalData
        The same rows; events of other causes are none where persons have several rows.
    """
    return data if cause is None or data.persons == len(data) else data.for_cause(cause)


def check_first_events(data: SurvivalData, cause: str | None = None) -> None:
    """Refuse persons who are at risk again after the event.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    cause : str, optional
        The event; any by default.

    Raises
    ------
    DataError
        If there are such persons.
    """
    if data.persons == len(data):
        return
    again = recurrences(data if cause is None else data.for_cause(cause))
    if again:
        raise DataError(
            f"after {again} events the same person is at risk again", "follow-up until the first event",
            "keep each person's rows until the first event; estimate_cumulative_hazard takes repeated events",
        )  # fmt: skip


def wants_robust(data: SurvivalData, robust: bool | None) -> bool:
    """Tell whether a variance is robust: where asked for, else with weights or clusters.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    robust : bool or None
        What was asked for.

    Returns
    -------
    bool
        True for the infinitesimal jackknife.

    Raises
    ------
    ParameterError
        If a variance that is not robust is asked for with weights or clusters.
    """
    shared = data.weight is not None or data.cluster is not None
    if robust is False and shared:
        raise ParameterError(
            "robust is False and the data have weights or clusters",
            "a variance that takes them into account", "leave robust= out, or build the data without them",
        )  # fmt: skip
    return shared if robust is None else robust


def where(label: str) -> str:
    """Name a group at the start of a sentence.

    Parameters
    ----------
    label : str
        Its name.

    Returns
    -------
    str
        Words, none where there is one group.
    """
    return "" if label == ALL else f"in group {label} "


def _gaps(counts: DayCounts, labels: Sequence[str]) -> list[str]:
    """Name the times at which nobody is at risk while somebody enters later."""
    found = []
    for at, label in enumerate(labels):
        there = np.flatnonzero(after_days(counts)[at] > 0)
        holes = np.flatnonzero(np.diff(there) > 1)
        if len(holes):
            first, last = counts.first + there[holes[0]] + 1, counts.first + there[holes[0] + 1]
            found.append(
                f"{where(label)}nobody is at risk from day {first} to day {last}"
                + (f", and at {len(holes) - 1} other times" if len(holes) > 1 else "")
                + ": the curve says nothing of what happens meanwhile"
            )
    return found


def _fallen(counts: DayCounts, table: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Name the curves that fall to 0 while others enter later."""
    found = []
    for at, label in enumerate(labels):
        rows = table[(table["group"] == label) & (table["survival"] == 0)]
        if not len(rows):
            continue
        first = rows.iloc[0]
        if counts.entered[at, int(first["time"]) - counts.first :].sum():
            found.append(
                f"{where(label)}all {int(first['at_risk'])} persons at risk on day {int(first['time'])} have the "
                "event and the curve stays at 0, though others enter later: see conditional(), which starts it where "
                "enough persons are at risk"
            )
    return found
