"""Execute every tutorial notebook on a workspace; stop at the first failure, and say which cell."""

from __future__ import annotations

import argparse
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
