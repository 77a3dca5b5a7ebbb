"""Lead time as it may be published, and its picture: ages at diagnosis, and survival on both scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.results import Counted, Release
from epi.stats.notation import format_number
from epi.survival.picture import draw_nothing, dress_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epi.survival.lead_time import LeadTime
    from epi.survival.steps import Lang

MOST = 8
DECIMALS = 3
_SCALES = ("since_diagnosis", "age")
_WORDS = {
    "en": {
        "title": "Age at diagnosis, and survival since diagnosis and since birth", "group": "Group",
        "persons": "Persons",
        "age_q1": "Age at diagnosis, first quartile", "age_median": "Age at diagnosis, median",
        "age_q3": "Age at diagnosis, third quartile", "since_diagnosis": "since diagnosis", "age": "since birth",
        "events": "Events {}", "survival": "Survival {}", "low": "Low {}", "high": "High {}",
        "ages": "Age at diagnosis (years): quartiles and median", "axis": "Survival over {} years", "hidden": "hidden",
        "nothing": "All values are hidden: small counts",
        "note": "Survival from {a} to {b} years since diagnosis, and from {c} to {d} years of age, among those without "
                "event at the start, with limits at {level}. The same persons, at risk from diagnosis on. A gain since "
                "diagnosis that is not there since birth is lead time.",
    },
    "fr": {
        "title": "Âge au diagnostic, et survie depuis le diagnostic et depuis la naissance", "group": "Groupe",
        "persons": "Personnes", "age_q1": "Âge au diagnostic, premier quartile",
        "age_median": "Âge au diagnostic, médiane",
        "age_q3": "Âge au diagnostic, troisième quartile", "since_diagnosis": "depuis le diagnostic",
        "age": "depuis la naissance", "events": "Événements {}", "survival": "Survie {}",
        "low": "Basse {}", "high": "Haute {}", "ages": "Âge au diagnostic (années) : quartiles et médiane",
        "axis": "Survie sur {} ans", "hidden": "masqué",
        "nothing": "Toutes les valeurs sont masquées : petits effectifs",
        "note": "Survie de {a} à {b} ans depuis le diagnostic, et de {c} à {d} ans d'âge, parmi les personnes sans "
                "événement au début, limites à {level}. Mêmes personnes, à risque à partir du diagnostic. Un gain "
                "depuis le diagnostic, absent depuis la naissance, est un biais d'avance au diagnostic.",
    },
}  # fmt: skip


def release_lead_time(found: LeadTime, lang: Lang) -> Release:
    """Say what would be published of a lead time.

    Parameters
    ----------
    found : LeadTime
        Ages at diagnosis and survival.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Release
        A row for each group; survival falls with the persons and events it rests on.

    Raises
    ------
    ParameterError
        If the language is unknown.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    words = _WORDS[lang]
    ages = ("age_q1", "age_median", "age_q3")
    table = found.table[["group", "persons", *ages]].copy()
    for name in ages:
        # Two decimals of a year are four days: nobody's own age at diagnosis.
        table[name] = table[name].round(2)
    labels = {name: words[name] for name in ("group", "persons", *ages)}
    counts = [Counted("persons", adds_up_within=(), derived=ages)]
    ends = []
    for scale in _SCALES:
        part = found.survival[found.survival["scale"] == scale].reset_index(drop=True)
        ends += [part["from_years"].iloc[0], part["to_years"].iloc[0]]
        values = [f"{scale}_{name}" for name in ("survival", "low", "high")]
        table[f"{scale}_events"] = part["events"]
        for name, source in zip(values, ("survival", "ci_low", "ci_high"), strict=True):
            table[name] = part[source].round(DECIMALS)
        counts.append(Counted(f"{scale}_events", of="persons", derived=tuple(values)))
        labels |= {
            f"{scale}_{name}": words[name].format(words[scale]) for name in ("events", "survival", "low", "high")
        }
    level = format_number(100 * found.settings["level"], 0, lang=lang) + (" %" if lang == "fr" else "%")
    a, b, c, d = (format_number(float(end), 1, lang=lang) for end in ends)
    return Release(table, tuple(counts), words["title"], words["note"].format(a=a, b=b, c=c, d=d, level=level),
                   labels=labels)  # fmt: skip


def draw_lead_time(found: LeadTime, lang: Lang) -> Chart:
    """Make the picture of a lead time.

    Parameters
    ----------
    found : LeadTime
        Ages at diagnosis and survival.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        Ages at the left, survival on both scales at the right.

    Raises
    ------
    ParameterError
        If the language is unknown, or there are too many groups.
    """
    release = release_lead_time(found, lang)
    words, groups = _WORDS[lang], found.settings["groups"]
    if len(groups) > MOST:
        raise ParameterError(f"{len(groups)} groups do not fit in one picture", f"at most {MOST}")

    def draw(table: pd.DataFrame) -> Figure:
        from matplotlib.ticker import MaxNLocator

        if table.drop(columns="group").isna().all(axis=None):
            return draw_nothing(words["nothing"])
        figure = new_figure(8.6, 2.1 + 0.5 * len(table))
        left, right = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(table))[::-1].astype(float)
        for place, row in zip(places, table.to_dict("records"), strict=True):
            if pd.isna(row["age_median"]):
                left.text(0.5, place, words["hidden"], transform=left.get_yaxis_transform(), ha="center", va="center",
                          color=MUTED, style="italic", fontsize=8.5)  # fmt: skip
            else:
                if pd.notna(row["age_q1"]) and pd.notna(row["age_q3"]):
                    left.plot([row["age_q1"], row["age_q3"]], [place] * 2, color=INK, lw=5, alpha=0.3,
                              solid_capstyle="butt")  # fmt: skip
                left.plot([row["age_median"]], [place], marker="o", color=INK, ms=6, clip_on=False)
            for scale, color, lift in zip(_SCALES, (WARM, ACCENT), (0.14, -0.14), strict=True):
                value, low, high = (row[f"{scale}_{name}"] for name in ("survival", "low", "high"))
                if pd.isna(value):
                    right.text(0.5, place + lift, words["hidden"], transform=right.get_yaxis_transform(), ha="center",
                               va="center", color=color, style="italic", fontsize=8)  # fmt: skip
                    continue
                if pd.notna(low) and pd.notna(high):
                    right.plot([low, high], [place + lift] * 2, color=color, lw=1.6)
                right.plot([value], [place + lift], marker="s", ms=5.5, color=color)
        for scale, color in zip(_SCALES, (WARM, ACCENT), strict=True):
            right.plot([], [], marker="s", color=color, lw=1.6, label=words[scale])
        left.set_yticks(places, [str(group) for group in table["group"]])
        left.set_ylim(-0.6, len(table) - 0.4)
        left.set_xlim(left=0)
        left.set_xlabel(words["ages"])
        left.xaxis.set_major_formatter(lambda value, _: format_number(value, 1 if value % 1 else 0, lang=lang))
        right.set_xlabel(words["axis"].format(format_number(float(found.settings["years"]), 0, lang=lang)))
        right.xaxis.set_major_locator(MaxNLocator(6))
        right.xaxis.set_major_formatter(
            lambda value, _: format_number(100 * value, 0, lang=lang) + (" %" if lang == "fr" else "%")
        )
        right.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=8.5)
        for axis in (left, right):
            axis.grid(axis="x", color=GRID, lw=0.7)
            axis.set_axisbelow(True)
            axis.tick_params(axis="y", left=False)
            axis.spines["left"].set_visible(False)
        return dress_figure(figure, words["title"], release.note, 8.6)

    return Chart(release, draw, f"{words['title']}. {release.note}")
