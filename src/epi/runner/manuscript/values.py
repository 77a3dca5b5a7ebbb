"""What a manuscript may name: the released values of a run, each under one stable name."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from epi.errors import ParameterError
from epi.runner.export.bundle import Bundle, Cell, Empty, Output
from epi.runner.export.cells import decimals_of, write_cells
from epi.runner.export.notes import say
from epi.runner.site.figures import decimals

_SIGNS = {"<=": " up_to ", ">=": " from ", "≤": " up_to ", "≥": " from ", "<": " under ", ">": " over ", "+": " plus "}
_LONGEST = 80
_P = re.compile(r"^[pq](_[a-z0-9_]+)?$")
MARK = "[c]"


@dataclass(frozen=True)
class Value:
    """A released value.

    Parameters
    ----------
    name : str
        Its name in a placeholder.
    kind : {"count", "whole", "number", "probability", "interval", "summary", "date", "text"}
        What it is.
    value : int or float or str or None
        The value; None for an interval, and when hidden or missing.
    decimals : int, optional
        Decimals by default.
    printed : str, optional
        How its table prints it; empty outside tables, and the mark when hidden.
    unit : str, optional
        Its unit.
    low, high : float, optional
        Limits, for an interval.
    level : float, optional
        Level of the interval.
    """

    name: str
    kind: str
    value: float | int | str | None
    decimals: int = 0
    printed: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    level: float = 0.95

    @property
    def hidden(self) -> bool:
        """Whether nothing but its mark may be printed: hidden by the gate, or without value."""
        return self.value is None and self.kind not in {"interval", "summary"}


@dataclass(frozen=True)
class Values:
    """The released values of a run.

    Parameters
    ----------
    bundle : Bundle
        What may leave of the run.
    known : mapping
        Name to value.
    twice : frozenset of str
        Names that more than one value answers to: none of them is given.
    """

    bundle: Bundle
    known: Mapping[str, Value] = field(repr=False)
    twice: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[Value]:
        return iter(self.known.values())

    def find(self, name: str) -> Value:
        """Find a value.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Value
            The value.

        Raises
        ------
        ParameterError
            If nothing released has this name, or several have; the nearest names are given.
        """
        if name in self.known:
            return self.known[name]
        if name in self.twice:
            raise ParameterError(f"{name} names several values", "a name that only one has")
        self.refuse(name.split(".")[1] if name.startswith("table.") and "." in name[6:] else name.split(".")[0])
        parts = name.split(".")
        near = [other for other in self.known if other.split(".")[:2] == parts[:2]] if parts[0] == "table" else []
        if not near:
            near = [other for other in self.known if not other.startswith("table.")]
            near += [f"table.{output.name}" for output in self.bundle.outputs]
        close = difflib.get_close_matches(name, near, n=4, cutoff=0.4) or near[:4]
        raise ParameterError(f"{name} is no released value of this run; near: {', '.join(close)}")

    def output(self, name: str, kind: str) -> Output:
        """Find a figure or a table.

        Parameters
        ----------
        name : str
            Its name.
        kind : {"figure", "table"}
            As what it is placed. A figure may be placed as the table it is drawn from.

        Returns
        -------
        Output
            The released output.

        Raises
        ------
        ParameterError
            If no such output was released.
        """
        found = self.bundle.output(name)
        if found is not None and (kind == "table" or found.kind == "figure"):
            return found
        self.refuse(name)
        known = [output.name for output in self.bundle.outputs if kind == "table" or output.kind == "figure"]
        near = difflib.get_close_matches(name, known, n=4, cutoff=0.4) or known[:4]
        raise ParameterError(f"{name} is no released {kind} of this run; near: {', '.join(near)}")

    def refuse(self, name: str) -> None:
        """Say so when the level keeps a result or an output back.

        Parameters
        ----------
        name : str
            Its name.

        Raises
        ------
        ParameterError
            If the run has it, at a more private level.
        """
        if name in self.bundle.left_out:
            raise ParameterError(f"{name} is kept back by level {self.bundle.level}; --level widens it")


def read_values(bundle: Bundle, lang: str = "en") -> Values:
    """Name every released value of a run.

    Parameters
    ----------
    bundle : Bundle
        What may leave, verified.
    lang : {"en", "fr"}, optional
        Language of the cells of tables.

    Returns
    -------
    Values
        Results by name and stratum, cells of tables by row and column, parameters, and the run itself.
    """
    known: dict[str, Value] = {}
    twice: set[str] = set()
    for value in _all(bundle, lang):
        if value.name in known:
            twice.add(value.name)
        known[value.name] = value
    return Values(bundle, {name: value for name, value in known.items() if name not in twice}, frozenset(twice))


def slug(text: str) -> str:
    """Spell a label as part of a name.

    Parameters
    ----------
    text : str
        A stratum's value, or a row's label.

    Returns
    -------
    str
        Small letters, digits and ``_``; signs of comparison become words.

    Examples
    --------
    >>> slug("Île-de-France"), slug("60-69"), slug("<20"), slug("80+")
    ('ile_de_france', '60_69', 'under_20', '80_plus')
    """
    for sign, name in _SIGNS.items():
        text = text.replace(sign, name)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_LONGEST].strip("_")


def _all(bundle: Bundle, lang: str) -> Iterator[Value]:
    yield from _of_run(bundle, lang)
    for row in bundle.results:
        yield from _of_result(row, lang)
    for output in bundle.outputs:
        yield from _of_table(output, lang)


def _of_run(bundle: Bundle, lang: str) -> Iterator[Value]:
    run, manifest = bundle.run, bundle.run.manifest
    data: Mapping[str, Any] = manifest.get("data") or {}
    code: Mapping[str, Any] = manifest.get("code") or {}
    texts = {
        "id": run.run_id,
        "study": run.study,
        "protocol": bundle.protocol.version,
        "data": str(manifest.get("data_fingerprint") or "")[:12],
        "code": " ".join(str(code[part]) for part in ("version", "commit") if code.get(part)),
    }
    for name, text in texts.items():
        if text:
            yield Value(f"run.{name}", "text", text)
    dates = {"date": manifest.get("finished"), "extracted": data.get("extraction_date")}
    for name, day in dates.items():
        if day:
            yield Value(f"run.{name}", "date", str(day)[:10])
    yield Value("run.min_count", "count", int(manifest["min_count"]))
    for name, value in dict(manifest.get("parameters") or {}).items():
        yield _plain(f"param.{slug(name)}", ", ".join(map(str, value)) if isinstance(value, list) else value, lang)


def _of_result(row: Mapping[str, Any], lang: str) -> Iterator[Value]:
    stratum = dict(row.get("stratum") or {})
    base = ".".join([str(row["name"]), *(slug(str(stratum[key])) or "empty" for key in sorted(stratum))])
    unit, settings = str(row.get("unit") or ""), dict(row.get("settings") or {})
    value, low, high = row.get("estimate"), row.get("ci_low"), row.get("ci_high")
    named = {f"{base}.{slug(key)}": item for key, item in settings.items() if isinstance(item, int | float | str)}
    if row.get("suppressed"):
        # Settings too: a p-value tells of an estimate that was hidden.
        fields = ("", ".ci_low", ".ci_high", ".interval", ".summary", ".n")
        for name in (*(base + part for part in fields), *named):
            yield Value(name, "text", None, printed=MARK)
        return
    shown = _plain(base, value, lang, unit)
    places = shown.decimals if shown.kind == "number" else (2 if isinstance(value, int) else 0)
    yield shown
    if row.get("n") is not None:
        yield Value(f"{base}.n", "count", int(row["n"]))
    if unit:
        yield Value(f"{base}.unit", "text", unit)
    for part, limit in (("ci_low", low), ("ci_high", high)):
        if limit is not None:
            yield Value(f"{base}.{part}", "number", float(limit), places, unit=unit)
    if (low is not None or high is not None) and isinstance(value, int | float):
        level = settings.get("level")
        share = float(level) if isinstance(level, int | float) and 0 < level < 1 else 0.95
        yield Value(f"{base}.interval", "interval", None, places, "", unit, low, high, share)
        yield Value(f"{base}.summary", "summary", value, places, "", unit, low, high, share)
    for name, item in named.items():
        yield _plain(name, item, lang)


def _plain(name: str, value: Any, lang: str, unit: str = "") -> Value:
    if isinstance(value, bool):
        return Value(name, "text", say("yes" if value else "no", lang), unit=unit)
    if isinstance(value, int):
        return Value(name, "count", value, unit=unit)
    if isinstance(value, float):
        if _P.match(name.rsplit(".", 1)[-1]) and 0 <= value <= 1:
            return Value(name, "probability", value, 3, unit=unit)
        return Value(name, "number", value, 1 if unit in {"%", "percent"} else decimals(value), unit=unit)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return Value(name, "date", value)
    return Value(name, "text", None if value is None else str(value), printed="–" if value is None else "", unit=unit)


def _of_table(output: Output, lang: str) -> Iterator[Value]:
    labels = _row_names(output)
    if labels is None:
        return
    for place, column in enumerate(output.columns):
        kind, places, printed = output.kind_of(column), decimals_of(output, column), write_cells(output, column, lang)
        for label, row, text in zip(labels, output.rows, printed, strict=True):
            name = f"table.{output.name}.{label}.{slug(column)}"
            yield _of_cell(name, row[place], kind, places, text)


def _of_cell(name: str, cell: Cell, kind: str, places: int, text: str) -> Value:
    if isinstance(cell, Empty):
        return Value(name, "text", None, printed=text)
    if isinstance(cell, bool) or kind in {"text", "flag"}:
        return Value(name, "text", text, printed=text)
    return Value(name, kind, cell, places, text)


def _row_names(output: Output) -> Sequence[str] | None:
    """Name rows by the fewest leading labels that tell them apart; a row's place is no name, since it moves."""
    texts = [column for column in output.columns if output.kind_of(column) == "text"]
    whole = [column for column in output.columns if output.kind_of(column) in {"whole", "flag"}]
    tries = [texts[:count] for count in range(1, len(texts) + 1)] + [whole[:1], [*texts, *whole]]
    for columns in tries:
        places = [output.columns.index(column) for column in columns]
        labels = [
            ".".join(slug("" if isinstance(row[at], Empty) else str(row[at])) or "empty" for at in places)
            for row in output.rows
        ]
        if columns and len(set(labels)) == len(labels):
            return labels
    return None
