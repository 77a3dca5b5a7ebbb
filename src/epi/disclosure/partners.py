"""Which other cells fall so that a small count cannot be found by subtraction.

In one group that adds up, the smallest other cells fall until the small count is protected. Where
margins cross, the cheapest change of the table that keeps every printed total is found by a linear
programme, and the cells it moves are hidden: both tables then explain what is printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from epi.disclosure.bounds import Bounds, Component, sensitive_cells
from epi.disclosure.cells import ADDITIVE, Cells

_TINY = 1e-6


@dataclass
class Protection:
    """The state of one component while partners are chosen.

    Parameters
    ----------
    cells : Cells
        Numbers and equations.
    component : Component
        The component to protect.
    width : int
        The minimal count.
    hidden : set of int
        Printed cells hidden so far; grows.
    unresolved : list of int
        Cells that could not be protected.
    idle : set of int
        Hidden cells that protect others no more than if they were printed, for want of partners.
    """

    cells: Cells
    component: Component
    width: int
    hidden: set[int]
    unresolved: list[int] = field(default_factory=list)
    idle: set[int] = field(default_factory=set)

    def run(self) -> None:
        """Hide partners until every sensitive cell is protected, or nothing is left to hide."""
        self._pair_alone()
        safe: set[int] = set()
        bounds: Bounds | None = None
        targets = sensitive_cells(self.cells, self.component.members, self.width)
        stage = dict.fromkeys(targets, 0)
        while True:
            bounds = Bounds(self.cells, self.component, self.hidden, before=bounds)
            bounds.explore([cell for cell in targets if cell not in safe], self.width)
            failing = None
            for cell in targets:
                if cell in safe or cell in self.unresolved:
                    continue
                if bounds.is_safe(cell, self.width):
                    safe.add(cell)  # hiding more only widens what is possible
                else:
                    failing = cell
                    break
            if failing is None:
                if self.unresolved or not self._pair_found(bounds):
                    return
                continue
            while stage[failing] < len(_STAGES):
                partners = _STAGES[stage[failing]](self, failing, bounds) - self.hidden
                if partners:
                    self.hidden |= partners
                    break
                stage[failing] += 1
            else:
                self.unresolved.append(failing)

    def _pair_found(self, bounds: Bounds) -> bool:
        """Give partners to a hidden cell that the others determine: a mark there would hide nothing."""
        for cell in self.component.members:
            if cell not in self.hidden or cell in self.idle or not bounds.is_found(cell):
                continue
            for amount, zeros in ((1.0, False), (-1.0, False), (1.0, True)):
                partners = _move(self, cell, amount, zeros=zeros) - self.hidden
                if partners:
                    self.hidden |= partners
                    return True
            self.idle.add(cell)
        return False

    def _pair_alone(self) -> None:
        """Give a partner to each cell that is the only one hidden in a sum: it could be found at once."""
        sums = [equation for equation in self.component.equations if equation.kind in ADDITIVE]
        changed = True
        while changed:
            changed = False
            for equation in sums:
                open_ = [cell for cell, _ in equation.terms if cell in self.hidden]
                if len(open_) != 1:
                    continue
                choices = [cell for cell, _ in equation.terms if self.can_fall(cell) and self.cells.counts[cell]]
                if choices:
                    self.hidden.add(min(choices, key=self.cells.order))
                    changed = True

    def can_fall(self, cell: int) -> bool:
        """Say whether a cell may be hidden to protect another.

        Parameters
        ----------
        cell : int
            The cell.

        Returns
        -------
        bool
            True if it is printed, not yet hidden, and not known elsewhere.
        """
        return self.cells.is_printed(cell) and cell not in self.hidden and cell not in self.cells.fixed


def _smallest_in_sum(state: Protection, cell: int, _: Bounds) -> set[int]:
    """Apply the rule of one dimension: the smallest other cell of the only group."""
    sums = [equation for equation in state.component.equations if equation.kind not in {"complement", "known"}]
    if len(sums) != 1 or sums[0].kind not in ADDITIVE:
        return set()
    choices = [
        each for each, _ in sums[0].terms if state.can_fall(each) and state.cells.counts[each] > 0 and each != cell
    ]
    return {min(choices, key=state.cells.order)} if choices else set()


def _narrow_move(state: Protection, cell: int, bounds: Bounds) -> set[int]:
    """Enough to reach from the least possible value to `width` values above it."""
    low = bounds.interval(cell)[0]
    value = state.cells.counts[cell]
    up = _move(state, cell, max(1.0, low + state.width - value), zeros=False)
    down = _move(state, cell, low - value, zeros=False) if value > low else set()
    return up | down


def _wide_move(state: Protection, cell: int, _: Bounds) -> set[int]:
    return _move(state, cell, state.width, zeros=False)


def _zero_move(state: Protection, cell: int, _: Bounds) -> set[int]:
    return _move(state, cell, state.width, zeros=True)


def _whole_groups(state: Protection, cell: int, _: Bounds) -> set[int]:
    """Every cell of the groups of a cell, zeros included."""
    near = {cell}
    for equation in state.component.equations:
        if equation.kind == "complement" and cell in {each for each, _ in equation.terms}:
            near.update(each for each, _ in equation.terms[:2])
    found: set[int] = set()
    for equation in state.component.equations:
        if equation.kind in ADDITIVE and near & {each for each, _ in equation.terms}:
            found.update(each for each, sign in equation.terms if sign > 0 and state.can_fall(each))
    return found


def _whole_component(state: Protection, _: int, __: Bounds) -> set[int]:
    return {each for each in state.component.members if state.can_fall(each)}


_STAGES = (_smallest_in_sum, _narrow_move, _wide_move, _zero_move, _whole_groups, _whole_component)


def _move(state: Protection, cell: int, amount: float, *, zeros: bool) -> set[int]:
    """Find the cheapest change of the table that moves a cell and keeps what is known.

    The cost of moving a printed cell is its value, so that small numbers fall before large ones;
    what is hidden already moves freely.
    """
    cells, members = state.cells, state.component.members
    place = {each: rank for rank, each in enumerate(members)}
    many = len(members)
    cost, upper, lower = np.zeros(many), np.full(many, np.inf), np.zeros(many)
    for each in members:
        rank, value = place[each], cells.counts[each]
        free = each in state.hidden or not cells.is_printed(each)
        floor = 0 if zeros or not cells.is_printed(each) else min(1, value)
        lower[rank] = value - floor
        if not free:
            cost[rank] = 1.0 + value + rank / (many + 1)
            if each in cells.fixed or (value == 0 and not zeros):
                upper[rank] = lower[rank] = 0.0
    target = place[cell]
    upper[target] = max(amount, 0.0)
    lower[target] = max(-amount, 0.0)
    cost[target] = 0.0
    rows, columns, signs = [], [], []
    for row, equation in enumerate(state.component.equations):
        for each, sign in equation.terms:
            rows += [row, row]
            columns += [place[each], many + place[each]]
            signs += [sign, -sign]
    lines = len(state.component.equations)
    system = csr_array((signs, (rows, columns)), shape=(lines, 2 * many))
    box = [(0.0, None if np.isinf(limit) else limit) for limit in (*upper, *lower)]
    box[target if amount > 0 else many + target] = (abs(amount), abs(amount))
    answer = linprog(np.tile(cost, 2), A_eq=system, b_eq=np.zeros(lines), bounds=box, method="highs")
    if answer.status != 0:
        return set()
    moved = answer.x[:many] - answer.x[many:]
    return {each for each in members if state.can_fall(each) and abs(moved[place[each]]) > _TINY}
