"""Robust variances: what they rest on, and where they say nothing.

Residuals add up to nothing over those an estimate is made of. Where these lie in one cluster the cluster's sum is
nothing too: a variance made of it is rounding, with limits of no width and p-values of nothing. The same holds for a
ratio between values one of which lies in one cluster. Both are told apart here, for all estimators.
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
    from epi.survival.terms import Terms

FEW_CLUSTERS = 20
"""Clusters: normal limits over fewer are too narrow (of 5 they hold about 85 times in 100, of 20 about 93)."""
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


def count_units(data: SurvivalData, numbers: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Count the clusters of each group, persons where there are none.

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
    numpy.ndarray of int64, shape (groups,)
        Clusters with a row in the group.
    """
    if data.cluster is None and data.persons == len(data):
        return np.bincount(numbers, minlength=size).astype(np.int64)
    units = int(data.clusters.max()) + 1
    pairs = np.unique(numbers * units + data.clusters)
    return np.bincount(pairs // units, minlength=size).astype(np.int64)


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
    notes, what = [], unit_words(data)
    for label, number in zip(labels, count_units(data, numbers, len(labels)).tolist(), strict=True):
        name = where(label)
        if number == 1:
            notes.append(f"{name}all are in one {what[:-1]}, over which no variance is known: there are no limits")
        elif number < FEW_CLUSTERS and data.cluster is not None:
            notes.append(f"{name}there are {few_note(number, what)}")
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
        Whether it has two or more, and fewer than 20.
    """
    if data.cluster is None:
        return False
    units = count_units(data, numbers, size)
    return bool(((units > 1) & (units < FEW_CLUSTERS)).any())


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


def check_units(
    model: str, data: SurvivalData, terms: Terms, columns: Sequence[NDArray[np.float64]], parameters: int
) -> list[str]:
    """Refuse a model that clusters cannot tell the variance of.

    Parameters
    ----------
    model : str
        What is fitted.
    data : SurvivalData
        Follow-up.
    terms : Terms
        Columns of the model.
    columns : sequence of numpy.ndarray
        Their values.
    parameters : int
        Number of parameters that the clusters' sums are of.

    Returns
    -------
    list of str
        What a reader must know: that clusters are few.

    Raises
    ------
    EstimationError
        If there are not two clusters more than parameters, since their sums add up to nothing; or if a value of a
        covariate lies in one cluster.
    """
    what = unit_words(data)
    number = int(np.count_nonzero(np.bincount(data.clusters)))
    if number < parameters + 2:
        refuse(
            model, [f"{number} {what if number > 1 else what[:-1]} for {parameters} parameter{'s'[: parameters > 1]}"],
            f"at least {parameters + 2} {what}, since a robust variance adds up over them",
            "fewer covariates, or clusters that are smaller",
        )  # fmt: skip
    check_values(model, data, terms, columns)
    return [few_note(number, what)] if number < FEW_CLUSTERS else []


def check_values(model: str, data: SurvivalData, terms: Terms, columns: Sequence[NDArray[np.float64]]) -> None:
    """Refuse covariates one of whose values lies in one cluster; those of many values, measurements, are taken.

    Parameters
    ----------
    model : str
        What is fitted.
    data : SurvivalData
        Follow-up.
    terms : Terms
        Columns of the model.
    columns : sequence of numpy.ndarray
        Their values.

    Raises
    ------
    EstimationError
        If there is such a value: it is named.
    """
    unit, what, faults = data.clusters, unit_words(data), list[str]()
    for at, covariate in enumerate(terms.covariates):
        members = np.flatnonzero(terms.assign == at)
        # A category has a column of its own, and the reference none: each row has one value of all these.
        value = np.zeros(len(data), dtype=np.int64)
        for place, k in enumerate(members.tolist(), start=1):
            low, high = columns[k].min(), columns[k].max()
            if ((columns[k] != low) & (columns[k] != high)).any():
                break
            value[columns[k] == high] = place
        else:
            column = columns[members[0]]
            for place, level in enumerate(terms.levels.get(covariate, (f"{column.min():g}", f"{column.max():g}"))):
                inside = unit[value == place]
                if len(inside) and inside.min() == inside.max():
                    faults.append(f"{covariate} {level} lies in one {what[:-1]}")
    refuse(
        model, faults, f"each value of a covariate in two {what} or more: a variance over {what} says nothing of one",
        "take the named value together with another, or leave its rows out with data.select(...) and count them",
    )  # fmt: skip
