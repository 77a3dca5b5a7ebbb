"""The picture of referral: the share of cases seen, against the distance to the nearest centre."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epi.association.charts import HIDDEN, _check, _say_hidden
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.stats.notation import format_number
from epi.stats.ratio_axis import decimals, log_ticks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from epi.association.referral import Referral
    from epi.association.sir import Lang

WORDS = {
    "en": ("Cases seen, by distance to the nearest centre", "Distance to the nearest centre, km",
           "Observed / expected,\nrelative to the nearest band", "straight line", "bands, with their intervals"),
    "fr": ("Cas vus selon la distance au centre le plus proche", "Distance au centre le plus proche, km",
           "Observés / attendus,\nrelatif à la classe la plus proche", "droite", "classes, avec leurs intervalles"),
}  # fmt: skip


def draw_referral(referral: Referral, lang: Lang) -> Chart:
    """Make the picture of referral.

    Parameters
    ----------
    referral : Referral
        What to draw.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        The figure and its table; a band whose count is hidden is left out.
    """
    _check(lang)
    words = WORDS[lang]
    slope = np.log(referral.slope["ratio"]), np.log(referral.slope["ci_low"]), np.log(referral.slope["ci_high"])

    def draw(shown: pd.DataFrame) -> Figure:
        figure = new_figure(7.0, 4.0)
        axis = figure.subplots()
        known = shown.dropna(subset=["ratio"])
        if known.empty:
            _say_hidden(axis, lang, HIDDEN)
            return figure
        # The line starts from where the reference band lies, so that both have the same unit.
        start = float(known["distance_km"].iloc[0])
        grid = np.linspace(0, float(shown["distance_km"].max()) * 1.05, 100)
        middle, low, high = (np.exp(value * (grid - start) / 100) for value in slope)
        axis.fill_between(grid, np.minimum(low, high), np.maximum(low, high), color=ACCENT, alpha=0.13, lw=0)
        axis.plot(grid, middle, color=ACCENT, lw=1.8, label=words[3])
        x, y = known["distance_km"].to_numpy(float), known["ratio"].to_numpy(float)
        reach = np.vstack([y - known["ci_low"].fillna(known["ratio"]), known["ci_high"].fillna(known["ratio"]) - y])
        axis.errorbar(x, y, yerr=reach, fmt="o", color=WARM, ms=5, lw=1.2, capsize=0, label=words[4], zorder=3)
        axis.axhline(1, color=INK, lw=0.9)
        ends = np.concatenate([known["ci_low"].dropna(), known["ci_high"].dropna(), middle, y])
        bottom, top = float(ends.min()) / 1.08, float(ends.max()) * 1.08
        axis.set(yscale="log", xlim=(0, grid[-1]), ylim=(bottom, top), xlabel=words[1], ylabel=words[2])
        ticks = log_ticks(bottom, top)
        axis.set_yticks(ticks, [format_number(tick, decimals(ticks), lang=lang) for tick in ticks])
        axis.minorticks_off()
        axis.grid(axis="y", color=GRID, lw=0.7)
        axis.set_axisbelow(True)
        axis.set_title(words[0])
        # Below the axes: intervals may reach any corner of them.
        figure.legend(loc="outside lower center", ncols=2, fontsize=8, labelcolor=MUTED)
        return figure

    alt = {
        "en": "Ratio of observed to expected cases by band of distance to the nearest centre, with the fitted line.",
        "fr": "Rapport des cas observés aux cas attendus par classe de distance au centre, avec la droite ajustée.",
    }
    return Chart(referral.release(lang), draw, alt[lang])
