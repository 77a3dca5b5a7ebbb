"""The picture of negative controls: their ratios, those under study, and the band of the systematic error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.plotting import ACCENT, GRID, HIDDEN, INK, MUTED, WARM, Chart, new_figure
from epi.results import Counted, Release
from epi.stats.notation import format_number
from epi.stats.ratio_axis import decimals, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epi.association.negative_controls import NegativeControls
    from epi.association.sir import Lang

_WORDS = {
    "en": {
        "control outcome": "control outcome", "control exposure": "control exposure", "studied": "under study",
        "title": "Negative controls and exposures under study", "band": "systematic error of one more control, 95 %",
        "calibrated": "calibrated",
    },
    "fr": {
        "control outcome": "maladie témoin", "control exposure": "exposition témoin", "studied": "étudiée",
        "title": "Contrôles négatifs et expositions étudiées",
        "band": "erreur systématique d'un contrôle de plus, 95 %",
        "calibrated": "recalé",
    },
}  # fmt: skip
_COLOURS = {"control outcome": MUTED, "control exposure": INK, "studied": ACCENT}


def draw_controls(found: NegativeControls, lang: Lang) -> Chart:
    """Make the picture of negative controls.

    Parameters
    ----------
    found : NegativeControls
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
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en")
    words = _WORDS[lang]
    ratios = ["estimate", "ci_low", "ci_high", "calibrated", "calibrated_low", "calibrated_high"]
    table = found.table[["role", f"label_{lang}", "n_cases", *ratios]].rename(columns={f"label_{lang}": "label"})
    release = Release(table, (Counted("n_cases", derived=tuple(ratios)),), words["title"], found.note(lang))

    def draw(shown: pd.DataFrame) -> Figure:
        return _draw(found, shown, lang)

    return Chart(release, draw, f"{words['title']}. {found.note(lang)}")


def _draw(found: NegativeControls, shown: pd.DataFrame, lang: Lang) -> Figure:
    import textwrap

    words = _WORDS[lang]
    rows = len(shown)
    figure = new_figure(8.4, 1.7 + 0.33 * rows)
    axis = figure.subplots()
    places = np.arange(rows)[::-1].astype(float)
    # A gap between the controls and what is studied.
    places[(shown["role"] != "studied").to_numpy()] += 0.6
    known = shown.dropna(subset="estimate")
    reach = max(float(np.abs(np.log(known[["estimate"]].to_numpy(float))).max(initial=0)) * 3, np.log(1.4))
    if found.null is not None:
        spread = float(np.sqrt(found.null.weights @ (found.null.spreads**2 + found.null.variances)))
        low, high = np.exp(found.null.mean - 1.96 * spread), np.exp(found.null.mean + 1.96 * spread)
        axis.axvspan(low, high, color=HIDDEN, alpha=0.55, lw=0, zorder=0, label=words["band"])
    drawn: set[str] = set()
    for place, (_, row) in zip(places, shown.iterrows(), strict=True):
        if pd.isna(row["estimate"]):
            continue
        colour = _COLOURS[row["role"]]
        label = words[row["role"]] if row["role"] not in drawn else None
        drawn.add(row["role"])
        _bar(axis, place + 0.1, (row["estimate"], row["ci_low"], row["ci_high"]), colour, label, reach)
        if pd.notna(row["calibrated"]):
            label = words["calibrated"] if "calibrated" not in drawn else None
            drawn.add("calibrated")
            limits = (row["calibrated"], row["calibrated_low"], row["calibrated_high"])
            _bar(axis, place - 0.17, limits, WARM, label, reach)
    axis.axvline(1, color=INK, lw=0.8, zorder=1)
    axis.set_xscale("log")
    axis.set_xlim(np.exp(-reach), np.exp(reach))
    ticks = log_ticks(float(np.exp(-reach)), float(np.exp(reach)))
    axis.set_xticks(ticks, [format_number(tick, decimals(ticks), lang=lang) for tick in ticks])
    axis.minorticks_off()
    axis.set_yticks(places, ["\n".join(textwrap.wrap(str(label), 46)) for label in shown["label"]], fontsize=8.5)
    axis.set_ylim(-0.7, places.max() + 0.7)
    axis.tick_params(axis="y", left=False)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x", color=GRID, lw=0.7, zorder=0)
    axis.set_axisbelow(True)
    axis.set_xlabel(found.measure)
    axis.legend(loc="lower left", bbox_to_anchor=(-0.5, 1.0), ncols=3, frameon=False, fontsize=8.5)
    figure.suptitle(words["title"], x=0.01, ha="left", fontsize=11, fontweight="bold")
    note = "\n".join(textwrap.wrap(found.note(lang), 130))
    figure.supxlabel(note, x=0.01, ha="left", fontsize=7.8, color=MUTED)
    return figure


def _bar(
    axis: object, place: float, ratio: tuple[float, float, float], colour: str, label: str | None, reach: float
) -> None:
    estimate, low, high = ratio
    ends = max(low, float(np.exp(-reach))), min(high, float(np.exp(reach)))
    axis.plot(ends, [place, place], color=colour, lw=1.3, zorder=2)  # type: ignore[attr-defined]
    axis.plot([estimate], [place], "s", ms=5, color=colour, zorder=3, label=label)  # type: ignore[attr-defined]
