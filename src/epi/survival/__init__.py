"""Survival: delayed entry, competing causes, weights, clusters and population life tables together.

Everything takes one :class:`SurvivalData`, made and validated by :func:`build_survival`.
"""

from __future__ import annotations

from epi.survival.ascertainment import Ascertainment, estimate_ascertainment
from epi.survival.build import build_survival
from epi.survival.comparison import Comparison, compare_survival
from epi.survival.cox import CoxModel, fit_cox
from epi.survival.crude_death import CrudeDeath, estimate_crude_death
from epi.survival.curves import SurvivalCurves, estimate_survival
from epi.survival.data import SurvivalData
from epi.survival.excess_hazard import ExcessModel, fit_excess
from epi.survival.fine_gray import FineGrayModel, fit_fine_gray
from epi.survival.flexible import FlexibleModel, fit_flexible
from epi.survival.follow_up import follow_cohort
from epi.survival.gray import compare_incidence
from epi.survival.hazard import CumulativeHazard, estimate_cumulative_hazard
from epi.survival.immortal_time import ImmortalTime, check_immortal_time, split_at_exposure
from epi.survival.incidence import CumulativeIncidence, estimate_cumulative_incidence
from epi.survival.infancy import INFANT_DEATHS
from epi.survival.lead_time import LeadTime, check_lead_time
from epi.survival.lexis import split_lexis
from epi.survival.life_table import LifeTable
from epi.survival.life_table_cells import build_life_table, life_table
from epi.survival.life_table_file import read_life_table
from epi.survival.mortality_ratio import MortalityRatio, estimate_smr
from epi.survival.net import NetSurvival, estimate_net_survival
from epi.survival.net_comparison import compare_net
from epi.survival.prediction import PredictedCurves
from epi.survival.proportionality import Proportionality
from epi.survival.quasi_independence import QuasiIndependence, check_quasi_independence
from epi.survival.rate_model import RateModel, fit_rates
from epi.survival.rates import Rates, StandardisedRates, estimate_rates
from epi.survival.ratio_forest import RatioForest, collect_ratios, compare_with_controls, fit_each
from epi.survival.ratio_table import RatioTable
from epi.survival.restricted_mean import RestrictedMean, compare_rmst, estimate_rmst
from epi.survival.standardised import StandardisedSurvival, standardise_net, standardise_survival
from epi.survival.window import CommonWindow, find_common_window

__all__ = [
    "INFANT_DEATHS",
    "Ascertainment",
    "CommonWindow",
    "Comparison",
    "CoxModel",
    "CrudeDeath",
    "CumulativeHazard",
    "CumulativeIncidence",
    "ExcessModel",
    "FineGrayModel",
    "FlexibleModel",
    "ImmortalTime",
    "LeadTime",
    "LifeTable",
    "MortalityRatio",
    "NetSurvival",
    "PredictedCurves",
    "Proportionality",
    "QuasiIndependence",
    "RateModel",
    "Rates",
    "RatioForest",
    "RatioTable",
    "RestrictedMean",
    "StandardisedRates",
    "StandardisedSurvival",
    "SurvivalCurves",
    "SurvivalData",
    "build_life_table",
    "build_survival",
    "check_immortal_time",
    "check_lead_time",
    "check_quasi_independence",
    "collect_ratios",
    "compare_incidence",
    "compare_net",
    "compare_rmst",
    "compare_survival",
    "compare_with_controls",
    "estimate_ascertainment",
    "estimate_crude_death",
    "estimate_cumulative_hazard",
    "estimate_cumulative_incidence",
    "estimate_net_survival",
    "estimate_rates",
    "estimate_rmst",
    "estimate_smr",
    "estimate_survival",
    "find_common_window",
    "fit_cox",
    "fit_each",
    "fit_excess",
    "fit_fine_gray",
    "fit_flexible",
    "fit_rates",
    "follow_cohort",
    "life_table",
    "read_life_table",
    "split_at_exposure",
    "split_lexis",
    "standardise_net",
    "standardise_survival",
]
