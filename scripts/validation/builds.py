"""A build gives the same bytes again, and a killed one leaves nothing half done."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from validation.proof import Proof, Row, Setting


def same_seed_same_bytes(setting: Setting) -> Iterator[Row]:
    """Build one world twice, with one and with two threads."""
    digests = []
    for threads in ("1", "2"):
        out = setting.folder / f"bytes{threads}"
        code = f"from epi.world import build_world; build_world({str(out)!r}, persons=1_000_000, seed=5)"
        limits = dict.fromkeys(("EPI_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | limits)
        state = hashlib.sha256()
        for file in sorted(path for path in out.rglob("*") if path.is_file()):
            state.update(str(file.relative_to(out)).encode() + file.read_bytes())
        digests.append(state.hexdigest())
    yield (
        "same seed, 1 and 2 threads, 1 M persons",
        f"digests {digests[0][:12]} and {digests[1][:12]}",
        (digests[0] == digests[1]),
    )


def killed_builds(setting: Setting) -> Iterator[Row]:
    """Kill a workspace build at instants spread over its length; what is left must be nothing or whole."""
    from epi.workspace import build_workspace, fingerprint_of
    from epi.world import build_world

    times = 10
    folder = setting.folder
    world = build_world(folder / "killed_world", persons=400_000, seed=2).path
    started = time.monotonic()
    build_workspace(world, folder / "clean")
    length = time.monotonic() - started + 2
    clean = fingerprint_of(folder / "clean")
    halves = wrong = 0
    for step in range(times):
        out = folder / f"killed{step}"
        code = f"from epi.workspace import build_workspace; build_workspace({str(world)!r}, {str(out)!r})"
        child = subprocess.Popen([sys.executable, "-c", code])
        try:
            child.wait(timeout=length * (step + 0.5) / times)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        halves += out.exists() and not (out / "workspace.json").is_file()
        build_workspace(world, out)
        wrong += fingerprint_of(out) != clean
    yield (
        f"workspace build killed at {times} instants",
        f"{halves} half-written, {wrong} unlike a clean one",
        (not halves and not wrong),
    )


PROOFS: list[Proof] = [("Determinism", same_seed_same_bytes), ("Killed builds", killed_builds)]
