"""Readers of socio-economic files: income, census, deprivation."""

from __future__ import annotations

from epi.sources.open_data.folder import PathLike
from epi.sources.open_data.reading import read_layout
from epi.sources.open_data.table import OpenTable


def read_filosofi(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read disposable income and poverty by commune.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``filosofi_communes``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("filosofi_communes", path, vintage=vintage)


def read_filosofi_iris(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read declared income by IRIS.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``filosofi_iris_declared``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("filosofi_iris_declared", path, vintage=vintage)


def read_census_csp(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read socio-professional category by activity, census 2011.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``census_csp``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("census_csp", path, vintage=vintage)


def read_fdep(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the FDep index of 2009, 2013, 2015 or 2020.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``fdep``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("fdep", path, vintage=vintage)


def read_edi(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the European Deprivation Index by IRIS.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``edi``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("edi", path, vintage=vintage)


def read_diplomas(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read diplomas by commune, an input of FDep.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``census_diplomas``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("census_diplomas", path, vintage=vintage)


def read_employment(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read employment by commune, an input of FDep.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``census_employment``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("census_employment", path, vintage=vintage)


def read_melodi_diplomas(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read diplomas in the long Melodi layout.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``melodi_diplomas``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("melodi_diplomas", path, vintage=vintage)


def read_melodi_employment(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read employment in the long Melodi layout.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``melodi_employment``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("melodi_employment", path, vintage=vintage)


def read_bassins_de_vie(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read environment and social indicators of bassins de vie.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``bassin_de_vie_environment``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("bassin_de_vie_environment", path, vintage=vintage)


def read_arrondissements(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read environment and social indicators of arrondissements.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``arrondissement_environment``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("arrondissement_environment", path, vintage=vintage)
