"""A failed cell in words: which notebook, which cell, which cause, and never a value.

The message of an exception of epi is written to be read: it counts, it names columns. Any other
message may quote the data (a ``KeyError`` quotes its key), so only the exception's type and the
line of code are told; the message stays in the executed notebook, in the private run folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import epi.errors
from epi.errors import EpiError, RunError

if TYPE_CHECKING:
    from epi.runner.kernel import CellFailure

_OURS = {
    name
    for name, thing in vars(epi.errors).items()
    if isinstance(thing, type) and issubclass(thing, EpiError) and thing is not EpiError
}


def cause_in_words(failure: CellFailure) -> str:
    """Say why a cell failed, without any value.

    Parameters
    ----------
    failure : CellFailure
        Where and how it stopped.

    Returns
    -------
    str
        The cause, on one line or, for several faults, on several.
    """
    if failure.died:
        return f"the kernel {failure.died}"
    if failure.kind in _OURS:
        return f"{failure.kind}: {failure.message}"
    if failure.kind == "SystemExit":
        return "it left by exit() before the notebook's end"
    where = f" at: {failure.line}" if failure.line else ""
    return f"{failure.kind}{where}"


def run_error(notebook: str, failure: CellFailure, executed: Path) -> RunError:
    """Make the error that a failed study raises.

    Parameters
    ----------
    notebook : str
        File name of the notebook.
    failure : CellFailure
        Where and how it stopped.
    executed : Path
        Where the executed notebook lies.

    Returns
    -------
    RunError
        Names the notebook, the cell and the cause.
    """
    return RunError(
        f"{notebook} failed in cell {failure.cell}: {cause_in_words(failure)}",
        do=f"open {executed} (private: it may show patients' rows), correct the study, run the same command again",
    )
