"""Rules that users add: from a file or from Python, and what they may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from epi.errors import DataError
from epi.sources.bndmr import RULES, Rule, check_rules, read_registry, read_rules
from epi.sources.bndmr.dictionary import build_dictionary
from sources.handmade import reasons, registry, write

V09 = """
- id: V09
  severity: E
  table: diagnosis
  column: clinical_diag_age
  when: diagnosis.age_unit = 'year' AND diagnosis.clinical_diag_age * 365 >
        date_diff('day', patient.birth_first,
                  least(extract.extraction_date, coalesce(patient.death_date_last, DATE '9999-12-31')))
  meaning: The age at clinical diagnosis is above the age at extraction or death.
- id: V08
  severity: W
  table: diagnosis
  when: diagnosis.clinical_diag_age <= diagnosis.first_signs_age
  meaning: Diagnosed no later than the first signs.
"""


def test_a_rule_from_a_file_rejects_and_another_warns(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(V09)
    rows = registry()
    rows["diagnosis"][0] |= {"clinical_diag_age": "65"}  # P1 was born in 1960, extracted in 2024
    rows["diagnosis"][1] |= {"clinical_diag_age": "60"}  # P2 died at 59
    rows["diagnosis"][2] |= {"first_signs_age": "3", "clinical_diag_age": "3"}
    report = read_registry(
        write(tmp_path / "raw", rows), tmp_path / "out", rules=RULES + read_rules(tmp_path / "mine.yml")
    )
    assert reasons(tmp_path / "out", "diagnosis", "diagnosis_id") == {"D1": "V09", "D2": "V09"}
    assert (report.rows("V09"), report.rows("V08")) == (2, 1)
    assert report.meanings["V09"] == "The age at clinical diagnosis is above the age at extraction or death."
    assert ["diagnosis", "clinical_diag_age", "V09", 2] in report.columns.to_numpy().tolist()


def test_a_rule_from_python_sees_the_tables_that_its_own_refers_to(tmp_path: Path) -> None:
    rule = Rule(
        "V12-closed-site",
        "W",
        "activity",
        "activity.activity_date > site.label_end AND NOT care.out_of_label -- said as such",
        "Seen after the end of the label.",
    )
    rows = registry()
    rows["activity"][1]["activity_date"] = "2023-01-01"
    rows["patient"][1] |= {"vital_status": "alive", "death_date": ""}
    report = read_registry(write(tmp_path / "raw", rows), tmp_path / "out", rules=(*RULES, rule))
    assert report.rows("V12-closed-site") == 1


def test_a_rule_is_not_applied_to_a_cell_that_could_not_be_read(tmp_path: Path) -> None:
    rule = Rule("V90", "E", "patient", "patient.death_date IS NULL", "An example.")
    rows = registry()
    rows["patient"][1]["death_date"] = "in March"
    read_registry(write(tmp_path / "raw", rows), tmp_path / "out", rules=[rule])
    assert reasons(tmp_path / "out", "patient", "patient_id") == {"P1": "V90", "P2": "F03", "P3": "V90"}


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("care.site = 'S001'", "there is no column care.site (near: site_code)"),
        ("activity.context = 'other'", "table activity cannot be seen from care, which sees care, patient"),
        ("out_of_label", "column out_of_label is to be written table.column"),
        ("care.out_of_label AND (", "the condition is not valid SQL"),
        ("1 = 1; DROP TABLE raw_care", "the condition is not"),
        ("true FROM raw_care", "the condition is not one expression"),
        ("care.care_id IN (SELECT patient_id FROM raw_patient)", "subquery is not allowed"),
        ("read_text('/etc/passwd') = care.care_id", "function read_text is not among those"),
        ("getenv('HOME') = care.care_id", "function getenv is not among those"),
        ("count(*) > 1", "function count_star is not among those"),
        ("row_number() OVER () > 3", "window is not allowed"),
    ],
)
def test_a_rule_that_does_more_than_compare_is_refused(when: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        check_rules([Rule("V99", "E", "care", when, "An example.")])
    assert words in str(caught.value)


def test_all_faults_of_a_rule_file_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(
        "- id: V9\n- {id: V99, severity: E, table: care, when: 3, meaning: x, who: me}\n- 7"
    )
    with pytest.raises(DataError) as caught:
        read_rules(tmp_path / "mine.yml")
    assert "rule 1: missing meaning, severity, table, when" in str(caught.value)
    assert "rule 2: unknown who; every field is a text" in str(caught.value)
    assert "rule 3: not a mapping" in str(caught.value)
    (tmp_path / "mine.yml").write_text("id: V9")
    with pytest.raises(DataError, match="is not a list of rules"):
        read_rules(tmp_path / "mine.yml")


def test_identifiers_severities_and_tables_are_checked() -> None:
    rules = [
        Rule("nine", "E", "care", "care.out_of_label", "x"),
        Rule("F01", "E", "care", "care.out_of_label", "x"),
        Rule("V99", "X", "care", "care.out_of_label", "x"),  # type: ignore[arg-type]
        Rule("V99", "E", "cares", "care.out_of_label", "x"),
        Rule("V99", "E", "care", "care.out_of_label", "x", "colour"),
    ]
    with pytest.raises(DataError, match=r"^5 rule\(s\) cannot be applied") as caught:
        check_rules(rules)
    assert len(caught.value.faults) == 5


def test_a_rule_that_compares_a_date_with_a_word_fails_in_our_words(tmp_path: Path) -> None:
    rule = Rule("V99", "E", "care", "CAST(care.care_id AS DATE) > care.inclusion_date", "An example.")
    with pytest.raises(DataError, match="a rule on care compares things of different types") as caught:
        read_registry(write(tmp_path / "raw", registry()), tmp_path / "out", rules=(*RULES, rule))
    assert "C1" not in str(caught.value)


def test_the_example_of_the_dictionary_is_a_rule_that_works(tmp_path: Path) -> None:
    page = build_dictionary()["rules.md"]
    (tmp_path / "mine.yml").write_text(page.split("```yaml\n")[1].split("```")[0])
    rows = registry()
    rows["diagnosis"][0]["clinical_diag_age"] = "90"
    report = read_registry(
        write(tmp_path / "raw", rows), tmp_path / "out", rules=RULES + read_rules(tmp_path / "mine.yml")
    )
    assert report.rows("V09") == 1
