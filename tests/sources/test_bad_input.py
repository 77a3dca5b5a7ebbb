"""Files that are not what they should be: a sentence for each, no value in it, and nothing written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from epi.errors import DataError, EpiError
from epi.sources.bndmr import RegistryMapping, read_registry
from epi.sources.bndmr.tables import raw_columns
from sources.handmade import nomenclature, reasons, registry, rejected, tidy, write

SECRET = "P-SECRET-42"  # noqa: S105


def refuse(raw: Path, out: Path, **options: object) -> str:
    """Read, expect a refusal that leaves nothing, and give its words."""
    with pytest.raises(DataError) as caught:
        read_registry(raw, out, nomenclature=nomenclature(), **options)  # type: ignore[arg-type]
    assert not out.exists()
    assert not [entry for entry in out.parent.iterdir() if entry.name.startswith(".")]
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_missing_columns_and_files_are_all_named_at_once(tmp_path: Path) -> None:
    columns = {
        "patient": [name for name in raw_columns("patient") if name != "vital_status"],
        "care": ["care_id", "patient_id", "site-code", "inclusion_date", "referred_by", "out_of_label"],
    }
    rows = registry()
    del rows["opposition"]
    words = refuse(write(tmp_path / "raw", rows, columns=columns), tmp_path / "out")
    assert "3 fault(s) in the files of raw" in words
    assert "patient.csv misses required columns vital_status" in words
    assert "care.csv misses required columns site_code (near: site-code)" in words
    assert "opposition.csv is missing" in words


def test_a_file_of_nearly_the_right_name_is_pointed_at(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry())
    (raw / "patient.csv").rename(raw / "patients.csv")
    assert "patient.csv is missing; is it patients.csv?" in refuse(raw, tmp_path / "out")


def test_an_optional_column_may_be_absent_and_an_unknown_one_is_left_out(tmp_path: Path) -> None:
    columns = {"patient": [name for name in raw_columns("patient") if name != "multiple_birth"] + ["Groupe sanguin"]}
    report = read_registry(write(tmp_path / "raw", registry(), columns=columns), tmp_path / "out")
    assert report.settings["absent_columns"] == {"patient": ["multiple_birth"]}
    assert report.settings["unknown_columns"] == {"patient": ["Groupe sanguin"]}
    assert tidy(tmp_path / "out", "patient")["multiple_birth"].isna().all()


def test_latin1_bytes_in_a_file_said_utf8_are_placed(tmp_path: Path) -> None:
    rows = registry()
    rows["site"][1]["site_name"] = f"[CRMR] Médecine {SECRET}"
    raw = write(tmp_path / "raw", rows, encoding="latin-1")
    words = refuse(raw, tmp_path / "out")
    assert "site.csv is not utf-8: line 3 holds bytes that are not" in words
    assert "encoding: cp1252" in words
    read_registry(raw, tmp_path / "out", mapping=RegistryMapping(encoding="cp1252"))
    assert tidy(tmp_path / "out", "site")["site_name"][0] == f"[CRMR] Médecine {SECRET}"


def test_a_byte_order_mark_windows_line_ends_and_gzip_are_read(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry(), encoding="utf-8-sig")
    content = (raw / "patient.csv").read_bytes().replace(b"\n", b"\r\n")
    (raw / "patient.csv").unlink()
    (raw / "patient.csv.gz").write_bytes(gzip.compress(content))
    report = read_registry(raw, tmp_path / "out", nomenclature=nomenclature())
    assert report.flow["rows_rejected"].sum() == 0
    assert tidy(tmp_path / "out", "patient")["patient_id"].tolist() == ["P1", "P2", "P3"]
    (raw / "patient.csv").write_bytes(content)
    assert "table patient is there 2 times" in refuse(raw, tmp_path / "again")


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-15"])
def test_other_encodings_are_read_when_said(tmp_path: Path, encoding: str) -> None:
    rows = registry()
    rows["site"][0]["site_name"] = "Hôpital Cœur"
    raw = write(tmp_path / "raw", rows, encoding=encoding)
    read_registry(raw, tmp_path / "out", mapping=RegistryMapping.model_validate({"encoding": encoding}))
    assert tidy(tmp_path / "out", "site")["site_name"][1] == "Hôpital Cœur"


def test_day_and_month_exchanged_throughout_stop_the_read(tmp_path: Path) -> None:
    """Where many dates are impossible, the others are wrong without looking so."""
    rows = registry()
    rows["activity"] += [
        {"activity_id": f"B{day}/{year}", "care_id": "C1", "activity_date": f"{year}-{day:02d}-03", "context": "29"}
        for day in range(1, 32)
        for year in (2018, 2019)
    ]
    words = refuse(write(tmp_path / "raw", rows), tmp_path / "out")
    assert "activity.csv, activity_date: 58% of its dates cannot be YYYY-MM-DD" in words
    assert "their day and month look exchanged" in words
    assert 'write "date: YYYY-DD-MM" under tables: activity: in the mapping' in words


def test_french_dates_are_recognised(tmp_path: Path) -> None:
    rows = registry()
    for table in rows.values():
        for row in table:
            for column in row:
                if column in ("file_created", "file_updated", "activity_date", "label_start", "label_end"):
                    row[column] = "/".join(reversed(row[column].split("-")))
    rows["patient"] += [rows["patient"][0] | {"patient_id": f"R{n}"} for n in range(30)]
    raw = write(tmp_path / "raw", rows)
    words = refuse(raw, tmp_path / "out")
    assert 'patient.csv, file_created: 100% of its dates cannot be YYYY-MM-DD; write "date: DD/MM/YYYY" or' in words
    assert "patient.csv, file_updated" in words
    # 05/01/2015 may be read in two ways: that is for the data manager to say.
    # Two sites are too few to tell: their rows alone would be rejected.
    assert "site.csv" not in words


def test_a_few_exchanged_dates_are_rejected_and_told(tmp_path: Path) -> None:
    rows = registry()
    rows["activity"] += [
        {"activity_id": f"B{n}", "care_id": "C1", "activity_date": "2018-21-03" if n < 25 else "2018-03-21",
         "context": "29"}
        for n in range(1000)
    ]  # fmt: skip
    report = read_registry(write(tmp_path / "raw", rows), tmp_path / "out")
    assert report.rows("F03-swapped") == 25
    assert len(report.advice) == 1
    assert "2% of its dates cannot be YYYY-MM-DD; their day and month look exchanged" in report.advice[0]


def test_an_insee_code_as_a_number_lost_its_zero(tmp_path: Path) -> None:
    rows = registry()
    rows["patient"][0]["residence_commune"] = "1001"
    rows["patient"][1]["birth_commune"] = "1001.0"
    read_registry(write(tmp_path / "raw", rows), tmp_path / "out")
    assert reasons(tmp_path / "out", "patient", "patient_id") == {"P1": "F05", "P2": "F05"}


def test_an_empty_file_is_not_a_table_but_a_header_alone_is(tmp_path: Path) -> None:
    rows = registry()
    raw = write(tmp_path / "raw", rows)
    (raw / "care.csv").write_bytes(b"")
    assert "care.csv is empty: it has not even a header" in refuse(raw, tmp_path / "out")
    (raw / "care.csv").write_text(";".join(raw_columns("care")) + "\n")
    report = read_registry(raw, tmp_path / "out")
    assert report.flow.set_index("table").loc["care", "rows_in"] == 0
    assert rejected(tmp_path / "out", "activity")["reason"].tolist() == ["V01-orphan"] * 3


def test_a_file_without_its_header_is_refused_without_its_words(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry())
    (raw / "patient.csv").write_text(f"{SECRET};false;;F;1960;5\n")
    words = refuse(raw, tmp_path / "out")
    assert "patient.csv has none of the expected columns in its first line: is its header missing?" in words


def test_another_separator_is_recognised(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry(), separator=",")
    words = refuse(raw, tmp_path / "out")
    assert "patient.csv has none of the expected columns in its first line; they are there with a comma" in words
    report = read_registry(raw, tmp_path / "out", mapping=RegistryMapping(separator=","))
    assert report.flow["rows_tidy"].sum() == 26


def test_a_column_given_twice_is_refused(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry(), columns={"research": ["patient_id", "patient_id"]})
    (raw / "research.csv").write_text("patient_id;patient_id\n")
    assert "research.csv has column patient_id twice" in refuse(raw, tmp_path / "out")


def test_a_quote_left_open_is_placed(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry())
    with (raw / "opposition.csv").open("a") as handle:
        handle.write(f'P1;true;"{SECRET};;true;;\nP2;true;;;true;;\n')
    words = refuse(raw, tmp_path / "out")
    assert "opposition.csv: record 5 opens a quote that is not closed" in words


def spoil_lines(path: Path, **lines: str) -> None:
    """Rewrite lines of a file, by the number of the line: ``line_3="..."``."""
    content = path.read_text(encoding="utf-8").splitlines()
    for name, line in lines.items():
        content[int(name.removeprefix("line_")) - 1] = line
    path.write_text("\n".join(content) + "\n", encoding="utf-8")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("first", [1, 2])
def test_a_stray_quote_closed_in_another_record_takes_no_record_away(tmp_path: Path, first: int, end: str) -> None:
    """The count of cells is right, one record would be rejected, and the opposed P3 would be gone."""
    rows = registry()
    rows["opposition"].append({"patient_id": "P4", "bndmr_opposed": "true"})
    raw = write(tmp_path / "raw", rows)
    lines = (raw / "opposition.csv").read_text(encoding="utf-8").splitlines()
    lines[first] += f'"{SECRET}'
    lines[first + 2] += '"'
    (raw / "opposition.csv").write_bytes(end.join([*lines, ""]).encode())
    words = refuse(raw, tmp_path / "out")
    assert f"opposition.csv: record {first + 1} opens a quote that is not closed" in words


def test_the_record_that_opens_a_quote_is_counted_among_ragged_ones(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry())
    lines = (raw / "opposition.csv").read_text(encoding="utf-8").splitlines()
    spoil_lines(raw / "opposition.csv", line_2=";" + lines[1], line_3=lines[2] + '"yes', line_4=lines[3] + '"')
    assert "opposition.csv: record 3 opens a quote" in refuse(raw, tmp_path / "out")


def test_a_stray_quote_in_a_column_that_is_left_out_takes_no_record_away(tmp_path: Path) -> None:
    columns = {"opposition": [*raw_columns("opposition"), "Remarque"]}
    raw = write(tmp_path / "raw", registry(), columns=columns)
    lines = (raw / "opposition.csv").read_text(encoding="utf-8").splitlines()
    spoil_lines(raw / "opposition.csv", line_3=lines[2] + '"yes', line_4=lines[3] + 'no"')
    assert "opposition.csv: record 3 opens a quote" in refuse(raw, tmp_path / "out")


def test_a_stray_quote_in_a_free_text_takes_no_record_away(tmp_path: Path) -> None:
    """Free text may go over lines; what ends one record and begins the next inside it is no text."""
    raw = write(tmp_path / "raw", registry())
    lines = (raw / "activity.csv").read_text(encoding="utf-8").splitlines()
    at = raw_columns("activity").index("context_text")
    spoiled = {}
    for line in (2, 3):
        cells = lines[line - 1].split(";")
        cells[at] = '"' if line == 2 else cells[at] + '"'
        spoiled[f"line_{line}"] = ";".join(cells)
    spoil_lines(raw / "activity.csv", **spoiled)
    assert "activity.csv: record 2 opens a quote" in refuse(raw, tmp_path / "out")


def test_a_record_of_another_width_is_kept_as_it_was_written(tmp_path: Path) -> None:
    """One sign too many moves the patient out of its column: whoever looks for P3 must find the record."""
    raw = write(tmp_path / "raw", registry())
    lines = (raw / "opposition.csv").read_text(encoding="utf-8").splitlines()
    spoil_lines(raw / "opposition.csv", line_4=f";{lines[3]}true")
    read_registry(raw, tmp_path / "out", nomenclature=nomenclature())
    side = rejected(tmp_path / "out", "opposition")
    assert side["record"].tolist() == [f";{lines[3]}true"]
    assert side["patient_id"].isna().all() and "P3" in side["record"][0].split(";")


def test_a_record_moved_by_one_cell_keeps_all_of_its_cells(tmp_path: Path) -> None:
    """Its last cell being empty, nothing is too many: the patient is in the next column."""
    raw = write(tmp_path / "raw", registry())
    lines = (raw / "opposition.csv").read_text(encoding="utf-8").splitlines()
    spoil_lines(raw / "opposition.csv", line_4=";" + lines[3])
    read_registry(raw, tmp_path / "out", nomenclature=nomenclature())
    side = rejected(tmp_path / "out", "opposition")
    assert len(side) == 1 and "P3" in side.iloc[0].tolist()


def test_a_row_rejected_for_its_content_has_no_record_of_its_own(tmp_path: Path) -> None:
    rows = registry()
    rows["opposition"][0]["bndmr_opposed"] = "perhaps"
    read_registry(write(tmp_path / "raw", rows), tmp_path / "out")
    assert rejected(tmp_path / "out", "opposition")["record"].isna().tolist() == [True]


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", registry())
    (raw / "patient.csv").unlink()
    (raw / "patient.parquet").write_bytes(b"PAR1 and no more")
    assert "patient.parquet is not a Parquet file, or is cut short" in refuse(raw, tmp_path / "out")


@pytest.mark.parametrize("content", [None, "{", '{"synthetic": true}', '{"extraction_date": "30/06/2024"}', "[]"])
def test_the_date_of_extraction_must_be_known(tmp_path: Path, content: str | None) -> None:
    raw = write(tmp_path / "raw", registry())
    (raw / "extract.json").unlink()
    if content is not None:
        (raw / "extract.json").write_text(content)
    assert "YYYY-MM-DD" in refuse(raw, tmp_path / "out")
    read_registry(raw, tmp_path / "out", extraction_date="2024-06-30")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "is not a folder" in refuse(tmp_path / "nowhere", tmp_path / "out")


def test_no_value_reaches_a_message_or_the_counts(tmp_path: Path) -> None:
    """Every cell of a patient is a secret word; the file is read, and the word is only in the side file."""
    rows = registry()
    rows["patient"].append(dict.fromkeys(raw_columns("patient"), SECRET))
    rows["diagnosis"].append(dict.fromkeys(raw_columns("diagnosis"), SECRET))
    report = read_registry(write(tmp_path / "raw", rows), tmp_path / "out", nomenclature=nomenclature())
    said = report.summary() + report._repr_html_() + (tmp_path / "out" / "quality.json").read_text()
    assert SECRET not in said
    assert rejected(tmp_path / "out", "patient")["sex"].tolist() == [SECRET]
    assert rejected(tmp_path / "out", "diagnosis")["reason"].tolist() == ["F02|F03|F04|F05|V01-cascade"]


def test_texts_that_look_like_formulas_or_paths_stay_texts(tmp_path: Path) -> None:
    rows = registry()
    rows["site"][0]["site_name"] = "=HYPERLINK(1)'; DROP TABLE x; --"
    read_registry(write(tmp_path / "raw", rows), tmp_path / "out")
    assert tidy(tmp_path / "out", "site")["site_name"][1] == "=HYPERLINK(1)'; DROP TABLE x; --"


def test_a_folder_with_a_quote_in_its_name(tmp_path: Path) -> None:
    report = read_registry(write(tmp_path / "l'extrait [1]*", registry()), tmp_path / "l'issue")
    assert report.flow["rows_tidy"].sum() == 26


def test_errors_have_the_exit_code_of_their_class() -> None:
    assert DataError.exit_code == 3
    assert issubclass(DataError, EpiError)
