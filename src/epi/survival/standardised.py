"""Age-standardised survival: curves of age groups, weighed as a standard of patients has them.

Net survival depends on age, so that populations whose patients differ in age are compared at one standard
structure: the sum over age groups of weight times curve. Weights never change along the curve. Where one group is
followed less long than asked for, the standardised value is missing and said to be: the others weighed anew would
be another standard's survival.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level
from epi.survival.age_standard import AGE_GROUP, place_ages, standard_weights
from epi.survival.curves import SurvivalCurves, estimate_survival
from epi.survival.data import DAYS_PER_YEAR, SurvivalData, of_follow_up
from epi.survival.groups import ALL, By, split_groups
from epi.survival.lexis import band_labels
from epi.survival.limits import net_limits
from epi.survival.net import FEW_DEATHS, Form, Method, NetScale, NetSurvival, estimate_net_survival
from epi.survival.risk_sets import where
from epi.survival.steps import Unit, whole_days

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.results import Release
    from epi.survival.life_table import LifeTable

Curves = NetSurvival | SurvivalCurves


@dataclass(frozen=True)
class StandardisedSurvival:
    """Age-standardised survival, one curve for each group.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each group and day on which somebody dies or leaves: the columns of :meth:`at`.
    notes : tuple of str
        What a reader must know: of the standardised curves, then of those of the age groups.
    settings : mapping
        What determined the estimates, the standard's weights among it.
    curves : mapping
        By group: the curves of its age groups, and the curve of all its persons, not standardised.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    curves: Mapping[str, tuple[Curves, Curves]] = field(repr=False, compare=False)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups, in order."""
        return tuple(self.curves)

    def at(self, times: ArrayLike, unit: Unit = "days") -> pd.DataFrame:
        """Give the standardised curves at some times.

        Parameters
        ----------
        times : array-like
            Times since the origin.
        unit : {"days", "years"}, optional
            Unit of ``times``; a year is 365.25 days, rounded down to a whole day.

        Returns
        -------
        pandas.DataFrame
            `group`, `time` (days), `at_risk`, `events` until the time included, `survival` (standardised), `se`,
            `ci_low`, `ci_high`: missing after the end of follow-up of any age group (limits also where an observed
            curve of one is 0); `unstandardised`.

        Raises
        ------
        ParameterError
            If a time is not a number.
        EstimationError
            If the data keep to a common window, and a time lies outside.
        """
        days = whole_days(times, unit)
        return pd.concat([self._group(group, days) for group in self.groups], ignore_index=True)

    def by_age(self, times: ArrayLike, unit: Unit = "days") -> pd.DataFrame:
        """Give the curves of the age groups at some times, with the weight of each.

        Parameters
        ----------
        times : array-like
            Times since the origin.
        unit : {"days", "years"}, optional
            Unit of ``times``.

        Returns
        -------
        pandas.DataFrame
            `group`, `age_group`, `weight`, and the columns of the curves.

        Raises
        ------
        ParameterError
            If a time is not a number.
        """
        parts = []
        for group, (each, _) in self.curves.items():
            read = each.at(times, unit).rename(columns={"group": "age_group"})
            read.insert(1, "weight", read["age_group"].map(self.settings["standard_weights"]))
            read.insert(0, "group", group)
            parts.append(read)
        return pd.concat(parts, ignore_index=True)

    def release(self, *, min_count: int | None = None, years: float | None = None) -> Release:
        """Say what would be published: values at times between which no age group tells of few deaths.

        Parameters
        ----------
        min_count : int, optional
            Fewest persons an interval between two times may tell of; the policy's by default.
        years : float, optional
            Distance of the times asked for; found from the length of follow-up by default.

        Returns
        -------
        Release
            By group and time: persons at risk after it, deaths, entries and ends without death since the time
            before, standardised survival with its limits, and survival not standardised, four decimals.
        """
        from epi.survival.standardised_reporting import release_standardised

        return release_standardised(self, min_count, years)

    def _group(self, group: str, days: NDArray[np.int64]) -> pd.DataFrame:
        each, whole = self.curves[group]
        read, plain = each.at(days), whole.at(days)
        weight = np.array([self.settings["standard_weights"][label] for label in each.groups])
        # A group without weight, which may be followed less long, has no say.
        used = weight > 0

        def wide(column: str) -> NDArray[np.float64]:
            return np.asarray(read[column].to_numpy(dtype=np.float64).reshape(len(weight), len(days))[used])

        value = weight[used] @ wide("survival")
        spread = wide("se")
        # An age group without death has no variance: of what it may hide nothing is known.
        error = np.sqrt(weight[used] ** 2 @ np.where(spread > 0, spread, np.nan) ** 2)
        low, high = net_limits(value, error, self.settings["interval"], self.settings["level"])
        return pd.DataFrame({
            "group": group, "time": days, "at_risk": plain["at_risk"], "events": plain["events"], "survival": value,
            "se": error, "ci_low": low, "ci_high": high, "unstandardised": plain["survival"],
        })  # fmt: skip

    def __str__(self) -> str:
        lines = []
        for group in self.groups:
            rows = self.table[(self.table["group"] == group) & self.table["survival"].notna()]
            if rows.empty:
                lines.append(f"{group}: no standardised value")
                continue
            last = rows.iloc[-1]
            lines.append(
                f"{group}: {int(last['events'])} deaths, {last['survival']:.3f} at "
                f"{last['time'] / DAYS_PER_YEAR:.1f} years"
            )
        kind = f"{self.settings['estimator']}, standardised by age ({self.settings['standard']})"
        return f"{kind}. " + "; ".join(lines) + "".join(f". {note}" for note in self.notes)

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, max_rows=20, float_format="{:,.4f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


@of_follow_up
def standardise_net(
    data: SurvivalData,
    life_table: LifeTable,
    *,
    standard: str | pd.DataFrame = "icss1",
    age_bands: Sequence[float] | None = None,
    by: By = None,
    method: Method = "pohar-perme",
    sex: str = "sex",
    territory: str | None = None,
    interval: NetScale = "log",
    level: float = 0.95,
    form: Form = "product",
) -> StandardisedSurvival:
    """Estimate net survival standardised by age at time zero.

    Parameters
    ----------
    data : SurvivalData
        Follow-up until death, as :func:`estimate_net_survival` takes it, its time counted from diagnosis.
    life_table : LifeTable
        Mortality of the general population.
    standard : str or pandas.DataFrame, optional
        "icss1", "icss2" or "icss3" (:func:`epi.stats.standardisation.survival_standard`), or `age_low` (years at
        which groups begin, the last one open) and `weight`.
    age_bands : sequence of float, optional
        Years of age at which groups begin, where groups of the standard are taken together; all of its groups by
        default.
    by : str or sequence of str, optional
        Covariates whose values are groups, each standardised; ``"strata"`` for the strata of the data.
    method : {"pohar-perme", "ederer2", "ederer1"}, optional
        Net survival proper, or the relative survival of Ederer.
    sex, territory : str, optional
        Covariates with F and M, and with the life table's territories.
    interval : {"log", "plain"}, optional
        Scale of the confidence interval.
    level : float, optional
        Confidence level.
    form : {"product", "exponential"}, optional
        As for :func:`estimate_net_survival`.

    Returns
    -------
    StandardisedSurvival
        The curves.

    Raises
    ------
    ParameterError
        If an option is unknown, or age groups and standard do not go together.
    DataError
        If ages are unknown, somebody is younger than the standard, or the life table does not cover somebody.
    EstimationError
        If nobody is there at an age that has weight.

    Notes
    -----
    Corazziari, Quinn and Capocaccia (Eur J Cancer 2004;40:2307-2316). Variance: the sum over age groups of the squared
    weight times the variance of the curve. It is that of the deaths seen in each group, which few deaths understate;
    such groups are noted.

    Examples
    --------
    >>> from epi.survival import build_survival, life_table
    >>> seen = pd.DataFrame({"start": pd.to_datetime(["2000-01-10"] * 4), "sex": ["F", "M", "F", "M"],
    ...     "end": pd.to_datetime(["2004-01-10", "2008-05-01", "2003-12-31", "2009-12-31"]), "died": [1, 0, 1, 0],
    ...     "born": pd.to_datetime(["1950-06-15", "1952-06-15", "1920-06-15", "1922-06-15"])})
    >>> follow_up = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born",
    ...                            covariates=["sex"])
    >>> halves = pd.DataFrame({"age_low": [15, 65], "weight": [0.3, 0.7]})
    >>> net = standardise_net(follow_up, life_table("France"), standard=halves)
    >>> [round(float(value), 3) for value in net.at([5], "years")["survival"]]
    [0.64]
    """
    given = {"method": method, "sex": sex, "territory": territory, "interval": interval, "level": level, "form": form}

    def estimate(part: SurvivalData, groups: By) -> NetSurvival:
        return estimate_net_survival(part, life_table, by=groups, **given)  # type: ignore[arg-type]

    return _standardise(data, estimate, standard, age_bands, by, interval, level, life_table.notes)


@of_follow_up
def standardise_survival(
    data: SurvivalData,
    *,
    standard: str | pd.DataFrame = "icss1",
    age_bands: Sequence[float] | None = None,
    by: By = None,
    cause: str | None = None,
    interval: NetScale = "log",
    level: float = 0.95,
) -> StandardisedSurvival:
    """Estimate observed survival (Kaplan-Meier) standardised by age at time zero.

    Parameters
    ----------
    data : SurvivalData
        Follow-up with time zero and birth in calendar time, its time counted from diagnosis.
    standard : str or pandas.DataFrame, optional
        As for :func:`standardise_net`.
    age_bands : sequence of float, optional
        As for :func:`standardise_net`.
    by : str or sequence of str, optional
        Covariates whose values are groups, each standardised.
    cause : str, optional
        The event; any of them by default.
    interval : {"log", "plain"}, optional
        Scale of the confidence interval.
    level : float, optional
        Confidence level.

    Returns
    -------
    StandardisedSurvival
        The curves.

    Raises
    ------
    ParameterError
        If an option is unknown, or age groups and standard do not go together.
    DataError
        If ages are unknown, or somebody is younger than the standard.
    EstimationError
        If nobody is there at an age that has weight.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"start": pd.to_datetime(["2000-01-10"] * 4), "died": [1, 0, 1, 0],
    ...     "end": pd.to_datetime(["2004-01-10", "2008-05-01", "2003-12-31", "2009-12-31"]),
    ...     "born": pd.to_datetime(["1950-06-15", "1952-06-15", "1920-06-15", "1922-06-15"])})
    >>> follow_up = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born")
    >>> halves = pd.DataFrame({"age_low": [15, 65], "weight": [0.3, 0.7]})
    >>> standardise_survival(follow_up, standard=halves).at([5], "years")["survival"].tolist()
    [0.5]
    """

    def estimate(part: SurvivalData, groups: By) -> SurvivalCurves:
        return estimate_survival(part, by=groups, cause=cause, level=level)

    return _standardise(data, estimate, standard, age_bands, by, interval, level)


def _standardise(
    data: SurvivalData, estimate: Callable[[SurvivalData, By], Curves], standard: str | pd.DataFrame,
    age_bands: Sequence[float] | None, by: By, interval: NetScale, level: float, common: tuple[str, ...] = (),
) -> StandardisedSurvival:  # fmt: skip
    check_level(level)
    if interval not in ("log", "plain"):
        raise ParameterError(f"interval is {interval!r}", "one of log, plain", "interval='log'")
    if data.cluster is not None:
        raise ParameterError(
            "standardised survival of data with clusters",
            "age groups without persons in common or alike: no variance across them was derived for clusters",
            "build the data without them, and draw clusters anew (bootstrap) for the limits",
        )  # fmt: skip
    breaks, weights = standard_weights(standard, age_bands)
    labels = band_labels("age", breaks)[1:]
    placed = place_ages(data, breaks, labels)
    numbers, groups = split_groups(placed, by)
    empty = []
    for at, group in enumerate(groups):
        there = set(placed.column(AGE_GROUP)[numbers == at])
        gone = [label for label, weight in zip(labels, weights, strict=True) if weight > 0 and label not in there]
        if gone:
            empty.append(f"nobody {where(group)}is aged {', '.join(gone)} at time zero".replace("  ", " "))
    if empty:
        raise EstimationError(
            "an age group that has weight in the standard has nobody", "persons at all ages of the standard",
            "age_bands= takes groups of the standard together", faults=empty,
        )  # fmt: skip
    curves: dict[str, tuple[Curves, Curves]] = {}
    notes, deeper = list[str](), list[str]()
    for at, group in enumerate(groups):
        part = placed.select(numbers == at)
        each, whole = estimate(part, AGE_GROUP), estimate(part, None)
        curves[group] = (each, whole)
        heavy = {label for label, weight in zip(labels, weights, strict=True) if weight > 0}
        notes += _ends(group, each, whole, heavy)
        if isinstance(each, SurvivalCurves):
            notes += _few(group, each)
        # What is said of one group is not true of the others; what is said of the life table is said once.
        named = [note if group == ALL or note in common else f"{group}: {note}" for note in each.notes]
        deeper += [note for note in named if note not in deeper]
    settings = {
        **{k: v for k, v in next(iter(curves.values()))[0].settings.items() if k not in ("by", "groups", "interval")},
        "by": by, "groups": list(groups), "interval": interval, "level": level,
        "standard": standard if isinstance(standard, str) else "given",
        "standard_weights": dict(zip(labels, map(float, weights), strict=True)),
    }  # fmt: skip
    found = StandardisedSurvival(pd.DataFrame(), (*notes, *deeper), settings, curves)
    days = {group: np.unique(whole.table["time"]) for group, (_, whole) in curves.items()}
    return replace(found, table=pd.concat([found._group(group, days[group]) for group in groups], ignore_index=True))


def _ends(group: str, each: Curves, whole: Curves, heavy: set[str]) -> list[str]:
    """Say from when on there is no standardised value, in whole years: days of ends are persons' days."""
    last = int(whole.table["time"].max())
    read = each.at([last])
    short = [label for label in read.loc[read["survival"].isna(), "group"] if label in heavy]
    if not short:
        return []
    ends = each.table.groupby("group")["time"].max()
    first = min(short, key=lambda label: int(ends[label]))
    year = int(ends[first] // DAYS_PER_YEAR) + 1
    return [f"{where(group)}follow-up of ages {first} ends within year {year}: no standardised value from then on"]


def _few(group: str, each: SurvivalCurves) -> list[str]:
    deaths = each.table.groupby("group")["events"].sum()
    few = [label for label in each.groups if deaths[label] < FEW_DEATHS]
    return [f"{where(group)}fewer than {FEW_DEATHS} events at ages {', '.join(few)}: limits are rough"] if few else []
