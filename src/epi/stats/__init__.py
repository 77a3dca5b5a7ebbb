"""What several methods share: intervals, differences, q-values, design checks, standardisation.

Every function takes counts or arrays and gives numbers: nothing here knows of patients.
"""

from __future__ import annotations

from epi.stats.design import check_design, find_design_faults, find_separation
from epi.stats.evalues import EValue, e_value
from epi.stats.intervals import (
    Interval,
    count_interval,
    proportion_interval,
    rate_interval,
    ratio_interval,
    wald_interval,
)
from epi.stats.models import GlmFit, fit_glm
from epi.stats.multiplicity import adjust_p
from epi.stats.notation import format_number, format_percent, format_ratio
from epi.stats.power import detectable_ratio
from epi.stats.scaling import cut_quantiles, find_step
from epi.stats.smd import StandardisedDifference, standardised_difference
from epi.stats.splines import natural_spline
from epi.stats.standardisation import (
    STANDARDS,
    SURVIVAL_STANDARDS,
    direct_rate,
    indirect_ratio,
    standard_population,
    survival_standard,
)

__all__ = [
    "STANDARDS",
    "SURVIVAL_STANDARDS",
    "EValue",
    "GlmFit",
    "Interval",
    "StandardisedDifference",
    "adjust_p",
    "check_design",
    "count_interval",
    "cut_quantiles",
    "detectable_ratio",
    "direct_rate",
    "e_value",
    "find_design_faults",
    "find_separation",
    "find_step",
    "fit_glm",
    "format_number",
    "format_percent",
    "format_ratio",
    "indirect_ratio",
    "natural_spline",
    "proportion_interval",
    "rate_interval",
    "ratio_interval",
    "standard_population",
    "standardised_difference",
    "survival_standard",
    "wald_interval",
]
