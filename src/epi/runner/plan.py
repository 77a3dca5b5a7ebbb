"""The analysis plan: a dated, digested copy of what a study means to do, and what has changed since.

``plan.json`` holds one entry for each freeze. An entry carries the protocol, the digest of every cell and
helper file and the presets, the digest of the entry before it, and its own: editing one breaks the chain.
Whoever rewrites the whole file can make a chain that holds; the digest that a freeze prints, deposited
elsewhere, and those that runs keep in their manifests, then no longer fit.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from epi.errors import EpiError, ParameterError, ProtocolError
from epi.files import digest_text, dump_json, write_json
from epi.protocol import Protocol
from epi.runner.folder import list_runs
from epi.runner.inspection import plain_value, read_notebook, tags
from epi.runner.scan import find_identifier_shapes

if TYPE_CHECKING:
    from epi.runner.study import Study

FILE = "plan.json"
_NO_CHOICE = "lang"  # the language of labels changes no number
_COPIED = {"protocol", "notebooks", "files", "presets"}
_FIELDS = _COPIED | {"number", "frozen", "reason", "epi", "seen", "previous", "digest"}


@dataclass(frozen=True)
class Deviation:
    """One difference from a frozen plan.

    Parameters
    ----------
    kind : str
        ``protocol``, ``parameter``, or ``cells``, ``file`` or ``preset`` followed by ``_changed``, ``_added`` or
        ``_removed``.
    where : str
        Field, notebook, file, preset or parameter.
    before, after : str, optional
        What was planned and what is; numbers of cells for ``cells``.
    """

    kind: str
    where: str
    before: str = ""
    after: str = ""

    @property
    def sentence(self) -> str:
        """The difference in words.

        Examples
        --------
        >>> Deviation("parameter", "minimum_age", "18", "40").sentence
        'parameter minimum_age is 40; planned: 18, and no frozen preset holds these values'
        """
        what, _, verb = self.kind.partition("_")
        if what == "parameter":
            planned = f"planned: {self.before}, and no frozen preset holds these values"
            return f"parameter {self.where} is {self.after}; {planned}"
        if what == "cells":
            return f"{self.where}: cell(s) {self.after or self.before} {verb}"
        if what == "protocol":
            return f"protocol, {self.where}: {self.after or 'removed'}; planned: {self.before or 'nothing'}"
        change = f": {self.after}; planned: {self.before}" if self.before and self.after else ""
        return f"{what} {self.where} {verb}{change}"


@dataclass(frozen=True)
class Entry:
    """One freeze of a plan.

    Parameters
    ----------
    content : mapping
        As ``plan.json`` holds it.
    """

    content: Mapping[str, Any]

    @property
    def number(self) -> int:
        """1 for the first plan, more for its amendments."""
        return int(self.content["number"])

    @property
    def frozen(self) -> str:
        """When, in UTC, as ISO text."""
        return str(self.content["frozen"])

    @property
    def reason(self) -> str:
        """Why the plan was amended."""
        return str(self.content["reason"])

    @property
    def digest(self) -> str:
        """SHA-256 of all the rest."""
        return str(self.content["digest"])

    @property
    def protocol(self) -> Protocol:
        """The protocol as it was frozen."""
        return Protocol.model_validate(self.content["protocol"])

    def parameter_sets(self) -> dict[str, dict[str, Any]]:
        """Give the parameters that were planned.

        Returns
        -------
        dict
            Preset, or an empty name for the defaults, to every parameter and its plain value.
        """
        protocol = self.protocol
        sets = {"": {}, **dict(self.content["presets"])}
        return {
            name: {key: plain_value(value) for key, value in protocol.resolve_parameters(given).items()}
            for name, given in sets.items()
        }


def freeze_plan(
    study: Study,
    reason: str = "",
    *,
    runs_dir: str | os.PathLike[str] = "runs",
    now: dt.datetime | None = None,
) -> tuple[Entry, bool]:
    """Freeze the plan of a study, or amend it.

    Parameters
    ----------
    study : Study
        A study in which nothing is wrong.
    reason : str, optional
        Why a frozen plan is amended; asked for from the second freeze on.
    runs_dir : path-like, optional
        Folder of runs; which data the study was run on before the freeze is kept in the entry.
    now : datetime.datetime, optional
        The moment; by default the clock's.

    Returns
    -------
    tuple of Entry and bool
        The last entry, and whether it is new: an unchanged study has nothing to freeze.

    Raises
    ------
    ProtocolError
        If the study has faults, or the plan file was edited.
    ParameterError
        If an amendment has no reason, or the reason names a patient.
    """
    entries = read_plan(study.folder)
    study.check()
    reason = " ".join(reason.split())
    if find_identifier_shapes(reason):
        raise ParameterError("the reason may not name a patient", "a sentence without identifier")
    if entries and not compare_plan(entries[-1], study):
        return entries[-1], False
    if entries and not reason:
        raise ParameterError(
            f"the plan of {study.name} is frozen since {entries[-1].frozen[:10]}, and the study has changed",
            "the reason of this amendment",
            f'epi study freeze {study.name} --reason "..."',
        )
    import epi

    moment = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    content = {
        "number": len(entries) + 1,
        "frozen": moment.isoformat(timespec="seconds"),
        "reason": reason,
        "epi": epi.__version__,
        **_snapshot(study),
        "seen": _seen(study, runs_dir),
        "previous": entries[-1].digest if entries else "",
    }
    entry = Entry({**content, "digest": _digest(content)})
    write_json(
        study.folder / FILE, {"format": 1, "study": study.name, "entries": [one.content for one in (*entries, entry)]}
    )
    return entry, True


def read_plan(folder: Path) -> tuple[Entry, ...]:
    """Read the plan of a study or of a run, and check its chain of digests.

    Parameters
    ----------
    folder : Path
        Where ``plan.json`` lies, if there is one.

    Returns
    -------
    tuple of Entry
        In the order of the freezes; empty without a plan.

    Raises
    ------
    ProtocolError
        If the file is not a plan, or an entry is no longer what was frozen.
    """
    path = folder / FILE
    if not path.exists() and not path.is_symlink():
        return ()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        contents = found["entries"]
        whole = bool(contents) and all(set(content) == _FIELDS for content in contents)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise _altered("it is not a plan")
    before = ""
    for number, content in enumerate(contents, 1):
        rest = {name: value for name, value in content.items() if name != "digest"}
        if content["number"] != number or content["previous"] != before or _digest(rest) != content["digest"]:
            raise _altered(f"entry {number} is no longer what was frozen")
        before = content["digest"]
    try:
        for content in contents:
            Entry(content).parameter_sets()
    except (EpiError, ValidationError) as error:
        raise _altered("it was frozen by a version whose protocols this one cannot read") from error
    return tuple(Entry(content) for content in contents)


def _seen(study: Study, runs_dir: str | os.PathLike[str]) -> dict[str, str]:
    """Give the first known run on each data before a freeze, by their fingerprint."""
    seen: dict[str, str] = {}
    for run in list_runs(runs_dir, study.name):
        data = data_of(run.manifest)
        if data:
            seen[data] = min(str(run.manifest["started"]), seen.get(data, "9999"))
    return seen


def data_of(manifest: Mapping[str, Any]) -> str:
    """Name the data that a run read.

    Parameters
    ----------
    manifest : mapping
        The run's manifest.

    Returns
    -------
    str
        Their fingerprint, empty for a run that read none.
    """
    return str(manifest.get("data_fingerprint") or manifest.get("open_data_fingerprint") or "")


def _altered(how: str) -> ProtocolError:
    return ProtocolError(
        f"the frozen plan ({FILE}) cannot be trusted: {how}",
        "the file as epi study freeze wrote it",
        f"restore {FILE} from version control; it is never edited by hand",
    )


def _digest(content: Mapping[str, Any]) -> str:
    return digest_text(dump_json(dict(content)))


def _snapshot(study: Study) -> dict[str, Any]:
    """Copy what determines an analysis, all plain."""
    notebooks = {notebook.file: _cells(study.notebook_path(notebook)) for notebook in study.protocol.notebooks}
    files = {name: digest for name, digest in study.digests().items() if name not in {*notebooks, "protocol.yml"}}
    presets = {
        name: {
            key: plain_value(value) for key, value in study.resolve(preset=name).items() if key in study.preset(name)
        }
        for name in study.presets
    }
    # Budgets change no result: giving a step more memory is no deviation.
    budgets = {"notebooks": {"__all__": {"memory_mb", "minutes"}}}
    protocol = json.loads(study.protocol.model_dump_json(exclude=budgets))
    return {"protocol": protocol, "notebooks": notebooks, "files": files, "presets": presets}


def _cells(path: Path) -> list[str]:
    cells = read_notebook(path)["cells"]
    return [digest_text(cell["cell_type"], ",".join(tags(cell)), cell["source"]) for cell in cells]


def compare_plan(entry: Entry, study: Study, values: Mapping[str, Any] | None = None) -> tuple[Deviation, ...]:
    """Find where a study, and the parameters of a run, leave a frozen plan.

    Parameters
    ----------
    entry : Entry
        A freeze.
    study : Study
        The study as it is now.
    values : mapping, optional
        Parameters of a run; they must be those of the frozen defaults or of one frozen preset, `lang` apart.

    Returns
    -------
    tuple of Deviation
        Empty when nothing has changed. Comments of the protocol, outputs of notebooks and the README do not count.
    """
    found = [*compare_entries(entry.content, _snapshot(study))]
    if values is not None:
        found += _compare_parameters(entry, {name: plain_value(value) for name, value in values.items()})
    return tuple(found)


def compare_entries(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Deviation, ...]:
    """Find what differs between two freezes.

    Parameters
    ----------
    before, after : mapping
        Contents of two entries.

    Returns
    -------
    tuple of Deviation
        Protocol, notebooks, other files, presets, in this order.
    """
    return (
        *_compare_fields(_flatten(before["protocol"]), _flatten(after["protocol"])),
        *_compare_notebooks(before["notebooks"], after["notebooks"]),
        *_compare_files("file", before["files"], after["files"], digests=True),
        *_compare_files("preset", before["presets"], after["presets"], digests=False),
    )


def _compare_fields(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Deviation]:
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name) != after.get(name):
            yield Deviation("protocol", name, before.get(name, ""), after.get(name, ""))


def _flatten(value: Any, path: str = "") -> dict[str, str]:
    """Write a protocol as fields and texts; items of a list are called by their name, not by their place."""
    if isinstance(value, Mapping):
        inside = {f"{path}.{name}" if path else str(name): one for name, one in value.items()}
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        names = [_name(one) or str(place) for place, one in enumerate(value, 1)]
        inside = {f"{path}.{name}": one for name, one in zip(names, value, strict=True)}
    else:
        return {path: _text(value)}
    return {name: text for key, one in inside.items() for name, text in _flatten(one, key).items()}


def _name(item: Mapping[str, Any]) -> str:
    if "column" in item:
        return f"{item.get('table')}.{item['column']}"
    return str(item.get("name") or item.get("file") or "")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _compare_notebooks(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Iterator[Deviation]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after or name not in before:
            yield Deviation("file_removed" if name in before else "file_added", name)
            continue
        found: dict[str, list[int]] = {"changed": [], "added": [], "removed": []}
        changes = SequenceMatcher(a=before[name], b=after[name], autojunk=False).get_opcodes()
        for change, low, high, start, end in changes:
            if change == "equal":
                continue
            shared = min(high - low, end - start)
            found["changed"] += range(start + 1, start + shared + 1)
            found["added"] += range(start + shared + 1, end + 1)
            found["removed"] += range(low + shared + 1, high + 1)
        for verb, cells in found.items():
            if cells:
                numbers = ", ".join(map(str, cells))
                gone = verb == "removed"
                yield Deviation(f"cells_{verb}", name, numbers if gone else "", "" if gone else numbers)


def _compare_files(
    what: str, before: Mapping[str, Any], after: Mapping[str, Any], *, digests: bool
) -> Iterator[Deviation]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name) and name in before and name in after:
            continue
        verb = "changed" if name in before and name in after else "removed" if name in before else "added"
        texts = ["" if digests or name not in side else _values(side[name]) for side in (before, after)]
        yield Deviation(f"{what}_{verb}", name, *texts)


def _values(preset: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_text(value)}" for name, value in preset.items()) or "the defaults"


def _compare_parameters(entry: Entry, values: Mapping[str, Any]) -> list[Deviation]:
    sets = entry.parameter_sets()
    differ = {
        name: [key for key in {**planned, **values} if key != _NO_CHOICE and planned.get(key) != values.get(key)]
        for name, planned in sets.items()
    }
    # The nearest planned set tells what was changed; the defaults where several are as near.
    nearest = min(differ, key=lambda name: len(differ[name]))
    return [
        Deviation("parameter", key, _text(sets[nearest].get(key)), _text(values.get(key))) for key in differ[nearest]
    ]


def plan_record(study: Study, values: Mapping[str, Any]) -> dict[str, Any]:
    """Say for a run's manifest under which plan it runs.

    Parameters
    ----------
    study : Study
        The study.
    values : mapping
        The run's parameters.

    Returns
    -------
    dict
        `status` (``none``, ``kept``, ``deviates``, ``altered``) and, with a plan, its dates, number, digest and
        deviations from its last entry.
    """
    try:
        entries = read_plan(study.folder)
    except ProtocolError as error:
        return {"status": "altered", "cause": error.arrived}
    if not entries:
        return {"status": "none"}
    last = entries[-1]
    deviations = compare_plan(last, study, values)
    return {
        "status": "deviates" if deviations else "kept",
        "first_frozen": entries[0].frozen,
        "frozen": last.frozen,
        "number": last.number,
        "digest": last.digest,
        "deviations": [asdict(deviation) for deviation in deviations],
    }


def describe_plan(study: Study) -> list[str]:
    """Say where a study stands beside its plan.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    list of str
        One sentence, then one for each deviation.
    """
    entries = read_plan(study.folder)
    if not entries:
        return ["no plan is frozen"]
    last = entries[-1]
    amended = f", amended {last.number - 1} time(s), last on {last.frozen[:10]}" if last.number > 1 else ""
    deviations = compare_plan(last, study)
    state = f"{len(deviations)} deviation(s) since:" if deviations else "nothing has changed since"
    return [f"plan frozen on {entries[0].frozen[:10]}{amended}; {state}", *(one.sentence for one in deviations)]


def find_plan_faults(study: Study) -> list[str]:
    """Say whether the plan file is still what was frozen.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    list of str
        One sentence where it is not; a deviation is no fault.
    """
    try:
        read_plan(study.folder)
    except ProtocolError as error:
        return [error.sentence]
    return []
