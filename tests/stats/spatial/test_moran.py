"""Global autocorrelation against spdep (spatial.R) and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial import geary_test, moran_test, moran_test_rates, standardise_rates, weights_from_pairs

R = json.loads((Path(__file__).parents[2] / "oracle" / "spatial.json").read_text())
TIGHT = {"rel": 1e-8, "abs": 1e-12}
STYLES = {"W": "row", "B": "binary"}
FT = np.array(R["ft"])


def counties(name, order=None):
    labels = range(1, 101) if order is None else np.arange(1, 101)[order]
    return weights_from_pairs(labels, R["links"][name]["first"], R["links"][name]["second"])


def agrees(found, expected):
    moments = (found.value, found.expectation, found.sd**2, found.z, found.p_analytic)
    assert moments == pytest.approx([expected[k] for k in ("value", "expectation", "variance", "z", "p")], **TIGHT)


@pytest.mark.parametrize("assumption", ["randomisation", "normality"])
@pytest.mark.parametrize("case", R["cases"])
def test_moran_and_geary_as_in_spdep(case, assumption):
    expected = R["cases"][case]
    options = {
        "style": STYLES[expected["style"]], "islands": "keep", "assumption": assumption, "permutations": 0,
    }  # fmt: skip
    agrees(moran_test(FT, counties(expected["nb"]), **options), expected[f"moran_{assumption}"])
    if f"geary_{assumption}" in expected:
        agrees(geary_test(FT, counties(expected["nb"]), **options), expected[f"geary_{assumption}"])


@pytest.mark.parametrize("case", R["cases"])
def test_islands_are_left_out_as_a_map_without_them(case):
    expected = R["cases"][case]
    found = moran_test(FT, counties(expected["nb"]), style=STYLES[expected["style"]], permutations=0)
    agrees(found, expected["moran_without_islands"])
    islands = 2 if expected["nb"] == "cc89" else 0
    assert (found.islands, found.n) == (islands, 100 - islands)


def test_an_area_without_a_value_is_left_out_with_its_links():
    values = FT.copy()
    values[np.array(R["missing"]["places"]) - 1] = np.nan
    found = moran_test(values, counties("cr85"), permutations=0)
    agrees(found, R["missing"]["moran"])
    assert (found.missing, found.n) == (2, 98)


@pytest.mark.parametrize("case", R["cases"])
def test_rates_as_ebimoran_mc_in_spdep(case):
    expected = R["cases"][case]
    found = moran_test_rates(
        R["deaths"], R["births"], counties(expected["nb"]), style=STYLES[expected["style"]], islands="keep"
    )
    assert found.value == pytest.approx(expected["eb"], **TIGHT)
    assert found.p_permutation <= 0.002


def test_sudden_infant_deaths_give_the_index_printed_in_the_help_of_spdep():
    # Help page of EBImoran.mc: neighbours of Cressie and Chan, binary, statistic = 0.25789.
    found = moran_test_rates(R["deaths"], R["births"], counties("cc89"), style="binary", islands="keep")
    assert round(found.value, 5) == 0.25789


def test_standardised_rates_by_hand():
    # Rate 35/600; between-area variance below zero would leave the variance of chance alone.
    cases, people = np.array([6.0, 6.0, 12.0]), np.array([100.0, 100.0, 200.0])
    assert standardise_rates(cases, people) == pytest.approx([0, 0, 0], abs=1e-12)
    found = standardise_rates([0.0, 4.0], [10.0, 10.0])
    # Mean 0.2, s2 = 0.04, a = 0.04 - 0.2/10 = 0.02, variance 0.02 + 0.02.
    assert found == pytest.approx([-1.0, 1.0])


def test_a_line_by_hand():
    line = weights_from_pairs(list("abcd"), list("abc"), list("bcd"))
    # Deviations -1.5, -0.5, 0.5, 1.5: neighbours' products 0.75 - 0.25 + 0.75, squares 5; I = (4/6) (2 * 1.25) / 5.
    assert moran_test([1, 2, 3, 4], line, style="binary", permutations=0).value == pytest.approx(1 / 3)
    # C = (3 / 12) (2 * 3) / 5.
    assert geary_test([1, 2, 3, 4], line, style="binary", permutations=0).value == pytest.approx(0.3)


def test_pseudo_p_is_the_share_of_all_arrangements():
    import itertools

    line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    values = [1.0, 2.0, 4.0, 3.0, 6.0, 9.0]
    every = [
        moran_test(order, line, permutations=0).value for order in set(itertools.permutations(values))
    ]  # fmt: skip
    observed = moran_test(values, line, permutations=9_999, alternative="greater", seed=3)
    exact = np.mean(np.array(every) >= observed.value - 1e-12)
    assert observed.p_permutation == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9_999))
    # The mean and the variance of all arrangements are the moments of randomisation.
    assert np.mean(every) == pytest.approx(observed.expectation)
    assert np.var(every) == pytest.approx(observed.sd**2)


@settings(max_examples=25)
@given(order=st.permutations(range(100)), seed=st.integers(0, 5))
def test_rows_in_any_order_give_the_same_test_to_the_last_digit(order, seed):
    order = list(order)
    for test in (moran_test, geary_test):
        straight = test(FT, counties("cr85"), permutations=19, seed=seed)
        mixed = test(FT[order], counties("cr85", order), permutations=19, seed=seed)
        assert (straight.value, straight.z, straight.p_permutation) == (mixed.value, mixed.z, mixed.p_permutation)
        assert (straight.draws == mixed.draws).all()
    births, deaths = np.array(R["births"]), np.array(R["deaths"])
    straight = moran_test_rates(deaths, births, counties("cr85"), permutations=19, seed=seed)
    mixed = moran_test_rates(deaths[order], births[order], counties("cr85", order), permutations=19, seed=seed)
    assert (straight.value, straight.p_permutation) == (mixed.value, mixed.p_permutation)


def test_a_series_is_read_by_its_codes():
    values = pd.Series(FT, index=range(1, 101)).sample(frac=1, random_state=1)
    values.index = pd.Index(values.index)
    assert moran_test(values, counties("cr85"), permutations=0) .value == moran_test(
        FT, counties("cr85"), permutations=0
    ).value  # fmt: skip


@settings(max_examples=40)
@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e3), st.floats(-1e3, -1e-2))
def test_shifts_and_scales_change_nothing(shift, up, down):
    straight = moran_test(FT, counties("cr85"), permutations=0)
    for scale in (up, down):
        assert moran_test(shift + scale * FT, counties("cr85"), permutations=0).z == pytest.approx(straight.z, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1, 2, 3], {}, "shape"),
        ([1, 2, 3, np.inf, 5, 6], {}, "infinite"),
        ([2, 2, 2, 2, 2, 2], {}, "alike"),
        ([1, 2, np.nan, np.nan, 5, np.nan], {}, "areas with a value"),
        ([1, np.nan, 3, np.nan, 5, np.nan], {}, "0 links"),
        ([1, 2, 3, 4, 5, 6], {"style": "C"}, "style"),
        ([1, 2, 3, 4, 5, 6], {"islands": "zero"}, "islands"),
        ([1, 2, 3, 4, 5, 6], {"alternative": "both"}, "alternative"),
        ([1, 2, 3, 4, 5, 6], {"assumption": "none"}, "assumption"),
        ([1, 2, 3, 4, 5, 6], {"permutations": -1}, "permutations"),
        (pd.Series([1, 2, 3, 4, 5, 6], index=list("abcdez")), {}, "not those"),
    ],
)
def test_bad_input_is_refused(values, options, message):
    line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    for test in (moran_test, geary_test):
        with pytest.raises((EstimationError, ParameterError), match=message):
            test(values, line, **options)


@pytest.mark.parametrize(
    ("counts", "people", "message"),
    [
        ([1, 2], [10, 10, 10], "shape"),
        ([1, -2, 3], [10, 10, 10], "negative"),
        ([1, 2, 3], [10, 0, 10], "nobody"),
        ([0, 0, 0], [10, 10, 10], "no case"),
    ],
)
def test_impossible_rates_are_refused(counts, people, message):
    with pytest.raises((EstimationError, ParameterError)) as refused:
        standardise_rates(counts, people)
    assert message in str(refused.value)
