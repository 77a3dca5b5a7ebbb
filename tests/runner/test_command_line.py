"""The command line: one sentence and an exit code for each error, JSON where a machine reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from epi import cli
from epi.errors import (
    CodeError,
    CohortError,
    DataError,
    DisclosureError,
    EstimationError,
    GeographyError,
    ParameterError,
    ProtocolError,
    RunError,
    StorageError,
    WorkspaceError,
)
from runner.toy import CANARY, one_notebook, write_toy_study

COMMANDS = (
    "world build",
    "workspace build",
    "workspace show",
    "study list",
    "study check",
    "rehearse",
    "study new",
    "study freeze",
    "run",
    "runs",
    "site build",
    "site serve",
    "check",
    "export",
    "manuscript fill",
    "manuscript check",
    "manuscript names",
    "codes search",
    "data list",
    "data add",
    "data check",
)


class Answer:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def epi(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    for name in ("EPI_DEBUG", "EPI_RUNS", "EPI_STUDIES", "EPI_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    # A narrow terminal would break sentences where they are looked for.
    monkeypatch.setenv("COLUMNS", "200")

    def ask(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["epi", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return Answer(int(left.value.code or 0), said.out, said.err)

    return ask


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(epi, command: str) -> None:
    answer = epi(*command.split(), "--help")
    assert answer.code == 0
    assert f"Example: epi {command}" in " ".join(answer.out.split())


def test_help_is_light() -> None:
    probe = "import sys, epi.cli; print([m for m in ('pandas', 'duckdb', 'papermill', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ParameterError, 2),
        (DataError, 3),
        (ProtocolError, 4),
        (WorkspaceError, 5),
        (CohortError, 6),
        (DisclosureError, 7),
        (RunError, 8),
        (StorageError, 9),
        (GeographyError, 10),
        (CodeError, 11),
        (EstimationError, 12),
    ],
)
def test_each_error_is_a_sentence_and_a_code(epi, monkeypatch, error, code: int) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("it arrived", "something else", "do that", faults=["one", "two"])

    monkeypatch.setattr("epi.runner.folder.list_runs", fail)
    answer = epi("runs")
    assert answer.code == code
    assert answer.err == "epi: it arrived. Expected: something else. Next: do that\n  - one\n  - two\n"
    assert answer.out == ""


def test_a_full_disk_anywhere_is_a_sentence(epi, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "/secret/place")

    monkeypatch.setattr("epi.runner.folder.list_runs", fail)
    answer = epi("runs")
    assert (answer.code, "the disk is full" in answer.err) == (9, True)


def test_an_unexpected_error_leaves_a_private_log_and_no_value(epi, monkeypatch, tmp_path) -> None:
    def fail(*_: object) -> None:
        raise ValueError(f"cannot read {CANARY}")

    monkeypatch.setattr("epi.runner.folder.list_runs", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer = epi("runs")
    assert answer.code == 70
    assert "something unexpected happened (ValueError)" in answer.err
    assert CANARY not in answer.err and "Traceback" not in answer.err
    (log,) = tmp_path.glob("epi-error-*.log")
    assert str(log) in answer.err
    assert log.stat().st_mode & 0o077 == 0
    assert CANARY in log.read_text(encoding="utf-8")
    monkeypatch.setenv("EPI_DEBUG", "1")
    assert "Traceback" in epi("runs").err


def test_studies_are_listed_and_checked(epi, tmp_path: Path) -> None:
    assert "there is no study in studies" in epi("study", "list").out
    folder = write_toy_study(tmp_path / "studies")
    listed = json.loads(epi("study", "list", "--json").out)
    assert [(study["name"], study["presets"]) for study in listed] == [("toy", ["older"])]
    assert "Does the share of older persons differ" in epi("study", "list").out
    assert "nothing wrong" in epi("study", "check").out
    assert "nothing wrong" in epi("check", str(folder)).out
    assert "nothing wrong" in epi("check", str(folder / "protocol.yml")).out
    (folder / "01_counts.ipynb").unlink()
    answer = epi("study", "check", "toy")
    assert answer.code == 4 and "01_counts.ipynb is missing" in answer.err
    assert epi("check", "nothing").code == 2


def test_parameters_are_shown_and_wrong_ones_told(epi, tmp_path: Path) -> None:
    write_toy_study(tmp_path / "studies")
    shown = epi("run", "toy", "--help-parameters")
    assert "minimum_age" in shown.out and "0 to 90, default 18 years" in shown.out and "older" in shown.out
    machine = json.loads(epi("run", "toy", "--help-parameters", "--json").out)
    assert machine["presets"] == {"older": {"minimum_age": 40}}
    assert {one["name"]: one["default"] for one in machine["parameters"]}["since"] == "2015-01-01"
    unknown = epi("run", "toy", "-p", "minimum_ages=3", "-p", "drawn=perhaps")
    assert unknown.code == 2
    assert "this study has minimum_age (0 to 90, default 18 years)" in unknown.err
    assert "true or false" in unknown.err and "--help-parameters" in unknown.err
    assert epi("run", "toy", "-p", "minimum_age").code == 2
    assert "neither a preset nor a file" in epi("run", "toy", "--params", "../older").err
    assert "there is no study 'toys'" in epi("run", "toys").err
    assert not (tmp_path / "runs").exists()


def test_a_run_is_told_by_plain_lines_and_by_json(epi, tmp_path: Path) -> None:
    one_notebook(tmp_path / "studies", [("code", "1 + 1")])
    assert "there is no run in runs" in epi("runs").out
    first = epi("run", "small")
    assert first.code == 0 and "done. First run of this study here." in first.out
    assert "1/1 01_only.ipynb: " in first.err
    again = json.loads(epi("run", "small", "--json").out)
    assert again["reused"] is True and again["status"] == "done"
    assert again["run_id"] in epi("runs", "small").out
    (run,) = json.loads(epi("runs", "--json").out)
    assert run["run_id"] == again["run_id"]
    folder = Path(again["folder"])
    assert "released files are unchanged" in epi("check", str(folder)).out
    (folder / "tables").mkdir()
    (folder / "tables" / "added.csv").write_text("n\n3\n", encoding="utf-8")
    answer = epi("check", str(folder))
    assert answer.code == 7 and "tables/added.csv" in answer.err


def test_outputs_are_looked_at_before_they_leave(epi, tmp_path: Path) -> None:
    table = tmp_path / "counts.csv"
    table.write_text("sex,n\nF,402\nM,351\n", encoding="utf-8")
    assert epi("check", str(table)).code == 0
    table.write_text("sex,n\nF,402\nM,3\n", encoding="utf-8")
    answer = epi("check", str(table))
    assert answer.code == 7 and "1 count(s) of 1 to 10 persons" in answer.err
    assert epi("check", str(tmp_path)).code == 7


def test_codes_are_found_by_words(epi) -> None:
    answer = epi("codes", "search", "sclerose laterale amyotrophique", "--json")
    assert json.loads(answer.out)[0]["orpha_code"] == "803"
    assert "no code has" in epi("codes", "search", "no such disease at all").out


def test_what_is_not_there_is_told(epi, tmp_path: Path) -> None:
    answer = epi("workspace", "show", str(tmp_path / "nothing"))
    assert answer.code == 5 and "does not exist" in answer.err
    answer = epi("site", "build")
    assert answer.code == 8 and "there is no run to show in runs" in answer.err
    answer = epi("site", "serve", "--site", str(tmp_path))
    assert answer.code == 9 and "is not a site" in answer.err
    assert epi("site", "build", "--level", "secret").code == 2
    assert epi("unknown").code == 2
