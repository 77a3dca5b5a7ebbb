"""Values by commune as arrays: what a register says, at the position of each commune of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.errors import DataError
from epi.exposure.catalogue import Catalogue
from epi.exposure.derived import DERIVED
from epi.geography import check_codes, read_communes, to_current

Values = NDArray[np.float64]

_HOW = "say the vintage of its codes (reference_vintage=2022), or carry it by geography.carry_table first"


@dataclass(frozen=True)
class Lookup:
    """Exposures by commune, ready to be read at positions; the last position (-1) is no commune and has no value.

    Parameters
    ----------
    places : pandas.Index
        Communes of today, sorted.
    single : mapping
        Variable to its values, one vintage.
    yearly : mapping
        Variable to its first year and its values, one row a commune and one column a year.
    listed : mapping
        Variable to whether its register has a row for the commune.
    overseas : numpy.ndarray of bool
        Communes overseas.
    distance : mapping
        Variable to the distance of the monitor that gave each value, in metres, where it was read from one.
    """

    places: pd.Index
    single: Mapping[str, Values]
    yearly: Mapping[str, tuple[int, Values]]
    listed: Mapping[str, NDArray[np.bool_]]
    overseas: NDArray[np.bool_]
    distance: Mapping[str, Values] = field(default_factory=dict)


def current_places() -> tuple[pd.Index, NDArray[np.bool_]]:
    """List the communes of today, and which are overseas (with one more entry, false, for no commune).

    Returns
    -------
    tuple of pandas.Index and numpy.ndarray
        Codes in order, and truth values.

    Examples
    --------
    >>> places, overseas = current_places()
    >>> len(places), int(overseas.sum())
    (34875, 129)
    """
    table = read_communes()
    return pd.Index(table["insee_code"]), np.append((table["epsg"] != 2154).to_numpy(), False)


def check_reference(reference: pd.DataFrame, keys: tuple[str, ...], what: str) -> None:
    """Check a table of exposures: keys there once, in today's geography.

    Parameters
    ----------
    reference : pandas.DataFrame
        The table.
    keys : tuple of str
        Its key: ``insee_code``, and ``year`` for a panel.
    what : str
        What it is, for messages.

    Raises
    ------
    DataError
        If a key is missing or twice there, or communes are not those of today.
    GeographyError
        If codes are badly written.
    """
    for key in keys:
        if key not in reference.columns:
            raise DataError(f"{what} have no column {key!r}", f"one row for each {' and '.join(keys)}")
    codes = reference["insee_code"].drop_duplicates()
    known = codes.isin(current_places()[0])
    if not known.all():
        check_codes(codes)
    twice = int(reference.duplicated(list(keys)).sum())
    unit = "commune(s)" if keys == ("insee_code",) else "row(s)"
    if twice:
        raise DataError(f"{twice} {unit} are there twice in {what}", f"one row for each {' and '.join(keys)}")
    old = 0 if known.all() else int((to_current(codes, on_fault="mark")["status"] != "current").sum())
    if old:
        raise DataError(
            f"{old} of {len(codes)} commune(s) of {what} are not communes of today", "a file in today's geography", _HOW
        )


def build_lookup(
    reference: pd.DataFrame | None, panel: pd.DataFrame | None, catalogue: Catalogue, workspace: Any, yearly: bool
) -> Lookup:
    """Put the values of chosen variables into arrays.

    Parameters
    ----------
    reference : pandas.DataFrame or None
        One vintage: ``insee_code`` and variables.
    panel : pandas.DataFrame or None
        Yearly: ``insee_code``, ``year`` and variables.
    catalogue : Catalogue
        The variables wanted.
    workspace : Workspace or None
        For variables that are computed.
    yearly : bool
        Whether yearly values are wanted where there are some.

    Returns
    -------
    Lookup
        The arrays.

    Raises
    ------
    DataError
        If variables are not numbers, or years are not whole years.
    """
    places, overseas = current_places()
    size = len(places) + 1
    single: dict[str, Values] = {}
    years: dict[str, tuple[int, Values]] = {}
    listed: dict[str, NDArray[np.bool_]] = {}
    distance: dict[str, Values] = {}
    faults = []
    tables = [table for table in (reference, panel) if table is not None]
    rows = [places.get_indexer(pd.Index(table["insee_code"])) for table in tables]
    row_of = dict(zip(map(id, tables), rows, strict=True))
    for name, info in catalogue.items():
        in_panel = yearly and panel is not None and name in panel.columns
        source = panel if in_panel else reference if reference is not None and name in reference.columns else None
        if source is None:
            single[name] = np.append(DERIVED[name](pd.Series(places), workspace).to_numpy(float), np.nan)
            listed[name] = np.append(np.ones(len(places), dtype=bool), False)
            continue
        if source[name].dtype.kind not in "fiub":
            faults.append(name)
            continue
        position = row_of[id(source)]
        listed[name] = np.zeros(size, dtype=bool)
        listed[name][position] = True
        given = source[name].to_numpy(dtype=float, na_value=np.nan)
        if in_panel:
            first, matrix = _matrix(source["year"], given, position, size)
            years[name] = (first, matrix)
        else:
            single[name] = np.full(size, np.nan)
            single[name][position] = given
            if info.distance_column and info.distance_column in source.columns:
                distance[name] = np.full(size, np.nan)
                distance[name][position] = source[info.distance_column].to_numpy(dtype=float, na_value=np.nan)
    if faults:
        raise DataError(f"exposures {', '.join(faults)} are not numbers", "numbers, missing where unknown")
    return Lookup(places, single, years, listed, overseas, distance)


def _matrix(year: pd.Series, given: Values, position: NDArray[np.intp], size: int) -> tuple[int, Values]:
    if year.dtype.kind not in "iu" or not year.between(1900, 2100).all():
        raise DataError("the years of the panel are not whole years", "years such as 2015, as integers")
    numbers = year.to_numpy(dtype=np.int64)
    with_value = numbers[~np.isnan(given)]
    if not len(with_value):
        return int(numbers.min()), np.full((size, 1), np.nan)
    # The years of a variable are those in which some commune has a value.
    first, last = int(with_value.min()), int(with_value.max())
    matrix = np.full((size, last - first + 1), np.nan)
    inside = (numbers >= first) & (numbers <= last)
    matrix[position[inside], numbers[inside] - first] = given[inside]
    return first, matrix
