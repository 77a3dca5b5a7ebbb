"""``epi workspace``: read a raw registry into a workspace, and show one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from epi.commands.console import Json, add_command, console, new_app, print_json, print_table

app = new_app("Workspaces: tidy tables, opposed patients left out.")


@app.callback()
def _group() -> None:
    """Workspaces: tidy tables, opposed patients left out."""


@add_command(app, "build")
def build(
    source: Annotated[Path, typer.Argument(help="Folder of raw registry files, or a world.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; an earlier workspace is replaced.")],
    mapping: Annotated[Path | None, typer.Option("--mapping", help="Their columns and values to ours (YAML).")] = None,
    title: Annotated[str | None, typer.Option("--title", help="What the data are, in a few words.")] = None,
    memory: Annotated[str, typer.Option("--memory", help="What the reader may hold in memory.")] = "1GB",
    json: Json = False,
) -> None:
    """Read, validate and tidy a raw registry; rejected rows go to a side file with the reason.

    Example: `epi workspace build build/world --out build/workspace`

    Parameters
    ----------
    source : Path
        Folder of raw registry files, or a world.
    out : Path
        Folder to write; an earlier workspace is replaced.
    mapping : Path, optional
        Their columns and values to ours (YAML).
    title : str, optional
        What the data are, in a few words.
    memory : str, optional
        What the reader may hold in memory.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.workspace import build_workspace

    screen = console(stderr=True)
    with screen.status("reading the registry…") as status:
        report = build_workspace(
            source,
            out,
            mapping=mapping,
            title=title,
            memory_limit=memory,
            progress=lambda table, done, total: status.update(f"reading the registry: {table} ({done}/{total})"),
        )
    if json:
        print_json(report.as_dict())
        return
    console().print(report.summary())
    console().print(f"workspace written to {out}")


@add_command(app, "show")
def show(
    path: Annotated[Path, typer.Argument(help="A workspace.", envvar="EPI_WORKSPACE", show_default=False)],
    rule: Annotated[str, typer.Option("--opposition", help="Opposition rule: strict or registry.")] = "strict",
    json: Json = False,
) -> None:
    """Show a workspace: tables, periods, rows, opposition. Counts only, no row of anyone.

    Example: `epi workspace show build/workspace`

    Parameters
    ----------
    path : Path
        A workspace.
    rule : str, optional
        Opposition rule: strict or registry.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.errors import ParameterError
    from epi.workspace import open_workspace

    if rule not in {"strict", "registry"}:
        raise ParameterError(f"opposition rule {rule!r} is unknown", "strict or registry")
    workspace = open_workspace(path, opposition=rule)  # type: ignore[arg-type]  # checked above
    summary = workspace.summary()
    if json:
        print_json(_plain(workspace, summary))
        return
    label = "  [SYNTHETIC DATA]" if workspace.synthetic else ""
    screen = console()
    screen.print(f"{workspace.title}{label}")
    screen.print(f"Extracted on {workspace.extraction_date}; fingerprint {workspace.fingerprint[:12]}.")
    screen.print(workspace.opposition.sentence() + "\n")
    rows = [
        (row["table"], int(row["rows"]), int(row["columns"]), _year(row["first_year"]), _year(row["last_year"]))
        for row in summary.to_dict("records")
    ]
    print_table(["table", "rows", "columns", "from", "to"], rows)


def _year(value: Any) -> str:
    return "" if value is None or value != value or str(value) == "<NA>" else str(int(value))


def _plain(workspace: Any, summary: Any) -> dict[str, Any]:
    ledger = workspace.opposition
    return {
        "title": workspace.title,
        "synthetic": workspace.synthetic,
        "extraction_date": workspace.extraction_date.isoformat(),
        "fingerprint": workspace.fingerprint,
        "opposition": {"rule": ledger.rule, "known": ledger.known, "kept": ledger.kept, "totals": dict(ledger.totals)},
        "tables": [
            {
                "table": row["table"],
                "rows": int(row["rows"]),
                "columns": int(row["columns"]),
                "first_year": _year(row["first_year"]) or None,
                "last_year": _year(row["last_year"]) or None,
            }
            for row in summary.to_dict("records")
        ],
    }
