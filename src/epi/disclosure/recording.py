"""Recorded results: one row each, through the gate, kept in the run and shown on the page."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from epi.disclosure.door import check_name, declared_levels, read_granted
from epi.disclosure.estimable import REFUSALS
from epi.disclosure.identifiers import count_identifiers, find_identifiers, is_identifier_name, walk_texts
from epi.disclosure.ledger import GATE_FILE, RESULTS_FILE, append_line, read_lines, run_folder
from epi.disclosure.marks import make_mark, show
from epi.disclosure.pages import result_html
from epi.disclosure.policy import Policy, read_policy
from epi.disclosure.readings import FIELDS, format_estimate, label_estimate
from epi.disclosure.tallies import explain_hiding
from epi.errors import DisclosureError, ParameterError
from epi.results import Estimate

_SHORT_DIGEST = re.compile(r"(?<![0-9A-Za-z])(?=\d*[a-f])[0-9a-f]{7,12}(?![0-9A-Za-z])")


@dataclass(frozen=True, repr=False)
class Recorded:
    """A recorded result, already shown.

    Parameters
    ----------
    estimate : Estimate
        What was kept; its value is None when hidden.
    suppressed : bool
        True when the gate hid it.
    reason : str
        Why a figure is missing; empty otherwise.
    data : dict
        The payload shown.
    metadata : dict
        Its mark.
    """

    estimate: Estimate
    suppressed: bool
    reason: str
    data: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        shown = read_policy().mark if self.suppressed else format_estimate(self.estimate)
        return f"{label_estimate(self.estimate)}: {shown}" + (f" ({self.reason})" if self.reason else "")

    def _ipython_display_(self) -> None:
        """Show nothing more: recording has shown it."""


def record(
    name: str,
    value: Any,
    *,
    ci_low: Any = None,
    ci_high: Any = None,
    unit: str = "",
    n: Any = None,
    stratum: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Recorded:
    """Keep a result: a row of the run's results, through the gate.

    Parameters
    ----------
    name : str
        What is estimated, the same from run to run.
    value : int or float or str or bool
        The value. A whole number, written in digits or not, counts persons unless its unit says
        otherwise.
    ci_low, ci_high : float, optional
        Limits of its interval.
    unit : str, optional
        Its unit. ``persons``, ``new cases``... say that the value counts persons; ``per 100,000``,
        ``SIR``, ``years``... that it does not; ``%`` with `n` says how many.
    n : int, optional
        Number of persons the value rests on.
    stratum : mapping, optional
        Stratum columns and their values.
    settings : mapping, optional
        What determined the value.

    Returns
    -------
    Recorded
        What was kept; notebooks show it at once.

    Raises
    ------
    ParameterError
        If the name, the value or its interval is not one: a value that is not finite is refused.
    DisclosureError
        If the row holds an identifier, or the name and stratum were recorded with another value.

    Notes
    -----
    A value is hidden, with its interval and `n`, when it counts, or rests on, 1 to
    ``min_count - 1`` persons, or when it, or its `n`, leaves such a number between a total and the
    strata recorded under the same name. A result has the level that the protocol declares for its
    name, public without. An endless limit of an interval is kept as missing, and said.

    Examples
    --------
    >>> record("sir", 1.8495, ci_low=1.5047, ci_high=2.2494, n=100)
    sir: 1.85 (1.50-2.25)
    >>> record("n_cases", 7)
    n_cases: [c] (fewer than 11 persons)
    """
    check_name(name)
    protocol = read_granted()
    policy = read_policy().for_protocol(protocol)
    estimate, notes = _read_row(name, value, ci_low, ci_high, unit, n, stratum or {}, settings or {})
    _refuse_identifiers(estimate, policy)
    folder = run_folder()
    earlier = read_lines(folder / RESULTS_FILE) if folder else []
    reason = explain_hiding(estimate, earlier, policy)
    suppressed = bool(reason)
    if suppressed:
        estimate = Estimate(name, None, None, None, unit, None, estimate.stratum, estimate.settings)
    reason = reason or "; ".join(notes)
    level = declared_levels(protocol).get(name, "public")
    row: dict[str, Any] = {key: getattr(estimate, key) for key in FIELDS}
    row |= {"suppressed": suppressed, "reason": reason, "level": level}
    shown = policy.mark if suppressed else format_estimate(estimate)
    remark = "; ".join(part for part in (reason, "" if folder else "not written, no run is in progress") if part)
    data = {"text/html": result_html(shown, label_estimate(estimate), remark=remark)}
    metadata = make_mark(name, data)
    if folder is not None:
        _store(folder, row, metadata["epi"]["sha256"], earlier, policy)
    show(data, metadata)
    return Recorded(estimate, suppressed, reason, data, metadata)


def record_estimates(estimates: Iterable[Estimate] | Callable[[], Iterable[Estimate]]) -> None:
    """Keep several results, such as those of a screen.

    Parameters
    ----------
    estimates : iterable of Estimate, or callable
        The results; each goes through the gate by itself, and is shown. A function that makes them records
        none where the data do not suffice.
    """
    if callable(estimates):
        try:
            estimates = estimates()
        except REFUSALS:
            return
    for row in estimates:
        record(
            row.name,
            row.estimate,
            ci_low=row.ci_low,
            ci_high=row.ci_high,
            unit=row.unit,
            n=row.n,
            stratum=row.stratum,
            settings=row.settings,
        )


def _read_row(
    name: str,
    value: Any,
    ci_low: Any,
    ci_high: Any,
    unit: str,
    n: Any,
    stratum: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> tuple[Estimate, list[str]]:
    faults: list[str] = []
    notes: list[str] = []
    number = _plain(value)
    if not isinstance(number, bool | int | float | str):
        faults.append(f"value is a {type(value).__name__}: give a number or a short text")
    elif isinstance(number, float) and not math.isfinite(number):
        faults.append("value is not a finite number: say why in the notebook, and record nothing")
    elif isinstance(number, str) and len(number) > 200:
        faults.append("value is a text of more than 200 characters")
    limits: list[float | None] = []
    for which, limit in (("ci_low", _plain(ci_low)), ("ci_high", _plain(ci_high))):
        if limit is None or (isinstance(limit, int | float) and not isinstance(limit, bool)):
            endless = limit is not None and not math.isfinite(limit)
            limits.append(None if limit is None or endless else float(limit))
            if endless:
                notes.append(f"{which} is not finite")
        else:
            limits.append(None)
            faults.append(f"{which} is a {type(limit).__name__}: give a number")
    persons = _plain(n)
    if isinstance(persons, float) and persons.is_integer():
        persons = int(persons)
    if persons is not None and (not isinstance(persons, int) or isinstance(persons, bool) or persons < 0):
        faults.append("n is not a number of persons: give a whole number")
    if not isinstance(unit, str):
        faults.append("unit is not a text")
    plain = {}
    for what, mapping in (("stratum", stratum), ("settings", settings)):
        plain[what] = {str(key): _plain(mapping[key]) for key in sorted(mapping, key=str)}
        wrong = [key for key, item in plain[what].items() if not _is_plain(item)]
        if wrong:
            faults.append(f"{what} holds what JSON cannot keep: {', '.join(wrong)}")
    if faults:
        raise ParameterError(
            f"result '{name}' cannot be recorded", "a finite value with its interval", "correct it", faults=faults
        )
    return Estimate(name, number, limits[0], limits[1], unit, persons, plain["stratum"], plain["settings"]), notes


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, set | frozenset | tuple):
        return sorted(map(_plain, value), key=str) if not isinstance(value, tuple) else [*map(_plain, value)]
    return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_plain, value.values()))
    return value is None or isinstance(value, bool | int | str)


def _refuse_identifiers(estimate: Estimate, policy: Policy) -> None:
    parts = {
        "name": (estimate.name, False),
        "value": (estimate.estimate, False),
        "unit": (estimate.unit, False),
        "stratum": (estimate.stratum, False),
        "settings": (estimate.settings, True),
    }
    faults: dict[str, None] = {}
    for where, (value, settings) in parts.items():
        for is_key, text in walk_texts(value):
            place = f"a key of {where}" if is_key else where
            # A setting may name a run or a definition by its short digest.
            words = _SHORT_DIGEST.sub(" ", text) if settings else text
            shapes = find_identifiers(words, policy, periods=settings)
            if not is_key and not settings:
                shapes = shapes or list(count_identifiers(pd.Series([text], dtype=object), policy))
            if shapes:
                faults[f"{place} is shaped like: {', '.join(shapes)}"] = None
            elif is_key and (
                is_identifier_name(text, policy) if not settings else text.lower() in policy.identifier_columns
            ):
                faults[f"{where}: '{text}' is an identifier, or an exact date of a person"] = None
    if faults:
        name = "" if find_identifiers(estimate.name, policy) else f" '{estimate.name}'"
        raise DisclosureError(
            f"result{name} cannot leave as it is", "no identifier", "leave it out", faults=list(faults)
        )


def _store(folder: Path, row: dict[str, Any], digest: str, earlier: list[dict[str, Any]], policy: Policy) -> None:
    for other in earlier:
        if other["name"] == row["name"] and other["stratum"] == row["stratum"]:
            if other["suppressed"] or all(other[key] == row[key] for key in FIELDS):
                same = other["suppressed"] == row["suppressed"]
                if same and all(other[key] == row[key] for key in FIELDS):
                    return
            raise DisclosureError(
                f"result '{row['name']}' was already recorded in this run for this stratum, with another value",
                "one value for each name and stratum",
                "name the stratum, choose another name, or start the run again",
            )
    append_line(folder / RESULTS_FILE, row)
    append_line(
        folder / GATE_FILE,
        {
            "name": row["name"],
            "kind": "result",
            "level": row["level"],
            "sha256": digest,
            "verdict": "released",
            "rows": 1,
            "hidden": int(row["suppressed"]),
            "rules": ["hidden:small_count"] if row["suppressed"] else [],
            "policy": policy.summary(),
        },
    )
