"""``epi check``: say what a path is, and whether it is as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from epi.commands.console import Json, console, print_json


def check(
    path: Annotated[
        Path, typer.Argument(help="A study, protocol, code list, workspace, run, outputs or site.", show_default=False)
    ],
    json: Json = False,
) -> None:
    """Check a study, a protocol, a code list, a workspace, a run or outputs; all faults at once.

    Example: `epi check studies/sla_environment`

    Parameters
    ----------
    path : Path
        A study, protocol, code list, workspace, run, outputs or site.
    json : bool, optional
        Print JSON, for a machine.
    """
    kind, words = check_path(path)
    if json:
        print_json({"path": str(path), "kind": kind, "ok": True, "words": words})
    else:
        console().print(f"{path}: {kind}. {words}")


def check_path(path: Path) -> tuple[str, str]:
    """Find out what a path is and check it.

    Parameters
    ----------
    path : Path
        A file or a folder.

    Returns
    -------
    tuple of str
        What it is, and what was found.

    Raises
    ------
    EpiError
        If it is not as it should be.
    ParameterError
        If it is nothing known.
    """
    from epi.errors import ParameterError

    for recognised, inspect in (
        (path.name == "protocol.yml" and path.is_file(), _protocol),
        ((path / "manifest.json").is_file(), _run),
        ((path / "protocol.yml").is_file(), _study),
        ((path / "workspace.json").is_file() or path.suffix == ".duckdb", _workspace),
        ((path / "site.json").is_file(), _site),
        (path.suffix == ".csv" and path.is_file() and _has_header(path), _codes),
        (path.suffix == ".csv" and path.is_file(), _outputs),
        (path.is_dir() and ((path / "tables").is_dir() or any(path.glob("*.csv"))), _outputs),
    ):
        if recognised:
            return inspect(path)
    raise ParameterError(
        f"{path} is nothing that can be checked" if path.exists() else f"{path} does not exist",
        "a study, a protocol.yml, a code list (.csv), a workspace, a run, a folder of outputs or a site",
    )


def _has_header(path: Path) -> bool:
    """Tell a code list, which opens on a YAML header, from a table."""
    with path.open("rb") as handle:
        return handle.read(3) == b"---"


def _protocol(path: Path) -> tuple[str, str]:
    from epi.protocol import read_protocol

    protocol = read_protocol(path)
    return "protocol", f"{protocol.id} {protocol.version}: nothing wrong"


def _study(path: Path) -> tuple[str, str]:
    from epi.runner.study import open_study

    study = open_study(path)
    study.check()
    return "study", f"{study.name}: nothing wrong"


def _run(path: Path) -> tuple[str, str]:
    from epi.errors import DisclosureError, RunError
    from epi.runner.folder import Run, read_manifest

    folder = path.resolve()
    manifest: dict[str, Any] | None = read_manifest(folder)
    if manifest is None:
        raise RunError(f"{path} is not a run", "runs/STUDY/RUN with its manifest.json")
    run = Run(folder, manifest)
    if run.status != "done":
        raise RunError(f"run {run.run_id} of {run.study} is {run.status}", do=f"epi run {run.study}")
    altered = run.altered()
    if altered:
        raise DisclosureError(
            f"{len(altered)} released file(s) of run {run.run_id} changed since it ended",
            "files as the run wrote them",
            f"epi run {run.study} --force",
            faults=altered,
        )
    _refuse_findings(folder)
    return "run", f"{run.study} {run.run_id}: done, its {len(manifest['files'])} released files are unchanged"


def _outputs(path: Path) -> tuple[str, str]:
    warnings = _refuse_findings(path)
    more = f", {len(warnings)} remark(s): " + "; ".join(warnings) if warnings else ""
    return "outputs", f"nothing that must stay{more}"


def _refuse_findings(path: Path) -> list[str]:
    """Look at outputs as the gate does; give the remarks that stop nothing."""
    from epi.disclosure import check_outputs
    from epi.errors import DisclosureError

    findings = check_outputs(path)
    refused = [str(finding) for finding in findings if finding.severity == "refused"]
    if refused:
        raise DisclosureError(
            f"{path.name} holds what must not leave: {len(refused)} finding(s)",
            do="leave it out, or publish it through epi.output",
            faults=refused,
        )
    return [str(finding) for finding in findings]


def _workspace(path: Path) -> tuple[str, str]:
    from epi.workspace import open_workspace

    workspace = open_workspace(path)
    return "workspace", f"{len(workspace.tables)} tables. {workspace.opposition.sentence()}"


def _codes(path: Path) -> tuple[str, str]:
    from epi.codes import read_code_list

    codes = read_code_list(path)
    return "code list", f"{len(codes)} codes: nothing wrong"


def _site(path: Path) -> tuple[str, str]:
    from epi.errors import DisclosureError

    missing = [name for name in ("index.html", "en/index.html", "assets/style.css") if not (path / name).is_file()]
    if missing:
        raise DisclosureError(f"the site lacks {', '.join(missing)}", do="epi site build")
    return "site", f"{len(list(path.rglob('*.html')))} pages"
