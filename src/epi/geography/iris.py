"""From an IRIS, INSEE's quarter for statistics, to its commune."""

from __future__ import annotations

import pandas as pd

from epi.errors import GeographyError
from epi.geography.codes import Codes

_IRIS = r"(?:[0-9]{5}|2[AB][0-9]{3})[0-9]{4}"


def commune_of_iris(iris_codes: Codes) -> pd.Series:
    """Give the commune of each IRIS: the first five of its nine characters.

    Parameters
    ----------
    iris_codes : sequence of str
        Codes of nine characters; missing ones are allowed. A commune that is not divided is one IRIS,
        whose number is 0000.

    Returns
    -------
    pandas.Series
        INSEE codes with the index given, of the date of the IRIS (municipal arrondissements in Paris, Lyon
        and Marseille); :func:`~epi.geography.harmonise` brings them to another.

    Raises
    ------
    GeographyError
        If a code is no text of nine characters; the number of rows is given.

    Notes
    -----
    Source: INSEE, *Découpage infracommunal*, IRIS 2023.

    Examples
    --------
    >>> commune_of_iris(["381850101", "2A0040101", None]).tolist()
    ['38185', '2A004', None]
    """
    given = iris_codes if isinstance(iris_codes, pd.Series) else pd.Series(iris_codes, dtype=object)
    text = given.astype(object)
    is_text = text.map(lambda value: isinstance(value, str)).astype(bool)
    fits = text.where(is_text, "").str.fullmatch(_IRIS)
    wrong = given.notna() & ~fits
    if wrong.any():
        raise GeographyError(
            f"{int(wrong.sum()):,} of {len(given):,} rows do not hold an IRIS code",
            "text of 9 characters such as '381850101' or '2A0040101'",
            "read the column as text (dtype=str): a number loses its leading zero",
        )
    return text.where(given.notna(), None).map(lambda code: None if code is None else code[:5])
