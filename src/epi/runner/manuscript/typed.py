"""Numbers typed by hand in a manuscript, and which of them the run has."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from epi.runner.export.numbers import MINUS, MOST_DECIMALS, write_number
from epi.runner.manuscript.values import Value

_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)"
)
_NAMED = (
    r"(?:figures?|figs?\.?|tables?|tableaux?|sections?|chapters?|chapitres?|appendix|annexes?|supplement|equations?|eq\.|"
    r"équations?|steps?|étapes?|items?|versions?|volume|vol\.|pages?|pp?\.|grants?|n°|no\.|MR|ORPHA|ICD|CIM)"
)
_ASIDE = re.compile(
    r"\A---\n.*?\n---\n"  # the head of a Markdown file
    r"|^[ \t]*(?:#{1,6}[ \t]*)?(?:\d+[.)])+\d*[.)]?(?=[ \t])"  # numbers of headings and of lists
    r"|^#{1,6}[ \t]+\d+(?=[ \t])"
    r"|(?:https?://|www\.|doi:|10\.\d{4,}/)\S+"
    r"|\S+@\S+"
    r"|\]\([^)\n]*\)"
    r"|\[[-\d,;– \u00a0]+\]|\[@[^\]]*\]|\^[-\d,]+\^"  # calls of references
    r"|\b\d{4}-\d\d(?:-\d\d)?\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b|\b\d{1,2}(?:er)?[ \u00a0]" + _MONTH + r"\b"
    r"|\b" + _NAMED + r"[:\s\u00a0-]*\d[\d.,–-]*"
    r"|(?:\bIC[ \u00a0\u202f]?)\d\d(?:[ \u00a0\u202f])?%|\b\d\d[ \u00a0\u202f]?%[ \u00a0\u202f-]?(?:CI|confidence)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_NUMBER = re.compile(
    r"(?<![\w.,/\u2019'^])[-\u2212]?(?:\d{1,3}(?:[,\u202f\u00a0 ]\d{3})+(?!\d)|\d+)(?:[.,]\d+)?(?![\w/]|[.,]\d)"
)
_YEAR = re.compile(r"^(?:19|20)\d\d$")
_SPACES = str.maketrans("", "", "\u202f\u00a0 ")
_ENOUGH = 3  # digits from which any value is recognised; fewer meet by chance, and only recorded counts are


@dataclass(frozen=True)
class Typed:
    """A number typed by hand.

    Parameters
    ----------
    text : str
        As typed.
    line : int
        Its line, or its paragraph.
    names : tuple of str
        Released values that print so; empty when the run has none.
    """

    text: str
    line: int
    names: tuple[str, ...] = ()


def find_typed(rest: str, values: Iterable[Value], lang: str) -> list[Typed]:
    """List numbers typed by hand; years, dates, references, and numbers of sections are left aside.

    Parameters
    ----------
    rest : str
        A manuscript without its filled texts.
    values : iterable of Value
        What the run released.
    lang : {"en", "fr"}
        Language of the text: which mark is the decimal one.

    Returns
    -------
    list of Typed
        In the order of the text.
    """
    plain = _ASIDE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), rest)
    numbers = [value for value in values if value.kind != "summary" and value.value]
    known = [value for value in numbers if isinstance(value.value, int | float)]
    printed: dict[int, dict[str, list[Value]]] = {}
    found: list[Typed] = []
    for match in _NUMBER.finditer(plain):
        text = match[0]
        digits = _normal(text, lang)
        places = len(digits.partition(".")[2])
        if _YEAR.match(text) or places > MOST_DECIMALS:
            continue
        if places not in printed:
            printed[places] = _print_all(known, places)
        same = printed[places].get(digits, [])
        few = sum(char.isdigit() for char in digits) < _ENOUGH
        names = [value.name for value in same if not few or (value.kind == "count" and "." not in value.name)]
        if few and not places and len(digits) == 1 and not names:
            continue
        order = sorted(names, key=lambda name: (name.startswith("table."), name.count("."), len(name), name))
        found.append(Typed(text, plain.count("\n", 0, match.start()) + 1, tuple(order[:3])))
    return found


def _print_all(known: Iterable[Value], places: int) -> dict[str, list[Value]]:
    made: dict[str, list[Value]] = {}
    for value in known:
        if isinstance(value.value, int | float) and math.isfinite(value.value):
            made.setdefault(write_number(value.value, places, grouped=False), []).append(value)
    return made


def _normal(text: str, lang: str) -> str:
    plain = text.translate(_SPACES).replace("-", MINUS)
    if lang == "fr":
        return plain.replace(",", ".")
    # In English a comma followed by three digits separates thousands; any other is a decimal mark.
    return re.sub(r",(?=\d{3}(?!\d))", "", plain).replace(",", ".")
