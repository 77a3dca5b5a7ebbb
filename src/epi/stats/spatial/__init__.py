"""Statistics of places: spatial weights and what is computed with them. Plain numbers, no territory, no person."""

from epi.stats.spatial.weights import SpatialWeights, weights_from_pairs

__all__ = ["SpatialWeights", "weights_from_pairs"]
