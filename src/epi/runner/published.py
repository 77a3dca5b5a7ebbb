"""What was published of a study, and when: so that the next page can say what changed since.

One line for each run that a site showed as the study's main one: its identifier, what determined it,
its public results. It lies beside the runs (``runs/<study>/published.jsonl``) and outlives them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from epi.disclosure.ledger import append_line, read_lines
from epi.files import digest_text, dump_json
from epi.runner.folder import Run

LEDGER = "published.jsonl"
_FIELDS = ("name", "stratum", "estimate", "ci_low", "ci_high", "unit", "n", "settings", "suppressed")


def read_published(run: Run, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Find what was published before a run.

    Parameters
    ----------
    run : Run
        The run to publish.
    rows : sequence of mapping
        Its results.

    Returns
    -------
    dict or None
        The last line that is not of this very run with these very results; None before the first.
    """
    mine = _line(run, rows)
    lines = read_lines(run.folder.parent / LEDGER)
    return next((line for line in reversed(lines) if line["digest"] != mine["digest"]), None)


def record_published(run: Run, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep that a run was published, unless the last line says so already.

    Parameters
    ----------
    run : Run
        The run, finished.
    rows : sequence of mapping
        Its results.

    Raises
    ------
    StorageError
        If the folder of runs cannot be written.
    """
    line = _line(run, rows)
    path = run.folder.parent / LEDGER
    before = read_lines(path)
    if not before or before[-1]["digest"] != line["digest"]:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        append_line(path, {**line, "published": now})


def _line(run: Run, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    public = [{name: row.get(name) for name in _FIELDS} for row in rows if row.get("level", "public") == "public"]
    line = {"run_id": run.run_id, "ingredients": run.manifest.get("ingredients", {}), "results": public}
    return {**line, "digest": digest_text(dump_json(line))}
