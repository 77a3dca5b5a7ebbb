"""The intrinsic autoregressive effect of a map, scaled so that its variance means the same on every map.

Each connected part of the map has its own constraint (the effects add up to zero) and its own scale,
by which the geometric mean of their variances is one; an island has an effect of variance one, tied to
nothing (Sørbye and Rue, Spatial Statistics 2014;8:39-51; Freni-Sterrantino, Ventrucci and Rue, Spatial
and Spatio-temporal Epidemiology 2018;26:25-34).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, sparse

from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.stats.spatial.weights import SpatialWeights

    Floats = NDArray[np.float64]

MOST_AREAS = 6_000
"""Beyond, the eigenvalues of the map take too long; communes are better gathered in larger areas."""
RIDGE = 1e-8
"""Added to the precision of the effects, whose constraints it then bears: it makes it invertible."""


@dataclass(frozen=True)
class ScaledIcar:
    """Precision of the scaled effects of a map, areas ordered so that neighbours are near each other.

    Parameters
    ----------
    order : numpy.ndarray
        Position in the weights of each area of this order, shape (areas,).
    bands : numpy.ndarray
        Precision as lower bands: row k holds the entries k below the diagonal; shape (width + 1, areas).
    constraints : numpy.ndarray
        One row of zeros and ones for each part of several areas, in this order; shape (parts, areas).
    scales : numpy.ndarray
        Geometric mean of the variances of each such part before scaling.
    spectrum : numpy.ndarray
        Eigenvalues of the covariance of the effects, zeros of the constraints included; shape (areas,).
    """

    order: NDArray[np.intp]
    bands: Floats
    constraints: Floats
    scales: Floats
    spectrum: Floats

    def quadratic(self, values: Floats) -> float:
        """Give the quadratic form of effects, in this order.

        Parameters
        ----------
        values : numpy.ndarray
            Effects, shape (areas,).

        Returns
        -------
        float
            Effects times precision times effects.
        """
        total = float((self.bands[0] * values**2).sum())
        for k in range(1, len(self.bands)):
            total += 2 * float((self.bands[k, : len(values) - k] * values[:-k] * values[k:]).sum())
        return total


def build_icar(weights: SpatialWeights) -> ScaledIcar:
    """Build the scaled intrinsic autoregressive effect of a map.

    Parameters
    ----------
    weights : SpatialWeights
        Who is whose neighbour; neighbours either way are neighbours, and all weigh the same.

    Returns
    -------
    ScaledIcar
        Precision, constraints, scales and eigenvalues.

    Raises
    ------
    ParameterError
        If no area has a neighbour, or there are more than 6,000 areas.

    Examples
    --------
    >>> from epi.stats.spatial.weights import weights_from_pairs
    >>> chain = weights_from_pairs(list("abc"), list("ab"), list("bc"))
    >>> build_icar(chain).scales.round(4).tolist()
    [0.4093]
    """
    n = len(weights)
    pairs = weights.pairs
    if n > MOST_AREAS:
        raise ParameterError(f"{n:,} areas are too many for this model", f"{MOST_AREAS:,} at most", "larger areas")
    if not len(pairs):
        raise ParameterError("no area has a neighbour", "a map of neighbours", "an empirical Bayes method")
    both = np.concatenate([pairs, pairs[:, ::-1]])
    adjacency = sparse.csr_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(n, n))
    order = sparse.csgraph.reverse_cuthill_mckee(adjacency, symmetric_mode=True).astype(np.intp)
    place = np.empty(n, dtype=np.intp)
    place[order] = np.arange(n)
    low, high = np.sort(place[pairs], axis=1).T
    bands = np.zeros((int((high - low).max()) + 1, n))
    np.add.at(bands[0], low, 1.0)
    np.add.at(bands[0], high, 1.0)
    bands[high - low, low] = -1.0
    parts = sparse.csgraph.connected_components(adjacency, directed=False)[1][order]
    sizes = np.bincount(parts)
    spectrum, constraints, scales = np.ones(n), [], []
    for part in np.flatnonzero(sizes > 1):
        inside = np.flatnonzero(parts == part)
        first, last = inside[0], inside[-1] + 1
        if last - first != len(inside):
            raise EstimationError("the parts of a map are not in one piece each", "an order by parts")
        own = bands[:, first:last]
        variances = _variances(own)
        scale = float(np.exp(np.log(variances).mean()))
        values = linalg.eigvals_banded(own * scale, lower=True)
        bands[:, first:last] *= scale
        spectrum[first:last] = np.concatenate([[0.0], 1 / values[1:]])
        constraints.append((parts == part).astype(float))
        scales.append(scale)
    bands[0, sizes[parts] == 1] = 1.0
    return ScaledIcar(order, bands, np.array(constraints), np.array(scales), spectrum)


def _variances(bands: Floats) -> Floats:
    """Variances of the effects of one part, which add up to zero, from its precision without scale."""
    n = bands.shape[1]
    # The last effect is held at zero, then all are brought back to a mean of zero.
    factor = linalg.cholesky_banded(bands[:, :-1], lower=True)
    held = np.append(inverse_diagonal(factor), 0.0)
    means = np.append(linalg.cho_solve_banded((factor, True), np.ones(n - 1)), 0.0) / n
    return np.asarray(held - 2 * means + means.mean())


def inverse_diagonal(factor: Floats) -> Floats:
    """Give the diagonal of the inverse of a banded matrix.

    Parameters
    ----------
    factor : numpy.ndarray
        Its Cholesky factor as lower bands, from :func:`scipy.linalg.cholesky_banded`.

    Returns
    -------
    numpy.ndarray
        The diagonal of the inverse, shape (n,).

    Notes
    -----
    Taken in blocks as wide as the bands, the matrix is block tridiagonal, and the blocks of its inverse
    on the diagonal follow from the last to the first (the equations of Takahashi, Fagan and Chen, 1973).

    Examples
    --------
    >>> inverse_diagonal(np.array([[1.0, 2.0], [1.0, 0.0]])).tolist()
    [1.25, 0.25]
    """
    width, n = len(factor) - 1, factor.shape[1]
    step = max(width, 24)
    starts = list(range(0, n, step))
    diagonal = np.empty(n)
    inverse = np.empty((0, 0))
    for start in reversed(starts):
        stop, beyond = min(start + step, n), min(start + 2 * step, n)
        own = _block(factor, start, stop, start, stop)
        root = linalg.solve_triangular(own, np.eye(stop - start), lower=True)
        found = root.T @ root
        if beyond > stop:
            across = _block(factor, stop, beyond, start, stop) @ root
            found += across.T @ inverse @ across
        diagonal[start:stop] = np.diag(found)
        inverse = found
    return diagonal


def _block(factor: Floats, top: int, bottom: int, left: int, right: int) -> Floats:
    """Rows and columns of a lower triangular matrix given as bands."""
    columns = np.arange(left, right)[None, :]
    below = np.arange(top, bottom)[:, None] - columns
    inside = (below >= 0) & (below < len(factor))
    return np.asarray(np.where(inside, factor[np.clip(below, 0, len(factor) - 1), columns], 0.0))
