"""What a person sees while a study runs: a bar by cell, or plain lines when nobody looks."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class Progress:
    """What :func:`~epi.runner.run.run_study` tells about its course; this one keeps it to itself."""

    def begin(self, notebook: str, number: int, total: int, reason: str) -> None:
        """Hear that a notebook starts.

        Parameters
        ----------
        notebook : str
            Its file name.
        number, total : int
            Its rank and how many there are.
        reason : str
            Why it is executed.
        """

    def reuse(self, notebook: str, number: int, total: int, reason: str) -> None:
        """Hear that a step that ended before stands for this one.

        Parameters
        ----------
        notebook : str
            Its file name.
        number, total : int
            Its rank and how many there are.
        reason : str
            Why it is not executed.
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

    def begin(self, notebook: str, number: int, total: int, reason: str) -> None:
        """Show a new bar, and above it why the notebook is executed.

        Parameters
        ----------
        notebook : str
            The notebook's file name.
        number, total : int
            Its rank and how many there are.
        reason : str
            Why it is executed.
        """
        self._label = f"{number}/{total} {notebook}"
        self._console.print(f"{self._label} runs: {reason}", highlight=False, soft_wrap=True, markup=False)
        if self._console.is_terminal:
            self._task = self._bars.add_task(self._label, total=None)

    def reuse(self, notebook: str, number: int, total: int, reason: str) -> None:
        """Write why the notebook is not executed.

        Parameters
        ----------
        notebook : str
            The notebook's file name.
        number, total : int
            Its rank and how many there are.
        reason : str
            Why.
        """
        line = f"{number}/{total} {notebook} is not run again: {reason}"
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)

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
