"""How numbers, ratios and percentages are printed with their intervals."""

from __future__ import annotations

from typing import Literal

import numpy as np

from epi.stats.intervals import proportion_interval


def format_number(value: float, digits: int = 2, *, lang: Literal["fr", "en"] = "en") -> str:
    """Print a number with fixed decimals, by the habits of a language.

    Parameters
    ----------
    value : float
        The number; a dash stands for a missing one.
    digits : int, optional
        Decimals.
    lang : {"fr", "en"}, optional
        Decimal comma and thin spaces, or decimal point and commas.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> format_number(26767.25, 1), format_number(1.854, lang="fr"), format_number(float("nan"))
    ('26,767.2', '1,85', '–')
    """
    if value is None or not np.isfinite(value):
        return "–" if value is None or np.isnan(value) else ("∞" if value > 0 else "-∞")
    text = f"{value:,.{digits}f}"
    if lang == "fr":
        text = text.replace(",", "\u202f").replace(".", ",")
    return text


def format_p(value: float, *, sign: str = "", lang: Literal["fr", "en"] = "en") -> str:
    """Print a p-value: two decimals, three below 0.1, a bound below 0.001.

    Parameters
    ----------
    value : float
        The p-value.
    sign : str, optional
        What stands before one that is printed as it is, such as an equals sign.
    lang : {"fr", "en"}, optional
        Decimal comma or point.

    Returns
    -------
    str
        The text; its blanks do not break.

    Examples
    --------
    >>> format_p(0.4321), format_p(0.0432, sign="= "), format_p(0.0432, lang="fr")
    ('0.43', '= 0.043', '0,043')
    """
    if value < 0.001:
        return "<\u00a0" + format_number(0.001, 3, lang=lang)
    return sign + format_number(value, 3 if value < 0.1 else 2, lang=lang)


def format_ratio(estimate: float, low: float, high: float, *, digits: int = 2, lang: Literal["fr", "en"] = "en") -> str:
    """Print a ratio or a rate with its interval.

    Parameters
    ----------
    estimate, low, high : float
        The estimate and its limits.
    digits : int, optional
        Decimals.
    lang : {"fr", "en"}, optional
        Language of the decimal mark.

    Returns
    -------
    str
        Such as ``1.85 (1.50-2.25)``; a dash when the estimate is missing.

    Examples
    --------
    >>> format_ratio(1.8494, 1.5048, 2.2494, lang="fr")
    '1,85 (1,50-2,25)'
    """
    if estimate is None or np.isnan(estimate):
        return "–"
    middle, bottom, top = (format_number(value, digits, lang=lang) for value in (estimate, low, high))
    return f"{middle} ({bottom}-{top})"


def format_percent(
    count: int,
    of: int,
    *,
    digits: int = 1,
    method: Literal["wilson", "exact"] = "wilson",
    level: float = 0.95,
    lang: Literal["fr", "en"] = "en",
) -> str:
    """Print a percentage with its interval.

    Parameters
    ----------
    count : int
        Number with the characteristic.
    of : int
        Number in whom it was looked for.
    digits : int, optional
        Decimals.
    method : {"wilson", "exact"}, optional
        See :func:`proportion_interval`.
    level : float, optional
        Confidence level.
    lang : {"fr", "en"}, optional
        Language of the decimal mark.

    Returns
    -------
    str
        Such as ``22.5 % (22.0-23.0)``; a dash when nobody was looked at.

    Examples
    --------
    >>> format_percent(6022, 26767)
    '22.5 % (22.0-23.0)'
    """
    if not of:
        return "–"
    interval = proportion_interval(count, of, method=method, level=level)
    middle, low, high = (
        format_number(100 * float(value), digits, lang=lang)
        for value in (interval.estimate, interval.low, interval.high)
    )
    return f"{middle} % ({low}-{high})"
