"""Excess hazards: what a disease adds to the mortality of the general population, and what multiplies it.

A patient's hazard is the population's of the same sex, age and year, plus an excess: constant within bands of time,
times a ratio for each covariate. Deaths need no cause. The likelihood is that of Estève and colleagues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level
from epi.survival.counting import stated_order
from epi.survival.data import DAYS_PER_YEAR, of_follow_up
from epi.survival.estimability import check_columns, refuse
from epi.survival.excess_likelihood import MODEL, check_bands, maximise_excess
from epi.survival.groups import unused_strata
from epi.survival.lexis import split_lexis
from epi.survival.net import place_persons
from epi.survival.ratio_table import RatioTable
from epi.survival.risk_sets import check_first_events, wants_robust
from epi.survival.robust import check_units, lonely_terms, silence
from epi.survival.terms import Terms, build_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData
    from epi.survival.life_table import LifeTable

    Array = NDArray[np.float64]

FEW_EVENTS = 10
BAND = "since_band"


@dataclass(frozen=True)
class ExcessModel(RatioTable):
    """A fitted model of excess hazards.

    Parameters
    ----------
    table : pandas.DataFrame
        `term`, `coef` (log ratio of excess hazards), `hazard_ratio` (of excess hazards), `se` (of `coef`), `ci_low`,
        `ci_high` (of the ratio), `z`, `p`.
    baseline : pandas.DataFrame
        By band of years: `band`, `person_years`, `deaths`, `expected` (the population's), `excess_rate` (a year, where
        all columns are 0), `ci_low`, `ci_high`.
    tests : pandas.DataFrame
        A Wald test of each covariate, and of all: `test`, `statistic`, `df`, `p`.
    loglik : float
        Logarithm of the likelihood without its part of the population; with weights it has no law.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the model.
    data : SurvivalData
        The follow-up it comes from.
    life_table : LifeTable
        The general population.
    terms : Terms
        How covariates became columns.
    covariance : numpy.ndarray
        Covariance of all parameters: logarithms of the bands' excess rates, then the coefficients.
    """

    table: pd.DataFrame
    baseline: pd.DataFrame
    tests: pd.DataFrame
    loglik: float
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)
    life_table: LifeTable = field(repr=False, compare=False)
    terms: Terms = field(repr=False, compare=False)
    covariance: Array = field(repr=False, compare=False)

    def _tables(self) -> Iterator[pd.DataFrame]:
        yield from (self.table, self.baseline)


@of_follow_up
def fit_excess(
    data: SurvivalData,
    life_table: LifeTable,
    covariates: Sequence[str],
    *,
    bands: Sequence[float] = (0, 1, 2, 5),
    reference: Mapping[str, Any] | None = None,
    sex: str = "sex",
    territory: str | None = None,
    robust: bool | None = None,
    level: float = 0.95,
) -> ExcessModel:
    """Fit ratios of excess hazards against the general population, late entry counted.

    Parameters
    ----------
    data : SurvivalData
        Follow-up until death, placed in calendar time (``origin`` and ``birth`` known). All causes of death are taken
        together.
    life_table : LifeTable
        Mortality of the general population.
    covariates : sequence of str
        Columns of ``data.covariates``: numbers, true and false, categories.
    bands : sequence of float, optional
        Years since time zero at which the excess hazard may change; the last band is open.
    reference : mapping, optional
        Reference category by covariate; needed for text, the first category of a pandas categorical else.
    sex : str, optional
        Covariate with F and M.
    territory : str, optional
        Covariate with the life table's territories.
    robust : bool, optional
        Whether the variance comes from sums over clusters (persons where there are none). By default with weights or
        clusters.
    level : float, optional
        Confidence level.

    Returns
    -------
    ExcessModel
        Ratios and the excess rates of the bands.

    Raises
    ------
    ParameterError
        If an option or a covariate is unknown.
    DataError
        If a covariate is missing, times are not placed in calendar time, or the life table does not cover somebody.
    EstimationError
        If a band has no excess of deaths, columns are constant or alike, or no maximum is found.

    Notes
    -----
    Estève, Benhamou, Croasdale and Raymond (Stat Med 1990;9:529-538): the log likelihood is the sum over deaths of
    log(population hazard + excess hazard), less the cumulated excess. Persons need not be cut where the population's
    hazard changes: only that of the day of death matters. Observed information; the robust variance is the
    sum over clusters of the products of their scores, between inverse informations.

    A death on day d happened within the day that began at d - 1, whose population hazard is taken; relsurv's ``rsadd``
    takes that of the day which begins at d.

    Examples
    --------
    >>> from epi.survival import build_survival, life_table
    >>> rng = np.random.default_rng(4)
    >>> days = 1 + rng.exponential(3000, 400) // 1
    >>> seen = pd.DataFrame({"start": pd.Timestamp("1990-01-01"), "born": pd.Timestamp("1950-06-15"), "sex": "F",
    ...     "died": (days < 3650).astype(int), "late": rng.integers(0, 2, 400)})
    >>> seen["end"] = seen["start"] + pd.to_timedelta(np.minimum(days, 3650), unit="D")
    >>> follow_up = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born",
    ...                            covariates=["sex", "late"])
    >>> model = fit_excess(follow_up, life_table("France"), ["late"], bands=[0, 2])
    >>> bool(0.7 < model.table["hazard_ratio"].item() < 1.4)
    True
    """
    check_level(level)
    edges = check_bands(bands)
    if isinstance(covariates, str) or not len(covariates):
        raise ParameterError(f"covariates is {covariates!r}", "a list of columns", "covariates=['sex']")
    check_first_events(data)
    if len(data.causes) > 1:
        data = data.any_cause("death")
    if int(data.entry.min()) < 0:
        raise ParameterError("somebody is at risk before time zero", "time from zero on", "data.window(low=0)")
    event = data.event > 0
    if not event.any():
        raise EstimationError(f"{MODEL} cannot be fitted: there is no death", "rows that end with a death")
    terms = build_terms(data, covariates, reference)
    refuse(MODEL, check_columns(terms.names, terms.columns(data.covariates), event))
    place_persons(data, life_table, sex, territory)
    # Bands of an earlier split are none of the model's.
    bare = replace(data, covariates=data.covariates.drop(columns=BAND, errors="ignore"))
    pieces = split_lexis(bare, since=edges)
    pieces = pieces.select(stated_order(pieces))
    band = pieces.covariates[BAND].cat
    names, codes = [str(name) for name in band.categories], np.asarray(band.codes, dtype=np.int64)
    position, birth, origin = place_persons(pieces, life_table, sex, territory)
    died = np.flatnonzero(pieces.event > 0)
    # The hazard of the day within which the death happened, a year's as the excess is.
    day = (origin + pieces.exit)[died] - 1
    usual = life_table.cell(position[died], day - birth[died], day) * DAYS_PER_YEAR
    expected = np.zeros(len(pieces))
    for rows, _, step, hazard in life_table.walk(position, birth, origin + pieces.entry, origin + pieces.exit):
        expected[rows] += hazard * step
    years = (pieces.exit - pieces.entry) / DAYS_PER_YEAR
    x = np.column_stack(terms.columns(pieces.covariates))
    found = maximise_excess(years, died, usual, expected, codes, x, pieces.weights, names, terms.names)
    jackknife = wants_robust(data, robust)
    covariance = found.covariance
    notes = unused_strata(data, "their columns among covariates")
    if jackknife:
        notes += check_units(MODEL, data)
        unit = pieces.clusters if data.cluster is not None else pieces.person
        unit = np.unique(unit, return_inverse=True)[1]
        sums = np.stack([np.bincount(unit, column) for column in found.scores.T], axis=1)
        covariance = covariance @ (sums.T @ sums) @ covariance
        alone, narrow = lonely_terms(data, found.scores, pieces.person, [*names, *terms.names])
        covariance, notes = silence(covariance, alone), [*notes, *narrow]
    if event.sum() < FEW_EVENTS * len(found.theta):
        notes.append("Fewer than 10 deaths for each parameter: estimates may lie too far from 1, and limits too close")
    size = len(names)
    settings = {
        "title": "Excess hazards of death", "model": "excess", "event": "death", "event_code": 1, "cause": None,
        "estimator": "Estève", **terms.settings(), "bands": list(edges), "level": level, "robust": robust,
        "repeated": False, "weights": data.weight is not None, "clusters": data.cluster is not None,
        "scale": data.scale, "sex": sex, "territory": territory, "rows": len(data), "persons": data.persons,
        "events": int(event.sum()), "variance": "robust" if jackknife else "information", "strata_labels": [],
        "ties": "esteve", "iterations": found.steps, **life_table.settings,
    }  # fmt: skip
    half = float(stats.norm.isf((1 - level) / 2)) * np.sqrt(np.diag(covariance))
    theta = found.theta
    baseline = pd.DataFrame({
        "band": names, "person_years": np.bincount(codes, years, size),
        "deaths": np.bincount(codes[died], minlength=size), "expected": np.bincount(codes, expected, size),
        "excess_rate": np.exp(theta[:size]), "ci_low": np.exp(theta - half)[:size],
        "ci_high": np.exp(theta + half)[:size],
    })  # fmt: skip
    return ExcessModel(
        _ratios(terms, theta[size:], half[size:], covariance[size:, size:]), baseline,
        _tests(terms, theta[size:], covariance[size:, size:]), found.loglik, (*notes, *life_table.notes), settings,
        data, life_table, terms, covariance,
    )  # fmt: skip


def _ratios(terms: Terms, coefficients: Array, half: Array, covariance: Array) -> pd.DataFrame:
    error = np.sqrt(np.diag(covariance))
    z = coefficients / error
    return pd.DataFrame({
        "term": list(terms.names), "coef": coefficients, "hazard_ratio": np.exp(coefficients), "se": error,
        "ci_low": np.exp(coefficients - half), "ci_high": np.exp(coefficients + half), "z": z,
        "p": 2 * stats.norm.sf(np.abs(z)),
    })  # fmt: skip


def _tests(terms: Terms, coefficients: Array, covariance: Array) -> pd.DataFrame:
    groups = [(name, np.flatnonzero(terms.assign == at)) for at, name in enumerate(terms.covariates)]
    if len(groups) > 1:
        groups.append(("all", np.arange(len(terms.names))))
    rows = []
    for name, at in groups:
        part = coefficients[at]
        statistic = float(part @ np.linalg.solve(covariance[np.ix_(at, at)], part))
        rows.append({"test": name, "statistic": statistic, "df": len(at),
                     "p": float(stats.chi2.sf(statistic, len(at)))})  # fmt: skip
    return pd.DataFrame(rows)
