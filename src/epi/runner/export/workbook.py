"""Released tables as one Excel workbook: notes first, then a sheet for each table."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from epi.disclosure.door import quote_formula
from epi.runner.export.archive import CORE_PROPERTIES, replace_member
from epi.runner.export.bundle import Bundle, Cell, Empty, Output
from epi.runner.export.cells import number_format
from epi.runner.export.notes import describe_bundle, describe_output, say

if TYPE_CHECKING:
    from openpyxl.cell import Cell as Place
    from openpyxl.worksheet.worksheet import Worksheet

_LONGEST_NAME = 31
_WIDEST, _NARROWEST = 60, 9
_INK, _FILL, _QUIET = "FF1F2933", "FFE4EEF3", "FF7B8794"
_RESULTS = ("name", "stratum", "estimate", "ci_low", "ci_high", "unit", "n", "hidden", "reason", "settings")


def write_workbook(bundle: Bundle, lang: str = "en") -> bytes:
    """Write the tables of a bundle as an Excel workbook.

    Parameters
    ----------
    bundle : Bundle
        What leaves.
    lang : {"en", "fr"}, optional
        Language of notes and of words; headings and titles are in the run's.

    Returns
    -------
    bytes
        An ``.xlsx``: numbers are numbers with all their digits, hidden cells the gate's mark as
        text, missing ones empty. No cell holds a formula, no property a date or a name.
    """
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    notes = book.create_sheet(say("notes", lang))
    names = sheet_names([output.name for output in bundle.outputs] + ["results"], taken=[notes.title])
    for output, name in zip(bundle.outputs, names, strict=False):
        _fill(book.create_sheet(name), output, lang)
    if bundle.results:
        _fill_results(book.create_sheet(names[-1]), bundle.results)
    _fill_notes(notes, bundle, names, lang)
    buffer = io.BytesIO()
    book.save(buffer)
    return replace_member(buffer.getvalue(), "docProps/core.xml", CORE_PROPERTIES)


def sheet_names(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Give each table a sheet name that Excel takes: 31 characters at most, each once.

    Parameters
    ----------
    names : sequence of str
        Names of outputs.
    taken : sequence of str, optional
        Names already used.

    Returns
    -------
    list of str
        One for each, in order.

    Examples
    --------
    >>> sheet_names(["screen", "a_very_long_name_of_an_output_of_men", "a_very_long_name_of_an_output_of_women"])
    ['screen', 'a_very_long_name_of_an_output_o', 'a_very_long_name_of_an_output~2']
    """
    used = {name.lower() for name in taken}
    given: list[str] = []
    for name in names:
        short, number = name[:_LONGEST_NAME], 1
        while short.lower() in used:
            number += 1
            tail = f"~{number}"
            short = name[: _LONGEST_NAME - len(tail)] + tail
        used.add(short.lower())
        given.append(short)
    return given


def _fill(sheet: Worksheet, output: Output, lang: str) -> None:
    top = _above(sheet, [output.title or output.meaning or output.name, *describe_output(output, lang)])
    for place, column in enumerate(output.columns, 1):
        form = number_format(output, column)
        right = output.kind_of(column) not in {"text", "flag"}
        _head(sheet.cell(top, place), output.heading(column), right)
        for row, cells in enumerate(output.rows, top + 1):
            _set(sheet.cell(row, place), cells[place - 1], form, output.mark, right)
    _finish(sheet, top, len(output.columns), len(output.rows))


def _fill_results(sheet: Worksheet, rows: Sequence[Mapping[str, Any]]) -> None:
    for place, column in enumerate(_RESULTS, 1):
        _head(sheet.cell(1, place), column, column in {"estimate", "ci_low", "ci_high", "n"})
    for number, row in enumerate(rows, 2):
        values = {
            **row,
            "stratum": ", ".join(f"{key}={value}" for key, value in sorted(row["stratum"].items())),
            "hidden": bool(row.get("suppressed")),
            "settings": json.dumps(row["settings"], sort_keys=True, ensure_ascii=False),
        }
        for place, column in enumerate(_RESULTS, 1):
            value = values.get(column)
            gone = Empty.HIDDEN if row.get("suppressed") and column in {"estimate", "n"} else Empty.MISSING
            cell = gone if value is None or value == "" else value
            _set(sheet.cell(number, place), cell, "#,##0" if column == "n" else "General", "[c]", False)
    _finish(sheet, 1, len(_RESULTS), len(rows))


def _fill_notes(sheet: Worksheet, bundle: Bundle, names: Sequence[str], lang: str) -> None:
    from openpyxl.styles import Alignment, Font

    row = 1
    for what, text in describe_bundle(bundle, lang):
        _text(sheet.cell(row, 1), what).font = Font(bold=True, color=_INK)
        place = _text(sheet.cell(row, 2), text)
        place.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.cell(row, 1).alignment = Alignment(vertical="top")
        sheet.merge_cells(start_row=row, end_row=row, start_column=2, end_column=6)
        sheet.row_dimensions[row].height = 15 * max(1, math.ceil(len(text) / 105))
        row += 1
    row += 1
    heads = ("sheet", "kind", "title", "meaning", "rows", "hidden_cells")
    for place, key in enumerate(heads, 1):
        _head(sheet.cell(row, place), say(key, lang), key in {"rows", "hidden_cells"})
    for output, name in zip(bundle.outputs, names, strict=False):
        row += 1
        kind = say(f"{output.kind}_of", lang)
        for place, text in enumerate((name, kind, output.title, output.meaning), 1):
            _text(sheet.cell(row, place), text)
        sheet.cell(row, 1).hyperlink = f"#'{name}'!A1"
        sheet.cell(row, 1).font = Font(color="FF0B6E99", underline="single")
        sheet.cell(row, 5).value = len(output.rows)
        sheet.cell(row, 6).value = output.hidden
    if bundle.results:
        row += 1
        _text(sheet.cell(row, 1), names[-1])
        _text(sheet.cell(row, 2), say("results", lang))
        sheet.cell(row, 5).value = len(bundle.results)
    for letter, width in zip("ABCDEF", (24, 20, 52, 46, 9, 12), strict=True):
        sheet.column_dimensions[letter].width = width


def _above(sheet: Worksheet, lines: Sequence[str]) -> int:
    """Write title and notes; give the row of the headings."""
    from openpyxl.styles import Font

    for row, line in enumerate(lines, 1):
        _text(sheet.cell(row, 1), line).font = Font(bold=row == 1, size=12 if row == 1 else 10, color=_INK)
    return len(lines) + 2


def _head(place: Place, text: str, right: bool) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

    _text(place, text)
    place.font = Font(bold=True, color=_INK)
    place.fill = PatternFill("solid", fgColor=_FILL)
    place.border = Border(bottom=Side("thin", color=_INK))
    place.alignment = Alignment(horizontal="right" if right else "left", vertical="bottom", wrap_text=True)


def _set(place: Place, cell: Cell, form: str, mark: str, right: bool) -> None:
    from openpyxl.styles import Alignment, Font

    if cell is Empty.MISSING:
        return
    if cell is Empty.HIDDEN:
        _text(place, mark).font = Font(color=_QUIET)
        place.alignment = Alignment(horizontal="right" if right else "left")
    elif isinstance(cell, float) and not math.isfinite(cell):
        _text(place, "∞" if cell > 0 else "-∞").alignment = Alignment(horizontal="right")
    elif isinstance(cell, str):
        _text(place, cell)
    else:
        place.value = cell
        place.number_format = form


def _text(place: Place, text: str) -> Place:
    """Write a text that stays one: a cell that begins as a formula is quoted, and never of type formula."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    place.value = ILLEGAL_CHARACTERS_RE.sub(" ", quote_formula(text))
    place.data_type = "s"
    return place


def _finish(sheet: Worksheet, top: int, columns: int, rows: int) -> None:
    from openpyxl.utils import get_column_letter

    for place in range(1, columns + 1):
        texts = [str(sheet.cell(row, place).value or "") for row in range(top, min(top + rows, top + 200) + 1)]
        widest = max(
            min(len(text), 18) if index and _is_number(text) else len(text) for index, text in enumerate(texts)
        )
        letter = get_column_letter(place)
        sheet.column_dimensions[letter].width = min(max(widest * 0.95 + 2, _NARROWEST), _WIDEST)
    sheet.freeze_panes = f"A{top + 1}"
    sheet.auto_filter.ref = f"A{top}:{get_column_letter(columns)}{top + rows}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
