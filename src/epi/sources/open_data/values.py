"""Texts become codes, counts, means and dates; what cannot is counted, never dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from epi.sources.open_data.layout import Column

CODES: dict[str, tuple[str, str]] = {
    "commune": (r"[0-9]{5}|2[AB][0-9]{3}", "5 characters such as '01053' or '2A004'"),
    "postal": (r"[0-9]{5}", "5 digits such as '01000'"),
    "iris": (r"[0-9]{9}|2[AB][0-9]{7}", "9 characters such as '010040101'"),
    "departement": (r"[0-9]{2}|2[AB]|97[0-9]", "2 or 3 characters such as '01', '2A' or '971'"),
    "arrondissement": (r"[0-9]{3}|2[AB][0-9]|97[0-9]{2}", "3 or 4 characters such as '012' or '9711'"),
    "bassin_de_vie": (r"[0-9]{5}|2[AB][0-9]{3}", "5 characters such as '01093'"),
    "region": (r"[0-9]{2}", "2 digits such as '01'"),
    "finess": (r"[0-9]{2}[0-9]{7}|2[AB][0-9]{7}", "9 characters such as '010000024'"),
    "id": (r".+", "an identifier"),
}
"""What a code of each sort looks like."""


def _text(raw: pd.Series) -> pd.Series:
    """Give texts, stripped; a number written in a cell keeps its own look."""
    if pd.api.types.is_object_dtype(raw.dtype) or pd.api.types.is_string_dtype(raw.dtype):
        text = raw.astype(object).where(raw.notna(), "")
        return text.map(lambda value: value.strip() if isinstance(value, str) else str(value)).astype(object)
    return raw.astype(object).where(raw.notna(), "").map(str).astype(object)


def build_column(raw: pd.Series, column: Column, missing: tuple[str, ...], decimal: str) -> tuple[pd.Series, list[str]]:
    """Turn a column of texts into what the layout says it is.

    Parameters
    ----------
    raw : pandas.Series
        As read.
    column : Column
        What it is.
    missing : tuple of str
        Tokens for a missing value.
    decimal : str
        Decimal mark.

    Returns
    -------
    values : pandas.Series
        Codes and texts as objects with None where missing; numbers; dates.
    faults : list of str
        What is wrong, in numbers of rows.
    """
    if column.name == "geometry":
        return raw, []
    text = _text(raw)
    empty = text.isin({*missing, ""}).to_numpy(dtype=bool)
    if column.kind == "code":
        return _codes(raw, text, empty, column)
    if column.kind in {"text", "class"}:
        return text.mask(empty, None), []
    if column.kind == "date":
        return _dates(text, empty, column)
    plain = text.str.replace("[\u00a0\u202f ]", "", regex=True)
    if decimal != ".":
        plain = plain.str.replace(decimal, ".", regex=False)
    values = pd.to_numeric(plain.mask(empty, None), errors="coerce").astype(float)
    wrong = int((values.isna().to_numpy() & ~empty).sum()) + int(np.isinf(values).sum())
    faults = [f"{column.name}: {wrong} row(s) are not numbers"] if wrong else []
    if column.kind == "count" and bool((values < 0).any()):
        faults.append(f"{column.name}: {int((values < 0).sum())} count(s) are negative")
    if column.kind == "flag" and not bool(values.dropna().isin([0, 1]).all()):
        faults.append(f"{column.name}: {int((~values.dropna().isin([0, 1])).sum())} row(s) are neither 0 nor 1")
    whole = column.kind in {"count", "flag", "number"} and not faults and values.notna().all()
    if whole and len(values) and bool((values == np.floor(values)).all()) and bool((values.abs() < 2**53).all()):
        return values.astype("int64"), faults
    return values, faults


def _codes(raw: pd.Series, text: pd.Series, empty: np.ndarray, column: Column) -> tuple[pd.Series, list[str]]:
    pattern, words = CODES[column.code or "id"]
    number = raw.map(lambda value: isinstance(value, int | float | np.number)).to_numpy(dtype=bool) & ~empty
    short = text.str.fullmatch(r"[0-9]+(\.0)?").to_numpy(dtype=bool) & ~text.str.fullmatch(pattern).to_numpy(dtype=bool)
    odd = ~text.str.fullmatch(pattern).to_numpy(dtype=bool) & ~empty & ~short & ~number
    faults = []
    lost = int(((short | number) & ~empty).sum())
    if lost and column.code != "id":
        faults.append(f"{column.name}: {lost} code(s) are numbers that lost their leading zeros; {words} expected")
    if odd.any():
        faults.append(f"{column.name}: {int(odd.sum())} code(s) are malformed; {words} expected")
    return text.mask(empty, None), faults


def _dates(text: pd.Series, empty: np.ndarray, column: Column) -> tuple[pd.Series, list[str]]:
    given = text.mask(empty, None)
    iso = pd.to_datetime(given, format="%Y-%m-%d", errors="coerce")
    french = pd.to_datetime(given, format="%d/%m/%Y", errors="coerce")
    values = iso.fillna(french)
    wrong = int((values.isna().to_numpy() & ~empty).sum())
    return values, [f"{column.name}: {wrong} row(s) are not dates"] if wrong else []
