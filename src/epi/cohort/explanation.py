"""Why a patient is in or out, step by step; for the user's screen, never for an output."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from epi.cohort.definition import Definition

NO_ANSWER = "This workspace has no patient of that identifier whose data may be studied."
"""The one answer for an unknown patient and for one who opposed."""

_SHOWN = {
    "diagnosis_date": "first matching diagnosis",
    "diagnosis_date_precision": "known to the",
    "diagnosis_status": "status",
    "orpha_code": "ORPHA code",
    "index_date": "index date",
    "birth_date": "birth (15th of the month)",
    "sex": "sex",
    "birth_commune": "commune of birth",
    "residence_commune": "commune recorded",
    "insee_code": "commune of today",
    "first_inclusion_date": "first inclusion",
    "first_activity_date": "first activity",
    "entry_date": "at risk from",
    "exit_date": "at risk to",
}


@dataclass(frozen=True)
class Explanation:
    """One patient held against a definition.

    Parameters
    ----------
    title : str
        Which cohort.
    verdict : str
        In, or out and at which step.
    steps : tuple of tuple
        Each step in words, and whether it is met: yes, no, or not reached.
    facts : tuple of tuple
        What the registry says that the definition reads.
    """

    title: str
    verdict: str
    steps: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def is_in(self) -> bool:
        """Whether the patient is a member."""
        return bool(self.steps) and all(answer == "yes" for _, answer in self.steps)

    def __repr__(self) -> str:
        # A text output would reach whoever is handed the notebook: it says nothing of the patient.
        return "<Explanation: shown on screen only>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(step)}</td><td>{answer}</td></tr>" for step, answer in self.steps)
        facts = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in self.facts)
        tables = f"<table>{rows}</table><table>{facts}</table>" if rows else ""
        return f"<p>{escape(self.title)}: <strong>{escape(self.verdict)}</strong></p>{tables}"


def build_explanation(name: str, definition: Definition, facts: dict[str, Any] | None) -> Explanation:
    """Read a patient's facts against a definition.

    Parameters
    ----------
    name : str
        The cohort.
    definition : Definition
        What a member meets.
    facts : dict or None
        The patient's row; None when the workspace has none.

    Returns
    -------
    Explanation
        The steps.
    """
    title = f"Cohort “{name}”"
    if facts is None:
        return Explanation(title, NO_ANSWER)
    parts = [part for criterion in definition.criteria for part in criterion.parts()]
    fate = int(facts["fate"])
    # Steps after the one that took the patient out are not answered, as the attrition does not ask them.
    answers = ["yes" if rank < fate else "no" if rank == fate else "not reached" for rank in range(len(parts))]
    steps = tuple((part.kept.en, answer) for part, answer in zip(parts, answers, strict=True))
    verdict = "in" if fate == len(parts) else f"out: {parts[fate].lost.en} (step “{parts[fate].kept.en}”)"
    said = tuple((words, _write(facts[key])) for key, words in _SHOWN.items() if key in facts)
    return Explanation(title, verdict, steps, said)


def _write(value: Any) -> str:
    if value is None or pd.isna(value):
        return "unknown"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)[:10] if isinstance(value, pd.Timestamp) else str(value)
