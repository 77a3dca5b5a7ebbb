"""Tests of raised risk near a source that was named beforehand, on counts of areas.

Stone's test takes any risk that does not rise with distance for its alternative (Stone, Stat Med 1988;7:649); the
score test of Lawson and Waller is the best one against risks that follow a stated exposure, often the inverse of the
distance (Waller and others, Environmetrics 1992;3:281; Lawson, Stat Med 1993;12:1991).

A source that was chosen because cases were seen there is tested by no honest p-value: look for clusters with
:func:`epi.stats.spatial.scan_poisson` instead, which accounts for all the places looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

TIE = 1e-9
"""Statistics closer than this, relative to their size, are ties."""
BLOCK = 256
"""Maps drawn together."""


@dataclass(frozen=True)
class StoneTest:
    """Stone's test of a risk that falls with the distance from a source.

    Parameters
    ----------
    log_likelihood_ratio : float
        Log likelihood of the best non-increasing risks, less that of a constant one.
    p : float
        Its p-value, by Monte-Carlo.
    maximum : float
        Largest observed over expected number of all areas nearer than some distance.
    p_maximum : float
        Its p-value, on the same draws.
    ratio : numpy.ndarray
        Best non-increasing ratio of each area to its expected number, in the order given.
    """

    log_likelihood_ratio: float
    p: float
    maximum: float
    p_maximum: float
    ratio: Array = field(repr=False)


@dataclass(frozen=True)
class FocusedScore:
    """Score test of Lawson and Waller.

    Parameters
    ----------
    statistic : float
        Sum of exposure times observed less expected.
    variance, skewness : float
        Of the statistic under a constant risk, exact; its mean is zero.
    z : float
        Statistic over its standard deviation.
    p_normal : float
        One-sided p-value of `z`; too small when `skewness` is far from zero.
    p : float
        One-sided p-value by Monte-Carlo.
    """

    statistic: float
    variance: float
    skewness: float
    z: float
    p_normal: float
    p: float


def stone_test(
    observed: ArrayLike,
    expected: ArrayLike,
    distance_m: ArrayLike,
    *,
    conditional: bool = True,
    replicates: int = 999,
    seed: int = 0,
) -> StoneTest:
    """Test a constant risk against one that does not rise with the distance from a source.

    Parameters
    ----------
    observed, expected : array-like
        Cases and expected cases of each area, shape (areas,).
    distance_m : array-like
        Distance of each area from the source, metres; areas at one distance are taken together.
    conditional : bool, optional
        True: given the total, so that the level of risk is free. False: the level is that of the expected numbers,
        and a level unlike it counts against the hypothesis, be it above or below.
    replicates : int, optional
        Maps drawn under the hypothesis.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    StoneTest
        The likelihood ratio, Stone's Poisson maximum, and the fitted ratios.

    Raises
    ------
    EstimationError
        If counts are not whole numbers of zero or more, an area has cases and nobody expected, something is missing
        or there is no case.
    ParameterError
        If shapes differ or `replicates` is below 1.

    Notes
    -----
    The best non-increasing ratios are the isotonic regression of observed over expected, weighted by expected, which
    is the maximum likelihood estimate of Poisson means (Stone 1988). Both p-values are shares of maps, the
    observed one among them, at least as extreme.

    Examples
    --------
    >>> found = stone_test([9, 6, 4, 5, 4, 2], [4.0, 4.0, 5.0, 5.0, 6.0, 6.0], [500, 900, 2000, 4000, 5000, 9000])
    >>> found.ratio.round(2).tolist(), found.p < 0.05
    ([2.25, 1.5, 0.9, 0.9, 0.67, 0.33], True)
    """
    cases, people = check_focused_counts(observed, expected, replicates)
    away = check_finite(distance_m, len(cases), "distances")
    if (away < 0).any():
        raise EstimationError(f"{int((away < 0).sum())} distances are negative", "metres of zero or more")
    rings, where = np.unique(away, return_inverse=True)
    # Sums that do not depend on the order of rows: smallest first within a ring.
    order = np.lexsort((cases, people, where))
    total = int(cases.sum())
    ring_cases: Array = np.bincount(where, cases, len(rings)).astype(float)
    ring_people: Array = np.bincount(where[order], people[order], len(rings)).astype(float)
    known = np.flatnonzero(ring_people > 0)
    share = ring_people[known] / ring_people[known].sum()
    level = share * total if conditional else ring_people[known]
    seen = ring_cases[known]
    value, ratios = _ordered(seen, level)
    maximum = float((np.cumsum(seen) / np.cumsum(level)).max())
    reached, higher = 0, 0
    for drawn in draw_maps(total, share, level, conditional, replicates, seed):
        tops = (np.cumsum(drawn, axis=1) / np.cumsum(level)).max(axis=1)
        higher += int((tops >= maximum * (1 - TIE)).sum())
        reached += sum(_ordered(one, level)[0] >= value - TIE * max(value, 1.0) for one in drawn)
    # The level given the total is that of the cases: ratios are told against the expected numbers themselves.
    scale = total / float(ring_people[known].sum()) if conditional else 1.0
    fitted = np.full(len(rings), np.nan)
    fitted[known] = ratios * scale
    return StoneTest(
        value, (1 + reached) / (1 + replicates), maximum * scale, (1 + higher) / (1 + replicates), fitted[where]
    )


def focused_score_test(
    observed: ArrayLike,
    expected: ArrayLike,
    exposure: ArrayLike,
    *,
    conditional: bool = True,
    replicates: int = 999,
    seed: int = 0,
) -> FocusedScore:
    """Test a constant risk against one that rises with an exposure from a source.

    Parameters
    ----------
    observed, expected : array-like
        Cases and expected cases of each area, shape (areas,).
    exposure : array-like
        Exposure of each area, larger near the source: the inverse of its distance, or modelled.
    conditional : bool, optional
        True: given the total; False: expected numbers are taken as they are.
    replicates : int, optional
        Maps drawn under the hypothesis.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    FocusedScore
        The score, its exact moments under the hypothesis and p-values.

    Raises
    ------
    EstimationError
        If counts are not whole numbers of zero or more, an area has cases and nobody expected, something is missing,
        or the exposure is the same everywhere.
    ParameterError
        If shapes differ or `replicates` is below 1.

    Notes
    -----
    The score is locally most powerful when the relative risk is one plus a small multiple of the exposure (Waller and
    Lawson, Stat Med 1995;14:2291). Counts are Poisson, or given their total multinomial.

    Examples
    --------
    >>> found = focused_score_test([9, 5, 4, 2], [5.0, 5.0, 5.0, 5.0], [1, 0.5, 0.25, 0.125])
    >>> found.statistic, round(found.variance, 3), round(found.z, 2)
    (3.375, 2.246, 2.25)
    """
    from scipy.stats import norm

    cases, people = check_focused_counts(observed, expected, replicates)
    given = check_finite(exposure, len(cases), "exposures")
    order = np.lexsort((cases, people, given))
    cases, people, given = cases[order], people[order], given[order]
    total = int(cases.sum())
    share = people / people.sum()
    level = share * total if conditional else people
    centre = float((share * given).sum()) if conditional else 0.0
    apart = given - centre
    variance = float((level * apart**2).sum())
    if not variance > 1e-12 * float((level * given**2).sum()):
        raise EstimationError("the exposure is the same in every area that has people", "an exposure that differs")
    statistic = float((given * (cases - level)).sum())
    z = float(statistic / np.sqrt(variance))
    least = statistic - TIE * np.sqrt(variance)
    reached = sum(
        int(((drawn - level) @ given >= least).sum())
        for drawn in draw_maps(total, share, level, conditional, replicates, seed)
    )
    skewness = float((level * apart**3).sum()) / variance**1.5
    return FocusedScore(statistic, variance, skewness, z, float(norm.sf(z)), (1 + reached) / (1 + replicates))


def check_focused_counts(observed: ArrayLike, expected: ArrayLike, replicates: int) -> tuple[Array, Array]:
    """Read cases and expected cases that can be tested.

    Parameters
    ----------
    observed, expected : array-like
        Cases and expected cases, shape (areas,).
    replicates : int
        Maps to draw.

    Returns
    -------
    cases, people : numpy.ndarray
        The same as numbers.

    Raises
    ------
    EstimationError
        If they cannot be tested, with all the reasons.
    ParameterError
        If shapes differ or `replicates` is below 1.
    """
    cases, people = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    if cases.ndim != 1 or cases.shape != people.shape:
        raise ParameterError(f"cases and expected cases have shapes {cases.shape} and {people.shape}", "one an area")
    if replicates < 1:
        raise ParameterError(f"replicates is {replicates}", "1 or more")
    faults = []
    if not (np.isfinite(cases).all() and np.isfinite(people).all()):
        faults.append("counts or expected cases are missing: leave those areas out")
    elif (cases < 0).any() or (cases % 1 != 0).any():
        faults.append("counts are negative or not whole")
    elif (people < 0).any():
        faults.append("expected cases are negative")
    elif ((people == 0) & (cases > 0)).any():
        faults.append(f"{int(((people == 0) & (cases > 0)).sum())} areas have cases and nobody expected")
    elif not cases.sum() > 0:
        faults.append("there is no case")
    if faults:
        raise EstimationError("these counts cannot be tested", "cases and expected cases of each area", faults=faults)
    return cases, people


def check_finite(values: ArrayLike, n: int, name: str) -> Array:
    """Read a number for each area.

    Parameters
    ----------
    values : array-like
        Numbers, shape (n,).
    n : int
        Number of areas.
    name : str
        What they are, for messages.

    Returns
    -------
    numpy.ndarray
        The same as numbers.

    Raises
    ------
    EstimationError
        If one is missing.
    ParameterError
        If there is not one for each area.
    """
    array = np.asarray(values, dtype=float)
    if array.shape != (n,):
        raise ParameterError(f"{name} have shape {array.shape}", f"one for each of the {n} areas")
    lacking = int((~np.isfinite(array)).sum())
    if lacking:
        raise EstimationError(f"{lacking} of {n} {name} are missing", "one for each area: leave the others out")
    return array


def _ordered(cases: Array, level: Array) -> tuple[float, Array]:
    """Fit non-increasing ratios; give their log likelihood ratio against 1 and the ratios."""
    from scipy.optimize import isotonic_regression

    ratios = np.asarray(isotonic_regression(cases / level, weights=level, increasing=False).x)
    some = cases > 0
    # Fitted ratios conserve the total: what is left of the linear terms is the same for all of them.
    value = float((cases[some] * np.log(ratios[some])).sum()) - float(cases.sum() - level.sum())
    return max(value, 0.0), ratios


def draw_maps(total: int, share: Array, level: Array, conditional: bool, replicates: int, seed: int) -> Iterator[Array]:
    """Draw maps under a constant risk, block by block.

    Parameters
    ----------
    total : int
        Cases.
    share : numpy.ndarray
        Share of the expected cases of each area.
    level : numpy.ndarray
        Expected cases of each area.
    conditional : bool
        Given the total, or Poisson about `level`.
    replicates, seed : int
        How many, and from which seed.

    Yields
    ------
    numpy.ndarray
        Counts, shape (maps, areas).
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    for start in range(0, replicates, BLOCK):
        size = min(BLOCK, replicates - start)
        if conditional:
            yield generator.multinomial(total, share, size=size).astype(float)
        else:
            yield generator.poisson(level, size=(size, len(level))).astype(float)
