"""All tables of the registry, parents before children."""

from __future__ import annotations

from collections.abc import Mapping

from epi.sources.bndmr import pathway, people
from epi.sources.bndmr.fields import SQL_TYPE, Table

DECLARED: Mapping[str, Table] = {
    table.name: table
    for table in (
        pathway.FSMR,
        pathway.HOSPITAL,
        pathway.SITE,
        people.PATIENT,
        people.OPPOSITION,
        people.PREGNANCY,
        people.FETUS,
        pathway.CARE,
        pathway.ACTIVITY,
        pathway.ACTIVITY_OBJECTIVE,
        pathway.DIAGNOSIS,
        pathway.DIAGNOSIS_DESCRIPTION,
        pathway.DIAGNOSIS_GENE,
        pathway.DIAGNOSIS_TECHNIQUE,
        pathway.DIAGNOSIS_INVESTIGATION,
        people.ANTENATAL,
        people.RESEARCH,
        people.TREATMENT,
        people.FUNCTIONAL_SCORE,
        people.COMPLEMENTARY_RECORD,
    )
}
"""Declarations by table name, in an order where a parent always comes before its children."""


def raw_columns(table: str) -> list[str]:
    """List the columns of a raw table, in the order of its file.

    Parameters
    ----------
    table : str
        Table name.

    Returns
    -------
    list of str
        SDM-MR field names.

    Examples
    --------
    >>> raw_columns("activity_objective")
    ['activity_id', 'objective']
    """
    return list(DECLARED[table].columns)


def tidy_columns(table: str) -> list[str]:
    """List the columns of a tidy table, in order.

    Parameters
    ----------
    table : str
        Table name.

    Returns
    -------
    list of str
        Raw columns, each partial date followed by its precision, and the derived columns.

    Examples
    --------
    >>> tidy_columns("functional_score")
    ['patient_id', 'item', 'score', 'date', 'date_precision']
    """
    return [name for name, _ in DECLARED[table].tidy]


def tidy_types(table: str) -> dict[str, str]:
    """Give the DuckDB type of each tidy column.

    Parameters
    ----------
    table : str
        Table name.

    Returns
    -------
    dict
        Column to type, in order.

    Examples
    --------
    >>> tidy_types("functional_score")["score"]
    'DOUBLE'
    """
    return {name: SQL_TYPE[kind] for name, kind in DECLARED[table].tidy}


def keys(table: str) -> list[str]:
    """List the columns that identify a row of a table.

    Parameters
    ----------
    table : str
        Table name.

    Returns
    -------
    list of str
        Empty when only the whole row does.

    Examples
    --------
    >>> keys("activity_objective"), keys("opposition")
    (['activity_id', 'objective'], [])
    """
    return list(DECLARED[table].key)


def foreign_keys(table: str) -> dict[str, str]:
    """Give the parent table of each column that refers to one.

    Parameters
    ----------
    table : str
        Table name.

    Returns
    -------
    dict
        Column to parent table; the parent's key has the same name.

    Examples
    --------
    >>> foreign_keys("care")
    {'patient_id': 'patient', 'site_code': 'site'}
    """
    return {key.column: key.table for key in DECLARED[table].foreign}


def _reaches_patient(table: str) -> bool:
    return table == "patient" or any(_reaches_patient(key.table) for key in DECLARED[table].foreign)


PATIENT_TABLES: tuple[str, ...] = tuple(name for name in DECLARED if _reaches_patient(name))
"""Tables whose rows belong to a patient, directly or through a parent."""
