"""Risk that falls with the distance from a point source, on cases and controls or on counts of areas.

The relative risk at distance d is 1 + alpha exp(-(d / beta)²) (Diggle, J R Stat Soc A 1990;153:349). Given where cases
and controls live the labels are binary outcomes whose odds are proportional to it (Diggle and Rowlingson, J R Stat Soc
A 1994;157:433); counts of areas are Poisson about expected numbers times it (Diggle and others, Appl
Stat 1997;46:493). Diggle writes the decay as exp(-b d²): b is 1 / beta².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.focused import check_finite, check_focused_counts, draw_maps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

ALPHAS = np.geomspace(0.05, 2_000, 24)
REACHES = 24
"""Values of beta looked at, between half the smallest and the largest distance."""
BLOCK = 256
TIE = 1e-9


@dataclass(frozen=True)
class PointSource:
    """Risk near a point source.

    Parameters
    ----------
    alpha : float
        Excess relative risk at the source itself; 0 when no raised risk is seen.
    beta_m : float
        Distance at which the excess has fallen by a factor of e, metres; missing when `alpha` is 0.
    level : float
        Ratio far away: of observed to expected, or odds of being a case.
    log_likelihood_ratio : float
        Against a risk that is the same everywhere.
    p_chi2 : float
        Of twice the ratio by chi-square with two degrees of freedom, as published. An approximation: without
        an excess there is no beta.
    p : float
        By Monte-Carlo, on the largest ratio over a grid of alpha and beta.
    at_edge : bool
        Whether the best beta or alpha is at the edge of what was looked at: the estimates then mean little.
    """

    alpha: float
    beta_m: float
    level: float
    log_likelihood_ratio: float
    p_chi2: float
    p: float
    at_edge: bool

    def relative_risk(self, distance_m: ArrayLike) -> NDArray[np.float64]:
        """Give the fitted relative risk at some distances.

        Parameters
        ----------
        distance_m : array-like
            Distances, metres.

        Returns
        -------
        numpy.ndarray
            Risk over that far away.
        """
        away = np.asarray(distance_m, dtype=float)
        if self.alpha == 0:
            return np.ones_like(away)
        return np.asarray(1 + self.alpha * np.exp(-((away / self.beta_m) ** 2)))


def fit_point_source(case: ArrayLike, distance_m: ArrayLike, *, replicates: int = 999, seed: int = 0) -> PointSource:
    """Fit a risk that falls from a source to the places of cases and controls.

    Parameters
    ----------
    case : array-like of bool
        Whether each point is a case, shape (points,).
    distance_m : array-like
        Distance of each point from the source, metres.
    replicates : int, optional
        Permutations of the labels.
    seed : int, optional
        Seed of the permutations.

    Returns
    -------
    PointSource
        Estimates and the test of no excess (alpha = 0 against alpha > 0).

    Raises
    ------
    EstimationError
        If cases or controls are lacking, or a distance is missing, negative or the same for all.
    ParameterError
        If shapes differ, labels are not of two kinds, or `replicates` is below 1.

    Examples
    --------
    >>> away = np.linspace(100, 10_000, 200)
    >>> sick = np.arange(200) % np.where(np.arange(200) < 24, 2, 10) == 0
    >>> found = fit_point_source(sick, away)
    >>> found.alpha > 4, 500 < found.beta_m < 5_000, found.p < 0.01
    (True, True, True)
    """
    labels = np.asarray(case)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise ParameterError("cases are not told by true and false", "True for a case, False for a control")
    away = _check_distances(distance_m, len(labels))
    if replicates < 1:
        raise ParameterError(f"replicates is {replicates}", "1 or more")
    order = np.lexsort((labels, away))
    sick, away = labels[order].astype(float), away[order]
    cases, points = float(sick.sum()), len(sick)
    if not 0 < cases < points:
        raise EstimationError(f"{cases:.0f} of {points} points are cases", "cases and controls")

    def rest(risk: Array) -> tuple[float, float]:
        # The best odds far away do not depend on which points are cases, only on how many.
        log_odds = np.log(cases / (points - cases)) - np.log(risk.mean())
        for _ in range(100):
            chance = 1 / (1 + np.exp(-log_odds) / risk)
            step = (cases - chance.sum()) / (chance * (1 - chance)).sum()
            log_odds += np.clip(step, -2, 2)
            if abs(step) < 1e-13:
                break
        return float(cases * log_odds - np.log1p(np.exp(log_odds) * risk).sum()), float(np.exp(log_odds))

    generator = np.random.Generator(np.random.PCG64(seed))
    draws = (
        generator.permuted(np.tile(sick, (min(BLOCK, replicates - start), 1)), axis=1)
        for start in range(0, replicates, BLOCK)
    )
    return _fit(sick, away, rest, draws, replicates)


def fit_point_source_counts(
    observed: ArrayLike, expected: ArrayLike, distance_m: ArrayLike, *, replicates: int = 999, seed: int = 0
) -> PointSource:
    """Fit a risk that falls from a source to counts of areas.

    Parameters
    ----------
    observed, expected : array-like
        Cases and expected cases of each area, shape (areas,).
    distance_m : array-like
        Distance of each area from the source, metres.
    replicates : int, optional
        Maps drawn under a constant risk, their total given.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    PointSource
        Estimates and the test of no excess; the level of risk is free.

    Raises
    ------
    EstimationError
        If counts cannot be fitted, or a distance is missing, negative or the same for all.
    ParameterError
        If shapes differ or `replicates` is below 1.

    Examples
    --------
    >>> away = np.linspace(500, 20_000, 40)
    >>> cases = np.where(away < 2_500, 18, 6)
    >>> found = fit_point_source_counts(cases, np.full(40, 6.0), away)
    >>> round(found.level, 2), found.p
    (0.99, 0.001)
    """
    cases, people = check_focused_counts(observed, expected, replicates)
    away = _check_distances(distance_m, len(cases))
    order = np.lexsort((cases, people, away))
    cases, people, away = cases[order], people[order], away[order]
    total, share = float(cases.sum()), people / people.sum()

    def rest(risk: Array) -> tuple[float, float]:
        mean = float((share * risk).sum())
        return -total * np.log(mean), total / float(people.sum()) / mean

    draws = draw_maps(int(total), share, share * total, True, replicates, seed)
    return _fit(cases, away, rest, draws, replicates)


def _check_distances(distance_m: ArrayLike, n: int) -> Array:
    away = check_finite(distance_m, n, "distances")
    if (away < 0).any():
        raise EstimationError(f"{int((away < 0).sum())} distances are negative", "metres of zero or more")
    if len(np.unique(away)) < 3:
        raise EstimationError("there are fewer than three distances from the source", "areas or points near and far")
    return away


def _fit(
    cases: Array, away: Array, rest: Callable[[Array], tuple[float, float]], draws: Iterable[Array], replicates: int
) -> PointSource:
    """Maximise over alpha and beta: the likelihood is linear in the cases but for `rest`."""
    from scipy.optimize import minimize
    from scipy.stats import chi2

    base, level = rest(np.ones_like(away))
    # A fall within half the nearest distance could not be told from a shorter one with a larger excess.
    shortest, longest = max(0.5 * float(away[away > 0].min()), 1e-3 * float(away.max())), float(away.max())
    reaches = np.geomspace(shortest, longest, REACHES)
    pairs = [(alpha, beta) for beta in reaches for alpha in ALPHAS]
    risks = np.array([1 + alpha * np.exp(-((away / beta) ** 2)) for alpha, beta in pairs])
    level_terms = np.array([rest(risk)[0] for risk in risks]) - base
    logs = np.log(risks, out=risks)
    grid = logs @ cases + level_terms
    top = float(max(grid.max(), 0.0))
    reached = 0
    for drawn in draws:
        best = np.maximum((drawn @ logs.T + level_terms).max(axis=1), 0.0)
        reached += int((best >= top - TIE * max(top, 1.0)).sum())
    p = (1 + reached) / (1 + replicates)
    lows, highs = np.log([ALPHAS[0] * 1e-3, shortest]), np.log([ALPHAS[-1], longest])

    def less(at: Array) -> float:
        inside = np.clip(at, lows, highs)
        alpha, beta = np.exp(inside)
        risk = 1 + alpha * np.exp(-((away / beta) ** 2))
        return float(base - rest(risk)[0] - cases @ np.log(risk) + ((at - inside) ** 2).sum())

    found = minimize(
        less, np.log(pairs[int(np.argmax(grid))]), method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4_000, "maxfev": 8_000},
    )  # fmt: skip
    value = -float(found.fun)
    if not value > 1e-9:
        return PointSource(0.0, float("nan"), level, 0.0, 1.0, p, False)
    at = np.clip(found.x, lows, highs)
    alpha, beta = (float(one) for one in np.exp(at))
    edge = bool((np.abs(at - lows) < 1e-6).any() or (np.abs(at - highs) < 1e-6).any())
    level = rest(1 + alpha * np.exp(-((away / beta) ** 2)))[1]
    return PointSource(alpha, beta, level, value, float(chi2.sf(2 * value, 2)), p, edge)
