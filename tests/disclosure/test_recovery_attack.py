"""An attacker, written apart from the gate, tries to work out hidden cells from all that is printed."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from epi.disclosure.policy import read_policy
from epi.disclosure.suppression import Suppressed, suppress
from epi.results import Counted, Release

POLICY = read_policy()
K = POLICY.min_count
EFFORT = int(os.environ.get("EPI_EFFORT", "1"))  # `make validate` attacks longer
COUNTS = st.one_of(st.integers(0, 14), st.sampled_from([0, 1, 10, 11, 12, 25, 60, 400]))


def possible(values: np.ndarray, hidden: np.ndarray, sums: list[tuple[np.ndarray, int]], top: np.ndarray) -> list:
    """Smallest and largest whole value of each hidden cell, by mixed integer programming.

    Each sum is what weighs each cell (True or 1 for a part, -1 for a hidden total), and its result.
    """
    places = np.flatnonzero(hidden)
    free_zero = {
        place
        for mask, _ in sums
        for parts in [mask > 0]
        for place in np.flatnonzero(parts)
        if hidden[parts].all() or (values[parts & hidden] == 0).any()
    }
    low = np.array([0 if place in free_zero or values[place] == 0 else 1 for place in places])
    if not len(places):
        return []
    limits = Bounds(low, np.minimum(top[places], 1e5))
    rules = [
        LinearConstraint(
            mask[places].astype(float)[None, :],
            total - (mask * values)[~hidden].sum(),
            total - (mask * values)[~hidden].sum(),
        )
        for mask, total in sums
        if mask[places].any()
    ]
    found = []
    for rank, place in enumerate(places):
        ends = []
        for sign in (1, -1):
            cost = np.zeros(len(places))
            cost[rank] = sign
            answer = milp(cost, integrality=np.ones(len(places)), bounds=limits, constraints=rules)
            assert answer.status == 0, "the truth itself agrees with all that is printed"
            ends.append(round(answer.x[rank]))
        found.append((place, *ends))
    return found


def assert_protected(values: np.ndarray, found: list) -> None:
    for place, low, high in found:
        assert high > low, "a hidden cell is found exactly"
        if 0 < values[place] < K:
            assert high >= K, "a small count is known to be small"
            assert high - low + 1 >= K, "a small count is nearly found"


def refused(done: Suppressed) -> bool:
    return any(finding.severity == "refused" for finding in done.findings)


def is_known(total: int) -> bool:
    """Wherever a total is published, zero and K or more are printed, 1 to K - 1 are not."""
    return total == 0 or total >= K


@settings(max_examples=60 * EFFORT)
@given(st.lists(COUNTS, min_size=2, max_size=8))
def test_one_margin(counts: list[int]) -> None:
    table = pd.DataFrame({"group": [f"g{rank}" for rank in range(len(counts))], "n": counts})
    done = suppress(Release(table, (Counted("n", adds_up_within=()),)), POLICY)
    values, hidden = np.array(counts), done.hidden["n"].to_numpy()
    assert not ((values > 0) & (values < K) & ~hidden).any()
    assert not refused(done)
    total = sum(counts)
    everything = np.ones(len(counts), bool)
    sums = [(everything, total)] if is_known(total) else []
    top = np.full(len(counts), 1e5)
    assert_protected(values, possible(values, hidden, sums, top))


@settings(max_examples=40 * EFFORT)
@given(st.integers(2, 4), st.integers(2, 4), st.data())
def test_two_margins(rows: int, columns: int, data: st.DataObject) -> None:
    cells = list(itertools.product(range(rows), range(columns)))
    counts = data.draw(st.lists(COUNTS, min_size=len(cells), max_size=len(cells)))
    table = pd.DataFrame(cells, columns=["a", "b"]).astype(str).assign(n=counts)
    release = Release(table, (Counted("n", adds_up_within=("a",)), Counted("n", adds_up_within=("b",))))
    done = suppress(release, POLICY)
    values, hidden = np.array(counts), done.hidden["n"].to_numpy()
    if refused(done):
        return
    sums = []
    for column in ("a", "b"):
        for rows_ in table.groupby(column).groups.values():
            mask = np.isin(np.arange(len(table)), rows_)
            if is_known(values[mask].sum()):
                sums.append((mask, int(values[mask].sum())))
    assert_protected(values, possible(values, hidden, sums, np.full(len(values), 1e5)))


def only(place: int, size: int) -> np.ndarray:
    return np.arange(size) == place


@settings(max_examples=30 * EFFORT)
@given(st.lists(st.lists(COUNTS, min_size=3, max_size=3), min_size=1, max_size=3), st.sampled_from(["France", "All"]))
def test_a_total_row(areas: list[list[int]], label: str) -> None:
    """One column more, the sum of the others: the reader may or may not know that it is a total."""
    square = np.array([[*counts, sum(counts)] for counts in areas])
    cells = list(itertools.product(range(len(areas)), ["x", "y", "z", label]))
    table = pd.DataFrame(cells, columns=["a", "b"]).astype(str).assign(n=square.ravel())
    counts = [Counted("n", adds_up_within=("a",))]
    if len(areas) > 1:
        counts.append(Counted("n", adds_up_within=("b",)))
    done = suppress(Release(table, tuple(counts)), POLICY)
    if refused(done):
        return
    values, hidden = square.ravel(), done.hidden["n"].to_numpy()
    place = np.arange(square.size).reshape(square.shape)
    margins = [np.isin(np.arange(square.size), column) for column in place.T] if len(areas) > 1 else []
    aware = [np.isin(np.arange(square.size), row[:-1]) for row in place]
    unaware = [np.isin(np.arange(square.size), row) for row in place]
    for masks in (aware, unaware) if label == "France" else (aware,):
        sums = [(mask, int(values[mask].sum())) for mask in (*masks, *margins) if is_known(values[mask].sum())]
        if masks is aware:  # the total itself is known where it is published
            ends = [(only(row[-1], square.size), int(values[row[-1]])) for row in place]
            sums += [(mask, total) for mask, total in ends if total >= K]
            small = [row for row in place if 0 < values[row[-1]] < K]
            sums += [(np.isin(np.arange(square.size), row[:-1]) - 1 * only(row[-1], square.size), 0) for row in small]
        found = possible(values, hidden, sums, np.full(values.size, 1e5))
        for where, low, high in found:
            if 0 < values[where] < K:
                assert high >= K, "a small count is known to be small"
                assert high - low + 1 >= K, "a small count is nearly found"


@settings(max_examples=40 * EFFORT)
@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=6))
def test_shares_of_printed_denominators(pairs: list[tuple[int, int]]) -> None:
    """Of `count + rest` persons, neither the count nor the rest can be found when small."""
    table = pd.DataFrame(
        {
            "group": [f"g{rank}" for rank in range(len(pairs))],
            "n": [count for count, _ in pairs],
            "of": [count + rest for count, rest in pairs],
        }
    )
    table["pct"] = (100 * table["n"] / table["of"].where(table["of"] > 0)).round(1)
    release = Release(table, (Counted("n", of="of", adds_up_within=(), derived=("pct",)),))
    done = suppress(release, POLICY)
    if refused(done):
        return
    values, whole = table["n"].to_numpy(), table["of"].to_numpy()
    hidden, of_hidden = done.hidden["n"].to_numpy(), done.hidden["of"].to_numpy()
    total = int(values.sum())
    sums = [(np.ones(len(values), bool), total)] if total >= K and len(values) > 1 else []
    found = possible(values, hidden, sums, np.where(of_hidden, 1e5, whole))
    assert_protected(values, found)
    reach = {place: (low, high) for place, low, high in found}
    for place in range(len(values)):
        rest = whole[place] - values[place]
        if 0 < rest < K and not of_hidden[place]:
            assert hidden[place], "a small complement is found by subtraction"
            low, high = reach[place]
            assert whole[place] - low >= K
            assert high - low + 1 >= K
        if hidden[place] or of_hidden[place]:
            assert pd.isna(done.table["pct"].iloc[place]), "a share stays beside a hidden count"


@settings(max_examples=25 * EFFORT)
@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=2, max_size=5))
def test_men_women_and_both(pairs: list[tuple[int, int]]) -> None:
    """Three columns, one the sum of the others, each with its own total: solved from scratch."""
    women, men = (np.array(side) for side in zip(*pairs, strict=True))
    table = pd.DataFrame({"area": [f"g{rank}" for rank in range(len(pairs))], "women": women, "men": men})
    table["both"] = table["women"] + table["men"]
    names = ["women", "men", "both"]
    done = suppress(Release(table, tuple(Counted(name, adds_up_within=()) for name in names)), POLICY)
    if refused(done):
        return
    size = len(pairs)
    values = np.concatenate([table[name].to_numpy() for name in names])
    hidden = np.concatenate([done.hidden[name].to_numpy() for name in names])
    rows, totals = [], []
    for rank in range(3):
        if values[rank * size : (rank + 1) * size].sum() >= K:
            row = np.zeros(3 * size)
            row[rank * size : (rank + 1) * size] = 1
            rows.append(row)
            totals.append(row @ values)
    for place in range(size):
        row = np.zeros(3 * size)
        row[[place, size + place, 2 * size + place]] = (1, 1, -1)
        rows.append(row)
        totals.append(0)
    low = np.where(hidden, 0, values)
    high = np.where(hidden, 1e5, values)
    for place in np.flatnonzero(hidden):
        ends = []
        for sign in (1, -1):
            cost = np.zeros(3 * size)
            cost[place] = sign
            answer = milp(
                cost,
                integrality=np.ones(3 * size),
                bounds=Bounds(low, high),
                constraints=LinearConstraint(np.array(rows), totals, totals),
            )
            ends.append(round(answer.x[place]))
        assert ends[1] > ends[0], "a hidden cell is found exactly"
        if 0 < values[place] < K:
            assert ends[1] >= K, "a small count is known to be small"


def test_brute_force_agrees_on_a_small_square() -> None:
    """Every 3 x 3 table with the printed margins and cells, counted one by one."""
    table = pd.DataFrame(list(itertools.product("abc", "xyz")), columns=["a", "b"])
    table["n"] = [3, 14, 12, 15, 20, 13, 30, 12, 25]
    done = suppress(Release(table, (Counted("n", adds_up_within=("a",)), Counted("n", adds_up_within=("b",)))), POLICY)
    square, hidden = table["n"].to_numpy().reshape(3, 3), done.hidden["n"].to_numpy().reshape(3, 3)
    assert hidden[0, 0]
    places = [tuple(place) for place in np.argwhere(hidden)]
    seen: dict[tuple[int, int], set[int]] = {place: set() for place in places}
    for corner in range(1, 60):
        for other in itertools.product(range(1, 60), repeat=max(0, len(places) - 3)):
            trial = square.copy()
            trial[places[0]] = corner
            for place, value in zip(places[1 : 1 + len(other)], other, strict=False):
                trial[place] = value
            fixed = _complete(trial, square, places, places[: 1 + len(other)])
            if fixed is not None:
                for place in places:
                    seen[place].add(int(fixed[place]))
    assert len(places) == 4
    assert len(seen[0, 0]) >= K
    assert max(seen[0, 0]) >= K


def _complete(trial: np.ndarray, truth: np.ndarray, places: list, chosen: list) -> np.ndarray | None:
    """Fill the places left from the margins; None when no table of positive counts has them."""
    left = [place for place in places if place not in chosen]
    for _ in range(len(left)):
        for place in list(left):
            for axis in (0, 1):
                line = [other for other in left if other[axis] == place[axis]]
                if len(line) == 1:
                    margin = truth.sum(axis=1 - axis)[place[axis]]
                    others = trial.take(place[axis], axis=axis).sum() - trial[place]
                    trial[place] = margin - others
                    left.remove(place)
                    break
    same = np.array_equal(trial.sum(0), truth.sum(0)) and np.array_equal(trial.sum(1), truth.sum(1))
    return trial if same and all(trial[place] >= 1 for place in places) else None
