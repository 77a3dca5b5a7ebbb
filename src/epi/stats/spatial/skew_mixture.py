"""Mixtures of skew normal laws: what is left when the parameters of a map are averaged over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, owens_t

from epi.errors import EstimationError
from epi.stats.intervals import check_level

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

MOST_SKEW = 0.95
"""A skew normal law can have no more than 0.995; near it, it loses its other tail."""


@dataclass(frozen=True)
class SkewMixture:
    """Mixtures of skew normal laws (Azzalini 1985), one for each quantity, with common weights.

    Parameters
    ----------
    weights : numpy.ndarray
        Weight of each component, adding up to one; shape (components,).
    location, scale, slant : numpy.ndarray
        Parameters of each component, shape (components, quantities).
    """

    weights: Floats
    location: Floats
    scale: Floats
    slant: Floats

    @classmethod
    def of_moments(cls, weights: Floats, mean: Floats, sd: Floats, skewness: Floats) -> SkewMixture:
        """Build components with given moments.

        Parameters
        ----------
        weights : numpy.ndarray
            Weight of each component.
        mean, sd, skewness : numpy.ndarray
            Moments of each, shape (components, quantities); skewness beyond 0.95 is taken as 0.95.

        Returns
        -------
        SkewMixture
            The mixtures.
        """
        size = np.abs(np.clip(skewness, -MOST_SKEW, MOST_SKEW)) ** (2 / 3)
        delta = np.sign(skewness) * np.sqrt(np.pi / 2 * size / (size + ((4 - np.pi) / 2) ** (2 / 3)))
        scale = sd / np.sqrt(1 - 2 * delta**2 / np.pi)
        return cls(
            weights, mean - scale * delta * np.sqrt(2 / np.pi), scale, delta / np.sqrt(1 - delta**2)
        )  # fmt: skip

    @property
    def _delta(self) -> Floats:
        return np.asarray(self.slant / np.sqrt(1 + self.slant**2))

    @property
    def mean(self) -> Floats:
        """Mean of each quantity, shape (quantities,)."""
        return np.asarray(self.weights @ (self.location + self.scale * self._delta * np.sqrt(2 / np.pi)))

    @property
    def sd(self) -> Floats:
        """Standard deviation of each quantity, shape (quantities,)."""
        centre = self.location + self.scale * self._delta * np.sqrt(2 / np.pi)
        within = self.scale**2 * (1 - 2 * self._delta**2 / np.pi)
        return np.asarray(np.sqrt(self.weights @ (within + (centre - self.mean) ** 2)))

    def mean_of_exp(self, power: float = 1.0) -> Floats:
        """Give the mean of the exponential of each quantity, or of a power of it.

        Parameters
        ----------
        power : float, optional
            The power.

        Returns
        -------
        numpy.ndarray
            Means, shape (quantities,).
        """
        spread = power * self.scale
        each = 2 * np.exp(power * self.location + spread**2 / 2) * ndtr(self._delta * spread)
        return np.asarray(self.weights @ each)

    def cdf(self, values: ArrayLike) -> Floats:
        """Give the probability that each quantity is at most a value.

        Parameters
        ----------
        values : array-like of float
            One value for all, or one for each quantity.

        Returns
        -------
        numpy.ndarray
            Probabilities, shape (quantities,).
        """
        z = (np.asarray(values, dtype=float) - self.location) / self.scale
        return np.clip(self.weights @ (ndtr(z) - 2 * owens_t(z, self.slant)), 0.0, 1.0)

    def quantile(self, probability: float) -> Floats:
        """Give a quantile of each quantity.

        Parameters
        ----------
        probability : float
            Between 0 and 1.

        Returns
        -------
        numpy.ndarray
            Quantiles, shape (quantities,).

        Raises
        ------
        ParameterError
            If it is no probability.
        EstimationError
            If the search does not end, which it always does.

        Examples
        --------
        >>> one = SkewMixture.of_moments(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
        >>> one.quantile(0.975).round(4).tolist()
        [1.96]
        """
        from scipy.stats import norm

        check_level(probability)
        sd, x = self.sd, self.mean + self.sd * norm.ppf(probability)
        low, high = self.mean - 40 * sd, self.mean + 40 * sd
        for _ in range(200):
            gap = self.cdf(x) - probability
            low, high = np.where(gap < 0, x, low), np.where(gap < 0, high, x)
            z = (x - self.location) / self.scale
            density = self.weights @ (np.exp(-(z**2) / 2) * np.sqrt(2 / np.pi) * ndtr(self.slant * z) / self.scale)
            with np.errstate(divide="ignore", invalid="ignore"):
                ahead = x - gap / density
            # Newton's step, or the middle when it would leave what is known to hold the quantile.
            step = np.where((ahead > low) & (ahead < high), ahead, (low + high) / 2)
            if (np.abs(step - x) <= 1e-10 * sd).all():
                return np.asarray(step)
            x = step
        raise EstimationError("the quantiles of a mixture were not found", "laws of finite width")
