"""The gate: one decision for each output, made from its table and the policy, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from epi.disclosure.columns import count_columns
from epi.disclosure.findings import Finding, refusals
from epi.disclosure.identifiers import check_headings, check_identifiers
from epi.disclosure.individuals import check_individuals
from epi.disclosure.leaks import check_declared, check_leaks, check_shape
from epi.disclosure.policy import Policy
from epi.disclosure.suppression import audit, suppress, unexplained_columns
from epi.errors import DisclosureError
from epi.results import Releasable, Release

_TYPE = (
    "type epi.output(Release(table, counts=(Counted('n'),)), 'name'), with "
    "from epi.results import Counted, Release; or give a result object"
)


@dataclass(frozen=True)
class Decision:
    """What the gate decided.

    Parameters
    ----------
    release : Release
        What may be printed: the table with hidden cells missing, small steps merged.
    hidden : pandas.DataFrame
        True where a cell was hidden; empty when refused.
    findings : tuple of Finding
        What was found, in order.
    policy : Policy
        The rules applied.
    """

    release: Release
    hidden: pd.DataFrame
    findings: tuple[Finding, ...]
    policy: Policy

    @property
    def table(self) -> pd.DataFrame:
        """The table as it may be printed."""
        return self.release.table

    @property
    def n_hidden(self) -> int:
        """Number of cells hidden."""
        return int(self.hidden.to_numpy().sum()) if self.hidden.size else 0

    @property
    def n_smallest(self) -> int | None:
        """The smallest number of persons printed, zeros left out; None without any."""
        if self.refused:
            return None
        values = [
            float(value)
            for column in count_columns(self.release)
            for value in self.table[column].to_numpy(float, na_value=np.nan)
            if value > 0
        ]
        return int(min(values)) if values else None

    @property
    def refused(self) -> str:
        """Why the output cannot leave, in a sentence; empty when it may."""
        return "; ".join(f"{finding.where}: {finding.message}" for finding in refusals(list(self.findings)))

    def raise_if_refused(self, name: str) -> None:
        """Stop a refused output.

        Parameters
        ----------
        name : str
            The output's name, for the message.

        Raises
        ------
        DisclosureError
            With every reason, if it was refused.
        """
        reasons = refusals(list(self.findings))
        if not reasons:
            return
        raise DisclosureError(
            f"output '{name}' cannot leave as it is: {len(reasons)} reason(s)",
            "a table of declared counts and statistics, without anything of a person",
            "correct what follows in the Release, then run the cell again",
            faults=[f"{reason.where}: {reason.message}" for reason in reasons],
        )

    def record(self) -> dict[str, Any]:
        """Give what the gate's record keeps of the decision.

        Returns
        -------
        dict
            Verdict, rows, hidden cells, smallest count printed, rules met, policy.
        """
        return {
            "verdict": "refused" if self.refused else "released",
            "rows": len(self.table) if isinstance(self.table, pd.DataFrame) else 0,
            "hidden": self.n_hidden,
            "n_smallest": self.n_smallest,
            "rules": sorted({f"{finding.severity}:{finding.rule}" for finding in self.findings}),
            "findings": [str(finding) for finding in self.findings],
            "policy": self.policy.summary(),
        }


def check_release(release: Release, policy: Policy) -> Decision:
    """Decide what may be printed of a table.

    Parameters
    ----------
    release : Release
        What a method or a user would publish.
    policy : Policy
        The rules.

    Returns
    -------
    Decision
        The table to print, or the reasons why it cannot leave; see ``refused``.

    Examples
    --------
    >>> import pandas as pd
    >>> from epi.disclosure.policy import read_policy
    >>> from epi.results import Counted, Release
    >>> table = pd.DataFrame({"status": ["alive", "dead", "unknown"], "n": [812, 40, 0]})
    >>> check_release(Release(table, (Counted("n"),)), read_policy()).refused
    ''
    >>> check_release(Release(table), read_policy()).refused
    "n: whole numbers, not declared: add Counted('n') to counts if they count persons, or 'n' to not_counts"
    """
    empty = pd.DataFrame()
    findings = check_headings(release, policy) or check_shape(release)
    if findings:
        return Decision(release, empty, tuple(findings), policy)
    findings = [
        *check_identifiers(release, policy),
        *check_individuals(release, policy),
        *check_declared(release, policy),
    ]
    if refusals(findings):
        return Decision(release, empty, tuple(findings), policy)
    try:
        suppressed = suppress(release, policy)
    except DisclosureError as error:
        reason = Finding("nested", "refused", "table", f"{error.arrived}; {error.do}")
        return Decision(release, empty, (*findings, reason), policy)
    findings += suppressed.findings
    findings += check_leaks(suppressed.release, suppressed.hidden)
    if not refusals(findings):
        findings += audit(release, suppressed.table, policy)
    if suppressed.n_hidden:
        beside = unexplained_columns(release, policy)
        if beside:
            findings.append(
                Finding(
                    "beside",
                    "note",
                    ", ".join(beside),
                    "printed beside hidden counts; declare as derived what is computed from them",
                )
            )
    if refusals(findings):
        return Decision(release, empty, tuple(findings), policy)
    return Decision(
        Release(
            suppressed.table,
            release.counts,
            release.title,
            release.note,
            release.not_counts,
            release.labels,
        ),
        suppressed.hidden,
        tuple(findings),
        policy,
    )


def read_release(obj: object, name: str) -> Release:
    """Ask an object what it would publish.

    Parameters
    ----------
    obj : object
        A release, a chart, a result.
    name : str
        The output's name, for the message.

    Returns
    -------
    Release
        The declared table.

    Raises
    ------
    DisclosureError
        If it does not say; the message says what to type.
    """
    if isinstance(obj, Release):
        return obj
    kind = f"{type(obj).__module__.split('.')[0]}.{type(obj).__name__}"
    if not isinstance(obj, type) and isinstance(obj, Releasable):
        release = obj.release()
        if isinstance(release, Release):
            return release
        raise DisclosureError(f"output '{name}': {kind}.release() gave no Release", "a Release", _TYPE)
    hint = _TYPE
    if kind.startswith("matplotlib"):
        hint = (
            "type epi.output(Chart(Release(table, counts=…), draw, alt), 'name'), with "
            "from epi.plotting import Chart: the gate draws the figure again from the checked table"
        )
    raise DisclosureError(
        f"output '{name}' is a {kind}, which does not say which of its figures count persons",
        "a result object, a Release or a Chart",
        hint,
    )
