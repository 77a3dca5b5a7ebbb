from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import epi
from epi.association import estimate_sir, screen_exposures
from epi.errors import ParameterError
from epi.plotting import render
from epi.stats.spatial import build_moran_basis, distance_weights

SIDE = 9
CODES = [f"{i:03d}" for i in range(SIDE * SIDE)]
LON, LAT = (side.ravel() / 5.0 for side in np.meshgrid(np.arange(SIDE), 230 + np.arange(SIDE)))
WEIGHTS = distance_weights(CODES, LON, LAT)
ROOT = np.linalg.cholesky(np.exp(-3 * (1.001 - WEIGHTS.matrix.toarray()) + 3 * 1.001 * np.eye(len(CODES))) +
                          1e-9 * np.eye(len(CODES)))  # fmt: skip


def maps(seed, k):
    return np.random.Generator(np.random.PCG64(seed)).normal(size=(k, len(CODES))) @ ROOT.T


def areas(seed=1, beta=0.5):
    random = np.random.Generator(np.random.PCG64(seed))
    x = maps(seed, 3)
    expected = random.gamma(3, 8, len(CODES))
    observed = random.poisson(expected * np.exp(beta * x[0] + 0.15 * maps(seed + 100, 1)[0]))
    cases = pd.DataFrame({"area": CODES, "observed": observed})
    people = pd.DataFrame({"area": CODES, "person_years": expected})
    sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    frame = pd.DataFrame({"area": CODES, "cause": x[0], "null": x[1], "other": x[2], "z": random.normal(size=81)})
    return sir, frame


def persons(seed=2, beta=0.5, n=3000):
    random = np.random.Generator(np.random.PCG64(seed))
    x = maps(seed, 2)
    place = random.choice(len(CODES), n, p=random.dirichlet(np.full(len(CODES), 2.0)))
    frame = pd.DataFrame({
        "patient_id": [f"p{i:05d}" for i in range(n)], "area": np.array(CODES)[place], "cause": x[0][place],
        "null": x[1][place] + 0.1 * random.normal(size=n), "age_at_index": random.uniform(20, 90, n),
        "sex": random.choice(["F", "M"], n),
    })  # fmt: skip
    noise = 0.2 * maps(seed + 50, 1)[0][place]
    case = random.random(n) < 1 / (1 + np.exp(0.8 - beta * frame["cause"] - 0.01 * frame["age_at_index"] + 0.6 - noise))
    return frame[case], frame[~case]


def counts(**options):
    sir, frame = areas()
    given = {"exposures": ["cause", "null", "other"], "cluster": None, "spatial": WEIGHTS, **options}
    return screen_exposures(sir, frame, **given)


@pytest.fixture(scope="module")
def both():
    cases, controls = persons()
    people = screen_exposures(cases, controls, exposures=["cause", "null"], cluster="area", spatial=WEIGHTS)
    return {"areas": counts(adjust={"none": [], "z": ["z"]}), "case-control": people}


@pytest.mark.parametrize("design", ["areas", "case-control"])
def test_what_was_planted_is_found_and_the_rest_is_not(both, design):
    screen = both[design]
    assert screen.of("cause")["p_spatial"] <= 0.01
    assert screen.of("cause")["q_spatial"] <= 0.05
    assert screen.of("cause")["p_family"] <= 0.05
    assert screen.of("null")["q_spatial"] > 0.05
    assert screen.of("cause", "joint")["p_spatial"] <= 0.01
    assert (screen.table["areas"] == 81).all()
    assert (screen.table["p_family"] >= screen.table["p_spatial"] - 1e-12).all()
    assert screen.strongest()["settings"]["exposure"] == "cause"
    assert screen.estimates()[0].settings["p_spatial"] == screen.of("cause")["p_spatial"]
    assert "Moran spectral randomisation" in screen.note()
    cause, null = screen.of("cause"), screen.of("null")
    assert cause["ci_low_spatial"] > 1
    assert cause["ci_low_spatial"] < np.exp(0.5 * cause["unit_size"]) < cause["ci_high_spatial"]
    assert null["ci_low_spatial"] < 1 < null["ci_high_spatial"]
    assert cause["estimate_spatial"] == pytest.approx(cause["estimate"], rel=0.1)
    published = epi.output(screen, "screen").decision.table
    assert published["q_spatial"].notna().all()
    for lang in ("en", "fr"):
        assert render(screen.chart_forest(lang=lang).figure())
        assert render(screen.chart_volcano(lang=lang).figure())


def test_estimates_are_not_touched_by_the_spatial_test(both):
    plain = counts(adjust={"none": [], "z": ["z"]}, spatial=None).table
    assert "p_spatial" not in plain
    pd.testing.assert_frame_equal(both["areas"].table[plain.columns], plain)


def test_same_p_whatever_the_order_of_rows_of_weights_and_of_persons(both):
    order = np.random.Generator(np.random.PCG64(3)).permutation(len(CODES))
    sir, frame = areas()
    again = screen_exposures(
        sir, frame.iloc[order], exposures=["cause", "null", "other"], cluster=None, adjust={"none": [], "z": ["z"]},
        spatial=WEIGHTS.select([CODES[i] for i in order]),
    )  # fmt: skip
    assert again.table["p_spatial"].tolist() == both["areas"].table["p_spatial"].tolist()
    cases, controls = (frame.sample(frac=1, random_state=4) for frame in persons())
    again = screen_exposures(cases, controls, exposures=["null", "cause"], cluster="area", spatial=WEIGHTS)
    for name in ("cause", "null"):
        assert again.of(name)["p_spatial"] == both["case-control"].of(name)["p_spatial"]


def test_areas_without_a_value_are_left_out_of_that_exposure_alone():
    sir, frame = areas()
    holes = frame.assign(null=frame["null"].where(frame.index >= 10))
    screen = screen_exposures(sir, holes, exposures=["cause", "null"], cluster=None, spatial=WEIGHTS)
    whole = screen_exposures(sir, frame, exposures=["cause", "null"], cluster=None, spatial=WEIGHTS)
    assert (screen.of("cause")["areas"], screen.of("null")["areas"]) == (81, 71)
    assert screen.of("cause")["p_spatial"] == whole.of("cause")["p_spatial"]


def test_a_basis_made_once_serves_for_the_same_areas():
    basis = build_moran_basis(WEIGHTS, style="given")
    assert counts(spatial=basis).table["p_spatial"].tolist() == counts().table["p_spatial"].tolist()
    sir, frame = areas()
    with pytest.raises(ParameterError, match="the Moran basis is of 81 areas, 80"):
        screen_exposures(sir, frame.iloc[1:], exposures=["cause"], cluster=None, spatial=basis)


def test_refused_models_have_no_spatial_p():
    sir, frame = areas()
    screen = screen_exposures(sir, frame.assign(null=1.0), exposures=["cause", "null"], cluster=None, spatial=WEIGHTS)
    assert np.isnan(screen.of("null")["p_spatial"])
    assert screen.of("null")["reason"] != ""


def test_what_cannot_be_tested_is_said_beforehand():
    with pytest.raises(ParameterError, match="draws is 5"):
        counts(draws=5)
    with pytest.raises(ParameterError, match="areas by 'area' have no points"):
        counts(spatial="distance")
    with pytest.raises(ParameterError, match="spatial is 'near'"):
        counts(spatial="near")
    cases, controls = persons()
    with pytest.raises(ParameterError, match="needs the area of each person"):
        screen_exposures(cases, controls, exposures=["cause"], cluster=None, spatial=WEIGHTS)


def test_levels_of_territory_have_their_own_points():
    cases, controls = persons(n=600)
    codes = dict(zip(CODES, ["01", "02", "03", "38", "75", "33", "2A", "59", "67"] * 9, strict=True))
    cases, controls = (frame.assign(departement=frame["area"].map(codes)) for frame in (cases, controls))
    screen = screen_exposures(cases, controls, exposures=["cause"], cluster="departement", spatial="distance", draws=99)
    assert screen.of("cause")["areas"] == 9
    assert 0 < screen.of("cause")["p_spatial"] <= 1
