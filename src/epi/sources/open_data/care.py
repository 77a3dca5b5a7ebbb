"""Readers of health care, demography and published results to find again."""

from __future__ import annotations

from epi.sources.open_data.folder import PathLike
from epi.sources.open_data.reading import read_layout
from epi.sources.open_data.table import OpenTable


def read_bpe_health(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read health equipments by commune; a commune that is not listed has none.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``bpe_health``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("bpe_health", path, vintage=vintage)


def read_finess(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read health and social establishments of France.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``finess``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("finess", path, vintage=vintage)


def read_finess_excerpt(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read hospitals of Occitanie only.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``finess_excerpt``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("finess_excerpt", path, vintage=vintage)


def read_life_tables(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read three-year life tables, labelled by their last year.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``life_tables``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("life_tables", path, vintage=vintage)


def read_population_age_sex(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read the population of France by age and sex.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``population_age_sex``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("population_age_sex", path, vintage=vintage)


def read_births_deaths(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read births and deaths of France.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``births_deaths``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("births_deaths", path, vintage=vintage)


def read_births_communes(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read births by commune.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``births_communes``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("births_communes", path, vintage=vintage)


def read_population_communes(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read population by age and sex of communes.

    Parameters
    ----------
    path : path-like, optional
        The file, or a folder that holds it; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted, where there are several.

    Returns
    -------
    OpenTable
        The layout ``population_age_sex_communes``.

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    return read_layout("population_age_sex_communes", path, vintage=vintage)
