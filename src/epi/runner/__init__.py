"""The runner: a study, its parameters and a workspace become a run folder and a reviewers' site.

Nothing here computes statistics. The runner checks what is asked before any kernel starts, lets
papermill execute the notebooks, and writes down what determined the result.
"""

from __future__ import annotations

import importlib
from typing import Any

_FACES = {
    "Run": "epi.runner.folder",
    "Study": "epi.runner.study",
    "build_site": "epi.runner.site",
    "find_studies": "epi.runner.study",
    "list_runs": "epi.runner.folder",
    "list_studies": "epi.runner.study",
    "open_run": "epi.runner.folder",
    "open_study": "epi.runner.study",
    "run_study": "epi.runner.run",
}

__all__ = [*_FACES]


def __getattr__(name: str) -> Any:
    if name in _FACES:
        return getattr(importlib.import_module(_FACES[name]), name)
    raise AttributeError(f"epi.runner has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
