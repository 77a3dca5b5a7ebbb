"""Local Moran's I: which areas are like their neighbours, or unlike them, more than chance would have it.

Sources: Anselin, Geogr Anal 1995;27:93; moments given the area's own value, Sokal, Oden and Thomson,
Geogr Anal 1998;30:331, and over all permutations, as in R's ``spdep::localmoran``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.lattice import ROUNDING, Alternative, Islands, Lattice, Style, build_lattice, check_alternative

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from epi.stats.spatial.weights import SpatialWeights

    Array = NDArray[np.float64]

Moments = Literal["conditional", "total"]
QUADRANTS = ("High-High", "Low-Low", "High-Low", "Low-High")
"""The area's own value, then that of its neighbours, against the mean."""
CELLS = 4_000_000
"""Most numbers held at once while areas are compared with draws: 32 MB."""


@dataclass(frozen=True)
class LocalMoran:
    """Local Moran's I of each area, in the order given; missing for areas that take no part.

    Parameters
    ----------
    value, expectation, variance, z, p_analytic : numpy.ndarray
        The statistic, its moments without autocorrelation, its standardised distance, the normal tail.
    p_permutation : numpy.ndarray
        Pseudo p-value of conditional permutations; missing when none was asked for.
    deviation, lag : numpy.ndarray
        The area's value less the mean, and the weighted sum of its neighbours' deviations.
    quadrant : numpy.ndarray
        One of :data:`QUADRANTS`, or an empty text.
    n, islands, missing : int
        Areas that took part, areas without a neighbour, areas without a value.
    """

    value: Array
    expectation: Array
    variance: Array
    z: Array
    p_analytic: Array
    p_permutation: Array
    deviation: Array
    lag: Array
    quadrant: NDArray[np.object_]
    n: int
    islands: int
    missing: int


def local_moran_test(
    values: ArrayLike | pd.Series,
    weights: SpatialWeights,
    *,
    style: Style = "row",
    islands: Islands = "drop",
    moments: Moments = "conditional",
    alternative: Alternative = "two-sided",
    permutations: int = 9_999,
    seed: int = 0,
) -> LocalMoran:
    """Compute local Moran's I of each area, with its tests.

    Parameters
    ----------
    values : array-like or pandas.Series
        One for each area, shape (areas,); for rates, those of
        :func:`epi.stats.spatial.standardise_rates`. Areas with a missing value are left out with their links.
    weights : SpatialWeights
        Who is whose neighbour.
    style, islands : str, optional
        As in :func:`epi.stats.spatial.moran_test`. An island that is kept counts in the mean and has no test.
    moments : {"conditional", "total"}, optional
        Analytic moments given the area's own value, or over all permutations.
    alternative : {"two-sided", "greater", "less"}, optional
        ``greater``: alike. The two-sided pseudo p-value is twice the smaller tail.
    permutations : int, optional
        Draws of neighbours' values among those of all other areas; 0 for none. No pseudo p-value is
        below 1 / (permutations + 1), twice that when two-sided: few permutations and many areas leave
        nothing to a false discovery rate.
    seed : int, optional
        Seed of the permutations.

    Returns
    -------
    LocalMoran
        One row an area; the same whatever the order of the areas.

    Raises
    ------
    EstimationError
        If too few areas take part, their values are all alike, or an area is the neighbour of nearly all.
    ParameterError
        If an option is unknown or values do not fit the weights.

    Notes
    -----
    All areas are compared with the same draws, as in PySAL: each pseudo p-value is exact by itself,
    and those of two areas are not independent.

    Examples
    --------
    >>> from epi.stats.spatial import weights_from_pairs
    >>> line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    >>> found = local_moran_test([9, 8, 7, 2, 1, 1], line)
    >>> found.value.round(2).tolist(), found.quadrant[0]
    ([1.25, 0.96, 0.07, 0.15, 1.0, 1.16], 'High-High')
    """
    check_alternative(alternative)
    if moments not in ("conditional", "total"):
        raise ParameterError(f"moments is {moments!r}", "conditional or total")
    if permutations < 0:
        raise ParameterError(f"permutations is {permutations}", "0 or more")
    lattice = build_lattice(values, weights, style=style, islands=islands)
    x = np.asarray(lattice.values)
    n = len(x)
    z = x - x.mean()
    square = float(z @ z) / n
    if not square * n > 1e-24 * max(float(x @ x), 1e-300):
        raise EstimationError(f"the values of all {n} areas are alike", "values that differ")
    lag = lattice.matrix @ z
    tested = np.diff(lattice.matrix.indptr) > 0
    value = z * lag / square
    expectation, variance = _moments(lattice, z, square, moments)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(variance > 1e-14, (value - expectation) / np.sqrt(variance), np.nan)
    p = np.full(n, np.nan)
    if permutations:
        p = _conditional_p(lattice, z, lag, alternative, permutations, seed)
    # A deviation that is rounding alone is neither high nor low.
    sides = [np.where(np.abs(side) <= ROUNDING * np.sqrt(square), 0.0, side) for side in (z, lag)]
    quadrant = np.select(
        [(sides[0] > 0) & (sides[1] > 0), (sides[0] < 0) & (sides[1] < 0), (sides[0] > 0) & (sides[1] < 0),
         (sides[0] < 0) & (sides[1] > 0)],
        QUADRANTS, default="",
    ).astype(object)  # fmt: skip
    whole = np.full(lattice.total, "", dtype=object)
    whole[lattice.places] = quadrant

    def spread(column: Array) -> Array:
        return lattice.spread(np.where(tested, column, np.nan))

    return LocalMoran(
        spread(value), spread(expectation), spread(variance), spread(score), spread(_tails(score, alternative)),
        spread(p), spread(z), spread(lag), whole, n, lattice.islands, lattice.missing,
    )  # fmt: skip


def _moments(lattice: Lattice, z: Array, square: float, moments: str) -> tuple[Array, Array]:
    n = len(z)
    sums = np.asarray(lattice.matrix.sum(axis=1))
    squares = np.asarray((lattice.matrix * lattice.matrix).sum(axis=1))
    if moments == "conditional":
        own = z**2 / square
        return -own * sums / (n - 1), own * n / (n - 2) * (squares - sums**2 / (n - 1)) * (1 - own / (n - 1))
    peak = float((z**4).mean()) / square**2
    a, b = (n - peak) / (n - 1), (2 * peak - n) / ((n - 1) * (n - 2))
    return -sums / (n - 1), a * squares + b * (sums**2 - squares) - (sums / (n - 1)) ** 2


def _tails(score: Array, alternative: str) -> Array:
    from scipy.stats import norm

    if alternative == "two-sided":
        return 2 * norm.sf(np.abs(score))
    return norm.sf(score) if alternative == "greater" else norm.cdf(score)


def _conditional_p(lattice: Lattice, z: Array, lag: Array, alternative: str, permutations: int, seed: int) -> Array:
    """Compare each area's neighbours with draws of as many others, never the area itself.

    A draw is the start of a random order of all areas. The neighbours of an area of k are the first k
    of it, or the first k of the others when the area is among them: so one matrix product serves all
    areas of k neighbours, and only areas met in the draw are computed again.
    """
    degrees = np.diff(lattice.matrix.indptr)
    most, n = int(degrees.max()), len(z)
    if most > n - 2:
        raise EstimationError(
            f"an area has {most} neighbours of {n} areas", f"at most {n - 2}: its neighbours could not change"
        )
    generator = np.random.Generator(np.random.PCG64(seed))
    orders = np.stack([generator.choice(n, most + 1, replace=False) for _ in range(permutations)])
    result = np.full(n, np.nan)
    for k in np.unique(degrees[degrees > 0]):
        same = np.flatnonzero(degrees == k)
        place = np.full(n, -1)
        place[same] = np.arange(len(same))
        w = lattice.matrix.data[lattice.matrix.indptr[same][:, None] + np.arange(k)]
        # Where an area of this kind is met among the first k of a draw.
        draw, position = np.nonzero(place[orders[:, :k]] >= 0)
        met = place[orders[draw, position]]
        others = np.where(np.arange(k) < position[:, None], orders[draw, :k], orders[draw, 1 : k + 1])
        fresh = (z[others] * w[met]).sum(axis=1)
        sample = z[orders[:, :k]]
        block = max(1, CELLS // permutations)
        for start in range(0, len(same), block):
            rows = same[start : start + block]
            lags = w[start : start + block] @ sample.T
            here = (met >= start) & (met < start + block)
            lags[met[here] - start, draw[here]] = fresh[here]
            result[rows] = _shares(lags, lag[rows], np.sign(z[rows]), alternative)
    return result


def _shares(lags: Array, observed: Array, sign: Array, alternative: str) -> Array:
    slack = (ROUNDING * np.maximum(np.abs(observed), np.abs(lags).max(axis=1)))[:, None]
    above = (lags >= observed[:, None] - slack).sum(axis=1) + 1
    below = (lags <= observed[:, None] + slack).sum(axis=1) + 1
    # The statistic is the lag times the area's own value: a value below the mean turns the tails round,
    # and a value at the mean makes all draws equal.
    total = lags.shape[1] + 1
    alike = np.where(sign > 0, above, np.where(sign < 0, below, total)) / total
    unlike = np.where(sign > 0, below, np.where(sign < 0, above, total)) / total
    if alternative == "two-sided":
        return np.minimum(1.0, 2 * np.minimum(alike, unlike))
    return alike if alternative == "greater" else unlike
