"""What the pages of a study say, as plain values for the templates, in one language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from epi.protocol import Protocol
from epi.runner.folder import Run
from epi.runner.inspection import plain_value
from epi.runner.site.figures import (
    date_text,
    interval_text,
    key_figures,
    label_of,
    localised,
    moment_text,
    number,
    stratum_text,
    unit_text,
    value_text,
)
from epi.runner.site.markup import looks_numeric
from epi.runner.site.released import Table
from epi.runner.site.words import word

_REGISTRY = "bndmr"
_WHOLE = ("study", "parameters", "workspace", "epi", "packages", "open_data", "lang")


@dataclass(frozen=True)
class View:
    """A table as a template shows it.

    Parameters
    ----------
    columns : tuple of str
        Headings.
    rows : tuple of tuple of str
        Cells.
    numeric : tuple of bool
        Which columns are set flush right.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def view(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[bool] | None = None) -> View:
    """Make a table for a template.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence of str
        Cells.
    numeric : sequence of bool, optional
        Which columns are set flush right; by default those whose cells are numbers.

    Returns
    -------
    View
        The table.
    """
    cells = tuple(tuple(row) for row in rows)
    if numeric is None:
        numeric = [
            any(row[place] for row in cells) and all(not row[place] or looks_numeric(row[place]) for row in cells)
            for place in range(len(columns))
        ]
    return View(tuple(columns), cells, tuple(numeric))


def table_view(table: Table, lang: str, labels: Mapping[str, str] | None = None) -> View:
    """Print a released table by the habits of a language.

    Parameters
    ----------
    table : Table
        The table, as text.
    lang : {"fr", "en"}
        The language.
    labels : mapping, optional
        Printed headings.

    Returns
    -------
    View
        Decimal numbers rounded to what deserves to be read, everything else as it is.
    """
    rows = [[_cell(cell, lang) for cell in row] for row in table.rows]
    headings = [dict(labels or {}).get(column, column.replace("_", " ")) for column in table.columns]
    return view(headings, rows, numeric=[table.numeric(place) for place in range(len(table.columns))])


def _cell(text: str, lang: str) -> str:
    # Only what has a decimal point is surely a quantity: a whole number may be a code or a year.
    if "." in text or "e-" in text:
        try:
            return number(float(text), lang)
        except ValueError:
            return text
    return text


def study_view(protocol: Protocol, run: Run | None, rows: Sequence[Mapping[str, Any]], lang: str) -> dict[str, Any]:
    """Say what opens a study page: question, state, key figures, protocol.

    Parameters
    ----------
    protocol : Protocol
        The protocol as it was when the study ran.
    run : Run or None
        The run shown.
    rows : sequence of mapping
        Its results.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    dict
        Plain values.
    """
    say = partial(localised, lang=lang)
    rule = protocol.opposition if _REGISTRY in protocol.sources else "none"
    exposures = dict((run.manifest.get("data") or {}).get("exposures") or {}) if run else {}
    if not {"exposures", "open_data"} & set(protocol.sources):
        exposures = {}  # the workspace holds some, the study reads none
    simulated = [
        str(about.get(f"label_{lang}", name)) for name, about in exposures.items() if about.get("origin") == "synthetic"
    ]
    until = word("until", lang, date=date_text(protocol.legal.expires, lang))
    legal = ". ".join(part for part in (protocol.legal.basis, protocol.legal.reference) if part)
    done = run is not None and run.status == "done"
    return {
        "title": say(protocol.title.in_(lang)),
        "question": say(protocol.question.in_(lang)),
        "population": say(protocol.population.in_(lang)),
        "design": say(protocol.design.in_(lang)),
        "limits": [say(limit.in_(lang)) for limit in protocol.limits],
        "legal": f"{legal} ({until})",
        "investigators": [
            ", ".join(part for part in (who.name, who.role, who.institution) if part) for who in protocol.investigators
        ],
        "sources": ", ".join(protocol.sources),
        "opposition": word(f"opposition_{rule}", lang),
        "min_count": str(protocol.min_count),
        "version": protocol.version,
        "status": run.status if run else "never",
        "never": run is None,
        "synthetic": bool(run and run.synthetic),
        "synthetic_exposures": ", ".join(sorted(simulated)),
        "failure": failure_text(run, lang) if run else "",
        "figures": key_figures(rows, protocol, lang) if done else [],
        "run_id": run.run_id if run else "",
        "finished": moment_text(run.manifest.get("finished"), lang) if done and run else "",
    }


def failure_text(run: Run, lang: str) -> str:
    """Say why a run did not end.

    Parameters
    ----------
    run : Run
        The run.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        One sentence; empty for a finished run.
    """
    if run.status != "failed":
        return ""
    failure = dict(run.manifest.get("failure") or {})
    cause = str(failure.get("cause") or word("no_end", lang))
    if "cell" in failure:
        cause = word("failed_at", lang, notebook=failure["notebook"], cell=failure["cell"], cause=cause)
    return word("failed_text", lang, run=run.run_id, cause=cause)


def parameters_view(protocol: Protocol, run: Run | None, lang: str) -> View:
    """List the parameters with the values of a run.

    Parameters
    ----------
    protocol : Protocol
        The protocol.
    run : Run or None
        The run; without one, the defaults.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    View
        Name, value, default where it differs, meaning.
    """
    used = dict(run.manifest.get("parameters", {})) if run else {}
    rows = []
    for name, parameter in protocol.parameters.items():
        default = plain_value(parameter.parse(name, parameter.default))
        value = used.get(name, default)
        shown = plain_text(value, lang) + (f" {parameter.unit}" if parameter.unit and value != "" else "")
        rows.append((name, shown, "" if value == default else plain_text(default, lang), parameter.meaning))
    headings = [word(key, lang) for key in ("parameter", "value", "default", "meaning")]
    if not any(row[2] for row in rows):
        rows = [(row[0], row[1], row[3]) for row in rows]  # type: ignore[misc]
        del headings[2]
    return view(headings, rows, numeric=[False] * len(headings))


def plain_text(value: Any, lang: str) -> str:
    """Print a parameter's value.

    Parameters
    ----------
    value : object
        Text, number, boolean or list.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        The text.
    """
    if isinstance(value, bool):
        return word("yes" if value else "no", lang)
    if isinstance(value, list):
        return ", ".join(plain_text(item, lang) for item in value) or "–"
    return number(value, lang) if isinstance(value, float) else str(value)


def variables_view(protocol: Protocol, lang: str) -> View:
    """List the variables requested.

    Parameters
    ----------
    protocol : Protocol
        The protocol.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    View
        Table, column and reason.
    """
    headings = [word(key, lang) for key in ("table", "column", "reason")]
    rows = [(variable.table, variable.column, variable.reason) for variable in protocol.variables]
    return view(headings, rows, numeric=[False] * 3)


def results_view(protocol: Protocol, rows: Sequence[Mapping[str, Any]], lang: str) -> View:
    """Print the long table of results.

    Parameters
    ----------
    protocol : Protocol
        Its outputs name what they mean.
    rows : sequence of mapping
        The results.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    View
        One row for each result.
    """
    columns = {"name": [], "stratum": [], "estimate": [], "interval": [], "unit": [], "n": []}  # type: dict[str, list[str]]
    for row in rows:
        n = row.get("n")
        columns["name"].append(label_of(str(row["name"]), protocol, lang, row))
        columns["stratum"].append(stratum_text(row))
        columns["estimate"].append(value_text(row, lang))
        columns["interval"].append(interval_text(row, lang))
        columns["unit"].append(unit_text(str(row.get("unit") or ""), lang))
        columns["n"].append("" if n is None else number(int(n), lang))
    kept = [name for name, cells in columns.items() if any(cells)]
    headings = ["n" if name == "n" else word(name, lang) for name in kept]
    numeric = [name in {"estimate", "n"} for name in kept]
    return view(headings, list(zip(*(columns[name] for name in kept), strict=True)), numeric=numeric)
