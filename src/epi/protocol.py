"""The study's protocol: what may be read, run and released, as a typed model.

Everything above this module asks it: the workspace for the columns granted, the runner for the
parameters and notebooks, the gate for the outputs declared, the site for what to tell reviewers.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from epi.errors import ParameterError, ProtocolError
from epi.files import read_yaml

Kind = Literal["int", "float", "str", "bool", "date", "list[int]", "list[str]"]
Value = int | float | str | bool | dt.date | list[int] | list[str]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bilingual(_Model):
    """A text in French and in English."""

    fr: str
    en: str

    def in_(self, lang: str) -> str:
        """Give the text in one language.

        Parameters
        ----------
        lang : {"fr", "en"}
            The language.

        Returns
        -------
        str
            The text.
        """
        return self.fr if lang == "fr" else self.en


class Variable(_Model):
    """A column asked for, and the reason why."""

    table: str
    column: str
    reason: str


class Parameter(_Model):
    """A typed, bounded, documented parameter. It is data: no code can enter by it."""

    type: Kind
    default: Any
    meaning: str
    unit: str = ""
    min: int | float | dt.date | None = None
    max: int | float | dt.date | None = None
    choices: list[Any] | None = None
    max_items: int = 50

    def describe(self) -> str:
        """Say the type, bounds and default in a few words.

        Returns
        -------
        str
            For messages and help.
        """
        if self.choices:
            limits = "one of " + ", ".join(str(choice) for choice in self.choices)
        elif self.min is not None or self.max is not None:
            limits = f"{self.min if self.min is not None else '…'} to {self.max if self.max is not None else '…'}"
        else:
            limits = self.type
        return f"{limits}, default {self.default}" + (f" {self.unit}" if self.unit else "")

    def parse(self, name: str, value: Any) -> Value:
        """Turn a given value, or its text, into a value of this type within its bounds.

        Parameters
        ----------
        name : str
            The parameter's name, for the message.
        value : object
            A plain value or a text as typed on the command line.

        Returns
        -------
        int or float or str or bool or datetime.date or list
            The value.

        Raises
        ------
        ParameterError
            If it has the wrong type or is out of bounds.
        """
        if self.type.startswith("list"):
            return self._parse_list(name, value)
        parsed = _scalar(name, self.type, value)
        self._bound(name, parsed)
        return parsed

    def _parse_list(self, name: str, value: Any) -> Value:
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise ParameterError(f"parameter '{name}' is a {type(value).__name__}", f"a list, {self.describe()}")
        if len(items) > self.max_items:
            raise ParameterError(f"parameter '{name}' has {len(items)} items", f"at most {self.max_items}")
        inner = self.type[5:-1]
        parsed = [_scalar(name, inner, item) for item in items]
        for item in parsed:
            self._bound(name, item)
        return parsed

    def _bound(self, name: str, value: Any) -> None:
        low, high = self.min, self.max
        outside = (low is not None and value < low) or (high is not None and value > high)
        if outside or (self.choices is not None and value not in self.choices):
            raise ParameterError(f"parameter '{name}' is {value!r}", self.describe(), f"-p {name}={self.default}")


def _scalar(name: str, kind: str, value: Any) -> Any:
    """Read one value; a text is read as the type asks, any other type must already be right."""
    wrong = ParameterError(f"parameter '{name}' is {value!r}", _KIND_WORDS[kind], f"-p {name}=…")
    if kind == "bool":
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        raise wrong
    if isinstance(value, bool):
        raise wrong
    try:
        if kind == "int":
            if isinstance(value, float) and not value.is_integer():
                raise wrong
            return int(value) if isinstance(value, int | float | str) else _raise(wrong)
        if kind == "float":
            number = float(value) if isinstance(value, int | float | str) else _raise(wrong)
            return number if number - number == 0 else _raise(wrong)
        if kind == "date":
            if isinstance(value, dt.datetime):
                raise wrong
            return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise wrong from error
    if not isinstance(value, str):
        raise wrong
    if len(value) > 500 or any(ord(char) < 32 for char in value):
        raise ParameterError(f"parameter '{name}' is a text of {len(value)} characters", "at most 500, on one line")
    return value


def _raise(error: Exception) -> Any:
    raise error


_KIND_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "date": "a date such as 2015-12-31",
    "str": "a text",
}


FrameName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]


class Notebook(_Model):
    """One notebook of a study, in the order it runs."""

    file: str = Field(pattern=r"^[0-9]{2}_[a-z0-9_]+\.ipynb$")
    title: Bilingual
    memory_mb: int | None = Field(default=None, ge=256, le=4_000_000, description="over it the step is killed")
    minutes: float | None = Field(default=None, ge=0.01, le=20_160, description="over it the step is stopped")
    keeps: tuple[FrameName, ...] = Field(default=(), description="frames kept for later notebooks")
    needs: tuple[FrameName, ...] = Field(default=(), description="frames that earlier notebooks kept")


class Output(_Model):
    """A table or figure that the study may release."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    level: Literal["public", "restricted", "internal"] = "public"
    meaning: Bilingual


class Legal(_Model):
    """Under which rule the data are used, and until when."""

    basis: str
    reference: str = ""
    expires: dt.date


class Investigator(_Model):
    """A role in the study; a name is written only where there is a person to name."""

    role: str
    institution: str
    name: str = ""


class Protocol(_Model):
    """A study's protocol, read from ``protocol.yml``."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str
    title: Bilingual
    question: Bilingual
    population: Bilingual
    design: Bilingual
    limits: list[Bilingual] = Field(min_length=1)
    legal: Legal
    investigators: list[Investigator]
    sources: list[Literal["bndmr", "population", "births", "exposures", "open_data"]]
    opposition: Literal["strict", "registry"] = "strict"
    min_count: int = Field(default=11, ge=1, le=100)
    variables: list[Variable] = Field(default_factory=list)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    ordered: list[tuple[str, str]] = Field(
        default_factory=list, description="Pairs of parameters of which the first cannot exceed the second"
    )
    notebooks: list[Notebook] = Field(min_length=1)
    outputs: list[Output] = Field(default_factory=list)
    highlights: list[str] = Field(
        default_factory=list, description="Names of recorded results shown first on the study page"
    )

    @model_validator(mode="after")
    def _coherent(self) -> Protocol:
        for name, parameter in self.parameters.items():
            if not name.isidentifier() or not name.islower() or name.startswith("_"):
                raise ValueError(f"parameter name {name!r} is not a lower-case identifier")
            parameter.parse(name, parameter.default)
        for pair in self.ordered:
            if not set(pair) <= set(self.parameters):
                raise ValueError(f"ordered names parameters that do not exist: {', '.join(pair)}")
        for what, names in (
            ("notebook", [notebook.file for notebook in self.notebooks]),
            ("output", [output.name for output in self.outputs]),
            ("variable", [f"{variable.table}.{variable.column}" for variable in self.variables]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} declared twice: {', '.join(twice)}")
        self._check_frames()
        return self

    def _check_frames(self) -> None:
        made: set[str] = set()
        for notebook in self.notebooks:
            absent = sorted(set(notebook.needs) - made)
            if absent:
                raise ValueError(f"{notebook.file} needs {', '.join(absent)}, which no earlier notebook keeps")
            twice = sorted(made & set(notebook.keeps))
            if twice or len(set(notebook.keeps)) < len(notebook.keeps):
                raise ValueError(f"frame kept twice: {', '.join(twice or notebook.keeps)}")
            made |= set(notebook.keeps)

    def columns(self, table: str) -> tuple[str, ...] | None:
        """List the columns granted in a table.

        Parameters
        ----------
        table : str
            A tidy table's name.

        Returns
        -------
        tuple of str or None
            The columns in the protocol's order, or None when the table is not granted.
        """
        granted = tuple(variable.column for variable in self.variables if variable.table == table)
        return granted or None

    def resolve_parameters(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Check given parameters and fill in the defaults.

        Parameters
        ----------
        given : mapping
            Names and values, values possibly as text.

        Returns
        -------
        dict
            Every parameter of the protocol with its value, in the protocol's order.

        Raises
        ------
        ParameterError
            If any is unknown, of the wrong type or out of bounds; all faults at once.
        """
        faults = [self._unknown(name) for name in given if name not in self.parameters]
        values: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            try:
                values[name] = parameter.parse(name, given.get(name, parameter.default))
            except ParameterError as error:
                faults.append(error.sentence)
        faults += [
            f"parameter '{first}' is {values[first]}, after '{last}', which is {values[last]}"
            for first, last in self.ordered
            if first in values and last in values and values[first] > values[last]  # type: ignore[operator]
        ]
        help_ = f'run "epi run {self.id} --help-parameters" to see all'
        if len(faults) == 1:
            raise ParameterError(faults[0], do=help_)
        if faults:
            raise ParameterError(f"{len(faults)} parameters are wrong", do=help_, faults=faults)
        return values

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.parameters, n=1, cutoff=0.65)
        hint = (
            f"this study has {near[0]} ({self.parameters[near[0]].describe()})"
            if near
            else f"this study has {', '.join(self.parameters) or 'no parameter'}"
        )
        return f"parameter '{name}' is unknown: {hint}"


def read_protocol(path: str | Path) -> Protocol:
    """Read and check a protocol.

    Parameters
    ----------
    path : path-like
        A ``protocol.yml`` or the folder that holds it.

    Returns
    -------
    Protocol
        The typed model.

    Raises
    ------
    ProtocolError
        If a field is missing, unknown or wrong; all faults at once, each with its place.
    DataError
        If the file is missing or is not YAML.
    """
    source = Path(path)
    if source.is_dir():
        source = source / "protocol.yml"
    content = read_yaml(source)
    if not isinstance(content, dict):
        raise ProtocolError(f"{source.name} is not a list of fields", "a YAML mapping", "start from another study")
    try:
        return Protocol.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(step) for step in fault['loc']) or 'protocol'}: {fault['msg']}" for fault in error.errors()
        ]
        raise ProtocolError(
            f"{source.parent.name}/{source.name} has {len(faults)} fault(s)",
            "the fields described in docs/protocol.schema.json",
            "correct them, then: epi study check",
            faults=faults,
        ) from error


def protocol_schema() -> dict[str, Any]:
    """Give the JSON schema of a protocol, for editors.

    Returns
    -------
    dict
        JSON schema.
    """
    return Protocol.model_json_schema()
