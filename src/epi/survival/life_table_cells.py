"""Life tables made from their cells, all of them checked, and the table of France that the package carries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Literal

import numpy as np
import pandas as pd

from epi.errors import DataError, ParameterError
from epi.survival.data import DAYS_PER_YEAR
from epi.survival.infancy import INFANT_DEATHS, check_infant
from epi.survival.life_table import ALL, OPEN_AGE, SEXES, Extend, LifeTable


def build_life_table(
    frame: pd.DataFrame, *, name: str, source: str = "", infant: Sequence[tuple[int, float]] = INFANT_DEATHS,
    extend: Extend = "refuse", year_length: float = DAYS_PER_YEAR, notes: Sequence[str] = (),
) -> LifeTable:  # fmt: skip
    """Make a life table from its cells, all of them checked.

    Parameters
    ----------
    frame : pandas.DataFrame
        `sex` (F, M), `year` and `age` (whole numbers), and `hazard_per_day`, or `qx` (probability of
        dying within the year of age); `territory` where there are several.
    name : str
        The population.
    source : str, optional
        Where the figures come from.
    infant : sequence of (int, float), optional
        Day of life and share of infant deaths before it; that of France by default, empty for a
        constant hazard over the first year.
    extend : {"refuse", "nearest"}, optional
        What to do with years outside the table, and with ages past a last one below 95.
    year_length : float, optional
        Days in a year of age.
    notes : sequence of str, optional
        What a reader must know.

    Returns
    -------
    LifeTable
        The table.

    Raises
    ------
    DataError
        If a column is missing, a cell is absent, repeated or no hazard, or years or ages have gaps;
        all faults at once.
    ParameterError
        If an option is wrong.

    Examples
    --------
    >>> cells = pd.DataFrame([(s, 2000, a, 0.001 * (a + 1)) for s in "FM" for a in range(3)],
    ...                      columns=["sex", "year", "age", "qx"])
    >>> print(build_life_table(cells, name="an island"))
    Life table an island, 2000-2000, ages 0-2
    """
    if extend not in ("refuse", "nearest"):
        raise ParameterError(f"extend is {extend!r}", "refuse or nearest", 'extend="nearest"')
    if not 365 <= year_length <= 366:
        raise ParameterError(f"a year of {year_length} days", "365 to 366 days", "year_length=365.25")
    knots = tuple((int(day), float(share)) for day, share in infant)
    check_infant(knots)
    missing = [column for column in ("sex", "year", "age") if column not in frame]
    if "hazard_per_day" not in frame and "qx" not in frame:
        missing.append("hazard_per_day or qx")
    if missing:
        raise DataError(
            f"the cells of life table {name} have no column {', '.join(missing)}",
            "sex, year, age and hazard_per_day or qx",
        )
    cells = frame.assign(territory=frame["territory"].astype(str) if "territory" in frame else ALL)
    if "hazard_per_day" not in cells:
        chance = pd.to_numeric(cells["qx"], errors="coerce")
        bad = ~((chance >= 0) & (chance < 1))
        if bad.any():
            raise DataError(
                f"{int(bad.sum())} cells of life table {name} have no qx from 0 to below 1", "probabilities"
            )
        cells = cells.assign(hazard_per_day=-np.log1p(-chance) / year_length)
    faults = _faults(cells)
    if faults:
        raise DataError(f"the cells of life table {name} are not whole", "each cell once", faults=faults)
    keys = [cells[column].to_numpy() for column in ("territory", "sex", "year", "age")]
    names = tuple(sorted(set(keys[0].tolist())))
    first, size, oldest = int(keys[2].min()), int(keys[2].max() - keys[2].min()) + 1, int(keys[3].max())
    hazards = np.empty((len(names), 2, size, oldest + 1))
    hazards[
        pd.Index(names).get_indexer(pd.Index(keys[0])), pd.Index(SEXES).get_indexer(pd.Index(keys[1])),
        keys[2].astype(np.int64) - first, keys[3].astype(np.int64),
    ] = cells["hazard_per_day"].to_numpy(dtype=np.float64)  # fmt: skip
    said = list(notes)
    if extend == "nearest":
        said.append(f"years before {first} and after {first + size - 1} take the nearest year's mortality")
        if oldest < OPEN_AGE:
            said.append(f"ages past {oldest} take its mortality")
    if not knots:
        said.append("the hazard is constant over the first year of life: deaths of the first weeks are misstated")
    return LifeTable(name, hazards, first, names, knots, extend, year_length, source, tuple(said))


@cache
def _france() -> pd.DataFrame:
    with resources.as_file(resources.files("epi.survival") / "data" / "life_table_france.parquet") as path:
        return pd.read_parquet(path)


def life_table(
    name: Literal["France"] = "France", *, extend: Extend = "refuse",
    infant: Sequence[tuple[int, float]] = INFANT_DEATHS, year_length: float = DAYS_PER_YEAR,
) -> LifeTable:  # fmt: skip
    """Give the life table of France, by sex, age and year, 1976-2021.

    Parameters
    ----------
    name : {"France"}, optional
        The population.
    extend : {"refuse", "nearest"}, optional
        What to do with years outside the table, and with ages past a last one below 95.
    infant : sequence of (int, float), optional
        Day of life and share of infant deaths before it.
    year_length : float, optional
        Days in a year of age.

    Returns
    -------
    LifeTable
        The table; a cell of year Y comes from the deaths of Y-1 to Y+1.

    Raises
    ------
    ParameterError
        If the package has no such table.

    Notes
    -----
    INSEE, table T68, through the R package survexp.fr 1.2. Its tables cover three years and carry the
    last one's number; here each stands for its middle year, for which it is without shift. Ages from
    100 on take the hazard of 99.

    Examples
    --------
    >>> print(life_table("France"))
    Life table France, 1976-2021, ages 0-99
    """
    if name != "France":
        raise ParameterError(f"no life table {name!r} in the package", "France", "read_life_table or build_life_table")
    return build_life_table(
        _france(), name="France", source="INSEE, table T68 (three-year tables, each at its middle year)", infant=infant,
        extend=extend, year_length=year_length, notes=("a year's mortality is that of the three years around it",),
    )  # fmt: skip


def _faults(cells: pd.DataFrame) -> list[str]:
    found = []
    strange = int((~cells["sex"].isin(SEXES)).sum())
    if strange:
        found.append(f"{strange} cells have a sex that is neither F nor M")
    numbers = cells[["year", "age"]].apply(pd.to_numeric, errors="coerce")
    broken = numbers.isna().any(axis=1) | (numbers % 1 != 0).any(axis=1) | (numbers["age"] < 0)
    if broken.any():
        found.append(f"{int(broken.sum())} cells have no whole year or age")
    hazard = pd.to_numeric(cells["hazard_per_day"], errors="coerce")
    wrong = int((~(np.isfinite(hazard) & (hazard >= 0))).sum())
    if wrong:
        found.append(f"{wrong} cells have no hazard of 0 or more")
    twice = int(cells.duplicated(["territory", "sex", "year", "age"]).sum())
    if twice:
        found.append(f"{twice} cells are there twice")
    if not found:
        years, ages = numbers["year"], numbers["age"]
        whole = cells["territory"].nunique() * 2 * int(years.max() - years.min() + 1) * int(ages.max() + 1)
        if whole != len(cells):
            found.append(
                f"{whole - len(cells)} of {whole} cells are absent: each sex, year from first to last, age from 0"
            )
    return found
