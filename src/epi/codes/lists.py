"""Code lists: versioned, owned, sourced, searchable, compared version by version.

A list is a CSV with a YAML header between two lines of three dashes::

    ---
    name: als
    title: Amyotrophic lateral sclerosis
    version: "1.0"
    owner: who answers for it
    source: where it comes from
    system: ORPHA
    date: 2025-12-09
    ---
    code,label_en,label_fr,note
    803,Amyotrophic lateral sclerosis,Sclérose latérale amyotrophique,main
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import yaml

from epi.codes.nomenclature import OrphaNomenclature, open_nomenclature
from epi.codes.text import fold
from epi.errors import CodeError, DataError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SYSTEMS = {
    "ORPHA": re.compile(r"[1-9][0-9]*"),
    "CIM-10": re.compile(r"[A-Z][0-9]{2}(\.?[0-9A-Z+]{1,4})?\*?"),
    "ALD": re.compile(r"[1-9][0-9]?"),
    "ATC": re.compile(r"[A-Z]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?"),
    "CCAM": re.compile(r"[A-Z]{1,4}([0-9]{3})?"),
}
_FIELDS = ("name", "title", "version", "owner", "source", "system", "date")
_COLUMNS = ("code", "label_en", "label_fr", "note")


@dataclass(frozen=True)
class Code:
    """One code of a list.

    Parameters
    ----------
    code : str
        The code, as text.
    label_en, label_fr : str, optional
        Labels.
    note : str, optional
        Why it is in the list.
    """

    code: str
    label_en: str = ""
    label_fr: str = ""
    note: str = ""


@dataclass(frozen=True)
class CodeList:
    """A versioned list of codes with its owner and source.

    Parameters
    ----------
    name, title : str
        Short name and title.
    version : str
        Version of the list.
    owner : str
        Who answers for it.
    source : str
        Where the codes come from.
    system : {"ORPHA", "CIM-10", "ALD", "ATC", "CCAM"}
        The nomenclature the codes belong to.
    date : str
        ISO date of this version.
    codes : tuple of Code
        The codes, each once.

    Raises
    ------
    CodeError
        If a field is empty, a code is repeated or is not written as its system writes codes; all
        faults at once.

    Examples
    --------
    >>> als = open_code_list("als")
    >>> als.version, als.orpha_codes
    ('1.0', (803, 300605, 357043))
    """

    name: str
    title: str
    version: str
    owner: str
    source: str
    system: str
    date: str
    codes: tuple[Code, ...]

    def __post_init__(self) -> None:
        faults = [f"the header has no {field}" for field in _FIELDS if not str(getattr(self, field)).strip()]
        if self.name and not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            faults.append(f"the name {self.name!r} is not lower-case words joined by _")
        try:
            dt.date.fromisoformat(self.date)
        except ValueError:
            faults.append(f"the date {self.date!r} is not an ISO date")
        form = SYSTEMS.get(self.system)
        if form is None:
            faults.append(f"the system {self.system!r} is not one of {', '.join(SYSTEMS)}")
        else:
            wrong = [c.code for c in self.codes if not form.fullmatch(c.code)]
            faults += [f"{code!r} is not a {self.system} code" for code in wrong]
        written = [c.code for c in self.codes]
        twice = sorted({code for code in written if written.count(code) > 1})
        faults += [f"{code} is written twice" for code in twice]
        if not self.codes:
            faults.append("the list has no code")
        if faults:
            raise CodeError(
                f"the code list {self.name or '(without name)'} has {len(faults)} fault(s)",
                "a header with name, title, version, owner, source, system and date, and each code once",
                faults=faults,
            )

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return iter(code.code for code in self.codes)

    def __contains__(self, code: object) -> bool:
        return str(code).upper().removeprefix("ORPHA:") in set(self)

    @property
    def orpha_codes(self) -> tuple[int, ...]:
        """The codes as integers, for a list of the ORPHA system."""
        if self.system != "ORPHA":
            raise CodeError(f"the code list {self.name} is of system {self.system}", "a list of ORPHA codes")
        return tuple(int(code) for code in self)

    @property
    def words(self) -> str:
        """Name, version, owner and number of codes in one line."""
        size = f"{len(self)} {self.system} codes"
        return f"code list “{self.name}” version {self.version} ({size}; {self.owner})"

    @property
    def table(self) -> pd.DataFrame:
        """One row for each code, in the list's order."""
        return pd.DataFrame([(c.code, c.label_en, c.label_fr, c.note) for c in self.codes], columns=list(_COLUMNS))

    def search(self, text: str) -> pd.DataFrame:
        """Find codes of the list by words of their labels or notes, accents and case aside.

        Parameters
        ----------
        text : str
            Words, all of which must be found; or a code.

        Returns
        -------
        pandas.DataFrame
            The rows found.

        Examples
        --------
        >>> open_code_list("als").search("juvenile")["code"].tolist()
        ['300605']
        """
        words = fold(text).split()
        frame = self.table
        hay = frame.apply(lambda row: fold(" ".join(row)), axis=1)
        hits = [bool(words) and all(word in line for word in words) for line in hay]
        return frame[hits].reset_index(drop=True)

    def check(self, nomenclature: OrphaNomenclature | None = None) -> pd.DataFrame:
        """Check that every ORPHA code exists, and say which are groups or no longer in use.

        Parameters
        ----------
        nomenclature : OrphaNomenclature, optional
            Where to look; the package's own by default.

        Returns
        -------
        pandas.DataFrame
            ``code, current, kind, candidates, version, level``.

        Raises
        ------
        CodeError
            If codes do not exist; all of them at once.
        """
        reference = nomenclature or open_nomenclature()
        log = reference.resolve_all(self.orpha_codes)
        return log.assign(level=[reference.level(code) for code in log["current"].tolist()])

    def to_text(self) -> str:
        """Write the list as its file.

        Returns
        -------
        str
            YAML header and CSV.
        """
        header = yaml.safe_dump(
            {field: getattr(self, field) for field in _FIELDS}, allow_unicode=True, sort_keys=False, width=200
        )
        body = io.StringIO()
        writer = csv.writer(body, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([c.code, c.label_en, c.label_fr, c.note] for c in self.codes)
        return f"---\n{header}---\n{body.getvalue()}"

    def _repr_html_(self) -> str:
        lines = f"<b>{escape(self.title)}</b><br>{escape(self.words)}<br><small>{escape(self.source)}</small>"
        return f"<p>{lines}</p>{self.table.to_html(index=False, border=0)}"


def read_code_list(path: str | Path) -> CodeList:
    """Read a code list from its file and check it.

    Parameters
    ----------
    path : path-like
        A CSV with a YAML header, in UTF-8.

    Returns
    -------
    CodeList
        The list; the codes of an ORPHA list exist.

    Raises
    ------
    DataError
        If the file is missing, is not UTF-8, or has no header.
    CodeError
        If its content is wrong; all faults at once.
    """
    source = Path(path)
    if not source.is_file():
        raise DataError(f"{source} does not exist", "a code list", "check the path")
    return _read(source, source.name)


def _read(source: Traversable, name: str) -> CodeList:
    try:
        text = source.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8", "a UTF-8 text file", "save it as UTF-8") from error
    parts = re.split(r"^---[ \t]*\r?\n", text, maxsplit=2, flags=re.MULTILINE)
    if len(parts) != 3 or parts[0].strip():
        raise DataError(f"{name} has no header", "YAML between two lines of three dashes, then the CSV")
    try:
        header = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        raise DataError(f"the header of {name} is not YAML", "one field to a line") from error
    header = header if isinstance(header, dict) else {}
    reader = csv.DictReader(io.StringIO(parts[2]))
    columns = list(reader.fieldnames or [])
    rows = list(reader)
    faults = [f"unknown header field {field!r}" for field in header if field not in _FIELDS]
    faults += [f"unknown column {column!r}" for column in columns if column not in _COLUMNS]
    if "code" not in columns:
        faults.append("the CSV has no column 'code'")
    faults += [f"line {line} of the CSV has too many cells" for line, row in enumerate(rows, 2) if None in row]
    if faults:
        expected = ", ".join(_COLUMNS)
        raise CodeError(f"the code list {name} has {len(faults)} fault(s)", expected, faults=faults)
    codelist = CodeList(
        **{field: str(header.get(field, "")) for field in _FIELDS},
        codes=tuple(Code(*(str(row.get(column) or "").strip() for column in _COLUMNS)) for row in rows),
    )
    if codelist.system == "ORPHA":
        codelist.check()
    return codelist


def study_lists() -> tuple[str, ...]:
    """Name the code lists that the package carries.

    Returns
    -------
    tuple of str
        Names for :func:`open_code_list`.

    Examples
    --------
    >>> "als" in study_lists()
    True
    """
    folder = resources.files("epi.codes") / "data" / "lists"
    names = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(".csv") for name in names if name.endswith(".csv")))


def open_code_list(name: str) -> CodeList:
    """Open a code list that the package carries.

    Parameters
    ----------
    name : str
        One of :func:`study_lists`.

    Returns
    -------
    CodeList
        The list.

    Raises
    ------
    CodeError
        If there is no such list.
    """
    if name not in study_lists():
        raise CodeError(f"there is no code list {name!r}", f"one of {', '.join(study_lists())}")
    return _read(resources.files("epi.codes") / "data" / "lists" / f"{name}.csv", name)


def compare_code_lists(before: CodeList, after: CodeList) -> pd.DataFrame:
    """Compare two versions of a list.

    Parameters
    ----------
    before, after : CodeList
        The versions, of one system.

    Returns
    -------
    pandas.DataFrame
        ``code, change, before, after`` (added, removed or relabelled) for codes that changed.

    Raises
    ------
    CodeError
        If the systems differ.

    Examples
    --------
    >>> compare_code_lists(open_code_list("als"), open_code_list("als_and_related"))["code"].tolist()
    ['35689', '247604', '454706', '275872']
    """
    if before.system != after.system:
        raise CodeError(f"one list is of system {before.system}, the other of {after.system}", "one system")
    old = {c.code: c.label_en or c.label_fr for c in before.codes}
    new = {c.code: c.label_en or c.label_fr for c in after.codes}
    rows = []
    for code in [*old, *(code for code in new if code not in old)]:
        if code not in new:
            rows.append((code, "removed", old[code], ""))
        elif code not in old:
            rows.append((code, "added", "", new[code]))
        elif old[code] != new[code]:
            rows.append((code, "relabelled", old[code], new[code]))
    return pd.DataFrame(rows, columns=["code", "change", "before", "after"])
