from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def open_data() -> Path | None:
    """Folder of open French data, when there is one."""
    stated = os.environ.get("EPI_OPEN_DATA")
    place = Path(stated) if stated else Path(__file__).parents[3] / "shared" / "data"
    return place if (place / "manifest.csv").is_file() else None
