"""Life tables from the files in which they are published: Human Mortality Database, INSEE.

Probabilities become hazards, constant within a year of age: -log(1 - q). Whatever a file leaves open, such as the years
of a table of three years or the age that is meant, is asked for; whatever is changed on the way is a note of the table.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from epi.errors import DataError, ParameterError
from epi.survival.data import DAYS_PER_YEAR
from epi.survival.human_mortality import find_headings, parse_human_mortality
from epi.survival.infancy import INFANT_DEATHS, check_infant
from epi.survival.insee_tables import Sheet, find_heading, parse_insee, plain
from epi.survival.life_table import ALL, Extend, LifeTable
from epi.survival.life_table_cells import build_life_table
from epi.survival.published_cells import tidy_cells

PathLike = str | os.PathLike[str]
Files = PathLike | Sequence[PathLike]
_BOTH_SHEET = re.compile(r"ensemble|total|[-_ ][ET]$", re.IGNORECASE)


def read_life_table(
    path: Files | Mapping[str, Files],
    *,
    name: str | None = None,
    source: str = "",
    years: tuple[int, int] | None = None,
    oldest: int | None = None,
    per: float | None = None,
    triennial: bool | None = None,
    reached: bool | None = None,
    infant: Sequence[tuple[int, float]] = INFANT_DEATHS,
    extend: Extend = "refuse",
    year_length: float = DAYS_PER_YEAR,
) -> LifeTable:
    """Read a life table from files of the Human Mortality Database or of INSEE.

    Parameters
    ----------
    path : path, sequence of paths or mapping
        A file, or several that make one table (women and men of the Human Mortality Database). A mapping gives the
        territory of files that name none: ``{"Guadeloupe": [women, men], "Martinique": [...]}``.
    name : str, optional
        The population; what the file calls it, or the file's name.
    source : str, optional
        Where the files come from.
    years : tuple of int, optional
        First and last calendar year to be kept; all by default.
    oldest : int, optional
        Last age to be kept, which holds for whoever is older.
    per : float, optional
        What quotients are given for, where no heading says it.
    triennial : bool, optional
        Whether a year that stands alone names the last of three, as in INSEE's T68.
    reached : bool, optional
        Whether ages are those reached in the year (INSEE's T69, projections) rather than completed ages.
    infant : sequence of (int, float), optional
        Day of life and share of infant deaths before it; empty for a constant hazard over the first year.
    extend : {"refuse", "nearest"}, optional
        What to do with years outside the table, and with ages past a last one below 95.
    year_length : float, optional
        Days in a year of age.

    Returns
    -------
    LifeTable
        The table; its notes say what was changed.

    Raises
    ------
    DataError
        If a layout is unknown, a sex is absent, a cell is there twice, a value is no probability or rate, ages or years
        have gaps, or something is left open that an option must say.
    ParameterError
        If an option is wrong.

    Notes
    -----
    Human Mortality Database (``Mx_1x1``, ``mltper_1x1`` and ``fltper_1x1``; 1x5 and 1x10): where a life table has both,
    probabilities are taken, rates at the open age; a rate is the hazard, but that of age 0 becomes a probability by
    the mean age at death that ``infant`` implies. Bands of ages are refused.

    INSEE (xlsx, csv): by sex with S(x) and Q(x) (T68), long, and ages by years (T69, hypotheses of projections).
    Periods that overlap stand at their middle year, others for each of their years.

    Ages reached in the year lie half a year below completed ages on average: the hazard at completed age a is the
    mean of those of the generations that reach a and a+1, exact where mortality is a straight line over three
    ages; deaths of the first year are shared out between two generations by ``infant``. The last age is lost.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> lines = ["Island, Death rates (period 1x1)", "", "Year Age Female Male Total"]
    >>> lines += [f"2001 {age} 0.00{age + 1} 0.00{age + 2} 0.001" for age in range(3)]
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "Mx_1x1.txt"
    ...     _ = file.write_text(chr(10).join(lines))
    ...     print(read_life_table(file))
    Life table Island, 2001-2001, ages 0-2
    """
    knots = tuple((int(day), float(share)) for day, share in infant)
    check_infant(knots)
    if years is not None and not years[0] <= years[1]:
        raise ParameterError(
            f"years are {years[0]} to {years[1]}", "first and last year, in order", "years=(1990, 2020)"
        )
    if oldest is not None and oldest < 1:
        raise ParameterError(f"oldest is {oldest}", "an age of 1 or more", "oldest=100")
    territories = path if isinstance(path, Mapping) else {ALL: path}
    parts, names = list[pd.DataFrame](), list[str]()
    for territory, files in territories.items():
        for file in [files] if isinstance(files, str | os.PathLike) else list(files):
            cells, population = _read(Path(file), per, triennial, reached)
            if isinstance(path, Mapping) or "territory" not in cells:
                cells = cells.assign(territory=str(territory))
            parts.append(cells)
            names.append(population)
    if not parts:
        raise ParameterError("path names no file", "a file, several, or a mapping of territories to files")
    called = name if name is not None else names[0]
    tidy, notes = tidy_cells(pd.concat(parts, ignore_index=True), called, years, oldest, knots, year_length)
    return build_life_table(tidy, name=called, source=source, infant=knots, extend=extend, year_length=year_length,
                            notes=notes)  # fmt: skip


def _read(path: Path, per: float | None, triennial: bool | None, reached: bool | None) -> tuple[pd.DataFrame, str]:
    if not path.is_file():
        raise DataError(f"{path.name} is not there", "a file", "look at the path")
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    stem = path.name.removesuffix(".gz").removesuffix(suffix)

    def read(sheet: Sheet) -> pd.DataFrame:
        return parse_insee(sheet, per=per, triennial=triennial, reached=reached)

    if suffix == ".xlsx":
        return _workbook(path, read), stem
    if suffix not in (".csv", ".txt"):
        raise DataError(
            f"{path.name} ends with {suffix or 'nothing'}", "a text file (.txt), .csv or .xlsx, the first two also .gz",
            "save the workbook as .xlsx" if suffix == ".xls" else "the file as it is published",
        )  # fmt: skip
    text = _text(path)
    lines = text.splitlines()
    if find_headings(lines) is not None:
        if (per, triennial, reached) != (None, None, None):
            raise ParameterError(
                f"per, triennial or reached are given for {path.name}, a file of the Human Mortality Database",
                "none of them: its units, years and completed ages are known", "read_life_table(path)",
            )  # fmt: skip
        cells, population = parse_human_mortality(lines, path.name)
        return cells.assign(reached=False), population or stem
    # The separator that is there most often on a line: commas may also be decimal signs.
    separator = max(";\t,", key=lambda sign: max((line.count(sign) for line in lines[:60]), default=0))
    rows = list(csv.reader(lines, delimiter=separator))
    return read(Sheet(path.name, stem, rows)), stem


def _text(path: Path) -> str:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _workbook(path: Path, read: Callable[[Sheet], pd.DataFrame]) -> pd.DataFrame:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError) as error:
        raise DataError(f"{path.name} is no Excel workbook", "an .xlsx file", "download it again") from error
    sheets = [Sheet(path.name, sheet.title, list(sheet.iter_rows(values_only=True))) for sheet in book.worksheets]
    book.close()
    # Workbooks of projections hold populations and births too; those of tables hold a sheet for both sexes.
    about = [sheet for sheet in sheets if "mort" in plain(sheet.name)] or sheets
    kept = [sheet for sheet in about if find_heading(sheet) is not None and not _BOTH_SHEET.search(sheet.name)]
    if not kept:
        raise DataError(
            f"no sheet of {path.name} is in a known layout; its sheets: {', '.join(sheet.name for sheet in sheets)}",
            "a heading with age or année, and quotients", "build_life_table(frame, name=...) takes cells of any origin",
        )  # fmt: skip
    return pd.concat([read(sheet) for sheet in kept], ignore_index=True)
