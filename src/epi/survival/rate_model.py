"""Rate ratios: a Poisson model of events with the logarithm of person-time as offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.arguments import check_number
from epi.errors import EstimationError, ParameterError
from epi.stats.clusters import Correction
from epi.stats.intervals import check_level
from epi.stats.models import GlmFit, fit_glm
from epi.survival.counting import recurrences, stated_order
from epi.survival.data import DAYS_PER_YEAR, of_follow_up
from epi.survival.groups import unused_strata
from epi.survival.ratio_table import RatioTable
from epi.survival.risk_sets import wants_robust
from epi.survival.robust import FEW_CLUSTERS, few_note, unit_words
from epi.survival.terms import Terms, build_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData


@dataclass(frozen=True)
class RateModel(RatioTable):
    """A fitted Poisson model of rates.

    Parameters
    ----------
    table : pandas.DataFrame
        `term`, `coef` (log rate ratio), `rate_ratio`, `se` (of `coef`), `ci_low`, `ci_high` (of the ratio), `statistic`
        (normal, or Student's where clusters are corrected for), `p`.
    tests : pandas.DataFrame
        A Wald test of each covariate, and of all of them: `test` (its name, or "all"), `statistic` (F), `df`,
        `df_residual` (infinite where F is a chi-square over its degrees), `p`.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the model.
    data : SurvivalData
        The follow-up it comes from.
    terms : Terms
        How covariates became columns.
    fit : GlmFit
        Coefficients with their covariance, the intercept first.
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)
    terms: Terms = field(repr=False, compare=False)
    fit: GlmFit = field(repr=False, compare=False)

    def predict_rates(self, profiles: pd.DataFrame, *, per: float = 1000, level: float | None = None) -> pd.DataFrame:
        """Predict the rates of profiles.

        Parameters
        ----------
        profiles : pandas.DataFrame
            A row for each profile, named by its index, with a column for each covariate of the model.
        per : float, optional
            Person-years the rates are given for.
        level : float, optional
            Confidence level; the model's by default.

        Returns
        -------
        pandas.DataFrame
            `profile`, `rate`, `ci_low`, `ci_high`.

        Raises
        ------
        ParameterError
            If a column is absent or ``per`` is not above zero.
        DataError
            If a value is missing or unknown.
        """
        per = check_number("per", per, "person-years above zero", above=0, do="per=1000")
        given = self.settings["level"] if level is None else check_level(level)
        columns = self.terms.columns(profiles)
        design = np.column_stack([np.ones(len(columns[0])), *columns])
        rows = []
        for name, row in zip(profiles.index, design, strict=True):
            value, error, degrees = self.fit.contrast(row)
            half = float(stats.t.isf((1 - given) / 2, degrees)) * error
            rows.append({"profile": str(name), "rate": per * np.exp(value), "ci_low": per * np.exp(value - half),
                         "ci_high": per * np.exp(value + half)})  # fmt: skip
        return pd.DataFrame(rows)


@of_follow_up
def fit_rates(
    data: SurvivalData,
    covariates: Sequence[str],
    *,
    reference: Mapping[str, Any] | None = None,
    cause: str | None = None,
    robust: bool | None = None,
    correction: Correction = "CR2",
    level: float = 0.95,
) -> RateModel:
    """Fit rate ratios by a Poisson model whose offset is the logarithm of person-time.

    Parameters
    ----------
    data : SurvivalData
        Follow-up, split by :func:`epi.survival.split_lexis` where rates change with age or calendar time; a person may
        have several rows and several events.
    covariates : sequence of str
        Columns of ``data.covariates``: numbers, true and false, categories, bands.
    reference : mapping, optional
        Reference category by covariate; needed for text, the first category of a pandas categorical else.
    cause : str, optional
        The event; any of them by default.
    robust : bool, optional
        Whether the variance comes from sums over clusters (persons where there are none). By default with weights,
        clusters or repeated events.
    correction : {"CR2", "CR1"}, optional
        Of the robust variance: bias-reduced with Satterthwaite's degrees of freedom, or the plain sandwich times
        G / (G - 1).
    level : float, optional
        Confidence level.

    Returns
    -------
    RateModel
        Rate ratios with tests, and predicted rates.

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
    The rate is constant within a row: a piecewise exponential model when rows are cut by time (Holford, Biometrics
    1980; Laird and Olivier, JASA 1981). Rows alike are added up first, which changes nothing. Fitted by statsmodels;
    cluster variance of :mod:`epi.stats.clusters`.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"exit": [1000] * 8, "died": [1, 1, 1, 0, 1, 0, 0, 0], "late": [1] * 4 + [0] * 4})
    >>> model = fit_rates(build_survival(seen, exit="exit", event="died"), ["late"])
    >>> model.table["rate_ratio"].round(6).item()
    3.0
    """
    check_level(level)
    if correction not in ("CR2", "CR1"):
        raise ParameterError(f"correction is {correction!r}", "CR2 or CR1", "correction='CR2'")
    if cause is not None:
        data = data.for_cause(cause)
    elif len(data.causes) > 1:
        data = data.any_cause("any event")
    event, named = data.event > 0, data.causes[0]
    if not event.any():
        raise EstimationError("rates cannot be modelled: there is no event", "rows that end with an event")
    terms = build_terms(data, covariates, reference)
    repeated = recurrences(data) > 0
    if repeated and robust is False:
        raise ParameterError("robust is False and persons have several events", "a variance over persons")
    jackknife = wants_robust(data, robust) or repeated
    design, events, years, clusters = _alike(data, terms, event, jackknife)
    fit = fit_glm(design, events, family="poisson", offset=np.log(years), clusters=clusters, correction=correction,
                  model="the model of rates")  # fmt: skip
    alone = [name for name, degrees in zip(terms.names, fit.degrees[1:], strict=True) if degrees == 0]
    notes = [f"{', '.join(alone)}: one cluster determines it, so that there are no limits"] if alone else []
    notes += unused_strata(data, "their columns among covariates")
    if event.sum() < 10 * len(terms.names):
        notes.append("Fewer than 10 events for each column: estimates may lie too far from 1, and limits too close")
    if fit.n_clusters is not None and fit.n_clusters < FEW_CLUSTERS and correction == "CR1":
        notes.append(few_note(fit.n_clusters, unit_words(data)))
    settings = {
        "title": f"Rates of {named}", "model": "rates", "event": named, "cause": cause, "estimator": "Poisson",
        **terms.settings(), "event_code": 1, "level": level,
        "robust": robust, "repeated": repeated, "weights": data.weight is not None,
        "clusters": data.cluster is not None, "scale": data.scale, "rows": len(data), "cells": len(design),
        "persons": data.persons, "events": int(event.sum()), "variance": correction if jackknife else "model",
        "strata_labels": [], "ties": "poisson",
    }  # fmt: skip
    table = _ratios(terms, fit, level)
    return RateModel(table, _tests(terms, fit), tuple(notes), settings, data, terms, fit)


def _alike(
    data: SurvivalData, terms: Terms, event: NDArray[np.bool_], by_cluster: bool
) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.float64], NDArray[np.int64] | None]:
    """Add up the rows that have the same covariates, and the same cluster where these count."""
    columns = terms.columns(data.covariates)
    codes = _number([np.unique(column, return_inverse=True)[1] for column in columns], len(data))
    if by_cluster:
        codes = _number([codes, data.clusters], len(data))
    elif int(codes.max()) + 1 <= len(columns) + 1:
        # A model with a column for each cell is fitted to persons: the same estimates, and rows to spare.
        codes = _number([codes, data.person], len(data))
    size = int(codes.max()) + 1
    first = np.unique(codes, return_index=True)[1]
    order = stated_order(data)
    weight = data.weights[order]
    events = np.bincount(codes[order], weight * event[order], size).astype(np.float64)
    years = np.bincount(codes[order], weight * (data.exit - data.entry)[order], size) / DAYS_PER_YEAR
    design = pd.DataFrame({name: column[first] for name, column in zip(terms.names, columns, strict=True)})
    return design, events, years, data.clusters[first] if by_cluster else None


def _number(keys: Sequence[NDArray[np.int64]], rows: int) -> NDArray[np.int64]:
    """Give each combination of keys a number."""
    codes = np.zeros(rows, dtype=np.int64)
    for key in keys:
        codes = np.unique(codes * (int(key.max()) + 1) + key, return_inverse=True)[1].astype(np.int64)
    return codes


def _ratios(terms: Terms, fit: GlmFit, level: float) -> pd.DataFrame:
    coefficients, error, degrees = fit.coefficients[1:], fit.standard_errors[1:], fit.degrees[1:]
    half = stats.t.isf((1 - level) / 2, degrees) * error
    statistic = coefficients / error
    return pd.DataFrame({
        "term": list(terms.names), "coef": coefficients, "rate_ratio": np.exp(coefficients), "se": error,
        "ci_low": np.exp(coefficients - half), "ci_high": np.exp(coefficients + half), "statistic": statistic,
        "p": 2 * stats.t.sf(np.abs(statistic), degrees),
    })  # fmt: skip


def _tests(terms: Terms, fit: GlmFit) -> pd.DataFrame:
    rows = []
    groups = [(name, [terms.names[k] for k in np.flatnonzero(terms.assign == at)])
              for at, name in enumerate(terms.covariates)]  # fmt: skip
    if len(groups) > 1:
        groups.append(("all", list(terms.names)))
    for name, columns in groups:
        test = fit.wald(columns)
        rows.append({"test": name, "statistic": test.f, "df": test.numerator, "df_residual": test.denominator,
                     "p": test.p})  # fmt: skip
    return pd.DataFrame(rows)
