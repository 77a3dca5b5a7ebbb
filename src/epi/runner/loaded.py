"""Which modules a notebook has loaded, as its kernel knows them."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

LOADED = "EPI_LOADED"
"""Variable that names the file to write, in the runner's private folder."""


def listen(shell: Any) -> None:
    """Write the list of modules after each cell of a kernel.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The kernel's shell.
    """
    shell.events.register("post_run_cell", lambda _: write_loaded())


def write_loaded() -> None:
    """Write the files of the modules loaded so far, where the runner asked for them."""
    place = os.environ.get(LOADED)
    if not place:
        return
    part = Path(f"{place}.part")
    part.write_text(json.dumps(loaded_files()), encoding="utf-8")
    part.replace(place)


def loaded_files() -> list[str]:
    """List the files of the modules loaded, epi's own and those outside the installed libraries.

    Returns
    -------
    list of str
        Absolute paths, sorted. Installed libraries are known by their versions instead.

    Examples
    --------
    >>> any(path.endswith("errors.py") for path in loaded_files())
    True
    """
    installed = ("stdlib", "platstdlib", "purelib", "platlib")
    libraries = tuple({f"{sysconfig.get_path(name)}{os.sep}" for name in installed})
    found = set()
    for name, module in tuple(sys.modules.items()):
        file = getattr(module, "__file__", None)
        ours = name == "epi" or name.startswith("epi.")
        if isinstance(file, str) and (ours or not file.startswith(libraries)):
            found.add(str(Path(file).resolve()))
    return sorted(found)


def read_loaded(path: Path) -> list[Path] | None:
    """Read the list that a kernel wrote.

    Parameters
    ----------
    path : Path
        The file named by ``EPI_LOADED``.

    Returns
    -------
    list of Path or None
        None when no cell ended, so that nothing is known.
    """
    try:
        return [Path(text) for text in json.loads(path.read_text(encoding="utf-8"))]
    except (FileNotFoundError, ValueError):
        return None
