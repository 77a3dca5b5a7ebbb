"""Digests of files and folders, computed once for each state of a file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from epi.files import digest_file, digest_text


def digest_of(path: Path) -> str | None:
    """Digest a file; a session that lasts sees files that are edited.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str or None
        SHA-256 in hexadecimal; None where there is no file.
    """
    try:
        stat = path.stat()
        return _digest_of(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError:
        return None


@lru_cache(maxsize=16384)
def _digest_of(path: Path, size: int, changed: int, inode: int) -> str:
    return digest_file(path)


def digest_tree(root: Path, without: tuple[str, ...] = ()) -> str:
    """Digest a folder: names and contents.

    Parameters
    ----------
    root : Path
        The folder.
    without : tuple of str, optional
        Beginnings of the paths to leave out.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    parts: list[str] = []
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and not inside.startswith(without):
            parts += [inside, digest_of(path) or ""]
    return digest_text(*parts)


def digest_names(folder: Path, without: Iterable[str] = ()) -> str | None:
    """Digest the names that a folder holds, hidden ones left out.

    Parameters
    ----------
    folder : Path
        The folder.
    without : iterable of str, optional
        Names to leave out.

    Returns
    -------
    str or None
        SHA-256 in hexadecimal; None where there is no folder.
    """
    aside = set(without)
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return None
    return digest_text(*(name for name in names if name not in aside and not name.startswith((".", "__pycache__"))))
