"""What a kernel says of the exception that stopped it: its class as an object, not as a name.

A class is known by its module, which a name cannot tell: ``DataError`` is pandas' as well as
ours. The kernel loads this module as an extension of IPython; it writes nothing but what an
exception of :mod:`epi.errors`, raised by the code of epi itself, was written to tell.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from epi.errors import EpiError
from epi.runner.loaded import listen

WITNESS = "EPI_WITNESS"
"""Variable that names the file to write, in the runner's private folder."""


def load_ipython_extension(shell: Any) -> None:
    """Listen to the end of each cell.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The kernel's shell.
    """
    shell.events.register("post_run_cell", _after_cell)
    listen(shell)


def tell(error: BaseException | None) -> dict[str, str] | None:
    """Give the sentence of an exception of epi, without the faults listed under it.

    Parameters
    ----------
    error : BaseException or None
        What stopped a cell.

    Returns
    -------
    dict or None
        ``kind`` and ``sentence``; None for an exception that is not ours, or that a notebook or
        a study's module raised with words of its own.

    Examples
    --------
    >>> tell(KeyError("a value"))
    """
    if not isinstance(error, EpiError) or type(error).__module__ != "epi.errors":
        return None
    if not _raising_module(error.__traceback__).startswith("epi."):
        return None
    sentence = EpiError(error.arrived, error.expected, error.do).sentence
    return {"kind": type(error).__name__, "sentence": sentence}


def _raising_module(trace: TracebackType | None) -> str:
    name = ""
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return name


def _after_cell(result: Any) -> None:
    told = tell(result.error_in_exec)
    place = os.environ.get(WITNESS)
    if told is not None and place:
        Path(place).write_text(json.dumps(told), encoding="utf-8")
