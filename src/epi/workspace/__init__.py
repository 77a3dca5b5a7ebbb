"""Workspaces: opened data, with opposed patients removed before anything else.

A workspace gives tidy tables through Ibis. Three things hold for every public function here:
rows of patients who oppose the reuse of their data never come out, only the columns that the
study's protocol declares are there, and the rule applied is shown wherever the data are.
"""

from epi.workspace.build import build_workspace
from epi.workspace.fingerprint import fingerprint_of, fingerprint_parts
from epi.workspace.opposition import OppositionLedger
from epi.workspace.steering import SteeringRule
from epi.workspace.workspace import Workspace, open_workspace

__all__ = [
    "OppositionLedger",
    "SteeringRule",
    "Workspace",
    "build_workspace",
    "fingerprint_of",
    "fingerprint_parts",
    "open_workspace",
]
