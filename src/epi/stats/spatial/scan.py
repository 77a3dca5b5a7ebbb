"""Kulldorff's circular scan for clusters, Poisson model given the total.

Source: Kulldorff, Commun Stat Theory Methods 1997;26:1481. The likelihood ratio of every circle is
compared with the largest one of maps drawn under a constant relative risk, so that the p-value
accounts for all the circles looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.errors import EstimationError, ParameterError
from epi.stats.spatial.lattice import ROUNDING
from epi.stats.spatial.windows import Windows, build_windows, check_metres

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

Risk = Literal["high", "low", "both"]
BLOCK = 64
"""Replicates looked at together: their counts around one centre stay in the processor's memory."""


@dataclass(frozen=True)
class ScanCluster:
    """A circle with more (or fewer) cases than elsewhere.

    Parameters
    ----------
    centre : object
        Code of the area at its centre.
    radius_m : float
        From the centre to the farthest area, metres; 0 for one area.
    areas : tuple
        Codes of its areas, the nearest first.
    observed, expected : float
        Cases inside, and cases expected there of the total.
    relative_risk : float
        Observed over expected inside, against outside.
    log_likelihood_ratio : float
        The scan's statistic.
    p : float
        Share of maps, the observed one among them, with a circle at least as unlikely.
    """

    centre: Any
    radius_m: float
    areas: tuple[Any, ...]
    observed: float
    expected: float
    relative_risk: float
    log_likelihood_ratio: float
    p: float


@dataclass(frozen=True)
class Scan:
    """The clusters of a scan, the most likely first, none sharing an area.

    Parameters
    ----------
    clusters : tuple of ScanCluster
        Those asked for.
    windows : int
        Circles looked at.
    total : int
        Cases.
    maxima : numpy.ndarray
        Largest log likelihood ratio of each replicate.
    """

    clusters: tuple[ScanCluster, ...]
    windows: int
    total: int
    maxima: Array = field(repr=False)


def scan_poisson(
    labels: ArrayLike,
    observed: ArrayLike,
    expected: ArrayLike,
    x_m: ArrayLike,
    y_m: ArrayLike,
    *,
    population: ArrayLike | None = None,
    max_share: float | None = 0.5,
    max_radius_m: float | None = None,
    risk: Risk = "high",
    clusters: int = 10,
    replicates: int = 999,
    seed: int = 0,
) -> Scan:
    """Look for circles with more cases than the expected numbers give, wherever they are.

    Parameters
    ----------
    labels : array-like
        Code of each area, shape (areas,).
    observed, expected : array-like
        Cases and expected cases (or persons at risk) of each area, shape (areas,). Expected numbers are
        brought to the total of the cases.
    x_m, y_m : array-like
        Where each area is, projected metres.
    population : array-like, optional
        Persons at risk, for `max_share`; the expected cases by default.
    max_share : float or None, optional
        Most of the population that a circle holds.
    max_radius_m : float or None, optional
        Largest radius, metres.
    risk : {"high", "low", "both"}, optional
        Which circles to look for.
    clusters : int, optional
        Most clusters to give; each shares no area with the ones before it.
    replicates : int, optional
        Maps drawn under a constant relative risk, their total given.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    Scan
        The clusters. All are compared with the largest circle of each replicate, which is conservative
        for those after the first.

    Raises
    ------
    EstimationError
        If counts are not whole numbers of zero or more, an area has cases and nobody expected, a
        coordinate is missing, or there is no case.
    ParameterError
        If an option is out of range, an area is there twice, or coordinates look like degrees.

    Notes
    -----
    Among circles of one likelihood ratio the smallest is given (fewest areas, then radius, then code of
    the centre), which makes the result the same whatever the order of rows.

    Examples
    --------
    >>> place = np.arange(10.0) * 1_000
    >>> cases = [1, 2, 1, 9, 8, 1, 2, 0, 1, 2]
    >>> found = scan_poisson(list("abcdefghij"), cases, [2.7] * 10, place, 0 * place)
    >>> first = found.clusters[0]
    >>> first.areas, round(first.log_likelihood_ratio, 2), first.p < 0.01
    (('d', 'c', 'e'), 7.7, True)
    """
    if risk not in ("high", "low", "both"):
        raise ParameterError(f"risk is {risk!r}", "high, low or both")
    if clusters < 1 or replicates < 1:
        raise ParameterError(f"clusters is {clusters}, replicates {replicates}", "at least one of each")
    codes = pd.Index(np.asarray(labels))
    if codes.has_duplicates:
        raise ParameterError("an area is there twice", "one row an area")
    n = len(codes)
    x, y = check_metres(x_m, y_m, n)
    counts, people, at_risk = _check_counts(observed, expected, population, n)
    order = np.argsort(codes.astype(str), kind="stable")
    codes, x, y = codes[order], x[order], y[order]
    counts, people, at_risk = counts[order], people[order], at_risk[order]
    total = int(counts.sum())
    share = people / people.sum()
    windows = build_windows(x, y, at_risk, max_share=max_share, max_radius_m=max_radius_m)
    table = _Likelihood(total, share * total, windows, risk)
    generator = np.random.Generator(np.random.PCG64(seed))
    maxima = np.empty(replicates)
    for start in range(0, replicates, BLOCK):
        drawn = generator.multinomial(total, share, size=min(BLOCK, replicates - start))
        maxima[start : start + BLOCK] = table.largest(np.ascontiguousarray(drawn.T.astype(np.int32)))
    found = _choose(codes, counts, table, clusters, maxima)
    return Scan(found, len(windows), total, maxima)


def _check_counts(
    observed: ArrayLike, expected: ArrayLike, population: ArrayLike | None, n: int
) -> tuple[NDArray[np.int64], Array, Array]:
    counts, people = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    at_risk = people if population is None else np.asarray(population, dtype=float)
    if not counts.shape == people.shape == at_risk.shape == (n,):
        raise ParameterError(
            f"cases, expected cases and population have shapes {counts.shape}, {people.shape}, {at_risk.shape}",
            f"one of each for the {n} areas",
        )
    faults = []
    if not (np.isfinite(counts).all() and np.isfinite(people).all() and np.isfinite(at_risk).all()):
        faults.append("counts, expected cases or population are missing: leave those areas out")
    elif (counts < 0).any() or (counts % 1 != 0).any():
        faults.append("counts are negative or not whole")
    elif (people < 0).any() or (at_risk < 0).any():
        faults.append("expected cases or population are negative")
    elif ((people == 0) & (counts > 0)).any():
        faults.append(f"{int(((people == 0) & (counts > 0)).sum())} areas have cases and nobody expected")
    elif not counts.sum() > 0:
        faults.append("there is no case")
    if faults:
        raise EstimationError("these counts cannot be scanned", "cases and expected cases of each area", faults=faults)
    return counts.astype(np.int64), people, at_risk


class _Likelihood:
    """Log likelihood ratios of circles, from a table of k log k."""

    def __init__(self, total: int, expected: Array, windows: Windows, risk: str) -> None:
        self.windows, self.risk, self.total = windows, risk, total
        k = np.arange(total + 1, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.k_log_k = np.where(k > 0, k * np.log(k), 0.0)
        # c log c + (C - c) log (C - c), by c.
        self.both = self.k_log_k + self.k_log_k[::-1]
        sums = np.cumsum(expected[windows.members])
        before = np.concatenate([[0.0], sums])[windows.starts[:-1]]
        inside = sums - np.repeat(before, np.diff(windows.starts))
        # A circle of nobody, or of everybody, compares nothing; the running sum leaves a little there.
        ok = windows.closes & (inside > total * 1e-12) & (inside < total * (1 - 1e-12))
        self.rows = np.flatnonzero(ok)
        within = inside[self.rows]
        # LLR = c log c + (C-c) log(C-c) - c log e - (C-c) log(C-e): linear in c but for the table.
        self.slope = np.log(total - within) - np.log(within)
        self.level = -total * np.log(total - within)
        self.expected = within
        self.first = np.searchsorted(self.rows, windows.starts)

    def largest(self, counts: NDArray[np.int32]) -> Array:
        """Give the largest ratio of each map; counts are (areas, maps)."""
        best = np.zeros(counts.shape[1])
        starts = self.windows.starts
        for here in range(len(starts) - 1):
            cases = self._cases(here, counts)
            if not len(cases):
                continue
            # A ratio is at most the chi-square distance (c - e)^2 / e (1 - e / C): circles nearer to what is
            # expected than that cannot reach the best one of any map so far, and need no logarithm.
            first, last = self.first[here : here + 2]
            inside = self.expected[first:last]
            margin = np.sqrt(best.min() * (1 - 1e-9) * inside * (1 - inside / self.total))
            far = np.zeros(cases.shape, dtype=bool)
            if self.risk != "low":
                # Counts are whole: above a number is above its floor.
                far |= cases > np.floor(inside + margin * (1 - 1e-9)).astype(np.int32)[:, None]
            if self.risk != "high":
                far |= cases < np.ceil(inside - margin * (1 - 1e-9)).astype(np.int32)[:, None]
            circle, column = np.divmod(np.flatnonzero(far), cases.shape[1])
            seen = cases[circle, column]
            ratios = self.both[seen] + seen * self.slope[first + circle] + self.level[first + circle]
            np.maximum.at(best, column, ratios)
        return best

    def of(self, counts: NDArray[np.int64]) -> Array:
        """Give the ratio of every circle of `rows` for one map."""
        column = counts.astype(np.int32)[:, None]
        return np.concatenate([self._ratios(here, column)[:, 0] for here in range(len(self.windows.starts) - 1)])

    def _cases(self, here: int, counts: NDArray[np.int32]) -> NDArray[np.int32]:
        """Add up the cases of the circles around one centre, shape (circles, maps)."""
        start, end = self.windows.starts[here : here + 2]
        first, last = self.first[here : here + 2]
        if first == last:
            return np.empty((0, counts.shape[1]), dtype=np.int32)
        cases = np.cumsum(counts[self.windows.members[start:end]], axis=0, dtype=np.int32)
        return cases if last - first == end - start else cases[self.rows[first:last] - start]

    def _ratios(self, here: int, counts: NDArray[np.int32]) -> Array:
        first, last = self.first[here : here + 2]
        cases = self._cases(here, counts)
        ratios = self.both[cases]
        ratios += cases * self.slope[first:last, None]
        ratios += self.level[first:last, None]
        if self.risk != "both":
            limit = self.expected[first:last, None]
            ratios[(cases <= limit) if self.risk == "high" else (cases >= limit)] = 0.0
        return ratios


def _choose(
    codes: pd.Index, counts: NDArray[np.int64], table: _Likelihood, wanted: int, maxima: Array
) -> tuple[ScanCluster, ...]:
    windows = table.windows
    ratios = table.of(counts)
    centre = np.searchsorted(windows.starts, table.rows, side="right") - 1
    size = table.rows - windows.starts[centre] + 1
    cases = np.cumsum(counts[windows.members])
    before = np.concatenate([[0], cases])[windows.starts[:-1]]
    inside = (cases - np.repeat(before, np.diff(windows.starts)))[table.rows]
    taken = np.zeros(len(codes), dtype=bool)
    chosen: list[ScanCluster] = []
    free = np.ones(len(ratios), dtype=bool)
    while len(chosen) < wanted:
        best = ratios[free].max(initial=0.0)
        if not best > ROUNDING * max(table.total, 1):
            break
        ties = np.flatnonzero(free & (ratios >= best - 1e-9 * max(best, 1.0)))
        pick = ties[np.lexsort((centre[ties], windows.radius_m[table.rows[ties]].round(3), size[ties]))[0]]
        row = table.rows[pick]
        members = windows.members[windows.starts[centre[pick]] : row + 1]
        value, c, e = float(ratios[pick]), float(inside[pick]), float(table.expected[pick])
        outside = (table.total - c) / (table.total - e)
        extreme = int((maxima >= value - 1e-9 * max(value, 1.0)).sum())
        chosen.append(
            ScanCluster(
                codes[centre[pick]], float(windows.radius_m[row]), tuple(codes[members]), c, e,
                float(c / e / outside) if outside > 0 else np.inf, value, (1 + extreme) / (1 + len(maxima)),
            )
        )  # fmt: skip
        taken[members] = True
        # A circle is free as long as none of its members is taken: up to the first taken one.
        met = np.flatnonzero(taken[windows.members])
        first = np.full(len(windows.starts) - 1, len(windows.members))
        np.minimum.at(first, np.searchsorted(windows.starts, met, side="right") - 1, met)
        free = table.rows < first[centre]
    return tuple(chosen)
