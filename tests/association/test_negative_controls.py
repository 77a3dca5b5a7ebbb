from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import epi
from epi.association import check_negative_controls, estimate_sir, screen_exposures
from epi.errors import EstimationError, ParameterError
from epi.plotting import render

N = 4000
NAMES = ["a", "b", "c"]


def screen(seed, names=NAMES, bias=0.0, effect=0.0, first="p"):
    """Persons whose referral makes every exposure look associated, and one that is."""
    random = np.random.Generator(np.random.PCG64(seed))
    frame = pd.DataFrame({"patient_id": [f"{first}{i:05d}" for i in range(N)]})
    for name in names:
        frame[name] = random.normal(size=N)
    linear = -0.5 + bias * frame[list(names)].sum(axis=1) + effect * frame[names[0]]
    case = random.random(N) < 1 / (1 + np.exp(-linear))
    return screen_exposures(
        frame[case], frame[~case], exposures=names, adjust=(), cluster=None, scale="unit", joint=False
    )


def found(bias=0.2, effect=0.5):
    return check_negative_controls(
        screen(1, bias=bias, effect=effect), outcome=screen(2, bias=bias, first="q"),
        exposures=screen(3, ["d", "e"], bias=bias, first="r"),
    )  # fmt: skip


def test_bias_that_controls_show_is_taken_out():
    checked = found()
    rows = checked.table[checked.table["role"] == "studied"].set_index("exposure")
    assert len(checked.controls) == 5
    assert checked.smallest_p < 0.001
    assert checked.null.mean == pytest.approx(0.2, abs=0.05)
    assert rows.loc["b", "p"] < 0.001, "by its own p-value it is associated"
    assert rows.loc["b", "calibrated_p"] > 0.05
    assert rows.loc["a", "calibrated_low"] > 1
    assert rows.loc["a", "calibrated_low"] < np.exp(0.5) < rows.loc["a", "calibrated_high"]
    assert checked.controls["calibrated"].isna().all()


def test_without_bias_the_calibrated_limits_are_a_little_wider():
    checked = found(bias=0.0)
    assert checked.smallest_p > 0.05
    row = checked.table[checked.table["role"] == "studied"].iloc[0]
    assert row["calibrated_high"] / row["calibrated_low"] > row["ci_high"] / row["ci_low"]


def test_few_controls_are_shown_and_nothing_is_calibrated():
    checked = check_negative_controls(screen(1), exposures=screen(3, ["d"], first="r"))
    assert checked.null is None
    assert "Fewer than 4" in checked.note()
    published = epi.output(checked, "few").decision.table
    assert "calibrated" not in published


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_table_and_picture_are_released(lang):
    checked = found()
    published = epi.output(checked.release(lang), "table").decision.table
    assert len(published) == 8
    chart = checked.chart_controls(lang=lang)
    assert render(chart.figure(epi.output(chart, "chart").decision.table))


def test_what_is_no_control_is_refused():
    with pytest.raises(ParameterError, match="no negative control"):
        check_negative_controls(screen(1))
    with pytest.raises(ParameterError, match="a, b, c cannot be both"):
        check_negative_controls(screen(1), exposures=screen(2))
    constant = screen(1)
    empty = screen(2)
    object.__setattr__(empty, "table", empty.table.assign(reason="refused"))
    with pytest.raises(EstimationError, match="no negative control could be estimated"):
        check_negative_controls(constant, outcome=empty)
    counts = pd.DataFrame({"area": list("uvwxyz"), "observed": [5, 7, 9, 4, 6, 8]})
    people = pd.DataFrame({"area": list("uvwxyz"), "person_years": [5.0, 6, 8, 5, 6, 9]})
    sir = estimate_sir(counts, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    areas = pd.DataFrame({"area": list("uvwxyz"), "d": [1.0, 2, 3, 1, 2, 2.5]})
    with pytest.raises(ParameterError, match="controls are RR, the screen is OR"):
        check_negative_controls(constant, exposures=screen_exposures(sir, areas, exposures=["d"], cluster=None))
