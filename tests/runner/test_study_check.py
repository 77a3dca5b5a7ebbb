"""What a study folder must be before anything runs, read from its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from epi.errors import ParameterError, ProtocolError
from epi.runner.inspection import find_faults, read_constants
from epi.runner.study import find_studies, list_studies, open_study
from runner.toy import COUNTS, FIGURES, PROTOCOL, write_notebook, write_toy_study


def faults_of(folder: Path) -> list[str]:
    return find_faults(open_study(folder))


def swap(cells: list[tuple[str, str]], position: int, *cell: str) -> list[tuple[str, str]]:
    return [*cells[:position], (cell[0], cell[1]), *cells[position + 1 :]]


def test_a_study_as_it_should_be_has_no_fault(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path)
    assert faults_of(folder) == []
    open_study(folder).check()
    assert open_study(folder).presets == ("older",)
    assert open_study("toy", tmp_path).folder == folder.resolve()
    assert [path.name for path in find_studies(tmp_path)] == ["toy"]
    assert [study.name for study in list_studies(tmp_path)] == ["toy"]


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (swap(COUNTS, 1, "code", "x = 1"), "0 cells are tagged 'parameters'"),
        (swap(COUNTS, 2, "parameters", "x = 1"), "2 cells are tagged 'parameters'"),
        (swap(COUNTS, 1, "parameters", "minimum_age = int('18')"), "minimum_age, line 1, is not a constant"),
        (swap(COUNTS, 1, "parameters", "import os"), "line 1 is not 'name = constant'"),
        (swap(COUNTS, 1, "parameters", "minimum_age = 19"), "minimum_age is not the protocol's default, 18"),
        (swap(COUNTS, 1, "parameters", "minimum_age = 18.0"), "minimum_age is not the protocol's default, 18"),
        (swap(COUNTS, 1, "parameters", "max_age = 19"), "max_age is not a parameter of the protocol"),
        (swap(COUNTS, 3, "code", "everyone.head("), "cell 4, line 1, is not Python"),
        (swap(COUNTS, 3, "code", "!ls /"), "cell 4 holds a magic or shell command"),
        (swap(COUNTS, 3, "code", "%time 1"), "cell 4 holds a magic or shell command"),
        (swap(COUNTS, 3, "code", "x = 1\n" * 31), "cell 4 has 31 lines; at most 30"),
        (swap(COUNTS, 3, "code", "def f():\n    return 1"), "cell 4 defines f"),
        (swap(COUNTS, 6, "code", "epi.output(everyone, 'rows')"), "output rows is written but not declared"),
        (swap(COUNTS, 6, "code", "1"), "output groups is declared in the protocol but never written"),
        (swap(COUNTS, 3, "code", 'x = "000220f8521ab4e1"'), "cell 4 holds what is shaped like: digest"),
        (swap(COUNTS, 0, "markdown", "Patient 000220f8521ab4e1."), "cell 1 holds what is shaped like: digest"),
        (swap(COUNTS, 3, "code", "x = cohort.explain(who)"), "cell 4, line 1, calls explain"),
        (swap(COUNTS, 8, "code", "1"), "highlight n_kept is not recorded"),
    ],
)
def test_a_fault_in_a_notebook_is_found(tmp_path: Path, cells: list[tuple[str, str]], fault: str) -> None:
    folder = write_toy_study(tmp_path, counts=cells)
    found = faults_of(folder)
    assert any(fault in sentence for sentence in found), found
    assert len([sentence for sentence in found if fault in sentence]) == 1


def test_a_cell_that_names_a_patient_stops_a_run_and_is_not_repeated(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path, counts=swap(COUNTS, 3, "code", 'x = "000220f8521ab4e1"'))
    with pytest.raises(ProtocolError) as caught:
        open_study(folder).check_runnable()
    assert "cell 4" in str(caught.value) and "000220f8521ab4e1" not in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path, counts=swap(COUNTS, 3, "code", "!ls"))
    (folder / "02_figures.ipynb").write_text("{}", encoding="utf-8")
    (folder / "03_more.ipynb").write_text("{}", encoding="utf-8")
    (folder / "README.md").unlink()
    (folder / "parameters" / "older.yml").write_text("minimum_age: 400\nlag: 3\n", encoding="utf-8")
    (folder / "broken.py").write_text("def", encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        open_study(folder).check()
    faults = "\n".join(caught.value.faults)
    for part in ("magic", "02_figures.ipynb is not a notebook", "03_more.ipynb is not declared", "README.md"):
        assert part in faults
    assert "parameters/older.yml" in faults and "lag" in faults and "400" in faults
    assert "broken.py is not Python" in faults


def test_stored_outputs_are_a_fault_but_do_not_stop_a_run(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path)
    path = folder / "01_counts.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"][3]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["PAT"]}]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert any("stores outputs" in fault for fault in faults_of(folder))
    open_study(folder).check_runnable()


def test_notebooks_run_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    head, tail = PROTOCOL.split("  - {file: 01_counts")
    first, rest = tail.split("\n", 1)
    second, rest = rest.split("\n", 1)
    folder = write_toy_study(tmp_path, protocol=f"{head}{second}\n  - {{file: 01_counts{first}\n{rest}")
    assert any("not in the order" in fault for fault in faults_of(folder))


def test_a_notebook_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path / "studies")
    outside = tmp_path / "elsewhere.ipynb"
    write_notebook(outside, FIGURES)
    (folder / "02_figures.ipynb").unlink()
    (folder / "02_figures.ipynb").symlink_to(outside)
    assert "02_figures.ipynb leads out of the study folder" in faults_of(folder)


@pytest.mark.parametrize("name", ["../toy", "..", "toy/../../x", "TOY", ""])
def test_a_name_cannot_leave_the_folder_of_studies(tmp_path: Path, name: str) -> None:
    write_toy_study(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match="there is no study"):
        open_study(name, tmp_path / "empty")


@pytest.mark.parametrize("name", ["../older", "older.yml", "", "nothing"])
def test_a_preset_is_a_name_and_nothing_else(tmp_path: Path, name: str) -> None:
    study = open_study(write_toy_study(tmp_path))
    with pytest.raises(ParameterError, match="no preset"):
        study.preset(name)


def test_a_broken_protocol_is_told_when_studies_are_listed(tmp_path: Path) -> None:
    write_toy_study(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "protocol.yml").write_text("id: other\n", encoding="utf-8")
    with pytest.raises(ProtocolError, match="1 protocol"):
        list_studies(tmp_path)


def test_a_preset_gives_way_to_what_is_typed(tmp_path: Path) -> None:
    study = open_study(write_toy_study(tmp_path))
    assert study.resolve(preset="older")["minimum_age"] == 40
    assert study.resolve({"minimum_age": "50"}, preset="older")["minimum_age"] == 50
    with pytest.raises(ParameterError) as caught:
        study.resolve({"minimum_ages": 3, "share": "much"})
    assert len(caught.value.faults) == 2


def test_what_determines_a_result_is_digested_and_the_rest_is_not(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path)
    before = open_study(folder).digest()
    (folder / "README.md").write_text("# Other words\n", encoding="utf-8")
    (folder / "parameters" / "older.yml").write_text("minimum_age: 41\n", encoding="utf-8")
    path = folder / "01_counts.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"][3] |= {"execution_count": 7, "outputs": [{"output_type": "stream", "text": "x"}]}
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
    assert open_study(folder).digest() == before
    (folder / "codes").mkdir()
    (folder / "codes" / "list.csv").write_text("803\n", encoding="utf-8")
    with_codes = open_study(folder).digest()
    write_notebook(path, swap(COUNTS, 3, "code", "everyone.tail()"))
    assert len({before, with_codes, open_study(folder).digest()}) == 3


def test_a_missing_notebook_is_named(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path)
    (folder / "02_figures.ipynb").unlink()
    assert any(fault.startswith("02_figures.ipynb is missing") for fault in faults_of(folder))


@pytest.mark.parametrize(
    "source", ["a = b", "a = 1; import os", "a = [x for x in y]", "a = b = 1", "f(1)", "a: int", "a = f'{1}'"]
)
def test_only_constants_are_constants(source: str) -> None:
    with pytest.raises(ValueError, match=r"line|constant"):
        read_constants(source)


def test_a_result_named_in_a_call_of_record_estimates_is_recorded(tmp_path: Path) -> None:
    cells = swap(COUNTS, 8, "code", 'epi.record_estimates(found.estimates("n_kept"))')
    assert not any("n_kept is not recorded" in fault for fault in faults_of(write_toy_study(tmp_path, counts=cells)))
