"""The step of a variable that a ratio is given for, and its cutting into classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Step = Literal["iqr", "sd", "unit"]


def find_step(values: ArrayLike, how: Step = "iqr") -> float:
    """Measure the spread that stands for one step of a variable.

    Parameters
    ----------
    values : array-like of float
        The variable; missing values are left out.
    how : {"iqr", "sd", "unit"}, optional
        Interquartile range (quantiles of type 7), standard deviation (n - 1), or one unit.

    Returns
    -------
    float
        The step, in units of the variable, above zero.

    Raises
    ------
    EstimationError
        If the variable has no spread.
    ParameterError
        If `how` is unknown.

    Examples
    --------
    >>> find_step([1, 2, 3, 4, 5])
    2.0
    """
    if how not in ("iqr", "sd", "unit"):
        raise ParameterError(f"the step is {how!r}", "iqr, sd or unit")
    if how == "unit":
        return 1.0
    array = np.asarray(values, dtype=float)
    known = np.sort(array[~np.isnan(array)])
    if len(known) < 2:
        raise EstimationError("fewer than two values are informed", "a variable with values")
    if how == "iqr":
        step, word = float(np.quantile(known, 0.75) - np.quantile(known, 0.25)), "interquartile range"
    else:
        step, word = float(known.std(ddof=1)), "standard deviation"
    if not step > 0:
        raise EstimationError(
            f"its {word} is zero", "a variable that varies", "give the step yourself, or take another"
        )
    return step


def cut_quantiles(values: pd.Series, classes: int = 4) -> tuple[pd.Series, tuple[float, ...]]:
    """Cut a variable into classes of about equal numbers.

    Parameters
    ----------
    values : pandas.Series
        The variable; missing values stay missing.
    classes : int, optional
        Number of classes, two or more.

    Returns
    -------
    cut : pandas.Series
        Ordered categories ``Q1``, ``Q2``..., index as `values`; each class includes its upper bound.
    breaks : tuple of float
        The bounds between classes: classes - 1 quantiles (type 7).

    Raises
    ------
    EstimationError
        If quantiles are equal, so that a class would be empty.
    ParameterError
        If fewer than two classes are asked for.

    Examples
    --------
    >>> cut, breaks = cut_quantiles(pd.Series([1.0, 2.0, 3.0, 4.0, None]), 2)
    >>> cut.tolist(), breaks
    (['Q1', 'Q1', 'Q2', 'Q2', nan], (2.5,))
    """
    if classes < 2:
        raise ParameterError(f"{classes} class(es)", "two or more")
    known = np.sort(values.dropna().to_numpy(dtype=float))
    if not len(known):
        raise EstimationError("no value is informed", "a variable with values")
    bounds = np.quantile(known, np.linspace(0, 1, classes + 1))
    if (np.diff(bounds) <= 0).any():
        raise EstimationError(
            f"{classes} classes would have equal bounds: too many values are the same",
            "fewer classes, or bounds given by hand",
        )
    names = [f"Q{number}" for number in range(1, classes + 1)]
    cut = pd.cut(values, [-np.inf, *bounds[1:-1], np.inf], labels=names)
    return cut, tuple(float(bound) for bound in bounds[1:-1])
