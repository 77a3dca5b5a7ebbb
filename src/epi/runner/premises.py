"""What a step rests on, as it is now, and in words what changed since.

A premise is a label and a digest: ``parameter:minimum_age``, ``study:codes/als.csv``. What a step
rested on is not declared but seen while it ran: files that the system saw opened, modules that the
kernel loaded, parameters that the notebook takes, figures of earlier steps that the gate compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import epi
from epi.files import digest_text, dump_json
from epi.runner.digests import digest_names, digest_of
from epi.runner.inspection import parameter_names
from epi.runner.study import ASIDE, PROSE

if TYPE_CHECKING:
    from epi.runner.opened import Opened
    from epi.runner.study import Study

Line = tuple[str, dict[str, Any]]
"""A ledger's file name, and one of its lines."""

_PACKAGE = Path(epi.__file__).resolve().parent
_WORDS = {
    "notebook": "notebook {} changed",
    "protocol": "the protocol changed",
    "language": "the language of labels changed",
    "statement": "what the workspace says of its data changed",
    "workspace": "the workspace's data changed",
    "tables": "the workspace's tables changed",
    "references": "the workspace has other files on territories",
    "reference": "{} of the workspace changed",
    "study": "study file {} changed",
    "study names": "study folder {} holds other files",
    "open": "open data {} changed",
    "open names": "open data folder {} holds other files",
    "code": "the code of {} changed",
    "lines": "earlier steps recorded {} otherwise",
    "made": "{}, which an earlier step wrote, changed",
}
# What gives a notebook or a module all the earlier figures, whatever their names.
_READS_ALL = re.compile(r"read_result|read_gate|results\.json|gate\.json")


@dataclass
class Present:
    """Everything that a step of a run may rest on.

    Parameters
    ----------
    study : Study
        The study.
    parameters : mapping
        Every parameter, plain.
    libraries : mapping
        Names and versions.
    lang : str
        Language of labels.
    workspace : Path or None
        The workspace, where the study reads one.
    open_data : Path or None
        The folder of open data, where the study reads it.
    lines : list of Line, optional
        What the steps before this one wrote in the ledgers.
    made : dict, optional
        The files that they wrote in the run's folder, with their digests.
    """

    study: Study
    parameters: Mapping[str, Any]
    libraries: Mapping[str, str]
    lang: str
    workspace: Path | None
    open_data: Path | None
    lines: list[Line] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    _known: dict[str, str | None] = field(default_factory=dict, init=False, repr=False)

    def folders(self) -> list[Path]:
        """List the folders whose openings tell what a step read.

        Returns
        -------
        list of Path
            The package, the study, the workspace and the open data.
        """
        places = [_PACKAGE, self.study.folder]
        if self.workspace is not None and self.workspace.is_dir():
            places.append(self.workspace)
        return [*places, *([self.open_data] if self.open_data else [])]

    def forget(self) -> None:
        """Look at everything anew: files may have changed since."""
        self._known.clear()

    def digest(self, label: str) -> str | None:
        """Digest one premise as it is now.

        Parameters
        ----------
        label : str
            Its kind, and its name after a colon.

        Returns
        -------
        str or None
            None where there is no such thing now.
        """
        kind, _, name = label.partition(":")
        if kind == "lines":
            return self._digest_lines(name)
        if kind == "made":
            return self.made.get(name)
        if label not in self._known:
            self._known[label] = self._readers()[kind](name)
        return self._known[label]

    def _readers(self) -> dict[str, Callable[[str], str | None]]:
        study, parts = self.study, self._workspace_parts
        return {
            "notebook": study.digest_file,
            "protocol": lambda _: study.digest_file("protocol.yml"),
            "parameter": lambda name: _text(self.parameters.get(name)),
            "library": self.libraries.get,
            "language": lambda _: self.lang,
            "statement": lambda _: _statement(self.workspace),
            "workspace": lambda _: digest_text(*(f"{name}={digest}" for name, digest in sorted(parts().items()))),
            "tables": lambda _: parts().get("tables"),
            "references": lambda _: digest_text(*sorted(parts())),
            "reference": lambda name: parts().get(f"reference/{name}"),
            "study": study.digest_file,
            "study names": lambda name: digest_names(study.folder / name, _unlisted(study.folder / name)),
            "open": lambda name: digest_of(self.open_data / name) if self.open_data else None,
            "open names": lambda name: digest_names(self.open_data / name) if self.open_data else None,
            # An absolute path stays what it is when it is joined.
            "code": lambda name: digest_of(_PACKAGE.parent / name),
        }

    def _workspace_parts(self) -> dict[str, str]:
        from epi.workspace import fingerprint_parts

        return fingerprint_parts(self.workspace) if self.workspace else {}

    def _digest_lines(self, names: str) -> str:
        wanted = set(names.split(","))
        kept = [dump_json([ledger, line]) for ledger, line in self.lines if names == "*" or line.get("name") in wanted]
        return digest_text(*kept)

    def collect(
        self, notebook: str, opened: Opened, loaded: Iterable[Path], lines: Iterable[Line], run: Path
    ) -> dict[str, str]:
        """Digest what a step that has just ended rested on.

        Parameters
        ----------
        notebook : str
            Its file.
        opened : Opened
            What it opened.
        loaded : iterable of Path
            Files of the modules that it loaded.
        lines : iterable of Line
            What it wrote in the ledgers.
        run : Path
            The run's folder.

        Returns
        -------
        dict of str to str
            Premises and their digests.
        """
        source = self.study.folder / notebook
        modules = list(loaded)
        labels = {f"notebook:{notebook}", "protocol", "language"}
        labels |= {f"parameter:{name}" for name in parameter_names(source)}
        labels |= {f"library:{name}" for name in self.libraries}
        labels |= {label for path in modules if (label := self._label_code(path))}
        labels |= {label for path in opened.files() for label in self._label_file(path, run)}
        if self.workspace is not None and not self.workspace.is_dir():
            labels |= {"statement", "tables"}  # one DuckDB file, which a study that asks for it opens
        labels |= {label for path in opened.folders() if (label := self._label_folder(path))}
        labels -= {f"study:{notebook}", "study:protocol.yml"}
        names = sorted({str(line["name"]) for _, line in lines if "name" in line})
        own = [path for path in modules if not path.is_relative_to(_PACKAGE)]
        if any(_READS_ALL.search(path.read_text(encoding="utf-8", errors="replace")) for path in (source, *own)):
            labels.add("lines:*")
        elif names:
            labels.add(f"lines:{','.join(names)}")
        digests = {label: self.digest(label) for label in sorted(labels)}
        return {label: digest for label, digest in digests.items() if digest is not None}

    def _label_code(self, path: Path) -> str | None:
        if path.is_relative_to(_PACKAGE):
            return f"code:{path.relative_to(_PACKAGE.parent).as_posix()}"
        inside = _inside(path, self.study.folder)
        return f"study:{inside}" if inside is not None else f"code:{path.as_posix()}"

    def _label_file(self, path: Path, run: Path) -> list[str]:
        if (inside := _inside(path, run)) is not None:
            return [f"made:{inside}"] if inside in self.made else []
        if self.workspace is not None and path.is_relative_to(self.workspace):
            return _label_workspace(path.relative_to(self.workspace).as_posix())
        if (inside := _inside(path, self.study.folder)) is not None:
            return [] if _hidden(inside) else [f"study:{inside}"]
        if self.open_data is not None and (inside := _inside(path, self.open_data)) is not None:
            return [f"open:{inside}"]
        if path.is_relative_to(_PACKAGE) and path.suffix not in {".py", ".pyc"}:
            return [f"code:{path.relative_to(_PACKAGE.parent).as_posix()}"]
        return []

    def _label_folder(self, path: Path) -> str | None:
        if (inside := _inside(path, self.study.folder)) is not None:
            return None if _hidden(inside) or inside.split("/")[0] in ASIDE else f"study names:{inside}"
        if self.open_data is not None and (inside := _inside(path, self.open_data)) is not None:
            return f"open names:{inside}"
        return None

    def changes(self, rested_on: Mapping[str, str]) -> list[str]:
        """Say in words which premises are not what they were.

        Parameters
        ----------
        rested_on : mapping
            From :meth:`collect`.

        Returns
        -------
        list of str
            A few words for each; empty when nothing changed.
        """
        return [
            _explain(label, before, now) for label, before in rested_on.items() if (now := self.digest(label)) != before
        ]


def _explain(label: str, before: str, now: str | None) -> str:
    kind, _, name = label.partition(":")
    if kind in {"parameter", "library"}:
        return f"{kind} {name} is {'absent' if now is None else now}, was {before}"
    words = _WORDS[kind].format("figures" if name == "*" else name or "itself")
    return words if now is not None else words.replace(" changed", " is gone")


def _label_workspace(inside: str) -> list[str]:
    always = ["statement", "references"]
    if inside.startswith("reference/"):
        return [*always, f"reference:{inside.removeprefix('reference/')}"]
    # The fingerprint kept beside the data says everything of them.
    return [*always, "workspace" if inside.startswith(".") else "tables"]


def _inside(path: Path, folder: Path) -> str | None:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None


def _hidden(inside: str) -> bool:
    return any(part.startswith((".", "__pycache__")) and part != "." for part in inside.split("/"))


def _unlisted(folder: Path) -> list[str]:
    """Names that determine no result: prose, presets, tests."""
    return [*ASIDE, *(path.name for path in folder.glob("*") if path.suffix in PROSE)]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _statement(workspace: Path | None) -> str | None:
    from epi.runner.identity import workspace_statement

    return workspace_statement(workspace) if workspace else None
