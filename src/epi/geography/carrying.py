"""Tables of counts and of means by commune, carried to the communes of another date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.harmonisation import PLACED, CodeCoverage, Harmonised, harmonise
from epi.results import Counted, Release


@dataclass(frozen=True)
class Carried:
    """A table carried from the communes of one date to those of another.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each commune (and stratum) of the date asked, sorted: the key, the strata, counts and means.
    apart : pandas.DataFrame
        The rows that no single commune and no share could take, as they were, with status and reason.
    report : pandas.DataFrame
        One row for each column carried: column, kind, total_before, total_after, total_apart, cells_missing
        (missing cells of the table carried).
    coverage : CodeCoverage
        Rows of the table given by what became of their code.
    settings : dict
        The dates, columns and options.
    """

    table: pd.DataFrame
    apart: pd.DataFrame
    report: pd.DataFrame
    coverage: CodeCoverage
    settings: dict[str, Any]

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table, its counts declared.
        """
        counts = [name for name in self.settings["counts"] if name in self.table]
        return Release(
            self.table,
            counts=tuple(Counted(name) for name in counts),
            title="Table carried between two geographies",
            note=f"Communes of {self.settings['to_vintage']}. Source: {store.ATTRIBUTION}.",
        )

    def _repr_html_(self) -> str:
        return str(self.report.to_html(index=False, border=0)) + self.coverage._repr_html_()


def carry_table(
    table: pd.DataFrame,
    key: str,
    *,
    from_vintage: Any,
    to_vintage: Any = 2026,
    counts: Sequence[str] = (),
    means: Sequence[str] = (),
    weights: str | None = None,
    by: Sequence[str] = (),
    divide: Literal["refuse", "population"] = "refuse",
    unplaced: Literal["raise", "apart"] = "raise",
    missing: Literal["missing", "skip"] = "missing",
) -> Carried:
    """Carry a table by commune to the communes of another date.

    Counts are added up and their sum is conserved to the unit; means and rates are averaged with a weight
    that is named. Nothing is lost in silence: what cannot be placed is an error, or is set apart.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each commune, or for each commune and stratum of `by`.
    key : str
        The column of INSEE codes.
    from_vintage : int, str, date or None
        The date of the codes; None where it is unknown, see :func:`~epi.geography.harmonise`.
    to_vintage : int, str or date, optional
        The date of the communes wanted, 2026 by default.
    counts : sequence of str, optional
        Columns that add up, not negative. Whole numbers stay whole.
    means : sequence of str, optional
        Columns of means, rates or shares, which are averaged.
    weights : str, optional
        The column that weighs the means, not negative, such as a population; it is carried as a count.
    by : sequence of str, optional
        Columns of strata, such as sex and age.
    divide : {"refuse", "population"}, optional
        What to do with a commune divided between several: leave it unplaced, or share its counts out by
        the people counted in each, to the unit by largest remainders, and give each its means. Without
        such people (status ambiguous or refused) it stays unplaced.
    unplaced : {"raise", "apart"}, optional
        Refuse a table with a row that cannot be placed, or keep these rows apart.
    missing : {"missing", "skip"}, optional
        A missing part makes the whole missing, or is left out of it. A commune of which every part is
        missing is missing either way.

    Returns
    -------
    Carried
        ``.table``, ``.apart`` and a ``.report``; for counts without missing cells, total_before is
        total_after plus total_apart.

    Raises
    ------
    ParameterError
        If columns are unknown, of the wrong kind, negative, or means have no weights.
    GeographyError
        If codes are badly written, a commune comes twice, a city comes with its arrondissements or a
        commune with communes delegated in it (their people would count twice), or rows cannot be placed
        and `unplaced` is "raise".

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"code": ["01165", "01003"], "cases": [3, 4], "persons": [100, 300], "rate": [0.1, 0.2]}
    ... )
    >>> carried = carry_table(table, "code", from_vintage=1970, counts=["cases"], means=["rate"], weights="persons")
    >>> carried.table.values.tolist()
    [['01165', 7, 400, 0.175]]
    """
    counts, means, by = list(counts), list(means), list(by)
    if weights is not None and weights not in counts:
        counts.append(weights)
    _check_columns(table, key, counts, means, weights, by, (divide, unplaced, missing))
    passed = harmonise(table[key], from_vintage, to_vintage)
    _check_twice(table, passed, key, by)
    rows, targets, shares = _places(passed, divide)
    lost = np.ones(len(table), dtype=bool)
    lost[rows] = False
    if lost.any() and unplaced == "raise":
        met = passed.table.loc[lost, "status"].value_counts(sort=False)
        raise GeographyError(
            f"{int(lost.sum()):,} of {len(table):,} rows cannot be placed",
            "codes that have one commune at the date asked, or shares of the population with divide='population'",
            "unplaced='apart' keeps these rows beside the table",
            faults=[f"{number:,} rows: {status}" for status, number in met.items() if number],
        )
    numbers = {name: pd.to_numeric(table[name]).to_numpy(dtype="float64", na_value=np.nan) for name in counts + means}
    whole = {name for name in counts if np.all(np.isnan(numbers[name]) | (numbers[name] == np.round(numbers[name])))}
    parts = {name: _share_out(numbers[name], rows, shares, name in whole) for name in counts}
    weight = parts[weights] if weights is not None else np.ones(len(rows))
    strata = {name: table[name].to_numpy()[rows] for name in by}
    frame = pd.DataFrame({key: targets, **strata})
    # A stated order of addition: by commune, then by the code that a part had.
    order = np.lexsort((passed.table["code"].to_numpy(dtype=object)[rows].astype(str), targets.astype(str)))
    frame = frame.iloc[order]
    group = frame.groupby([key, *by], sort=True, dropna=False, observed=True).ngroup().to_numpy()
    size = int(group.max(initial=-1)) + 1
    first = np.full(size, -1)
    first[group[::-1]] = np.arange(len(group))[::-1]
    columns: dict[str, Any] = {}
    for name in counts:
        total = _add(parts[name][order], group, size, missing)
        columns[name] = pd.array(total, dtype="Int64") if name in whole else total
    for name in means:
        columns[name] = _average(numbers[name][rows][order], weight[order], group, size, missing)
    result = pd.concat([frame.iloc[first].reset_index(drop=True), pd.DataFrame(columns)], axis=1)
    for name in whole:
        if not result[name].isna().any():
            result[name] = result[name].astype("int64")
    apart = table.loc[lost, [key, *by, *counts, *means]].reset_index(drop=True)
    for name in ("status", "reason"):
        apart[f"{name}_of_code"] = passed.table.loc[lost, name].astype(object).to_numpy()
    kinds = [(name, "count") for name in counts] + [(name, "mean") for name in means]
    report = pd.DataFrame([_report(name, kind, numbers[name], lost, result[name]) for name, kind in kinds])
    settings = {
        **passed.settings,
        "counts": counts,
        "means": means,
        "weights": weights,
        "by": by,
        "divide": divide,
        "unplaced": unplaced,
        "missing": missing,
    }
    return Carried(result, apart, report, passed.coverage, settings)


def _check_columns(
    table: pd.DataFrame,
    key: str,
    counts: list[str],
    means: list[str],
    weights: str | None,
    by: list[str],
    options: tuple[str, str, str],
) -> None:
    faults = []
    for value, name, allowed in zip(
        options,
        ("divide", "unplaced", "missing"),
        (("refuse", "population"), ("raise", "apart"), ("missing", "skip")),
        strict=True,
    ):
        if value not in allowed:
            faults.append(f"{name} is {value!r}: {' or '.join(map(repr, allowed))}")
    asked = [key, *by, *counts, *means]
    faults += [f"there is no column {name!r}" for name in dict.fromkeys(asked) if name not in table]
    if len(set(asked)) < len(asked):
        faults.append("a column is asked twice")
    if not counts and not means:
        faults.append("there is nothing to carry: name counts or means")
    if means and weights is None:
        faults.append("means have no weights: name the column of the persons they are means of")
    for name in counts + means:
        if name not in table:
            continue
        if pd.api.types.is_bool_dtype(table[name]) or not pd.api.types.is_numeric_dtype(table[name]):
            faults.append(f"{name!r} holds no numbers")
        elif np.isinf(table[name].to_numpy(dtype="float64", na_value=np.nan)).any():
            faults.append(f"{name!r} holds infinite values")
        elif name in counts and (table[name] < 0).any():
            faults.append(f"{name!r} holds {int((table[name] < 0).sum()):,} negative values")
        elif name in counts and table[name].astype("float64").sum() > 2**53:
            faults.append(f"{name!r} adds up to more than 2**53, beyond which units are lost")
    if faults:
        raise ParameterError("this table cannot be carried", "a key, counts or weighted means", faults=faults)


def _check_twice(table: pd.DataFrame, passed: Harmonised, key: str, by: list[str]) -> None:
    faults = []
    known = table[key].notna().to_numpy()
    twice = int(table[known].duplicated([key, *by]).sum())
    if twice:
        faults.append(f"{twice:,} rows repeat the commune of another" + (" and stratum" if by else "; name strata"))
    present = set(table.loc[known, key])
    inner = passed.table["status"].isin(["arrondissement", "delegated"]).to_numpy()
    # The commune that held them at the date of the codes, not the one that they are in now.
    date = passed.settings["from_vintage"] or passed.settings["to_vintage"]
    held = harmonise(table.loc[inner, key], date, date).table
    doubled = int(held["insee_code"].isin(present).sum())
    if doubled:
        faults.append(
            f"{doubled:,} rows of municipal arrondissements, associated or delegated communes stand beside the "
            "commune that holds them: their people would count twice"
        )
    if faults:
        raise GeographyError("communes are there twice", "one row for each commune", faults=faults)


def _places(passed: Harmonised, divide: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the parts of rows: position of the row, commune it goes to, share."""
    placed = passed.table["status"].isin(PLACED).to_numpy()
    rows = np.flatnonzero(placed)
    targets = passed.table["insee_code"].to_numpy(dtype=object)[rows]
    shares = np.ones(len(rows))
    if divide == "population":
        known = passed.shares[passed.shares["weight"].notna()]
        divided = pd.DataFrame(
            {"row": np.flatnonzero(~placed), "code": passed.table["code"].to_numpy(dtype=object)[~placed]}
        ).merge(known, on="code")
        rows = np.r_[rows, divided["row"].to_numpy(dtype=int)]
        targets = np.r_[targets, divided["candidate"].to_numpy(dtype=object)]
        shares = np.r_[shares, divided["weight"].to_numpy(dtype=float)]
    return rows, targets, shares


def _share_out(values: np.ndarray, rows: np.ndarray, shares: np.ndarray, whole: bool) -> np.ndarray:
    """Give each part its share; of whole numbers, whole ones that add up (largest remainders)."""
    exact = values[rows] * shares
    if not whole:
        return exact
    parts = np.floor(exact + 1e-9)
    known = ~np.isnan(exact) & (shares < 1)
    for row in np.unique(rows[known]):
        mine = np.flatnonzero((rows == row) & known)
        left = int(values[row] - parts[mine].sum())
        order = np.argsort(-(exact[mine] - parts[mine]), kind="stable")
        parts[mine[order[:left]]] += 1
    return parts


def _add(values: np.ndarray, group: np.ndarray, size: int, missing: str) -> np.ndarray:
    known = ~np.isnan(values)
    total = np.bincount(group[known], weights=values[known], minlength=size)
    parts, met = np.bincount(group, minlength=size), np.bincount(group[known], minlength=size)
    total[(met == 0) | ((met < parts) & (missing == "missing"))] = np.nan
    return total


def _average(values: np.ndarray, weight: np.ndarray, group: np.ndarray, size: int, missing: str) -> np.ndarray:
    value = np.where(np.isnan(weight), np.nan, values)
    # A part in which nobody is counted weighs nothing, and its mean may be unknown.
    value = np.where((weight == 0) & np.isnan(value), 0.0, value)
    sums = _add(value * weight, group, size, missing)
    people = np.bincount(group, weights=np.where(np.isnan(value), 0.0, np.nan_to_num(weight)), minlength=size)
    return np.divide(sums, people, out=np.full(size, np.nan), where=people > 0)


def _report(name: str, kind: str, values: np.ndarray, lost: np.ndarray, after: pd.Series) -> dict[str, Any]:
    totals = [np.nansum(values), float(after.sum()), np.nansum(values[lost])] if kind == "count" else [np.nan] * 3
    return {
        "column": name,
        "kind": kind,
        "total_before": totals[0],
        "total_after": totals[1],
        "total_apart": totals[2],
        "cells_missing": int(after.isna().sum()),
    }
