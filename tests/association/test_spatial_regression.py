from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import epi
from epi.association import estimate_sir, fit_spatial_regression
from epi.errors import EstimationError, ParameterError
from epi.stats.spatial import weights_from_pairs

ORACLE = Path(__file__).parents[1] / "oracle"
R = json.loads((ORACLE / "smoothing.json").read_text())
LIP = json.loads((ORACLE / "scotland_lip_cancer.json").read_text())
SAMPLED = json.loads((ORACLE / "bym2_mcmc.json").read_text())["scotland"]
DISTRICTS = LIP["district"]
VALUES = pd.DataFrame(
    {"area": DISTRICTS, "aff": np.array(LIP["aff_percent"]) / 10, "part": ["n" if i < 28 else "s" for i in range(56)]}
)
PAIRS = np.array(LIP["pairs"]) - 1
WEIGHTS = weights_from_pairs(DISTRICTS, np.array(DISTRICTS)[PAIRS[:, 0]], np.array(DISTRICTS)[PAIRS[:, 1]])


def scotland(order=slice(None)):
    areas = np.array(DISTRICTS)[order]
    cases = pd.DataFrame({"district": areas, "observed": np.array(LIP["observed"])[order]})
    people = pd.DataFrame({"district": areas, "person_years": np.array(LIP["expected"])[order]})
    return estimate_sir(cases, people, "district", strata=(), reference=pd.DataFrame({"rate": [1.0]}))


def row(result, model, space):
    table = result.table
    return table[(table["model"] == model) & (table["space"] == space)].iloc[0]


def test_poisson_and_negative_binomial_as_in_r():
    result = fit_spatial_regression(scotland(), VALUES, ["aff"], models=["poisson", "negative-binomial"])
    b, se = R["glms"]["poisson"][1], R["glms"]["poisson"][3]
    found = row(result, "poisson", "none")
    assert [np.log(found[x]) for x in ("rr", "rr_low", "rr_high")] == pytest.approx(
        [b, b - 1.959963984540054 * se, b + 1.959963984540054 * se], rel=1e-8
    )
    b, se = R["glms"]["negbin"]["coef"][1], R["glms"]["negbin"]["se"][1]
    found = row(result, "negative-binomial", "none")
    assert np.log(found["rr"]) == pytest.approx(b, rel=1e-8)
    assert np.log(found["rr_high"]) == pytest.approx(b + 1.959963984540054 * se, rel=1e-8)


def test_the_share_of_outdoor_workers_weakens_once_space_is_taken_into_account():
    result = fit_spatial_regression(scotland(), VALUES, ["aff"], weights=WEIGHTS, region="part")
    assert result.table[["model", "space"]].values.tolist() == [
        ["quasi-poisson", "none"], ["quasi-poisson", "region"], ["negative-binomial", "none"],
        ["negative-binomial", "region"], ["bym2", "neighbours"],
    ]  # fmt: skip
    spatial = row(result, "bym2", "neighbours")
    sd = SAMPLED["b"]["sd"][1] / VALUES["aff"].std(ddof=0)
    for column, name in (("rr_low", "low"), ("rr", "median"), ("rr_high", "high")):
        assert np.log(spatial[column]) == pytest.approx(
            SAMPLED["b"][name][1] / VALUES["aff"].std(ddof=0), abs=0.05 * sd
        )
    assert 1 < spatial["rr_low"] < spatial["rr"] < row(result, "quasi-poisson", "none")["rr"]
    assert (result.table["areas"] == 56).all()
    assert (result.table["cases"] == 536).all()
    shown = epi.output(result, "regression").decision.table
    assert shown["rr"].notna().all()
    assert "bym2" in result._repr_html_()


def test_a_region_without_a_case_is_left_out_of_models_with_regions():
    silent = np.array(LIP["observed"]) == 0
    assert 1 < silent.sum() < 5
    regions = VALUES.assign(part=np.where(silent, "z", VALUES["part"]))
    models = ["poisson", "quasi-poisson", "negative-binomial"]
    found = fit_spatial_regression(scotland(), regions, ["aff"], region="part", models=models)
    without = fit_spatial_regression(scotland(~silent), VALUES[~silent], ["aff"], region="part", models=models)
    for model in models:
        left, right = row(found, model, "region"), row(without, model, "region")
        assert left[["rr", "rr_low", "rr_high", "p", "areas", "cases"]].equals(
            right[["rr", "rr_low", "rr_high", "p", "areas", "cases"]]
        )
        assert row(found, model, "none")["areas"] == 56 == left["areas"] + silent.sum()
    assert f"{silent.sum()} areas in regions without a case are left out" in found.release().note
    assert "without a case" not in without.release().note


def test_the_order_of_rows_does_not_matter():
    order = np.random.default_rng(1).permutation(56)
    first = fit_spatial_regression(scotland(), VALUES, ["aff"], weights=WEIGHTS)
    second = fit_spatial_regression(
        scotland(order), VALUES.iloc[order[::-1]], ["aff"], weights=WEIGHTS.select(np.array(DISTRICTS)[order])
    )
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)


def test_areas_without_values_are_left_out_and_counted():
    holes = VALUES.assign(aff=VALUES["aff"].where(np.arange(56) > 2))
    result = fit_spatial_regression(scotland(), holes, ["aff"], models=["poisson"])
    assert result.settings["left_out"] == 3
    assert (result.table["areas"] == 53).all()
    assert (result.table["cases"] == 536 - 9 - 39 - 11).all()


def test_counts_that_are_not_overdispersed_say_so():
    areas = list("abcdefghij")
    cases = pd.DataFrame({"area": areas, "observed": [5, 6] * 5})
    people = pd.DataFrame({"area": areas, "person_years": [5.5] * 10})
    sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    values = pd.DataFrame({"area": areas, "x": np.arange(10.0)})
    table = fit_spatial_regression(sir, values, ["x"], models=["negative-binomial"]).table
    assert table["status"].tolist() == ["counts not overdispersed"]
    assert table["rr"].isna().all()


def test_bad_questions_are_refused_all_at_once():
    with pytest.raises(ParameterError) as caught:
        fit_spatial_regression(scotland(), VALUES, ["dust"], adjust=["aff", "aff"], models=["car", "bym2"])
    for words in ("model 'car' is unknown", "no column 'dust'", "'aff' is given twice", "bym2 needs spatial weights"):
        assert words in str(caught.value)
    with pytest.raises(ParameterError, match="there is no exposure"):
        fit_spatial_regression(scotland(), VALUES, [])
    with pytest.raises(EstimationError, match="1 areas are given twice"):
        fit_spatial_regression(scotland(), VALUES.iloc[[0, *range(56)]], ["aff"])
    with pytest.raises(EstimationError, match="'part' are not numbers"):
        fit_spatial_regression(scotland(), VALUES, ["part"])
    with pytest.raises(EstimationError, match="2 areas have complete values"):
        fit_spatial_regression(scotland(), VALUES.iloc[:2], ["aff"])


def test_a_step_a_logarithm_and_the_key_of_the_level_mean_what_they_say():
    one = fit_spatial_regression(scotland(), VALUES, ["aff"], models=["poisson"]).table.iloc[0]
    ten = fit_spatial_regression(scotland(), VALUES, ["aff"], models=["poisson"], scale={"aff": 10.0}).table.iloc[0]
    assert ten["rr"] == pytest.approx(one["rr"] ** 10, rel=1e-9) and ten["step"] == 10
    grown = VALUES.assign(size=np.arange(1, 57, dtype=float), log_size=np.log(np.arange(1, 57)))
    word = fit_spatial_regression(scotland(), grown, ["aff"], adjust=["log(size)"], models=["poisson"]).table
    done = fit_spatial_regression(scotland(), grown, ["aff"], adjust=["log_size"], models=["poisson"]).table
    assert word.iloc[0]["rr"] == pytest.approx(done.iloc[0]["rr"], rel=1e-9)
    named = VALUES.rename(columns={"area": scotland().settings["by"]})
    again = fit_spatial_regression(scotland(), named, ["aff"], models=["poisson"]).table.iloc[0]
    assert again["rr"] == one["rr"] and again["areas"] == 56
