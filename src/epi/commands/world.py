"""``epi world``: build a synthetic France."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from epi.commands.console import add_command, console, new_app

app = new_app("The synthetic France: simulated patients on real communes, with planted truth.")


@app.callback()
def _group() -> None:
    """Build the synthetic France: simulated patients on real communes, with planted truth."""


@add_command(app, "build")
def build(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; an earlier world is replaced.")],
    persons: Annotated[int, typer.Option("--persons", min=1000, help="Inhabitants, by whole territories.")] = 1_000_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.")] = 1,
    around: Annotated[str, typer.Option("--around", help="Département in the middle of the territory.")] = "69",
    open_data: Annotated[
        Path | None,
        typer.Option("--open-data", envvar="EPI_OPEN_DATA", help="Folder of open data, for real exposures."),
    ] = None,
) -> None:
    """Build a synthetic population and its registry, in raw form.

    Example: `epi world build --persons 200000 --seed 1 --out build/world`

    Parameters
    ----------
    out : Path
        Folder to write; an earlier world is replaced.
    persons : int, optional
        Inhabitants, by whole territories.
    seed : int, optional
        Same seed, same bytes.
    around : str, optional
        Département in the middle of the territory.
    open_data : Path, optional
        Folder of open data, for real exposures.
    """
    from epi.world import build_world

    screen = console(stderr=True)
    with screen.status("building the synthetic France…"):
        build_world(out, persons=persons, seed=seed, around=around, open_data=open_data)
    console().print(f"world written to {out}: synthetic data, seed {seed}")
