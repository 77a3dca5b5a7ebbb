"""What a screen is run on: rows in the order of their key, an outcome, exposures, clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from epi.association.current_areas import check_areas
from epi.association.sir import Sir
from epi.association.tabulation import place
from epi.errors import EstimationError, ParameterError
from epi.geography import communes as places


@dataclass(frozen=True)
class Study:
    """Rows of a screen.

    Parameters
    ----------
    frame : pandas.DataFrame
        In the order of the key: `outcome`, the exposures and adjusters, `cluster` when there are
        clusters, `expected` for areas.
    exposures : tuple of str
        Columns to screen.
    adjust : tuple of str
        Adjusters, as asked for.
    design : {"case-control", "areas"}
        Kind of study.
    cluster : str or None
        What clusters are.
    labels : mapping
        Labels and units of exposures.
    """

    frame: pd.DataFrame
    exposures: tuple[str, ...]
    adjust: tuple[str, ...]
    design: Literal["case-control", "areas"]
    cluster: str | None
    labels: Mapping[str, Mapping[str, Any]]

    def require(self, columns: Sequence[str], what: str) -> None:
        """Refuse columns that the rows do not have.

        Parameters
        ----------
        columns : sequence of str
            Columns needed.
        what : str
            What they are, for the message.

        Raises
        ------
        ParameterError
            If any is missing.
        """
        lacking = [name for name in dict.fromkeys(columns) if name not in self.frame.columns]
        if lacking:
            raise ParameterError(
                f"{what} {', '.join(map(repr, lacking))} are not among the columns",
                "a column of both tables",
                "enrich with them first",
            )


def _table(given: Any, what: str) -> pd.DataFrame:
    table = given if isinstance(given, pd.DataFrame) else getattr(given, "table", None)
    if not isinstance(table, pd.DataFrame):
        raise ParameterError(f"{what} are a {type(given).__name__}", "an enriched cohort or a frame")
    return table


def _wanted(
    exposures: Sequence[str] | None, first: Any, second: Any
) -> tuple[tuple[str, ...], Mapping[str, Mapping[str, Any]]]:
    known: dict[str, Mapping[str, Any]] = {}
    for source in (second, first):
        known |= dict(getattr(source, "variables", None) or {})
    names = tuple(exposures) if exposures is not None else tuple(known)
    if not names:
        raise ParameterError("no exposure is named", "a list of columns", 'exposures=["pm25_ugm3", …]')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"exposures named twice: {', '.join(twice)}", "each once")
    return names, known


def _numbers(frame: pd.DataFrame, exposures: Sequence[str]) -> None:
    wrong = [name for name in exposures if frame[name].dtype.kind not in "fiub"]
    if wrong:
        raise ParameterError(f"exposures {', '.join(map(repr, wrong))} are not numbers", "numbers, or 0/1 for yes/no")


def prepare_persons(
    cases: Any,
    controls: Any,
    exposures: Sequence[str] | None,
    adjust: Sequence[str],
    cluster: str | None,
    labels: Mapping[str, Mapping[str, Any]] | None,
) -> Study:
    """Bring cases and controls together.

    Parameters
    ----------
    cases, controls : Enriched or pandas.DataFrame
        One row a person, with ``patient_id``.
    exposures : sequence of str or None
        Columns to screen; None for those added by the enrichment.
    adjust : sequence of str
        Adjusters.
    cluster : str or None
        Column or level of territory; ``"default"`` is *bassin de vie*.
    labels : mapping or None
        Labels of exposures.

    Returns
    -------
    Study
        Sorted by ``patient_id``. Unknown sex is missing.

    Raises
    ------
    EstimationError
        If a person is there twice or in both groups, or a group is empty.
    ParameterError
        If a column is missing.
    """
    first, second = _table(cases, "cases"), _table(controls, "controls")
    names, known = _wanted(exposures, cases, controls)
    for frame, what in ((first, "cases"), (second, "controls")):
        lacking = [name for name in ("patient_id", *names) if name not in frame.columns]
        if lacking:
            raise ParameterError(
                f"{what} have no column {', '.join(map(repr, lacking))}",
                "the same exposures in cases and controls",
                "enrich both with the same variables",
            )
        if frame.empty:
            raise EstimationError(f"there are no {what}", "at least one")
        twice = int(frame["patient_id"].duplicated().sum())
        if twice:
            raise EstimationError(f"{twice} person(s) are there twice among {what}", "one row a person")
    both = len(set(first["patient_id"]) & set(second["patient_id"]))
    if both:
        raise EstimationError(
            f"{both} person(s) are both case and control",
            "two groups without common members",
            "exclude the cases from the controls' definition",
        )
    shared = [name for name in first.columns if name in second.columns]
    frame = pd.concat(
        [first[shared].assign(outcome=1.0), second[shared].assign(outcome=0.0)], ignore_index=True
    ).sort_values("patient_id", ignore_index=True)
    if "sex" in frame.columns:
        frame["sex"] = frame["sex"].astype(object).where(frame["sex"].isin(["M", "F"]))
    _numbers(frame, names)
    chosen = "bassin_de_vie" if cluster == "default" else cluster
    if chosen:
        frame["cluster"] = place(frame, chosen, "persons")
    return Study(frame, names, tuple(adjust), "case-control", chosen, {**known, **(labels or {})})


def prepare_areas(
    sir: Sir,
    areas: Any,
    exposures: Sequence[str] | None,
    adjust: Sequence[str],
    cluster: str | None,
    labels: Mapping[str, Mapping[str, Any]] | None,
) -> Study:
    """Join the counts of areas with their exposures.

    Parameters
    ----------
    sir : Sir
        Observed and expected numbers by area.
    areas : Enriched or pandas.DataFrame
        Exposures, with a column named as the areas of `sir` (or ``area``), one row an area.
    exposures : sequence of str or None
        Columns to screen.
    adjust : sequence of str
        Adjusters.
    cluster : str or None
        A column of `areas` or a level of territory above; ``"default"`` is *département*.
    labels : mapping or None
        Labels of exposures.

    Returns
    -------
    Study
        The areas that have a ratio, sorted by code.

    Raises
    ------
    EstimationError
        If an area has several rows, or no area is in both tables.
    ParameterError
        If a column is missing or areas cannot be put in clusters.
    """
    table = _table(areas, "exposures of areas")
    names, known = _wanted(exposures, areas, None)
    by = str(sir.settings["by"])
    key = by if by in table.columns else "area"
    lacking = [name for name in (key, *names) if name not in table.columns]
    if lacking:
        raise ParameterError(
            f"exposures of areas have no column {', '.join(map(repr, lacking))}", f"{by!r} and the exposures"
        )
    keys = place(table.rename(columns={key: by}), by, "exposures of areas")
    if keys.duplicated().any():
        raise EstimationError(f"{int(keys.duplicated().sum())} area(s) are there twice", "one row an area")
    check_areas(keys, by, "exposures of areas")
    informed = sir.table[sir.table["sir"].notna()][["area", "observed", "expected"]]
    frame = informed.merge(table.assign(area=keys).drop(columns=["observed", "expected"], errors="ignore"), on="area")
    if frame.empty:
        raise EstimationError("no area is in both tables", "the same codes", f"compare the codes of {by!r} in both")
    frame = frame.rename(columns={"observed": "outcome"}).sort_values("area", ignore_index=True)
    _numbers(frame, names)
    chosen = "departement" if cluster == "default" else cluster
    if chosen:
        frame["cluster"] = (
            frame[chosen].astype(object) if chosen in frame.columns else area_above(frame["area"], by, chosen)
        )
    return Study(frame, names, tuple(adjust), "areas", chosen, {**known, **(labels or {})})


def area_above(areas: pd.Series, by: str, level: str) -> pd.Series:
    """Find the larger territory that holds most of each area's population.

    Parameters
    ----------
    areas : pandas.Series
        Codes of areas.
    by, level : str
        Level of the areas, and of the larger territory.

    Returns
    -------
    pandas.Series
        Codes of the larger territory, missing where it is unknown.

    Raises
    ------
    ParameterError
        If one of them is no level of territory.
    """
    if by not in places.LEVELS or level not in places.LEVELS:
        raise ParameterError(
            f"areas by {by!r} cannot be put in clusters by {level!r}",
            f"a column of the exposures of areas, or levels among {', '.join(places.LEVELS)}",
            "cluster=None for the model's own standard errors",
        )
    table = places.read_communes()
    column = "insee_code" if by == "commune" else by
    sums = (
        table.assign(area=table[column].astype(object), above=table[level].astype(object))
        .dropna(subset=["area", "above"])
        .groupby(["area", "above"], as_index=False)[["population"]]
        .sum()
        .sort_values(["area", "population", "above"], ascending=[True, False, True])
        .drop_duplicates("area")
    )
    return areas.map(dict(zip(sums["area"], sums["above"], strict=True)))
