"""Do net survival curves differ? A log-rank test whose risk sets are weighed as net survival weighs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from epi.errors import ParameterError
from epi.survival.comparison import Comparison, layers, quadratic, strata_notes
from epi.survival.counting import count_days
from epi.survival.data import of_follow_up
from epi.survival.expected import sum_weights
from epi.survival.groups import By, split_groups
from epi.survival.net import place_persons
from epi.survival.risk_sets import check_first_events, where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData
    from epi.survival.life_table import LifeTable

FEW = 10
"""Deaths of a group within a stratum, below which a chi-square is no good approximation."""


@of_follow_up
def compare_net(
    data: SurvivalData,
    life_table: LifeTable,
    by: By,
    *,
    strata: By = None,
    sex: str = "sex",
    territory: str | None = None,
) -> Comparison:
    """Test whether groups have the same net survival, entry times counted.

    Parameters
    ----------
    data : SurvivalData
        Follow-up until death, placed in calendar time (``origin`` and ``birth`` known). All causes of death are
        taken together.
    life_table : LifeTable
        Mortality of the general population.
    by : str or sequence of str
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    strata : str or sequence of str, optional
        Covariates within whose values groups are compared: age groups, where groups differ in age and age in excess
        mortality.
    sex : str, optional
        Covariate with F and M.
    territory : str, optional
        Covariate with the life table's territories.

    Returns
    -------
    Comparison
        The test; `observed` is a group's sum over days of deaths less expected deaths, both weighed by one over
        expected survival, `expected` its part of the sum of all groups were they alike.

    Raises
    ------
    DataError
        If times are not placed in calendar time, a person is at risk again after death, or the life table does not
        cover somebody's sex, age or years since the origin.
    ParameterError
        If there is one group only, or the data have weights or clusters.

    Notes
    -----
    Graffeo, Castell, Belot and Giorgi (Biometrics 2016). The variance is the sum over deaths of squared weights and
    squared distances to the groups' parts of the weighted risk set. Within a day the population's part is summed over
    time. R's relsurv (rs.diff) leaves entry times out and weighs a whole day's expected deaths as at its end, by
    default: with finer and finer grids its score comes to this one (``docs/survival.md``).

    Examples
    --------
    >>> from epi.survival import build_survival, life_table
    >>> seen = pd.DataFrame({"start": pd.to_datetime(["2000-01-10"] * 6), "days": [300, 900, 1500, 1700, 2600, 3000],
    ...     "died": [1, 1, 0, 1, 1, 0], "born": pd.to_datetime(["1950-06-15"] * 6), "sex": ["F", "M"] * 3,
    ...     "arm": list("aababb")})
    >>> seen["end"] = seen["start"] + pd.to_timedelta(seen["days"], unit="D")
    >>> follow_up = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born",
    ...                            covariates=["sex", "arm"])
    >>> test = compare_net(follow_up, life_table("France"), "arm")
    >>> round(test.statistic, 3), test.df
    (2.92, 1)
    """
    check_first_events(data)
    if data.weight is not None or data.cluster is not None:
        raise ParameterError(
            "a test between net survival curves of data with weights or clusters",
            "independent persons: no variance of the test was derived for these", "build the data without them",
        )  # fmt: skip
    numbers, labels = split_groups(data, by)
    size = len(labels)
    if size < 2:
        raise ParameterError(f"there is one group, {labels[0]}", "two or more to compare", "by= and another column")
    placed = place_persons(data, life_table, sex, territory)
    observed, expected, variance = np.zeros(size), np.zeros(size), np.zeros((size, size))
    few = np.zeros(size, dtype=np.int64)
    for rows, part in layers(data, strata):
        group = numbers[rows]
        weights, growth, deaths, squares = _weigh(part, group, size, life_table, [values[rows] for values in placed])
        share = _shares(weights + growth)
        # Deaths are at the end of a day, what the population loses is spread over it.
        usual = (_shares(weights) + share) / 2 * growth.sum(axis=0)
        observed += (deaths - growth).sum(axis=1)
        expected += (share * deaths.sum(axis=0) - usual).sum(axis=1)
        crossed = share @ squares.T
        variance += np.diag(squares.sum(axis=1)) - crossed - crossed.T + (share * squares.sum(axis=0)) @ share.T
        there = np.bincount(group, minlength=size) > 0
        few += there & (np.bincount(group[part.event > 0], minlength=size) < FEW)
    statistic, df = quadratic(observed - expected, variance)
    table = pd.DataFrame({
        "group": labels, "persons": [len(np.unique(data.person[numbers == at])) for at in range(size)],
        "events": np.bincount(numbers[data.event > 0], minlength=size), "observed": observed, "expected": expected,
    })  # fmt: skip
    notes = strata_notes(data, by, strata)
    notes += [
        f"{where(labels[at])}{'' if strata is None else f'{few[at]} strata have '}fewer than {FEW} deaths: "
        "the chi-square is not to be relied on"
        for at in np.flatnonzero(few)
    ]
    if df < size - 1:
        notes.append("groups without anybody at risk when deaths happen are left out of the test")
    if np.isnan(statistic):
        notes.append("no death tells the groups apart")
    settings = {
        "test": "net log-rank", "by": by, "groups": list(labels),
        "strata": strata, "sex": sex, "territory": territory, "variance": "Poisson increments", "weights": False,
        "clusters": False, **life_table.settings,
    }  # fmt: skip
    return Comparison(table, statistic, df, float(stats.chi2.sf(statistic, df)), (*notes, *life_table.notes), settings)


def _weigh(
    data: SurvivalData, group: NDArray[np.int64], size: int, life_table: LifeTable, placed: list[NDArray[np.int64]]
) -> tuple[NDArray[np.float64], ...]:
    """Sum by group and day: weights at its beginning, their growth over it, those of deaths and their squares."""
    low, days = int(data.entry.min()), int(data.exit.max() - data.entry.min())
    there = count_days(data, group, size).at_risk[:, 1:] > 0
    weights, growth, deaths, squares = np.zeros((4, size, days))
    for at in np.unique(group):
        rows = np.flatnonzero(group == at)
        entry, exit_, died = data.entry[rows], data.exit[rows], data.event[rows] > 0
        position, birth, origin = (values[rows] for values in placed)
        sums = sum_weights(life_table, position, birth, origin, entry, exit_)
        inside = slice(sums.first - low, sums.first - low + len(sums.weights))
        # With nobody at risk the sums hold what rounding left of them.
        weights[at, inside] = np.where(there[at, inside], sums.weights, 0.0)
        growth[at, inside] = np.where(there[at, inside], sums.growth, 0.0)
        weight, on = np.exp(sums.final[died]), exit_[died] - low - 1
        deaths[at], squares[at] = np.bincount(on, weight, days), np.bincount(on, weight**2, days)
    return weights, growth, deaths, squares


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weights.sum(axis=0)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
