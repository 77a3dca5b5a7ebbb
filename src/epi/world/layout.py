"""From arrays to raw text tables: codes, partial dates, identifiers, and the CSV files themselves."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from epi.files import atomic_path
from epi.sources.bndmr.tables import DECLARED, raw_columns
from epi.sources.bndmr.values import VALUE_SETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIRST = np.datetime64("1900-01-01")
_LAST = np.datetime64("2031-01-01")
EPOCH_OFFSET = int((np.datetime64("1970-01-01") - _FIRST).astype(int))
NONE = np.iinfo(np.int64).min
"""No date: what an absent day is written as in arrays of days since 1970-01-01."""


def day_number(text: str) -> int:
    """Turn an ISO day into days since 1970-01-01.

    Parameters
    ----------
    text : str
        YYYY-MM-DD.

    Returns
    -------
    int
        Days.

    Examples
    --------
    >>> day_number("1970-01-02")
    1
    """
    return int((np.datetime64(text) - np.datetime64("1970-01-01")).astype(int))


def month_of(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the months since 1970-01 of days.

    Parameters
    ----------
    days : numpy.ndarray
        Days since 1970-01-01.

    Returns
    -------
    numpy.ndarray
        Months.
    """
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def middle_of_month(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the 15th of the month of days.

    Parameters
    ----------
    days : numpy.ndarray
        Days since 1970-01-01.

    Returns
    -------
    numpy.ndarray
        Days since 1970-01-01.

    Examples
    --------
    >>> middle_of_month(np.array([0])).tolist()
    [14]
    """
    return month_of(days).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + 14


def middle_of_year(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the 2 July of the year of days.

    Parameters
    ----------
    days : numpy.ndarray
        Days since 1970-01-01.

    Returns
    -------
    numpy.ndarray
        Days since 1970-01-01.
    """
    year = month_of(days) // 12
    july = (year * 12 + 6).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return july + 1


@cache
def _calendar() -> tuple[pa.Array, NDArray[np.int64], NDArray[np.int64]]:
    """All days, months and years as texts, and where the month and year of a day stand."""
    days = np.arange(_FIRST, _LAST)
    months = np.arange(_FIRST.astype("datetime64[M]"), _LAST.astype("datetime64[M]"))
    years = np.arange(_FIRST.astype("datetime64[Y]"), _LAST.astype("datetime64[Y]"))
    texts = pa.array(np.concatenate([days.astype(str), months.astype(str), years.astype(str)]).tolist())
    month_at = len(days) + (days.astype("datetime64[M]") - months[0]).astype(np.int64)
    year_at = len(days) + len(months) + (days.astype("datetime64[Y]") - years[0]).astype(np.int64)
    return texts, month_at, year_at


def dates(days: NDArray[np.int64], precision: NDArray[np.int64] | None = None) -> pa.Array:
    """Write days as ISO texts at their own precision.

    Parameters
    ----------
    days : numpy.ndarray
        Days since 1970-01-01; ``NONE`` is an empty cell.
    precision : numpy.ndarray, optional
        0 day, 1 month, 2 year.

    Returns
    -------
    pyarrow.Array
        Texts.

    Examples
    --------
    >>> dates(np.array([0, NONE, 31]), np.array([0, 0, 1])).to_pylist()
    ['1970-01-01', None, '1970-02']
    """
    texts, month_at, year_at = _calendar()
    absent = days == NONE
    at = np.where(absent, 0, days + EPOCH_OFFSET)
    if precision is not None:
        at = np.where(precision == 1, month_at[at], np.where(precision == 2, year_at[at], at))
    return texts.take(pa.array(at, mask=absent))


def labels(index: NDArray[Any], names: Sequence[str], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """Write positions as the texts they stand for.

    Parameters
    ----------
    index : numpy.ndarray
        Positions in `names`.
    names : sequence of str
        Texts.
    absent : numpy.ndarray, optional
        Where the cell is empty.

    Returns
    -------
    pyarrow.Array
        Texts.

    Examples
    --------
    >>> labels(np.array([1, 0]), ["a", "b"]).to_pylist()
    ['b', 'a']
    """
    at = np.asarray(index).astype(np.int64)
    if absent is not None:
        at = np.where(absent, 0, at)
    return pa.array(list(names), pa.string()).take(pa.array(at, mask=absent))


def codes(
    index: NDArray[Any], value_set: str, enums: Sequence[str], absent: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Write positions as the official codes of a value set.

    Parameters
    ----------
    index : numpy.ndarray
        Positions in `enums`.
    value_set : str
        Name of the set.
    enums : sequence of str
        English values.
    absent : numpy.ndarray, optional
        Where the cell is empty.

    Returns
    -------
    pyarrow.Array
        Official codes.

    Examples
    --------
    >>> codes(np.array([0]), "StatutActuelDiagnostic", ["confirmed"]).to_pylist()
    ['255545003']
    """
    official = VALUE_SETS[value_set].code_of
    return labels(index, [official[enum] for enum in enums], absent)


def truths(values: NDArray[np.bool_], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """Write truth values.

    Parameters
    ----------
    values : numpy.ndarray
        Truth values.
    absent : numpy.ndarray, optional
        Where the cell is empty.

    Returns
    -------
    pyarrow.Array
        ``true``, ``false`` or empty.
    """
    return labels(np.asarray(values).astype(np.int64), ["false", "true"], absent)


def numbers(values: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """Write numbers.

    Parameters
    ----------
    values : numpy.ndarray
        Integers or floats.
    absent : numpy.ndarray, optional
        Where the cell is empty.

    Returns
    -------
    pyarrow.Array
        Texts.
    """
    return pc.cast(pa.array(values, mask=absent), pa.string())


def fixed(values: NDArray[np.bytes_], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """Hand over texts of one length without copying each.

    Parameters
    ----------
    values : numpy.ndarray
        ASCII bytes, all of the same length.
    absent : numpy.ndarray, optional
        Where the cell is empty.

    Returns
    -------
    pyarrow.Array
        Texts.

    Examples
    --------
    >>> fixed(np.array([b"ab", b"cd"])).to_pylist()
    ['ab', 'cd']
    """
    values = np.ascontiguousarray(values)
    width = values.dtype.itemsize
    offsets = np.arange(len(values) + 1, dtype=np.int32) * width
    out = pa.Array.from_buffers(pa.string(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(values)])
    return out if absent is None else pc.if_else(pa.array(~absent), out, pa.scalar(None, pa.string()))


def make_table(name: str, columns: Mapping[str, pa.Array], rows: int) -> pa.Table:
    """Lay columns out as the raw table wants them; those not given are empty.

    Parameters
    ----------
    name : str
        Table name.
    columns : mapping
        Column name to texts.
    rows : int
        Number of rows.

    Returns
    -------
    pyarrow.Table
        All raw columns in order, as text.
    """
    unknown = sorted(set(columns) - set(DECLARED[name].columns))
    if unknown:
        raise KeyError(f"{name} has no {unknown}")
    empty = pa.nulls(rows, pa.string())
    return pa.table({column: columns.get(column, empty) for column in raw_columns(name)})


def write_csv(path: str | os.PathLike[str], table: pa.Table) -> None:
    """Write a raw table: UTF-8, semicolons, a header, empty cells for missing values.

    Parameters
    ----------
    path : path-like
        Where to write.
    table : pyarrow.Table
        Texts.
    """
    options = arrow_csv.WriteOptions(include_header=False, delimiter=";", quoting_style="none", batch_size=65536)
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as handle:
        handle.write((";".join(table.column_names) + "\n").encode())
        arrow_csv.write_csv(table, handle, options)
