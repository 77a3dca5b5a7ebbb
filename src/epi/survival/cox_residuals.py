"""Residuals of a fitted proportional hazards model, and what clusters move: linear in the rows.

Names and definitions are those of R's ``residuals.coxph``: Therneau, Grambsch and Fleming (Biometrika
1990) for martingale, deviance and score residuals, Grambsch and Therneau (Biometrika 1994) for scaled
Schoenfeld residuals. Tied events by Efron average over the day's terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from epi.survival.placed_rows import CHUNK, exposure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.partial_likelihood import Likelihood
    from epi.survival.placed_rows import RiskSets

Residual = Literal["martingale", "deviance", "score", "dfbeta", "schoenfeld", "scaled_schoenfeld"]
RESIDUALS: tuple[Residual, ...] = ("martingale", "deviance", "score", "dfbeta", "schoenfeld", "scaled_schoenfeld")


class ScoreResiduals:
    """Score residuals of sorted rows at some coefficients, without their weights, of the scaled columns.

    Parameters
    ----------
    sets : RiskSets
        Rows and slots.
    at : Likelihood
        The likelihood there.
    """

    def __init__(self, sets: RiskSets, at: Likelihood) -> None:
        self.sets, self.at = sets, at
        self.through = exposure(sets, at.hazard)
        self.drift = sets.before(at.drift)
        self.ahead = None
        if sets.tail is not None:
            self.ahead = sets.cumulate(at.drift * sets.tail.factor[:, None], reverse=True)
        self.died = np.zeros(len(sets.order), dtype=bool)
        self.died[sets.dead] = True

    def rows(self, rows: slice) -> NDArray[np.float64]:
        """Give the residuals of some rows.

        Parameters
        ----------
        rows : slice
            Sorted rows.

        Returns
        -------
        numpy.ndarray, shape (rows, columns)
            Score residuals.
        """
        sets, at = self.sets, self.at
        start, stop = sets.start[rows], sets.stop[rows]
        x, risk = sets.x[rows], at.risk[rows]
        found = self.drift[stop]
        found -= self.drift[start]
        if self.ahead is not None and sets.tail is not None:
            found += sets.tail.base[rows, None] * self.ahead[stop]
        found -= x * self.through[rows, None]
        found *= risk[:, None]
        died = np.flatnonzero(self.died[rows])
        slot = stop[died] - 1
        mine = x[died]
        found[died] += mine - at.mean[slot]
        found[died] += risk[died, None] * (mine * at.hazard_fraction[slot, None] - at.drift_fraction[slot])
        return found

    def everything(self) -> NDArray[np.float64]:
        """Give the residuals of all sorted rows.

        Returns
        -------
        numpy.ndarray, shape (rows, columns)
            Score residuals.
        """
        found = np.empty(self.sets.x.shape)
        for rows in self.sets.chunks():
            found[rows] = self.rows(rows)
        return found

    def products(self, unit: NDArray[np.int64] | None) -> NDArray[np.float64]:
        """Sum over clusters the products of their members' weighted residuals.

        Parameters
        ----------
        unit : numpy.ndarray of int64 or None
            Cluster of each sorted row; each row alone where None.

        Returns
        -------
        numpy.ndarray, shape (columns, columns)
            Products.
        """
        sets = self.sets
        size = sets.x.shape[1]
        if unit is None:
            total = np.zeros((size, size))
            for rows in sets.chunks():
                piece = self.rows(rows)
                if sets.weight is not None:
                    piece *= sets.weight[rows, None]
                total += piece.T @ (1.0 * piece)  # two arrays: see quadratic_sum
            return total
        number = int(unit.max()) + 1
        sums = np.zeros((number, size))
        # No piece is smaller than the table of sums that it is added to: all of them cost no more than the rows.
        width = max(CHUNK, number)
        for low in range(0, len(unit), width):
            rows = slice(low, min(low + width, len(unit)))
            weight = np.ones(rows.stop - low) if sets.weight is None else sets.weight[rows]
            places = np.arange(len(weight) + 1)
            sums += sparse.csc_array((weight, unit[rows], places), shape=(number, len(weight))) @ self.rows(rows)
        return np.asarray(sums.T @ sums, dtype=np.float64)


def martingale(sets: RiskSets, at: Likelihood) -> NDArray[np.float64]:
    """Give events less what was expected, of sorted rows.

    Parameters
    ----------
    sets : RiskSets
        Rows and slots.
    at : Likelihood
        The likelihood at the maximum.

    Returns
    -------
    numpy.ndarray, shape (rows,)
        Martingale residuals.
    """
    found = -at.risk * exposure(sets, at.hazard)
    found[sets.dead] += 1 + at.risk[sets.dead] * at.hazard_fraction[sets.dead_slot]
    return found


def deviance(residual: NDArray[np.float64], events: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn martingale residuals into deviance residuals.

    Parameters
    ----------
    residual : numpy.ndarray
        Martingale residuals.
    events : numpy.ndarray
        Events of each.

    Returns
    -------
    numpy.ndarray
        Deviance residuals.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(events > 0, events * np.log(events - residual), 0.0)
        return np.asarray(np.sign(residual) * np.sqrt(np.maximum(-2 * (residual + logs), 0.0)), dtype=np.float64)


def schoenfeld(sets: RiskSets, at: Likelihood) -> NDArray[np.float64]:
    """Give covariates of those with the event less the mean of their risk set, in the order of ``sets.dead``.

    Parameters
    ----------
    sets : RiskSets
        Rows and slots.
    at : Likelihood
        The likelihood at the maximum.

    Returns
    -------
    numpy.ndarray, shape (events, columns)
        Residuals of the scaled columns.
    """
    return np.asarray(sets.x[sets.dead] - at.mean[sets.dead_slot], dtype=np.float64)


def residual_table(
    kind: Residual, sets: RiskSets, at: Likelihood, names: tuple[str, ...], naive: NDArray[np.float64],
    coefficients: NDArray[np.float64], strata: tuple[str, ...],
) -> pd.DataFrame:  # fmt: skip
    """Tabulate residuals in the order of the data.

    Parameters
    ----------
    kind : str
        Which.
    sets : RiskSets
        Rows and slots.
    at : Likelihood
        The likelihood at the maximum.
    names : tuple of str
        Columns.
    naive : numpy.ndarray
        Covariance of the model, without clusters.
    coefficients : numpy.ndarray
        Coefficients.
    strata : tuple of str
        Names of the strata; empty without.

    Returns
    -------
    pandas.DataFrame
        A row for each row of the data; for Schoenfeld residuals one for each event, by stratum and day.
    """
    size = len(sets.order)
    if kind in ("martingale", "deviance"):
        values = martingale(sets, at)
        if kind == "deviance":
            events = np.zeros(size)
            events[sets.dead] = 1.0
            values = deviance(values, events)
        found = np.empty(size)
        found[sets.order] = values
        return pd.DataFrame({kind: found})
    if kind in ("score", "dfbeta"):
        values = ScoreResiduals(sets, at).everything() * sets.scale
        if kind == "dfbeta":
            values = values @ naive
            if sets.weight is not None:
                values *= sets.weight[:, None]
        placed = np.empty_like(values)
        placed[sets.order] = values
        return pd.DataFrame(placed, columns=list(names))
    values = schoenfeld(sets, at) * sets.scale
    if kind == "scaled_schoenfeld":
        values = values @ naive * len(sets.dead) + coefficients
    table = pd.DataFrame(values, columns=list(names))
    table.insert(0, "row", sets.order[sets.dead])
    table.insert(1, "time", sets.day[sets.dead_slot])
    if strata:
        table.insert(1, "stratum", np.asarray(strata, dtype=object)[sets.stratum[sets.dead_slot]])
    return table.sort_values([*(["stratum"] if strata else []), "time", "row"], ignore_index=True)
