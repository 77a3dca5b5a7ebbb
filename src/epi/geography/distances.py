"""Distances in metres, pair by pair: geodesic between degrees, Pythagoras in a local projection."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import GeographyError
from epi.geography import store
from epi.geography.areas import commune_rows
from epi.geography.codes import Codes
from epi.geography.coordinates import check_degrees, check_metres, check_projected

if TYPE_CHECKING:
    import pyproj
    from numpy.typing import ArrayLike


@cache
def _earth() -> pyproj.Geod:
    import pyproj

    return pyproj.Geod(ellps="WGS84")


def distance_m(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> np.ndarray:
    """Measure the geodesic between points, pair by pair.

    Parameters
    ----------
    lon1, lat1, lon2, lat2 : array-like
        Degrees WGS84; one side may be a single point.

    Returns
    -------
    numpy.ndarray
        Metres on the ellipsoid, NaN where a point is missing.

    Raises
    ------
    GeographyError
        If coordinates are not degrees, are swapped, or the numbers of points differ.

    Examples
    --------
    >>> distance_m(2.3522, 48.8566, 5.3698, 43.2965).round(-3).tolist()  # Paris to Marseille
    [660000.0]
    """
    x1, y1 = check_degrees(lon1, lat1, what="first points")
    x2, y2 = check_degrees(lon2, lat2, what="second points")
    if len(x1) != len(x2) and 1 not in {len(x1), len(x2)}:
        raise GeographyError(
            f"{len(x1):,} first points and {len(x2):,} second points", "as many of each, or a single one"
        )
    return geodesic_m(*np.broadcast_arrays(x1, y1, x2, y2))


def geodesic_m(x1: np.ndarray, y1: np.ndarray, x2: np.ndarray, y2: np.ndarray) -> np.ndarray:
    """Measure the geodesic between points that were checked.

    Parameters
    ----------
    x1, y1, x2, y2 : numpy.ndarray
        Degrees WGS84, of one shape.

    Returns
    -------
    numpy.ndarray
        Metres, NaN where a point is missing.

    Examples
    --------
    >>> geodesic_m(*(np.array([at]) for at in (2.0, 46.0, 2.0, 46.5))).round().tolist()
    [55578.0]
    """
    known = ~(np.isnan(x1) | np.isnan(x2))
    out = np.full(x1.shape, np.nan)
    out[known] = _earth().inv(x1[known], y1[known], x2[known], y2[known])[2]
    return out


def planar_distance_m(
    x1: ArrayLike, y1: ArrayLike, x2: ArrayLike, y2: ArrayLike, *, epsg1: ArrayLike, epsg2: ArrayLike
) -> np.ndarray:
    """Measure straight lines in a local projection, pair by pair.

    Lambert-93 is true to three parts in a thousand, the overseas projections to one and a half.

    Parameters
    ----------
    x1, y1, x2, y2 : array-like
        Metres.
    epsg1, epsg2 : array-like
        Projection of the first and of the second points; a single one may stand for all.

    Returns
    -------
    numpy.ndarray
        Metres, NaN where a point is missing.

    Raises
    ------
    GeographyError
        If coordinates are degrees, or two points of a pair are in different projections.

    Examples
    --------
    >>> planar_distance_m([848615], [6563424], [848615], [6564424], epsg1=2154, epsg2=2154).tolist()
    [1000.0]
    """
    a, b = check_metres(x1, y1, what="first points")
    c, d = check_metres(x2, y2, what="second points")
    try:
        a, b, c, d, first, second = np.broadcast_arrays(a, b, c, d, np.asarray(epsg1), np.asarray(epsg2))
    except ValueError as error:
        raise GeographyError(f"{len(a):,} first points and {len(c):,} second points", "as many of each") from error
    for x, y, epsg, what in ((a, b, first, "first points"), (c, d, second, "second points")):
        for code in np.unique(epsg):
            check_projected(x[epsg == code], y[epsg == code], int(code), what=what)
    apart = (first != second) & ~(np.isnan(a) | np.isnan(c))
    if apart.any():
        raise GeographyError(
            f"{int(apart.sum()):,} of {len(a):,} pairs are in two projections",
            "both points of a pair in the same one",
            "geography.distance_m(lon1, lat1, lon2, lat2) measures across territories",
        )
    return np.hypot(a - c, b - d)


def commune_distance_m(first: Codes, second: Codes) -> np.ndarray:
    """Measure the geodesic between the centroids of communes, pair by pair.

    Parameters
    ----------
    first, second : sequence of str
        Current INSEE codes (municipal arrondissements have their own point); missing codes are allowed.

    Returns
    -------
    numpy.ndarray
        Metres, NaN where a code is missing.

    Raises
    ------
    GeographyError
        If a code is not a current one or the numbers of codes differ.

    Examples
    --------
    >>> commune_distance_m(["38185", None], ["69123", "38185"]).round(-3).tolist()
    [94000.0, nan]
    """
    points = np.append(store.communes()[["lon", "lat"]].to_numpy(), [[np.nan, np.nan]], axis=0)
    one, two = points[commune_rows(first)[1]], points[commune_rows(second)[1]]
    if len(one) != len(two):
        raise GeographyError(f"{len(one):,} first codes and {len(two):,} second codes", "as many of each")
    return geodesic_m(one[:, 0], one[:, 1], two[:, 0], two[:, 1])
