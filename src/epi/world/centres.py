"""Hospitals and labelled sites of a synthetic network, and whom they attract.

Cities are real, establishments are not: names say so, and the FINESS numbers use a range
(third and fourth characters ``99``) that no establishment has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.sources.bndmr.values import VALUE_SETS
from epi.world.population import read_data
from epi.world.streams import choose, open_stream
from epi.world.territory import all_communes, arc_km, earth_points

FILIERES: tuple[str, ...] = VALUE_SETS["Fsmr"].enums
# Networks, constitutive sites and competence centres; a network has one coordinating site.
SHAPE: dict[str, tuple[int, int, int]] = {
    "ANDDI-RARES": (8, 28, 110), "BRAIN-TEAM": (8, 24, 110), "CARDIOGEN": (3, 10, 70),
    "DEFISCIENCE": (6, 18, 100), "FAI2R": (6, 20, 120), "FAVA-MULTI": (5, 14, 90),
    "FILFOIE": (3, 10, 50), "FILNEMUS": (6, 30, 70), "FILSLAN": (1, 18, 3), "FIMARAD": (6, 18, 90),
    "FIMATHO": (4, 12, 80), "FIRENDO": (7, 24, 110), "G2M": (5, 18, 60), "MARIH": (6, 16, 110),
    "MCGRE": (2, 19, 39), "MHEMO": (3, 12, 50), "MUCO-CFTR": (2, 8, 38), "NEUROSPHINX": (3, 8, 50),
    "ORKID": (4, 14, 70), "OSCAR": (4, 16, 80), "RESPIFIL": (3, 12, 70), "SENSGENE": (5, 14, 90),
    "TETECOU": (5, 14, 80),
}  # fmt: skip
WITH_CRC = ("MHEMO", "MUCO-CFTR", "FILSLAN")
# Cities of the expert centres for motor-neuron diseases, the coordinating one first.
ALS_CITIES = ("37261", "75056", "69029", "59350", "13055", "34172", "06088", "87085", "33063", "31555", "54395",
              "67482", "21231", "63113", "42218", "35238", "49007", "14118", "29019", "97416", "97209",
              "44109")  # fmt: skip
DRAW = {"CRMR_coordinator": 6.0, "CRMR_constitutive": 4.0, "CCMR": 1.5, "CRC": 1.5}
GRAVITY = {"offset_km": 25.0, "power": 2.6}
CAPTURE_LOG_PER_100_KM = -0.15
VENDORS = ("DPI-A", "DPI-B", "DPI-C", "DPI-D", "")
_DAY = np.datetime64("1970-01-01")


@dataclass(frozen=True)
class Centres:
    """The network.

    Parameters
    ----------
    hospitals, sites : pandas.DataFrame
        One row each; dates as days since 1970-01-01, -1 for none.
    by_filiere : dict
        Filière to the rows of its sites.
    """

    hospitals: pd.DataFrame
    sites: pd.DataFrame
    by_filiere: dict[str, NDArray[np.int64]]

    def distances(self, points: NDArray[np.float64], filiere: str) -> NDArray[np.float64]:
        """Measure distances from places to the sites of a filière.

        Parameters
        ----------
        points : numpy.ndarray
            Places in kilometres (see :func:`~epi.world.territory.earth_points`).
        filiere : str
            The filière.

        Returns
        -------
        numpy.ndarray
            Kilometres on the ground, one row for each place, one column for each site.
        """
        rows = self.by_filiere[filiere]
        where = self.sites[["x", "y", "z"]].to_numpy()[rows]
        square = sum((points[:, axis, None] - where[None, :, axis]) ** 2 for axis in range(3))
        return arc_km(np.sqrt(square))

    def choose_sites(
        self,
        points: NDArray[np.float64],
        place: NDArray[np.int64],
        filiere: NDArray[np.int64],
        generator: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Draw a site for each patient: near ones and larger ones attract more.

        Parameters
        ----------
        points : numpy.ndarray
            Places in kilometres.
        place : numpy.ndarray
            Row of each patient's place in `points`.
        filiere : numpy.ndarray
            Position of each patient's filière in ``FILIERES``.
        generator : numpy.random.Generator
            The stream.

        Returns
        -------
        numpy.ndarray
            Row of a site for each patient.
        """
        chance = generator.random(len(place))
        out = np.empty(len(place), dtype=np.int64)
        for number, name in enumerate(FILIERES):
            mine = np.flatnonzero(filiere == number)
            if not len(mine):
                continue
            rows = self.by_filiere[name]
            pull = self.sites["draw"].to_numpy()[rows]
            used, back = np.unique(place[mine], return_inverse=True)
            for low in range(0, len(used), 4096):  # blocks keep the matrix of distances small
                block = used[low : low + 4096]
                gap = self.distances(points[block], name)
                share = np.cumsum(pull / (gap + GRAVITY["offset_km"]) ** GRAVITY["power"], axis=1)
                share /= share[:, -1:]
                here = np.flatnonzero((back >= low) & (back < low + 4096))
                pick = (share[back[here] - low] < chance[mine[here], None]).sum(axis=1)
                out[mine[here]] = rows[np.minimum(pick, len(rows) - 1)]
        return out


def build_centres(seed: int) -> Centres:
    """Build the network of the whole country.

    Parameters
    ----------
    seed : int
        Seed of the world; the network is the same whatever the territory.

    Returns
    -------
    Centres
        Hospitals and sites.
    """
    generator = open_stream(seed, "centres")
    hospitals = _hospitals(generator)
    rows: list[dict[str, Any]] = []
    for name in FILIERES:
        rows += _als_sites(hospitals) if name == "FILSLAN" else _filiere_sites(name, hospitals, generator)
    sites = pd.DataFrame(rows)
    sites.insert(0, "site_code", [f"S{number:04d}" for number in range(1, len(sites) + 1)])
    at = hospitals.loc[sites["hospital"].to_numpy()].reset_index(drop=True)
    sites["hospital_code"] = at["hospital_code"]
    sites["insee_commune"] = at["insee_commune"]
    sites["region"] = at["region"]
    sites[["x", "y", "z"]] = at[["x", "y", "z"]]
    sites["draw"] = sites["centre_type"].map(DRAW) * at["rank"].map({1: 1.6, 2: 1.0, 3: 0.5})
    titles = {"CRMR_coordinator": "CRMR", "CRMR_constitutive": "CRMR", "CCMR": "CCMR", "CRC": "CRC"}
    sites["site_name"] = [
        f"[{titles[kind]}] {net} - {hospital}"
        for kind, net, hospital in zip(sites["centre_type"], sites["crmr_network"], at["hospital_name"], strict=True)
    ]
    _label(sites, generator)
    by = {name: np.flatnonzero((sites["fsmr"] == name).to_numpy()) for name in FILIERES}
    return Centres(hospitals, sites, by)


def _day(text: str) -> int:
    return int((np.datetime64(text) - _DAY).astype(int))


def _hospitals(generator: np.random.Generator) -> pd.DataFrame:
    listed = read_data("hospitals.csv")
    places = all_communes().set_index("insee_code")
    rows = []
    for code, rank, names in listed.itertuples(index=False):
        kind = "CHU" if rank < 3 else "CH"
        rows += [(code, rank, f"{kind} {name} (synthétique)") for name in names.split("|")]
    table = pd.DataFrame(rows, columns=["insee_commune", "rank", "hospital_name"])
    n = len(table)
    table.insert(0, "hospital_code", [f"H{number:03d}" for number in range(1, n + 1)])
    area = table["insee_commune"].str[:2]
    table["finess_et"] = [f"{head}99{number:05d}" for number, head in enumerate(area, 1)]
    first = table.groupby("insee_commune")["finess_et"].transform("first")
    table["finess_ej"] = first.str[:4] + "9" + first.str[5:]
    table["dpi_vendor"] = np.array(VENDORS)[choose(generator, [4, 3, 2, 1, 1], n)]
    table["agreement_bamara_signed"] = _day("2016-01-01") + generator.integers(0, 1500, n)
    table["agreement_bndmr_signed"] = table["agreement_bamara_signed"] + generator.integers(0, 700, n)
    table["region"] = places["region"].reindex(table["insee_commune"]).to_numpy()
    points = earth_points(
        places["lon"].reindex(table["insee_commune"]).to_numpy(),
        places["lat"].reindex(table["insee_commune"]).to_numpy(),
    )
    table[["x", "y", "z"]] = points
    return table


def _filiere_sites(name: str, hospitals: pd.DataFrame, generator: np.random.Generator) -> list[dict[str, Any]]:
    networks, constitutive, competence = SHAPE[name]
    rank = hospitals["rank"].to_numpy()
    lead = _spread(np.flatnonzero(rank == 1), networks, generator)
    if name == "MCGRE":  # one of its two coordinating centres is in Guadeloupe
        lead[-1] = int(np.flatnonzero(hospitals["insee_commune"] == "97101")[0])
    second = _spread(np.flatnonzero(rank <= 2), constitutive, generator)
    third = _spread(np.argsort(rank + 0.8 * generator.random(len(rank)), kind="stable"), competence, None)
    rows = []
    for kind, members in (("CRMR_coordinator", lead), ("CRMR_constitutive", second), ("CCMR", third)):
        for number, hospital in enumerate(members):
            crc = kind == "CCMR" and name in WITH_CRC
            rows.append(
                {
                    "centre_type": "CRC" if crc else kind,
                    "crmr_network": f"{name} {number % networks + 1}",
                    "fsmr": name,
                    "hospital": int(hospital),
                }
            )
    return rows


def _spread(pool: NDArray[np.int64], size: int, generator: np.random.Generator | None) -> NDArray[np.int64]:
    """Take from the pool without repeating before it is exhausted."""
    order = pool if generator is None else generator.permutation(pool)
    return np.resize(order, size).astype(np.int64)


def _als_sites(hospitals: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for number, city in enumerate(ALS_CITIES):
        kind = "CRMR_coordinator" if number == 0 else "CRMR_constitutive" if number <= SHAPE["FILSLAN"][1] else "CRC"
        hospital = int(np.flatnonzero(hospitals["insee_commune"] == city)[0])
        rows.append({"centre_type": kind, "crmr_network": "FILSLAN 1", "fsmr": "FILSLAN", "hospital": hospital})
    return rows


def _label(sites: pd.DataFrame, generator: np.random.Generator) -> None:
    """Label campaigns of 2017 and 2023, and the deployment of the two ways of entry."""
    n = len(sites)
    renewed = generator.random(n) < 0.9
    sites["label_start"] = np.where(renewed, _day("2023-10-01"), _day("2017-10-01"))
    sites["label_end"] = np.where(renewed, _day("2028-09-30"), _day("2022-09-30"))
    autonomous = _day("2017-06-01") + (1500 * generator.beta(1.5, 3.0, n)).astype(np.int64)
    sites["bamara_autonomous_date"] = np.where(generator.random(n) < 0.97, autonomous, -1)
    connected = autonomous + 200 + (1800 * generator.beta(2.0, 2.0, n)).astype(np.int64)
    connected = np.where((generator.random(n) < 0.35) & (sites["bamara_autonomous_date"] >= 0), connected, -1)
    sites["bamara_connected_date"] = np.where(connected > _day("2025-03-01"), -1, connected)
