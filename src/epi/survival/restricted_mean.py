"""Restricted mean survival time: the mean time without event until a horizon.

It needs no proportional hazards. The horizon must lie within what every group was followed for: beyond,
the curve is unknown and its area would be a guess.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.errors import EstimationError, ParameterError
from epi.results import Counted, Release
from epi.stats.intervals import check_level
from epi.stats.notation import format_number
from epi.survival.counting import DayCounts
from epi.survival.data import DAYS_PER_YEAR, of_follow_up
from epi.survival.few import small_side
from epi.survival.groups import ALL, By, count_groups, split_groups
from epi.survival.influence import place_rows
from epi.survival.risk_sets import check_first_events, focus, risk_notes, wants_robust, where
from epi.survival.robust import robust_error, told_groups, unit_notes
from epi.survival.steps import Lang, Unit, whole_days, words_of
from epi.survival.window import check_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData

FEW = 20
"""Persons at risk at the horizon: with fewer, its last part rests on few, and is said to."""


_WORDS = {
    "en": {
        "title": "Mean time without event between {} and {} years", "Greenwood": "Greenwood's variance",
        "infinitesimal jackknife": "infinitesimal jackknife", "note": "Years; {}, limits at {}%.", "group": "Group",
        "persons": "Persons", "events": "Events", "mean": "Mean", "ci_low": "Low", "ci_high": "High", "lost": "Lost",
        "difference": "Difference", "difference_low": "Difference, low", "difference_high": "Difference, high",
        "difference_p": "p", "ratio": "Ratio", "ratio_low": "Ratio, low", "ratio_high": "Ratio, high",
        "ratio_p": "p of the ratio",
    },
    "fr": {
        "title": "Temps moyen sans événement entre {} et {} ans", "Greenwood": "variance de Greenwood",
        "infinitesimal jackknife": "jackknife infinitésimal", "note": "Années ; {}, limites à {} %.",
        "group": "Groupe", "persons": "Personnes", "events": "Événements", "mean": "Moyenne", "ci_low": "Basse",
        "ci_high": "Haute", "lost": "Perdu", "difference": "Différence", "difference_low": "Différence, basse",
        "difference_high": "Différence, haute", "difference_p": "p", "ratio": "Rapport",
        "ratio_low": "Rapport, basse", "ratio_high": "Rapport, haute", "ratio_p": "p du rapport",
    },
}  # fmt: skip


@dataclass(frozen=True)
class RestrictedMean:
    """Restricted mean survival times, or their contrasts.

    Parameters
    ----------
    table : pandas.DataFrame
        By group: `group`, `persons`, `events` until the horizon, `at_risk` at the horizon, `mean` (days from
        the start), `se`, `ci_low`, `ci_high`, `lost` (horizon less start less mean). Of a comparison also
        `difference`, `difference_low`, `difference_high`, `difference_p`, `ratio`, `ratio_low`,
        `ratio_high`, `ratio_p`, missing for the reference.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the estimates; `start` and `horizon` in days.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self, *, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Release
            The table in years; a mean falls with the numbers it rests on.
        """
        words = words_of(_WORDS, lang)
        # With the limits a standard error says nothing more; the number at risk at one time is a curve's to tell.
        table = self.table.drop(columns=["se", "at_risk"])
        names = [str(name) for name in table.columns]
        days = [name for name in names if name in _DAYS]
        table[days] = (table[days] / DAYS_PER_YEAR).round(3)
        derived = tuple(name for name in names if name not in ("group", "persons", "events"))
        other = [name for name in derived if name not in days]
        table[other] = table[other].round(4)
        contrasts = [name for name in names if name.startswith(("difference", "ratio"))]
        if contrasts and small_side(table["persons"], table["events"]):
            # A contrast beside a mean that is shown would give the hidden group's back.
            table[contrasts] = np.nan
        if (table["group"] == ALL).all():
            table = table.drop(columns="group")
            names.remove("group")
        start, horizon = (format_number(self.settings[name] / DAYS_PER_YEAR, 2, lang=lang) for name in _ENDS)
        level = format_number(100 * self.settings["level"], 0, lang=lang)
        return Release(
            table,
            (Counted("persons", adds_up_within=(), derived=derived),
             Counted("events", of="persons", adds_up_within=(), derived=derived)),
            words["title"].format(start, horizon), words["note"].format(words[self.settings["variance"]], level),
            labels={name: words[name] for name in names},
        )  # fmt: skip

    def __str__(self) -> str:
        lines = [
            f"{row['group']}: {row['mean'] / DAYS_PER_YEAR:.3f} years "
            f"({row['ci_low'] / DAYS_PER_YEAR:.3f} to {row['ci_high'] / DAYS_PER_YEAR:.3f})"
            for _, row in self.table.iterrows()
        ]
        return ". ".join(["; ".join(lines), *self.notes])

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, float_format="{:,.2f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


_ENDS = ("start", "horizon")
_DAYS = ("mean", "se", "ci_low", "ci_high", "lost", "difference", "difference_low", "difference_high")


@dataclass(frozen=True)
class _Areas:
    """What both functions need: means, variances, and how each cluster moves each mean."""

    table: pd.DataFrame
    variance: NDArray[np.float64]
    moved: NDArray[np.float64] | None
    notes: list[str]
    settings: dict[str, Any]


@of_follow_up
def estimate_rmst(
    data: SurvivalData,
    horizon: float,
    *,
    by: By = None,
    start: float | None = None,
    cause: str | None = None,
    unit: Unit = "days",
    level: float = 0.95,
    robust: bool | None = None,
) -> RestrictedMean:
    """Estimate the mean time without event until a horizon: the area under the survival curve.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    horizon : float
        Time until which the mean is taken.
    by : str or sequence of str, optional
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    start : float, optional
        Time from which it is taken, among those without event then: with late entry, one at which enough
        persons are at risk. Time zero by default.
    cause : str, optional
        The event; any of them by default.
    unit : {"days", "years"}, optional
        Unit of ``horizon`` and ``start``; the table is in days.
    level : float, optional
        Confidence level.
    robust : bool, optional
        Whether the variance is the infinitesimal jackknife over clusters or persons. By default where
        there are weights or clusters.

    Returns
    -------
    RestrictedMean
        A row for each group.

    Raises
    ------
    EstimationError
        If the horizon lies beyond a group's follow-up, or nobody is at risk for a while before it.
    ParameterError
        If an option is unknown, or the horizon is not after the start.

    Notes
    -----
    Irwin (J Hyg 1949); Royston and Parmar (Stat Med 2011). Variance: the sum over days of the squared area
    that remains times Greenwood's term, as printed by R's survfit. Limits are normal, and end at no time and at the
    whole time until the horizon.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": [5, 8, 8, 12, 20], "died": [1, 1, 0, 1, 0]})
    >>> estimate_rmst(build_survival(seen, exit="days", event="died"), 15).table["mean"].round(2).tolist()
    [10.7]
    """
    areas = _areas(data, horizon, by, start, cause, unit, level, robust)
    return RestrictedMean(areas.table, tuple(areas.notes), areas.settings)


@of_follow_up
def compare_rmst(
    data: SurvivalData,
    horizon: float,
    by: By,
    *,
    reference: str | None = None,
    start: float | None = None,
    cause: str | None = None,
    unit: Unit = "days",
    level: float = 0.95,
    robust: bool | None = None,
) -> RestrictedMean:
    """Compare mean times without event until a horizon, by difference and by ratio.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    horizon : float
        Time until which means are taken; within the follow-up of every group.
    by : str or sequence of str
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    reference : str, optional
        Group the others are compared with; the first by default.
    start : float, optional
        Time from which means are taken, among those without event then.
    cause : str, optional
        The event; any of them by default.
    unit : {"days", "years"}, optional
        Unit of ``horizon`` and ``start``; the table is in days.
    level : float, optional
        Confidence level.
    robust : bool, optional
        Whether the variance is the infinitesimal jackknife over clusters or persons: what clusters share
        across groups then counts. By default where there are weights or clusters.

    Returns
    -------
    RestrictedMean
        A row for each group, with its contrasts with the reference.

    Raises
    ------
    EstimationError
        If the horizon lies beyond a group's follow-up.
    ParameterError
        If there is one group only, or no such reference.

    Notes
    -----
    Difference with normal limits; ratio with normal limits on its logarithm (Uno et al., J Clin Oncol 2014).

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": [5, 8, 9, 12, 20, 25], "died": [1, 1, 1, 1, 0, 1], "arm": list("aababb")})
    >>> found = compare_rmst(build_survival(seen, exit="days", event="died"), 12, "arm").table
    >>> found["difference"].round(2).tolist()
    [nan, 2.67]
    """
    areas = _areas(data, horizon, by, start, cause, unit, level, robust)
    labels = areas.settings["groups"]
    if len(labels) < 2:
        raise ParameterError(f"there is one group, {labels[0]}", "two or more to compare", "by= and another column")
    if reference is not None and reference not in labels:
        raise ParameterError(f"no group {reference!r}", f"one of {', '.join(labels)}")
    at = 0 if reference is None else labels.index(reference)
    mean, variance = areas.table["mean"].to_numpy(), areas.variance
    z = float(stats.norm.ppf(0.5 + level / 2))
    if areas.moved is None:
        apart = variance + variance[at]
        relative = variance / mean**2 + variance[at] / mean[at] ** 2
    else:
        apart = ((areas.moved - areas.moved[[at]]) ** 2).sum(axis=1)
        relative = ((areas.moved / mean[:, None] - areas.moved[[at]] / mean[at]) ** 2).sum(axis=1)
    apart[at] = relative[at] = np.nan
    difference = np.where(np.arange(len(mean)) == at, np.nan, mean - mean[at])
    log_ratio = np.where(np.arange(len(mean)) == at, np.nan, np.log(mean / mean[at]))
    if areas.moved is None:
        error, log_error = np.sqrt(apart), np.sqrt(relative)
    else:
        # Groups that lie in the same clusters may differ by nothing but rounding.
        error, log_error = robust_error(apart, areas.table["lost"]), robust_error(relative, areas.table["lost"] / mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, log_p = (2 * stats.norm.sf(np.abs(x / e)) for x, e in ((difference, error), (log_ratio, log_error)))
    table = areas.table.assign(
        difference=difference, difference_low=difference - z * error, difference_high=difference + z * error,
        difference_p=p, ratio=np.exp(log_ratio), ratio_low=np.exp(log_ratio - z * log_error),
        ratio_high=np.exp(log_ratio + z * log_error), ratio_p=log_p,
    )  # fmt: skip
    return RestrictedMean(table, tuple(areas.notes), {**areas.settings, "reference": labels[at]})


def _areas(
    data: SurvivalData, horizon: float, by: By, start: float | None, cause: str | None, unit: Unit, level: float,
    robust: bool | None,
) -> _Areas:  # fmt: skip
    check_level(level)
    check_first_events(data, cause)
    data = focus(data, cause)
    jackknife = wants_robust(data, robust)
    end = int(whole_days([horizon], unit)[0])
    begin = 0 if start is None else int(whole_days([start], unit)[0])
    if start is None and int(data.entry.min()) < 0:
        raise ParameterError(
            "follow-up begins before time zero and no start is given", "the time from which the mean is taken",
            "start=0, for those without event at time zero",
        )  # fmt: skip
    check_inside(data, np.array([begin, end]))
    if end <= begin:
        raise ParameterError(f"the horizon, day {end}, is not after the start, day {begin}", "a later horizon")
    whole = data if start is None else data.window(low=begin)
    counts, labels, numbers = count_groups(whole, by)
    if start is not None:
        _check_groups(labels, split_groups(data, by)[1], begin)
    slot = slice(None) if cause is None else slice(whole.cause_number(cause) - 1, whole.cause_number(cause))
    event = whole.is_event(cause)
    clusters = int(whole.clusters.max()) + 1
    z = float(stats.norm.ppf(0.5 + level / 2))
    told = told_groups(whole, numbers, len(labels), robust=jackknife)
    rows, faults, notes, variances, moves = [], [], [], [], []
    for group, label in enumerate(labels):
        kept = np.flatnonzero(counts.left[group])
        days = counts.first + kept
        deaths = counts.events[group, kept][:, slot].sum(axis=1)
        heavy = counts.weighted_events[group, kept][:, slot].sum(axis=1)
        risk, weighted = counts.at_risk[group, kept], counts.weighted_at_risk[group, kept]
        share = np.where(deaths == risk, 1.0, heavy / weighted)
        survival = np.cumprod(1 - share)
        curve = pd.DataFrame({"group": label, "time": days, "at_risk": risk, "survival": survival})
        early = _early_notes(counts, curve, labels, group, end)
        last = int(days[-1])
        if early:
            faults.extend(early)
            continue
        if end > last and survival[-1] > 0:
            faults.append(f"{label}: followed until day {last}")
            continue
        inside = days <= end
        times, steps = days[inside], np.concatenate([[1.0], survival[inside]])
        edges = np.concatenate([[begin], np.clip(times, begin, end), [end]]).astype(np.float64)
        pieces = np.diff(edges) * steps
        mean = float(pieces.sum())
        # The area that remains after each day.
        remains = pieces[::-1].cumsum()[::-1][1:]
        left = np.where(share < 1, weighted * (1 - share), np.inf)[inside]
        if jackknife:
            moved = _moves(whole, np.flatnonzero(numbers == group), times, share[inside], left, remains, event)
            sums = np.bincount(moved[0], moved[1], clusters)
            moves.append(sums)
            variance = float(robust_error((sums**2).sum(), end - begin - mean) ** 2)
        else:
            variance = float((remains**2 * share[inside] / left).sum())
        if jackknife and not told[group]:
            variance = np.nan
        if not deaths[inside].any():
            # No event, no variance: an interval of no width would claim certainty.
            notes.append(f"{where(label)}there is no event before the horizon: the mean has no limits")
            variance = np.nan
        if jackknife and np.isnan(variance):
            moves[-1] = np.full(clusters, np.nan)
        column = min(end, counts.first + counts.at_risk.shape[1] - 1) - counts.first
        present = int(counts.at_risk[group, column]) if end <= last else 0
        if present < FEW:
            notes.append(f"{where(label)}{present} persons are at risk at the horizon: the curve's end rests on few")
        first = int(counts.first + np.flatnonzero(counts.entered[group])[0])
        if first > begin:
            notes.append(f"{where(label)}nobody is at risk before day {first}: the curve is taken as 1 until then")
        error = float(np.sqrt(variance))
        people = len(np.unique(whole.person[numbers == group]))
        rows.append({"group": label, "persons": people, "events": int(deaths[inside].sum()), "at_risk": present,
                     "mean": mean, "se": error, "ci_low": np.maximum(mean - z * error, 0.0),
                     "ci_high": np.minimum(mean + z * error, end - begin), "lost": end - begin - mean})  # fmt: skip
        variances.append(variance)
    if jackknife:
        notes += unit_notes(whole, numbers, labels)
    if faults:
        raise EstimationError(
            f"the curve is not known until the horizon, day {end}", "a horizon within the follow-up of every group",
            "an earlier horizon, or a later start= where few are at risk at first", faults=faults,
        )  # fmt: skip
    settings = {
        "horizon": end, "start": begin, "by": by, "groups": list(labels), "cause": cause, "level": level,
        "variance": "infinitesimal jackknife" if jackknife else "Greenwood", "weights": data.weight is not None,
        "clusters": data.cluster is not None,
    }  # fmt: skip
    return _Areas(pd.DataFrame(rows), np.array(variances), np.array(moves) if jackknife else None, notes, settings)


def _early_notes(counts: DayCounts, curve: pd.DataFrame, labels: tuple[str, ...], group: int, end: int) -> list[str]:
    """Say where a group's risk set makes its curve unfit to be read until the horizon."""
    size = max(end - counts.first + 1, 1)
    part = {
        name: getattr(counts, name)[group : group + 1, :size]
        for name in ("events", "at_risk", "entered", "left", "weighted_events", "weighted_at_risk")
    }
    return risk_notes(replace(counts, **part), curve[curve["time"] <= end], labels[group : group + 1])


def _check_groups(present: tuple[str, ...], labels: tuple[str, ...], begin: int) -> None:
    gone = [label for label in labels if label not in present]
    if gone:
        raise EstimationError(f"nobody of group {', '.join(gone)} is at risk after day {begin}", "an earlier start")


def _moves(
    data: SurvivalData, rows: NDArray[np.int64], days: NDArray[np.int64], share: NDArray[np.float64],
    left: NDArray[np.float64], remains: NDArray[np.float64], event: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:  # fmt: skip
    """Give the cluster of each row and how it moves the area."""
    steps = place_rows(data, days, rows)
    gained = np.concatenate([[0.0], np.cumsum(share * remains / left)])
    own = np.where(event[steps.rows] & (data.exit[steps.rows] <= (days[-1] if len(days) else -1)), 1.0, 0.0)
    at = np.maximum(steps.leave - 1, 0)
    fall = own * (remains / left)[at] if len(days) else np.zeros(len(own))
    return data.clusters[steps.rows], steps.weight * (gained[steps.leave] - gained[steps.enter] - fall)
