"""What commands share: printing for people or machines, and parsing NAME=VALUE."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from epi.errors import ParameterError

if TYPE_CHECKING:
    from rich.console import Console

Command = TypeVar("Command", bound=Callable[..., Any])
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")]
Runs = Annotated[Path, typer.Option("--runs", help="Folder of runs.", envvar="EPI_RUNS")]
Studies = Annotated[Path, typer.Option("--studies", help="Folder that holds the studies.", envvar="EPI_STUDIES")]
MemoryMb = Annotated[
    float | None, typer.Option("--memory-mb", help="Kill a step whose processes use more, in megabytes.", min=256)
]
Minutes = Annotated[float | None, typer.Option("--minutes", help="Stop a step that lasts longer.", min=0.01)]


def new_app(help_: str) -> typer.Typer:
    """Make a group of commands.

    Parameters
    ----------
    help_ : str
        What the group is for.

    Returns
    -------
    typer.Typer
        The group.
    """
    return typer.Typer(help=help_, no_args_is_help=True, rich_markup_mode="markdown", add_completion=False)


def add_command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Add a function to a group; what precedes its parameters in its docstring is its help.

    Parameters
    ----------
    app : typer.Typer
        The group.
    name : str
        The command's name.

    Returns
    -------
    callable
        A decorator that gives the function back.
    """

    def register(function: Command) -> Command:
        words = inspect.getdoc(function) or ""
        app.command(name, help=words.partition("\nParameters\n")[0].strip())(function)
        return function

    return register


def console(*, stderr: bool = False) -> Console:
    """Open the terminal for people.

    Parameters
    ----------
    stderr : bool, optional
        Write beside the results rather than among them.

    Returns
    -------
    rich.console.Console
        A console that neither guesses at markup nor colours numbers.
    """
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print canonical JSON.

    Parameters
    ----------
    value : object
        Plain values.
    """
    from epi.files import dump_json

    typer.echo(dump_json(value), nl=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence
        Cells; whole numbers are set flush right.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[_cell(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        right = bool(cells) and all(row[place].replace(",", "").isdigit() or not row[place] for row in cells)
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    out = console()
    out.soft_wrap = False
    if not out.is_terminal:
        out.width = 200
    out.print(table)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 1000 else str(value)
    return str(value)


def parse_assignments(given: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` arguments; values are texts until the protocol types them.

    Parameters
    ----------
    given : sequence of str
        As typed.

    Returns
    -------
    dict of str to str
        Names and values.

    Raises
    ------
    ParameterError
        If one has no ``=``, or a name comes twice; all faults at once.

    Examples
    --------
    >>> parse_assignments(["minimum_age=18", "words=a=b"])
    {'minimum_age': '18', 'words': 'a=b'}
    """
    values: dict[str, str] = {}
    faults: list[str] = []
    for text in given:
        name, sign, value = text.partition("=")
        name = name.strip()
        if not sign or not name:
            faults.append(f"{text!r} has no '='")
        elif name in values:
            faults.append(f"{name} is given twice")
        else:
            values[name] = value
    if faults:
        raise ParameterError("parameters cannot be read", "-p NAME=VALUE, each name once", faults=faults)
    return values
