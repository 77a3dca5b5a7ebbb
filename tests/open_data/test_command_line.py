"""``epi data``: what is known, what is there, what was added, whether it is sound."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import open_data
from epi.cli import app
from epi.errors import DataError
from epi.sources.open_data import add_file, all_layouts, check_folder, describe_layouts, list_layouts
from open_data.written import write_air, write_apl, write_irep, write_text

RADON = ["nom_comm;nom_dept;insee_com;classe_potentiel;reg", "Bourg-en-Bresse;AIN;01053;1;ARA"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["data", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("words", "layout"),
    [
        ("défavorisation", "fdep"), ("DEPRIVATION", "edi"), ("qualité air", "air_communes"), ("doctors", "apl"),
        ("médecin", "bpe_health"), ("pesticides purchases", "pesticides_postal"), ("bassin vie", "zonings"),
    ],
)  # fmt: skip
def test_catalogue_is_found_in_french_and_english(words: str, layout: str, tmp_path: Path) -> None:
    assert layout in list_layouts(tmp_path, words)["id"].tolist()


def test_list_says_where_an_absent_file_is_published(tmp_path: Path) -> None:
    code, text = run("list", "radon", "--folder", str(tmp_path))
    assert code == 0
    assert "absent: radon.csv; static.data.gouv.fr" in text
    write_text(tmp_path / "radon.csv", RADON)
    assert "present: radon.csv" in run("list", "radon", "--folder", str(tmp_path))[1]
    assert "no official file" in run("list", "xyzzy", "--folder", str(tmp_path))[1]
    rows = json.loads(run("list", "casias", "--json", "--folder", str(tmp_path))[1])
    assert [(row["id"], row["verified"]) for row in rows] == [("former_sites", False)]


def test_add_copies_records_and_never_overwrites_silently(tmp_path: Path) -> None:
    source, folder = tmp_path / "downloads", tmp_path / "data"
    source.mkdir()
    folder.mkdir()
    path = write_text(source / "radon.csv", RADON)
    code, text = run("add", str(path), "--folder", str(folder))
    assert (code, "added; radon, vintage 2018, 1 rows" in text) == (0, True)
    assert (folder / "radon.csv").read_bytes() == path.read_bytes()
    assert add_file(path, folder).status == "already there"
    write_text(path, [*RADON, "Ajaccio;CORSE;2A004;3;CORSE"])
    with pytest.raises(DataError, match="another content"):
        add_file(path, folder)
    assert len((folder / "radon.csv").read_text().splitlines()) == 2
    done = json.loads(run("add", str(path), "--replace", "--json", "--folder", str(folder))[1])
    assert (done[0]["status"], done[0]["tables"][0]["rows"]) == ("replaced", 2)
    assert [checked.status for checked in check_folder(folder)] == ["sound"]


def test_add_keeps_the_lines_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,rows,columns,bytes,sha256\nzz.csv,1,2,3,abc\n")
    source = tmp_path / "elsewhere"
    source.mkdir()
    add_file(write_text(source / "radon.csv", RADON), tmp_path)
    lines = (tmp_path / "manifest.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["file", "radon.csv", "zz.csv"]
    assert lines[2] == "zz.csv,1,2,3,abc"


def test_add_recognises_a_file_by_its_columns_and_refuses_others(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    odd = write_text(tmp_path / "potentiel.csv", RADON)
    assert add_file(odd, folder).tables[0].layout.id == "radon"
    with pytest.raises(DataError, match=r"notes\.csv is not recognised"):
        add_file(write_text(tmp_path / "notes.csv", ["a,b", "1,2"]), folder)
    broken = write_text(tmp_path / "radon.csv", ["a;b", "1;2"])
    with pytest.raises(DataError, match="radon_class"):
        add_file(broken, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.csv", "potentiel.csv"]


def test_add_reads_both_members_of_irep_and_the_sheets_of_apl(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    added = add_file(write_irep(tmp_path), folder)
    assert [table.layout.id for table in added.tables] == ["irep_establishments", "irep_emissions"]
    assert add_file(write_apl(tmp_path), folder).tables[0].vintage == "2023"
    assert add_file(write_air(tmp_path), folder).tables[0].vintage == "2015"
    assert all(checked.sound for checked in check_folder(folder))


def test_check_tells_changed_absent_unreadable_and_unrecorded(tmp_path: Path) -> None:
    source = tmp_path / "elsewhere"
    folder = tmp_path / "data"
    source.mkdir()
    folder.mkdir()
    add_file(write_text(source / "radon.csv", RADON), folder)
    add_file(write_air(source), folder)
    write_air(folder, ["01001;x;1;1;1;1;1;1;1;1;1;1;1;1"])
    write_irep(folder)
    found = {checked.file: checked.status for checked in check_folder(folder)}
    assert set(found.values()) == {"sound", "changed", "not in the manifest"}
    (folder / "radon.csv").unlink()
    code, text = run("check", "--folder", str(folder))
    assert code == DataError.exit_code
    assert "absent" in text
    code, text = run("check", "--json", "--folder", str(folder))
    assert code == DataError.exit_code
    assert {row["status"] for row in json.loads(text)} == {"absent", "changed", "not in the manifest"}


def test_check_of_an_empty_folder(tmp_path: Path) -> None:
    code, text = run("check", "--folder", str(tmp_path))
    assert (code, "holds no official file" in text) == (0, True)


def test_the_folder_of_open_data_is_sound() -> None:
    if (folder := open_data()) is None:
        return
    found = check_folder(folder)
    assert len(found) == 37
    assert [checked.file for checked in found if checked.status != "sound"] == []


def test_page_has_every_layout_and_is_up_to_date() -> None:
    page = describe_layouts()
    assert all(f"| `{name}` |" in page for name in all_layouts())
    sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
    try:
        import write_open_data_page as script
    finally:
        sys.path.pop(0)
    assert script.TARGET.read_text(encoding="utf-8") == script.page(), "run: python scripts/write_open_data_page.py"


def test_every_layout_tells_its_provenance() -> None:
    for layout in all_layouts().values():
        for word in (layout.title_en, layout.title_fr, layout.producer, layout.licence, layout.source):
            assert word, layout.id
        assert layout.verified or "no reader is offered" in layout.caveat
        if layout.verified:
            assert layout.support, layout.id
            assert layout.vintage, layout.id
        names = [column.name for column in layout.columns]
        assert len(set(names)) == len(names)
        assert set(layout.key) <= set(names)
