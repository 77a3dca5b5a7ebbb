"""Steering indicators: the one door where opposed patients may count, as aggregates only.

Whether they may is a decision of governance, not of an analyst: the door asks for a rule with the
reference of that decision, prints it with every figure, and hides a cell as soon as it, or the
opposed patients in it, are between 1 and the minimal count less one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from epi.errors import ParameterError, ProtocolError
from epi.results import Release

if TYPE_CHECKING:
    import pandas as pd

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
        if self.min_count < 5:
            raise ParameterError(f"min_count is {self.min_count}", "5 or more")


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
        from epi.results import Counted

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
    shown = table["everyone"] - (0 if rule.include_opposed else table["opposed"])
    small = shown.between(1, rule.min_count - 1)
    if rule.include_opposed:
        # Beside a figure without them, a cell that includes a few opposed patients would tell
        # how many they are.
        small |= table["opposed"].between(1, rule.min_count - 1)
    table["patients"] = shown.astype("Int64").mask(small)
    return SteeringTable(table[[*by, "patients"]], rule, int(small.sum()))
