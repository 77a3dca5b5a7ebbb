"""Limits of a ratio whose expected number was itself estimated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from epi.errors import EstimationError
from epi.stats.intervals import Interval, ratio_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NODES = 96
"""Points of the law of the expected number's error; limits move by less than a thousandth with twice as many."""
TURNS = 60


def uncertain_ratio_interval(
    observed: ArrayLike, expected: ArrayLike, log_error: ArrayLike, *, degrees: float = math.inf, level: float = 0.95
) -> Interval:
    """Limits of observed over expected, the logarithm of the expected number having a standard error.

    Parameters
    ----------
    observed : array-like of int
        Observed events, shape (areas,).
    expected : array-like of float
        Expected events, above zero, shape (areas,).
    log_error : array-like of float
        Standard error of the logarithm of each expected number, zero or more, shape (areas,).
    degrees : float, optional
        Degrees of freedom of these errors, for Student's law; infinite for the normal one.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        The ratio, and the ratios at which the Poisson probability of as many events or more (or as few or fewer),
        averaged over the law of the expected number, is half of 1 - level. Without error they are the
        exact limits of :func:`epi.stats.intervals.ratio_interval`.

    Raises
    ------
    EstimationError
        If counts or expected numbers are at fault, an error is negative, or limits are not found.

    Notes
    -----
    The error of the expected number is taken as independent of the count, as it nearly is when many areas bear
    on it (the prior predictive tail of Box, JRSS A 1980;143:383).

    Examples
    --------
    >>> print(uncertain_ratio_interval([100], [54.07], [0.0]))
    1 intervals (Poisson, expected uncertain, 95%)
    >>> found = uncertain_ratio_interval([100], [54.07], [0.1])
    >>> f"{found.low[0]:.2f} to {found.high[0]:.2f}"
    '1.39 to 2.45'
    """
    exact = ratio_interval(observed, expected, level=level)
    estimate, low, high = (np.array(part, dtype=float) for part in (exact.estimate, exact.low, exact.high))
    count, known = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    error = np.asarray(log_error, dtype=float)
    if (error < 0).any():
        raise EstimationError("a standard error is negative", "standard errors of zero or more")
    points, weights = np.polynomial.legendre.leggauss(NODES)
    shift, share = stats.t.ppf((points + 1) / 2, degrees), weights / 2
    for limits, upper in ((low, False), (high, True)):
        rows = np.flatnonzero((error > 0) & (limits > 0) & ~np.isnan(estimate))
        if len(rows):
            limits[rows] = _solve(count[rows], known[rows], error[rows], limits[rows], shift, share, upper, level)
    return Interval(estimate, low, high, level, "Poisson, expected uncertain")


def _solve(
    count: NDArray[np.float64], known: NDArray[np.float64], error: NDArray[np.float64], start: NDArray[np.float64],
    shift: NDArray[np.float64], share: NDArray[np.float64], upper: bool, level: float,
) -> NDArray[np.float64]:  # fmt: skip
    """Follow the averaged tail, on the scale of normal quantiles where it is nearly straight, to half of 1 - level."""
    tail = (1 - level) / 2
    wanted = special.ndtri(tail)
    spread = known[:, None] * np.exp(error[:, None] * shift)
    at = np.log(start)
    # The tail falls (upper) or rises (lower) with the ratio: a bracket is kept, and halved if Newton leaves it.
    far = 2 + 40 * error
    floor, roof = at - far, at + far
    for _ in range(TURNS):
        mean = np.exp(at)[:, None] * spread
        if upper:
            chance, slope = special.gammaincc(count[:, None] + 1, mean), -1.0
            density = np.exp(special.xlogy(count[:, None] + 1, mean) - mean - special.gammaln(count[:, None] + 1))
        else:
            chance, slope = special.gammainc(count[:, None], mean), 1.0
            density = np.exp(special.xlogy(count[:, None], mean) - mean - special.gammaln(count[:, None]))
        total = np.clip(chance @ share, 1e-300, 1 - 1e-15)
        place = special.ndtri(total)
        gap = place - wanted
        above = gap * slope > 0
        roof, floor = np.where(above, at, roof), np.where(above, floor, at)
        steep = slope * (density @ share) / np.exp(-(place**2) / 2) * math.sqrt(2 * math.pi)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = at - gap / steep
        inside = np.isfinite(step) & (step > floor) & (step < roof)
        ahead = np.where(inside, step, (floor + roof) / 2)
        if np.abs(gap).max() < 1e-9:
            return np.exp(at)
        at = ahead
    raise EstimationError("limits of the ratio were not found", "a standard error of the expected number below 5")
