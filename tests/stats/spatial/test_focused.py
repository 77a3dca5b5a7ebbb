"""Raised risk near a source: by hand, against plain R (focused.R), and on the cancers of Chorley-Ribble."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import open_data
from epi.errors import EstimationError, ParameterError
from epi.stats.spatial import fit_point_source, fit_point_source_counts, focused_score_test, stone_test

R = json.loads((Path(__file__).parents[2] / "oracle" / "focused.json").read_text())
TIGHT = {"rel": 1e-8}
ITERATED = {"rel": 1e-6}
CASES, EXPECTED, AWAY_M = (np.array(R[name], dtype=float) for name in ("observed", "expected", "distance"))
AWAY_M = AWAY_M * 1_000


def test_stone_as_in_r():
    found = stone_test(CASES, EXPECTED, AWAY_M, replicates=99)
    assert found.ratio == pytest.approx(np.array(R["ratio"]), **TIGHT)
    assert found.log_likelihood_ratio == pytest.approx(R["stone"]["log_likelihood_ratio"], **TIGHT)
    assert found.maximum == pytest.approx(R["stone"]["maximum"], **TIGHT)
    free = stone_test(CASES, 0.8 * EXPECTED, AWAY_M, conditional=False, replicates=99)
    assert free.log_likelihood_ratio == pytest.approx(R["stone"]["unconditional"], **TIGHT)
    assert free.ratio == pytest.approx(np.array(R["ratio"]) / 0.8, **TIGHT)


def test_given_the_total_the_scale_of_the_expected_numbers_says_nothing():
    one, other = (stone_test(CASES, factor * EXPECTED, AWAY_M, replicates=99) for factor in (1.0, 7.0))
    assert other.log_likelihood_ratio == pytest.approx(one.log_likelihood_ratio, rel=1e-9) and other.p == one.p
    assert other.ratio * 7 == pytest.approx(one.ratio, rel=1e-9)
    assert other.maximum * 7 == pytest.approx(one.maximum, rel=1e-9) and other.p_maximum == one.p_maximum


def test_stone_by_hand():
    # 6 of 2 near, 2 of 2 in the middle, 4 of 2 far: the last two are one level of 6 over 4.
    found = stone_test([6, 2, 4], [2.0, 2.0, 2.0], [100, 200, 300], replicates=9)
    assert found.ratio.tolist() == pytest.approx([3.0, 1.5, 1.5])
    assert found.log_likelihood_ratio == pytest.approx(6 * np.log(3 / 2) + 6 * np.log(1.5 / 2))
    assert found.maximum == pytest.approx(3.0)
    # Areas at one distance are one ring.
    ring = stone_test([6, 0, 2, 2, 2], [1.0, 1.0, 2.0, 1.0, 1.0], [100, 100, 200, 300, 300], replicates=9)
    assert ring.ratio.tolist() == pytest.approx([3.0, 3.0, 1.5, 1.5, 1.5])


def test_a_risk_that_rises_with_distance_is_no_evidence():
    rising = stone_test([1, 2, 3, 4], [2.5] * 4, [1, 2, 3, 4], replicates=99)
    assert rising.log_likelihood_ratio == 0 and rising.p == 1 and rising.ratio.tolist() == [1.0] * 4
    fitted = fit_point_source_counts([1, 2, 3, 40], [10] * 4, [1e3, 2e3, 3e3, 4e3], replicates=9)
    assert fitted.alpha == 0 and fitted.p_chi2 == 1 and fitted.p == 1
    assert fitted.relative_risk([0.0, 5e3]).tolist() == [1, 1]


def test_the_p_value_of_stone_is_the_exact_one():
    """Four cases over three rings of equal size: all 81 maps can be written down."""
    rings = np.array([[a, b, c] for a in range(5) for b in range(5 - a) for c in [4 - a - b]])
    weight = np.array([24 / np.prod([[1, 1, 2, 6, 24][k] for k in row]) for row in rings]) / 81
    values = [stone_test(row, [1.0] * 3, [1, 2, 3], replicates=1).log_likelihood_ratio for row in rings]
    seen = stone_test([3, 1, 0], [1.0] * 3, [1, 2, 3], replicates=20_000, seed=5)
    exact = float(weight[np.array(values) >= seen.log_likelihood_ratio - 1e-9].sum())
    assert seen.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_the_score_as_in_r_and_by_enumeration():
    near = 1 / (1 + AWAY_M / 10_000)
    found = focused_score_test(CASES, EXPECTED, near, replicates=99)
    expected = R["score"]
    assert (found.statistic, found.variance, found.skewness) == pytest.approx(
        [expected["statistic"], expected["variance"], expected["skewness"]], **TIGHT
    )
    free = focused_score_test(CASES, EXPECTED, near, conditional=False, replicates=99)
    assert free.variance == pytest.approx(expected["variance_poisson"], **TIGHT)
    drawn = focused_score_test([4, 1, 0], [1.0, 2.0, 2.0], [1.0, 0.5, 0.1], replicates=20_000, seed=2)
    share, total = np.array([0.2, 0.4, 0.4]), 5
    paths = np.array(np.meshgrid(*[range(3)] * total)).reshape(total, -1).T
    chance = share[paths].prod(axis=1)
    sums = np.array([1.0, 0.5, 0.1])[paths].sum(axis=1)
    mean = (chance * sums).sum()
    assert drawn.variance == pytest.approx((chance * (sums - mean) ** 2).sum())
    assert drawn.skewness == pytest.approx((chance * (sums - mean) ** 3).sum() / drawn.variance**1.5)
    exact = chance[sums >= 4.5 - 1e-9].sum()
    assert drawn.p == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


def test_the_fall_with_distance_as_in_r():
    found = fit_point_source_counts(CASES, EXPECTED, AWAY_M, replicates=99)
    expected = R["counts"]
    assert (found.alpha, found.beta_m / 1_000, found.level, found.log_likelihood_ratio) == pytest.approx(
        [expected[name] for name in ("alpha", "beta", "level", "log_likelihood_ratio")], **ITERATED
    )
    assert not found.at_edge


def test_larynx_and_lung_cancers_near_the_incinerator():
    """Diggle (1990): cancers of the larynx are raised near the incinerator, against those of the lung."""
    folder = open_data()
    if folder is None:
        return
    points = pd.read_csv(folder / "external_checks" / "chorley_points.csv.gz")
    place = pd.read_csv(folder / "external_checks" / "chorley_incinerator.csv.gz").iloc[0]
    away = 1_000 * np.hypot(points["x_km"] - place["x_km"], points["y_km"] - place["y_km"])
    case = points["type"] == "larynx"
    assert (case.sum(), len(case)) == (58, 1_036)
    found = fit_point_source(case, away, seed=1)
    expected = R["chorley"]
    assert (found.alpha, found.beta_m / 1_000, found.level, found.log_likelihood_ratio) == pytest.approx(
        [expected[name] for name in ("alpha", "beta_km", "level", "log_likelihood_ratio")], **ITERATED
    )
    assert found.p < 0.02 and 0.005 < found.p_chi2 < 0.05 and not found.at_edge
    order = np.random.default_rng(3).permutation(len(case))
    assert fit_point_source(case.to_numpy()[order], away.to_numpy()[order], seed=1) == found


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_nothing_depends_on_the_order_of_rows(seed):
    generator = np.random.default_rng(seed)
    n = int(generator.integers(4, 30))
    expected, away = generator.uniform(0.5, 9, n), generator.integers(0, 12, n) * 700.0
    away[:3] = [100.0, 900.0, 5_000.0]
    cases = generator.poisson(expected)
    cases[0] += 1
    order = generator.permutation(n)
    first = stone_test(cases, expected, away, replicates=49, seed=seed)
    second = stone_test(cases[order], expected[order], away[order], replicates=49, seed=seed)
    assert (first.log_likelihood_ratio, first.p, first.maximum, first.p_maximum) == (
        second.log_likelihood_ratio, second.p, second.maximum, second.p_maximum,
    )  # fmt: skip
    assert np.array_equal(first.ratio[order], second.ratio)
    assert (np.diff(first.ratio[np.argsort(away, kind="stable")]) <= 1e-12).all()
    assert (first.ratio * expected).sum() == pytest.approx(cases.sum())
    near = 1 / (1 + away)
    assert focused_score_test(cases, expected, near, replicates=49) == focused_score_test(
        cases[order], expected[order], near[order], replicates=49
    )
    assert repr(fit_point_source_counts(cases, expected, away, replicates=19)) == repr(
        fit_point_source_counts(cases[order], expected[order], away[order], replicates=19)
    )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"observed": [1.5, 1, 1]}, EstimationError, "not whole"),
        ({"observed": [0, 0, 0]}, EstimationError, "no case"),
        ({"observed": [1, np.nan, 0]}, EstimationError, "missing"),
        ({"expected": [0.0, 2.0, 2.0]}, EstimationError, "1 areas have cases and nobody expected"),
        ({"expected": [1.0, 2.0]}, ParameterError, "shapes"),
        ({"distance_m": [1.0, np.nan, 2.0]}, EstimationError, "1 of 3 distances are missing"),
        ({"distance_m": [-1.0, 1.0, 2.0]}, EstimationError, "1 distances are negative"),
        ({"replicates": 0}, ParameterError, "replicates is 0"),
    ],
)
def test_bad_input_gets_its_sentence(change, error, words):
    given_ = {"observed": [3, 1, 1], "expected": [2.0] * 3, "distance_m": [1e2, 1e3, 1e4], "replicates": 9} | change
    for function in (stone_test, fit_point_source_counts):
        with pytest.raises(error, match=words):
            function(**given_)


def test_bad_labels_and_exposures_get_their_sentence():
    with pytest.raises(EstimationError, match="same in every area"):
        focused_score_test([1, 2], [1.0, 1.0], [0.5, 0.5])
    with pytest.raises(EstimationError, match="0 of 3 points are cases"):
        fit_point_source([0, 0, 0], [1.0, 2.0, 3.0])
    with pytest.raises(ParameterError, match="true and false"):
        fit_point_source([1, 2, 0], [1.0, 2.0, 3.0])
    with pytest.raises(EstimationError, match="fewer than three distances"):
        fit_point_source([1, 0, 0], [1.0, 1.0, 1.0])
