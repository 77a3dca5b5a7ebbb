"""What the gate has to say of an output: one line for each fact, never a person's value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["refused", "hidden", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("refused", "hidden", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One fact found by the gate.

    Parameters
    ----------
    rule : str
        The rule's short name, stable, for records and tests.
    severity : {"refused", "hidden", "warning", "note"}
        What the fact does to the output.
    where : str
        The column, file or output concerned.
    message : str
        The fact, in a sentence, with counts and never a value.

    Examples
    --------
    >>> print(Finding("small_count", "hidden", "n", "2 cells count 1 to 10 persons"))
    hidden · n: 2 cells count 1 to 10 persons [small_count]
    """

    rule: str
    severity: Severity
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity} · {self.where}: {self.message} [{self.rule}]"


def refusals(findings: list[Finding]) -> list[Finding]:
    """Keep the findings that stop an output.

    Parameters
    ----------
    findings : list of Finding
        All findings.

    Returns
    -------
    list of Finding
        Those of severity ``refused``.
    """
    return [finding for finding in findings if finding.severity == "refused"]
