"""Look at a folder of outputs: what the gate did not write, small counts, identifiers."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pandas as pd

from epi.disclosure.columns import has_word
from epi.disclosure.findings import Finding
from epi.disclosure.identifiers import count_identifiers, is_identifier_name
from epi.disclosure.ledger import GATE_FILE, RESULTS_FILE, read_gate
from epi.disclosure.marks import verify_cell_output
from epi.disclosure.policy import Policy, read_policy
from epi.errors import DataError
from epi.files import digest_file

_RUN_FILES = frozenset(
    {GATE_FILE, RESULTS_FILE, "results.json", "results.csv", "manifest.json", "protocol.yml", "attrition.csv"}
)
# Beside a definition in words, alone in its file: steps of an attrition, settings of results.
_PERIODS = frozenset({"label", "settings"})
_WHOLE = re.compile(r"\d+(\.0+)?")


def check_outputs(path: str | os.PathLike[str], policy: Policy | None = None) -> list[Finding]:
    """Look at a folder of outputs before it leaves.

    Parameters
    ----------
    path : path-like
        A run folder, a folder of tables and figures, or one CSV file.
    policy : Policy, optional
        The rules; the package's own by default.

    Returns
    -------
    list of Finding
        Files that the gate did not write or that changed since, small counts, cells shaped like
        identifiers, notebook outputs without the gate's mark. Empty when nothing was found.

    Raises
    ------
    DataError
        If the path does not exist.
    """
    policy = policy or read_policy()
    place = Path(path)
    if not place.exists():
        raise DataError(f"{place} does not exist", "a folder of outputs or a CSV file", "check the path")
    if place.is_file():
        return _check_csv(place, place.name, policy)
    lines = read_gate(place)
    declared = {name: digest for line in lines for name, digest in line.get("files", {}).items()}
    findings: list[Finding] = []
    for file in sorted(one for one in place.rglob("*") if one.is_file() or one.is_symlink()):
        name = file.relative_to(place).as_posix()
        if file.is_symlink():
            findings.append(Finding("link", "refused", name, "a link, which may lead to anything"))
        elif name in declared:
            if digest_file(file) != declared[name]:
                findings.append(Finding("changed", "refused", name, "changed since the gate wrote it"))
        elif file.suffix == ".ipynb":
            findings += _check_notebook(file, name, lines)
        elif name not in _RUN_FILES:
            findings.append(Finding("undeclared", "warning", name, "the gate did not write it"))
        if file.suffix.lower() in {".csv", ".tsv"} and not file.is_symlink():
            findings += _check_csv(file, name, policy)
    findings += [
        Finding("missing", "warning", name, "the gate wrote it, and it is not there any more")
        for name in sorted(declared)
        if not (place / name).exists()
    ]
    return findings


def _check_csv(file: Path, name: str, policy: Policy) -> list[Finding]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return [Finding("encoding", "warning", name, "not UTF-8: it was not checked")]
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    rows = list(csv.reader(text.splitlines(), delimiter=separator))
    if not rows:
        return [Finding("empty", "note", name, "an empty file")]
    head = rows[0]
    findings: list[Finding] = []
    for place, column in enumerate(head):
        cells = [row[place].strip() for row in rows[1:] if len(row) > place and row[place].strip()]
        where = f"{name}, column '{column}'" if not _gives_itself_away(column, policy) else f"{name}, a heading"
        if is_identifier_name(column.strip(), policy):
            findings.append(Finding("identifier_column", "refused", where, "an identifier or an exact date"))
        periods = len(head) == 1 or column.strip() in _PERIODS
        met = count_identifiers(pd.Series([column, *cells], dtype=object), policy, periods=periods)
        for rule, many in met.items():
            findings.append(Finding("identifier_value", "refused", where, f"{many} cell(s) shaped like: {rule}"))
        if has_word(column.strip(), policy.count_columns):
            small = sum(bool(_WHOLE.fullmatch(cell)) and policy.is_small(float(cell)) for cell in cells)
            if small:
                findings.append(
                    Finding("small_count", "refused", where, f"{small} count(s) of 1 to {policy.min_count - 1} persons")
                )
    return findings


def _gives_itself_away(column: str, policy: Policy) -> bool:
    return bool(count_identifiers(pd.Series([column], dtype=object), policy))


def _check_notebook(file: Path, name: str, lines: list[dict[str, object]]) -> list[Finding]:
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        return [Finding("notebook", "warning", name, "not a notebook that can be read")]
    unmarked = sum(not verify_cell_output(output, lines) for cell in cells for output in cell.get("outputs", []))
    if not unmarked:
        return []
    return [
        Finding(
            "unmarked",
            "warning",
            name,
            f"{unmarked} cell output(s) without the gate's mark: a page drops them, the notebook itself holds them",
        )
    ]
