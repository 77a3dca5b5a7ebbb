"""A folder of open files: files added with their checksum, and checked against it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from epi.errors import DataError, EpiError
from epi.files import atomic_path, digest_file, write_text
from epi.sources.open_data.catalogue import recognise
from epi.sources.open_data.folder import PathLike, find_open_data
from epi.sources.open_data.layout import all_layouts
from epi.sources.open_data.table import OpenTable

MANIFEST = "manifest.csv"
_FIELDS = ["file", "rows", "columns", "bytes", "sha256"]


@dataclass(frozen=True)
class Added:
    """What adding a file did.

    Parameters
    ----------
    file : str
        Name in the folder.
    status : {"added", "already there", "replaced"}
        What was done.
    tables : tuple of OpenTable
        What was read from it.
    sha256 : str
        Its digest.
    """

    file: str
    status: str
    tables: tuple[OpenTable, ...]
    sha256: str


@dataclass(frozen=True)
class Checked:
    """What is known of one file of the folder.

    Parameters
    ----------
    file : str
        Its name.
    layout : str
        Ids of its layouts, or an empty text.
    status : {"sound", "changed", "absent", "unreadable", "not recognised", "not in the manifest"}
        The verdict.
    rows : int or None
        Rows read.
    detail : str
        One sentence when it is not sound.
    """

    file: str
    layout: str
    status: str
    rows: int | None
    detail: str

    @property
    def sound(self) -> bool:
        """Whether nothing is to be done about it."""
        return self.status in {"sound", "not recognised"}


def read_manifest(folder: Path) -> dict[str, dict[str, str]]:
    """Read the checksums of a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    dict
        By file name: rows, columns, bytes, sha256; empty where there is no manifest.

    Raises
    ------
    DataError
        If the manifest is not one.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        if any(None in row or None in row.values() for row in rows):
            raise KeyError("fields")
        return {row["file"]: {field: row[field] for field in _FIELDS} for row in rows}
    except (UnicodeDecodeError, KeyError, csv.Error) as error:
        raise DataError(f"{MANIFEST} cannot be read", f"a CSV with {', '.join(_FIELDS)}", "restore it") from error


def _write_manifest(folder: Path, entries: dict[str, dict[str, str]]) -> None:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries[name] for name in sorted(entries))
    write_text(folder / MANIFEST, buffer.getvalue())


def add_file(path: PathLike, folder: PathLike | None = None, *, replace: bool = False) -> Added:
    """Add an official file to the folder of open data: recognised, read whole, copied, checksummed.

    Parameters
    ----------
    path : path-like
        The file as downloaded; a shapefile's ``.dbf``, ``.shx`` and ``.prj`` are taken along.
    folder : path-like, optional
        The folder; ``EPI_OPEN_DATA`` by default.
    replace : bool, optional
        Replace a file of the same name whose content differs.

    Returns
    -------
    Added
        What was done.

    Raises
    ------
    DataError
        If the file is not recognised or not as its layout says, or another content has its name.
    StorageError
        If the folder cannot be written.
    """
    source = Path(path)
    place = find_open_data(folder)
    tables = recognise(source)
    parts = [source]
    if source.suffix.lower() == ".shp":
        beside = (source.with_suffix(end) for end in (".dbf", ".shx", ".prj", ".cpg"))
        parts += [part for part in beside if part.is_file()]
    entries = read_manifest(place)
    changed = [part for part in parts if (place / part.name).is_file() and _differs(part, place / part.name)]
    if changed and not replace:
        raise DataError(
            f"{changed[0].name} is in the folder already with another content",
            "a file that is not there yet",
            "--replace replaces it; every result that used it then changes",
        )
    same = all((place / part.name).is_file() for part in parts) and not changed
    for part in parts:
        if not same:
            with atomic_path(place / part.name) as temporary:
                temporary.write_bytes(part.read_bytes())
        first = part == source
        entries[part.name] = {
            "file": part.name,
            "rows": str(len(tables[0].table)) if first else "",
            "columns": str(len(tables[0].table.columns)) if first else "",
            "bytes": str(part.stat().st_size),
            "sha256": digest_file(part),
        }
    _write_manifest(place, entries)
    status = "already there" if same else "replaced" if changed else "added"
    return Added(source.name, status, tuple(tables), entries[source.name]["sha256"])


def _differs(one: Path, other: Path) -> bool:
    return digest_file(one) != digest_file(other)


def check_folder(folder: PathLike | None = None) -> list[Checked]:
    """Check every file of a folder: checksum, layout, number of rows.

    Parameters
    ----------
    folder : path-like, optional
        The folder; ``EPI_OPEN_DATA`` by default.

    Returns
    -------
    list of Checked
        One for each file, those of the manifest first.

    Raises
    ------
    DataError
        If the folder or its manifest cannot be read.
    """
    place = find_open_data(folder)
    entries = read_manifest(place)
    found = [_check(place / name, name, entry) for name, entry in sorted(entries.items())]
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        known = [layout.id for layout in all_layouts().values() if layout.form_of(path.name)]
        if path.is_file() and name not in entries and known:
            detail = f"epi data add {name} records its checksum"
            found.append(Checked(name, "|".join(known), "not in the manifest", None, detail))
    return found


def _check(path: Path, name: str, entry: dict[str, str]) -> Checked:
    known = "|".join(layout.id for layout in all_layouts().values() if layout.form_of(path.name))
    if not path.is_file():
        return Checked(name, known, "absent", None, "it is in the manifest and not in the folder")
    if digest_file(path) != entry["sha256"]:
        return Checked(name, known, "changed", None, "its content is not the one recorded; download it again")
    if not known:
        return Checked(name, "", "not recognised", None, "")
    try:
        rows = len(recognise(path)[0].table)
    except EpiError as error:
        return Checked(name, known, "unreadable", None, error.arrived + ".")
    if entry["rows"] and rows != int(entry["rows"]):
        return Checked(name, known, "unreadable", rows, f"{entry['rows']} rows were recorded, {rows} are read")
    return Checked(name, known, "sound", rows, "")
