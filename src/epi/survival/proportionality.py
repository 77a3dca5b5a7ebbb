"""Are hazards proportional? Score tests that log hazard ratios change with a function of time.

The test adds to each covariate its product with g(t), and asks of the score at no such change, given the
coefficients: Grambsch and Therneau (Biometrika 1994), with the variance of each day's risk set in place of its
mean, as R's ``cox.zph`` since survival 3.0.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from epi.errors import ParameterError
from epi.results import Release
from epi.survival.counting import count_days
from epi.survival.cox_residuals import schoenfeld
from epi.survival.partial_likelihood import weighted_information
from epi.survival.steps import Lang, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.cox import CoxModel

Transform = Literal["km", "rank", "identity", "log"]
TRANSFORMS: tuple[Transform, ...] = ("km", "rank", "identity", "log")
GLOBAL = "all covariates"


_WORDS = {
    "en": {
        "title": "Tests of proportional hazards", "covariate": "Covariate", "statistic": "Chi-square",
        "df": "Degrees of freedom", "p": "p",
        "note": "Score tests of a change with time, transformed by {}; the model's variance.",
    },
    "fr": {
        "title": "Tests des risques proportionnels", "covariate": "Covariable", "statistic": "Khi-deux",
        "df": "Degrés de liberté", "p": "p",
        "note": "Tests du score d'un changement avec le temps, transformé par {} ; variance du modèle.",
    },
}  # fmt: skip
_ALL: dict[str, dict[str, str]] = {"en": {}, "fr": {"all covariates": "toutes les covariables"}}


@dataclass(frozen=True)
class Proportionality:
    """Tests that hazards are proportional.

    Parameters
    ----------
    table : pandas.DataFrame
        `covariate` (the last row: all of them), `statistic` (chi-square), `df`, `p`.
    settings : mapping
        What determined the tests.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self, *, lang: Lang = "en", names: Mapping[str, str] | None = None) -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.
        names : mapping, optional
            What covariates are called, by column.

        Returns
        -------
        Release
            The tests.
        """
        words, called = words_of(_WORDS, lang), {**_ALL[lang], **(names or {})}
        rounded = self.table.assign(
            covariate=[called.get(name, name) for name in self.table["covariate"]],
            statistic=self.table["statistic"].round(2), p=[float(f"{p:.2g}") for p in self.table["p"]],
        )  # fmt: skip
        return Release(
            rounded, (), words["title"], words["note"].format(self.settings["transform"]), not_counts=("df",),
            labels={name: words[name] for name in ("covariate", "statistic", "df", "p")},
        )  # fmt: skip

    def __str__(self) -> str:
        return "\n".join(
            f"{name}: chi-square {statistic:.2f} ({df} df), p = {p:.3g}"
            for name, statistic, df, p in zip(*(self.table[column] for column in self.table), strict=True)
        )

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, float_format="{:,.3g}".format)
        return f"<p>{html.escape(self.release().title)}</p>{body}"


def check_proportional(model: CoxModel, transform: Transform = "km") -> Proportionality:
    """Test whether log hazard ratios change with time.

    Parameters
    ----------
    model : CoxModel
        The model.
    transform : {"km", "rank", "identity", "log"}, optional
        g(t): 1 less the Kaplan-Meier curve of all rows just before t; the rank of t among ends of follow-up;
        t; its logarithm.

    Returns
    -------
    Proportionality
        A chi-square for each covariate (a category has a degree of freedom for each column), and for all.

    Raises
    ------
    ParameterError
        If the transform is unknown, a logarithm is asked for of times that are not above 0, or the model has weights.
    """
    if transform not in TRANSFORMS:
        raise ParameterError(f"transform is {transform!r}", f"one of {', '.join(TRANSFORMS)}", "transform='km'")
    if model.settings["weights"]:
        raise ParameterError(
            "a test of proportional hazards of a model with weights",
            "a model without: the test rests on the information, to which a weight of 2 is two persons",
            "plot model.residuals('scaled_schoenfeld'), or fit_cox without weights",
        )  # fmt: skip
    sets, best = model.sets, model.best
    moment = _transform(model, transform)
    moment = moment - float(moment[sets.dead_slot].mean())
    once, twice = (weighted_information(sets, best, moment**power) for power in (1, 2))
    size = len(best.beta)
    information = np.block([[best.information, once], [once, twice]])
    weight = np.ones(len(sets.dead)) if sets.weight is None else sets.weight[sets.dead]
    score = (schoenfeld(sets, best) * (weight * moment[sets.dead_slot])[:, None]).sum(axis=0)
    rows = []
    for at, name in enumerate(model.terms.covariates):
        columns = np.flatnonzero(model.terms.assign == at)
        rows.append((name, *_test(information, score, columns, size)))
    if len(rows) > 1:
        rows.append((GLOBAL, *_test(information, score, np.arange(size), size)))
    table = pd.DataFrame(rows, columns=["covariate", "statistic", "df"])
    table["p"] = stats.chi2.sf(table["statistic"], table["df"])
    return Proportionality(table, {"transform": transform, "variance": "information", **model.terms.settings()})


def _test(
    information: NDArray[np.float64], score: NDArray[np.float64], columns: NDArray[np.intp], size: int
) -> tuple[float, int]:
    kept = np.concatenate([np.arange(size), columns + size])
    inner = information[np.ix_(kept, kept)]
    scale = np.sqrt(np.diag(inner))
    slope = np.concatenate([np.zeros(size), score[columns]]) / scale
    return float(slope @ np.linalg.solve(inner / np.outer(scale, scale), slope)), len(columns)


def _transform(model: CoxModel, transform: Transform) -> NDArray[np.float64]:
    """Give g at the day of each slot."""
    data, days = model.data, model.sets.day
    if transform == "identity":
        return days.astype(np.float64)
    if transform == "log":
        if int(days.min()) <= 0:
            raise ParameterError("events happen at times that are not above 0", "times above 0", "transform='km'")
        return np.asarray(np.log(days), dtype=np.float64)
    if transform == "rank":
        ends = np.sort(data.exit)
        below, until = np.searchsorted(ends, days, side="left"), np.searchsorted(ends, days, side="right")
        return np.asarray((below + until + 1) / 2, dtype=np.float64)
    counts = count_days(data)
    risk = counts.at_risk[0]
    hazard = np.divide(counts.events[0].sum(axis=1), risk, out=np.zeros(len(risk)), where=risk > 0)
    survival = np.concatenate([[1.0], np.cumprod(1 - hazard)])
    return np.asarray(1 - survival[days - counts.first], dtype=np.float64)
