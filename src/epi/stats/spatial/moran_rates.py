"""Moran's I of rates, whose variances differ with the number of persons at risk.

Source: Assunção and Reis, Stat Med 1999;18:2147, as in R's ``spdep::EBImoran.mc``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.lattice import Alternative, Islands, Style, align, build_lattice
from epi.stats.spatial.moran import Autocorrelation, moran_of_lattice

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from epi.stats.spatial.weights import SpatialWeights


def moran_test_rates(
    counts: ArrayLike | pd.Series,
    at_risk: ArrayLike | pd.Series,
    weights: SpatialWeights,
    *,
    style: Style = "row",
    islands: Islands = "drop",
    alternative: Alternative = "two-sided",
    permutations: int = 999,
    seed: int = 0,
) -> Autocorrelation:
    """Test autocorrelation of rates whose variances differ, by the empirical Bayes index.

    Parameters
    ----------
    counts : array-like or pandas.Series
        Cases of each area, shape (areas,).
    at_risk : array-like or pandas.Series
        Persons at risk, person-years or expected cases of each area, shape (areas,).
    weights, style, islands, alternative, permutations, seed : object
        As in :func:`moran_test`.

    Returns
    -------
    Autocorrelation
        Moran's I of rates standardised by :func:`standardise_rates`, as ``spdep::EBImoran.mc``. The
        analytic moments are those of randomisation, for which rates of unequal variance are not made:
        read the permutation p.

    Raises
    ------
    EstimationError
        If too few areas take part, an area with nobody at risk has a case, or rates are all alike.
    ParameterError
        If an option is unknown or values do not fit the weights.

    Examples
    --------
    >>> from epi.stats.spatial import weights_from_pairs
    >>> line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    >>> moran_test_rates([9, 8, 7, 2, 1, 1], [50, 40, 45, 60, 50, 40], line).value > 0.4
    True
    """
    rates = standardise_rates(align(counts, weights, "counts"), align(at_risk, weights, "persons at risk"))
    lattice = build_lattice(rates, weights, style=style, islands=islands)
    return moran_of_lattice(lattice, alternative, "randomisation", permutations, seed)


def standardise_rates(counts: ArrayLike, at_risk: ArrayLike) -> NDArray[np.float64]:
    """Standardise rates by the mean and variance that empirical Bayes gives each (Assunção and Reis 1999).

    Parameters
    ----------
    counts : array-like
        Cases, shape (areas,).
    at_risk : array-like
        Persons at risk, person-years or expected cases, shape (areas,).

    Returns
    -------
    numpy.ndarray
        (rate - mean) / sd for each area; missing where a number is missing or nobody is at risk.

    Raises
    ------
    EstimationError
        If counts or persons are negative, cases arise among nobody, or there is no case.

    Examples
    --------
    >>> standardise_rates([2, 8, 5, 20], [100, 100, 200, 200]).round(2).tolist()
    [-1.0, 0.57, -0.97, 1.22]
    """
    cases, people = np.asarray(counts, dtype=float), np.asarray(at_risk, dtype=float)
    if cases.shape != people.shape or cases.ndim != 1:
        raise ParameterError(f"counts have shape {cases.shape}, persons {people.shape}", "as many of each")
    known = ~np.isnan(cases) & ~np.isnan(people)
    faults = {
        "negative counts or persons": known & ((cases < 0) | (people < 0)),
        "cases among nobody at risk": known & (people == 0) & (cases > 0),
    }
    lines = [f"{int(rows.sum())} areas have {fault}" for fault, rows in faults.items() if rows.any()]
    if lines:
        raise EstimationError("these are no rates", "counts and persons at risk, zero or more", faults=lines)
    known &= people > 0
    if not cases[known].sum() > 0:
        raise EstimationError("there is no case", "at least one case")
    # Sums in the order of size, so that the order of the areas does not show in the last digits.
    order = np.flatnonzero(known)[np.lexsort((cases[known], people[known]))]
    n, x = cases[order], people[order]
    mean = n.sum() / x.sum()
    spread = (x * (n / x - mean) ** 2).sum() / x.sum()
    between = spread - mean / (x.sum() / len(x))
    result = np.full(len(cases), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = mean / people
        variance = np.where(between + chance > 0, between + chance, chance)
        result[known] = ((cases / people - mean) / np.sqrt(variance))[known]
    return result
