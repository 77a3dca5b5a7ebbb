"""Empirical Bayes relative risks of areas: counts lend strength to each other through a common law.

Every method takes observed and expected numbers and gives the posterior law of each area's relative
risk: gamma (Poisson-gamma, Marshall) or log-normal (Clayton and Kaldor). The common law is estimated
from the same counts and then taken as known, so that intervals are somewhat too narrow, the more so
the fewer the areas; :mod:`epi.stats.spatial.bym2` carries that uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

STEPS = 10_000
TOLERANCE = 1e-13
SMALLEST_VARIANCE = 1e-6
"""Of log risks: below, areas do not differ by a tenth of a percent."""


@dataclass(frozen=True)
class EmpiricalBayes:
    """Posterior law of each area's relative risk.

    Parameters
    ----------
    method : str
        How the common law was estimated.
    law : {"gamma", "log-normal"}
        The family of the posterior laws.
    first, second : numpy.ndarray
        Shape and rate of a gamma law, or mean and standard deviation of the logarithm; shape (areas,).
        Infinite shape, or a standard deviation of zero: the counts show no variation beyond chance,
        the law has collapsed onto the common risk and its limits would mean nothing.
    estimate : numpy.ndarray
        Relative risk, shape (areas,): posterior mean of a gamma law; exponential of the posterior mean
        of the logarithm of a log-normal one, as Clayton and Kaldor give it.
    parameters : mapping
        Parameters of the common law.
    """

    method: str
    law: Literal["gamma", "log-normal"]
    first: Floats
    second: Floats
    estimate: Floats
    parameters: Mapping[str, float]

    @property
    def collapsed(self) -> NDArray[np.bool_]:
        """Areas whose law has no width, because the counts vary no more than chance would have them."""
        return np.isinf(self.first) if self.law == "gamma" else self.second == 0

    def quantile(self, probability: float) -> Floats:
        """Give a quantile of each area's relative risk.

        Parameters
        ----------
        probability : float
            Between 0 and 1.

        Returns
        -------
        numpy.ndarray
            Relative risks; missing where the law has collapsed.

        Raises
        ------
        ParameterError
            If it is no probability.
        """
        from scipy import stats

        check_level(probability)
        place = np.full(len(self.estimate), np.nan)
        kept = ~self.collapsed
        first, second = self.first[kept], self.second[kept]
        if self.law == "gamma":
            place[kept] = stats.gamma.ppf(probability, first, scale=1 / second)
        else:
            place[kept] = np.exp(first + second * stats.norm.ppf(probability))
        return place

    def exceedance(self, threshold: float = 1.0) -> Floats:
        """Give the posterior probability that the relative risk is above a threshold.

        Parameters
        ----------
        threshold : float, optional
            Relative risk.

        Returns
        -------
        numpy.ndarray
            Probabilities; missing where the law has collapsed.

        Raises
        ------
        ParameterError
            If the threshold is not above zero.
        """
        from scipy import stats

        if not threshold > 0:
            raise ParameterError(f"threshold is {threshold}", "a relative risk above zero", "threshold=1")
        chance = np.full(len(self.estimate), np.nan)
        kept = ~self.collapsed
        first, second = self.first[kept], self.second[kept]
        if self.law == "gamma":
            chance[kept] = stats.gamma.sf(threshold, first, scale=1 / second)
        else:
            chance[kept] = stats.norm.sf(np.log(threshold), first, second)
        return chance


def check_counts(observed: ArrayLike, expected: ArrayLike) -> tuple[Floats, Floats]:
    """Refuse counts that no smoothing can take.

    Parameters
    ----------
    observed : array-like of int
        Cases of each area, shape (areas,); whole numbers, none missing.
    expected : array-like of float
        Expected cases, same shape, above zero.

    Returns
    -------
    observed, expected : numpy.ndarray
        As floats.

    Raises
    ------
    EstimationError
        If shapes differ, values are missing or out of range, there are fewer than two areas, or there
        is no case; all faults at once.
    """
    y, e = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    faults = []
    if y.shape != e.shape or y.ndim != 1:
        faults.append(f"{y.size} observed and {e.size} expected numbers")
    else:
        if len(y) < 2:
            faults.append(f"{len(y)} area")
        with np.errstate(invalid="ignore"):
            wrong = int((~np.isfinite(y) | (y < 0) | (y != np.round(y))).sum())
            without = int((~np.isfinite(e) | (e <= 0)).sum())
        if wrong:
            faults.append(f"{wrong} observed numbers are missing, negative or not whole")
        if without:
            faults.append(f"{without} expected numbers are missing, zero or negative")
        if not faults and not y.sum():
            faults.append("there is no case")
    if faults:
        raise EstimationError(
            "these counts cannot be analysed",
            "whole observed numbers and expected numbers above zero, one of each for each area",
            "leave out areas without a count or an expected number, and say so",
            faults=faults,
        )
    return y, e


def gamma_laws(
    method: str, y: Floats, e: Floats, mean: ArrayLike, variance: ArrayLike, parameters: Mapping[str, float]
) -> EmpiricalBayes:
    """Give the posterior laws of Poisson counts whose risks have a gamma law.

    Parameters
    ----------
    method : str
        How the law was estimated.
    y, e : numpy.ndarray
        Observed and expected numbers.
    mean, variance : array-like of float
        Of the law, for all areas or for each.
    parameters : mapping
        Parameters of the law.

    Returns
    -------
    EmpiricalBayes
        Gamma laws, collapsed where the variance is zero.
    """
    m, v = np.broadcast_arrays(np.asarray(mean, dtype=float), np.asarray(variance, dtype=float))
    m, v = np.broadcast_to(m, y.shape), np.broadcast_to(v, y.shape)
    spread = v > 0
    shape, rate = np.full(len(y), np.inf), np.full(len(y), np.inf)
    shape[spread] = m[spread] ** 2 / v[spread] + y[spread]
    rate[spread] = m[spread] / v[spread] + e[spread]
    estimate = np.array(m, dtype=float)
    estimate[spread] = shape[spread] / rate[spread]
    return EmpiricalBayes(method, "gamma", shape, rate, estimate, parameters)


def poisson_gamma(
    observed: ArrayLike, expected: ArrayLike, *, estimator: Literal["likelihood", "moments"] = "likelihood"
) -> EmpiricalBayes:
    """Smooth ratios by a common gamma law of the risks.

    Parameters
    ----------
    observed : array-like of int
        Cases of each area.
    expected : array-like of float
        Expected cases of each area.
    estimator : {"likelihood", "moments"}, optional
        How the gamma law is estimated: by maximum likelihood of the negative binomial counts, or by
        the moment equations of Clayton and Kaldor (1987, section 3.2).

    Returns
    -------
    EmpiricalBayes
        Gamma laws; `parameters` are ``shape`` and ``rate`` of the common law.

    Raises
    ------
    EstimationError
        If the counts are at fault, or the equations do not converge.
    ParameterError
        If the estimator is unknown.

    Notes
    -----
    Clayton D, Kaldor J. Empirical Bayes estimates of age-standardized relative risks for use in
    disease mapping. Biometrics 1987;43:671-681. The likelihood estimate is that of ``MASS::glm.nb``
    with an offset, which ``SpatialEpi::eBayes`` uses; the moments are ``DCluster::empbaysmooth``.

    Examples
    --------
    >>> smoothed = poisson_gamma([9, 39, 11, 2, 1], [1.4, 8.7, 6.0, 5.5, 4.2])
    >>> smoothed.estimate.round(2).tolist()
    [5.6, 4.4, 1.88, 0.51, 0.43]
    """
    y, e = check_counts(observed, expected)
    if estimator == "moments":
        mean, variance = _moments(y, e)
    elif estimator == "likelihood":
        mean, variance = _likelihood(y, e)
    else:
        raise ParameterError(f"estimator is {estimator!r}", "'likelihood' or 'moments'")
    parameters = {
        "shape": mean**2 / variance if variance else np.inf,
        "rate": mean / variance if variance else np.inf,
    }
    return gamma_laws(f"Poisson-gamma, {estimator}", y, e, mean, variance, parameters)


def _likelihood(y: Floats, e: Floats) -> tuple[float, float]:
    """Mean and variance of the gamma law by maximum likelihood; the mean is profiled out."""
    from scipy.optimize import brentq
    from scipy.special import digamma, gammaln, xlogy

    order = np.lexsort((y, e))
    y, e = y[order], e[order]
    crude = float(y.sum() / e.sum())
    highest = float((y / e).max())

    def mean_at(size: float) -> float:
        # The score falls from positive to negative between the lowest and the highest ratio.
        lowest = max(float((y / e).min()), highest * 1e-12)
        if lowest >= highest:
            return crude
        return float(
            brentq(lambda m: float(((y - e * m) / (size + e * m)).sum()), lowest, highest, xtol=1e-300, rtol=8.9e-16)
        )

    def score(log_size: float) -> float:
        size = float(np.exp(log_size))
        mu = e * mean_at(size)
        return float((digamma(size + y) - digamma(size) + np.log(size / (size + mu)) + (mu - y) / (size + mu)).sum())

    # As the size grows the score tends to minus half this excess over the squared size. Above zero, a gamma law is more
    # likely than a constant risk; below, one may still be, further away: a city that holds most of the cases
    # sits on the mean and outweighs all that the others vary. A coefficient of variation below 0.1 % is none.
    top, excess = np.log(1e6), float(((y - e * crude) ** 2 - y).sum())
    sure = excess > 0 and score(top) < 0
    if not sure:
        beyond = [place for place in np.linspace(np.log(1e-6), top, 73)[1:] if score(place) < 0]
        if not beyond:
            return crude, 0.0
        top = beyond[0]
    size = float(np.exp(brentq(score, np.log(1e-6), top, xtol=1e-14, rtol=8.9e-16)))
    mean = mean_at(size)
    mu, flat = e * mean, e * crude
    gain = gammaln(size + y) - gammaln(size) - size * np.log1p(mu / size) - xlogy(y, (size + mu) / mu)
    if not sure and gain.sum() <= (xlogy(y, flat) - flat).sum():
        return crude, 0.0
    return mean, mean**2 / size


def _moments(y: Floats, e: Floats) -> tuple[float, float]:
    """Mean and variance of the gamma law by the moment equations, in turns."""
    ratio = y / e
    mean, variance = float(ratio.mean()), float(ratio.var(ddof=1))
    for _ in range(STEPS):
        if variance <= 1e-12 * mean**2:
            return float(y.sum() / e.sum()), 0.0
        rate = mean / variance
        risk = (y + mean * rate) / (e + rate)
        before = mean, variance
        mean = float(risk.mean())
        variance = float(((1 + rate / e) * (risk - mean) ** 2).sum() / (len(y) - 1))
        if abs(mean - before[0]) <= TOLERANCE * mean and abs(variance - before[1]) <= TOLERANCE * variance:
            return mean, variance
    raise EstimationError(
        f"the moment equations did not converge in {STEPS} steps", "a fit that converges", 'estimator="likelihood"'
    )


def log_normal(observed: ArrayLike, expected: ArrayLike) -> EmpiricalBayes:
    """Smooth ratios by a common log-normal law of the risks.

    Parameters
    ----------
    observed : array-like of int
        Cases of each area.
    expected : array-like of float
        Expected cases of each area.

    Returns
    -------
    EmpiricalBayes
        Log-normal laws; `parameters` are ``mean`` and ``sd`` of the logarithm of the risk.

    Raises
    ------
    EstimationError
        If the counts are at fault.

    Notes
    -----
    Clayton and Kaldor, Biometrics 1987;43:671-681, section 3.3: the likelihood of each log risk is
    replaced by a quadratic one, about the logarithm of (observed + 1/2) / expected, and the mean and
    variance are those that a turn of the EM algorithm leaves as they are. ``DCluster::lognormalEB``
    iterates the same equations.

    Examples
    --------
    >>> log_normal([9, 39, 11, 2, 1], [1.4, 8.7, 6.0, 5.5, 4.2]).estimate.round(2).tolist()
    [5.79, 4.39, 1.82, 0.53, 0.49]
    """
    from scipy.optimize import brentq

    y, e = check_counts(observed, expected)
    order = np.lexsort((y, e))
    raw, weight = np.log((y + 0.5) / e)[order], (y + 0.5)[order]

    def mean_at(variance: float) -> float:
        share = 1 / (1 + weight * variance)
        return float(((weight * raw - 0.5) * share).sum() / (weight * share).sum())

    def excess(log_variance: float) -> float:
        # A turn of EM leaves the variance as it is where this is zero; turns themselves are endless near zero.
        share = 1 / (1 + weight * np.exp(log_variance))
        return float((((weight * (raw - mean_at(np.exp(log_variance))) - 0.5) * share) ** 2 - weight * share).sum())

    # Turns from a large variance come down to the largest that they leave: there may be one though they would
    # also stay at none, when one area holds most of the cases.
    grid = np.linspace(np.log(SMALLEST_VARIANCE), 7.0, 85)
    rising = np.flatnonzero([excess(place) > 0 for place in grid[:-1]])
    variance = 0.0
    if len(rising):
        low, high = grid[rising[-1]], grid[rising[-1] + 1]
        variance = float(np.exp(brentq(excess, low, high, xtol=1e-14, rtol=8.9e-16)))
    mean = mean_at(variance)
    back = np.empty(len(y), dtype=np.intp)
    back[order] = np.arange(len(y))
    share = 1 / (1 + weight * variance)
    centre = (mean * share + (weight * raw - 0.5) * variance * share)[back]
    sd = np.sqrt(variance * share)[back]
    parameters = {"mean": mean, "sd": float(np.sqrt(variance))}
    return EmpiricalBayes("log-normal, EM", "log-normal", centre, sd, np.exp(centre), parameters)
