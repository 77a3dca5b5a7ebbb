"""Life tables: what the general population of the same sex, age and year dies of in a day.

A table holds one hazard a day for each sex, year of age and calendar year (and territory). Age 0 is not
one cell: the hazard of the first year is shared out over its days (``infancy``).
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.errors import DataError, ParameterError
from epi.survival.data import DAYS_PER_YEAR
from epi.survival.infancy import INFANT_DEATHS, share_out

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Extend = Literal["refuse", "nearest"]
ALL = "all"
SEXES = ("F", "M")
OPEN_AGE = 95
"""A last age of so many years or more stands for whoever is older, as published tables have it."""


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
        Whether a year outside the table, or an age past a last one below 95, is an error, or takes the nearest cell.
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
        object.__setattr__(self, "_pieces", share_out(self.hazards[..., 0], self.infant, self.year_length))

    @property
    def last_year(self) -> int:
        """Calendar year of the last cell."""
        return self.first_year + self.hazards.shape[2] - 1

    @property
    def oldest(self) -> int:
        """Age of the last cell; it holds for whoever is older, where it is 95 or more or ``extend`` is "nearest"."""
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
            If the table has territories and none are given, or has none and some are.
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
        if territory is not None and self.territories == (ALL,):
            raise ParameterError(
                f"the life table {self.name} has no territories and some are given", "a table by territory",
                "leave territory= out",
            )  # fmt: skip
        if territory is not None:
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
            If somebody is at risk before birth or, while ``extend`` is "refuse", in a year outside the table or past
            a last age below 95, which is no open one: how many, never who.
        """
        born, low, high = (np.asarray(part, dtype=np.int64) for part in (birth, start, end))
        faults = []
        if (low < born).any():
            faults.append(f"{int((low < born).sum())} persons are at risk before their birth")
        age = (high - 1 - born) / self.year_length
        first, last = _year(low), _year(high - 1)
        if self.extend == "refuse":
            early, late = int((first < self.first_year).sum()), int((last > self.last_year).sum())
            if early:
                faults.append(f"{early} persons are at risk before {self.first_year}, from {int(first.min())} on")
            if late:
                faults.append(f"{late} persons are at risk after {self.last_year}, until {int(last.max())}")
            old = int((age >= self.oldest + 1).sum()) if self.oldest < OPEN_AGE else 0
            if old:
                faults.append(f"{old} persons are at risk past the table's last age, {self.oldest}")
        if faults:
            raise DataError(
                f"the life table {self.name} ({self.first_year}-{self.last_year}) does not cover this follow-up",
                "time at risk within the table's years and ages",
                'extend="nearest" takes the nearest cell and says so, or data.window(...) leaves that time out',
                faults=faults,
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
        >>> from epi.survival import life_table
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
        >>> from epi.survival import life_table
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
