"""The door: files, marks, records, and what happens when something is wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure

import epi
from epi.disclosure import find_gate_line, payload_digest, read_gate, verify_cell_output
from epi.disclosure.pictures import BACKGROUND
from epi.errors import DisclosureError, ParameterError, StorageError
from epi.files import digest_file
from epi.plotting import Chart, new_figure
from epi.results import Counted, Release

TABLE = pd.DataFrame({"area": ["A", "B", "C"], "n": [60, 3, 40], "rate": [6.1, 0.3, 4.4]})
COUNTS = (Counted("n", adds_up_within=(), derived=("rate",)),)
RELEASE = Release(TABLE, COUNTS, title="Cases <by> area", note="R & D")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EPI_RUN_DIR", str(tmp_path))
    monkeypatch.delenv("EPI_PROTOCOL", raising=False)
    return tmp_path


def bars(table: pd.DataFrame) -> Figure:
    figure = new_figure(4, 2.4)
    axes = figure.add_subplot()
    axes.bar(table["area"], table["n"].fillna(0.0))
    return figure


def node(released: object) -> dict[str, object]:
    return {"output_type": "display_data", "data": dict(released.data), "metadata": dict(released.metadata)}  # type: ignore[attr-defined]


def test_a_table_is_written_with_marks(run: Path) -> None:
    released = epi.output(RELEASE, "cases_by_area")
    text = (run / "tables" / "cases_by_area.csv").read_text(encoding="utf-8")
    assert text == "area,n,rate\nA,60,6.1\nB,[c],[c]\nC,[c],[c]\n"
    html = released.data["text/html"]
    assert "Cases &lt;by&gt; area" in html
    assert "R &amp; D" in html
    assert "[c]: 4 cells hidden (fewer than 11 persons" in html
    assert "http" not in html
    assert ">3<" not in html
    assert ">40<" not in html
    (line,) = read_gate(run)
    assert line["kind"] == "table"
    assert line["level"] == "public"
    assert line["hidden"] == 4
    assert line["files"] == {"tables/cases_by_area.csv": digest_file(run / "tables" / "cases_by_area.csv")}
    assert verify_cell_output(node(released), read_gate(run))
    assert find_gate_line(node(released), read_gate(run))["level"] == "public"  # type: ignore[index]


def test_a_figure_is_drawn_from_the_checked_table(run: Path) -> None:
    seen: list[pd.DataFrame] = []

    def draw(table: pd.DataFrame) -> Figure:
        seen.append(table.copy())
        table["n"] = -1.0  # what a drawing does to its table stays there
        return bars(table.assign(n=[60.0, np.nan, np.nan]))

    released = epi.output(Chart(RELEASE, draw, "Bars, one for each area"), "cases_figure")
    assert seen[0]["n"].isna().tolist() == [False, True, True]
    assert seen[0]["rate"].isna().tolist() == [False, True, True]
    assert (run / "figures" / "cases_figure.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (run / "figures" / "cases_figure.svg").read_text(encoding="utf-8")
    assert "60," in (run / "tables" / "cases_figure.csv").read_text(encoding="utf-8")
    assert 'alt="Bars, one for each area"' in released.data["text/html"]
    assert TABLE["n"].tolist() == [60, 3, 40]


def test_the_same_table_gives_the_same_bytes(
    run: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = Chart(RELEASE, lambda table: bars(table), "Bars")
    epi.output(chart, "cases_figure")
    other = tmp_path_factory.mktemp("again")
    monkeypatch.setenv("EPI_RUN_DIR", str(other))
    epi.output(chart, "cases_figure")
    assert read_gate(run) == read_gate(other)


def test_forged_marks_do_not_pass(run: Path) -> None:
    good = node(epi.output(RELEASE, "cases_by_area"))
    lines = read_gate(run)
    assert verify_cell_output(good, lines)
    forged = good | {"data": {"text/html": "<table><td>P0004711732</td></table>"}}
    assert not verify_cell_output(forged, lines), "the mark of another payload"
    own = {"epi": {"output": "cases_by_area", "sha256": payload_digest(forged["data"])}}
    assert not verify_cell_output(forged | {"metadata": own}, lines), "a mark that the gate never made"
    more = good | {"data": good["data"] | {"text/plain": "P0004711732"}}  # type: ignore[operator]
    assert not verify_cell_output(more, lines), "something more, riding along"
    renamed = good | {"metadata": {"epi": good["metadata"]["epi"] | {"output": "other"}}}  # type: ignore[index]
    assert not verify_cell_output(renamed, lines)
    for broken in ({}, {"epi": None}, {"epi": {"output": 1, "sha256": 2}}):
        assert not verify_cell_output(good | {"metadata": broken}, lines)
    assert not verify_cell_output({"output_type": "stream", "text": "P0004711732"}, lines)
    refused = [line | {"verdict": "refused"} for line in lines]
    assert not verify_cell_output(good, refused)


def test_the_digest_reads_a_notebook_file_as_it_reads_a_live_output() -> None:
    from nbformat.v4 import new_output
    from nbformat.v4.rwbase import split_lines, strip_transient

    output_ = new_output("display_data", data={"text/html": "<p>\n1</p>\n", "image/png": "aGVsbG8=\n"})
    from nbformat.v4 import new_code_cell, new_notebook

    book = strip_transient(split_lines(new_notebook(cells=[new_code_cell("", outputs=[output_])])))
    held = book.cells[0].outputs[0].data
    assert isinstance(held["text/html"], list)
    assert payload_digest(held) == payload_digest({"text/html": "<p>\n1</p>\n", "image/png": "aGVsbG8=\n"})


def test_without_a_run_it_shows_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EPI_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    released = epi.output(RELEASE, "cases_by_area")
    assert "nothing was written" in released.data["text/html"]
    assert "[c]" in released.data["text/html"]
    assert list(tmp_path.iterdir()) == []
    assert repr(released) == "table 'cases_by_area' (public): 3 rows, 4 hidden; nothing written, no run in progress"


def test_a_refusal_is_recorded_and_writes_nothing_else(run: Path) -> None:
    with pytest.raises(DisclosureError):
        epi.output(TABLE, "bare")
    with pytest.raises(DisclosureError):
        epi.output(Release(TABLE.assign(patient_id=["P0004711732"] * 3), COUNTS), "canary")
    assert [line["verdict"] for line in read_gate(run)] == ["refused", "refused"]
    assert "P0004711732" not in (run / "gate.jsonl").read_text(encoding="utf-8")
    assert [path.name for path in run.iterdir()] == ["gate.jsonl"]


def test_one_name_is_one_payload(run: Path) -> None:
    first = epi.output(RELEASE, "cases")
    again = epi.output(RELEASE, "cases")
    assert again.metadata == first.metadata
    assert len(read_gate(run)) == 1
    with pytest.raises(DisclosureError, match="two versions of a table can be subtracted"):
        epi.output(Release(TABLE.assign(n=[61, 3, 40]), COUNTS), "cases")
    assert "60" in (run / "tables" / "cases.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["../escape", "A", "", "a b", "9a", "a/b", "x" * 81, None])
def test_names_that_are_not(run: Path, name: str) -> None:
    with pytest.raises(ParameterError):
        epi.output(RELEASE, name)
    assert list(run.iterdir()) == []


def test_levels(run: Path) -> None:
    with pytest.raises(ParameterError, match="public, restricted, internal"):
        epi.output(RELEASE, "cases", level="secret")


def protocol(folder: Path, min_count: int = 11) -> Path:
    words = {"fr": "x", "en": "x"}
    content = {
        "id": "study",
        "version": "1",
        "title": words,
        "question": words,
        "population": words,
        "design": words,
        "limits": [words],
        "legal": {"basis": "MR-004", "expires": "2030-01-01"},
        "investigators": [],
        "sources": ["bndmr"],
        "min_count": min_count,
        "notebooks": [{"file": "01_a.ipynb", "title": words}],
        "outputs": [
            {"name": "cases", "level": "restricted", "meaning": words},
            {"name": "sir", "meaning": words},
        ],
    }
    place = folder / "protocol.yml"
    place.write_text(yaml.safe_dump(content), encoding="utf-8")
    return place


def test_the_protocol_rules_names_levels_and_counts(
    run: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPI_PROTOCOL", str(protocol(tmp_path_factory.mktemp("study"), min_count=50)))
    assert epi.output(RELEASE, "cases").level == "restricted"
    assert epi.output(RELEASE, "sir", level="internal").level == "internal"
    assert "fewer than 50 persons" in epi.output(RELEASE, "sir", level="internal").data["text/html"]
    with pytest.raises(DisclosureError, match="asked for as public, and the protocol says restricted"):
        epi.output(RELEASE, "cases", level="public")
    with pytest.raises(DisclosureError, match="'other' is not declared in the protocol"):
        epi.output(RELEASE, "other")


def test_a_full_disk_leaves_nothing_half_written(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epi.output(RELEASE, "first")
    before = (run / "gate.jsonl").read_bytes()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StorageError, match="the disk is full"):
            epi.output(RELEASE, "second")
        with pytest.raises(StorageError, match="the disk is full"):
            epi.record("n_cases", 100)
    assert (run / "gate.jsonl").read_bytes() == before
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(StorageError, match="the disk is full"):
            epi.output(RELEASE, "third")
    assert not list(run.rglob("*.part"))
    assert not (run / "tables" / "third.csv").exists()


def test_a_line_cut_by_a_killed_run_is_dropped(run: Path) -> None:
    epi.output(RELEASE, "first")
    with (run / "gate.jsonl").open("ab") as handle:
        handle.write(b'{"name":"half')
    epi.output(Release(TABLE, COUNTS), "second")
    assert [line["name"] for line in read_gate(run)] == ["first", "second"]


def test_a_picture_of_persons_is_refused(run: Path) -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    persons = rng.normal(size=(60, 2))

    def scatter(table: pd.DataFrame, gid: str | None = None) -> Figure:
        figure = bars(table)
        figure.axes[0].scatter(persons[:, 0], persons[:, 1]).set_gid(gid)
        return figure

    with pytest.raises(DisclosureError, match="60 points are drawn together from a table of 3 row"):
        epi.output(Chart(RELEASE, scatter, "Persons"), "persons")
    assert epi.output(Chart(RELEASE, lambda table: scatter(table, BACKGROUND), "Stations"), "stations")

    def dots(table: pd.DataFrame) -> Figure:
        figure = bars(table)
        figure.axes[0].plot(persons[:, 0], persons[:, 1], "o")
        return figure

    with pytest.raises(DisclosureError, match="60 points"):
        epi.output(Chart(RELEASE, dots, "Persons"), "persons")

    def named(table: pd.DataFrame) -> Figure:
        figure = bars(table)
        figure.axes[0].set_title("284127645108946")
        return figure

    with pytest.raises(DisclosureError, match="shaped like: NIR") as caught:
        epi.output(Chart(RELEASE, named, "Title"), "persons")
    assert "284127645108946" not in str(caught.value)


def test_a_drawing_that_cannot_live_without_hidden_cells_says_so(run: Path) -> None:
    def draw(table: pd.DataFrame) -> Figure:
        return bars(table.assign(n=table["n"].astype(int)))

    with pytest.raises(DisclosureError, match="could not be drawn from its checked table"):
        epi.output(Chart(RELEASE, draw, "Bars"), "cases")


def test_spreadsheets_run_no_formula(run: Path) -> None:
    table = pd.DataFrame({"area": ["=HYPERLINK(1)", "@x", "-cmd", "-1.5"], "n": [40, 50, 60, 70]})
    epi.output(Release(table, (Counted("n"),)), "cases")
    lines = (run / "tables" / "cases.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["'=HYPERLINK(1)", "'@x", "'-cmd", "-1.5"]


def test_a_long_table_shows_its_first_rows(run: Path) -> None:
    table = pd.DataFrame({"area": [f"Z{rank}" for rank in range(200)], "n": [12] * 200})
    html = epi.output(Release(table, (Counted("n"),)), "long").data["text/html"]
    assert html.count("<tr") == 61
    assert "140 more rows are in the table&#x27;s file" in html
    assert len((run / "tables" / "long.csv").read_text(encoding="utf-8").splitlines()) == 201


def test_import_epi_leaves_pandas_out() -> None:
    import subprocess
    import sys

    code = "import sys, epi, epi.disclosure; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
