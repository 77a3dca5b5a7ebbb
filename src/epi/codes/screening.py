"""The official calendar of newborn screening in France: which disease, where, from when, for whom."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.errors import CodeError, DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

COVERAGES = ("none", "pilot", "targeted", "universal")
"""From nobody to everybody: a later programme never lowers an area's coverage."""

_METROPOLITAN = "metropolitan"
_COVERAGE = pd.CategoricalDtype(list(COVERAGES), ordered=True)


@cache
def _calendar() -> pd.DataFrame:
    with resources.as_file(resources.files("epi.codes") / "data" / "newborn_screening.csv") as path:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["orpha_codes"] = [tuple(int(code) for code in text.split()) for text in table["orpha_codes"]]
    table["departements"] = [tuple(text.split()) for text in table["departements"]]
    table["start_date"] = pd.to_datetime(table["start_date"])
    table["incidence_per_100k_births"] = pd.to_numeric(table["incidence_per_100k_births"])
    return table


def screening_calendar() -> pd.DataFrame:
    """Give the calendar of newborn screening in France.

    Returns
    -------
    pandas.DataFrame
        A row for each disease, area and start, by date within a disease: `disease` (short name),
        `label_fr`, `label_en`, `orpha_codes` (tuple), `area`, `departements` (tuple; empty for all of
        France, ``("metropolitan",)`` for those with two characters), `coverage` (universal, targeted
        or pilot), `start_date`, `incidence_per_100k_births` (missing where not published), `source`.

    Notes
    -----
    BEH 2015;15-16 (frequencies of 2013), HAS 2024.0045, arrêté of 16 April 2025; lines whose source says
    so are general knowledge and remain to be verified.

    Examples
    --------
    >>> calendar = screening_calendar()
    >>> calendar.loc[calendar["disease"] == "cf", ["area", "start_date"]].astype(str).to_numpy().tolist()
    [['Bretagne', '1989-01-01'], ['France', '2002-01-01']]
    """
    return _calendar().copy()


def screening_coverage(disease: str, departement: ArrayLike, birth: ArrayLike) -> pd.Categorical:
    """Tell whether newborns of a place and day were screened for a disease, by the calendar.

    It is the area and period of birth that tell, never what a file says of the child: who was
    screened is unknown for most, and known more often of the survivors.

    Parameters
    ----------
    disease : str
        Short name, as in :func:`screening_calendar`.
    departement : array-like of str, shape (n,)
        Département of birth; missing where unknown.
    birth : array-like of datetime64, shape (n,)
        Date of birth.

    Returns
    -------
    pandas.Categorical
        none < pilot < targeted < universal; missing where place or date is unknown and the coverage
        depends on it.

    Raises
    ------
    CodeError
        If the calendar knows no such disease.
    DataError
        If the two columns do not have the same length.

    Examples
    --------
    >>> list(screening_coverage("cf", ["29", "69", "69"], pd.to_datetime(["1995-05-15", "1995-05-15", "2003-05-15"])))
    ['universal', 'none', 'universal']
    """
    table = _calendar()
    rows = table[table["disease"] == disease]
    if rows.empty:
        raise CodeError(f"no screening of {disease!r}", f"one of {', '.join(table['disease'].unique())}")
    place = np.asarray(departement, dtype=object)
    day = pd.to_datetime(np.asarray(birth)).to_numpy()
    if len(place) != len(day):
        raise DataError(f"{len(place)} places and {len(day)} dates of birth", "one of each for each person")
    level = np.zeros(len(day), dtype=np.int64)
    most = level.copy()  # what an unknown place may have had
    for row in rows.to_dict("records"):
        height = COVERAGES.index(row["coverage"])
        begun = day >= row["start_date"].to_datetime64()
        level = np.where(begun & _inside(place, row["departements"]), np.maximum(level, height), level)
        most = np.where(begun, np.maximum(most, height), most)
    known = ~np.isnat(day) & (~np.asarray(pd.isna(place)) | (level == most))
    return pd.Categorical.from_codes(np.where(known, level, -1), dtype=_COVERAGE)


def _inside(place: NDArray[np.object_], departements: tuple[str, ...]) -> NDArray[np.bool_]:
    if not departements:
        return np.ones(len(place), dtype=bool)
    if departements == (_METROPOLITAN,):
        return np.array([isinstance(name, str) and len(name) == 2 for name in place], dtype=bool)
    return np.asarray(pd.Index(place).isin(departements), dtype=bool)
