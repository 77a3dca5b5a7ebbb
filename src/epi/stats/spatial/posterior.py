"""What every method that smooths ratios gives: laws of the relative risks of areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Posterior(Protocol):
    """Laws of relative risks, one for each area."""

    @property
    def estimate(self) -> NDArray[np.float64]:
        """Relative risk of each area."""
        ...

    def quantile(self, probability: float) -> NDArray[np.float64]:
        """Give a quantile of each law.

        Parameters
        ----------
        probability : float
            Between 0 and 1.

        Returns
        -------
        numpy.ndarray
            Relative risks.
        """
        ...

    def exceedance(self, threshold: float = 1.0) -> NDArray[np.float64]:
        """Give the probability that each risk is above a threshold.

        Parameters
        ----------
        threshold : float, optional
            Relative risk.

        Returns
        -------
        numpy.ndarray
            Probabilities.
        """
        ...
