"""Variances of curves that are robust to weights and clusters: the infinitesimal jackknife, by counting.

A row moves a curve by its weight times the curve's derivative. While a row is at risk each day with
an event moves its influence by a known step; when it leaves the influence stays. So the influence of
a cluster is linear between its members' entries and exits, and the sum of squares over clusters
follows from the sums of squares and products at those moments: no matrix of rows by days is made.

Three numbers follow a cluster: Y, its weight at risk; L, its influence on a cumulated quantity
(L falls by Y a each day); F, its influence on an integral of that (F gains f L - c Y).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.survival.counting import stated_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData


@dataclass(frozen=True)
class Steps:
    """Rows placed on the days of a curve, in a stated order, with their clusters.

    Parameters
    ----------
    rows : numpy.ndarray of int64
        Positions in the data, in the order of the other fields.
    enter, leave : numpy.ndarray of int64
        Number of the curve's days until the entry and the exit included.
    weight : numpy.ndarray of float64
        Weight of each row.
    cluster : numpy.ndarray of int64
        Cluster of each row.
    """

    rows: NDArray[np.int64]
    enter: NDArray[np.int64]
    leave: NDArray[np.int64]
    weight: NDArray[np.float64]
    cluster: NDArray[np.int64]


def place_rows(data: SurvivalData, days: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> Steps:
    """Place rows on the days of a curve.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    days : numpy.ndarray of int64
        Days of the curve, in order.
    rows : numpy.ndarray of int64, optional
        Rows of the curve's group; all by default.

    Returns
    -------
    Steps
        Where each row enters and leaves.
    """
    order = stated_order(data)
    if rows is not None:
        inside = np.zeros(len(data), dtype=bool)
        inside[rows] = True
        order = order[inside[order]]
    single = data.cluster is None and data.persons == len(data)
    # Rows that are clusters of their own are numbered in the stated order, not in the table's.
    cluster = np.arange(len(order), dtype=np.int64) if single else data.clusters[order]
    return Steps(
        order,
        np.searchsorted(days, data.entry[order], side="right").astype(np.int64),
        np.searchsorted(days, data.exit[order], side="right").astype(np.int64),
        data.weights[order],
        cluster,
    )


def influence_variance(
    steps: Steps,
    a: NDArray[np.float64],
    at_exit: NDArray[np.float64],
    integral: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Sum the squared influences of clusters, on each day.

    Parameters
    ----------
    steps : Steps
        Rows placed on the days.
    a : numpy.ndarray, shape (days,)
        What a day takes from L for each unit of weight at risk.
    at_exit : numpy.ndarray, shape (rows,)
        What L gains when the row leaves, for each unit of weight (zero without an event).
    integral : tuple of three numpy.ndarray, optional
        f and c, shape (days,), and what F gains at exit, shape (rows,); f works on L before the day.

    Returns
    -------
    numpy.ndarray, shape (days,)
        Sum over clusters of L squared, or of F squared where an integral is given.
    """
    size = len(a)
    position = np.concatenate([steps.enter, steps.leave])
    cluster = np.concatenate([steps.cluster, steps.cluster])
    order = np.lexsort((position, cluster))
    position, cluster = position[order], cluster[order]
    nothing = np.zeros(len(steps.weight))
    new = np.ones(len(position), dtype=bool)
    new[1:] = cluster[1:] != cluster[:-1]

    def cumulate(gains: NDArray[np.float64]) -> NDArray[np.float64]:
        # pandas sums each group with Kahan's compensation: digits are kept whatever the other groups hold.
        return np.asarray(pd.Series(gains).groupby(cluster, sort=False).cumsum(), dtype=np.float64)

    def previous(values: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = np.zeros_like(values)
        moved[1:] = values[:-1]
        moved[new] = 0.0
        return moved

    def total(steps_of: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([[0.0], np.cumsum(steps_of)])

    before = np.zeros_like(position)
    before[1:] = position[:-1]
    before[new] = position[new]

    def jump(after: NDArray[np.float64], ahead: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(position, after - ahead, minlength=size + 1), dtype=np.float64)

    gain_y = np.concatenate([steps.weight, -steps.weight])[order]
    y = cumulate(gain_y)
    y_before = previous(y)
    sum_a = total(a)
    gain_l = np.concatenate([nothing, at_exit * steps.weight])[order]
    fall = y_before * (sum_a[position] - sum_a[before])
    l_after = cumulate(gain_l - fall)
    l_before = previous(l_after) - fall
    day_a = np.concatenate([[0.0], a])
    yy = np.cumsum(jump(y * y, y_before * y_before))
    ly = np.cumsum(jump(l_after * y, l_before * y_before) - day_a * _lag(yy))
    ll = np.cumsum(jump(l_after**2, l_before**2) - 2 * day_a * _lag(ly) + day_a**2 * _lag(yy))
    if integral is None:
        return np.maximum(ll[1:], 0.0)
    f, c, gain = integral
    day_f, day_c = np.concatenate([[0.0], f]), np.concatenate([[0.0], c])
    sum_f, sum_c = total(f), total(c + f * sum_a[:-1])
    gain_f = np.concatenate([nothing, gain * steps.weight])[order]
    span = sum_f[position] - sum_f[before]
    move = previous(l_after) * span - y_before * (sum_c[position] - sum_c[before] - sum_a[before] * span)
    f_after = cumulate(gain_f + move)
    f_before = previous(f_after) + move
    fy = np.cumsum(jump(f_after * y, f_before * y_before) + day_f * _lag(ly) - day_c * _lag(yy))
    fl = np.cumsum(
        jump(f_after * l_after, f_before * l_before)
        + day_f * _lag(ll) - day_c * _lag(ly) - day_a * _lag(fy) - day_a * day_f * _lag(ly)
        + day_a * day_c * _lag(yy)
    )  # fmt: skip
    ff = np.cumsum(
        jump(f_after**2, f_before**2)
        + day_f**2 * _lag(ll) + day_c**2 * _lag(yy)
        + 2 * day_f * _lag(fl) - 2 * day_c * _lag(fy) - 2 * day_f * day_c * _lag(ly)
    )  # fmt: skip
    return np.maximum(ff[1:], 0.0)


def _lag(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], values[:-1]])
