"""What must never be printed, whatever the count: identifiers, exact dates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from pandas.api import types

from epi.disclosure.columns import is_dated
from epi.disclosure.findings import Finding
from epi.disclosure.policy import Policy
from epi.results import Release

_DECIMAL = re.compile(r"(?<![\w.])\d{1,9}\.\d+(?:[eE][-+]?\d+)?(?![\w.])")


def check_headings(release: Release, policy: Policy) -> list[Finding]:
    """Look for identifiers among the names of columns, before any is named in a message.

    Parameters
    ----------
    release : Release
        What would be published.
    policy : Policy
        The rules.

    Returns
    -------
    list of Finding
        Refusals, which do not name the heading.
    """
    names = [str(column) for column in getattr(release.table, "columns", ())]
    names += [*map(str, release.labels), *map(str, release.not_counts)]
    rules = {rule: None for name in names for rule in find_identifiers(name, policy)}
    if not rules:
        return []
    return [Finding("identifier_text", "refused", "headings", f"one is shaped like: {', '.join(rules)}")]


def check_identifiers(release: Release, policy: Policy) -> list[Finding]:
    """Look for identifiers and exact dates in a table.

    Parameters
    ----------
    release : Release
        What would be published.
    policy : Policy
        The rules.

    Returns
    -------
    list of Finding
        Refusals.
    """
    table = release.table
    # A definition and the steps of an attrition say the limits of a period; a cell beside others,
    # the date of a person.
    steps = any(counted.nested for counted in release.counts)
    in_words = steps or (not release.counts and table.shape[1] == 1)
    findings: list[Finding] = []
    for column in map(str, table.columns):
        findings += _check_column(column, table[column], policy, in_words)
    findings += _check_texts(release, policy)
    return findings


def is_identifier_name(column: str, policy: Policy) -> bool:
    """Say whether a column is named like an identifier or an exact date of a person.

    Parameters
    ----------
    column : str
        A column's name.
    policy : Policy
        The rules.

    Returns
    -------
    bool
        True if the name is listed, or ends as a listed one does.

    Examples
    --------
    >>> from epi.disclosure.policy import read_policy
    >>> [is_identifier_name(name, read_policy()) for name in ("patient_id", "first_care_date", "age")]
    [True, True, False]
    """
    name = column.lower()
    return name in policy.identifier_columns or name.endswith(policy.identifier_endings)


def count_identifiers(values: pd.Series, policy: Policy, *, periods: bool = False) -> dict[str, int]:
    """Count the cells of a column that hold what is shaped like an identifier, by rule.

    Parameters
    ----------
    values : pandas.Series
        A column.
    policy : Policy
        The rules.
    periods : bool, optional
        True where a sentence may hold the limits of a period; a cell that is a date never may.

    Returns
    -------
    dict
        Rule name to number of cells, for rules met; each cell counts once.
    """
    if types.is_bool_dtype(values) or types.is_float_dtype(values) or types.is_complex_dtype(values):
        return {}
    found: dict[str, int] = {}
    for value in values.dropna().astype(object):
        if isinstance(value, bool | float):
            continue
        text = str(value).strip()
        close = text.replace(" ", "")
        whole = (rule for rule, shape in policy.value_patterns.items() if shape.fullmatch(_spaced(rule, text, close)))
        rules = [*whole, *find_identifiers(text, policy, periods=periods)]
        if rules:
            found[rules[0]] = found.get(rules[0], 0) + 1
    return found


def _spaced(rule: str, text: str, close: str) -> str:
    return text if rule == "exact date" else close


def _check_column(column: str, values: pd.Series, policy: Policy, in_words: bool) -> list[Finding]:
    if is_identifier_name(column, policy):
        return [
            Finding(
                "identifier_column",
                "refused",
                column,
                "it is an identifier or an exact date of a person: leave it out (a year may stay)",
            )
        ]
    if is_dated(values):
        return [
            Finding(
                "exact_date",
                "refused",
                column,
                "it holds exact dates: write a period as text, such as 2015 or 2015-03",
            )
        ]
    if str(values.dtype) == "geometry":
        return [
            Finding("geometry", "refused", column, "it holds shapes: join contours inside the chart's draw function")
        ]
    return [
        Finding("identifier_value", "refused", column, f"{cells} cell(s) are shaped like: {rule}")
        for rule, cells in count_identifiers(values, policy, periods=in_words).items()
    ]


def find_identifiers(text: str, policy: Policy, *, periods: bool = False) -> list[str]:
    """Name the kinds of identifier that stand in a text, whole or among other words.

    Parameters
    ----------
    text : str
        A cell, a heading, a title, a note, a label.
    policy : Policy
        The rules.
    periods : bool, optional
        True where the text may say the limits of a period.

    Returns
    -------
    list of str
        Rule names.

    Examples
    --------
    >>> from epi.disclosure.policy import read_policy
    >>> find_identifiers("cases of 2015, ORPHA:803", read_policy())
    []
    >>> find_identifiers("diagnosed 2015-03-02", read_policy())
    ['exact date']
    >>> find_identifiers("diagnosed from 2015-01-01", read_policy(), periods=True)
    []
    """
    # The decimals of a number written in full look like a long number.
    words = _DECIMAL.sub(" ", text)
    left_out = policy.period_values if periods else ()
    return [rule for rule, shape in policy.text_patterns.items() if rule not in left_out and shape.search(words)]


def walk_texts(value: Any) -> Iterator[tuple[bool, str]]:
    """Give each text of a nested value, keys included.

    Parameters
    ----------
    value : object
        A value, a list, a mapping.

    Yields
    ------
    tuple of bool and str
        Whether it is a key, and the text; numbers with decimals are left out.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield True, str(key)
            yield from walk_texts(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from walk_texts(item)
    elif value is not None and not isinstance(value, bool | float):
        yield False, str(value)


def _check_texts(release: Release, policy: Policy) -> list[Finding]:
    texts = {"title": release.title, "note": release.note, "labels": " · ".join(release.labels.values())}
    return [
        Finding("identifier_text", "refused", where, f"the text holds what is shaped like: {', '.join(rules)}")
        for where, text in texts.items()
        if (rules := find_identifiers(text, policy, periods=where != "labels"))
    ]
