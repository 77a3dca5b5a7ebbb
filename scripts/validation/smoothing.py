"""Smoothing and spatial regression hold the truth as often as they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from validation.proof import Proof, Row, Setting

SIDE = 10


def _map() -> tuple[np.ndarray, np.ndarray]:
    place = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    first = np.concatenate([place[:, :-1].ravel(), place[:-1].ravel()])
    return first, np.concatenate([place[:, 1:].ravel(), place[1:].ravel()])


def coverage_of_bym2(setting: Setting) -> Iterator[Row]:
    """Cover a planted rate ratio under structured and unstructured variation; outcomes and effects are redrawn."""
    from epi.stats import fit_glm
    from epi.stats.spatial import weights_from_pairs
    from epi.stats.spatial.bym2 import fit_bym2

    n = SIDE * SIDE
    weights = weights_from_pairs(range(n), *_map())
    laplacian = np.diag(weights.matrix.toarray().sum(axis=1)) - weights.matrix.toarray()
    values, vectors = np.linalg.eigh(laplacian)
    root = vectors[:, 1:] / np.sqrt(values[1:])
    root /= np.exp(0.5 * np.log((root**2).sum(axis=1)).mean())
    random = np.random.Generator(np.random.PCG64(8))
    expected = random.gamma(2.0, 4.0, n)
    # The covariate is itself smooth in space, where independent errors are wrong.
    x = 0.8 * root @ random.normal(size=n - 1) + 0.6 * random.normal(size=n)
    x = (x - x.mean()) / x.std()
    truth, sigma, phi = 0.15, 0.4, 0.7
    covered = naive = areas = 0
    for _ in range(setting.replicates):
        field = sigma * (np.sqrt(1 - phi) * random.normal(size=n) + np.sqrt(phi) * root @ random.normal(size=n - 1))
        log_risk = truth * x + field
        observed = random.poisson(expected * np.exp(log_risk))
        fit = fit_bym2(observed, expected, weights, x)
        low, high = (fit.coefficients.quantile(p)[1] for p in (0.025, 0.975))
        covered += bool(low <= truth <= high)
        areas += int(((fit.log_risk.quantile(0.025) <= log_risk) & (log_risk <= fit.log_risk.quantile(0.975))).sum())
        b, se = fit_glm(pd.DataFrame({"x": x}), observed, family="poisson", offset=np.log(expected)).term("x")
        naive += bool(abs(b - truth) <= 1.96 * se)
    runs = setting.replicates
    p = binomtest(covered, runs, 0.95).pvalue
    yield ("BYM2, planted rate ratio", f"{covered} of {runs} intervals cover ({covered / runs:.1%})", bool(p > 0.001))
    share = areas / (runs * n)
    # Areas of one map are dependent, so the mean is held to a band and not to a test.
    yield ("BYM2, relative risks of areas", f"{share:.1%} of {runs * n:,} intervals cover", abs(share - 0.95) <= 0.015)
    worse = binomtest(naive, runs, 0.95, alternative="less").pvalue
    yield ("the same by Poisson without space is shown to fail", f"{naive / runs:.1%} cover", bool(worse < 0.001))


def calibration_of_exceedance(setting: Setting) -> Iterator[Row]:
    """Hold stated probabilities of a raised risk against how often it is, under the law that was supposed."""
    from epi.stats.spatial.empirical_bayes import poisson_gamma

    random = np.random.Generator(np.random.PCG64(9))
    stated, raised = [], []
    for _ in range(setting.replicates):
        expected = random.gamma(2.0, 4.0, 300)
        risk = random.gamma(6.0, 1 / 6.0, 300)
        fit = poisson_gamma(random.poisson(expected * risk), expected)
        if not fit.collapsed.any():
            stated.append(fit.exceedance(1.2))
            raised.append(risk > 1.2)
    chance, true = np.concatenate(stated), np.concatenate(raised)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 0.8), (0.8, 0.95), (0.95, 1.0)):
        inside = (chance >= low) & (chance < high)
        told, found = float(chance[inside].mean()), float(true[inside].mean())
        yield (
            f"Poisson-gamma exceedance of 1.2, stated {low:g} to {high:g}",
            f"mean stated {told:.3f}, true {found:.3f}, {int(inside.sum()):,} areas",
            abs(told - found) <= 0.02,
        )


PROOFS: list[Proof] = [
    ("Smoothing: coverage of BYM2", coverage_of_bym2),
    ("Smoothing: calibration of exceedance", calibration_of_exceedance),
]
