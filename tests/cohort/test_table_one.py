"""Table one: denominators, missing values, differences and degenerate cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohort.hand_made import Registry
from epi.cohort import Cohort
from epi.cohort.table_one import NOT_INFORMED
from epi.errors import ParameterError
from epi.plotting import render


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    r = Registry()
    for rank in range(12):
        patient = f"P{rank:02d}"
        r.patient(
            patient,
            birth=f"{1950 + rank}-05",
            sex="F" if rank < 5 else "M",
            commune=None if rank in {3, 7} else "38185",
        ).diagnosis(patient, status="probable" if rank % 3 else "confirmed")
    ws = r.open(tmp_path_factory.mktemp("t1") / "ws")
    return ws.cohort("ALS").diagnosed_with(803).index_on("diagnosis")


def extra(cohort: Cohort) -> pd.DataFrame:
    ids = cohort.members["patient_id"]
    return pd.DataFrame(
        {
            "patient_id": ids,
            "constant": 1.0,
            "empty": np.nan,
            "score": [1.0, 2.0, np.nan, 4.0, 5.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, np.nan],
            "only_in_one": [np.nan] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
            "place": list("aabbcaabbbcc"),
        }
    )


def test_a_whole_table_one_by_hand(cohort: Cohort) -> None:
    table = cohort.table_one(by="sex", variables=["score", "place"], extra=extra(cohort)).table
    score = table[table["variable"] == "score"].set_index("group")
    first, second = np.array([1.0, 2, 4, 5]), np.array([1.0, 2, 3, 4, 5, 6])
    assert score.loc["F", ["n", "denominator", "missing"]].tolist() == [4, 4, 1]
    assert score.loc["M", ["n", "denominator", "missing"]].tolist() == [6, 6, 1]
    assert score.loc["F", ["mean", "sd", "median", "q1", "q3"]].tolist() == pytest.approx(
        [3.0, np.std(first, ddof=1), 3.0, 1.75, 4.25]
    )
    pooled = np.sqrt((np.var(first, ddof=1) + np.var(second, ddof=1)) / 2)
    assert score["smd"].iloc[0] == pytest.approx((3.0 - 3.5) / pooled)
    place = table[table["variable"] == "place"]
    women = place[place["group"] == "F"].set_index("level")
    assert women["n"].to_dict() == {"a": 2, "b": 2, "c": 1}
    assert women["percent"].tolist() == pytest.approx([40.0, 40.0, 20.0])
    # Yang and Dalton: Mahalanobis distance of the first two proportions of three.
    p, q = np.array([2 / 5, 2 / 5, 1 / 5])[1:], np.array([2 / 7, 3 / 7, 2 / 7])[1:]
    covariance = -(np.outer(p, p) + np.outer(q, q)) / 2
    np.fill_diagonal(covariance, (p * (1 - p) + q * (1 - q)) / 2)
    assert place["smd"].iloc[0] == pytest.approx(float(np.sqrt((p - q) @ np.linalg.solve(covariance, p - q))))


def test_degenerate_variables_say_why_they_have_no_difference(cohort: Cohort) -> None:
    table = (
        cohort.table_one(by="sex", variables=["constant", "empty", "only_in_one"], extra=extra(cohort))
        .table.drop_duplicates("variable")
        .set_index("variable")
    )
    assert table["smd"].isna().all()
    assert "no variation" in table.loc["constant", "smd_reason"]
    assert "no informed value" in table.loc["empty", "smd_reason"]
    assert "no informed value" in table.loc["only_in_one", "smd_reason"]
    shown = cohort.table_one(by="sex", variables=["constant", "empty"], extra=extra(cohort))._repr_html_()
    assert "no variation" in shown
    assert "none informed; 5 not informed" in shown


def test_a_group_of_one_has_no_difference(cohort: Cohort) -> None:
    ids = cohort.members["patient_id"]
    alone = pd.Series(["one", *["others"] * 11], index=ids, name="group")
    table = cohort.table_one(by=alone, variables=["age_at_index"]).table
    assert table["smd"].isna().all()
    assert "fewer than two" in table["smd_reason"].iloc[0]
    assert np.isnan(table.loc[table["group"] == "one", "sd"].iloc[0])


def test_groups_are_checked(cohort: Cohort) -> None:
    with pytest.raises(ParameterError, match="two groups or more"):
        cohort.table_one(by="orpha_code")
    with pytest.raises(ParameterError, match="no column"):
        cohort.table_one(by="colour")
    with pytest.raises(ParameterError, match="at most 8"):
        cohort.table_one(by="birth_date")
    with pytest.raises(ParameterError, match="has no column"):
        cohort.table_one(variables=["colour"])
    with pytest.raises(ParameterError, match="patient_id"):
        cohort.table_one(extra=pd.DataFrame({"score": [1.0]}))


def test_a_variable_of_too_many_levels_is_refused(tmp_path: Path) -> None:
    r = Registry()
    for rank in range(31):
        r.patient(f"P{rank:02d}").diagnosis(f"P{rank:02d}")
    cohort = r.open(tmp_path / "ws").cohort("x").diagnosed_with(803)
    codes = pd.DataFrame({"patient_id": cohort.members["patient_id"], "code": [f"level {rank}" for rank in range(31)]})
    with pytest.raises(ParameterError, match="31 levels"):
        cohort.table_one(variables=["code"], extra=codes)


def test_three_groups_show_the_largest_difference(cohort: Cohort) -> None:
    ids = cohort.members["patient_id"]
    by = pd.Series(list("aaaabbbbcccc"), index=ids, name="third")
    table = cohort.table_one(by=by, variables=["age_at_index"])
    ages = cohort.members["age_at_index"].to_numpy()
    first, last = ages[:4], ages[8:]
    pooled = np.sqrt((np.var(first, ddof=1) + np.var(last, ddof=1)) / 2)
    assert table.table["smd"].iloc[0] == pytest.approx(abs(first.mean() - last.mean()) / pooled)
    assert "largest" in table.settings["smd"]


def test_what_is_published_counts_the_missing_and_protects_them(cohort: Cohort) -> None:
    release = cohort.table_one(by="sex", variables=["has_residence", "score", "place"], extra=extra(cohort)).release()
    n, of = release.counts
    assert (n.column, n.of, of.column) == ("n", "of", "of")
    assert {"percent", "mean", "sd", "median", "q1", "q3", "smd"} == set(n.derived)
    categorical = release.table[release.table["percent"].notna()]
    sums = categorical.groupby(["variable", "group"])["n"].sum()
    sizes = categorical.groupby(["variable", "group"])["of"].first()
    assert (sums == sizes).all(), "levels and those not informed add up to the group"
    assert (categorical["percent"] == 100 * categorical["n"] / categorical["of"]).all()
    assert "patient_id" not in release.table.columns


def test_missing_categories_are_a_level_of_their_own_when_published(tmp_path: Path) -> None:
    r = Registry()
    for rank in range(6):
        r.patient(f"P{rank}").diagnosis(f"P{rank}")
    cohort = r.open(tmp_path / "ws").cohort("x").diagnosed_with(803).index_on("diagnosis")
    added = pd.DataFrame({"patient_id": ["P0", "P1", "P2"], "place": ["a", "a", "b"]})
    table = cohort.table_one(variables=["place"], extra=added)
    assert table.table[["level", "n", "denominator", "missing"]].to_numpy().tolist() == [["a", 2, 3, 3], ["b", 1, 3, 3]]
    assert table.release().table[["level", "n", "of"]].to_numpy().tolist() == [
        ["a", 2, 6],
        ["b", 1, 6],
        [NOT_INFORMED, 3, 6],
    ]
    with pytest.raises(ParameterError, match="one group"):
        table.chart()


def test_the_balance_chart_is_drawn_with_hidden_values(cohort: Cohort) -> None:
    chart = cohort.table_one(by="sex").chart()
    table = chart.release().table
    assert render(chart.figure()).startswith(b"\x89PNG")
    hidden = table.assign(smd=np.nan)
    texts = [text.get_text() for text in chart.figure(hidden).axes[0].texts]
    assert texts == ["hidden or not defined"] * len(table)


def test_unknown_sex_is_counted_and_is_no_group_to_be_unlike(tmp_path: Path) -> None:
    r = Registry()
    for rank in range(12):
        sex = "UNK" if rank > 9 else "F" if rank < 5 else "M"
        r.patient(f"P{rank:02d}", birth=f"{1900 if sex == 'UNK' else 1950 + rank}-05", sex=sex).diagnosis(
            f"P{rank:02d}"
        )
    cohort = r.open(tmp_path / "ws").cohort("x").diagnosed_with(803).index_on("diagnosis")
    table = cohort.table_one(by="sex", variables=["age_at_index"])
    ages = cohort.members["age_at_index"].to_numpy()
    women, men = ages[:5], ages[5:10]
    pooled = np.sqrt((np.var(women, ddof=1) + np.var(men, ddof=1)) / 2)
    assert table.table["smd"].tolist() == pytest.approx([(women.mean() - men.mean()) / pooled] * 3)
    assert table.sizes == {"F": 5, "M": 5, "UNK": 2}
    assert table.settings["smd"] == "first group minus second, UNK left out"
    assert "<th>SMD</th>" in table._repr_html_()
