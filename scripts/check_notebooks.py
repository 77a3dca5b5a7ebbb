"""Check that notebooks carry no outputs, no long cells and no logic beyond calls."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
LONGEST_CELL = 30


def faults_of(path: Path) -> list[str]:
    """List what is wrong with one notebook."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    name = path.relative_to(ROOT)
    faults = []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        if cell.get("outputs") or cell.get("execution_count"):
            faults.append(f"{name}, cell {number}: stored outputs")
        lines = cell.source.splitlines()
        if len(lines) > LONGEST_CELL:
            faults.append(f"{name}, cell {number}: {len(lines)} lines belong in the package")
        if any(line.lstrip().startswith(("def ", "class ", "for ", "while ")) for line in lines):
            faults.append(f"{name}, cell {number}: logic belongs in the package")
    return faults


def main() -> int:
    """Print each fault; return 1 if there is any."""
    paths = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("studies/*/*.ipynb")])
    faults = [fault for path in paths for fault in faults_of(path)]
    print("\n".join(faults) if faults else f"notebooks: {len(paths)} without outputs, cells short")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
