"""Do cumulative incidences differ? Gray's test for one cause among several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from epi.errors import ParameterError
from epi.survival.comparison import Comparison, layers, quadratic, strata_notes
from epi.survival.counting import count_days
from epi.survival.data import of_follow_up
from epi.survival.groups import By, split_groups
from epi.survival.risk_sets import check_first_events

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData


@of_follow_up
def compare_incidence(
    data: SurvivalData, by: By, *, cause: str | None = None, rho: float = 0.0, strata: By = None
) -> Comparison:
    """Test whether groups have the same cumulative incidence of a cause.

    Parameters
    ----------
    data : SurvivalData
        Follow-up from time zero, a row for each person.
    by : str or sequence of str
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    cause : str, optional
        The cause; may be left out where there is one.
    rho : float, optional
        Each day weighs (1 - F)^rho, F being the incidence in all groups: early differences weigh more
        where rho is above 0.
    strata : str or sequence of str, optional
        Covariates within whose values groups are compared.

    Returns
    -------
    Comparison
        The test; `observed` and `expected` are sums of the days' weights.

    Raises
    ------
    ParameterError
        If there is one group only, or the data have late entry, weights or clusters, for which the
        test was not derived.

    Notes
    -----
    Gray (Ann Stat 1988), with its variance for ties, as R's cmprsk.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": range(1, 13), "what": [1, 2, 0] * 4, "arm": list("aaabbbaabbab")})
    >>> data = build_survival(seen, exit="days", event="what", causes={1: "death", 2: "transplant"})
    >>> print(compare_incidence(data, "arm", cause="death"))
    Gray's test of death: chi-square 0.008 (1 df), p = 0.9292
    """
    number = data.cause_number(cause)
    reasons = [
        words
        for there, words in (
            (data.delayed, "late entry"),
            (data.weight is not None, "weights"),
            (data.cluster is not None, "clusters"),
            (data.persons < len(data), "several rows for a person"),
        )
        if there
    ]
    if reasons:
        raise ParameterError(
            f"Gray's test is asked for and the data have {', '.join(reasons)}",
            "independent persons followed from time zero: its risk sets keep those who had another cause, by weights "
            "that were derived for censoring alone",
            "compare cause-specific hazards with compare_survival(cause=...), or fit a model of the incidence",
        )  # fmt: skip
    check_first_events(data)
    numbers, labels = split_groups(data, by)
    size = len(labels)
    if size < 2:
        raise ParameterError(f"there is one group, {labels[0]}", "two or more to compare", "by= and another column")
    observed, expected, variance = np.zeros(size), np.zeros(size), np.zeros((size, size))
    for rows, part in layers(data, strata):
        counts = count_days(part, numbers[rows], size)
        own = counts.events[:, :, number - 1].astype(np.float64)
        others = counts.events.sum(axis=2) - own
        found = _stratum(counts.at_risk.astype(np.float64), own, others, rho)
        observed += found[0]
        expected += found[1]
        variance += found[2]
    statistic, df = quadratic(observed - expected, variance)
    name = data.causes[number - 1]
    table = pd.DataFrame({
        "group": labels, "persons": np.bincount(numbers, minlength=size),
        "events": np.bincount(numbers[data.event == number], minlength=size),
        "observed": observed, "expected": expected,
    })  # fmt: skip
    settings = {
        "test": "gray", "rho": rho, "by": by, "groups": list(labels), "cause": name,
        "strata": strata, "variance": "Gray's",
    }  # fmt: skip
    notes = strata_notes(data, by, strata)
    if np.isnan(statistic):
        notes.append("no event tells the groups apart")
    return Comparison(table, statistic, df, float(stats.chi2.sf(statistic, df)), tuple(notes), settings)


def _stratum(
    risk: NDArray[np.float64], own: NDArray[np.float64], others: NDArray[np.float64], rho: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give the weighted observed and expected events of one stratum's groups, and their variances."""
    days = (own + others).sum(axis=0) > 0
    risk, own, others = risk[:, days], own[:, days], others[:, days]
    size = len(risk)
    if not days.any():
        return np.zeros(size), np.zeros(size), np.zeros((size, size))
    there = risk > 0
    held = np.where(there, risk, 1.0)
    free = np.cumprod(1 - np.where(there, (own + others) / held, 0.0), axis=1)
    before = np.concatenate([np.ones((size, 1)), free[:, :-1]], axis=1)
    risen = np.cumsum(np.where(there, before * own / held, 0.0), axis=1)
    risen_before = np.concatenate([np.zeros((size, 1)), risen[:, :-1]], axis=1)
    # Persons at risk stand for those of their group who would still be seen: risk over the share without event.
    stand = np.divide(risk, before, out=np.zeros_like(risk), where=there)
    total, events = stand.sum(axis=0), own.sum(axis=0)
    subrisk = stand * (1 - risen_before)
    pooled = np.cumsum(events / total)
    pooled_before = np.concatenate([[0.0], pooled[:-1]])
    weight = (1 - pooled_before) ** rho
    observed = (weight * own).sum(axis=1)
    expected = (weight * events * subrisk / subrisk.sum(axis=0)).sum(axis=1)
    # The score is an integral against each group's own events; what follows are its derivatives in these, by day.
    tilt = weight * (np.eye(size)[:, :, None] * stand[:, None, :] - stand[:, None, :] * stand[None, :, :] / total)
    carried = np.cumsum(tilt * events / (total * (1 - pooled_before)), axis=2)
    ahead = np.divide(1 - pooled, free, out=np.zeros_like(free), where=free > 0)
    reach = np.where(free > 0, 1 - ahead, 1.0)
    several = events > 1
    shrink = 1 - np.where(several, (events - 1) / np.where(several, total * before - 1, 1.0), 0.0)
    first = np.where(there, shrink * before * events / (total * held), 0.0)
    tied = 1 - np.where(others > 1, (others - 1) / np.maximum(risk - 1, 1), 0.0)
    second = np.where(there & (free > 0), tied * before**2 * others / held**2, 0.0)
    direct = tilt - reach * carried
    last = carried[:, :, -1]
    slope = (reach**2 * first + ahead**2 * second).sum(axis=1)
    cross = (direct * reach * first).sum(axis=2) - (ahead * carried * ahead * second).sum(axis=2)
    # In direct, tilt and carried the first index is the score's group, the second the group whose events vary.
    variance = np.einsum("ikt,jkt,kt->ij", direct, direct, first)
    variance += np.einsum("ikt,jkt,kt->ij", ahead * carried, ahead * carried, second)
    variance += (last * slope) @ last.T + last @ cross.T + cross @ last.T
    return observed, expected, variance
