"""Direct and indirect standardisation by age and sex, and the standard populations they use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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
    # INSEE, estimates of population, France with Mayotte, 1 January 2019: 66,977,703 persons, 95 is 95 and over
    # (Licence Ouverte 2.0). Made by scripts/derive_standard_population.py from population_france_age_sex_1991_2022.
    "france_2019": {
        0: 3_739_757, 5: 4_120_399, 10: 4_181_427, 15: 4_134_088, 20: 3_734_173, 25: 3_788_328, 30: 4_060_353,
        35: 4_233_936, 40: 4_105_622, 45: 4_553_362, 50: 4_458_118, 55: 4_325_528, 60: 4_079_638, 65: 3_915_381,
        70: 3_264_972, 75: 2_178_120, 80: 1_873_163, 85: 1_351_914, 90: 663_089, 95: 216_335,
    },
}  # fmt: skip
"""Standard populations by lower bound of five-year age group; the last group is open."""
SURVIVAL_STANDARDS: dict[str, dict[int, int]] = {
    "icss1": {15: 7, 45: 12, 55: 23, 65: 29, 75: 29},
    "icss2": {15: 28, 45: 17, 55: 21, 65: 20, 75: 14},
    "icss3": {15: 60, 45: 10, 55: 10, 65: 10, 75: 10},
}
"""International Cancer Survival Standards (Corazziari, Quinn and Capocaccia, Eur J Cancer 2004;40:2307-2316), per 100
patients aged 15 and over, by lower bound of age at diagnosis: 1 for most cancers, 2 for those whose incidence is about
constant with age, 3 for those of young adults. For the prostate the first two groups of 1 are one."""

GammaLimits = Literal["fay-feuer", "tiwari"]


def standard_population(name: str) -> pd.DataFrame:
    """Give a standard population.

    Parameters
    ----------
    name : {"european_2013", "who_world", "us_2010", "france_2019"}
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


def survival_standard(name: str) -> pd.DataFrame:
    """Give a standard of the ages of patients, for survival.

    Parameters
    ----------
    name : {"icss1", "icss2", "icss3"}
        Which one.

    Returns
    -------
    pandas.DataFrame
        ``age_low`` (years at diagnosis) and ``weight`` (sums to 1).

    Raises
    ------
    ParameterError
        If it is unknown.

    Examples
    --------
    >>> survival_standard("icss1")["weight"].tolist()
    [0.07, 0.12, 0.23, 0.29, 0.29]
    """
    if name not in SURVIVAL_STANDARDS:
        raise ParameterError(
            f"standard of patients {name!r} is unknown", f"{' or '.join(SURVIVAL_STANDARDS)}, or a table",
            'standard="icss1", or a frame with age_low and weight',
        )  # fmt: skip
    counts = SURVIVAL_STANDARDS[name]
    total = sum(counts.values())
    return pd.DataFrame({"age_low": list(counts), "weight": [value / total for value in counts.values()]})


def direct_rate(
    count: ArrayLike,
    person_years: ArrayLike,
    weights: ArrayLike,
    *,
    per: float = 100_000,
    level: float = 0.95,
    limits: GammaLimits = "fay-feuer",
) -> Interval:
    """Directly standardised rate with gamma limits: Fay and Feuer (1997), or as modified by Tiwari and others (2006).

    Both share the lower limit. The upper limit of Fay and Feuer takes in one more event in the stratum in which an
    event weighs most: it never covers too little, and is wide where that stratum is small. That of Tiwari, Clegg and
    Zou (Stat Methods Med Res 2006;15:547-569) takes in one more event of average weight: shorter, and close to the
    level on average, but sometimes below it.

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
    limits : {"fay-feuer", "tiwari"}, optional
        The upper limit.

    Returns
    -------
    Interval
        The rate and its limits; those of one stratum are the exact Poisson ones.

    Raises
    ------
    EstimationError
        If lengths differ, or a stratum with weight has nobody at risk.
    ParameterError
        If there are no such limits.

    Examples
    --------
    >>> print(direct_rate([5, 20], [100_000, 50_000], [0.7, 0.3]))
    15.50 (10.02-23.01)
    >>> print(direct_rate([5, 20], [100_000, 50_000], [0.7, 0.3], limits="tiwari"))
    15.50 (10.02-22.94)
    """
    check_level(level)
    if limits not in ("fay-feuer", "tiwari"):
        raise ParameterError(f"limits={limits!r}", "'fay-feuer' or 'tiwari'")
    x, factor = _weighted_counts(count, person_years, weights)
    rate, variance = float((factor * x).sum()), float((factor**2 * x).sum())
    tail = (1 - level) / 2
    low = 0.0
    if variance > 0:
        low = float(stats.gamma.ppf(tail, rate**2 / variance, scale=variance / rate))
    more = (factor.max(), factor.max() ** 2) if limits == "fay-feuer" else (factor.mean(), (factor**2).mean())
    top_rate, top_variance = rate + float(more[0]), variance + float(more[1])
    high = float(stats.gamma.isf(tail, top_rate**2 / top_variance, scale=top_variance / top_rate))
    names = {"fay-feuer": "gamma (Fay and Feuer)", "tiwari": "gamma (Tiwari and others)"}
    return Interval(rate * per, low * per, high * per, level, names[limits])


def _weighted_counts(count: ArrayLike, person_years: ArrayLike, weights: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Give the events of the strata that have weight, and what one of them adds to the standardised rate."""
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
    return x[keep], w[keep] / w[keep].sum() / n[keep]


def direct_ratio(
    count: ArrayLike,
    person_years: ArrayLike,
    reference_count: ArrayLike,
    reference_person_years: ArrayLike,
    weights: ArrayLike,
    *,
    level: float = 0.95,
) -> Interval:
    """Ratio of two directly standardised rates, or comparative figure (CIF, CMF), with log-normal limits.

    The variance of the logarithm is the sum, over both populations, of that of the standardised rate over its square
    (Breslow and Day, IARC 1987, volume II, chapter 2.3; Boyle and Parkin, IARC 1991, chapter 11). Both must be
    distinct populations: a part compared with a whole that holds it has limits too wide.

    Parameters
    ----------
    count, person_years : array-like
        Events and time at risk in each stratum, in years.
    reference_count, reference_person_years : array-like
        The same in the population that it is compared with.
    weights : array-like of float
        Weight of each stratum in the standard population.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        The ratio, for 1; its limits are missing where either population has no event, and so is the ratio where the
        reference has none.

    Raises
    ------
    EstimationError
        If lengths differ, or a stratum with weight has nobody at risk.

    Examples
    --------
    >>> print(direct_ratio([5, 20], [100_000, 50_000], [10, 60], [400_000, 300_000], [0.7, 0.3]))
    2.00 (1.26-3.17)
    """
    check_level(level)
    mine, factor = _weighted_counts(count, person_years, weights)
    theirs, other = _weighted_counts(reference_count, reference_person_years, weights)
    if len(mine) != len(theirs):
        raise EstimationError(f"{len(mine)} and {len(theirs)} strata", "the same strata in both populations")
    rate, reference = float((factor * mine).sum()), float((other * theirs).sum())
    how = "log-normal, comparative figure"
    if rate <= 0 or reference <= 0:
        return Interval(0.0 if reference > 0 else np.nan, np.nan, np.nan, level, how)
    variance = (factor**2 * mine).sum() / rate**2 + (other**2 * theirs).sum() / reference**2
    ratio, spread = rate / reference, float(np.exp(stats.norm.isf((1 - level) / 2) * np.sqrt(variance)))
    return Interval(ratio, ratio / spread, ratio * spread, level, how)


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
