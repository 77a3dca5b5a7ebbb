"""Referral: a fall with distance that was planted is found, and the ratios are corrected by it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from epi.association import estimate_referral, estimate_sir
from epi.association.referral import BANDS_KM
from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import ratio_interval
from epi.stats.uncertain_expected import uncertain_ratio_interval

SLOPE = -0.4  # log ratio for 100 km


def ratios(observed, expected=1000.0):
    areas = [f"a{place:03}" for place in range(len(observed))]
    cases = pd.DataFrame({"area": areas, "observed": observed})
    people = pd.DataFrame({"area": areas, "person_years": float(expected)})
    return estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))


def places(sir, distance, **more):
    return pd.DataFrame({"area": sir.table["area"], "centre_distance_km": distance, **more})


@pytest.fixture(scope="module")
def planted():
    distance = np.linspace(0, 140, 60)
    # Counts at their expectation, to the unit: what is found is what was planted, up to rounding.
    sir = ratios(np.round(1000 * np.exp(SLOPE * distance / 100)).astype(int))
    return sir, distance, estimate_referral(sir, places(sir, distance), cluster=None)


def test_the_planted_slope_is_found_and_told(planted):
    _, distance, found = planted
    assert math.isclose(found.slope["log_slope_per_km"] * 100, SLOPE, abs_tol=2e-3)
    # A Poisson model with one term: the standard error is the inverse root of the information.
    mean = 1000 * np.exp(SLOPE * distance / 100)
    information = (mean * (distance - np.average(distance, weights=mean)) ** 2).sum()
    assert math.isclose(found.slope["standard_error"], information**-0.5, rel_tol=2e-3)
    assert str(found) == "rate ratio 0.67 (0.66-0.69) for 100 km more to the nearest centre, unadjusted."


def test_bands_are_compared_with_the_nearest_and_the_line_lies_on_them(planted):
    _, distance, found = planted
    table = found.table
    assert table["band"].tolist() == ["0-15", "15-30", "30-50", "50-75", "75-100", "100+"]
    assert table["areas"].sum() == 60
    assert table.loc[0, "ratio"] == 1 and np.isnan(table.loc[0, "ci_low"])
    relative = np.exp(SLOPE * (table["distance_km"] - table["distance_km"].iloc[0]) / 100)
    assert np.allclose(table["ratio"], relative, rtol=5e-3)
    assert (table["ci_low"].iloc[1:] < table["ratio"].iloc[1:]).all()
    counted = np.bincount(np.searchsorted(BANDS_KM, distance, side="right") - 1)
    assert table["areas"].tolist() == counted.tolist()


def test_corrected_ratios_are_flat_and_keep_the_whole(planted):
    sir, _, found = planted
    corrected = found.correct(sir)
    assert np.allclose(corrected.table["sir"], corrected.overall["sir"], rtol=3e-3)
    assert math.isclose(corrected.table["expected"].sum(), sir.table["expected"].sum(), rel_tol=1e-12)
    assert corrected.overall["observed"] == sir.overall["observed"]
    assert corrected.settings["corrected"] == "referral" and "100 km" in corrected.release().note


def test_an_area_without_a_distance_has_no_corrected_ratio():
    sir = ratios([90, 80, 70, 60, 50], 80)
    far = [0.0, 10.0, 40.0, 120.0, np.nan]
    corrected = estimate_referral(sir, places(sir, far), cluster=None).correct(sir)
    assert corrected.table["status"].tolist() == ["", "", "", "", "no distance"]
    assert corrected.table["sir"].isna().tolist() == [False, False, False, False, True]
    assert corrected.overall["left_out"]["no distance"] == 1
    assert math.isclose(corrected.table["expected"].sum(), 320)


def test_an_adjuster_that_carries_the_fall_takes_it_away():
    generator = np.random.default_rng(3)
    density = generator.uniform(0, 1, 80)
    distance = 120 * (1 - density) + generator.uniform(0, 20, 80)
    sir = ratios(generator.poisson(1000 * np.exp(0.5 * density)))
    table = places(sir, distance, density=density)
    alone = estimate_referral(sir, table, cluster=None)
    adjusted = estimate_referral(sir, table, adjust=["density"], cluster=None)
    assert alone.slope["ci_high"] < 1
    assert adjusted.slope["ci_low"] < 1 < adjusted.slope["ci_high"]


def test_the_order_of_rows_does_not_matter(planted):
    sir, distance, found = planted
    again = estimate_referral(sir, places(sir, distance).sample(frac=1, random_state=1), cluster=None)
    pd.testing.assert_frame_equal(again.table, found.table)
    assert again.slope == found.slope


def test_small_counts_are_declared_with_what_is_computed_from_them(planted):
    release = planted[2].release("fr")
    assert release.counts[0].column == "observed"
    assert {"ratio", "ci_low", "ci_high"} <= set(release.counts[0].derived)
    assert release.labels["observed"] == "Observés"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"distance": "centre_distance"}, ParameterError, "ends in _km"),
        ({"bands_km": (10, 20)}, ParameterError, "rise from 0"),
        ({"bands_km": (0, 20, 20)}, ParameterError, "rise from 0"),
        ({"adjust": ["altitude"]}, ParameterError, "altitude"),
        ({"bands_km": (0, 500)}, EstimationError, "fewer than two bands"),
    ],
)
def test_bad_input_is_told(planted, change, error, words):
    sir, distance, _ = planted
    with pytest.raises(error, match=words):
        estimate_referral(sir, places(sir, distance), cluster=None, **change)


def test_negative_distances_are_refused(planted):
    sir, distance, _ = planted
    with pytest.raises(EstimationError, match="1 distances are negative"):
        estimate_referral(sir, places(sir, np.where(distance == 0, -1, distance)), cluster=None)


def test_limits_of_corrected_ratios_carry_the_error_of_the_slope():
    # Large counts far from a centre: what the correction does not know weighs more than the chance of the count.
    distance = np.r_[np.linspace(0, 30, 40), 200.0]
    truth = np.exp(SLOPE * distance / 100)
    random = np.random.default_rng(11)
    held = naive = 0
    for _ in range(80):
        sir = ratios(random.poisson(200 * truth))
        expected_far = 1000 * 41 * truth[-1] / truth.sum()
        near = sir.table["area"] != sir.table["area"].iloc[-1]
        # The slope is learnt from the others: areas near centres say little of what happens at 200 km.
        found = estimate_referral(
            ratios(sir.table["observed"][near].astype(int)), places(sir, distance)[near.to_numpy()], cluster=None
        )
        told = dataclasses.replace(
            found, areas=places(sir, distance).rename(columns={"centre_distance_km": "distance_km"}).assign(
                relative_capture=np.exp(found.slope["log_slope_per_km"] * distance)
            )
        )  # fmt: skip
        far = told.correct(sir).table.iloc[-1]
        exact = ratio_interval(far["observed"], far["expected"])
        # All areas together keep 1,000 a piece: the ratio that holds is that of the totals.
        true = 200 * truth[-1] / expected_far
        held += far["ci_low"] <= true <= far["ci_high"]
        naive += exact.low <= true <= exact.high
    assert held >= 70 and naive < 56  # 76 are due; below 70 has a chance of one in a thousand
    assert "with the error of the correction" in told.correct(sir).release().note


def test_without_error_of_the_expected_number_limits_are_exact():
    count, expected = np.array([0, 1, 7, 900, np.nan]), np.array([0.4, 3.0, 5.5, 800.0, 2.0])
    exact = ratio_interval(count, expected, level=0.9)
    none = uncertain_ratio_interval(count, expected, np.zeros(5), level=0.9)
    hardly = uncertain_ratio_interval(count, expected, np.full(5, 1e-6), level=0.9)
    for side in ("low", "high"):
        assert np.array_equal(getattr(none, side), getattr(exact, side), equal_nan=True)
        assert np.allclose(getattr(hardly, side), getattr(exact, side), rtol=1e-6, equal_nan=True)
    # Many events: both errors add up as variances of logarithms.
    wide = uncertain_ratio_interval([2_500], [2_500.0], [0.2])
    assert np.allclose(
        [wide.low[0], wide.high[0]],
        np.exp([-1.959964 * math.hypot(0.2, 0.02), 1.959964 * math.hypot(0.2, 0.02)]),
        rtol=1e-3,
    )
    # Few degrees of freedom: by quadrature of Student's law for 5 of 6.0 expected, standard error 0.3.
    law = stats.t(4)
    found = uncertain_ratio_interval([5], [6.0], [0.3], degrees=4)
    chance = integrate.quad(
        lambda z: law.pdf(z) * stats.poisson.cdf(5, found.high[0] * 6 * np.exp(0.3 * z)), -60, 60, limit=500
    )[0]
    assert abs(chance - 0.025) < 5e-5
    with pytest.raises(EstimationError, match="negative"):
        uncertain_ratio_interval([5], [6.0], [-0.3])
