"""Cohorts: declarative definitions, attrition, explanations, table one, national counts.

Importing this room hangs ``cohort`` on every workspace.
"""

from __future__ import annotations

from epi.cohort.attrition import Attrition, AttritionComparison, compare_attrition
from epi.cohort.cohort import Cohort
from epi.cohort.counting import NationalFlow, national_flow
from epi.cohort.definition import POPULATIONS, Definition, Flag, Population
from epi.cohort.explanation import Explanation
from epi.cohort.table_one import TableOne, compare_cohorts
from epi.workspace import Workspace


def _begin(workspace: Workspace, name: str) -> Cohort:
    """Begin the definition of a cohort; see :class:`Cohort`."""
    return Cohort.on(workspace, name)


Workspace.register("cohort", _begin)

__all__ = [
    "POPULATIONS",
    "Attrition",
    "AttritionComparison",
    "Cohort",
    "Definition",
    "Explanation",
    "Flag",
    "NationalFlow",
    "Population",
    "TableOne",
    "compare_attrition",
    "compare_cohorts",
    "national_flow",
]
