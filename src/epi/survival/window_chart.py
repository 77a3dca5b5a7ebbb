"""Pictures of the times at which each group is observed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.errors import DisclosureError, ParameterError
from epi.plotting import ACCENT, GRID, MUTED, PALETTE, Chart, new_figure
from epi.results import Counted, Release
from epi.stats.notation import format_number
from epi.survival.counting import after_days
from epi.survival.curve_chart import headings
from epi.survival.data import DAYS_PER_YEAR, SCALE_WORDS
from epi.survival.few import published_least
from epi.survival.groups import count_groups
from epi.survival.picture import draw_nothing, dress_figure
from epi.survival.reporting import LABELS, reporting_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from epi.survival.counting import DayCounts
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
    DisclosureError
        If no number of persons may be told.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    words, groups = _WORDS[lang], found.settings["groups"]
    if len(groups) > len(PALETTE):
        raise ParameterError(f"{len(groups)} groups cannot be told apart", f"at most {len(PALETTE)} in one picture")
    least = published_least(min_count)
    table = _readings(found, least, years)
    labels = list(dict.fromkeys(table["group"]))
    note = words["note"].format(least=least, minimum=found.settings["minimum"])
    release = Release(
        table if len(groups) > 1 else table.drop(columns="group"),
        (Counted("at_risk"),), words["title"], note, ("years",), dict(LABELS),
    )  # fmt: skip
    release = replace(release, labels={name: said for name, said in headings(release, lang).items() if name in table})
    low, high = found.low / DAYS_PER_YEAR, found.high / DAYS_PER_YEAR

    def draw(shown: pd.DataFrame) -> Figure:
        if shown["at_risk"].isna().all():
            return draw_nothing(words["hidden"])
        figure = new_figure(7.4, 4.0)
        axis = figure.subplots()
        said = words["window"].format(*(format_number(end, 1, lang=lang) for end in (low, high)))
        axis.axvspan(low, high, color=ACCENT, alpha=0.09, lw=0, zorder=0, label=said)
        for group in labels:
            part = shown if "group" not in shown else shown[shown["group"] == group]
            color = PALETTE[groups.index(group)]
            axis.plot(part["years"], part["at_risk"].astype(float), color=color, lw=1.8, marker="o", ms=2.8,
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


def _readings(found: CommonWindow, least: int, years: float | None) -> pd.DataFrame:
    """Count the persons at risk, at times that tell nothing beside the curves within the window.

    Two numbers of persons at risk at neighbouring times are those who left between. So the times within the window are
    those of its curves, whose numbers are the same; others are as far from them as curves' times are from each other.
    """
    by, groups = found.settings["by"], list(found.settings["groups"])
    whole, labels, _ = count_groups(found.data, by)
    everywhere = _times(whole, labels, least, years)
    inner, names, _ = count_groups(found.inside, by)
    within = _times(inner, names, least, years)
    parts = []
    for group in groups:
        at = labels.index(group)
        events = whole.events[at].sum(axis=1)
        counters = np.vstack([events, whole.left[at] - events, whole.entered[at]]).cumsum(axis=1)
        days = _joined(everywhere.get(group, []), within.get(group, []), found, counters, whole.first, least)
        place = np.array(days, dtype=np.int64)
        risk = after_days(whole)[at, place - whole.first]
        parts.append(pd.DataFrame({"group": group, "years": np.round(place / DAYS_PER_YEAR, 2), "at_risk": risk}))
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        raise DisclosureError(f"no number of persons at risk may be told of fewer than {least}", "larger groups")
    return table


def _times(counts: DayCounts, labels: Sequence[str], least: int, years: float | None) -> dict[str, list[int]]:
    """Give the days at which each group's curve may be read; nothing where no group has any."""
    try:
        rows, _ = reporting_rows(counts, counts.events.sum(axis=2, keepdims=True), labels, least, years)
    except DisclosureError:
        return {}
    return {str(group): part["time"].tolist() for group, part in rows.groupby("group", sort=False)}


def _joined(
    everywhere: list[int], within: list[int], found: CommonWindow, counters: NDArray[np.int64], first: int, least: int
) -> list[int]:
    """Join the times within the window with those outside, leaving out the ones from which few have come or gone."""

    def told(low: int, high: int) -> bool:
        there = counters[:, high - first] - counters[:, low - first]
        return bool(((there == 0) | (there >= least)).all())

    before = [day for day in everywhere if day < found.low]
    after = [day for day in everywhere if day >= found.high]
    # Where no curve of the group can be read, tests still tell how many persons its window holds.
    ends = [within[0], within[-1]] if within else [found.low, found.high]
    while before and not all(told(before[-1], end) for end in ends):
        before.pop()
    while after and not all(told(end, after[0]) for end in ends):
        after.pop(0)
    return [*before, *within, *after]
