"""Generalised linear models with a cluster-robust covariance.

The coefficients are statsmodels'; the sandwich is computed in :mod:`epi.stats.clusters`: by default
bias-reduced (CR2, with Satterthwaite degrees of freedom, as R's ``clubSandwich`` for the whitened rows: of a ``glm``
itself it takes another root, and errors differ by a percent or so), or CR1, the scores
summed within clusters times G / (G - 1), G being the number of clusters (as ``sandwich::vcovCL``).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.errors import EstimationError
from epi.stats.clusters import ClusterCovariance, Correction, WaldTest, cluster_covariance, wald_test
from epi.stats.design import check_design, find_separation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

Family = Literal["binomial", "poisson", "quasi-poisson", "negative-binomial"]

SUSPECT = 12.0
"""Log odds beyond this, or log rates that differ by more, are looked into for separation."""


@dataclass(frozen=True)
class GlmFit:
    """Coefficients of a fitted model.

    Parameters
    ----------
    names : tuple of str
        Terms, the intercept first.
    coefficients, standard_errors : numpy.ndarray
        In the order of `names`.
    covariance : numpy.ndarray
        Their covariance, by `kind`.
    kind : str
        ``model``, ``quasi`` or ``cluster``.
    n : int
        Rows used.
    n_clusters : int or None
        Number of clusters, when the covariance is cluster-robust.
    dispersion : float
        Pearson chi-square over its degrees of freedom.
    degrees : numpy.ndarray
        Degrees of freedom of each coefficient's standard error, for Student's law; infinite unless
        clusters are corrected for their leverage.
    theta : float or None
        Size of a negative binomial: variance = mean + mean² / theta.
    back : numpy.ndarray, optional
        What brings coefficients of the centred and scaled terms back.
    clusters : ClusterCovariance, optional
        Covariance of those over clusters.
    """

    names: tuple[str, ...]
    coefficients: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    covariance: NDArray[np.float64]
    kind: str
    n: int
    n_clusters: int | None
    dispersion: float
    degrees: NDArray[np.float64]
    theta: float | None = None
    back: NDArray[np.float64] | None = None
    clusters: ClusterCovariance | None = None

    def contrast(self, weights: ArrayLike) -> tuple[float, float, float]:
        """Estimate a linear combination of the coefficients.

        Parameters
        ----------
        weights : array-like of float
            One for each term, the intercept first.

        Returns
        -------
        tuple of float
            Estimate, standard error, and degrees of freedom of Student's law (infinite: the normal one).
        """
        row = np.asarray(weights, dtype=float)
        error = float(np.sqrt(max(row @ self.covariance @ row, 0.0)))
        degrees = np.inf
        if self.clusters is not None and self.back is not None and row.any():
            degrees = self.clusters.degrees_of(row @ self.back)
        return float(row @ self.coefficients), error, degrees

    def wald(self, names: Sequence[str]) -> WaldTest:
        """Test that the coefficients of some terms are all zero.

        Parameters
        ----------
        names : sequence of str
            The terms.

        Returns
        -------
        WaldTest
            Robust to clusters where the fit is (HTZ), else a chi-square.
        """
        places = [self.names.index(name) for name in names]
        if self.clusters is not None and self.back is not None:
            scaled = np.asarray(np.linalg.solve(self.back, self.coefficients), dtype=float)
            return self.clusters.wald(scaled, self.back[places])
        beta = self.coefficients[places]
        statistic = float(beta @ np.linalg.solve(self.covariance[np.ix_(places, places)], beta))
        return wald_test(statistic, len(places), np.inf)

    def degrees_of(self, name: str) -> float:
        """Give the degrees of freedom of a coefficient's standard error.

        Parameters
        ----------
        name : str
            A term.

        Returns
        -------
        float
            Infinite where the normal law serves.
        """
        return float(self.degrees[self.names.index(name)])

    def term(self, name: str) -> tuple[float, float]:
        """Give a coefficient and its standard error.

        Parameters
        ----------
        name : str
            A term.

        Returns
        -------
        tuple of float
            Coefficient and standard error.
        """
        place = self.names.index(name)
        return float(self.coefficients[place]), float(self.standard_errors[place])


def fit_glm(
    design: pd.DataFrame,
    outcome: ArrayLike,
    *,
    family: Family,
    offset: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    correction: Correction = "CR2",
    model: str = "the model",
) -> GlmFit:
    """Fit a model with its canonical or log link, after checking that it can be.

    Parameters
    ----------
    design : pandas.DataFrame
        One column for each term, without the intercept, complete.
    outcome : array-like
        0 and 1 for ``binomial``; counts for the others.
    family : {"binomial", "poisson", "quasi-poisson", "negative-binomial"}
        Distribution; the link is logit or log.
    offset : array-like of float, optional
        Added to the linear predictor with coefficient 1 (log expected).
    clusters : array-like, optional
        Cluster of each row: the covariance is then robust to dependence within clusters.
    correction : {"CR2", "CR1"}, optional
        Bias-reduced, with degrees of freedom, or the plain sandwich; see :mod:`epi.stats.clusters`.
    model : str, optional
        What is fitted, for messages.

    Returns
    -------
    GlmFit
        Coefficients and covariance. Without clusters, the covariance is the model's, times the
        dispersion for ``quasi-poisson``; with clusters, the dispersion is reported and not used.

    Raises
    ------
    EstimationError
        If the design is at fault, cases are separated, the fit does not converge, or there are
        fewer than two clusters.

    Examples
    --------
    >>> import pandas as pd
    >>> x = pd.DataFrame({"exposed": [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]})
    >>> fit = fit_glm(x, [2, 3, 4, 5, 7, 6], family="poisson")
    >>> round(float(np.exp(fit.term("exposed")[0])), 6)
    2.0
    """
    y = np.asarray(outcome, dtype=float)
    check_design(design, y, model=model, counts=family != "binomial" and offset is not None)
    if family == "binomial" and not set(np.unique(y)) <= {0.0, 1.0}:
        raise EstimationError(f"{model}: the outcome is not 0 and 1", "case status")
    shift = np.zeros(len(y)) if offset is None else np.asarray(offset, dtype=float)
    if shift.shape != y.shape or not np.isfinite(shift).all():
        raise EstimationError(
            f"{model}: the offset is missing or infinite in {int((~np.isfinite(shift)).sum())} row(s)",
            "the logarithm of an expected number above zero",
        )
    group = None if clusters is None else _cluster_codes(clusters, len(y), model)
    # Terms are centred and scaled for the fit, then brought back: the normal equations keep digits.
    raw = design.to_numpy(dtype=float)
    centre, spread = raw.mean(axis=0), raw.std(axis=0)
    x = np.column_stack([np.ones(len(y)), (raw - centre) / spread])
    if family == "negative-binomial":
        beta, weight, residual, mu, theta = _negative_binomial(x, y, shift, design, model)
    else:
        theta = None
        beta, mu = _irls(x, y, shift, family, None, design, model)
        weight = mu * (1 - mu) if family == "binomial" else mu
        residual = y - mu
    variance = weight if theta is None else mu + mu**2 / theta
    free = len(y) - x.shape[1]
    dispersion = float(((y - mu) ** 2 / variance).sum() / free)
    bread = np.linalg.inv((x * weight[:, None]).T @ x)
    back = np.diag(np.concatenate([[1.0], 1 / spread]))
    back[0, 1:] = -centre / spread
    degrees = np.full(x.shape[1], np.inf)
    if group is not None:
        count = int(group.max()) + 1
        robust = cluster_covariance(x, weight, residual, group, back, correction)
        covariance, degrees, kind = robust.matrix, robust.degrees, "cluster"
    else:
        count, robust = None, None
        kind = "quasi" if family == "quasi-poisson" else "model"
        covariance = bread * (dispersion if kind == "quasi" else 1.0)
    covariance = back @ covariance @ back.T
    return GlmFit(
        names=("intercept", *map(str, design.columns)),
        coefficients=back @ beta,
        standard_errors=np.sqrt(np.diag(covariance)),
        covariance=covariance,
        kind=kind,
        n=len(y),
        n_clusters=count,
        dispersion=dispersion,
        degrees=degrees,
        theta=theta,
        back=back,
        clusters=robust,
    )


def _cluster_codes(clusters: ArrayLike, rows: int, model: str) -> NDArray[np.intp]:
    import pandas as pd

    codes, labels = pd.factorize(pd.Series(clusters).reset_index(drop=True), sort=True)
    if len(codes) != rows or (codes < 0).any():
        without = int((codes < 0).sum())
        raise EstimationError(f"{model}: {without} row(s) have no cluster", "one cluster a row")
    if len(labels) < 2:
        raise EstimationError(
            f"{model} cannot be fitted: {len(labels)} cluster, robust errors need two",
            "at least two clusters",
            "a finer cluster",
        )
    return codes


def _irls(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    offset: NDArray[np.float64],
    family: Family,
    alpha: float | None,
    design: pd.DataFrame | None,
    model: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    if family == "binomial":
        law = sm.families.Binomial()
    elif alpha is not None:
        law = sm.families.NegativeBinomial(alpha=alpha)
    else:
        law = sm.families.Poisson()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Separation is looked for below and told in words; a fit that ends is judged by its state.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            fit = sm.GLM(y, x, family=law, offset=offset).fit(maxiter=200, tol=1e-13, tol_criterion="params")
        except (np.linalg.LinAlgError, ValueError) as error:
            raise EstimationError(f"{model}: the fit failed", "a design that can be fitted") from error
    beta, eta = np.asarray(fit.params), np.asarray(x @ fit.params)
    broken = not np.isfinite(beta).all()
    if family == "binomial" and design is not None and (broken or np.abs(eta).max() > SUSPECT):
        apart = find_separation(design, y)
        if apart:
            raise EstimationError(
                f"{model}: cases and controls are separated by {', '.join(map(repr, apart))}",
                "overlap of cases and controls",
                "group categories, or leave the named columns out",
            )
    if family != "binomial" and design is not None and (broken or np.ptp(eta) > SUSPECT):
        apart = find_separation(design, y, counts=True)
        if apart:
            raise EstimationError(
                f"{model}: counts are zero wherever {', '.join(map(repr, apart))} would have them, so that no rate "
                "ratio is finite",
                "cases among the exposed and the others",
                "group categories, or leave the named columns out",
            )
    if broken or not _settled(x, y, np.asarray(fit.mu), alpha):
        raise EstimationError(
            f"{model}: the fit did not converge in 200 steps",
            "a fit that converges",
            "fewer or rescaled columns",
        )
    return beta, np.asarray(fit.mu)


def _settled(x: NDArray[np.float64], y: NDArray[np.float64], mu: NDArray[np.float64], alpha: float | None) -> bool:
    """Tell whether the score is zero, up to rounding, as it is at a maximum."""
    residual = y - mu if alpha is None else (y - mu) / (1 + alpha * mu)
    # The floor lets a model that fits to the letter, with no residual left but rounding, be settled.
    size = np.sqrt((x**2).sum(axis=0) * max(float((residual**2).sum()), 1e-9 * float(mu.sum())))
    return bool((np.abs(x.T @ residual) <= 1e-6 * size).all())


def _negative_binomial(
    x: NDArray[np.float64], y: NDArray[np.float64], offset: NDArray[np.float64], design: pd.DataFrame, model: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Maximum likelihood by turns of coefficients and size, as in MASS::glm.nb."""
    from scipy.optimize import brentq
    from scipy.special import xlogy

    if not (y == np.floor(y)).all():
        raise EstimationError(f"{model}: the outcome of a negative binomial is not whole", "counts")
    beta, mu = _irls(x, y, offset, "poisson", None, design, model)
    # Rows with more than k events: digamma(theta + y) - digamma(theta) as a sum that loses no digit.
    steps = np.arange(int(y.max()))
    beyond = len(y) - np.searchsorted(np.sort(y), steps, side="right")

    def score(log_theta: float) -> float:
        theta = np.exp(log_theta)
        return float((beyond / (theta + steps)).sum() + ((mu - y) / (mu + theta) - np.log1p(mu / theta)).sum())

    none = EstimationError(
        f"{model}: the counts are not overdispersed, no negative binomial fits",
        "a variance above the mean",
        'family="poisson"',
    )
    log_theta, change, flat, sure = np.inf, np.inf, mu, True
    for _ in range(200):
        top = np.log(1e8)
        if score(top) >= 0 or ((y - mu) ** 2 - mu).sum() <= 0:
            # A city that holds most of the counts sits on its mean and outweighs all that the others vary: a negative
            # binomial may still be more likely than Poisson, for a smaller size.
            below = [place for place in np.linspace(np.log(1e-6), top, 73)[1:-1] if score(place) < 0]
            if not below:
                raise none
            top, sure = below[0], False
        previous, log_theta = log_theta, brentq(score, np.log(1e-6), top, xtol=1e-14, rtol=1e-14)
        theta = float(np.exp(log_theta))
        beta, mu = _irls(x, y, offset, "negative-binomial", 1 / theta, None, model)
        former, change = change, abs(log_theta - previous)
        # Settled, or only rounding is left, which no further turn takes away.
        if change < 1e-12 or former <= change < 1e-7:
            scale = 1 + mu / theta
            if not sure and _gain(y, mu, theta) <= float((xlogy(y, flat) - flat).sum()):
                raise none
            return beta, mu / scale, (y - mu) / scale, mu, theta
    raise EstimationError(f"{model}: the negative binomial did not converge", "a fit that converges")


def _gain(y: NDArray[np.float64], mu: NDArray[np.float64], theta: float) -> float:
    """Log likelihood of a negative binomial, without what depends on the counts alone."""
    from scipy.special import gammaln, xlogy

    parts = gammaln(theta + y) - gammaln(theta) - theta * np.log1p(mu / theta) - xlogy(y, (theta + mu) / mu)
    return float(parts.sum())
