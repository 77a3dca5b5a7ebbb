"""Placeholders: a name and how it prints, by a grammar too small to hold code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from epi.errors import ParameterError

OPEN = "{{"
SHAPE = re.compile(r"\{\{([^{}\n]{0,400})\}\}")
"""What stands between double braces on one line."""

_NAME = re.compile(r"^[a-z0-9_]+(?:\.[a-z0-9_]+)*$")
_BLOCK = re.compile(r"^(figure|table)\s*:\s*([a-z0-9_]+)$")
_DIGITS = re.compile(r"^(?:\d|1[0-2])$|^(?:[1-9]|1[0-2])s$")

FORMATS = {
    "0 to 12": "decimals",
    "1s to 12s": "significant figures",
    "percent": "a share, or a value in %, as a percentage",
    "p": "a p-value with its letter, as journals print it",
    "count": "a whole number with thousands separated",
    "plain": "thousands not separated",
    "unit": "the unit after the value",
    "long": "a date in words",
    "to": "an interval as 1.50 to 2.25",
    "dash": "an interval as 1.50-2.25, with a long dash",
    "semicolon": "an interval as 1.50; 2.25",
    "brackets": "an interval as [1.50; 2.25]",
    "bare": "an interval without its level",
}
"""Formats, and what each does."""

_GROUPS = (("percent", "p", "count", "plain", "long"), ("to", "dash", "semicolon", "brackets"), ("bare",), ("unit",))


@dataclass(frozen=True)
class Placeholder:
    """A placeholder, read.

    Parameters
    ----------
    kind : {"value", "figure", "table"}
        What it places.
    name : str
        Name of a released value or output.
    formats : tuple of str, optional
        How it prints.
    """

    kind: str
    name: str
    formats: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its one spelling, under which a record keeps what was printed; without the bar that cuts table cells."""
        return f"{self.kind}: {self.name}" if self.kind != "value" else ", ".join((self.name, *self.formats))

    @property
    def digits(self) -> str:
        """Decimals or significant figures asked for, as written; empty without."""
        return next((form for form in self.formats if _DIGITS.match(form)), "")

    def __str__(self) -> str:
        return "{{ " + self.key.replace(", ", " | ") + " }}"


def read_placeholder(text: str) -> Placeholder:
    """Read what stands between double braces.

    Parameters
    ----------
    text : str
        Such as ``n_cases``, ``sir.france.interval | 2`` or ``figure: sir_map``. A comma may stand for the bar.

    Returns
    -------
    Placeholder
        Its name and formats.

    Raises
    ------
    ParameterError
        If it is anything else: no arithmetic, no call, no quotation.

    Examples
    --------
    >>> read_placeholder(" older_share.interval | 1 | to ")
    Placeholder(kind='value', name='older_share.interval', formats=('1', 'to'))
    >>> str(read_placeholder("figure : sir_map"))
    '{{ figure: sir_map }}'
    """
    plain = re.sub(r"\s+", " ", text).strip()
    shown = "{{ " + plain[:60] + " }}"
    block = _BLOCK.match(plain)
    if block:
        return Placeholder(block[1], block[2])
    name, *formats = (part.strip() for part in re.split(r"[|,]", plain))
    if not _NAME.match(name):
        raise ParameterError(
            f"{shown} is no placeholder", "a name in small letters, digits, _ and dots, then formats after |"
        )
    unknown = [form for form in formats if form not in FORMATS and not _DIGITS.match(form)]
    if unknown:
        raise ParameterError(f"{shown}: format {unknown[0][:30]!r} is unknown", "; ".join(FORMATS))
    for group in (*_GROUPS, tuple(form for form in formats if _DIGITS.match(form))):
        asked = [form for form in formats if form in group]
        if len(asked) > 1:
            raise ParameterError(f"{shown}: {' and '.join(asked)} contradict each other", "one of them")
    return Placeholder("value", name.removesuffix(".estimate"), tuple(formats))
