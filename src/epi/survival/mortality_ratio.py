"""Standardised mortality: deaths observed over those expected of the general population, and the excess a year."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.results import Counted, Release
from epi.stats.intervals import check_level, count_interval
from epi.stats.notation import format_number
from epi.survival.data import DAYS_PER_YEAR, of_follow_up
from epi.survival.groups import ALL, By, split_groups
from epi.survival.net import place_persons
from epi.survival.risk_sets import check_first_events
from epi.survival.robust import robust_error, told_groups, unit_notes
from epi.survival.steps import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData
    from epi.survival.life_table import LifeTable
    from epi.survival.steps import Lang

PER = 1000
_WORDS = {
    "en": {
        "title": "Deaths observed and expected", "group": "Group", "persons": "Persons", "observed": "Deaths",
        "expected": "Expected", "person_years": "Person-years", "smr": "Ratio (SMR)", "ci_low": "Low",
        "ci_high": "High",
        "excess": "Excess per 1,000 person-years", "excess_low": "Excess, low", "excess_high": "Excess, high",
        "deaths": "Deaths", "weighted": "Deaths, weighted", "exact Poisson": "exact limits at {}",
        "log-normal over clusters": "limits at {} over clusters",
        "note": "Expected of the general population of the same sex, age and year ({}); {}.",
        "causes": " Deaths of all causes count.",
        "groups": " Each group against expected deaths of its own ages: ratios of groups of other ages are not to be "
                  "set against each other.",
    },
    "fr": {
        "title": "Décès observés et attendus", "group": "Groupe", "persons": "Personnes", "observed": "Décès",
        "expected": "Attendus", "person_years": "Personnes-années", "smr": "Ratio (SMR)", "ci_low": "Basse",
        "ci_high": "Haute", "excess": "Excès pour 1 000 personnes-années", "excess_low": "Excès, basse",
        "excess_high": "Excès, haute",
        "deaths": "Décès", "weighted": "Décès pondérés", "exact Poisson": "limites exactes à {}",
        "log-normal over clusters": "limites à {} sur les grappes",
        "note": "Attendus dans la population générale de même sexe, âge et année ({}) ; {}.",
        "causes": " Les décès de toutes causes comptent.",
        "groups": " Chaque groupe est comparé aux décès attendus à ses propres âges : les ratios de groupes d'âges "
                  "différents ne se comparent pas entre eux.",
    },
}  # fmt: skip


@dataclass(frozen=True)
class MortalityRatio:
    """Standardised mortality ratios and excess mortality rates, by group.

    Parameters
    ----------
    table : pandas.DataFrame
        `group`, `persons`, `person_years`, `observed`, `expected`, `smr`, `ci_low`, `ci_high`, and `excess`,
        `excess_low`, `excess_high` per 1,000 person-years; with weights also `deaths`, persons who died, all else
        being weighted.
    notes : tuple of str
        What a reader must know, the life table's own notes among it.
    settings : mapping
        What determined them.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self, *, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Release
            Persons and deaths by group; expected deaths and ratios fall with them.
        """
        words = words_of(_WORDS, lang)
        kept = self.table.copy()
        weighted = "deaths" in kept
        kept["person_years"] = kept["person_years"].round(0).astype(np.int64)
        for name in ("expected", "excess", "excess_low", "excess_high", *(["observed"] if weighted else [])):
            kept[name] = kept[name].round(1)
        for name in ("smr", "ci_low", "ci_high"):
            kept[name] = [float(f"{value:.3g}") for value in kept[name]]
        if (kept["group"] == ALL).all():
            kept = kept.drop(columns="group")
        counted = "deaths" if weighted else "observed"
        heavy = ("observed",) if weighted else ()
        ratios = (*heavy, "smr", "ci_low", "ci_high", "excess", "excess_low", "excess_high")
        limits = words[str(self.settings["limits"])]
        level = format_number(100 * self.settings["level"], 0, lang=lang) + (" %" if lang == "fr" else "%")
        note = words["note"].format(self.settings["life_table"], limits.format(level))
        note += words["causes"] if self.settings["several_causes"] else ""
        note += words["groups"] if len(kept) > 1 else ""
        labels = {str(name): words[str(name)] for name in kept}
        if weighted:
            labels |= {"observed": words["weighted"], "deaths": words["observed"]}
        return Release(
            kept,
            # How many there are in all is mostly known: a single hidden group could be found.
            (Counted("persons", adds_up_within=(), derived=(counted, "expected", "person_years", *ratios)),
             Counted(counted, of="persons", adds_up_within=(), derived=ratios)),
            words["title"], note, ("person_years", *heavy), labels,
        )  # fmt: skip

    def __str__(self) -> str:
        lines = [
            f"{row['group']}: {row['observed']:g} deaths, {row['expected']:.1f} expected, SMR {row['smr']:.2f} "
            f"({row['ci_low']:.2f} to {row['ci_high']:.2f})"
            for row in self.table.to_dict("records")
        ]
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        body = self.table.to_html(index=False, float_format="{:,.2f}".format, na_rep="–")
        return f"<p>{html.escape(self.settings['life_table'])}</p>{body}{notes}"


@of_follow_up
def estimate_smr(
    data: SurvivalData,
    life_table: LifeTable,
    *,
    by: By = None,
    sex: str = "sex",
    territory: str | None = None,
    level: float = 0.95,
) -> MortalityRatio:
    """Compare deaths with those expected of the general population of the same sex, age and year.

    Parameters
    ----------
    data : SurvivalData
        Follow-up until death, placed in calendar time; every event counts as a death, whatever its cause, as in the
        life table. Time before entry counts for nobody.
    life_table : LifeTable
        The general population.
    by : str or sequence of str, optional
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    sex, territory : str, optional
        Covariates with F and M, and with the life table's territories.
    level : float, optional
        Confidence level.

    Returns
    -------
    MortalityRatio
        Ratios and excess rates.

    Raises
    ------
    DataError
        If times are not placed in calendar time, a person is at risk again after death, or the life table
        does not cover somebody.

    Notes
    -----
    Exact limits of the Poisson law for deaths, expected deaths being taken as known. With weights or clusters limits
    are log-normal, with the variance of deaths less those expected at the ratio, summed over clusters (persons where
    there are none), and those of the excess normal, with that of deaths less those expected and less the excess's share
    of time; a group without death then has none. A ratio compares groups of
    different ages badly: each is against expected deaths of its own; the excess rate adds up.

    Examples
    --------
    >>> from epi.survival import build_survival, life_table
    >>> seen = pd.DataFrame({"start": pd.to_datetime(["2000-01-10"] * 3), "end": pd.to_datetime(
    ...     ["2004-01-10", "2008-05-01", "2009-12-31"]), "died": [1, 0, 0], "born": pd.to_datetime(["1950-06-15"] * 3),
    ...     "sex": ["F", "M", "F"]})
    >>> follow_up = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born",
    ...                            covariates=["sex"])
    >>> print(estimate_smr(follow_up, life_table("France")))
    all: 1 deaths, 0.1 expected, SMR 9.84 (0.25 to 54.82)
    a year's mortality is that of the three years around it
    """
    check_level(level)
    check_first_events(data)
    position, birth, origin = place_persons(data, life_table, sex, territory)
    expected = np.zeros(len(data))
    for rows, _, step, hazard in life_table.walk(position, birth, origin + data.entry, origin + data.exit):
        expected[rows] += hazard * step
    numbers, labels = split_groups(data, by)
    robust = data.weight is not None or data.cluster is not None
    told = told_groups(data, numbers, len(labels), robust=robust)
    rows_of, z = [], float(stats.norm.isf((1 - level) / 2))
    for at, label in enumerate(labels):
        inside = numbers == at
        weight = data.weights[inside]
        died = (data.event[inside] > 0).astype(np.float64)
        deaths, usual = float(weight @ died), float(weight @ expected[inside])
        years = float(weight @ (data.exit - data.entry)[inside]) / DAYS_PER_YEAR
        if robust:
            unit = np.unique(data.clusters[inside], return_inverse=True)[1]
            low, high = np.nan, np.nan
            if told[at]:
                low, high = _robust_limits(deaths, weight * (died - deaths / usual * expected[inside]), unit, level)
            # The excess is a rate of its own: clusters that differ in what was expected of them move it otherwise.
            time = (data.exit - data.entry)[inside] / DAYS_PER_YEAR
            apart = weight * (died - expected[inside] - (deaths - usual) / years * time)
            half = np.nan if np.isnan(low) else z * float(np.sqrt(np.sort(np.bincount(unit, apart) ** 2).sum()))
            excess = deaths - usual - half, deaths - usual + half
        else:
            limits = count_interval(int(deaths), level=level)
            low, high = float(limits.low), float(limits.high)
            excess = low - usual, high - usual
        scale = PER / years
        row = {"group": label, "persons": len(np.unique(data.person[inside])), "person_years": years}
        if data.weight is not None:
            row |= {"deaths": int(died.sum()), "observed": deaths}
        else:
            row["observed"] = int(deaths)
        rows_of.append({
            **row, "expected": usual, "smr": deaths / usual, "ci_low": low / usual, "ci_high": high / usual,
            "excess": (deaths - usual) * scale, "excess_low": excess[0] * scale, "excess_high": excess[1] * scale,
        })  # fmt: skip
    notes = list(life_table.notes)
    if len(data.causes) > 1:
        notes.append(f"deaths of all causes count ({', '.join(data.causes)}): those expected are of all causes too")
    if robust:
        notes += unit_notes(data, numbers, labels)
    settings = {
        "several_causes": len(data.causes) > 1, "by": by, "level": level,
        "sex": sex, "territory": territory, "per": PER, "weights": data.weight is not None,
        "clusters": data.cluster is not None, "limits": "log-normal over clusters" if robust else "exact Poisson",
        **life_table.settings,
    }  # fmt: skip
    return MortalityRatio(pd.DataFrame(rows_of), tuple(notes), settings)


def _robust_limits(
    deaths: float, residual: NDArray[np.float64], cluster: NDArray[np.int64], level: float
) -> tuple[float, float]:
    """Bound a number of deaths, on the scale of its logarithm, by sums of residuals over clusters."""
    if deaths <= 0:
        return np.nan, np.nan
    sums = np.bincount(cluster, residual)
    error = robust_error(np.sort(sums**2).sum(), deaths)
    spread = float(np.exp(stats.norm.isf((1 - level) / 2) * error / deaths))
    return deaths / spread, deaths * spread
