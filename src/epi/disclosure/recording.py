"""Recorded results: one row each, through the gate, kept in the run and shown on the page."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from epi.disclosure.door import check_name, read_granted
from epi.disclosure.identifiers import find_identifiers, is_identifier_name
from epi.disclosure.ledger import GATE_FILE, RESULTS_FILE, append_line, read_lines, run_folder
from epi.disclosure.marks import make_mark, show
from epi.disclosure.pages import result_html
from epi.disclosure.policy import Policy, read_policy
from epi.disclosure.readings import FIELDS, format_estimate, label_estimate
from epi.errors import DisclosureError, ParameterError
from epi.results import Estimate


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
        The value. A whole number without unit counts persons.
    ci_low, ci_high : float, optional
        Limits of its interval.
    unit : str, optional
        Its unit. ``persons``, ``patients``, ``cases``... say that the value counts persons; ``%``
        with `n` says how many.
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
    ``min_count - 1`` persons, or when it leaves such a number between a total and the strata
    recorded under the same name. An endless limit of an interval is kept as missing, and said.

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
    reason = _hide_reason(estimate, earlier, policy)
    suppressed = bool(reason)
    if suppressed:
        estimate = Estimate(name, None, None, None, unit, None, estimate.stratum, estimate.settings)
    reason = reason or "; ".join(notes)
    row = {**{key: getattr(estimate, key) for key in FIELDS}, "suppressed": suppressed, "reason": reason}
    shown = policy.mark if suppressed else format_estimate(estimate)
    remark = "; ".join(part for part in (reason, "" if folder else "not written, no run is in progress") if part)
    data = {"text/html": result_html(shown, label_estimate(estimate), remark=remark)}
    metadata = make_mark(name, data)
    if folder is not None:
        _store(folder, row, metadata["epi"]["sha256"], earlier, policy)
    show(data, metadata)
    return Recorded(estimate, suppressed, reason, data, metadata)


def record_estimates(estimates: Iterable[Estimate]) -> list[Recorded]:
    """Keep several results, such as those of a screen.

    Parameters
    ----------
    estimates : iterable of Estimate
        The results; each goes through the gate by itself.

    Returns
    -------
    list of Recorded
        One for each, in order.
    """
    return [
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
        for row in estimates
    ]


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
    faults = [
        f"stratum: '{column}' is an identifier, or an exact date of a person"
        for column in estimate.stratum
        if is_identifier_name(column, policy)
    ]
    texts = {"value": estimate.estimate, "unit": estimate.unit}
    texts |= {f"stratum {column}": item for column, item in estimate.stratum.items()}
    texts |= {f"settings {column}": item for column, item in estimate.settings.items()}
    for where, text in texts.items():
        whole = isinstance(text, str) and not where.startswith("settings")
        shapes = [rule for rule, shape in policy.value_patterns.items() if whole and shape.fullmatch(str(text))]
        shapes = shapes or find_identifiers(str(text), policy)
        if shapes and not isinstance(text, float):
            faults.append(f"{where} is shaped like: {', '.join(shapes)}")
    if faults:
        raise DisclosureError(
            f"result '{estimate.name}' cannot leave as it is", "no identifier", "leave it out", faults=faults
        )


def persons_counted(estimate: Estimate, policy: Policy) -> int | None:
    """Say how many persons a value counts.

    Parameters
    ----------
    estimate : Estimate
        A result.
    policy : Policy
        The rules.

    Returns
    -------
    int or None
        The number of persons; None when the value counts none.

    Examples
    --------
    >>> persons_counted(Estimate("share", 22.5, unit="%", n=26767), read_policy())
    6023
    """
    value, unit = estimate.estimate, estimate.unit.strip().lower()
    if isinstance(value, bool | str) or value is None:
        return None
    if unit in policy.share_units:
        return None if estimate.n is None else round(value * estimate.n / policy.share_units[unit])
    whole = isinstance(value, int) or float(value).is_integer()
    if whole and (unit in policy.person_units or (not unit and isinstance(value, int))):
        return int(value)
    return None


def _hide_reason(estimate: Estimate, earlier: list[dict[str, Any]], policy: Policy) -> str:
    few = f"fewer than {policy.min_count} persons"
    count = persons_counted(estimate, policy)
    if estimate.n is not None and policy.is_small(estimate.n):
        return f"rests on {few}"
    if count is None:
        return ""
    if policy.is_small(count):
        return few
    share = estimate.unit.strip().lower() in policy.share_units
    if estimate.n is not None and share and policy.is_small(estimate.n - count):
        return f"all but {few}"
    same = [
        row
        for row in earlier
        if row["name"] == estimate.name
        and row["unit"] == estimate.unit
        and row["stratum"] != estimate.stratum
        and not row["suppressed"]
    ]
    if share or not same:
        return ""
    columns = sorted(estimate.stratum)
    if columns:
        totals = [row for row in same if not row["stratum"]]
        parts = [row for row in same if sorted(row["stratum"]) == columns]
        rests = [row["estimate"] - count - sum(part["estimate"] for part in parts) for row in totals]
        rests += [row["estimate"] - count for row in totals]
    else:
        by: dict[tuple[str, ...], int] = {}
        for row in same:
            key = tuple(sorted(row["stratum"]))
            by[key] = by.get(key, 0) + row["estimate"]
        rests = [count - total for total in by.values()]
        rests += [count - row["estimate"] for row in same]
    return f"leaves {few} between strata and total" if any(map(policy.is_small, rests)) else ""


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
            "level": "public",
            "sha256": digest,
            "verdict": "released",
            "rows": 1,
            "hidden": int(row["suppressed"]),
            "rules": ["hidden:small_count"] if row["suppressed"] else [],
            "policy": policy.summary(),
        },
    )
