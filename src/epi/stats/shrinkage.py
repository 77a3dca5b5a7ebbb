"""Several exposures in one regression: shrunk together, or averaged over all the models that they can make.

The elastic net (Zou and Hastie, J R Stat Soc B 2005;67:301) minimises the mean negative log-likelihood plus
``penalty * (mix * sum|b| + (1 - mix) / 2 * sum b²)``, as R's ``glmnet`` has it; adjusters are not penalised. It is
found by Newton's steps, each a quadratic problem of the size of the exposures that is solved one coordinate at a time
(Friedman, Hastie and Tibshirani, J Stat Softw 2010;33:1). scikit-learn has neither an offset with such a penalty nor
terms that are left out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from epi.errors import EstimationError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Law = Literal["binomial", "poisson"]
MOST = 12
"""Models of all subsets are 2 to the power of the exposures: 4,096 at most."""
STEPS = 100


@dataclass(frozen=True)
class Regression:
    """Rows of a regression with terms that always stay and terms that may be shrunk.

    Parameters
    ----------
    kept : numpy.ndarray
        Intercept and adjusters, n x k.
    shrunk : numpy.ndarray
        Exposures, n x p, on one scale (standard deviations).
    outcome : numpy.ndarray
        0 and 1, or counts, n.
    offset : numpy.ndarray
        Added to the linear predictor, n.
    law : {"binomial", "poisson"}
        Distribution; logit or log link.
    """

    kept: Array
    shrunk: Array
    outcome: Array
    offset: Array
    law: Law

    def rows(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Regression:
        """Take some of the rows.

        Parameters
        ----------
        chosen : numpy.ndarray
            Positions, or a mask.

        Returns
        -------
        Regression
            Those rows alone.
        """
        return Regression(
            self.kept[chosen], self.shrunk[chosen], self.outcome[chosen], self.offset[chosen], self.law
        )  # fmt: skip

    def means(self, kept: Array, shrunk: Array) -> Array:
        """Give the fitted means.

        Parameters
        ----------
        kept, shrunk : numpy.ndarray
            Coefficients, k and p.

        Returns
        -------
        numpy.ndarray
            Probabilities or expected counts, n.
        """
        eta = np.clip(self.kept @ kept + self.shrunk @ shrunk + self.offset, -40, 40)
        return 1 / (1 + np.exp(-eta)) if self.law == "binomial" else np.exp(eta)

    def deviance(self, kept: Array, shrunk: Array) -> float:
        """Give twice the distance of the log-likelihood from that of a model with a term a row.

        Parameters
        ----------
        kept, shrunk : numpy.ndarray
            Coefficients, k and p.

        Returns
        -------
        float
            The deviance.
        """
        from scipy.special import xlogy

        y, mu = self.outcome, self.means(kept, shrunk)
        if self.law == "binomial":
            return float(-2 * (xlogy(y, mu) + xlogy(1 - y, 1 - mu)).sum())
        return float(2 * (xlogy(y, y / mu) - (y - mu)).sum())


def fit_elastic_net(data: Regression, penalties: Sequence[float], mix: float = 0.5) -> tuple[Array, Array]:
    """Fit the elastic net at each penalty, from the first to the last.

    Parameters
    ----------
    data : Regression
        The rows.
    penalties : sequence of float
        Penalties, 0 or more; from the largest to the smallest it is quickest.
    mix : float, optional
        1 is the lasso, 0 ridge.

    Returns
    -------
    kept, shrunk : numpy.ndarray
        Coefficients, one row for each penalty.

    Raises
    ------
    EstimationError
        If a fit does not converge.
    ParameterError
        If the mix is not between 0 and 1, or a penalty is negative.

    Examples
    --------
    >>> x = np.array([[-1.0], [0.0], [1.0], [2.0]])
    >>> data = Regression(np.ones((4, 1)), x, np.array([1.0, 2, 4, 9]), np.zeros(4), "poisson")
    >>> fit_elastic_net(data, [100.0, 0.0], mix=1.0)[1].round(3).tolist()
    [[0.0], [0.748]]
    """
    if not 0 <= mix <= 1:
        raise ParameterError(f"mix is {mix}", "between 0 (ridge) and 1 (lasso)")
    if not all(np.isfinite(one) and one >= 0 for one in penalties):
        raise ParameterError("a penalty is negative or missing", "penalties of 0 or more")
    kept, shrunk = _start(data), np.zeros(data.shrunk.shape[1])
    found = []
    for penalty in penalties:
        kept, shrunk = _newton(data, kept, shrunk, penalty * mix, penalty * (1 - mix))
        found.append((kept, shrunk))
    return np.array([one for one, _ in found]), np.array([one for _, one in found])


def largest_penalty(data: Regression, mix: float = 0.5) -> float:
    """Give the smallest penalty at which no exposure is left.

    Parameters
    ----------
    data : Regression
        The rows.
    mix : float, optional
        1 is the lasso; below 0.001, where none ever leaves, that of 0.001 is given.

    Returns
    -------
    float
        The penalty.

    Raises
    ------
    EstimationError
        If the model of the adjusters alone does not converge.

    Examples
    --------
    >>> x = np.array([[-1.0], [1.0]])
    >>> largest_penalty(Regression(np.ones((2, 1)), x, np.array([1.0, 3.0]), np.zeros(2), "poisson"), 1.0)
    1.0
    """
    nothing = np.zeros(data.shrunk.shape[1])
    kept, _ = _newton(data, _start(data), nothing, np.inf, 0.0)
    slope = data.shrunk.T @ (data.outcome - data.means(kept, nothing)) / len(data.outcome)
    return float(np.abs(slope).max() / max(mix, 1e-3))


def _start(data: Regression) -> Array:
    """Begin at the mean of the outcome: the first of the kept terms is the intercept."""
    start = np.zeros(data.kept.shape[1])
    if data.law == "binomial":
        share = np.clip(data.outcome.mean(), 1e-6, 1 - 1e-6)
        start[0] = np.log(share / (1 - share))
    else:
        start[0] = np.log(max(data.outcome.sum(), 0.5) / np.exp(data.offset).sum())
    return start


def _newton(data: Regression, kept: Array, shrunk: Array, lasso: float, ridge: float) -> tuple[Array, Array]:
    k, n = len(kept), len(data.outcome)
    both = np.column_stack([data.kept, data.shrunk])

    def loss(first: Array, second: Array) -> float:
        # Where the lasso is infinite, exposures stay at zero and weigh nothing.
        size = float(lasso * np.abs(second).sum()) if second.any() else 0.0
        return data.deviance(first, second) / (2 * n) + size + float(ridge / 2 * (second**2).sum())

    now = loss(kept, shrunk)
    for _ in range(STEPS):
        mu = data.means(kept, shrunk)
        weight = mu * (1 - mu) if data.law == "binomial" else mu
        slope = both.T @ (data.outcome - mu) / n
        bend = (both * weight[:, None]).T @ both / n
        # Adjusters are solved for: what is left is a problem of the size of the exposures.
        aside = np.linalg.lstsq(bend[:k, :k], np.column_stack([slope[:k], bend[:k, k:]]), rcond=1e-12)[0]
        inner = bend[k:, k:] - bend[k:, :k] @ aside[:, 1:]
        pull = slope[k:] - bend[k:, :k] @ aside[:, 0]
        target = _descend(inner, inner @ shrunk + pull, shrunk, lasso, ridge)
        step_shrunk = target - shrunk
        step_kept = aside[:, 0] - aside[:, 1:] @ step_shrunk
        size, then = 1.0, loss(kept + step_kept, target)
        while then > now + 1e-12 * abs(now) and size > 1e-4:
            size /= 2
            then = loss(kept + size * step_kept, shrunk + size * step_shrunk)
        kept, shrunk = kept + size * step_kept, target if size == 1 else shrunk + size * step_shrunk
        moved = max(float(np.abs(data.kept @ step_kept).max()), float(np.abs(step_shrunk).max(initial=0)))
        now = then
        if moved < 1e-9:
            if float(np.abs(data.kept @ kept + data.shrunk @ shrunk).max()) > 30:
                break
            return kept, shrunk
    raise EstimationError(
        "a model of several exposures does not converge", "cases and controls, or counts, at every adjuster",
        "group categories of the adjusters",
    )  # fmt: skip


def _descend(matrix: Array, pull: Array, start: Array, lasso: float, ridge: float) -> Array:
    """Minimise b'Mb/2 - pull'b + lasso |b| + ridge b²/2, one coordinate at a time."""
    if np.isinf(lasso):
        return np.zeros_like(start)
    if lasso == 0:
        return np.asarray(np.linalg.lstsq(matrix + ridge * np.eye(len(start)), pull, rcond=1e-12)[0])
    rows, toward = matrix.tolist(), pull.tolist()
    found = start.tolist()
    for _ in range(10_000):
        change = 0.0
        for j, row in enumerate(rows):
            rest = toward[j] - sum(map(float.__mul__, row, found)) + row[j] * found[j]
            shrunk = max(abs(rest) - lasso, 0.0) / (row[j] + ridge) if row[j] + ridge > 0 else 0.0
            new = shrunk if rest > 0 else -shrunk
            change = max(change, abs(new - found[j]))
            found[j] = new
        if change < 1e-13:
            break
    return np.array(found)


@dataclass(frozen=True)
class AveragedModels:
    """All models that the exposures can make, weighed by their BIC.

    Parameters
    ----------
    members : numpy.ndarray of bool
        One row for each model, one column for each exposure, the most probable first.
    bic : numpy.ndarray
        Its BIC, up to a constant.
    probability : numpy.ndarray
        Its posterior probability, all models being as probable beforehand.
    coefficients : numpy.ndarray
        Those of the exposures, 0 where one is not in the model.
    dispersion : float
        What deviances were divided by.
    """

    members: NDArray[np.bool_]
    bic: Array
    probability: Array
    coefficients: Array
    dispersion: float

    @property
    def inclusion(self) -> Array:
        """Posterior probability that each exposure is in the model."""
        return np.asarray(self.probability @ self.members)

    @property
    def averaged(self) -> Array:
        """Posterior mean of each coefficient."""
        return np.asarray(self.probability @ self.coefficients)


def average_models(data: Regression, dispersed: bool = False) -> AveragedModels:
    """Fit every subset of the exposures and weigh it by exp(-BIC / 2).

    Parameters
    ----------
    data : Regression
        The rows; the adjusters are in every model.
    dispersed : bool, optional
        Divide deviances by the dispersion of the model with all exposures, when above 1 (as in QAIC: Burnham and
        Anderson 2002): counts that vary more than Poisson's would else make models look too sure.

    Returns
    -------
    AveragedModels
        All models (Raftery, Sociol Methodol 1995;25:111). BIC counts rows as independent.

    Raises
    ------
    EstimationError
        If a model does not converge.
    ParameterError
        If there are more than 12 exposures.

    Examples
    --------
    >>> x = np.array([[-1.0], [0.0], [1.0], [2.0]])
    >>> data = Regression(np.ones((4, 1)), x, np.array([10.0, 20, 40, 90]), np.zeros(4), "poisson")
    >>> average_models(data).inclusion.round(3).tolist()
    [1.0]
    """
    count, n = data.shrunk.shape[1], len(data.outcome)
    if count > MOST:
        raise ParameterError(f"{count} exposures make {2**count} models", f"{MOST} exposures or fewer")
    subsets = [list(one) for size in range(count + 1) for one in combinations(range(count), size)]
    members = np.zeros((len(subsets), count), dtype=bool)
    coefficients, deviance = np.zeros((len(subsets), count)), np.zeros(len(subsets))
    kept = _start(data)
    for place, subset in enumerate(subsets):
        part = Regression(data.kept, data.shrunk[:, subset], data.outcome, data.offset, data.law)
        kept, found = _newton(part, kept, np.zeros(len(subset)), 0.0, 0.0)
        members[place, subset], coefficients[place, subset] = True, found
        deviance[place] = part.deviance(kept, found)
    dispersion = 1.0
    if dispersed:
        mu = data.means(kept, coefficients[-1])
        spread = mu * (1 - mu) if data.law == "binomial" else mu
        dispersion = max(1.0, float(((data.outcome - mu) ** 2 / spread).sum() / (n - len(kept) - count)))
    bic = deviance / dispersion + np.log(n) * members.sum(axis=1)
    weight = np.exp(-(bic - bic.min()) / 2)
    order = np.lexsort((np.arange(len(bic)), bic))
    return AveragedModels(
        members[order], bic[order], (weight / weight.sum())[order], coefficients[order], dispersion
    )  # fmt: skip
