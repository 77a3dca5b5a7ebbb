from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial import weights_from_pairs
from epi.stats.spatial.empirical_bayes import log_normal, poisson_gamma
from epi.stats.spatial.marshall import marshall, marshall_local

ORACLE = Path(__file__).parents[2] / "oracle"
R = json.loads((ORACLE / "smoothing.json").read_text())
SCOTLAND = json.loads((ORACLE / "scotland_lip_cancer.json").read_text())
SIDS = R["sids"]
COUNTIES = weights_from_pairs(range(1, 101), R["links"]["first"], R["links"]["second"])
TIGHT = {"rel": 1e-8, "abs": 1e-12}
Y, E = [9, 39, 11, 2, 1], [1.4, 8.7, 6.0, 5.5, 4.2]
METHODS = {
    "likelihood": poisson_gamma,
    "moments": lambda y, e: poisson_gamma(y, e, estimator="moments"),
    "log-normal": log_normal,
    "marshall": marshall,
}
areas = st.lists(st.tuples(st.integers(0, 60), st.floats(0.2, 50)), min_size=3, max_size=25).filter(
    lambda rows: sum(y for y, _ in rows) > 0
)


def test_poisson_gamma_as_glm_nb_in_r():
    found, expected = poisson_gamma(SCOTLAND["observed"], SCOTLAND["expected"]), R["likelihood"]
    assert found.parameters["shape"] == pytest.approx(expected["shape"], **TIGHT)
    assert found.parameters["rate"] == pytest.approx(expected["rate"], **TIGHT)
    assert found.estimate == pytest.approx(expected["rr"], **TIGHT)
    assert found.quantile(0.025) == pytest.approx(expected["low"], **TIGHT)
    assert found.quantile(0.975) == pytest.approx(expected["high"], **TIGHT)
    assert found.exceedance(1.2) == pytest.approx(expected["above"], **TIGHT)


def test_moments_as_the_equations_of_clayton_and_kaldor_in_r():
    found, expected = poisson_gamma(SCOTLAND["observed"], SCOTLAND["expected"], estimator="moments"), R["moments"]
    assert found.parameters["shape"] == pytest.approx(expected["shape"], **TIGHT)
    assert found.estimate == pytest.approx(expected["rr"], **TIGHT)


def test_scotland_has_the_gamma_law_that_is_known_for_it():
    # Negative binomial, shape and rate: 1.88 and 1.32.
    found = poisson_gamma(SCOTLAND["observed"], SCOTLAND["expected"]).parameters
    assert (round(found["shape"], 2), round(found["rate"], 2)) == (1.88, 1.32)


def test_log_normal_as_the_em_of_clayton_and_kaldor_in_r():
    found, expected = log_normal(SCOTLAND["observed"], SCOTLAND["expected"]), R["lognormal"]
    assert found.parameters["mean"] == pytest.approx(expected["mean"], **TIGHT)
    assert found.parameters["sd"] == pytest.approx(expected["sd"], **TIGHT)
    assert found.estimate == pytest.approx(expected["rr"], **TIGHT)
    assert found.quantile(0.025) == pytest.approx(expected["low"], **TIGHT)
    assert found.quantile(0.975) == pytest.approx(expected["high"], **TIGHT)


def test_marshall_as_spdep_on_sudden_infant_deaths():
    found = marshall(SIDS["deaths"], SIDS["births"])
    assert found.estimate == pytest.approx(R["marshall"]["estimate"], **TIGHT)
    assert found.parameters["mean"] == pytest.approx(R["marshall"]["b"], **TIGHT)
    assert found.parameters["variance"] == pytest.approx(R["marshall"]["a"], rel=1e-8)


@pytest.mark.parametrize("about", ["own", "each"])
def test_local_marshall_as_spdep_on_sudden_infant_deaths(about):
    found = marshall_local(SIDS["deaths"], SIDS["births"], COUNTIES, about=about)
    expected = np.array(R[f"local_{about}"]["estimate"], dtype=float)
    # Where a whole neighbourhood has no death spdep divides zero by zero; the local ratio there is zero.
    bare = np.isnan(expected)
    assert bare.sum() <= 1
    assert (found.estimate[bare] == 0).all()
    assert found.estimate[~bare] == pytest.approx(expected[~bare], **TIGHT)


def test_a_neighbourhood_without_excess_variance_collapses_and_has_no_limits():
    found = marshall_local(SIDS["deaths"], SIDS["births"], COUNTIES)
    none = np.array(R["local_own"]["a"]) == 0
    assert 0 < none.sum() < 100
    assert (found.collapsed == none).all()
    assert found.estimate[none] == pytest.approx(np.array(R["local_own"]["m"])[none], **TIGHT)
    assert np.isnan(found.quantile(0.5)[none]).all()
    assert np.isnan(found.exceedance(0.002)[none]).all()
    assert np.isfinite(found.exceedance(0.002)[~none]).all()


def test_a_gamma_posterior_by_hand():
    # A gamma law of mean 1 and variance 1/4 is worth 4 cases on 4 expected: 6 + 4 over 2 + 4.
    y, e = np.array([6, 2]), np.array([2.0, 6.0])
    found = marshall(y, e)
    mean, variance = 1.0, (2 * 4 + 6 * (2 / 3) ** 2) / 8 - 1 / 4
    prior = mean / variance
    assert found.estimate == pytest.approx([(6 + prior) / (2 + prior), (2 + prior) / (6 + prior)], **TIGHT)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_limits_hold_the_estimate_and_fewer_expected_cases_are_drawn_in_more(method):
    found = method(Y, E)
    assert (found.quantile(0.025) < found.estimate).all()
    assert (found.estimate < found.quantile(0.975)).all()
    wide = method([*Y, 2, 20], [*E, 1.0, 10.0])
    common = wide.estimate[-2:]
    assert abs(common[0] - 2) > abs(common[1] - 2)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_counts_that_follow_their_expected_numbers_collapse_onto_the_overall_ratio(method):
    y, e = [10, 20, 30, 40] * 3, [10.2, 19.7, 30.1, 40.0] * 3
    found = method(y, e)
    assert found.collapsed.all()
    assert found.estimate == pytest.approx(np.full(12, 1.0), abs=0.05)
    assert np.isnan(found.quantile(0.975)).all()


@settings(max_examples=25)
@given(areas, st.randoms(use_true_random=False))
def test_the_order_of_areas_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    y, e = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    for method in (poisson_gamma, log_normal):
        try:
            first = method(y, e)
        except EstimationError:
            with pytest.raises(EstimationError):
                method(y[order], e[order])
            continue
        second = method(y[order], e[order])
        assert (first.estimate[order] == second.estimate).all()


@settings(max_examples=25)
@given(areas, st.floats(0.1, 10))
def test_expected_numbers_in_another_unit_only_change_the_unit(rows, factor):
    y, e = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    for method in (poisson_gamma, marshall):
        first, second = method(y, e), method(y, e * factor)
        if first.collapsed.any() or second.collapsed.any():
            continue
        assert second.estimate * factor == pytest.approx(first.estimate, rel=1e-6)


@pytest.mark.parametrize(
    ("y", "e", "words"),
    [
        ([1, 2], [1.0], "2 observed and 1 expected"),
        ([1], [1.0], "1 area"),
        ([1, np.nan], [1.0, 1.0], "1 observed numbers are missing"),
        ([1, 2.5], [1.0, 1.0], "not whole"),
        ([1, -1], [1.0, 1.0], "negative"),
        ([1, 2], [1.0, 0.0], "1 expected numbers are missing, zero"),
        ([0, 0], [1.0, 1.0], "there is no case"),
        ([1, np.inf], [np.nan, 1.0], "1 expected numbers"),
    ],
)
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_bad_counts_are_refused_in_words(method, y, e, words):
    with pytest.raises(EstimationError, match=words):
        method(y, e)


def test_bad_options_are_refused():
    with pytest.raises(ParameterError, match="estimator is 'guess'"):
        poisson_gamma(Y, E, estimator="guess")
    chain = weights_from_pairs(range(5), [0, 1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(ParameterError, match="about is 'all'"):
        marshall_local(Y, E, chain, about="all")
    with pytest.raises(EstimationError, match="3 counts for 5 areas"):
        marshall_local(Y[:3], E[:3], chain)
    with pytest.raises(ParameterError, match="threshold is 0"):
        marshall(Y, E).exceedance(0)
    with pytest.raises(ParameterError, match="level is 95"):
        marshall(Y, E).quantile(95)


def test_a_city_that_holds_most_cases_does_not_flatten_the_others():
    # MASS::glm.nb(y ~ 1 + offset(log(e))): theta 1.882443381587, intercept -0.271805795364; Poisson is 9.8 less likely.
    y = np.array(
        [
            2000, 0, 2, 5, 0, 4, 1, 5, 3, 0, 0, 1, 1, 0, 1, 0, 4, 1, 1, 5,
            1, 0, 1, 0, 3, 7, 6, 0, 5, 7, 6, 1, 4, 1, 1, 4, 2, 6, 2, 6,
            0, 2, 1, 0, 2, 2, 2, 0, 3, 3, 1,
        ],
        float,
    )  # fmt: skip
    e = np.r_[2000.0, np.full(50, 3.0)]
    fit = poisson_gamma(y, e)
    assert np.isclose(fit.parameters["shape"], 1.882443381587, rtol=1e-8)
    assert np.isclose(fit.parameters["shape"] / fit.parameters["rate"], np.exp(-0.271805795364), rtol=1e-8)
    assert not fit.collapsed.any()
    # Turns of EM from the variance of the raw log ratios come down to the same law.
    raw, weight = np.log((y + 0.5) / e), y + 0.5
    mean, variance = raw.mean(), raw.var()
    for _ in range(5000):
        share = 1 / (1 + weight * variance)
        centre = mean * share + (weight * raw - 0.5) * variance * share
        variance = float(((centre - mean) ** 2 + variance * share).mean())
        mean = centre.mean()
    found = log_normal(y, e)
    assert np.isclose(found.parameters["sd"], np.sqrt(variance), rtol=1e-6)
    assert np.isclose(found.parameters["mean"], mean, rtol=1e-6)
