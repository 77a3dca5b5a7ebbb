"""A study runs: its folder, its record, its failures, and what is not run again."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from epi.errors import ParameterError, RunError, StorageError
from epi.files import digest_file
from epi.runner import identity
from epi.runner.environment import kernel_environment
from epi.runner.failure import cause_in_public, cause_in_words
from epi.runner.folder import Run, clear_folder, is_locked, list_runs, locked, open_run, run_folder
from epi.runner.kernel import CellFailure, execute
from epi.runner.run import run_study
from epi.runner.study import Study, open_study
from runner.toy import CANARY, HELPER, PROTOCOL, one_notebook, write_toy_study


class Listener:
    """Keeps what a run tells."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def begin(self, notebook: str, number: int, total: int, reason: str) -> None:
        self.heard.append(f"{number}/{total} {notebook}")

    def reuse(self, notebook: str, number: int, total: int, reason: str) -> None:
        self.heard.append(f"{number}/{total} {notebook} reused")

    def cell(self, done: int, total: int) -> None:
        self.heard.append(f"{done} of {total}")

    def end(self, notebook: str, seconds: float) -> None:
        assert seconds > 0


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return open_study(write_toy_study(tmp_path_factory.mktemp("studies")))


@pytest.fixture(scope="module")
def told() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def finished(study: Study, told: Listener, tmp_path_factory: pytest.TempPathFactory) -> Run:
    runs = tmp_path_factory.mktemp("{runs}")  # braces in a path are no template
    return run_study(study, {"minimum_age": "20"}, runs_dir=runs, progress=told)


def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a kernel was started")

    monkeypatch.setattr("epi.runner.kernel.execute", refuse)


def test_a_run_is_one_folder_with_one_manifest(finished: Run, study: Study) -> None:
    manifest = json.loads((finished.folder / "manifest.json").read_text(encoding="utf-8"))
    assert finished.status == manifest["status"] == "done"
    assert finished.folder.parts[-2:] == ("toy", manifest["run_id"])
    assert manifest["parameters"]["minimum_age"] == 20
    assert manifest["parameters"]["since"] == "2015-01-01"
    assert manifest["reason"] == "first run of this study here"
    assert manifest["study_digest"] == study.digest()
    assert manifest["packages"]["pandas"] and manifest["code"]["version"]
    assert [step["notebook"] for step in manifest["timings"]] == ["01_counts.ipynb", "02_figures.ipynb"]
    assert all(step["seconds"] > 0 and len(step["cells"]) > 3 for step in manifest["timings"])
    assert 30 < manifest["peak_memory_mb"] < 4000
    assert manifest["gate"]["released"] == 6 and manifest["gate"]["refused"] == 0
    assert manifest["gate"]["digest"] == digest_file(finished.folder / "gate.jsonl")
    assert finished.altered() == ()
    (finished.folder / "tables" / "extra.csv").write_text("n\n1\n", encoding="utf-8")
    assert finished.altered() == ("tables/extra.csv",)
    (finished.folder / "tables" / "extra.csv").unlink()


def test_results_are_canonical_and_the_attrition_has_its_place(finished: Run) -> None:
    rows = json.loads((finished.folder / "results.json").read_text(encoding="utf-8"))
    assert [(row["name"], row["estimate"], row["ci_low"], row["n"]) for row in rows] == [
        ("n_kept", 90, None, 90),
        ("older_share", 35.7, 27.3, 90),
    ]
    assert list(finished.results()["name"]) == ["n_kept", "older_share"]
    attrition = (finished.folder / "attrition.csv").read_text(encoding="utf-8")
    assert attrition == (finished.folder / "tables" / "attrition.csv").read_text(encoding="utf-8")
    assert "old enough" in attrition


def test_executed_notebooks_stay_private_and_hold_the_parameters(finished: Run) -> None:
    folder = finished.folder / "notebooks"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    text = (folder / "01_counts.ipynb").read_text(encoding="utf-8")
    assert CANARY in text and "minimum_age = 20" in text
    outside = [path for path in finished.folder.rglob("*") if path.is_file() and path.parent != folder]
    assert not [path.name for path in outside if CANARY.encode() in path.read_bytes()]


def test_progress_is_told_by_notebook_and_cell(finished: Run, told: Listener) -> None:
    assert told.heard[:2] == ["1/2 01_counts.ipynb", "1 of 10"]
    assert told.heard[-1] == "6 of 6"


def test_the_study_folder_is_left_as_it_was(finished: Run, study: Study) -> None:
    assert sorted(path.name for path in study.folder.iterdir()) == [
        "01_counts.ipynb",
        "02_figures.ipynb",
        "README.md",
        "parameters",
        "protocol.yml",
        "toy_helper.py",
    ]


def test_a_finished_run_is_not_run_again(finished: Run, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    no_kernel(monkeypatch)
    runs = finished.folder.parents[1]
    again = run_study(study, {"minimum_age": 20}, runs_dir=runs)
    assert again.reused and again.run_id == finished.run_id
    assert "nothing that determines its result has changed" in again.reason
    with pytest.raises(AssertionError, match="a kernel was started"):
        run_study(study, {"minimum_age": 21}, runs_dir=runs)
    changed = list_runs(runs)[0]
    assert changed.status == "failed" and "minimum_age is 21, was 20" in changed.manifest["reason"]
    assert {run.run_id for run in list_runs(runs, "toy")} == {finished.run_id, changed.run_id}
    assert list_runs(runs, "other") == []


def test_force_runs_again_and_a_lost_file_is_made_anew(
    finished: Run, study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_kernel(monkeypatch)
    folder = run_folder(tmp_path, "toy", finished.run_id)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes((finished.folder / "manifest.json").read_bytes())
    with pytest.raises(AssertionError, match="a kernel was started"):
        run_study(study, {"minimum_age": 20}, runs_dir=tmp_path, force=True)
    assert "--force" in open_run(tmp_path, "toy", finished.run_id).manifest["reason"]


def small(tmp_path: Path, *cells: tuple[str, str]) -> Study:
    return open_study(one_notebook(tmp_path / "studies", cells))


def test_a_failure_names_its_cell_and_cause_and_no_value(tmp_path: Path) -> None:
    marker = tmp_path / "broken"
    marker.touch()
    study = small(
        tmp_path,
        ("markdown", "# What fails"),
        ("code", f"from pathlib import Path\nvalue = '-'.join(['PAT', 'CANARY', str(7000 + 731)])\n# {tmp_path}"),
        ("code", f"if Path('{marker}').exists():\n    {{}}[value]"),
    )
    with pytest.raises(RunError) as caught:
        run_study(study, runs_dir=tmp_path / "runs")
    message = str(caught.value)
    (run,) = list_runs(tmp_path / "runs")
    assert message.startswith("01_only.ipynb failed in cell 3: KeyError at: {}[value].")
    assert str(run.folder / "notebooks" / "01_only.ipynb") in message
    assert caught.value.exit_code == 8
    assert run.status == "failed"
    assert run.manifest["failure"] == {
        "notebook": "01_only.ipynb",
        "cell": 3,
        "cause": "KeyError at: {}[value]",
    }
    canary = "PAT-CANARY-7731"
    assert canary not in message and canary not in (run.folder / "manifest.json").read_text(encoding="utf-8")
    assert canary in (run.folder / "notebooks" / "01_only.ipynb").read_text(encoding="utf-8")
    marker.unlink()
    (run.folder / "tables").mkdir()
    (run.folder / "tables" / "old.csv").write_text("left by the failed run\n", encoding="utf-8")
    again = run_study(study, runs_dir=tmp_path / "runs")
    assert again.status == "done" and again.reason == "started again after a failure"
    assert not (again.folder / "tables").exists()


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import os\nos.kill(os.getpid(), 9)", "the kernel was killed (signal 9), as happens when memory runs out"),
        ("raise SystemExit(0)", "it left by exit() before the notebook's end"),
    ],
)
def test_a_kernel_that_dies_or_leaves_is_a_failure(tmp_path: Path, source: str, cause: str) -> None:
    study = small(tmp_path, ("code", source), ("code", "1 + 1"))
    execution = execute(
        study.folder / "01_only.ipynb",
        {},
        folder=study.folder,
        environment=kernel_environment(),
        log=tmp_path / "kernel.log",
    )
    assert execution.failure is not None and execution.failure.cell == 1
    # What it used when it was killed is told too; how much that is differs from machine to machine.
    assert cause_in_words(execution.failure).split("; it used ")[0] == cause
    assert execution.peak_bytes > 10_000_000


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (
            CellFailure(2, "CohortError", "no patient is left.", told="no patient is left."),
            "CohortError: no patient is",
        ),
        (CellFailure(2, "DataError", "no such PAT-1", "raise it"), "DataError at: raise it"),
        (CellFailure(2, "CohortError", "no such PAT-1"), "CohortError"),
        (CellFailure(2, "ValueError", "could not convert 'PAT-1'", "int(x)"), "ValueError at: int(x)"),
        (CellFailure(2, "KeyError", "'PAT-1'"), "KeyError"),
        (CellFailure(2, "EpiError", "PAT-1", "x"), "EpiError at: x"),
    ],
)
def test_only_messages_of_epi_are_repeated(failure: CellFailure, words: str) -> None:
    assert cause_in_words(failure).startswith(words)
    assert "PAT-1" not in cause_in_words(failure)


def run_and_fail(tmp_path: Path, source: str) -> tuple[str, str]:
    """Run a study of one cell that fails; give what the analyst reads and what the manifest keeps."""
    study = small(tmp_path, ("code", source))
    with pytest.raises(RunError) as caught:
        run_study(study, runs_dir=tmp_path / "runs")
    (run,) = list_runs(tmp_path / "runs")
    return str(caught.value), (run.folder / "manifest.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "raised",
    [
        "import pandas as pd\nraise pd.errors.DataError(f'no such {who}')",
        "from epi.errors import CohortError\nraise CohortError(f'no such {who}')",
        "class CohortError(Exception): ...\nraise CohortError(f'no such {who}')",
    ],
)
def test_a_class_is_known_by_its_module_and_a_sentence_by_its_author(tmp_path: Path, raised: str) -> None:
    """Another's DataError, and an exception of ours with a notebook's own words, may quote a patient."""
    said, kept = run_and_fail(tmp_path, f"who = '-'.join(['PAT', 'CANARY', str(7000 + 731)])\n{raised}")
    assert CANARY not in said and CANARY not in kept
    assert "Error at: raise" in kept


def test_an_attrition_is_for_the_analyst_and_not_for_the_manifest(tmp_path: Path) -> None:
    """The toy's own helper stands for the cohort: it raises from the code of epi, with counts of few."""
    source = """
    from types import SimpleNamespace
    import pandas as pd
    from epi.cohort.cohort import Cohort
    flow = pd.DataFrame({"n_in": [1007, 7], "n_out": [7, 0], "label": ["aged", "resident"], "reason": ["a", "b"]})
    lost = SimpleNamespace(is_empty=True, attrition=SimpleNamespace(table=flow), name="ALS")
    Cohort._check_not_empty(lost)
    """
    said, kept = run_and_fail(tmp_path, source)
    assert "the last 7 patient(s)" in said and "1,007 → 7: aged" in said
    cause = json.loads(kept)["failure"]["cause"]
    assert cause.startswith("CohortError: cohort 'ALS' is empty: the last [c] patient(s) were lost at the step")
    assert "→" not in kept and "→" not in cause


def test_a_sentence_that_names_a_patient_is_not_kept() -> None:
    failure = CellFailure(1, "CohortError", "x", "y", told="patient 000220f8521ab4e1 is unknown.")
    assert cause_in_public(failure) == "CohortError"
    line = CellFailure(1, "KeyError", "x", "table['000220f8521ab4e1']")
    assert cause_in_public(line) == cause_in_words(line) == "KeyError"


def test_a_parameter_that_names_a_patient_stops_the_run(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_kernel(monkeypatch)
    with pytest.raises(ParameterError) as caught:
        run_study(study, {"words": "000220f8521ab4e1"}, runs_dir=tmp_path)
    assert "words is shaped like: digest" in str(caught.value) and "000220f8521ab4e1" not in str(caught.value)


def command(study: Study, runs: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "epi.cli", "run", str(study.folder), "--runs", str(runs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(folder: Path, pattern: str, seconds: float = 60) -> Path:
    end = time.monotonic() + seconds
    while not (found := [path for path in folder.glob(pattern) if path.stat().st_size]):
        assert time.monotonic() < end, f"{pattern} did not come"
        time.sleep(0.05)
    return found[0]


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_two_at_once_and_a_stop_leave_nothing_behind(tmp_path: Path) -> None:
    study = small(
        tmp_path,
        (
            "code",
            "import os, pathlib, time\npathlib.Path(os.environ['EPI_RUN_DIR'], 'pid').write_text(str(os.getpid()))",
        ),
        ("code", "time.sleep(120)"),
    )
    runs = tmp_path / "runs"
    first = command(study, runs)
    pid_file = wait_for(runs, "small/*/pid")
    (run,) = list_runs(runs)
    assert run.status == "running" and is_locked(run.folder)
    second = command(study, runs)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 8 and "already going on in another process" in said
    first.send_signal(signal.SIGTERM)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 130 and "stopped" in said and "Traceback" not in said
    (run,) = list_runs(runs)
    assert run.status == "failed" and run.manifest["failure"] == {"cause": "stopped by the user"}
    assert not alive(int(pid_file.read_text(encoding="utf-8")))
    assert not [path.name for path in runs.rglob("*.part")]

    pid_file.unlink()
    third = command(study, runs)
    wait_for(runs, "small/*/pid")
    os.kill(third.pid, signal.SIGKILL)
    third.communicate(timeout=60)
    (run,) = list_runs(runs)
    assert run.manifest["status"] == "running" and run.status == "failed"
    kernel = int(pid_file.read_text(encoding="utf-8"))
    end = time.monotonic() + 30
    while alive(kernel) and time.monotonic() < end:
        time.sleep(0.2)
    assert not alive(kernel)


def test_a_folder_held_by_another_is_refused(finished: Run, study: Study) -> None:
    with locked(finished.folder), pytest.raises(RunError, match="already going on"):
        run_study(study, {"minimum_age": 20}, runs_dir=finished.folder.parents[1])
    assert not is_locked(finished.folder)


def test_the_identifier_depends_on_each_ingredient(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "workspace_fingerprint", lambda path: path.name)
    copy = open_study(write_toy_study(tmp_path / "copy"))
    values = study.resolve()

    def name(study: Study = study, workspace: Path | None = Path("one"), lang: str = "en", **given: object) -> str:
        chosen = study.resolve(given) if given else values
        return identity.run_identifier(identity.collect_ingredients(study, chosen, workspace, lang))

    base = name()
    assert base == name() == name(copy), "where a folder lies is not an ingredient"
    others = [name(minimum_age=19), name(workspace=Path("two")), name(workspace=None), name(lang="fr")]
    (copy.folder / "toy_helper.py").write_text(HELPER + "\n", encoding="utf-8")
    others.append(name(copy))
    with monkeypatch.context() as patch:
        patch.setattr(identity, "source_digest", lambda: "other code")
        others.append(name())
    with monkeypatch.context() as patch:
        patch.setattr(identity, "_installed", lambda: {"pandas": "0"})
        others.append(name())
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "file.csv").write_text("a\n", encoding="utf-8")
    monkeypatch.setenv("EPI_OPEN_DATA", str(tmp_path / "open"))
    others.append(name())
    (tmp_path / "open" / "file.csv").write_text("b\n", encoding="utf-8")
    others.append(name())
    assert len({base, *others}) == 1 + len(others)
    monkeypatch.setenv("EPI_THREADS", "1")
    assert name() == others[-1]


def test_what_changed_is_said_in_words() -> None:
    before = {"study": {"a.py": "1", "b.py": "1"}, "workspace": "x", "epi": "1", "packages": {"numpy": "2.0"}}
    after = {"study": {"a.py": "2", "c.py": "1"}, "workspace": "y", "epi": "2", "packages": {"numpy": "2.1"}}
    assert identity.explain_difference(before, after) == (
        "study file a.py changed; study file b.py was removed; study file c.py is new; "
        "library numpy is 2.1, was 2.0; the workspace's data changed; the code of epi changed"
    )


@pytest.mark.parametrize(
    ("study_name", "run_id"), [("../x", "a" * 12), ("toy", "../../etc"), ("toy", "A" * 12), ("", "")]
)
def test_a_run_cannot_lie_outside_the_folder_of_runs(tmp_path: Path, study_name: str, run_id: str) -> None:
    with pytest.raises(ParameterError):
        run_folder(tmp_path, study_name, run_id)
    with pytest.raises(ParameterError):
        open_run(tmp_path, study_name, run_id)


def test_a_folder_that_no_run_made_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "toy" / ("a" * 12)
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(StorageError, match="no run made it"):
        clear_folder(folder)
    assert (folder / "mine.txt").read_text(encoding="utf-8") == "keep"


def test_a_full_disk_is_a_sentence(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_kernel(monkeypatch)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(StorageError, match="the disk is full"):
        run_study(study, runs_dir=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_study_that_reads_the_registry_needs_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EPI_WORKSPACE", raising=False)
    folder = write_toy_study(tmp_path, protocol=PROTOCOL.replace("[open_data]", "[bndmr]"))
    with pytest.raises(ParameterError, match="no workspace is given"):
        run_study(open_study(folder), runs_dir=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
