"""Time cut along several scales at once: age, calendar years, time since an event.

A person's life is a line on the Lexis diagram, age against calendar time. Cut where it crosses bands of both, each
piece lies in one cell, and what differs between cells may differ in a model: rates by age and period, a hazard that
changes with the years.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.arguments import check_numbers
from epi.errors import DataError, ParameterError
from epi.survival.data import DAYS_PER_YEAR, NONE, of_follow_up
from epi.survival.immortal_time import exposure_days
from epi.survival.splitting import cut_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData

BANDS = {"age": "age_band", "calendar": "period", "since": "since_band"}
"""The column of bands of each scale."""


@of_follow_up
def split_lexis(
    data: SurvivalData,
    *,
    age: Sequence[float] | None = None,
    calendar: Sequence[int] | None = None,
    since: Sequence[float] | None = None,
    since_day: str | None = None,
) -> SurvivalData:
    """Cut persons' time where it crosses bands of age, of calendar years, of time since an event.

    Parameters
    ----------
    data : SurvivalData
        Follow-up on any scale; a person may already have several rows.
    age : sequence of float, optional
        Years of age at which bands begin, such as ``[0, 1, 5, 15]``; needs the birth, or the scale of age.
    calendar : sequence of int, optional
        Years on whose 1 January bands begin; needs the date of time zero, or the calendar scale.
    since : sequence of float, optional
        Years at which bands begin, since ``since_day``, or since time zero.
    since_day : str, optional
        Covariate with the day (a date, or days on the time scale) that ``since`` is counted from.

    Returns
    -------
    SurvivalData
        The same persons, time and events on the same scale, a row for each piece; covariates `age_band`, `period` and
        `since_band` (ordered pandas categoricals; bands with time only). The last band of each is open; time before the
        first one, if any, has a band of its own.

    Raises
    ------
    ParameterError
        If no band is asked for, they do not rise, a name is taken, or the scale cannot be placed.
    DataError
        If somebody has no day that ``since`` is counted from.

    Notes
    -----
    Bands begin on whole days, the first on which somebody has lived so many years of 365.25 days; at risk on
    (entry, exit], a piece ends on the day of the cut, and an event on that day is the earlier band's, as in R's
    ``survSplit``. Nothing is estimated otherwise after splitting: curves, ratios and rates over all bands stay.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"born": pd.to_datetime(["1998-01-01"]),
    ...                      "end": pd.to_datetime(["2008-07-01"]),
    ...                      "died": 1})
    >>> whole = build_survival(seen, exit="end", event="died", origin="born", scale="age")
    >>> cut = split_lexis(whole, age=[0, 5], calendar=[1995, 2005])
    >>> cut.covariates[["age_band", "period"]].astype(str).agg(" in ".join, axis=1).tolist()
    ['0-4 in 1995-2004', '5+ in 1995-2004', '5+ in 2005+']
    """
    given = {"age": age, "calendar": calendar, "since": since}
    asked = {name: values for name, values in given.items() if values is not None}
    if since_day is not None and since is None:
        raise ParameterError("since_day is given and since is not", "bands of time since that day", "since=[0, 1, 5]")
    if not asked:
        raise ParameterError("no band is asked for", "age=, calendar= or since=", "split_lexis(data, age=[0, 1, 5])")
    taken = [BANDS[name] for name in asked if BANDS[name] in data.covariates]
    if taken:
        raise ParameterError(f"the data have a column {', '.join(taken)}", "data that were not split yet",
                             "drop or rename the column")  # fmt: skip
    breaks = {name: check_breaks(name, values) for name, values in asked.items()}
    edges = {name: _edges(name, values) for name, values in breaks.items()}
    offsets = {name: _offset(data, name, since_day) for name in asked}
    rows, days = [], []
    for name in asked:
        at, cut = _cuts(data, edges[name], offsets[name])
        rows.append(at)
        days.append(cut)
    pieces, owner = cut_rows(data, np.concatenate(rows), np.concatenate(days))
    told = {}
    for name in asked:
        band = np.searchsorted(edges[name], pieces.entry + offsets[name][owner], side="right")
        labels = band_labels(name, breaks[name])
        present = np.unique(band)
        told[BANDS[name]] = pd.Categorical(
            np.array(labels, dtype=object)[band], categories=[labels[at] for at in present.tolist()], ordered=True
        )
    return replace(
        pieces, covariates=pieces.covariates.assign(**told),
        settings={**data.settings, "lexis": {name: list(values) for name, values in breaks.items()}},
    )  # fmt: skip


def check_breaks(name: str, breaks: Sequence[float]) -> tuple[float, ...]:
    """Check where bands begin.

    Parameters
    ----------
    name : {"age", "calendar", "since"}
        The scale.
    breaks : sequence of float
        Years.

    Returns
    -------
    tuple of float
        The same.

    Raises
    ------
    ParameterError
        If there are none, they do not rise, or a calendar year is not whole.
    """
    expected = "years at which bands begin, each above the one before"
    example = f"{name}={'[2007, 2012, 2017]' if name == 'calendar' else '[0, 1, 5, 15]'}"
    values = check_numbers(name, breaks, expected, do=example)
    if not len(values) or (np.diff(values) <= 0).any():
        raise ParameterError(f"{name} does not rise", expected, example)
    if name == "calendar" and ((values != np.round(values)) | (values < 1800) | (values > 2200)).any():
        raise ParameterError("calendar holds other numbers than years", "whole years", "calendar=[2007, 2012, 2017]")
    return tuple(values.tolist())


def band_labels(name: str, breaks: Sequence[float]) -> list[str]:
    """Name bands: the one before the first break, those between two, the open one.

    Parameters
    ----------
    name : {"age", "calendar", "since"}
        The scale.
    breaks : sequence of float
        Years at which bands begin.

    Returns
    -------
    list of str
        One more than breaks.

    Examples
    --------
    >>> band_labels("age", [0, 1, 5])
    ['<0', '0', '1-4', '5+']
    """
    whole = all(float(value).is_integer() for value in breaks)
    first = f"before {breaks[0]:g}" if name == "calendar" else f"<{breaks[0]:g}"
    labels = [first]
    for low, high in pairwise(breaks):
        if whole:
            labels.append(f"{low:g}" if high == low + 1 else f"{low:g}-{high - 1:g}")
        else:
            labels.append(f"{low:g} to {high:g}")
    return [*labels, f"{breaks[-1]:g}+"]


def _edges(name: str, breaks: Sequence[float]) -> NDArray[np.int64]:
    """Give the days at which bands begin, since birth, 1970 or the event."""
    if name == "calendar":
        years = np.array([int(value) - 1970 for value in breaks]).astype("datetime64[Y]")
        return years.astype("datetime64[D]").astype(np.int64)
    return np.ceil(np.asarray(breaks) * DAYS_PER_YEAR - 1e-8).astype(np.int64)


def _offset(data: SurvivalData, name: str, since_day: str | None) -> NDArray[np.int64]:
    """Give what leads from the data's scale to another one, for each row."""
    nothing = np.zeros(len(data), dtype=np.int64)
    if name == "since":
        if since_day is None:
            return nothing
        begins = exposure_days(data, since_day)
        if (begins == NONE).any():
            raise DataError(f"{since_day} is missing in {int((begins == NONE).sum())} rows", "a day for each person",
                            "select and count these rows, or split_at_exposure for those who have none")  # fmt: skip
        return -begins
    zero = nothing if data.scale == "calendar" else data.origin
    if name == "calendar":
        if zero is None:
            raise ParameterError("the data do not know the date of time zero", "a date to place time in the calendar",
                                 "build_survival(..., origin=)")  # fmt: skip
        return zero
    if data.scale == "age":
        return nothing
    if zero is None or data.birth is None:
        raise ParameterError("the data do not know age", "the birth, and the date of time zero",
                             "build_survival(..., origin=, birth=)")  # fmt: skip
    return zero - data.birth


def _cuts(
    data: SurvivalData, edges: NDArray[np.int64], offset: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the rows that cross edges, and the days on their own scale."""
    first = np.searchsorted(edges, data.entry + offset, side="right")
    many = np.maximum(np.searchsorted(edges, data.exit + offset, side="left") - first, 0)
    rows = np.repeat(np.arange(len(data)), many)
    within = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
    return rows, edges[np.repeat(first, many) + within] - offset[rows]
