"""Direct and indirect standardisation by age and sex, and the standard populations they use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import Interval, check_level, ratio_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

STANDARDS: dict[str, dict[int, int]] = {
    # Eurostat, Revision of the European Standard Population, 2013 edition (0 and 1-4 added up).
    "european_2013": {
        0: 5000, 5: 5500, 10: 5500, 15: 5500, 20: 6000, 25: 6000, 30: 6500, 35: 7000, 40: 7000, 45: 7000,
        50: 7000, 55: 6500, 60: 6000, 65: 5500, 70: 5000, 75: 4000, 80: 2500, 85: 1500, 90: 800, 95: 200,
    },
    # WHO world standard, average population of 2000-2025 (Ahmad and others, GPE discussion paper 31, 2001), per
    # 100,000 as published; 95-99 (40) and 100 and over (5) added up. The published shares sum to 100.035 %.
    "who_world": {
        0: 8860, 5: 8690, 10: 8600, 15: 8470, 20: 8220, 25: 7930, 30: 7610, 35: 7150, 40: 6590, 45: 6040,
        50: 5370, 55: 4550, 60: 3720, 65: 2960, 70: 2210, 75: 1520, 80: 910, 85: 440, 90: 150, 95: 45,
    },
    # US Census Bureau, 2010 census, Summary File 1: 308,745,538 persons; 95 is 95 and over.
    "us_2010": {
        0: 20_201_362, 5: 20_348_657, 10: 20_677_194, 15: 22_040_343, 20: 21_585_999, 25: 21_101_849,
        30: 19_962_099, 35: 20_179_642, 40: 20_890_964, 45: 22_708_591, 50: 22_298_125, 55: 19_664_805,
        60: 16_817_924, 65: 12_435_263, 70: 9_278_166, 75: 7_317_795, 80: 5_743_327, 85: 3_620_459,
        90: 1_448_366, 95: 424_608,
    },
}  # fmt: skip
"""Standard populations by lower bound of five-year age group; the last group is open."""


def standard_population(name: str) -> pd.DataFrame:
    """Give a standard population.

    Parameters
    ----------
    name : {"european_2013", "who_world", "us_2010"}
        Which one.

    Returns
    -------
    pandas.DataFrame
        ``age_low`` (years) and ``weight`` (sums to 1), both sexes together.

    Raises
    ------
    ParameterError
        If it is unknown.

    Examples
    --------
    >>> standard_population("european_2013").head(2)
       age_low  weight
    0        0   0.050
    1        5   0.055
    """
    if name not in STANDARDS:
        raise ParameterError(f"standard population {name!r} is unknown", " or ".join(STANDARDS))
    counts = STANDARDS[name]
    total = sum(counts.values())
    return pd.DataFrame({"age_low": list(counts), "weight": [value / total for value in counts.values()]})


def direct_rate(
    count: ArrayLike,
    person_years: ArrayLike,
    weights: ArrayLike,
    *,
    per: float = 100_000,
    level: float = 0.95,
) -> Interval:
    """Directly standardised rate with the gamma interval of Fay and Feuer (1997).

    Parameters
    ----------
    count : array-like of int
        Events in each stratum.
    person_years : array-like of float
        Time at risk in each stratum, in years, above zero wherever the standard has weight.
    weights : array-like of float
        Weight of each stratum in the standard population; brought to a sum of 1.
    per : float, optional
        Number of person-years the rate is given for.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        The rate and its limits; they include the exact Poisson interval when there is one stratum.

    Raises
    ------
    EstimationError
        If lengths differ, or a stratum with weight has nobody at risk.

    Examples
    --------
    >>> print(direct_rate([5, 20], [100_000, 50_000], [0.7, 0.3]))
    15.50 (10.02-23.01)
    """
    check_level(level)
    x, n, w = (np.asarray(values, dtype=float) for values in (count, person_years, weights))
    if not x.shape == n.shape == w.shape or x.ndim != 1 or not x.size:
        raise EstimationError(
            f"{x.size} counts, {n.size} person-years and {w.size} weights", "one of each for each stratum"
        )
    if np.isnan(x).any() or np.isnan(n).any() or np.isnan(w).any() or (x < 0).any() or (w < 0).any():
        raise EstimationError("strata have missing or negative values", "complete strata")
    if w.sum() <= 0:
        raise EstimationError("the weights sum to zero", "a standard population")
    empty = int(((n <= 0) & (w > 0)).sum())
    if empty:
        raise EstimationError(
            f"{empty} stratum(s) of the standard population have nobody at risk here",
            "person-years in every stratum that has weight",
            "wider age groups, or an indirect standardisation",
        )
    keep = w > 0
    x, n, share = x[keep], n[keep], w[keep] / w[keep].sum()
    factor = share / n
    rate = float((factor * x).sum())
    variance = float((factor**2 * x).sum())
    heaviest = float(factor.max())
    tail = (1 - level) / 2
    low = 0.0
    if variance > 0:
        low = float(stats.gamma.ppf(tail, rate**2 / variance, scale=variance / rate))
    top_rate, top_variance = rate + heaviest, variance + heaviest**2
    high = float(stats.gamma.isf(tail, top_rate**2 / top_variance, scale=top_variance / top_rate))
    return Interval(rate * per, low * per, high * per, level, "gamma (Fay and Feuer)")


def indirect_ratio(
    count: ArrayLike, person_years: ArrayLike, reference_rates: ArrayLike, *, level: float = 0.95
) -> tuple[Interval, float]:
    """Indirectly standardised ratio: observed over what reference rates would give.

    Parameters
    ----------
    count : array-like of int
        Events in each stratum.
    person_years : array-like of float
        Time at risk in each stratum, in years.
    reference_rates : array-like of float
        Rate in each stratum of the reference, for one person-year.
    level : float, optional
        Confidence level.

    Returns
    -------
    ratio : Interval
        The ratio with its exact Poisson limits.
    expected : float
        The expected number.

    Raises
    ------
    EstimationError
        If lengths differ, values are missing, or nobody is expected.

    Examples
    --------
    >>> ratio, expected = indirect_ratio([3, 9], [10_000, 5_000], [2e-4, 1e-3])
    >>> print(ratio, expected)
    1.71 (0.89-2.99) 7.0
    """
    x, n, rates = (np.asarray(values, dtype=float) for values in (count, person_years, reference_rates))
    if not x.shape == n.shape == rates.shape:
        raise EstimationError(
            f"{x.size} counts, {n.size} person-years and {rates.size} rates", "one of each for each stratum"
        )
    if np.isnan(x).any() or np.isnan(n).any() or np.isnan(rates).any() or (n < 0).any() or (rates < 0).any():
        raise EstimationError("strata have missing or negative values", "complete strata")
    expected = float((n * rates).sum())
    return ratio_interval(x.sum(), expected, level=level), expected
