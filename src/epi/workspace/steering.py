"""Steering indicators: the one door where opposed patients may count, as aggregates only.

Whether they may is a decision of governance, not of an analyst: the door asks for a rule with the
reference of that decision, prints it with every figure, and hides a cell as soon as it, or the
opposed patients in it, are between 1 and the minimal count less one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from epi.disclosure import read_policy, suppress
from epi.errors import ParameterError, ProtocolError
from epi.results import Counted, Release

if TYPE_CHECKING:
    from epi.workspace.origin import Origin

_GROUPS = {
    "fsmr": "site.fsmr",
    "site_code": "site.site_code",
    "centre_type": "site.centre_type",
    "region": "site.region",
    "year": "CAST(year(activity.activity_date) AS VARCHAR)",
    "sex": "patient.sex",
}


@dataclass(frozen=True)
class SteeringRule:
    """A decision on counting opposed patients in steering indicators.

    Parameters
    ----------
    include_opposed : bool
        Whether opposed patients count in aggregates.
    reference : str
        The decision that says so (body, date), printed with every figure.
    min_count : int, optional
        Smallest count shown.
    """

    include_opposed: bool
    reference: str
    min_count: int = 11

    def __post_init__(self) -> None:
        """Refuse a rule without a decision behind it."""
        if self.include_opposed and len(self.reference.strip()) < 5:
            raise ProtocolError(
                "opposed patients are to be counted, but no decision is named",
                "the reference of the governance decision that allows it",
                'SteeringRule(include_opposed=True, reference="body, date, number")',
            )
        floor = read_policy().min_count
        if self.min_count < floor:
            raise ParameterError(f"min_count is {self.min_count}", f"{floor} or more: the disclosure policy")


@dataclass(frozen=True)
class SteeringTable:
    """Active patients by group, small cells hidden.

    Parameters
    ----------
    table : pandas.DataFrame
        The groups and ``patients``; a hidden cell is missing.
    rule : SteeringRule
        The decision applied.
    hidden : int
        Number of hidden cells.
    """

    table: pd.DataFrame
    rule: SteeringRule
    hidden: int

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table, whose small cells are already hidden.
        """
        who = "opposed patients included" if self.rule.include_opposed else "opposed patients left out"
        return Release(
            self.table,
            (Counted("patients"),),
            title="Patients with at least one activity",
            note=f"{who}; decision: {self.rule.reference or 'none needed'}",
        )

    def _repr_html_(self) -> str:
        return f"<p>{self.release().note}; {self.hidden} cells hidden</p>" + self.table.to_html(index=False)


def count_active_patients(
    origin: Origin, rule: SteeringRule, by: tuple[str, ...], start: dt.date, end: dt.date
) -> SteeringTable:
    """Count distinct patients with an activity in a period (the *file active*).

    Parameters
    ----------
    origin : Origin
        The place, whose table ``ledger`` exists.
    rule : SteeringRule
        Whether opposed patients count.
    by : tuple of str
        Up to three of ``fsmr``, ``site_code``, ``centre_type``, ``region``, ``year``, ``sex``.
    start, end : datetime.date
        First and last day.

    Returns
    -------
    SteeringTable
        Counts, small cells hidden.

    Raises
    ------
    ParameterError
        If a group is unknown or there are more than three.
    """
    unknown = [name for name in by if name not in _GROUPS]
    if unknown or not 1 <= len(by) <= 3:
        raise ParameterError(
            f"steering indicators cannot be counted by {', '.join(by) or 'nothing'}",
            f"one to three of {', '.join(_GROUPS)}",
        )
    if rule.include_opposed and ((start.month, start.day) != (1, 1) or (end.month, end.day) != (12, 31)):
        raise ParameterError(
            f"the period is {start} to {end}, and opposed patients count",
            "whole years: two periods a few days apart would tell who came between them",
            'start="2020-01-01", end="2023-12-31"',
        )
    groups = ", ".join(f'{_GROUPS[name]} AS "{name}"' for name in by)
    table = origin.connection.sql(
        f"""
        SELECT {groups},
               count(DISTINCT patient_id) AS everyone,
               count(DISTINCT patient_id) FILTER (WHERE ledger.state IN ('opposed', 'unreadable')) AS opposed
        FROM activity
        JOIN care USING (care_id) JOIN site USING (site_code)
        JOIN patient USING (patient_id) JOIN ledger USING (patient_id)
        WHERE activity.activity_date BETWEEN DATE '{start}' AND DATE '{end}'
        GROUP BY ALL ORDER BY ALL
        """
    ).df()
    return _protected(table, rule, by)


def _protected(table: pd.DataFrame, rule: SteeringRule, by: tuple[str, ...]) -> SteeringTable:
    """Hide small cells, and what would give them back.

    Beside a figure without them, a cell that includes a few opposed patients would tell how many they
    are: opposed patients are protected as a count of their own, which takes the cell with it.
    """
    counted = table[list(by)].assign(patients=table["everyone"], opposed=table["opposed"])
    margin = by[:1] if len(by) > 1 else ()
    counts = [Counted("patients", adds_up_within=margin)]
    if rule.include_opposed:
        counts.append(Counted("opposed", of="patients", adds_up_within=margin, derived=("patients",)))
    else:
        counted = counted.assign(patients=table["everyone"] - table["opposed"]).drop(columns="opposed")
    policy = read_policy().model_copy(update={"min_count": rule.min_count})
    done = suppress(Release(counted, tuple(counts)), policy)
    shown = pd.to_numeric(done.table["patients"], errors="coerce").astype("Int64")
    shown = shown.mask(done.hidden["patients"].to_numpy(dtype=bool))
    if any(finding.severity == "refused" for finding in done.findings):
        shown = pd.Series(pd.NA, index=shown.index, dtype="Int64")
    return SteeringTable(table[list(by)].assign(patients=shown), rule, int(shown.isna().sum()))
