"""Exposures computed at residence rather than read from a register."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import DataError, ParameterError
from epi.exposure.catalogue import VariableInfo
from epi.geography import nearest, read_communes, to_current

if TYPE_CHECKING:
    from epi.workspace import Workspace

NETWORK = "FILSLAN"
"""The *filière* whose centres care for amyotrophic lateral sclerosis."""


def nearest_site_km(
    insee_codes: pd.Series,
    sites: pd.DataFrame,
    *,
    network: str = NETWORK,
    centre_types: tuple[str, ...] | None = None,
    labelled_on: str | None = None,
) -> pd.Series:
    """Measure the distance from each commune to the nearest labelled centre of a network.

    Parameters
    ----------
    insee_codes : pandas.Series
        Current communes; missing ones have a missing distance.
    sites : pandas.DataFrame
        The registry's sites: ``fsmr`` and ``insee_commune``, and ``centre_type``, ``label_start``
        and ``label_end`` when they are asked about.
    network : str, optional
        The *filière* whose sites count.
    centre_types : tuple of str, optional
        Types of centre that count (``CRMR_coordinator``...); all by default.
    labelled_on : str, optional
        A day (ISO) on which the label must hold; by default labels are not looked at.

    Returns
    -------
    pandas.Series
        Geodesic kilometres from the commune's centroid to that of the site's commune, index as
        `insee_codes`; zero where they are the same.

    Raises
    ------
    DataError
        If no such site can be placed.
    ParameterError
        If the network does not exist.

    Examples
    --------
    >>> sites = pd.DataFrame({"fsmr": ["FILSLAN"], "insee_commune": ["69123"]})
    >>> nearest_site_km(pd.Series(["38185", None]), sites).round().tolist()
    [94.0, nan]
    """
    lacking = [name for name in ("fsmr", "insee_commune") if name not in sites.columns]
    if lacking:
        raise DataError(f"the sites have no {', '.join(lacking)}", "the registry's table of sites")
    chosen = sites[sites["fsmr"] == network]
    if chosen.empty:
        known = ", ".join(sorted(sites["fsmr"].dropna().unique()))
        raise ParameterError(f"no site belongs to {network!r}", f"among {known}")
    if centre_types is not None:
        chosen = chosen[chosen["centre_type"].isin(centre_types)]
    if labelled_on is not None:
        day = pd.Timestamp(labelled_on)
        start, end = (pd.to_datetime(chosen[name]) for name in ("label_start", "label_end"))
        chosen = chosen[(start.isna() | (start <= day)) & (end.isna() | (day <= end))]
    towns = to_current(chosen["insee_commune"])["insee_code"].dropna().drop_duplicates().sort_values()
    if towns.empty:
        raise DataError(f"no site of {network} can be placed", "sites with the INSEE code of their commune")
    centroids = read_communes().set_index("insee_code")[["lon", "lat"]]
    distinct = pd.Index(insee_codes.dropna().unique()).sort_values()
    unknown = int((~distinct.isin(centroids.index)).sum())
    if unknown:
        raise DataError(
            f"{unknown} commune(s) are not current ones", "current INSEE codes", "geography.to_current(codes) first"
        )
    found = nearest(centroids.loc[distinct], centroids.loc[towns])
    kilometres = pd.Series(found["distance_m"].to_numpy() / 1000, index=distinct)
    return insee_codes.map(kilometres).astype(float)


def _centre_distance(codes: pd.Series, workspace: Workspace) -> pd.Series:
    return nearest_site_km(codes, workspace.frame("site", columns=["site_code", "fsmr", "insee_commune"]))


def _density(codes: pd.Series, workspace: Workspace) -> pd.Series:
    table = read_communes().set_index("insee_code")
    with np.errstate(divide="ignore", invalid="ignore"):
        density = table["population"] / table["area_km2"].where(table["area_km2"] > 0)
    return codes.map(density).astype(float)


DERIVED: dict[str, Callable[[pd.Series, Any], pd.Series]] = {
    "centre_distance_km": _centre_distance,
    "density_km2": _density,
}
"""Functions from current communes and a workspace to values."""


def derived_infos(workspace: Workspace) -> dict[str, VariableInfo]:
    """Describe the variables that this workspace allows to compute.

    Parameters
    ----------
    workspace : Workspace
        An open workspace; the distance to a centre needs its table of sites.

    Returns
    -------
    dict
        Name to description.
    """
    infos = {
        "density_km2": VariableInfo(
            name="density_km2",
            label_en="Population density",
            label_fr="Densité de population",
            unit="persons/km2",
            source="communes of the package",
            producer="INSEE (census 2023), IGN (areas 2025)",
            vintage="2023",
            licence="Licence Ouverte 2.0",
            support="commune",
            origin="open data",
            direction_note="higher = denser",
            derived=True,
        )
    }
    if workspace.has("site", "insee_commune") and workspace.has("site", "fsmr"):
        infos["centre_distance_km"] = VariableInfo(
            name="centre_distance_km",
            label_en=f"Distance to the nearest {NETWORK} centre",
            label_fr=f"Distance au centre {NETWORK} le plus proche",
            unit="km",
            source="registry table of sites; commune centroids of the package",
            producer="BNDMR (sites), IGN (centroids)",
            vintage=str(workspace.extraction_date),
            licence="internal to the registry",
            support="commune",
            origin="synthetic" if workspace.synthetic else "open data",
            direction_note="higher = farther; geodesic between centroids of communes",
            derived=True,
        )
    return infos
