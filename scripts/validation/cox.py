"""Limits of hazard ratios cover the truth: late entry, clusters, weights, competing causes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from validation.proof import Proof, Row, Setting
from validation.survival_curves import YEAR, failed, follow, held

LOG_RATIO = 0.5


def covers(model: Any, truth: float, row: int = 0) -> bool:
    """Tell whether a model's interval holds a log ratio."""
    one = model.table.iloc[row]
    return bool(np.log(one["ci_low"]) <= truth <= np.log(one["ci_high"]))


def told(count: dict[str, int], wrong: tuple[str, ...], replicates: int) -> Iterator[Row]:
    """Say what covered, and what was shown to fail."""
    for words, covered in count.items():
        yield (failed if words in wrong else held)(words, covered, replicates)


def ratios_with_late_entry(setting: Setting) -> Iterator[Row]:
    """Cover a ratio on the scale of age, where the exposed are seen later in life."""
    from epi.survival import fit_cox

    generator = np.random.Generator(np.random.PCG64(51))
    count = dict.fromkeys(("entry counted, Efron", "entry counted, Breslow", "entry left out"), 0)
    for _ in range(setting.replicates):
        size = 2_500
        x = generator.integers(0, 2, size)
        death = 20 * (generator.exponential(1, size) / np.exp(LOG_RATIO * x)) ** (1 / 1.3) * YEAR
        entry = generator.uniform(0, 6, size) * YEAR + 8 * YEAR * x
        seen = death > entry
        end = entry + generator.uniform(2, 15, size) * YEAR
        begin = np.floor(entry).astype(np.int64)[seen]
        exit_ = np.ceil(np.minimum(death, end)).astype(np.int64)[seen]
        event = (death <= end).astype(np.int64)[seen]
        table = pd.DataFrame({"x": x[seen]})
        for words in count:
            data = follow(begin if "counted" in words else 0 * begin, exit_, event, covariates=table)
            count[words] += covers(fit_cox(data, ["x"], ties="breslow" if "Breslow" in words else "efron"), LOG_RATIO)
    yield from told(count, ("entry left out",), setting.replicates)


def ratios_with_clusters(setting: Setting) -> Iterator[Row]:
    """Cover a marginal ratio where hospitals share a frailty and each has one policy.

    A positive stable frailty of index a leaves hazards proportional: the marginal log ratio is a times the one within.
    """
    from epi.survival import fit_cox

    generator = np.random.Generator(np.random.PCG64(52))
    index, sites, size = 0.7, 100, 800
    count = dict.fromkeys(("clusters counted", "clusters left out"), 0)
    for _ in range(setting.replicates):
        site, policy = generator.integers(0, sites, size), generator.integers(0, 2, sites)
        angle, wait = generator.uniform(0, np.pi, sites), generator.exponential(1, sites)
        # Chambers, Mallows and Stuck (JASA 1976).
        frailty = (
            np.sin(index * angle) / np.sin(angle) ** (1 / index)
            * (np.sin((1 - index) * angle) / wait) ** ((1 - index) / index)
        )  # fmt: skip
        x = policy[site]
        death = 6 * YEAR * generator.exponential(1, size) / (frailty[site] * np.exp(LOG_RATIO / index * x))
        end = generator.uniform(1, 8, size) * YEAR
        exit_, event = np.ceil(np.minimum(death, end)).astype(np.int64), (death <= end).astype(np.int64)
        zero, table = np.zeros(size, dtype=np.int64), pd.DataFrame({"x": x})
        for words in count:
            more = {"cluster": np.unique(site, return_inverse=True)[1]} if "counted" in words else {}
            count[words] += covers(fit_cox(follow(zero, exit_, event, covariates=table, **more), ["x"]), LOG_RATIO)
    yield from told(count, ("clusters left out",), setting.replicates)


def ratios_with_weights(setting: Setting) -> Iterator[Row]:
    """Cover the ratio of everybody where the exposed without event are sampled less."""
    from epi.survival import fit_cox

    generator = np.random.Generator(np.random.PCG64(53))
    count = dict.fromkeys(("weights counted", "weights left out"), 0)
    for _ in range(setting.replicates):
        size = 1_500
        x, z = generator.integers(0, 2, size), generator.normal(size=size)
        death = generator.exponential(8 * YEAR, size) / np.exp(LOG_RATIO * x + 0.4 * z)
        end = generator.uniform(1, 9, size) * YEAR
        event = (death <= end).astype(np.int64)
        chance = np.where(event == 1, 0.9, np.where(x == 1, 0.25, 0.5))
        kept = generator.random(size) < chance
        exit_ = np.ceil(np.minimum(death, end)).astype(np.int64)[kept]
        table, zero = pd.DataFrame({"x": x[kept], "z": z[kept]}), np.zeros(int(kept.sum()), dtype=np.int64)
        for words in count:
            more = {"weight": 1 / chance[kept]} if "counted" in words else {}
            found = fit_cox(follow(zero, exit_, event[kept], covariates=table, **more), ["x", "z"])
            count[words] += covers(found, LOG_RATIO)
    yield from told(count, ("weights left out",), setting.replicates)


def predicted_curves(setting: Setting) -> Iterator[Row]:
    """Cover predicted survival where clusters share a risk unknown to the model, and where weights are unequal."""
    from epi.survival import fit_cox

    generator = np.random.Generator(np.random.PCG64(55))
    right, wrong = ("clusters counted", "weights counted"), ("clusters left out", "weights left out")
    count = dict.fromkeys((right[0], wrong[0], right[1], wrong[1]), 0)
    nodes, shares = np.polynomial.hermite_e.hermegauss(60)
    among = float(shares @ np.exp(-1 / (3 * np.exp(-0.8 * nodes))) / shares.sum())
    profile = pd.DataFrame({"x": [0]})

    def holds(model: Any, year: float, truth: float) -> int:
        row = model.predict_survival(profile, at_years=[year]).table.iloc[0]
        return int(row["ci_low"] <= truth <= row["ci_high"])

    for _ in range(setting.replicates):
        cluster = np.repeat(np.arange(40), 25)
        zero, x = np.zeros(len(cluster), dtype=np.int64), generator.integers(0, 2, len(cluster))
        life = 3 * YEAR * generator.exponential(1, len(cluster)) / np.exp(generator.normal(0, 0.8, 40))[cluster]
        end = generator.uniform(0.5, 5, len(cluster)) * YEAR
        exit_, event = np.ceil(np.minimum(life, end)).astype(np.int64), (life <= end).astype(np.int64)
        for words in (right[0], wrong[0]):
            more = {"cluster": cluster} if words == right[0] else {}
            data = follow(zero, exit_, event, covariates=pd.DataFrame({"x": x}), **more)
            count[words] += holds(fit_cox(data, ["x"]), 1, among)
        size = 1_500
        x = generator.integers(0, 2, size)
        life, end = generator.exponential(8 * YEAR, size) / np.exp(LOG_RATIO * x), generator.uniform(1, 9, size) * YEAR
        event = (life <= end).astype(np.int64)
        chance = np.where(event == 1, 0.9, 0.3)
        kept = generator.random(size) < chance
        exit_, zero = np.ceil(np.minimum(life, end)).astype(np.int64)[kept], np.zeros(int(kept.sum()), dtype=np.int64)
        for words in (right[1], wrong[1]):
            # Of any unit: a weight of 1,000 is not a thousand persons.
            more = {"weight": 1000 / chance[kept]} if words == right[1] else {}
            data = follow(zero, exit_, event[kept], covariates=pd.DataFrame({"x": x[kept]}), **more)
            count[words] += holds(fit_cox(data, ["x"]), 3, float(np.exp(-3 / 8)))
    yield from told(count, wrong, setting.replicates)


def subdistribution_ratios(setting: Setting) -> Iterator[Row]:
    """Cover a planted ratio of the subdistribution (the design of Fine and Gray), with late entry or none."""
    from epi.survival import fit_cox, fit_fine_gray

    generator = np.random.Generator(np.random.PCG64(54))
    share, scale = 0.6, 5 * YEAR
    right = ("weights, variance over persons", "Fine and Gray's variance", "weights, late entry")
    wrong = ("cause-specific ratio taken for it", "late entry left out")
    count = dict.fromkeys((*right, *wrong), 0)
    for _ in range(setting.replicates):
        size = 1_600
        x = generator.integers(0, 2, size)
        ratio = np.exp(LOG_RATIO * x)
        ever = 1 - (1 - share) ** ratio
        first = generator.random(size) < ever
        level = generator.random(size) * ever
        own = -np.log(1 - (1 - (1 - level) ** (1 / ratio)) / share)
        other = generator.exponential(1, size) / np.exp(-1.2 * x)
        happens = scale * np.where(first, own, other)
        cause = np.where(first, 1, 2)
        entry = generator.uniform(0, 8, size) * YEAR * (generator.random(size) < 0.8)
        for late in (False, True):
            begin = entry if late else np.zeros(size)
            end = begin + generator.uniform(1, 10, size) * YEAR
            # Half of the persons without late entry, so that both have about the same number.
            seen = (happens > begin) & (late | (np.arange(size) < 800))
            event = np.where(happens <= end, cause, 0)[seen]
            exit_ = np.ceil(np.minimum(happens, end)).astype(np.int64)[seen]
            start, table = np.floor(begin).astype(np.int64)[seen], pd.DataFrame({"x": x[seen]})
            data = follow(start, exit_, event, ("relapse", "death"), covariates=table)
            if late:
                count[right[2]] += covers(fit_fine_gray(data, ["x"], cause="relapse"), LOG_RATIO)
                bare = follow(0 * start, exit_, event, ("relapse", "death"), covariates=table)
                count[wrong[1]] += covers(fit_fine_gray(bare, ["x"], cause="relapse"), LOG_RATIO)
                continue
            count[right[0]] += covers(fit_fine_gray(data, ["x"], cause="relapse"), LOG_RATIO)
            count[right[1]] += covers(fit_fine_gray(data, ["x"], cause="relapse", method="crr"), LOG_RATIO)
            count[wrong[0]] += covers(fit_cox(data, ["x"], cause="relapse"), LOG_RATIO)
    yield from told(count, wrong, setting.replicates)


PROOFS: list[Proof] = [
    ("Hazard ratios: late entry", ratios_with_late_entry),
    ("Hazard ratios: clusters", ratios_with_clusters),
    ("Hazard ratios: weights", ratios_with_weights),
    ("Predicted curves: clusters and weights", predicted_curves),
    ("Subdistribution hazard ratios: competing causes", subdistribution_ratios),
]
