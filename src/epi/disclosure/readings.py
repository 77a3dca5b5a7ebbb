"""Recorded results, read back and written as papers print them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.disclosure.ledger import RESULTS_FILE, read_lines
from epi.disclosure.pages import format_number
from epi.errors import DataError, ParameterError
from epi.results import LEVELS, Estimate

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ("name", "estimate", "ci_low", "ci_high", "unit", "n", "stratum", "settings")


def read_results(folder: str | os.PathLike[str]) -> list[Estimate]:
    """Read the results of a run.

    Parameters
    ----------
    folder : path-like
        A run folder, with ``results.jsonl`` or the ``results.json`` made of it.

    Returns
    -------
    list of Estimate
        Sorted by name and stratum; a value is None when the gate hid it.

    Raises
    ------
    DataError
        If a row is broken, or a name comes twice with the same stratum.
    """
    return [Estimate(**{key: row[key] for key in FIELDS}) for row in read_result_rows(folder)]


def read_result_rows(folder: str | os.PathLike[str], *, level: str | None = None) -> list[dict[str, Any]]:
    """Read the results of a run as plain rows, ready for ``results.json``.

    Parameters
    ----------
    folder : path-like
        A run folder.
    level : {"public", "restricted", "internal"}, optional
        The most private level that readers may see; all rows by default.

    Returns
    -------
    list of dict
        Name, estimate, ci_low, ci_high, unit, n, stratum, settings, suppressed, reason, level;
        sorted by name and stratum.

    Raises
    ------
    ParameterError
        If the level is unknown.
    DataError
        If a row is broken, or a name comes twice with the same stratum.
    """
    place = Path(folder)
    assembled = place / "results.json"
    if (place / RESULTS_FILE).exists() or not assembled.exists():
        rows = read_lines(place / RESULTS_FILE)
    else:
        content = json.loads(assembled.read_text(encoding="utf-8"))
        rows = content["results"] if isinstance(content, dict) and "results" in content else content
    seen: set[str] = set()
    for row in rows:
        if not isinstance(row, dict) or not set(FIELDS) <= set(row):
            raise DataError(
                "a recorded result lacks a field", ", ".join(FIELDS), "run the study again with this version"
            )
        key = _key(row)
        if key in seen:
            raise DataError(
                f"result '{row['name']}' is recorded twice for the same stratum",
                "one row for each name and stratum",
                "run the study again",
            )
        seen.add(key)
    return sorted(rows if level is None else filter_rows(rows, level), key=_key)


def filter_rows(rows: Iterable[Mapping[str, Any]], level: str) -> list[dict[str, Any]]:
    """Keep the results that readers of a level may see.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of ``results.json``; one without a level is public.
    level : {"public", "restricted", "internal"}
        The most private level that they may see.

    Returns
    -------
    list of dict
        The rows at this level or a more public one.

    Raises
    ------
    ParameterError
        If the level is unknown.

    Examples
    --------
    >>> filter_rows([{"name": "sir", "level": "internal"}, {"name": "rate"}], "public")
    [{'name': 'rate'}]
    """
    if level not in LEVELS:
        raise ParameterError(f"level {level!r} is unknown", f"one of {', '.join(LEVELS)}", "level='public'")
    widest = LEVELS[: LEVELS.index(level) + 1]
    return [dict(row) for row in rows if row.get("level", "public") in widest]


def _key(row: Mapping[str, Any]) -> str:
    return json.dumps([row["name"], row["stratum"]], sort_keys=True, ensure_ascii=False)


def results_table(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the results of a run as a long table.

    Parameters
    ----------
    folder : path-like
        A run folder.

    Returns
    -------
    pandas.DataFrame
        One row for each result; each stratum column is one of its own, ``stratum_…``.
    """
    import pandas as pd

    rows = read_result_rows(folder)
    strata = sorted({column for row in rows for column in row["stratum"]})
    plain = ("name", "estimate", "ci_low", "ci_high", "unit", "n", "suppressed", "reason")
    return pd.DataFrame(
        [
            {key: row.get(key) for key in plain}
            | {f"stratum_{column}": row["stratum"].get(column) for column in strata}
            | {"settings": json.dumps(row["settings"], sort_keys=True, ensure_ascii=False)}
            for row in rows
        ],
        columns=[*plain, *(f"stratum_{column}" for column in strata), "settings"],
    )


def format_estimate(estimate: Estimate, *, mark: str = "[c]") -> str:
    """Write an estimate with its interval, as papers print it.

    Parameters
    ----------
    estimate : Estimate
        A result.
    mark : str, optional
        What stands for a hidden value.

    Returns
    -------
    str
        Such as ``1.85 (1.50-2.25)`` or ``22.5 % (22.0-23.0)``.

    Examples
    --------
    >>> format_estimate(Estimate("sir", 1.8495, 1.5047, 2.2494))
    '1.85 (1.50-2.25)'
    >>> format_estimate(Estimate("share", 22.498, 22.0, 23.0, unit="%"))
    '22.5 % (22.0-23.0)'
    """
    value = estimate.estimate
    if value is None:
        return mark
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    limits = (estimate.ci_low, estimate.ci_high)
    percent = estimate.unit.strip() == "%"
    if isinstance(value, int) and not any(limit is not None and limit % 1 for limit in limits):
        decimals = 0
    else:
        decimals = _decimals(float(value), percent)
    text = format_number(value, decimals)
    if percent:
        text += " %"
    elif estimate.unit.strip() and estimate.unit.strip() != "proportion":
        text += f" {estimate.unit.strip()}"
    if limits == (None, None):
        return text
    low, high = ("…" if limit is None else format_number(limit, decimals) for limit in limits)
    negative = any(limit is not None and limit < 0 for limit in limits)
    return f"{text} ({low}{' to ' if negative else '-'}{high})"


def _decimals(value: float, percent: bool) -> int:
    if percent:
        return 1
    if value == 0 or abs(value) >= 100:
        return 0 if value else 2
    return 2 if abs(value) >= 0.1 else min(8, 1 - math.floor(math.log10(abs(value))))


def label_estimate(estimate: Estimate) -> str:
    """Name an estimate and its stratum.

    Parameters
    ----------
    estimate : Estimate
        A result.

    Returns
    -------
    str
        Such as ``incidence [sex F]``.

    Examples
    --------
    >>> label_estimate(Estimate("incidence", 2.7, stratum={"sex": "F"}))
    'incidence [sex F]'
    """
    strata = ", ".join(f"{column} {item}" for column, item in estimate.stratum.items())
    return f"{estimate.name} [{strata}]" if strata else estimate.name
