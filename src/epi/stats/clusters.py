"""Cluster-robust covariance that holds when clusters are few or of very unequal weight.

The plain sandwich (CR1) is too small when one cluster weighs much: a city that holds a seventh of the
patients and has an exposure of its own. *Bias-reduced linearisation* (CR2: Bell and McCaffrey, Survey
Methodology 2002;28:169; Pustejovsky and Tipton, J Bus Econ Stat 2018;36:672) inflates each cluster's
residuals by its leverage, and gives each coefficient the degrees of freedom that its clusters leave it
(Satterthwaite), to be used with Student's law. The working model is the fitted one, rows independent; the
root is the symmetric one of the whitened rows, as for weighted least squares.

Everything is computed on p x p matrices: linear in rows and clusters. With B the inverse of X'WX = CC',
cluster g enters by Z_g = W_g^(1/2) X_g C, whose Z_g'Z_g has the eigenvalues of its leverage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Correction = Literal["CR2", "CR1"]
Array = NDArray[np.float64]

# A cluster that alone determines a direction has leverage 1 there: nothing of it is left to estimate from.
_DETERMINED = 1e-10


@dataclass(frozen=True)
class ClusterCovariance:
    """Covariance of coefficients over clusters.

    Parameters
    ----------
    matrix : numpy.ndarray
        p x p.
    degrees : numpy.ndarray
        Degrees of freedom of each contrast asked for; infinite for CR1.
    pieces : _Pieces
        What degrees of freedom are computed from.
    correction : {"CR2", "CR1"}
        Of the variance.
    """

    matrix: Array
    degrees: Array
    pieces: _Pieces
    correction: Correction

    def degrees_of(self, contrast: Array) -> float:
        """Give the degrees of freedom of a linear combination.

        Parameters
        ----------
        contrast : numpy.ndarray
            Weights of the coefficients, p.

        Returns
        -------
        float
            Satterthwaite's, infinite for CR1; zero where one cluster alone determines a part of it.
        """
        return _degrees(self.pieces, contrast, self.correction)

    def wald(self, coefficients: Array, contrasts: Array) -> WaldTest:
        """Test that some linear combinations are all zero.

        Parameters
        ----------
        coefficients : numpy.ndarray
            The estimates, p.
        contrasts : numpy.ndarray
            One row for each combination, q x p, independent.

        Returns
        -------
        WaldTest
            With CR2 the approximate Hotelling test HTZ (Pustejovsky and Tipton 2018; one combination: Student's); with
            CR1 a chi-square over its degrees of freedom.
        """
        found = contrasts @ coefficients
        q = len(contrasts)
        if any(_rests_on_one(self.pieces, contrast) for contrast in contrasts):
            return WaldTest(np.nan, q, 0.0, np.nan)
        statistic = float(found @ np.linalg.solve(contrasts @ self.matrix @ contrasts.T, found))
        if self.correction == "CR1":
            return wald_test(statistic, q, np.inf)
        eta = _wishart_degrees(self.pieces, contrasts)
        if eta <= q - 1:
            return WaldTest(np.nan, q, max(eta - q + 1, 0.0), np.nan)
        return wald_test(statistic * (eta - q + 1) / eta, q, eta - q + 1)


@dataclass(frozen=True)
class WaldTest:
    """A test of several coefficients together.

    Parameters
    ----------
    f : float
        The statistic.
    numerator, denominator : float
        Its degrees of freedom; the denominator is infinite for a chi-square.
    p : float
        p-value; missing when clusters leave no degree of freedom.
    """

    f: float
    numerator: int
    denominator: float
    p: float


def wald_test(statistic: float, q: int, denominator: float) -> WaldTest:
    """Refer a quadratic form to its law.

    Parameters
    ----------
    statistic : float
        The quadratic form.
    q : int
        Number of coefficients.
    denominator : float
        Degrees of freedom of the variance.

    Returns
    -------
    WaldTest
        F over q, or chi-square when the denominator is infinite.

    Examples
    --------
    >>> round(wald_test(3.841459, 1, np.inf).p, 4)
    0.05
    """
    from scipy import stats

    p = stats.chi2.sf(statistic, q) if np.isinf(denominator) else stats.f.sf(statistic / q, q, denominator)
    return WaldTest(statistic / q, q, float(denominator), float(p))


@dataclass(frozen=True)
class _Pieces:
    """What the moments of the variance estimate are made of: the root of the bread, and each cluster's leverage."""

    root: Array
    axes: Array
    leverage: Array
    inflation: Array


def cluster_covariance(
    x: Array, weight: Array, residual: Array, codes: NDArray[np.intp], contrasts: Array, correction: Correction = "CR2"
) -> ClusterCovariance:
    """Estimate the covariance of a model's coefficients, rows of a cluster being dependent.

    Parameters
    ----------
    x : numpy.ndarray
        Design, n x p, with the intercept.
    weight : numpy.ndarray
        Working weights of the fit, n.
    residual : numpy.ndarray
        Observed minus fitted, times what makes ``x * residual`` the score, n.
    codes : numpy.ndarray of int
        Cluster of each row, from 0.
    contrasts : numpy.ndarray
        One row for each linear combination whose degrees of freedom are wanted, k x p.
    correction : {"CR2", "CR1"}, optional
        Bias-reduced linearisation, or the sandwich times G / (G - 1) (as ``sandwich::vcovCL`` in R).

    Returns
    -------
    ClusterCovariance
        Covariance, and degrees of freedom of the contrasts.
    """
    count, terms = int(codes.max()) + 1, x.shape[1]
    scores = np.zeros((count, terms))
    np.add.at(scores, codes, x * residual[:, None])
    information = np.zeros((count, terms, terms))
    order = np.argsort(codes, kind="stable")
    edges = np.flatnonzero(np.r_[True, np.diff(codes[order]) > 0])
    for cluster, rows in zip(codes[order][edges], np.split(order, edges[1:]), strict=True):
        information[cluster] = (x[rows] * weight[rows, None]).T @ x[rows]
    bread = np.linalg.inv(information.sum(axis=0))
    root = np.linalg.cholesky(bread)
    leverage, axes = np.linalg.eigh(root.T @ information @ root)
    left = 1 - np.clip(leverage, 0, 1)
    inflation = np.where(left > _DETERMINED, 1 / np.sqrt(np.maximum(left, _DETERMINED)), 0)
    pieces = _Pieces(root, axes, np.clip(leverage, 0, None), inflation)
    if correction == "CR1":
        matrix = bread @ (scores.T @ scores) @ bread * count / (count - 1)
    else:
        turned = np.einsum("gij,gi->gj", axes, scores @ root) * inflation
        adjusted = np.einsum("gij,gj->gi", axes, turned)
        matrix = root @ (adjusted.T @ adjusted) @ root.T
    degrees = np.array([_degrees(pieces, contrast, correction) for contrast in contrasts])
    return ClusterCovariance(matrix, degrees, pieces, correction)


def _degrees(pieces: _Pieces, contrast: Array, correction: Correction) -> float:
    if _rests_on_one(pieces, contrast):
        return 0.0
    return np.inf if correction == "CR1" else _satterthwaite(pieces, contrast)


def _rests_on_one(pieces: _Pieces, contrast: Array) -> bool:
    """Tell whether one cluster alone determines a part of a combination of coefficients.

    Along such a part its residuals add up to nothing: no variance over clusters tells of it.
    """
    along = np.swapaxes(pieces.axes, 1, 2)[pieces.inflation == 0]
    turned = pieces.root.T @ contrast
    return bool((np.abs(along @ turned) > 1e-6 * np.linalg.norm(turned)).any())


def _satterthwaite(pieces: _Pieces, contrast: Array) -> float:
    """Match the first two moments of the variance estimate, were rows independent."""
    own, shared = _moments(pieces, [pieces.root.T @ contrast])
    trace, total = own[0, 0].sum() - (shared[0] ** 2).sum(), _product(own, shared, 0, 0, 0, 0)
    return float(trace**2 / total) if total > 0 else 0.0


def _moments(pieces: _Pieces, turned: list[Array]) -> tuple[Array, list[Array]]:
    """Give what each cluster adds to the variances and covariances of some combinations, and what clusters share."""
    seen = [np.einsum("gij,i->gj", pieces.axes, one) for one in turned]
    spread = pieces.leverage * pieces.inflation**2
    own = np.array([[(one * other * spread).sum(axis=1) for other in seen] for one in seen])
    shared = [np.einsum("gij,gj->gi", pieces.axes, one * pieces.leverage * pieces.inflation) for one in seen]
    return own, shared


def _wishart_degrees(pieces: _Pieces, contrasts: Array) -> float:
    """Match the total variance of a standardised covariance to that of a Wishart law."""
    turned = contrasts @ pieces.root
    # Combinations that are independent and of variance 1 under the working model.
    values, axes = np.linalg.eigh(turned @ turned.T)
    standard = (axes / np.sqrt(values)) @ axes.T @ turned
    own, shared = _moments(pieces, list(standard))
    q = len(standard)
    total = sum(
        _product(own, shared, s, s, t, t) + _product(own, shared, s, t, t, s) for s in range(q) for t in range(q)
    )
    return q * (q + 1) / total if total > 0 else 0.0


def _product(own: Array, shared: list[Array], a: int, b: int, c: int, d: int) -> float:
    """Add up, over pairs of clusters, the products of two matrices of covariances of what clusters contribute.

    Each is diag(own) - shared shared': nothing of the size of clusters squared is made.
    """
    one, other = own[a, b], own[c, d]
    left, right = (shared[a] * shared[b]).sum(axis=1), (shared[c] * shared[d]).sum(axis=1)
    together = float(np.sum((shared[a].T @ shared[c]) * (shared[b].T @ shared[d])))
    return float((one * other - one * right - other * left).sum()) + together
