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
    """

    matrix: Array
    degrees: Array


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
    if correction == "CR1":
        matrix = bread @ (scores.T @ scores) @ bread * count / (count - 1)
        return ClusterCovariance(matrix, np.full(len(contrasts), np.inf))
    root = np.linalg.cholesky(bread)
    leverage, axes = np.linalg.eigh(root.T @ information @ root)
    left = 1 - np.clip(leverage, 0, 1)
    inflation = np.where(left > _DETERMINED, 1 / np.sqrt(np.maximum(left, _DETERMINED)), 0)
    turned = np.einsum("gij,gi->gj", axes, scores @ root) * inflation
    adjusted = np.einsum("gij,gj->gi", axes, turned)
    matrix = root @ (adjusted.T @ adjusted) @ root.T
    degrees = np.array([_satterthwaite(root.T @ contrast, axes, leverage, inflation) for contrast in contrasts])
    return ClusterCovariance(matrix, degrees)


def _satterthwaite(contrast: Array, axes: Array, leverage: Array, inflation: Array) -> float:
    """Match the first two moments of the variance estimate, were rows independent."""
    seen = np.einsum("gij,i->gj", axes, contrast)
    own = (seen**2 * np.clip(leverage, 0, None) * inflation**2).sum(axis=1)
    shared = np.einsum("gij,gj->gi", axes, seen * np.clip(leverage, 0, None) * inflation)
    products = -shared @ shared.T
    products[np.diag_indices(len(own))] += own
    total = (products**2).sum()
    return float(np.trace(products) ** 2 / total) if total > 0 else 0.0
