"""What a proof is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    world, workspace : Path
        The synthetic France with its truth, and the workspace read from it.
    """

    replicates: int
    folder: Path
    world: Path
    workspace: Path


Proof = tuple[str, Callable[[Setting], Iterator[Row]]]
"""A title on the page, and the function that yields its rows."""
