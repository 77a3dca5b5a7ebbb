"""What pictures of survival share: the axis of time, percentages, numbers at risk, a title with its note, no value."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from epi.disclosure.policy import read_policy
from epi.plotting import INK, MUTED, new_figure
from epi.stats.notation import format_number
from epi.survival.data import DAYS_PER_YEAR
from epi.survival.reporting import round_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Lang = Literal["fr", "en"]

ROOM = 27.0
"""Points between two numbers at risk."""


def draw_nothing(words: str) -> Figure:
    """Say that nothing may be shown.

    Parameters
    ----------
    words : str
        What is said.

    Returns
    -------
    matplotlib.figure.Figure
        The words alone.
    """
    figure = new_figure(6, 2.5)
    axis = figure.subplots()
    axis.set_axis_off()
    axis.text(0.5, 0.5, words, ha="center", va="center", color=MUTED, transform=axis.transAxes)
    return figure


def time_ticks(low: float, high: float, step: float) -> np.ndarray:
    """Place ticks on round times.

    Parameters
    ----------
    low, high : float
        Ends of the axis, years.
    step : float
        Distance of ticks.

    Returns
    -------
    numpy.ndarray
        Ticks within the axis.
    """
    return np.arange(int(np.ceil(low / step - 1e-6)), int(np.floor(high / step + 1e-6)) + 1) * step


def tick_step(shown: pd.Series, years: float | None) -> float:
    """Choose the distance of ticks by what is shown.

    Parameters
    ----------
    shown : pandas.Series
        Times shown, years.
    years : float or None
        What is asked for.

    Returns
    -------
    float
        Years.
    """
    return round_step(max(float(shown.max() - shown.min()), 1 / DAYS_PER_YEAR) * DAYS_PER_YEAR, years)


def frame_time(axis: Axes, low: float, high: float, step: float, lang: Lang) -> None:
    """Set the axis of time.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where.
    low, high : float
        First and last time shown, years.
    step : float
        Distance of ticks.
    lang : {"fr", "en"}
        Language.
    """
    low, high = float(low), float(high)
    pad = 0.02 * max(high - low, step / 12)
    axis.set_xlim(low - pad, high + pad)
    ticks = time_ticks(low, high, step)
    digits = next((places for places in (0, 1) if np.allclose(ticks, np.round(ticks, places))), 2)
    axis.set_xticks(ticks, [format_number(float(tick), digits, lang=lang) for tick in ticks])


def percent_axis(axis: Axes, lang: Lang) -> None:
    """Print the vertical axis as percentages.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where.
    lang : {"fr", "en"}
        Language.
    """
    digits = 0 if axis.get_ylim()[1] > 0.2 else 1
    axis.yaxis.set_major_formatter(
        lambda value, _: format_number(100 * value, digits, lang=lang) + (" %" if lang == "fr" else "%")
    )


def shade_limits(
    axis: Axes, x: NDArray[np.float64], value: NDArray[np.float64], low: NDArray[np.float64],
    high: NDArray[np.float64], color: str,
) -> None:  # fmt: skip
    """Shade what lies between the limits of a curve.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where.
    x, value, low, high : numpy.ndarray of float64
        Times, the curve and its limits. Until the first event a curve has no limits: the shade begins on the curve, at
        the last time before them.
    color : str
        Colour of the curve.
    """
    low, high = low.copy(), high.copy()
    later = np.flatnonzero(~np.isnan(low) & (np.arange(len(low)) > 0))
    before = later[0] - 1 if len(later) else None
    for bound in (low, high):
        if before is not None and np.isnan(bound[before]):
            bound[before] = value[before]
    axis.fill_between(x, low, high, color=color, alpha=0.14, lw=0)


def join_times(
    axis: Axes, times: NDArray[np.float64], values: NDArray[np.float64], step: float, color: str, label: str
) -> None:
    """Draw a curve read at some times: points, joined by lines where these are near each other.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        The axis.
    times, values : numpy.ndarray of float64
        What was read; a missing value breaks the line.
    step : float
        Distance of ticks: times more than one and a half of it apart are joined by dots, since what lies between them
        is not known to be straight.
    color, label : str
        Of the curve.
    """
    far = np.diff(times, prepend=times[0] if len(times) else 0.0) > 1.5 * step
    pieces = np.split(np.arange(len(times)), np.flatnonzero(far))
    for at, piece in enumerate(pieces):
        axis.plot(times[piece], values[piece], color=color, lw=1.8, marker="o", ms=2.6, label=None if at else label)
        if at:
            ends = [piece[0] - 1, piece[0]]
            axis.plot(times[ends], values[ends], color=color, lw=1.3, ls=(0, (1, 2.5)))


def dress_figure(figure: Figure, title: str, note: str, width: float) -> Figure:
    """Write the title above and the note below, in lines that fit.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    title, note : str
        Texts.
    width : float
        Width of the figure, inches.

    Returns
    -------
    matplotlib.figure.Figure
        The same figure.
    """
    figure.suptitle("\n".join(textwrap.wrap(title, int(11 * width))), x=0.01, ha="left", fontsize=11, fontweight="bold")
    wrapped = "\n".join(textwrap.wrap(note, int(15.5 * width)))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=7.8, color=MUTED)
    return figure


def write_numbers(
    axis: Axes, lines: Sequence[tuple[str, pd.DataFrame, str]], step: float, lang: Lang, heading: str
) -> None:
    """Write the numbers at risk under the times at which each curve is read, as many as there is room for.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where, its limits set.
    lines : sequence of (str, pandas.DataFrame, str)
        Name, table (`years`, `at_risk`) and colour of each group.
    step : float
        Distance of ticks.
    lang : {"fr", "en"}
        Language.
    heading : str
        Words at the left; none on panels beside the first.
    """
    mark = read_policy().mark
    lower = heading and len(lines) > 1
    for at, (label, part, color) in enumerate(lines):
        # Under the ticks and the name of the axis, a line of 12 points for each group.
        down = -45 - 12 * (at + bool(lower))
        if at == 0 and heading:
            _write(axis, heading, 0, -45, MUTED, aside=True)
        _write(axis, textwrap.shorten(label, 22, placeholder="…"), 0, down, color, aside=True)
        numbers = {
            year: (mark, MUTED) if pd.isna(value) else (format_number(float(value), 0, lang=lang), INK)
            for year, value in zip(part["years"], part["at_risk"], strict=True)
        }
        for year in _with_room(axis, list(numbers), step):
            text, shade = numbers[year]
            _write(axis, text, float(year), down, shade)


def _with_room(axis: Axes, years: Sequence[float], step: float) -> list[float]:
    """Choose times under which a number fits beside the others; those at a tick come first."""
    low, high = axis.get_xlim()
    width = axis.bbox.width / axis.figure.dpi * 72
    room = ROOM * (high - low) / width
    ticks = time_ticks(low, high, step)
    # Round times fall on whole days: they are known to the second decimal of a year.
    ordered = sorted(years, key=lambda year: (not (np.abs(ticks - year) < 0.011).any(), year))
    kept: list[float] = []
    for year in ordered:
        if all(abs(year - other) >= room for other in kept):
            kept.append(year)
    return sorted(kept)


def _write(axis: Axes, text: str, x: float, down: float, color: str, *, aside: bool = False) -> None:
    axis.annotate(
        text, (x, 0), xycoords="axes fraction" if aside else ("data", "axes fraction"),
        xytext=(-20 if aside else 0, down), textcoords="offset points", ha="right" if aside else "center", va="center",
        fontsize=8, color=color, annotation_clip=False,
    )  # fmt: skip
