"""A study: a folder that reads like the paper, opened and checked before anything runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from epi.errors import EpiError, ParameterError, ProtocolError
from epi.files import digest_text, read_yaml
from epi.protocol import Notebook, Protocol, Value, read_protocol
from epi.runner.digests import digest_of

NAME = re.compile(r"^[a-z][a-z0-9_]*$")
PROSE = {".md", ".rst"}
ASIDE = {
    "parameters",
    "tests",
    "manuscript",
    "batches",
    "checklist.yml",
    "plan.json",
}  # presets are known by parameters


@dataclass(frozen=True)
class Study:
    """A study folder and its protocol.

    Parameters
    ----------
    folder : Path
        The folder that holds ``protocol.yml``, the numbered notebooks, ``parameters/*.yml``,
        ``codes/*.csv``, helper modules and ``README.md``.
    protocol : Protocol
        The typed protocol.
    """

    folder: Path
    protocol: Protocol

    @property
    def name(self) -> str:
        """The study's identifier, under which its runs are filed."""
        return self.protocol.id

    @property
    def needs_workspace(self) -> bool:
        """Whether the protocol asks for anything that a workspace holds."""
        return bool({"bndmr", "population", "births", "exposures"} & set(self.protocol.sources))

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the parameter presets, in alphabetical order."""
        return tuple(sorted(path.stem for path in (self.folder / "parameters").glob("*.yml")))

    def notebook_path(self, notebook: Notebook) -> Path:
        """Give the place of a notebook.

        Parameters
        ----------
        notebook : Notebook
            One of the protocol's notebooks.

        Returns
        -------
        Path
            Its file in the study folder.
        """
        return self.folder / notebook.file

    def preset(self, name: str) -> dict[str, Any]:
        """Read a preset by its name.

        Parameters
        ----------
        name : str
            A file name of ``parameters/``, without its extension.

        Returns
        -------
        dict
            Parameter names and values, as written.

        Raises
        ------
        ParameterError
            If the study has no such preset.
        """
        if name not in self.presets:
            raise ParameterError(
                f"study {self.name} has no preset {name!r}",
                ", ".join(self.presets) or "no preset: parameters/ is empty",
                f"epi run {self.name} --help-parameters",
            )
        return read_parameters(self.folder / "parameters" / f"{name}.yml")

    def resolve(self, given: Mapping[str, Any] | None = None, preset: str | None = None) -> dict[str, Value]:
        """Check parameters and fill in the preset's and the protocol's values.

        Parameters
        ----------
        given : mapping, optional
            Parameters that go before those of the preset.
        preset : str, optional
            Name of a preset.

        Returns
        -------
        dict
            Every parameter of the protocol with its value.

        Raises
        ------
        ParameterError
            If any is unknown, of the wrong type or out of bounds; all faults at once.
        """
        values = self.protocol.resolve_parameters({**(self.preset(preset) if preset else {}), **(given or {})})
        unwritable = [name for name, value in values.items() if not _is_writable(value)]
        if unwritable:
            raise ParameterError(f"{', '.join(unwritable)}: the text is not Unicode", "text in UTF-8")
        return values

    def digests(self) -> dict[str, str]:
        """Digest what in this folder determines a result.

        The protocol, the notebooks' cells (not their outputs or layout), helper modules, code lists
        and any other file. Not prose such as ``README.md``, the presets (their values are in the
        parameters), ``checklist.yml``, ``plan.json``, ``tests/``,
        ``manuscript/`` or hidden files.

        Returns
        -------
        dict of str to str
            Path inside the study and SHA-256.
        """
        found: dict[str, str] = {}
        for path in sorted(self.folder.rglob("*")):
            inside = path.relative_to(self.folder)
            hidden = any(part.startswith((".", "__pycache__")) for part in inside.parts)
            if hidden or not path.is_file() or inside.parts[0] in ASIDE:
                continue
            if path.suffix not in PROSE:
                found[inside.as_posix()] = self.digest_file(inside.as_posix()) or ""
        return found

    def digest_file(self, name: str) -> str | None:
        """Digest one file of the folder: of a notebook, what its cells do; of a protocol, what it says.

        Parameters
        ----------
        name : str
            Its path inside the folder.

        Returns
        -------
        str or None
            SHA-256 in hexadecimal; None where there is no such file.
        """
        from epi.runner.inspection import notebook_digest

        path = self.folder / name
        if path.suffix == ".ipynb" and path.is_file():
            return notebook_digest(path)
        if name == "protocol.yml" and path.is_file():
            return _protocol_digest(path.read_bytes())
        return digest_of(path)

    def digest(self) -> str:
        """Digest the study as a whole.

        Returns
        -------
        str
            SHA-256 in hexadecimal, the same wherever the folder lies.
        """
        return digest_text(*(part for pair in sorted(self.digests().items()) for part in pair))

    def check(self) -> None:
        """Check the folder: notebooks, parameter cells, presets, outputs.

        Raises
        ------
        ProtocolError
            If anything is wrong; all faults at once.
        """
        from epi.runner.inspection import find_faults

        self._refuse(find_faults(self))

    def check_runnable(self) -> None:
        """Check only what could make a run fail or mislead; layout and stored outputs may wait.

        Raises
        ------
        ProtocolError
            If anything is wrong; all faults at once.
        """
        from epi.runner.inspection import find_faults

        self._refuse(find_faults(self, only_blocking=True))

    def _refuse(self, faults: list[str]) -> None:
        if faults:
            raise ProtocolError(
                f"study {self.name} has {len(faults)} fault(s)",
                do=f"correct them, then: epi study check {self.name}",
                faults=faults,
            )


@cache
def _protocol_digest(content: bytes) -> str:
    """Digest what a protocol says: not its layout or comments, nor the budgets, which change no result."""
    try:
        said = yaml.safe_load(content)
        for notebook in said["notebooks"]:
            for name in ("memory_mb", "minutes"):
                notebook.pop(name, None)
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):
        return hashlib.sha256(content).hexdigest()
    return digest_text(json.dumps(said, ensure_ascii=False, sort_keys=True, default=str))


def _is_writable(value: Value) -> bool:
    """Say whether a value can be written in UTF-8: a command line may hold bytes that cannot."""
    texts = value if isinstance(value, list) else [value]
    return not any(0xD800 <= ord(char) <= 0xDFFF for text in texts if isinstance(text, str) for char in text)


def read_parameters(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read parameters from a YAML file.

    Parameters
    ----------
    path : path-like
        A mapping of names to plain values.

    Returns
    -------
    dict
        Names and values, as written.

    Raises
    ------
    ParameterError
        If the file is not a mapping of names to plain values.
    """
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ParameterError(f"{Path(path).name} is not a list of parameters", "lines such as 'minimum_age: 18'")
    return content


def find_studies(root: str | os.PathLike[str] | None = None) -> list[Path]:
    """Find study folders.

    Parameters
    ----------
    root : path-like, optional
        The folder that holds the studies; by default ``EPI_STUDIES``, or ``studies``.

    Returns
    -------
    list of Path
        Folders with a ``protocol.yml``, in alphabetical order.
    """
    place = studies_root(root)
    return sorted(path.parent for path in place.glob("*/protocol.yml"))


def list_studies(root: str | os.PathLike[str] | None = None) -> list[Study]:
    """Open every study of a folder.

    Parameters
    ----------
    root : path-like, optional
        The folder that holds the studies; by default ``EPI_STUDIES``, or ``studies``.

    Returns
    -------
    list of Study
        In alphabetical order.

    Raises
    ------
    ProtocolError
        If any protocol cannot be read; all faults at once.
    """
    studies: list[Study] = []
    faults: list[str] = []
    for folder in find_studies(root):
        try:
            studies.append(Study(folder, read_protocol(folder)))
        except EpiError as error:
            faults.append(error.sentence.replace("\n", " "))
    if faults:
        raise ProtocolError(f"{len(faults)} protocol(s) cannot be read", faults=faults)
    return studies


def open_study(name_or_path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Study:
    """Open a study by its name or its folder.

    Parameters
    ----------
    name_or_path : str or path-like
        A study's name, looked for under `root`, or the path of its folder.
    root : path-like, optional
        The folder that holds the studies; by default ``EPI_STUDIES``, or ``studies``.

    Returns
    -------
    Study
        The study, its protocol read and checked.

    Raises
    ------
    ParameterError
        If there is no such study.
    ProtocolError
        If its protocol is malformed.
    """
    text = os.fspath(name_or_path)
    place = studies_root(root)
    folder = place / text if NAME.match(text) and (place / text).is_dir() else Path(text)
    if not (folder / "protocol.yml").is_file():
        known = [path.name for path in find_studies(root)]
        raise ParameterError(
            f"there is no study {text!r} (no protocol.yml in {folder})",
            f"one of {', '.join(known)}" if known else f"a study folder; {place} holds none",
            "epi study list",
        )
    return Study(folder.resolve(), read_protocol(folder))


def studies_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Say where studies are looked for.

    Parameters
    ----------
    root : path-like, optional
        The folder, when it is given.

    Returns
    -------
    Path
        `root`, or ``EPI_STUDIES``, or ``studies``.
    """
    return Path(root if root is not None else os.environ.get("EPI_STUDIES", "studies"))
