from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import EstimationError, ParameterError
from epi.stats import (
    adjust_p,
    count_interval,
    direct_rate,
    format_number,
    format_percent,
    format_ratio,
    indirect_ratio,
    proportion_interval,
    rate_interval,
    ratio_interval,
    standard_population,
    wald_interval,
)

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "stats_intervals.json").read_text())
TIGHT = {"rel": 1e-8, "abs": 1e-12}


@pytest.mark.parametrize("row", ORACLE["poisson"], ids=lambda row: f"{row['count']}-{row['level']}")
def test_counts_as_poisson_test_in_r(row):
    interval = count_interval(row["count"], level=row["level"])
    # R prints a count of zero with a one-sided-free limit too: both tails hold (1 - level) / 2.
    assert interval.low == pytest.approx(row["low"], **TIGHT)
    assert interval.high == pytest.approx(row["high"], **TIGHT)


@pytest.mark.parametrize("row", ORACLE["sir"], ids=lambda row: str(row["observed"]))
def test_ratios_as_poisson_test_in_r(row):
    interval = ratio_interval(row["observed"], row["expected"])
    assert interval.estimate == pytest.approx(row["sir"], **TIGHT)
    assert (interval.low, interval.high) == pytest.approx((row["low"], row["high"]), **TIGHT)


@pytest.mark.parametrize("row", ORACLE["proportions"], ids=lambda r: f"{r['count']}/{r['of']}-{r['level']}")
def test_proportions_as_prop_and_binom_test_in_r(row):
    for method in ("wilson", "exact"):
        interval = proportion_interval(row["count"], row["of"], method=method, level=row["level"])
        assert (interval.low, interval.high) == pytest.approx(tuple(row[method]), **TIGHT)


def test_published_figures_print_as_published():
    assert str(ratio_interval(100, 54.07)) == "1.85 (1.50-2.25)"
    assert format_percent(6_022, 26_767) == "22.5 % (22.0-23.0)"
    assert format_percent(370_000, 500_000).startswith("74.0 %")
    assert format_percent(5_429, 6_387).startswith("85.0 %")
    assert format_percent(19_223, 22_073).startswith("87.1 %")


def test_french_and_missing_forms():
    assert format_ratio(1.85, 1.5, 2.25, lang="fr") == "1,85 (1,50-2,25)"
    assert format_ratio(float("nan"), 1, 2) == "–"
    assert format_number(1234567, 0, lang="fr") == "1\u202f234\u202f567"
    assert format_number(float("inf")) == "∞"
    assert format_percent(0, 0) == "–"


def test_arrays_keep_their_shape_and_missing_stays_missing():
    interval = ratio_interval([3, np.nan, 0], [2.0, 2.0, np.nan])
    assert np.isnan(interval.low).tolist() == [False, True, True]
    assert proportion_interval([1, np.nan], 4, method="exact").high.shape == (2,)
    assert np.isnan(proportion_interval([np.nan, 1], 4).low).tolist() == [True, False]
    assert str(interval).startswith("3 intervals")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: count_interval(-1), "negative"),
        (lambda: count_interval(1.5), "not whole"),
        (lambda: proportion_interval(3, 2), "above its denominator"),
        (lambda: proportion_interval(0, 0), "zero"),
        (lambda: ratio_interval(1, 0.0), "expected is zero"),
        (lambda: rate_interval([1, 2], [10, 0]), "1 row"),
        (lambda: wald_interval(1, -1), "negative"),
        (lambda: direct_rate([1, 2], [10, 0], [0.5, 0.5]), "nobody at risk"),
        (lambda: direct_rate([1], [10, 20], [1]), "person-years"),
        (lambda: direct_rate([1], [10], [0.0]), "sum to zero"),
        (lambda: direct_rate([np.nan], [10], [1.0]), "missing"),
        (lambda: indirect_ratio([1], [10], [np.nan]), "missing"),
        (lambda: indirect_ratio([1, 2], [10], [0.1]), "rates"),
        (lambda: adjust_p([0.1, 1.2]), "outside"),
        (lambda: adjust_p([[0.1]]), "dimensions"),
    ],
)
def test_impossible_inputs_are_refused_with_the_reason(call, words):
    with pytest.raises(EstimationError, match=words):
        call()


def test_unknown_options_are_refused():
    for call in (
        lambda: proportion_interval(1, 2, method="wald"),
        lambda: count_interval(1, level=95),
        lambda: adjust_p([0.1], method="holm"),
        lambda: standard_population("world"),
    ):
        with pytest.raises(ParameterError):
            call()


def test_q_values_as_p_adjust_in_r():
    for method in ("BH", "BY"):
        mine = adjust_p(ORACLE["adjusted"]["p"], method=method)
        assert mine == pytest.approx(ORACLE["adjusted"][method], **TIGHT)


def test_a_missing_p_is_not_a_test():
    with_hole = adjust_p([0.01, np.nan, 0.04])
    assert np.isnan(with_hole[1])
    assert with_hole[[0, 2]].tolist() == adjust_p([0.01, 0.04]).tolist()
    assert adjust_p([]).size == 0
    assert np.isnan(adjust_p([np.nan])).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_q_values_follow_their_p_whatever_the_order(p, random):
    q = adjust_p(p)
    assert (q >= np.asarray(p) - 1e-15).all()
    assert (q <= 1).all()
    order = list(range(len(p)))
    random.shuffle(order)
    assert adjust_p([p[i] for i in order]).tolist() == q[order].tolist()


@given(st.integers(0, 5000), st.floats(0.5, 0.999))
@settings(max_examples=60)
def test_exact_limits_have_the_tails_they_promise(count, level):
    from scipy import stats

    interval = count_interval(count, level=level)
    assert stats.poisson.cdf(count, interval.high) == pytest.approx((1 - level) / 2, rel=1e-6)
    if count:
        assert stats.poisson.sf(count - 1, interval.low) == pytest.approx((1 - level) / 2, rel=1e-6)


@pytest.mark.parametrize("row", ORACLE["direct"])
def test_direct_rates_as_fay_and_feuer(row):
    interval = direct_rate(row["count"], row["pop"], row["standard"], per=1)
    assert (interval.estimate, interval.low, interval.high) == pytest.approx(
        (row["rate"], row["low"], row["high"]), **TIGHT
    )


def test_direct_rate_of_one_stratum_is_the_exact_rate():
    mine, exact = direct_rate([12], [40_000], [1]), rate_interval(12, 40_000)
    assert (mine.low, mine.high) == pytest.approx((exact.low, exact.high), rel=1e-12)
    nobody = direct_rate([0, 0], [100, 200], [1, 1])
    assert nobody.low == 0 < nobody.high


def test_standard_populations_have_their_official_totals():
    from epi.stats import STANDARDS

    assert sum(STANDARDS["european_2013"].values()) == 100_000
    assert sum(STANDARDS["us_2010"].values()) == 308_745_538
    for name in STANDARDS:
        frame = standard_population(name)
        assert frame["age_low"].tolist() == list(range(0, 100, 5))
        assert frame["weight"].sum() == pytest.approx(1, abs=1e-15)


def test_indirect_ratio_is_observed_over_expected():
    ratio, expected = indirect_ratio([40, 60], [20_000, 10_000], [1e-3, 3.407e-3])
    assert expected == pytest.approx(54.07)
    assert str(ratio) == "1.85 (1.50-2.25)"
