"""Moran spectral randomisation: maps at random that are as autocorrelated as a given one.

A map is written on the eigenvectors of the doubly centred weights (Moran's eigenvector maps); its
coordinates there are redrawn in such a way that the mean, the variance and Moran's I stay exactly
what they were. Statistics of redrawn maps give a null distribution for the link between two
variables that are both autocorrelated, which permutations of areas do not.

Source: Wagner and Dray, Methods in Ecology and Evolution 2015;6:1169, as in R's ``adespatial::msr``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.lattice import Style, align, build_lattice
from epi.stats.spatial.weights import SpatialWeights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_AREAS = 6_000
"""Above this the dense matrix of eigenvectors takes more than a gigabyte."""
SAME = 1e-9
"""Eigenvalues closer than this, relative to the largest, are one eigenvalue met several times."""


@dataclass(frozen=True)
class MoranBasis:
    """Moran's eigenvector maps of a set of weights, to be built once and used for many maps.

    Parameters
    ----------
    labels : pandas.Index
        Codes of the areas, in the order given.
    order : numpy.ndarray
        Places of the areas sorted by code.
    eigenvalues : numpy.ndarray
        From the largest to the smallest, shape (areas - 1,); Moran's I of a map is the mean of them
        weighted by its squared coordinates, times areas / `total`.
    vectors : numpy.ndarray
        Orthonormal maps in columns, areas sorted by code, shape (areas, areas - 1); none is constant.
    total : float
        Sum of the weights.
    style : str
        Style of the weights.
    """

    labels: pd.Index
    order: NDArray[np.intp]
    eigenvalues: NDArray[np.float64]
    vectors: NDArray[np.float64]
    total: float
    style: str

    def __len__(self) -> int:
        return len(self.labels)

    def moran(self, values: ArrayLike) -> NDArray[np.float64]:
        """Compute Moran's I of maps from their coordinates.

        Parameters
        ----------
        values : array-like
            One map, shape (areas,), or several, shape (maps, areas), areas in the order of `labels`.

        Returns
        -------
        numpy.ndarray
            Moran's I of each.
        """
        maps = np.atleast_2d(np.asarray(values, dtype=float))[:, self.order]
        maps = maps - maps.mean(axis=1, keepdims=True)
        power = (maps @ self.vectors) ** 2
        return len(self) / self.total * (power @ self.eigenvalues) / (maps**2).sum(axis=1)


def build_moran_basis(weights: SpatialWeights, *, style: Style = "row") -> MoranBasis:
    """Find Moran's eigenvector maps: a few seconds for 1,700 areas.

    Parameters
    ----------
    weights : SpatialWeights
        Who is whose neighbour; weights that differ both ways are averaged, which Moran's I does not see.
        Areas without a neighbour stay.
    style : {"row", "binary", "given"}, optional
        As in :func:`epi.stats.spatial.moran_test`.

    Returns
    -------
    MoranBasis
        The maps, the same to rounding whatever the order of the areas.

    Raises
    ------
    EstimationError
        If nobody has a neighbour.
    ParameterError
        If there are more areas than memory allows.

    Examples
    --------
    >>> from epi.stats.spatial import weights_from_pairs
    >>> line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    >>> basis = build_moran_basis(line)
    >>> basis.vectors.shape, bool(abs(basis.vectors.sum(axis=0)).max() < 1e-12)
    ((6, 5), True)
    """
    if len(weights) > MOST_AREAS:
        raise ParameterError(
            f"{len(weights)} areas, whose eigenvectors are a dense matrix", f"at most {MOST_AREAS} areas",
            "larger areas, such as bassins de vie",
        )  # fmt: skip
    lattice = build_lattice(np.zeros(len(weights)), weights, style=style, islands="keep", least=3)
    n = len(weights)
    matrix = ((lattice.matrix + lattice.matrix.T) / 2).toarray()
    margins = matrix.mean(axis=0)
    matrix += matrix.mean() - margins[:, None] - margins[None, :]
    # The constant map is an eigenvector of value 0, as others may be: far below all others, it is
    # found for certain and left out.
    below = 2 * np.abs(matrix).sum(axis=1).max() + 1
    matrix -= below / n
    eigenvalues, vectors = np.linalg.eigh(matrix)
    eigenvalues, vectors = eigenvalues[1:][::-1].copy(), vectors[:, 1:][:, ::-1].copy()
    _settle(eigenvalues, vectors)
    return MoranBasis(weights.labels, lattice.places, eigenvalues, vectors, float(lattice.matrix.sum()), style)


def _settle(eigenvalues: NDArray[np.float64], vectors: NDArray[np.float64]) -> None:
    """Choose the basis of each repeated eigenvalue, which rounding would choose otherwise."""
    gap = SAME * max(np.abs(eigenvalues).max(), 1e-300)
    starts = np.flatnonzero(np.r_[True, -np.diff(eigenvalues) > gap])
    probes = np.random.Generator(np.random.PCG64(0))
    for start, end in zip(starts, np.r_[starts[1:], len(eigenvalues)], strict=True):
        if end - start > 1:
            space = vectors[:, start:end]
            probe = probes.standard_normal((len(space), end - start))
            settled, triangle = np.linalg.qr(space.T @ probe)
            # The sign of a column of a QR is free: the one that makes the triangle's diagonal positive.
            vectors[:, start:end] = space @ (settled * np.where(np.diagonal(triangle) < 0, -1.0, 1.0))
            eigenvalues[start:end] = eigenvalues[start:end].mean()


def spectral_randomisation(
    values: ArrayLike | pd.Series,
    weights: SpatialWeights | MoranBasis,
    n: int = 999,
    seed: int = 0,
    *,
    method: Literal["singleton", "triplet"] = "singleton",
    style: Style = "row",
) -> NDArray[np.float64]:
    """Draw maps with the mean, the variance and Moran's I of a given one.

    Parameters
    ----------
    values : array-like or pandas.Series
        The map: one value for each area, in the order of the weights, or a series with the codes of
        areas as its index.
    weights : SpatialWeights or MoranBasis
        Who is whose neighbour; a basis built once by :func:`build_moran_basis` spares its making.
    n : int, optional
        Number of maps.
    seed : int, optional
        Seed of the draws.
    method : {"singleton", "triplet"}, optional
        Each coordinate keeps its size and takes a random sign, which keeps the whole spectrum; or
        coordinates are redrawn by random triplets whose power and Moran's I stay.
    style : {"row", "binary", "given"}, optional
        Style of the weights; that of the basis when a basis is given.

    Returns
    -------
    numpy.ndarray
        The maps, shape (n, areas), areas in the order of the weights. With weights (not a basis), areas
        without a value are left out with their links and stay missing in every map.

    Raises
    ------
    EstimationError
        If too few areas have a value or their values are all alike.
    ParameterError
        If an option is unknown, values do not fit the weights, or values are missing with a basis.

    Examples
    --------
    >>> from epi.stats.spatial import moran_test, weights_from_pairs
    >>> line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    >>> maps = spectral_randomisation([1, 2, 3, 4, 5, 8], line, n=5)
    >>> [round(moran_test(one, line, permutations=0).value, 3) for one in [[1, 2, 3, 4, 5, 8], maps[0]]]
    [0.541, 0.541]
    """
    if method not in ("singleton", "triplet"):
        raise ParameterError(f"method is {method!r}", "singleton or triplet")
    if n < 1:
        raise ParameterError(f"n is {n}", "at least one map")
    if isinstance(weights, SpatialWeights):
        array = align(values, weights)
        known = ~np.isnan(array)
        basis = build_moran_basis(weights.select(weights.labels[known]), style=style)
        maps = np.full((n, len(array)), np.nan)
        maps[:, known] = _draw(array[known], basis, n, seed, method)
        return maps
    array = align(values, weights)
    if np.isnan(array).any():
        raise ParameterError(
            f"{int(np.isnan(array).sum())} of {len(array)} areas of the basis have no value",
            "a value for each area of the basis",
            "build the basis on weights.select(areas with a value)",
        )
    return _draw(array, weights, n, seed, method)


def _draw(array: NDArray[np.float64], basis: MoranBasis, n: int, seed: int, method: str) -> NDArray[np.float64]:
    sorted_values = array[basis.order]
    mean = sorted_values.mean()
    z = sorted_values - mean
    if not float(z @ z) > 1e-24 * max(float(sorted_values @ sorted_values), 1e-300):
        raise EstimationError(f"the values of all {len(z)} areas are alike", "values that differ")
    generator = np.random.Generator(np.random.PCG64(seed))
    coordinates = z @ basis.vectors
    signs = np.where(generator.random((n, len(coordinates))) < 0.5, -1.0, 1.0)
    if method == "singleton":
        drawn = signs * coordinates
    else:
        drawn = signs * np.sqrt(_triplets(coordinates**2, basis.eigenvalues, n, generator))
        # The sign of an eigenvector is free; that of its coordinate undoes it.
        drawn *= np.where(coordinates < 0, -1.0, 1.0)
    maps = np.empty((n, len(array)))
    maps[:, basis.order] = mean + drawn @ basis.vectors.T
    return maps


def _triplets(
    power: NDArray[np.float64], eigenvalues: NDArray[np.float64], n: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Redraw squared coordinates three by three: their sum and their sum weighted by eigenvalues stay."""
    result = np.tile(power, (n, 1))
    thirds = len(power) // 3
    for row in result:
        chosen = generator.permutation(len(power))[: 3 * thirds].reshape(thirds, 3)
        values, have = eigenvalues[chosen], row[chosen]
        # The one direction that changes neither sum.
        along = np.stack(
            [values[:, 1] - values[:, 2], values[:, 2] - values[:, 0], values[:, 0] - values[:, 1]], axis=1
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = -have / along
        low = np.where(along > 0, reach, -np.inf).max(axis=1)
        high = np.where(along < 0, reach, np.inf).min(axis=1)
        fixed = ~np.isfinite(low) | ~np.isfinite(high)
        low, high = np.where(fixed, 0.0, low), np.where(fixed, 0.0, high)
        step = low + (high - low) * generator.random(thirds)
        row[chosen.ravel()] = np.maximum(have + step[:, None] * along, 0.0).ravel()
    return result
