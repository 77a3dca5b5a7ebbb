"""Values of areas put in a stated order, with the weights that the statistics use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.stats.spatial.weights import SpatialWeights

Style = Literal["row", "binary", "given"]
Islands = Literal["drop", "keep"]
Alternative = Literal["two-sided", "greater", "less"]

STYLES = ("row", "binary", "given")
ALTERNATIVES = ("two-sided", "greater", "less")
ROUNDING = 1e-11
"""Statistics closer than this, relative to their size, are ties: sums in another order differ as much."""


@dataclass(frozen=True)
class Lattice:
    """Areas that take part in a statistic, sorted by their code.

    Parameters
    ----------
    labels : pandas.Index
        Codes of the areas that take part.
    places : numpy.ndarray
        Where each of them stands among the areas given.
    values : numpy.ndarray
        Their values, shape (areas,).
    matrix : scipy.sparse.csr_array
        Their weights, in the style asked for, shape (areas, areas).
    total : int
        Number of areas given.
    missing : int
        Areas left out because they have no value.
    islands : int
        Areas without a neighbour, after those without a value are out.
    """

    labels: pd.Index
    places: NDArray[np.intp]
    values: NDArray[np.float64]
    matrix: sparse.csr_array
    total: int
    missing: int
    islands: int

    def spread(self, result: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put one number for each area that took part back in the order given.

        Parameters
        ----------
        result : numpy.ndarray
            One number for each area of `labels`.

        Returns
        -------
        numpy.ndarray
            Shape (total,); missing for the areas left out.
        """
        whole = np.full(self.total, np.nan)
        whole[self.places] = result
        return whole


class Labelled(Protocol):
    """Anything with one code for each area: spatial weights, a basis of maps."""

    @property
    def labels(self) -> pd.Index:
        """Codes of the areas, in order."""
        ...

    def __len__(self) -> int: ...


def align(values: ArrayLike | pd.Series, weights: Labelled, name: str = "values") -> NDArray[np.float64]:
    """Read values in the order of the weights.

    Parameters
    ----------
    values : array-like or pandas.Series
        One for each area: a series with the codes of areas as its index is put in order, an array is
        taken as it stands.
    weights : SpatialWeights or MoranBasis
        The areas.
    name : str, optional
        How the values are called in a message.

    Returns
    -------
    numpy.ndarray
        Shape (areas,).

    Raises
    ------
    ParameterError
        If there are more or fewer values than areas, other codes, or infinite values.
    """
    if isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex):
        if values.index.has_duplicates or len(values.index.symmetric_difference(weights.labels)):
            raise ParameterError(
                f"{name} are indexed by {len(values)} codes, not those of the {len(weights)} areas of the weights",
                "one value for each area of the weights, missing where there is none",
                "weights.select(codes), or values.reindex(weights.labels)",
            )
        values = values.reindex(weights.labels)
    array = np.asarray(values, dtype=float)
    if array.shape != (len(weights),):
        raise ParameterError(f"{name} have shape {array.shape}", f"one for each of the {len(weights)} areas")
    if np.isinf(array).any():
        raise ParameterError(f"{int(np.isinf(array).sum())} {name} are infinite", "finite or missing values")
    return array


def build_lattice(
    values: ArrayLike | pd.Series,
    weights: SpatialWeights,
    *,
    style: Style = "row",
    islands: Islands = "drop",
    least: int = 4,
) -> Lattice:
    """Sort areas by their code, leave out those that cannot take part, and weigh the others.

    Parameters
    ----------
    values : array-like or pandas.Series
        See :func:`align`; areas with a missing value are left out with their links.
    weights : SpatialWeights
        Who is whose neighbour.
    style : {"row", "binary", "given"}, optional
        Weights of each area adding up to 1, weights of 1, or those given.
    islands : {"drop", "keep"}, optional
        Areas without a neighbour are left out of everything, or count in the mean and the variance.
    least : int, optional
        Fewest areas that the statistic can do with.

    Returns
    -------
    Lattice
        What takes part.

    Raises
    ------
    EstimationError
        If too few areas are left, or none of them has a neighbour.
    ParameterError
        If an option is unknown or values do not fit the weights.
    """
    if style not in STYLES or islands not in ("drop", "keep"):
        raise ParameterError(f"style is {style!r}, islands {islands!r}", "row, binary or given; drop or keep")
    array = align(values, weights)
    known = np.flatnonzero(~np.isnan(array))
    # Codes as texts: numbers and texts in one index would not sort, and 1 and "1" are never both there.
    places = known[np.argsort(weights.labels[known].astype(str), kind="stable")]
    part = weights.select(weights.labels[places])
    alone = part.degrees == 0
    if islands == "drop" and alone.any():
        places = places[~alone]
        part = part.select(part.labels[~alone])
    if len(part) < least or part.matrix.nnz == 0:
        raise EstimationError(
            f"{len(part)} areas with a value and {part.matrix.nnz} links between them",
            f"at least {least} areas, some of them neighbours",
        )
    if style == "row":
        part = part.row_standardised()
    matrix = part.matrix.astype(float)
    if style == "binary":
        matrix = sparse.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    return Lattice(
        part.labels, places, array[places], matrix, len(array), len(array) - len(known), int(alone.sum())
    )  # fmt: skip


def check_alternative(alternative: str) -> None:
    """Refuse an unknown alternative.

    Parameters
    ----------
    alternative : str
        What was asked for.

    Raises
    ------
    ParameterError
        If it is not one of :data:`ALTERNATIVES`.
    """
    if alternative not in ALTERNATIVES:
        raise ParameterError(f"alternative is {alternative!r}", ", ".join(ALTERNATIVES))


def rank_p(observed: float, draws: NDArray[np.float64], centre: float, alternative: Alternative = "two-sided") -> float:
    """Place a statistic among its draws under the null hypothesis: (1 + as extreme) / (1 + draws).

    Parameters
    ----------
    observed : float
        The statistic.
    draws : numpy.ndarray
        Its draws, one dimension.
    centre : float
        Its expectation: two-sided, distances from it are compared.
    alternative : {"two-sided", "greater", "less"}, optional
        What counts as extreme.

    Returns
    -------
    float
        A pseudo p-value, never zero (North, Curtis and Sham, Am J Hum Genet 2002;71:439); missing
        without a draw. Draws equal to the statistic but for rounding count as extreme.

    Examples
    --------
    >>> rank_p(3.0, np.array([1.0, 2.0, 3.0, -4.0]), 0.0)
    0.6
    """
    check_alternative(alternative)
    if not len(draws):
        return float("nan")
    slack = ROUNDING * max(abs(observed), float(np.abs(draws).max()))
    if alternative == "two-sided":
        extreme = np.abs(draws - centre) >= abs(observed - centre) - slack
    elif alternative == "greater":
        extreme = draws >= observed - slack
    else:
        extreme = draws <= observed + slack
    return float((1 + extreme.sum()) / (1 + len(draws)))


def normal_p(z: float, alternative: Alternative = "two-sided") -> float:
    """Tail of the normal law beyond a standardised statistic.

    Parameters
    ----------
    z : float
        The statistic.
    alternative : {"two-sided", "greater", "less"}, optional
        Which tail.

    Returns
    -------
    float
        The probability.
    """
    from scipy.stats import norm

    check_alternative(alternative)
    if alternative == "two-sided":
        return float(2 * norm.sf(abs(z)))
    return float(norm.sf(z) if alternative == "greater" else norm.cdf(z))
