"""Frames kept from one notebook to another: declared, private, and told apart by what they hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import Point

import epi
from epi.errors import DataError, ParameterError, ProtocolError, RunError
from epi.runner.folder import released_files
from epi.runner.progress import Progress
from epi.runner.run import run_study
from epi.runner.study import open_study
from runner.toy import PROTOCOL, write_notebook

FIRST = "import epi\nimport pandas as pd\nepi.keep(pd.DataFrame({'age': [31, 47]}), 'ages')"
SECOND = "import epi\nepi.record('mean_age', float(epi.kept('ages')['age'].mean()), unit='years')"


def two_steps(root: Path, *, first: str = FIRST, second: str = SECOND, frames: str = "") -> Path:
    folder = root / "two"
    folder.mkdir(parents=True, exist_ok=True)
    keeps, needs = frames.split("|") if frames else (", keeps: [ages]", ", needs: [ages]")
    (folder / "protocol.yml").write_text(
        PROTOCOL.split("parameters:")[0].replace("id: toy", "id: two")
        + "parameters:\n  word: {type: str, default: plain, meaning: a word}\nnotebooks:\n"
        + f"  - {{file: 01_first.ipynb, title: {{fr: Un, en: One}}{keeps}}}\n"
        + f"  - {{file: 02_second.ipynb, title: {{fr: Deux, en: Two}}{needs}}}\n"
        + "outputs:\n  - {name: mean_age, meaning: {fr: Un, en: One}}\n",
        encoding="utf-8",
    )
    (folder / "README.md").write_text("# Two\n", encoding="utf-8")
    write_notebook(folder / "01_first.ipynb", [("parameters", "word = 'plain'"), ("code", first)])
    write_notebook(folder / "02_second.ipynb", [("parameters", ""), ("code", second)])
    return folder


class Told(Progress):
    def __init__(self) -> None:
        self.ran: dict[str, str] = {}

    def begin(self, notebook: str, number: int, total: int, reason: str) -> None:
        self.ran[notebook] = reason


def ran(folder: Path, runs: Path, **given: object) -> dict[str, str]:
    told = Told()
    run_study(open_study(folder), given, runs_dir=runs, progress=told)
    return told.ran


def test_a_step_rests_on_the_frame_and_not_on_who_made_it(tmp_path: Path) -> None:
    folder, runs = two_steps(tmp_path), tmp_path / "runs"
    done = run_study(open_study(folder), runs_dir=runs)
    assert done.results()["estimate"].tolist() == [39.0]
    assert (done.folder / "notebooks" / "kept" / "ages.parquet").is_file()
    assert (done.folder / "notebooks" / "kept").stat().st_mode & 0o077 == 0
    assert not [name for name in released_files(done.folder) if "kept" in name], "frames are never released"
    write_notebook(folder / "01_first.ipynb", [("parameters", "word = 'plain'"), ("code", FIRST + "\n1 + 1")])
    assert list(ran(folder, runs)) == ["01_first.ipynb"], "the same frame again"
    assert list(ran(folder, runs, word="other")) == ["01_first.ipynb"]
    write_notebook(folder / "01_first.ipynb", [("parameters", "word = 'plain'"), ("code", FIRST.replace("47", "48"))])
    told = ran(folder, runs)
    assert "notebooks/kept/ages.parquet, which an earlier step wrote, changed" in told["02_second.ipynb"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"frames": "|"}, "does not declare that it keeps 'ages'"),
        ({"frames": ", keeps: [ages]|"}, "does not declare that it needs 'ages'"),
        ({"first": "1"}, "did not keep ages, as the protocol says"),
    ],
)
def test_what_is_not_as_declared_fails(tmp_path: Path, words: dict[str, str], said: str) -> None:
    with pytest.raises(RunError, match=said):
        run_study(open_study(two_steps(tmp_path, **words)), runs_dir=tmp_path / "runs")


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ("|, needs: [ages]", "needs ages, which no earlier notebook keeps"),
        (", keeps: [ages]|, keeps: [ages]", "kept twice"),
        (", keeps: ['../ages']|", "pattern"),
        (", needs: [ages], keeps: [ages]|", "no earlier notebook"),
    ],
)
def test_a_protocol_that_cannot_hold_is_refused(tmp_path: Path, frames: str, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        open_study(two_steps(tmp_path, frames=frames))


def test_outside_a_run_frames_lie_in_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    frame = gpd.GeoDataFrame({"n": [1]}, geometry=[Point(1, 2)], crs=2154)
    path = epi.keep(frame, "places")
    assert path.is_relative_to(tmp_path) and path.parent.parent.stat().st_mode & 0o077 == 0
    assert epi.kept("places").crs == frame.crs and isinstance(epi.kept("places"), gpd.GeoDataFrame)
    first = epi.keep(pd.DataFrame({"n": [1]}), "plain").read_bytes()
    assert epi.keep(pd.DataFrame({"n": [1]}), "plain").read_bytes() == first, "equal data, equal file"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="a frame kept before"):
        epi.kept("plain")  # another folder's
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DataError, match="one of places, plain"):
        epi.kept("absent")
    for bad, said in (
        ([1], "list cannot be kept"),
        (pd.DataFrame({"n": [1]}, index=[7]), "index would be lost"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "different names"),
        (pd.DataFrame({"n": [1, "PAT-CANARY"]}), "mixed kinds"),
    ):
        with pytest.raises(ParameterError, match=said) as caught:
            epi.keep(bad, "bad")
        assert "CANARY" not in str(caught.value)
    with pytest.raises(ParameterError, match="name of a frame"):
        epi.keep(pd.DataFrame(), "../out")
