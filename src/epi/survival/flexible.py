"""Flexible parametric survival: a smooth baseline, hazard ratios that may change with time.

The logarithm of the cumulative hazard is a restricted cubic spline of the logarithm of time (Royston and Parmar), plus
covariates. With one degree of freedom it is Weibull's model. Unlike a step curve it gives a hazard at each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.arguments import check_mapping, check_whole
from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level
from epi.survival.counting import recurrences, stated_order
from epi.survival.data import DAYS_PER_YEAR, of_follow_up
from epi.survival.estimability import check_columns, refuse
from epi.survival.groups import unused_strata
from epi.survival.ratio_table import RatioTable
from epi.survival.risk_sets import wants_robust
from epi.survival.robust import check_units, lonely_terms, silence
from epi.survival.spline_likelihood import MODEL, build_designs, maximise, name_parameters, place_knots
from epi.survival.steps import whole_days
from epi.survival.terms import Terms, build_terms
from epi.survival.window import check_inside, window_start

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.survival.data import SurvivalData

    Array = NDArray[np.float64]

MOST = 10
CHECKED = 50
"""Times at which a predicted curve is seen to fall."""
"""Degrees of freedom of a spline: with more, knots stand among few events."""


@dataclass(frozen=True)
class FlexibleModel(RatioTable):
    """A fitted flexible parametric model.

    Parameters
    ----------
    table : pandas.DataFrame
        `term`, `coef` (log hazard ratio), `hazard_ratio`, `se` (of `coef`), `ci_low`, `ci_high`, `z`, `p`, of the
        covariates whose ratio does not change with time.
    tests : pandas.DataFrame
        `test`, `statistic`, `df`, `p`: a Wald test of each covariate; of one that may change with time also that it
        does not.
    loglik : float
        Logarithm of the likelihood, time in years; with weights it has no law.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the model.
    data : SurvivalData
        The follow-up it comes from.
    terms : Terms
        How covariates became columns.
    parameters : pandas.Series
        All parameters: the spline's, the covariates', and those of their change with time.
    covariance : numpy.ndarray
        Their covariance.
    knots : mapping
        Of the baseline (``""``) and of each covariate that changes with time: logarithms of years. They are persons'
        times: never released.
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    loglik: float
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)
    terms: Terms = field(repr=False, compare=False)
    parameters: pd.Series = field(repr=False, compare=False)
    covariance: Array = field(repr=False, compare=False)
    knots: Mapping[str, tuple[float, ...]] = field(repr=False, compare=False)

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return 2 * len(self.parameters) - 2 * self.loglik

    def predict_survival(
        self,
        profiles: pd.DataFrame,
        at_years: ArrayLike,
        *,
        from_years: float | None = None,
        level: float | None = None,
    ) -> pd.DataFrame:
        """Predict survival without event, from a time at which it is 1.

        Parameters
        ----------
        profiles : pandas.DataFrame
            A row for each profile, named by its index, with a column for each covariate of the model.
        at_years : array-like
            Times.
        from_years : float, optional
            Start; by default the first time at which anybody is at risk, or the start of the data's window.
        level : float, optional
            Confidence level; the model's by default.

        Returns
        -------
        pandas.DataFrame
            `profile`, `years`, `survival`, `ci_low`, `ci_high` (log-log scale, delta method).

        Raises
        ------
        ParameterError
            If a time comes before the start.
        EstimationError
            If nobody is followed at a time: the spline would be a straight line there; or if a profile's cumulative
            hazard falls until then.
        """
        given = self.settings["level"] if level is None else check_level(level)
        years, start = self._times(at_years, from_years)
        rows = []
        for name, covariates in zip(profiles.index, self._profiles(profiles), strict=True):
            # The spline was made to rise where somebody is followed, not for any profile at any time.
            for year in np.linspace(max(start, float(years.min()) / 100), float(years.max()), CHECKED):
                self._log_hazard(float(year), covariates)
            for year in years.tolist():
                value, gradient = self._cumulative(year, covariates)
                before, slope = self._cumulative(start, covariates) if start > 0 else (0.0, np.zeros_like(gradient))
                hazard = value - before
                low = high = np.nan
                if hazard > 0:
                    step = (gradient - slope) / hazard
                    spread = np.exp(stats.norm.isf((1 - given) / 2) * np.sqrt(step @ self.covariance @ step))
                    low, high = np.exp(-hazard * spread), np.exp(-hazard / spread)
                rows.append({"profile": str(name), "years": year, "survival": np.exp(-hazard),
                             "ci_low": low, "ci_high": high})  # fmt: skip
        return pd.DataFrame(rows)

    def predict_hazard(
        self, profiles: pd.DataFrame, at_years: ArrayLike, *, per: float = 1000, level: float | None = None
    ) -> pd.DataFrame:
        """Predict the hazard at some times.

        Parameters
        ----------
        profiles : pandas.DataFrame
            A row for each profile, named by its index, with a column for each covariate of the model.
        at_years : array-like
            Times, above zero.
        per : float, optional
            Person-years the hazard is given for.
        level : float, optional
            Confidence level; the model's by default.

        Returns
        -------
        pandas.DataFrame
            `profile`, `years`, `hazard`, `ci_low`, `ci_high` (log scale, delta method).

        Raises
        ------
        EstimationError
            If nobody is followed at a time.
        """
        given = self.settings["level"] if level is None else check_level(level)
        years, _ = self._times(at_years, None)
        rows = []
        for name, covariates in zip(profiles.index, self._profiles(profiles), strict=True):
            for year in years.tolist():
                value, gradient = self._log_hazard(year, covariates)
                half = stats.norm.isf((1 - given) / 2) * np.sqrt(gradient @ self.covariance @ gradient)
                rows.append({"profile": str(name), "years": year, "hazard": per * np.exp(value),
                             "ci_low": per * np.exp(value - half), "ci_high": per * np.exp(value + half)})  # fmt: skip
        return pd.DataFrame(rows)

    def predict_ratio(
        self, profiles: pd.DataFrame, reference: pd.DataFrame, at_years: ArrayLike, *, level: float | None = None
    ) -> pd.DataFrame:
        """Predict the ratio of hazards of profiles to that of a reference, at some times.

        Parameters
        ----------
        profiles : pandas.DataFrame
            A row for each profile, named by its index, with a column for each covariate of the model.
        reference : pandas.DataFrame
            One row, with the same columns.
        at_years : array-like
            Times, above zero.
        level : float, optional
            Confidence level; the model's by default.

        Returns
        -------
        pandas.DataFrame
            `profile`, `years`, `hazard_ratio`, `ci_low`, `ci_high` (log scale, delta method).

        Raises
        ------
        ParameterError
            If the reference is not one row.
        EstimationError
            If nobody is followed at a time.
        """
        if len(reference) != 1:
            raise ParameterError(f"the reference has {len(reference)} rows", "one row")
        given = self.settings["level"] if level is None else check_level(level)
        years, _ = self._times(at_years, None)
        base = self._profiles(reference)[0]
        rows = []
        for name, covariates in zip(profiles.index, self._profiles(profiles), strict=True):
            for year in years.tolist():
                value, gradient = self._log_hazard(year, covariates)
                other, slope = self._log_hazard(year, base)
                step = gradient - slope
                half = stats.norm.isf((1 - given) / 2) * np.sqrt(step @ self.covariance @ step)
                ratio = value - other
                rows.append({"profile": str(name), "years": year, "hazard_ratio": np.exp(ratio),
                             "ci_low": np.exp(ratio - half), "ci_high": np.exp(ratio + half)})  # fmt: skip
        return pd.DataFrame(rows)

    def _check_constant(self) -> None:
        changing = self.settings["time_varying"]
        if changing:
            raise ParameterError(f"the ratio of {', '.join(changing)} changes with time", "ratios that do not",
                                 "predict_ratio(...) gives it at some times")  # fmt: skip

    def _profiles(self, profiles: pd.DataFrame) -> Array:
        return np.column_stack(self.terms.columns(profiles)) if self.terms.names else np.zeros((len(profiles), 0))

    def _times(self, at_years: ArrayLike, from_years: float | None) -> tuple[Array, float]:
        """Check the times asked for, and find the start; both in years."""
        days = whole_days(at_years, "years")
        years = np.atleast_1d(np.asarray(at_years, dtype=np.float64))
        first, last = int(self.data.entry.min()), int(self.data.exit.max())
        kept = window_start(self.data)
        begin = first if kept is None else kept
        start = begin / DAYS_PER_YEAR
        if from_years is not None:
            start, begin = float(from_years), int(whole_days(from_years, "years")[0])
        check_inside(self.data, np.append(days, begin))
        if (days < begin).any():
            raise ParameterError("a time comes before the start", "times after it", f"from_years={start:g}")
        if begin < first or (days > last).any() or (days <= 0).any():
            raise EstimationError(
                "nobody is followed at one of these times, where the spline only goes on as a line",
                f"times above {max(first, 0) / DAYS_PER_YEAR:.1f} and up to {last / DAYS_PER_YEAR:.1f} years",
            )
        return years, start

    def _cumulative(self, year: float, covariates: Array) -> tuple[float, Array]:
        row, _ = build_designs(np.array([year]), covariates[None, :], self.terms, self.knots)
        value = float(np.exp(row[0] @ self.parameters.to_numpy()))
        return value, value * row[0]

    def _log_hazard(self, year: float, covariates: Array) -> tuple[float, Array]:
        row, slope = build_designs(np.array([year]), covariates[None, :], self.terms, self.knots)
        theta = self.parameters.to_numpy()
        rise = float(slope[0] @ theta)
        if rise <= 0:
            raise EstimationError(
                "the cumulative hazard of a profile falls before one of these times",
                "a spline that rises",
                "fewer df=, or a profile that somebody followed has",
            )
        return float(row[0] @ theta) + np.log(rise) - np.log(year), row[0] + slope[0] / rise


@of_follow_up
def fit_flexible(
    data: SurvivalData,
    covariates: Sequence[str] = (),
    *,
    df: int = 3,
    time_varying: Mapping[str, int] | None = None,
    reference: Mapping[str, Any] | None = None,
    cause: str | None = None,
    robust: bool | None = None,
    level: float = 0.95,
) -> FlexibleModel:
    """Fit a flexible parametric proportional hazards model, with late entry.

    Parameters
    ----------
    data : SurvivalData
        Follow-up from time zero on; a person may have several rows and several events.
    covariates : sequence of str, optional
        Columns of ``data.covariates``: numbers, true and false, categories.
    df : int, optional
        Degrees of freedom of the baseline's spline: 1 is Weibull's model; inner knots stand at quantiles of the times
        of events, the outer ones at the first and the last.
    time_varying : mapping, optional
        Covariates whose log ratio changes with time, and the degrees of freedom of its spline.
    reference : mapping, optional
        Reference category by covariate; needed for text, the first category of a pandas categorical else.
    cause : str, optional
        The event; any of them by default. The other causes are then ends of follow-up.
    robust : bool, optional
        Whether the variance comes from sums over clusters (persons where there are none). By default with weights,
        clusters or repeated events.
    level : float, optional
        Confidence level.

    Returns
    -------
    FlexibleModel
        Ratios, and predicted survival, hazards and ratios at any time of follow-up.

    Raises
    ------
    ParameterError
        If an option or a covariate is unknown, or somebody is at risk before time zero.
    DataError
        If a covariate is missing.
    EstimationError
        If there are too few events, no maximum is found, or there is one cluster.

    Notes
    -----
    Royston and Parmar (Stat Med 2002;21:2175-2197); maximum likelihood by Newton's steps, conditional on being without
    event at entry. The robust variance is the sum over clusters of the products of their scores, between inverse
    informations. Where nobody is at risk at first, the hazard of that time is no part of the likelihood, and
    predictions start at the first entry. Strata of the data are not used: make them a covariate, ``time_varying`` if
    hazards are not proportional.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> rng = np.random.default_rng(2)
    >>> days = 1 + rng.weibull(1.5, 300) * 3000 // 1
    >>> seen = pd.DataFrame({"exit": days, "died": 1, "late": rng.integers(0, 2, 300)})
    >>> model = fit_flexible(build_survival(seen, exit="exit", event="died"), ["late"], df=2)
    >>> bool(0.7 < model.table["hazard_ratio"].item() < 1.4)
    True
    """
    check_level(level)
    changing = check_mapping("time_varying", time_varying, "degrees of freedom by covariate", do="{'sex': 2}")
    wrong = [name for name in changing if name not in covariates]
    if wrong:
        raise ParameterError(f"time_varying names {', '.join(wrong)}", "some of the covariates")
    for name, number in {"": df, **changing}.items():
        check_whole(f"df{' of ' + name if name else ''}", number, f"1 to {MOST}", least=1, most=MOST, do="df=3")
    if int(data.entry.min()) < 0:
        raise ParameterError("somebody is at risk before time zero", "time from zero on", "data.window(low=0)")
    if cause is not None:
        data = data.for_cause(cause)
    elif len(data.causes) > 1:
        data = data.any_cause("any event")
    event, named = data.event > 0, data.causes[0]
    size = len(np.unique(data.exit[event]))
    if size < 2 * (df + 1):
        raise EstimationError(f"{MODEL} cannot be fitted: events on {size} days",
                              f"at least {2 * (df + 1)} for df={df}", "a lower df=, or fit_rates")  # fmt: skip
    terms = build_terms(data, covariates, reference) if covariates else Terms((), (), np.zeros(0, dtype=np.int64))
    columns = terms.columns(data.covariates) if covariates else []
    refuse(MODEL, check_columns(terms.names, columns, event))
    repeated = recurrences(data) > 0
    if repeated and robust is False:
        raise ParameterError("robust is False and persons have several events", "a variance over persons")
    jackknife = wants_robust(data, robust) or repeated
    times = np.log(data.exit[event] / DAYS_PER_YEAR)
    knots = {name: place_knots(times, number) for name, number in {"": df, **changing}.items()}
    # Rows in an order of what they hold, so that sums have the same digits whatever the order of the table.
    order = np.lexsort((*reversed(columns), data.entry, data.exit, event)) if columns else stated_order(data)
    if data.weight is not None or data.cluster is not None:
        order = order[np.lexsort((data.weights[order], data.clusters[order]))]
    x = np.column_stack([column[order] for column in columns]) if columns else np.zeros((len(data), 0))
    found = maximise(
        data.entry[order] / DAYS_PER_YEAR, data.exit[order] / DAYS_PER_YEAR, event[order], data.weights[order], x,
        terms, knots,
    )  # fmt: skip
    few = check_units(MODEL, data) if jackknife else []
    naive: Array = np.asarray(np.linalg.inv(found.information), dtype=np.float64)
    covariance: Array = naive
    if jackknife:
        sums = found.scores
        unit = data.clusters[order]
        told = sums @ np.linalg.inv(found.back)
        alone, narrow = lonely_terms(data, told, data.person[order], name_parameters(terms, knots))
        few = [*few, *narrow]
        if data.cluster is not None or data.persons < len(data):
            sums = np.stack([np.bincount(unit, column) for column in sums.T], axis=1)
        covariance = naive @ (sums.T @ sums) @ naive
    # Back from the columns of the search to those of the spline.
    theta = found.back @ found.theta
    covariance = np.asarray(found.back @ covariance @ found.back.T, dtype=np.float64)
    if jackknife:
        covariance = silence(covariance, alone)
    names = name_parameters(terms, knots)
    parameters = pd.Series(theta, index=names)
    table = _ratios(terms, changing, parameters, covariance, level)
    tests = _tests(terms, changing, parameters, covariance)
    notes = [*few, *unused_strata(data, "their columns among covariates")]
    if int(data.entry.min()) > 0:
        start = int(data.entry.min()) / DAYS_PER_YEAR
        notes.append(f"nobody is at risk before {start:.1f} years: nothing is said of earlier times")
    if event.sum() < 10 * len(parameters):
        notes.append("Fewer than 10 events for each parameter: estimates may lie too far from 1, and limits too close")
    settings = {
        "title": f"Flexible parametric model of {named}", "model": "flexible", "event": named, "event_code": 1,
        "estimator": "Royston-Parmar", **terms.settings(), "df": df, "time_varying": changing, "cause": cause,
        "level": level, "robust": robust, "repeated": repeated, "weights": data.weight is not None,
        "clusters": data.cluster is not None, "scale": data.scale, "rows": len(data), "persons": data.persons,
        "events": int(event.sum()), "variance": "robust" if jackknife else "information", "strata_labels": [],
        "ties": "spline", "iterations": found.steps,
    }  # fmt: skip
    return FlexibleModel(table, tests, found.loglik, tuple(notes), settings, data, terms, parameters, covariance, knots)


def _places(parameters: pd.Series, names: Sequence[str]) -> NDArray[np.int64]:
    return np.asarray(parameters.index.get_indexer(pd.Index(list(names))), dtype=np.int64)


def _ratios(
    terms: Terms, changing: Mapping[str, int], parameters: pd.Series, covariance: Array, level: float
) -> pd.DataFrame:
    kept = [name for name, at in zip(terms.names, terms.assign, strict=True) if terms.covariates[at] not in changing]
    places = _places(parameters, kept)
    coefficients = parameters.to_numpy()[places]
    error = np.sqrt(np.diag(covariance)[places])
    half = float(stats.norm.isf((1 - level) / 2)) * error
    return pd.DataFrame({
        "term": kept, "coef": coefficients, "hazard_ratio": np.exp(coefficients), "se": error,
        "ci_low": np.exp(coefficients - half), "ci_high": np.exp(coefficients + half), "z": coefficients / error,
        "p": 2 * stats.norm.sf(np.abs(coefficients / error)),
    })  # fmt: skip


def _tests(terms: Terms, changing: Mapping[str, int], parameters: pd.Series, covariance: Array) -> pd.DataFrame:
    rows = []
    for at, name in enumerate(terms.covariates):
        columns = [terms.names[k] for k in np.flatnonzero(terms.assign == at)]
        groups = [(name, columns)]
        if name in changing:
            moving = [f"{column} x spline {k}" for column in columns for k in range(1, changing[name] + 1)]
            groups = [(name, [*columns, *moving]), (f"{name}: change with time", moving)]
        for label, members in groups:
            places = _places(parameters, members)
            part = parameters.to_numpy()[places]
            statistic = float(part @ np.linalg.solve(covariance[np.ix_(places, places)], part))
            rows.append({"test": label, "statistic": statistic, "df": len(places),
                         "p": float(stats.chi2.sf(statistic, len(places)))})  # fmt: skip
    return pd.DataFrame(rows, columns=["test", "statistic", "df", "p"])
