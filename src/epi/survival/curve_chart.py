"""Pictures of curves, drawn from what may be published, with the numbers at risk beneath.

Curves are known at the published times only. Lines join these; they are no steps, since a step is a
person's day. A number at risk stands under a time at which the group's curve is read.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.plotting import GRID, MUTED, PALETTE, Chart, new_figure
from epi.stats.notation import format_number
from epi.survival.data import DAYS_PER_YEAR, SCALE_WORDS
from epi.survival.few import published_least
from epi.survival.groups import ALL
from epi.survival.incidence import incidence_columns
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
from epi.survival.reporting import (
    LABELS,
    release_incidence,
    tells_of_death,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epi.results import Release
    from epi.survival.curve_table import CurveTable
    from epi.survival.incidence import CumulativeIncidence
    from epi.survival.steps import Lang

_WORDS = {
    "en": {
        "survival": "Survival without event", "alive": "Survival", "survival_of": "Survival without {}",
        "hazard": "Cumulative hazard",
        "hazard_of": "Cumulative hazard of {}", "incidence": "Cumulative incidence of {}",
        "stack": "Cumulative incidence of {}", "free": "without event", "risk": "At risk", "years": "years",
        "and": "and", "from": "from {} years", "all": "All", "hidden": "All values are hidden: small counts",
        "some": "some values are hidden: small counts",
        "note": "{kind}, limits at {level} ({interval} scale, {variance}). Read at the times marked, between which "
                "each number of persons is nobody or at least {least}; lines join them, dotted where they are far "
                "apart. At risk: after the time above.",
        "stack_note": "{kind}. Read at times between which each number of persons is nobody or at least {least}; "
                      "lines join them. At risk: after the time above.",
        "weighted": "Curves are weighted, numbers at risk are not.",
        "few": "Clusters are few: limits are too narrow.", "net": "Net survival", "observed": "observed",
        "net_note": "Dashed: observed survival. Population: {}.",
    },
    "fr": {
        "survival": "Survie sans événement", "alive": "Survie", "survival_of": "Survie sans {}",
        "hazard": "Risque cumulé",
        "hazard_of": "Risque cumulé de {}", "incidence": "Incidence cumulée de {}",
        "stack": "Incidence cumulée de {}", "free": "sans événement", "risk": "À risque", "years": "années",
        "and": "et", "from": "à partir de {} ans", "all": "Ensemble",
        "hidden": "Toutes les valeurs sont masquées : petits effectifs",
        "some": "des valeurs sont masquées : petits effectifs",
        "note": "{kind}, limites à {level} (échelle {interval}, {variance}). Lecture aux temps marqués, entre lesquels "
                "chaque nombre de personnes est nul ou d'au moins {least} ; des droites les joignent, en pointillé "
                "s'ils sont éloignés. À risque : après le temps au-dessus.",
        "stack_note": "{kind}. Lecture à des temps entre lesquels chaque nombre de personnes est nul ou d'au moins "
                      "{least} ; des droites les joignent. À risque : après le temps au-dessus.",
        "weighted": "Les courbes sont pondérées, les nombres à risque ne le sont pas.",
        "few": "Grappes peu nombreuses : limites trop étroites.", "net": "Survie nette",
        "observed": "observée", "net_note": "Tirets : survie observée. Population : {}.",
    },
}  # fmt: skip
_VARIANCES = {
    "Greenwood": {"en": "Greenwood's variance", "fr": "variance de Greenwood"},
    "infinitesimal jackknife": {"en": "infinitesimal jackknife", "fr": "jackknife infinitésimal"},
    "jackknife": {"en": "infinitesimal jackknife", "fr": "jackknife infinitésimal"},
    "aalen": {"en": "Aalen's variance", "fr": "variance d'Aalen"},
    "Poisson increments": {"en": "variance of Poisson increments", "fr": "variance d'accroissements de Poisson"},
}
_SCALES = {"plain": {"en": "plain", "fr": "naturelle"}}
_HEADINGS = {
    "group": "Groupe", "years": "Années", "at_risk": "À risque après", "left": "Sortis sans événement",
    "entered": "Entrés", "events": "Événements depuis le temps précédent", "survival": "Survie",
    "hazard": "Risque cumulé", "observed": "Survie observée", "ci_low": "Basse", "ci_high": "Haute",
}  # fmt: skip


def draw_curves(
    found: CurveTable, kind: str, lang: Lang, min_count: int | None, years: float | None, cause: str | None = None
) -> Chart:
    """Make the picture of curves by group.

    Parameters
    ----------
    found : CurveTable
        The curves.
    kind : {"survival", "hazard", "incidence", "net"}
        What they are of.
    lang : {"fr", "en"}
        Language.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.
    cause : str, optional
        The cause of incidences.

    Returns
    -------
    Chart
        Curves with their limits, numbers at risk beneath; observed survival dashed beside net survival.
    """
    release = found.release(min_count=min_count, years=years)
    words = _check(found, lang, len(PALETTE))
    estimate, low, high = "survival" if kind == "net" else kind, "ci_low", "ci_high"
    named = cause if cause is not None else found.settings.get("cause")
    if kind == "incidence" and cause is not None:
        _, estimate, low, high = incidence_columns(found.data.causes)[cause]
        title = words["incidence"].format(named)
    elif named:
        title = words[f"{kind}_of"].format(named)
    else:
        title = words["alive" if kind == "survival" and tells_of_death(found.data) else kind]
    start = found.settings.get("conditional_on")
    if start is not None:
        title += ", " + words["from"].format(format_number(start / DAYS_PER_YEAR, 1, lang=lang))
    note = _note(found, min_count, words["note"], lang)
    if kind == "net":
        note += " " + words["net_note"].format(found.settings["life_table"])
    shown = _told(release, title, note, lang)
    groups = found.groups

    def draw(table: pd.DataFrame) -> Figure:
        parts = [(group, _part(table, group), PALETTE[at]) for at, group in enumerate(groups)]
        known = pd.concat([part.dropna(subset=[estimate]) for _, part, _ in parts])
        if known.empty:
            return draw_nothing(words["hidden"])
        figure, ticks = new_figure(7.4, 4.3 + 0.19 * len(groups)), tick_step(known["years"], years)
        axis = figure.subplots()
        for group, part, color in parts:
            x, y = part["years"].to_numpy(float), part[estimate].to_numpy(float)
            # Where the gate hid a value the line is broken.
            join_times(axis, x, y, ticks, color, words["all"] if group == ALL else str(group))
            if kind == "net":
                axis.plot(x, part["observed"].to_numpy(float), color=color, lw=1.2, ls=(0, (4, 2)))
            shade_limits(axis, x, y, part[low].to_numpy(float), part[high].to_numpy(float), color)
        if known["years"].size < sum(len(part) for _, part, _ in parts):
            axis.text(
                0.99, 0.98, words["some"], transform=axis.transAxes, ha="right", va="top", fontsize=8, color=MUTED
            )
        frame_time(axis, table["years"].min(), table["years"].max(), ticks, lang)
        axis.set_ylabel(title if len(title) < 45 else textwrap.shorten(title, 45, placeholder="…"))
        if kind == "hazard":
            axis.set_ylim(bottom=0)
            axis.yaxis.set_major_formatter(lambda value, _: format_number(value, 2, lang=lang))
        else:
            highest = float(known[[estimate, high]].max().max())
            if kind == "net":
                # Net survival may exceed 1; limits of the last few persons would make the curves small.
                axis.set_ylim(0, max(1.02, min(highest, 1.3)))
            else:
                axis.set_ylim(0, 1.02 if kind == "survival" or highest > 0.5 else max(highest * 1.15, 0.02))
            percent_axis(axis, lang)
        axis.grid(axis="y", color=GRID, lw=0.7)
        axis.set_axisbelow(True)
        axis.set_xlabel(_axis_label(found, words, lang))
        lines = [("" if group == ALL else str(group), part, color) for group, part, color in parts]
        write_numbers(axis, lines, ticks, lang, words["risk"])
        if len(groups) > 1:
            axis.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=min(len(groups), 5), fontsize=8.5)
        return dress_figure(figure, title, shown.note, 7.4)

    return Chart(shown, draw, f"{title}. {shown.note}")


def draw_incidence(
    found: CumulativeIncidence, cause: str | None, lang: Lang, min_count: int | None, years: float | None
) -> Chart:
    """Make the picture of the cumulative incidence of one cause, by group.

    Parameters
    ----------
    found : CumulativeIncidence
        The incidences.
    cause : str or None
        The cause; may be left out where there is one.
    lang : {"fr", "en"}
        Language.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Chart
        Curves with their limits, numbers at risk beneath.
    """
    name = found.causes[found.data.cause_number(cause) - 1]
    return draw_curves(found, "incidence", lang, min_count, years, name)


def draw_stack(found: CumulativeIncidence, lang: Lang, min_count: int | None, years: float | None) -> Chart:
    """Make the picture of all causes one on the other, a panel for each group.

    Parameters
    ----------
    found : CumulativeIncidence
        The incidences.
    lang : {"fr", "en"}
        Language.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Chart
        Shares with each cause and without event, numbers at risk beneath.

    Raises
    ------
    ParameterError
        If there are too many groups or causes to tell apart.
    """
    words = _check(found, lang, 4)
    causes = found.causes
    if len(causes) >= len(PALETTE):
        raise ParameterError(
            f"{len(causes)} causes cannot be told apart", f"at most {len(PALETTE) - 1}: take some together"
        )
    release = release_incidence(found, min_count, years)
    columns = incidence_columns(causes)
    listed = f" {words['and']} ".join([", ".join(causes[:-1]), causes[-1]]) if len(causes) > 1 else causes[0]
    title = words["stack"].format(listed)
    shown = _told(release, title, _note(found, min_count, words["stack_note"], lang), lang)
    groups = found.groups

    def draw(table: pd.DataFrame) -> Figure:
        parts = [(group, _part(table, group)) for group in groups]
        read = [columns[cause][1] for cause in causes]
        parts = [(group, part) for group, part in parts if part[read].notna().all(axis=1).sum() > 1]
        if not parts:
            return draw_nothing(words["hidden"])
        width, ticks = 3.1 * len(parts) + 3.0, tick_step(pd.concat([part["years"] for _, part in parts]), years)
        figure = new_figure(width, 4.4)
        axes = figure.subplots(1, len(parts), sharey=True, squeeze=False, gridspec_kw={"wspace": 0.12})[0]
        for axis, (group, part) in zip(axes, parts, strict=True):
            kept = part[part[read].notna().all(axis=1)]
            heights = [kept[column].to_numpy(float) for column in read]
            rest = np.maximum(1 - np.sum(heights, axis=0), 0)
            axis.stackplot(kept["years"].to_numpy(float), *heights, rest, colors=[*PALETTE[: len(causes)], "#eef1f4"],
                           labels=[*causes, words["free"]], lw=0)  # fmt: skip
            frame_time(axis, kept["years"].min(), kept["years"].max(), ticks, lang)
            axis.set_ylim(0, 1)
            percent_axis(axis, lang)
            if len(groups) > 1:
                axis.set_title(str(group), fontsize=9.5)
            axis.set_xlabel(_axis_label(found, words, lang))
            write_numbers(axis, [(words["risk"] if axis is axes[0] else "", part, MUTED)], ticks, lang, "")
        handles, labels = axes[-1].get_legend_handles_labels()
        # In the order of the picture, from top to bottom.
        axes[-1].legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8.5)
        return dress_figure(figure, title, shown.note, width)

    return Chart(shown, draw, f"{title}. {shown.note}")


def _check(found: Any, lang: str, most: int) -> dict[str, str]:
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en")
    if len(found.groups) > most:
        raise ParameterError(f"{len(found.groups)} groups cannot be told apart", f"at most {most} in one picture",
                             "data.select(...) some of them")  # fmt: skip
    return _WORDS[lang]


def _told(release: Release, title: str, note: str, lang: Lang) -> Release:
    return replace(release, title=title, note=note, labels=headings(release, lang))


def headings(release: Release, lang: Lang) -> dict[str, str]:
    """Give the headings of a table of a curve in a language.

    Parameters
    ----------
    release : Release
        The table, with its headings in English.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    dict
        Column to heading.
    """
    if lang == "en":
        return dict(release.labels)
    found = {}
    for name, word in release.labels.items():
        # Words of a cause stand before a colon, whatever the language.
        cause, _, _ = word.rpartition(": ")
        stem = name.rsplit("_", 1)[0] if name not in LABELS else name
        said = {"incidence": "incidence cumulée", "Net survival": "Survie nette"}.get(
            stem if stem == "incidence" else word, _HEADINGS.get(stem, word)
        )
        found[name] = f"{cause} : {said.lower()}" if cause else said
    return found


def _note(found: Any, min_count: int | None, pattern: str, lang: Lang) -> str:
    settings = found.settings
    interval = _SCALES.get(settings["interval"], {}).get(lang, settings["interval"])
    level = format_number(100 * settings["level"], 0, lang=lang) + (" %" if lang == "fr" else "%")
    text = pattern.format(
        kind=settings["estimator"], level=level, interval=interval, variance=_VARIANCES[settings["variance"]][lang],
        least=published_least(min_count),
    )  # fmt: skip
    words = _WORDS[lang]
    told = [(settings["weights"], "weighted"), (settings.get("few_clusters", False), "few")]
    return " ".join([text, *(words[name] for there, name in told if there)])


def _part(table: pd.DataFrame, group: str) -> pd.DataFrame:
    return table if "group" not in table else table[table["group"] == group]


def _axis_label(found: Any, words: dict[str, str], lang: Lang) -> str:
    return f"{SCALE_WORDS[found.data.scale][lang]} ({words['years']})"
