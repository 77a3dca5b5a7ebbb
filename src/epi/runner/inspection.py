"""What a study folder must be before a kernel may start: read from the files, never executed."""

from __future__ import annotations

import ast
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.errors import DataError, EpiError
from epi.files import digest_text
from epi.runner.scan import private_faults

if TYPE_CHECKING:
    from epi.protocol import Protocol
    from epi.runner.study import Study

LONGEST_CELL = 30


@dataclass
class _Calls:
    """Names given to ``epi.output`` and ``epi.record``; `free` when a name is not written out."""

    output: set[str] = field(default_factory=set)
    record: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)


def read_notebook(path: Path) -> dict[str, Any]:
    """Read a notebook of format 4 as plain data.

    Parameters
    ----------
    path : Path
        The notebook.

    Returns
    -------
    dict
        Its JSON, each cell's source joined into one text.

    Raises
    ------
    DataError
        If it is missing or is not a notebook.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = content["cells"]
        for cell in cells:
            cell["source"] = "".join(cell["source"])
            cell.setdefault("metadata", {})
        if content["nbformat"] != 4:
            raise ValueError
    except FileNotFoundError as error:
        raise DataError(f"{path.name} is missing", f"a notebook in {path.parent.name}/") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path.name} is not a notebook", "Jupyter notebook format 4, in UTF-8") from error
    return content


def notebook_digest(path: Path) -> str:
    """Digest what a notebook does: its cells' types, tags and text, not outputs or layout.

    Parameters
    ----------
    path : Path
        The notebook.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    return digest_text(
        *(
            part
            for cell in read_notebook(path)["cells"]
            for part in (cell["cell_type"], ",".join(tags(cell)), cell["source"])
        )
    )


def tags(cell: dict[str, Any]) -> list[str]:
    """List a cell's tags.

    Parameters
    ----------
    cell : dict
        A notebook cell.

    Returns
    -------
    list of str
        The tags, possibly none.
    """
    return list(cell.get("metadata", {}).get("tags", []))


def read_constants(source: str) -> dict[str, Any]:
    """Read a cell made only of assignments of constants.

    Parameters
    ----------
    source : str
        Python source.

    Returns
    -------
    dict
        Names and values.

    Raises
    ------
    ValueError
        If it holds anything but ``name = constant``.

    Examples
    --------
    >>> read_constants("minimum_age = 18  # years")
    {'minimum_age': 18}
    """
    constants: dict[str, Any] = {}
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno} is not Python") from error
    for step in body:
        if isinstance(step, ast.AnnAssign) and isinstance(step.target, ast.Name) and step.value is not None:
            target, value = step.target.id, step.value
        elif isinstance(step, ast.Assign) and len(step.targets) == 1 and isinstance(step.targets[0], ast.Name):
            target, value = step.targets[0].id, step.value
        else:
            raise ValueError(f"line {step.lineno} is not 'name = constant'")
        try:
            constants[target] = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(f"{target}, line {step.lineno}, is not a constant") from error
    return constants


def parameter_names(path: Path) -> tuple[str, ...]:
    """List the parameters that a notebook takes.

    Parameters
    ----------
    path : Path
        The notebook.

    Returns
    -------
    tuple of str
        Names assigned in its cell tagged ``parameters``, in order.
    """
    for cell in read_notebook(path)["cells"]:
        if "parameters" in tags(cell):
            return tuple(read_constants(cell["source"]))
    return ()


def plain_value(value: Any) -> Any:
    """Write a parameter as a notebook's constant: dates become ISO texts.

    Papermill translates texts, numbers, booleans and lists; anything else it would quote in its
    own way, so a date is handed over as its ISO text.

    Parameters
    ----------
    value : object
        A parameter's value.

    Returns
    -------
    object
        Text, number, boolean or list.

    Examples
    --------
    >>> plain_value(dt.date(2015, 12, 31))
    '2015-12-31'
    """
    return value.isoformat() if isinstance(value, dt.date) else value


def find_faults(study: Study, *, only_blocking: bool = False) -> list[str]:
    """Find everything wrong in a study folder.

    Parameters
    ----------
    study : Study
        The study.
    only_blocking : bool, optional
        Leave out what only concerns layout: stored outputs, long cells, README, presets.

    Returns
    -------
    list of str
        One sentence for each fault, in the order of the files.
    """
    protocol = study.protocol
    blocking: list[str] = []
    layout: list[str] = []
    if study.folder.name != study.name:
        layout.append(f"the folder is called {study.folder.name}, the protocol's id is {study.name}")
    if not (study.folder / "README.md").is_file():
        layout.append("README.md is missing: a study opens on what it asks and what it found")
    files = [notebook.file for notebook in protocol.notebooks]
    if files != sorted(files):
        blocking.append(f"notebooks are not in the order of their numbers: {', '.join(files)}")
    extra = sorted({path.name for path in study.folder.glob("*.ipynb")} - set(files))
    layout += [f"{name} is not declared in the protocol's notebooks" for name in extra]
    used: set[str] = set()
    calls = _Calls()
    for name in files:
        path = study.folder / name
        if path.exists() and not path.resolve().is_relative_to(study.folder.resolve()):
            blocking.append(f"{name} leads out of the study folder")
            continue
        try:
            cells = read_notebook(path)["cells"]
        except DataError as error:
            blocking.append(error.sentence)
            continue
        blocking += [f"{name}: {fault}" for fault in _parameter_faults(cells, protocol, used)]
        blocking += [f"{name}: {fault}" for fault in _code_faults(cells, calls)]
        blocking += [f"{name}: {fault}" for fault in private_faults(cells)]
        layout += [f"{name}: {fault}" for fault in _layout_faults(cells)]
    for path in sorted(study.folder.glob("*.py")):
        try:
            _collect_calls(ast.parse(path.read_text(encoding="utf-8")), calls)
        except (SyntaxError, UnicodeDecodeError):
            blocking.append(f"{path.name} is not Python")
    unused = sorted(set(protocol.parameters) - used)
    blocking += [f"parameter {name} is in no notebook's parameters cell" for name in unused]
    blocking += list(_output_faults(protocol, calls))
    layout += _preset_faults(study)
    layout += _checklist_faults(study, calls)
    layout += _plan_faults(study)
    return blocking if only_blocking else blocking + layout


def _parameter_faults(cells: list[dict[str, Any]], protocol: Protocol, used: set[str]) -> Iterator[str]:
    tagged = [(number, cell) for number, cell in enumerate(cells, 1) if "parameters" in tags(cell)]
    if len(tagged) != 1:
        if tagged or protocol.parameters:
            yield f"{len(tagged)} cells are tagged 'parameters'; there must be exactly one"
        return
    number, cell = tagged[0]
    try:
        constants = read_constants(cell["source"])
    except ValueError as error:
        yield f"cell {number} (parameters): {error}"
        return
    for name, value in constants.items():
        used.add(name)
        if name not in protocol.parameters:
            yield f"cell {number} (parameters): {name} is not a parameter of the protocol"
            continue
        parameter = protocol.parameters[name]
        try:
            default = plain_value(parameter.parse(name, parameter.default))
        except EpiError as error:
            yield error.sentence
            continue
        if value != default or type(value) is not type(default):
            yield f"cell {number} (parameters): {name} is not the protocol's default, {default!r}"


def _code_faults(cells: list[dict[str, Any]], calls: _Calls) -> Iterator[str]:
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code":
            continue
        first = [line.lstrip() for line in cell["source"].splitlines()]
        if any(line.startswith(("%", "!")) for line in first):
            yield f"cell {number} holds a magic or shell command; a study notebook is Python only"
            continue
        try:
            tree = ast.parse(cell["source"])
        except SyntaxError as error:
            yield f"cell {number}, line {error.lineno}, is not Python"
            continue
        _collect_calls(tree, calls)


def _layout_faults(cells: list[dict[str, Any]]) -> Iterator[str]:
    for number, cell in enumerate(cells, 1):
        lines = len(cell["source"].splitlines())
        if cell["cell_type"] != "code":
            continue
        if lines > LONGEST_CELL:
            yield f"cell {number} has {lines} lines; at most {LONGEST_CELL}: move code to a helper module"
        if cell.get("outputs"):
            yield f"cell {number} stores outputs; clear them before sharing"
        elif cell.get("execution_count") is not None:
            yield f"cell {number} stores an execution count; clear it before sharing"
        try:
            tree = ast.parse(cell["source"])
        except SyntaxError:
            continue
        defined = [step for step in tree.body if isinstance(step, ast.FunctionDef | ast.ClassDef)]
        if defined:
            yield f"cell {number} defines {defined[0].name}; functions and classes go to a helper module"


def _collect_calls(tree: ast.AST, calls: _Calls) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        verb = _epi_verb(node.func)
        if verb is None:
            continue
        if verb == "record_estimates":
            # epi.record_estimates(forest.estimates("hazard_ratio")): the names that the cell itself tells.
            words = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            calls.record.update(word for word in words if isinstance(word, str) and word.isidentifier())
            continue
        position = 1 if verb == "output" else 0
        given = [word.value for word in node.keywords if word.arg == "name"] or node.args[position : position + 1]
        if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
            getattr(calls, verb).add(given[0].value)
        else:
            calls.free.add(verb)


_VERBS = frozenset({"output", "record", "record_estimates"})


def _epi_verb(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if function.value.id == "epi" and function.attr in _VERBS:
            return function.attr
    elif isinstance(function, ast.Name) and function.id in _VERBS:
        return function.id
    return None


def _output_faults(protocol: Protocol, calls: _Calls) -> Iterator[str]:
    declared = {output.name for output in protocol.outputs}
    for name in sorted(calls.output - declared):
        yield f"output {name} is written but not declared in the protocol's outputs"
    if not calls.free:
        for name in sorted(declared - calls.output - calls.record):
            yield f"output {name} is declared in the protocol but never written"
    if "record" not in calls.free:
        for name in sorted(set(protocol.highlights) - calls.record):
            yield f"highlight {name} is not recorded by any notebook"


def _checklist_faults(study: Study, calls: _Calls) -> list[str]:
    from epi.runner.checklist import FILE, find_checklist_faults, read_checklist

    try:
        checklist = read_checklist(study.folder)
    except EpiError as error:
        return [error.sentence.replace("\n", " ")]
    if checklist is None:
        return []
    recorded = None if "record" in calls.free else sorted(calls.record)
    return [f"{FILE}: {fault}" for fault in find_checklist_faults(checklist, study.protocol, recorded)]


def _preset_faults(study: Study) -> list[str]:
    faults: list[str] = []
    for name in study.presets:
        try:
            study.resolve(preset=name)
        except EpiError as error:
            faults.append(f"parameters/{name}.yml: " + error.sentence.replace("\n", " "))
    return faults


def _plan_faults(study: Study) -> list[str]:
    from epi.runner.plan import find_plan_faults

    return find_plan_faults(study)
