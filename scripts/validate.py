"""The long proofs: run each, print it, and write ``docs/validation.md`` with its figures.

``--only WORD`` runs the proofs whose title holds the word; with ``--write`` their sections of the page are renewed and
the others left as they are.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

from epi.files import write_text
from validation.page import renew, write_section
from validation.proof import ROOT, Proof, Setting

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
    "survival_biases",
    "net_survival",
    "crude_death",
    "excess_hazard",
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
    parser.add_argument("--write", action="store_true", help="with --only: renew these sections of the page")
    asked = parser.parse_args()
    proofs = collect_proofs()
    chosen = [(title, proof) for title, proof in proofs if asked.only.lower() in title.lower()]
    if not chosen:
        parser.error(f"no title holds {asked.only!r}: " + "; ".join(title for title, _ in proofs))
    found, good = {}, True
    with tempfile.TemporaryDirectory() as place:
        setting = Setting(asked.replicates, Path(place), asked.persons)
        for title, proof in chosen:
            print(title, flush=True)
            rows = []
            for row in proof(setting):
                print("  ", "ok " if row[2] else "BAD", row[0], "|", row[1], flush=True)
                rows.append(row)
            found[title] = write_section(rows, asked.persons, asked.replicates)
            good = good and all(row[2] for row in rows)
            if asked.write or not asked.only:
                # After each proof: a run that is stopped loses none of those that ended.
                page = ROOT / "docs" / "validation.md"
                write_text(page, renew(page.read_text(encoding="utf-8"), found, [name for name, _ in proofs]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
