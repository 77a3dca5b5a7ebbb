"""Successive rows included in each other (an attrition): steps that remove too few are merged.

The difference between two rows of a flow chart counts persons. Hiding one of them would hide a
large number to protect a small one; merging a step with the next says as much, and adds up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pandas.api import types

from epi.disclosure.columns import count_columns, derived_columns, has_word, is_text
from epi.disclosure.findings import Finding
from epi.disclosure.policy import Policy
from epi.errors import DisclosureError
from epi.results import Release


@dataclass(frozen=True)
class Sequence:
    """Rows included in each other, in order, and the columns that count them.

    Parameters
    ----------
    rows : tuple of int
        Positions of the rows, the largest population first.
    columns : tuple of str
        Nested columns of counts.
    """

    rows: tuple[int, ...]
    columns: tuple[str, ...]


def nested_sequences(release: Release) -> list[Sequence]:
    """List the sequences of nested rows of a table.

    Parameters
    ----------
    release : Release
        A declared table. For a nested count, ``adds_up_within`` names the columns whose groups of
        rows are sequences of their own.

    Returns
    -------
    list of Sequence
        One for each group of rows; empty when no count is nested.
    """
    by: dict[tuple[str, ...], list[str]] = {}
    for counted in release.counts:
        if counted.nested:
            by.setdefault(counted.adds_up_within or (), []).append(counted.column)
    return [
        Sequence(tuple(rows), tuple(columns))
        for within, columns in by.items()
        for rows in group_rows(release.table, within)
    ]


def group_rows(table: pd.DataFrame, within: tuple[str, ...]) -> list[list[int]]:
    """Cut a table into groups of rows.

    Parameters
    ----------
    table : pandas.DataFrame
        A table.
    within : tuple of str
        Columns that define the groups; none is the whole table.

    Returns
    -------
    list of list of int
        Positions of the rows of each group, in the table's order.
    """
    if not within:
        return [list(range(len(table)))]
    groups: dict[tuple[str, ...], list[int]] = {}
    keys = zip(*(table[column].astype(str) for column in within), strict=True)
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def difference_columns(table: pd.DataFrame, sequence: Sequence) -> dict[str, str]:
    """Find the columns that hold the difference between successive rows.

    Parameters
    ----------
    table : pandas.DataFrame
        The whole table.
    sequence : Sequence
        Rows and nested columns.

    Returns
    -------
    dict
        Column of differences to the nested column it comes from.
    """
    found: dict[str, str] = {}
    if len(sequence.rows) < 2:
        return found
    part = table.iloc[list(sequence.rows)]
    for nested in sequence.columns:
        steps = -np.diff(part[nested].to_numpy(float, na_value=np.nan))
        for column in part.columns:
            if column in sequence.columns or is_text(part[column]):
                continue
            values = part[column].to_numpy(float, na_value=np.nan)[1:]
            if np.array_equal(values, steps) or (np.array_equal(values, -steps) and steps.any()):
                found.setdefault(column, nested)
    return found


def merge_steps(release: Release, policy: Policy) -> tuple[Release, list[Finding]]:
    """Merge the steps of nested counts that remove 1 to ``min_count - 1`` persons.

    Parameters
    ----------
    release : Release
        A declared table.
    policy : Policy
        The rules.

    Returns
    -------
    release : Release
        The same, with fewer rows when steps were merged; a merged row's label names each step.
    findings : list of Finding
        What was merged.

    Raises
    ------
    DisclosureError
        If a count declared as nested grows from one row to the next, or misses.

    Notes
    -----
    A step is merged with those that follow until what they remove together is nobody or enough
    persons; the last ones, with those before. Percentages of the first row stay right; other
    figures derived from a merged row are left missing.
    """
    sequences = nested_sequences(release)
    if not sequences:
        return release, []
    table = release.table
    for sequence in sequences:
        _check_nested(table, sequence)
    blocks = _merge_all(table, sequences, policy)
    merged = sum(len(block) > 1 for block in blocks)
    if not merged:
        return release, []
    rows = [_merge_rows(release, block, sequences) for block in blocks]
    new = pd.DataFrame(rows, columns=table.columns)
    for column in table.columns:
        kind = table[column].dtype
        if (types.is_numeric_dtype(kind) or types.is_bool_dtype(kind)) and new[column].notna().all():
            new[column] = new[column].astype(kind)
    finding = Finding(
        "small_step",
        "hidden",
        ", ".join(dict.fromkeys(name for sequence in sequences for name in sequence.columns)),
        f"{len(table) - len(blocks)} step(s) that remove 1 to {policy.min_count - 1} persons "
        "are reported together with their neighbours",
    )
    return replace(release, table=new), [finding]


def _check_nested(table: pd.DataFrame, sequence: Sequence) -> None:
    for column in sequence.columns:
        values = table[column].iloc[list(sequence.rows)].to_numpy(float, na_value=np.nan)
        if np.isnan(values).any() or (np.diff(values) > 0).any():
            raise DisclosureError(
                f"column '{column}' is declared as nested but grows, or misses, from one row to the next",
                "rows in order, each included in the one before",
                "sort the rows, or declare nested=False",
            )


def _merge_all(table: pd.DataFrame, sequences: list[Sequence], policy: Policy) -> list[list[int]]:
    """Cut the table's rows into blocks, one row of the new table each.

    Sequences over the same rows are merged together: a row is one row for all its columns.
    """
    columns: dict[tuple[int, ...], list[str]] = {}
    for sequence in sequences:
        columns.setdefault(sequence.rows, []).extend(sequence.columns)
    owner: dict[int, list[int]] = {}
    for rows, names in columns.items():
        for block in _merge_sequence(table, rows, names, policy):
            for row in block:
                if row in owner and owner[row] != block:
                    raise DisclosureError(
                        "two nested counts cut the same rows into different sequences",
                        "the same adds_up_within for all nested counts of a table",
                        "publish them as two tables",
                    )
                owner[row] = block
    done: list[list[int]] = []
    for row in range(len(table)):
        block = owner.get(row, [row])
        if block[0] == row:
            done.append(block)
    return done


def _merge_sequence(table: pd.DataFrame, rows: tuple[int, ...], columns: list[str], policy: Policy) -> list[list[int]]:
    counts = table[columns].to_numpy(float, na_value=np.nan)
    blocks = [[rows[0]]]
    pending: list[int] = []
    for row in rows[1:]:
        pending.append(row)
        removed = counts[blocks[-1][-1]] - counts[row]
        if not any(policy.is_small(float(step)) for step in removed):
            blocks.append(pending)
            pending = []
    while pending:  # the last steps remove too few: they join the one before, until it is enough
        pending = [*blocks.pop(), *pending]
        if not blocks:
            return [pending]
        removed = counts[blocks[-1][-1]] - counts[pending[-1]]
        if not any(policy.is_small(float(step)) for step in removed):
            blocks.append(pending)
            pending = []
    return blocks


def _merge_rows(release: Release, block: list[int], sequences: list[Sequence]) -> dict[str, object]:
    table = release.table
    last = table.iloc[block[-1]]
    row: dict[str, object] = {column: last[column] for column in table.columns}
    if len(block) == 1:
        return row
    sequence = next(sequence for sequence in sequences if block[0] in sequence.rows)
    nested = {name for each in sequences if block[0] in each.rows for name in each.columns}
    steps = set()
    for each in sequences:
        if block[0] in each.rows:
            steps |= set(difference_columns(table, each))
    labelled = False
    for column in table.columns:
        values = table[column].iloc[block]
        if column in nested:
            continue
        if column in steps:
            row[column] = values.sum(min_count=1) if block[0] != sequence.rows[0] else np.nan
        elif is_text(table[column]):
            words = list(dict.fromkeys(str(value) for value in values.dropna() if str(value).strip()))
            row[column] = " + ".join(words) if words else None
            labelled = labelled or len(words) > 1
        elif block[0] == sequence.rows[0] or not _is_share_of_first(table, column, sequence):
            row[column] = _merged_number(release, column, values)
    if not labelled:
        _label(row, table, block)
    return row


def _merged_number(release: Release, column: str, values: pd.Series) -> object:
    """Keep a figure of the last row only if it rests on that row alone."""
    if column in derived_columns(release) or column in count_columns(release) or len(set(values.dropna())) > 1:
        return np.nan if column not in release.not_counts else values.iloc[-1]
    return values.iloc[-1]


def _label(row: dict[str, object], table: pd.DataFrame, block: list[int]) -> None:
    for column in table.columns:
        if is_text(table[column]):
            row[column] = f"{row[column] or ''} ({len(block)} steps together)".strip()
            return


def _is_share_of_first(table: pd.DataFrame, column: str, sequence: Sequence) -> bool:
    """Tell a percentage of the first row, which merging leaves right, from one of the row before."""
    part = table.iloc[list(sequence.rows)]
    values = part[column].to_numpy(float, na_value=np.nan)
    for nested in sequence.columns:
        counts = part[nested].to_numpy(float, na_value=np.nan)
        if counts[0] <= 0:
            continue
        for scale, rounding in ((100.0, 0.051), (1.0, 0.0051)):
            if np.nanmax(np.abs(values - scale * counts / counts[0]), initial=0.0) <= rounding:
                return not has_word(column, ("previous", "removed", "excluded"))
    return False
