"""Who has a value for each variable, who has none, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from epi.errors import ParameterError
from epi.plotting import ACCENT, HIDDEN, INK, MUTED, Chart, new_figure
from epi.results import Counted, Release

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Lang = Literal["fr", "en"]

OUTCOMES: dict[str, dict[str, str]] = {
    "informed": {"en": "informed", "fr": "renseigné"},
    "no_residence": {"en": "no residence", "fr": "résidence inconnue"},
    "abroad": {"en": "abroad or collectivity", "fr": "étranger ou collectivité"},
    "not_placed": {"en": "commune code not placed", "fr": "code commune non rattaché"},
    "not_in_file": {"en": "commune not in the file", "fr": "commune absente du fichier"},
    "missing_overseas": {"en": "no value overseas", "fr": "sans valeur outre-mer"},
    "missing_value": {"en": "no value for the commune", "fr": "sans valeur pour la commune"},
    "no_index_date": {"en": "no index date", "fr": "sans date index"},
    "outside_window": {"en": "no vintage of the window", "fr": "sans millésime dans la fenêtre"},
    "too_few_days": {"en": "too few days known", "fr": "trop peu de jours connus"},
}
"""What can become of a person for a variable, in the order of reports."""

_COLOURS = {
    "informed": ACCENT, "no_residence": "#7b341e", "abroad": "#c2410c", "not_placed": "#dd7a4a",
    "not_in_file": "#b8860b", "missing_overseas": "#8b5fbf", "missing_value": "#c7b3df",
    "no_index_date": "#4a5568", "outside_window": "#5b8c3a", "too_few_days": "#a3b18a",
}  # fmt: skip


@dataclass(frozen=True)
class Coverage:
    """Coverage of variables over persons.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each variable and outcome of :data:`OUTCOMES`: `variable`, `outcome`,
        `persons`, `share` of all. The persons of a variable add up to `total`.
    total : int
        Number of persons.
    labels : mapping
        Variable to its labels, ``{"en": ..., "fr": ...}``.
    by_commune : pandas.DataFrame, optional
        For maps: ``variable``, ``insee_code`` (of residence), ``persons`` and ``missing`` (those without value).
    """

    table: pd.DataFrame
    total: int
    labels: Mapping[str, Mapping[str, str]]
    by_commune: pd.DataFrame | None = None

    @property
    def summary(self) -> pd.DataFrame:
        """One row for each variable, one column for each outcome that someone met."""
        wide = self.table.pivot_table(index="variable", columns="outcome", values="persons", aggfunc="sum")
        order = [name for name in OUTCOMES if name == "informed" or wide[name].any()]
        wide = wide.loc[list(dict.fromkeys(self.table["variable"])), order].reset_index()
        wide.columns.name = None
        wide.insert(1, "persons", self.total)
        wide.insert(3, "share_informed", wide["informed"] / max(self.total, 1))
        return wide

    def informed(self, variable: str) -> int:
        """Count the persons that have a value.

        Parameters
        ----------
        variable : str
            Its name.

        Returns
        -------
        int
            Number of persons.

        Raises
        ------
        ParameterError
            If the variable was not asked for.
        """
        rows = self.table[(self.table["variable"] == variable) & (self.table["outcome"] == "informed")]
        if rows.empty:
            raise ParameterError(f"{variable!r} was not asked for", ", ".join(dict.fromkeys(self.table["variable"])))
        return int(rows["persons"].iloc[0])

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of headings.

        Returns
        -------
        Release
            Persons by variable and outcome, for outcomes that someone met; they add up within a variable.
        """
        titles = {"en": "Coverage of exposures", "fr": "Couverture des expositions"}
        notes = {"en": f"{self.total:,} persons.", "fr": f"{self.total:,} personnes.".replace(",", "\u202f")}
        met = self.table.groupby("outcome", observed=True)["persons"].transform("sum") > 0
        return Release(
            self.table[met | (self.table["outcome"] == "informed")].reset_index(drop=True),
            (Counted("persons", adds_up_within=("variable",), derived=("share",)),),
            titles[lang],
            notes[lang],
        )

    def chart(self, *, lang: Lang = "en") -> Chart:
        """Draw one bar for each variable.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            Stacked bars; what the gate hides is shown as hidden.
        """
        if lang not in ("fr", "en"):
            raise ParameterError(f"lang is {lang!r}", "fr or en")
        release = self.release(lang)
        labels = {name: text[lang] for name, text in self.labels.items()}

        def draw(shown: pd.DataFrame) -> Figure:
            return _draw(shown, labels, release.title, self.total, lang)

        count = len(self.labels)
        alt = {
            "en": f"Bars: share of persons with a value for each of {count} exposures, and why the others have none.",
            "fr": f"Barres : part des personnes renseignées pour {count} expositions, et pourquoi les autres non.",
        }[lang]
        return Chart(release, draw, alt)

    def chart_map(self, variable: str, *, level: str = "departement", lang: Lang = "en") -> Chart:
        """Map the share of persons without value.

        Parameters
        ----------
        variable : str
            The variable.
        level : str, optional
            Level of territory.
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            A map; the gate hides the areas of few persons, or few persons without value.

        Raises
        ------
        ParameterError
            If the variable was not asked for, or no person has a commune.
        """
        from epi.exposure.coverage_map import chart_missing

        self.informed(variable)
        return chart_missing(self.by_commune, variable, self.labels[variable], level, lang)

    def _repr_html_(self) -> str:
        return str(self.summary.to_html(index=False, formatters={"share_informed": "{:.1%}".format}))


def _draw(shown: pd.DataFrame, labels: Mapping[str, str], title: str, total: int, lang: Lang) -> Figure:
    names = list(dict.fromkeys(shown["variable"]))
    longest = max((len(labels[name]) for name in names), default=10)
    figure = new_figure(min(3.2 + 0.075 * longest + 3.2, 10.5), 1.35 + 0.36 * len(names))
    axis = figure.subplots()
    hidden_word = {"en": "hidden: small count", "fr": "masqué : petit effectif"}[lang]
    drawn: dict[str, Any] = {}
    for row, name in enumerate(reversed(names)):
        part = shown[shown["variable"] == name].set_index("outcome")["persons"]
        start = 0.0
        for outcome in OUTCOMES:
            value = part.get(outcome)
            if value is None or pd.isna(value) or value == 0:
                continue
            width = 100 * float(value) / max(total, 1)
            bar = axis.barh(row, width, left=start, height=0.68, color=_COLOURS[outcome], lw=0)
            drawn.setdefault(outcome, bar)
            start += width
        rest = 100 - start
        if part.isna().any() and rest > 1e-9:
            bar = axis.barh(row, rest, left=start, height=0.68, color=HIDDEN, lw=0, hatch="////", edgecolor="white")
            drawn.setdefault("hidden", bar)
        known = part.get("informed")
        if known is not None and pd.notna(known):
            share = f"{100 * float(known) / max(total, 1):.1f} %"
            axis.text(
                101, row, share.replace(".", ",") if lang == "fr" else share, va="center", fontsize=8.5, color=INK
            )
    axis.set_yticks(range(len(names)), [labels[name] for name in reversed(names)])
    axis.set_xlim(0, 112)
    axis.set_xticks([0, 25, 50, 75, 100])
    axis.set_xlabel({"en": "% of persons", "fr": "% des personnes"}[lang])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.spines["bottom"].set_bounds(0, 100)
    axis.spines["bottom"].set_color(MUTED)
    order = [name for name in (*OUTCOMES, "hidden") if name in drawn]
    texts = [OUTCOMES[name][lang] if name != "hidden" else hidden_word for name in order]
    figure.legend(
        [drawn[name] for name in order], texts, loc="outside lower center", ncols=min(len(order), 4), fontsize=8
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure
