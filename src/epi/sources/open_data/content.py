"""From a file to a frame of texts: bytes checked, unpacked, decoded and cut into columns."""

from __future__ import annotations

import csv
import gzip
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from epi.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from epi.sources.open_data.layout import Form

_AGAIN = "download the official file again and check its size"


def read_bytes(path: Path, member: str = "") -> bytes:
    """Read a file whole, unpacked, and refuse what is not data.

    Parameters
    ----------
    path : Path
        The file; ``.gz`` and ``.zip`` are unpacked.
    member : str, optional
        Pattern of the name inside a zip.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    DataError
        If the file is not there, is empty, cut short, damaged, or is a web page.
    """
    if not path.is_file():
        raise DataError(f"{path.name} is not there", "a file", "epi data list says where the official file is")
    raw = path.read_bytes()
    if not raw:
        raise DataError(f"{path.name} is empty", "a file with data", _AGAIN)
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path.name} is cut short or damaged", "a whole gzip file", _AGAIN) from error
    elif member and raw[:2] == b"PK":
        raw = _unzip(path, raw, member)
    if re.match(rb"\s*(<!doctype html|<html)", raw[:200], re.IGNORECASE):
        raise DataError(f"{path.name} is a web page, not data", "the official file itself", _AGAIN)
    if not raw.strip():
        raise DataError(f"{path.name} is empty once unpacked", "a file with data", _AGAIN)
    return raw


def _unzip(path: Path, raw: bytes, member: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(member, Path(name).name, re.IGNORECASE)]
            if len(names) != 1:
                held = ", ".join(sorted(archive.namelist())[:8]) or "nothing"
                raise DataError(f"{path.name} has {len(names)} member(s) of the name {member}", "one", f"it has {held}")
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path.name} is cut short or damaged", "a whole zip file", _AGAIN) from error


def decode(raw: bytes, form: Form, name: str) -> str:
    """Decode a text by the layout's encoding, and notice another one.

    Parameters
    ----------
    raw : bytes
        The content.
    form : Form
        How it should be written.
    name : str
        The file's name, for messages.

    Returns
    -------
    str
        The text.

    Raises
    ------
    DataError
        If it is in another encoding.
    """
    eight_bit = form.encoding.lower().replace("-", "") in {"latin1", "windows1252", "cp1252"}
    save = f"take the file as published, or save it again as {form.encoding}"
    if eight_bit:
        accents = not raw.isascii()
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            accents = False
        if accents:
            raise DataError(f"{name} is in UTF-8", f"{form.encoding}, as published", save)
        return raw.decode(form.encoding)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not in UTF-8: it may be in Latin-1", "UTF-8", save) from error


def cut(text: str, form: Form, name: str, headings: int) -> pd.DataFrame:
    """Cut a delimited text into columns of texts.

    Parameters
    ----------
    text : str
        The text.
    form : Form
        How it is written.
    name : str
        The file's name, for messages.
    headings : int
        How many columns the layout asks for.

    Returns
    -------
    pandas.DataFrame
        Texts, empty where the field is.

    Raises
    ------
    DataError
        If lines have other numbers of fields than the heading, or the separator is another one.
    """
    import pandas as pd

    lines = text.splitlines()
    if len(lines) <= form.skip:
        raise DataError(f"{name} has {len(lines)} line(s)", f"a heading after {form.skip} line(s)", _AGAIN)
    heading = lines[form.skip]
    separator = max(form.separators, key=lambda mark: len(next(csv.reader([heading], delimiter=mark))))
    width = len(next(csv.reader([heading], delimiter=separator)))
    if width == 1 and headings > 1:
        other = next((mark for mark in (";", ",", "\t", "|") if mark not in form.separators and mark in heading), "")
        seen = f"its columns look separated by {other!r}" if other else "its heading has one column"
        raise DataError(f"{name}: {seen}", f"columns separated by {form.separators[0]!r}", "take the file as published")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                skiprows=form.skip,
                dtype=str,
                keep_default_na=False,
                index_col=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise DataError(f"{name}: lines have more fields than the heading", "a regular table", _AGAIN) from error
    return frame.iloc[form.units :].reset_index(drop=True) if form.units else frame


def read_sheets(raw: bytes, form: Form, name: str, sheets: Sequence[str]) -> pd.DataFrame:
    """Read sheets of an ``.xlsx`` workbook into texts, one after the other.

    A number stays a number, so that a code that lost its zeros is noticed.

    Parameters
    ----------
    raw : bytes
        The workbook.
    form : Form
        How it is written.
    name : str
        The file's name, for messages.
    sheets : sequence of str
        Which; the first one when empty.

    Returns
    -------
    pandas.DataFrame
        Values as they are; empty text where a cell is.

    Raises
    ------
    DataError
        If it is no workbook, or lacks a sheet.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # openpyxl warns of styles, which are not read
            book = pd.ExcelFile(io.BytesIO(raw), engine="openpyxl")
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise DataError(f"{name} is not an .xlsx workbook", "the official workbook", _AGAIN) from error
    with book:
        lacking = [sheet for sheet in sheets if sheet not in book.sheet_names]
        if lacking:
            held = ", ".join(str(sheet) for sheet in book.sheet_names)
            raise DataError(
                f"{name} lacks the sheet {' and '.join(lacking)}", "the official workbook", f"it has {held}"
            )
        parts = [
            book.parse(sheet, skiprows=form.skip, dtype=object, keep_default_na=False, na_filter=False)
            for sheet in (sheets or book.sheet_names[:1])
        ]
    frames = [part.iloc[form.units :] for part in parts]
    frame = pd.concat(frames, ignore_index=True)
    frame.columns = pd.Index([str(heading) for heading in frame.columns])
    return frame


def sheet_names(raw: bytes, name: str) -> list[str]:
    """List the sheets of a workbook.

    Parameters
    ----------
    raw : bytes
        The workbook.
    name : str
        The file's name, for messages.

    Returns
    -------
    list of str
        Names in order.

    Raises
    ------
    DataError
        If it is no workbook.
    """
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise DataError(f"{name} is not an .xlsx workbook", "the official workbook", _AGAIN) from error
    try:
        return list(book.sheetnames)
    finally:
        book.close()


def read_vector(path: Path, form: Form) -> pd.DataFrame:
    """Read a vector layer: GeoParquet, GeoJSON or shapefile.

    Parameters
    ----------
    path : Path
        The file; a shapefile needs its ``.dbf`` and ``.shx`` beside it.
    form : Form
        How it is written; the encoding is that of the attribute table.

    Returns
    -------
    geopandas.GeoDataFrame
        Attributes and geometry.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    import geopandas
    import pyarrow

    raw = read_bytes(path)
    try:
        if path.name.endswith(".parquet"):
            layer = geopandas.read_parquet(path)
            # CRS84 is WGS84 with longitude first, as everything here is.
            return layer.set_crs(4326, allow_override=True) if str(layer.crs) == "OGC:CRS84" else layer
        if path.suffix.lower() == ".shp":
            beside = [path.with_suffix(end) for end in (".dbf", ".shx")]
            lacking = [part.name for part in beside if not part.is_file()]
            if lacking:
                raise DataError(f"{', '.join(lacking)} is not beside {path.name}", "the whole shapefile", _AGAIN)
            return geopandas.read_file(path, encoding=form.encoding)
        return geopandas.read_file(io.BytesIO(raw))
    except (ValueError, OSError, RuntimeError, pyarrow.ArrowException) as error:
        raise DataError(f"{path.name} is not a layer that can be read", "the official layer", _AGAIN) from error
