"""The dial: which communes a world of so many persons is made of, always whole territories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from epi.errors import ParameterError
from epi.geography.communes import read_communes

EARTH_KM = 6371.0088
MINIMUM, MAXIMUM = 1_000, 68_400_000
NEIGHBOUR_KM = 12.0
# An overseas département joins when the world is large enough to bear it.
OVERSEAS_FROM = {"971": 3_000_000, "972": 12_000_000, "974": 16_000_000, "973": 25_000_000, "976": 40_000_000}
# Prefectures that are not the largest commune of their département.
PREFECTURES = {
    "02": "02408", "04": "04070", "07": "07186", "09": "09122", "11": "11069", "19": "19272", "29": "29232",
    "39": "39300", "50": "50502", "51": "51108", "52": "52121", "55": "55029", "56": "56260", "62": "62041",
    "68": "68066", "71": "71270", "76": "76540", "77": "77288", "92": "92050", "93": "93008", "94": "94028",
    "95": "95500", "971": "97105",
}  # fmt: skip


@dataclass(frozen=True)
class Territory:
    """The communes of a world, whole and at full density.

    Parameters
    ----------
    communes : pandas.DataFrame
        Sorted by insee_code: insee_code, name, departement, region, bassin_de_vie, population, area_km2,
        lon, lat.
    asked : int or None
        Persons asked; None when territories were named.
    departements : tuple of str
        Départements that are there whole.
    words : str
        What was taken and why the total is what it is.
    """

    communes: pd.DataFrame
    asked: int | None
    departements: tuple[str, ...]
    words: str

    @property
    def persons(self) -> int:
        """Persons who live there: the sum of the communes' legal populations."""
        return int(self.communes["population"].sum())


def earth_points(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put places on a sphere, in kilometres, so that plain distances hold overseas too.

    Parameters
    ----------
    lon, lat : numpy.ndarray
        Degrees WGS84.

    Returns
    -------
    numpy.ndarray
        One row of x, y, z for each place.

    Examples
    --------
    >>> earth_points(np.array([0.0]), np.array([0.0])).round().tolist()
    [[6371.0, 0.0, 0.0]]
    """
    east, north = np.radians(lon), np.radians(lat)
    return EARTH_KM * np.column_stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])


def arc_km(chord: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn straight distances through the sphere into distances along it.

    Parameters
    ----------
    chord : numpy.ndarray
        Kilometres in a straight line.

    Returns
    -------
    numpy.ndarray
        Kilometres on the ground.
    """
    return 2 * EARTH_KM * np.arcsin(np.clip(chord / (2 * EARTH_KM), 0, 1))


@cache
def all_communes() -> pd.DataFrame:
    """Give the communes of France as the world uses them; never to be changed in place.

    Returns
    -------
    pandas.DataFrame
        Sorted by insee_code; see :class:`Territory`.
    """
    columns = ["insee_code", "name", "departement", "region", "bassin_de_vie", "population", "area_km2", "lon", "lat"]
    table = read_communes()[columns].copy()
    for column in ("departement", "region", "bassin_de_vie"):
        table[column] = table[column].astype(object)
    return table.sort_values("insee_code", ignore_index=True)


@cache
def _departements() -> tuple[pd.DataFrame, dict[str, set[str]]]:
    """Give population, centre and neighbours of each département."""
    places = all_communes()
    points = earth_points(places["lon"].to_numpy(), places["lat"].to_numpy())
    weighted = pd.DataFrame(points * places["population"].to_numpy()[:, None], columns=["x", "y", "z"])
    table = weighted.groupby(places["departement"]).sum()
    table["population"] = places.groupby("departement")["population"].sum()
    table[["x", "y", "z"]] = table[["x", "y", "z"]].div(table["population"], axis=0)
    codes = places["departement"].to_numpy()
    pairs = cKDTree(points).query_pairs(NEIGHBOUR_KM, output_type="ndarray")
    left, right = codes[pairs[:, 0]], codes[pairs[:, 1]]
    apart = left != right
    near: dict[str, set[str]] = {code: set() for code in table.index}
    for a, b in sorted(set(zip(left[apart], right[apart], strict=True))):
        near[a].add(b)
        near[b].add(a)
    return table, near


def _distances(table: pd.DataFrame, around: str) -> dict[str, float]:
    points = table[["x", "y", "z"]].to_numpy()
    gaps = np.linalg.norm(points - table.loc[around, ["x", "y", "z"]].to_numpy(dtype=float), axis=1)
    return dict(zip(table.index, gaps.tolist(), strict=True))


def _grow(persons: int, around: str) -> list[str]:
    """Whole départements, from the nearest outwards, until the total is as near as can be."""
    table, near = _departements()
    size = {str(code): int(people) for code, people in table["population"].items()}
    gap = _distances(table, around)
    chosen = [around]
    for code, least in OVERSEAS_FROM.items():
        if persons >= least and code != around and sum(size[c] for c in chosen) + size[code] <= persons:
            chosen.append(code)
    while len(chosen) < len(size):
        total = sum(size[code] for code in chosen)
        left = [code for code in size if code not in chosen and code not in OVERSEAS_FROM]
        left = left or [code for code in size if code not in chosen]
        edge = [code for code in left if near[code] & set(chosen)] or left
        edge.sort(key=lambda code: (gap[code], code))
        if total + size[edge[0]] <= persons:
            chosen.append(edge[0])
            continue
        # The last step takes, among the neighbours, the one that lands nearest, or none.
        last = min(edge, key=lambda code: abs(total + size[code] - persons))
        if abs(total + size[last] - persons) < abs(total - persons):
            chosen.append(last)
        break
    return sorted(chosen)


def _fill(persons: int, around: str) -> NDArray[np.int64]:
    """Whole communes of one département, nearest to its prefecture first, that fit in the total."""
    places = all_communes()
    inside = np.flatnonzero((places["departement"] == around).to_numpy() & (places["population"] > 0).to_numpy())
    sizes = places["population"].to_numpy()[inside]
    towns = places["insee_code"].to_numpy()[inside]
    centre = int(np.flatnonzero(towns == PREFECTURES[around])[0]) if around in PREFECTURES else int(sizes.argmax())
    points = earth_points(places["lon"].to_numpy()[inside], places["lat"].to_numpy()[inside])
    order = np.argsort(np.linalg.norm(points - points[centre], axis=1), kind="stable")
    taken, total = [], 0
    for place in order:
        if total + sizes[place] <= persons:
            taken.append(place)
            total += int(sizes[place])
        if persons - total <= 0.005 * persons:
            break
    return np.sort(inside[taken])


def choose_territory(
    persons: int = 5_000_000, around: str = "69", territories: Sequence[str] | None = None
) -> Territory:
    """Choose whole territories for a number of persons.

    Parameters
    ----------
    persons : int, optional
        Persons wished, 1,000 to 68.4 million; what is realised is as near as whole territories allow.
    around : str, optional
        Code of the département in the middle.
    territories : sequence of str, optional
        Codes of départements or communes to take instead, whatever their number of persons.

    Returns
    -------
    Territory
        The communes.

    Raises
    ------
    ParameterError
        If a code or the number is not one that can be had.

    Examples
    --------
    >>> choose_territory(territories=["2A", "2B"]).persons
    355486
    """
    places = all_communes()
    table, _ = _departements()
    if territories is not None:
        return _named(places, table, list(territories))
    if not isinstance(persons, int) or isinstance(persons, bool) or not MINIMUM <= persons <= MAXIMUM:
        raise ParameterError(f"persons = {persons!r}", f"a whole number from {MINIMUM:,} to {MAXIMUM:,}")
    if around not in table.index:
        raise ParameterError(f"around = {around!r} is not a département", "a code such as '69', '2A' or '971'")
    if persons < int(table["population"].to_dict()[around]):
        rows = _fill(persons, around)
        whole: tuple[str, ...] = ()
        words = f"{len(rows)} whole communes of département {around}, nearest to its prefecture first"
        words += "; communes with more persons than were left to place are passed over"
    else:
        whole = tuple(_grow(persons, around))
        rows = np.flatnonzero(places["departement"].isin(whole).to_numpy())
        words = f"{len(whole)} whole départements, outwards from {around}"
    communes = places.iloc[rows].reset_index(drop=True)
    realised = int(communes["population"].sum())
    words += f": {realised:,} persons where {persons:,} were asked, every commune at full density"
    return Territory(communes, persons, whole, words)


def _named(places: pd.DataFrame, table: pd.DataFrame, codes: list[str]) -> Territory:
    known = set(table.index) | set(places["insee_code"])
    faults = [f"{code!r}" for code in codes if code not in known]
    if faults or not codes:
        raise ParameterError(
            f"{len(faults)} of {len(codes)} territories are unknown", "codes of départements or communes", faults=faults
        )
    mask = places["departement"].isin(codes) | places["insee_code"].isin(codes)
    communes = places[mask].reset_index(drop=True)
    whole = tuple(sorted(set(codes) & set(table.index)))
    words = f"named territories: {int(communes['population'].sum()):,} persons, every commune at full density"
    return Territory(communes, None, whole, words)
