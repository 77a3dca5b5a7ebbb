"""A tiny workspace, anew for each test."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from support.tiny_registry import registry, write_workspace


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    return registry()


@pytest.fixture
def folder(tmp_path, tables) -> Path:
    return write_workspace(tmp_path / "ws", tables)
