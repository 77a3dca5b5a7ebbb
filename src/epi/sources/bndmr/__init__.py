"""The national rare-disease registry (BNDMR, SDM-MR data set).

``read_registry`` turns raw files into tidy tables, rejected rows and counts; ``schema`` holds the
tables as pandera schemas, from which the data dictionary is printed.
"""

from __future__ import annotations

from epi.sources.bndmr.mapping import RegistryMapping, TableMapping, read_mapping
from epi.sources.bndmr.reader import read_registry
from epi.sources.bndmr.report import RegistryReport
from epi.sources.bndmr.rules import RULES, STRUCTURAL, Rule, check_rules, read_rules
from epi.sources.bndmr.values import VALUE_SETS

__all__ = [
    "RULES",
    "STRUCTURAL",
    "VALUE_SETS",
    "RegistryMapping",
    "RegistryReport",
    "Rule",
    "TableMapping",
    "check_rules",
    "read_mapping",
    "read_registry",
    "read_rules",
]
