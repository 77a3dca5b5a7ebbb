"""INSEE commune codes as people write them: checked, mended on request, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.lineage import communes_since_1943

Codes = pd.Series | pd.Index | np.ndarray | Sequence[Any]

FAULTS: dict[str, str] = {
    "number": "numbers: a code is text, its leading zero is part of it",
    "lost_zero": "4 digits: the leading zero was lost",
    "lower_case": "Corsican code in lower case",
    "decimal": "written as a decimal number",
    "blank": "with blanks around",
    "shape": "not 5 digits, nor 2A or 2B and 3 digits",
}
"""What can be wrong with the writing of a code."""

# Saint-Barthélemy and Saint-Martin were communes of Guadeloupe until 2007; 985 was Mayotte until 2011.
COLLECTIVITY = r"97[578][0-9]{2}|98[4-9][0-9]{2}|97123|97127"
ABROAD = r"99[0-9]{3}"

_WELL_FORMED = r"[0-9]{5}|2[AB][0-9]{3}"
# A quarter of the French live under a postal code that is no INSEE code: a true column of INSEE codes
# holds hardly any, a column of postal codes far more than this.
_POSTAL_SHARE = 0.10
# Codes of the former Seine, Seine-et-Oise and Corsica, given up in 1968 and 1976, are postal codes now
# (75015): after fifty years nobody can tell which of the two was meant.
_CHANGE_OF_DEPARTEMENT = 41
_REUSED_BEFORE = int(np.datetime64("1977-01-01").astype(int))
_HOW = "read the column as text (dtype=str); geography.repair_codes(codes) mends what has one answer"


@dataclass(frozen=True)
class Repair:
    """Codes after a repair that was asked for, and what was done.

    Parameters
    ----------
    codes : pandas.Series
        One code for each code given, in the same order and with the same index.
    table : pandas.DataFrame
        One row for each fault met: fault, meaning, rows, repaired.
    """

    codes: pd.Series
    table: pd.DataFrame


@dataclass(frozen=True)
class DistinctCodes:
    """A column of codes reduced to its distinct ones, on which everything slow is done.

    Parameters
    ----------
    given : pandas.Series
        The column.
    place : numpy.ndarray
        For each row, the position of its code among the distinct ones; -1 where missing.
    raw : pandas.Series
        The distinct codes as given.
    text : pandas.Series
        The same as text; empty where not text.
    rows : numpy.ndarray
        Number of rows of each distinct code.
    fault : pandas.Series
        A key of :data:`FAULTS` or an empty text, for each distinct code.
    """

    given: pd.Series
    place: np.ndarray
    raw: pd.Series
    text: pd.Series
    rows: np.ndarray
    fault: pd.Series

    def count(self, chosen: pd.Series) -> int:
        """Count the rows whose code is chosen.

        Parameters
        ----------
        chosen : pandas.Series
            A boolean for each distinct code.

        Returns
        -------
        int
            Number of rows.
        """
        return int(self.rows[chosen.to_numpy(dtype=bool)].sum())

    def spread(self, values: pd.Series | np.ndarray) -> np.ndarray:
        """Give each row the value of its code; a missing code has a missing value.

        Parameters
        ----------
        values : pandas.Series or numpy.ndarray
            A value for each distinct code.

        Returns
        -------
        numpy.ndarray
            A value for each row.
        """
        taken = np.append(np.asarray(values, dtype=object), np.array([None], dtype=object))
        return taken[self.place]


def distinct_codes(codes: Codes) -> DistinctCodes:
    """Read a column of codes.

    Parameters
    ----------
    codes : sequence
        Codes, possibly badly written; a missing or blank one is missing.

    Returns
    -------
    DistinctCodes
        The distinct codes and what is wrong with each.

    Raises
    ------
    ParameterError
        If it is not a column.

    Examples
    --------
    >>> distinct_codes(["01053", "1053", "01053"]).fault.tolist()
    ['', 'lost_zero']
    """
    if isinstance(codes, str | bytes | pd.DataFrame) or np.ndim(codes) != 1:
        raise ParameterError(
            f"codes is a {type(codes).__name__}", "a column or a list of INSEE codes", "pass [code] for one"
        )
    given = codes if isinstance(codes, pd.Series) else pd.Series(codes, dtype=None if len(codes) else object)
    place, found = pd.factorize(given, sort=False)
    values = pd.Series(np.asarray(found, dtype=object), dtype=object)
    is_text = values.map(lambda value: isinstance(value, str)).astype(bool)
    text = values.where(is_text, "").astype(object)
    stripped = text.str.strip()
    fault = pd.Series("", index=values.index, dtype=object)
    fault[~text.str.fullmatch(_WELL_FORMED)] = "shape"
    fault[stripped.str.fullmatch(_WELL_FORMED) & (stripped != text)] = "blank"
    fault[stripped.str.fullmatch(r"2[ab][0-9]{3}")] = "lower_case"
    fault[stripped.str.fullmatch(r"[0-9]{4}")] = "lost_zero"
    fault[stripped.str.fullmatch(r"[0-9]{1,5}\.0*")] = "decimal"
    fault[values.map(lambda value: isinstance(value, int | float | np.number)).astype(bool)] = "number"
    # A blank text is a missing code, as an empty cell of a CSV is.
    kept = np.flatnonzero(~(is_text & (stripped == "")))
    renumber = np.full(len(values) + 1, -1)
    renumber[kept] = np.arange(len(kept))
    place = renumber[place]
    rows = np.bincount(place[place >= 0], minlength=len(kept))
    parts = (part.iloc[kept].reset_index(drop=True) for part in (values, text, fault))
    values, text, fault = parts
    return DistinctCodes(given, place, values, text, rows, fault)


@cache
def known_codes() -> pd.DataFrame:
    """List every code that is or was a commune since 1943, or is a municipal arrondissement.

    Returns
    -------
    pandas.DataFrame
        Indexed by code: postal (true where the code was given up in 1968 or 1976 and is a postal code
        now: without a date nobody can tell which of the two was meant).
    """
    events, communes = store.events(), store.communes()["insee_code"]
    gone = events[(events["mod"] == _CHANGE_OF_DEPARTEMENT) & (events["day"] < _REUSED_BEFORE)]
    codes = communes_since_1943().codes.union(pd.Index(communes))
    reused = codes.isin(gone["before"]) & codes.isin(store.postal_codes()) & ~codes.isin(communes)
    return pd.DataFrame({"postal": reused}, index=codes)


def postal_only(read: DistinctCodes) -> pd.Series:
    """Tell which codes are postal codes and were never communes.

    Parameters
    ----------
    read : DistinctCodes
        The codes.

    Returns
    -------
    pandas.Series
        A boolean for each distinct code.
    """
    outside = read.text.isin(known_codes().index) | read.text.str.fullmatch(COLLECTIVITY)
    return read.text.isin(store.postal_codes()) & (read.fault == "") & ~outside


def check_codes(codes: Codes | DistinctCodes, *, valid: pd.Index | None = None) -> None:
    """Make sure that codes are written as INSEE writes them.

    Missing codes are allowed. Whether each code exists is not looked at, but a column in which more than
    a tenth of the rows hold postal codes is refused: it is the wrong column.

    Parameters
    ----------
    codes : sequence of str or DistinctCodes
        INSEE codes.
    valid : pandas.Index, optional
        The codes of the date that the column is of, when it is known: they are no postal codes there.

    Raises
    ------
    GeographyError
        If some are not text, lost their zero, are in lower case, have blanks around, or are postal
        codes; all faults at once, with numbers of rows and no code.

    Examples
    --------
    >>> check_codes(["01053", "2A004", None])
    >>> check_codes([1053, 38185])
    Traceback (most recent call last):
    ...
    epi.errors.GeographyError: 2 of 2 rows do not hold an INSEE code. ...
    """
    read = codes if isinstance(codes, DistinctCodes) else distinct_codes(codes)
    faults = [
        f"{read.count(read.fault == fault):,} rows: {meaning}"
        for fault, meaning in FAULTS.items()
        if (read.fault == fault).any()
    ]
    wrong = read.count(read.fault != "")
    old = known_codes()
    doubtful = postal_only(read) | read.text.isin(old.index[old["postal"]])
    postal = read.count(doubtful if valid is None else doubtful & ~read.text.isin(valid))
    if postal > _POSTAL_SHARE * read.rows.sum():
        wrong += postal
        faults.append(
            f"{postal:,} rows: postal codes. A postal code covers several communes: take the column of INSEE codes"
        )
    if faults:
        raise GeographyError(
            f"{wrong:,} of {len(read.given):,} rows do not hold an INSEE code",
            "text of 5 characters such as '01053' or '2A004'",
            _HOW,
            faults=faults,
        )


def repair_codes(codes: Codes) -> Repair:
    """Mend the writing of codes where the result is a known commune, and say what was done.

    Numbers and 4-digit codes get their zero back, Corsican letters become capitals, blanks and decimal
    points fall. A code that would not become a known one is left as it is. Nothing calls this unasked.

    Parameters
    ----------
    codes : sequence
        INSEE codes, possibly numbers.

    Returns
    -------
    Repair
        The codes, and the number of rows met and mended for each fault.

    Examples
    --------
    >>> repair = repair_codes([1053, 38185])
    >>> repair.codes.tolist(), repair.table["repaired"].tolist()
    (['01053', '38185'], [2])
    """
    read = distinct_codes(codes)
    text = read.raw.map(str).str.strip().str.upper().str.replace(r"\.0*$", "", regex=True)
    text = text.str.zfill(5).where(text.str.fullmatch("[0-9]{4,5}"), text)
    mended = (read.fault != "") & text.isin(known_codes().index)
    result = pd.Series(read.spread(read.raw.where(~mended, text)), index=read.given.index, dtype=object)
    met = [fault for fault in FAULTS if (read.fault == fault).any()]
    table = pd.DataFrame(
        {
            "fault": met,
            "meaning": [FAULTS[fault] for fault in met],
            "rows": [read.count(read.fault == fault) for fault in met],
            "repaired": [read.count((read.fault == fault) & mended) for fault in met],
        }
    )
    return Repair(result, table)
