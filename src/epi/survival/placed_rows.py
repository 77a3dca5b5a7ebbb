"""Risk sets: rows in the order of their strata and exits, placed on the event days.

Whole days make a row's time at risk a range of event days. Rows are sorted once by stratum and exit; sums over risk
sets are then cumulated sums of the rows that leave, less those that have yet to enter.

Rows may keep a part of their weight after their exit, one that changes with time alike for all rows of a stratum:
those with a competing event in a model of the subdistribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Ties = Literal["efron", "breslow"]
CHUNK = 4_096
"""Rows of a product at a time: few enough to stay in a processor's cache."""
GATHERED = 4
"""Columns brought into order together."""
FEW_STRATA = 32


@dataclass(frozen=True, eq=False)
class Tail:
    """Weight that rows keep after their exit.

    Parameters
    ----------
    base : numpy.ndarray, shape (rows,)
        Part of the weight kept, before the factor of the day; 0 for rows that leave.
    factor : numpy.ndarray, shape (slots,)
        Factor of each event day.
    """

    base: NDArray[np.float64]
    factor: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Rows in the order of strata and exits, placed on the event days.

    Each stratum has a slot for each of its event days, in order, and one after the last. A row is at
    risk in the slots from ``start`` to before ``stop``.

    Parameters
    ----------
    order : numpy.ndarray of int64, shape (rows,)
        Position in the data of each sorted row.
    x : numpy.ndarray, shape (rows, columns)
        Covariates less ``centre``, over ``scale``.
    centre, scale : numpy.ndarray, shape (columns,)
        What was taken away, and the power of two it was divided by.
    weight : numpy.ndarray or None
        Weight of each sorted row.
    start, stop : numpy.ndarray of int32, shape (rows,)
        Slots at risk.
    dead : numpy.ndarray of int64, shape (events,)
        Sorted rows with the event, in order.
    dead_slot : numpy.ndarray of int64, shape (events,)
        Their slots.
    fraction : numpy.ndarray, shape (events,)
        f of each term of the likelihood.
    mean_weight : numpy.ndarray, shape (slots,)
        Mean weight of the slot's events; 0 where there are none.
    events : numpy.ndarray of int64, shape (slots,)
        Number of events.
    day : numpy.ndarray of int64, shape (slots,)
        Day of each slot; of the one after the last event day, that day again.
    stratum : numpy.ndarray of int64, shape (slots,)
        Stratum of each slot.
    first : numpy.ndarray of int64, shape (strata + 1,)
        First slot of each stratum.
    entering : numpy.ndarray of int64
        Sorted rows in the order of ``start``; empty where all are at risk from their stratum's first slot on.
    tail : Tail or None
        Weight kept after the exit.
    """

    order: NDArray[np.int64]
    x: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    start: NDArray[np.int32]
    stop: NDArray[np.int32]
    dead: NDArray[np.int64]
    dead_slot: NDArray[np.int64]
    fraction: NDArray[np.float64]
    mean_weight: NDArray[np.float64]
    events: NDArray[np.int64]
    day: NDArray[np.int64]
    stratum: NDArray[np.int64]
    first: NDArray[np.int64]
    entering: NDArray[np.int64]
    tail: Tail | None = None

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.day)

    def cumulate(self, values: NDArray[np.float64], reverse: bool = False) -> NDArray[np.float64]:
        """Cumulate slots within strata, each included.

        Parameters
        ----------
        values : numpy.ndarray, shape (slots, ...)
            What to add up.
        reverse : bool, optional
            From the last slot on.

        Returns
        -------
        numpy.ndarray
            Sums, of the same shape.
        """
        if len(self.first) - 1 > FEW_STRATA:
            frame = pd.DataFrame(values[::-1] if reverse else values)
            sums = frame.groupby(self.stratum[::-1] if reverse else self.stratum, sort=False).cumsum().to_numpy()
            return np.asarray((sums[::-1] if reverse else sums).reshape(values.shape), dtype=np.float64)
        found = np.empty_like(values)
        for low, high in zip(self.first[:-1], self.first[1:], strict=True):
            if reverse:
                np.cumsum(values[low:high][::-1], axis=0, out=found[low:high][::-1])
            else:
                np.cumsum(values[low:high], axis=0, out=found[low:high])
        return found

    def before(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cumulate slots within strata, each left out.

        Parameters
        ----------
        values : numpy.ndarray, shape (slots, ...)
            What to add up.

        Returns
        -------
        numpy.ndarray
            Sums of the slots before.
        """
        sums = self.cumulate(values)
        found = np.zeros_like(sums)
        found[1:] = sums[:-1]
        found[self.first[:-1]] = 0.0
        return found

    def chunks(self) -> Iterator[slice]:
        """Cut the rows into pieces that stay in cache.

        Yields
        ------
        slice
            Sorted rows.
        """
        for low in range(0, len(self.order), CHUNK):
            yield slice(low, min(low + CHUNK, len(self.order)))


def place_days(
    stratum: NDArray[np.int64] | None, entry: NDArray[np.int64], exit_: NDArray[np.int64], event: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Turn days into slots.

    Parameters
    ----------
    stratum : numpy.ndarray of int64 or None
        Number of each row's stratum, from 0, none left out.
    entry, exit_ : numpy.ndarray of int64
        Days.
    event : numpy.ndarray of bool
        Rows that end with the event.

    Returns
    -------
    start, stop : numpy.ndarray of int32, shape (rows,)
        Slots at risk.
    day, slot_stratum : numpy.ndarray of int64, shape (slots,)
        Day and stratum of each slot.
    first : numpy.ndarray of int64, shape (strata + 1,)
        First slot of each stratum.
    """
    low, high = int(entry.min()), int(exit_.max())
    span = high - low + 1
    strata = 1 if stratum is None else int(stratum.max()) + 1
    placed = exit_[event] - low if stratum is None else stratum[event] * span + (exit_[event] - low)
    if strata * span <= 4 * len(exit_) + 100_000:
        seen = np.zeros(strata * span, dtype=bool)
        seen[placed] = True
        keys = np.flatnonzero(seen)
        # Event days until each day included, so that a row is placed by reading a table.
        until = np.concatenate([[0], np.cumsum(seen)]).astype(np.int32)

        def place(days: NDArray[np.int64]) -> NDArray[np.int32]:
            at = days - low if stratum is None else stratum * span + (days - low)
            found = until[at + 1]
            return found if stratum is None else (found + stratum).astype(np.int32)
    else:
        keys = np.unique(placed)

        def place(days: NDArray[np.int64]) -> NDArray[np.int32]:
            at = days - low if stratum is None else stratum * span + (days - low)
            found = np.searchsorted(keys, at, side="right")
            return (found if stratum is None else found + stratum).astype(np.int32)

    of = keys // span
    count = np.bincount(of, minlength=strata)
    first = np.concatenate([[0], np.cumsum(count + 1)]).astype(np.int64)
    slot_stratum = np.repeat(np.arange(strata), count + 1)
    day = np.full(first[-1], low, dtype=np.int64)
    slots = np.arange(len(keys)) + of
    day[slots] = keys % span + low
    ends = first[1:] - 1
    day[ends[count > 0]] = day[ends[count > 0] - 1]
    start, stop = place(entry), place(exit_)
    return start, stop, day, slot_stratum.astype(np.int64), first


def sort_rows(
    stop: NDArray[np.int32], event: NDArray[np.bool_], columns: list[NDArray[np.float64]],
    others: list[NDArray[np.int64]],
) -> NDArray[np.int64]:  # fmt: skip
    """Sort rows by slot, equal ones by what they hold: sums are then the same whatever order rows came in.

    Rows with the event come first of their slot, side by side.

    Parameters
    ----------
    stop : numpy.ndarray of int32
        Slot of the exit.
    event : numpy.ndarray of bool
        Rows with the event.
    columns : list of numpy.ndarray of float64
        Covariates, weights.
    others : list of numpy.ndarray of int64
        Entry, exit, and what else tells rows apart.

    Returns
    -------
    numpy.ndarray of int64
        Positions.
    """
    # A fingerprint of the row's bits.
    size = len(stop)
    mark = np.zeros(size, dtype=np.uint64)
    words = [*(column.view(np.uint64) for column in columns), *(other.view(np.uint64) for other in others)]
    held = np.empty(CHUNK, dtype=np.uint64)
    for low in range(0, size, CHUNK):
        # All columns of a few rows, which stay in cache: column by column the marks would be fetched each time.
        some = mark[low : low + CHUNK]
        high = held[: len(some)]
        for values in words:
            some ^= values[low : low + CHUNK]
            some *= np.uint64(0x9E3779B97F4A7C15)
            np.right_shift(some, np.uint64(29), out=high)
            some ^= high
    mark >>= np.uint64(1)
    mark[~event] |= np.uint64(1 << 63)
    # Slot, as much of the fingerprint as there is room for, and the row's number in one word: sorting words is quick.
    number = max(size - 1, 1).bit_length()
    room = 64 - number - int(stop.max(initial=0)).bit_length()
    key = stop.astype(np.uint64)
    key <<= np.uint64(room)
    key |= mark >> np.uint64(64 - room)
    key <<= np.uint64(number)
    key |= np.arange(size, dtype=np.uint64)
    key.sort()
    order = (key & np.uint64((1 << number) - 1)).astype(np.int64)
    key >>= np.uint64(number)
    same = key[1:] == key[:-1]
    if same.any():
        # Rows that agree so far are put in order by their whole fingerprint.
        alike = np.zeros(size, dtype=bool)
        alike[1:] |= same
        alike[:-1] |= same
        places = np.flatnonzero(alike)
        rows = order[places]
        order[places] = rows[np.lexsort((mark[rows], key[places]))]
    return order


def build_risk_sets(
    x: list[NDArray[np.float64]], entry: NDArray[np.int64], exit_: NDArray[np.int64], event: NDArray[np.bool_],
    *, stratum: NDArray[np.int64] | None = None, weight: NDArray[np.float64] | None = None, ties: Ties = "efron",
    unit: NDArray[np.int64] | None = None,
) -> RiskSets:  # fmt: skip
    """Sort rows and place them on the event days.

    Parameters
    ----------
    x : list of numpy.ndarray of float64
        Columns of the design, complete.
    entry, exit_ : numpy.ndarray of int64
        Days, at risk on (entry, exit].
    event : numpy.ndarray of bool
        Rows that end with the event.
    stratum : numpy.ndarray of int64, optional
        Number of the stratum, from 0, none left out.
    weight : numpy.ndarray, optional
        Weight of each row.
    ties : {"efron", "breslow"}, optional
        How events of one day are taken.
    unit : numpy.ndarray of int64, optional
        Cluster of each row, which tells equal rows apart.

    Returns
    -------
    RiskSets
        Everything the likelihood needs.
    """
    start, stop, day, slot_stratum, first = place_days(stratum, entry, exit_, event)
    others = [start.astype(np.int64), exit_.astype(np.int64, copy=False)]
    if unit is not None:
        others.append(unit.astype(np.int64))
    order = sort_rows(stop, event, [*x, *([] if weight is None else [weight])], others)
    start, stop = start[order], stop[order]
    weight = None if weight is None else weight[order]
    size = len(order)
    sorted_x = np.empty((size, len(x)))
    centre, scale = np.zeros(len(x)), np.ones(len(x))
    for at, column in enumerate(x):
        mean = float(column.mean())
        square = float(column @ column) / size - mean**2
        # A spread that is small beside the mean is lost in this difference.
        spread = np.sqrt(square) if square > 1e-6 * mean**2 else float(np.std(column))
        # A power of two rounds nothing; a round centre is the same whatever the order of rows.
        scale[at] = 2.0 ** np.round(np.log2(spread)) if spread > 0 else 1.0
        centre[at] = np.round(mean / scale[at] * 64) / 64 * scale[at]
    for left in range(0, len(x), GATHERED):
        # Side by side, so that a row is fetched at once; a few columns at a time, so that little is held twice.
        some = slice(left, min(left + GATHERED, len(x)))
        together = np.empty((size, some.stop - left))
        for low in range(0, size, CHUNK):
            for at, column in enumerate(x[some]):
                together[low : low + CHUNK, at] = column[low : low + CHUNK]
        for low in range(0, size, CHUNK):
            piece = together.take(order[low : low + CHUNK], axis=0)
            piece -= centre[some]
            np.divide(piece, scale[some], out=sorted_x[low : low + CHUNK, some])
    del together
    dead = np.flatnonzero(event[order])
    # An event happens in the last slot of the row's time at risk.
    dead_slot = stop[dead].astype(np.int64) - 1
    slots = len(day)
    events = np.bincount(dead_slot, minlength=slots).astype(np.int64)
    heavy = events.astype(np.float64) if weight is None else np.bincount(dead_slot, weight[dead], slots)
    mean_weight = np.divide(heavy, events, out=np.zeros(slots), where=events > 0)
    rank = np.arange(len(dead)) - (np.cumsum(events) - events)[dead_slot]
    fraction = rank / events[dead_slot] if ties == "efron" else np.zeros(len(dead))
    late = bool((start > first[slot_stratum[start]]).any())
    entering = np.argsort(start, kind="stable").astype(np.int64) if late else np.empty(0, dtype=np.int64)
    return RiskSets(
        order, sorted_x, centre, scale, weight, start, stop, dead, dead_slot, fraction, mean_weight, events, day,
        slot_stratum, first, entering,
    )  # fmt: skip


def exposure(sets: RiskSets, hazard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulate a hazard over each row's time at risk.

    Parameters
    ----------
    sets : RiskSets
        Rows and slots.
    hazard : numpy.ndarray, shape (slots,)
        Hazard of each event day.

    Returns
    -------
    numpy.ndarray, shape (rows,)
        What each sorted row has gone through.
    """
    before = sets.before(hazard)
    # Rows are in the order of their last slot.
    bounds = np.searchsorted(sets.stop, np.arange(sets.slots + 1, dtype=np.int32))
    found = np.repeat(before, np.diff(bounds))
    if len(sets.entering):
        found -= before[sets.start]
    if sets.tail is not None:
        ahead = sets.cumulate(hazard * sets.tail.factor, reverse=True)
        found += sets.tail.base * ahead[sets.stop]
    return found


def quadratic_sum(sets: RiskSets, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give X' diag(values) X.

    Parameters
    ----------
    sets : RiskSets
        Rows.
    values : numpy.ndarray, shape (rows,)
        Any numbers.

    Returns
    -------
    numpy.ndarray, shape (columns, columns)
        The sum of products.
    """
    total = np.zeros((sets.x.shape[1], sets.x.shape[1]))
    held = np.empty((CHUNK, sets.x.shape[1]))
    for rows in sets.chunks():
        piece = held[: rows.stop - rows.start]
        np.multiply(sets.x[rows], values[rows, None], out=piece)
        # Two arrays, not one with itself: BLAS would share so small a symmetric product out among threads that wait.
        total += sets.x[rows].T @ piece
    return (total + total.T) / 2
