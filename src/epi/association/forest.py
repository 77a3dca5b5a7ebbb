"""The forest plot: labels at the left, ratios in the middle, their numbers at the right."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from epi.association.screen import DAGGER, FEW_CLUSTERS
from epi.association.sir import Lang
from epi.errors import EstimationError, ParameterError
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.stats.notation import format_number, format_ratio
from epi.stats.ratio_axis import axis_limits, decimals, log_ticks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from epi.association.screen import Screen

_WORDS = {
    "en": {
        "OR": "Odds ratios", "RR": "Rate ratios", "exposure": "Exposure", "ci": "({}% CI)", "n": "Cases",
        "hidden": "hidden: small count", "single": "one model for each exposure",
        "joint": "all exposures in one model", "lower": "less risk", "higher": "more risk",
        "axis": "log scale", "refused": "not fitted", "nothing": "nothing could be estimated",
        "thin": "thin line: limits that allow for exposures and risk being smooth in space",
    },
    "fr": {
        "OR": "Rapports de cotes", "RR": "Rapports de taux", "exposure": "Exposition", "ci": "(IC à {} %)",
        "n": "Cas", "hidden": "masqué : petit effectif", "single": "un modèle par exposition",
        "joint": "toutes les expositions dans un modèle", "lower": "moins de risque",
        "higher": "plus de risque", "axis": "échelle log", "refused": "non estimé",
        "nothing": "rien n'a pu être estimé",
        "thin": "trait fin : limites qui tiennent compte de l'autocorrélation spatiale",
    },
}  # fmt: skip
RATIO_X, Q_X, N_X = 0.53, 0.75, 0.97


def draw_forest(screen: Screen, model: str, lang: Lang, sort: bool) -> Chart:
    """Make the forest plot of a screen.

    Parameters
    ----------
    screen : Screen
        What to draw.
    model : {"single", "joint"}
        Which model.
    lang : {"fr", "en"}
        Language.
    sort : bool
        From the largest ratio to the smallest.

    Returns
    -------
    Chart
        The figure and its table.

    Raises
    ------
    EstimationError
        If that model was not asked for.
    ParameterError
        If the language is unknown.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en")
    release = screen.release(lang)
    table = release.table[release.table["model"] == model]
    if table.empty:
        raise EstimationError(f"nothing was estimated in the {model!r} model", "single or joint")
    if sort:
        table = table.sort_values(["estimate", "exposure"], ascending=[False, True], na_position="last")
    table = table.reset_index(drop=True)
    level, measure, test = float(screen.settings["level"]), screen.measure, screen.tests[1]
    words = _WORDS[lang]
    told = words["nothing"] if table["estimate"].isna().all() else words[model]
    title = f"{words[measure]}: {told}" if lang == "en" else f"{words[measure]} : {told}"
    data = replace(release, table=table, title=title)

    def draw(shown: pd.DataFrame) -> Figure:
        return draw_rows(shown, title, measure, level, lang, test=test)

    alt = {
        "en": f"Forest plot of {len(table)} exposures: {title.lower()}, with {level:.0%} intervals.",
        "fr": f"Graphique en forêt de {len(table)} expositions : {title.lower()}, intervalles à {level:.0%}.",
    }[lang]
    return Chart(data, draw, alt)


def draw_rows(
    shown: pd.DataFrame, title: str, measure: str, level: float, lang: Lang, *, head: str = "", test: str = "q"
) -> Figure:
    """Draw rows of ratios, the first one at the top.

    Parameters
    ----------
    shown : pandas.DataFrame
        `label`, `scale`, `estimate`, `ci_low`, `ci_high`, `n_cases`, `reason`, `warning` and the column
        `test`; limits that allow for space are drawn beneath where there are.
    title : str
        Above the figure.
    measure : {"OR", "RR"}
        What the ratios are.
    level : float
        Of the intervals.
    lang : {"fr", "en"}
        Language.
    head : str, optional
        Heading of the labels.
    test : {"q", "q_spatial", "p"}, optional
        Column printed beside the ratios.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    words = {**_WORDS[lang], **({"exposure": head} if head else {})}
    rows = len(shown)
    longest = max(
        max((len(str(text)) for text in shown["label"]), default=10),
        max((len(str(text)) for text in shown["scale"]), default=10) * 0.85,
    )
    left_width = min(0.4 + 0.0665 * longest, 5.6)
    marked = shown["estimate"].notna() & (shown["warning"].astype(object).fillna("") != "")
    notes = [words["thin"]] if "ci_low_spatial" in shown and shown["ci_low_spatial"].notna().any() else []
    notes += [f"{DAGGER} {FEW_CLUSTERS[lang]}"] if marked.any() else []
    figure = new_figure(left_width + 3.6 + 3.2, 1.25 + 0.46 * rows + 0.2 * len(notes))
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=[left_width, 3.6, 3.2])
    figure.get_layout_engine().set(w_pad=0, wspace=0)  # type: ignore[union-attr,call-arg]
    places = np.arange(rows)[::-1]
    for axis in (left, right):
        axis.set_axis_off()
        axis.set_xlim(0, 1)
    middle.set_ylim(-0.7, rows + 0.35)
    for axis in (left, middle, right):
        for place in places[::2]:
            axis.axhspan(place - 0.5, place + 0.5, color="#f6f7f9", lw=0, zorder=0)
    low, high = axis_limits(shown)
    top = rows - 0.02
    left.text(0.01, top, words["exposure"], color=MUTED, fontsize=8.5, va="center")
    interval = f"{measure} {words['ci'].format(f'{level * 100:g}')}"
    for x, text in ((RATIO_X, interval), (Q_X, test.replace("_", " ")), (N_X, words["n"])):
        right.text(x, top, text, color=MUTED, fontsize=8.5, va="center", ha="right")
    for place, few, (_, row) in zip(places, marked, shown.iterrows(), strict=True):
        label = f"{row['label']} {DAGGER}" if few else str(row["label"])
        # Outside the layout, or a label a little too wide would make its whole column narrower.
        lift = 0.16 if str(row["scale"]) else 0.0
        left.text(0.01, place + lift, label, va="center", fontsize=9.5).set_in_layout(False)
        left.text(0.01, place - 0.2, str(row["scale"]), va="center", fontsize=7.8, color=MUTED).set_in_layout(False)
        _row(middle, right, place, row, (low, high), words, lang, test)
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
    middle.set_xlabel(f"{measure} ({words['axis']})", fontsize=8.5)
    style_of_heads = {"transform": middle.get_yaxis_transform(), "color": MUTED, "fontsize": 8, "va": "center"}
    middle.text(0.0, top, f"← {words['lower']}", **style_of_heads)
    middle.text(1.0, top, f"{words['higher']} →", ha="right", **style_of_heads)
    if notes:
        figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=8, color=MUTED)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _row(
    middle: Axes,
    right: Axes,
    place: int,
    row: pd.Series,
    limits: tuple[float, float],
    words: dict[str, str],
    lang: Lang,
    test: str,
) -> None:
    import pandas as pd

    if pd.isna(row["estimate"]):
        why = words["refused"] if str(row.get("reason") or "") else words["hidden"]
        right.text(RATIO_X, place, why, va="center", ha="right", fontsize=8.5, color=MUTED, style="italic")
        return
    found = pd.notna(row[test]) and row[test] <= 0.05
    color = (WARM if row["estimate"] > 1 else ACCENT) if found else MUTED
    _bar(middle, place, row["ci_low"], row["ci_high"], limits, color, 1.8)
    if "ci_low_spatial" in row and pd.notna(row["ci_low_spatial"]):
        _bar(middle, place - 0.24, row["ci_low_spatial"], row["ci_high_spatial"], limits, color, 0.8)
    middle.plot([row["estimate"]], [place], marker="s", ms=6.5, color=color, mec="white", mew=0.8, zorder=4)
    weight = "bold" if found else "normal"
    text = format_ratio(row["estimate"], row["ci_low"], row["ci_high"], lang=lang)
    right.text(RATIO_X, place, text, va="center", ha="right", fontsize=9.2, fontweight=weight)
    tested = "–" if pd.isna(row[test]) else _small(float(row[test]), lang)
    right.text(Q_X, place, tested, va="center", ha="right", fontsize=9.2, fontweight=weight)
    cases = "–" if pd.isna(row["n_cases"]) else format_number(float(row["n_cases"]), 0, lang=lang)
    right.text(N_X, place, cases, va="center", ha="right", fontsize=9.2)


def _bar(
    axis: Axes, place: float, lower: float, upper: float, limits: tuple[float, float], color: str, width: float
) -> None:
    low, high = max(lower, limits[0]), min(upper, limits[1])
    axis.plot([low, high], [place, place], color=color, lw=width, solid_capstyle="butt", zorder=2)
    for cut, end, marker in ((lower < low, low, "<"), (upper > high, high, ">")):
        if cut:  # an arrow says that the interval goes on beyond the axis
            axis.plot([end], [place], marker=marker, color=color, ms=3.5 + 1.4 * width, clip_on=False, zorder=3)


def _small(q: float, lang: Lang) -> str:
    if q < 0.001:
        return "< 0,001" if lang == "fr" else "< 0.001"
    return format_number(q, 3 if q < 0.1 else 2, lang=lang)
