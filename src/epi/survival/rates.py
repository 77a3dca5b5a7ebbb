"""Rates: events over person-time, by group, age and period, with exact limits; directly standardised rates."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.arguments import check_names, check_number, check_numbers
from epi.errors import EstimationError, ParameterError
from epi.results import Counted, Release
from epi.stats.intervals import check_level, rate_interval
from epi.stats.standardisation import direct_rate, standard_population
from epi.survival.counting import recurrences, stated_order
from epi.survival.data import DAYS_PER_YEAR, of_follow_up
from epi.survival.groups import ALL, MOST, split_groups
from epi.survival.lexis import BANDS, band_labels, split_lexis
from epi.survival.robust import FEW_CLUSTERS, few_clusters, robust_error, told_groups, unit_notes, unit_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.plotting import Chart
    from epi.survival.data import SurvivalData
    from epi.survival.steps import Lang

DIGITS = 4
"""Digits of a published rate: all of them would tell its counts."""
_VALUES = ("rate", "ci_low", "ci_high")
LABELS = {
    "persons": "Persons", "struck": "Persons with event",
    "events": "Events", "person_years": "Person-years", "rate": "Rate", "ci_low": "Low",
    "ci_high": "High", "crude": "Crude rate", "age_band": "Age", "period": "Period", "since_band": "Years since",
}  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """Rates by group, age and period.

    Parameters
    ----------
    table : pandas.DataFrame
        The columns of groups and bands, a row for each cell with time at risk: `persons`, `events`, `person_years`,
        `rate` (for ``settings["per"]`` person-years), `ci_low`, `ci_high`; with repeated events also `struck`, persons
        with one or more; with weights also `weighted_events` and `weighted_years`, from which the rate comes.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the rates.
    data : SurvivalData
        The follow-up, split.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)

    def standardise(
        self, standard: str | pd.DataFrame = "european_2013", *, ages: tuple[float, float] | None = None
    ) -> StandardisedRates:
        """Weigh the rates of ages as a standard population does: rates that differ by age structure become comparable.

        Parameters
        ----------
        standard : str or pandas.DataFrame, optional
            Name of a population (:func:`epi.stats.standardisation.standard_population`), or `age_low` and `weight`.
        ages : tuple of float, optional
            Years of age from and until which the standard is taken; all its ages by default.

        Returns
        -------
        StandardisedRates
            A rate for each group (and period, where there are some).

        Raises
        ------
        ParameterError
            If the rates have no bands of age, or bands do not go together with the standard's groups.
        EstimationError
            If a group has nobody at risk at an age that has weight.

        Notes
        -----
        Limits: gamma (Fay and Feuer, Stat Med 1997); with weights or clusters log-normal, from sums over clusters.
        """
        return _standardise(self, standard, ages)

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table; rates fall with the persons and events they come from.
        """
        keys = list(self.settings["keys"])
        # Of repeated events those who had them are counted too: many events may be of few persons.
        struck = ["struck"] if "struck" in self.table else []
        table = self.table[[*keys, "persons", *struck, "events", "person_years", *_VALUES]].copy()
        for name in keys:
            table[name] = table[name].astype(str)
        table["person_years"] = table["person_years"].round(1)
        for name in _VALUES:
            table[name] = [_round(value) for value in table[name]]
        by = tuple(self.settings["by"])
        bands = tuple(name for name in keys if name not in by)
        counted, fallen = ("struck", ("events", *_VALUES)) if struck else ("events", _VALUES)
        # The rates of groups, those of bands and those of all may be published beside these: each is a known total.
        margins = [within for within in dict.fromkeys((by, bands)) if within != tuple(keys) or not keys] or [()]
        return Release(
            table,
            (Counted("persons", adds_up_within=bands, derived=(*struck, "events", "person_years", *_VALUES)),
             *(Counted(counted, of="persons", adds_up_within=within, derived=fallen) for within in margins)),
            f"Rates of {self.settings['event']}", self._note(), ("events",) if struck else (),
            {k: v for k, v in LABELS.items() if k in table},
        )  # fmt: skip

    def chart_lexis(self, *, registry: int | None = None, lang: Lang = "en") -> Chart:
        """Draw person-time and events on the Lexis diagram: age against calendar time, cell by cell.

        Parameters
        ----------
        registry : int, optional
            Year in which observation begins: a line; the diagram's earlier part is hatched.
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Chart
            Two heat maps whose cells the gate may hide.

        Raises
        ------
        ParameterError
            If the rates are not by age and period alone.
        """
        from epi.survival.lexis_chart import draw_lexis

        return draw_lexis(self, registry, lang)

    def _note(self) -> str:
        weighted = " Rates are weighted, numbers are not." if self.settings["weights"] else ""
        return (
            f"For {self.settings['per']:,g} person-years; limits at {self.settings['level']:.0%}: "
            f"{self.settings['limits']}.{weighted}"
        )

    def __str__(self) -> str:
        total = f"{int(self.table['events'].sum())} events in {self.table['person_years'].sum():,.1f} person-years"
        return ". ".join([f"Rates of {self.settings['event']} in {len(self.table)} cells: {total}", *self.notes])

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, max_rows=30, float_format="{:,.3f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


@dataclass(frozen=True)
class StandardisedRates:
    """Directly standardised rates by group.

    Parameters
    ----------
    table : pandas.DataFrame
        The columns of groups, `persons`, `events`, `person_years`, `crude` (the rate without standard), `rate`,
        `ci_low`, `ci_high`; with repeated events also `struck`, persons with one or more.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the rates.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table; rates fall with the persons and events they come from.
        """
        table = self.table.copy()
        values = ("crude", *_VALUES)
        for name in self.settings["keys"]:
            table[name] = table[name].astype(str)
        table["person_years"] = table["person_years"].round(1)
        for name in values:
            table[name] = [_round(value) for value in table[name]]
        struck = ["struck"] if "struck" in table else []
        counted, fallen = ("struck", ("events", *values)) if struck else ("events", values)
        # A person may be at risk in several periods: persons add up within one.
        within = (BANDS["calendar"],) if BANDS["calendar"] in table else ()
        return Release(
            table,
            (Counted("persons", adds_up_within=within, derived=(*struck, "events", "person_years", *values)),
             Counted(counted, of="persons", adds_up_within=within, derived=fallen)),
            f"Directly standardised rates of {self.settings['event']}",
            f"For {self.settings['per']:,g} person-years; standard: {self.settings['standard']}, ages "
            f"{self.settings['ages']}; limits at {self.settings['level']:.0%}: {self.settings['limits']}.",
            ("events",) if struck else (), {k: v for k, v in LABELS.items() if k in table},
        )  # fmt: skip

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return self.table.to_html(index=False, float_format="{:,.3f}".format, na_rep="–") + notes


@of_follow_up
def estimate_rates(
    data: SurvivalData,
    *,
    by: str | Sequence[str] | None = None,
    age_bands: Sequence[float] | None = None,
    periods: Sequence[int] | None = None,
    cause: str | None = None,
    per: float = 1000,
    level: float = 0.95,
) -> Rates:
    """Estimate rates of an event by group, age and period.

    Parameters
    ----------
    data : SurvivalData
        Follow-up; a person may have the event several times.
    by : str or sequence of str, optional
        Covariates whose values are groups; columns of bands of data already split are some.
    age_bands : sequence of float, optional
        Years of age at which bands begin; the last one is open.
    periods : sequence of int, optional
        Years on whose 1 January periods begin; the last one is open.
    cause : str, optional
        The event; any of them by default.
    per : float, optional
        Person-years the rates are given for.
    level : float, optional
        Confidence level.

    Returns
    -------
    Rates
        A row for each cell in which somebody is at risk.

    Raises
    ------
    ParameterError
        If a column or an option is unknown, or there are too many groups.
    DataError
        If a group is missing.

    Notes
    -----
    Limits are exact (Garwood 1936). With weights, clusters or repeated events they are log-normal, with the variance of
    the events less those expected at the rate, summed over clusters (persons where there are none); a cell without
    event then has none.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"exit": [4000, 2500, 3900], "died": [1, 0, 1], "sex": ["F", "F", "M"]})
    >>> rates = estimate_rates(build_survival(seen, exit="exit", event="died", scale="age"), age_bands=[0, 5])
    >>> rates.table[["age_band", "events", "person_years"]].round(2).to_numpy().tolist()
    [['0-4', 0, 15.01], ['5+', 2, 13.47]]
    """
    check_level(level)
    per = check_number("per", per, "person-years above zero", above=0, do="per=1000")
    groups = [] if by is None else check_names("by", by, "columns of groups", do="by='sex'")
    split = data
    if age_bands is not None or periods is not None:
        split = split_lexis(data, age=age_bands, calendar=periods)
    # An interaction of age, period and groups has many cells, which are no groups that somebody compares.
    split_groups(data, groups or None, MOST)
    keys = [*groups, *(BANDS[name] for name, asked in (("age", age_bands), ("calendar", periods)) if asked is not None)]
    cell, table = _cells(split, keys)
    event = split.is_event(cause)
    repeated = recurrences(split) > 0
    robust = split.weight is not None or split.cluster is not None or repeated
    found, size = table, len(table)
    # Persons of a cell, each once.
    found["persons"] = _persons(cell, split.person, size)
    if repeated:
        found["struck"] = _persons(cell[event], split.person[event], size)
    found["events"] = np.bincount(cell[event], minlength=size)
    days = np.bincount(cell, split.exit - split.entry, size)
    found["person_years"] = days / DAYS_PER_YEAR
    notes = []
    if robust:
        rate, low, high, heavy = _robust(split, cell, event, size, level)
        if split.weight is not None:
            found["weighted_events"], found["weighted_years"] = heavy
        found["rate"], found["ci_low"], found["ci_high"] = rate * per, low * per, high * per
        if (found["events"] == 0).any():
            notes.append("cells without event have no limits: those over clusters are of the logarithm")
        if (np.isnan(low) & (found["events"] > 0)).any():
            notes.append(f"cells whose time lies in too few {unit_words(split)} have no limits")
        if split.cluster is not None and few_clusters(split, cell, size):
            notes.append(f"cells whose time lies in fewer than {FEW_CLUSTERS} clusters have limits that are too narrow")
    else:
        exact = rate_interval(found["events"].to_numpy(), found["person_years"].to_numpy(), per=per, level=level)
        found["rate"], found["ci_low"], found["ci_high"] = exact.estimate, exact.low, exact.high
    named = cause if cause is not None else data.causes[0] if len(data.causes) == 1 else "any event"
    settings = {
        "by": groups, "keys": keys, "age_bands": None if age_bands is None else [float(value) for value in age_bands],
        "periods": None if periods is None else [int(value) for value in periods], "cause": cause, "event": named,
        "per": per, "level": level, "limits": "log-normal over clusters" if robust else "exact Poisson",
        "weights": data.weight is not None, "clusters": data.cluster is not None, "scale": data.scale,
        "repeated": repeated,
    }  # fmt: skip
    return Rates(found, tuple(notes), settings, split)


def _persons(cell: NDArray[np.int64], person: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Count the persons of each cell, each once."""
    return np.bincount(np.unique(np.column_stack([cell, person]), axis=0)[:, 0], minlength=size).astype(np.int64)


def _cells(data: SurvivalData, keys: list[str]) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Give each row its cell, and the cells' names in order."""
    if not keys:
        return np.zeros(len(data), dtype=np.int64), pd.DataFrame(index=[0])
    columns = pd.DataFrame({name: data.column(name) for name in keys})
    grouped = columns.groupby(keys, sort=True, observed=True)
    cell = grouped.ngroup().to_numpy().astype(np.int64)
    first = np.unique(cell, return_index=True)[1]
    return cell, columns.iloc[first].reset_index(drop=True)


def _robust(
    data: SurvivalData, cell: NDArray[np.int64], event: NDArray[np.bool_], size: int, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[Any, Any]]:
    """Give weighted rates a year, their limits over clusters, and weighted events and years."""
    order = stated_order(data)
    at, weight = cell[order], data.weights[order]
    struck, years = weight * event[order], weight * (data.exit - data.entry)[order] / DAYS_PER_YEAR
    events, time = np.bincount(at, struck, size), np.bincount(at, years, size)
    rate = events / time
    residual = struck - rate[at] * years
    code = at * (int(data.clusters.max()) + 1) + data.clusters[order]
    places, inverse = np.unique(code, return_inverse=True)
    sums = np.bincount(inverse, residual)
    cells = places // (int(data.clusters.max()) + 1)
    error = robust_error(np.bincount(cells, sums**2, size), events)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.exp(stats.norm.isf((1 - level) / 2) * error / events)
    known = (events > 0) & told_groups(data, cell, size)
    return rate, np.where(known, rate / spread, np.nan), np.where(known, rate * spread, np.nan), (events, time)


def _standardise(found: Rates, standard: str | pd.DataFrame, ages: tuple[float, float] | None) -> StandardisedRates:
    settings, breaks = found.settings, found.settings["age_bands"]
    if breaks is None:
        raise ParameterError(
            "the rates have no bands of age", "estimate_rates(..., age_bands=)", "age_bands=[0, 5, 10]"
        )
    weights, words = _band_weights(breaks, standard, ages)
    keys = [name for name in settings["keys"] if name != BANDS["age"]]
    table, labels = found.table, band_labels("age", breaks)
    place = {label: at for at, label in enumerate(labels)}
    cell, rows = _cells(found.data, keys)
    told = []
    for at in range(len(rows)):
        part = table
        for name in keys:
            part = part[part[name] == rows[name].iloc[at]]
        where = part["age_band"].astype(object).map(place).to_numpy(dtype=np.int64)
        kept = np.bincount(where, minlength=len(labels)) > 0
        empty = [labels[k] for k in np.flatnonzero((weights > 0) & ~kept)]
        if empty:
            named = f" of {', '.join(str(rows[name].iloc[at]) for name in keys)}" if keys else ""
            raise EstimationError(
                f"nobody{named} is at risk at ages {', '.join(empty)}, which have weight in the standard",
                "person-years at all ages of the standard", "ages=(low, high) takes a part of it; or wider bands",
            )  # fmt: skip
        used = weights[where] > 0
        inside = part[used]
        share = weights[where][used]
        mine = (cell == at) & found.data.column("age_band").isin(inside["age_band"]).to_numpy()
        row: dict[str, Any] = {name: rows[name].iloc[at] for name in keys}
        row |= {"persons": len(np.unique(found.data.person[mine])), "events": int(inside["events"].sum()),
                "person_years": inside["person_years"].sum()}  # fmt: skip
        heavy = "weighted_events" if settings["weights"] else "events"
        years = "weighted_years" if settings["weights"] else "person_years"
        row["crude"] = inside[heavy].sum() / inside[years].sum() * settings["per"]
        if settings["limits"] == "exact Poisson":
            one = direct_rate(
                inside["events"], inside["person_years"], share, per=settings["per"], level=settings["level"]
            )
            row |= {"rate": one.estimate, "ci_low": one.low, "ci_high": one.high}
        else:
            row |= _robust_standard(found, cell == at, inside, share / share.sum())
        if settings["repeated"]:
            row["struck"] = len(np.unique(found.data.person[mine & found.data.is_event(settings["cause"])]))
        told.append(row)
    notes = []
    if settings["limits"] != "exact Poisson":
        notes = unit_notes(found.data, np.zeros(len(found.data), dtype=np.int64), (ALL,))
        if any(row["rate"] > 0 and np.isnan(row["ci_low"]) for row in told):
            what = unit_words(found.data)
            notes.append(f"rates have no limits where an age has no event, or lies in too few {what}")
    kept_settings = {
        "keys": keys, "event": settings["event"], "per": settings["per"], "level": settings["level"],
        "standard": standard if isinstance(standard, str) else "given", "ages": words,
        "limits": "gamma (Fay and Feuer)" if settings["limits"] == "exact Poisson" else settings["limits"],
    }  # fmt: skip
    return StandardisedRates(pd.DataFrame(told), tuple(notes), kept_settings)


def _band_weights(
    breaks: Sequence[float], standard: str | pd.DataFrame, ages: tuple[float, float] | None
) -> tuple[NDArray[np.float64], str]:
    """Add up the standard's weights within each band, the one before the first break included."""
    population = standard if isinstance(standard, pd.DataFrame) else standard_population(standard)
    absent = [name for name in ("age_low", "weight") if name not in population]
    if absent:
        raise ParameterError(f"the standard has no column {', '.join(absent)}", "age_low and weight")
    low = check_numbers("age_low", population["age_low"].to_numpy(), "ages at which the standard's groups begin")
    weight = check_numbers("weight", population["weight"].to_numpy(), "weights of the standard's groups")
    if (np.diff(low) <= 0).any() or not (np.isfinite(weight) & (weight >= 0)).all():
        raise ParameterError("the standard's ages do not rise, or weights are missing or negative", "age_low in order")
    words = f"{low[0]:g} and over"
    if ages is not None:
        asked = check_numbers("ages", ages, "two ages, the first and the end", do="ages=(0, 15)")
        if len(asked) != 2:
            raise ParameterError(f"ages has {len(asked)} values", "two ages, the first and the end", "ages=(0, 15)")
        first, last = asked.tolist()
        begins = ", ".join(f"{value:g}" for value in low)
        if first not in low or (last not in low and last <= low[-1]) or first >= last:
            raise ParameterError(f"ages are {first:g} to {last:g}", f"two of the ages of the standard: {begins}")
        weight = np.where((low >= first) & (low < last), weight, 0.0)
        words = f"{first:g} to {last:g}"
        if (last <= low[-1] and last not in breaks) or (first > low[0] and first not in breaks):
            raise ParameterError(
                f"ages are {words} and bands begin at {', '.join(f'{value:g}' for value in breaks)}",
                "bands that begin where the ages do, and where they end", f"age_bands=[{first:g}, ..., {last:g}]",
            )  # fmt: skip
    used = low[weight > 0]
    inner = [value for value in breaks if used.min() < value <= used.max()]
    crossed = [value for value in inner if value not in low]
    if crossed:
        raise ParameterError(
            f"bands begin at {', '.join(f'{value:g}' for value in crossed)} years, within a group of the standard",
            "bands made of whole groups of the standard", "age_bands= in its groups of five years, or a finer standard",
        )  # fmt: skip
    sums = np.zeros(len(breaks) + 1)
    np.add.at(sums, np.searchsorted(np.asarray(breaks), low, side="right"), weight)
    return sums, words


def _robust_standard(
    found: Rates, rows: NDArray[np.bool_], part: pd.DataFrame, share: NDArray[np.float64]
) -> dict[str, float]:
    """Give a standardised rate with log-normal limits over clusters."""
    data, settings = found.data, found.settings
    years = part["weighted_years"] if settings["weights"] else part["person_years"]
    events = part["weighted_events"] if settings["weights"] else part["events"]
    each = events.to_numpy(dtype=np.float64) / years.to_numpy(dtype=np.float64)
    rate = float((share * each).sum())
    place = {label: at for at, label in enumerate(part["age_band"])}
    band = data.column("age_band").astype(object).map(place)
    order = stated_order(data)
    kept = order[(rows & band.notna().to_numpy())[order]]
    at = band.to_numpy(dtype=np.float64, na_value=0)[kept].astype(np.int64)
    time = (data.exit - data.entry)[kept] / DAYS_PER_YEAR
    residual = data.weights[kept] * (data.is_event(settings["cause"])[kept] - each[at] * time)
    sums = np.bincount(data.clusters[kept], share[at] / years.to_numpy(dtype=np.float64)[at] * residual)
    error = float(robust_error((sums**2).sum(), rate))
    low = high = float("nan")
    # What an age adds to the variance whose events are of one cluster, or that has none, is not known.
    if rate > 0 and told_groups(data.select(kept), at, len(part)).all() and (events > 0).all():
        spread = float(np.exp(stats.norm.isf((1 - settings["level"]) / 2) * error / rate))
        low, high = rate / spread, rate * spread
    per = settings["per"]
    return {"rate": rate * per, "ci_low": low * per, "ci_high": high * per}


def _round(value: float) -> float:
    return float(f"{value:.{DIGITS - 1}e}") if np.isfinite(value) else float("nan")
