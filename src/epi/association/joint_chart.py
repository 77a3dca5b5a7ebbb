"""The picture of a joint model: three ratios of each exposure, and at the right how often it is kept."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.association.charts import HIDDEN, _check, _say_hidden
from epi.association.screen import DAGGER, FEW_CLUSTERS
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.stats.notation import format_number
from epi.stats.ratio_axis import axis_limits, decimals, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from epi.association.joint_model import JointModel
    from epi.association.sir import Lang

_WORDS = {
    "en": {
        "OR": "Odds ratio", "RR": "Rate ratio", "log": "log scale", "estimate": "one regression, {} % interval",
        "shrunk": "shrunk", "averaged": "averaged over models", "stability": "kept by random halves",
        "inclusion": "probability of inclusion", "share": "Share",
        "alt": "Ratios of {} exposures in one model, shrunk and averaged, with how often each is kept.",
    },
    "fr": {
        "OR": "Rapport de cotes", "RR": "Rapport de taux", "log": "échelle log",
        "estimate": "une régression, intervalle à {} %", "shrunk": "rétréci", "averaged": "moyenné sur les modèles",
        "stability": "gardée par des moitiés", "inclusion": "probabilité d'inclusion", "share": "Part",
        "alt": "Rapports de {} expositions dans un modèle, rétrécis et moyennés, et fréquence où chacune est gardée.",
    },
}  # fmt: skip


def draw_joint(found: JointModel, lang: Lang) -> Chart:
    """Make the picture of a joint model.

    Parameters
    ----------
    found : JointModel
        What to draw.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        The figure and its table.
    """
    _check(lang)
    release = found.release(lang)

    def draw(shown: pd.DataFrame) -> Figure:
        return _draw(shown, found, release.title, release.note, lang)

    return Chart(release, draw, _WORDS[lang]["alt"].format(len(release.table)))


def _draw(shown: pd.DataFrame, found: JointModel, title: str, note: str, lang: Lang) -> Figure:
    words = _WORDS[lang]
    known = shown.dropna(subset="estimate").reset_index(drop=True)
    if known.empty:
        figure = new_figure(6, 2.5)
        _say_hidden(figure.subplots(), lang, HIDDEN)
        return figure
    figure = new_figure(8.6, 2.1 + 0.46 * len(known))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[2.1, 1])
    low, high = axis_limits(known)
    places = np.arange(len(known))
    for place, (_, row) in zip(places, known.iterrows(), strict=True):
        # The ratio of one regression above, what shrinkage and averaging leave of it below.
        left.plot([max(row["ci_low"], low), min(row["ci_high"], high)], [place - 0.17] * 2, color=INK, lw=1.4)
    level = words["estimate"].format(format_number(100 * float(found.settings["level"]), 0, lang=lang))
    left.plot(known["estimate"], places - 0.17, "o", ls="", color=INK, ms=5.5, label=level)
    left.plot(known["shrunk"], places + 0.08, "D", ls="", color=ACCENT, ms=4.8, label=words["shrunk"])
    left.plot(known["averaged"], places + 0.28, "s", ls="", color=WARM, ms=4.8, label=words["averaged"])
    left.axvline(1, color=INK, lw=0.9, zorder=1)
    left.set_xscale("log")
    left.set_xlim(low, high)
    ticks = log_ticks(low, high)
    left.set_xticks(ticks, [format_number(tick, decimals(ticks), lang=lang) for tick in ticks])
    left.minorticks_off()
    left.set_xlabel(f"{words[found.measure]} ({words['log']})", fontsize=8.5)
    labels = [
        "\n".join([*textwrap.wrap(str(row["label"]), 34), str(row["scale"]) + (f" {DAGGER}" if row["warning"] else "")])
        for _, row in known.iterrows()
    ]
    left.set_yticks(places, labels, fontsize=8)
    left.set_ylim(len(known) - 0.4, -0.6)
    _shares(right, known, places, words)
    right.set_xticks([0, 0.5, 1], [format_number(tick, 1, lang=lang) for tick in (0, 0.5, 1)])
    for axis in (left, right):
        axis.grid(axis="x", color=GRID, lw=0.7)
        axis.set_axisbelow(True)
        axis.tick_params(axis="y", left=False)
        axis.spines["left"].set_visible(False)
        axis.legend(fontsize=7.6, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=1, borderaxespad=0.2)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    if (known["warning"].fillna("") != "").any():
        note += f" {DAGGER} {FEW_CLUSTERS[lang][0].upper()}{FEW_CLUSTERS[lang][1:]}."
    figure.supxlabel("\n".join(textwrap.wrap(note, 128)), x=0.01, ha="left", fontsize=7.6, color=MUTED)
    return figure


def _shares(axis: Axes, known: pd.DataFrame, places: np.ndarray, words: dict[str, str]) -> None:
    stability = known["stability"].to_numpy(dtype=float)
    if np.isfinite(stability).any():
        axis.barh(places + 0.08, stability, height=0.18, color=ACCENT, label=words["stability"])
    axis.barh(places + 0.28, known["inclusion"], height=0.18, color=WARM, label=words["inclusion"])
    axis.set_xlim(0, 1.02)
    axis.set_xlabel(words["share"], fontsize=8.5)
