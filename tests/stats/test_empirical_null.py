from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from epi.errors import EstimationError
from epi.stats.empirical_null import LARGEST_SPREAD, fit_empirical_null


def test_against_the_double_integral():
    x, se = np.array([0.1, 0.3, -0.05, 0.2, 0.15]), np.array([0.1, 0.12, 0.08, 0.2, 0.1])

    def joint(mean, spread):
        return float(np.prod(stats.norm.pdf(x, mean, np.hypot(se, spread))))

    whole = integrate.dblquad(joint, 0, LARGEST_SPREAD, -3, 3)[0]
    mean = integrate.dblquad(lambda m, s: m * joint(m, s), 0, LARGEST_SPREAD, -3, 3)[0] / whole
    below = integrate.dblquad(
        lambda m, s: joint(m, s) * stats.norm.cdf((0.5 - m) / np.hypot(0.1, s)), 0, LARGEST_SPREAD, -3, 3
    )[0] / whole  # fmt: skip
    null = fit_empirical_null(x, se)
    assert null.mean == pytest.approx(mean, rel=1e-3)
    assert null.p(0.5, 0.1) == pytest.approx(2 * (1 - below), rel=2e-3)


def test_calibrated_limits_cover_where_plain_ones_do_not():
    random = np.random.Generator(np.random.PCG64(12))
    replicates, controls, covered, plain = 1500, 7, 0, 0
    for _ in range(replicates):
        se = random.uniform(0.04, 0.12, controls + 1)
        error = 0.15 + 0.1 * random.normal(size=controls + 1)
        found = error + se * random.normal(size=controls + 1)
        found[-1] += 0.3
        null = fit_empirical_null(found[:-1], se[:-1])
        _, low, high = null.interval(found[-1], se[-1])
        covered += low <= 0.3 <= high
        plain += abs(found[-1] - 0.3) <= 1.96 * se[-1]
    assert plain / replicates < 0.6
    assert 0.94 < covered / replicates < 0.99, "few controls make limits wide, not short"


def test_p_agrees_with_the_limits_and_shrinks_with_evidence():
    null = fit_empirical_null([0.05, -0.02, 0.1, 0.0, 0.03], [0.05] * 5)
    _, low, _ = null.interval(0.35, 0.05)
    assert (low > 0) == (null.p(0.35, 0.05) < 0.05)
    edge = null.interval(0.35, 0.05, level=1 - null.p(0.35, 0.05))[1]
    assert edge == pytest.approx(0, abs=1e-6)
    assert null.p(0.6, 0.05) < null.p(0.4, 0.05)


def test_few_or_missing_controls_are_refused():
    with pytest.raises(EstimationError, match=r"3 negative control"):
        fit_empirical_null([0.1, 0.2, 0.3], [0.1, 0.1, 0.1])
    with pytest.raises(EstimationError, match="no estimate"):
        fit_empirical_null([0.1, np.nan, 0.3, 0.2], [0.1] * 4)
