"""Diagnostics of biases say what is there, and not what is not: entry and exit, who was ever seen, immortal time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from validation.proof import Proof, Row, Setting
from validation.survival_curves import YEAR, failed, follow, held, late_cohort


def _rejected(what: str, count: int, replicates: int, *, there: bool) -> Row:
    """Hold rejections at 5 % against their level, or against nine in ten where a departure is there."""
    p = binomtest(count, replicates, 0.05).pvalue
    words = f"{count} of {replicates} tests reject at 5 % ({count / replicates:.1%})"
    return what, words, count > 0.9 * replicates if there else p > 0.001


def level_of_quasi_independence(setting: Setting) -> Iterator[Row]:
    """Reject seldom where entry tells nothing of what follows, often where those who enter late are frailer."""
    from epi.survival import check_quasi_independence

    generator = np.random.Generator(np.random.PCG64(71))
    count = dict.fromkeys(("independent", "sites share entry and exit", "later entry, frailer"), 0)
    for _ in range(setting.replicates):
        entry, exit_, event = late_cohort(generator, 300)
        count["independent"] += check_quasi_independence(follow(entry, exit_, event)).p < 0.05
        # What persons of a site share is no dependence within persons: sums over sites must stay at the level.
        site = generator.integers(0, 60, 300)
        first = generator.integers(0, 300, 60)[site]
        cohort = follow(entry[first], exit_[first], event[first], cluster=site)
        count["sites share entry and exit"] += check_quasi_independence(cohort).p < 0.05
        start = generator.uniform(0, 10, 3_000)
        death = start + generator.exponential(1, 3_000) * 8 / (1 + start)
        end = start + generator.uniform(2, 15, 3_000)
        rows = slice(0, 300)
        days = np.ceil(np.minimum(death, end) * YEAR).astype(np.int64)[rows]
        begin = np.minimum(np.floor(start * YEAR).astype(np.int64)[rows], days - 1)
        frail = follow(begin, days, (death <= end).astype(np.int64)[rows])
        count["later entry, frailer"] += check_quasi_independence(frail).p < 0.05
    yield _rejected("entry independent of exit", count["independent"], setting.replicates, there=False)
    yield _rejected("the same, 60 sites whose members are alike, clusters counted",
                    count["sites share entry and exit"], setting.replicates, there=False)  # fmt: skip
    yield _rejected("those who enter late are frailer: found", count["later entry, frailer"], setting.replicates,
                    there=True)  # fmt: skip


def coverage_of_ascertainment(setting: Setting) -> Iterator[Row]:
    """Cover the planted share of births that is ever seen; the incidence's own error left out, the limits fail."""
    from epi.survival import estimate_ascertainment

    generator = np.random.Generator(np.random.PCG64(72))
    births = pd.DataFrame({"birth_year": range(2000, 2010), "births": 780_000})
    incidence, error, share = 20.0, 0.12, 0.7
    count = dict.fromkeys(("with the limits of the incidence", "with the incidence taken as known"), 0)
    for _ in range(setting.replicates):
        seen = generator.poisson(births["births"] * incidence * share / 1e5)
        told = pd.DataFrame({"birth_year": births["birth_year"], "n": seen})
        log = np.log(incidence) + error * generator.standard_normal()
        published = tuple(float(np.exp(log + z * error)) for z in (0, -1.959964, 1.959964))
        for words in count:
            given = published if "limits" in words else published[0]
            row = estimate_ascertainment(told, given, births, count="n").totals.iloc[0]
            count[words] += bool(row["ci_low"] <= share <= row["ci_high"])
    for words, covered in count.items():
        yield (held if "limits" in words else failed)(f"70 % of births, {words}", covered, setting.replicates)


def coverage_of_a_late_exposure(setting: Setting) -> Iterator[Row]:
    """Cover a ratio of 1 for a treatment that begins during follow-up; counted from the start on, it seems to save."""
    from epi.survival import fit_cox, split_at_exposure

    generator = np.random.Generator(np.random.PCG64(73))
    right = wrong = 0
    for _ in range(setting.replicates):
        death, end = generator.exponential(6, 400) * YEAR, generator.uniform(2, 10, 400) * YEAR
        exit_ = np.ceil(np.minimum(death, end)).astype(np.int64)
        treated = np.floor(generator.exponential(4, 400) * YEAR)
        ever = treated < exit_
        data = follow(
            np.zeros(400, dtype=np.int64), exit_, (death <= end).astype(np.int64),
            covariates=pd.DataFrame({"treated": np.where(ever, treated, np.nan), "ever": ever.astype(int)}),
        )  # fmt: skip
        row = fit_cox(split_at_exposure(data, "treated"), ["exposed"]).table.iloc[0]
        right += bool(row["ci_low"] <= 1 <= row["ci_high"])
        row = fit_cox(data, ["ever"]).table.iloc[0]
        wrong += bool(row["ci_low"] <= 1 <= row["ci_high"])
    yield held("time before a treatment counted as untreated, ratio of 1", right, setting.replicates)
    yield failed("the ever treated from the start on (immortal time), ratio of 1", wrong, setting.replicates)


PROOFS: list[Proof] = [
    ("Biases: independence of entry and exit", level_of_quasi_independence),
    ("Biases: ascertainment", coverage_of_ascertainment),
    ("Biases: immortal time", coverage_of_a_late_exposure),
]
