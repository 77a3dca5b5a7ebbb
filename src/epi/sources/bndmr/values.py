"""The value sets of the SDM-MR: official codes, the enums we use for them, labels."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Value:
    """One value of a set.

    Parameters
    ----------
    enum : str
        The English value of the tidy tables.
    code : str
        The official code of the raw tables; the enum itself where there is none.
    label_fr, label_en : str
        What people read.
    """

    enum: str
    code: str
    label_fr: str
    label_en: str


@dataclass(frozen=True)
class ValueSet:
    """A closed list of values.

    Parameters
    ----------
    name : str
        Its official name, or ours where no official set was published.
    oid : str
        Its object identifier, empty for a set of ours.
    values : tuple of Value
        In the official order.
    """

    name: str
    oid: str
    values: tuple[Value, ...]

    @property
    def enums(self) -> tuple[str, ...]:
        """Give the enums in the official order."""
        return tuple(value.enum for value in self.values)

    @property
    def codes(self) -> tuple[str, ...]:
        """Give the official codes in the official order."""
        return tuple(value.code for value in self.values)

    @property
    def code_of(self) -> Mapping[str, str]:
        """Give the official code of each enum."""
        return {value.enum: value.code for value in self.values}

    @property
    def enum_of(self) -> Mapping[str, str]:
        """Give the enum of each official code; an enum stands for itself."""
        return {value.enum: value.enum for value in self.values} | {value.code: value.enum for value in self.values}


def _load() -> dict[str, ValueSet]:
    text = resources.files(__package__).joinpath("data", "value_sets.csv").read_text(encoding="utf-8")
    members: dict[str, list[Value]] = {}
    oids: dict[str, str] = {}
    for row in csv.DictReader(text.splitlines()):
        name = row["value_set"]
        members.setdefault(name, []).append(Value(row["enum"], row["official_code"], row["label_fr"], row["label_en"]))
        oids[name] = row["oid"]
    return {name: ValueSet(name, oids[name], tuple(values)) for name, values in members.items()}


VALUE_SETS: Mapping[str, ValueSet] = _load()
"""Every value set, by name: ``VALUE_SETS["StatutActuelDiagnostic"].code_of["confirmed"]``."""
