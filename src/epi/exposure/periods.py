"""Periods of exposure, counted back from the index date: windows, lags, and the days of each year in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.errors import ParameterError

Days = NDArray[np.int64]

NO_DAY = np.iinfo(np.int64).min
"""A date that is not known, among days since 1970-01-01 (the number behind NaT)."""

_FORM = r"([+-]?)(\d{1,4})([ymd])|0"


@dataclass(frozen=True)
class Offset:
    """A time before or after the index date, by the calendar.

    Parameters
    ----------
    months, days : int
        Negative before the index date. One of them is zero.
    text : str
        As it was asked for.
    """

    months: int
    days: int
    text: str

    def from_days(self, index: Days) -> Days:
        """Move dates by this offset.

        Parameters
        ----------
        index : numpy.ndarray of int
            Days since 1970-01-01; ``NO_DAY`` where unknown.

        Returns
        -------
        numpy.ndarray of int
            The dates moved. A day that the month does not have becomes its last one (29 February a
            year before is 28 February).

        Examples
        --------
        >>> day = np.array(["2020-02-29"], dtype="datetime64[D]").astype(int)
        >>> read_offset("-1y").from_days(day).astype("datetime64[D]").astype(str).tolist()
        ['2019-02-28']
        """
        known = index != NO_DAY
        moved = np.full(index.shape, NO_DAY)
        days = index[known].astype("datetime64[D]")
        month = days.astype("datetime64[M]")
        into = (days - month.astype("datetime64[D]")).astype(np.int64)
        there = month + self.months
        length = ((there + 1).astype("datetime64[D]") - there.astype("datetime64[D]")).astype(np.int64)
        moved[known] = there.astype("datetime64[D]").astype(np.int64) + np.minimum(into, length - 1) + self.days
        return moved


def read_offset(text: Any) -> Offset:
    """Read an offset such as ``-10y``, ``-18m``, ``-90d`` or ``0``.

    Parameters
    ----------
    text : str
        A sign, a whole number and y (years), m (months) or d (days).

    Returns
    -------
    Offset
        The typed form.

    Raises
    ------
    ParameterError
        If it is not of this form.

    Examples
    --------
    >>> read_offset("-10y").months
    -120
    """
    found = re.fullmatch(_FORM, text) if isinstance(text, str) else None
    if found is None:
        raise ParameterError(f"the offset is {text!r}", "a text such as '-10y', '-18m', '-90d' or '0'")
    if text == "0":
        return Offset(0, 0, text)
    number = int(found[2]) * (-1 if found[1] == "-" else 1)
    unit = found[3]
    return Offset(number * {"y": 12, "m": 1, "d": 0}[unit], number if unit == "d" else 0, text)


@dataclass(frozen=True)
class Window:
    """When exposure is looked at: from one offset of the index date to another.

    Parameters
    ----------
    start, end : Offset
        The first day of the window, and the first day after it.
    instant : bool
        Whether it is a single day (a lag).
    """

    start: Offset
    end: Offset
    instant: bool = False

    def bounds(self, index: Days) -> tuple[Days, Days]:
        """Give the window of each index date.

        Parameters
        ----------
        index : numpy.ndarray of int
            Days since 1970-01-01; ``NO_DAY`` where unknown.

        Returns
        -------
        tuple of numpy.ndarray
            First day, and first day after; ``NO_DAY`` where the index date is unknown.

        Raises
        ------
        ParameterError
            If a window would be empty.
        """
        first = self.start.from_days(index)
        after = np.where(index == NO_DAY, NO_DAY, first + 1) if self.instant else self.end.from_days(index)
        if ((after <= first) & (index != NO_DAY)).any():
            raise ParameterError(
                f"the window {self.start.text} to {self.end.text} is empty",
                "a start before its end",
                'window=("-10y", "-5y")',
            )
        return first, after

    def in_words(self, lang: str = "en") -> str:
        """Say the window.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        str
            A few words.
        """
        if self.instant:
            return {"en": f"the day {self.start.text} from the index date",
                    "fr": f"le jour {self.start.text} par rapport à la date index"}[lang]  # fmt: skip
        return {"en": f"from {self.start.text} to {self.end.text} of the index date",
                "fr": f"de {self.start.text} à {self.end.text} de la date index"}[lang]  # fmt: skip


def read_window(window: Any = None, lag: Any = None) -> Window | None:
    """Read a window or a lag.

    Parameters
    ----------
    window : tuple of two str, optional
        Offsets of the first day and of the first day after, such as ``("-10y", "-5y")``.
    lag : str, optional
        A time before the index date, such as ``"10y"``: the exposure of that single day, which is
        the mean of its year where values are yearly.

    Returns
    -------
    Window or None
        None when neither is asked for.

    Raises
    ------
    ParameterError
        If both are asked for, or one is malformed.

    Examples
    --------
    >>> read_window(("-10y", "-5y")).in_words()
    'from -10y to -5y of the index date'
    >>> read_window(lag="10y").start.months
    -120
    """
    if window is not None and lag is not None:
        raise ParameterError("both window and lag are given", "one of them", 'window=("-10y", "-5y") or lag="10y"')
    if lag is not None:
        if not isinstance(lag, str) or lag.startswith(("-", "+")):
            raise ParameterError(f"lag is {lag!r}", "a time before the index date, without sign", 'lag="10y"')
        start = read_offset(lag if lag == "0" else f"-{lag}")
        return Window(start, start, instant=True)
    if window is None:
        return None
    if isinstance(window, str) or not isinstance(window, tuple | list) or len(window) != 2:
        raise ParameterError(f"window is {window!r}", "two offsets", 'window=("-10y", "-5y")')
    result = Window(read_offset(window[0]), read_offset(window[1]))
    result.bounds(np.array([0]))
    return result


def to_days(dates: pd.Series, what: str) -> Days:
    """Turn dates into days since 1970-01-01.

    Parameters
    ----------
    dates : pandas.Series
        Dates; missing ones stay missing.
    what : str
        Name of the column, for the message.

    Returns
    -------
    numpy.ndarray of int
        ``NO_DAY`` where missing.

    Raises
    ------
    ParameterError
        If they are not dates; rows are counted.

    Examples
    --------
    >>> to_days(pd.Series(["1970-01-02", None]), "d").tolist() == [1, NO_DAY]
    True
    """
    numbers = pd.api.types.is_numeric_dtype(dates.dtype) and not dates.isna().all()
    read = pd.to_datetime(dates.where(~dates.isna()) if numbers else dates, errors="coerce", format="ISO8601")
    wrong = len(dates) if numbers else int((read.isna() & dates.notna()).sum())
    if wrong:
        raise ParameterError(f"{wrong:,} of {len(dates):,} values of {what} are no dates", "dates such as 2012-05-31")
    return read.to_numpy().astype("datetime64[D]").astype(np.int64)


def year_start(year: NDArray[np.int64]) -> Days:
    """Give the first day of years.

    Parameters
    ----------
    year : numpy.ndarray of int
        Calendar years.

    Returns
    -------
    numpy.ndarray of int
        Days since 1970-01-01.

    Examples
    --------
    >>> year_start(np.array([1970, 1971])).tolist()
    [0, 365]
    """
    return np.asarray((year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64))


def year_of(days: Days) -> NDArray[np.int64]:
    """Give the calendar year of days.

    Parameters
    ----------
    days : numpy.ndarray of int
        Days since 1970-01-01, all known.

    Returns
    -------
    numpy.ndarray of int
        Years.

    Examples
    --------
    >>> year_of(np.array([0, 364, 365])).tolist()
    [1970, 1970, 1971]
    """
    return np.asarray(days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970)


def stated_years(vintage: str) -> tuple[int, int] | None:
    """Read the years that a vintage states.

    Parameters
    ----------
    vintage : str
        Such as ``2021``, ``2011-2021`` or ``not stated``.

    Returns
    -------
    tuple of int or None
        First and last year; None when none is stated.

    Examples
    --------
    >>> stated_years("2021"), stated_years("2011-2021"), stated_years("not stated by the compilers")
    ((2021, 2021), (2011, 2021), None)
    """
    years = [int(word) for word in re.findall(r"(?<!\d)(?:19|20)\d{2}(?!\d)", vintage)]
    return (min(years), max(years)) if years else None
