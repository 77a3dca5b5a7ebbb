"""Build the site: for each study the run shown, its notebooks, and the other runs, in both languages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import epi
from epi.errors import DisclosureError, EpiError, ParameterError, RunError, StorageError
from epi.files import storage_faults, write_json
from epi.protocol import read_protocol
from epi.results import LEVELS
from epi.runner.folder import Run, list_runs
from epi.runner.plan import Entry as PlanEntry
from epi.runner.plan import read_plan
from epi.runner.published import record_published
from epi.runner.site.notebook import may_see
from epi.runner.site.pages import Builder, Entry
from epi.runner.site.provenance import uses_defaults
from epi.runner.site.released import read_outputs, read_record, read_results
from epi.runner.study import find_studies
from epi.runner.study import studies_root as place_of_studies

_MARK = "site.json"


@dataclass(frozen=True)
class Site:
    """A built site.

    Parameters
    ----------
    folder : Path
        Its folder; ``index.html`` is in French, ``en/index.html`` in English.
    pages : int
        Number of pages.
    studies : tuple of str
        The studies shown.
    left_out : int
        Notebook outputs left out because they did not carry the gate's mark.
    unrecorded : tuple of str, optional
        Studies whose publication could not be kept, since their folder of runs cannot be written.
    held_apart : int, optional
        Finished runs that are named without their figures, since these could be subtracted from those shown.
    """

    folder: Path
    pages: int
    studies: tuple[str, ...]
    left_out: int
    unrecorded: tuple[str, ...] = ()
    held_apart: int = 0


def build_site(
    runs_dir: str | os.PathLike[str],
    out: str | os.PathLike[str],
    studies_root: str | os.PathLike[str] | None = None,
    *,
    level: str = "public",
    title: str | None = None,
) -> Site:
    """Build the reviewers' site of a folder of runs.

    Parameters
    ----------
    runs_dir : path-like
        The folder of runs.
    out : path-like
        The site's folder; an earlier site is replaced, anything else is refused.
    studies_root : path-like, optional
        Studies to list even if they have not been run.
    level : {"public", "restricted", "internal"}, optional
        The most private level that the site's readers may see.
    title : str, optional
        The site's title, in place of the usual one.

    Returns
    -------
    Site
        Where it lies, and what it holds.

    Raises
    ------
    RunError
        If there is no run to show.
    ParameterError
        If the level is unknown.
    StorageError
        If `out` is not a site, or the disk is full.
    """
    if level not in LEVELS:
        raise ParameterError(f"level {level!r} is unknown", ", ".join(LEVELS))
    runs = list_runs(runs_dir)
    if not runs:
        raise RunError(
            f"there is no run to show in {Path(runs_dir)}", "at least one run", "epi run STUDY, then build the site"
        )
    final = Path(out).resolve()
    if final.exists() and any(final.iterdir()) and not (final / _MARK).is_file():
        raise StorageError(f"{final} is not empty and is not a site", "an empty folder", "choose another --out")
    entries = _entries(runs, studies_root, level)
    work = final.with_name(f".{final.name}.{os.getpid()}.part")
    with storage_faults(final):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            builder = Builder(work, entries, level, title)
            builder.build()
            write_json(work / _MARK, {"format": 1, "epi": epi.__version__, "studies": [e.name for e in entries]})
            old = final.with_name(f".{final.name}.{os.getpid()}.old")
            if final.exists():
                final.rename(old)
            work.rename(final)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return Site(
        final,
        builder.pages,
        tuple(entry.name for entry in entries),
        builder.left_out,
        tuple(_record(entries)),
        sum(len(entry.apart) for entry in entries),
    )


def _record(entries: Sequence[Entry]) -> Iterator[str]:
    """Keep what the site shows of each study; give the studies whose folder of runs cannot be written."""
    for entry in entries:
        run = entry.shown
        if run is None or run.status != "done" or run.run_id in entry.altered:
            continue
        try:
            record_published(run, read_results(run) or [])
        except StorageError:
            yield entry.name


def _entries(runs: Sequence[Run], studies_root: str | os.PathLike[str] | None, level: str) -> list[Entry]:
    by_study: dict[str, list[Run]] = {}
    for run in runs:
        by_study.setdefault(run.study, []).append(run)
    entries: list[Entry] = []
    for mine in by_study.values():
        done = [run for run in mine if run.status == "done"]
        shown = next((run for run in done if uses_defaults(run)), (done or mine)[0])
        entry = Entry(read_protocol(shown.folder / "protocol.yml"), mine, shown)
        for run in done:
            rows = read_results(run)
            if rows is None:
                entry.altered.add(run.run_id)
            seen = [row for row in rows or [] if may_see(str(row.get("level") or "public"), level)]
            entry.rows[run.run_id] = [*seen]
            entry.outputs[run.run_id] = read_outputs(run, read_protocol(run.folder / "protocol.yml"), level)
        _hold_apart(entry, level)
        entry.plan = _plan(studies_root, entry.name)
        entries.append(entry)
    for folder in find_studies(studies_root):
        if folder.name not in by_study:
            try:
                entries.append(Entry(read_protocol(folder), [], None))
            except EpiError:
                continue  # a study that cannot be read has no run here; epi study check tells why
    return sorted(entries, key=lambda entry: (entry.shown is None, entry.name))


def _hold_apart(entry: Entry, level: str) -> None:
    """Hold apart the runs that, beside those published, would tell of few persons.

    The gate of a run cannot see another run. Each run is compared with all those accepted before it, so that
    the cost grows with the square of their number: a study has few.
    """
    # Comparing reads runs through this package, which is not there yet when this module is read.
    from epi.runner.difference import compare_runs

    if level == "internal" or len(entry.done) < 2:
        return
    shown = entry.shown
    # A run that was altered so that none of its figures is published says why on its page, and tells nothing.
    telling = [run for run in entry.done if entry.rows[run.run_id] or read_record(run)]
    faults = {run.run_id: _fault(run, level) for run in telling}
    accepted = [run for run in telling if run is shown]
    for run in telling:
        if run is shown:
            continue
        reason = faults[run.run_id]
        if not reason and any(faults[other.run_id] for other in accepted):
            reason = "apart_beside"  # the run shown cannot be compared, so nothing tells what is safe beside it
        if not reason and any(compare_runs(other, run, level=level).small for other in accepted):
            reason = "apart_small"
        if not reason:
            accepted.append(run)
            continue
        entry.apart[run.run_id] = reason
        # What was read of it is dropped, so that no page can show it.
        del entry.rows[run.run_id], entry.outputs[run.run_id]


def _fault(run: Run, level: str) -> str:
    """Say why a run cannot be compared with any other; empty when it can."""
    from epi.runner.export.bundle import open_bundle  # it reads runs through this package too

    try:
        open_bundle(run, level=level)
    except RunError:
        return "apart_version"
    except DisclosureError:
        return "apart_altered"
    return ""


def _plan(studies_root: str | os.PathLike[str] | None, name: str) -> tuple[PlanEntry, ...]:
    try:
        return read_plan(place_of_studies(studies_root) / name)
    except EpiError:
        return ()  # its runs keep their copy; epi study check tells what is wrong with it
