"""What determines a result, and the identifier made of it.

Two runs with the same identifier rest on the same study, parameters, data, code and library
versions. Number of threads, place of the folders and time of day are not part of it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import epi
from epi.files import digest_text, dump_json
from epi.runner.digests import digest_of, digest_tree
from epi.runner.inspection import plain_value

if TYPE_CHECKING:
    from epi.protocol import Value
    from epi.runner.study import Study

LIBRARIES = (
    "duckdb",
    "geopandas",
    "ibis-framework",
    "ipykernel",
    "lifelines",
    "mapclassify",
    "matplotlib",
    "nbclient",
    "numpy",
    "pandas",
    "papermill",
    "pyarrow",
    "pyproj",
    "scikit-learn",
    "scipy",
    "shapely",
    "statsmodels",
)
"""Libraries whose version may change a number or a figure."""

_NOT_RESULTS = ("cli.py", "commands/", "runner/site/", "world/")  # these compute no result of a study


def collect_ingredients(
    study: Study, parameters: Mapping[str, Value], workspace: Path | None, lang: str = "en"
) -> dict[str, Any]:
    """Collect everything that determines a run's result.

    Parameters
    ----------
    study : Study
        The study.
    parameters : mapping
        Every parameter and its value.
    workspace : Path or None
        The workspace folder, for a study that needs one.
    lang : {"en", "fr"}, optional
        Language of the labels in figures and tables.

    Returns
    -------
    dict
        Digests, values and versions, all plain.
    """
    return {
        "study": study.digests(),
        "parameters": {name: plain_value(value) for name, value in parameters.items()},
        "workspace": workspace_fingerprint(workspace) if workspace else None,
        "statement": workspace_statement(workspace) if workspace else None,
        "open_data": open_data_fingerprint() if "open_data" in study.protocol.sources else None,
        "epi": source_digest(),
        "packages": package_versions(),
        "lang": lang,
    }


def run_identifier(ingredients: Mapping[str, Any]) -> str:
    """Name a run after what determines it.

    Parameters
    ----------
    ingredients : mapping
        From :func:`collect_ingredients`.

    Returns
    -------
    str
        12 hexadecimal characters.

    Examples
    --------
    >>> run_identifier({"a": 1}) == run_identifier({"a": 1}), len(run_identifier({"a": 1}))
    (True, 12)
    """
    return digest_text(dump_json(dict(ingredients)))[:12]


def explain_difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say in words what changed between the ingredients of two runs.

    Parameters
    ----------
    before, after : mapping
        From :func:`collect_ingredients`.

    Returns
    -------
    str
        What changed, by name; a parameter's values are given, digests are not.

    Examples
    --------
    >>> explain_difference({"parameters": {"age": 18}}, {"parameters": {"age": 20}})
    'parameter age is 20, was 18'
    """
    words: list[str] = []
    for part, name, old, new in list_differences(before, after):
        if part == "study":
            words.append(
                f"study file {name} {'is new' if old is None else 'was removed' if new is None else 'changed'}"
            )
        elif part in _NAMED:
            words.append(f"{_NAMED[part]} {name} is {new}, was {old}")
        else:
            words.append(f"{_WHOLE[part]} changed")
    return "; ".join(words)


_NAMED = {"parameters": "parameter", "packages": "library"}
_WHOLE = {
    "workspace": "the workspace's data",
    "statement": "what the workspace says of its data",
    "open_data": "the open data",
    "epi": "the code of epi",
    "lang": "the language of labels",
}


def list_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, Any, Any]]:
    """List what changed between the ingredients of two runs.

    Parameters
    ----------
    before, after : mapping
        From :func:`collect_ingredients`.

    Returns
    -------
    list of tuple
        Part (``study``, ``parameters``, ``packages``, ``workspace``...), name inside it, value before and after;
        None where there was none.

    Examples
    --------
    >>> list_differences({"parameters": {"age": 18}}, {"parameters": {"age": 20}})
    [('parameters', 'age', 18, 20)]
    """
    found: list[tuple[str, str, Any, Any]] = []
    for part in ("study", *_NAMED):
        old, new = before.get(part) or {}, after.get(part) or {}
        found += [
            (part, name, old.get(name), new.get(name))
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    found += [(part, "", before.get(part), after.get(part)) for part in _WHOLE if before.get(part) != after.get(part)]
    return found


def workspace_fingerprint(workspace: Path) -> str:
    """Ask the workspace room for the fingerprint of a workspace's data.

    Parameters
    ----------
    workspace : Path
        A workspace folder, or a DuckDB file.

    Returns
    -------
    str
        The fingerprint, the same whatever the order of rows.

    Raises
    ------
    WorkspaceError
        If it is not a workspace.
    """
    from epi.workspace import fingerprint_of

    return str(fingerprint_of(workspace))


def workspace_statement(workspace: Path) -> str | None:
    """Digest what a workspace says of its data: title, source, synthetic or real.

    Parameters
    ----------
    workspace : Path
        A workspace folder, or a DuckDB file.

    Returns
    -------
    str or None
        SHA-256 in hexadecimal; None where it says nothing.
    """
    return digest_of(workspace / "workspace.json" if workspace.is_dir() else workspace.with_suffix(".json"))


def describe_workspace(workspace: Path) -> dict[str, Any]:
    """Say what a workspace declares of its data: title, extraction date, synthetic or real.

    Parameters
    ----------
    workspace : Path
        A workspace folder, or a DuckDB file.

    Returns
    -------
    dict
        ``title``, ``extraction_date``, ``synthetic``, ``source``, and ``exposures``: for each
        variable its labels, source, vintage, licence and origin (open data or synthetic).
    """
    statement = workspace / "workspace.json"
    if statement.is_file():
        about = json.loads(statement.read_text(encoding="utf-8"))
    else:
        from epi.workspace.origin import open_origin

        about = open_origin(workspace).about
    kept = {name: about.get(name) for name in ("title", "extraction_date", "source")}
    catalogue = workspace / "reference" / "exposures.json"
    exposures = json.loads(catalogue.read_text(encoding="utf-8")) if catalogue.is_file() else {}
    return {**kept, "synthetic": bool(about.get("synthetic")), "exposures": exposures}


def open_data_fingerprint() -> str | None:
    """Digest the open-data folder named by ``EPI_OPEN_DATA``.

    Returns
    -------
    str or None
        SHA-256 over names and contents; None when the variable is not set.
    """
    place = os.environ.get("EPI_OPEN_DATA")
    if not place or not Path(place).is_dir():
        return None
    return digest_tree(Path(place))


def source_digest() -> str:
    """Digest the installed package's own code and data.

    Commands, the site's pages and the synthetic world are left out: no result depends on them.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    return digest_tree(Path(epi.__file__).parent, without=_NOT_RESULTS)


def _installed() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def package_versions() -> dict[str, str]:
    """List the versions of Python and of the libraries that may change a result.

    Returns
    -------
    dict of str to str
        Name and version; ``absent`` where a library is not installed.
    """
    return dict(_installed())


def code_version() -> dict[str, Any]:
    """Say which code runs: version, digest, and commit where the code is in a git checkout.

    Returns
    -------
    dict
        ``version``, ``digest``, ``commit`` (or None) and ``modified`` (or None).
    """
    version: dict[str, Any] = {"version": epi.__version__, "digest": source_digest(), "commit": None, "modified": None}
    git = shutil.which("git")
    here = Path(epi.__file__).parent
    if git and (here.parents[1] / ".git").exists():
        commit = _ask(git, here, "rev-parse", "--short=12", "HEAD")
        if commit:
            changes = _ask(git, here, "status", "--porcelain", "--", str(here))
            version |= {"commit": commit, "modified": bool(changes)}
    return version


def _ask(git: str, folder: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603  # fixed words, no shell
            [git, "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
