"""What a filled manuscript remembers: its run, and each text that was printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from epi.errors import DataError
from epi.files import dump_json
from epi.runner.export.bundle import Bundle

_FORMAT = 1
_TEXTS = ("study", "run_id", "level", "lang", "results_sha256", "gate_sha256", "data_fingerprint", "finished")


@dataclass(frozen=True)
class Record:
    """The memory of a filling.

    Parameters
    ----------
    study, run_id, level, lang : str
        Which run, how much of it might be named, and the language of numbers.
    results_sha256, gate_sha256, data_fingerprint, finished : str
        What the run was.
    filled : mapping
        Key of each placeholder to what it printed.
    digests : mapping
        Key of each figure and table to the SHA-256 of the released file placed.
    """

    study: str
    run_id: str
    level: str
    lang: str
    results_sha256: str
    gate_sha256: str
    data_fingerprint: str
    finished: str
    filled: Mapping[str, str] = field(repr=False)
    digests: Mapping[str, str] = field(default_factory=dict, repr=False)

    def dump(self) -> str:
        """Write it as JSON.

        Returns
        -------
        str
            Canonical JSON.
        """
        texts = {name: getattr(self, name) for name in _TEXTS}
        return dump_json({"format": _FORMAT, **texts, "filled": dict(self.filled), "digests": dict(self.digests)})


def make_record(bundle: Bundle, lang: str, filled: Mapping[str, str], digests: Mapping[str, str]) -> Record:
    """Remember a filling.

    Parameters
    ----------
    bundle : Bundle
        What could be named.
    lang : {"en", "fr"}
        Language of numbers.
    filled, digests : mapping
        What was printed, and files placed.

    Returns
    -------
    Record
        The memory.
    """
    manifest = bundle.run.manifest
    files = dict(manifest.get("files") or {})
    return Record(
        bundle.run.study,
        bundle.run.run_id,
        bundle.level,
        lang,
        str(files.get("results.json") or ""),
        str(files.get("gate.jsonl") or ""),
        str(manifest.get("data_fingerprint") or ""),
        str(manifest.get("finished") or ""),
        dict(sorted(filled.items())),
        dict(sorted(digests.items())),
    )


def read_record(text: str) -> Record:
    """Read what a filled manuscript remembers.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    Record
        The memory.

    Raises
    ------
    DataError
        If it was edited into something else.
    """
    try:
        content: Any = json.loads(text)
        sound = (
            content["format"] == _FORMAT
            and all(isinstance(content[name], str) for name in _TEXTS)
            and content["lang"] in {"en", "fr"}
            and all(
                isinstance(content[part], dict) and all(isinstance(item, str) for item in content[part].values())
                for part in ("filled", "digests")
            )
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise DataError(
            "the manuscript's record of its run cannot be read",
            "the record as it was written",
            "fill the text with placeholders again",
        )
    texts = {name: str(content[name]) for name in _TEXTS}
    return Record(**texts, filled=content["filled"], digests=content["digests"])
