"""No network and no writing elsewhere while a study runs: layers that the kernel puts on before it runs a cell.

The system refuses, and nothing in the process or its children can take that off: a seccomp filter
kills whatever asks for an internet socket, Landlock lets nothing be written, made, moved or removed
outside the run's folder and the step's scratch folder. Python tells: an audit hook sees the attempt
first, writes what it was, and stops the kernel, so that a notebook cannot swallow it. Sockets between
processes of this machine (``AF_UNIX``), which the kernel itself talks through, stay, as does memory
that processes share (``/dev/shm``).
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

VIOLATION = "EPI_VIOLATION"
"""Variable that names the file in which a forbidden attempt is told."""
LAYERS = "EPI_LAYERS"
"""Variable that names the file in which the layers put on are told."""

WRITABLE = "EPI_WRITABLE"
"""Variable that lists the folders a kernel may write in, one on each line."""

SYSTEM = "network refused by the system"
TOLD = "network attempts told"
WRITES_REFUSED = "writing elsewhere refused by the system"
WRITES_TOLD = "attempts to write elsewhere told"
ALL = (SYSTEM, WRITES_REFUSED, TOLD, WRITES_TOLD)

WRITING = "it tried to write"
"""How the words of an attempt to write elsewhere begin."""

_UNIX = 1
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # refuse with EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # architecture and number of socket()
_IO_URING_SETUP = 425  # whose requests would pass by the filter
_OTHER_INTERFACE = 0x40000000  # calls of another numbering on the same machine
_KILLED = {2, 10, 17}  # internet, its sixth version, raw packets

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same numbers on every machine
_ASK_VERSION, _BENEATH = 1, 1
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
# Writing, removing and making of every kind; moving between folders came with version 2, cutting short with 3.
_CHANGES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108  # locks of processes that work together live there

_writable: tuple[str, ...] = ()


def confine() -> tuple[str, ...]:
    """Put on every layer that this system has; they stay on until the process ends.

    Returns
    -------
    tuple of str
        The layers in force.
    """
    global _writable
    layers = [SYSTEM] if _refuse_network() else []
    folders = [os.path.realpath(line) for line in os.environ.get(WRITABLE, "").splitlines() if line]
    if folders and _refuse_writing(folders):
        layers.append(WRITES_REFUSED)
    _writable = tuple(folders)
    _tell_of_children()
    sys.addaudithook(_hear)
    layers += [TOLD, WRITES_TOLD] if folders else [TOLD]
    place = os.environ.get(LAYERS)
    if place:
        Path(place).write_text(json.dumps(layers), encoding="utf-8")
    return tuple(layers)


def read_layers(path: Path) -> tuple[str, ...]:
    """Read which layers a kernel put on.

    Parameters
    ----------
    path : Path
        The file named by ``EPI_LAYERS``.

    Returns
    -------
    tuple of str
        None of them where nothing was told.
    """
    try:
        return tuple(str(layer) for layer in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ()


def layers_of(manifest: Mapping[str, Any]) -> set[str] | None:
    """Say which layers every step of a run had.

    Parameters
    ----------
    manifest : mapping
        The run's manifest.

    Returns
    -------
    set of str or None
        None where a step does not say, as in runs of before.
    """
    steps = manifest.get("timings") or []
    if not steps or any("confinement" not in step for step in steps):
        return None
    return set.intersection(*(set(step["confinement"]) for step in steps))


def read_violation(path: Path) -> str:
    """Read what a kernel attempted that a study may not do.

    Parameters
    ----------
    path : Path
        The file named by ``EPI_VIOLATION``.

    Returns
    -------
    str
        A few words; empty when it attempted nothing.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _refuse_network() -> bool:
    machine = _MACHINES.get(platform.machine())
    if not sys.platform.startswith("linux") or machine is None or sys.maxsize < 2**32:
        return False
    program = b"".join(struct.pack("HBBI", *step) for step in _filter(*machine))
    content = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(content))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.create_string_buffer(header), 0, 0) == 0)


def _filter(architecture: int, socket: int) -> list[tuple[int, int, int, int]]:
    """Write the filter: code, steps to skip if true, steps to skip if false, constant."""
    families = sorted(_KILLED)
    steps = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, 0),  # the call
        (_AT_LEAST, 0, 1, _OTHER_INTERFACE),
        (_RETURN, 0, 0, _REFUSE),
        (_EQUAL, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, _REFUSE),
        (_EQUAL, 1, 0, socket),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, 16),  # its first argument, the family
        (_EQUAL, 0, 1, _UNIX),
        (_RETURN, 0, 0, _ALLOW),
    ]
    for family in families:
        steps += [(_EQUAL, 0, 1, family), (_RETURN, 0, 0, _KILL)]
    return [*steps, (_RETURN, 0, 0, _REFUSE)]


def _refuse_writing(folders: Sequence[str]) -> bool:
    """Let nothing be written outside these folders; False where the system has no such thing."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _ASK_VERSION)
    # Version 1 forbids all moves between folders, also within the run, and lets files be cut short.
    if version < 3:
        return False
    handled = _CHANGES | _REFER | _TRUNCATE
    attributes = struct.pack("Q", handled)
    rules = libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    try:
        for place in (*folders, _SHARED_MEMORY, *_DEVICES):
            if not os.path.exists(place):
                continue
            handle = os.open(place, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
            allowed = handled if os.path.isdir(place) else _WRITE_FILE | _TRUNCATE
            rule = struct.pack("=Qi", allowed, handle)
            refused = libc.syscall(_LANDLOCK_ADD, rules, _BENEATH, rule, 0)
            os.close(handle)
            if refused:
                return False
        if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_LANDLOCK_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _tell_of_children() -> None:
    """Tell of a process that the system killed for opening a network socket, when its parent hears of its end."""
    import subprocess

    handle = subprocess.Popen._handle_exitstatus  # type: ignore[attr-defined]

    def told(self: Any, status: int, *given: Any, **words: Any) -> None:
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS:
            _stop("a process that it started opened a network socket")
        handle(self, status, *given, **words)

    if hasattr(signal, "SIGSYS"):
        subprocess.Popen._handle_exitstatus = told  # type: ignore[attr-defined]


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Which arguments of an event are paths, and which is the folder they are relative to.
_CHANGING: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.utime": ((0, 3),),
    "os.setxattr": ((0, None),),
}


def _hear(event: str, given: tuple[Any, ...]) -> None:
    if event == "open":
        if _writable and isinstance(given[2], int) and given[2] & _WRITING:
            _hold_inside(given[0], None, event)
    elif event in _CHANGING:
        if _writable:
            for path, folder in _CHANGING[event]:
                _hold_inside(given[path], None if folder is None else given[folder], event)
    elif event == "socket.__new__" and given[1] != _UNIX:
        _stop("it opened a network socket")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}:
        _stop(f"it looked up {_host(given[0])} on the network")
    elif event == "urllib.Request":
        _stop(f"it asked for an address of {_host(given[0])}")


_OF_THE_NAME = {"os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink"}


def _hold_inside(path: object, folder: object, event: str) -> None:
    """Stop the kernel where a path that is about to change lies outside the folders it may write in."""
    if not isinstance(path, str | bytes | os.PathLike):
        return  # an open file, which was looked at when it was opened
    text = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not os.path.isabs(text):
        text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
    if event == "os.mkdir" and os.path.isdir(text):
        return  # libraries make folders that are there already: nothing changes
    if event in _OF_THE_NAME:
        # The name itself is made, moved or removed, whatever it points at.
        before, name = os.path.split(text.rstrip(os.sep))
        real = os.path.join(os.path.realpath(before or os.curdir), name)
    else:
        real = os.path.realpath(text)  # what a link points at is what changes
    if real in _DEVICES or any(
        real == place or real.startswith(place + os.sep) for place in (*_writable, _SHARED_MEMORY)
    ):
        return
    kind = os.path.splitext(real)[1]
    what = f"a file ({kind})" if 1 < len(kind) <= 8 and kind[1:].isalpha() else "a file"
    _stop(f"{WRITING} {what} outside the run's folder")


def _host(given: object) -> str:
    """Name a host and nothing more: the rest of an address may carry values."""
    from urllib.parse import urlsplit

    text = given.decode("ascii", "replace") if isinstance(given, bytes) else str(given)
    host = (urlsplit(text).hostname or "") if "://" in text else text
    plain = len(host) <= 80 and all(char.isalnum() or char in ".-" for char in host)
    return host if host and plain and not any(char.isdigit() for char in host) else "a host"


def _stop(attempt: str) -> NoReturn:
    place = os.environ.get(VIOLATION)
    if place:
        Path(place).write_text(attempt, encoding="utf-8")
    os._exit(1)
