"""Exposures by the communes of another date, carried to those of today before anything is joined."""

from __future__ import annotations

from typing import Any

import pandas as pd

from epi.errors import DataError
from epi.geography import carry_table, harmonise

TODAY = 2026


def carry_exposures(
    table: pd.DataFrame, vintage: Any, weights: str | None = None, by: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Carry exposures to the communes of today.

    Parameters
    ----------
    table : pandas.DataFrame
        ``insee_code`` and one column for each variable.
    vintage : int, str or date
        The date of the codes.
    weights : str, optional
        Column of persons that the means of communes that merged are weighted by; needed only where some did.
    by : tuple of str, optional
        Further columns of the key, such as ``year``.

    Returns
    -------
    pandas.DataFrame
        One row for each commune of today. Communes that were divided since are left out: nothing says which part
        has which value.

    Raises
    ------
    DataError
        If codes were not valid at that date, or communes merged and no weights are given.
    GeographyError
        If codes are badly written, a commune comes twice, or the date is outside 1943 to 2026.

    Examples
    --------
    >>> file = pd.DataFrame({"insee_code": ["01165", "01003"], "pm25": [10.0, 12.0], "persons": [300, 100]})
    >>> carry_exposures(file, 1970, "persons")[["insee_code", "pm25"]].values.tolist()
    [['01165', 10.5]]
    """
    passed = harmonise(table["insee_code"], vintage, TODAY).table
    wrong = int(passed["status"].isin(["not_valid", "unknown", "postal_code"]).sum())
    if wrong:
        raise DataError(
            f"{wrong} of {len(table)} code(s) of the exposures were no commune at {vintage}",
            "the date of the codes",
            "geography.possible_vintages(codes) lists the years at which all are valid",
        )
    placed = passed["insee_code"].notna().to_numpy()
    held = table.assign(insee_code=passed["insee_code"].astype(object))[placed]
    together = held.duplicated(["insee_code", *by], keep=False)
    if not together.any():
        return held.reset_index(drop=True)
    if weights is None or weights not in table.columns:
        arrived = "no weights are given" if weights is None else f"there is no column {weights!r}"
        raise DataError(
            f"{int(together.sum())} row(s) of the exposures are of communes that merged since {vintage}; {arrived}",
            "a column of persons to weigh their means by",
            'reference_weights="population"',
        )
    means = [name for name in table.columns if name not in ("insee_code", weights, *by)]
    carried = carry_table(
        table, "insee_code", from_vintage=vintage, to_vintage=TODAY, means=means, weights=weights, by=by,
        unplaced="apart",
    )  # fmt: skip
    return carried.table
