"""Hold a filled manuscript against a run: what was typed over, what the run prints now, what was typed by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from epi.errors import ParameterError
from epi.runner.export.bundle import open_bundle
from epi.runner.folder import Run
from epi.runner.manuscript import markdown, word
from epi.runner.manuscript.fill import WORD, read_content, read_file
from epi.runner.manuscript.markdown import digest_of
from epi.runner.manuscript.placeholder import read_placeholder
from epi.runner.manuscript.printer import Printer
from epi.runner.manuscript.record import Record
from epi.runner.manuscript.typed import Typed, find_typed


@dataclass(frozen=True)
class Change:
    """A filled text that is not what it was, or not what the run prints.

    Parameters
    ----------
    name : str
        Its placeholder.
    old, new : str
        What was printed, and what stands there or would be printed now.
    line : int
        Its line, or its paragraph.
    """

    name: str
    old: str
    new: str
    line: int


@dataclass(frozen=True)
class Check:
    """What a manuscript's check found.

    Parameters
    ----------
    record : Record
        What the manuscript remembers.
    run : Run
        The run it was held against.
    edited : tuple of Change
        Filled texts typed over by hand.
    moved : tuple of Change
        Filled texts that this run prints otherwise.
    unfilled : tuple of str
        Placeholders still to fill, and marks that were cut.
    typed : tuple of Typed
        Numbers typed by hand: advice.
    passages : int
        How many filled texts there are.
    """

    record: Record
    run: Run
    edited: tuple[Change, ...]
    moved: tuple[Change, ...]
    unfilled: tuple[str, ...]
    typed: tuple[Typed, ...]
    passages: int

    @property
    def drifted(self) -> bool:
        """Whether the manuscript is not what the run prints."""
        return bool(self.edited or self.moved or self.unfilled)

    @property
    def same_run(self) -> bool:
        """Whether it was filled from this run, with the results that the run has now."""
        files = dict(self.run.manifest.get("files") or {})
        return self.record.run_id == self.run.run_id and self.record.results_sha256 == str(
            files.get("results.json") or ""
        )


def check_manuscript(path: str | os.PathLike[str], run: Run) -> Check:
    """Hold a filled manuscript against a run.

    Parameters
    ----------
    path : path-like
        A filled manuscript.
    run : Run
        A finished run.

    Returns
    -------
    Check
        What differs.

    Raises
    ------
    ParameterError
        If it was never filled.
    DisclosureError
        If a released file changed since the run.
    """
    place = Path(path)
    found = read_content(read_file(place), place)
    if found.record is None:
        raise ParameterError(
            f"{place.name} holds no record of a run",
            "a filled manuscript",
            f"epi manuscript fill {place.name} --run {run.study} --out FILE{place.suffix}",
        )
    record = found.record
    printer = Printer.of(open_bundle(run, level=record.level, lang=record.lang), record.lang)
    print_again = word.print_again if place.suffix.lower() == WORD else markdown.print_again
    edited: list[Change] = []
    moved: list[Change] = []
    for passage in found.passages:
        try:
            asked = read_placeholder(passage.key)
        except ParameterError:
            edited.append(Change(passage.key[:60], "", passage.text, passage.line))
            continue
        old = record.filled.get(asked.key)
        if old is None or old != passage.text:
            edited.append(Change(str(asked), old or "", passage.text, passage.line))
        now = print_again(asked, printer, old or "")
        if now is None:
            moved.append(Change(str(asked), passage.text, "not in this run", passage.line))
        elif now != old:
            moved.append(Change(str(asked), old or "", now, passage.line))
        elif asked.kind != "value":
            output = printer.output(asked)
            if output is not None and digest_of(output, asked.kind) != record.digests.get(asked.key):
                moved.append(Change(str(asked), "the file placed", "another file of this run", passage.line))
    cut = [f"line {line}: a mark lost its other end" for line in found.cut]
    typed = find_typed(found.rest, printer.values, record.lang)
    return Check(
        record,
        run,
        tuple(edited),
        tuple(moved),
        (*dict.fromkeys(found.open), *cut),
        tuple(typed),
        len(found.passages),
    )
