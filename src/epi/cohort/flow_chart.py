"""The flow chart: a column of boxes from the base to the cohort, exclusions on the right.

Heights follow the wrapped texts, so that nothing is ever clipped, however long the words.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.patches import FancyBboxPatch

from epi.plotting import ACCENT, HIDDEN, INK, MUTED, WARM, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE = 0.17  # inches between two lines of text
_PAD = 0.11
_GAP = 0.30
_MAIN, _SIDE, _BETWEEN = 3.25, 2.55, 0.55
_MAIN_CHARS, _SIDE_CHARS = 42, 34
_TOGETHER = " + "  # between the labels of steps that the gate took together


def draw_flow(table: pd.DataFrame, reasons: Mapping[str, str], lang: str = "en", synthetic: bool = False) -> Figure:
    """Draw one flow chart.

    Parameters
    ----------
    table : pandas.DataFrame
        ``label, n`` in order; a hidden number is missing.
    reasons : mapping
        Label to why patients leave at that step.
    lang : {"en", "fr"}, optional
        The language of numbers.
    synthetic : bool, optional
        Say on the drawing that the data are invented.

    Returns
    -------
    matplotlib.figure.Figure
        The drawing.
    """
    return draw_flows(table.assign(cohort=""), {"": reasons}, lang, synthetic)


def draw_flows(
    table: pd.DataFrame, reasons: Mapping[str, Mapping[str, str]], lang: str = "en", synthetic: bool = False
) -> Figure:
    """Draw flow charts side by side.

    Parameters
    ----------
    table : pandas.DataFrame
        ``cohort, label, n`` in order; a hidden number is missing.
    reasons : mapping
        Cohort to label to why patients leave at that step.
    lang : {"en", "fr"}, optional
        The language of numbers.
    synthetic : bool, optional
        Say on the drawing that the data are invented.

    Returns
    -------
    matplotlib.figure.Figure
        The drawing, a column for each cohort.
    """
    columns = []
    for name in dict.fromkeys(table["cohort"]):
        rows = table[table["cohort"] == name]
        columns.append((str(name), _steps(rows, reasons.get(str(name), {}), lang)))
    width = _MAIN + _BETWEEN + _SIDE
    total = len(columns) * width + (len(columns) - 1) * 0.5 + 0.2
    height = max(_height(steps) for _, steps in columns) + (0.4 if len(columns) > 1 else 0.1)
    figure = new_figure(total, height)
    # One unit of the drawing is one inch: boxes are as tall as their lines need.
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total)
    axes.set_ylim(height, 0)
    axes.axis("off")
    if synthetic:
        mark = "DONNÉES SYNTHÉTIQUES" if lang == "fr" else "SYNTHETIC DATA"
        axes.text(total - 0.1, 0.16, mark, fontsize=8, fontweight="bold", color=WARM, ha="right", va="center")
    for rank, (name, steps) in enumerate(columns):
        left = 0.1 + rank * (width + 0.5)
        top = 0.05
        if len(columns) > 1:
            axes.text(left, 0.18, name, fontsize=11, fontweight="bold", color=INK, va="center")
            top = 0.38
        _draw_column(axes, steps, left, top)
    return figure


class _Step:
    """A box of the main column, and the exclusion that leads to it."""

    def __init__(self, label: str, count: str, hidden: bool, side: str, side_hidden: bool, lang: str) -> None:
        self.lines = [*_wrap(label[:1].upper() + label[1:], _MAIN_CHARS), count]
        self.side = _wrap(side, _SIDE_CHARS) if side else []
        self.hidden, self.side_hidden, self.lang = hidden, side_hidden, lang

    def add(self, label: str) -> None:
        """Add a filter that took nobody out: it shares the box and its number."""
        self.lines[-1:] = [*_wrap(f"and {label}" if self.lang == "en" else f"et {label}", _MAIN_CHARS), self.lines[-1]]

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 2 * _PAD

    @property
    def side_height(self) -> float:
        return len(self.side) * _LINE + 2 * _PAD if self.side else 0.0


def _gaps(steps: list[_Step]) -> list[float]:
    """Give the room above each box: enough for the arrow, and for exclusions not to touch."""
    gaps = [0.0]
    for before, step in itertools.pairwise(steps):
        apart = (before.side_height + step.side_height) / 2 + 0.08 - before.height
        gaps.append(max(_GAP, apart))
    return gaps


def _steps(rows: pd.DataFrame, reasons: Mapping[str, str], lang: str) -> list[_Step]:
    steps: list[_Step] = []
    before: float | None = None
    hidden_word = "masqué" if lang == "fr" else "hidden"
    colon = " : " if lang == "fr" else ": "
    out = "Exclus" if lang == "fr" else "Excluded"
    numbers = pd.to_numeric(rows["n"], errors="coerce").astype("float64").tolist()
    for label, n in zip(rows["label"].astype(str), numbers, strict=True):
        known = not math.isnan(n)
        count = f"n = {_number(n, lang)}" if known else f"n{colon}{hidden_word}"
        if steps and known and n == before:
            steps[-1].add(label)
            continue
        reason = _reason(label, reasons)
        side, side_hidden = "", False
        if steps:
            if known and before is not None:
                removed = before - n
                words = f"{out}{colon}{reason}" if reason else out
                side = f"{words} (n\u00a0=\u00a0{_number(removed, lang)})"
            else:
                side, side_hidden = f"{out}{colon}{hidden_word}", True
        steps.append(_Step(label, count, not known, side, side_hidden, lang))
        before = n if known else None
    return steps


def _reason(label: str, reasons: Mapping[str, str]) -> str:
    """Say why patients left; of steps that the gate took together, every reason, whichever took somebody out."""
    if label in reasons:
        return reasons[label]
    parts = label.split(_TOGETHER)
    return ", ".join(reasons[part] for part in parts if reasons[part]) if set(parts) <= reasons.keys() else ""


def _height(steps: list[_Step]) -> float:
    return sum(step.height for step in steps) + sum(_gaps(steps)) + 0.15


def _draw_column(axes: Axes, steps: list[_Step], left: float, top: float) -> None:
    middle = left + _MAIN / 2
    y = top
    for rank, (step, gap) in enumerate(zip(steps, _gaps(steps), strict=True)):
        if rank:
            axes.annotate(
                "", (middle, y + gap), (middle, y),
                arrowprops={"arrowstyle": "-|>", "color": MUTED, "lw": 1.0, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
            if step.side:
                centre = y + gap / 2
                side_left = left + _MAIN + _BETWEEN
                axes.annotate(
                    "", (side_left, centre), (middle, centre),
                    arrowprops={"arrowstyle": "-|>", "color": MUTED, "lw": 1.0, "shrinkA": 0, "shrinkB": 0},
                )  # fmt: skip
                _box(axes, side_left, centre - step.side_height / 2, _SIDE, step.side_height, step.side,
                     "white", MUTED, bold_last=False, hidden=step.side_hidden)  # fmt: skip
            y += gap
        end = rank == len(steps) - 1
        face, edge = ("#e3f0f6", ACCENT) if end else ("#f7f9fa", MUTED)
        _box(axes, left, y, _MAIN, step.height, step.lines, face, edge, bold_last=True, hidden=step.hidden)
        y += step.height


def _box(
    axes: Axes, left: float, top: float, width: float, height: float, lines: list[str], face: str, edge: str,
    *, bold_last: bool, hidden: bool,
) -> None:  # fmt: skip
    axes.add_patch(
        FancyBboxPatch(
            (left, top), width, height, boxstyle="round,pad=0,rounding_size=0.05", facecolor=HIDDEN if hidden else face,
            edgecolor=edge, linewidth=1.0,
        )
    )  # fmt: skip
    for rank, line in enumerate(lines):
        last = bold_last and rank == len(lines) - 1
        axes.text(
            left + width / 2, top + _PAD + (rank + 0.5) * _LINE, line, ha="center", va="center",
            fontsize=8.8, fontweight="bold" if last else "normal", color=INK,
        )  # fmt: skip


def _wrap(text: str, width: int) -> list[str]:
    # A long word is cut rather than let out of its box.
    return textwrap.wrap(text, width, break_long_words=True) or [""]


def _number(value: float, lang: str) -> str:
    written = f"{value:,.0f}"
    return written.replace(",", "\u00a0") if lang == "fr" else written
