"""``epi codes``: look for a disease in the Orphanet nomenclature."""

from __future__ import annotations

from typing import Annotated

import typer

from epi.commands.console import Json, add_command, console, new_app, print_json, print_table

app = new_app("Medical codes: the Orphanet nomenclature.")


@app.callback()
def _group() -> None:
    """Medical codes: the Orphanet nomenclature."""


@add_command(app, "search")
def search(
    text: Annotated[str, typer.Argument(help="Words of the French or English label.", show_default=False)],
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most that many.")] = 20,
    inactive: Annotated[bool, typer.Option("--inactive", help="Also codes no longer in use.")] = False,
    json: Json = False,
) -> None:
    """Find ORPHA codes by words of their label; accents and case do not matter.

    Example: `epi codes search "sclerose laterale"`

    Parameters
    ----------
    text : str
        Words of the French or English label.
    limit : int, optional
        At most that many.
    inactive : bool, optional
        Also codes no longer in use.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.codes import open_nomenclature

    found = open_nomenclature().search(text, active_only=not inactive, limit=limit)
    columns = ["orpha_code", "level", "status", "label_fr", "label_en"]
    rows = [[str(row[column]) for column in columns] for row in found.to_dict("records")]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif rows:
        print_table(["ORPHA", "level", "status", "French", "English"], rows)
    else:
        console().print(f"no code has {text!r} in its label; try fewer words, or --inactive")
