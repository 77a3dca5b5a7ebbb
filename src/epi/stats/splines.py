"""Natural cubic splines: smooth in the middle, straight at both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def natural_spline(values: ArrayLike, *, df: int = 4) -> NDArray[np.float64]:
    """Basis of a natural cubic spline, intercept left out.

    The knots are the extremes and df - 1 quantiles (type 7), as in R's ``splines::ns(x, df)``: the
    columns differ (restricted truncated powers after Harrell, then made orthogonal), the curves that
    they and an intercept span are the same.

    Parameters
    ----------
    values : array-like of float
        The variable, without missing values.
    df : int, optional
        Number of columns; 1 is a straight line.

    Returns
    -------
    numpy.ndarray
        One row a value, `df` columns: centred, of mean square 1, orthogonal to each other. The first
        is a straight line.

    Raises
    ------
    EstimationError
        If values are missing, or have too few distinct quantiles for `df`.

    Examples
    --------
    >>> natural_spline([20, 30, 40, 50, 60], df=2).shape
    (5, 2)
    """
    x = np.asarray(values, dtype=float)
    if df < 1:
        raise EstimationError(f"df is {df}", "one or more columns")
    if x.size == 0 or not np.isfinite(x).all():
        raise EstimationError("the variable of a spline has missing values", "complete values")
    knots = np.quantile(x, np.linspace(0, 1, df + 1))
    span = knots[-1] - knots[0]
    if not (np.diff(knots) > 1e-12 * max(span, 1e-300)).all():
        raise EstimationError(
            f"a spline of {df} columns needs {df + 1} distinct quantiles",
            "more distinct values",
            "a smaller df",
        )
    u = (x - knots[0]) / span
    k = (knots - knots[0]) / span

    def cube(at: float) -> NDArray[np.float64]:
        return np.maximum(u - at, 0.0) ** 3

    def bent(at: float) -> NDArray[np.float64]:
        last = k[-1] - k[-2]
        return cube(at) - cube(k[-2]) * (k[-1] - at) / last + cube(k[-1]) * (k[-2] - at) / last

    basis = np.column_stack([u, *(bent(knot) for knot in k[: df - 1])])
    # Powers are nearly collinear: an orthonormal basis of the same curves keeps the digits of a fit.
    orthonormal, triangle = np.linalg.qr(basis - basis.mean(axis=0))
    return np.asarray(orthonormal * np.sign(np.diag(triangle)) * np.sqrt(len(x)))


HARRELL: dict[int, tuple[float, ...]] = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
    6: (0.05, 0.23, 0.41, 0.59, 0.77, 0.95),
    7: (0.025, 0.1833, 0.3417, 0.50, 0.6583, 0.8167, 0.975),
}
"""Quantiles at which knots are put, by their number (Harrell, Regression Modeling Strategies, 2015, table 2.3)."""


def place_knots(values: ArrayLike, knots: int = 4) -> tuple[float, ...]:
    """Put the knots of a restricted cubic spline at Harrell's quantiles.

    Parameters
    ----------
    values : array-like of float
        The variable; missing values are passed over.
    knots : int, optional
        Their number, 3 to 7.

    Returns
    -------
    tuple of float
        The knots (quantiles of type 7).

    Raises
    ------
    EstimationError
        If two would be the same.

    Examples
    --------
    >>> place_knots(range(101), 3)
    (10.0, 50.0, 90.0)
    """
    if knots not in HARRELL:
        raise EstimationError(f"{knots} knots", "3 to 7")
    x = np.asarray(values, dtype=float)
    found = np.quantile(x[np.isfinite(x)], HARRELL[knots])
    if (np.diff(found) <= 1e-12 * max(float(np.abs(found).max()), 1e-300)).any():
        raise EstimationError(
            f"{knots} knots would not all differ: too many values are the same", "more distinct values", "fewer knots"
        )
    return tuple(map(float, found))


def restricted_spline(values: ArrayLike, knots: tuple[float, ...]) -> NDArray[np.float64]:
    """Basis of a restricted cubic spline with given knots: straight before the first and after the last.

    Parameters
    ----------
    values : array-like of float
        Where the basis is wanted.
    knots : tuple of float
        Three or more, rising.

    Returns
    -------
    numpy.ndarray
        One row a value: the value itself, then ``len(knots) - 2`` terms that bend, over the squared distance of the
        outer knots, so that they are in units of the value (as R's ``Hmisc::rcspline.eval``).

    Examples
    --------
    >>> restricted_spline([0.0, 2.0, 4.0], (1.0, 2.0, 3.0)).tolist()
    [[0.0, 0.0], [2.0, 0.25], [4.0, 3.0]]
    """
    x, k = np.asarray(values, dtype=float), np.asarray(knots, dtype=float)
    last = k[-1] - k[-2]

    def cube(at: float) -> NDArray[np.float64]:
        return np.maximum(x - at, 0.0) ** 3

    bent = [
        (cube(at) - cube(k[-2]) * (k[-1] - at) / last + cube(k[-1]) * (k[-2] - at) / last) / (k[-1] - k[0]) ** 2
        for at in k[:-2]
    ]
    return np.column_stack([x, *bent])
