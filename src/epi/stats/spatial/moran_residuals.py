"""Moran's I of residuals, whose null distribution depends on the model that left them.

Residuals of a fitted model are correlated with each other even without any spatial autocorrelation,
so that neither the moments nor the permutations of Moran's I of data hold for them. For linear
models moments are exact (Cliff and Ord, Spatial Processes, 1981, page 203; R's
``spdep::lm.morantest``); for counts the model is fitted anew to counts drawn from it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.lattice import (
    Alternative,
    Islands,
    Lattice,
    Style,
    align,
    build_lattice,
    check_alternative,
    normal_p,
    rank_p,
)
from epi.stats.spatial.moran import Autocorrelation

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from epi.stats.spatial.weights import SpatialWeights

    Array = NDArray[np.float64]

Residual = Literal["pearson", "deviance"]
SETTLED = 1e-9
"""A Poisson fit has settled when no linear predictor that matters moves by more than this."""
TURNS = 60


def moran_test_residuals(
    outcome: ArrayLike | pd.Series,
    design: ArrayLike,
    weights: SpatialWeights,
    *,
    style: Style = "row",
    islands: Islands = "drop",
    alternative: Alternative = "two-sided",
    permutations: int = 999,
    seed: int = 0,
) -> Autocorrelation:
    """Test autocorrelation of the residuals of a linear regression.

    Parameters
    ----------
    outcome : array-like or pandas.Series
        One value for each area, shape (areas,).
    design : array-like
        Covariates in the order of the areas of `weights`, shape (areas, k), without a constant, which
        is added. Areas with a missing number are left out of the fit and of the test.
    weights, style, islands, alternative : object
        As in :func:`epi.stats.spatial.moran_test`; the model is fitted to the areas that take part.
    permutations : int, optional
        Residuals are permuted and regressed anew on the covariates (Freedman and Lane 1983).
    seed : int, optional
        Seed of the permutations.

    Returns
    -------
    Autocorrelation
        The test; moments are exact for normal errors.

    Raises
    ------
    EstimationError
        If too few areas take part, covariates are collinear, or residuals are all zero.
    ParameterError
        If an option is unknown or shapes do not fit.

    Examples
    --------
    >>> from epi.stats.spatial import weights_from_pairs
    >>> line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    >>> test = moran_test_residuals([1, 2, 4, 3, 6, 9], [0, 1, 0, 1, 1, 2], line, permutations=0)
    >>> round(test.value, 3), round(test.expectation, 3)
    (-0.301, -0.235)
    """
    _check(alternative, permutations)
    lattice, x = _prepare(outcome, design, weights, style, islands)
    y = np.asarray(lattice.values)
    n, k = x.shape
    basis = np.linalg.qr(x)[0]
    residuals = y - basis @ (basis.T @ y)
    if not float(residuals @ residuals) > 1e-20 * max(float(y @ y), 1e-300):
        raise EstimationError("the covariates leave no residual", "an outcome that they do not give entirely")
    half = (lattice.matrix + lattice.matrix.T) / 2
    s0 = float(lattice.matrix.sum())
    # Traces of MUM and of its square, M being what takes residuals and U the symmetric weights.
    lagged = half @ basis
    inner = basis.T @ lagged
    first = -float(np.trace(inner))
    second = float((half.data**2).sum()) - 2 * float((lagged**2).sum()) + float((inner**2).sum())
    free = n - k
    scale = n / s0
    expectation = scale * first / free
    sd = float(np.sqrt(scale**2 * (2 * second + first**2) / (free * (free + 2)) - expectation**2))

    def statistic(e: Array) -> float:
        return scale * float(e @ (half @ e)) / float(e @ e)

    generator = np.random.Generator(np.random.PCG64(seed))
    draws = np.empty(permutations)
    shuffled = residuals.copy()
    for place in range(permutations):
        generator.shuffle(shuffled)
        draws[place] = statistic(shuffled - basis @ (basis.T @ shuffled))
    value = statistic(residuals)
    score = (value - expectation) / sd
    return Autocorrelation(
        "Moran's I of residuals", value, expectation, sd, score, normal_p(score, alternative),
        rank_p(value, draws, expectation, alternative), n, lattice.matrix.nnz, lattice.islands,
        lattice.missing, alternative, "normality", draws,
    )  # fmt: skip


def moran_test_counts(
    counts: ArrayLike | pd.Series,
    expected: ArrayLike | pd.Series,
    weights: SpatialWeights,
    design: ArrayLike | None = None,
    *,
    residual: Residual = "pearson",
    style: Style = "row",
    islands: Islands = "drop",
    alternative: Alternative = "two-sided",
    simulations: int = 999,
    seed: int = 0,
) -> Autocorrelation:
    """Test autocorrelation of the residuals of a Poisson regression of counts.

    Parameters
    ----------
    counts : array-like or pandas.Series
        Cases of each area, shape (areas,).
    expected : array-like or pandas.Series
        Expected cases or persons at risk of each area, above zero, shape (areas,).
    weights : SpatialWeights
        Who is whose neighbour.
    design : array-like, optional
        Covariates in the order of the areas of `weights`, shape (areas, k), without a constant; by
        default the risk is the same everywhere.
    residual : {"pearson", "deviance"}, optional
        Which residuals.
    style, islands, alternative : object
        As in :func:`epi.stats.spatial.moran_test`; the model is fitted to the areas that take part.
    simulations : int, optional
        Counts are drawn from the fitted model, their total given, and the model is fitted anew to each.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    Autocorrelation
        The test; its moments are those of the simulations, and `p_permutation` is their share.

    Raises
    ------
    EstimationError
        If too few areas take part, covariates are collinear, or the model cannot be fitted.
    ParameterError
        If an option is unknown or shapes do not fit.

    Notes
    -----
    Poisson counts are the hypothesis: counts that vary more, without any likeness of neighbours, have
    heavier tails than the draws. Moran's I is relative to the variance of residuals, so that its
    size hardly suffers; ask :func:`epi.stats.spatial.overdispersion.dispersion_tests` about the excess.

    Examples
    --------
    >>> from epi.stats.spatial import weights_from_pairs
    >>> line = weights_from_pairs(list("abcdefgh"), list("abcdefg"), list("bcdefgh"))
    >>> test = moran_test_counts([19, 18, 15, 12, 9, 6, 5, 4], [10] * 8, line)
    >>> round(test.value, 3), test.p_permutation < 0.05
    (0.889, True)
    """
    _check(alternative, simulations)
    if simulations < 19:
        raise ParameterError(f"simulations is {simulations}", "19 or more: they give the moments")
    if residual not in ("pearson", "deviance"):
        raise ParameterError(f"residual is {residual!r}", "pearson or deviance")
    cases, people = align(counts, weights, "counts"), align(expected, weights, "expected cases")
    if (cases < 0).any() or (cases % 1 > 0).any() or (people <= 0).any():
        raise EstimationError(
            "counts or expected cases are out of range", "whole counts of zero or more, expected cases above zero"
        )
    known = np.where(np.isnan(people), np.nan, cases)
    lattice, x = _prepare(known, np.empty((len(known), 0)) if design is None else design, weights, style, islands)
    y, offset = np.asarray(lattice.values), np.log(people[lattice.places])
    if not y.sum() > 0:
        raise EstimationError("there is no case", "at least one case")
    mean, start = _fit_poisson(y, x, offset, None)
    half = (lattice.matrix + lattice.matrix.T) / 2
    scale = len(y) / float(lattice.matrix.sum())

    def statistic(found: Array, fitted: Array) -> float:
        e = _residuals(found, fitted, residual)
        return scale * float(e @ (half @ e)) / float(e @ e)

    generator = np.random.Generator(np.random.PCG64(seed))
    draws = np.empty(simulations)
    for place in range(simulations):
        drawn = generator.multinomial(int(y.sum()), mean / mean.sum()).astype(float)
        draws[place] = statistic(drawn, _fit_poisson(drawn, x, offset, start)[0])
    value, expectation, sd = statistic(y, mean), float(draws.mean()), float(draws.std(ddof=1))
    score = (value - expectation) / sd
    test = Autocorrelation(
        f"Moran's I of {residual} residuals", value, expectation, sd, score, normal_p(score, alternative),
        rank_p(value, draws, expectation, alternative), len(y), lattice.matrix.nnz, lattice.islands,
        lattice.missing, alternative, "simulation", draws,
    )  # fmt: skip
    return replace(test, p_analytic=float("nan"))


def _check(alternative: str, permutations: int) -> None:
    check_alternative(alternative)
    if permutations < 0:
        raise ParameterError(f"permutations is {permutations}", "0 or more")


def _prepare(
    outcome: ArrayLike | pd.Series, design: ArrayLike, weights: SpatialWeights, style: Style, islands: Islands
) -> tuple[Lattice, Array]:
    """Keep complete areas, in order, and give their covariates with a constant."""
    values = align(outcome, weights, "outcomes")
    x = np.asarray(design, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or len(x) != len(values) or np.isinf(x).any():
        raise ParameterError(f"the design has shape {x.shape}", f"finite covariates of the {len(values)} areas in rows")
    values = np.where(np.isnan(x).any(axis=1), np.nan, values)
    least = x.shape[1] + 4
    lattice = build_lattice(values, weights, style=style, islands=islands, least=least)
    part = x[lattice.places]
    middle, spread = part.mean(axis=0), part.std(axis=0)
    if (spread <= 1e-12 * np.maximum(np.abs(middle), 1e-300)).any():
        raise EstimationError("a covariate is constant", "covariates that vary; a constant is added already")
    full = np.column_stack([np.ones(len(part)), (part - middle) / np.where(spread > 0, spread, 1)])
    if np.linalg.matrix_rank(full, tol=1e-8 * np.sqrt(len(full))) < full.shape[1]:
        raise EstimationError("covariates are collinear", "covariates that do not give each other")
    return lattice, full


def _fit_poisson(y: Array, x: Array, offset: Array, start: Array | None) -> tuple[Array, Array]:
    """Fit counts by Newton steps, halved while the likelihood falls; means and coefficients."""
    b = np.zeros(x.shape[1])
    b[0] = np.log(y.sum() / np.exp(offset).sum())
    if x.shape[1] == 1:
        return np.exp(offset + b[0]), b
    b = b if start is None else start.copy()

    def likelihood(at: Array) -> float:
        eta = x @ at + offset
        return float(y @ eta - np.exp(np.minimum(eta, 700)).sum())

    best = likelihood(b)
    for _ in range(TURNS):
        mean = np.exp(x @ b + offset)
        step = np.linalg.lstsq((x * mean[:, None]).T @ x, x.T @ (y - mean), rcond=None)[0]
        while (value := likelihood(b + step)) < best - 1e-12 * abs(best):
            step /= 2
        b, best = b + step, value
        # What a step does to the means, relative to their standard deviations.
        if float(np.abs(x @ step * np.sqrt(mean)).max()) < SETTLED * np.sqrt(len(y)):
            return np.exp(x @ b + offset), b
    raise EstimationError("the Poisson regression did not settle", "covariates that counts can tell apart")


def _residuals(y: Array, mean: Array, kind: str) -> Array:
    if kind == "pearson":
        return (y - mean) / np.sqrt(mean)
    from scipy.special import xlogy

    return np.sign(y - mean) * np.sqrt(2 * np.maximum(xlogy(y, y / mean) - (y - mean), 0.0))
