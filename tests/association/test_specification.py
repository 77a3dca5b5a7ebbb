from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import epi
from epi.association import e_value, minimum_detectable_ratio, screen_exposures, specification_curve
from epi.errors import EstimationError, ParameterError
from epi.plotting import render

R = json.loads((Path(__file__).parents[1] / "oracle" / "association.json").read_text())
PERSONS = pd.DataFrame(R["persons"])
CASES = PERSONS[PERSONS["case"] == 1].drop(columns="case")
CONTROLS = PERSONS[PERSONS["case"] == 0].drop(columns="case")


def screen(cases=CASES, controls=CONTROLS, **options):
    return screen_exposures(
        cases, controls, **{"exposures": ["pm25", "no2"], "cluster": "area", "scale": "unit", **options}
    )


@pytest.fixture(scope="module")
def screens():
    return {
        "main": screen(),
        "age as a line": screen(age="linear"),
        "crude": screen(adjust=()),
        "few controls": screen(controls=CONTROLS.iloc[::2]),
    }


def test_every_specification_is_there_in_the_order_given(screens):
    curve = specification_curve(screens, "pm25")
    assert curve.table["specification"].tolist() == list(screens)
    assert curve.choices == ("adjust", "age")
    for name, one in screens.items():
        mine, theirs = curve.table.set_index("specification").loc[name], one.of("pm25")
        for column in ("estimate", "ci_low", "ci_high", "p", "n_cases", "n_controls"):
            assert mine[column] == theirs[column]
    told = curve.summary()
    assert told["specifications"] == 4
    assert told["lowest"] <= told["median"] <= told["highest"]
    assert told["highest"] == max(one.of("pm25")["estimate"] for one in screens.values())
    assert "4 specifications" in str(curve)
    assert "Specifications are not independent" in curve._repr_html_()


def test_choices_may_be_named(screens):
    made = {name: {"lag": f"{i} years", "adjustment": name} for i, name in enumerate(screens)}
    curve = specification_curve(screens, "no2", choices=made)
    assert curve.choices == ("lag", "adjustment")
    assert curve.table["lag"].tolist() == ["0 years", "1 years", "2 years", "3 years"]
    with pytest.raises(ParameterError, match="choices lack 'crude'"):
        specification_curve(screens, "no2", choices={key: made[key] for key in made if key != "crude"})
    with pytest.raises(ParameterError, match="choices are names"):
        specification_curve(screens, "no2", choices=["lag"])


def test_a_refused_specification_is_shown_as_such(screens):
    flat = [frame.assign(pm25=3.0) for frame in (CASES, CONTROLS)]
    curve = specification_curve({**screens, "flat": screen(*flat, scale="iqr")}, "pm25")
    assert curve.summary()["refused"] == 1
    assert "interquartile range is zero" in curve.table["reason"].iloc[-1]
    for lang in ("en", "fr"):
        assert render(curve.chart_curve(lang=lang).figure())
        assert render(curve.chart_forest(lang=lang).figure())


def test_a_frame_of_recorded_results_serves_too():
    frame = pd.DataFrame(
        {"specification": ["a", "b"], "lag": [0, 5], "estimate": [1.2, np.nan], "ci_low": [1.1, np.nan],
         "ci_high": [1.3, np.nan]}
    )  # fmt: skip
    curve = specification_curve(frame, "pm25", choices=["lag"], labels={"label_fr": "Particules"})
    assert curve.table["reason"].tolist() == ["", "not estimated"]
    assert curve.release("fr").title == "Estimations par spécification : Particules"
    assert render(curve.chart_curve().figure())
    for wrong, told in (
        (frame.drop(columns="ci_low"), "no column 'ci_low'"),
        (pd.concat([frame, frame]), "there twice"),
    ):
        with pytest.raises(ParameterError, match=told):
            specification_curve(wrong, "pm25", choices=["lag"])
    with pytest.raises(ParameterError, match="there is no result"):
        specification_curve({}, "pm25")
    with pytest.raises(ParameterError, match="'x' are not screens"):
        specification_curve({"x": frame}, "pm25")


def test_measures_and_levels_are_not_mixed(screens):
    with pytest.raises(ParameterError, match="OR at 90% and OR at 95%"):
        specification_curve({**screens, "ninety": screen(level=0.9)}, "pm25")


def test_small_counts_fall_from_table_words_and_picture(screens):
    few = screen(CASES.iloc[:6], CONTROLS, adjust=())
    curve = specification_curve({"main": screens["main"], "six cases": few}, "no2")
    hidden = f"{few.of('no2')['estimate']:.2f}"
    assert hidden in curve.note()
    assert hidden not in curve.release().note
    for thing in (curve, curve.chart_curve(), curve.chart_forest()):
        published = epi.output(thing, "curve")
        table = published.decision.table.set_index("specification")
        assert pd.isna(table.loc["six cases", "estimate"])
        assert pd.notna(table.loc["main", "estimate"])


def test_the_detectable_ratio_of_a_screen_is_that_of_its_errors(screens):
    plain = screen(cluster=None)
    found = minimum_detectable_ratio(plain).table.set_index("exposure")
    for name in ("pm25", "no2"):
        row = plain.of(name)
        error = np.log(row["ci_high"] / row["ci_low"]) / (2 * norm.isf(0.025))
        assert found.loc[name, "ratio_above"] == pytest.approx(np.exp((norm.isf(0.025) + norm.ppf(0.8)) * error))
        assert found.loc[name, "ratio_below"] == pytest.approx(1 / found.loc[name, "ratio_above"])
    clustered = minimum_detectable_ratio(screens["main"], power=0.9).table.set_index("exposure")
    assert (clustered["ratio_above"] > 1).all()
    with pytest.raises(ParameterError, match="beside a screen"):
        minimum_detectable_ratio(plain, design_effect=2)
    with pytest.raises(EstimationError, match="'both' model"):
        minimum_detectable_ratio(plain, model="both")
    with pytest.raises(ParameterError, match="power is"):
        minimum_detectable_ratio(plain, power=0.01)


def test_the_detectable_ratio_before_a_study():
    found = minimum_detectable_ratio(800, 1600, prevalence=[0.1], design_effect=1.5)
    assert found.table["step_fr"].tolist() == ["Continue, par ET", "10 % d'exposés"]
    note = found.release("fr").note
    assert note == "Test de Wald bilatéral à 0,05, puissance 80\u00a0%. Variance multipliée par 1,50."
    published = epi.output(found, "power")
    assert published.decision.table["ratio_above"].notna().all()
    # A column that holds nothing, or says again what the step says, is not published.
    assert not {"prevalence", "reason"} & set(found.release().table)
    areas = minimum_detectable_ratio(500)
    assert "n_controls" not in areas.release().table
    assert "Two-sided Wald test at 0.05, power 80%." in areas._repr_html_()


def test_e_values_of_a_screen(screens):
    table = screens["main"].e_values().set_index(["exposure", "model"])
    row = screens["main"].of("pm25")
    expected = e_value(row["estimate"], row["ci_low"], row["ci_high"], measure="OR")
    assert table.loc[("pm25", "single"), "e_value"] == expected.estimate
    assert table.loc[("pm25", "single"), "e_value_limit"] == expected.limit


def test_ratios_are_for_one_step_though_quartiles_differ_between_presets():
    fewer = CONTROLS[CONTROLS["pm25"] < CONTROLS["pm25"].quantile(0.8)]
    iqr = {"main": screen(scale="iqr"), "fewer controls": screen(controls=fewer, scale="iqr")}
    assert iqr["main"].of("pm25")["unit_size"] != iqr["fewer controls"].of("pm25")["unit_size"]
    one = {"main": screen(), "fewer controls": screen(controls=fewer)}
    step = iqr["main"].of("pm25")["unit_size"]
    found = specification_curve(iqr, "pm25").table[["estimate", "ci_low", "ci_high"]].to_numpy(float)
    wanted = specification_curve(one, "pm25").table[["estimate", "ci_low", "ci_high"]].to_numpy(float) ** step
    assert np.allclose(found, wanted, rtol=1e-9)
