"""Contours: every code has one, and borders are shared within a level and between levels."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from epi import geography
from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.contours import TERRITORIES, commune_cells, mosaic, union_by


@pytest.mark.parametrize("level", geography.LEVELS)
@pytest.mark.parametrize("tolerance", [0.0, 1200.0])
def test_every_code_has_a_valid_contour_and_borders_are_shared(level, tolerance):
    found = []
    for territory in ("metropolitan", *TERRITORIES):
        pieces = mosaic(level, territory, tolerance)
        shapes = pieces["areas"].to_numpy(dtype=object)
        assert shapely.is_valid(shapes).all()
        assert not shapely.is_empty(shapes).any()
        assert shapely.coverage_is_valid(shapes) or not len(shapes)
        found += list(pieces["areas"].index)
    assert sorted(set(found)) == geography.territory(level)["code"].tolist()


@pytest.mark.parametrize("tolerance", [0.0, 600.0])
def test_departement_borders_drawn_over_areas_follow_the_same_lines(tolerance):
    # Cut together, lightened together: arrondissements make up their département exactly.
    pieces = mosaic("arrondissement", "metropolitan", tolerance)
    inside = geography.read_communes().dropna(subset="arrondissement").drop_duplicates("arrondissement")
    inside = inside.set_index(inside["arrondissement"].astype(str))["departement"].astype(str)
    made = union_by(pieces["areas"].to_numpy(dtype=object), inside[pieces["areas"].index].to_numpy())
    assert list(made.index) == list(pieces["departements"].index)
    assert shapely.equals(made.to_numpy(dtype=object), pieces["departements"].to_numpy(dtype=object)).all()


def test_simplifying_lightens_without_losing_land():
    full, light = (mosaic("bassin_de_vie", "metropolitan", step)["areas"] for step in (0.0, 1200.0))
    counts = [shapely.get_num_coordinates(part.to_numpy(dtype=object)).sum() for part in (full, light)]
    assert counts[1] < 0.5 * counts[0]
    areas = [shapely.area(part.to_numpy(dtype=object)).sum() for part in (full, light)]
    assert areas[1] == pytest.approx(areas[0], rel=1e-3)


def test_polygons_have_the_official_areas_and_hold_their_point():
    cells = commune_cells()
    drawn = shapely.area(cells["shape"].to_numpy(dtype=object)) / 1e6
    assert drawn.sum() == pytest.approx(cells["area_km2"].sum(), rel=0.01)
    assert np.median(np.abs(drawn - cells["area_km2"])) < 0.5
    points = shapely.points(cells["x_m"], cells["y_m"])
    away = shapely.distance(points, cells["shape"].to_numpy(dtype=object))
    assert np.quantile(away, 0.99) < 200


def test_mayotte_has_land_but_no_arrondissement():
    pieces = mosaic("arrondissement", "mayotte", 0.0)
    assert pieces["areas"].empty
    assert list(pieces["none"].index) == ["976"]


def test_contours_in_degrees():
    contours = geography.read_contours("departement", within="Auvergne-Rhône-Alpes")
    assert len(contours) == 12
    assert contours.crs.to_epsg() == 4326
    assert contours.columns.tolist() == ["code", "name", "geometry"]
    assert contours["code"].is_monotonic_increasing
    west, south, east, north = contours.total_bounds
    assert 2 < west < east < 7.3
    assert 44 < south < north < 47
    france = geography.read_contours("region", tolerance_m=1200)
    assert france.total_bounds[0] == pytest.approx(-61.8, abs=0.2)
    assert len(geography.read_contours("commune", within=["972"])) == 34
    catchment = geography.read_contours("catchment_area")
    assert catchment["code"].is_unique  # "000" lies on both sides of the Atlantic
    assert catchment.set_index("code").bounds.loc["000", "minx"] < -50


def test_wrong_requests():
    with pytest.raises(ParameterError, match="level 'canton'"):
        geography.read_contours("canton")
    with pytest.raises(ParameterError, match="tolerance_m is -1"):
        geography.read_contours("region", tolerance_m=-1)
    with pytest.raises(GeographyError, match="1 of 2 codes are no département"):
        geography.read_contours("commune", within=["01", "1"])


def test_stored_polygons_are_one_for_each_commune():
    polygons = store.polygons()
    assert sorted(polygons.index) == geography.read_communes()["insee_code"].tolist()
