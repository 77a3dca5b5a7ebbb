"""Exposures by commune: the real registers where open data are there, labelled synthetic fields elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from epi.errors import DataError
from epi.sources.open_data import (
    OpenTable,
    count_sites,
    read_basol,
    read_bassins_de_vie,
    read_bpe_health,
    read_filosofi,
    read_irep_located,
    read_land_cover,
)
from epi.world.streams import open_stream
from epi.world.territory import Territory, all_communes, arc_km, earth_points
from epi.world.variables import VARIABLES

OVERSEAS = ("971", "972", "973", "974", "976")
_AREAS = "bassins_de_vie_2022_environment_social.csv.gz"
FILES = (
    _AREAS,
    "filosofi_2021_communes.csv.gz",
    "irep_2021_establishments.csv.gz",
    "basol_sites.csv.gz",
    "land_cover_2018_communes.csv.gz",
    "bpe_2018_health_communes.csv.gz",
)
FIELD_KM, WAVES = 35.0, 256


def find_open_data(folder: str | os.PathLike[str] | None) -> Path | None:
    """Say where the open data are.

    Parameters
    ----------
    folder : path-like or None
        A folder that must hold them, or None for the one that ``EPI_OPEN_DATA`` names, if any.

    Returns
    -------
    Path or None
        The folder; None when none is named, and fields are then synthetic.

    Raises
    ------
    DataError
        If a folder is named and files are missing there: all of them are listed.
    """
    named = folder if folder is not None else os.environ.get("EPI_OPEN_DATA")
    if not named:
        return None
    place = Path(named)
    absent = [name for name in FILES if not (place / name).is_file()]
    if absent:
        raise DataError(
            f"{len(absent)} of {len(FILES)} open-data files are missing in {place}",
            "the folder of open data",
            "correct open_data= or EPI_OPEN_DATA; without either the exposures are synthetic",
            faults=absent,
        )
    return place


def build_exposures(territory: Territory, seed: int, open_data: Path | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Build the reference table ``exposures`` and its metadata.

    Parameters
    ----------
    territory : Territory
        The communes.
    seed : int
        Seed of the world, for synthetic fields.
    open_data : Path or None
        Folder of the real registers; None for synthetic fields.

    Returns
    -------
    table : pandas.DataFrame
        insee_code and one float column for each variable; NaN = missing.
    about : dict
        Metadata of each variable.
    """
    places = all_communes()
    columns = _real(open_data, places) if open_data is not None else _synthetic(seed, places)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = places["population"].to_numpy() / places["area_km2"].to_numpy()
    columns["density_km2"] = np.round(density, 1)
    origin = dict.fromkeys(VARIABLES, "synthetic" if open_data is None else "open data")
    origin["density_km2"] = "open data"
    rows = places["insee_code"].searchsorted(territory.communes["insee_code"])
    table = pd.DataFrame({name: np.asarray(columns[name], dtype=float)[rows] for name in VARIABLES})
    table.insert(0, "insee_code", territory.communes["insee_code"].to_numpy())
    return table, {name: variable.describe(origin[name]) for name, variable in VARIABLES.items()}


def is_metropolitan(places: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which communes are in metropolitan France.

    Parameters
    ----------
    places : pandas.DataFrame
        Communes with their departement.

    Returns
    -------
    numpy.ndarray
        One truth value for each.
    """
    return ~places["departement"].isin(OVERSEAS).to_numpy()


def _real(folder: Path, places: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    codes = places["insee_code"]
    metropolitan = is_metropolitan(places)
    areas = read_bassins_de_vie(folder / _AREAS).table.set_index("bv2022")
    out = {
        name: areas[name].reindex(places["bassin_de_vie"]).to_numpy(float)
        for name in ("fdep_like", "pm25_ugm3", "no2_ugm3", "water_nitrate_mg_l")
    }
    income = read_filosofi(folder / FILES[1]).to_current(weights="n_persons_tax_households")
    out["median_income_eur"] = _by_commune(income, "median_income_uc_eur").reindex(codes).to_numpy(float)
    out["nearest_industrial_km"] = _nearest_industrial(folder, places)
    sites = _by_commune(count_sites(read_basol(folder / FILES[3])), "n_sites").reindex(codes).to_numpy(float)
    out["n_polluted_sites"] = np.where(metropolitan, np.nan_to_num(sites), np.nan)
    # Communes that merged since 2022 weigh alike: the file has neither their areas nor their persons.
    cover = read_land_cover(folder / FILES[4]).to_current(weights="equal")
    out |= {
        name: _by_commune(cover, name).reindex(codes).to_numpy(float) for name in ("tree_cover_pct", "impervious_pct")
    }
    equipment = read_bpe_health(folder / FILES[5]).to_current().fill_unlisted()
    doctors = _by_commune(equipment, "n_general_practitioner").reindex(codes).to_numpy(float)
    people = places["population"].to_numpy(float)
    rate = np.divide(1000.0 * doctors, people, out=np.full(len(people), np.nan), where=people > 0)
    out["n_gp_per_1000"] = np.round(rate, 4)
    return out


def _by_commune(table: OpenTable, name: str) -> pd.Series:
    return table.table.set_index(table.area)[name]


def _nearest_industrial(folder: Path, places: pd.DataFrame) -> NDArray[np.float64]:
    listed = read_irep_located(folder / FILES[2]).table
    listed = listed[(listed["commune_matches_postal"] == 1) & (listed["looks_like_farm"] == 0)]
    tree = cKDTree(earth_points(listed["lon"].to_numpy(float), listed["lat"].to_numpy(float)))
    chord, _ = tree.query(earth_points(places["lon"].to_numpy(), places["lat"].to_numpy()), workers=1)
    return np.round(arc_km(chord), 3)


def smooth_field(points: NDArray[np.float64], generator: np.random.Generator, length_km: float) -> NDArray[np.float64]:
    """Draw a smooth random field: a Gaussian process by random Fourier features.

    Parameters
    ----------
    points : numpy.ndarray
        Places in kilometres, one row of x, y, z for each.
    generator : numpy.random.Generator
        The stream.
    length_km : float
        Distance at which correlation has fallen to exp(-1/2).

    Returns
    -------
    numpy.ndarray
        One value for each place, mean near 0 and standard deviation near 1.
    """
    waves = generator.standard_normal((3, WAVES)) / length_km
    phase = generator.random(WAVES) * 2 * np.pi
    total = np.zeros(len(points))
    for column in range(WAVES):  # a fixed order of additions, and no (communes x waves) matrix in memory
        x, y, z = waves[:, column]
        total += np.cos(points[:, 0] * x + points[:, 1] * y + points[:, 2] * z + phase[column])
    return total * np.sqrt(2 / WAVES)


def standardise(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre and scale values, weighted.

    Parameters
    ----------
    values, weights : numpy.ndarray
        One of each for each place.

    Returns
    -------
    numpy.ndarray
        Weighted mean 0, weighted standard deviation 1.
    """
    mean = float(np.sum(values * weights) / np.sum(weights))
    spread = float(np.sqrt(np.sum(weights * (values - mean) ** 2) / np.sum(weights)))
    return (values - mean) / spread


def _synthetic(seed: int, places: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    points = earth_points(places["lon"].to_numpy(), places["lat"].to_numpy())
    people = places["population"].to_numpy(float)
    metropolitan = is_metropolitan(places)
    density = np.log1p(people / np.where(places["area_km2"] > 0, places["area_km2"], np.nan))
    urban = standardise(np.nan_to_num(density), people)
    # A bassin de vie is seen from the mean place of its communes.
    group = pd.Categorical(places["bassin_de_vie"]).codes
    size = np.bincount(group)
    centres = np.column_stack([np.bincount(group, weights=points[:, axis]) / size for axis in range(3)])
    weight = np.maximum(people, 1e-9)
    wide_urban = (np.bincount(group, weights=urban * weight) / np.bincount(group, weights=weight))[group]
    deprived = smooth_field(centres, open_stream(seed, "exposures", "deprivation"), FIELD_KM)[group]
    out = {}
    for name, variable in VARIABLES.items():
        if name == "density_km2":
            continue
        generator = open_stream(seed, "exposures", name)
        wide = variable.support == "bassin_de_vie"
        own = smooth_field(centres if wide else points, generator, FIELD_KM)[group if wide else slice(None)]
        if not wide:
            own = 0.8 * own + 0.6 * generator.standard_normal(len(own))
        rest = np.sqrt(max(0.0, 1 - variable.urban**2 - variable.deprived**2))
        loaded = variable.urban * (wide_urban if wide else urban) + variable.deprived * deprived + rest * own
        values = variable.mean + variable.sd * standardise(loaded, weight)
        values = np.exp(values) if variable.log else values
        if name == "n_polluted_sites":
            values = np.floor(values * np.minimum(people / 20_000, 1.0))
        if name.endswith("_pct"):
            values = np.clip(values, 0.0, 95.0)
        if name not in ("fdep_like",):
            values = np.maximum(values, 0.0)
        covered = metropolitan | variable.overseas
        out[name] = np.where(covered, np.round(values, 3), np.nan)
    return out
