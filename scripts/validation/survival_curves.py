"""Curves cover the truth, and tests between them keep their level: late entry, weights, clusters, competing causes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from validation.proof import Proof, Row, Setting

YEAR = 365.25


def follow(entry: Any, exit_: Any, event: Any, causes: tuple[str, ...] = ("death",), **more: Any) -> Any:
    """Make survival data of arrays; columns of ``covariates`` come along."""
    from epi.survival import SurvivalData

    size = len(exit_)
    more.setdefault("covariates", pd.DataFrame(index=pd.RangeIndex(size)))
    return SurvivalData(np.asarray(entry), np.asarray(exit_), np.asarray(event), causes, np.arange(size), **more)


def late_cohort(generator: np.random.Generator, size: int, latest: float = 12.0) -> tuple[np.ndarray, ...]:
    """Draw persons seen only if alive at a late entry: entry, exit and event in days; Weibull deaths."""
    kept: list[np.ndarray] = []
    while sum(len(part[0]) for part in kept) < size:
        death = 20 * generator.weibull(1.3, 4 * size) * YEAR
        entry = generator.uniform(0, latest, 4 * size) * YEAR
        there = death > entry
        kept.append(np.stack([entry[there], death[there]]))
    entry, death = np.concatenate(kept, axis=1)[:, :size]
    end = entry + generator.uniform(2, 15, size) * YEAR
    exit_ = np.ceil(np.minimum(death, end)).astype(np.int64)
    return np.floor(entry).astype(np.int64), exit_, (death <= end).astype(np.int64)


def held(what: str, covered: int, replicates: int) -> Row:
    """Hold a number of intervals that cover against 95 %."""
    p = binomtest(covered, replicates, 0.95).pvalue
    return what, f"{covered} of {replicates} intervals cover ({covered / replicates:.1%})", p > 0.001


def failed(what: str, covered: int, replicates: int) -> Row:
    """Hold that a naive method fails, or the proof would show nothing."""
    p = binomtest(covered, replicates, 0.95, alternative="less").pvalue
    return (
        f"{what}, is shown to fail",
        f"{covered} of {replicates} intervals cover ({covered / replicates:.1%})",
        p < 0.001,
    )


def coverage_with_late_entry(setting: Setting) -> Iterator[Row]:
    """Cover a planted curve from five years on, for persons who are seen only if they live to their entry."""
    from epi.survival import estimate_survival

    generator = np.random.Generator(np.random.PCG64(41))
    start, end = int(5 * YEAR), int(15 * YEAR)
    truth = float(np.exp(-((end / YEAR / 20) ** 1.3) + (start / YEAR / 20) ** 1.3))
    count = dict.fromkeys(("entry counted, log-log", "entry counted, plain", "entry left out"), 0)
    for _ in range(setting.replicates):
        entry, exit_, event = late_cohort(generator, 400)
        for words in count:
            data = follow(entry if "counted" in words else np.zeros_like(entry), exit_, event)
            found = estimate_survival(data, interval="plain" if "plain" in words else "log-log").conditional(start)
            row = found.at([end]).iloc[0]
            count[words] += bool(row["ci_low"] <= truth <= row["ci_high"])
    for words, covered in count.items():
        wrong = words == "entry left out"
        yield (failed if wrong else held)(f"S(15) / S(5), {words}", covered, setting.replicates)


def coverage_with_clusters(setting: Setting) -> Iterator[Row]:
    """Cover a planted marginal curve where hospitals share a frailty and one kind of person is sampled less."""
    from epi.survival import compare_rmst, estimate_survival

    generator = np.random.Generator(np.random.PCG64(42))
    sites, size, spread, day = 80, 1_200, 0.6, int(5 * YEAR)
    rate = np.array([0.05, 0.15])
    truth = float(np.mean((1 + spread * rate * day / YEAR) ** (-1 / spread)))
    count = dict.fromkeys(("weights and clusters", "weights without clusters", "neither"), 0)
    contrast = 0
    horizon = np.arange(day)
    means = [((1 + spread * each * horizon / YEAR) ** (-1 / spread)).sum() for each in rate]
    for _ in range(setting.replicates):
        site, kind = generator.integers(0, sites, size), generator.integers(0, 2, size)
        frailty = generator.gamma(1 / spread, spread, sites)[site]
        death = generator.exponential(YEAR / (rate[kind] * frailty))
        end = generator.uniform(4, 9, size) * YEAR
        chance = np.array([0.9, 0.4])[kind]
        seen = generator.random(size) < chance
        exit_ = np.ceil(np.minimum(death, end)).astype(np.int64)[seen]
        event, zero = (death <= end).astype(np.int64)[seen], np.zeros(int(seen.sum()), dtype=np.int64)
        kinds = pd.DataFrame({"kind": kind[seen]})
        for words in count:
            more: dict[str, Any] = {} if words == "neither" else {"weight": 1 / chance[seen]}
            if "and clusters" in words:
                more["cluster"] = site[seen]
            row = estimate_survival(follow(zero, exit_, event, covariates=kinds, **more)).at([day]).iloc[0]
            count[words] += bool(row["ci_low"] <= truth <= row["ci_high"])
        shared = follow(zero, exit_, event, covariates=kinds, weight=1 / chance[seen], cluster=site[seen])
        pair = compare_rmst(shared, day, "kind").table.iloc[1]
        contrast += bool(pair["difference_low"] <= means[1] - means[0] <= pair["difference_high"])
    for words, covered in count.items():
        right = words == "weights and clusters"
        yield (held if right else failed)(f"S(5), {words}", covered, setting.replicates)
    yield held("difference of restricted means, clusters shared by both groups", contrast, setting.replicates)


def coverage_of_incidences(setting: Setting) -> Iterator[Row]:
    """Cover planted cumulative incidences of two causes, with late entry and from time zero."""
    from epi.survival import estimate_cumulative_incidence

    generator = np.random.Generator(np.random.PCG64(43))
    start, end, rates = int(3 * YEAR), int(10 * YEAR), np.array([0.04, 0.08])
    total = float(rates.sum())
    count = dict.fromkeys(("late entry, jackknife", "time zero, jackknife", "time zero, Aalen"), 0)
    for _ in range(setting.replicates):
        size = 600
        happens = generator.exponential(1 / total, size) * YEAR
        cause = 1 + (generator.random(size) > rates[0] / total).astype(np.int64)
        entry = generator.uniform(0, 6, size) * YEAR
        end_of = entry + generator.uniform(2, 12, size) * YEAR
        for words in count:
            late = words.startswith("late")
            begin = np.floor(entry) if late else np.zeros(size)
            kept = happens > (entry if late else 0)
            exit_ = np.ceil(np.minimum(happens, end_of))[kept].astype(np.int64)
            event = np.where(happens <= end_of, cause, 0)[kept]
            data = follow(begin[kept].astype(np.int64), exit_, event, ("a", "b"))
            found = estimate_cumulative_incidence(data, variance="aalen" if "Aalen" in words else "jackknife")
            since = (end - start) if late else end
            row = (found.conditional(start) if late else found).at([end]).iloc[0]
            truth = rates[0] / total * -np.expm1(-total * since / YEAR)
            count[words] += bool(row["ci_low"] <= truth <= row["ci_high"])
    for words, covered in count.items():
        yield held(f"incidence of the rarer cause, {words}", covered, setting.replicates)


def level_of_tests(setting: Setting) -> Iterator[Row]:
    """Reject as often as said where groups do not differ, and more often where the method does not hold."""
    from epi.survival import compare_incidence, compare_survival

    generator = np.random.Generator(np.random.PCG64(44))
    late = ("log-rank, late entry", "Gehan, late entry", "Fleming-Harrington (0, 1), late entry", "entry left out")
    other = ("log-rank, groups of whole clusters, robust", "the same, not robust", "Gray, other cause differs not")
    count = dict.fromkeys((*late, *other), 0)
    for _ in range(setting.replicates):
        parts = [late_cohort(generator, 200, latest) for latest in (4.0, 14.0)]
        entry, exit_, event = (np.concatenate(pair) for pair in zip(*parts, strict=True))
        groups = pd.DataFrame({"group": np.repeat([0, 1], 200)})
        data = follow(entry, exit_, event, covariates=groups)
        count[late[0]] += compare_survival(data, "group").p < 0.05
        count[late[1]] += compare_survival(data, "group", test="gehan").p < 0.05
        count[late[2]] += compare_survival(data, "group", test="fleming-harrington", gamma=1).p < 0.05
        count[late[3]] += compare_survival(follow(0 * entry, exit_, event, covariates=groups), "group").p < 0.05
        site = generator.integers(0, 100, 600)
        frailty = generator.gamma(1 / 0.8, 0.8, 100)[site]
        death, end = generator.exponential(8 * YEAR / frailty), generator.uniform(2, 9, 600) * YEAR
        stay, dead = np.ceil(np.minimum(death, end)).astype(np.int64), (death <= end).astype(np.int64)
        whole = pd.DataFrame({"group": site % 2})
        zero = np.zeros(600, dtype=np.int64)
        shared = follow(zero, stay, dead, covariates=whole, cluster=site)
        count[other[0]] += compare_survival(shared, "group").p < 0.05
        count[other[1]] += compare_survival(follow(zero, stay, dead, covariates=whole), "group").p < 0.05
        cause = np.where(dead > 0, 1 + generator.integers(0, 2, 600), 0)
        free = follow(zero, stay, cause, ("a", "b"), covariates=pd.DataFrame({"group": generator.integers(0, 2, 600)}))
        count[other[2]] += compare_incidence(free, "group", cause="a").p < 0.05
    for words, rejected in count.items():
        wrong = words in ("entry left out", "the same, not robust")
        p = binomtest(int(rejected), setting.replicates, 0.05, alternative="greater" if wrong else "two-sided").pvalue
        found = f"{rejected} of {setting.replicates} rejected ({rejected / setting.replicates:.1%})"
        yield words + (", is shown to fail" if wrong else ""), found, (p < 0.001) if wrong else (p > 0.001)


PROOFS: list[Proof] = [
    ("Survival curves: late entry", coverage_with_late_entry),
    ("Survival curves: weights and clusters", coverage_with_clusters),
    ("Cumulative incidence: competing causes", coverage_of_incidences),
    ("Tests between curves: level", level_of_tests),
]
