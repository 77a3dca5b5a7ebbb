"""Budgets: a step over its memory or time is stopped and told, and nothing it started outlives it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from epi.cli import app
from epi.errors import ParameterError, RunError
from epi.runner.budget import Budget, Family
from epi.runner.environment import kernel_environment
from epi.runner.folder import list_runs
from epi.runner.forecast import forecast_run
from epi.runner.kernel import execute
from epi.runner.plan import freeze_plan, plan_record
from epi.runner.run import run_study
from epi.runner.study import open_study
from runner.toy import one_notebook, write_notebook, write_toy_study

HUNGRY = "import subprocess, sys, time\nheld = subprocess.Popen([sys.executable, '-c', 'x = b\"1\" * 900_000_000; import time; time.sleep(60)'])"  # fmt: skip  # noqa: E501
LEFT = """
import os, subprocess, sys
plain = subprocess.Popen(["sleep", "300"])
print(plain.pid)
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        os.execvp("sleep", ["sleep", "301"])
    os._exit(0)
os.waitpid(child, 0)
"""


def run_cells(tmp_path: Path, *cells: str, budget: Budget | None = None):
    folder = tmp_path / "work"
    folder.mkdir()
    write_notebook(folder / "01_only.ipynb", [("code", cell) for cell in cells])
    return execute(
        folder / "01_only.ipynb", {}, folder=folder, environment=kernel_environment(), log=tmp_path / "log",
        budget=budget,
    )  # fmt: skip


def test_memory_is_that_of_the_children_too_and_the_cell_is_named(tmp_path: Path) -> None:
    done = run_cells(tmp_path, "1", HUNGRY, "time.sleep(60)", budget=Budget(memory_mb=600))
    assert done.failure is not None and done.failure.cell in {2, 3}
    assert done.failure.died.startswith("was killed for memory: it used ") and done.failure.died.endswith("of 600 MB")
    assert done.peak_bytes > 600e6 and done.seconds < 50
    assert not [p for p in psutil.process_iter(["cmdline"]) if "900_000_000" in " ".join(p.info["cmdline"] or [])]


def test_time_runs_out(tmp_path: Path) -> None:
    done = run_cells(tmp_path, "1", "import time\ntime.sleep(100)", budget=Budget(minutes=0.08))
    assert done.failure is not None and done.failure.cell == 2 and done.seconds < 60
    assert done.failure.died == "was stopped for time: its budget of 0.08 minutes ran out"


def test_what_a_notebook_leaves_running_ends_with_it(tmp_path: Path) -> None:
    done = run_cells(tmp_path, LEFT, "import time\ntime.sleep(0.5)")
    assert done.failure is None
    pid = int(done.notebook.cells[0].outputs[0]["text"].split()[0])
    assert not psutil.pid_exists(pid)
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "301"]]


def test_a_family_is_only_its_own() -> None:
    with subprocess.Popen(["sleep", "60"], env={"EMPTY": ""}) as stranger:
        for marker in ("a marker that no process has", ""):
            Family(marker).kill()
        assert stranger.poll() is None
        own = Family("")
        assert own.measure(stranger.pid) > 0
        own.kill()
        assert not psutil.pid_exists(stranger.pid)
    assert own.measure(psutil.Process().pid) == 0, "a number that another process got is nobody of the family"
    own.kill()


def test_a_budget_changes_no_result_and_the_smaller_one_holds(tmp_path: Path) -> None:
    folder = one_notebook(tmp_path / "studies", [("code", "import time\ntime.sleep(4)")])
    plain = open_study(folder)
    freeze_plan(plain, reason="before the data")
    digest = plain.digest()
    text = (folder / "protocol.yml").read_text(encoding="utf-8")
    line = "{file: 01_only.ipynb, title: {fr: Un, en: One}"
    (folder / "protocol.yml").write_text(
        text.replace(line, line + ", memory_mb: 4000, minutes: 0.05"), encoding="utf-8"
    )
    budgeted = open_study(folder)
    assert budgeted.digest() == digest and plan_record(budgeted, {})["status"] == "kept"
    (step,) = forecast_run(budgeted, runs_dir=tmp_path / "runs", budget=Budget(memory_mb=5000, minutes=5)).steps
    assert (step.memory_mb, step.minutes) == (4000, 0.05)
    said = CliRunner().invoke(app, ["run", str(folder), "--runs", str(tmp_path / "runs"), "--dry-run"]).output
    assert "4,000 MB, 0.05 min" in " ".join(said.split())
    with pytest.raises(RunError, match="stopped for time") as caught:
        run_study(budgeted, runs_dir=tmp_path / "runs")
    assert "--minutes" in str(caught.value) and caught.value.exit_code == 8
    (folder / "protocol.yml").write_text(text, encoding="utf-8")
    done = run_study(open_study(folder), runs_dir=tmp_path / "runs", budget=Budget(minutes=5))
    assert done.status == "done" and done.reason == "started again after a failure"
    assert len(list_runs(tmp_path / "runs")) == 1, "the same run, whatever it was given"


def test_bounds() -> None:
    for words in ({"memory_mb": 1}, {"minutes": 0}, {"minutes": 1e9}):
        with pytest.raises(ParameterError):
            Budget(**words)


def test_comments_of_a_protocol_are_no_change_and_what_it_says_is(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path)
    digest = open_study(folder).digest()
    text = (folder / "protocol.yml").read_text(encoding="utf-8")
    (folder / "protocol.yml").write_text("# a remark\n" + text, encoding="utf-8")
    assert open_study(folder).digest() == digest
    (folder / "protocol.yml").write_text(text.replace("default: 18", "default: 19"), encoding="utf-8")
    assert open_study(folder).digest() != digest
