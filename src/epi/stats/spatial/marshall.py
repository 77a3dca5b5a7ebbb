"""Marshall's empirical Bayes by moments: towards the overall ratio, or towards that of the neighbourhood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.empirical_bayes import EmpiricalBayes, check_counts, gamma_laws

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from epi.stats.spatial.weights import SpatialWeights


def marshall(observed: ArrayLike, expected: ArrayLike) -> EmpiricalBayes:
    """Smooth ratios towards the overall one, by moments.

    Parameters
    ----------
    observed : array-like of int
        Cases of each area.
    expected : array-like of float
        Expected cases, or persons at risk, of each area.

    Returns
    -------
    EmpiricalBayes
        Gamma laws; `parameters` are ``mean`` and ``variance`` of the common law.

    Raises
    ------
    EstimationError
        If the counts are at fault.

    Notes
    -----
    Marshall RJ. Mapping disease and mortality rates using empirical Bayes estimators. Applied
    Statistics 1991;40:283-294; ``spdep::EBest``. Marshall supposes no law: limits and exceedance are
    those of the gamma law with his mean and variance.

    Examples
    --------
    >>> marshall([9, 39, 11, 2, 1], [1.4, 8.7, 6.0, 5.5, 4.2]).estimate.round(2).tolist()
    [5.13, 4.33, 1.89, 0.58, 0.54]
    """
    y, e = check_counts(observed, expected)
    mean = float(y.sum() / e.sum())
    variance = float((e * (y / e - mean) ** 2).sum() / e.sum() - mean / e.mean())
    variance = max(variance, 0.0)
    return gamma_laws("Marshall, global", y, e, mean, variance, {"mean": mean, "variance": variance})


def marshall_local(
    observed: ArrayLike,
    expected: ArrayLike,
    weights: SpatialWeights,
    *,
    about: Literal["own", "each"] = "own",
) -> EmpiricalBayes:
    """Smooth ratios towards those of the neighbourhood, by moments.

    Parameters
    ----------
    observed : array-like of int
        Cases of each area, in the order of the weights' labels.
    expected : array-like of float
        Expected cases, or persons at risk, of each area.
    weights : SpatialWeights
        Who is whose neighbour; an area and its neighbours, all weighing the same, are its
        neighbourhood.
    about : {"own", "each"}, optional
        Squared differences within a neighbourhood are taken about its own mean, or for each member
        about the mean of that member's own neighbourhood; ``spdep::EBlocal`` with ``geoda=TRUE`` and
        ``FALSE``.

    Returns
    -------
    EmpiricalBayes
        Gamma laws; those of a neighbourhood without variation beyond chance have collapsed.

    Raises
    ------
    EstimationError
        If the counts are at fault or not as many as the areas of the weights.
    ParameterError
        If an option is unknown.

    Notes
    -----
    Marshall, Applied Statistics 1991;40:283-294, section 4.

    Examples
    --------
    >>> from epi.stats.spatial.weights import weights_from_pairs
    >>> chain = weights_from_pairs(list("abcde"), list("abcd"), list("bcde"))
    >>> marshall_local([9, 39, 11, 2, 1], [1.4, 8.7, 6.0, 5.5, 4.2], chain).estimate.round(2).tolist()
    [4.75, 4.31, 1.94, 0.52, 0.31]
    """
    from scipy import sparse

    y, e = check_counts(observed, expected)
    if len(weights) != len(y):
        raise EstimationError(f"{len(y)} counts for {len(weights)} areas of the weights", "as many of each")
    if about not in ("own", "each"):
        raise ParameterError(f"about is {about!r}", "'own' or 'each'")
    around = sparse.csr_array((weights.matrix != 0).astype(float) + sparse.eye_array(len(y)))
    people = around @ e
    mean = (around @ y) / people
    ratio = y / e
    pairs = around.tocoo()
    middle = mean[pairs.row] if about == "own" else mean[pairs.col]
    squares = np.bincount(pairs.row, e[pairs.col] * (ratio[pairs.col] - middle) ** 2, minlength=len(y))
    size = people / np.asarray(around.sum(axis=1))
    variance = np.maximum(squares / people - mean / size, 0.0)
    return gamma_laws("Marshall, local", y, e, mean, variance, {})
