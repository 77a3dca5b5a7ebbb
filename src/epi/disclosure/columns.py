"""What kind of column each one is: a count, a figure derived from one, a label, a statistic."""

from __future__ import annotations

import datetime as dt
import numbers
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from epi.disclosure.policy import Policy
from epi.results import Release

_NUMBER = re.compile(
    r"(?:n\s*=\s*)?[<>≤≥~≈+-]?\s*\d[\d\s,.'\u00a0\u202f]*(?:e[+-]?\d+)?\s*%?(?P<unit>[^\W\d_]*)", re.IGNORECASE
)


def has_word(column: str, words: Iterable[str]) -> bool:
    """Say whether a column's name holds one of some words, cut at underscores.

    Parameters
    ----------
    column : str
        A column's name.
    words : iterable of str
        Words in lower case.

    Returns
    -------
    bool
        True if one stands there whole.

    Examples
    --------
    >>> has_word("age_max", ["max"]), has_word("maximal", ["max"])
    (True, False)
    """
    parts = set(column.lower().split("_"))
    return any(word in parts for word in words)


def is_whole(values: pd.Series) -> bool:
    """Say whether a column holds whole numbers only, whatever its type.

    Parameters
    ----------
    values : pandas.Series
        A column.

    Returns
    -------
    bool
        True for integer types, and for floats, objects and texts that are all whole numbers.
    """
    if types.is_bool_dtype(values):
        return False
    if types.is_integer_dtype(values):
        return True
    present = values.dropna()
    if present.empty:
        return False
    if types.is_float_dtype(values):
        numbers = present.to_numpy(float)
        return bool(np.all(np.isfinite(numbers)) and np.all(numbers == np.round(numbers)))
    if types.is_object_dtype(values):
        return all(isinstance(value, int | np.integer) and not isinstance(value, bool) for value in present)
    return False


def is_text(values: pd.Series) -> bool:
    """Say whether a column holds texts, categories or other objects shown as words.

    Parameters
    ----------
    values : pandas.Series
        A column.

    Returns
    -------
    bool
        True for texts, categories, intervals and mixed objects.
    """
    return not (types.is_numeric_dtype(values) or types.is_datetime64_any_dtype(values))


def is_dated(values: pd.Series) -> bool:
    """Say whether a column holds exact dates.

    Parameters
    ----------
    values : pandas.Series
        A column.

    Returns
    -------
    bool
        True for timestamps, daily periods and date objects.
    """
    if types.is_datetime64_any_dtype(values):
        return True
    if isinstance(values.dtype, pd.PeriodDtype):
        return str(values.dtype.freq.name)[0] not in "YAQM"
    if types.is_object_dtype(values):
        return any(isinstance(value, dt.date | np.datetime64) for value in values)
    return False


def is_plain(value: Any) -> bool:
    """Say whether a cell is a single value: a number, a text, a date, an interval, nothing.

    Parameters
    ----------
    value : object
        A cell.

    Returns
    -------
    bool
        False for lists, mappings, arrays, bytes and other objects.

    Examples
    --------
    >>> [is_plain(value) for value in (3, "a", None, pd.NA, [3], b"3")]
    [True, True, True, True, False, False]
    """
    kinds = (str, bool, numbers.Number, np.generic, dt.date, dt.time, dt.timedelta, pd.Period, pd.Interval)
    if isinstance(value, np.bytes_ | np.void):
        return False
    return isinstance(value, kinds) or value is None or value is pd.NA or value is pd.NaT


def reads_as_number(value: Any, units: Iterable[str] = ()) -> bool:
    """Say whether a reader takes a cell for a number, whatever its type.

    Parameters
    ----------
    value : object
        A cell.
    units : iterable of str, optional
        Words that may follow the number.

    Returns
    -------
    bool
        True for numbers, durations and texts of digits; False for nothing, yes and no.

    Examples
    --------
    >>> [reads_as_number(value) for value in (3, "3", "<5", "n=3", "2015-03", "ORPHA:803", True)]
    [True, True, True, True, False, False, False]
    >>> reads_as_number("3 cases", ["cases"])
    True
    """
    if isinstance(value, bool | np.bool_) or value is pd.NA or value is pd.NaT:
        return False
    if isinstance(value, numbers.Number | dt.timedelta | np.timedelta64):
        return value == value
    if not isinstance(value, str):
        return False
    match = _NUMBER.fullmatch(value.strip(" \t\n()[]{}*;:"))
    return match is not None and (not match["unit"] or match["unit"].lower() in units)


def count_columns(release: Release) -> list[str]:
    """List the columns that count persons, denominators included, each once.

    Parameters
    ----------
    release : Release
        A declared table.

    Returns
    -------
    list of str
        Names in the order they are declared.
    """
    names: dict[str, None] = {}
    for counted in release.counts:
        names[counted.column] = None
        if counted.of is not None:
            names[counted.of] = None
    return list(names)


def derived_columns(release: Release) -> list[str]:
    """List the columns computed from counts, each once, counts themselves left out.

    Parameters
    ----------
    release : Release
        A declared table.

    Returns
    -------
    list of str
        Names in the order they are declared.
    """
    counts = set(count_columns(release))
    names = {column: None for counted in release.counts for column in counted.derived}
    return [column for column in names if column not in counts]


def label_columns(release: Release) -> list[str]:
    """List the columns that name a row.

    Parameters
    ----------
    release : Release
        A declared table.

    Returns
    -------
    list of str
        Text columns and declared integers, in the table's order.
    """
    taken = {*count_columns(release), *derived_columns(release)}
    return [
        column
        for column in release.table.columns
        if column not in taken and (is_text(release.table[column]) or column in release.not_counts)
    ]


def row_keys(release: Release) -> list[tuple[str, ...]]:
    """Give each row a name that does not depend on its place.

    Parameters
    ----------
    release : Release
        A declared table.

    Returns
    -------
    list of tuple of str
        The row's labels as text.
    """
    columns = [release.table[column].astype(str) for column in label_columns(release)]
    return list(zip(*columns, strict=True)) if columns else [()] * len(release.table)


def is_statistic(column: str, policy: Policy) -> bool:
    """Say whether a column is named like a statistic.

    Parameters
    ----------
    column : str
        A column's name.
    policy : Policy
        The rules.

    Returns
    -------
    bool
        True if its name, or a word of it, is listed in ``statistics``.
    """
    return column.lower() in policy.statistics or has_word(column, policy.statistics)


def quantile_level(column: str, policy: Policy) -> float | None:
    """Find which quantile a column holds, by its name.

    Parameters
    ----------
    column : str
        A column's name.
    policy : Policy
        The rules.

    Returns
    -------
    float or None
        The level between 0 and 1, or None when the name is no quantile.

    Examples
    --------
    >>> from epi.disclosure.policy import read_policy
    >>> quantile_level("age_q1", read_policy())
    0.25
    """
    for part in column.lower().split("_"):
        if part in policy.quantiles:
            return policy.quantiles[part]
    return None
