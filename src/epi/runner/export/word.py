"""A released table as a Word document: a real table, with its caption and notes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from epi.runner.export.archive import CORE_PROPERTIES, replace_member
from epi.runner.export.bundle import Bundle, Output
from epi.runner.export.cells import write_cells
from epi.runner.export.notes import describe_output, say
from epi.runner.site.figures import localised

if TYPE_CHECKING:
    from docx.document import Document
    from docx.table import Table, _Cell

_WIDE = 7  # columns that ask for a page on its side


def write_document(bundle: Bundle, output: Output, lang: str = "en") -> bytes:
    """Write a released table as a Word document.

    Parameters
    ----------
    bundle : Bundle
        What leaves, for the last note.
    output : Output
        One of its tables.
    lang : {"en", "fr"}, optional
        Language of numbers and notes; headings and titles are in the run's.

    Returns
    -------
    bytes
        A ``.docx`` of one A4 table, numbers set by the language, headings repeated on each page.
        No property holds a date or a name.
    """
    from docx import Document
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm

    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    if len(output.columns) >= _WIDE:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = Cm(29.7), Cm(21.0)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(1.8)
    _prepare(document, lang)
    caption = document.add_paragraph(output.title or output.meaning or output.name, style="Caption")
    caption.paragraph_format.keep_with_next = True
    add_table(document, output, lang, width_cm=(section.page_width.cm if section.page_width else 21.0) - 3.6)
    origin = say("synthetic", lang) if bundle.run.synthetic else say("real", lang)
    told = ((say("study", lang), bundle.run.study), (say("run", lang), bundle.run.run_id), (say("data", lang), origin))
    colon = " :" if lang == "fr" else ":"
    last = " ".join(localised(f"{what}{colon} {text}.", lang) for what, text in told)
    for line in (*describe_output(output, lang), last):
        add_note(document, line)
    return settle_document(document)


def settle_document(document: Document) -> bytes:
    """Save a document so that its bytes depend on its content alone.

    Parameters
    ----------
    document : docx.document.Document
        A document.

    Returns
    -------
    bytes
        A ``.docx`` whose core properties name nobody and no day.
    """
    buffer = io.BytesIO()
    document.save(buffer)
    return replace_member(buffer.getvalue(), "docProps/core.xml", CORE_PROPERTIES)


def add_table(document: Document, output: Output, lang: str, *, width_cm: float = 17.4) -> Table:
    """Add a released table to a document.

    Parameters
    ----------
    document : docx.document.Document
        Where to add it.
    output : Output
        A released output.
    lang : {"en", "fr"}
        Language of numbers.
    width_cm : float, optional
        Room for it, cm.

    Returns
    -------
    docx.table.Table
        The table, at the end of the document: rules above and below, numbers to the right.
    """
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.shared import Cm

    columns = [write_cells(output, column, lang) for column in output.columns]
    right = [output.kind_of(column) not in {"text", "flag"} for column in output.columns]
    heads = [output.heading(column) for column in output.columns]
    table = document.add_table(rows=1, cols=len(heads))
    table.alignment = WD_TABLE_ALIGNMENT.LEFT
    table.autofit = False
    widths = _widths(heads, columns, width_cm)
    size = 9.0 if len(heads) < _WIDE else 8.0
    # One walk over the rows: asking a table for its cells by place is quadratic.
    for cell, head, flush, width in zip(table.rows[0].cells, heads, right, widths, strict=True):
        _write(cell, head, flush, size, bold=True)
        cell.width = Cm(width)
    for texts in zip(*columns, strict=True):
        for cell, text, flush, width in zip(table.add_row().cells, texts, right, widths, strict=True):
            _write(cell, text, flush, size)
            cell.width = Cm(width)
    _rule(table)
    return table


def add_note(document: Document, text: str) -> Any:
    """Add a note in small type.

    Parameters
    ----------
    document : docx.document.Document
        Where to add it.
    text : str
        What it says.

    Returns
    -------
    docx.text.paragraph.Paragraph
        The paragraph.
    """
    from docx.shared import Pt

    paragraph = document.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(3)
    paragraph.paragraph_format.space_after = Pt(0)
    paragraph.add_run(text).font.size = Pt(8.5)
    return paragraph


def _prepare(document: Document, lang: str) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Calibri", Pt(10)
    caption = document.styles["Caption"]
    caption.font.size, caption.font.bold = Pt(10.5), True
    caption.font.color.rgb = RGBColor(0x1F, 0x29, 0x33)
    for element in document.styles.element.iter(qn("w:lang")):
        element.set(qn("w:val"), "fr-FR" if lang == "fr" else "en-GB")


def _write(cell: _Cell, text: str, flush: bool, size: float, *, bold: bool = False) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_after = Pt(1)
    paragraph.paragraph_format.space_before = Pt(1)
    if flush:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    run = paragraph.add_run(clean_text(text))
    run.font.size = Pt(size)
    run.bold = bold or None


def clean_text(text: str) -> str:
    r"""Take out what XML cannot hold.

    Parameters
    ----------
    text : str
        A text.

    Returns
    -------
    str
        The text, control characters become spaces.

    Examples
    --------
    >>> clean_text("a\x0bb")
    'a b'
    """
    return "".join(char if char in "\t\n" or (ord(char) >= 32 and char not in "\ufffe\uffff") else " " for char in text)


def _widths(heads: Sequence[str], columns: Sequence[Sequence[str]], width_cm: float) -> list[float]:
    """Share the width by the longest word and the usual length of each column."""
    wants = []
    for head, texts in zip(heads, columns, strict=True):
        words = max((len(word) for text in (head, *texts) for word in text.split(" ")), default=1)
        long = sorted(len(text) for text in texts)[-max(1, len(texts) // 10)] if texts else 1
        wants.append(min(max(words, long, 4) + 2, 44))
    total = sum(wants)
    return [round(min(width_cm * want / total, want * 0.24), 2) for want in wants]


def _rule(table: Table) -> None:
    """Rules above, below and under the headings; headings come again on each page, rows are not cut."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    def border(parent: Any, edges: dict[str, int]) -> None:
        for edge, size in edges.items():
            line = OxmlElement(f"w:{edge}")
            for key, value in (("val", "single"), ("sz", str(size)), ("space", "0"), ("color", "1F2933")):
                line.set(qn(f"w:{key}"), value)
            parent.append(line)

    borders = OxmlElement("w:tblBorders")
    border(borders, {"top": 10, "bottom": 10})
    properties = table._tbl.tblPr
    # The schema wants the borders before the layout and the look of the table.
    later = [child for child in properties if child.tag in {qn(f"w:{tag}") for tag in ("shd", "tblLayout", "tblLook")}]
    (later[0].addprevious if later else properties.append)(borders)
    for number, row in enumerate(table._tbl.tr_lst):
        about = row.get_or_add_trPr()
        about.append(OxmlElement("w:cantSplit"))
        if number == 0:
            about.append(OxmlElement("w:tblHeader"))
            for cell in row.tc_lst:
                lines = OxmlElement("w:tcBorders")
                border(lines, {"bottom": 6})
                cell.get_or_add_tcPr().append(lines)
