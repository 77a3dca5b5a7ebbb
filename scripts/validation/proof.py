"""What a proof is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

Row = tuple[str, str, bool]
"""What was tried, what was found, whether it holds."""


@dataclass(frozen=True)
class Setting:
    """What every proof may use.

    Parameters
    ----------
    replicates : int
        Redrawings of the outcome, at least 400 for a claim.
    folder : Path
        Empty folder for what a proof builds.
    persons : int
        Size of the synthetic France.
    """

    replicates: int
    folder: Path
    persons: int = 10_000_000

    @cached_property
    def world(self) -> Path:
        """The synthetic France with its truth, built when a proof first asks for it."""
        from epi.world import build_world

        return build_world(self.folder / "world", persons=self.persons, seed=1).path

    @cached_property
    def workspace(self) -> Path:
        """The workspace read from it."""
        from epi.workspace import build_workspace

        build_workspace(self.world, self.folder / "workspace")
        return self.folder / "workspace"


Proof = tuple[str, Callable[[Setting], Iterator[Row]]]
"""A title on the page, and the function that yields its rows."""
