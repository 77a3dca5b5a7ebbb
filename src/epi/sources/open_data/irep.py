"""Establishments of the pollutant register: stated coordinates are checked against the stated commune."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import shapely

from epi.errors import DataError, ParameterError
from epi.geography import read_communes
from epi.geography.communes import fold
from epi.geography.coordinates import transformer
from epi.geography.store import polygons
from epi.sources.open_data.layout import Column
from epi.sources.open_data.table import OpenTable

_EPSG = {"2154", "5490", "2972", "2975", "4471", "4326"}


def _stated_commune(frame: pd.DataFrame) -> pd.Series:
    """Find the commune of today by its name within the département of the postal code; only where it is one."""
    communes = read_communes()
    communes = communes[communes["type"] == "commune"]
    known = pd.DataFrame(
        {
            "dept": communes["departement"].astype(object),
            "word": _words(communes["name"]),
            "code_commune": communes["insee_code"].astype(object),
        }
    ).drop_duplicates(["dept", "word"], keep=False)
    postal = frame["code_postal"].fillna("")
    dept = postal.str[:2].where(~postal.str.startswith(("97", "98")), postal.str[:3])
    city = frame["commune"].fillna("").str.replace(r"(?i)\s+(cedex.*|[0-9]+e?r?(\s+arrondissement)?)$", "", regex=True)
    places = pd.DataFrame({"word": _words(city), "dept": dept, "row": np.arange(len(frame))})
    # Corsican postal codes start with 20, its départements are 2A and 2B.
    corsica = places["dept"] == "20"
    both = [places[~corsica], *(places[corsica].assign(dept=name) for name in ("2A", "2B"))]
    found = pd.concat(both).merge(known, on=["dept", "word"]).drop_duplicates("row", keep=False).set_index("row")
    return found["code_commune"].reindex(range(len(frame)))


def _words(names: pd.Series) -> pd.Series:
    plain = (
        fold(names.astype(str))
        .str.replace(r"\bst\b", "saint", regex=True)
        .str.replace(r"\bste\b", "sainte", regex=True)
    )
    return plain.str.replace(r"^(l|le|la|les) ", "", regex=True)


def locate_irep(establishments: OpenTable, *, tolerance_m: float = 1000.0) -> OpenTable:
    """Check the stated coordinates of establishments against the commune that they state.

    Parameters
    ----------
    establishments : OpenTable
        What :func:`read_irep_establishments` gave.
    tolerance_m : float, optional
        How far outside the (simplified) contour of its commune a point may lie, in metres.

    Returns
    -------
    OpenTable
        With ``code_commune`` (found by name within the département of the postal code; missing where not
        one), ``lon``, ``lat`` and ``location_check``: "in_commune", "elsewhere" (stated point is not in
        the stated commune), "no_commune", "no_coordinates". Keep "in_commune" for distances.

    Raises
    ------
    DataError
        If the table is of another layout.
    ParameterError
        If the tolerance is negative.
    """
    if establishments.layout.id != "irep_establishments":
        raise DataError(f"the table is of the layout {establishments.layout.id!r}", "read_irep_establishments()")
    if not tolerance_m >= 0:
        raise ParameterError(f"tolerance_m is {tolerance_m}", "0 or more metres")
    frame = establishments.table.reset_index(drop=True)
    code = _stated_commune(frame)
    lon, lat = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    for epsg in sorted(set(frame["code_epsg"].dropna()) & _EPSG):
        rows = ((frame["code_epsg"] == epsg) & frame[["coordonnees_x", "coordonnees_y"]].notna().all(axis=1)).to_numpy()
        x, y = (frame.loc[rows, f"coordonnees_{axis}"].to_numpy(float) for axis in ("x", "y"))
        lon[rows], lat[rows] = transformer(int(epsg), 4326).transform(x, y)
    placed = np.isfinite(lon) & np.isfinite(lat)
    check = np.where(~placed, "no_coordinates", np.where(code.isna(), "no_commune", "elsewhere")).astype(object)
    rows = np.flatnonzero(placed & code.notna().to_numpy())
    inside = _within(code.iloc[rows], lon[rows], lat[rows], tolerance_m)
    check[rows[inside]] = "in_commune"
    table = frame.assign(
        code_commune=code.astype(object).where(code.notna(), None),
        lon=np.where(placed, lon, np.nan), lat=np.where(placed, lat, np.nan), location_check=check,
    )  # fmt: skip
    columns = (
        *establishments.columns,
        Column("code_commune", "code", code="commune"),
        Column("lon", "number", "degrees"),
        Column("lat", "number", "degrees"),
        Column("location_check", "class"),
    )
    layout = replace(establishments.layout, area="code_commune", columns=columns)
    kept = int((check == "in_commune").sum())
    note = f"{kept} of {len(table)} stated points lie within {tolerance_m:g} m of their stated commune."
    return replace(
        establishments, table=table, layout=layout, columns=columns, geography="2026",
        notes=(*establishments.notes, note), settings={"tolerance_m": tolerance_m},
    )  # fmt: skip


def _within(codes: pd.Series, lon: np.ndarray, lat: np.ndarray, tolerance_m: float) -> np.ndarray:
    """Say which points lie within a distance of the commune's contour, in metres of its own projection."""
    shapes = polygons().reindex(pd.Index(codes))
    epsg = shapes["epsg"].to_numpy()
    inside = np.zeros(len(codes), dtype=bool)
    for own in sorted({int(number) for number in epsg[pd.notna(epsg)]}):
        rows = np.flatnonzero(epsg == own)
        x, y = transformer(4326, own).transform(lon[rows], lat[rows])
        sound = np.isfinite(x) & np.isfinite(y)
        points = shapely.points(x[sound], y[sound])
        inside[rows[sound]] = shapely.dwithin(shapes["shape"].to_numpy()[rows[sound]], points, tolerance_m)
    return inside
