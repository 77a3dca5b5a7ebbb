"""Enrichment: each member gets the exposures of the commune where he or she lives, or lived.

One row in, one row out, in the same order. A value that is not there stays missing, and the
coverage says why; nothing is filled with zero. A value that is not of the time asked for says so.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import DataError, ParameterError
from epi.exposure.catalogue import Catalogue, open_catalogue, read_info
from epi.exposure.coverage import Coverage
from epi.exposure.joining import OutsideWindow, join_at_index, join_windows, locate
from epi.exposure.lookup import build_lookup, check_reference
from epi.exposure.periods import Window, read_window, to_days
from epi.exposure.provenance import ExposureMethods, Provenance, Trace, summarise
from epi.exposure.residences import check_residences, cut_stays
from epi.exposure.vintages import TODAY, carry_exposures

if TYPE_CHECKING:
    from epi.cohort import Cohort
    from epi.workspace import Workspace


@dataclass(frozen=True)
class Enriched:
    """Members with their exposures at residence.

    Parameters
    ----------
    table : pandas.DataFrame
        The members' columns, then one column for each variable; rows as they were.
    coverage : Coverage
        Who has a value, who has none and why.
    catalogue : Catalogue
        The variables added, with provenance.
    cohort : Cohort or None
        Where members come from.
    settings : mapping
        What determined the join.
    trace : Trace or None
        What the provenance is unfolded from.
    """

    table: pd.DataFrame
    coverage: Coverage
    catalogue: Catalogue
    cohort: Cohort | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    trace: Trace | None = field(default=None, repr=False)

    @property
    def n(self) -> int:
        """Number of members."""
        return len(self.table)

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        """Labels, unit and provenance of each variable added."""
        return self.catalogue.labels

    @property
    def members(self) -> pd.DataFrame:
        """The table, under the name it has in a cohort."""
        return self.table

    @property
    def period(self) -> Any:
        """The cohort's period, when there is a cohort."""
        return getattr(self.cohort, "period", None)

    @property
    def provenance(self) -> Provenance:
        """Where each value comes from, for the user's screen only."""
        if self.trace is None:
            raise ParameterError("nothing was kept of the join", "members enriched by epi.exposure.enrich")
        return Provenance(self.trace, self.catalogue, self.table)

    @property
    def methods(self) -> ExposureMethods:
        """How each variable was given, and to how many persons in which way; it may be released."""
        if self.trace is None:
            raise ParameterError("nothing was kept of the join", "members enriched by epi.exposure.enrich")
        return summarise(self.trace, self.catalogue, self.n, self.settings)

    def explain(self, patient_id: str) -> pd.DataFrame:
        """Say where the values of one patient come from, on the user's screen only.

        Parameters
        ----------
        patient_id : str
            The patient.

        Returns
        -------
        pandas.DataFrame
            One row for each variable.
        """
        return self.provenance.explain(patient_id)

    def _repr_html_(self) -> str:
        told = "; ".join(info.provenance() for info in self.catalogue.variables)
        return f"<p>{self.n:,} members. {html.escape(told)}</p>" + self.coverage._repr_html_()


def enrich(
    members: Cohort | pd.DataFrame,
    variables: Sequence[str] | None = None,
    *,
    window: tuple[str, str] | None = None,
    lag: str | None = None,
    outside_window: OutsideWindow = "flag",
    minimum_share: float = 0.0,
    residences: pd.DataFrame | None = None,
    index: str = "index_date",
    workspace: Workspace | None = None,
    reference: pd.DataFrame | None = None,
    panel: pd.DataFrame | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    reference_vintage: Any = TODAY,
    reference_weights: str | None = None,
) -> Enriched:
    """Give members the exposures of their commune of residence, at the index date or in a window before it.

    Residence is the members' ``insee_code`` (commune of today); where only
    ``residence_commune`` is there, as recorded, it is followed to today's commune first.

    With a window or a lag, each day of it takes the value of the commune lived in on that day, in its year where
    values are yearly, and the member gets the mean over the days that have a value. Where earlier residences are
    not known, that of the index date stands for them: ``methods`` and ``provenance`` count these days.

    Parameters
    ----------
    members : Cohort or pandas.DataFrame
        A cohort, or rows with ``insee_code`` or ``residence_commune``.
    variables : sequence of str, optional
        Names from the catalogue, in the order wanted; all by default.
    window : tuple of two str, optional
        First day and first day after, relative to the index date: ``("-10y", "-5y")``.
    lag : str, optional
        A time before the index date, ``"10y"``: exposure on that day (the mean of its year for yearly values).
    outside_window : {"flag", "missing", "refuse"}, optional
        What to do with a register whose vintages are not of the window, or state no year: keep the value (of the
        nearest year) and say so in its status, leave it missing, or refuse.
    minimum_share : float, optional
        Share of the days of the window, 0 to 1, that must have a value; below, the value is missing.
    residences : pandas.DataFrame, optional
        Histories: ``patient_id``, ``insee_code``, ``valid_from``, ``valid_to`` (the day of the move; missing while
        still there); see :func:`check_residences`.
    index : str, optional
        Column of the index date.
    workspace : Workspace, optional
        Where exposures are; the cohort's own by default.
    reference : pandas.DataFrame, optional
        Exposures in place of the workspace's: ``insee_code`` and one column for each variable.
    panel : pandas.DataFrame, optional
        Yearly exposures: ``insee_code``, ``year`` and one column for each variable.
    about : mapping, optional
        Metadata of `reference` and `panel`, needed with them.
    reference_vintage : int, str or date, optional
        Date of the commune codes of `reference` and `panel`; those of another date than today's are carried first.
    reference_weights : str, optional
        Column of persons in them by which the means of communes that merged since are weighted.

    Returns
    -------
    Enriched
        The table, its coverage and provenance.

    Raises
    ------
    DataError
        If the exposures have a commune twice, variables that are not numbers, residences that overlap, or
        vintages outside the window where that is refused.
    GeographyError
        If codes are numbers or have lost their leading zero.
    ParameterError
        If a variable is unknown, or a column of the same name is there already.

    Examples
    --------
    >>> people = pd.DataFrame({"patient_id": ["b", "a"], "insee_code": ["38185", None]})
    >>> file = pd.DataFrame({"insee_code": ["38185"], "pm25_ugm3": [11.2]})
    >>> words = dict.fromkeys(("label_en", "label_fr", "unit", "source", "producer", "vintage", "licence"), "PM2.5")
    >>> about = {"pm25_ugm3": {**words, "support": "commune", "origin": "synthetic"}}
    >>> enriched = enrich(people, ["pm25_ugm3"], reference=file, about=about)
    >>> enriched.table["pm25_ugm3"].tolist(), enriched.coverage.informed("pm25_ugm3")
    ([11.2, nan], 1)
    """
    frame, cohort = _members(members)
    workspace = workspace or getattr(members, "workspace", None)
    asked = read_window(window, lag)
    _check_options(outside_window, minimum_share, asked, residences)
    if str(reference_vintage) != str(TODAY):
        reference, panel = _carried(reference, panel, reference_vintage, reference_weights)
    reference, panel, catalogue = _source(workspace, reference, panel, about)
    chosen = catalogue.select(variables)
    _check_names(frame, chosen, asked, reference, panel)
    lookup = build_lookup(reference, panel, chosen, workspace, yearly=asked is not None)
    place, why = locate(frame, lookup.places)
    if asked is None:
        joined = join_at_index(place, why, chosen, lookup)
    else:
        bounds = asked.bounds(_index_days(frame, index))
        keys = _keys(frame) if residences is not None else None
        history = None if residences is None else check_residences(residences)
        stays = cut_stays(keys, place, *bounds, history, lookup.places)
        joined = join_windows(stays, bounds, place, why, chosen, lookup, outside_window, minimum_share)
    labels = {name: {"en": info.label_en, "fr": info.label_fr} for name, info in chosen.items()}
    coverage = Coverage(joined.outcomes, len(frame), labels, joined.by_commune)
    settings = {
        "variables": list(chosen),
        "residence": "insee_code" if "insee_code" in frame else "residence_commune",
        "window": None if asked is None else (asked.start.text, asked.end.text),
        **{f"window_words_{lang}": None if asked is None else asked.in_words(lang) for lang in ("en", "fr")},
        "outside_window": outside_window,
        "minimum_share": minimum_share,
        "residences": residences is not None,
        "reference_vintage": str(reference_vintage),
    }
    added = pd.DataFrame(joined.by_variable.T, index=frame.index, columns=list(chosen), copy=False)
    table = pd.concat([frame, added], axis=1)
    return Enriched(table, coverage, chosen, cohort, settings, joined.trace)


def _members(members: Any) -> tuple[pd.DataFrame, Any]:
    if isinstance(members, pd.DataFrame):
        return members, None
    if not hasattr(type(members), "members"):
        raise ParameterError(f"members are a {type(members).__name__}", "a cohort or a frame of members")
    return members.members, members


def _check_options(
    outside_window: str, minimum_share: float, asked: Window | None, residences: pd.DataFrame | None
) -> None:
    faults = []
    if outside_window not in ("flag", "missing", "refuse"):
        faults.append(f"outside_window is {outside_window!r}: flag, missing or refuse")
    if isinstance(minimum_share, bool) or not isinstance(minimum_share, int | float) or not 0 <= minimum_share <= 1:
        faults.append(f"minimum_share is {minimum_share!r}: a share from 0 to 1")
    if asked is None and residences is not None:
        faults.append("residences are given without window or lag: they would not be looked at")
    if faults:
        raise ParameterError("options of the enrichment are wrong", "options as documented", faults=faults)


def _check_names(
    frame: pd.DataFrame, chosen: Catalogue, asked: Window | None, reference: pd.DataFrame | None,
    panel: pd.DataFrame | None,
) -> None:  # fmt: skip
    taken = [name for name in chosen if name in frame.columns]
    if taken:
        raise ParameterError(
            f"the members already have {', '.join(taken)}", "names that are free", "rename or drop these columns first"
        )
    if asked is None and panel is not None:
        alone = [n for n in chosen if n in panel.columns and (reference is None or n not in reference.columns)]
        if alone:
            raise ParameterError(
                f"{', '.join(alone)} have yearly values only", "a window or a lag", 'window=("-10y", "-5y")'
            )


def _index_days(frame: pd.DataFrame, index: str) -> np.ndarray:
    if index not in frame.columns:
        raise ParameterError(
            f"the members have no column {index!r}", "the date that windows are counted from", 'index="diagnosis_date"'
        )
    return to_days(frame[index], index)


def _keys(frame: pd.DataFrame) -> pd.Series:
    if "patient_id" not in frame.columns:
        raise ParameterError("the members have no patient_id", "the key of the residences")
    keys = frame["patient_id"]
    lost, twice = int(keys.isna().sum()), int(keys.duplicated().sum())
    if lost or twice:
        raise DataError(f"{lost} member(s) have no patient_id, {twice} share one", "one row for each patient")
    return keys


def _carried(
    reference: pd.DataFrame | None, panel: pd.DataFrame | None, vintage: Any, weights: str | None
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    if reference is None and panel is None:
        raise ParameterError("reference_vintage is given without reference or panel", "the exposures that it dates")
    return (
        None if reference is None else carry_exposures(reference, vintage, weights),
        None if panel is None else carry_exposures(panel, vintage, weights, ("year",)),
    )


def _source(
    workspace: Workspace | None, reference: pd.DataFrame | None, panel: pd.DataFrame | None,
    about: Mapping[str, Mapping[str, Any]] | None,
) -> tuple[pd.DataFrame | None, pd.DataFrame | None, Catalogue]:  # fmt: skip
    if reference is None and panel is None:
        if workspace is None:
            raise ParameterError(
                "nothing says where exposures are", "a cohort, workspace=, or reference= with about=", "workspace=ws"
            )
        reference, catalogue = workspace.reference("exposures"), open_catalogue(workspace)
        if workspace.has_reference("exposure_panel"):
            panel = workspace.reference("exposure_panel")
    else:
        if about is None:
            raise ParameterError("reference= has no metadata", "about= with one entry for each variable")
        columns = [str(name) for table in (reference, panel) if table is not None for name in table.columns]
        names = [name for name in dict.fromkeys(columns) if name in about]
        years = ""
        if panel is not None and "year" in panel.columns and len(panel):
            years = f"{panel['year'].min()}-{panel['year'].max()}"
        entries = {
            name: {"panel_years": years, **about[name]} if panel is not None and name in panel.columns else about[name]
            for name in names
        }
        catalogue = Catalogue(tuple(read_info(name, entries[name]) for name in names))
    if reference is not None:
        check_reference(reference, ("insee_code",), "the exposures")
    if panel is not None:
        check_reference(panel, ("insee_code", "year"), "the panel of exposures")
    return reference, panel, catalogue
