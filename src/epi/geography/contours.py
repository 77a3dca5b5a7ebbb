"""Contours of the areas: exact unions of their communes, so that borders of every level meet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.areas import belongs_to
from epi.geography.communes import check_level, names_of
from epi.geography.coordinates import transformer

if TYPE_CHECKING:
    import geopandas

TERRITORIES: dict[str, tuple[str, ...]] = {
    "guadeloupe": ("971",),
    "martinique": ("972",),
    "guyane": ("973",),
    "la_reunion": ("974",),
    "mayotte": ("976",),
}
"""Overseas territories and their département; all the rest is "metropolitan"."""


@cache
def commune_cells() -> pd.DataFrame:
    """Give each commune's polygon with its levels, in metres of its projection.

    Returns
    -------
    pandas.DataFrame
        The table of communes with columns shape and territory added, sorted by code.
    """
    communes = store.communes()
    cells = communes[communes["type"] == "commune"].set_index("insee_code", drop=False)
    shapes = store.polygons()["shape"].reindex(cells.index)
    overseas = {code: name for name, codes in TERRITORIES.items() for code in codes}
    territory = cells["departement"].astype(object).map(overseas).fillna("metropolitan")
    return cells.assign(shape=shapes, territory=territory)


def union_by(shapes: np.ndarray, keys: np.ndarray | pd.Series) -> pd.Series:
    """Join the pieces of a coverage that have the same key.

    Parameters
    ----------
    shapes : numpy.ndarray
        Polygons that share their borders exactly.
    keys : array-like of str
        A key for each; pieces without a key are left out.

    Returns
    -------
    pandas.Series
        Polygons by key, keys in order.
    """
    number, names = pd.factorize(keys, sort=True)
    order = np.argsort(number, kind="stable")
    order = order[number[order] >= 0]
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    joined = [
        shapely.coverage_union_all(shapes[rows]) if len(rows) > 1 else shapes[rows[0]]
        for rows in np.split(order, starts[1:])
        if len(rows)
    ]
    return pd.Series(joined, index=pd.Index(np.asarray(names, dtype=object)), dtype=object)


@lru_cache(maxsize=48)
def mosaic(level: str, territory: str, tolerance_m: float) -> dict[str, pd.Series]:
    """Give a territory cut at a level and at the département, lightened once for both.

    Parameters
    ----------
    level : str
        A level.
    territory : str
        A key of :data:`TERRITORIES`, or "metropolitan".
    tolerance_m : float
        Details smaller than a square of this side fall; 0 keeps all.

    Returns
    -------
    dict
        "areas", "departements" and "none" (land with no area of this level): polygons by code, in metres.
    """
    column = "insee_code" if level == "commune" else level
    cells = commune_cells()
    cells = cells[cells["territory"] == territory]
    shapes = cells["shape"].to_numpy(dtype=object)
    inside = cells["departement"].astype(object).to_numpy()
    area = cells[column].astype(object).to_numpy()
    if tolerance_m > 0 and level != "commune":
        key = pd.Series(inside).str.cat(pd.Series(area).fillna(""), sep="|")
        pieces = union_by(shapes, key)
        shapes = shapely.coverage_simplify(pieces.to_numpy(dtype=object), tolerance_m)
        inside, area = (pieces.index.str.split("|").str[side].to_numpy(dtype=object) for side in (0, 1))
        area[area == ""] = None
    blank = pd.isna(area)
    return {
        "areas": union_by(shapes, area),
        "departements": union_by(shapes, inside),
        "none": union_by(shapes[blank], inside[blank]),
    }


def read_contours(
    level: str, *, within: str | Sequence[str] | None = None, tolerance_m: float = 0.0
) -> geopandas.GeoDataFrame:
    """Give the contours of the areas of a level.

    Parameters
    ----------
    level : str
        One of :data:`~epi.geography.LEVELS`.
    within : str or sequence of str, optional
        A place, as :func:`~epi.geography.belongs_to` knows it, or codes of départements: only areas that
        have a commune there, whole. All of France by default.
    tolerance_m : float, optional
        Simplify: details smaller than a square of this side fall, shared borders stay shared. The
        communes' polygons are never reduced further.

    Returns
    -------
    geopandas.GeoDataFrame
        Sorted by code: code, name, geometry in degrees WGS84. Contours are for maps and neighbourhood;
        for areas in km² use :func:`~epi.geography.territory`.

    Raises
    ------
    ParameterError
        If the level or the place is unknown, or the tolerance is negative.

    Examples
    --------
    >>> read_contours("departement", within="Corse")["name"].tolist()
    ['Corse-du-Sud', 'Haute-Corse']
    """
    import geopandas

    check_level(level)
    if not 0 <= tolerance_m <= 50_000:
        raise ParameterError(f"tolerance_m is {tolerance_m!r}", "metres, from 0 to 50,000")
    cells = commune_cells()
    chosen = _chosen(cells, within)
    column = "insee_code" if level == "commune" else level
    wanted = set(cells.loc[chosen, column].dropna())
    parts = []
    for territory in sorted(set(cells.loc[chosen, "territory"])):
        areas = mosaic(level, territory, float(tolerance_m))["areas"]
        areas = areas[areas.index.isin(wanted)]
        epsg = int(cells.loc[cells["territory"] == territory, "epsg"].iloc[0])
        to = transformer(epsg, 4326)
        degrees = shapely.transform(
            areas.to_numpy(dtype=object), lambda at, to=to: np.column_stack(to.transform(at[:, 0], at[:, 1]))
        )
        parts.append(pd.DataFrame({"code": areas.index, "shape": degrees}))
    table = pd.concat(parts).sort_values("code", kind="stable", ignore_index=True)
    if table["code"].duplicated().any():
        # INSEE's remainder code of the catchment areas lies on both sides of the oceans.
        table = table.groupby("code", sort=True)["shape"].agg(shapely.union_all).reset_index()
    return geopandas.GeoDataFrame(
        {"code": table["code"], "name": table["code"].map(names_of(level))},
        geometry=table["shape"].to_numpy(dtype=object),
        crs=4326,
    )


def _chosen(cells: pd.DataFrame, within: str | Sequence[str] | None) -> np.ndarray:
    if within is None:
        return np.ones(len(cells), dtype=bool)
    if isinstance(within, str):
        return belongs_to(cells["insee_code"], within).to_numpy(dtype=bool)
    unknown = sorted(set(within) - set(cells["departement"].cat.categories))
    if unknown or not within:
        raise GeographyError(
            f"{len(unknown)} of {len(within)} codes are no département", "codes such as '01', '2A' or '974'"
        )
    return cells["departement"].isin(list(within)).to_numpy()
