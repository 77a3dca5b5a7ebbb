"""How a released value prints in a sentence, by its formats and the language."""

from __future__ import annotations

import datetime as dt
import math

from epi.errors import ParameterError
from epi.runner.export.numbers import MINUS, NO_BREAK, THIN, write_interval, write_number, write_p_value
from epi.runner.manuscript.placeholder import Placeholder
from epi.runner.manuscript.values import Value
from epi.runner.site.figures import date_text, localised, unit_text

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
_ALLOWED = {
    "count": {"digits", "count", "plain", "unit", "percent"},
    "whole": {"digits", "count", "plain", "unit"},
    "number": {"digits", "percent", "count", "plain", "unit", "p"},
    "probability": {"digits", "p", "percent"},
    "interval": {"digits", "to", "dash", "semicolon", "brackets", "bare", "unit", "percent"},
    "summary": {"digits", "to", "dash", "semicolon", "brackets", "bare", "unit", "percent"},
    "date": {"long"},
    "text": set(),
}
_PERCENT = {"%", "percent"}


def print_value(value: Value, asked: Placeholder, lang: str) -> str:
    r"""Print a value as a placeholder asks.

    Parameters
    ----------
    value : Value
        A released value.
    asked : Placeholder
        How.
    lang : {"en", "fr"}
        The language of numbers and words.

    Returns
    -------
    str
        The text; the gate's mark for a hidden value, whatever is asked.

    Raises
    ------
    ParameterError
        If the format does not suit what the value is.

    Examples
    --------
    >>> from epi.runner.manuscript.placeholder import read_placeholder
    >>> ratio = Value("sir.interval", "interval", None, 2, low=1.5047, high=2.2494)
    >>> print_value(ratio, read_placeholder("sir.interval"), "en").replace(NO_BREAK, " ")
    '95% CI 1.50 to 2.25'
    >>> print_value(ratio, read_placeholder("sir.interval"), "fr").encode("ascii", "backslashreplace")
    b'IC\\xa095\\u202f% 1,50\\xa0; 2,25'
    """
    if value.hidden:
        return value.printed
    wrong = [form for form in asked.formats if ("digits" if form == asked.digits else form) not in _ALLOWED[value.kind]]
    if wrong:
        suits = ", ".join(sorted("decimals" if form == "digits" else form for form in _ALLOWED[value.kind]))
        raise ParameterError(f"{asked}: {wrong[0]} does not suit a {value.kind} ({suits or 'no format'})")
    if value.kind in {"text", "date"}:
        return _text(value, asked, lang)
    if value.printed and not asked.formats:
        return value.printed
    text = _number(value, asked, lang)
    if "unit" in asked.formats and value.unit and not ("percent" in asked.formats or value.unit in _PERCENT):
        text += NO_BREAK + unit_text(value.unit, lang) if unit_text(value.unit, lang) else ""
    elif "unit" in asked.formats and value.unit in _PERCENT and "percent" not in asked.formats:
        text += _percent_sign(lang)
    return text


def _text(value: Value, asked: Placeholder, lang: str) -> str:
    text = str(value.value)
    if value.kind == "date":
        if "long" not in asked.formats:
            return date_text(text, lang)
        day = dt.date.fromisoformat(text)
        number = "1er" if lang == "fr" and day.day == 1 else str(day.day)
        return NO_BREAK.join((number, _MONTHS[lang].split()[day.month - 1], str(day.year)))
    if lang == "fr" and value.name.endswith(".unit"):
        return unit_text(text, lang)
    return localised(text, lang)


def _number(value: Value, asked: Placeholder, lang: str) -> str:
    if value.kind in {"interval", "summary"}:
        between = _interval(value, asked, lang)
        if value.kind == "interval":
            return between
        inner = between if between.startswith("[") else f"({between})"
        return f"{_write(_estimate(value), value, asked, lang)} {inner}"
    number = _estimate(value)
    if "p" in asked.formats:
        if not 0 <= number <= 1:
            raise ParameterError(f"{asked}: p needs a probability")
        last = value.name.rsplit(".", 1)[-1]
        return write_p_value(number, lang, letter="q" if last == "q" or last.startswith("q_") else "p")
    if value.kind == "probability" and not asked.formats:
        return f"<{write_number(0.001, 3, lang)}" if number < 0.001 else write_number(number, 3, lang)
    if "count" in asked.formats and not float(number).is_integer():
        raise ParameterError(f"{asked}: count needs a whole number")
    return _write(number, value, asked, lang)


def _estimate(value: Value) -> float:
    if isinstance(value.value, int | float):
        return value.value
    raise ParameterError(f"{value.name} is no number")


def _write(number: float, value: Value, asked: Placeholder, lang: str) -> str:
    """Write one number: its share of a hundred, its decimals, its thousands."""
    if not math.isfinite(number):
        return "∞" if number > 0 else f"{MINUS}∞"
    percent = "percent" in asked.formats
    if percent and value.unit not in {"", "share", "proportion", *_PERCENT}:
        raise ParameterError(f"{asked}: percent needs a share, or a value in %; its unit is {value.unit}")
    places = value.decimals
    if percent:
        number *= 1 if value.unit in _PERCENT else 100
        places = 1
    grouped = "plain" not in asked.formats and (value.kind != "whole" or "count" in asked.formats)
    if asked.digits.endswith("s"):
        number, places = _significant(number, int(asked.digits[:-1]))
    elif asked.digits:
        places = int(asked.digits)
    elif "count" in asked.formats:
        places = 0
    text = write_number(number, places, lang, grouped=grouped)
    return text + _percent_sign(lang) if percent else text


def _significant(number: float, figures: int) -> tuple[float, int]:
    # The exponent after rounding: 9.996 at three figures is 10.0.
    places = figures - 1 - int(f"{abs(number):.{figures - 1}e}".partition("e")[2])
    return (number, min(places, 12)) if places >= 0 else (round(number, places), 0)


def _percent_sign(lang: str) -> str:
    return f"{THIN}%" if lang == "fr" else "%"


def _interval(value: Value, asked: Placeholder, lang: str) -> str:
    low, high = value.low, value.high
    first = f"{MINUS}∞" if low is None else _write(low, value, asked, lang)
    last = "∞" if high is None else _write(high, value, asked, lang)
    default = "semicolon" if lang == "fr" else "to"
    style = next((form for form in ("to", "dash", "semicolon", "brackets") if form in asked.formats), default)
    if style == "dash" and MINUS in first + last:
        raise ParameterError(f"{asked}: a dash beside a minus sign is misread; use to, or semicolon")
    semicolon = f"{NO_BREAK}; " if lang == "fr" else "; "
    if style == "to":
        # The word between the limits is the export's own.
        word = write_interval(0, 1, 0, lang)[1:-1]
        between = first + word + last
    else:
        between = first + ("–" if style == "dash" else semicolon) + last
    between = f"[{between}]" if style == "brackets" else between
    if "bare" in asked.formats:
        return between
    level = write_number(100 * value.level, 0 if float(f"{100 * value.level:.6f}").is_integer() else 1, lang)
    label = f"IC{NO_BREAK}{level}{THIN}%" if lang == "fr" else f"{level}%{NO_BREAK}CI"
    return f"{label} {between}"
