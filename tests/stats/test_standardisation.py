from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import open_data
from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import rate_interval, wald_interval
from epi.stats.standardisation import STANDARDS, direct_rate, direct_ratio, indirect_ratio, standard_population

EPI = json.loads((Path(__file__).parents[1] / "oracle" / "standardisation.json").read_text())
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


def test_gamma_limits_on_the_published_example():
    # Down's syndrome in Michigan (Fay and Feuer 1997, table II), as the vignette of the R package dsrTest prints it.
    found = direct_rate(EPI["cases"], EPI["births"], EPI["standard"])
    assert [round(value, 5) for value in (found.estimate, found.low, found.high)] == [75.52901, 67.70212, 188.30017]


@pytest.mark.parametrize(("at", "level"), [(0, 0.90), (1, 0.95), (2, 0.99)])
def test_limits_of_fay_and_feuer_and_of_tiwari_as_in_r(at, level):
    rate, low, high, shorter = EPI["downs"][at]
    data = EPI["cases"], EPI["births"], EPI["standard"]
    wide = direct_rate(*data, per=1, level=level)
    short = direct_rate(*data, per=1, level=level, limits="tiwari")
    assert [wide.estimate, wide.low, wide.high] == pytest.approx([rate, low, high], rel=1e-8)
    assert [short.estimate, short.low, short.high] == pytest.approx([rate, low, shorter], rel=1e-8)
    assert (wide.method, short.method) == ("gamma (Fay and Feuer)", "gamma (Tiwari and others)")


def test_one_stratum_has_exact_limits_whichever_are_asked():
    exact = rate_interval(7, 1_000)
    for limits in ("fay-feuer", "tiwari"):
        found = direct_rate([7], [1_000], [3], limits=limits)
        assert [found.low, found.high] == pytest.approx([exact.low, exact.high], rel=1e-10)
    with pytest.raises(ParameterError, match="fay-feuer"):
        direct_rate([7], [1_000], [3], limits="exact")


def test_a_comparative_figure_as_epi_has_it():
    data = EPI["dth60"], EPI["pop60"], EPI["dth40"], EPI["pop40"], EPI["pop60"]
    found = direct_ratio(*data)
    assert [found.estimate, found.low, found.high] == pytest.approx(EPI["ratio"], rel=1e-8)
    other = direct_ratio(*data[2:4], *data[:2], data[4])
    assert [1 / other.estimate, 1 / other.high, 1 / other.low] == pytest.approx(EPI["ratio"], rel=1e-8)


def test_a_comparative_figure_without_events_has_no_limits():
    none, some, people = [0, 0], [3, 4], [100, 200]
    found = direct_ratio(none, people, some, people, [1, 1])
    assert found.estimate == 0
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(direct_ratio(some, people, none, people, [1, 1]).estimate)
    with pytest.raises(EstimationError):
        direct_ratio(some, people, [3], [100], [1, 1])
    with pytest.raises(EstimationError, match="nobody at risk"):
        direct_ratio(some, people, some, [100, 0], [1, 1])


def test_ratios_and_rates_as_epi_models_them():
    # Wald limits of the models, on the scale of their logarithm; ours are exact: the estimates agree, and so do the
    # limits made from the same errors.
    ratio, expected = indirect_ratio(EPI["deaths"], EPI["people"], EPI["rates"])
    deaths = sum(EPI["deaths"])
    assert expected == pytest.approx(EPI["expected"], rel=1e-8)
    modelled = wald_interval(np.log(deaths / expected), deaths**-0.5, log=True)
    assert [ratio.estimate, modelled.low, modelled.high] == pytest.approx(EPI["smr"], rel=1e-8)
    crude = rate_interval(deaths, sum(EPI["people"]), per=1)
    modelled = wald_interval(np.log(crude.estimate), deaths**-0.5, log=True)
    assert [crude.estimate, modelled.low, modelled.high] == pytest.approx(EPI["crude"], rel=1e-8)


def test_limits_cover_where_strata_are_few_and_small():
    # In 3,000 draws a share of 0.95 has a standard error of 0.4 %: Fay and Feuer at least it, the others near it.
    rng = np.random.default_rng(1)
    people, weights = np.array([8_000.0, 5_000, 900]), np.array([0.5, 0.3, 0.2])
    true = np.array([5e-4, 2e-3, 1e-2])
    draws, others = rng.poisson(true * people, (3_000, 3)), rng.poisson(true * people * 3, (3_000, 3))
    rate = (weights * true).sum()

    def share(found, value):
        return np.mean([one.low <= value <= one.high for one in found])

    assert share([direct_rate(x, people, weights, per=1) for x in draws], rate) >= 0.945
    assert 0.94 <= share([direct_rate(x, people, weights, per=1, limits="tiwari") for x in draws], rate) <= 0.98
    figures = [direct_ratio(x, people, y, people * 3, weights) for x, y in zip(draws, others, strict=True)]
    assert 0.94 <= share(figures, 1.0) <= 0.975


def test_the_french_standard_is_the_estimate_of_insee():
    counts = STANDARDS["france_2019"]
    assert sum(counts.values()) == 66_977_703
    if (folder := open_data()) is None:
        return
    table = pd.read_csv(folder / "population_france_age_sex_1991_2022.csv.gz").query("year == 2019")
    summed = table.groupby((table["age"] // 5 * 5).clip(upper=95))["population"].sum()
    assert summed.to_dict() == counts
