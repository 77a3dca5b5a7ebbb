"""Commune codes of an open file read at their own date: a code that changed its meaning is not joined as it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from epi.errors import DataError
from epi.geography import harmonise, possible_vintages, to_current

if TYPE_CHECKING:
    from epi.sources.open_data.table import OpenTable

TODAY = "2026"
AROUND = (-1, 3)
"""A file that does not state the geography of its codes is taken to have one from a year before its values, to three
years after."""


@dataclass(frozen=True)
class Dated:
    """Codes of a file brought to the communes of today.

    Parameters
    ----------
    passed : pandas.DataFrame
        Columns insee_code and status, with the index of the codes.
    basis : str
        The date at which they were read, and how it is known.
    """

    passed: pd.DataFrame
    basis: str

    @cached_property
    def status(self) -> pd.Series:
        """Status of each code, as text."""
        return self.passed["status"].astype(str)


def follow_codes(table: OpenTable, codes: pd.Series, *, on_fault: str = "raise") -> Dated:
    """Bring the codes of a file to the communes of today from the date at which they were valid.

    Parameters
    ----------
    table : OpenTable
        The file: what it states of its geography and its year.
    codes : pandas.Series
        Its commune codes.
    on_fault : {"raise", "mark"}, optional
        What to do with badly written codes.

    Returns
    -------
    Dated
        One row for each code. Where the file states no geography, that of the years around its values in which all
        its codes were valid; a code that these years do not answer alike has no answer. Of an old list whose codes
        are of several dates, those valid in its year are read then, the others at the last date at which they were.

    Raises
    ------
    DataError
        If codes were not valid at the date that the file states.
    GeographyError
        If codes are badly written and `on_fault` is "raise".
    """
    if table.geography:
        dated = harmonise(codes, table.geography, TODAY, on_fault=on_fault).table  # type: ignore[arg-type]
        wrong = int((dated["status"] == "not_valid").sum())
        if wrong:
            years = possible_vintages(codes)
            told = f"{years[0]} to {years[-1]}" if years else "no single year"
            raise DataError(
                f"{wrong} of {len(codes)} code(s) of {table.file} were not valid in {table.geography}, the geography "
                "that it states",
                f"codes of {table.geography}",
                f"all its codes were valid in: {told}; state it by dataclasses.replace(table, geography=...)",
            )
        return Dated(dated[["insee_code", "status"]], f"codes of {table.geography}, as the file states")
    year = int(table.vintage) if table.vintage.isdigit() and int(table.vintage) <= int(TODAY) else None
    if year is not None:
        years = possible_vintages(codes, max(year + AROUND[0], 1943), min(year + AROUND[1], int(TODAY)))
        if years:
            return _agreed(codes, years, on_fault)
    # No single year has them all: an old list, whose entries keep the codes of their day.
    last = to_current(codes, on_fault=on_fault)[["insee_code", "status"]]  # type: ignore[arg-type]
    if year is None:
        return Dated(last, "codes of unknown date, each read at its last")
    then = harmonise(codes, year, TODAY, on_fault=on_fault).table[["insee_code", "status"]]  # type: ignore[arg-type]
    # A code that was not valid that year may be a postal code as well; where it was once a commune, it is read then.
    extinct = then["status"].isin(["not_valid", "unknown", "postal_code"])
    passed = then.astype({"status": object}).where(~extinct, last.astype({"status": object}))
    return Dated(passed, f"codes of {year}, and {int(extinct.sum())} older ones, each read at its last")


def _agreed(codes: pd.Series, years: list[int], on_fault: str) -> Dated:
    """Keep the answers that all years give."""
    first, *others = (harmonise(codes, year, TODAY, on_fault=on_fault).table for year in years)  # type: ignore[arg-type]
    passed = first[["insee_code", "status"]].astype({"status": object})
    for other in others:
        apart = (passed["insee_code"].fillna("") != other["insee_code"].fillna("")).to_numpy()
        passed.loc[apart, "insee_code"] = None
        passed.loc[apart & passed["status"].isin(["current", "passed", "delegated"]).to_numpy(), "status"] = "ambiguous"
    span = str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}"
    return Dated(passed, f"codes of {span}, years at which all are valid; the file states none")
