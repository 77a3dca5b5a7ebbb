from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import epi
from epi.association import estimate_dose_response, estimate_sir
from epi.errors import EstimationError, ParameterError
from epi.plotting import render
from epi.stats.splines import HARRELL, place_knots, restricted_spline

R = json.loads((Path(__file__).parents[1] / "oracle" / "dose_response.json").read_text())
PERSONS = pd.DataFrame(R["persons"])
TIGHT = {"rel": 1e-8, "abs": 1e-10}


def persons(frame=PERSONS, **options):
    given = {"adjust": ["age"], "age": "linear", "cluster": "area", **options}
    return estimate_dose_response(frame[frame["case"] == 1], frame[frame["case"] == 0], "nitrate", **given)


def counts(slope=0.05):
    random = np.random.Generator(np.random.PCG64(6))
    codes = [f"{i:03d}" for i in range(200)]
    x, expected = random.gamma(4, 3, 200), random.gamma(3, 20, 200)
    cases = pd.DataFrame({"area": codes, "observed": random.poisson(expected * np.exp(slope * (x - 12)))})
    people = pd.DataFrame({"area": codes, "person_years": expected})
    sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    return sir, pd.DataFrame({"area": codes, "x": x, "region": [code[:2] for code in codes]})


def areas(**options):
    return estimate_dose_response(*counts(), "x", **{"cluster": "region", **options})


def test_knots_and_basis_as_hmisc_in_r():
    knots = place_knots(PERSONS["nitrate"])
    assert knots == pytest.approx(R["knots"], **TIGHT)
    assert restricted_spline(PERSONS["nitrate"][:20], knots) == pytest.approx(np.array(R["basis"]), **TIGHT)


def test_curve_and_robust_limits_as_clubsandwich_in_r():
    rows = persons(at=R["at"]).curve.set_index("value").loc[R["at"]]
    assert np.log(rows["estimate"]).to_numpy() == pytest.approx(R["log_ratio"], **TIGHT)
    assert np.log(rows["ci_low"]).to_numpy() == pytest.approx(R["low"], **TIGHT)
    assert np.log(rows["ci_high"]).to_numpy() == pytest.approx(R["high"], **TIGHT)


@pytest.mark.parametrize(("cluster", "suffix"), [("area", ""), (None, "_model")])
@pytest.mark.parametrize("test", ["overall", "bent"])
def test_tests_of_several_terms_as_in_r(cluster, suffix, test):
    row = persons(cluster=cluster).tests.set_index("test").loc[test]
    expected = R[test + suffix]
    assert row["f"] == pytest.approx(expected["f"], **TIGHT)
    assert row["p"] == pytest.approx(expected["p"], **TIGHT)
    assert row["denominator"] == pytest.approx(expected.get("denominator", np.inf), **TIGHT)


def test_model_limits_without_clusters_as_in_r():
    rows = persons(cluster=None, at=R["at"]).curve.set_index("value").loc[R["at"]]
    half = (np.log(rows["ci_high"]) - np.log(rows["ci_low"])).to_numpy() / 2
    assert half == pytest.approx(1.959963984540054 * np.array(R["se_model"]), **TIGHT)


def test_the_curve_is_one_at_its_reference():
    found = persons(reference=20.0)
    at = found.curve.set_index("value").loc[20.0]
    assert at.tolist() == [1.0, 1.0, 1.0]
    assert "reference 20" in found.note()


def test_classes_are_ratios_to_the_lowest():
    found = persons(classes=4, adjust=[], cluster=None)
    table = found.table
    assert table["class"].tolist() == ["Q1", "Q2", "Q3", "Q4"]
    assert table["n_cases"].sum() == R["persons"]["case"].count(1)
    odds = (table["n_cases"] / table["n_controls"]).astype(float)
    assert table["estimate"].to_numpy() == pytest.approx((odds / odds[0]).to_numpy(), rel=1e-8)
    assert table.loc[0, ["estimate", "ci_low", "ci_high"]].tolist() == [1, 1, 1]
    assert np.isnan(table.loc[0, "low"]) and np.isnan(table.loc[3, "high"]), "extremes are single places"


def test_a_straight_line_is_not_called_bent_and_a_bent_one_is():
    assert areas().p("overall") < 0.001
    assert areas().p("bent") > 0.05
    random = np.random.Generator(np.random.PCG64(5))
    x = random.normal(size=4000)
    case = (random.random(4000) < 1 / (1 + np.exp(1 - 0.4 * x**2))).astype(int)
    frame = pd.DataFrame({"patient_id": [f"p{i}" for i in range(4000)], "nitrate": x, "case": case})
    found = persons(frame, adjust=[], cluster=None)
    assert found.p("bent") < 0.001
    assert found.p("trend") > 0.05, "a trend alone would have missed it"


def test_counts_of_areas_have_rate_ratios():
    found = areas(classes=3)
    assert found.measure == "RR"
    assert found.table["n_controls"].isna().all()
    sir, frame = counts()
    both = sir.table.merge(frame, on="area")
    sums = both.groupby(pd.qcut(both["x"], 3), observed=True)[["observed", "expected"]].sum()
    ratios = sums["observed"] / sums["expected"]
    assert found.table["estimate"].to_numpy() == pytest.approx((ratios / ratios.iloc[0]).to_numpy(), rel=1e-8)
    assert found.table["ci_low"].iloc[-1] > 1
    published = epi.output(found, "classes").decision.table
    assert "n_controls" not in published


def test_the_order_of_rows_does_not_matter():
    again = persons(PERSONS.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(again.curve, persons().curve)
    pd.testing.assert_frame_equal(again.table, persons().table)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_picture_is_released(lang):
    for found in (persons(), areas()):
        chart = found.chart_curve(lang=lang)
        published = epi.output(chart, "curve").decision.table
        assert render(chart.figure(published))
        assert {"curve", "class"} == set(published["kind"])


def test_a_city_with_half_of_the_rows_has_quantiles_of_values():
    city = PERSONS.assign(nitrate=PERSONS["nitrate"].where(PERSONS.index % 2 == 0, 8.0))
    with pytest.raises(EstimationError, match="would not all differ"):
        persons(city, knots=3)
    found = persons(city, knots=3, classes=4, quantiles_of="values")
    values = np.unique(city["nitrate"])
    assert found.settings["knots"] == pytest.approx(np.quantile(values, HARRELL[3]))
    assert found.table["n_cases"].sum() == city["case"].sum()
    assert found.table["high"].iloc[:-1].to_numpy() == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))


def test_small_classes_are_hidden_with_their_ratios():
    few = pd.concat([PERSONS[PERSONS["case"] == 0], PERSONS[PERSONS["case"] == 1].head(45)])
    published = epi.output(persons(few), "few").decision.table
    hidden = published["n_cases"].isna()
    assert hidden.sum() >= 2
    assert published.loc[hidden, ["estimate", "ci_low", "ci_high"]].isna().all().all()


def test_a_curve_of_few_cases_is_hidden_and_no_p_stands_in_words_that_are_published():
    few = pd.concat([PERSONS[PERSONS["case"] == 0], PERSONS[PERSONS["case"] == 1].head(8)])
    found = persons(few, classes=2, knots=3, cluster=None, adjust=[])
    chart = found.chart_curve()
    published = epi.output(chart, "few_curve").decision.table
    assert published[["n_cases", "estimate", "ci_low", "ci_high"]].isna().all().all()
    assert render(chart.figure(published))
    for words in (chart.release().note, chart.alt, found.release("fr").note):
        assert "Association" not in words
    assert "Association: p " in found.note()


@pytest.mark.parametrize("clusters", [2, 3])
def test_too_few_clusters_leave_tests_of_several_terms_unknown(clusters):
    few = PERSONS.assign(area=[f"{place % clusters}" for place in range(len(PERSONS))])
    found = persons(few)
    assert np.isnan(found.p("overall"))
    assert "not known (too few clusters)" in found.note()


def test_what_cannot_be_estimated_is_said():
    with pytest.raises(EstimationError, match="knots would not all differ"):
        persons(PERSONS.assign(nitrate=np.where(PERSONS["nitrate"] > 20, 1.0, 0.0)))
    with pytest.raises(EstimationError, match="9 knots"):
        persons(knots=9)
    with pytest.raises(ParameterError, match="outside the values"):
        persons(reference=-5.0)
    with pytest.raises(ParameterError, match="quantiles_of is 'persons'"):
        persons(quantiles_of="persons")
    with pytest.raises(ParameterError, match="family is 'normal'"):
        areas(family="normal")
    with pytest.raises(ParameterError, match="test is 'shape'"):
        persons().p("shape")
    with pytest.raises(ParameterError, match="adjusters 'height'"):
        persons(adjust=["height"])
    assert sorted(HARRELL) == [3, 4, 5, 6, 7]
