"""What a proportional hazards model predicts: the baseline hazard, and curves of profiles with their limits.

Survival curves of a hazard; cumulative incidences of the hazard of a subdistribution.

The baseline is Breslow's, or with Efron's ties the one that belongs to them: as ``survfit.coxph`` in R.
The variance of a curve has two parts, of the baseline's steps and of the coefficients (Tsiatis, Ann
Stat 1981); the second one is robust where the model's variance is.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.errors import DisclosureError, ParameterError
from epi.survival.counting import count_days
from epi.survival.curve_influence import CurveInfluence, needs_influence, sum_influence
from epi.survival.curves import whole_days
from epi.survival.data import DAYS_PER_YEAR
from epi.survival.few import published_least
from epi.survival.groups import ALL
from epi.survival.limits import IntervalScale, check_interval, probability_limits
from epi.survival.reporting import declare, read_published, reporting_rows
from epi.survival.window import check_inside, window_start

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.plotting import Chart
    from epi.results import Release
    from epi.survival.ratio_model import RatioModel
    from epi.survival.steps import Lang


Measure = Literal["survival", "incidence"]
TITLES: dict[Measure, str] = {
    "survival": "Predicted survival without {}",
    "incidence": "Predicted cumulative incidence of {}",
}


@dataclass(frozen=True)
class PredictedCurves:
    """Survival curves, or cumulative incidences, of profiles.

    Parameters
    ----------
    table : pandas.DataFrame
        `profile`, `stratum` where there are some, `time` (days), `hazard` (cumulative), `hazard_se`, `survival` or
        `incidence`, `se`, `ci_low`, `ci_high`; missing after the end of the stratum's follow-up.
    profiles : pandas.DataFrame
        The profiles, by name.
    settings : mapping
        What determined the curves.
    model : RatioModel
        The model they come from.
    """

    table: pd.DataFrame
    profiles: pd.DataFrame
    settings: Mapping[str, Any]
    model: RatioModel = field(repr=False, compare=False)

    def release(self, *, min_count: int | None = None, years: float | None = None) -> Release:
        """Say what would be published: curves at times between which nothing happens to few persons.

        Parameters
        ----------
        min_count : int, optional
            Fewest persons an interval between two times may tell of; the policy's by default.
        years : float, optional
            Distance of the times asked for.

        Returns
        -------
        Release
            Numbers at risk and events of everybody, and each profile's survival.

        Raises
        ------
        DisclosureError
            If events are repeated, curves were asked for at chosen times only, or no time will do.
        """
        return _release(self, min_count, years)[0]

    def chart(self, *, lang: Lang = "en", min_count: int | None = None, years: float | None = None) -> Chart:
        """Draw the curves of the profiles, from what may be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.
        min_count : int, optional
            Fewest persons an interval between two times may tell of; the policy's by default.
        years : float, optional
            Distance of the times asked for.

        Returns
        -------
        Chart
            A panel for each stratum, a line for each profile.
        """
        from epi.survival.prediction_chart import draw_prediction

        release, least = _release(self, min_count, years)
        return draw_prediction(self, release, lang, least, years)

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, max_rows=20, float_format="{:,.4f}".format, na_rep="–")
        return f"<p>{html.escape(str(self.settings['title']))}</p>{body}"


def columns_of(measure: Measure, name: str) -> tuple[str, str, str]:
    """Name the published columns of a profile.

    Parameters
    ----------
    measure : {"survival", "incidence"}
        What is predicted.
    name : str
        The profile.

    Returns
    -------
    tuple of str
        Columns of the estimate and of its limits.
    """
    return f"{measure}_{name}", f"ci_low_{name}", f"ci_high_{name}"


def estimate_baseline(model: RatioModel) -> pd.DataFrame:
    """Give the cumulative hazard of somebody with every number 0 and every category its reference.

    Parameters
    ----------
    model : RatioModel
        The model.

    Returns
    -------
    pandas.DataFrame
        `stratum` where there are some, `time` (days with events), `at_risk` and `events` (rows), `hazard`, `se`.
    """
    sets = model.sets
    zero = -sets.centre / sets.scale
    hazard, variance = _cumulate(model, zero, None, _influence(model, np.flatnonzero(sets.events > 0), None))
    change = np.bincount(sets.start, minlength=sets.slots) - np.bincount(sets.stop, minlength=sets.slots)
    # Rows enter in the slot of their start and are gone from that of their stop on, within their stratum.
    at_risk = np.cumsum(change)
    kept = sets.events > 0
    table = pd.DataFrame({
        "time": sets.day, "at_risk": at_risk, "events": sets.events, "hazard": hazard, "se": np.sqrt(variance),
    })  # fmt: skip
    if model.strata_labels:
        table.insert(0, "stratum", np.asarray(model.strata_labels, dtype=object)[sets.stratum])
    return table[kept].reset_index(drop=True)


def predict_curves(
    model: RatioModel, profiles: pd.DataFrame, *, at_years: ArrayLike | None = None, from_years: float | None = None,
    interval: IntervalScale = "log-log", level: float | None = None, measure: Measure = "survival",
) -> PredictedCurves:  # fmt: skip
    """Predict the curves of profiles.

    Parameters
    ----------
    model : RatioModel
        The model.
    profiles : pandas.DataFrame
        A row for each profile, named by its index, with a column for each covariate of the model.
    at_years : array-like, optional
        Times; every day with an event by default.
    from_years : float, optional
        Time at which the curves are 1: survival among those without event then. Where persons enter late
        nothing is known of earlier times.
    interval : {"log-log", "log", "plain", "logit", "arcsin"}, optional
        Scale of the confidence interval.
    level : float, optional
        Confidence level; the model's by default.
    measure : {"survival", "incidence"}, optional
        Survival, or 1 less it.

    Returns
    -------
    PredictedCurves
        The curves, in every stratum.

    Raises
    ------
    ParameterError
        If an option or a covariate is unknown, or two profiles have one name.
    DataError
        If a profile has a missing value or an unknown category.
    """
    level = float(model.settings["level"]) if level is None else level
    check_interval(interval, level)
    table = profiles if isinstance(profiles, pd.DataFrame) else pd.DataFrame(profiles)
    names = [str(name) for name in table.index]
    if not names or len(set(names)) < len(names):
        raise ParameterError("profiles are absent, or two have one name", "a row for each, named by its index")
    sets = model.sets
    design = np.column_stack(model.terms.columns(table))
    scaled = (design - sets.centre) / sets.scale
    start = window_start(model.data) if from_years is None else int(whole_days(from_years, "years")[0])
    days = None if at_years is None else whole_days(at_years, "years")
    for asked in (days, None if from_years is None else np.array([start])):
        if asked is not None:
            check_inside(model.data, asked)
    if start is not None and days is not None and (days < start).any():
        raise ParameterError("a time comes before from_years", "times after the curves' start")
    ends = np.full(len(sets.first) - 1, np.iinfo(np.int64).min)
    np.maximum.at(ends, sets.stratum[sets.stop], model.data.exit[sets.order])
    parts = []
    read_at = []
    for stratum in range(len(ends)):
        slots = np.arange(sets.first[stratum], sets.first[stratum + 1] - 1)
        if start is not None:
            slots = slots[sets.day[slots] > start]
        times = sets.day[slots] if days is None else days
        read_at.append((slots, times, np.searchsorted(sets.day[slots], times, side="right")))
    wanted = np.unique(np.concatenate([slots[step[step > 0] - 1] for slots, _, step in read_at]))
    influence = _influence(model, wanted, start)
    for name, row in zip(names, scaled, strict=True):
        hazard, variance = _cumulate(model, row, start, influence)
        for stratum, (end, (slots, times, step)) in enumerate(zip(ends, read_at, strict=True)):
            known = times <= end
            read = [
                np.where(known, np.concatenate([[0.0], values[slots]])[step], np.nan)
                for values in (hazard, np.sqrt(variance))
            ]
            part: dict[str, Any] = {"profile": name}
            if model.strata_labels:
                part["stratum"] = model.strata_labels[stratum]
            survival = np.exp(-read[0])
            error = survival * read[1]
            low, high = probability_limits(survival, error, interval, level)
            value = survival
            if measure == "incidence":
                value, low, high = -np.expm1(-read[0]), 1 - high, 1 - low
            parts.append(pd.DataFrame({
                **part, "time": times, "hazard": read[0], "hazard_se": read[1], measure: value, "se": error,
                "ci_low": low, "ci_high": high,
            }))  # fmt: skip
    settings = {
        "title": TITLES[measure].format(model.settings["event"]), "measure": measure,
        "event": model.settings["event"], "interval": interval,
        "level": level, "from_days": start, "chosen": days is not None, "variance": model.settings["variance"],
        "ties": model.settings["ties"], "weights": model.settings["weights"], "profiles": names,
    }  # fmt: skip
    return PredictedCurves(pd.concat(parts, ignore_index=True), table.set_axis(names, axis=0), settings, model)


def _after(model: RatioModel, start: int | None) -> NDArray[np.bool_]:
    """Say which slots come after the start of the curves."""
    return np.ones(model.sets.slots, dtype=bool) if start is None else model.sets.day > start


def _influence(model: RatioModel, slots: NDArray[np.int64], start: int | None) -> CurveInfluence | None:
    """Give what clusters move the baseline by, where the variance rests on them."""
    return sum_influence(model, slots, _after(model, start)) if needs_influence(model) else None


def _cumulate(
    model: RatioModel, row: NDArray[np.float64], start: int | None, influence: CurveInfluence | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cumulate the hazard of a row of the design, and its variance, by slot."""
    sets, best = model.sets, model.best
    there = _after(model, start)
    ratio = float(np.exp(row @ best.beta))
    hazard = sets.cumulate(best.hazard * there)
    steps = sets.cumulate(best.steps * there)
    lean = hazard[:, None] * row - sets.cumulate(best.drift * there[:, None])
    if influence is not None:
        return hazard * ratio, influence.variance(lean) * ratio**2
    covariance = model.covariance * np.outer(sets.scale, sets.scale)
    variance = steps + ((lean @ covariance) * lean).sum(axis=1)
    return hazard * ratio, variance * ratio**2


def _release(found: PredictedCurves, min_count: int | None, years: float | None) -> tuple[Release, int]:
    model = found.model
    if model.settings["repeated"]:
        raise DisclosureError(
            "repeated events count events, not persons", "a first event for each person",
            "publish the model's ratios, or the time to the first event",
        )  # fmt: skip
    if found.settings["chosen"]:
        raise DisclosureError(
            "curves at chosen times may tell of few persons", "times found from the numbers of persons",
            "leave at_years= out, and give years= to release() or chart()",
        )  # fmt: skip
    least = published_least(min_count)
    sets, data, start = model.sets, model.data, found.settings["from_days"]
    labels: Sequence[str] = model.strata_labels or (ALL,)
    group = np.empty(len(data), dtype=np.int64)
    group[sets.order] = sets.stratum[sets.stop]
    if start is not None:
        # What happened before the curves' start is not told: the first time read is far enough from it.
        group, data = group[data.exit > start], data.window(start)
    counts = count_days(data, group if len(labels) > 1 else None, len(labels))
    # With competing causes the events of the cause, and those of all the others together.
    code = model.settings["event_code"] - 1
    mine = counts.events[:, :, [code]]
    events = mine if counts.events.shape[2] == 1 else np.dstack([mine, counts.events.sum(axis=2, keepdims=True) - mine])
    rows, _ = reporting_rows(counts, events, labels, least, years)
    table, estimates = rows.rename(columns={"events_0": "events", "events_1": "competing"}), list[str]()
    headings = {"competing": "Competing events since the time before"}
    measure: Measure = found.settings["measure"]
    first = 1.0 if measure == "survival" else 0.0
    curves = found.table.rename(columns={"stratum": "group"}) if model.strata_labels else found.table.assign(group=ALL)
    for name in found.settings["profiles"]:
        values = read_published(
            curves[curves["profile"] == name], rows, {measure: first, "ci_low": first, "ci_high": first}
        )
        columns = columns_of(measure, name)
        table = table.join(values.set_axis(list(columns), axis=1))
        estimates += columns
        headings |= {columns[0]: f"{name}: {measure}", columns[1]: f"{name}: low", columns[2]: f"{name}: high"}
    after = f", among those without event at {start / DAYS_PER_YEAR:.2f} years" if start is not None else ""
    note = (
        f"Proportional hazards of {', '.join(model.terms.covariates)}; limits at {found.settings['level']:.0%} on the "
        f"{found.settings['interval']} scale, {found.settings['variance']} variance. Read at times between which each "
        f"number of persons is nobody or at least {least}; numbers are of everybody, whatever their profile."
    )
    if found.settings["weights"]:
        note += " Estimates are weighted, numbers of persons are not."
    counted = [name for name in ("events", "competing") if name in table]
    title = found.settings["title"] + after
    return declare(table.drop(columns="time"), estimates, title, note, counted, headings), least
