"""Readers of territories: codes, contours, zonings, postal codes, density."""

from __future__ import annotations

from epi.sources.open_data.folder import PathLike
from epi.sources.open_data.reading import read_layout
from epi.sources.open_data.table import OpenTable


def read_communes(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read communes and municipal arrondissements of 2026.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``communes``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("communes", path, vintage=vintage)


def read_cog_communes(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read INSEE's official list of communes of a year.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``cog_communes``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("cog_communes", path, vintage=vintage)


def read_movements(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the events of communes since 1943.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``commune_movements``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("commune_movements", path, vintage=vintage)


def read_commune_history(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read historical codes with a code of today, a convenience only.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``commune_history``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("commune_history", path, vintage=vintage)


def read_contours_communes(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read contours of communes (a GeoDataFrame, degrees).

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``commune_contours``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("commune_contours", path, vintage=vintage)


def read_contours_departements(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read contours of départements, for display.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``departement_contours``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("departement_contours", path, vintage=vintage)


def read_contours_regions(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read contours of regions, for display.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``region_contours``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("region_contours", path, vintage=vintage)


def read_zonings(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the zonings that each commune lies in.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``zonings``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("zonings", path, vintage=vintage)


def read_iris(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the list of IRIS.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``iris``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("iris", path, vintage=vintage)


def read_postal_codes(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read pairs of communes and postal codes.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``postal_codes``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("postal_codes", path, vintage=vintage)


def read_density_grid(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the density grid of 7 levels.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``density_grid``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("density_grid", path, vintage=vintage)


def read_insee_files(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the index of INSEE's official files.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``insee_files``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("insee_files", path, vintage=vintage)
