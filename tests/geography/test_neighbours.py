"""Neighbours and points of areas: as brute force finds them, symmetric, whatever the order."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import shapely

from epi import geography
from epi.errors import GeographyError, ParameterError
from epi.geography.contours import commune_cells, mosaic
from epi.geography.neighbours import _commune_pairs, border_pairs


def pairs_of(weights) -> set[tuple[str, str]]:
    labels = weights.labels.to_numpy()
    return {tuple(sorted(pair)) for pair in labels[weights.pairs].tolist()}


def touching(shapes: pd.Series, rule: str) -> set[tuple[str, str]]:
    """Intersect every pair of polygons."""
    areas = shapes.to_numpy(dtype=object)
    one, two = shapely.STRtree(areas).query(areas, predicate="intersects")
    one, two = one[one < two], two[one < two]
    if rule == "rook":
        border = shapely.length(shapely.intersection(areas[one], areas[two])) > 0
        one, two = one[border], two[border]
    names = shapes.index.to_numpy()
    return {tuple(sorted(pair)) for pair in zip(names[one], names[two], strict=True)}


@pytest.mark.parametrize("rule", ["queen", "rook"])
def test_communes_that_share_a_border_are_those_whose_polygons_meet(rule):
    cells = commune_cells()
    for departement in ("38", "973"):
        part = cells.loc[cells["departement"] == departement, "shape"]
        assert pairs_of(geography.neighbours(list(part.index), rule=rule)) == touching(part, rule)


@pytest.mark.parametrize("rule", ["queen", "rook"])
@pytest.mark.parametrize("level", ["departement", "arrondissement", "catchment_area"])
def test_areas_that_share_a_border_are_those_whose_polygons_meet(level, rule):
    weights = geography.neighbours(level, rule=rule)
    shapes = mosaic(level, "metropolitan", 0.0)["areas"]
    shapes = shapes[shapes.index != "000"]
    mainland = geography.neighbours(list(shapes.index), level=level, rule=rule)
    assert pairs_of(mainland) == touching(shapes, rule)
    assert pairs_of(mainland) <= pairs_of(weights)


def test_borders_that_an_epidemiologist_knows():
    departements = geography.neighbours("departement")
    pairs = pairs_of(departements)
    assert {("01", "38"), ("2A", "2B"), ("75", "92")} <= pairs
    assert ("06", "2B") not in pairs
    assert ("971", "972") not in pairs
    assert departements.islands.tolist() == ["971", "972", "973", "974", "976"]
    assert departements.components.max() + 1 == 7
    # The Loire's mouth: a ferry and a bridge, and a border in the water.
    assert ("44", "85") in pairs
    islands = geography.neighbours("commune").islands
    assert {"85113", "29155", "56069", "97110"} <= set(islands)  # Yeu, Ouessant, Groix, La Désirade


def test_a_point_in_common_is_queen_not_rook():
    queen, rook = (pairs_of(geography.neighbours("commune", rule=rule)) for rule in ("queen", "rook"))
    assert rook < queen
    assert len(queen) - len(rook) < 0.02 * len(queen)


@pytest.mark.parametrize("level", geography.LEVELS)
def test_every_area_is_there_and_weights_are_mutual(level):
    table = geography.territory(level)
    codes = table.loc[~table["outside"], "code"].tolist()
    for options in ({}, {"how": "k_nearest", "k": 4}, {"how": "distance", "radius_m": 15_000}):
        weights = geography.neighbours(level, **options)
        assert weights.labels.tolist() == codes
        assert weights.is_symmetric
        assert (weights.matrix.data == 1).all()
    assert geography.neighbours(level, "k_nearest", k=4).degrees.min() >= 4


def test_the_order_of_codes_changes_nothing_but_the_order():
    codes = geography.read_communes().query("departement == '73'")["insee_code"].tolist()
    for options in ({}, {"how": "k_nearest", "k": 3}, {"how": "distance", "radius_m": 9_000.0}):
        forward = geography.neighbours(codes, **options)
        backward = geography.neighbours(codes[::-1], **options)
        assert backward.labels.tolist() == codes[::-1]
        assert pairs_of(forward) == pairs_of(backward)


def test_nearest_and_distance_agree_with_brute_force():
    codes = geography.area_points("departement")["area"].tolist()
    points = geography.area_points("departement").set_index("area")
    n = len(points)
    metres = geography.distance_m(
        np.repeat(points["lon"], n), np.repeat(points["lat"], n), np.tile(points["lon"], n), np.tile(points["lat"], n)
    ).reshape(n, n)
    np.fill_diagonal(metres, np.inf)
    own = geography.neighbours(codes, "k_nearest", level="departement", k=3, mutual=False)
    expected = np.zeros((n, n))
    np.put_along_axis(expected, np.argsort(metres, axis=1)[:, :3], 1, axis=1)
    assert np.array_equal(own.matrix.toarray(), expected)
    assert not own.is_symmetric
    either = geography.neighbours("departement", "k_nearest", k=3)
    assert np.array_equal(either.matrix.toarray(), np.maximum(expected, expected.T))
    near = geography.neighbours("departement", "distance", radius_m=100_000)
    assert np.array_equal(near.matrix.toarray(), metres <= 100_000)


def test_arrondissements_go_by_their_points_and_have_no_border():
    paris = geography.arrondissements_of("75056")
    weights = geography.neighbours([*paris, "92012"], "k_nearest", k=3)
    assert ("75101", "75102") in pairs_of(weights)
    with pytest.raises(GeographyError, match="20 codes are municipal arrondissements, which have no contour"):
        geography.neighbours(paris)
    with pytest.raises(GeographyError, match="1 cities are there with arrondissements of theirs"):
        geography.neighbours(["75101", "75056"], "k_nearest", k=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: geography.neighbours("canton"), "level 'canton'"),
        (lambda: geography.neighbours("region", "touching"), "how is 'touching'"),
        (lambda: geography.neighbours("region", rule="bishop"), "rule is 'bishop'"),
        (lambda: geography.neighbours("region", "k_nearest"), "k is missing"),
        (lambda: geography.neighbours("region", "k_nearest", k=2.0), "a whole number"),
        (lambda: geography.neighbours("region", "k_nearest", k=18), "k is 18 for 18 areas"),
        (lambda: geography.neighbours("region", "distance"), "radius_m is missing"),
        (lambda: geography.neighbours("region", "distance", radius_m=0.1), "radius_m is 0.1"),
        (lambda: geography.neighbours("region", k=3, radius_m=5.0), "k belongs to how='k_nearest'"),
        (lambda: geography.neighbours("region", level="region"), "level is given twice"),
        (lambda: geography.neighbours("region", "k_nearest", k=2, weighted="people"), "weighted is 'people'"),
    ],
)
def test_wrong_options(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_wrong_codes_are_counted_not_shown():
    with pytest.raises(GeographyError) as caught:
        geography.neighbours(["38185", "38185", "01003"])
    assert "1 codes are given twice" in str(caught.value)
    assert "1 codes are no area of the level 'commune'" in str(caught.value)
    assert "01003" not in str(caught.value)


def test_first_calls_are_quick():
    for function in (_commune_pairs, border_pairs, commune_cells):
        function.cache_clear()
    started = time.process_time()
    geography.neighbours("commune")
    assert time.process_time() - started < 3


def test_points_of_areas():
    points = geography.area_points("departement").set_index("area")
    land = geography.area_points("departement", weighted=None).set_index("area")
    communes = geography.read_communes()
    part = communes[communes["departement"] == "38"]
    expected = np.average(part["x_m"], weights=part["population"])
    assert points.loc["38", "x_m"] == pytest.approx(expected, abs=1e-6)
    assert points["persons"].sum() == 68_350_798
    assert land["persons"].equals(points["persons"])
    # Who lives in the Rhône lives around Lyon; the land is centred to the west.
    there = geography.distance_m(*points.loc[["69"], ["lon", "lat"]].to_numpy().T, [4.835], [45.758])[0]
    away = geography.distance_m(*land.loc[["69"], ["lon", "lat"]].to_numpy().T, [4.835], [45.758])[0]
    assert there < 10_000 < away
    middle = shapely.centroid(mosaic("departement", "metropolitan", 0.0)["areas"]["38"])
    assert np.hypot(middle.x - land.loc["38", "x_m"], middle.y - land.loc["38", "y_m"]) < 20
    back = geography.to_metres(points["lon"], points["lat"])
    assert np.abs(back[["x_m", "y_m"]].to_numpy() - points[["x_m", "y_m"]].to_numpy()).max() < 1e-4
    assert back["epsg"].tolist() == points["epsg"].tolist()


def test_points_of_cities_villages_without_people_and_arrondissements():
    points = geography.area_points("commune").set_index("area")
    table = geography.read_communes(arrondissements=True).set_index("insee_code")
    assert len(points) == 34_875
    assert points.notna().all().all()
    # Destroyed in 1916, without an inhabitant: the middle of the land.
    assert points.loc["55189", "persons"] == 0
    assert points.loc["55189", "x_m"] == table.loc["55189", "x_m"]
    marseille = table[table["parent_code"] == "13055"]
    assert points.loc["13055", "y_m"] == pytest.approx(np.average(marseille["y_m"], weights=marseille["population"]))
    assert points.loc["13055", "persons"] == table.loc["13055", "population"]
    inner = geography.area_points("commune", arrondissements=True)
    assert len(inner) == 34_920
    assert inner["area"].is_monotonic_increasing
    with pytest.raises(ParameterError, match="arrondissements are asked at the level 'region'"):
        geography.area_points("region", arrondissements=True)
    assert "000" not in set(geography.area_points("catchment_area")["area"])
    assert geography.area_points("urban_unit")["area"].str.endswith("000").sum() == 0
