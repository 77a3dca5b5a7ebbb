"""Pieces of persons' time: rows cut at days, so that what changes may change between them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData


def cut_rows(
    data: SurvivalData, rows: NDArray[np.int64], days: NDArray[np.int64]
) -> tuple[SurvivalData, NDArray[np.int64]]:
    """Cut rows at days; the event, if any, stays with the last piece.

    At risk on (entry, exit]: a piece ends on the day of the cut and the next one begins after it, so that every day
    at risk lies in one piece and no estimate changes.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    rows : numpy.ndarray of int64, shape (cuts,)
        Positions of rows.
    days : numpy.ndarray of int64, shape (cuts,)
        Day of each cut on the data's time scale; those that are not within the row cut nothing.

    Returns
    -------
    pieces : SurvivalData
        A row for each piece, in the order of the rows and of time.
    owner : numpy.ndarray of int64
        Position of the row that each piece comes from.
    """
    within = (data.entry[rows] < days) & (days < data.exit[rows])
    owner = np.concatenate([np.arange(len(data)), rows[within]]).astype(np.int64)
    start = np.concatenate([data.entry, days[within]]).astype(np.int64)
    order = np.lexsort((start, owner))
    owner, start = owner[order], start[order]
    fresh = np.ones(len(owner), dtype=bool)
    fresh[1:] = (owner[1:] != owner[:-1]) | (start[1:] != start[:-1])
    owner, start = owner[fresh], start[fresh]
    last = np.append(owner[1:] != owner[:-1], True)
    stop = np.where(last, data.exit[owner], np.append(start[1:], 0))
    taken: dict[str, Any] = {
        name: None if values is None else values[owner]
        for name, values in (("weight", data.weight), ("cluster", data.cluster), ("strata", data.strata),
                             ("origin", data.origin), ("birth", data.birth))
    }  # fmt: skip
    pieces = replace(
        data, entry=start, exit=stop, event=np.where(last, data.event[owner], 0), person=data.person[owner],
        covariates=data.covariates.iloc[owner].reset_index(drop=True), **taken,
    )  # fmt: skip
    return pieces, owner
