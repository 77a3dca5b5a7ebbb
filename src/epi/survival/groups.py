"""Groups of rows that are compared: columns of the data turned into numbers and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.arguments import check_names
from epi.errors import DataError, ParameterError
from epi.survival.counting import DayCounts, count_days

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData

By = str | Sequence[str] | None
MOST = 100
"""Groups: a column with more values is an identifier or a measurement, not a group."""
ALL = "all"


def split_groups(data: SurvivalData, by: By, most: int | None = MOST) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Give each row the number of its group.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    by : str, sequence of str or None
        Covariates; ``"strata"`` for the strata of the data; one group without.
    most : int or None, optional
        Most groups allowed; None for any number.

    Returns
    -------
    numbers : numpy.ndarray of int64
        Group of each row.
    labels : tuple of str
        Name of each group: categories in their order, other values sorted.

    Raises
    ------
    ParameterError
        If a column does not exist, or makes too many groups.
    DataError
        If a value is missing, or different values print alike.
    """
    if by is None:
        return np.zeros(len(data), dtype=np.int64), (ALL,)
    if by == "strata" and "strata" not in data.covariates:
        if data.strata is None:
            raise ParameterError("by is 'strata' and the data have none", "strata= in build_survival, or a covariate")
        present, numbers = np.unique(data.strata, return_inverse=True)
        return numbers.astype(np.int64), tuple(data.strata_labels[at] for at in present)
    names = check_names("by", by, "a covariate, several, or None for one group", do="by='sex'")
    if not names:
        raise ParameterError("by names no column", "a covariate, or None for one group")
    columns = [data.column(name) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column.isna().any():
            raise DataError(
                f"{name} is missing in {int(column.isna().sum())} of {len(column)} rows", "a group for each row",
                "leave these rows out with data.select(...) and count them, or name them a group",
            )  # fmt: skip
    numbers, firsts = _number(columns)
    labels = tuple(", ".join(_word(column.iloc[at]) for column in columns) for at in firsts)
    if most is not None and len(firsts) > most:
        raise ParameterError(
            f"{', '.join(names)} makes {len(firsts)} groups", f"at most {most}: a column of groups", "group its values"
        )
    alike = len(labels) - len(set(labels))
    if alike:
        raise DataError(
            f"{alike} value{'s' if alike > 1 else ''} of {', '.join(names)} print{'' if alike > 1 else 's'} like other "
            "values, which would be taken for one group", "values that print differently",
            "make the column one type, with .astype(str), or rename its values",
        )  # fmt: skip
    return numbers, labels


def count_groups(data: SurvivalData, by: By) -> tuple[DayCounts, tuple[str, ...], NDArray[np.int64]]:
    """Count each group's days.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    by : str, sequence of str or None
        Groups, as in :func:`split_groups`.

    Returns
    -------
    counts : DayCounts
        Counts by group and day.
    labels : tuple of str
        Name of each group.
    numbers : numpy.ndarray of int64
        Group of each row.
    """
    numbers, labels = split_groups(data, by)
    return count_days(data, numbers if len(labels) > 1 else None, len(labels)), labels, numbers


def unused_strata(data: SurvivalData, instead: str) -> list[str]:
    """Say that the data have strata which an estimate does not use.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    instead : str
        What would take them into account.

    Returns
    -------
    list of str
        A sentence, or none.
    """
    return [] if data.strata is None else [f"the strata of the data are not used: {instead} takes them into account"]


def _number(columns: list[pd.Series]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    numbers = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes, size = column.cat.codes.to_numpy().astype(np.int64), len(column.cat.categories)
        else:
            found, values = pd.factorize(column, sort=True)
            codes, size = found.astype(np.int64), len(values)
        # Renumbered at each column, so that products of many columns never overflow.
        numbers = np.unique(numbers * size + codes, return_inverse=True)[1].astype(np.int64)
    return numbers, np.unique(numbers, return_index=True)[1].astype(np.int64)


def _word(value: Any) -> str:
    # All the digits that tell a number from its neighbours, and no more.
    return np.format_float_positional(value, trim="-") if isinstance(value, float | np.floating) else str(value)
