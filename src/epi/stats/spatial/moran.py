"""Global spatial autocorrelation: Moran's I and Geary's C, by their moments and by permutation.

Source: Cliff and Ord, Spatial Processes (1981), pages 17 to 21. Moments are those of R's
``spdep::moran.test`` and ``geary.test``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.lattice import (
    Alternative,
    Islands,
    Lattice,
    Style,
    build_lattice,
    check_alternative,
    normal_p,
    rank_p,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray
    from scipy import sparse

    from epi.stats.spatial.weights import SpatialWeights

Assumption = Literal["randomisation", "normality"]


@dataclass(frozen=True)
class Autocorrelation:
    """A test of global spatial autocorrelation.

    Parameters
    ----------
    statistic : str
        ``Moran's I`` or ``Geary's C``.
    value, expectation, sd, z, p_analytic : float
        The statistic, its moments without autocorrelation, their standardised distance (above zero
        when neighbours are alike, for Geary's C too) and the normal tail.
    p_permutation : float
        Pseudo p-value; missing when no permutation was asked for.
    n, links, islands, missing : int
        Areas that took part, their links (one way each), areas without a neighbour, areas without a value.
    alternative, assumption : str
        What was asked for.
    draws : numpy.ndarray
        The statistic in each permutation or simulation.
    """

    statistic: str
    value: float
    expectation: float
    sd: float
    z: float
    p_analytic: float
    p_permutation: float
    n: int
    links: int
    islands: int
    missing: int
    alternative: str
    assumption: str
    draws: NDArray[np.float64] = field(repr=False)


@dataclass(frozen=True)
class _Sums:
    """Sums of weights of Cliff and Ord: S0, S1, S2."""

    s0: float
    s1: float
    s2: float

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> _Sums:
        both = matrix + matrix.T
        margins = matrix.sum(axis=1) + matrix.sum(axis=0)
        return cls(float(matrix.sum()), float((both.data**2).sum() / 2), float((margins**2).sum()))


def moran_test(
    values: ArrayLike | pd.Series,
    weights: SpatialWeights,
    *,
    style: Style = "row",
    islands: Islands = "drop",
    alternative: Alternative = "two-sided",
    assumption: Assumption = "randomisation",
    permutations: int = 999,
    seed: int = 0,
) -> Autocorrelation:
    """Test whether neighbours have like values, by Moran's I.

    Parameters
    ----------
    values : array-like or pandas.Series
        One for each area, shape (areas,); areas with a missing value are left out with their links.
    weights : SpatialWeights
        Who is whose neighbour.
    style : {"row", "binary", "given"}, optional
        Weights of each area adding up to 1, weights of 1, or those given.
    islands : {"drop", "keep"}, optional
        Areas without a neighbour are left out (``spdep`` on the other areas), or kept in the mean, the
        variance and the number of areas (``zero.policy = TRUE, adjust.n = FALSE``).
    alternative : {"two-sided", "greater", "less"}, optional
        ``greater``: neighbours are alike.
    assumption : {"randomisation", "normality"}, optional
        Where the analytic variance comes from.
    permutations : int, optional
        Random permutations of the values over the areas; 0 for none.
    seed : int, optional
        Seed of the permutations.

    Returns
    -------
    Autocorrelation
        The test; the same whatever the order of the areas.

    Raises
    ------
    EstimationError
        If too few areas take part or their values are all alike.
    ParameterError
        If an option is unknown or values do not fit the weights.

    Examples
    --------
    >>> from epi.stats.spatial import weights_from_pairs
    >>> line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    >>> test = moran_test([1, 2, 3, 4, 5, 6], line, style="binary")
    >>> round(test.value, 3), round(test.expectation, 3), test.p_permutation < 0.05
    (0.6, -0.2, True)
    """
    lattice = build_lattice(values, weights, style=style, islands=islands)
    return moran_of_lattice(lattice, alternative, assumption, permutations, seed)


def geary_test(
    values: ArrayLike | pd.Series,
    weights: SpatialWeights,
    *,
    style: Style = "row",
    islands: Islands = "drop",
    alternative: Alternative = "two-sided",
    assumption: Assumption = "randomisation",
    permutations: int = 999,
    seed: int = 0,
) -> Autocorrelation:
    """Test whether neighbours have like values, by Geary's C.

    Parameters
    ----------
    values, weights, style, islands, alternative, assumption, permutations, seed : object
        As in :func:`moran_test`; ``greater`` means that neighbours are alike, which is a C below 1.

    Returns
    -------
    Autocorrelation
        The test; `z` is above zero when neighbours are alike.

    Raises
    ------
    EstimationError
        If too few areas take part or their values are all alike.
    ParameterError
        If an option is unknown or values do not fit the weights.

    Examples
    --------
    >>> from epi.stats.spatial import weights_from_pairs
    >>> line = weights_from_pairs(list("abcdef"), list("abcde"), list("bcdef"))
    >>> round(geary_test([1, 2, 3, 4, 5, 6], line, style="binary").value, 4)
    0.1429
    """
    lattice = build_lattice(values, weights, style=style, islands=islands)
    _check(alternative, assumption, permutations)
    n, sums = len(lattice.values), _Sums.of(lattice.matrix)
    z = _centred(lattice)
    square = float(z @ z)
    # The sum of w (zi - zj)^2 is a sum of squares weighted by margins, less twice the cross product.
    margins = lattice.matrix.sum(axis=1) + lattice.matrix.sum(axis=0)
    upper = _upper(lattice.matrix)
    scale = (n - 1) / (2 * sums.s0 * square)

    def statistic(x: NDArray[np.float64]) -> float:
        return scale * float(margins @ x**2 - 2 * (x @ (upper @ x)))

    value = statistic(z)
    variance = _geary_variance(n, sums, _kurtosis(z), assumption)
    sd = float(np.sqrt(variance))
    score = (1 - value) / sd
    draws = _permute(z, statistic, permutations, seed)
    return Autocorrelation(
        "Geary's C", value, 1.0, sd, score, normal_p(score, alternative),
        rank_p(-value, -draws, -1.0, alternative), n, lattice.matrix.nnz, lattice.islands, lattice.missing,
        alternative, assumption, draws,
    )  # fmt: skip


def _check(alternative: str, assumption: str, permutations: int) -> None:
    check_alternative(alternative)
    if assumption not in ("randomisation", "normality"):
        raise ParameterError(f"assumption is {assumption!r}", "randomisation or normality")
    if permutations < 0:
        raise ParameterError(f"permutations is {permutations}", "0 or more")


def _centred(lattice: Lattice) -> NDArray[np.float64]:
    values = np.asarray(lattice.values)
    z = values - values.mean()
    if not float(z @ z) > 1e-24 * max(float(values @ values), 1e-300):
        raise EstimationError(f"the values of all {len(z)} areas are alike", "values that differ")
    return z


def _kurtosis(z: NDArray[np.float64]) -> float:
    return float(len(z) * (z**4).sum() / (z @ z) ** 2)


def _upper(matrix: sparse.csr_array) -> sparse.csr_array:
    """Fold the weights over their diagonal: half the products for the same sum."""
    from scipy import sparse

    return sparse.csr_array(sparse.triu(matrix + matrix.T, k=1))


def moran_of_lattice(
    lattice: Lattice, alternative: Alternative, assumption: Assumption, permutations: int, seed: int
) -> Autocorrelation:
    """Compute Moran's I and its tests on areas already put in order.

    Parameters
    ----------
    lattice : Lattice
        The areas that take part.
    alternative, assumption, permutations, seed : object
        As in :func:`moran_test`.

    Returns
    -------
    Autocorrelation
        The test.

    Raises
    ------
    EstimationError
        If values are all alike.
    ParameterError
        If an option is unknown.
    """
    _check(alternative, assumption, permutations)
    n, sums = len(lattice.values), _Sums.of(lattice.matrix)
    z = _centred(lattice)
    upper = _upper(lattice.matrix)
    scale = n / (sums.s0 * float(z @ z))

    def statistic(x: NDArray[np.float64]) -> float:
        return scale * float(x @ (upper @ x))

    value, expectation = statistic(z), -1 / (n - 1)
    sd = float(np.sqrt(_moran_variance(n, sums, _kurtosis(z), assumption)))
    score = (value - expectation) / sd
    draws = _permute(z, statistic, permutations, seed)
    return Autocorrelation(
        "Moran's I", value, expectation, sd, score, normal_p(score, alternative),
        rank_p(value, draws, expectation, alternative), n, lattice.matrix.nnz, lattice.islands, lattice.missing,
        alternative, assumption, draws,
    )  # fmt: skip


def _permute(z, statistic, permutations: int, seed: int) -> NDArray[np.float64]:  # type: ignore[no-untyped-def]
    generator = np.random.Generator(np.random.PCG64(seed))
    shuffled = z.copy()
    draws = np.empty(permutations)
    for place in range(permutations):
        generator.shuffle(shuffled)
        draws[place] = statistic(shuffled)
    return draws


def _moran_variance(n: int, sums: _Sums, kurtosis: float, assumption: Assumption) -> float:
    squared, total = n * n, sums.s0**2
    if assumption == "normality":
        second = (squared * sums.s1 - n * sums.s2 + 3 * total) / (total * (squared - 1))
    else:
        plain = n * (sums.s1 * (squared - 3 * n + 3) - n * sums.s2 + 3 * total)
        peaked = kurtosis * (sums.s1 * (squared - n) - 2 * n * sums.s2 + 6 * total)
        second = (plain - peaked) / ((n - 1) * (n - 2) * (n - 3) * total)
    return second - 1 / (n - 1) ** 2


def _geary_variance(n: int, sums: _Sums, kurtosis: float, assumption: Assumption) -> float:
    squared, total = n * n, sums.s0**2
    if assumption == "normality":
        return ((2 * sums.s1 + sums.s2) * (n - 1) - 4 * total) / (2 * (n + 1) * total)
    first = (n - 1) * sums.s1 * (squared - 3 * n + 3 - kurtosis * (n - 1))
    second = (n - 1) * sums.s2 * (squared + 3 * n - 6 - kurtosis * (squared - n + 2)) / 4
    third = total * (squared - 3 - kurtosis * (n - 1) ** 2)
    return (first - second + third) / (n * (n - 2) * (n - 3) * total)
