"""The engine: one official file in, one checked :class:`OpenTable` out, by its declaration."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from epi.errors import DataError, ParameterError
from epi.sources.open_data import content
from epi.sources.open_data.folder import PathLike, find_file
from epi.sources.open_data.layout import Column, Form, Layout, layout_of
from epi.sources.open_data.records import RECORDS, TIDY
from epi.sources.open_data.table import OpenTable
from epi.sources.open_data.values import build_column

if TYPE_CHECKING:
    import pandas as pd


def read_layout(
    name: str, path: PathLike | None = None, *, vintage: str | None = None, sheet: str | None = None
) -> OpenTable:
    """Read a file by the id of its layout.

    Parameters
    ----------
    name : str
        Id of the layout; see ``epi data list``.
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year, where a folder holds several; of a given file it is checked.
    sheet : str, optional
        Sheet of a workbook that has one for each year.

    Returns
    -------
    OpenTable
        The table and what is known of it.

    Raises
    ------
    DataError
        If the file is not there, is not what the layout says, or is of another vintage; all faults at once.
    ParameterError
        If the layout is unknown, or several files match.

    Examples
    --------
    >>> read_layout("former_sites")
    Traceback (most recent call last):
    ...
    epi.errors.DataError: Former industrial sites: ... Its layout has not been verified, ...
    """
    layout = layout_of(name)
    file = find_file(layout, path, vintage)
    form = layout.form_of(file.name) or _same_kind(layout, file)
    raw = content.read_bytes(file, form.member)
    notes: list[str] = []
    sheet_year = ""
    if layout.vintage == "sheet":
        form, sheet_year, note = _choose_sheet(raw, form, file.name, sheet, vintage)
        notes.append(note)
    frame = _frame(layout, form, file, raw)
    headings = _headings(layout, form, frame, file.name)
    year = _vintage(layout, form, file.name, headings, frame) if layout.vintage != "sheet" else sheet_year
    if vintage is not None and year != str(vintage):
        stated = f"is of {year}" if year else "does not state its year"
        raise DataError(f"{file.name} {stated}", f"the vintage {vintage}", "give the file of that year")
    whole = len(frame)
    frame, columns = _typed(layout, frame, headings, file.name)
    if len(frame) < whole:
        kept = "; ".join(f"{name} = {' or '.join(values)}" for name, values in layout.where.items())
        notes.append(f"{whole - len(frame)} of {whole} row(s) are set aside: kept are {kept}.")
    if layout.id in TIDY:
        frame, more = TIDY[layout.id](frame)
        notes += more
    _check_key(layout, frame, file.name)
    geography = year[:4] if layout.geography == "vintage" else layout.geography
    return OpenTable(
        table=frame.reset_index(drop=True),
        layout=layout,
        columns=columns,
        vintage=year or "not stated",
        geography=geography,
        file=file.name,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        notes=tuple(note for note in notes if note),
    )


def _same_kind(layout: Layout, file: Path) -> Form:
    """Choose a form for a file that was given under a name of its own: the first of the same kind."""
    suffix = file.suffix.lower()
    readers = {".xlsx": "sheet", ".shp": "vector", ".parquet": "vector", ".geojson": "vector"}
    for form in layout.forms:
        packed = form.example.lower().endswith(".gz") == (suffix == ".gz")
        if form.reader == readers.get(suffix, "text") and packed:
            return form
    for form in layout.forms:
        if form.reader == readers.get(suffix, "text"):
            return form
    raise DataError(
        f"{file.name} is not a file of {layout.id!r}", f"a file such as {layout.forms[0].example}", "epi data list"
    )


def _choose_sheet(raw: bytes, form: Form, name: str, sheet: str | None, vintage: str | None) -> tuple[Form, str, str]:
    sheets = content.sheet_names(raw, name)
    years = {held: found[0] for held in sheets if (found := re.findall(r"(?:19|20)\d{2}", held))}
    wanted = sheet or next((held for held, year in years.items() if year == vintage), None)
    if wanted is None and vintage is None and len(years) == 1:
        wanted = next(iter(years))
    if wanted is None or wanted not in sheets:
        raise ParameterError(
            f"{name} has {len(sheets)} sheets", "the one of a year", "give vintage= or sheet=", faults=sheets
        )
    return replace(form, sheets=(wanted,)), years.get(wanted, vintage or ""), f"Sheet {wanted!r} of {len(sheets)}."


def _frame(layout: Layout, form: Form, file: Path, raw: bytes) -> pd.DataFrame:
    if form.reader == "vector":
        return content.read_vector(file, form)
    if form.reader == "sheet":
        return content.read_sheets(raw, form, file.name, form.sheets)
    text = content.decode(raw, form, file.name)
    if layout.id in RECORDS:
        return RECORDS[layout.id](text, file.name)
    return content.cut(text, form, file.name, len(layout.columns))


def _headings(layout: Layout, form: Form, frame: pd.DataFrame, name: str) -> dict[str, str]:
    """Find the heading of each column; all that lack are told at once."""
    given = [str(heading) for heading in frame.columns]
    if form.positional:
        if len(given) != len(layout.columns):
            raise DataError(
                f"{name} has {len(given)} column(s)", f"{len(layout.columns)} in the documented order", "epi data list"
            )
        return {column.name: heading for column, heading in zip(layout.columns, given, strict=True)}
    found: dict[str, str] = {}
    faults = []
    for column in layout.columns:
        matching = [heading for heading in given if column.matches(heading)]
        exact = [heading for heading in matching if heading == column.name]
        if len(matching) > 1 and not exact:
            faults.append(f"{column.name}: {len(matching)} columns match: {', '.join(matching)}")
        elif matching:
            found[column.name] = (exact or matching)[0]
        elif not column.optional:
            known = f" ({', '.join(column.official)})" if column.official else ""
            faults.append(f"{column.name}{known} is not there")
    if faults:
        hint = _hint(form)
        raise DataError(
            f"{name} lacks {len(faults)} column(s) of {layout.id!r}",
            "the documented layout",
            hint,
            faults=faults,
        )
    return found


def _hint(form: Form) -> str:
    after = f"the heading is looked for after {form.skip} line(s); " if form.skip else ""
    return f"{after}take the file as published"


def _vintage(layout: Layout, form: Form, name: str, headings: dict[str, str], frame: pd.DataFrame) -> str:
    word, _, column = layout.vintage.partition(" ")
    named = form.year(name)
    if word == "name":
        return named
    if word != "column":
        return layout.vintage
    if column == "year":
        years = sorted({str(value) for value in frame[headings[column]].unique()} - {""})
        return years[0] if len(years) == 1 else "-".join([years[0], years[-1]]) if years else ""
    digits = re.search(r"(\d{2})$", headings[column])
    stated = f"20{digits.group(1)}" if digits else ""
    if named and stated and named != stated:
        raise DataError(
            f"{name} is named after {named}, its column {headings[column]} is of {stated}",
            "one vintage",
            "give the file its own year's name",
        )
    return stated or named


def _typed(
    layout: Layout, frame: pd.DataFrame, headings: dict[str, str], name: str
) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    import pandas as pd

    for condition, kept in layout.where.items():
        frame = frame[frame[headings[condition]].isin(kept)]
    if not len(frame):
        raise DataError(f"{name} has no row of data", "at least one row", "download the official file again")
    columns = [column for column in layout.columns if column.name in headings]
    if layout.rest:
        pattern, kind = layout.rest
        used = set(headings.values())
        for heading in (str(heading) for heading in frame.columns):
            plain = heading.strip()
            if heading not in used and re.fullmatch(pattern, plain, re.IGNORECASE):
                columns.append(Column(plain.lower(), kind))
                headings[plain.lower()] = heading
    values, faults = {}, []
    for column in columns:
        values[column.name], wrong = build_column(frame[headings[column.name]], column, layout.missing, layout.decimal)
        faults += wrong
    if faults:
        raise DataError(
            f"{name} has values that {layout.id!r} does not allow",
            "the documented layout",
            "take the file as published; a spreadsheet that opened it may have changed it",
            faults=faults,
        )
    built = pd.DataFrame(values, index=frame.index)
    if "geometry" in built.columns:
        import geopandas

        built = geopandas.GeoDataFrame(built, geometry="geometry", crs=frame.crs)
    return built, tuple(columns)


def _check_key(layout: Layout, frame: pd.DataFrame, name: str) -> None:
    key = [column for column in layout.key if column in frame.columns]
    faults = []
    if layout.area and layout.support == "commune":
        lost = int(frame[layout.area].isna().sum())
        faults += [f"{lost} row(s) have no {layout.area}"] if lost else []
    twice = int(frame.duplicated(key).sum()) if key else 0
    faults += [f"{twice} row(s) have the {', '.join(key)} of another row"] if twice else []
    if faults:
        raise DataError(f"{name} cannot be used as it is", "one row for each key", faults=faults)
