"""The site as files: complete, valid, self-contained, in both languages."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from epi.errors import ParameterError, RunError, StorageError
from epi.runner.folder import Run, list_runs
from epi.runner.site import Site, build_site
from epi.runner.site import words as frame_words
from epi.runner.site.words import LANGS, keys, word
from runner.page_reader import Page
from runner.toy import CANARY, write_toy_study


@pytest.fixture(scope="module")
def built(toy_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    place = tmp_path_factory.mktemp("built")
    write_toy_study(place / "studies", protocol=(toy_runs.parent / "studies/toy/protocol.yml").read_text())
    other = place / "studies" / "other"
    shutil.copytree(place / "studies" / "toy", other)
    text = (other / "protocol.yml").read_text(encoding="utf-8")
    (other / "protocol.yml").write_text(text.replace("id: toy", "id: other"), encoding="utf-8")
    return build_site(toy_runs, place / "site", place / "studies")


def pages(site: Site) -> list[Page]:
    return [Page(path) for path in sorted(site.folder.rglob("*.html"))]


def test_every_page_is_there_in_both_languages(built: Site) -> None:
    names = {page.path.relative_to(built.folder).as_posix() for page in pages(built)}
    french = {name for name in names if not name.startswith("en/")}
    assert french == {
        "index.html",
        "studies/other/index.html",
        "studies/toy/01_counts.html",
        "studies/toy/02_figures.html",
        "studies/toy/index.html",
    }
    assert names == french | {f"en/{name}" for name in french}
    assert built.pages == len(names) and built.studies == ("toy", "other")


def test_every_page_is_valid_and_needs_nothing_from_elsewhere(built: Site) -> None:
    for page in pages(built):
        assert page.check(built.folder) == [], page.path
        assert page.lang == ("en" if "en" in page.path.relative_to(built.folder).parts[:1] else "fr")
        assert page.html.startswith("<!doctype html>")
        assert "default-src 'none'" in page.html
    style = (built.folder / "assets" / "style.css").read_text(encoding="utf-8")
    assert "url(" not in style and "@import" not in style and "@font-face" not in style


def test_no_value_of_a_person_is_anywhere_in_the_site(built: Site) -> None:
    files = [path for path in built.folder.rglob("*") if path.is_file()]
    assert len(files) > 12
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_a_study_page_says_what_a_reviewer_asks(built: Site, toy_run: Run) -> None:
    french = Page(built.folder / "studies/toy/index.html").text
    english = Page(built.folder / "en/studies/toy/index.html").text
    assert "La part des plus âgés diffère-t-elle entre groupes\u202f?" in french
    assert "Does the share of older persons differ between groups?" in english
    assert "35,7" in french and "IC 95\u202f% 27,3 à 45,1" in french
    assert "35.7" in english and "95 % CI 27.3 to 45.1" in english
    for part in ("Ces personnes n'existent pas.", "Ce que l'étude ne peut pas dire", "sans objet"):
        assert part in french
    for part in (
        "These persons do not exist.",
        "Smallest published count",
        "minimum_age",
        "18 years",
        "maker of toys, Toy University",
        "none needed (until 2035-12-31)",
        toy_run.run_id,
        str(toy_run.manifest["study_digest"]),
        toy_run.manifest["packages"]["pandas"],
        "none (defaults)",
    ):
        assert part in english, part
    left_out = re.search(r"(\d+) outputs checked, (\d+) cells hidden, (\d+) notebook outputs left out", english)
    assert left_out is not None and left_out.groups() == ("6", "0", "4")


def test_the_flow_says_who_was_left_out(built: Site) -> None:
    html = (built.folder / "en/studies/toy/index.html").read_text(encoding="utf-8")
    flow = re.search(r'<ol class="flow">.*?</ol>', html, re.DOTALL)
    assert flow is not None
    words = re.sub(r"<[^>]+>|\s+", " ", flow[0])
    assert words.split() == ["Known", "120", "Old", "enough", "94", "26", "left", "out"]


def test_files_offered_are_those_of_the_run(built: Site, toy_run: Run) -> None:
    place = built.folder / "files" / "toy" / toy_run.run_id
    assert {path.name for path in place.iterdir()} == {
        "attrition.csv",
        "group_chart.csv",
        "group_chart.png",
        "groups.csv",
        "results.json",
    }
    assert (place / "group_chart.png").read_bytes() == (toy_run.folder / "figures/group_chart.png").read_bytes()


def test_an_internal_output_is_for_analysts_only(built: Site, toy_runs: Path, tmp_path: Path) -> None:
    public = Page(built.folder / "en/studies/toy/index.html").text
    assert "“Internal notes” is not shown here: its level is “analysts”." in public
    assert "Output kept back: level “analysts”." in Page(built.folder / "en/studies/toy/01_counts.html").text
    site = build_site(toy_runs, tmp_path / "site", tmp_path, level="internal")
    inside = Page(site.folder / "en/studies/toy/index.html").text
    assert "is not shown here" not in inside and "Internal notes" in inside


def test_a_study_never_run_is_listed_and_says_so(built: Site) -> None:
    assert "jamais exécutée" in Page(built.folder / "index.html").text
    page = Page(built.folder / "en/studies/other/index.html")
    assert "This study has not been run here yet." in page.text
    assert "Library versions" not in page.text and "minimum_age" in page.text


def test_synthetic_data_are_said_on_every_page(spoil, tmp_path: Path) -> None:
    def declare(manifest: dict) -> None:
        manifest["synthetic"] = True
        manifest["data_fingerprint"] = "f" * 64
        manifest["data"] = {
            "title": "Synthetic France",
            "extraction_date": "2024-01-31",
            "exposures": {
                "noise": {"label_fr": "Bruit", "label_en": "Noise", "unit": "dB", "origin": "synthetic"},
                "air": {
                    "label_fr": "Air",
                    "label_en": "Air",
                    "origin": "open data",
                    "source": "register",
                    "vintage": 2021,
                },
            },
        }

    site = build_site(spoil(manifest=declare), tmp_path / "site", tmp_path)
    for page in pages(site):
        said = word("synthetic", page.lang)
        assert said in page.text, page.path
        assert page.check(site.folder) == []
    study = Page(site.folder / "en/studies/toy/index.html").text
    assert "The patients of this study do not exist." in study
    assert "Simulated exposure variables: Noise." in study
    assert "Synthetic France, extracted on 2024-01-31, synthetic data" in study
    index = Page(site.folder / "index.html").text
    assert "Bruit" in index and "simulée" in index and "données ouvertes" in index and "2021" in index


def test_a_failed_run_says_its_cause_and_shows_no_result(spoil, tmp_path: Path) -> None:
    def fail(manifest: dict) -> None:
        manifest["status"] = "failed"
        manifest["failure"] = {"notebook": "01_counts.ipynb", "cell": 4, "cause": "KeyError at: x[<y>]"}

    site = build_site(spoil(manifest=fail), tmp_path / "site", tmp_path)
    page = Page(site.folder / "en/studies/toy/index.html")
    assert "did not reach its end: 01_counts.ipynb, cell 4: KeyError at: x[<y>]" in page.text
    assert page.check(site.folder) == []
    assert not (site.folder / "en/studies/toy/01_counts.html").exists()
    assert "35.7" not in page.text


def test_other_runs_have_pages_and_say_what_differs(spoil, tmp_path: Path) -> None:
    def copy(folder: Path) -> None:
        other = folder.with_name("0123456789ab")
        shutil.copytree(folder, other)
        manifest = json.loads((other / "manifest.json").read_text(encoding="utf-8"))
        manifest |= {"run_id": other.name, "preset": "older"}
        manifest["parameters"]["minimum_age"] = manifest["ingredients"]["parameters"]["minimum_age"] = 40
        (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    site = build_site(spoil(folder=copy), tmp_path / "site", tmp_path)
    main = Page(site.folder / "en/studies/toy/index.html")
    assert "minimum_age = 40" in main.text and "older" in main.text
    assert "0123456789ab/index.html" in main.links
    other = Page(site.folder / "en/studies/toy/0123456789ab/index.html")
    assert "40 years" in other.text and "minimum_age = 18" in other.text
    assert all(page.check(site.folder) == [] for page in pages(site))


def test_a_site_replaces_a_site_and_nothing_else(toy_runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    build_site(toy_runs, out, tmp_path)
    (out / "stale.html").write_text("old", encoding="utf-8")
    build_site(toy_runs, out, tmp_path)
    assert not (out / "stale.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(StorageError, match="is not a site"):
        build_site(toy_runs, mine, tmp_path)
    assert (mine / "thesis.txt").read_text(encoding="utf-8") == "keep"


def test_a_full_disk_leaves_the_earlier_site(toy_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "site"
    build_site(toy_runs, out, tmp_path)
    before = (out / "index.html").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(StorageError, match="the disk is full"):
        build_site(toy_runs, out, tmp_path)
    assert (out / "index.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_nothing_to_show_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run to show"):
        build_site(tmp_path / "runs", tmp_path / "site")
    with pytest.raises(ParameterError, match="level"):
        build_site(tmp_path, tmp_path / "site", level="secret")
    assert list_runs(tmp_path) == []


def test_the_same_runs_make_the_same_site(built: Site, toy_runs: Path, tmp_path: Path) -> None:
    again = build_site(toy_runs, tmp_path / "site", built.folder.parent / "studies")
    for path in sorted(built.folder.rglob("*")):
        if path.is_file():
            assert (again.folder / path.relative_to(built.folder)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("lang", LANGS)
def test_every_word_of_the_frame_is_in_both_languages(lang: str) -> None:
    source = Path(frame_words.__file__).read_text(encoding="utf-8")
    holes = dict.fromkeys(re.findall(r"{([a-z_]+)}", source), "x")
    texts = {key: word(key, lang, **holes) for key in keys()}
    assert all(texts.values())
    assert not [key for key, text in texts.items() if "{" in text]
    if lang == "fr":
        assert not [key for key, text in texts.items() if re.search(r" [:;?!»%]|« ", text)]


def test_a_reporting_checklist_has_its_page_and_its_links_lead_somewhere(spoil, tmp_path: Path) -> None:
    from epi.runner.checklist import list_items

    answers = ["output:groups", "notebook:01_counts.ipynb", "page:limits", "protocol:question"]
    items = [item.key for item in list_items(["RECORD"])]
    text = "guidelines: [RECORD]\nitems:\n" + "".join(
        f'  "{key}": {{where: ["{answers[rank % len(answers)]}"]}}\n' for rank, key in enumerate(items)
    )
    text = text.replace(
        '{where: ["protocol:question"]}', '{applies: false, note: {fr: "non liées", en: "unlinked"}}', 1
    )
    runs = spoil(folder=lambda place: (place / "checklist.yml").write_text(text, encoding="utf-8"))
    site = build_site(runs, tmp_path / "site")
    for lang, name, words in (("fr", "Grille de présentation", "sans objet (non liées)"),
                              ("en/", "Reporting checklist", "not applicable (unlinked)")):  # fmt: skip
        folder = site.folder / ("" if lang == "fr" else lang) / "studies" / "toy"
        html = (folder / "checklist.html").read_text(encoding="utf-8")
        assert name in html and words in html and name in (folder / "index.html").read_text(encoding="utf-8")
        for target in set(re.findall(r'href="([a-z0-9_]+\.html)(?:#[a-z-_]+)?"', html)):
            assert (folder / target).is_file(), target
        for anchor in set(re.findall(r'href="index\.html#([a-z-_]+)"', html)):
            assert f'id="{anchor}"' in (folder / "index.html").read_text(encoding="utf-8"), anchor
