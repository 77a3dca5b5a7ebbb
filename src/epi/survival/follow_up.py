"""From a cohort to survival data: the follow-up its definition states, on the time scale asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from epi.errors import CohortError, ParameterError
from epi.survival.build import build_survival
from epi.survival.data import SCALES, Scale, SurvivalData

if TYPE_CHECKING:
    from epi.cohort import Cohort

_ZERO = {"age": "birth_date", "since_diagnosis": "diagnosis_date", "calendar": None, "time": "origin_date"}


def follow_cohort(
    cohort: Cohort,
    scale: Scale = "age",
    *,
    extra: pd.DataFrame | None = None,
    cause: str = "death",
    cluster: str | None = None,
    strata: str | Sequence[str] | None = None,
    weight: str | None = None,
) -> SurvivalData:
    """Follow the members of a cohort until death or the end its definition states.

    Parameters
    ----------
    cohort : Cohort
        A cohort with ``followed(...)``, which says when patients are at risk.
    scale : {"age", "since_diagnosis", "calendar", "time"}, optional
        Time zero: birth, first diagnosis, 1 January 1970, or the origin of the follow-up. Time
        before zero is not at risk.
    extra : pandas.DataFrame, optional
        More columns, with a ``patient_id``; one row for each member.
    cause : str, optional
        Name of the event.
    cluster : str, optional
        Column of clusters, of the members or of ``extra``.
    strata : str or sequence of str, optional
        Columns whose combinations are strata.
    weight : str, optional
        Column of weights.

    Returns
    -------
    SurvivalData
        One row for each member with time at risk; the members' columns and those of ``extra`` are
        covariates. ``settings["without_time"]`` counts those who have none on this scale.

    Raises
    ------
    CohortError
        If the cohort states no follow-up, or nobody has time at risk on this scale.
    ParameterError
        If the scale does not exist, or ``extra`` does not have one row for each member.

    Examples
    --------
    >>> children = ws.cohort("PKU").diagnosed_with(orpha=716).index_on("birth")  # doctest: +SKIP
    >>> children = children.followed("birth", entry="first_record")  # doctest: +SKIP
    >>> follow_cohort(children, "age")  # doctest: +SKIP
    SurvivalData(412 persons, 412 rows, 9 death, scale='age')
    """
    if scale not in SCALES:
        raise ParameterError(f"scale is {scale!r}", f"one of {', '.join(SCALES)}", "scale='age'")
    members = cohort.members
    if members["exit_date"].isna().all() or members["entry_date"].isna().all():
        raise CohortError(
            f"cohort '{cohort.name}' does not say when its members are at risk",
            "a definition with a follow-up",
            "cohort.followed(origin='birth', entry='first_record')",
        )
    if extra is not None:
        members = _joined(members, extra)
    zero = _ZERO[scale]
    start = members["entry_date"]
    if zero is not None:
        # Time at risk never begins before time zero.
        start = start.where(start >= members[zero], members[zero])
    members = members.assign(_start=start, _event=members["died"].fillna(False).astype(bool).astype(int))
    at_risk = members["_start"] < members["exit_date"]
    if zero is not None:
        at_risk &= members[zero].notna()
    lost = int((~at_risk).sum())
    members = members[at_risk].reset_index(drop=True)
    if members.empty:
        raise CohortError(f"nobody of cohort '{cohort.name}' is at risk on the scale {scale}", "time after time zero")
    data = build_survival(
        members, entry="_start", exit="exit_date", event="_event", causes={1: cause}, scale=scale, origin=zero,
        birth=None if scale == "age" else "birth_date", cluster=cluster, strata=strata, weight=weight,
        covariates=[name for name in members.columns if not name.startswith("_")],
    )  # fmt: skip
    return replace(data, settings={**data.settings, **cohort.settings, "without_time": lost})


def _joined(members: pd.DataFrame, extra: pd.DataFrame) -> pd.DataFrame:
    if "patient_id" not in extra or extra["patient_id"].duplicated().any():
        raise ParameterError("extra has no patient_id, or several rows for a patient", "one row for each member")
    twice = sorted(set(members.columns) & set(extra.columns) - {"patient_id"})
    if twice:
        raise ParameterError(f"extra holds {', '.join(twice)}, which the members have", "other names for new columns")
    absent = ~members["patient_id"].isin(extra["patient_id"])
    if absent.any():
        raise ParameterError(f"extra has no row for {int(absent.sum())} members", "one row for each member")
    return members.merge(extra, on="patient_id", how="left", validate="one_to_one")
