"""Cumulative incidence with competing causes: the Aalen-Johansen estimator.

The share who had each cause by each day, the others being no censoring: they can have it no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.survival.curve_table import StartedCurves
from epi.survival.data import of_follow_up
from epi.survival.groups import By, count_groups
from epi.survival.influence import influence_variance, place_rows
from epi.survival.limits import IntervalScale, check_interval, probability_limits
from epi.survival.risk_sets import check_first_events, risk_notes, wants_robust
from epi.survival.robust import ROUNDING, few_clusters, robust_error, told_groups, unit_notes
from epi.survival.steps import Lang, Unit, read_steps, whole_days
from epi.survival.window import check_inside, window_start

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.plotting import Chart
    from epi.results import Release
    from epi.survival.data import SurvivalData

Variance = Literal["jackknife", "aalen"]


@dataclass(frozen=True)
class CumulativeIncidence(StartedCurves):
    """Cumulative incidence of each cause, by group.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each group, cause and day on which somebody has an event or leaves: `group`, `cause`,
        `time` (days), `at_risk` (persons with entry < time <= exit), `events` of the cause, `event_free`
        (share without any event), `incidence`, `se`, `ci_low`, `ci_high`; with weights also
        `weighted_at_risk` and `weighted_events`.
    notes : tuple of str
        What a reader must know: times at which nobody was at risk, a share without event that fell to 0.
    settings : mapping
        What determined the estimates; `variance` is the one returned.
    data : SurvivalData
        The follow-up they come from.
    """

    kind: ClassVar[str] = "incidence"
    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)

    @property
    def causes(self) -> tuple[str, ...]:
        """Names of the causes, in order."""
        return self.data.causes

    def at(self, times: ArrayLike, unit: Unit = "days") -> pd.DataFrame:
        """Give the cumulative incidence at some times.

        Parameters
        ----------
        times : array-like
            Times since the origin.
        unit : {"days", "years"}, optional
            Unit of ``times``; a year is 365.25 days, rounded down to a whole day.

        Returns
        -------
        pandas.DataFrame
            `group`, `cause`, `time` (days), `at_risk` (entry < time <= exit), `events` until the time
            included, `incidence`, `se`, `ci_low`, `ci_high`: missing after the end of the group's
            follow-up, unless nobody was left without event.
        """
        days = whole_days(times, unit)
        check_inside(self.data, days)
        counts, labels, _ = count_groups(self.data, self.settings["by"])
        parts = []
        for at, cause in enumerate(self.causes):
            rows = self.table[self.table["cause"] == cause]
            read = read_steps(rows, labels, days, counts, counts.events[:, :, at], {"incidence": 0.0})
            read.insert(1, "cause", cause)
            parts.append(read)
        found = pd.concat(parts, ignore_index=True)
        order = {group: at for at, group in enumerate(labels)}
        return found.sort_values("group", key=lambda column: column.map(order), kind="stable", ignore_index=True)

    def chart(
        self,
        cause: str | None = None,
        *,
        lang: Lang = "en",
        min_count: int | None = None,
        years: float | None = None,
    ) -> Chart:
        """Draw the incidence of one cause by group, with the numbers at risk beneath.

        Parameters
        ----------
        cause : str, optional
            The cause; may be left out where there is one.
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
        from epi.survival.curve_chart import draw_incidence

        return draw_incidence(self, cause, lang, min_count, years)

    def chart_stack(self, *, lang: Lang = "en", min_count: int | None = None, years: float | None = None) -> Chart:
        """Draw all causes one on the other, a panel for each group, with the numbers at risk beneath.

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
        from epi.survival.curve_chart import draw_stack

        return draw_stack(self, lang, min_count, years)

    def _start(self, inside: SurvivalData, day: int) -> CumulativeIncidence:
        given = {name: self.settings[name] for name in ("by", "variance", "interval", "level")}
        return _estimate(inside, **given, conditional_on=day)

    def _release(self, min_count: int | None, years: float | None) -> Release:
        from epi.survival.reporting import release_incidence

        return release_incidence(self, min_count, years)

    def __str__(self) -> str:
        last = self.table.groupby(["group", "cause"], sort=False, as_index=False).agg(
            events=("events", "sum"), incidence=("incidence", "last")
        )
        lines = [
            f"{group}, {cause}: {events:.0f} events, {incidence:.1%}"
            for group, cause, events, incidence in last.itertuples(index=False)
        ]
        return "; ".join(lines) + "".join(f". {note}" for note in self.notes)


@of_follow_up
def estimate_cumulative_incidence(
    data: SurvivalData,
    *,
    by: By = None,
    variance: Variance = "jackknife",
    interval: IntervalScale = "log-log",
    level: float = 0.95,
) -> CumulativeIncidence:
    """Estimate the cumulative incidence of each cause, entry times counted.

    Parameters
    ----------
    data : SurvivalData
        Follow-up, with one or several causes.
    by : str or sequence of str, optional
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    variance : {"jackknife", "aalen"}, optional
        The infinitesimal jackknife over rows, or over clusters or persons where there are any, as R's
        survival gives; or Aalen's, as R's cmprsk gives, for data without weights, clusters and late entry.
    interval : {"log-log", "log", "plain", "logit", "arcsin"}, optional
        Scale of the confidence interval.
    level : float, optional
        Confidence level.

    Returns
    -------
    CumulativeIncidence
        The table by group, cause and day.

    Raises
    ------
    ParameterError
        If an option is unknown, or Aalen's variance is asked for where it does not hold.
    DataError
        If a person is at risk again after an event.

    Notes
    -----
    Aalen and Johansen (Scand J Stat 1978). Aalen's variance with ties as in Gray (Ann Stat 1988).

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": [5, 8, 8, 12, 20], "what": [1, 2, 0, 1, 0]})
    >>> data = build_survival(seen, exit="days", event="what", causes={1: "death", 2: "transplant"})
    >>> found = estimate_cumulative_incidence(data).at([20])
    >>> found[["cause", "events", "incidence"]].round(3).values.tolist()
    [['death', 2, 0.5], ['transplant', 1, 0.2]]
    """
    check_interval(interval, level)
    return _estimate(data, by=by, variance=variance, interval=interval, level=level)


def _estimate(
    data: SurvivalData, *, by: By, variance: Variance, interval: IntervalScale, level: float,
    conditional_on: int | None = None,
) -> CumulativeIncidence:  # fmt: skip
    check_first_events(data)
    _check_variance(data, variance)
    counts, labels, numbers = count_groups(data, by)
    jackknife = variance == "jackknife"
    told = told_groups(data, numbers, len(labels), robust=jackknife)
    parts = []
    for group, label in enumerate(labels):
        kept = np.flatnonzero(counts.left[group])
        days = counts.first + kept
        risk, weighted = counts.at_risk[group, kept], counts.weighted_at_risk[group, kept]
        deaths, heavy = counts.events[group, kept], counts.weighted_events[group, kept]
        share = heavy / weighted[:, None]
        total = np.where(deaths.sum(axis=1) == risk, 1.0, share.sum(axis=1))
        free = np.cumprod(1 - total)
        before = np.concatenate([[1.0], free[:-1]])
        incidence = np.cumsum(before[:, None] * share, axis=0)
        if not told[group]:
            squares = np.where(incidence > 0, np.nan, 0.0)
        elif jackknife:
            squares = _jackknife(data, numbers == group, days, share, total, weighted, before)
        else:
            squares = _aalen(deaths, risk, free, before, incidence)
        for at, cause in enumerate(data.causes):
            value = incidence[:, at]
            error = robust_error(squares[:, at], value)
            # A cause that all have had varies no more, whatever clusters they lie in.
            error = np.where(np.isnan(error) & (value > 1 - ROUNDING), 0.0, error)
            low, high = probability_limits(value, error, interval, level)
            part = {"group": label, "cause": cause, "time": days, "at_risk": risk, "events": deaths[:, at],
                    "event_free": free, "incidence": value, "se": error, "ci_low": low, "ci_high": high}  # fmt: skip
            if data.weight is not None:
                part |= {"weighted_at_risk": weighted, "weighted_events": heavy[:, at]}
            parts.append(pd.DataFrame(part))
    settings = {
        "estimator": "Aalen-Johansen", "by": by, "groups": list(labels), "causes": list(data.causes),
        "variance": variance, "interval": interval, "level": level, "weights": data.weight is not None,
        "clusters": data.cluster is not None,
        "few_clusters": few_clusters(data, numbers, len(labels)), "scale": data.scale, "start": counts.first,
        "conditional_on": window_start(data) if conditional_on is None else conditional_on,
    }  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    first = table[table["cause"] == data.causes[0]].rename(columns={"event_free": "survival"})
    notes = risk_notes(counts, first, labels)
    if jackknife:
        notes += unit_notes(data, numbers, labels)
    return CumulativeIncidence(table, tuple(notes), settings, data)


def _check_variance(data: SurvivalData, variance: str) -> None:
    if variance not in ("jackknife", "aalen"):
        raise ParameterError(f"variance is {variance!r}", "jackknife or aalen", "variance='jackknife'")
    if variance == "jackknife":
        return
    reasons = [
        words
        for there, words in (
            (wants_robust(data, None), "weights or clusters"),
            (data.delayed, "late entry"),
            (data.persons < len(data), "several rows for a person"),
        )
        if there
    ]
    if reasons:
        raise ParameterError(
            f"Aalen's variance is asked for and the data have {', '.join(reasons)}",
            "independent persons followed from time zero, for whom it was derived",
            "variance='jackknife', which holds there",
        )  # fmt: skip


def _jackknife(
    data: SurvivalData, inside: NDArray[np.bool_], days: NDArray[np.int64], share: NDArray[np.float64],
    total: NDArray[np.float64], weighted: NDArray[np.float64], before: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Sum the squared influences on each cause's incidence."""
    steps = place_rows(data, days, np.flatnonzero(inside))
    left = np.where(total < 1, weighted * (1 - total), np.inf)
    event, last = data.event[steps.rows], steps.leave - 1
    at_exit = np.where(event > 0, -1 / left[last], 0.0)
    found = []
    for cause in range(share.shape[1]):
        rise = before * share[:, cause]
        gain = np.where(event == cause + 1, before[last] / weighted[last], 0.0)
        found.append(influence_variance(steps, -total / left, at_exit, (rise, rise / weighted, gain)))
    return np.stack(found, axis=1)


def _aalen(
    deaths: NDArray[np.int64], risk: NDArray[np.int64], free: NDArray[np.float64], before: NDArray[np.float64],
    incidence: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Give Aalen's variance of each cause's incidence."""
    # F(t) depends on an earlier hazard of its own cause by S(s-) (1 + (F(s) - F(t)) / S(s)), and on the other
    # causes' by S(s-) (F(s) - F(t)) / S(s): squares are expanded in F(t), so that sums over s are cumulated.
    inverse = np.divide(1.0, free, out=np.zeros_like(free), where=free > 0)
    found = []
    for cause in range(deaths.shape[1]):
        own = deaths[:, cause].astype(np.float64)
        rise = incidence[:, cause]
        reach = rise * inverse
        first = _tied(own, risk, before)
        second = np.where(free > 0, _tied(deaths.sum(axis=1) - own, risk, before), 0.0)
        squares = np.cumsum((1 + reach) ** 2 * first + reach**2 * second)
        products = np.cumsum(inverse * ((1 + reach) * first + reach * second))
        slopes = np.cumsum(inverse**2 * (first + second))
        variance = squares + rise**2 * slopes - 2 * rise * products
        # Between two events of the cause the incidence does not change, nor does what is known of it.
        at = np.maximum.accumulate(np.where(own > 0, np.arange(len(own)), -1))
        found.append(np.where(at >= 0, variance[np.maximum(at, 0)], 0.0))
    return np.maximum(np.stack(found, axis=1), 0.0)


def _tied(deaths: NDArray[np.float64], risk: NDArray[np.int64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the variance of d events among n at risk, drawn without replacement."""
    shrink = 1 - np.maximum(deaths - 1, 0) / np.maximum(risk - 1, 1)
    return np.asarray(before**2 * shrink * deaths / risk.astype(np.float64) ** 2)


def incidence_columns(causes: Sequence[str]) -> dict[str, tuple[str, str, str, str]]:
    """Name the columns of a published table, by cause.

    Parameters
    ----------
    causes : sequence of str
        Names of the causes.

    Returns
    -------
    dict
        Cause to the columns of its events, incidence, low and high limit.
    """
    return {
        cause: (f"events_{at}", f"incidence_{at}", f"ci_low_{at}", f"ci_high_{at}")
        for at, cause in enumerate(causes, start=1)
    }
