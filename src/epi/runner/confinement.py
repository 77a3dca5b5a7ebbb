"""No network while a study runs: two layers, put on by the kernel itself before it runs a cell.

The system refuses: a seccomp filter, which nothing in the process or its children can take off,
kills whatever asks for an internet socket. Python tells: an audit hook sees the attempt first,
writes what it was, and stops the kernel, so that a notebook cannot swallow it. Sockets between
processes of this machine (``AF_UNIX``), which the kernel itself talks through, stay.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Any, NoReturn

VIOLATION = "EPI_VIOLATION"
"""Variable that names the file in which a forbidden attempt is told."""
LAYERS = "EPI_LAYERS"
"""Variable that names the file in which the layers put on are told."""

SYSTEM = "network refused by the system"
TOLD = "network attempts told"
ALL = (SYSTEM, TOLD)

_UNIX = 1
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # refuse with EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # architecture and number of socket()
_IO_URING_SETUP = 425  # whose requests would pass by the filter
_OTHER_INTERFACE = 0x40000000  # calls of another numbering on the same machine
_KILLED = {2, 10, 17}  # internet, its sixth version, raw packets


def confine() -> tuple[str, ...]:
    """Put on every layer that this system has; they stay on until the process ends.

    Returns
    -------
    tuple of str
        The layers in force.
    """
    layers = [SYSTEM] if _refuse_network() else []
    sys.addaudithook(_hear)
    layers.append(TOLD)
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


def _hear(event: str, given: tuple[Any, ...]) -> None:
    if event == "socket.__new__" and given[1] != _UNIX:
        _stop("it opened a network socket")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}:
        _stop(f"it looked up {_host(given[0])} on the network")
    elif event == "urllib.Request":
        _stop(f"it asked for an address of {_host(given[0])}")


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
