"""The ratio by distance from a source, with its limits and the fitted fall."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from epi.association.charts import HIDDEN
from epi.errors import ParameterError
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.stats.notation import format_number
from epi.stats.ratio_axis import decimals, log_ticks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from epi.association.raised_risk import RaisedRisk
    from epi.association.sir import Lang

_SYNTHETIC = {"en": " (SYNTHETIC DATA)", "fr": " (DONNÉES SYNTHÉTIQUES)"}
_WORDS = {
    "en": ("Distance from the nearest source, km", "Observed / expected (log scale)", "Observed, exact limits at {}%",
           "Fitted fall with distance", "hidden", "O {}\nE {}"),
    "fr": ("Distance à la source la plus proche, km", "Observés / attendus (échelle log)",
           "Observé, limites exactes à {} %", "Décroissance ajustée", "masqué", "O {}\nA {}"),
}  # fmt: skip


def draw_distance(found: RaisedRisk, lang: Lang) -> Chart:
    """Make the figure of the ratio by band of distance.

    Parameters
    ----------
    found : RaisedRisk
        What to draw.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        The figure and its table.

    Raises
    ------
    ParameterError
        If the language is unknown.
    """
    if lang not in ("fr", "en"):
        raise ParameterError(f"lang is {lang!r}", "fr or en")
    words = _WORDS[lang]
    title = found.title(lang) + (_SYNTHETIC[lang] if found.settings["synthetic"] else "")
    level = format_number(100 * found.settings["level"], 0, lang=lang)

    def draw(shown: pd.DataFrame) -> Figure:
        figure = new_figure(6.4, 4.2)
        axis = figure.subplots()
        known = shown["sir"].notna() & shown["ci_high"].notna()
        if not known.any():
            axis.set_axis_off()
            axis.text(0.5, 0.5, HIDDEN[lang], ha="center", va="center", color=MUTED, transform=axis.transAxes)
            return figure
        place = np.arange(len(shown), dtype=float)
        seen = shown[known]
        ratio, high = seen["sir"].to_numpy(float), seen["ci_high"].to_numpy(float)
        fitted = seen["fitted"].to_numpy(float)
        # A band without a case has a ratio of zero, which no log scale shows: its limit reaches the frame.
        low = seen["ci_low"].to_numpy(float)
        above = np.concatenate([ratio[ratio > 0], low[low > 0], fitted, [1.0]])
        bottom, top = float(above.min()) / 1.3, float(max(high.max(), 1.0)) * 1.35
        at = place[known.to_numpy()]
        axis.vlines(at, np.maximum(low, bottom), high, color=ACCENT, lw=1.6, zorder=3)
        axis.scatter(at[ratio > 0], ratio[ratio > 0], s=36, color=ACCENT, zorder=4, label=words[2].format(level))
        axis.scatter(at[ratio == 0], np.full(int((ratio == 0).sum()), bottom * 1.04), s=36, color=ACCENT, marker="v",
                     zorder=4)  # fmt: skip
        axis.hlines(fitted, at - 0.36, at + 0.36, color=WARM, lw=1.6, zorder=2, label=words[3])
        axis.axhline(1, color=INK, lw=0.9, zorder=1)
        axis.set(yscale="log", ylim=(bottom, top), xlim=(-0.6, len(shown) - 0.4), ylabel=words[1], xlabel=words[0])
        for here, row, is_known in zip(place, shown.to_dict("records"), known, strict=True):
            if is_known:
                expected = format_number(row["expected"], 1 if row["expected"] < 100 else 0, lang=lang)
                text = words[5].format(format_number(row["observed"], 0, lang=lang), expected)
            else:
                text = words[4]
                axis.axvspan(here - 0.45, here + 0.45, color=GRID, zorder=0)
            axis.annotate(text, (here, 1), xycoords=axis.get_xaxis_transform(), xytext=(0, -4), ha="center", va="top",
                          textcoords="offset points", fontsize=8, color=MUTED)  # fmt: skip
        ticks = log_ticks(bottom, top)
        axis.set_yticks(ticks, [format_number(tick, decimals(ticks), lang=lang) for tick in ticks])
        axis.minorticks_off()
        axis.set_xticks(place, [_band(row["from_km"], row["to_km"], lang) for row in shown.to_dict("records")])
        axis.grid(axis="y", color=GRID, lw=0.6)
        axis.set_axisbelow(True)
        axis.set_title(title)
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
        return figure

    alt = {
        "en": "Ratio of observed to expected cases by distance from the source, with limits and the fitted fall.",
        "fr": "Rapport des cas observés aux attendus selon la distance à la source, limites et décroissance ajustée.",
    }[lang]
    return Chart(replace(found.release(lang), title=title), draw, alt)


def _band(low: float, high: float, lang: Lang) -> str:
    start = format_number(low, decimals([low]), lang=lang)
    return f"{start}–{format_number(high, decimals([high]), lang=lang)}" if np.isfinite(high) else f"> {start}"
