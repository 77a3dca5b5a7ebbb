"""Rules as data: an identifier, a severity, a table and the condition under which a row breaks it."""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import duckdb

from epi.errors import DataError
from epi.files import read_yaml
from epi.sources.bndmr.conversion import Converter
from epi.sources.bndmr.mapping import RegistryMapping
from epi.sources.bndmr.tables import DECLARED

Severity = Literal["E", "W"]

STRUCTURAL: dict[str, tuple[Severity, str]] = {
    "F00": ("E", "The record has too few or too many cells."),
    "F01": ("E", "A required value is missing."),
    "F02": ("E", "A value is not in its list."),
    "F03": ("E", "A date is malformed, or does not exist."),
    "F03-swapped": ("E", "A date is impossible as written: its day and month look exchanged."),
    "F04": ("E", "A number is malformed or out of its range."),
    "F05": ("E", "A text does not have its form (an INSEE code that lost its zero, a FINESS, a site code)."),
    "F06": ("W", "A value that the rest of the row calls for is missing."),
    "F07": ("W", "A missing value was given the default of the specification."),
    "V01-duplicate": ("E", "An exact copy of another row; one is kept."),
    "V01-conflict": ("E", "Several rows have the same key and different content; none is kept."),
    "V01-orphan": ("E", "The row refers to one that does not exist."),
    "V01-cascade": ("E", "The row refers to one that was rejected."),
    "V01-propositus": ("W", "The first case of the family is not in the extract."),
}
"""Rules that come from the schema itself: form of the cells, keys and references."""

EXTRAS: dict[str, dict[str, str]] = {
    "patient": {
        "birth_first": "CASE WHEN birth_day IS NULL THEN make_date(birth_year, birth_month, 1) "
        "ELSE try(make_date(birth_year, birth_month, birth_day)) END",
        "birth_last": "CASE WHEN birth_day IS NULL THEN last_day(make_date(birth_year, birth_month, 1)) "
        "ELSE try(make_date(birth_year, birth_month, birth_day)) END",
    }
}
"""Columns that only rules see, as expressions over typed columns of the table."""

_EXTRACT = {"extraction_date"}
_NOMENCLATURE = {"orpha_code", "status", "level", "target"}
_ID = re.compile(r"[A-Z][0-9]{2,3}(-[a-z0-9-]+)?")
_CLASSES = {"COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "OPERATOR", "CAST", "BETWEEN", "CASE", "TYPE"}
_COMPARING = """
    + - * / // % || ~~ !~~
    abs least greatest round floor ceil trunc
    lower upper length trim left right substr contains starts_with prefix suffix regexp_full_match regexp_matches
    coalesce ifnull nullif list_contains string_split
    year month day date_part date_diff date_trunc last_day make_date to_days to_months to_years age epoch isodow
"""
_FUNCTIONS = frozenset(_COMPARING.split())


@dataclass(frozen=True)
class Rule:
    """A condition that rows should not meet.

    Parameters
    ----------
    id : str
        Its identifier, such as ``V09``; several rules may share one, on different tables.
    severity : {"E", "W"}
        An error rejects the row; a warning is counted and the row kept.
    table : str
        The table whose rows it judges.
    when : str
        SQL condition that is true for a row that breaks the rule, see ``data/rules.yml``.
    meaning : str
        What is wrong, in a sentence.
    column : str, optional
        The column it speaks of, for counts by column.
    """

    id: str
    severity: Severity
    table: str
    when: str
    meaning: str
    column: str = ""


def read_rules(path: str | os.PathLike[str]) -> tuple[Rule, ...]:
    """Read rules from a YAML list.

    Parameters
    ----------
    path : path-like
        A list of mappings with ``id, severity, table, when, meaning`` and perhaps ``column``.

    Returns
    -------
    tuple of Rule
        The rules, checked.

    Raises
    ------
    DataError
        If any is malformed; all faults at once.
    """
    source = Path(path)
    content = read_yaml(source)
    if not isinstance(content, list):
        raise DataError(f"{source.name} is not a list of rules", "a YAML list", "see docs/data-dictionary/rules.md")
    rules, faults = [], []
    for place, entry in enumerate(content, start=1):
        wrong = _entry_fault(entry)
        if wrong:
            faults.append(f"rule {place}: {wrong}")
        else:
            rules.append(Rule(**entry))
    if faults:
        raise DataError(
            f"{source.name} has {len(faults)} malformed rule(s)",
            "id, severity (E or W), table, when, meaning and perhaps column, all texts",
            "see docs/data-dictionary/rules.md",
            faults=faults,
        )
    check_rules(rules)
    return tuple(rules)


def _entry_fault(entry: Any) -> str:
    fields = {"id", "severity", "table", "when", "meaning", "column"}
    if not isinstance(entry, dict):
        return "not a mapping"
    unknown = sorted(str(key) for key in entry if key not in fields)
    missing = sorted(fields - {"column"} - set(entry))
    texts = all(isinstance(value, str) for value in entry.values())
    parts = [f"unknown {', '.join(unknown)}"] if unknown else []
    parts += [f"missing {', '.join(missing)}"] if missing else []
    parts += [] if texts else ["every field is a text"]
    return "; ".join(parts)


def check_rules(rules: Sequence[Rule]) -> None:
    """Refuse rules that cannot be applied.

    Parameters
    ----------
    rules : sequence of Rule
        The rules.

    Raises
    ------
    DataError
        If any names an unknown table or column, or does more than compare; all faults at once.

    Examples
    --------
    >>> check_rules([Rule("V99", "E", "care", "care.site = 'S001'", "An example.")])
    Traceback (most recent call last):
    epi.errors.DataError: 1 rule(s) cannot be applied. Expected: ...
      - V99 (care): there is no column care.site (near: site_code)
    """
    faults = []
    for rule in rules:
        where = f"{rule.id} ({rule.table})"
        if not _ID.fullmatch(rule.id):
            faults.append(f"{where}: an identifier is a letter and digits, then perhaps -words")
        if rule.id in STRUCTURAL and rule not in RULES:
            faults.append(f"{where}: this identifier is that of a rule of the schema")
        if rule.severity not in ("E", "W"):
            faults.append(f"{where}: severity is E or W")
        if rule.table not in DECLARED:
            faults.append(f"{where}: there is no such table")
            continue
        if rule.column and rule.column not in DECLARED[rule.table].columns:
            faults.append(f"{where}: there is no column {rule.column}")
        try:
            faults += [f"{where}: {fault}" for fault in _reference_faults(rule)]
        except ValueError as error:
            faults.append(f"{where}: {error}")
    if faults:
        raise DataError(
            f"{len(faults)} rule(s) cannot be applied",
            "a condition on table.column, of the row's table or of a table it refers to",
            "see docs/data-dictionary/rules.md",
            faults=faults,
        )


def _reference_faults(rule: Rule) -> Iterator[str]:
    reachable = visible(rule.table)
    for table, column in sorted(references(rule.when)):
        if table not in reachable:
            yield f"table {table} cannot be seen from {rule.table}, which sees {', '.join(reachable)}"
        elif column not in reachable[table]:
            near = difflib.get_close_matches(column, reachable[table], n=1)
            yield f"there is no column {table}.{column}" + (f" (near: {near[0]})" if near else "")


@functools.cache
def visible(table: str) -> dict[str, set[str]]:
    """Say which columns a rule on a table may use.

    Parameters
    ----------
    table : str
        Table name.

    Returns
    -------
    dict
        Table name to its columns: its own, those it refers to, and what is known of the extract.

    Examples
    --------
    >>> sorted(visible("activity"))
    ['activity', 'care', 'extract', 'fetus', 'fsmr', 'hospital', 'patient', 'pregnancy', 'site']
    """
    seen: dict[str, set[str]] = {}
    waiting = [table]
    while waiting:
        here = waiting.pop(0)
        if here not in seen:
            seen[here] = Converter(DECLARED[here], RegistryMapping()).names | set(EXTRAS.get(here, {}))
            waiting += [key.table for key in DECLARED[here].foreign]
    if table == "diagnosis":
        seen["nomenclature"] = set(_NOMENCLATURE)
    return {**seen, "extract": set(_EXTRACT)}


@functools.cache
def references(when: str) -> frozenset[tuple[str, str]]:
    """List the columns that a condition uses, and refuse one that does more than compare.

    Parameters
    ----------
    when : str
        SQL condition.

    Returns
    -------
    frozenset of (str, str)
        Table and column.

    Raises
    ------
    ValueError
        If it is not one condition, or uses a query, a file or an unknown function.

    Examples
    --------
    >>> sorted(references("care.out_of_label AND year(care.inclusion_date) > 2020"))
    [('care', 'inclusion_date'), ('care', 'out_of_label')]
    """
    with duckdb.connect() as parser:
        answer = parser.execute("SELECT json_serialize_sql(?::VARCHAR)", [f"SELECT {when}"]).fetchall()[0][0]
    tree = json.loads(answer)
    if tree.get("error"):
        raise ValueError("the condition is not valid SQL")
    statements = tree["statements"]
    node = statements[0]["node"]
    alone = (
        len(statements) == 1
        and node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not node["modifiers"]
        and not any(node[part] for part in ("where_clause", "having", "qualify", "group_expressions"))
        and not node["cte_map"]["map"]
    )
    if not alone:
        raise ValueError("the condition is not one expression")
    found: set[tuple[str, str]] = set()
    _walk(node["select_list"][0], found)
    return frozenset(found)


def _walk(node: Any, found: set[tuple[str, str]]) -> None:
    if isinstance(node, list):
        for item in node:
            _walk(item, found)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("class")
    if kind == "FUNCTION":
        if node["function_name"].lower() not in _FUNCTIONS:
            raise ValueError(f"function {node['function_name']} is not among those a rule may use")
    elif kind is not None and kind not in _CLASSES:
        raise ValueError(f"{kind.lower()} is not allowed in a condition")
    if kind == "COLUMN_REF":
        names = node["column_names"]
        if len(names) != 2:
            raise ValueError(f"column {'.'.join(names)} is to be written table.column")
        found.add((names[0], names[1]))
        return
    for value in node.values():
        _walk(value, found)


def _packaged() -> tuple[Rule, ...]:
    with resources.as_file(resources.files(__package__).joinpath("data", "rules.yml")) as path:
        return tuple(Rule(**entry) for entry in read_yaml(path))


def _conditional() -> tuple[Rule, ...]:
    """Make the warnings of conditional fields from the schema."""
    return tuple(
        Rule(
            "F06",
            "W",
            table.name,
            f"{field.when} AND {table.name}.{field.name} IS NULL",
            STRUCTURAL["F06"][1],
            field.name,
        )
        for table in DECLARED.values()
        for field in table.fields
        if field.when
    )


RULES: tuple[Rule, ...] = _packaged() + _conditional()
"""The rules applied by default; add yours: ``rules=RULES + read_rules("mine.yml")``."""
