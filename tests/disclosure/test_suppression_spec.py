"""Small tables, and for each cell the reason why it is printed or hidden."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.disclosure.policy import read_policy
from epi.disclosure.suppression import audit, suppress
from epi.results import Counted, Release

POLICY = read_policy()


def hidden_cells(release: Release) -> list[tuple[str, int]]:
    done = suppress(release, POLICY)
    assert audit(release, done.table, POLICY) == []
    return [(column, row) for column in done.hidden for row in np.flatnonzero(done.hidden[column])]


def one_column(*counts: int) -> pd.DataFrame:
    return pd.DataFrame({"group": [f"g{rank}" for rank in range(len(counts))], "n": counts})


@pytest.mark.parametrize(
    ("counts", "rows", "why"),
    [
        ((120, 40, 3), [1, 2], "3 is small; 40, the smallest other, would give it by subtraction"),
        ((120, 40, 0), [], "a zero says nothing of a person"),
        ((11, 12, 500), [], "nothing is below 11"),
        ((3, 4, 60, 500), [0, 1, 2], "3 + 4 = 7 leaves six values each: 60 joins them"),
        ((6, 7, 8, 90), [0, 1, 2], "three small counts of 21 leave more than 11 values each"),
        ((3, 4), [0, 1], "their total, 7, is hidden wherever it stands"),
        ((10, 0, 0), [0], "the same with one small count: zeros need not fall"),
        ((1,) * 12, list(range(12)), "a whole group of ones is hidden whole: zeros could be among them"),
        ((1, 10, 0), [0, 1, 2], "11 over two cells leaves ten values: the zero falls too"),
        ((0, 1, 5, 6), [0, 1, 2, 3], "6 is 1 + 5 by chance, and no total: 12 is known, the zero falls too"),
        ((1, 10, 11), [0, 1, 2], "11 is 1 + 10 by chance: printed, it would leave 1 to 10"),
        ((3, 7, 10), [0, 1, 2], "3 + 7 = 10, a total or not: three hidden counts of 20, or of an unknown"),
        ((120, 0), [0, 1], "a whole group in one category tells of each person in it"),
    ],
)
def test_one_group_that_adds_up(counts: tuple[int, ...], rows: list[int], why: str) -> None:
    release = Release(one_column(*counts), (Counted("n", adds_up_within=()),))
    assert hidden_cells(release) == [("n", row) for row in rows], why


def test_without_a_known_total_only_small_counts_fall() -> None:
    assert hidden_cells(Release(one_column(120, 40, 3), (Counted("n"),))) == [("n", 2)]


def test_a_total_row_in_the_table_is_a_known_total() -> None:
    table = pd.DataFrame({"sex": ["F", "M", "unknown", "All"], "n": [120, 40, 3, 163]})
    assert hidden_cells(Release(table, (Counted("n"),))) == [("n", 1), ("n", 2)]


def crossed(rows: int, *counts: int) -> Release:
    """A table published with both of its margins."""
    columns = len(counts) // rows
    table = pd.DataFrame([(f"r{a}", f"c{b}") for a in range(rows) for b in range(columns)], columns=["a", "b"])
    return Release(table.assign(n=counts), (Counted("n", adds_up_within=("a",)), Counted("n", adds_up_within=("b",))))


def test_a_sum_by_chance_is_no_total_row() -> None:
    """7 + 3 = 10 in the last row, of which 20 is known.

    33 persons by columns, 11 + 20 + 0 in three rows: two are left in the third, whatever is hidden.
    """
    release = crossed(4, 0, 0, 0, 4, 0, 7, 0, 1, 1, 7, 10, 3)
    done = suppress(release, POLICY)
    assert [finding.rule for finding in done.findings if finding.severity == "refused"] == ["unprotected"]
    assert [finding.rule for finding in audit(release, done.table, POLICY)] == ["unprotected"]
    nothing = release.table.assign(n=np.nan)
    assert [finding.rule for finding in audit(release, nothing, POLICY)] == ["unprotected"]


def test_a_margin_of_zero_is_known() -> None:
    """Its cells are zero for any reader: hiding them protects nothing."""
    release = crossed(3, 0, 0, 0, 5, 30, 40, 60, 70, 80)
    assert hidden_cells(release) == [("n", 3), ("n", 4), ("n", 6), ("n", 7)]


def test_a_partner_that_stays_known_gets_partners() -> None:
    """Rows r1, r2 and column c1 leave 32 for r1 c3 and r2 c3, hence 20 for r0 c3: hiding it alone is no use."""
    counts = [60, 60, 12, 20, 0, 14, 0, 30, 0, 12, 0, 2, 11, 60, 14, 0]
    release = crossed(4, *counts)
    hidden = hidden_cells(release)
    assert ("n", 11) in hidden
    free = [place for _, place in hidden]
    square = np.zeros((8, len(free)))
    for rank, place in enumerate(free):
        square[place // 4, rank] = square[4 + place % 4, rank] = 1
    _, sizes, right = np.linalg.svd(square)
    moves = right[np.sum(sizes > 1e-9) :]
    assert (np.abs(moves).max(axis=0) > 1e-9).all(), "each hidden cell moves in some table with these margins"


def test_a_hidden_total_row_is_still_known() -> None:
    """495 of 500: the total is hidden for its complement of 5, but 300 + 195 is known to be 495."""
    table = pd.DataFrame({"sex": ["F", "M", "All"], "n": [300, 195, 495], "of": [350, 250, 500]})
    release = Release(table, (Counted("n", of="of", adds_up_within=()),))
    assert ("of", 2) in hidden_cells(release)
    careless = table.assign(n=[np.nan, np.nan, np.nan])
    assert [finding.rule for finding in audit(release, careless, POLICY)] == ["unprotected"]


def test_only_the_label_of_a_category_makes_it_a_total() -> None:
    """In the group 'All' of another column, 11 is no more a total than elsewhere."""
    table = pd.DataFrame({"sex": ["All"] * 3, "group": ["x", "y", "z"], "n": [1, 10, 11]})
    assert hidden_cells(Release(table, (Counted("n", adds_up_within=("sex",)),))) == [("n", 0), ("n", 1), ("n", 2)]
    table["group"] = ["x", "y", "Total"]
    assert hidden_cells(Release(table, (Counted("n", adds_up_within=("sex",)),))) == [("n", 0), ("n", 1)]


def test_a_partition_of_its_denominator_is_a_known_total() -> None:
    """Nobody said that the rows add up, but they add up to the denominator printed beside them."""
    table = pd.DataFrame({"sex": ["F", "M", "unknown"], "n": [120, 40, 3], "of": [163] * 3})
    assert hidden_cells(Release(table, (Counted("n", of="of"),))) == [("n", 1), ("n", 2)]


def test_columns_that_add_up_are_found() -> None:
    """Women 3 of 63 persons: with men printed, women are 63 - 60."""
    table = pd.DataFrame({"area": ["A", "B"], "women": [3, 70], "men": [60, 80], "persons": [63, 150]})
    release = Release(table, tuple(Counted(name) for name in ("women", "men", "persons")))
    assert hidden_cells(release) == [("women", 0), ("men", 0)]


def test_a_small_complement_falls_with_its_share() -> None:
    """495 of 500 says that 5 are not."""
    table = pd.DataFrame({"item": ["a", "b"], "n": [495, 250], "of": [500, 500], "pct": [99.0, 50.0]})
    release = Release(table, (Counted("n", of="of", derived=("pct",)),))
    assert hidden_cells(release) == [("n", 0), ("pct", 0)]


def test_a_share_falls_with_its_denominator() -> None:
    """12 cases are printed, 7 of them exposed: neither 7 nor 58.3 % may be."""
    table = pd.DataFrame({"item": ["a", "b"], "exposed": [7, 30], "cases": [12, 80], "share": [58.3, 37.5]})
    release = Release(table, (Counted("exposed", of="cases", derived=("share",)), Counted("cases")))
    assert hidden_cells(release) == [("exposed", 0), ("share", 0)]


def test_a_denominator_repeated_down_a_column_is_one_number() -> None:
    table = pd.DataFrame({"item": ["a", "b", "c"], "n": [3, 0, 2], "of": [5, 5, 5]})
    release = Release(table, (Counted("n", of="of"),))
    assert hidden_cells(release) == [("n", 0), ("n", 2), ("of", 0), ("of", 1), ("of", 2)]


def test_whole_shares_are_flagged() -> None:
    table = pd.DataFrame({"item": ["a"], "n": [500], "of": [500]})
    done = suppress(Release(table, (Counted("n", of="of"),)), POLICY)
    assert done.n_hidden == 0
    assert [finding.rule for finding in done.findings] == ["whole_share"]
    strict = POLICY.model_copy(update={"structural_share": "hide"})
    assert suppress(Release(table, (Counted("n", of="of"),)), strict).hidden["n"].tolist() == [True]


def test_states_of_the_data_are_no_traits() -> None:
    """That each person has a value of an exposure says nothing of anyone."""
    table = pd.DataFrame({"variable": ["pm25"] * 2, "outcome": ["informed", "no_value"], "persons": [120, 0]})
    assert hidden_cells(Release(table, (Counted("persons", adds_up_within=("variable",)),))) == []


def test_means_and_quantiles_need_persons() -> None:
    """A quartile of 40 persons has 10 below it; of 44, 11."""
    table = pd.DataFrame(
        {"group": list("abc"), "n": [44, 40, 7], "age_mean": [50.0] * 3, "age_q1": [40.0] * 3, "age_median": [51.0] * 3}
    )
    release = Release(table, (Counted("n", derived=("age_mean", "age_q1", "age_median")),))
    assert hidden_cells(release) == [
        ("n", 2),
        ("age_mean", 2),
        ("age_q1", 1),
        ("age_q1", 2),
        ("age_median", 2),
    ]


def test_percentages_are_rounded() -> None:
    table = pd.DataFrame({"item": ["a"], "n": [317], "of": [1237], "pct": [25.626515763]})
    done = suppress(Release(table, (Counted("n", of="of", derived=("pct",)),)), POLICY)
    assert done.table["pct"].tolist() == [25.6]


def test_a_count_declared_as_derived_falls_with_the_other() -> None:
    table = pd.DataFrame({"item": ["a", "b"], "n": [7, 90], "visits": [40, 300]})
    release = Release(table, (Counted("n", derived=("visits",)), Counted("visits")))
    assert hidden_cells(release) == [("n", 0), ("visits", 0)]


def test_hidden_cells_do_not_depend_on_the_row_order() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    table = pd.DataFrame([(a, b) for a in "abcdef" for b in "uvwxyz"], columns=["a", "b"])
    table["n"] = rng.poisson(14, len(table))
    counts = (Counted("n", adds_up_within=("a",)), Counted("n", adds_up_within=("b",)))
    first = suppress(Release(table, counts), POLICY).table.set_index(["a", "b"])["n"]
    for seed in range(3):
        mixed = table.sample(frac=1, random_state=seed)
        again = suppress(Release(mixed, counts), POLICY).table.set_index(["a", "b"])["n"]
        pd.testing.assert_series_equal(again.loc[first.index], first)


def test_the_audit_sees_what_a_careless_table_gives_away() -> None:
    table = one_column(120, 40, 3)
    release = Release(table, (Counted("n", adds_up_within=()),))
    alone = table.assign(n=[120.0, 40.0, np.nan])
    assert [finding.rule for finding in audit(release, alone, POLICY)] == ["unprotected"]
    assert [finding.rule for finding in audit(release, table, POLICY)] == ["small_count", "unprotected"]
    share = table.assign(pct=[73.6, 24.5, 1.8])
    declared = Release(share, (Counted("n", adds_up_within=(), derived=("pct",)),))
    careless = share.assign(n=[120.0, np.nan, np.nan])
    assert [finding.rule for finding in audit(declared, careless, POLICY)] == ["derived"]


def test_a_thousand_small_areas_take_less_than_two_seconds() -> None:
    import time

    rng = np.random.Generator(np.random.PCG64(1))
    table = pd.DataFrame({"area": [f"Z{rank:04d}" for rank in range(1700)], "n": rng.poisson(6, 1700)})
    started = time.perf_counter()
    release = Release(table, (Counted("n", adds_up_within=()),))
    done = suppress(release, POLICY)
    assert audit(release, done.table, POLICY) == []
    assert done.hidden["n"].sum() == table["n"].between(1, 10).sum()
    assert time.perf_counter() - started < 2
