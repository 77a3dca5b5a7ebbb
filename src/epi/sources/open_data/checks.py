"""Readers of published counts that estimators must find again; never used for enrichment."""

from __future__ import annotations

from epi.sources.open_data.folder import PathLike
from epi.sources.open_data.reading import read_layout
from epi.sources.open_data.table import OpenTable


def read_t1d_counts(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read persons hospitalised with type 1 diabetes; withheld counts are not there.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``t1d_arrondissements``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("t1d_arrondissements", path, vintage=vintage)


def read_mortality_departements(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read standardised mortality by département.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``mortality_departements``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("mortality_departements", path, vintage=vintage)


def read_nc_sids(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read sudden infant deaths in North Carolina.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``nc_sids``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("nc_sids", path, vintage=vintage)


def read_nc_sids_neighbours(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read neighbours of the counties of North Carolina.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``nc_sids_neighbours``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("nc_sids_neighbours", path, vintage=vintage)


def read_ny8_leukemia(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read leukaemia in upstate New York.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``ny8_leukemia``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("ny8_leukemia", path, vintage=vintage)


def read_ny8_neighbours(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read neighbours of the tracts of New York, not those of published figures.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``ny8_leukemia_neighbours``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("ny8_leukemia_neighbours", path, vintage=vintage)


def read_scotland_lip_cancer(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read lip cancer in Scotland.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``scotland_lip_cancer``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("scotland_lip_cancer", path, vintage=vintage)


def read_chorley_points(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read larynx and lung cancers of Chorley.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``chorley_points``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("chorley_points", path, vintage=vintage)


def read_chorley_incinerator(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the incinerator of Chorley.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``chorley_incinerator``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("chorley_incinerator", path, vintage=vintage)


def read_pennlc_cases(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read lung cancer in Pennsylvania.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``pennlc_cases``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("pennlc_cases", path, vintage=vintage)


def read_pennlc_counties(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read counties of Pennsylvania and smoking.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``pennlc_counties``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("pennlc_counties", path, vintage=vintage)
