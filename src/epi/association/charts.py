"""The map and funnel of incidence ratios, the volcano of a screen."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from epi.association.screen import DAGGER
from epi.association.sir import Lang
from epi.errors import EstimationError, ParameterError
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.stats.notation import format_number
from epi.stats.ratio_axis import decimals, log_ticks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from epi.association.screen import Screen
    from epi.association.sir import Sir

HIDDEN = {"en": "All values are hidden: small counts", "fr": "Toutes les valeurs sont masquées : petits effectifs"}
NOTHING = {"en": "Nothing could be estimated", "fr": "Rien n'a pu être estimé"}
LIMITS = (0.95, 0.998)
"""Two and three standard deviations, as control charts have them."""


def _check(lang: str) -> None:
    if lang not in ("fr", "en"):
        raise ParameterError(f"lang is {lang!r}", "fr or en")


def funnel_limits(expected: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits within which a ratio lies by chance when its true value is 1.

    Poisson quantiles are interpolated (Spiegelhalter, Stat Med 2005;24:1185, appendix A.1), so that
    limits are smooth in the expected number.

    Parameters
    ----------
    expected : numpy.ndarray
        Expected numbers, above zero.
    level : float
        Probability inside the limits.

    Returns
    -------
    low, high : numpy.ndarray
        Ratios.

    Examples
    --------
    >>> low, high = funnel_limits(np.array([100.0]), 0.95)
    >>> round(float(low[0]), 2), round(float(high[0]), 2)
    (0.8, 1.2)
    """
    from scipy.stats import poisson

    sides = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        count = poisson.ppf(tail, expected)
        step = poisson.pmf(count, expected)
        part = (poisson.cdf(count, expected) - tail) / step
        sides.append(np.maximum(count - part, 0.0) / expected)
    return sides[0], sides[1]


def draw_funnel(sir: Sir, lang: Lang) -> Chart:
    """Make the funnel plot of incidence ratios.

    Parameters
    ----------
    sir : Sir
        What to draw.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        The figure and its table.
    """
    _check(lang)
    words = {
        "en": ("Ratios and limits of chance", "Expected cases (log scale)", sir.title("en"),
               "areas outside 99.8 %", "limits at"),
        "fr": ("Rapports et limites du hasard", "Cas attendus (échelle log)", sir.title("fr"),
               "territoires hors des limites à 99,8 %", "limites à"),
    }[lang]  # fmt: skip
    release = sir.release()

    def draw(shown: pd.DataFrame) -> Figure:
        known = shown.dropna(subset=["sir", "expected"])
        figure = new_figure(7.2, 4.4)
        axis = figure.subplots()
        if known.empty:
            _say_hidden(axis, lang)
            return figure
        expected, ratio = known["expected"].to_numpy(float), known["sir"].to_numpy(float)
        grid = np.geomspace(expected.min() / 1.15, expected.max() * 1.15, 400)
        top = min(max(1.25 * ratio.max(), 1.6), 6.0)
        for level, style in zip(LIMITS, ("--", "-"), strict=True):
            low, high = funnel_limits(grid, level)
            axis.plot(grid, low, ls=style, lw=1, color=MUTED, zorder=1)
            percent = format_number(level * 100, 1 if level > 0.95 else 0, lang=lang)
            axis.plot(grid, high, ls=style, lw=1, color=MUTED, zorder=1, label=f"{words[4]} {percent} %")
        low, high = funnel_limits(expected, LIMITS[1])
        above, below = ratio > high, ratio < low
        inside = ~(above | below)
        shape = np.where(ratio > top, "^", "o")
        for chosen, color in ((inside, MUTED), (above, WARM), (below, ACCENT)):
            for marker in ("o", "^"):
                which = chosen & (shape == marker)
                axis.scatter(expected[which], np.minimum(ratio[which], top), s=17, color=color, marker=marker,
                             alpha=0.75, linewidths=0, zorder=3)  # fmt: skip
        axis.axhline(1, color=INK, lw=0.9, zorder=2)
        axis.set(xscale="log", xlim=(grid[0], grid[-1]), ylim=(0, top * 1.04), xlabel=words[1], ylabel=words[2])
        steps = [factor * 10.0**power for power in range(-2, 5) for factor in (1, 2, 5)]
        ticks = [t for t in steps if grid[0] <= t <= grid[-1]]
        axis.set_xticks(ticks, [format_number(t, decimals([t]), lang=lang) for t in ticks])
        axis.minorticks_off()
        places = axis.get_yticks()
        places = places[(places >= 0) & (places <= top * 1.04)]
        axis.set_yticks(places, [format_number(t, 1, lang=lang) for t in places])
        axis.grid(axis="y", color=GRID, lw=0.7)
        axis.set_axisbelow(True)
        axis.set_title(words[0])
        axis.legend(loc="upper right", fontsize=8)
        axis.text(0.995, 0.02, f"{int(above.sum() + below.sum())} / {len(known)} {words[3]}",
                  transform=axis.transAxes, ha="right", fontsize=8, color=MUTED)  # fmt: skip
        return figure

    alt = {
        "en": "Funnel plot: ratio of each area against its expected cases, with limits of chance.",
        "fr": "Graphique en entonnoir : rapport de chaque territoire selon ses cas attendus, "
        "avec les limites du hasard.",
    }[lang]
    return Chart(replace(release, title=words[0]), draw, alt)


def draw_volcano(screen: Screen, model: str, lang: Lang, q: float) -> Chart:
    """Make the volcano plot of a screen.

    Parameters
    ----------
    screen : Screen
        What to draw.
    model : {"single", "joint"}
        Which model.
    lang : {"fr", "en"}
        Language.
    q : float
        Exposures up to this q-value are coloured and named.

    Returns
    -------
    Chart
        The figure and its table.

    Raises
    ------
    EstimationError
        If that model was not asked for.
    """
    _check(lang)
    release = screen.release(lang)
    table = release.table[release.table["model"] == model].reset_index(drop=True)
    if table.empty:
        raise EstimationError(f"nothing was estimated in the {model!r} model", "single or joint")
    ratio = {
        "OR": {"en": "Odds ratio", "fr": "Rapport de cotes"},
        "RR": {"en": "Rate ratio", "fr": "Rapport de taux"},
    }[screen.measure][lang]
    by_p, by_q = screen.tests
    tests = int(table[by_p].notna().sum())
    nothing = bool(table["estimate"].isna().all())
    title = {"en": f"{tests} tests: ratio and evidence", "fr": f"{tests} tests : rapport et force de preuve"}[lang]

    def draw(shown: pd.DataFrame) -> Figure:
        known = shown.dropna(subset=["estimate", by_p, by_q])
        figure = new_figure(7.2, 4.6)
        axis = figure.subplots()
        if known.empty:
            _say_hidden(axis, lang, NOTHING if nothing else HIDDEN)
            return figure
        # A p-value of 1e-300 is drawn at the edge: beyond it the height says nothing more.
        height = -np.log10(np.maximum(known[by_p].to_numpy(float), 1e-300))
        effect = known["estimate"].to_numpy(float)
        found = known[by_q].to_numpy(float) <= q
        color = np.where(found, np.where(effect > 1, WARM, ACCENT), MUTED)
        axis.scatter(effect, height, s=np.where(found, 44, 26), c=color, alpha=0.9, linewidths=0, zorder=3)
        if found.any():
            # With k discoveries in m tests the last p is at most q k / m, and the next one above it.
            edge = min(-np.log10(q * int(found.sum()) / tests), float(height[found].min()))
            axis.axhline(edge, color=MUTED, lw=0.8, ls="--", zorder=1)
            axis.annotate(f"q ≤ {format_number(q, 2, lang=lang)}", (1, edge), xytext=(-2, 3),
                          xycoords=axis.get_yaxis_transform(), textcoords="offset points", color=MUTED,
                          fontsize=8, ha="right")  # fmt: skip
        daggers = np.where(known["warning"].astype(object).fillna("") != "", f" {DAGGER}", "")
        labels = [
            textwrap.fill(str(label), 22, max_lines=2, placeholder="…") + dagger
            for label, dagger in zip(known["label"], daggers, strict=True)
        ]
        axis.axvline(1, color=INK, lw=0.9, zorder=1)
        # Room for the labels of discoveries, beside their points and inside the frame.
        width = [0.02 + 0.0125 * max(map(len, label.split("\n"))) for label in labels]
        needed = [abs(np.log(x)) * 0.5 / (0.5 - w) for x, w, is_in in zip(effect, width, found, strict=True) if is_in]
        reach = max(np.abs(np.log(effect)).max() * 1.1, np.log(1.08), *needed)
        axis.set_xscale("log")
        axis.set_xlim(np.exp(-reach), np.exp(reach))
        axis.set_ylim(-0.04 * height.max(), height.max() * 1.12 + 0.1)
        ticks = log_ticks(float(np.exp(-reach)), float(np.exp(reach)))
        axis.set_xticks(ticks, [format_number(t, decimals(ticks), lang=lang) for t in ticks])
        axis.minorticks_off()
        axis.set_xlabel(f"{ratio} ({'échelle log' if lang == 'fr' else 'log scale'})")
        axis.set_ylabel("−log₁₀ p" + (" spatial" if by_p == "p_spatial" else ""))
        heights = [tick for tick in axis.get_yticks() if 0 <= tick <= axis.get_ylim()[1]]
        axis.set_yticks(heights, [format_number(tick, decimals(heights), lang=lang) for tick in heights])
        axis.grid(color=GRID, lw=0.6)
        axis.set_axisbelow(True)
        axis.set_title(title)
        _name(axis, np.asarray(labels)[found], effect[found], height[found])
        return figure

    alt = {
        "en": f"Volcano plot: {ratio.lower()} and p-value of {tests} exposures.",
        "fr": f"Graphique en volcan : {ratio.lower()} et p de {tests} expositions.",
    }[lang]
    return Chart(replace(release, table=table, title=title), draw, alt)


def _name(axis: Axes, labels: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """Write labels beside their points, from the top down, each pushed below those before it."""
    low, high = axis.get_ylim()
    line = (high - low) * 0.038
    for right in (True, False):
        side = (x > 1) if right else (x <= 1)
        order = np.argsort(-y[side], kind="stable")
        floor = np.inf
        for label, at_x, at_y in zip(labels[side][order], x[side][order], y[side][order], strict=True):
            half = line * (1 + label.count("\n")) / 2
            place = min(at_y, floor - half)
            floor = place - half
            axis.annotate(
                label, (at_x, at_y), xytext=(8 if right else -8, place), textcoords=("offset points", "data"),
                fontsize=8, va="center", ha="left" if right else "right", zorder=4,
            )  # fmt: skip


def _say_hidden(axis: Axes, lang: Lang, text: Mapping[str, str] = HIDDEN) -> None:
    axis.set_axis_off()
    axis.text(0.5, 0.5, text[lang], ha="center", va="center", color=MUTED, transform=axis.transAxes)


_SYNTHETIC = {"en": " (SYNTHETIC DATA)", "fr": " (DONNÉES SYNTHÉTIQUES)"}


def draw_sir_map(sir: Sir, level: str, lang: Lang, **options: Any) -> Chart:
    """Make the map of incidence ratios.

    Parameters
    ----------
    sir : Sir
        What to draw.
    level : str
        Level of territory of the areas.
    lang : {"fr", "en"}
        Language.
    **options : object
        Passed to :func:`epi.geography.maps.choropleth`.

    Returns
    -------
    Chart
        The map.
    """
    from epi.association.sir import WITHHELD
    from epi.geography.maps import choropleth

    _check(lang)
    words = {
        "en": "Observed / expected",
        "fr": "Observés / attendus",
    }[lang]
    release = sir.release()
    # A place where nobody is expected has no ratio to show; a count that was withheld has one, unseen.
    table = sir.table[sir.table["sir"].notna() | (sir.table["status"] == WITHHELD)]
    given = {
        "title": sir.title(lang) + (_SYNTHETIC[lang] if sir.settings.get("synthetic") else ""),
        "label": words,
        "scale": "ratio",
        "note": release.note,
        "counts": release.counts,
        "not_counts": release.not_counts,
        **options,
    }
    return choropleth(table, level, value="sir", lang=lang, **given)
