"""Survival curves: the Kaplan-Meier estimator with delayed entry, weights and clusters.

The curve is the product over days of one minus the share of those at risk who have the event. Its
variance is Greenwood's, or the infinitesimal jackknife where there are weights or clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from epi.arguments import check_numbers
from epi.errors import ParameterError
from epi.survival.counting import DayCounts
from epi.survival.curve_table import StartedCurves
from epi.survival.data import DAYS_PER_YEAR, SurvivalData, of_follow_up
from epi.survival.groups import By, count_groups
from epi.survival.influence import influence_variance, place_rows
from epi.survival.limits import IntervalScale, check_interval, probability_limits, reached
from epi.survival.risk_sets import check_first_events, focus, risk_notes, wants_robust
from epi.survival.robust import few_clusters, robust_error, told_groups, unit_notes
from epi.survival.steps import Unit, read_steps, whole_days
from epi.survival.window import check_inside, window_start

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.results import Release

_CENSORING = "are taken as censoring"


@dataclass(frozen=True)
class SurvivalCurves(StartedCurves):
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

    kind: ClassVar[str] = "survival"
    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)

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
        EstimationError
            If the data keep to a common window, and a time lies outside.
        """
        days = whole_days(times, unit)
        check_inside(self.data, days)
        counts, _, _ = count_groups(self.data, self.settings["by"])
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
        example = "quantiles((0.25, 0.5, 0.75))"
        shares = check_numbers("probabilities", probabilities, "shares of persons, from 0 to 1", do=example)
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ParameterError("a share is not between 0 and 1", "shares of persons", example)
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

    def _start(self, inside: SurvivalData, day: int) -> SurvivalCurves:
        given = {name: self.settings[name] for name in ("by", "cause", "interval", "level", "robust")}
        held = _estimate(inside, **given, conditional_on=day)
        kept = tuple(note for note in self.notes if _CENSORING in note and note not in held.notes)
        return replace(held, notes=(*held.notes, *kept))

    def _release(self, min_count: int | None, years: float | None) -> Release:
        from epi.survival.reporting import release_survival

        return release_survival(self, min_count, years)

    def __str__(self) -> str:
        lines = []
        middle = self.quantiles((0.5,))
        for at, group in enumerate(self.groups):
            rows = self.table[self.table["group"] == group]
            time = middle["time"].iloc[at] / DAYS_PER_YEAR
            median = "not reached" if np.isnan(time) else f"{time:.2f} years"
            lines.append(f"{group}: {int(rows['events'].sum())} events, median {median}")
        return "; ".join(lines) + "".join(f". {note}" for note in self.notes)


@of_follow_up
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
    counts, labels, numbers = count_groups(data, by)
    events = _chosen(counts, data, cause)
    heavy = _chosen_weight(counts, data, cause)
    jackknife = wants_robust(data, robust)
    told = told_groups(data, numbers, len(labels), robust=jackknife)
    parts = []
    for at, label in enumerate(labels):
        kept = np.flatnonzero(counts.left[at])
        risk, weighted = counts.at_risk[at, kept], counts.weighted_at_risk[at, kept]
        deaths, heavy_deaths = events[at, kept], heavy[at, kept]
        days = counts.first + kept
        share = np.where(deaths == risk, 1.0, heavy_deaths / weighted)
        survival = np.cumprod(1 - share)
        if not told[at]:
            variance = np.where(survival < 1, np.nan, 0.0)
        elif jackknife:
            variance = _jackknife(data, numbers == at, days, share, weighted, data.is_event(cause))
        else:
            with np.errstate(divide="ignore"):
                variance = np.cumsum(np.where(deaths < risk, deaths / (risk * np.maximum(risk - deaths, 1.0)), 0.0))
        with np.errstate(divide="ignore"):
            deep = -np.log(survival)
        spread = robust_error(variance, deep) if jackknife else np.sqrt(variance)
        error = np.where(survival > 0, survival * spread, np.nan)
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
        "weights": data.weight is not None, "clusters": data.cluster is not None,
        "few_clusters": few_clusters(data, numbers, len(labels)), "scale": data.scale,
        "start": counts.first,
        "conditional_on": window_start(data) if conditional_on is None else conditional_on,
    }  # fmt: skip
    notes = [*risk_notes(counts, table, labels), *_quiet(table, labels)]
    if jackknife:
        notes += unit_notes(data, numbers, labels)
    if others:
        notes.append(
            f"ends by {', '.join(others)} {_CENSORING}: one minus this curve is not the share who have {cause}, "
            "which estimate_cumulative_incidence gives"
        )
    return SurvivalCurves(table, tuple(notes), settings, data)


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


def _quiet(table: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    events = table.groupby("group", sort=False)["events"].sum()
    quiet = [label for label in labels if events[label] == 0]
    if not quiet:
        return []
    if len(labels) == 1:
        return ["there is no event: the curve stays at 1, without limits"]
    return [f"no event in group {', '.join(quiet)}: the curve stays at 1, without limits"]
