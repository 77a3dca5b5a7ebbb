"""Local Moran's I against spdep (spatial.R) and against every arrangement of a small map."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import EstimationError, ParameterError
from epi.stats.multiplicity import adjust_p
from epi.stats.spatial import local_moran_test, moran_test, standardise_rates, weights_from_pairs

R = json.loads((Path(__file__).parents[2] / "oracle" / "spatial.json").read_text())
TIGHT = {"rel": 1e-8, "abs": 1e-12}
FT = np.array(R["ft"])
LINE = weights_from_pairs(list("abcdefg"), list("abcdef"), list("bcdefg"))


def counties(order=None):
    labels = range(1, 101) if order is None else np.arange(1, 101)[order]
    return weights_from_pairs(labels, R["links"]["cr85"]["first"], R["links"]["cr85"]["second"])


@pytest.mark.parametrize("moments", ["conditional", "total"])
@pytest.mark.parametrize(("case", "style"), [("cr85_W", "row"), ("cr85_B", "binary")])
def test_statistics_and_moments_as_localmoran_in_spdep(case, style, moments):
    expected = R["cases"][case][f"local_{moments}"]
    found = local_moran_test(FT, counties(), style=style, moments=moments, permutations=0)
    for name in ("value", "expectation", "variance", "z"):
        assert getattr(found, name) == pytest.approx(expected[name], **TIGHT)
    assert found.p_analytic == pytest.approx(expected["p"], **TIGHT)


def test_quadrants_and_false_discovery_rates_as_in_r():
    found = local_moran_test(FT, counties(), permutations=0)
    assert found.quadrant.tolist() == R["cases"]["cr85_W"]["quadrant"]
    for method, expected in R["fdr"].items():
        assert adjust_p(found.p_analytic, method=method) == pytest.approx(expected, **TIGHT)


@pytest.mark.parametrize("style", ["row", "binary"])
def test_local_statistics_add_up_to_the_global_one(style):
    found = local_moran_test(FT, counties(), style=style, permutations=0).value.sum()
    total = 100 if style == "row" else 2 * len(R["links"]["cr85"]["first"])
    assert found / total == pytest.approx(moran_test(FT, counties(), style=style, permutations=0).value)


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_conditional_p_is_the_share_of_all_arrangements_of_the_others(alternative):
    values = np.array([1.0, 2.0, 7.0, 9.0, 4.0, 3.0, 8.5])
    z = values - values.mean()
    # Unequal weights: each arrangement of the neighbours counts, not only who they are.
    pairs = (list("abcdef"), list("bcdefg"), [1.0, 3.0, 2.0, 1.0, 4.0, 2.0])
    weights = weights_from_pairs(list("abcdefg"), *pairs)
    draws = 20_000
    found = local_moran_test(values, weights, style="given", alternative=alternative, permutations=draws, seed=8)
    matrix = weights.matrix.toarray()
    for i in range(7):
        others = np.delete(np.arange(7), i)
        w = matrix[i][others]
        every = np.array([z[list(order)] @ w for order in itertools.permutations(others)]) * z[i]
        observed = z[i] * (matrix[i] @ z)
        above, below = np.mean(every >= observed - 1e-9), np.mean(every <= observed + 1e-9)
        exact = {"greater": above, "less": below, "two-sided": min(1.0, 2 * min(above, below))}[alternative]
        assert found.p_permutation[i] == pytest.approx(exact, abs=9 * np.sqrt(exact / draws) / 2 + 2 / draws)


def test_draws_never_use_the_area_itself():
    # One high value among nearly equal ones: its neighbours are low for certain, whoever they are.
    values = np.array([100.0, 1, 2, 3, 4, 5, 6])
    found = local_moran_test(values, LINE, permutations=999)
    # Six possible neighbours; the lowest (1) is the observed one.
    assert found.p_permutation[0] == pytest.approx(2 / 6, abs=0.05)


@settings(max_examples=15)
@given(order=st.permutations(range(100)), style=st.sampled_from(["row", "binary"]))
def test_rows_in_any_order_give_the_same_areas(order, style):
    order = list(order)
    straight = local_moran_test(FT, counties(), style=style, permutations=99)
    mixed = local_moran_test(FT[order], counties(order), style=style, permutations=99)
    assert (straight.value[order] == mixed.value).all()
    assert (straight.p_permutation[order] == mixed.p_permutation).all()
    assert (straight.quadrant[order] == mixed.quadrant).all()


def test_areas_in_blocks_give_the_same_p(monkeypatch):
    whole = local_moran_test(FT, counties(), permutations=199)
    monkeypatch.setattr("epi.stats.spatial.local_moran.CELLS", 7 * 199)
    assert (local_moran_test(FT, counties(), permutations=199).p_permutation == whole.p_permutation).all()


def test_islands_and_missing_values_have_no_test():
    weights = weights_from_pairs(list("abcdefgh"), list("abcde"), list("bcdef"))
    values = np.array([5.0, 4, 3, 3.5, 1, 0, 9, np.nan])
    for islands, n in (("drop", 6), ("keep", 7)):
        found = local_moran_test(values, weights, islands=islands, permutations=99)
        assert np.isnan(found.p_permutation[6:]).all()
        assert np.isnan(found.value[6:]).all()
        assert np.isfinite(found.p_permutation[:6]).all()
        assert (found.n, found.islands, found.missing) == (n, 1, 1)


def test_rates_of_sudden_infant_deaths_find_the_known_counties_of_the_north_east():
    rates = standardise_rates(R["deaths"], R["births"])
    found = local_moran_test(rates, counties())
    q = adjust_p(found.p_permutation)
    high = {R["name"][i] for i in np.flatnonzero((q < 0.2) & (found.quadrant == "High-High"))}
    assert high == {"Bertie", "Northampton"}


@pytest.mark.parametrize(
    ("values", "weights", "options", "message"),
    [
        ([1, 2, 3, 4, 5, 6, 7], LINE, {"moments": "given"}, "moments"),
        ([1, 2, 3, 4, 5, 6, 7], LINE, {"alternative": "both"}, "alternative"),
        ([1, 2, 3, 4, 5, 6, 7], LINE, {"permutations": -1}, "permutations"),
        ([1, 1, 1, 1, 1, 1, 1], LINE, {}, "alike"),
        ([1, 2, 3], LINE, {}, "shape"),
        ([1, 2, 3, 4, 5], weights_from_pairs(list("abcde"), list("aaaa"), list("bcde")), {}, "neighbours of 5 areas"),
    ],
)
def test_bad_input_is_refused(values, weights, options, message):
    with pytest.raises((EstimationError, ParameterError), match=message):
        local_moran_test(values, weights, **options)
