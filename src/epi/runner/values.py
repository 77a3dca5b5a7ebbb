"""Two values side by side: the same within a tolerance, or how far apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

RATIOS = ("OR", "RR", "HR", "SHR", "EHR", "SIR", "IRR")
"""Units whose null is 1 and whose interval is symmetric in logarithms."""

_PERSONS = {"", "persons", "person", "patients", "patient", "cases", "case", "new cases", "deaths", "death"}


@dataclass(frozen=True)
class Tolerance:
    """How far apart two numbers may be and still be called the same.

    Parameters
    ----------
    relative : float, optional
        Share of the larger of the two.
    absolute : float, optional
        In the number's own unit.
    """

    relative: float = 1e-9
    absolute: float = 1e-12

    def same(self, before: Any, after: Any) -> bool:
        """Say whether two values are the same.

        Parameters
        ----------
        before, after : object
            Numbers, texts, booleans or None.

        Returns
        -------
        bool
            A number is never the same as a text or as nothing; 1 and 1.0 are the same, 0 and -0 too.

        Examples
        --------
        >>> Tolerance(1e-3).same(100, 100.05), Tolerance(1e-3).same(100, 100.5), Tolerance().same(None, 0)
        (True, False, False)
        """
        if not (_is_number(before) and _is_number(after)):
            return type(before) is type(after) and bool(before == after)
        if before == after or (math.isnan(before) and math.isnan(after)):
            return True
        if not (math.isfinite(before) and math.isfinite(after)):
            return False
        room = self.absolute + self.relative * max(abs(before), abs(after))
        return bool(abs(before - after) <= room)


@dataclass(frozen=True)
class ValueChange:
    """One value in two runs.

    Parameters
    ----------
    name : str
        A result, or a table.
    where : str
        Its stratum, or its row and column.
    before, after : object
        Numbers, texts, or None; a hidden value is the gate's mark.
    limits_before, limits_after : tuple or None, optional
        Intervals, where there are any.
    status : {"same", "changed", "new", "gone"}, optional
        What became of it.
    counts_persons : bool, optional
        Whether it may count persons.
    """

    name: str
    where: str
    before: Any
    after: Any
    limits_before: tuple[float | None, float | None] | None = None
    limits_after: tuple[float | None, float | None] | None = None
    status: str = "changed"
    counts_persons: bool = False

    @property
    def difference(self) -> float | None:
        """After less before; None unless both are numbers."""
        if _is_number(self.before) and _is_number(self.after):
            return float(self.after - self.before)
        return None

    @property
    def relative(self) -> float | None:
        """The difference as a share of the value before; None where that is 0 or no number."""
        gap = self.difference
        return gap / abs(self.before) if gap is not None and self.before else None

    @property
    def in_half_widths(self) -> float | None:
        """The difference in half-widths of the interval before: how large it is for its uncertainty."""
        gap, limits = self.difference, self.limits_before
        if gap is None or limits is None or limits[0] is None or limits[1] is None or limits[1] <= limits[0]:
            return None
        return gap / ((limits[1] - limits[0]) / 2)

    @property
    def overlap(self) -> bool | None:
        """Whether the two intervals have a value in common; None where one is missing."""
        ends = [*(self.limits_before or (None,)), *(self.limits_after or (None,))]
        if len(ends) < 4 or any(end is None for end in ends):
            return None
        low, high, low_after, high_after = (float(end) for end in ends if end is not None)
        return low <= high_after and low_after <= high

    def is_small(self, min_count: int) -> bool:
        """Say whether the two counts, published both, would tell of a few persons.

        Parameters
        ----------
        min_count : int
            The smallest number of persons that may be told.

        Returns
        -------
        bool
            True when they differ by 1 to ``min_count - 1``.
        """
        gap = self.difference
        return self.counts_persons and gap is not None and 0 < abs(gap) < min_count


def counts_persons(value: Any, unit: str | None) -> bool:
    """Say whether a result counts persons, as far as its unit tells.

    Parameters
    ----------
    value : object
        Its value.
    unit : str or None
        Its unit.

    Returns
    -------
    bool
        True for a whole number without a unit, or whose unit is persons.

    Examples
    --------
    >>> counts_persons(120, "persons"), counts_persons(1.8, "SIR"), counts_persons(3, "clusters")
    (True, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and str(unit or "").lower() in _PERSONS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
