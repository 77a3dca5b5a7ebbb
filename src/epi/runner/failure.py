"""A failed cell in words: which notebook, which cell, which cause, and never a value.

The message of an exception of epi is written to be read: it counts, it names columns. Any other
message may quote the data (a ``KeyError`` quotes its key), so only the exception's type and the
line of code are told; the message stays in the executed notebook, in the private run folder.

The analyst reads the whole of epi's message. What a manifest keeps, and a site then shows, is its
sentence alone: the faults under it may be an attrition, step by step, and a number of 1 to 10
in it may count persons.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from epi.errors import RunError
from epi.runner.scan import find_identifier_shapes

if TYPE_CHECKING:
    from epi.runner.kernel import CellFailure

# Whole numbers of 1 to 10 by themselves: not part of a name, a date, a version or a larger number.
_FEW = re.compile(r"(?<![\w.,\-])(?:10|[1-9])(?![\w\-]|[.,]\d)")
HIDDEN = "[c]"


def cause_in_words(failure: CellFailure) -> str:
    """Say to the analyst why a cell failed.

    Parameters
    ----------
    failure : CellFailure
        Where and how it stopped.

    Returns
    -------
    str
        The cause, on one line or, for several faults, on several.
    """
    if failure.told:
        return f"{failure.kind}: {failure.message}"
    return cause_in_public(failure)


def cause_in_public(failure: CellFailure) -> str:
    """Say why a cell failed, without any value and any small count.

    Parameters
    ----------
    failure : CellFailure
        Where and how it stopped.

    Returns
    -------
    str
        The cause, on one line.
    """
    if failure.died:
        return f"the kernel {failure.died}"
    if failure.told:
        sentence = publishable(failure.told)
        return f"{failure.kind}: {sentence}" if sentence else failure.kind
    if failure.kind == "SystemExit":
        return "it left by exit() before the notebook's end"
    line = failure.line if failure.line and not find_identifier_shapes(failure.line) else ""
    return f"{failure.kind} at: {line}" if line else failure.kind


def publishable(sentence: str) -> str:
    """Hide the small numbers of a sentence.

    Parameters
    ----------
    sentence : str
        What epi says of a failure.

    Returns
    -------
    str
        The sentence with numbers of 1 to 10 hidden; empty when it holds what is shaped like an
        identifier.

    Examples
    --------
    >>> publishable("the last 7 patient(s) of 1,007 were lost at step 'aged 18'")
    "the last [c] patient(s) of 1,007 were lost at step 'aged 18'"
    """
    return "" if find_identifier_shapes(sentence) else _FEW.sub(HIDDEN, sentence)


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
        do=failure.remedy
        or f"open {executed} (private: it may show patients' rows), correct the study, run the same command again",
    )
