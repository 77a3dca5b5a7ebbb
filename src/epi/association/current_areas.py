"""Areas of a table are those of today, or the table is refused: codes change their meaning with their date."""

from __future__ import annotations

import pandas as pd

from epi.errors import GeographyError
from epi.geography import communes as places


def check_areas(areas: pd.Series, by: str, what: str) -> None:
    """Refuse areas that are none of today's: a table of another geography is not joined as it is.

    Parameters
    ----------
    areas : pandas.Series
        Codes of areas.
    by : str
        What the areas are; only levels of territory are known.
    what : str
        What the table is, for the message.

    Raises
    ------
    GeographyError
        If codes are not of that level today; their number is given.
    """
    level = {"insee_code": "commune"}.get(by, by)
    if level not in places.LEVELS:
        return
    communes = places.read_communes(arrondissements=level == "commune")
    known = communes["insee_code" if level == "commune" else level].astype(object)
    strange = int((areas.notna() & ~areas.isin(known)).sum())
    if strange:
        raise GeographyError(
            f"{strange} of {len(areas)} area(s) of the {what} are no {by} of today",
            f"codes of {by} in the geography of today",
            "carry the table first: geography.carry_table(table, key, from_vintage=...)",
        )
