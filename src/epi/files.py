"""Files are written whole or not at all: to a temporary name, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.errors import DataError, StorageError

if TYPE_CHECKING:
    import pandas as pd

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def storage_faults(path: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into a :class:`~epi.errors.StorageError`.

    Parameters
    ----------
    path : Path
        What is being written, named in the message.

    Yields
    ------
    None
        Control, while writes are watched.

    Raises
    ------
    StorageError
        If the disk is full or the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"the disk is full: {path.name} could not be written",
                "room for the file",
                f"free space under {path.parent}, then run the command again (nothing half-written is left)",
            ) from error
        if error.errno in {errno.EACCES, errno.EROFS, errno.EPERM}:
            raise StorageError(
                f"{path.name} could not be written in {path.parent}",
                "a folder you may write to",
                "choose another output folder",
            ) from error
        raise


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it into place if the block succeeds.

    Parameters
    ----------
    path : path-like
        The final name. Its folder is created when missing.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    StorageError
        If the disk is full or the place cannot be written; the temporary file is removed.
    """
    final = Path(path)
    with storage_faults(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".{final.name}.{os.getpid()}.part")
        try:
            yield temporary
            temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 text atomically.

    Parameters
    ----------
    path : path-like
        Where to write.
    text : str
        What to write, newlines as they are.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        handle.write(text)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes atomically.

    Parameters
    ----------
    path : path-like
        Where to write.
    content : bytes
        What to write.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def dump_json(value: Any) -> str:
    r"""Write a value as canonical JSON: keys in order, no NaN, a final newline.

    Parameters
    ----------
    value : object
        Dictionaries, lists, strings, numbers, booleans and None.

    Returns
    -------
    str
        The text, the same for equal values.

    Examples
    --------
    >>> dump_json({"b": 1, "a": "é"}) == '{\n  "a": "é",\n  "b": 1\n}\n'
    True
    """
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n"


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write canonical JSON atomically.

    Parameters
    ----------
    path : path-like
        Where to write.
    value : object
        What to write; see :func:`dump_json`.
    """
    write_text(path, dump_json(value))


def write_parquet(path: str | os.PathLike[str], frame: pd.DataFrame) -> None:
    """Write a frame as Parquet atomically, without its index, same bytes for same rows.

    Parameters
    ----------
    path : path-like
        Where to write.
    frame : pandas.DataFrame
        What to write.
    """
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read YAML by the safe loader.

    Parameters
    ----------
    path : path-like
        A YAML file in UTF-8.

    Returns
    -------
    object
        Plain dictionaries, lists and scalars.

    Raises
    ------
    DataError
        If the file is missing or is not YAML; the line is named.
    """
    import yaml

    source = Path(path)
    try:
        return yaml.safe_load(source.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{source} does not exist", "a YAML file", "check the path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{source.name} is not UTF-8", "a UTF-8 text file", "save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise DataError(
            f"{source.name} is not valid YAML{where}", "plain YAML", "check indentation and quotes"
        ) from error


def digest_text(*parts: str) -> str:
    """Digest several texts into one hexadecimal SHA-256, boundaries included.

    Parameters
    ----------
    *parts : str
        The texts, in order.

    Returns
    -------
    str
        64 hexadecimal characters.

    Examples
    --------
    >>> digest_text("ab", "c") == digest_text("a", "bc")
    False
    """
    state = hashlib.sha256()
    for part in parts:
        content = part.encode()
        state.update(len(content).to_bytes(8, "big"))
        state.update(content)
    return state.hexdigest()


def digest_file(path: str | os.PathLike[str]) -> str:
    """Digest a file's bytes.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    str
        Its SHA-256 in hexadecimal.
    """
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
