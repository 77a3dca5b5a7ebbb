"""Sites around points: the nearest ones, and how many within some radii.

Searches go through straight lines in three dimensions: a chord c under the ground spans
s = 2 R asin(c / 2R). Up to 500 km the choice of R moves s by less than one part in 100,000; beyond,
the geodesic itself is computed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError
from epi.geography.coordinates import read_points
from epi.geography.distances import geodesic_m

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

_RADIUS_M = 6_371_009.0
_SEMI_MAJOR_M, _FLATTENING = 6_378_137.0, 1 / 298.257223563
_NEAR_M = 500_000.0
_NEAR_CHORD_M = 499_000.0
# Two chords further apart than this are distances further apart than a millimetre.
_ALIKE_M = 0.002


def _vectors(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Place points of the ellipsoid in three dimensions, in metres from the Earth's centre."""
    across, up = np.radians(lon), np.radians(lat)
    squared = _FLATTENING * (2 - _FLATTENING)
    height = np.sin(up)
    normal = _SEMI_MAJOR_M / np.sqrt(1 - squared * height * height)
    level = normal * np.cos(up)
    where = np.empty((len(across), 3))
    np.multiply(level, np.cos(across), out=where[:, 0])
    np.multiply(level, np.sin(across), out=where[:, 1])
    np.multiply(normal * (1 - squared), height, out=where[:, 2])
    return where


def _tree(where: np.ndarray) -> cKDTree:
    from scipy.spatial import cKDTree

    return cKDTree(where, leafsize=32, balanced_tree=False)


def _workers() -> int:
    """Give the threads of a search: those that the environment allows, else all cores. Results do not depend on it."""
    return int(os.environ.get("EPI_THREADS") or -1)


def _by_neighbourhood(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Give the positions of known points, those of one neighbourhood together: a search finds its tree warm."""
    known = np.flatnonzero(~np.isnan(lon))
    if not len(known):
        return known
    key = np.zeros(len(known), dtype="uint16")
    for axis, values in enumerate((lon[known], lat[known])):
        low = values.min()
        cell = ((values - low) * (255 / max(values.max() - low, 1e-9))).astype("uint16")
        # A zero between its bits, so that those of the other axis find their place.
        for shift, mask in ((4, 0x0F0F), (2, 0x3333), (1, 0x5555)):
            cell = (cell | (cell << shift)) & mask
        key |= cell << axis
    return known[np.argsort(key, kind="stable")]


def _places(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give each site the number of its place, and each place its first site."""
    # Mixed into one number by an odd factor; two places that met there would be seen just below.
    mixed = lon.view("int64") * np.int64(0x9E3779B97F4A7C1) + lat.view("int64")
    group, _ = pd.factorize(mixed)
    first = np.full(group.max(initial=-1) + 1, -1)
    first[group[::-1]] = np.arange(len(group))[::-1]
    if not (np.array_equal(lon[first][group], lon) and np.array_equal(lat[first][group], lat)):
        keys = pd.MultiIndex.from_arrays([lon, lat])
        group, _ = pd.factorize(keys)
        first = np.full(group.max() + 1, -1)
        first[group[::-1]] = np.arange(len(group))[::-1]
    return group, first


def _nearest_places(
    tree: cKDTree, lon: np.ndarray, lat: np.ndarray, site_lon: np.ndarray, site_lat: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the `k` nearest of distinct places; at distances equal to the millimetre, the first of the list."""
    where = _vectors(lon, lat)
    # One more than asked shows whether the last is alone at its distance.
    wide = min(k + 1, len(site_lon))
    chord, near = tree.query(where, k=np.arange(1, wide + 1), workers=_workers())
    place, away = near[:, :k], _arcs(chord[:, :k])
    doubtful = np.zeros(len(lon), dtype=bool)
    for step in range(wide - 1):
        doubtful |= chord[:, step + 1] - chord[:, step] < _ALIKE_M
    # Far away, the order of chords may differ from that of geodesics by a hair: look two further.
    doubtful |= chord[:, -1] > _NEAR_CHORD_M
    left, wide = np.flatnonzero(doubtful), min(k + 3, len(site_lon))
    while len(left):
        chord, near = tree.query(where[left], k=np.arange(1, wide + 1), workers=_workers())
        distance = _arcs(chord)
        far, rank = np.nonzero(distance > _NEAR_M)
        to = near[far, rank]
        distance[far, rank] = geodesic_m(lon[left][far], lat[left][far], site_lon[to], site_lat[to])
        rounded = np.round(distance, 3)
        order = np.lexsort((near, rounded), axis=-1)
        near, distance, rounded = (np.take_along_axis(values, order, axis=1) for values in (near, distance, rounded))
        place[left], away[left] = near[:, :k], distance[:, :k]
        # Where the last one found is as near as the last one kept, others may be as near: look further.
        left = left[rounded[:, -1] == rounded[:, k - 1]] if wide < len(site_lon) else left[:0]
        wide = min(2 * wide, len(site_lon))
    return place, away


def _arcs(chord: np.ndarray) -> np.ndarray:
    """Turn chords into distances along the ground."""
    half = np.minimum(chord * (0.5 / _RADIUS_M), 1)
    return np.arcsin(half, out=half) * (2 * _RADIUS_M)


def _sites_at(place: np.ndarray, away: np.ndarray, group: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the `k` first sites of each point, going through its places in order and the sites of each place."""
    order = np.argsort(group, kind="stable")
    number = np.bincount(group)
    begin = np.cumsum(number) - number
    ends = np.cumsum(number[place], axis=1)
    found = np.zeros((len(place), k), dtype=int)
    metres = np.zeros((len(place), k))
    rows = np.arange(len(place))
    for rank in range(k):
        step = (ends <= rank).sum(axis=1)
        here = place[rows, step]
        found[:, rank] = order[begin[here] + rank - (ends[rows, step] - number[here])]
        metres[:, rank] = away[rows, step]
    # Where places are as near as each other to the millimetre, sites go by their own order.
    rounded = np.round(away, 3)
    for row in np.flatnonzero(~(np.diff(rounded, axis=1) > 0).all(axis=1)):
        sites = [order[begin[here] : begin[here] + number[here]][:k] for here in place[row]]
        at = np.repeat(np.arange(place.shape[1]), [len(some) for some in sites])
        several = np.concatenate(sites)
        taken = np.lexsort((several, rounded[row][at]))[:k]
        found[row], metres[row] = several[taken], away[row][at[taken]]
    return found, metres


def nearest(points: pd.DataFrame, sites: pd.DataFrame, k: int = 1) -> pd.DataFrame:
    """Find the nearest sites of each point, over any distance and across territories.

    Parameters
    ----------
    points : pandas.DataFrame or geopandas.GeoDataFrame
        Columns lon and lat in degrees, or points in any projection that is stated; see
        :func:`~epi.geography.read_points`. A missing coordinate gives missing results.
    sites : pandas.DataFrame or geopandas.GeoDataFrame
        The same, none missing.
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
    lon, lat = read_points(points, what="points")
    site_lon, site_lat = read_points(sites, what="sites")
    _complete(site_lon)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= len(site_lon):
        raise ParameterError(f"k is {k!r}", f"a whole number from 1 to {len(site_lon)}, the number of sites")
    known = _by_neighbourhood(lon, lat)
    group, first = _places(site_lon, site_lat)
    tree = _tree(_vectors(site_lon[first], site_lat[first]))
    asked = min(int(k), len(first))
    place, away = _nearest_places(tree, lon[known], lat[known], site_lon[first], site_lat[first], asked)
    found = np.full((len(lon), k), -1)
    metres = np.full((len(lon), k), np.nan)
    if len(first) == len(site_lon):
        found[known], metres[known] = place, away
    else:
        found[known], metres[known] = _sites_at(place, away, group, int(k))
    if len(known) == len(lon):
        labels = sites.index.to_numpy()[found.ravel()]
    else:
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
    points : pandas.DataFrame or geopandas.GeoDataFrame
        Columns lon and lat in degrees, or points in any projection that is stated; see
        :func:`~epi.geography.read_points`. A missing coordinate gives a missing count, not zero.
    sites : pandas.DataFrame or geopandas.GeoDataFrame
        The same, none missing; there may be no site at all.
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
    lon, lat = read_points(points, what="points")
    site_lon, site_lat = read_points(sites, what="sites")
    _complete(site_lon)
    wrong = [radius for radius in radii_m if not 1 <= radius <= _NEAR_M]
    if wrong or not radii_m:
        raise GeographyError(
            f"{len(wrong)} of {len(radii_m)} radii are not between 1 m and 500 km",
            "radii in metres, such as [1000, 5000]",
            "a radius of 5 km is 5000; degrees are not distances",
        )
    known = _by_neighbourhood(lon, lat)
    where = _vectors(lon[known], lat[known])
    tree = _tree(_vectors(site_lon, site_lat).reshape(-1, 3))
    columns: dict[str, Any] = {}
    for radius in radii_m:
        counts = np.zeros(len(lon), dtype="int64")
        chord = _chord(radius)
        if len(site_lon) and len(known):
            counts[known] = tree.query_ball_point(where, chord, return_length=True, workers=_workers())
        columns[f"within_{radius:g}_m"] = pd.Series(counts, index=points.index, dtype="Int64").mask(np.isnan(lon))
    return pd.DataFrame(columns, index=points.index)


def pairs_among(points: pd.DataFrame, radius_m: float) -> tuple[np.ndarray, np.ndarray]:
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
    >>> [side.tolist() for side in pairs_among(towns, 50_000)]
    [[0], [1]]
    """
    from scipy.spatial import cKDTree

    where = _vectors(*read_points(points, what="points"))
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

    lon, lat = read_points(points, what="points")
    site_lon, site_lat = read_points(sites, what="sites")
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
