"""The study of newborn screening: what was planted is found, the naive version is biased, the window is kept to."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epi.errors import EstimationError, ParameterError
from epi.facade import open_workspace
from epi.runner import open_study, run_study
from epi.runner.batch import read_batch
from epi.survival import collect_ratios, estimate_smr, estimate_survival, find_common_window, life_table
from epi.world.newborns import PLANTED
from epi.world.territory import choose_territory
from support.shuffled import shuffled
from validation.newborn_screening import UNTIL, draw_members

STUDY = Path(__file__).parents[2] / "studies" / "neonatal_survival"
OPTIONS = {"born_from": "1965-01-01", "until": UNTIL}


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(STUDY))
    for name in ("design", "effect", "diseases", "sensitivity", "tables"):
        sys.modules.pop(name, None)  # another study has modules of these names
    import design
    import effect
    import sensitivity

    yield design, effect, sensitivity
    sys.path.remove(str(STUDY))
    for name in ("design", "effect", "diseases", "sensitivity", "tables"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def nation():
    """Patients of a whole France, as the registry would follow them."""
    return draw_members(choose_territory(68_400_000), 20)


@pytest.fixture(scope="module")
def workspace(france):
    return open_workspace(france / "workspace", protocol=STUDY)


def test_the_protocol_and_the_notebooks_agree():
    checked = open_study(STUDY)
    assert checked.protocol.notebooks[0].file == "01_patients.ipynb" and checked.protocol.notebooks[0].keeps
    assert "cystic_fibrosis" in checked.presets
    jobs = read_batch(STUDY / "batches" / "presets.yml").jobs
    assert jobs[0].preset is None and not jobs[0].given
    assert {job.preset for job in jobs[1:]} == set(checked.presets)


def test_the_planted_effect_is_found_and_the_naive_analysis_is_not(study, nation):
    design, effect, _ = study
    data = design.follow_members(nation, until=UNTIL)
    forest = effect.effects_by_disease(data, design.DISEASES)
    for key in ("cf", "sickle_cell", "duchenne"):
        row = forest.of(effect.named(design.DISEASES[key]))
        away = (np.log(row["ratio"]) - np.log(PLANTED[key].ratio)) / row["se"]
        assert abs(away) < 4, key
    assert 4 * forest.of("Sickle cell disease")["se"] < 0.5, "a ratio of 0.6 must be told from 1"
    less = effect.effects_less_controls(forest)
    assert set(less.table["name"]) == {d.en for d in design.DISEASES.values() if not d.control}
    staggered = effect.fit_areas(effect.place_areas(design.only(data, "cf"), "cf", minimum=5)).table.iloc[0]
    assert abs(staggered["coef"] - np.log(PLANTED["cf"].ratio)) < 4 * staggered["se"]
    naive = design.follow_members(nation, until=UNTIL, start="birth")
    for key in ("cf", "sickle_cell"):
        assert effect.fit_ages(design.only(naive, key), period=False).table["ci_low"].iloc[0] > 1


def test_the_unidentifiable_ages_are_stated_and_not_estimated(study, nation):
    design, effect, _ = study
    data = design.only(design.follow_members(nation, until=UNTIL), "cf")
    window = effect.window_of(data, 20)
    # Births before 2002 are seen from 2007 on: nobody of five years or less is among them.
    assert window.low >= 5 * 365
    with pytest.raises(EstimationError):
        window.check([2 * 365.25])
    early = data.select(data.covariates["screened"].to_numpy())
    with pytest.raises(EstimationError, match="no common ages of both eras"):
        effect.window_of(early, 20)
    assert find_common_window(data, "era", minimum=20).low == window.low


def test_a_main_disease_that_is_not_studied_is_refused_at_once(study):
    design, _, _ = study
    design.check_choice(["cf", "pku"], "pku")
    with pytest.raises(ParameterError, match="'main_disease' is 'sickle_cell', which 'diseases' leaves out") as refusal:
        design.check_choice(["cf"], "sickle_cell")
    assert refusal.value.do == "-p main_disease=cf"


def test_words_are_in_the_language_of_the_run(study, nation):
    design, effect, _ = study
    import tables

    data = design.only(design.follow_members(nation, until=UNTIL, lang="fr"), "sickle_cell")
    assert set(data.causes) == {"décès"}
    model = effect.fit_effect(data)
    shown = [tables.chart_effect(model, "fr").release(), effect.lexis_of(data).chart_lexis(lang="fr").release(),
             estimate_survival(effect.window_of(data, 20).inside, by="era").chart(lang="fr").release()]  # fmt: skip
    for release in shown:
        assert "death" not in " ".join([release.title, release.note, *release.labels.values()])
    assert shown[2].title.startswith("Survie")
    assert "(décès)" in shown[1].title
    few = EstimationError(effect.FEW_DEATHS)
    forest = collect_ratios({"Tous": model, "Peu": few}, effect.term_of(data))
    assert "Non estimable : Peu (trop peu de décès)." in effect.chart_forest(forest, "forest", "fr").release().note
    assert "Not estimable: Peu (too few deaths)." in effect.chart_forest(forest, "forest").release().note


def test_reasons_hold_no_number(study):
    _, effect, _ = study
    for reason in effect.REASONS:
        assert not any(sign.isdigit() for sign in reason)
        assert len(reason.split(" · ")) == 2


def test_patients_are_those_of_the_definition(study, workspace, france):
    design, _, _ = study
    truth = pd.read_parquet(france / "world" / "truth" / "newborns.parquet").query("patient_id != ''")
    members = design.select_patients(workspace, design.DISEASES["sickle_cell"], **OPTIONS).members
    mine = members.merge(truth, on="patient_id", suffixes=("", "_true"), validate="one_to_one")
    assert len(mine) == len(members) > 30 and set(mine["disease"]) == {"sickle_cell"}
    # Birth is known to the month, and entry is the first inclusion or activity.
    assert ((mine["birth_date"] - mine["birth_date_true"]).dt.days.abs() <= 16).all()
    assert (mine["entry_date"] >= mine["inclusion_date"] - pd.Timedelta(days=200)).mean() > 0.95
    assert (mine["exit_date"] > mine["entry_date"]).all()
    frame = design.collect_members(workspace, ["sickle_cell"], **OPTIONS)
    assert len(frame) == len(mine) and (frame["screened"].to_numpy() == mine["covered"].to_numpy()).mean() > 0.97, (
        "births of one month may be on both sides"
    )
    wide = design.select_patients(workspace, design.DISEASES["pku"], mild_forms=True, **OPTIONS)
    assert wide.n > design.select_patients(workspace, design.DISEASES["pku"], **OPTIONS).n


def test_ascertainment_is_of_all_births_where_an_incidence_of_them_is_published(study, workspace):
    design, _, _ = study
    frame = design.collect_members(workspace, ["cf", "sickle_cell", "duchenne"], **OPTIONS)
    births = workspace.reference("births")
    found = design.observed_births(frame, births, ["cf", "sickle_cell", "duchenne"])
    assert set(found.totals["disease"]) == {"Cystic fibrosis", "Sickle cell disease (overseas)"}
    overseas = births[(births["departement"].str.len() == 3) & (births["year"] >= found.settings["years"][0])]
    mine = found.totals.set_index("disease").loc["Sickle cell disease (overseas)"]
    assert mine["expected"] == pytest.approx(overseas["births"].sum() * 238.7 / 1e5)
    with pytest.raises(EstimationError, match="no incidence among all births"):
        design.observed_births(frame, births, ["duchenne"])


def test_eras_of_few_patients_are_taken_together_and_few_left_out_are_refused(study, nation):
    design, effect, _ = study
    import tables

    whole = design.follow_members(nation, until=UNTIL)
    pku = np.flatnonzero((whole.covariates["key"] == "pku") & (whole.covariates["era"] == design.ERAS["en"][0]))
    kept = np.ones(len(whole), dtype=bool)
    kept[pku[5:]] = False
    grouped = tables.by_era_where_enough(whole.select(kept)).covariates
    assert set(grouped.loc[grouped["key"] == "pku", "era"]) == {"all births"}
    assert set(grouped.loc[grouped["key"] == "cf", "era"]) == set(design.ERAS["en"])
    sickle = design.only(whole, "sickle_cell")
    window = find_common_window(sickle, "era", minimum=20)
    outside = (sickle.event > 0) & ((sickle.exit <= window.low) | (sickle.exit > window.high))
    first = np.flatnonzero(outside & (sickle.covariates["era"] == design.ERAS["en"][0]).to_numpy())
    fewer = np.ones(len(sickle), dtype=bool)
    fewer[first[3:]] = False
    with pytest.raises(EstimationError, match="small numbers could be found"):
        effect.window_of(sickle.select(fewer), 20)


def areas(cells):
    """Patients of two areas and three cohorts of births: (area, cohort) to patients and deaths."""
    rows = []
    for (area, cohort), (patients, deaths) in cells.items():
        for at in range(patients):
            birth = pd.Timestamp(f"{cohort}-03-15") + pd.Timedelta(days=3100 * at // patients)
            rows.append({"key": "cf", "sex": "FM"[at % 2], "departement": area, "birth_date": birth,
                         "diagnosis_date": birth, "entry_date": max(birth, pd.Timestamp("2007-02-01")),
                         "exit_date": pd.Timestamp("2014-01-01") + pd.Timedelta(days=97 * (7 * at % 40)),
                         "died": at * deaths // patients < (at + 1) * deaths // patients,
                         "screened": cohort >= (1989 if area == "29" else 2002)})  # fmt: skip
    return pd.DataFrame(rows)


ENOUGH = {("29", 1980): (40, 15), ("29", 1992): (40, 15), ("29", 2003): (40, 15), ("69", 1980): (60, 20),
          ("69", 1992): (60, 20), ("69", 2003): (60, 18)}  # fmt: skip


def test_areas_and_cohorts_are_published_where_no_cell_of_them_is_small(study):
    design, effect, _ = study
    model = effect.fit_staggered(design.follow_members(areas(ENOUGH), until=UNTIL), "cf")
    assert model.table["term"].iloc[0].startswith("era")
    assert set(model.data.covariates["cohort"]) == {"–1989", "1989–2002", "2002–"}


@pytest.mark.parametrize("few", [(40, 5), (40, 33), (8, 0)], ids=["deaths", "survivors", "patients"])
def test_a_small_cell_of_area_and_cohort_that_margins_give_back_is_refused(study, few):
    """Deaths "with screening" less those of the last cohort are those of the area that began first: five."""
    design, effect, _ = study
    data = design.follow_members(areas({**ENOUGH, ("29", 1992): few}), until=UNTIL)
    people, dead = data.covariates, data.event > 0
    after = (people["era"] == design.ERAS["en"][1]).to_numpy()
    last = (people["born"] >= 2002).to_numpy()
    assert (dead & after).sum() - (dead & last).sum() == few[1]
    with pytest.raises(EstimationError, match="few patients or deaths of an area and cohort could be found"):
        effect.fit_staggered(data, "cf")


def test_excess_hazards_and_time_at_risk_are_of_the_window(study, nation):
    design, effect, _ = study
    data = design.only(design.follow_members(nation, until=UNTIL), "sickle_cell")
    excess = effect.fit_excess_effect(data, life_table(extend="nearest")).table.iloc[0]
    assert abs(np.log(excess["hazard_ratio"] / PLANTED["sickle_cell"].ratio)) < 4 * excess["se"]
    lexis = effect.lexis_of(data).table
    assert lexis["events"].sum() == data.events["death"]


def test_variants_are_all_there_and_losses_go_the_way_they_must(study, workspace):
    design, _, sensitivity = study
    frame = design.collect_members(workspace, ["sickle_cell"], **OPTIONS)
    forest = sensitivity.fit_variants(
        workspace, frame, "sickle_cell", minimum=11, lost="censored", statuses=["confirmed", "probable"], **OPTIONS
    )
    names = [words[0] for key, words in sensitivity.WORDS.items() if key != "mild"]
    assert forest.table["name"].tolist() == names
    data = {lost: design.follow_members(frame, until=UNTIL, lost=lost) for lost in ("censored", "dead")}
    assert data["dead"].events["death"] > data["censored"].events["death"]
    smr = estimate_smr(data["censored"], life_table(extend="nearest"), by="era").table
    assert (smr["observed"] >= smr["expected"]).all()


def test_what_is_released_is_the_same_whatever_the_row_order_and_the_threads(france, tmp_path, monkeypatch):
    runs = []
    for threads, place in (("2", france / "workspace"), ("1", shuffled(france / "workspace", tmp_path / "ws"))):
        monkeypatch.setenv("EPI_THREADS", threads)
        runs.append(run_study(open_study(STUDY), workspace=place, runs_dir=tmp_path / threads))
    first, second = runs
    assert first.status == second.status == "done"
    assert first.manifest["run_id"] == second.manifest["run_id"]
    assert (first.folder / "results.json").read_bytes() == (second.folder / "results.json").read_bytes()
    tables = sorted((first.folder / "tables").glob("*.csv"))
    assert len(tables) > 15
    for table in tables:
        assert table.read_bytes() == (second.folder / "tables" / table.name).read_bytes(), table.name
