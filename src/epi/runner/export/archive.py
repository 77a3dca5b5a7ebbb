"""Office files are ZIP archives: written so that their bytes depend on what they hold alone."""

from __future__ import annotations

import io
import zipfile

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FIRST = "[Content_Types].xml"


def settle_archive(content: bytes) -> bytes:
    """Write an archive again, members in order, without date, machine or user.

    Parameters
    ----------
    content : bytes
        A ZIP archive, such as an ``.xlsx`` or a ``.docx``.

    Returns
    -------
    bytes
        The same members: the content types first, as readers expect, then by name; all of the
        first day that ZIP knows.
    """
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as before,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as after,
    ):
        for name in sorted(before.namelist(), key=lambda name: (name != _FIRST, name)):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3
            member.external_attr = 0o644 << 16
            after.writestr(member, before.read(name))
    return out.getvalue()


CORE_PROPERTIES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:dcmitype="http://purl.org/dc/dcmitype/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>'
)
"""Core properties that name nobody and no day."""


def replace_member(content: bytes, name: str, text: str) -> bytes:
    """Replace one member of an archive.

    Parameters
    ----------
    content : bytes
        A ZIP archive.
    name : str
        The member; added when missing.
    text : str
        What it shall hold.

    Returns
    -------
    bytes
        The archive with the member replaced, settled.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(out, "w") as after:
        for member in before.namelist():
            if member != name:
                after.writestr(member, before.read(member))
        after.writestr(name, text)
    return settle_archive(out.getvalue())
