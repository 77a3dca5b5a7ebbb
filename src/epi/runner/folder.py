"""Run folders: where a run is written, who may write it, what a finished one holds."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.errors import ParameterError, RunError, StorageError
from epi.files import digest_file, storage_faults
from epi.runner.study import NAME

if TYPE_CHECKING:
    import pandas as pd

RUN_ID = re.compile(r"^[0-9a-f]{12}$")
MANIFEST = "manifest.json"
_RELEASED = ("tables", "figures")


@dataclass(frozen=True)
class Run:
    """One run of a study, finished or not.

    Parameters
    ----------
    folder : Path
        ``runs/<study>/<run_id>``.
    manifest : mapping
        What determined the run, how it went, what it released.
    reused : bool, optional
        Whether this run was already there and was not executed again.
    reason : str, optional
        Why it was executed, or why not.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)
    reused: bool = False
    reason: str = ""

    @property
    def study(self) -> str:
        """The study's identifier."""
        return str(self.manifest["study"])

    @property
    def run_id(self) -> str:
        """The digest of what determined the result."""
        return str(self.manifest["run_id"])

    @property
    def status(self) -> str:
        """``done``, ``failed``, or ``running`` while another process holds the folder."""
        status = str(self.manifest["status"])
        # A process that was killed could not write its end: its lock is free.
        return "failed" if status == "running" and not is_locked(self.folder) else status

    @property
    def synthetic(self) -> bool:
        """Whether any of its data are synthetic."""
        return bool(self.manifest.get("synthetic"))

    @property
    def finished(self) -> dt.datetime | None:
        """When it ended, in UTC."""
        text = self.manifest.get("finished")
        return dt.datetime.fromisoformat(text) if text else None

    def results(self) -> pd.DataFrame:
        """Read the run's results.

        Returns
        -------
        pandas.DataFrame
            The long table: name, estimate, interval, unit, n, stratum and settings.
        """
        from epi.disclosure import results_table

        return results_table(self.folder)

    def altered(self) -> tuple[str, ...]:
        """List released files that are no longer what the run wrote.

        Returns
        -------
        tuple of str
            Paths inside the folder: changed, missing or added since.
        """
        known = dict(self.manifest.get("files", {}))
        now = released_files(self.folder)
        return tuple(sorted(name for name in known.keys() | now.keys() if known.get(name) != now.get(name)))


def run_folder(runs_dir: str | os.PathLike[str], study: str, run_id: str) -> Path:
    """Give the folder of a run, which cannot lie outside `runs_dir`.

    Parameters
    ----------
    runs_dir : path-like
        The folder of runs.
    study, run_id : str
        A study's identifier and a run's.

    Returns
    -------
    Path
        ``runs_dir/study/run_id``.

    Raises
    ------
    ParameterError
        If a name is not an identifier.
    """
    if not NAME.match(study):
        raise ParameterError(f"{study!r} is not the name of a study", "lower-case letters, digits and _")
    if not RUN_ID.match(run_id):
        raise ParameterError(f"{run_id!r} is not a run", "12 hexadecimal characters", "epi runs")
    return Path(runs_dir).resolve() / study / run_id


def open_run(runs_dir: str | os.PathLike[str], study: str, run_id: str) -> Run:
    """Open a run's folder.

    Parameters
    ----------
    runs_dir : path-like
        The folder of runs.
    study, run_id : str
        A study's identifier and a run's.

    Returns
    -------
    Run
        The run, whatever its status.

    Raises
    ------
    ParameterError
        If there is no such run, or a name is not an identifier.
    """
    folder = run_folder(runs_dir, study, run_id)
    manifest = read_manifest(folder)
    if manifest is None:
        raise ParameterError(f"there is no run {run_id} of {study} in {runs_dir}", do="epi runs")
    return Run(folder, manifest)


def list_runs(runs_dir: str | os.PathLike[str], study: str | None = None) -> list[Run]:
    """List the runs of a folder.

    Parameters
    ----------
    runs_dir : path-like
        The folder of runs.
    study : str, optional
        Only this study's.

    Returns
    -------
    list of Run
        By study, the latest first.
    """
    found: list[Run] = []
    for path in Path(runs_dir).glob(f"*/*/{MANIFEST}"):
        folder = path.parent
        if not (RUN_ID.match(folder.name) and NAME.match(folder.parent.name)):
            continue
        manifest = read_manifest(folder)
        if manifest is not None and study in (None, folder.parent.name):
            found.append(Run(folder.resolve(), manifest))
    found.sort(key=lambda run: (str(run.manifest.get("started")), run.run_id), reverse=True)
    return sorted(found, key=lambda run: run.study)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Read a run's manifest.

    Parameters
    ----------
    folder : Path
        A run's folder.

    Returns
    -------
    dict or None
        None where there is none, or where it does not belong to this folder.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    ours = isinstance(manifest, dict) and manifest.get("run_id") == folder.name and "status" in manifest
    return manifest if ours and manifest.get("study") == folder.parent.name else None


def released_files(folder: Path) -> dict[str, str]:
    """Digest the files that a run released.

    Parameters
    ----------
    folder : Path
        A run's folder.

    Returns
    -------
    dict of str to str
        Path inside the folder and SHA-256: tables, figures, results and attrition.
    """
    files = [path for part in _RELEASED for path in sorted((folder / part).glob("*"))]
    files += [folder / name for name in ("results.json", "attrition.csv", "gate.jsonl")]
    return {
        path.relative_to(folder).as_posix(): digest_file(path)
        for path in files
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }


def clear_folder(folder: Path) -> None:
    """Empty a run's folder for a new start.

    Parameters
    ----------
    folder : Path
        A run's folder, missing, empty, or made by a run.

    Raises
    ------
    StorageError
        If it holds something that no run made.
    """
    if folder.exists():
        # A first manifest that a kill cut short lies beside its name, and is all there is.
        foreign = [path for path in folder.iterdir() if not path.name.startswith(f".{MANIFEST}.")]
        if foreign and read_manifest(folder) is None:
            raise StorageError(
                f"{folder} is not empty and no run made it", "an empty folder", "move it away, or use another --runs"
            )
        # The manifest goes last: a start that is cut short leaves a folder known as ours.
        for path in sorted(folder.iterdir(), key=lambda path: path.name == MANIFEST):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    with storage_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _lock_path(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process; the system lets go when the process ends.

    Parameters
    ----------
    folder : Path
        A run's folder.

    Yields
    ------
    None
        Control, while the folder is held.

    Raises
    ------
    RunError
        If another process holds it.
    """
    path = _lock_path(folder)
    with storage_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"run {folder.parent.name}/{folder.name} is already going on in another process",
                "one process for each run",
                "wait for it to end; the same command then answers from its result",
            ) from error
        yield


def is_locked(folder: Path) -> bool:
    """Say whether a process holds a run's folder.

    Parameters
    ----------
    folder : Path
        A run's folder.

    Returns
    -------
    bool
        True while it runs.
    """
    try:
        with _lock_path(folder).open("r") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
