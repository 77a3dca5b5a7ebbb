"""Figures that were published, printed as they were."""

from __future__ import annotations

import pytest

from epi.stats.intervals import ratio_interval
from epi.stats.notation import format_percent, format_ratio


def test_sir_of_the_rhone_alpes_cluster():
    """Boumédiene, Eur J Epidemiol 2022;37:1181."""
    found = ratio_interval(100, 54.07)
    assert format_ratio(found.estimate, found.low, found.high) == "1.85 (1.50-2.25)"


@pytest.mark.parametrize(
    ("count", "of", "printed"),
    [(6_022, 26_767, "22.5 % (22.0-23.0)"), (370_000, 500_000, "74.0 %"), (5_429, 6_387, "85.0 %")],
)
def test_shares(count, of, printed):
    assert format_percent(count, of).startswith(printed)
