"""Where a result comes from, and how the runs of a study differ, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial

from epi.protocol import read_protocol
from epi.runner.confinement import SYSTEM, WRITES_REFUSED, WRITES_TOLD, layers_of
from epi.runner.folder import Run
from epi.runner.inspection import plain_value
from epi.runner.site.content import View, plain_text, view
from epi.runner.site.figures import date_text, moment_text, number
from epi.runner.site.words import word


def provenance_view(run: Run, lang: str, *, hidden: int, outputs: int, left_out: int) -> list[tuple[str, str, bool]]:
    """Say where a result comes from.

    Parameters
    ----------
    run : Run
        A finished run.
    lang : {"fr", "en"}
        The language.
    hidden, outputs, left_out : int
        Cells hidden by the gate, outputs checked, notebook outputs left out.

    Returns
    -------
    list of tuple
        Label, text, and whether it is a digest.
    """
    about = run.manifest
    data, code = dict(about.get("data") or {}), dict(about["code"])
    say = partial(word, lang=lang)
    where = [str(data.get("title") or "")]
    if data.get("extraction_date"):
        where.append(word("extraction", lang, date=date_text(str(data["extraction_date"]), lang)))
    if about.get("synthetic"):
        where.append(say("synthetic").lower())
    commit = ""
    if code.get("commit"):
        key = "commit_modified" if code.get("modified") else "commit"
        commit = ", " + word(key, lang, commit=code["commit"])
    facts = [
        (say("run"), run.run_id, True),
        (say("finished"), moment_text(about.get("finished"), lang), False),
        (say("executed_because"), str(about.get("reason", "")), False),
        (say("preset"), preset_text(run, lang), False),
        (say("data"), ", ".join(part for part in where if part) or say("no_workspace"), False),
        (say("fingerprint"), str(about.get("data_fingerprint") or about.get("open_data_fingerprint") or ""), True),
        (say("opposition_rule"), word(f"opposition_{about['opposition']}", lang), False),
        (say("code"), f"epi {code['version']}{commit}", False),
        (say("study_digest"), str(about.get("study_digest", "")), True),
        (say("gate"), word("gate_text", lang, outputs=outputs, hidden=hidden, left_out=left_out), False),
        (say("duration"), f"{number(float(about.get('seconds', 0)), lang, 1)} s", False),
        (say("memory"), f"{number(round(about.get('peak_memory_mb', 0)), lang)} MB", False),
        (say("confinement"), confinement_text(run, lang), False),
    ]
    if not about.get("data_fingerprint"):
        facts = [fact for fact in facts if fact[0] != say("opposition_rule")]
    return [fact for fact in facts if fact[1]]


def confinement_text(run: Run, lang: str) -> str:
    """Say from what every notebook of a run was kept.

    Parameters
    ----------
    run : Run
        The run.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        Empty where the run does not say.
    """
    held = layers_of(run.manifest)
    if held is None:
        return ""
    keys = ["network_refused" if SYSTEM in held else "network_told"]
    keys.append("writes_refused" if WRITES_REFUSED in held else "writes_told" if WRITES_TOLD in held else "writes_open")
    return ", ".join(word(key, lang) for key in keys)


def preset_text(run: Run, lang: str) -> str:
    """Say with which preset a study ran.

    Parameters
    ----------
    run : Run
        The run.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        Its name, or that there was none.
    """
    if run.manifest.get("preset"):
        return str(run.manifest["preset"])
    return word("no_preset" if uses_defaults(run) else "own_values", lang)


def uses_defaults(run: Run) -> bool:
    """Say whether a run used the default of every parameter.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    bool
        True if no value differs from the protocol's.
    """
    defaults = {
        name: plain_value(parameter.parse(name, parameter.default))
        for name, parameter in read_protocol(run.folder / "protocol.yml").parameters.items()
    }
    return dict(run.manifest["parameters"]) == defaults


def steps_view(run: Run, lang: str) -> View:
    """List the time and memory of each notebook.

    Parameters
    ----------
    run : Run
        A finished run.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    View
        Notebook, seconds, peak memory.
    """
    rows = [
        (step["notebook"], number(float(step["seconds"]), lang, 1), f"{number(round(step['peak_memory_mb']), lang)} MB")
        for step in run.manifest.get("timings", [])
    ]
    headings = [word(key, lang) for key in ("notebook", "seconds", "memory")]
    return view(headings, rows, numeric=[False, True, True])


def difference_text(run: Run, shown: Run, lang: str) -> str:
    """Say in what another run of a study differs from the one shown.

    Parameters
    ----------
    run, shown : Run
        Two runs of a study.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        Parameters by name and value; data or code by name.
    """
    mine, theirs = dict(run.manifest["ingredients"]), dict(shown.manifest["ingredients"])
    words = [
        f"{name} = {plain_text(mine['parameters'].get(name), lang)}"
        for name in sorted(mine["parameters"].keys() | theirs["parameters"].keys())
        if mine["parameters"].get(name) != theirs["parameters"].get(name)
    ]
    if mine.get("workspace") != theirs.get("workspace"):
        words.append(word("data", lang).lower())
    if any(mine.get(part) != theirs.get(part) for part in ("epi", "packages", "study")):
        words.append(word("code", lang).lower())
    return "; ".join(words) or word("same_parameters", lang)


def exposures_view(runs: Iterable[Run], lang: str) -> View:
    """List the exposure variables of all data behind a site, and which are simulated.

    Parameters
    ----------
    runs : iterable of Run
        The runs shown.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    View
        One row for each variable and origin.
    """
    found: dict[str, tuple[str, ...]] = {}
    for run in runs:
        for name, about in dict((run.manifest.get("data") or {}).get("exposures") or {}).items():
            origin = str(about.get("origin", ""))
            shown = word(f"origin_{origin}", lang) if origin in {"open data", "synthetic"} else origin
            cells = [
                about.get(f"label_{lang}", name),
                about.get("unit"),
                shown,
                about.get("source"),
                about.get("vintage"),
            ]
            found[json.dumps([name, about], sort_keys=True)] = tuple(str(cell or "") for cell in cells)
    headings = [word(key, lang) for key in ("variable", "unit", "origin", "source", "vintage")]
    return view(headings, sorted(set(found.values())), numeric=[False] * 5)
