"""Persons' whole stays: pieces of time that follow each other, taken together again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epi.errors import DataError
from epi.survival.risk_sets import check_first_events

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData


def first_rows(data: SurvivalData) -> NDArray[np.int64]:
    """Give the position of each person's first row.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    numpy.ndarray of int64, shape (persons,)
        Positions.
    """
    order = np.lexsort((data.entry, data.person))
    starts = np.flatnonzero(np.diff(data.person[order], prepend=-1))
    return order[starts].astype(np.int64)


def last_rows(data: SurvivalData) -> NDArray[np.int64]:
    """Give the position of each person's last row.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    numpy.ndarray of int64, shape (persons,)
        Positions.
    """
    order = np.lexsort((data.entry, data.person))
    return order[np.flatnonzero(np.diff(data.person[order], append=-1))].astype(np.int64)


def whole_stays(
    data: SurvivalData, cause: str | None, group: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Give each person one entry, one exit and what happened then.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    cause : str or None
        The event; any where None.
    group : numpy.ndarray of int64
        Group of each row.

    Returns
    -------
    entry, exit : numpy.ndarray of int64, shape (persons,)
        First entry and last exit.
    event : numpy.ndarray of bool
        Whether the event happened at the exit.
    first : numpy.ndarray of int64
        Position of each person's first row.

    Raises
    ------
    DataError
        If a person's time has gaps or lies in several groups, or a person is at risk again after the event.
    """
    check_first_events(data, cause)
    first, last = first_rows(data), last_rows(data)
    if data.persons < len(data):
        time = np.bincount(data.person, data.exit - data.entry)
        broken = int((time != data.exit[last] - data.entry[first]).sum())
        moved = int((np.bincount(data.person, group != group[first][data.person]) > 0).sum())
        faults = [f"{broken} persons are not at risk all the time between entry and exit"] if broken else []
        faults += [f"{moved} persons lie in several groups"] if moved else []
        if faults:
            raise DataError("a person's time is not one stay in one group", "one entry and one exit for each person",
                            "keep each person's first stay, and groups that do not change", faults=faults)  # fmt: skip
    return data.entry[first], data.exit[last], data.is_event(cause)[last], first
