"""Steps: what each rests on, when one stands for another, and what a kill leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from epi.errors import DisclosureError, RunError
from epi.runner import identity
from epi.runner.digests import digest_of
from epi.runner.folder import Run, list_runs, released_files
from epi.runner.forecast import forecast_run
from epi.runner.opened import Opened
from epi.runner.premises import Present
from epi.runner.progress import Progress
from epi.runner.run import run_study
from epi.runner.steps import Step, find_step, read_step, write_step
from epi.runner.study import Study, open_study
from runner.toy import PROTOCOL, write_notebook
from support import killed

STEPS = ("01_first.ipynb", "02_second.ipynb", "03_third.ipynb")
ONE = """
import os
import sys

sys.path.insert(0, os.environ["TOY_SUPPORT"])
import killed

killed.arm_kernel()
SIZE = 30
"""


def three_steps(root: Path) -> Path:
    """Write a study of three steps that rest on different things."""
    folder = root / "three"
    (folder / "codes").mkdir(parents=True)
    (folder / "parameters").mkdir()
    head, tail = PROTOCOL.split("parameters:")
    outputs = "".join(
        f"  - {{name: {name}, meaning: {{fr: Un, en: One}}}}\n" for name in ("attrition", "groups", "shared", "total")
    )
    (folder / "protocol.yml").write_text(
        head.replace("id: toy", "id: three")
        + "parameters:\n  age: {type: int, default: 18, meaning: an age}\n"
        + "  share: {type: float, default: 0.5, meaning: a share}\n"
        + "  word: {type: str, default: plain, meaning: a word}\n"
        + "notebooks:\n"
        + "".join(f"  - {{file: {name}, title: {{fr: Un, en: One}}}}\n" for name in STEPS)
        + "outputs:\n"
        + outputs,
        encoding="utf-8",
    )
    assert tail
    (folder / "README.md").write_text("# Three\n", encoding="utf-8")
    (folder / "one.py").write_text(ONE, encoding="utf-8")
    (folder / "two.py").write_text("import one\n\nSIZE = 40\n", encoding="utf-8")
    (folder / "codes" / "list.csv").write_text("code\nA\n", encoding="utf-8")
    write_notebook(
        folder / STEPS[0],
        [
            ("parameters", "age = 18"),
            ("code", "import epi\nimport one\nimport pandas as pd\nfrom epi.results import Counted, Release"),
            ("code", "codes = pd.read_csv('codes/list.csv')"),
            (
                "code",
                "table = pd.DataFrame({'step': [1], 'label': ['all'], 'n': [one.SIZE + age + len(codes)]})\n"
                "epi.output(Release(table, (Counted('n'),), title='Flow', not_counts=('step',)), 'attrition')",
            ),
            ("code", "epi.record('total', 100 + age, unit='persons')"),
        ],
    )
    write_notebook(
        folder / STEPS[1],
        [
            ("parameters", "share = 0.5"),
            (
                "code",
                "import epi\nimport two\nimport os\nimport pandas as pd\nfrom epi.results import Counted, Release",
            ),
            ("code", "import epi.stats.standardisation"),
            ("code", "extra = len(pd.read_csv(os.environ['EPI_OPEN_DATA'] + '/part/read.csv'))"),
            (
                "code",
                "table = pd.DataFrame({'group': ['a', 'b'], 'n': [two.SIZE, 60 + extra]})\n"
                "epi.output(Release(table, (Counted('n'),), title='Groups'), 'groups')",
            ),
            ("code", "epi.record('shared', share, unit='a ratio')"),
        ],
    )
    write_notebook(
        folder / STEPS[2],
        [
            ("parameters", "word = 'plain'"),
            ("code", "import epi\nimport one"),
            ("code", "epi.record('total', 400, unit='persons', stratum={'sex': 'all'})"),
        ],
    )
    return folder


class Told(Progress):
    """Keeps which steps were executed and which reused, with the reasons."""

    def __init__(self) -> None:
        self.ran: dict[str, str] = {}
        self.reused: dict[str, str] = {}

    def begin(self, notebook: str, number: int, total: int, reason: str) -> None:
        self.ran[notebook] = reason

    def reuse(self, notebook: str, number: int, total: int, reason: str) -> None:
        self.reused[notebook] = reason


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "open" / "part").mkdir(parents=True)
    (tmp_path / "open" / "part" / "read.csv").write_text("n\n1\n", encoding="utf-8")
    (tmp_path / "open" / "unread.csv").write_text("n\n1\n", encoding="utf-8")
    monkeypatch.setenv("EPI_OPEN_DATA", str(tmp_path / "open"))
    monkeypatch.setenv("TOY_SUPPORT", str(Path(killed.__file__).parent))
    return tmp_path


def run(place: Path, **given: object) -> tuple[Run, Told]:
    told = Told()
    study = open_study(place / "three")
    return run_study(study, given, runs_dir=place / "runs", progress=told), told


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_touching_one_thing_runs_exactly_what_rests_on_it(place: Path) -> None:
    study = three_steps(place)
    first, told = run(place)
    assert list(told.ran) == list(STEPS) and set(told.ran.values()) == {"run for the first time"}
    record = read_step(first.folder, STEPS[0])
    assert record is not None
    assert {"parameter:age", "study:codes/list.csv", "study:one.py", "lines:attrition,total"} <= set(record.rests_on)
    assert "study:two.py" not in record.rests_on and "parameter:share" not in record.rests_on

    def touch(change: Callable[[], object], *expected: int, because: str = "", **given: object) -> None:
        change()
        done, told = run(place, **given)
        assert list(told.ran) == [STEPS[number - 1] for number in expected]
        assert set(told.reused) == set(STEPS) - set(told.ran)
        assert all(because in reason for reason in told.ran.values()), told.ran
        steps = {step["notebook"]: step for step in done.manifest["timings"]}
        assert [step for step in STEPS if not steps[step]["reused"]] == list(told.ran)
        assert done.status == "done" and done.altered() == ()

    # The third step records another stratum of what the first recorded: it rests on the first's figure.
    touch(lambda: None, 1, 3, because="", age=20)
    touch(lambda: None, 2, because="parameter share is 0.7, was 0.5", share=0.7)
    touch(lambda: rewrite(study / "two.py", "40", "50"), 2, because="study file two.py changed")
    touch(lambda: rewrite(study / "codes" / "list.csv", "A", "B"), 1, because="study file codes/list.csv changed")
    touch(lambda: rewrite(study / "one.py", "30", "31"), 1, 2, 3, because="study file one.py changed")
    touch(
        lambda: rewrite(place / "open" / "part" / "read.csv", "1", "1\n1"),
        2,
        because="open data part/read.csv changed",
    )
    touch(lambda: rewrite(place / "open" / "unread.csv", "1", "2"))
    touch(lambda: rewrite(study / STEPS[2], "400", "500"), 3, because="notebook 03_third.ipynb changed")
    rewrite(study / STEPS[2], "500", "400")
    done, told = run(place)
    assert done.reused and not told.ran, "back to a state that was seen: the run is there"


def test_a_step_that_lists_files_sees_a_new_one_and_prose_triggers_nothing(place: Path) -> None:
    study = three_steps(place)
    rewrite(study / STEPS[2], "import one", "import one, os\\nnames = os.listdir('codes')")
    run(place)
    (study / "codes" / "more.csv").write_text("code\nB\n", encoding="utf-8")
    _, told = run(place)
    assert told.ran == {STEPS[2]: told.ran[STEPS[2]]} and "codes holds other files" in told.ran[STEPS[2]]
    (study / "README.md").write_text("# Other words\n", encoding="utf-8")
    (study / "parameters" / "older.yml").write_text("age: 40\n", encoding="utf-8")
    done, told = run(place)
    assert done.reused and not told.ran


def test_modules_of_epi_count_where_they_are_loaded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    three_steps(place)
    done, _ = run(place)
    records = {name: read_step(done.folder, name) for name in STEPS}
    loaded = {name: record.rests_on for name, record in records.items() if record}
    assert "code:epi/stats/standardisation.py" in loaded[STEPS[1]]
    assert "code:epi/stats/standardisation.py" not in loaded[STEPS[0]]
    assert all("code:epi/disclosure/door.py" in rests_on for rests_on in loaded.values())
    assert not [label for label in loaded[STEPS[1]] if label.startswith("code:epi/world")]

    def altered(path: Path) -> str | None:
        return "other" if path.name == "standardisation.py" else digest_of(path)

    monkeypatch.setattr("epi.runner.premises.digest_of", altered)
    _, told = run(place, age=19)
    assert "the code of epi/stats/standardisation.py changed" in told.ran[STEPS[1]]


def test_a_library_and_an_unreadable_record_count(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    three_steps(place)
    done, _ = run(place)
    record = done.folder / "notebooks" / "02_second.step.json"
    record.write_text(record.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    _, told = run(place, age=19)
    assert told.ran[STEPS[1]] == "run for the first time"
    versions = {**identity.package_versions(), "pandas": "0"}
    monkeypatch.setattr("epi.runner.identity._installed", lambda: versions)
    _, told = run(place)
    assert len(told.ran) == 3 and "library pandas is 0, was" in told.ran[STEPS[0]]


def test_what_was_altered_is_not_taken_over(place: Path) -> None:
    three_steps(place)
    done, _ = run(place)
    (done.folder / "tables" / "groups.csv").write_text("group,n\na,1\n", encoding="utf-8")
    other, told = run(place, age=21)
    assert list(told.ran) == list(STEPS)
    assert "tables/groups.csv of run" in told.ran[STEPS[1]]
    assert "a,40" in (other.folder / "tables" / "groups.csv").read_text(encoding="utf-8")


def test_a_dry_run_tells_what_the_run_then_does(place: Path) -> None:
    three_steps(place)
    study = open_study(place / "three")

    def states(**given: object) -> list[str]:
        return [step.state for step in forecast_run(study, given, runs_dir=place / "runs").steps]

    assert states() == ["run"] * 3 and not (place / "runs").exists()
    assert forecast_run(study, runs_dir=place / "runs").seconds is None
    run(place)
    assert states() == ["done"] * 3
    assert states(age=20) == ["run", "take over", "see later"], "the third rests on a figure of the first"
    plan = forecast_run(study, {"share": 0.7}, runs_dir=place / "runs")
    assert [step.state for step in plan.steps] == ["take over", "run", "take over"]
    assert plan.steps[1].reason.endswith("parameter share is 0.7, was 0.5")
    assert plan.seconds == plan.steps[1].seconds and plan.peak_memory_mb
    forced = forecast_run(study, runs_dir=place / "runs", force=True)
    assert {(step.state, step.reason) for step in forced.steps} == {("run", "asked for (--force)")}


def test_force_takes_nothing_over(place: Path) -> None:
    three_steps(place)
    run(place)
    told = Told()
    run_study(open_study(place / "three"), runs_dir=place / "runs", force=True, progress=told)
    assert told.ran == dict.fromkeys(STEPS, "asked for (--force)")


def test_what_changes_while_a_step_runs_is_refused(place: Path) -> None:
    study = three_steps(place)

    class Meddler(Told):
        def cell(self, done: int, total: int) -> None:
            if list(self.ran) == list(STEPS[:2]) and done == 1:
                with (study / "two.py").open("a", encoding="utf-8") as file:
                    file.write("# more")

    with pytest.raises(RunError, match=r"two\.py changed, while 02_second\.ipynb ran"):
        run_study(open_study(study), runs_dir=place / "runs", progress=Meddler())
    (failed,) = list_runs(place / "runs")
    assert failed.status == "failed" and read_step(failed.folder, STEPS[1]) is None


def test_a_notebook_that_reads_what_another_wrote_rests_on_it(place: Path) -> None:
    study = three_steps(place)
    rewrite(
        study / STEPS[2],
        "import one",
        "import one, os, pandas as pd\\nread = pd.read_csv(os.environ['EPI_RUN_DIR'] + '/tables/groups.csv')",
    )
    run(place)
    _, told = run(place, share=0.6)
    assert list(told.ran) == [STEPS[1]], "the table is the same"
    rewrite(study / "two.py", "40", "44")
    _, told = run(place)
    assert "tables/groups.csv, which an earlier step wrote, changed" in told.ran[STEPS[2]]


def test_after_a_failure_only_what_is_missing_runs(place: Path) -> None:
    study = three_steps(place)
    marker = place / "broken"
    marker.touch()
    rewrite(study / STEPS[2], "import one", f"import one, os\\nassert not os.path.exists('{marker}')")
    with pytest.raises(RunError, match="failed in cell 2"):
        run(place)
    marker.unlink()
    done, told = run(place)
    assert list(told.ran) == [STEPS[2]] and set(told.reused) == set(STEPS[:2])
    assert done.status == "done" and done.altered() == ()


def start(place: Path, *, runner: int = 0, kernel: int = 0) -> int:
    """Run the study in a process that may be killed; give its exit code."""
    environment = {**os.environ, **({killed.KERNEL: str(kernel)} if kernel else {})}
    runs = place / "runs"
    words = [sys.executable, killed.__file__, str(runner), str(runs), str(place / "three"), str(runs)]
    return subprocess.run(words, env=environment, capture_output=True, timeout=120, check=False).returncode


def ended_steps(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (place / "runs").rglob("*.step.json")}


@pytest.mark.parametrize(("runner", "kernel"), [(0, 4), (8, 0), (27, 0), (0, 9)])
def test_a_killed_run_goes_on_where_it_was(place: Path, runner: int, kernel: int) -> None:
    three_steps(place)
    clean, _ = run(place)
    expected = released_files(clean.folder)
    clean.folder.parents[1].rename(place / "clean")
    assert start(place, runner=runner, kernel=kernel) != 0
    ended = ended_steps(place)
    done, told = run(place)
    assert done.status == "done" and released_files(done.folder) == expected
    assert len(told.reused) == len(ended)
    assert all(path.read_bytes() == content for path, content in ended.items())
    assert not list((place / "runs").rglob("*.part"))


def test_openings_are_seen_and_what_is_not_opened_is_not(tmp_path: Path) -> None:
    (tmp_path / "a" / "inner").mkdir(parents=True)
    outside = tmp_path / "outside.csv"
    for path in (tmp_path / "a" / "one.csv", tmp_path / "a" / "inner" / "two.csv", outside):
        path.write_text("n\n", encoding="utf-8")
    (tmp_path / "a" / "link.csv").symlink_to(outside)
    with Opened([tmp_path / "a"]) as opened:
        subprocess.run(["cat", str(tmp_path / "a" / "inner" / "two.csv")], check=True, capture_output=True)
        list((tmp_path / "a" / "inner").iterdir())
    names = [path.name for path in opened.files()]
    if opened.everything:
        assert names == ["two.csv", "link.csv", "one.csv"]
    else:
        assert names == ["two.csv", "link.csv"], "a link may point anywhere: it counts"
        assert [path.name for path in opened.folders()] == ["inner"]
    opened.everything = True
    assert len(opened.files()) == 3 and len(opened.folders()) == 2


def test_a_workspace_counts_by_its_parts(france: Path, tmp_path: Path) -> None:
    workspace = (france / "workspace").resolve()
    study = open_study(three_steps(tmp_path))
    present = Present(study, {"age": 18}, {}, "en", workspace, None)
    with Opened(present.folders()) as opened:
        (workspace / "reference" / "population.parquet").read_bytes()
        (workspace / "tidy" / "patient.parquet").read_bytes()
    found = present.collect(STEPS[0], opened, [], [], tmp_path)
    kinds = {label for label in found if label.split(":")[0] in {"tables", "reference", "references", "statement"}}
    if not opened.everything:
        assert kinds == {"tables", "references", "reference:population.parquet", "statement"}
    other = Present(study, {"age": 19}, {}, "en", workspace, None)
    assert other.changes(found) == ["parameter age is 19, was 18"]


def test_without_a_record_a_step_is_run(place: Path) -> None:
    study: Study = open_study(three_steps(place))
    present = Present(study, {}, {}, "en", None, None)
    assert find_step(STEPS[0], present, [place / "nowhere"]) == (None, "run for the first time")


@pytest.mark.parametrize(
    "name", ["../out.csv", "/etc/passwd", "tables/../../out.csv", "tables", "other/x.csv", "tables//x"]
)
def test_a_record_that_was_edited_writes_nowhere_else(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    step = Step(folder, STEPS[0], {}, {"tables/a.csv": "0"}, [("gate.jsonl", {"name": "a"})], {"run_id": "x"})
    write_step(step)
    assert read_step(folder, STEPS[0]) == step
    write_step(Step(folder, STEPS[0], {}, {name: "0"}, [], {}))
    assert read_step(folder, STEPS[0]) is None
    write_step(Step(folder, STEPS[0], {}, {}, [("../ledger", {})], {}))
    assert read_step(folder, STEPS[0]) is None


def test_an_output_does_not_follow_a_link_out_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    from epi.disclosure import output
    from epi.results import Counted, Release

    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "tables").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("EPI_RUN_DIR", str(tmp_path / "run"))
    table = pd.DataFrame({"sex": ["F", "M"], "n": [402, 351]})
    with pytest.raises(DisclosureError, match="outside the run's folder"):
        output(Release(table, (Counted("n"),)), "cases")
    assert not list((tmp_path / "elsewhere").iterdir()) and not (tmp_path / "run" / "gate.jsonl").exists()
