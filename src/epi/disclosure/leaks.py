"""Columns that would give a hidden count away: undeclared counts, copies, ratios of it."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
from pandas.api import types

from epi.disclosure.columns import (
    count_columns,
    derived_columns,
    has_word,
    is_plain,
    is_statistic,
    is_text,
    is_whole,
    quantile_level,
    reads_as_number,
)
from epi.disclosure.findings import Finding
from epi.disclosure.nesting import difference_columns, nested_sequences
from epi.disclosure.policy import Policy
from epi.results import Release

_COUNT_AND_SHARE = re.compile(r"\s*\d[\d\s,.\u00a0\u202f]*\s*(\(.*\)|/\s*\d.*)\s*")
_NUMBER = re.compile(r"\s*\d[\d\s,\u00a0\u202f]*\s*")
_SCALES = (1.0, 100.0, 1e3, 1e4, 1e5, 1e6)


def check_shape(release: Release) -> list[Finding]:
    """Check that a declared table is one the gate can read.

    Parameters
    ----------
    release : Release
        What would be published.

    Returns
    -------
    list of Finding
        Refusals.
    """
    table = release.table
    if not isinstance(table, pd.DataFrame):
        return [_no("not_a_table", "table", f"it is a {type(table).__name__}, not a DataFrame")]
    if table.columns.nlevels > 1 or not all(isinstance(column, str) for column in table.columns):
        return [_no("columns", "table", "column names must be plain texts: flatten them")]
    if not table.columns.is_unique:
        return [_no("columns", "table", "two columns have the same name")]
    if table.empty:
        return [_no("empty", "table", "the table has no row, or no column: nothing to publish")]
    index = table.index
    if index.nlevels > 1 or index.name is not None or not (is_whole(index.to_series()) or len(index) == 0):
        return [_no("index", "table", "its index would be lost: call reset_index() and declare its columns")]
    odd = [
        _no("not_plain", column, f"{many} cell(s) are no plain value: write a number or a text in each")
        for column in table.columns
        if types.is_object_dtype(getattr(table[column].dtype, "categories", table[column]))
        and (many := sum(not is_plain(value) for value in table[column].astype(object)))
    ]
    if odd:
        return odd
    named = [
        *count_columns(release),
        *release.not_counts,
        *(name for counted in release.counts for name in (*counted.derived, *(counted.adds_up_within or ()))),
    ]
    missing = sorted({name for name in named if name not in table.columns})
    if missing:
        return [_no("missing", ", ".join(missing), "declared, but not in the table")]
    return _check_counts(release)


def _check_counts(release: Release) -> list[Finding]:
    findings = []
    for column in count_columns(release):
        values = release.table[column]
        if is_text(values) and not is_whole(values) and values.notna().any():
            findings.append(_no("count_type", column, "declared as a count of persons, but it holds texts"))
        elif values.notna().any() and not is_whole(values):
            findings.append(_no("count_type", column, "declared as a count of persons, but not whole numbers"))
        elif (values.dropna().to_numpy(float) < 0).any():
            findings.append(_no("count_type", column, "declared as a count of persons, but some are negative"))
    if findings:
        return findings
    for counted in release.counts:
        if counted.of is None:
            continue
        above = (_numbers(release, counted.column) > _numbers(release, counted.of)).sum()
        if above:
            findings.append(_no("denominator", counted.column, f"{above} count(s) exceed their '{counted.of}'"))
    return findings


def check_declared(release: Release, policy: Policy) -> list[Finding]:
    """Check that every column that may count persons says so.

    Parameters
    ----------
    release : Release
        What would be published, of a shape the gate can read.
    policy : Policy
        The rules.

    Returns
    -------
    list of Finding
        Refusals.
    """
    known = {*count_columns(release), *derived_columns(release), *release.not_counts}
    findings: list[Finding] = []
    for column in release.table.columns:
        values = release.table[column]
        if has_word(column, policy.extremes) and column not in release.not_counts:
            findings.append(
                _no("extreme", column, "a smallest or largest value is one person's: give quantiles instead")
            )
        if column in known:
            continue
        if _may_count(column, values, policy):
            findings.append(
                _no(
                    "undeclared",
                    column,
                    f"whole numbers, not declared: add Counted('{column}') to counts if they count persons, "
                    f"or '{column}' to not_counts",
                )
            )
        elif is_text(values) and _reads_as_numbers(column, values, policy):
            findings.append(
                _no(
                    "undeclared",
                    column,
                    f"cells that read as numbers: give numbers and declare them, or '{column}' in not_counts",
                )
            )
        elif is_text(values) and _looks_counted(values):
            findings.append(
                _no("undeclared", column, "texts such as '12 (34 %)': give numbers, or declare it as derived")
            )
        elif has_word(column, policy.means) or quantile_level(column, policy) is not None:
            findings.append(
                _no(
                    "undeclared",
                    column,
                    "a summary of persons: declare it as derived from the count it rests on, Counted('n', derived=(…))",
                )
            )
    return findings


def check_leaks(release: Release, hidden: pd.DataFrame) -> list[Finding]:
    """Look for printed columns from which a hidden count can be read.

    Parameters
    ----------
    release : Release
        What was declared, small steps merged.
    hidden : pandas.DataFrame
        True where a cell is hidden.

    Returns
    -------
    list of Finding
        Refusals: a copy of a count, its share, its ratio to another printed column.
    """
    table = release.table
    known = {*count_columns(release), *derived_columns(release)}
    others = {
        column: values
        for column in table.columns
        if column not in known and (values := _as_numbers(table[column])) is not None
    }
    findings: list[Finding] = []
    for sequence in nested_sequences(release):
        findings += [
            _no("copy", column, f"the difference between rows of '{nested}': declare it as derived from it")
            for column, nested in difference_columns(table, sequence).items()
            if column not in known
        ]
    for counted in release.counts:
        if not hidden[counted.column].any():
            continue
        counts = _numbers(release, counted.column)
        whole = _numbers(release, counted.of) if counted.of is not None else None
        for column, values in others.items():
            if _repeats(values, counts):
                findings.append(_no("copy", column, f"it repeats '{counted.column}', which has hidden cells"))
            elif whole is not None and _is_ratio(values, counts, whole):
                findings.append(_no("copy", column, f"a share of '{counted.column}': declare it as derived from it"))
            else:
                findings += [
                    _no("copy", column, f"'{counted.column}' / '{other}': declare it as derived from the count")
                    for other, base in others.items()
                    if other != column and _is_ratio(values, counts, base)
                ]
    return list(dict.fromkeys(findings))


def _no(rule: str, where: str, message: str) -> Finding:
    return Finding(rule, "refused", where, message)


def _numbers(release: Release, column: str) -> np.ndarray:
    return release.table[column].to_numpy(float, na_value=np.nan)


def _as_numbers(values: pd.Series) -> np.ndarray | None:
    """Read a column as numbers, texts of digits included; None when it is not one."""
    if values.dtype.kind == "b" or values.dtype.kind == "M":
        return None
    if not is_text(values):
        return values.to_numpy(float, na_value=np.nan)
    texts = values.astype(object).map(lambda cell: str(cell) if pd.notna(cell) else "")
    read = texts.map(lambda text: float(re.sub(r"\D", "", text)) if _NUMBER.fullmatch(text) else np.nan)
    return read.to_numpy(float) if read.notna().any() else None


def _may_count(column: str, values: pd.Series, policy: Policy) -> bool:
    """Say whether numbers may count persons: all whole, or small whole ones among others."""
    if is_text(values) and not is_whole(values):
        return False
    if values.dtype.kind in "iuc":
        return True
    if not types.is_numeric_dtype(values) or types.is_bool_dtype(values):
        return is_whole(values)
    present = values.dropna().to_numpy(float)
    if not (present >= 1).any():
        return False
    if is_whole(values):
        return not (has_word(column, policy.probabilities) and present.max() <= 1)
    # A stacked table holds counts and rates in one column.
    whole = present[present == np.round(present)]
    return not is_statistic(column, policy) and any(map(policy.is_small, whole))


def _reads_as_numbers(column: str, values: pd.Series, policy: Policy) -> bool:
    """Say whether a cell of texts or objects reads as a number, codes of rows left out."""
    codes = has_word(column, (*policy.code_columns, *policy.territory_columns))
    if codes and not has_word(column, policy.count_columns):
        return any(isinstance(value, dt.timedelta | np.timedelta64) for value in values.dropna().astype(object))
    return any(reads_as_number(value, policy.person_units) for value in values.astype(object))


def _looks_counted(values: pd.Series) -> bool:
    present = values.dropna()
    return bool(len(present)) and any(
        isinstance(value, str) and _COUNT_AND_SHARE.fullmatch(value) is not None for value in present
    )


def _repeats(values: np.ndarray, counts: np.ndarray) -> bool:
    both = ~np.isnan(values) & ~np.isnan(counts)
    return bool(both.any() and np.array_equal(values[both], counts[both]) and (counts[both] > 0).any())


def _is_ratio(values: np.ndarray, counts: np.ndarray, base: np.ndarray) -> bool:
    """Say whether a column is count / base, up to a usual scale and rounding."""
    both = ~np.isnan(values) & ~np.isnan(counts) & ~np.isnan(base) & (counts > 0) & (base > 0)
    if not both.any():
        return False
    ratio = counts[both] / base[both]
    return any(
        np.all(np.abs(values[both] - scale * ratio) <= np.maximum(0.0051 * scale * ratio, 0.051 * (scale == 100.0)))
        for scale in _SCALES
    )
