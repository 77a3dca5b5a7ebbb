"""Codes of another vintage carried to the communes of today: counts added up, means weighted, or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from epi.errors import DataError, GeographyError, ParameterError
from epi.geography import city_of, read_communes
from epi.sources.open_data.areas import in_scope
from epi.sources.open_data.dating import TODAY, follow_codes

if TYPE_CHECKING:
    from epi.sources.open_data.table import OpenTable

_SUPPORTS = {"commune", "site", "station", "pair of codes"}


def carry_to_current(
    table: OpenTable, *, weights: str | None = None, on_ambiguous: Literal["refuse", "drop"] = "drop"
) -> OpenTable:
    """Carry a table to the communes of today, from the date of its own codes.

    A code is read at the date that the file states, or at those around its values at which all its codes were valid
    (`settings` says which): the same code may have been another commune, or a larger one, at another date.
    Where several communes became one, counts are added up and means are weighted; a part that is missing
    makes the whole missing. Classes, texts and plain numbers are kept where all parts agree and are missing
    otherwise. Arrondissements of Paris, Lyon and Marseille go to their city, and are set aside where the
    city has a row of its own. Sites and stations keep one row each; their commune is brought up to date.

    Parameters
    ----------
    table : OpenTable
        A table with commune codes.
    weights : str, optional
        Column by which means are weighted, usually a population; ``"equal"`` weighs communes alike. Needed
        only where communes with values merged.
    on_ambiguous : {"drop", "refuse"}, optional
        What to do with rows whose code has no single commune of today (a commune that was split, a code
        nobody knows): set them aside and count them in the notes, or refuse the table.

    Returns
    -------
    OpenTable
        In the geography of 2026; `settings` says what was done.

    Raises
    ------
    GeographyError
        If the table's areas are not communes, codes are badly written, or `on_ambiguous` is "refuse" and
        some cannot be placed.
    ParameterError
        If means must be weighted and nothing says by what.
    """
    if table.support not in _SUPPORTS or not table.area:
        raise GeographyError(
            f"the areas of {table.layout.id!r} are {table.support}",
            "communes",
            "areas of this kind are joined in their own geography",
        )
    if on_ambiguous not in {"refuse", "drop"}:
        raise ParameterError(f"on_ambiguous is {on_ambiguous!r}", "'drop' or 'refuse'")
    dated = follow_codes(table, table.table[table.area])
    passed, status = dated.passed, dated.status
    settings = {
        "geography": TODAY,
        "codes": dated.basis,
        "weights": weights or "none",
        "rows": status.value_counts().to_dict(),
    }
    lost = passed["insee_code"].isna()
    if lost.any() and on_ambiguous == "refuse":
        counts = status[lost].value_counts()
        raise GeographyError(
            f"{int(lost.sum())} of {len(passed)} row(s) have no single commune of today",
            "codes that can be followed",
            'on_ambiguous="drop" sets them aside',
            faults=[f"{count} row(s): {word}" for word, count in counts.items()],
        )
    given = table.table[table.area]
    # Parts beside the commune that holds them would count twice.
    holder = passed["insee_code"].where(status == "delegated", city_of(given))
    parent_there = (holder != given).to_numpy() & holder.isin(set(given)).to_numpy() & (table.support == "commune")
    parent_there &= status.isin(["arrondissement", "delegated"]).to_numpy()
    frame = table.table.assign(**{table.area: passed["insee_code"]})[~lost.to_numpy() & ~parent_there]
    notes = list(table.notes)
    if lost.any():
        notes.append(f"{int(lost.sum())} row(s) without a single commune of today are set aside.")
    if parent_there.any():
        notes.append(
            f"{int(parent_there.sum())} row(s) of arrondissements or delegated communes are set aside: "
            "their commune has its own."
        )
    if table.area in table.key:
        frame = _merge(table, frame, weights)
    return replace(table, table=frame.reset_index(drop=True), geography=TODAY, notes=tuple(notes), settings=settings)


def _merge(table: OpenTable, frame: pd.DataFrame, weights: str | None) -> pd.DataFrame:
    key = [column for column in table.key if column in frame.columns]
    # A stated order before any sum: the same bits whatever the order of the rows.
    frame = frame.assign(_code=table.table[table.area].reindex(frame.index)).sort_values([*key, "_code"], kind="stable")
    several = frame.duplicated(key, keep=False).to_numpy()
    alone, parts = frame[~several].drop(columns="_code"), frame[several].drop(columns="_code")
    if parts.empty:
        return alone
    if "geometry" in frame.columns:
        raise GeographyError("contours of communes that merged", "contours of today", "use communes_contours of 2025")
    if weights not in (None, "equal") and weights not in frame.columns:
        raise ParameterError(f"weights={weights!r} is not a column", "a column of the table, or 'equal'")
    group = parts.groupby(key, sort=False, dropna=False)
    out: dict[str, pd.Series] = {}
    for column in table.columns:
        if column.name in key or column.name not in frame.columns:
            continue
        if column.kind == "count":
            out[column.name] = group[column.name].sum().where(group[column.name].count() == group.size())
        elif column.kind == "mean":
            out[column.name] = _weighted(table, parts, key, column.name, weights)
        else:
            same = group[column.name].nunique(dropna=False).eq(1)
            out[column.name] = group[column.name].first().where(same)
    merged = pd.DataFrame(out).reset_index()
    together = pd.concat([alone, merged[alone.columns]], ignore_index=True)
    return together.sort_values(key, kind="stable")


def _weighted(table: OpenTable, parts: pd.DataFrame, key: list[str], name: str, weights: str | None) -> pd.Series:
    informed = parts[name].notna()
    group = informed.groupby([parts[column] for column in key], sort=False).agg(["sum", "size"])
    if weights is None:
        if bool((group["sum"] == group["size"]).any()):
            counts = table.columns_of("count")
            raise ParameterError(
                f"{name} is a mean, and {int((group['sum'] == group['size']).sum())} commune(s) of today take it from "
                "several",
                "weights= a column of persons",
                f"weights={counts[0]!r}" if counts else 'weights="equal" weighs communes alike, and says so',
            )
        return pd.Series(np.nan, index=group.index)
    weight = pd.Series(1.0, index=parts.index) if weights == "equal" else parts[weights].astype(float)
    by = [parts[column] for column in key]
    total = weight.groupby(by, sort=False).sum(min_count=1)
    known = weight.notna().groupby(by, sort=False).all() & (group["sum"] == group["size"]) & (total > 0)
    product = (parts[name].astype(float) * weight).groupby(by, sort=False).sum(min_count=1)
    return (product / total).where(known)


def fill_unlisted(table: OpenTable) -> OpenTable:
    """Add the communes that are not listed with counts of 0, where the producer says that they have none.

    Parameters
    ----------
    table : OpenTable
        A table by commune, in the geography of today.

    Returns
    -------
    OpenTable
        One row for each commune within the file's reach; communes of départements of which the file has
        no row at all stay out.

    Raises
    ------
    DataError
        If the layout does not say so, or the table is not by commune of today.
    """
    layout = table.layout
    if layout.unlisted != "zero":
        raise DataError(f"a commune that {layout.id!r} does not list is missing, not zero", "a list of what there is")
    if table.geography != TODAY or table.support != "commune" or table.key != (table.area,):
        raise DataError(f"{table.file} is not by commune of today", "one row a commune", "to_current() first")
    communes = read_communes()
    communes = communes[communes["type"] == "commune"]
    within = in_scope(table, communes["departement"].astype(object).reset_index(drop=True))
    wanted = communes["insee_code"][within]
    absent = wanted[~wanted.isin(set(table.table[table.area]))]
    added = pd.DataFrame({table.area: absent.astype(object)})
    for name in table.columns_of("count"):
        added[name] = 0
    frame = pd.concat([table.table, added.reindex(columns=table.table.columns)], ignore_index=True)
    frame = frame.sort_values(table.area, kind="stable", ignore_index=True)
    return replace(table, table=frame, notes=(*table.notes, f"{len(absent)} commune(s) not listed are zero."))


def count_sites(table: OpenTable) -> OpenTable:
    """Count a list of sites by commune of today.

    Parameters
    ----------
    table : OpenTable
        One row for each site, with its commune.

    Returns
    -------
    OpenTable
        ``code_commune`` and ``n_sites``, for communes with at least one; `fill_unlisted` adds those with none.

    Raises
    ------
    DataError
        If the table does not list sites.

    Notes
    -----
    A site whose commune cannot be placed is set aside, and counted in the notes.
    """
    from epi.sources.open_data.layout import Column

    if table.support != "site" or not table.area:
        raise DataError(f"{table.layout.id!r} does not list sites by commune", "a list of sites")
    today = table if table.geography == TODAY else carry_to_current(table)
    counts = today.table[table.area].value_counts().sort_index()
    frame = pd.DataFrame({"code_commune": counts.index.astype(object), "n_sites": counts.to_numpy("int64")})
    columns = (Column("code_commune", "code", code="commune"), Column("n_sites", "count", "sites"))
    layout = replace(table.layout, support="commune", area="code_commune", key=("code_commune",), columns=columns)
    return replace(today, table=frame, layout=layout, columns=columns, settings={**today.settings, "counted": "sites"})
