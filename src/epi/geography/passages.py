"""Codes of any year taken to today's communes, and cities with their arrondissements."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from epi.errors import ParameterError
from epi.geography import store
from epi.geography.codes import Codes, distinct_codes
from epi.geography.harmonisation import apply_passing
from epi.geography.lineage import LAST_DAY, MERGERS, WHOLE
from epi.geography.passing import build_passing
from epi.geography.vintages import read_vintage


def to_current(codes: Codes, *, on_fault: Literal["raise", "mark"] = "raise") -> pd.DataFrame:
    """Follow each code to the commune of today, one row in, one row out.

    This is :func:`~epi.geography.harmonise` with each code taken at the last date at which it was valid: a
    code of today is today's, also where it once covered more; an extinct one is what it was when it ended.
    A commune that was divided has several successors: it is marked ambiguous, with its candidates; so is a
    code that was given up in 1968 or 1976 and is a postal code now. Where the date of the codes is known,
    give it to :func:`~epi.geography.harmonise`, which then also says why and by what shares.

    Parameters
    ----------
    codes : sequence of str
        INSEE codes of any year since 1943; missing ones are allowed.
    on_fault : {"raise", "mark"}, optional
        What to do with codes that are badly written, or with a column of postal codes: refuse the column
        (the default), or give these rows the status malformed or postal_code.

    Returns
    -------
    pandas.DataFrame
        With the index given: code (as given), insee_code (missing when there is no single answer), status
        (a category of :data:`~epi.geography.STATUSES`), candidates (codes joined by ``|`` where ambiguous).

    Raises
    ------
    GeographyError
        If codes are badly written and `on_fault` is "raise"; see :func:`epi.geography.check_codes`.

    Examples
    --------
    >>> to_current(["38185", "01003", "75112", "45117", "99109"])
        code insee_code          status   candidates
    0  38185      38185         current         None
    1  01003      01165          passed         None
    2  75112      75056  arrondissement         None
    3  45117       None       ambiguous  45093|45313
    4  99109       None          abroad         None
    """
    if on_fault not in {"raise", "mark"}:
        raise ParameterError(f"on_fault is {on_fault!r}", "'raise' or 'mark'")
    table = apply_passing(distinct_codes(codes), build_passing(None, LAST_DAY, "latest", False), on_fault, dated=False)
    return table.drop(columns=["weights", "reason"])


def merged_since(day: str) -> pd.DataFrame:
    """List the communes that ended in a merger from some day on, with where they stand today.

    Parameters
    ----------
    day : str
        ISO date.

    Returns
    -------
    pandas.DataFrame
        Columns code and insee_code, sorted by code; those with one answer.

    Examples
    --------
    >>> merged_since("2024-04-01").head(1).values.tolist()
    [['01330', '01187']]
    """
    events, communes = store.events(), store.communes()
    ends = events[
        (events["type_before"] == WHOLE) & (events["type_after"] == WHOLE) & (events["before"] != events["after"])
    ]
    last = ends[ends["day"] == ends.groupby("before")["day"].transform("max")]
    merged = last[last["mod"].isin(MERGERS) & (last["day"] >= read_vintage(day)) & (last["type_before"] == WHOLE)]
    codes = merged.loc[~merged["before"].isin(communes["insee_code"]), "before"].drop_duplicates().sort_values()
    table = to_current(codes.reset_index(drop=True))[["code", "insee_code"]]
    return table.dropna().reset_index(drop=True)


def city_of(insee_codes: Codes) -> pd.Series:
    """Take municipal arrondissements to their city and leave every other code as it is.

    Parameters
    ----------
    insee_codes : sequence of str
        INSEE codes.

    Returns
    -------
    pandas.Series
        One code for each code given.

    Examples
    --------
    >>> city_of(["75112", "38185"]).tolist()
    ['75056', '38185']
    """
    given = insee_codes if isinstance(insee_codes, pd.Series) else pd.Series(insee_codes, dtype=object)
    communes = store.communes()
    inner = communes[communes["type"] != "commune"]
    city = given.map(dict(zip(inner["insee_code"], inner["parent_code"].astype(object), strict=True)))
    return city.astype(object).where(city.notna(), given)


def arrondissements_of(insee_code: str) -> list[str]:
    """List the municipal arrondissements of a city.

    Parameters
    ----------
    insee_code : str
        Code of Paris (75056), Lyon (69123) or Marseille (13055).

    Returns
    -------
    list of str
        Codes in order; empty for any other commune.

    Examples
    --------
    >>> arrondissements_of("69123")[:2]
    ['69381', '69382']
    """
    communes = store.communes()
    return communes.loc[communes["parent_code"] == insee_code, "insee_code"].tolist()
