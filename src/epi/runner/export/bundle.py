"""What may leave of a run: its released outputs, verified, at a level."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from epi.disclosure import filter_rows
from epi.errors import DisclosureError, ParameterError, RunError
from epi.protocol import Protocol, read_protocol
from epi.results import LEVELS
from epi.runner.folder import Run, list_runs, open_run
from epi.runner.site.released import ReleasedOutput, read_outputs, read_results


class Empty(Enum):
    """Why a cell has no value."""

    HIDDEN = "hidden"
    MISSING = "missing"


Cell = str | bool | int | float | Empty
"""A cell of a released table; hidden and missing are never the same, and neither is a number."""


@dataclass(frozen=True)
class Output:
    """A released table or figure, read from its files.

    Parameters
    ----------
    name : str
        The output's name.
    kind : {"table", "figure"}
        What it is.
    level : str
        Who may read it.
    title, meaning : str
        Its title in the run's language, its meaning in the reader's.
    columns : tuple of str
        Names of columns.
    rows : tuple of tuple
        Typed cells.
    layout : mapping
        What the gate kept of how it is set: kinds of columns, headings, notes, mark.
    files : mapping
        Name and content of each released file, the CSV included.
    hidden : int
        Number of cells hidden.
    """

    name: str
    kind: str
    level: str
    title: str
    meaning: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)
    layout: Mapping[str, Any] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    hidden: int = 0

    @property
    def mark(self) -> str:
        """What stands for a hidden cell."""
        return str(self.layout["mark"])

    def kind_of(self, column: str) -> str:
        """Say what a column holds.

        Parameters
        ----------
        column : str
            A column.

        Returns
        -------
        str
            ``text``, ``flag``, ``count``, ``whole``, ``number`` or ``probability``.
        """
        return str(dict(self.layout["columns"])[column])

    def heading(self, column: str) -> str:
        """Give a column's printed heading.

        Parameters
        ----------
        column : str
            A column.

        Returns
        -------
        str
            Its label, or its name in plain words.
        """
        return str(dict(self.layout.get("labels") or {}).get(column, column.replace("_", " ")))

    def numbers(self, column: str) -> list[float]:
        """List the numbers of a column.

        Parameters
        ----------
        column : str
            A column.

        Returns
        -------
        list of float
            Those that are there and finite.
        """
        place = self.columns.index(column)
        return [
            float(row[place])  # type: ignore[arg-type]
            for row in self.rows
            if isinstance(row[place], int | float) and not isinstance(row[place], bool) and math.isfinite(row[place])  # type: ignore[arg-type]
        ]


@dataclass(frozen=True)
class Bundle:
    """What may leave of a run, at a level.

    Parameters
    ----------
    run : Run
        The run.
    protocol : Protocol
        Its protocol, as it was when it ran.
    level : str
        The most private level carried.
    outputs : tuple of Output
        Tables and figures, in the protocol's order.
    results : tuple of mapping
        Rows of ``results.json``.
    left_out : tuple of str
        Names of outputs and results that the level keeps back.
    """

    run: Run
    protocol: Protocol
    level: str
    outputs: tuple[Output, ...]
    results: tuple[Mapping[str, Any], ...] = field(repr=False)
    left_out: tuple[str, ...] = ()

    def output(self, name: str) -> Output | None:
        """Find an output.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Output or None
            None when it is not carried.
        """
        return next((output for output in self.outputs if output.name == name), None)


def find_run(runs_dir: str | Path, which: str) -> Run:
    """Find the run meant by ``STUDY``, ``STUDY/RUN`` or ``STUDY/latest``.

    Parameters
    ----------
    runs_dir : path-like
        The folder of runs.
    which : str
        As typed. A study alone is enough when it has one finished run.

    Returns
    -------
    Run
        A finished run.

    Raises
    ------
    ParameterError
        If there is none, or several and it is not said which.
    RunError
        If the run has not ended well.
    """
    study, slash, run_id = which.strip().rstrip("/").partition("/")
    if slash and run_id != "latest":
        run = open_run(runs_dir, study, run_id)
        if run.status != "done":
            raise RunError(f"run {run_id} of {study} is {run.status}", "a finished run", f"epi run {study}")
        return run
    done = [run for run in list_runs(runs_dir, study) if run.status == "done"]
    if not done:
        raise ParameterError(
            f"there is no finished run of {study!r} in {runs_dir}", "STUDY, STUDY/RUN or STUDY/latest", "epi runs"
        )
    if len(done) > 1 and not slash:
        # The latest may be a variant: a paper must not be filled from it because nobody said which.
        raise ParameterError(
            f"{study} has {len(done)} finished runs",
            "which of them is meant",
            f"name one, such as {study}/{done[0].run_id}, or {study}/latest",
            faults=[
                f"{run.run_id}, preset {run.manifest.get('preset') or 'none'}, {str(run.manifest['finished'])[:16]}"
                for run in done[:12]
            ],
        )
    return done[0]


def open_bundle(run: Run, *, level: str = "public", lang: str = "en") -> Bundle:
    """Read what may leave of a run.

    Parameters
    ----------
    run : Run
        A finished run.
    level : {"public", "restricted", "internal"}, optional
        The most private level carried.
    lang : {"en", "fr"}, optional
        Language of meanings.

    Returns
    -------
    Bundle
        Outputs and results at this level, each verified against the gate's record.

    Raises
    ------
    ParameterError
        If the level or the language is unknown.
    RunError
        If the run has not ended well, or was made before the gate kept how its tables are set.
    DisclosureError
        If a released file changed since the run; all are named.
    """
    faults = [f"level {level!r} is unknown: one of {', '.join(LEVELS)}"] if level not in LEVELS else []
    faults += [f"language {lang!r} is unknown: en or fr"] if lang not in {"en", "fr"} else []
    if faults:
        raise ParameterError("; ".join(faults), do="epi export --help")
    if run.status != "done":
        raise RunError(
            f"run {run.run_id} of {run.study} is {run.status}", "a finished run", f"run it again: epi run {run.study}"
        )
    altered = run.altered()
    if altered:
        raise DisclosureError(
            f"{len(altered)} released file(s) of run {run.run_id} changed since it ended: nothing was exported",
            "files as the run wrote them",
            f"epi run {run.study} --force",
            faults=altered,
        )
    protocol = read_protocol(run.folder / "protocol.yml")
    found = read_outputs(run, protocol, level)
    old = [output.name for output in found if not output.refused and "layout" not in output.entry]
    if old:
        raise RunError(
            f"run {run.run_id} was made by an earlier version, whose record does not say how its tables are set",
            "a run of this version",
            f"epi run {run.study}",
            faults=old[:12],
        )
    meanings = {output.name: output.meaning.in_(lang) for output in protocol.outputs}
    rows = read_results(run) or []
    kept = filter_rows(rows, level)
    back = {str(row["name"]) for row in rows} - {str(row["name"]) for row in kept}
    return Bundle(
        run,
        protocol,
        level,
        tuple(_read(output, meanings.get(output.name, "")) for output in found if not output.refused),
        tuple(kept),
        (*(output.name for output in found if output.refused == "level"), *sorted(back)),
    )


def _read(output: ReleasedOutput, meaning: str) -> Output:
    layout = dict(output.entry["layout"])
    columns, *lines = csv.reader(io.StringIO(output.files[f"{output.name}.csv"].decode("utf-8")))
    # The file quotes what a spreadsheet would run; the record holds the plain names.
    names = tuple(str(name) for name, _ in layout["columns"])
    if len(names) != len(columns) or any(len(line) != len(names) for line in lines):
        raise DisclosureError(f"the file of output '{output.name}' has other columns than the gate's record")
    kinds = [str(kind) for _, kind in layout["columns"]]
    mark = str(layout["mark"])
    return Output(
        output.name,
        str(output.entry["kind"]),
        output.level,
        str(output.entry.get("title") or ""),
        meaning,
        names,
        _type(lines, kinds, mark),
        layout,
        output.files,
        int(output.entry.get("hidden") or 0),
    )


def _type(lines: Sequence[Sequence[str]], kinds: Sequence[str], mark: str) -> tuple[tuple[Cell, ...], ...]:
    return tuple(tuple(_cell(text, kind, mark) for text, kind in zip(line, kinds, strict=True)) for line in lines)


def _cell(text: str, kind: str, mark: str) -> Cell:
    if text == mark:
        return Empty.HIDDEN
    if text == "":
        return Empty.MISSING
    if kind in {"count", "whole"}:
        return int(text)
    if kind in {"number", "probability"}:
        return float(text)
    return text == "True" if kind == "flag" else text
