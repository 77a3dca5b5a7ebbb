from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.overdispersion import dispersion_tests

ORACLE = Path(__file__).parents[2] / "oracle"
R = json.loads((ORACLE / "smoothing.json").read_text())
SCOTLAND = json.loads((ORACLE / "scotland_lip_cancer.json").read_text())
MAPS = {
    "scotland": (SCOTLAND["observed"], SCOTLAND["expected"]),
    "sids": (R["sids"]["deaths"], R["sids"]["births"]),
}


@pytest.mark.parametrize("name", MAPS)
def test_statistics_and_laws_as_in_r(name):
    pearson, potthoff, dean = dispersion_tests(*MAPS[name], draws=99)
    expected = R["dispersion"][name]
    assert [pearson.statistic, pearson.p] == pytest.approx(expected["pearson"], rel=1e-8, abs=1e-300)
    assert [potthoff.statistic, potthoff.p, potthoff.mean, potthoff.sd] == pytest.approx(
        expected["potthoff"], rel=1e-8, abs=1e-300
    )
    assert dean.statistic == pytest.approx(expected["dean"][0], rel=1e-8)
    # R gives 0 where the tail lies below 1e-300.
    assert dean.p == pytest.approx(expected["dean"][1], rel=1e-8, abs=1e-300)


def test_the_simulated_p_is_exact_on_two_areas_with_three_cases():
    # With expected 1 and 1, three cases fall (3, 0) or (0, 3) one time in four.
    for test in dispersion_tests([3, 0], [1.0, 1.0], draws=20_000, seed=5):
        assert test.p_simulated == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 20_000))
    for test in dispersion_tests([2, 1], [1.0, 1.0], draws=999):
        assert test.p_simulated == 1.0


def test_moments_under_a_constant_risk_are_those_stated():
    rng = np.random.default_rng(2)
    expected = rng.uniform(0.5, 6, 40)
    share = expected / expected.sum()
    drawn = [dispersion_tests(rng.multinomial(150, share), expected, draws=99) for _ in range(1500)]
    values = np.array([[test.statistic for test in tests] for tests in drawn])
    told = dispersion_tests(rng.multinomial(150, expected / expected.sum()), expected, draws=99)
    for column, test in enumerate(told[:2]):
        assert values[:, column].mean() == pytest.approx(test.mean, abs=4 * test.sd / np.sqrt(1500))
    assert values[:, 1].std() == pytest.approx(told[1].sd, rel=0.1)


def test_overdispersed_counts_are_found_and_simulated_p_agrees_with_the_law_on_large_counts():
    rng = np.random.default_rng(4)
    expected = rng.uniform(50, 200, 60)
    for test in dispersion_tests(rng.poisson(expected * rng.gamma(10, 0.1, 60)), expected, draws=999):
        assert test.p_simulated == 1 / 1000
    for test in dispersion_tests(rng.poisson(expected), expected, draws=4_999):
        assert abs(stats.norm.isf(test.p) - stats.norm.isf(test.p_simulated)) < 0.25


def test_the_order_of_areas_does_not_matter_and_the_seed_does():
    y, e = np.array([4, 1, 0, 7, 2, 3]), np.array([2.0, 2.0, 1.5, 3.0, 2.5, 4.0])
    order = [3, 0, 5, 1, 2, 4]
    assert dispersion_tests(y, e, draws=999) == dispersion_tests(y[order], e[order], draws=999)
    assert dispersion_tests(y, e, draws=999) != dispersion_tests(y, e, draws=999, seed=2)


def test_a_single_case_says_nothing():
    _, potthoff, _ = dispersion_tests([1, 0, 0], [1.0, 1.0, 1.0], draws=99)
    assert np.isnan(potthoff.p)
    assert potthoff.p_simulated == 1.0


def test_bad_input_is_refused():
    with pytest.raises(ParameterError, match="draws is 10"):
        dispersion_tests([1, 2], [1.0, 1.0], draws=10)
    with pytest.raises(EstimationError, match="2 observed numbers are missing"):
        dispersion_tests([np.nan, 1, -1], [1.0, 1.0, 1.0])
