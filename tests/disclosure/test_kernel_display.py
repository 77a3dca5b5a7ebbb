"""The mark, through a real kernel and a notebook file."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from epi.disclosure import read_gate, verify_cell_output

CODE = """
import pandas as pd, epi
from epi.results import Release, Counted
from epi.plotting import Chart, new_figure
table = pd.DataFrame({"area": ["A", "B", "C"], "n": [60, 3, 40]})
release = Release(table, (Counted("n", adds_up_within=()),), title="Cases")
def draw(table):
    figure = new_figure(3, 2)
    figure.add_subplot().bar(table["area"], table["n"].fillna(0.0))
    return figure
for name, one in {"cases": release, "cases_figure": Chart(release, draw, "Bars")}.items():
    epi.output(one, name)
epi.record("n_cases", 103)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_marks_survive_a_kernel_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPI_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.delenv("EPI_PROTOCOL", raising=False)
    book = new_notebook(cells=[new_code_cell(CODE), new_code_cell("table.head()")])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    nbformat.write(book, tmp_path / "book.ipynb")
    held = nbformat.read(tmp_path / "book.ipynb", as_version=4)
    shown, bare = (cell.outputs for cell in held.cells)
    lines = read_gate(tmp_path / "run")
    assert [line["name"] for line in lines] == ["cases", "cases_figure", "n_cases"]
    assert [verify_cell_output(output, lines) for output in shown] == [True, True, True]
    assert [output["metadata"]["epi"]["output"] for output in shown] == ["cases", "cases_figure", "n_cases"]
    assert [verify_cell_output(output, lines) for output in bare] == [False]
