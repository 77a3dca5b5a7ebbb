"""The Lexis diagram without lines of persons: person-time and events by cell of age and calendar time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.plotting import HIDDEN, INK, MUTED, WARM, Chart, new_figure
from epi.stats.notation import format_number
from epi.survival.lexis import band_labels
from epi.survival.picture import draw_nothing, dress_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from epi.survival.rates import Rates
    from epi.survival.steps import Lang

_WORDS = {
    "en": {
        "title": "Lexis diagram: person-time and events ({})", "person_years": "Person-years", "events": "Events",
        "x": "Calendar year", "y": "Age (years)", "hidden": "hidden: small count", "unseen": "never observed",
        "start": "observation begins", "nothing": "All values are hidden: small counts",
        "note": "A life runs along a diagonal. {hatched}Grey cells are hidden; white ones hold no time at risk.",
        "hatched": "Before {year} nobody is observed: what happened there, to those born before, cannot be estimated. ",
        "age_band": "Age", "period": "Period", "persons": "Persons",
    },
    "fr": {
        "title": "Diagramme de Lexis : temps à risque et événements ({})", "person_years": "Personnes-années",
        "events": "Événements", "x": "Année", "y": "Âge (années)", "hidden": "masqué : petit effectif",
        "unseen": "jamais observé", "start": "début de l'observation",
        "nothing": "Toutes les valeurs sont masquées : petits effectifs",
        "note": "Une vie suit une diagonale. {hatched}Les cases grises sont masquées ; les blanches sont sans temps à "
                "risque.",
        "hatched": "Avant {year} personne n'est observé : ce qui s'y est passé, chez ceux nés avant, ne peut être "
                   "estimé. ",
        "age_band": "Âge", "period": "Période", "persons": "Personnes",
    },
}  # fmt: skip
CELLS = 30
"""Cells along a side with numbers written in them; more are colours only."""


def draw_lexis(found: Rates, registry: int | None, lang: Lang) -> Chart:
    """Make the diagram.

    Parameters
    ----------
    found : Rates
        Rates by age and period.
    registry : int or None
        Year in which observation begins.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        Person-years at the left, events at the right.

    Raises
    ------
    ParameterError
        If the rates are not by age and period alone, or the language is unknown.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    settings = found.settings
    if settings["by"] or settings["age_bands"] is None or settings["periods"] is None:
        raise ParameterError("the rates are not by age and period alone", "cells of both, without groups",
                             "estimate_rates(data, age_bands=..., periods=...).chart_lexis()")  # fmt: skip
    words = _WORDS[lang]
    ages, years = _sides(found, "age_bands", "age"), _sides(found, "periods", "calendar")
    release = found.release()
    release = replace(
        release, table=release.table.drop(columns=["rate", "ci_low", "ci_high"]),
        counts=tuple(replace(one, derived=tuple(name for name in one.derived if name in ("events", "person_years")))
                     for one in release.counts),
        title=words["title"].format(settings["event"]),
        note=words["note"].format(hatched=words["hatched"].format(year=registry) if registry is not None else ""),
        labels={name: words[name] for name in ("age_band", "period", "persons", "events", "person_years")},
    )  # fmt: skip

    def draw(table: pd.DataFrame) -> Figure:
        if table["person_years"].isna().all():
            return draw_nothing(words["nothing"])
        figure = new_figure(10.4, 5.6)
        axes = figure.subplots(1, 2, sharey=True, sharex=True)
        for axis, name, color in zip(axes, ("person_years", "events"), ("Blues", "Oranges"), strict=True):
            _heat(axis, table, name, color, ages, years, words, lang)
            axis.set_title(words[name], fontsize=9.5)
            axis.set_xlabel(words["x"])
            if registry is not None:
                _unseen(axis, registry, _oldest(table, ages, years), words, axis is axes[0])
        axes[0].set_ylabel(words["y"])
        return dress_figure(figure, release.title, release.note, 10.4)

    return Chart(release, draw, f"{release.title}. {release.note}")


def _sides(found: Rates, setting: str, scale: str) -> dict[str, tuple[float, float]]:
    """Give the ends of each band on its axis; open ones are as wide as their neighbour, whoever lived longest."""
    breaks = [float(value) for value in found.settings[setting]]
    widths = np.diff(breaks).tolist() or [5.0]
    first = breaks[0] - widths[0]
    ends = [max(first, 0.0) if scale == "age" else first, *breaks, breaks[-1] + widths[-1]]
    return {label: (ends[at], ends[at + 1]) for at, label in enumerate(band_labels(scale, breaks))}


def _oldest(table: pd.DataFrame, ages: dict[str, tuple[float, float]], years: dict[str, tuple[float, float]]) -> float:
    """Give the age, at the top of its band, up to which cells of the first period are shown."""
    shown = table[table["person_years"].notna()]
    start = min(years[label][0] for label in shown["period"].astype(str))
    early = [label for label in shown["period"].astype(str).unique() if years[label][0] == start]
    return max(ages[label][1] for label in shown.loc[shown["period"].isin(early), "age_band"].astype(str))


def _heat(
    axis: Axes, table: pd.DataFrame, name: str, color: str, ages: dict[str, tuple[float, float]],
    years: dict[str, tuple[float, float]], words: dict[str, str], lang: Lang,
) -> None:  # fmt: skip
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    shades = mpl.colormaps[color]
    top = float(np.nanmax([*table[name].to_numpy(float), 1.0]))
    written = len(table) <= CELLS * 3
    masked = False
    for row in table.to_dict("records"):
        (x0, x1), (y0, y1) = years[str(row["period"])], ages[str(row["age_band"])]
        value = row[name]
        gone = pd.isna(value)
        masked = masked or gone
        # From pale to middle: numbers stay readable on every shade.
        shade: Any = HIDDEN if gone else shades(0.06 + 0.6 * float(value) / top)
        axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=shade, edgecolor="white", lw=0.8, zorder=1))
        if written:
            text = "–" if gone else format_number(float(value), 0, lang=lang)
            axis.text((x0 + x1) / 2, (y0 + y1) / 2, text, ha="center", va="center", fontsize=7,
                      color=MUTED if gone else INK, zorder=3)  # fmt: skip
    shown_years = [years[label] for label in dict.fromkeys(table["period"].astype(str))]
    shown_ages = [ages[label] for label in dict.fromkeys(table["age_band"].astype(str))]
    axis.set_xlim(min(low for low, _ in shown_years), max(high for _, high in shown_years))
    axis.set_ylim(min(low for low, _ in shown_ages), max(high for _, high in shown_ages))
    ticks = sorted({low for low, _ in shown_years})
    axis.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks], rotation=45, ha="right", rotation_mode="anchor")
    ticks = _spaced(sorted({low for low, _ in shown_ages}), axis.get_ylim())
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.tick_params(length=2, labelsize=8)
    if masked:
        axis.add_patch(Rectangle((0, 0), 0, 0, facecolor=HIDDEN, label=words["hidden"]))


def _spaced(ticks: list[float], ends: tuple[float, float]) -> list[float]:
    """Leave out ticks that stand too near the one before."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or tick - kept[-1] > 0.03 * (ends[1] - ends[0]):
            kept.append(tick)
    return kept


def _unseen(axis: Axes, registry: int, oldest: float, words: dict[str, str], named: bool) -> None:
    """Hatch what no patient was observed in: the years before, at the ages that those shown had then."""
    from matplotlib.patches import Polygon

    low, high = axis.get_ylim()
    born = registry - oldest
    left = min(born + low, axis.get_xlim()[0])
    if oldest > high:
        corners = [(left, low), (registry, low), (registry, high), (born + high, high), (left, max(left - born, low))]
    else:
        corners = [(left, low), (registry, low), (registry, oldest), (left, max(left - born, low))]
    axis.add_patch(Polygon(corners, closed=True, facecolor="none", edgecolor=MUTED, hatch="////", lw=0, zorder=2,
                           label=words["unseen"]))  # fmt: skip
    axis.set_xlim(left, axis.get_xlim()[1])
    before = [year for year in np.arange(np.ceil(left / 10) * 10, registry - 4, 10).tolist() if year >= left]
    ticks = [*before, *axis.get_xticks()]
    axis.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks], rotation=45, ha="right", rotation_mode="anchor")
    axis.axvline(registry, color=WARM, lw=1.6, zorder=4)
    axis.annotate(words["start"], (registry, 0.985), xycoords=("data", "axes fraction"), xytext=(-4, 0),
                  textcoords="offset points", ha="right", va="top", rotation=90, fontsize=8, color=WARM, zorder=5,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85})  # fmt: skip
    if named:
        x, y = registry - 0.25 * (registry - left), low + 0.3 * (min(oldest, high) - low)
        axis.text(x, y, words["unseen"], ha="center", va="center", fontsize=8.5, color=INK, zorder=4,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 2, "alpha": 0.85})  # fmt: skip
