"""Pictures of the times at which each group is observed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import ParameterError
from epi.plotting import ACCENT, GRID, MUTED, PALETTE, Chart, new_figure
from epi.stats.notation import format_number
from epi.survival.curve_chart import headings
from epi.survival.data import DAYS_PER_YEAR, SCALE_WORDS
from epi.survival.few import published_least
from epi.survival.groups import count_groups
from epi.survival.picture import draw_nothing, dress_figure
from epi.survival.reporting import declare, reporting_rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from epi.survival.steps import Lang
    from epi.survival.window import CommonWindow

_WORDS = {
    "en": {
        "title": "Persons at risk and the window common to all groups", "axis": "Persons at risk",
        "window": "every group observed: {} to {} years", "years": "years",
        "note": "Read at the times marked, between which each number of persons is nobody or at least {least}; lines "
                "join them. Within the shaded window each group has {minimum} persons at risk or more all the time.",
        "hidden": "All values are hidden: small counts",
    },
    "fr": {
        "title": "Personnes à risque et fenêtre commune à tous les groupes", "axis": "Personnes à risque",
        "window": "tous les groupes observés : {} à {} ans", "years": "années",
        "note": "Lecture aux temps marqués, entre lesquels chaque nombre de personnes est nul ou d'au moins {least} ; "
                "des droites les joignent. Dans la fenêtre ombrée chaque groupe a en permanence {minimum} personnes à "
                "risque ou plus.",
        "hidden": "Toutes les valeurs sont masquées : petits effectifs",
    },
}  # fmt: skip


def draw_window(found: CommonWindow, lang: Lang, min_count: int | None, years: float | None) -> Chart:
    """Make the picture of the persons at risk, with the window.

    Parameters
    ----------
    found : CommonWindow
        The window.
    lang : {"fr", "en"}
        Language.
    min_count : int or None
        Fewest persons an interval between two times may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Chart
        Persons at risk by group, the window shaded.

    Raises
    ------
    ParameterError
        If the language is unknown, or there are too many groups to tell apart.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    words, groups = _WORDS[lang], found.settings["groups"]
    if len(groups) > len(PALETTE):
        raise ParameterError(f"{len(groups)} groups cannot be told apart", f"at most {len(PALETTE)} in one picture")
    least = published_least(min_count)
    counts, labels, _ = count_groups(found.data, found.settings["by"])
    rows, _ = reporting_rows(counts, counts.events.sum(axis=2, keepdims=True), labels, least, years)
    table = rows.rename(columns={"events_0": "events"}).drop(columns="time")
    note = words["note"].format(least=least, minimum=found.settings["minimum"])
    release = declare(table, [], words["title"], note, ["events"])
    release = replace(release, labels=headings(release, lang))
    low, high = found.low / DAYS_PER_YEAR, found.high / DAYS_PER_YEAR

    def draw(shown: pd.DataFrame) -> Figure:
        if shown["at_risk"].isna().all():
            return draw_nothing(words["hidden"])
        figure = new_figure(7.4, 4.0)
        axis = figure.subplots()
        said = words["window"].format(*(format_number(end, 1, lang=lang) for end in (low, high)))
        axis.axvspan(low, high, color=ACCENT, alpha=0.09, lw=0, zorder=0, label=said)
        for at, group in enumerate(labels):
            part = shown if "group" not in shown else shown[shown["group"] == group]
            axis.plot(part["years"], part["at_risk"].astype(float), color=PALETTE[at], lw=1.8, marker="o", ms=2.8,
                      label=str(group))  # fmt: skip
        axis.axhline(found.settings["minimum"], color=MUTED, lw=0.9, ls=(0, (4, 3)))
        axis.set_ylim(bottom=0)
        axis.set_xlim(left=min(0.0, float(np.nanmin(shown["years"]))))
        axis.yaxis.set_major_formatter(lambda value, _: format_number(value, 0, lang=lang))
        axis.grid(axis="y", color=GRID, lw=0.7)
        axis.set_axisbelow(True)
        axis.set_ylabel(words["axis"])
        axis.set_xlabel(f"{SCALE_WORDS[found.data.scale][lang]} ({words['years']})")
        axis.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, fontsize=8.5)
        return dress_figure(figure, words["title"], note, 7.4)

    return Chart(release, draw, f"{words['title']}. {note}")
