"""``epi batch``: many runs of a study from one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from epi.commands.console import Json, MemoryMb, Minutes, Runs, Studies, console, print_json, print_table
from epi.commands.run import terminable

if TYPE_CHECKING:
    from rich.console import Console

    from epi.runner.batch import Batch, BatchCourse, Job, Outcome


def batch(
    file: Annotated[Path, typer.Argument(help="A YAML file: study, presets, grid, jobs, fixed, compare.")],
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Runs at a time; they share the cores.", show_default="cores"),
    ] = None,
    only_failed: Annotated[
        bool, typer.Option("--only-failed", help="Leave alone the jobs that this batch has already done.")
    ] = False,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", envvar="EPI_WORKSPACE", help="The data to run on.")
    ] = None,
    runs: Runs = Path("runs"),
    studies: Studies = Path("studies"),
    force: Annotated[bool, typer.Option("--force", help="Run every step, whatever is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what each job would do, and stop.")] = False,
    memory_mb: MemoryMb = None,
    minutes: Minutes = None,
    json: Json = False,
) -> None:
    """Run many sets of parameters. All are checked before any starts; a failure stops its own job only.

    Example: `epi batch presets.yml --workspace build/workspace --jobs 2`

    Parameters
    ----------
    file : Path
        A YAML file: study, presets, grid, jobs, fixed, compare.
    jobs : int, optional
        Runs at a time; they share the cores. By default as many as there are cores.
    only_failed : bool, optional
        Leave alone the jobs that this batch has already done.
    workspace : Path, optional
        The data to run on.
    runs : Path, optional
        Folder of runs.
    studies : Path, optional
        Folder that holds the studies.
    force : bool, optional
        Run every step, whatever is there.
    dry_run : bool, optional
        Say what each job would do, and stop.
    memory_mb : float, optional
        Kill a step whose processes use more, in megabytes.
    minutes : float, optional
        Stop a step that lasts longer.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.batch import read_batch, run_batch, write_summary
    from epi.runner.batch.course import batch_folder
    from epi.runner.budget import Budget

    asked = read_batch(file, studies)
    if dry_run:
        _show_plan(asked, workspace, runs, force, json)
        return
    size = jobs or os.cpu_count() or 1
    with terminable():
        try:
            outcomes = run_batch(
                asked,
                workspace=workspace,
                runs_dir=runs,
                jobs=size,
                only_failed=only_failed,
                force=force,
                course=_lines(console(stderr=True)),
                budget=Budget(memory_mb, minutes),
            )
        except KeyboardInterrupt:
            console(stderr=True).print("epi: stopped; what ended is kept. The same command goes on from there.")
            raise typer.Exit(130) from None
    paths = write_summary(asked, outcomes, runs, batch_folder(runs, asked))
    _report(asked, outcomes, paths, json)
    if any(outcome.status != "done" for outcome in outcomes.values()):
        raise typer.Exit(8)


def _lines(out: Console) -> BatchCourse:
    """Write one line for each job that ends; on a terminal, where the jobs under way are."""
    from epi.runner.batch.course import BatchCourse  # not with the others: --help stays light

    class Lines(BatchCourse):
        def end(self, job: Job, outcome: Outcome, done: int, total: int) -> None:
            how = "was there" if outcome.reused else f"{outcome.seconds:.1f} s, {outcome.executed} step(s) executed"
            said = f"done, {how}" if outcome.status == "done" else f"{outcome.status}: {outcome.cause}"
            out.print(f"{done}/{total} {job.label}: {said}", highlight=False, markup=False)

        def at(self, job: Job, where: str) -> None:
            if out.is_terminal:
                width = out.width - 1
                out.print(f"{job.label}: {where}"[:width].ljust(width), end="\r", markup=False)

    return Lines()


def _show_plan(asked: Batch, workspace: Path | None, runs: Path, force: bool, json: bool) -> None:
    from epi.runner.forecast import forecast_run

    rows, plain = [], []
    for job in asked.jobs:
        forecast = forecast_run(
            asked.study, job.given, preset=job.preset, workspace=workspace, runs_dir=runs, force=force
        )
        to_run = [step.notebook for step in forecast.steps if step.state in {"run", "see later"}]
        seconds = "" if forecast.seconds is None else f"{forecast.seconds:.0f}"
        rows.append((job.label, forecast.run_id, f"{len(to_run)} of {len(forecast.steps)}", seconds))
        plain.append(
            {
                "job": job.label,
                "run_id": forecast.run_id,
                "steps": to_run,
                "seconds": forecast.seconds,
                "command": _command(asked, job, workspace, runs),
            }
        )
    if json:
        print_json(plain)
        return
    print_table(["job", "run", "steps to run", "seconds at most"], rows)
    console().print("Jobs that share steps wait for none of them: each is counted alone. Nothing was started.")


def _command(asked: Batch, job: Job, workspace: Path | None, runs: Path) -> str:
    """Write the one command that makes a job's run, for a scheduler."""
    import shlex

    from epi.runner.inspection import plain_value

    words = ["epi", "run", str(asked.study.folder), "--runs", str(runs.resolve())]
    words += ["--params", job.preset] if job.preset else []
    words += ["--workspace", str(workspace.resolve())] if workspace else []
    for name, value in job.given.items():
        plain = plain_value(value)
        text = ",".join(map(str, plain)) if isinstance(plain, list) else str(plain)
        words += ["-p", f"{name}={text}"]
    return shlex.join(words)


def _report(asked: Batch, outcomes: dict[str, Outcome], paths: tuple[Path, Path, Path], json: bool) -> None:
    from dataclasses import asdict

    if json:
        print_json({"batch": asked.name, "jobs": {key: asdict(found) for key, found in outcomes.items()}})
        return
    failed = [job for job in asked.jobs if job.key not in outcomes or outcomes[job.key].status != "done"]
    console().print(
        f"{asked.study.name}, batch {asked.name}: {len(asked.jobs) - len(failed)} of {len(asked.jobs)} jobs done."
    )
    for job in failed:
        cause = outcomes[job.key].cause if job.key in outcomes else "not run"
        console().print(f"  failed: {job.label}: {cause}")
    if failed:
        console().print("Run them again with: --only-failed")
    console().print(f"{paths[2]}")
