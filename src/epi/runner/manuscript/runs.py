"""Word's runs: a text that Word cut into pieces, read whole, and a passage of it replaced with its formatting kept."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
OBJECT = "\ufffc"
"""What stands for anything that is no text: a tab, a picture, a note's number, a filled text."""

TAG = "epi:"
_THROUGH = {f"{W}{name}" for name in ("hyperlink", "ins", "moveTo", "smartTag", "fldSimple", "dir", "bdo", "customXml")}
_GONE = {f"{W}{name}" for name in ("del", "moveFrom")}
_TRACKED = {f"{W}{name}" for name in ("ins", "del", "moveTo", "moveFrom")}
_NOTHING = {f"{W}{name}" for name in ("rPr", "lastRenderedPageBreak", "delText", "delInstrText", "instrText")}
_RUN, _TEXT, _SDT = f"{W}r", f"{W}t", f"{W}sdt"


@dataclass(frozen=True)
class Piece:
    """A piece of a paragraph's text.

    Parameters
    ----------
    start : int
        Its place in the paragraph.
    text : str
        What it says.
    element : object
        Its ``w:t``; None for what is no text.
    """

    start: int
    text: str
    element: Any

    @property
    def end(self) -> int:
        """The place after it."""
        return self.start + len(self.text)


class TrackedError(Exception):
    """A passage that a tracked change cuts."""


class CutError(Exception):
    """A passage that lies in two places, such as half in a link."""


def tag_of(sdt: Any) -> str:
    """Give the tag of a content control.

    Parameters
    ----------
    sdt : element
        A ``w:sdt``.

    Returns
    -------
    str
        Its tag when it is ours; empty otherwise.
    """
    found = sdt.find(f"{W}sdtPr/{W}tag")
    tag = found.get(f"{W}val", "") if found is not None else ""
    return str(tag) if tag.startswith(TAG) else ""


def read_pieces(paragraph: Any) -> list[Piece]:
    """Read a paragraph, piece by piece; deleted text is left out, and text boxes have paragraphs of their own.

    Parameters
    ----------
    paragraph : element
        A ``w:p``.

    Returns
    -------
    list of Piece
        In reading order.
    """
    pieces: list[Piece] = []
    _walk(paragraph, pieces)
    return pieces


def text_of(paragraph: Any) -> str:
    """Read a paragraph as text.

    Parameters
    ----------
    paragraph : element
        A ``w:p``.

    Returns
    -------
    str
        Its text, objects as one character each.
    """
    return "".join(piece.text for piece in read_pieces(paragraph))


def replace(paragraph: Any, start: int, end: int, new: Any) -> None:
    """Put an element in the place of a passage.

    Parameters
    ----------
    paragraph : element
        A ``w:p``.
    start, end : int
        The passage; it holds text only.
    new : callable
        Given the formatting of the passage's first run, makes the element.

    Raises
    ------
    TrackedError
        If a tracked change cuts the passage.
    CutError
        If it lies in two places.
    """
    covered = [piece for piece in read_pieces(paragraph) if piece.start < end and piece.end > start]
    runs = [piece.element.getparent() for piece in covered]
    parent = runs[0].getparent()
    if any(ancestor.tag in _TRACKED for run in runs for ancestor in run.iterancestors()):
        raise TrackedError
    if any(run.getparent() is not parent for run in runs):
        raise CutError
    first, last = parent.index(runs[0]), parent.index(runs[-1])
    if any(child.tag in _TRACKED for child in parent[first:last]):
        raise TrackedError
    after = _split(runs[-1], covered[-1].element, end - covered[-1].start)
    begun = _split(runs[0], covered[0].element, start - covered[0].start)
    form = begun.find(f"{W}rPr")
    element = new(copy.deepcopy(form) if form is not None else None)
    begun.addprevious(element)
    for run in {id(run): run for run in (begun, *runs[1:])}.values():
        if run is not runs[0]:
            run.getparent().remove(run)
    for run in (runs[0], after):
        if all(child.tag == f"{W}rPr" for child in run) and run.getparent() is not None:
            run.getparent().remove(run)


def _walk(element: Any, pieces: list[Piece]) -> None:
    for child in element:
        if child.tag == _RUN:
            for part in child:
                if part.tag == _TEXT:
                    _add(pieces, part.text or "", part)
                elif part.tag not in _NOTHING:
                    _add(pieces, OBJECT, None)
        elif child.tag == _SDT:
            content = child.find(f"{W}sdtContent")
            if tag_of(child):
                _add(pieces, OBJECT, None)
            elif content is not None:
                _walk(content, pieces)
        elif child.tag in _THROUGH:
            _walk(child, pieces)
        elif child.tag not in _GONE and "officeDocument/2006/math" in str(child.tag):
            _add(pieces, OBJECT, None)


def _add(pieces: list[Piece], text: str, element: Any) -> None:
    if text:
        pieces.append(Piece(pieces[-1].end if pieces else 0, text, element))


def _split(run: Any, text: Any, place: int) -> Any:
    """Cut a run within one of its texts; what follows goes into a run after it, which is given back."""
    later = run.makeelement(_RUN)
    form = run.find(f"{W}rPr")
    if form is not None:
        later.append(copy.deepcopy(form))
    words = text.text or ""
    rest = run.makeelement(_TEXT)
    rest.text, text.text = words[place:], words[:place]
    following = list(run)[run.index(text) + 1 :]
    if rest.text:
        later.append(rest)
    for child in following:
        later.append(child)
    for piece in (rest, text):
        piece.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    if not text.text:
        run.remove(text)
    run.addnext(later)
    return later
