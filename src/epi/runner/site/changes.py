"""What a study's page says of what changed since the last published run."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from epi.files import dump_json
from epi.protocol import Protocol
from epi.runner.folder import Run
from epi.runner.identity import list_differences
from epi.runner.published import read_published
from epi.runner.site.figures import interval_text, label_of, moment_text, stratum_text, value_text
from epi.runner.site.words import word
from epi.runner.values import Tolerance, ValueChange, counts_persons

_MOST = 40
_NAMED = {"study": "changed_file", "parameters": "changed_parameter", "packages": "changed_library"}


def changes_view(
    run: Run,
    rows: Sequence[Mapping[str, Any]],
    protocol: Protocol,
    lang: str,
    *,
    level: str = "public",
    apart: Container[str] = (),
) -> dict[str, Any] | None:
    """Compare a run with the one published before it.

    Parameters
    ----------
    run : Run
        The run shown as the study's main one.
    rows : sequence of mapping
        Its results that readers may see.
    protocol : Protocol
        Its protocol, for labels.
    lang : {"fr", "en"}
        The language.
    level : {"public", "restricted", "internal"}, optional
        The most private level that readers may see.
    apart : container of str, optional
        Runs that are held apart: their values are not repeated.

    Returns
    -------
    dict or None
        `state` (a sentence), `bad` (whether a number changed), `causes` (sentences), `rows` (result, before, now),
        `more` (how many more changed), `held` (a sentence in place of rows that would tell of few persons); None
        when nothing was published before.
    """
    before = read_published(run, rows)
    if before is None:
        return None
    old = {_key(row): row for row in before["results"]}
    new = {_key(row): row for row in rows if row.get("level", "public") == "public"}
    changed = [key for key in sorted(old.keys() | new.keys()) if not _same(old.get(key), new.get(key))]
    # The folder of the run before may be gone, and nobody compared it: its counts are looked at here too.
    few = any(_is_small(old.get(key), new.get(key), int(run.manifest.get("min_count", 11))) for key in changed)
    held = bool(changed) and level != "internal" and (few or before["run_id"] in apart)
    causes = list_differences(before["ingredients"], run.manifest.get("ingredients", {}))
    return {
        "state": word(
            "changed_numbers" if changed else "changed_nothing",
            lang,
            n=len(changed),
            total=len(old.keys() | new.keys()),
            date=moment_text(before["published"], lang),
            run=before["run_id"],
        ),
        "bad": bool(changed),
        "causes": [_cause(*cause, lang) for cause in causes],
        "rows": [_row(old.get(key), new.get(key), protocol, lang) for key in changed[:_MOST] if not held],
        "more": 0 if held else max(0, len(changed) - _MOST),
        "held": word("changed_held", lang) if held else "",
    }


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["name"]), dump_json(row["stratum"] or {})


def _same(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    if old is None or new is None or bool(old["suppressed"]) != bool(new["suppressed"]):
        return False
    room = Tolerance()
    return all(room.same(old[name], new[name]) for name in ("estimate", "ci_low", "ci_high", "unit"))


def _is_small(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, min_count: int) -> bool:
    if old is None or new is None:
        return False
    values = old["estimate"], new["estimate"]
    counts = all(counts_persons(value, new["unit"]) for value in values)
    return ValueChange("", "", *values, counts_persons=counts).is_small(min_count)


def _row(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, protocol: Protocol, lang: str) -> dict[str, str]:
    known = new or old or {}
    return {
        "label": label_of(str(known["name"]), protocol, lang, known),
        "stratum": stratum_text(known),
        # A result that is gone may have been withdrawn from these readers: its old value is not repeated.
        "before": _value(old, lang) if new is not None else "",
        "now": _value(new, lang),
    }


def _value(row: Mapping[str, Any] | None, lang: str) -> str:
    if row is None:
        return word("changed_absent", lang)
    interval = interval_text(row, lang)
    return value_text(row, lang) + (f" ({interval})" if interval else "")


def _cause(part: str, name: str, old: object, new: object, lang: str) -> str:
    if part == "study":
        return word("changed_file", lang, name=name)
    if part in _NAMED:
        return word(_NAMED[part], lang, name=name, before=_shown(old, lang), after=_shown(new, lang))
    return word(f"changed_{part}", lang)


def _shown(value: object, lang: str) -> str:
    return word("changed_absent", lang) if value is None else str(value)
