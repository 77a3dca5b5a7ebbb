"""Execute every tutorial notebook on a workspace; stop at the first failure, and say which cell.

A notebook whose metadata say ``{"epi": {"needs": ["open_data"]}}`` is executed where ``EPI_OPEN_DATA`` names the
folder of open data, and named as left out elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import papermill

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Execute the notebooks in order; return 1 when one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", default="build/workspace")
    parser.add_argument("--out", default="build/notebooks")
    asked = parser.parse_args()
    os.environ["EPI_WORKSPACE"] = str(Path(asked.workspace).resolve())
    out = Path(asked.out)
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        needs = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("epi", {}).get("needs", [])
        if "open_data" in needs and not os.environ.get("EPI_OPEN_DATA"):
            print(f"{path.name}: left out, it reads open data (EPI_OPEN_DATA)")
            continue
        started = time.monotonic()
        try:
            papermill.execute_notebook(
                path, out / path.name, kernel_name="python3", cwd=str(path.parent), progress_bar=False
            )
        except papermill.PapermillExecutionError as error:
            print(f"{path.name}, cell {error.cell_index}: {error.ename}: {error.evalue}")
            return 1
        print(f"{path.name}: {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
