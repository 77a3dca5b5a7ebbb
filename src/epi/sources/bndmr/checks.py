"""The form a raw text must have, in pandas: the second engine beside the reader's SQL."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pandas as pd
import pandera.pandas as pa

from epi.sources.bndmr.fields import Field
from epi.sources.bndmr.values import VALUE_SETS

_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]00:00:00)?")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_YEAR = re.compile(r"[0-9]{4}")
_INT = re.compile(r"[+-]?[0-9]{1,9}(\.0+)?")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")


def _date(field: Field) -> Callable[[str], bool]:
    def well_formed(text: str) -> bool:
        if field.partial and _YEAR.fullmatch(text):
            text = f"{text}-01-01"
        elif field.partial and _MONTH.fullmatch(text):
            text = f"{text}-01"
        day = _DAY.fullmatch(text)
        if day is None:
            return False
        try:
            return dt.date.fromisoformat(day[1]).year >= 1800
        except ValueError:
            return False

    return well_formed


def _number(field: Field, form: re.Pattern[str]) -> Callable[[str], bool]:
    def well_formed(text: str) -> bool:
        if not form.fullmatch(text):
            return False
        number = float(text)
        return (field.low is None or number >= field.low) and (field.high is None or number <= field.high)

    return well_formed


def _member(field: Field) -> Callable[[str], bool]:
    known = VALUE_SETS[field.value_set].enum_of
    if field.kind == "enums":
        return lambda text: all(part.strip() in known for part in text.split("|"))
    return known.__contains__


def form_of(field: Field) -> tuple[str, Callable[[str], bool]] | None:
    """Give the fault id and the test of a filled cell.

    Parameters
    ----------
    field : Field
        The column.

    Returns
    -------
    tuple or None
        Fault id and a function true for a well-formed text; None when any text will do.

    Examples
    --------
    >>> from epi.sources.bndmr.tables import DECLARED
    >>> fault, test = form_of(DECLARED["patient"].field("residence_commune"))
    >>> fault, test("1001"), test("01001")
    ('F05', False, True)
    """
    if field.kind in ("enum", "enums"):
        return "F02", _member(field)
    if field.kind == "bool":
        return "F02", {"true", "false"}.__contains__
    if field.kind == "date":
        return "F03", _date(field)
    if field.kind == "int":
        return "F04", _number(field, _INT)
    if field.kind == "float":
        return "F04", _number(field, _FLOAT)
    if field.pattern:
        pattern = re.compile(field.pattern)
        return "F05", lambda text: pattern.fullmatch(text) is not None
    return None


def raw_checks(field: Field) -> list[pa.Check]:
    """Make the pandera checks of a raw column.

    Parameters
    ----------
    field : Field
        The column.

    Returns
    -------
    list of pandera.Check
        At most one, named by its fault id.
    """
    form = form_of(field)
    if form is None:
        return []
    fault, test = form

    def passes(column: pd.Series) -> pd.Series:
        return column.map(lambda text: test(text.strip()), na_action="ignore").astype(bool)

    return [pa.Check(passes, name=fault)]
