"""The picture of a dose-response: the curve, its pointwise limits, classes over it, deciles beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.association.charts import HIDDEN, _say_hidden
from epi.errors import ParameterError
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.results import Counted, Release
from epi.stats.notation import format_number
from epi.stats.ratio_axis import decimals, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epi.association.dose_response import DoseResponse
    from epi.association.sir import Lang

_WORDS = {
    "en": {
        "OR": "Odds ratio", "RR": "Rate ratio", "title": "Dose-response: {}", "curve": "curve, limits at each point",
        "classes": "classes, shifted to the curve", "reference": "reference",
        "deciles": "ticks: deciles of the exposure",
    },
    "fr": {
        "OR": "Rapport de cotes", "RR": "Rapport de taux", "title": "Dose-réponse : {}",
        "curve": "courbe, limites en chaque point", "classes": "classes, ramenées à la courbe",
        "reference": "référence", "deciles": "traits : déciles de l'exposition",
    },
}  # fmt: skip


def draw_curve(found: DoseResponse, lang: Lang) -> Chart:
    """Make the picture of a dose-response.

    Parameters
    ----------
    found : DoseResponse
        What to draw.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        The figure and its table: points of the curve, then classes.

    Raises
    ------
    ParameterError
        If the language is unknown.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en")
    words = _WORDS[lang]
    columns = ["kind", "value", "n_cases", "n_controls", "estimate", "ci_low", "ci_high"]
    classes = found.table.rename(columns={"median": "value"}).assign(kind="class")[columns]
    whole = {"n_cases": "Int64", "n_controls": "Int64"}
    # Each point of the curve rests on all persons: it falls with their number.
    totals = {name: found.table[name].sum(min_count=1) for name in whole}
    curve = found.curve.assign(kind="curve", **totals)[columns].astype(whole)
    table = pd.concat([curve, classes.astype(whole)], ignore_index=True)
    estimates = ("estimate", "ci_low", "ci_high")
    if found.design == "areas":
        table = table.drop(columns="n_controls")
        counts: tuple[Counted, ...] = (Counted("n_cases", adds_up_within=("kind",), derived=estimates),)
    else:
        counts = (
            Counted("n_cases", adds_up_within=("kind",), derived=(*estimates, "n_controls")),
            Counted("n_controls", adds_up_within=("kind",), derived=(*estimates, "n_cases")),
        )
    title = words["title"].format(found.settings[f"label_{lang}"])
    release = Release(table, counts, title, found.note(lang, tests=False), ("value",))

    def draw(shown: pd.DataFrame) -> Figure:
        return _draw(found, shown, title, lang)

    alt = f"{title}. {found.note(lang, tests=False)}"
    return Chart(release, draw, alt)


def _draw(found: DoseResponse, shown: pd.DataFrame, title: str, lang: Lang) -> Figure:
    import textwrap

    words = _WORDS[lang]
    curve, classes = (
        shown[shown["kind"] == "curve"].dropna(subset="estimate"),
        shown[shown["kind"] == "class"].dropna(subset="estimate"),
    )
    if curve.empty:
        figure = new_figure(6, 2.5)
        _say_hidden(figure.subplots(), lang, HIDDEN)
        return figure
    figure = new_figure(7.2, 4.6)
    axis = figure.subplots()
    x = curve["value"].to_numpy(float)
    axis.fill_between(
        x, curve["ci_low"].to_numpy(float), curve["ci_high"].to_numpy(float), color=ACCENT, alpha=0.16, lw=0
    )
    axis.plot(x, curve["estimate"].to_numpy(float), color=ACCENT, lw=2, label=words["curve"])
    reference = float(found.settings["reference"])
    if len(classes):
        # Classes are relative to the lowest, the curve to its reference: the mean ratio brings them together.
        at = classes["value"].to_numpy(float)
        log_curve = np.log(curve["estimate"].to_numpy(float))
        shift = float(np.mean(np.interp(at, x, log_curve) - np.log(classes["estimate"].to_numpy(float))))
        ratio, low, high = (
            np.exp(np.log(classes[name].to_numpy(float)) + shift) for name in ("estimate", "ci_low", "ci_high")
        )
        axis.errorbar(
            at, ratio, yerr=[ratio - low, high - ratio], fmt="o", ms=5, color=WARM, ecolor=WARM, elinewidth=1.1,
            capsize=0, label=words["classes"], zorder=3,
        )  # fmt: skip
    axis.axhline(1, color=INK, lw=0.8, zorder=1)
    axis.axvline(reference, color=MUTED, lw=0.8, ls=":", zorder=1)
    axis.set_yscale("log")
    bottom, top = axis.get_ylim()
    middle = float(np.abs(np.log(curve["estimate"].to_numpy(float))).max())
    reach = max(3 * middle, np.log(1.3))
    bottom, top = max(bottom, float(np.exp(-reach))), min(top, float(np.exp(reach)))
    bottom, top = min(bottom, 0.93), max(top, 1.08)
    axis.set_ylim(bottom, top)
    ticks = log_ticks(bottom, top)
    axis.set_yticks(ticks, [format_number(tick, decimals(ticks), lang=lang) for tick in ticks])
    axis.minorticks_off()
    ends = np.concatenate([x, classes["value"].to_numpy(float)])
    pad = 0.02 * (ends.max() - ends.min())
    axis.set_xlim(ends.min() - pad, ends.max() + pad)
    axis.grid(axis="y", color=GRID, lw=0.7, zorder=0)
    axis.set_axisbelow(True)
    inside = [value for value in found.settings["deciles"] if x.min() <= value <= x.max()]
    for value in inside:
        axis.plot([value, value], [0, 0.025], transform=axis.get_xaxis_transform(), color=MUTED, lw=1).pop().set_gid(
            "background"
        )
    if lang == "fr":
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace(".", ","))
    axis.set_xlabel(found.label(lang))
    axis.set_ylabel(words[found.measure])
    axis.text(
        reference, 0.985, f" {words['reference']}", transform=axis.get_xaxis_transform(), color=MUTED, fontsize=8,
        va="top",
    )  # fmt: skip
    axis.legend(frameon=False, fontsize=8.5, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2)
    figure.suptitle("\n".join(textwrap.wrap(title, 80)), x=0.01, ha="left", fontsize=11, fontweight="bold")
    note = "\n".join(textwrap.wrap(f"{found.note(lang)} {words['deciles'].capitalize()}.", 118))
    figure.supxlabel(note, x=0.01, ha="left", fontsize=7.8, color=MUTED)
    return figure
