"""The query behind a cohort: criteria in, one row for each patient of the workspace out.

The only file of the room that knows Ibis. Each patient gets a *fate*: the rank of the first part of
the definition that they do not meet, or the number of parts for members. Attrition counts fates,
members are one of them, and an explanation reads the same row: the three cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from epi.cohort import criteria as c
from epi.cohort import evidence as e
from epi.cohort.conditions import CONDITIONS, known
from epi.cohort.needs import check_columns
from epi.cohort.places import locate
from epi.cohort.wording import CONTEXT_SETS

if TYPE_CHECKING:
    from epi.workspace import Workspace

PATIENT = (
    "sex", "birth_date", "birth_commune", "residence_commune", "residence_country", "is_fetus", "vital_status",
    "death_date",
)  # fmt: skip
_DATES = {"birth_date", "death_date"}
_RANK = {"day": 0, "month": 1, "year": 2}


class Extraction:
    """A definition turned into a query on a workspace.

    Parameters
    ----------
    workspace : Workspace
        The data.
    criteria : sequence of Criterion
        In the order of the attrition.
    index : Index or None
        The index date, where the definition has one.

    Raises
    ------
    ProtocolError
        If columns that the definition reads are not granted; all of them at once.
    """

    def __init__(self, workspace: Workspace, criteria: Sequence[c.Criterion], index: c.Index | None) -> None:
        self._ws = workspace
        self._criteria = tuple(criteria)
        self._index = index
        self._backend = workspace.table("patient").get_backend()
        check_columns(workspace, self._criteria, index)
        follow = [item for item in self._criteria if isinstance(item, c.FollowUp)]
        default = c.FollowUp("index", "index", workspace.extraction_date, "administrative")
        self._follow = follow[0] if follow else default
        facts = self._timed(self._joined())
        parts = [part.fill_null(False) for criterion in self._criteria for part in self._conditions(criterion, facts)]
        self._flags = [f"part_{rank}" for rank in range(len(parts))]
        flagged = facts.mutate(**dict(zip(self._flags, parts, strict=True)))
        cases = [(~flagged[name], rank) for rank, name in enumerate(self._flags)]
        whole = flagged.mutate(fate=ibis.cases(*cases, else_=len(parts)) if cases else ibis.literal(0))
        # Written as SQL once: Ibis takes longer to write such a query than the engine to run it.
        self._facts = self._backend.sql(str(ibis.to_sql(whole)), schema=whole.schema())

    # -- facts: one row for each patient, with what the criteria look at ------------------------

    def _joined(self) -> ibis.Table:
        patient = self._ws.table("patient")
        columns: dict[str, Any] = {"patient_id": patient.patient_id}
        for name in PATIENT:
            column = patient[name] if self._ws.has("patient", name) else ibis.null("string")
            if name in _DATES:
                column = column.cast("date")
            columns[name] = column.cast("boolean") if name == "is_fetus" else column
        facts = patient.select(**columns)
        for rank, criterion in enumerate(self._criteria):
            if isinstance(criterion, e.Diagnosed):
                facts = _attach(facts, self._diagnoses(criterion))
            elif isinstance(criterion, e.NotDiagnosed):
                facts = _attach(facts, self._other_diagnoses(criterion, f"excluded_{rank}"))
            elif isinstance(criterion, e.AlsoDiagnosed):
                facts = _attach(facts, self._other_diagnoses(criterion, f"also_{rank}"))
            elif isinstance(criterion, e.Active):
                facts = _attach(facts, self._activities(criterion, rank))
            elif isinstance(criterion, e.AtSites):
                facts = _attach(facts, self._sites(criterion, rank))
            elif isinstance(criterion, c.Aged) and criterion.day is not None:
                facts = facts.mutate(**{f"day_{rank}": ibis.date(criterion.day)})
        facts = self._with_inclusions(facts)
        facts = self._with_all_activities(facts)
        return self._with_places(facts)

    def _of(self, table: str, name: str) -> Any:
        """Give a column where it is granted, nothing otherwise."""
        rows = self._ws.table(table)
        return rows[name] if self._ws.has(table, name) else ibis.null("string")

    def _diagnoses(self, criterion: e.Diagnosed) -> ibis.Table:
        """First matching diagnosis of each patient: earliest known date, then precision, then key."""
        rows = self._ws.table("diagnosis")
        rows = rows.filter(rows.orpha_code_current.isin(list(criterion.codes)))
        matches = rows.status.isin(sorted(criterion.statuses))
        chosen = rows.select(
            patient_id=rows.patient_id,
            diagnosis_matches=matches,
            diagnosis_id=rows.diagnosis_id,
            diagnosis_date=self._of("diagnosis", "diagnosis_date").cast("date"),
            diagnosis_date_precision=self._of("diagnosis", "diagnosis_date_precision").cast("string"),
            diagnosis_status=rows.status,
            sporadic_familial=self._of("diagnosis", "sporadic_familial").cast("string"),
            orpha_code=rows.orpha_code_current,
            signs_days=self._of("diagnosis", "first_signs_age_days").cast("float64"),
        )
        signs = (
            chosen.filter(chosen.diagnosis_matches)
            .group_by("patient_id")
            .agg(first_signs_age_days=lambda t: t.signs_days.min())
        )
        precision = chosen.diagnosis_date_precision
        order = [
            chosen.diagnosis_matches.desc(),
            chosen.diagnosis_date.asc(nulls_first=False),
            ibis.cases(*[(precision == word, rank) for word, rank in _RANK.items()], else_=3),
            chosen.diagnosis_id,
        ]
        first = chosen.mutate(rank=ibis.row_number().over(group_by="patient_id", order_by=order))
        first = first.filter(first.rank == 0).drop("rank", "diagnosis_id", "signs_days").mutate(has_code=True)
        return _attach(first, signs)

    def _other_diagnoses(self, criterion: e.NotDiagnosed | e.AlsoDiagnosed, name: str) -> ibis.Table:
        rows = self._ws.table("diagnosis")
        rows = rows.filter(
            rows.orpha_code_current.isin(list(criterion.codes)), rows.status.isin(sorted(criterion.statuses))
        )
        rows = rows.select("patient_id", day=self._of("diagnosis", "diagnosis_date").cast("date"))
        # An undated diagnosis may have come before the index date: it stands at the beginning of time.
        day = rows.day.coalesce(ibis.date("0001-01-01"))
        return rows.mutate(day=day).group_by("patient_id").agg(**{name: lambda t: t.day.min()})

    def _activities(self, criterion: e.Active, rank: int) -> ibis.Table:
        rows = self._ws.table("activity")
        day = rows.activity_date.cast("date")
        rows = rows.filter(
            day.between(ibis.date(criterion.start), ibis.date(criterion.end)),
            rows.context.isin(sorted(criterion.contexts)),
        )
        if criterion.in_label:
            care = self._ws.table("care")
            rows = rows.semi_join(care.filter(~care.out_of_label), "care_id")
        return rows.group_by("patient_id").agg(**{f"active_{rank}": lambda t: t.activity_date.cast("date").min()})

    def _sites(self, criterion: e.AtSites, rank: int) -> ibis.Table:
        care = self._ws.table("care")
        if criterion.sites:
            care = care.filter(care.site_code.isin(list(criterion.sites)))
        if criterion.in_label:
            care = care.filter(~care.out_of_label)
        if criterion.fsmr or criterion.centre_types:
            site = self._ws.table("site")
            if criterion.fsmr:
                site = site.filter(site.fsmr.isin(list(criterion.fsmr)))
            if criterion.centre_types:
                site = site.filter(site.centre_type.isin(sorted(criterion.centre_types)))
            care = care.semi_join(site, "site_code")
        return care.select("patient_id").distinct().mutate(**{f"at_{rank}": True})

    def _with_inclusions(self, facts: ibis.Table) -> ibis.Table:
        asked = any(isinstance(item, e.Known | e.Included) for item in self._criteria)
        asked = asked or self._follow.entry == "first_record"
        asked = asked or (self._index is not None and self._index.rule == "first_inclusion")
        if not asked:
            return facts.mutate(included=ibis.null("boolean"), first_inclusion_date=ibis.null("date"))
        care = self._ws.table("care")
        first = care.group_by("patient_id").agg(first_inclusion_date=lambda t: t.inclusion_date.cast("date").min())
        return _attach(facts, first.mutate(included=True))

    def _with_all_activities(self, facts: ibis.Table) -> ibis.Table:
        windows = [rank for rank, item in enumerate(self._criteria) if isinstance(item, e.Active)]
        by_index = self._index is not None and self._index.rule == "first_activity"
        ends, empty = self._follow.end == "last_news", ibis.null("date")
        enters = self._follow.entry == "first_record" and self._ws.has("activity", "activity_date")
        if by_index and windows:
            facts = facts.mutate(first_activity_date=facts[f"active_{windows[0]}"])
        if not (ends or enters or (by_index and not windows)):
            facts = facts if "first_activity_date" in facts.columns else facts.mutate(first_activity_date=empty)
            return facts.mutate(earliest_activity=empty, last_activity_date=empty)
        rows = self._ws.table("activity")
        rows = rows.mutate(
            day=rows.activity_date.cast("date"),
            seen=rows.context.isin(sorted(CONTEXT_SETS["with_patient"])) if by_index and not windows else True,
        )
        spans = rows.group_by("patient_id").agg(
            earliest_activity=lambda t: t.day.min(),
            last_activity_date=lambda t: t.day.max(),
            seen_first=lambda t: t.day.min(where=t.seen),
        )
        facts = _attach(facts, spans)
        if "first_activity_date" not in facts.columns:
            facts = facts.mutate(first_activity_date=facts.seen_first)
        return facts.drop("seen_first")

    def _with_places(self, facts: ibis.Table) -> ibis.Table:
        self._groups = [item.places for item in self._criteria if isinstance(item, c.Residing)]
        if not self._ws.has("patient", "residence_commune"):
            return facts.mutate(insee_code=ibis.null("string"), commune_population=ibis.null("int64"))
        codes = self._ws.table("patient").select("residence_commune").distinct().to_pandas()["residence_commune"]
        place = locate(codes.dropna(), self._groups)
        # An empty frame has no types for the engine to read: one row that no code matches gives them.
        if place.empty:
            blank = {"residence_commune": "", "insee_code": "", "commune_population": 0}
            place = pd.DataFrame([blank | {f"in_{rank}": False for rank in range(len(self._groups))}])
        self._place = ibis.memtable(place)
        # Executing it once hands it to the engine, under its name, for as long as this object lives.
        self._backend.execute(self._place.head(1))
        return facts.left_join(self._place, "residence_commune").drop("residence_commune_right")

    def _timed(self, facts: ibis.Table) -> ibis.Table:
        rule = self._index.rule if self._index is not None else ""
        day = ibis.null("date")
        if rule == "date" and self._index is not None and self._index.day is not None:
            day = ibis.date(self._index.day)
        elif rule in {"diagnosis", "first_inclusion", "first_activity", "birth"}:
            day = facts["birth_date" if rule == "birth" else f"{rule}_date"]
        if "has_code" not in facts.columns:
            facts = facts.mutate(
                has_code=ibis.null("boolean"), diagnosis_matches=ibis.null("boolean"),
                diagnosis_date=ibis.null("date"), diagnosis_date_precision=ibis.null("string"),
                diagnosis_status=ibis.null("string"), orpha_code=ibis.null("int64"),
                first_signs_age_days=ibis.null("float64"),
            )  # fmt: skip
        facts = facts.mutate(index_date=day.cast("date"))
        follow = self._follow
        start = {"index": facts.index_date, "birth": facts.birth_date}
        origin = start[follow.origin]
        entry = origin
        if follow.entry != follow.origin:
            entry = start.get(follow.entry, _earliest(facts.first_inclusion_date, facts.earliest_activity))
            entry = ibis.cases((entry < origin, origin), else_=entry)
        last = ibis.date(follow.until)
        news = facts.last_activity_date
        if follow.grace_days:
            news = news + ibis.interval(days=follow.grace_days)
        alive_to = last if follow.end == "administrative" else _until(news.cast("date"), last)
        end = _until(facts.death_date, alive_to)
        died = (facts.vital_status == "deceased") & (facts.death_date <= end)
        return facts.mutate(origin_date=origin, entry_date=entry, exit_date=end, died=died)

    # -- conditions: each part of each criterion as yes or no ------------------------------------

    def _conditions(self, criterion: c.Criterion, f: ibis.Table) -> list[Any]:
        rank = self._criteria.index(criterion)
        place = f"in_{self._groups.index(criterion.places)}" if isinstance(criterion, c.Residing) else ""
        return CONDITIONS[type(criterion)](criterion, f, rank, place)

    # -- what comes out ---------------------------------------------------------------------------

    def counts(self) -> list[int]:
        """Count patients by fate.

        Returns
        -------
        list of int
            Lost at each part, then members.
        """
        found = self._facts.group_by("fate").agg(n=lambda t: t.count()).to_pandas()
        by_fate = dict(zip(found["fate"].astype(int), found["n"].astype(int), strict=True))
        return [by_fate.get(fate, 0) for fate in range(len(self._flags) + 1)]

    def members(self, columns: Sequence[str]) -> pd.DataFrame:
        """Read the members, sorted by patient.

        Parameters
        ----------
        columns : sequence of str
            Facts wanted.

        Returns
        -------
        pandas.DataFrame
            One row for each member.
        """
        return self._chosen(columns).to_pandas()

    def _chosen(self, columns: Sequence[str]) -> ibis.Table:
        return self._facts.filter(self._facts.fate == len(self._flags)).select(*columns).order_by("patient_id")

    def sql(self, columns: Sequence[str]) -> str:
        """Write the query that reads the members.

        Parameters
        ----------
        columns : sequence of str
            Facts wanted.

        Returns
        -------
        str
            SQL; ``place`` is the table of communes that the workbench brings.
        """
        return re.sub(r"ibis_pandas_memtable_\w+", "place", str(ibis.to_sql(self._chosen(columns))))

    def one(self, patient_id: str) -> dict[str, Any] | None:
        """Read the facts of one patient.

        Parameters
        ----------
        patient_id : str
            Their identifier.

        Returns
        -------
        dict or None
            Facts, parts and fate; None when the workspace has no such patient.
        """
        found = self._facts.filter(self._facts.patient_id == patient_id).to_pandas()
        return None if found.empty else {str(name): value for name, value in found.iloc[0].items()}


def _attach(left: ibis.Table, right: ibis.Table) -> ibis.Table:
    return left.left_join(right, "patient_id").drop("patient_id_right")


def _until(day: Any, last: Any) -> Any:
    """Give a day if it comes before the last one."""
    return ibis.cases((day < last, day), else_=last)


def _earliest(a: Any, b: Any) -> Any:
    """Give the earlier of two days; the other one where one is missing."""
    return ibis.cases((a < b, a), (known(b), b), else_=a)


def read_coded_patients(workspace: Workspace, statuses: Sequence[str]) -> tuple[dict[str, int], pd.DataFrame]:
    """Read the codes of the patients that the national report counts.

    Parameters
    ----------
    workspace : Workspace
        The data.
    statuses : sequence of str
        Statuses of the diagnoses counted.

    Returns
    -------
    tuple of dict and pandas.DataFrame
        Patients eligible, fetal files and foreign residents; then distinct ``patient_id, orpha_code``.
    """
    patient = workspace.table("patient")
    born = patient.filter(~patient.is_fetus.fill_null(False))
    french = born.residence_country.fill_null("FR").isin(list(c.FRANCE))
    eligible = born.filter(french)
    rows = workspace.table("diagnosis")
    rows = rows.filter(rows.status.isin(list(statuses)), known(rows.orpha_code_current))
    rows = rows.semi_join(eligible, "patient_id")
    coded = rows.select("patient_id", orpha_code=rows.orpha_code_current).distinct()
    everyone, alive, counted = (int(table.count().to_pandas()) for table in (patient, born, eligible))
    sizes = {"eligible": counted, "fetuses": everyone - alive, "foreign": alive - counted}
    return sizes, coded.order_by(["patient_id", "orpha_code"]).to_pandas()
