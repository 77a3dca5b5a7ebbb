"""The chart of standardised differences."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from epi.plotting import ACCENT, GRID, HIDDEN, MUTED, WARM, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

THRESHOLD = 0.1


def draw_balance(table: pd.DataFrame) -> Figure:
    """Draw standardised differences, the largest on top.

    Parameters
    ----------
    table : pandas.DataFrame
        ``variable, smd, n``; a difference that is hidden or does not exist is missing.

    Returns
    -------
    matplotlib.figure.Figure
        One point for each variable, beyond 0.1 in another colour.
    """
    size = table["smd"].astype(float).abs()
    rows = table.assign(size=size).sort_values(["size", "variable"], na_position="first", kind="stable")
    values = rows["smd"].astype(float).to_numpy()
    figure = new_figure(7.0, 1.1 + 0.36 * len(rows))
    axes = figure.add_subplot()
    places = np.arange(len(rows))
    for limit in (-THRESHOLD, THRESHOLD):
        axes.axvline(limit, color=MUTED, lw=0.8, ls=(0, (4, 3)))
    axes.axvline(0, color=MUTED, lw=1.0)
    axes.hlines(places, 0, np.nan_to_num(values), color=GRID, lw=2, zorder=1)
    known = ~np.isnan(values)
    colours = [WARM if abs(value) > THRESHOLD else ACCENT for value in values[known]]
    axes.scatter(values[known], places[known], c=colours, s=42, zorder=3)
    reach = max(0.25, float(np.abs(values[known]).max()) * 1.15 if known.any() else 0.25)
    for place in places[~known]:
        axes.text(0.02 * reach, place, "hidden or not defined", va="center", fontsize=8, color=MUTED,
                  bbox={"facecolor": HIDDEN, "edgecolor": "none", "pad": 1.5})  # fmt: skip
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_yticks(places, [textwrap.fill(str(name), 34) for name in rows["variable"]])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Standardised difference (dashed: 0.1)")
    axes.spines["left"].set_visible(False)
    return figure
