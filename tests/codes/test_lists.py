"""Code lists: what a file must say, what is refused, how versions are compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from epi.codes import (
    Code,
    CodeList,
    compare_code_lists,
    open_code_list,
    open_nomenclature,
    read_code_list,
    study_lists,
)
from epi.errors import CodeError, DataError

LIST = CodeList(
    name="als",
    title="ALS",
    version="1.0",
    owner="a reviewer",
    source="guide, April 2022",
    system="ORPHA",
    date="2025-12-09",
    codes=(Code("803", "Amyotrophic lateral sclerosis", "Sclérose latérale amyotrophique", 'main, "classic"'),),
)


def test_a_list_written_and_read_again_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "als.csv"
    path.write_text(LIST.to_text(), encoding="utf-8")
    assert read_code_list(path) == LIST


@pytest.mark.parametrize("name", study_lists())
def test_each_carried_list_is_valid_owned_and_in_use(name: str) -> None:
    codelist = open_code_list(name)
    assert codelist.name == name
    assert codelist.owner
    assert codelist.source
    log = codelist.check(open_nomenclature())
    assert (log["kind"] == "active").all(), log[log["kind"] != "active"].to_string()


def test_cases_differentials_and_controls_do_not_share_a_patient_by_definition() -> None:
    nomenclature = open_nomenclature()

    def closed(name: str) -> set[int]:
        return {below for code in open_code_list(name).orpha_codes for below in nomenclature.descendants(code)}

    cases = closed("als_and_related")
    for other in ("als_differential", "controls_neurological", "controls_other_networks"):
        assert not cases & closed(other)
    assert not closed("controls_neurological") & closed("controls_other_networks")
    assert set(open_code_list("als").orpha_codes) < set(open_code_list("als_and_related").orpha_codes)


def test_all_faults_of_a_list_are_named_at_once() -> None:
    with pytest.raises(CodeError) as caught:
        CodeList(
            name="Als list",
            title="",
            version="1",
            owner="",
            source="s",
            system="ORPHA",
            date="9/12/2025",
            codes=(Code("803"), Code("803"), Code("G12.2")),
        )
    assert len(caught.value.faults) == 6


def test_codes_are_held_against_their_own_system() -> None:
    for system, good, bad in (
        ("CIM-10", "G12.2", "803"),
        ("ALD", "9", "ALD9"),
        ("ATC", "N07XX02", "N7"),
        ("CCAM", "JHMA001", "JHMA01"),
    ):
        assert good in replace(LIST, system=system, codes=(Code(good),))
        with pytest.raises(CodeError):
            replace(LIST, system=system, codes=(Code(bad),))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("code\n803\n", DataError),  # no header
        (LIST.to_text().replace("owner: a reviewer", "owner: [a"), DataError),  # header is not YAML
        (LIST.to_text().replace("code,label_en", "codes,label_en"), CodeError),
        (LIST.to_text().replace("owner: a reviewer\n", ""), CodeError),
        (LIST.to_text().replace("\n803,", "\n99999999,"), CodeError),  # a code that does not exist
        (LIST.to_text().replace("803,", "803,1,2,3,4,5,"), CodeError),
        (LIST.to_text().replace("owner:", "colour: blue\nowner:"), CodeError),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, text: str, error: type[Exception]) -> None:
    path = tmp_path / "als.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error):
        read_code_list(path)


def test_a_file_in_another_encoding_or_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "als.csv"
    path.write_text(LIST.to_text(), encoding="utf-16")
    with pytest.raises(DataError, match="UTF-8"):
        read_code_list(path)
    with pytest.raises(DataError, match="does not exist"):
        read_code_list(tmp_path / "nothing.csv")
    with pytest.raises(CodeError, match="no code list"):
        open_code_list("nothing")


def test_two_versions_are_compared_code_by_code() -> None:
    later = replace(LIST, version="2.0", codes=(Code("803", "ALS"), Code("300605", "Juvenile ALS")))
    rows = compare_code_lists(LIST, later).to_dict("records")
    assert rows == [
        {"code": "803", "change": "relabelled", "before": "Amyotrophic lateral sclerosis", "after": "ALS"},
        {"code": "300605", "change": "added", "before": "", "after": "Juvenile ALS"},
    ]
    assert compare_code_lists(later, LIST)["change"].tolist() == ["relabelled", "removed"]
    with pytest.raises(CodeError):
        compare_code_lists(LIST, replace(LIST, system="ALD", codes=(Code("9"),)))


def test_words_and_html_name_version_and_owner() -> None:
    for shown in (LIST.words, LIST._repr_html_()):
        assert "1.0" in shown
        assert "a reviewer" in shown
    assert "803" in LIST
    assert "ORPHA:803" in LIST
    assert 481 not in LIST


def test_only_a_list_of_orpha_codes_gives_orpha_codes() -> None:
    with pytest.raises(CodeError):
        _ = replace(LIST, system="ALD", codes=(Code("9"),)).orpha_codes
