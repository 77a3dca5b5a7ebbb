"""What a reader can work out of the hidden cells: the smallest and largest value each may take.

The reader is given every printed figure, every equation of :mod:`epi.disclosure.cells`, that no
count is negative, and that a hidden cell is not zero (zeros are printed) unless its whole group
is hidden. One sum by itself has a closed form; anything else is a linear programme, whose
solutions are kept: each is a table that the reader cannot rule out, and vouches for many cells.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack

from epi.disclosure.cells import ADDITIVE, Cells, Equation
from epi.errors import EstimationError

_TINY = 1e-6


@dataclass(frozen=True)
class Component:
    """Cells tied together by equations, and to no others.

    Parameters
    ----------
    members : tuple of int
        Cells, in order.
    equations : tuple of Equation
        Equations between them.
    """

    members: tuple[int, ...]
    equations: tuple[Equation, ...]


def split_components(cells: Cells) -> list[Component]:
    """Cut the cells into components.

    Parameters
    ----------
    cells : Cells
        Numbers and equations.

    Returns
    -------
    list of Component
        In an order that does not depend on the table's.
    """
    parent = list(range(len(cells.counts)))

    def find(cell: int) -> int:
        while parent[cell] != cell:
            parent[cell] = parent[parent[cell]]
            cell = parent[cell]
        return cell

    for equation in cells.equations:
        first = find(equation.terms[0][0])
        for cell, _ in equation.terms[1:]:
            parent[find(cell)] = first
    members: dict[int, list[int]] = {}
    for cell in range(len(parent)):
        members.setdefault(find(cell), []).append(cell)
    equations: dict[int, list[Equation]] = {}
    for equation in cells.equations:
        equations.setdefault(find(equation.terms[0][0]), []).append(equation)
    components = []
    for root, group in members.items():
        ordered = sorted(group, key=cells.order)
        place = {cell: rank for rank, cell in enumerate(ordered)}
        ours = sorted(
            equations.get(root, []),
            key=lambda equation: (equation.kind, sorted((place[cell], sign) for cell, sign in equation.terms)),
        )
        components.append(Component(tuple(ordered), tuple(ours)))
    return sorted(components, key=lambda component: [cells.order(cell) for cell in component.members[:3]])


class Bounds:
    """The intervals that a reader can work out in one component.

    Parameters
    ----------
    cells : Cells
        Numbers and equations.
    component : Component
        The component studied.
    hidden : collection of int
        Printed cells that were hidden; complements and steps are unknown by nature.
    before : Bounds, optional
        The same component with fewer cells hidden: what was possible then still is.
    """

    def __init__(
        self, cells: Cells, component: Component, hidden: Collection[int], before: Bounds | None = None
    ) -> None:
        self.cells = cells
        self.component = component
        self.unknown = [cell for cell in component.members if cell in hidden or not cells.is_printed(cell)]
        unknown = set(self.unknown)
        self._hidden = {cell for cell in self.unknown if cells.is_printed(cell)}
        self._floor = self._find_floors()
        ceiling = dict.fromkeys(self.unknown, math.inf)
        ties: dict[int, int] = {}
        self._hard: list[Equation] = []
        for equation in component.equations:
            open_ = [cell for cell, _ in equation.terms if cell in unknown]
            if not open_:
                continue
            (count, _), (rest, _), (whole, _) = (*equation.terms, (0, 0), (0, 0))[:3]
            if equation.kind == "complement" and whole not in unknown and count in unknown:
                ceiling[count] = min(ceiling[count], cells.counts[whole])
                ties[rest] = count
                continue
            self._hard.append(equation)
        self._ceiling, self._ties = ceiling, ties
        self._seen: dict[int, tuple[float, float]] = {
            cell: (cells.counts[cell], cells.counts[cell]) for cell in self.unknown
        }
        if before is not None:
            self._seen.update(before._seen)
        self._closed = self._close()
        self._exact: dict[int, tuple[float, float]] = {}

    def _find_floors(self) -> dict[int, int]:
        """Find the least value of each hidden cell: 1, or 0 where a zero may be hidden in its group."""
        free: set[int] = set()
        for equation in self.component.equations:
            if equation.kind not in ADDITIVE:
                continue
            parts = [cell for cell, sign in equation.terms if sign > 0]
            if all(cell in self._hidden for cell in parts) or any(
                cell in self._hidden and self.cells.counts[cell] == 0 for cell in parts
            ):
                free.update(parts)
        return {
            cell: int(cell in self._hidden and cell not in free and self.cells.counts[cell] > 0)
            for cell in self.unknown
        }

    def _close(self) -> dict[int, tuple[float, float]] | None:
        """Solve a component whose unknowns meet in at most one sum each; None if it is not so."""
        met: set[int] = set()
        closed: dict[int, tuple[float, float]] = {}
        unknown = set(self.unknown)
        for equation in self._hard:
            open_ = [(cell, sign) for cell, sign in equation.terms if cell in unknown]
            if any(sign != open_[0][1] for _, sign in open_) or met.intersection(cell for cell, _ in open_):
                return None
            met.update(cell for cell, _ in open_)
            known = sum(sign * self.cells.counts[cell] for cell, sign in equation.terms if cell not in unknown)
            rest = (equation.total - known) * open_[0][1]
            low = sum(self._floor[cell] for cell, _ in open_)
            high = sum(self._ceiling[cell] for cell, _ in open_)
            for cell, _ in open_:
                floor, ceiling = self._floor[cell], self._ceiling[cell]
                others = (
                    math.fsum(self._ceiling[each] for each, _ in open_ if each != cell)
                    if (math.isinf(high))
                    else high - ceiling
                )
                closed[cell] = (max(floor, rest - others), min(ceiling, rest - (low - floor)))
        for cell in self.unknown:
            closed.setdefault(cell, (self._floor[cell], self._ceiling[cell]))
        return closed

    def interval(self, cell: int) -> tuple[float, float]:
        """Work out the interval of a hidden or implied cell.

        Parameters
        ----------
        cell : int
            Its index.

        Returns
        -------
        low, high : float
            The smallest and the largest value that nothing printed rules out.
        """
        if cell not in self._seen:
            return self.cells.counts[cell], self.cells.counts[cell]
        if cell in self._ties:
            count = self._ties[cell]
            whole = self.cells.counts[cell] + self.cells.counts[count]
            low, high = self.interval(count)
            return whole - high, whole - low
        if self._closed is not None:
            return self._closed[cell]
        if cell not in self._exact:
            self._exact[cell] = (self._solve(cell, 1), self._solve(cell, -1))
        return self._exact[cell]

    def is_safe(self, cell: int, width: int) -> bool:
        """Say whether at least `width` whole numbers, one of them `width` or more, remain possible.

        Parameters
        ----------
        cell : int
            The cell.
        width : int
            The minimal count.

        Returns
        -------
        bool
            True if the reader cannot tell that it is below `width`, nor find it.
        """
        if self._closed is None and cell in self._seen and cell not in self._ties:
            if is_wide(self._seen[cell], width):
                return True
            self._solve(cell, -1)
            if is_wide(self._seen[cell], width):
                return True
        return is_wide(self.interval(cell), width)

    def is_found(self, cell: int) -> bool:
        """Say whether one whole number only remains possible.

        Parameters
        ----------
        cell : int
            The cell.

        Returns
        -------
        bool
            True if the reader can tell the number, hidden or not.
        """
        low, high = self._seen.get(cell, (0.0, 0.0))
        if self._closed is None and high - low > 1 - _TINY:
            return False
        low, high = self.interval(cell)
        return not math.isinf(high) and math.floor(high + _TINY) <= math.ceil(low - _TINY)

    def explore(self, targets: Collection[int], width: int) -> None:
        """Look for tables that vouch for many cells at once, before each is solved by itself.

        Parameters
        ----------
        targets : collection of int
            Cells to vouch for.
        width : int
            The minimal count.
        """
        left = [cell for cell in targets if cell in self._seen and cell not in self._ties]
        while self._closed is None and len(left) > 3:
            wanted = {cell: max(width, math.ceil(self._seen[cell][0] - _TINY) + width - 1) for cell in left}
            self._lift(wanted)
            still = [cell for cell in left if not is_wide(self._seen[cell], width)]
            if len(left) - len(still) < max(2, 0.04 * len(left)):  # no better than solving one cell by itself
                return
            left = still

    def _lift(self, wanted: dict[int, int]) -> None:
        """Solve for a table that lifts as many cells as it can to the value wanted of each."""
        names, system, totals, box = self._programme()
        place = {each: rank for rank, each in enumerate(names)}
        many, extra = len(names), list(wanted)
        # cell = floor + lifted part (rewarded, up to the value wanted) + the rest (free)
        limits = []
        for cell in extra:
            low, high = box[place[cell]]
            reach = max(0.0, min(high, wanted[cell]) - low)
            limits.append((0.0, reach))
            box[place[cell]] = (low, max(low, high - reach))
        columns = [place[cell] for cell in extra]
        cost = np.zeros(many + len(extra))
        cost[many:] = [-1.0 - rank / (4.0 * len(extra)) for rank in range(len(extra))]
        wide = hstack([system, system[:, columns]]).tocsr()
        answer = linprog(cost, A_eq=wide, b_eq=totals, bounds=[*box, *limits], method="highs")
        if answer.status != 0:
            return
        values = answer.x[:many].copy()
        values[columns] += answer.x[many:]
        self._remember(names, values)

    def _remember(self, names: list[int], values: np.ndarray) -> None:
        for each, value in zip(names, values, strict=True):
            low, high = self._seen[each]
            self._seen[each] = (min(low, float(value)), max(high, float(value)))

    def _programme(self) -> tuple[list[int], csr_array, list[int], list[tuple[float, float]]]:
        """Unknowns, equations, right-hand sides and limits, ties left out."""
        names = [each for each in self.unknown if each not in self._ties]
        place = {each: rank for rank, each in enumerate(names)}
        rows, columns, signs, totals = [], [], [], []
        for rank, equation in enumerate(self._hard):
            known = 0
            for each, sign in equation.terms:
                if each in place:
                    rows.append(rank)
                    columns.append(place[each])
                    signs.append(sign)
                else:
                    known += sign * self.cells.counts[each]
            totals.append(equation.total - known)
        system = csr_array((signs, (rows, columns)), shape=(len(self._hard), len(names)))
        # Far beyond any figure of the table: keeps the programme bounded, and is wide whatever the rule.
        far = 1000 + 10 * sum(abs(self.cells.counts[each]) for each in self.component.members)
        box = [(float(self._floor[each]), float(min(far, self._ceiling[each]))) for each in names]
        return names, system, totals, box

    def _solve(self, cell: int, direction: int) -> float:
        names, system, totals, box = self._programme()
        cost = np.zeros(len(names))
        cost[names.index(cell)] = direction
        answer = linprog(cost, A_eq=system, b_eq=totals, bounds=box, method="highs")
        if answer.status != 0:
            raise EstimationError(
                "the audit of hidden cells could not be solved",
                "counts that agree with their totals and denominators",
                "check that groups add up to their totals",
            )
        self._remember(names, answer.x)
        return float(answer.x[names.index(cell)])


def is_wide(interval: tuple[float, float], width: int) -> bool:
    """Say whether an interval protects a small count.

    Parameters
    ----------
    interval : tuple of (float, float)
        The smallest and the largest possible value.
    width : int
        The minimal count.

    Returns
    -------
    bool
        True if it holds at least `width` whole numbers, one of them `width` or more.

    Examples
    --------
    >>> is_wide((1, 11), 11), is_wide((0, 10), 11), is_wide((3, 9), 11)
    (True, False, False)
    """
    low, high = interval
    if math.isinf(high) or math.isinf(low):
        return True
    smallest, largest = math.ceil(low - _TINY), math.floor(high + _TINY)
    return largest >= width and largest - smallest + 1 >= width


def sensitive_cells(cells: Cells, members: Iterable[int], width: int) -> list[int]:
    """List the cells that must not be found: small counts, small complements and steps.

    Parameters
    ----------
    cells : Cells
        Numbers and equations.
    members : iterable of int
        Where to look.
    width : int
        The minimal count.

    Returns
    -------
    list of int
        Cells counting 1 to ``width - 1`` persons, and those of groups in one category.
    """
    return [cell for cell in members if 0 < cells.counts[cell] < width or cell in cells.structural]
