"""Exposures on the scale that ratios are given for: per IQR, per SD, in classes, or bent by a spline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError
from epi.stats.scaling import Step, cut_quantiles, find_step
from epi.stats.splines import natural_spline


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


Form = Literal["iqr", "sd", "unit", "log2", "quantiles", "spline"]


@dataclass(frozen=True)
class EncodedExposure:
    """An exposure as the columns of a model.

    Parameters
    ----------
    columns : pandas.DataFrame
        One column (per step), one for each class but the first (0 or 1), or those of a spline's basis; index as
        the values, missing where the exposure is.
    how : {"iqr", "sd", "unit", "log2", "quantiles", "spline"}
        The form.
    classes : pandas.Series or None
        The class of each value, for quantiles.
    breaks : tuple of float
        Bounds between classes, the knots of the spline, or the single step.
    n : int
        Values that it was built on.
    """

    columns: pd.DataFrame
    how: Form
    classes: pd.Series | None
    breaks: tuple[float, ...]
    n: int


def encode_exposure(values: pd.Series, how: Form = "iqr", *, classes: int = 4, df: int = 4) -> EncodedExposure:
    """Put an exposure in the form in which it enters a model.

    Parameters
    ----------
    values : pandas.Series
        The exposure; missing values stay missing.
    how : {"iqr", "sd", "unit", "log2", "quantiles", "spline"}, optional
        Per interquartile range, per standard deviation, as it is, per doubling, in classes of about equal numbers with
        the lowest as reference, or a natural cubic spline with knots at quantiles.
    classes : int, optional
        Number of classes, for quantiles.
    df : int, optional
        Number of columns, for a spline.

    Returns
    -------
    EncodedExposure
        Columns named after the exposure.

    Raises
    ------
    EstimationError
        If the exposure has no spread, classes would be empty, or a doubling has no meaning (zero or negative values).
    ParameterError
        If the form is unknown.

    Examples
    --------
    >>> encoded = encode_exposure(pd.Series([1.0, 2.0, 3.0, None], name="pm"), "quantiles", classes=3)
    >>> encoded.columns.columns.tolist(), encoded.columns["pm_Q3"].tolist()
    (['pm_Q2', 'pm_Q3'], [0.0, 0.0, 1.0, nan])
    """
    name = str(values.name or "exposure")
    given = values.astype(float)
    known = given.notna()
    n = int(known.sum())
    if how in ("iqr", "sd", "unit"):
        step = find_step(given, how)
        return EncodedExposure(pd.DataFrame({name: given / step}), how, None, (step,), n)
    if how == "log2":
        low = int((given[known] <= 0).sum())
        if low:
            raise EstimationError(f"{low} value(s) of {name} are zero or negative", "values above zero for log2")
        return EncodedExposure(pd.DataFrame({name: np.log2(given)}), how, None, (1.0,), n)
    if how == "quantiles":
        cut, breaks = cut_quantiles(given, classes)
        columns = {f"{name}_{word}": (cut == word).astype(float).where(known) for word in cut.cat.categories[1:]}
        return EncodedExposure(pd.DataFrame(columns, index=values.index), how, cut, breaks, n)
    if how == "spline":
        basis = np.full((len(given), df), np.nan)
        basis[known.to_numpy()] = natural_spline(given[known].to_numpy(), df=df)
        names = [f"{name}_s{place + 1}" for place in range(df)]
        knots = tuple(float(knot) for knot in np.quantile(given[known], np.linspace(0, 1, df + 1)))
        return EncodedExposure(pd.DataFrame(basis, index=values.index, columns=names), how, None, knots, n)
    raise ParameterError(f"the form is {how!r}", "iqr, sd, unit, log2, quantiles or spline")
