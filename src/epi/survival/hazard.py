"""Cumulative hazards: the Nelson-Aalen estimator, of a first event or of repeated ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from epi.errors import ParameterError
from epi.stats.intervals import check_level
from epi.survival.counting import recurrences
from epi.survival.curve_table import CurveTable
from epi.survival.data import of_follow_up
from epi.survival.groups import By, count_groups
from epi.survival.influence import influence_variance, place_rows
from epi.survival.limits import hazard_limits
from epi.survival.risk_sets import focus, wants_robust
from epi.survival.robust import few_clusters, robust_error, told_groups, unit_notes
from epi.survival.steps import Unit, read_steps, whole_days
from epi.survival.window import check_inside

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.results import Release
    from epi.survival.data import SurvivalData

Ties = Literal["nelson-aalen", "fleming-harrington"]


@dataclass(frozen=True)
class CumulativeHazard(CurveTable):
    """Cumulative hazards, one for each group.

    Parameters
    ----------
    table : pandas.DataFrame
        `group`, `time` (days), `at_risk`, `events`, `left` (without an event), `hazard`, `se`, `ci_low`,
        `ci_high`; with weights also `weighted_at_risk` and `weighted_events`.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the estimates.
    data : SurvivalData
        The follow-up they come from.
    """

    kind: ClassVar[str] = "hazard"
    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)

    def at(self, times: ArrayLike, unit: Unit = "days") -> pd.DataFrame:
        """Give the cumulative hazards at some times.

        Parameters
        ----------
        times : array-like
            Times since the origin.
        unit : {"days", "years"}, optional
            Unit of ``times``.

        Returns
        -------
        pandas.DataFrame
            `group`, `time` (days), `at_risk`, `events`, `hazard`, `se`, `ci_low`, `ci_high`; missing after
            the end of the group's follow-up.
        """
        days = whole_days(times, unit)
        check_inside(self.data, days)
        counts, _, _ = count_groups(self.data, self.settings["by"])
        cause = self.settings["cause"]
        events = counts.events.sum(axis=2) if cause is None else counts.events[:, :, self.data.cause_number(cause) - 1]
        return read_steps(self.table, self.groups, days, counts, events, {"hazard": 0.0})

    def _release(self, min_count: int | None, years: float | None) -> Release:
        from epi.survival.reporting import release_hazard

        return release_hazard(self, min_count, years)

    def __str__(self) -> str:
        return ". ".join([str(self.settings["estimator"]), *self.notes])


@of_follow_up
def estimate_cumulative_hazard(
    data: SurvivalData,
    *,
    by: By = None,
    cause: str | None = None,
    ties: Ties = "nelson-aalen",
    interval: Literal["log", "plain"] = "log",
    level: float = 0.95,
    robust: bool | None = None,
) -> CumulativeHazard:
    """Estimate the cumulative hazard; of repeated events, the mean number of events.

    Parameters
    ----------
    data : SurvivalData
        Follow-up; a person may have the event several times.
    by : str or sequence of str, optional
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    cause : str, optional
        The event; any of them by default.
    ties : {"nelson-aalen", "fleming-harrington"}, optional
        d events among n on one day add d/n, or 1/n + 1/(n-1) + ..., as if they came one by one.
    interval : {"log", "plain"}, optional
        Scale of the confidence interval.
    level : float, optional
        Confidence level.
    robust : bool, optional
        Whether the variance is the infinitesimal jackknife over clusters or persons. By default with
        weights, clusters or repeated events.

    Returns
    -------
    CumulativeHazard
        The table by group and day.

    Raises
    ------
    ParameterError
        If an option is unknown, or Fleming and Harrington's ties are asked for with weights or a robust variance.

    Notes
    -----
    Aalen (Ann Stat 1978), variance the sum of d/n^2; Fleming and Harrington (Commun Stat 1984), variance the
    sum of 1/n^2 + 1/(n-1)^2 + .... Repeated events: Lawless and Nadeau (Technometrics 1995).

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": [5, 8, 8, 12], "died": [1, 1, 1, 0]})
    >>> found = estimate_cumulative_hazard(build_survival(seen, exit="days", event="died"))
    >>> found.table["hazard"].round(4).tolist()
    [0.25, 0.9167, 0.9167]
    """
    check_level(level)
    if ties not in ("nelson-aalen", "fleming-harrington") or interval not in ("log", "plain"):
        raise ParameterError(
            f"ties is {ties!r}, interval {interval!r}", "ties nelson-aalen or fleming-harrington, interval log or plain"
        )
    data = focus(data, cause)
    repeated = recurrences(data) > 0
    if repeated and robust is False:
        raise ParameterError("robust is False and persons have several events", "a variance over persons")
    jackknife = wants_robust(data, robust) or repeated
    if jackknife and ties == "fleming-harrington":
        raise ParameterError(
            "ties as if events came one by one have no variance over clusters, nor with weights here",
            "ties='nelson-aalen'", "leave ties= out",
        )  # fmt: skip
    counts, labels, numbers = count_groups(data, by)
    event = data.is_event(cause)
    at = slice(None) if cause is None else slice(data.cause_number(cause) - 1, data.cause_number(cause))
    told = told_groups(data, numbers, len(labels), robust=jackknife)
    parts = []
    for group, label in enumerate(labels):
        kept = np.flatnonzero(counts.left[group] | counts.events[group].any(axis=1))
        risk, weighted = counts.at_risk[group, kept], counts.weighted_at_risk[group, kept]
        deaths = counts.events[group, kept][:, at].sum(axis=1)
        heavy = counts.weighted_events[group, kept][:, at].sum(axis=1)
        days = counts.first + kept
        share = heavy / weighted
        if not told[group]:
            variance = np.where(np.cumsum(share) > 0, np.nan, 0.0)
        elif jackknife:
            steps = place_rows(data, days, np.flatnonzero(numbers == group))
            at_exit = np.where(event[steps.rows], 1 / weighted[steps.leave - 1], 0.0)
            variance = influence_variance(steps, share / weighted, at_exit)
        elif ties == "nelson-aalen":
            variance = np.cumsum(share / weighted)
        else:
            share, variance = _one_by_one(deaths, risk)
        hazard = np.cumsum(share)
        error = robust_error(variance, hazard) if jackknife else np.sqrt(variance)
        low, high = hazard_limits(hazard, error, interval, level)
        # An event after which the person stays at risk is no end of follow-up: it does not count among those who left.
        gone = counts.left[group, kept] - counts.events[group, kept][:, at].sum(axis=1)
        part = {"group": label, "time": days, "at_risk": risk, "events": deaths, "left": gone,
                "hazard": hazard, "se": error, "ci_low": low, "ci_high": high}  # fmt: skip
        if data.weight is not None:
            part |= {"weighted_at_risk": weighted, "weighted_events": heavy}
        parts.append(pd.DataFrame(part))
    settings = {
        "estimator": "Nelson-Aalen" if ties == "nelson-aalen" else "Fleming-Harrington",
        "by": by, "groups": list(labels), "cause": cause, "ties": ties, "interval": interval, "level": level,
        "robust": robust, "repeated": repeated, "weights": data.weight is not None,
        "clusters": data.cluster is not None,
        "few_clusters": few_clusters(data, numbers, len(labels)), "scale": data.scale, "start": counts.first,
        "variance": "infinitesimal jackknife" if jackknife else "Poisson increments",
    }  # fmt: skip
    notes = unit_notes(data, numbers, labels) if jackknife else []
    return CumulativeHazard(pd.concat(parts, ignore_index=True), tuple(notes), settings, data)


def _one_by_one(deaths: NDArray[np.int64], risk: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add the hazards of tied events as if they came one after the other."""
    most = int(deaths.max(initial=0))
    share, variance = np.zeros(len(deaths)), np.zeros(len(deaths))
    for before in range(most):
        there = deaths > before
        share[there] += 1 / (risk[there] - before)
        variance[there] += 1 / (risk[there] - before) ** 2
    return share, np.cumsum(variance)
