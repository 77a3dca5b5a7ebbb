"""Means of exposures over the stays of each member: weighted by days, exact when every value is the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epi.exposure.periods import year_of, year_start
from epi.exposure.residences import Stays

Values = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Average:
    """One variable over the windows of all members.

    Parameters
    ----------
    values : numpy.ndarray of float
        Mean over the days that have a value; NaN where none has.
    known : numpy.ndarray of int
        Days that have a value.
    first_year, last_year : numpy.ndarray of int
        Vintages used; 0 where none, or where there is a single one.
    outside : numpy.ndarray of bool
        Whether no day of the window lies in the years of the register, so that its nearest year stands for it.
    of_stay : numpy.ndarray of int
        Days of each stay that have a value.
    """

    values: Values
    known: Whole
    first_year: Whole
    last_year: Whole
    outside: NDArray[np.bool_]
    of_stay: Whole


def average_single(stays: Stays, values: Values, n: int) -> Average:
    """Average a register of one vintage over stays: residence alone varies.

    Parameters
    ----------
    stays : Stays
        Stays of members within their windows.
    values : numpy.ndarray of float
        Value at each position, the last one missing.
    n : int
        Number of members.

    Returns
    -------
    Average
        Means weighted by days.

    Examples
    --------
    >>> stays = Stays(np.array([0, 0]), np.array([0, 1]), np.array([0, 10]), np.array([10, 40]), np.zeros(2, bool))
    >>> average_single(stays, np.array([2.0, 6.0, np.nan]), 1).values.tolist()
    [5.0]
    """
    at_home = values[stays.place]
    mean, known = _mean(stays.member, at_home, stays.days, n)
    nothing = np.zeros(n, dtype=np.int64)
    return Average(mean, known, nothing, nothing, np.zeros(n, dtype=bool), np.where(np.isnan(at_home), 0, stays.days))


def average_yearly(stays: Stays, first_year: int, matrix: Values, n: int) -> Average:
    """Average yearly values over stays: each day takes the value of its commune in its year.

    Parameters
    ----------
    stays : Stays
        Stays of members within their windows.
    first_year : int
        Year of the first column.
    matrix : numpy.ndarray of float
        One row for each position (the last one missing), one column for each year.
    n : int
        Number of members.

    Returns
    -------
    Average
        Means weighted by days. Where the whole window lies before the first year or after the last,
        that year's value is taken, and `outside` says so.

    Examples
    --------
    >>> two_years = Stays(np.array([0]), np.array([0]), np.array([0]), np.array([730]), np.zeros(1, bool))
    >>> average_yearly(two_years, 1970, np.array([[2.0, 4.0], [np.nan, np.nan]]), 1).values.tolist()
    [3.0]
    """
    count = matrix.shape[1]
    begin, finish = year_of(stays.start), year_of(stays.end - 1)
    spans = finish - begin + 1
    stay = np.repeat(np.arange(len(spans)), spans)
    year = begin[stay] + np.arange(len(stay)) - np.repeat(np.cumsum(spans) - spans, spans)
    days = np.minimum(stays.end[stay], year_start(year + 1)) - np.maximum(stays.start[stay], year_start(year))
    member = stays.member[stay]
    column = year - first_year
    inside = (column >= 0) & (column < count)
    reached = np.zeros(n, dtype=bool)
    reached[member[inside]] = True
    outside = np.zeros(n, dtype=bool)
    outside[member] = ~reached[member]
    used = inside | outside[member]
    # A hole between years of the register is a day without value; only a window wholly outside is stood for.
    nearest = np.clip(column, 0, count - 1)
    values = np.where(used, matrix[stays.place[stay], nearest], np.nan)
    mean, known = _mean(member, values, days, n)
    filled = ~np.isnan(values)
    low, high = np.full(n, 9999, dtype=np.int64), np.zeros(n, dtype=np.int64)
    np.minimum.at(low, member[filled], nearest[filled] + first_year)
    np.maximum.at(high, member[filled], nearest[filled] + first_year)
    low[high == 0] = 0
    of_stay = np.bincount(stay[filled], weights=days[filled], minlength=len(spans)).astype(np.int64)
    return Average(mean, known, low, high, outside, of_stay)


def _mean(member: Whole, values: Values, days: Whole, n: int) -> tuple[Values, Whole]:
    """Average within members; rows come sorted by member and date, so that sums have one order."""
    filled = ~np.isnan(values)
    member, values, days = member[filled], values[filled], days[filled]
    known = np.bincount(member, weights=days, minlength=n).astype(np.int64)
    base = np.full(n, np.nan)
    head = np.r_[True, np.diff(member) != 0] if len(member) else np.zeros(0, dtype=bool)
    base[member[head]] = values[head]
    # From the first value, so that a member whose values are all the same gets it to the last bit.
    sums = np.bincount(member, weights=days * (values - base[member]), minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known > 0, base + sums / known, np.nan), known
