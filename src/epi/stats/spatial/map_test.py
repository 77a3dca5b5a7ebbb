"""Tests of maps against a residual, by maps at random that are as autocorrelated as the real ones.

Two maps that are both smooth in space look associated far too often: the model's p-value, and a
permutation of areas, take each area for a new piece of evidence. Here the residual is held fixed and the
exposure is redrawn by Moran spectral randomisation (Wagner and Dray, Methods Ecol Evol 2015;6:1169): its
coordinates on the eigenvectors of the spatial weights keep their size and take random signs. The
test is exact when these coordinates are uncorrelated, which they nearly are when weights fall
with distance (Dutilleul, Biometrics 1993;49:305, and Viladomat and others, Biometrics 2014;70:409, correct for
the same fault by an effective sample size and by smoothed permutations).

The statistic is the score of the exposure in the model without it: nothing is fitted again, and all
draws of all maps are one product of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.spectral import MoranBasis
from epi.stats.spatial.weights import SpatialWeights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

TIE = 1e-10
"""Statistics closer than this, relative to their size, are ties."""


@dataclass(frozen=True)
class MapTest:
    """Score of each map and its law over maps at random.

    Parameters
    ----------
    score : numpy.ndarray
        Observed score of each map, shape (maps,).
    z : numpy.ndarray
        Score over its standard deviation among the draws.
    p : numpy.ndarray
        Two-sided p-value of each map.
    drawn : numpy.ndarray
        Scores of the random maps over the same standard deviation, shape (draws, maps).
    dispersion : float
        Variance of the residual risk between areas, from the residuals.
    """

    score: NDArray[np.float64]
    z: NDArray[np.float64]
    p: NDArray[np.float64]
    drawn: NDArray[np.float64]
    dispersion: float


def distance_weights(labels: ArrayLike, lon: ArrayLike, lat: ArrayLike) -> SpatialWeights:
    """Weigh every pair of areas by its nearness: the largest distance less their distance.

    Parameters
    ----------
    labels : array-like
        Code of each area, distinct.
    lon, lat : array-like of float
        Their points, degrees WGS84.

    Returns
    -------
    SpatialWeights
        A weight for each pair, on great circles, as shares of the largest distance.

    Raises
    ------
    ParameterError
        If there are fewer than three areas or a point is no place on Earth.

    Notes
    -----
    The eigenvectors of these weights are those of the linear variogram, which has no range to
    choose: maps of short and of long range have coordinates on them that are nearly uncorrelated. Contiguity
    does not do that for maps of long range, and makes the test too ready to find something.

    Examples
    --------
    >>> weights = distance_weights(["a", "b", "c"], [0.0, 1.0, 3.0], [0.0, 0.0, 0.0])
    >>> weights.matrix.toarray().round(3).tolist()
    [[0.0, 0.668, 0.001], [0.668, 0.0, 0.334], [0.001, 0.334, 0.0]]
    """
    import pandas as pd
    from scipy import sparse

    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    if len(x) < 3 or len(x) != len(y) or not ((np.abs(x) <= 180) & (np.abs(y) <= 90)).all():
        raise ParameterError("these are not the points of three areas or more", "degrees of longitude and latitude")
    a, b = np.radians(x), np.radians(y)
    units = np.column_stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])
    arc = 2 * np.arcsin(np.clip(np.sqrt(((units[:, None] - units[None]) ** 2).sum(axis=2)) / 2, 0, 1))
    # A thousandth more than the largest, so that the farthest pair keeps a weight.
    near = 1.001 - arc / max(float(arc.max()), 1e-300)
    np.fill_diagonal(near, 0.0)
    return SpatialWeights(pd.Index(np.asarray(labels, dtype=object)), sparse.csr_array(near))


def area_dispersion(residual: ArrayLike, information: ArrayLike, terms: int = 1) -> float:
    """Estimate the variance of the residual risk between areas from residuals of a model without it.

    Parameters
    ----------
    residual : array-like of float
        Observed less fitted of each area.
    information : array-like of float
        Variance of it if persons were independent: the fitted count, or the sum of p (1 - p).
    terms : int, optional
        Number of coefficients fitted.

    Returns
    -------
    float
        The t with which residuals of variance w + t w² have a Pearson chi-square of their degrees
        of freedom (Breslow, Appl Stat 1984;33:38); 0 without overdispersion.

    Examples
    --------
    >>> area_dispersion([1.0, -1.0, 0.5], [2.0, 2.0, 2.0])
    0.0
    """
    r, w = np.asarray(residual, dtype=float), np.asarray(information, dtype=float)
    used = w > 0
    r, w = r[used], w[used]
    free = max(len(r) - terms, 1)

    def excess(t: float) -> float:
        return float((r**2 / (w + t * w**2)).sum()) - free

    if excess(0.0) <= 0:
        return 0.0
    top = 1.0
    while excess(top) > 0:
        top *= 4
    return float(brentq(excess, 0.0, top, xtol=1e-12, rtol=1e-12))


def map_score_test(
    maps: ArrayLike,
    residual: ArrayLike,
    information: ArrayLike,
    basis: MoranBasis,
    adjusters: ArrayLike | None = None,
    *,
    draws: int = 999,
    seed: int = 0,
) -> MapTest:
    """Test maps for an association with what a model without them leaves unexplained.

    Parameters
    ----------
    maps : array-like of float
        Exposures, complete, shape (maps, areas), areas in the order of the basis.
    residual : array-like of float
        Observed less fitted of each area, under the model without the exposures.
    information : array-like of float
        Its variance if persons were independent (see :func:`area_dispersion`); above zero.
    basis : MoranBasis
        Of the spatial weights, such as :func:`distance_weights`, by
        :func:`epi.stats.spatial.build_moran_basis` with ``style="given"``.
    adjusters : array-like of float, optional
        Means of the adjusters by area, shape (areas, terms), without the intercept.
    draws : int, optional
        Random maps.
    seed : int, optional
        Seed of the signs: the same for all maps, so that the correlation between them is kept.

    Returns
    -------
    MapTest
        One test for each map, p = (1 + draws at least as extreme) / (1 + draws).

    Raises
    ------
    EstimationError
        If values are missing, or a map does not vary beyond the adjusters.
    ParameterError
        If shapes do not fit.

    Notes
    -----
    With w the information and t the dispersion of areas, the working weight is v = w / (1 + t w) and
    the score of a map x is the sum of x r / (1 + t w): a large area does not outweigh all others when
    risk varies between areas. Maps are replaced by their residuals from the adjusters, weighted by v
    (as Freedman and Lane do), before they are redrawn; the residual is made orthogonal to the adjusters with the
    same weights.

    Examples
    --------
    >>> from epi.stats.spatial import build_moran_basis
    >>> place = np.arange(30.0)
    >>> basis = build_moran_basis(distance_weights(range(30), place / 10, np.zeros(30)), style="given")
    >>> wave, residual = np.sin(place), 3 * np.sin(place) + np.cos(7 * place)
    >>> test = map_score_test([wave, np.cos(2 * place)], residual, np.full(30, 4.0), basis)
    >>> test.p.tolist()[0], test.p[1] > 0.05
    (0.001, np.True_)
    """
    order = basis.order
    r, w = (np.asarray(values, dtype=float) for values in (residual, information))
    x = np.atleast_2d(np.asarray(maps, dtype=float))
    n = len(basis)
    z = np.ones((n, 1))
    if adjusters is not None:
        z = np.column_stack([z, np.asarray(adjusters, dtype=float).reshape(n, -1)])
    if r.shape != (n,) or w.shape != (n,) or x.shape[1] != n:
        raise ParameterError(f"maps of {x.shape[1]} areas and {len(r)} residuals", f"the {n} areas of the basis")
    if draws < 19:
        raise ParameterError(f"draws is {draws}", "19 or more")
    if not (np.isfinite(x).all() and np.isfinite(r).all() and np.isfinite(z).all() and (w > 0).all()):
        raise EstimationError("a map, a residual or an adjuster is missing in some area", "complete areas")
    # One stated order before any sum.
    r, w, x, z = r[order], w[order], x[:, order], z[order]
    dispersion = area_dispersion(r, w, z.shape[1])
    weight = w / (1 + dispersion * w)
    root = np.sqrt(weight)
    span = _orthonormal(root[:, None] * z)
    score = r / (1 + dispersion * w) / root
    score = root * (score - span @ (span.T @ score))
    left = root * x - ((root * x) @ span) @ span.T
    flat = np.abs(left).max(axis=1) <= 1e-9 * np.maximum(np.abs(root * x).max(axis=1), 1e-300)
    if flat.any():
        raise EstimationError(
            f"{int(flat.sum())} map(s) do not vary beyond the adjusters", "maps that the adjusters do not determine"
        )
    x = left / root
    coordinates = ((x - x.mean(axis=1, keepdims=True)) @ basis.vectors) * (score @ basis.vectors)
    generator = np.random.Generator(np.random.PCG64(seed))
    signs = np.where(generator.random((draws, n - 1)) < 0.5, -1.0, 1.0)
    drawn = signs @ coordinates.T
    observed = x @ score
    spread = np.sqrt((coordinates**2).sum(axis=1))
    extreme = np.abs(drawn) >= np.abs(observed) - TIE * spread
    p = (1 + extreme.sum(axis=0)) / (1 + draws)
    return MapTest(observed, observed / spread, p, drawn / spread, dispersion)


def family_p(z: ArrayLike, drawn: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values for a family of maps by the largest statistic of each draw.

    Parameters
    ----------
    z : array-like of float
        Observed statistic of each map.
    drawn : array-like of float
        Those of the random maps, redrawn together, shape (draws, maps).

    Returns
    -------
    numpy.ndarray
        Probability that any map of the family would do as much (Westfall and Young, step-down, 1993,
        algorithm 2.8): bounds the chance of any false discovery.

    Examples
    --------
    >>> family_p([3.0, 0.5], [[1.0, 2.0], [-0.2, 0.1], [0.4, -0.6]]).tolist()
    [0.25, 0.75]
    """
    observed, random = np.abs(np.asarray(z, dtype=float)), np.abs(np.asarray(drawn, dtype=float))
    order = np.argsort(-observed, kind="stable")
    # From the smallest statistic up: the largest among those not yet declared.
    running = np.maximum.accumulate(random[:, order[::-1]], axis=1)[:, ::-1]
    p = (1 + (running >= observed[order] - TIE).sum(axis=0)) / (1 + len(random))
    adjusted = np.empty(len(observed))
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def _orthonormal(columns: Array) -> Array:
    """Span the same maps by orthonormal ones; the first column is the intercept's."""
    first = columns[:, :1] / np.linalg.norm(columns[:, 0])
    rest = columns[:, 1:] - first @ (first.T @ columns[:, 1:])
    size = np.linalg.norm(rest, axis=0)
    rest = rest[:, size > 1e-9 * np.maximum(np.linalg.norm(columns[:, 1:], axis=0), 1e-300)]
    vectors, sizes, _ = np.linalg.svd(np.hstack([first, rest / np.linalg.norm(rest, axis=0)]), full_matrices=False)
    return np.asarray(vectors[:, sizes > 1e-9 * sizes[0]])
