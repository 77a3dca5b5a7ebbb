"""Circles around areas: which areas each of them holds, the nearest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]
    Places = NDArray[np.intp]

SAME_METRE = 1e-3
"""Areas whose distances to a centre differ by less than this are at one distance: they enter a circle together."""
MOST_MEMBERS = 60_000_000
"""Most numbers of a list of circles: 240 MB."""


@dataclass(frozen=True)
class Windows:
    """Circles, centre by centre, each holding the one before it.

    Parameters
    ----------
    members : numpy.ndarray
        Areas by distance, those of the first centre first, shape (sum of lengths,).
    starts : numpy.ndarray
        Where the list of each centre starts in `members`, and the end of the last, shape (areas + 1,).
    closes : numpy.ndarray
        Whether a circle ends with that member: not within a tie, nor beyond the limits.
    radius_m : numpy.ndarray
        Distance of each member to its centre, metres.
    """

    members: NDArray[np.int32]
    starts: Places
    closes: NDArray[np.bool_]
    radius_m: Array

    def __len__(self) -> int:
        return int(self.closes.sum())


def check_metres(x_m: ArrayLike, y_m: ArrayLike, n: int) -> tuple[Array, Array]:
    """Read coordinates in metres.

    Parameters
    ----------
    x_m, y_m : array-like
        Projected coordinates, metres, shape (areas,).
    n : int
        Number of areas.

    Returns
    -------
    x, y : numpy.ndarray
        The same as numbers.

    Raises
    ------
    EstimationError
        If a coordinate is missing.
    ParameterError
        If shapes differ, or coordinates look like degrees.
    """
    x, y = np.asarray(x_m, dtype=float), np.asarray(y_m, dtype=float)
    if x.shape != (n,) or y.shape != (n,):
        raise ParameterError(f"coordinates have shapes {x.shape} and {y.shape}", f"one of each for the {n} areas")
    lacking = int((~np.isfinite(x) | ~np.isfinite(y)).sum())
    if lacking:
        raise EstimationError(f"{lacking} of {n} areas have no coordinates", "metres for each area")
    if n and np.abs(x).max() <= 360 and np.abs(y).max() <= 360:
        raise ParameterError(
            "coordinates are all within 360, like degrees", "projected coordinates in metres",
            "epi.geography.area_points gives x_m and y_m",
        )  # fmt: skip
    return x, y


def build_windows(
    x: Array, y: Array, population: Array, *, max_share: float | None, max_radius_m: float | None
) -> Windows:
    """List the circles around each area.

    Parameters
    ----------
    x, y : numpy.ndarray
        Metres, shape (areas,); areas in an order that does not depend on the input's.
    population : numpy.ndarray
        Persons at risk, zero or more, shape (areas,).
    max_share : float or None
        Most of the whole population that a circle may hold.
    max_radius_m : float or None
        Largest radius, metres.

    Returns
    -------
    Windows
        The circles.

    Raises
    ------
    ParameterError
        If a limit is out of range, no circle is within the limits, or there are more than memory allows.
    """
    if (max_share is not None and not 0 < max_share < 1) or (max_radius_m is not None and not max_radius_m >= 0):
        raise ParameterError(
            f"max_share is {max_share}, max_radius_m {max_radius_m}", "a share between 0 and 1; metres of zero or more"
        )
    limit = np.inf if max_share is None else max_share * population.sum() * (1 + 1e-12)
    reach = np.inf if max_radius_m is None else max_radius_m + SAME_METRE / 2
    members, radii, closes, lengths = [], [], [], []
    for here in range(len(x)):
        distance = np.hypot(x - x[here], y - y[here])
        near = np.flatnonzero(distance <= reach)
        # A grain below which distances are alike, so that ties are ordered by area and not by rounding.
        near = near[np.lexsort((near, np.floor(distance[near] / SAME_METRE + 0.5)))]
        away = distance[near]
        inside = int(np.searchsorted(np.cumsum(population[near]), limit, side="right"))
        last = np.r_[np.diff(away) > SAME_METRE, True]
        near, away, last = near[:inside], away[:inside], last[:inside]
        # What follows the last circle that closes belongs to none.
        whole = int(np.flatnonzero(last)[-1]) + 1 if last.any() else 0
        members.append(near[:whole].astype(np.int32))
        radii.append(away[:whole])
        closes.append(last[:whole])
        lengths.append(whole)
        if sum(lengths) > MOST_MEMBERS:
            raise ParameterError(
                f"circles around {len(x)} areas are too many to list", "smaller circles or larger areas",
                "max_radius_m=, or areas such as bassins de vie",
            )  # fmt: skip
    if not sum(lengths):
        raise ParameterError("no circle is within the limits", "a larger share or radius")
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
    return Windows(np.concatenate(members), starts, np.concatenate(closes), np.concatenate(radii))
