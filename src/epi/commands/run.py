"""``epi run`` and ``epi runs``: run a study, list what was run."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from epi.commands.console import (
    Json,
    MemoryMb,
    Minutes,
    Runs,
    Studies,
    console,
    parse_assignments,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from epi.runner.folder import Run
    from epi.runner.forecast import Forecast, PlannedStep
    from epi.runner.study import Study


def run(
    study: Annotated[str, typer.Argument(help="A study's name, or its folder.", show_default=False)],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter; repeat for more.")
    ] = None,
    params: Annotated[
        str | None, typer.Option("--params", help="A preset's name, or a YAML file of parameters.")
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", envvar="EPI_WORKSPACE", help="The data to run on.")
    ] = None,
    runs: Runs = Path("runs"),
    studies: Studies = Path("studies"),
    force: Annotated[bool, typer.Option("--force", help="Run even if a finished run is there.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which steps would run, why, and how long they took before; and stop.")
    ] = False,
    help_parameters: Annotated[
        bool, typer.Option("--help-parameters", help="List the study's parameters and presets, and stop.")
    ] = False,
    memory_mb: MemoryMb = None,
    minutes: Minutes = None,
    json: Json = False,
) -> None:
    """Run a study. Parameters are checked before anything starts; a finished run is not run again.

    Example: `epi run sla_environment -p minimum_age=40 --workspace build/workspace`

    Parameters
    ----------
    study : str
        A study's name, or its folder.
    parameter : list of str, optional
        A parameter; repeat for more.
    params : str, optional
        A preset's name, or a YAML file of parameters.
    workspace : Path, optional
        The data to run on.
    runs : Path, optional
        Folder of runs.
    studies : Path, optional
        Folder that holds the studies.
    force : bool, optional
        Run even if a finished run is there.
    dry_run : bool, optional
        Say which steps would run, why, and how long they took before; and stop.
    help_parameters : bool, optional
        List the study's parameters and presets, and stop.
    memory_mb : float, optional
        Kill a step whose processes use more, in megabytes.
    minutes : float, optional
        Stop a step that lasts longer.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.study import open_study

    opened = open_study(study, studies)
    if help_parameters:
        _show_parameters(opened, json)
        return
    preset, values = _values(opened, params, parse_assignments(parameter or []))
    if dry_run:
        from epi.runner.budget import Budget
        from epi.runner.forecast import forecast_run

        ceiling = Budget(memory_mb, minutes)
        forecast = forecast_run(
            opened, values, preset=preset, workspace=workspace, runs_dir=runs, force=force, budget=ceiling
        )
        _show_forecast(forecast, json)
        return
    from epi.runner.budget import Budget
    from epi.runner.progress import Display
    from epi.runner.run import run_study

    with terminable(), Display(console(stderr=True)) as display:
        try:
            done = run_study(
                opened,
                values,
                preset=preset,
                workspace=workspace,
                runs_dir=runs,
                force=force,
                progress=display,
                budget=Budget(memory_mb, minutes),
            )
        except KeyboardInterrupt:
            console(stderr=True).print("epi: stopped; nothing half-written is left. The same command starts it again.")
            raise typer.Exit(130) from None
    if json:
        print_json(_plain(done))
        return
    verb = "not run again" if done.reused else "done"
    console().print(f"{done.study} {done.run_id}: {verb}. {done.reason[:1].upper()}{done.reason[1:]}.")
    if lacking := _lacking_confinement(done):
        console().print(
            f"this system could not refuse the kernels {lacking}; attempts from Python are stopped all the same"
        )
    plan = done.manifest.get("plan") or {}
    if plan.get("status") == "deviates":
        console().print(f"deviates from the frozen plan in {len(plan['deviations'])} place(s): the site tells them")
    elif plan.get("status") == "altered":
        console().print(f"{plan['cause']}.")
    console().print(f"{done.folder}")


def runs(
    study: Annotated[str | None, typer.Argument(help="Only this study's.")] = None,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """List the runs, the latest first.

    Example: `epi runs sla_environment`

    Parameters
    ----------
    study : str, optional
        Only this study's.
    runs : Path, optional
        Folder of runs.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.folder import list_runs

    found = list_runs(runs, study)
    if json:
        print_json([_plain(one) for one in found])
    elif not found:
        what = f" of {study}" if study else ""
        console().print(f"there is no run{what} in {runs}; start one with: epi run STUDY")
    else:
        rows = [
            (
                one.study,
                one.run_id,
                one.status,
                str(one.manifest.get("preset") or ""),
                str(one.manifest.get("started", ""))[:16].replace("T", " "),
                f"{one.manifest['seconds']:.1f}" if "seconds" in one.manifest else "",
                "synthetic" if one.synthetic else "",
            )
            for one in found
        ]
        print_table(["study", "run", "status", "preset", "started (UTC)", "seconds", "data"], rows)


def _lacking_confinement(done: Run) -> str:
    from epi.runner.confinement import SYSTEM, WRITES_REFUSED, layers_of

    held = layers_of(done.manifest)
    words = {SYSTEM: "the network", WRITES_REFUSED: "writing outside the run's folder"}
    return " and ".join(said for layer, said in words.items() if held is not None and layer not in held)


def _show_forecast(forecast: Forecast, json: bool) -> None:
    if json:
        from dataclasses import asdict

        steps = [asdict(step) for step in forecast.steps]
        totals = {"seconds": forecast.seconds, "peak_memory_mb": forecast.peak_memory_mb}
        print_json({"study": forecast.study, "run_id": forecast.run_id, "steps": steps, **totals})
        return
    rows = [
        (
            step.notebook,
            step.state,
            "" if step.seconds is None else f"{step.seconds:.1f}",
            "" if step.peak_memory_mb is None else f"{step.peak_memory_mb:.0f}",
            _budget_words(step),
            step.reason,
        )
        for step in forecast.steps
    ]
    print_table(["step", "state", "seconds", "MB", "budget", "reason"], rows)
    if forecast.seconds is None:
        said = "time unknown: a step that is to run never ran here"
    else:
        cost = f"{forecast.seconds:.0f} s and {forecast.peak_memory_mb:.0f} MB"
        said = f"at most about {cost}, as the medians of earlier runs say"
    console().print(f"{forecast.study} {forecast.run_id}: {said}. Nothing was started.", highlight=False)


def _budget_words(step: PlannedStep) -> str:
    """Say a step's budget, and warn where it took more before."""
    parts = []
    if step.memory_mb is not None:
        parts.append(f"{step.memory_mb:,.0f} MB")
        if step.peak_memory_mb is not None and step.peak_memory_mb > step.memory_mb:
            parts[-1] += " (took more before)"
    if step.minutes is not None:
        parts.append(f"{step.minutes:g} min")
        if step.seconds is not None and step.seconds > step.minutes * 60:
            parts[-1] += " (took longer before)"
    return ", ".join(parts)


def _values(study: Study, params: str | None, given: dict[str, str]) -> tuple[str | None, dict[str, Any]]:
    """Tell a preset's name from a file of parameters; values on the command line go before."""
    from epi.errors import ParameterError
    from epi.runner.study import read_parameters

    if params is None:
        return None, dict(given)
    if params in study.presets:
        return params, dict(given)
    if not Path(params).is_file():
        raise ParameterError(
            f"{params!r} is neither a preset nor a file",
            f"a YAML file, or one of {', '.join(study.presets) or 'no preset'}",
            f"epi run {study.name} --help-parameters",
        )
    return None, {**read_parameters(params), **given}


def _show_parameters(study: Study, json: bool) -> None:
    from epi.runner.inspection import plain_value

    described = [
        {
            "name": name,
            "type": parameter.type,
            "default": plain_value(parameter.parse(name, parameter.default)),
            "values": parameter.describe(),
            "meaning": parameter.meaning,
        }
        for name, parameter in study.protocol.parameters.items()
    ]
    if json:
        print_json({"parameters": described, "presets": {name: study.preset(name) for name in study.presets}})
        return
    rows = [(one["name"], one["type"], one["values"], one["meaning"]) for one in described]
    print_table(["parameter", "type", "values", "meaning"], rows)
    if study.presets:
        console().print("\npresets (--params NAME): " + ", ".join(study.presets))


def _plain(one: Run) -> dict[str, Any]:
    kept = ("preset", "parameters", "started", "finished", "seconds", "peak_memory_mb", "data_fingerprint", "failure")
    return {
        "study": one.study,
        "run_id": one.run_id,
        "status": one.status,
        "reused": one.reused,
        "reason": one.reason or str(one.manifest.get("reason", "")),
        "folder": str(one.folder),
        "synthetic": one.synthetic,
        **{name: one.manifest.get(name) for name in kept},
    }


@contextmanager
def terminable() -> Iterator[None]:
    """Let a polite kill end a run as Ctrl-C does: the kernel is stopped, the failure written.

    Yields
    ------
    None
        Control, while it holds.
    """

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
