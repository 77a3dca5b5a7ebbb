"""BYM2: relative risks of areas with structured and unstructured variation, by nested Laplace approximations.

The model is that of Riebler, Sørbye, Simpson and Rue (Stat Methods Med Res 2016;25:1145-1165):

    observed ~ Poisson(expected · exp(x b + sigma (√(1 - phi) v + √phi u)))

v being independent, u the scaled intrinsic autoregressive effect of :mod:`epi.stats.spatial.icar`.
sigma has the penalised complexity prior P(sigma > 1) = 0.01, phi that of the paper, P(phi < 1/2) = 2/3.

The approximation is that of Rue, Martino and Chopin (JRSS B 2009;71:319-392): the field is normal at its
mode for given hyperparameters, whose posterior is found by Laplace's method and summed over a grid. The
mean of each log risk and coefficient is corrected to first order in the third derivatives of the
likelihood, and its law given the skewness they make. ``tests/oracle/bym2_mcmc.py`` samples the same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.bym2_field import Field, Mode
from epi.stats.spatial.bym2_grid import Hyperparameter, Node, explore, mixing_law, summarise
from epi.stats.spatial.icar import build_icar
from epi.stats.spatial.skew_mixture import SkewMixture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.stats.spatial.weights import SpatialWeights

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bym2:
    """Posterior laws of a BYM2 model.

    Parameters
    ----------
    log_risk : SkewMixture
        Log relative risk of each area against its expected number, covariates included.
    coefficients : SkewMixture
        The intercept, at the mean of the covariates, then one coefficient for each unit of a covariate.
    sigma, phi : Hyperparameter
        Standard deviation of the effects of areas; share of their variance that is structured.
    nodes : int
        Points of the grid of hyperparameters.
    scales : numpy.ndarray
        Geometric mean variance of the unscaled effects, one for each part of several areas.
    settings : mapping
        The priors.
    """

    log_risk: SkewMixture
    coefficients: SkewMixture
    sigma: Hyperparameter
    phi: Hyperparameter
    nodes: int
    scales: Floats
    settings: Mapping[str, float]

    @property
    def estimate(self) -> Floats:
        """Posterior median of each relative risk."""
        return np.asarray(np.exp(self.log_risk.quantile(0.5)))

    @property
    def mean(self) -> Floats:
        """Posterior mean of each relative risk."""
        return self.log_risk.mean_of_exp()

    @property
    def sd(self) -> Floats:
        """Posterior standard deviation of each relative risk."""
        return np.asarray(np.sqrt(self.log_risk.mean_of_exp(2) - self.mean**2))

    def quantile(self, probability: float) -> Floats:
        """Give a quantile of each relative risk.

        Parameters
        ----------
        probability : float
            Between 0 and 1.

        Returns
        -------
        numpy.ndarray
            Relative risks.
        """
        return np.asarray(np.exp(self.log_risk.quantile(probability)))

    def exceedance(self, threshold: float = 1.0) -> Floats:
        """Give the posterior probability that the relative risk is above a threshold.

        Parameters
        ----------
        threshold : float, optional
            Relative risk.

        Returns
        -------
        numpy.ndarray
            Probabilities.

        Raises
        ------
        ParameterError
            If the threshold is not above zero.
        """
        if not threshold > 0:
            raise ParameterError(f"threshold is {threshold}", "a relative risk above zero", "threshold=1")
        return np.asarray(1 - self.log_risk.cdf(np.log(threshold)))


def fit_bym2(
    observed: ArrayLike,
    expected: ArrayLike,
    weights: SpatialWeights,
    covariates: ArrayLike | None = None,
    *,
    sigma_above: float = 1.0,
    sigma_chance: float = 0.01,
    phi_below: float = 0.5,
    phi_chance: float = 2 / 3,
    precision: float = 0.001,
) -> Bym2:
    """Fit the BYM2 model to counts of areas.

    Parameters
    ----------
    observed : array-like of int
        Cases of each area, in the order of the weights' labels; missing ones are predicted.
    expected : array-like of float
        Expected cases, above zero.
    weights : SpatialWeights
        Who is whose neighbour; islands have unstructured variation only.
    covariates : array-like of float, optional
        Complete, shape (areas, covariates).
    sigma_above, sigma_chance : float, optional
        Prior of sigma: the probability that it is above the first is the second.
    phi_below, phi_chance : float, optional
        Prior of phi: the probability that it is below the first is the second.
    precision : float, optional
        Prior precision of the intercept and of each coefficient, covariates being standardised.

    Returns
    -------
    Bym2
        Posterior laws.

    Raises
    ------
    EstimationError
        If counts, expected numbers or covariates are at fault, all faults at once.
    ParameterError
        If a prior is no prior, or the map has no neighbours or too many areas.

    Notes
    -----
    Areas are taken in the order given: sort them for the same figures to the last digit whatever the
    order of a file. The prior of phi is that of R-INLA: exponential of the distance from the model
    without structure, all eigenvalues of the map's covariance counted, the null one of each part too.

    Examples
    --------
    >>> from epi.stats.spatial.weights import weights_from_pairs
    >>> ring = weights_from_pairs(range(8), range(8), [1, 2, 3, 4, 5, 6, 7, 0])
    >>> fit = fit_bym2([9, 12, 8, 5, 2, 1, 3, 6], [5.0] * 8, ring)
    >>> bool((fit.estimate[:3] > 1).all()), bool((fit.estimate[4:6] < 1).all())
    (True, True)
    """
    y, e, x = _check(observed, expected, weights, covariates)
    for name, value in (("sigma_chance", sigma_chance), ("phi_below", phi_below), ("phi_chance", phi_chance)):
        if not 0 < value < 1:
            raise ParameterError(f"{name} is {value}", "a number between 0 and 1")
    if not (sigma_above > 0 and precision > 0):
        raise ParameterError(f"sigma_above is {sigma_above} and precision {precision}", "numbers above zero")
    icar = build_icar(weights)
    centre, spread = x.mean(axis=0), x.std(axis=0)
    terms = np.column_stack([np.ones(len(y)), (x - centre) / spread])[icar.order]
    known = np.isfinite(y)[icar.order]
    field = Field(
        np.where(known, y[icar.order], 0.0), np.where(known, e[icar.order], 0.0), terms, icar, precision
    )  # fmt: skip
    law = mixing_law(icar.spectrum, phi_below, phi_chance)
    rate = -np.log(sigma_chance) / sigma_above
    start = np.where(known, np.log((field.observed + 0.5) / (field.expected + 0.5)), 0.0)
    nodes, centre_node = explore(field, law, rate, start)
    weight = np.array([node.weight for node in nodes])
    risks, coefficients = _correct(nodes, centre_node)
    back = np.empty(len(y), dtype=np.intp)
    back[icar.order] = np.arange(len(y))
    unit = np.concatenate([[1.0], spread])
    return Bym2(
        SkewMixture.of_moments(weight, *(moment[:, back] for moment in risks)),
        SkewMixture.of_moments(weight, coefficients[0] / unit, coefficients[1] / unit, coefficients[2]),
        *summarise(nodes, law),
        len(nodes),
        icar.scales,
        {
            "sigma_above": sigma_above, "sigma_chance": sigma_chance, "phi_below": phi_below,
            "phi_chance": phi_chance, "coefficient_precision": precision,
        },
    )  # fmt: skip


def _correct(nodes: list[Node], centre: Mode) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Means, standard deviations and skewness of log risks and coefficients at every node."""
    whole = centre.factor.covariance()
    own = np.diag(whole)
    # Third cumulants of the log risks: all areas bear on each. The full sums are taken once, at the centre; they
    # change with the hyperparameters as the area's own part does.
    share = (centre.factor.weight @ whole**3) / own**1.5
    alone = centre.factor.weight * own**1.5
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(alone > 0, share / alone, 0.0)
    risks, coefficients = [], []
    for node in nodes:
        factor, weight = node.mode.factor, node.mode.factor.weight
        variance = node.variance
        shift_b, _, _, shift = factor.respond(-weight * variance / 2)
        # Where a count is missing its own part is none: the whole is kept as it is at the centre.
        skew = -np.where(alone > 0, ratio * weight * variance**1.5, share)
        risks.append((node.mode.log_risk + shift, np.sqrt(variance), skew))
        covariance, with_risks = factor.coefficient_covariance()
        spread = np.sqrt(np.diag(covariance))
        coefficients.append((node.mode.coefficients + shift_b, spread, -(with_risks**3 @ weight) / spread**3))
    return (
        tuple(np.array(moment) for moment in zip(*risks, strict=True)),
        tuple(np.array(moment) for moment in zip(*coefficients, strict=True)),
    )


def _check(
    observed: ArrayLike, expected: ArrayLike, weights: SpatialWeights, covariates: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    y, e = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    x = np.empty((y.size, 0)) if covariates is None else np.asarray(covariates, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    faults = []
    if not y.shape == e.shape == (len(weights),):
        faults.append(f"{y.size} observed and {e.size} expected numbers for {len(weights)} areas of the weights")
    else:
        wrong = int(((y < 0) | (np.isfinite(y) & (y != np.round(y))) | np.isinf(y)).sum())
        without = int((~np.isfinite(e) | (e <= 0)).sum())
        if wrong:
            faults.append(f"{wrong} observed numbers are negative, infinite or not whole")
        if without:
            faults.append(f"{without} expected numbers are missing, zero or negative")
        if not np.nansum(y):
            faults.append("there is no case")
    if x.ndim != 2 or len(x) != y.size:
        faults.append(f"covariates of shape {x.shape} for {y.size} areas")
    elif not np.isfinite(x).all():
        faults.append(f"covariates are missing or infinite in {int((~np.isfinite(x)).any(axis=1).sum())} areas")
    elif x.shape[1]:
        design = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-300)])
        if np.linalg.matrix_rank(design) < design.shape[1]:
            faults.append("covariates are constant, or one follows from the others")
    if faults:
        raise EstimationError(
            "these counts cannot be fitted",
            "whole observed numbers (missing ones are predicted), expected numbers above zero, complete covariates",
            faults=faults,
        )
    return y, e, x
