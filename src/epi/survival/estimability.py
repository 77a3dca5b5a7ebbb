"""Can these hazard ratios be estimated? Columns that are constant, alike, or that separate those with events.

A likelihood without a maximum gives numbers that look like results. It is refused, by column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError
from epi.stats.design import INFLATION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.partial_likelihood import Likelihood, Maximum
    from epi.survival.placed_rows import RiskSets

EXPECTED = "columns that vary among those at risk, are not combinations of each other, and do not foretell every event"
DO = "leave out, rescale or group the named columns"


def refuse(model: str, faults: Sequence[str], expected: str = EXPECTED, do: str = DO) -> None:
    """Raise all faults at once.

    Parameters
    ----------
    model : str
        What is fitted.
    faults : sequence of str
        Sentences; nothing happens where there are none.
    expected, do : str, optional
        What was expected, and what to do.

    Raises
    ------
    EstimationError
        If there is a fault.
    """
    if len(faults) == 1:
        raise EstimationError(f"{model} cannot be fitted: {faults[0]}", expected, do)
    if faults:
        raise EstimationError(f"{model} cannot be fitted for {len(faults)} reasons", expected, do, faults=faults)


def check_columns(names: Sequence[str], columns: Sequence[NDArray[np.float64]], event: NDArray[np.bool_]) -> list[str]:
    """List columns that are constant, or have all events at one end.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    columns : sequence of numpy.ndarray
        Columns of the design, of rows at risk.
    event : numpy.ndarray of bool
        Rows with the event.

    Returns
    -------
    list of str
        One sentence for each fault.
    """
    faults = []
    rows = np.flatnonzero(event)
    for name, column in zip(names, columns, strict=True):
        low, high = float(column.min()), float(column.max())
        if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
            faults.append(f"{name!r} is constant")
            continue
        struck = column.take(rows)
        if struck.min() == high or struck.max() == low:
            end = "highest" if struck.min() == high else "lowest"
            levels = len(np.unique(column[:10_000])) <= 2
            words = f"all events are at its {'value ' + format(float(struck[0]), 'g') if levels else end + ' value'}"
            faults.append(f"{name!r}: {words}, so that its hazard ratio is zero or infinite")
    return faults


def check_information(names: Sequence[str], null: Likelihood) -> list[str]:
    """List columns that do not vary in risk sets, or are combinations of those before.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    null : Likelihood
        At no effect.

    Returns
    -------
    list of str
        One sentence for each fault.
    """
    information = null.information
    spread = np.diag(information)
    # Rounding leaves about 1e-16 of the sums that were taken from one another.
    still = spread <= 1e-11 * max(float(np.abs(spread).max()), 1e-300)
    faults = [
        f"{names[at]!r} does not vary among those at risk when events happen" for at in np.flatnonzero(still).tolist()
    ]
    kept: list[int] = []
    for at in np.flatnonzero(~still).tolist():
        if kept:
            inner = information[np.ix_(kept, kept)]
            across = information[kept, at]
            weights = np.linalg.lstsq(inner, across, rcond=None)[0]
            rest = float(spread[at] - weights @ across) / float(spread[at])
            if rest < 1 / INFLATION:
                size = np.abs(weights) * np.sqrt(spread[kept])
                culprits = [repr(names[k]) for k, one in zip(kept, size, strict=True) if one > 0.02 * size.max()]
                nearly = "" if rest < 1e-11 else "nearly "
                faults.append(f"{names[at]!r} is {nearly}a linear combination of {', '.join(culprits)} in risk sets")
                continue
        kept.append(at)
    return faults


def check_separation(names: Sequence[str], sets: RiskSets, beta: NDArray[np.float64]) -> list[str]:
    """Refuse a maximum that lies so far out that its risks foretell every event: the search ended on rounding.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    sets : RiskSets
        Rows and slots.
    beta : numpy.ndarray, shape (columns,)
        Coefficients of the scaled columns.

    Returns
    -------
    list of str
        One sentence, or none.
    """
    # Of scaled columns 15 is a ratio of three millions for a standard deviation.
    if np.abs(beta).max(initial=0.0) < 15 or not _foretells(sets, sets.x @ beta, 1e-6):
        return []
    large = np.abs(beta) > 0.02 * np.abs(beta).max()
    culprits = ", ".join(repr(name) for name, there in zip(names, large, strict=True) if there)
    return [f"{culprits} foretell{'s' if large.sum() == 1 else ''} every event, so that no ratio is finite"]


def explain_divergence(names: Sequence[str], sets: RiskSets, found: Maximum) -> str:
    """Say which columns make the likelihood rise for ever.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    sets : RiskSets
        Rows and slots.
    found : Maximum
        A search that ended without a maximum.

    Returns
    -------
    str
        One sentence.
    """
    direction = np.zeros(len(names)) if found.direction is None else found.direction
    for at, name in enumerate(names):
        for sign, end in ((1.0, "highest"), (-1.0, "lowest")):
            if _foretells(sets, sign * sets.x[:, at]):
                return (
                    f"events always happen to those with the {end} {name!r} at risk, "
                    "so that its hazard ratio is zero or infinite"
                )
    large = np.abs(direction) > 0.02 * np.abs(direction).max(initial=0)
    culprits = ", ".join(repr(name) for name, there in zip(names, large, strict=True) if there)
    if _foretells(sets, sets.x @ np.where(large, direction, 0.0), 1e-4):
        return f"{culprits} together foretell every event, so that no hazard ratio of theirs is finite"
    return f"the likelihood rises without end, or too slowly to be followed, along {culprits}"


def _foretells(sets: RiskSets, score: NDArray[np.float64], tolerance: float = 0.0) -> bool:
    """Tell whether nobody at risk exceeds those with the event, on any event day."""
    highest = np.full(sets.slots, -np.inf)
    slack = tolerance * float(np.ptp(score))
    lowest = np.full(sets.slots, np.inf)
    np.minimum.at(lowest, sets.dead_slot, score[sets.dead])
    late = sets.start > sets.first[sets.stratum[np.minimum(sets.start, sets.slots - 1)]]
    early = ~late & (sets.start < sets.stop)
    last = sets.stop[early].astype(np.int64) - 1
    np.maximum.at(highest, last, score[early])
    for low, high in zip(sets.first[:-1], sets.first[1:], strict=True):
        highest[low:high] = np.maximum.accumulate(highest[low:high][::-1])[::-1]
    days = np.flatnonzero(sets.events > 0)
    if (highest[days] > lowest[days] + slack).any():
        return False
    # Those who enter late are looked at by value, the highest first: each raises a range of days.
    rows = np.flatnonzero(late & (sets.start < sets.stop))
    if len(rows):
        worst = _RangeMinimum(np.where(sets.events > 0, lowest, np.inf))
        if (score[rows] > worst.between(sets.start[rows], sets.stop[rows]) + slack).any():
            return False
    varies = highest[days] > -np.inf
    return bool(varies.any())


class _RangeMinimum:
    """Minima of ranges of slots, by doubling."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.levels = [values]
        width = 1
        while 2 * width <= len(values):
            last = self.levels[-1]
            self.levels.append(np.minimum(last[:-width], last[width:]))
            width *= 2

    def between(self, low: NDArray[np.int32], high: NDArray[np.int32]) -> NDArray[np.float64]:
        """Give the minimum of each range [low, high)."""
        length = (high - low).astype(np.int64)
        power = np.floor(np.log2(length)).astype(np.int64)
        found = np.empty(len(low))
        for at in np.unique(power):
            these = power == at
            level = self.levels[at]
            found[these] = np.minimum(level[low[these]], level[high[these] - 2**at])
        return found
