"""Which areas of today a table informs, and which it does not: missing is missing, never zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.geography import LEVELS, belongs_to, read_communes
from epi.sources.open_data.dating import follow_codes

if TYPE_CHECKING:
    from epi.sources.open_data.table import OpenTable

_BY_COMMUNE = {"commune", "iris", "site", "station", "pair of codes"}


def commune_codes(table: OpenTable) -> pd.Series:
    """Give the communes in which a table's rows lie, as coded in the file.

    Parameters
    ----------
    table : OpenTable
        A table with an area column of communes or IRIS.

    Returns
    -------
    pandas.Series
        Codes of communes.
    """
    codes = table.table[table.area]
    return codes.str[:5] if table.area == "code_iris" else codes


def _reached(table: OpenTable) -> pd.Series:
    """Give the area of today of each row: its commune, or its own code for larger areas."""
    if table.support in _BY_COMMUNE:
        return follow_codes(table, commune_codes(table), on_fault="mark").passed["insee_code"]
    return table.table[table.area]


def _universe(table: OpenTable) -> pd.DataFrame:
    """List areas of today with their départements and population."""
    communes = read_communes()
    communes = communes[communes["type"] == "commune"]
    if table.support in _BY_COMMUNE:
        level = "insee_code"
    elif table.support in LEVELS and table.support in communes.columns:
        level = table.support
    else:
        return pd.DataFrame({"area": [], "departement": [], "population": [], "metropolitan": []})
    frame = pd.DataFrame(
        {
            "area": communes[level].astype(object).to_numpy(),
            "departement": communes["departement"].astype(object).to_numpy(),
            "population": communes["population"].to_numpy(),
            "metropolitan": ~belongs_to(communes["insee_code"], "overseas France").fillna(False).to_numpy(dtype=bool),
        }
    ).dropna(subset=["area"])
    return frame.groupby("area", as_index=False).agg(
        departement=("departement", "first"), population=("population", "sum"), metropolitan=("metropolitan", "first")
    )


def missing_areas(table: OpenTable) -> pd.DataFrame:
    """List the areas of today that no row of a table reaches.

    Parameters
    ----------
    table : OpenTable
        A table.

    Returns
    -------
    pandas.DataFrame
        area, departement, meaning: "missing", or "zero" where the producer says so.
    """
    universe = _universe(table)
    if not table.area or universe.empty:
        return pd.DataFrame({"area": [], "departement": [], "meaning": []}, dtype=object)
    absent = universe[~universe["area"].isin(set(_reached(table).dropna()))]
    out = absent[["area", "departement"]].reset_index(drop=True)
    return out.assign(meaning=np.where(in_scope(table, out["departement"]), "zero", "missing"))


def in_scope(table: OpenTable, departements: pd.Series) -> np.ndarray:
    """Say in which départements an area that is not listed has none.

    Parameters
    ----------
    table : OpenTable
        A table.
    departements : pandas.Series
        Codes of départements.

    Returns
    -------
    numpy.ndarray
        True where an area that is not listed is zero: the producer says so, and the file has rows of
        that département, so that it was within its reach.
    """
    if table.layout.unlisted != "zero" or not table.area:
        return np.zeros(len(departements), dtype=bool)
    reached = _reached(table).dropna()
    known = read_communes().set_index("insee_code")["departement"]
    within = set(reached.map(known).dropna())
    return departements.isin(within).to_numpy(dtype=bool)


def coverage(table: OpenTable) -> pd.DataFrame:
    """Measure how much of France each column informs.

    Parameters
    ----------
    table : OpenTable
        A table by area.

    Returns
    -------
    pandas.DataFrame
        column, rows (with a value), areas_share, metropolitan_share, population_share; the first row is
        about being listed at all.
    """
    names = ["column", "rows", "areas_share", "metropolitan_share", "population_share"]
    universe = _universe(table)
    if not table.area or universe.empty:
        return pd.DataFrame({name: [] for name in names})
    reached = _reached(table)
    rows = []
    for name in ("(listed)", *(column.name for column in table.columns if column.name not in table.key)):
        informed = reached.notna() if name == "(listed)" else reached.notna() & table.table[name].notna().to_numpy()
        there = universe["area"].isin(set(reached[informed])).to_numpy()
        inland = universe["metropolitan"].to_numpy(dtype=bool)
        people = universe["population"].to_numpy(dtype=float)
        rows.append(
            (
                name,
                int(informed.sum()),
                float(there.mean()),
                float(there[inland].mean()),
                float(people[there].sum() / people.sum()),
            )
        )
    return pd.DataFrame(rows, columns=names)
