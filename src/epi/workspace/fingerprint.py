"""A fingerprint of the data that does not depend on row order or file layout.

Each row is digested, the digests of a table are added up (so that a repeated row counts), and the
sums are digested together with names, columns and row counts. Computed once for each version of
the files, and kept beside them.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.errors import StorageError
from epi.files import digest_file, digest_text, write_json
from epi.workspace.origin import open_origin

if TYPE_CHECKING:
    import duckdb

    from epi.workspace.origin import Origin

_MEMORY = ".fingerprint.json"


def fingerprint_of(path: str | os.PathLike[str]) -> str:
    """Digest the data of a workspace, whatever the order of its rows.

    Parameters
    ----------
    path : path-like
        A workspace folder or a DuckDB file.

    Returns
    -------
    str
        64 hexadecimal characters: equal data, equal fingerprint.

    Raises
    ------
    WorkspaceError
        If it is not a workspace.
    """
    return fingerprint(open_origin(path))


def fingerprint(origin: Origin) -> str:
    """Digest the data of an opened place.

    Parameters
    ----------
    origin : Origin
        The place.

    Returns
    -------
    str
        64 hexadecimal characters.
    """
    return digest_text(*(f"{name}={digest}" for name, digest in sorted(_parts(origin).items())))


def fingerprint_parts(path: str | os.PathLike[str]) -> dict[str, str]:
    """Digest the parts of a workspace that a study may rest on one by one.

    Parameters
    ----------
    path : path-like
        A workspace folder or a DuckDB file.

    Returns
    -------
    dict of str to str
        ``tables`` (patients and all that hangs on them, oppositions, the day of extraction) and
        ``reference/NAME`` for each file on territories.

    Raises
    ------
    WorkspaceError
        If it is not a workspace.
    """
    return _parts(open_origin(path))


def _parts(origin: Origin) -> dict[str, str]:
    stamps = _stamps(origin)
    memory = origin.path / _MEMORY if origin.path.is_dir() else None
    if memory is not None and memory.is_file():
        known: dict[str, Any] = json.loads(memory.read_text(encoding="utf-8"))
        if known.get("stamps") == stamps and "parts" in known:
            return dict(known["parts"])
    tables = [f"extraction_date={origin.about['extraction_date']}"]
    tables += [_table_digest(origin.connection, table, names) for table, names in sorted(origin.columns.items())]
    if origin.rejected_opposition is not None:
        tables.append(digest_file(origin.rejected_opposition))
    parts = {"tables": digest_text(*tables)}
    if origin.references is not None:
        parts |= {f"reference/{file.name}": digest_file(file) for file in sorted(origin.references.iterdir())}
    if memory is not None:
        _remember(memory, {"stamps": stamps, "parts": parts})
    return parts


def _remember(memory: Path, content: dict[str, Any]) -> None:
    # A workspace mounted read-only is normal in secure rooms: the fingerprint is then computed
    # anew at each opening, which costs time and nothing else.
    # Neither does a study that runs write beside its data.
    if "EPI_RUN_DIR" in os.environ or not os.access(memory.parent, os.W_OK):
        return
    try:
        write_json(memory, content)
    except (StorageError, PermissionError):
        with suppress(OSError):
            memory.unlink(missing_ok=True)


def _stamps(origin: Origin) -> dict[str, list[int]]:
    files = [*origin.files.values()] or [origin.path]
    if origin.references is not None:
        files += sorted(origin.references.iterdir())
    statement = origin.path / "workspace.json"
    if statement.is_file():
        files.append(statement)
    if origin.rejected_opposition is not None:
        files.append(origin.rejected_opposition)
    stats = {str(file.relative_to(origin.path) if file != origin.path else file.name): file.stat() for file in files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in sorted(stats.items())}


def _table_digest(connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...]) -> str:
    names = sorted(columns)
    # The length of each value keeps ('a', 'bc') and ('ab', 'c') apart; NULL differs from ''.
    row = " || ".join(
        f"coalesce(length(\"{name}\"::VARCHAR)::VARCHAR || ':' || \"{name}\"::VARCHAR, '-')" for name in names
    )
    count, low, high = connection.execute(
        f"SELECT count(*), sum(md5_number_lower({row})::HUGEINT)::VARCHAR, "
        f'sum(md5_number_upper({row})::HUGEINT)::VARCHAR FROM "{table}"'
    ).fetchall()[0]
    return f"{table}({','.join(names)})={count}:{low}:{high}"
