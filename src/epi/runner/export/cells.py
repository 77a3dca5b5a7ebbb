"""Cells of a released table as text for reading, and columns as a spreadsheet formats them."""

from __future__ import annotations

import math

from epi.runner.export.bundle import Cell, Empty, Output
from epi.runner.export.notes import say
from epi.runner.export.numbers import MINUS, write_number

_MISSING = "–"
_SMALL = 0.001


def decimals_of(output: Output, column: str) -> int:
    """Choose how many decimals a column is printed with, as the pages do.

    Parameters
    ----------
    output : Output
        A released output.
    column : str
        One of its columns.

    Returns
    -------
    int
        0 for whole numbers; 3 or 4 for p-values; otherwise what the typical size deserves.
    """
    import numpy as np

    from epi.disclosure.pages import choose_decimals

    kind = output.kind_of(column)
    if kind not in {"number", "probability"}:
        return 0
    decimals = choose_decimals(np.array(output.numbers(column)))
    return max(3, min(decimals, 4)) if kind == "probability" else decimals


def write_cells(output: Output, column: str, lang: str) -> list[str]:
    """Write a column's cells for reading.

    Parameters
    ----------
    output : Output
        A released output.
    column : str
        One of its columns.
    lang : {"en", "fr"}
        The language.

    Returns
    -------
    list of str
        One text for each row: the gate's mark where hidden, a dash where missing.
    """
    place, kind, decimals = output.columns.index(column), output.kind_of(column), decimals_of(output, column)
    return [_write(row[place], kind, decimals, output.mark, lang) for row in output.rows]


def _write(cell: Cell, kind: str, decimals: int, mark: str, lang: str) -> str:
    if isinstance(cell, Empty):
        return mark if cell is Empty.HIDDEN else _MISSING
    if isinstance(cell, bool):
        return say("yes" if cell else "no", lang)
    if isinstance(cell, str):
        return cell
    if not math.isfinite(cell):
        return "∞" if cell > 0 else f"{MINUS}∞"
    if kind == "probability" and 0 <= cell < _SMALL:
        return f"<{write_number(_SMALL, 3, lang)}"
    return write_number(cell, decimals, lang, grouped=kind != "whole")


def number_format(output: Output, column: str) -> str:
    """Give the format a spreadsheet shows a column with; the cells keep every digit.

    Parameters
    ----------
    output : Output
        A released output.
    column : str
        One of its columns.

    Returns
    -------
    str
        A number format, ``General`` for texts.
    """
    kind = output.kind_of(column)
    decimals = decimals_of(output, column)
    tail = "." + "0" * decimals if decimals else ""
    if kind == "probability":
        return f'[<0.001]"<0.001";0{tail}'
    return {"count": "#,##0", "whole": "0", "number": f"#,##0{tail}"}.get(kind, "General")
