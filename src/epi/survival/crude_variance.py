"""How deaths are shared out between the disease and other causes, and how uncertain that is.

The jackknife sums the squares of what each person moves a probability by. While a person is at risk that influence
is, for a day t, m(t) + a - F(t) g + C(t) h: m, F and C are known of the day; a, g and h, the person's hazard, stay as
they are until the next birthday or New Year. So the sum of squares over those at risk follows from sums of products of
a, g and h, and these change only where such a piece of time begins or ends. After the exit it is u - F(t) v.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.survival.stays import whole_stays

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.survival.data import SurvivalData
    from epi.survival.life_table import LifeTable

DISEASE, POPULATION = "disease", "population"
Placed = tuple["LifeTable", "NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]
"""A life table, and each row's place in it, day of birth and day of time zero."""


@dataclass(frozen=True)
class Crude:
    """Deaths shared out, on days ``first`` + 1, ``first`` + 2, ...

    Parameters
    ----------
    first : int
        Day before the first one.
    at_risk : numpy.ndarray of float64, shape (days,)
        Persons at risk; 1 where there is nobody.
    share : numpy.ndarray of float64, shape (days,)
        Deaths over persons at risk.
    parts : numpy.ndarray of float64, shape (2, days)
        The excess and the expected part of that share.
    survival : numpy.ndarray of float64, shape (days,)
        Observed survival at the end of each day.
    before : numpy.ndarray of float64, shape (days,)
        Observed survival at the beginning of each day.
    probability : numpy.ndarray of float64, shape (2, days)
        Crude probabilities of death at the end of each day: of the disease, of other causes.
    """

    first: int
    at_risk: NDArray[np.float64]
    share: NDArray[np.float64]
    parts: NDArray[np.float64]
    survival: NDArray[np.float64]
    before: NDArray[np.float64]
    probability: NDArray[np.float64]


def share_deaths(first: int, at_risk: ArrayLike, deaths: ArrayLike, hazards: ArrayLike) -> Crude:
    """Share out the deaths of each day.

    Parameters
    ----------
    first : int
        Day before the first one.
    at_risk, deaths : array-like of int, shape (days,)
        Persons at risk, and those who die.
    hazards : array-like of float, shape (days,)
        Expected deaths.

    Returns
    -------
    Crude
        Probabilities, and what they are made of.
    """
    risk, there = np.asarray(at_risk, dtype=np.float64), np.asarray(at_risk) > 0
    held = np.where(there, risk, 1.0)
    share = np.asarray(deaths, dtype=np.float64) / held
    # With nobody at risk the sum of hazards holds what rounding left of it.
    usual = np.where(there, np.asarray(hazards, dtype=np.float64), 0.0) / held
    survival = np.asarray(np.cumprod(1 - share), dtype=np.float64)
    before = np.concatenate([[1.0], survival[:-1]])
    parts = np.stack([share - usual, usual])
    return Crude(first, held, share, parts, survival, before, np.cumsum(before * parts, axis=1))


def poisson_variance(crude: Crude) -> NDArray[np.float64]:
    """Give the variance over deaths among those at risk, as relsurv does.

    Parameters
    ----------
    crude : Crude
        Deaths shared out.

    Returns
    -------
    numpy.ndarray of float64, shape (2, days)
        Variances of both probabilities.
    """
    step = crude.share / crude.at_risk
    found = []
    for reach, value in ((crude.survival, crude.probability[0]), (0.0, crude.probability[1])):
        # The square of S(s) + F(s) - F(t), expanded in F(t).
        height = reach + value
        squares, products, ones = (np.cumsum(power * step) for power in (height**2, height, np.ones_like(height)))
        found.append(squares - 2 * value * products + value**2 * ones)
    return np.maximum(np.stack(found), 0.0)


def jackknife_variance(crude: Crude, data: SurvivalData, placed: Placed) -> NDArray[np.float64]:
    """Sum the squared influences of persons on both probabilities, on each day.

    Parameters
    ----------
    crude : Crude
        Deaths shared out.
    data : SurvivalData
        Follow-up of the group.
    placed : tuple
        Life table, and place, day of birth and day of time zero of each row.

    Returns
    -------
    numpy.ndarray of float64, shape (2, days)
        Variances of both probabilities.

    Raises
    ------
    DataError
        If a person's time has gaps.
    """
    entry, exit_, died, _ = whole_stays(data, None, np.zeros(len(data), dtype=np.int64))
    enter, leave = entry - crude.first, exit_ - crude.first
    size = len(crude.share)
    # After a day on which all die observed survival is 0 and nothing moves any more.
    left = np.divide(1.0, 1 - crude.share, out=np.zeros(size), where=crude.share < 1)
    reach = crude.before / crude.at_risk
    moved = _from_zero(reach)
    fall = _from_zero(left * crude.share / crude.at_risk)
    person, start, stop, hazard, gained = _pieces(data, placed, crude.first, moved)
    from_entry, last = fall[enter], leave - 1
    at_exit = np.where(died, left[last] / crude.at_risk[last], 0.0)
    through = -(fall[leave] - from_entry) + at_exit
    # A person is counted among those at risk until the day before the last, then among those who left.
    begins, ends = start, np.minimum(stop, last[person])
    whole = np.bincount(person, gained, len(entry))
    cumulated = np.cumsum(gained) - gained
    earlier = cumulated - cumulated[np.searchsorted(person, person)]
    known = earlier - hazard * moved[start]
    day = np.arange(1, size + 1)
    found = []
    for sign, part, value, reached in (
        (-1.0, crude.parts[0], crude.probability[0], np.where(died, reach[last], 0.0)),
        (1.0, crude.parts[1], crude.probability[1], 0.0),
    ):
        drift = _from_zero(reach * part + value * left * crude.share / crude.at_risk)
        constant = -(drift[leave] - drift[enter]) + sign * whole + reached + at_exit * value[last]
        squares = [np.cumsum(np.bincount(last, term, size)) for term in
                   (constant**2, constant * through, through**2)]  # fmt: skip
        gone = squares[0] - 2 * value * squares[1] + value**2 * squares[2]
        a, g = drift[enter][person] + sign * known, from_entry[person]
        middle, rise = value * fall[day] - drift[day], sign * moved[day]
        terms = ((None, 1.0), (a, 1.0), (g, 1.0), (hazard, 1.0), (a, a), (g, g), (hazard, hazard), (a, g), (a, hazard),
                 (g, hazard))  # fmt: skip
        one, sa, sg, sh, aa, gg, hh, ag, ah, gh = (
            _running(begins, ends, np.ones(len(begins)) if x is None else x * y, size) for x, y in terms
        )
        here = (
            middle**2 * one + aa + value**2 * gg + rise**2 * hh
            + 2 * middle * (sa - value * sg + rise * sh) - 2 * value * ag + 2 * rise * (ah - value * gh)
        )  # fmt: skip
        found.append(gone + here)
    return np.maximum(np.stack(found), 0.0)


def _pieces(
    data: SurvivalData, placed: Placed, first: int, moved: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Cut persons' time where their hazard changes: person, first and last day, hazard, and what it moves."""
    table, position, birth, origin = placed
    walked = [
        (rows, day - origin[rows] - first, step, hazard)
        for rows, day, step, hazard in table.walk(position, birth, origin + data.entry, origin + data.exit)
    ]
    rows, start, step, hazard = (np.concatenate(column) for column in zip(*walked, strict=True))
    order = np.lexsort((start, data.person[rows]))
    person, start, hazard = data.person[rows][order], start[order], hazard[order]
    stop = start + step[order]
    return person, start, stop, hazard, hazard * (moved[stop] - moved[start])


def _running(
    begins: NDArray[np.int64], ends: NDArray[np.int64], term: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Sum a term over the pieces there on each day, those with begins < day <= ends."""
    change = np.bincount(begins, term, size + 1) - np.bincount(ends, term, size + 1)
    return np.asarray(np.cumsum(change)[:size], dtype=np.float64)


def _from_zero(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(steps)])
