"""Steps that ended: what each rested on, what it wrote, and whether it may stand for a new one.

A record is written last, in one piece: a step that a kill cut short has none, and is run again. A
record never makes a step stale: it stands only while everything that it rested on is as it was,
and every file that it wrote still has its digest.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epi.disclosure.ledger import GATE_FILE, RESULTS_FILE, read_lines, write_lines
from epi.errors import DataError, StorageError
from epi.files import atomic_path, digest_file, storage_faults, write_json
from epi.runner.folder import MANIFEST, clear_folder, read_manifest
from epi.runner.premises import Line, Present

LEDGERS = (GATE_FILE, RESULTS_FILE)
_RECORD = ".step.json"
_WRITTEN = ("tables", "figures", "notebooks")
_FORMAT = 1


@dataclass(frozen=True)
class Step:
    """A step that ended.

    Parameters
    ----------
    folder : Path
        The run's folder in which it was written.
    notebook : str
        Its notebook.
    rests_on : mapping
        Premises and their digests.
    wrote : mapping
        Paths inside the folder and their digests.
    lines : list of Line
        What it wrote in the ledgers, in order.
    timing : mapping
        Seconds, cells, peak memory, and the run that executed it.
    """

    folder: Path
    notebook: str
    rests_on: Mapping[str, str]
    wrote: Mapping[str, str]
    lines: list[Line]
    timing: Mapping[str, Any]

    def altered(self) -> list[str]:
        """List the files that are not what the step wrote.

        Returns
        -------
        list of str
            Paths inside the folder.
        """
        return [name for name, digest in self.wrote.items() if _digest(self.folder / name) != digest]


def record_path(folder: Path, notebook: str) -> Path:
    """Give the place of a step's record.

    Parameters
    ----------
    folder : Path
        A run's folder.
    notebook : str
        The step's notebook.

    Returns
    -------
    Path
        A file in the run's private folder.
    """
    return folder / "notebooks" / f"{Path(notebook).stem}{_RECORD}"


def read_step(folder: Path, notebook: str) -> Step | None:
    """Read a step's record.

    Parameters
    ----------
    folder : Path
        A run's folder.
    notebook : str
        The step's notebook.

    Returns
    -------
    Step or None
        None where there is none, or where another version wrote it.
    """
    try:
        content = json.loads(record_path(folder, notebook).read_text(encoding="utf-8"))
        if content["format"] != _FORMAT or content["notebook"] != notebook:
            return None
        lines = [(str(ledger), dict(line)) for ledger, line in content["lines"]]
        if not all(map(_is_inside, content["wrote"])) or not {ledger for ledger, _ in lines} <= set(LEDGERS):
            return None
        return Step(folder, notebook, content["rests_on"], content["wrote"], lines, content["timing"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_step(step: Step) -> None:
    """Write a step's record, whole or not at all.

    Parameters
    ----------
    step : Step
        The step, all its files written.
    """
    write_json(
        record_path(step.folder, step.notebook),
        {
            "format": _FORMAT,
            "notebook": step.notebook,
            "rests_on": dict(step.rests_on),
            "wrote": dict(step.wrote),
            "lines": [list(line) for line in step.lines],
            "timing": dict(step.timing),
        },
    )


def find_step(
    notebook: str, present: Present, folders: Iterable[Path], unsure: Callable[[str], bool] = lambda _: False
) -> tuple[Step | None, str]:
    """Find a step that stands for the one to come, and say why, or why there is none.

    Parameters
    ----------
    notebook : str
        The notebook to execute.
    present : Present
        What it would rest on.
    folders : iterable of Path
        Folders of runs, those to look at first first.
    unsure : callable, optional
        Tells the premises that cannot be looked at yet, before the steps that make them.

    Returns
    -------
    step : Step or None
        The first whose premises are all as they were.
    reason : str
        In words.
    """
    nearest: list[str] | None = None
    reason = "run for the first time"
    for folder in folders:
        step = read_step(folder, notebook)
        if step is None:
            continue
        changes = present.changes({label: held for label, held in step.rests_on.items() if not unsure(label)})
        if not changes and (altered := step.altered()):
            changes = [f"{', '.join(altered)} of run {folder.name} is not what it wrote"]
        if not changes:
            when = str(step.timing.get("finished", ""))[:16].replace("T", " ")
            return step, f"nothing it rests on has changed since {when} UTC (run {step.timing['run_id']})"
        if nearest is None or len(changes) < len(nearest):
            nearest, reason = changes, f"since run {step.timing['run_id']}: {_listed(changes)}"
    return None, reason


def _listed(changes: list[str], most: int = 4) -> str:
    more = len(changes) - most
    return "; ".join(changes[:most]) + (f"; and {more} more" if more > 0 else "")


def take_over(step: Step, folder: Path, made: Mapping[str, str]) -> Step | None:
    """Bring a step that ended into a run's folder, with its files.

    Parameters
    ----------
    step : Step
        The step, in this folder or another's.
    folder : Path
        The run's folder.
    made : mapping
        Files of the steps before; none may be written over.

    Returns
    -------
    Step or None
        The step as it now lies in `folder`; None when the other run changed meanwhile.
    """
    if any(made.get(name, digest) != digest for name, digest in step.wrote.items()):
        return None
    if step.folder == folder:
        return step
    remove_step(folder, step.notebook, made)
    for name, digest in step.wrote.items():
        with storage_faults(folder / name):
            private = name.startswith("notebooks/")
            (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        with atomic_path(folder / name) as part:
            try:
                shutil.copyfile(step.folder / name, part)
            except FileNotFoundError:
                return None
            if digest_file(part) != digest:
                return None
    own = Step(folder, step.notebook, step.rests_on, step.wrote, step.lines, step.timing)
    write_step(own)
    return own


def remove_step(folder: Path, notebook: str, made: Mapping[str, str]) -> None:
    """Remove a step from a run's folder: its record first, then the files that are its own.

    Parameters
    ----------
    folder : Path
        The run's folder.
    notebook : str
        The step's notebook.
    made : mapping
        Files of the steps before, which stay.
    """
    step = read_step(folder, notebook)
    record_path(folder, notebook).unlink(missing_ok=True)
    for name in step.wrote if step else ():
        if name not in made:
            (folder / name).unlink(missing_ok=True)


def keep_ended(folder: Path) -> None:
    """Make a folder ready for a new start: steps that ended stay, all else goes.

    Parameters
    ----------
    folder : Path
        A run's folder, missing, empty, or made by a run that did not end.

    Raises
    ------
    StorageError
        If it holds something that no run made.
    """
    if not folder.exists() or read_manifest(folder) is None:
        clear_folder(folder)  # which refuses what no run made
        return
    kept = {folder / MANIFEST}
    for path in sorted((folder / "notebooks").glob(f"*{_RECORD}")):
        step = read_step(folder, f"{path.name.removesuffix(_RECORD)}.ipynb")
        if step is not None:
            kept |= {path, *(folder / name for name in step.wrote)}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink()


def survey(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Look at the files that steps write, so as to tell afterwards which ones a step wrote.

    Parameters
    ----------
    folder : Path
        A run's folder.

    Returns
    -------
    dict
        Path inside the folder; size, time of change and number of the file.
    """
    seen: dict[str, tuple[int, int, int]] = {}
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or not _is_inside(inside) or path.name.endswith((_RECORD, ".part")):
            continue
        stat = path.stat()
        seen[inside] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    return seen


def digest_written(folder: Path, before: Mapping[str, tuple[int, int, int]]) -> dict[str, str]:
    """Digest the files written since a survey.

    Parameters
    ----------
    folder : Path
        A run's folder.
    before : mapping
        From :func:`survey`.

    Returns
    -------
    dict of str to str
        Path inside the folder and SHA-256.
    """
    return {name: digest_file(folder / name) for name, seen in survey(folder).items() if before.get(name) != seen}


def read_ledgers(folder: Path) -> list[Line]:
    """Read a run's ledgers.

    Parameters
    ----------
    folder : Path
        A run's folder.

    Returns
    -------
    list of Line
        Those of the gate first.
    """
    return [(ledger, line) for ledger in LEDGERS for line in read_lines(folder / ledger)]


def write_ledgers(folder: Path, lines: Iterable[Line]) -> None:
    """Write a run's ledgers as its steps so far left them.

    Parameters
    ----------
    folder : Path
        A run's folder.
    lines : iterable of Line
        All of them, in the order of the steps.
    """
    found = list(lines)
    for ledger in LEDGERS:
        write_lines(folder / ledger, [line for name, line in found if name == ledger])


def _is_inside(name: str) -> bool:
    """Tell whether a path of a record stays in the folders that steps write: a record may have been edited."""
    parts = name.split("/")
    return len(parts) > 1 and parts[0] in _WRITTEN and not {"", ".", ".."} & set(parts)


def _digest(path: Path) -> str | None:
    try:
        return digest_file(path) if not path.is_symlink() else None
    except (OSError, StorageError, DataError):
        return None
