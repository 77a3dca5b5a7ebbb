"""Where each value comes from: kept as codes beside the values, unfolded on the user's screen only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.errors import ParameterError
from epi.exposure.catalogue import Catalogue
from epi.geography import LEVELS, area_of
from epi.results import Counted, Release

STATUSES: dict[str, dict[str, str]] = {
    "at_index": {"en": "residence at index, no window asked", "fr": "résidence à la date index, sans fenêtre"},
    "window": {"en": "every day of the window", "fr": "tous les jours de la fenêtre"},
    "part_of_window": {"en": "some days of the window only", "fr": "une partie de la fenêtre"},
    "single_vintage": {"en": "single vintage, inside the window", "fr": "millésime unique, dans la fenêtre"},
    "outside_window": {"en": "vintage outside the window", "fr": "millésime hors de la fenêtre"},
    "vintage_unknown": {"en": "vintage not stated", "fr": "millésime non indiqué"},
    "none": {"en": "no value", "fr": "sans valeur"},
}
"""What a value may be worth in time, in the order of reports."""

ORDER = list(STATUSES)
_HEADINGS = {
    "variable": {"en": "Exposure", "fr": "Exposition"},
    "status": {"en": "Value", "fr": "Valeur"},
    "persons": {"en": "Persons", "fr": "Personnes"},
    "share": {"en": "Share", "fr": "Part"},
    "vintage": {"en": "Vintage", "fr": "Millésime"},
    "support": {"en": "Support", "fr": "Support"},
    "method": {"en": "Method", "fr": "Méthode"},
    "uncertainty": {"en": "Uncertainty", "fr": "Incertitude"},
    "source": {"en": "Source", "fr": "Source"},
}
_KIND = pd.CategoricalDtype(ORDER, ordered=True)


@dataclass(frozen=True)
class Trace:
    """What the join kept of each member and value; the provenance is unfolded from it.

    Parameters
    ----------
    places : pandas.Index
        Communes, in the order of positions.
    place : numpy.ndarray of int
        Position of the commune where most of the window was spent (of residence, without window); -1 for none.
    status : mapping
        Variable to the position of each member's status in :data:`STATUSES`.
    days : mapping
        ``window``, ``proxy`` (days for which the residence at the index date stands for an unknown one) and
        ``places`` (communes lived in), of each member; empty without window.
    known : mapping
        Variable to the days of the window that have a value.
    years : mapping
        Variable to the first and last vintage used, where the register is yearly.
    distance : mapping
        Variable to the distance of the monitor at each position.
    by_place : bool
        Whether statuses are those of positions rather than of members.
    elsewhere : mapping
        Variable to the positions of the communes that gave its values, where these need not be `place`.
    """

    places: pd.Index
    place: NDArray[np.int64]
    status: Mapping[str, NDArray[np.int8]]
    days: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    known: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    years: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=dict)
    distance: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    by_place: bool = False
    elsewhere: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def status_of(self, name: str) -> NDArray[np.int8]:
        """Give the status of each member for a variable.

        Parameters
        ----------
        name : str
            The variable.

        Returns
        -------
        numpy.ndarray of int
            Positions in :data:`STATUSES`.
        """
        return self.status[name][self.place] if self.by_place else self.status[name]


def unfold(trace: Trace, catalogue: Catalogue, members: pd.DataFrame, variables: Sequence[str]) -> pd.DataFrame:
    """Write the provenance of values, one row for each member and variable.

    Parameters
    ----------
    trace : Trace
        What the join kept.
    catalogue : Catalogue
        The variables.
    members : pandas.DataFrame
        The members, in their order.
    variables : sequence of str
        Those wanted.

    Returns
    -------
    pandas.DataFrame
        ``patient_id`` where members have one, ``variable``, ``source``, ``vintage`` (years used), ``support``,
        ``area`` (that gave the value; where several did, the one of the most days), ``method``, ``distance_m``
        (of the monitor), ``status``, and with a window ``days_window``, ``days_known``, ``days_proxy``, ``n_places``.
    """
    codes = np.append(trace.places.to_numpy(dtype=object), np.array([None], dtype=object))
    parts = []
    for name in variables:
        info = catalogue[name]
        found = trace.status_of(name)
        status = pd.Categorical.from_codes(found.tolist(), dtype=_KIND)
        given = np.asarray(found != ORDER.index("none"))
        place = trace.elsewhere.get(name, trace.place)
        area = codes[place]
        if info.support in LEVELS and info.support != "commune":
            distinct = pd.Series(trace.places).pipe(area_of, info.support).to_numpy(dtype=object)
            area = np.append(distinct, np.array([None], dtype=object))[place]
        n = len(area)
        vintage = np.full(n, info.vintage, dtype=object)
        if name in trace.years:
            low, high = trace.years[name]
            one, two = low.astype(str).astype(object), high.astype(str).astype(object)
            vintage = np.where(low == high, one, one + "-" + two)
        metres = trace.distance[name][place] if name in trace.distance else np.full(n, np.nan)
        columns: dict[str, Any] = {} if "patient_id" not in members else {"patient_id": members["patient_id"].array}
        columns |= {
            "variable": pd.Categorical([name] * n, categories=list(variables)),
            "source": pd.Categorical([info.source] * n),
            "vintage": pd.Series(vintage).where(given),
            "support": info.support,
            "area": pd.Series(area).where(given),
            "method": info.how,
            "distance_m": pd.Series(metres).where(given),
            "status": status,
        }
        if trace.days:
            columns |= {
                "days_window": trace.days["window"],
                "days_known": trace.known[name],
                "days_proxy": trace.days["proxy"],
                "n_places": trace.days["places"],
            }
        parts.append(pd.DataFrame(columns).set_axis(members.index))
    kept = pd.concat(parts)
    kept["source"] = kept["source"].astype("category")
    return kept


@dataclass(frozen=True)
class Provenance:
    """Provenance of every value, for the user's screen only: it has no ``release``.

    Parameters
    ----------
    trace : Trace
        What the join kept.
    catalogue : Catalogue
        The variables.
    members : pandas.DataFrame
        The members.
    """

    trace: Trace
    catalogue: Catalogue
    members: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """One row for each member and variable; see :func:`unfold`."""
        return self.of(list(self.catalogue))

    def of(self, variables: str | Sequence[str]) -> pd.DataFrame:
        """Give the provenance of some variables.

        Parameters
        ----------
        variables : str or sequence of str
            Their names.

        Returns
        -------
        pandas.DataFrame
            One row for each member and variable.

        Raises
        ------
        ParameterError
            If a variable was not added.
        """
        return unfold(self.trace, self.catalogue, self.members, list(self.catalogue.select(variables)))

    def explain(self, patient_id: str) -> pd.DataFrame:
        """Say where the values of one patient come from.

        Parameters
        ----------
        patient_id : str
            The patient.

        Returns
        -------
        pandas.DataFrame
            One row for each variable, without identifier.

        Raises
        ------
        ParameterError
            If members have no patient_id, or none is this one.
        """
        if "patient_id" not in self.members.columns:
            raise ParameterError("the members have no patient_id", "a cohort, or members with a patient_id")
        rows = np.flatnonzero((self.members["patient_id"] == patient_id).fillna(False).to_numpy(dtype=bool))
        if not len(rows):
            raise ParameterError("no member has this patient_id", "a member of the cohort")
        days = {key: values[rows] for key, values in self.trace.days.items()}
        one = Trace(
            self.trace.places, self.trace.place[rows], {k: self.trace.status_of(k)[rows] for k in self.catalogue}, days,
            {k: v[rows] for k, v in self.trace.known.items()},
            {k: (low[rows], high[rows]) for k, (low, high) in self.trace.years.items()}, self.trace.distance,
            elsewhere={k: v[rows] for k, v in self.trace.elsewhere.items()},
        )  # fmt: skip
        shown = unfold(one, self.catalogue, self.members.iloc[rows], list(self.catalogue))
        return shown.drop(columns="patient_id").reset_index(drop=True)

    def __repr__(self) -> str:
        return f"<Provenance of {len(self.catalogue)} variables: shown on screen only>"


@dataclass(frozen=True)
class ExposureMethods:
    """How each variable was given, and to how many persons in which way: what a paper's methods need.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each variable and status met: ``variable``, ``label_en``, ``label_fr``, ``source``,
        ``vintage``, ``support``, ``method``, ``uncertainty``, ``status``, ``persons``, ``share``.
    total : int
        Number of persons.
    settings : mapping
        Window, treatment of other vintages, residences.
    """

    table: pd.DataFrame
    total: int
    settings: Mapping[str, Any]

    def release(self, lang: str = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            The language.

        Returns
        -------
        Release
            Persons by variable and status; they add up within a variable.
        """
        table = self.table.drop(columns=["label_en", "label_fr"])
        label = self.table[f"label_{lang}"]
        # Rows add up within a variable: two of one label stay apart.
        if table["variable"].groupby(label).nunique().max() == 1:
            table["variable"] = label
        table["status"] = [STATUSES[word][lang] for word in table["status"]]
        # A column that has nothing to say of any variable is left out.
        told = [name for name in _HEADINGS if not (table[name] == "").all()]
        table = table[told]
        title = {"en": "How exposures were given", "fr": "Comment les expositions ont été attribuées"}[lang]
        window = self.settings.get("window_words_" + lang)
        asked = {"en": f"Window: {window}.", "fr": f"Fenêtre\u00a0: {window}."}
        plain = {
            "en": "At the index date: registers as they are, without window.",
            "fr": "À la date index\u00a0: registres tels quels, sans fenêtre.",
        }
        note = (asked if window else plain)[lang]
        counted = Counted("persons", adds_up_within=("variable",), derived=("share",))
        labels = {name: words[lang] for name, words in _HEADINGS.items() if name in table}
        return Release(table, (counted,), title, note, labels=labels)

    def _repr_html_(self) -> str:
        shown = self.table.drop(columns=["label_en", "label_fr"])
        shown = shown.loc[:, [name for name in shown if not (shown[name] == "").all()]]
        return str(shown.to_html(index=False, formatters={"share": "{:.1%}".format}))


def summarise(trace: Trace, catalogue: Catalogue, total: int, settings: Mapping[str, Any]) -> ExposureMethods:
    """Count members by variable and status.

    Parameters
    ----------
    trace : Trace
        What the join kept.
    catalogue : Catalogue
        The variables.
    total : int
        Number of members.
    settings : mapping
        Of the join.

    Returns
    -------
    ExposureMethods
        Persons by variable and status.
    """
    rows = []
    for name, info in catalogue.items():
        counts = np.bincount(trace.status_of(name), minlength=len(ORDER))
        fields = ("label_en", "label_fr", "source", "vintage", "support")
        about = {field: getattr(info, field) for field in fields} | {
            "method": info.how,
            "uncertainty": info.uncertainty,
        }
        rows += [
            {"variable": name, **about, "status": word, "persons": int(count), "share": count / max(total, 1)}
            for word, count in zip(ORDER, counts, strict=True)
            if count
        ]
    columns = ["variable", "label_en", "label_fr", "source", "vintage", "support", "method", "uncertainty", "status"]
    return ExposureMethods(pd.DataFrame(rows, columns=[*columns, "persons", "share"]), total, settings)
