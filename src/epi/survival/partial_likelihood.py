"""The partial likelihood of proportional hazards: its value, score and information, and its maximum.

The information needs no loop over event days: the part that is quadratic in the covariates is one product
X' diag(v) X, where v is a row's risk times the hazard cumulated while it is at risk, and what is taken
away is quadratic in the means of risk sets, one for each event day.

A day with d events of mean weight w has d terms with f = k/d (Efron, JASA 1977) or f = 0 (Breslow): the risk
set S less f times the risk D of those with the event, w log(S - f D).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, sparse

from epi.survival.placed_rows import RiskSets, Tail, exposure, quadratic_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETTLED, MOST_SETTLED = 3e-10, 2e-7
"""A Newton step this small, in standard errors by root of the events, is the last: the next would be its square.

The information is taken before it: a step of a standard error changes it by a part of one over that root.
"""
STEPS = 30
"""A finite maximum is reached in far fewer; a likelihood without one gains about 1 a step for ever."""
SAMPLED = 40_000
"""Events above which the search starts from the estimate of a part of the rows."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The partial likelihood at some coefficients, of the scaled columns.

    Parameters
    ----------
    beta : numpy.ndarray, shape (columns,)
        Coefficients.
    value : float
        Logarithm of the partial likelihood.
    score : numpy.ndarray, shape (columns,)
        Its slope.
    information : numpy.ndarray, shape (columns, columns)
        Its curvature, negative.
    risk : numpy.ndarray, shape (rows,)
        Hazard of each sorted row relative to the centre, without its weight.
    at_risk : numpy.ndarray, shape (slots,)
        Weighted sum of risks of the risk set.
    hazard, hazard_fraction : numpy.ndarray, shape (slots,)
        Sum over the day's terms of w / (S - f D), and of f w / (S - f D).
    steps : numpy.ndarray, shape (slots,)
        Sum over terms of w / (S - f D)^2.
    drift, drift_fraction : numpy.ndarray, shape (slots, columns)
        Sum over terms of w m / (S - f D), m being the mean of the covariates, and of f times that.
    mean : numpy.ndarray, shape (slots, columns)
        Mean of the covariates over the day's terms.
    risk_x, dead_x : numpy.ndarray, shape (slots, columns)
        Weighted risks times covariates, summed over the risk set and over those with the event.
    """

    beta: NDArray[np.float64]
    value: float
    score: NDArray[np.float64]
    information: NDArray[np.float64]
    risk: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    hazard: NDArray[np.float64]
    hazard_fraction: NDArray[np.float64]
    steps: NDArray[np.float64]
    drift: NDArray[np.float64]
    drift_fraction: NDArray[np.float64]
    mean: NDArray[np.float64]
    risk_x: NDArray[np.float64]
    dead_x: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where the search ended.

    Parameters
    ----------
    null, best : Likelihood
        At no effect, and at the maximum.
    beta : numpy.ndarray, shape (columns,)
        Coefficients of the scaled columns at the maximum.
    iterations : int
        Newton steps.
    direction : numpy.ndarray or None
        Where the likelihood still rises, when no finite maximum was found.
    """

    null: Likelihood
    best: Likelihood
    beta: NDArray[np.float64]
    iterations: int
    direction: NDArray[np.float64] | None = None


def sum_by_slot(values: NDArray[np.float64], bounds: NDArray[np.int32]) -> NDArray[np.float64]:
    """Sum values that stand in the order of slots.

    Parameters
    ----------
    values : numpy.ndarray
        Values.
    bounds : numpy.ndarray of int32, shape (slots + 1,)
        Place of each slot's first value, and their number.

    Returns
    -------
    numpy.ndarray, shape (slots,)
        Sums.
    """
    found = np.zeros(len(bounds) - 1)
    filled = np.flatnonzero(bounds[1:] > bounds[:-1])
    if len(filled):
        found[filled] = np.add.reduceat(values, bounds[:-1][filled])
    return found


class SlotSums:
    """Sums of rows by slot, prepared once.

    Parameters
    ----------
    sets : RiskSets
        Rows and slots.
    """

    def __init__(self, sets: RiskSets) -> None:
        self.sets = sets
        # Rows at risk on no event day would be added and taken away again, for rounding only.
        there = sets.start < sets.stop
        rows = np.arange(len(there)) if there.all() else np.flatnonzero(there)
        self.leave = self._prepare(rows, sets.stop)
        late = sets.entering
        self.enter = self._prepare(late if there.all() else late[there[late]], sets.start) if len(late) else None
        self.die = (sets.dead.astype(np.int32), np.concatenate([[0], np.cumsum(sets.events)]).astype(np.int32))
        # Weighted covariates of those with the event, by day: the same whatever the coefficients.
        own = np.ones(len(sets.dead)) if sets.weight is None else sets.weight[sets.dead]
        self.event_x = self.by(own, self.die)[1]
        self.keep = None
        if sets.tail is not None:
            self.keep = self._prepare(np.flatnonzero(sets.tail.base > 0), sets.stop)

    def _prepare(self, rows: NDArray[np.int64], slot: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        count = np.bincount(slot[rows], minlength=self.sets.slots)
        return rows.astype(np.int32), np.concatenate([[0], np.cumsum(count)]).astype(np.int32)

    def by(
        self, values: NDArray[np.float64], at: tuple[NDArray[np.int32], NDArray[np.int32]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum values of some rows, and values times covariates, by slot.

        Parameters
        ----------
        values : numpy.ndarray
            One for each of the rows.
        at : tuple of numpy.ndarray
            Sorted rows, and the place of each slot's first.

        Returns
        -------
        numpy.ndarray, shape (slots,)
            Sums of the values.
        numpy.ndarray, shape (slots, columns)
            Sums of values times covariates.
        """
        rows, bounds = at
        total = sparse.csr_array((values, rows, bounds), shape=(self.sets.slots, len(self.sets.order)))
        return sum_by_slot(values, bounds), np.asarray(total @ self.sets.x)

    def at_risk(self, risk: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum over risk sets: those who have not left, less those who have not entered.

        Parameters
        ----------
        risk : numpy.ndarray, shape (rows,)
            Weighted risks.

        Returns
        -------
        numpy.ndarray, shape (slots,)
            Sums of the risks.
        numpy.ndarray, shape (slots, columns)
            Sums of risks times covariates.
        """
        sets = self.sets
        rows = self.leave[0]
        leave0, leave1 = self.by(risk if len(rows) == len(risk) else risk[rows], self.leave)
        found0, found1 = _after(sets, leave0), _after(sets, leave1)
        if self.enter is not None:
            enter0, enter1 = self.by(risk[self.enter[0]], self.enter)
            come0, come1 = sets.cumulate(enter0), sets.cumulate(enter1)
            # From whichever end of time has less to sum: a small risk set keeps its digits.
            early = come0 < found0
            found0 = np.where(early, come0 - sets.cumulate(leave0), found0 - _after(sets, enter0))
            found1 = np.where(early[:, None], come1 - sets.cumulate(leave1), found1 - _after(sets, enter1))
        if sets.tail is not None and self.keep is not None:
            kept0, kept1 = self.by((risk * sets.tail.base)[self.keep[0]], self.keep)
            found0 = found0 + sets.tail.factor * sets.cumulate(kept0)
            found1 = found1 + sets.tail.factor[:, None] * sets.cumulate(kept1)
        return found0, found1


def _after(sets: RiskSets, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the slots after each one, within strata."""
    sums = sets.cumulate(values, reverse=True)
    found = np.zeros_like(sums)
    found[:-1] = sums[1:]
    found[sets.first[1:] - 1] = 0.0
    return found


def evaluate(sets: RiskSets, beta: NDArray[np.float64], sums: SlotSums | None = None) -> Likelihood:
    """Compute the partial likelihood, its score and its information.

    Parameters
    ----------
    sets : RiskSets
        Rows and slots.
    beta : numpy.ndarray, shape (columns,)
        Coefficients of the scaled columns.
    sums : SlotSums, optional
        Prepared sums.

    Returns
    -------
    Likelihood
        Everything that follows from the risk sets.
    """
    sums = SlotSums(sets) if sums is None else sums
    # Not BLAS: for a matrix this narrow its threads wait for one another longer than they work.
    eta = np.einsum("ij,j->i", sets.x, beta) if beta.any() else np.zeros(len(sets.order))
    with np.errstate(all="ignore"):
        dead_eta = eta[sets.dead]
        risk = np.exp(eta, out=eta)
        heavy = risk if sets.weight is None else risk * sets.weight
        s0, s1 = sums.at_risk(heavy)
        tied = bool(sets.fraction.any())
        d0, d1 = sums.by(heavy[sets.dead], sums.die) if tied else (np.zeros_like(s0), np.zeros_like(s1))
        slot = sets.dead_slot
        left = s0[slot] - sets.fraction * d0[slot]
        mean_weight = sets.mean_weight[slot]
        log_left = np.log(left)
        part = mean_weight / left

        def by_slot(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return sum_by_slot(values, sums.die[1])

        hazard = by_slot(part)
        steps = by_slot(part / left)
        own = 1.0 if sets.weight is None else sets.weight[sets.dead]
        value = float((own * dead_eta).sum() - (mean_weight * log_left).sum())
        nothing = np.zeros(sets.slots)
        hazard_f = by_slot(sets.fraction * part) if tied else nothing
        steps_f = by_slot(sets.fraction * part / left) if tied else nothing
        steps_ff = by_slot(sets.fraction**2 * part / left) if tied else nothing
        total = np.where(sets.events > 0, sets.mean_weight * sets.events, 1.0)
        mean = (hazard[:, None] * s1 - hazard_f[:, None] * d1) / total[:, None]
        drift = steps[:, None] * s1 - steps_f[:, None] * d1
        drift_f = steps_f[:, None] * s1 - steps_ff[:, None] * d1
        score = (sums.event_x - total[:, None] * mean).sum(axis=0)
        through = exposure(sets, hazard)
        if tied:
            through[sets.dead] -= hazard_f[slot]
        through *= heavy
        if np.isfinite(value) and np.isfinite(through.sum()):
            information = quadratic_sum(sets, through) - (s1.T @ drift - d1.T @ drift_f)
            information = (information + information.T) / 2
        else:
            value, information = -np.inf, np.full((len(beta), len(beta)), np.nan)
    return Likelihood(beta, value, score, information, risk, s0, hazard, hazard_f, steps, drift, drift_f, mean, s1, d1)


def weighted_information(sets: RiskSets, at: Likelihood, factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the variances of the covariates in risk sets, each day times a factor.

    Parameters
    ----------
    sets : RiskSets
        Rows and slots.
    at : Likelihood
        The likelihood.
    factor : numpy.ndarray, shape (slots,)
        Factor of each day; may be negative.

    Returns
    -------
    numpy.ndarray, shape (columns, columns)
        The information where every factor is 1.
    """
    through = exposure(sets, at.hazard * factor)
    through[sets.dead] -= (at.hazard_fraction * factor)[sets.dead_slot]
    through *= at.risk if sets.weight is None else at.risk * sets.weight
    weighed = factor[:, None]
    found = quadratic_sum(sets, through) - (
        at.risk_x.T @ (at.drift * weighed) - at.dead_x.T @ (at.drift_fraction * weighed)
    )
    return np.asarray((found + found.T) / 2, dtype=np.float64)


def newton_step(at: Likelihood) -> NDArray[np.float64] | None:
    """Give the step to the maximum of the parabola that fits here.

    Parameters
    ----------
    at : Likelihood
        Where the search stands.

    Returns
    -------
    numpy.ndarray or None
        The step; None where the information is not positive.
    """
    scale = np.sqrt(np.maximum(np.diag(at.information), 0.0))
    if not (scale > 0).all() or not np.isfinite(at.information).all():
        return None
    try:
        factor = linalg.cho_factor(at.information / np.outer(scale, scale))
    except linalg.LinAlgError:
        return None
    return np.asarray(linalg.cho_solve(factor, at.score / scale) / scale, dtype=np.float64)


def maximise(sets: RiskSets, null: Likelihood | None = None, sums: SlotSums | None = None) -> Maximum:
    """Find the maximum by Newton's method.

    Parameters
    ----------
    sets : RiskSets
        Rows and slots.
    null : Likelihood, optional
        At no effect, where it is known.
    sums : SlotSums, optional
        Prepared sums.

    Returns
    -------
    Maximum
        The maximum, or the direction in which there is none.
    """
    sums = SlotSums(sets) if sums is None else sums
    null = evaluate(sets, np.zeros(sets.x.shape[1]), sums) if null is None else null
    here = null
    if len(sets.dead) > SAMPLED:
        begun = evaluate(sets, _guess(sets), sums)
        here = begun if begun.value > null.value else null
    direction, former = here.score, np.inf
    settled = min(SETTLED * np.sqrt(len(sets.dead)), MOST_SETTLED) ** 2
    for iteration in range(1, STEPS + 1):
        step = newton_step(here)
        if step is None:
            return Maximum(null, here, here.beta, iteration, direction)
        direction = step
        gain = float(step @ here.score)
        # Where no maximum is finite the gain vanishes too, but steps stay of size 1.
        rounding = gain <= 1e-14 and gain >= former / 4
        if (gain <= settled or rounding) and np.abs(step).max() <= 1e-6:
            return Maximum(null, here, here.beta + step, iteration)
        former = gain
        there, share = evaluate(sets, here.beta + step, sums), 1.0
        while there.value < here.value - 1e-12 * abs(here.value) and share > 1e-4:
            share /= 2
            there = evaluate(sets, here.beta + share * step, sums)
        here = there
    return Maximum(null, here, here.beta, STEPS, direction)


def _guess(sets: RiskSets) -> NDArray[np.float64]:
    """Estimate from one row in sixteen, to begin near the maximum; its end does not depend on it."""
    rows = np.arange(0, len(sets.order), 16)
    number = np.full(len(sets.order), -1, dtype=np.int64)
    number[rows] = np.arange(len(rows))
    dead = number[sets.dead]
    slot = sets.dead_slot[dead >= 0]
    events = np.bincount(slot, minlength=sets.slots)
    heavy = events if sets.weight is None else np.bincount(slot, sets.weight[rows][dead[dead >= 0]], sets.slots)
    mean_weight = np.divide(heavy, events, out=np.zeros(sets.slots), where=events > 0)
    tail = None if sets.tail is None else Tail(sets.tail.base[rows], sets.tail.factor)
    entering = number[sets.entering]
    part = RiskSets(
        sets.order[rows], np.ascontiguousarray(sets.x[rows]), sets.centre, sets.scale,
        None if sets.weight is None else sets.weight[rows], sets.start[rows], sets.stop[rows], dead[dead >= 0], slot,
        np.zeros(len(slot)), mean_weight, events, sets.day, sets.stratum, sets.first, entering[entering >= 0],
        tail,
    )  # fmt: skip
    sums = SlotSums(part)
    here = evaluate(part, np.zeros(sets.x.shape[1]), sums)
    for turn in range(3):
        step = newton_step(here)
        if step is None:
            break
        if turn == 2:
            return here.beta + step
        there = evaluate(part, here.beta + step, sums)
        if not there.value > here.value:
            break
        here = there
    return here.beta
