"""Where members lived and when: histories checked, then cut to the window of each member."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.errors import DataError, ParameterError
from epi.exposure.periods import NO_DAY, Days, to_days
from epi.geography import to_current
from epi.geography.codes import check_codes, distinct_codes

COLUMNS = ("patient_id", "insee_code", "valid_from", "valid_to")
FOR_EVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Stays:
    """Stays of members within their windows, sorted by member, then by date.

    Parameters
    ----------
    member : numpy.ndarray of int
        Row of the member.
    place : numpy.ndarray of int
        Position of the commune; -1 where it is not a commune of today, or not known.
    start, end : numpy.ndarray of int
        First day, and first day after.
    proxy : numpy.ndarray of bool
        Whether the residence at the index date stands for one that is not known.
    """

    member: NDArray[np.int64]
    place: NDArray[np.int64]
    start: Days
    end: Days
    proxy: NDArray[np.bool_]

    @property
    def days(self) -> Days:
        """Days of each stay."""
        return self.end - self.start


def check_residences(residences: pd.DataFrame) -> pd.DataFrame:
    """Check a table of residences, all faults at once, and bring its codes to communes of today.

    Parameters
    ----------
    residences : pandas.DataFrame
        ``patient_id``, ``insee_code`` (as recorded; missing or abroad where it is known that there is none in
        France), ``valid_from`` (first day) and ``valid_to`` (first day after: the day of the move; missing while
        the person still lives there).

    Returns
    -------
    pandas.DataFrame
        Sorted by patient and date: ``patient_id``, ``insee_code`` (today's, or missing), ``start`` and ``end`` in
        days since 1970-01-01.

    Raises
    ------
    DataError
        If columns, patients or dates are missing, a stay ends before it begins, or two stays of a
        patient overlap; rows are counted.
    GeographyError
        If codes are badly written.

    Examples
    --------
    >>> moves = pd.DataFrame({"patient_id": ["a", "a"], "insee_code": ["38185", "69123"],
    ...     "valid_from": ["2000-01-01", "2010-06-01"], "valid_to": ["2010-06-01", None]})
    >>> check_residences(moves)["insee_code"].tolist()
    ['38185', '69123']
    """
    if not isinstance(residences, pd.DataFrame):
        raise ParameterError(f"residences are a {type(residences).__name__}", f"a frame of {', '.join(COLUMNS)}")
    lacking = [name for name in COLUMNS if name not in residences.columns]
    if lacking:
        raise DataError(f"the residences have no {', '.join(lacking)}", ", ".join(COLUMNS))
    read = distinct_codes(residences["insee_code"])
    check_codes(read)
    start = to_days(residences["valid_from"], "valid_from")
    end = to_days(residences["valid_to"], "valid_to")
    end[end == NO_DAY] = FOR_EVER
    today = to_current(read.raw, on_fault="mark")["insee_code"]
    table = pd.DataFrame(
        {
            "patient_id": residences["patient_id"].to_numpy(),
            "insee_code": read.spread(today.astype(object).where(today.notna(), None)),
            "start": start,
            "end": end,
        }
    ).sort_values(["patient_id", "start", "end"], kind="stable", ignore_index=True)
    same = table["patient_id"].eq(table["patient_id"].shift())
    tests = {
        "have no patient_id": table["patient_id"].isna(),
        "have no valid_from": table["start"] == NO_DAY,
        "end on or before the day they begin": (table["end"] <= table["start"]) & (table["start"] != NO_DAY),
        "begin before the patient's previous one has ended": same & (table["start"] < table["end"].shift()),
    }
    faults = [f"{int(rows.sum()):,} of {len(table):,} stays {words}" for words, rows in tests.items() if rows.any()]
    if faults:
        raise DataError(
            "the residences cannot be used",
            "stays that follow one another; valid_to is the day of the move",
            faults=faults,
        )
    return table


def cut_stays(
    keys: pd.Series | None, home: NDArray[np.int64], first: Days, after: Days, residences: pd.DataFrame | None,
    places: pd.Index,
) -> Stays:  # fmt: skip
    """Cut histories to windows, and let the residence at the index date stand where there is none.

    Parameters
    ----------
    keys : pandas.Series or None
        Identifier of each member, unique; None without histories.
    home : numpy.ndarray of int
        Position of the commune at the index date, -1 where unknown.
    first, after : numpy.ndarray of int
        Window of each member; ``NO_DAY`` for a member without index date, who gets no stay.
    residences : pandas.DataFrame or None
        As :func:`check_residences` gives them; None when nothing is known of earlier ones.
    places : pandas.Index
        Communes, in the order of their positions.

    Returns
    -------
    Stays
        Each window is covered, day by day, once.
    """
    rows = np.flatnonzero(first != NO_DAY)
    if residences is None or keys is None:
        return Stays(rows, home[rows], first[rows], after[rows], np.ones(len(rows), dtype=bool))
    member = pd.Index(keys).get_indexer(pd.Index(residences["patient_id"]))
    start, end = residences["start"].to_numpy(), residences["end"].to_numpy()
    kept = (member >= 0) & (first[member] != NO_DAY)
    kept &= (start < after[member]) & (end > first[member])
    member, start, end = member[kept], start[kept], end[kept]
    place = places.get_indexer(pd.Index(residences["insee_code"].to_numpy()[kept]))
    order = np.lexsort((start, member))
    member, place = member[order], place[order]
    start = np.maximum(start[order], first[member])
    end = np.minimum(end[order], after[member])
    # What lies before the first stay of a member, between two, and after the last.
    head = np.r_[True, np.diff(member) != 0] if len(member) else np.zeros(0, dtype=bool)
    previous = np.where(head, first[member], np.r_[NO_DAY, end[:-1]][: len(end)])
    before = start > previous
    tail = np.r_[head[1:], True] if len(member) else head
    last = tail & (end < after[member])
    alone = rows[~np.isin(rows, member)]
    whole = Stays(
        np.concatenate([member, member[before], member[last], alone]),
        np.concatenate([place, home[member[before]], home[member[last]], home[alone]]),
        np.concatenate([start, previous[before], end[last], first[alone]]),
        np.concatenate([end, start[before], after[member[last]], after[alone]]),
        np.repeat([False, True], [len(member), int(before.sum() + last.sum()) + len(alone)]),
    )
    order = np.lexsort((whole.start, whole.member))
    return Stays(*(getattr(whole, name)[order] for name in ("member", "place", "start", "end", "proxy")))
