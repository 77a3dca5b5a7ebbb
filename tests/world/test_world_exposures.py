from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from epi.errors import DataError
from epi.world import choose_territory
from epi.world.exposures import FILES, build_exposures, find_open_data
from epi.world.territory import Territory, earth_points
from epi.world.variables import VARIABLES
from world.raw_files import open_data_folders

KEYS = {
    "label_en",
    "label_fr",
    "unit",
    "source",
    "producer",
    "vintage",
    "licence",
    "support",
    "origin",
    "direction_note",
}


@pytest.fixture(scope="module")
def place() -> Territory:
    return choose_territory(territories=["69", "01", "971", "2A"])


@pytest.mark.parametrize("folder", open_data_folders(), ids=lambda folder: "open data" if folder else "synthetic")
def test_table_and_metadata(place: Territory, folder: Path | None) -> None:
    table, about = build_exposures(place, 3, folder)
    assert list(table.columns) == ["insee_code", *VARIABLES]
    assert list(about) == list(VARIABLES)
    assert table["insee_code"].tolist() == place.communes["insee_code"].tolist()
    origin = "open data" if folder else "synthetic"
    for name, entry in about.items():
        assert set(entry) == KEYS
        assert all(isinstance(text, str) and text for text in entry.values())
        assert entry["origin"] == (origin if name != "density_km2" else "open data")
        assert ("synthetic" in entry["label_en"]) == (entry["origin"] == "synthetic")
    overseas = (place.communes["departement"] == "971").to_numpy()
    for name in ("fdep_like", "pm25_ugm3", "no2_ugm3", "water_nitrate_mg_l", "tree_cover_pct", "n_polluted_sites"):
        assert table.loc[overseas, name].isna().all(), f"{name} is missing overseas, never zero"
        assert table.loc[~overseas & (place.communes["departement"] == "69"), name].notna().mean() > 0.9


def test_bassin_de_vie_variables_are_shared_by_its_communes(place: Territory) -> None:
    table, about = build_exposures(place, 3, None)
    for name, entry in about.items():
        if entry["support"] == "bassin_de_vie":
            assert table.groupby(place.communes["bassin_de_vie"])[name].nunique(dropna=True).max() == 1


def test_synthetic_fields_are_smooth_and_depend_on_the_seed_only() -> None:
    wide = choose_territory(5_000_000)
    wide = Territory(wide.communes[wide.communes["departement"] != "971"].reset_index(drop=True), None, (), "")
    first, _ = build_exposures(wide, 3, None)
    again, _ = build_exposures(wide, 3, None)
    other, _ = build_exposures(wide, 4, None)
    pd.testing.assert_frame_equal(first, again)
    assert not first["pm25_ugm3"].equals(other["pm25_ugm3"])
    points = earth_points(wide.communes["lon"].to_numpy(), wide.communes["lat"].to_numpy())
    _, near = cKDTree(points).query(points, k=2)
    for name in ("pm25_ugm3", "water_nitrate_mg_l", "fdep_like", "tree_cover_pct"):
        values = first[name].to_numpy()
        assert np.corrcoef(values, values[near[:, 1]])[0, 1] > 0.35, name
    assert np.corrcoef(first["fdep_like"], first["median_income_eur"])[0, 1] < -0.3


@pytest.mark.parametrize("folder", [f for f in open_data_folders() if f] or [None])
def test_real_registers_are_read_as_they_are(folder: Path | None) -> None:
    place = choose_territory(territories=["01001", "69123", "13055"])
    table, _ = build_exposures(place, 1, folder)
    table = table.set_index("insee_code")
    if folder is None:
        assert table["nearest_industrial_km"].notna().all()
        return
    listed = pd.read_csv(folder / "irep_2021_establishments.csv.gz", dtype={"code_commune": str})
    listed = listed[(listed["commune_matches_postal"] == 1) & (listed["looks_like_farm"] == 0)]
    here = place.communes.set_index("insee_code").loc["01001"]

    def haversine(lon: float, lat: float) -> float:
        a, b, c, d = map(math.radians, (here["lat"], lat, here["lon"], lon))
        return (
            2
            * 6371.0088
            * math.asin(math.sqrt(math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin((d - c) / 2) ** 2))
        )

    slow = min(haversine(lon, lat) for lon, lat in zip(listed["lon"], listed["lat"], strict=True))
    assert abs(table.loc["01001", "nearest_industrial_km"] - slow) < 0.001
    basol = pd.read_csv(folder / "basol_sites.csv.gz", dtype={"code_commune_current": str})
    assert table.loc["69123", "n_polluted_sites"] == (basol["code_commune_current"] == "69123").sum()
    income = pd.read_csv(folder / "filosofi_2021_communes.csv.gz", dtype={"code_commune": str}).set_index(
        "code_commune"
    )
    assert table.loc["13055", "median_income_eur"] == income.loc["13055", "median_income_uc_eur"]
    # Doctors are listed by arrondissement: the city has the sum of its own.
    doctors = pd.read_csv(folder / "bpe_2018_health_communes.csv.gz", dtype={"code_commune": str})
    lyon = doctors.loc[doctors["code_commune"].str.startswith("6938"), "n_general_practitioner"].sum()
    persons = place.communes.set_index("insee_code").loc["69123", "population"]
    assert table.loc["69123", "n_gp_per_1000"] == pytest.approx(1000 * lyon / persons, abs=1e-3)


def test_a_named_folder_must_be_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILES[0]).touch()
    with pytest.raises(DataError) as fault:
        find_open_data(tmp_path)
    assert len(fault.value.faults) == len(FILES) - 1
    monkeypatch.delenv("EPI_OPEN_DATA", raising=False)
    assert find_open_data(None) is None
