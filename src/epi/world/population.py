"""Persons by commune, sex and age: real totals, ages raked from wider areas."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.world.streams import open_stream
from epi.world.territory import Territory, all_communes

AGE_LOWS = np.arange(0, 100, 5)
SEXES = ("M", "F")
CELLS = len(SEXES) * len(AGE_LOWS)
# Age groups of the bassins de vie, as positions among the five-year groups; 90+ holds 90-94 and 95+.
_GROUPS = {"0_14": (0, 3), "15_29": (3, 6), "30_44": (6, 9), "45_59": (9, 12), "60_74": (12, 15),
           "75_89": (15, 18), "90p": (18, 20)}  # fmt: skip
METHOD = (
    "Commune totals are the legal populations (census 2023). Ages and sexes are not counted by commune: they are "
    "raked (iterative proportional fitting) from the age groups of the bassins de vie (census 2021) and the "
    "national table by sex and age (1 January 2022). Communes of a bassin de vie share one structure; overseas "
    "départements and Corsica, without a table of their own, take the national "
    "structure. Persons are whole numbers by systematic rounding: each commune total is exact, each cell is "
    "within one person of its raked value, and rare cells are not lost in small communes. Taken as constant over years."
)


def read_data(name: str) -> pd.DataFrame:
    """Read one of the tables that travel with the world.

    Parameters
    ----------
    name : str
        File name in ``epi/world/data``.

    Returns
    -------
    pandas.DataFrame
        The table; codes as text.
    """
    with resources.as_file(resources.files("epi.world") / "data" / name) as path:
        return pd.read_csv(
            path,
            dtype={"bv2022": str, "insee_code": str, "onset": str, "inheritance": str, "hgnc": str},
            keep_default_na=False,
        )


@cache
def area_structures() -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Rake the age-sex structure of every bassin de vie.

    Returns
    -------
    areas : pandas.DataFrame
        Index: bassin de vie, and ``"other"`` for communes without ages of their own.
    structure : numpy.ndarray
        One row of 40 shares for each area (men 0-4 ... 95+, then women); each row sums to 1.
    """
    shares = read_data("age_shares_bv.csv.gz").set_index("bv2022")
    national = read_data("age_sex_france.csv")
    seed = np.concatenate(
        [national[national["sex"] == sex].sort_values("age_low")["persons"].to_numpy(float) for sex in SEXES]
    )
    places = all_communes()
    area = places["bassin_de_vie"].where(places["bassin_de_vie"].isin(shares.index), "other")
    totals = places.groupby(area.to_numpy())["population"].sum()
    known = [code for code in totals.index if code != "other"]
    totals = totals.reindex([*known, "other"])
    groups = shares.loc[known].to_numpy(float)
    groups = groups / groups.sum(axis=1, keepdims=True) * totals.to_numpy()[:-1, None]
    target = seed / seed.sum() * totals.sum()
    table = np.outer(totals, seed / seed.sum())
    cells = [[low + half * len(AGE_LOWS) for half in (0, 1) for low in range(*span)] for span in _GROUPS.values()]
    for _ in range(30):
        table *= target / table.sum(axis=0)
        for column, members in enumerate(cells):
            table[:-1, members] *= (groups[:, column] / table[:-1, members].sum(axis=1))[:, None]
        table[-1] = seed / seed.sum() * totals.iloc[-1]
    return totals.to_frame("population"), table / table.sum(axis=1, keepdims=True)


def count_persons(territory: Territory, seed: int) -> NDArray[np.int32]:
    """Count persons by commune and age-sex cell, each commune total exact.

    Parameters
    ----------
    territory : Territory
        The communes.
    seed : int
        Seed of the world; a commune has the same persons in every world of that seed.

    Returns
    -------
    numpy.ndarray
        One row for each commune, 40 columns: men by five-year age, then women.

    Examples
    --------
    >>> from epi.world.territory import choose_territory
    >>> place = choose_territory(territories=["01001"])
    >>> int(count_persons(place, 1).sum()), place.persons
    (860, 860)
    """
    areas, structure = area_structures()
    codes = territory.communes["bassin_de_vie"]
    rows = areas.index.get_indexer(pd.Index(codes.where(codes.isin(areas.index), "other")))
    total = territory.communes["population"].to_numpy()
    start = open_stream(seed, "population").random(len(all_communes()))
    start = start[all_communes()["insee_code"].searchsorted(territory.communes["insee_code"])]
    edges = np.zeros((len(total), CELLS + 1))
    np.cumsum(structure[rows], axis=1, out=edges[:, 1:])
    edges *= total[:, None]
    edges[:, -1] = total  # the last edge is the total itself, whatever rounding did on the way
    return np.diff(np.floor(edges + start[:, None]), axis=1).astype(np.int32)


def population_table(territory: Territory, counts: NDArray[np.int32]) -> pd.DataFrame:
    """Lay the counts out as the reference table ``population``.

    Parameters
    ----------
    territory : Territory
        The communes.
    counts : numpy.ndarray
        From :func:`count_persons`.

    Returns
    -------
    pandas.DataFrame
        insee_code, sex, age_low, persons; 40 rows for each commune.
    """
    n = len(counts)
    return pd.DataFrame(
        {
            "insee_code": np.repeat(territory.communes["insee_code"].to_numpy(dtype=object), CELLS),
            "sex": np.tile(np.repeat(np.array(SEXES, dtype=object), len(AGE_LOWS)), n),
            "age_low": np.tile(np.tile(AGE_LOWS, len(SEXES)), n).astype(np.int16),
            "persons": counts.ravel(),
        }
    )
