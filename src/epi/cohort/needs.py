"""The columns that a definition reads, held against what the protocol grants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from epi.cohort import criteria as c
from epi.cohort import evidence as e
from epi.errors import ProtocolError

if TYPE_CHECKING:
    from epi.workspace import Workspace

_NEEDS: dict[type, set[tuple[str, str]]] = {
    c.NotAFetus: {("patient", "is_fetus")},
    c.FrenchResident: {("patient", "residence_country")},
    c.Aged: {("patient", "birth_date")},
    c.Born: {("patient", "birth_date")},
    c.BornInFrance: {("patient", "birth_commune")},
    c.OfSex: {("patient", "sex")},
    c.KnownResidence: {("patient", "residence_commune")},
    c.Residing: {("patient", "residence_commune")},
    c.InCommuneOf: {("patient", "residence_commune")},
    c.FollowUp: {("patient", "death_date"), ("patient", "vital_status")},
    e.Known: {("care", "inclusion_date")},
    e.Included: {("care", "inclusion_date")},
    e.Diagnosed: {("diagnosis", "orpha_code_current"), ("diagnosis", "status")},
    e.NotFamilial: {("diagnosis", "sporadic_familial")},
    e.DiagnosedBetween: {("diagnosis", "diagnosis_date")},
    e.SignsBetween: {("patient", "birth_date"), ("diagnosis", "first_signs_age_days")},
    e.AlsoDiagnosed: {("diagnosis", "orpha_code_current"), ("diagnosis", "status")},
    e.NotDiagnosed: {("diagnosis", "orpha_code_current"), ("diagnosis", "status")},
    e.Active: {("activity", "activity_date"), ("activity", "context")},
    e.AtSites: {("care", "site_code")},
}
_INDEX = {
    "diagnosis": ("diagnosis", "diagnosis_date"),
    "first_inclusion": ("care", "inclusion_date"),
    "first_activity": ("activity", "activity_date"),
    "birth": ("patient", "birth_date"),
}


def check_columns(workspace: Workspace, criteria: Sequence[c.Criterion], index: c.Index | None) -> None:
    """Make sure that everything a definition reads is granted.

    Parameters
    ----------
    workspace : Workspace
        The data.
    criteria : sequence of Criterion
        The definition.
    index : Index or None
        Its index date.

    Raises
    ------
    ProtocolError
        If columns are not granted; all of them at once.
    """
    needs = {need for criterion in criteria for need in _NEEDS.get(type(criterion), set()) | _options(criterion)}
    if index is not None and index.rule in _INDEX:
        needs.add(_INDEX[index.rule])
    missing = sorted(f"{table}.{column}" for table, column in needs if not workspace.has(table, column))
    if missing:
        raise ProtocolError(
            f"the definition reads {len(missing)} column(s) that are not granted here",
            "columns declared in the protocol",
            "declare them in protocol.yml under variables, each with its reason; or leave the filter out",
            faults=missing,
        )


def _options(criterion: c.Criterion) -> set[tuple[str, str]]:
    needs = set()
    if isinstance(criterion, e.Active | e.AtSites) and criterion.in_label:
        needs.add(("care", "out_of_label"))
    if isinstance(criterion, e.AtSites):
        needs |= {("site", "fsmr")} if criterion.fsmr else set()
        needs |= {("site", "centre_type")} if criterion.centre_types else set()
    if isinstance(criterion, e.NotDiagnosed) and criterion.before_index:
        needs.add(("diagnosis", "diagnosis_date"))
    if isinstance(criterion, c.FollowUp):
        needs |= {("care", "inclusion_date")} if criterion.entry == "first_record" else set()
        needs |= {("activity", "activity_date")} if criterion.end == "last_news" else set()
    return needs
