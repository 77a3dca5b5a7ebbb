"""Batches: what a file asks for, failures that stay alone, a stop that loses nothing."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from epi.errors import ParameterError
from epi.runner.batch import BatchCourse, Job, Outcome, read_batch, run_batch, write_summary
from epi.runner.batch.course import batch_folder, read_outcomes
from runner.toy import COUNTS, write_toy_study

FAILS_AT_40 = ("code", "assert minimum_age != 40")
DIES_AT_41 = ("code", "import os, signal\nif minimum_age == 41:\n    os.kill(os.getppid(), signal.SIGKILL)")


class Heard(BatchCourse):
    """Keeps what a batch tells."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []
        self.places: set[str] = set()

    def at(self, job: Job, where: str) -> None:
        self.places.add(where)

    def end(self, job: Job, outcome: Outcome, done: int, total: int) -> None:
        self.ends.append((job.label, outcome.status))


def write_batch(place: Path, text: str) -> Path:
    path = place / "ages.yml"
    path.write_text(f"study: {place / 'studies' / 'toy'}\n{text}", encoding="utf-8")
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_toy_study(tmp_path / "studies", counts=[*COUNTS[:3], FAILS_AT_40, DIES_AT_41, *COUNTS[3:]])
    return tmp_path


def test_presets_cross_the_grid_and_nothing_comes_twice(place: Path) -> None:
    grid = "presets: [older]\ngrid: {minimum_age: [20, 30], drawn: [true, false]}\nfixed: {share: 0.25}\n"
    batch = read_batch(write_batch(place, grid + "jobs:\n  - {minimum_age: 20, drawn: true}\n  - {preset: older}\n"))
    assert [job.label for job in batch.jobs] == [
        "older, share=0.25, minimum_age=20, drawn=True",
        "older, share=0.25, minimum_age=20, drawn=False",
        "older, share=0.25, minimum_age=30, drawn=True",
        "older, share=0.25, minimum_age=30, drawn=False",
        "older, share=0.25",
    ], "the first of the list is the first of the grid"
    assert batch.compare == ("n_kept", "older_share") and batch.name == "ages"
    assert [job.label for job in read_batch(write_batch(place, "")).jobs] == ["as the protocol says"]
    assert [job.preset for job in read_batch(write_batch(place, "jobs: [{preset: older}]\n")).jobs] == ["older"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("grid: {minimum_age: [20, 200]}", r"1 fault\(s\); nothing was started.*\n.*job 2: .*minimum_age"),
        ("grid: {age: [20]}", "job 1: .*age"),
        ("presets: [young]", "job 1: .*no preset 'young'"),
        ("grid: {minimum_age: []}", "at least 1 item"),
        ("grids: {}", "grids: extra inputs"),
        ("jobs: [{words: !!python/object/apply:os.system [x]}]", "YAML"),
    ],
)
def test_a_batch_that_is_wrong_starts_nothing(place: Path, text: str, said: str) -> None:
    with pytest.raises(Exception, match=said) as caught:
        read_batch(write_batch(place, text))
    assert type(caught.value).__module__ == "epi.errors"


def test_a_file_that_is_not_there_or_cannot_name_a_batch(place: Path) -> None:
    with pytest.raises(ParameterError, match="no batch file"):
        read_batch(place / "nothing.yml")
    (place / "1 x.yml").write_text("study: toy\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="cannot name a batch"):
        read_batch(place / "1 x.yml")


def test_a_failure_and_a_death_stop_their_own_job_only(place: Path) -> None:
    runs = place / "runs"
    batch = read_batch(write_batch(place, "grid: {minimum_age: [20, 40, 41, 30]}\n"))
    heard = Heard()
    outcomes = run_batch(batch, runs_dir=runs, jobs=1, course=heard)
    assert [(found.status, found.code) for found in outcomes.values()] == [
        ("done", 0),
        ("failed", 8),
        ("failed", 8),
        ("done", 0),
    ]
    causes = [found.cause for found in outcomes.values()]
    assert (
        causes[1].startswith("01_counts.ipynb, cell 4: AssertionError")
        and causes[2] == "its process was killed by signal 9"
    )
    assert any(where.startswith("1/2 01_counts.ipynb, cell ") for where in heard.places)
    assert [found.executed for found in outcomes.values()] == [2, 0, 0, 2]

    again = Heard()
    outcomes = run_batch(batch, runs_dir=runs, jobs=2, only_failed=True, course=again)
    assert {label for label, _ in again.ends} == {"minimum_age=40", "minimum_age=41"}
    assert [found.status for found in outcomes.values()] == ["done", "failed", "failed", "done"]

    folder = batch_folder(runs, batch)
    paths = write_summary(batch, outcomes, runs, folder)
    rows = list(csv.DictReader(paths[0].read_text(encoding="utf-8").splitlines()))
    assert [(row["minimum_age"], row["name"]) for row in rows] == [("20", "older_share"), ("30", "older_share")]
    content = json.loads(paths[1].read_text(encoding="utf-8"))
    assert [job["status"] for job in content["jobs"]] == ["done", "failed", "failed", "done"]
    page = paths[2].read_text(encoding="utf-8")
    assert "2 of 4 jobs are done" in page and page.count("<svg") == 1 and "http" not in page.split("</style>")[0]
    assert page.count('class="failed"') == 2


def test_done_jobs_answer_at_once_and_the_command_says_how_it_ended(place: Path) -> None:
    path = write_batch(place, "grid: {minimum_age: [20, 40]}\n")
    words = [sys.executable, "-m", "epi.cli", "batch", str(path), "--runs", str(place / "runs"), "--jobs", "2"]
    first = subprocess.run(words, capture_output=True, text=True, timeout=180, check=False)
    assert first.returncode == 8 and "1 of 2 jobs done" in first.stdout and "--only-failed" in first.stdout
    write_batch(place, "grid: {minimum_age: [20]}\n")
    second = subprocess.run([*words, "--json"], capture_output=True, text=True, timeout=60, check=False)
    (job,) = json.loads(second.stdout)["jobs"].values()
    assert second.returncode == 0 and job["reused"] and job["status"] == "done"
    plan = subprocess.run([*words, "--dry-run"], capture_output=True, text=True, timeout=60, check=False)
    assert plan.returncode == 0 and "0 of 2" in plan.stdout and "Nothing was started" in plan.stdout


def test_a_stopped_batch_leaves_no_process_and_goes_on(place: Path) -> None:
    path = write_batch(place, "grid: {minimum_age: [20, 21, 22, 23]}\n")
    runs = place / "runs"
    words = [sys.executable, "-m", "epi.cli", "batch", str(path), "--runs", str(runs), "--jobs", "2"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not read_outcomes(batch_folder(runs, read_batch(path))) and time.monotonic() < end:
        time.sleep(0.1)
    family = psutil.Process(child.pid).children(recursive=True)
    os.kill(child.pid, signal.SIGTERM)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130 and "what ended is kept" in said and "Traceback" not in said
    gone, alive = psutil.wait_procs(family, timeout=30)
    assert family and not alive and len(gone) == len(family)
    before = read_outcomes(batch_folder(runs, read_batch(path)))
    assert 0 < len(before) < 4
    outcomes = run_batch(read_batch(path), runs_dir=runs, jobs=2)
    assert [found.status for found in outcomes.values()] == ["done"] * 4
    assert sum(found.reused for found in outcomes.values()) >= len(before)
