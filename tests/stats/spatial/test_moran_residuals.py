"""Autocorrelation of residuals: linear as spdep's lm.morantest, counts by simulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import EstimationError, ParameterError
from epi.stats.models import fit_glm
from epi.stats.spatial import moran_test, moran_test_counts, moran_test_residuals, weights_from_pairs

R = json.loads((Path(__file__).parents[2] / "oracle" / "spatial.json").read_text())
FT, X = np.array(R["ft"]), np.array(R["nonwhite"])
DEATHS, BIRTHS = np.array(R["deaths"]), np.array(R["births"])


def counties(order=None):
    labels = range(1, 101) if order is None else np.arange(1, 101)[order]
    return weights_from_pairs(labels, R["links"]["cr85"]["first"], R["links"]["cr85"]["second"])


@pytest.mark.parametrize(("case", "style"), [("cr85_W", "row"), ("cr85_B", "binary")])
def test_linear_residuals_as_lm_morantest_in_spdep(case, style):
    expected = R["cases"][case]["residual"]
    found = moran_test_residuals(FT, X, counties(), style=style, permutations=0)
    moments = (found.value, found.expectation, found.sd**2, found.z, found.p_analytic)
    names = ("value", "expectation", "variance", "z", "p")
    assert moments == pytest.approx([expected[name] for name in names], rel=1e-8, abs=1e-12)


def test_without_covariates_residuals_are_deviations():
    found = moran_test_residuals(FT, np.empty((100, 0)), counties(), permutations=0)
    plain = moran_test(FT, counties(), assumption="normality", permutations=0)
    assert (found.value, found.expectation, found.sd) == pytest.approx((plain.value, plain.expectation, plain.sd))


def test_permutations_of_residuals_have_the_moments_of_the_model():
    found = moran_test_residuals(FT, X, counties(), permutations=4_999)
    assert found.draws.mean() == pytest.approx(found.expectation, abs=4 * found.sd / np.sqrt(4_999))
    assert found.draws.std() == pytest.approx(found.sd, rel=0.05)


@pytest.mark.parametrize("residual", ["pearson", "deviance"])
def test_residuals_of_counts_are_those_of_the_poisson_regression(residual):
    import pandas as pd

    found = moran_test_counts(DEATHS, BIRTHS, counties(), X, residual=residual, simulations=19)
    fit = fit_glm(pd.DataFrame({"x": X}), DEATHS, family="poisson", offset=np.log(BIRTHS))
    mean = np.exp(fit.coefficients[0] + fit.coefficients[1] * X + np.log(BIRTHS))
    e = (DEATHS - mean) / np.sqrt(mean)
    if residual == "deviance":
        part = np.where(DEATHS > 0, DEATHS * np.log(np.where(DEATHS > 0, DEATHS, 1) / mean), 0)
        e = np.sign(DEATHS - mean) * np.sqrt(2 * (part - DEATHS + mean))
    w = counties().row_standardised().matrix
    assert found.value == pytest.approx(100 / w.sum() * (e @ (w @ e)) / (e @ e), rel=1e-7)


def test_race_explains_most_of_the_likeness_of_counties():
    alone = moran_test_counts(DEATHS, BIRTHS, counties())
    explained = moran_test_counts(DEATHS, BIRTHS, counties(), X)
    assert alone.p_permutation <= 0.01 < 0.05 < explained.p_permutation
    assert np.isnan(alone.p_analytic)


def test_simulated_p_has_its_size():
    # 200 maps of a constant risk: rejections at 10 % within four binomial standard deviations.
    rng = np.random.default_rng(4)
    mean = BIRTHS * DEATHS.sum() / BIRTHS.sum()
    p = [
        moran_test_counts(rng.poisson(mean), BIRTHS, counties(), simulations=99, seed=s).p_permutation
        for s in range(200)
    ]  # fmt: skip
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 4 * np.sqrt(0.09 / 200)


@settings(max_examples=10)
@given(order=st.permutations(range(100)))
def test_rows_in_any_order_give_the_same_test(order):
    order = list(order)
    straight = moran_test_residuals(FT, X, counties(), permutations=49)
    mixed = moran_test_residuals(FT[order], X[order], counties(order), permutations=49)
    assert (straight.value, straight.z, straight.p_permutation) == (mixed.value, mixed.z, mixed.p_permutation)
    straight = moran_test_counts(DEATHS, BIRTHS, counties(), X, simulations=19)
    mixed = moran_test_counts(DEATHS[order], BIRTHS[order], counties(order), X[order], simulations=19)
    assert (straight.draws == mixed.draws).all()


def test_areas_that_lack_a_number_are_left_out_of_the_fit():
    y, x, births = FT.copy(), X.copy(), BIRTHS.astype(float)
    y[3] = x[49] = np.nan
    births[7] = np.nan
    keep = np.delete(np.arange(100), [3, 49])
    part = counties().select(counties().labels[keep])
    found = moran_test_residuals(y, x, counties(), permutations=0)
    assert found.z == moran_test_residuals(FT[keep], X[keep], part, permutations=0).z
    assert found.missing == 2
    assert moran_test_counts(DEATHS, births, counties(), x, simulations=19).missing == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: moran_test_residuals(FT, X[:50], w), "design has shape"),
        (lambda w: moran_test_residuals(FT, np.ones(100), w), "constant"),
        (lambda w: moran_test_residuals(FT, np.column_stack([X, 2 * X + 1]), w), "collinear"),
        (lambda w: moran_test_residuals(2 * X + 1, X, w), "no residual"),
        (lambda w: moran_test_residuals(FT, X, w, permutations=-1), "permutations"),
        (lambda w: moran_test_counts(DEATHS + 0.5, BIRTHS, w), "out of range"),
        (lambda w: moran_test_counts(-DEATHS, BIRTHS, w), "out of range"),
        (lambda w: moran_test_counts(DEATHS, 0 * BIRTHS, w), "out of range"),
        (lambda w: moran_test_counts(0 * DEATHS, BIRTHS, w), "no case"),
        (lambda w: moran_test_counts(DEATHS, BIRTHS, w, residual="raw"), "residual"),
        (lambda w: moran_test_counts(DEATHS, BIRTHS, w, simulations=9), "simulations"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises((EstimationError, ParameterError), match=message):
        call(counties())
