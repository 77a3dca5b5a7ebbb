"""``epi manuscript``: a paper's text whose numbers come from a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from epi.commands.console import Json, Runs, add_command, console, new_app, print_json, print_table
from epi.errors import EpiError

if TYPE_CHECKING:
    from epi.runner.manuscript import Check

_DRIFTED, _FAULT = 1, 2
_MOST_ADVICE = 40

app = new_app("Fill a paper's text from a run, and check it against one.")

_Which = Annotated[str, typer.Option("--run", metavar="STUDY[/RUN]", help="A study, a run, or STUDY/latest.")]


@add_command(app, "fill")
def fill(
    text: Annotated[Path, typer.Argument(help="A text with placeholders, or one filled before.", show_default=False)],
    run: _Which,
    out: Annotated[Path, typer.Option("--out", help="File to write: the text itself, or another.")],
    level: Annotated[
        str | None, typer.Option("--level", help="The most private values named: public, restricted or internal.")
    ] = None,
    lang: Annotated[str | None, typer.Option("--lang", help="Language of numbers: en or fr.")] = None,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Fill the placeholders of a text with what a run released, and mark each.

    Example: `epi manuscript fill paper.md --run sla_environment --out paper.filled.md`

    Parameters
    ----------
    text : Path
        A text with placeholders, or one filled before.
    run : str
        A study, a run, or STUDY/latest.
    out : Path
        File to write: the text itself, or another.
    level : str, optional
        The most private values named: public, restricted or internal.
    lang : str, optional
        Language of numbers: en or fr.
    runs : Path, optional
        Folder of runs.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.export.bundle import find_run
    from epi.runner.manuscript import fill_manuscript

    done = fill_manuscript(text, find_run(runs, run), out, level=level, lang=lang)
    if json:
        print_json(
            {
                "path": str(done.path),
                "run_id": done.record.run_id,
                "filled": dict(done.record.filled),
                "pictures": [str(path) for path in done.pictures],
                "edited": done.edited,
                "notes": list(done.notes),
            }
        )
        return
    say = console()
    say.print(f"{len(done.record.filled)} placeholders of {done.record.study} {done.record.run_id}: {done.path}")
    if done.edited:
        say.print(f"{done.edited} text(s) typed over by hand were put back")
    for note in done.notes:
        say.print(note)


@add_command(app, "check")
def check(
    file: Annotated[Path, typer.Argument(help="A filled text.", show_default=False)],
    run: _Which,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Say what in a filled text is not what the run prints. Exit code 1 if anything, 2 if it cannot be told.

    Example: `epi manuscript check paper.filled.md --run sla_environment`

    Parameters
    ----------
    file : Path
        A filled text.
    run : str
        A study, a run, or STUDY/latest.
    runs : Path, optional
        Folder of runs.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.export.bundle import find_run
    from epi.runner.manuscript import check_manuscript

    try:
        found = check_manuscript(file, find_run(runs, run))
    except EpiError as error:
        # As a comparison does: 1 is a difference, 2 is trouble, whatever its kind.
        typer.echo(f"epi: {error.sentence}", err=True)
        raise typer.Exit(_FAULT) from None
    if json:
        _print_machine(found)
    else:
        _print_people(found)
    if found.drifted:
        raise typer.Exit(_DRIFTED)


@add_command(app, "names")
def names(
    run: _Which,
    match: Annotated[str, typer.Option("--match", help="Only names that hold this; cells of tables too.")] = "",
    level: Annotated[
        str, typer.Option("--level", help="The most private values named: public, restricted or internal.")
    ] = "public",
    lang: Annotated[str, typer.Option("--lang", help="Language of numbers: en or fr.")] = "en",
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """List what placeholders may name, with values and how they print. Cells of tables are listed with --match.

    Example: `epi manuscript names --run sla_environment --match table.attrition`

    Parameters
    ----------
    run : str
        A study, a run, or STUDY/latest.
    match : str, optional
        Only names that hold this; cells of tables too.
    level : str, optional
        The most private values named: public, restricted or internal.
    lang : str, optional
        Language of numbers: en or fr.
    runs : Path, optional
        Folder of runs.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.export.bundle import find_run, open_bundle
    from epi.runner.manuscript import Placeholder, read_values
    from epi.runner.manuscript.wording import print_value

    bundle = open_bundle(find_run(runs, run), level=level, lang=lang)
    values = read_values(bundle, lang)
    rows = [
        (value.name, value.kind, value.value, print_value(value, Placeholder("value", value.name), lang))
        for value in values
        if match in value.name and (match or json or not value.name.startswith("table."))
    ]
    for output in bundle.outputs:
        if match in output.name and not match.startswith("table."):
            cells = sum(value.name.startswith(f"table.{output.name}.") for value in values)
            kinds = ("table", "figure") if output.kind == "figure" else ("table",)
            about = f"{len(output.rows)} rows, {cells} names: --match table.{output.name}"
            rows += [(f"{kind}: {output.name}", kind, None, about) for kind in kinds]
    if json:
        print_json([dict(zip(("name", "kind", "value", "prints"), row, strict=True)) for row in rows])
        return
    print_table(("name", "kind", "prints"), [(name, kind, printed) for name, kind, _, printed in rows])


def _print_people(found: Check) -> None:
    say, record = console(), found.record
    origin = "this run" if found.same_run else f"run {record.run_id} of {record.study}, of {record.finished[:16]}"
    say.print(f"{found.passages} filled text(s), from {origin}; held against {found.run.study} {found.run.run_id}")
    for change in found.edited:
        say.print(f"line {change.line}: {change.name} was typed over: {_brief(change.old)} -> {_brief(change.new)}")
    for change in found.moved:
        say.print(f"line {change.line}: {change.name}: {_brief(change.old)} -> {_brief(change.new)}")
    for text in found.unfilled:
        say.print(f"not filled: {text}")
    if not found.drifted:
        say.print("nothing drifted" if found.same_run else "another run, and it prints every text the same")
    known = [typed for typed in found.typed if typed.names]
    if found.typed:
        say.print(f"advice: {len(found.typed)} number(s) typed by hand, of which the run has {len(known)}")
    for typed in [*known, *(typed for typed in found.typed if not typed.names)][:_MOST_ADVICE]:
        say.print(f"  line {typed.line}: {typed.text}" + (f", as {' or '.join(typed.names)}" if typed.names else ""))
    if len(found.typed) > _MOST_ADVICE:
        say.print(f"  and {len(found.typed) - _MOST_ADVICE} more: --json lists all")


def _print_machine(found: Check) -> None:
    print_json(
        {
            "drifted": found.drifted,
            "same_run": found.same_run,
            "filled_from": {"study": found.record.study, "run_id": found.record.run_id},
            "held_against": {"study": found.run.study, "run_id": found.run.run_id},
            "passages": found.passages,
            "edited": [vars(change) for change in found.edited],
            "moved": [vars(change) for change in found.moved],
            "unfilled": list(found.unfilled),
            "typed": [{"text": typed.text, "line": typed.line, "names": list(typed.names)} for typed in found.typed],
        }
    )


def _brief(text: str) -> str:
    plain = " ".join(text.split()) or "nothing"
    return plain if len(plain) <= 80 else plain[:77] + "..."
