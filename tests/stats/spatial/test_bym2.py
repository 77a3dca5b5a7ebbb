"""The BYM2 approximation against the same model sampled at length (bym2_mcmc.py), and what it must respect.

Tolerances were set before the comparison: means of coefficients, log risks and relative risks within three Monte Carlo
errors and 3 % of a posterior standard deviation, standard deviations within three Monte Carlo errors and 3 %,
hyperparameters within three Monte Carlo errors and 5 %.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial import weights_from_pairs
from epi.stats.spatial.bym2 import fit_bym2
from epi.stats.spatial.icar import build_icar, inverse_diagonal
from epi.stats.spatial.skew_mixture import SkewMixture

ORACLE = Path(__file__).parents[2] / "oracle"
R = json.loads((ORACLE / "smoothing.json").read_text())
LIP = json.loads((ORACLE / "scotland_lip_cancer.json").read_text())
SAMPLED = json.loads((ORACLE / "bym2_mcmc.json").read_text())
CASES = ("scotland", "scotland_islands", "scotland_alone", "sids")


def setting(case):
    if case == "sids":
        weights = weights_from_pairs(range(1, 101), R["links"]["first"], R["links"]["second"])
        deaths, births = np.array(R["sids"]["deaths"]), np.array(R["sids"]["births"])
        return deaths, births * deaths.sum() / births.sum(), weights, np.array(R["sids"]["nonwhite"])
    pairs = np.array(LIP["pairs"])
    if case == "scotland_islands":
        pairs = pairs[~np.isin(pairs, [6, 8, 11]).any(axis=1)]
    weights = weights_from_pairs(range(1, 57), pairs[:, 0], pairs[:, 1])
    x = None if case == "scotland_alone" else np.array(LIP["aff_percent"]) / 10
    return np.array(LIP["observed"]), np.array(LIP["expected"]), weights, x


@pytest.fixture(scope="module")
def fits():
    return {case: fit_bym2(*setting(case)) for case in CASES}


@pytest.fixture
def unit():
    def give(case):
        x = setting(case)[3]
        return np.array([1.0]) if x is None else np.array([1.0, x.std()])

    return give


def close(found, sampled, share):
    sd, error = np.array(sampled["sd"]), np.array(sampled["mcse_mean"])
    assert (np.abs(found - np.array(sampled["mean"])) <= 3 * error + share * sd).all()


@pytest.mark.parametrize("case", CASES)
def test_the_chains_are_long_and_agree(case):
    sampled = SAMPLED[case]
    assert sampled["draws"] == 100_000
    assert sampled["divergences"] <= 5
    for name in ("b", "sigma", "phi", "log_rr"):
        assert sampled[name]["rhat"] < 1.01


@pytest.mark.parametrize("case", CASES)
def test_means_are_those_of_long_chains(fits, unit, case):
    fit, sampled = fits[case], SAMPLED[case]
    close(fit.coefficients.mean * unit(case), sampled["b"], 0.03)
    close(fit.log_risk.mean, sampled["log_rr"], 0.03)
    close(fit.mean, sampled["rr"], 0.03)
    close(fit.sigma.mean, sampled["sigma"], 0.05)
    close(fit.phi.mean, sampled["phi"], 0.05)


@pytest.mark.parametrize("case", CASES)
def test_standard_deviations_and_limits_are_those_of_long_chains(fits, unit, case):
    fit, sampled = fits[case], SAMPLED[case]
    for found, name, share in (
        (fit.coefficients.sd * unit(case), "b", 0.03),
        (fit.log_risk.sd, "log_rr", 0.03),
        (fit.sd, "rr", 0.03),
        (fit.sigma.sd, "sigma", 0.05),
        (fit.phi.sd, "phi", 0.05),
    ):
        expected, error = np.array(sampled[name]["sd"]), np.array(sampled[name]["mcse_sd"])
        assert (np.abs(found - expected) <= 3 * error + share * expected).all(), name
    sd = np.array(sampled["rr"]["sd"])
    for probability, name in ((0.025, "low"), (0.5, "median"), (0.975, "high")):
        assert np.abs((fit.quantile(probability) - np.array(sampled["rr"][name])) / sd).max() < 0.1, name
    assert np.abs(fit.exceedance(1.0) - np.array(sampled["exceedance"])).max() < 0.01


def test_the_scale_of_scotland_is_the_published_one():
    # Morris, Simpson and others give 0.4853175 for the map of 56 joined districts.
    icar = build_icar(setting("scotland")[2])
    assert icar.scales == pytest.approx([0.4853175], abs=5e-7)
    assert SAMPLED["scotland"]["scales"] == pytest.approx(icar.scales, rel=1e-9)


def test_an_island_is_a_part_of_variance_one_and_each_larger_part_has_its_own_scale():
    weights = weights_from_pairs(list("abcdefg"), list("abde"), list("bcef"))
    icar = build_icar(weights)
    assert icar.constraints.sum(axis=1).tolist() == [3, 3]
    assert icar.scales[0] == pytest.approx(icar.scales[1])
    # A chain of three: variances 5/9, 2/9 and 5/9.
    assert icar.scales[0] == pytest.approx((5 / 9 * 2 / 9 * 5 / 9) ** (1 / 3), rel=1e-12)
    assert np.sort(icar.spectrum)[:2] == pytest.approx([0, 0], abs=1e-12)


def test_the_inverse_diagonal_is_that_of_the_dense_matrix():
    from scipy.linalg import cholesky_banded

    rng = np.random.default_rng(1)
    for n, width in ((5, 1), (60, 3), (97, 30)):
        bands = rng.normal(size=(width + 1, n))
        bands[0] = 4 + 2 * width
        dense = np.zeros((n, n))
        for k in range(width + 1):
            for j in range(n - k):
                dense[j + k, j] = dense[j, j + k] = bands[k, j]
        found = inverse_diagonal(cholesky_banded(bands, lower=True))
        assert found == pytest.approx(np.diag(np.linalg.inv(dense)), rel=1e-10)


def test_a_mixture_has_the_moments_it_was_given_and_quantiles_that_undo_its_distribution():
    mean, sd, skew = np.array([[0.0, 1.0]]), np.array([[1.0, 0.3]]), np.array([[-0.4, 0.8]])
    law = SkewMixture.of_moments(np.ones(1), mean, sd, skew)
    assert law.mean == pytest.approx(mean[0], abs=1e-12)
    assert law.sd == pytest.approx(sd[0], rel=1e-12)
    grid = np.linspace(-6, 6, 200_001)
    density = np.gradient(np.array([law.cdf(value)[0] for value in grid[::200]]), grid[::200])
    step = grid[200] - grid[0]
    assert (density * grid[::200] ** 3).sum() * step == pytest.approx(-0.4, abs=1e-3)
    assert law.mean_of_exp()[0] == pytest.approx((density * np.exp(grid[::200])).sum() * step, rel=1e-3)
    for probability in (0.001, 0.3, 0.975):
        assert law.cdf(law.quantile(probability)) == pytest.approx([probability] * 2, abs=1e-9)


def test_the_order_of_areas_does_not_matter():
    y, e, weights, x = setting("scotland_islands")
    order = np.random.default_rng(3).permutation(56)
    first = fit_bym2(y, e, weights, x)
    second = fit_bym2(y[order], e[order], weights.select(weights.labels[order]), x[order])
    assert second.estimate == pytest.approx(first.estimate[order], rel=1e-5)
    assert second.coefficients.mean == pytest.approx(first.coefficients.mean, rel=1e-4)


def test_a_covariate_in_another_unit_only_changes_the_unit():
    y, e, weights, x = setting("scotland")
    first, second = fit_bym2(y, e, weights, x), fit_bym2(y, e, weights, 5 + 100 * x)
    assert second.coefficients.mean[1] * 100 == pytest.approx(first.coefficients.mean[1], rel=1e-6)
    assert second.estimate == pytest.approx(first.estimate, rel=1e-6)


def test_a_missing_count_is_predicted_from_its_neighbours_with_more_uncertainty():
    y, e, weights, _ = setting("scotland")
    known = fit_bym2(y, e, weights)
    hidden = y.astype(float)
    hidden[6] = np.nan
    fit = fit_bym2(hidden, e, weights)
    assert fit.log_risk.sd[6] > 1.5 * known.log_risk.sd[6]
    around = weights.matrix.toarray()[6] > 0
    # Observed 3.2 times what is expected; its neighbours are raised as well.
    assert 1 < fit.estimate[6] < known.estimate[around].max()
    assert np.isfinite(fit.mean).all()


def test_flat_counts_are_smoothed_to_one():
    grid = np.arange(36).reshape(6, 6)
    weights = weights_from_pairs(
        range(36),
        np.concatenate([grid[:, :-1].ravel(), grid[:-1].ravel()]),
        np.concatenate([grid[:, 1:].ravel(), grid[1:].ravel()]),
    )
    fit = fit_bym2(np.full(36, 20), np.full(36, 20.0), weights)
    assert fit.estimate == pytest.approx(np.ones(36), abs=0.02)
    assert fit.sigma.median < 0.1


def test_bad_input_is_refused_all_at_once():
    weights = weights_from_pairs(range(4), [0, 1, 2], [1, 2, 3])
    with pytest.raises(EstimationError) as caught:
        fit_bym2([1, -2, 3.5, 0], [1.0, 0.0, np.nan, 2.0], weights, [1.0, 1.0, np.inf, 2.0])
    for words in ("2 observed numbers", "2 expected numbers", "infinite in 1 areas"):
        assert words in str(caught.value)
    with pytest.raises(EstimationError, match="3 observed and 4 expected numbers for 4 areas"):
        fit_bym2([1, 2, 3], [1.0] * 4, weights)
    with pytest.raises(EstimationError, match="constant, or one follows"):
        fit_bym2([1, 2, 3, 4], [1.0] * 4, weights, [[1, 2], [2, 4], [3, 6], [5, 10]])
    with pytest.raises(EstimationError, match="there is no case"):
        fit_bym2([0, 0, np.nan, 0], [1.0] * 4, weights)
    with pytest.raises(ParameterError, match="phi_chance is 1"):
        fit_bym2([1, 2, 3, 4], [1.0] * 4, weights, phi_chance=1)
    with pytest.raises(ParameterError, match="precision 0"):
        fit_bym2([1, 2, 3, 4], [1.0] * 4, weights, precision=0)
    with pytest.raises(ParameterError, match="no area has a neighbour"):
        fit_bym2([1, 2], [1.0] * 2, weights_from_pairs(["a", "b"], [], []))
    with pytest.raises(ParameterError, match="threshold is 0"):
        fit_bym2([1, 2, 3, 4], [1.0] * 4, weights).exceedance(0)
