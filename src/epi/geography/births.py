"""Live births of France by year."""

from __future__ import annotations

from functools import cache

import pandas as pd

from epi.geography.store import read_table


@cache
def _births() -> pd.DataFrame:
    return read_table("births").astype({"birth_year": "int64", "births": "int64"})


def births_of_france() -> pd.DataFrame:
    """Give the live births of France by year.

    Returns
    -------
    pandas.DataFrame
        `birth_year`, `births` (mothers living in France, overseas départements included, Mayotte from 2014 on) and
        `provisional` (the year's number was not final when it was published).

    Notes
    -----
    INSEE, *Composantes de la croissance démographique*; Licence Ouverte 2.0.

    Examples
    --------
    >>> table = births_of_france()
    >>> table.loc[table["birth_year"] == 2000, "births"].item()
    807405
    """
    return _births().copy()
