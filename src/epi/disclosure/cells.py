"""The counts of a table as unknowns, and every equation a reader may write between them.

A reader knows what is printed, the totals printed elsewhere, and how the table is made: groups
that add up, a total row, columns that add up, ``count + complement = denominator``, successive
steps of an attrition. This module states it all; :mod:`epi.disclosure.bounds` solves it.

**Totals.** The total of a declared group is known when it would be printed: zero, or the minimal
count and more. A row that is the sum of the others may be the total of its group, or one more
category that happens to be so. Its label says which; without such a label both readings stand,
and the table must be safe in each: an equation that does not hold for the reader makes the audit
believe in tables that the reader rules out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from epi.disclosure.columns import count_columns, derived_columns, label_columns, row_keys
from epi.disclosure.nesting import difference_columns, group_rows, nested_sequences
from epi.disclosure.policy import Policy
from epi.results import Counted, Release

ADDITIVE = frozenset({"sum", "rows", "columns"})
TOTAL_WORDS = frozenset({"all", "total", "overall", "both", "both sexes", "ensemble", "tous", "toutes"})
_MAX_TERMS = 5
_MAX_COLUMNS = 12


@dataclass(frozen=True)
class Equation:
    """``sum(coefficient * cell) == total``, known to the reader.

    Parameters
    ----------
    kind : {"sum", "rows", "columns", "complement", "step", "known"}
        Where it comes from; ``known`` is a total row that is published elsewhere.
    terms : tuple of (int, int)
        Cells and coefficients.
    total : int
        The right-hand side.
    """

    kind: str
    terms: tuple[tuple[int, int], ...]
    total: int


@dataclass
class Cells:
    """Numbers of persons, printed or implied, and the equations between them.

    Parameters
    ----------
    counts : list of int
        True values.
    places : list of list of (str, int)
        Column and row where each is printed; empty when it is only implied.
    keys : list of tuple
        A name for each that does not depend on the row order.
    equations : list of Equation
        What a reader knows.
    fixed : set of int
        Cells that are known elsewhere: hiding them is useless.
    structural : set of int
        Cells that tell that a whole group is in one category.
    shares : list of int
        Cells equal to their denominator.
    doubtful : set of tuple of str
        Groupings where a row without a total's label is the sum of the others, and was taken as
        one more category.
    """

    counts: list[int] = field(default_factory=list)
    places: list[list[tuple[str, int]]] = field(default_factory=list)
    keys: list[tuple[str, ...]] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)
    fixed: set[int] = field(default_factory=set)
    structural: set[int] = field(default_factory=set)
    shares: list[int] = field(default_factory=list)
    doubtful: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, value: int, key: tuple[str, ...], place: tuple[str, int] | None = None) -> int:
        """Add a number.

        Parameters
        ----------
        value : int
            Its true value.
        key : tuple of str
            Its name.
        place : tuple of (str, int), optional
            Where it is printed.

        Returns
        -------
        int
            Its index.
        """
        self.counts.append(value)
        self.keys.append(key)
        self.places.append([place] if place else [])
        return len(self.counts) - 1

    def is_printed(self, cell: int) -> bool:
        """Say whether a number stands in the table.

        Parameters
        ----------
        cell : int
            Its index.

        Returns
        -------
        bool
            False when it is only implied, as a complement is.
        """
        return bool(self.places[cell])

    def order(self, cell: int) -> tuple[int, tuple[str, ...]]:
        """Give the order in which cells are taken as partners: the smallest first.

        Parameters
        ----------
        cell : int
            Its index.

        Returns
        -------
        tuple
            A sort key that does not depend on the row order.
        """
        return self.counts[cell], self.keys[cell]


def build_readings(release: Release, policy: Policy) -> list[Cells]:
    """State the counts of a table under each reading of its rows that may be totals.

    Parameters
    ----------
    release : Release
        A declared table, its small steps merged.
    policy : Policy
        The rules.

    Returns
    -------
    list of Cells
        The same numbers each time. First only labelled totals are totals; then the rows that
        are sums of others too, in one grouping at a time, and in all.
    """
    first = build_cells(release, policy)
    doubtful = sorted(first.doubtful)
    choices = [frozenset({within}) for within in doubtful]
    if len(doubtful) > 1:
        choices.append(frozenset(doubtful))
    return [first, *(build_cells(release, policy, choice) for choice in choices)]


def build_cells(release: Release, policy: Policy, unnamed: frozenset[tuple[str, ...]] = frozenset()) -> Cells:
    """State the counts of a table and what ties them.

    Parameters
    ----------
    release : Release
        A declared table, its small steps merged.
    policy : Policy
        The rules.
    unnamed : frozenset of tuple of str, optional
        Groupings where the sum of the other rows is their total, whatever its label.

    Returns
    -------
    Cells
        Numbers and equations.
    """
    cells = Cells()
    index = _print_cells(release, cells)
    keys = row_keys(release)
    for counted in release.counts:
        if not counted.nested:
            for group in _additive_groups(release, counted):
                members = [index[counted.column, row] for row in group.rows if (counted.column, row) in index]
                if len(members) > 1 and len(set(members)) == len(members):
                    _tie_group(cells, members, group, group.within in unnamed, policy)
        if counted.of is not None:
            _tie_complements(cells, index, counted.column, counted.of, keys, len(release.table))
    _tie_steps(release, cells, index, keys)
    _tie_columns(release, cells, index)
    cells.equations = list(dict.fromkeys(cells.equations))
    if set(label_columns(release)) & set(policy.not_traits):
        cells.structural.clear()
    return cells


def _print_cells(release: Release, cells: Cells) -> dict[tuple[str, int], int]:
    """Give a number to each printed count; a denominator repeated down a column is one number."""
    keys = row_keys(release)
    additive = {counted.column for counted in release.counts if counted.adds_up_within is not None}
    repeated = {counted.of for counted in release.counts if counted.of is not None} - additive
    index: dict[tuple[str, int], int] = {}
    for column in count_columns(release):
        shared: dict[int, int] = {}
        numbers = release.table[column].to_numpy(float, na_value=np.nan)
        for row, number in enumerate(numbers):
            if np.isnan(number):
                continue
            value = int(number)
            if column in repeated and value in shared:
                cell = shared[value]
                cells.places[cell].append((column, row))
            else:
                key = (column, str(value)) if column in repeated else (column, *keys[row])
                cell = cells.add(value, key, (column, row))
                shared[value] = cell
            index[column, row] = cell
    return index


@dataclass(frozen=True)
class _Group:
    """Rows to tie, the columns they have in common, and whether their total is known outside the table."""

    rows: list[int]
    within: tuple[str, ...]
    known: bool


def _additive_groups(release: Release, counted: Counted) -> list[_Group]:
    table, within = release.table, counted.adds_up_within
    if within is not None:
        return [_Group(rows, within, True) for rows in group_rows(table, within)]
    choices: list[tuple[str, ...]] = [()]
    choices += [(column,) for column in label_columns(release) if table[column].nunique() < len(table)]
    groups: list[_Group] = []
    for choice in choices:
        parts = [rows for rows in group_rows(table, choice) if len(rows) > 1]
        known = bool(parts) and counted.of is not None and _fill_denominator(release, counted, parts)
        groups += [_Group(rows, choice, known) for rows in parts]
    return groups


def _fill_denominator(release: Release, counted: Counted, groups: list[list[int]]) -> bool:
    """Say whether the counts of each group add up to its one denominator: it is then their total."""
    counts = release.table[counted.column].to_numpy(float, na_value=np.nan)
    denominators = release.table[counted.of].to_numpy(float, na_value=np.nan)
    return all(
        len(set(denominators[rows])) == 1 and np.nansum(counts[rows]) == denominators[rows[0]] for rows in groups
    )


def _tie_group(cells: Cells, members: list[int], group: _Group, unnamed: bool, policy: Policy) -> None:
    total_row, named = _find_total(cells, members)
    if total_row is not None and not named and not unnamed:
        cells.doubtful.add(group.within)
        total_row = None
    parts = [cell for cell in members if cell != total_row]
    total = sum(cells.counts[cell] for cell in parts)
    # A small total is hidden wherever it stands; any other, zero included, is printed there.
    if group.known and not policy.is_small(total):
        cells.equations.append(Equation("sum", tuple((cell, 1) for cell in parts), total))
        if total == 0:
            cells.fixed.update(parts)
        if total_row is not None:
            cells.fixed.add(total_row)
            cells.equations.append(Equation("known", ((total_row, 1),), total))
    elif total_row is not None:
        cells.equations.append(Equation("rows", (*((cell, 1) for cell in parts), (total_row, -1)), 0))
    if not group.known and total_row is None:
        return
    if total >= policy.min_count and len(parts) > 1 and max(cells.counts[cell] for cell in parts) == total:
        cells.structural.update(parts)


def _find_total(cells: Cells, members: list[int]) -> tuple[int | None, bool]:
    """Find the row that equals the sum of the others, and say whether its label says so."""
    labels = list(zip(*(cells.keys[cell][1:] for cell in members), strict=True))
    own = [place for place, values in enumerate(labels) if len(set(values)) > 1]  # the others name the group

    def says_so(cell: int) -> bool:
        return any(cells.keys[cell][1 + place].strip().casefold() in TOTAL_WORDS for place in own)

    values = [cells.counts[cell] for cell in members]
    largest = max(members, key=lambda cell: (cells.counts[cell], says_so(cell), cells.keys[cell]))
    if cells.counts[largest] == 0 or 2 * cells.counts[largest] != sum(values):
        return None, False
    others = sum(value > 0 for value in values) - 1
    named = says_so(largest)
    return (largest if others >= 2 or named else None), named


def _tie_complements(
    cells: Cells,
    index: dict[tuple[str, int], int],
    column: str,
    of: str,
    keys: list[tuple[str, ...]],
    rows: int,
) -> None:
    for row in range(rows):
        if (column, row) not in index or (of, row) not in index:
            continue
        count, whole = index[column, row], index[of, row]
        if count == whole:
            continue
        rest = cells.counts[whole] - cells.counts[count]
        complement = cells.add(rest, (f"{of} - {column}", *keys[row]))
        cells.equations.append(Equation("complement", ((count, 1), (complement, 1), (whole, -1)), 0))
        if rest == 0 and cells.counts[count] > 0:
            cells.shares.append(count)


def _tie_steps(release: Release, cells: Cells, index: dict[tuple[str, int], int], keys: list[tuple[str, ...]]) -> None:
    counted = set(count_columns(release))
    for sequence in nested_sequences(release):
        steps = {origin: step for step, origin in difference_columns(release.table, sequence).items()}
        for column in sequence.columns:
            for before, after in zip(sequence.rows, sequence.rows[1:], strict=False):
                first, second = index[column, before], index[column, after]
                step = steps.get(column)
                if step in counted and (step, after) in index:
                    removed = index[step, after]
                    if abs(cells.counts[removed]) != cells.counts[removed]:
                        continue
                else:
                    drop = cells.counts[first] - cells.counts[second]
                    removed = cells.add(drop, (f"step of {column}", *keys[after]))
                cells.equations.append(Equation("step", ((second, 1), (removed, 1), (first, -1)), 0))


def _tie_columns(release: Release, cells: Cells, index: dict[tuple[str, int], int]) -> None:
    """Find columns that are the sum of others in every row, declared or not."""
    names = count_columns(release)[:_MAX_COLUMNS]
    if len(names) < 3:
        return
    numbers = {name: release.table[name].to_numpy(float, na_value=np.nan) for name in names}
    useful = [name for name in names if np.nansum(numbers[name]) > 0]
    for total in useful:
        others = [name for name in useful if name != total]
        for size in range(2, min(_MAX_TERMS, len(others)) + 1):
            for parts in combinations(others, size):
                if np.array_equal(sum(numbers[name] for name in parts), numbers[total], equal_nan=True):
                    for row in range(len(release.table)):
                        if (total, row) in index:
                            terms = [(index[name, row], 1) for name in parts]
                            _add_columns(cells, (*terms, (index[total, row], -1)))


def _add_columns(cells: Cells, terms: tuple[tuple[int, int], ...]) -> None:
    if len({cell for cell, _ in terms}) == len(terms):
        cells.equations.append(Equation("columns", terms, 0))


def fallen_columns(release: Release) -> dict[str, set[str]]:
    """Say which derived columns fall with which count or denominator.

    Parameters
    ----------
    release : Release
        A declared table.

    Returns
    -------
    dict
        Count or denominator to the columns hidden with it, in the same row.
    """
    derived = set(derived_columns(release))
    falls: dict[str, set[str]] = {}
    for counted in release.counts:
        ours = {column for column in counted.derived if column in derived}
        for column in (counted.column, counted.of):
            if column is not None:
                falls.setdefault(column, set()).update(ours)
    return falls
