"""Counts by day of time: whole days make every estimator of a curve a matter of counting.

One pass over the rows, whatever their order: who enters, who leaves, with what event. Numbers at
risk are differences of cumulated counts. Without weights everything is a whole number, so no order
of rows can change a last digit; with weights rows are brought to a stated order first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData


@dataclass(frozen=True)
class DayCounts:
    """What happens on each day, by group.

    Parameters
    ----------
    first : int
        Day of the first column.
    events : numpy.ndarray of int64, shape (groups, days, causes)
        Events on each day.
    at_risk : numpy.ndarray of int64, shape (groups, days)
        Rows with entry < day <= exit.
    entered : numpy.ndarray of int64, shape (groups, days)
        Persons who come at risk after the day; pieces that follow one another are one stay.
    left : numpy.ndarray of int64, shape (groups, days)
        Persons who leave on the day, with or without an event.
    weighted_events, weighted_at_risk : numpy.ndarray of float64
        The same, weighted; the counts themselves where there are no weights.
    """

    first: int
    events: NDArray[np.int64]
    at_risk: NDArray[np.int64]
    entered: NDArray[np.int64]
    left: NDArray[np.int64]
    weighted_events: NDArray[np.float64]
    weighted_at_risk: NDArray[np.float64]

    @property
    def days(self) -> NDArray[np.int64]:
        """Day of each column."""
        return np.arange(self.first, self.first + self.at_risk.shape[1], dtype=np.int64)


def count_days(data: SurvivalData, group: NDArray[np.int64] | None = None, groups: int = 1) -> DayCounts:
    """Count what happens on each day.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    group : numpy.ndarray of int64, optional
        Group of each row, from 0.
    groups : int, optional
        Number of groups.

    Returns
    -------
    DayCounts
        Counts from the first entry to the last exit.
    """
    low, high = int(data.entry.min()), int(data.exit.max())
    days, states = high - low + 1, len(data.causes) + 1
    start = _place(data.entry, low, group, days)
    stop = _place(data.exit, low, group, days)
    code = stop * states
    code += data.event
    ends = np.bincount(code, minlength=groups * days * states).reshape(groups, days, states)
    starts = np.bincount(start, minlength=groups * days).reshape(groups, days)
    left = ends.sum(axis=2)
    at_risk = _risk_set(starts, left)
    events, gone, come = ends[:, :, 1:], left, starts
    follows = continues(data, group)
    if follows.any():
        # The end of a piece that the same person's next piece follows at once is no end of follow-up.
        gone = left - np.bincount(stop[follows], minlength=groups * days).reshape(groups, days)
        resumed = np.flatnonzero(follows)
        come = starts - np.bincount(start[_next_rows(data)[resumed]], minlength=groups * days).reshape(groups, days)
    if data.weight is None:
        return DayCounts(low, events, at_risk, come, gone, events.astype(np.float64), at_risk.astype(np.float64))
    order = stated_order(data)
    weight = data.weight[order]
    heavy = _weigh(code[order], weight, groups * days * states).reshape(groups, days, states)
    heavy_starts = _weigh(start[order], weight, groups * days).reshape(groups, days)
    weighted = _weighted_risk_set(heavy_starts, heavy.sum(axis=2))
    return DayCounts(low, events, at_risk, come, gone, heavy[:, :, 1:], np.where(at_risk > 0, weighted, 0.0))


def _place(times: NDArray[np.int64], low: int, group: NDArray[np.int64] | None, days: int) -> NDArray[np.int64]:
    if group is None:
        return times if low == 0 else times - low
    placed = group * days
    placed += times
    if low:
        placed -= low
    return placed


def _weigh(code: NDArray[np.int64], weight: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(code, weight, size), dtype=np.float64)


def _risk_set(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count those who entered before each day and did not leave before it."""
    total = np.zeros_like(starts)
    np.cumsum((starts - ends)[:, :-1], axis=1, out=total[:, 1:])
    return total


def _weighted_risk_set(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum weights at risk, from the end of time which has less to sum: a small set keeps its digits."""
    entered, ended = np.zeros_like(starts), np.zeros_like(ends)
    np.cumsum(starts[:, :-1], axis=1, out=entered[:, 1:])
    np.cumsum(ends[:, :-1], axis=1, out=ended[:, 1:])
    to_enter = starts[:, ::-1].cumsum(axis=1)[:, ::-1]
    to_end = ends[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.where(entered < to_end, entered - ended, to_end - to_enter)


def after_days(counts: DayCounts) -> NDArray[np.int64]:
    """Count the rows at risk just after each day.

    Parameters
    ----------
    counts : DayCounts
        Counts of the groups.

    Returns
    -------
    numpy.ndarray of int64, shape (groups, days)
        Rows with entry <= day < exit.
    """
    nobody = np.zeros((len(counts.at_risk), 1), dtype=np.int64)
    return np.concatenate([counts.at_risk[:, 1:], nobody], axis=1)


def stated_order(data: SurvivalData) -> NDArray[np.int64]:
    """Give the order of rows in which weights are summed, the same whatever order they came in.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    numpy.ndarray of int64
        Positions of rows.
    """
    several = data.cluster is not None or data.persons < len(data)
    keys = [data.clusters] if several else []
    return np.lexsort((*keys, data.weights, data.event, data.entry, data.exit)).astype(np.int64)


def _sorted_rows(data: SurvivalData) -> NDArray[np.int64]:
    return np.lexsort((data.entry, data.person)).astype(np.int64)


def _next_rows(data: SurvivalData) -> NDArray[np.int64]:
    """Give the position of each row's successor among its person's rows, -1 for the last."""
    order = _sorted_rows(data)
    following = np.full(len(data), -1, dtype=np.int64)
    same = data.person[order[1:]] == data.person[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    return following


def continues(data: SurvivalData, group: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Tell the rows without an event that the same person's next row follows at once, in the same group.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    group : numpy.ndarray of int64, optional
        Group of each row.

    Returns
    -------
    numpy.ndarray of bool
        One for each row.
    """
    if data.persons == len(data):
        return np.zeros(len(data), dtype=bool)
    after = _next_rows(data)
    found = (after >= 0) & (data.event == 0) & (data.entry[after] == data.exit)
    return found if group is None else found & (group[after] == group)


def recurrences(data: SurvivalData) -> int:
    """Count the events after which the same person is at risk again.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    int
        Their number.
    """
    if data.persons == len(data):
        return 0
    return int(((_next_rows(data) >= 0) & (data.event > 0)).sum())
