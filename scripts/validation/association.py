"""The screen holds its level and its intervals where exposures and residual risk are smooth in space.

The map is that of the *bassins de vie* of metropolitan France, with their inhabitants. Exposures are random
fields of several ranges, drawn once, independently of each other and of risk; in each replicate the residual
risk of areas, smooth in space too, and the outcomes are redrawn.

Criteria, fixed beforehand: intervals cover 95 % (exact binomial test, p > 0.001). Any discovery under the global
null: the exact lower 99.9 % limit of its frequency is at most 5 %. Mean false discovery proportion: at most 5 % plus
3.1 Monte-Carlo standard errors. The naive test fails the same criterion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta as beta_law
from scipy.stats import binomtest, norm

from validation.proof import Proof, Row, Setting

RANGES_KM = (30.0, 60.0, 120.0, 250.0)
RESIDUAL_KM, RESIDUAL_SD = 60.0, 0.2
PLANTED = {30.0: -0.18, 120.0: 0.16}
"""Range of each planted exposure, and its log ratio per standard deviation."""
CASES, PERSONS, NULLS = 12_000, 8_000, 20


@dataclass(frozen=True)
class Land:
    """Areas, their people, and what is needed to draw fields on them."""

    codes: list[str]
    persons: np.ndarray
    roots: dict[float, np.ndarray]
    weights: Any
    basis: Any

    def basis_of(self, places: np.ndarray) -> Any:
        """Make the basis of some of the areas."""
        from epi.stats.spatial import build_moran_basis

        return build_moran_basis(self.weights.select([self.codes[place] for place in places]), style="given")

    def field(self, random: np.random.Generator, range_km: float) -> np.ndarray:
        """Draw a field of exponential covariance."""
        return np.asarray(self.roots[range_km] @ random.normal(size=len(self.codes)))


@cache
def land(every: int = 1) -> Land:
    """Lay out the metropolitan *bassins de vie*, or one in `every`."""
    from epi.geography import area_points
    from epi.stats.spatial import build_moran_basis, distance_weights

    points = area_points("bassin_de_vie")
    points = points[points["epsg"] == 2154].iloc[::every]
    at = points[["x_m", "y_m"]].to_numpy() / 1000
    km = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=2))
    codes = points["area"].tolist()
    roots = {size: np.linalg.cholesky(np.exp(-km / size) + 1e-9 * np.eye(len(km))) for size in RANGES_KM}
    weights = distance_weights(codes, points["lon"], points["lat"])
    basis = build_moran_basis(weights, style="given")
    return Land(codes, points["persons"].to_numpy(dtype=float), roots, weights, basis)


def exposures(place: Land, random: np.random.Generator, nulls: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the maps, standardised: the planted ones first, then the null ones; every third null is skewed."""
    maps = [place.field(random, size) for size in PLANTED]
    for number in range(nulls):
        one = place.field(random, RANGES_KM[number % len(RANGES_KM)])
        maps.append(np.exp(one) if number % 3 == 2 else one)
    x = np.array(maps)
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    effects = np.concatenate([list(PLANTED.values()), np.zeros(nulls)])
    return x, effects


def at_most(hits: int, runs: int) -> tuple[str, bool]:
    """Judge whether something happens in at most 5 % of replicates, by the exact lower 99.9 % limit."""
    low = float(beta_law.ppf(0.001, hits, runs - hits + 1)) if hits else 0.0
    return f"{hits} of {runs} ({hits / runs:.1%}), lower limit {low:.1%}", low <= 0.05


def covers(hits: int, runs: int) -> tuple[str, bool]:
    """Judge whether intervals cover 95 %."""
    p = binomtest(hits, runs, 0.95).pvalue
    return f"{hits} of {runs} intervals cover ({hits / runs:.1%}), p = {p:.3f}", bool(p > 0.001)


class Counts:
    """Design A: counts of areas, with the logarithm of the expected number as offset."""

    name = "areas"

    def __init__(self, place: Land, random: np.random.Generator) -> None:
        self.place, self.random = place, random
        self.expected = place.persons / place.persons.sum() * CASES
        self.rows = self.codes = self.used = np.arange(len(place.codes))
        self.adjusters = np.empty((len(self.rows), 0))
        self.basis = place.basis

    def draw(self, log_risk: np.ndarray) -> np.ndarray:
        """Redraw residual risk and counts."""
        noise = RESIDUAL_SD * self.place.field(self.random, RESIDUAL_KM)
        return self.random.poisson(self.expected * np.exp(log_risk + noise)).astype(float)

    family, law = "quasi-poisson", "poisson"

    @property
    def offset(self) -> np.ndarray:
        """Logarithm of the expected numbers."""
        return np.log(self.expected)


class Persons:
    """Design B: cases and controls who live in areas; case status is redrawn."""

    name = "case-control"

    def __init__(self, place: Land, random: np.random.Generator) -> None:
        self.place, self.random = place, random
        self.rows = np.sort(random.choice(len(place.codes), PERSONS, p=place.persons / place.persons.sum()))
        self.used, self.codes = np.unique(self.rows, return_inverse=True)
        self.basis = place.basis_of(self.used)
        self.age = random.normal(size=PERSONS)
        self.adjusters = self.age[:, None]

    def draw(self, log_risk: np.ndarray) -> np.ndarray:
        """Redraw residual risk and case status."""
        noise = RESIDUAL_SD * self.place.field(self.random, RESIDUAL_KM)
        linear = (log_risk + noise)[self.rows] + 0.3 * self.age - 0.7
        return (self.random.random(PERSONS) < 1 / (1 + np.exp(-linear))).astype(float)

    family, law, offset = "binomial", "binomial", None


Design = Counts | Persons


@dataclass(frozen=True)
class Null:
    """The model without exposures, by area."""

    residual: np.ndarray
    information: np.ndarray
    adjusters: np.ndarray

    def naive_p(self, maps: np.ndarray, quasi: bool) -> np.ndarray:
        """Test each map by the model's own score test, as if areas and persons were independent."""
        z = np.column_stack([np.ones(len(self.information)), self.adjusters]) * np.sqrt(self.information)[:, None]
        x = maps * np.sqrt(self.information)
        x = x - x @ z @ np.linalg.pinv(z)
        score = x @ (self.residual / np.sqrt(self.information))
        pearson = (self.residual**2 / self.information).sum() / (len(self.information) - z.shape[1])
        return np.asarray(2 * norm.sf(np.abs(score) / np.sqrt((x**2).sum(axis=1) * (pearson if quasi else 1.0))))


def fit_null(design: Design, y: np.ndarray) -> Null:
    """Fit the model without exposures and sum its residuals by area."""
    from epi.stats import fit_glm

    if isinstance(design, Counts):
        fitted = design.expected * y.sum() / design.expected.sum()
        return Null(y - fitted, fitted, np.empty((len(y), 0)))
    fit = fit_glm(pd.DataFrame({"age": design.age}), y, family="binomial")
    fitted = 1 / (1 + np.exp(-(fit.coefficients[0] + fit.coefficients[1] * design.age)))
    w = fitted * (1 - fitted)
    total = np.bincount(design.codes, weights=w)
    age = np.bincount(design.codes, weights=w * design.age) / total
    return Null(np.bincount(design.codes, weights=y - fitted), total, age[:, None])


def planted_ratios(design_of: type[Counts] | type[Persons], replicates: int, every: int = 1) -> Iterator[Row]:
    """Cover planted rate ratios, all in one model; the naive interval is shown to fail."""
    from epi.stats import fit_glm
    from epi.stats.spatial import map_interval

    place = land(every)
    random = np.random.Generator(np.random.PCG64(41))
    x, effects = exposures(place, random, 1)
    design = design_of(place, random)
    rows = x[:, design.rows]
    names = [f"x{number}" for number in range(len(x))]
    frame = pd.DataFrame(np.column_stack([rows.T, design.adjusters]))
    frame.columns = [*names, *(f"z{number}" for number in range(design.adjusters.shape[1]))]
    hits, naive = np.zeros(len(x), dtype=int), np.zeros(len(x), dtype=int)
    for _ in range(replicates):
        y = design.draw(effects @ x)
        for number, name in enumerate(names):
            others = frame.drop(columns=name).to_numpy()
            found = map_interval(
                rows[number], y, design.codes, design.basis, others, family=design.law, offset=design.offset
            )
            hits[number] += found.low <= effects[number] <= found.high
        fit = fit_glm(frame, y, family=design.family, offset=design.offset)
        for number, name in enumerate(names):
            estimate, error = fit.term(name)
            naive[number] += abs(estimate - effects[number]) <= norm.isf(0.025) * error
    for number, effect in enumerate(effects):
        size = (*PLANTED, RANGES_KM[0])[number]
        told = f"{design.name}, ratio {np.exp(effect):.2f} per SD of a map of {size:g} km"
        yield (told, *covers(int(hits[number]), replicates))
    worst = int(naive.min())
    p = binomtest(worst, replicates, 0.95, alternative="less").pvalue
    yield (
        f"{design.name}, model's own errors, the worst of them: shown to fail",
        f"{worst} of {replicates} intervals cover ({worst / replicates:.1%})",
        bool(p < 0.001),
    )


def discoveries(design_of: type[Counts] | type[Persons], replicates: int, every: int = 1) -> Iterator[Row]:
    """Count false discoveries under the global null, maps being fixed, and among planted ones, maps being redrawn."""
    from epi.stats import adjust_p
    from epi.stats.spatial import family_p, map_score_test

    place = land(every)
    random = np.random.Generator(np.random.PCG64(43))
    design = design_of(place, random)
    quasi = design_of is Counts
    x, _ = exposures(place, random, NULLS)
    nulls = x[len(PLANTED) :]
    found = dict.fromkeys(("BH", "family", "naive"), 0)
    for number in range(replicates):
        null = fit_null(design, design.draw(np.zeros(len(place.codes))))
        maps = nulls[:, design.used]
        test = map_score_test(
            maps, null.residual, null.information, design.basis, null.adjusters, draws=999, seed=number
        )
        found["BH"] += bool((adjust_p(test.p) <= 0.05).any())
        found["family"] += bool((family_p(test.z, test.drawn) <= 0.05).any())
        found["naive"] += bool((adjust_p(null.naive_p(maps, quasi)) <= 0.05).any())
    head = f"{design.name}, {NULLS} null maps, global null, any discovery"
    yield (f"{head}, q_spatial", *at_most(found["BH"], replicates))
    yield (f"{head}, p_family", *at_most(found["family"], replicates))
    told, holds = at_most(found["naive"], replicates)
    yield (f"{head}, naive: shown to fail", told, not holds)

    shares: dict[str, list[float]] = {"spatial": [], "naive": []}
    planted = 0
    for number in range(replicates):
        # Maps anew each time: of maps held fixed, those that resemble a planted one by chance are truly associated.
        x, effects = exposures(place, random, NULLS)
        null = fit_null(design, design.draw(effects @ x))
        maps = x[:, design.used]
        test = map_score_test(
            maps, null.residual, null.information, design.basis, null.adjusters, draws=999, seed=number
        )
        for way, p in (("spatial", test.p), ("naive", null.naive_p(maps, quasi))):
            hits = adjust_p(p) <= 0.05
            shares[way].append(float(hits[effects == 0].sum() / max(hits.sum(), 1)))
            planted += int(hits[effects != 0].sum()) if way == "spatial" else 0
    for way, share in shares.items():
        mean, error = float(np.mean(share)), float(np.std(share, ddof=1) / np.sqrt(replicates))
        holds = mean <= 0.05 + 3.1 * error
        power = f"; {planted / (len(PLANTED) * replicates):.0%} of planted found" if way == "spatial" else ""
        yield (
            f"{design.name}, {len(PLANTED)} planted and {NULLS} null maps, mean false discovery proportion, {way}"
            + (": shown to fail" if way == "naive" else ""),
            f"{mean:.1%} (standard error {error:.1%}){power}",
            holds if way == "spatial" else not holds,
        )


def coverage_of_areas(setting: Setting) -> Iterator[Row]:
    """Cover planted ratios in design A."""
    yield from planted_ratios(Counts, setting.replicates)


def coverage_of_persons(setting: Setting) -> Iterator[Row]:
    """Cover planted ratios in design B."""
    yield from planted_ratios(Persons, setting.replicates)


def discoveries_of_areas(setting: Setting) -> Iterator[Row]:
    """Bound false discoveries in design A."""
    yield from discoveries(Counts, setting.replicates)


def discoveries_of_persons(setting: Setting) -> Iterator[Row]:
    """Bound false discoveries in design B."""
    yield from discoveries(Persons, setting.replicates)


PROOFS: list[Proof] = [
    ("Association under spatial autocorrelation: coverage, areas", coverage_of_areas),
    ("Association under spatial autocorrelation: coverage, case-control", coverage_of_persons),
    ("Association under spatial autocorrelation: discoveries, areas", discoveries_of_areas),
    ("Association under spatial autocorrelation: discoveries, case-control", discoveries_of_persons),
]
