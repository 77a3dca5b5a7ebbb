"""``epi diff``: what differs between two runs of a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from epi.commands.console import Json, Runs, console, print_json, print_table

if TYPE_CHECKING:
    from epi.runner.difference import Difference
    from epi.runner.folder import Run


def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="STUDY/RUN, STUDY/latest, or a run's folder.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another run of the same study.")],
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, help="Share of a number by which it may differ and be the same.")
    ] = 1e-9,
    absolute: Annotated[
        float, typer.Option("--absolute", min=0, help="Difference below which two numbers are the same.")
    ] = 1e-12,
    show_all: Annotated[bool, typer.Option("--all", help="Show results that are the same, too.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write one page, figures side by side.")] = None,
    level: Annotated[
        str, typer.Option("--level", help="The most private outputs compared: public, restricted or internal.")
    ] = "public",
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Compare two runs: causes, results, flow, tables, figures. Ends with 0 when no figure differs, else with 1.

    Example: `epi diff sla_environment/0123456789ab sla_environment/latest --html build/diff.html`

    Parameters
    ----------
    before : str
        STUDY/RUN, STUDY/latest, or a run's folder.
    after : str
        Another run of the same study.
    tolerance : float, optional
        Share of a number by which it may differ and be the same.
    absolute : float, optional
        Difference below which two numbers are the same.
    show_all : bool, optional
        Show results that are the same, too.
    html : Path, optional
        Write one page, figures side by side.
    level : str, optional
        The most private outputs compared: public, restricted or internal.
    runs : Path, optional
        Folder of runs.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.errors import EpiError
    from epi.runner.difference import Tolerance, compare_runs, write_page

    try:
        found = compare_runs(
            _open(runs, before), _open(runs, after), tolerance=Tolerance(tolerance, absolute), level=level
        )
    except EpiError as error:
        console(stderr=True).print(f"epi: {error}")
        raise typer.Exit(2) from None
    if html is not None:
        write_page(found, html)
    if json:
        print_json(found.plain())
    else:
        _show(found, show_all)
        if html is not None:
            console().print(f"{html}")
    raise typer.Exit(1 if found.any else 0)


def _open(runs: Path, which: str) -> Run:
    from epi.runner.export.bundle import find_run
    from epi.runner.folder import Run, read_manifest

    folder = Path(which).resolve()
    manifest = read_manifest(folder)
    return Run(folder, manifest) if manifest is not None else find_run(runs, which)


def _show(found: Difference, show_all: bool) -> None:
    from epi.runner.difference.page import say_size, say_summary, show_value

    out = console()
    out.print(say_summary(found))
    for cause in found.causes:
        out.print(f"  because {cause}" if found.any else f"  although {cause}")
    shown = [*(found.results if show_all else found.changed_results)]
    shown += [change for change in found.flow if show_all or change.status != "same"]
    shown += found.cells[:40]
    rows = [
        (
            change.name,
            change.where,
            show_value(change.before, change.limits_before),
            show_value(change.after, change.limits_after),
            say_size(change, found.min_count),
        )
        for change in shown
    ]
    if rows:
        print_table(["what", "where", "before", "after", "change"], rows)
    if len(found.cells) > 40:
        out.print(f"{len(found.cells) - 40:,} more cells of tables differ: see --json or --html")
    if found.figures:
        out.print(f"pictures that differ: {', '.join(found.figures)}")
    for names, when in ((found.only_before, "before"), (found.only_after, "after")):
        if names:
            out.print(f"only {when}: {', '.join(names)}")
    if found.small:
        out.print(
            f"{len(found.small)} counts differ by fewer than {found.min_count} persons: "
            "publishing both runs would tell of these few"
        )
