"""The open files that are present: read whole, with the figures that their README publishes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from conftest import open_data
from epi.errors import DataError
from epi.geography import harmonise, read_communes
from epi.sources import open_data as sources
from epi.sources.open_data import OpenTable, all_layouts, read_layout

PRESENT = [
    (layout.id, form.present, form.rows) for layout in all_layouts().values() for form in layout.forms if form.present
]


@cache
def table(name: str) -> OpenTable | None:
    folder = open_data()
    return read_layout(name, folder) if folder else None


@pytest.mark.parametrize(("name", "file", "rows"), PRESENT, ids=[row[0] for row in PRESENT])
def test_every_present_file_is_read_whole(name: str, file: str, rows: int) -> None:
    if (read := table(name)) is None:
        return
    assert len(read.table) == rows
    assert read.file == Path(file).name
    manifest = pd.read_csv(open_data() / "manifest.csv").set_index("file")
    assert read.sha256 == manifest.loc[file, "sha256"]
    if pd.notna(manifest.loc[file, "columns"]):
        assert len(read.table.columns) == manifest.loc[file, "columns"], "no column of the file is lost"
    info = read.info
    assert list(info["column"]) == list(read.table.columns)
    assert info[["producer", "vintage", "licence", "support", "source"]].map(bool).all().all()
    for column in read.columns:
        if column.kind == "code":
            codes = read.table[column.name].dropna()
            assert all(isinstance(code, str) for code in codes)


def test_every_file_of_the_manifest_has_a_layout() -> None:
    if (folder := open_data()) is None:
        return
    listed = set(pd.read_csv(folder / "manifest.csv")["file"])
    assert listed == {file for _, file, _ in PRESENT}


def test_population_and_area_of_communes() -> None:
    if (read := table("communes")) is None:
        return
    whole = read.table[read.table["type"] == "commune"]
    assert len(whole) == 34_875
    assert whole["population_2023"].sum() == 68_350_798
    overseas = whole["dept_code"].str.startswith("97")
    assert whole.loc[overseas, "population_2023"].sum() == 2_184_983
    # The README states 633,101 km², 78 less than the areas of its own file add up to.
    assert round(whole["area_km2"].sum()) == 633_179
    inner = read.table[read.table["type"] != "commune"]
    assert len(inner) == 45
    assert set(inner["parent_code"]) == {"75056", "13055", "69123"}


def test_equipments_of_2018() -> None:
    if (read := table("bpe_health")) is None:
        return
    sums = read.table[["n_general_practitioner", "n_pharmacy", "n_maternity", "n_emergency"]].sum()
    assert sums.tolist() == [61_594, 24_457, 504, 687]


def test_equipments_carried_to_today_keep_their_sums() -> None:
    if (read := table("bpe_health")) is None:
        return
    today = read.to_current()
    counts = today.columns_of("count")
    # Three communes of 2018 are several today: their rows are set aside, never given to one of these.
    divided = read.table["code_commune"].isin(["14712", "15141", "85084"])
    assert "3 row(s) without a single commune of today are set aside." in today.notes
    assert (today.table[counts].sum() == read.table.loc[~divided, counts].sum()).all()
    assert today.table["code_commune"].is_unique
    # Equipments are counted by arrondissement in the three cities: they are added up, not lost.
    paris = read.table[read.table["code_commune"].str.startswith("751")]["n_pharmacy"].sum()
    assert today.table.set_index("code_commune").loc["75056", "n_pharmacy"] == paris
    whole = today.fill_unlisted()
    assert len(whole.table) == 34_875
    assert (
        whole.table["n_general_practitioner"].sum() + read.table.loc[divided, "n_general_practitioner"].sum() == 61_594
    )


COVERED = {
    # layout: column, share of communes, of metropolitan communes, of population, in % as published
    "zonings": [("(listed)", 100.0, 100.0, 100.0)],
    # Published as 99.98 and 99.8: that gives a commune divided since to the one that kept its code.
    "iris": [("(listed)", 99.97, 99.97, 99.98)],
    "census_csp": [("(listed)", 99.9, 100.0, 99.6)],
    "filosofi_communes": [
        ("(listed)", 99.8, 100.0, 98.6),
        ("median_income_uc_eur", 89.5, 89.7, 98.3),
        ("poverty_rate_60_pct", 12.5, 12.4, 72.5),
    ],
    "land_cover": [("tree_cover_pct", 99.6, 99.9, 96.7)],
    "pesticides_communes": [("(listed)", 83.9, 84.2, 65.8)],
    "postal_codes": [("(listed)", 100.0, 100.0, 100.0)],
    "basol": [("(listed)", 9.6, None, 55)],
    "irep_located": [("(listed)", 14.3, None, 57)],
    # Published as 86 %: that leaves out Paris, Lyon and Marseille, which are there by arrondissement.
    "bpe_health": [("(listed)", 46, None, 92)],
}


@pytest.mark.parametrize("name", COVERED)
def test_shares_covered_are_those_published(name: str) -> None:
    if (read := table(name)) is None:
        return
    coverage = read.coverage.set_index("column")
    for column, *published in COVERED[name]:
        found = 100 * coverage.loc[column, ["areas_share", "metropolitan_share", "population_share"]].astype(float)
        for share, stated in zip(found, published, strict=True):
            if stated is not None:
                # Published figures are rounded to their last digit.
                digits = 2 if stated > 99.95 and stated < 100 else 0 if isinstance(stated, int) else 1
                assert round(share, digits) == stated, column


def test_bassins_de_vie_cover_metropolitan_communes_but_corsica() -> None:
    if (read := table("bassin_de_vie_environment")) is None:
        return
    communes = read_communes()
    there = communes["bassin_de_vie"].astype(object).isin(read.table["bv2022"])
    inland = ~communes["departement"].astype(str).str.startswith("97")
    assert round(100 * there.mean(), 1) == 98.5
    assert round(100 * there[inland].mean(), 1) == 98.9
    assert round(100 * communes.loc[there, "population"].sum() / communes["population"].sum(), 1) == 96.2
    absent = read.missing_areas
    assert set(absent["meaning"]) == {"missing"}
    assert {"2A", "2B", "971", "972", "973", "974", "976"} <= set(absent["departement"])


@pytest.mark.parametrize("name", sorted({row[0] for row in PRESENT}))
def test_codes_of_a_file_were_communes_of_their_own_at_the_date_it_states(name: str) -> None:
    if (read := table(name)) is None or read.support not in {"commune", "site", "station"} or not read.area:
        return
    if not read.geography:
        return
    codes = read.table[read.area].dropna()
    at = harmonise(codes, read.geography, read.geography).table["status"]
    # A part of a commune beside it tells that the file is of another date, at which it was a commune.
    assert set(at) <= {"current", "arrondissement"}


def test_filosofi_2021_is_in_the_communes_of_2024() -> None:
    if (read := table("filosofi_communes")) is None:
        return
    assert read.geography == "2024"
    held = read.to_current(weights="n_persons_tax_households")
    assert "delegated" not in held.settings["rows"]
    # Made again on 1 January 2024, these have rows of their own, and so have the communes that they left.
    kept = held.table.set_index("code_commune")["median_income_uc_eur"]
    given = read.table.set_index("code_commune")["median_income_uc_eur"]
    left = ["60054", "60694", "85084", "85165", "85212"]
    assert kept[left].notna().any()
    pd.testing.assert_series_equal(kept[left], given[left])


def test_the_census_of_2011_has_its_thousands_and_the_communes_of_2013() -> None:
    if (read := table("census_csp")) is None:
        return
    counts = read.table[read.columns_of("count")]
    assert counts.sum().sum() == 22_953_280
    assert (counts.mod(1) == 0).all().all()
    assert "3064 cell(s) had lost their thousands mark" in read.notes[0]
    assert read.geography == "2013"
    # Made again between 2011 and 2013, they are communes of their own there, not parts of another.
    assert "delegated" not in read.to_current(weights="equal").settings["rows"]


def test_overseas_is_missing_and_never_zero() -> None:
    for name in ("land_cover", "pesticides_communes"):
        if (read := table(name)) is None:
            return
        absent = read.missing_areas
        assert set(absent["meaning"]) == {"missing"}
        overseas = absent[absent["departement"].str.startswith("97")]
        assert len(overseas) == 129
    sites = table("basol").missing_areas
    assert set(sites["meaning"]) <= {"zero", "missing"}
    assert sites.groupby("departement")["meaning"].nunique().eq(1).all()


def test_pesticides_lack_the_first_nine_departements() -> None:
    if (read := table("pesticides_communes")) is None:
        return
    lacking = set(read.missing_areas["departement"])
    assert {f"0{number}" for number in range(1, 10)} <= lacking
    first = read.table["code_commune"].str[:2]
    assert not first.isin([f"0{number}" for number in range(1, 10)]).any()


def test_arrondissements_and_cities_are_not_added_up() -> None:
    if (read := table("filosofi_communes")) is None:
        return
    today = read.to_current(weights="n_persons_tax_households")
    paris = read.table.set_index("code_commune").loc["75056"]
    carried = today.table.set_index("code_commune").loc["75056"]
    assert carried["n_tax_households"] == paris["n_tax_households"]
    assert carried["median_income_uc_eur"] == 29_730
    assert any("their commune has its own" in note for note in today.notes)
    assert today.geography == "2026"


def test_air_stations_say_that_ozone_means_are_of_daily_maxima() -> None:
    if (read := table("air_stations")) is None:
        return
    kinds = read.table.groupby("pollutant")["value_type"].unique()
    for pollutant in ("O3", "NO2", "SO2"):
        assert all("Max" in kind for kind in kinds[pollutant])
    for pollutant in ("PM2.5", "PM10"):
        assert not any("Max" in kind for kind in kinds[pollutant])
    assert "daily maximum" in read.layout.caveat
    assert not read.table["code_commune"].dropna().str.startswith("97").any()


def test_irep_points_are_filtered_by_postal_code() -> None:
    if (read := table("irep_located")) is None:
        return
    kept = read.table[read.table["commune_matches_postal"] == 1]
    assert len(kept) == 9_004
    assert round(100 * len(kept) / len(read.table)) == 92
    assert "commune_matches_postal = 1" in read.layout.caveat


def test_published_sums_of_demography_and_checks() -> None:
    if table("life_tables") is None:
        return
    people = table("population_age_sex").table
    assert round(people.loc[people["year"] == "1991", "population"].sum() / 1e6, 2) == 58.28
    lives = table("life_tables").table
    men = lives[(lives["year"] == "2000") & (lives["sex"] == "male")].sort_values("age")
    hazard = men["hazard_per_year"].to_numpy()
    alive = (1 - men["qx"]).cumprod().shift(fill_value=1.0).to_numpy()
    lived = (alive * (1 - men["qx"].to_numpy() / 2)).sum() + alive[-1] * (1 - men["qx"].iloc[-1]) / hazard[-1]
    assert abs(lived - 75.0) < 0.1
    sids = table("nc_sids").table
    assert (sids["SID74"].sum(), sids["SID79"].sum()) == (667, 836)
    assert round(table("ny8_leukemia").table["TRACTCAS"].sum()) == 592
    lip = table("scotland_lip_cancer").table
    assert (lip["cases"].sum(), round(lip["expected"].sum(), 1)) == (536, 536.2)
    assert table("chorley_points").table["type"].value_counts().to_dict() == {"lung": 978, "larynx": 58}
    assert table("pennlc_cases").table["cases"].sum() == 10_279
    assert table("t1d_arrondissements").table["persons_2023"].min() >= 11


def test_movements_and_history() -> None:
    if (read := table("commune_movements")) is None:
        return
    assert str(read.table["date_eff"].min())[:4] == "1943"
    assert {"10", "20", "21", "30", "31", "32", "33", "34", "35", "41", "50"} <= set(read.table["mod"])
    history = table("commune_history").table
    assert history["is_current"].sum() == 34_875
    assert "movements are the authority" in table("commune_history").layout.caveat


def test_contours_are_those_of_every_commune_of_today() -> None:
    if (read := table("commune_contours")) is None:
        return
    assert read.table.crs.to_epsg() == 4326
    assert read.table.geometry.is_valid.all()
    assert set(read.table["code_commune"]) == set(read_communes()["insee_code"])


def test_every_reader_is_a_layout_and_every_layout_has_a_reader(tmp_path: Path) -> None:
    read = set()
    for name in (name for name in sources.__all__ if name.startswith("read_") and name != "read_layout"):
        with pytest.raises(DataError, match="is in the folder of open data") as caught:
            getattr(sources, name)(tmp_path)
        read.add(str(caught.value).split("'")[1])
    assert read == {layout.id for layout in all_layouts().values() if layout.verified}
