"""The SDM-MR tables as pandera schemas: the data dictionary in a form that validates.

``TABLES`` holds the schema of each tidy table, ``RAW_TABLES`` that of each raw one (all text).
Both are made from the declarations of :mod:`epi.sources.bndmr.tables`; a column's metadata
carry what the dictionary prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandera.pandas as pa

from epi.sources.bndmr.checks import raw_checks
from epi.sources.bndmr.fields import Field, Table
from epi.sources.bndmr.tables import (
    DECLARED,
    PATIENT_TABLES,
    foreign_keys,
    keys,
    raw_columns,
    tidy_columns,
    tidy_types,
)
from epi.sources.bndmr.values import VALUE_SETS

__all__ = [
    "DECLARED",
    "PATIENT_TABLES",
    "RAW_TABLES",
    "TABLES",
    "VALUE_SETS",
    "column_info",
    "foreign_keys",
    "keys",
    "raw_columns",
    "tidy_columns",
    "tidy_types",
]

PRECISIONS = ("day", "month", "year")
_DTYPE: dict[str, Any] = {
    "id": "string",
    "text": "string",
    "enum": "string",
    "enums": "string",
    "int": "Int64",
    "float": "float64",
    "bool": "boolean",
    "date": "datetime64[ns]",
}


def column_info(table: str, column: str) -> dict[str, Any]:
    """Say what the dictionary knows of a column.

    Parameters
    ----------
    table : str
        Table name.
    column : str
        Tidy column name.

    Returns
    -------
    dict
        Keys ``meaning``, ``french``, ``need``, ``kind``, ``value_set``, ``pattern``, ``rule``, ``source``,
        ``partial``, ``foreign``, ``free_text``, ``derived``.

    Examples
    --------
    >>> column_info("care", "site_code")["foreign"]
    'site.site_code'
    """
    declared = DECLARED[table]
    blank: dict[str, Any] = {
        "french": "", "value_set": "", "pattern": "", "rule": "", "partial": False, "foreign": "", "free_text": False,
    }  # fmt: skip
    if column in declared.columns:
        field = declared.field(column)
        target = next((f"{key.table}.{key.target}" for key in declared.foreign if key.column == column), "")
        return {
            "meaning": field.meaning,
            "french": field.french,
            "need": field.need,
            "kind": field.kind,
            "value_set": field.value_set,
            "pattern": field.pattern,
            "rule": field.rule,
            "source": field.source,
            "partial": field.partial,
            "foreign": target,
            "free_text": field.free_text,
            "derived": False,
        }
    for added in declared.derived:
        if added.name == column:
            return blank | {
                "meaning": added.meaning, "need": "", "kind": added.kind, "source": "", "derived": True,
            }  # fmt: skip
    base = column.removesuffix("_precision")
    return blank | {
        "meaning": f"Precision of {base}: {', '.join(PRECISIONS)}",
        "need": "",
        "kind": "enum",
        "source": "",
        "derived": True,
    }


def _tidy_checks(declared: Table, column: str) -> list[pa.Check]:
    if column.endswith("_precision") and column not in declared.columns:
        return [pa.Check.isin(PRECISIONS)]
    if column not in declared.columns:
        return []
    field = declared.field(column)
    checks = []
    if field.kind == "enum":
        checks.append(pa.Check.isin(VALUE_SETS[field.value_set].enums))
    if field.kind == "enums":
        choice = "|".join(VALUE_SETS[field.value_set].enums)
        checks.append(pa.Check.str_matches(rf"^(?:{choice})(?:\|(?:{choice}))*$"))
    if field.pattern:
        checks.append(pa.Check.str_matches(rf"^(?:{field.pattern})$"))
    if field.low is not None:
        checks.append(pa.Check.ge(field.low))
    if field.high is not None:
        checks.append(pa.Check.le(field.high))
    return checks


def _tidy_schema(declared: Table) -> pa.DataFrameSchema:
    columns = {}
    for name, kind in declared.tidy:
        info = column_info(declared.name, name)
        columns[name] = pa.Column(
            _DTYPE[kind],
            checks=_tidy_checks(declared, name),
            nullable=info["need"] != "R",
            title=name,
            description=info["meaning"],
            metadata=info,
        )
    return pa.DataFrameSchema(
        columns,
        name=declared.name,
        title=declared.meaning,
        unique=list(declared.key) or tidy_columns(declared.name),
        coerce=True,
        strict=True,
        ordered=True,
        metadata={"french": declared.french, "key": list(declared.key), "required": declared.required},
    )


def _raw_column(declared: Table, field: Field) -> pa.Column:
    return pa.Column(
        "string",
        checks=raw_checks(field),
        nullable=field.need != "R" or bool(field.default),
        title=field.name,
        description=field.meaning,
        metadata=column_info(declared.name, field.name),
    )


def _raw_schema(declared: Table) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {field.name: _raw_column(declared, field) for field in declared.fields},
        name=f"raw {declared.name}",
        title=declared.meaning,
        strict=True,
    )


TABLES: Mapping[str, pa.DataFrameSchema] = {name: _tidy_schema(table) for name, table in DECLARED.items()}
"""Schema of each tidy table, parents before children."""

RAW_TABLES: Mapping[str, pa.DataFrameSchema] = {name: _raw_schema(table) for name, table in DECLARED.items()}
"""Schema of each raw table in the official layout: texts, with the form that each must have."""
