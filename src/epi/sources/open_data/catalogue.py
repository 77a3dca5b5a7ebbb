"""The catalogue of known official files, and which of them a folder holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from epi.errors import DataError
from epi.geography.communes import fold
from epi.sources.open_data.content import read_bytes
from epi.sources.open_data.folder import PathLike, list_files
from epi.sources.open_data.layout import Layout, all_layouts
from epi.sources.open_data.reading import read_layout
from epi.sources.open_data.table import OpenTable

_COLUMNS = ["id", "theme", "title_en", "title_fr", "producer", "licence", "support", "vintage", "present", "files"]


def list_layouts(folder: PathLike | None = None, search: str = "") -> pd.DataFrame:
    """List known official files, and say which a folder holds.

    Parameters
    ----------
    folder : path-like, optional
        A folder of open data; the one that ``EPI_OPEN_DATA`` names by default, if any.
    search : str, optional
        Words that must all be found, in French or English; case and accents do not matter.

    Returns
    -------
    pandas.DataFrame
        id, theme, title_en, title_fr, producer, licence, support, vintage, present (files in the folder,
        joined by ``|``), files (names under which they are published), source, verified, absent, caveat.

    Examples
    --------
    >>> list_layouts("/nowhere", search="défavorisation")["id"].tolist()[:2]
    ['fdep', 'edi']
    """
    given = folder if folder is not None else os.environ.get("EPI_OPEN_DATA")
    place = Path(given) if given else None
    rows = []
    for layout in all_layouts().values():
        held = list_files(place, layout) if place is not None and place.is_dir() else []
        rows.append(
            {
                "id": layout.id,
                "theme": layout.theme,
                "title_en": layout.title_en,
                "title_fr": layout.title_fr,
                "producer": layout.producer,
                "licence": layout.licence,
                "support": layout.support,
                "vintage": _vintage(layout),
                "present": "|".join(file.name for file in held),
                "files": "|".join(dict.fromkeys(form.example for form in layout.forms)),
                "source": layout.source,
                "verified": layout.verified,
                "absent": layout.absent,
                "caveat": layout.caveat,
                "keywords": layout.keywords,
            }
        )
    table = pd.DataFrame(rows)
    hay = fold(table[["id", "title_en", "title_fr", "producer", "keywords", "files"]].agg(" ".join, axis=1))
    keep = pd.Series(True, index=table.index)
    for word in fold(pd.Series([search])).iloc[0].split():
        keep &= hay.str.contains(word, regex=False)
    return table.loc[keep, [*_COLUMNS, "source", "verified", "absent", "caveat"]].reset_index(drop=True)


def _vintage(layout: Layout) -> str:
    return "of the file" if layout.vintage.split(" ")[0] in {"name", "column", "sheet"} else layout.vintage


def recognise(path: PathLike) -> list[OpenTable]:
    """Recognise an official file: by its name, else by its columns, and read it whole.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    list of OpenTable
        What was read: one table, or one for each member of a zip.

    Raises
    ------
    DataError
        If no layout is recognised, or the one that its name announces does not read it.
    """
    file = Path(path)
    read_bytes(file)
    named = [layout for layout in all_layouts().values() if layout.form_of(file.name)]
    # A general name pattern (FDEP.csv) does not hide the fault of a precise one: the first that fails speaks.
    faults: list[DataError] = []
    tables = []
    for layout in named:
        try:
            tables.append(_read(layout, file))
        except DataError as error:
            faults.append(error)
    if tables and not faults:
        return tables
    if faults:
        raise faults[0]
    for layout in all_layouts().values():
        if not layout.verified or any(form.positional or form.member for form in layout.forms):
            continue
        try:
            return [_read(layout, file)]
        except DataError:
            continue
    raise DataError(
        f"{file.name} is not recognised",
        "one of the official files, under its published name",
        "epi data list shows their names and where they are published",
    )


def _read(layout: Layout, file: Path) -> OpenTable:
    if layout.vintage != "sheet":
        return read_layout(layout.id, file)
    from epi.sources.open_data.content import sheet_names

    sheets = [sheet for sheet in sheet_names(read_bytes(file), file.name) if any(c.isdigit() for c in sheet)]
    tables = [read_layout(layout.id, file, sheet=sheet) for sheet in sheets]
    if not tables:
        raise DataError(f"{file.name} has no sheet of a year", "the official workbook")
    return tables[-1]


def describe_layouts(lang: Literal["en", "fr"] = "en") -> str:
    """Write the table of layouts as Markdown, theme by theme.

    Parameters
    ----------
    lang : {"en", "fr"}, optional
        Language of the titles.

    Returns
    -------
    str
        Markdown tables.
    """
    words: dict[str, Any] = {}
    for layout in all_layouts().values():
        words.setdefault(layout.theme, []).append(layout)
    parts = []
    for theme, layouts in words.items():
        lines = [
            f"## {theme.replace('_', ' ').capitalize()}",
            "",
            "| layout | what, producer, licence | official file and where | support | what is missing; before use |",
            "| --- | --- | --- | --- | --- |",
        ]
        for layout in layouts:
            names = ", ".join(f"`{form.example}`" for form in layout.forms if not form.present) or "—"
            here = ", ".join(f"`{form.present}` ({form.rows:,} rows)" for form in layout.forms if form.present)
            title = layout.title_fr if lang == "fr" else layout.title_en
            said = [layout.absent and f"Missing: {layout.absent}.", layout.unlisted == "zero" and "Not listed = 0."]
            said += [layout.caveat]
            where = f"{names}; {layout.source}" + (f"; offline: {here}" if here else "")
            cells = [
                f"`{layout.id}`",
                f"{title}. {layout.producer}. {layout.licence}.",
                where,
                layout.support or "—",
                " ".join(text for text in said if text) or "—",
            ]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"
