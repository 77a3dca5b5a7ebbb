"""Classes of a map: breaks, colours that the colour-blind tell apart, labels."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from epi.errors import ParameterError

Scale = Literal["sequential", "ratio", "difference"]
SCALES = ("sequential", "ratio", "difference")
SCHEMES = ("quantiles", "equal", "natural")

ZERO = "#ffffff"
_LOW = ("#d1e5f0", "#92c5de", "#4393c3", "#2166ac", "#053061")
_HIGH = ("#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f")
_MIDDLE = "#f5f1e6"
_PICK = {0: (), 1: (2,), 2: (1, 3), 3: (0, 2, 3), 4: (0, 1, 2, 3), 5: (0, 1, 2, 3, 4)}
_SEQUENCE = {
    1: ("#2c7fb8",),
    2: ("#c7e9b4", "#225ea8"),
    3: ("#edf8b1", "#7fcdbb", "#225ea8"),
    4: ("#edf8b1", "#a1dab4", "#41b6c4", "#225ea8"),
    5: ("#f7fcb9", "#c7e9b4", "#7fcdbb", "#2c7fb8", "#253494"),
    6: ("#f7fcb9", "#c7e9b4", "#7fcdbb", "#41b6c4", "#2c7fb8", "#253494"),
    7: ("#f7fcb9", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#0c2c84"),
    8: ("#ffffd9", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#0c2c84"),
}
# Symmetrical factors around the centre, from fields that hardly vary to fields that vary much.
_FACTORS = ((1.05, 1.1, 1.25), (1.1, 1.25, 1.5), (1.1, 1.5, 2.0), (1.25, 2.0, 4.0), (1.5, 4.0, 10.0))


@dataclass(frozen=True)
class Classes:
    """How values become colours.

    Parameters
    ----------
    breaks : tuple of float
        Upper limits of all classes but the last, each limit inside its class.
    colours : tuple of str
        One for each class, from low to high.
    labels : tuple of str
        One for each class.
    zero : bool
        Whether the first class holds zeros alone.
    """

    breaks: tuple[float, ...]
    colours: tuple[str, ...]
    labels: tuple[str, ...]
    zero: bool = False

    def assign(self, values: np.ndarray) -> np.ndarray:
        """Give the class of each value.

        Parameters
        ----------
        values : numpy.ndarray
            Numbers, NaN where missing.

        Returns
        -------
        numpy.ndarray
            Positions among the classes; -1 where missing.
        """
        place = np.searchsorted(np.array(self.breaks), values, side="left")
        if self.zero:
            place = np.where(values == 0, 0, place + 1)
        return np.where(np.isnan(values), -1, place)


def write_number(value: float, lang: str, decimals: int) -> str:
    """Write a number for a legend.

    Parameters
    ----------
    value : float
        The number.
    lang : {"en", "fr"}
        The language of its marks.
    decimals : int
        Digits after the mark.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> write_number(1234.5, "en", 1), write_number(1234.5, "fr", 1)
    ('1,234.5', '1\u202f234,5')
    """
    text = f"{value:,.{decimals}f}".replace("-", "−")
    return text.replace(",", "\u202f").replace(".", ",") if lang == "fr" else text


def _decimals(breaks: tuple[float, ...]) -> int:
    for decimals in range(7):
        if all(abs(round(value, decimals) - value) < 1e-9 * max(1, abs(value)) for value in breaks):
            return decimals
    return 6


def _labels(breaks: tuple[float, ...], lang: str) -> tuple[str, ...]:
    if not breaks:
        return ({"fr": "toutes les valeurs", "en": "all values"}[lang],)
    texts = [write_number(value, lang, _decimals(breaks)) for value in breaks]
    middle = [f"{low} – {high}" for low, high in itertools.pairwise(texts)]
    return (f"≤ {texts[0]}", *middle, f"> {texts[-1]}")


def _round(values: np.ndarray, digits: int = 2) -> list[float]:
    """Round to significant digits, more of them where two breaks would fall together."""
    for more in range(digits, 7):
        rounded = [float(f"{value:.{more}g}") for value in values]
        if len(set(rounded)) == len(set(values.tolist())):
            return sorted(set(rounded))
    return sorted(set(values.tolist()))


def _breaks(values: np.ndarray, scheme: str, k: int) -> list[float]:
    distinct = np.unique(values)
    if len(distinct) <= 1:
        return []
    k = min(k, len(distinct))
    if scheme == "equal":
        cuts = np.linspace(distinct[0], distinct[-1], k + 1)[1:-1]
    elif scheme == "natural":
        cuts = _natural(values, k)
    else:
        cuts = np.quantile(values, np.linspace(0, 1, k + 1)[1:-1], method="inverted_cdf")
    return [cut for cut in _round(np.unique(cuts)) if cut < distinct[-1]]


def _natural(values: np.ndarray, k: int) -> np.ndarray:
    """Cut where the squares within classes add up to least (Fisher 1958), by dynamic programming."""
    ordered = np.sort(values)
    n = len(ordered)
    total = np.r_[0.0, np.cumsum(ordered)]
    squares = np.r_[0.0, np.cumsum(ordered**2)]

    def within(start: np.ndarray, end: int) -> np.ndarray:
        return squares[end] - squares[start] - (total[end] - total[start]) ** 2 / (end - start)

    best = np.array([np.inf, *(within(np.array([0]), end)[0] for end in range(1, n + 1))])
    origin = np.zeros((k, n + 1), dtype=int)
    for number in range(1, k):
        following = np.full(n + 1, np.inf)
        for end in range(number + 1, n + 1):
            starts = np.arange(number, end)
            costs = best[starts] + within(starts, end)
            place = int(np.argmin(costs))
            following[end], origin[number, end] = costs[place], starts[place]
        best = following
    cuts, end = [], n
    for number in range(k - 1, 0, -1):
        end = origin[number, end]
        cuts.append(ordered[end - 1])
    return np.array(cuts[::-1])


def build_classes(
    values: pd.Series | np.ndarray,
    *,
    scale: str = "sequential",
    bins: tuple[float, ...] | list[float] | None = None,
    k: int = 5,
    scheme: str = "quantiles",
    center: float | None = None,
    lang: str = "en",
) -> Classes:
    """Cut values into classes.

    Parameters
    ----------
    values : array-like of float
        The values to show; missing ones are left aside.
    scale : {"sequential", "ratio", "difference"}, optional
        From little to much; around 1 on a scale of factors; around 0.
    bins : sequence of float, optional
        The breaks, increasing; chosen from the values by default.
    k : int, optional
        Number of classes of a sequential scale, 2 to 8.
    scheme : {"quantiles", "equal", "natural"}, optional
        How breaks of a sequential scale are chosen.
    center : float, optional
        The neutral value of a ratio (default 1) or a difference (default 0).
    lang : {"en", "fr"}, optional
        Language of the labels.

    Returns
    -------
    Classes
        Breaks, colours and labels. Zeros of a sequential scale have their own class, in white.

    Raises
    ------
    ParameterError
        If an option is out of bounds, or values do not suit the scale.

    Examples
    --------
    >>> build_classes([0.6, 0.9, 1.0, 1.2, 1.8], scale="ratio").breaks
    (0.5, 0.67, 0.91, 1.1, 1.5, 2.0)
    >>> build_classes([0, 0, 3, 8], k=2).labels
    ('0', '≤ 3', '> 3')
    """
    numbers = np.asarray(values, dtype="float64")
    numbers = numbers[np.isfinite(numbers)]
    _check(numbers, scale, bins, k, scheme, center)
    if scale == "sequential":
        zero = bool((numbers == 0).any() and (numbers >= 0).all())
        shown = numbers[numbers != 0] if zero else numbers
        cuts = tuple(float(cut) for cut in bins) if bins is not None else tuple(_breaks(shown, scheme, k))
        if zero and cuts and cuts[0] == 0:
            cuts = cuts[1:]
        colours, labels = _SEQUENCE[len(cuts) + 1], _labels(cuts, lang)
        if zero and not cuts:
            labels = ("> 0",)
        if zero and not len(shown):
            return Classes((), (ZERO, colours[0]), ("0", "> 0"), zero=True)
        return Classes(cuts, (ZERO, *colours) if zero else colours, ("0", *labels) if zero else labels, zero)
    middle = (1.0 if scale == "ratio" else 0.0) if center is None else float(center)
    cuts = tuple(float(cut) for cut in bins) if bins is not None else _around(numbers, scale, middle)
    low = sum(cut < middle for cut in cuts)
    high = sum(cut > middle for cut in cuts)
    neutral = (_MIDDLE,) if middle not in cuts else ()
    if not neutral:
        # A break on the neutral value: one more class on each side, none astride it.
        low, high = low + 1, high + 1
    colours = (
        *(_LOW[i] for i in reversed(_PICK[low])),
        *neutral,
        *(_HIGH[i] for i in _PICK[high]),
    )
    return Classes(cuts, colours, _labels(cuts, lang))


def _around(values: np.ndarray, scale: str, middle: float) -> tuple[float, ...]:
    if scale == "ratio":
        ratios = values[values > 0] / middle
        spread = float(np.exp(np.quantile(np.abs(np.log(ratios)), 0.9))) if len(ratios) else 1.0
        factors = next((f for f in _FACTORS if spread <= f[2]), _FACTORS[-1])
        sides = [*(1 / factor for factor in reversed(factors)), *factors]
        return tuple(round(side, 2) * middle for side in sides)
    reach = float(np.quantile(np.abs(values - middle), 0.9)) if len(values) else 1.0
    step = float(f"{(reach or 1.0) / 2.5:.1g}")
    return tuple(round(middle + step * side, 10) for side in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5))


def _check(
    values: np.ndarray,
    scale: str,
    bins: tuple[float, ...] | list[float] | None,
    k: int,
    scheme: str,
    center: float | None,
) -> None:
    faults = []
    if scale not in SCALES:
        faults.append(f"scale is {scale!r}; it is one of {', '.join(SCALES)}")
    if scheme not in SCHEMES:
        faults.append(f"scheme is {scheme!r}; it is one of {', '.join(SCHEMES)}")
    if isinstance(k, bool) or not isinstance(k, int) or not 2 <= k <= 8:
        faults.append(f"k is {k!r}; it is a whole number from 2 to 8")
    if scheme == "natural" and len(values) > 4000:
        faults.append(f"natural breaks of {len(values):,} values would take minutes; use quantiles")
    if scale == "ratio" and (values < 0).any():
        faults.append(f"{int((values < 0).sum()):,} values of a ratio are negative")
    if scale == "ratio" and center is not None and center <= 0:
        faults.append(f"the center of a ratio is {center}; it is above 0")
    if bins is not None:
        cuts = [float(cut) for cut in bins]
        middle = center if center is not None else {"ratio": 1.0, "difference": 0.0}.get(scale)
        if any(b <= a for a, b in itertools.pairwise(cuts)) or not np.isfinite(cuts).all():
            faults.append("bins are not increasing numbers")
        if not 1 <= len(cuts) <= 7:
            faults.append(f"there are {len(cuts)} bins; 1 to 7 breaks make 2 to 8 classes")
        elif middle is not None:
            sides = [sum(c < middle for c in cuts), sum(c > middle for c in cuts)]
            if max(sides) + (middle in cuts) > 5:
                faults.append("more than 5 classes on one side of the center cannot be told apart")
    if faults:
        raise ParameterError("the classes of the map cannot be made", do="see build_classes", faults=faults)
