"""The likelihood of excess hazards over a population's, and the search for its maximum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.arguments import check_numbers
from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEPS = 200
MODEL = "the model of excess hazards"
VANISHED = 1e-7
"""Excess deaths a person-year below which a band has none: the likelihood rises until its rate is 0."""


@dataclass(frozen=True)
class ExcessMaximum:
    """Where the likelihood is highest.

    Parameters
    ----------
    theta : numpy.ndarray of float64
        Logarithms of the bands' excess rates a year, then coefficients.
    covariance : numpy.ndarray of float64
        Inverse of the observed information.
    scores : numpy.ndarray of float64, shape (rows, parameters)
        First derivative of each row.
    loglik : float
        Logarithm of the likelihood.
    steps : int
        Newton's steps.
    """

    theta: Array
    covariance: Array
    scores: Array
    loglik: float
    steps: int


def check_bands(bands: Sequence[float]) -> list[float]:
    """Check the years at which bands begin.

    Parameters
    ----------
    bands : sequence of float
        Years since time zero.

    Returns
    -------
    list of float
        The same.

    Raises
    ------
    ParameterError
        If they do not rise from 0.
    """
    edges = check_numbers("bands", bands, "years that rise from 0", do="bands=[0, 1, 2, 5]").tolist()
    if not edges or edges[0] != 0 or (np.diff(edges) <= 0).any():
        raise ParameterError(f"bands is {list(bands)}", "years that rise from 0", "bands=[0, 1, 2, 5]")
    return [float(edge) for edge in edges]


def maximise_excess(
    years: Array, died: NDArray[np.int64], usual: Array, expected: Array, band: NDArray[np.int64], x: Array,
    weight: Array, bands: Sequence[str], names: Sequence[str],
) -> ExcessMaximum:  # fmt: skip
    """Find the excess rates and ratios of highest likelihood by Newton's steps.

    Parameters
    ----------
    years : numpy.ndarray of float64, shape (rows,)
        Time at risk.
    died : numpy.ndarray of int64
        Rows that end with a death.
    usual : numpy.ndarray of float64
        The population's hazard a year at each death.
    expected : numpy.ndarray of float64, shape (rows,)
        The population's deaths over each row.
    band : numpy.ndarray of int64, shape (rows,)
        Band of each row.
    x : numpy.ndarray of float64, shape (rows, terms)
        Covariates.
    weight : numpy.ndarray of float64, shape (rows,)
        Weights.
    bands, names : sequence of str
        Names of the bands and of the columns.

    Returns
    -------
    ExcessMaximum
        What was found.

    Raises
    ------
    EstimationError
        If a band has no excess of deaths, columns are combinations of each other, or there is no maximum.
    """
    size = len(bands)
    deaths = np.bincount(band[died], weight[died], size)
    empty = [bands[at] for at in map(int, np.flatnonzero(deaths == 0))]
    if empty:
        raise EstimationError(
            f"{MODEL} cannot be fitted: nobody dies in the band(s) {', '.join(empty)}",
            "deaths in each band", "bands= with fewer of them",
        )  # fmt: skip
    # Centred and scaled columns: the bands' rates are then those of a middle person, and steps lose no digits.
    middle, scale = np.average(x, axis=0, weights=weight * years), x.std(axis=0)
    inner = np.column_stack([np.eye(size)[band], (x - middle) / scale])
    upper = np.linalg.qr(inner * np.sqrt(weight * years)[:, None], mode="r")
    spread = np.abs(np.diag(upper))
    alike = np.flatnonzero(spread < 1e-9 * spread.max())
    if len(alike):
        column = names[int(alike[0]) - size] if alike[0] >= size else bands[int(alike[0])]
        raise EstimationError(
            f"{MODEL} cannot be fitted: {column!r} is a linear combination of other columns",
            "columns that vary on their own", "leave out or group the named column",
        )  # fmt: skip
    time = np.bincount(band, weight * years, size)
    excess = deaths - np.bincount(band, weight * expected, size)
    theta = np.concatenate([np.log(np.maximum(excess, 0.1 * deaths) / time), np.zeros(x.shape[1])])

    def value(at: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            eta = inner @ at
            total = (weight[died] * np.log(usual + np.exp(eta[died]))).sum() - (weight * np.exp(eta) * years).sum()
        return float(total) if np.isfinite(total) else -np.inf

    now = value(theta)
    for step in range(1, STEPS + 1):
        scores, information = _derivatives(theta, inner, years, died, usual, weight)
        gradient = scores.sum(axis=0)
        values, vectors = np.linalg.eigh(information)
        floor = 1e-10 * np.abs(values).max()
        # Where the likelihood is not bent downwards, its directions are turned to be.
        move = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), floor))
        gain = float(gradient @ move)
        length = 1.0
        while length > 1e-12:
            ahead = value(theta + length * move)
            if ahead >= now + 1e-4 * length * gain or (length == 1.0 and ahead >= now - 1e-12 * abs(now)):
                break
            length /= 2
        else:
            break
        theta, now = theta + length * move, ahead
        gone = [bands[at] for at in map(int, np.flatnonzero(theta[:size] < np.log(VANISHED)))]
        if gone:
            raise EstimationError(
                f"{MODEL} cannot be fitted: no more die than expected in the band(s) {', '.join(gone)}",
                "an excess of deaths in each band", "bands= with fewer of them, or estimate_smr",
            )  # fmt: skip
        if gain < 1e-20 * max(weight.sum(), 1.0) and values.min() > floor:
            return _finish(theta, now, step, inner, years, died, usual, weight, middle, scale, size)
    raise EstimationError(
        f"{MODEL} has no maximum that can be found", "an excess of deaths in each band and group",
        "fewer bands or covariates; a group in which no more die than expected has no ratio",
    )  # fmt: skip


def _finish(
    theta: Array, loglik: float, steps: int, inner: Array, years: Array, died: NDArray[np.int64], usual: Array,
    weight: Array, middle: Array, scale: Array, size: int,
) -> ExcessMaximum:  # fmt: skip
    """Go back from centred and scaled columns to those given."""
    scores, information = _derivatives(theta, inner, years, died, usual, weight)
    back = np.eye(len(theta))
    back[size:, size:] = np.diag(1 / scale)
    back[:size, size:] = -(middle / scale)
    forth = np.linalg.inv(back)
    covariance = back @ np.linalg.inv(information) @ back.T
    return ExcessMaximum(
        back @ theta, np.asarray((covariance + covariance.T) / 2, dtype=np.float64), scores @ forth, loglik, steps
    )


def _derivatives(
    theta: Array, inner: Array, years: Array, died: NDArray[np.int64], usual: Array, weight: Array
) -> tuple[Array, Array]:
    hazard = np.exp(inner @ theta)
    gone = weight * hazard * years
    # The chance that a death is of the excess.
    share = hazard[died] / (usual + hazard[died])
    pull = -gone
    pull[died] += weight[died] * share
    bent = gone.copy()
    bent[died] -= weight[died] * share * (1 - share)
    information = (bent[:, None] * inner).T @ inner
    return pull[:, None] * inner, (information + information.T) / 2
