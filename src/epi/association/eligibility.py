"""The population that could have given a cohort its cases.

A cohort of adults residing in metropolitan France has no case elsewhere by construction: counting
children or overseas départements as persons at risk would make every other ratio too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.cohort import criteria as c
from epi.cohort import evidence as e
from epi.errors import EpiError, EstimationError, ParameterError
from epi.geography import belongs_to, read_communes

if TYPE_CHECKING:
    from epi.cohort import Cohort
    from epi.workspace import Workspace

# What makes the disease and its date, or holds of every person counted in a population.
_NEUTRAL = (c.NotAFetus, c.FrenchResident, c.IndexKnown, e.Diagnosed, e.DiagnosedBetween, e.SignsBetween)


@dataclass(frozen=True)
class Ages:
    """The ages that a definition takes in, from `start` to before `end`.

    Parameters
    ----------
    start, end : float
        In years; `end` is infinite when there is no upper limit.
    """

    start: float = 0.0
    end: float = np.inf

    def words(self) -> str:
        """Say the ages.

        Returns
        -------
        str
            Empty for all ages.

        Examples
        --------
        >>> Ages(18).words(), Ages(18, 65).words()
        ('18 and over', '18 to 64')
        """
        if np.isinf(self.end):
            return f"{self.start:g} and over" if self.start > 0 else ""
        last = self.end - 1 if float(self.end).is_integer() else self.end
        return f"{self.start:g} to {last:g}"

    def share(self, lows: np.ndarray) -> np.ndarray:
        """Give the share of each age group that lies inside, its years being alike.

        Parameters
        ----------
        lows : numpy.ndarray
            Lower bounds of the groups, sorted; the last one is open.

        Returns
        -------
        numpy.ndarray
            From 0 to 1.

        Examples
        --------
        >>> Ages(18).share(np.array([10.0, 15.0, 20.0])).tolist()
        [0.0, 0.4, 1.0]
        """
        # The last group is open: it is taken as wide as a life, so that a limit inside it keeps it whole.
        highs = np.append(lows[1:], np.inf)
        inside = np.minimum(highs, self.end) - np.maximum(lows, self.start)
        with np.errstate(invalid="ignore"):
            part = np.clip(inside / (highs - lows), 0, 1)
        return np.where(np.isinf(highs), (inside > 0).astype(float), part)


@dataclass(frozen=True)
class Eligibility:
    """How far the population follows the cohort's definition.

    Parameters
    ----------
    words : tuple of str
        What the population was restricted to.
    ages : Ages
        The ages taken in.
    cases_only : tuple of str
        What restricts the cases and cannot restrict the population.
    """

    words: tuple[str, ...] = ()
    ages: Ages = Ages()
    cases_only: tuple[str, ...] = ()

    def note(self) -> str:
        """Say what a reader of ratios or rates must know.

        Returns
        -------
        str
            Sentences, each with a space before it; empty when there is nothing to say.
        """
        ages = self.ages.words()
        told = f" Aged {ages}." if ages else ""
        if self.cases_only:
            told += f" Cases also restricted by: {'; '.join(self.cases_only)}; population not."
        return told


def eligible_population(cohort: Cohort, population: pd.DataFrame) -> tuple[pd.DataFrame, Eligibility]:
    """Keep the persons that the cohort's own definition could have taken in.

    Residence, size of commune, sex and age at index are looked at. An age group that lies partly
    outside the ages asked for keeps the share of its years that lie inside.

    Parameters
    ----------
    cohort : Cohort
        The cases.
    population : pandas.DataFrame
        ``insee_code``, ``sex``, ``age_low`` as far as the definition speaks of them, and
        ``persons`` or ``person_years``.

    Returns
    -------
    population : pandas.DataFrame
        What is left.
    eligibility : Eligibility
        What was restricted, and what could not be.

    Raises
    ------
    EstimationError
        If an age is asked for on a fixed day: no population of a period can follow it.
    ParameterError
        If the population lacks a column that the definition speaks of.
    """
    frame, words, cases_only, ages = population, [], [], Ages()
    for criterion in cohort.definition.criteria:
        if isinstance(criterion, c.Residing):
            _need(frame, "insee_code", "residence")
            inside = pd.Series(False, index=frame.index)
            for place in criterion.places:
                inside |= belongs_to(frame["insee_code"], place).fillna(False).astype(bool)
            frame = frame[inside]
            words.append(f"residing in {', '.join(criterion.places)}")
        elif isinstance(criterion, c.InCommuneOf):
            _need(frame, "insee_code", "size of commune")
            size = read_communes().set_index("insee_code")["population"]
            frame = frame[frame["insee_code"].map(size) >= criterion.at_least]
            words.append(f"in a commune of at least {criterion.at_least:,} inhabitants")
        elif isinstance(criterion, c.OfSex):
            _need(frame, "sex", "sex")
            frame = frame[frame["sex"].isin(criterion.values)]
            words.append(f"of sex {', '.join(sorted(criterion.values))}")
        elif isinstance(criterion, c.Aged):
            if criterion.day is not None:
                raise EstimationError(
                    f"the cohort asks for an age on {criterion.day}, and those at risk grow older during the period",
                    "ages at the index date",
                    'aged(..., on="index") in place of a fixed day',
                )
            _need(frame, "age_low", "age")
            ages = _both(ages, criterion)
            words.append(f"aged {_bounds(criterion)}")
        elif not isinstance(criterion, _NEUTRAL):
            cases_only.append(criterion.parts()[-1].kept.en)
    if ages != Ages():
        frame = _aged(frame, ages)
    return frame, Eligibility(tuple(words), ages, tuple(cases_only))


def check_period(cohort: Cohort) -> None:
    """Refuse person-years that the data do not cover, or that two periods define.

    Parameters
    ----------
    cohort : Cohort
        Incident cases.

    Raises
    ------
    EstimationError
        If the period ends after the extraction, or diagnosis and first signs are both dated.
    """
    criteria = cohort.definition.criteria
    if all(any(isinstance(item, kind) for item in criteria) for kind in (e.DiagnosedBetween, e.SignsBetween)):
        raise EstimationError(
            "the cohort has a period of diagnosis and another of first signs: they do not say which of both "
            "person-years are of",
            "one dated event for an incidence",
            "leave first_signs_between(...) or first_diagnosed_between(...) out of the cases",
        )
    period, extraction = cohort.period, cohort.workspace.extraction_date
    if period is not None and period[1] > extraction:
        raise EstimationError(
            f"the period ends on {period[1]}, and the data were extracted on {extraction}",
            "person-years that the data cover",
            f'end the period with "{extraction}" at the latest, such as first_diagnosed_between('
            f'"{min(period[0], extraction)}", "{extraction}")',
        )


def describe_population(workspace: Workspace | None, population: pd.DataFrame | None) -> str:
    """Say where a population comes from, when it is that of the workspace.

    Parameters
    ----------
    workspace : Workspace or None
        Where a cohort comes from.
    population : pandas.DataFrame or None
        The population given; None for that of the workspace.

    Returns
    -------
    str
        Its source and whether it is constant, as its metadata say; empty when nothing is known.
    """
    if workspace is None:
        return ""
    try:
        about = workspace.reference_info("population")
        if population is not None and not population.equals(workspace.reference("population")):
            return ""
    except EpiError:  # a study may bring its own population, and ask for no other
        return ""
    source = str(about.get("source") or about.get("vintage") or "").strip().rstrip(".")
    constant = "taken as constant over years" if "constant over years" in str(about.get("method", "")).lower() else ""
    return ", ".join(part for part in (source, constant) if part)


def _need(frame: pd.DataFrame, column: str, what: str) -> None:
    if column not in frame.columns:
        raise ParameterError(
            f"the cohort is defined by {what} and the population has no {column!r}", "a population that can follow"
        )


def _bounds(criterion: c.Aged) -> str:
    low = "" if criterion.at_least is None else f"{criterion.at_least:g}"
    high = "" if criterion.at_most is None else f"{criterion.at_most:g}"
    return f"{low or '0'} or more" if not high else f"{low or '0'} to {high}"


def _both(ages: Ages, criterion: c.Aged) -> Ages:
    start = 0.0 if criterion.at_least is None else float(criterion.at_least)
    end = np.inf
    if criterion.at_most is not None:
        # "At most 64" in completed years lasts until the 65th birthday.
        whole = float(criterion.at_most).is_integer()
        end = float(criterion.at_most) + 1 if whole else float(criterion.at_most)
    return Ages(max(ages.start, start), min(ages.end, end))


def _aged(frame: pd.DataFrame, ages: Ages) -> pd.DataFrame:
    lows = np.sort(frame["age_low"].unique()).astype(float)
    kept: dict[Any, float] = dict(zip(lows, ages.share(lows), strict=True))
    factor = frame["age_low"].astype(float).map(kept)
    column = "person_years" if "person_years" in frame.columns else "persons"
    frame = frame.assign(**{column: frame[column].astype(float) * factor})
    return frame[factor > 0]
