"""Dates of a geography, and the populations that tell how a commune's people were shared out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from epi.errors import GeographyError
from epi.geography import store
from epi.geography.codes import Codes, distinct_codes
from epi.geography.lineage import FIRST_DAY, LAST_DAY, communes_since_1943, parts

POPULATIONS: dict[str, str] = {
    "population_2023": "2026-01-01",
    "filosofi_2021_persons": "2024-01-01",
    "census_2011_active_25_54": "2013-01-01",
}
"""Sources of populations and the geography in which each counts, in the order they are tried."""


def read_vintage(value: Any, what: str = "to_vintage") -> int:
    """Read a date of the code geography.

    Parameters
    ----------
    value : int, str or datetime.date
        A year, which stands for its 1 January, or a date (ISO text or date).
    what : str, optional
        Name of the parameter, for the message.

    Returns
    -------
    int
        Days since 1970.

    Raises
    ------
    GeographyError
        If it is no date, or one before 1943 or after the last official list of communes.

    Examples
    --------
    >>> read_vintage(1970), read_vintage("1970-01-02")
    (0, 1)
    """
    text = str(value).strip()
    if not isinstance(value, bool) and text.isdigit() and len(text) == 4:
        text += "-01-01"
    try:
        day = (dt.date.fromisoformat(text[:10]) - dt.date(1970, 1, 1)).days
        if isinstance(value, bool) or text[4] != "-" or text[10:].strip(" T0:."):
            raise ValueError
    except ValueError as error:
        raise GeographyError(f"{what} is {value!r}", "a year such as 2015, or a date such as '2015-07-01'") from error
    if not FIRST_DAY <= day <= LAST_DAY:
        raise GeographyError(
            f"{what} is {value!r}",
            f"from 1943-01-01 to {store.VINTAGE}, the days that INSEE's list of events covers",
            "None when the date is unknown" if what == "from_vintage" else "",
        )
    return day


def write_day(day: int) -> str:
    """Write a day.

    Parameters
    ----------
    day : int
        Days since 1970.

    Returns
    -------
    str
        As ISO writes it.

    Examples
    --------
    >>> write_day(0)
    '1970-01-01'
    """
    return str(np.datetime64(int(day), "D"))


@dataclass(frozen=True)
class Measured:
    """People of the communes of a day, by one source.

    Parameters
    ----------
    source : str
        A key of :data:`POPULATIONS`.
    persons : numpy.ndarray
        By position of the code in the lineage; NaN where the source's communes do not make up the commune.
    """

    source: str
    persons: np.ndarray


@cache
def _counted(source: str) -> np.ndarray:
    lineage = communes_since_1943()
    persons = np.full(len(lineage.codes), np.nan)
    communes = store.communes()
    # A commune that nothing touched since is only in the list of today: for what did not change there is
    # nothing to share out.
    table = (
        communes.loc[communes["type"] == "commune", ["insee_code", "population"]].to_numpy(dtype=object).T
        if source == "population_2023"
        else store.former_populations().query("source == @source")[["code", "persons"]].to_numpy(dtype=object).T
    )
    persons[lineage.codes.get_indexer(table[0])] = table[1].astype(float)
    return persons


@lru_cache(maxsize=64)
def measured_at(day: int) -> tuple[Measured, ...]:
    """Count the people of every commune of a day by each source that can.

    Parameters
    ----------
    day : int
        Days since 1970.

    Returns
    -------
    tuple of Measured
        One for each source, in the order they are tried. A commune has a number where it is the exact
        union of communes that the source counted.
    """
    lineage = communes_since_1943()
    size = len(lineage.codes)
    here = lineage.holders_at(day).astype("int64")
    found = []
    for source, date in POPULATIONS.items():
        there = lineage.holders_at(read_vintage(date))
        pairs = np.unique(here * size + there)
        commune, unit = pairs // size, pairs % size
        persons = _counted(source)[unit]
        shared = np.bincount(unit, minlength=size)[unit] > 1
        total = np.full(size, np.nan)
        sums = np.bincount(commune, weights=np.where(shared, np.nan, persons), minlength=size)
        total[commune] = sums[commune]
        found.append(Measured(source, total))
    return tuple(found)


def possible_vintages(codes: Codes, first: int = 1943, last: int | None = None) -> list[int]:
    """Find the years on whose 1 January all the commune codes of a file were valid.

    Parameters
    ----------
    codes : sequence of str
        INSEE codes; missing ones, municipal arrondissements, and codes that no commune ever had say nothing of
        the date and are passed over.
    first, last : int, optional
        Years to look at; from 1943 to the last official list of communes.

    Returns
    -------
    list of int
        Years in order; empty when the codes are of several dates, every year when nothing tells.

    Examples
    --------
    >>> possible_vintages(["01003", "2A004"])  # an associated commune until 1982; Corsica's codes since 1976
    [1976, 1977, 1978, 1979, 1980, 1981, 1982]
    >>> possible_vintages(["2A004", "15031"], first=2015)
    [2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023, 2024, 2025, 2026]
    """
    lineage = communes_since_1943()
    given = pd.Index(distinct_codes(codes).text.dropna().unique())
    inner = parts()
    given = given[given.isin(lineage.codes) | given.isin(inner["code"])]
    end = last if last is not None else int(write_day(LAST_DAY)[:4])
    found = []
    for year in range(first, end + 1):
        day = read_vintage(year)
        alive = lineage.valid_at(day)
        left = given[~given.isin(alive)]
        if left.empty or left.isin(inner.loc[(inner["start"] <= day) & (day < inner["end"]), "code"]).all():
            found.append(year)
    return found
