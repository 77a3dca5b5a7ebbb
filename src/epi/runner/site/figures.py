"""Numbers as a reader of each language expects them, and a run's results in words."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from epi.runner.site.words import french, word

if TYPE_CHECKING:
    from epi.protocol import Protocol

MOST_HIGHLIGHTS = 3
_ROWS_BY_HIGHLIGHT = 3

_FRENCH_UNITS = {
    "cases": "cas",
    "days": "jours",
    "years": "années",
    "per 1,000": "pour 1\u202f000",
    "per 100,000": "pour 100\u202f000",
    "per 100,000 person-years": "pour 100\u202f000 personnes-années",
}


@dataclass(frozen=True)
class KeyFigure:
    """One of the figures a study opens on, in one language.

    Parameters
    ----------
    label : str
        What it is.
    stratum : str
        In whom, when it is not the whole.
    value : str
        The estimate.
    unit : str
        Its unit, empty for counts of persons and ratios.
    interval : str
        Its interval with its level, empty without one.
    n : str
        Number of persons, empty where the value is that number.
    """

    label: str
    stratum: str
    value: str
    unit: str
    interval: str
    n: str


def number(value: Any, lang: str, digits: int | None = None) -> str:
    """Print a number by the habits of a language.

    Parameters
    ----------
    value : object
        A number; a text is given back, a missing value is a dash.
    lang : {"fr", "en"}
        The language.
    digits : int, optional
        Decimals; by default none for whole numbers, and as many as :func:`decimals` says.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> number(26767, "en"), number(1.8494, "en"), number(0.00123, "fr"), number(None, "en")
    ('26,767', '1.85', '0,0012', '–')
    """
    if isinstance(value, (bool, str)):
        return str(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "-∞"
    places = decimals(value) if digits is None else digits
    text = f"{value:,.{places}f}"
    return text.replace(",", "\u202f").replace(".", ",") if lang == "fr" else text


def decimals(value: float) -> int:
    """Choose how many decimals a number deserves.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    int
        0 for whole numbers of type int and above 1,000; 1 above 100; otherwise 2, and more below
        0.1, so that two digits remain.

    Examples
    --------
    >>> decimals(12), decimals(22.5), decimals(1234.5), decimals(0.0123)
    (0, 2, 0, 3)
    """
    size = abs(value)
    if isinstance(value, int) or size >= 1000 or not math.isfinite(value):
        return 0
    if size >= 100:
        return 1
    if size >= 0.1 or size == 0:
        return 2
    return min(1 - math.floor(math.log10(size)), 8)


def value_text(row: Mapping[str, Any], lang: str) -> str:
    """Print a result's estimate; a hidden one says so.

    Parameters
    ----------
    row : mapping
        A row of ``results.json``.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        The text.
    """
    value = row.get("estimate")
    if value is None:
        return word("hidden", lang)
    return number(value, lang, _digits(row))


def _digits(row: Mapping[str, Any]) -> int | None:
    """Share decimals between an estimate and its limits; a percentage has one."""
    value = row.get("estimate")
    if isinstance(value, bool) or not isinstance(value, int | float) or isinstance(value, int):
        return None
    return 1 if row.get("unit") in {"%", "percent"} else decimals(value)


def interval_text(row: Mapping[str, Any], lang: str) -> str:
    """Print a result's interval, with its level.

    Parameters
    ----------
    row : mapping
        A row of ``results.json``.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        Such as ``95 % CI 1.50 to 2.25``; empty without an interval.
    """
    low, high = row.get("ci_low"), row.get("ci_high")
    if low is None or high is None:
        return ""
    digits = _digits(row)
    level = dict(row.get("settings") or {}).get("level", 0.95)
    share = f"{100 * float(level):g}" if isinstance(level, int | float) and 0 < level < 1 else "95"
    label = word("interval_level", lang, level=share)
    return f"{label} {number(low, lang, digits)} {word('to', lang)} {number(high, lang, digits)}"


def stratum_text(row: Mapping[str, Any]) -> str:
    """Print a result's stratum.

    Parameters
    ----------
    row : mapping
        A row of ``results.json``.

    Returns
    -------
    str
        Such as ``sex: F, region: 84``; empty for the whole.
    """
    return ", ".join(f"{name}: {value}" for name, value in sorted(dict(row.get("stratum") or {}).items()))


def label_of(name: str, protocol: Protocol, lang: str, row: Mapping[str, Any] | None = None) -> str:
    """Name a result or an output for a reader.

    Parameters
    ----------
    name : str
        Its name.
    protocol : Protocol
        The study's protocol, whose outputs have a meaning in both languages.
    lang : {"fr", "en"}
        The language.
    row : mapping, optional
        The result, whose settings may hold ``label_fr`` and ``label_en``.

    Returns
    -------
    str
        The meaning where it is declared, otherwise the name in plain letters.
    """
    for output in protocol.outputs:
        if output.name == name:
            return localised(output.meaning.in_(lang), lang)
    given = dict((row or {}).get("settings") or {}).get(f"label_{lang}")
    plain = name.replace("_", " ")
    return localised(str(given), lang) if given else plain[:1].upper() + plain[1:]


def localised(text: str, lang: str) -> str:
    """Set a text by the typography of its language.

    Parameters
    ----------
    text : str
        A text.
    lang : {"fr", "en"}
        Its language.

    Returns
    -------
    str
        The text, French with its no-break spaces.
    """
    return french(text) if lang == "fr" else text


def key_figures(rows: Sequence[Mapping[str, Any]], protocol: Protocol, lang: str) -> list[KeyFigure]:
    """Pick the figures a study opens on.

    Parameters
    ----------
    rows : sequence of mapping
        The run's results.
    protocol : Protocol
        Its ``highlights`` name them, in order.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    list of KeyFigure
        At most three. A result given by stratum opens on its whole where there is one.
    """
    found: list[KeyFigure] = []
    for name in protocol.highlights:
        of_name = [row for row in rows if row["name"] == name]
        whole = [row for row in of_name if not row.get("stratum")] or of_name[:_ROWS_BY_HIGHLIGHT]
        for row in whole:
            n = row.get("n")
            unit = str(row.get("unit") or "")
            found.append(
                KeyFigure(
                    label_of(name, protocol, lang, row),
                    stratum_text(row),
                    value_text(row, lang),
                    unit_text(unit, lang),
                    interval_text(row, lang),
                    "" if n is None or row.get("ci_low") is None else number(int(n), lang),
                )
            )
    return found[:MOST_HIGHLIGHTS]


def unit_text(unit: str, lang: str) -> str:
    """Print a unit; counts of persons and ratios need none.

    Parameters
    ----------
    unit : str
        As recorded, in English.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        The unit, in French where it is a usual one.

    Examples
    --------
    >>> unit_text("per 100,000", "en"), unit_text("persons", "fr"), unit_text("years", "fr")
    ('per 100,000', '', 'années')
    """
    if unit in {"persons", "person", "ratio"}:
        return ""
    return localised(_FRENCH_UNITS.get(unit, unit), lang) if lang == "fr" else unit


def date_text(value: dt.date | str | None, lang: str) -> str:
    """Print a date.

    Parameters
    ----------
    value : datetime.date or str or None
        A date, or its ISO text.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        ``31/12/2021`` in French, ``2021-12-31`` in English; a dash without a date.
    """
    if value is None or value == "":
        return "–"
    day = dt.date.fromisoformat(value[:10]) if isinstance(value, str) else value
    return f"{day:%d/%m/%Y}" if lang == "fr" else f"{day:%Y-%m-%d}"


def moment_text(value: str | None, lang: str) -> str:
    """Print a moment, to the minute, in UTC.

    Parameters
    ----------
    value : str or None
        ISO text.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    str
        The text; a dash without a moment.
    """
    if not value:
        return "–"
    moment = dt.datetime.fromisoformat(value)
    return f"{date_text(moment.date(), lang)} {moment:%H:%M} UTC"
