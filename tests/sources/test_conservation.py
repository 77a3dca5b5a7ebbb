"""Whatever is in the files, every row comes out once: kept, or set aside with a reason."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.sources.bndmr import read_registry
from epi.sources.bndmr.schema import TABLES
from epi.sources.bndmr.tables import DECLARED, foreign_keys
from sources.handmade import Rows, nomenclature, registry, rejected, tidy, write

TOUCHED = ("site", "patient", "opposition", "care", "activity", "activity_objective", "diagnosis", "diagnosis_gene")
WORDS = st.sampled_from(
    [
        "",
        "P1",
        "P2",
        "C1",
        "S001",
        "true",
        "1990",
        "2015-03",
        "2020-02-31",
        "2030-01-01",
        "M",
        "803",
        "x;y",
        'a"b',
        "é",
    ]
)


@st.composite
def corrupted(draw: st.DrawFn) -> Rows:
    """Rows of the good registry, some copied, some spoilt, some lost."""
    rows = registry()
    for _ in range(draw(st.integers(1, 12))):
        table = draw(st.sampled_from(TOUCHED))
        act = draw(st.sampled_from(["copy", "spoil", "spoil", "lose"]))
        if not rows[table]:
            continue
        place = draw(st.integers(0, len(rows[table]) - 1))
        if act == "copy":
            rows[table].append(dict(rows[table][place]))
        elif act == "lose":
            rows[table].pop(place)
        else:
            column = draw(st.sampled_from(sorted(DECLARED[table].columns)))
            # Elsewhere than in a free text, the end of a line refuses the whole file.
            end = "\n" if DECLARED[table].field(column).free_text else ""
            rows[table][place] = rows[table][place] | {column: draw(WORDS) + end}
    return rows


@settings(max_examples=8)
@given(corrupted())
def test_rows_in_are_rows_kept_and_rows_rejected(rows: Rows) -> None:
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        report = read_registry(write(Path(place) / "raw", rows), out, nomenclature=nomenclature())
        flow = report.flow.set_index("table")
        kept = {}
        for table in rows:
            kept[table], aside = tidy(out, table), rejected(out, table)
            assert len(kept[table]) + len(aside) == len(rows[table]) == flow.loc[table, "rows_in"]
            # What is set aside is what was written, cell by cell, at the line that is said.
            for row in aside.to_dict("records"):
                written = rows[table][row["line"] - 2]
                assert {c: row[c] or "" for c in DECLARED[table].columns} == {
                    c: written.get(c, "").strip(" \t\r") for c in DECLARED[table].columns
                }
            counted = Counter(rule for reason in aside["reason"] for rule in reason.split("|"))
            errors = report.table[(report.table["table"] == table) & (report.table["severity"] == "E")]
            assert dict(zip(errors["rule"], errors["rows"], strict=True)) == dict(counted)
            TABLES[table].validate(kept[table], lazy=True)
        for table in rows:
            for column, parent in foreign_keys(table).items():
                if parent in kept:
                    assert set(kept[table][column].dropna()) <= set(kept[parent][column])


@settings(max_examples=3)
@given(corrupted(), st.randoms(use_true_random=False))
def test_a_second_read_and_another_order_keep_the_same_rows(rows: Rows, chance: object) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        read_registry(write(root / "a", rows), root / "one", nomenclature=nomenclature(), threads=1)
        for table in rows.values():
            chance.shuffle(table)  # type: ignore[attr-defined]
        read_registry(write(root / "b", rows), root / "two", nomenclature=nomenclature(), threads=2)
        for table in rows:
            pd.testing.assert_frame_equal(tidy(root / "one", table), tidy(root / "two", table))
