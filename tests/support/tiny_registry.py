"""A tiny registry, each patient with the reason why they may, or may not, be studied."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import yaml

from epi.protocol import Protocol

PATIENTS = {
    "usable": "informed, no opposition",
    "untraced": "no note traced, no opposition",
    "no_row": "nothing recorded at all",
    "opposed": "opposed in 2020",
    "opposed_twice": "first not opposed, then opposed: one opposition is enough",
    "opposed_undated": "opposed, the day unknown",
    "unreadable": "the only opposition row was rejected: it may have been an opposition",
    "copied": "a rejected row that merely repeats the one kept",
    "relative": "usable; their first case in the family is opposed",
}


def opposition_rows() -> pd.DataFrame:
    rows = [
        ("usable", True, False, None),
        ("untraced", False, False, None),
        ("opposed", True, True, "2020-05-01"),
        ("opposed_twice", True, False, None),
        ("opposed_twice", True, True, "2022-01-01"),
        ("opposed_undated", True, True, None),
        ("copied", True, False, None),
        ("relative", True, False, None),
    ]
    frame = pd.DataFrame(rows, columns=["patient_id", "bndmr_note_given", "bndmr_opposed", "opposition_date"])
    return frame.assign(bamara_informed=True, opposition_date=pd.to_datetime(frame["opposition_date"]))


def registry() -> dict[str, pd.DataFrame]:
    ids = list(PATIENTS)
    site = pd.DataFrame(
        {
            "site_code": ["S001", "S002"],
            "fsmr": ["FILSLAN", "MCGRE"],
            "centre_type": ["CCMR", "CCMR"],
            "region": ["84", "11"],
        }
    )
    patient = pd.DataFrame({"patient_id": ids, "sex": "F", "birth_date": pd.Timestamp("1960-03-15")}).assign(
        propositus_id=[None] * 8 + ["opposed"],
        file_created=pd.Timestamp("2015-01-01"),
        source="AUTONOMOUS",
    )
    care = pd.DataFrame(
        {
            "care_id": [f"c_{name}" for name in ids],
            "patient_id": ids,
            "site_code": ["S001", "S002", "S001"] * 3,
        }
    )
    activity = pd.DataFrame({"activity_id": [f"a_{name}" for name in ids], "care_id": care["care_id"]}).assign(
        activity_date=pd.Timestamp("2021-02-03"), context="consultation"
    )
    objective = pd.DataFrame({"activity_id": activity["activity_id"], "objective": "follow_up"})
    diagnosis = pd.DataFrame({"diagnosis_id": [f"d_{name}" for name in ids], "patient_id": ids}).assign(
        status="confirmed", orpha_code=803, mutation_text="free words"
    )
    gene = pd.DataFrame({"diagnosis_id": diagnosis["diagnosis_id"], "hgnc_id": 11179})
    return {
        "site": site,
        "patient": patient,
        "opposition": opposition_rows(),
        "care": care,
        "activity": activity,
        "activity_objective": objective,
        "diagnosis": diagnosis,
        "diagnosis_gene": gene,
    }


def write_workspace(folder: Path, tables: dict[str, pd.DataFrame]) -> Path:
    (folder / "tidy").mkdir(parents=True)
    (folder / "rejected").mkdir()
    for name, table in tables.items():
        table.to_parquet(folder / "tidy" / f"{name}.parquet", index=False)
    pd.DataFrame(
        {"patient_id": ["unreadable", "copied"], "reason": ["F03", "V01-duplicate"], "line": [3, 9]}
    ).to_parquet(folder / "rejected" / "opposition.parquet", index=False)
    about = {"title": "tiny", "synthetic": True, "extraction_date": "2024-06-30", "format": 1}
    (folder / "workspace.json").write_text(json.dumps(about))
    return folder


def repeat(tables: dict[str, pd.DataFrame], times: int) -> dict[str, pd.DataFrame]:
    """Write each patient's rows several times, under other identifiers."""
    ids = ("patient_id", "care_id", "activity_id", "diagnosis_id", "propositus_id")

    def copy(table: pd.DataFrame, number: int) -> pd.DataFrame:
        return table.assign(**{column: table[column] + f"#{number}" for column in ids if column in table})

    return {
        name: table
        if name == "site"
        else pd.concat([copy(table, number) for number in range(times)], ignore_index=True)
        for name, table in tables.items()
    }


PROTOCOL = """
id: tiny
version: "1"
title: {fr: Essai, en: Trial}
question: {fr: "Quoi ?", en: "What?"}
population: {fr: Tous, en: All}
design: {fr: Aucun, en: None}
limits: [{fr: Toutes, en: All}]
legal: {basis: none, expires: 2099-01-01}
investigators: []
sources: [bndmr]
variables: []
notebooks: [{file: 01_a.ipynb, title: {fr: A, en: A}}]
"""


def write_protocol(folder: Path, **changes: object) -> Path:
    """Write a small protocol, with some fields changed."""
    content = yaml.safe_load(PROTOCOL) | changes
    path = folder / "protocol.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def protocol(**changes: object) -> Protocol:
    """Give a small protocol, with some fields changed."""
    return Protocol.model_validate(yaml.safe_load(PROTOCOL) | {"version": "2"} | changes)
