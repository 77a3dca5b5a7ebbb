"""Disclosure control: what may be printed, the gate that decides, the door that writes.

``epi.output`` and ``epi.record`` are the only ways out of a study. Rules are data, in
``policy.yml``; the rule of protection is stated in :mod:`epi.disclosure.suppression`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epi.disclosure.checks import check_outputs
    from epi.disclosure.door import Released, output
    from epi.disclosure.findings import Finding
    from epi.disclosure.gate import Decision, check_release
    from epi.disclosure.ledger import read_gate
    from epi.disclosure.marks import find_gate_line, payload_digest, verify_cell_output
    from epi.disclosure.policy import Policy, read_policy
    from epi.disclosure.readings import filter_rows, format_estimate, read_result_rows, read_results, results_table
    from epi.disclosure.recording import record, record_estimates
    from epi.disclosure.suppression import Suppressed, audit, suppress

_HOMES = {
    "Decision": "gate",
    "Finding": "findings",
    "Policy": "policy",
    "Released": "door",
    "Suppressed": "suppression",
    "audit": "suppression",
    "check_outputs": "checks",
    "check_release": "gate",
    "find_gate_line": "marks",
    "format_estimate": "readings",
    "output": "door",
    "payload_digest": "marks",
    "read_gate": "ledger",
    "read_policy": "policy",
    "filter_rows": "readings",
    "read_result_rows": "readings",
    "read_results": "readings",
    "record": "recording",
    "record_estimates": "recording",
    "results_table": "readings",
    "suppress": "suppression",
    "verify_cell_output": "marks",
}

__all__ = [
    "Decision",
    "Finding",
    "Policy",
    "Released",
    "Suppressed",
    "audit",
    "check_outputs",
    "check_release",
    "filter_rows",
    "find_gate_line",
    "format_estimate",
    "output",
    "payload_digest",
    "read_gate",
    "read_policy",
    "read_result_rows",
    "read_results",
    "record",
    "record_estimates",
    "results_table",
    "suppress",
    "verify_cell_output",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"epi.disclosure.{_HOMES[name]}"), name)
    raise AttributeError(f"epi.disclosure has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
