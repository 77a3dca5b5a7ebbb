"""Runs of one study that could be subtracted: one is published, the other is named without its figures."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from epi.cli import app
from epi.runner.folder import Run, list_runs, released_files
from epi.runner.run import run_study
from epi.runner.site import Site, build_site
from epi.runner.study import open_study
from runner.page_reader import Page
from runner.toy import write_toy_study

# Persons kept, in group a and in group b, from a minimum age on: 18: 94, 63, 31; 34: 62, 41, 21; 35: 60, 40, 20;
# 36: 58, 39, 19. So 34 differs from 18 by 10 in a cell, 35 by 11 at least, 36 by 12; 36 differs from 35 by 1.
SMALL = {
    "fr": "non montrée : à côté d'une exécution montrée, ses effectifs révéleraient quelques personnes",
    "en": "not shown: beside a run that is, its counts would tell of few persons",
}
Choose = Callable[..., Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[object, Run]:
    """Runs by their minimum age, and one whose counts are those of the default; 36 is earlier than 35."""
    place = tmp_path_factory.mktemp("apart")
    folder = write_toy_study(place / "studies")
    for age in (34, 35, 36):
        (folder / "parameters" / f"from_{age}.yml").write_text(f"minimum_age: {age}\n", encoding="utf-8")
    study = open_study(folder)
    found: dict[object, Run] = {18: run_study(study, runs_dir=place / "runs")}
    for age in (36, 35, 34):
        found[age] = run_study(study, preset=f"from_{age}", runs_dir=place / "runs")
    found["equal"] = run_study(study, {"share": 0.1}, runs_dir=place / "runs")
    assert [run.run_id for run in list_runs(place / "runs")] == [found[key].run_id for key in ("equal", 34, 35, 36, 18)]
    return found


@pytest.fixture
def choose(made: dict[object, Run], tmp_path: Path) -> Choose:
    """Copy some of the runs to a folder of runs."""

    def copy(*keys: object) -> Path:
        runs = tmp_path / "runs"
        shutil.rmtree(runs, ignore_errors=True)
        for key in keys:
            shutil.copytree(made[key].folder, runs / "toy" / made[key].run_id)
        return runs

    return copy


def other_runs(site: Site, lang: str, place: str = "") -> dict[str, tuple[str, bool]]:
    """Read the list of other runs: identifier to the text of its row, and whether it has a link."""
    root = site.folder if lang == "fr" else site.folder / "en"
    page = Page(root / "studies" / "toy" / place / "index.html")
    assert page.check(site.folder) == []
    rows = re.findall(r'<tr><th scope="row" class="mono">.*?</tr>', page.html.partition('<h2 id="runs">')[2])
    found = {}
    for row in rows:
        text = re.sub(r"[\s\u00a0\u202f]+", " ", re.sub(r"<[^>]+>", " ", row)).replace("&#39;", "'").strip()
        found[text.split()[0]] = (text, "<a " in row)
    return found


def traces(site: Site, run: Run) -> list[Path]:
    """List what the site holds of a run, its name on other pages left aside."""
    return [path for path in site.folder.rglob("*") if run.run_id in path.relative_to(site.folder).as_posix()]


def test_a_run_that_differs_by_few_persons_is_named_without_its_figures(made, choose: Choose, tmp_path: Path) -> None:
    for level in ("public", "restricted"):
        site = build_site(choose(18, 34), tmp_path / "site", tmp_path, level=level)
        assert site.held_apart == 1 and traces(site, made[34]) == [] and traces(site, made[18])
        for lang, sentence in SMALL.items():
            text, linked = other_runs(site, lang)[made[34].run_id]
            assert sentence in text and "from_34" in text and "minimum_age = 34" in text and not linked
        # Neither its files nor its counts, which no other run has, are anywhere under another name.
        own = {path.read_bytes() for part in ("tables", "figures") for path in (made[34].folder / part).glob("*")}
        files = [path for path in site.folder.rglob("*") if path.is_file()]
        assert own and not [path for path in files if path.read_bytes() in own]
        texts = [path.read_text(encoding="utf-8") for path in files if path.suffix in {".html", ".csv", ".json"}]
        assert texts and not [text for text in texts if re.search(r">\s*(62|41)\s*<|[:,] ?(62|41)\b(?!\.)", text)]


@pytest.mark.parametrize("key", [35, 36, "equal"])
def test_a_run_whose_counts_are_equal_or_far_apart_is_shown(made, choose: Choose, tmp_path: Path, key: object) -> None:
    site = build_site(choose(18, key), tmp_path / "site", tmp_path)
    assert site.held_apart == 0 and traces(site, made[key])
    for lang, sentence in SMALL.items():
        text, linked = other_runs(site, lang)[made[key].run_id]
        assert linked and sentence not in text
    assert (site.folder / "en/studies/toy" / made[key].run_id / "index.html").is_file()
    groups = (site.folder / "files/toy" / made[key].run_id / "groups.csv").read_text(encoding="utf-8")
    assert groups.split() == ["group,n", *{35: ("a,40", "b,20"), 36: ("a,39", "b,19"), "equal": ("a,63", "b,31")}[key]]


def test_a_run_that_subtracts_from_another_that_is_accepted_is_held_apart(made, choose: Choose, tmp_path: Path) -> None:
    site = build_site(choose(18, 35, 36, 34, "equal"), tmp_path / "site", tmp_path)
    # 36 is shown beside 18 alone, as the test above says: it is 35, the later of the two, that holds it apart.
    kept, apart = (18, 35, "equal"), (34, 36)
    assert site.held_apart == 2
    assert all(traces(site, made[key]) for key in kept) and not any(traces(site, made[key]) for key in apart)
    for lang, sentence in SMALL.items():
        for place in ("", made[35].run_id):
            rows = other_runs(site, lang, place)
            assert {key for key in apart if sentence in rows[made[key].run_id][0]} == set(apart)
            assert not any(rows[made[key].run_id][1] for key in apart)


def test_analysts_see_every_run(made, choose: Choose, tmp_path: Path) -> None:
    site = build_site(choose(*made), tmp_path / "site", tmp_path, level="internal")
    assert site.held_apart == 0 and all(traces(site, run) for run in made.values())
    assert all(linked for _, linked in other_runs(site, "en").values())


def test_a_run_of_an_earlier_version_cannot_be_compared(made, choose: Choose, tmp_path: Path) -> None:
    runs = choose(18, 35)
    age(runs / "toy" / made[35].run_id)
    site = build_site(runs, tmp_path / "site", tmp_path)
    text, linked = other_runs(site, "en")[made[35].run_id]
    assert "not shown: made by an earlier version, it cannot be compared" in text and not linked
    assert "produite par une version antérieure" in other_runs(site, "fr")[made[35].run_id][0]
    assert site.held_apart == 1 and traces(site, made[35]) == []

    # Where it is the run shown that cannot be compared, nothing tells what is safe beside it.
    runs = choose(18, 35)
    age(runs / "toy" / made[18].run_id)
    site = build_site(runs, tmp_path / "site", tmp_path)
    assert "it cannot be compared with the run that is" in other_runs(site, "en")[made[35].run_id][0]
    assert traces(site, made[35]) == [] and traces(site, made[18])


def age(folder: Path) -> None:
    """Take from a run's record how its tables are set, as earlier versions did not write it."""
    gate, manifest = folder / "gate.jsonl", folder / "manifest.json"
    lines = [json.loads(line) for line in gate.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line.pop("layout", None)
    gate.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    about = json.loads(manifest.read_text(encoding="utf-8")) | {"files": released_files(folder)}
    manifest.write_text(json.dumps(about), encoding="utf-8")


def test_a_run_altered_in_part_publishes_nothing_beside_another(made, choose: Choose, tmp_path: Path) -> None:
    # One file that changed prevents the comparison: it must not open the others, which can be subtracted.
    runs = choose(18, 34)
    folder = runs / "toy" / made[34].run_id
    (folder / "tables" / "groups.csv").write_text("group,n\na,41\n", encoding="utf-8")
    site = build_site(runs, tmp_path / "site", tmp_path)
    text, linked = other_runs(site, "en")[made[34].run_id]
    assert "not shown: its files have changed since the run, it cannot be compared" in text and not linked
    assert traces(site, made[34]) == []

    # A run of which nothing is left to publish keeps its page, which says why.
    for name in ("results.json", "gate.jsonl"):
        (folder / name).write_text((folder / name).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    site = build_site(runs, tmp_path / "site", tmp_path)
    assert site.held_apart == 0 and other_runs(site, "en")[made[34].run_id][1]
    page = Page(site.folder / "en/studies/toy" / made[34].run_id / "index.html")
    assert "is left out: the file has changed since the run." in page.text
    assert not list((site.folder / "files/toy").glob(f"{made[34].run_id}/*"))


@pytest.mark.parametrize("gone", [False, True])
def test_what_changed_since_a_run_that_is_held_apart_is_not_repeated(
    made, choose: Choose, tmp_path: Path, gone: bool
) -> None:
    runs = choose(34)
    build_site(runs, tmp_path / "site", tmp_path)
    shutil.copytree(made[18].folder, runs / "toy" / made[18].run_id)
    # 94 and 62 persons are far apart: it is a cell of a table that tells of few. Without the folder a result must.
    if gone:
        shutil.rmtree(runs / "toy" / made[34].run_id)
        ledger = runs / "toy" / "published.jsonl"
        text = ledger.read_text(encoding="utf-8")
        assert '"estimate":62' in text.replace(": ", ":")
        ledger.write_text(re.sub(r'("estimate": ?)62\b', r"\g<1>91", text), encoding="utf-8")
    for level, held in (("public", True), ("internal", False)):
        site = build_site(runs, tmp_path / "site", tmp_path, level=level)
        for lang in ("fr", "en/"):
            html = (site.folder / lang.replace("fr", "") / "studies/toy/index.html").read_text(encoding="utf-8")
            said = html.partition('<h2 id="changes">')[2].partition("<h2 ")[0]
            sentence = "ne sont pas répétées" if lang == "fr" else "The values of that run are not repeated"
            assert made[34].run_id in said and (sentence in said) is held
            assert bool(re.search(r"<td>(91|62)</td>", said)) is not held, said


def test_the_command_says_how_many_and_how_to_see_one(choose: Choose, tmp_path: Path) -> None:
    where = ["site", "build", "--out", str(tmp_path / "site"), "--studies", str(tmp_path)]
    told = CliRunner().invoke(app, [*where, "--runs", str(choose(18, 34))]).output
    told = " ".join(told.split())
    assert "1 finished run(s) held apart" in told and "--level internal" in told and "a site of its own" in told
    told = CliRunner().invoke(app, [*where, "--runs", str(choose(18, 34)), "--json"]).output
    assert json.loads(told)["runs_held_apart"] == 1
    assert "held apart" not in CliRunner().invoke(app, [*where, "--runs", str(choose(18, 35))]).output
