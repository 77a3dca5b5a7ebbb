"""Run a study: parameters first, then each notebook in its own kernel, then the run's record."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.errors import EpiError, ParameterError
from epi.files import digest_file, digest_text, dump_json, storage_faults, write_json, write_text
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
from epi.runner.plan import FILE as PLAN
from epi.runner.plan import plan_record
from epi.runner.progress import Progress
from epi.runner.scan import find_identifier_shapes

if TYPE_CHECKING:
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
) -> Run:
    """Run a study, or answer from its finished run when nothing that determines it has changed.

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
        Execute even if a finished run is there; what it held is replaced.
    lang : {"en", "fr"}, optional
        Language of labels in figures and tables; a parameter `lang` of the study goes before.
    progress : Progress, optional
        Told of each notebook and cell.

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
    values = study.resolve(parameters, preset)
    study.check_runnable()
    _refuse_identifiers(values)
    lang = str(values.get("lang", lang))
    place = _workspace(study, workspace)
    ingredients = collect_ingredients(study, values, place, lang)
    folder = run_folder(runs_dir, study.name, run_identifier(ingredients))
    with locked(folder):
        before = read_manifest(folder)
        if before is not None and before["status"] == "done" and not force:
            reason = f"nothing that determines its result has changed since {str(before['finished'])[:16]} UTC"
            return Run(folder, before, reused=True, reason=reason)
        reason = _reason(before, force, ingredients, list_runs(Path(runs_dir), study.name))
        clear_folder(folder)
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
            executed = _execute(study, ingredients["parameters"], folder, place, lang, progress or Progress())
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


def _execute(
    study: Study,
    parameters: Mapping[str, Any],
    folder: Path,
    workspace: Path | None,
    lang: str,
    progress: Progress,
) -> list[dict[str, Any]]:
    from epi.runner.environment import kernel_environment
    from epi.runner.kernel import execute

    private = folder / "notebooks"
    with storage_faults(private):
        private.mkdir(mode=0o700)
    environment = kernel_environment(
        EPI_RUN_DIR=str(folder),
        EPI_PROTOCOL=str(study.folder / "protocol.yml"),
        EPI_WORKSPACE=str(workspace) if workspace else None,
        EPI_LANG=lang,
    )
    steps: list[dict[str, Any]] = []
    for number, notebook in enumerate(study.protocol.notebooks, 1):
        source = study.notebook_path(notebook)
        log = private / f"{source.stem}.log"
        progress.begin(notebook.file, number, len(study.protocol.notebooks))
        execution = execute(
            source,
            {name: plain_value(parameters[name]) for name in parameter_names(source)},
            folder=study.folder,
            environment=environment,
            log=log,
            on_cell=progress.cell,
        )
        _keep(execution, private / notebook.file)
        if not log.stat().st_size:
            log.unlink()
        progress.end(notebook.file, execution.seconds)
        if execution.failure:
            error = run_error(notebook.file, execution.failure, private / notebook.file)
            error.step = {  # type: ignore[attr-defined]  # for the manifest
                "notebook": notebook.file,
                "cell": execution.failure.cell,
                "cause": cause_in_public(execution.failure),
            }
            raise error
        steps.append(
            {
                "notebook": notebook.file,
                "seconds": round(execution.seconds, 3),
                "cells": execution.cells,
                "peak_memory_mb": round(execution.peak_bytes / 1e6, 1),
            }
        )
    return steps


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
