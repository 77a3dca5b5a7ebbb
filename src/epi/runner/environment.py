"""What surrounds a kernel: its variables, its memory, and libraries kept quiet and light."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_QUIET = ("papermill", "nbclient", "traitlets", "asyncio")


def kernel_environment(**words: str | None) -> dict[str, str]:
    """Make a kernel's environment: this process's, then what the run says.

    Parameters
    ----------
    **words : str or None
        Variables to set; None takes a variable away.

    Returns
    -------
    dict of str to str
        The whole environment.
    """
    threads = str(int(os.environ.get("EPI_THREADS", "2")))
    fixed = {
        "EPI_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "agg",
    }
    environment = {**os.environ, **fixed}
    for name, value in words.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return environment


def scratch_variables(place: Path) -> dict[str, str]:
    """Send what libraries write beside their work into a step's scratch folder.

    Parameters
    ----------
    place : Path
        The folder.

    Returns
    -------
    dict of str to str
        Variables of the kernel's environment.
    """
    temporary, figures = place / "tmp", place / "matplotlib"
    for folder in (temporary, figures):
        folder.mkdir(mode=0o700)
    # Matplotlib looks through all fonts of the machine unless it finds the list it once made.
    for known in _font_lists():
        shutil.copyfile(known, figures / known.name)
    return {
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP", "JOBLIB_TEMP_FOLDER"), str(temporary)),
        **dict.fromkeys(("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "JUPYTER_RUNTIME_DIR"), str(place / "cache")),
        "MPLCONFIGDIR": str(figures),
        "IPYTHONDIR": str(place / "ipython"),
    }


@cache
def _font_lists() -> tuple[Path, ...]:
    """Find matplotlib's list of fonts; have it made once where there is none."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    places = [Path(given)] if (given := os.environ.get("MPLCONFIGDIR")) else [home, Path.home() / ".matplotlib"]

    def look() -> tuple[Path, ...]:
        return tuple(path for place in places for path in sorted(place.glob("fontlist-*.json")))

    if not look():
        # Not in this process: a run's own process has no need of matplotlib.
        subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], check=False, capture_output=True)
    return look()


def peak_memory(pid: int) -> int:
    """Read the peak memory of a process.

    Parameters
    ----------
    pid : int
        Its number.

    Returns
    -------
    int
        Bytes; where the system keeps no peak, what it uses now; 0 when it is gone.
    """
    import psutil

    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


@contextmanager
def without_address_grammar() -> Iterator[None]:
    """Import what reads notebooks without the grammar of internationalised web addresses.

    jsonschema compiles it whenever it is installed, which takes over a second, to check a format
    that no notebook has; it does without when the grammar cannot be imported.

    Yields
    ------
    None
        Control, while it holds.
    """
    grammar = "rfc3987_syntax"
    if grammar in sys.modules or "jsonschema" in sys.modules:
        yield
        return
    sys.modules[grammar] = None  # type: ignore[assignment]  # Python's own way to say "not there"
    try:
        yield
    finally:
        del sys.modules[grammar]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep these libraries from logging: their messages may quote outputs.

    Yields
    ------
    None
        Control, while it holds.
    """
    levels = {name: logging.getLogger(name).level for name in _QUIET}
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
