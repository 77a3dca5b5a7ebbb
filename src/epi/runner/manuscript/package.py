"""A Word file from anywhere, looked at before anything reads it: bombs, entities, macros, links."""

from __future__ import annotations

import io
import re
import zipfile

from epi.errors import DataError

MOST_MEMBERS = 2000
MOST_UNPACKED = 256 * 2**20
_RATIO = 200
_SMALL = 8 * 2**20
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")


def check_package(content: bytes) -> None:
    """Refuse a Word file that could do anything but be read.

    Parameters
    ----------
    content : bytes
        A ``.docx``.

    Raises
    ------
    DataError
        If it is no Word file, unpacks to more than 256 MB or 200 times its size, holds macros, entities, or
        parts that are fetched from elsewhere.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_size(archive.infolist())
            for member in archive.infolist():
                _check_member(member.filename, archive.read(member))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise DataError("the file is no sound Word document", "a .docx", "open it in Word and save it again") from error


def _check_size(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    total, packed = sum(member.file_size for member in members), sum(member.compress_size for member in members)
    if len(names) > MOST_MEMBERS or total > MOST_UNPACKED or (total > _SMALL and total > _RATIO * max(packed, 1)):
        raise DataError(f"the Word file unpacks to {total:,} bytes in {len(names)} parts", "a manuscript")
    if len({name.lower() for name in names}) < len(names):
        raise DataError("the Word file holds two parts of one name", "a .docx", "open it in Word and save it again")
    if any(name.startswith("/") or "\\" in name or ".." in name.split("/") for name in names):
        raise DataError("the Word file holds a part that lies outside it", "a .docx")
    if "word/document.xml" not in names and "[Content_Types].xml" not in names:
        raise DataError("the file is an archive, not a Word document", "a .docx")


def _check_member(name: str, content: bytes) -> None:
    lower = name.lower()
    if "vba" in lower or "activex" in lower or (lower == "[content_types].xml" and b"macroEnabled" in content):
        raise DataError("the Word file holds macros", "a .docx without any", "save it as .docx in Word")
    if not lower.endswith((".xml", ".rels")):
        return
    # Without its zero bytes a text in UTF-16 shows the same words.
    plain = content.replace(b"\0", b"")
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise DataError(f"{name} of the Word file declares entities", "a .docx as Word writes it")
    if lower.endswith(".rels"):
        for relation in _RELATION.findall(plain):
            linked = b"/hyperlink" in relation or (b"/attachedTemplate" in relation and b'="file:///' in relation)
            if b"External" in relation and not linked:
                raise DataError(
                    "the Word file fetches a part from elsewhere (a linked picture, object or template)",
                    "everything inside it",
                    "in Word: File, Information, Edit links to files, Break link",
                )
