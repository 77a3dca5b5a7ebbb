"""Weights of a subdistribution: persons with a competing event stay in the risk sets, with a weight that falls.

Somebody who had a competing event on day X counts on a later day t as the chance of not being censored
between, G(t-) / G(X-); with late entry times the chance of having entered by then, H(t-) / H(X-)
(Fine and Gray, JASA 1999; Geskus, Biometrics 2011). The factor of the day is alike for all of a stratum, so that
risk sums stay cumulated sums and nobody's time is cut into pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import DataError, EstimationError
from epi.survival.counting import after_days, continues, count_days

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData


@dataclass(frozen=True, eq=False)
class Observation:
    """Chance of being under observation, by stratum and day.

    Parameters
    ----------
    first : int
        Day of the first column.
    chance : numpy.ndarray, shape (strata, days)
        G(t-) H(t-) of each day, up to a constant of the stratum.
    censored : numpy.ndarray of int64, shape (strata, days)
        Persons whose follow-up ends without event.
    at_risk : numpy.ndarray of int64, shape (strata, days)
        Persons who might be censored on the day.
    """

    first: int
    chance: NDArray[np.float64]
    censored: NDArray[np.int64]
    at_risk: NDArray[np.int64]

    def at(self, stratum: NDArray[np.int64] | None, day: NDArray[np.int64]) -> NDArray[np.float64]:
        """Read the chance just before some days.

        Parameters
        ----------
        stratum : numpy.ndarray of int64 or None
            Strata; one without.
        day : numpy.ndarray of int64
            Days.

        Returns
        -------
        numpy.ndarray
            One for each.
        """
        place = 0 if stratum is None else stratum
        return np.asarray(self.chance[place, day - self.first], dtype=np.float64)


def check_single_transitions(data: SurvivalData) -> None:
    """Refuse persons at risk again after an event or a gap: they have no single end of follow-up.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Raises
    ------
    DataError
        If there are some.
    """
    if data.persons == len(data):
        return
    last = ends_of_follow_up(data)
    faults = []
    again = int((~last & (data.event > 0)).sum())
    if again:
        faults.append(f"after {again} events the same person is at risk again")
    gaps = int((~last & (data.event == 0) & ~continues(data)).sum())
    if gaps:
        faults.append(f"{gaps} rows are followed by another one of the same person after a gap")
    if faults:
        raise DataError(
            "a subdistribution needs one uninterrupted follow-up for each person", "rows that follow one another",
            "keep each person's rows until the first event or the first gap", faults=faults,
        )  # fmt: skip


def ends_of_follow_up(data: SurvivalData) -> NDArray[np.bool_]:
    """Tell the last row of each person.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    numpy.ndarray of bool
        One for each row.
    """
    if data.persons == len(data):
        return np.ones(len(data), dtype=bool)
    latest = np.full(data.persons, np.iinfo(np.int64).min)
    np.maximum.at(latest, data.person, data.exit)
    return np.asarray(data.exit == latest[data.person])


def estimate_observation(
    data: SurvivalData, stratum: NDArray[np.int64] | None, strata: int, *, events_first: bool = True
) -> Observation:
    """Estimate the chance of being under observation.

    Parameters
    ----------
    data : SurvivalData
        Follow-up, with every cause.
    stratum : numpy.ndarray of int64 or None
        Stratum of each row; one without.
    strata : int
        Number of strata.
    events_first : bool, optional
        Whether persons with an event on a day are no longer at risk of being censored on it.

    Returns
    -------
    Observation
        Kaplan-Meier estimates of censoring and, backwards in time, of entry.
    """
    counts = count_days(data, stratum, strata)
    days = counts.at_risk.shape[1]
    last = ends_of_follow_up(data)
    place = np.zeros(len(data), dtype=np.int64) if stratum is None else stratum * days

    def count(rows: NDArray[np.bool_], when: NDArray[np.int64]) -> NDArray[np.int64]:
        at = (place + (when - counts.first))[rows]
        return np.bincount(at, minlength=strata * days).reshape(strata, days).astype(np.int64)

    censored = count(last & (data.event == 0), data.exit)
    at_risk = counts.at_risk - counts.events.sum(axis=2) if events_first else counts.at_risk
    chance = _before(_stay(censored, at_risk))
    earliest = np.full(data.persons, np.iinfo(np.int64).max)
    np.minimum.at(earliest, data.person, data.entry)
    if earliest.max() > earliest.min():
        entered = count(data.entry == earliest[data.person], data.entry)
        # Backwards in time those leave the risk set who had not entered: among those at risk just after the day.
        chance = chance * np.cumprod(_stay(entered, after_days(counts))[:, ::-1], axis=1)[:, ::-1]
    return Observation(counts.first, chance, censored, at_risk)


def _stay(gone: NDArray[np.int64], at_risk: NDArray[np.int64]) -> NDArray[np.float64]:
    return 1 - np.divide(gone, at_risk, out=np.zeros(gone.shape), where=at_risk > 0)


def _before(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply the steps before each day."""
    found = np.ones_like(steps)
    np.cumprod(steps[:, :-1], axis=1, out=found[:, 1:])
    return found


def kept_weights(
    data: SurvivalData, competing: NDArray[np.bool_], stratum: NDArray[np.int64] | None, observation: Observation
) -> NDArray[np.float64]:
    """Give what a row's weight is divided by the chance at its exit, 0 for rows that leave the risk sets.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    competing : numpy.ndarray of bool
        Rows that end with a competing event.
    stratum : numpy.ndarray of int64 or None
        Stratum of each row.
    observation : Observation
        Chances.

    Returns
    -------
    numpy.ndarray, shape (rows,)
        The base of the weight kept.

    Raises
    ------
    EstimationError
        If a chance is zero: risk sets were empty between entries.
    """
    base = np.zeros(len(data))
    chance = observation.at(None if stratum is None else stratum[competing], data.exit[competing])
    if (chance <= 0).any():
        raise EstimationError(
            "the chance of having entered is zero at some competing events: at a later entry nobody else was at risk",
            "somebody at risk at every entry after the first", "start later, with data.window(low=...)",
        )  # fmt: skip
    base[competing] = 1 / chance
    return base
