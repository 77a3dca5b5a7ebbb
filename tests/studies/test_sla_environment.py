"""The ALS study on the synthetic France: what was planted is found, whatever the order and the threads."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

import epi
from epi.facade import open_workspace
from epi.runner import open_study, run_study
from epi.runner.manuscript import check_manuscript, fill_manuscript
from epi.runner.study import Study
from support.shuffled import shuffled

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies" / "sla_environment"
PERIOD = {"start": "2012-01-01", "end": "2023-12-31"}
SCREENED = [
    "nearest_industrial_km",
    "n_polluted_sites",
    "pm25_ugm3",
    "no2_ugm3",
    "water_nitrate_mg_l",
    "tree_cover_pct",
    "fdep_like",
]


@pytest.fixture(scope="module")
def study() -> Study:
    return open_study(STUDY)


@pytest.fixture(scope="module")
def design(study):
    sys.path.insert(0, str(study.folder))
    import design

    yield design
    sys.path.remove(str(study.folder))


@pytest.fixture(scope="module")
def workspace(france):
    return open_workspace(france / "workspace", protocol=STUDY)


def test_each_planted_rate_is_within_four_standard_errors(france, workspace, design):
    planted = json.loads((france / "world" / "truth" / "planted.json").read_text())["variables"]
    cases = design.select_cases(workspace, **PERIOD)
    controls = design.select_controls(workspace, **PERIOD)
    variables = [*SCREENED, "centre_distance_km", "density_km2"]
    screen = epi.association.screen_exposures(
        cases.enrich(variables),
        controls.enrich(variables),
        exposures=SCREENED,
        adjust=["age", "sex", "centre_distance_km", "log(density_km2)"],
    )
    assert {name for name in planted if planted[name]["log_rr_per_sd"]} <= set(SCREENED)
    for name in SCREENED:
        row = screen.of(name, "joint")
        # The limits are Student's: divided by the normal quantile they would give too large an error.
        error = math.log(row["ci_high"] / row["ci_low"]) / (2 * student.isf(0.025, row["df"]))
        truth = planted[name]["log_rr_per_unit"] * row["unit_size"]
        assert abs(math.log(row["estimate"]) - truth) < 4 * error, name
        if planted[name]["log_rr_per_sd"]:
            assert abs(truth) > 3 * error, f"{name} could not be told from no effect: the test would be idle"


def test_incidence_is_the_published_order_less_what_the_registry_loses(france, workspace, design):
    cases = design.select_cases(workspace, **PERIOD)
    sir = epi.association.estimate_sir(cases, by="departement")
    truth = json.loads((france / "world" / "truth" / "planted.json").read_text())
    kept = workspace.opposition.kept / workspace.opposition.known
    expected = truth["incidence"]["crude_per_100k_expected"] * truth["captured_cases"] / truth["true_cases"] * kept
    adults = sir.overall["rate_per_100000"] * 0.8  # adults are about four persons in five
    assert expected * 0.85 < adults < expected * 1.15


def test_cases_and_controls_share_nobody_and_each_step_is_counted(workspace, design):
    cases = design.select_cases(workspace, **PERIOD)
    controls = design.select_controls(workspace, **PERIOD)
    assert not set(cases.members["patient_id"]) & set(controls.members["patient_id"])
    for cohort in (cases, controls):
        table = cohort.attrition.table
        assert (table["n_in"] - table["removed"] == table["n_out"]).all()
        assert table["n_out"].iloc[-1] == cohort.n
    assert design.select_cases(workspace, **PERIOD, drop_familial=True).n < cases.n
    assert design.select_cases(workspace, **PERIOD, statuses=["confirmed"]).n < cases.n
    assert design.select_cases(workspace, **PERIOD, case_definition="als_and_related").n > cases.n
    assert design.select_cases(workspace, **PERIOD, minimal_population=2000).n < cases.n


def test_the_planted_referral_is_within_four_standard_errors(france, workspace, design):
    truth = json.loads((france / "world" / "truth" / "planted.json").read_text())["capture"]
    cases = design.select_cases(workspace, **PERIOD)
    sir = epi.association.estimate_sir(cases, by="bassin_de_vie")
    wanted = ["centre_distance_km", "nearest_industrial_km", "water_nitrate_mg_l"]
    places = epi.exposure.average_by_area(
        workspace.reference("exposures"),
        workspace.reference("population"),
        "bassin_de_vie",
        wanted,
        workspace=workspace,
    )
    found = epi.association.estimate_referral(sir, places, adjust=wanted[1:], cluster="arrondissement")
    away = (100 * found.slope["log_slope_per_km"] - truth["log_per_100_km"]) / (100 * found.slope["standard_error"])
    assert abs(away) < 4
    assert 4 * 100 * found.slope["standard_error"] < 0.5, "a slope of half a log unit must not go unseen"


def test_the_three_groups_of_controls_are_what_they_say(workspace, design):
    groups = {name: design.select_controls(workspace, **PERIOD, control_group=name) for name in design.CONTROL_GROUPS}
    cases = set(design.select_cases(workspace, **PERIOD).members["patient_id"])
    for group in groups.values():
        assert group.n > 100 and not cases & set(group.members["patient_id"])
    with pytest.raises(epi.errors.ParameterError, match="control_group is 'neighbours'"):
        design.select_controls(workspace, **PERIOD, control_group="neighbours")


def test_variants_start_from_the_main_analysis_and_none_is_there_twice(design):
    from sensitivity import ADJUSTMENTS, LAGS, Variant, list_variants, pick

    main = Variant("main", "comparable_networks", 0, ADJUSTMENTS["+ distance, density"])
    variants = list_variants(main)
    assert next(iter(variants.values())) == main and len(set(variants.values())) == len(variants) == 21
    screens = dict.fromkeys(variants)
    assert len(pick(screens, variants, "controls")) == 3 and len(pick(screens, variants, "adjustment")) == 5
    assert list(pick(screens, variants, "lag")) == ["none (main)", *(f"{lag} years" for lag in LAGS[1:])]
    assert list(pick(screens, variants, "lag", "fr")) == ["aucun (principale)", *(f"{lag} ans" for lag in LAGS[1:])]
    english = {word for variant in variants.values() for word in variant.choices.values()}
    french = {word for variant in variants.values() for word in variant.told("fr").values()}
    assert english & french == {"+ distance"} and len(french) == len(english)
    assert design.exposure_window(10) == ("-15y", "-10y") and design.exposure_window(0) is None


def test_results_are_the_same_whatever_the_row_order_and_the_threads(france, study, tmp_path, monkeypatch):
    monkeypatch.setenv("EPI_THREADS", "2")
    first = run_study(study, workspace=france / "workspace", runs_dir=tmp_path / "a")
    monkeypatch.setenv("EPI_THREADS", "1")
    second = run_study(study, workspace=shuffled(france / "workspace", tmp_path / "ws"), runs_dir=tmp_path / "b")
    assert first.status == second.status == "done"
    # The example manuscript names what the study releases, whatever its numbers.
    fill_manuscript(STUDY / "manuscript" / "paper.md", first, tmp_path / "paper.md")
    assert not check_manuscript(tmp_path / "paper.md", second).unfilled
    one, two = (json.loads((run.folder / "results.json").read_text()) for run in (first, second))
    assert len(one) == len(two) > 20
    for left, right in zip(one, two, strict=True):
        assert {key: left[key] for key in ("name", "stratum", "n", "unit")} == {
            key: right[key] for key in ("name", "stratum", "n", "unit")
        }
        for key in ("estimate", "ci_low", "ci_high"):
            if isinstance(left[key], int) or left[key] is None:
                assert left[key] == right[key], left["name"]
            else:
                assert np.isclose(left[key], right[key], rtol=1e-9, atol=0), left["name"]
    assert first.manifest["run_id"] == second.manifest["run_id"], (
        "the order of rows is no part of what determines a run"
    )
    for table in sorted((first.folder / "tables").glob("*.csv")):
        if table.name in {"attrition.csv", "attrition_controls.csv", "opposition.csv", "table_one.csv"}:
            assert table.read_bytes() == (second.folder / "tables" / table.name).read_bytes(), table.name
