"""One declaration for each column: the reader, the schemas and the dictionary are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "int", "float", "bool", "date", "enum", "enums"]
Need = Literal["R", "C", "O"]

INSEE = r"[0-9]{5}|2[AB][0-9]{3}"
FINESS = r"[0-9][0-9AB][0-9]{7}"

SQL_TYPE: dict[str, str] = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "int": "INTEGER",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "enum": "VARCHAR",
    "enums": "VARCHAR",
}


@dataclass(frozen=True)
class Field:
    """A column of a raw table.

    Parameters
    ----------
    name : str
        The SDM-MR field name.
    kind : str
        ``id`` and ``text`` are texts, ``enum`` one value of a set, ``enums`` several joined
        by ``|``.
    need : {"R", "C", "O"}
        Required, conditional, optional.
    meaning : str
        What it says, in English.
    french : str, optional
        The term French users know.
    value_set : str, optional
        Value set of an ``enum`` or ``enums``.
    pattern : str, optional
        Regular expression that the whole text must match.
    low, high : float, optional
        Inclusive bounds of a number.
    partial : bool, optional
        A date that may be a year or a month only.
    when : str, optional
        SQL condition on the tidy row under which a conditional field is expected.
    default : str, optional
        Value of the specification when the cell is empty.
    rule : str, optional
        The rule of the specification, in words.
    source : str, optional
        Source tags of the specification: A, B, C, G, J.
    free_text : bool, optional
        Written by hand: may identify a person, never leaves the workbench.
    """

    name: str
    kind: Kind
    need: Need
    meaning: str
    french: str = ""
    value_set: str = ""
    pattern: str = ""
    low: float | None = None
    high: float | None = None
    partial: bool = False
    when: str = ""
    default: str = ""
    rule: str = ""
    source: str = "A"
    free_text: bool = False


@dataclass(frozen=True)
class Derived:
    """A column that the reader adds to the tidy table.

    Parameters
    ----------
    name : str
        Column name.
    kind : str
        As in :class:`Field`.
    meaning : str
        What it says and how it is computed.
    sql : str
        Expression over the tidy columns of the same row.
    after : str
        The column it stands behind.
    """

    name: str
    kind: Kind
    meaning: str
    sql: str
    after: str


@dataclass(frozen=True)
class ForeignKey:
    """A reference from a column to the key of another table.

    Parameters
    ----------
    column : str
        Column that refers.
    table : str
        Table referred to.
    target : str
        Its key column.
    """

    column: str
    table: str
    target: str


@dataclass(frozen=True)
class Table:
    """A table of the registry.

    Parameters
    ----------
    name : str
        Its name, singular.
    meaning : str
        What one row is.
    french : str
        Its French name.
    fields : tuple of Field
        Raw columns in order.
    key : tuple of str
        Columns that identify a row; empty when only the whole row does.
    foreign : tuple of ForeignKey, optional
        References to other tables.
    derived : tuple of Derived, optional
        Columns added in the tidy table.
    required : bool, optional
        Whether a registry without this table is refused.
    """

    name: str
    meaning: str
    french: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()
    foreign: tuple[ForeignKey, ...] = ()
    derived: tuple[Derived, ...] = ()
    required: bool = False

    def field(self, name: str) -> Field:
        """Find a raw column.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Field
            Its declaration.
        """
        return next(field for field in self.fields if field.name == name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Give the raw column names in order."""
        return tuple(field.name for field in self.fields)

    @property
    def tidy(self) -> tuple[tuple[str, Kind], ...]:
        """Give the tidy columns with their kind, in order: raw, precision, derived."""
        out: list[tuple[str, Kind]] = []
        for field in self.fields:
            out.append((field.name, field.kind))
            if field.partial:
                out.append((f"{field.name}_precision", "enum"))
            out.extend((added.name, added.kind) for added in self.derived if added.after == field.name)
        return tuple(out)
