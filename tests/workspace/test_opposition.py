"""Opposed patients' rows never come out, by any public door."""

from __future__ import annotations

import inspect

import duckdb
import pandas as pd
import pytest

from epi.errors import EpiError, ParameterError, ProtocolError, WorkspaceError
from epi.workspace import SteeringRule, Workspace, open_workspace
from support import tiny_registry as load

USABLE = {"usable", "copied", "relative"}
BY_RULE = {"strict": USABLE, "registry": USABLE | {"untraced", "no_row"}}
OUT = {"opposed", "opposed_twice", "opposed_undated", "unreadable"}


@pytest.mark.parametrize("rule", ["strict", "registry"])
def test_each_patient_is_in_or_out_for_the_stated_reason(folder, rule):
    workspace = open_workspace(folder, opposition=rule)
    assert set(workspace.frame("patient")["patient_id"]) == BY_RULE[rule]
    assert workspace.opposition.totals == {"usable": 3, "not_traced": 2, "opposed": 3, "unreadable": 1}
    assert workspace.opposition.kept == len(BY_RULE[rule])
    assert workspace.opposition.known == 9


@pytest.mark.parametrize("rule", ["strict", "registry"])
def test_no_table_holds_a_row_or_an_identifier_of_an_opposed_patient(folder, rule):
    workspace = open_workspace(folder, opposition=rule)
    for name in workspace.tables:
        text = workspace.table(name).to_pandas().astype(str).to_csv(header=False)
        for patient in OUT:
            assert patient + "," not in text and f",{patient}\n" not in text, (name, patient)
            assert f"_{patient}" not in text, (name, patient)


def test_children_carry_the_patient_and_follow_the_same_rule(folder):
    workspace = open_workspace(folder)
    for name in ("activity", "activity_objective", "diagnosis_gene"):
        assert set(workspace.frame(name)["patient_id"]) == USABLE, name


def test_sql_on_the_backend_cannot_reach_the_files_either(folder):
    workspace = open_workspace(folder)
    backend = workspace.table("patient").get_backend()
    for query in (
        f"SELECT * FROM read_parquet('{folder}/tidy/patient.parquet')",
        f"SELECT * FROM '{folder}/tidy/patient.parquet'",
        f"ATTACH '{folder}/x.duckdb'",
        f"COPY patient TO '{folder}/x.csv'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SELECT * FROM ledger",
        "SELECT * FROM opposition",
    ):
        with pytest.raises(duckdb.Error):
            backend.raw_sql(query)


def test_every_public_door_is_tried(folder):
    """Call all that is public with plausible arguments; nothing may hold an opposed patient."""
    workspace = open_workspace(folder, opposition="registry")
    steering = SteeringRule(include_opposed=True, reference="committee, 2024-01-01")
    arguments = {
        "table": ["patient", "opposition", "care"],
        "frame": ["patient", "opposition", "activity"],
        "reference": ["population", "patient", "../tidy/patient"],
        "reference_info": ["population"],
        "has": ["patient"],
        "has_reference": ["population", "patient", "../tidy/patient"],
        "count_opposition": ["site_code", "sex", "patient_id"],
        "steer": [steering],
        "cohort": [],
    }
    doors = [name for name in dir(workspace) if not name.startswith("_")]
    assert {"table", "frame", "reference", "steer"} <= set(doors)
    tried = 0
    for name in doors:
        door = getattr(workspace, name)
        calls = [(given,) for given in arguments[name]] if inspect.ismethod(door) and name in arguments else None
        outcomes = []
        if calls is None:
            outcomes = [door() if inspect.ismethod(door) else door]
        for call in calls or []:
            try:
                outcomes.append(door(*call))
            except EpiError as error:
                outcomes.append(error)
        for outcome in outcomes:
            text = _text(outcome)
            tried += 1
            for patient in OUT - {"opposed"}:
                assert patient not in text.replace("unreadable", ""), name
            assert "a_opposed" not in text and "c_opposed" not in text
    assert tried > 12


def _text(outcome) -> str:
    if isinstance(outcome, pd.DataFrame):
        return outcome.to_csv()
    if hasattr(outcome, "to_pandas"):
        return outcome.to_pandas().astype(str).to_csv()
    table = getattr(outcome, "table", None)
    return repr(outcome) + (table.to_csv() if isinstance(table, pd.DataFrame) else "")


def test_counts_by_site_hold_on_a_day(folder):
    workspace = open_workspace(folder)
    by_site = workspace.opposition.table.set_index("site_code")
    assert by_site.loc["S001", "known"] + by_site.loc["S002", "known"] == 9
    assert by_site["opposed"].sum() == 3
    before = workspace.count_opposition(as_of="2021-12-31")
    assert before.totals["opposed"] == 2, "opposed on 2020-05-01, and the one whose day is unknown"
    assert before.known == 9
    with pytest.raises(ParameterError, match="after the extraction"):
        workspace.count_opposition(as_of="2030-01-01")
    with pytest.raises(ParameterError, match="cannot be counted by 'patient_id'"):
        workspace.count_opposition(by="patient_id")


def test_steering_needs_a_decision_and_hides_small_cells(tmp_path, tables):
    many = load.repeat(tables, times=12)
    workspace = open_workspace(load.write_workspace(tmp_path / "many", many))
    with pytest.raises(ProtocolError, match="no decision is named"):
        SteeringRule(include_opposed=True, reference=" ")
    without = workspace.steer(SteeringRule(include_opposed=False, reference=""), by=("fsmr",))
    including = workspace.steer(SteeringRule(include_opposed=True, reference="committee, 2024-01-01"), by=("fsmr",))
    active = dict(zip(including.table["fsmr"], including.table["patients"], strict=True))
    rest = dict(zip(without.table["fsmr"], without.table["patients"], strict=True))
    assert sum(active.values()) == 9 * 12
    # Three opposed; the rejected row of the side file fits nobody here, so the two without any row are out.
    assert sum(rest.values()) == (9 - 5) * 12
    small = open_workspace(load.write_workspace(tmp_path / "few", tables)).steer(
        SteeringRule(include_opposed=True, reference="committee, 2024-01-01"), by=("fsmr",)
    )
    assert small.table["patients"].isna().all()
    assert small.hidden == len(small.table) == 2


def test_a_study_cannot_be_laxer_than_its_protocol(folder, monkeypatch):
    monkeypatch.setenv("EPI_PROTOCOL", str(load.write_protocol(folder.parent)))
    with pytest.raises(ProtocolError, match="says 'strict'"):
        open_workspace(folder, opposition="registry")
    with pytest.raises(ProtocolError, match="another protocol"):
        open_workspace(folder, protocol=load.protocol(variables=[]))
    with pytest.raises(ParameterError, match="unknown"):
        open_workspace(folder, opposition="lenient")  # type: ignore[arg-type]


def test_the_rule_is_shown_wherever_the_data_are(folder):
    workspace: Workspace = open_workspace(folder)
    assert "Opposition rule 'strict'" in repr(workspace)
    assert "SYNTHETIC" in workspace._repr_html_()
    assert "3 patients kept of 9 known" in workspace.opposition.sentence("en")
    assert "3 patients retenus sur 9 connus" in workspace.opposition.sentence("fr")


LOST = {
    "another last letter": "opposeX",
    "no identifier": None,
    "an identifier of nobody": "P-000",
}


@pytest.mark.parametrize("written", LOST.values(), ids=LOST.keys())
def test_a_lost_row_that_fits_nobody_keeps_out_everyone_without_a_row(folder, tables, written):
    """The opposition of `opposed` was written under a wrong identifier: rejected, and nobody's."""
    side = pd.DataFrame({"patient_id": pd.Series([written], dtype="string"), "reason": ["V01-orphan"], "line": [4]})
    side.to_parquet(folder / "rejected" / "opposition.parquet", index=False)
    rows = tables["opposition"]
    rows[rows["patient_id"] != "opposed"].to_parquet(folder / "tidy" / "opposition.parquet", index=False)
    kept = set(open_workspace(folder, opposition="registry").frame("patient")["patient_id"])
    assert kept == {"usable", "untraced", "copied", "relative"}


@pytest.mark.parametrize(
    "cells",
    [{"patient_id": " OPPOSED "}, {"patient_id": "", "bamara_informed": "opposed"}, {"record": ";opposed;true;true"}],
    ids=["case and blanks", "shifted by one cell", "kept as a whole record"],
)
def test_the_owner_of_a_rejected_row_is_looked_for_in_every_cell(folder, tables, cells):
    side = pd.DataFrame([{"patient_id": "", "reason": "F00", "line": 4} | cells])
    side.to_parquet(folder / "rejected" / "opposition.parquet", index=False)
    rows = tables["opposition"]
    rows[rows["patient_id"] != "opposed"].to_parquet(folder / "tidy" / "opposition.parquet", index=False)
    workspace = open_workspace(folder, opposition="registry")
    assert "opposed" not in set(workspace.frame("patient")["patient_id"])
    assert "no_row" in set(workspace.frame("patient")["patient_id"]), "the row has its owner: no doubt on others"


def test_the_inside_of_a_workspace_is_no_workspace(folder):
    with pytest.raises(WorkspaceError, match="the workspace folder itself"):
        open_workspace(folder / "tidy", extraction_date="2024-06-30", opposition="registry")


def test_as_of_a_day_only_what_was_known_that_day_counts(folder, tables):
    rows = tables["opposition"].assign(bndmr_note_date=pd.Timestamp("2018-01-01"))
    rows.to_parquet(folder / "tidy" / "opposition.parquet", index=False)
    totals = open_workspace(folder).count_opposition(as_of="2017-06-30").totals
    # Nobody had been told by then; the opposition without a date counts from the beginning.
    assert totals == {"usable": 0, "not_traced": 7, "opposed": 1, "unreadable": 1}


@pytest.mark.parametrize(
    ("table", "broken", "words"),
    [
        ("patient", "patient_id;sex;birth_date\nP003;SECRETSEX;15/01/1981\n", "1 cell(s) are no DATE"),
        ("opposition", 'patient_id;bndmr_opposed\n"P002;true\nP003;false\n', "cannot be read as CSV"),
        ("opposition", 'patient_id;bndmr_opposed\nP1;"true\nP2;true\n"\n', "hold a line break"),
    ],
)
def test_a_broken_csv_is_refused_without_a_value(tmp_path, tables, table, broken, words):
    for name in ("patient", "opposition"):
        tables[name].to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / f"{table}.csv").write_text(broken)
    with pytest.raises(EpiError) as caught:
        open_workspace(tmp_path, extraction_date="2024-06-30")
    assert words in str(caught.value)
    for value in ("P003", "SECRETSEX", "1981", "P002"):
        assert value not in str(caught.value)


def test_steering_cells_cannot_be_found_by_subtraction(tmp_path, tables):
    """One small cell of a network hides a second one, and opposed patients count by whole years only."""
    many = load.repeat(tables, times=12)
    few = many["patient"]["patient_id"].str.endswith(("#0", "#1"))
    many["patient"]["sex"] = few.map({True: "M", False: "F"})
    workspace = open_workspace(load.write_workspace(tmp_path / "many", many))
    decided = SteeringRule(include_opposed=True, reference="committee, 2024-01-01")
    table = workspace.steer(decided, by=("fsmr", "sex")).table
    for _, network in table.groupby("fsmr"):
        assert network["patients"].isna().sum() != 1
    with pytest.raises(ParameterError, match="whole years"):
        workspace.steer(decided, start="2020-01-01", end="2021-06-30")
    with pytest.raises(ParameterError, match="min_count"):
        SteeringRule(include_opposed=False, reference="", min_count=5)
