"""Reporting checklists: every item answered, every pointer at something that exists."""

from __future__ import annotations

import pytest

from epi.errors import ProtocolError
from epi.protocol import read_protocol
from epi.runner import open_study
from epi.runner.checklist import find_checklist_faults, list_items, read_checklist
from epi.runner.inspection import find_faults
from runner.toy import write_toy_study


@pytest.fixture
def study(tmp_path):
    return open_study(write_toy_study(tmp_path))


def written(study, text):
    (study.folder / "checklist.yml").write_text(text, encoding="utf-8")
    return read_checklist(study.folder)


def whole(change=""):
    lines = [f'  "{item.key}": {{where: ["protocol:question"]}}' for item in list_items(["RECORD"])]
    lines[0] = change or lines[0]
    return "guidelines: [RECORD]\nitems:\n" + "\n".join(lines) + "\n"


def test_the_items_are_those_of_the_two_guidelines():
    strobe, record = list_items(["STROBE"]), list_items(["RECORD"])
    # STROBE has 22 items (von Elm 2007), RECORD adds 13 statements (Benchimol 2015).
    assert {int("".join(filter(str.isdigit, item.item))) for item in strobe} == set(range(1, 23))
    assert len(record) == 13
    assert all(item.topic_en and item.topic_fr for item in (*strobe, *record))


def test_a_study_without_a_checklist_is_at_no_fault(study):
    assert read_checklist(study.folder) is None
    assert not [fault for fault in find_faults(study) if "checklist" in fault]


def test_a_whole_checklist_is_at_no_fault(study):
    assert find_checklist_faults(written(study, whole()), study.protocol) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('  "RECORD 99": {where: ["protocol:question"]}', "RECORD 99 is no item of RECORD"),
        ('  "RECORD 99": {where: ["protocol:question"]}', "RECORD 1.1 is not answered"),
        ('  "RECORD 1.1": {where: ["output:nowhere"]}', "RECORD 1.1: there is no output 'nowhere'"),
        ('  "RECORD 1.1": {where: ["page:nowhere"]}', "RECORD 1.1: there is no page 'nowhere'"),
        ('  "RECORD 1.1": {where: ["result:nowhere"]}', "RECORD 1.1: there is no result 'nowhere'"),
        ('  "RECORD 1.1": {where: ["figure"]}', "'figure' is not one of protocol:NAME"),
        ('  "RECORD 1.1": {}', "RECORD 1.1 points at nothing"),
        ('  "RECORD 1.1": {applies: false}', "a note must say why"),
    ],
)
def test_what_is_missing_or_points_nowhere_is_told(study, line, told):
    faults = find_checklist_faults(written(study, whole(line)), study.protocol, recorded=[])
    assert any(told in fault for fault in faults)
    assert any(told in fault for fault in find_faults(study)), "epi study check tells it too"


def test_a_file_of_another_form_is_refused_with_every_fault(study):
    with pytest.raises(ProtocolError, match="not a checklist") as error:
        written(study, 'guidelines: []\nitems: {"RECORD 1.1": {places: [x]}}\n')
    assert "guidelines" in str(error.value) and "places" in str(error.value)


def test_the_checklist_determines_no_result(study):
    before = study.digest()
    written(study, whole())
    assert study.digest() == before


def test_every_study_of_the_project_that_has_one_answers_it_all():
    from pathlib import Path

    root = Path(__file__).parents[2] / "studies"
    found = [folder for folder in sorted(root.iterdir()) if (folder / "checklist.yml").is_file()]
    assert root / "sla_environment" in found
    for folder in found:
        assert find_checklist_faults(read_checklist(folder), read_protocol(folder)) == []
