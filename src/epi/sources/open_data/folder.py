"""Where open files are: a folder that the user names, looked through by file name."""

from __future__ import annotations

import os
from pathlib import Path

from epi.errors import DataError, ParameterError
from epi.sources.open_data.layout import Layout

PathLike = str | os.PathLike[str]


def find_open_data(folder: PathLike | None = None) -> Path:
    """Find the folder of open data.

    Parameters
    ----------
    folder : path-like, optional
        Where it is; the environment variable ``EPI_OPEN_DATA`` by default.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    DataError
        If nothing says where it is, or it is not a folder.
    """
    given = folder if folder is not None else os.environ.get("EPI_OPEN_DATA")
    if not given:
        raise DataError(
            "nothing says where open data are",
            "a folder",
            "set EPI_OPEN_DATA, or name it: --folder in a terminal, folder= in Python",
        )
    path = Path(given)
    if not path.is_dir():
        raise DataError(f"{path.name} is not a folder", "the folder of open data", "check EPI_OPEN_DATA")
    return path


def list_files(folder: Path, layout: Layout) -> list[Path]:
    """List the files of a folder that bear a layout's names.

    Parameters
    ----------
    folder : Path
        The folder; its sub-folder ``external_checks`` is looked through too.
    layout : Layout
        The declaration.

    Returns
    -------
    list of Path
        Files, sorted by name.
    """
    places = [folder, folder / "external_checks"]
    held = (path for place in places if place.is_dir() for path in place.iterdir() if path.is_file())
    return sorted(path for path in held if layout.form_of(path.name))


def find_file(layout: Layout, path: PathLike | None, vintage: str | None = None) -> Path:
    """Find the file of a layout.

    Parameters
    ----------
    layout : Layout
        The declaration.
    path : path-like or None
        The file itself, or a folder that holds it; None for the folder of open data.
    vintage : str, optional
        Year wanted, when a folder holds several.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If the layout is not verified, the file is not there, or several are and none is chosen.
    """
    if not layout.verified:
        raise DataError(
            f"{layout.title_en}: {layout.caveat}", "a file whose layout is known", f"see {layout.source}; epi data list"
        )
    if path is not None and not Path(path).is_dir():
        return Path(path)
    folder = find_open_data(path)
    found = list_files(folder, layout)
    if vintage is not None:
        found = [file for file in found if _year(layout, file) in {str(vintage), ""}]
    if not found:
        wanted = f" of {vintage}" if vintage is not None else ""
        raise DataError(
            f"no file{wanted} of {layout.id!r} is in the folder of open data",
            f"a file such as {layout.forms[0].example}",
            f"it is published at {layout.source}; once downloaded: epi data add FILE",
        )
    if len(found) > 1:
        raise ParameterError(
            f"{len(found)} files of {layout.id!r} are in the folder of open data",
            "one",
            "give its path, or vintage=",
            faults=[file.name for file in found],
        )
    return found[0]


def _year(layout: Layout, file: Path) -> str:
    form = layout.form_of(file.name)
    return form.year(file.name) if form else ""
