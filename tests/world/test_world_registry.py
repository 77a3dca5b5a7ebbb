from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from epi.codes import open_nomenclature
from epi.errors import ParameterError, WorkspaceError
from epi.sources.bndmr.schema import RAW_TABLES
from epi.sources.bndmr.tables import DECLARED, raw_columns
from epi.world import World, build_world
from epi.world.catalogue import load_catalogue
from epi.world.centres import FILIERES
from world.raw_files import read_raw, read_truth


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    first = build_world(tmp_path / "a", persons=60_000, seed=7, open_data=False)
    script = (
        "import sys, pyarrow; pyarrow.set_cpu_count(1); from epi.world import build_world; "
        "build_world(sys.argv[1], persons=60_000, seed=7, open_data=False)"
    )
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "b")], check=True, env=one)
    assert digests(first.path) == digests(tmp_path / "b")
    other = build_world(tmp_path / "c", persons=60_000, seed=8, open_data=False)
    changed = digests(other.path)
    assert all(changed[name] != digest for name, digest in digests(first.path).items() if name.startswith("raw/p"))


def test_raw_files_are_what_the_schema_says(sound_world: World) -> None:
    for name, schema in RAW_TABLES.items():
        table = read_raw(sound_world, name)
        assert list(table.columns) == raw_columns(name)
        assert len(table) > 0, f"{name} has rows"
        schema.validate(table, lazy=True)


def test_keys_are_unique_and_foreign_keys_hold_without_faults(sound_world: World) -> None:
    tables = {name: read_raw(sound_world, name) for name in DECLARED}
    for name, declared in DECLARED.items():
        if declared.key:
            assert not tables[name].duplicated(list(declared.key)).any(), name
        for key in declared.foreign:
            known = tables[key.table][key.target]
            assert tables[name][key.column].dropna().isin(known).all(), (name, key.column)
    assert read_truth(sound_world, "faults").empty


def test_registry_has_the_right_size_and_all_filieres(sound_world: World) -> None:
    patients = read_raw(sound_world, "patient")
    assert abs(len(patients) / sound_world.about["persons"] - 1.6 / 68) < 1e-5
    care = read_raw(sound_world, "care").merge(read_raw(sound_world, "site")[["site_code", "fsmr"]])
    assert set(care["fsmr"]) == set(FILIERES)
    assert len(FILIERES) == 23
    assert set(care["patient_id"]) == set(patients["patient_id"]), "every patient has a care"
    assert (care.groupby("patient_id")["site_code"].nunique() > 1).mean() > 0.08
    # Patients may be followed outside the territory, but most are near home.
    home = read_raw(sound_world, "site").set_index("site_code")["region"].reindex(care["site_code"])
    assert 0.7 < (home == "84").mean() < 0.99


def test_national_counting_flow_is_reproduced_in_form(sound_world: World) -> None:
    patients = read_raw(sound_world, "patient")
    counted = patients[(patients["is_fetus"] == "false") & (patients["residence_country"] == "FR")]
    assert len(counted) < len(patients), "there are fetuses and foreign residents to leave out"
    listed = open_nomenclature().table().set_index("orpha_code")
    coded = read_raw(sound_world, "diagnosis").dropna(subset=["orpha_code"])
    coded = coded[coded["patient_id"].isin(counted["patient_id"])]
    code = coded["orpha_code"].astype(int)
    rare = (code.map(listed["level"]) != "group") & (code.map(listed["status"]) != "non_rare_in_europe")
    n_coded, n_rare = coded["patient_id"].nunique(), coded.loc[rare, "patient_id"].nunique()
    assert stats.binomtest(n_coded, len(counted), 547_346 / 753_660).pvalue > 1e-4
    assert stats.binomtest(n_rare, n_coded, 493_740 / 547_346).pvalue > 1e-4
    assert (code.map(listed["level"]) == "subtype").mean() > 0.02


def test_long_tail_has_the_published_shape() -> None:
    # At 493,740 patients: 5,429 codes used, 1,300 with 10-70 patients, 792 with more (Jannot 2023).
    table = load_catalogue().table
    weight = table.loc[table["level"] == "disorder", "weight"].to_numpy()
    weight = weight[weight > 0]
    used = (1 - np.exp(-weight)).sum()
    middle = (stats.poisson.cdf(70, weight) - stats.poisson.cdf(9, weight)).sum()
    large = stats.poisson.sf(70, weight).sum()
    assert weight.sum() == pytest.approx(493_740, abs=1)
    assert len(weight) == 6_387
    assert used == pytest.approx(5_429, rel=0.01)
    assert middle == pytest.approx(1_300, rel=0.06)
    assert large == pytest.approx(792, rel=0.03)


def test_world_draws_from_that_tail(sound_world: World) -> None:
    truth = read_truth(sound_world, "patients")
    table = load_catalogue().table.set_index("orpha_code")
    code = truth.loc[truth["captured"], "orpha_code"]
    disorder = code.map(table["disorder_code"])
    counts = Counter(disorder[disorder > 0])
    small = sum(n < 10 for n in counts.values()) / len(counts)
    weight = table.loc[table["level"] == "disorder", "weight"]
    scaled = weight * sum(counts.values()) / weight.sum()
    expected = stats.poisson.cdf(9, scaled).sum() - np.exp(-scaled).sum()
    assert abs(small - expected / (1 - np.exp(-scaled)).sum()) < 0.03


def test_opposition_rates(sound_world: World) -> None:
    told = read_truth(sound_world, "opposition_by_site").set_index("site_code")
    truth = read_truth(sound_world, "patients")
    truth = truth[truth["captured"]]
    fsmr = read_raw(sound_world, "site").set_index("site_code")["fsmr"]
    mine = truth["first_site"].map(fsmr) == "MCGRE"
    n = int(mine.sum())
    # Sites differ, so the count is less spread than a binomial one: a binomial test is on the safe side.
    assert stats.binomtest(int(truth.loc[mine, "opposed"].sum()), n, 6_022 / 26_767).pvalue > 1e-4
    assert 0.04 < truth.loc[~mine, "opposed"].mean() < 0.08
    never = told.index[told["never_ticked"] & (told["patients"] > 0)]
    assert len(never) >= 2
    assert truth.loc[truth["first_site"].isin(never), "opposed"].all()
    table = read_raw(sound_world, "opposition")
    recorded = set(table.loc[table["bndmr_opposed"] == "true", "patient_id"])
    assert recorded == set(truth.loc[truth["opposed"], "patient_id"])
    assert table.loc[table["bndmr_opposed"] == "true", "opposition_date"].notna().all()
    assert table["bndmr_note_given"].isna().mean() > 0.04, "some notes are not traced"


def test_plausible_patients(sound_world: World) -> None:
    patients = read_raw(sound_world, "patient")
    truth = read_truth(sound_world, "patients")
    truth = truth[truth["captured"]]
    birth = pd.to_datetime(truth["birth_date"])
    children = (pd.Timestamp("2025-06-30") - birth).dt.days / 365.25 < 18
    assert 0.36 < children.mean() < 0.46
    died = truth["death_date"].notna().sum()
    assert 0.35 < (patients["vital_status"] == "deceased").sum() / died < 0.7, "deaths are under-recorded"
    activity = read_raw(sound_world, "activity")
    single = activity.groupby("care_id").size() == 1
    assert 0.5 < single.mean() < 0.8, "often a single activity"
    assert activity["activity_date"].between("2007-01-01", "2025-06-30").all()
    year = read_raw(sound_world, "care")["inclusion_date"].str[:4].astype(int)
    assert year.between(2007, 2025).all()
    assert (year >= 2020).mean() > (year <= 2012).mean(), "deployment grows"
    assert set(patients["source"]) == {"CEMARA", "AUTONOMOUS", "CONNECTED"}


def test_als_patients(sound_world: World) -> None:
    truth = read_truth(sound_world, "patients")
    als = truth[truth["als"] & truth["captured"]]
    rows = read_raw(sound_world, "diagnosis").query("orpha_code == '803'")
    assert set(als["patient_id"]) <= set(rows["patient_id"])
    status = rows["status"].value_counts(normalize=True)
    assert status["255545003"] + status["42425007"] > 0.97
    months = (als["diagnosis_date"] - als["onset_date"]).dt.days / 30.4375
    assert 8 < months.median() < 12
    old = als[als["diagnosis_date"] < "2020-01-01"]
    survival = (old["death_date"] - old["diagnosis_date"]).dt.days.fillna(99_999) / 30.4375
    assert 13 < survival.median() < 24
    genes = read_raw(sound_world, "diagnosis_gene")
    assert genes["hgnc_id"].isin(["HGNC:28337", "HGNC:11179", "HGNC:11571", "HGNC:4010"]).any()


def test_other_adults_of_neighbouring_filieres_follow_the_population(sound_world: World) -> None:
    # Controls have no exposure effect: their mean exposure is that of the persons they come from.
    truth = read_truth(sound_world, "patients")
    fsmr = read_raw(sound_world, "site").set_index("site_code")["fsmr"]
    mine = truth[truth["first_site"].map(fsmr).isin(["FILNEMUS", "BRAIN-TEAM"]) & (truth["kind"] == "resident")]
    exposures = pd.read_parquet(sound_world.path / "reference" / "exposures.parquet").set_index("insee_code")
    population = pd.read_parquet(sound_world.path / "reference" / "population.parquet")
    people = population.groupby("insee_code")["persons"].sum()
    for name in ("nearest_industrial_km", "water_nitrate_mg_l"):
        values = exposures[name]
        centre = np.average(values, weights=people.reindex(values.index))
        spread = np.sqrt(np.average((values - centre) ** 2, weights=people.reindex(values.index)))
        shift = (mine["insee_code"].map(values).mean() - centre) / spread
        # Distance to the centres moves patients a little towards towns; a planted effect would move cases by 0.16.
        assert abs(shift) < 4 / np.sqrt(len(mine)) + 0.05, name


def test_pseudonyms_tell_nothing(sound_world: World) -> None:
    patients = read_raw(sound_world, "patient")
    assert patients["patient_id"].str.fullmatch("[0-9a-f]{16}").all()
    assert patients["patient_id"].is_monotonic_increasing
    order = np.arange(len(patients))
    for column in ("file_created", "birth_year", "residence_commune"):
        rank = patients[column].rank(method="average", na_option="bottom")
        assert abs(stats.spearmanr(order, rank).statistic) < 4 / np.sqrt(len(patients)), column
    opposed = patients["patient_id"].isin(
        read_raw(sound_world, "opposition").query("bndmr_opposed == 'true'")["patient_id"]
    )
    assert abs(stats.spearmanr(order, opposed).statistic) < 4 / np.sqrt(len(patients))


def test_large_cities_and_merged_communes_are_recorded_as_registries_do(tmp_path: Path) -> None:
    world = build_world(tmp_path / "lyon", territories=["69"], seed=2, faults=0, open_data=False)
    home = read_raw(world, "patient")["residence_commune"].dropna()
    assert home.str.fullmatch("6938[1-9]").sum() > 1_000, "arrondissements of Lyon"
    former = home[~home.isin(pd.read_parquet(world.path / "reference" / "population.parquet")["insee_code"])]
    assert (~former.str.startswith("6938")).any(), "codes of before a merger"


def test_metadata_say_what_it_is(sound_world: World) -> None:
    about = json.loads((sound_world.path / "world.json").read_text(encoding="utf-8"))
    extract = json.loads((sound_world.path / "raw" / "extract.json").read_text(encoding="utf-8"))
    assert about["synthetic"] is True
    assert extract["synthetic"] is True
    assert about["exposures_origin"] == "synthetic"
    assert about["extraction_date"] == extract["extraction_date"] == "2025-06-30"
    assert about["seed"] == 11
    population = pd.read_parquet(sound_world.path / "reference" / "population.parquet")
    assert about["persons"] == population["persons"].sum()
    assert "raked" in about["population_method"]
    assert "synthetic" in str(sound_world)


def test_only_a_world_is_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "notes"
    mine.mkdir()
    (mine / "thesis.txt").write_text("do not touch")
    with pytest.raises(WorkspaceError, match="is not a world"):
        build_world(mine, persons=1_000, open_data=False)
    assert (mine / "thesis.txt").read_text() == "do not touch"
    first = build_world(tmp_path / "w", persons=1_000, seed=1, open_data=False)
    again = build_world(tmp_path / "w", persons=2_000, seed=1, open_data=False)
    assert again.about["persons"] != first.about["persons"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "w"], "nothing half-written is left"


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"seed": 1.5}, {"faults": 0.2}, {"faults": True}])
def test_parameters_out_of_bounds(tmp_path: Path, arguments: dict) -> None:
    with pytest.raises(ParameterError, match="out of bounds"):
        build_world(tmp_path / "w", persons=1_000, **arguments)
    assert not (tmp_path / "w").exists()
