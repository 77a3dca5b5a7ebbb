"""Two runs compared: values within a tolerance, tables by their texts, causes, few persons, the page."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from epi.cli import app
from epi.errors import DisclosureError, ParameterError
from epi.runner.difference import Difference, Tolerance, ValueChange, compare_runs, write_page
from epi.runner.difference.compare import _compare_tables
from epi.runner.difference.page import say_size
from epi.runner.export.bundle import Cell, Empty, Output
from epi.runner.folder import Run
from epi.runner.run import run_study
from epi.runner.study import open_study
from runner.toy import CANARY, write_toy_study

NUMBERS = st.one_of(st.integers(-(10**9), 10**9), st.floats(allow_nan=True, allow_infinity=True))
VALUES = st.one_of(NUMBERS, st.text(max_size=3), st.none(), st.booleans())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, Path]:
    place = tmp_path_factory.mktemp("difference")
    study = open_study(write_toy_study(place / "studies"))
    first = run_study(study, runs_dir=place / "runs")
    second = run_study(study, {"minimum_age": 20}, runs_dir=place / "runs")
    return first, second, place / "runs"


@given(VALUES, VALUES)
def test_sameness_is_symmetric_and_everything_is_the_same_as_itself(one: object, two: object) -> None:
    room = Tolerance(1e-6)
    assert room.same(one, one) and room.same(one, two) == room.same(two, one)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (1, 1.0, True),
        (0.0, -0.0, True),
        (math.nan, math.nan, True),
        (math.inf, 1e308, False),
        (math.inf, -math.inf, False),
        (1.0, 1.0 + 0.9e-3, True),
        (1.0, 1.0 + 1.2e-3, False),
        (0.0, 0.9e-12, True),
        (None, 0, False),
        ("1", 1, False),
        (True, 1, False),
        ("[c]", "[c]", True),
    ],
)
def test_values_at_the_edges(before: object, after: object, same: bool) -> None:
    assert Tolerance(1e-3).same(before, after) is same


def test_how_large_a_change_is_for_its_uncertainty() -> None:
    change = ValueChange("or", "", 1.2, 1.5, (1.0, 1.4), (1.45, 1.6))
    assert change.difference == pytest.approx(0.3) and change.in_half_widths == pytest.approx(1.5)
    assert change.overlap is False and say_size(change, 11) == "+0.3, +25.00%, +1.50 half-widths, intervals apart"
    assert ValueChange("or", "", 0, 1.5).relative is None
    assert ValueChange("or", "", 1.2, 1.5, (1.0, None), (1.0, 2.0)).overlap is None
    few = ValueChange("n", "", 100, 107, counts_persons=True)
    assert few.is_small(11) and say_size(few, 11) == "fewer than 11 persons"
    assert not ValueChange("n", "", 100, 111, counts_persons=True).is_small(11)


def test_a_run_does_not_differ_from_itself(runs: tuple[Run, Run, Path]) -> None:
    found = compare_runs(runs[0], runs[0])
    assert not found.any and not found.figures and not found.causes and not found.sources and not found.small
    assert {change.status for change in (*found.results, *found.flow)} == {"same"}


def test_what_differs_is_told_with_its_cause(runs: tuple[Run, Run, Path]) -> None:
    first, second, _ = runs
    found = compare_runs(first, second)
    assert found.any and found.causes == ("parameter minimum_age is 20, was 18",)
    (kept,) = [change for change in found.changed_results if change.name == "n_kept"]
    assert kept.after < kept.before and kept.is_small(11)
    # The persons that a result rests on are published beside it.
    assert "n_kept: n" in {change.name for change in found.small}
    assert [change.where for change in found.flow if change.status == "changed"] == ["old enough: n"]
    assert found.cells and {change.name for change in found.cells} <= {"groups", "group_chart"}
    assert found.figures == ("group_chart",) and found.small and not found.sources
    back = compare_runs(second, first)
    assert [(c.name, c.where, c.before, c.after) for c in found.changed_results] == [
        (c.name, c.where, c.after, c.before) for c in back.changed_results
    ]
    wide = compare_runs(first, second, tolerance=Tolerance(0.5))
    assert not wide.changed_results and not wide.cells


def table(rows: tuple[tuple[Cell, ...], ...], columns: tuple[tuple[str, str], ...]) -> Output:
    layout = {"columns": list(columns), "mark": "[c]"}
    return Output("t", "table", "public", "", "", tuple(name for name, _ in columns), rows, layout, {})


def test_rows_are_matched_by_their_texts_whatever_their_order() -> None:
    columns = (("area", "text"), ("n", "count"), ("rate", "number"))
    old = table((("a", 20, 1.5), ("b", Empty.HIDDEN, Empty.MISSING), ("c", 40, 2.0)), columns)
    new = table((("c", 40, 2.0), ("b", 15, Empty.MISSING), ("d", 1, 1.0)), columns)
    found = [change for change in _compare_tables(old, new, Tolerance()) if change.status != "same"]
    assert [(change.where, change.before, change.after, change.status) for change in found] == [
        ("a", "a row", None, "gone"),
        ("b: n", "[c]", 15, "changed"),
        ("d", None, "a row", "new"),
    ]
    assert _compare_tables(old, table(old.rows[::-1], columns), Tolerance())
    assert all(change.status == "same" for change in _compare_tables(old, table(old.rows[::-1], columns), Tolerance()))


def test_without_texts_rows_are_matched_by_place_and_columns_may_come_and_go() -> None:
    old = table(((1, 2.0), (2, 3.0)), (("k", "whole"), ("x", "number")))
    new = table(((1, 2.0), (2, 3.5)), (("k", "whole"), ("y", "number")))
    found = [change for change in _compare_tables(old, new, Tolerance()) if change.status != "same"]
    assert [(change.where, change.status) for change in found] == [("column x", "gone"), ("column y", "new")]


def test_what_changed_since_a_run_is_not_compared(runs: tuple[Run, Run, Path]) -> None:
    first, second, _ = runs
    path = second.folder / "tables" / "groups.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "x,1\n", encoding="utf-8")
    with pytest.raises(DisclosureError, match="changed since it ended"):
        compare_runs(first, second)
    path.write_text(text, encoding="utf-8")
    stranger = Run(first.folder, {**first.manifest, "study": "other"})
    with pytest.raises(ParameterError, match="two studies"):
        compare_runs(stranger, second)


def test_the_page_holds_both_pictures_and_no_patient(runs: tuple[Run, Run, Path], tmp_path: Path) -> None:
    found: Difference = compare_runs(runs[0], runs[1])
    write_page(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2 and "parameter minimum_age is 20, was 18" in page
    assert "publishing both runs would tell of these few" in page
    assert CANARY not in page and 'src="http' not in page and "TITLE" not in page


def test_cells_that_an_author_changed_are_shown_without_outputs(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path / "studies")
    first = run_study(open_study(folder), runs_dir=tmp_path / "runs")
    path = folder / "02_figures.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("35.7", "36.5"), encoding="utf-8")
    second = run_study(open_study(folder), runs_dir=tmp_path / "runs")
    found = compare_runs(first, second)
    assert found.causes == ("study file 02_figures.ipynb changed",)
    assert any(line.startswith("+epi.record('older_share', 36.5") for line in found.sources)
    assert CANARY not in "\n".join(found.sources)
    (change,) = found.changed_results
    assert change.in_half_widths == pytest.approx(0.8 / 8.9)


def test_the_command_ends_as_diff_does(runs: tuple[Run, Run, Path], tmp_path: Path) -> None:
    first, second, place = runs
    names = [f"toy/{run.run_id}" for run in (first, second)]
    call = CliRunner().invoke
    same = call(app, ["diff", names[0], names[0], "--runs", str(place)])
    assert same.exit_code == 0 and "No result, cell or figure differs" in same.output
    page = tmp_path / "d.html"
    differs = call(app, ["diff", *names, "--runs", str(place), "--html", str(page)])
    assert differs.exit_code == 1 and "because parameter minimum_age is 20, was 18" in differs.output
    assert page.is_file() and "fewer than 11 persons" in differs.output
    machine = call(app, ["diff", str(first.folder), names[1], "--runs", str(place), "--json"])
    assert json.loads(machine.output)["differs"] is True
    wrong = call(app, ["diff", names[0], "toy/000000000000", "--runs", str(place)])
    assert wrong.exit_code == 2
