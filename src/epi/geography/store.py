"""The data files that travel with the package, each read once for a process."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

GRID_M = 20
VINTAGE = "2026-01-01"
ATTRIBUTION = "INSEE (COG 2026), IGN ADMIN EXPRESS 2025"

_TEXT_LEVELS = (
    "departement",
    "region",
    "arrondissement",
    "epci",
    "bassin_de_vie",
    "urban_unit",
    "catchment_area",
)


def _read(name: str) -> pa.Table:
    with resources.as_file(resources.files("epi.geography") / "data" / f"{name}.parquet") as path:
        return pq.read_table(path)


def read_table(name: str) -> pd.DataFrame:
    """Read one of the package's tables as it is.

    Parameters
    ----------
    name : str
        Its file, without ending.

    Returns
    -------
    pandas.DataFrame
        The table.
    """
    return _read(name).to_pandas()


@cache
def communes() -> pd.DataFrame:
    """Give communes and municipal arrondissements, sorted by code; never to be changed in place.

    Returns
    -------
    pandas.DataFrame
        One row for each of the 34,920 codes.
    """
    raw = _read("communes").to_pandas()
    table = raw[["insee_code", "name"]].copy()
    table["type"] = raw["type"].astype("category")
    for column in ("parent_code", *_TEXT_LEVELS):
        table[column] = raw[column].mask(raw[column] == "").astype("category")
    table["population"] = raw["population"].astype("int64")
    table["area_km2"] = pd.to_numeric(raw["area_ha"], errors="coerce").astype("float64") / 100
    table["lon"], table["lat"] = raw["lon_e5"] / 1e5, raw["lat_e5"] / 1e5
    table["epsg"] = raw["epsg"]
    table["x_m"], table["y_m"] = raw["x_m"].astype("float64"), raw["y_m"].astype("float64")
    return table


@cache
def positions() -> pd.Index:
    """Give the codes of :func:`communes` as an index, to find the row of a code.

    Returns
    -------
    pandas.Index
        Codes in the table's order.
    """
    return pd.Index(communes()["insee_code"])


@cache
def names() -> pd.DataFrame:
    """Give the names of the areas above the commune.

    Returns
    -------
    pandas.DataFrame
        Columns level, code, name.
    """
    return _read("areas").to_pandas()


@cache
def events() -> pd.DataFrame:
    """Give INSEE's events since 1943 that touch a code, sorted by day.

    Returns
    -------
    pandas.DataFrame
        Columns day (days since 1970), mod (kind of event), before and after (codes), type_before and
        type_after (COM, COMA, COMD, ARM).
    """
    return _read("events").to_pandas()


@cache
def former_populations() -> pd.DataFrame:
    """Give people counted by communes of older geographies that have changed since.

    Returns
    -------
    pandas.DataFrame
        Columns source (census_2011_active_25_54, filosofi_2021_persons), code, persons.
    """
    return _read("former_populations").to_pandas()


@cache
def postal_codes() -> frozenset[str]:
    """Give the postal codes in use.

    Returns
    -------
    frozenset of str
        Five-character codes.
    """
    return frozenset(_read("postal_codes")["postal_code"].to_pylist())


@cache
def polygons() -> pd.DataFrame:
    """Give the communes' polygons in metres of their own projection.

    Returns
    -------
    pandas.DataFrame
        Index insee_code; columns shape (shapely geometries) and epsg.
    """
    table = _read("contours").combine_chunks()
    lists = {name: table[name].combine_chunks() for name in ("x", "y", "rest_x", "rest_y")}
    x, y = (
        GRID_M * lists[axis].flatten().to_numpy().astype("float64") + lists[f"rest_{axis}"].flatten().to_numpy()
        for axis in ("x", "y")
    )
    lengths = np.diff(lists["x"].offsets.to_numpy())
    rings = shapely.linearrings(np.column_stack([x, y]), indices=np.repeat(np.arange(len(lengths)), lengths))
    shell = table["shell"].to_numpy()
    parts = shapely.polygons(rings, indices=np.cumsum(shell) - 1)
    owner, codes = pd.factorize(table["insee_code"].to_numpy()[shell])
    single = np.bincount(owner) == 1
    shapes = np.empty(len(codes), dtype=object)
    alone = single[owner]
    shapes[owner[alone]] = parts[alone]
    several, place = np.unique(owner[~alone], return_inverse=True)
    shapes[several] = shapely.multipolygons(parts[~alone], indices=place)
    epsg = communes()["epsg"].to_numpy()[positions().get_indexer(codes)]
    return pd.DataFrame({"shape": shapes, "epsg": epsg}, index=pd.Index(codes, name="insee_code"))
