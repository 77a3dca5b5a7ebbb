"""What a run would do, before it does it: its steps, why, how long and how large they were."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from epi.runner.budget import Budget
from epi.runner.folder import list_runs, read_manifest, run_folder
from epi.runner.identity import collect_ingredients, run_identifier
from epi.runner.run import look_around, prepare
from epi.runner.steps import Step, find_step, read_step

if TYPE_CHECKING:
    from epi.runner.study import Study


@dataclass(frozen=True)
class PlannedStep:
    """One notebook of a run to come.

    Parameters
    ----------
    notebook : str
        Its file.
    state : {"done", "take over", "run", "see later"}
        ``see later`` when it rests on what an earlier step will have written.
    reason : str
        Why.
    seconds, peak_memory_mb : float or None
        Medians of the times it was executed; None when it never was.
    memory_mb, minutes : float or None
        Its budget.
    """

    notebook: str
    state: str
    reason: str
    seconds: float | None
    peak_memory_mb: float | None
    memory_mb: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Forecast:
    """What a run would do.

    Parameters
    ----------
    study, run_id : str
        The study and the run's identifier.
    folder : Path
        Where it would be written.
    steps : tuple of PlannedStep
        In order.
    """

    study: str
    run_id: str
    folder: Path
    steps: tuple[PlannedStep, ...]

    @property
    def seconds(self) -> float | None:
        """Expected seconds of the steps that may have to run; None when one of them never ran."""
        costs = [step.seconds for step in self.steps if step.state in {"run", "see later"}]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def peak_memory_mb(self) -> float | None:
        """Expected peak memory of a kernel; None when a step never ran."""
        sizes = [step.peak_memory_mb for step in self.steps if step.state in {"run", "see later"}]
        return None if None in sizes else max((size for size in sizes if size is not None), default=0.0)


def forecast_run(
    study: Study,
    parameters: Mapping[str, Any] | None = None,
    *,
    preset: str | None = None,
    workspace: str | os.PathLike[str] | None = None,
    runs_dir: str | os.PathLike[str] = "runs",
    force: bool = False,
    lang: str = "en",
    budget: Budget | None = None,
) -> Forecast:
    """Say what :func:`~epi.runner.run.run_study` would do; nothing is started or written.

    Parameters
    ----------
    study : Study
        From :func:`~epi.runner.study.open_study`.
    parameters : mapping, optional
        Names and values, values possibly as text; they go before the preset's.
    preset : str, optional
        Name of a preset of the study.
    workspace : path-like, optional
        The workspace; by default ``EPI_WORKSPACE``.
    runs_dir : path-like, optional
        Folder of runs.
    force : bool, optional
        Whether everything would be executed in any case.
    lang : {"en", "fr"}, optional
        Language of labels in figures and tables.
    budget : Budget, optional
        A ceiling for each step; the smaller of it and the protocol's holds.

    Returns
    -------
    Forecast
        The steps, with times and memory from the study's earlier runs.

    Raises
    ------
    ParameterError
        If a parameter is unknown, of the wrong type or out of bounds.
    ProtocolError
        If the study folder is not what its protocol says.
    """
    values, lang, place = prepare(study, parameters, preset, workspace, lang)
    ingredients = collect_ingredients(study, values, place, lang)
    folder = run_folder(runs_dir, study.name, run_identifier(ingredients))
    others = list_runs(Path(runs_dir), study.name)
    history = _history([run.manifest for run in others])
    finished = (read_manifest(folder) or {}).get("status") == "done" and not force
    present = look_around(study, ingredients, place)
    donors = [] if force else [folder, *(run.folder for run in others if run.folder != folder)]
    steps: list[PlannedStep] = []
    ahead = _Ahead()
    for notebook in study.protocol.notebooks:
        step, reason = find_step(notebook.file, present, donors, ahead.touches)
        if finished:
            state, reason = "done", "nothing that determines the run's result has changed"
        elif step is None:
            state, reason = "run", "asked for (--force)" if force else reason
            ahead.add([known for folder in donors if (known := read_step(folder, notebook.file))])
        elif any(ahead.touches(label) for label in step.rests_on):
            state, reason = "see later", "rests on what an earlier step will write"
            ahead.add([step])
        else:
            state = "take over"
            present.lines += step.lines
            present.made |= step.wrote
        limit = Budget(notebook.memory_mb, notebook.minutes).within(budget)
        seconds, memory = history.get(notebook.file, (None, None))
        steps.append(PlannedStep(notebook.file, state, reason, seconds, memory, limit.memory_mb, limit.minutes))
    return Forecast(study.name, folder.name, folder, tuple(steps))


class _Ahead:
    """What steps that are still to run will write, as far as their earlier runs tell."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.files: set[str] = set()

    def add(self, known: list[Step]) -> None:
        """Expect what a step wrote before."""
        self.names |= {str(line.get("name")) for step in known for _, line in step.lines}
        self.files |= {name for step in known for name in step.wrote}

    def touches(self, label: str) -> bool:
        """Tell whether a premise waits for it."""
        kind, _, name = label.partition(":")
        if kind == "lines":
            return bool(self.names) and (name == "*" or not self.names.isdisjoint(name.split(",")))
        return kind == "made" and name in self.files


def _history(manifests: list[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Median seconds and memory by notebook, over the times it was really executed."""
    seen: dict[str, list[tuple[float, float]]] = {}
    for manifest in manifests:
        for step in manifest.get("timings", []):
            if not step.get("reused"):
                seen.setdefault(step["notebook"], []).append((step["seconds"], step["peak_memory_mb"]))
    return {name: (median(s for s, _ in costs), median(m for _, m in costs)) for name, costs in seen.items()}
