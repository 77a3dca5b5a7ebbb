"""An extract laid out in another way is read through its mapping file, and a wrong mapping is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from epi.errors import DataError
from epi.sources.bndmr import RegistryMapping, read_mapping, read_registry
from sources.handmade import nomenclature, registry, rejected, tidy, write

MAPPING = """
separator: ","
encoding: cp1252
date: DD/MM/YYYY
decimal: ","
true: ["1", oui]
"false": ["0", non]
missing: [NR, "."]
tables:
  patient:
    file: PATIENTS.csv
    columns: {IDMR: patient_id, SEXE: sex, PAYS: residence_country}
    values:
      sex: {"1": M, "2": F}
      vital_status: {vivant: alive, DCD: deceased}
      residence_country: {FRANCE: FR}
  diagnosis:
    date: YYYYMMDD
    values: {status: {CON: confirmed, ONG: ongoing, IND: INF}}
"""

DATES = {
    "file_created", "file_updated", "death_date", "inclusion_date", "activity_date", "label_start", "label_end",
    "bndmr_note_date", "opposition_date", "start_date",
}  # fmt: skip


def french(rows: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """Write the same registry in the other layout."""
    for name, table in rows.items():
        for row in table:
            for column, cell in row.items():
                if column in DATES:
                    row[column] = "/".join(reversed(cell.split("-")))
                elif cell in ("true", "false"):
                    row[column] = {"true": "1", "false": "non"}[cell]
            if name == "diagnosis" and "diagnosis_date" in row:
                row["diagnosis_date"] = row["diagnosis_date"].replace("-", "")
    for row in rows["patient"]:
        row["IDMR"] = row.pop("patient_id")
        row["SEXE"] = {"M": "1", "F": "2"}[row.pop("sex")]
        row["PAYS"] = row.pop("residence_country").replace("FR", "FRANCE")
        row["vital_status"] = {"alive": "vivant", "deceased": "DCD"}[row["vital_status"]]
        row["birth_commune"] = "NR"
    rows["diagnosis"][0]["status"] = "CON"
    rows["diagnosis"][2]["status"] = "IND"
    rows["hospital"][0]["hospital_name"] = "Hôpital d’Épinal"
    return rows


def test_another_layout_gives_the_same_tables(tmp_path: Path) -> None:
    read_registry(write(tmp_path / "ours", registry()), tmp_path / "one", nomenclature=nomenclature())
    rows = french(registry())
    columns = {"patient": list(dict.fromkeys(column for row in rows["patient"] for column in row))}
    raw = write(tmp_path / "theirs", rows, columns=columns, encoding="cp1252", separator=",")
    (raw / "patient.csv").rename(raw / "PATIENTS.csv")
    (tmp_path / "mapping.yml").write_text(MAPPING)
    report = read_registry(raw, tmp_path / "two", mapping=tmp_path / "mapping.yml", nomenclature=nomenclature())
    assert report.flow["rows_rejected"].sum() == 0
    for table in ("patient", "opposition", "care", "activity", "diagnosis"):
        assert tidy(tmp_path / "one", table).equals(tidy(tmp_path / "two", table)), table
    assert tidy(tmp_path / "two", "hospital")["hospital_name"].tolist() == ["Hôpital d’Épinal"]


def test_rejected_rows_keep_their_words_under_our_names(tmp_path: Path) -> None:
    rows = french(registry())
    rows["patient"][0]["SEXE"] = "3"
    columns = {"patient": list(dict.fromkeys(column for row in rows["patient"] for column in row))}
    raw = write(tmp_path / "theirs", rows, columns=columns, encoding="cp1252", separator=",")
    (raw / "patient.csv").rename(raw / "PATIENTS.csv")
    (tmp_path / "mapping.yml").write_text(MAPPING)
    read_registry(raw, tmp_path / "two", mapping=tmp_path / "mapping.yml")
    aside = rejected(tmp_path / "two", "patient")
    assert aside[["patient_id", "sex", "vital_status", "reason"]].to_numpy().tolist() == [["P1", "3", "vivant", "F02"]]


@pytest.mark.parametrize("form", ["YYYY-DD-MM", "YYYY/MM/DD", "YYYYMMDD", "DD-MM-YYYY", "DD.MM.YYYY", "MM/DD/YYYY"])
def test_each_date_form_keeps_its_precision(tmp_path: Path, form: str) -> None:
    sign = next((mark for mark in "-/." if mark in form), "")
    rows = registry()
    wanted = {"C1": ("2015-01-10", "day"), "C2": ("2016-07-02", "year"), "C3": ("2019-05-15", "month")}
    for row in rows["care"]:
        parts = dict(zip(("YYYY", "MM", "DD"), row["inclusion_date"].split("-"), strict=False))
        order = sorted((token for token in parts), key=form.index)
        row["inclusion_date"] = sign.join(parts[token] for token in order)
    mapping = RegistryMapping.model_validate({"tables": {"care": {"date": form}}})
    read_registry(write(tmp_path / "raw", rows), tmp_path / "out", mapping=mapping)
    care = tidy(tmp_path / "out", "care").astype({"inclusion_date": str}).set_index("care_id")
    assert {key: (row["inclusion_date"], row["inclusion_date_precision"]) for key, row in care.iterrows()} == wanted


def test_the_packaged_mapping_is_the_official_layout() -> None:
    assert read_mapping() == RegistryMapping()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("tables: {patients: {}}", "table 'patients' is unknown (near: patient)"),
        ("tables: {patient: {columns: {SEXE: gender}}}", "column patient.gender is unknown"),
        ("tables: {patient: {columns: {A: sex, B: sex}}}", "column patient.sex is given twice"),
        ("tables: {patient: {values: {sex: {'1': X}}}}", "value 'X' of patient.sex is not in Sex"),
        ("tables: {patient: {values: {sex: {1: M}}}}", "texts such as codes are written between quotes"),
        ("tables: {patient: {file: ../secret.csv}}", "file of patient is a path"),
        ("date: DDMMYY", "date: Input should be 'YYYY-MM-DD'"),
        ("colour: red", "colour: Extra inputs are not permitted"),
        ("true: ['1']\nfalse: ['1']", "a word stands for both true and false"),
        ("[a, b]", "mapping: Input should be"),
        ("a: [", "is not valid YAML at line 1"),
    ],
)
def test_a_wrong_mapping_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "mapping.yml").write_text(content)
    with pytest.raises(DataError) as caught:
        read_mapping(tmp_path / "mapping.yml")
    assert words in str(caught.value)


def test_a_column_that_the_mapping_names_must_be_there(tmp_path: Path) -> None:
    mapping = RegistryMapping.model_validate({"tables": {"patient": {"columns": {"JUMEAU": "multiple_birth"}}}})
    with pytest.raises(DataError, match="has no column that the mapping names: JUMEAU"):
        read_registry(write(tmp_path / "raw", registry()), tmp_path / "out", mapping=mapping)
