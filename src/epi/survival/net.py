"""Net survival: what would be survived if nothing but the disease could kill.

Deaths are not told by cause: they are compared with those of the general population of the same sex, age and
year. The estimator of Pohar-Perme, Stare and Estève weighs each person by one over expected survival since the
origin of the time scale, so that those whom other causes take away stand for no fewer. Ederer's two
estimators are there to be compared with: they estimate something else as soon as expected mortality differs
between persons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from epi.errors import DataError, ParameterError
from epi.stats.intervals import check_level
from epi.survival.curve_table import StartedCurves
from epi.survival.curves import estimate_survival
from epi.survival.data import DAYS_PER_YEAR, LONGEST, SurvivalData, of_follow_up
from epi.survival.expected import Expected, sum_hazards, sum_weights
from epi.survival.groups import By, count_groups
from epi.survival.life_table import LifeTable
from epi.survival.limits import net_limits
from epi.survival.risk_sets import check_first_events, risk_notes, where
from epi.survival.steps import Unit, read_steps, whole_days
from epi.survival.window import check_inside, window_start

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.results import Release

Method = Literal["pohar-perme", "ederer2", "ederer1"]
METHODS: dict[Method, str] = {"pohar-perme": "Pohar-Perme", "ederer2": "Ederer II", "ederer1": "Ederer I"}
NetScale = Literal["log", "plain"]
Form = Literal["product", "exponential"]
FEW_DEATHS = 20
"""Deaths from which on limits cover what they say: the variance is that of the deaths seen."""
Persons = tuple[LifeTable, "NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]
"""A life table, and each person's row in it, day of birth and day of time zero."""


@dataclass(frozen=True)
class NetSurvival(StartedCurves):
    """Net survival, one curve for each group.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each group and day on which somebody dies or leaves: `group`, `time` (days), `at_risk`
        (entry < time <= exit), `events`, `left` (without the event), `survival` (net; above 1 where fewer
        die than expected), `se`, `ci_low`, `ci_high`, `observed` (Kaplan-Meier), `expected_deaths`
        (cumulated over those at risk).
    notes : tuple of str
        What a reader must know of the curves and of the life table.
    settings : mapping
        What determined the estimates.
    data : SurvivalData
        The follow-up.
    life_table : LifeTable
        The general population.
    daily : mapping
        By group: the day before the first one, net survival and its standard error at the end of each
        day. Between two deaths the curve is no step: it rises by what the population loses.
    """

    kind: ClassVar[str] = "net"
    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)
    life_table: LifeTable = field(repr=False, compare=False)
    daily: Mapping[str, tuple[int, NDArray[np.float64], NDArray[np.float64]]] = field(repr=False, compare=False)

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
            `group`, `time` (days), `at_risk`, `events` until the time included, `survival`, `se`, `ci_low`,
            `ci_high`: missing after the end of the group's follow-up.

        Raises
        ------
        ParameterError
            If a time is not a number.
        """
        days = whole_days(times, unit)
        check_inside(self.data, days)
        counts, _, _ = count_groups(self.data, self.settings["by"])
        steps = read_steps(self.table, self.groups, days, counts, counts.events.sum(axis=2), {"survival": 1.0})
        for group in self.groups:
            first, survival, error = self.daily[group]
            rows = steps["group"] == group
            here = np.clip(days - first, 0, len(survival))
            known = days <= first + len(survival)
            value = np.where(known, np.concatenate([[1.0], survival])[here], np.nan)
            spread = np.where(known, np.concatenate([[0.0], error])[here], np.nan)
            limits = net_limits(value, spread, self.settings["interval"], self.settings["level"])
            for name, read in zip(("survival", "se", "ci_low", "ci_high"), (value, spread, *limits), strict=True):
                steps.loc[rows, name] = read
        return steps

    def _start(self, inside: SurvivalData, day: int) -> NetSurvival:
        given = {
            name: self.settings[name] for name in ("method", "by", "sex", "territory", "interval", "level", "form")
        }
        return _estimate(inside, self.life_table, **given, conditional_on=day)

    def _release(self, min_count: int | None, years: float | None) -> Release:
        from epi.survival.reporting import release_net

        return release_net(self, min_count, years)

    def __str__(self) -> str:
        lines = []
        for group in self.groups:
            rows = self.table[self.table["group"] == group]
            last = rows.iloc[-1]
            lines.append(
                f"{group}: {int(rows['events'].sum())} deaths, {last['expected_deaths']:.1f} expected, net survival "
                f"{last['survival']:.3f} at {last['time'] / DAYS_PER_YEAR:.1f} years"
            )
        return f"{self.settings['estimator']}. " + "; ".join(lines) + "".join(f". {note}" for note in self.notes)


@of_follow_up
def estimate_net_survival(
    data: SurvivalData,
    life_table: LifeTable,
    *,
    method: Method = "pohar-perme",
    by: By = None,
    sex: str = "sex",
    territory: str | None = None,
    interval: NetScale = "log",
    level: float = 0.95,
    form: Form = "product",
) -> NetSurvival:
    """Estimate net survival against the general population's, entry times counted.

    Parameters
    ----------
    data : SurvivalData
        Follow-up until death, placed in calendar time (``origin`` and ``birth`` known). All causes of
        death are taken together.
    life_table : LifeTable
        Mortality of the general population.
    method : {"pohar-perme", "ederer2", "ederer1"}, optional
        Net survival proper, or the relative survival of Ederer, to compare with.
    by : str or sequence of str, optional
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    sex : str, optional
        Covariate with F and M.
    territory : str, optional
        Covariate with the life table's territories.
    interval : {"log", "plain"}, optional
        Scale of the confidence interval; net survival may exceed 1, where a log-log scale has no limit.
    level : float, optional
        Confidence level.
    form : {"product", "exponential"}, optional
        Product over days of one minus the excess of deaths, or exponential of minus its sum.

    Returns
    -------
    NetSurvival
        The curves.

    Raises
    ------
    DataError
        If times are not placed in calendar time, a person is at risk again after death, or the life table
        does not cover somebody's sex, age or years since the origin.
    ParameterError
        If an option is unknown, or the data have weights or clusters.

    Notes
    -----
    Pohar Perme, Stare and Estève (Biometrics 2012); Ederer, Axtell and Cutler (1961); Ederer and Heise (1959). The
    variance of the cumulated excess is the sum over deaths of the squared weight over the squared sum of weights.
    It is that of the deaths seen: with few of them limits cover less often than they say (``docs/validation.md``:
    until some 20 deaths), which is noted.
    Within a day the population's part is exact: the logarithm of how the sum of weights of those at risk grows.

    Examples
    --------
    >>> from epi.survival import build_survival, life_table
    >>> seen = pd.DataFrame({"start": pd.to_datetime(["2000-01-10"] * 3), "end": pd.to_datetime(
    ...     ["2004-01-10", "2008-05-01", "2009-12-31"]), "died": [1, 0, 0], "born": pd.to_datetime(["1950-06-15"] * 3),
    ...     "sex": ["F", "M", "F"]})
    >>> follow_up = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born",
    ...                            covariates=["sex"])
    >>> net = estimate_net_survival(follow_up, life_table("France"))
    >>> [round(float(value), 3) for value in net.at([5], "years")["survival"]]
    [0.682]
    """
    for name, value, allowed in (
        ("method", method, tuple(METHODS)), ("interval", interval, ("log", "plain")),
        ("form", form, ("product", "exponential")),
    ):  # fmt: skip
        if value not in allowed:
            raise ParameterError(f"{name} is {value!r}", f"one of {', '.join(allowed)}", f"{name}={allowed[0]!r}")
    check_level(level)
    return _estimate(
        data, life_table, method=method, by=by, sex=sex, territory=territory, interval=interval, level=level, form=form
    )


def place_persons(
    data: SurvivalData, life_table: LifeTable, sex: str, territory: str | None, until: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find the persons' rows of a life table and their calendar days, or say who is not covered.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    life_table : LifeTable
        The general population.
    sex : str
        Covariate with F and M.
    territory : str or None
        Covariate with territories.
    until : numpy.ndarray of int64, optional
        Last day needed of each, since the origin; the end of follow-up by default.

    Returns
    -------
    position, birth, origin : numpy.ndarray of int64
        Rows of the table; calendar days of birth and of time zero.

    Raises
    ------
    DataError
        If times are not placed in calendar time, or somebody is not covered.
    """
    if not isinstance(life_table, LifeTable):
        raise ParameterError(f"life_table is of type {type(life_table).__name__}", "a life table",
                             "epi.survival.life_table('France')")  # fmt: skip
    birth = data.origin if data.scale == "age" else data.birth
    if data.origin is None or birth is None:
        raise DataError(
            "the follow-up is not placed in calendar time: expected deaths need day of birth and time zero",
            "data with origin and birth", "build_survival(..., origin=, birth=), or follow_cohort(...)",
        )  # fmt: skip
    aged = int((data.origin + data.exit - birth > LONGEST * DAYS_PER_YEAR).sum())
    if aged:
        raise DataError(f"{aged} persons are at risk past {LONGEST} years of age", "dates of birth that can be right",
                        "select and count these rows before build_survival")  # fmt: skip
    position = life_table.position(
        data.column(sex).to_numpy(dtype=object), None if territory is None else data.column(territory)
    )
    start = data.origin + np.minimum(data.entry, 0)
    life_table.check_cover(birth, start, data.origin + (data.exit if until is None else until))
    return position, birth, data.origin


def _estimate(
    data: SurvivalData, life_table: LifeTable, *, method: Method, by: By, sex: str, territory: str | None,
    interval: NetScale, level: float, form: Form, conditional_on: int | None = None,
) -> NetSurvival:  # fmt: skip
    check_first_events(data)
    _refuse_shared(data)
    if method == "ederer1" and data.delayed:
        raise ParameterError(
            "Ederer I with late entry", "persons followed from time zero: it sets all of them against those left",
            "method='pohar-perme'",
        )  # fmt: skip
    last = np.full(len(data), int(data.exit.max())) if method == "ederer1" else None
    position, birth, origin = place_persons(data, life_table, sex, territory, last)
    counts, labels, numbers = count_groups(data, by)
    observed = estimate_survival(data, by=by).table
    parts, daily = [], {}
    for at, label in enumerate(labels):
        rows = np.flatnonzero(numbers == at)
        kept = np.flatnonzero(counts.left[at])
        days = counts.first + kept
        given = (life_table, position[rows], birth[rows], origin[rows])
        entry, exit_, died = data.entry[rows], data.exit[rows], data.event[rows] > 0
        sums = sum_weights(*given, entry, exit_) if method == "pohar-perme" else None
        hazards = sum_hazards(*given, entry, exit_) if sums is None else sums.hazards
        seen = observed.loc[observed["group"] == label, "survival"].to_numpy()
        first = int(entry.min())
        inside = slice(first + 1 - counts.first, first + 1 - counts.first + len(hazards))
        risk = counts.at_risk[at, inside].astype(np.float64)
        deaths = counts.events[at].sum(axis=1)[inside].astype(np.float64)
        leaving = counts.left[at, inside] > 0
        if sums is not None:
            survival, error = _pohar_perme(sums, risk > 0, exit_[died], died, form)
        elif method == "ederer2":
            survival, error = _ederer2(risk, deaths, leaving, hazards, form)
        else:
            survival, error = _ederer1(given, exit_, risk, deaths, seen, days - first - 1)
        # Where all at risk have died nothing is known of what survives, as for an observed curve that is 0.
        error = np.where(np.logical_or.accumulate((risk > 0) & (deaths == risk)), np.nan, error)
        daily[label] = (first, survival, error)
        here = days - first - 1
        low, high = net_limits(survival[here], error[here], interval, level)
        parts.append(pd.DataFrame({
            "group": label, "time": days, "at_risk": counts.at_risk[at, kept],
            "events": counts.events[at].sum(axis=1)[kept],
            "left": counts.left[at, kept] - counts.events[at].sum(axis=1)[kept], "survival": survival[here],
            "se": error[here], "ci_low": low, "ci_high": high, "observed": seen,
            "expected_deaths": np.cumsum(hazards)[here],
        }))  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    settings = {
        "estimator": METHODS[method], "method": method, "by": by, "groups": list(labels), "cause": None, "sex": sex,
        "territory": territory, "interval": interval, "level": level, "form": form, "variance": "Poisson increments",
        "weights": False, "clusters": False, "scale": data.scale, "start": counts.first,
        "conditional_on": window_start(data) if conditional_on is None else conditional_on, **life_table.settings,
    }  # fmt: skip
    notes = [
        *risk_notes(counts, table, labels), *_few(table, labels), *_above(table, labels), *life_table.notes,
    ]  # fmt: skip
    if len(data.causes) > 1:
        notes.append("deaths of all causes are counted")
    return NetSurvival(table, tuple(notes), settings, data, life_table, daily)


def _pohar_perme(
    sums: Expected, at_risk: NDArray[np.bool_], death: NDArray[np.int64], died: NDArray[np.bool_], form: Form
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Net survival at the end of each day, and its standard error."""
    size = len(sums.weights)
    # Over a day with the same persons at risk, the weighted mean hazard sums to the log of how the weights grow.
    # With nobody at risk the sums hold what rounding left of them: nothing grows, nobody dies.
    usual = np.log1p(np.divide(sums.growth, sums.weights, out=np.zeros(size), where=at_risk))
    weight, on = np.exp(sums.final[died]), death - sums.first - 1
    total = np.where(at_risk, sums.at_end, 1.0)
    excess = np.bincount(on, weight, size) / total - usual
    survival: NDArray[np.float64] = np.asarray(
        np.cumprod(1 - excess) if form == "product" else np.exp(-excess.cumsum())
    )
    return survival, survival * np.sqrt(np.cumsum(np.bincount(on, weight**2, size) / total**2))


def _ederer2(
    risk: NDArray[np.float64], deaths: NDArray[np.float64], leaving: NDArray[np.bool_], hazards: NDArray[np.float64],
    form: Form,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Relative survival at the end of each day: a product over the days on which somebody leaves."""
    there = np.maximum(risk, 1.0)
    usual, dead = np.cumsum(hazards / there), deaths / there
    # What the population lost until the day somebody last left: the days since then make one factor.
    last = np.maximum.accumulate(np.where(leaving, np.arange(len(risk)) + 1, 0))
    since = np.concatenate([[0], last[:-1]])
    gone = np.where(since > 0, usual[np.maximum(since - 1, 0)], 0.0)
    factor = 1 - dead + (usual - gone)
    held = np.concatenate([[1.0], np.cumprod(np.where(leaving, factor, 1.0))[:-1]])
    survival: NDArray[np.float64] = np.asarray(held * factor if form == "product" else np.exp(usual - dead.cumsum()))
    return survival, survival * np.sqrt(np.cumsum(deaths / there**2))


def _ederer1(
    given: Persons, exit_: NDArray[np.int64], risk: NDArray[np.float64], deaths: NDArray[np.float64],
    seen: NDArray[np.float64], here: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Divide observed survival by that expected of everybody, were all followed to the end."""
    size = len(risk)
    stop = np.full(len(exit_), size)
    expected = sum_weights(*given, np.zeros_like(stop), stop, sign=-1).at_end / len(exit_)
    step = np.searchsorted(here, np.arange(size), side="right")
    survival = np.concatenate([[1.0], seen])[step] / expected
    return survival, survival * np.sqrt(np.cumsum(deaths / np.maximum(risk, 1.0) ** 2))


def _refuse_shared(data: SurvivalData) -> None:
    if data.weight is not None or data.cluster is not None:
        raise ParameterError(
            "net survival of data with weights or clusters",
            "independent persons: no variance of the estimator was derived for these",
            "build the data without them, and draw clusters anew (bootstrap) for the limits",
        )  # fmt: skip


def _few(table: pd.DataFrame, labels: tuple[str, ...]) -> list[str]:
    """Say where limits are too narrow, in whole years: the days of deaths are persons' days."""
    said = []
    for label in labels:
        rows = table[table["group"] == label]
        enough = rows.loc[rows["events"].cumsum() >= FEW_DEATHS, "time"]
        if enough.empty:
            when = "fewer than"
        elif enough.iloc[0] > DAYS_PER_YEAR:
            when = f"until {int(enough.iloc[0] // DAYS_PER_YEAR)} years at least, fewer than"
        else:
            continue
        said.append(f"{where(label)}{when} {FEW_DEATHS} deaths: limits cover less often than they say")
    return said


def _above(table: pd.DataFrame, labels: tuple[str, ...]) -> list[str]:
    high = [label for label in labels if (table.loc[table["group"] == label, "ci_low"] > 1).any()]
    return [
        f"{where(label)}fewer die than expected for a while: net survival and its limits exceed 1" for label in high
    ]
