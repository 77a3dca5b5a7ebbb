"""``epi export``: figures and tables of a run, in the formats that journals ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from epi.commands.console import Json, Runs, console, print_json


def export(
    which: Annotated[str, typer.Argument(metavar="STUDY[/RUN]", help="A study, a run, or STUDY/latest.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to write; an earlier export is replaced.")],
    figures: Annotated[str, typer.Option("--figures", help="Formats of figures; none for no figure.")] = "png,svg,pdf",
    tables: Annotated[str, typer.Option("--tables", help="Formats of tables; none for no table.")] = "csv,xlsx,docx",
    only: Annotated[list[str] | None, typer.Option("--only", help="Name of an output; repeat for more.")] = None,
    level: Annotated[
        str, typer.Option("--level", help="The most private outputs carried: public, restricted or internal.")
    ] = "public",
    lang: Annotated[str, typer.Option("--lang", help="Language of notes and numbers: en or fr.")] = "en",
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Write what a run released, and nothing else: figures with their tables, tables, digests.

    Example: `epi export sla_environment --to build/paper --figures pdf --tables docx`

    Parameters
    ----------
    which : str
        A study, a run, or STUDY/latest.
    to : Path
        Folder to write; an earlier export is replaced.
    figures : str, optional
        Formats of figures; none for no figure.
    tables : str, optional
        Formats of tables; none for no table.
    only : list of str, optional
        Name of an output; repeat for more.
    level : str, optional
        The most private outputs carried: public, restricted or internal.
    lang : str, optional
        Language of notes and numbers: en or fr.
    runs : Path, optional
        Folder of runs.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.export import export_run
    from epi.runner.export.bundle import find_run

    run = find_run(runs, which)
    done = export_run(
        run, to, figures=_formats(figures), tables=_formats(tables), only=only or (), level=level, lang=lang
    )
    if json:
        print_json(
            {
                "study": run.study,
                "run_id": run.run_id,
                "level": level,
                "folder": str(done.folder),
                "files": dict(done.files),
                "left_out": list(done.bundle.left_out),
            }
        )
        return
    kind = "synthetic data" if run.synthetic else "real data"
    console().print(f"{len(done.files)} files of {run.study} {run.run_id} ({level}, {kind}): {done.folder}")
    if done.bundle.left_out:
        console().print(f"kept back by level {level}: {', '.join(done.bundle.left_out)}")


def _formats(text: str) -> tuple[str, ...]:
    return () if text.strip() in {"", "none"} else tuple(part.strip() for part in text.split(",") if part.strip())
