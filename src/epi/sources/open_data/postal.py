"""Amounts by postal code shared among communes, only by a rule that is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pandas as pd

from epi.errors import DataError, ParameterError
from epi.geography import read_communes
from epi.sources.open_data.carrying import TODAY
from epi.sources.open_data.layout import Column
from epi.sources.open_data.table import OpenTable

_LABELS = {"equal": "equal parts", "population": "parts in proportion to population (census 2023)"}


def share_purchases(
    purchases: OpenTable, postal_codes: OpenTable, *, rule: Literal["equal", "population"]
) -> OpenTable:
    """Share purchases by postal code among the communes of each postal code.

    Place of purchase is not place of use; no rule makes it so.

    Parameters
    ----------
    purchases : OpenTable
        What :func:`read_pesticides_postal` gave.
    postal_codes : OpenTable
        What :func:`read_postal_codes` gave.
    rule : {"equal", "population"}
        Equal parts, as the compiler of the commune file did, or in proportion to population.

    Returns
    -------
    OpenTable
        One row for each commune of today and classification: kg. The sum over communes is that of the
        postal codes that could be shared; the others are told in the notes.

    Raises
    ------
    DataError
        If the tables are of other layouts.
    ParameterError
        If no rule is named.
    """
    if rule not in _LABELS:
        raise ParameterError(f"rule is {rule!r}", "'equal' or 'population': a postal code has several communes")
    if purchases.layout.id != "pesticides_postal" or postal_codes.layout.id != "postal_codes":
        raise DataError("the tables are of other layouts", "read_pesticides_postal() and read_postal_codes()")
    pairs = postal_codes.table[["code_postal", "code_commune_current"]].dropna().drop_duplicates()
    pairs = pairs.sort_values(["code_postal", "code_commune_current"], ignore_index=True)
    persons = read_communes().set_index("insee_code")["population"].astype(float)
    weight = pairs["code_commune_current"].map(persons) if rule == "population" else pd.Series(1.0, index=pairs.index)
    total = weight.groupby(pairs["code_postal"]).transform("sum")
    pairs = pairs.assign(part=(weight / total).where(total > 0)).dropna(subset=["part"])
    key = ["code_postal", "classification"]
    # A quantity that is not known makes the total of its postal code unknown.
    ordered = purchases.table.sort_values([*key, "substance", "kg"], kind="stable")
    group = ordered.groupby(key, dropna=False)["kg"]
    totals = group.sum().where(group.count() == group.size()).reset_index()
    there = totals["code_postal"].isin(set(pairs["code_postal"]))
    shared = totals[there].merge(pairs, on="code_postal")
    shared = shared.assign(kg=shared["kg"] * shared["part"])
    by_commune = shared.groupby(["code_commune_current", "classification"], dropna=False)["kg"]
    kg = by_commune.sum().where(by_commune.count() == by_commune.size())
    frame = kg.reset_index().rename(columns={"code_commune_current": "code_commune"})
    columns = (
        Column("code_commune", "code", code="commune"),
        Column("classification", "class"),
        Column("kg", "count", "kg"),
    )
    layout = replace(
        purchases.layout, support="commune", area="code_commune", key=("code_commune", "classification"),
        columns=columns,
    )  # fmt: skip
    lost = int((~there).sum())
    notes = [*purchases.notes, f"Shared among communes of a postal code by {_LABELS[rule]}."]
    if lost:
        left = float(totals.loc[~there, "kg"].sum())
        notes.append(f"{lost} total(s) ({left:.1f} kg) are of postal codes without a commune of today, set aside.")
    return replace(
        purchases, table=frame, layout=layout, columns=columns, geography=TODAY, notes=tuple(notes),
        settings={"rule": rule, "postal_codes": postal_codes.file},
    )  # fmt: skip
