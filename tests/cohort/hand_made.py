"""A tiny registry written by hand: each patient in one line, the rest filled in as a good file would be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

import epi.cohort  # noqa: F401  (hangs the verb on workspaces)
from epi.sources.bndmr import schema
from epi.workspace import Workspace, open_workspace

EXTRACTION = "2024-06-30"


class Registry:
    """Tables to be, as lists of rows."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in schema.TABLES}
        for code, fsmr, kind in (
            ("S0001", "FILSLAN", "CRMR_coordinator"),
            ("S0002", "FILSLAN", "CCMR"),
            ("S0003", "MCGRE", "CCMR"),
        ):
            self.rows["site"].append({"site_code": code, "fsmr": fsmr, "centre_type": kind, "site_name": code})

    def patient(
        self,
        patient_id: str,
        birth: str = "1960-05",
        sex: str = "F",
        commune: str | None = "38185",
        birth_commune: str | None = "38185",
        *,
        country: str | None = "FR",
        fetus: bool = False,
        died: str | None = None,
        opposed: bool = False,
        note: bool | None = True,
        care: str | None = "2015-01-10",
        site: str = "S0001",
        out_of_label: bool = False,
    ) -> Registry:
        """Add a patient; followed since `care` unless it is None."""
        year, month = map(int, birth.split("-"))
        self.rows["patient"].append(
            {
                "patient_id": patient_id,
                "sex": sex,
                "birth_year": year,
                "birth_month": month,
                "birth_date": f"{birth}-15",
                "birth_commune": birth_commune,
                "residence_commune": commune,
                "residence_country": country,
                "is_fetus": fetus,
                "vital_status": "deceased" if died else "alive",
                "death_date": died,
                "death_date_precision": "day" if died else None,
                "file_created": "2014-01-01",
                "source": "AUTONOMOUS",
            }
        )
        self.rows["opposition"].append(
            {
                "patient_id": patient_id,
                "bamara_informed": True,
                "bndmr_note_given": note,
                "bndmr_opposed": opposed,
                "opposition_date": "2016-01-01" if opposed else None,
            }
        )
        if care is not None:
            self.care(patient_id, site, care, out_of_label=out_of_label)
        return self

    def care(self, patient_id: str, site: str, day: str, *, out_of_label: bool = False) -> Registry:
        """Add a care; its activities are added with :meth:`activity`."""
        self.rows["care"].append(
            {
                "care_id": f"C{len(self.rows['care']):04d}",
                "patient_id": patient_id,
                "site_code": site,
                "inclusion_date": day,
                "inclusion_date_precision": "day",
                "out_of_label": out_of_label,
            }
        )
        return self

    def activity(self, patient_id: str, day: str, context: str = "consultation") -> Registry:
        """Add an activity to the patient's last care."""
        care = [row["care_id"] for row in self.rows["care"] if row["patient_id"] == patient_id][-1]
        self.rows["activity"].append(
            {
                "activity_id": f"A{len(self.rows['activity']):04d}",
                "care_id": care,
                "activity_date": day,
                "context": context,
            }
        )
        return self

    def diagnosis(
        self,
        patient_id: str,
        orpha: int | None = 803,
        day: str | None = "2015-03-12",
        status: str = "confirmed",
        *,
        precision: str = "day",
        current: int | None = None,
        signs_days: float | None = None,
    ) -> Registry:
        """Add a diagnosis; `day` stands at the middle of a month or year known as `precision`."""
        self.rows["diagnosis"].append(
            {
                "diagnosis_id": f"D{len(self.rows['diagnosis']):04d}",
                "patient_id": patient_id,
                "status": status,
                "orpha_code": orpha,
                "orpha_code_current": current if current is not None else orpha,
                "diagnosis_date": day,
                "diagnosis_date_precision": precision if day else None,
                "first_signs_age_days": signs_days,
            }
        )
        return self

    def write(self, folder: Path, shuffle: int | None = None) -> Path:
        """Write the workspace folder, rows shuffled by a seed if one is given."""
        (folder / "tidy").mkdir(parents=True)
        for name, rows in self.rows.items():
            types = schema.tidy_types(name)
            ordered = list(rows)
            if shuffle is not None:
                ordered = [rows[i] for i in np.random.default_rng(shuffle).permutation(len(rows))]
            frame = pd.DataFrame(
                {column: pd.Series([row.get(column) for row in ordered], dtype=object) for column in types}
            )
            casts = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in types.items())
            with duckdb.connect() as connection:
                text = frame.map(lambda value: None if value is None else str(value)).astype("string[pyarrow]")
                connection.register("frame", text)
                target = folder / "tidy" / f"{name}.parquet"
                connection.execute(f"COPY (SELECT {casts} FROM frame) TO '{target}' (FORMAT parquet)")
        statement = {
            "format": 1,
            "title": "Hand-made registry",
            "synthetic": True,
            "extraction_date": EXTRACTION,
            "tables": {name: len(rows) for name, rows in self.rows.items()},
        }
        (folder / "workspace.json").write_text(json.dumps(statement), encoding="utf-8")
        return folder

    def open(self, folder: Path, *, shuffle: int | None = None, **options: Any) -> Workspace:
        """Write and open it."""
        return open_workspace(self.write(folder, shuffle), **options)
