"""Where a workspace's data lie: a folder of Parquet or CSV, or a DuckDB file.

An origin is private to this room. It sees every row, opposed patients included, so that they can
be counted and left out; what it reads goes out through :mod:`epi.workspace.opposition` alone.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from epi.errors import DataError, WorkspaceError
from epi.sources.bndmr import tables as schema

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True)
class Origin:
    """Raw access to the tidy tables of one place.

    Parameters
    ----------
    path : Path
        The folder or DuckDB file.
    connection : duckdb.DuckDBPyConnection
        A private connection on which each table is a view of the same name.
    files : dict
        Table name to the file behind it (empty for a DuckDB file).
    columns : dict
        Table name to its columns.
    about : dict
        What ``workspace.json`` says.
    references : Path or None
        Folder of reference tables (population, exposures).
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    files: dict[str, Path]
    columns: dict[str, tuple[str, ...]]
    about: dict[str, Any]
    references: Path | None

    @property
    def extraction_date(self) -> dt.date:
        """The day the data were extracted."""
        return dt.date.fromisoformat(self.about["extraction_date"])

    @property
    def rejected_opposition(self) -> Path | None:
        """The side file of opposition rows that could not be read, when there is one."""
        side = self.path / "rejected" / "opposition.parquet"
        return side if side.is_file() else None


def spill_folder() -> str:
    """Name a folder for what an engine cannot hold in memory: among temporary files, never beside data or study.

    Returns
    -------
    str
        A path fit for a quoted SQL text; the engine makes the folder when it needs it, and removes it.
    """
    name = f"epi-spill-{os.getpid()}-{secrets.token_hex(4)}"
    return str(Path(tempfile.gettempdir()) / name).replace("'", "''")


def open_origin(path: str | os.PathLike[str], extraction_date: str | dt.date | None = None) -> Origin:
    """Find the tables of a place and put them behind views.

    Parameters
    ----------
    path : path-like
        A workspace folder, a bare folder of Parquet or CSV files named after tables, or a DuckDB
        file with such tables.
    extraction_date : str or datetime.date, optional
        For places that do not state it in ``workspace.json``.

    Returns
    -------
    Origin
        The tables.

    Raises
    ------
    WorkspaceError
        If it is not a workspace: what is missing is said.
    """
    place = Path(path)
    if place.name == "tidy" and (place.parent / "workspace.json").is_file():
        raise WorkspaceError(
            f"{place} is the inside of a workspace: oppositions that could not be read lie beside it",
            "the workspace folder itself",
            f'epi.open_workspace("{place.parent}")',
        )
    if not place.exists():
        raise WorkspaceError(
            f"{place} does not exist",
            "a workspace folder or a DuckDB file",
            "epi workspace build WORLD_OR_RAW_FOLDER --out FOLDER",
        )
    connection = duckdb.connect()
    connection.execute(f"SET threads = {int(os.environ.get('EPI_THREADS', '2'))}")
    connection.execute(f"SET temp_directory = '{spill_folder()}'")
    files = _folder_views(connection, place) if place.is_dir() else _database_views(connection, place)
    columns = _columns(connection)
    missing = [name for name in ("patient", "opposition") if name not in columns]
    if missing:
        raise WorkspaceError(
            f"{place.name} is not a workspace: it has no table {' nor '.join(missing)}",
            "tidy tables named as in docs/data-dictionary (patient.parquet, opposition.parquet, …)",
            "build one from raw registry files: epi workspace build RAW_FOLDER --out FOLDER",
        )
    about = _about(place, extraction_date)
    references = place / "reference" if (place / "reference").is_dir() else None
    return Origin(place, connection, files, columns, about, references)


def _folder_views(connection: duckdb.DuckDBPyConnection, place: Path) -> dict[str, Path]:
    folder = place / "tidy" if (place / "tidy").is_dir() else place
    files: dict[str, Path] = {}
    for name in schema.DECLARED:
        found = [folder / f"{name}{suffix}" for suffix in _SUFFIXES if (folder / f"{name}{suffix}").is_file()]
        if len(found) > 1:
            raise WorkspaceError(
                f"table {name} is there twice: {' and '.join(file.name for file in found)}",
                "one file for each table",
                "move one of them away",
            )
        if found:
            files[name] = found[0]
            connection.execute(f'CREATE VIEW "{name}" AS {_scan(name, found[0])}')
    return files


def _scan(table: str, file: Path) -> str:
    place = str(file).replace("'", "''")
    if file.suffix == ".parquet":
        return f"SELECT * FROM read_parquet('{place}')"
    types = schema.tidy_types(table)
    read = _read_csv(file, place)
    with duckdb.connect() as probe:
        try:
            found = probe.sql(f"SELECT * FROM {read} LIMIT 0").columns
            cells = {name: f"nullif(trim(\"{name}\"), '')" for name in found}
            _check_cells(probe, table, read, {name: (cells[name], types[name]) for name in found if name in types})
        except duckdb.Error:
            # The engine's own message quotes the line: a patient's row.
            raise WorkspaceError(
                f"{file.name} cannot be read as CSV",
                "UTF-8, one header line, cells apart by ';' or ',', quotes closed on their line",
                "read it as a raw registry instead: epi workspace build FOLDER --mapping FILE --out FOLDER",
            ) from None
    casts = ", ".join(
        f'CAST({cells[name]} AS {types[name]}) AS "{name}"' if name in types else f'{cells[name]} AS "{name}"'
        for name in found
    )
    return f"SELECT {casts} FROM {read}"


def _read_csv(file: Path, place: str) -> str:
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as handle:
        try:
            header = handle.readline()
        except UnicodeDecodeError:
            header = ""
    mark = ";" if header.count(";") >= header.count(",") else ","
    # Nothing is guessed: a dialect that is sniffed can shift cells, and a shifted identifier loses an opposition.
    return (
        f"read_csv('{place}', all_varchar = true, header = true, auto_detect = false, delim = '{mark}', quote = '\"', "
        f"escape = '\"', strict_mode = true, null_padding = false, columns = {{{_columns_of(header, mark)}}})"
    )


def _columns_of(header: str, mark: str) -> str:
    names = [name.strip().strip('"').lstrip("\ufeff") for name in header.rstrip("\r\n").split(mark)]
    return ", ".join("'" + name.replace("'", "''") + "': 'VARCHAR'" for name in names)


def _check_cells(probe: duckdb.DuckDBPyConnection, table: str, read: str, cells: dict[str, tuple[str, str]]) -> None:
    """Count the cells that are not of their column's type, and those that hold a line break."""
    sums = ", ".join(
        f'count(*) FILTER (WHERE {cell} IS NOT NULL AND TRY_CAST({cell} AS {kind}) IS NULL) AS "{name}", '
        f'count(*) FILTER (WHERE contains({cell}, chr(10)) OR contains({cell}, chr(13))) AS "{name} "'
        for name, (cell, kind) in cells.items()
    )
    if not sums:
        return
    counts = probe.sql(f"SELECT {sums} FROM {read}").fetchall()[0]
    faults = [
        f"{table}.{name}: {wrong} cell(s) are no {cells[name][1]}"
        for name, wrong in zip(cells, counts[::2], strict=True)
        if wrong
    ]
    faults += [
        f"{table}.{name}: {broken} cell(s) hold a line break: a quote is not closed"
        for name, broken in zip(cells, counts[1::2], strict=True)
        if broken
    ]
    if faults:
        raise DataError(
            f"table {table} cannot be opened as it is",
            "tidy values, as in docs/data-dictionary",
            "read it as a raw registry instead: epi workspace build FOLDER --out FOLDER",
            faults=faults,
        )


def _database_views(connection: duckdb.DuckDBPyConnection, place: Path) -> dict[str, Path]:
    quoted = str(place).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{quoted}' AS origin (READ_ONLY)")
    except duckdb.Error as error:
        raise WorkspaceError(
            f"{place.name} is not a DuckDB file",
            "a folder of Parquet or CSV files, or a DuckDB file",
            "epi workspace build RAW_FOLDER --out FOLDER",
        ) from error
    present = connection.execute(
        "SELECT DISTINCT table_name FROM duckdb_columns() WHERE database_name = 'origin'"
    ).fetchall()
    for (name,) in present:
        if name in schema.DECLARED:
            connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM origin."{name}"')
    return {}


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE database_name = current_database() AND NOT internal ORDER BY table_name, column_index"
    ).fetchall()
    columns: dict[str, list[str]] = {}
    for table, column in rows:
        columns.setdefault(table, []).append(column)
    return {table: tuple(names) for table, names in columns.items()}


def _about(place: Path, extraction_date: str | dt.date | None) -> dict[str, Any]:
    statement = place / "workspace.json" if place.is_dir() else place.with_suffix(".json")
    about: dict[str, Any] = {"title": place.name, "synthetic": False}
    if statement.is_file():
        try:
            about |= json.loads(statement.read_text(encoding="utf-8"))
        except (ValueError, UnicodeDecodeError) as error:
            raise WorkspaceError(
                f"{statement.name} of {place.name} is not JSON",
                "the file as it was written",
                "build the workspace again",
            ) from error
    if extraction_date is not None:
        about["extraction_date"] = str(extraction_date)
    if "extraction_date" not in about:
        raise WorkspaceError(
            f"{place.name} does not say when its data were extracted",
            "an extraction_date in workspace.json",
            'give it: epi.open_workspace(path, extraction_date="2025-06-30")',
        )
    return about


def read_reference(origin: Origin, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a reference table and what is said of it.

    Parameters
    ----------
    origin : Origin
        The place.
    name : str
        The table's name, such as ``population``.

    Returns
    -------
    tuple of pandas.DataFrame and dict
        The table and its metadata.

    Raises
    ------
    WorkspaceError
        If there is no such table.
    """
    import pandas as pd

    present = sorted(file.stem for file in origin.references.glob("*.parquet")) if origin.references else []
    if origin.references is None or name not in present:
        raise WorkspaceError(
            f"this workspace has no reference table '{name}'",
            f"one of {', '.join(present) or '(none)'}",
            "build the workspace with the reference tables beside the raw registry",
        )
    frame = pd.read_parquet(origin.references / f"{name}.parquet")
    side = origin.references / f"{name}.json"
    about = json.loads(side.read_text(encoding="utf-8")) if side.is_file() else {}
    return frame, about
