"""A batch under way: a few long-lived processes, each job's end written as soon as it is known."""

from __future__ import annotations

import datetime as dt
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from epi.disclosure.ledger import append_line, read_lines
from epi.runner.batch.definition import Batch, Job
from epi.runner.budget import Budget

JOURNAL = "jobs.jsonl"


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    key : str
        The job.
    status : {"done", "failed", "stopped"}
        Its end.
    run_id : str, optional
        Its run, when it is done.
    reused : bool, optional
        Whether the run was already there.
    executed : int, optional
        Notebooks really executed.
    seconds, wall : float, optional
        Seconds of the run itself, and until the answer came.
    peak_memory_mb : float, optional
        The largest kernel.
    cause : str, optional
        Why it failed, without any value.
    code : int, optional
        The exit code that the same failure has on its own.
    """

    key: str
    status: str
    run_id: str = ""
    reused: bool = False
    executed: int = 0
    seconds: float = 0.0
    wall: float = 0.0
    peak_memory_mb: float = 0.0
    cause: str = ""
    code: int = 0


class BatchCourse:
    """What :func:`run_batch` tells about its course; this one keeps it to itself."""

    def at(self, job: Job, where: str) -> None:
        """Hear where a job is.

        Parameters
        ----------
        job : Job
            The job.
        where : str
            Its notebook and cell.
        """

    def end(self, job: Job, outcome: Outcome, done: int, total: int) -> None:
        """Hear that a job ended.

        Parameters
        ----------
        job : Job
            The job.
        outcome : Outcome
            How.
        done, total : int
            Jobs ended and jobs of the batch.
        """


def batch_folder(runs_dir: str | os.PathLike[str], batch: Batch) -> Path:
    """Give the folder of a batch: its journal and its summary.

    Parameters
    ----------
    runs_dir : path-like
        The folder of runs.
    batch : Batch
        The batch.

    Returns
    -------
    Path
        ``runs_dir/study/batch-name``.
    """
    return Path(runs_dir).resolve() / batch.study.name / f"batch-{batch.name}"


def read_outcomes(folder: Path) -> dict[str, Outcome]:
    """Read how the jobs of a batch last ended.

    Parameters
    ----------
    folder : Path
        From :func:`batch_folder`.

    Returns
    -------
    dict of str to Outcome
        By job.
    """
    known = set(Outcome.__dataclass_fields__)
    lines = read_lines(folder / JOURNAL)
    return {str(line["key"]): Outcome(**{name: line[name] for name in known & line.keys()}) for line in lines}


def run_batch(
    batch: Batch,
    *,
    workspace: str | os.PathLike[str] | None = None,
    runs_dir: str | os.PathLike[str] = "runs",
    jobs: int = 1,
    only_failed: bool = False,
    force: bool = False,
    course: BatchCourse | None = None,
    budget: Budget | None = None,
) -> dict[str, Outcome]:
    """Run the jobs of a batch, several at a time; a failure stops its own job and no other.

    Parameters
    ----------
    batch : Batch
        From :func:`~epi.runner.batch.definition.read_batch`.
    workspace : path-like, optional
        The workspace; by default ``EPI_WORKSPACE``.
    runs_dir : path-like, optional
        Folder of runs.
    jobs : int, optional
        Processes at a time; they share the machine's cores.
    only_failed : bool, optional
        Leave the jobs that this batch has already done alone.
    force : bool, optional
        Execute every step.
    course : BatchCourse, optional
        Told of each cell and of each end.
    budget : Budget, optional
        A ceiling for each step of each job; processes at a time share the machine.

    Returns
    -------
    dict of str to Outcome
        By job, in the order of the batch; those of earlier times where they were left alone.
    """
    folder = batch_folder(runs_dir, batch)
    before = read_outcomes(folder)
    waiting = [
        job for job in batch.jobs if not (only_failed and job.key in before and before[job.key].status == "done")
    ]
    crew = _Crew(folder, waiting, jobs, course or BatchCourse())
    crew.words = {
        "study": str(batch.study.folder),
        "workspace": str(Path(workspace).resolve()) if workspace else None,
        "runs": str(Path(runs_dir).resolve()),
        "force": force,
        "budget": asdict(budget) if budget else None,
    }
    ended = crew.work()
    return {job.key: found for job in batch.jobs if (found := ended.get(job.key) or before.get(job.key))}


class _Crew:
    """Threads, each of which hands jobs to a process of its own and replaces it when it dies."""

    def __init__(self, folder: Path, waiting: list[Job], size: int, course: BatchCourse) -> None:
        self.folder, self.course = folder, course
        self.total = len(waiting)
        self.size = max(1, min(size, len(waiting)))
        self.words: dict[str, Any] = {}
        self.ended: dict[str, Outcome] = {}
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in waiting:
            self._jobs.put(job)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._processes: set[subprocess.Popen[str]] = set()

    def work(self) -> dict[str, Outcome]:
        """Work until no job waits; a stop by the user stops every process politely."""
        threads = [threading.Thread(target=self._serve, name=f"batch-{number}") for number in range(self.size)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        except BaseException:
            self._stopped.set()
            with self._lock:
                for process in self._processes:
                    with suppress(OSError):
                        process.terminate()
            for thread in threads:
                thread.join()
            raise
        return self.ended

    def _serve(self) -> None:
        process: subprocess.Popen[str] | None = None
        while not self._stopped.is_set():
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if process is not None and process.poll() is not None:
                self._dismiss(process)
                process = None
            process = process or self._start()
            self._end(job, self._hand(process, job))
        if process is not None:
            self._dismiss(process)

    def _start(self) -> subprocess.Popen[str]:
        cores = os.cpu_count() or 1
        threads = str(max(1, min(cores // self.size, int(os.environ.get("EPI_THREADS", cores)))))
        process = subprocess.Popen(  # this interpreter, this package
            [sys.executable, "-m", "epi.runner.batch.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # may quote values; failures are told on the answers' line
            text=True,
            encoding="utf-8",
            env={**os.environ, "EPI_THREADS": threads},
            start_new_session=True,
        )
        with self._lock:
            self._processes.add(process)
        return process

    def _hand(self, process: subprocess.Popen[str], job: Job) -> Outcome:
        begun = time.perf_counter()
        asked = {**self.words, "preset": job.preset, "given": {name: _plain(v) for name, v in job.given.items()}}
        with suppress(BrokenPipeError):
            _pipe(process.stdin).write(json.dumps(asked) + "\n")
            _pipe(process.stdin).flush()
        for line in _pipe(process.stdout):
            told: Mapping[str, Any] = json.loads(line)
            if "end" in told:
                return Outcome(job.key, **told["end"], wall=round(time.perf_counter() - begun, 3))
            self.course.at(job, str(told["at"]))
        code = process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return Outcome(job.key, "failed", cause=f"its process {how}", code=8)

    def _end(self, job: Job, outcome: Outcome) -> None:
        with self._lock:
            if outcome.status != "stopped":
                self.ended[job.key] = outcome
                now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
                append_line(self.folder / JOURNAL, {**asdict(outcome), "label": job.label, "ended": now})
            self.course.end(job, outcome, len(self.ended), self.total)

    def _dismiss(self, process: subprocess.Popen[str]) -> None:
        with suppress(OSError):
            _pipe(process.stdin).close()
        process.wait()
        _pipe(process.stdout).close()
        with self._lock:
            self._processes.discard(process)


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise RuntimeError("the process was started without a pipe")
    return stream


def _plain(value: Any) -> Any:
    from epi.runner.inspection import plain_value

    return plain_value(value)
