"""The population that could have given a cohort its cases.

A cohort of adults residing in metropolitan France has no case elsewhere by construction: counting
children or overseas départements as persons at risk would make every other ratio too high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.cohort.criteria import Aged, InCommuneOf, OfSex, Residing
from epi.errors import ParameterError
from epi.geography import belongs_to, read_communes

if TYPE_CHECKING:
    from epi.cohort import Cohort


def eligible_population(cohort: Cohort, population: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
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
    words : tuple of str
        What was restricted, in words.

    Raises
    ------
    ParameterError
        If the population lacks a column that the definition speaks of.
    """
    frame, words = population, []
    for criterion in cohort.definition.criteria:
        if isinstance(criterion, Residing):
            _need(frame, "insee_code", "residence")
            inside = pd.Series(False, index=frame.index)
            for place in criterion.places:
                inside |= belongs_to(frame["insee_code"], place).fillna(False).astype(bool)
            frame = frame[inside]
            words.append(f"residing in {', '.join(criterion.places)}")
        elif isinstance(criterion, InCommuneOf):
            _need(frame, "insee_code", "size of commune")
            size = read_communes().set_index("insee_code")["population"]
            frame = frame[frame["insee_code"].map(size) >= criterion.at_least]
            words.append(f"in a commune of at least {criterion.at_least:,} inhabitants")
        elif isinstance(criterion, OfSex):
            _need(frame, "sex", "sex")
            frame = frame[frame["sex"].isin(criterion.values)]
            words.append(f"of sex {', '.join(sorted(criterion.values))}")
        elif isinstance(criterion, Aged) and criterion.day is None:
            _need(frame, "age_low", "age")
            frame = _aged(frame, criterion)
            words.append(f"aged {_bounds(criterion)}")
    return frame, tuple(words)


def _need(frame: pd.DataFrame, column: str, what: str) -> None:
    if column not in frame.columns:
        raise ParameterError(
            f"the cohort is defined by {what} and the population has no {column!r}", "a population that can follow"
        )


def _bounds(criterion: Aged) -> str:
    low = "" if criterion.at_least is None else f"{criterion.at_least:g}"
    high = "" if criterion.at_most is None else f"{criterion.at_most:g}"
    return f"{low or '0'} or more" if not high else f"{low or '0'} to {high}"


def _aged(frame: pd.DataFrame, criterion: Aged) -> pd.DataFrame:
    lows = np.sort(frame["age_low"].unique()).astype(float)
    # The last group is open: it is taken as wide as a life, so that a limit inside it keeps it whole.
    highs = np.append(lows[1:], np.inf)
    start = 0.0 if criterion.at_least is None else float(criterion.at_least)
    end = np.inf
    if criterion.at_most is not None:
        # "At most 64" in completed years lasts until the 65th birthday.
        whole = float(criterion.at_most).is_integer()
        end = float(criterion.at_most) + 1 if whole else float(criterion.at_most)
    inside = np.minimum(highs, end) - np.maximum(lows, start)
    with np.errstate(invalid="ignore"):
        share = np.where(np.isinf(highs), (inside > 0).astype(float), np.clip(inside / (highs - lows), 0, 1))
    kept: dict[Any, float] = dict(zip(lows, share, strict=True))
    factor = frame["age_low"].astype(float).map(kept)
    column = "person_years" if "person_years" in frame.columns else "persons"
    frame = frame.assign(**{column: frame[column].astype(float) * factor})
    return frame[factor > 0]
