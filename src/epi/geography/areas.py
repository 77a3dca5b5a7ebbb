"""The area that each commune lies in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.codes import Codes
from epi.geography.communes import LEVELS, check_level, fold

PLACES = ("France", "metropolitan France", "overseas France")
"""Places that are no level of their own; see :func:`belongs_to`."""


def commune_rows(insee_codes: Codes) -> tuple[pd.Series, np.ndarray]:
    """Find each code's row in the table of communes and municipal arrondissements.

    Parameters
    ----------
    insee_codes : sequence of str
        Current INSEE codes or missing values.

    Returns
    -------
    tuple of pandas.Series and numpy.ndarray
        The codes, and for each its row in ``read_communes(arrondissements=True)``; -1 where missing.

    Raises
    ------
    GeographyError
        If a code is not a current one; the number of rows is given.

    Examples
    --------
    >>> commune_rows(["01001", None])[1].tolist()
    [0, -1]
    """
    given = insee_codes if isinstance(insee_codes, pd.Series) else pd.Series(insee_codes, dtype=object)
    if isinstance(given.dtype, pd.CategoricalDtype):
        given = given.astype(object)
    place = store.positions().get_indexer(pd.Index(given))
    missing = given.isna().to_numpy()
    lost = (place < 0) & ~missing
    if lost.any():
        raise GeographyError(
            f"{int(lost.sum()):,} of {len(given):,} rows hold a code that is no current commune",
            "current INSEE codes, or missing values",
            "pass them through geography.to_current(codes) first and use its insee_code",
        )
    return given, place


def area_of(insee_codes: Codes, level: str) -> pd.Series:
    """Give the area of a level in which each commune lies.

    Parameters
    ----------
    insee_codes : sequence of str
        Current INSEE codes; a municipal arrondissement counts as its city. Missing codes give a missing area.
    level : str
        One of :data:`~epi.geography.LEVELS`.

    Returns
    -------
    pandas.Series
        Area codes, one for each code given, with its index. Missing where the commune has no such area
        (no arrondissement in Mayotte, no EPCI on four islands). At the levels urban_unit and
        catchment_area a commune outside all of them has INSEE's remainder code.

    Raises
    ------
    GeographyError
        If a code is not a current one; the number of rows is given.
    ParameterError
        If there is no such level.

    Examples
    --------
    >>> area_of(["38185", "75112", None], "departement").tolist()
    ['38', '75', None]
    """
    given, place = commune_rows(insee_codes)
    communes = store.communes()
    if check_level(level) == "commune":
        own = communes["insee_code"].to_numpy()
        parent = communes["parent_code"].to_numpy(dtype=object)
        values = np.where(pd.isna(parent), own, parent)
    else:
        values = communes[level].to_numpy(dtype=object)
        values[pd.isna(values)] = None
    taken = np.append(values, np.array([None], dtype=object))[place]
    return pd.Series(taken, index=given.index, name=level, dtype=object)


def belongs_to(insee_codes: Codes, place: str) -> pd.Series:
    """Tell which communes lie in a place.

    Parameters
    ----------
    insee_codes : sequence of str
        Current INSEE codes or missing values.
    place : str
        "France", "metropolitan France", "overseas France", the name of a région or a département, or a
        level and a code such as "departement:38" or "bassin_de_vie:38185".

    Returns
    -------
    pandas.Series
        Of dtype boolean, with the index given; missing where the code is missing.

    Raises
    ------
    ParameterError
        If there is no such place.
    GeographyError
        If a code is not a current one.

    Examples
    --------
    >>> belongs_to(["38185", "97105", None], "metropolitan France").tolist()
    [True, False, <NA>]
    >>> belongs_to(["38185"], "auvergne rhone alpes").tolist()
    [True]
    """
    given, row = commune_rows(insee_codes)
    inside = np.append(_members(place), False)[row]
    return pd.Series(inside, index=given.index, name=place, dtype="boolean").mask(row < 0)


def _members(place: str) -> np.ndarray:
    communes = store.communes()
    wanted = fold(pd.Series([place])).iloc[0]
    metropolitan = (communes["epsg"] == 2154).to_numpy()
    plain = {
        "france": np.ones(len(communes), dtype=bool),
        "metropolitan france": metropolitan,
        "overseas france": ~metropolitan,
    }
    if wanted in plain:
        return plain[wanted]
    level, _, code = place.partition(":")
    if code and level in LEVELS:
        column = "insee_code" if level == "commune" else level
        inside = (communes[column] == code) | ((level == "commune") & (communes["parent_code"] == code))
        if inside.any():
            return np.asarray(inside)
    else:
        names = store.names()
        names = names[names["level"].isin(["region", "departement"])]
        hits = names[fold(names["name"]) == wanted]
        if len(hits):
            # An overseas région and its département have one name and one territory.
            return np.asarray(communes[hits["level"].iloc[0]] == hits["code"].iloc[0])
    raise ParameterError(
        f"the place {place!r} is unknown",
        f"{', '.join(PLACES)}, the name of a région or département, or level:code",
        'for example "Auvergne-Rhône-Alpes" or "departement:38"',
    )
