"""A parameter is data: whatever is typed, what reaches a notebook is constants."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from epi.commands.console import parse_assignments
from epi.errors import ParameterError
from epi.runner import kernel
from epi.runner.inspection import parameter_names, plain_value, read_constants
from epi.runner.run import run_study
from epi.runner.study import Study, open_study
from runner.toy import write_toy_study

EFFORT = int(os.environ.get("EPI_EFFORT", "1"))  # `make validate` tries 10,000


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return open_study(write_toy_study(tmp_path_factory.mktemp("studies")))


def injected(study: Study, values: dict[str, Any]) -> str:
    """The cell that papermill would run."""
    notebook = load_notebook_node(str(study.folder / "01_counts.ipynb"))
    made = parameterize_notebook(notebook, values, kernel_name="python3", language="python")
    (cell,) = (cell for cell in made.cells if "injected-parameters" in cell.metadata.get("tags", []))
    return str(cell.source)


HOSTILE = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="\"'\\\n\r\t{}()[];#`$%!= \u2028\u0085\x00", max_size=40),
    st.sampled_from(
        [
            '"; import os; os.system("id") #',
            "'''\nimport os",
            '\\"\nimport os\n"',
            "\\",
            '\\\\"',
            "{pm[run_uuid]}",
            "__import__('os')",
            "\u2028import os",
        ]
    ),
)


@settings(max_examples=200 * EFFORT)
@given(text=HOSTILE, items=st.lists(HOSTILE, max_size=4), share=st.floats(), age=st.integers())
def test_a_hostile_value_stays_a_constant_or_is_refused(
    study: Study, text: str, items: list[str], share: float, age: int
) -> None:
    given_ = {"words": text, "groups": items, "share": share, "minimum_age": age}
    taken: dict[str, Any] = {}
    for name, value in given_.items():
        try:
            taken[name] = study.resolve({name: value})[name]
        except ParameterError:
            continue
    plain = {name: plain_value(value) for name, value in study.resolve(taken).items()}
    source = injected(study, plain)
    assert all(isinstance(step, ast.Assign) for step in ast.parse(source).body)
    assert read_constants(source) == plain
    kernel._check_constants(source, plain)


@settings(max_examples=200 * EFFORT)
@given(name=st.one_of(HOSTILE, st.sampled_from(["__builtins__", "minimum_age = 1; import os", "words\n"])))
def test_a_hostile_name_is_refused(study: Study, name: str) -> None:
    if name in study.protocol.parameters:
        return
    with pytest.raises(ParameterError):
        study.resolve({name: 1})


@pytest.mark.parametrize("source", ["words = 'other'", "words = open('x')", "import os", "words = 'plain'\nmore = 1"])
def test_a_cell_that_is_not_the_parameters_is_stopped(source: str) -> None:
    with pytest.raises(ParameterError):
        kernel._check_constants(source, {"words": "plain"})


def test_every_parameter_reaches_the_notebook_with_its_type(study: Study) -> None:
    values = study.resolve({"since": "2020-02-29", "drawn": "false", "groups": "b", "share": "0.25"})
    plain = {name: plain_value(value) for name, value in values.items()}
    assert parameter_names(study.folder / "01_counts.ipynb") == tuple(values)
    assert read_constants(injected(study, plain)) == {
        "minimum_age": 18,
        "since": "2020-02-29",
        "words": "plain",
        "groups": ["b"],
        "share": 0.25,
        "drawn": False,
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"minimum_ages": 3}, "'minimum_ages' is unknown: this study has minimum_age (0 to 90, default 18 years)"),
        ({"minimum_age": "eighteen"}, "a whole number"),
        ({"minimum_age": 91}, "0 to 90"),
        ({"since": "31/12/2020"}, "a date such as 2015-12-31"),
        ({"drawn": "maybe"}, "true or false"),
        ({"words": "\udcff"}, "not Unicode"),
        ({"groups": ["a", "\udcff"]}, "not Unicode"),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_kernel_starts(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], said: str
) -> None:
    started: list[object] = []
    monkeypatch.setattr("jupyter_client.manager.KernelManager.start_kernel", lambda *_, **__: started.append(1))
    monkeypatch.setattr("subprocess.Popen.__init__", lambda *_, **__: started.append(1))
    with pytest.raises(ParameterError) as caught:
        run_study(study, wrong, runs_dir=tmp_path / "runs")
    assert said in str(caught.value)
    assert not started
    assert not (tmp_path / "runs").exists()


def test_assignments_are_read_as_typed() -> None:
    assert parse_assignments(["a=1", "b==", "c="]) == {"a": "1", "b": "=", "c": ""}
    with pytest.raises(ParameterError) as caught:
        parse_assignments(["a", "b=1", "b=2", "=3"])
    assert len(caught.value.faults) == 3
