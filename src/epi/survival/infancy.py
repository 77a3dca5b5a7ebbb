"""Infancy: how the deaths of the first year of life are shared out over its days.

Half of infant deaths fall in the first week. A probability of death within the first year becomes hazards of
pieces of it, by a published distribution of infant deaths; whatever the pieces, the year keeps its probability.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFANT_DEATHS: tuple[tuple[int, float], ...] = ((1, 0.244), (7, 0.478), (28, 0.70))
"""Share of infant deaths until a day of life: the first day and the first week, 53,077 infant deaths of France,
2001-2019 (Trinh et al., Lancet Reg Health Eur 2022;16:100339); four weeks, neonatal over infant mortality of France
in 2019, 2.6 over 3.7 per 1,000 (UN IGME). The distribution of other years differs (four weeks: 59 % in 1995, Hatton
et al. 2000), the yearly total does not."""


def share_out(
    first_year: NDArray[np.float64], infant: tuple[tuple[int, float], ...], year_length: float
) -> NDArray[np.float64]:
    """Give the hazards a day of the pieces of the first year, which keeps its probability of death.

    Parameters
    ----------
    first_year : numpy.ndarray of float64
        Hazards a day of the first year as a whole.
    infant : tuple of (int, float)
        Day of life and share of infant deaths before it.
    year_length : float
        Days in a year of age.

    Returns
    -------
    numpy.ndarray of float64
        With one axis more, the pieces.
    """
    if not infant:
        return first_year[..., None]
    edges = np.array([0.0, *(day for day, _ in infant), year_length])
    shares = np.array([0.0, *(share for _, share in infant), 1.0])
    dying = -np.expm1(-first_year * year_length)
    cumulative = -np.log1p(-dying[..., None] * shares)
    return np.asarray(np.diff(cumulative, axis=-1) / np.diff(edges), dtype=np.float64)


def check_infant(knots: tuple[tuple[int, float], ...]) -> None:
    """Refuse what is no distribution of infant deaths.

    Parameters
    ----------
    knots : tuple of (int, float)
        Day of life and share of infant deaths before it.

    Raises
    ------
    ParameterError
        If days or shares do not rise within the first year.
    """
    days, shares = [0, *(day for day, _ in knots), 365], [0.0, *(share for _, share in knots), 1.0]
    if any(a >= b for a, b in pairwise(days)) or any(a > b for a, b in pairwise(shares)):
        raise ParameterError(
            "infant deaths are not shares that grow over the days of the first year",
            "pairs such as (7, 0.478): the share of infant deaths before a day of life, days from 1 to 364",
            "infant=() holds the hazard constant",
        )


def mean_infant_age(infant: tuple[tuple[int, float], ...], year_length: float) -> float:
    """Give the mean age at death of those who die in the first year, deaths even within each piece of it.

    Born evenly over a year, this share of infants who die do so in the year after the one of their birth.

    Parameters
    ----------
    infant : tuple of (int, float)
        Day of life and share of infant deaths before it; half a year where there is none.
    year_length : float
        Days in a year of age.

    Returns
    -------
    float
        Years.

    Examples
    --------
    >>> round(mean_infant_age(INFANT_DEATHS, 365.25), 3), mean_infant_age((), 365.25)
    (0.175, 0.5)
    """
    edges = np.array([0.0, *(day for day, _ in infant), year_length])
    shares = np.array([0.0, *(share for _, share in infant), 1.0])
    return float((np.diff(shares) * (edges[1:] + edges[:-1]) / 2).sum() / year_length)
