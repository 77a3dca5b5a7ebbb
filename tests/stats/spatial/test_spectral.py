"""Moran spectral randomisation: what it must keep, exactly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial import build_moran_basis, moran_test, spectral_randomisation, weights_from_pairs

R = json.loads((Path(__file__).parents[2] / "oracle" / "spatial.json").read_text())
FT = np.array(R["ft"])


def counties(name="cr85", order=None):
    labels = range(1, 101) if order is None else np.arange(1, 101)[order]
    return weights_from_pairs(labels, R["links"][name]["first"], R["links"][name]["second"])


def square(side):
    place = np.arange(side * side).reshape(side, side)
    first = np.concatenate([place[:, :-1].ravel(), place[:-1].ravel()])
    second = np.concatenate([place[:, 1:].ravel(), place[1:].ravel()])
    return weights_from_pairs([f"{code:04d}" for code in range(side * side)], named(first), named(second))


def named(places):
    return [f"{code:04d}" for code in places]


def test_eigenvalues_as_in_r():
    expected = np.array(R["eigenvalues"])
    # R keeps the constant map, of eigenvalue 0.
    expected = np.delete(expected, np.abs(expected).argmin())
    assert build_moran_basis(counties()).eigenvalues == pytest.approx(expected, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("style", ["row", "binary"])
@pytest.mark.parametrize("name", ["cr85", "cc89"])
def test_vectors_are_orthonormal_maps_without_a_mean(name, style):
    vectors = build_moran_basis(counties(name), style=style).vectors
    assert vectors.T @ vectors == pytest.approx(np.eye(99), abs=1e-10)
    assert vectors.sum(axis=0) == pytest.approx(np.zeros(99), abs=1e-10)


@pytest.mark.parametrize("method", ["singleton", "triplet"])
@pytest.mark.parametrize("style", ["row", "binary"])
@pytest.mark.parametrize("name", ["cr85", "cc89"])
def test_mean_variance_and_moran_are_kept_exactly(name, style, method):
    weights = counties(name)
    maps = spectral_randomisation(FT, weights, 50, 1, method=method, style=style)
    assert maps.shape == (50, 100)
    assert maps.mean(axis=1) == pytest.approx(np.full(50, FT.mean()), rel=1e-10)
    assert maps.var(axis=1) == pytest.approx(np.full(50, FT.var()), rel=1e-10)
    observed = moran_test(FT, weights, style=style, islands="keep", permutations=0).value
    found = [moran_test(one, weights, style=style, islands="keep", permutations=0).value for one in maps]
    assert found == pytest.approx(np.full(50, observed), rel=1e-8)
    # They are other maps, and not all alike.
    correlation = np.corrcoef(np.vstack([FT, maps]))
    assert np.abs(correlation[np.triu_indices(51, 1)]).max() < 0.9


def test_singleton_keeps_every_share_of_the_spectrum():
    basis = build_moran_basis(counties())
    power = ((FT - FT.mean())[basis.order] @ basis.vectors) ** 2
    for one in spectral_randomisation(FT, basis, 20, 4):
        assert ((one - one.mean())[basis.order] @ basis.vectors) ** 2 == pytest.approx(power, rel=1e-6, abs=1e-9)


def test_basis_tells_moran_of_any_map():
    basis = build_moran_basis(counties())
    maps = np.random.default_rng(0).normal(size=(5, 100))
    found = [moran_test(one, counties(), permutations=0).value for one in maps]
    assert basis.moran(maps) == pytest.approx(found, rel=1e-9)


def test_rows_in_any_order_give_the_same_maps_even_where_eigenvalues_repeat():
    # A square has many repeated eigenvalues, whose vectors rounding would choose.
    weights = square(7)
    values = np.random.default_rng(2).normal(size=49)
    straight = spectral_randomisation(values, weights, 10, 5)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(49)
        mixed = spectral_randomisation(values[order], weights.select(weights.labels[order]), 10, 5)
        assert mixed == pytest.approx(straight[:, order], rel=1e-7, abs=1e-9)


def test_a_basis_built_once_draws_as_weights_do():
    weights = counties()
    assert (
        spectral_randomisation(FT, weights, 5, 1) == spectral_randomisation(FT, build_moran_basis(weights), 5, 1)
    ).all()
    assert (spectral_randomisation(FT, weights, 5, 1) != spectral_randomisation(FT, weights, 5, 2)).any()


def test_areas_without_a_value_stay_missing():
    values = FT.copy()
    values[[3, 49]] = np.nan
    maps = spectral_randomisation(values, counties(), 5, 1)
    assert np.isnan(maps[:, [3, 49]]).all()
    assert np.isfinite(np.delete(maps, [3, 49], axis=1)).all()
    with pytest.raises(ParameterError, match="2 of 100"):
        spectral_randomisation(values, build_moran_basis(counties()), 5, 1)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (FT[:50], {}, "shape"),
        (np.ones(100), {}, "alike"),
        (FT, {"method": "pair"}, "method"),
        (FT, {"n": 0}, "at least one"),
        (FT, {"style": "C"}, "style"),
    ],
)
def test_bad_input_is_refused(values, options, message):
    with pytest.raises((EstimationError, ParameterError), match=message):
        spectral_randomisation(values, counties(), **options)
