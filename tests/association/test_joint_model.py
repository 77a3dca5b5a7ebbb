from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import epi
from epi.association import estimate_sir, fit_joint_model, screen_exposures
from epi.errors import EstimationError, ParameterError
from epi.plotting import render

NAMES = ["nitrate", "pesticide", "noise"]


def people(n=900, seed=8):
    """Nitrate raises the odds, pesticide goes with nitrate, noise is noise."""
    random = np.random.Generator(np.random.PCG64(seed))
    area = random.integers(0, 40, n)
    places = random.normal(size=(40, 3))
    places[:, 1] = 0.7 * places[:, 0] + 0.7 * places[:, 1]
    frame = pd.DataFrame(places[area] + 0.6 * random.normal(size=(n, 3)), columns=NAMES)
    frame["patient_id"] = [f"p{i:04d}" for i in range(n)]
    frame["area"] = [f"{i:03d}" for i in area]
    frame["age_at_index"] = random.uniform(20, 90, n)
    frame["case"] = random.random(n) < 1 / (1 + np.exp(0.7 - 0.6 * frame["nitrate"]))
    return frame


PEOPLE = people()


def joint(frame=PEOPLE, **options):
    given = {"exposures": NAMES, "adjust": ["age"], "cluster": "area", "halves": 20, "folds": 5, **options}
    return fit_joint_model(frame[frame["case"]], frame[~frame["case"]], **given)


def counts():
    random = np.random.Generator(np.random.PCG64(6))
    codes = [f"{i:03d}" for i in range(150)]
    x, expected = random.normal(size=(150, 3)), random.gamma(3, 10, 150)
    cases = pd.DataFrame({"area": codes, "observed": random.poisson(expected * np.exp(0.3 * x[:, 0]))})
    people_of = pd.DataFrame({"area": codes, "person_years": expected})
    sir = estimate_sir(cases, people_of, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    return sir, pd.DataFrame(x, columns=NAMES).assign(area=codes, region=[code[:2] for code in codes])


def areas(**options):
    given = {"exposures": NAMES, "cluster": "region", "halves": 20, "folds": 5, **options}
    return fit_joint_model(*counts(), **given)


@pytest.fixture(scope="module")
def found():
    return joint()


def test_the_regression_is_the_joint_model_of_the_screen(found):
    screen = screen_exposures(
        PEOPLE[PEOPLE["case"]], PEOPLE[~PEOPLE["case"]], exposures=NAMES, adjust=["age"], cluster="area"
    )
    for name in NAMES:
        row, expected = found.of(name), screen.of(name, "joint")
        for column in ("estimate", "ci_low", "ci_high", "df", "n", "n_cases", "n_controls", "unit_size"):
            assert row[column] == pytest.approx(expected[column], rel=1e-12)


def test_the_cause_is_kept_and_what_goes_with_it_shrinks(found):
    cause, companion = found.of("nitrate"), found.of("pesticide")
    assert cause["inclusion"] > 0.99 and cause["stability"] == 1
    assert companion["inclusion"] < 0.5
    assert 1 < cause["shrunk"] < cause["estimate"]
    assert abs(np.log(companion["averaged"])) < abs(np.log(companion["estimate"]))
    assert found.models["exposures"].iloc[0] == "nitrate"
    assert found.models["bic"].iloc[0] == 0 and found.models["bic"].is_monotonic_increasing


def test_variance_inflation_is_that_of_the_regression_of_each_exposure_on_the_others():
    got = joint(adjust=[])
    for name in NAMES:
        others = np.column_stack([np.ones(len(PEOPLE)), PEOPLE[[one for one in NAMES if one != name]]])
        y = PEOPLE[name].to_numpy()
        rest = y - others @ np.linalg.lstsq(others, y, rcond=None)[0]
        assert got.of(name)["vif"] == pytest.approx(y.var() / rest.var(), rel=1e-9)
    singular = np.sqrt(np.linalg.eigvalsh(np.corrcoef(PEOPLE[NAMES], rowvar=False)))
    assert got.settings["condition"] == pytest.approx(singular[-1] / singular[0], rel=1e-9)


def test_counts_of_areas_have_rate_ratios_and_a_dispersion():
    got = areas()
    assert got.measure == "RR" and got.settings["dispersed"] and got.settings["dispersion"] >= 1
    assert got.of("nitrate")["inclusion"] > 0.99
    assert got.of("nitrate")["averaged"] > 1.2
    assert got.table["n_controls"].isna().all()
    assert not areas(family="poisson").settings["dispersed"]


def test_ridge_keeps_all_and_says_nothing_of_selection():
    got = joint(mix=0.0)
    assert got.table["stability"].isna().all()
    assert (np.log(got.table["shrunk"]) != 0).all()
    assert "ridge" in got.note() and "ridge" in got.note("fr")


def test_no_column_is_a_test_and_no_ratio_stands_in_the_words(found):
    assert not {"p", "q", "p_value"} & set(found.table)
    assert "None of these is a test" in found.note()


def test_order_of_rows_changes_nothing_and_the_seed_alone_draws(found):
    again = joint(PEOPLE.sample(frac=1, random_state=4))
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=False, rtol=1e-7)
    assert again.settings["penalty"] == pytest.approx(found.settings["penalty"], rel=1e-9)
    assert joint(seed=5).of("noise")["inclusion"] == pytest.approx(found.of("noise")["inclusion"], rel=1e-12)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_table_and_picture_pass_the_gate(found, lang):
    for one in (found, areas()):
        assert len(epi.output(one.release(lang), "joint").decision.table) == 3
        chart = one.chart(lang=lang)
        published = epi.output(chart, "joint_chart").decision.table
        assert render(chart.figure(published))


def test_with_few_cases_everything_estimated_is_hidden():
    few = pd.concat([PEOPLE[PEOPLE["case"]].head(6), PEOPLE[~PEOPLE["case"]]])
    got = joint(few, adjust=[], folds=2, cluster=None)
    published = epi.output(got, "few").decision.table
    hidden = ["n_cases", "estimate", "ci_low", "shrunk", "stability", "inclusion", "averaged"]
    assert published[hidden].isna().all().all()
    chart = got.chart()
    assert render(chart.figure(epi.output(chart, "few_chart").decision.table))


def test_what_cannot_be_fitted_is_said():
    with pytest.raises(ParameterError, match=r"1 exposure\(s\)"):
        joint(exposures=["noise"])
    with pytest.raises(EstimationError, match="joint model cannot be fitted"):
        joint(PEOPLE.assign(noise=3.0))
    with pytest.raises(EstimationError, match="joint model cannot be fitted"):
        joint(PEOPLE.assign(noise=2 * PEOPLE["nitrate"]))
    with pytest.raises(EstimationError, match="40 clusters cannot make 41 parts"):
        joint(folds=41)
    with pytest.raises(ParameterError, match="family is 'negative-binomial'"):
        areas(family="negative-binomial")
    with pytest.raises(ParameterError, match="mix is 2"):
        joint(mix=2)
    with pytest.raises(ParameterError, match="adjust is 'age'"):
        joint(adjust="age")
    with pytest.raises(ParameterError, match="'lead' is not in the model"):
        joint().of("lead")
