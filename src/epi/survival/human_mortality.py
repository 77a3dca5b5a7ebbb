"""Text files of the Human Mortality Database: their cells, one row for each sex, period and age.

A file begins with a line that names the population, the measure and the intervals, such as ``France, Total Population,
Life tables (period 1x1), Males``, then an empty line and the headings: ``Year Age mx qx ax lx dx Lx Tx ex`` in life
tables (one sex a file), ``Year Age Female Male Total`` in death rates. A missing value is a dot, the last age is open.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from epi.errors import DataError

LIFE_TABLE = ["Year", "Age", "mx", "qx", "ax", "lx", "dx", "Lx", "Tx", "ex"]
RATES = ["Year", "Age", "Female", "Male", "Total"]
HEADING_LINES = 6
"""Lines among which the headings are looked for: some copies have lost or doubled the empty line."""
_YEAR = re.compile(r"(\d{4})(?:\s*-\s*(\d{4}))?")
_AGE = re.compile(r"(\d{1,3})(\+?)")


def find_headings(lines: list[str]) -> int | None:
    """Find the line of headings.

    Parameters
    ----------
    lines : list of str
        The file.

    Returns
    -------
    int or None
        Its position; None where the file is none of these.
    """
    for at, line in enumerate(lines[:HEADING_LINES]):
        if line.split()[:2] == ["Year", "Age"]:
            return at
    return None


def parse_human_mortality(lines: list[str], file: str) -> tuple[pd.DataFrame, str]:
    """Read the cells of a file.

    Parameters
    ----------
    lines : list of str
        The file, its headings among the first lines.
    file : str
        Its name, for messages, and for the sex where no line says it.

    Returns
    -------
    cells : pandas.DataFrame
        `sex`, `low` and `high` (years), `age`, `open`, `q` and `m` (probability and rate, missing where not given).
    population : str
        What the file calls it; empty where it does not.

    Raises
    ------
    DataError
        If columns are others, ages are in bands, both sexes are together, or the tables are of generations.
    """
    at = find_headings(lines)
    columns = lines[at].split() if at is not None else []
    if columns not in (LIFE_TABLE, RATES):
        raise DataError(
            f"{file} has columns {', '.join(columns) or 'none'}",
            f"those of the Human Mortality Database: {' '.join(LIFE_TABLE)}, or {' '.join(RATES)}",
            "the file as it is published, its first lines included",
        )  # fmt: skip
    preamble = " ".join(lines[:at])
    if re.search(r"cohort", preamble, re.IGNORECASE) or re.match(r"(c[mM]x|[bfm]ltcoh)", Path(file).name):
        raise DataError(
            f"{file} holds tables of generations: its years are years of birth",
            "tables of periods, whose years are those of the deaths", "take the period file, such as mltper_1x1.txt",
        )  # fmt: skip
    rows = [line.split() for line in lines[(at or 0) + 1 :] if line.strip()]
    broken = sum(len(row) != len(columns) for row in rows)
    if broken or not rows:
        raise DataError(
            f"{broken} of {len(rows)} lines of {file} have another number of values than the headings",
            f"{len(columns)} values a line", "the file as it is published",
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    years = frame["Year"].str.fullmatch(_YEAR.pattern)
    ages = frame["Age"].str.fullmatch(_AGE.pattern)
    if frame["Age"].str.fullmatch(r"\d+-\d+").any():
        raise DataError(
            f"{file} has ages in bands, such as {frame.loc[frame['Age'].str.contains('-'), 'Age'].iloc[0]}",
            "single years of age: within five years of old age mortality grows by half, and one hazard for them "
            "would put expected deaths at the wrong ages", "take the 1x1 file (or 1x5, 1x10: ages x years)",
        )  # fmt: skip
    if not (years & ages).all():
        raise DataError(
            f"{int((~(years & ages)).sum())} lines of {file} have no year or age", "1990 or 1990-1994; 0, 110+"
        )
    period = frame["Year"].str.extract(_YEAR)
    base = pd.DataFrame({
        "low": period[0].astype(int), "high": period[1].fillna(period[0]).astype(int),
        "age": frame["Age"].str.rstrip("+").astype(int), "open": frame["Age"].str.endswith("+"),
    })  # fmt: skip
    population = preamble.split(",")[0].strip()
    if columns == RATES:
        parts = [
            base.assign(sex=sex, q=np.nan, m=_numbers(frame[name], file))
            for sex, name in (("F", "Female"), ("M", "Male"))
        ]
        return pd.concat(parts, ignore_index=True), population
    sex = _sex(preamble, file)
    return base.assign(sex=sex, q=_numbers(frame["qx"], file), m=_numbers(frame["mx"], file)), population


def _sex(preamble: str, file: str) -> str:
    said = re.search(r"\b(Females?|Males?|Total|Both sexes)\b(?!\s+Population)", preamble, re.IGNORECASE)
    named = re.search(r"(?:^|[^a-z])([fmb])ltper", Path(file).name, re.IGNORECASE)
    found = said.group(1)[0].upper() if said else named.group(1).upper() if named else ""
    if found in ("F", "M"):
        return found
    raise DataError(
        f"{file} is a table of both sexes together" if found else f"{file} does not say whose table it is",
        "a table of women and one of men", "read_life_table(['fltper_1x1.txt', 'mltper_1x1.txt'])",
    )  # fmt: skip


def _numbers(column: pd.Series, file: str) -> pd.Series:
    found = pd.to_numeric(column.where(column != "."), errors="coerce")
    broken = int((found.isna() & (column != ".")).sum())
    if broken:
        raise DataError(
            f"{broken} values of column {column.name} of {file} are no numbers", "numbers, or a dot where missing"
        )
    return found
