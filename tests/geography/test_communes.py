"""The table of communes adds up to the official totals and every hierarchy is whole."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epi import geography
from epi.errors import GeographyError, ParameterError
from epi.geography import store

ROOT = Path(__file__).resolve().parents[2]


def test_totals_are_the_official_ones():
    communes = geography.read_communes()
    assert len(communes) == 34_875
    assert communes["population"].sum() == 68_350_798
    assert communes.loc[communes["epsg"] == 2154, "population"].sum() == 66_165_815
    assert communes["area_km2"].sum() == pytest.approx(633_101, abs=1)
    everything = geography.read_communes(arrondissements=True)
    inner = everything[everything["type"] == "municipal_arrondissement"]
    assert len(everything) == 34_920
    assert len(inner) == 45
    cities = communes[communes["insee_code"].isin(["75056", "13055", "69123"])]
    assert inner["population"].sum() == cities["population"].sum()


def test_codes_are_sorted_unique_text():
    codes = geography.read_communes(arrondissements=True)["insee_code"]
    assert codes.is_monotonic_increasing
    assert codes.is_unique
    assert codes.str.fullmatch(r"[0-9]{5}|2[AB][0-9]{3}").all()


@pytest.mark.parametrize(
    ("level", "areas", "without"),
    [
        ("region", 18, 0),
        ("departement", 101, 0),
        ("arrondissement", 333, 17),  # the 17 communes of Mayotte
        ("epci", 1_255, 4),  # four islands
        ("bassin_de_vie", 1_707, 0),
        ("urban_unit", 2_568, 0),
        ("catchment_area", 700, 0),
    ],
)
def test_every_code_has_its_place_at_every_level(level, areas, without):
    communes = geography.read_communes()
    missing = communes[communes[level].isna()]
    assert len(missing) == without
    if level == "arrondissement":
        assert set(missing["departement"]) == {"976"}
    names = geography.names_of(level)
    assert set(names) == set(communes[level].dropna())
    table = geography.territory(level)
    assert table["communes"].sum() == 34_875 - without
    assert list(table["code"]) == sorted(names)
    assert table["name"].notna().all()
    if without == 0:
        assert table["population"].sum() == 68_350_798
    assert len(table) == areas


def test_levels_are_nested_as_the_law_says():
    communes = geography.read_communes()
    for inner, outer in (("departement", "region"), ("arrondissement", "departement")):
        pairs = communes[[inner, outer]].dropna().astype(str).drop_duplicates()
        assert pairs[inner].is_unique
    prefix = communes["insee_code"].str[:2].where(communes["epsg"] == 2154, communes["insee_code"].str[:3])
    assert (prefix == communes["departement"].astype(str)).all()


def test_the_centre_of_an_area_lies_with_its_people():
    row = geography.territory("region").set_index("code").loc["11"]
    assert geography.distance_m(row["lon"], row["lat"], 2.35, 48.85)[0] < 10_000
    empty = geography.territory("commune").query("population == 0")
    assert len(empty) == 6
    assert empty[["lon", "lat"]].notna().all(axis=None)


def test_remainder_codes_are_marked_as_outside():
    urban = geography.territory("urban_unit")
    assert urban.loc[urban["outside"], "name"].str.startswith("Communes hors unité urbaine").all()
    assert not urban.loc[~urban["outside"], "name"].str.contains("hors unité urbaine").any()
    assert geography.territory("catchment_area").query("outside")["code"].tolist() == ["000"]


def test_a_caller_cannot_spoil_the_table():
    for arrondissements in (True, False):
        mine = geography.read_communes(arrondissements=arrondissements)
        mine.loc[0, "population"] = -1
    assert geography.read_communes()["population"].sum() == 68_350_798


def test_find_and_describe():
    assert geography.find_communes("HAY les roses")["name"].iloc[0] == "L'Haÿ-les-Roses"
    assert geography.find_communes("zzzz").empty
    card = geography.describe_commune("75112")
    assert card["parent_code"] == "75056"
    assert card["region_name"] == "Île-de-France"
    with pytest.raises(GeographyError, match="is not a current commune"):
        geography.describe_commune("1053")
    with pytest.raises(ParameterError, match="one of commune"):
        geography.territory("canton")


@pytest.mark.parametrize("level", geography.LEVELS)
def test_area_of_gives_one_row_for_each_row(level):
    communes = geography.read_communes(arrondissements=True)
    codes = communes["insee_code"].sample(500, random_state=1)
    codes = pd.concat([codes, pd.Series([None, "75112"], index=["a", "b"])])
    areas = geography.area_of(codes, level)
    assert areas.index.equals(codes.index)
    assert areas["a"] is None
    assert areas["b"] == geography.area_of(["75056"], level).iloc[0]
    whole = codes[codes.isin(geography.read_communes()["insee_code"])]
    column = "insee_code" if level == "commune" else level
    expected = communes.set_index("insee_code", drop=False)[column].astype(object).loc[whole]
    assert areas[whole.index].fillna("-").tolist() == expected.fillna("-").tolist()


def test_area_of_refuses_what_is_not_current_with_numbers_and_no_code():
    with pytest.raises(GeographyError) as caught:
        geography.area_of(["38185", "01003", "99109"], "region")
    assert "2 of 3 rows" in str(caught.value)
    assert "01003" not in str(caught.value)
    with pytest.raises(ParameterError, match="level 'dept' is unknown"):
        geography.area_of(["38185"], "dept")


def test_places():
    codes = ["38185", "2A004", "97411", None]
    known = {
        "France": [True, True, True],
        "metropolitan France": [True, True, False],
        "overseas France": [False, False, True],
        "La Réunion": [False, False, True],
        "corse": [False, True, False],
        "departement:38": [True, False, False],
        "commune:38185": [True, False, False],
    }
    for place, expected in known.items():
        inside = geography.belongs_to(codes, place)
        assert inside.dtype == "boolean"
        assert inside.tolist() == [*expected, pd.NA], place
    assert geography.belongs_to(["75112"], "commune:75056").all()
    with pytest.raises(ParameterError, match="unknown"):
        geography.belongs_to(codes, "departement:99")
    communes = geography.read_communes()
    inside = geography.belongs_to(communes["insee_code"], "metropolitan France")
    assert communes.loc[inside.to_numpy(dtype=bool), "population"].sum() == 66_165_815


def test_data_files_are_light_and_are_what_the_script_derives(open_data, tmp_path, monkeypatch):
    folder = ROOT / "src" / "epi" / "geography" / "data"
    sizes = {path.name: path.stat().st_size for path in folder.glob("*.parquet")}
    assert max(sizes.values()) < 2_000_000
    assert sum(sizes.values()) < 3_000_000
    assert all(name in (folder / "SOURCES.md").read_text(encoding="utf-8") for name in sizes)
    if open_data is not None:
        spec = importlib.util.spec_from_file_location("derive", ROOT / "scripts" / "derive_geography.py")
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        monkeypatch.setattr("sys.argv", ["derive", "--data", str(open_data), "--out", str(tmp_path)])
        script.main()
        for name in sizes:
            made, kept = (pd.read_parquet(where / name) for where in (tmp_path, folder))
            pd.testing.assert_frame_equal(made, kept)


def test_local_coordinates_are_those_of_the_degrees():
    communes = store.communes()
    again = geography.to_metres(communes["lon"], communes["lat"])
    assert (again["epsg"].to_numpy() == communes["epsg"].to_numpy()).all()
    assert np.abs(again[["x_m", "y_m"]].to_numpy() - communes[["x_m", "y_m"]].to_numpy()).max() < 1
