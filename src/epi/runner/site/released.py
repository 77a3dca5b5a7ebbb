"""What a run released, read back with distrust: declared to the gate, unchanged since, in bounds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epi.disclosure import read_gate
from epi.protocol import Protocol
from epi.runner.folder import Run, released_files
from epi.runner.site.markup import looks_numeric
from epi.runner.site.notebook import find_payloads, may_see

MOST_ROWS = 60


@dataclass(frozen=True)
class Table:
    """The rows of a released table, as text.

    Parameters
    ----------
    columns : tuple of str
        Headings.
    rows : tuple of tuple of str
        The first rows.
    total : int
        How many rows the file has.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int

    def numeric(self, position: int) -> bool:
        """Say whether a column is to be set flush right.

        Parameters
        ----------
        position : int
            Its place.

        Returns
        -------
        bool
            True when every cell with a digit is a number.
        """
        cells = [row[position] for row in self.rows if any(char.isdigit() for char in row[position])]
        return bool(cells) and all(looks_numeric(cell) for cell in cells)


@dataclass(frozen=True)
class ReleasedOutput:
    """An output of the gate: its files where they may be shown, or the reason why not.

    Parameters
    ----------
    name : str
        The output's name.
    level : str
        Who may read it.
    entry : mapping
        Its line in the gate's record.
    files : mapping, optional
        File name to content.
    table : Table or None, optional
        Its table.
    html : str, optional
        What the gate showed of it in a notebook.
    refused : {"", "level", "altered"}, optional
        Why it is not shown.
    """

    name: str
    level: str
    entry: Mapping[str, Any] = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    table: Table | None = None
    html: str = ""
    refused: str = ""


def read_record(run: Run) -> list[dict[str, Any]]:
    """Read the gate's record of a run, if it is still what the run wrote.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    list of dict
        Its lines; none when the file changed since, since it then vouches for nothing.
    """
    known = dict(run.manifest.get("files", {})).get("gate.jsonl")
    return read_gate(run.folder) if known == released_files(run.folder).get("gate.jsonl") else []


def read_results(run: Run) -> list[dict[str, Any]] | None:
    """Read the results of a run, if they are still what the run wrote.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    list of dict or None
        Its rows; None when the file changed since.
    """
    known = dict(run.manifest.get("files", {})).get("results.json")
    if known is None or known != released_files(run.folder).get("results.json"):
        return None
    rows: list[dict[str, Any]] = json.loads((run.folder / "results.json").read_text(encoding="utf-8"))
    return rows


def read_outputs(run: Run, protocol: Protocol, level: str = "public") -> list[ReleasedOutput]:
    """Read the outputs of a run that a site may show.

    Parameters
    ----------
    run : Run
        A finished run.
    protocol : Protocol
        Its protocol: outputs are given in its order.
    level : {"public", "restricted", "internal"}, optional
        The most private level that the site's readers may see.

    Returns
    -------
    list of ReleasedOutput
        One for each output of the gate; `refused` is ``level`` or ``altered`` when it has no files.
    """
    now = released_files(run.folder)
    known = dict(run.manifest.get("files", {}))
    order = {output.name: rank for rank, output in enumerate(protocol.outputs)}
    if known.get("gate.jsonl") != now.get("gate.jsonl"):
        return [ReleasedOutput(output.name, output.level, {}, refused="altered") for output in protocol.outputs]
    gate = read_record(run)
    payloads = find_payloads(run, gate)
    lines = {str(line["name"]): line for line in gate if line.get("verdict") == "released" and line.get("files")}
    found: list[ReleasedOutput] = []
    for name in sorted(lines, key=lambda name: (order.get(name, len(order)), name)):
        line = lines[name]
        own, paths = str(line.get("level", "")), dict(line["files"])
        if not may_see(own, level):
            found.append(ReleasedOutput(name, own, line, refused="level"))
        elif any(now.get(path) != digest or known.get(path) != digest for path, digest in paths.items()):
            found.append(ReleasedOutput(name, own, line, refused="altered"))
        else:
            files = {Path(path).name: (run.folder / path).read_bytes() for path in sorted(paths)}
            text = files.get(f"{name}.csv")
            table = read_table(text) if text is not None else None
            found.append(ReleasedOutput(name, own, line, files, table, payloads.get(name, "")))
    return found


def read_table(content: bytes) -> Table:
    """Read the first rows of a released table.

    Parameters
    ----------
    content : bytes
        CSV in UTF-8.

    Returns
    -------
    Table
        Columns, at most 60 rows, and how many there are.
    """
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    if not lines:
        return Table((), (), 0)
    columns, rows = lines[0], lines[1:]
    shown = tuple(tuple((row + [""] * len(columns))[: len(columns)]) for row in rows[:MOST_ROWS])
    return Table(tuple(columns), shown, len(rows))
