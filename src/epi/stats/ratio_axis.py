"""Axes of ratios: where they end, and which round ratios are marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def axis_limits(shown: pd.DataFrame) -> tuple[float, float]:
    """Bound the axis by what matters: every estimate, and intervals up to a fair width.

    Parameters
    ----------
    shown : pandas.DataFrame
        `estimate`, `ci_low` and `ci_high`.

    Returns
    -------
    tuple of float
        Ends of the axis.
    """
    known = shown.dropna(subset="estimate")
    if known.empty:
        return 0.5, 2.0
    low, high = known["ci_low"].min(), known["ci_high"].max()
    span = max(np.log(known["estimate"].max()), -np.log(known["estimate"].min()), np.log(1.05))
    low = max(low, np.exp(-max(4 * span, np.log(1.6))))
    high = min(high, np.exp(max(4 * span, np.log(1.6))))
    # Three tenths of the axis at least on either side of 1, so that its two heads have room.
    low, high = min(low, 0.97, high ** (-3 / 7)), max(high, 1.03, low ** (-3 / 7))
    pad = 0.06 * np.log(high / low)
    return float(low * np.exp(-pad)), float(high * np.exp(pad))


def log_ticks(low: float, high: float) -> list[float]:
    """Choose round ratios for a logarithmic axis.

    Parameters
    ----------
    low, high : float
        Ends of the axis.

    Returns
    -------
    list of float
        Round ticks, 1 among them.

    Examples
    --------
    >>> log_ticks(0.4, 2.2)
    [0.5, 0.75, 1.0, 1.5, 2.0]
    >>> log_ticks(0.35, 1.45)
    [0.4, 0.5, 0.7, 1.0, 1.4]
    """
    width = np.log(high / low)
    best: list[float] = []
    farthest = -1.0
    for steps in (
        (0.94, 0.96, 0.98, 1, 1.02, 1.04, 1.06),
        (0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15),
        (0.7, 0.8, 0.9, 1, 1.2, 1.4),
        (0.25, 0.5, 0.75, 1, 1.5, 2, 3),
        (0.4, 0.5, 0.7, 1, 1.4, 2, 2.5),
        (0.1, 0.2, 0.5, 1, 2, 5, 10),
        (0.001, 0.01, 0.1, 1, 10, 100, 1000),
    ):
        inside = [float(step) for step in steps if low <= step <= high]
        # Ticks must reach over most of the axis: three of them close together say little of the rest.
        if len(inside) >= 3 and np.log(inside[-1] / inside[0]) >= 0.55 * width:
            # More than five would touch each other under a narrow axis: every second one, 1 kept.
            return inside if len(inside) <= 5 else inside[inside.index(1.0) % 2 :: 2]
        # Else those that reach farthest; of equals the fewer, which do not touch.
        reach = np.log(inside[-1] / inside[0]) if inside else -1.0
        if reach > farthest or (reach == farthest and len(inside) < len(best)):
            best, farthest = inside, reach
    return best


def decimals(ticks: list[float]) -> int:
    """Count the decimals that ticks need.

    Parameters
    ----------
    ticks : list of float
        The ticks.

    Returns
    -------
    int
        The most any of them needs.

    Examples
    --------
    >>> decimals([0.75, 1, 1.5])
    2
    """
    return max(len(f"{tick:g}".partition(".")[2]) for tick in ticks)
