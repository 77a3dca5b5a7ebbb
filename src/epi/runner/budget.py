"""What a step may use: memory and time, over itself and every process it starts.

A study says what a notebook needs in its protocol, an analyst what the machine can give on the
command line; the smaller holds. A budget changes no result, so it takes no part in what a run or a
step is known by.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.errors import ParameterError

if TYPE_CHECKING:
    import psutil

LEAST_MEMORY_MB, MOST_MEMORY_MB = 256, 4_000_000
MOST_MINUTES = 60 * 24 * 14

REMEDY = (
    "give the step more (memory_mb or minutes of the notebook in protocol.yml, --memory-mb, --minutes) or less to do, "
    "then the same command goes on from there"
)


@dataclass(frozen=True)
class Budget:
    """A ceiling for one step.

    Parameters
    ----------
    memory_mb : float or None
        Megabytes (10^6 bytes) of the kernel and its descendants together.
    minutes : float or None
        Minutes, the kernel's start included.
    """

    memory_mb: float | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        for name, least, most in (("memory_mb", LEAST_MEMORY_MB, MOST_MEMORY_MB), ("minutes", 0.01, MOST_MINUTES)):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ParameterError(f"{name} is {value}", f"{least} to {most}")

    def within(self, other: Budget | None) -> Budget:
        """Keep the smaller of two ceilings.

        Parameters
        ----------
        other : Budget or None
            The other one.

        Returns
        -------
        Budget
            Both hold under it.

        Examples
        --------
        >>> Budget(memory_mb=4000).within(Budget(memory_mb=2000, minutes=5))
        Budget(memory_mb=2000, minutes=5)
        """
        if other is None:
            return self
        pairs = ((self.memory_mb, other.memory_mb), (self.minutes, other.minutes))
        memory, minutes = (min((value for value in pair if value is not None), default=None) for pair in pairs)
        return Budget(memory, minutes)

    def excess(self, used_bytes: float, seconds: float) -> str:
        """Say how a step is over its budget.

        Parameters
        ----------
        used_bytes : float
            Memory in use.
        seconds : float
            Time since its start.

        Returns
        -------
        str
            Words that follow "the kernel"; empty within the budget.

        Examples
        --------
        >>> Budget(minutes=2).excess(0, 150)
        'was stopped for time: its budget of 2 minutes ran out'
        """
        if self.memory_mb is not None and used_bytes > self.memory_mb * 1e6:
            return f"was killed for memory: it used {used_bytes / 1e6:,.0f} MB of {self.memory_mb:,.0f} MB"
        if self.minutes is not None and seconds > self.minutes * 60:
            return f"was stopped for time: its budget of {self.minutes:g} minutes ran out"
        return ""


class Family:
    """A kernel and every process that descends from it, as long as any of them lives.

    Parameters
    ----------
    marker : str
        A text that the kernel's environment holds and no other process's: a process that left its
        parent is known by it.
    """

    def __init__(self, marker: str) -> None:
        self.marker = marker
        self._kernel: psutil.Process | None = None
        self._seen: dict[tuple[int, float], psutil.Process] = {}

    def measure(self, pid: int) -> int:
        """Measure what the family uses now.

        Parameters
        ----------
        pid : int
            The kernel's number. The process that has it at the first measure is the kernel: a number
            that another process got later is nobody of the family.

        Returns
        -------
        int
            Bytes. Of a kernel alone its resident memory; with children the proportional share of
            each, since memory that a fork shares would count several times.
        """
        import psutil

        try:
            if self._kernel is None:
                self._kernel = psutil.Process(pid)
            kernel = self._kernel
            if not kernel.is_running():
                return 0
            children = kernel.children(recursive=True)
            for process in children:
                self._note(process)
            if not children:
                return int(kernel.memory_info().rss)
        except psutil.Error:
            return 0
        return sum(_share(process) for process in (kernel, *children))

    def _note(self, process: psutil.Process) -> None:
        import psutil

        with suppress(psutil.Error):
            self._seen[process.pid, process.create_time()] = process

    def kill(self) -> None:
        """Kill whatever of the family still lives, those that left their parent included."""
        import psutil

        if self._kernel is not None and self._kernel.is_running():
            self.measure(self._kernel.pid)
            self._note(self._kernel)
        # Without a mark nothing can be told by it: an empty one would be in anybody's environment.
        for process in psutil.process_iter() if self.marker else ():
            with suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and self.marker in process.environ().values():
                    self._note(process)
        living = [process for process in self._seen.values() if process.is_running()]
        for process in living:
            with suppress(psutil.Error):
                process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        psutil.wait_procs(living, timeout=5)


def _share(process: psutil.Process) -> int:
    """Memory of a process, what it shares with others divided among them where the system can say so."""
    import psutil

    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def read_budget(plain: dict[str, Any] | None) -> Budget | None:
    """Make a budget of plain values, as a batch hands them to its processes.

    Parameters
    ----------
    plain : dict or None
        ``memory_mb`` and ``minutes``.

    Returns
    -------
    Budget or None
        None where nothing is given.

    Raises
    ------
    ParameterError
        If a value is out of bounds.
    """
    return Budget(**plain) if plain and any(value is not None for value in plain.values()) else None
