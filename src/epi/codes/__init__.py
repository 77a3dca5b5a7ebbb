"""Medical codes: the Orphanet nomenclature, versioned code lists, the calendar of newborn screening."""

from __future__ import annotations

from epi.codes.entity import Entity, Resolution
from epi.codes.lists import Code, CodeList, compare_code_lists, open_code_list, read_code_list, study_lists
from epi.codes.nomenclature import UNDETERMINED, OrphaNomenclature, open_nomenclature
from epi.codes.screening import COVERAGES, screening_calendar, screening_coverage

__all__ = [
    "COVERAGES",
    "UNDETERMINED",
    "Code",
    "CodeList",
    "Entity",
    "OrphaNomenclature",
    "Resolution",
    "compare_code_lists",
    "open_code_list",
    "open_nomenclature",
    "read_code_list",
    "screening_calendar",
    "screening_coverage",
    "study_lists",
]
