"""A workspace with its rows in another order: what rests on their order must change nothing."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from epi.files import write_json


def shuffled(workspace: Path, out: Path) -> Path:
    """Copy a workspace with the rows of every table in another order."""
    (out / "tidy").mkdir(parents=True)
    with duckdb.connect() as connection:
        for file in sorted((workspace / "tidy").glob("*.parquet")):
            connection.execute("SELECT setseed(0.5)")
            connection.execute(
                f"COPY (SELECT * FROM read_parquet('{file}') ORDER BY random()) "
                f"TO '{out / 'tidy' / file.name}' (FORMAT parquet)"
            )
    for name in ("reference", "rejected"):
        (out / name).symlink_to(workspace / name)
    write_json(out / "workspace.json", json.loads((workspace / "workspace.json").read_text()))
    return out
