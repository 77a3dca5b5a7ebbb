"""Two engines judge the same rows: pandera on pandas, and the reader's SQL. They must agree."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
from pathlib import Path

import duckdb
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.sources.bndmr import RegistryMapping, read_registry
from epi.sources.bndmr.conversion import Converter
from epi.sources.bndmr.fields import Field
from epi.sources.bndmr.intake import Source, stage
from epi.sources.bndmr.schema import DECLARED, RAW_TABLES, TABLES
from epi.sources.bndmr.values import VALUE_SETS
from epi.sources.bndmr.verdicts import Judge
from sources.handmade import nomenclature, registry, write

ODD = [
    "", " ", "?", "0", "-1", "+3", "12", "13", "1e3", "4.0", "4.5", ".5", "1960", "1960.0", "99999999999", "true",
    "TRUE", "2015", "2015-03", "2015-3", "2015-03-12", "2015-02-29", "2016-02-29", "2015-13-02", "2015-31-12",
    "2015-00-00", "1799-12-31", "1800-01-01", "15-03-2015", "2015-03-12 00:00:00", "2015-03-12T00:00:00",
    "2015-03-12 10:00:00",
    "01001", "1001", "2A004", "2a004", "99217", "690781810", "2A0000014", "69078181", "FR", "France", "S001", "s001",
    "HGNC:5", "A00.0", "G12.2", "M|F", "ORG-182|ORG-019", "ORG-182|", "|", "é", "'", 'a "quoted" text', "a;b",
]  # fmt: skip


def cells(field: Field) -> st.SearchStrategy[str]:
    known = list(VALUE_SETS[field.value_set].enum_of) if field.value_set else []
    # Elsewhere than in a free text, the end of a line refuses the whole file.
    return st.sampled_from(ODD + known * 4 + ["\n"] * field.free_text)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[dict[str, str]]]:
    name = draw(st.sampled_from(sorted(DECLARED)))
    fields = DECLARED[name].fields
    row = st.fixed_dictionaries({field.name: cells(field) for field in fields})
    return name, draw(st.lists(row, min_size=1, max_size=6))


def by_sql(name: str, rows: list[dict[str, str]], folder: Path) -> set[tuple[int, str, str]]:
    """The reader's verdicts on cells: row, column, fault."""
    table = DECLARED[name]
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writerow(table.columns)
        writer.writerows([row[column] for column in table.columns] for row in rows)
    mapping = RegistryMapping()
    source = Source(table, path, mapping.table(name), table.columns, {c: i for i, c in enumerate(table.columns)})
    with duckdb.connect() as connection:
        stage(connection, source, mapping, folder)
        judge = Judge(connection, {name: Converter(table, mapping)}, [], dt.date(2024, 6, 30), [])
        judge.judge_cells(table)
        found = connection.execute(f'SELECT r, col, rule FROM "hit_{name}"').fetchall()
    return {(row, column, rule.removesuffix("-swapped")) for row, column, rule in found}


def by_pandera(name: str, rows: list[dict[str, str]]) -> set[tuple[int, str, str]]:
    """The schema's verdicts on the same texts."""
    frame = pd.DataFrame(rows, columns=list(DECLARED[name].columns), dtype="string")
    frame = frame.apply(lambda column: column.str.strip(" \t\r")).replace("", pd.NA).astype("string")
    try:
        RAW_TABLES[name].validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        names = cases["check"].replace("not_nullable", "F01")
        return set(zip(cases["index"].astype(int), cases["column"], names, strict=True))
    return set()


@settings(max_examples=120)
@given(tables())
def test_pandera_and_sql_agree_on_every_cell(case: tuple[str, list[dict[str, str]]]) -> None:
    name, rows = case
    with tempfile.TemporaryDirectory() as folder:
        assert by_sql(name, rows, Path(folder)) == by_pandera(name, rows)


def test_the_two_engines_see_something_in_each_kind() -> None:
    """The comparison above is not empty: one bad row of each table is seen by pandera too."""
    for name, table in DECLARED.items():
        row = {field.name: "\x01" for field in table.fields}
        seen = {fault for _, _, fault in by_pandera(name, [row])}
        kinds = {field.kind for field in table.fields}
        assert ("F02" in seen) == bool(kinds & {"enum", "enums", "bool"})
        assert ("F03" in seen) == ("date" in kinds)
        assert ("F04" in seen) == bool(kinds & {"int", "float"})


def test_tidy_tables_pass_their_schema(tmp_path: Path) -> None:
    read_registry(write(tmp_path / "raw", registry()), tmp_path / "out", nomenclature=nomenclature())
    for name, schema in TABLES.items():
        schema.validate(pd.read_parquet(tmp_path / "out" / "tidy" / f"{name}.parquet"), lazy=True)


@pytest.mark.parametrize(
    ("column", "value"),
    [("sex", "X"), ("residence_commune", "1001"), ("birth_month", 13), ("patient_id", "P2"), ("file_created", None)],
)
def test_a_spoilt_tidy_table_does_not_pass(tmp_path: Path, column: str, value: object) -> None:
    read_registry(write(tmp_path / "raw", registry()), tmp_path / "out")
    frame = pd.read_parquet(tmp_path / "out" / "tidy" / "patient.parquet")
    frame.loc[0, column] = value
    with pytest.raises(pa.errors.SchemaErrors):
        TABLES["patient"].validate(frame, lazy=True)
