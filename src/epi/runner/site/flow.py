"""The flow chart of a study, read from the attrition table it released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from epi.runner.site.figures import number
from epi.runner.site.released import Table
from epi.runner.site.words import word

_LABEL = ("label", "criterion", "step")
_REMAINING = ("n", "n_out", "remaining", "kept")


@dataclass(frozen=True)
class Step:
    """One box of the chart.

    Parameters
    ----------
    parts : tuple of str
        The steps it stands for.
    n : str
        How many remain.
    out : str, optional
        How many left since the box before.
    """

    parts: tuple[str, ...]
    n: str
    out: str = ""


def read_flow(table: Table, lang: str) -> list[Step]:
    """Read the boxes of a flow chart; what left is the difference between two steps.

    Parameters
    ----------
    table : Table
        The released attrition: a label and the number that remains, each row inside the one before.
    lang : {"fr", "en"}
        The language of the page.

    Returns
    -------
    list of Step
        One for each row; empty when the table has no label or no number. A hidden number keeps
        the gate's mark, and nothing is subtracted from it.
    """
    label, remaining = _find(table, _LABEL), _find(table, _REMAINING)
    if label is None or remaining is None:
        return []
    steps: list[Step] = []
    before: int | None = None
    for row in table.rows:
        now = int(row[remaining]) if row[remaining].isdigit() else None
        gone = before - now if before is not None and now is not None else 0
        shown = number(now, lang) if now is not None else row[remaining] or word("hidden", lang)
        # Steps that the gate merged are joined by a plus sign: one line for each.
        parts = row[label][:1].upper() + row[label][1:]
        steps.append(Step(tuple(parts.split(" + ")), shown, number(gone, lang) if gone > 0 else ""))
        before = now
    return steps


def _find(table: Table, names: Sequence[str]) -> int | None:
    return next((table.columns.index(name) for name in names if name in table.columns), None)
