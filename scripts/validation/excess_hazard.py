"""Limits of a ratio of excess hazards cover what was planted, late entry too; those of a Cox model do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from validation.net_survival import FOLLOWED, STEP
from validation.proof import Proof, Row, Setting
from validation.survival_curves import YEAR, failed, follow, held

LOG_RATIO = float(np.log(1.6))
RATES = np.array([0.06, 0.03])
"""Excess deaths a year, before and from two years on."""


def draw_patients(generator: np.random.Generator, size: int, table: Any, late: bool) -> Any:
    """Draw patients whose excess has a ratio of 1.6 for x, where x goes with age."""
    origin = (np.datetime64("1995-01-01") - np.datetime64("1970-01-01")).astype(int) + generator.integers(
        0, 5 * 365, size
    )
    x = generator.integers(0, 2, size)
    age = generator.uniform(40, 65, size) + 20 * x
    birth = (origin - age * YEAR).astype(np.int64)
    sex = np.where(generator.random(size) < 0.5, "F", "M")
    grid = np.arange(0, FOLLOWED * 366, 4 * STEP)
    usual = np.stack([table.cumulative_hazard(sex, birth, origin, origin + day) for day in grid])
    reached = generator.exponential(1, size)
    death = np.array([np.interp(reached[i], usual[:, i], grid, right=np.inf) for i in range(size)])
    ratio, left = np.exp(LOG_RATIO * x), generator.exponential(1, size)
    first = RATES[0] * ratio * 2
    disease = np.where(left < first, left / (RATES[0] * ratio), 2 + (left - first) / (RATES[1] * ratio)) * YEAR
    death = np.minimum(death, disease)
    entry = generator.uniform(0, 4, size) * YEAR if late else np.zeros(size)
    end = np.minimum(entry + generator.uniform(3, 10, size) * YEAR, FOLLOWED * YEAR)
    seen = death > entry
    return follow(
        np.floor(entry[seen]).astype(np.int64), np.ceil(np.minimum(death, end)[seen]).astype(np.int64),
        (death <= end)[seen].astype(np.int64), origin=origin[seen].astype(np.int64), birth=birth[seen],
        covariates=pd.DataFrame({"sex": sex[seen], "x": x[seen]}),
    )  # fmt: skip


def coverage_of_excess_ratios(setting: Setting) -> Iterator[Row]:
    """Cover a planted ratio and the baseline's rates; a Cox model of all deaths is about another ratio."""
    from epi.survival import fit_cox, fit_excess, life_table

    table = life_table(extend="nearest")
    generator = np.random.Generator(np.random.PCG64(63))
    for late in (False, True):
        where = ", late entry" if late else ""
        ratio = rates = robust = cox = 0
        for _ in range(setting.replicates):
            data = draw_patients(generator, 1_000, table, late)
            model = fit_excess(data, table, ["x"], bands=[0, 2])
            row = model.table.iloc[0]
            ratio += bool(np.log(row["ci_low"]) <= LOG_RATIO <= np.log(row["ci_high"]))
            band = model.baseline.iloc[1]
            rates += bool(band["ci_low"] <= RATES[1] <= band["ci_high"])
            row = fit_excess(data, table, ["x"], bands=[0, 2], robust=True).table.iloc[0]
            robust += bool(np.log(row["ci_low"]) <= LOG_RATIO <= np.log(row["ci_high"]))
            row = fit_cox(data, ["x"]).table.iloc[0]
            cox += bool(np.log(row["ci_low"]) <= LOG_RATIO <= np.log(row["ci_high"]))
        yield held(f"ratio of 1.6{where}", ratio, setting.replicates)
        yield held(f"ratio of 1.6, robust variance{where}", robust, setting.replicates)
        yield held(f"excess of 3 % a year from two years on{where}", rates, setting.replicates)
        yield failed(f"ratio of all deaths (Cox), where the exposed are older{where}", cox, setting.replicates)


PROOFS: list[Proof] = [("Excess hazards: coverage", coverage_of_excess_ratios)]
