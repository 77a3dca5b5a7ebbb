"""Rows that look like persons, areas too small, sites: what a table is made of."""

from __future__ import annotations

import re

import pandas as pd
from pandas.api import types

from epi.disclosure.columns import has_word, is_statistic, is_text
from epi.disclosure.findings import Finding
from epi.disclosure.policy import Policy
from epi.results import Release

_CODE = re.compile(r"(?=(?:[^0-9]*[0-9]){2})[0-9A-Za-z]+(?:[-_:.][0-9A-Za-z]+)?")


def check_individuals(release: Release, policy: Policy) -> list[Finding]:
    """Look for rows of persons, and for areas and sites too small, in a table.

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
    findings = [*_check_rows(release, policy), *_check_areas(release, policy)]
    sites = [column for column in map(str, release.table.columns) if column.lower() in policy.site_columns]
    if sites and release.counts:
        findings.append(
            Finding("site", "warning", sites[0], "rows are sites: the sites' agreement to publish is needed")
        )
    return findings


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
    near = [
        column
        for column in map(str, table.columns)
        if column.lower() in policy.quasi_identifiers or _is_commune(column, table[column], policy)
    ]
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
    if len(table) <= policy.few_rows:
        return []
    findings = [
        Finding(
            "person_level",
            "refused",
            column,
            f"codes that come once each on {len(table)} rows: leave them out, or name the column for what they are "
            "(area, icd, orpha, year…)",
        )
        for column in map(str, table.columns)
        if _is_coded(column, table[column], policy)
    ]
    loose = [] if release.counts else [c for c in map(str, table.columns) if _is_measure(c, release, policy)]
    if loose:
        findings.append(
            Finding(
                "person_level",
                "refused",
                ", ".join(loose),
                f"{len(table)} rows of figures without any count: rows look like persons. Declare the count they rest "
                "on, or these columns in not_counts if rows are territories or variables",
            )
        )
    return findings


def _is_measure(column: str, release: Release, policy: Policy) -> bool:
    values = release.table[column]
    figures = types.is_numeric_dtype(values) and not types.is_bool_dtype(values)
    return figures and column not in release.not_counts and not is_statistic(column, policy)


def _is_coded(column: str, values: pd.Series, policy: Policy) -> bool:
    """Say whether texts are short codes, each on one row: a pseudonym under another name."""
    if not is_text(values) or has_word(column, (*policy.code_columns, *policy.territory_columns)):
        return False
    present = [str(value).strip() for value in values.dropna().astype(object)]
    coded = sum(_CODE.fullmatch(text) is not None for text in present)
    return len(set(present)) == len(present) > policy.few_rows and 2 * coded >= len(present)


def _is_commune(column: str, values: pd.Series, policy: Policy) -> bool:
    """Say whether most texts of a column are shaped like codes of communes, whatever its name."""
    if not is_text(values) or has_word(column, policy.territory_columns):
        return False
    present = [str(value).strip() for value in values.dropna().astype(object)]
    shaped = sum(re.fullmatch(policy.commune_code, text) is not None for text in present)
    return bool(present) and 2 * shaped >= len(present)


def _check_areas(release: Release, policy: Policy) -> list[Finding]:
    table = release.table
    areas = [
        column
        for column in map(str, table.columns)
        if column.lower() in policy.small_area_columns or _is_commune(column, table[column], policy)
    ]
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
