"""A registry of a few communes with population and exposures, and the reason for each patient."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

COMMUNES = {
    "38185": "Grenoble, in the file",
    "38421": "Saint-Martin-d'Hères, in the file",
    "73065": "Chambéry, in the file",
    "69123": "Lyon, as a whole city",
    "97411": "Saint-Denis de La Réunion: environmental files stop at the sea",
    "74010": "Annecy: populated, absent from the exposure file",
}

# patient, recorded commune, birth month, sex, what should become of the air of their commune
PATIENTS = [
    ("p01", "38185", "1950-03", "M", "informed"),
    ("p02", "38421", "1948-07", "F", "informed"),
    ("p03", "69383", "1955-01", "F", "informed"),  # third arrondissement of Lyon: the city's value
    ("p04", None, "1960-11", "M", "no_residence"),
    ("p05", "99109", "1944-02", "F", "abroad"),
    ("p06", "98818", "1957-05", "M", "abroad"),  # Nouméa: a collectivity outside the communes
    ("p07", "45117", "1951-09", "F", "not_placed"),  # a commune that was split: none is chosen
    ("p08", "97411", "1949-04", "M", "missing_overseas"),
    ("p09", "74010", "1953-12", "F", "not_in_file"),
    ("p10", "73065", "1947-06", "M", "missing_value"),  # in the file, its value suppressed
    ("p11", "38185", "1990-08", "F", "informed"),
]

ABOUT = {
    name: {
        "label_en": label_en,
        "label_fr": label_fr,
        "unit": unit,
        "source": "small file",
        "producer": "INERIS",
        "vintage": "2021",
        "licence": "Licence Ouverte 2.0",
        "support": "commune",
        "origin": "synthetic",
        "direction_note": "higher = more",
    }
    for name, label_en, label_fr, unit in (
        ("pm25_ugm3", "Fine particles (PM2.5)", "Particules fines (PM2,5)", "µg/m³"),
        ("fdep_like", "Deprivation index", "Indice de défavorisation", ""),
    )
}


def exposures() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "insee_code": ["38185", "38421", "73065", "69123", "97411"],
            "pm25_ugm3": [11.5, 10.5, np.nan, 13.0, np.nan],
            "fdep_like": [0.1, 0.9, -0.4, -0.8, 2.2],
        }
    )


def population() -> pd.DataFrame:
    rows = [
        (code, sex, low, 1000 + 37 * place + low)
        for place, code in enumerate(COMMUNES)
        for sex in "FM"
        for low in range(0, 100, 5)
    ]
    return pd.DataFrame(rows, columns=["insee_code", "sex", "age_low", "persons"])


def write_workspace(folder: Path) -> Path:
    """Write the tidy tables and references of a workspace."""
    ids = [row[0] for row in PATIENTS]
    births = pd.to_datetime([f"{row[2]}-15" for row in PATIENTS])
    first = pd.Timestamp("2015-06-01")
    tables = {
        "patient": pd.DataFrame(
            {
                "patient_id": ids,
                "sex": [row[3] for row in PATIENTS],
                "birth_year": births.year,
                "birth_month": births.month,
                "birth_date": births,
                "residence_commune": pd.Series([row[1] for row in PATIENTS], dtype=object),
                "residence_country": "FR",
                "vital_status": "alive",
                "death_date": pd.Series([pd.NaT] * len(ids), dtype="datetime64[ns]"),
                "is_fetus": False,
                "file_created": first,
                "source": "CONNECTED",
            }
        ),
        "opposition": pd.DataFrame(
            {
                "patient_id": ids,
                "bamara_informed": True,
                "bndmr_note_given": True,
                "bndmr_opposed": False,
                "opposition_date": pd.Series([pd.NaT] * len(ids), dtype="datetime64[ns]"),
            }
        ),
        "site": pd.DataFrame(
            {
                "site_code": ["S0001", "S0002", "S0003"],
                "fsmr": ["FILSLAN", "FILSLAN", "MCGRE"],
                "centre_type": ["CRMR_coordinator", "CCMR", "CCMR"],
                "insee_commune": ["69383", "97411", "38185"],
                "label_start": pd.to_datetime(["2017-01-01", "2023-10-01", "2017-01-01"]),
                "label_end": pd.to_datetime(["2028-12-31"] * 3),
            }
        ),
        "care": pd.DataFrame(
            {
                "care_id": [f"c{name}" for name in ids],
                "patient_id": ids,
                "site_code": "S0001",
                "inclusion_date": first,
                "inclusion_date_precision": "day",
            }
        ),
        "diagnosis": pd.DataFrame(
            {
                "diagnosis_id": [f"d{name}" for name in ids],
                "patient_id": ids,
                "status": "confirmed",
                "orpha_code": 803,
                "orpha_code_current": 803,
                "diagnosis_date": first,
                "diagnosis_date_precision": "day",
            }
        ),
    }
    (folder / "tidy").mkdir(parents=True)
    (folder / "reference").mkdir()
    for name, table in tables.items():
        for column in table.columns:
            if str(table[column].dtype).startswith("datetime"):
                table[column] = table[column].dt.date
        table.to_parquet(folder / "tidy" / f"{name}.parquet", index=False)
    exposures().to_parquet(folder / "reference" / "exposures.parquet", index=False)
    (folder / "reference" / "exposures.json").write_text(json.dumps(ABOUT))
    population().to_parquet(folder / "reference" / "population.parquet", index=False)
    (folder / "reference" / "population.json").write_text("{}")
    about = {"title": "small France", "synthetic": True, "extraction_date": "2024-06-30", "format": 1}
    about["tables"] = {name: len(table) for name, table in tables.items()}
    (folder / "workspace.json").write_text(json.dumps(about))
    return folder
