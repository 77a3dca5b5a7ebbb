from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import EstimationError, ParameterError
from epi.stats import standardised_difference

R = json.loads((Path(__file__).parents[1] / "oracle" / "stats_intervals.json").read_text())["smd"]
TIGHT = {"rel": 1e-9}


def test_all_kinds_as_by_hand_in_r():
    assert standardised_difference(R["a"], R["b"]).value == pytest.approx(R["continuous"], **TIGHT)
    assert standardised_difference(R["ba"], R["bb"]).value == pytest.approx(R["binary"], **TIGHT)
    assert standardised_difference(R["ca"], R["cb"]).value == pytest.approx(R["categorical"], **TIGHT)


def test_weighted_kinds_as_by_hand_in_r():
    weights = {"weights_first": R["wa"], "weights_second": R["wb"]}
    for first, second, name in (
        ("a", "b", "continuous"),
        ("ba", "bb", "binary"),
        ("ca", "cb", "categorical"),
    ):
        found = standardised_difference(R[first], R[second], **weights)
        assert found.kind == name
        assert found.value == pytest.approx(R[f"{name}_weighted"], **TIGHT)
        assert found.value != pytest.approx(R[name], rel=1e-3)  # the weights do something


def test_equal_weights_change_nothing():
    plain = standardised_difference(R["a"], R["b"])
    even = standardised_difference(R["a"], R["b"], weights_first=[3.0] * 60, weights_second=[0.5] * 85)
    assert even.value == pytest.approx(plain.value, **TIGHT)


def test_two_categories_are_the_binary_difference_without_its_sign():
    binary = standardised_difference(R["ba"], R["bb"])
    categorical = standardised_difference(R["ba"], R["bb"], kind="categorical")
    assert categorical.value == pytest.approx(abs(binary.value), **TIGHT)


def test_the_missing_leave_the_denominators():
    found = standardised_difference([1.0, 2.0, None, 4.0], [3.0, np.nan, 5.0])
    assert (found.n_first, found.n_second) == (3, 2)
    assert standardised_difference(["a", None, "b"], ["a", "b", "c"]).n_first == 2


@pytest.mark.parametrize(
    ("first", "second", "kind", "reason"),
    [
        ([5, 5, 5], [5, 5], "continuous", "no variation"),
        ([5, 5, 5], [7, 7], "continuous", "no variation"),
        ([5], [7, 8], "continuous", "fewer than two"),
        ([1, 1], [1, 1], "binary", "no variation"),
        ([True, True], [False, False], None, "no variation"),
        (["a", "a"], ["a"], "categorical", "no variation"),
        (["a", "b"], ["c", "d"], "categorical", "share no category"),
    ],
)
def test_degenerate_cases_have_a_reason_instead_of_a_number(first, second, kind, reason):
    found = standardised_difference(first, second, kind=kind)
    assert np.isnan(found.value)
    assert reason in found.reason
    assert reason in str(found)


def test_a_category_absent_from_one_group_still_counts():
    found = standardised_difference(["a", "a", "b", "c"], ["a", "b", "b", "b"])
    assert found.reason == ""
    assert found.value > 0
    assert float(found) == found.value


@pytest.mark.parametrize(
    "call",
    [
        lambda: standardised_difference([None, None], [1, 2]),
        lambda: standardised_difference([1, 2], []),
        lambda: standardised_difference([1, 2, 3], [1, 2], kind="binary"),
        lambda: standardised_difference([1, 2], [1, 3], weights_first=[1.0]),
        lambda: standardised_difference([1, 2], [1, 3], weights_first=[1.0, -1.0]),
        lambda: standardised_difference([1, 2], [1, 3], weights_second=[np.nan, 1.0]),
    ],
)
def test_what_cannot_be_compared_is_refused(call):
    with pytest.raises(EstimationError):
        call()


def test_unknown_kind_is_refused():
    with pytest.raises(ParameterError):
        standardised_difference([1, 2], [2, 3], kind="ordinal")


values = st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=20)


@given(values, values, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_row_order_never_matters_and_groups_swap_the_sign(a, b, random):
    one = standardised_difference(a, b, kind="continuous").value
    other = standardised_difference(b, a, kind="continuous").value
    shuffled = list(a)
    random.shuffle(shuffled)
    again = standardised_difference(shuffled, b, kind="continuous").value
    if np.isnan(one):
        assert np.isnan(other)
    else:
        assert again == one
        assert other == pytest.approx(-one, rel=1e-9, abs=1e-12)


def test_categories_of_pandas_are_taken_as_they_are():
    first = pd.Series(["x", "y", "x"], dtype="category")
    second = pd.Series(["y", "y", "x"], dtype="category")
    assert standardised_difference(first, second, kind="categorical").value == pytest.approx(
        standardised_difference(["x", "y", "x"], ["y", "y", "x"], kind="categorical").value
    )
