"""Published cells of life tables, whatever the layout, made hazards by sex, calendar year and completed age.

Everything that could shift expected deaths without a sign is refused: a sex that is absent, cells there twice, gaps
in ages or years, values that are no probabilities. What is a choice (middle years, last age) becomes a note.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from epi.errors import DataError
from epi.survival.infancy import mean_infant_age

OLD = 95
"""Ages from which on a table may end earlier than its files without being told to: few persons get there."""
SERIES = ["territory", "sex", "year"]


def tidy_cells(
    cells: pd.DataFrame, name: str, years: tuple[int, int] | None, oldest: int | None,
    infant: tuple[tuple[int, float], ...], year_length: float,
) -> tuple[pd.DataFrame, list[str]]:  # fmt: skip
    """Turn published cells into those of a life table.

    Parameters
    ----------
    cells : pandas.DataFrame
        `territory`, `sex`, `low`, `high`, `age`, `open`, `q`, `m`, `reached`.
    name : str
        The population, for messages.
    years : tuple of int or None
        First and last year to be kept.
    oldest : int or None
        Last age to be kept.
    infant : tuple of (int, float)
        Distribution of infant deaths.
    year_length : float
        Days in a year of age.

    Returns
    -------
    cells : pandas.DataFrame
        `territory`, `sex`, `year`, `age`, `hazard_per_day`.
    notes : list of str
        What a reader must know.

    Raises
    ------
    DataError
        If cells are not whole or not right; all faults of a kind at once.
    """
    notes = list[str]()
    _refuse(name, _wrong(cells), "sexes F and M, each cell once, probabilities from 0 to 1, rates of 0 or more")
    cells = _by_year(cells, name, notes)
    if years is not None:
        cells = cells[cells["year"].between(*years)]
        if cells.empty:
            raise DataError(f"{name} has no year from {years[0]} to {years[1]}", "years that the files hold")
    if cells["reached"].any() and not cells["reached"].all():
        raise DataError(f"{name} mixes ages reached in the year and completed ages", "one kind of age in all files")
    hazards = _hazards(cells, infant, year_length)
    hazards = _whole(hazards, name, oldest, notes)
    if cells["reached"].any():
        hazards = _completed(hazards, infant, year_length)
        notes.append(
            "ages of the source are those reached in the year: each hazard is the mean of those of two generations, "
            "deaths of the first year are shared out between two by the distribution of infant deaths"
        )
    if oldest is not None:
        hazards = hazards[hazards["age"] <= oldest]
    last = int(hazards["age"].max())
    notes.append(f"whoever is older than {last} takes the hazard of {last}")
    return hazards.assign(hazard_per_day=hazards["hazard"] / year_length).drop(columns="hazard"), notes


def _refuse(name: str, faults: list[str], expected: str, do: str = "") -> None:
    if faults:
        raise DataError(f"the published cells of {name} make no life table", expected, do, faults=faults)


def _wrong(cells: pd.DataFrame) -> list[str]:
    found = []
    strange = sorted({sex.removeprefix("? ") for sex in cells["sex"] if sex not in ("F", "M")})
    if strange:
        found.append(f"a sex is written {', '.join(strange[:5])}: women and men are known as F/M, femmes/hommes, 2/1")
    for territory, part in cells.groupby("territory"):
        absent = [word for sex, word in (("F", "women"), ("M", "men")) if not (part["sex"] == sex).any()]
        if absent:
            found.append(f"{_of(territory)}has no {' and no '.join(absent)}: give the files of both sexes")
    for column, top, word in (("q", 1.0, "probabilities outside 0 to 1"), ("m", np.inf, "rates below 0")):
        bad = cells[(cells[column] < 0) | (cells[column] > top)]
        if len(bad):
            found.append(f"{len(bad)} {word}, the first for {_cell(bad.iloc[0])}")
    keys = ["territory", "sex", "low", "high", "age"]
    twice = cells[cells.duplicated(keys)]
    if len(twice):
        found.append(f"{len(twice)} cells are there twice, the first for {_cell(twice.iloc[0])}")
    return found


def _of(territory: object) -> str:
    return "" if territory == "all" else f"{territory}: "


def _cell(row: pd.Series) -> str:
    years = f"{row['low']}" if row["low"] == row["high"] else f"{row['low']}-{row['high']}"
    return f"{_of(row['territory'])}{row['sex']}, {years}, age {row['age']}"


def _by_year(cells: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """Put each period at its middle year where periods overlap, at each of its years where they do not."""
    periods = sorted(set(zip(cells["low"], cells["high"], strict=True)))
    if any(low > high for low, high in periods):
        raise DataError(f"{name} has a period that ends before it begins", "periods such as 2017-2019")
    width = cells["high"] - cells["low"]
    if any(after[0] <= before[1] for before, after in pairwise(periods)):
        wide = sorted({high - low + 1 for low, high in periods})
        if len(wide) > 1 or wide[0] % 2 == 0:
            raise DataError(
                f"{name} has periods that overlap, of {', '.join(map(str, wide))} years",
                "periods that overlap are all as long, of an odd number of years: each stands at its middle year",
                "years of one kind, in files of their own",
            )  # fmt: skip
        notes.append(f"a year's mortality is that of the {wide[0]} years around it")
        return cells.assign(year=cells["low"] + width // 2)
    if not width.any():
        return cells.assign(year=cells["low"])
    notes.append("each year of a period takes the mortality of the whole period")
    spread = cells.loc[cells.index.repeat(width + 1)]
    return spread.assign(year=spread["low"] + spread.groupby(level=0).cumcount()).reset_index(drop=True)


def _hazards(cells: pd.DataFrame, infant: tuple[tuple[int, float], ...], year_length: float) -> pd.DataFrame:
    """Give each cell its hazard a year; missing where the file has none."""
    q, m = cells["q"].to_numpy(dtype=np.float64), cells["m"].to_numpy(dtype=np.float64)
    # Deaths over time lived: those who die in the first year lived the mean age at death of it.
    baby = m / (1 + (1 - mean_infant_age(infant, year_length)) * m)
    q = np.where(np.isnan(q) & (cells["age"] == 0), baby, q)
    with np.errstate(divide="ignore"):
        hazard = -np.log1p(-q)
    # All who reach the open age die in it, and so they do where a file's last ages have a rate of 2 or more.
    hazard = np.where((cells["open"] | ~(q < 1)) & (cells["age"] > 0), m, hazard)
    return cells[[*SERIES, "age"]].assign(hazard=np.where(np.isfinite(hazard), hazard, np.nan))


def _whole(hazards: pd.DataFrame, name: str, oldest: int | None, notes: list[str]) -> pd.DataFrame:
    """Refuse gaps in ages and years; end all series at an age that all have."""
    faults = list[str]()
    twice = int(hazards.duplicated([*SERIES, "age"]).sum())
    if twice:
        faults.append(f"{twice} cells fall on the same year of the same table")
    for territory, part in hazards.groupby("territory"):
        there = {sex: set(rows["year"]) for sex, rows in part.groupby("sex")}
        every = sorted(set().union(*there.values()))
        gaps = sorted(set(range(every[0], every[-1] + 1)) - set(every))
        if gaps:
            faults.append(f"{_of(territory)}no table for {_ranges(gaps)}")
        for sex, mine in there.items():
            lost = sorted(set(every) - mine)
            if lost:
                faults.append(f"{_of(territory)}no table of {sex!s} for {_ranges(lost)}")
    spans = hazards.groupby("territory")["year"].agg(["min", "max"])
    if len(spans.drop_duplicates()) > 1:
        faults.append("territories do not have the same years: years=(first, last) keeps those of all")
    known = hazards[hazards["hazard"].notna()]
    ends, longest = {}, int(known["age"].max()) if len(known) else -1
    for names, ages in hazards.groupby(SERIES)["age"]:
        place, *rest = map(str, names)
        key = _of(place) + ", ".join(rest)
        there_ages = set(known.loc[ages.index.intersection(known.index), "age"])
        end = next((age for age in range(longest + 2) if age not in there_ages), 0) - 1
        ends[key] = end
        later = sorted(age for age in there_ages if age > end)
        if later and (end < OLD if oldest is None else end < oldest):
            gone = sorted(set(range(end + 1, later[-1])) - there_ages)
            faults.append(f"{key}: ages {_ranges(gone)} are absent or without value")
        elif end < 0:
            faults.append(f"{key}: no age has a value")
    last = min(ends.values(), default=-1)
    if not faults and last < longest:
        short = [key for key, end in ends.items() if end == last]
        if last < (OLD if oldest is None else oldest):
            faults.append(f"{len(short)} tables end at age {last}, such as that of {short[0]}, and others at {longest}")
        elif oldest is None:
            notes.append(f"ages end at {last}, the last one that all tables have: some go to {longest}")
    more = [f"and {len(faults) - 10} more"] if len(faults) > 10 else []
    _refuse(name, [*faults[:10], *more], "every age from 0 and every year from first to last, for both sexes",
            "years=(first, last) and oldest= keep what is whole")  # fmt: skip
    return known[known["age"] <= last].sort_values([*SERIES, "age"], ignore_index=True)


def _ranges(values: list[int]) -> str:
    """Write numbers as ranges: 3-5, 9."""
    parts, start = [], values[0]
    for at, value in enumerate(values):
        if at + 1 == len(values) or values[at + 1] != value + 1:
            parts.append(f"{start}" if start == value else f"{start}-{value}")
            start = values[at + 1] if at + 1 < len(values) else value
    return ", ".join(parts)


def _completed(hazards: pd.DataFrame, infant: tuple[tuple[int, float], ...], year_length: float) -> pd.DataFrame:
    """Go from ages reached in the year to completed ages.

    Born evenly over the year, a generation that reaches age a spends half of the year at age a-1 and half at a. Those
    born in the year die in it with the share of infant deaths that falls before the year's end.
    """
    wide = hazards.set_index([*SERIES, "age"])["hazard"].unstack("age")  # noqa: PD010
    reached = wide.to_numpy(dtype=np.float64)
    later = mean_infant_age(infant, year_length)
    found = (reached[:, :-1] + reached[:, 1:]) / 2
    first = -np.log1p(np.expm1(-reached[:, 0]) / (1 - later))
    found[:, 0] = first
    if found.shape[1] > 1:
        # Of the generation that reaches 1, what infancy does not explain is half a year at age 1.
        found[:, 1] = np.maximum(reached[:, 1] - later * first, 0) + reached[:, 2] / 2
    keys = wide.index.repeat(found.shape[1]).to_frame(index=False)
    return keys.assign(age=np.tile(wide.columns[:-1], len(wide)), hazard=found.ravel())
