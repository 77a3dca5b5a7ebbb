"""A registry small enough to read: three patients, two sites, every row right until a test spoils one."""

from __future__ import annotations

import copy
import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd

from epi.sources.bndmr.tables import DECLARED, raw_columns

Rows = dict[str, list[dict[str, str]]]

EXTRACTED = "2024-06-30"

_PATIENT = {
    "nir_available": "false",
    "sex": "F",
    "birth_year": "1960",
    "birth_month": "5",
    "residence_commune": "01001",
    "residence_country": "FR",
    "vital_status": "alive",
    "is_fetus": "false",
    "file_created": "2015-01-05",
    "file_updated": "2023-01-05",
    "source": "CEMARA",
}
_DIAGNOSIS = {
    "status": "255545003",
    "orpha_code": "803",
    "entry_appreciation": "2667000",
    "first_signs_moment": "767023003",
    "first_signs_age": "50",
    "clinical_diag_moment": "767023003",
    "clinical_diag_age": "51",
    "genetic_diag_moment": "373068000",
    "age_unit": "year",
}


def registry() -> Rows:
    """Three patients: P1 alive, P2 dead in March 2020 (day unknown), P3 opposed."""
    return copy.deepcopy(
        {
            "fsmr": [{"fsmr": "FILSLAN", "label_fr": "SLA et maladies du neurone moteur"}],
            "hospital": [{"hospital_code": "H1", "finess_ej": "690781810", "finess_et": "2A0000014"}],
            "site": [
                {
                    "site_code": code,
                    "site_name": "[CRMR] un, deux",
                    "centre_type": "CRMR_coordinator",
                    "fsmr": "FILSLAN",
                    "hospital_code": "H1",
                    "label_start": "2017-01-01",
                    "label_end": "2022-12-31",
                }
                for code in ("S001", "S0002")
            ],
            "patient": [
                {"patient_id": "P1", **_PATIENT},
                {"patient_id": "P2", **_PATIENT, "sex": "M", "vital_status": "deceased", "death_date": "2020-03"},
                {"patient_id": "P3", **_PATIENT, "birth_year": "2001", "birth_month": "12"},
            ],
            "opposition": [
                {"patient_id": "P1", "bamara_informed": "true", "bndmr_note_given": "true",
                 "bndmr_note_date": "2016", "bndmr_opposed": "false"},
                {"patient_id": "P2", "bamara_informed": "true", "bndmr_opposed": "false"},
                {"patient_id": "P3", "bamara_informed": "true", "bndmr_note_given": "true",
                 "bndmr_note_date": "2019-05-02", "bndmr_opposed": "true", "opposition_date": "2019-05-03"},
            ],
            "care": [
                {"care_id": "C1", "patient_id": "P1", "site_code": "S001", "inclusion_date": "2015-01-10",
                 "referred_by": "G15_10/SM54", "out_of_label": "false"},
                {"care_id": "C2", "patient_id": "P2", "site_code": "S0002", "inclusion_date": "2016",
                 "referred_by": "ORG-182|ORG-019", "out_of_label": "false"},
                {"care_id": "C3", "patient_id": "P3", "site_code": "S001", "inclusion_date": "2019-05",
                 "referred_by": "ORG-183", "out_of_label": "true"},
            ],
            "activity": [
                {"activity_id": "A1", "care_id": "C1", "activity_date": "2015-01-10", "context": "11429006"},
                {"activity_id": "A2", "care_id": "C2", "activity_date": "2018-02-28", "context": "29"},
                {"activity_id": "A3", "care_id": "C3", "activity_date": "2019-05-02", "context": "GEN-092.05.04",
                 "context_text": 'dit "autre" ;\nsuite'},
            ],
            "activity_objective": [
                {"activity_id": "A1", "objective": "MED-097"},
                {"activity_id": "A1", "objective": "ORG-047"},
                {"activity_id": "A2", "objective": "ORG-047"},
                {"activity_id": "A3", "objective": "ORG-031"},
            ],
            "diagnosis": [
                {"diagnosis_id": "D1", "patient_id": "P1", **_DIAGNOSIS, "diagnosis_date": "2014-11"},
                {"diagnosis_id": "D2", "patient_id": "P2", **_DIAGNOSIS, "orpha_code": "166775"},
                {"diagnosis_id": "D3", "patient_id": "P3", **_DIAGNOSIS, "status": "INF", "orpha_code": "",
                 "first_signs_moment": "255407002", "first_signs_age": "",
                 "clinical_diag_moment": "303112003", "clinical_diag_age": ""},
            ],
            "diagnosis_gene": [{"diagnosis_id": "D1", "hgnc_id": "HGNC:11179"}],
            "pregnancy": [{"pregnancy_id": "G1", "patient_id": "P1", "start_date": "1990-03"}],
            "fetus": [{"fetus_id": "F1", "pregnancy_id": "G1", "pregnancy_outcome": "236973005"}],
        }
    )  # fmt: skip


def nomenclature() -> pd.DataFrame:
    """A nomenclature of six codes: 803 active, 166775 moved to 803, 900 and 901 moved to each other."""
    return pd.DataFrame(
        {
            "orpha_code": [803, 166775, 900, 901, 98497, 77],
            "status": ["Active", "Inactive: Deprecated", "Inactive: Deprecated", "Inactive: Deprecated",
                       "Active", "Inactive: Obsolete"],
            "level": ["Disorder", "Disorder", "Disorder", "Disorder", "Group of disorders", "Disorder"],
            "moved_to": pd.array([None, 803, 901, 900, None, None], dtype="Int64"),
        }
    )  # fmt: skip


def write(
    folder: Path,
    rows: Rows,
    *,
    columns: dict[str, list[str]] | None = None,
    encoding: str = "utf-8",
    separator: str = ";",
    **extract: Any,
) -> Path:
    """Write raw files in the official layout, header first, and extract.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in DECLARED:
        if table not in rows:
            continue
        names = (columns or {}).get(table, raw_columns(table))
        with (folder / f"{table}.csv").open("w", encoding=encoding, newline="") as handle:
            writer = csv.writer(handle, delimiter=separator, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([row.get(name, "") for name in names] for row in rows[table])
    (folder / "extract.json").write_text(json.dumps({"extraction_date": EXTRACTED} | extract), encoding="utf-8")
    return folder


def tidy(out: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(out / "tidy" / f"{table}.parquet")


def rejected(out: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(out / "rejected" / f"{table}.parquet")


def reasons(out: Path, table: str, key: str) -> dict[str, str]:
    frame = rejected(out, table)
    return dict(zip(frame[key], frame["reason"], strict=True))
