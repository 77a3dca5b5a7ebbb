"""What must never be printed, whatever the count: identifiers, exact dates, rows of persons."""

from __future__ import annotations

import pandas as pd
from pandas.api import types

from epi.disclosure.columns import is_dated
from epi.disclosure.findings import Finding
from epi.disclosure.policy import Policy
from epi.results import Release


def check_identifiers(release: Release, policy: Policy) -> list[Finding]:
    """Look for identifiers and rows of persons in a table.

    Parameters
    ----------
    release : Release
        What would be published.
    policy : Policy
        The rules.

    Returns
    -------
    list of Finding
        Refusals, and a warning when rows are sites.
    """
    table = release.table
    findings: list[Finding] = []
    for column in map(str, table.columns):
        findings += _check_column(column, table[column], policy)
    findings += _check_texts(release, policy)
    findings += _check_rows(release, policy)
    findings += _check_areas(release, policy)
    sites = [column for column in map(str, table.columns) if column.lower() in policy.site_columns]
    if sites and release.counts:
        findings.append(
            Finding("site", "warning", sites[0], "rows are sites: the sites' agreement to publish is needed")
        )
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


def count_identifiers(values: pd.Series, policy: Policy) -> dict[str, int]:
    """Count the cells of a column that are shaped like an identifier, by rule.

    Parameters
    ----------
    values : pandas.Series
        A column.
    policy : Policy
        The rules.

    Returns
    -------
    dict
        Rule name to number of cells, for rules met; each cell counts once.
    """
    if types.is_bool_dtype(values) or types.is_float_dtype(values) or types.is_complex_dtype(values):
        return {}
    found: dict[str, int] = {}
    for value in values.dropna():
        text = str(value).strip().replace(" ", "")
        for rule, pattern in policy.value_patterns.items():
            if pattern.fullmatch(text if rule != "exact date" else str(value).strip()):
                found[rule] = found.get(rule, 0) + 1
                break
    return found


def _check_column(column: str, values: pd.Series, policy: Policy) -> list[Finding]:
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
        for rule, cells in count_identifiers(values, policy).items()
    ]


def find_identifiers(text: str, policy: Policy) -> list[str]:
    """Name the kinds of identifier that stand in a text.

    Parameters
    ----------
    text : str
        A title, a note, a label.
    policy : Policy
        The rules.

    Returns
    -------
    list of str
        Rule names.

    Examples
    --------
    >>> from epi.disclosure.policy import read_policy
    >>> find_identifiers("cases of 2015, ORPHA:803", read_policy())
    []
    """
    return [rule for rule, pattern in policy.text_patterns.items() if pattern.search(text)]


def _check_texts(release: Release, policy: Policy) -> list[Finding]:
    texts = {"title": release.title, "note": release.note, "labels": " · ".join(release.labels.values())}
    return [
        Finding("identifier_text", "refused", where, f"the text holds what is shaped like: {', '.join(rules)}")
        for where, text in texts.items()
        if (rules := find_identifiers(text, policy))
    ]


def _check_rows(release: Release, policy: Policy) -> list[Finding]:
    table = release.table
    if len(table) > policy.max_rows:
        return [
            Finding(
                "too_many_rows",
                "refused",
                "table",
                f"{len(table)} rows, at most {policy.max_rows} may be printed: aggregate it",
            )
        ]
    near = [column for column in map(str, table.columns) if column.lower() in policy.quasi_identifiers]
    if not release.counts and len(near) >= policy.person_level_columns:
        return [
            Finding(
                "person_level",
                "refused",
                ", ".join(near),
                "together, and without any count, these columns make rows look like persons: "
                "count persons by group and declare the count",
            )
        ]
    return []


def _check_areas(release: Release, policy: Policy) -> list[Finding]:
    table = release.table
    areas = [column for column in map(str, table.columns) if column.lower() in policy.small_area_columns]
    if not areas or not release.counts:
        return []
    patients = {counted.column for counted in release.counts}
    known = [name for name in policy.population_columns if name in table and name not in patients]
    if not known:
        return [
            Finding(
                "small_area",
                "refused",
                areas[0],
                "rows are communes and no column gives their population: publish by bassin de vie, or add "
                f"'population' (not a count of patients) with {policy.small_area_min_population} or more each",
            )
        ]
    small = int((pd.to_numeric(table[known[0]]).fillna(0) < policy.small_area_min_population).sum())
    if not small:
        return []
    return [
        Finding(
            "small_area",
            "refused",
            areas[0],
            f"{small} row(s) are areas under {policy.small_area_min_population} inhabitants: group them",
        )
    ]
