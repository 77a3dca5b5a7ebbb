"""What a person sees while a study runs: a bar by cell, or plain lines when nobody looks."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class Progress:
    """What :func:`~epi.runner.run.run_study` tells about its course; this one keeps it to itself."""

    def begin(self, notebook: str, number: int, total: int) -> None:
        """Hear that a notebook starts.

        Parameters
        ----------
        notebook : str
            Its file name.
        number, total : int
            Its rank and how many there are.
        """

    def cell(self, done: int, total: int) -> None:
        """Hear that a cell is done.

        Parameters
        ----------
        done, total : int
            Cells done, and cells of the notebook.
        """

    def end(self, notebook: str, seconds: float) -> None:
        """Hear that a notebook ended.

        Parameters
        ----------
        notebook : str
            Its file name.
        seconds : float
            How long it took.
        """


class Display(Progress):
    """A progress bar on a terminal, one line for each notebook elsewhere.

    Parameters
    ----------
    console : rich.console.Console
        Where to write.
    """

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._console = console
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("cells"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("", visible=False, total=None)
        self._label = ""

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, notebook: str, number: int, total: int) -> None:
        """Show a new bar.

        Parameters
        ----------
        notebook : str
            The notebook's file name.
        number, total : int
            Its rank and how many there are.
        """
        self._label = f"{number}/{total} {notebook}"
        if self._console.is_terminal:
            self._task = self._bars.add_task(self._label, total=None)

    def cell(self, done: int, total: int) -> None:
        """Move the bar.

        Parameters
        ----------
        done, total : int
            Cells done, and cells of the notebook.
        """
        self._bars.update(self._task, completed=done, total=total)

    def end(self, notebook: str, seconds: float) -> None:
        """Write the notebook's line, where there is no bar.

        Parameters
        ----------
        notebook : str
            The notebook's file name.
        seconds : float
            How long it took.
        """
        if not self._console.is_terminal:
            self._console.print(f"{self._label}: {seconds:.1f} s", highlight=False)
