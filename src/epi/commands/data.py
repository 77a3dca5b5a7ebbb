"""``epi data``: known official files of open data, added from a local copy and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from epi.commands.console import Json, add_command, console, new_app, print_json, print_table

app = new_app("Open French data: which official files are known, which are there, whether they are sound.")
Folder = Annotated[
    Path | None, typer.Option("--folder", envvar="EPI_OPEN_DATA", help="Folder of open data.", show_default=False)
]


@app.callback()
def _group() -> None:
    """Open French data: which official files are known, which are there, whether they are sound."""


@add_command(app, "list")
def list_(
    search: Annotated[str, typer.Argument(help="Words in French or English.", show_default=False)] = "",
    folder: Folder = None,
    json: Json = False,
) -> None:
    """List official files: producer, licence, published name, where to find it, present or not.

    Example: `epi data list défavorisation`

    Parameters
    ----------
    search : str, optional
        Words in French or English; all must be found.
    folder : Path, optional
        Folder of open data.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.sources.open_data import list_layouts

    found = list_layouts(folder, search)
    if json:
        print_json(found.to_dict("records"))
        return
    if found.empty:
        console().print(f"no official file has {search!r} in its description; try fewer words")
        return
    theme = ""
    for row in found.to_dict("records"):
        if row["theme"] != theme:
            theme = row["theme"]
            console().print(theme.replace("_", " ").upper())
        console().print(f"{row['id']}: {row['title_fr']} / {row['title_en']} ({row['producer']}; {row['licence']})")
        if row["present"]:
            console().print(f"    present: {row['present'].replace('|', ', ')}")
        else:
            names = row["files"].replace("|", ", ") if row["verified"] else "its layout is not verified"
            console().print(f"    absent: {names}; {row['source']}")


@add_command(app, "add")
def add(
    files: Annotated[list[Path], typer.Argument(help="Official files, as downloaded.", show_default=False)],
    folder: Folder = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a file whose content differs.")] = False,
    json: Json = False,
) -> None:
    """Add official files: recognised, read whole, copied into the folder with their checksum.

    Nothing is fetched: download the file first from the address that `epi data list` gives.

    Example: `epi data add ~/Downloads/radon.csv --folder data`

    Parameters
    ----------
    files : list of Path
        Official files, as downloaded.
    folder : Path, optional
        Folder of open data.
    replace : bool, optional
        Replace a file whose content differs.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.sources.open_data import add_file

    done = [add_file(file, folder, replace=replace) for file in files]
    if json:
        print_json(
            [
                {
                    "file": added.file,
                    "status": added.status,
                    "sha256": added.sha256,
                    "tables": [
                        {
                            "layout": table.layout.id,
                            "rows": len(table.table),
                            "vintage": table.vintage,
                            "geography": table.geography,
                            "notes": list(table.notes),
                        }
                        for table in added.tables
                    ],
                }
                for added in done
            ]
        )
        return
    for added in done:
        for table in added.tables:
            console().print(
                f"{added.file}: {added.status}; {table.layout.id}, vintage {table.vintage}, {len(table.table):,} rows"
            )
            for note in table.notes:
                console().print(f"  {note}")


@add_command(app, "check")
def check(folder: Folder = None, json: Json = False) -> None:
    """Check every file: checksum, layout, number of rows. Exit code 3 if one is not sound.

    Example: `epi data check --folder data`

    Parameters
    ----------
    folder : Path, optional
        Folder of open data.
    json : bool, optional
        Print JSON, for a machine.
    """
    from dataclasses import asdict

    from epi.errors import DataError
    from epi.sources.open_data import check_folder

    found = check_folder(folder)
    if json:
        print_json([{**asdict(checked), "sound": checked.sound} for checked in found])
    elif found:
        rows = [[checked.file, checked.status, checked.rows, checked.layout, checked.detail] for checked in found]
        print_table(["file", "status", "rows", "layout", "detail"], rows)
    else:
        console().print("the folder holds no official file; epi data add FILE adds one")
    if not all(checked.sound for checked in found):
        raise typer.Exit(DataError.exit_code)
