"""Where open data are, and how tests read a world."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from epi.world import World


def open_data_folders() -> list[Path | None]:
    """No folder (synthetic fields), and the open data where they are."""
    named = os.environ.get("EPI_OPEN_DATA")
    place = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    return [None, *([place] if place.is_dir() else [])]


def read_raw(world: World, table: str) -> pd.DataFrame:
    """Read a raw table as texts."""
    return pd.read_csv(
        world.path / "raw" / f"{table}.csv", sep=";", dtype="string", keep_default_na=False, na_values=[""]
    )


def read_truth(world: World, name: str) -> pd.DataFrame:
    """Read a truth table."""
    return pd.read_parquet(world.path / "truth" / f"{name}.parquet")
