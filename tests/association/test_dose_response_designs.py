"""Curves of 3 to 5 knots, classes and trends, of persons and of areas, against glm, Hmisc and clubSandwich in R."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from epi.association import estimate_dose_response, estimate_sir

R = json.loads((Path(__file__).parents[1] / "oracle" / "dose_response_designs.json").read_text())
PERSONS = pd.DataFrame(R["persons"])
AREAS = pd.DataFrame(R["areas"])
TIGHT = {"rel": 1e-8, "abs": 1e-10}
DESIGNS = [("persons", "3"), ("persons", "4"), ("persons", "5"), ("areas", "4")]


def expected_of(design, knots):
    return R["areas_4"] if design == "areas" else R["case_control"][knots]


def found_of(design, knots, **options):
    given = {"knots": int(knots), "classes": 4, "at": expected_of(design, knots)["grid"], **options}
    if design == "persons":
        case = PERSONS["case"] == 1
        given = {"adjust": ["age"], "age": "linear", "cluster": "area", **given}
        return estimate_dose_response(PERSONS[case], PERSONS[~case], "nitrate", **given)
    people = AREAS[["area"]].assign(person_years=AREAS["expected"])
    sir = estimate_sir(AREAS[["area", "observed"]], people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    given = {"adjust": ["log(density)"], "cluster": "dep", "family": "poisson", **given}
    return estimate_dose_response(sir, AREAS[["area", "dep", "nitrate", "density"]], "nitrate", **given)


def limits_of(ratio, error, degrees):
    reach = t.isf(0.025, degrees) * np.array(error)
    return np.log(ratio) - reach, np.log(ratio) + reach


@pytest.mark.parametrize(("design", "knots"), DESIGNS)
@pytest.mark.parametrize("robust", [True, False])
def test_curve_and_limits_as_in_r(design, knots, robust):
    expected = expected_of(design, knots)
    found = found_of(design, knots, **({} if robust else {"cluster": None}))
    assert found.settings["knots"] == pytest.approx(expected["knots"], **TIGHT)
    assert found.settings["reference"] == pytest.approx(expected["reference"], **TIGHT)
    rows = found.curve.set_index("value").loc[expected["grid"]]
    error, degrees = (expected["se"], expected["df"]) if robust else (expected["se_model"], np.inf)
    low, high = limits_of(expected["estimate"], error, degrees)
    assert rows["estimate"].to_numpy() == pytest.approx(np.array(expected["estimate"]), **TIGHT)
    assert np.log(rows["ci_low"]).to_numpy() == pytest.approx(low, **TIGHT)
    assert np.log(rows["ci_high"]).to_numpy() == pytest.approx(high, **TIGHT)


@pytest.mark.parametrize(("design", "knots"), DESIGNS)
@pytest.mark.parametrize(("test", "theirs"), [("overall", "overall"), ("bent", "nonlinear")])
def test_tests_of_several_terms_as_in_r(design, knots, test, theirs):
    expected = expected_of(design, knots)
    row = found_of(design, knots).tests.set_index("test").loc[test]
    statistic, terms, degrees, p = expected[theirs]
    assert row[["f", "numerator", "denominator", "p"]].tolist() == pytest.approx(
        [statistic, terms, degrees, p], **TIGHT
    )
    row = found_of(design, knots, cluster=None).tests.set_index("test").loc[test]
    statistic, terms, p = expected[theirs + "_model"]
    assert row[["f", "numerator", "p"]].tolist() == pytest.approx([statistic / terms, terms, p], **TIGHT)


@pytest.mark.parametrize(("design", "knots"), [("persons", "4"), ("areas", "4")])
def test_classes_and_trend_as_in_r(design, knots):
    expected, found = expected_of(design, knots), found_of(design, knots)
    table = found.table
    assert table["high"].iloc[:-1].to_numpy() == pytest.approx(np.array(expected["breaks"]), **TIGHT)
    assert table["median"].to_numpy() == pytest.approx(np.array(expected["medians"]), **TIGHT)
    assert table["n_cases"].tolist() == expected["counts"]
    low, high = limits_of(expected["classes"], expected["classes_se"], expected["classes_df"])
    assert table["estimate"].to_numpy()[1:] == pytest.approx(np.array(expected["classes"]), **TIGHT)
    assert np.log(table["ci_low"]).to_numpy()[1:] == pytest.approx(low, **TIGHT)
    assert np.log(table["ci_high"]).to_numpy()[1:] == pytest.approx(high, **TIGHT)
    trend = found.tests.set_index("test").loc["trend"]
    square = (expected["trend"] / expected["trend_se"]) ** 2
    assert trend[["f", "numerator", "denominator", "p"]].tolist() == pytest.approx(
        [square, 1, expected["trend_df"], expected["trend_p"]], **TIGHT
    )
