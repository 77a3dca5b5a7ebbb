from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.errors import ParameterError
from epi.stats import fit_glm
from epi.stats.spatial import build_moran_basis, distance_weights, map_interval
from validation.association import Counts, Persons, discoveries, planted_ratios

SIDE = 12
N = SIDE * SIDE
LON, LAT = (side.ravel() / 5.0 for side in np.meshgrid(np.arange(SIDE), 230 + np.arange(SIDE)))
BASIS = build_moran_basis(distance_weights(range(N), LON, LAT), style="given")
RANDOM = np.random.Generator(np.random.PCG64(5))
X = np.sin(LON) + 0.3 * RANDOM.normal(size=N)
Z = RANDOM.normal(size=N)
EXPECTED = RANDOM.gamma(4, 10, N)
COUNTS = RANDOM.poisson(EXPECTED * np.exp(0.4 * X + 0.2 * Z + 0.4 * np.cos(LAT))).astype(float)


PLACES, OFFSET = np.arange(N), np.log(EXPECTED)


def interval(x=X, y=COUNTS, codes=PLACES, adjusters=Z, offset=OFFSET, basis=BASIS, **options):
    return map_interval(x, y, codes, basis, adjusters, family="poisson", offset=offset, **options)


def test_without_residual_risk_between_areas_the_estimate_is_that_of_the_plain_model():
    fitted = np.round(EXPECTED * np.exp(0.4 * X))
    found = interval(y=fitted)
    plain = fit_glm(pd.DataFrame({"z": Z, "x": X}), fitted, family="poisson", offset=np.log(EXPECTED))
    assert found.dispersion == 0
    assert found.estimate == pytest.approx(plain.coefficients[2], rel=1e-8)


def test_residual_risk_between_areas_makes_large_areas_weigh_less():
    found = interval()
    assert 0 < found.dispersion < 0.1
    assert found.low < 0.4 < found.high


def test_the_limits_follow_the_unit_and_the_order_of_rows_does_not_matter():
    found, metres = interval(), interval(x=1000 * X)
    for name in ("estimate", "low", "high"):
        assert getattr(metres, name) * 1000 == pytest.approx(getattr(found, name), rel=1e-9)
    order = RANDOM.permutation(N)
    moved = interval(X[order], COUNTS[order], order, Z[order], np.log(EXPECTED)[order])
    assert moved.low == pytest.approx(found.low, rel=1e-9)
    basis = build_moran_basis(distance_weights(order, LON[order], LAT[order]), style="given")
    again = interval(X[order], COUNTS[order], PLACES, Z[order], np.log(EXPECTED)[order], basis)
    assert again.high == pytest.approx(found.high, rel=1e-9)


def test_a_higher_level_is_wider():
    assert interval(level=0.99).low < interval(level=0.95).low < interval(level=0.5).low


def test_a_smooth_map_has_few_degrees_of_freedom():
    smooth, rough = interval(x=LON, adjusters=X), interval(x=RANDOM.normal(size=N), adjusters=np.column_stack([X, LON]))
    assert smooth.degrees < rough.degrees


def test_areas_without_rows_are_refused():
    with pytest.raises(ParameterError, match="143 areas have rows"):
        interval(codes=np.minimum(PLACES, N - 2))


@pytest.mark.parametrize("design", [Counts, Persons])
def test_planted_ratios_are_covered(design):
    rows = list(planted_ratios(design, 60, every=6))
    assert len(rows) == 4
    assert all(holds for _, _, holds in rows), rows


@pytest.mark.parametrize("design", [Counts, Persons])
def test_false_discoveries_are_bounded(design):
    rows = list(discoveries(design, 60, every=6))
    assert len(rows) == 5
    assert all(holds for _, _, holds in rows), rows
