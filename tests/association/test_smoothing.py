from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import epi
from epi.association import check_overdispersion, estimate_sir, smooth_ratios
from epi.association.smoothing import FLAT
from epi.errors import EstimationError, ParameterError
from epi.geography import neighbours
from epi.plotting import render
from epi.stats.spatial import weights_from_pairs
from epi.stats.spatial.bym2 import fit_bym2
from epi.stats.spatial.empirical_bayes import log_normal, poisson_gamma
from epi.stats.spatial.marshall import marshall

ORACLE = Path(__file__).parents[1] / "oracle"
R = json.loads((ORACLE / "smoothing.json").read_text())
SCOTLAND = json.loads((ORACLE / "scotland_lip_cancer.json").read_text())
RATE = pd.DataFrame({"rate": [1.0]})
DEPARTMENTS = ("01", "07", "26", "38", "42", "69", "73", "74")
OBSERVED = (12, 9, 25, 60, 31, 48, 3, 0)
EXPECTED = (14.0, 6.5, 18.2, 41.0, 35.5, 60.3, 7.0, 2.1)


def ratios(areas=DEPARTMENTS, observed=OBSERVED, expected=EXPECTED, by="departement", **options):
    cases = pd.DataFrame({by: list(areas), "observed": list(observed)})
    people = pd.DataFrame({by: list(areas), "person_years": list(expected)})
    return estimate_sir(cases, people, by, strata=(), reference=RATE, **options)


def scotland():
    return ratios(SCOTLAND["district"], SCOTLAND["observed"], SCOTLAND["expected"], "district")


def test_scotland_is_smoothed_as_in_r():
    table = smooth_ratios(scotland(), "poisson-gamma").table.set_index("area").loc[SCOTLAND["district"]]
    assert table["rr"].to_numpy() == pytest.approx(R["likelihood"]["rr"], rel=1e-8)
    assert table["rr_low"].to_numpy() == pytest.approx(R["likelihood"]["low"], rel=1e-8)
    assert table["rr_high"].to_numpy() == pytest.approx(R["likelihood"]["high"], rel=1e-8)
    table = smooth_ratios(scotland(), "clayton-kaldor").table.set_index("area").loc[SCOTLAND["district"]]
    assert table["rr"].to_numpy() == pytest.approx(R["lognormal"]["rr"], rel=1e-8)


@pytest.mark.parametrize(
    ("method", "kernel"), [("poisson-gamma", poisson_gamma), ("clayton-kaldor", log_normal), ("marshall", marshall)]
)
def test_each_method_is_its_kernel_on_the_areas_with_a_ratio(method, kernel):
    sir = ratios(observed=[12, np.nan, *OBSERVED[2:]], expected=EXPECTED)
    smoothed = smooth_ratios(sir, method, threshold=1.1, level=0.9)
    kept = [0, *range(2, 8)]
    fit = kernel(np.array(OBSERVED)[kept], np.array(EXPECTED)[kept])
    table = smoothed.table
    assert table["area"].tolist() == list(DEPARTMENTS)
    assert table.loc[1, ["rr", "rr_low", "rr_high", "exceedance"]].isna().all()
    assert table.loc[1, "status"] == "count withheld"
    assert (table.loc[kept, "rr"].to_numpy() == fit.estimate).all()
    assert table.loc[kept, "rr_low"].to_numpy() == pytest.approx(fit.quantile(0.05), rel=1e-12)
    assert (table.loc[kept, "exceedance"].to_numpy() == fit.exceedance(1.1)).all()
    assert "1 areas: count withheld" in str(smoothed)
    assert "rr_low" in smoothed._repr_html_()


def test_another_threshold_changes_the_exceedance_alone():
    smoothed = smooth_ratios(ratios())
    other = smoothed.with_threshold(1.5)
    assert (other.table["exceedance"] < smoothed.table["exceedance"]).all()
    assert other.table.drop(columns="exceedance").equals(smoothed.table.drop(columns="exceedance"))
    assert other.settings["threshold"] == 1.5
    assert smoothed.settings["threshold"] == 1.0


def test_ratios_that_vary_by_chance_alone_have_no_limits_and_say_so():
    table = smooth_ratios(ratios(observed=[14, 6, 18, 41, 36, 60, 7, 2])).table
    assert table["rr"].nunique() == 1
    assert table[["rr_low", "rr_high", "exceedance"]].isna().all(axis=None)
    assert set(table["status"]) == {FLAT}


def test_small_counts_take_their_smoothed_ratio_with_them_through_the_gate():
    smoothed = smooth_ratios(ratios())
    for name, given in (("table", smoothed), ("map", smoothed.chart_map()), ("plot", smoothed.chart_shrinkage())):
        shown = epi.output(given, name).decision.table.set_index("area")
        assert shown.loc["73", ["observed", "sir", "rr", "rr_low", "rr_high", "exceedance"]].isna().all()
        fallen = shown["observed"].isna()
        assert shown.loc[fallen, "rr"].isna().all()
        assert shown.loc[~fallen, "rr"].notna().all()


@pytest.mark.parametrize("method", ["poisson-gamma", "clayton-kaldor", "marshall", "bym2"])
def test_hidden_counts_are_not_given_back_by_what_all_areas_share(method):
    """Whoever knows every count but three tries all values of one of them: nothing that leaves differs."""
    weights = neighbours("departement") if method == "bym2" else None
    tables, printed = set(), set()
    for count in range(1, 11):
        sir = ratios(observed=[12, 4, 25, 60, 31, 48, count, 11 - count])
        smoothed = smooth_ratios(sir, method, weights=weights)
        tables.add(smoothed.table.loc[[0, 2, 3, 4, 5], ["rr", "rr_low", "rr_high"]].round(4).to_csv())
        for name, given in (
            ("table", smoothed),
            ("map", smoothed.chart_map()),
            ("exceedance", smoothed.chart_exceedance_map(1.3)),
            ("shrinkage", smoothed.chart_shrinkage()),
            ("tests", check_overdispersion(sir, draws=99)),
        ):
            columns = slice(0, 4) if name == "tests" else slice(None)
            printed.add(f"{name}: " + epi.output(given, f"{name}").decision.table.iloc[:, columns].to_csv())
    assert len(tables) == 10, "the figures before the gate tell which count it is"
    assert len(printed) == 5, "those that leave do not"
    assert "of fewer than 10 areas" in smoothed.release().note
    shown = epi.output(smoothed, "table").decision.table
    assert shown["rr"].notna().tolist() == [True, False, True, True, True, True, False, False]


def test_published_figures_have_two_decimals_and_no_sure_probability():
    table = smooth_ratios(ratios()).release().table
    for column in ("rr", "rr_low", "rr_high", "exceedance"):
        assert (table[column] == table[column].round(2)).all()
    assert table["exceedance"].between(0.01, 0.99).all()
    assert (smooth_ratios(ratios()).table["exceedance"] > 0.99).any()


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_charts_are_drawn_from_the_table_they_are_given(lang):
    smoothed = smooth_ratios(ratios())
    for chart in (
        smoothed.chart_map(lang=lang),
        smoothed.chart_exceedance_map(1.2, lang=lang),
        smoothed.chart_shrinkage(lang=lang),
    ):
        hidden = chart.data.table.copy()
        hidden.loc[hidden["observed"] < 20, ["observed", "sir", "rr", "rr_low", "rr_high", "exceedance"]] = np.nan
        assert render(chart.figure(hidden)) != render(chart.figure())
        assert render(chart.figure(hidden.assign(rr=np.nan, sir=np.nan, exceedance=np.nan)))[:4] == b"\x89PNG"
        assert chart.alt
    assert ("1,2" in smoothed.chart_exceedance_map(1.2, lang="fr").data.title) is True


def test_the_order_of_rows_does_not_matter():
    order = [5, 2, 7, 0, 1, 6, 4, 3]
    shuffled = ratios(*[[column[i] for i in order] for column in (DEPARTMENTS, OBSERVED, EXPECTED)])
    for method in ("poisson-gamma", "clayton-kaldor", "marshall"):
        pd.testing.assert_frame_equal(
            smooth_ratios(shuffled, method).table, smooth_ratios(ratios(), method).table, check_exact=True
        )
    first, second = (check_overdispersion(sir, draws=999).table for sir in (ratios(), shuffled))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_overdispersion_of_scotland_as_in_r():
    check = check_overdispersion(scotland(), draws=999)
    table = check.table.set_index("test")
    expected = R["dispersion"]["scotland"]
    assert table.loc["Pearson", "statistic"] == pytest.approx(expected["pearson"][0], rel=1e-8)
    assert table.loc["Potthoff-Whittinghill", ["statistic", "null_mean", "null_sd"]].tolist() == pytest.approx(
        [expected["potthoff"][i] for i in (0, 2, 3)], rel=1e-8
    )
    assert table.loc["Dean", "statistic"] == pytest.approx(expected["dean"][0], rel=1e-8)
    assert (table["p_simulated"] == 0.001).all()
    assert check.settings["areas"] == 56
    shown = epi.output(check, "overdispersion").decision.table
    assert shown.set_index("test").loc["Potthoff-Whittinghill", "statistic"] == 500_000
    assert "Pearson" in check._repr_html_()


def test_bad_questions_are_refused():
    with pytest.raises(ParameterError, match="method is 'kriging'"):
        smooth_ratios(ratios(), "kriging")
    with pytest.raises(ParameterError, match="level is 95"):
        smooth_ratios(ratios(), level=95)
    with pytest.raises(ParameterError, match="threshold is -1"):
        smooth_ratios(ratios(), threshold=-1)
    with pytest.raises(EstimationError, match="1 area has an incidence ratio"):
        smooth_ratios(ratios(("01",), (3,), (2.0,)))
    districts = smooth_ratios(scotland())
    with pytest.raises(ParameterError, match="no level of territory"):
        districts.chart_map()
    for draw in (smooth_ratios(ratios()).chart_map, smooth_ratios(ratios()).chart_shrinkage):
        with pytest.raises(ParameterError, match="lang is 'de'"):
            draw(lang="de")


def departments():
    return weights_from_pairs(
        DEPARTMENTS,
        ["01", "01", "01", "01", "07", "07", "26", "38", "38", "38", "42", "73"],
        ["38", "69", "73", "74", "26", "42", "38", "69", "73", "42", "69", "74"],
    )


def test_bym2_smooths_the_areas_with_a_ratio_whatever_their_order():
    sir = ratios(observed=[12, np.nan, *OBSERVED[2:]])
    smoothed = smooth_ratios(sir, "bym2", weights=departments())
    kept = [0, *range(2, 8)]
    fit = fit_bym2(
        np.array(OBSERVED)[kept], np.array(EXPECTED)[kept], departments().select(np.array(DEPARTMENTS)[kept])
    )
    assert smoothed.table.loc[kept, "rr"].to_numpy() == pytest.approx(fit.estimate, rel=1e-12)
    assert smoothed.table.loc[1, "status"] == "count withheld"
    assert smoothed.parameters["sigma"] == fit.sigma.median
    order = [5, 2, 7, 0, 1, 6, 4, 3]
    shuffled = ratios(*[[column[i] for i in order] for column in (DEPARTMENTS, OBSERVED, EXPECTED)])
    pd.testing.assert_frame_equal(
        smooth_ratios(shuffled, "bym2", weights=departments().select([DEPARTMENTS[i] for i in order])).table,
        smooth_ratios(ratios(), "bym2", weights=departments()).table,
        check_exact=True,
    )
    shown = epi.output(smooth_ratios(ratios(), "bym2", weights=departments()), "bym2").decision.table.set_index("area")
    assert shown.loc["73", ["observed", "rr", "exceedance"]].isna().all()


def test_weights_go_with_bym2_and_with_it_alone():
    with pytest.raises(ParameterError, match="needs spatial weights"):
        smooth_ratios(ratios(), "bym2")
    with pytest.raises(ParameterError, match="takes no spatial weights"):
        smooth_ratios(ratios(), "marshall", weights=departments())
    with pytest.raises(ParameterError, match="1 of 8 areas have no spatial weights"):
        smooth_ratios(ratios(), "bym2", weights=departments().select(DEPARTMENTS[1:]))
