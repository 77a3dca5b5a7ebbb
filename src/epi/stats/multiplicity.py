"""Many tests at once: Benjamini-Hochberg and Benjamini-Yekutieli q-values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def adjust_p(p: ArrayLike, *, method: Literal["BH", "BY"] = "BH") -> NDArray[np.float64]:
    """Turn p-values into q-values that bound the false discovery rate.

    A missing p-value is a test that was not done: it gets a missing q-value and does not count
    among the tests.

    Parameters
    ----------
    p : array-like of float
        p-values, one for each test, in any order.
    method : {"BH", "BY"}, optional
        Benjamini-Hochberg (1995), for independent or positively dependent tests, or
        Benjamini-Yekutieli (2001), whatever the dependence.

    Returns
    -------
    numpy.ndarray
        q-values in the order of `p`.

    Raises
    ------
    EstimationError
        If a p-value is outside [0, 1].
    ParameterError
        If `method` is unknown.

    Examples
    --------
    >>> adjust_p([0.01, 0.04, float("nan"), 0.03]).round(3).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    values = np.asarray(p, dtype=float)
    if values.ndim != 1:
        raise EstimationError(f"p-values have {values.ndim} dimensions", "one list of p-values")
    known = ~np.isnan(values)
    tests = values[known]
    if ((tests < 0) | (tests > 1)).any():
        raise EstimationError("a p-value is outside [0, 1]", "probabilities")
    if method not in ("BH", "BY"):
        raise ParameterError(f"method is {method!r}", "BH or BY")
    n = len(tests)
    factor = float(np.sum(1 / np.arange(1, n + 1))) if method == "BY" else 1.0
    order = np.argsort(-tests, kind="stable")
    scaled = tests[order] * factor * n / np.arange(n, 0, -1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled)) if n else scaled
    result = np.full(values.shape, np.nan)
    result[known] = adjusted
    return result
