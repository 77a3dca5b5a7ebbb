"""Batches: many runs of one study, told apart by their parameters."""

from __future__ import annotations

import importlib
from typing import Any

_FACES = {
    "Batch": "definition",
    "BatchCourse": "course",
    "Job": "definition",
    "Outcome": "course",
    "read_batch": "definition",
    "run_batch": "course",
    "write_summary": "summary",
}

__all__ = [*_FACES]


def __getattr__(name: str) -> Any:
    # Light: the command line imports this room to show its help.
    if name in _FACES:
        return getattr(importlib.import_module(f"epi.runner.batch.{_FACES[name]}"), name)
    raise AttributeError(f"epi.runner.batch has no {name!r}; it has {', '.join(__all__)}")
