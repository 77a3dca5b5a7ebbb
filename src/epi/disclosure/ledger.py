"""The run folder's records: lines appended whole, read back whole."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from epi.errors import DataError
from epi.files import storage_faults, write_text

GATE_FILE = "gate.jsonl"
RESULTS_FILE = "results.jsonl"
NOTEBOOK = "EPI_NOTEBOOK"
"""Variable that names the notebook being run."""
KEPT = "notebooks/kept"
"""Where a run's folder holds the frames that a notebook kept for later ones: in its private part."""


def run_folder() -> Path | None:
    """Find the folder of the run in progress.

    Returns
    -------
    Path or None
        What ``EPI_RUN_DIR`` names; None when nothing is running.
    """
    place = os.environ.get("EPI_RUN_DIR", "").strip()
    return Path(place) if place else None


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON object as one line, or nothing.

    Parameters
    ----------
    path : Path
        A ``.jsonl`` file, made when missing.
    value : mapping
        What to write.

    Raises
    ------
    StorageError
        If the disk is full or the place cannot be written; the file is left as it was.

    Notes
    -----
    Processes append one after the other, not at the same time. A line left half-written by a
    killed process is cut off first: whoever wrote it never had an answer.
    """
    content = _one_line(value).encode()
    with storage_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            end = _whole_length(handle)
            try:
                os.ftruncate(handle, end)
                if os.pwrite(handle, content, end) != len(content):
                    raise OSError(errno.ENOSPC, "short write")
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, end)
                raise
        finally:
            os.close(handle)


def write_lines(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    """Write a whole file of JSON lines in one piece, as when a run takes ended steps over.

    Parameters
    ----------
    path : Path
        A ``.jsonl`` file, replaced when there is one.
    values : iterable of mapping
        What to write; without any, there is no file.
    """
    text = "".join(map(_one_line, values))
    if text:
        write_text(path, text)
    else:
        path.unlink(missing_ok=True)


def _one_line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")) + "\n"


def _whole_length(handle: int) -> int:
    """Length of the file up to the end of its last whole line."""
    size = os.fstat(handle).st_size
    end = size
    while end:
        start = max(0, end - 65536)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines.

    Parameters
    ----------
    path : Path
        A ``.jsonl`` file; a missing one is empty.

    Returns
    -------
    list of dict
        One for each whole line; a last one cut by a killed process was never acknowledged.

    Raises
    ------
    DataError
        If a line is not a JSON object; it is named.
    """
    if not path.exists():
        return []
    lines = []
    *whole, _half = path.read_bytes().split(b"\n")
    for number, line in enumerate(whole, start=1):
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise DataError(
                f"{path.name} is broken at line {number}", "one JSON object on each line", "run the study again"
            )
        lines.append(value)
    return lines


def read_gate(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read the gate's record of a run.

    Parameters
    ----------
    folder : path-like
        A run folder.

    Returns
    -------
    list of dict
        One for each output, result and refusal, in order.
    """
    return read_lines(Path(folder) / GATE_FILE)
