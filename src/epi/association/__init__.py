"""Association of places and exposures with disease: incidence ratios, rates, exposure-wide screens."""

from __future__ import annotations

from epi.association.autocorrelation import SpatialAutocorrelation, check_autocorrelation
from epi.association.cluster_scan import ClusterScan, scan_clusters
from epi.association.dag import AdjustmentCheck, Dag, read_dag
from epi.association.dose_response import DoseResponse, estimate_dose_response
from epi.association.joint_fit import fit_joint_model
from epi.association.joint_model import JointModel
from epi.association.local_clusters import LocalClusters, find_local_clusters
from epi.association.negative_controls import NegativeControls, check_negative_controls
from epi.association.overdispersion import Overdispersion, check_overdispersion
from epi.association.power import DetectableRatios, minimum_detectable_ratio
from epi.association.raised_risk import RaisedRisk, check_raised_risk
from epi.association.rates import Rates, estimate_rates
from epi.association.referral import Referral, estimate_referral
from epi.association.screen import Screen
from epi.association.screening import screen_exposures
from epi.association.sir import Sir, estimate_sir
from epi.association.smoothing import SmoothedRatios, smooth_ratios
from epi.association.spatial_regression import SpatialRegression, fit_spatial_regression
from epi.association.specification import SpecificationCurve, specification_curve
from epi.stats.evalues import EValue, e_value

__all__ = [
    "AdjustmentCheck",
    "ClusterScan",
    "Dag",
    "DetectableRatios",
    "DoseResponse",
    "EValue",
    "JointModel",
    "LocalClusters",
    "NegativeControls",
    "Overdispersion",
    "RaisedRisk",
    "Rates",
    "Referral",
    "Screen",
    "Sir",
    "SmoothedRatios",
    "SpatialAutocorrelation",
    "SpatialRegression",
    "SpecificationCurve",
    "check_autocorrelation",
    "check_negative_controls",
    "check_overdispersion",
    "check_raised_risk",
    "e_value",
    "estimate_dose_response",
    "estimate_rates",
    "estimate_referral",
    "estimate_sir",
    "find_local_clusters",
    "fit_joint_model",
    "fit_spatial_regression",
    "minimum_detectable_ratio",
    "read_dag",
    "scan_clusters",
    "screen_exposures",
    "smooth_ratios",
    "specification_curve",
]
