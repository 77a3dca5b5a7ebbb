"""Ascertainment as it may be published, and its picture: the share observed by year of birth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.arguments import check_whole
from epi.errors import ParameterError
from epi.plotting import ACCENT, GRID, INK, MUTED, WARM, Chart, new_figure
from epi.results import Counted, Release
from epi.stats.notation import format_number
from epi.survival.ascertainment import with_shares
from epi.survival.few import published_least
from epi.survival.picture import draw_nothing, dress_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epi.survival.ascertainment import Ascertainment
    from epi.survival.steps import Lang

PANELS = 6
TOP = 2.0
"""Highest share drawn; limits that go beyond are cut there."""
_WORDS = {
    "en": {
        "title": "Patients observed, of those expected from births", "axis": "Year of birth", "all": "all",
        "share": "Observed / expected", "birth_year": "Birth year", "last_year": "Last year", "births": "Births",
        "expected": "Expected", "observed": "Observed", "ascertainment": "Observed / expected", "ci_low": "Low",
        "ci_high": "High", "hidden": "All values are hidden: small counts", "gap": "hidden: small count",
        "note": "Expected: births ({births}) times incidence at birth. Limits at {level}: {limits}. Others "
                "died before, are followed elsewhere, or left the country.",
        "rounded": " Numbers of patients are rounded to {}.", "tens": "tens", "multiples": "multiples of {}",
        "given": "as given", "INSEE, live births of France": "INSEE, live births of France",
        "uncertain": "Poisson, with the uncertainty of the incidence",
        "exact": "exact Poisson, incidence taken as known",
    },
    "fr": {
        "title": "Patients observés, rapportés à ceux attendus d'après les naissances", "axis": "Année de naissance",
        "all": "ensemble", "share": "Observés / attendus", "birth_year": "Année de naissance",
        "last_year": "Dernière année", "births": "Naissances", "expected": "Attendus", "observed": "Observés",
        "ascertainment": "Observés / attendus", "ci_low": "Basse", "ci_high": "Haute",
        "hidden": "Toutes les valeurs sont masquées : petits effectifs", "gap": "masqué : petit effectif",
        "note": "Attendus : naissances ({births}) multipliées par l'incidence à la naissance. Limites à {level} : "
                "{limits}. Les autres sont décédés avant, suivis ailleurs ou partis du pays.",
        "rounded": " Les nombres de patients sont arrondis {}.", "tens": "à la dizaine",
        "multiples": "à un multiple de {}",
        "given": "fournies", "INSEE, live births of France": "Insee, naissances vivantes, France",
        "uncertain": "Poisson, avec l'incertitude de l'incidence",
        "exact": "Poisson exactes, incidence supposée connue",
    },
}  # fmt: skip


def release_ascertainment(found: Ascertainment, lang: Lang, rounded: int = 1) -> Release:
    """Say what would be published of an ascertainment curve.

    Parameters
    ----------
    found : Ascertainment
        The curve.
    lang : {"fr", "en"}
        Language.
    rounded : int, optional
        Multiples to which numbers of patients are rounded. Those that are small as they are stay so, and the gate
        hides them.

    Returns
    -------
    Release
        The table; ratios fall with the observed counts.

    Raises
    ------
    ParameterError
        If the language is unknown, or the multiple is not a whole number from 1 on.
    """
    if lang not in _WORDS:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    words, settings = _WORDS[lang], found.settings
    rounded = check_whole("rounded", rounded, "1 or more", least=1, do="rounded=10")
    table = found.table
    if rounded > 1:
        least, counts = published_least(None), table["observed"]
        nearest = (counts + rounded // 2) // rounded * rounded
        table = with_shares(table.assign(observed=nearest.where(counts >= least, counts)), settings["level"])
    table = table.drop(columns=["exact_low", "exact_high", "incidence_error"])
    if settings["width"] == 1:
        table = table.drop(columns="last_year")
    for name in ("ascertainment", "ci_low", "ci_high"):
        table[name] = table[name].round(3)
    table["expected"] = table["expected"].round(1)
    level = format_number(100 * settings["level"], 0, lang=lang) + (" %" if lang == "fr" else "%")
    note = words["note"].format(
        births=words[settings["births"]], level=level, limits=words["uncertain" if settings["uncertain"] else "exact"]
    )
    if rounded > 1:
        note += words["rounded"].format(words["tens"] if rounded == 10 else words["multiples"].format(rounded))
    return Release(
        table,
        (Counted("observed", adds_up_within=tuple(settings["by"]), derived=("ascertainment", "ci_low", "ci_high")),),
        words["title"], note,
        tuple(name for name in ("birth_year", "last_year", "births", "expected") if name in table),
        {name: words[name] for name in table if name in words},
    )  # fmt: skip


def draw_ascertainment(found: Ascertainment, marks: Mapping[str, int], lang: Lang, rounded: int = 1) -> Chart:
    """Make the picture of an ascertainment curve.

    Parameters
    ----------
    found : Ascertainment
        The curve.
    marks : mapping
        Name to year: vertical lines.
    lang : {"fr", "en"}
        Language.
    rounded : int, optional
        Multiples to which numbers of patients are rounded.

    Returns
    -------
    Chart
        A panel for each group.

    Raises
    ------
    ParameterError
        If the language is unknown, or there are too many groups.
    """
    release = release_ascertainment(found, lang, rounded)
    words, by, settings = _WORDS[lang], list(found.settings["by"]), found.settings
    groups = found.table[by].drop_duplicates() if by else pd.DataFrame(index=[0])
    if len(groups) > PANELS:
        raise ParameterError(f"{len(groups)} groups do not fit in one picture", f"at most {PANELS}: some of them")
    width = settings["width"]

    def draw(table: pd.DataFrame) -> Figure:
        if table["ascertainment"].isna().all():
            return draw_nothing(words["hidden"])
        columns = 2 if len(groups) == 4 else min(len(groups), 3)
        rows = int(np.ceil(len(groups) / columns))
        wide = 7.4 if columns == 1 else 3.6 * columns
        figure = new_figure(wide, 1.3 + 2.5 * rows)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        top = min(TOP, max(1.1, float(np.nanmax(table["ci_high"])) * 1.05))
        for axis in axes.ravel()[len(groups) :]:
            axis.set_axis_off()
        for axis, (_, group) in zip(axes.ravel(), groups.iterrows(), strict=False):
            part = table[(table[by] == group).all(axis=1)] if by else table
            x = part["birth_year"].to_numpy(float) + (width - 1) / 2
            y, low, high = (part[name].to_numpy(float) for name in ("ascertainment", "ci_low", "ci_high"))
            axis.axhline(1, color=INK, lw=0.9, zorder=1)
            axis.vlines(x, np.minimum(low, top), np.minimum(high, top), color=ACCENT, lw=1.1, alpha=0.75, zorder=2)
            axis.plot(x, np.where(y <= top, y, np.nan), color=ACCENT, marker="o", ms=3.2, lw=0.9, zorder=3)
            gaps = np.isnan(y)
            if gaps.any():
                axis.plot(x[gaps], np.full(gaps.sum(), 0.02 * top), ls="none", marker="x", ms=4, color=MUTED,
                          label=words["gap"], zorder=3)  # fmt: skip
                axis.legend(loc="upper left", fontsize=7.8)
            for label, year in marks.items():
                axis.axvline(year, color=WARM, lw=0.9, ls=(0, (4, 3)), zorder=1)
                if axis is not axes[0, 0]:
                    continue
                axis.annotate(label, (year, 0), xycoords=("data", "axes fraction"), xytext=(3, 4), color=WARM,
                              textcoords="offset points", rotation=90, fontsize=7.8, va="bottom")  # fmt: skip
            axis.set_ylim(0, top)
            axis.yaxis.set_major_formatter(
                lambda value, _: format_number(100 * value, 0, lang=lang) + (" %" if lang == "fr" else "%")
            )
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
            axis.grid(axis="y", color=GRID, lw=0.7)
            axis.set_axisbelow(True)
            if by:
                axis.set_title(", ".join(map(str, group)), fontsize=9.5)
        for axis in axes[:, 0]:
            axis.set_ylabel(words["share"])
        for at, axis in enumerate(axes.ravel()[: len(groups)]):
            if at + columns >= len(groups):
                axis.set_xlabel(words["axis"])
                axis.tick_params(labelbottom=True)
        return dress_figure(figure, words["title"], release.note, wide)

    return Chart(release, draw, f"{words['title']}. {release.note}")
