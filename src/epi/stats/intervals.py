"""Confidence intervals of proportions, counts, rates and ratios.

Wilson and Clopper-Pearson for proportions; exact Poisson (Garwood 1936) for counts, rates and
standardised incidence ratios, a count of zero included: its lower limit is zero. Missing in, missing
out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from epi.arguments import check_number
from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Interval:
    """An estimate and its limits: numbers for numbers, arrays for arrays.

    Parameters
    ----------
    estimate, low, high : float or numpy.ndarray
        The estimate and the limits of its interval.
    level : float
        Confidence level, between 0 and 1.
    method : str
        How the limits were found.
    """

    estimate: float | NDArray[np.float64]
    low: float | NDArray[np.float64]
    high: float | NDArray[np.float64]
    level: float
    method: str

    def __str__(self) -> str:
        if np.ndim(self.estimate):
            return f"{np.size(self.estimate)} intervals ({self.method}, {self.level:.0%})"
        from epi.stats.notation import format_ratio

        return format_ratio(float(self.estimate), float(self.low), float(self.high))


def check_level(level: float) -> float:
    """Refuse a confidence level that is not one.

    Parameters
    ----------
    level : float
        Confidence level.

    Returns
    -------
    float
        The level.

    Raises
    ------
    ParameterError
        If it is not strictly between 0 and 1.

    Examples
    --------
    >>> check_level(95)
    Traceback (most recent call last):
    ...
    epi.errors.ParameterError: level is 95. Expected: a number between 0 and 1. Next: level=0.95
    """
    found = check_number("level", level, "a number between 0 and 1", above=0, do="level=0.95")
    if found >= 1:
        raise ParameterError(f"level is {level}", "a number between 0 and 1", "level=0.95")
    return found


def _counts(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=float)
    known = array[~np.isnan(array)]
    if (known < 0).any() or np.isinf(known).any():
        raise EstimationError(
            f"{name} has {int((known < 0).sum() + np.isinf(known).sum())} negative or infinite value(s)",
            "counts of zero or more",
        )
    if not np.array_equal(known, np.floor(known)):
        raise EstimationError(f"{name} has values that are not whole numbers", "counts")
    return array


def _positive(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=float)
    known = array[~np.isnan(array)]
    wrong = int(((known <= 0) | np.isinf(known)).sum())
    if wrong:
        raise EstimationError(
            f"{name} is zero, negative or infinite in {wrong} row(s)",
            f"{name} above zero",
            "leave out what has no population, and say so",
        )
    return array


def _result(
    estimate: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    level: float,
    method: str,
) -> Interval:
    if np.ndim(estimate) == 0:
        return Interval(float(estimate), float(low), float(high), level, method)
    return Interval(estimate, low, high, level, method)


def proportion_interval(
    count: ArrayLike,
    of: ArrayLike,
    *,
    method: Literal["wilson", "exact"] = "wilson",
    level: float = 0.95,
) -> Interval:
    """Interval of a proportion.

    Parameters
    ----------
    count : array-like of int
        Number with the characteristic.
    of : array-like of int
        Number in whom it was looked for, above zero.
    method : {"wilson", "exact"}, optional
        Wilson's score interval without continuity correction (Wilson 1927) or Clopper-Pearson.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        The proportion, between 0 and 1, and its limits.

    Raises
    ------
    EstimationError
        If a count is negative, not whole or above its denominator, or a denominator is zero.
    ParameterError
        If `method` or `level` is unknown.

    Examples
    --------
    >>> interval = proportion_interval(6022, 26767)
    >>> f"{interval.estimate:.3f} ({interval.low:.3f}-{interval.high:.3f})"
    '0.225 (0.220-0.230)'
    """
    check_level(level)
    x, n = np.broadcast_arrays(_counts(count, "count"), _counts(of, "of"))
    n = _positive(n, "the denominator")
    above = int((x > n).sum())
    if above:
        raise EstimationError(f"count is above its denominator in {above} row(s)", "count <= of")
    p = x / n
    if method == "wilson":
        z = stats.norm.isf((1 - level) / 2)
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        # The limits are 0 and 1 exactly at the ends; rounding would leave 1e-17 there.
        low = np.where(x == 0, 0.0, middle - half)
        high = np.where(x == n, 1.0, middle + half)
        low, high = np.where(np.isnan(p), np.nan, low), np.where(np.isnan(p), np.nan, high)
    elif method == "exact":
        tail = (1 - level) / 2
        with np.errstate(invalid="ignore"):
            low = np.where(x == 0, 0.0, stats.beta.ppf(tail, np.where(x == 0, 1, x), n - x + 1))
            high = np.where(x == n, 1.0, stats.beta.isf(tail, x + 1, np.where(x == n, 1, n - x)))
    else:
        raise ParameterError(f"method is {method!r}", "wilson or exact")
    return _result(p, low, high, level, method)


def count_interval(count: ArrayLike, *, level: float = 0.95) -> Interval:
    """Exact Poisson interval of a count (Garwood 1936).

    Parameters
    ----------
    count : array-like of int
        Observed events, zero or more.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        The count and its limits. For zero the lower limit is 0 and the upper one the same quantile
        of the two-sided interval (3.69 at 95 %).

    Raises
    ------
    EstimationError
        If a count is negative or not whole.

    Examples
    --------
    >>> zero = count_interval(0)
    >>> round(zero.low, 2), round(zero.high, 2)
    (0.0, 3.69)
    """
    check_level(level)
    x = _counts(count, "count")
    tail = (1 - level) / 2
    low = np.where(x == 0, 0.0, stats.chi2.ppf(tail, np.where(x == 0, 1, 2 * x)) / 2)
    high = stats.chi2.isf(tail, 2 * x + 2) / 2
    return _result(x, low, high, level, "exact Poisson")


def rate_interval(count: ArrayLike, person_years: ArrayLike, *, per: float = 100_000, level: float = 0.95) -> Interval:
    """Rate with its exact Poisson interval.

    Parameters
    ----------
    count : array-like of int
        Observed events.
    person_years : array-like of float
        Time at risk, in years, above zero.
    per : float, optional
        Number of person-years the rate is given for.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        The rate per `per` person-years and its limits.

    Raises
    ------
    EstimationError
        If a count is negative or a time at risk is not above zero.

    Examples
    --------
    >>> print(rate_interval(27, 1_000_000))
    2.70 (1.78-3.93)
    """
    counts = count_interval(count, level=level)
    time = _positive(person_years, "person-years") / per
    return _result(
        np.asarray(counts.estimate / time),
        np.asarray(counts.low / time),
        np.asarray(counts.high / time),
        level,
        "exact Poisson",
    )


def ratio_interval(observed: ArrayLike, expected: ArrayLike, *, level: float = 0.95) -> Interval:
    """Standardised ratio (SIR, SMR) with its exact Poisson interval.

    The expected number is taken as known: its own uncertainty is not in the interval.

    Parameters
    ----------
    observed : array-like of int
        Observed events.
    expected : array-like of float
        Expected events, above zero.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        The ratio and its limits.

    Raises
    ------
    EstimationError
        If an observed count is negative or an expected one is not above zero.

    Examples
    --------
    >>> print(ratio_interval(100, 54.07))
    1.85 (1.50-2.25)
    """
    counts = count_interval(observed, level=level)
    known = _positive(expected, "expected")
    return _result(
        np.asarray(counts.estimate / known),
        np.asarray(counts.low / known),
        np.asarray(counts.high / known),
        level,
        "exact Poisson",
    )


def wald_interval(
    estimate: ArrayLike,
    standard_error: ArrayLike,
    *,
    log: bool = False,
    level: float = 0.95,
    degrees: float = math.inf,
) -> Interval:
    """Interval of an estimate that is about normal, or whose logarithm is.

    Parameters
    ----------
    estimate : array-like of float
        The estimate; with `log`, on the log scale (a regression coefficient).
    standard_error : array-like of float
        Its standard error, zero or more, on the same scale.
    log : bool, optional
        Give the exponential of the estimate and limits.
    level : float, optional
        Confidence level.
    degrees : float, optional
        Degrees of freedom of the standard error: Student's law instead of the normal one.

    Returns
    -------
    Interval
        The estimate and its limits.

    Raises
    ------
    EstimationError
        If a standard error is negative.

    Examples
    --------
    >>> print(wald_interval(0.5, 0.1, log=True))
    1.65 (1.36-2.01)
    """
    check_level(level)
    middle, error = np.asarray(estimate, dtype=float), np.asarray(standard_error, dtype=float)
    if (error < 0).any():
        raise EstimationError("a standard error is negative", "standard errors of zero or more")
    z = stats.t.isf((1 - level) / 2, degrees)
    low, high = middle - z * error, middle + z * error
    if log:
        middle, low, high = np.exp(middle), np.exp(low), np.exp(high)
    return _result(middle, low, high, level, "log Wald" if log else "Wald")
