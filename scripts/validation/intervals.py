"""Intervals hold the truth as often as they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest

from validation.proof import Proof, Row, Setting


def coverage_of_exact_intervals(setting: Setting) -> Iterator[Row]:
    """Cover a planted ratio by exact Poisson intervals, at expected numbers fixed beforehand."""
    from epi.stats.intervals import ratio_interval

    replicates = 10 * setting.replicates
    generator = np.random.Generator(np.random.PCG64(20_260))
    for expected, ratio in ((2.0, 1.0), (5.0, 1.5), (20.0, 0.7), (54.07, 1.85)):
        observed = generator.poisson(expected * ratio, replicates)
        limits = [ratio_interval(int(count), expected) for count in observed]
        covered = sum(found.low <= ratio <= found.high for found in limits)
        # Exact limits are conservative: they may cover more than 95 %, never less.
        p = binomtest(covered, replicates, 0.95, alternative="less").pvalue
        yield (
            f"SIR, {expected:g} expected, ratio {ratio:g}",
            f"{covered} of {replicates} intervals cover ({covered / replicates:.1%})",
            p > 0.001,
        )


PROOFS: list[Proof] = [("Coverage of exact intervals", coverage_of_exact_intervals)]
