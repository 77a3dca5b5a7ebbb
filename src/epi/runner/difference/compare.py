"""Compare two runs: only what the gate released is read, apart from the cells that authors wrote."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epi.errors import ParameterError
from epi.files import dump_json
from epi.runner.export.bundle import Bundle, Empty, Output, open_bundle
from epi.runner.folder import Run
from epi.runner.identity import explain_difference
from epi.runner.values import Tolerance, ValueChange, counts_persons


@dataclass(frozen=True)
class Difference:
    """What differs between two runs.

    Parameters
    ----------
    before, after : Bundle
        What the two released.
    causes : tuple of str
        What determines their results and is not the same: parameters, files, data, code, libraries.
    results : tuple of ValueChange
        Every result of either, those that are the same too.
    flow : tuple of ValueChange
        The attrition, step by step.
    cells : tuple of ValueChange
        Cells of tables that are not the same.
    figures : tuple of str
        Figures whose picture is not the same.
    only_before, only_after : tuple of str
        Outputs that one of them alone released.
    sources : tuple of str
        Lines of a unified difference of protocol and cells.
    """

    before: Bundle
    after: Bundle
    causes: tuple[str, ...]
    results: tuple[ValueChange, ...]
    flow: tuple[ValueChange, ...]
    cells: tuple[ValueChange, ...]
    figures: tuple[str, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    sources: tuple[str, ...] = field(repr=False)

    @property
    def changed_results(self) -> tuple[ValueChange, ...]:
        """Results that are not the same."""
        return tuple(change for change in self.results if change.status != "same")

    @property
    def min_count(self) -> int:
        """The stricter of the two runs' smallest numbers of persons."""
        return max(int(bundle.run.manifest.get("min_count", 11)) for bundle in (self.before, self.after))

    @property
    def small(self) -> tuple[ValueChange, ...]:
        """Counts that, published both, would tell of a few persons."""
        changes = [*self.changed_results, *self.flow, *self.cells]
        return tuple(change for change in changes if change.is_small(self.min_count))

    @property
    def any(self) -> bool:
        """Whether any figure differs beyond the tolerance."""
        flow = any(change.status != "same" for change in self.flow)
        return bool(self.changed_results or flow or self.cells or self.only_before or self.only_after)

    def plain(self) -> dict[str, Any]:
        """Give everything as plain values.

        Returns
        -------
        dict
            Ready for JSON.
        """
        return {
            "study": self.before.run.study,
            "before": self.before.run.run_id,
            "after": self.after.run.run_id,
            "differs": self.any,
            "causes": list(self.causes),
            "results": [_plain(change) for change in self.changed_results],
            "attrition": [_plain(change) for change in self.flow],
            "cells": [_plain(change) for change in self.cells],
            "figures": list(self.figures),
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
            "small_differences": len(self.small),
            "sources": list(self.sources),
        }


def compare_runs(
    before: Run, after: Run, *, tolerance: Tolerance | None = None, level: str = "public", lang: str = "en"
) -> Difference:
    """Compare what two finished runs of one study released.

    Parameters
    ----------
    before, after : Run
        The runs.
    tolerance : Tolerance, optional
        How far apart the same numbers may be.
    level : {"public", "restricted", "internal"}, optional
        The most private level compared.
    lang : {"en", "fr"}, optional
        Language of meanings.

    Returns
    -------
    Difference
        What differs, and why it may.

    Raises
    ------
    ParameterError
        If they are runs of two studies.
    RunError
        If one has not ended well, or was made by an earlier version.
    DisclosureError
        If a released file changed since its run.
    """
    if before.study != after.study:
        raise ParameterError(
            f"these are runs of two studies, {before.study} and {after.study}",
            "two runs of one study",
            "epi runs STUDY",
        )
    room = tolerance or Tolerance()
    old, new = (open_bundle(run, level=level, lang=lang) for run in (before, after))
    told = explain_difference(before.manifest.get("ingredients", {}), after.manifest.get("ingredients", {}))
    tables = {output.name: output for output in old.outputs}, {output.name: output for output in new.outputs}
    shared = [name for name in tables[0] if name in tables[1]]
    cells = [
        change
        for name in shared
        if name != "attrition"
        for change in _compare_tables(tables[0][name], tables[1][name], room)
        if change.status != "same"
    ]
    flow = _compare_tables(tables[0]["attrition"], tables[1]["attrition"], room) if "attrition" in shared else []
    flow = [change for change in flow if change.counts_persons or change.status in {"new", "gone"}]  # not their numbers
    return Difference(
        old,
        new,
        tuple(told.split("; ")) if told else (),
        tuple(_compare_results(old, new, room)),
        tuple(flow),
        tuple(cells),
        tuple(name for name in shared if _picture(tables[0][name]) != _picture(tables[1][name])),
        tuple(name for name in tables[0] if name not in tables[1]),
        tuple(name for name in tables[1] if name not in tables[0]),
        tuple(_compare_sources(before.folder, after.folder)),
    )


def _compare_results(old: Bundle, new: Bundle, room: Tolerance) -> list[ValueChange]:
    found = [
        {(str(row["name"]), dump_json(row["stratum"] or {})): row for row in bundle.results} for bundle in (old, new)
    ]
    changes = []
    for key in sorted(found[0].keys() | found[1].keys()):
        rows = [side.get(key) for side in found]
        values = [_shown(row) for row in rows]
        limits = [(row["ci_low"], row["ci_high"]) if row else None for row in rows]
        same = None not in rows and all(
            room.same(one, two)
            for one, two in zip([values[0], *(limits[0] or ())], [values[1], *(limits[1] or ())], strict=True)
        )
        known = rows[0] or rows[1] or {}
        where = ", ".join(f"{name} {value}" for name, value in json.loads(key[1]).items())
        counts = all(counts_persons(value, known.get("unit")) for value in values)
        status = "new" if rows[0] is None else "gone" if rows[1] is None else "same" if same else "changed"
        changes.append(ValueChange(key[0], where, values[0], values[1], limits[0], limits[1], status, counts))
        sizes = [row.get("n") if row else None for row in rows]
        if all(counts_persons(size, None) for size in sizes) and not room.same(sizes[0], sizes[1]):
            # The persons a result rests on are published beside it, and can be subtracted as well.
            changes.append(ValueChange(f"{key[0]}: n", where, sizes[0], sizes[1], None, None, "changed", True))
    return changes


def _shown(row: Mapping[str, Any] | None) -> Any:
    if row is None:
        return None
    return "[c]" if row.get("suppressed") else row["estimate"]


def _compare_tables(old: Output, new: Output, room: Tolerance) -> list[ValueChange]:
    """Compare cell by cell: rows by their texts where these tell them apart, by their place elsewhere."""
    names = [name for name in old.columns if name in new.columns]
    keys = [name for name in names if old.kind_of(name) == new.kind_of(name) == "text"]
    sides = [_by_key(output, keys) for output in (old, new)]
    if keys and all(len(side) == len(output.rows) for side, output in zip(sides, (old, new), strict=True)):
        values = [name for name in names if name not in keys]
    else:
        sides = [{(f"row {place}",): row for place, row in enumerate(_rows(output), 1)} for output in (old, new)]
        values = names
    changes = [
        ValueChange(old.name, f"column {name}", "there", None, status="gone")
        for name in old.columns
        if name not in new.columns
    ]
    changes += [
        ValueChange(old.name, f"column {name}", None, "there", status="new")
        for name in new.columns
        if name not in old.columns
    ]
    order = [*sides[0], *(key for key in sides[1] if key not in sides[0])]
    for key in order:
        # A sign that a spreadsheet would take for a formula has a quote in the file, which is no part of the text.
        label = ", ".join(part.removeprefix("'") for part in key if part)
        rows = [side.get(key) for side in sides]
        if rows[0] is None or rows[1] is None:
            gone = rows[1] is None
            there = ("a row", None) if gone else (None, "a row")
            changes.append(ValueChange(old.name, label, there[0], there[1], status="gone" if gone else "new"))
            continue
        for name in values:
            before, after = rows[0][name], rows[1][name]
            status = "same" if room.same(before, after) else "changed"
            counts = old.kind_of(name) == "count"
            changes.append(ValueChange(old.name, f"{label}: {name}", before, after, None, None, status, counts))
    return changes


def _rows(output: Output) -> list[dict[str, Any]]:
    return [
        {
            name: output.mark if cell is Empty.HIDDEN else None if cell is Empty.MISSING else cell
            for name, cell in zip(output.columns, row, strict=True)
        }
        for row in output.rows
    ]


def _by_key(output: Output, keys: list[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple("" if row[name] is None else str(row[name]) for name in keys): row for row in _rows(output)}


def _picture(output: Output) -> bytes:
    return next((content for name, content in output.files.items() if name == f"{output.name}.png"), b"")


def _compare_sources(before: Path, after: Path) -> list[str]:
    """Give a unified difference of the protocol, and of the cells that the study's author wrote."""
    lines = _unified("protocol.yml", _text(before / "protocol.yml"), _text(after / "protocol.yml"))
    names = sorted({path.name for run in (before, after) for path in (run / "notebooks").glob("*.ipynb")})
    for name in names:
        lines += _unified(name, _cells(before / "notebooks" / name), _cells(after / "notebooks" / name))
    return lines


def _unified(name: str, before: list[str], after: list[str]) -> list[str]:
    return list(difflib.unified_diff(before, after, f"{name} (before)", f"{name} (after)", lineterm="", n=2))


def _text(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _cells(path: Path) -> list[str]:
    """List the lines of a notebook's cells: no outputs, and not the injected parameters, which are told elsewhere."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return []
    lines: list[str] = []
    written = [cell for cell in cells if "injected-parameters" not in cell.get("metadata", {}).get("tags", [])]
    for number, cell in enumerate(written, 1):
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        lines += [f"# cell {number}, {cell['cell_type']}", *source.splitlines()]
    return lines


def _plain(change: ValueChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "where": change.where,
        "status": change.status,
        "before": change.before,
        "after": change.after,
        "interval_before": change.limits_before,
        "interval_after": change.limits_after,
        "difference": change.difference,
        "relative": change.relative,
        "in_half_widths": change.in_half_widths,
        "intervals_overlap": change.overlap,
    }
