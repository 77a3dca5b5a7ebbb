"""Competing risks: ratios of the hazard of a subdistribution, which order cumulative incidences (Fine and Gray)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level
from epi.survival.cox import split_strata
from epi.survival.cox_residuals import ScoreResiduals
from epi.survival.data import of_follow_up
from epi.survival.estimability import (
    check_columns,
    check_information,
    check_separation,
    explain_divergence,
    refuse,
)
from epi.survival.partial_likelihood import SlotSums, evaluate, maximise
from epi.survival.placed_rows import Tail, Ties, build_risk_sets
from epi.survival.prediction import PredictedCurves, predict_curves
from epi.survival.ratio_model import FEW_EVENTS, RatioModel, invert, summarise
from epi.survival.robust import check_units
from epi.survival.subdistribution import (
    Observation,
    check_single_transitions,
    ends_of_follow_up,
    estimate_observation,
    kept_weights,
)
from epi.survival.terms import build_terms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.survival.data import SurvivalData
    from epi.survival.groups import By
    from epi.survival.limits import IntervalScale
    from epi.survival.partial_likelihood import Likelihood
    from epi.survival.placed_rows import RiskSets

Method = Literal["finegray", "crr"]
METHODS: tuple[Method, ...] = ("finegray", "crr")


@dataclass(frozen=True)
class FineGrayModel(RatioModel):
    """A fitted model of a subdistribution; see :class:`RatioModel` for its fields.

    ``settings["method"]`` says which estimator gave it.
    """

    def predict_incidence(
        self, profiles: pd.DataFrame, *, at_years: ArrayLike | None = None, interval: IntervalScale = "log-log",
        level: float | None = None,
    ) -> PredictedCurves:  # fmt: skip
        """Predict the cumulative incidence of profiles.

        Parameters
        ----------
        profiles : pandas.DataFrame
            A row for each profile, named by its index, with a column for each covariate of the model.
        at_years : array-like, optional
            Times; every day with an event of the cause by default.
        interval : {"log-log", "log", "plain", "logit", "arcsin"}, optional
            Scale of the confidence interval, of 1 less the incidence.
        level : float, optional
            Confidence level; the model's by default.

        Returns
        -------
        PredictedCurves
            The curves, in every stratum. With ``method="crr"`` without limits: that estimator has none.
        """
        found = predict_curves(self, profiles, at_years=at_years, interval=interval, level=level, measure="incidence")
        if self.settings["method"] == "finegray":
            return found
        return replace(found, table=found.table.assign(hazard_se=np.nan, se=np.nan, ci_low=np.nan, ci_high=np.nan))


@of_follow_up
def fit_fine_gray(
    data: SurvivalData,
    covariates: Sequence[str],
    *,
    cause: str,
    method: Method = "finegray",
    reference: Mapping[str, Any] | None = None,
    ties: Ties | None = None,
    strata: By = "strata",
    level: float = 0.95,
) -> FineGrayModel:
    """Fit proportional hazards of a subdistribution.

    Parameters
    ----------
    data : SurvivalData
        Follow-up with two causes or more; a person's rows follow one another until the first event.
    covariates : sequence of str
        Columns of ``data.covariates``: numbers, true and false, categories.
    cause : str
        The event; the other causes compete with it.
    method : {"finegray", "crr"}, optional
        ``finegray``: a Cox model with weights of censoring and of late entry and a variance over persons or
        clusters, which takes these weights as known (Geskus). ``crr``: Fine and Gray's own estimator, with the
        variance that counts the estimation of the weights; it knows neither late entry, weights, clusters nor
        strata. They differ by about 1e-4 in the coefficient and some percent in the standard error.
    reference : mapping, optional
        Reference category by covariate; needed for text, the first category of a pandas categorical else.
    ties : {"efron", "breslow"}, optional
        How events of one day are taken: Efron for ``finegray``, Breslow for ``crr``, which has no other.
    strata : str, sequence of str or None, optional
        Covariates in whose values each has a baseline, and weights, of its own; those of the data by default.
    level : float, optional
        Confidence level.

    Returns
    -------
    FineGrayModel
        Ratios of the hazard of the subdistribution.

    Raises
    ------
    ParameterError
        If an option or a covariate is unknown, or the data have what ``crr`` does not know.
    DataError
        If a covariate is missing, or persons are at risk again after an event or a gap.
    EstimationError
        If there is no event or no competing one, or no finite estimate; or one cluster.

    Notes
    -----
    Fine and Gray (JASA 1999); Geskus (Biometrics 2011). A ratio orders cumulative incidences; it is not one
    of rates among persons at risk. Weights take censoring and entry as independent of the covariates, within strata.
    A covariate that changes with time keeps its last value after a competing event.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": [5, 8, 9, 12, 20, 25, 30, 31], "what": [1, 2, 1, 1, 0, 2, 1, 0],
    ...                      "age": [70, 64, 50, 66, 41, 58, 60, 55]})
    >>> data = build_survival(seen, exit="days", event="what", causes={1: "relapse", 2: "death"})
    >>> print(fit_fine_gray(data, ["age"], cause="relapse"))
    Hazards of the subdistribution of relapse
    age: 1.104 (0.890 to 1.369), p = 0.367
    8 persons: a robust variance of so few is too small
    Fewer than 10 events for each column: estimates may lie too far from 1, and limits too close
    """
    check_level(level)
    if method not in METHODS:
        raise ParameterError(f"method is {method!r}", f"one of {', '.join(METHODS)}", "method='finegray'")
    ties = ties or ("efron" if method == "finegray" else "breslow")
    if ties not in ("efron", "breslow"):
        raise ParameterError(f"ties is {ties!r}", "efron or breslow", "leave ties= out")
    number = data.cause_number(cause)
    model = "the subdistribution hazards model"
    if len(data.causes) < 2:
        raise ParameterError(
            f"{cause} is the only cause", "another one that competes with it", "fit_cox, where nothing competes"
        )
    event, competing = data.event == number, (data.event > 0) & (data.event != number)
    faults = [
        words
        for bad, words in (
            (not event.any(), f"there is no event of {cause}"),
            (not competing.any(), "there is no competing event: fit_cox gives the same ratios"),
        )
        if bad
    ]
    refuse(model, faults, "rows that end with either", "look at data.events")
    check_single_transitions(data)
    if method == "crr":
        _check_plain(data, ties, strata)
    terms = build_terms(data, covariates, reference)
    columns = terms.columns(data.covariates)
    stratum, labels, notes = split_strata(data, strata, event)
    refuse(model, check_columns(terms.names, columns, event))
    if method == "finegray":
        notes = [*notes, *check_units(model, data)]
    observation = estimate_observation(data, stratum, max(len(labels), 1), events_first=method == "finegray")
    base = kept_weights(data, competing & ends_of_follow_up(data), stratum, observation)
    single = data.cluster is None and data.persons == len(data)
    sets = build_risk_sets(
        columns, data.entry, data.exit, event, stratum=stratum, weight=data.weight, ties=ties,
        unit=2 * data.clusters + competing if not single else competing.astype(np.int64),
    )  # fmt: skip
    del columns
    factor = observation.at(None if stratum is None else sets.stratum, sets.day)
    sets = replace(sets, tail=Tail(base[sets.order], factor))
    sums = SlotSums(sets)
    null = evaluate(sets, np.zeros(len(terms.names)), sums)
    refuse(model, check_information(terms.names, null))
    found = maximise(sets, null, sums)
    if found.direction is not None:
        refuse(model, [explain_divergence(terms.names, sets, found)])
    refuse(model, check_separation(terms.names, sets, found.beta))
    if event.sum() < FEW_EVENTS * len(terms.names):
        notes = [
            *notes,
            f"Fewer than {FEW_EVENTS} events for each column: estimates may lie too far from 1, and limits too close",
        ]
    settings = {
        "title": f"Hazards of the subdistribution of {cause}", "model": "fine-gray", "method": method,
        "event": cause, "event_code": number, "estimator": "weighted partial likelihood", **terms.settings(),
        "cause": cause, "ties": ties, "strata": strata if labels else None, "strata_labels": list(labels),
        "level": level, "repeated": False, "weights": data.weight is not None, "clusters": data.cluster is not None,
        "scale": data.scale, "rows": len(data), "persons": data.persons, "events": int(event.sum()),
        "competing": int(competing.sum()), "variance": "robust" if method == "finegray" else "estimated weights",
        "iterations": found.iterations,
    }  # fmt: skip
    unit = None if single else data.clusters[sets.order]
    covariance = _own_variance(data, sets, found.best, observation) if method == "crr" else None
    return summarise(
        FineGrayModel, data, terms, sets, found, unit, True, notes, settings, covariance=covariance, likelihood=False
    )


def _check_plain(data: SurvivalData, ties: Ties, strata: By) -> None:
    """Refuse what the estimator of 1999 was not derived for."""
    first = data.entry == data.entry.min()
    faults = [
        words
        for bad, words in (
            (
                data.delayed or not first.all() or data.persons < len(data),
                "late entry or several rows for a person: its weights are of censoring alone",
            ),
            (data.weight is not None, "weights: its variance counts persons"),
            (data.cluster is not None, "clusters: its variance takes persons as independent"),
            (data.strata is not None and strata is not None, "strata: it has one baseline"),
            (strata not in (None, "strata"), "strata: it has one baseline"),
            (ties == "efron", "ties='efron': it takes ties as Breslow does"),
        )
        if bad
    ]
    if faults:
        raise ParameterError(
            "method='crr' does not know what is asked", "each person once from time zero, without more",
            "method='finegray'", faults=list(dict.fromkeys(faults)),
        )  # fmt: skip


def _own_variance(
    data: SurvivalData, sets: RiskSets, best: Likelihood, observation: Observation
) -> NDArray[np.float64]:
    """Give Fine and Gray's variance: score residuals, and what each person's censoring moves of all weights.

    A day u with censoring moves the weights, on days s >= u, of those whose competing event came before u.
    """
    if sets.tail is None:
        raise EstimationError("there are no weights to estimate")
    first, days = observation.first, observation.chance.shape[1]
    censored, at_risk = observation.censored[0], np.maximum(observation.at_risk[0], 1)
    ahead, ahead_x = np.zeros(days), np.zeros((days, sets.x.shape[1]))
    slots = np.flatnonzero(sets.events > 0)
    placed = sets.day[slots] - first
    ahead[placed] = best.hazard[slots] * sets.tail.factor[slots]
    ahead_x[placed] = best.drift[slots] * sets.tail.factor[slots, None]
    ahead, ahead_x = ahead[::-1].cumsum()[::-1], ahead_x[::-1].cumsum(axis=0)[::-1]
    kept = np.flatnonzero(sets.tail.base > 0)
    leave = data.exit[sets.order] - first
    mass = best.risk[kept] * sets.tail.base[kept]
    before = np.concatenate([[0.0], np.bincount(leave[kept], mass, days).cumsum()[:-1]])
    before_x = np.stack([np.bincount(leave[kept], mass * column[kept], days).cumsum() for column in sets.x.T], axis=1)
    before_x = np.concatenate([np.zeros((1, sets.x.shape[1])), before_x[:-1]])
    moved = (before_x * ahead[:, None] - before[:, None] * ahead_x) / at_risk[:, None]
    expected = np.cumsum(moved * (censored / at_risk)[:, None], axis=0)
    residuals = ScoreResiduals(sets, best)
    total = np.zeros_like(best.information)
    ended = data.event[sets.order] == 0
    for rows in sets.chunks():
        piece = residuals.rows(rows)
        piece += ended[rows, None] * moved[leave[rows]] - expected[leave[rows]]
        total += piece.T @ (1.0 * piece)  # two arrays: see quadratic_sum
    inverse = invert(best.information)
    return np.asarray(inverse @ total @ inverse, dtype=np.float64)
