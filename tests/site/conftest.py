"""A finished run of the toy study, and copies of it to spoil."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from epi.runner.folder import Run, list_runs
from epi.runner.run import run_study
from epi.runner.study import open_study
from runner.toy import CANARY, COUNTS, FIGURES, write_toy_study

INJECTION = """# A title

#### Deep

<script>alert(1)</script><img src="http://example.org/x.png" onerror="alert(1)">

![a plan](http://example.org/plan.png) [good](https://doi.org/10.1/x) [bad](javascript:alert(1))
[file](file:///etc/passwd) <a href="http://example.org" onclick="alert(1)">raw</a>

| x |
|---|
| <b onmouseover="alert(1)">cell</b> |
"""


@pytest.fixture(scope="session")
def toy_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: one by default, one with a preset; the second left unfinished by a failure of its own."""
    place = tmp_path_factory.mktemp("site")
    study = open_study(
        write_toy_study(place / "studies", counts=[("markdown", INJECTION), *COUNTS[1:]], figures=FIGURES)
    )
    run_study(study, runs_dir=place / "runs")
    return place / "runs"


@pytest.fixture
def spoil(toy_runs: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the runs, change the executed notebook or the manifest, give the new folder of runs."""

    def change(
        notebook: Callable[[dict[str, Any]], None] | None = None,
        manifest: Callable[[dict[str, Any]], None] | None = None,
        folder: Callable[[Path], None] | None = None,
    ) -> Path:
        runs = tmp_path / "runs"
        shutil.copytree(toy_runs, runs)
        (run,) = list_runs(runs)
        for name, edit in (("notebooks/01_counts.ipynb", notebook), ("manifest.json", manifest)):
            if edit:
                content = json.loads((run.folder / name).read_text(encoding="utf-8"))
                edit(content)
                (run.folder / name).write_text(json.dumps(content), encoding="utf-8")
        if folder:
            folder(run.folder)
        return runs

    return change


@pytest.fixture(scope="session")
def toy_run(toy_runs: Path) -> Run:
    (run,) = list_runs(toy_runs)
    assert CANARY in (run.folder / "notebooks" / "01_counts.ipynb").read_text(encoding="utf-8")
    return run
