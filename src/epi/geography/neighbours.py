"""Which areas are neighbours: by a shared border, by rank of distance, or by distance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.communes import check_level
from epi.geography.contours import commune_cells
from epi.geography.points import area_points
from epi.geography.searches import nearest, pairs_among

if TYPE_CHECKING:
    from epi.stats.spatial import SpatialWeights

HOWS = ("contiguity", "k_nearest", "distance")
RULES = ("queen", "rook")


def neighbours(
    areas: str | Sequence[str] | pd.Index | pd.Series,
    how: str = "contiguity",
    *,
    level: str | None = None,
    rule: str = "queen",
    k: int | None = None,
    radius_m: float | None = None,
    weighted: str | None = "population",
    mutual: bool = True,
) -> SpatialWeights:
    """Tell which areas are neighbours.

    Parameters
    ----------
    areas : str or sequence of str
        A level, one of :data:`~epi.geography.LEVELS`, for all its areas in the order of their codes; or
        distinct codes of areas of `level`, in the order wanted: only neighbours among them count. Codes of
        communes may be municipal arrondissements, except for contiguity.
    how : {"contiguity", "k_nearest", "distance"}, optional
        A shared border on the contours; the `k` nearest; everyone within `radius_m`.
    level : str, optional
        The level of the codes given; "commune" by default.
    rule : {"queen", "rook"}, optional
        For contiguity: a point in common is enough, or a stretch of border is needed.
    k : int, optional
        For k_nearest: how many, from 1 to the number of areas less one. Equal distances: by code.
    radius_m : float, optional
        For distance: metres between the points, from 1 m to 500 km, the limit included.
    weighted : {"population", None}, optional
        The points of k_nearest and distance, as :func:`~epi.geography.area_points` makes them. Distances
        are geodesics.
    mutual : bool, optional
        For k_nearest: two areas are neighbours if either is among the `k` nearest of the other, which makes
        the weights symmetric. False leaves each area its own `k`.

    Returns
    -------
    epi.stats.spatial.SpatialWeights
        Weights of 1, labelled by the codes. An area that touches no other is an island and stays one:
        ``weights.islands`` lists them, ``weights.components`` the territories apart.

    Raises
    ------
    ParameterError
        If an option is unknown, missing, out of bounds or belongs to another way.
    GeographyError
        If codes are given twice or are no area of the level; or contiguity is asked of municipal
        arrondissements, which have no contour here.

    Notes
    -----
    Two contours that IGN's simplified coverage (ADMIN EXPRESS 2025) lets meet share their vertices, so
    contiguity is exact on it; every level is the union of its communes. A bridge or a ferry makes no
    border. INSEE's remainder codes ("outside every urban unit") are no area.

    Examples
    --------
    >>> weights = neighbours("region")
    >>> len(weights), weights.islands.tolist()
    (18, ['01', '02', '03', '04', '06', '94'])
    >>> neighbours(["38185", "38421", "69123"], "k_nearest", k=1).pairs.tolist()
    [[0, 1], [0, 2]]
    """
    from epi.stats.spatial import weights_from_pairs

    _check_options(how, rule, k, radius_m)
    by_level = isinstance(areas, str)
    chosen = check_level(str(areas)) if by_level else check_level(level or "commune")
    if by_level and level is not None:
        raise ParameterError("a level is given twice", "a level, or codes with their level")
    if how == "contiguity":
        codes = area_points(chosen)["area"] if by_level else pd.Series(list(areas), dtype=object)
        _check_codes(codes, area_points(chosen)["area"], chosen)
        first, second = border_pairs(chosen, rule)
        wanted = pd.Index(codes.to_numpy(dtype=object))
        kept = pd.Index(first).isin(wanted) & pd.Index(second).isin(wanted)
        return weights_from_pairs(wanted, first[kept], second[kept])
    points = area_points(chosen, weighted=weighted, arrondissements=chosen == "commune" and not by_level)
    codes = points["area"] if by_level else pd.Series(list(areas), dtype=object)
    _check_codes(codes, points["area"], chosen)
    wanted = pd.Index(codes.to_numpy(dtype=object))
    # In order of code, so that equal distances are settled the same way whatever the order asked.
    points = points[points["area"].isin(codes)].set_index("area")
    if how == "distance":
        one, two = pairs_among(points, float(radius_m or 0))
        return weights_from_pairs(wanted, points.index[one], points.index[two])
    if not 1 <= int(k or 0) < len(points):
        raise ParameterError(f"k is {k!r} for {len(points):,} areas", "from 1 to their number less one")
    found = nearest(points, points, int(k or 0) + 1)
    found = found[found["point"] != found["site"]]
    # An area at the very point of others may not be its own nearest.
    found = found[found.groupby("point", sort=False).cumcount() < int(k or 0)]
    return weights_from_pairs(wanted, found["point"].to_numpy(), found["site"].to_numpy(), mutual=mutual)


def _check_options(how: str, rule: str, k: int | None, radius_m: float | None) -> None:
    faults = []
    if how not in HOWS:
        faults.append(f"how is {how!r}: one of {', '.join(HOWS)}")
    if rule not in RULES:
        faults.append(f"rule is {rule!r}: 'queen' or 'rook'")
    for name, value, owner in (("k", k, "k_nearest"), ("radius_m", radius_m, "distance")):
        if how == owner and value is None:
            faults.append(f"{name} is missing")
        if how != owner and value is not None:
            faults.append(f"{name} belongs to how={owner!r}")
    if how == "k_nearest" and k is not None and (isinstance(k, bool) or not isinstance(k, int | np.integer)):
        faults.append(f"k is {k!r}: a whole number")
    if how == "distance" and radius_m is not None and not 1 <= radius_m <= 500_000:
        faults.append(f"radius_m is {radius_m!r}: metres, from 1 to 500,000")
    if faults:
        raise ParameterError(
            "neighbours cannot be told with these options",
            "how='contiguity', how='k_nearest' with k, or how='distance' with radius_m",
            faults=faults,
        )


def _check_codes(codes: pd.Series, known: pd.Series, level: str) -> None:
    faults = []
    if codes.duplicated().any():
        faults.append(f"{int(codes.duplicated().sum()):,} codes are given twice")
    inner = store.communes().loc[store.communes()["type"] != "commune", ["insee_code", "parent_code"]]
    lost = ~codes.isin(known)
    without_contour = lost & codes.isin(inner["insee_code"]) & (level == "commune")
    if without_contour.any():
        faults.append(
            f"{int(without_contour.sum()):,} codes are municipal arrondissements, which have no contour: "
            "how='k_nearest' or how='distance' goes by their points"
        )
    if (lost & ~without_contour).any():
        faults.append(f"{int((lost & ~without_contour).sum()):,} codes are no area of the level {level!r}")
    owners = inner.loc[inner["insee_code"].isin(codes), "parent_code"].astype(object)
    if codes.isin(owners).any():
        faults.append(f"{int(codes.isin(owners).sum()):,} cities are there with arrondissements of theirs")
    if faults:
        raise GeographyError(
            "neighbours cannot be told among these codes",
            f"distinct current codes of the level {level!r}",
            "geography.area_points(level) lists them; geography.harmonise follows older codes of communes",
            faults=faults,
        )


@cache
def border_pairs(level: str, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """List the pairs of areas that share a point or a stretch of border.

    Parameters
    ----------
    level : str
        A level.
    rule : {"queen", "rook"}
        A point in common, or a segment.

    Returns
    -------
    tuple of numpy.ndarray
        First and second codes, each pair once, first < second, in order; never to be changed in place.

    Examples
    --------
    >>> first, second = border_pairs("departement", "queen")
    >>> second[first == "2A"].tolist()
    ['2B']
    """
    column = "insee_code" if level == "commune" else level
    one, two = _commune_pairs(rule)
    area = commune_cells()[column].astype(object).to_numpy()
    real = pd.Index(area_points(level)["area"])
    number = real.get_indexer(pd.Index(area))
    low, high = np.minimum(number[one], number[two]), np.maximum(number[one], number[two])
    kept = (low >= 0) & (low != high)
    pairs = np.unique(low[kept].astype("int64") * len(real) + high[kept])
    names = real.to_numpy(dtype=object)
    return names[pairs // len(real)], names[pairs % len(real)]


@cache
def _commune_pairs(rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Give positions of communes that meet: contours are a coverage, so that what is shared is equal."""
    import shapely

    cells = commune_cells()
    rings, polygon = shapely.get_rings(shapely.get_parts(cells["shape"].to_numpy(dtype=object)), return_index=True)
    owner = np.repeat(np.arange(len(cells)), shapely.get_num_geometries(cells["shape"].to_numpy(dtype=object)))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    commune = owner[polygon[ring]]
    territory = pd.factorize(cells["territory"])[0][commune]
    x, y = np.round(points.T).astype("int64")
    # Metres of the legal projections stay below 2**24 either way of the origin: one whole number a vertex.
    vertex = np.unique((territory << 52) + ((x + (1 << 24)) << 26) + (y + (1 << 24)), return_inverse=True)[1]
    if rule == "queen":
        shared = vertex.astype("int64")
    else:
        # A vertex written twice, as rounding leaves some, makes no stretch of border.
        along = (ring[1:] == ring[:-1]) & (vertex[1:] != vertex[:-1])
        start, end = vertex[:-1][along], vertex[1:][along]
        commune = commune[:-1][along]
        shared = np.minimum(start, end).astype("int64") * (int(vertex.max()) + 1) + np.maximum(start, end)
    order = np.lexsort((commune, shared))
    shared, commune = shared[order], commune[order]
    ones, twos = [], []
    step = 1
    # Communes on one vertex stand together: pair each with the next, the one after, while any is left.
    while (same := shared[step:] == shared[:-step]).any():
        ones.append(commune[:-step][same])
        twos.append(commune[step:][same])
        step += 1
    first, second = np.concatenate(ones), np.concatenate(twos)
    pairs = np.unique(first[first != second].astype("int64") * len(cells) + second[first != second])
    return pairs // len(cells), pairs % len(cells)
