"""Hazard ratios as they may be published, and their forest plot: labels, ratios with limits, numbers of events."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.arguments import check_mapping
from epi.errors import ParameterError
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.results import Counted, Release
from epi.stats.notation import format_number, format_p, format_ratio
from epi.stats.ratio_axis import axis_limits, decimals, log_ticks
from epi.survival.few import small_side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from epi.survival.data import SurvivalData
    from epi.survival.ratio_table import RatioTable
    from epi.survival.terms import Terms

Lang = Literal["fr", "en"]
RATIO, P, PERSONS, EVENTS = 0.45, 0.6, 0.77, 0.97
"""Right ends of the columns of numbers."""
MEASURES = {"cox": "HR", "fine-gray": "SHR", "rates": "RR", "flexible": "HR", "excess": "EHR"}
RATIOS = {
    "cox": "hazard_ratio", "fine-gray": "hazard_ratio", "rates": "rate_ratio", "flexible": "hazard_ratio",
    "excess": "hazard_ratio",
}  # fmt: skip
BLANK = "\u00a0"
"""A blank at which no line breaks."""
DIGITS = 4
"""Digits of a published ratio: all digits of an estimate would tell its counts."""
_WORDS = {
    "en": {
        "covariate": "Covariate", "level": "Value", "persons": "Persons", "events": "Events", "estimate": "{}",
        "with": "With an event",
        "ci_low": "Low", "ci_high": "High", "p": "p", "reference": "reference",
        "axis": "{} (log scale)", "lower": "lower hazard", "higher": "higher hazard", "ci": "({}% CI)",
        "no limits": "known in too few clusters", "no tests": "tests hidden: small counts",
        "hidden": "hidden: small count", "cox": "Hazard ratios of {}",
        "fine-gray": "Subdistribution hazard ratios of {}",
        "HR": "HR", "SHR": "SHR", "RR": "RR", "any event": "any event", "rates": "Rate ratios of {}", "all": "all",
        "EHR": "EHR", "excess": "Ratios of excess hazards of {}",
        "flexible": "Hazard ratios of {}", "spline": "Flexible parametric model (Royston-Parmar), Wald tests",
        "esteve": "Excess over the population's hazard (Estève), Wald tests",
        "poisson": "Poisson model of events over person-time, Wald F tests", "CR2": "robust (CR2)",
        "CR1": "robust (CR1)", "model": "model", "nothing": "All values are hidden: small counts",
        "note": "{how}; limits at {level}, {variance} variance{strata}. One more unit of numbers; values against the "
                "reference of others. {tests}",
        "robust": "robust", "information": "model", "estimated weights": "Fine and Gray's",
        "strata": ", a baseline hazard for each stratum",
        "efron": "Efron's ties", "breslow": "Breslow's ties", "likelihood ratio": "likelihood ratio", "wald": "Wald",
        "score": "score", "robust score": "robust score", "weights": " Estimates are weighted, numbers are not.",
    },
    "fr": {
        "covariate": "Covariable", "level": "Valeur", "persons": "Personnes", "events": "Événements", "estimate": "{}",
        "with": "Avec événement",
        "ci_low": "Basse", "ci_high": "Haute", "p": "p", "reference": "référence",
        "axis": "{} (échelle log)", "lower": "risque moindre", "higher": "risque accru", "ci": "(IC à {} %)",
        "no limits": "connu de trop peu de grappes", "no tests": "tests masqués : petits effectifs",
        "hidden": "masqué : petit effectif", "cox": "Rapports de risques instantanés : {}",
        "fine-gray": "Rapports de risques de sous-distribution : {}",
        "HR": "HR", "SHR": "SHR", "RR": "RR", "any event": "tout événement", "rates": "Rapports de taux : {}",
        "EHR": "EHR", "excess": "Rapports de risques en excès : {}", "death": "décès",
        "flexible": "Rapports de risques instantanés : {}",
        "spline": "Modèle paramétrique flexible (Royston-Parmar), tests de Wald",
        "esteve": "Excès sur le risque de la population (Estève), tests de Wald",
        "poisson": "Modèle de Poisson des événements sur le temps à risque, tests F de Wald", "CR2": "robuste (CR2)",
        "CR1": "robuste (CR1)", "model": "du modèle", "all": "ensemble",
        "nothing": "Toutes les valeurs sont masquées : petits effectifs",
        "note": "{how} ; limites à {level}, variance {variance}{strata}. Une unité de plus pour les nombres ; chaque "
                "valeur contre la référence pour les autres. {tests}",
        "robust": "robuste", "information": "du modèle", "estimated weights": "de Fine et Gray",
        "strata": ", un risque de base par strate",
        "efron": "Ex æquo d'Efron", "breslow": "Ex æquo de Breslow", "likelihood ratio": "rapport de vraisemblance",
        "wald": "Wald", "score": "score", "robust score": "score robuste",
        "weights": " Les estimations sont pondérées, les effectifs ne le sont pas.",
    },
}  # fmt: skip


def release_ratios(model: RatioTable, lang: Lang = "en", names: Mapping[str, str] | None = None) -> Release:
    """Say what would be published of a model's ratios.

    Parameters
    ----------
    model : RatioTable
        The model.
    lang : {"fr", "en"}, optional
        Language of headings and notes.
    names : mapping, optional
        What covariates are called, by column.

    Returns
    -------
    Release
        A row for each number, and for each value of the others, with its persons and events; ratios fall with
        the counts they come from.

    Raises
    ------
    ParameterError
        If the language or a name is unknown.
    """
    words, settings = ratio_words(lang), model.settings
    called = check_mapping("names", names, "what covariates are called, by column", do="names={'sex': 'Sexe'}")
    unknown = sorted(called.keys() - set(model.terms.covariates))
    if unknown:
        raise ParameterError(f"names has {', '.join(unknown)}", f"covariates: {', '.join(model.terms.covariates)}")
    rows = []
    estimates = model.table.set_index("term")
    for name, level, column, inside in values_of(model.data, model.terms):
        told: dict[str, Any] = {
            "covariate": called.get(name, name),
            "level": level,
            "persons": len(np.unique(model.data.person[inside])),
            # Persons, also where they have several events: what is published counts persons.
            "events": len(np.unique(model.data.person[inside & (model.data.event == settings["event_code"])])),
        }
        if column is None:
            # The reference: a ratio of 1 that nobody estimated.
            told |= {"estimate": 1.0, "ci_low": np.nan, "ci_high": np.nan, "p": np.nan}
        else:
            one = estimates.loc[column]
            # A ratio of which clusters tell no error is not told alone.
            known = np.isfinite(one["ci_low"])
            told |= {
                "estimate": _digits(one[RATIOS[settings["model"]]]) if known else np.nan,
                "ci_low": _digits(one["ci_low"]), "ci_high": _digits(one["ci_high"]), "p": _digits(one["p"]),
            }  # fmt: skip
        rows.append(told)
    table = pd.DataFrame(rows)
    fallen = ("estimate", "ci_low", "ci_high", "p")
    measure = words[MEASURES[settings["model"]]]
    labels = {str(name): words[str(name)].format(measure) for name in table}
    if settings["repeated"]:
        labels["events"] = words["with"]
    # A test beside hidden cells would tell of the ratio that falls with them.
    few = small_side(table["persons"], table["events"])
    tests = words["no tests"] if few else _tests(model.tests, {**words, **called}, lang)
    level = format_number(100 * settings["level"], 0, lang=lang) + (" %" if lang == "fr" else "%")
    note = words["note"].format(
        how=words[settings["ties"]], level=level, variance=words[settings["variance"]],
        strata=words["strata"] if settings["strata_labels"] else "", tests=tests[:1].upper() + tests[1:] + ".",
    )  # fmt: skip
    return Release(
        table,
        (
            Counted("persons", adds_up_within=("covariate",), derived=("events", *fallen)),
            Counted("events", of="persons", adds_up_within=("covariate",), derived=fallen),
        ),
        words[settings["model"]].format(words.get(settings["event"], settings["event"])),
        note + (words["weights"] if settings["weights"] else ""),
        labels=labels,
    )


def _tests(tests: pd.DataFrame, words: Mapping[str, str], lang: Lang) -> str:
    return (" ; " if lang == "fr" else "; ").join(
        f"{words.get(row['test'], row['test'])} {format_number(row['statistic'], 2, lang=lang)} ({row['df']}), "
        f"p{BLANK}{format_p(row['p'], sign=f'={BLANK}', lang=lang)}"
        for row in tests.to_dict("records")
        if np.isfinite(row["statistic"])
    )


def values_of(data: SurvivalData, terms: Terms) -> list[tuple[str, str, str | None, Any]]:
    """List the published rows of a model.

    Parameters
    ----------
    data : SurvivalData
        The model's follow-up.
    terms : Terms
        How covariates became columns.

    Returns
    -------
    list of tuple
        Covariate, value, column of the design (None for a reference), mask of the rows of the data.
    """
    everybody = np.ones(len(data), dtype=bool)
    found: list[tuple[str, str, str | None, Any]] = []
    for name in terms.covariates:
        column = data.covariates[name]
        if name in terms.levels:
            for at, level in enumerate(terms.levels[name]):
                found.append((name, str(level), f"{name}: {level}" if at else None, (column == level).to_numpy()))
        elif set(column.unique()) <= {0, 1}:
            held = column.to_numpy(dtype=np.float64) == 1
            found += [(name, "0", None, ~held), (name, "1", name, held)]
        else:
            found.append((name, "", name, everybody))
    return found


def _digits(value: Any) -> float:
    return float(f"{float(value):.{DIGITS - 1}e}")


def draw_ratios(model: RatioTable, lang: Lang = "en", names: Mapping[str, str] | None = None) -> Chart:
    """Make the forest plot of a model.

    Parameters
    ----------
    model : RatioTable
        The model.
    lang : {"fr", "en"}, optional
        Language.
    names : mapping, optional
        What covariates are called, by column.

    Returns
    -------
    Chart
        The figure and its table.
    """
    release = release_ratios(model, lang, names)
    words = _WORDS[lang]
    measure = words[MEASURES[model.settings["model"]]]
    level = f"{measure} {words['ci'].format(format_number(100 * model.settings['level'], 0, lang=lang))}"

    def draw(shown: pd.DataFrame) -> Figure:
        return draw_rows(
            shown, release.title, release.note, measure, level, {**words, "events": release.labels["events"]}, lang
        )

    return Chart(release, draw, f"{release.title}. {release.note}")


def ratio_words(lang: Lang) -> dict[str, str]:
    """Give the words of tables and pictures of ratios.

    Parameters
    ----------
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    dict
        Words.

    Raises
    ------
    ParameterError
        If the language is unknown.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    return _WORDS[lang]


def draw_rows(
    shown: pd.DataFrame, title: str, note: str, measure: str, interval: str, words: dict[str, str], lang: Lang
) -> Figure:
    """Draw rows of ratios: labels at the left, intervals in the middle, numbers at the right.

    Parameters
    ----------
    shown : pandas.DataFrame
        `covariate`, `level` (empty for one row a covariate), `persons`, `events`, `estimate`, `ci_low`, `ci_high`, `p`,
        and `reason` where rows may have no estimate.
    title, note : str
        Above and below.
    measure, interval : str
        Name of the ratio; heading of its column.
    words : dict
        As :func:`ratio_words`.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    rows = len(shown)
    single = shown["level"] == ""
    reference = shown["ci_low"].isna() & (shown["estimate"] == 1.0)
    labels = [
        name if alone else f"{name}: {level}" if lang == "en" else f"{name} : {level}"
        for name, level, alone in zip(shown["covariate"], shown["level"], single, strict=True)
    ]
    wide = min(0.5 + 0.075 * max(map(len, labels)), 4.5)
    width = wide + 8.0
    figure = new_figure(width, 1.75 + 0.36 * rows)
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=[wide, 3.4, 4.6])
    figure.get_layout_engine().set(w_pad=0, wspace=0)  # type: ignore[union-attr,call-arg]
    places = np.arange(rows)[::-1]
    top = rows - 0.1
    middle.set_ylim(-0.7, rows + 0.3)
    for axis in (left, right):
        axis.set_axis_off()
        axis.set_xlim(0, 1)
    for axis in (left, middle, right):
        for place in places[::2]:
            axis.axhspan(place - 0.5, place + 0.5, color="#f6f7f9", lw=0, zorder=0)
    known = shown[~reference]
    low, high = axis_limits(known)
    heads = ((RATIO, interval), (P, "p"), (PERSONS, words["persons"]), (EVENTS, words["events"]))
    for x, text in heads:
        right.text(x, top, text, color=MUTED, fontsize=8.5, va="center", ha="right")
    for place, label, is_reference, (_, row) in zip(places, labels, reference, shown.iterrows(), strict=True):
        left.text(0.01, place, label, va="center", fontsize=9.2).set_in_layout(False)
        for x, count in ((PERSONS, row["persons"]), (EVENTS, row["events"])):
            text = "–" if pd.isna(count) else format_number(float(count), 0, lang=lang)
            right.text(x, place, text, va="center", ha="right", fontsize=9)
        if is_reference or pd.isna(row["estimate"]):
            said = words["reference"] if is_reference else words["hidden"]
            if row.get("reason"):
                said = words["refused"]
            elif pd.notna(row["events"]):
                said = words["no limits"]
            right.text(RATIO, place, said, va="center", ha="right", fontsize=8.5, color=MUTED, style="italic")
            continue
        sure = pd.notna(row["p"]) and row["p"] <= 0.05
        color = (WARM if row["estimate"] > 1 else ACCENT) if sure else MUTED
        ends = max(row["ci_low"], low), min(row["ci_high"], high)
        middle.plot(ends, [place, place], color=color, lw=1.8, solid_capstyle="butt", zorder=2)
        for cut, end, marker in ((row["ci_low"] < low, low, "<"), (row["ci_high"] > high, high, ">")):
            if cut:  # an arrow says that the interval goes on beyond the axis
                middle.plot([end], [place], marker=marker, color=color, ms=6, clip_on=False, zorder=3)
        middle.plot([row["estimate"]], [place], marker="s", ms=6, color=color, mec="white", mew=0.8, zorder=4)
        weight = "bold" if sure else "normal"
        text = format_ratio(row["estimate"], row["ci_low"], row["ci_high"], lang=lang)
        right.text(RATIO, place, text, va="center", ha="right", fontsize=9, fontweight=weight)
        right.text(
            P, place, format_p(float(row["p"]), lang=lang), va="center", ha="right", fontsize=9, fontweight=weight
        )
    middle.axvline(1, color=INK, lw=0.9, zorder=1)
    middle.set_xscale("log")
    middle.set_xlim(low, high)
    ticks = log_ticks(low, high)
    middle.set_xticks(ticks, [format_number(tick, decimals(ticks), lang=lang) for tick in ticks])
    middle.minorticks_off()
    middle.tick_params(axis="y", left=False)
    middle.spines["left"].set_visible(False)
    middle.grid(axis="x", color=GRID, lw=0.7, zorder=0)
    middle.set_axisbelow(True)
    middle.set_xlabel(words["axis"].format(measure), fontsize=8.5)
    heading = {"transform": middle.get_yaxis_transform(), "color": MUTED, "fontsize": 8, "va": "center"}
    middle.text(0.0, top, f"← {words['lower']}", **heading)
    middle.text(1.0, top, f"{words['higher']} →", ha="right", **heading)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    wrapped = "\n".join(textwrap.wrap(note, int(16 * width)))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=7.8, color=MUTED)
    return figure
