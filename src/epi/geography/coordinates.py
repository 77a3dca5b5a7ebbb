"""Points on the ground: degrees told from metres, longitude from latitude, before anything is measured."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError

if TYPE_CHECKING:
    import geopandas
    import pyproj
    from numpy.typing import ArrayLike

# Generous boxes of where the French live: west, south, east, north, and the legal projection.
BOXES: dict[str, tuple[float, float, float, float, int]] = {
    "metropolitan": (-5.6, 41.2, 10.0, 51.3, 2154),
    "guadeloupe_martinique": (-62.0, 14.2, -60.7, 16.7, 5490),
    "guyane": (-54.8, 2.0, -51.4, 6.0, 2972),
    "la_reunion": (55.0, -21.6, 56.1, -20.7, 2975),
    "mayotte": (44.8, -13.2, 45.5, -12.4, 4471),
}


@cache
def transformer(source: int, target: int) -> pyproj.Transformer:
    """Give the transformation between two systems, made once.

    Parameters
    ----------
    source, target : int
        EPSG codes; 4326 is WGS84 in degrees, longitude first.

    Returns
    -------
    pyproj.Transformer
        The transformation, x before y.
    """
    import pyproj

    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def territory_epsg(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Give the legal projection of the territory in whose box each point lies.

    Parameters
    ----------
    lon, lat : numpy.ndarray
        Degrees WGS84.

    Returns
    -------
    numpy.ndarray
        EPSG codes; 0 outside every French box.

    Examples
    --------
    >>> territory_epsg(np.array([5.7, 55.5, 0.0]), np.array([45.2, -21.0, 0.0])).tolist()
    [2154, 2975, 0]
    """
    epsg = np.zeros(np.shape(lon), dtype=int)
    for west, south, east, north, code in BOXES.values():
        epsg[(lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)] = code
    return epsg


def check_degrees(lon: ArrayLike, lat: ArrayLike, *, what: str = "points") -> tuple[np.ndarray, np.ndarray]:
    """Make sure that points are longitudes and latitudes in degrees, in this order.

    Parameters
    ----------
    lon, lat : array-like
        Degrees WGS84. A missing coordinate makes a missing point.
    what : str, optional
        What the points are, for the message.

    Returns
    -------
    tuple of numpy.ndarray
        Both as floats of one dimension, NaN where either is missing.

    Raises
    ------
    GeographyError
        If lengths differ, a value is no number, is out of bounds, looks like metres, or longitude and
        latitude look swapped; all faults at once.

    Examples
    --------
    >>> check_degrees([45.19], [5.72])
    Traceback (most recent call last):
    ...
    epi.errors.GeographyError: points: coordinates are not what they should be. ...
    """
    x, y = _numbers(lon, "lon", what), _numbers(lat, "lat", what)
    if len(x) != len(y):
        raise GeographyError(f"{what}: {len(x):,} longitudes and {len(y):,} latitudes", "as many of each")
    missing = np.isnan(x) | np.isnan(y)
    with np.errstate(invalid="ignore"):
        metres = (np.abs(x) > 360) | (np.abs(y) > 360)
        outside = ~metres & ((np.abs(x) > 180) | (np.abs(y) > 90))
        swapped = ~metres & (territory_epsg(x, y) == 0) & (territory_epsg(y, x) > 0)
    _report(
        what,
        {
            "above 360: these are metres of a projection, not degrees": metres,
            "latitude before longitude: they look swapped": swapped,
            "out of bounds (longitude -180 to 180, latitude -90 to 90)": outside & ~swapped,
        },
        "longitude then latitude, in degrees WGS84",
        "swap the columns, or turn metres into degrees with geography.to_degrees(x, y, epsg)",
    )
    return np.where(missing, np.nan, x), np.where(missing, np.nan, y)


def check_metres(x: ArrayLike, y: ArrayLike, *, what: str = "points") -> tuple[np.ndarray, np.ndarray]:
    """Make sure that points are in metres of a projection.

    Parameters
    ----------
    x, y : array-like
        Metres east and north. A missing coordinate makes a missing point.
    what : str, optional
        What the points are, for the message.

    Returns
    -------
    tuple of numpy.ndarray
        Both as floats of one dimension, NaN where either is missing.

    Raises
    ------
    GeographyError
        If lengths differ, a value is no number, or the points are degrees: in every legal projection of
        France a place is further than 360 m from the origin.

    Examples
    --------
    >>> check_metres([5.72], [45.19])
    Traceback (most recent call last):
    ...
    epi.errors.GeographyError: points: coordinates are not what they should be. ...
    """
    east, north = _numbers(x, "x", what), _numbers(y, "y", what)
    if len(east) != len(north):
        raise GeographyError(f"{what}: {len(east):,} x and {len(north):,} y", "as many of each")
    missing = np.isnan(east) | np.isnan(north)
    with np.errstate(invalid="ignore"):
        degrees = (np.abs(east) <= 360) & (np.abs(north) <= 360)
        far = (np.abs(east) > 2e7) | (np.abs(north) > 2e7)
    _report(
        what,
        {
            "within 360 of the origin: these are degrees, not metres": degrees,
            "above 20,000 km: no projection has them": far,
        },
        "metres of a legal projection of France",
        "geography.to_metres(lon, lat) projects degrees; geography.distance_m measures them as they are",
    )
    return np.where(missing, np.nan, east), np.where(missing, np.nan, north)


def check_projected(x: ArrayLike, y: ArrayLike, epsg: int, *, what: str = "points") -> tuple[np.ndarray, np.ndarray]:
    """Make sure that points are in metres of the projection they are said to be in.

    Parameters
    ----------
    x, y : array-like
        Metres east and north.
    epsg : int
        The projection's EPSG code.
    what : str, optional
        What the points are, for the message.

    Returns
    -------
    tuple of numpy.ndarray
        Both as floats of one dimension, NaN where either is missing.

    Raises
    ------
    GeographyError
        If they are degrees, or lie a degree and more outside the region that the projection is made for:
        they are then swapped, or of another projection.

    Examples
    --------
    >>> check_projected([6563424], [848615], 2154)  # north before east
    Traceback (most recent call last):
    ...
    epi.errors.GeographyError: points: coordinates are not what they should be. ...
    """
    east, north = check_metres(x, y, what=what)
    _degrees_within(east, north, epsg, what)
    return east, north


def _degrees_within(east: np.ndarray, north: np.ndarray, epsg: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Turn metres into degrees, unless they are outside the region of the projection."""
    lon, lat = np.full((2, len(east)), np.nan)
    rows = ~np.isnan(east)
    change = transformer(int(epsg), 4326)
    lon[rows], lat[rows] = change.transform(east[rows], north[rows])
    region = change.source_crs.area_of_use if change.source_crs is not None else None
    if region is None or not rows.any():
        return lon, lat

    def outside(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
        inside = (lon >= region.west - 1) & (lon <= region.east + 1)
        return rows & ~(inside & (lat >= region.south - 1) & (lat <= region.north + 1))

    wrong = outside(lon, lat)
    if wrong.any():
        other = np.full((2, len(east)), np.nan)
        other[:, rows] = change.transform(north[rows], east[rows])
        swapped = wrong & ~outside(other[0], other[1])
        _report(
            what,
            {
                "north before east: they look swapped": swapped,
                f"outside the region of EPSG {epsg}: another projection": wrong & ~swapped,
            },
            f"metres east and north in EPSG {epsg} ({region.name})",
            "say the projection that they are in",
        )
    return lon, lat


def read_points(frame: Any, *, what: str = "points") -> tuple[np.ndarray, np.ndarray]:
    """Read points from a table in degrees or from geometries in any projection.

    Parameters
    ----------
    frame : pandas.DataFrame or geopandas.GeoDataFrame
        Columns lon and lat in degrees WGS84; or geometries that are points, in a coordinate reference system that
        is stated. Empty and missing geometries are missing points.
    what : str, optional
        What the points are, for the message.

    Returns
    -------
    tuple of numpy.ndarray
        Longitude and latitude in degrees WGS84, NaN where missing.

    Raises
    ------
    ParameterError
        If there is neither.
    GeographyError
        If the reference system is not stated, geometries are no points, or coordinates are not in it.

    Examples
    --------
    >>> import geopandas
    >>> lambert = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy([848615], [6563424]), crs=2154)
    >>> [axis.round(3).tolist() for axis in read_points(lambert)]
    [[4.926], [46.154]]
    """
    if hasattr(frame, "geometry") and hasattr(frame, "to_crs"):
        return _read_geometries(frame, what)
    if not isinstance(frame, pd.DataFrame) or not {"lon", "lat"} <= set(frame.columns):
        raise ParameterError(
            f"{what} have no columns lon and lat",
            "a frame with lon and lat in degrees WGS84, or a GeoDataFrame of points with its crs",
        )
    return check_degrees(frame["lon"], frame["lat"], what=what)


def _read_geometries(frame: geopandas.GeoDataFrame, what: str) -> tuple[np.ndarray, np.ndarray]:
    import shapely

    if frame.crs is None:
        raise GeographyError(
            f"{what}: the coordinate reference system is not stated",
            "geometries with a crs",
            "frame.set_crs(2154) if they are in Lambert-93, frame.set_crs(4326) if in degrees",
        )
    shapes = frame.geometry.to_numpy()
    known = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    other = known & (shapely.get_type_id(shapes) != 0)
    if other.any():
        raise GeographyError(
            f"{what}: {int(other.sum()):,} of {len(shapes):,} geometries are no points",
            "one point for each row",
            "take frame.geometry.representative_point() or a centroid, and say so",
        )
    x, y = _axes(shapes, known)
    epsg = frame.crs.to_epsg()
    if frame.crs.is_geographic:
        lon, lat = check_degrees(x, y, what=what)
        if epsg == 4326 or not len(lon):
            return lon, lat
        return _axes(frame.geometry.to_crs(4326).to_numpy(), known)
    if epsg is None:
        raise GeographyError(
            f"{what}: the projection has no EPSG code", "a projection of the EPSG register", "frame.to_crs(4326)"
        )
    east, north = check_metres(x, y, what=what)
    return _degrees_within(east, north, epsg, what)


def _axes(shapes: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import shapely

    x, y = np.full((2, len(shapes)), np.nan)
    x[known], y[known] = shapely.get_x(shapes[known]), shapely.get_y(shapes[known])
    return x, y


def _numbers(values: Any, name: str, what: str) -> np.ndarray:
    kept = values if isinstance(values, pd.Series) else pd.Series(np.atleast_1d(np.asarray(values)))
    if pd.api.types.is_bool_dtype(kept) or not (
        pd.api.types.is_numeric_dtype(kept) or pd.to_numeric(kept, errors="coerce").notna().sum() == kept.notna().sum()
    ):
        raise GeographyError(
            f"{what}: {name} holds values that are not numbers", "decimal degrees or metres", "decimal points"
        )
    numbers = pd.to_numeric(kept).to_numpy(dtype="float64", na_value=np.nan)
    if np.isinf(numbers).any():
        raise GeographyError(f"{what}: {name} holds {int(np.isinf(numbers).sum()):,} infinite values", "numbers")
    return numbers


def _report(what: str, faults: dict[str, np.ndarray], expected: str, do: str) -> None:
    lines = [f"{int(rows.sum()):,} of {len(rows):,} {fault}" for fault, rows in faults.items() if rows.any()]
    if lines:
        raise GeographyError(f"{what}: coordinates are not what they should be", expected, do, faults=lines)


def to_metres(lon: ArrayLike, lat: ArrayLike) -> pd.DataFrame:
    """Project points, each in the legal projection of its territory.

    Parameters
    ----------
    lon, lat : array-like
        Degrees WGS84.

    Returns
    -------
    pandas.DataFrame
        x_m, y_m and epsg (0, and missing coordinates, where the point is missing), one row for each point.

    Raises
    ------
    GeographyError
        If coordinates are not degrees or a point lies outside France.

    Examples
    --------
    >>> to_metres([4.92585], [46.15432]).round().values.tolist()
    [[848615.0, 6563424.0, 2154.0]]
    """
    x, y = check_degrees(lon, lat)
    epsg = territory_epsg(x, y)
    abroad = (epsg == 0) & ~np.isnan(x)
    if abroad.any():
        raise GeographyError(
            f"{int(abroad.sum()):,} of {len(x):,} points lie outside France",
            "points in metropolitan France or an overseas département",
            "geography.distance_m measures between any two points of the Earth",
        )
    out = np.full((len(x), 2), np.nan)
    for code in np.unique(epsg[epsg > 0]):
        rows = epsg == code
        out[rows] = np.column_stack(transformer(4326, int(code)).transform(x[rows], y[rows]))
    return pd.DataFrame({"x_m": out[:, 0], "y_m": out[:, 1], "epsg": epsg})


def to_degrees(x: ArrayLike, y: ArrayLike, epsg: int) -> pd.DataFrame:
    """Turn metres of a projection into degrees.

    Parameters
    ----------
    x, y : array-like
        Metres.
    epsg : int
        The projection's EPSG code, such as 2154 for Lambert-93.

    Returns
    -------
    pandas.DataFrame
        lon and lat, one row for each point.

    Raises
    ------
    GeographyError
        If coordinates are not metres, or not of this projection.

    Examples
    --------
    >>> to_degrees([848615], [6563424], 2154).round(3).values.tolist()
    [[4.926, 46.154]]
    """
    lon, lat = _degrees_within(*check_metres(x, y), epsg, "points")
    return pd.DataFrame({"lon": lon, "lat": lat})
