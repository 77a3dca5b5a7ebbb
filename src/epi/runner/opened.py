"""Which files a step opened: what the system itself saw, not what the step declares.

Linux tells of every opening inside watched folders (inotify), whichever library opens. Where the
system cannot tell, everything counts as opened: a step is then run again too often, never too seldom.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

_OPEN, _OVERFLOW, _IS_FOLDER = 0x20, 0x4000, 0x40000000
_EVENT = struct.Struct("iIII")
_CLOSE_ON_EXEC = os.O_CLOEXEC if hasattr(os, "O_CLOEXEC") else 0


class Opened:
    """Hear of every file opened and every folder listed, inside some folders, for a while.

    Parameters
    ----------
    folders : iterable of Path
        The folders, with all that they hold. A folder inside another is watched once.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> _ = (place / "a.csv").write_text("n"), (place / "b.csv").write_text("n")
    >>> with Opened([place]) as opened:
    ...     text = (place / "a.csv").read_text()
    >>> [path.name for path in opened.files()] if not opened.everything else ["a.csv"]
    ['a.csv']
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._roots = tuple(dict.fromkeys(folder.resolve() for folder in folders))
        self.everything = False
        self._places: dict[int, list[Path]] = {}
        self._seen: set[Path] = set()
        self._listed: set[Path] = set()
        self._links: set[Path] = set()
        self._handle = -1
        self._thread: threading.Thread | None = None
        self._stop = (-1, -1)

    def __enter__(self) -> Opened:
        libc = _system()
        self._handle = libc.inotify_init1(os.O_NONBLOCK | _CLOSE_ON_EXEC) if libc else -1
        if libc is None or self._handle < 0:
            self.everything = True
            return self
        # Walked through before any watch is set: one's own listing would be seen as well.
        for folder, files in [pair for root in self._roots for pair in _walk(root)]:
            watch = libc.inotify_add_watch(self._handle, os.fsencode(folder), _OPEN)
            if watch < 0:
                self.everything = True
            else:
                self._places.setdefault(watch, []).append(folder)
            # The openings of a link are seen where it points, which may be anywhere.
            self._links |= {folder / name for name in files if (folder / name).is_symlink()}
        self._stop = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="opened-files", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            os.write(self._stop[1], b".")
            self._thread.join()
            for handle in self._stop:
                os.close(handle)
        if self._handle >= 0:
            os.close(self._handle)

    def files(self) -> tuple[Path, ...]:
        """Give the files opened, and every link to a file; all files where the system could not tell.

        Returns
        -------
        tuple of Path
            Absolute paths under the folders watched, sorted.
        """
        if self.everything:
            walked = (pair for root in self._roots for pair in _walk(root))
            return tuple(sorted(folder / name for folder, names in walked for name in names))
        return tuple(sorted(path for path in self._seen | self._links if path.is_file()))

    def folders(self) -> tuple[Path, ...]:
        """Give the folders whose names were listed; all folders where the system could not tell.

        Returns
        -------
        tuple of Path
            Absolute paths, sorted.
        """
        if self.everything:
            return tuple(sorted(folder for root in self._roots for folder, _ in _walk(root)))
        return tuple(sorted(self._listed))

    def _listen(self) -> None:
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        waiting.register(self._stop[0], select.POLLIN)
        ending = False
        while not ending:
            ending = any(handle == self._stop[0] for handle, _ in waiting.poll())
            self._drain()  # once more after the end was asked for: nothing seen is left in the queue

    def _drain(self) -> None:
        while True:
            try:
                content = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return
            offset = 0
            while offset < len(content):
                watch, mask, _, length = _EVENT.unpack_from(content, offset)
                start = offset + _EVENT.size
                name = os.fsdecode(content[start : start + length].rstrip(b"\0"))
                offset = start + length
                self._note(watch, mask, name)

    def _note(self, watch: int, mask: int, name: str) -> None:
        if mask & _OVERFLOW:
            self.everything = True
        for folder in self._places.get(watch, ()):
            if mask & _IS_FOLDER:
                self._listed.add(folder / name if name else folder)
            elif name:
                self._seen.add(folder / name)


def _system() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    return libc if hasattr(libc, "inotify_init1") else None


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Walk through a folder, links to folders included, each folder once."""
    been: set[tuple[int, int]] = set()
    for place, inner, files in os.walk(root, followlinks=True):
        stat = Path(place).stat()
        if (stat.st_dev, stat.st_ino) in been:
            inner.clear()
            continue
        been.add((stat.st_dev, stat.st_ino))
        inner[:] = sorted(name for name in inner if name != "__pycache__")
        yield Path(place), sorted(files)
