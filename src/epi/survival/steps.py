"""Step curves: times as whole days, and what a curve says at given days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import pandas as pd

from epi.arguments import check_numbers
from epi.errors import ParameterError
from epi.survival.data import DAYS_PER_YEAR

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.survival.counting import DayCounts

Lang = Literal["fr", "en"]
Unit = Literal["days", "years"]
T = TypeVar("T")


def words_of(words: Mapping[str, T], lang: str) -> T:
    """Give the words of a language.

    Parameters
    ----------
    words : mapping
        By language.
    lang : str
        The language.

    Returns
    -------
    object
        Its words.

    Raises
    ------
    ParameterError
        If the language is unknown.
    """
    if lang not in words:
        raise ParameterError(f"lang is {lang!r}", "fr or en", "lang='en'")
    return words[lang]


def whole_days(times: ArrayLike, unit: Unit = "days") -> NDArray[np.int64]:
    """Turn times into whole days.

    Parameters
    ----------
    times : array-like
        Times.
    unit : {"days", "years"}, optional
        Their unit; a year is 365.25 days.

    Returns
    -------
    numpy.ndarray of int64
        Days, rounded down.

    Raises
    ------
    ParameterError
        If a time is not a number, or the unit is unknown.
    """
    if unit not in ("days", "years"):
        raise ParameterError(f"unit is {unit!r}", "days or years", "unit='years'")
    single = isinstance(times, str) or np.ndim(times) == 0
    values = check_numbers("times", [times] if single else times, f"{unit} since the origin, as numbers")
    # A thousandth of a second against 0.1 years times 365.25 falling just under a whole day.
    return np.floor(values * (DAYS_PER_YEAR if unit == "years" else 1.0) + 1e-8).astype(np.int64)


def round_days(first: int, last: int, step: float) -> NDArray[np.int64]:
    """List multiples of a number of years between two days.

    Parameters
    ----------
    first, last : int
        Days.
    step : float
        Years.

    Returns
    -------
    numpy.ndarray of int64
        Days, in order.
    """
    low, high = int(np.ceil(first / DAYS_PER_YEAR / step - 1e-9)), int(np.floor(last / DAYS_PER_YEAR / step + 1e-9))
    return np.floor(np.arange(low, high + 1) * step * DAYS_PER_YEAR + 1e-8).astype(np.int64)


def read_steps(
    table: pd.DataFrame, groups: Sequence[str], days: NDArray[np.int64], counts: DayCounts,
    events: NDArray[np.int64], start: Mapping[str, float],
) -> pd.DataFrame:  # fmt: skip
    """Read step curves at given days.

    Parameters
    ----------
    table : pandas.DataFrame
        `group`, `time`, the estimate, `se`, `ci_low`, `ci_high`.
    groups : sequence of str
        Names of the groups.
    days : numpy.ndarray of int64
        Days asked for.
    counts : DayCounts
        Counts of the groups.
    events : numpy.ndarray of int64, shape (groups, days)
        Events of the curve.
    start : mapping
        Name of the estimate and its value before the first day.

    Returns
    -------
    pandas.DataFrame
        `group`, `time`, `at_risk`, `events`, the estimate and its limits.
    """
    ((name, first),) = start.items()
    parts = []
    size = counts.at_risk.shape[1]
    for at, group in enumerate(groups):
        rows = table[table["group"] == group]
        step = np.searchsorted(rows["time"].to_numpy(), days, side="right") - 1
        column = days - counts.first
        inside = (column >= 0) & (column < size)
        cumulated = np.concatenate([[0], np.cumsum(events[at])])
        part = pd.DataFrame({
            "group": group, "time": days,
            "at_risk": np.where(inside, counts.at_risk[at, np.clip(column, 0, size - 1)], 0),
            "events": cumulated[np.clip(column + 1, 0, size)],
        })  # fmt: skip
        # Beyond the last exit nothing is known, unless nobody was left.
        known = (days <= rows["time"].iloc[-1]) | (rows[name].iloc[-1] == (0.0 if first == 1.0 else 1.0))
        for source, initial in ((name, first), ("se", 0.0), ("ci_low", np.nan), ("ci_high", np.nan)):
            values = np.concatenate([[initial], rows[source].to_numpy(dtype=np.float64)])[step + 1]
            part[source] = np.where(known, values, np.nan)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
