"""Codes of any date brought to any other: one answer, candidates with shares, or a reason."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi import geography
from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.harmonisation import PLACED
from epi.geography.lineage import communes_since_1943, parts
from epi.geography.passing import build_passing
from epi.geography.vintages import read_vintage

TODAY = geography.read_communes()["insee_code"]


@pytest.mark.parametrize(
    ("code", "at", "to", "insee_code", "status", "why"),
    [
        ("38185", 1943, 2026, "38185", "current", "Grenoble, never touched"),
        ("01003", 1960, 2026, "01165", "passed", "Amareins, merged into Francheleins"),
        ("01003", 1980, 2026, "01165", "delegated", "Amareins, associated with Francheleins until 1983"),
        ("01003", 2000, 2026, None, "not_valid", "Amareins, wholly merged by then"),
        ("01330", 2025, 2026, "01187", "delegated", "Ruffieu, delegated since 1 January 2025"),
        ("15031", 2010, 2026, "15031", "current", "Celles before it merged, and again since 2025"),
        ("15031", 2020, 2026, "15031", "delegated", "Celles as a delegated commune, re-established in 2025"),
        ("14513", 2017, 2026, "50592", "passed", "Pont-Farcy changed département and merged on one day"),
        ("49144", 2017, 2026, "44180", "passed", "Freigné became 44225, merged that day"),
        ("20004", 1970, 2026, "2A004", "passed", "Ajaccio before Corsica was divided"),
        ("2A004", 2026, 1970, "20004", "passed", "Ajaccio, back before 1976: a change of code needs no weight"),
        ("75013", 1960, 2026, "93013", "passed", "Le Bourget when the Seine was 75"),
        ("93013", 2026, 1960, "75013", "passed", "Le Bourget back in the Seine"),
        ("78646", 1960, 2026, "78646", "current", "Versailles in Seine-et-Oise and in the Yvelines"),
        ("91377", 1980, 2026, "91377", "current", "Massy, in the Essonne since 1968"),
        ("27058", 2022, 2026, "27676", "passed", "Les Trois Lacs: seat moved to 27058 and back"),
        ("27676", 2020, 2022, "27058", "passed", "Les Trois Lacs, the other way"),
        ("76095", 2026, 2013, "76108", "passed", "Bihorel, back when it was in Bois-Guillaume-Bihorel"),
        ("75112", 2015, 2026, "75056", "arrondissement", "Paris 12e"),
        ("69388", 1990, 1970, "69123", "arrondissement", "Lyon 8e"),
        ("98511", 2005, 2026, "97611", "passed", "Mamoudzou when Mayotte was 985"),
        ("97611", 2026, 2005, "97611", "current", "Mamoudzou: 976 at every date here"),
        ("97123", 2000, 2026, None, "overseas_collectivity", "Saint-Barthélemy when it was in Guadeloupe"),
        ("97127", 2000, 2026, None, "overseas_collectivity", "Saint-Martin"),
        ("97502", 2020, 2026, None, "overseas_collectivity", "Saint-Pierre"),
        ("98735", 2020, 2026, None, "overseas_collectivity", "Papeete"),
        ("99109", 2020, 2026, None, "abroad", "Germany"),
        ("45117", 1960, 2026, None, "ambiguous", "Creusy, divided between Chevilly and Sougy"),
        ("27701", 1970, 2026, None, "not_valid", "Val-de-Reuil before it was made"),
        ("14581", 2010, 2026, "14581", "current", "Saint-Germain-d'Ectot before it merged into Aurseulles, 14011"),
        ("14581", 2020, 2026, "14581", "delegated", "the same, delegated: Aurseulles took its code in 2024"),
        ("14011", 2020, 2026, "14581", "passed", "Aurseulles under its first code"),
        ("14011", 2026, 2026, "14581", "delegated", "Anctoville, delegated in Aurseulles"),
        ("75015", 2015, 2026, None, "postal_code", "no INSEE code in 2015: Paris 15e by its postal code"),
        ("01999", 2015, 2026, None, "unknown", "never a commune"),
        (None, 2015, 2026, None, "missing", "empty"),
    ],
)  # fmt: skip
def test_each_passage(code, at, to, insee_code, status, why):
    row = geography.harmonise([code, "38185", *["33063"] * 9], at, to).table.iloc[0]
    assert (row["insee_code"], row["status"]) == (insee_code, status), why
    assert (row["reason"] is None) == (status == "current")


def test_a_division_is_told_with_its_shares_where_people_were_counted():
    table = geography.read_communes().set_index("insee_code")["population"]
    row = geography.harmonise(["97357"], 1990).table.iloc[0]
    assert (row["status"], row["insee_code"], row["candidates"]) == ("split", None, "97357|97362")
    people = table[["97357", "97362"]]
    shares = [float(share) for share in row["weights"].split("|")]
    assert shares == pytest.approx((people / people.sum()).tolist(), abs=1e-6)
    assert row["reason"].endswith("shares of population_2023")
    # Chamrousse was made of land of three communes: none of the three can be shared out by people.
    mixed = geography.harmonise(["38422"], 1980).table.iloc[0]
    assert (mixed["status"], mixed["candidates"], mixed["weights"]) == ("ambiguous", "38422|38567", None)
    assert "some of which hold land of others" in mixed["reason"]


def test_backward_passages_need_people_counted_on_the_older_communes():
    result = geography.harmonise(["49018"], 2026, 2015)
    row = result.table.iloc[0]
    assert row["status"] == "split"
    assert "49018" in row["candidates"].split("|")
    assert "census_2011_active_25_54" in row["reason"]
    assert result.shares["weight"].sum() == pytest.approx(1)
    assert (result.shares["weight_source"] == "census_2011_active_25_54").all()
    refused = geography.harmonise(["01033"], 2026, 1960).table.iloc[0]
    assert (refused["status"], refused["insee_code"]) == ("refused", None)
    assert "nothing tells how to share out" in refused["reason"]
    assert len(refused["candidates"].split("|")) > 1


def test_recent_mergers_are_shared_by_the_persons_of_2021():
    result = geography.harmonise(["01187"], 2026, 2024)
    assert result.table["candidates"].tolist() == ["01187|01330"]
    assert set(result.shares["weight_source"]) == {"filosofi_2021_persons"}


def test_a_code_at_another_date_says_when_a_commune_had_it():
    table = geography.harmonise(["27676", "27701", "50649"], 2022).table
    assert table["status"].tolist() == ["not_valid", "current", "not_valid"]
    assert table["reason"][0] == (
        "no commune had this code on 2022-01-01; one had it until 2020-12-31 and from 2023-01-01"
    )
    assert table["reason"][2].endswith("one had it on 2018-01-01 alone, between two events of that day")


def test_an_unknown_date_reports_every_answer_and_when_it_holds():
    table = geography.harmonise(["38185", "01003", "15141", "2A004", "75112", None]).table
    assert table["status"].tolist() == ["current", "passed", "ambiguous", "current", "arrondissement", "missing"]
    mixed = table.iloc[2]
    assert mixed["candidates"] == "15031|15035|15047|15141|15171"
    assert mixed["reason"].startswith("the answer depends on the date: until 2016-11-30 15141; from 2016-12-01")
    # A code of the Seine that is a postal code now: without a date, both may be meant.
    seine = geography.harmonise(["75015", *["38185"] * 20]).table.iloc[0]
    assert (seine["status"], seine["candidates"]) == ("ambiguous", "94015")


def test_a_date_for_each_row():
    codes = pd.Series(["15141", "15141", "20004", "20004", None], index=[9, 9, 3, 1, 0])
    result = geography.harmonise(codes, ["2010", "2020-06-15", 1975, None, 2000])
    assert result.table.index.tolist() == [9, 9, 3, 1, 0]
    assert result.table["status"].tolist() == ["current", "split", "passed", "passed", "missing"]
    assert set(result.shares["from_vintage"]) == {"2020-06-15"}
    with pytest.raises(ParameterError, match="1 dates for 5 codes"):
        geography.harmonise(codes, [2010])


def test_cities_divided_between_their_arrondissements():
    table = geography.harmonise(["69123", "69385", "38185"], 2020, cities="arrondissements").table
    assert table["status"].tolist() == ["split", "current", "current"]
    assert table["candidates"][0].split("|") == geography.arrondissements_of("69123")
    shares = [float(share) for share in table["weights"][0].split("|")]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    old = geography.harmonise(["69385", "69387", "69388"], 1955, cities="arrondissements").table
    assert old["status"].tolist() == ["split", "split", "not_valid"]
    assert old["candidates"].tolist()[:2] == ["69385|69389", "69387|69388"]
    marseille = geography.harmonise(["13055"], 1950, 1944, cities="arrondissements").table
    assert marseille["status"].tolist() == ["refused"]
    assert geography.harmonise(["13205"], 1944).table["status"].tolist() == ["not_valid"]


def test_postal_codes_given_by_mistake_are_refused_with_the_reason():
    with pytest.raises(GeographyError, match="4 rows: postal codes"):
        geography.harmonise(["75001", "75011", "75020", "75013"], 2020)
    # The same column is one of INSEE codes at a date when the Seine had them.
    assert geography.harmonise(["75001", "75011", "75020", "75013"], 1960).coverage.placed == 4
    marked = geography.harmonise(["31000", "1053", "38185"], 2020, on_fault="mark").table
    assert marked["status"].tolist() == ["postal_code", "malformed", "current"]
    assert marked["reason"].tolist()[:2] == [
        "a postal code covers several communes: take the INSEE code", "4 digits: the leading zero was lost"
    ]  # fmt: skip


def test_every_code_valid_on_any_1_january_since_1943_is_resolved_or_explained():
    lineage = communes_since_1943()
    current, unplaced = set(TODAY), []
    for year in range(1943, 2027):
        day = read_vintage(year)
        alive = parts().query("start <= @day < end")["code"]
        codes = lineage.valid_at(day).union(pd.Index(alive.unique()))
        table = geography.harmonise(codes, year).table
        assert table["status"].isin([*PLACED, "split", "ambiguous"]).all(), year
        placed = table["insee_code"].notna()
        assert (placed == table["status"].isin(PLACED)).all()
        assert set(table.loc[placed, "insee_code"]) <= current
        assert table.loc[~placed, "candidates"].str.split("|").map(lambda many: set(many) <= current).all()
        assert table.loc[table["status"] != "current", "reason"].notna().all()
        unplaced.append(int((~placed).sum()))
    # Most in the years when mergers of 1972 to 1974 were on their way to be undone.
    assert max(unplaced) == unplaced[1975 - 1943] == 182
    assert unplaced[-1] == 2


def test_all_current_communes_round_trip():
    for at, to in ((2026, 2026), (2025, 2026), (2026, 2025)):
        table = geography.harmonise(TODAY, at, to).table
        assert (table["insee_code"] == TODAY).all()
        assert (table["status"] == "current").all()
    # What has one answer backward and forward again comes home or to the commune that holds it.
    for year in (1950, 1975, 1990, 2010, 2019):
        back = geography.harmonise(TODAY, 2026, year).table
        single = back["insee_code"].notna()
        again = geography.harmonise(back.loc[single, "insee_code"], year, 2026).table
        home = again["insee_code"].notna()
        assert (again.loc[home, "insee_code"] == TODAY[single][home]).all()
        candidates = again.loc[~home, "candidates"].str.split("|")
        assert all(own in many for own, many in zip(TODAY[single][~home], candidates, strict=True))


@pytest.mark.parametrize(
    ("start", "between", "end"),
    [(1943, 1975, 2026), (1960, 1973, 1985), (1972, 1980, 2026), (1990, 2010, 2026), (2012, "2018-06-30", 2026)],
)
def test_stopping_on_the_way_changes_nothing(start, between, end):
    codes = communes_since_1943().valid_at(read_vintage(start))
    straight = geography.harmonise(codes, start, end).table["insee_code"]
    stop = geography.harmonise(codes, start, between).table["insee_code"]
    single = stop.notna().to_numpy()
    resumed = geography.harmonise(stop[single], between, end).table["insee_code"]
    both = resumed.notna().to_numpy() & straight[single].notna().to_numpy()
    assert both.mean() > 0.98
    assert (resumed[both] == straight[single][both]).all()


@settings(max_examples=40)
@given(
    st.lists(st.one_of(st.none(), st.text(max_size=6), st.sampled_from(list(store.events()["before"])))),
    st.one_of(st.none(), st.integers(1943, 2026)),
    st.integers(1943, 2026),
)
def test_one_row_in_one_row_out_whatever_the_order(codes, at, to):
    result = geography.harmonise(codes, at, to, on_fault="mark")
    assert len(result.table) == len(codes)
    assert result.coverage.table["rows"].sum() == len(codes)
    assert result.table["reason"][result.table["status"] != "current"].notna().all()
    back = geography.harmonise(codes[::-1], at, to, on_fault="mark").table.iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(result.table, back)


def test_the_result_is_released_as_counts_and_never_as_rows():
    result = geography.harmonise(["38185", "01003", None], 1970)
    assert result.release().counts[0].column == "rows"
    assert result.settings == {
        "to_vintage": "2026-01-01", "cities": "whole", "on_fault": "raise", "from_vintage": "1970-01-01"
    }  # fmt: skip
    assert "01003" not in result._repr_html_()
    assert np.isclose(result.coverage.share, 2 / 3)
    with pytest.raises(ParameterError, match="cities is 'all'"):
        geography.harmonise(["38185"], cities="all")


def test_first_calls_are_quick():
    for cached in (communes_since_1943, parts, build_passing, store.events):
        cached.cache_clear()
    started = time.process_time()
    geography.harmonise(["01003"], 1970)
    geography.harmonise(["01003"])
    geography.harmonise(["01165"], 2026, 1970)
    assert time.process_time() - started < 3
