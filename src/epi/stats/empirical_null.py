"""What a study finds where there is nothing to find: the law of its systematic error, from negative controls.

Schuemie and others, Stat Med 2014;33:209 and Proc Natl Acad Sci 2018;115:2571. The error of each control is drawn
from a normal law of unknown mean and spread, over its random error. Mean and spread are integrated over (flat
priors; the spread's from 0 to 1 on the log scale), so that few controls give wide answers, not sure ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from epi.errors import EstimationError
from epi.stats.intervals import check_level

Array = NDArray[np.float64]
LEAST = 4
"""With fewer controls a flat prior of their spread says more than they do."""
LARGEST_SPREAD = 1.0


@dataclass(frozen=True)
class EmpiricalNull:
    """Law of the systematic error of a log ratio.

    Parameters
    ----------
    spreads, weights : numpy.ndarray
        Possible spreads of the error and their posterior weights.
    means, variances : numpy.ndarray
        Mean of the error given each spread, and the variance of that mean.
    n : int
        Number of controls.
    """

    spreads: Array
    weights: Array
    means: Array
    variances: Array
    n: int

    @property
    def mean(self) -> float:
        """Posterior mean of the systematic error."""
        return float(self.weights @ self.means)

    @property
    def spread(self) -> float:
        """Posterior mean of its spread between controls."""
        return float(self.weights @ self.spreads)

    def p(self, log_ratio: float, error: float) -> float:
        """Give the two-sided p-value of an estimate, were it a control too.

        Parameters
        ----------
        log_ratio, error : float
            The estimate and its standard error.

        Returns
        -------
        float
            Calibrated p-value.
        """
        below = self._below(log_ratio, error, 0.0)
        return float(2 * min(below, 1 - below))

    def interval(self, log_ratio: float, error: float, level: float = 0.95) -> tuple[float, float, float]:
        """Take the systematic error out of an estimate.

        Parameters
        ----------
        log_ratio, error : float
            The estimate and its standard error.
        level : float, optional
            Level of the limits.

        Returns
        -------
        tuple of float
            Estimate and limits, log scale.
        """
        check_level(level)
        tail = (1 - level) / 2
        reach = 40 * (error + float(self.spreads.max()) + float(np.sqrt(self.variances.max())))

        def end(share: float) -> float:
            return float(
                brentq(
                    lambda value: 1 - self._below(log_ratio, error, value) - share,
                    log_ratio - self.mean - reach,
                    log_ratio - self.mean + reach,
                    xtol=1e-12,
                )
            )

        return log_ratio - self.mean, end(tail), end(1 - tail)

    def _below(self, log_ratio: float, error: float, truth: float) -> float:
        """Probability that an estimate would be lower than the one found, if this were the true log ratio."""
        spread = np.sqrt(error**2 + self.spreads**2 + self.variances)
        return float(self.weights @ norm.cdf((log_ratio - truth - self.means) / spread))


def fit_empirical_null(log_ratios: ArrayLike, errors: ArrayLike) -> EmpiricalNull:
    """Fit the law of the systematic error to negative controls.

    Parameters
    ----------
    log_ratios, errors : array-like of float
        Estimates for controls, whose true log ratio is 0, and their standard errors; four or more.

    Returns
    -------
    EmpiricalNull
        The law.

    Raises
    ------
    EstimationError
        If there are fewer than four controls, or an estimate or error is missing.

    Examples
    --------
    >>> null = fit_empirical_null([0.2, 0.25, 0.15, 0.22, 0.18], [0.05] * 5)
    >>> round(null.mean, 2), null.p(0.2, 0.05) > 0.9, null.p(0.6, 0.05) < 0.01
    (0.2, True, True)
    """
    x, se = np.asarray(log_ratios, dtype=float), np.asarray(errors, dtype=float)
    if len(x) < LEAST or len(x) != len(se):
        raise EstimationError(f"{len(x)} negative control(s)", f"{LEAST} or more, each with its standard error")
    if not (np.isfinite(x).all() and np.isfinite(se).all() and (se > 0).all()):
        raise EstimationError("a negative control has no estimate or no standard error", "controls that were fitted")
    spreads = np.linspace(0.0, LARGEST_SPREAD, 801)
    precision = 1 / (se[None, :] ** 2 + spreads[:, None] ** 2)
    total = precision.sum(axis=1)
    means = (precision @ x) / total
    # The likelihood of a spread, the mean integrated over.
    away = (precision * (x[None, :] - means[:, None]) ** 2).sum(axis=1)
    log_weight = 0.5 * (np.log(precision).sum(axis=1) - np.log(total) - away)
    weights = np.exp(log_weight - log_weight.max())
    return EmpiricalNull(spreads, weights / weights.sum(), means, 1 / total, len(x))
