"""What the general population would do among those at risk, day by day, without going through each day of each person.

A person's hazard is constant between birthdays and New Years, so that the weight exp(H) grows by the same
factor 1 + g each day of such a piece. The sum of the weights of all persons is then a sum of geometric
series, which Newton's binomial turns into a few repeated cumulative sums over days:
(1 + g)^j = C(j, 0) + C(j, 1) g + C(j, 2) g^2 + ... Pieces end at blocks of days, so that no rounding error
travels far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.life_table import LifeTable

BLOCK = 256
"""Days over which cumulative sums run before they start anew."""
_NEGLIGIBLE = 1e-17


@dataclass(frozen=True)
class Expected:
    """Sums over those at risk, for days ``first`` + 1, ``first`` + 2, ...

    Parameters
    ----------
    first : int
        Day before the first one.
    weights : numpy.ndarray of float64, shape (days,)
        Sum of the weights at the beginning of each day, over those at risk on it.
    growth : numpy.ndarray of float64, shape (days,)
        By how much that sum grows over the day.
    hazards : numpy.ndarray of float64, shape (days,)
        Sum of the hazards, without weights: expected deaths of each day.
    final : numpy.ndarray of float64, shape (persons,)
        Cumulative hazard of each person from the origin to the end of follow-up.
    """

    first: int
    weights: NDArray[np.float64]
    growth: NDArray[np.float64]
    hazards: NDArray[np.float64]
    final: NDArray[np.float64]

    @property
    def at_end(self) -> NDArray[np.float64]:
        """Sum of the weights at the end of each day, over those at risk on it."""
        return self.weights + self.growth


def sum_weights(
    table: LifeTable, position: NDArray[np.int64], birth: NDArray[np.int64], origin: NDArray[np.int64],
    entry: NDArray[np.int64], exit: NDArray[np.int64], *,
    sign: Literal[1, -1] = 1,
) -> Expected:  # fmt: skip
    """Sum exp(H) over those at risk on each day, H being each person's expected hazard since the origin.

    Parameters
    ----------
    table : LifeTable
        Mortality of the population.
    position : numpy.ndarray of int64
        Rows of the table.
    birth, origin : numpy.ndarray of int64
        Calendar days of birth and of time zero.
    entry, exit : numpy.ndarray of int64
        Days since time zero: at risk on (entry, exit].
    sign : {1, -1}, optional
        1 for weights one over expected survival, -1 for expected survival itself.

    Returns
    -------
    Expected
        Weights and their growth, by day.
    """
    first = int(entry.min())
    days = int(exit.max()) - first
    size = -(-days // BLOCK) * BLOCK
    start = origin + np.minimum(entry, 0)
    begin = np.zeros(len(birth))
    # The weights rest on the time since the origin, not since entry: who entered late survived until then.
    for rows, _, step, hazard in table.walk(position, birth, start, origin + entry):
        begin[rows] += hazard * step
    cumulative = begin
    pieces: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
    zero = origin + first
    for rows, day, step, hazard in table.walk(position, birth, origin + entry, origin + exit, (zero, BLOCK)):
        pieces.append((day - zero[rows], step, hazard, cumulative[rows]))
        cumulative[rows] += hazard * step
    at, step, hazard, before = (np.concatenate(column) for column in zip(*pieces, strict=True))
    growth = np.expm1(sign * hazard)
    weight = np.exp(sign * before)
    after = np.exp(sign * (before + hazard * step))
    stop = at + step
    inside = np.flatnonzero(stop % BLOCK)  # a piece that ends with its block has nothing to take away after it
    gone, after = stop[inside], after[inside]
    factor = growth[inside]
    terms = _terms(float(np.abs(growth).max()), int(step.max()))
    impulses = []
    for _ in range(terms):
        impulse = np.bincount(at, weight, size)
        impulse -= np.bincount(gone, after, size)
        impulses.append(impulse.reshape(-1, BLOCK))
        weight *= growth
        after *= factor
    usual = np.bincount(at, hazard, size) - np.bincount(stop[inside], hazard[inside], size)
    inner = np.zeros((size // BLOCK, BLOCK))
    grown = inner
    for impulse in reversed(impulses):
        grown = inner
        shifted = np.zeros_like(inner)
        shifted[:, 1:] = inner[:, :-1]
        inner = np.cumsum(impulse + shifted, axis=1)
    hazards = np.cumsum(usual.reshape(-1, BLOCK), axis=1).ravel()[:days]
    return Expected(first, inner.ravel()[:days], grown.ravel()[:days], hazards, cumulative)


def sum_hazards(
    table: LifeTable, position: NDArray[np.int64], birth: NDArray[np.int64], origin: NDArray[np.int64],
    entry: NDArray[np.int64], exit: NDArray[np.int64],
) -> NDArray[np.float64]:  # fmt: skip
    """Sum the hazards of those at risk on each day.

    Parameters
    ----------
    table : LifeTable
        Mortality of the population.
    position : numpy.ndarray of int64
        Rows of the table.
    birth, origin : numpy.ndarray of int64
        Calendar days of birth and of time zero.
    entry, exit : numpy.ndarray of int64
        Days since time zero: at risk on (entry, exit].

    Returns
    -------
    numpy.ndarray of float64
        Expected deaths of each day, from the day after the first entry to the last exit.
    """
    first = int(entry.min())
    days = int(exit.max()) - first
    size = -(-days // BLOCK) * BLOCK
    total = np.zeros(size)
    zero = origin + first
    for rows, day, step, hazard in table.walk(position, birth, origin + entry, origin + exit, (zero, BLOCK)):
        at = day - zero[rows]
        stop = at + step
        inside = stop % BLOCK > 0
        total += np.bincount(at, hazard, size) - np.bincount(stop[inside], hazard[inside], size)
    return np.asarray(np.cumsum(total.reshape(-1, BLOCK), axis=1).ravel()[:days], dtype=np.float64)


def _terms(growth: float, longest: int) -> int:
    """Count the terms of the binomial that matter: at least two, for a weight and its growth."""
    reach, size, terms = growth * longest, 1.0, 1
    while size > _NEGLIGIBLE and terms < longest:
        size *= reach / terms
        terms += 1
    return max(terms, 2)
