"""Hide small counts, what is computed from them, and what would give them away.

**The rule of protection.** A reader knows what is printed, the totals that groups add up to, and
how the table is made (:mod:`epi.disclosure.cells`). For each count, complement or step of 1 to
``k - 1`` persons, at least ``k`` whole numbers must remain possible, one of them ``k`` or more: the
number is neither found nor known to be small. It must hold however the reader takes a row that is
the sum of others without saying so. The total of a declared group is taken to be known; one of 1
to ``k - 1`` persons is taken to be hidden wherever it stands, since everything printed passes
here, but not if the other totals give it away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from epi.disclosure.bounds import Bounds, sensitive_cells, split_components
from epi.disclosure.cells import Cells, build_readings, fallen_columns
from epi.disclosure.columns import (
    count_columns,
    derived_columns,
    has_word,
    is_statistic,
    is_text,
    quantile_level,
)
from epi.disclosure.findings import Finding
from epi.disclosure.nesting import merge_steps
from epi.disclosure.partners import Protection
from epi.disclosure.policy import Policy
from epi.results import Release


@dataclass(frozen=True)
class Suppressed:
    """A table as it may be printed.

    Parameters
    ----------
    release : Release
        What was declared, small steps merged, nothing hidden yet.
    table : pandas.DataFrame
        The table with hidden cells missing.
    hidden : pandas.DataFrame
        True where a cell was hidden, same shape.
    findings : tuple of Finding
        What was done and why.
    """

    release: Release
    table: pd.DataFrame
    hidden: pd.DataFrame
    findings: tuple[Finding, ...]

    @property
    def n_hidden(self) -> int:
        """Number of cells hidden."""
        return int(self.hidden.to_numpy().sum())


def suppress(release: Release, policy: Policy) -> Suppressed:
    """Hide what must not be printed.

    Parameters
    ----------
    release : Release
        A declared table.
    policy : Policy
        The rules.

    Returns
    -------
    Suppressed
        The table with hidden cells missing, and what was done.

    Examples
    --------
    >>> import pandas as pd
    >>> from epi.disclosure.policy import read_policy
    >>> from epi.results import Counted, Release
    >>> table = pd.DataFrame({"sex": ["F", "M", "unknown"], "n": [120, 40, 3]})
    >>> suppress(Release(table, (Counted("n", adds_up_within=()),)), read_policy()).table
           sex      n
    0        F  120.0
    1        M    NaN
    2  unknown    NaN
    """
    release, findings = merge_steps(release, policy)
    readings = build_readings(release, policy)
    cells = readings[0]
    flags = [_flag_structures(reading, policy) for reading in readings]
    findings += flags[0]
    small = set().union(*(_primary(reading, policy) for reading in readings))
    if cells.structural:
        findings.append(
            Finding("structural", "hidden", _columns(cells, cells.structural), "a whole group is in one category")
        )
    hidden = set(small)
    unresolved = _protect(release, readings, hidden, policy)
    release = replace(release, table=release.table.reset_index(drop=True))
    mask = pd.DataFrame(False, index=release.table.index, columns=release.table.columns)
    _mask_counts(release, cells, hidden, mask)
    if small:
        findings.append(
            Finding(
                "small_count",
                "hidden",
                _columns(cells, small),
                f"{len(small)} count(s) of 1 to {policy.min_count - 1} persons, or whose complement is",
            )
        )
    if hidden - small:
        findings.append(
            Finding(
                "partner",
                "hidden",
                _columns(cells, hidden - small),
                f"{len(hidden - small)} other count(s), from which a hidden one could be found by subtraction",
            )
        )
    if unresolved:
        findings.append(
            Finding(
                "unprotected",
                "refused",
                _columns(cells, unresolved),
                f"{len(unresolved)} small count(s) can be found from totals known elsewhere: merge categories",
            )
        )
    findings += _mask_quantiles(release, mask, policy)
    table = _round_percentages(_blank(release.table, mask), release, policy)
    return Suppressed(release, table, mask, tuple(findings))


def _flag_structures(cells: Cells, policy: Policy) -> list[Finding]:
    """Keep as structural what the policy hides; flag the rest."""
    findings = []
    if cells.structural and policy.structural_partition == "flag":
        findings.append(
            Finding("structural", "warning", _columns(cells, cells.structural), "a whole group is in one category")
        )
        cells.structural.clear()
    if cells.shares and policy.structural_share == "flag":
        findings.append(
            Finding(
                "whole_share",
                "warning",
                _columns(cells, cells.shares),
                f"{len(cells.shares)} share(s) are 100 %: read that it is no sensitive trait of the group",
            )
        )
    elif cells.shares:
        cells.structural.update(cells.shares)
    return findings


def _primary(cells: Cells, policy: Policy) -> set[int]:
    """List printed cells that are small, whose complement is small, or that are structural."""
    small = {
        cell
        for cell in range(len(cells.counts))
        if cells.is_printed(cell) and (policy.is_small(cells.counts[cell]) or cell in cells.structural)
    }
    for equation in cells.equations:
        if equation.kind != "complement":
            continue
        (count, _), (rest, _), (whole, _) = equation.terms
        # Zero of a small, hence hidden, denominator stays: its complement is as unknown as that one.
        if policy.is_small(cells.counts[rest]) and not (cells.counts[count] == 0 and whole in small):
            small.add(count)
    return small


def _protect(release: Release, readings: list[Cells], hidden: set[int], policy: Policy) -> list[int]:
    """Hide partners, and counts declared as derived from a hidden one, until nothing changes in any reading."""
    components = [(cells, component) for cells in readings for component in split_components(cells)]
    while True:
        before = len(hidden)
        unresolved: set[int] = set()  # what one reading could not protect, another may have
        for cells, component in components:
            state = Protection(cells, component, policy.min_count, hidden)
            if hidden.intersection(component.members) or sensitive_cells(cells, component.members, policy.min_count):
                state.run()
                unresolved.update(state.unresolved)
        _fall_counts(release, readings[0], hidden)
        if len(hidden) == before:
            return sorted(unresolved, key=readings[0].order)


def _fall_counts(release: Release, cells: Cells, hidden: set[int]) -> None:
    """Hide the counts declared as derived from a hidden one."""
    counts = set(count_columns(release))
    falls = {counted.column: {name for name in counted.derived if name in counts} for counted in release.counts}
    if not any(falls.values()):
        return
    index = {place: cell for cell, places in enumerate(cells.places) for place in places}
    for cell in list(hidden):
        for column, row in cells.places[cell]:
            for name in falls.get(column, ()):
                if (name, row) in index and cells.counts[index[name, row]] > 0:
                    hidden.add(index[name, row])


def _columns(cells: Cells, chosen: Iterable[int]) -> str:
    return ", ".join(sorted({column for cell in chosen for column, _ in cells.places[cell]})) or "implied counts"


def _mask_counts(release: Release, cells: Cells, hidden: set[int], mask: pd.DataFrame) -> None:
    falls = fallen_columns(release)
    for cell in hidden:
        for column, row in cells.places[cell]:
            for name in (column, *falls.get(column, ())):
                mask.loc[mask.index[row], name] = bool(pd.notna(release.table[name].iloc[row]))


def _mask_quantiles(release: Release, mask: pd.DataFrame, policy: Policy) -> list[Finding]:
    """Hide quantiles without enough persons on each side of them."""
    hidden: dict[str, int] = {}
    for counted in release.counts:
        counts = release.table[counted.column].to_numpy(float, na_value=np.nan)
        for column in counted.derived:
            level = quantile_level(column, policy)
            if level is None:
                continue
            few = (counts * min(level, 1 - level) < policy.min_count - 1e-9) & (counts > 0)
            new = few & release.table[column].notna().to_numpy() & ~mask[column].to_numpy()
            mask.loc[new, column] = True
            hidden[column] = hidden.get(column, 0) + int(new.sum())
    return [
        Finding(
            "quantile", "hidden", column, f"{cells} quantile(s) with fewer than {policy.min_count} persons on a side"
        )
        for column, cells in hidden.items()
        if cells
    ]


def _blank(table: pd.DataFrame, mask: pd.DataFrame) -> pd.DataFrame:
    """Make hidden cells missing; a column with none keeps its type."""
    blanked = {}
    for column in table.columns:
        hide = mask[column].to_numpy()
        if not hide.any():
            blanked[column] = table[column].copy()
        elif is_text(table[column]):
            blanked[column] = table[column].astype(object).where(~hide, None)
        else:
            blanked[column] = pd.Series(
                np.where(hide, np.nan, table[column].to_numpy(float, na_value=np.nan)), index=table.index
            )
    return pd.DataFrame(blanked, columns=table.columns)


def _round_percentages(table: pd.DataFrame, release: Release, policy: Policy) -> pd.DataFrame:
    """Round percentages of persons: many decimals give numerator and denominator away."""
    for column in derived_columns(release):
        if has_word(column, policy.percent_columns) and not is_text(table[column]):
            table[column] = table[column].round(policy.percent_decimals)
    return table


def audit(release: Release, suppressed: pd.DataFrame, policy: Policy) -> list[Finding]:
    """Attack a printed table as a reader would, and say what can be found.

    Parameters
    ----------
    release : Release
        What was declared.
    suppressed : pandas.DataFrame
        The table as it would be printed: hidden cells missing, small steps merged.
    policy : Policy
        The rules.

    Returns
    -------
    list of Finding
        Refusals, empty when the table is safe.
    """
    release, _ = merge_steps(release, policy)
    if suppressed.shape != release.table.shape:
        return [Finding("shape", "refused", "table", "the printed table has other rows than the declared one")]
    readings = build_readings(release, policy)
    for reading in readings:
        _flag_structures(reading, policy)
    cells = readings[0]
    hidden = {
        cell
        for cell, places in enumerate(cells.places)
        if places and all(pd.isna(suppressed[column].iloc[row]) for column, row in places)
    }
    findings = []
    printed = set().union(*(_primary(reading, policy) for reading in readings)) - hidden
    if printed:
        findings.append(
            Finding("small_count", "refused", _columns(cells, printed), f"{len(printed)} small count(s) printed")
        )
    left = [
        name
        for cell in hidden
        for column, row in cells.places[cell]
        for name in fallen_columns(release).get(column, ())
        if pd.notna(suppressed[name].iloc[row])
    ]
    if left:
        findings.append(
            Finding(
                "derived", "refused", ", ".join(sorted(set(left))), f"{len(left)} figure(s) of hidden counts printed"
            )
        )
    found = {cell for reading in readings for cell in _find_open(reading, hidden, policy)}
    if found:
        findings.append(
            Finding("unprotected", "refused", _columns(cells, found), f"{len(found)} hidden count(s) can be found")
        )
    return findings


def _find_open(cells: Cells, hidden: set[int], policy: Policy) -> list[int]:
    """List the sensitive cells that a reader can work out, in one reading of the table."""
    found = []
    for component in split_components(cells):
        targets = sensitive_cells(cells, component.members, policy.min_count)
        if targets:
            bounds = Bounds(cells, component, hidden)
            bounds.explore(targets, policy.min_count)
            found += [cell for cell in targets if not bounds.is_safe(cell, policy.min_count)]
    return found


def unexplained_columns(release: Release, policy: Policy) -> list[str]:
    """List the figures that stay printed beside hidden counts without being declared derived.

    Parameters
    ----------
    release : Release
        A declared table.
    policy : Policy
        The rules.

    Returns
    -------
    list of str
        Columns of numbers that are neither counts, derived nor ``not_counts``.
    """
    known = {*count_columns(release), *derived_columns(release), *release.not_counts}
    return [
        column
        for column in release.table.columns
        if column not in known and not is_text(release.table[column]) and is_statistic(column, policy)
    ]
