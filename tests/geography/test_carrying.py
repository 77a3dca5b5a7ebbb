"""Tables carried between geographies: sums conserved to the unit, means weighted, nothing lost in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi import geography
from epi.errors import GeographyError, ParameterError
from epi.geography.lineage import communes_since_1943
from epi.geography.vintages import read_vintage


def test_counts_add_up_and_means_are_weighted():
    # Ruffieu (01330) merged into Haut Valromey (01187) on 1 January 2025.
    table = pd.DataFrame(
        {
            "code": ["01330", "01187", "38185"],
            "cases": [2, 5, 11],
            "persons": [300, 700, 1_000],
            "pm25_ugm3": [10.0, 12.0, 14.0],
        }
    )
    carried = geography.carry_table(
        table, "code", from_vintage=2024, counts=["cases"], means=["pm25_ugm3"], weights="persons"
    )
    assert carried.table.to_dict("list") == {
        "code": ["01187", "38185"],
        "cases": [7, 11],
        "persons": [1_000, 1_000],
        "pm25_ugm3": [11.4, 14.0],
    }
    assert carried.table["cases"].dtype == "int64"
    assert carried.apart.empty
    report = carried.report.set_index("column")
    assert report.loc["cases", ["total_before", "total_after", "total_apart"]].tolist() == [18, 18, 0]
    assert carried.coverage.placed == 3


def test_strata_are_kept_apart():
    table = pd.DataFrame({"code": ["01330", "01187"] * 2, "sex": ["F", "F", "M", "M"], "cases": [1, 2, 3, 4]})
    carried = geography.carry_table(table, "code", from_vintage=2024, counts=["cases"], by=["sex"])
    assert carried.table.values.tolist() == [["01187", "F", 3], ["01187", "M", 7]]
    with pytest.raises(GeographyError, match="2 rows repeat the commune of another; name strata"):
        geography.carry_table(table, "code", from_vintage=2024, counts=["cases"])


def test_a_missing_part_makes_the_sum_missing_unless_asked():
    table = pd.DataFrame(
        {
            "code": ["01330", "01187", "38185"],
            "cases": pd.array([None, 5, None], dtype="Int64"),
            "persons": [300, 700, 10],
            "rate": [np.nan, 12.0, np.nan],
        }
    )
    options = {"from_vintage": 2024, "counts": ["cases"], "means": ["rate"], "weights": "persons"}
    strict = geography.carry_table(table, "code", **options)
    assert strict.table["cases"].tolist() == [pd.NA, pd.NA]
    assert strict.table["rate"].isna().all()
    assert strict.report.set_index("column")["cells_missing"].tolist() == [2, 0, 2]
    skipped = geography.carry_table(table, "code", **options, missing="skip")
    assert skipped.table["cases"].tolist() == [5, pd.NA]
    assert skipped.table["rate"].tolist()[0] == 12.0
    assert np.isnan(skipped.table["rate"][1])


def test_nobody_weighs_nothing():
    table = pd.DataFrame({"code": ["01330", "01187"], "persons": [0, 700], "rate": [np.nan, 12.0]})
    carried = geography.carry_table(table, "code", from_vintage=2024, means=["rate"], weights="persons")
    assert carried.table["rate"].tolist() == [12.0]
    empty = geography.carry_table(table.assign(persons=0), "code", from_vintage=2024, means=["rate"], weights="persons")
    assert empty.table["rate"].isna().tolist() == [True]


def test_a_divided_commune_is_refused_set_apart_or_shared_out_to_the_unit():
    table = pd.DataFrame({"code": ["97357", "38185"], "cases": [101, 3], "persons": [1_000, 10], "rate": [5.0, 6.0]})
    options = {"from_vintage": 1990, "counts": ["cases"], "means": ["rate"], "weights": "persons"}
    with pytest.raises(GeographyError, match="1 of 2 rows cannot be placed") as caught:
        geography.carry_table(table, "code", **options)
    assert list(caught.value.faults) == ["1 rows: split"]
    apart = geography.carry_table(table, "code", **options, unplaced="apart")
    assert apart.table["code"].tolist() == ["38185"]
    assert apart.apart[["code", "cases", "status_of_code"]].values.tolist() == [["97357", 101, "split"]]
    shared = geography.carry_table(table, "code", **options, divide="population")
    people = geography.read_communes().set_index("insee_code")["population"][["97357", "97362"]]
    expected = (101 * people / people.sum()).round().astype(int)
    assert shared.table.set_index("code")["cases"][["97357", "97362"]].tolist() == expected.tolist()
    assert shared.table.set_index("code")["rate"][["97357", "97362"]].tolist() == [5.0, 5.0]
    assert shared.table["persons"].sum() == 1_010


def test_backward_passages_share_out_or_are_refused():
    table = pd.DataFrame({"code": ["01187"], "cases": [7]})
    with pytest.raises(GeographyError, match="cannot be placed"):
        geography.carry_table(table, "code", from_vintage=2026, to_vintage=2024, counts=["cases"])
    back = geography.carry_table(
        table, "code", from_vintage=2026, to_vintage=2024, counts=["cases"], divide="population"
    )
    assert back.table["code"].tolist() == ["01187", "01330"]
    assert back.table["cases"].sum() == 7
    with pytest.raises(GeographyError, match="1 rows: refused") as caught:
        geography.carry_table(
            pd.DataFrame({"code": ["01033"], "cases": [7]}), "code",
            from_vintage=2026, to_vintage=1960, counts=["cases"], divide="population",
        )  # fmt: skip
    assert "01033" not in str(caught.value)


def test_a_city_beside_its_arrondissements_would_count_twice():
    # Filosofi lists both: the trap of summing them.
    table = pd.DataFrame({"code": ["69123", *geography.arrondissements_of("69123")], "persons": [9, *[1] * 9]})
    with pytest.raises(GeographyError, match="9 rows of municipal arrondissements"):
        geography.carry_table(table, "code", from_vintage=2023, counts=["persons"])
    whole = geography.carry_table(table.iloc[1:], "code", from_vintage=2023, counts=["persons"])
    assert whole.table.values.tolist() == [["69123", 9]]
    delegated = pd.DataFrame({"code": ["01187", "01330"], "persons": [9, 3]})
    with pytest.raises(GeographyError, match="1 rows of municipal arrondissements, associated or delegated"):
        geography.carry_table(delegated, "code", from_vintage=2026, counts=["persons"])


YEARS = st.sampled_from(range(1943, 2027))


@settings(max_examples=25)
@given(YEARS, YEARS, st.integers(0, 2**32 - 1), st.sampled_from(["refuse", "population"]))
def test_any_table_of_counts_is_conserved_to_the_unit_through_any_passage(one, two, seed, divide):
    start, end = sorted((one, two))
    random = np.random.Generator(np.random.PCG64(seed))
    codes = communes_since_1943().valid_at(read_vintage(start)).to_numpy()
    kept = random.permutation(codes)[: random.integers(1, len(codes) + 1)]
    table = pd.DataFrame({"code": kept, "cases": random.poisson(3, len(kept))})
    table["persons"] = random.integers(0, 9_000, len(kept))
    carried = geography.carry_table(
        table, "code", from_vintage=start, to_vintage=end, counts=["cases", "persons"], divide=divide, unplaced="apart"
    )
    for column in ("cases", "persons"):
        assert carried.table[column].dtype == "int64"
        assert carried.table[column].sum() + carried.apart[column].sum() == table[column].sum()
        assert (carried.table[column] >= 0).all()
    assert carried.table["code"].isin(communes_since_1943().valid_at(read_vintage(end))).all()
    assert carried.table["code"].is_unique
    again = geography.carry_table(
        table.iloc[::-1], "code", from_vintage=start, to_vintage=end, counts=["cases", "persons"], divide=divide,
        unplaced="apart",
    )  # fmt: skip
    pd.testing.assert_frame_equal(carried.table, again.table)


def test_means_do_not_depend_on_the_order_of_rows():
    random = np.random.Generator(np.random.PCG64(5))
    codes = communes_since_1943().valid_at(read_vintage(2010))
    table = pd.DataFrame({"code": codes, "x": random.normal(size=len(codes)), "w": random.gamma(1, size=len(codes))})
    options = {"from_vintage": 2010, "means": ["x"], "weights": "w", "unplaced": "apart"}
    one = geography.carry_table(table, "code", **options).table
    two = geography.carry_table(table.sample(frac=1, random_state=1), "code", **options).table
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    overall = np.average(table["x"], weights=table["w"])
    kept = table[~table["code"].isin(geography.carry_table(table, "code", **options).apart["code"])]
    assert np.average(one["x"], weights=one["w"]) == pytest.approx(np.average(kept["x"], weights=kept["w"]))
    assert abs(overall) < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": ["nothing"]}, "there is no column 'nothing'"),
        ({}, "there is nothing to carry"),
        ({"means": ["rate"]}, "means have no weights"),
        ({"counts": ["name"]}, "'name' holds no numbers"),
        ({"counts": ["rate"]}, "'rate' holds 1 negative values"),
        ({"counts": ["huge"]}, "'huge' holds infinite values"),
        ({"counts": ["cases"], "by": ["cases"]}, "a column is asked twice"),
        ({"counts": ["cases"], "divide": "equally"}, "divide is 'equally'"),
        ({"counts": ["many"]}, "adds up to more than"),
    ],
)
def test_wrong_tables_and_options(options, message):
    table = pd.DataFrame(
        {"code": ["38185", "01187"], "cases": [1, 2], "rate": [-1.0, 1.0], "name": ["a", "b"], "huge": [np.inf, 1.0],
         "many": [2**53, 2**53]}
    )  # fmt: skip
    with pytest.raises(ParameterError) as caught:
        geography.carry_table(table, "code", from_vintage=2020, **options)
    assert message in str(caught.value)


def test_the_table_leaves_through_the_gate():
    table = pd.DataFrame({"code": ["38185", "01187"], "cases": [400, 2]})
    release = geography.carry_table(table, "code", from_vintage=2026, counts=["cases"]).release()
    assert [counted.column for counted in release.counts] == ["cases"]
