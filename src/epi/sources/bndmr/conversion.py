"""From a raw text to a typed value, in DuckDB's SQL: one expression for each column.

A raw cell is already trimmed and missing when empty. An expression gives NULL for a cell that is
not well formed; the fault conditions of the same column say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from epi.sources.bndmr.fields import Field, Table
from epi.sources.bndmr.mapping import RegistryMapping, TableMapping
from epi.sources.bndmr.values import VALUE_SETS


@dataclass(frozen=True)
class DateFormat:
    """How a date is written, whole or in part.

    Parameters
    ----------
    whole : str
        strptime form of a day.
    length : int
        Length of a day.
    month_length : int
        Length of a month.
    month_to_day : str
        SQL that completes the month ``{}`` into a day, the 15th.
    """

    whole: str
    length: int
    month_length: int
    month_to_day: str

    @property
    def swapped(self) -> str:
        """The same form with day and month exchanged."""
        return self.whole.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")


FORMATS: Mapping[str, DateFormat] = {
    "YYYY-MM-DD": DateFormat("%Y-%m-%d", 10, 7, "{} || '-15'"),
    "YYYY-DD-MM": DateFormat("%Y-%d-%m", 10, 7, "left({0}, 5) || '15-' || substr({0}, 6)"),
    "YYYY/MM/DD": DateFormat("%Y/%m/%d", 10, 7, "{} || '/15'"),
    "YYYYMMDD": DateFormat("%Y%m%d", 8, 6, "{} || '15'"),
    "DD/MM/YYYY": DateFormat("%d/%m/%Y", 10, 7, "'15/' || {}"),
    "DD-MM-YYYY": DateFormat("%d-%m-%Y", 10, 7, "'15-' || {}"),
    "DD.MM.YYYY": DateFormat("%d.%m.%Y", 10, 7, "'15.' || {}"),
    "MM/DD/YYYY": DateFormat("%m/%d/%Y", 10, 7, "left({0}, 2) || '/15' || substr({0}, 3)"),
}

_INT = r"[+-]?[0-9]{1,9}(\.0+)?"
_FLOAT = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?"
_OLDEST = "DATE '1800-01-01'"


def text(value: str) -> str:
    """Quote a text for SQL.

    Parameters
    ----------
    value : str
        Any text.

    Returns
    -------
    str
        A literal.

    Examples
    --------
    >>> text("l'an")
    "'l''an'"
    """
    return "'" + value.replace("'", "''") + "'"


def _case(cell: str, pairs: Mapping[str, str], otherwise: str = "NULL") -> str:
    if not pairs:
        return otherwise
    arms = " ".join(f"WHEN {text(theirs)} THEN {text(ours)}" for theirs, ours in pairs.items())
    return f"CASE {cell} {arms} ELSE {otherwise} END"


@dataclass(frozen=True)
class Conversion:
    """The expressions of one column.

    Parameters
    ----------
    field : Field
        Its declaration.
    typed : str
        The tidy value; NULL when missing or malformed.
    faults : tuple of (str, str)
        Fault id and the condition under which a row has it.
    bad : str
        The condition under which it has any of them; empty when it cannot have one.
    extra : dict
        Further expressions by column name: precision and, for rules, bounds of a partial date.
    """

    field: Field
    typed: str
    faults: tuple[tuple[str, str], ...]
    bad: str
    extra: Mapping[str, str]


class Converter:
    """Makes the expressions of a table's columns under a mapping.

    Parameters
    ----------
    table : Table
        Its declaration.
    mapping : RegistryMapping
        How the extract is laid out.
    """

    def __init__(self, table: Table, mapping: RegistryMapping) -> None:
        self._all = mapping
        self._own: TableMapping = mapping.table(table.name)
        self.columns = {field.name: self._convert(field) for field in table.fields}

    def _convert(self, field: Field) -> Conversion:
        cell = self._cell(field)
        faults: list[tuple[str, str]] = []
        extra: dict[str, str] = {}
        fault = ""
        if field.kind == "date":
            typed, faults, extra = self._date(field, cell)
        elif field.kind in ("int", "float"):
            typed, fault = self._number(field, cell), "F04"
        elif field.kind == "bool":
            typed, fault = self._bool(cell), "F02"
        elif field.kind in ("enum", "enums"):
            typed, fault = self._enum(field, cell), "F02"
        elif field.pattern:
            typed, fault = f"CASE WHEN regexp_full_match({cell}, {text(field.pattern)}) THEN {cell} END", "F05"
        else:
            typed, fault = cell, ""
        bad = f"({cell}) IS NOT NULL AND ({typed}) IS NULL" if faults or fault else ""
        if field.kind == "id" and field.pattern:
            # A malformed identifier is still the one that other rows refer to.
            bad, typed = f"NOT regexp_full_match({cell}, {text(field.pattern)})", cell
        if fault:
            faults = [(fault, bad)]
        if field.need == "R" and not field.default:
            missing = f'"{field.name}" IS NULL'
            faults.insert(0, ("F01", missing))
            bad = f"{missing} OR ({bad})" if bad else missing
        if field.default:
            typed = f"""CASE WHEN "{field.name}" IS NULL THEN {text(field.default)} ELSE {typed} END"""
        return Conversion(field, typed, tuple(faults), bad, extra)

    def _cell(self, field: Field) -> str:
        quoted = f'"{field.name}"'
        given = self._own.values.get(field.name, {})
        # An enum's own CASE already takes their values; elsewhere they are put in place first.
        return quoted if field.kind in ("enum", "enums") else _case(quoted, given, quoted)

    def _enum(self, field: Field, cell: str) -> str:
        known = dict(VALUE_SETS[field.value_set].enum_of)
        given = self._own.values.get(field.name, {})
        pairs = {**known, **{theirs: known.get(ours, ours) for theirs, ours in given.items()}}
        pairs = {theirs: ours for theirs, ours in pairs.items() if ours in known}
        single = _case(cell, pairs)
        if field.kind == "enum":
            return single
        each = f"list_transform(string_split({cell}, '|'), lambda part: {_case('trim(part)', pairs)})"
        several = f"CASE WHEN NOT list_contains(list_transform({each}, lambda e: e IS NULL), true) "
        several += f"THEN array_to_string({each}, '|') END"
        return f"CASE WHEN contains({cell}, '|') THEN {several} ELSE {single} END"

    def _bool(self, cell: str) -> str:
        words = [(word, "true") for word in self._all.true] + [(word, "false") for word in self._all.false]
        arms = " ".join(f"WHEN {text(word)} THEN {truth}" for word, truth in words)
        return f"CASE {cell} {arms} END"

    def _number(self, field: Field, cell: str) -> str:
        form = _INT if field.kind == "int" else _FLOAT
        plain = f"replace({cell}, ',', '.')" if self._own.decimal == "," else cell
        number = f"CAST({plain} AS DOUBLE)"
        bounds = "".join(
            f" AND try_cast({plain} AS DOUBLE) {sign} {bound}"
            for sign, bound in ((">=", field.low), ("<=", field.high))
            if bound is not None
        )
        cast = f"CAST({number} AS INTEGER)" if field.kind == "int" else number
        return f"CASE WHEN regexp_full_match({plain}, {text(form)}){bounds} THEN {cast} END"

    def _date(self, field: Field, cell: str) -> tuple[str, list[tuple[str, str]], dict[str, str]]:
        form = FORMATS[self._own.date or "YYYY-MM-DD"]
        clock = f"right({cell}, 9) IN (' 00:00:00', 'T00:00:00')"
        day = (
            f"CASE WHEN length({cell}) = {form.length} THEN {cell} "
            f"WHEN length({cell}) = {form.length + 9} AND {clock} THEN left({cell}, {form.length}) END"
        )
        arms = [f"try_strptime({day}, {text(form.whole)})"]
        if field.partial:
            month = form.month_to_day.format(f"({cell})")
            arms += [
                f"CASE WHEN length({cell}) = {form.month_length} THEN try_strptime({month}, {text(form.whole)}) END",
                f"CASE WHEN length({cell}) = 4 THEN try_strptime({cell} || '-07-02', '%Y-%m-%d') END",
            ]
        value = f"CAST(coalesce({', '.join(arms)}) AS DATE)"
        typed = f"CASE WHEN {value} >= {_OLDEST} THEN {value} END"
        bad = f"({cell}) IS NOT NULL AND ({typed}) IS NULL"
        turned = f"coalesce(try_strptime({day}, {text(form.swapped)}) >= {_OLDEST}, false)"
        faults = [("F03", f"{bad} AND NOT {turned}"), ("F03-swapped", f"{bad} AND {turned}")]
        extra: dict[str, str] = {}
        if field.partial:
            precision = (
                f"CASE WHEN ({typed}) IS NULL THEN NULL WHEN length({cell}) = 4 THEN 'year' "
                f"WHEN length({cell}) = {form.month_length} THEN 'month' ELSE 'day' END"
            )
            extra = {
                f"{field.name}_precision": precision,
                f"{field.name}_first": self._bound(typed, cell, form, first=True),
                f"{field.name}_last": self._bound(typed, cell, form, first=False),
            }
        return typed, faults, extra

    @staticmethod
    def _bound(typed: str, cell: str, form: DateFormat, *, first: bool) -> str:
        year = f"date_trunc('year', {typed})" + ("" if first else " + INTERVAL 1 YEAR - INTERVAL 1 DAY")
        month = f"date_trunc('month', {typed})" if first else f"last_day({typed})"
        return (
            f"CAST(CASE length({cell}) WHEN 4 THEN {year} WHEN {form.month_length} THEN {month} "
            f"ELSE {typed} END AS DATE)"
        )

    def typed_columns(self, names: Iterable[str]) -> list[str]:
        """Write typed expressions with their names.

        Parameters
        ----------
        names : iterable of str
            Raw columns, precisions and bounds.

        Returns
        -------
        list of str
            ``expression AS "name"``.
        """
        known = {name: conversion.typed for name, conversion in self.columns.items()}
        for conversion in self.columns.values():
            known |= conversion.extra
        return [f'{known[name]} AS "{name}"' for name in names]

    @property
    def names(self) -> set[str]:
        """Every name that :meth:`typed_columns` knows."""
        return {name for column, conversion in self.columns.items() for name in (column, *conversion.extra)}


def suggest_formats(samples: Mapping[str, int], filled: int) -> list[str]:
    """Say which formats read most cells.

    Parameters
    ----------
    samples : mapping
        Format name to the number of cells that it reads.
    filled : int
        Number of filled cells.

    Returns
    -------
    list of str
        The format that reads most cells, or those that read as many; none when that is not nine
        cells out of ten.

    Examples
    --------
    >>> suggest_formats({"DD/MM/YYYY": 98, "MM/DD/YYYY": 40}, 100)
    ['DD/MM/YYYY']
    """
    most = max(samples.values(), default=0)
    return [name for name, read in samples.items() if read == most] if most >= 0.9 * filled else []


def probe_formats(column: str) -> dict[str, str]:
    """Write the conditions under which each known format reads a whole date.

    Parameters
    ----------
    column : str
        Raw column.

    Returns
    -------
    dict
        Format name to SQL condition.
    """
    return {
        name: f"""length("{column}") = {form.length} AND try_strptime("{column}", {text(form.whole)}) >= {_OLDEST}"""
        for name, form in FORMATS.items()
    }
