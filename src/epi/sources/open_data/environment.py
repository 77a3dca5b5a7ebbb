"""Readers of the environment: air, radon, sites, land cover."""

from __future__ import annotations

from epi.sources.open_data.folder import PathLike
from epi.sources.open_data.reading import read_layout
from epi.sources.open_data.table import OpenTable


def read_air_communes(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read INERIS air indicators by commune of a year.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``air_communes``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("air_communes", path, vintage=vintage)


def read_air_stations(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read measurements of air stations.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``air_stations``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("air_stations", path, vintage=vintage)


def read_radon(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the radon potential of communes.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``radon``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("radon", path, vintage=vintage)


def read_icpe(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read classified installations and Seveso sites.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``icpe``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("icpe", path, vintage=vintage)


def read_irep_located(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read establishments of the pollutant register, geocoded by a third party.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``irep_located``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("irep_located", path, vintage=vintage)


def read_irep_establishments(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read establishments of the pollutant register, as published.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``irep_establishments``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("irep_establishments", path, vintage=vintage)


def read_irep_emissions(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read emissions of the pollutant register.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``irep_emissions``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("irep_emissions", path, vintage=vintage)


def read_basol(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read polluted sites, one row a site.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``basol``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("basol", path, vintage=vintage)


def read_land_cover(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read tree cover and impervious surfaces by commune.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``land_cover``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("land_cover", path, vintage=vintage)


def read_pesticides_communes(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read pesticide purchases that a compiler shared equally among communes.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``pesticides_communes``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("pesticides_communes", path, vintage=vintage)


def read_pesticides_postal(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read pesticide purchases by postal code of the buyer.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``pesticides_postal``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("pesticides_postal", path, vintage=vintage)


def read_water_networks(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read which water networks serve which communes.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``water_networks``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("water_networks", path, vintage=vintage)


def read_water_samples(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read samples of tap water.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``water_samples``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("water_samples", path, vintage=vintage)
