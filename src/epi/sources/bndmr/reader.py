"""Raw registry in, tidy tables out: every row is kept or rejected with its reasons."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from epi.errors import DataError, EpiError, WorkspaceError
from epi.files import storage_faults, write_json
from epi.sources.bndmr.conversion import Converter, probe_formats, suggest_formats, text
from epi.sources.bndmr.engine import open_engine
from epi.sources.bndmr.fields import ForeignKey, Table
from epi.sources.bndmr.intake import Source, find_sources, stage
from epi.sources.bndmr.mapping import RegistryMapping, read_mapping
from epi.sources.bndmr.redirection import prepare_nomenclature
from epi.sources.bndmr.report import RegistryReport
from epi.sources.bndmr.rules import RULES, STRUCTURAL, Rule, check_rules, references
from epi.sources.bndmr.tables import DECLARED
from epi.sources.bndmr.verdicts import Judge

OWN_FILES = ("tidy", "rejected", "quality.json")
MANY = 20
SHARE = 0.10
"""A date column with at least MANY malformed cells, SHARE of the filled ones, is a fault of the
file: its other cells may be wrong without looking so."""

Progress = Callable[[str, int, int], None]


def read_registry(
    raw_folder: str | os.PathLike[str],
    out_folder: str | os.PathLike[str],
    *,
    mapping: str | os.PathLike[str] | RegistryMapping | None = None,
    rules: Sequence[Rule] = RULES,
    nomenclature: pd.DataFrame | Callable[[], pd.DataFrame] | None = None,
    extraction_date: str | dt.date | None = None,
    memory_limit: str = "1GB",
    threads: int | None = None,
    progress: Progress | None = None,
) -> RegistryReport:
    """Read, validate and tidy a raw registry, out of core.

    Parameters
    ----------
    raw_folder : path-like
        One CSV (perhaps .gz) or Parquet file for each table, and ``extract.json``.
    out_folder : path-like
        Where ``tidy/``, ``rejected/`` and ``quality.json`` go. An earlier result of this function
        is replaced once the new one is whole; any other folder is left alone.
    mapping : path-like or RegistryMapping, optional
        How the extract is laid out; the official layout by default.
    rules : sequence of Rule, optional
        ``RULES`` by default; ``RULES + read_rules("mine.yml")`` adds to them.
    nomenclature : pandas.DataFrame or callable, optional
        ``orpha_code, status, level, moved_to``; without it rule V06 is reported as not applied.
    extraction_date : str or datetime.date, optional
        By default that of ``extract.json``.
    memory_limit : str, optional
        What DuckDB may hold in memory; it spills to a folder beside the output.
    threads : int, optional
        By default the environment's ``EPI_THREADS``, else all cores. The result does not depend
        on it.
    progress : callable, optional
        Called with a table's name, steps done and steps in all.

    Returns
    -------
    RegistryReport
        Rows read, kept and rejected, with the reasons counted.

    Raises
    ------
    DataError
        If a file or a column is missing, a file is in another encoding or date format: all faults
        at once, and nothing is written.
    WorkspaceError
        If `out_folder` holds something else.
    StorageError
        If the disk is full.
    ParameterError
        If memory or threads are not such.
    """
    raw, out = Path(raw_folder), Path(out_folder)
    layout = mapping if isinstance(mapping, RegistryMapping) else read_mapping(mapping)
    check_rules(rules)
    sources = find_sources(raw, layout)
    day = _extraction_date(raw, extraction_date)
    _refuse_foreign(out)
    fresh = out.with_name(f".{out.name}.{os.getpid()}.read")
    with storage_faults(out):
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            for part in ("tidy", "rejected", "scratch"):
                (fresh / part).mkdir(parents=True)
            with open_engine(fresh / "scratch", memory_limit, threads) as connection:
                read = _Read(connection, sources, layout, rules, day, fresh, progress)
                report = read.run(nomenclature() if callable(nomenclature) else nomenclature)
            shutil.rmtree(fresh / "scratch")
            write_json(fresh / "quality.json", report.as_dict())
            _put_in_place(fresh, out)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return report


class _Read:
    """One run over an extract."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        sources: dict[str, Source],
        layout: RegistryMapping,
        rules: Sequence[Rule],
        day: dt.date,
        fresh: Path,
        progress: Progress | None,
    ) -> None:
        self._connection = connection
        self._sources = sources
        self._layout = layout
        self._rules = tuple(rules)
        self._day = day
        self._fresh = fresh
        self._progress = progress
        self._done = 0
        self._converters = {name: Converter(table, layout) for name, table in DECLARED.items()}
        self._flow: list[dict[str, Any]] = []
        self._counts: list[tuple[str, str, str, int]] = []
        self._by_column: list[tuple[str, str, str, int]] = []
        self._advice: list[str] = []

    def run(self, nomenclature: pd.DataFrame | None) -> RegistryReport:
        unlinked = [
            key
            for table in DECLARED.values()
            for key in table.foreign
            # Coded references are already held against their list.
            if self._sources[key.table].path is None and table.field(key.column).kind == "enum"
        ]
        applied = [rule for rule in self._rules if nomenclature is not None or not _needs_nomenclature(rule)]
        self._write_nomenclature(nomenclature)
        judge = Judge(self._connection, self._converters, applied, self._day, unlinked)
        faults: list[str] = []
        for name, table in DECLARED.items():
            self._tell(name)
            stage(self._connection, self._sources[name], self._layout, self._fresh / "scratch")
            judge.type_table(table)
            judge.judge_cells(table)
            faults += self._format_faults(table)
            if not faults:
                judge.judge_rows(table)
                self._write(table)
                self._count(table)
            # One raw table at a time is held; after a fault the others are only looked at for theirs.
            self._connection.execute(f'DROP VIEW "typed_{name}"')
            self._connection.execute(f'DROP TABLE "raw_{name}"')
        if faults:
            raise DataError(
                f"{len(faults)} column(s) of dates are written in another way than the mapping says",
                "dates as the mapping says (date: YYYY-MM-DD by default)",
                "write their form in the mapping, then read again; nothing was written",
                faults=faults,
            )
        return self._report(applied, unlinked)

    def _tell(self, name: str) -> None:
        if self._progress is not None:
            self._progress(name, self._done, len(DECLARED))
        self._done += 1

    def _one(self, query: str) -> Any:
        return self._connection.execute(query).fetchall()[0][0]

    def _write_nomenclature(self, frame: pd.DataFrame | None) -> None:
        self._connection.execute(
            "CREATE TABLE nomenclature (orpha_code INTEGER, status VARCHAR, level VARCHAR, target INTEGER)"
        )
        if frame is not None:
            self._connection.register("given", prepare_nomenclature(frame))
            self._connection.execute("INSERT INTO nomenclature SELECT orpha_code, status, level, target FROM given")
            self._connection.unregister("given")

    def _format_faults(self, table: Table) -> list[str]:
        """Tell a column of dates written in another way from rows with a fault."""
        name, source = table.name, self._sources[table.name]
        counts = self._connection.execute(
            f"""SELECT col, count(*), count(*) FILTER (WHERE rule = 'F03-swapped') FROM "hit_{name}"
            WHERE rule IN ('F03', 'F03-swapped') GROUP BY col ORDER BY col"""
        ).fetchall()
        faults = []
        for column, bad, swapped in counts:
            filled = self._one(f'SELECT count("{column}") FROM "raw_{name}"')
            if bad < MANY or bad < 0.01 * filled:
                continue
            probes = probe_formats(column)
            reads = ", ".join(f"count(*) FILTER (WHERE {probe})" for probe in probes.values())
            found = self._connection.execute(f'SELECT {reads} FROM "raw_{name}"').fetchall()[0]
            form = source.layout.date
            best = suggest_formats(dict(zip(probes, found, strict=True)), filled)
            file = source.path.name if source.path else name
            words = f"{file}, {column}: {bad / filled:.0%} of its dates cannot be {form}"
            if swapped >= bad / 2:
                words += "; their day and month look exchanged"
            if best and form not in best:
                choice = " or ".join(f'"date: {one}"' for one in best)
                words += f"; write {choice} under tables: {name}: in the mapping"
            if bad >= SHARE * filled:
                faults.append(words)
            else:
                self._advice.append(words)
        return faults

    def _write(self, table: Table) -> None:
        name = table.name
        keys = table.key or tuple(column for column, _ in table.tidy)
        order = ", ".join(f'"{column}"' for column in keys)
        added = {derived.name: derived.sql for derived in table.derived}
        columns = ", ".join(
            f'{added[column]} AS "{column}"' if column in added else f'"{name}"."{column}"' for column, _ in table.tidy
        )
        join = "LEFT JOIN nomenclature ON nomenclature.orpha_code = diagnosis.orpha_code" if name == "diagnosis" else ""
        rows_tidy = self._one(
            f"""
            COPY (SELECT {columns} FROM "typed_{name}" AS "{name}" {join}
                  WHERE "{name}".r NOT IN (SELECT r FROM "rejected_{name}") ORDER BY {order})
            TO {text(str(self._fresh / "tidy" / f"{name}.parquet"))} (FORMAT parquet, COMPRESSION zstd)
            """
        )
        raw = ", ".join(f'raw."{column}"' for column in table.columns)
        before = f'(SELECT count(*) FROM "ragged_{name}" AS ragged WHERE ragged.before <= raw.r)'
        line = (
            f"coalesce(own.line, raw.r + 2 + {before})"
            if self._one(f'SELECT count(*) FROM "ragged_{name}"')
            else "raw.r + 2"
        )
        rows_rejected = self._one(
            f"""
            COPY (SELECT {raw}, reason, CAST({line} AS BIGINT) AS line, own.record
                  FROM (SELECT rowid AS r, * FROM "raw_{name}") AS raw
                  JOIN "rejected_{name}" AS judged ON judged.r = raw.r
                  LEFT JOIN "ragged_{name}" AS own ON own.r = raw.r ORDER BY line)
            TO {text(str(self._fresh / "rejected" / f"{name}.parquet"))} (FORMAT parquet, COMPRESSION zstd)
            """
        )
        rows_in = self._one(f'SELECT count(*) FROM "raw_{name}"')
        if rows_in != rows_tidy + rows_rejected:
            raise EpiError(
                f"table {name}: {rows_in} rows read, but {rows_tidy} kept and {rows_rejected} rejected",
                "as many rows out as in",
                "this is a fault of the reader: report it; nothing was written",
            )
        self._flow.append({"table": name, "rows_in": rows_in, "rows_tidy": rows_tidy, "rows_rejected": rows_rejected})

    def _count(self, table: Table) -> None:
        name = table.name
        kept = f"""(severity = 'E' OR r NOT IN (SELECT r FROM "rejected_{name}"))"""
        self._counts += [
            (name, *row)
            for row in self._connection.execute(
                f"""SELECT rule, severity, count(DISTINCT r) FROM "hit_{name}" WHERE {kept}
                GROUP BY ALL ORDER BY severity, rule"""
            ).fetchall()
        ]
        self._by_column += [
            (name, *row)
            for row in self._connection.execute(
                f"""SELECT col, rule, count(DISTINCT r) FROM "hit_{name}" WHERE col <> '' AND {kept}
                GROUP BY ALL ORDER BY col, rule"""
            ).fetchall()
        ]
        for field in table.fields:
            if field.default and field.name not in self._sources[name].absent:
                rows = self._one(
                    f"""SELECT count(*) FROM "raw_{name}" WHERE "{field.name}" IS NULL
                    AND rowid NOT IN (SELECT r FROM "rejected_{name}")"""
                )
                self._add_warning(name, field.name, "F07", rows)
        if name == "patient":
            rows = self._one(
                """SELECT count(*) FROM typed_patient WHERE propositus_id IS NOT NULL
                AND r NOT IN (SELECT r FROM rejected_patient)
                AND propositus_id NOT IN (SELECT patient_id FROM context_patient WHERE kept)"""
            )
            self._add_warning(name, "propositus_id", "V01-propositus", rows)

    def _add_warning(self, table: str, column: str, rule: str, rows: int) -> None:
        if rows:
            self._counts.append((table, rule, "W", rows))
            self._by_column.append((table, column, rule, rows))

    def _report(self, applied: Sequence[Rule], unlinked: Sequence[ForeignKey]) -> RegistryReport:
        skipped = sorted({rule.id for rule in self._rules} - {rule.id for rule in applied})
        not_applied = [f"{', '.join(skipped)} (no nomenclature was given)"] if skipped else []
        not_applied += [f"V01 on {key.column} (table {key.table} is absent)" for key in unlinked]
        present = {name: source for name, source in self._sources.items() if source.path is not None}
        return RegistryReport(
            flow=pd.DataFrame(self._flow),
            table=pd.DataFrame(self._counts, columns=["table", "rule", "severity", "rows"]),
            columns=pd.DataFrame(self._by_column, columns=["table", "column", "rule", "rows"]),
            meanings=_meanings(self._rules),
            settings={
                "extraction_date": self._day.isoformat(),
                "absent_tables": [name for name in self._sources if name not in present],
                "absent_columns": {name: list(s.absent) for name, s in present.items() if s.absent},
                "unknown_columns": {name: list(s.unknown) for name, s in present.items() if s.unknown},
                "not_applied": not_applied,
                "rules": sorted({rule.id for rule in applied}),
            },
            advice=tuple(self._advice),
        )


def _meanings(rules: Sequence[Rule]) -> dict[str, str]:
    """Say what each rule means, by table where tables differ."""
    meanings = {rule: meaning for rule, (_, meaning) in STRUCTURAL.items()}
    for rule in rules:
        if rule.id not in STRUCTURAL:
            name = f"{rule.id} {rule.table}" if len({r.table for r in rules if r.id == rule.id}) > 1 else rule.id
            meanings[name] = f"{meanings.get(name, '')} {rule.meaning}".strip()
    return meanings


def _needs_nomenclature(rule: Rule) -> bool:
    return any(table == "nomenclature" for table, _ in references(rule.when))


def _extraction_date(raw: Path, given: str | dt.date | None) -> dt.date:
    if isinstance(given, dt.date):
        return given
    if given is None:
        side = raw / "extract.json"
        try:
            given = str(json.loads(side.read_text(encoding="utf-8"))["extraction_date"])
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError(
                f"{raw.name} does not say when it was extracted",
                'extract.json with {"extraction_date": "YYYY-MM-DD"} beside the tables',
                "write it, or give extraction_date",
            ) from None
    try:
        return dt.date.fromisoformat(given)
    except ValueError:
        raise DataError("the extraction date is malformed", "YYYY-MM-DD", "correct extract.json") from None


def _refuse_foreign(out: Path) -> None:
    if not out.exists():
        return
    strangers = [entry.name for entry in out.iterdir() if entry.name not in OWN_FILES] if out.is_dir() else [out.name]
    if strangers:
        raise WorkspaceError(
            f"{out} holds things that a read did not write",
            "a new folder, or an earlier result to replace",
            "choose another output folder",
        )


def _put_in_place(fresh: Path, out: Path) -> None:
    if not out.exists():
        fresh.rename(out)
        return
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old)
