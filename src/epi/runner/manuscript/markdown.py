"""Markdown: each filled text in a span, each figure or table between two comments, a record of the run at the end."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from epi.disclosure.door import PRINT_DPI
from epi.runner.export.bundle import Output
from epi.runner.export.cells import write_cells
from epi.runner.export.notes import describe_output
from epi.runner.manuscript.passage import Passage, Reading
from epi.runner.manuscript.placeholder import OPEN, Placeholder
from epi.runner.manuscript.printer import Printer
from epi.runner.manuscript.record import Record, read_record

_PIECES = re.compile(
    r"(?P<record><!--epi-record\s(?P<json>.*?)-->)"
    r'|(?P<mark><span data-epi="(?P<key>[^"\n]{1,400})">(?P<text>(?:(?!\n\n|<span ).)*?)</span>)'
    r"|(?P<placed><!--epi (?P<what>[^\n]{1,400}?)-->(?P<body>(?:(?!<!--epi ).)*?)<!--/epi-->)"
    r"|(?P<stray><span data-epi[^\n]{0,60}|<!--epi [^\n]{0,60}|<!--/epi-->|<!--epi-record)"
    r"|(?P<comment><!--.*?-->)"
    r"|(?P<fence>^(?P<tick>```+|~~~+)[^\n]*\n(?:.*?^(?P=tick)[`~]*[ \t]*$|.*\Z))"
    r"|(?P<code>(?<!`)(?P<quote>`{1,3})(?!`)(?:(?!\n\n)[^`]){1,1000}(?P=quote)(?!`))"
    r"|(?P<escaped>\\\{\{)"
    r"|(?P<line>^\{\{(?P<block>[ \t]*(?:figure|table)\s*:[^{}\n]{0,400})\}\}[ \t]*$)"
    r"|(?P<hole>\{\{(?P<asked>[^{}\n]{0,400})\}\})"
    r"|(?P<open>\{\{[^\n]{0,40})",
    re.DOTALL | re.MULTILINE,
)
_PATH = re.compile(r"\]\(([^()\n]+\.png)\)")
_SPECIAL = re.compile(r"([\\`*_<\[\]|])")


@dataclass
class MarkdownFilling:
    """A filled Markdown text.

    Parameters
    ----------
    text : str
        The text with its marks and record.
    record : Record
        What it remembers.
    pictures : dict
        Path beside the text and content of each figure placed.
    edited : int
        Texts typed over by hand that were put back.
    left : int
        Placeholders left as they are, in code or in a comment.
    """

    text: str
    record: Record
    pictures: dict[str, bytes] = field(default_factory=dict)
    edited: int = 0
    left: int = 0


def fill_markdown(text: str, printer: Printer, folder: str) -> MarkdownFilling:
    """Fill a Markdown text, or fill it again.

    Parameters
    ----------
    text : str
        A text with placeholders, or one that was filled before.
    printer : Printer
        Prints its placeholders.
    folder : str
        Name of the folder of figures, beside the text.

    Returns
    -------
    MarkdownFilling
        The filled text.
    """
    before = read_markdown(text).record
    old = before.filled if before else {}
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    edited, left, end = 0, 0, 0
    for piece in _PIECES.finditer(text):
        parts.append(text[end : piece.start()])
        end = piece.end()
        kind = _kind(piece)
        if kind == "record":
            continue
        if kind in {"mark", "placed", "hole", "line"}:
            asked = printer.read(piece["key"] or piece["what"] or piece["asked"] or piece["block"] or "")
            if asked is None:
                continue
            if kind in {"mark", "placed"} and old.get(asked.key) not in {_text(piece), None}:
                edited += 1
            parts.append(_fill(asked, printer, folder, pictures, alone=kind != "hole"))
            continue
        if kind == "stray":
            printer.fault(f"a mark is cut: {piece[0][:50]!r} has no other end; put it back, or take it out")
        elif kind == "open":
            printer.fault(f"{piece[0][:50]!r} is opened and not closed on its line; \\{{{{ is written for two braces")
        elif kind in {"comment", "fence", "code"}:
            left += piece[0].count(OPEN)
        parts.append(piece[0])
    parts.append(text[end:])
    record = printer.settle()
    body = "".join(parts).rstrip("\n")
    # Two dashes in a row would end the comment early.
    kept = record.dump().rstrip("\n").replace("--", "-\\u002d")
    return MarkdownFilling(f"{body}\n\n<!--epi-record\n{kept}\n-->\n", record, pictures, edited, left)


def read_markdown(text: str) -> Reading:
    """Read what a Markdown text holds: its marks, its record, what is still to fill, and the rest.

    Parameters
    ----------
    text : str
        A text, filled or not.

    Returns
    -------
    Reading
        Its parts.
    """
    found = Reading()
    rest: list[str] = []
    end = 0
    for piece in _PIECES.finditer(text):
        rest.append(text[end : piece.start()])
        end = piece.end()
        kind = _kind(piece)
        if kind == "record":
            found.record = read_record(piece["json"])
        elif kind in {"mark", "placed"}:
            key = piece["key"] or piece["what"]
            found.passages.append(Passage(key, _text(piece), _line(text, piece.start())))
            rest.append("\ufffc" + "\n" * piece[0].count("\n"))
        elif kind == "stray":
            found.cut.append(_line(text, piece.start()))
        elif kind in {"hole", "line"}:
            found.open.append(piece[0])
        else:
            rest.append(re.sub(r"[^\n]", " ", piece[0]))
    rest.append(text[end:])
    found.rest = "".join(rest)
    return found


def print_block(output: Output, kind: str, lang: str, picture: str) -> str:
    """Write a figure or a table in Markdown.

    Parameters
    ----------
    output : Output
        A released output.
    kind : {"figure", "table"}
        What is placed.
    lang : {"en", "fr"}
        Language of numbers and notes.
    picture : str
        Path of the figure's file.

    Returns
    -------
    str
        The figure with its caption, or the table with its caption above and its notes below.
    """
    title = _escape(output.title or output.meaning or output.name)
    notes = _escape(" ".join(describe_output(output, lang)))
    if kind == "figure":
        return "\n\n".join(part for part in (f"![{title}]({picture})", notes) if part)
    columns = [[_escape(text) for text in write_cells(output, column, lang)] for column in output.columns]
    heads = [_escape(output.heading(column)) for column in output.columns]
    rules = ["---" if output.kind_of(column) in {"text", "flag"} else "---:" for column in output.columns]
    rows = [heads, rules, *zip(*columns, strict=True)]
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return "\n\n".join(part for part in (f"**{title}**", lines, notes) if part)


def picture_of(output: Output) -> bytes:
    """Give the printed picture of a figure.

    Parameters
    ----------
    output : Output
        A released figure.

    Returns
    -------
    bytes
        PNG, as the gate drew it for print.
    """
    return output.files[f"{output.name}.{PRINT_DPI}dpi.png"]


def digest_of(output: Output, kind: str) -> str:
    """Digest the released file that a block is made from.

    Parameters
    ----------
    output : Output
        A released output.
    kind : {"figure", "table"}
        What is placed.

    Returns
    -------
    str
        SHA-256 of the picture, or of the table's CSV.
    """
    content = picture_of(output) if kind == "figure" else output.files[f"{output.name}.csv"]
    return hashlib.sha256(content).hexdigest()


def _kind(piece: re.Match[str]) -> str:
    kinds = ("record", "mark", "placed", "stray", "comment", "fence", "code", "escaped", "line", "hole", "open")
    return next(kind for kind in kinds if piece[kind] is not None)


def print_again(asked: Placeholder, printer: Printer, old: str = "", folder: str = "figures") -> str | None:
    """Print a placeholder as Markdown.

    Parameters
    ----------
    asked : Placeholder
        A placeholder.
    printer : Printer
        Prints it.
    old : str, optional
        What it printed before: a figure keeps its path, for a manuscript may have been renamed.
    folder : str, optional
        Folder of figures, otherwise.

    Returns
    -------
    str or None
        The text; None when the run cannot give it.
    """
    if asked.kind == "value":
        text = printer.print(asked)
        if text is None:
            return None
        value = printer.values.find(asked.name)
        return _escape(text) if value.kind == "text" and not value.hidden else text
    output = printer.output(asked)
    if output is None:
        return None
    path = _PATH.search(old)
    picture = path[1] if path else (PurePosixPath(folder) / f"{output.name}.png").as_posix()
    return print_block(output, asked.kind, printer.lang, picture)


def _text(piece: re.Match[str]) -> str:
    return (piece["text"] or piece["body"] or "").strip()


def _fill(asked: Placeholder, printer: Printer, folder: str, pictures: dict[str, bytes], *, alone: bool) -> str:
    """Print a placeholder between its marks."""
    if asked.kind != "value" and not alone:
        printer.fault(f"{asked} stands within a line: a figure or a table has a line to itself")
        return ""
    text = print_again(asked, printer, folder=folder)
    if text is None:
        return ""
    printer.filled[asked.key] = text
    if asked.kind == "value":
        # A comment that opens a line would make raw HTML of it; a span is read as part of its paragraph.
        return f'<span data-epi="{asked.key}">{text}</span>'
    output = printer.values.output(asked.name, asked.kind)
    printer.digests[asked.key] = digest_of(output, asked.kind)
    if asked.kind == "figure":
        pictures[(PurePosixPath(folder) / f"{output.name}.png").as_posix()] = picture_of(output)
    return f"<!--epi {asked.key}-->\n\n{text}\n\n<!--/epi-->"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split("\n")))


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
