"""The interval of a ratio that holds when exposure and residual risk are smooth in space.

It holds every ratio that the spatial test of :mod:`epi.stats.spatial.map_test` does not reject, with the
law of the signs taken as normal (Student's, for the few coordinates that carry a smooth map). Rows of an
area are dependent, and areas are as far as their residuals on the eigenvectors say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.stats import t as student

from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level
from epi.stats.spatial.map_test import area_dispersion
from epi.stats.spatial.spectral import MoranBasis

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class MapInterval:
    """A log ratio and its limits.

    Parameters
    ----------
    estimate, low, high : float
        For one unit of the exposure; limits are infinite when the data cannot bound it.
    degrees : float
        Degrees of freedom of the variance.
    dispersion : float
        Variance of the residual risk between areas.
    """

    estimate: float
    low: float
    high: float
    degrees: float
    dispersion: float


def map_interval(
    exposure: ArrayLike,
    outcome: ArrayLike,
    codes: ArrayLike,
    basis: MoranBasis,
    adjusters: ArrayLike | None = None,
    *,
    family: Literal["binomial", "poisson"],
    offset: ArrayLike | None = None,
    level: float = 0.95,
) -> MapInterval:
    """Estimate a log ratio with limits by inversion of the spatial test.

    Parameters
    ----------
    exposure : array-like of float
        One value for each row.
    outcome : array-like of float
        Counts, or 0 and 1.
    codes : array-like of int
        Area of each row: its place among the areas of the basis, each of which has rows.
    basis : MoranBasis
        As in :func:`epi.stats.spatial.map_test.map_score_test`.
    adjusters : array-like of float, optional
        Shape (rows, terms), without the intercept.
    family : {"binomial", "poisson"}
        Law of the outcome.
    offset : array-like of float, optional
        Added to the linear predictor.
    level : float, optional
        Confidence level.

    Returns
    -------
    MapInterval
        Estimate and limits on the log scale.

    Raises
    ------
    EstimationError
        If the equations have no solution.
    ParameterError
        If an area of the basis has no row.

    Notes
    -----
    Estimating equations: sum of z (y - m) / (1 + t w), where w is the information of the row's area and t the
    dispersion between areas, solved in turn. With c and d the coordinates of the exposure (adjusted) and of the
    score on the basis, the variance of the exposure's score is the sum of (c d)², d taken at the ratio under test,
    plus what varies inside areas; the limits solve a quadratic. Degrees of freedom: Satterthwaite's, coordinates
    of the score being normal.

    Examples
    --------
    >>> from epi.stats.spatial import build_moran_basis, distance_weights
    >>> place = np.arange(40.0)
    >>> basis = build_moran_basis(distance_weights(range(40), place / 10, np.zeros(40)), style="given")
    >>> x = np.sin(place)
    >>> found = map_interval(x, np.round(50 * np.exp(0.3 * x)), np.arange(40), basis, family="poisson")
    >>> round(found.estimate, 2), found.low < 0.3 < found.high
    (0.3, True)
    """
    check_level(level)
    y, x, place = np.asarray(outcome, dtype=float), np.asarray(exposure, dtype=float), np.asarray(codes)
    shift = np.zeros(len(y)) if offset is None else np.asarray(offset, dtype=float)
    n = len(basis)
    if len(np.unique(place)) != n:
        raise ParameterError(f"{len(np.unique(place))} areas have rows", f"rows in each of the {n} areas of the basis")
    others = np.ones((len(y), 1))
    if adjusters is not None and np.size(adjusters):
        given = np.asarray(adjusters, dtype=float).reshape(len(y), -1)
        others = np.column_stack([others, (given - given.mean(axis=0)) / given.std(axis=0)])
    size = float(x.std())
    z = np.column_stack([others, (x - x.mean()) / size])
    # One stated order of areas before any sum over them.
    rank = np.empty(n, dtype=np.intp)
    rank[basis.order] = np.arange(n)
    place = rank[place]

    def by_area(values: Array) -> Array:
        return np.bincount(place, weights=values, minlength=n).astype(float)

    beta = np.zeros(z.shape[1])
    beta[0] = np.log(y.sum() / np.exp(shift).sum()) if family == "poisson" else np.log(y.mean() / (1 - y.mean()))
    for step in range(200):
        linear = z @ beta + shift
        m = np.exp(linear) if family == "poisson" else 1 / (1 + np.exp(-linear))
        w = m if family == "poisson" else m * (1 - m)
        information, residual = by_area(w), by_area(y - m)
        # The dispersion is settled first among well-fitted residuals, then held while the rest converges.
        if step < 50:
            dispersion = area_dispersion(residual, information, z.shape[1])
        shrink = 1 / (1 + dispersion * information)
        weight = w * shrink[place]
        bread = (z * weight[:, None]).T @ z
        move = np.linalg.solve(bread, z.T @ ((y - m) * shrink[place]))
        beta = beta + np.clip(move, -2, 2)
        if np.abs(move).max() < 1e-10:
            break
    else:
        raise EstimationError("the equations of the spatial interval have no solution", "a fit that converges")
    root = np.linalg.solve((others * weight[:, None]).T @ others, (others * weight[:, None]).T @ z[:, -1])
    own = z[:, -1] - others @ root
    mean = by_area(w * own) / information
    inside = float((shrink[place] ** 2 * w * (own - mean[place]) ** 2).sum())
    c = (mean - mean.mean()) @ basis.vectors
    d = (shrink * residual) @ basis.vectors
    a = (shrink * by_area(w * own)) @ basis.vectors
    power = float(weight @ own**2)
    cd = c * d
    total = float((cd**2).sum()) + inside
    degrees = max(3 * total**2 / max(float((cd**4).sum()), 1e-300), 1.0)
    q2 = float(student.isf((1 - level) / 2, degrees)) ** 2
    lead = power**2 - q2 * float(((c * a) ** 2).sum())
    slope = q2 * float((c**2 * d * a).sum())
    if lead <= 0:
        low, high = -np.inf, np.inf
    else:
        reach = np.sqrt(slope**2 + lead * q2 * total)
        low, high = beta[-1] - (slope + reach) / lead, beta[-1] - (slope - reach) / lead
    return MapInterval(float(beta[-1]) / size, low / size, high / size, degrees, dispersion)
