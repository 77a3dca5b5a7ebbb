"""How an extract is laid out: its files, names, values and formats, to ours."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from epi.errors import DataError
from epi.files import read_yaml
from epi.sources.bndmr.tables import DECLARED
from epi.sources.bndmr.values import VALUE_SETS

DateForm = Literal[
    "YYYY-MM-DD", "YYYY-DD-MM", "YYYY/MM/DD", "YYYYMMDD", "DD/MM/YYYY", "DD-MM-YYYY", "DD.MM.YYYY", "MM/DD/YYYY"
]
Encoding = Literal["utf-8", "latin-1", "cp1252", "iso-8859-15", "utf-16"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TableMapping(_Model):
    """How one table is laid out, where it differs from the whole extract."""

    file: str = Field(default="", description="File name in the folder; <table>.csv or .parquet by default")
    columns: dict[str, str] = Field(default_factory=dict, description="Their column: ours")
    values: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Our column: {their value: our enum or official code}"
    )
    separator: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: Encoding | None = None
    date: DateForm | None = None
    decimal: Literal[".", ","] | None = None


class RegistryMapping(_Model):
    """How an extract is laid out."""

    separator: str = Field(default=";", min_length=1, max_length=1)
    encoding: Encoding = "utf-8"
    date: DateForm = "YYYY-MM-DD"
    decimal: Literal[".", ","] = "."
    true: list[str] = Field(default=["true"], min_length=1)
    false: list[str] = Field(default=["false"], min_length=1)
    missing: list[str] = Field(default_factory=list, description="Words that stand for an empty cell")
    tables: dict[str, TableMapping] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> RegistryMapping:
        faults = []
        for name, table in self.tables.items():
            if name not in DECLARED:
                faults.append(f"table {name!r} is unknown{_near(name, DECLARED)}")
                continue
            ours = DECLARED[name].columns
            for column in [*table.columns.values(), *table.values]:
                if column not in ours:
                    faults.append(f"column {name}.{column} is unknown{_near(column, ours)}")
                elif column in table.values:
                    faults += _unknown_values(name, column, table.values[column])
            targets = list(table.columns.values())
            faults += [
                f"column {name}.{twice} is given twice"
                for twice in sorted({column for column in targets if targets.count(column) > 1})
            ]
            if table.file and Path(table.file).name != table.file:
                faults.append(f"file of {name} is a path: a name in the folder is expected")
        if set(self.true) & set(self.false):
            faults.append("a word stands for both true and false")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def table(self, name: str) -> TableMapping:
        """Give the whole layout of one table, defaults filled in.

        Parameters
        ----------
        name : str
            Table name.

        Returns
        -------
        TableMapping
            Nothing in it is left open but the file name.

        Examples
        --------
        >>> RegistryMapping().table("patient").date
        'YYYY-MM-DD'
        """
        own = self.tables.get(name, TableMapping())
        return own.model_copy(
            update={
                "separator": own.separator or self.separator,
                "encoding": own.encoding or self.encoding,
                "date": own.date or self.date,
                "decimal": own.decimal or self.decimal,
            }
        )


def _unknown_values(table: str, column: str, pairs: dict[str, str]) -> list[str]:
    field = DECLARED[table].field(column)
    if not field.value_set:
        return []
    known = VALUE_SETS[field.value_set].enum_of
    return [
        f"value {ours!r} of {table}.{column} is not in {field.value_set}{_near(ours, known)}"
        for ours in pairs.values()
        if ours not in known
    ]


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (near: {found[0]})" if found else ""


def read_mapping(path: str | os.PathLike[str] | None = None) -> RegistryMapping:
    """Read a mapping file.

    Parameters
    ----------
    path : path-like, optional
        A YAML file; the official layout by default.

    Returns
    -------
    RegistryMapping
        The typed layout.

    Raises
    ------
    DataError
        If the file is missing, is not YAML, or names an unknown table, column or format; all
        faults at once.

    Examples
    --------
    >>> read_mapping().separator
    ';'
    """
    if path is None:
        with resources.as_file(resources.files(__package__).joinpath("data", "mapping.yml")) as packaged:
            return read_mapping(packaged)
    source = Path(path)
    content = read_yaml(source) or {}
    if isinstance(content, dict):
        # YAML reads a bare true or false as a truth value, even as a name.
        content = {str(name).lower() if isinstance(name, bool) else name: part for name, part in content.items()}
    try:
        return RegistryMapping.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(step) for step in fault['loc']) or 'mapping'}: "
            + fault["msg"].removeprefix("Value error, ")
            for fault in error.errors()
        ]
        raise DataError(
            f"the mapping {source.name} has {len(faults)} fault(s)",
            "the fields of the official layout, docs/data-dictionary/index.md",
            "correct them; texts such as codes are written between quotes",
            faults=faults,
        ) from error
