"""What leaves of a run: the gate's own files, at a level, the same bytes each time, and nothing runs in them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from docx import Document
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from epi.disclosure.door import quote_formula, write_csv
from epi.disclosure.gate import check_release
from epi.disclosure.layout import describe_layout
from epi.disclosure.policy import read_policy
from epi.errors import DisclosureError, ParameterError, RunError, StorageError
from epi.files import digest_file
from epi.plotting import Chart, new_figure, render
from epi.results import Counted, Release
from epi.runner.export import Output, export_run, open_bundle
from epi.runner.export.bundle import Bundle, Empty, _type, find_run
from epi.runner.export.numbers import MINUS, NO_BREAK, THIN, write_interval, write_number, write_p_value, write_percent
from epi.runner.export.word import write_document
from epi.runner.export.workbook import sheet_names, write_workbook
from epi.runner.folder import Run
from epi.runner.run import run_study
from epi.runner.study import open_study
from runner.toy import CANARY, write_toy_study


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    study = open_study(write_toy_study(tmp_path_factory.mktemp("studies")))
    return run_study(study, {"minimum_age": 20}, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Run:
    folder = tmp_path / "runs" / "toy" / run.run_id
    shutil.copytree(run.folder, folder)
    return Run(folder, run.manifest)


def make_output(table: pd.DataFrame, counts: tuple[Counted, ...] = (), **about: object) -> Output:
    decision = check_release(Release(table, counts, **about), read_policy())  # type: ignore[arg-type]
    decision.raise_if_refused("it")
    _, *lines = csv.reader(io.StringIO(write_csv(decision)))
    layout = describe_layout(decision)
    kinds = [str(kind) for _, kind in layout["columns"]]
    names = tuple(str(name) for name, _ in layout["columns"])
    return Output(
        "it", "table", "public", "Title", "", names, _type(lines, kinds, "[c]"), layout, {}, decision.n_hidden
    )


def bundle_of(run: Run, *outputs: Output) -> Bundle:
    opened = open_bundle(run)
    return Bundle(run, opened.protocol, "public", outputs, ())


def test_an_export_holds_each_format_with_its_table_and_a_digest_of_each(run: Run, tmp_path: Path) -> None:
    done = export_run(run, tmp_path / "out")
    there = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()}
    assert there == {
        "README.md",
        "SHA256SUMS",
        "figures/group_chart.csv",
        "figures/group_chart.pdf",
        "figures/group_chart.png",
        "figures/group_chart.svg",
        "manifest.json",
        "results.csv",
        "tables.xlsx",
        "tables/attrition.csv",
        "tables/attrition.docx",
        "tables/groups.csv",
        "tables/groups.docx",
    }
    manifest = json.loads((done.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["run_id"] == run.run_id and manifest["level"] == "public" and manifest["left_out"] == ["notes"]
    assert set(manifest["files"]) == there - {"manifest.json", "SHA256SUMS"}
    for name, digest in manifest["files"].items():
        assert digest_file(done.folder / name) == digest
    sums = dict(reversed(line.split("  ")) for line in (done.folder / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == there - {"SHA256SUMS"}
    assert all(digest_file(done.folder / name) == digest for name, digest in sums.items())
    # The run's own files, not another rendering of them.
    for form, own in (("svg", "svg"), ("pdf", "pdf"), ("png", "300dpi.png")):
        assert (done.folder / f"figures/group_chart.{form}").read_bytes() == (
            run.folder / f"figures/group_chart.{own}"
        ).read_bytes()


def test_no_identifier_date_or_machine_leaves(run: Run, tmp_path: Path) -> None:
    done = export_run(run, tmp_path / "out", level="internal")
    for path in (path for path in done.folder.rglob("*") if path.is_file()):
        contents = [path.read_bytes()]
        if path.suffix in {".docx", ".xlsx"}:
            with zipfile.ZipFile(path) as archive:
                assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
                contents = [archive.read(name) for name in archive.namelist()]
        for content in contents:
            assert CANARY.encode() not in content, path
            assert str(run.folder).encode() not in content and str(tmp_path).encode() not in content, path
            assert not re.search(rb"CreationDate|ModDate|dcterms:created|dcterms:modified|dc:creator", content), path


def test_the_same_run_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    first, second = export_run(run, tmp_path / "a", lang="fr"), export_run(run, tmp_path / "b", lang="fr")
    assert first.files == second.files
    again = export_run(run, tmp_path / "a", lang="fr")
    assert again.files == first.files
    assert digest_file(tmp_path / "a" / "SHA256SUMS") == digest_file(tmp_path / "b" / "SHA256SUMS")


def test_vector_figures_embed_true_type_fonts_and_keep_no_hidden_text(run: Run) -> None:
    pdf = (run.folder / "figures/group_chart.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and b"/Type3" not in pdf and b"/FontFile2" in pdf and b"/Info" in pdf
    assert b"Producer" not in pdf and b"/ID" not in pdf
    svg = (run.folder / "figures/group_chart.svg").read_text(encoding="utf-8")
    assert "<text" not in svg and "<dc:date>" not in svg and "<a " not in svg
    png = (run.folder / "figures/group_chart.300dpi.png").read_bytes()
    assert int.from_bytes(png[png.index(b"pHYs") + 4 :][:4], "big") == 11811  # dots per metre: 300 per inch


def test_ids_and_links_inside_a_figure_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import epi

    monkeypatch.setenv("EPI_RUN_DIR", str(tmp_path))
    monkeypatch.delenv("EPI_PROTOCOL", raising=False)
    release = Release(pd.DataFrame({"area": ["A", "B"], "n": [60, 40]}), (Counted("n"),))

    def draw(table: pd.DataFrame, where: str):
        figure = new_figure(3, 2)
        (bar, _) = figure.add_subplot().bar(table["area"], table["n"])
        bar.set_gid("P0004711732") if where == "gid" else bar.set_url("https://example.org/P0004711732")
        return figure

    for where in ("gid", "url"):
        with pytest.raises(DisclosureError, match="id or link, kept inside the file"):
            epi.output(Chart(release, lambda table, where=where: draw(table, where), "Bars"), f"by_{where}")
    assert not list(tmp_path.glob("figures/*"))
    assert b"P0004711732" in render(draw(release.table, "gid"), "svg"), "the id would have been in the file"


def test_an_altered_file_stops_the_whole_export(copy: Run, tmp_path: Path) -> None:
    (copy.folder / "tables" / "groups.csv").write_text("group,n\na,3\n", encoding="utf-8")
    (copy.folder / "figures" / "added.png").write_bytes(b"x")
    with pytest.raises(DisclosureError) as told:
        export_run(copy, tmp_path / "out")
    assert set(told.value.faults) == {"tables/groups.csv", "figures/added.png"}
    assert not (tmp_path / "out").exists()


def test_a_level_carries_what_it_says_and_says_it(run: Run, tmp_path: Path) -> None:
    public = export_run(run, tmp_path / "public")
    assert not (public.folder / "tables/notes.csv").exists()
    assert "Kept back by this level**: notes" in (public.folder / "README.md").read_text(encoding="utf-8")
    assert "notes" not in load_workbook(public.folder / "tables.xlsx").sheetnames
    inside = export_run(run, tmp_path / "inside", level="internal")
    assert (inside.folder / "tables/notes.csv").exists()
    assert "INTERNAL" in (inside.folder / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ParameterError, match="notes is kept back by level public"):
        export_run(run, tmp_path / "no", only=["notes", "nothing"])


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (
            {"figures": ["png", "jpeg"], "tables": ["ods"]},
            ParameterError,
            r"(?s)'jpeg' is no format.*'ods' is no format",
        ),
        ({"level": "secret", "lang": "de"}, ParameterError, "(?s)level 'secret'.*language 'de'"),
        ({"only": ["group"]}, ParameterError, "near: groups"),
    ],
)
def test_what_cannot_be_exported_is_told(run: Run, tmp_path: Path, words, error, message: str) -> None:
    with pytest.raises(error, match=message):
        export_run(run, tmp_path / "out", **words)
    assert not (tmp_path / "out").exists()


def test_only_an_earlier_export_is_replaced(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    export_run(run, mine, only=["groups"], figures=(), tables=("csv",))
    assert sorted(path.name for path in mine.rglob("*.*")) == ["README.md", "groups.csv", "manifest.json"]
    (mine / "paper.txt").write_text("hours of work", encoding="utf-8")
    with pytest.raises(StorageError, match=r"no export wrote, such as paper\.txt"):
        export_run(run, mine)
    assert (mine / "paper.txt").exists()
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="is a file"):
        export_run(run, tmp_path / "file")
    assert not list(tmp_path.glob(".*"))


def test_an_unfinished_or_an_old_run_is_refused(copy: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is failed"):
        export_run(Run(copy.folder, {**copy.manifest, "status": "failed"}), tmp_path / "out")
    gate = copy.folder / "gate.jsonl"
    lines = [json.loads(line) for line in gate.read_text(encoding="utf-8").splitlines()]
    gate.write_text("".join(json.dumps({k: v for k, v in line.items() if k != "layout"}) + "\n" for line in lines))
    known = {**copy.manifest["files"], "gate.jsonl": digest_file(gate)}
    with pytest.raises(RunError, match="made by an earlier version"):
        export_run(Run(copy.folder, {**copy.manifest, "files": known}), tmp_path / "out")


def test_which_run_is_meant_is_asked_rather_than_guessed(copy: Run) -> None:
    runs = copy.folder.parents[1]
    assert find_run(runs, "toy").run_id == find_run(runs, f"toy/{copy.run_id}").run_id == copy.run_id
    other = copy.folder.parent / "0123456789ab"
    shutil.copytree(copy.folder, other)
    manifest = {**copy.manifest, "run_id": other.name, "started": "2999-01-01T00:00:00+00:00", "preset": "older"}
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ParameterError, match=r"(?s)2 finished runs.*0123456789ab, preset older"):
        find_run(runs, "toy")
    assert find_run(runs, "toy/latest").run_id == "0123456789ab"
    for wrong in ("none", "toy/../toy", "toy/ffffffffffff", "../toy", ""):
        with pytest.raises(ParameterError):
            find_run(runs, wrong)


def test_a_workbook_holds_numbers_marks_and_no_formula(run: Run) -> None:
    table = pd.DataFrame(
        {
            "code": ["01001", "+33 6", "=1+1"],
            "area": ["A", "-2+3", "@x"],
            "n": [1234, 3, 40],
            "rate": [6.123456789012345, 0.3, 4.4],
            "p_trend": [0.0001, 0.03, None],
            "late": [True, False, True],
        }
    )
    output = make_output(table, (Counted("n", adds_up_within=(), derived=("rate",)),), labels={"n": "=persons"})
    content = write_workbook(bundle_of(run, output))
    sheet = load_workbook(io.BytesIO(content))["it"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    top = next(number for number, row in enumerate(rows) if row[0] == "code")
    assert rows[top] == ["code", "area", "'=persons", "rate", "p trend", "late"]
    assert rows[top + 1] == ["01001", "A", 1234, 6.123456789012345, 0.0001, True]
    assert rows[top + 2][:4] == ["+33 6", "'-2+3", "[c]", "[c]"]
    assert rows[top + 3] == ["'=1+1", "'@x", "[c]", "[c]", None, True]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "b"}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not [name for name in archive.namelist() if b"<f>" in archive.read(name)]
    assert sheet.cell(top + 2, 3).number_format == "#,##0"


def test_a_word_table_is_a_table_set_by_its_language(run: Run) -> None:
    table = pd.DataFrame(
        {"area": ["A", "B", "C"], "n": [12345, 3, 40], "change": [-0.5, 0.25, 1234.5], "year": [2012, 2013, 2014]}
    )
    output = make_output(
        table, (Counted("n", adds_up_within=(), derived=("change",)),), not_counts=("year",), note="Crude."
    )
    for lang, expected in (
        ("en", ["A", "12,345", f"{MINUS}0.50", "2012"]),
        ("fr", ["A", f"12{THIN}345", f"{MINUS}0,50", "2012"]),
    ):
        document = Document(io.BytesIO(write_document(bundle_of(run, output), output, lang)))
        (made,) = document.tables
        assert [cell.text for cell in made.rows[0].cells] == ["area", "n", "change", "year"]
        assert [cell.text for cell in made.rows[1].cells] == expected
        assert [cell.text for cell in made.rows[2].cells][1:3] == ["[c]", "[c]"]
        words = [paragraph.text for paragraph in document.paragraphs if paragraph.text]
        assert words[0] == "Title" and "Crude." in words and "hidden (fewer than 11 persons" in " ".join(words)
        assert run.run_id in words[-1]
        assert document.core_properties.author == "" and document.core_properties.created is None
        assert made._tbl.tr_lst[0].trPr.xpath("./w:tblHeader")


def test_cells_that_would_run_are_quoted_in_every_file() -> None:
    for text in ("=1", "@a", "+a", "-a", "-1+1", "+1*2", "\t=1", "\r=1", "\n=1", "＝1", "－1+cmd", "-2.5e3+1"):
        assert quote_formula(text) == f"'{text}"
    for text in ("", "a=1", "-2", "+33", "-2.5", "-1 234,5", "+12 %".replace(" ", ""), "[c]", "1-2", "−2+3"):
        assert quote_formula(text) == text


def test_hidden_missing_and_codes_stay_apart() -> None:
    cells = _type([["[c]", "", "01"], ["12", "0.5", "75056"]], ["count", "number", "text"], "[c]")
    assert cells == ((Empty.HIDDEN, Empty.MISSING, "01"), (12, 0.5, "75056"))
    assert sheet_names(["a" * 40, "a" * 50], taken=["Notes"]) == ["a" * 31, "a" * 29 + "~2"]


@given(st.floats(-1e12, 1e12), st.integers(0, 6))
def test_a_written_number_reads_back_as_its_rounding_in_both_languages(value: float, decimals: int) -> None:
    rounded = float(f"{value:.{decimals}f}")
    english, french = write_number(value, decimals), write_number(value, decimals, "fr")
    assert float(english.replace(",", "").replace(MINUS, "-")) == rounded
    assert float(french.replace(THIN, "").replace(",", ".").replace(MINUS, "-")) == rounded
    assert english.startswith(MINUS) == (rounded < 0) and "-" not in english
    assert len(english.partition(".")[2]) == decimals
    assert write_number(value, decimals, grouped=False).replace(MINUS, "") == english.replace(",", "").replace(
        MINUS, ""
    )
    assert all(1 <= len(group) <= 3 for group in english.partition(".")[0].lstrip(MINUS).split(","))


@given(st.floats(0, 1))
def test_a_written_p_value_never_says_more_than_it_knows(p: float) -> None:
    letter, sign, text = write_p_value(p).split(NO_BREAK)
    assert letter == "p"
    bound = float(text)
    assert {"<": p < bound, ">": p > bound, "=": abs(p - bound) <= (0.0005001 if p < 0.0995 else 0.005001)}[sign]
    assert write_p_value(p, "fr").replace(",", ".") == write_p_value(p)


def test_numbers_that_are_none_are_refused() -> None:
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(ParameterError):
            write_number(wrong, 1)
    for call in (
        lambda: write_number(1, 13),
        lambda: write_number(1, 1, "de"),
        lambda: write_p_value(1.2),
        lambda: write_p_value(float("nan")),
        lambda: write_interval(None, None, 1),
    ):
        with pytest.raises(ParameterError):
            call()
    assert write_percent(-0.0004, 1) == f"0.0{NO_BREAK}%" and write_interval(None, 2, 0) == f"{MINUS}∞ to 2"


def test_a_pdf_is_the_same_twice() -> None:
    figure = new_figure(3, 2)
    figure.add_subplot().set_title("Été ≥ 3, α")
    first, second = (hashlib.sha256(render(figure, "pdf", 300)).hexdigest() for _ in range(2))
    assert first == second
