"""Who is whose neighbour, and how much: one frozen type for every spatial statistic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from epi.errors import ParameterError


@dataclass(frozen=True)
class SpatialWeights:
    """Weights between areas, as a sparse matrix with an empty diagonal.

    Parameters
    ----------
    labels : pandas.Index
        Code of each area, unique; row and column i of `matrix` stand for ``labels[i]``.
    matrix : scipy.sparse.csr_array
        Weight of j for i at (i, j), positive and finite; no weight of an area for itself. Shape
        (areas, areas), indices sorted.
    """

    labels: pd.Index
    matrix: sparse.csr_array

    def __post_init__(self) -> None:
        """Refuse what is no set of weights."""
        faults = []
        n = len(self.labels)
        if self.labels.has_duplicates:
            faults.append("an area is there twice")
        if self.matrix.shape != (n, n):
            faults.append(f"the matrix is {self.matrix.shape[0]} by {self.matrix.shape[1]}, for {n} areas")
        elif self.matrix.diagonal().any():
            faults.append(f"{int(np.count_nonzero(self.matrix.diagonal()))} areas are their own neighbour")
        if not np.isfinite(self.matrix.data).all() or (self.matrix.data <= 0).any():
            faults.append("weights are missing, infinite, zero or negative")
        if faults:
            raise ParameterError(
                "these are no spatial weights", "positive weights between distinct areas", faults=faults
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def degrees(self) -> NDArray[np.intp]:
        """Number of neighbours of each area."""
        return np.diff(self.matrix.indptr)

    @property
    def islands(self) -> pd.Index:
        """Areas without a neighbour."""
        return self.labels[self.degrees == 0]

    @property
    def components(self) -> NDArray[np.intp]:
        """Number of the connected part that each area lies in, from 0; an island is a part of its own."""
        return np.asarray(sparse.csgraph.connected_components(self.matrix, directed=False)[1])

    @property
    def is_symmetric(self) -> bool:
        """Whether every weight is mutual and equal both ways."""
        return bool(abs(self.matrix - self.matrix.T).nnz == 0)

    @property
    def pairs(self) -> NDArray[np.intp]:
        """Positions (i, j), i < j, of areas that are neighbours either way; shape (pairs, 2), in order."""
        upper = sparse.triu(self.matrix + self.matrix.T, k=1).tocoo()
        order = np.lexsort((upper.col, upper.row))
        return np.column_stack([upper.row[order], upper.col[order]])

    def row_standardised(self) -> SpatialWeights:
        """Make the weights of each area add up to one; an island keeps none.

        Returns
        -------
        SpatialWeights
            The same neighbours.
        """
        sums = self.matrix.sum(axis=1)
        scale = np.divide(1.0, sums, out=np.zeros(len(self)), where=sums > 0)
        return SpatialWeights(self.labels, sparse.csr_array(sparse.diags_array(scale) @ self.matrix))

    def select(self, labels: Iterable[Any]) -> SpatialWeights:
        """Keep some areas, in the order given, with the weights between them.

        Parameters
        ----------
        labels : iterable
            Codes of areas.

        Returns
        -------
        SpatialWeights
            Areas whose neighbours are all left out become islands.

        Raises
        ------
        ParameterError
            If an area is unknown.
        """
        wanted = pd.Index(labels)
        place = self.labels.get_indexer(wanted)
        if (place < 0).any():
            raise ParameterError(
                f"{int((place < 0).sum())} of {len(wanted)} areas have no spatial weights",
                f"among the {len(self)} areas of the weights",
            )
        part = sparse.csr_array(self.matrix[place][:, place])
        part.sort_indices()
        return SpatialWeights(wanted, part)


def weights_from_pairs(
    labels: Sequence[Any] | pd.Index,
    first: ArrayLike,
    second: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    mutual: bool = True,
) -> SpatialWeights:
    """Make spatial weights from a list of neighbours.

    Parameters
    ----------
    labels : sequence
        Code of every area, islands included; its order is that of the matrix.
    first, second : array-like
        Codes of the two areas of each pair, of one length. A pair given twice counts once.
    weight : array-like, optional
        Weight of `second` for `first`; 1 by default.
    mutual : bool, optional
        Take each pair both ways.

    Returns
    -------
    SpatialWeights
        The weights.

    Raises
    ------
    ParameterError
        If a code is unknown, an area is its own neighbour, or a pair is given with two weights.

    Examples
    --------
    >>> weights = weights_from_pairs(["a", "b", "c", "d"], ["a", "b"], ["b", "c"])
    >>> weights.degrees.tolist(), weights.islands.tolist()
    ([1, 2, 1, 0], ['d'])
    >>> weights.row_standardised().matrix.toarray()[1].tolist()
    [0.5, 0.0, 0.5, 0.0]
    """
    index = pd.Index(labels)
    rows, columns = (index.get_indexer(pd.Index(np.asarray(side, dtype=object))) for side in (first, second))
    if len(rows) != len(columns):
        raise ParameterError(f"{len(rows)} first areas and {len(columns)} second ones", "as many of each")
    unknown = int((rows < 0).sum() + (columns < 0).sum())
    if unknown:
        raise ParameterError(f"{unknown} codes of neighbours are not among the areas", "codes of labels")
    values = np.ones(len(rows)) if weight is None else np.asarray(weight, dtype=float)
    if len(values) != len(rows):
        raise ParameterError(f"{len(values)} weights for {len(rows)} pairs", "one weight a pair")
    if mutual:
        rows, columns = np.concatenate([rows, columns]), np.concatenate([columns, rows])
        values = np.concatenate([values, values])
    unique = pd.DataFrame({"row": rows, "column": columns, "value": values}).drop_duplicates()
    if unique.duplicated(["row", "column"]).any():
        raise ParameterError("a pair of neighbours has two weights", "one weight a pair")
    unique = unique.sort_values(["row", "column"])
    matrix = sparse.csr_array(
        (unique["value"].to_numpy(), (unique["row"].to_numpy(), unique["column"].to_numpy())),
        shape=(len(index), len(index)),
    )
    matrix.sort_indices()
    return SpatialWeights(index, matrix)
