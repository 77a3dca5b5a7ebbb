"""Word: each filled text in a content control, a record of the run in a part of its own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from epi.errors import DataError
from epi.runner.export.archive import settle_archive
from epi.runner.export.bundle import Output
from epi.runner.export.cells import write_cells
from epi.runner.export.notes import describe_output
from epi.runner.export.word import add_note, add_table, clean_text
from epi.runner.manuscript.markdown import digest_of, picture_of
from epi.runner.manuscript.package import check_package
from epi.runner.manuscript.passage import Passage, Reading
from epi.runner.manuscript.placeholder import OPEN, SHAPE, Placeholder
from epi.runner.manuscript.printer import Printer
from epi.runner.manuscript.record import Record, read_record
from epi.runner.manuscript.runs import OBJECT, TAG, CutError, TrackedError, W, read_pieces, replace, tag_of, text_of

if TYPE_CHECKING:
    from docx.document import Document

_SPACE = "urn:epi:manuscript:1"
_KINDS = ("document.main", "header", "footer", "footnotes", "endnotes")
_P, _SDT = f"{W}p", f"{W}sdt"


@dataclass
class WordFilling:
    """A filled Word document.

    Parameters
    ----------
    content : bytes
        The ``.docx``.
    record : Record
        What it remembers.
    edited : int
        Texts typed over by hand that were put back.
    left : int
        Placeholders left as they are, in comments and in deleted text.
    """

    content: bytes
    record: Record
    edited: int = 0
    left: int = 0


class _Opened:
    """A Word document under the hand: its parts as trees, its record."""

    def __init__(self, content: bytes) -> None:
        check_package(content)
        import docx
        from docx.opc.exceptions import OpcError
        from lxml import etree

        try:
            self.document: Document = docx.Document(io.BytesIO(content))
            self.body = self.document.element.body
        except (OpcError, KeyError, ValueError, AttributeError, etree.XMLSyntaxError) as error:
            raise DataError("the file is no sound Word document", "a .docx", "save it again in Word") from error
        self.trees: list[tuple[Any, Any]] = []
        self.memory: Any = None
        self.left = 0
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        for part in sorted(self.document.part.package.iter_parts(), key=lambda part: str(part.partname)):
            kind = part.content_type.removeprefix("application/vnd.openxmlformats-officedocument.wordprocessingml.")
            try:
                if kind.startswith(_KINDS):
                    known = getattr(part, "element", None)
                    self.trees.append((part, known if known is not None else etree.fromstring(part.blob, parser)))
                elif kind.startswith("comments+"):
                    root = etree.fromstring(part.blob, parser)
                    self.left += sum("".join(p.itertext(f"{W}t")).count(OPEN) for p in root.iter(_P))
                elif str(part.partname).startswith("/customXml/") and _SPACE.encode() in part.blob:
                    self.memory = part
            except etree.XMLSyntaxError as error:
                raise DataError(f"{part.partname} of the Word file cannot be read", "a .docx") from error
        for _, root in self.trees:
            deleted = "".join(text.text or "" for text in root.iter(f"{W}delText"))
            self.left += deleted.count(OPEN)
        self.trees.sort(key=lambda pair: pair[0] is not self.document.part)

    def record(self) -> Record | None:
        from lxml import etree

        if self.memory is None:
            return None
        root = etree.fromstring(self.memory.blob, etree.XMLParser(resolve_entities=False, no_network=True))
        return read_record(root.text or "")

    def save(self, record: Record) -> bytes:
        from docx.opc.constants import RELATIONSHIP_TYPE
        from docx.opc.packuri import PackURI
        from docx.opc.part import Part
        from lxml import etree

        root = etree.Element(f"{{{_SPACE}}}record", nsmap={None: _SPACE})
        root.text = record.dump()
        blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
        if self.memory is None:
            name = PackURI("/customXml/epiManuscript.xml")
            self.memory = Part(name, "application/xml", blob, self.document.part.package)
            self.document.part.relate_to(self.memory, RELATIONSHIP_TYPE.CUSTOM_XML)
        self.memory._blob = blob
        for part, root in self.trees:
            if getattr(part, "element", None) is None:
                part._blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
        buffer = io.BytesIO()
        self.document.save(buffer)
        return settle_archive(buffer.getvalue())


def fill_word(content: bytes, printer: Printer) -> WordFilling:
    """Fill a Word document, or fill it again.

    Parameters
    ----------
    content : bytes
        A ``.docx`` with placeholders, or one that was filled before.
    printer : Printer
        Prints its placeholders.

    Returns
    -------
    WordFilling
        The filled document.
    """
    opened = _Opened(content)
    before = opened.record()
    filler = _Filler(opened, printer, before)
    for _, root in opened.trees:
        marks = [sdt for sdt in root.iter(_SDT) if tag_of(sdt)]
        for sdt in marks:
            filler.fill_again(sdt)
        for paragraph in list(root.iter(_P)):
            filler.fill_paragraph(paragraph)
    record = printer.settle()
    return WordFilling(opened.save(record), record, filler.edited, opened.left)


def read_word(content: bytes) -> Reading:
    """Read what a Word document holds: its marks, its record, what is still to fill, and the rest.

    Parameters
    ----------
    content : bytes
        A ``.docx``.

    Returns
    -------
    Reading
        Its parts; lines are paragraphs.
    """
    opened = _Opened(content)
    found = Reading(record=opened.record())
    keys = _keys(found.record)
    lines: list[str] = []
    for _, root in opened.trees:
        for paragraph in root.iter(_P):
            if not any(tag_of(sdt) for sdt in paragraph.iterancestors(_SDT)):
                text = text_of(paragraph)
                holes = [match[0] for match in _holes(text)]
                found.open += holes
                for hole in holes:
                    text = text.replace(hole, OBJECT)
                lines.append(_without_calls(paragraph, text))
            for sdt in _own_marks(paragraph):
                found.passages.append(Passage(keys.get(tag_of(sdt), "?"), _read_mark(sdt), len(lines)))
        for sdt in root.iter(_SDT):
            if tag_of(sdt) and _is_block(sdt):
                found.passages.append(Passage(keys.get(tag_of(sdt), "?"), _read_mark(sdt), 0))
    found.rest = "\n".join(lines)
    return found


def print_again(asked: Placeholder, printer: Printer, old: str = "") -> str | None:
    """Print a placeholder as plain text, a figure or a table as what its block says.

    Parameters
    ----------
    asked : Placeholder
        A placeholder.
    printer : Printer
        Prints it.
    old : str, optional
        What it printed before; Word needs it not.

    Returns
    -------
    str or None
        The text; None when the run cannot give it.
    """
    if asked.kind == "value":
        text = printer.print(asked)
        return None if text is None else clean_text(text)
    output = printer.output(asked)
    return None if output is None else _settle(" ".join(_block_texts(output, asked.kind, printer.lang)))


class _Filler:
    """Fills one document."""

    def __init__(self, opened: _Opened, printer: Printer, before: Record | None) -> None:
        self.document, self.body, self.printer = opened.document, opened.body, printer
        self.old = before.filled if before else {}
        self.old_digests = before.digests if before else {}
        self.keys = _keys(before)
        self.edited = 0
        self.used = {element.get(f"{W}val") for _, root in opened.trees for element in root.iter(f"{W}id")}

    def fill_again(self, sdt: Any) -> None:
        key = self.keys.get(tag_of(sdt))
        if key is None:
            self.printer.fault("a marked number is not in the document's record; take its content control out")
            return
        if next(sdt.iter(f"{W}ins", f"{W}del"), None) is not None:
            self.printer.fault(f"{key} has tracked changes; accept or reject them")
            return
        asked = self.printer.read(key)
        text = None if asked is None else self.print(asked)
        if asked is None or text is None:
            return
        now = _read_mark(sdt)
        self.edited += now != self.old.get(key)
        same = self.printer.digests.get(asked.key) == self.old_digests.get(asked.key)
        if now == text and same:
            return
        content = sdt.find(f"{W}sdtContent")
        if asked.kind == "value":
            form = next(content.iter(f"{W}rPr"), None)
            _set_text(content, text, form)
            return
        gone = [blip.get(_EMBED) for blip in content.iter(_BLIP)]
        for child in list(content):
            content.remove(child)
        for rid in gone:
            if rid is not None:
                self.document.part.drop_rel(rid)
        self.fill_block(content, asked)

    def fill_paragraph(self, paragraph: Any) -> None:
        text = text_of(paragraph)
        if OPEN not in text:
            return
        holes = _holes(text)
        asked = [self.printer.read(match[1]) for match in holes]
        for match, one in reversed(list(zip(holes, asked, strict=True))):
            if one is None:
                continue
            if one.kind != "value":
                self.place(paragraph, one, alone=text.strip() == match[0])
                continue
            printed = self.print(one)
            if printed is None:
                continue
            try:
                replace(paragraph, match.start(), match.end(), lambda form, k=one, t=printed: self.mark(k, t, form))
            except TrackedError:
                self.printer.fault(f"{one} is cut by a tracked change; accept or reject it")
            except CutError:
                self.printer.fault(f"{one} lies half in a link or a field; type it again in one place")
        rest = text
        for match in holes:
            rest = rest.replace(match[0], "", 1)
        if OPEN in rest.replace("\\" + OPEN, ""):
            place = rest.replace("\\" + OPEN, "  ").index(OPEN)
            self.printer.fault(f"{rest[place : place + 40]!r} is opened and not closed in its paragraph")

    def print(self, asked: Placeholder) -> str | None:
        text = print_again(asked, self.printer)
        if text is not None:
            self.printer.filled[asked.key] = text
            if asked.kind != "value":
                output = self.printer.values.output(asked.name, asked.kind)
                self.printer.digests[asked.key] = digest_of(output, asked.kind)
        return text

    def place(self, paragraph: Any, asked: Placeholder, *, alone: bool) -> None:
        if not alone or paragraph.getparent() is not self.body:
            self.printer.fault(f"{asked} has no paragraph of the body to itself")
            return
        if self.print(asked) is None:
            return
        sdt, content = self.control(asked)
        paragraph.addprevious(sdt)
        section = paragraph.find(f"{W}pPr/{W}sectPr")
        if section is None:
            self.body.remove(paragraph)
        else:
            # The paragraph ends a section: it stays, empty, to end it.
            for child in list(paragraph):
                if child.tag != f"{W}pPr":
                    paragraph.remove(child)
        self.fill_block(content, asked)

    def fill_block(self, content: Any, asked: Placeholder) -> None:
        output = self.printer.values.output(asked.name, asked.kind)
        lang = self.printer.lang
        caption, *_ = _block_texts(output, asked.kind, lang)
        made: list[Any] = []
        heading = self.caption(caption)
        width = self.width()
        if asked.kind == "figure":
            made += [self.picture(output, width), heading]
        else:
            heading.paragraph_format.keep_with_next = True
            made += [heading, add_table(self.document, output, lang, width_cm=width)]
        made += [add_note(self.document, clean_text(note)) for note in describe_output(output, lang)]
        for block in made:
            content.append(block._element)

    def caption(self, text: str) -> Any:
        names = {style.name for style in self.document.styles}
        paragraph = self.document.add_paragraph(style="Caption" if "Caption" in names else None)
        paragraph.add_run(text).bold = None if "Caption" in names else True
        return paragraph

    def picture(self, output: Output, width: float) -> Any:
        from docx.shared import Cm, Emu

        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.keep_with_next = True
        shape = paragraph.add_run().add_picture(io.BytesIO(picture_of(output)))
        if shape.width > Cm(width):
            shape.height, shape.width = Emu(int(shape.height * Cm(width) / shape.width)), Cm(width)
        about = shape._inline.docPr
        about.set("descr", clean_text(str(output.layout.get("alt") or output.title)))
        about.set("name", output.name)
        return paragraph

    def width(self) -> float:
        section = self.document.sections[-1]
        sizes = (section.page_width, section.left_margin, section.right_margin)
        page, left, right = (size.cm if size is not None else 0.0 for size in sizes)
        return max(page - left - right, 6.0) if page else 16.0

    def mark(self, asked: Placeholder, text: str, form: Any) -> Any:
        sdt, content = self.control(asked)
        _set_text(content, text, form)
        return sdt

    def control(self, asked: Placeholder) -> tuple[Any, Any]:
        make = self.body.makeelement
        sdt, about, content = make(_SDT), make(f"{W}sdtPr"), make(f"{W}sdtContent")
        number = int(hashlib.sha256(asked.key.encode()).hexdigest()[:7], 16)
        while str(number) in self.used:
            number += 1
        self.used.add(str(number))
        # Locked: in Word a filled number cannot be typed over, and its sentence can still be deleted.
        for name, value in (
            ("alias", asked.key[:60]),
            ("tag", _tag(asked.key)),
            ("id", str(number)),
            ("lock", "contentLocked"),
        ):
            element = make(f"{W}{name}")
            element.set(f"{W}val", value)
            about.append(element)
        if asked.kind == "value":
            about.append(make(f"{W}text"))
        sdt.append(about)
        sdt.append(content)
        return sdt, content


_BLIP = "{http://schemas.openxmlformats.org/drawingml/2006/main}blip"
_EMBED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}embed"


def _tag(key: str) -> str:
    # Word holds tags of at most 64 characters.
    return TAG + hashlib.sha256(key.encode()).hexdigest()[:24]


def _keys(record: Record | None) -> dict[str, str]:
    return {_tag(key): key for key in record.filled} if record else {}


def _holes(text: str) -> list[Any]:
    return [
        match for match in SHAPE.finditer(text) if OBJECT not in match[0] and not text[: match.start()].endswith("\\")
    ]


def _set_text(content: Any, text: str, form: Any) -> None:
    make = content.makeelement
    for child in list(content):
        content.remove(child)
    run, words = make(f"{W}r"), make(f"{W}t")
    if form is not None:
        run.append(form)
    words.text = text
    words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    run.append(words)
    content.append(run)


def _is_block(sdt: Any) -> bool:
    return sdt.find(f"{W}sdtContent/{W}p") is not None or sdt.find(f"{W}sdtContent/{W}tbl") is not None


def _own_marks(paragraph: Any) -> Iterator[Any]:
    for sdt in paragraph.iter(_SDT):
        if tag_of(sdt) and not _is_block(sdt) and next(sdt.iterancestors(_P), None) is paragraph:
            yield sdt


def _read_mark(sdt: Any) -> str:
    content = sdt.find(f"{W}sdtContent")
    if content is None:
        return ""
    if _is_block(sdt):
        return _settle(" ".join(text_of(paragraph) for paragraph in content.iter(_P)))
    return "".join(piece.text for piece in read_pieces(content)).strip()


def _settle(text: str) -> str:
    return " ".join(text.replace(OBJECT, " ").split())


def _block_texts(output: Output, kind: str, lang: str) -> list[str]:
    """List what a block says, in order: caption, cells, notes."""
    texts = [output.title or output.meaning or output.name]
    if kind == "table":
        columns = [write_cells(output, column, lang) for column in output.columns]
        texts += [output.heading(column) for column in output.columns]
        texts += [text for row in zip(*columns, strict=True) for text in row]
    return [clean_text(text) for text in (*texts, *describe_output(output, lang))]


def _without_calls(paragraph: Any, text: str) -> str:
    """Blank what is set as an exponent: the call of a reference."""
    shown = list(text)
    whole = text_of(paragraph)
    if len(whole) != len(text):
        return text
    for piece in read_pieces(paragraph):
        if piece.element is not None:
            form = piece.element.getparent().find(f"{W}rPr/{W}vertAlign")
            if form is not None and form.get(f"{W}val") == "superscript":
                shown[piece.start : piece.end] = " " * len(piece.text)
    return "".join(shown)
