"""Crude probabilities of death cover planted ones, and the test between net survival curves keeps its level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from validation.proof import Proof, Row, Setting
from validation.survival_curves import YEAR, failed, follow, held

TIMES = (3, 8)
FOLLOWED = 10
STEP = 28
"""Days between which the population's cumulative hazard is taken for a straight line."""
CAUSES = ("disease", "population")


def draw_times(generator: np.random.Generator, size: int, table: Any, excess: float) -> dict[str, Any]:
    """Draw patients of 45 to 85 years: days of death of the disease, which takes more of the young, and of the rest."""
    origin = 9131 + generator.integers(0, 5 * 365, size)
    age = generator.uniform(45, 85, size)
    birth = (origin - age * YEAR).astype(np.int64)
    sex = np.where(generator.random(size) < 0.5, "F", "M")
    grid = np.arange(0, FOLLOWED * 366 + STEP, STEP)
    usual = np.stack([table.cumulative_hazard(sex, birth, origin, origin + day) for day in grid])
    reached = generator.exponential(1, size)
    other = np.array([np.interp(reached[at], usual[:, at], grid, right=np.inf) for at in range(size)])
    rate = np.maximum(excess * np.where(age < 65, 4 / 3, 2 / 3), 1e-12)
    return {"origin": origin, "birth": birth, "sex": sex, "age": age, "usual": usual, "grid": grid, "rate": rate,
            "other": other, "disease": generator.exponential(YEAR / rate)}  # fmt: skip


def planted(
    generator: np.random.Generator, table: Any, excess: float, batches: int = 5
) -> dict[tuple[str, int], float]:
    """Integrate the planted hazards of 200,000 patients: probabilities that no death was drawn for."""
    truth = dict.fromkeys([(cause, year) for cause in CAUSES for year in TIMES], 0.0)
    for _ in range(batches):
        drawn = draw_times(generator, 40_000, table, excess)
        grid = drawn["grid"]
        alive = np.exp(-drawn["usual"] - drawn["rate"] * grid[:, None] / YEAR)
        middle = (alive[1:] + alive[:-1]) / 2
        parts = (drawn["rate"] * STEP / YEAR, np.diff(drawn["usual"], axis=0))
        for cause, part in zip(CAUSES, parts, strict=True):
            risen = np.concatenate([[0.0], np.cumsum((middle * part).mean(axis=1))])
            for year in TIMES:
                truth[cause, year] += float(np.interp(year * YEAR, grid, risen)) / batches
    return truth


def seen(generator: np.random.Generator, drawn: dict[str, Any], late: bool, **covariates: Any) -> Any:
    """Follow the patients, those who live to their entry, until they are lost."""
    size = len(drawn["origin"])
    death = np.minimum(drawn["other"], drawn["disease"])
    entry = generator.uniform(0, 2, size) * YEAR * late * (generator.random(size) < 0.6)
    end = np.minimum(entry + generator.uniform(4, 12, size) * YEAR, FOLLOWED * YEAR)
    there = death > entry
    return follow(
        np.floor(entry[there]).astype(np.int64), np.ceil(np.minimum(death, end)[there]).astype(np.int64),
        (death <= end)[there].astype(np.int64), origin=drawn["origin"][there].astype(np.int64),
        birth=drawn["birth"][there],
        covariates=pd.DataFrame({"sex": drawn["sex"], **covariates})[there].reset_index(drop=True),
    )  # fmt: skip


def coverage_of_crude_death(setting: Setting) -> Iterator[Row]:
    """Cover crude probabilities at two times fixed beforehand, and show that Poisson limits of other causes do not."""
    from epi.survival import estimate_crude_death, life_table

    table = life_table(extend="nearest")
    generator = np.random.Generator(np.random.PCG64(71))
    ways = {"excess of 6 % a year": (0.06, False), "excess of 6 % a year, late entry": (0.06, True),
            "no excess": (0.0, False)}  # fmt: skip
    for words, (excess, late) in ways.items():
        truth = planted(generator, table, excess)
        covered, poisson = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
        for _ in range(setting.replicates):
            data = seen(generator, draw_times(generator, 500, table, excess), late)
            for variance, count in (("jackknife", covered), ("poisson", poisson)):
                found = estimate_crude_death(data, table, variance=variance).at(TIMES, "years")
                for row in found.itertuples():
                    key = (row.cause, TIMES[int(row.time > TIMES[0] * YEAR)])
                    count[key] += bool(row.ci_low <= truth[key] <= row.ci_high)
        for (cause, year), number in covered.items():
            yield held(f"{words}, {cause}, {year} years ({truth[cause, year]:.1%})", number, setting.replicates)
        for year in TIMES:
            number = poisson["population", year]
            yield failed(f"{words}, population, {year} years, Poisson variance", number, setting.replicates)


def level_of_net_comparison(setting: Setting) -> Iterator[Row]:
    """Compare groups with the same excess hazard and other ages: 5 % reject, and more where ages are left out."""
    from epi.survival import compare_net, compare_survival, life_table

    table = life_table(extend="nearest")
    generator = np.random.Generator(np.random.PCG64(72))
    for words, groups, late, within in (
        ("two groups", 2, False, False), ("two groups, late entry", 2, True, False), ("three groups", 3, False, False),
        ("two groups within ages, whose excess differs", 2, False, True),
    ):  # fmt: skip
        net, observed = 0, 0
        for _ in range(setting.replicates):
            drawn = draw_times(generator, 700, table, 0.06)
            # Those of the last group are older; the excess is the same, but for the test within ages.
            if not within:
                drawn["disease"] = generator.exponential(YEAR / 0.06, len(drawn["age"]))
            chance = np.clip((drawn["age"] - 40) / 50, 0.1, 0.9)
            arm = np.minimum((generator.random(700) < chance) + (generator.random(700) < chance), groups - 1)
            old = np.where(drawn["age"] < 65, "young", "old")
            data = seen(generator, drawn, late, arm=arm, old=old)
            net += compare_net(data, table, "arm", strata="old" if within else None).p < 0.05
            observed += compare_survival(data, "arm", strata="old" if within else None).p < 0.05
        yield _level(words, net, setting.replicates)
        if not within:
            p = binomtest(observed, setting.replicates, 0.05, alternative="greater").pvalue
            share = observed / setting.replicates
            yield (f"{words}, observed survival, is shown to fail",
                   f"{observed} of {setting.replicates} tests reject ({share:.1%})", p < 0.001)  # fmt: skip


def _level(words: str, rejected: int, replicates: int) -> Row:
    p = binomtest(rejected, replicates, 0.05).pvalue
    return words, f"{rejected} of {replicates} tests reject at 5 % ({rejected / replicates:.1%})", p > 0.001


PROOFS: list[Proof] = [
    ("Crude probabilities of death: coverage", coverage_of_crude_death),
    ("Test between net survival curves: level", level_of_net_comparison),
]
