"""Survival data: who was at risk from when to when, and what happened at the end.

One frozen type for every estimator. A row is at risk on (entry, exit]: somebody who enters on a day
is not at risk on that day, and an event happens to those at risk until its day included. Times are
whole days from an origin, so that ties are equal and splitting a person's time loses nothing.
A person may have several rows, whose times do not overlap.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from epi.arguments import check_whole
from epi.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Scale = Literal["age", "since_diagnosis", "calendar", "time"]
SCALES: tuple[Scale, ...] = ("age", "since_diagnosis", "calendar", "time")
SCALE_WORDS = {
    "age": {"fr": "Âge", "en": "Age"},
    "since_diagnosis": {"fr": "Temps depuis le diagnostic", "en": "Time since diagnosis"},
    "calendar": {"fr": "Temps calendaire", "en": "Calendar time"},
    "time": {"fr": "Temps", "en": "Time"},
}
DAYS_PER_YEAR = 365.25
LONGEST = 130
"""Years: nobody is followed, or lives, longer; times beyond are dates in disguise, or in another unit."""
NONE = np.iinfo(np.int64).min
"""A day that is not known."""


P = ParamSpec("P")
R = TypeVar("R")


def of_follow_up(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function refuse, as its data, anything but survival data.

    Parameters
    ----------
    function : callable
        Its first argument is ``data``.

    Returns
    -------
    callable
        The same, with a clear message for a table that was not built.
    """

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        data = args[0] if args else kwargs.get("data")
        if not isinstance(data, SurvivalData):
            raise ParameterError(
                f"data is of type {type(data).__name__}", "survival data",
                f"{function.__name__}(build_survival(table, exit=..., event=...), ...)",
            )  # fmt: skip
        return function(*args, **kwargs)

    return checked


@dataclass(frozen=True, eq=False)
class SurvivalData:
    """Follow-up of persons, validated; made by :func:`epi.survival.build_survival`.

    Parameters
    ----------
    entry, exit : numpy.ndarray of int64, shape (rows,)
        Whole days since the origin of the time scale; at risk on (entry, exit].
    event : numpy.ndarray of int64, shape (rows,)
        What happened at ``exit``: 0 nothing, else 1 + position in ``causes``.
    causes : tuple of str
        Names of the events.
    person : numpy.ndarray of int64, shape (rows,)
        Number of the person, from 0; equal to the row where each person has one row.
    scale : {"age", "since_diagnosis", "calendar", "time"}
        What times are counted from: birth, diagnosis, 1 January 1970, or an origin of one's own.
    weight : numpy.ndarray of float64 or None
        Positive weight of each row.
    cluster : numpy.ndarray of int64 or None
        Number of the cluster, from 0; a person lies in one cluster.
    strata : numpy.ndarray of int64 or None
        Position in ``strata_labels``.
    strata_labels : tuple of str
        Names of the strata.
    origin : numpy.ndarray of int64 or None
        Calendar day (since 1970-01-01) of time zero; needed to place a row in calendar time.
    birth : numpy.ndarray of int64 or None
        Calendar day of birth; needed by life tables.
    covariates : pandas.DataFrame
        One row for each row, index 0, 1, …
    settings : mapping
        How the data were made.
    """

    entry: NDArray[np.int64]
    exit: NDArray[np.int64]
    event: NDArray[np.int64]
    causes: tuple[str, ...]
    person: NDArray[np.int64]
    scale: Scale = "time"
    weight: NDArray[np.float64] | None = None
    cluster: NDArray[np.int64] | None = None
    strata: NDArray[np.int64] | None = None
    strata_labels: tuple[str, ...] = ()
    origin: NDArray[np.int64] | None = None
    birth: NDArray[np.int64] | None = None
    covariates: pd.DataFrame = field(default_factory=pd.DataFrame)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, np.ndarray):
                # Frozen to the last array: an estimator that changed its input would change the next one's.
                value.setflags(write=False)

    def __len__(self) -> int:
        return len(self.exit)

    @property
    def persons(self) -> int:
        """Number of persons."""
        return int(self.person.max()) + 1 if len(self.person) else 0

    @property
    def events(self) -> dict[str, int]:
        """Number of events of each cause."""
        counts = np.bincount(self.event, minlength=len(self.causes) + 1)
        return {cause: int(counts[at]) for at, cause in enumerate(self.causes, start=1)}

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each row, 1 where there is none."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Cluster of each row: the person where there is none."""
        return self.person if self.cluster is None else self.cluster

    @property
    def stratum(self) -> NDArray[np.int64]:
        """Stratum of each row, 0 where there are none."""
        return np.zeros(len(self), dtype=np.int64) if self.strata is None else self.strata

    @property
    def delayed(self) -> bool:
        """Whether anybody enters after time zero, or after the others where time begins before it."""
        first = np.full(self.persons, np.iinfo(np.int64).max)
        np.minimum.at(first, self.person, self.entry)
        return bool((first > min(0, int(first.min(initial=0)))).any())

    @property
    def person_days(self) -> float:
        """Weighted days at risk."""
        return float(((self.exit - self.entry) * self.weights).sum())

    def cause_number(self, cause: str | None = None) -> int:
        """Give the number of a cause in ``event``.

        Parameters
        ----------
        cause : str, optional
            Its name; may be left out where there is one cause only.

        Returns
        -------
        int
            1 + its position in ``causes``.

        Raises
        ------
        ParameterError
            If there is no such cause, or several and none named.
        """
        if cause is None and len(self.causes) == 1:
            return 1
        if cause not in self.causes:
            arrived = "no cause is named" if cause is None else f"no cause {cause!r}"
            raise ParameterError(arrived, f"one of {', '.join(self.causes)}", f"cause={self.causes[0]!r}")
        return self.causes.index(cause) + 1

    def is_event(self, cause: str | None = None) -> NDArray[np.bool_]:
        """Tell the rows that end with a cause; with any cause where none is named.

        Parameters
        ----------
        cause : str, optional
            Name of the cause.

        Returns
        -------
        numpy.ndarray of bool
            One for each row.
        """
        return self.event > 0 if cause is None else self.event == self.cause_number(cause)

    def column(self, name: str) -> pd.Series:
        """Give a covariate by name.

        Parameters
        ----------
        name : str
            Column.

        Returns
        -------
        pandas.Series
            One value for each row.

        Raises
        ------
        ParameterError
            If there is no such column.
        """
        if name not in self.covariates:
            known = ", ".join(map(str, self.covariates.columns)) or "none: give covariates= to build_survival"
            raise ParameterError(f"no covariate {name!r}", f"one of {known}")
        return self.covariates[name]

    def select(self, rows: ArrayLike) -> SurvivalData:
        """Keep some rows; persons and clusters are numbered anew, causes and strata keep their names.

        Parameters
        ----------
        rows : array-like
            Mask or positions of rows.

        Returns
        -------
        SurvivalData
            The rows asked for.

        Raises
        ------
        ParameterError
            If no row is left, a mask has another length, or positions are none of the rows or stand twice.
        """
        at = self._positions(rows)
        if not len(at):
            raise ParameterError("no row is left", "at least one row at risk")
        taken: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, np.ndarray):
                taken[part.name] = value[at]
        taken["person"] = np.unique(taken["person"], return_inverse=True)[1].astype(np.int64)
        if self.cluster is not None:
            taken["cluster"] = np.unique(taken["cluster"], return_inverse=True)[1].astype(np.int64)
        return replace(self, covariates=self.covariates.iloc[at].reset_index(drop=True), **taken)

    def _positions(self, rows: ArrayLike) -> NDArray[np.int64]:
        asked = np.asarray(rows)
        if asked.dtype == object and asked.ndim == 1 and all(isinstance(value, bool | np.bool_) for value in asked):
            asked = asked.astype(bool)
        if asked.ndim == 1 and asked.dtype == bool and len(asked) == len(self):
            return np.flatnonzero(asked)
        if asked.ndim == 1 and not len(asked):
            return np.zeros(0, dtype=np.int64)
        if asked.ndim == 1 and asked.dtype.kind in "iu":
            inside = asked.min() >= 0 and asked.max() < len(self)
            if inside and len(np.unique(asked)) == len(asked):
                return asked.astype(np.int64)
            fault = "positions stand twice" if inside else "positions lie outside the rows"
        elif asked.ndim == 1 and asked.dtype == bool:
            fault = f"the mask has {len(asked)} values"
        else:
            fault = f"rows is of type {asked.dtype if asked.ndim == 1 else type(rows).__name__}"
        raise ParameterError(
            fault, f"true or false for each of {len(self)} rows, or positions from 0 to {len(self) - 1}, each once",
            "data.select(data.column('age') >= 18)",
        )  # fmt: skip

    def window(self, low: int | None = None, high: int | None = None) -> SurvivalData:
        """Keep what happens on (low, high]: time before is not at risk, later events are not seen.

        Parameters
        ----------
        low, high : int, optional
            Days on the time scale.

        Returns
        -------
        SurvivalData
            Those at risk at some time of the window.

        Raises
        ------
        ParameterError
            If the window is empty, or nobody is at risk in it.
        """
        days = "a whole number of days on the time scale"
        start = np.iinfo(np.int64).min if low is None else check_whole("low", low, days, do="low=0")
        stop = np.iinfo(np.int64).max if high is None else check_whole("high", high, days, do="high=3650")
        if start >= stop:
            raise ParameterError(f"the window ({start}, {stop}] is empty", "low before high")
        entry, exit_ = np.maximum(self.entry, start), np.minimum(self.exit, stop)
        event = np.where(self.exit > stop, 0, self.event)
        kept = entry < exit_
        if not kept.any():
            raise ParameterError("nobody is at risk in the window", "a window that follow-up reaches")
        inside = replace(self, entry=entry, exit=exit_, event=event, settings={**self.settings, "window": [low, high]})
        return inside.select(kept)

    def for_cause(self, cause: str | None = None) -> SurvivalData:
        """Turn to one cause: the other events become ends of follow-up.

        Parameters
        ----------
        cause : str, optional
            Name of the cause; the only one where there is one.

        Returns
        -------
        SurvivalData
            The same rows with one cause.
        """
        number = self.cause_number(cause)
        return replace(self, event=(self.event == number).astype(np.int64), causes=(self.causes[number - 1],))

    def any_cause(self, name: str = "event") -> SurvivalData:
        """Take the causes together as one.

        Parameters
        ----------
        name : str, optional
            Name of the event.

        Returns
        -------
        SurvivalData
            The same rows with one cause.
        """
        return replace(self, event=(self.event > 0).astype(np.int64), causes=(name,))

    def describe(self) -> pd.DataFrame:
        """Describe the follow-up.

        Returns
        -------
        pandas.DataFrame
            `item` and `value`.
        """
        rows: list[tuple[str, Any]] = [
            ("Persons", self.persons), ("Rows", len(self)), ("Time scale", SCALE_WORDS[self.scale]["en"]),
            *((f"Events: {cause}", count) for cause, count in self.events.items()),
            ("Person-years", round(float((self.exit - self.entry).sum()) / DAYS_PER_YEAR, 1)),
            ("Delayed entry", "yes" if self.delayed else "no"),
            ("Weights", "yes" if self.weight is not None else "no"),
            ("Clusters", int(self.cluster.max()) + 1 if self.cluster is not None and len(self) else "none"),
            ("Strata", ", ".join(self.strata_labels) or "none"),
            ("Covariates", ", ".join(map(str, self.covariates.columns)) or "none"),
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["item", "value"])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(str(item))}</th><td>{html.escape(str(value))}</td></tr>"
            for item, value in self.describe().itertuples(index=False)
        )
        return f"<table>{cells}</table>"

    def __repr__(self) -> str:
        events = ", ".join(f"{count} {cause}" for cause, count in self.events.items())
        return f"SurvivalData({self.persons} persons, {len(self)} rows, {events}, scale={self.scale!r})"
