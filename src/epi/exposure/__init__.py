"""Exposures at the place of residence: what there is, who has it, where it comes from.

Importing this room hangs ``enrich`` on every cohort.
"""

from __future__ import annotations

from epi.cohort import Cohort
from epi.exposure.area import average_by_area
from epi.exposure.catalogue import Catalogue, VariableInfo, open_catalogue
from epi.exposure.coverage import Coverage
from epi.exposure.coverage_map import chart_silence
from epi.exposure.derived import DERIVED, nearest_site_km
from epi.exposure.emitters import EmitterExposure, Emitters, build_emitters, measure_emitters
from epi.exposure.enrichment import Enriched, enrich
from epi.exposure.fdep import Deprivation, build_fdep
from epi.exposure.grouping import ExposureClusters, cluster_exposures
from epi.exposure.monitors import MonitorExposure, read_monitors
from epi.exposure.open_exposures import OpenExposures, use_air_stations, use_irep, use_open_table
from epi.exposure.open_registers import OpenRegister, read_t1d
from epi.exposure.provenance import STATUSES, ExposureMethods, Provenance
from epi.exposure.residences import check_residences
from epi.exposure.scaling import EncodedExposure, ScaledExposure, encode_exposure, scale_exposure
from epi.exposure.themes import THEMES

Cohort.register("enrich", enrich)

__all__ = [
    "DERIVED",
    "STATUSES",
    "THEMES",
    "Catalogue",
    "Coverage",
    "Deprivation",
    "EmitterExposure",
    "Emitters",
    "EncodedExposure",
    "Enriched",
    "ExposureClusters",
    "ExposureMethods",
    "MonitorExposure",
    "OpenExposures",
    "OpenRegister",
    "Provenance",
    "ScaledExposure",
    "VariableInfo",
    "average_by_area",
    "build_emitters",
    "build_fdep",
    "chart_silence",
    "check_residences",
    "cluster_exposures",
    "encode_exposure",
    "enrich",
    "measure_emitters",
    "nearest_site_km",
    "open_catalogue",
    "read_monitors",
    "read_t1d",
    "scale_exposure",
    "use_air_stations",
    "use_irep",
    "use_open_table",
]
