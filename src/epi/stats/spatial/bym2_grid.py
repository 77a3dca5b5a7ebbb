"""The hyperparameters of a BYM2 model: their priors, a grid where they are likely, their posterior laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.stats.spatial.bym2_field import Field, Mode

    Floats = NDArray[np.float64]

DEPTH = 7.5
"""The grid goes on while the log density is within this of its highest."""
STRIDE = 0.8
"""Of the grid, in standard deviations at the mode: sums over a smooth density are then all but exact."""
MOST_NODES = 1_500


@dataclass(frozen=True)
class Hyperparameter:
    """Posterior law of one hyperparameter.

    Parameters
    ----------
    mean, sd, low, median, high : float
        Mean, standard deviation, quantiles at 2.5, 50 and 97.5 %.
    """

    mean: float
    sd: float
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class MixingLaw:
    """Prior of phi, as its distance from the model without structure; that distance is exponential of rate 1.

    Parameters
    ----------
    distance : numpy.ndarray
        Increasing.
    log_rest : numpy.ndarray
        log(1 - phi) there.
    """

    distance: Floats
    log_rest: Floats

    def rest(self, log_distance: float) -> float:
        """Give log(1 - phi) at a distance.

        Parameters
        ----------
        log_distance : float
            Logarithm of the distance.

        Returns
        -------
        float
            Logarithm of the unstructured share of the variance.
        """
        # Both are powers of each other at either end: straight lines in logarithms.
        return -float(np.exp(np.interp(log_distance, np.log(self.distance), np.log(-self.log_rest))))


@dataclass(frozen=True)
class Node:
    """A point of the grid.

    Parameters
    ----------
    log_sigma, log_distance : float
        Where it is.
    weight : float
        Posterior weight.
    mode : Mode
        Mode of the field there.
    variance : numpy.ndarray
        Variances of the log risks.
    """

    log_sigma: float
    log_distance: float
    weight: float
    mode: Mode
    variance: Floats


def mixing_law(spectrum: Floats, below: float, chance: float) -> MixingLaw:
    """Build the penalised complexity prior of phi on a map.

    Parameters
    ----------
    spectrum : numpy.ndarray
        Eigenvalues of the covariance of the structured effects.
    below, chance : float
        The probability that phi is below the first is the second.

    Returns
    -------
    MixingLaw
        The prior.
    """
    free = spectrum[spectrum > 0]
    null = len(spectrum) - len(free)

    def distance(log_rest: Floats) -> Floats:
        # Twice the divergence of the mixed model from independence (Riebler and others 2016, appendix).
        phi = -np.expm1(log_rest)
        twice = phi * (free.sum() - len(spectrum)) - null * log_rest
        twice -= np.log1p(phi[:, None] * (free - 1)).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(twice, 0.0)))

    log_rest = -np.geomspace(1e-5, 1e6, 4_000)
    rate = -np.log1p(-chance) / distance(np.array([np.log1p(-below)]))[0]
    found = rate * distance(log_rest)
    return MixingLaw(found, log_rest)


def explore(field: Field, law: MixingLaw, rate: float, start: Floats) -> tuple[list[Node], Mode]:
    """Lay a grid over the hyperparameters wherever they are likely.

    Parameters
    ----------
    field : Field
        The model.
    law : MixingLaw
        Prior of phi.
    rate : float
        Rate of the exponential prior of sigma.
    start : numpy.ndarray
        Log risks to start from.

    Returns
    -------
    nodes : list of Node
        Points of the grid, in order, with weights that add up to one.
    centre : Mode
        Mode of the field at the most likely hyperparameters.

    Raises
    ------
    EstimationError
        If the hyperparameters are likely nowhere in particular.
    """
    from scipy.optimize import minimize

    last = start

    def visit(log_sigma: float, log_distance: float) -> tuple[float, Mode]:
        nonlocal last
        sigma = float(np.exp(log_sigma))
        mode = field.find_mode(sigma, law.rest(log_distance), last)
        last = mode.log_risk
        # Both priors are exponential; the logarithms are what is laid out evenly.
        prior = log_sigma - rate * sigma + log_distance - float(np.exp(log_distance))
        return mode.evidence + prior, mode

    rough = [(a, b) for a in np.arange(-3.0, 0.6, 0.7) for b in (-2.0, -0.5, 0.5, 1.2)]
    best = max(rough, key=lambda point: visit(*point)[0])
    found = minimize(
        lambda point: -visit(*point)[0], best, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-4}
    )
    peak = tuple(float(value) for value in found.x)
    top, centre = visit(*peak)
    steps = []
    for axis, widest in ((0, 0.6), (1, 0.7)):
        move = np.eye(2)[axis] * 0.05
        bend = (visit(*(peak + move))[0] + visit(*(peak - move))[0] - 2 * top) / 0.05**2
        steps.append(widest if bend >= -((STRIDE / widest) ** 2) else STRIDE / np.sqrt(-bend))
    seen: dict[tuple[int, int], tuple[float, Mode]] = {}
    ahead = [(0, 0)]
    while ahead:
        place = ahead.pop()
        if place in seen:
            continue
        last = centre.log_risk
        seen[place] = visit(peak[0] + place[0] * steps[0], peak[1] + place[1] * steps[1])
        if len(seen) > MOST_NODES:
            raise EstimationError("the hyperparameters of the map have no end", "more cases, or firmer priors")
        if seen[place][0] > top - DEPTH:
            i, j = place
            ahead += [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
    kept = sorted(place for place, (height, _) in seen.items() if height > top - DEPTH)
    weight = np.exp(np.array([seen[place][0] for place in kept]) - top)
    weight /= weight.sum()
    nodes = [
        Node(
            peak[0] + i * steps[0], peak[1] + j * steps[1], float(share), seen[i, j][1],
            seen[i, j][1].factor.variances(),
        )
        for (i, j), share in zip(kept, weight, strict=True)
    ]  # fmt: skip
    return nodes, centre


def summarise(nodes: list[Node], law: MixingLaw) -> tuple[Hyperparameter, Hyperparameter]:
    """Give the posterior laws of the hyperparameters.

    Parameters
    ----------
    nodes : list of Node
        Points of the grid.
    law : MixingLaw
        Prior of phi.

    Returns
    -------
    sigma, phi : Hyperparameter
        Their laws.
    """
    weight = np.array([node.weight for node in nodes])
    sigma = _law(np.array([node.log_sigma for node in nodes]), weight, np.exp)
    phi = _law(
        np.array([node.log_distance for node in nodes]),
        weight,
        lambda values: np.array([-np.expm1(law.rest(float(value))) for value in values]),
    )
    return sigma, phi


def _law(place: Floats, weight: Floats, back: Callable[[Floats], Floats]) -> Hyperparameter:
    """Law of a hyperparameter from the grid: its log density along the axis is a spline."""
    from scipy.interpolate import CubicSpline

    values, column = np.unique(place.round(9), return_inverse=True)
    mass = np.bincount(column, weight)
    if len(values) < 4:
        fine, density = values, mass
    else:
        fine = np.linspace(values[0], values[-1], 1_001)
        density = np.exp(CubicSpline(values, np.log(mass))(fine))
    density = density / density.sum()
    natural = np.asarray(back(fine))
    mean = float(density @ natural)
    # The share below a point counts half of its own.
    below = np.cumsum(density) - density / 2
    low, median, high = (float(np.interp(p, below, natural)) for p in (0.025, 0.5, 0.975))
    return Hyperparameter(mean, float(np.sqrt(density @ (natural - mean) ** 2)), low, median, high)
