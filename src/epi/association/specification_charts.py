"""One exposure under many specifications: the curve with its choices, and the forest in the order given."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.association.charts import HIDDEN, NOTHING, _check, _say_hidden
from epi.association.forest import draw_rows
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.stats.notation import format_number
from epi.stats.ratio_axis import axis_limits, decimals, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from epi.association.sir import Lang
    from epi.association.specification import SpecificationCurve

WORDS = {
    "en": {"OR": "Odds ratio", "RR": "Rate ratio", "log": "log scale", "head": "Specification",
           "order": "Specifications, from the smallest ratio to the largest", "left": "left out, not estimated: {}"},
    "fr": {"OR": "Rapport de cotes", "RR": "Rapport de taux", "log": "échelle log", "head": "Spécification",
           "order": "Spécifications, du plus petit rapport au plus grand", "left": "sans estimation : {}"},
}  # fmt: skip


def draw_variants(curve: SpecificationCurve, lang: Lang) -> Chart:
    """Make the forest of one exposure over its specifications, in the order given.

    Parameters
    ----------
    curve : SpecificationCurve
        What to draw.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        The figure and its table.
    """
    _check(lang)
    release = curve.release(lang)
    words, level = WORDS[lang], float(curve.settings["level"])
    title = f"{curve.settings[f'label_{lang}']}, {curve.settings[f'scale_{lang}']}".removesuffix(", ")

    def draw(shown: pd.DataFrame) -> Figure:
        told = [", ".join(str(row[name]) for name in curve.choices if row[name] != "") for _, row in shown.iterrows()]
        scale = [text if text != str(name) else "" for text, name in zip(told, shown["specification"], strict=True)]
        rows = shown.assign(label=shown["specification"], scale=scale)
        return draw_rows(rows, title, curve.measure, level, lang, head=words["head"], test="p")

    alt = {
        "en": f"Forest plot of {title} over {len(release.table)} specifications.",
        "fr": f"Graphique en forêt de {title} selon {len(release.table)} spécifications.",
    }[lang]
    return Chart(replace(release, title=title), draw, alt)


def draw_curve(curve: SpecificationCurve, lang: Lang) -> Chart:
    """Make the specification curve.

    Parameters
    ----------
    curve : SpecificationCurve
        What to draw.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        Ratios in order above, the choices of each as points below.
    """
    _check(lang)
    release = curve.release(lang)
    table = release.table.sort_values(["estimate", "specification"], na_position="last", ignore_index=True)
    title = f"{curve.settings[f'label_{lang}']}, {curve.settings[f'scale_{lang}']}".removesuffix(", ")

    # Values of a choice stand in the order in which the specifications were given.
    lines = [(name, list(pd.unique(curve.table[name].astype(str)))) for name in curve.choices or ("specification",)]

    def draw(shown: pd.DataFrame) -> Figure:
        return _curve(shown, lines, curve.measure, title, lang)

    alt = {
        "en": f"Specification curve of {title}: {len(table)} ratios in order, with the choices behind each.",
        "fr": f"Courbe de spécifications de {title} : {len(table)} rapports ordonnés, avec les choix de chacun.",
    }[lang]
    return Chart(replace(release, table=table, title=title), draw, alt)


def _curve(shown: pd.DataFrame, lines: list[tuple[str, list[str]]], measure: str, title: str, lang: Lang) -> Figure:
    words = WORDS[lang]
    known = shown.dropna(subset="estimate").reset_index(drop=True)
    if known.empty:
        figure = new_figure(6, 2.5)
        hidden = (shown["reason"].astype(object).fillna("") == "").any()
        _say_hidden(figure.subplots(), lang, HIDDEN if hidden else NOTHING)
        return figure
    # The names of choices stand as lines of their own, above their values.
    heads = lines[0][0] != "specification"
    below = 0.21 * sum(len(values) + heads for _, values in lines) + 0.3
    width = min(max(5.4, 2.6 + 0.24 * len(known)), 11.0)
    figure = new_figure(width, 2.5 + below)
    above, under = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, below])
    places = np.arange(len(known))
    low, high = axis_limits(known)
    for place, (_, row) in zip(places, known.iterrows(), strict=True):
        apart = row["ci_low"] > 1 or row["ci_high"] < 1
        color = (WARM if row["estimate"] > 1 else ACCENT) if apart else MUTED
        above.plot([place, place], [max(row["ci_low"], low), min(row["ci_high"], high)], color=color, lw=1.4, zorder=2)
        above.plot([place], [row["estimate"]], "o", color=color, ms=4.5, mec="white", mew=0.6, zorder=3)
    above.axhline(1, color=INK, lw=0.9, zorder=1)
    above.set_yscale("log")
    above.set_ylim(low, high)
    ticks = log_ticks(low, high)
    above.set_yticks(ticks, [format_number(tick, decimals(ticks), lang=lang) for tick in ticks])
    above.minorticks_off()
    above.grid(axis="y", color=GRID, lw=0.7)
    above.set_axisbelow(True)
    above.tick_params(axis="x", bottom=False)
    above.set_ylabel(f"{words[measure]} ({words['log']})", fontsize=8.5)
    above.set_title("\n".join(textwrap.wrap(title, 62)))
    _choices(under, known, lines, heads)
    left_out = len(shown) - len(known)
    told = f"{words['order']} ({words['left'].format(left_out)})" if left_out else words["order"]
    under.set_xlabel(told, fontsize=8.5)
    under.set_xlim(-0.7, len(known) - 0.3)
    return figure


def _choices(axis: Axes, known: pd.DataFrame, lines: list[tuple[str, list[str]]], heads: bool) -> None:
    height, labels, marks = 0, [], []
    for name, values in lines:
        if heads:
            labels.append((height, name.replace("_", " "), True))
            height += 1
        for value in values:
            labels.append((height, textwrap.shorten(value, 42, placeholder="…") or "–", False))
            marks += [(place, height) for place in np.flatnonzero(known[name].astype(str) == value)]
            axis.axhline(height, color=GRID, lw=0.7, zorder=0)
            height += 1
    # Which choices were made, not a statistic: the gate counts the points that are.
    (matrix,) = axis.plot(*zip(*marks, strict=True), "s", color=INK, ms=3.6, ls="", zorder=2)
    matrix.set_gid("background")
    axis.set_yticks([at for at, _, _ in labels], [text for _, text, _ in labels], fontsize=8)
    for tick, (_, _, head) in zip(axis.get_yticklabels(), labels, strict=True):
        tick.set_fontweight("bold" if head else "normal")
        tick.set_color(INK if not head else MUTED)
    axis.set_ylim(height - 0.4, -0.6)
    axis.set_xticks([])
    axis.tick_params(axis="y", left=False)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
