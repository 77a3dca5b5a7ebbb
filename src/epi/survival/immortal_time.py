"""Exposure that begins after entry: the time before it is not exposed, and nobody can die in it who is to be exposed.

Whoever is classed by a later event (a treatment, a second visit, a screening test) must have survived until then. Time
before it, counted as exposed, has no deaths by definition: it makes any exposure look protective.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.arguments import check_names
from epi.errors import DataError, ParameterError
from epi.results import Counted, Release
from epi.stats.intervals import check_level
from epi.survival.data import DAYS_PER_YEAR, NONE, of_follow_up
from epi.survival.splitting import cut_rows
from epi.survival.stays import whole_stays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData

NEVER, BEFORE, DURING, AFTER = "never exposed", "exposed at entry", "exposed later", "exposed after the end"
STATUSES = (NEVER, BEFORE, DURING, AFTER)


@dataclass(frozen=True)
class ImmortalTime:
    """Persons and time that classing persons by a later exposure puts on the wrong side.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each `status` (never exposed; exposed at entry; exposed later, during follow-up; exposed after the
        end of it): `persons`, `events`, `person_years`, `wrong_years` (unexposed time that "ever exposed" counts as
        exposed) and `wrong_events` (events before any exposure that it counts as exposed).
    rates : pandas.DataFrame
        `approach` ("ever exposed", which is wrong; "from exposure on"): `exposed_events`, `exposed_years`,
        `unexposed_events`, `unexposed_years`, `ratio` of the rates and its exact limits `ci_low`, `ci_high`.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the counts.
    """

    table: pd.DataFrame
    rates: pd.DataFrame
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            Persons, events and person-years by status, misclassified time beside; the ratios in the note are left
            out where an exposed or unexposed number of events would tell of few persons.
        """
        from epi.survival.few import published_least

        kept = self.table[["status", "persons", "events", "person_years", "wrong_years"]].copy()
        for name in ("person_years", "wrong_years"):
            kept[name] = kept[name].round(1)
        counts = self.rates[["exposed_events", "unexposed_events"]].to_numpy()
        told = ""
        if not ((counts > 0) & (counts < published_least(None))).any() and self.rates["ratio"].notna().all():
            told = (
                " Ratio of rates, "
                + "; ".join(
                    f"{row.approach}: {row.ratio:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})"
                    for row in self.rates.itertuples(index=False)
                )
                + "."
            )
        years = ("person_years", "wrong_years")
        return Release(
            kept,
            (Counted("persons", adds_up_within=(), derived=("events", *years)),
             Counted("events", of="persons", adds_up_within=(), derived=years)),
            f"Time before exposure ({self.settings['exposure']}) that 'ever exposed' counts as exposed",
            f"Misclassified time is unexposed time of persons exposed later or after the end.{told}",
            labels={"status": "Exposure", "persons": "Persons", "events": "Events", "person_years": "Person-years",
                    "wrong_years": "Misclassified person-years"},
        )  # fmt: skip

    def __str__(self) -> str:
        late = self.table.set_index("status")
        wrong = late.loc[[DURING, AFTER]]
        share = float(wrong["wrong_years"].sum()) / float(late["person_years"].sum())
        words = (
            f"{int(wrong['persons'].sum())} of {int(late['persons'].sum())} persons are exposed after entry: "
            f"'ever exposed' would count {wrong['wrong_years'].sum():.1f} unexposed person-years ({share:.1%} of all) "
            f"and {int(wrong['wrong_events'].sum())} events before exposure as exposed"
        )
        return ". ".join([words, *self.notes])

    def _repr_html_(self) -> str:
        tables = "".join(
            part.to_html(index=False, float_format="{:,.2f}".format, na_rep="–") for part in (self.table, self.rates)
        )
        return f"<p>{html.escape(str(self))}</p>{tables}"


@of_follow_up
def check_immortal_time(
    data: SurvivalData, exposure: str, *, cause: str | None = None, level: float = 0.95
) -> ImmortalTime:
    """Count the persons and the time that "ever exposed" would put on the wrong side.

    Parameters
    ----------
    data : SurvivalData
        Follow-up, one stay for each person.
    exposure : str
        Covariate with the day on which exposure begins: a date (the data then need their origin) or days on the time
        scale; missing for those never exposed.
    cause : str, optional
        The event; any of them by default.
    level : float, optional
        Confidence level.

    Returns
    -------
    ImmortalTime
        Counts by status, and the ratio of rates both ways. Weights are not used: it counts persons.

    Raises
    ------
    ParameterError
        If the column does not exist, holds neither days nor dates, or dates cannot be placed.
    DataError
        If a person has several days of exposure, or time with gaps.

    Notes
    -----
    Immortal time: Suissa (Am J Epidemiol 2008;167:492-499). :func:`split_at_exposure` gives the follow-up as it should
    be: not exposed until the day of exposure included, exposed after it. Limits of ratios are exact given the number of
    events (Clopper and Pearson's of the exposed share); with clusters there are none: see
    :func:`epi.survival.fit_rates` of the follow-up cut at exposure.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"exit": [365, 730, 1461, 365, 1096], "died": [1, 0, 1, 1, 0],
    ...                      "treated": [None, None, 730, 400, 0]})
    >>> print(check_immortal_time(build_survival(seen, exit="exit", event="died"), "treated"))
    2 of 5 persons are exposed after entry: 'ever exposed' would count 3.0 unexposed person-years (27.3% of all) and \
1 events before exposure as exposed
    """
    check_level(level)
    entry, exit_, event, first = whole_stays(data, cause, np.zeros(len(data), dtype=np.int64))
    begins = exposure_days(data, exposure)[first]
    never = begins == NONE
    status = np.select([never, begins <= entry, begins < exit_], [0, 1, 2], 3)
    time = exit_ - entry
    wrong = np.select([status == 2, status == 3], [begins - entry, time], 0)

    def total(values: NDArray[np.int64]) -> NDArray[np.int64]:
        sums = np.zeros(len(STATUSES), dtype=np.int64)
        np.add.at(sums, status, values)
        return sums

    table = pd.DataFrame({
        "status": STATUSES, "persons": total(np.ones(len(status), dtype=np.int64)),
        "events": total(event.astype(np.int64)), "person_years": total(time) / DAYS_PER_YEAR,
        "wrong_years": total(wrong) / DAYS_PER_YEAR, "wrong_events": total((event & (status == 3)).astype(np.int64)),
    })  # fmt: skip
    late = event & (status == 3)
    rates = pd.DataFrame([
        _ratio("ever exposed", int(event[~never].sum()), int(time[~never].sum()), int(event[never].sum()),
               int(time[never].sum()), level),
        _ratio("from exposure on", int((event & ~never & ~late).sum()), int((time - wrong)[~never].sum()),
               int((event & (never | late)).sum()), int(time[never].sum() + wrong.sum()), level),
    ])  # fmt: skip
    notes = []
    if data.weight is not None:
        notes.append("weights are not used: persons and time are counted as they are")
    if data.cluster is not None:
        rates[["ci_low", "ci_high"]] = np.nan
        notes.append("ratios have no limits: exact ones take persons as independent, which clusters are not")
    settings = {"exposure": exposure, "cause": cause, "level": level, "scale": data.scale}
    return ImmortalTime(table, rates, tuple(notes), settings)


@of_follow_up
def split_at_exposure(
    data: SurvivalData, exposure: str, *, name: str = "exposed", labels: tuple[str, str] = ("unexposed", "exposed")
) -> SurvivalData:
    """Cut each person's time at exposure: not exposed until that day included, exposed after it.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    exposure : str
        Covariate with the day on which exposure begins, as in :func:`check_immortal_time`.
    name : str, optional
        Covariate that tells whether a row is exposed.
    labels : tuple of str, optional
        Its values, the reference first.

    Returns
    -------
    SurvivalData
        The same persons and time; ``name`` varies with time. An event on the day of exposure is not exposed: whoever
        had it was so before.

    Raises
    ------
    ParameterError
        If the name is taken or is the column of days, or that column cannot be read.
    DataError
        If a person has several days of exposure.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"exit": [100, 200], "died": [1, 1], "treated": [None, 50]})
    >>> whole = build_survival(seen, exit="exit", event="died")
    >>> split_at_exposure(whole, "treated").covariates["exposed"].tolist()
    ['unexposed', 'unexposed', 'exposed']
    """
    if name in data.covariates:
        raise ParameterError(f"the data have a covariate {name!r}", "a name that is free", "name='treated_now'")
    if isinstance(labels, str) or len(set(check_names("labels", labels, "two texts"))) != 2:
        raise ParameterError(f"labels are {labels}", "two different texts", "labels=('unexposed', 'exposed')")
    begins = exposure_days(data, exposure)
    rows = np.flatnonzero(begins != NONE)
    pieces, owner = cut_rows(data, rows, begins[rows])
    exposed = (begins[owner] != NONE) & (pieces.entry >= begins[owner])
    told = pd.Categorical(np.where(exposed, labels[1], labels[0]), categories=list(labels))
    covariates = pieces.covariates.assign(**{name: told})
    return replace(pieces, covariates=covariates, settings={**data.settings, "exposure": exposure})


def exposure_days(data: SurvivalData, exposure: str) -> NDArray[np.int64]:
    """Read the day of exposure of each row.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    exposure : str
        Covariate of dates, or of days on the time scale.

    Returns
    -------
    numpy.ndarray of int64, shape (rows,)
        Days on the time scale; :data:`epi.survival.data.NONE` where there is no exposure.

    Raises
    ------
    ParameterError
        If the column holds neither days nor dates, or dates cannot be placed.
    DataError
        If a person has several days of exposure.
    """
    column = data.column(exposure)
    known = column.notna().to_numpy()
    days = np.full(len(data), NONE, dtype=np.int64)
    if pd.api.types.is_datetime64_any_dtype(column):
        if data.origin is None and data.scale != "calendar":
            raise ParameterError(
                f"{exposure} holds dates and the data do not know the date of time zero",
                "days on the time scale, or data with an origin", "build_survival(..., origin=)",
            )  # fmt: skip
        moments = column[known].dt.tz_localize(None) if column.dt.tz is not None else column[known]
        found = moments.dt.normalize().astype("datetime64[s]").astype(np.int64).to_numpy() // 86_400
        days[known] = found - (0 if data.origin is None else data.origin[known])
    elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column[known].to_numpy(dtype=np.float64)
        bad = int((~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) > 1e9)).sum())
        if bad:
            raise ParameterError(f"{exposure} is no whole number of days in {bad} rows", "days on the time scale")
        days[known] = values.astype(np.int64)
    elif known.any():
        raise ParameterError(f"{exposure} holds neither days nor dates", "dates, missing where never exposed",
                             f"pd.to_datetime(table[{exposure!r}])")  # fmt: skip
    if data.persons < len(data):
        ends = [np.full(data.persons, value) for value in (np.iinfo(np.int64).max, NONE)]
        np.minimum.at(ends[0], data.person, days)
        np.maximum.at(ends[1], data.person, days)
        several = int((ends[0] != ends[1]).sum())
        if several:
            raise DataError(f"{exposure} differs between the rows of {several} persons", "one day for each person")
    return days


def _ratio(
    approach: str, exposed: int, exposed_days: int, unexposed: int, unexposed_days: int, level: float
) -> dict[str, Any]:
    row = {"approach": approach, "exposed_events": exposed, "exposed_years": exposed_days / DAYS_PER_YEAR,
           "unexposed_events": unexposed, "unexposed_years": unexposed_days / DAYS_PER_YEAR,
           "ratio": np.nan, "ci_low": np.nan, "ci_high": np.nan}  # fmt: skip
    if not exposed_days or not unexposed_days or not exposed + unexposed:
        return row
    # Given the number of events, those exposed are binomial: p / (1 - p) is the ratio times the ratio of times.
    tail, times = (1 - level) / 2, unexposed_days / exposed_days
    low = stats.beta.ppf(tail, exposed, unexposed + 1) if exposed else 0.0
    high = stats.beta.isf(tail, exposed + 1, unexposed) if unexposed else 1.0
    row["ratio"] = exposed / unexposed * times if unexposed else np.inf
    row["ci_low"] = low / (1 - low) * times
    row["ci_high"] = high / (1 - high) * times if high < 1 else np.inf
    return row
