"""A filled passage of a manuscript, and what reading a manuscript finds."""

from __future__ import annotations

from dataclasses import dataclass, field

from epi.runner.manuscript.record import Record


@dataclass(frozen=True)
class Passage:
    """A filled text as it stands now.

    Parameters
    ----------
    key : str
        Its placeholder's one spelling.
    text : str
        What stands there now.
    line : int
        Its line, or its paragraph.
    """

    key: str
    text: str
    line: int


@dataclass
class Reading:
    """What a manuscript holds.

    Parameters
    ----------
    record : Record or None
        What it remembers; None when it was never filled.
    passages : list of Passage
        Filled texts.
    open : list of str
        Placeholders still to fill.
    cut : list of int
        Lines of marks that lost their other end.
    rest : str
        Everything else, where numbers typed by hand are looked for.
    """

    record: Record | None = None
    passages: list[Passage] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    rest: str = ""
