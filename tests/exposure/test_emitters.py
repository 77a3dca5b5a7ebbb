"""Emitters and monitors: distances in metres, by hand and by brute force; places that cannot be are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import DataError, EstimationError, GeographyError, ParameterError
from epi.exposure import (
    build_emitters,
    enrich,
    measure_emitters,
    read_monitors,
    use_air_stations,
    use_irep,
    use_open_table,
)
from epi.geography import area_points, distance_m, pairs_within, read_communes
from epi.sources.open_data import read_air_stations, read_bassins_de_vie, read_irep_located

GRENOBLE, LYON, REUNION = "38185", "69123", "97411"


def sites(n=60, seed=1):
    rng = np.random.default_rng(seed)
    near = read_communes().set_index("insee_code").loc[[GRENOBLE, LYON]]
    base = near.iloc[rng.integers(0, 2, n)]
    frame = pd.DataFrame({"site_id": [f"s{k:03d}" for k in range(n)]})
    frame["lon"] = base["lon"].to_numpy() + rng.normal(0, 0.05, n)
    frame["lat"] = base["lat"].to_numpy() + rng.normal(0, 0.05, n)
    frame["opened"] = rng.choice([1980, 2005, 2015], n)
    frame["closed"] = pd.array(np.where(rng.random(n) < 0.3, 2010 + rng.integers(5, 10, n), -1), dtype="Int64")
    frame["closed"] = frame["closed"].mask(frame["closed"] < 0)
    return frame


def releases(frame, seed=2):
    rng = np.random.default_rng(seed)
    rows = [
        (site, year, medium, pollutant, round(float(rng.gamma(1, 100)), 3))
        for site in frame["site_id"]
        for year in (2018, 2019, 2020)
        for medium, pollutant in (("air", "NOx"), ("air", "PM10"), ("water", "N"))
        if rng.random() < 0.5
    ]
    return pd.DataFrame(rows, columns=["site_id", "year", "medium", "pollutant", "kg"])


def home_of(code):
    return area_points("commune", weighted=None).set_index("area").loc[code]


def of(found, code):
    return found.table.set_index("insee_code").loc[code]


def test_one_site_at_a_known_distance():
    home = home_of(GRENOBLE)
    site = pd.DataFrame({"site_id": ["x"], "lon": [home["lon"]], "lat": [home["lat"] + 0.02]})
    kg = pd.DataFrame({"site_id": ["x"], "year": [2020], "medium": ["air"], "pollutant": ["NOx"], "kg": [30.0]})
    metres = distance_m(home["lon"], home["lat"], home["lon"], home["lat"] + 0.02)[0]
    found = measure_emitters(build_emitters(site, kg), "nox", radii_m=[2000, 3000], pollutant="NOx")
    row = of(found, GRENOBLE)
    assert 2200 < metres < 2250
    assert row["nox_nearest_m"] == pytest.approx(metres, rel=2e-5)
    assert row[["nox_n_2000m", "nox_n_3000m"]].tolist() == [0, 1]
    assert row[["nox_kg_2000m", "nox_kg_3000m"]].tolist() == [0.0, 30.0]
    near = measure_emitters(build_emitters(site, kg), "nox", radii_m=[3000], pollutant="NOx", kernel="inverse_distance")
    assert of(near, GRENOBLE)["nox_kg_3000m"] == pytest.approx(30.0 / (metres / 1000), rel=1e-5)
    assert near.about["nox_kg_3000m"]["unit"] == "kg/year/km"
    floor = measure_emitters(
        build_emitters(site, kg), "nox", radii_m=[3000], pollutant="NOx", kernel="inverse_distance", floor_m=5000
    )
    assert of(floor, GRENOBLE)["nox_kg_3000m"] == pytest.approx(6.0, rel=1e-12)
    assert of(found, REUNION)["nox_n_3000m"] == 0  # the register covers France: nothing there is a zero
    here = measure_emitters(build_emitters(site), "x", scope="metropolitan France")
    assert here.table.set_index("insee_code").loc[REUNION].isna().all()


def test_counts_and_sums_are_those_of_brute_force_whatever_the_order():
    frame = sites()
    kg = releases(frame)
    emitters = build_emitters(frame, kg)
    found = measure_emitters(emitters, "pm", radii_m=[3000, 8000], pollutant="PM10", medium="air", years=(2018, 2019))
    emit = kg[(kg["pollutant"] == "PM10") & kg["year"].between(2018, 2019)].groupby("site_id")["kg"].sum() / 2
    live = frame[(frame["opened"] <= 2019) & ~(frame["closed"] < 2018).fillna(False)]
    live = live[live["site_id"].isin(emit.index)]
    for code in (GRENOBLE, LYON, "38421"):
        home = home_of(code)
        metres = distance_m(home["lon"], home["lat"], live["lon"], live["lat"])
        row = of(found, code)
        assert row["pm_nearest_m"] == pytest.approx(metres.min(), rel=2e-5)
        for radius in (3000, 8000):
            inside = metres <= radius
            assert row[f"pm_n_{radius}m"] == inside.sum()
            assert row[f"pm_kg_{radius}m"] == pytest.approx(
                emit.loc[live["site_id"][inside]].sum(), rel=1e-12, abs=1e-12
            )
    mixed = build_emitters(frame.sample(frac=1, random_state=5), kg.sample(frac=1, random_state=6))
    again = measure_emitters(mixed, "pm", radii_m=[3000, 8000], pollutant="PM10", medium="air", years=(2018, 2019))
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=True)
    assert found.settings["sites_with_a_year_unknown"] > 0


def test_years_of_activity_make_a_panel_that_windows_are_taken_over():
    home = read_communes().set_index("insee_code").loc[GRENOBLE]
    frame = pd.DataFrame({"site_id": ["a", "b", "c"], "lon": home["lon"], "lat": home["lat"] + 0.001})
    frame = frame.assign(opened=[1990, 2003, None], closed=[2001, None, None])
    panel = measure_emitters(build_emitters(frame), "icpe", radii_m=[1000], years=(2000, 2004), by_year=True)
    rows = panel.table[panel.table["insee_code"] == GRENOBLE]
    assert rows["year"].tolist() == [2000, 2001, 2002, 2003, 2004]
    assert rows["icpe_n_1000m"].tolist() == [2, 2, 1, 2, 2]  # an opening that is not known excludes nothing
    people = pd.DataFrame({"insee_code": [GRENOBLE], "index_date": pd.to_datetime(["2004-01-01"])})
    given_ = enrich(people, ["icpe_n_1000m"], panel=panel.table, about=panel.about, window=("-2y", "0"))
    assert given_.table["icpe_n_1000m"].iloc[0] == 1.5
    assert given_.methods.table["method"].iloc[0].startswith("geodesic metres")


def test_coarser_areas_are_seen_from_where_people_live():
    emitters = build_emitters(sites())
    people = measure_emitters(emitters, "x", level="departement").table.set_index("area")
    land = measure_emitters(emitters, "x", level="departement", weighted=None).table.set_index("area")
    point = area_points("departement").set_index("area").loc["38"]
    frame = sites()
    metres = distance_m(point["lon"], point["lat"], frame["lon"], frame["lat"])
    assert people.loc["38", "x_nearest_m"] == pytest.approx(metres.min(), rel=2e-5)
    assert people.loc["38", "x_nearest_m"] != land.loc["38", "x_nearest_m"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda t: t.rename(columns={"lon": "lat", "lat": "lon"}), GeographyError, "swapped"),
        (lambda t: t.assign(lon=t["lon"] * 1e5, lat=t["lat"] * 1e5), GeographyError, "metres of a projection"),
        (lambda t: t.assign(lat=np.nan), DataError, "60 of 60 sites have no coordinates"),
        (lambda t: pd.concat([t, t.head(3)]), DataError, "3 of 63 sites repeat"),
        (lambda t: t.assign(opened=2030), DataError, "close before they open"),
        (lambda t: t.drop(columns="site_id"), ParameterError, "no site_id"),
    ],
)
def test_sites_that_cannot_be_are_refused(change, error, words):
    with pytest.raises(error, match=words):
        build_emitters(change(sites()))


def test_emissions_and_options_that_cannot_be_are_refused_all_at_once():
    frame = sites(3)
    kg = pd.DataFrame(
        {
            "site_id": ["s000", "s000", "s999", "s001"],
            "year": [2020, 2020, 2020, None],
            "medium": "air",
            "pollutant": "NOx",
            "kg": [1.0, -2.0, 3.0, None],
        }
    )
    with pytest.raises(DataError) as caught:
        build_emitters(frame, kg)
    assert len(caught.value.faults) == 5
    emitters = build_emitters(frame)
    with pytest.raises(ParameterError) as options:
        measure_emitters(emitters, "N x", radii_m=[0.5], kernel="gauss", floor_m=0, pollutant="NOx", by_year=True)
    assert len(options.value.faults) == 6
    with pytest.raises(ParameterError, match=r"there are N, NOx|NOx"):
        measure_emitters(build_emitters(frame, releases(frame)), "x", pollutant="ozone")


@given(st.lists(st.tuples(st.floats(5, 6), st.floats(45, 46)), max_size=12), st.floats(500, 60_000))
@settings(max_examples=25)
def test_pairs_are_those_within_the_radius(places, radius):
    frame = pd.DataFrame(places, columns=["lon", "lat"], dtype=float)
    points = pd.DataFrame({"lon": [5.2, np.nan, 5.8], "lat": [45.3, 45.0, 45.9]})
    pairs = pairs_within(points, frame, radius)
    assert pairs[["point", "site"]].apply(tuple, axis=1).is_monotonic_increasing or pairs.empty
    assert 1 not in set(pairs["point"])
    metres = [
        distance_m(points["lon"].iloc[p], points["lat"].iloc[p], lon, lat)[0] for p in (0, 2) for lon, lat in places
    ]
    clear = [abs(d - radius) > 2e-5 * radius + 0.01 for d in metres]
    if all(clear):
        assert len(pairs) == sum(d <= radius for d in metres)
    with pytest.raises(GeographyError, match="metres"):
        pairs_within(points, frame, 0.05)


def monitors(n=80, seed=9):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"monitor_id": [f"m{k:02d}" for k in range(n)]})
    frame["lon"], frame["lat"] = rng.uniform(2, 6, n), rng.uniform(44, 48, n)
    frame["value"] = 20 + 3 * np.sin(frame["lon"] * 2) + rng.normal(0, 0.5, n)
    return frame


def test_values_and_left_out_errors_are_those_of_brute_force():
    frame = monitors()
    points = area_points("commune", weighted=None).set_index("area").loc[["38185", "63113", "87085", "29019"]]
    for method, k in (("nearest", 1), ("idw", 4)):
        found = read_monitors(
            frame, "x", method=method, neighbours=4, maximum_distance_m=60_000, bands_m=(0, 20_000, 60_000)
        )
        for code, point in points.iterrows():
            metres = distance_m(point["lon"], point["lat"], frame["lon"], frame["lat"])
            expected = predict(metres, frame["value"].to_numpy(), k)
            row = of(found, code)
            np.testing.assert_allclose(row["x"], expected, rtol=1e-6)
            assert np.isnan(row["x"]) == np.isnan(row["x_distance_m"])
        errors, near = [], []
        for left in range(len(frame)):
            rest = np.arange(len(frame)) != left
            metres = distance_m(frame["lon"][left], frame["lat"][left], frame["lon"][rest], frame["lat"][rest])
            errors.append(predict(metres, frame["value"].to_numpy()[rest], k) - frame["value"][left])
            near.append(metres.min())
        errors, near = np.array(errors), np.array(near)
        for row in found.accuracy.itertuples():
            inside = (near >= row.from_m) & (near < row.to_m) & ~np.isnan(errors)
            assert row.monitors == inside.sum() > 5
            assert row.rmse == pytest.approx(np.sqrt((errors[inside] ** 2).mean()), rel=1e-6)
            assert row.bias == pytest.approx(errors[inside].mean(), rel=1e-5, abs=1e-6)


def predict(metres, values, k):
    order = np.argsort(metres)[:k]
    order = order[metres[order] <= 60_000]
    return np.average(values[order], weights=metres[order] ** -2.0) if len(order) else np.nan


def test_a_value_carries_its_distance_and_error_into_the_provenance():
    frame = monitors()
    found = read_monitors(frame, "x_ugm3", about={"label_en": "X", "vintage": "2023"})
    homes = found.table.dropna().iloc[[0, 1]]
    people = pd.DataFrame({"patient_id": ["a", "b"], "insee_code": homes["insee_code"].to_numpy()})
    enriched = enrich(people, ["x_ugm3"], reference=found.table, about=found.about)
    told = enriched.provenance.table
    assert told["distance_m"].tolist() == homes["x_ugm3_distance_m"].tolist()
    assert told["method"].iloc[0] == "value of the nearest monitor within 50 km"
    assert "RMSE" in enriched.methods.table["uncertainty"].iloc[0]
    again = read_monitors(frame.sample(frac=1, random_state=1), "x_ugm3", about={"label_en": "X", "vintage": "2023"})
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=True)
    pd.testing.assert_frame_equal(again.accuracy, found.accuracy, check_exact=True)
    agreeing = read_monitors(frame.assign(value=7.1), "x", method="idw").table["x"].dropna()
    assert (agreeing == 7.1).all()


def test_monitors_that_cannot_be_are_refused():
    frame = monitors()
    with pytest.raises(GeographyError, match="swapped"):
        read_monitors(frame.rename(columns={"lon": "lat", "lat": "lon"}), "x")
    with pytest.raises(DataError) as caught:
        read_monitors(pd.concat([frame, frame.head(1).assign(value=np.nan, lon=np.nan)]), "x")
    assert len(caught.value.faults) == 3
    with pytest.raises(EstimationError, match="three or more"):
        read_monitors(frame.head(2), "x")
    with pytest.raises(ParameterError) as options:
        read_monitors(frame, "x", method="kriging", maximum_distance_m=0, neighbours=0, power=0, bands_m=(5, 1))
    assert len(options.value.faults) == 5


def test_real_registers_reach_communes(open_data):
    if open_data is None:
        return
    emitters = use_irep(read_irep_located(open_data / "irep_2021_establishments.csv.gz"))
    found = measure_emitters(emitters, "irep", radii_m=[5000]).table
    assert found["irep_nearest_m"].notna().all()
    assert (
        found["irep_n_5000m"].sum()
        == pairs_within(area_points("commune", weighted=None), emitters.sites, 5000)["site"].size
    )
    stations = read_air_stations(open_data / "air_stations_2023.csv.gz")
    ozone, about = use_air_stations(stations, "O3")
    read = read_monitors(ozone, "o3_station_ugm3", about=about)
    rows = read.accuracy.set_index("to_m")
    assert rows.loc[20_000, "correlation"] > 0.8  # ozone is smooth
    assert read.table.set_index("insee_code")["o3_station_ugm3"].filter(regex="^97").isna().all()
    with pytest.raises(ParameterError, match="SO2"):
        use_air_stations(stations, "CO")
    areas = use_open_table(
        read_bassins_de_vie(open_data / "bassins_de_vie_2022_environment_social.csv.gz"), ["no2_ugm3"]
    )
    people = pd.DataFrame({"insee_code": [GRENOBLE, "38421", "2A004"]})
    enriched = enrich(people, ["no2_ugm3"], reference=areas.reference, about=areas.about)
    assert enriched.table["no2_ugm3"].iloc[0] == enriched.table["no2_ugm3"].iloc[1]  # one bassin de vie
    outcomes = enriched.coverage.table.query("persons > 0").set_index("outcome")["persons"].to_dict()
    assert outcomes == {"informed": 2, "not_in_file": 1}
    with pytest.raises(DataError, match="file by site"):
        use_open_table(read_irep_located(open_data / "irep_2021_establishments.csv.gz"))
