"""The files of an extract, checked as files, then staged as text: one record, one row."""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import duckdb

from epi.errors import DataError
from epi.sources.bndmr.conversion import text
from epi.sources.bndmr.fields import Table
from epi.sources.bndmr.mapping import RegistryMapping, TableMapping
from epi.sources.bndmr.tables import DECLARED

_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_CHUNK = 1 << 20
_BLANK = "E' \\t\\r'"
_PLAIN_NAME = re.compile(r"[A-Za-zÀ-ÿ_][\w .-]{0,60}")


@dataclass(frozen=True)
class Source:
    """The file of one table.

    Parameters
    ----------
    table : Table
        What it should hold.
    path : Path or None
        The file; None when an optional table is not there.
    layout : TableMapping
        How it is laid out.
    header : tuple of str
        Its column names, in order.
    ours : dict
        Our column to its position in the file.
    unknown : tuple of str
        Columns that are left out.
    """

    table: Table
    path: Path | None
    layout: TableMapping
    header: tuple[str, ...] = ()
    ours: dict[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def absent(self) -> tuple[str, ...]:
        """Our columns that the file does not have."""
        return tuple(name for name in self.table.columns if name not in self.ours)


def find_sources(folder: Path, mapping: RegistryMapping) -> dict[str, Source]:
    """Find and check every file of an extract.

    Parameters
    ----------
    folder : Path
        Where the raw files are.
    mapping : RegistryMapping
        Their names to ours.

    Returns
    -------
    dict
        Table name to its source, parents before children.

    Raises
    ------
    DataError
        If a required file or column is missing, a file is empty, or its encoding is not the one
        said: all faults of all files at once.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder", "a folder of raw registry files", "check the path")
    faults: list[str] = []
    found = {name: _source(folder, table, mapping.table(name), faults) for name, table in DECLARED.items()}
    if faults:
        raise DataError(
            f"{len(faults)} fault(s) in the files of {folder.name}",
            "files laid out as the mapping says (docs/data-dictionary/index.md)",
            "correct the files, or say how they are laid out in a mapping file; nothing was written",
            faults=faults,
        )
    return found


def _source(folder: Path, table: Table, layout: TableMapping, faults: list[str]) -> Source:
    names = [layout.file] if layout.file else [table.name + suffix for suffix in _SUFFIXES]
    files = [folder / name for name in names if (folder / name).is_file()]
    nothing = Source(table, None, layout)
    if len(files) > 1:
        faults.append(f"table {table.name} is there {len(files)} times: {', '.join(file.name for file in files)}")
        return nothing
    if not files:
        if table.required or layout.file:
            near = difflib.get_close_matches(names[0], [file.name for file in folder.iterdir()], n=1)
            faults.append(f"{names[0]} is missing" + (f"; is it {near[0]}?" if near else ""))
        return nothing
    header = _header(files[0], layout, faults)
    return nothing if header is None else _match(Source(table, files[0], layout, header), faults)


def _header(path: Path, layout: TableMapping, faults: list[str]) -> tuple[str, ...] | None:
    if path.suffix == ".parquet":
        try:
            with duckdb.connect() as probe:
                return tuple(probe.sql(f"SELECT * FROM read_parquet({text(str(path))})").columns)
        except duckdb.Error:
            faults.append(f"{path.name} is not a Parquet file, or is cut short")
            return None
    if path.stat().st_size == 0:
        faults.append(f"{path.name} is empty: it has not even a header")
        return None
    line = _undecodable_line(path, layout.encoding or "utf-8")
    if line:
        faults.append(
            f"{path.name} is not {layout.encoding}: line {line} holds bytes that are not; "
            "when it comes from an older system write encoding: cp1252 (or latin-1) in the mapping"
        )
        return None
    with _opened(path) as handle, io.TextIOWrapper(handle, encoding=_python_name(layout), newline="") as lines:
        first = next((row for row in csv.reader(lines, delimiter=layout.separator or ";") if row), [])
    return tuple(name.strip() for name in first)


def _match(source: Source, faults: list[str]) -> Source:
    name = source.path.name if source.path else ""
    theirs = source.layout.columns
    ours: dict[str, int] = {}
    for position, column in enumerate(source.header):
        target = theirs.get(column, column)
        if target in ours:
            faults.append(f"{name} has column {target} twice")
        elif target in source.table.columns:
            ours[target] = position
    unknown = tuple(c for c in source.header if theirs.get(c, c) not in source.table.columns)
    missing = [f.name for f in source.table.fields if f.need == "R" and not f.default and f.name not in ours]
    unseen = [column for column in theirs if column not in source.header]
    if not ours:
        # The first line may be a patient: its words are not repeated.
        faults.append(f"{name} has none of the expected columns in its first line{_other_separator(source)}")
    elif missing or unseen:
        hints = [_near_name(column, unknown) for column in missing]
        for words, columns in (("misses required columns", hints), ("has no column that the mapping names:", unseen)):
            if columns:
                faults.append(f"{name} {words} {', '.join(columns)}")
    safe = tuple(column if _PLAIN_NAME.fullmatch(column) else "(unreadable name)" for column in unknown)
    return Source(source.table, source.path, source.layout, source.header, ours, safe)


def _near_name(column: str, unknown: tuple[str, ...]) -> str:
    lowered = {name.lower().replace(" ", "_").replace("-", "_"): name for name in unknown}
    near = difflib.get_close_matches(column, lowered, n=1, cutoff=0.75)
    return f"{column} (near: {lowered[near[0]]})" if near else column


def _other_separator(source: Source) -> str:
    joined = "".join(source.header)
    for sign, words in ((",", "a comma"), (";", "a semicolon"), ("\t", "a tab"), ("|", "a bar")):
        cells = {cell.strip().strip('"') for cell in joined.split(sign)}
        if sign != source.layout.separator and len(cells & set(source.table.columns)) > 1:
            return f"; they are there with {words} between them: write separator in the mapping"
    return ": is its header missing?"


def _python_name(layout: TableMapping) -> str:
    encoding = layout.encoding or "utf-8"
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _undecodable_line(path: Path, encoding: str) -> int:
    """Give the first line that cannot be decoded, 0 when there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with _opened(path) as handle:
        while True:
            chunk = handle.read(_CHUNK)
            held = decoder.getstate()[0]
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return line + (held + chunk)[: error.start].count(b"\n")
            if not chunk:
                return 0
            line += chunk.count(b"\n")


def stage(connection: duckdb.DuckDBPyConnection, source: Source, mapping: RegistryMapping, scratch: Path) -> None:
    """Copy a file's records, as trimmed text, into the table ``raw_<name>``.

    Its row number, plus two, is the number of the record in the file (the header being 1 and
    blank lines left out), but for records whose number of cells is wrong: these follow the others,
    and the table ``ragged_<name>`` gives the row number of each, and its record as it was written:
    what it says may stand in another column.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Where to write.
    source : Source
        The file.
    mapping : RegistryMapping
        For the words that stand for an empty cell.
    scratch : Path
        Folder for a transcoded copy.

    Raises
    ------
    DataError
        If a quote is left open, or closed in another record: where records end cannot be told.
    """
    name = source.table.name
    connection.execute(f'CREATE TABLE "ragged_{name}" (r BIGINT, line BIGINT, before BIGINT, record VARCHAR)')
    if source.path is None:
        columns = ", ".join(f'"{column}" VARCHAR' for column in source.table.columns)
        connection.execute(f'CREATE TABLE "raw_{name}" ({columns})')
        return
    cells = ", ".join(_cell(source, column, mapping) for column in source.table.columns)
    if source.path.suffix == ".parquet":
        connection.execute(f'CREATE TABLE "raw_{name}" AS SELECT {cells} FROM read_parquet({text(str(source.path))})')
        return
    path = _as_utf8(source, scratch)
    names = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(len(source.header)))
    connection.execute(
        f'CREATE TABLE "raw_{name}" AS SELECT {cells}, {_swallowing(source)} AS swallowing '
        f"FROM read_csv({text(str(path))}, "
        f"delim = {text(source.layout.separator or ';')}, header = true, quote = '\"', escape = '\"', "
        f"auto_detect = false, columns = {{{names}}}, store_rejects = true, rejects_limit = 0, "
        f"rejects_table = {text('rejects_' + name)}, rejects_scan = {text('scans_' + name)})"
    )
    _refuse_swallowed(connection, source)
    _keep_ragged(connection, source, cells)
    if path != source.path:
        path.unlink()


def _cell(source: Source, column: str, mapping: RegistryMapping) -> str:
    position = source.ours.get(column)
    if position is None:
        return f'NULL::VARCHAR AS "{column}"'
    cell = f"c{position}"
    if source.path is not None and source.path.suffix == ".parquet":
        given = '"' + source.header[position].replace('"', '""') + '"'
        many = source.table.field(column).kind == "enums"
        cell = f"CAST({given} AS VARCHAR)"
        if many:
            # A list is joined as the raw files do; a text stays as it is.
            cell = f"trim(replace(replace({cell}, ', ', '|'), '''', ''), '[]')"
    trimmed = f"nullif(trim({cell}, {_BLANK}), '')"
    for word in mapping.missing:
        trimmed = f"nullif({trimmed}, {text(word)})"
    return f'{trimmed} AS "{column}"'


def _as_utf8(source: Source, scratch: Path) -> Path:
    path = source.path
    assert path is not None  # noqa: S101  (a source without a file is staged before this)
    encoding = source.layout.encoding or "utf-8"
    if encoding == "utf-8":
        return path
    copy = scratch / f"{source.table.name}.csv"
    with (
        _opened(path) as raw,
        io.TextIOWrapper(raw, encoding=encoding, newline="") as lines,
        copy.open("w", encoding="utf-8", newline="") as out,
    ):
        while part := lines.read(_CHUNK):
            out.write(part)
    return copy


def _swallowing(source: Source) -> str:
    """Give the SQL of whether a quote opened in a cell took in the records that follow.

    A second stray quote further down closes the first, and the count of cells is right again. Only
    a text written by hand may go over several lines; one that holds, in number, the cells that end
    one record and begin another is two records all the same.
    """
    sign = source.layout.separator or ";"
    by_hand = {
        source.ours[field.name] for field in source.table.fields if field.free_text and field.name in source.ours
    }
    width = len(source.header)
    faults = []
    for position in range(width):
        cell = f"c{position}"
        if position not in by_hand:
            faults.append(f"contains({cell}, chr(10)) OR contains({cell}, chr(13))")
            continue
        lines = f"string_split(replace({cell}, chr(13), chr(10)), chr(10))"
        signs = [f"len(string_split({lines}[{end}], {text(sign)})) - 1" for end in (1, -1)]
        faults.append(f"len({lines}) > 1 AND {signs[0]} >= {width - 1 - position} AND {signs[1]} >= {position}")
    return " OR ".join(f"coalesce({fault}, false)" for fault in faults)


def _refuse_swallowed(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    name = source.table.name
    first = connection.execute(
        f"""
        SELECT r + 2 + (SELECT count(DISTINCT line) FROM "rejects_{name}" WHERE line <= r + 2)
        FROM (SELECT min(rowid) AS r FROM "raw_{name}" WHERE swallowing) WHERE r IS NOT NULL
        """
    ).fetchall()
    if first:
        raise _open_quote(source, first[0][0])


def _open_quote(source: Source, record: int) -> DataError:
    return DataError(
        f"{source.path.name if source.path else source.table.name}: record {record} opens a quote that is not closed, "
        "so where the next records end cannot be told",
        'a text between quotes, a quote within it doubled (""), on one line unless it is free text',
        "correct that line; nothing was written",
    )


def _keep_ragged(connection: duckdb.DuckDBPyConnection, source: Source, cells: str) -> None:
    """Put records that have too few or too many cells behind the others, cells from the left."""
    name = source.table.name
    width = len(source.header)
    sign = text(source.layout.separator or ";")
    connection.execute(
        f"""
        CREATE TABLE split_records AS
        SELECT line, record, string_split(replace(record, '"', ''), {sign}) AS cells, contains(record, chr(10)) AS open
        FROM (SELECT line, rtrim(any_value(csv_line), chr(13) || chr(10)) AS record
              FROM "rejects_{name}" GROUP BY line)
        """
    )
    left_open = connection.execute("SELECT min(line) FROM split_records WHERE open").fetchall()[0][0]
    if left_open is not None:
        raise _open_quote(source, left_open)
    # What stands beyond the last column is kept with it.
    parts = [f"cells[{position + 1}] AS c{position}" for position in range(width - 1)]
    parts.append(f"array_to_string(cells[{width}:], {sign}) AS c{width - 1}")
    good = connection.execute(f'SELECT count(*) FROM "raw_{name}"').fetchall()[0][0]
    connection.execute(
        f'INSERT INTO "raw_{name}" SELECT {cells}, false FROM (SELECT line, {", ".join(parts)} FROM split_records) '
        "ORDER BY line"
    )
    connection.execute(
        f'INSERT INTO "ragged_{name}" SELECT {good} + i, line, line - 2 - i, record FROM '
        "(SELECT line, record, row_number() OVER (ORDER BY line) - 1 AS i FROM split_records)"
    )
    connection.execute("DROP TABLE split_records")
    connection.execute(f'DROP TABLE "rejects_{name}"')
    connection.execute(f'DROP TABLE "scans_{name}"')
