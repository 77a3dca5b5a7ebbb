from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from epi.errors import EstimationError, ParameterError
from epi.stats import detectable_ratio, e_value, fit_glm
from epi.stats.power import log_ratio_variance


@pytest.mark.parametrize(
    ("ratio", "low", "high", "expected"),
    [(3.9, 1.8, 8.7, (7.26, 3.0)), (0.80, 0.71, 0.91, (1.8, 1.4)), (0.5, 0.3, 0.8, (3.4, 1.8))],
    ids=["formula milk, respiratory death", "breastfeeding, childhood leukaemia", "breastfeeding, ovarian cancer"],
)
def test_e_values_as_published(ratio, low, high, expected):
    """VanderWeele and Ding, Ann Intern Med 2017;167:268."""
    found = e_value(ratio, low, high)
    digits = 2 if expected[0] > 7 else 1
    assert (round(found.estimate, digits), round(found.limit, digits)) == expected


def test_e_value_by_hand_for_each_measure():
    assert e_value(2.0).estimate == pytest.approx(2 + np.sqrt(2))
    assert e_value(2.0).limit is None
    assert e_value(2.0, measure="OR").estimate == e_value(2.0).estimate  # a rare outcome
    assert e_value(4.0, measure="OR", common=True).estimate == pytest.approx(2 + np.sqrt(2))
    hazard = (1 - 0.5 ** np.sqrt(2)) / (1 - 0.5 ** np.sqrt(0.5))
    assert e_value(2.0, measure="HR", common=True).risk_ratio == pytest.approx(hazard)
    assert e_value(1.2, 0.9, 1.6).limit == 1
    assert e_value(0.8, 0.6, 1.1).limit == 1
    assert e_value(1.0).estimate == 1
    assert e_value(3.0, true=1.5).estimate == pytest.approx(2 + np.sqrt(2))
    up, down = e_value(2.0, 1.5, 3.0), e_value(1 / 2.0, 1 / 3.0, 1 / 1.5)
    assert (up.estimate, up.limit) == pytest.approx((down.estimate, down.limit))


@pytest.mark.parametrize("given", [(0.0,), (-1.0,), (float("nan"),), (2.0, 1.0), (2.0, 2.5, 3.0), (2.0, 0.0, 3.0)])
def test_e_value_refuses_what_is_no_ratio(given):
    with pytest.raises(ParameterError):
        e_value(*given)


def test_e_value_bound_is_met_by_a_confounder_of_that_strength():
    """A confounder tied to exposure and outcome by E biases a null ratio up to the estimate, and not beyond."""
    strength = e_value(3.9).estimate
    assert strength * strength / (2 * strength - 1) == pytest.approx(3.9)


def test_detectable_ratio_against_hsieh_for_a_normal_exposure():
    """Hsieh, Bloch and Larsen 1998: n (z + z)-2 = 1 / (P (1 - P) b2); half cases, variance at 1."""
    n = (norm.isf(0.025) + norm.isf(0.05)) ** 2 / (0.25 * np.log(1.5) ** 2)
    assert log_ratio_variance(0.0, n / 2, n / 2) == pytest.approx(4 / n, rel=1e-6)
    assert detectable_ratio(n / 2, n / 2, power=0.95) == pytest.approx(1.5, rel=0.02)


def test_detectable_ratio_has_the_limits_it_should():
    assert detectable_ratio(100) == pytest.approx(np.exp((norm.isf(0.025) + norm.ppf(0.8)) / 10), rel=1e-9)
    assert detectable_ratio(100, r_squared=0.5, design_effect=2) == pytest.approx(detectable_ratio(25), rel=1e-9)
    many = detectable_ratio(100, 1e9, prevalence=0.3)
    assert many == pytest.approx(detectable_ratio(100, prevalence=0.3), rel=1e-6)
    assert detectable_ratio(100, 1e9) == pytest.approx(detectable_ratio(100), rel=1e-4)
    assert detectable_ratio(200, 200, direction=-1) == pytest.approx(1 / detectable_ratio(200, 200), rel=1e-6)
    assert detectable_ratio(20, 20, prevalence=0.01, direction=-1) == 0
    assert detectable_ratio(2, 2, prevalence=0.5) == np.inf
    with pytest.raises(ParameterError, match="power of a study") as caught:
        detectable_ratio(10, prevalence=0, power=1, alpha=0, r_squared=1, design_effect=0, direction=2)
    assert len(caught.value.faults) == 6
    with pytest.raises(EstimationError, match="not above zero"):
        detectable_ratio(0)


@pytest.mark.parametrize("controls", [None, 300], ids=["counts", "case-control"])
@pytest.mark.parametrize("prevalence", [None, 0.2], ids=["normal", "yes/no"])
def test_the_power_stated_is_the_power_found(controls, prevalence):
    generator = np.random.Generator(np.random.PCG64(5))
    cases, runs = 150, 300
    log_ratio = np.log(detectable_ratio(cases, controls, prevalence=prevalence))
    found = 0
    for _ in range(runs):
        if controls is None:
            x = generator.normal(size=400) if prevalence is None else (generator.random(400) < prevalence) * 1.0
            risk = np.exp(log_ratio * x)
            outcome, family = generator.poisson(cases * risk / risk.sum()), "poisson"
        elif prevalence is None:
            x = np.concatenate([generator.normal(log_ratio, 1, cases), generator.normal(0, 1, controls)])
        else:
            odds = prevalence / (1 - prevalence) * np.exp(log_ratio)
            x = np.concatenate([generator.random(cases) < odds / (1 + odds), generator.random(controls) < prevalence])
        if controls is not None:
            outcome, family = np.repeat([1.0, 0.0], [cases, controls]), "binomial"
        beta, error = fit_glm(pd.DataFrame({"x": x.astype(float)}), outcome, family=family).term("x")
        found += abs(beta) > norm.isf(0.025) * error
    assert binomtest(found, runs, 0.8).pvalue > 0.001
