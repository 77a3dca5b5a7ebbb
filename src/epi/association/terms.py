"""Columns of a regression from words: ``age``, ``sex``, ``log(density_km2)``, ``region``.

Words are data: what stands in brackets is a column's name and nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError
from epi.stats.scaling import find_step
from epi.stats.splines import natural_spline

AgeForm = Literal["spline", "bands", "linear"]
Scale = Literal["iqr", "sd", "unit"]

_WORD = re.compile(r"^(?:(log|spline)\()?([A-Za-z_][A-Za-z0-9_]*)(?(1)\))$")
SPLINE_DF = 4


@dataclass(frozen=True)
class Adjustment:
    """A term that models are adjusted for.

    Parameters
    ----------
    word : str
        As it was asked for.
    column : str
        Column it is made from.
    form : {"linear", "log", "spline", "bands"}
        How a number enters; text always enters as categories.
    """

    word: str
    column: str
    form: str

    def describe(self) -> str:
        """Say the term in words.

        Returns
        -------
        str
            For notes under tables.
        """
        if self.form == "spline":
            return f"{self.word} (natural spline, {SPLINE_DF} df)" if self.word == "age" else self.word
        return f"{self.word} (5-year bands)" if self.form == "bands" else self.word


def read_adjustment(word: str, *, age: AgeForm = "spline") -> Adjustment:
    """Read one word of ``adjust``.

    Parameters
    ----------
    word : str
        ``age``, ``sex``, a column, ``log(column)`` or ``spline(column)``.
    age : {"spline", "bands", "linear"}, optional
        How age enters.

    Returns
    -------
    Adjustment
        The term.

    Raises
    ------
    ParameterError
        If it is none of these.

    Examples
    --------
    >>> read_adjustment("log(density_km2)")
    Adjustment(word='log(density_km2)', column='density_km2', form='log')
    """
    match = _WORD.match(word)
    if not match:
        raise ParameterError(f"adjustment {word!r} is not a term", "age, a column, log(column) or spline(column)")
    if word == "age":
        if age not in ("spline", "bands", "linear"):
            raise ParameterError(f"age is {age!r}", "spline, bands or linear")
        return Adjustment("age", "age_at_index", age)
    return Adjustment(word, match[2], match[1] or "linear")


def build_terms(frame: pd.DataFrame, adjustments: Sequence[Adjustment]) -> pd.DataFrame:
    """Make the columns of the adjustment terms from complete rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows without missing values in the columns used.
    adjustments : sequence of Adjustment
        The terms.

    Returns
    -------
    pandas.DataFrame
        Columns of floats, index as `frame`. The most frequent category is left out (the first in
        order among equals), and so are categories that no row has.

    Raises
    ------
    EstimationError
        If a logarithm is asked of values that are not above zero.
    """
    columns: dict[str, Any] = {}
    for term in adjustments:
        values = frame[term.column]
        if term.form == "bands":
            values = pd.Series((np.floor(values.astype(float) / 5) * 5).astype(int).astype(str), index=frame.index)
        if values.dtype.kind not in "fiu" or term.form == "bands":
            columns |= _dummies(term.word, values)
        elif term.form == "spline":
            basis = natural_spline(values, df=SPLINE_DF)
            columns |= {f"{term.word} spline {i + 1}": basis[:, i] for i in range(basis.shape[1])}
        elif term.form == "log":
            wrong = int((values <= 0).sum())
            if wrong:
                raise EstimationError(
                    f"log({term.column}) is asked of {wrong} value(s) that are not above zero", "values above zero"
                )
            columns[term.word] = np.log(values.astype(float))
        else:
            columns[term.word] = values.astype(float)
    return pd.DataFrame(columns, index=frame.index, dtype=float)


def _dummies(word: str, values: pd.Series) -> dict[str, pd.Series]:
    text = values.astype(str)
    counts = text.value_counts()
    order = sorted(counts.index, key=lambda level: (-counts[level], level))
    return {f"{word}={level}": (text == level).astype(float) for level in sorted(order[1:])}


@dataclass(frozen=True)
class Unit:
    """The step of an exposure that a ratio is given for.

    Parameters
    ----------
    size : float
        In units of the exposure; NaN when there is none.
    kind : str
        ``iqr``, ``sd``, ``unit``, ``given`` or ``yes/no``.
    reason : str, optional
        Why there is none.
    """

    size: float
    kind: str
    reason: str = ""

    def describe(self, unit: str = "", lang: str = "en") -> str:
        """Say the step in words.

        Parameters
        ----------
        unit : str, optional
            Unit of the exposure.
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            Such as ``per IQR (2.1 µg/m³)``.
        """
        if self.kind == "yes/no":
            return "oui / non" if lang == "fr" else "yes / no"
        if not np.isfinite(self.size):
            return "sans pas" if lang == "fr" else "no step"
        number = f"{self.size:.3g}" if abs(self.size) < 1000 else f"{self.size:,.0f}"
        if lang == "fr":
            number = number.replace(",", "\u202f").replace(".", ",")
        measure = f"{number} {unit}".strip()
        per, name = ("par", {"iqr": "EIQ", "sd": "ET"}) if lang == "fr" else ("per", {"iqr": "IQR", "sd": "SD"})
        return f"{per} {name[self.kind]} ({measure})" if self.kind in name else f"{per} {measure}"


def find_unit(values: pd.Series, scale: Scale | Mapping[str, float], name: str) -> Unit:
    """Find the step of an exposure from its informed values.

    Parameters
    ----------
    values : pandas.Series
        Values, missing ones left out.
    scale : {"iqr", "sd", "unit"} or mapping
        Interquartile range, standard deviation, one unit, or the step of each exposure.
    name : str
        The exposure.

    Returns
    -------
    Unit
        The step, or the reason why there is none. A variable of two values, 0 and 1, is yes/no.

    Raises
    ------
    ParameterError
        If `scale` is unknown or a given step is not above zero.

    Examples
    --------
    >>> find_unit(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0]), "iqr", "pm25")
    Unit(size=2.0, kind='iqr', reason='')
    """
    known = values.dropna().astype(float)
    if isinstance(scale, Mapping):
        if name in scale:
            if not scale[name] > 0:
                raise ParameterError(f"the scale of {name!r} is {scale[name]}", "a step above zero")
            return Unit(float(scale[name]), "given")
        scale = "iqr"
    if scale not in ("iqr", "sd", "unit"):
        raise ParameterError(f"scale is {scale!r}", "iqr, sd, unit, or a mapping of exposures to steps")
    if len(known) and set(known.unique()) <= {0.0, 1.0}:
        return Unit(1.0, "yes/no")
    try:
        return Unit(find_step(known, scale), scale)
    except EstimationError as error:
        return Unit(float("nan"), scale, f"{error.arrived}: give a step with scale={{'{name}': …}}")
