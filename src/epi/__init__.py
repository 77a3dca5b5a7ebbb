"""A research workbench for rare-disease epidemiology.

``import epi`` is light: pandas, DuckDB and the rest load when a verb is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Each name a notebook may use, and the room that holds it.
_FACES = {
    "open_workspace": "epi.facade",
    "keep": "epi.frames",
    "kept": "epi.frames",
    "output": "epi.disclosure",
    "record": "epi.disclosure",
    "record_estimates": "epi.disclosure",
}
_ROOMS = (
    "association",
    "codes",
    "cohort",
    "disclosure",
    "errors",
    "exposure",
    "files",
    "geography",
    "plotting",
    "protocol",
    "results",
    "runner",
    "sources",
    "stats",
    "survival",
    "workspace",
)

__all__ = ["__version__", *_FACES, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _FACES:
        return getattr(importlib.import_module(_FACES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"epi.{name}")
    raise AttributeError(f"epi has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
