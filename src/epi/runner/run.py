"""Run a study: parameters first, then each notebook in its own kernel, then the run's record."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.disclosure.ledger import KEPT, NOTEBOOK
from epi.errors import EpiError, ParameterError, RunError
from epi.files import digest_file, digest_text, dump_json, storage_faults, write_json, write_text
from epi.runner.budget import Budget
from epi.runner.checklist import FILE as CHECKLIST
from epi.runner.failure import cause_in_public, publishable, run_error
from epi.runner.folder import MANIFEST, Run, clear_folder, list_runs, locked, read_manifest, released_files, run_folder
from epi.runner.identity import (
    code_version,
    collect_ingredients,
    describe_workspace,
    explain_difference,
    package_versions,
    run_identifier,
)
from epi.runner.inspection import parameter_names, plain_value
from epi.runner.opened import Opened
from epi.runner.plan import FILE as PLAN
from epi.runner.plan import plan_record
from epi.runner.premises import Line, Present
from epi.runner.progress import Progress
from epi.runner.scan import find_identifier_shapes
from epi.runner.steps import (
    LEDGERS,
    Step,
    digest_written,
    find_step,
    keep_ended,
    read_ledgers,
    remove_step,
    survey,
    take_over,
    write_ledgers,
    write_step,
)

if TYPE_CHECKING:
    from epi.protocol import Notebook, Value
    from epi.runner.kernel import Execution
    from epi.runner.study import Study


def run_study(
    study: Study,
    parameters: Mapping[str, Any] | None = None,
    *,
    preset: str | None = None,
    workspace: str | os.PathLike[str] | None = None,
    runs_dir: str | os.PathLike[str] = "runs",
    force: bool = False,
    lang: str = "en",
    progress: Progress | None = None,
    budget: Budget | None = None,
) -> Run:
    """Run a study, or answer from its finished run when nothing that determines it has changed.

    A step of this run that ended before a failure or a kill is not run again, nor is a step of
    another run of the study when all that it rested on is the same; the reason is told for each.

    Parameters
    ----------
    study : Study
        From :func:`~epi.runner.study.open_study`.
    parameters : mapping, optional
        Names and values, values possibly as text; they go before the preset's.
    preset : str, optional
        Name of a preset of the study.
    workspace : path-like, optional
        The workspace; by default ``EPI_WORKSPACE``. Not asked of a study that reads none.
    runs_dir : path-like, optional
        Folder of runs.
    force : bool, optional
        Execute every step even if a finished run is there; what it held is replaced.
    lang : {"en", "fr"}, optional
        Language of labels in figures and tables; a parameter `lang` of the study goes before.
    progress : Progress, optional
        Told of each notebook and cell.
    budget : Budget, optional
        A ceiling for each step; the smaller of it and the protocol's holds.

    Returns
    -------
    Run
        The finished run; `reused` says whether it was there, `reason` why.

    Raises
    ------
    ParameterError
        If a parameter is unknown, of the wrong type or out of bounds; no kernel was started.
    ProtocolError
        If the study folder is not what its protocol says; no kernel was started.
    WorkspaceError
        If the study needs a workspace and there is none; no kernel was started.
    RunError
        If a notebook fails, or another process is running the same.
    StorageError
        If the disk is full.
    """
    values, lang, place = prepare(study, parameters, preset, workspace, lang)
    ingredients = collect_ingredients(study, values, place, lang)
    folder = run_folder(runs_dir, study.name, run_identifier(ingredients))
    with locked(folder):
        before = read_manifest(folder)
        if before is not None and before["status"] == "done" and not force:
            reason = f"nothing that determines its result has changed since {str(before['finished'])[:16]} UTC"
            return Run(folder, before, reused=True, reason=reason)
        others = list_runs(Path(runs_dir), study.name)
        reason = _reason(before, force, ingredients, others)
        # What ended is kept and looked at step by step; --force takes nothing over.
        clear_folder(folder) if force else keep_ended(folder)
        donors = [] if force else [folder, *(run.folder for run in others if run.folder != folder)]
        manifest = {
            "format": 1,
            "study": study.name,
            "run_id": folder.name,
            "status": "running",
            "reason": reason,
            "preset": preset,
            "started": _now(),
            "ingredients": ingredients,
            "parameters": ingredients["parameters"],
            "protocol_version": study.protocol.version,
            "study_digest": study.digest(),
            "code": code_version(),
            "packages": package_versions(),
            "opposition": study.protocol.opposition,
            "min_count": study.protocol.min_count,
            "plan": plan_record(study, values),
            **_data(study, place, ingredients),
        }
        write_json(folder / MANIFEST, manifest)
        for name in ("protocol.yml", CHECKLIST, PLAN):
            if (study.folder / name).is_file():
                shutil.copyfile(study.folder / name, folder / name)
        start = time.perf_counter()
        try:
            course = _Course(study, ingredients, folder, place, donors, progress or Progress(), budget)
            executed = [course.take(number) for number in range(len(study.protocol.notebooks))]
            _assemble(folder)
            manifest |= {"gate": _gate_summary(folder), "files": released_files(folder)}
        except BaseException as error:
            manifest |= {"status": "failed", "finished": _now(), "failure": _describe(error)}
            _record_end(folder, manifest, start)
            raise
        manifest |= {
            "status": "done",
            "finished": _now(),
            "timings": executed,
            "peak_memory_mb": max((step["peak_memory_mb"] for step in executed), default=0),
        }
        _record_end(folder, manifest, start)
        return Run(folder, manifest, reason=reason)


def prepare(
    study: Study,
    parameters: Mapping[str, Any] | None,
    preset: str | None,
    workspace: str | os.PathLike[str] | None,
    lang: str,
) -> tuple[dict[str, Value], str, Path | None]:
    """Check everything that can be checked before a kernel starts.

    Parameters
    ----------
    study : Study
        The study.
    parameters : mapping or None
        Values given.
    preset : str or None
        Name of a preset.
    workspace : path-like or None
        The workspace given.
    lang : {"en", "fr"}
        Language of labels.

    Returns
    -------
    values : dict
        Every parameter and its value.
    lang : str
        The language; a parameter `lang` goes before.
    workspace : Path or None
        The workspace's folder, for a study that reads one.

    Raises
    ------
    ParameterError
        If a parameter is not one, or there is no workspace.
    ProtocolError
        If the study folder is not what its protocol says.
    """
    values = study.resolve(parameters, preset)
    study.check_runnable()
    _refuse_identifiers(values)
    return values, str(values.get("lang", lang)), _workspace(study, workspace)


def _refuse_identifiers(values: Mapping[str, Any]) -> None:
    """Refuse a parameter that names a patient: parameters are written in the manifest and on pages."""
    found = {name: find_identifier_shapes(str(plain_value(value))) for name, value in values.items()}
    faults = [f"{name} is shaped like: {', '.join(rules)}" for name, rules in found.items() if rules]
    if faults:
        raise ParameterError("a parameter may not name a patient", "no identifier", faults=faults)


def _workspace(study: Study, given: str | os.PathLike[str] | None) -> Path | None:
    if not study.needs_workspace:
        return None
    place = given or os.environ.get("EPI_WORKSPACE")
    if not place:
        raise ParameterError(
            f"study {study.name} reads {', '.join(study.protocol.sources)} and no workspace is given",
            "a workspace folder",
            f"epi run {study.name} --workspace FOLDER (or set EPI_WORKSPACE)",
        )
    return Path(place).resolve()


def _data(study: Study, workspace: Path | None, ingredients: Mapping[str, Any]) -> dict[str, Any]:
    about = describe_workspace(workspace) if workspace else {}
    return {
        "data_fingerprint": ingredients["workspace"],
        "open_data_fingerprint": ingredients["open_data"],
        "data": about,
        "synthetic": bool(about.get("synthetic")),
    }


def _reason(before: Mapping[str, Any] | None, force: bool, ingredients: Mapping[str, Any], others: list[Run]) -> str:
    """Say why a run is executed: first of its kind, forced, restarted, or something changed."""
    if before is not None and before["status"] == "done":
        return "run again because it was asked for (--force)"
    if before is not None:
        return "started again: it had not ended" if before["status"] == "running" else "started again after a failure"
    done = [run for run in others if run.manifest["status"] == "done" and "ingredients" in run.manifest]
    if not done:
        return "first run of this study here" if force is False else "first run of this study here (--force)"
    return f"since run {done[0].run_id}: {explain_difference(done[0].manifest['ingredients'], ingredients)}"


class _Course:
    """The steps of one run, taken one after the other."""

    def __init__(
        self,
        study: Study,
        ingredients: Mapping[str, Any],
        folder: Path,
        workspace: Path | None,
        donors: list[Path],
        progress: Progress,
        ceiling: Budget | None,
    ) -> None:
        from epi.runner.environment import kernel_environment

        self.study, self.ingredients, self.folder = study, ingredients, folder
        self.workspace, self.donors, self.progress = workspace, donors, progress
        self.ceiling = ceiling
        self.present = look_around(study, ingredients, workspace)
        self.environment = kernel_environment(
            EPI_RUN_DIR=str(folder),
            EPI_PROTOCOL=str(study.folder / "protocol.yml"),
            EPI_WORKSPACE=str(workspace) if workspace else None,
            EPI_OPEN_DATA=str(self.present.open_data) if self.present.open_data else None,
            EPI_LANG=str(ingredients["lang"]),
        )
        with storage_faults(folder):
            (folder / "notebooks").mkdir(mode=0o700, exist_ok=True)
        write_ledgers(folder, [])

    def take(self, number: int) -> dict[str, Any]:
        """Take a step: from one that ended where nothing that it rests on has changed, else by executing it."""
        notebook = self.study.protocol.notebooks[number]
        place = number + 1, len(self.study.protocol.notebooks)
        found, reason = find_step(notebook.file, self.present, self.donors)
        step = take_over(found, self.folder, self.present.made) if found else None
        if step is not None:
            self.progress.reuse(notebook.file, *place, reason)
            self._add(step)
            write_ledgers(self.folder, self.present.lines)
            return {**step.timing, "reused": True, "reason": reason}
        if found is not None:
            reason = "the run that held it changed meanwhile"
        elif not self.donors:
            reason = "asked for (--force)"
        self.progress.begin(notebook.file, *place, reason)
        step = self._execute(notebook)
        self._add(step)
        return {**step.timing, "reused": False, "reason": reason}

    def _add(self, step: Step) -> None:
        self.present.lines += step.lines
        self.present.made |= step.wrote

    def _execute(self, notebook: Notebook) -> Step:
        from epi.runner.kernel import execute

        remove_step(self.folder, notebook.file, self.present.made)
        source, private = self.study.notebook_path(notebook), self.folder / "notebooks"
        parameters = self.ingredients["parameters"]
        log = private / f"{source.stem}.log"
        before = survey(self.folder)
        with Opened([*self.present.folders(), self.folder]) as opened:
            execution = execute(
                source,
                {name: plain_value(parameters[name]) for name in parameter_names(source)},
                folder=self.study.folder,
                environment={**self.environment, NOTEBOOK: notebook.file},
                log=log,
                on_cell=self.progress.cell,
                budget=Budget(notebook.memory_mb, notebook.minutes).within(self.ceiling),
            )
        _keep(execution, private / notebook.file)
        if not log.stat().st_size:
            log.unlink()
        self.progress.end(notebook.file, execution.seconds)
        if execution.failure:
            error = run_error(notebook.file, execution.failure, private / notebook.file)
            error.step = {  # type: ignore[attr-defined]  # for the manifest
                "notebook": notebook.file,
                "cell": execution.failure.cell,
                "cause": cause_in_public(execution.failure),
            }
            raise error
        self._refuse_absent(notebook)
        self._refuse_changes(notebook)
        if execution.loaded is None:
            opened.everything = True
        timing = {
            "notebook": notebook.file,
            "seconds": round(execution.seconds, 3),
            "cells": execution.cells,
            "peak_memory_mb": round(execution.peak_bytes / 1e6, 1),
            "finished": _now(),
            "run_id": self.folder.name,
            "confinement": list(execution.confinement),
        }
        lines = _new_lines(self.folder, self.present.lines)
        rests_on = self.present.collect(notebook.file, opened, execution.loaded or [], lines, self.folder)
        step = Step(self.folder, notebook.file, rests_on, digest_written(self.folder, before), lines, timing)
        write_step(step)
        return step

    def _refuse_absent(self, notebook: Notebook) -> None:
        """Refuse a step that did not keep what later ones may need."""
        absent = [name for name in notebook.keeps if not (self.folder / KEPT / f"{name}.parquet").is_file()]
        if absent:
            raise RunError(
                f"{notebook.file} did not keep {', '.join(absent)}, as the protocol says",
                do=f"epi.keep(frame, '{absent[0]}') in that notebook, or take it out of keeps",
            )

    def _refuse_changes(self, notebook: Notebook) -> None:
        """Refuse a step during which anything changed: nobody could say what it saw."""
        self.present.forget()
        now = collect_ingredients(
            self.study, self.ingredients["parameters"], self.workspace, str(self.ingredients["lang"])
        )
        if now != self.ingredients:
            raise RunError(
                f"{explain_difference(self.ingredients, now)}, while {notebook.file} ran",
                "a study, data and code that stay as they are until it ends",
                "run it again: the steps that ended before are kept",
            )


def look_around(study: Study, ingredients: Mapping[str, Any], workspace: Path | None) -> Present:
    """Say what the steps of a run may rest on, as it is now.

    Parameters
    ----------
    study : Study
        The study.
    ingredients : mapping
        From :func:`~epi.runner.identity.collect_ingredients`.
    workspace : Path or None
        The workspace, where the study reads one.

    Returns
    -------
    Present
        Before the first step.
    """
    place = os.environ.get("EPI_OPEN_DATA") if "open_data" in study.protocol.sources else None
    return Present(
        study,
        ingredients["parameters"],
        ingredients["packages"],
        str(ingredients["lang"]),
        workspace,
        Path(place).resolve() if place and Path(place).is_dir() else None,
    )


def _new_lines(folder: Path, earlier: list[Line]) -> list[Line]:
    """Give the lines of the ledgers that were not there before the step."""
    seen = {ledger: sum(name == ledger for name, _ in earlier) for ledger in LEDGERS}
    found: list[Line] = []
    for ledger in LEDGERS:
        lines = [line for name, line in read_ledgers(folder) if name == ledger]
        found += [(ledger, line) for line in lines[seen[ledger] :]]
    return found


def _keep(execution: Execution, path: Path) -> None:
    import nbformat

    if execution.notebook is not None:
        write_text(path, nbformat.writes(execution.notebook) + "\n")


def _assemble(folder: Path) -> None:
    """Write the canonical results, and the attrition where an output of that name was released."""
    # The ledger alone is imported: the rest of the gate brings in pandas, which a run has no need of.
    from epi.disclosure.ledger import RESULTS_FILE, read_lines

    rows = read_lines(folder / RESULTS_FILE)
    rows.sort(key=lambda row: (str(row["name"]), dump_json(row["stratum"])))
    write_json(folder / "results.json", rows)
    attrition = folder / "tables" / "attrition.csv"
    if attrition.is_file():
        write_text(folder / "attrition.csv", attrition.read_text(encoding="utf-8"))


def _gate_summary(folder: Path) -> dict[str, Any]:
    from epi.disclosure import read_gate

    log = folder / "gate.jsonl"
    lines = read_gate(folder)
    verdicts = [str(line.get("verdict")) for line in lines]
    return {
        "digest": digest_file(log) if log.is_file() else digest_text(""),
        "released": verdicts.count("released"),
        "refused": verdicts.count("refused"),
        "hidden_cells": sum(int(line.get("hidden") or 0) for line in lines),
    }


def _describe(error: BaseException) -> dict[str, Any]:
    step = getattr(error, "step", None)
    if step:
        return dict(step)
    if isinstance(error, EpiError):
        sentence = EpiError(error.arrived, error.expected, error.do).sentence
        return {"cause": publishable(sentence) or type(error).__name__}
    if isinstance(error, KeyboardInterrupt):
        return {"cause": "stopped by the user"}
    return {"cause": type(error).__name__}


def _record_end(folder: Path, manifest: dict[str, Any], start: float) -> None:
    manifest["seconds"] = round(time.perf_counter() - start, 3)
    write_json(folder / MANIFEST, manifest)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
