"""What methods return and what the disclosure gate needs to know of it.

A method returns a frozen object with a tidy ``table`` and its ``settings``. To leave the
workbench it says how it may be published, as a :class:`Release`: the table, and which of its
columns count persons. The gate (:mod:`epi.disclosure`) works on nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pandas as pd

LEVELS = ("public", "restricted", "internal")
"""Who may read an output: anyone; the study's scientific committee; the analysts only."""


@dataclass(frozen=True)
class Counted:
    """A column that counts persons, and what else falls when one of its cells is hidden.

    Parameters
    ----------
    column : str
        The column of counts.
    of : str, optional
        The column of denominators: ``of - column`` counts persons too, and is protected.
    adds_up_within : tuple of str, optional
        Columns whose groups of rows add up to a figure that is known or published elsewhere:
        a single hidden cell of a group could be found by subtraction, so a second one falls.
        ``()`` is the whole table; ``None`` means that no total is known.
    derived : tuple of str, optional
        Columns computed from this count (percentage, rate, interval): hidden with it.
    nested : bool, optional
        Successive rows are included in each other (an attrition): the differences between
        rows count persons too.
    """

    column: str
    of: str | None = None
    adds_up_within: tuple[str, ...] | None = None
    derived: tuple[str, ...] = ()
    nested: bool = False


@dataclass(frozen=True)
class Release:
    """A table as it would be published, with what the gate must know of it.

    Parameters
    ----------
    table : pandas.DataFrame
        Tidy, one row for each statistic.
    counts : tuple of Counted
        Its columns that count persons. An undeclared column of integers is refused.
    title : str
        One line, printed above the table or figure.
    note : str, optional
        Denominators, method, source; printed below.
    not_counts : tuple of str, optional
        Integer columns that count no persons (a year, an age, a number of tests).
    labels : mapping, optional
        Column name to printed heading.
    """

    table: pd.DataFrame
    counts: tuple[Counted, ...] = ()
    title: str = ""
    note: str = ""
    not_counts: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Releasable(Protocol):
    """Anything that can be handed to ``epi.output``."""

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table and its counts.
        """
        ...


@dataclass(frozen=True)
class Estimate:
    """One row of a run's results.

    Parameters
    ----------
    name : str
        What is estimated, stable from run to run.
    estimate : float or int or str or None
        The value; None when it was hidden by the gate.
    ci_low, ci_high : float, optional
        Limits of the interval.
    unit : str, optional
        Unit of the estimate.
    n : int, optional
        Number of persons it rests on.
    stratum : mapping, optional
        Stratum columns and their values.
    settings : mapping, optional
        What determined the estimate (level, adjustment, version).
    """

    name: str
    estimate: float | int | str | None
    ci_low: float | None = None
    ci_high: float | None = None
    unit: str = ""
    n: int | None = None
    stratum: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
