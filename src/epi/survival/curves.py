"""Survival curves: the Kaplan-Meier estimator with delayed entry, weights and clusters.

The curve is the product over days of one minus the share of those at risk who have the event. Its
variance is Greenwood's, or the infinitesimal jackknife where there are weights or clusters.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.errors import DataError, EstimationError, ParameterError
from epi.survival.counting import DayCounts, after_days, count_days, recurrences
from epi.survival.data import DAYS_PER_YEAR, SurvivalData
from epi.survival.groups import ALL, By, split_groups
from epi.survival.influence import influence_variance, place_rows
from epi.survival.limits import IntervalScale, check_interval, probability_limits, reached

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.plotting import Chart
    from epi.results import Release

Lang = Literal["fr", "en"]
Unit = Literal["days", "years"]
_CENSORING = "are taken as censoring"


@dataclass(frozen=True)
class SurvivalCurves:
    """Kaplan-Meier curves, one for each group.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each group and day on which somebody has the event or leaves: `group`, `time` (days),
        `at_risk` (persons with entry < time <= exit), `events`, `left` (without the event),
        `survival`, `se`, `ci_low`, `ci_high`; with weights also `weighted_at_risk` and `weighted_events`.
    notes : tuple of str
        What a reader of the curves must know: a curve that fell to 0 while others entered later, times
        at which nobody was at risk, groups without events.
    settings : mapping
        What determined the estimates.
    data : SurvivalData
        The follow-up the curves come from.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups, in order."""
        return tuple(self.settings["groups"])

    def at(self, times: ArrayLike, unit: Unit = "days") -> pd.DataFrame:
        """Give the curves at some times.

        Parameters
        ----------
        times : array-like
            Times since the origin.
        unit : {"days", "years"}, optional
            Unit of ``times``; a year is 365.25 days, rounded down to a whole day.

        Returns
        -------
        pandas.DataFrame
            `group`, `time` (days), `at_risk` (entry < time <= exit), `events` until the time included,
            `survival`, `se`, `ci_low`, `ci_high`: missing after the end of the group's follow-up, unless
            nobody survived.

        Raises
        ------
        ParameterError
            If a time is not a number.
        """
        days = whole_days(times, unit)
        counts, _ = _count(self.data, self.settings["by"])
        events = _chosen(counts, self.data, self.settings["cause"])
        return read_steps(self.table, self.groups, days, counts, events, {"survival": 1.0})

    def quantiles(self, probabilities: Sequence[float] = (0.25, 0.5, 0.75)) -> pd.DataFrame:
        """Find the times by which given shares had the event.

        Parameters
        ----------
        probabilities : sequence of float, optional
            Shares between 0 and 1; 0.5 is the median survival.

        Returns
        -------
        pandas.DataFrame
            `group`, `probability`, `time` (days), `ci_low`, `ci_high`: where the curve and its limits
            reach one minus the share (Brookmeyer and Crowley 1982 on the scale of the limits). Missing
            where they never do; the middle of the time over which a curve stays exactly there.

        Raises
        ------
        ParameterError
            If a share is not between 0 and 1.
        """
        shares = np.asarray(probabilities, dtype=np.float64)
        if shares.ndim != 1 or not ((shares >= 0) & (shares <= 1)).all():
            raise ParameterError("a share is not between 0 and 1", "shares of persons", "quantiles((0.25, 0.5, 0.75))")
        start = float(min(self.settings["start"], 0) if self.settings["conditional_on"] is None
                      else self.settings["conditional_on"])  # fmt: skip
        parts = []
        for group in self.groups:
            rows = self.table[self.table["group"] == group]
            days, end = rows["time"].to_numpy(), float(rows["time"].iloc[-1])
            part = pd.DataFrame({"group": group, "probability": shares})
            for column, source in (("time", "survival"), ("ci_low", "ci_low"), ("ci_high", "ci_high")):
                part[column] = reached(days, 1 - rows[source].to_numpy(dtype=np.float64), shares, start, end)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def conditional(self, on: float | None = None, *, minimal: int = 20, unit: Unit = "days") -> SurvivalCurves:
        """Start the curves at a time that enough persons have reached: S(t) / S(a) for those alive at a.

        With delayed entry the first risk sets are small: one death among few takes the whole curve
        down for ever. From a common start with enough persons at risk, groups can be compared.

        Parameters
        ----------
        on : float, optional
            Time a; the first at which every group has ``minimal`` persons at risk, by default.
        minimal : int, optional
            Persons at risk that each group needs just after a.
        unit : {"days", "years"}, optional
            Unit of ``on``.

        Returns
        -------
        SurvivalCurves
            Curves that are 1 at a, with the variance of S(t) / S(a).

        Raises
        ------
        EstimationError
            If a group has fewer persons at risk at a, if no time suits all groups, or if the risk set
            of a group empties and fills again after a.
        """
        day, inside = find_start(self.data, self.settings["by"], on, minimal, unit)
        given = {name: self.settings[name] for name in ("by", "cause", "interval", "level", "robust")}
        held = _estimate(inside, **given, conditional_on=day)
        kept = tuple(note for note in self.notes if _CENSORING in note and note not in held.notes)
        return replace(held, notes=(*held.notes, *kept))

    def release(self, *, min_count: int | None = None, years: float | None = None) -> Release:
        """Say what would be published: the curves at times far enough apart that no interval tells of few persons.

        Parameters
        ----------
        min_count : int, optional
            Fewest persons an interval between two times may tell of; the policy's by default.
        years : float, optional
            Distance of the times asked for; found from the length of follow-up by default.

        Returns
        -------
        Release
            By group and time: persons at risk after it, events, entries and ends without event since the
            time before, survival and limits rounded to four decimals.
        """
        from epi.survival.reporting import release_survival

        return release_survival(self, min_count, years)

    def chart(self, *, lang: Lang = "en", min_count: int | None = None, years: float | None = None) -> Chart:
        """Draw the curves with their limits, with the numbers at risk beneath.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.
        min_count : int, optional
            Fewest persons an interval between two times may tell of; the policy's by default.
        years : float, optional
            Distance of the round times; found from the length of follow-up by default.

        Returns
        -------
        Chart
            The picture, drawn from what may be published.
        """
        from epi.survival.curve_chart import draw_survival

        return draw_survival(self, lang, min_count, years)

    def __str__(self) -> str:
        lines = []
        middle = self.quantiles((0.5,))
        for at, group in enumerate(self.groups):
            rows = self.table[self.table["group"] == group]
            time = middle["time"].iloc[at] / DAYS_PER_YEAR
            median = "not reached" if np.isnan(time) else f"{time:.2f} years"
            lines.append(f"{group}: {int(rows['events'].sum())} events, median {median}")
        return "; ".join(lines) + "".join(f". {note}" for note in self.notes)

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, max_rows=20, float_format="{:,.4f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


def estimate_survival(
    data: SurvivalData,
    *,
    by: By = None,
    cause: str | None = None,
    interval: IntervalScale = "log-log",
    level: float = 0.95,
    robust: bool | None = None,
) -> SurvivalCurves:
    """Estimate survival by the Kaplan-Meier product, entry times counted.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    by : str or sequence of str, optional
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    cause : str, optional
        The event; any of them by default. The other causes are then ends of follow-up.
    interval : {"log-log", "log", "plain", "logit", "arcsin"}, optional
        Scale of the confidence interval.
    level : float, optional
        Confidence level.
    robust : bool, optional
        Whether the variance is the infinitesimal jackknife over clusters (persons where there are
        none) instead of Greenwood's. By default where there are weights or clusters.

    Returns
    -------
    SurvivalCurves
        The curves, with what a reader must know of them in ``notes``.

    Raises
    ------
    ParameterError
        If a column, a cause or an option is unknown.
    DataError
        If a person is at risk again after the event: a survival curve is of a first event.

    Notes
    -----
    Kaplan and Meier (JASA 1958); delayed entry: Tsai, Jewell and Wang (Biometrika 1987); Greenwood
    (1926); infinitesimal jackknife as in R's survival, one row or cluster at a time. Where the curve
    is 0 no standard error is given. Weights are taken as sampling weights, never as frequencies.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": [5, 8, 8, 12, 20], "died": [1, 1, 0, 1, 0]})
    >>> curve = estimate_survival(build_survival(seen, exit="days", event="died"))
    >>> curve.table[["time", "at_risk", "events", "survival"]].round(3).to_string(index=False).splitlines()[1]
    '    5        5       1       0.8'
    """
    check_interval(interval, level)
    return _estimate(data, by=by, cause=cause, interval=interval, level=level, robust=robust)


def _estimate(
    data: SurvivalData, *, by: By, cause: str | None, interval: IntervalScale, level: float, robust: bool | None,
    conditional_on: int | None = None,
) -> SurvivalCurves:  # fmt: skip
    check_first_events(data, cause)
    others = [] if cause is None else [name for name in data.causes if name != cause]
    data = focus(data, cause)
    numbers, labels = split_groups(data, by)
    counts = count_days(data, numbers if len(labels) > 1 else None, len(labels))
    events = _chosen(counts, data, cause)
    heavy = _chosen_weight(counts, data, cause)
    jackknife = wants_robust(data, robust)
    parts = []
    for at, label in enumerate(labels):
        kept = np.flatnonzero(counts.left[at])
        risk, weighted = counts.at_risk[at, kept], counts.weighted_at_risk[at, kept]
        deaths, heavy_deaths = events[at, kept], heavy[at, kept]
        days = counts.first + kept
        share = np.where(deaths == risk, 1.0, heavy_deaths / weighted)
        survival = np.cumprod(1 - share)
        if jackknife:
            variance = _jackknife(data, numbers == at, days, share, weighted, data.is_event(cause))
        else:
            with np.errstate(divide="ignore"):
                variance = np.cumsum(np.where(deaths < risk, deaths / (risk * np.maximum(risk - deaths, 1.0)), 0.0))
        error = np.where(survival > 0, survival * np.sqrt(variance), np.nan)
        low, high = probability_limits(survival, error, interval, level)
        part = {"group": label, "time": days, "at_risk": risk, "events": deaths, "left": counts.left[at, kept] - deaths,
                "survival": survival, "se": error, "ci_low": low, "ci_high": high}  # fmt: skip
        if data.weight is not None:
            part |= {"weighted_at_risk": weighted, "weighted_events": heavy_deaths}
        parts.append(pd.DataFrame(part))
    table = pd.concat(parts, ignore_index=True)
    settings = {
        "estimator": "Kaplan-Meier", "by": by, "groups": list(labels), "cause": cause, "interval": interval,
        "level": level, "robust": robust, "variance": "infinitesimal jackknife" if jackknife else "Greenwood",
        "weights": data.weight is not None, "clusters": data.cluster is not None, "scale": data.scale,
        "start": counts.first, "conditional_on": conditional_on,
    }  # fmt: skip
    notes = [*risk_notes(counts, table, labels), *_quiet(table, labels)]
    if others:
        notes.append(
            f"ends by {', '.join(others)} {_CENSORING}: one minus this curve is not the share who have {cause}, "
            "which estimate_cumulative_incidence gives"
        )
    return SurvivalCurves(table, tuple(notes), settings, data)


def find_start(
    data: SurvivalData, by: By, on: float | None, minimal: int, unit: Unit = "days"
) -> tuple[int, SurvivalData]:
    """Find a common start with enough persons at risk in each group, and keep what follows it.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    by : str, sequence of str or None
        Groups.
    on : float or None
        The start; the first that suits all groups where None.
    minimal : int
        Persons at risk that each group needs just after the start.
    unit : {"days", "years"}, optional
        Unit of ``on``.

    Returns
    -------
    day : int
        The start.
    inside : SurvivalData
        The follow-up after it.

    Raises
    ------
    ParameterError
        If ``minimal`` is below 1.
    EstimationError
        If a group has too few persons at risk, or if its risk set empties and fills again afterwards.
    """
    if minimal < 1:
        raise ParameterError(f"minimal is {minimal}", "at least 1 person at risk", "minimal=20")
    counts, labels = _count(data, by)
    after = after_days(counts)
    if on is None:
        enough = (after >= minimal).all(axis=0)
        if not enough.any():
            most = [f"{label}: at most {int(after[at].max())}" for at, label in enumerate(labels)]
            raise EstimationError(
                f"at no time have all groups {minimal} persons at risk",
                "groups observed over a common range of times", "lower minimal=, or compare fewer groups", faults=most,
            )  # fmt: skip
        day = int(counts.days[int(enough.argmax())])
    else:
        day = int(whole_days([on], unit)[0])
        column = day - counts.first
        there = after[:, column] if 0 <= column < after.shape[1] else np.zeros(len(labels))
        if (there < minimal).any():
            faults = [f"{labels[at]}: {int(there[at])} at risk" for at in np.flatnonzero(there < minimal)]
            raise EstimationError(
                f"too few persons are at risk at day {day}", f"at least {minimal} in each group",
                "on=None finds the first time that suits all groups", faults=faults,
            )  # fmt: skip
    inside = data.window(low=day)
    empty = _gaps(*_count(inside, by))
    if empty:
        raise EstimationError(
            "the risk set empties after the start: nobody tells what happens meanwhile",
            "somebody at risk until the end of follow-up", "start later, with on=", faults=empty,
        )  # fmt: skip
    return day, inside


def risk_notes(counts: DayCounts, table: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Say where risk sets make a curve unfit to be read as it is.

    Parameters
    ----------
    counts : DayCounts
        Counts of the groups.
    table : pandas.DataFrame
        `group`, `time`, `at_risk` and `survival`.
    labels : sequence of str
        Names of the groups.

    Returns
    -------
    list of str
        Sentences: curves at 0 while others enter later, times at which nobody is at risk.
    """
    return [*_fallen(counts, table, labels), *_gaps(counts, labels)]


def focus(data: SurvivalData, cause: str | None) -> SurvivalData:
    """Turn to one cause where persons have several rows: time after another event is no new stay.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    cause : str or None
        The event; any where None.

    Returns
    -------
    SurvivalData
        The same rows; events of other causes are none where persons have several rows.
    """
    return data if cause is None or data.persons == len(data) else data.for_cause(cause)


def check_first_events(data: SurvivalData, cause: str | None = None) -> None:
    """Refuse persons who are at risk again after the event.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    cause : str, optional
        The event; any by default.

    Raises
    ------
    DataError
        If there are such persons.
    """
    if data.persons == len(data):
        return
    again = recurrences(data if cause is None else data.for_cause(cause))
    if again:
        raise DataError(
            f"after {again} events the same person is at risk again", "follow-up until the first event",
            "keep each person's rows until the first event; estimate_cumulative_hazard takes repeated events",
        )  # fmt: skip


def wants_robust(data: SurvivalData, robust: bool | None) -> bool:
    """Tell whether a variance is robust: where asked for, else with weights or clusters.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    robust : bool or None
        What was asked for.

    Returns
    -------
    bool
        True for the infinitesimal jackknife.

    Raises
    ------
    ParameterError
        If a variance that is not robust is asked for with weights or clusters.
    """
    shared = data.weight is not None or data.cluster is not None
    if robust is False and shared:
        raise ParameterError(
            "robust is False and the data have weights or clusters",
            "a variance that takes them into account", "leave robust= out, or build the data without them",
        )  # fmt: skip
    return shared if robust is None else robust


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
    values = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if not np.isfinite(values).all():
        raise ParameterError("a time is missing or infinite", "days or years since the origin")
    # A thousandth of a second against 0.1 years times 365.25 falling just under a whole day.
    return np.floor(values * (DAYS_PER_YEAR if unit == "years" else 1.0) + 1e-8).astype(np.int64)


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
        for source, initial in ((name, first), ("se", 0.0), ("ci_low", first), ("ci_high", first)):
            values = np.concatenate([[initial], rows[source].to_numpy(dtype=np.float64)])[step + 1]
            part[source] = np.where(known, values, np.nan)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _count(data: SurvivalData, by: By) -> tuple[DayCounts, tuple[str, ...]]:
    numbers, labels = split_groups(data, by)
    return count_days(data, numbers if len(labels) > 1 else None, len(labels)), labels


def _chosen(counts: DayCounts, data: SurvivalData, cause: str | None) -> NDArray[np.int64]:
    chosen = counts.events.sum(axis=2) if cause is None else counts.events[:, :, data.cause_number(cause) - 1]
    return np.asarray(chosen, dtype=np.int64)


def _chosen_weight(counts: DayCounts, data: SurvivalData, cause: str | None) -> NDArray[np.float64]:
    weights = counts.weighted_events
    chosen = weights.sum(axis=2) if cause is None else weights[:, :, data.cause_number(cause) - 1]
    return np.asarray(chosen, dtype=np.float64)


def _jackknife(
    data: SurvivalData, inside: NDArray[np.bool_], days: NDArray[np.int64], share: NDArray[np.float64],
    weighted: NDArray[np.float64], event: NDArray[np.bool_],
) -> NDArray[np.float64]:  # fmt: skip
    """Sum the squared influences on the logarithm of survival."""
    steps = place_rows(data, days, np.flatnonzero(inside))
    left = np.where(share < 1, weighted * (1 - share), np.inf)
    at_exit = np.where(event[steps.rows], -1 / left[steps.leave - 1], 0.0)
    return influence_variance(steps, -share / left, at_exit)


def where(label: str) -> str:
    """Name a group at the start of a sentence.

    Parameters
    ----------
    label : str
        Its name.

    Returns
    -------
    str
        Words, none where there is one group.
    """
    return "" if label == ALL else f"in group {label} "


def _gaps(counts: DayCounts, labels: Sequence[str]) -> list[str]:
    """Name the times at which nobody is at risk while somebody enters later."""
    found = []
    for at, label in enumerate(labels):
        there = np.flatnonzero(after_days(counts)[at] > 0)
        holes = np.flatnonzero(np.diff(there) > 1)
        if len(holes):
            first, last = counts.first + there[holes[0]] + 1, counts.first + there[holes[0] + 1]
            found.append(
                f"{where(label)}nobody is at risk from day {first} to day {last}"
                + (f", and at {len(holes) - 1} other times" if len(holes) > 1 else "")
                + ": the curve says nothing of what happens meanwhile"
            )
    return found


def _fallen(counts: DayCounts, table: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Name the curves that fall to 0 while others enter later."""
    found = []
    for at, label in enumerate(labels):
        rows = table[(table["group"] == label) & (table["survival"] == 0)]
        if not len(rows):
            continue
        first = rows.iloc[0]
        if counts.entered[at, int(first["time"]) - counts.first :].sum():
            found.append(
                f"{where(label)}all {int(first['at_risk'])} persons at risk on day {int(first['time'])} have the "
                "event and the curve stays at 0, though others enter later: see conditional(), which starts it where "
                "enough persons are at risk"
            )
    return found


def _quiet(table: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    events = table.groupby("group", sort=False)["events"].sum()
    quiet = [label for label in labels if events[label] == 0]
    if not quiet:
        return []
    if len(labels) == 1:
        return ["there is no event: the curve stays at 1, without limits"]
    return [f"no event in group {', '.join(quiet)}: the curve stays at 1, without limits"]
