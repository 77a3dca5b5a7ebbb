"""Reporting checklists: for each item of STROBE and RECORD, where the study answers it.

A study answers in ``checklist.yml``. What is pointed at must exist: a field of the protocol, a notebook,
a released output, a recorded result, a section of the study's page. An item that does not apply says why.

The items are those of STROBE (von Elm et al., PLoS Med 2007;4:e296) and RECORD (Benchimol et al., PLoS Med
2015;12:e1001885), each named here by its subject; the guidelines themselves hold the full wording.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from epi.errors import ProtocolError
from epi.files import read_yaml
from epi.protocol import Bilingual, Protocol

FILE = "checklist.yml"

SECTIONS = ("found", "lost", "limits", "protocol", "results", "opposition", "notebooks", "provenance", "runs")
"""Sections of a study's page that an item may point at."""

FIELDS = (
    "title", "question", "population", "design", "limits", "legal", "investigators", "sources", "variables",
    "parameters", "opposition", "min_count", "outputs", "notebooks",
)  # fmt: skip
"""Fields of the protocol that an item may point at."""

KINDS = ("protocol", "notebook", "output", "result", "page")


@dataclass(frozen=True)
class Item:
    """One item of a guideline.

    Parameters
    ----------
    guideline : str
        ``STROBE`` or ``RECORD``.
    item : str
        Its number.
    section : str
        Part of a paper it belongs to.
    topic_en, topic_fr : str
        Its subject, in our words.
    """

    guideline: str
    item: str
    section: str
    topic_en: str
    topic_fr: str

    @property
    def key(self) -> str:
        """Guideline and number, as ``checklist.yml`` names it."""
        return f"{self.guideline} {self.item}"


@dataclass(frozen=True)
class Pointer:
    """A place that answers an item.

    Parameters
    ----------
    kind : {"protocol", "notebook", "output", "result", "page"}
        What is pointed at.
    name : str
        Which one.
    """

    kind: str
    name: str


class Answer(BaseModel):
    """Where a study answers an item, or why the item does not apply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: tuple[str, ...] = ()
    note: Bilingual | None = None
    applies: bool = True

    @property
    def pointers(self) -> tuple[Pointer, ...]:
        """The places, as typed values."""
        return tuple(Pointer(*text.split(":", 1)) for text in self.where)


class Checklist(BaseModel):
    """The answers of a study to its reporting guidelines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    guidelines: tuple[str, ...] = Field(min_length=1)
    items: dict[str, Answer]

    def rows(self) -> list[tuple[Item, Answer]]:
        """Give each item with its answer.

        Returns
        -------
        list of tuple of Item and Answer
            In the order of the guidelines; items without an answer are left out.
        """
        return [(item, self.items[item.key]) for item in list_items(self.guidelines) if item.key in self.items]


@cache
def _all_items() -> tuple[Item, ...]:
    path = Path(__file__).parent / "data" / "reporting_items.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(Item(**row) for row in csv.DictReader(lines))


def list_items(guidelines: Sequence[str] | None = None) -> tuple[Item, ...]:
    """List the items of reporting guidelines.

    Parameters
    ----------
    guidelines : sequence of str, optional
        Their names; all by default.

    Returns
    -------
    tuple of Item
        In the order of each guideline.

    Examples
    --------
    >>> [item.key for item in list_items(["RECORD"])][:3]
    ['RECORD 1.1', 'RECORD 1.2', 'RECORD 1.3']
    """
    return tuple(item for item in _all_items() if guidelines is None or item.guideline in guidelines)


def read_checklist(folder: Path) -> Checklist | None:
    """Read the checklist of a study or of a run.

    Parameters
    ----------
    folder : Path
        Where ``checklist.yml`` lies, if there is one.

    Returns
    -------
    Checklist or None
        The answers; None without a file.

    Raises
    ------
    ProtocolError
        If the file has not the form of a checklist; all faults at once.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    content: Any = read_yaml(path)
    try:
        return Checklist.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or FILE}: {fault['msg']}" for fault in error.errors()]
        raise ProtocolError(
            f"{FILE} is not a checklist", "guidelines, and for each item where it is answered", faults=faults
        ) from error


def find_checklist_faults(checklist: Checklist, protocol: Protocol, recorded: Sequence[str] | None = None) -> list[str]:
    """Find what is missing or points nowhere.

    Parameters
    ----------
    checklist : Checklist
        The answers.
    protocol : Protocol
        The study's protocol.
    recorded : sequence of str, optional
        Names of recorded results, where they are known from the notebooks; not checked otherwise.

    Returns
    -------
    list of str
        One sentence a fault; empty when every item is answered.
    """
    known = {item.guideline for item in _all_items()}
    faults = [
        f"guideline {name} is unknown; {', '.join(sorted(known))}" for name in checklist.guidelines if name not in known
    ]
    wanted = [item.key for item in list_items(checklist.guidelines)]
    faults += [f"{key} is not answered" for key in wanted if key not in checklist.items]
    faults += [f"{key} is no item of {', '.join(checklist.guidelines)}" for key in checklist.items if key not in wanted]
    places = {
        "protocol": set(FIELDS),
        "notebook": {notebook.file for notebook in protocol.notebooks},
        "output": {output.name for output in protocol.outputs},
        "page": set(SECTIONS),
    }
    if recorded is not None:
        places["result"] = set(recorded)
    for key, answer in checklist.items.items():
        if not answer.applies and (answer.note is None or answer.where):
            faults.append(f"{key} does not apply: a note must say why, and nothing is pointed at")
        if answer.applies and not answer.where:
            faults.append(f"{key} points at nothing")
        for text in answer.where:
            kind, colon, name = text.partition(":")
            if kind not in KINDS or not colon:
                faults.append(f"{key}: {text!r} is not one of {', '.join(f'{word}:NAME' for word in KINDS)}")
            elif kind in places and name not in places[kind]:
                faults.append(f"{key}: there is no {kind} {name!r}")
    return faults
