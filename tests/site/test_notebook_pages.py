"""What may be on a notebook's page: the gate's own outputs, unchanged, and nothing else."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.disclosure import payload_digest
from epi.runner.folder import released_files
from epi.runner.site import build_site
from epi.runner.site.markup import Markdown, safe_address, sanitise_html
from epi.runner.site.notebook import may_see, payload_html
from runner.page_reader import Page
from runner.toy import CANARY

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
LEFT_OUT = "Output left out: it did not pass through epi.output."
CHANGED = "Output left out: it is no longer what the gate let through."


def cells_with(notebook: dict[str, Any], text: str) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if text in "".join(cell["source"])]


def page_of(runs: Path, place: Path, name: str = "01_counts") -> Page:
    site = build_site(runs, place / "site", place)
    page = Page(site.folder / f"en/studies/toy/{name}.html")
    assert page.check(site.folder) == []
    assert not [path for path in site.folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    return page


def test_a_bare_frame_and_a_print_never_reach_a_page(toy_runs: Path, tmp_path: Path) -> None:
    page = page_of(toy_runs, tmp_path)
    assert "everyone.head()" in page.text
    assert page.text.count(LEFT_OUT) == 1
    assert "2 outputs left out: they did not pass through epi.output." in page.text
    assert "Persons by group" in page.text and "63" in page.text
    assert "Parameters of this run" in page.text


def test_a_figure_is_shown_with_its_words(toy_runs: Path, tmp_path: Path) -> None:
    page = page_of(toy_runs, tmp_path, "02_figures")
    assert 'alt="Bars of persons by group; a is the longer."' in page.html
    assert page.resources[-1].endswith("/group_chart.png")
    assert "35.7 % (27.3-45.1)" in page.text


def test_markdown_keeps_its_structure_and_loses_everything_raw(toy_runs: Path, tmp_path: Path) -> None:
    page = page_of(toy_runs, tmp_path)
    assert page.headings[:3] == [1, 2, 3]
    assert "<script>alert(1)</script>" in page.text, "raw HTML is shown as text"
    assert "https://doi.org/10.1/x" in page.links
    assert not [link for link in page.links if "example.org" in link or "javascript" in link or "file:" in link]
    assert "picture left out: a plan" in page.text
    assert "script" not in page.tags and page.tags.count("img") == 0


FORGED: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "an error with a value": (
        lambda: {"output_type": "error", "ename": "KeyError", "evalue": CANARY, "traceback": [f"KeyError: {CANARY}"]},
        LEFT_OUT,
    ),
    "a stream": (lambda: {"output_type": "stream", "name": "stderr", "text": [CANARY]}, LEFT_OUT),
    "html without a mark": (
        lambda: {"output_type": "display_data", "metadata": {}, "data": {"text/html": f"<p>{CANARY}</p>"}},
        LEFT_OUT,
    ),
    "a mark copied onto other contents": (
        lambda: {
            "output_type": "display_data",
            "metadata": {"epi": {"output": "groups", "sha256": "0" * 64}},
            "data": {"text/html": f"<p>{CANARY}</p>"},
        },
        CHANGED,
    ),
    "a mark with its own digest, unknown to the gate": (
        lambda: marked("groups", {"text/html": f"<p>{CANARY}</p>"}),
        CHANGED,
    ),
    "a mark of no shape": (
        lambda: {"output_type": "display_data", "metadata": {"epi": "yes"}, "data": {"text/plain": CANARY}},
        CHANGED,
    ),
    "a marked picture that a script draws": (
        lambda: marked("groups", {"image/svg+xml": f"<svg><script>{CANARY}</script></svg>"}),
        CHANGED,
    ),
    "a widget": (
        lambda: {
            "output_type": "display_data",
            "metadata": {},
            "data": {"application/vnd.jupyter.widget-view+json": {"model_id": CANARY}},
        },
        LEFT_OUT,
    ),
}


def marked(name: str, data: dict[str, Any]) -> dict[str, Any]:
    mark = {"output": name, "sha256": payload_digest(data)}
    return {"output_type": "display_data", "metadata": {"epi": mark}, "data": data}


@pytest.mark.parametrize("what", FORGED)
def test_what_did_not_pass_the_gate_is_a_note(spoil, tmp_path: Path, what: str) -> None:
    output, note = FORGED[what]

    def forge(notebook: dict[str, Any]) -> None:
        (cell,) = cells_with(notebook, "import toy_helper")
        cell["outputs"] = [output()]

    before = 2 if note == LEFT_OUT else 1
    assert page_of(spoil(notebook=forge), tmp_path).text.count(note) == before


def test_a_payload_with_one_more_part_is_left_out(spoil, tmp_path: Path) -> None:
    def add(notebook: dict[str, Any]) -> None:
        (cell,) = cells_with(notebook, "'groups')")
        cell["outputs"][0]["data"]["text/plain"] = CANARY

    page = page_of(spoil(notebook=add), tmp_path)
    assert CHANGED in page.text and "63" not in page.text


@pytest.mark.parametrize("text", ["everyone.head()", "# A title"])
def test_a_cell_whose_text_names_a_patient_is_a_note(spoil, tmp_path: Path, text: str) -> None:
    def add(notebook: dict[str, Any]) -> None:
        (cell,) = cells_with(notebook, text)
        cell["source"] = "x = '000220f8521ab4e1'  # the one"

    page = page_of(spoil(notebook=add), tmp_path)
    assert "000220f8521ab4e1" not in page.html and "the one" not in page.text
    assert page.text.count("Cell left out: its text is shaped like an identifier.") == 1


def test_a_result_is_seen_by_readers_of_its_level(spoil, tmp_path: Path) -> None:
    """The row says it on its own, the gate's line says it of the notebook's cell."""

    def keep_back(folder: Path) -> None:
        rows = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        for row in rows:
            row |= {"level": "internal"} if row["name"] == "older_share" else {}
        (folder / "results.json").write_text(json.dumps(rows), encoding="utf-8")
        lines = [json.loads(line) for line in (folder / "gate.jsonl").read_text(encoding="utf-8").splitlines()]
        for line in lines:
            line |= {"level": "internal"} if line["name"] == "older_share" else {}
        (folder / "gate.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        (folder / "manifest.json").write_text(
            json.dumps(manifest | {"files": released_files(folder)}), encoding="utf-8"
        )

    runs = spoil(folder=keep_back)
    for level, seen in (("public", False), ("internal", True)):
        site = build_site(runs, tmp_path / level, tmp_path, level=level)
        (results,) = site.folder.rglob("results.json")
        study = Page(site.folder / "en/studies/toy/index.html")
        notebook = Page(site.folder / "en/studies/toy/02_figures.html")
        assert ("older_share" in results.read_text(encoding="utf-8")) is seen
        assert ("35.7" in study.text) is seen
        assert ("35.7 % (27.3-45.1)" in notebook.text) is seen
        assert "n_kept" in results.read_text(encoding="utf-8"), "a row without a level is public"


def test_metadata_of_a_marked_output_is_never_shown(spoil, tmp_path: Path) -> None:
    def add(notebook: dict[str, Any]) -> None:
        (cell,) = cells_with(notebook, "'groups')")
        cell["outputs"][0]["metadata"]["title"] = CANARY
        cell["metadata"]["name"] = CANARY

    assert "63" in page_of(spoil(notebook=add), tmp_path).text


def test_a_record_that_was_changed_vouches_for_nothing(spoil, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        gate = folder / "gate.jsonl"
        gate.write_text(gate.read_text(encoding="utf-8").replace('"internal"', '"public"'), encoding="utf-8")

    site = build_site(spoil(folder=change), tmp_path / "site", tmp_path)
    study = Page(site.folder / "en/studies/toy/index.html")
    assert study.text.count("is left out: the file has changed since the run.") >= 4
    assert "63" not in Page(site.folder / "en/studies/toy/01_counts.html").text


def test_results_changed_since_the_run_are_left_out(spoil, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        results = folder / "results.json"
        results.write_text(results.read_text(encoding="utf-8").replace("35.7", "53.7"), encoding="utf-8")

    site = build_site(spoil(folder=change), tmp_path / "site", tmp_path)
    study = Page(site.folder / "en/studies/toy/index.html")
    assert "“results.json” is left out: the file has changed since the run." in study.text
    assert "53.7" not in study.text and study.check(site.folder) == []
    assert not list(site.folder.rglob("results.json"))


def test_a_file_changed_since_the_run_is_left_out(spoil, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        (folder / "tables" / "groups.csv").write_text(f"group,n\n{CANARY},1\n", encoding="utf-8")
        (folder / "tables" / "added.csv").write_text(CANARY, encoding="utf-8")

    page = page_of(spoil(folder=change), tmp_path)
    study = Page(page.path.parent / "index.html").text
    assert "“Persons by group” is left out: the file has changed since the run." in study


def test_only_known_levels_are_seen() -> None:
    assert may_see("public", "public") and may_see("restricted", "internal")
    assert not may_see("internal", "restricted") and not may_see("", "internal")


def test_a_payload_is_html_or_a_png() -> None:
    assert payload_html({"text/html": ["<p>", "1</p>"]}) == "<p>1</p>"
    assert payload_html({"image/png": PNG}) == f'<img src="data:image/png;base64,{PNG}" alt="">'
    assert payload_html({"image/png": "bm90IGEgcG5n"}) is None
    assert payload_html({"image/svg+xml": "<svg/>", "text/plain": "x"}) is None


@pytest.mark.parametrize(
    ("html", "safe"),
    [
        ("<table><tr><td>1", "<table><tr><td>1</td></tr></table>"),
        ('<td style="x" onclick="y" class="epi-num evil">1</td>', '<td class="epi-num">1</td>'),
        ("<style>td{}</style><p>a", "<p>a</p>"),
        ("<svg><p>in</p></svg>out", "out"),
        ("<a href='javascript:1'>x</a>", "x"),
        ("<img src='http://example.org/x.png' alt='far'>", '<span class="note">far</span>'),
        ("<img src='data:image/svg+xml;base64,AAAA' alt='drawn'>", '<span class="note">drawn</span>'),
        (
            f"<img src='data:image/png;base64,{PNG}' alt='\"<b>'>",
            '<img src="kept" alt="&quot;&lt;b&gt;">',
        ),
        ("</p></div>1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ("<!-- secret --><?php x ?><![CDATA[y]]>z", "z"),
    ],
)
def test_html_keeps_tables_and_text(html: str, safe: str) -> None:
    assert sanitise_html(html, lambda picture: "kept") == safe


PIECES = st.lists(
    st.sampled_from(
        [
            *("<script>", "</script>", "<b", " onload=x ", "<img src=x onerror=y>", "<iframe src=//e>", "-->", "<!--"),
            *(
                "javascript:",
                "</td>",
                "<td>",
                "<table>",
                "&lt;",
                "<svg/onload=1>",
                "text",
                '"',
                "'",
                ">",
                "<",
                "`",
                "\n",
            ),
            *("[a](", "](//e.org)", "![x](", ")", "<http://e.org>", "# ", "| a |\n|---|\n", "```", "$x$", "data:"),
        ]
    ),
    max_size=25,
).map("".join)


def read(html: str, place: Path) -> Page:
    place.write_text(f"<!doctype html><html lang='en'><body><h1>t</h1>{html}</body></html>", encoding="utf-8")
    return Page(place)


@settings(max_examples=200)
@given(text=PIECES)
def test_whatever_is_written_stays_text(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.getbasetemp() / "page.html"
    for html in (sanitise_html(text, lambda picture: "kept"), Markdown(lambda alt: alt).render(text)):
        page = read(html, place)
        assert page.faults == []
        assert page.resources == []
        assert all(re.match(r"(https?|mailto):|#", link) for link in page.links)


@pytest.mark.parametrize(
    "address",
    ["javascript:x", "JaVaScRiPt:x", " data:text/html,x", "file:///x", "vbscript:x", "//e.org", "x.html", "\x01js:"],
)
def test_a_link_that_is_no_plain_visit_is_dropped(address: str) -> None:
    assert safe_address(address) is None
