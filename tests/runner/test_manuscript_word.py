"""A paper in Word: placeholders that Word cut into pieces, wherever they stand; and hostile files."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from docx.oxml import parse_xml
from hypothesis import given
from hypothesis import strategies as st

from epi.errors import DataError, EpiError, ParameterError
from epi.runner.export import open_bundle
from epi.runner.export.numbers import NO_BREAK, THIN
from epi.runner.folder import Run, list_runs
from epi.runner.manuscript import check_manuscript, fill_manuscript, read_values
from epi.runner.manuscript.package import check_package
from epi.runner.manuscript.printer import Printer
from epi.runner.manuscript.runs import W, text_of
from epi.runner.manuscript.word import fill_word, read_word
from epi.runner.run import run_study
from epi.runner.study import open_study
from runner.toy import CANARY, write_toy_study

_XMLNS = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    study, made = open_study(write_toy_study(tmp_path_factory.mktemp("studies"))), tmp_path_factory.mktemp("runs")
    ids = [run_study(study, {"minimum_age": age}, runs_dir=made).run_id for age in (20, 40)]
    by_id = {run.run_id: run for run in list_runs(made)}
    return by_id[ids[0]], by_id[ids[1]]


@pytest.fixture(scope="module")
def printer(runs: tuple[Run, Run]) -> Callable[[], Printer]:
    values = read_values(open_bundle(runs[0]))
    return lambda: Printer(values, "en")


def paper() -> Any:
    """A document with placeholders in pieces of several looks, a table, a header, a link and blocks."""
    document = Document()
    paragraph = document.add_paragraph("We kept ")
    paragraph.add_run("{{ n_k").bold = True
    paragraph.add_run("ept | ")
    paragraph.add_run("count }").italic = True
    paragraph.add_run("} persons, and ")
    paragraph.add_run("{{older_share.summary|1}} after.")
    document.add_table(1, 1).cell(0, 0).text = "{{ older_share | 0 }}"
    document.add_paragraph("{{ figure: group_chart }}")
    document.add_paragraph("{{ table\u00a0: groups }}")
    document.add_paragraph("{{ n_kept }}{{ n_kept }} at the end")
    document.sections[0].header.paragraphs[0].text = "Run {{ run.id }}"
    return document


def packed(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def shown(content: bytes) -> list[str]:
    """Read each paragraph as a reader sees it."""
    document = Document(io.BytesIO(content))
    paragraphs = document.element.body.iter(f"{W}p")
    return ["".join(text.text or "" for text in paragraph.iter(f"{W}t")) for paragraph in paragraphs]


def with_body(xml: str) -> bytes:
    document = Document()
    document.element.body.insert(0, parse_xml(xml.replace("<w:p>", f"<w:p {_XMLNS}>", 1)))
    return packed(document)


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_pieces_are_read_whole_and_the_first_gives_the_look(printer: Callable[[], Printer]) -> None:
    done = fill_word(packed(paper()), printer())
    lines = [line.replace(NO_BREAK, " ") for line in shown(done.content)]
    assert lines[0] == "We kept 90 persons, and 35.7 (95% CI 27.3 to 45.1) after."
    assert "36" in lines
    assert "9090 at the end" in lines
    document = Document(io.BytesIO(done.content))
    first = next(document.element.body.iter(f"{W}sdt"))
    assert first.find(f"{W}sdtContent/{W}r/{W}rPr/{W}b") is not None
    assert document.sections[0].header._element.find(f".//{W}sdt") is not None
    assert len(document.inline_shapes) == 1
    assert document.inline_shapes[0]._inline.docPr.get("descr").startswith("Bars of persons")
    assert not any("{{" in line for line in lines)
    assert CANARY.encode() not in b"".join(members(done.content).values())
    ids = [sdt.find(f"{W}sdtPr/{W}id").get(f"{W}val") for sdt in document.element.body.iter(f"{W}sdt")]
    assert len(set(ids)) == len(ids)


def test_a_document_is_checked_filled_again_and_moved_to_another_run(runs: tuple[Run, Run], tmp_path: Path) -> None:
    run, other = runs
    source, out = tmp_path / "paper.docx", tmp_path / "filled.docx"
    source.write_bytes(packed(paper()))
    fill_manuscript(source, run, out)
    first = out.read_bytes()
    found = check_manuscript(out, run)
    assert not found.drifted
    assert found.same_run
    assert found.passages == 8
    assert found.typed == ()
    fill_manuscript(out, run, out)
    assert out.read_bytes() == first
    moved = {change.name: (change.old, change.new) for change in check_manuscript(out, other).moved}
    assert moved["{{ n_kept | count }}"] == ("90", "50")
    assert moved["{{ figure: group_chart }}"] == ("the file placed", "another file of this run")
    fill_manuscript(out, other, out)
    assert not check_manuscript(out, other).drifted
    # The picture of the former run is gone from the file.
    media = [name for name in members(out.read_bytes()) if name.startswith("word/media/")]
    assert len(media) == 1
    assert members(out.read_bytes())[media[0]] == (other.folder / "figures" / "group_chart.300dpi.png").read_bytes()


def test_what_was_typed_over_in_word_is_told_and_put_back(runs: tuple[Run, Run], tmp_path: Path) -> None:
    source, out = tmp_path / "paper.docx", tmp_path / "filled.docx"
    source.write_bytes(packed(paper()))
    fill_manuscript(source, runs[0], out)
    document = Document(str(out))
    text = next(next(document.element.body.iter(f"{W}sdt")).iter(f"{W}t"))
    text.text = "91"
    document.add_paragraph("By hand, 90 of 1,234.")
    document.save(str(out))
    found = check_manuscript(out, runs[0])
    assert [(change.name, change.old, change.new) for change in found.edited] == [("{{ n_kept | count }}", "90", "91")]
    assert [(typed.text, typed.names[:1]) for typed in found.typed] == [("90", ("n_kept",)), ("1,234", ())]
    assert fill_manuscript(out, runs[0], out).edited == 1
    assert not check_manuscript(out, runs[0]).drifted


def test_french_numbers_in_word(runs: tuple[Run, Run], tmp_path: Path) -> None:
    source = tmp_path / "paper.docx"
    source.write_bytes(packed(paper()))
    done = fill_manuscript(source, runs[0], tmp_path / "rempli.docx", lang="fr")
    line = shown(done.path.read_bytes())[0]
    assert f"35,7 (IC{NO_BREAK}95{THIN}% 27,3{NO_BREAK}; 45,1)" in line
    assert not check_manuscript(done.path, runs[0]).drifted


def test_links_text_boxes_and_notes_are_filled(printer: Callable[[], Printer]) -> None:
    content = with_body(
        "<w:p><w:hyperlink w:anchor='a'><w:r><w:t>{{ n_kept }}</w:t></w:r></w:hyperlink>"
        "<w:r><w:pict><v:textbox xmlns:v='urn:schemas-microsoft-com:vml'><w:txbxContent><w:p><w:r><w:t>{{ n_kept"
        "</w:t></w:r><w:proofErr w:type='spellStart'/><w:r><w:lastRenderedPageBreak/><w:t> | 0 }}</w:t></w:r></w:p>"
        "</w:txbxContent></v:textbox></w:pict></w:r></w:p>"
    )
    parts = members(content)
    parts["word/footnotes.xml"] = (
        f"<w:footnotes {_XMLNS}><w:footnote w:id='1'><w:p><w:r><w:t>{{{{ n_kept }}}}</w:t></w:r></w:p></w:footnote>"
        "</w:footnotes>"
    ).encode()
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(
        b"</Types>", f'<Override PartName="/word/footnotes.xml" ContentType="{kind}"/></Types>'.encode()
    )
    where = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    parts["word/_rels/document.xml.rels"] = parts["word/_rels/document.xml.rels"].replace(
        b"</Relationships>",
        f'<Relationship Id="rId99" Type="{where}" Target="footnotes.xml"/></Relationships>'.encode(),
    )
    done = fill_word(repacked(parts), printer())
    filled = members(done.content)
    assert b"{{" not in filled["word/document.xml"] + filled["word/footnotes.xml"]
    assert filled["word/footnotes.xml"].count(b">90<") == 1
    assert len(read_word(done.content).passages) == 3
    assert fill_word(done.content, printer()).content == done.content


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<w:p><w:ins w:id='1' w:author='a'><w:r><w:t>{{ n_kept }}</w:t></w:r></w:ins></w:p>", "tracked change"),
        (
            "<w:p><w:r><w:t>{{ n_</w:t></w:r><w:del w:id='1' w:author='a'><w:r><w:delText>x</w:delText></w:r></w:del>"
            "<w:r><w:t>kept }}</w:t></w:r></w:p>",
            "tracked change",
        ),
        (
            "<w:p><w:r><w:t>{{ n_</w:t></w:r><w:hyperlink w:anchor='a'><w:r><w:t>kept }}</w:t></w:r></w:hyperlink>"
            "</w:p>",
            "half in a link",
        ),
        ("<w:p><w:r><w:t>{{ n_</w:t><w:br/><w:t>kept }}</w:t></w:r></w:p>", "opened and not closed"),
        ("<w:p><w:r><w:t>see {{ figure: group_chart }}</w:t></w:r></w:p>", "no paragraph of the body to itself"),
        ("<w:p><w:r><w:t>{{ n_kpt }}</w:t></w:r></w:p>", "near: n_kept"),
    ],
)
def test_what_cannot_be_filled_in_word_is_said(printer: Callable[[], Printer], xml: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        fill_word(with_body(xml), printer())


def test_deleted_text_and_comments_are_left_and_counted(printer: Callable[[], Printer]) -> None:
    document = Document()
    run = document.add_paragraph("{{ n_kept }} here").runs[0]
    document.add_comment(run, text="why not {{ older_share }}?", author="a")
    document.element.body.insert(
        0,
        parse_xml(
            f"<w:p {_XMLNS}><w:del w:id='7' w:author='a'><w:r><w:delText>{{{{ gone }}}}</w:delText></w:r></w:del></w:p>"
        ),
    )
    done = fill_word(packed(document), printer())
    assert done.left == 2
    assert b"older_share" in members(done.content)["word/comments.xml"]


def test_hostile_files_are_refused(printer: Callable[[], Printer]) -> None:
    sound = members(packed(paper()))
    entity = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    head, body = sound["word/document.xml"].split(b"?>", 1)
    rels = sound["word/_rels/document.xml.rels"]
    linked = b'<Relationship Id="rId77" Type="http://x/image" Target="http://x.org/a.png" TargetMode="External"/>'
    macro = sound["[Content_Types].xml"].replace(b"document.main+xml", b"x+xml") + b"<!-- macroEnabled -->"
    hostile = {
        "entities": {**sound, "word/document.xml": head + b"?>" + entity + body},
        "entities in UTF-16": {**sound, "word/document.xml": (entity + body).decode().encode("utf-16")},
        "macros": {**sound, "word/vbaProject.bin": b"x"},
        "macro types": {**sound, "[Content_Types].xml": macro},
        "linked": {
            **sound,
            "word/_rels/document.xml.rels": rels.replace(b"</Relationships>", linked + b"</Relationships>"),
        },
        "bomb": {**sound, "word/bomb.xml": b"0" * 40_000_000},
        "many": {**sound, **{f"word/{n}.xml": b"" for n in range(2100)}},
        "outside": {**sound, "../x.xml": b""},
        "no document": {"a.txt": b""},
        "broken": {**sound, "word/document.xml": b"<w:document"},
    }
    for name, parts in hostile.items():
        with pytest.raises(DataError):
            fill_word(repacked(parts), printer())
            pytest.fail(name)
    for content in (b"", b"PK\x03\x04", b"not a zip"):
        with pytest.raises(DataError):
            check_package(content)


@given(st.lists(st.text(alphabet="{} |n_kept:0figure\\", max_size=8), max_size=8))
def test_any_pieces_are_filled_twice_the_same_or_refused(printer: Callable[[], Printer], pieces: list[str]) -> None:
    document = Document()
    paragraph = document.add_paragraph()
    for piece in pieces:
        paragraph.add_run(piece)
    before = text_of(paragraph._p)
    assert before == "".join(pieces)
    try:
        once = fill_word(packed(document), printer())
    except EpiError:
        return
    assert fill_word(once.content, printer()).content == once.content


@given(st.lists(st.integers(min_value=1, max_value=19), max_size=5))
def test_a_placeholder_may_be_cut_anywhere(printer: Callable[[], Printer], cuts: list[int]) -> None:
    text = "a{{ n_kept | count }}b"
    places = [0, *sorted(set(cuts)), len(text)]
    document = Document()
    paragraph = document.add_paragraph()
    for start, end in itertools.pairwise(places):
        paragraph.add_run(text[start:end])
    assert shown(fill_word(packed(document), printer()).content)[0] == "a90b"
