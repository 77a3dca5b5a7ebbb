"""The picture of crude probabilities of death, drawn from what may be published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.plotting import GRID, MUTED, PALETTE, Chart, new_figure
from epi.stats.notation import format_number
from epi.survival.crude_reporting import HEADINGS, release_crude
from epi.survival.data import DAYS_PER_YEAR, SCALE_WORDS
from epi.survival.few import published_least
from epi.survival.groups import ALL
from epi.survival.picture import (
    draw_nothing,
    dress_figure,
    frame_time,
    join_times,
    percent_axis,
    shade_limits,
    tick_step,
    write_numbers,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epi.survival.crude_death import CrudeDeath
    from epi.survival.steps import Lang

PANELS = 4
_WORDS = {
    "en": {
        "title": "Crude probability of death", "from": ", from {} years", "years": "years", "low": "low",
        "high": "high", "disease": HEADINGS["disease"], "population": HEADINGS["population"],
        "hidden": "All values are hidden: small counts",
        "note": "Each in the presence of the other; limits at {level}. Other causes: {population}. Read at the times "
                "marked, between which each number of persons is nobody or at least {least}; lines join them. "
                "At risk: after the time above.",
        "risk": "At risk", "group": "Group", "at_risk": "At risk after", "events": "Events since the time before",
        "left": "Left without event", "entered": "Entered",
    },
    "fr": {
        "title": "Probabilité brute de décès", "from": ", à partir de {} ans", "years": "années", "low": "basse",
        "high": "haute", "disease": "Décès par la maladie", "population": "Décès d'autres causes",
        "hidden": "Toutes les valeurs sont masquées : petits effectifs",
        "note": "L'une en présence de l'autre ; limites à {level}. Autres causes : {population}. Lecture aux temps "
                "marqués, entre lesquels chaque nombre de personnes est nul ou d'au moins {least} ; des droites les "
                "joignent. À risque : après le temps au-dessus.",
        "risk": "À risque", "group": "Groupe", "at_risk": "À risque après",
        "events": "Événements depuis le temps précédent",
        "left": "Sortis sans événement", "entered": "Entrés",
    },
}  # fmt: skip


def draw_crude(found: CrudeDeath, lang: Lang, min_count: int | None, years: float | None) -> Chart:
    """Make the picture of crude probabilities of death.

    Parameters
    ----------
    found : CrudeDeath
        The probabilities.
    lang : {"fr", "en"}
        Language.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Chart
        A panel for each group, a line with its limits for each cause.

    Raises
    ------
    ParameterError
        If the language is unknown, or there are too many groups.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    if len(found.groups) > PANELS:
        raise ParameterError(f"{len(found.groups)} groups make too many panels", f"at most {PANELS} in one picture",
                             "data.select(...) some of them")  # fmt: skip
    words, settings = _WORDS[lang], found.settings
    release = release_crude(found, min_count, years)
    title = words["title"]
    if settings["conditional_on"] is not None:
        title += words["from"].format(format_number(settings["conditional_on"] / DAYS_PER_YEAR, 1, lang=lang))
    level = format_number(100 * settings["level"], 0, lang=lang) + (" %" if lang == "fr" else "%")
    note = words["note"].format(level=level, population=settings["life_table"], least=published_least(min_count))
    shown = replace(release, title=title, note=note, labels={name: _heading(name, words) for name in release.labels})

    def draw(table: pd.DataFrame) -> Figure:
        if table[list(HEADINGS)].isna().all(axis=None):
            return draw_nothing(words["hidden"])
        tick = tick_step(table["years"], years)
        panels = [(ALL, table)] if "group" not in table else list(table.groupby("group", sort=False))
        width = 7.0 if len(panels) == 1 else 3.2 * len(panels) + 1.0
        figure = new_figure(width, 4.4)
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        limits = table[[f"{cause}{end}" for cause in HEADINGS for end in ("_low", "_high")]].to_numpy(float)
        # A disease's probability is an excess, and may lie below 0.
        low, high = min(float(np.nanmin(limits)), 0.0), max(1.1 * float(np.nanmax(limits)), 0.02)
        for axis, (group, part) in zip(axes, panels, strict=True):
            times = part["years"].to_numpy(float)
            for cause, color in zip(HEADINGS, PALETTE, strict=False):
                # Where the gate hid a value the line is broken.
                join_times(axis, times, part[cause].to_numpy(float), tick, color, words[cause])
                low_end, high_end = (part[f"{cause}{end}"].to_numpy(float) for end in ("_low", "_high"))
                shade_limits(axis, times, part[cause].to_numpy(float), low_end, high_end, color)
            frame_time(axis, times.min(), times.max(), tick, lang)
            axis.set_ylim(1.1 * low, min(high, 1.02))
            percent_axis(axis, lang)
            axis.grid(axis="y", color=GRID, lw=0.7)
            axis.set_axisbelow(True)
            axis.set_xlabel(f"{SCALE_WORDS[found.data.scale][lang]} ({words['years']})")
            write_numbers(axis, [("", part, MUTED)], tick, lang, words["risk"] if axis is axes[0] else "")
            if group != ALL:
                axis.set_title(str(group), fontsize=9.5, color=MUTED)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", fontsize=8.5)
        return dress_figure(figure, title, note, width)

    return Chart(shown, draw, f"{title}. {note}")


def _heading(name: str, words: dict[str, str]) -> str:
    cause, _, end = name.partition("_")
    if cause in HEADINGS:
        return words[cause] + (f"{' :' if words is _WORDS['fr'] else ':'} {words[end]}" if end else "")
    return words[name]
