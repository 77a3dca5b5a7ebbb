"""Columns that would give a hidden count away: undeclared counts, copies, ratios of it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from epi.disclosure.columns import (
    count_columns,
    derived_columns,
    has_word,
    is_statistic,
    is_text,
    is_whole,
    quantile_level,
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
        if is_whole(values) and (values.dtype.kind in "iu" or not is_statistic(column, policy)):
            if values.dtype.kind == "f" and not (values.dropna() >= 1).any():
                continue
            findings.append(
                _no(
                    "undeclared",
                    column,
                    f"whole numbers, not declared: add Counted('{column}') to counts if they count persons, "
                    f"or '{column}' to not_counts",
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
    present = values.dropna().astype(str)
    if present.empty or not present.map(lambda text: bool(_NUMBER.fullmatch(text))).all():
        return None
    return values.map(lambda text: float(re.sub(r"\D", "", str(text))) if pd.notna(text) else np.nan).to_numpy(float)


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
