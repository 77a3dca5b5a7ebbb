"""Each rule on a patient made to break it, and on the neighbour who just does not."""

from __future__ import annotations

from pathlib import Path

from epi.sources.bndmr import RegistryReport, read_registry
from sources.handmade import Rows, nomenclature, reasons, registry, rejected, tidy, write


def read(tmp_path: Path, rows: Rows) -> tuple[Path, RegistryReport]:
    report = read_registry(write(tmp_path / "raw", rows), tmp_path / "out", nomenclature=nomenclature())
    return tmp_path / "out", report


MALFORMED = [
    ("patient", "sex", "", "F01"),
    ("patient", "sex", "X", "F02"),
    ("patient", "is_fetus", "oui", "F02"),
    ("patient", "file_created", "2015-02-30", "F03"),
    ("patient", "file_created", "2015-02", "F03"),  # to the day only
    ("patient", "file_created", "2015-13-02", "F03-swapped"),
    ("patient", "file_created", "1066-10-14", "F03"),
    ("patient", "birth_month", "13", "F04"),
    ("patient", "birth_year", "1960.5", "F04"),
    ("patient", "birth_day", "32", "F04"),
    ("patient", "residence_commune", "1001", "F05"),  # the zero was lost
    ("patient", "nir_pseudo", "abc", "F05"),
    ("care", "referred_by", "ORG-182|nobody", "F02"),
    ("activity", "context", "cuisine", "F02"),
    ("diagnosis", "orpha_code", "ORPHA803", "F04"),
    ("diagnosis", "diagnosis_date", "2015-3-1", "F03"),
]


def test_a_malformed_cell_rejects_its_row(tmp_path: Path) -> None:
    rows = registry()
    for number, (table, column, value, _) in enumerate(MALFORMED):
        rows[table].append(rows[table][0] | {f"{table}_id": f"X{number}", column: value})
    out, report = read(tmp_path, rows)
    for table in ("patient", "care", "activity", "diagnosis"):
        wanted = [(column, value, reason) for name, column, value, reason in MALFORMED if name == table]
        aside = rejected(out, table)
        assert aside["reason"].tolist() == [reason for *_, reason in wanted]
        assert aside["line"].tolist() == list(range(5, 5 + len(wanted)))
        for place, (column, value, reason) in enumerate(wanted):
            assert (aside[column].fillna("")[place]) == value
            counted = report.columns.set_index(["table", "column", "rule"])["rows"]
            assert counted[table, column, reason] == sum((c, r) == (column, reason) for c, _, r in wanted)


def test_all_reasons_of_a_row_are_given_together(tmp_path: Path) -> None:
    rows = registry()
    rows["patient"][0] |= {"sex": "", "residence_commune": "1", "vital_status": "deceased"}
    out, _ = read(tmp_path, rows)
    assert reasons(out, "patient", "patient_id") == {"P1": "F01|F05|V03"}


def test_a_commune_abroad_or_in_corsica_is_well_formed(tmp_path: Path) -> None:
    rows = registry()
    rows["patient"][0]["birth_commune"] = "99217"
    rows["patient"][1]["birth_commune"] = "2A004"
    out, _ = read(tmp_path, rows)
    assert len(rejected(out, "patient")) == 0


def test_an_exact_copy_is_kept_once(tmp_path: Path) -> None:
    rows = registry()
    rows["patient"].append(dict(rows["patient"][0]))
    rows["opposition"].append(dict(rows["opposition"][2]))
    out, _ = read(tmp_path, rows)
    assert reasons(out, "patient", "patient_id") == {"P1": "V01-duplicate"}
    assert rejected(out, "patient")["line"].tolist() == [5]  # the second one
    assert reasons(out, "opposition", "patient_id") == {"P3": "V01-duplicate"}
    assert tidy(out, "patient")["patient_id"].tolist() == ["P1", "P2", "P3"]
    assert len(rejected(out, "care")) == 0


def test_two_rows_under_one_key_that_differ_are_both_rejected_and_their_children_with_them(tmp_path: Path) -> None:
    rows = registry()
    rows["patient"].append(rows["patient"][0] | {"sex": "M"})
    out, report = read(tmp_path, rows)
    assert rejected(out, "patient")["reason"].tolist() == ["V01-conflict"] * 2
    assert reasons(out, "care", "care_id") == {"C1": "V01-cascade"}
    assert reasons(out, "activity", "activity_id") == {"A1": "V01-cascade"}
    assert reasons(out, "diagnosis_gene", "diagnosis_id") == {"D1": "V01-cascade"}
    assert report.rows("V01-conflict") == 2
    assert report.rows("V01-orphan") == 0


def test_a_code_and_its_value_are_the_same_key(tmp_path: Path) -> None:
    rows = registry()
    rows["activity_objective"].append({"activity_id": "A1", "objective": "follow_up"})  # ORG-047 in words
    out, _ = read(tmp_path, rows)
    assert reasons(out, "activity_objective", "activity_id") == {"A1": "V01-duplicate"}


def test_two_unreadable_codes_are_not_copies_of_each_other(tmp_path: Path) -> None:
    rows = registry()
    rows["opposition"] += [rows["opposition"][0] | {"erdri_ern_authorisation": word} for word in ("x", "y")]
    out, _ = read(tmp_path, rows)
    assert rejected(out, "opposition")["reason"].tolist() == ["F02", "F02"]


def test_orphans_are_told_from_the_children_of_rejected_rows(tmp_path: Path) -> None:
    rows = registry()
    rows["care"][0]["patient_id"] = "P9"  # exists nowhere
    rows["patient"][1]["sex"] = "?"  # P2 is rejected
    rows["activity"][2]["fetus_id"] = "F9"
    out, report = read(tmp_path, rows)
    assert reasons(out, "care", "care_id") == {"C1": "V01-orphan", "C2": "V01-cascade"}
    assert reasons(out, "activity", "activity_id") == {
        "A1": "V01-cascade", "A2": "V01-cascade", "A3": "V01-orphan",
    }  # fmt: skip
    assert (report.rows("V01-orphan"), report.rows("V01-cascade", "activity")) == (2, 2)


def test_a_malformed_site_code_is_still_the_one_that_cares_refer_to(tmp_path: Path) -> None:
    rows = registry()
    rows["site"][0]["site_code"] = rows["care"][0]["site_code"] = rows["care"][2]["site_code"] = "site one"
    out, _ = read(tmp_path, rows)
    assert reasons(out, "site", "site_code") == {"site one": "F05"}
    assert reasons(out, "care", "care_id") == {"C1": "V01-cascade", "C3": "V01-cascade"}


def test_v02_nobody_is_seen_before_birth(tmp_path: Path) -> None:
    rows = registry()
    rows["patient"][0] |= {"birth_year": "2015", "birth_month": "2"}  # included and seen in January 2015
    rows["patient"][1] |= {"birth_year": "2016", "birth_month": "12"}  # included in 2016: may be after
    rows["patient"][2] |= {"birth_year": "2019", "birth_month": "6", "is_fetus": "true"}  # a fetus is seen before
    out, _ = read(tmp_path, rows)
    assert reasons(out, "care", "care_id") == {"C1": "V02"}
    assert reasons(out, "activity", "activity_id") == {"A1": "V01-cascade|V02"}


def test_v02_an_activity_on_a_fetus_may_precede_birth(tmp_path: Path) -> None:
    rows = registry()
    rows["activity"] += [
        rows["activity"][1] | {"activity_id": "A8", "activity_date": "1990-06-01", "fetus_id": "F1"},
        rows["activity"][1] | {"activity_id": "A9", "activity_date": "1990-06-01"},
    ]
    rows["patient"][1] |= {"birth_year": "1990", "birth_month": "8"}
    out, _ = read(tmp_path, rows)
    assert reasons(out, "activity", "activity_id") == {"A9": "V02"}


def test_v03_death_and_birth_agree(tmp_path: Path) -> None:
    born_in_may_1960 = registry()["patient"][0]
    cases: list[tuple[dict[str, str], str | None]] = [
        ({"vital_status": "deceased", "death_date": "1960-04"}, "V03"),
        ({"vital_status": "deceased", "death_date": "1960"}, None),  # may be after May
        ({"vital_status": "deceased", "death_date": "1960-05-01"}, None),  # may be the day of birth
        ({"vital_status": "deceased", "death_date": "1960-05-01", "birth_day": "2"}, "V03"),
        ({"vital_status": "deceased"}, "V03"),
        ({"vital_status": "alive", "death_date": "2020-01-01"}, "V03"),
        ({"vital_status": "deceased", "death_date": "2020-40-40"}, "F03"),  # unreadable, not absent
        ({"birth_month": "2", "birth_day": "30"}, "F03"),
    ]
    rows = registry()
    rows["patient"] += [
        born_in_may_1960 | {"patient_id": f"X{number}"} | cells for number, (cells, _) in enumerate(cases)
    ]
    out, _ = read(tmp_path, rows)
    wanted = {f"X{number}": reason for number, (_, reason) in enumerate(cases) if reason}
    assert reasons(out, "patient", "patient_id") == wanted


def on_days(rows: Rows, activity: int, dates: list[str]) -> Rows:
    """Repeat an activity on other days, the day as its identifier."""
    rows["activity"] += [rows["activity"][activity] | {"activity_id": day, "activity_date": day} for day in dates]
    return rows


def test_v04_activity_after_death(tmp_path: Path) -> None:
    # P2 died in March 2020: perhaps on the 31st, and 30 days later is 30 April.
    out, report = read(tmp_path, on_days(registry(), 1, ["2020-03-31", "2020-04-01", "2020-04-30", "2020-05-01"]))
    assert reasons(out, "activity", "activity_id") == {"2020-05-01": "V04"}
    assert report.rows("V04-within-30-days") == 2


def test_a_rejected_parent_is_no_ground_to_judge_a_child(tmp_path: Path) -> None:
    rows = registry()
    rows["patient"][1]["death_date"] = "1950"  # before birth: the date of death is not to be trusted
    out, report = read(tmp_path, rows)
    assert reasons(out, "patient", "patient_id") == {"P2": "V03"}
    assert reasons(out, "activity", "activity_id") == {"A2": "V01-cascade"}
    assert report.rows("V04") == 0


def test_v05_activity_outside_the_registry(tmp_path: Path) -> None:
    extracted, day_after = "2024-06-30", "2024-07-01"
    days = [extracted, day_after, "1989-12-31", "1990-01-01", "2006-12-31", "2007-01-01"]
    out, report = read(tmp_path, on_days(registry(), 0, days))
    assert reasons(out, "activity", "activity_id") == {day_after: "V05", "1989-12-31": "V05"}
    assert report.rows("V05-before-2007") == 2


def test_v06_codes_unknown_inactive_or_groups(tmp_path: Path) -> None:
    rows = registry()
    rows["diagnosis"][0]["orpha_code"] = "12345"
    rows["diagnosis"][2]["orpha_code"] = "98497"  # a group
    out, report = read(tmp_path, rows)
    assert reasons(out, "diagnosis", "diagnosis_id") == {"D1": "V06"}
    assert reasons(out, "diagnosis_gene", "diagnosis_id") == {"D1": "V01-cascade"}
    assert (report.rows("V06-group"), report.rows("V06-inactive")) == (1, 1)


def test_a_warning_counts_rows_that_were_kept(tmp_path: Path) -> None:
    rows = registry()
    rows["activity"][0] |= {"activity_date": "2000-01-01", "context": "other"}
    rows["activity"][1] |= {"activity_date": "2000-01-01", "context": "nonsense"}
    _, report = read(tmp_path, rows)
    assert report.rows("V05-before-2007") == 1
    assert report.rows("F06", "activity") == 1  # another context, not said in words


def test_a_record_of_too_few_or_too_many_cells_is_set_aside(tmp_path: Path) -> None:
    rows = registry()
    raw = write(tmp_path / "raw", rows)
    with (raw / "opposition.csv").open("a") as handle:
        handle.write("P2;true\n")
        handle.write("P1;true;true;2016;false;;;;x\n")
        handle.write("P2;true;;;true;2018;\n")
    report = read_registry(raw, tmp_path / "out")
    kept, aside = tidy(tmp_path / "out", "opposition"), rejected(tmp_path / "out", "opposition")
    assert (len(kept), len(aside)) == (4, 2)
    assert aside["reason"].tolist() == ["F00", "F00"]
    assert aside["line"].tolist() == [5, 6]
    assert aside["patient_id"].tolist() == ["P2", "P1"]
    assert aside["erdri_ern_authorisation"].tolist()[1] == ";;x"  # nothing is lost
    assert report.rows("F00") == 2
    # The row behind them keeps its own number.
    with (raw / "opposition.csv").open("a") as handle:
        handle.write("P7;true;;;true;2018;\n")
    read_registry(raw, tmp_path / "out")
    assert rejected(tmp_path / "out", "opposition")["line"].tolist() == [5, 6, 8]


def test_a_ragged_parent_is_rejected_with_its_children(tmp_path: Path) -> None:
    rows = registry()
    raw = write(tmp_path / "raw", rows)
    lines = (raw / "patient.csv").read_text().splitlines()
    lines[1] += ";more"
    (raw / "patient.csv").write_text("\n".join(lines) + "\n")
    read_registry(raw, tmp_path / "out")
    assert reasons(tmp_path / "out", "patient", "patient_id") == {"P1": "F00"}
    assert reasons(tmp_path / "out", "care", "care_id") == {"C1": "V01-cascade"}
