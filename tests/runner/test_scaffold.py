"""A new study: it is whole and runs as it is, or nothing is written."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from epi.cli import app
from epi.errors import CodeError, ParameterError, ProtocolError
from epi.runner import open_study, run_study
from epi.runner.scaffold import DESIGNS, new_study
from epi.runner.site import build_site


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_new_study_passes_its_check(tmp_path, design, lang):
    study = new_study("asthma_2", tmp_path, orpha=273, design=design, lang=lang)
    study.check()
    assert study.folder == (tmp_path / "asthma_2").resolve()
    assert study.protocol.parameters["orpha"].default == 273
    assert study.protocol.parameters["lang"].default == lang
    assert [path.name for path in tmp_path.iterdir()] == ["asthma_2"]


def test_notebooks_are_in_one_language_without_outputs_or_logic(tmp_path):
    study = new_study("one", tmp_path, design="case_control", lang="fr")
    for notebook in study.protocol.notebooks:
        cells = json.loads(study.notebook_path(notebook).read_text(encoding="utf-8"))["cells"]
        headings = [cell["source"][0] for cell in cells if cell["cell_type"] == "markdown"]
        assert headings[0].strip() in {"# Cas", "# Incidence par territoire", "# Association"}
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
        assert not any("$" in line for cell in cells for line in cell["source"])


def test_the_disease_of_the_study_is_never_among_its_controls(tmp_path):
    controls = new_study("one", tmp_path, orpha=273, design="case_control").protocol.parameters["control_orpha"]
    assert 273 not in controls.default
    assert len(controls.default) >= 3


def test_titles_are_text_whatever_they_hold(tmp_path):
    awkward = 'SLA : « l\'air » #1 {x} $HOME \\ "eau"'
    study = new_study("one", tmp_path, title_fr=awkward, title_en="- yes")
    assert study.protocol.title.fr == awkward
    assert study.protocol.title.en == "- yes"
    assert awkward in new_study("two", tmp_path, title_fr=awkward, lang="fr").folder.joinpath("README.md").read_text()


@pytest.mark.parametrize("name", ["", "../out", "a/b", "/out", "Als", "2als", "als-x", "als\n", "é", ".a", "a" * 61])
def test_a_name_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(ParameterError, match="name"):
        new_study(name, tmp_path / "studies")
    assert not list(tmp_path.iterdir())


def test_every_fault_is_told_at_once(tmp_path):
    with pytest.raises(ParameterError) as refusal:
        new_study("Bad", tmp_path, design="trial", lang="de", title_en="a\nb", title_fr=" ")
    assert len(refusal.value.faults) == 5


@pytest.mark.parametrize("orpha", ["als", 99999999, 0])
def test_a_disease_that_does_not_exist_is_refused(tmp_path, orpha):
    with pytest.raises(CodeError):
        new_study("one", tmp_path, orpha=orpha)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("mine", "link"):
        with pytest.raises(ParameterError, match="exists"):
            new_study(name, tmp_path)
    assert not list((tmp_path / "mine").iterdir())


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    def fail(self):
        raise ProtocolError("no")

    monkeypatch.setattr("epi.runner.study.Study.check", fail)
    with pytest.raises(ProtocolError):
        new_study("one", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_new_study_runs_and_is_on_the_site(tmp_path, france):
    done = CliRunner().invoke(
        app, ["study", "new", "fresh", "--design", "case_control", "--studies", str(tmp_path / "studies")]
    )
    assert done.exit_code == 0, done.output
    study = open_study("fresh", tmp_path / "studies")
    run = run_study(study, workspace=france / "workspace", runs_dir=tmp_path / "runs")
    assert {"sir_map.csv", "sir_table.csv", "attrition.csv", "screen.csv"} <= {
        path.name for path in (run.folder / "tables").iterdir()
    }
    assert (run.folder / "figures" / "sir_map.png").is_file()
    assert (run.folder / "attrition.csv").is_file()
    assert {"n_cases", "incidence_rate", "n_controls"} <= set(run.results()["name"])
    build_site(tmp_path / "runs", tmp_path / "site", tmp_path / "studies")
    assert "Amyotrophic" in (tmp_path / "site" / "en" / "studies" / "fresh" / "index.html").read_text(encoding="utf-8")
