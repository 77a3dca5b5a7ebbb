"""What pictures of survival share: the axis of time, percentages, a title with its note, and nothing to show."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.plotting import MUTED, new_figure
from epi.stats.notation import format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Lang = Literal["fr", "en"]


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
    digits = 0 if np.allclose(ticks, np.round(ticks)) else 2
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
    wrapped = "\n".join(textwrap.wrap(note, int(17 * width)))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=7.8, color=MUTED)
    return figure
