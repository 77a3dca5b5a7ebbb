"""Fill a manuscript from a run, and remember the run in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from epi.errors import DataError, ParameterError, StorageError
from epi.files import storage_faults, write_bytes
from epi.runner.export.bundle import open_bundle
from epi.runner.folder import Run
from epi.runner.manuscript.markdown import fill_markdown, read_markdown
from epi.runner.manuscript.passage import Reading
from epi.runner.manuscript.printer import Printer
from epi.runner.manuscript.record import Record
from epi.runner.manuscript.word import fill_word, read_word

WORD = ".docx"
SUFFIXES = (".md", ".markdown", WORD)
MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Filling:
    """A filled manuscript.

    Parameters
    ----------
    path : Path
        Where it lies.
    record : Record
        What it remembers.
    pictures : tuple of Path
        Figures written beside it.
    edited : int
        Texts that had been typed over by hand, and were put back.
    notes : tuple of str
        What was left as it is, and why.
    """

    path: Path
    record: Record
    pictures: tuple[Path, ...] = ()
    edited: int = 0
    notes: tuple[str, ...] = field(default=())


def fill_manuscript(
    text: str | os.PathLike[str],
    run: Run,
    out: str | os.PathLike[str],
    *,
    level: str | None = None,
    lang: str | None = None,
) -> Filling:
    """Fill the placeholders of a manuscript with what a run released.

    Parameters
    ----------
    text : path-like
        A Markdown or Word text with placeholders, or one that was filled before.
    run : Run
        A finished run.
    out : path-like
        Where to write; `text` itself, a filled manuscript, or a new file.
    level : {"public", "restricted", "internal"}, optional
        The most private values named; by default what it was filled with before, or public.
    lang : {"en", "fr"}, optional
        Language of numbers; by default what it was filled with before, or English.

    Returns
    -------
    Filling
        What was written.

    Raises
    ------
    ParameterError
        If a placeholder cannot be filled; all faults at once, and nothing is written.
    DataError
        If the text cannot be read.
    DisclosureError
        If a released file changed since the run.
    StorageError
        If `out` is a file that no filling wrote.

    Notes
    -----
    Filling a filled manuscript again updates every text; with the same run its bytes are the same.
    """
    source, final = Path(text), Path(out)
    if source.suffix.lower() != final.suffix.lower():
        raise ParameterError(
            f"{final.name} is not of the kind of {source.name}", f"a file that ends in {source.suffix}"
        )
    content = read_file(source)
    before = read_content(content, source).record
    if final.exists() and not (source.exists() and final.samefile(source)):
        _check_place(final)
    lang = lang or (before.lang if before else "en")
    level = level or (before.level if before else "public")
    printer = Printer.of(open_bundle(run, level=level, lang=lang), lang)
    written: bytes
    pictures: dict[str, bytes] = {}
    if source.suffix.lower() == WORD:
        word = fill_word(content, printer)
        written, done = word.content, (word.record, word.edited, word.left)
    else:
        text_done = fill_markdown(decode(content, source), printer, f"{final.stem}_figures")
        written, pictures = text_done.text.encode(), text_done.pictures
        done = (text_done.record, text_done.edited, text_done.left)
    record, edited, left = done
    where = "comments or deleted text" if source.suffix.lower() == WORD else "code or comments"
    notes = [f"{left} placeholder(s) in {where} were left as they are"] if left else []
    with storage_faults(final):
        for name, picture in pictures.items():
            write_bytes(final.parent / name, picture)
        write_bytes(final, written)
    return Filling(final, record, tuple(final.parent / name for name in pictures), edited, tuple(notes))


def read_content(content: bytes, path: Path) -> Reading:
    """Read a manuscript's marks and record.

    Parameters
    ----------
    content : bytes
        The file.
    path : Path
        Its name, for messages.

    Returns
    -------
    Reading
        What it holds.
    """
    return read_word(content) if path.suffix.lower() == WORD else read_markdown(decode(content, path))


def read_file(path: Path) -> bytes:
    """Read a manuscript's file.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    ParameterError
        If there is none, or it is of another kind.
    DataError
        If it is too large for a manuscript.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ParameterError(f"{path.name} is no manuscript", f"a file that ends in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise ParameterError(f"there is no file {path}", "a manuscript")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path.name} has more than {MOST_BYTES // 2**20} MB", "a manuscript")
    return path.read_bytes()


def decode(content: bytes, path: Path) -> str:
    """Read a text's bytes.

    Parameters
    ----------
    content : bytes
        The file.
    path : Path
        Its name, for messages.

    Returns
    -------
    str
        The text.

    Raises
    ------
    DataError
        If it is not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not a text in UTF-8", "a text in UTF-8", "save it as UTF-8") from error


def _check_place(final: Path) -> None:
    try:
        known = final.is_file() and read_content(read_file(final), final).record is not None
    except (DataError, ParameterError):
        known = False
    if not known:
        raise StorageError(
            f"{final} is there, and no filling wrote it", "a new file, or one filled before", "choose another --out"
        )
