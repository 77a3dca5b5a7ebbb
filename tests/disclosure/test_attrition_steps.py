"""Flow charts: a step that removes one to ten persons is reported with its neighbours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.disclosure.gate import check_release
from epi.disclosure.nesting import merge_steps
from epi.disclosure.policy import read_policy
from epi.errors import DisclosureError
from epi.results import Counted, Release

POLICY = read_policy()
NESTED = (Counted("n", nested=True, derived=("removed", "pct")),)


def flow(*counts: int) -> Release:
    removed = [np.nan, *(-np.diff(counts)).astype(float)]
    table = pd.DataFrame(
        {
            "step": [f"step {rank}" for rank in range(len(counts))],
            "n": counts,
            "removed": removed,
            "pct": [round(100 * count / max(counts[0], 1), 1) for count in counts],
        }
    )
    return Release(table, NESTED)


def test_a_small_step_joins_the_next() -> None:
    merged, findings = merge_steps(flow(500, 497, 300, 250), POLICY)
    assert merged.table["step"].tolist() == ["step 0", "step 1 + step 2", "step 3"]
    assert merged.table["n"].tolist() == [500, 300, 250]
    assert merged.table["removed"].tolist()[1:] == [200.0, 50.0]
    assert merged.table["pct"].tolist() == [100.0, 60.0, 50.0]
    assert [finding.rule for finding in findings] == ["small_step"]


def test_the_last_small_step_joins_the_one_before() -> None:
    merged, _ = merge_steps(flow(500, 300, 296), POLICY)
    assert merged.table["step"].tolist() == ["step 0", "step 1 + step 2"]
    assert merged.table["n"].tolist() == [500, 296]


def test_a_flow_that_only_loses_a_few_shows_its_end_alone() -> None:
    """500 and 496 side by side would show the four: the start and its percentage go."""
    merged, _ = merge_steps(flow(500, 498, 496), POLICY)
    assert merged.table["n"].tolist() == [496]
    assert merged.table["pct"].isna().all()
    assert merged.table["step"].tolist() == ["step 0 + step 1 + step 2"]


def test_steps_that_remove_nobody_stay() -> None:
    merged, findings = merge_steps(flow(500, 500, 300), POLICY)
    assert len(merged.table) == 3
    assert findings == []


def test_a_small_end_is_hidden_with_what_was_removed() -> None:
    """300 - 293 = 7: hiding 7 alone would be of no use."""
    decision = check_release(flow(500, 300, 7), POLICY)
    assert not decision.refused
    assert decision.table["n"].tolist()[:2] == [500, 300]
    assert decision.table.iloc[2][["n", "removed", "pct"]].isna().all()
    counted = Release(flow(500, 300, 7).table, (Counted("n", nested=True, derived=("pct",)), Counted("removed")))
    decision = check_release(counted, POLICY)
    assert not decision.refused
    assert decision.table.iloc[2][["n", "removed", "pct"]].isna().all()


def test_two_flows_side_by_side_are_cut_at_the_same_steps() -> None:
    table = pd.DataFrame({"step": list("abcd"), "strict": [500, 400, 300, 200], "wide": [800, 795, 600, 400]})
    release = Release(table, (Counted("strict", nested=True), Counted("wide", nested=True)))
    merged, _ = merge_steps(release, POLICY)
    assert merged.table["step"].tolist() == ["a", "b + c", "d"]
    assert merged.table["strict"].tolist() == [500, 300, 200]


def test_flows_one_after_the_other() -> None:
    table = pd.DataFrame({"flow": ["x"] * 3 + ["y"] * 3, "step": list("abcabc"), "n": [500, 495, 300, 90, 50, 20]})
    merged, _ = merge_steps(Release(table, (Counted("n", adds_up_within=("flow",), nested=True),)), POLICY)
    assert merged.table["step"].tolist() == ["a", "b + c", "a", "b", "c"]
    assert merged.table["flow"].tolist() == ["x", "x", "y", "y", "y"]


def test_a_growing_flow_is_refused() -> None:
    with pytest.raises(DisclosureError, match="declared as nested but grows"):
        merge_steps(Release(pd.DataFrame({"step": ["a", "b"], "n": [10, 20]}), (Counted("n", nested=True),)), POLICY)


def test_an_undeclared_column_of_removals_is_refused() -> None:
    release = Release(
        flow(500, 300, 7).table.drop(columns="pct"), (Counted("n", nested=True),), not_counts=("removed",)
    )
    assert "difference between rows" in check_release(release, POLICY).refused


@settings(max_examples=150)
@given(st.lists(st.one_of(st.integers(0, 14), st.integers(0, 300)), min_size=1, max_size=8), st.integers(0, 200))
def test_no_removal_of_one_to_ten_is_ever_shown(steps: list[int], last: int) -> None:
    counts = [last + sum(steps[rank:]) for rank in range(len(steps) + 1)]
    decision = check_release(flow(*counts), POLICY)
    assert not decision.refused
    table = decision.table
    shown = table["n"].dropna().to_numpy()
    assert not any(POLICY.is_small(float(step)) for step in -np.diff(shown))
    assert not any(POLICY.is_small(float(count)) for count in shown)
    assert not any(POLICY.is_small(float(step)) for step in table["removed"].dropna())
    words = " + ".join(table["step"])
    assert all(f"step {rank}" in words for rank in range(len(counts))), "a step is lost"
    for count, pct in zip(table["n"], table["pct"], strict=True):
        assert pd.isna(pct) or not pd.isna(count)
    before = table["n"].shift()
    for number, removed, count in zip(before, table["removed"], table["n"], strict=True):
        if pd.notna(number) and pd.notna(removed):
            assert number - removed == count
