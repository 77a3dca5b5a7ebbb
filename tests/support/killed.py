"""A process that is killed (signal 9) at its k-th act on a folder: what a power cut or an impatient hand does.

``python killed.py K PLACE STUDY RUNS`` runs a study and dies at the k-th file that the runner opens
for writing, renames, removes or makes under PLACE. A kernel does the same when its study imports
this module and ``EPI_KILL_KERNEL`` gives its k.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

KERNEL = "EPI_KILL_KERNEL"


def kill_at(number: int, place: str) -> None:
    """Die at an act under a folder, counted from 1."""
    left = [number]

    def hear(event: str, given: tuple[object, ...]) -> None:
        if event == "open":
            flags = given[2] if len(given) > 2 else 0
            acts = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
        else:
            acts = event in {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
        if (
            acts
            and given
            and isinstance(given[0], str | bytes | os.PathLike)
            and os.fsdecode(given[0]).startswith(place)
        ):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def arm_kernel() -> None:
    """Arm a kernel, where the variable says so."""
    if number := os.environ.get(KERNEL):
        kill_at(int(number), os.environ["EPI_RUN_DIR"])


if __name__ == "__main__":
    from epi.runner.run import run_study
    from epi.runner.study import open_study

    if int(sys.argv[1]):
        kill_at(int(sys.argv[1]), str(Path(sys.argv[2]).resolve()))
    run_study(open_study(sys.argv[3]), runs_dir=sys.argv[4])
