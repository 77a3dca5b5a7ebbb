"""Two runs side by side, on one page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path

from epi.files import write_text
from epi.runner.difference.compare import Difference
from epi.runner.export.bundle import Bundle
from epi.runner.values import ValueChange

MOST_CELLS = 500


def write_page(difference: Difference, path: Path) -> None:
    """Write the comparison as one HTML file.

    Parameters
    ----------
    difference : Difference
        From :func:`~epi.runner.difference.compare.compare_runs`.
    path : Path
        Where to write.
    """
    write_text(path, render_page(difference))


def render_page(difference: Difference) -> str:
    """Write the comparison as HTML.

    Parameters
    ----------
    difference : Difference
        The comparison.

    Returns
    -------
    str
        A whole page; pictures are inside.
    """
    title = f"{difference.before.protocol.title.en}: two runs"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{_run(difference.before)} <strong>before</strong>, {_run(difference.after)} <strong>after</strong>.</p>",
        f'<p class="{"note" if difference.any else "same"}">{escape(say_summary(difference))}</p>',
        _small(difference),
        "<h2>What differs in what determines the results</h2>",
        _list(difference.causes) or "<p>Nothing: same study, parameters, data, code and libraries.</p>",
        "<h2>Results</h2>",
        _table(difference.changed_results, difference.min_count) or "<p>All the same.</p>",
        "<h2>Flow of persons</h2>",
        _table(difference.flow, difference.min_count, short=True) or "<p>No attrition was released by both.</p>",
        "<h2>Tables</h2>",
        _table(difference.cells[:MOST_CELLS], difference.min_count, short=True) or "<p>All cells are the same.</p>",
    ]
    if len(difference.cells) > MOST_CELLS:
        parts.append(f"<p>{len(difference.cells) - MOST_CELLS:,} more cells differ; all are in --json.</p>")
    for names, when in ((difference.only_before, "before"), (difference.only_after, "after")):
        if names:
            parts.append(f"<p>Only {when}: {escape(', '.join(names))}.</p>")
    parts += ["<h2>Figures</h2>", *(_figure(difference, name) for name in difference.figures)]
    if not difference.figures:
        parts.append("<p>All pictures are the same.</p>")
    if difference.sources:
        lines = "\n".join(_line(line) for line in difference.sources)
        parts += ["<h2>Protocol and cells</h2>", f"<pre>{lines}</pre>"]
    return _FRAME.replace("TITLE", escape(title)).replace("BODY", "\n".join(part for part in parts if part))


def say_summary(difference: Difference) -> str:
    """Say in one sentence what differs.

    Parameters
    ----------
    difference : Difference
        The comparison.

    Returns
    -------
    str
        For people.
    """
    if not difference.any and not difference.figures:
        return "No result, cell or figure differs beyond the tolerance."
    flow = sum(change.status != "same" for change in difference.flow)
    parts = [
        (len(difference.changed_results), f"of {len(difference.results)} results"),
        (flow, "of the flow of persons"),
        (len(difference.cells), "cells of tables"),
        (len(difference.figures), "pictures"),
        (len(difference.only_before) + len(difference.only_after), "outputs of one run alone"),
    ]
    return "Differ: " + ", ".join(f"{number} {what}" for number, what in parts if number) + "."


def show_value(value: object, limits: tuple[float | None, float | None] | None = None) -> str:
    """Write a value and its interval.

    Parameters
    ----------
    value : object
        A number, a text or None.
    limits : tuple, optional
        Its interval.

    Returns
    -------
    str
        Six significant digits at most.
    """
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    if limits is not None and limits[0] is not None and limits[1] is not None:
        text += f" ({limits[0]:.4g} to {limits[1]:.4g})"
    return text


def say_size(change: ValueChange, min_count: int) -> str:
    """Say how large a change is.

    Parameters
    ----------
    change : ValueChange
        The change.
    min_count : int
        The smallest number of persons that may be told.

    Returns
    -------
    str
        The difference, its share, and how it compares with the interval.
    """
    if change.status in {"same", "new", "gone"}:
        return change.status
    if change.is_small(min_count):
        return f"fewer than {min_count} persons"
    gap = change.difference
    if gap is None:
        return "changed"
    words = [f"{gap:+.4g}"]
    if change.relative is not None:
        words.append(f"{change.relative:+.2%}")
    if change.in_half_widths is not None:
        words.append(f"{change.in_half_widths:+.2f} half-widths")
    if change.overlap is False:
        words.append("intervals apart")
    return ", ".join(words)


def _run(bundle: Bundle) -> str:
    manifest = bundle.run.manifest
    preset = f", preset {manifest['preset']}" if manifest.get("preset") else ""
    return f"<code>{escape(bundle.run.run_id)}</code> ({escape(str(manifest['finished'])[:16])} UTC{escape(preset)})"


def _small(difference: Difference) -> str:
    if not difference.small:
        return ""
    return (
        f'<p class="note">{len(difference.small)} counts differ by fewer than {difference.min_count} persons: '
        "publishing both runs would tell of these few. Publish one.</p>"
    )


def _list(items: Iterable[str]) -> str:
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else ""


def _table(changes: Iterable[ValueChange], min_count: int, *, short: bool = False) -> str:
    lines = []
    for change in changes:
        cells = [change.name, change.where, show_value(change.before, change.limits_before)]
        cells += [show_value(change.after, change.limits_after), say_size(change, min_count)]
        lines.append(f'<tr class="{change.status}">' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    if not lines:
        return ""
    head = "".join(
        f"<th>{name}</th>" for name in ("table" if short else "result", "where", "before", "after", "change")
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _figure(difference: Difference, name: str) -> str:
    sides = []
    for bundle, when in ((difference.before, "before"), (difference.after, "after")):
        output = bundle.output(name)
        content = output.files.get(f"{name}.png", b"") if output else b""
        source = base64.b64encode(content).decode()
        sides.append(
            f'<figure><img alt="{escape(name)}, {when}" src="data:image/png;base64,{source}">'
            f"<figcaption>{when}</figcaption></figure>"
        )
    return f"<h3>{escape(name)}</h3><div class='sides'>{''.join(sides)}</div>"


def _line(line: str) -> str:
    kind = "added" if line.startswith("+") else "removed" if line.startswith("-") else ""
    return f'<span class="{kind}">{escape(line)}</span>'


_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>TITLE</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem } h3 { font-size: 1rem }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem }
th, td { text-align: left; padding: 0.25rem 0.6rem; border-bottom: 1px solid #d8dfe6; vertical-align: top }
tr.same td { color: #5c6b7a } tr.changed td:last-child { font-weight: 600 }
.wide { overflow-x: auto } .note { background: #fff6db; padding: 0.5rem 0.8rem }
p.same { background: #e6f4ea; padding: 0.5rem 0.8rem }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem } .sides figure { margin: 0 }
.sides img { max-width: 100% }
pre { background: #f5f7f9; padding: 0.8rem; overflow-x: auto; font-size: 0.85rem }
.added { color: #10602c } .removed { color: #a02020 }
</style></head><body>
BODY
</body></html>
"""
