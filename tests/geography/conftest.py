from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def open_data() -> Path | None:
    """The folder of open French data, where it is present."""
    here = Path(__file__).resolve().parents[2]
    for folder in (os.environ.get("EPI_OPEN_DATA"), here.parent / "shared" / "data"):
        if folder and (Path(folder) / "communes_2026.csv.gz").exists():
            return Path(folder)
    return None
