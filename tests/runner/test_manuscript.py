"""A paper's numbers come from its run: filled, remembered, filled again, and held against any run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import mistune
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from epi.commands.manuscript import app
from epi.errors import DataError, DisclosureError, EpiError, ParameterError, StorageError
from epi.runner.export import open_bundle
from epi.runner.export.numbers import MINUS, NO_BREAK, THIN
from epi.runner.folder import Run
from epi.runner.manuscript import Value, check_manuscript, fill_manuscript, read_placeholder, read_values
from epi.runner.manuscript.typed import find_typed
from epi.runner.manuscript.values import MARK, Values
from epi.runner.manuscript.wording import print_value
from epi.runner.run import run_study
from epi.runner.study import open_study
from runner.toy import CANARY, FIGURES, write_toy_study

ROOT = Path(__file__).parents[2]
TEXT = """# A paper

We kept {{ n_kept | count }} persons (run {{ run.id }}); {{ older_share.summary | 1 }} were old.

| group | n |
|---|---|
| a | {{ table.groups.a.n }} |

{{ n_kept }} again, at the head of a line, *as text*.

{{ figure: group_chart }}

{{ table: groups }}

Hidden: {{ few }}, {{ few.n | count }}, {{ few.p | p }}. In code: `{{ n_kept }}`. Written: \\{{ n_kept }}.
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    figures = [
        *FIGURES,
        ("code", "epi.record('few', 7, n=7, unit='persons', settings={'p': 0.0123})"),
        (
            "code",
            "epi.record('by_place', -1.5, ci_low=-2.25, ci_high=0.5, unit='SIR', n=50, stratum={'place': 'Île (<20)'})",
        ),
    ]
    folder = write_toy_study(tmp_path_factory.mktemp("studies"), figures=figures)
    (folder / "manuscript").mkdir()
    study, made = open_study(folder), tmp_path_factory.mktemp("runs")
    first = run_study(study, {"minimum_age": 20}, runs_dir=made)
    (folder / "manuscript" / "paper.txt").write_text("a text is no cause of a result\n")
    assert run_study(study, {"minimum_age": 20}, runs_dir=made).run_id == first.run_id
    run_study(study, {"minimum_age": 40}, runs_dir=made)
    return made


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    return _run(runs, 20)


@pytest.fixture(scope="module")
def other(runs: Path) -> Run:
    return _run(runs, 40)


def _run(runs: Path, age: int) -> Run:
    from epi.runner.folder import list_runs

    return next(found for found in list_runs(runs) if found.manifest["parameters"]["minimum_age"] == age)


@pytest.fixture(scope="module")
def values(run: Run) -> Values:
    return read_values(open_bundle(run))


def fill(tmp_path: Path, run: Run, text: str = TEXT, **options: str) -> Path:
    source = tmp_path / "paper.md"
    source.write_text(text, encoding="utf-8")
    return fill_manuscript(source, run, tmp_path / "filled.md", **options).path


def shown(text: str, values: Values, lang: str = "en") -> str:
    asked = read_placeholder(text)
    printed = print_value(values.find(asked.name), asked, lang)
    return printed.replace(NO_BREAK, "~").replace(THIN, "'").replace(MINUS, "-")


@pytest.mark.parametrize(
    ("text", "english", "french"),
    [
        ("n_kept | count", "90", "90"),
        ("older_share", "35.7", "35,7"),
        ("older_share | 0", "36", "36"),
        ("older_share | 2s", "36", "36"),
        ("older_share | percent", "35.7%", "35,7'%"),
        ("older_share | unit", "35.7%", "35,7'%"),
        ("older_share.interval", "95%~CI 27.3 to 45.1", "IC~95'% 27,3~; 45,1"),
        ("older_share.interval | bare | dash", "27.3–45.1", "27,3–45,1"),
        ("older_share.interval | bare | brackets | 0", "[27; 45]", "[27~; 45]"),
        ("older_share.interval | to | percent", "95%~CI 27.3% to 45.1%", "IC~95'% 27,3'% à 45,1'%"),
        ("older_share.summary | 0", "36 (95%~CI 27 to 45)", "36 (IC~95'% 27~; 45)"),
        ("by_place.ile_under_20.summary | to", "-1.50 (95%~CI -2.25 to 0.50)", "-1,50 (IC~95'% -2,25 à 0,50)"),
        ("table.groups.a.n", "60", "60"),
        ("few", MARK, MARK),
        ("few.p | p", MARK, MARK),
        ("param.since | long", "1~January~2015", "1er~janvier~2015"),
        ("param.drawn", "yes", "oui"),
    ],
)
def test_a_value_prints_as_journals_do_in_each_language(run: Run, text: str, english: str, french: str) -> None:
    for lang, expected in (("en", english), ("fr", french)):
        assert shown(text, read_values(open_bundle(run, lang=lang), lang), lang) == expected


@pytest.mark.parametrize(
    ("value", "form", "english", "french"),
    [
        (Value("x", "count", 1234567), "", "1,234,567", "1'234'567"),
        (Value("x", "count", 1234567), "plain", "1234567", "1234567"),
        (Value("x", "number", 1234.5, 1), "3s", "1,230", "1'230"),
        (Value("x", "number", 9.996, 2), "3s", "10.0", "10,0"),
        (Value("x", "number", 0.0, 2), "2s", "0.0", "0,0"),
        (Value("x.p", "probability", 0.0004, 3), "p", "p~<~0.001", "p~<~0,001"),
        (Value("x.q_by", "probability", 0.0316, 3), "p", "q~=~0.032", "q~=~0,032"),
        (Value("x.p", "probability", 0.0004, 3), "", "<0.001", "<0,001"),
        (Value("x", "number", 0.225, 3), "percent", "22.5%", "22,5'%"),
        (Value("x.interval", "interval", None, 2, low=None, high=2.0), "", "95%~CI -∞ to 2.00", "IC~95'% -∞~; 2,00"),
        (Value("x", "interval", None, 1, low=1.0, high=2.0, level=0.9), "", "90%~CI 1.0 to 2.0", "IC~90'% 1,0~; 2,0"),
    ],
)
def test_formats(value: Value, form: str, english: str, french: str) -> None:
    asked = read_placeholder(f"x | {form}" if form else "x")
    for lang, expected in (("en", english), ("fr", french)):
        printed = print_value(value, asked, lang)
        assert printed.replace(NO_BREAK, "~").replace(THIN, "'").replace(MINUS, "-") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_kpt", "near: n_kept"),
        ("notes", "kept back by level public"),
        ("table.notes.a.n", "kept back by level public"),
        ("table.groups.z.n", "near: table.groups"),
        ("n_kept | money", "format 'money' is unknown"),
        ("n_kept | 2 | 3", "contradict"),
        ("n_kept | p", "does not suit a count"),
        ("older_share | p", "needs a probability"),
        ("by_place.ile_under_20 | percent", "its unit is SIR"),
        ("by_place.ile_under_20.interval | dash", "misread"),
        ("older_share | count", "needs a whole number"),
        ("n_kept + 1", "is no placeholder"),
        ("n_kept.__class__()", "is no placeholder"),
        ("figure: groups", "no released figure of this run; near: group_chart"),
        ("table: notes", "kept back by level public"),
    ],
)
def test_what_cannot_be_filled_is_one_clear_message_and_nothing_is_written(
    run: Run, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ParameterError, match=re.escape(message)):
        fill(tmp_path, run, f"{{{{ {text} }}}}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["paper.md"]


def test_all_faults_come_at_once(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        fill(tmp_path, run, "{{ a }} {{ b | money }} {{ n_kept\n}} within {{ figure: group_chart }}\n")
    assert len(caught.value.faults) == 4


@given(st.text(max_size=60))
def test_no_text_gets_through_a_placeholder(text: str) -> None:
    try:
        asked = read_placeholder(text)
    except ParameterError:
        return
    assert re.fullmatch(r"[a-z0-9_.]+", asked.name)
    assert read_placeholder(asked.key) == asked


@given(st.text(alphabet='{}|a1.n_kept <!--epi/>`\\\n"=spandata:figure', max_size=80))
def test_any_text_is_filled_twice_the_same_or_refused(values: Values, text: str) -> None:
    from epi.runner.manuscript.markdown import fill_markdown
    from epi.runner.manuscript.printer import Printer

    try:
        once = fill_markdown(text, Printer(values, "en"), "figures").text
    except EpiError:
        return
    assert fill_markdown(once, Printer(values, "en"), "figures").text == once


def test_a_filled_text_reads_well_and_remembers_its_run(run: Run, tmp_path: Path) -> None:
    path = fill(tmp_path, run)
    text = path.read_text(encoding="utf-8")
    assert CANARY not in text
    html = str(mistune.create_markdown(escape=False, plugins=["table"])(text))
    plain = re.sub(r"<!--.*?-->|<[^>]+>", "", html, flags=re.DOTALL).replace(NO_BREAK, " ")
    assert f"We kept 90 persons (run {run.run_id}); 35.7 (95% CI 27.3 to 45.1) were old." in plain
    assert "90 again, at the head of a line, as text." in plain
    assert "Hidden: [c], [c], [c]. In code: {{ n_kept }}. Written: {{ n_kept }}." in plain
    assert html.count("<table>") == 2
    assert 'src="filled_figures/group_chart.png"' in html
    placed = (tmp_path / "filled_figures" / "group_chart.png").read_bytes()
    assert placed == (run.folder / "figures" / "group_chart.300dpi.png").read_bytes()
    found = check_manuscript(path, run)
    assert not found.drifted
    assert found.same_run
    assert found.record.run_id == run.run_id
    assert found.typed == ()


def test_filling_again_is_idempotent_and_another_run_updates_every_text(run: Run, other: Run, tmp_path: Path) -> None:
    path = fill(tmp_path, run)
    first = path.read_bytes()
    assert fill_manuscript(path, run, path).path.read_bytes() == first
    found = check_manuscript(path, other)
    assert found.drifted
    assert not found.same_run
    moved = {change.name: (change.old, change.new) for change in found.moved}
    assert moved["{{ n_kept | count }}"] == ("90", "50")
    assert moved["{{ run.id }}"] == (run.run_id, other.run_id)
    fill_manuscript(path, other, path)
    assert not check_manuscript(path, other).drifted
    direct = fill(tmp_path, other)
    assert direct.read_bytes() == path.read_bytes()


def test_what_was_typed_over_is_told_and_put_back(run: Run, tmp_path: Path) -> None:
    path = fill(tmp_path, run)
    path.write_text(path.read_text().replace(">90</span> persons", ">91</span> persons"), encoding="utf-8")
    found = check_manuscript(path, run)
    assert [(change.name, change.old, change.new, change.line) for change in found.edited] == [
        ("{{ n_kept | count }}", "90", "91", 3)
    ]
    assert fill_manuscript(path, run, path).edited == 1
    assert not check_manuscript(path, run).drifted


def test_new_placeholders_of_a_filled_text_and_cut_marks_are_told(run: Run, tmp_path: Path) -> None:
    path = fill(tmp_path, run)
    kept = path.read_text()
    path.write_text(kept.replace("were old", "were old, {{ older_share }}"), encoding="utf-8")
    assert check_manuscript(path, run).unfilled == ("{{ older_share }}",)
    fill_manuscript(path, run, path)
    assert not check_manuscript(path, run).drifted
    path.write_text(kept.replace("90</span> persons", "90 persons"), encoding="utf-8")
    assert check_manuscript(path, run).unfilled
    with pytest.raises(ParameterError, match="a mark is cut"):
        fill_manuscript(path, run, path)


def test_numbers_typed_by_hand_are_listed_with_the_name_that_prints_them(values: Values) -> None:
    text = (
        "# 2.1 Methods\n1. In 2019, 90 persons were kept (35.7%), 1,234 elsewhere [12, 13], PM2.5, Figure 3, 95% CI.\n"
        "On 3 May 2020 (https://x.org/77) version 1.2, ORPHA:803, 5 groups.\n"
    )
    found = find_typed(text, values, "en")
    assert [typed.text for typed in found] == ["90", "35.7", "1,234"]
    assert found[0].names[0] == "n_kept"
    assert found[1].names == ("older_share",)
    assert [typed.line for typed in found] == [2, 2, 2]


def test_nothing_is_filled_from_a_run_that_changed_or_over_a_file_of_others(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "toy" / run.run_id
    shutil.copytree(run.folder, folder)
    results = folder / "results.json"
    results.write_text(results.read_text().replace("35.7", "36.7"))
    with pytest.raises(DisclosureError):
        fill(tmp_path, Run(folder, run.manifest))
    (tmp_path / "filled.md").write_text("mine")
    with pytest.raises(StorageError, match="no filling wrote it"):
        fill(tmp_path, run)
    assert (tmp_path / "filled.md").read_text() == "mine"


def test_a_record_that_was_edited_into_nonsense_is_refused(run: Run, tmp_path: Path) -> None:
    path = fill(tmp_path, run)
    path.write_text(path.read_text().replace('"format": 1', '"format": 9').replace('"format":1', '"format":9'))
    with pytest.raises(DataError, match="record"):
        check_manuscript(path, run)


def test_the_command_ends_with_0_1_or_2(run: Run, other: Run, runs: Path, tmp_path: Path) -> None:
    path = fill(tmp_path, run)
    call = CliRunner()

    def code(*words: str) -> int:
        return call.invoke(app, [*words, "--runs", str(runs)]).exit_code

    assert code("check", str(path), "--run", f"toy/{run.run_id}") == 0
    assert code("check", str(path), "--run", f"toy/{other.run_id}") == 1
    assert code("check", str(tmp_path / "paper.md"), "--run", f"toy/{run.run_id}") == 2
    assert code("check", str(path), "--run", "nothing") == 2
    listed = call.invoke(app, ["names", "--run", f"toy/{run.run_id}", "--runs", str(runs), "--json"])
    names = {row["name"]: row["prints"] for row in json.loads(listed.stdout)}
    assert names["n_kept"] == "90"
    assert names["few.p"] == MARK
    assert not any("notes" in name for name in names)


def test_internal_values_are_named_at_their_level_only(run: Run, tmp_path: Path) -> None:
    text = "{{ table.notes.a.n }}\n"
    path = fill(tmp_path, run, text, level="internal")
    assert check_manuscript(path, run).record.level == "internal"
    assert ">60<" in path.read_text()


def test_the_example_manuscript_uses_the_grammar() -> None:
    text = (ROOT / "studies" / "sla_environment" / "manuscript" / "paper.md").read_text(encoding="utf-8")
    asked = [read_placeholder(found) for found in re.findall(r"\{\{(.*?)\}\}", text)]
    assert len(asked) > 20
