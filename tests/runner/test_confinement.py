"""No network while a study runs: an attempt stops it, whatever the notebook does with the error."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from epi.errors import RunError
from epi.runner.confinement import ALL, SYSTEM, _host
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


def test_other_processes_are_confined_too_and_what_studies_do_goes_on(tmp_path: Path, server: Listening) -> None:
    source = f"""
    import subprocess, sys
    code = "import socket; socket.create_connection(('127.0.0.1', {server.server_port}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode != 0
    """
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
    folder = one_notebook(tmp_path / "studies", [("code", source), ("code", work)])
    run = run_study(open_study(folder), runs_dir=tmp_path / "runs")
    assert server.visits == 0
    (step,) = run.manifest["timings"]
    assert tuple(step["confinement"]) == ALL or SYSTEM not in step["confinement"]


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
