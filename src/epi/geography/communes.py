"""Communes and the territories they make up."""

from __future__ import annotations

import unicodedata
from typing import Literal, get_args

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError
from epi.geography import store

Level = Literal[
    "commune",
    "bassin_de_vie",
    "arrondissement",
    "departement",
    "region",
    "epci",
    "urban_unit",
    "catchment_area",
]
LEVELS: tuple[str, ...] = get_args(Level)
"""The levels of territory, as columns of the table of communes are named.

commune (34,875, codes of 1 January 2026), bassin_de_vie (INSEE 2022: where daily services are within reach),
arrondissement (sub-prefectures), departement, region, epci (groups of communes that levy taxes, DGCL 2026),
urban_unit (INSEE 2020: continuous building, 2,000 inhabitants), catchment_area (INSEE 2020: *aire d'attraction des
villes*, a pole and those who commute to it). Below the commune: :func:`~epi.geography.arrondissements_of` for Paris,
Lyon and Marseille, :func:`~epi.geography.commune_of_iris` for IRIS."""

OUTSIDE = {"urban_unit": r"^(?:[0-9]{2}|2[AB]|9[A-F])000$", "catchment_area": r"^000$"}
"""At two levels INSEE gives a code to what lies outside every area: it matches this."""


def check_level(level: str) -> str:
    """Make sure that a level exists.

    Parameters
    ----------
    level : str
        Name of a level.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ParameterError
        If there is no such level.

    Examples
    --------
    >>> check_level("region")
    'region'
    """
    if level not in LEVELS:
        raise ParameterError(f"level {level!r} is unknown", f"one of {', '.join(LEVELS)}")
    return level


def read_communes(*, arrondissements: bool = False) -> pd.DataFrame:
    """Give the table of current communes.

    Parameters
    ----------
    arrondissements : bool, optional
        Add the 45 municipal arrondissements of Paris, Lyon and Marseille. Their population is also
        in their city: never add up both.

    Returns
    -------
    pandas.DataFrame
        Sorted by insee_code: insee_code, name, type, parent_code, one column for each level (departement,
        region, arrondissement, epci, bassin_de_vie, urban_unit, catchment_area), population (census
        2023), area_km2, lon and lat (degrees WGS84), epsg, x_m and y_m (metres in that projection).

    Examples
    --------
    >>> communes = read_communes()
    >>> len(communes), int(communes["population"].sum())
    (34875, 68350798)
    """
    table = store.communes()
    if arrondissements:
        return table.copy()
    return table[table["type"] == "commune"].reset_index(drop=True)


def describe_commune(insee_code: str) -> pd.Series:
    """Give one commune or municipal arrondissement, with the names of its territories.

    Parameters
    ----------
    insee_code : str
        A current INSEE code.

    Returns
    -------
    pandas.Series
        The row of :func:`read_communes`, plus a `<level>_name` for each level.

    Raises
    ------
    GeographyError
        If the code is not a current one.

    Examples
    --------
    >>> describe_commune("38185")[["name", "departement_name", "region_name"]].tolist()
    ['Grenoble', 'Isère', 'Auvergne-Rhône-Alpes']
    """
    place = store.positions().get_indexer(pd.Index([insee_code]))[0]
    if place < 0:
        raise GeographyError(
            f"{insee_code!r} is not a current commune",
            "a current INSEE code of 5 characters, such as '01053'",
            "geography.to_current([...]) follows older codes; geography.find_communes(name) searches by name",
        )
    row = store.communes().iloc[place].copy()
    names = store.names().set_index(["level", "code"])["name"]
    for level in LEVELS[1:]:
        row[f"{level}_name"] = names.get((level, row[level]), None)
    return row


def fold(text: pd.Series) -> pd.Series:
    """Bring names to a form in which accents, case, hyphens and ligatures do not matter.

    Parameters
    ----------
    text : pandas.Series
        Names.

    Returns
    -------
    pandas.Series
        The same names in plain lower case.

    Examples
    --------
    >>> fold(pd.Series(["L'Haÿ-les-Roses", "Œuilly"])).tolist()
    ['l hay les roses', 'oeuilly']
    """
    plain = [unicodedata.normalize("NFKD", name.lower().replace("œ", "oe").replace("æ", "ae")) for name in text]
    letters = pd.Series(plain, index=text.index, dtype=object).str.replace(r"[\u0300-\u036f]", "", regex=True)
    return letters.str.replace(r"[^a-z0-9]+", " ", regex=True).str.strip()


def find_communes(name: str) -> pd.DataFrame:
    """Search communes by a part of their name.

    Parameters
    ----------
    name : str
        Some letters; accents, case and hyphens do not matter.

    Returns
    -------
    pandas.DataFrame
        Rows of :func:`read_communes`, exact names first, then by population.

    Examples
    --------
    >>> find_communes("saint etienne")["insee_code"].iloc[0]
    '42218'
    """
    table = store.communes()
    wanted = fold(pd.Series([name])).iloc[0]
    folded = fold(table["name"])
    hits = table[folded.str.contains(wanted, regex=False)]
    exact = folded[hits.index] == wanted
    order = np.lexsort([hits["insee_code"], -hits["population"], ~exact])
    return hits.iloc[order].reset_index(drop=True)


def territory(level: str) -> pd.DataFrame:
    """List the areas of a level, with what their communes add up to.

    Parameters
    ----------
    level : str
        One of :data:`LEVELS`.

    Returns
    -------
    pandas.DataFrame
        Sorted by code: code, name, communes (their number), population, area_km2, lon and lat (centre
        of the population), overseas, outside (true for INSEE's remainder codes, which are no area).

    Raises
    ------
    ParameterError
        If there is no such level.

    Examples
    --------
    >>> territory("region").query("name == 'Corse'")[["code", "communes", "population"]].values.tolist()
    [['94', 360, 355486]]
    """
    column = "insee_code" if check_level(level) == "commune" else level
    communes = read_communes()
    communes = communes.assign(
        weighted_lon=communes["lon"] * communes["population"],
        weighted_lat=communes["lat"] * communes["population"],
        code=communes[column].astype(object),
        overseas=communes["epsg"] != 2154,
    ).dropna(subset="code")
    groups = communes.groupby("code", sort=True)
    table = groups.agg(
        communes=("insee_code", "size"),
        population=("population", "sum"),
        area_km2=("area_km2", "sum"),
        lon=("weighted_lon", "sum"),
        lat=("weighted_lat", "sum"),
        mean_lon=("lon", "mean"),
        mean_lat=("lat", "mean"),
        overseas=("overseas", "first"),
    ).reset_index()
    # Six villages destroyed in 1916 have no inhabitant: their centre is that of the land.
    for axis in ("lon", "lat"):
        people = table["population"].where(table["population"] > 0)
        table[axis] = (table[axis] / people).fillna(table[f"mean_{axis}"])
    table.insert(1, "name", table["code"].map(names_of(level)))
    table["outside"] = table["code"].str.fullmatch(OUTSIDE[level].strip("^$")) if level in OUTSIDE else False
    return table.drop(columns=["mean_lon", "mean_lat"])


def names_of(level: str) -> dict[str, str]:
    """Give the name of each area of a level.

    Parameters
    ----------
    level : str
        One of :data:`LEVELS`.

    Returns
    -------
    dict
        Code to name.

    Raises
    ------
    ParameterError
        If there is no such level.

    Examples
    --------
    >>> names_of("departement")["2A"]
    'Corse-du-Sud'
    """
    if check_level(level) == "commune":
        table = store.communes()
        return dict(zip(table["insee_code"], table["name"], strict=True))
    table = store.names()
    table = table[table["level"] == level]
    return dict(zip(table["code"], table["name"], strict=True))
