"""Opening data: what is granted, what is refused, and a fingerprint that ignores order."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from epi.errors import ProtocolError, WorkspaceError
from epi.workspace import fingerprint_of, open_workspace
from support import tiny_registry as load


def grant(*names: str) -> list[dict[str, str]]:
    return [dict(zip(("table", "column"), name.split("."), strict=True)) | {"reason": "test"} for name in names]


def test_only_declared_columns_come_out_with_their_keys(folder):
    workspace = open_workspace(folder, protocol=load.protocol(variables=grant("patient.sex", "diagnosis.status")))
    assert {table: set(columns) for table, columns in workspace.tables.items()} == {
        "diagnosis": {"diagnosis_id", "patient_id", "status"},
        "patient": {"patient_id", "sex"},
    }
    with pytest.raises(ProtocolError, match="does not grant table 'care'"):
        workspace.table("care")
    with pytest.raises(ProtocolError, match="has no column birth_date here"):
        workspace.frame("patient", ["patient_id", "birth_date"])
    assert "birth_date" not in workspace.table("patient").columns


def test_a_child_table_is_cleared_though_its_parents_are_not_granted(folder):
    workspace = open_workspace(folder, protocol=load.protocol(variables=grant("activity_objective.objective")))
    assert list(workspace.tables) == ["activity_objective"]
    assert set(workspace.frame("activity_objective")["patient_id"]) == {"usable", "copied", "relative"}


def test_what_is_not_in_the_data_and_free_text_are_refused_at_once(folder):
    asked = grant("patient.colour", "castle.tower", "diagnosis.mutation_text")
    with pytest.raises(ProtocolError) as caught:
        open_workspace(folder, protocol=load.protocol(variables=asked))
    assert len(caught.value.faults) == 3
    assert "free text" in str(caught.value)
    assert "mutation_text" not in open_workspace(folder).tables["diagnosis"]


def test_what_does_not_fit_in_memory_never_spills_beside_the_study(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ws = open_workspace(folder)
    for connection in (ws._study.con, ws._origin.connection):
        (place,) = connection.execute("SELECT current_setting('temp_directory')").fetchone()
        assert Path(place).parent == Path(tempfile.gettempdir())


def test_an_expired_protocol_opens_nothing(folder):
    expired = load.protocol(legal={"basis": "x", "expires": "2020-01-01"})
    with pytest.raises(ProtocolError, match="expired on 2020-01-01"):
        open_workspace(folder, protocol=expired)


def test_a_relative_who_is_opposed_is_not_named(folder):
    patient = open_workspace(folder).frame("patient").set_index("patient_id")
    assert pd.isna(patient.loc["relative", "propositus_id"])


def test_parquet_csv_and_duckdb_give_the_same_tables(folder, tmp_path, tables):
    csv = tmp_path / "csv"
    csv.mkdir()
    base = tmp_path / "base.duckdb"
    with duckdb.connect(str(base)) as connection:
        for name, table in tables.items():
            table.to_csv(csv / f"{name}.csv", index=False)
            connection.register("incoming", table)
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM incoming')
            connection.unregister("incoming")
    day = "2024-06-30"
    whole = open_workspace(folder, opposition="registry")
    for place in (csv, base):
        other = open_workspace(place, opposition="registry", extraction_date=day)
        # What was rejected is known to the workspace folder alone: elsewhere, nobody without a row is let in.
        assert set(other.frame("patient")["patient_id"]) == set(whole.frame("patient")["patient_id"]) - {"no_row"}
        assert other.frame("diagnosis")["orpha_code"].tolist() == [803] * 4
        dates = other.frame("activity")["activity_date"]
        assert (pd.to_datetime(dates) == pd.Timestamp("2021-02-03")).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda place: place / "nowhere", "does not exist"),
        (lambda place: place, "it has no table patient nor opposition"),
        (lambda place: _write(place / "x.txt", "not a base"), "is not a DuckDB file"),
    ],
)
def test_what_is_not_a_workspace_is_said(tmp_path, make, words):
    with pytest.raises(WorkspaceError, match=words) as caught:
        open_workspace(make(tmp_path))
    assert caught.value.exit_code == 5
    assert "epi workspace build" in str(caught.value)


def _write(path, text):
    path.write_text(text)
    return path


def test_an_extraction_date_is_asked_for(folder):
    (folder / "workspace.json").unlink()
    with pytest.raises(WorkspaceError, match="does not say when"):
        open_workspace(folder)
    assert str(open_workspace(folder, extraction_date="2024-06-30").extraction_date) == "2024-06-30"


def test_fingerprint_ignores_order_and_sees_every_change(folder, tables, tmp_path):
    first = fingerprint_of(folder)
    shuffled = {name: table.sample(frac=1, random_state=3) for name, table in tables.items()}
    assert fingerprint_of(load.write_workspace(tmp_path / "b", shuffled)) == first
    changed = dict(tables)
    changed["patient"] = tables["patient"].assign(sex=["M"] + ["F"] * 8)
    assert fingerprint_of(load.write_workspace(tmp_path / "c", changed)) != first
    doubled = dict(tables)
    doubled["diagnosis"] = pd.concat([tables["diagnosis"], tables["diagnosis"].iloc[:2]])
    assert fingerprint_of(load.write_workspace(tmp_path / "d", doubled)) != first


def test_fingerprint_is_computed_anew_when_a_file_changes(folder, tables):
    first = fingerprint_of(folder)
    assert (folder / ".fingerprint.json").is_file()
    tables["patient"].assign(sex="M").to_parquet(folder / "tidy" / "patient.parquet", index=False)
    assert fingerprint_of(folder) != first


def test_an_unknown_attribute_names_what_there_is(folder):
    with pytest.raises(AttributeError, match=r"it has .*frame.*table"):
        open_workspace(folder).tabel  # noqa: B018


def test_summary_says_rows_and_period(folder):
    summary = open_workspace(folder).summary().set_index("table")
    assert summary.loc["activity", "rows"] == 3
    assert summary.loc["activity", "first_year"] == 2021
