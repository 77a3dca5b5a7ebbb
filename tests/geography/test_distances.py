"""Distances are metres, checked against pyproj; degrees, swaps and mixtures are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi import geography
from epi.errors import GeographyError, ParameterError

EARTH = pyproj.Geod(ellps="WGS84")


def sample(n: int, seed: int) -> pd.DataFrame:
    communes = geography.read_communes()
    rows = np.random.Generator(np.random.PCG64(seed)).choice(len(communes), n, replace=False)
    return communes.iloc[rows][["insee_code", "lon", "lat"]].set_index("insee_code")


def brute_force(points: pd.DataFrame, sites: pd.DataFrame) -> np.ndarray:
    shape = (len(points), len(sites))
    lon, lat = (np.repeat(points[axis].to_numpy(), shape[1]) for axis in ("lon", "lat"))
    site_lon, site_lat = (np.tile(sites[axis].to_numpy(), shape[0]) for axis in ("lon", "lat"))
    return EARTH.inv(lon, lat, site_lon, site_lat)[2].reshape(shape)


@pytest.mark.parametrize("k", [1, 3])
def test_nearest_is_the_geodesic_nearest_even_across_oceans(k):
    points, sites = sample(400, 1), sample(60, 2)
    truth = brute_force(points, sites)
    found = geography.nearest(points, sites, k)
    assert found["point"].tolist() == np.repeat(points.index.to_numpy(), k).tolist()
    expected = np.sort(truth, axis=1)[:, :k]
    error = np.abs(found["distance_m"].to_numpy().reshape(-1, k) - expected)
    assert (error <= np.maximum(expected * 2e-6, 0.01)).all()
    order = np.argsort(truth, axis=1, kind="stable")[:, :k]
    assert found["site"].tolist() == sites.index.to_numpy()[order].ravel().tolist()
    assert found["distance_m"].max() > 5_000_000


def test_planar_distances_agree_with_the_geodesic_within_a_territory():
    communes = geography.read_communes()
    for epsg, rows in communes.groupby("epsg"):
        a, b = rows.sample(200, replace=True, random_state=1), rows.sample(200, replace=True, random_state=2)
        if epsg == 5490:  # Guadeloupe and Martinique share a projection, 200 km apart
            assert set(a["departement"]) == {"971", "972"}
        planar = geography.planar_distance_m(a["x_m"], a["y_m"], b["x_m"], b["y_m"], epsg1=a["epsg"], epsg2=b["epsg"])
        true = EARTH.inv(a["lon"].to_numpy(), a["lat"].to_numpy(), b["lon"].to_numpy(), b["lat"].to_numpy())[2]
        far = true > 5_000
        # Lambert-93 stretches by up to 3 in a thousand at the ends of the country, the others less.
        assert (np.abs(planar / np.where(far, true, 1) - 1)[far] < (0.0035 if epsg == 2154 else 0.0015)).all()


def test_distances_between_communes():
    measured = geography.commune_distance_m(["75056", "97411", None], ["13055", "75056", "75056"])
    assert measured[0] == pytest.approx(661_000, rel=0.01)
    assert measured[1] == pytest.approx(9_370_000, rel=0.01)  # Saint-Denis de La Réunion to Paris
    assert np.isnan(measured[2])
    assert geography.commune_distance_m(["38185"], ["38185"])[0] == 0
    with pytest.raises(GeographyError, match="1 first codes and 2 second codes"):
        geography.commune_distance_m(["38185"], ["38185", "75056"])


def test_missing_points_give_missing_results_and_zero_is_zero():
    points = pd.DataFrame({"lon": [5.72, np.nan, 2.35], "lat": [45.19, 45.0, 48.85]}, index=["a", "b", "c"])
    sites = pd.DataFrame({"lon": [5.72], "lat": [45.19]}, index=["s"])
    found = geography.nearest(points, sites)
    assert found["distance_m"].isna().tolist() == [False, True, False]
    assert found["site"].isna().tolist() == [False, True, False]
    assert found["distance_m"].iloc[0] == 0
    counts = geography.count_within(points, sites, [1_000])["within_1000_m"]
    assert counts.tolist() == [1, pd.NA, 0]
    none = geography.count_within(points, sites.iloc[:0], [1_000])["within_1000_m"]
    assert none.tolist() == [0, pd.NA, 0]
    empty = geography.nearest(points.iloc[1:2], sites)
    assert empty["distance_m"].isna().all()
    assert geography.nearest(points.iloc[:0], sites).empty


def test_counts_agree_with_brute_force_and_the_circle_is_inside():
    points, sites = sample(300, 3), sample(500, 4)
    truth = brute_force(points, sites)
    radii = [5_000, 20_000.0, 300_000]
    counts = geography.count_within(points, sites, radii)
    assert list(counts.columns) == ["within_5000_m", "within_20000_m", "within_300000_m"]
    for radius, column in zip(radii, counts, strict=True):
        assert counts[column].tolist() == (truth <= radius).sum(axis=1).tolist()
    lon, lat, _ = EARTH.fwd(5.0, 45.0, 90.0, 1_000.0)
    here = pd.DataFrame({"lon": [5.0], "lat": [45.0]})
    there = pd.DataFrame({"lon": [lon], "lat": [lat]})
    assert geography.count_within(here, there, [1_000.1]).iloc[0, 0] == 1
    assert geography.count_within(here, there, [999.9]).iloc[0, 0] == 0


def test_ties_go_to_the_first_site_whatever_the_order_of_points():
    sites = pd.DataFrame({"lon": [5.0, 5.0], "lat": [45.0, 45.0]}, index=["first", "second"])
    points = sample(20, 5)
    points = points[points["lat"] > 40]
    found = geography.nearest(points, sites, 2)
    assert found["site"].tolist() == ["first", "second"] * len(points)


@settings(max_examples=50)
@given(
    st.tuples(st.floats(-5, 9), st.floats(42, 51)),
    st.tuples(st.floats(-5, 9), st.floats(42, 51)),
)
def test_distance_is_a_distance(a, b):
    there = geography.distance_m(*a, *b)[0]
    back = geography.distance_m(*b, *a)[0]
    assert there == pytest.approx(back, abs=1e-6)
    assert there == pytest.approx(EARTH.inv(*a, *b)[2], abs=1e-6)
    found = geography.nearest(
        pd.DataFrame({"lon": [a[0]], "lat": [a[1]]}), pd.DataFrame({"lon": [b[0]], "lat": [b[1]]})
    )["distance_m"][0]
    assert found == pytest.approx(there, rel=2e-6, abs=0.01)


GRENOBLE = pd.DataFrame({"lon": [5.72], "lat": [45.19]})


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: geography.distance_m([45.19], [5.72], [2.35], [48.85]), "look swapped"),
        (lambda: geography.distance_m([-21.1], [55.5], [2.35], [48.85]), "look swapped"),
        (lambda: geography.distance_m([913_000], [6_458_000], [2.35], [48.85]), "metres of a projection"),
        (lambda: geography.distance_m([2.35], [95.0], [2.35], [48.85]), "out of bounds"),
        (lambda: geography.distance_m([1, 2], [45, 45], [1, 2, 3], [45, 45, 45]), "2 first points and 3"),
        (lambda: geography.distance_m(["5,72"], ["45,19"], [2.35], [48.85]), "not numbers"),
        (lambda: geography.distance_m([np.inf], [45.0], [2.35], [48.85]), "infinite"),
        (lambda: geography.distance_m([2.3, 2.4], [48.8], [2.35], [48.85]), "2 longitudes and 1 latitudes"),
        (
            lambda: geography.planar_distance_m([5.7], [45.2], [2.3], [48.8], epsg1=2154, epsg2=2154),
            "these are degrees, not metres",
        ),
        (
            lambda: geography.planar_distance_m([9e5], [6.4e6], [3.4e5], [7.6e6], epsg1=2154, epsg2=2975),
            "1 of 1 pairs are in two projections",
        ),
        (lambda: geography.count_within(GRENOBLE, GRENOBLE, [0.05]), "not between 1 m and 500 km"),
        (lambda: geography.count_within(GRENOBLE, GRENOBLE, []), "radii"),
        (lambda: geography.nearest(GRENOBLE, GRENOBLE * np.nan), "1 of 1 sites have no coordinates"),
        (lambda: geography.to_metres([13.4], [52.5]), "1 of 1 points lie outside France"),
        (lambda: geography.to_degrees([5.7], [45.2], 2154), "these are degrees, not metres"),
    ],
)
def test_wrong_coordinates_get_their_message(attempt, message):
    with pytest.raises(GeographyError) as caught:
        attempt()
    assert message in str(caught.value)


@pytest.mark.parametrize("k", [0, 2, True, 1.5])
def test_k_is_checked(k):
    with pytest.raises(ParameterError, match="number of sites"):
        geography.nearest(GRENOBLE, GRENOBLE, k)


def test_columns_are_checked():
    with pytest.raises(ParameterError, match="points have no columns lon and lat"):
        geography.nearest(GRENOBLE.rename(columns={"lon": "x"}), GRENOBLE)


def test_projection_goes_and_returns():
    communes = geography.read_communes().sample(300, random_state=1)
    there = geography.to_metres(communes["lon"], communes["lat"])
    for epsg, rows in there.groupby("epsg"):
        back = geography.to_degrees(rows["x_m"], rows["y_m"], int(epsg))
        original = communes.iloc[rows.index][["lon", "lat"]].to_numpy()
        assert np.abs(back.to_numpy() - original).max() < 1e-8


def test_many_sites_at_one_place_and_many_places_at_one_distance_go_by_their_order():
    here = pd.DataFrame({"lon": [2.5], "lat": [46.5]})
    one_place = pd.DataFrame({"lon": [3.0] * 40, "lat": [46.0] * 40})
    assert geography.nearest(here, one_place, 1)["site"].tolist() == [0]
    assert geography.nearest(here, one_place, 7)["site"].tolist() == list(range(7))
    # Places all around, as far to the millimetre: the first of the list, however many there are.
    around = pd.DataFrame(
        np.column_stack(EARTH.fwd(np.full(90, 2.5), np.full(90, 46.5), np.arange(90) * 4.0, np.full(90, 5_000.0))[:2]),
        columns=["lon", "lat"],
    )
    found = geography.nearest(here, around, 3)
    assert found["distance_m"].round(3).nunique() == 1
    assert found["site"].tolist() == [0, 1, 2]
    mixed = pd.concat([around, one_place, around]).reset_index(drop=True)
    assert geography.nearest(here, mixed, 5)["site"].tolist() == [0, 1, 2, 3, 4]
    two = pd.DataFrame({"lon": [3.0, 2.6, 3.0, 2.6], "lat": [46.0, 46.4, 46.0, 46.4]})
    assert geography.nearest(here, two, 4)["site"].tolist() == [1, 3, 0, 2]


def test_nearest_agrees_with_brute_force_where_sites_repeat():
    points = sample(60, 11)
    sites = pd.concat([sample(40, 12), sample(40, 12), sample(15, 13)]).reset_index(drop=True)
    truth = np.round(brute_force(points, sites), 3)
    expected = np.lexsort((np.broadcast_to(np.arange(len(sites)), truth.shape), truth), axis=-1)[:, :5]
    found = geography.nearest(points, sites, 5)["site"].to_numpy().reshape(len(points), 5)
    near = np.take_along_axis(truth, expected, axis=1).max(axis=1) < 400_000
    assert near.sum() > 20
    assert np.array_equal(found[near], expected[near])


def in_projection(table: pd.DataFrame, epsg: int):
    import geopandas

    points = geopandas.GeoDataFrame(table, geometry=geopandas.points_from_xy(table["lon"], table["lat"]), crs=4326)
    return points.to_crs(epsg).drop(columns=["lon", "lat"])


@pytest.mark.parametrize("epsg", [2154, 3857, 4171, 27572, 3035, 3945])
def test_the_projection_of_the_input_changes_nothing(epsg):
    communes = geography.read_communes().query("departement == '38'")[["lon", "lat"]].reset_index(drop=True)
    points, sites = communes.iloc[::3].reset_index(drop=True), communes.iloc[::7].reset_index(drop=True)
    plain = geography.nearest(points, sites, 2)
    moved = geography.nearest(in_projection(points, epsg), in_projection(sites, 2154), 2)
    assert moved["site"].tolist() == plain["site"].tolist()
    assert np.abs(moved["distance_m"] - plain["distance_m"]).max() < 0.01
    radii = [3_000.5, 10_000.5]
    counts = geography.count_within(in_projection(points, epsg), sites, radii)
    assert counts.equals(geography.count_within(points, sites, radii))


def test_geometries_without_reference_system_or_in_another_one_are_refused():
    import geopandas
    import shapely

    lambert = in_projection(GRENOBLE, 2154)
    with pytest.raises(GeographyError, match="points: the coordinate reference system is not stated"):
        geography.nearest(lambert.set_crs(None, allow_override=True), GRENOBLE)
    with pytest.raises(GeographyError, match="these are degrees, not metres"):
        geography.nearest(in_projection(GRENOBLE, 4326).set_crs(2154, allow_override=True), GRENOBLE)
    with pytest.raises(GeographyError, match="metres of a projection, not degrees"):
        geography.nearest(GRENOBLE, lambert.set_crs(4326, allow_override=True))
    # Lambert II étendu given as Lambert-93 puts Grenoble off the coast of Africa.
    with pytest.raises(GeographyError, match="outside the region of EPSG 2154: another projection"):
        geography.count_within(in_projection(GRENOBLE, 27572).set_crs(2154, allow_override=True), GRENOBLE, [1_000])
    swapped = geopandas.GeoDataFrame(geometry=shapely.points(lambert.geometry.y, lambert.geometry.x), crs=2154)
    with pytest.raises(GeographyError, match="north before east: they look swapped"):
        geography.nearest(swapped, GRENOBLE)
    with pytest.raises(GeographyError, match="1 of 1 geometries are no points"):
        geography.nearest(lambert.set_geometry(lambert.buffer(10)), GRENOBLE)
    with pytest.raises(GeographyError, match="outside the region of EPSG 2975: another projection"):
        geography.to_degrees([913_000], [6_458_000], 2975)
    with pytest.raises(GeographyError, match="they look swapped"):
        geography.planar_distance_m([6.4e6], [9e5], [9e5], [6.4e6], epsg1=2154, epsg2=2154)


def test_empty_and_missing_geometries_are_missing_points():
    import geopandas
    import shapely

    three = geopandas.GeoDataFrame(geometry=[shapely.Point(913_000, 6_458_000), shapely.Point(), None], crs=2154)
    assert geography.count_within(three, GRENOBLE, [5_000]).iloc[:, 0].tolist() == [1, pd.NA, pd.NA]
