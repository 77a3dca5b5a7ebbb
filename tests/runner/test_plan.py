"""A frozen plan: what changed since is told, where; an edited plan is found out."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

from epi.cli import app
from epi.errors import ParameterError, ProtocolError
from epi.runner import open_study, run_study
from epi.runner.plan import FILE, compare_plan, describe_plan, freeze_plan, plan_record, read_plan
from epi.runner.site import build_site
from runner.toy import COUNTS, PROTOCOL, write_notebook, write_toy_study

DAY = dt.datetime(2026, 1, 5, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
def folder(tmp_path):
    return write_toy_study(tmp_path / "studies")


def freeze(folder, reason="", days=0):
    return freeze_plan(open_study(folder), reason, runs_dir=folder.parents[1] / "runs", now=DAY + dt.timedelta(days))[0]


def changes(folder, values=None):
    study = open_study(folder)
    return [one.sentence for one in compare_plan(read_plan(folder)[-1], study, study.resolve(values))]


def edit_protocol(folder, before, after):
    assert before in PROTOCOL
    (folder / "protocol.yml").write_text(PROTOCOL.replace(before, after), encoding="utf-8")


def test_nothing_has_changed_when_only_comments_and_layout_have(folder):
    before = open_study(folder).digest()
    freeze(folder)
    assert open_study(folder).digest() == before
    (folder / "protocol.yml").write_text("# a comment\n" + PROTOCOL, encoding="utf-8")
    (folder / "README.md").write_text("# Another\n", encoding="utf-8")
    assert changes(folder) == []
    assert describe_plan(open_study(folder)) == ["plan frozen on 2026-01-05; nothing has changed since"]


def test_a_protocol_field_is_named_with_what_was_planned(folder):
    freeze(folder)
    edit_protocol(folder, "max: 90, unit", "max: 95, unit")
    assert changes(folder) == ["protocol, parameters.minimum_age.max: 95; planned: 90"]


def test_cells_are_numbered(folder):
    freeze(folder)
    cells = [*COUNTS[:3], ("code", "everyone.tail()"), *COUNTS[4:], ("markdown", "The end.")]
    write_notebook(folder / "01_counts.ipynb", cells)
    assert changes(folder) == ["01_counts.ipynb: cell(s) 4 changed", "01_counts.ipynb: cell(s) 10 added"]
    write_notebook(folder / "01_counts.ipynb", [*COUNTS[:3], *COUNTS[4:]])
    assert changes(folder) == ["01_counts.ipynb: cell(s) 4 removed"]


def test_helpers_and_presets_are_named(folder):
    freeze(folder)
    (folder / "codes.csv").write_text("a\n", encoding="utf-8")
    (folder / "parameters" / "older.yml").write_text("minimum_age: 41\n", encoding="utf-8")
    (folder / "parameters" / "late.yml").write_text("since: 2016-01-01\n", encoding="utf-8")
    assert changes(folder) == [
        "file codes.csv added",
        "preset late added",
        "preset older changed: minimum_age = 41; planned: minimum_age = 40",
    ]


def test_only_parameters_of_a_frozen_preset_are_planned(folder):
    freeze(folder)
    assert changes(folder, {"minimum_age": 40}) == []
    assert changes(folder, {"minimum_age": 40, "share": 0.25}) == [
        "parameter share is 0.25; planned: 0.5, and no frozen preset holds these values"
    ]


def test_an_amendment_keeps_the_history_and_needs_a_reason(folder):
    first = freeze(folder)
    assert freeze(folder, days=1) == first
    edit_protocol(folder, "default: 18, min: 0", "default: 21, min: 0")
    cells = [(kind, source.replace("= 18", "= 21")) for kind, source in COUNTS]
    write_notebook(folder / "01_counts.ipynb", cells)
    figures = json.loads((folder / "02_figures.ipynb").read_text())
    figures["cells"][1]["source"] = figures["cells"][1]["source"].replace("= 18", "= 21")
    (folder / "02_figures.ipynb").write_text(json.dumps(figures))
    with pytest.raises(ParameterError, match="reason"):
        freeze(folder, days=2)
    second = freeze(folder, "adults of full age", days=2)
    assert [entry.number for entry in read_plan(folder)] == [1, 2]
    assert second.content["previous"] == first.digest
    assert describe_plan(open_study(folder))[0].startswith("plan frozen on 2026-01-05, amended 1 time(s)")


def test_a_study_with_faults_or_a_reason_that_names_a_patient_is_not_frozen(folder):
    with pytest.raises(ParameterError, match="patient"):
        freeze(folder, "because of FR-0123-4567-8901-2345 1850675123456 2 85 06 75 123 456 78")
    (folder / "README.md").unlink()
    with pytest.raises(ProtocolError, match="fault"):
        freeze(folder)
    assert not (folder / FILE).exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda plan: plan["entries"][0].update(frozen="2020-01-01T00:00:00+00:00"),
        lambda plan: plan["entries"][0].update(digest="0" * 64),
        lambda plan: plan["entries"][0]["presets"].update(wished={"minimum_age": 55}),
        lambda plan: plan["entries"][0]["notebooks"].clear(),
        lambda plan: plan["entries"].clear(),
        lambda plan: plan["entries"].append(plan["entries"][0]),
        lambda plan: plan.pop("entries"),
        lambda plan: plan["entries"][0].pop("reason"),
    ],
)
def test_an_edited_plan_is_found_out(folder, spoil):
    freeze(folder)
    plan = json.loads((folder / FILE).read_text(encoding="utf-8"))
    spoil(plan)
    (folder / FILE).write_text(json.dumps(plan), encoding="utf-8")
    study = open_study(folder)
    for ask in (study.check, lambda: read_plan(folder), lambda: freeze(folder, "again")):
        with pytest.raises(ProtocolError, match="cannot be trusted"):
            ask()
    assert plan_record(study, study.resolve())["status"] == "altered"


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"entries": 3}', '{"entries": [3]}', "\xff"])
def test_any_other_file_is_no_plan(folder, text):
    (folder / FILE).write_text(text, encoding="latin-1")
    with pytest.raises(ProtocolError, match="cannot be trusted"):
        read_plan(folder)


def page_of(folder, lang="en", run=None):
    root = folder.parents[1]
    build_site(root / "runs", root / "site", root / "studies")
    inside = f"{'en/' if lang == 'en' else ''}studies/toy/{run.run_id + '/' if run else ''}index.html"
    return (root / "site" / inside).read_text(encoding="utf-8")


def test_the_manifest_and_the_page_tell_the_plan_and_every_deviation(folder):
    runs = folder.parents[1] / "runs"
    early = run_study(open_study(folder), {"share": 0.1}, runs_dir=runs)
    assert early.manifest["plan"] == {"status": "none"}
    assert "Analysis plan" not in page_of(folder)

    freeze_plan(open_study(folder), runs_dir=runs)
    kept = run_study(open_study(folder), runs_dir=runs)
    assert kept.manifest["plan"]["status"] == "kept"
    page = page_of(folder)
    assert "Run under the frozen plan, without deviation." in page
    assert "No plan was frozen when this ran; one was frozen later." in page_of(folder, run=early)

    other = run_study(open_study(folder), {"minimum_age": 35}, runs_dir=runs)
    assert other.manifest["plan"]["status"] == "deviates"
    assert other.manifest["plan"]["deviations"] == [
        {"kind": "parameter", "where": "minimum_age", "before": "18", "after": "35"}
    ]
    assert "minimum_age, outside the frozen presets: “35”; planned: “18”" in page_of(folder, run=other)
    assert "hors des préréglages verrouillés : « 35 » ; prévu : « 18 »" in page_of(folder, "fr", other).replace(
        "\xa0", " "
    ).replace("\u202f", " ")

    write_notebook(folder / "01_counts.ipynb", [*COUNTS, ("markdown", "Afterwards.")])
    freeze_plan(open_study(folder), "a closing word", runs_dir=runs)
    page = page_of(folder)
    assert "a closing word" in page
    assert "01_counts.ipynb: cell(s) 10 added" in page

    # A plan made anew, with a chain that holds, is not the one that runs saw.
    (folder / FILE).unlink()
    freeze_plan(open_study(folder), runs_dir=runs)
    assert "it has been rewritten since" in page_of(folder)
    (kept.folder / FILE).write_text("{}", encoding="utf-8")
    assert "edited after it was frozen" in page_of(folder)


def test_the_command_freezes_checks_and_tells(folder):
    root = folder.parents[1]
    where = ["--studies", str(root / "studies")]

    def ask(*words):
        return CliRunner().invoke(app, ["study", *words, "toy", *where])

    runs = ["--runs", str(root / "runs")]
    assert "no plan is frozen" in ask("check").output
    assert "frozen on" in CliRunner().invoke(app, ["study", "freeze", "toy", *where, *runs]).output
    edit_protocol(folder, "Toy University", "Another")
    told = ask("check").output
    assert "1 deviation(s) since" in told
    assert "Another; planned: Toy University" in told
