"""What an official file looks like: declared in YAML beside this module, read into frozen records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from epi.errors import ParameterError

KINDS: dict[str, str] = {
    "code": "code, as text",
    "text": "text",
    "class": "class or rank: never averaged",
    "flag": "0 or 1",
    "date": "date",
    "count": "count: added up when areas merge",
    "mean": "mean, rate or share: weighted when areas merge",
    "number": "number that is neither added nor averaged",
}
"""Kinds of columns, and what may be done with each."""

THEMES = ("geography", "socio_economic", "environment", "health_care", "demography", "external_checks")


@dataclass(frozen=True)
class Column:
    """One column of a layout.

    Parameters
    ----------
    name : str
        Ours.
    kind : str
        A key of :data:`KINDS`.
    unit : str
        Unit of its values; empty where it has none.
    official : tuple of str
        What the producers call it: patterns that a heading matches whole, whatever the case.
    code : str
        For a code, of what: ``commune``, ``postal``...
    optional : bool
        Whether a file may lack it.
    """

    name: str
    kind: str
    unit: str = ""
    official: tuple[str, ...] = ()
    code: str = ""
    optional: bool = False

    def matches(self, heading: str) -> bool:
        """Say whether a heading is this column.

        Parameters
        ----------
        heading : str
            As in the file.

        Returns
        -------
        bool
            True where it is.
        """
        plain = " ".join(heading.split())
        return any(re.fullmatch(name, plain, re.IGNORECASE) for name in (re.escape(self.name), *self.official))


@dataclass(frozen=True)
class Form:
    """One way in which a layout is written to a file.

    Parameters
    ----------
    pattern : str
        Of the file's name; the group ``year`` gives the vintage where there is one.
    example : str
        A file's name, for people.
    reader : {"text", "sheet", "vector"}
        Delimited text, spreadsheet, or vector layer.
    separators : tuple of str
        Of columns; the heading decides when there are several.
    encoding : str
        Of a text.
    skip : int
        Lines before the heading.
    units : int
        Lines after the heading that hold no data.
    sheets : tuple of str
        Of a spreadsheet, all read one after the other; the first sheet when empty.
    positional : bool
        Whether columns are known by their order and not by their heading.
    member : str
        Pattern of the file's name inside a zip.
    present : str
        Name of the copy in the folder of open data, where there is one.
    rows : int or None
        Rows of that copy.
    """

    pattern: str
    example: str
    reader: str = "text"
    separators: tuple[str, ...] = (",",)
    encoding: str = "utf-8"
    skip: int = 0
    units: int = 0
    sheets: tuple[str, ...] = ()
    positional: bool = False
    member: str = ""
    present: str = ""
    rows: int | None = None

    def year(self, name: str) -> str:
        """Find the vintage in a file's name.

        Parameters
        ----------
        name : str
            The name, without folder.

        Returns
        -------
        str
            Four digits, or an empty text.
        """
        found = re.fullmatch(self.pattern, name, re.IGNORECASE)
        return (found.groupdict().get("year") or "") if found else ""


@dataclass(frozen=True)
class Layout:
    """An official file: who makes it, on what terms, and what its columns mean.

    Parameters
    ----------
    id : str
        Short name.
    theme : str
        One of :data:`THEMES`.
    title_en, title_fr : str
        What it is.
    producer, licence, source : str
        Who made it, on what terms, where it is published.
    forms : tuple of Form
        How it is written; empty where the layout has not been verified.
    columns : tuple of Column
        Its columns.
    support : str
        What one value describes: commune, iris, site, département...
    area : str
        The column of area codes; empty where there is none.
    key : tuple of str
        Columns that tell rows apart; empty where rows may repeat.
    vintage : str
        Year of the values; ``name`` takes it from the file's name, ``column NAME`` from a heading.
    geography : str
        Year of the code officiel géographique of its codes; ``vintage`` the same year; empty if not stated.
    unlisted : {"missing", "zero"}
        What it means that an area is not listed.
    scope : str
        Where the file is meant to say something.
    absent : str
        What is missing where.
    caveat : str
        What must be known before use.
    missing : tuple of str
        Tokens for a missing value.
    decimal : str
        Decimal mark.
    rest : tuple of str
        Pattern and kind of further official columns, kept under their lower-case name.
    where : mapping
        Values that a row must have to be kept, by column.
    keywords : str
        More words to find it by.
    """

    id: str
    theme: str
    title_en: str
    title_fr: str
    producer: str
    licence: str
    source: str
    forms: tuple[Form, ...] = ()
    columns: tuple[Column, ...] = ()
    support: str = ""
    area: str = ""
    key: tuple[str, ...] = ()
    vintage: str = ""
    geography: str = ""
    unlisted: str = "missing"
    scope: str = "France"
    absent: str = ""
    caveat: str = ""
    missing: tuple[str, ...] = ("",)
    decimal: str = "."
    rest: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keywords: str = ""

    @property
    def verified(self) -> bool:
        """Whether the layout is known well enough to read a file."""
        return bool(self.forms)

    def form_of(self, name: str) -> Form | None:
        """Find the form that a file's name announces.

        Parameters
        ----------
        name : str
            The name, without folder.

        Returns
        -------
        Form or None
            The form; None where no form has such names.
        """
        return next((form for form in self.forms if re.fullmatch(form.pattern, name, re.IGNORECASE)), None)


def _column(name: str, words: list[Any]) -> Column:
    kind, unit, *official = [str(word) for word in words]
    optional = kind.startswith("optional ")
    kind, _, code = kind.removeprefix("optional ").partition("/")
    if kind not in KINDS:
        raise ValueError(f"{name}: kind {kind!r}")
    return Column(name, kind, unit, tuple(official), code, optional)


def _layout(theme: str, entry: dict[str, Any]) -> Layout:
    given = dict(entry)
    forms = []
    for form in given.pop("forms", []):
        plural = {key: tuple(form.get(key, default)) for key, default in (("separators", [","]), ("sheets", []))}
        forms.append(Form(**{**form, **plural}))
    title = given.pop("title")
    columns = tuple(_column(name, words) for name, words in given.pop("columns", {}).items())
    for name in ("key", "missing", "rest"):
        if name in given:
            given[name] = tuple(str(value) for value in given[name])
    given["where"] = {name: tuple(values) for name, values in given.pop("where", {}).items()}
    return Layout(theme=theme, title_en=title["en"], title_fr=title["fr"], forms=tuple(forms), columns=columns, **given)


@cache
def all_layouts() -> dict[str, Layout]:
    """Read every declaration.

    Returns
    -------
    dict of str to Layout
        Layouts by id, by theme and then as declared.

    Examples
    --------
    >>> all_layouts()["radon"].producer
    'ASNR (formerly IRSN)'
    """
    import yaml

    found: dict[str, Layout] = {}
    for theme in THEMES:
        place = resources.files("epi.sources.open_data") / "layouts" / f"{theme}.yml"
        for entry in yaml.safe_load(place.read_text(encoding="utf-8")):
            layout = _layout(theme, entry)
            if layout.id in found:
                raise ValueError(f"layout {layout.id} is declared twice")
            found[layout.id] = layout
    return found


def layout_of(name: str) -> Layout:
    """Give a layout by its id.

    Parameters
    ----------
    name : str
        Its id.

    Returns
    -------
    Layout
        The declaration.

    Raises
    ------
    ParameterError
        If there is none of that name; near ones are proposed.
    """
    import difflib

    layouts = all_layouts()
    if name not in layouts:
        near = difflib.get_close_matches(name, list(layouts), n=3, cutoff=0.4)
        raise ParameterError(f"no layout is called {name!r}", " or ".join(near) or "one of: epi data list")
    return layouts[name]
