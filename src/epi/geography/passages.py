"""The passage of older commune codes to today's: one row in, one row out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.geography import store
from epi.geography.codes import (
    ABROAD,
    COLLECTIVITY,
    Codes,
    check_codes,
    distinct_codes,
    known_codes,
    postal_only,
)
from epi.results import Counted, Release

STATUSES: dict[str, str] = {
    "current": "commune of today",
    "arrondissement": "municipal arrondissement of Paris, Lyon or Marseille, taken to its city",
    "passed": "merged or renumbered commune, followed to today's",
    "ambiguous": "split commune, or long extinct code that is a postal code now: none is chosen",
    "abroad": "country code (99xxx): born or living abroad",
    "overseas_collectivity": "territory outside the commune table (975, 977, 978, 984 to 989)",
    "postal_code": "a postal code, which is not an INSEE code",
    "malformed": "not five characters of an INSEE code",
    "unknown": "well formed, but no commune since 1943",
    "missing": "no code",
}
"""What :func:`to_current` may say of a code, in the order reports show it."""


@dataclass(frozen=True)
class CodeCoverage:
    """How many codes could be placed, and why the others could not.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each status met: status, meaning, rows, share.
    total : int
        Number of rows read.
    placed : int
        Number of rows with a current commune.
    """

    table: pd.DataFrame
    total: int
    placed: int

    @property
    def share(self) -> float:
        """Share of rows that have a current commune; NaN when there are no rows."""
        return self.placed / self.total if self.total else float("nan")

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            Rows by status; they add up to a total that is known.
        """
        return Release(
            self.table,
            counts=(Counted("rows", adds_up_within=(), derived=("share",)),),
            title="Commune codes: what could be placed",
            note=f"Code geography of {store.VINTAGE}. Source: {store.ATTRIBUTION}.",
            labels={"status": "Status", "meaning": "Meaning", "rows": "Rows", "share": "Share"},
        )

    def _repr_html_(self) -> str:
        shown = self.table.assign(share=self.table["share"].map("{:.1%}".format))
        return str(shown.to_html(index=False, border=0))


def to_current(codes: Codes, *, on_fault: Literal["raise", "mark"] = "raise") -> pd.DataFrame:
    """Follow each code to the commune of today, one row in, one row out.

    Mergers and code changes are followed through as many steps as there were. A commune that was split
    has several successors: it is marked ambiguous, with its candidates; so is a code that was given up
    in 1968 or 1976 and is a postal code now. A commune that was merged and later re-established is current.

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
        (a category of :data:`STATUSES`), candidates (codes joined by ``|`` where ambiguous).

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
    read = distinct_codes(codes)
    if on_fault == "raise":
        check_codes(read)
    known = known_codes()
    place = known.index.get_indexer(pd.Index(read.text))
    found = place >= 0
    status = pd.Series("unknown", index=read.text.index, dtype=object)
    status[postal_only(read)] = "postal_code"
    status[read.text.str.fullmatch(COLLECTIVITY)] = "overseas_collectivity"
    status[read.text.str.fullmatch(ABROAD)] = "abroad"
    status[read.fault != ""] = "malformed"
    status[found] = known["status"].to_numpy()[place[found]]
    order = list(STATUSES)
    number = np.array([*(order.index(word) for word in status), order.index("missing")], dtype="int8")
    columns = {}
    for column in ("insee_code", "candidates"):
        values = np.full(len(place), None, dtype=object)
        values[found] = known[column].to_numpy()[place[found]]
        columns[column] = read.spread(values)
    kind = pd.CategoricalDtype(order, ordered=True)
    return pd.DataFrame(
        {
            "code": read.given.to_numpy(dtype=object),
            "insee_code": columns["insee_code"],
            "status": pd.Categorical.from_codes(number[read.place], dtype=kind),
            "candidates": columns["candidates"],
        },
        index=read.given.index,
    )


def code_coverage(passed: pd.DataFrame) -> CodeCoverage:
    """Count what :func:`to_current` could place.

    Parameters
    ----------
    passed : pandas.DataFrame
        What :func:`to_current` returned.

    Returns
    -------
    CodeCoverage
        Rows by status.

    Examples
    --------
    >>> coverage = code_coverage(to_current(["38185", "01003", None]))
    >>> coverage.placed, coverage.total
    (2, 3)
    """
    rows = passed["status"].value_counts(sort=False).reindex(list(STATUSES), fill_value=0)
    rows = rows[rows > 0]
    table = pd.DataFrame(
        {
            "status": list(rows.index),
            "meaning": [STATUSES[status] for status in rows.index],
            "rows": rows.to_numpy(dtype="int64"),
            "share": rows.to_numpy() / max(len(passed), 1),
        }
    )
    return CodeCoverage(table, len(passed), int(passed["insee_code"].notna().sum()))


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
