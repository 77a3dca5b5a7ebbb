"""Derive the compact life table of France that the package carries.

Usage: EPI_OPEN_DATA=... python scripts/derive_life_tables.py

Writes ``src/epi/survival/data/life_table_france.parquet``. Same inputs, same bytes. The source's tables cover
three years and carry the number of the last one: each is put at its middle year. Sources and licences:
``SOURCES.md`` beside it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pandas as pd

from epi.files import write_parquet

TARGET = Path(__file__).resolve().parents[1] / "src" / "epi" / "survival" / "data" / "life_table_france.parquet"


def derive(folder: Path) -> pd.DataFrame:
    """Put each three-year table at its middle year."""
    source = pd.read_csv(folder / "life_tables_france_1977_2022.csv.gz")
    if (source["year"] - source["period_start"] != 2).any():
        raise SystemExit("a table does not cover three years")
    return pd.DataFrame({
        "sex": source["sex"].map({"female": "F", "male": "M"}),
        "year": (source["year"] - 1).astype("int16"),
        "age": source["age"].astype("int8"),
        "hazard_per_day": source["hazard_per_day"],
    }).sort_values(["sex", "year", "age"], ignore_index=True)  # fmt: skip


if __name__ == "__main__":
    if "EPI_OPEN_DATA" not in os.environ:
        sys.exit("EPI_OPEN_DATA names no folder of open data")
    write_parquet(TARGET, derive(Path(os.environ["EPI_OPEN_DATA"])))
