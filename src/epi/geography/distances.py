"""Distances in metres: geodesic between degrees, Pythagoras in a local projection, nearest sites.

Searches go through straight lines in three dimensions: a chord c under the ground spans
s = 2 R asin(c / 2R). Up to 500 km the choice of R moves s by less than one part in 100,000; beyond,
the geodesic itself is computed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.areas import commune_rows
from epi.geography.codes import Codes
from epi.geography.coordinates import check_degrees, check_metres

if TYPE_CHECKING:
    import pyproj
    from numpy.typing import ArrayLike

_RADIUS_M = 6_371_009.0
_SEMI_MAJOR_M, _FLATTENING = 6_378_137.0, 1 / 298.257223563
_NEAR_M = 500_000.0


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
    return _geodesic(*np.broadcast_arrays(x1, y1, x2, y2))


def _geodesic(x1: np.ndarray, y1: np.ndarray, x2: np.ndarray, y2: np.ndarray) -> np.ndarray:
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
    return _geodesic(one[:, 0], one[:, 1], two[:, 0], two[:, 1])


def _vectors(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Place points of the ellipsoid in three dimensions, in metres from the Earth's centre."""
    across, up = np.radians(lon), np.radians(lat)
    squared = _FLATTENING * (2 - _FLATTENING)
    normal = _SEMI_MAJOR_M / np.sqrt(1 - squared * np.sin(up) ** 2)
    return np.column_stack(
        [
            normal * np.cos(up) * np.cos(across),
            normal * np.cos(up) * np.sin(across),
            normal * (1 - squared) * np.sin(up),
        ]
    )


def _table(frame: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(frame, pd.DataFrame) or not {"lon", "lat"} <= set(frame.columns):
        raise ParameterError(f"{what} have no columns lon and lat", "a frame with lon and lat in degrees WGS84")
    return check_degrees(frame["lon"], frame["lat"], what=what)


def nearest(points: pd.DataFrame, sites: pd.DataFrame, k: int = 1) -> pd.DataFrame:
    """Find the nearest sites of each point, over any distance and across territories.

    Parameters
    ----------
    points : pandas.DataFrame
        Columns lon and lat in degrees; a missing coordinate gives missing results.
    sites : pandas.DataFrame
        Columns lon and lat in degrees, none missing.
    k : int, optional
        How many sites to give for each point; at most as many as there are sites.

    Returns
    -------
    pandas.DataFrame
        One row for each point and rank, in the points' order: point (label in the points' index), rank
        (1 = nearest), site (label in the sites' index), distance_m. At equal distances the site that comes
        first in `sites` is first.

    Raises
    ------
    GeographyError
        If coordinates are not degrees, are swapped, or a site has none.
    ParameterError
        If columns are missing or `k` is out of bounds.

    Examples
    --------
    >>> towns = pd.DataFrame({"lon": [5.72, 4.85], "lat": [45.19, 45.76]}, index=["Grenoble", "Lyon"])
    >>> nearest(pd.DataFrame({"lon": [5.91], "lat": [45.57]}), towns)["site"].tolist()
    ['Grenoble']
    """
    from scipy.spatial import cKDTree

    lon, lat = _table(points, "points")
    site_lon, site_lat = _table(sites, "sites")
    _complete(site_lon)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= len(site_lon):
        raise ParameterError(f"k is {k!r}", f"a whole number from 1 to {len(site_lon)}, the number of sites")
    known = np.flatnonzero(~np.isnan(lon))
    # Two more than asked: far away, the order of chords may differ from that of geodesics by a hair.
    wide = min(k + 2, len(site_lon))
    chord, site = cKDTree(_vectors(site_lon, site_lat)).query(
        _vectors(lon[known], lat[known]), k=np.arange(1, wide + 1)
    )
    distance = 2 * _RADIUS_M * np.arcsin(np.minimum(chord / (2 * _RADIUS_M), 1))
    far, rank = np.nonzero(distance > _NEAR_M)
    distance[far, rank] = _geodesic(
        lon[known][far], lat[known][far], site_lon[site[far, rank]], site_lat[site[far, rank]]
    )
    order = np.lexsort((site, np.round(distance, 3)), axis=-1)[:, :k]
    found = np.full((len(lon), k), -1)
    metres = np.full((len(lon), k), np.nan)
    found[known] = np.take_along_axis(site, order, axis=1)
    metres[known] = np.take_along_axis(distance, order, axis=1)
    labels = pd.Series(sites.index).reindex(found.ravel()).to_numpy()
    return pd.DataFrame(
        {
            "point": np.repeat(points.index.to_numpy(), k),
            "rank": np.tile(np.arange(1, k + 1), len(lon)),
            "site": labels,
            "distance_m": metres.ravel(),
        }
    )


def count_within(points: pd.DataFrame, sites: pd.DataFrame, radii_m: list[float]) -> pd.DataFrame:
    """Count the sites within some radii of each point.

    Parameters
    ----------
    points : pandas.DataFrame
        Columns lon and lat in degrees; a missing coordinate gives a missing count, not zero.
    sites : pandas.DataFrame
        Columns lon and lat in degrees, none missing; there may be no site at all.
    radii_m : list of float
        Radii in metres, from 1 m to 500 km. The circle itself is inside.

    Returns
    -------
    pandas.DataFrame
        With the points' index, one column ``within_<radius>_m`` of dtype Int64 for each radius.

    Raises
    ------
    GeographyError
        If coordinates are not degrees, are swapped, a site has none, or a radius is not in metres.

    Examples
    --------
    >>> towns = pd.DataFrame({"lon": [5.72, 4.85], "lat": [45.19, 45.76]})
    >>> count_within(pd.DataFrame({"lon": [5.91], "lat": [45.57]}), towns, [50_000]).values.tolist()
    [[1]]
    """
    from scipy.spatial import cKDTree

    lon, lat = _table(points, "points")
    site_lon, site_lat = _table(sites, "sites")
    _complete(site_lon)
    wrong = [radius for radius in radii_m if not 1 <= radius <= _NEAR_M]
    if wrong or not radii_m:
        raise GeographyError(
            f"{len(wrong)} of {len(radii_m)} radii are not between 1 m and 500 km",
            "radii in metres, such as [1000, 5000]",
            "a radius of 5 km is 5000; degrees are not distances",
        )
    known = np.flatnonzero(~np.isnan(lon))
    where = _vectors(lon[known], lat[known])
    tree = cKDTree(_vectors(site_lon, site_lat).reshape(-1, 3))
    columns: dict[str, Any] = {}
    for radius in radii_m:
        counts = np.zeros(len(lon), dtype="int64")
        chord = _chord(radius)
        if len(site_lon) and len(known):
            counts[known] = tree.query_ball_point(where, chord, return_length=True)
        columns[f"within_{radius:g}_m"] = pd.Series(counts, index=points.index, dtype="Int64").mask(np.isnan(lon))
    return pd.DataFrame(columns, index=points.index)


def within_pairs(points: pd.DataFrame, radius_m: float) -> tuple[np.ndarray, np.ndarray]:
    """List the pairs of points within a distance of each other.

    Parameters
    ----------
    points : pandas.DataFrame
        Columns lon and lat in degrees, none missing.
    radius_m : float
        Metres, up to 500 km, the limit included.

    Returns
    -------
    tuple of numpy.ndarray
        Positions of the two points of each pair, each pair once, in order.

    Examples
    --------
    >>> towns = pd.DataFrame({"lon": [5.72, 5.91, 2.35], "lat": [45.19, 45.57, 48.86]})
    >>> [side.tolist() for side in within_pairs(towns, 50_000)]
    [[0], [1]]
    """
    from scipy.spatial import cKDTree

    where = _vectors(*_table(points, "points"))
    pairs = cKDTree(where).query_pairs(_chord(radius_m), output_type="ndarray")
    pairs = np.sort(pairs, axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[:, 0], pairs[:, 1]


def _chord(radius_m: float) -> float:
    # A micrometre of grace: a site on the circle is inside whatever the rounding.
    return float(2 * _RADIUS_M * np.sin(radius_m / (2 * _RADIUS_M)) + 1e-6)


def pairs_within(points: pd.DataFrame, sites: pd.DataFrame, radius_m: float) -> pd.DataFrame:
    """List the sites within a radius of each point, with their distances.

    Parameters
    ----------
    points : pandas.DataFrame
        Columns lon and lat in degrees; a point without coordinates is in no pair.
    sites : pandas.DataFrame
        Columns lon and lat in degrees, none missing; there may be no site at all.
    radius_m : float
        Metres, from 1 m to 500 km. The circle itself is inside.

    Returns
    -------
    pandas.DataFrame
        One row for each pair, by point, then site: point and site (positions in the frames, from 0), distance_m.

    Raises
    ------
    GeographyError
        If coordinates are not degrees, are swapped, a site has none, or the radius is not in metres.

    Examples
    --------
    >>> towns = pd.DataFrame({"lon": [5.72, 4.85], "lat": [45.19, 45.76]})
    >>> pairs_within(pd.DataFrame({"lon": [5.91], "lat": [45.57]}), towns, 50_000)[["point", "site"]].values.tolist()
    [[0, 0]]
    """
    from scipy.spatial import cKDTree

    lon, lat = _table(points, "points")
    site_lon, site_lat = _table(sites, "sites")
    _complete(site_lon)
    if not 1 <= radius_m <= _NEAR_M:
        raise GeographyError(
            f"the radius is {radius_m!r}", "metres, from 1 m to 500 km", "a radius of 5 km is 5000; degrees are not"
        )
    known = np.flatnonzero(~np.isnan(lon))
    chord = 2 * _RADIUS_M * np.sin(radius_m / (2 * _RADIUS_M)) + 1e-6
    empty = not len(known) or not len(site_lon)
    near: Any = (
        []
        if empty
        else cKDTree(_vectors(site_lon, site_lat)).query_ball_point(
            _vectors(lon[known], lat[known]), chord, return_sorted=True
        )
    )
    sizes = np.array([len(found) for found in near], dtype=np.int64)
    point = np.repeat(known, sizes) if len(sizes) else np.zeros(0, dtype=np.int64)
    site = np.concatenate([np.asarray(found, dtype=np.int64) for found in near]) if len(point) else point
    straight = np.linalg.norm(_vectors(lon[point], lat[point]) - _vectors(site_lon[site], site_lat[site]), axis=1)
    arc = 2 * _RADIUS_M * np.arcsin(straight / (2 * _RADIUS_M))
    return pd.DataFrame({"point": point, "site": site, "distance_m": arc})


def _complete(lon: np.ndarray) -> None:
    lost = int(np.isnan(lon).sum())
    if lost:
        raise GeographyError(
            f"{lost:,} of {len(lon):,} sites have no coordinates",
            "a place for every site",
            "drop or place them first: a site that cannot be seen would make others look nearest",
        )
