"""The only door: a table or a figure goes through the gate, into the run and onto the page."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from epi.disclosure.columns import is_text, is_whole
from epi.disclosure.estimable import evaluate, is_promise
from epi.disclosure.gate import Decision, check_release, read_release
from epi.disclosure.identifiers import find_identifiers
from epi.disclosure.layout import describe_layout
from epi.disclosure.ledger import GATE_FILE, append_line, read_lines, run_folder
from epi.disclosure.marks import make_mark, show
from epi.disclosure.pages import figure_html, table_html
from epi.disclosure.pictures import check_picture
from epi.disclosure.policy import Policy, read_policy
from epi.errors import DisclosureError, EpiError, ParameterError
from epi.files import digest_file, write_bytes, write_text
from epi.plotting import Chart, render
from epi.protocol import Protocol, read_protocol
from epi.results import LEVELS, Release

_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_SIGNED = re.compile(r"[+-](\d[\d.,\u00a0\u202f ]*%?|[.,]\d+)")
# The wide forms are read as the plain ones by spreadsheets of some languages.
_STARTS_FORMULA = frozenset("=@\t\r\n＝＋－＠")
PRINT_DPI = 300
NOTHING_WRITTEN = "Shown only: no run is in progress, nothing was written."


@dataclass(frozen=True, repr=False)
class Released:
    """What went through the door, already shown.

    Parameters
    ----------
    name : str
        The output's name.
    kind : {"table", "figure"}
        What it is.
    level : str
        Who may read it.
    decision : Decision
        What the gate decided; ``decision.table`` is what was printed.
    files : tuple of Path
        Files written, none without a run.
    data : dict
        The payload shown.
    metadata : dict
        Its mark.
    """

    name: str
    kind: str
    level: str
    decision: Decision
    files: tuple[Path, ...]
    data: dict[str, Any]
    metadata: dict[str, Any]

    def __repr__(self) -> str:
        where = ", ".join(path.name for path in self.files) or "nothing written, no run in progress"
        hidden = self.decision.n_hidden
        return f"{self.kind} '{self.name}' ({self.level}): {len(self.decision.table)} rows, {hidden} hidden; {where}"

    def _ipython_display_(self) -> None:
        """Show nothing more: the door has shown it."""


def output(obj: object, name: str, *, level: str | None = None, title: str | None = None) -> Released:
    """Publish a table or a figure: through the gate, into the run, onto the page.

    Parameters
    ----------
    obj : Releasable, Release or callable
        A result, a chart, or a :class:`~epi.results.Release` of your own table; or a function that makes one:
        where the data do not suffice for it, the page says why and the study goes on.
    name : str
        The output's name, declared in the protocol when there is one.
    level : {"public", "restricted", "internal"}, optional
        Who may read it: the protocol's level by default, else public. It cannot be wider than
        the protocol's.
    title : str, optional
        Replaces the release's title.

    Returns
    -------
    Released
        What was printed; notebooks show it at once.

    Raises
    ------
    DisclosureError
        If it cannot leave: every reason is given, and kept in the run's record.
    ParameterError
        If the name or the level is not one.
    StorageError
        If the disk is full: no half-written file is left.

    Notes
    -----
    A name stands for one payload in a run. Publishing the very same again changes nothing;
    publishing another under the same name is refused, since two versions of a table can be
    subtracted. A notebook that runs again does so in a new run folder.

    Examples
    --------
    >>> import pandas as pd
    >>> from epi.results import Counted, Release
    >>> table = pd.DataFrame({"sex": ["F", "M"], "n": [402, 351]})
    >>> output(Release(table, (Counted("n"),)), "cases_by_sex")
    table 'cases_by_sex' (public): 2 rows, 0 hidden; nothing written, no run in progress
    """
    check_name(name)
    protocol = read_granted()
    policy = read_policy().for_protocol(protocol)
    folder = run_folder()
    if is_promise(obj):
        obj = evaluate(cast("Callable[[], Any]", obj))
    kind = "figure" if isinstance(obj, Chart) else "table"
    try:
        level = _check_level(name, level, protocol)
        release = _retitle(read_release(obj, name), title)
        decision = check_release(release, policy)
        decision.raise_if_refused(name)
        remark = "" if folder else NOTHING_WRITTEN
        if isinstance(obj, Chart):
            files, html = _draw(obj, name, decision, remark)
        else:
            files, html = {}, table_html(decision, remark=remark)
    except EpiError as error:
        _record_refusal(folder, name, kind, error, policy)
        raise
    files[f"tables/{name}.csv"] = write_csv(decision).encode()
    data = {"text/html": html}
    metadata = make_mark(name, data)
    written: tuple[Path, ...] = ()
    if folder is not None:
        line = {
            "name": name,
            "kind": kind,
            "level": level,
            "title": decision.release.title,
            "sha256": metadata["epi"]["sha256"],
            **decision.record(),
            "layout": describe_layout(decision, obj.alt if isinstance(obj, Chart) else ""),
        }
        written = _store(folder, line, files)
    show(data, metadata)
    return Released(name, kind, level, decision, written, data, metadata)


def check_name(name: str) -> None:
    """Check the name of an output or a result.

    Parameters
    ----------
    name : str
        The name.

    Raises
    ------
    ParameterError
        If it is not lower-case letters, digits and underscores.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ParameterError(
            f"the name of an output is a text of lower-case letters, digits and underscores, not {name!r}",
            "a name such as sir_by_area",
            "change the name in epi.output or epi.record",
        )


def read_granted() -> Protocol | None:
    """Read the protocol of the study in progress.

    Returns
    -------
    Protocol or None
        What ``EPI_PROTOCOL`` names; None when no study is in progress.
    """
    place = os.environ.get("EPI_PROTOCOL", "").strip()
    return read_protocol(place) if place else None


def declared_levels(protocol: Protocol | None) -> dict[str, str]:
    """Give the level that a protocol declares for each output.

    Parameters
    ----------
    protocol : Protocol or None
        The study's protocol.

    Returns
    -------
    dict
        Output name to level; empty without a protocol.
    """
    return {} if protocol is None else {declared.name: declared.level for declared in protocol.outputs}


def _check_level(name: str, level: str | None, protocol: Protocol | None) -> str:
    if level is not None and level not in LEVELS:
        raise ParameterError(f"level {level!r} is unknown", f"one of {', '.join(LEVELS)}", "level='public'")
    if protocol is None:
        return level or "public"
    declared = declared_levels(protocol)
    if name not in declared:
        raise DisclosureError(
            f"output '{name}' is not declared in the protocol",
            ", ".join(declared) or "an output of the protocol, which has none",
            f"add it to outputs in protocol.yml: {{name: {name}, level: public, meaning: {{fr: …, en: …}}}}",
        )
    if level is not None and LEVELS.index(level) < LEVELS.index(declared[name]):
        raise DisclosureError(
            f"output '{name}' is asked for as {level}, and the protocol says {declared[name]}",
            f"{declared[name]}, or a narrower level",
            "leave level out, or amend the protocol",
        )
    return level or declared[name]


def _retitle(release: Release, title: str | None) -> Release:
    return release if title is None else replace(release, title=title)


def _draw(chart: Chart, name: str, decision: Decision, remark: str) -> tuple[dict[str, bytes], str]:
    if find_identifiers(chart.alt, decision.policy, periods=True):
        raise DisclosureError(f"output '{name}': the picture's alt text holds what is shaped like an identifier")
    try:
        figure = chart.figure(decision.table.copy())
    except EpiError:
        raise
    except Exception as error:
        raise DisclosureError(
            f"output '{name}' could not be drawn from its checked table ({type(error).__name__}): "
            f"{decision.n_hidden} of its cells are hidden, missing in the table",
            "a draw function that leaves missing cells out, or shows them as hidden",
            "test it with chart.figure(table) on a table with missing values",
        ) from error
    check_picture(figure, decision, name)
    png = render(figure, "png")
    # Every format is drawn here, from the checked table: nothing is converted once it has left.
    files = {
        f"figures/{name}.png": png,
        f"figures/{name}.{PRINT_DPI}dpi.png": render(figure, "png", PRINT_DPI),
        f"figures/{name}.svg": render(figure, "svg"),
        f"figures/{name}.pdf": render(figure, "pdf", PRINT_DPI),
    }
    return files, figure_html(decision, png, chart.alt, remark=remark)


def write_csv(decision: Decision) -> str:
    """Write a checked table as CSV.

    Parameters
    ----------
    decision : Decision
        What the gate let through.

    Returns
    -------
    str
        UTF-8 text, comma-separated: hidden cells carry the policy's mark, missing ones are empty,
        numbers are complete. A text that a spreadsheet would run as a formula gets a quote.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(quote_formula, decision.table.columns))
    columns = []
    for column in decision.table.columns:
        values, hidden = decision.table[column], decision.hidden[column]
        whole = is_whole(values) and not is_text(values)
        columns.append(
            [decision.policy.mark if hide else _cell(value, whole) for value, hide in zip(values, hidden, strict=True)]
        )
    writer.writerows(zip(*columns, strict=True))
    return buffer.getvalue()


def _cell(value: Any, whole: bool) -> str:
    if pd.isna(value):
        return ""
    if whole:
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    return quote_formula(str(value))


def quote_formula(text: str) -> str:
    """Put a quote before a text that a spreadsheet would run as a formula.

    Parameters
    ----------
    text : str
        A cell.

    Returns
    -------
    str
        The same text, or the text after a quote. A signed number stays as it is.

    Examples
    --------
    >>> [quote_formula(text) for text in ("ALS", "=1+1", "-2+3", "-2.5", "+33 %", "@sum")]
    ['ALS', "'=1+1", "'-2+3", '-2.5', '+33 %', "'@sum"]
    """
    signed = text[:1] in {"+", "-"} and _SIGNED.fullmatch(text) is None
    return f"'{text}" if signed or text[:1] in _STARTS_FORMULA else text


def _store(folder: Path, line: dict[str, Any], files: dict[str, bytes]) -> tuple[Path, ...]:
    """Write the files, then the line that vouches for them."""
    paths = tuple(folder / place for place in sorted(files))
    if any(not path.parent.resolve().is_relative_to(folder.resolve()) for path in paths):
        raise DisclosureError(
            f"output '{line['name']}' would be written outside the run's folder: tables or figures is a link",
            "folders of the run's own",
            "take the link away",
        )
    for earlier in read_lines(folder / GATE_FILE):
        if earlier.get("name") != line["name"] or earlier.get("verdict") != "released":
            continue
        if earlier.get("sha256") == line["sha256"] and earlier.get("kind") == line["kind"]:
            return paths
        raise DisclosureError(
            f"output '{line['name']}' was already published in this run, with other contents",
            "one payload for each name: two versions of a table can be subtracted",
            "choose another name, or start the run again",
        )
    for place, content in sorted(files.items()):
        if place.endswith(".csv"):
            write_text(folder / place, content.decode())
        else:
            write_bytes(folder / place, content)
    line["files"] = {place: digest_file(folder / place) for place in sorted(files)}
    append_line(folder / GATE_FILE, line)
    return paths


def _record_refusal(folder: Path | None, name: str, kind: str, error: EpiError, policy: Policy) -> None:
    if folder is not None:
        append_line(
            folder / GATE_FILE,
            {
                "name": name,
                "kind": kind,
                "verdict": "refused",
                "reason": error.sentence,
                "policy": policy.summary(),
            },
        )
