"""Commune codes of one date brought to another: one row in, one row out, a status and a reason for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.geography import store
from epi.geography.codes import (
    ABROAD,
    COLLECTIVITY,
    FAULTS,
    Codes,
    DistinctCodes,
    check_codes,
    distinct_codes,
    known_codes,
    postal_only,
)
from epi.geography.passing import Passing, build_passing
from epi.geography.vintages import read_vintage, write_day
from epi.results import Counted, Release

STATUSES: dict[str, str] = {
    "current": "commune of the geography asked for, under this code",
    "arrondissement": "municipal arrondissement of Paris, Lyon or Marseille, taken to its city",
    "passed": "merged, renumbered or re-established commune, followed to the geography asked for",
    "delegated": "associated or delegated commune, taken to its commune",
    "split": "several communes, with the share of the population in each: none is chosen",
    "ambiguous": "several communes possible, or a long extinct code that is a postal code now: none is chosen",
    "refused": "several communes of an earlier geography, without population to share out",
    "not_valid": "a commune's code, at another date than the one given",
    "abroad": "country code (99xxx): born or living abroad",
    "overseas_collectivity": "territory outside the commune table (975, 977, 978, 984 to 989)",
    "postal_code": "a postal code, which is not an INSEE code",
    "malformed": "not five characters of an INSEE code",
    "unknown": "well formed, but no commune since 1943",
    "missing": "no code",
}
"""What may be said of a code, in the order reports show it."""

PLACED = ("current", "arrondissement", "passed", "delegated")
"""The statuses that have one answer."""

_WHY = {
    "abroad": "a country code",
    "overseas_collectivity": "an overseas collectivity is outside the table of communes",
    "postal_code": "a postal code covers several communes: take the INSEE code",
    "unknown": "no commune had this code since 1943",
    "missing": "no code",
}


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
        Number of rows with one commune.
    """

    table: pd.DataFrame
    total: int
    placed: int

    @property
    def share(self) -> float:
        """Share of rows that have one commune; NaN when there are no rows."""
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
            note=f"Code geography up to {store.VINTAGE}. Source: {store.ATTRIBUTION}.",
            labels={"status": "Status", "meaning": "Meaning", "rows": "Rows", "share": "Share"},
        )

    def _repr_html_(self) -> str:
        shown = self.table.assign(share=self.table["share"].map("{:.1%}".format))
        return str(shown.to_html(index=False, border=0))


@dataclass(frozen=True)
class Harmonised:
    """Codes brought to one geography.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each code given, with its index: code (as given), insee_code (missing without a single
        answer), status (a category of :data:`STATUSES`), candidates and weights (joined by ``|``, where
        there are several), reason (missing where the code did not change).
    shares : pandas.DataFrame
        The candidates of each distinct code and date that has several: from_vintage, code, candidate,
        weight (NaN where unknown), weight_source.
    coverage : CodeCoverage
        Rows by status.
    settings : dict
        The dates and options.
    """

    table: pd.DataFrame
    shares: pd.DataFrame
    coverage: CodeCoverage
    settings: dict[str, Any]

    def release(self) -> Release:
        """Say what would be published: the coverage, never a row.

        Returns
        -------
        Release
            Rows by status.
        """
        return self.coverage.release()

    def _repr_html_(self) -> str:
        return self.coverage._repr_html_()


def harmonise(
    codes: Codes,
    from_vintage: Any = None,
    to_vintage: Any = 2026,
    *,
    cities: Literal["whole", "arrondissements"] = "whole",
    on_fault: Literal["raise", "mark"] = "raise",
) -> Harmonised:
    """Bring commune codes of one date to the communes of another.

    Mergers, changes of code and of département, divisions, re-establishments and chains of them are
    followed through INSEE's list of events since 1943, day by day. Nothing is guessed: where a code has
    several answers, they are its candidates, with shares of the population where a census counted them.

    Parameters
    ----------
    codes : sequence of str
        INSEE codes, also of municipal arrondissements and of associated or delegated communes; missing
        ones are allowed.
    from_vintage : int, str, date or sequence of these, optional
        The date of the codes: a year, which stands for its 1 January, or a day, for all rows or one for
        each row. Unknown (None, or missing in a row) by default: every date since 1943 at which the code
        was valid is then considered; the answer stands if it is the same for all, otherwise they are the
        candidates and the reason says which dates give which.
    to_vintage : int, str or date, optional
        The date of the communes wanted, 2026 by default; from 1943 on.
    cities : {"whole", "arrondissements"}, optional
        Take arrondissements of Paris, Lyon and Marseille to their city, or divide the city between them.
    on_fault : {"raise", "mark"}, optional
        What to do with codes that are badly written, or with a column of postal codes: refuse the column,
        or give these rows the status malformed or postal_code.

    Returns
    -------
    Harmonised
        ``.table`` has one row for each code given, with a status and a reason; ``.coverage`` counts them.

    Raises
    ------
    GeographyError
        If codes are badly written and `on_fault` is "raise", or a date is outside 1943 to 2026.
    ParameterError
        If an option is unknown or there are not as many dates as codes.

    Notes
    -----
    A commune that merged is followed inside the commune that took it, also as an associated or delegated
    one, and comes out of it whole if it was re-established. Shares are those of people counted by
    communes that make up each candidate exactly, by the first source that can: legal populations 2023,
    persons of tax households 2021 (Filosofi), persons aged 25 to 54 with or seeking work at the census
    of 2011. To an earlier geography, a commune made of several is divided the same way, or refused where
    no source counted them apart. Mayotte has its codes 976 at every date.

    Source: INSEE, *Événements survenus aux communes depuis 1943*, Code officiel géographique 2025.

    Examples
    --------
    >>> harmonise(["01003", "15031", "75112", "99109"], 1970).table[["insee_code", "status"]].values.tolist()
    [['01165', 'passed'], ['15031', 'current'], ['75056', 'arrondissement'], [None, 'abroad']]
    >>> harmonise(["97357"], 1990).table[["status", "candidates", "weights"]].values.tolist()
    [['split', '97357|97362', '0.658852|0.341148']]
    >>> harmonise(["2A004", "38185"], 2026, 1960).table["insee_code"].tolist()
    ['20004', '38185']
    """
    if cities not in {"whole", "arrondissements"} or on_fault not in {"raise", "mark"}:
        raise ParameterError(
            f"cities is {cities!r}, on_fault is {on_fault!r}", "'whole' or 'arrondissements'; 'raise' or 'mark'"
        )
    to_day = read_vintage(to_vintage, "to_vintage")
    divide = cities == "arrondissements"
    settings: dict[str, Any] = {"to_vintage": write_day(to_day), "cities": cities, "on_fault": on_fault}
    if from_vintage is None or np.ndim(from_vintage) == 0:
        day = None if from_vintage is None or pd.isna(from_vintage) else read_vintage(from_vintage, "from_vintage")
        passing = build_passing(day, to_day, "any" if day is None else "day", divide)
        table = apply_passing(distinct_codes(codes), passing, on_fault, dated=day is not None)
        settings["from_vintage"] = None if day is None else write_day(day)
        shares = _met(passing, table, None if day is None else write_day(day))
        return Harmonised(table, shares, code_coverage(table), settings)
    given = codes if isinstance(codes, pd.Series) else pd.Series(codes, dtype=object)
    days, place = _days(from_vintage, len(given))
    parts, met = [], []
    for number, one in enumerate(days):
        rows = np.flatnonzero(place == number)
        passing = build_passing(one, to_day, "any" if one is None else "day", divide)
        part = apply_passing(distinct_codes(given.iloc[rows]), passing, on_fault, dated=one is not None)
        parts.append(part.set_axis(rows))
        met.append(_met(passing, part, None if one is None else write_day(one)))
    table = pd.concat(parts).sort_index().set_axis(given.index)
    settings["from_vintage"] = "one for each row"
    return Harmonised(table, pd.concat(met, ignore_index=True), code_coverage(table), settings)


def _days(vintages: Any, rows: int) -> tuple[list[int | None], np.ndarray]:
    if len(vintages) != rows:
        raise ParameterError(f"{len(vintages):,} dates for {rows:,} codes", "one date, or one for each code")
    place, distinct = pd.factorize(pd.Series(np.asarray(vintages, dtype=object), dtype=object), use_na_sentinel=False)
    days = [None if pd.isna(value) else read_vintage(value, "from_vintage") for value in distinct]
    unique = list(dict.fromkeys(days))
    return unique, np.array([unique.index(day) for day in days], dtype=int)[place]


def _met(passing: Passing, table: pd.DataFrame, vintage: str | None) -> pd.DataFrame:
    codes = pd.unique(table.loc[table["candidates"].notna(), "code"])
    shares = passing.shares[passing.shares["code"].isin(codes)].reset_index(drop=True)
    shares.insert(0, "from_vintage", vintage)
    return shares


def apply_passing(read: DistinctCodes, passing: Passing, on_fault: str, *, dated: bool) -> pd.DataFrame:
    """Give each row of a column what its code becomes.

    Parameters
    ----------
    read : DistinctCodes
        The column.
    passing : Passing
        What every known code becomes.
    on_fault : {"raise", "mark"}
        Refuse badly written codes and columns of postal codes, or mark them.
    dated : bool
        Whether the date of the codes is known, so that a code of that date is no postal code.

    Returns
    -------
    pandas.DataFrame
        With the index of the column: code, insee_code, status, candidates, weights, reason.

    Raises
    ------
    GeographyError
        If codes are badly written and `on_fault` is "raise".
    """
    known = passing.table
    if on_fault == "raise":
        check_codes(read, valid=known.index[known["status"] != "not_valid"] if dated else None)
    place = known.index.get_indexer(pd.Index(read.text))
    found = place >= 0
    columns = {}
    for column in ("insee_code", "candidates", "weights", "reason"):
        columns[column] = np.full(len(place), None, dtype=object)
        columns[column][found] = known[column].to_numpy()[place[found]]
    status = pd.Series("unknown", index=read.text.index, dtype=object)
    status[postal_only(read)] = "postal_code"
    status[read.text.str.fullmatch(COLLECTIVITY)] = "overseas_collectivity"
    status[read.text.str.fullmatch(ABROAD)] = "abroad"
    status[read.fault != ""] = "malformed"
    status[found] = known["status"].to_numpy()[place[found]]
    status[(status == "not_valid") & read.text.isin(store.postal_codes())] = "postal_code"
    if not dated:
        reused = known_codes().query("postal").index
        doubtful = (read.text.isin(reused) & status.isin(PLACED)).to_numpy()
        columns["candidates"][doubtful] = columns["insee_code"][doubtful]
        columns["insee_code"][doubtful] = None
        columns["reason"][doubtful] = "given up in 1968 or 1976, a postal code now: either may be meant"
        status[doubtful] = "ambiguous"
    for word, why in _WHY.items():
        columns["reason"][((status == word) & (pd.isna(columns["reason"]) | (word == "postal_code"))).to_numpy()] = why
    wrong = (read.fault != "").to_numpy()
    columns["reason"][wrong] = [FAULTS[fault] for fault in read.fault[wrong]]
    order = list(STATUSES)
    number = np.array([*(order.index(word) for word in status), order.index("missing")], dtype="int8")
    spread = {column: read.spread(values) for column, values in columns.items()}
    spread["reason"][read.place < 0] = _WHY["missing"]
    kind = pd.CategoricalDtype(order, ordered=True)
    return pd.DataFrame(
        {
            "code": read.given.to_numpy(dtype=object),
            "insee_code": spread["insee_code"],
            "status": pd.Categorical.from_codes(number[read.place], dtype=kind),
            "candidates": spread["candidates"],
            "weights": spread["weights"],
            "reason": spread["reason"],
        },
        index=read.given.index,
        copy=False,
    )


def code_coverage(passed: pd.DataFrame) -> CodeCoverage:
    """Count what :func:`harmonise` or :func:`~epi.geography.to_current` could place.

    Parameters
    ----------
    passed : pandas.DataFrame
        The table of the one, or what the other returned.

    Returns
    -------
    CodeCoverage
        Rows by status.

    Examples
    --------
    >>> coverage = code_coverage(harmonise(["38185", "01003", None], 1970).table)
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
    return CodeCoverage(table, len(passed), int(rows.reindex(PLACED, fill_value=0).sum()))
