"""One notebook in one kernel: papermill executes it, this module watches.

The kernel runs under this very interpreter, whatever kernels the machine has; its own messages
go to a private log, since they may carry values; and it is gone when this module returns.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epi.errors import ParameterError
from epi.runner.budget import REMEDY, Budget, Family
from epi.runner.confinement import LAYERS, VIOLATION, WRITABLE, WRITING, read_layers, read_violation
from epi.runner.environment import peak_memory, quiet, scratch_variables, without_address_grammar
from epi.runner.inspection import read_constants
from epi.runner.loaded import LOADED, read_loaded
from epi.runner.witness import WITNESS

OnCell = Callable[[int, int], None]
"""Called with the number of cells done and the number of cells."""


@dataclass(frozen=True)
class CellFailure:
    """Where and how a notebook stopped.

    Parameters
    ----------
    cell : int
        Number of the cell in the study's notebook, from 1.
    kind : str
        Type of the exception; empty when the kernel died.
    message : str
        The exception's message: it may carry values, see :mod:`epi.runner.failure`.
    line : str
        The line of code of the cell that raised it.
    died : str
        How the kernel ended, when it did.
    told : str
        The sentence of an exception of epi, as :mod:`epi.runner.witness` saw it; empty for any
        other exception, whatever it is called.
    remedy : str
        What to do next, where it is not to correct the study.
    """

    cell: int
    kind: str = ""
    message: str = ""
    line: str = ""
    died: str = ""
    told: str = ""
    remedy: str = ""


@dataclass
class Execution:
    """What became of one notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode, optional
        The notebook as executed so far.
    seconds : float, optional
        How long it took, the kernel's start included.
    cells : list of float, optional
        Seconds by cell, the injected one included.
    peak_bytes : int, optional
        Peak memory of the kernel and its descendants, sampled.
    loaded : list of Path or None, optional
        Files of the modules loaded, installed libraries left out; None when that is not known.
    confinement : tuple of str, optional
        What kept it from the network.
    failure : CellFailure or None, optional
        Where it stopped, if it did.
    """

    notebook: Any = None
    seconds: float = 0.0
    cells: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    loaded: list[Path] | None = None
    confinement: tuple[str, ...] = ()
    failure: CellFailure | None = None


def execute(
    path: Path,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    on_cell: OnCell | None = None,
    budget: Budget | None = None,
) -> Execution:
    """Execute a notebook from its first cell to its last.

    Parameters
    ----------
    path : Path
        The notebook.
    parameters : mapping
        Constants to inject after its cell tagged ``parameters``: texts, numbers, booleans, lists.
    folder : Path
        Working folder of the kernel.
    environment : mapping
        The kernel's whole environment.
    log : Path
        File for what the kernel process itself says.
    on_cell : callable, optional
        Told after each cell.
    budget : Budget, optional
        Over it, the kernel and all its descendants are killed.

    Returns
    -------
    Execution
        The executed notebook, timings, memory, and the failure if there was one.
    """
    with without_address_grammar():
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook

    execution = Execution()
    watch = _Watch(execution, parameters, dict(environment), folder, log, on_cell)
    watch.budget = budget or Budget()
    start = time.perf_counter()
    _quiet_loop()
    with quiet(), _scratch(watch), watch.sampling():
        try:
            execute_notebook(
                str(path).replace("{", "{{").replace("}", "}}"),  # papermill formats paths
                None,
                parameters=dict(parameters),
                engine_name=_register(),
                kernel_name="python3",
                progress_bar=False,
                watch=watch,
            )
        except PapermillExecutionError as error:
            execution.failure = CellFailure(
                watch.number(error.cell_index),
                kind=str(error.ename),
                message=str(error.evalue),
                line=_raising_line(error.traceback, error.source),
                told=watch.witnessed(str(error.ename)),
            )
        except (DeadKernelError, RuntimeError) as error:
            if not isinstance(error, DeadKernelError) and watch.started:
                raise
            execution.failure = CellFailure(watch.number(watch.index), died=watch.ending())
        execution.loaded = read_loaded(Path(watch.environment[LOADED]))
        execution.confinement = read_layers(Path(watch.environment[LAYERS]))
        if attempt := read_violation(Path(watch.environment[VIOLATION])):
            rule = "writes nowhere else" if attempt.startswith(WRITING) else "runs without network"
            died = f"was stopped: {attempt}, and a study {rule}"
            execution.failure = CellFailure(watch.number(watch.index), died=died)
        elif watch.over:
            execution.failure = CellFailure(watch.number(watch.index), died=watch.over, remedy=REMEDY)
    execution.seconds = time.perf_counter() - start
    if execution.failure is None:
        execution.failure = _unfinished(execution.notebook, watch)
    return execution


def _unfinished(notebook: Any, watch: _Watch) -> CellFailure | None:
    """Find the cell at which a notebook left quietly, as after ``exit()``."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            return CellFailure(watch.number(max(index - 1, 0)), kind="SystemExit", line="exit()")
    for index, cell in enumerate(notebook.cells):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return CellFailure(watch.number(index), kind="SystemExit", line="exit()")
    return None


class _Watch:
    """Hears of each cell, keeps the notebook while it runs, and follows the kernel's memory."""

    def __init__(
        self,
        execution: Execution,
        parameters: Mapping[str, Any],
        environment: dict[str, str],
        folder: Path,
        log: Path,
        on_cell: OnCell | None,
    ) -> None:
        self.execution, self.parameters, self.environment = execution, parameters, environment
        self.folder, self.log, self.on_cell = folder, log, on_cell
        self.index = 0
        self.injected: int | None = None
        self.total = 0
        self.manager: Any = None
        self.process: Any = None
        self.started = False
        self.scratch = ""
        self.budget = Budget()
        self.over = ""
        self.family = Family("")
        self._start = time.perf_counter()
        self._began = 0.0

    def attach(self, manager: Any, notebook_manager: Any) -> None:
        """Listen to papermill's notebook manager."""
        self.manager = manager
        notebook = self.execution.notebook = notebook_manager.nb
        self.total = len(notebook.cells)
        for index, cell in enumerate(notebook.cells):
            if "injected-parameters" in cell.metadata.get("tags", []):
                self.injected = index
                _check_constants(cell.source, self.parameters)
        start, complete = notebook_manager.cell_start, notebook_manager.cell_complete

        def cell_start(cell: Any, cell_index: int, **words: Any) -> None:
            self.started, self.index, self._began = True, cell_index, time.perf_counter()
            self.process = getattr(self.manager.provisioner, "process", None)
            start(cell, cell_index, **words)

        def cell_complete(cell: Any, cell_index: int, **words: Any) -> None:
            complete(cell, cell_index=cell_index, **words)
            self.execution.cells.append(round(time.perf_counter() - self._began, 3))
            self.measure()
            if self.on_cell:
                self.on_cell(cell_index + 1, self.total)

        notebook_manager.cell_start, notebook_manager.cell_complete = cell_start, cell_complete

    def number(self, index: int) -> int:
        """Count a cell as the study's author does, without the injected one."""
        return index + 1 - (self.injected is not None and index >= self.injected)

    @property
    def pid(self) -> int | None:
        """The kernel's process, once it has one."""
        return getattr(getattr(self.manager, "provisioner", None), "pid", None)

    def measure(self) -> None:
        """Note the peak memory so far, and kill what is over its budget."""
        pid = self.pid
        if not pid:
            return
        used = self.family.measure(pid)
        self.execution.peak_bytes = max(self.execution.peak_bytes, peak_memory(pid), used)
        excess = "" if self.over else self.budget.excess(used, time.perf_counter() - self._start)
        if excess:
            self.over = excess
            self.family.kill()

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Measure five times a second, so that a kernel that dies leaves its last figure."""
        stop = threading.Event()

        def sample() -> None:
            while not stop.wait(0.2):
                self.measure()

        thread = threading.Thread(target=sample, name="kernel-memory", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            # However the notebook ended, what it started ends with it, also what left its parent.
            self.family.kill()

    def witnessed(self, kind: str) -> str:
        """Give what the kernel itself saw of an exception of epi."""
        place = Path(self.environment[WITNESS])
        try:
            seen = json.loads(place.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return ""
        return str(seen["sentence"]) if seen["kind"] == kind else ""

    def ending(self) -> str:
        """Say how the kernel's process ended."""
        code = self.process.poll() if self.process is not None else None
        if code == -9:
            used = f"; it used {self.execution.peak_bytes / 1e6:,.0f} MB" if self.execution.peak_bytes else ""
            return f"was killed (signal 9), as happens when memory runs out{used}"
        if code == -signal.SIGSYS:
            return "was stopped by the system: it opened a network socket, and a study runs without network"
        if code is not None and code < 0:
            return f"was stopped by signal {-code}"
        return f"ended with code {code}" if code is not None else "did not start or stopped answering"


def _check_constants(source: str, parameters: Mapping[str, Any]) -> None:
    """Make sure that what papermill wrote is the parameters, as constants, and nothing else.

    No kernel has started yet when this is called.
    """
    try:
        written = read_constants(source)
    except ValueError as error:
        raise ParameterError("the parameters cannot be written as constants", f"plain values ({error})") from error
    wrong = sorted(name for name in parameters.keys() | written.keys() if written.get(name) != parameters.get(name))
    if wrong:
        raise ParameterError(f"{', '.join(wrong)} would not reach the notebook unchanged", "plain values")


def _register() -> str:
    """Add to papermill an engine that hands the notebook's manager to the watch."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, papermill_engines
    from papermill.log import logger

    class OwnInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> Any:
            # -P: no module of the study's folder takes the place of the launcher's own.
            argv = [sys.executable, "-P", "-m", "epi.runner.launcher", "-f", "{connection_file}"]
            argv.append("--IPKernelApp.extra_extensions=epi.runner.witness")
            return KernelSpec(argv=argv, display_name="Python 3", language="python", name=kernel_name)

    class WatchedEngine(Engine):
        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, kernel_name: str, *, watch: _Watch, start_timeout: int = 60, **words: Any
        ) -> None:
            manager = AsyncKernelManager(
                kernel_name=kernel_name,
                kernel_spec_manager=OwnInterpreter(),
                connection_file=f"{watch.scratch}/kernel.json",
                **_transport(watch.scratch),
            )
            # One kernel in twelve does not hear that it should end (ipykernel 7.4), and everything is written by then:
            # it is ended by a signal after half of this, not after the 2.5 seconds of the default.
            manager.shutdown_wait_time = 1.0
            watch.attach(manager, nb_man)
            client = PapermillNotebookClient(
                nb_man, km=manager, timeout=None, startup_timeout=start_timeout, log=logger
            )
            with watch.log.open("ab") as said:
                client.execute(cleanup_kc=True, env=watch.environment, cwd=str(watch.folder), stdout=said, stderr=said)

    if "epi" not in papermill_engines._engines:
        papermill_engines.register("epi", WatchedEngine)
    return "epi"


def _quiet_loop() -> None:
    """Keep the event loop that will talk to the kernel from logging what it was told, also after the end.

    A run that is stopped leaves a task whose failure asyncio tells when it is collected.
    """
    import asyncio

    from jupyter_core.utils import ensure_event_loop

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        ensure_event_loop().set_exception_handler(lambda loop, context: None)


@contextmanager
def _scratch(watch: _Watch) -> Iterator[None]:
    """Give the kernel a private folder, gone after it: sockets, caches, spills, an empty IPython profile.

    Nobody's startup scripts take part in a run.
    """
    with tempfile.TemporaryDirectory(prefix="epi-", ignore_cleanup_errors=True) as place:
        watch.scratch = place
        watch.environment |= scratch_variables(Path(place))
        writable = [place, *([run] if (run := watch.environment.get("EPI_RUN_DIR")) else [])]
        watch.environment[WRITABLE] = "\n".join(writable)
        watch.environment[WITNESS] = f"{place}/witness.json"
        watch.environment[LOADED] = f"{place}/loaded.json"
        watch.environment[LAYERS] = f"{place}/layers.json"
        watch.environment[VIOLATION] = f"{place}/violation.txt"
        watch.family.marker = watch.environment[WITNESS]
        yield


def _transport(place: str) -> dict[str, str]:
    """Talk to the kernel through private sockets where the system has them, not through ports."""
    return {} if sys.platform == "win32" else {"transport": "ipc", "ip": f"{place}/s"}


_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"Cell In\[\d+\], line (\d+)")


def _raising_line(traceback: Any, source: str) -> str:
    """Find the cell's line in the traceback: code that its author wrote, not a value."""
    text = _ANSI.sub("", "\n".join(str(part) for part in traceback or ()))
    lines = source.splitlines()
    numbers = [int(number) for number in _FRAME.findall(text)]
    known = [number for number in numbers if 0 < number <= len(lines)]
    return lines[known[-1] - 1].strip()[:200] if known else ""
