"""Executed notebooks as pages: code and text, and of the outputs only what the gate let through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epi.disclosure import find_gate_line
from epi.results import LEVELS
from epi.runner.folder import Run
from epi.runner.inspection import read_notebook, tags
from epi.runner.scan import find_identifier_shapes
from epi.runner.site.markup import Markdown, Store, decode_png, highlight_python, sanitise_html
from epi.runner.site.words import word


@dataclass(frozen=True)
class Shown:
    """One output of a cell as the page shows it: what the gate made, or a note.

    Parameters
    ----------
    html : str, optional
        Safe HTML.
    note : str, optional
        Why there is none.
    """

    html: str = ""
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell of a rendered notebook.

    Parameters
    ----------
    kind : {"text", "code"}
        What it is.
    html : str
        Its text or code, safe to show.
    label : str, optional
        Its execution count.
    injected : bool, optional
        Whether it holds the parameters of the run.
    outputs : tuple of Shown, optional
        What it put out.
    """

    kind: str
    html: str
    label: str = ""
    injected: bool = False
    outputs: tuple[Shown, ...] = ()


@dataclass
class RenderedNotebook:
    """A notebook ready for its page.

    Parameters
    ----------
    cells : list of Cell, optional
        Its cells.
    left_out : int, optional
        How many outputs were left out.
    """

    cells: list[Cell] = field(default_factory=list)
    left_out: int = 0


def render_notebook(
    path: Path,
    gate: Sequence[Mapping[str, Any]],
    *,
    lang: str,
    store: Store,
    level: str = "public",
) -> RenderedNotebook:
    """Render an executed notebook.

    Parameters
    ----------
    path : Path
        The executed notebook of a run.
    gate : sequence of mapping
        The lines of the run's ``gate.jsonl``.
    lang : {"fr", "en"}
        Language of the notes.
    store : callable
        Keeps a picture among the site's files and gives its address from the page.
    level : {"public", "restricted", "internal"}, optional
        The most private level that the site's readers may see.

    Returns
    -------
    RenderedNotebook
        The cells, and how many outputs were left out.
    """
    rendered = RenderedNotebook()
    markdown = Markdown(lambda alt: word("image_left_out", lang, alt=alt))
    cells = read_notebook(path)["cells"]
    injected = any("injected-parameters" in tags(cell) for cell in cells)
    for cell in cells:
        if injected and "parameters" in tags(cell):
            continue  # the defaults: the cell of this run's own values follows
        if find_identifier_shapes(cell["source"]):
            # A run of before this was checked, or parameters of its own: nothing of the cell is shown.
            note = Shown(note=word("left_out_identifier", lang))
            rendered.left_out += len(cell.get("outputs", []))
            rendered.cells.append(Cell("code", "", outputs=(note,)))
        elif cell["cell_type"] == "markdown":
            rendered.cells.append(Cell("text", markdown.render(cell["source"])))
        elif cell["cell_type"] == "code" and (cell["source"].strip() or cell.get("outputs")):
            count = cell.get("execution_count")
            outputs, left_out = _outputs(cell.get("outputs", []), gate, lang, store, level)
            rendered.left_out += left_out
            rendered.cells.append(
                Cell(
                    "code",
                    highlight_python(cell["source"]),
                    label=str(count) if isinstance(count, int) else "",
                    injected="injected-parameters" in tags(cell),
                    outputs=tuple(outputs),
                )
            )
    return rendered


def _outputs(
    outputs: Sequence[Mapping[str, Any]],
    gate: Sequence[Mapping[str, Any]],
    lang: str,
    store: Store,
    level: str,
) -> tuple[list[Shown], int]:
    shown: list[Shown] = []
    unmarked = left_out = 0
    for output in outputs:
        entry = find_gate_line(output, gate)
        if entry is None:
            marked = bool(dict(output.get("metadata") or {}).get("epi"))
            left_out += 1
            if marked:
                shown.append(Shown(note=word("left_out_changed", lang)))
            else:
                unmarked += 1
            continue
        own = str(entry.get("level", "public"))
        if not may_see(own, level):
            left_out += 1
            shown.append(Shown(note=word("left_out_level", lang, level=word(f"level_{own}", lang))))
            continue
        html = payload_html(output.get("data", {}))
        left_out += html is None
        shown.append(
            Shown(note=word("left_out_form", lang)) if html is None else Shown(html=sanitise_html(html, store))
        )
    if unmarked:
        key = "left_out_one" if unmarked == 1 else "left_out_many"
        shown.append(Shown(note=word(key, lang, count=unmarked)))
    return shown, left_out


def payload_html(data: Mapping[str, Any]) -> str | None:
    """Give the HTML of a marked payload.

    Parameters
    ----------
    data : mapping
        MIME type to content.

    Returns
    -------
    str or None
        The gate's HTML, or a PNG picture as HTML; None for anything else.
    """
    html, picture = data.get("text/html"), data.get("image/png")
    if isinstance(html, str | list):
        return "".join(html)
    if isinstance(picture, str | list):
        text = "".join("".join(picture).split())
        return f'<img src="data:image/png;base64,{text}" alt="">' if decode_png(text) else None
    return None


def may_see(own: str, level: str) -> bool:
    """Say whether readers of a level may see an output.

    Parameters
    ----------
    own : str
        The output's level.
    level : str
        The most private level that the readers may see.

    Returns
    -------
    bool
        False for a level that is unknown.
    """
    return own in LEVELS and LEVELS.index(own) <= LEVELS.index(level)


def find_payloads(run: Run, gate: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Find what the gate showed of each output in a run's notebooks.

    Parameters
    ----------
    run : Run
        A finished run.
    gate : sequence of mapping
        The lines of its ``gate.jsonl``.

    Returns
    -------
    dict of str to str
        Name of the output and its HTML, as the gate made it; outputs that do not carry the
        gate's mark are not there.
    """
    found: dict[str, str] = {}
    for step in run.manifest.get("timings", []):
        for cell in read_notebook(run.folder / "notebooks" / str(step["notebook"]))["cells"]:
            for output in cell.get("outputs", []):
                entry = find_gate_line(output, gate)
                html = payload_html(output.get("data", {})) if entry is not None else None
                if entry is not None and html is not None:
                    found[str(entry["name"])] = html
    return found
