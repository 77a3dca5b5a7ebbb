"""Crude probabilities of death: of the disease and of everything else, each in the presence of the other.

Net survival answers what would be if nothing but the disease could kill. Here nothing is taken away: of 100 patients so
many die of the disease, so many of other causes, and the rest live. Causes of death are not asked for: other causes
take from those at risk what the general population of the same sex, age and year loses, the disease takes the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from epi.errors import ParameterError
from epi.stats.intervals import check_level
from epi.survival.crude_variance import DISEASE, POPULATION, jackknife_variance, poisson_variance, share_deaths
from epi.survival.curve_table import StartedCurves
from epi.survival.data import DAYS_PER_YEAR, SurvivalData, of_follow_up
from epi.survival.expected import sum_hazards
from epi.survival.groups import By, count_groups
from epi.survival.net import FEW_DEATHS, place_persons
from epi.survival.risk_sets import check_first_events, risk_notes, where
from epi.survival.steps import Lang, Unit, read_steps, whole_days
from epi.survival.window import check_inside, window_start

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.plotting import Chart
    from epi.results import Release
    from epi.survival.life_table import LifeTable

CrudeVariance = Literal["jackknife", "poisson"]
VARIANCES: dict[CrudeVariance, str] = {"jackknife": "infinitesimal jackknife", "poisson": "Poisson increments"}
CAUSES = (DISEASE, POPULATION)


@dataclass(frozen=True)
class CrudeDeath(StartedCurves):
    """Crude probabilities of death of the disease and of other causes, by group.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each group, cause (`disease`, `population`) and day on which somebody dies or leaves: `group`,
        `cause`, `time` (days), `at_risk` (entry < time <= exit), `events` (deaths of all causes), `observed`
        (Kaplan-Meier), `probability` (below 0 for the disease where fewer die than expected), `se`, `ci_low`,
        `ci_high` (missing until the first death). Both probabilities and observed survival add up to 1.
    notes : tuple of str
        What a reader must know of the curves and of the life table.
    settings : mapping
        What determined the estimates.
    data : SurvivalData
        The follow-up.
    life_table : LifeTable
        The general population.
    daily : mapping
        By group: the day before the first one, probabilities and their standard errors at the end of each
        day, of shape (2, days). Between two deaths the disease's falls by what the population loses.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)
    life_table: LifeTable = field(repr=False, compare=False)
    daily: Mapping[str, tuple[int, NDArray[np.float64], NDArray[np.float64]]] = field(repr=False, compare=False)

    @property
    def causes(self) -> tuple[str, ...]:
        """The disease, and what the general population dies of."""
        return CAUSES

    @property
    def variance_words(self) -> str:
        """What the variance is of, in words."""
        return VARIANCES[self.settings["variance"]]

    def at(self, times: ArrayLike, unit: Unit = "days") -> pd.DataFrame:
        """Give the probabilities at some times.

        Parameters
        ----------
        times : array-like
            Times since the origin.
        unit : {"days", "years"}, optional
            Unit of ``times``; a year is 365.25 days, rounded down to a whole day.

        Returns
        -------
        pandas.DataFrame
            `group`, `cause`, `time` (days), `at_risk`, `events` (deaths of all causes until the time included),
            `probability`, `se`, `ci_low`, `ci_high`: missing after the end of the group's follow-up.

        Raises
        ------
        ParameterError
            If a time is not a number.
        """
        days = whole_days(times, unit)
        check_inside(self.data, days)
        counts, _, _ = count_groups(self.data, self.settings["by"])
        steps = read_steps(
            self.table[self.table["cause"] == DISEASE], self.groups, days, counts, counts.events.sum(axis=2),
            {"probability": 0.0},
        )  # fmt: skip
        parts = []
        for group in self.groups:
            first, values, errors = self.daily[group]
            here = np.clip(days - first, 0, values.shape[1])
            known = days <= first + values.shape[1]
            for at, cause in enumerate(CAUSES):
                part = steps[steps["group"] == group].reset_index(drop=True)
                part.insert(1, "cause", cause)
                value = np.where(known, np.concatenate([[0.0], values[at]])[here], np.nan)
                error = np.where(known, np.concatenate([[0.0], errors[at]])[here], np.nan)
                died = part["events"].to_numpy(dtype=float) > 0
                limits = _limits(value, error, cause, self.settings["level"], died)
                for name, read in zip(("probability", "se", "ci_low", "ci_high"), (value, error, *limits), strict=True):
                    part[name] = read
                parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def _start(self, inside: SurvivalData, day: int) -> CrudeDeath:
        given = {name: self.settings[name] for name in ("by", "sex", "territory", "variance", "level")}
        return _estimate(inside, self.life_table, **given, conditional_on=day)

    def _release(self, min_count: int | None, years: float | None) -> Release:
        from epi.survival.crude_reporting import release_crude

        return release_crude(self, min_count, years)

    def _draw(self, lang: Lang, min_count: int | None, years: float | None) -> Chart:
        from epi.survival.crude_chart import draw_crude

        return draw_crude(self, lang, min_count, years)

    def __str__(self) -> str:
        lines = []
        for group in self.groups:
            rows = self.table[self.table["group"] == group]
            last = {cause: part.iloc[-1] for cause, part in rows.groupby("cause", sort=False)}
            lines.append(
                f"{group}: {int(rows['events'].sum()) // len(CAUSES)} deaths, at "
                f"{last[DISEASE]['time'] / DAYS_PER_YEAR:.1f} years {last[DISEASE]['probability']:.1%} of the disease "
                f"and {last[POPULATION]['probability']:.1%} of other causes"
            )
        return "Crude probabilities of death. " + "; ".join(lines) + "".join(f". {note}" for note in self.notes)


@of_follow_up
def estimate_crude_death(
    data: SurvivalData,
    life_table: LifeTable,
    *,
    by: By = None,
    sex: str = "sex",
    territory: str | None = None,
    variance: CrudeVariance = "jackknife",
    level: float = 0.95,
) -> CrudeDeath:
    """Estimate the probability of death of the disease and of other causes, each in the presence of the other.

    Parameters
    ----------
    data : SurvivalData
        Follow-up until death, placed in calendar time (``origin`` and ``birth`` known). All causes of death are
        taken together; entry times are counted.
    life_table : LifeTable
        Mortality of the general population.
    by : str or sequence of str, optional
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    sex : str, optional
        Covariate with F and M.
    territory : str, optional
        Covariate with the life table's territories.
    variance : {"jackknife", "poisson"}, optional
        Over persons drawn from those who could have been patients, their sexes and ages with them; or over the deaths
        of those at risk, as relsurv gives, whose sexes and ages are then held fixed.
    level : float, optional
        Confidence level; limits are symmetric, and kept between 0 and 1 for other causes, below 1 for the disease.

    Returns
    -------
    CrudeDeath
        Both probabilities by group and day.

    Raises
    ------
    DataError
        If times are not placed in calendar time, a person is at risk again after death, the life table does not
        cover somebody's sex, age or years, or a person's time has gaps (jackknife).
    ParameterError
        If an option is unknown, or the data have weights or clusters.

    Notes
    -----
    F(t) is the sum over days of observed survival before the day, times the excess (deaths less expected deaths) or
    the expected deaths over the persons at risk (Cronin and Feuer, Stat Med 2000, on every day instead of intervals;
    Pohar Perme and Pavlic, J Stat Softw 2018). Persons at risk are not weighed: those who are alive are those who can
    die. Within a day observed survival is constant until deaths at its end, and hazards are those of its beginning, so
    that days are no approximation, and relsurv's cmp.rel gives the same on its grid of every day, its default (times
    added to it change nothing): estimates, and variances with ``variance="poisson"``. It takes no notice of entry
    times; here who enters late is at risk from then on, and must be like those at risk already.

    Poisson: the sum over deaths of (S(s) - F(t) + F(s))^2 / Y^2 for the disease and of (F(t) - F(s))^2 / Y^2 for other
    causes. The latter leaves out what varies most from one sample to another, whose ages were drawn, and its limits
    cover a population's value far too seldom (``docs/validation.md``). Hence the jackknife, of influences in closed
    form. Whoever is censored must be like those who are not, in age and sex, too.

    Examples
    --------
    >>> from epi.survival import build_survival, life_table
    >>> seen = pd.DataFrame({"start": pd.to_datetime(["2000-01-10"] * 3), "end": pd.to_datetime(
    ...     ["2004-01-10", "2008-05-01", "2009-12-31"]), "died": [1, 0, 0], "born": pd.to_datetime(["1950-06-15"] * 3),
    ...     "sex": ["F", "M", "F"]})
    >>> follow_up = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born",
    ...                            covariates=["sex"])
    >>> found = estimate_crude_death(follow_up, life_table("France")).at([5], "years")
    >>> found[["cause", "probability"]].round(3).values.tolist()
    [['disease', 0.314], ['population', 0.019]]
    """
    if variance not in VARIANCES:
        raise ParameterError(f"variance is {variance!r}", f"one of {', '.join(VARIANCES)}", "variance='jackknife'")
    check_level(level)
    return _estimate(data, life_table, by=by, sex=sex, territory=territory, variance=variance, level=level)


def _estimate(
    data: SurvivalData, life_table: LifeTable, *, by: By, sex: str, territory: str | None, variance: CrudeVariance,
    level: float, conditional_on: int | None = None,
) -> CrudeDeath:  # fmt: skip
    check_first_events(data)
    if data.weight is not None or data.cluster is not None:
        raise ParameterError(
            "crude probabilities of death of data with weights or clusters",
            "independent persons: no variance of the estimator was derived for these",
            "build the data without them, and draw clusters anew (bootstrap) for the limits",
        )  # fmt: skip
    position, birth, origin = place_persons(data, life_table, sex, territory)
    counts, labels, numbers = count_groups(data, by)
    parts, daily = [], {}
    for at, label in enumerate(labels):
        rows = np.flatnonzero(numbers == at)
        part, given = data.select(rows), (life_table, position[rows], birth[rows], origin[rows])
        first = int(part.entry.min())
        hazards = sum_hazards(*given, part.entry, part.exit)
        inside = slice(first + 1 - counts.first, first + 1 - counts.first + len(hazards))
        crude = share_deaths(first, counts.at_risk[at, inside], counts.events[at].sum(axis=1)[inside], hazards)
        squares = jackknife_variance(crude, part, given) if variance == "jackknife" else poisson_variance(crude)
        # Of one person nothing varies, and what rounding leaves is no error.
        errors = np.sqrt(squares) if part.persons > 1 else np.full_like(squares, np.nan)
        daily[label] = (first, crude.probability, errors)
        kept = np.flatnonzero(counts.left[at])
        days = counts.first + kept
        here = days - first - 1
        died = np.cumsum(counts.events[at].sum(axis=1)[inside])[here] > 0
        for number, cause in enumerate(CAUSES):
            value, error = crude.probability[number, here], errors[number, here]
            low, high = _limits(value, error, cause, level, died)
            parts.append(pd.DataFrame({
                "group": label, "cause": cause, "time": days, "at_risk": counts.at_risk[at, kept],
                "events": counts.events[at].sum(axis=1)[kept], "observed": crude.survival[here],
                "probability": value, "se": error, "ci_low": low, "ci_high": high,
            }))  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    settings = {
        "estimator": "Cronin-Feuer", "by": by, "groups": list(labels), "sex": sex, "territory": territory,
        "interval": "plain", "level": level, "variance": variance, "weights": False, "clusters": False,
        "scale": data.scale, "start": counts.first,
        "conditional_on": window_start(data) if conditional_on is None else conditional_on, **life_table.settings,
    }  # fmt: skip
    once = table[table["cause"] == DISEASE].rename(columns={"observed": "survival"})
    notes = [*risk_notes(counts, once, labels), *_few(once, labels), *_below(once, labels), *life_table.notes]
    if len(data.causes) > 1:
        notes.append("deaths of all causes are counted")
    return CrudeDeath(table, tuple(notes), settings, data, life_table, daily)


def _limits(
    value: NDArray[np.float64], error: NDArray[np.float64], cause: str, level: float, died: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Until the first death nothing tells how far the estimate may be off.
    half = np.where(died, float(stats.norm.ppf(0.5 + level / 2)) * error, np.nan)
    # Fewer may die than expected: the disease's probability, an excess, may lie below 0, and so may its limits.
    low = value - half if cause == DISEASE else np.maximum(value - half, 0)
    return low, np.minimum(value + half, 1)


def _few(once: pd.DataFrame, labels: tuple[str, ...]) -> list[str]:
    deaths = once.groupby("group", sort=False)["events"].sum()
    return [
        f"{where(label)}fewer than {FEW_DEATHS} deaths: limits of the disease cover less often than they say"
        for label in labels
        if deaths[label] < FEW_DEATHS
    ]


def _below(once: pd.DataFrame, labels: tuple[str, ...]) -> list[str]:
    low = [label for label in labels if (once.loc[once["group"] == label, "ci_high"] < 0).any()]
    return [
        f"{where(label)}fewer die than expected for a while: the disease's probability and its limits are below 0"
        for label in low
    ]
