from __future__ import annotations

import json
from pathlib import Path

import pytest

from epi.stats.standardisation import STANDARDS, direct_rate, indirect_ratio, standard_population

R = json.loads((Path(__file__).parents[1] / "oracle" / "smoothing.json").read_text())["standardisation"]


@pytest.mark.parametrize(("counts", "share", "name"), [("dth40", 1, "direct"), ("few", 100, "sparse")])
def test_direct_rates_and_gamma_limits_as_epitools(counts, share, name):
    people = [n / share for n in R["pop40"]]
    found = direct_rate(R[counts], people, R["pop60"], per=1)
    assert [found.estimate, found.low, found.high] == pytest.approx(R[name][1:], rel=1e-8)


def test_the_indirect_ratio_as_epitools():
    rates = [d / n for d, n in zip(R["dth60"], R["pop60"], strict=True)]
    ratio, expected = indirect_ratio(R["dth40"], R["pop40"], rates)
    observed, theirs, sir = R["indirect"]["sir"][:3]
    assert sum(R["dth40"]) == observed
    assert expected == pytest.approx(theirs, rel=1e-8)
    assert ratio.estimate == pytest.approx(sir, rel=1e-8)


def test_the_world_standard_is_the_published_one():
    # Ahmad and others 2001, table 4: 8.86 % under five, 26.15 % under fifteen; shares sum to 100.035 %.
    world = STANDARDS["who_world"]
    assert sum(world.values()) == 100_035
    assert sum(count for age, count in world.items() if age < 15) == 26_150
    assert standard_population("who_world")["weight"].sum() == pytest.approx(1)
