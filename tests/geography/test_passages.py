"""Codes as people give them: followed to today's commune, refused with numbers, never guessed."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi import geography
from epi.errors import GeographyError, ParameterError
from epi.geography.codes import known_codes
from epi.geography.lineage import LAST_DAY
from epi.geography.passing import build_passing


def test_every_code_that_ended_is_followed_as_the_convenience_map_does_or_is_said_to_be_divided(open_data):
    if open_data is None:
        return
    history = pd.read_csv(open_data / "commune_history_map.csv.gz", dtype=str)
    movements = pd.read_csv(open_data / "commune_movements_1943_2025.csv.gz", dtype=str, keep_default_na=False)
    passed = build_passing(None, LAST_DAY, "latest", False).table.join(
        history.set_index("code_historical")["code_current"], how="inner"
    )
    single = passed["insee_code"].notna()
    assert (passed.loc[single, "insee_code"] == passed.loc[single, "code_current"]).all()
    # The movements are the authority: the map sends a divided commune to one part only.
    divided = passed[~single]
    assert sorted(divided.index) == [
        "08227", "14114", "27443", "45117", "51385", "51606", "55273", "60606", "77362", "78122", "78471", "97355"
    ]  # fmt: skip
    for code, row in divided.iterrows():
        assert row["code_current"] in row["candidates"].split("|")
        after = movements[(movements["com_av"] == code) & (movements["typecom_ap"] == "COM")]["com_ap"]
        assert len(after), code
    creusy = movements[(movements["com_av"] == "45117") & (movements["mod"] == "30")]["com_ap"]
    assert divided.loc["45117", "candidates"] == "|".join(sorted(creusy)) == "45093|45313"


@pytest.mark.parametrize(
    ("code", "insee_code", "status", "why"),
    [
        ("38185", "38185", "current", "Grenoble"),
        ("01003", "01165", "passed", "Amareins, merged into Francheleins"),
        ("14513", "50592", "passed", "Pont-Farcy changed département and merged on the same day"),
        ("49144", "44180", "passed", "Freigné became 44225, merged that day into Vallons-de-l'Erdre"),
        ("20004", "2A004", "passed", "Ajaccio before Corsica was divided in 1976"),
        ("15031", "15031", "current", "Celles, merged in 2016, re-established in 2025"),
        ("75112", "75056", "arrondissement", "Paris 12e"),
        ("69381", "69123", "arrondissement", "Lyon 1er"),
        ("13216", "13055", "arrondissement", "Marseille 16e"),
        ("45117", None, "ambiguous", "Creusy, split between Chevilly and Sougy"),
        ("99100", None, "abroad", "country codes"),
        ("97502", None, "overseas_collectivity", "Saint-Pierre"),
        ("97123", None, "overseas_collectivity", "Saint-Barthélemy when it was in Guadeloupe"),
        ("98735", None, "overseas_collectivity", "Papeete"),
        ("01999", None, "unknown", "never a commune"),
        (None, None, "missing", "empty"),
        ("  ", None, "missing", "an empty cell of a text file"),
    ],
)
def test_each_status(code, insee_code, status, why):
    row = geography.to_current([code]).iloc[0]
    assert (row["insee_code"], row["status"]) == (insee_code, status), why


def test_a_long_extinct_code_that_is_a_postal_code_now_is_not_chosen():
    # 75015 was Bry-sur-Marne until 1968; it is the postal code of Paris 15e. Six rows in a
    # hundred: the column is not refused, the rows are not guessed.
    passed = geography.to_current(["75015"] * 6 + ["38185"] * 94)
    row = passed.iloc[0]
    assert row["status"] == "ambiguous"
    assert row["insee_code"] is None
    assert row["candidates"] == "94015"


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([1053, 38185], "2 rows: numbers"),
        (np.array([1053.0, np.nan]), "1 rows: numbers"),
        (["1053", "38185"], "1 rows: 4 digits: the leading zero was lost"),
        (["2a004", "2b033"], "2 rows: Corsican code in lower case"),
        (["1053.0"], "1 rows: written as a decimal number"),
        ([" 38185"], "1 rows: with blanks around"),
        (["Grenoble"], "1 rows: not 5 digits"),
        (["381850"], "1 rows: not 5 digits"),
        (["٣٨١٨٥"], "1 rows: not 5 digits"),  # digits, but not ours
        ([b"38185"], "1 rows: not 5 digits"),
        ([pd.Timestamp("2020-01-01")], "1 rows: not 5 digits"),
        (["75001", "75011", "75020", "75013"], "4 rows: postal codes"),
        (["31000", "44000", "38185"], "2 rows: postal codes"),
    ],
)
def test_bad_columns_are_refused_with_numbers_and_no_code(codes, message):
    for verb in (geography.check_codes, geography.to_current):
        with pytest.raises(GeographyError) as caught:
            verb(codes)
        assert message in str(caught.value)
        assert "repair_codes" in str(caught.value)
        told = str(caught.value).replace("'01053' or '2A004'", "").replace("2A or 2B", "")
        assert not any(str(code) in told for code in codes)
    assert caught.value.exit_code == 10


def test_all_faults_are_told_at_once():
    with pytest.raises(GeographyError) as caught:
        geography.check_codes(["1053", "2a004", "x", "38185", None])
    assert len(caught.value.faults) == 3
    assert "3 of 5 rows" in str(caught.value)


def test_marking_instead_of_refusing():
    passed = geography.to_current(["1053", "31000", "38185", 7], on_fault="mark")
    assert passed["status"].tolist() == ["malformed", "postal_code", "current", "malformed"]
    assert passed["insee_code"].tolist() == [None, None, "38185", None]
    with pytest.raises(ParameterError):
        geography.to_current(["38185"], on_fault="ignore")


@pytest.mark.parametrize("wrong", ["38185", pd.DataFrame({"code": ["38185"]}), np.array([["38185"]])])
def test_a_column_is_expected(wrong):
    with pytest.raises(ParameterError, match="a column or a list"):
        geography.to_current(wrong)


def test_repair_is_asked_for_and_counted():
    repair = geography.repair_codes(["2a004", " 38185", "1053", 1053, "1053.0", "9999", "x", None, "38185"])
    assert repair.codes.tolist() == ["2A004", "38185", "01053", "01053", "01053", "9999", "x", None, "38185"]
    done = repair.table.set_index("fault")
    assert done.loc["lost_zero", ["rows", "repaired"]].tolist() == [2, 1]
    assert done.loc["shape", ["rows", "repaired"]].tolist() == [1, 0]
    assert geography.repair_codes(["38185"]).table.empty


def test_index_type_and_order_are_kept():
    codes = pd.Series(["38185", None, "01003"], index=[7, 3, 3], name="home")
    for given_codes in (codes, codes.astype("category"), codes.astype("string")):
        passed = geography.to_current(given_codes)
        assert passed.index.tolist() == [7, 3, 3]
        assert passed["insee_code"].tolist() == ["38185", None, "01165"]
    assert geography.to_current([]).empty
    assert geography.to_current(pd.Index(["38185"]))["status"].tolist() == ["current"]


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.text(max_size=6), st.integers(0, 99_999).map("{:05d}".format))))
def test_one_row_in_one_row_out_whatever_is_given(codes):
    passed = geography.to_current(codes, on_fault="mark")
    assert len(passed) == len(codes)
    placed = passed["status"].isin(["current", "arrondissement", "passed"])
    assert (passed["insee_code"].notna() == placed).all()
    again = geography.to_current(list(reversed(codes)), on_fault="mark")
    assert again["status"].tolist()[::-1] == passed["status"].tolist()
    coverage = geography.code_coverage(passed)
    assert coverage.table["rows"].sum() == coverage.total == len(codes)


def test_passing_twice_changes_nothing():
    known = known_codes()
    first = geography.to_current(known.index, on_fault="mark")["insee_code"].dropna()
    second = geography.to_current(first)
    assert (second["insee_code"] == first.to_numpy()).all()
    assert (second["status"] == "current").all()


def test_coverage_says_what_it_counts():
    coverage = geography.code_coverage(geography.to_current(["38185", "75112", "01003", None]))
    assert coverage.table["status"].tolist() == ["current", "arrondissement", "passed", "missing"]
    assert coverage.share == 0.75
    release = coverage.release()
    assert release.counts[0].column == "rows"
    assert release.counts[0].adds_up_within == ()
    assert "<table" in coverage._repr_html_()
    assert np.isnan(geography.code_coverage(geography.to_current([])).share)


def test_cities_and_their_arrondissements():
    assert len(geography.arrondissements_of("75056")) == 20
    assert len(geography.arrondissements_of("13055")) == 16
    assert len(geography.arrondissements_of("69123")) == 9
    assert geography.arrondissements_of("38185") == []
    every = [code for city in ("75056", "13055", "69123") for code in geography.arrondissements_of(city)]
    assert geography.city_of(every).value_counts().to_dict() == {"75056": 20, "13055": 16, "69123": 9}
    assert geography.city_of(["38185", None, "x"]).tolist() == ["38185", None, "x"]


def test_a_million_codes_take_less_than_a_second():
    pool = known_codes().index.to_numpy(dtype=object)
    codes = pd.Series(pool[np.random.Generator(np.random.PCG64(1)).integers(0, len(pool), 1_000_000)])
    geography.to_current(codes.head())
    started = time.process_time()
    passed = geography.to_current(codes)
    assert time.process_time() - started < 1.0
    assert len(passed) == 1_000_000
