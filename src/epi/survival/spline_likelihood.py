"""The likelihood of a spline of the log cumulative hazard, and the search for its maximum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.terms import Terms

    Array = NDArray[np.float64]

STEPS = 200
MODEL = "the flexible parametric model"


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is highest.

    Parameters
    ----------
    theta : numpy.ndarray of float64
        Parameters, of the columns of the search.
    back : numpy.ndarray of float64
        Matrix that leads from them to those of the spline.
    information : numpy.ndarray of float64
        Minus the second derivative, in columns of the search.
    scores : numpy.ndarray of float64, shape (rows, parameters)
        First derivative of each row.
    loglik : float
        Logarithm of the likelihood.
    steps : int
        Newton's steps.
    """

    theta: Array
    back: Array
    information: Array
    scores: Array
    loglik: float
    steps: int


def place_knots(times: Array, df: int) -> tuple[float, ...]:
    """Place knots at quantiles of the times of events, the outer ones at the first and the last.

    Parameters
    ----------
    times : numpy.ndarray of float64
        Logarithms of years.
    df : int
        Degrees of freedom of the spline.

    Returns
    -------
    tuple of float
        df + 1 knots, in order.
    """
    return tuple(float(value) for value in np.quantile(times, np.linspace(0, 1, df + 1)))


def _spline(u: Array, knots: Sequence[float]) -> tuple[Array, Array]:
    """Give the spline's columns and their slopes, without constant: u, then a cubic for each inner knot."""
    low, high = knots[0], knots[-1]
    columns, slopes = [u], [np.ones_like(u)]

    def cubic(knot: float) -> tuple[Array, Array]:
        part = np.maximum(u - knot, 0.0)
        return part**3, 3 * part**2

    (first, first_slope), (last, last_slope) = cubic(low), cubic(high)
    for knot in knots[1:-1]:
        share = (high - knot) / (high - low)
        inner, slope = cubic(knot)
        columns.append(inner - share * first - (1 - share) * last)
        slopes.append(slope - share * first_slope - (1 - share) * last_slope)
    return np.column_stack(columns), np.column_stack(slopes)


def build_designs(years: Array, x: Array, terms: Terms, knots: Mapping[str, Sequence[float]]) -> tuple[Array, Array]:
    """Give the columns of the log cumulative hazard, and their slopes in log time.

    Parameters
    ----------
    years : numpy.ndarray of float64, shape (rows,)
        Times, above zero.
    x : numpy.ndarray of float64, shape (rows, terms)
        Covariates.
    terms : Terms
        How covariates became columns.
    knots : mapping
        Of the baseline (``""``) and of each covariate that changes with time: logarithms of years.

    Returns
    -------
    columns, slopes : numpy.ndarray of float64, shape (rows, parameters)
        Constant, spline, covariates, covariates times their splines.
    """
    u = np.log(years)
    base, slope = _spline(u, knots[""])
    nothing = np.zeros((len(u), 1))
    parts, slopes = [nothing + 1, base, x], [nothing, slope, np.zeros_like(x)]
    for at, name in enumerate(terms.covariates):
        if name in knots:
            curve, rise = _spline(u, knots[name])
            for column in np.flatnonzero(terms.assign == at):
                parts.append(x[:, [column]] * curve)
                slopes.append(x[:, [column]] * rise)
    return np.column_stack(parts), np.column_stack(slopes)


def name_parameters(terms: Terms, knots: Mapping[str, Sequence[float]]) -> list[str]:
    """Name the parameters, in the order of the columns.

    Parameters
    ----------
    terms : Terms
        How covariates became columns.
    knots : mapping
        Of the baseline and of each covariate that changes with time.

    Returns
    -------
    list of str
        Names.
    """
    names = ["intercept", *(f"spline {at}" for at in range(1, len(knots[""])))]
    names += terms.names
    for at, name in enumerate(terms.covariates):
        if name in knots:
            for column in np.flatnonzero(terms.assign == at):
                names += [f"{terms.names[column]} x spline {k}" for k in range(1, len(knots[name]))]
    return names


def maximise(
    entry: Array, exit: Array, event: NDArray[np.bool_], weight: Array, x: Array, terms: Terms,
    knots: Mapping[str, Sequence[float]],
) -> Maximum:  # fmt: skip
    """Find the parameters of highest likelihood by Newton's steps.

    Parameters
    ----------
    entry, exit : numpy.ndarray of float64, shape (rows,)
        Years: at risk on (entry, exit].
    event : numpy.ndarray of bool, shape (rows,)
        Whether the exit is an event.
    weight : numpy.ndarray of float64, shape (rows,)
        Weights.
    x : numpy.ndarray of float64, shape (rows, terms)
        Covariates.
    terms : Terms
        How covariates became columns.
    knots : mapping
        Of the baseline and of each covariate that changes with time.

    Returns
    -------
    Maximum
        What was found.

    Raises
    ------
    EstimationError
        If columns are combinations of each other, no maximum is found, or a cumulative hazard falls where somebody
        is followed.
    """
    rows, slopes = build_designs(exit, x, terms, knots)
    late = entry > 0
    before, _ = build_designs(entry[late], x[late], terms, knots)
    # Columns that are nearly at right angles: powers of log time are not, and Newton's steps would lose digits.
    upper = np.linalg.qr(rows * np.sqrt(weight)[:, None], mode="r")
    size = np.abs(np.diag(upper))
    if size.min() < 1e-9 * size.max():
        raise EstimationError(
            f"{MODEL} cannot be fitted: columns are combinations of each other",
            "columns that vary on their own", "leave out or group covariates, or a lower df=",
        )  # fmt: skip
    back = np.linalg.inv(upper)
    rows, slopes, before = rows @ back, slopes @ back, before @ back
    if late.any():
        arrivals = build_designs(entry[late], x[late], terms, knots)[1] @ back
    else:
        arrivals = slopes[:0]
    theta = np.zeros(rows.shape[1])
    theta[0], theta[1] = np.log(weight[event].sum() / (weight * (exit - entry)).sum()), 1.0
    theta = upper @ theta
    struck = slopes[event]

    def value(at: Array) -> float:
        rise = struck @ at
        if (rise <= 0).any():
            return -np.inf
        with np.errstate(over="ignore"):
            total = (weight[event] * (rows[event] @ at + np.log(rise) - np.log(exit[event]))).sum()
            total -= (weight * np.exp(rows @ at)).sum()
            total += (weight[late] * np.exp(before @ at)).sum()
        return float(total) if np.isfinite(total) else -np.inf

    now = value(theta)
    for step in range(1, STEPS + 1):
        scores, information = _derivatives(theta, rows, struck, before, event, late, weight)
        gradient = scores.sum(axis=0)
        # Where the likelihood is not bent downwards (late entry), its directions are turned to be.
        values, vectors = np.linalg.eigh(information)
        floor = 1e-8 * np.abs(values).max()
        move = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), floor))
        if float(gradient @ move) < 1e-18 * max(weight.sum(), 1.0) and values.min() > floor:
            return _checked(Maximum(theta, back, information, scores, now, step), slopes, arrivals)
        length = 1.0
        while length > 1e-12:
            ahead = value(theta + length * move)
            # Near the maximum a whole step may lose what is only rounding.
            whole = length == 1.0 and ahead >= now - 1e-12 * abs(now)
            if whole or ahead >= now + 1e-4 * length * float(gradient @ move):
                break
            length /= 2
        else:
            if float(gradient @ move) < 1e-10 * max(weight.sum(), 1.0) and values.min() > floor:
                return _checked(Maximum(theta, back, information, scores, now, step), slopes, arrivals)
            break
        theta, now = theta + length * move, ahead
    raise EstimationError(
        f"{MODEL} has no maximum that can be found",
        "enough events at all times, and covariates that do not foretell them",
        "a lower df=, fewer covariates, or a later start where few are at risk",
    )


def _checked(found: Maximum, exits: Array, entries: Array) -> Maximum:
    """Refuse a maximum at which somebody's cumulative hazard falls while they are followed.

    The likelihood asks for a hazard above zero on days of events only.
    """
    if (exits @ found.theta <= 0).any() or (entries @ found.theta <= 0).any():
        raise EstimationError(
            f"{MODEL} has a cumulative hazard that falls where somebody is followed without event",
            "a spline that rises over the whole of follow-up", "a lower df=, of the baseline or of time_varying",
        )  # fmt: skip
    return found


def _derivatives(
    theta: Array, rows: Array, struck: Array, before: Array, event: NDArray[np.bool_], late: NDArray[np.bool_],
    weight: Array,
) -> tuple[Array, Array]:  # fmt: skip
    rise = struck @ theta
    hazard, earlier = weight * np.exp(rows @ theta), weight[late] * np.exp(before @ theta)
    scores = -hazard[:, None] * rows
    scores[event] += weight[event, None] * (rows[event] + struck / rise[:, None])
    scores[late] += earlier[:, None] * before
    information = (hazard[:, None] * rows).T @ rows - (earlier[:, None] * before).T @ before
    bent = struck / rise[:, None]
    information += (weight[event, None] * bent).T @ bent
    return scores, (information + information.T) / 2
