"""Proportional hazards: hazard ratios with late entry, several rows for a person, strata, weights and clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level
from epi.survival.counting import recurrences
from epi.survival.cox_residuals import RESIDUALS, Residual, residual_table
from epi.survival.data import of_follow_up
from epi.survival.estimability import (
    check_columns,
    check_information,
    check_separation,
    explain_divergence,
    refuse,
)
from epi.survival.groups import By, split_groups
from epi.survival.partial_likelihood import SlotSums, evaluate, maximise
from epi.survival.placed_rows import Ties, build_risk_sets
from epi.survival.prediction import PredictedCurves, estimate_baseline, predict_curves
from epi.survival.proportionality import Proportionality, Transform, check_proportional
from epi.survival.ratio_model import FEW_EVENTS, RatioModel, summarise
from epi.survival.risk_sets import wants_robust
from epi.survival.robust import check_units
from epi.survival.terms import build_terms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.survival.data import SurvivalData
    from epi.survival.limits import IntervalScale


@dataclass(frozen=True)
class CoxModel(RatioModel):
    """A fitted proportional hazards model; see :class:`RatioModel` for its fields."""

    def residuals(self, kind: Residual = "martingale") -> pd.DataFrame:
        """Give the residuals of rows, or of events.

        Parameters
        ----------
        kind : {"martingale", "deviance", "score", "dfbeta", "schoenfeld", "scaled_schoenfeld"}, optional
            Which. ``dfbeta`` is weighted, the others are not.

        Returns
        -------
        pandas.DataFrame
            One row for each row of the data; of Schoenfeld residuals one for each event, with its `row`,
            `time` and `stratum`. Values of persons: never released.

        Raises
        ------
        ParameterError
            If the kind is unknown.
        """
        if kind not in RESIDUALS:
            raise ParameterError(f"kind is {kind!r}", f"one of {', '.join(RESIDUALS)}", "kind='martingale'")
        return residual_table(
            kind, self.sets, self.best, self.terms.names, self.naive_covariance, self.coefficients, self.strata_labels
        )

    def baseline(self) -> pd.DataFrame:
        """Give the cumulative hazard of somebody with every number 0 and every category its reference.

        Returns
        -------
        pandas.DataFrame
            `stratum` where there are some, `time` (days with events), `at_risk` and `events` (rows), `hazard`, `se`.
        """
        return estimate_baseline(self)

    def predict_survival(
        self, profiles: pd.DataFrame, *, at_years: ArrayLike | None = None, from_years: float | None = None,
        interval: IntervalScale = "log-log", level: float | None = None,
    ) -> PredictedCurves:  # fmt: skip
        """Predict the survival of profiles.

        Parameters
        ----------
        profiles : pandas.DataFrame
            A row for each profile, named by its index, with a column for each covariate of the model.
        at_years : array-like, optional
            Times; every day with an event by default.
        from_years : float, optional
            Time at which the curves are 1: survival among those without event then. Where persons enter
            late nothing is known of earlier times.
        interval : {"log-log", "log", "plain", "logit", "arcsin"}, optional
            Scale of the confidence interval.
        level : float, optional
            Confidence level; the model's by default.

        Returns
        -------
        PredictedCurves
            The curves, in every stratum.
        """
        return predict_curves(self, profiles, at_years=at_years, from_years=from_years, interval=interval, level=level)

    def check_proportional(self, transform: Transform = "km") -> Proportionality:
        """Test whether log hazard ratios change with time.

        Parameters
        ----------
        transform : {"km", "rank", "identity", "log"}, optional
            The function of time along which they are looked for.

        Returns
        -------
        Proportionality
            A chi-square for each covariate and for all.
        """
        return check_proportional(self, transform)


@of_follow_up
def fit_cox(
    data: SurvivalData,
    covariates: Sequence[str],
    *,
    reference: Mapping[str, Any] | None = None,
    cause: str | None = None,
    ties: Ties = "efron",
    strata: By = "strata",
    robust: bool | None = None,
    level: float = 0.95,
) -> CoxModel:
    """Fit a proportional hazards model by its partial likelihood.

    Parameters
    ----------
    data : SurvivalData
        Follow-up; a person may have several rows with covariates that change, and several events.
    covariates : sequence of str
        Columns of ``data.covariates``: numbers, true and false, categories.
    reference : mapping, optional
        Reference category by covariate; needed for text, the first category of a pandas categorical else.
    cause : str, optional
        The event; any of them by default. The other causes are then ends of follow-up, so that ratios
        are of the cause-specific hazard.
    ties : {"efron", "breslow"}, optional
        How events of one day are taken.
    strata : str, sequence of str or None, optional
        Covariates in whose values each has a baseline of its own; those of the data by default.
    robust : bool, optional
        Whether the variance comes from sums over clusters (persons where there are none). By default
        with weights, clusters or repeated events.
    level : float, optional
        Confidence level.

    Returns
    -------
    CoxModel
        Hazard ratios with tests.

    Raises
    ------
    ParameterError
        If an option or a covariate is unknown.
    DataError
        If a covariate is missing.
    EstimationError
        If there is no event, or no finite estimate: constant or collinear columns, separation; or one cluster.

    Notes
    -----
    Cox (J R Stat Soc B 1972); Efron (JASA 1977); robust variance: Lin and Wei (JASA 1989), Binder (Biometrika 1992)
    for weights. Columns are centred and scaled for the search alone. Limits are of the normal law; a ratio of which
    clusters tell too little (:func:`epi.survival.robust.lonely_terms`) has none.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": [5, 8, 9, 12, 20, 25, 30], "died": [1, 1, 1, 1, 0, 1, 0],
    ...                      "age": [70, 64, 50, 66, 41, 58, 60]})
    >>> print(fit_cox(build_survival(seen, exit="days", event="died"), ["age"]))
    Proportional hazards of event
    age: 1.111 (0.934 to 1.321), p = 0.234
    Fewer than 10 events for each column: estimates may lie too far from 1, and limits too close
    """
    check_level(level)
    if ties not in ("efron", "breslow"):
        raise ParameterError(f"ties is {ties!r}", "efron or breslow", "ties='efron'")
    if cause is not None:
        data = data.for_cause(cause)
    event = data.event > 0
    if cause is None and len(data.causes) > 1:
        data = data.any_cause("any event")
    named = data.causes[0]
    model = "the proportional hazards model"
    if not event.any():
        raise EstimationError(f"{model} cannot be fitted: there is no event", "rows that end with an event")
    terms = build_terms(data, covariates, reference)
    columns = terms.columns(data.covariates)
    repeated = recurrences(data) > 0
    if repeated and robust is False:
        raise ParameterError("robust is False and persons have several events", "a variance over persons")
    jackknife = wants_robust(data, robust) or repeated
    stratum, labels, quiet = split_strata(data, strata, event)
    refuse(model, check_columns(terms.names, columns, event))
    few = check_units(model, data) if jackknife else []
    single = data.cluster is None and data.persons == len(data)
    sets = build_risk_sets(
        columns, data.entry, data.exit, event, stratum=stratum, weight=data.weight, ties=ties,
        unit=data.clusters if jackknife and not single else None,
    )  # fmt: skip
    del columns
    sums = SlotSums(sets)
    null = evaluate(sets, np.zeros(len(terms.names)), sums)
    refuse(model, check_information(terms.names, null))
    found = maximise(sets, null, sums)
    if found.direction is not None:
        refuse(model, [explain_divergence(terms.names, sets, found)])
    refuse(model, check_separation(terms.names, sets, found.beta))
    unit = None if single else data.clusters[sets.order]
    settings = {
        "title": f"Proportional hazards of {named}", "model": "cox", "event": named, "event_code": 1,
        "estimator": "partial likelihood", **terms.settings(),
        "cause": cause, "ties": ties, "strata": strata if labels else None, "strata_labels": list(labels),
        "level": level, "robust": robust, "repeated": repeated, "weights": data.weight is not None,
        "clusters": data.cluster is not None, "scale": data.scale, "rows": len(data), "persons": data.persons,
        "events": int(event.sum()), "variance": "robust" if jackknife else "information",
        "iterations": found.iterations,
    }  # fmt: skip
    notes = [*quiet, *few]
    if event.sum() < FEW_EVENTS * len(terms.names):
        notes.append(
            f"Fewer than {FEW_EVENTS} events for each column: estimates may lie too far from 1, and limits too close"
        )
    return summarise(CoxModel, data, terms, sets, found, unit, jackknife, notes, settings)


def split_strata(
    data: SurvivalData, strata: By, event: NDArray[np.bool_]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...], list[str]]:
    """Give each row the number of its stratum.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    strata : str, sequence of str or None
        Covariates; ``"strata"`` for those of the data, where there are some.
    event : numpy.ndarray of bool
        Rows with the event.

    Returns
    -------
    numbers : numpy.ndarray of int64 or None
        Stratum of each row.
    labels : tuple of str
        Names; empty without strata.
    notes : list of str
        What a reader must know.
    """
    if strata == "strata":
        # Those of the data, and none where the data have none, whatever covariates are called.
        if data.strata is None:
            return None, (), []
        present, codes = np.unique(data.strata, return_inverse=True)
        numbers, labels = codes.astype(np.int64), tuple(data.strata_labels[at] for at in present)
    elif strata is None:
        return None, (), []
    else:
        numbers, labels = split_groups(data, strata, None)
    silent = np.flatnonzero(np.bincount(numbers[event], minlength=len(labels)) == 0)
    if not len(silent):
        return numbers, labels, []
    s = "s" if len(silent) > 1 else ""
    return numbers, labels, [f"{len(silent)} strat{'a' if s else 'um'} without event tell{'' if s else 's'} nothing"]
