"""Building a workspace: raw registry files in, tidy tables and their reference tables out."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.errors import WorkspaceError
from epi.files import storage_faults, write_json
from epi.workspace.fingerprint import fingerprint_of

if TYPE_CHECKING:
    from epi.sources.bndmr import RegistryReport

FORMAT = 1


def build_workspace(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    mapping: str | os.PathLike[str] | None = None,
    title: str | None = None,
    **options: Any,
) -> RegistryReport:
    """Read a raw registry, validate it, and write a workspace.

    Parameters
    ----------
    source : path-like
        A folder of raw registry files, or a folder that holds them in ``raw/`` with reference
        tables (population, exposures) in ``reference/``.
    out : path-like
        The workspace folder. An earlier workspace there is replaced once the new one is whole;
        any other folder is left alone.
    mapping : path-like, optional
        Their names and values to ours; see :func:`epi.sources.bndmr.read_registry`.
    title : str, optional
        What the data are, in a few words.
    **options : object
        Handed to :func:`epi.sources.bndmr.read_registry`, such as ``memory_limit``.

    Returns
    -------
    RegistryReport
        Rows read, kept and rejected, with the reasons counted.

    Raises
    ------
    WorkspaceError
        If `source` holds no raw registry, or `out` is a folder that is not a workspace.
    DataError
        If files cannot be read as the schema says.
    """
    from epi.codes import open_nomenclature
    from epi.sources.bndmr import read_registry

    place, target = Path(source), Path(out)
    raw = place / "raw" if (place / "raw").is_dir() else place
    statement = _statement(raw)
    _refuse_foreign(target)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    with storage_faults(target):
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            report = read_registry(raw, fresh, mapping=mapping, nomenclature=open_nomenclature().table(), **options)
            if (place / "reference").is_dir():
                shutil.copytree(place / "reference", fresh / "reference")
            rows = report.flow.set_index("table")["rows_tidy"].astype(int).to_dict()
            write_json(
                fresh / "workspace.json",
                statement | {"format": FORMAT, "title": title or statement.get("title") or place.name, "tables": rows},
            )
            fingerprint_of(fresh)
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return report


def _statement(raw: Path) -> dict[str, Any]:
    side = raw / "extract.json"
    if not side.is_file():
        raise WorkspaceError(
            f"{raw} is not a raw registry folder: it has no extract.json",
            'extract.json with at least {"extraction_date": "YYYY-MM-DD"} beside the tables',
            "check the path, or write it",
        )
    try:
        statement: dict[str, Any] = json.loads(side.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WorkspaceError("extract.json is not JSON", "a JSON object", "correct it") from error
    if "extraction_date" not in statement:
        raise WorkspaceError("extract.json has no extraction_date", "YYYY-MM-DD", "add it")
    return {"synthetic": False} | statement


def _refuse_foreign(target: Path) -> None:
    if target.exists() and not (target / "workspace.json").is_file() and any(target.iterdir()):
        raise WorkspaceError(
            f"{target} is a folder that is not a workspace",
            "a new folder, or a workspace to replace",
            "choose another --out",
        )
