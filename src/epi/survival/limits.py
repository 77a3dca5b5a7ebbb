"""Confidence limits of a probability that changes with time, on five scales, and quantiles of a curve.

Where a curve is 0 or 1 an interval on a transformed scale does not exist: it is missing, as in R.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from epi.errors import ParameterError
from epi.stats.intervals import check_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

IntervalScale = Literal["log-log", "log", "plain", "logit", "arcsin"]
INTERVALS: tuple[IntervalScale, ...] = ("log-log", "log", "plain", "logit", "arcsin")
TOLERANCE = float(np.sqrt(np.finfo(float).eps))
"""A curve within this of a level has reached it: R's rule for quantiles."""


def check_interval(interval: str, level: float) -> None:
    """Refuse an unknown scale or level.

    Parameters
    ----------
    interval : str
        Scale of the interval.
    level : float
        Confidence level.

    Raises
    ------
    ParameterError
        If either is unknown.
    """
    if interval not in INTERVALS:
        raise ParameterError(f"interval is {interval!r}", f"one of {', '.join(INTERVALS)}", "interval='log-log'")
    check_level(level)


def probability_limits(
    value: NDArray[np.float64], error: NDArray[np.float64], interval: IntervalScale, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the limits of a probability of survival.

    Parameters
    ----------
    value : numpy.ndarray
        Estimates.
    error : numpy.ndarray
        Their standard errors.
    interval : {"log-log", "log", "plain", "logit", "arcsin"}
        Scale on which the interval is symmetric.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray
        Limits, missing where the scale has none: at 0 for all but ``plain``, at 1 for ``log-log``
        and ``logit``; and where the error is 0, which tells nothing of how far off the estimate may be.
    """
    z = float(stats.norm.ppf(0.5 + level / 2))
    error = np.where(error > 0, error, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        if interval == "plain":
            return np.maximum(value - z * error, 0), np.minimum(value + z * error, 1)
        inside = np.where(value > 0, value, np.nan)
        if interval == "log":
            ratio = np.exp(z * error / inside)
            return inside / ratio, np.minimum(inside * ratio, 1)
        if interval == "arcsin":
            angle, half = np.arcsin(np.sqrt(np.minimum(inside, 1))), z * error / (2 * np.sqrt(inside * (1 - inside)))
            low, high = np.maximum(angle - half, 0), np.minimum(angle + half, np.pi / 2)
            return np.sin(low) ** 2, np.sin(high) ** 2
        inside = np.where(inside < 1, inside, np.nan)
        if interval == "logit":
            middle, half = np.log(inside / (1 - inside)), z * error / (inside * (1 - inside))
            return 1 / (1 + np.exp(half - middle)), 1 / (1 + np.exp(-half - middle))
        middle, half = np.log(-np.log(inside)), z * error / (inside * np.log(inside))
        return np.exp(-np.exp(middle - half)), np.exp(-np.exp(middle + half))


def hazard_limits(
    value: NDArray[np.float64], error: NDArray[np.float64], interval: Literal["log", "plain"], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the limits of a cumulative hazard.

    Parameters
    ----------
    value, error : numpy.ndarray
        Estimates and their standard errors.
    interval : {"log", "plain"}
        Scale on which the interval is symmetric.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray
        Limits; missing where the error is 0, and at 0 on the logarithmic scale; never below 0.
    """
    z = float(stats.norm.ppf(0.5 + level / 2))
    error = np.where(error > 0, error, np.nan)
    if interval == "plain":
        return np.maximum(value - z * error, 0), value + z * error
    inside = np.where(value > 0, value, np.nan)
    ratio = np.exp(z * error / inside)
    return inside / ratio, inside * ratio


def net_limits(
    value: NDArray[np.float64], error: NDArray[np.float64], interval: Literal["log", "plain"], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the limits of net survival, which may lie above 1.

    Parameters
    ----------
    value, error : numpy.ndarray
        Estimates and their standard errors.
    interval : {"log", "plain"}
        Scale on which the interval is symmetric.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray
        Limits, never below 0; missing until the first death, since nothing tells how far the estimate may be off, and
        at 0 on the logarithmic scale.
    """
    with np.errstate(over="ignore"):
        return hazard_limits(value, error, interval, level)


def reached(
    days: NDArray[np.int64], risen: NDArray[np.float64], levels: NDArray[np.float64], start: float, end: float
) -> NDArray[np.float64]:
    """Find when a rising curve reaches levels.

    Parameters
    ----------
    days : numpy.ndarray of int64
        Days of the curve.
    risen : numpy.ndarray
        What the curve has risen to on each day, from 0; missing values are passed over.
    levels : numpy.ndarray
        Levels, from 0 to 1.
    start, end : float
        Time at which the curve is 0, and end of follow-up.

    Returns
    -------
    numpy.ndarray
        Days. A curve that stays exactly at the level gives the middle of the time it stays there;
        one that never reaches it is missing.
    """
    known = ~np.isnan(risen)
    heights = np.concatenate([[0.0], risen[known]])
    moments = np.concatenate([[start], days[known].astype(np.float64)])
    found = np.full(len(levels), np.nan)
    for at, level in enumerate(levels):
        here, beyond = heights >= level - TOLERANCE, heights >= level + TOLERANCE
        if level == 0:
            found[at] = start
        elif here.any():
            last = moments[int(beyond.argmax())] if beyond.any() else end
            found[at] = (moments[int(here.argmax())] + last) / 2
    return found
