"""Numbers as papers print them, in English and in French."""

from __future__ import annotations

import math

from epi.errors import ParameterError

THIN = "\u202f"
NO_BREAK = "\u00a0"
MINUS = "\u2212"
MOST_DECIMALS = 12


def write_number(value: float, decimals: int, lang: str = "en", *, grouped: bool = True) -> str:
    r"""Write a number with a set number of decimals.

    Parameters
    ----------
    value : float
        A finite number.
    decimals : int
        Decimals kept, 0 to 12.
    lang : {"en", "fr"}, optional
        English: 1,234.5. French: 1 234,5 with a thin no-break space.
    grouped : bool, optional
        Separate thousands.

    Returns
    -------
    str
        The text, with a true minus sign; what rounds to zero has none.

    Raises
    ------
    ParameterError
        If the number is not finite, or `decimals` or `lang` is none of those.

    Examples
    --------
    >>> write_number(26767.25, 1), write_number(-0.001, 2), write_number(1234, 0, grouped=False)
    ('26,767.2', '0.00', '1234')
    >>> write_number(-26767.25, 1, "fr").encode("ascii", "backslashreplace")
    b'\\u221226\\u202f767,2'
    """
    if lang not in {"en", "fr"}:
        raise ParameterError(f"language {lang!r} is unknown", "en or fr")
    if not 0 <= decimals <= MOST_DECIMALS:
        raise ParameterError(f"{decimals} decimals are asked for", f"0 to {MOST_DECIMALS}")
    if not math.isfinite(value):
        raise ParameterError("a value that is not finite cannot be written as a number", "a finite number")
    text = f"{abs(value):{',' if grouped else ''}.{decimals}f}"
    if lang == "fr":
        text = text.replace(",", THIN).replace(".", ",")
    negative = value < 0 and any(char in "123456789" for char in text)
    return MINUS + text if negative else text


def write_percent(share: float, decimals: int, lang: str = "en") -> str:
    """Write a share as a percentage.

    Parameters
    ----------
    share : float
        A share: 0.225 is 22.5 %.
    decimals : int
        Decimals kept of the percentage.
    lang : {"en", "fr"}, optional
        The language.

    Returns
    -------
    str
        The text, its sign after a no-break space.

    Examples
    --------
    >>> write_percent(0.2251, 1).replace(NO_BREAK, " "), write_percent(0.2251, 1, "fr").replace(THIN, " ")
    ('22.5 %', '22,5 %')
    """
    return write_number(100 * share, decimals, lang) + (THIN if lang == "fr" else NO_BREAK) + "%"


def write_p_value(p: float, lang: str = "en", *, letter: str = "p") -> str:
    """Write a p-value: below 0.001 and above 0.99 as bounds, three decimals below 0.1, two above.

    Parameters
    ----------
    p : float
        A probability.
    lang : {"en", "fr"}, optional
        The language.
    letter : str, optional
        What it is called, such as ``q``.

    Returns
    -------
    str
        Such as ``p = 0.032``, its spaces no-break.

    Raises
    ------
    ParameterError
        If it is not between 0 and 1.

    Examples
    --------
    >>> [write_p_value(p).replace(NO_BREAK, " ") for p in (0.0004, 0.001, 0.0316, 0.0996, 0.215, 0.997)]
    ['p < 0.001', 'p = 0.001', 'p = 0.032', 'p = 0.10', 'p = 0.21', 'p > 0.99']
    """
    if not (math.isfinite(p) and 0 <= p <= 1):
        raise ParameterError(f"a {letter}-value is not between 0 and 1", "a probability")
    if p < 0.001:
        sign, text = "<", write_number(0.001, 3, lang)
    elif p > 0.99:
        sign, text = ">", write_number(0.99, 2, lang)
    else:
        sign, text = "=", write_number(p, 3 if p < 0.0995 else 2, lang)
    return f"{letter}{NO_BREAK}{sign}{NO_BREAK}{text}"


def write_interval(low: float | None, high: float | None, decimals: int, lang: str = "en") -> str:
    """Write the limits of an interval.

    Parameters
    ----------
    low, high : float or None
        Its limits; None is endless.
    decimals : int
        Decimals kept.
    lang : {"en", "fr"}, optional
        The language.

    Returns
    -------
    str
        Such as ``1.50 to 2.25``: a word, since a dash beside a minus sign is misread.

    Raises
    ------
    ParameterError
        If there is no limit at all.

    Examples
    --------
    >>> write_interval(1.5, 2.25, 2), write_interval(-0.5, None, 1, "fr").replace(MINUS, "-")
    ('1.50 to 2.25', '-0,5 à ∞')
    """
    if low is None and high is None:
        raise ParameterError("there is no interval", "at least one limit")
    first = f"{MINUS}∞" if low is None else write_number(low, decimals, lang)
    last = "∞" if high is None else write_number(high, decimals, lang)
    return f"{first} {'à' if lang == 'fr' else 'to'} {last}"
