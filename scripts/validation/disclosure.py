"""Suppressed tables withstand attacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from validation.proof import ROOT, Proof, Row, Setting


def attacks(setting: Setting) -> Iterator[Row]:
    """Attack suppressed tables by integer programming and brute force."""
    effort = 10
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "tests/disclosure/test_recovery_attack.py"],
        cwd=ROOT, env=os.environ | {"EPI_EFFORT": str(effort)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    yield (
        f"recovery attacks on random tables, {effort} times those of the tests",
        done.stdout.strip().splitlines()[-1],
        done.returncode == 0,
    )


PROOFS: list[Proof] = [("Disclosure", attacks)]
