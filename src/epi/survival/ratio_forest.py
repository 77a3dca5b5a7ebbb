"""One ratio of several models side by side: by disease, by definition, by choice of analysis.

A model that cannot be fitted gives its reason, and the others go on.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.arguments import check_mapping
from epi.errors import EpiError, EstimationError, ParameterError
from epi.plotting import Chart
from epi.results import Counted, Estimate, Release
from epi.stats.notation import format_number
from epi.survival.few import published_least
from epi.survival.ratio_chart import DIGITS, MEASURES, RATIOS, Lang, draw_rows, ratio_words, values_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epi.survival.data import SurvivalData
    from epi.survival.ratio_table import RatioTable

_WORDS = {
    "en": {"name": "Analysis", "events_with": "Events at the value", "refused": "not estimable",
           "note": "Limits at {level}.", "refusals": "Not estimable: {}.",
           "stratum": "analysis",
           "overlapping": "Numbers are not given for the other rows: they are of other choices on overlapping "
                          "persons."},
    "fr": {"name": "Analyse", "events_with": "Événements à cette valeur", "refused": "non estimable",
           "note": "Limites à {level}.", "refusals": "Non estimable : {}.",
           "stratum": "analyse",
           "overlapping": "Les effectifs des autres lignes ne sont pas donnés : ce sont d'autres choix sur des "
                          "personnes en partie communes."},
}  # fmt: skip


@dataclass(frozen=True)
class RatioForest:
    """One term's ratio in several models of one kind.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each model: `name`, `persons`, `events` (persons with one), `events_with` (of them, those at the
        term's value; as many for a number), `ratio`, `ci_low`, `ci_high`, `p`, `se` (of the logarithm),
        `reason` (why there is none, empty where there is).
    settings : mapping
        The term, the level, whether rows are of the same persons (`overlapping`), and what determined the models.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def of(self, name: str) -> pd.Series:
        """Give a model's row.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        pandas.Series
            The row.

        Raises
        ------
        ParameterError
            If there is no such model.
        """
        rows = self.table[self.table["name"] == name]
        if rows.empty:
            raise ParameterError(f"no model {name!r}", f"one of {', '.join(self.table['name'])}")
        return rows.iloc[0]

    def estimates(self, result: str, only: str | None = None, *, lang: Lang = "en") -> list[Estimate]:
        """Give the ratios that could be estimated as results of a run.

        Parameters
        ----------
        result : str
            Name of the result.
        only : str, optional
            Name of the one model whose ratio is given.
        lang : {"fr", "en"}, optional
            Language of the stratum: analysis, analyse.

        Returns
        -------
        list of Estimate
            One for each model, its name as stratum; `n` is its persons or, where one side of the ratio has fewer
            events than may be published, those: the gate then hides it, as it does in :meth:`release`.
        """
        ratio_words(lang)
        least, found = published_least(None), []
        for at, row in enumerate(self.table.to_dict("records")):
            if row["reason"] or only not in (None, row["name"]):
                continue
            persons: int | None = _rests_on(row, least)
            if self.settings["overlapping"] and at and persons is not None and persons >= least:
                persons = None  # beside that of the first row it would tell of few
            found.append(Estimate(
                result, row["ratio"], row["ci_low"], row["ci_high"], self.settings["measure"], persons,
                {_WORDS[lang]["stratum"]: row["name"]}, {"term": self.settings["term"]},
            ))  # fmt: skip
        return found

    def release(self, *, title: str = "", lang: Lang = "en", tell: Mapping[str, str] | None = None) -> Release:
        """Say what would be published.

        Parameters
        ----------
        title : str, optional
            One line above.
        lang : {"fr", "en"}, optional
            Language.
        tell : mapping, optional
            Reasons that hold no number and may be published, to their words: the note then says why such a model has
            no ratio. Of the others it says that they have none.

        Returns
        -------
        Release
            Persons, events and ratios; a ratio falls with the counts it comes from. A row without a ratio has no
            counts: they would be of everybody, and beside those of groups give the small ones back. Where rows
            are of the same persons only the first has counts: their differences would tell of few.
        """
        words = {**ratio_words(lang), **_WORDS[lang]}
        # Reasons may hold numbers of persons: what leaves says why only where it may be told.
        kept: pd.DataFrame = self.table.drop(columns=["se", "reason"]).rename(columns={"ratio": "estimate"})
        for name in ("estimate", "ci_low", "ci_high", "p"):
            kept[name] = [_digits(value) for value in kept[name]]
        level = format_number(100 * self.settings["level"], 0, lang=lang) + (" %" if lang == "fr" else "%")
        told = check_mapping("tell", tell, "reasons and their words", do="tell={'too few deaths': 'too few deaths'}")
        refused = [
            f"{row['name']} ({told[row['reason']]})" if row["reason"] in told else str(row["name"])
            for row in self.table.to_dict("records") if row["reason"]
        ]  # fmt: skip
        note = words["note"].format(level=level)
        if refused:
            note += " " + words["refusals"].format(", ".join(refused))
        fallen = ("estimate", "ci_low", "ci_high", "p")
        columns = ["name", "persons", "events", "events_with", *fallen]
        counted = ["persons", "events", "events_with"]
        kept[counted] = kept[counted].astype("Int64")
        untold = (self.table["reason"] != "").to_numpy()
        if self.settings["overlapping"]:
            later = np.arange(len(kept)) > 0
            least = published_least(None)
            few = [_rests_on(row, least) < least for row in self.table.to_dict("records")]
            kept.loc[later & np.array(few, dtype=bool), list(fallen)] = np.nan
            untold |= later
            note += " " + words["overlapping"]
        kept.loc[untold, counted] = pd.NA
        labels = {name: words[name].format(words[self.settings["measure"]]) for name in columns}
        counts = (
            Counted("persons", derived=("events", "events_with", *fallen)),
            Counted("events", of="persons", derived=("events_with", *fallen)),
            # A ratio rests on the events of both sides: few on either, and it falls.
            Counted("events_with", of="events", derived=fallen),
        )
        return Release(kept[columns], counts, title or str(self.settings["term"]), note, labels=labels)

    def chart(self, *, title: str = "", lang: Lang = "en", tell: Mapping[str, str] | None = None) -> Chart:
        """Draw the forest plot.

        Parameters
        ----------
        title : str, optional
            One line above.
        lang : {"fr", "en"}, optional
            Language.
        tell : mapping, optional
            As in :meth:`release`.

        Returns
        -------
        Chart
            The picture, drawn from what may be published.
        """
        release = self.release(title=title, lang=lang, tell=tell)
        words = {**ratio_words(lang), **_WORDS[lang]}
        level = format_number(100 * self.settings["level"], 0, lang=lang)

        def draw(shown: pd.DataFrame) -> Figure:
            reasons = self.table.set_index("name")["reason"]
            rows = shown.rename(columns={"name": "covariate"}).assign(level="", reason=shown["name"].map(reasons))
            measure = words[self.settings["measure"]]
            heading = f"{measure} {words['ci'].format(level)}"
            return draw_rows(rows, release.title, release.note, measure, heading, words, lang)

        return Chart(release, draw, f"{release.title}. {release.note}")

    def __str__(self) -> str:
        return "\n".join(
            f"{row['name']}: {row['reason']}" if row["reason"]
            else f"{row['name']}: {row['ratio']:.3f} ({row['ci_low']:.3f} to {row['ci_high']:.3f}), "
            f"{row['events']} events"
            for row in self.table.to_dict("records")
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self.settings['term']))}</p>" + self.table.to_html(
            index=False, float_format="{:,.3f}".format, na_rep="–"
        )


def fit_each(
    parts: Mapping[str, SurvivalData], fit: Callable[[SurvivalData], RatioTable]
) -> dict[str, RatioTable | EpiError]:
    """Fit a model to each of several follow-ups; one that cannot be fitted gives its reason, and the others go on.

    Parameters
    ----------
    parts : mapping
        Name and follow-up.
    fit : callable
        Fits a model to one.

    Returns
    -------
    dict
        By name: the model, or the error that says why there is none.
    """
    found: dict[str, RatioTable | EpiError] = {}
    for name, data in parts.items():
        try:
            found[name] = fit(data)
        except EpiError as refusal:
            found[name] = refusal
    return found


def collect_ratios(
    models: Mapping[str, RatioTable | EpiError], term: str, *, sizes: Mapping[str, SurvivalData] | None = None,
    overlapping: bool = False,
) -> RatioForest:  # fmt: skip
    """Set one term's hazard ratio of several models side by side.

    Parameters
    ----------
    models : mapping
        Name and model, or the error that says why there is none.
    term : str
        The term, as in the models' tables.
    sizes : mapping, optional
        Follow-ups of the models, to tell how many persons and events those have that could not be fitted.
    overlapping : bool, optional
        Whether the models are of the same persons, such as choices of analysis: counts of the first alone are then
        published.

    Returns
    -------
    RatioForest
        The ratios.

    Raises
    ------
    ParameterError
        If no model is given, a model has no such term, or they are of several kinds or levels.

    Examples
    --------
    >>> from epi.survival import build_survival, fit_cox
    >>> seen = pd.DataFrame({"days": [5, 8, 9, 12, 20, 25, 30], "died": [1, 1, 1, 1, 0, 1, 0],
    ...                      "age": [70, 64, 50, 66, 41, 58, 60]})
    >>> data = build_survival(seen, exit="days", event="died")
    >>> print(collect_ratios(fit_each({"all": data}, lambda part: fit_cox(part, ["age"])), "age"))
    all: 1.111 (0.934 to 1.321), 5 events
    """
    if not models:
        raise ParameterError("no model is given", "at least one", "fit_each(...)")
    rows, levels, measures = [], set[float](), set[str]()
    for name, model in models.items():
        if isinstance(model, EpiError):
            data = (sizes or {}).get(name)
            size = (0, 0) if data is None else _size(data)
            rows.append((name, *size, size[1], np.nan, np.nan, np.nan, np.nan, np.nan, _reason(model)))
            continue
        levels.add(float(model.settings["level"]))
        measures.add(MEASURES[model.settings["model"]])
        lines = model.table[model.table["term"] == term]
        if lines.empty:
            raise ParameterError(f"the model {name} has no term {term!r}", f"one of {', '.join(model.table['term'])}")
        line = lines.iloc[0]
        if np.isnan(line["se"]):
            size = _size(model.data)
            rows.append((name, *size, size[1], np.nan, np.nan, np.nan, np.nan, np.nan, "known in too few clusters"))
            continue
        ratio = line[RATIOS[model.settings["model"]]]
        rows.append((name, *_size(model.data), _events_at(model, term), ratio, line["ci_low"], line["ci_high"],
                      line["p"], line["se"], ""))  # fmt: skip
    columns = ["name", "persons", "events", "events_with", "ratio", "ci_low", "ci_high", "p", "se", "reason"]
    if len(measures) > 1:
        raise ParameterError(
            f"the models tell of {', '.join(sorted(measures))}", "models of one kind", "a forest for each"
        )
    if len(levels) > 1:
        raise ParameterError(
            f"the models have limits at {', '.join(f'{level:.0%}' for level in sorted(levels))}", "one level",
            "fit them with the same level=",
        )  # fmt: skip
    settings = {"term": term, "level": next(iter(levels), 0.95), "measure": next(iter(measures), "HR"),
                "overlapping": overlapping}  # fmt: skip
    return RatioForest(pd.DataFrame(rows, columns=columns), settings)


def compare_with_controls(
    forest: RatioForest, controls: Mapping[str, bool], *, min_events: int | None = None
) -> RatioForest:
    """Divide each ratio by that of the controls: what is left is not what changed for everybody.

    Parameters
    ----------
    forest : RatioForest
        Ratios of independent groups of persons.
    controls : mapping
        By name, whether it is a control.
    min_events : int, optional
        Fewest events that a control needs on each side of the ratio; the disclosure policy's by default, since a
        published quotient beside a published ratio would tell the control's own.

    Returns
    -------
    RatioForest
        Ratios of hazard ratios of the others; their logarithms' variances add up. The controls' ratio is the mean
        of their logarithms weighted by one over the variance.

    Raises
    ------
    EstimationError
        If no control has a ratio with enough events.
    """
    table = forest.table
    least = published_least(None) if min_events is None else min_events
    known = (table["reason"] == "") & (table["events_with"] >= least)
    known &= (table["events"] - table["events_with"] >= least) | (table["events"] == table["events_with"])
    control = np.array([controls.get(name, False) for name in table["name"]])
    held = table[known & control]
    if held.empty:
        raise EstimationError(
            "no control has a ratio with enough events", f"a control with {least} events on each side of the ratio"
        )
    weight = 1 / held["se"] ** 2
    middle = float((weight * np.log(held["ratio"])).sum() / weight.sum())
    z = float(stats.norm.ppf(0.5 + forest.settings["level"] / 2))
    kept = table[~control].copy()
    log = np.log(kept["ratio"]) - middle
    error = np.sqrt(kept["se"] ** 2 + 1 / weight.sum())
    kept = kept.assign(ratio=np.exp(log), ci_low=np.exp(log - z * error), ci_high=np.exp(log + z * error),
                       se=error, p=2 * stats.norm.sf(np.abs(log / error)))  # fmt: skip
    settings = {**forest.settings, "controls": list(held["name"]), "controls_ratio": float(np.exp(middle))}
    return RatioForest(kept.reset_index(drop=True), settings)


def _size(data: SurvivalData) -> tuple[int, int]:
    return data.persons, len(np.unique(data.person[data.event > 0]))


def _events_at(model: RatioTable, term: str) -> int:
    """Count the persons with an event at the term's value; all of them for a number."""
    inside = {column: rows for _, _, column, rows in values_of(model.data, model.terms)}[term]
    return len(np.unique(model.data.person[inside & (model.data.event > 0)]))


def _rests_on(row: dict[Any, Any], least: int) -> int:
    """Say how many persons a ratio rests on: the events of its smaller side where they are too few."""
    sides = [side for side in (row["events_with"], row["events"] - row["events_with"]) if side > 0]
    return int(min(sides)) if sides and min(sides) < least else int(row["persons"])


def _reason(error: EpiError) -> str:
    return "; ".join(error.faults) if error.faults else error.arrived


def _digits(value: Any) -> float:
    return float(f"{value:.{DIGITS}g}")
