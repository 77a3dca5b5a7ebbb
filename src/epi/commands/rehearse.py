"""``epi rehearse``: a study on synthetic data of the size asked for, before access is asked for."""

from __future__ import annotations

import json as json_
import os
import resource
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from epi.commands.console import Json, Studies, console, parse_assignments, print_json, print_table

if TYPE_CHECKING:
    from epi.runner.study import Study


def rehearse(
    study: Annotated[str, typer.Argument(help="A study's name or folder.", show_default=False)],
    persons: Annotated[int, typer.Option("--persons", min=1000, help="Inhabitants of the territory.")] = 5_000_000,
    from_: Annotated[int | None, typer.Option("--from", help="First year; sets the study's parameter start.")] = None,
    to: Annotated[int | None, typer.Option("--to", help="Last year; sets the study's parameter end.")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="A preset of the study.")] = None,
    parameter: Annotated[list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE; repeat.")] = None,
    replicates: Annotated[int, typer.Option("--replicates", min=1, max=1000, help="Worlds, one seed each.")] = 5,
    first_seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the first; the others follow.")] = 1,
    effect: Annotated[float | None, typer.Option("--effect", help="Ratio of interest, such as 1.2.")] = None,
    planted: Annotated[
        bool, typer.Option("--planted", help="Cases are ALS: set ratios beside those planted for it.")
    ] = False,
    around: Annotated[str, typer.Option("--around", help="Département in the middle of the territory.")] = "69",
    open_data: Annotated[
        Path | None,
        typer.Option("--open-data", envvar="EPI_OPEN_DATA", help="Folder of open data, for real exposures."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of rehearsals; replicates done are kept there.")] = Path(
        "rehearsals"
    ),
    lang: Annotated[str, typer.Option("--lang", help="Language of the page: en or fr.")] = "en",
    studies: Studies = Path("studies"),
    json: Json = False,
) -> None:
    """Run a study on synthetic worlds: expected numbers, precision, power, what will be hidden.

    Example: `epi rehearse sla_environment --persons 5000000 --from 2015 --replicates 20 --effect 1.2 --planted`

    Parameters
    ----------
    study : str
        A study's name or folder.
    persons : int, optional
        Inhabitants of the territory.
    from_, to : int, optional
        First and last year.
    preset : str, optional
        A preset of the study.
    parameter : list of str, optional
        NAME=VALUE.
    replicates : int, optional
        Worlds, one seed each.
    first_seed : int, optional
        Seed of the first.
    effect : float, optional
        Ratio of interest.
    planted : bool, optional
        Cases are ALS: ratios are set beside those planted for it.
    around : str, optional
        Département in the middle of the territory.
    open_data : Path, optional
        Folder of open data, for real exposures.
    out : Path, optional
        Folder of rehearsals.
    lang : str, optional
        Language of the page: en or fr.
    studies : Path, optional
        Folder that holds the studies.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.errors import ParameterError, RunError
    from epi.runner.rehearsal import summarise
    from epi.runner.rehearsal_page import facts_of, views_of, write_rehearsal
    from epi.runner.study import open_study

    opened = open_study(study, studies)
    faults = []
    if effect is not None and (not 0 < effect < float("inf") or effect == 1):
        faults.append("--effect: a ratio above 0 that is not 1")
    if lang not in {"en", "fr"}:
        faults.append("--lang: en or fr")
    if not opened.needs_workspace:
        faults.append(f"study {opened.name} reads no workspace: the synthetic France has nothing to show it")
    given: dict[str, Any] = dict(parse_assignments(parameter or []))
    for name, year, day in (("start", from_, "01-01"), ("end", to, "12-31")):
        if year is not None and name not in opened.protocol.parameters:
            faults.append(f"study {opened.name} has no parameter {name}: give its period with -p NAME=VALUE")
        elif year is not None and name in given:
            faults.append(f"{name} is given twice: by its year and by -p")
        elif year is not None:
            given[name] = f"{year:04d}-{day}"
    if faults:
        raise ParameterError("the rehearsal cannot start", faults=faults, do="epi rehearse --help")
    values = opened.resolve(given, preset)
    opened.check_runnable()
    folder = out / opened.name
    screen = console(stderr=True)
    seeds = list(range(first_seed, first_seed + replicates))
    worlds = {"persons": persons, "around": around, "open_data": str(open_data) if open_data else None}
    truthful = planted or values.get("orpha") == 803
    done: list[dict[str, Any]] = []
    for number, seed in enumerate(seeds, 1):
        record, fresh = _replicate(opened, values, given, preset, seed, worlds, folder, truthful)
        done.append(record)
        state = f"failed, {record['failure']}" if "failure" in record else f"{record['total_seconds']:.0f} s"
        left = sum(one.get("total_seconds", 0) for one in done) / number * (replicates - number)
        screen.print(
            f"{number}/{replicates} seed {seed}: {state if fresh or 'failure' in record else 'done before'}"
            + (f"; about {left:.0f} s to go at most" if left and fresh else "")
        )
    asked = {
        "study": opened.name,
        "study_digest": opened.digest(),
        **worlds,
        "parameters": given,
        "preset": preset,
        "seeds": seeds,
        "effect": effect,
    }
    rehearsal = summarise(done, asked)
    page = write_rehearsal(folder, rehearsal, lang)
    if json:
        print_json(rehearsal.as_dict())
    else:
        console().print("SYNTHETIC DATA" if lang == "en" else "DONNÉES SYNTHÉTIQUES")
        for label, text in facts_of(rehearsal, lang):
            console().print(f"{label}: {text}")
        for table in views_of(rehearsal, lang).values():
            if table.rows:
                console().print()
                print_table(table.columns, table.rows)
        for failure in rehearsal.failures:
            console().print(f"seed {failure['seed']} failed: {failure['cause']}")
        console().print(f"\n{page}")
    if not rehearsal.cost["replicates"]:
        raise RunError("every replicate failed", "one that runs", "correct the cause, then the same")


def _replicate(
    study: Study,
    values: Mapping[str, Any],
    given: Mapping[str, Any],
    preset: str | None,
    seed: int,
    worlds: Mapping[str, Any],
    folder: Path,
    truthful: bool,
) -> tuple[dict[str, Any], bool]:
    """Make one world, run the study on it, keep what counts and throw the rest away; or take what is there."""
    from epi.errors import RunError
    from epi.files import digest_text, dump_json, storage_faults, write_json
    from epi.runner.identity import package_versions, source_digest
    from epi.runner.inspection import plain_value
    from epi.runner.rehearsal import read_replicate
    from epi.runner.run import run_study
    from epi.workspace import build_workspace
    from epi.world import build_world

    key = {
        "seed": seed,
        **worlds,
        "truthful": truthful,
        "study": study.digests(),
        "values": {name: plain_value(value) for name, value in values.items()},
        "epi": [source_digest(), _world_digest()],
        "packages": package_versions(),
    }
    path = folder / "replicates" / f"{digest_text(dump_json(key))[:16]}.json"
    before = _read(path, key)
    if before is not None:
        return before, False
    started = time.perf_counter()
    work = folder / f".work-{os.getpid()}"
    with storage_faults(work):
        work.mkdir(parents=True, exist_ok=True)
        try:
            data = worlds["open_data"] or False
            build_world(work / "world", persons=worlds["persons"], seed=seed, around=worlds["around"], open_data=data)
            build_workspace(work / "world", work / "workspace")
            record: dict[str, Any] = {"seed": seed, "key": key, "truth": _truth(work / "world") if truthful else {}}
            try:
                run = run_study(study, given, preset=preset, workspace=work / "workspace", runs_dir=work / "runs")
                record |= read_replicate(run)
                record["peak_memory_mb"] = max(record["peak_memory_mb"], _peak_mb())
            except RunError as error:
                # The sentence would point at a folder that is thrown away.
                step = getattr(error, "step", None)
                record["failure"] = "{notebook}, cell {cell}: {cause}".format(**step) if step else error.arrived
        finally:
            shutil.rmtree(work, ignore_errors=True)
    record["total_seconds"] = time.perf_counter() - started
    write_json(path, record)
    return record, True


def _read(path: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a replicate that was done; one that failed, or is not what was written, is done again."""
    try:
        record = json_.loads(path.read_text(encoding="utf-8"))
        return record if record["key"] == dict(key) and "failure" not in record else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _truth(world: Path) -> dict[str, float]:
    """Give the planted log ratio for one unit of each exposure that acts as it is, without a transformation."""
    planted = json_.loads((world / "truth" / "planted.json").read_text(encoding="utf-8"))["variables"]
    return {
        name: float(about["log_rr_per_unit"]) for name, about in planted.items() if about["transform"] == "identity"
    }


def _world_digest() -> str:
    """Digest the sources that make worlds: they are no part of what determines a study's result."""
    import epi.world
    from epi.files import digest_file, digest_text

    return digest_text(*(digest_file(path) for path in sorted(Path(epi.world.__file__).parent.glob("*.py"))))


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
