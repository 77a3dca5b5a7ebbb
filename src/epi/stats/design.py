"""Checks of a design matrix before anything is fitted: a fault is said with its column's name.

A model fitted on a constant, a duplicated or a separating column gives numbers that look like
results. It is refused here instead, and all faults are told at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

INFLATION = 1000.0
"""A column whose variance is inflated this much by the ones before it is a combination of them.

Above it a ratio says nothing: it would be the effect of a change that no row has seen. An index put
beside the components it was computed from is far above it, even when rounding hides the equality.
"""

SCALES = (1e-6, 1e8)
"""Standard deviations outside these bounds lose digits in the normal equations."""


def find_design_faults(
    design: pd.DataFrame, outcome: ArrayLike | None = None, *, counts: bool = False
) -> tuple[str, ...]:
    """List what forbids fitting a model with an intercept on these columns.

    Parameters
    ----------
    design : pandas.DataFrame
        One column for each term, without the intercept.
    outcome : array-like, optional
        Outcome, one for each row; one of only 0 and 1 is also checked for separation by a
        single column.
    counts : bool, optional
        Whether the outcome counts events over known times: 0 and 1 are then no two groups to be separated, and equal
        counts no equal rates.

    Returns
    -------
    tuple of str
        One sentence for each fault, each naming its column; empty when there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> find_design_faults(pd.DataFrame({"pm25": [9.0] * 4, "no2": [1.0, 2.0, 4.0, 3.0]}))
    ("'pm25' is constant",)
    """
    faults: list[str] = []
    sound: list[str] = []
    if design.columns.has_duplicates:
        twice = sorted({str(name) for name in design.columns[design.columns.duplicated()]})
        return tuple(f"{name!r} is there twice" for name in twice)
    for name in design.columns:
        fault = _column_fault(str(name), design[name])
        faults.append(fault) if fault else sound.append(name)
    y = None if outcome is None else np.asarray(outcome, dtype=float)
    if y is not None:
        faults += _outcome_faults(y, len(design), counts)
    if len(design) <= design.shape[1] + 1:
        faults.append(f"{len(design)} rows for {design.shape[1] + 1} coefficients")
    if faults:
        return tuple(faults)
    faults += _collinear(design[sound])
    if y is not None and not counts and set(np.unique(y)) == {0.0, 1.0}:
        faults += _separating(design[sound], y)
    return tuple(faults)


def check_design(
    design: pd.DataFrame, outcome: ArrayLike | None = None, *, model: str = "the model", counts: bool = False
) -> None:
    """Refuse a design that cannot be fitted, with every reason.

    Parameters
    ----------
    design : pandas.DataFrame
        One column for each term, without the intercept.
    outcome : array-like, optional
        Outcome, one for each row.
    model : str, optional
        What is to be fitted, for the message.
    counts : bool, optional
        Whether the outcome counts events over known times.

    Raises
    ------
    EstimationError
        If :func:`find_design_faults` finds any.

    Examples
    --------
    >>> import pandas as pd
    >>> check_design(pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0], "b": [2.0, 4.0, 8.0, 6.0]}))
    Traceback (most recent call last):
    ...
    epi.errors.EstimationError: the model cannot be fitted: 'b' is a linear combination of 'a'. ...
    """
    faults = find_design_faults(design, outcome, counts=counts)
    if not faults:
        return
    expected = "columns that are complete, vary and are not combinations of each other"
    do = "leave out or rescale the named columns"
    if len(faults) == 1:
        raise EstimationError(f"{model} cannot be fitted: {faults[0]}", expected, do)
    raise EstimationError(f"{model} cannot be fitted for {len(faults)} reasons", expected, do, faults=faults)


def _column_fault(name: str, column: pd.Series) -> str:
    if column.dtype.kind not in "fiub":
        return f"{name!r} is {column.dtype}, not numbers"
    values = column.to_numpy(dtype=float)
    missing = int(np.isnan(values).sum())
    if missing:
        return f"{name!r} is missing in {missing} of {len(values)} rows"
    if np.isinf(values).any():
        return f"{name!r} has {int(np.isinf(values).sum())} infinite values"
    if values.size == 0 or values.max() - values.min() <= 1e-12 * max(np.abs(values).max(), 1e-300):
        return f"{name!r} is constant"
    spread = float(values.std())
    if not SCALES[0] <= spread <= SCALES[1]:
        return f"{name!r} has a standard deviation of {spread:.0e}: rescale it (per IQR)"
    return ""


def _outcome_faults(y: NDArray[np.float64], rows: int, counts: bool) -> list[str]:
    if y.shape != (rows,):
        return [f"the outcome has {y.size} values for {rows} rows"]
    if np.isnan(y).any():
        return [f"the outcome is missing in {int(np.isnan(y).sum())} of {rows} rows"]
    if (y < 0).any():
        return ["the outcome has negative values"]
    # Equal counts over unequal times are different rates.
    if rows and y.max() == y.min() and (not counts or y.max() == 0):
        return ["the outcome is the same in every row"]
    return []


def _collinear(design: pd.DataFrame) -> list[str]:
    """Find columns that the ones before them (and the intercept) already hold, in column order."""
    faults: list[str] = []
    kept: list[str] = []
    basis: list[NDArray[np.float64]] = []
    for name in design.columns:
        column = design[name].to_numpy(dtype=float)
        column = column - column.mean()
        column = column / np.linalg.norm(column)
        rest = column
        for _ in range(2):  # twice: Gram-Schmidt loses orthogonality when done once
            for direction in basis:
                rest = rest - (direction @ rest) * direction
        inflation = 1 / max(float(np.linalg.norm(rest)) ** 2, 1e-30)
        if inflation > INFLATION:
            held = design[kept].to_numpy(dtype=float)
            held = (held - held.mean(axis=0)) / held.std(axis=0)
            weights = np.linalg.lstsq(held, column, rcond=None)[0]
            culprits = [
                repr(other)
                for other, weight in zip(kept, weights, strict=True)
                if abs(weight) > 0.02 * np.abs(weights).max()
            ]
            nearly = "" if inflation > 1e12 else "nearly "
            faults.append(f"{name!r} is {nearly}a linear combination of {', '.join(culprits)}")
        else:
            kept.append(name)
            basis.append(rest / np.linalg.norm(rest))
    return faults


def _separating(design: pd.DataFrame, y: NDArray[np.float64]) -> list[str]:
    faults = []
    for name in design.columns:
        column = design[name].to_numpy(dtype=float)
        ones, zeros = column[y == 1], column[y == 0]
        levels = np.unique(column)
        if len(levels) == 2:
            for level in levels:
                inside = y[column == level]
                if inside.min() == inside.max():
                    who = "cases" if inside[0] == 1 else "controls"
                    faults.append(f"{name!r} = {level:g} holds only {who}: its odds ratio is zero or infinite")
        elif ones.min() >= zeros.max() or zeros.min() >= ones.max():
            faults.append(f"{name!r} separates cases from controls: its odds ratio is infinite")
    return faults


def find_separation(design: pd.DataFrame, outcome: ArrayLike, *, counts: bool = False) -> tuple[str, ...]:
    """Find columns that together separate an outcome, so that no finite estimate exists.

    A linear programme looks for a direction b with x'b >= 0 for every case and <= 0 for every
    control, not zero everywhere (Konis, *Linear programming algorithms for detecting separated
    data in binary logistic regression models*, Oxford 2007).

    Parameters
    ----------
    design : pandas.DataFrame
        One column for each term, without the intercept, complete.
    outcome : array-like of 0 and 1, or of counts
        One for each row.
    counts : bool, optional
        Take counts with a log link: x'b must be zero where there are cases and <= 0 where there are none
        (Santos Silva and Tenreyro, Econ Lett 2010;107:310).

    Returns
    -------
    tuple of str
        The names of the columns in the separating direction; empty when there is overlap.

    Examples
    --------
    >>> import pandas as pd
    >>> x = pd.DataFrame({"a": [0.0, 1.0, 1.0, 2.0], "b": [1.0, 0.0, 2.0, 1.0]})
    >>> find_separation(x, [0, 0, 1, 1])
    ('a', 'b')
    """
    from scipy.optimize import linprog

    y = np.asarray(outcome, dtype=float)
    x = design.to_numpy(dtype=float)
    spread = x.std(axis=0)
    spread[spread == 0] = 1.0
    standard = np.column_stack([np.ones(len(y)), (x - x.mean(axis=0)) / spread])
    signed = np.where(y == 1, 1.0, -1.0)[:, None] * standard
    held = np.zeros((0, standard.shape[1]))
    if counts:
        held, signed = standard[y > 0], -standard[y == 0]
    found = linprog(
        -signed.sum(axis=0),
        A_ub=-signed,
        b_ub=np.zeros(len(signed)),
        A_eq=held,
        b_eq=np.zeros(len(held)),
        bounds=[(-1, 1)] * signed.shape[1],
        method="highs",
    )
    if found.status != 0:
        raise EstimationError("the check of separation did not end", "a bounded programme", "fewer columns")
    if -found.fun < 1e-6:
        return ()
    return tuple(str(name) for name, b in zip(design.columns, found.x[1:], strict=True) if abs(b) > 1e-7)
