"""Standardised difference between two groups, for numbers, yes/no and categories.

The difference in units of the pooled standard deviation does not grow with the sample, so it says
how unlike two groups are, where a p-value says how many persons there were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Kind = Literal["continuous", "binary", "categorical"]


@dataclass(frozen=True)
class StandardisedDifference:
    """A standardised difference, or the reason why there is none.

    Parameters
    ----------
    value : float
        First group minus second for numbers and yes/no; zero or more for categories. NaN when it
        is not defined.
    kind : {"continuous", "binary", "categorical"}
        How the variable was taken.
    n_first, n_second : int
        Number informed in each group: the denominators of the comparison.
    reason : str, optional
        Why there is no value.
    """

    value: float
    kind: Kind
    n_first: int
    n_second: int
    reason: str = ""

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.3f}" if not self.reason else f"– ({self.reason})"


def standardised_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    kind: Kind | None = None,
    weights_first: ArrayLike | None = None,
    weights_second: ArrayLike | None = None,
) -> StandardisedDifference:
    """Compare a variable between two groups, in pooled standard deviations.

    Continuous: difference of means over the root of the mean of both variances. Binary: the same
    with p(1 - p). Categorical: Mahalanobis distance between the vectors of proportions (Yang and
    Dalton, SAS Global Forum 2012, paper 335), which does not depend on the order of categories.
    Weighted means and proportions take reliability weights (Austin, Stat Med 2009).

    Parameters
    ----------
    first, second : array-like
        Values in each group; missing ones are left out and counted out of the denominators.
    kind : {"continuous", "binary", "categorical"}, optional
        By default: numbers are continuous, two distinct values or booleans binary, others
        categorical. State it when a number is a code.
    weights_first, weights_second : array-like of float, optional
        Weights, one for each value, zero or more.

    Returns
    -------
    StandardisedDifference
        Its value and denominators; NaN with the reason where the variable does not vary or the
        groups share no category.

    Raises
    ------
    EstimationError
        If a group has no informed value, weights are negative, missing or of another length, or a
        variable said to be binary has more than two values.

    Examples
    --------
    >>> round(standardised_difference([1, 2, 3, 4], [2, 3, 4, 5]).value, 4)
    -0.7746
    >>> standardised_difference([1, 1], [0, 0], kind="binary").reason
    'no variation within the groups'
    """
    a, wa = _informed(first, weights_first, "the first group")
    b, wb = _informed(second, weights_second, "the second group")
    chosen = kind or _guess(a, b)
    if chosen == "continuous":
        value, reason = _continuous(a, b, wa, wb)
    elif chosen == "binary":
        value, reason = _binary(a, b, wa, wb)
    elif chosen == "categorical":
        value, reason = _categorical(a, b, wa, wb)
    else:
        raise ParameterError(f"kind is {kind!r}", "continuous, binary or categorical")
    return StandardisedDifference(value, chosen, len(a), len(b), reason)


def _informed(values: ArrayLike, weights: ArrayLike | None, group: str) -> tuple[pd.Series, NDArray[np.float64]]:
    series = pd.Series(values).reset_index(drop=True)
    w = np.ones(len(series)) if weights is None else np.asarray(weights, dtype=float)
    if w.shape != (len(series),):
        raise EstimationError(f"{group} has {len(series)} values and {w.size} weights", "one weight a value")
    if np.isnan(w).any() or (w < 0).any() or np.isinf(w).any():
        raise EstimationError(f"weights of {group} are missing, negative or infinite", "weights >= 0")
    keep = series.notna().to_numpy() & (w > 0)
    if not keep.any():
        raise EstimationError(
            f"{group} has no informed value", "at least one informed value in each group", "check coverage"
        )
    return series[keep].reset_index(drop=True), w[keep]


def _guess(a: pd.Series, b: pd.Series) -> Kind:
    both = pd.concat([a, b], ignore_index=True)
    if pd.api.types.is_bool_dtype(both.dtype) or both.nunique() == 2:
        return "binary"
    return "continuous" if pd.api.types.is_numeric_dtype(both.dtype) else "categorical"


def _continuous(a: pd.Series, b: pd.Series, wa: NDArray[np.float64], wb: NDArray[np.float64]) -> tuple[float, str]:
    moments = []
    for values, weights in ((a, wa), (b, wb)):
        # Sorted, so that the sum does not depend on the order of rows.
        order = np.lexsort((weights, values.to_numpy(dtype=float)))
        x, w = values.to_numpy(dtype=float)[order], weights[order]
        total = w.sum()
        mean = float((w * x).sum() / total)
        if len(x) < 2:
            return float("nan"), "fewer than two informed values in a group"
        spread = total**2 - (w**2).sum()
        moments.append((mean, float(total / spread * (w * (x - mean) ** 2).sum())))
    (mean_a, var_a), (mean_b, var_b) = moments
    pooled = (var_a + var_b) / 2
    scale = max(abs(mean_a), abs(mean_b), 1e-300)
    if not pooled > (1e-13 * scale) ** 2:
        return float("nan"), "no variation within the groups"
    return (mean_a - mean_b) / float(np.sqrt(pooled)), ""


def _shares(values: pd.Series, weights: NDArray[np.float64], categories: list[Any]) -> NDArray[np.float64]:
    sums = pd.Series(weights).groupby(values.to_numpy()).sum()
    total = float(np.sort(weights).sum())
    return np.array([float(sums.get(category, 0.0)) for category in categories]) / total


def _categories(a: pd.Series, b: pd.Series) -> list[Any]:
    found = pd.concat([a, b], ignore_index=True).astype(object).unique().tolist()
    return sorted(found, key=lambda item: (str(type(item)), item) if isinstance(item, str) else ("", item))


def _binary(a: pd.Series, b: pd.Series, wa: NDArray[np.float64], wb: NDArray[np.float64]) -> tuple[float, str]:
    categories = _categories(a, b)
    if len(categories) > 2:
        raise EstimationError(
            f"a binary variable has {len(categories)} distinct values", "two values", 'kind="categorical"'
        )
    if len(categories) < 2:
        return float("nan"), "no variation within the groups"
    # The second value in order is the one that counts: 1 of 0/1, True of False/True.
    p, q = (_shares(x.astype(object), w, categories)[1] for x, w in ((a, wa), (b, wb)))
    pooled = (p * (1 - p) + q * (1 - q)) / 2
    if pooled <= 0:
        return float("nan"), "no variation within the groups"
    return float((p - q) / np.sqrt(pooled)), ""


def _categorical(a: pd.Series, b: pd.Series, wa: NDArray[np.float64], wb: NDArray[np.float64]) -> tuple[float, str]:
    categories = _categories(a, b)
    if len(categories) < 2:
        return float("nan"), "no variation within the groups"
    p, q = (_shares(x.astype(object), w, categories) for x, w in ((a, wa), (b, wb)))
    if not ((p > 0) & (q > 0)).any():
        return float("nan"), "the groups share no category"
    difference = (p - q)[1:]
    p, q = p[1:], q[1:]
    covariance = -(np.outer(p, p) + np.outer(q, q)) / 2
    np.fill_diagonal(covariance, (p * (1 - p) + q * (1 - q)) / 2)
    if np.linalg.matrix_rank(covariance, hermitian=True) < len(difference):
        return float("nan"), "no variation within the groups"
    return float(np.sqrt(difference @ np.linalg.solve(covariance, difference))), ""
