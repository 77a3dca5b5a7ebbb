"""Judging every row: form of its cells, keys, references, rules. A verdict names a row number.

For each table ``t`` these are written, and only rows with something to say are in them:

- ``hit_t``: row number ``r``, rule, column, severity, ``n`` (place of the rule; -1 for the schema's);
- ``rejected_t``: row number and reason, the identifiers joined by ``|``;
- ``context_t``: what children see of a parent: its key, whether it is kept, columns of rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from epi.errors import DataError
from epi.sources.bndmr.conversion import Converter
from epi.sources.bndmr.fields import ForeignKey, Table
from epi.sources.bndmr.rules import EXTRAS, Rule, references
from epi.sources.bndmr.tables import DECLARED

# Faults of a cell that make rules on it meaningless.
_UNREADABLE = "('F01', 'F02', 'F03', 'F03-swapped', 'F04', 'F05')"


@dataclass(frozen=True)
class Join:
    """One step from a table to one that it refers to.

    Parameters
    ----------
    child, column : str
        Where the reference is written.
    parent, key : str
        What it points to.
    """

    child: str
    column: str
    parent: str
    key: str

    @property
    def sql(self) -> str:
        """The join, the parent seen under its own name."""
        return (
            f'LEFT JOIN "context_{self.parent}" AS "{self.parent}" '
            f'ON "{self.child}"."{self.column}" = "{self.parent}"."{self.key}"'
        )


def joins_from(table: str) -> tuple[Join, ...]:
    """List the joins to all tables that a table refers to, nearest first.

    Parameters
    ----------
    table : str
        Table name.

    Returns
    -------
    tuple of Join
        One for each table reached.

    Examples
    --------
    >>> [join.parent for join in joins_from("care")]
    ['patient', 'site', 'fsmr', 'hospital']
    """
    seen = {table}
    waiting = [table]
    steps = []
    while waiting:
        here = waiting.pop(0)
        for key in DECLARED[here].foreign:
            if key.table not in seen:
                seen.add(key.table)
                steps.append(Join(here, key.column, key.table, key.target))
                waiting.append(key.table)
    return tuple(steps)


class Judge:
    """Applies the schema and the rules to staged tables.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Holds ``raw_<table>`` and ``ragged_<table>`` for every table.
    converters : dict
        Table name to its converter.
    rules : sequence of Rule
        Rules to apply; those on the nomenclature need a table ``nomenclature``.
    extraction_date : datetime.date
        When the data were extracted.
    unlinked : sequence of ForeignKey
        References that cannot be followed because the parent table was not given.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        converters: dict[str, Converter],
        rules: Sequence[Rule],
        extraction_date: dt.date,
        unlinked: Sequence[ForeignKey],
    ) -> None:
        self._connection = connection
        self._converters = converters
        self._rules = tuple(rules)
        self._extraction_date = extraction_date
        self._unlinked = tuple(unlinked)
        self._seen_by_children = self._columns_seen()

    def _columns_seen(self) -> dict[str, set[str]]:
        """Columns of each table that rules of other tables need, references on the way included."""
        seen: dict[str, set[str]] = {name: set() for name in DECLARED}
        for rule in self._rules:
            used = {(table, column) for table, column in references(rule.when) if table in DECLARED}
            for table, column in used:
                if table != rule.table:
                    seen[table].add(column)
            for join in self._route(rule.table, {table for table, _ in used}):
                if join.child != rule.table:
                    seen[join.child].add(join.column)
        return seen

    @staticmethod
    def _route(table: str, wanted: set[str]) -> list[Join]:
        """Keep the joins that lead to wanted tables."""
        kept: list[Join] = []
        for join in reversed(joins_from(table)):
            if join.parent in wanted or any(join.parent == other.child for other in kept):
                kept.insert(0, join)
        return kept

    def type_table(self, table: Table) -> None:
        """Make the view ``typed_<table>`` of typed columns, precisions and bounds.

        Parameters
        ----------
        table : Table
            The table.
        """
        converter = self._converters[table.name]
        inner = ", ".join(["rowid AS r", *converter.typed_columns(sorted(converter.names))])
        extras = "".join(f', {sql} AS "{name}"' for name, sql in EXTRAS.get(table.name, {}).items())
        self._connection.execute(
            f'CREATE VIEW "typed_{table.name}" AS SELECT *{extras} FROM (SELECT {inner} FROM "raw_{table.name}")'
        )

    def judge_cells(self, table: Table) -> None:
        """Find missing and malformed cells (F00 to F05).

        Parameters
        ----------
        table : Table
            The table.
        """
        name = table.name
        if not self._rows(name):
            self._connection.execute(
                f'CREATE TABLE "hit_{name}" (r BIGINT, rule VARCHAR, col VARCHAR, severity VARCHAR, n INTEGER)'
            )
            return
        found = []
        bad = []
        for conversion in self._converters[name].columns.values():
            if conversion.bad:
                bad.append(f"({conversion.bad})")
            found += [
                f"CASE WHEN {condition} THEN {{'rule': '{fault}', 'col': '{conversion.field.name}'}} END"
                for fault, condition in conversion.faults
            ]
        self._connection.execute(
            f"""
            CREATE TABLE "hit_{name}" AS
            SELECT r, hit.rule AS rule, hit.col AS col, 'E' AS severity, -1 AS n
            FROM (SELECT rowid AS r, unnest([{", ".join(found)}]) AS hit FROM "raw_{name}"
                  WHERE ({" OR ".join(bad)}) AND rowid NOT IN (SELECT r FROM "ragged_{name}"))
            WHERE hit IS NOT NULL
            UNION ALL SELECT r, 'F00', '', 'E', -1 FROM "ragged_{name}"
            """
        )

    def judge_rows(self, table: Table) -> None:
        """Find duplicates, lost references and broken rules; then settle who is rejected.

        Parameters
        ----------
        table : Table
            A table whose parents were judged before.
        """
        name = table.name
        if self._rows(name):
            self._judge_keys(table)
            self._judge_relations(table)
        self._connection.execute(
            f"""
            CREATE TABLE "rejected_{name}" AS
            SELECT r, string_agg(DISTINCT rule, '|' ORDER BY rule) AS reason
            FROM "hit_{name}" WHERE severity = 'E' GROUP BY r
            """
        )
        if any(key.table == name for other in DECLARED.values() for key in other.foreign):
            self._write_context(table)

    def _rows(self, name: str) -> int:
        return int(self._connection.execute(f'SELECT count(*) FROM "raw_{name}"').fetchall()[0][0])

    def _judge_keys(self, table: Table) -> None:
        """V01: one copy of equal rows is kept; of different rows under one key, none."""
        name = table.name
        key = table.key or table.columns
        filled = " AND ".join(f'"{column}" IS NOT NULL' for column in table.key) or "true"
        columns = ", ".join(f'"{column}"' for column in key)
        # Cells are compared as they are written, but coded ones by what they mean.
        coded = {field.name for field in table.fields if field.kind in ("enum", "enums", "bool")}
        typed = {name: conversion.typed for name, conversion in self._converters[name].columns.items()}
        cells = ", ".join(
            f'coalesce(CAST({typed[c]} AS VARCHAR), "{c}") AS "{c}"' if c in coded else f'"{c}"' for c in table.columns
        )
        whole = ", ".join(f'"{column}"' for column in table.columns)
        self._connection.execute(
            f"""
            CREATE TEMP TABLE twice AS
            WITH keyed AS (SELECT r, {columns}, hash({whole}) AS content FROM
                (SELECT rowid AS r, {cells} FROM "raw_{name}"
                 WHERE rowid NOT IN (SELECT r FROM "ragged_{name}")) WHERE {filled}),
            candidates AS (SELECT hash({columns}) AS h FROM keyed GROUP BY h HAVING count(*) > 1),
            suspects AS (SELECT * FROM keyed WHERE hash({columns}) IN (SELECT h FROM candidates))
            SELECT r, first_r, alike FROM suspects JOIN (
                SELECT {columns}, min(r) AS first_r, min(content) = max(content) AS alike
                FROM suspects GROUP BY ALL HAVING count(*) > 1
            ) AS groups ON {" AND ".join(f'suspects."{c}" IS NOT DISTINCT FROM groups."{c}"' for c in key)}
            """
        )
        self._connection.execute(
            f"""
            INSERT INTO "hit_{name}"
            SELECT r, CASE WHEN alike THEN 'V01-duplicate' ELSE 'V01-conflict' END, '', 'E', -1
            FROM twice WHERE NOT alike OR r <> first_r
            """
        )
        self._connection.execute("DROP TABLE twice")

    def _judge_relations(self, table: Table) -> None:
        name = table.name
        own = [(n, rule) for n, rule in enumerate(self._rules) if rule.table == name]
        foreign = [key for key in table.foreign if key not in self._unlinked]
        if not own and not foreign:
            return
        used = {seen for _, rule in own for seen in references(rule.when)}
        direct = {key.table for key in foreign}
        joins = [join.sql for join in self._route(name, {seen for seen, _ in used} | direct)]
        if any(seen == "nomenclature" for seen, _ in used):
            joins.append("LEFT JOIN nomenclature ON nomenclature.orpha_code = diagnosis.orpha_code")
        joins.append(f"CROSS JOIN (SELECT DATE '{self._extraction_date.isoformat()}' AS extraction_date) AS extract")
        marks = []
        for key in foreign:
            cell, parent = f'"{name}"."{key.column}"', f'"{key.table}"'
            orphan = f'{cell} IS NOT NULL AND {parent}."{key.target}" IS NULL'
            marks.append((orphan, "V01-orphan", key.column, "E", -1))
            marks.append((f"{parent}.kept = false", "V01-cascade", key.column, "E", -1))
        for n, rule in own:
            # A parent that was itself rejected is no ground to judge a child on.
            others = sorted({seen for seen, _ in references(rule.when) if seen in DECLARED and seen != name})
            grounds = "".join(f' AND "{other}".kept' for other in others)
            marks.append((f"coalesce(({rule.when}\n){grounds}, false)", rule.id, rule.column, rule.severity, n))
        hits = ", ".join(
            f"CASE WHEN {condition} THEN {{'rule': '{rule}', 'col': '{col}', 'severity': '{severity}', 'n': {n}}} END"
            for condition, rule, col, severity, n in marks
        )
        try:
            self._connection.execute(
                f"""
                INSERT INTO "hit_{name}"
                SELECT r, hit.rule, hit.col, hit.severity, hit.n FROM (
                    SELECT "{name}".r AS r, unnest([{hits}]) AS hit FROM "typed_{name}" AS "{name}" {" ".join(joins)}
                    WHERE ({" OR ".join(f"({mark[0]})" for mark in marks)})
                      AND "{name}".r NOT IN (SELECT r FROM "ragged_{name}")
                ) WHERE hit IS NOT NULL
                """
            )
        except (duckdb.BinderException, duckdb.ConversionException, duckdb.InvalidInputException):
            # DuckDB's own words may repeat a cell.
            raise DataError(
                f"a rule on {name} compares things of different types",
                "conditions that hold for every row, such as table.column > DATE '2000-01-01'",
                f"check the rules {', '.join(sorted({rule.id for _, rule in own}))}",
            ) from None
        self._forgive_unreadable(name, own)

    def _forgive_unreadable(self, name: str, own: list[tuple[int, Rule]]) -> None:
        """Take back the hits of a rule on a row where a cell that it needs could not be read."""
        pairs = [(n, column) for n, rule in own for seen, column in references(rule.when) if seen == name]
        bases = [
            (n, column.removesuffix("_first").removesuffix("_last").removesuffix("_precision")) for n, column in pairs
        ]
        if not pairs:
            return
        listed = ", ".join(f"({n}, '{column}')" for n, column in sorted(set(pairs + bases)))
        self._connection.execute(
            f"""
            DELETE FROM "hit_{name}" WHERE n >= 0 AND (r, n) IN (
                SELECT bad.r, needs.n FROM "hit_{name}" AS bad
                JOIN (VALUES {listed}) AS needs(n, col) ON bad.col = needs.col
                WHERE bad.n = -1 AND bad.rule IN {_UNREADABLE})
            """
        )

    def _write_context(self, table: Table) -> None:
        """Keep what children see. Rows under a disputed key lend them no values."""
        name = table.name
        (key,) = table.key
        seen = sorted(self._seen_by_children[name] - {key})
        columns = "".join(f', "{column}"' for column in seen)
        nulls = "".join(f', NULL AS "{column}"' for column in seen)
        self._connection.execute(
            f"""
            CREATE TABLE "context_{name}" AS
            SELECT "{key}", r NOT IN (SELECT r FROM "rejected_{name}") AS kept{columns} FROM "typed_{name}"
            WHERE "{key}" IS NOT NULL AND r NOT IN (SELECT r FROM "ragged_{name}")
              AND r NOT IN (SELECT r FROM "hit_{name}" WHERE rule IN ('V01-duplicate', 'V01-conflict'))
            """
        )
        self._connection.execute(
            f"""
            INSERT INTO "context_{name}" BY NAME
            SELECT DISTINCT "{key}", false AS kept{nulls} FROM "typed_{name}"
            WHERE (r IN (SELECT r FROM "hit_{name}" WHERE rule = 'V01-conflict')
                   OR r IN (SELECT r FROM "ragged_{name}"))
              AND "{key}" IS NOT NULL AND "{key}" NOT IN (SELECT "{key}" FROM "context_{name}")
            """
        )
