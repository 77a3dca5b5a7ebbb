"""A file of exposures by the communes of another date is carried or refused, never joined as it is."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from epi.association import estimate_rates, estimate_sir, fit_spatial_regression, screen_exposures
from epi.errors import DataError, GeographyError, ParameterError
from epi.exposure import enrich, use_open_table
from epi.geography import choropleth, possible_vintages
from epi.sources.open_data import Column, Form, Layout, OpenTable
from exposure.small_france import ABOUT

# 15141 Neuvéglise-sur-Truyère held five communes from 2017 to 2024; 15031, 15035, 15047 and 15171 are back since.
# 01003 Amareins became a part of 01165 in 1974, and merged for good in 1983.
OLD = pd.DataFrame(
    {
        "insee_code": ["38185", "01165", "01003"],
        "pm25_ugm3": [10.0, 12.0, 16.0],
        "persons": [1000, 300, 100],
    }
)
COLUMNS = (
    Column("code_commune", "code", code="commune"),
    Column("n", "count", "persons"),
    Column("level", "mean", "µg/m³"),
)
LAYOUT = Layout(
    id="hand", theme="environment", title_en="t", title_fr="t", producer="p", licence="l", source="s",
    forms=(Form("x", "x"),), columns=COLUMNS, support="commune", area="code_commune", key=("code_commune",),
)  # fmt: skip


def people(*codes):
    return pd.DataFrame({"patient_id": [f"p{i}" for i in range(len(codes))], "insee_code": list(codes)})


def file(codes, *, geography="", vintage="2022"):
    frame = pd.DataFrame({"code_commune": codes, "n": range(1, len(codes) + 1), "level": 10.0})
    return OpenTable(frame, LAYOUT, COLUMNS, vintage, geography, "x.csv", "0" * 64)


def test_a_reference_of_another_date_is_carried_with_weights_or_refused():
    with pytest.raises(DataError, match=r"1 of 3 commune\(s\) of the exposures are not communes of today"):
        enrich(people("01165"), reference=OLD, about=ABOUT)
    with pytest.raises(DataError, match="communes that merged since 1970; no weights are given"):
        enrich(people("01165"), reference=OLD, about=ABOUT, reference_vintage=1970)
    found = enrich(
        people("01165", "38185"), ["pm25_ugm3"], reference=OLD, about=ABOUT, reference_vintage=1970,
        reference_weights="persons",
    )  # fmt: skip
    assert found.table["pm25_ugm3"].tolist() == [13.0, 10.0]
    assert found.settings["reference_vintage"] == "1970"


def test_a_reference_whose_codes_are_not_of_the_date_stated_is_refused():
    with pytest.raises(DataError, match=r"1 of 3 code\(s\) of the exposures were no commune at 2010"):
        enrich(people("01165"), reference=OLD, about=ABOUT, reference_vintage=2010, reference_weights="persons")
    with pytest.raises(ParameterError, match="without reference or panel"):
        enrich(people("01165"), reference_vintage=2010)


def test_a_commune_divided_since_gives_its_value_to_none():
    held = pd.DataFrame({"insee_code": ["15141", "38185"], "pm25_ugm3": [8.0, 10.0]})
    found = enrich(people("15141", "15031", "38185"), reference=held, about=ABOUT, reference_vintage=2022)
    assert found.table["pm25_ugm3"].isna().tolist() == [True, True, False]
    # The same codes as codes of today: another commune of the same name.
    assert enrich(people("15141"), reference=held, about=ABOUT).table["pm25_ugm3"].tolist() == [8.0]


def test_a_yearly_panel_is_carried_too():
    panel = pd.concat([OLD.assign(year=year, pm25_ugm3=OLD["pm25_ugm3"] + year - 2000) for year in (2000, 2001)])
    members = people("01165").assign(index_date=pd.Timestamp("2002-01-01"))
    found = enrich(
        members, ["pm25_ugm3"], panel=panel, about=ABOUT, window=("-2y", "-1y"), reference_vintage=1970,
        reference_weights="persons",
    )  # fmt: skip
    assert found.table["pm25_ugm3"].tolist() == [pytest.approx(13.0)]


def test_an_open_file_is_read_at_the_date_it_states():
    stated = file(["15141", "15031", "38185"], geography="2022").to_current(weights="equal")
    assert stated.table["code_commune"].tolist() == ["15031", "38185"], "a delegated commune, then one of its own"
    assert stated.settings["codes"] == "codes of 2022, as the file states"
    today = file(["15141", "15031", "38185"], geography="2025").to_current(weights="equal")
    assert today.table["code_commune"].tolist() == ["15031", "15141", "38185"]
    with pytest.raises(DataError, match=r"1 of 2 code\(s\) of x.csv were not valid in 2022.*1943 to 1982") as told:
        file(["01003", "38185"], geography="2022").to_current()
    assert "dataclasses.replace" in str(told.value)
    mended = replace(file(["01003", "38185"]), geography="1970")
    assert mended.to_current().table["code_commune"].tolist() == ["01165", "38185"]


def test_an_open_file_without_a_stated_date_is_read_in_the_years_that_have_all_its_codes():
    told = file(["15141", "27676", "38185"], vintage="2022").to_current(weights="equal")
    assert told.settings["codes"].startswith("codes of 2023 to 2025")
    assert "15141" not in set(told.table["code_commune"]), "2024 and 2025 do not answer alike"
    old_list = file(["01003", "38185"], vintage="2022").to_current()
    assert old_list.settings["codes"] == "codes of 2022, and 1 older ones, each read at its last"
    assert old_list.table["code_commune"].tolist() == ["01165", "38185"]
    # 01270 was a commune until 1973 and is a postal code of today: in an old list it is the commune.
    postal = file(["01003", "01270", "38185"], vintage="2022").to_current()
    assert postal.settings["codes"] == "codes of 2022, and 2 older ones, each read at its last"
    assert postal.table["code_commune"].tolist() == ["01165", "01410", "38185"]


def test_delegated_communes_beside_their_commune_do_not_count_twice():
    both = file(["01165", "01003"], geography="1980").to_current()
    assert both.table["n"].tolist() == [1]
    assert any("delegated communes are set aside" in note for note in both.notes)


def test_use_open_table_carries():
    held = use_open_table(file(["15141", "15031", "38185"], geography="2022"), ["level"])
    assert held.reference["insee_code"].tolist() == ["15031", "38185"]


def test_exposures_of_areas_of_another_geography_are_refused():
    cases = pd.DataFrame({"commune": ["38185", "01165", "69123"], "observed": [30, 20, 25]})
    persons = pd.DataFrame({"commune": cases["commune"], "person_years": [1000.0, 1000.0, 1000.0]})
    sir = estimate_sir(cases, persons, "commune", strata=())
    values = pd.DataFrame({"commune": ["38185", "01165", "01003"], "x": [1.0, 2.0, 3.0]})
    for method in (
        lambda: screen_exposures(sir, values, exposures=["x"], cluster=None),
        lambda: fit_spatial_regression(sir, values, ["x"]),
    ):
        with pytest.raises(GeographyError, match=r"1 of 3 area.*no commune of today.*carry_table"):
            method()


@pytest.mark.parametrize("by", ["insee_code", "commune", "departement", "arrondissement"])
def test_counts_and_denominators_of_another_geography_are_refused(by):
    old = "01003" if by in ("insee_code", "commune") else {"departement": "20", "arrondissement": "999"}[by]
    new = {"insee_code": "38185", "commune": "38185", "departement": "38", "arrondissement": "381"}[by]
    today = pd.DataFrame({by: [new], "observed": [30], "person_years": [1000.0]})
    before = pd.DataFrame({by: [new, old], "observed": [30, 20], "person_years": [1000.0, 1000.0]})
    for cases, persons, what in ((today, before, "population"), (before, today, "counts")):
        for method in (estimate_sir, estimate_rates):
            with pytest.raises(GeographyError, match=rf"1 of 2 area.*{what} are no {by} of today"):
                method(cases[[by, "observed"]], persons[[by, "person_years"]], by, strata=(), **(
                    {} if method is estimate_sir else {"standard": pd.DataFrame({"weight": [1.0]})}
                ))  # fmt: skip


def test_a_map_of_communes_of_another_geography_is_refused():
    with pytest.raises(GeographyError, match="1 "):
        choropleth(pd.DataFrame({"area": ["01003", "38185"], "value": [1.0, 2.0]}), "commune")


def test_the_years_that_have_all_the_codes_of_a_file():
    assert possible_vintages(["15141", "15031"]) == list(range(1943, 2027))
    assert possible_vintages([None, "99109", "75056"]) == list(range(1943, 2027))
    assert possible_vintages(["01165", "2A004"])[0] == 1976
    assert possible_vintages(["78646", "2A004"]) == list(range(1976, 2027))
