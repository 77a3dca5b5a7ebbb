"""How many persons a recorded result counts or rests on, and what subtracting others would tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from epi.disclosure.policy import Policy
from epi.results import Estimate

_LEADING = re.compile(r"\s*(?:n\s*=\s*)?(-?\d[\d\u00a0\u202f]*)(?:[.,]0+)?(?![\d.,]*\d)(.*)", re.IGNORECASE | re.DOTALL)
_FOLLOWED = re.compile(r"(?<![\d.,])(\d+)\s+([^\d]*)")
_AFTER = re.compile(r"[:=]\s*(\d+)(?![\d.,]*\d)")
# Time spent by persons is a measure; "per protocol" is no rate.
_PERSON_TIME = re.compile(r"\w+[-‑\s](?=(?:years|months|weeks|days|années|mois|jours)\b)")
_NO_RATE = re.compile(r"\bper[-‑\s]+protocol\b")

Tally = tuple[Mapping[str, Any], int]
"""A stratum and a number of persons."""


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
    >>> from epi.disclosure.policy import read_policy
    >>> policy = read_policy()
    >>> persons_counted(Estimate("share", 22.5, unit="%", n=26767), policy)
    6023
    >>> [persons_counted(Estimate("n", value), policy) for value in (7.0, "7", "7 patients", 7.5)]
    [7, 7, 7, None]
    >>> [persons_counted(Estimate("n", 7, unit=unit), policy) for unit in ("n", "SIR", "years")]
    [7, None, None]
    """
    value, unit = estimate.estimate, estimate.unit.strip().lower()
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return _count_in_text(value, unit, policy)
    if unit in policy.share_units:
        return None if estimate.n is None else round(value * estimate.n / policy.share_units[unit])
    whole = isinstance(value, int) or float(value).is_integer()
    return int(value) if whole and counts_persons(unit, policy) else None


def counts_persons(unit: str, policy: Policy) -> bool:
    """Say whether a whole number with this unit counts persons.

    Parameters
    ----------
    unit : str
        A unit, which may be empty.
    policy : Policy
        The rules.

    Returns
    -------
    bool
        False for rates, ratios and measures; True for persons, and when nothing tells.

    Examples
    --------
    >>> from epi.disclosure.policy import read_policy
    >>> policy = read_policy()
    >>> [counts_persons(unit, policy) for unit in ("patients known", "cases per 100,000", "km")]
    [True, False, False]
    """
    text = _NO_RATE.sub(" ", unit.lower())
    words = re.findall(r"[^\W_]+|[€%‰°]", text)
    if not words:
        return True
    if unit.strip().lower() in policy.share_units or "%" in words:
        return False
    ratio = words[0] in policy.ratio_units and not set(words[1:2]) & set(policy.person_units)
    if ratio or any(word in policy.rate_units for word in words):
        return False
    if any(word in policy.person_units for word in re.findall(r"[^\W_]+", _PERSON_TIME.sub(" ", text))):
        return True
    return not any(word in policy.measure_units for word in words)


def explain_hiding(estimate: Estimate, earlier: Iterable[Mapping[str, Any]], policy: Policy) -> str:
    """Say why a result must be hidden.

    Parameters
    ----------
    estimate : Estimate
        A result.
    earlier : iterable of mapping
        Rows recorded before it in the run.
    policy : Policy
        The rules.

    Returns
    -------
    str
        The reason; empty when the result may be printed.
    """
    few = f"fewer than {policy.min_count} persons"
    count = persons_counted(estimate, policy)
    if estimate.n is not None and policy.is_small(estimate.n):
        return f"rests on {few}"
    if count is not None and policy.is_small(count):
        return few
    share = estimate.unit.strip().lower() in policy.share_units
    if count is not None and estimate.n is not None and share and policy.is_small(estimate.n - count):
        return f"all but {few}"
    same = [
        Estimate(**{key: row[key] for key in ("name", "estimate", "unit", "n", "stratum")})
        for row in earlier
        if row["name"] == estimate.name and row["stratum"] != estimate.stratum and not row["suppressed"]
    ]
    resting = [(row.stratum, row.n) for row in same if row.n is not None]
    rests = [] if estimate.n is None else subtract(estimate.stratum, estimate.n, resting)
    if count is not None:
        counted = [(row.stratum, number) for row in same if (number := persons_counted(row, policy)) is not None]
        rests += subtract(estimate.stratum, count, counted)
    return f"leaves {few} between strata and total" if any(map(policy.is_small, rests)) else ""


def subtract(stratum: Mapping[str, Any], count: int, others: Sequence[Tally]) -> list[int]:
    """Give the differences that a number of persons makes with those printed before.

    Parameters
    ----------
    stratum : mapping
        Stratum columns and values of the number.
    count : int
        The number.
    others : sequence of tuple
        Strata and numbers printed before.

    Returns
    -------
    list of int
        Each total less one of its strata, and less all of those told apart by the same columns.

    Examples
    --------
    >>> subtract({"sex": "M"}, 40, [({}, 100), ({"sex": "F"}, 55)])
    [60, 5]
    """
    rests: list[int] = []
    here = (stratum, count)
    for total in (here, *others):
        parts = [other for other in (here, *others) if _is_part(other[0], total[0])]
        if total is here:
            rests += [count - part[1] for part in parts]
            groups = {tuple(sorted(part[0])) for part in parts}
        elif here in parts:
            rests.append(total[1] - count)
            groups = {tuple(sorted(stratum))}
        else:
            continue
        for columns in sorted(groups):
            alike = [part[1] for part in parts if tuple(sorted(part[0])) == columns]
            if len(alike) > 1:
                rests.append(total[1] - sum(alike))
    return rests


def _is_part(part: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    return len(part) > len(whole) and all(column in part and part[column] == whole[column] for column in whole)


def _count_in_text(text: str, unit: str, policy: Policy) -> int | None:
    """Read a count written in words; the smallest of those followed by a word for persons."""
    found = [
        int(match[1])
        for match in _FOLLOWED.finditer(text)
        if any(word in policy.person_units for word in re.findall(r"[^\W_]+", match[2].lower())[:3])
        and counts_persons(match[2], policy)
    ]
    leading = _LEADING.fullmatch(text)
    if leading is not None and counts_persons(f"{leading[2].partition('(')[0]} {unit}", policy):
        found.append(int(re.sub(r"[\u00a0\u202f]", "", leading[1])))
    if any(word in policy.person_units for word in re.findall(r"[^\W_]+", text.lower())):
        found += [int(number) for number in _AFTER.findall(text)]
    small = [number for number in found if policy.is_small(number)]
    return min(small or found) if found else None
