"""Robust variances: what they rest on, and where they say nothing.

Residuals add up to nothing over those an estimate is made of. Where these lie in one cluster the cluster's sum is
nothing too: a variance made of it is rounding, with limits of no width and p-values of nothing. The same holds for a
ratio between values one of which lies in one cluster. So clusters are counted by what they know of a group or of a
coefficient, for all estimators: the number in effect, below which there are no limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epi.survival.estimability import refuse
from epi.survival.risk_sets import where

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.survival.data import SurvivalData

FEW_CLUSTERS = 20
"""Clusters: normal limits over fewer are too narrow (of 5 they hold about 85 times in 100, of 20 about 93)."""
LEAST_CLUSTERS = 4
"""Clusters in effect with limits (Tipton, Psychol Methods 2015: on fewer degrees of freedom tests do not hold)."""
LEAST_PERSONS = 2
"""Persons in effect with limits, where weights make one of many."""
SLACK = 1e-6
"""So that 4 clusters alike are 4."""
DETERMINED = 0.9
"""Share of what is known of a combination of coefficients that determines it."""
ROUNDING = 1e-6
"""Share of an estimate: an error below is what rounding leaves of a sum that is nothing."""


def robust_error(variance: ArrayLike, size: ArrayLike) -> NDArray[np.float64]:
    """Give standard errors, none where the variance is nothing but rounding.

    Parameters
    ----------
    variance : array-like
        Sums of squares over clusters.
    size : array-like
        What the errors are of; where it is zero nothing has happened yet, and an error of zero stays.

    Returns
    -------
    numpy.ndarray
        Errors, missing where they are below a millionth of what they are of.

    Examples
    --------
    >>> robust_error([0.04, 1e-32, 0.0], [1.0, 1.0, 0.0]).tolist()
    [0.2, nan, 0.0]
    """
    error, size = np.sqrt(np.asarray(variance, dtype=np.float64)), np.abs(np.asarray(size, dtype=np.float64))
    return np.where((size > 0) & ~(error > ROUNDING * size), np.nan, error)


def count_units(data: SurvivalData, numbers: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Count the clusters that each group's limits rest on, persons where there are none.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    numbers : numpy.ndarray of int64, shape (rows,)
        Group of each row.
    size : int
        Number of groups.

    Returns
    -------
    numpy.ndarray of float64, shape (groups,)
        One over the sum of the squared shares of a group's weighted time: the number of clusters where all have as
        much, nearly 1 where one has all but some days.
    """
    if data.cluster is None and data.persons == len(data):
        alone = data.weights * (data.exit - data.entry)
        whole, squares = (np.bincount(numbers, alone**power, size) for power in (1, 2))
        return np.divide(whole**2, squares, out=np.zeros(size), where=squares > 0)
    unit = data.clusters
    pairs, place = np.unique(numbers * (int(unit.max()) + 1) + unit, return_inverse=True)
    time = np.bincount(place, data.weights * (data.exit - data.entry))
    group = pairs // (int(unit.max()) + 1)
    whole = np.bincount(group, time, size)
    squares = np.bincount(group, time**2, size)
    return np.divide(whole**2, squares, out=np.zeros(size), where=squares > 0)


def least_units(data: SurvivalData) -> int:
    """Give the fewest clusters, or persons, over which a variance says something.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    int
        4 clusters (Tipton, Psychol Methods 2015: robust tests on fewer degrees of freedom do not hold), or 2 persons.
    """
    return LEAST_CLUSTERS if data.cluster is not None else LEAST_PERSONS


def told_groups(data: SurvivalData, numbers: NDArray[np.int64], size: int, *, robust: bool = True) -> NDArray[np.bool_]:
    """Say of which groups the variance tells something.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    numbers : numpy.ndarray of int64, shape (rows,)
        Group of each row.
    size : int
        Number of groups.
    robust : bool, optional
        Whether the variance is; any other tells of each group.

    Returns
    -------
    numpy.ndarray of bool, shape (groups,)
        True where enough clusters have a part of the group's time.
    """
    if not robust:
        return np.ones(size, dtype=bool)
    return np.asarray(count_units(data, numbers, size) >= least_units(data) - SLACK)


def unit_notes(data: SurvivalData, numbers: NDArray[np.int64], labels: Sequence[str]) -> list[str]:
    """Say which groups have no robust limits, and which have too narrow ones.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    numbers : numpy.ndarray of int64, shape (rows,)
        Group of each row.
    labels : sequence of str
        Names of the groups.

    Returns
    -------
    list of str
        Sentences.
    """
    notes, what, least = [], unit_words(data), least_units(data)
    for label, number in zip(labels, count_units(data, numbers, len(labels)).tolist(), strict=True):
        name = where(label)
        if number < least - SLACK:
            rests = f"all are in one {what[:-1]}" if number < 1 + SLACK else f"time lies in about {number:.1f} {what}"
            notes.append(f"{name}{rests}, over which no variance is known: there are no limits")
        elif number < FEW_CLUSTERS and data.cluster is not None:
            notes.append(f"{name}time lies in about {few_note(round(number), what)}")
    return notes


def few_clusters(data: SurvivalData, numbers: NDArray[np.int64], size: int) -> bool:
    """Say whether some group has clusters so few that its limits are too narrow.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    numbers : numpy.ndarray of int64, shape (rows,)
        Group of each row.
    size : int
        Number of groups.

    Returns
    -------
    bool
        Whether it has 4 or more, and fewer than 20.
    """
    if data.cluster is None:
        return False
    units = count_units(data, numbers, size)
    return bool(((units >= LEAST_CLUSTERS - SLACK) & (units < FEW_CLUSTERS)).any())


def unit_words(data: SurvivalData) -> str:
    """Name what robust variances add up over.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    str
        Clusters, or persons where there are none.
    """
    return "clusters" if data.cluster is not None else "persons"


def few_note(number: int, what: str = "clusters") -> str:
    """Say that clusters are few.

    Parameters
    ----------
    number : int
        How many there are.
    what : str, optional
        What they are.

    Returns
    -------
    str
        A sentence.
    """
    return f"{number} {what}: a robust variance of so few is too small"


def check_units(model: str, data: SurvivalData) -> list[str]:
    """Refuse one cluster alone, and say that clusters are few.

    Parameters
    ----------
    model : str
        What is fitted.
    data : SurvivalData
        Follow-up.

    Returns
    -------
    list of str
        What a reader must know.

    Raises
    ------
    EstimationError
        If there is one cluster.
    """
    what = unit_words(data)
    number = int(np.count_nonzero(np.bincount(data.clusters)))
    if number < 2:
        refuse(model, [f"there is one {what[:-1]}"], f"two {what} or more: a robust variance adds up over them",
               "smaller clusters, or data without them")  # fmt: skip
    return [few_note(number, what)] if number < FEW_CLUSTERS else []


def lonely_terms(
    data: SurvivalData, scores: NDArray[np.float64], person: NDArray[np.int64], names: Sequence[str]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Find the coefficients of which clusters tell no variance, and those of which they tell too small a one.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    scores : numpy.ndarray, shape (rows, coefficients)
        Weighted scores of rows at the maximum.
    person : numpy.ndarray of int64, shape (rows,)
        Whose rows they are.
    names : sequence of str
        Names of the coefficients.

    Returns
    -------
    alone : numpy.ndarray of bool, shape (coefficients,)
        Those that rest on fewer than 4 clusters (2 persons), or that one cluster determines in part.
    notes : list of str
        What a reader must know.

    Notes
    -----
    What a cluster knows of a coefficient is its persons' share of the sum of squared efficient scores (those that the
    other coefficients leave); one over the sum of squared shares is the number of clusters the coefficient rests on (as
    in Carter, Schnepel and Steigerwald, Rev Econ Stat 2017;99:698). A cluster that has nine tenths or more of what is
    known of some combination determines it: its scores add up to nothing along it, at the maximum.
    """
    size, what, least = len(names), unit_words(data), least_units(data)
    if data.cluster is None and data.weight is None:
        # Persons alike: each is one, however few have the event.
        return np.zeros(size, dtype=bool), []
    unit = np.zeros(data.persons, dtype=np.int64)
    unit[data.person] = data.clusters
    if len(scores) == data.persons:
        each, unit = scores, unit[person]
    else:
        each = np.stack([np.bincount(person, column, data.persons) for column in scores.T], axis=1)
    total = np.asarray(each.T @ each, dtype=np.float64)
    scale = np.sqrt(np.diag(total))
    alone = np.asarray(~(scale > 0))
    # One person of great weight has no residual left, but all the time.
    whole = told_groups(data, np.zeros(len(data), dtype=np.int64), 1)[0]
    if not whole or alone.any() or np.linalg.matrix_rank(total / np.outer(scale, scale), tol=1e-10) < size:
        # Or fewer persons than coefficients: none of them is told apart.
        return np.ones(size, dtype=bool), [f"what is known lies in too few {what}, so that there are no limits"]
    bread = np.linalg.inv(total / np.outer(scale, scale)) / np.outer(scale, scale)
    squares = (each @ (bread / np.sqrt(np.diag(bread)))) ** 2
    known = np.stack([np.bincount(unit, column) for column in squares.T], axis=1)
    share = known / known.sum(axis=0)
    effective = 1 / (share**2).sum(axis=0)
    alone = effective < least - SLACK
    root = np.linalg.cholesky(bread)
    for cluster in np.flatnonzero(share.max(axis=1) > max(0.1, 1 / (2 * size))).tolist():
        own = each[unit == cluster] @ root
        leverage, axes = np.linalg.eigh(own.T @ own)
        for axis in axes[:, leverage > DETERMINED].T:
            alone |= (root @ axis) ** 2 > 0.01 * np.diag(bread)
    notes, silent = list[str](), [name for name, lone in zip(names, alone, strict=True) if lone]
    if silent:
        notes.append(f"{', '.join(silent)}: what is known lies in too few {what}, so that there are no limits")
    narrow = [
        f"{name} ({rests:.0f})"
        for name, rests, lone in zip(names, effective, alone, strict=True)
        if not lone and rests < FEW_CLUSTERS
    ]
    if narrow and data.cluster is not None and len(share) >= FEW_CLUSTERS:
        notes.append(f"what is known lies in few clusters, and limits are too narrow: {', '.join(narrow)}")
    return alone, notes


def silence(covariance: NDArray[np.float64], alone: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Take away the variances of which clusters tell nothing.

    Parameters
    ----------
    covariance : numpy.ndarray, shape (coefficients, coefficients)
        Covariance.
    alone : numpy.ndarray of bool, shape (coefficients,)
        Coefficients, by :func:`lonely_terms`.

    Returns
    -------
    numpy.ndarray
        The same, missing in their rows and columns.
    """
    found = covariance.copy()
    found[alone, :] = np.nan
    found[:, alone] = np.nan
    return found
