"""Pictures of predicted curves, drawn from what may be published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.plotting import GRID, MUTED, PALETTE, Chart, new_figure
from epi.stats.notation import format_number
from epi.survival.data import DAYS_PER_YEAR, SCALE_WORDS
from epi.survival.picture import draw_nothing, dress_figure, frame_time, join_times, percent_axis
from epi.survival.prediction import columns_of
from epi.survival.reporting import round_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epi.results import Release
    from epi.survival.prediction import PredictedCurves
    from epi.survival.steps import Lang

PANELS = 4
_WORDS = {
    "en": {
        "survival": "Predicted survival without {}", "incidence": "Predicted cumulative incidence of {}",
        "from": ", from {} years", "years": "years",
        "hidden": "All values are hidden: small counts",
        "note": "Proportional hazards of {covariates}; limits at {level} ({interval} scale). Read at the times marked, "
                "between which each number of persons is nobody or at least {least}; lines join them.",
        "events": "Events since the time before", "at_risk": "At risk after",
        "competing": "Competing events since the time before",
    },
    "fr": {
        "survival": "Survie prédite sans {}", "incidence": "Incidence cumulée prédite de {}",
        "from": ", à partir de {} ans", "years": "années",
        "hidden": "Toutes les valeurs sont masquées : petits effectifs",
        "note": "Risques proportionnels de {covariates} ; limites à {level} (échelle {interval}). Lecture aux temps "
                "marqués, entre lesquels chaque nombre de personnes est nul ou d'au moins {least} ; des droites les "
                "joignent.",
        "events": "Événements depuis le temps précédent", "at_risk": "À risque après",
        "competing": "Événements concurrents depuis le temps précédent",
    },
}  # fmt: skip


def draw_prediction(found: PredictedCurves, release: Release, lang: Lang, least: int, years: float | None) -> Chart:
    """Make the picture of predicted curves.

    Parameters
    ----------
    found : PredictedCurves
        The curves.
    release : Release
        What would be published of them.
    lang : {"fr", "en"}
        Language.
    least : int
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Chart
        A panel for each stratum, a line for each profile.

    Raises
    ------
    ParameterError
        If the language is unknown, or there are too many profiles or strata to tell apart.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    names, strata = found.settings["profiles"], found.model.strata_labels
    if len(names) > len(PALETTE) or len(strata) > PANELS:
        raise ParameterError(
            f"{len(names)} profiles in {max(len(strata), 1)} strata cannot be told apart",
            f"at most {len(PALETTE)} profiles and {PANELS} strata",
        )
    words, settings = _WORDS[lang], found.settings
    title = words[settings["measure"]].format(settings["event"])
    if settings["from_days"] is not None:
        title += words["from"].format(format_number(settings["from_days"] / DAYS_PER_YEAR, 1, lang=lang))
    level = format_number(100 * settings["level"], 0, lang=lang) + (" %" if lang == "fr" else "%")
    covariates = ", ".join(found.model.terms.covariates)
    note = words["note"].format(covariates=covariates, level=level, interval=settings["interval"], least=least)
    headings = {name: words.get(name, said) for name, said in release.labels.items()}
    shown = replace(release, title=title, note=note, labels=headings)
    data = found.model.data
    tick = round_step(float(data.exit.max() - data.entry.min() + 1), years)

    def draw(table: pd.DataFrame) -> Figure:
        panels = [("", table)] if "group" not in table else [(g, p) for g, p in table.groupby("group", sort=False)]
        columns = [columns_of(settings["measure"], name) for name in names]
        if table[[each[0] for each in columns]].isna().all(axis=None):
            return draw_nothing(words["hidden"])
        width = 7.0 if len(panels) == 1 else 3.2 * len(panels) + 1.0
        figure = new_figure(width, 4.4)
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (stratum, part) in zip(axes, panels, strict=True):
            times = part["years"].to_numpy(float)
            for name, color, (middle, low, high) in zip(names, PALETTE, columns, strict=False):
                join_times(axis, times, part[middle].to_numpy(float), tick, color, name)
                bounds = part[low].to_numpy(float), part[high].to_numpy(float)
                axis.fill_between(times, *bounds, color=color, alpha=0.14, lw=0)
            frame_time(axis, times.min(), times.max(), tick, lang)
            highest = float(np.nanmax(table[[each for group in columns for each in group]].to_numpy(float)))
            axis.set_ylim(0, 1.02 if settings["measure"] == "survival" or highest > 0.5 else max(1.15 * highest, 0.02))
            percent_axis(axis, lang)
            axis.grid(axis="y", color=GRID, lw=0.7)
            axis.set_axisbelow(True)
            axis.set_xlabel(f"{SCALE_WORDS[data.scale][lang]} ({words['years']})")
            if stratum:
                axis.set_title(str(stratum), fontsize=9.5, color=MUTED)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", fontsize=8.5)
        return dress_figure(figure, title, note, width)

    return Chart(shown, draw, f"{title}. {note}")
