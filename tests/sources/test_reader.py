"""What a good registry becomes: dates, values, derived columns; the same whatever the order or threads."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from epi.errors import ParameterError, StorageError, WorkspaceError
from epi.files import digest_file
from epi.sources.bndmr import read_registry
from epi.sources.bndmr.tables import DECLARED, PATIENT_TABLES, foreign_keys, tidy_columns
from sources.handmade import EXTRACTED, nomenclature, registry, rejected, tidy, write


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("good")
    rows = registry()
    rows["patient"][0]["residence_country"] = ""
    rows["patient"][2] |= {"propositus_id": "P0", "propositus_relation": "SIB"}
    read_registry(write(place / "raw", rows), place / "out", nomenclature=nomenclature())
    return place / "out"


def test_nothing_is_rejected_and_every_table_is_there(good: Path) -> None:
    for table in DECLARED:
        assert len(rejected(good, table)) == 0
        assert list(tidy(good, table).columns) == tidy_columns(table)
    assert {table: len(tidy(good, table)) for table in registry()} == {
        table: len(rows) for table, rows in registry().items()
    }


def test_a_date_keeps_its_precision_and_stands_in_the_middle(good: Path) -> None:
    care = tidy(good, "care").set_index("care_id")
    assert care["inclusion_date"].astype(str).to_dict() == {
        "C1": "2015-01-10",  # to the day
        "C2": "2016-07-02",  # 2016: 2 July
        "C3": "2019-05-15",  # May 2019: the 15th
    }
    assert care["inclusion_date_precision"].to_dict() == {"C1": "day", "C2": "year", "C3": "month"}
    assert tidy(good, "patient")["birth_date"].astype(str).tolist() == ["1960-05-15", "1960-05-15", "2001-12-15"]


def test_official_codes_become_english_values(good: Path) -> None:
    assert tidy(good, "care")["referred_by"].tolist() == ["gp", "crmr|self", "ccmr"]
    assert tidy(good, "diagnosis")["status"].tolist() == ["confirmed", "confirmed", "undetermined"]
    assert tidy(good, "activity")["context"].tolist() == ["consultation", "day_hospital", "other"]
    assert tidy(good, "activity")["context_text"].tolist()[2] == 'dit "autre" ;\nsuite'


def test_ages_are_turned_into_days(tmp_path: Path) -> None:
    rows = registry()
    rows["diagnosis"][0] |= {"age_unit": "month", "first_signs_age": "2"}
    rows["diagnosis"][1] |= {"age_unit": "day", "first_signs_age": "2"}
    read_registry(write(tmp_path / "raw", rows), tmp_path / "out")
    ages = tidy(tmp_path / "out", "diagnosis")
    # 2 months of 30.4375 days; 2 days; birth.
    assert ages["first_signs_age_days"].tolist() == [60.875, 2.0, 0.0]
    assert ages["clinical_diag_age_days"].tolist()[:2] == [51 * 30.4375, 51.0]
    assert pd.isna(ages["clinical_diag_age_days"][2])  # antenatal: a category, not an age


def test_an_inactive_code_is_followed_once_and_never_round(tmp_path: Path) -> None:
    rows = registry()
    rows["diagnosis"][0]["orpha_code"] = "900"  # 900 and 901 moved to each other
    rows["diagnosis"][2]["orpha_code"] = "77"  # obsolete, moved nowhere
    report = read_registry(write(tmp_path / "raw", rows), tmp_path / "out", nomenclature=nomenclature)
    kept = tidy(tmp_path / "out", "diagnosis")
    assert kept["orpha_code"].tolist() == [900, 166775, 77]
    assert kept["orpha_code_current"].tolist() == [900, 803, 77]
    assert report.rows("V06-inactive") == 3


def test_defaults_and_a_propositus_elsewhere_are_counted(good: Path) -> None:
    quality = json.loads((good / "quality.json").read_text())
    counts = {(row["table"], row["rule"]): row["rows"] for row in quality["counts"]}
    assert counts == {
        ("patient", "F07"): 1,
        ("patient", "V01-propositus"): 1,
        ("diagnosis", "V06-inactive"): 1,
    }
    assert tidy(good, "patient")["residence_country"].tolist() == ["FR"] * 3


def test_without_a_nomenclature_v06_is_said_not_to_be_applied(tmp_path: Path) -> None:
    report = read_registry(write(tmp_path / "raw", registry()), tmp_path / "out")
    assert report.settings["not_applied"] == ["V06, V06-group, V06-inactive (no nomenclature was given)"]
    assert "Not applied: V06" in report.summary()


def _digests(out: Path) -> dict[str, str]:
    files = [*sorted((out / "tidy").iterdir()), out / "quality.json"]
    return {file.name: digest_file(file) for file in files}


def test_row_order_and_threads_do_not_matter(tmp_path: Path) -> None:
    rows = registry()
    patients = []
    for number in range(3000):
        patients.append(
            rows["patient"][0] | {"patient_id": f"Q{number % 2900:05d}", "birth_year": str(1950 + number % 40)}
        )
        rows["diagnosis"].append(rows["diagnosis"][0] | {"diagnosis_id": f"E{number}", "patient_id": f"Q{number:05d}"})
    rows["patient"] += patients
    rows["opposition"] += [rows["opposition"][1] | {"patient_id": row["patient_id"]} for row in patients]
    read_registry(write(tmp_path / "a", rows), tmp_path / "one", threads=1, nomenclature=nomenclature())
    for table in rows:
        random.Random(table).shuffle(rows[table])  # noqa: S311
    read_registry(write(tmp_path / "b", rows), tmp_path / "two", threads=3, nomenclature=nomenclature())
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")
    for table in rows:
        one, two = rejected(tmp_path / "one", table), rejected(tmp_path / "two", table)
        columns = [column for column in one.columns if column != "line"]
        pd.testing.assert_frame_equal(
            one.sort_values(columns)[columns].reset_index(drop=True),
            two.sort_values(columns)[columns].reset_index(drop=True),
        )
    assert len(rejected(tmp_path / "one", "patient")) == 200


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    write(tmp_path / "raw", registry())
    read_registry(tmp_path / "raw", tmp_path / "csv", nomenclature=nomenclature())
    for table in ("patient", "care", "activity", "diagnosis"):
        file = tmp_path / "raw" / f"{table}.csv"
        frame = pd.read_csv(file, sep=";", dtype={"residence_commune": str, "context": str, "status": str})
        if table == "activity":
            frame["activity_date"] = pd.to_datetime(frame["activity_date"])
        if table == "care":
            frame["referred_by"] = frame["referred_by"].str.split("|")
        frame.to_parquet(file.with_suffix(".parquet"))
        file.unlink()
    report = read_registry(tmp_path / "raw", tmp_path / "parquet", nomenclature=nomenclature())
    assert report.flow["rows_rejected"].sum() == 0
    assert _digests(tmp_path / "csv") == _digests(tmp_path / "parquet")


def test_the_report_counts_and_shows_itself(tmp_path: Path) -> None:
    rows = registry()
    rows["activity"][0]["activity_date"] = "2031-01-01"
    report = read_registry(write(tmp_path / "raw", rows), tmp_path / "out", nomenclature=nomenclature())
    assert report.flow.set_index("table").loc["activity"].to_dict() == {
        "rows_in": 3, "rows_tidy": 2, "rows_rejected": 1,
    }  # fmt: skip
    assert report.table[report.table["table"] == "activity"].to_dict("records") == [
        {"table": "activity", "rule": "V05", "severity": "E", "rows": 1}
    ]
    assert EXTRACTED in report.summary()
    assert "V05 activity: 1 rows. Activity after the extraction or before 1990." in report.summary()
    assert "V05" in report._repr_html_()
    release = report.release()
    assert release.counts[0].column == "rows"
    assert "2031" not in report.summary() + report._repr_html_() + (tmp_path / "out" / "quality.json").read_text()


def test_an_earlier_result_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry())
    read_registry(raw, tmp_path / "out")
    read_registry(raw, tmp_path / "out")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "raw"]
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == ["quality.json", "rejected", "tidy"]
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(WorkspaceError, match="did not write"):
        read_registry(raw, tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """No file may pass 60 kB: the engine's own files and the tidy tables do not fit."""
    rows = registry()
    rows["diagnosis"] += [
        rows["diagnosis"][0] | {"diagnosis_id": f"E{n * 7919:012d}", "mutation_text": f"{n * 104729 % 999983:x}" * 3}
        for n in range(20_000)
    ]
    raw = write(tmp_path / "raw", rows)
    program = (
        "import resource, sys; from epi.errors import EpiError; from epi.sources.bndmr import read_registry\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "try: read_registry(sys.argv[1], sys.argv[2])\n"
        "except EpiError as error: print(error); sys.exit(error.exit_code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(raw), str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == StorageError.exit_code, done.stderr
    assert "the disk is full" in done.stdout
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["raw"]


@pytest.mark.parametrize("option", [{"memory_limit": "much"}, {"threads": 0}])
def test_wrong_memory_or_threads_are_refused(tmp_path: Path, option: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        read_registry(write(tmp_path / "raw", registry()), tmp_path / "out", **option)  # type: ignore[arg-type]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    read_registry(write(tmp_path / "raw", registry()), tmp_path / "out", progress=lambda *step: told.append(step))
    assert [done for _, done, _ in told] == list(range(20))
    assert {total for *_, total in told} == {20}


def test_tidy_files_have_the_declared_types(good: Path) -> None:
    types = {field.name: str(field.type) for field in pq.read_schema(good / "tidy" / "diagnosis.parquet")}
    assert types["orpha_code_current"] == "int32"
    assert types["diagnosis_date"] == "date32[day]"
    assert types["first_signs_age_days"] == "double"
    assert types["apparently_healthy"] == "bool"


def test_parents_come_before_children_and_patients_are_reached() -> None:
    names = list(DECLARED)
    for name in names:
        assert all(names.index(parent) < names.index(name) for parent in foreign_keys(name).values())
    assert set(names) - set(PATIENT_TABLES) == {"fsmr", "hospital", "site"}
