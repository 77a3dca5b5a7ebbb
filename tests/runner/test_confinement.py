"""No network while a study runs: an attempt stops it, whatever the notebook does with the error."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from epi.errors import RunError
from epi.runner.confinement import ALL, SYSTEM, WRITES_REFUSED, _host
from epi.runner.folder import list_runs
from epi.runner.run import run_study
from epi.runner.study import open_study
from runner.toy import one_notebook


class Listening(http.server.ThreadingHTTPServer):
    """A server of this machine that counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        super().__init__(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)

    def verify_request(self, request: object, client_address: object) -> bool:
        self.visits += 1
        return False


@pytest.fixture
def server() -> Iterator[Listening]:
    with Listening() as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield listening
        listening.shutdown()


ATTACKS = {
    "a swallowed socket": (
        "try:\n    import socket\n    socket.create_connection(('127.0.0.1', PORT))\nexcept BaseException:\n    pass",
        "network socket|on the network",
    ),
    "an address": (
        "import urllib.request\ntry:\n    urllib.request.urlopen('http://127.0.0.1:PORT/?patient=1')\n"
        "except Exception:\n    pass",
        "asked for an address of a host",
    ),
    "the C library": (
        "import ctypes\nctypes.CDLL(None).socket(2, 1, 0)",
        "opened a network socket",
    ),
    "a name": ("import socket\nsocket.getaddrinfo('example.org', 80)", "looked up example.org on the network"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attempt_stops_the_study_and_is_told(tmp_path: Path, server: Listening, name: str) -> None:
    source, said = ATTACKS[name]
    folder = one_notebook(
        tmp_path / "studies", [("code", source.replace("PORT", str(server.server_port))), ("code", "1 + 1")]
    )
    with pytest.raises(RunError, match=rf"failed in cell 1: .*({said}).*without network") as caught:
        run_study(open_study(folder), runs_dir=tmp_path / "runs")
    assert server.visits == 0 and "patient=1" not in str(caught.value)
    (run,) = list_runs(tmp_path / "runs")
    assert run.status == "failed" and "patient=1" not in str(run.manifest)


def test_what_studies_do_goes_on(tmp_path: Path) -> None:
    work = """
    import asyncio, multiprocessing, socket, tempfile
    import duckdb, numpy, pandas
    from joblib import Parallel, delayed
    from epi.plotting import new_figure, render
    assert Parallel(n_jobs=2)(delayed(abs)(n) for n in (-1, 2)) == [1, 2]
    one, other = socket.socketpair()
    one.send(b"x")
    assert other.recv(1) == b"x"
    assert duckdb.sql("SELECT 1").fetchall() == [(1,)]
    with tempfile.TemporaryFile() as handle:
        handle.write(b"x")
    figure = new_figure(2, 2)
    figure.add_subplot().plot([1, 2])
    assert render(figure, "png")
    """
    folder = one_notebook(tmp_path / "studies", [("code", work)])
    run = run_study(open_study(folder), runs_dir=tmp_path / "runs")
    (step,) = run.manifest["timings"]
    held = set(step["confinement"])
    assert held == set(ALL) or not {SYSTEM, WRITES_REFUSED} <= held


def test_the_words_of_an_attempt_tell_the_network_from_writing(tmp_path: Path) -> None:
    folder = one_notebook(
        tmp_path / "studies", [("code", "import socket\nsocket.getaddrinfo('outside.example.org', 80)")]
    )
    with pytest.raises(
        RunError, match=r"looked up outside\.example\.org on the network, and a study runs without network"
    ):
        run_study(open_study(folder), runs_dir=tmp_path / "runs")


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("http://example.org/a?patient=7", "example.org"),
        (b"example.org", "example.org"),
        ("patient-000220f8521ab4e1.example.org", "a host"),
        ("127.0.0.1", "a host"),
        ("a b", "a host"),
        ("", "a host"),
    ],
)
def test_a_host_is_named_and_never_a_value(given: object, host: str) -> None:
    assert _host(given) == host


OUTSIDE = {
    "a swallowed open": "try:\n    open('OUT/a.csv', 'w')\nexcept BaseException:\n    pass",
    "a file descriptor": "import os\nos.open('OUT/a.csv', os.O_CREAT | os.O_WRONLY)",
    "a path": "from pathlib import Path\nPath('OUT/a.csv').write_text('1')",
    "a copy": "import shutil\nopen('RUN/a.csv', 'w').close()\nshutil.copy('RUN/a.csv', 'OUT/a.csv')",
    "a frame": "import pandas\npandas.DataFrame({'n': [1]}).to_csv('OUT/a.csv')",
    "a move": "import os\nopen('RUN/a.csv', 'w').close()\nos.rename('RUN/a.csv', 'OUT/a.csv')",
    "a folder": "import os\nos.mkdir('OUT/new')",
    "a removal": "import os\nos.remove('OUT/there.csv')",
    "a link that leads out": "import os\nos.symlink('OUT', 'RUN/link')\nopen('RUN/link/a.csv', 'w')",
    "dots": "open('RUN/../../../out/a.csv', 'w')",
    "a sibling of the same beginning": "import os\nos.mkdir('RUN-2')",
    "the study itself": "open('01_only.ipynb', 'a')",
    "another's rights": "import os\nos.chmod('OUT/there.csv', 0o777)",
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_attempt_to_write_elsewhere_stops_the_study_and_is_told(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "there.csv").write_text("n\n", encoding="utf-8")
    source = "import os\nrun = os.environ['EPI_RUN_DIR']\n" + OUTSIDE[name].replace("OUT", str(out))
    source = source.replace("'RUN", "run + '")
    folder = one_notebook(tmp_path / "studies", [("code", "1"), ("code", source), ("code", "1 + 1")])
    before = folder.joinpath("01_only.ipynb").read_bytes()
    with pytest.raises(
        RunError, match=r"failed in cell 2: .*tried to write a file.* outside the run's folder"
    ) as caught:
        run_study(open_study(folder), runs_dir=tmp_path / "runs")
    assert "writes nowhere else" in str(caught.value)
    assert sorted(path.name for path in out.iterdir()) == ["there.csv"]
    assert sorted(path.name for path in (tmp_path / "runs" / "small").iterdir() if path.is_dir()) == [
        list_runs(tmp_path / "runs")[0].run_id
    ]
    assert folder.joinpath("01_only.ipynb").read_bytes() == before


def test_what_python_does_not_see_the_system_refuses(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    source = f"""
    import ctypes, subprocess, sys
    import duckdb, pandas, pyarrow
    libc = ctypes.CDLL(None)
    libc.open(b"{out}/a", 0o101, 0o600)
    subprocess.run(["touch", "{out}/b"], capture_output=True)
    subprocess.run([sys.executable, "-c", "open('{out}/c', 'w')"], capture_output=True)
    for attempt in (
        lambda: duckdb.sql("COPY (SELECT 1) TO '{out}/d.csv'"),
        lambda: pandas.DataFrame({{"n": [1]}}).to_parquet(pyarrow.OSFile("{out}/e.parquet", "w")),
    ):
        try:
            attempt()
        except Exception as error:
            print(type(error).__name__)
    """
    folder = one_notebook(tmp_path / "studies", [("code", source)])
    run = run_study(open_study(folder), runs_dir=tmp_path / "runs")
    if WRITES_REFUSED in run.manifest["timings"][0]["confinement"]:
        assert not list(out.iterdir())


def test_a_process_that_the_system_killed_for_the_network_is_told(tmp_path: Path) -> None:
    source = """
    import subprocess, sys
    done = subprocess.run([sys.executable, "-c", "import socket; socket.socket()"], capture_output=True)
    """
    folder = one_notebook(tmp_path / "studies", [("code", source), ("code", "1 + 1")])
    try:
        run = run_study(open_study(folder), runs_dir=tmp_path / "runs")
    except RunError as error:
        assert "a process that it started opened a network socket" in str(error)
    else:
        assert SYSTEM not in run.manifest["timings"][0]["confinement"]
