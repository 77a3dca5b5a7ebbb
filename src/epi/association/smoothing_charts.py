"""Maps of smoothed ratios and of exceedance, and how far each ratio was drawn in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from epi.association.charts import HIDDEN
from epi.errors import ParameterError
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.stats.notation import format_number
from epi.stats.ratio_axis import decimals, log_ticks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from epi.association.sir import Lang
    from epi.association.smoothing import SmoothedRatios

EXCEEDANCE_BINS = (0.05, 0.2, 0.5, 0.8, 0.95)
"""Classes of the probability of a raised risk; 0.8 is the usual mark (Richardson and others, 2004)."""
_SYNTHETIC = {"en": " (SYNTHETIC DATA)", "fr": " (DONNÉES SYNTHÉTIQUES)"}


def _map(smoothed: SmoothedRatios, level: str, lang: Lang, given: dict[str, Any]) -> Chart:
    from epi.geography.maps import choropleth

    if lang not in ("fr", "en"):
        raise ParameterError(f"lang is {lang!r}", "fr or en")
    release = smoothed.release()
    table = release.table[release.table["rr"].notna() | (release.table["status"] != "")]
    mark = _SYNTHETIC[lang] if smoothed.settings.get("synthetic") else ""
    options = {"note": release.note, "counts": release.counts, "not_counts": release.not_counts, **given}
    options["title"] = str(options["title"]) + mark
    return choropleth(table, level, lang=lang, **options)


def draw_smoothed_map(smoothed: SmoothedRatios, level: str, lang: Lang, **options: Any) -> Chart:
    """Make the map of smoothed ratios.

    Parameters
    ----------
    smoothed : SmoothedRatios
        What to draw.
    level : str
        Level of territory of the areas.
    lang : {"fr", "en"}
        Language.
    **options : object
        Passed to :func:`epi.geography.maps.choropleth`.

    Returns
    -------
    Chart
        The map.
    """
    label = {"en": "Relative risk", "fr": "Risque relatif"}.get(lang, "")
    given = {"title": smoothed.title(lang), "label": label, "value": "rr", "scale": "ratio", **options}
    return _map(smoothed, level, lang, given)


def draw_exceedance_map(smoothed: SmoothedRatios, level: str, lang: Lang, **options: Any) -> Chart:
    """Make the map of the probability that the risk is above the threshold.

    Parameters
    ----------
    smoothed : SmoothedRatios
        What to draw.
    level : str
        Level of territory of the areas.
    lang : {"fr", "en"}
        Language.
    **options : object
        Passed to :func:`epi.geography.maps.choropleth`.

    Returns
    -------
    Chart
        The map.
    """
    threshold = smoothed.settings["threshold"]
    shown = format_number(threshold, decimals([threshold]), lang=lang)
    title = {
        "en": f"Probability of a relative risk above {shown}",
        "fr": f"Probabilité d’un risque relatif supérieur à {shown}",
    }.get(lang, "")
    label = {"en": f"P(RR > {shown})", "fr": f"P(RR > {shown})"}.get(lang, "")
    given = {"title": title, "label": label, "value": "exceedance", "bins": EXCEEDANCE_BINS, **options}
    return _map(smoothed, level, lang, given)


def draw_shrinkage(smoothed: SmoothedRatios, lang: Lang) -> Chart:
    """Make the plot of smoothed ratios against raw ones.

    Parameters
    ----------
    smoothed : SmoothedRatios
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
    words = {
        "en": ("What smoothing does to each ratio", "Raw ratio, observed / expected (log scale)",
               "Smoothed relative risk (log scale)", "unchanged", "limits exclude 1", "limits include 1",
               "raw ratio of 0", "area of a disc: expected cases"),
        "fr": ("Ce que le lissage fait de chaque rapport", "Rapport brut, observés / attendus (échelle log)",
               "Risque relatif lissé (échelle log)", "inchangé", "intervalle sans 1", "intervalle avec 1",
               "rapport brut nul", "surface d’un disque : cas attendus"),
    }[lang]  # fmt: skip
    release = smoothed.release()

    def draw(shown: pd.DataFrame) -> Figure:
        known = shown.dropna(subset=["sir", "rr", "expected"])
        figure = new_figure(6.4, 5.0)
        axis = figure.subplots()
        if known.empty:
            axis.set_axis_off()
            axis.text(0.5, 0.5, HIDDEN[lang], ha="center", va="center", color=MUTED, transform=axis.transAxes)
            return figure
        raw, risk = known["sir"].to_numpy(float), known["rr"].to_numpy(float)
        expected = known["expected"].to_numpy(float)
        positive = raw > 0
        every = np.concatenate([raw[positive], np.maximum(risk, 0.01)])
        low, high = every.min() / 1.25, every.max() * 1.25
        # A ratio of zero has no place on a log scale: it is drawn at the left edge, as a triangle.
        edge = low
        low = low / 1.15 if not positive.all() else low
        size = 8 + 90 * expected / expected.max()
        # Hidden limits are neither in nor out.
        apart = ((known["rr_low"] > 1) | (known["rr_high"] < 1)).to_numpy()
        raised = apart & (risk > 1)
        groups = (
            (~apart, MUTED, words[5]),
            (raised, WARM, words[4]),
            (apart & ~raised, ACCENT, "" if raised.any() else words[4]),
        )
        for which, color, label in groups:
            for marker, ok in (("o", positive), ("<", ~positive)):
                chosen = which & ok
                if chosen.any():
                    axis.scatter(np.where(positive, raw, edge)[chosen], risk[chosen], s=size[chosen], color=color,
                                 marker=marker, alpha=0.65, linewidths=0, zorder=3,
                                 label=label if marker == "o" else None)  # fmt: skip
        axis.plot([low, high], [low, high], color=INK, lw=0.9, ls="--", label=words[3], zorder=1)
        axis.axhline(1, color=GRID, lw=1.0, zorder=0)
        axis.axvline(1, color=GRID, lw=1.0, zorder=0)
        axis.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), xlabel=words[1], ylabel=words[2])
        ticks = log_ticks(float(low), float(high))
        texts = [format_number(t, decimals(ticks), lang=lang) for t in ticks]
        axis.set_xticks(ticks, texts)
        axis.set_yticks(ticks, texts)
        axis.minorticks_off()
        axis.set_title(words[0])
        legend = axis.legend(loc="upper left", fontsize=8)
        for handle in legend.legend_handles:
            if handle is not None and hasattr(handle, "set_sizes"):
                handle.set_sizes([28])
        foot = words[7] + ("" if positive.all() else f"; ◂ {words[6]}")
        axis.text(0.995, 0.02, foot, transform=axis.transAxes, ha="right", fontsize=8, color=MUTED)
        return figure

    alt = {
        "en": "Smoothed relative risk of each area against its raw ratio, with the diagonal of no change.",
        "fr": "Risque relatif lissé de chaque territoire selon son rapport brut, avec la diagonale sans changement.",
    }[lang]
    return Chart(replace(release, title=words[0]), draw, alt)
