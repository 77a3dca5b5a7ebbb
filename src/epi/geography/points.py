"""One point for each area: where its people live, or the middle of its land."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import shapely

from epi.errors import ParameterError
from epi.geography import store
from epi.geography.communes import OUTSIDE, check_level
from epi.geography.coordinates import transformer

WEIGHTED = ("population", None)


def area_points(level: str, *, weighted: str | None = "population", arrondissements: bool = False) -> pd.DataFrame:
    """Give one point for each area of a level.

    Parameters
    ----------
    level : str
        One of :data:`~epi.geography.LEVELS`.
    weighted : {"population", None}, optional
        Weigh the centroids of an area's communes by their inhabitants (census 2023; Paris, Lyon and
        Marseille through their arrondissements), or by their land, which gives the centroid of the area.
        An area where nobody lives has the centroid of its land.
    arrondissements : bool, optional
        At the level "commune", add the 45 municipal arrondissements, at their own points; their persons
        are also in their city.

    Returns
    -------
    pandas.DataFrame
        Sorted by area: area (code), lon and lat (degrees WGS84), x_m and y_m (metres in the legal
        projection `epsg` of the territory), persons (inhabitants, census 2023). INSEE's remainder codes
        ("outside every urban unit") are no area and have no point.

    Raises
    ------
    ParameterError
        If there is no such level or weight, or arrondissements are asked above the commune.

    Notes
    -----
    Means are taken in metres of the territory's legal projection, so that they do not depend on the
    axis. A commune other than the three cities is its centroid either way: where in it people live is
    not known here. Source: INSEE, legal populations 2023; IGN, ADMIN EXPRESS 2025; La Poste for the
    arrondissements.

    Examples
    --------
    >>> area_points("region").query("area == '94'").round(2).values.tolist()
    [['94', 9.11, 42.21, 1204546.15, 6143348.32, 2154, 355486]]
    """
    column = "insee_code" if check_level(level) == "commune" else level
    if weighted not in WEIGHTED:
        raise ParameterError(f"weighted is {weighted!r}", "'population' or None")
    if arrondissements and level != "commune":
        raise ParameterError(
            f"arrondissements are asked at the level {level!r}", "the level 'commune'", "an area holds whole cities"
        )
    communes = store.communes()
    whole = (communes["type"] == "commune").to_numpy()
    area = communes[column].astype(object).to_numpy()
    if level == "commune":
        area = np.where(whole, area, communes["parent_code"].astype(object))
    people = communes["population"].to_numpy(dtype="float64")
    land = _drawn_areas()
    # The three cities stand for their land, their arrondissements for their people.
    divided = communes["insee_code"].isin(communes["parent_code"].dropna()).to_numpy()
    pieces = pd.DataFrame(
        {
            "area": area,
            "people": np.where(divided, 0.0, people),
            "land": land,
            "persons": np.where(whole, communes["population"], 0),
            "x": communes["x_m"],
            "y": communes["y_m"],
            "epsg": communes["epsg"],
        }
    )[~pd.isna(area) & _is_area(area, level)]
    lived_in = pieces.groupby("area")["people"].transform("sum") > 0
    weight = pieces["people"].where(lived_in, pieces["land"]) if weighted == "population" else pieces["land"]
    sums = (
        pieces.assign(weight=weight, x=pieces["x"] * weight, y=pieces["y"] * weight)
        .groupby("area", sort=True)
        .agg({"weight": "sum", "x": "sum", "y": "sum", "epsg": "first", "persons": "sum"})
    )
    table = pd.DataFrame(
        {
            "area": sums.index.to_numpy(dtype=object),
            "x_m": (sums["x"] / sums["weight"]).to_numpy(),
            "y_m": (sums["y"] / sums["weight"]).to_numpy(),
            "epsg": sums["epsg"].to_numpy(),
            "persons": sums["persons"].to_numpy(dtype="int64"),
        }
    )
    if arrondissements:
        inner = communes[~whole]
        parts = {"area": inner["insee_code"], **{name: inner[name] for name in ("x_m", "y_m", "epsg")}}
        table = pd.concat([table, pd.DataFrame({**parts, "persons": inner["population"]})])
        table = table.sort_values("area", ignore_index=True)
    degrees = np.full((2, len(table)), np.nan)
    for epsg in table["epsg"].unique():
        rows = (table["epsg"] == epsg).to_numpy()
        degrees[:, rows] = transformer(int(epsg), 4326).transform(*table.loc[rows, ["x_m", "y_m"]].to_numpy().T)
    table.insert(1, "lon", degrees[0])
    table.insert(2, "lat", degrees[1])
    return table


@cache
def _drawn_areas() -> np.ndarray:
    """Give the area of each contour; the official ones leave out glaciers and lakes that no owner claims."""
    shapes = store.polygons()["shape"]
    drawn = pd.Series(shapely.area(shapes.to_numpy(dtype=object)), index=shapes.index)
    return drawn.reindex(store.communes()["insee_code"], fill_value=0.0).to_numpy()


def _is_area(area: np.ndarray, level: str) -> np.ndarray:
    if level not in OUTSIDE:
        return np.ones(len(area), dtype=bool)
    remainder = pd.Series(area, dtype=object).str.fullmatch(OUTSIDE[level].strip("^$"), na=False)
    return ~remainder.to_numpy(dtype=bool)
