"""Counting among many: how many of the first values lie below a bound, for all questions at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def count_below(values: ArrayLike, first: ArrayLike, bound: ArrayLike) -> NDArray[np.int64]:
    """Count, for each question, the values among the first ones that are below a bound.

    Values are arranged bit by bit, the highest first (a wavelet matrix: Claude, Navarro and Ordóñez, Inf Syst
    2015;47:15-32): all questions go down together, so that n values and n questions take n log n steps.

    Parameters
    ----------
    values : array-like of int, shape (n,)
        Values, in the order to which ``first`` refers.
    first : array-like of int, shape (questions,)
        How many of the first values are asked about, from 0 to n.
    bound : array-like of int, shape (questions,)
        Values below this one are counted.

    Returns
    -------
    numpy.ndarray of int64, shape (questions,)
        The counts.

    Examples
    --------
    >>> count_below([5, 1, 4, 1], [2, 4, 4], [5, 5, 1]).tolist()
    [1, 3, 0]
    """
    found, ranks = np.unique(np.asarray(values, dtype=np.int64), return_inverse=True)
    limit = np.searchsorted(found, np.asarray(bound, dtype=np.int64), side="left")
    high = np.asarray(first, dtype=np.int64).copy()
    low, count = np.zeros_like(high), np.zeros_like(high)
    for bit in range(len(found).bit_length() - 1, -1, -1):
        ones = (ranks >> bit) & 1 == 1
        zeros = np.concatenate([[0], np.cumsum(~ones)])
        left, right = zeros[low], zeros[high]
        up = (limit >> bit) & 1 == 1
        count += np.where(up, right - left, 0)
        low = np.where(up, zeros[-1] + low - left, left)
        high = np.where(up, zeros[-1] + high - right, right)
        ranks = np.concatenate([ranks[~ones], ranks[ones]])
    return count
