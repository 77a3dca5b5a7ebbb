"""One synthetic France for the whole test session, shared by all workers."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, so that a red test is a change of the code; EPI_RANDOM_EXAMPLES=1 draws new ones.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("random", derandomize=False, deadline=None)
settings.load_profile("random" if os.environ.get("EPI_RANDOM_EXAMPLES") == "1" else "fixed")

PERSONS = int(os.environ.get("EPI_TEST_PERSONS", "10000000"))


def open_data() -> Path | None:
    """Give the folder of open French data, when there is one."""
    stated = os.environ.get("EPI_OPEN_DATA")
    beside = Path(__file__).parents[2] / "shared" / "data"
    place = Path(stated) if stated else beside
    return place if (place / "manifest.csv").is_file() else None


@pytest.fixture(scope="session")
def france(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Build a world and its workspace once; the folder holds ``world`` and ``workspace``."""
    from epi.workspace import build_workspace
    from epi.world import build_world

    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "france"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "workspace" / "workspace.json").is_file():
            build_world(shared / "world", persons=PERSONS, seed=7)
            build_workspace(shared / "world", shared / "workspace")
    return shared


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """Name the worker, also when tests run in one process."""
    worker = getattr(request.config, "workerinput", None)
    return str(worker["workerid"]) if worker else "master"
