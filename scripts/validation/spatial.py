"""Tests of maps hold their level, and find what is planted.

The map is that of the metropolitan *départements*, with their inhabitants; the counts are redrawn in each replicate.

Criteria, fixed beforehand. A test at 5 % rejects in 5 % of maps without structure: exact binomial test of the
frequency, p > 0.001, two-sided. A p-value of Monte-Carlo on counts, which tie, is held to at most 5 % by the exact
lower 99.9 % limit, and to more than 2 %: a test that never rejects is no proof. Power is above 80 % where an excess is
planted. The naive test of two maps rejects in more than 5 %: p < 0.001, one-sided.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import binomtest, kstest, pearsonr

from validation.association import at_most
from validation.proof import Proof, Row, Setting

CASES, DRAWS = 3_000, 199
RANGE_KM = 150.0


@cache
def land() -> tuple[Any, np.ndarray, np.ndarray]:
    """Give the metropolitan départements, their expected cases and their distances, km."""
    from epi.geography import area_points

    points = area_points("departement")
    points = points[points["epsg"] == 2154].reset_index(drop=True)
    at = points[["x_m", "y_m"]].to_numpy() / 1000
    km = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=2))
    return points, points["persons"].to_numpy(float) / points["persons"].sum() * CASES, km


def holds(hits: int, runs: int) -> tuple[str, bool]:
    """Judge whether a test at 5 % rejects in 5 % of replicates."""
    p = binomtest(hits, runs, 0.05).pvalue
    return f"{hits} of {runs} rejected ({hits / runs:.1%}), p = {p:.3f}", bool(p > 0.001)


def holds_ties(hits: int, runs: int) -> tuple[str, bool]:
    """Judge the same for a p-value that ties make a little large."""
    told, ok = at_most(hits, runs)
    return told, ok and hits / runs > 0.02


def size_of_moran(setting: Setting) -> Iterator[Row]:
    """Reject in 5 % of maps without structure, whatever the sizes of areas."""
    from epi.geography import neighbours
    from epi.stats.spatial import local_moran_test, moran_test_counts, moran_test_rates, standardise_rates

    points, expected, _ = land()
    weights = neighbours("departement").select(points["area"])
    random = np.random.Generator(np.random.PCG64(31))
    rates = counts = local = families = 0
    for number in range(setting.replicates):
        observed = random.poisson(expected)
        rates += moran_test_rates(observed, expected, weights, permutations=DRAWS, seed=number).p_permutation <= 0.05
        counts += moran_test_counts(observed, expected, weights, simulations=DRAWS, seed=number).p_permutation <= 0.05
        # Fewer permutations could not reach the first step of a false discovery rate over all areas.
        values = standardise_rates(observed, expected)
        p = local_moran_test(values, weights, permutations=9_999, seed=number).p_permutation
        ordered = np.sort(p[~np.isnan(p)])
        local += int((ordered <= 0.05).sum())
        families += bool((ordered <= 0.05 * np.arange(1, len(ordered) + 1) / len(ordered)).any())
    runs = setting.replicates
    yield ("Moran's I of rates, permutations", *holds(int(rates), runs))
    yield ("Moran's I of counts, Poisson draws", *holds(int(counts), runs))
    share = local / (runs * len(points))
    yield ("local Moran, all areas together", f"{share:.1%} rejected", abs(share - 0.05) <= 0.01)
    yield ("local Moran, any area at q = 0.05", *at_most(families, runs))


def two_maps(setting: Setting) -> Iterator[Row]:
    """Two independent maps, both smooth in space: spectral randomisation holds its level, the naive test does not."""
    from epi.stats.spatial import build_moran_basis, distance_weights, spectral_randomisation

    points, _, km = land()
    weights = distance_weights(points["area"], points["lon"], points["lat"])
    basis = build_moran_basis(weights, style="given")
    root = np.linalg.cholesky(np.exp(-km / RANGE_KM) + 1e-9 * np.eye(len(km)))
    random = np.random.Generator(np.random.PCG64(32))
    naive = spectral = 0
    for number in range(setting.replicates):
        one, other = (root @ random.normal(size=len(km)) for _ in range(2))
        seen, p = pearsonr(one, other)
        naive += p <= 0.05
        drawn = spectral_randomisation(one, basis, DRAWS, number)
        centred = other - other.mean()
        apart = drawn - drawn.mean(axis=1, keepdims=True)
        others = apart @ centred / np.sqrt((apart**2).sum(axis=1) * (centred @ centred))
        spectral += (1 + (np.abs(others) >= abs(seen)).sum()) / (1 + DRAWS) <= 0.05
    runs = setting.replicates
    yield ("two independent smooth maps, spectral randomisation", *at_most(int(spectral), runs))
    worse = binomtest(int(naive), runs, 0.05, alternative="greater").pvalue
    yield ("the same by the naive correlation is shown to fail", f"{naive / runs:.1%} rejected", bool(worse < 0.001))


def scan_of_nothing(setting: Setting) -> Iterator[Row]:
    """Find the p-value of the first circle uniform when risk is the same everywhere."""
    from epi.stats.spatial import scan_poisson

    points, expected, _ = land()
    random = np.random.Generator(np.random.PCG64(33))
    ps = np.array([
        scan_poisson(
            points["area"], random.poisson(expected), expected, points["x_m"], points["y_m"], clusters=1,
            replicates=DRAWS, seed=number,
        ).clusters[0].p
        for number in range(setting.replicates)
    ])  # fmt: skip
    # Ranks are whole: a uniform jitter within a rank makes them continuous.
    jittered = ps - random.uniform(size=len(ps)) / (1 + DRAWS)
    apart = kstest(jittered, "uniform").pvalue
    yield ("circular scan, uniform p", f"Kolmogorov-Smirnov p = {apart:.3f}", bool(apart > 0.001))
    yield ("circular scan, level", *holds(int((ps <= 0.05).sum()), setting.replicates))


def tests_near_a_source(setting: Setting) -> Iterator[Row]:
    """Stone, the score test and Diggle's fall hold their level at a source and find a planted excess."""
    from epi.stats.spatial import fit_point_source_counts, focused_score_test, stone_test

    points, expected, km = land()
    source = int(np.flatnonzero(points["area"] == "59")[0])
    away = 1000 * km[source] + 15_000
    random = np.random.Generator(np.random.PCG64(34))
    excess = 1 + 0.6 * np.exp(-((away / 100_000) ** 2))
    for planted, risk in ((False, np.ones_like(away)), (True, excess / (expected * excess).sum() * expected.sum())):
        hits = dict.fromkeys(("Stone, given the total", "Stone, level given", "score", "fall with distance"), 0)
        for number in range(setting.replicates):
            observed = random.poisson(expected * risk)
            options: dict[str, Any] = {"replicates": DRAWS, "seed": number}
            ps = (
                stone_test(observed, expected, away, **options).p,
                stone_test(observed, expected, away, conditional=False, **options).p,
                focused_score_test(observed, expected, 1 / away, **options).p,
                fit_point_source_counts(observed, expected, away, **options).p,
            )
            for name, p in zip(hits, ps, strict=True):
                hits[name] += p <= 0.05
        for name, found in hits.items():
            if planted:
                share = found / setting.replicates
                yield (f"{name}: a planted excess of 60 %", f"found in {share:.1%}", share > 0.8)
            else:
                yield (f"{name}: no excess", *holds_ties(int(found), setting.replicates))


PROOFS: list[Proof] = [
    ("Tests of maps: size of Moran's tests", size_of_moran),
    ("Tests of maps: two independent smooth maps", two_maps),
    ("Tests of maps: circular scan under a constant risk", scan_of_nothing),
    ("Tests of maps: near a source", tests_near_a_source),
]
