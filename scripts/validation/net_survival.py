"""Limits of net survival cover 1 where nobody dies of the disease, and a planted excess where somebody does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from validation.proof import Proof, Row, Setting
from validation.survival_curves import YEAR, failed, follow, held

TIMES = (5, 10)
START = 1
"""Year from which curves of late entry are read: before it few are at risk, as in a study's common window."""
FOLLOWED = 14
"""Years over which deaths are drawn."""
STEP = 28
"""Days between which the population's cumulative hazard is taken for a straight line."""


def draw_patients(generator: np.random.Generator, size: int, table: Any, excess: float, late: bool) -> Any:
    """Draw patients of 40 to 85 years who die at the population's rate, and of the disease at a constant one.

    The disease takes twice as many of the young as of the old, on average ``excess``: net survival is then that of
    the mixture, and what Ederer II estimates is another.
    """
    origin = (np.datetime64("1995-01-01") - np.datetime64("1970-01-01")).astype(int) + generator.integers(
        0, 5 * 365, size
    )
    age = generator.uniform(40, 85, size)
    birth = (origin - age * YEAR).astype(np.int64)
    sex = np.where(generator.random(size) < 0.5, "F", "M")
    grid = np.arange(0, FOLLOWED * 366, STEP)
    usual = np.stack([table.cumulative_hazard(sex, birth, origin, origin + day) for day in grid])
    reached = generator.exponential(1, size)
    death = np.array([np.interp(reached[i], usual[:, i], grid, right=np.inf) for i in range(size)])
    rate = excess * np.where(age < 65, 4 / 3, 2 / 3)
    if excess > 0:
        death = np.minimum(death, generator.exponential(YEAR / rate))
    entry = generator.uniform(0, 4, size) * YEAR if late else np.zeros(size)
    end = np.maximum(entry, 0) + generator.uniform(4, 13, size) * YEAR
    end = np.minimum(end, FOLLOWED * YEAR)
    seen = death > entry
    data = follow(
        np.floor(entry[seen]).astype(np.int64), np.ceil(np.minimum(death, end)[seen]).astype(np.int64),
        (death <= end)[seen].astype(np.int64), origin=origin[seen].astype(np.int64), birth=birth[seen],
        covariates=pd.DataFrame({"sex": sex[seen]}),
    )  # fmt: skip
    truth = {year: float(np.exp(-rate * year).mean()) for year in (START, *TIMES)}
    return data, truth


def coverage_of_net_survival(setting: Setting) -> Iterator[Row]:
    """Cover net survival at two times fixed beforehand: no excess, with late entry, and a planted excess."""
    from epi.survival import estimate_net_survival, life_table

    table = life_table(extend="nearest")
    generator = np.random.Generator(np.random.PCG64(61))
    ways = {
        "no excess": (2_000, 0.0, False),
        "no excess, late entry": (2_000, 0.0, True),
        "excess of 6 % a year": (600, 0.06, False),
        "excess of 6 % a year, late entry": (600, 0.06, True),
    }
    for words, (size, excess, late) in ways.items():
        covered = dict.fromkeys(TIMES, 0)
        for _ in range(setting.replicates):
            data, truth = draw_patients(generator, size, table, excess, late)
            curve = estimate_net_survival(data, table)
            found = (curve.conditional(START, unit="years") if late else curve).at(TIMES, "years").set_index("time")
            for year in TIMES:
                row = found.loc[int(year * YEAR)]
                target = truth[year] / truth[START] if late else truth[year]
                covered[year] += bool(row["ci_low"] <= target <= row["ci_high"])
        for year in TIMES:
            yield held(
                f"{words}{f' from {START} year on' if late else ''}, {size:,} persons, {year} years",
                covered[year],
                setting.replicates,
            )


def ways_that_fail(setting: Setting) -> Iterator[Row]:
    """Show what must not be done: limits of few deaths, entry left out."""
    from epi.survival import estimate_net_survival, life_table

    table = life_table(extend="nearest")
    generator = np.random.Generator(np.random.PCG64(62))
    few, unlate, said = 0, 0, 0
    for _ in range(setting.replicates):
        data, _ = draw_patients(generator, 200, table, 0.0, False)
        curve = estimate_net_survival(data, table)
        row = curve.at([0.7], "years").iloc[0]
        few += bool(row["ci_low"] <= 1 <= row["ci_high"])
        said += any("cover less often" in note for note in curve.notes)
        data, truth = draw_patients(generator, 600, table, 0.06, True)
        zero = follow(np.zeros_like(data.entry), data.exit, data.event, origin=data.origin, birth=data.birth,
                      covariates=data.covariates)  # fmt: skip
        row = estimate_net_survival(zero, table).at([5], "years").iloc[0]
        unlate += bool(row["ci_low"] <= truth[5] <= row["ci_high"])
    yield failed("no excess, 200 persons, 0.7 years, about 4 deaths", few, setting.replicates)
    yield "the curve's notes say so", f"{said} of {setting.replicates} curves", said == setting.replicates
    yield failed("excess of 6 % a year, 5 years, entry left out", unlate, setting.replicates)


PROOFS: list[Proof] = [
    ("Net survival: coverage", coverage_of_net_survival),
    ("Net survival: what fails", ways_that_fail),
]
