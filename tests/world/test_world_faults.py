from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from epi.codes import open_nomenclature
from epi.sources.bndmr import read_registry
from epi.sources.bndmr.tables import DECLARED
from epi.world import World
from world.raw_files import read_raw, read_truth

RULES = {"F01", "F02", "F03", "F03-swapped", "F04", "F05", "V01-duplicate", "V01-conflict", "V01-orphan", "V02", "V03",
         "V04", "V05", "V06", "V06-inactive", "V06-group"}  # fmt: skip


@pytest.fixture(scope="module")
def rejected(faulty_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tidy")
    read_registry(faulty_world.path / "raw", out, nomenclature=open_nomenclature().table())
    return out / "rejected"


def test_every_rule_is_hit(faulty_world: World) -> None:
    assert set(read_truth(faulty_world, "faults")["rule"]) == RULES


def test_the_truth_names_the_lines(faulty_world: World) -> None:
    for table, part in read_truth(faulty_world, "faults").groupby("table"):
        raw = read_raw(faulty_world, str(table))
        key = list(DECLARED[str(table)].key) or ["patient_id"]
        at = raw.iloc[part["line"].to_numpy() - 1]
        found = at[key].astype("object").where(at[key].notna(), "None").agg("|".join, axis=1).tolist()
        assert found == part["key"].tolist(), table
        for fault, column, line in zip(part["fault"], part["column"], part["line"], strict=True):
            cell = raw.iloc[line - 1][column] if column else None
            if fault == "required_missing" or fault == "deceased_without_date":
                assert pd.isna(cell)
            elif fault == "malformed_date":
                assert cell == "2019-02-30"
            elif fault == "insee_lost_zero":
                assert len(cell) == 4
                assert not cell.startswith("0")


def test_rates_are_those_stated(faulty_world: World) -> None:
    told = read_truth(faulty_world, "faults")
    for table in ("patient", "care", "activity", "diagnosis"):
        n = faulty_world.rows[table]
        injected = told.loc[told["table"] == table].drop_duplicates(["line"])
        conflicts = (injected["rule"] == "V01-conflict").sum() / 2  # both rows that share a key are listed
        share = (len(injected) - conflicts) / n
        assert 0.005 < share < 0.013, table  # some kinds find fewer rows that may bear them


def test_a_row_has_one_fault_and_a_patient_one_faulty_row(faulty_world: World) -> None:
    told = read_truth(faulty_world, "faults")
    assert not told.duplicated(["table", "line"]).any()
    care = read_raw(faulty_world, "care").drop_duplicates("care_id").set_index("care_id")["patient_id"]
    mine = told[told["table"] == "patient"]["key"]
    faulty_care = told[(told["table"] == "care") & (told["rule"] != "V01-orphan")]["key"].map(care)
    assert not faulty_care.isin(mine).any()


def test_the_reader_finds_each_fault_where_it_was_put(faulty_world: World, rejected: Path) -> None:
    told, cascades = read_truth(faulty_world, "faults"), read_truth(faulty_world, "cascades")
    for table in DECLARED:
        found = pd.read_parquet(rejected / f"{table}.parquet")
        # The reader counts lines of the file, its header included; the truth counts data rows.
        reasons = dict(zip(found["line"].astype(int) - 1, found["reason"].str.split("|"), strict=True))
        mine = told[(told["table"] == table) & (told["severity"] == "E")]
        for line, rule in zip(mine["line"], mine["rule"], strict=True):
            assert rule in reasons[line], (table, line, rule)
        fallen = set(cascades.loc[cascades["table"] == table, "line"])
        assert set(reasons) == set(mine["line"]) | fallen, f"{table}: nothing else is rejected"


def test_a_sound_world_is_accepted_whole(sound_world: World, tmp_path: Path) -> None:
    report = read_registry(sound_world.path / "raw", tmp_path, nomenclature=open_nomenclature().table())
    assert report.flow["rows_rejected"].sum() == 0
    assert (report.flow["rows_in"] == report.flow["rows_tidy"]).all()
