from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial import build_moran_basis, distance_weights, family_p, map_score_test
from epi.stats.spatial.map_test import area_dispersion

LON, LAT = (side.ravel() / 5.0 for side in np.meshgrid(np.arange(10), 230 + np.arange(10)))
WEIGHTS = distance_weights(range(100), LON, LAT)
BASIS = build_moran_basis(WEIGHTS, style="given")
STEP = (1.001 - WEIGHTS.matrix.toarray()) * (1 - np.eye(100))
ROOT = np.linalg.cholesky(np.exp(-3 * STEP) + 1e-9 * np.eye(100))


def smooth(random, k):
    return random.normal(size=(k, 100)) @ ROOT.T


def test_p_is_that_of_every_choice_of_signs():
    """Five areas have four coordinates: the sixteen choices of signs are the whole law."""
    weights = distance_weights(range(5), [0.0, 1.0, 2.5, 3.0, 5.0], [0.0, 1.0, 0.0, 2.0, 1.0])
    basis = build_moran_basis(weights, style="given")
    x, r = np.array([1.0, 2.0, 0.0, 4.0, 3.0]), np.array([0.4, 0.6, -1.0, 0.9, -0.9])
    test = map_score_test([x], r, np.ones(5), basis, draws=40_000)
    assert test.dispersion == 0
    terms = ((x - x.mean()) @ basis.vectors) * (r @ basis.vectors)
    whole = np.array([abs(np.dot(signs, terms)) for signs in itertools.product([-1, 1], repeat=4)])
    exact = (whole >= abs(x @ r) - 1e-12).mean()
    assert test.score[0] == pytest.approx((x - x.mean()) @ r)
    assert test.p[0] == pytest.approx(exact, abs=0.01)


def test_adjusters_are_taken_out_of_map_and_residual():
    random = np.random.Generator(np.random.PCG64(1))
    x, z, r, w = *smooth(random, 2), random.normal(size=100), random.gamma(2, 3, 100)
    plain = map_score_test([x], r, w, BASIS, z)
    shifted = map_score_test([x + 3 * z - 7], r, w, BASIS, z)
    assert shifted.score[0] == pytest.approx(plain.score[0], rel=1e-9)
    assert shifted.p.tolist() == plain.p.tolist()
    v = w / (1 + plain.dispersion * w)
    design = np.column_stack([np.ones(100), z])
    left = x - design @ np.linalg.lstsq(design * np.sqrt(v)[:, None], x * np.sqrt(v), rcond=None)[0]
    assert plain.score[0] == pytest.approx(left @ (r / (1 + plain.dispersion * w)), rel=1e-9)
    twice = map_score_test([x], r, w, BASIS, np.column_stack([z, z, np.zeros(100)]))
    assert twice.p.tolist() == plain.p.tolist()


def test_order_of_areas_changes_nothing():
    random = np.random.Generator(np.random.PCG64(2))
    x, r, w = smooth(random, 4), random.normal(size=100), random.gamma(2, 3, 100)
    order = random.permutation(100)
    again = build_moran_basis(WEIGHTS.select(WEIGHTS.labels[order]), style="given")
    first, second = map_score_test(x, r, w, BASIS), map_score_test(x[:, order], r[order], w[order], again)
    assert first.p.tolist() == second.p.tolist()
    assert first.z == pytest.approx(second.z, rel=1e-8)


def test_dispersion_solves_pearson_and_is_zero_without_excess():
    random = np.random.Generator(np.random.PCG64(3))
    w = random.gamma(2, 5, 4000)
    r = random.normal(size=4000) * np.sqrt(w + 0.09 * w**2)
    t = area_dispersion(r, w)
    assert (r**2 / (w + t * w**2)).sum() == pytest.approx(3999, rel=1e-9)
    assert t == pytest.approx(0.09, abs=0.01)
    assert area_dispersion(0.9 * np.sqrt(w), w) == 0


def test_the_level_holds_where_maps_and_risk_are_smooth_and_permutation_of_areas_does_not():
    random = np.random.Generator(np.random.PCG64(4))
    hits, plain, runs = 0, 0, 300
    for _ in range(runs):
        x, risk = smooth(random, 2)
        mean = 20 * np.exp(0.4 * risk)
        observed = random.poisson(mean)
        residual = observed - observed.mean()
        hits += map_score_test([x], residual, np.full(100, observed.mean()), BASIS, draws=199).p[0] <= 0.05
        permuted = np.array([x[random.permutation(100)] @ residual for _ in range(99)])
        plain += (1 + (np.abs(permuted) >= abs(x @ residual)).sum()) / 100 <= 0.05
    assert binomtest(hits, runs, 0.05).pvalue > 0.001
    assert binomtest(plain, runs, 0.05, alternative="greater").pvalue < 1e-6


def test_family_p_is_the_step_down_of_westfall_and_young():
    """By hand: draws of two maps; the second is compared with its own draws once the first is declared."""
    z, drawn = [2.0, 1.0], [[1.5, 0.2], [2.5, 0.1], [0.3, 0.9], [0.1, 1.2]]
    assert family_p(z, drawn).tolist() == [(1 + 1) / 5, (1 + 1) / 5]
    assert family_p([1.0, -2.0], np.array(drawn)[:, ::-1]).tolist() == [0.4, 0.4]
    random = np.random.Generator(np.random.PCG64(6))
    draws = random.normal(size=(999, 8))
    mine = family_p(draws[0], draws)
    single = (1 + (np.abs(draws) >= abs(draws[0]) - 1e-10).sum(axis=0)) / 1000
    assert (mine >= single - 1e-12).all()


def test_what_is_no_map_is_refused():
    r, w = np.ones(100), np.ones(100)
    good = np.arange(100.0)
    for x, told in (
        ([np.full(100, np.nan)], "missing"),
        ([np.ones(100)], "do not vary"),
    ):
        with pytest.raises(EstimationError, match=told):
            map_score_test(x, r, w, BASIS)
    with pytest.raises(EstimationError, match="missing"):
        map_score_test([good], r, np.zeros(100), BASIS)
    with pytest.raises(ParameterError, match="99 areas"):
        map_score_test([good[1:]], r, w, BASIS)
    with pytest.raises(ParameterError, match="draws is 3"):
        map_score_test([good], r, w, BASIS, draws=3)
    with pytest.raises(ParameterError, match="points of three areas"):
        distance_weights([1, 2, 3], [0.0, 500.0, 1.0], [0.0, 0.0, 0.0])


def test_distances_are_those_of_the_sphere():
    near = distance_weights(["a", "b", "c"], [0.0, 90.0, 180.0], [0.0, 0.0, 0.0]).matrix.toarray()
    assert near[0, 1] == pytest.approx(0.501)
    assert near[0, 2] == pytest.approx(0.001)
