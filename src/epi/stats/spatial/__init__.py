"""Statistics of places: spatial weights and what is computed with them. Plain numbers, no territory, no person."""

from epi.stats.spatial.focused import FocusedScore, StoneTest, focused_score_test, stone_test
from epi.stats.spatial.local_moran import LocalMoran, local_moran_test
from epi.stats.spatial.map_interval import MapInterval, map_interval
from epi.stats.spatial.map_test import MapTest, distance_weights, family_p, map_score_test
from epi.stats.spatial.moran import Autocorrelation, geary_test, moran_test
from epi.stats.spatial.moran_rates import moran_test_rates, standardise_rates
from epi.stats.spatial.moran_residuals import moran_test_counts, moran_test_residuals
from epi.stats.spatial.point_source import PointSource, fit_point_source, fit_point_source_counts
from epi.stats.spatial.scan import Scan, ScanCluster, scan_poisson
from epi.stats.spatial.spectral import MoranBasis, build_moran_basis, spectral_randomisation
from epi.stats.spatial.weights import SpatialWeights, weights_from_pairs

__all__ = [
    "Autocorrelation",
    "FocusedScore",
    "LocalMoran",
    "MapInterval",
    "MapTest",
    "MoranBasis",
    "PointSource",
    "Scan",
    "ScanCluster",
    "SpatialWeights",
    "StoneTest",
    "build_moran_basis",
    "distance_weights",
    "family_p",
    "fit_point_source",
    "fit_point_source_counts",
    "focused_score_test",
    "geary_test",
    "local_moran_test",
    "map_interval",
    "map_score_test",
    "moran_test",
    "moran_test_counts",
    "moran_test_rates",
    "moran_test_residuals",
    "scan_poisson",
    "spectral_randomisation",
    "standardise_rates",
    "stone_test",
    "weights_from_pairs",
]
