"""Exposures on the scale that ratios are given for: per IQR, per SD, or in classes."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from epi.stats.scaling import Step, find_step


@dataclass(frozen=True)
class ScaledExposure:
    """An exposure divided by its step.

    Parameters
    ----------
    values : pandas.Series
        In steps; missing stays missing.
    step : float
        Size of a step, in units of the exposure.
    how : {"iqr", "sd", "unit"}
        What the step is.
    n : int
        Values that the step was measured on.
    """

    values: pd.Series
    step: float
    how: Step
    n: int

    def unscale(self, value: float) -> float:
        """Bring a coefficient per step back to one per unit.

        Parameters
        ----------
        value : float
            Per step, on the log scale of a ratio.

        Returns
        -------
        float
            Per unit.
        """
        return value / self.step


def scale_exposure(values: pd.Series, how: Step = "iqr") -> ScaledExposure:
    """Divide an exposure by its spread, and record by how much.

    Parameters
    ----------
    values : pandas.Series
        The exposure; missing values stay missing.
    how : {"iqr", "sd", "unit"}, optional
        Interquartile range, standard deviation, or nothing.

    Returns
    -------
    ScaledExposure
        Values and step.

    Raises
    ------
    EstimationError
        If the exposure has no spread.

    Examples
    --------
    >>> scaled = scale_exposure(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, None]))
    >>> scaled.step, scaled.n, scaled.values.iloc[4]
    (2.0, 5, np.float64(2.5))
    """
    step = find_step(values, how)
    return ScaledExposure(values.astype(float) / step, step, how, int(values.notna().sum()))
