"""Conditional Kendall's tau against R and against a plain double loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, ParameterError
from epi.survival import build_survival, check_quasi_independence
from epi.survival.quasi_independence import compare_pairs, tsai_variance
from epi.survival.ranks import count_below

FIXTURE = json.loads((Path(__file__).parents[1] / "oracle" / "biases.json").read_text())


def table_of(case: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: case[name] for name in ("entry", "exit", "event", "cluster")})


@pytest.mark.parametrize("case", FIXTURE["tau"], ids=lambda case: case["set"])
def test_tau_and_tests_equal_r(case: dict[str, Any]) -> None:
    table = table_of(case)
    found = check_quasi_independence(build_survival(table, entry="entry", exit="exit", event="event"))
    row = found.table.iloc[0]
    assert row["pairs"] == case["pairs"]
    assert row["tau"] == pytest.approx(case["tau"], rel=1e-12)
    assert row["se"] == pytest.approx(case["se"], rel=1e-12)
    assert row["statistic"] ** 2 == pytest.approx(case["statistic"], rel=1e-9)
    assert np.sign(row["statistic"]) == np.sign(case["score"])
    clustered = build_survival(table, entry="entry", exit="exit", event="event", cluster="cluster")
    robust = check_quasi_independence(clustered)
    assert robust.table["se"][0] == pytest.approx(case["se_cluster"], rel=1e-12)
    # On Fisher's scale: the test and the limits agree.
    fisher = np.arctanh(case["tau"]) * (1 - case["tau"] ** 2) / case["se_cluster"]
    assert robust.statistic == pytest.approx(fisher, rel=1e-12)
    row = robust.table.iloc[0]
    assert (row["ci_low"] > 0 or row["ci_high"] < 0) == (robust.p < 0.05)


def test_the_reference_has_ties_and_clusters() -> None:
    """Ties of entries and of exits, and clusters, are in the fixture: without them it would prove less."""
    tables = [table_of(case) for case in FIXTURE["tau"]]
    assert any(table["entry"].duplicated().mean() > 0.5 for table in tables)
    assert any(table.loc[table["event"] == 1, "exit"].duplicated().any() for table in tables)
    assert any(abs(case["se_cluster"] / case["se"] - 1) > 0.05 for case in FIXTURE["tau"])


def plain(entry: np.ndarray, exit: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Compare every pair, and draw from every risk set."""
    size = len(entry)
    balance, pairs, variance = np.zeros(size, int), np.zeros(size, int), 0.0
    for i in range(size):
        for j in np.flatnonzero(event):
            together = entry[i] < exit[j] and entry[i] != entry[j]
            if i != j and together and (exit[i] > exit[j] or (exit[i] == exit[j] and not event[i])):
                for one in (i, j):
                    balance[one] += np.sign(entry[i] - entry[j])
                    pairs[one] += 1
    for day in np.unique(exit[event]):
        there = entry[(entry < day) & (exit >= day)]
        places = np.array([np.sign(there - one).sum() for one in there])
        n, d = len(there), int((event & (exit == day)).sum())
        variance += d * (n - d) / (n - 1) * (places**2).sum() / n if n > 1 else 0.0
    return balance, pairs, variance


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 8), st.integers(1, 8), st.booleans()), min_size=1, max_size=20))
def test_pairs_equal_a_double_loop(rows: list[tuple[int, int, bool]]) -> None:
    entry, stay, event = (np.array(column) for column in zip(*rows, strict=True))
    balance, pairs = compare_pairs(entry, entry + stay, event)
    wanted = plain(entry, entry + stay, event)
    assert balance.tolist() == wanted[0].tolist()
    assert pairs.tolist() == wanted[1].tolist()
    assert tsai_variance(entry, entry + stay, event) == pytest.approx(wanted[2], abs=1e-9)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.integers(0, 2**16))
def test_counts_below_equal_counts(values: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, bound = rng.integers(0, len(values) + 1, 20), rng.integers(-7, 8, 20)
    wanted = [int((np.array(values)[:many] < limit).sum()) for many, limit in zip(first, bound, strict=True)]
    assert count_below(values, first, bound).tolist() == wanted


def simulate(seed: int, slope: float, size: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 3000, size)
    life = rng.exponential(2500 * np.exp(slope * entry / 3000)).astype(int) + 1
    table = pd.DataFrame({"entry": entry, "exit": life, "died": 1, "era": rng.choice(["a", "b"], size)})
    end = entry + rng.integers(200, 3000, size)
    table["died"] = (life <= end).astype(int)
    table["exit"] = np.minimum(life, end)
    return table[life > entry].reset_index(drop=True)


def test_dependence_is_found_and_its_absence_too() -> None:
    def p(seed: int, slope: float) -> float:
        data = build_survival(simulate(seed, slope), entry="entry", exit="exit", event="died")
        return check_quasi_independence(data, "era").p

    assert p(1, 2.0) < 1e-4
    # At no dependence a tenth of the p-values lie below a tenth: the binomial limits of 200 at one in 100,000.
    assert 4 <= sum(p(seed, 0.0) < 0.1 for seed in range(200)) <= 42


def test_pieces_of_a_person_are_one_stay_and_order_changes_nothing() -> None:
    table = simulate(3, 1.0).assign(person=lambda frame: frame.index)
    whole = check_quasi_independence(build_survival(table, entry="entry", exit="exit", event="died"), "era")
    middle = (table["entry"] + table["exit"]) // 2
    cut = table["exit"] - table["entry"] > 1
    pieces = pd.concat([table.assign(exit=middle, died=0)[cut], table.assign(entry=table["entry"].where(~cut, middle))])
    split = build_survival(
        pieces.sample(frac=1, random_state=1), entry="entry", exit="exit", event="died", person="person"
    )
    again = check_quasi_independence(split, "era")
    pd.testing.assert_frame_equal(whole.table, again.table, check_exact=True)
    assert (whole.tau, whole.p) == (again.tau, again.p)
    assert whole.statistic == pytest.approx(again.statistic)


def test_groups_are_compared_within() -> None:
    """Entries and lives that both rise from one group to the other are no dependence within groups."""
    first = simulate(5, 0.0).assign(era="before")
    second = simulate(6, 0.0).assign(era="after")
    second[["entry", "exit"]] += 3000
    both = build_survival(pd.concat([first, second]), entry="entry", exit="exit", event="died")
    found = check_quasi_independence(both, "era")
    alone = [check_quasi_independence(build_survival(part, entry="entry", exit="exit", event="died"))
             for part in (second, first)]  # fmt: skip
    assert found.table["tau"].tolist() == [one.tau for one in alone]
    assert found.table["p"].tolist() == [one.p for one in alone]
    assert found.p > 0.05


def test_refusals_and_silence() -> None:
    table = simulate(7, 0.0).assign(weight=2.0, person=lambda frame: frame.index)
    with pytest.raises(ParameterError, match="weights"):
        check_quasi_independence(build_survival(table, entry="entry", exit="exit", event="died", weight="weight"))
    gap = pd.concat([table.head(1).assign(exit=table["exit"] + 10_000, entry=table["exit"] + 5, died=0),
                     table.head(1).assign(died=0)])  # fmt: skip
    with pytest.raises(DataError, match="not one stay"):
        check_quasi_independence(build_survival(gap, entry="entry", exit="exit", event="died", person="person"))
    nobody = check_quasi_independence(build_survival(table, exit="exit", event="died"))
    assert np.isnan(nobody.p)
    assert "nobody enters late" in str(nobody)


def test_what_leaves_passes_the_gate() -> None:
    data = build_survival(simulate(8, 0.5), entry="entry", exit="exit", event="died")
    decision = check_release(check_quasi_independence(data, "era").release(), read_policy())
    assert not decision.refused
    assert "pairs" not in decision.table
    few = data.select(np.arange(len(data)) < 12)
    # All in all 12 persons: nothing can be hidden that their number would not give back.
    assert check_release(check_quasi_independence(few, "era").release(), read_policy()).refused
    era = data.covariates["era"].to_numpy()
    some = data.select((era == "b") | (np.cumsum(era == "a") < 13))
    table = check_release(check_quasi_independence(some, "era").release(), read_policy()).table
    assert table["tau"].isna().all(), "the events of one group would give the few of the other back"
