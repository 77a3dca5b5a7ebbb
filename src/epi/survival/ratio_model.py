"""What models of hazard ratios share: a table of ratios, tests, what leaves of them, and how they are summed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from scipy import stats

from epi.survival.cox_residuals import ScoreResiduals
from epi.survival.ratio_table import RatioTable
from epi.survival.robust import lonely_terms, silence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData
    from epi.survival.partial_likelihood import Likelihood, Maximum
    from epi.survival.placed_rows import RiskSets
    from epi.survival.terms import Terms

LARGEST = float(np.log(1e6))
"""Log ratio of one unit beyond which the unit is too large, not the effect."""
FEW_EVENTS = 10
"""Events a column: with fewer, estimates and their limits are too far from 1 (Peduzzi, J Clin Epidemiol 1995)."""


@dataclass(frozen=True)
class RatioModel(RatioTable):
    """A fitted model of hazard ratios.

    Parameters
    ----------
    table : pandas.DataFrame
        `term`, `coef` (log hazard ratio), `hazard_ratio`, `se` (of `coef`), `ci_low`, `ci_high` (of the
        ratio), `z`, `p`.
    tests : pandas.DataFrame
        `test` (those of likelihood ratio, Wald, score and robust score that hold), `statistic`, `df`, `p`.
    loglik_null, loglik : float
        Logarithm of the partial likelihood without and with covariates.
    covariance : numpy.ndarray
        Covariance of the coefficients, of the kind that ``settings["variance"]`` says.
    naive_covariance : numpy.ndarray
        The inverse of the information.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the model.
    data : SurvivalData
        The follow-up it comes from.
    terms : Terms
        How covariates became columns.
    sets : RiskSets
        Rows in their risk sets.
    best : Likelihood
        The likelihood at its maximum.
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    loglik_null: float
    loglik: float
    covariance: NDArray[np.float64]
    naive_covariance: NDArray[np.float64]
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)
    terms: Terms = field(repr=False, compare=False)
    sets: RiskSets = field(repr=False, compare=False)
    best: Likelihood = field(repr=False, compare=False)

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """Logarithms of the hazard ratios."""
        return self.table["coef"].to_numpy(dtype=np.float64)

    @property
    def strata_labels(self) -> tuple[str, ...]:
        """Names of the strata; empty without."""
        return tuple(self.settings["strata_labels"])


Model = TypeVar("Model", bound=RatioModel)


def summarise(
    kind: type[Model], data: SurvivalData, terms: Terms, sets: RiskSets, found: Maximum, unit: NDArray[np.int64] | None,
    jackknife: bool, notes: list[str], settings: Mapping[str, Any], *,
    covariance: NDArray[np.float64] | None = None, likelihood: bool = True,
) -> Model:  # fmt: skip
    """Turn a maximum into a table with its variance and tests.

    Parameters
    ----------
    kind : type
        Class of the model.
    data : SurvivalData
        Follow-up.
    terms : Terms
        Columns.
    sets : RiskSets
        Rows and slots.
    found : Maximum
        Where the likelihood is greatest.
    unit : numpy.ndarray of int64 or None
        Cluster of each sorted row; each row alone where None.
    jackknife : bool
        Whether the variance is robust.
    notes : list of str
        What a reader must know.
    settings : mapping
        What determined the model.
    covariance : numpy.ndarray, optional
        Covariance of the scaled coefficients; found here by default.
    likelihood : bool, optional
        Whether the likelihood is one, so that its tests hold.

    Returns
    -------
    RatioModel
        The model.
    """
    best, beta = found.best, found.beta
    naive = invert(best.information)
    robust_score = float("nan")
    if covariance is not None:
        jackknife = False
    elif not jackknife:
        covariance = naive
    else:
        residuals = ScoreResiduals(sets, best)
        covariance = naive @ residuals.products(unit) @ naive
        scores = residuals.everything()
        if sets.weight is not None:
            scores *= sets.weight[:, None]
        alone, few = lonely_terms(data, scores, data.person[sets.order], terms.names)
        del scores
        covariance, notes = silence(covariance, alone), [*notes, *few]
        moved = ScoreResiduals(sets, found.null).products(unit)
        robust_score = _chi_square(found.null.score, moved)
    back = np.outer(sets.scale, sets.scale)
    with np.errstate(over="ignore"):
        table = _ratios(terms, beta / sets.scale, np.sqrt(np.diag(covariance)) / sets.scale, settings["level"])
    vast = table.loc[table["coef"].abs() > LARGEST, "term"].tolist()
    if vast:
        notes = [*notes, f"The ratio of one unit of {', '.join(vast)} is beyond a million or its inverse: rescale"]
    rows = [("wald", _chi_square(beta, covariance))]
    # With weights the information has their unit, and with clusters rows are not independent: neither law holds.
    if likelihood and not any(settings[name] for name in ("weights", "clusters", "repeated")):
        rows.insert(0, ("likelihood ratio", 2 * (best.value - found.null.value)))
        rows.append(("score", _chi_square(found.null.score, found.null.information)))
    if jackknife:
        rows.append(("robust score", robust_score))
    tests = pd.DataFrame(rows, columns=["test", "statistic"])
    tests["df"] = len(beta)
    tests["p"] = stats.chi2.sf(tests["statistic"], len(beta))
    return kind(
        table, tests, found.null.value, best.value, covariance / back, naive / back, tuple(notes), settings, data,
        terms, sets, replace(best, beta=beta),
    )  # fmt: skip


def _ratios(terms: Terms, coefficients: NDArray[np.float64], error: NDArray[np.float64], level: float) -> pd.DataFrame:
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    z = coefficients / error
    return pd.DataFrame({
        "term": list(terms.names), "coef": coefficients, "hazard_ratio": np.exp(coefficients), "se": error,
        "ci_low": np.exp(coefficients - half), "ci_high": np.exp(coefficients + half), "z": z,
        "p": 2 * stats.norm.sf(np.abs(z)),
    })  # fmt: skip


def invert(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert an information matrix.

    Parameters
    ----------
    matrix : numpy.ndarray
        Positive.

    Returns
    -------
    numpy.ndarray
        Its inverse, symmetric.
    """
    scale = np.sqrt(np.diag(matrix))
    found = np.linalg.inv(matrix / np.outer(scale, scale)) / np.outer(scale, scale)
    return np.asarray((found + found.T) / 2, dtype=np.float64)


def _chi_square(vector: NDArray[np.float64], matrix: NDArray[np.float64]) -> float:
    """Give v' M^-1 v; missing where M has not full rank."""
    scale = np.sqrt(np.diag(matrix))
    if not (scale > 0).all() or not np.isfinite(matrix).all():
        return float("nan")
    inner = matrix / np.outer(scale, scale)
    if np.linalg.matrix_rank(inner, tol=1e-10) < len(vector):
        return float("nan")
    return float((vector / scale) @ np.linalg.solve(inner, vector / scale))
