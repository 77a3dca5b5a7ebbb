"""Small worlds, built once for all tests of the room."""

from __future__ import annotations

import pytest

from epi.world import World, build_world


@pytest.fixture(scope="session")
def sound_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two whole départements without faults, synthetic exposures, about 1.4 M persons."""
    out = tmp_path_factory.mktemp("sound") / "world"
    return build_world(out, territories=["42", "01"], seed=11, faults=0, open_data=False)


@pytest.fixture(scope="session")
def faulty_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Some 300,000 persons around Bourg-en-Bresse, where INSEE codes begin with a zero."""
    out = tmp_path_factory.mktemp("faulty") / "world"
    return build_world(out, persons=300_000, around="01", seed=12, open_data=False, faults=0.01)
