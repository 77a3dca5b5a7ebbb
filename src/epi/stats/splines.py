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
