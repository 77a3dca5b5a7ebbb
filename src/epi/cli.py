"""The ``epi`` command: it parses, one function for each command composes, the library computes."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from typing import Annotated, NoReturn

import typer

import epi
from epi.commands import (
    batch,
    check,
    codes,
    data,
    diff,
    export,
    manuscript,
    rehearse,
    run,
    site,
    study,
    workspace,
    world,
)
from epi.commands.console import add_command
from epi.errors import EpiError, StorageError

_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h

app = typer.Typer(
    name="epi",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(world.app, name="world")
app.add_typer(workspace.app, name="workspace")
app.add_typer(study.app, name="study")
app.add_typer(site.app, name="site")
app.add_typer(codes.app, name="codes")
app.add_typer(data.app, name="data")
app.add_typer(manuscript.app, name="manuscript")
add_command(app, "run")(run.run)
add_command(app, "runs")(run.runs)
add_command(app, "batch")(batch.batch)
add_command(app, "rehearse")(rehearse.rehearse)
add_command(app, "check")(check.check)
add_command(app, "export")(export.export)
add_command(app, "diff")(diff.diff)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"epi {epi.__version__}")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Studies of rare diseases: from the raw registry to the reviewers' page.

    Example: `epi run sla_environment --workspace build/workspace`, then `epi site build`
    """


def main() -> NoReturn:
    """Run the command line: one sentence and an exit code for each error, never a traceback.

    With ``EPI_DEBUG=1`` the traceback is shown. An error that nobody foresaw leaves its traceback
    in a file that only its owner can read, since it may quote data.
    """
    try:
        app()
    except EpiError as error:
        _leave(error.sentence, error.exit_code)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            _leave_unexpected(error)
        full = StorageError("the disk is full: writing stopped", "free space", "free some, then run the same again")
        _leave(full.sentence, full.exit_code)
    except Exception as error:  # the last resort of the command line
        _leave_unexpected(error)
    sys.exit(0)


def _leave(sentence: str, code: int) -> NoReturn:
    if os.environ.get("EPI_DEBUG") == "1":
        traceback.print_exc()
    typer.echo(f"epi: {sentence}", err=True)
    sys.exit(code)


def _leave_unexpected(error: Exception) -> NoReturn:
    try:
        # mkstemp makes a file that only its owner can read.
        handle, name = tempfile.mkstemp(prefix="epi-error-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        where = f"the details are in {name}: it may quote data, keep it private"
    except OSError:
        where = "the details could not be written; EPI_DEBUG=1 shows them"
    _leave(f"something unexpected happened ({type(error).__name__}); {where}.", _UNEXPECTED)


if __name__ == "__main__":
    main()
