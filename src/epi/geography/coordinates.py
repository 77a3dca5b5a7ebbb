"""Points on the ground: degrees told from metres, longitude from latitude, before anything is measured."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import GeographyError

if TYPE_CHECKING:
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
        If coordinates are not metres.

    Examples
    --------
    >>> to_degrees([848615], [6563424], 2154).round(3).values.tolist()
    [[4.926, 46.154]]
    """
    east, north = check_metres(x, y)
    out = np.full((2, len(east)), np.nan)
    rows = ~np.isnan(east)
    out[:, rows] = transformer(int(epsg), 4326).transform(east[rows], north[rows])
    return pd.DataFrame({"lon": out[0], "lat": out[1]})
