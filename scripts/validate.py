"""The long proofs: run each, print it, and write ``docs/validation.md`` with its figures.

``--only WORD`` runs the proofs whose title holds the word, and writes nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from epi.files import write_text
from validation.proof import ROOT, Proof, Row, Setting

PACKAGES = ("duckdb", "ibis-framework", "numpy", "pandas", "scipy", "statsmodels")
MODULES = (
    "case_control",
    "intervals",
    "registry_faults",
    "builds",
    "kills",
    "disclosure",
    "smoothing",
    "geography",
    "association",
    "spatial",
    "survival_curves",
    "cox",
    "newborn_screening",
)
"""Modules of ``scripts/validation``, in the order of the page."""


def collect_proofs() -> list[Proof]:
    """Gather the proofs of every module, in the order of the page."""
    return [proof for name in MODULES for proof in importlib.import_module(f"validation.{name}").PROOFS]


def main() -> int:
    """Run the proofs and write the page; return 1 when one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--persons", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="a word of the titles to run; the page is then left alone")
    asked = parser.parse_args()
    from epi.workspace import build_workspace
    from epi.world import build_world

    sections: list[tuple[str, list[Row]]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        world = build_world(folder / "world", persons=asked.persons, seed=1).path
        build_workspace(world, folder / "workspace")
        setting = Setting(asked.replicates, folder, world, folder / "workspace")
        for title, proof in collect_proofs():
            if asked.only.lower() not in title.lower():
                continue
            print(title, flush=True)
            rows = []
            for row in proof(setting):
                print("  ", "ok " if row[2] else "BAD", row[0], "|", row[1], flush=True)
                rows.append(row)
            sections.append((title, rows))
    if not asked.only:
        write_text(ROOT / "docs" / "validation.md", page(sections, asked.persons))
    return 0 if all(row[2] for _, rows in sections for row in rows) else 1


def page(sections: list[tuple[str, list[Row]]], persons: int) -> str:
    """Write the results as a page."""
    used = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Validation",
        "",
        f"Written by `make validate` on {dt.date.today()}, Python {platform.python_version()}, {used}; "
        f"synthetic France of {persons:,} persons asked, seed 1. Criteria are fixed beforehand: coverage is held "
        "against 95 % by an exact binomial test (p > 0.001; one-sided for exact intervals, which may cover more), a "
        "planted rate is within 4 standard errors of its estimate. CI runs a short form of each.",
    ]
    for title, rows in sections:
        lines += ["", f"## {title}", "", "| what | found | holds |", "| --- | --- | --- |"]
        lines += [f"| {what} | {found} | {'yes' if holds else '**no**'} |" for what, found, holds in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
