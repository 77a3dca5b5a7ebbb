"""A folder of outputs, looked at before it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import epi
from epi.disclosure import check_outputs
from epi.errors import DataError
from epi.results import Counted, Release

RELEASE = Release(pd.DataFrame({"area": ["A", "B"], "n": [60, 3]}), (Counted("n"),))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EPI_RUN_DIR", str(tmp_path))
    monkeypatch.delenv("EPI_PROTOCOL", raising=False)
    released = epi.output(RELEASE, "cases")
    cells = [{"outputs": [{"output_type": "display_data", "data": released.data, "metadata": released.metadata}]}]
    (tmp_path / "01_a.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return tmp_path


def test_a_clean_run_has_nothing_to_say(run: Path) -> None:
    assert check_outputs(run) == []


def test_what_the_gate_did_not_write_is_found(run: Path) -> None:
    (run / "dump.parquet").write_bytes(b"PAR1")
    (run / "by_hand.csv").write_text(
        "patient_id;who;n;born\nx;P0004711732;7;2015-03-12\ny;284127645108946;40;\n", encoding="utf-8"
    )
    with (run / "tables" / "cases.csv").open("a", encoding="utf-8") as handle:
        handle.write("C,4\n")
    book = json.loads((run / "01_a.ipynb").read_text(encoding="utf-8"))
    book["cells"].append({"outputs": [{"output_type": "stream", "text": "P0004711732"}]})
    (run / "01_a.ipynb").write_text(json.dumps(book), encoding="utf-8")
    found = check_outputs(run)
    assert [(finding.rule, finding.where.split(",")[0]) for finding in found] == [
        ("unmarked", "01_a.ipynb"),
        ("undeclared", "by_hand.csv"),
        ("identifier_column", "by_hand.csv"),
        ("identifier_value", "by_hand.csv"),
        ("identifier_value", "by_hand.csv"),
        ("small_count", "by_hand.csv"),
        ("identifier_value", "by_hand.csv"),
        ("undeclared", "dump.parquet"),
        ("changed", "tables/cases.csv"),
        ("small_count", "tables/cases.csv"),
    ]
    words = " ".join(map(str, found))
    assert "P0004711732" not in words
    assert "284127645108946" not in words


def test_a_missing_output_and_a_link_are_found(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (run / "tables" / "cases.csv").unlink()
    away = tmp_path_factory.mktemp("away") / "secret.csv"
    away.write_text("patient_id\n", encoding="utf-8")
    (run / "secret.csv").symlink_to(away)
    assert [finding.rule for finding in check_outputs(run)] == ["link", "missing"]


def test_one_file_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("area,n\nA,3\n", encoding="utf-8")
    assert [finding.rule for finding in check_outputs(tmp_path / "a.csv")] == ["small_count"]
    with pytest.raises(DataError, match="does not exist"):
        check_outputs(tmp_path / "none")
