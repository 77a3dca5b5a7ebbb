"""Life tables: what the general population of the same sex, age and year dies of in a day.

A table holds one hazard a day for each sex, year of age and calendar year (and territory). Age 0 is not
one cell: half of infant deaths fall in the first week, so that the hazard of the first year is shared
out over its days by a published distribution of infant deaths.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.errors import DataError, ParameterError
from epi.survival.data import DAYS_PER_YEAR

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Extend = Literal["refuse", "nearest"]
ALL = "all"
SEXES = ("F", "M")

INFANT_DEATHS: tuple[tuple[int, float], ...] = ((1, 0.244), (7, 0.478), (28, 0.70))
"""Share of infant deaths until a day of life: the first day and the first week, 53,077 infant deaths of France,
2001-2019 (Trinh et al., Lancet Reg Health Eur 2022;16:100339); four weeks, neonatal over infant mortality of France
in 2019, 2.6 over 3.7 per 1,000 (UN IGME). The distribution of other years differs (four weeks: 59 % in 1995, Hatton
et al. 2000), the yearly total does not."""


@dataclass(frozen=True, eq=False)
class LifeTable:
    """Mortality of a population by sex, age, calendar year and territory.

    Parameters
    ----------
    name : str
        The population.
    hazards : numpy.ndarray of float64, shape (territories, 2, years, ages)
        Deaths a person-day; women first. The last age holds for whoever is older.
    first_year : int
        Calendar year of the first cell.
    territories : tuple of str
        Names of the territories; ``("all",)`` where there is one.
    infant : tuple of (int, float)
        Day of life and share of the infant deaths that fall before it; empty for a constant hazard
        over the first year.
    extend : {"refuse", "nearest"}
        Whether a year outside the table is an error, or takes the nearest year's cells.
    year_length : float
        Days in a year of age: 365.25, or that of the software to be compared with.
    source : str
        Where the figures come from.
    notes : tuple of str
        What a reader must know.
    """

    name: str
    hazards: NDArray[np.float64]
    first_year: int
    territories: tuple[str, ...] = (ALL,)
    infant: tuple[tuple[int, float], ...] = INFANT_DEATHS
    extend: Extend = "refuse"
    year_length: float = DAYS_PER_YEAR
    source: str = ""
    notes: tuple[str, ...] = ()
    _pieces: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.hazards.setflags(write=False)
        object.__setattr__(self, "_pieces", _share_out(self.hazards[..., 0], self.infant, self.year_length))

    @property
    def last_year(self) -> int:
        """Calendar year of the last cell."""
        return self.first_year + self.hazards.shape[2] - 1

    @property
    def oldest(self) -> int:
        """Age of the last cell, which holds for whoever is older."""
        return self.hazards.shape[3] - 1

    @property
    def infant_days(self) -> tuple[int, ...]:
        """Days of life on which the hazard of the first year changes."""
        return tuple(day for day, _ in self.infant)

    @property
    def settings(self) -> Mapping[str, Any]:
        """What determines expected deaths."""
        return {
            "life_table": self.name, "years": [self.first_year, self.last_year], "territories": list(self.territories),
            "infant_deaths": [list(pair) for pair in self.infant] or "constant over the first year",
            "extend": self.extend, "year_length": self.year_length, "source": self.source,
        }  # fmt: skip

    @property
    def table(self) -> pd.DataFrame:
        """Cells: `territory`, `sex`, `year`, `age`, `hazard_per_day`, `qx` (probability of dying within the year)."""
        shape = self.hazards.shape
        grid = np.indices(shape).reshape(4, -1)
        hazard = self.hazards.ravel()
        return pd.DataFrame({
            "territory": np.array(self.territories, dtype=object)[grid[0]],
            "sex": np.array(SEXES, dtype=object)[grid[1]],
            "year": self.first_year + grid[2], "age": grid[3], "hazard_per_day": hazard,
            "qx": -np.expm1(-hazard * self.year_length),
        })  # fmt: skip

    def with_constant_infancy(self) -> LifeTable:
        """Give the table with one hazard over the whole first year, as other software has it.

        Returns
        -------
        LifeTable
            The same cells.
        """
        return replace(self, infant=())

    def position(self, sex: ArrayLike, territory: ArrayLike | None = None) -> NDArray[np.int64]:
        """Find the persons' rows of the table: territory and sex.

        Parameters
        ----------
        sex : array-like of str
            "F" or "M".
        territory : array-like of str, optional
            Needed where the table has several.

        Returns
        -------
        numpy.ndarray of int64
            2 x territory + sex.

        Raises
        ------
        DataError
            If a sex or territory is missing or not in the table: how many, never who.
        ParameterError
            If the table has territories and none are given.
        """
        sexes = pd.Index(SEXES).get_indexer(pd.Index(np.asarray(sex, dtype=object)))
        faults = []
        if (sexes < 0).any():
            faults.append(f"sex is neither F nor M for {int((sexes < 0).sum())} of {len(sexes)} persons")
        places = np.zeros(len(sexes), dtype=np.int64)
        if territory is None and len(self.territories) > 1:
            raise ParameterError(
                f"the life table {self.name} has {len(self.territories)} territories and none are given",
                "a territory for each person", "territory=",
            )  # fmt: skip
        if territory is not None and self.territories != (ALL,):
            places = pd.Index(self.territories).get_indexer(pd.Index(np.asarray(territory, dtype=object)))
            if (places < 0).any():
                faults.append(f"{int((places < 0).sum())} of {len(places)} persons have a territory that is not in it")
        if faults:
            raise DataError(
                f"the life table {self.name} does not cover these persons", "sexes and territories of the table",
                "leave them out and count them", faults=faults,
            )  # fmt: skip
        return (places * 2 + sexes).astype(np.int64)

    def check_cover(self, birth: ArrayLike, start: ArrayLike, end: ArrayLike) -> None:
        """Refuse persons whose time at risk the table does not cover.

        Parameters
        ----------
        birth, start, end : array-like of int
            Calendar days since 1970-01-01: at risk on (start, end].

        Raises
        ------
        DataError
            If somebody is at risk before birth, or in a year outside the table while ``extend`` is
            "refuse": how many, never who.
        """
        born, low, high = (np.asarray(part, dtype=np.int64) for part in (birth, start, end))
        faults = []
        if (low < born).any():
            faults.append(f"{int((low < born).sum())} persons are at risk before their birth")
        first, last = _year(low), _year(high - 1)
        if self.extend == "refuse":
            early, late = int((first < self.first_year).sum()), int((last > self.last_year).sum())
            if early:
                faults.append(f"{early} persons are at risk before {self.first_year}, from {int(first.min())} on")
            if late:
                faults.append(f"{late} persons are at risk after {self.last_year}, until {int(last.max())}")
        if faults:
            raise DataError(
                f"the life table {self.name} ({self.first_year}-{self.last_year}) does not cover this follow-up",
                "time at risk within the table's years", 'extend="nearest" takes the nearest year and says so, '
                "or data.window(...) leaves that time out", faults=faults,
            )  # fmt: skip

    def hazard(
        self, sex: ArrayLike, age: ArrayLike, day: ArrayLike, territory: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Give the hazard a day.

        Parameters
        ----------
        sex : array-like of str, shape (n,)
            "F" or "M".
        age : array-like of int
            Days since birth.
        day : array-like of int
            Calendar days since 1970-01-01.
        territory : array-like of str, optional
            Territory of each person.

        Returns
        -------
        numpy.ndarray of float64, shape (n,)
            Deaths a person-day over the day that begins then.

        Raises
        ------
        DataError
            If the table does not cover somebody.

        Examples
        --------
        >>> table = life_table("France")
        >>> first_day, tenth_year = table.hazard(["F", "F"], [0, 3700], [15000, 15000])
        >>> bool(first_day > 1000 * tenth_year)
        True
        """
        ages, days = np.asarray(age, dtype=np.int64), np.asarray(day, dtype=np.int64)
        self.check_cover(days - ages, days, days + 1)
        return self.cell(self.position(sex, territory), ages, days)

    def cell(self, position: NDArray[np.int64], age: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
        """Read cells without checks: for kernels that have checked their persons once.

        Parameters
        ----------
        position : numpy.ndarray of int64
            Rows, by :meth:`position`.
        age, day : numpy.ndarray of int64
            Days since birth; calendar days since 1970-01-01.

        Returns
        -------
        numpy.ndarray of float64
            Deaths a person-day.
        """
        year = np.clip(_year(day) - self.first_year, 0, self.hazards.shape[2] - 1)
        completed = np.clip((age / self.year_length).astype(np.int64), 0, self.oldest)
        flat = self.hazards.reshape(-1, *self.hazards.shape[2:])
        found = flat[position, year, completed]
        if self.infant:
            young = np.flatnonzero(completed == 0)
            piece = np.searchsorted(self.infant_days, age[young], side="right")
            pieces = self._pieces.reshape(-1, *self._pieces.shape[2:])
            found[young] = pieces[position[young], year[young], piece]
        return np.asarray(found, dtype=np.float64)

    def next_change(self, age: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
        """Say in how many days the cell changes: at a birthday, on 1 January, at a day of infancy.

        Parameters
        ----------
        age, day : numpy.ndarray of int64
            Days since birth; calendar days since 1970-01-01.

        Returns
        -------
        numpy.ndarray of int64
            Days, at least 1.
        """
        completed = (age / self.year_length).astype(np.int64)
        birthday = np.ceil((completed + 1) * self.year_length).astype(np.int64) - age
        step = np.minimum(birthday, np.maximum(_new_year(day) - day, 1))
        for edge in self.infant_days:
            step = np.where(age < edge, np.minimum(step, edge - age), step)
        return np.asarray(step, dtype=np.int64)

    def cumulative_hazard(
        self, sex: ArrayLike, birth: ArrayLike, start: ArrayLike, end: ArrayLike, territory: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Sum the hazard over each person's time: expected deaths of (start, end].

        Parameters
        ----------
        sex : array-like of str, shape (n,)
            "F" or "M".
        birth, start, end : array-like of int, shape (n,)
            Calendar days since 1970-01-01.
        territory : array-like of str, optional
            Territory of each person.

        Returns
        -------
        numpy.ndarray of float64, shape (n,)
            Cumulative hazard; its exponential with a minus sign is expected survival.

        Raises
        ------
        DataError
            If the table does not cover somebody.

        Examples
        --------
        >>> table = life_table("France")
        >>> year = table.cumulative_hazard(["F"], [13000], [13000], [13366])
        >>> 0.002 < float(year[0]) < 0.005
        True
        """
        born, low, high = (np.asarray(part, dtype=np.int64) for part in (birth, start, end))
        self.check_cover(born, low, high)
        total = np.zeros(len(born))
        for rows, _, step, hazard in self.walk(self.position(sex, territory), born, low, high):
            total[rows] += hazard * step
        return total

    def walk(
        self, position: NDArray[np.int64], birth: NDArray[np.int64], start: NDArray[np.int64],
        end: NDArray[np.int64], blocks: tuple[NDArray[np.int64], int] | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:  # fmt: skip
        """Go through each person's time in pieces within which the hazard is constant, one piece of each at a time.

        Parameters
        ----------
        position : numpy.ndarray of int64
            Rows of the table, by :meth:`position`.
        birth, start, end : numpy.ndarray of int64
            Calendar days since 1970-01-01, checked by :meth:`check_cover`.
        blocks : tuple of numpy.ndarray and int, optional
            Calendar day of each person's time zero, and a number of days since then at whose multiples
            pieces end too.

        Yields
        ------
        rows, day, step : numpy.ndarray of int64
            Persons, first day and length of the piece.
        hazard : numpy.ndarray of float64
            Deaths a person-day.
        """
        now = start.copy()
        rows = np.flatnonzero(now < end)
        while len(rows):
            day = now[rows]
            age = day - birth[rows]
            step = np.minimum(self.next_change(age, day), end[rows] - day)
            if blocks is not None:
                step = np.minimum(step, blocks[1] - (day - blocks[0][rows]) % blocks[1])
            yield rows, day, step, self.cell(position[rows], age, day)
            now[rows] = day + step
            rows = rows[now[rows] < end[rows]]

    def __str__(self) -> str:
        where = "" if self.territories == (ALL,) else f", {len(self.territories)} territories"
        return f"Life table {self.name}, {self.first_year}-{self.last_year}, ages 0-{self.oldest}{where}"

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return f"<p>{html.escape(str(self))}. {html.escape(self.source)}</p><ul>{notes}</ul>"


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
        What to do with years outside the table.
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
    _check_infant(knots)
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
        What to do with years outside the table.
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


@cache
def _calendar() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First days of the years 1800 to 2200, and the year of each day between: looking up is faster than reckoning."""
    starts = np.arange("1800", "2201", dtype="datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    return starts, np.repeat(np.arange(1800, 2200), np.diff(starts))


def _year(day: NDArray[np.int64]) -> NDArray[np.int64]:
    starts, years = _calendar()
    return years[np.clip(day - starts[0], 0, len(years) - 1)]


def _new_year(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """First day of the next year."""
    starts, _ = _calendar()
    return starts[_year(day) - 1800 + 1]


def _share_out(
    first_year: NDArray[np.float64], infant: tuple[tuple[int, float], ...], year_length: float
) -> NDArray[np.float64]:
    """Hazards a day of the pieces of the first year, so that the whole year keeps its probability of death."""
    if not infant:
        return first_year[..., None]
    edges = np.array([0.0, *(day for day, _ in infant), year_length])
    shares = np.array([0.0, *(share for _, share in infant), 1.0])
    dying = -np.expm1(-first_year * year_length)
    cumulative = -np.log1p(-dying[..., None] * shares)
    return np.asarray(np.diff(cumulative, axis=-1) / np.diff(edges), dtype=np.float64)


def _check_infant(knots: tuple[tuple[int, float], ...]) -> None:
    days, shares = [0, *(day for day, _ in knots), 365], [0.0, *(share for _, share in knots), 1.0]
    if any(a >= b for a, b in pairwise(days)) or any(a > b for a, b in pairwise(shares)):
        raise ParameterError(
            "infant deaths are not shares that grow over the days of the first year",
            "pairs such as (7, 0.478): the share of infant deaths before a day of life, days from 1 to 364",
            "infant=() holds the hazard constant",
        )


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
