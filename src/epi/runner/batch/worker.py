"""A process that runs jobs one after the other: ``python -m epi.runner.batch.worker``.

It reads one JSON object for each job on its standard input and answers with one on its standard
output. Libraries are imported once for all its jobs; each notebook still has a kernel of its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import IO, Any

from epi.errors import EpiError
from epi.runner.budget import read_budget
from epi.runner.failure import publishable
from epi.runner.progress import Progress
from epi.runner.run import run_study
from epi.runner.study import open_study


class _Told(Progress):
    """Says which cell a job is at."""

    def __init__(self, answers: IO[str]) -> None:
        self.answers, self.notebook = answers, ""

    def begin(self, notebook: str, number: int, total: int, reason: str) -> None:
        self.notebook = f"{number}/{total} {notebook}"

    def cell(self, done: int, total: int) -> None:
        _answer(self.answers, {"at": f"{self.notebook}, cell {done} of {total}"})


def main() -> None:
    """Run the jobs that come in, until the input ends."""
    # The answers keep the real standard output to themselves: nothing else may write among them.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    for line in sys.stdin:
        try:
            _answer(answers, {"end": _run(json.loads(line), _Told(answers))})
        except KeyboardInterrupt:
            _answer(answers, {"end": {"status": "stopped", "cause": "stopped by the user"}})
            return


def _run(job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    try:
        done = run_study(
            open_study(job["study"]),
            job["given"],
            preset=job["preset"],
            workspace=job["workspace"],
            runs_dir=job["runs"],
            force=job["force"],
            budget=read_budget(job.get("budget")),
            progress=progress,
        )
    except EpiError as error:
        return {"status": "failed", "cause": _cause(error), "code": error.exit_code}
    except Exception as error:
        # Whatever it is, it is this job's failure and no other's; its words may quote values.
        return {"status": "failed", "cause": type(error).__name__, "code": 1}
    steps = done.manifest.get("timings", [])
    return {
        "status": "done",
        "run_id": done.run_id,
        "reused": done.reused,
        "seconds": 0.0 if done.reused else float(done.manifest.get("seconds", 0.0)),
        "executed": 0 if done.reused else sum(not step.get("reused") for step in steps),
        "peak_memory_mb": float(done.manifest.get("peak_memory_mb", 0.0)),
    }


def _cause(error: EpiError) -> str:
    step = getattr(error, "step", None)
    if step:
        return f"{step['notebook']}, cell {step['cell']}: {step['cause']}"
    return publishable(EpiError(error.arrived, error.expected).sentence) or type(error).__name__


def _stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _answer(answers: IO[str], value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
