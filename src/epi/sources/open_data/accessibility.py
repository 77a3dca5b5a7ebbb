"""The reader of accessibility to care (APL), whose workbook has one sheet for each year."""

from __future__ import annotations

from epi.sources.open_data.folder import PathLike
from epi.sources.open_data.reading import read_layout
from epi.sources.open_data.table import OpenTable


def read_apl(path: PathLike | None = None, *, vintage: str | None = None, sheet: str | None = None) -> OpenTable:
    """Read the local potential accessibility (APL) to a profession.

    Parameters
    ----------
    path : path-like, optional
        The workbook of one profession, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted: the sheet whose name holds it.
    sheet : str, optional
        Name of the sheet, where no name holds a year.

    Returns
    -------
    OpenTable
        The layout ``apl``.

    Raises
    ------
    DataError
        If the workbook is not there or is not what its layout says.
    ParameterError
        If nothing says which of several sheets is wanted.
    """
    return read_layout("apl", path, vintage=vintage, sheet=sheet)
