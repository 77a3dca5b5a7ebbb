"""What a study's page says of its analysis plan: when it was frozen, and every deviation since."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from epi.errors import ProtocolError
from epi.runner.folder import Run
from epi.runner.plan import Deviation, Entry, compare_entries, data_of, read_plan
from epi.runner.site.figures import date_text, moment_text
from epi.runner.site.words import word

_LONGEST = 240


def plan_view(run: Run, runs: Sequence[Run], now: Sequence[Entry], lang: str) -> dict[str, Any] | None:
    """Say under which plan a run was made.

    Parameters
    ----------
    run : Run
        The run shown.
    runs : sequence of Run
        All runs of the study that the site knows.
    now : sequence of Entry
        The plan in the study's folder when the site is built; empty if there is none.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    dict or None
        `state` (a sentence), `bad` (whether it calls for attention), `facts`, `deviations`, `amendments`; None for
        a run and a study without any plan.
    """
    about = dict(run.manifest.get("plan") or {"status": "none"})
    try:
        mine: Sequence[Entry] = read_plan(run.folder)
    except ProtocolError:
        about["status"] = "altered"
        mine = ()
    if about["status"] in {"kept", "deviates"} and about.get("digest") not in {entry.digest for entry in mine}:
        about["status"] = "altered"
    elif now and about["status"] in {"kept", "deviates"} and about["digest"] not in {entry.digest for entry in now}:
        about["status"] = "rewritten"
    status = str(about["status"])
    if status == "none" and not now:
        return None
    entries = now if about.get("digest") in {entry.digest for entry in now} or status == "none" else mine
    deviations = [Deviation(**one) for one in about.get("deviations", [])]
    key = "plan_late" if status == "none" else f"plan_{status}"
    return {
        "state": word(key, lang, n=len(deviations)),
        "bad": status != "kept",
        "facts": _facts(run, runs, entries, lang) if entries else [],
        "deviations": [deviation_text(one, lang) for one in deviations],
        "amendments": [
            {
                "number": str(after.number - 1),
                "date": moment_text(after.frozen, lang),
                "reason": after.reason,
                "changes": [deviation_text(one, lang) for one in compare_entries(before.content, after.content)],
            }
            for before, after in pairwise(entries)
        ],
    }


def _facts(run: Run, runs: Sequence[Run], entries: Sequence[Entry], lang: str) -> list[tuple[str, str, bool]]:
    """Set the date of the plan beside those of the data and of the first look at them."""
    frozen = entries[0].frozen
    data = data_of(run.manifest)
    same = [str(one.manifest["started"]) for one in [*runs, run] if data_of(one.manifest) == data]
    # A run made again has a later date: what the freeze saw stays.
    first = min([*same, *[one.content["seen"][data] for one in entries if data in one.content["seen"]]])
    extracted = str((run.manifest.get("data") or {}).get("extraction_date") or "")
    facts = [
        (word("plan_frozen", lang), moment_text(frozen, lang), False),
        (
            word("plan_first_run", lang),
            f"{moment_text(first, lang)}, {word('plan_before' if frozen <= first else 'plan_after', lang)}",
            False,
        ),
    ]
    if extracted:
        when = "plan_before_data" if frozen[:10] <= extracted else "plan_after_data"
        facts.append((word("plan_data", lang), f"{date_text(extracted, lang)}, {word(when, lang)}", False))
    facts.append((word("plan_digest", lang), entries[-1].digest, True))
    return facts


def deviation_text(deviation: Deviation, lang: str) -> str:
    """Say a deviation in words.

    Parameters
    ----------
    deviation : Deviation
        The deviation.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        One sentence, long texts shortened.
    """
    what, _, _ = deviation.kind.partition("_")
    before, after = _short(deviation.before), _short(deviation.after)
    if what == "cells":
        return word(f"deviation_{deviation.kind}", lang, where=deviation.where, cells=after or before)
    text = word(f"deviation_{deviation.kind}", lang, where=deviation.where)
    if not (before or after):
        return text
    nothing = word("deviation_nothing", lang)
    return text + word("deviation_values", lang, before=before or nothing, after=after or nothing)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"
