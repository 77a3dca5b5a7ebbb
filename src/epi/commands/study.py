"""``epi study``: list and check studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from epi.commands.console import Json, Runs, Studies, add_command, console, new_app, print_json, print_table

app = new_app("Studies: folders with a protocol, notebooks and presets.")


@app.callback()
def _group() -> None:
    """Studies: folders with a protocol, notebooks and presets."""


@add_command(app, "list")
def list_(studies: Studies = Path("studies"), json: Json = False) -> None:
    """List the studies and their questions.

    Example: `epi study list`

    Parameters
    ----------
    studies : Path, optional
        Folder that holds the studies.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.study import list_studies

    found = list_studies(studies)
    if json:
        print_json(
            [
                {
                    "name": study.name,
                    "version": study.protocol.version,
                    "title": study.protocol.title.model_dump(),
                    "question": study.protocol.question.model_dump(),
                    "presets": list(study.presets),
                    "notebooks": [notebook.file for notebook in study.protocol.notebooks],
                }
                for study in found
            ]
        )
    elif found:
        rows = [(study.name, study.protocol.question.en, ", ".join(study.presets)) for study in found]
        print_table(["study", "question", "presets"], rows)
    else:
        console().print(f"there is no study in {studies}")


@add_command(app, "check")
def check(
    study: Annotated[str | None, typer.Argument(help="A study's name or folder; all by default.")] = None,
    studies: Studies = Path("studies"),
) -> None:
    """Check a study folder: notebooks, parameter cells, presets, declared outputs, and its plan.

    Example: `epi study check sla_environment`

    Parameters
    ----------
    study : str, optional
        A study's name or folder; all by default.
    studies : Path, optional
        Folder that holds the studies.
    """
    from epi.runner.plan import describe_plan
    from epi.runner.study import list_studies, open_study

    for one in [open_study(study, studies)] if study else list_studies(studies):
        one.check()
        plan, *deviations = describe_plan(one)
        console().print(f"study {one.name}: nothing wrong; {plan}")
        for deviation in deviations:
            console().print(f"  - {deviation}")


@add_command(app, "new")
def new(
    name: Annotated[str, typer.Argument(help="The study's identifier, such as als_incidence.", show_default=False)],
    orpha: Annotated[str, typer.Option("--orpha", help="ORPHA code of the disease.")] = "803",
    design: Annotated[str, typer.Option("--design", help="incidence or case_control.")] = "incidence",
    title_en: Annotated[str | None, typer.Option("--title-en", help="Title in English.")] = None,
    title_fr: Annotated[str | None, typer.Option("--title-fr", help="Title in French.")] = None,
    lang: Annotated[str, typer.Option("--lang", help="Language of its notebooks and README: en or fr.")] = "en",
    studies: Studies = Path("studies"),
) -> None:
    """Write a new study that runs as it is: protocol, notebooks, presets, checklist, README.

    Example: `epi study new als_incidence --orpha 803 --design case_control`

    Parameters
    ----------
    name : str
        The study's identifier, such as als_incidence.
    orpha : str, optional
        ORPHA code of the disease.
    design : str, optional
        incidence or case_control.
    title_en, title_fr : str, optional
        Its titles.
    lang : str, optional
        Language of its notebooks and README: en or fr.
    studies : Path, optional
        Folder that holds the studies.
    """
    from epi.runner.scaffold import new_study

    made = new_study(name, studies, orpha=orpha, design=design, title_en=title_en, title_fr=title_fr, lang=lang)
    console().print(f"study {made.name} written to {studies / made.name}")
    console().print(f"Next: state what is marked 'to be stated' in its protocol.yml, then: epi run {made.name}")


@add_command(app, "freeze")
def freeze(
    study: Annotated[str, typer.Argument(help="A study's name or folder.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why a frozen plan is amended.")] = "",
    studies: Studies = Path("studies"),
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Freeze the analysis plan: a dated digest of protocol, notebooks and presets, kept in plan.json.

    Example: `epi study freeze sla_environment`

    Parameters
    ----------
    study : str
        A study's name or folder.
    reason : str, optional
        Why a frozen plan is amended.
    studies : Path, optional
        Folder that holds the studies.
    runs : Path, optional
        Folder of runs, to know on which data the study was run before.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.plan import freeze_plan
    from epi.runner.study import open_study

    opened = open_study(study, studies)
    entry, fresh = freeze_plan(opened, reason, runs_dir=runs)
    if json:
        print_json(
            {"study": opened.name, "number": entry.number, "frozen": entry.frozen, "digest": entry.digest, "new": fresh}
        )
        return
    what = "amended" if entry.number > 1 else "frozen"
    console().print(
        f"plan of {opened.name}: " + ("" if fresh else "nothing has changed, ") + f"{what} on {entry.frozen[:16]} UTC"
    )
    console().print(f"digest {entry.digest}: deposit it outside this folder, to prove the date")
