"""What clusters move predicted curves by: the infinitesimal jackknife of a baseline and of a profile's hazard.

A weight of 2 is not two persons, and persons of a cluster are not independent: the variance of a curve predicted by a
model with weights, clusters or repeated events is the sum of squares of what each cluster moves it by, directly
through the baseline and through the coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import ParameterError
from epi.survival.cox_residuals import ScoreResiduals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.ratio_model import RatioModel

MOST = 2_000_000_000
"""Rows times days that are gone through: more would take minutes."""


@dataclass(frozen=True)
class CurveInfluence:
    """Sums over clusters of what they move a baseline by, at some slots.

    Parameters
    ----------
    squares : numpy.ndarray, shape (slots,)
        Squares of what each moves the cumulated baseline by; missing at slots that were not asked for.
    crossed : numpy.ndarray, shape (slots, columns)
        Products of that with what each moves the coefficients by.
    moved : numpy.ndarray, shape (columns, columns)
        Products of what each moves the coefficients by.
    """

    squares: NDArray[np.float64]
    crossed: NDArray[np.float64]
    moved: NDArray[np.float64]

    def variance(self, lean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the variance of a profile's hazard over its ratio.

        Parameters
        ----------
        lean : numpy.ndarray, shape (slots, columns)
            What a change of the coefficients moves the profile's hazard by, over its ratio.

        Returns
        -------
        numpy.ndarray, shape (slots,)
            Variances.
        """
        own = ((lean @ self.moved) * lean).sum(axis=1)
        return np.maximum(self.squares + 2 * (lean * self.crossed).sum(axis=1) + own, 0.0)


def needs_influence(model: RatioModel) -> bool:
    """Say whether a model's curves need the variance over clusters.

    Parameters
    ----------
    model : RatioModel
        The model.

    Returns
    -------
    bool
        Whether it has weights, clusters or repeated events.
    """
    return any(model.settings[name] for name in ("weights", "clusters", "repeated"))


def sum_influence(model: RatioModel, slots: NDArray[np.int64], there: NDArray[np.bool_]) -> CurveInfluence:
    """Sum over clusters what they move a model's baseline by.

    Parameters
    ----------
    model : RatioModel
        The model.
    slots : numpy.ndarray of int64
        Slots at which it is wanted.
    there : numpy.ndarray of bool, shape (slots of the model,)
        Slots that count, those after the curve's start.

    Returns
    -------
    CurveInfluence
        The sums.

    Raises
    ------
    ParameterError
        If rows times slots are too many to be gone through.

    Notes
    -----
    Derivatives by the weight of a row of the cumulated hazard of Breslow, or of Efron's: a row at risk takes its risk
    times the sum over the day's terms of one over the square of what is at risk; a row with the event adds one over
    what is at risk, shared by the events of the day. Weights of censoring are taken as known.
    """
    sets, best, data = model.sets, model.best, model.data
    if len(sets.order) * len(slots) > MOST:
        raise ParameterError(
            f"curves over clusters at {len(slots):,} days of {len(sets.order):,} rows", "fewer times",
            "predict_survival(..., at_years=[1, 5, 10])",
        )  # fmt: skip
    weight = np.ones(len(sets.order)) if sets.weight is None else sets.weight
    single = data.cluster is None and data.persons == len(data)
    unit = np.arange(len(weight)) if single else np.unique(data.clusters[sets.order], return_inverse=True)[1]
    size = int(unit.max()) + 1
    bread = model.naive_covariance * np.outer(sets.scale, sets.scale)
    rows = (ScoreResiduals(sets, best).everything() * weight[:, None]) @ bread
    shifted = np.stack([np.bincount(unit, column, size) for column in rows.T], axis=1).astype(np.float64)
    heavy = best.risk * weight
    steps = best.steps * there
    gone = sets.before(steps)
    slot = sets.dead_slot
    left = best.at_risk[slot] - sets.fraction * np.bincount(slot, heavy[sets.dead], sets.slots)[slot]
    spared = np.bincount(slot, sets.fraction * sets.mean_weight[slot] / left**2, sets.slots)
    jump = best.hazard[slot] / (sets.mean_weight[slot] * sets.events[slot]) + best.risk[sets.dead] * spared[slot]
    jump = np.where(there[slot], jump * weight[sets.dead], 0.0)
    after = None if sets.tail is None else sets.before(steps * sets.tail.factor)
    squares, crossed = np.full(sets.slots, np.nan), np.full((sets.slots, len(bread)), np.nan)
    if np.isnan(model.covariance).any():
        # Clusters tell too little of a coefficient, on which all curves rest.
        return CurveInfluence(squares, crossed, np.full_like(bread, np.nan))
    stratum = sets.stratum[sets.stop]
    for at in slots.tolist():
        # What has been taken from each row of the stratum by the end of the slot.
        until = np.clip(sets.stop, sets.start, np.maximum(at + 1, sets.start))
        taken = gone[until] - gone[sets.start]
        if after is not None and sets.tail is not None:
            taken += sets.tail.base * (after[np.maximum(at + 1, sets.stop)] - after[sets.stop])
        own = -heavy * taken
        own[sets.dead] += np.where(slot <= at, jump, 0.0)
        own[stratum != sets.stratum[at]] = 0.0
        total = np.bincount(unit, own, size)
        squares[at], crossed[at] = total @ total, total @ shifted
    return CurveInfluence(squares, crossed, np.asarray(shifted.T @ shifted, dtype=np.float64))
