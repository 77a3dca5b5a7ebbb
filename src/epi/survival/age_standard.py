"""Age groups at time zero and the weights that a standard of patients gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.arguments import check_numbers
from epi.errors import DataError, ParameterError
from epi.stats.standardisation import survival_standard
from epi.survival.data import DAYS_PER_YEAR, SurvivalData

if TYPE_CHECKING:
    from numpy.typing import NDArray

AGE_GROUP = "age_at_origin"
"""Covariate with the age group."""


def standard_weights(
    standard: str | pd.DataFrame, age_bands: Sequence[float] | None = None
) -> tuple[list[float], NDArray[np.float64]]:
    """Give the ages at which groups begin, and their weights.

    Parameters
    ----------
    standard : str or pandas.DataFrame
        Name of a standard of patients, or `age_low` and `weight`.
    age_bands : sequence of float, optional
        Ages at which groups begin, where groups of the standard are taken together.

    Returns
    -------
    breaks : list of float
        Years.
    weights : numpy.ndarray of float64
        They sum to 1.

    Raises
    ------
    ParameterError
        If the table has no such columns, ages do not rise, weights are no weights, or bands cut a group.

    Examples
    --------
    >>> standard_weights("icss1", [15, 55, 65, 75])
    ([15.0, 55.0, 65.0, 75.0], array([0.19, 0.23, 0.29, 0.29]))
    """
    table = standard if isinstance(standard, pd.DataFrame) else survival_standard(standard)
    absent = [name for name in ("age_low", "weight") if name not in table]
    if absent:
        raise ParameterError(f"the standard has no column {', '.join(absent)}", "age_low and weight")
    low = pd.to_numeric(table["age_low"], errors="coerce").to_numpy(dtype=np.float64)
    weight = pd.to_numeric(table["weight"], errors="coerce").to_numpy(dtype=np.float64)
    if not len(low) or not (np.isfinite(low) & (low >= 0)).all() or (np.diff(low) <= 0).any():
        raise ParameterError("the standard's ages do not rise from 0 or more", "age_low in order, each once")
    if not (np.isfinite(weight) & (weight >= 0)).all() or weight.sum() <= 0:
        raise ParameterError("the standard's weights are missing, negative or all zero", "a weight for each group")
    # Groups without weight at the young end are no part of the standard: the published ICSS begin at 15.
    start = int(np.flatnonzero(weight > 0)[0])
    low, weight = low[start:], weight[start:] / weight.sum()
    if age_bands is None:
        return low.tolist(), weight
    words = ", ".join(f"{value:g}" for value in low)
    breaks = check_numbers("age_bands", age_bands, f"ages, some of {words}").tolist()
    if not breaks or breaks[0] != low[0] or any(value not in low for value in breaks) or breaks != sorted(set(breaks)):
        raise ParameterError(
            f"age_bands begin at {', '.join(f'{value:g}' for value in breaks) or 'no age'}",
            f"some of the ages at which the standard's groups begin, the first among them: {words}",
            f"age_bands=[{low[0]:g}, ...]",
        )  # fmt: skip
    place = np.searchsorted(np.asarray(breaks), low, side="right") - 1
    return breaks, np.bincount(place, weight, len(breaks)).astype(np.float64)


def place_ages(data: SurvivalData, breaks: Sequence[float], labels: Sequence[str]) -> SurvivalData:
    """Give the data with the age group at time zero as a covariate.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    breaks : sequence of float
        Years of age at which groups begin.
    labels : sequence of str
        Names of the groups.

    Returns
    -------
    SurvivalData
        The same rows, with the covariate ``AGE_GROUP``.

    Raises
    ------
    ParameterError
        If time does not run from an origin of each person, or the covariate is there already.
    DataError
        If ages are unknown, or somebody is younger than the first group.
    """
    if data.scale in ("age", "calendar"):
        raise ParameterError(
            f"time runs from {'birth' if data.scale == 'age' else '1 January 1970'}: age at time zero tells nothing",
            "time since diagnosis, or since another origin of each person", "build_survival(..., origin=, birth=)",
        )  # fmt: skip
    if AGE_GROUP in data.covariates:
        raise ParameterError(f"the data have a covariate {AGE_GROUP}, which is made here", "another name for it")
    if data.origin is None or data.birth is None:
        raise DataError(
            "ages at time zero are not known", "data with origin and birth",
            "build_survival(..., origin=, birth=), or follow_cohort(...)",
        )  # fmt: skip
    age = data.origin - data.birth
    edges = np.ceil(np.asarray(breaks) * DAYS_PER_YEAR - 1e-8).astype(np.int64)
    young = int((age < edges[0]).sum())
    if young:
        raise DataError(
            f"{young} of {len(data)} rows are of persons younger than {breaks[0]:g} at time zero",
            f"persons of the ages of the standard, {breaks[0]:g} and over",
            "leave them out with data.select(...) and count them, or take a standard that has them",
        )  # fmt: skip
    band = np.searchsorted(edges, age, side="right") - 1
    column = pd.Categorical([labels[at] for at in band], categories=list(labels), ordered=True)
    return replace(data, covariates=data.covariates.assign(**{AGE_GROUP: column}))
