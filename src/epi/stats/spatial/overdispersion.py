"""Whether counts of areas vary more than Poisson counts with their expected numbers would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epi.errors import ParameterError
from epi.stats.spatial.empirical_bayes import check_counts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class DispersionTest:
    """A test of a constant relative risk.

    Parameters
    ----------
    name : str
        The test.
    statistic : float
        Its statistic.
    mean, sd : float
        Mean and standard deviation of the statistic when the risk is constant.
    p : float
        One-sided p by the law of reference: chi-square for Pearson's, normal for the others.
    p_simulated : float
        One-sided p by simulation: (1 + draws at least as large) / (1 + draws).
    draws : int
        Number of draws.
    """

    name: str
    statistic: float
    mean: float
    sd: float
    p: float
    p_simulated: float
    draws: int


def dispersion_tests(
    observed: ArrayLike, expected: ArrayLike, *, draws: int = 9_999, seed: int = 1
) -> tuple[DispersionTest, ...]:
    """Test whether the relative risk is the same in all areas.

    Parameters
    ----------
    observed : array-like of int
        Cases of each area.
    expected : array-like of float
        Expected cases of each area; brought to the observed total, which is what is known when the
        common risk is not.
    draws : int, optional
        Draws of the observed total over areas, multinomial with the expected numbers.
    seed : int, optional
        Seed of the draws; areas are drawn in the order of their expected numbers, so that the order
        of rows does not matter.

    Returns
    -------
    tuple of DispersionTest
        Pearson's chi-square; Potthoff and Whittinghill's, whose power is for gamma distributed risks;
        Dean's score test corrected for the estimated mean.

    Raises
    ------
    EstimationError
        If the counts are at fault.
    ParameterError
        If the number of draws is too small.

    Notes
    -----
    Potthoff RF, Whittinghill M. Testing for homogeneity: II. The Poisson distribution. Biometrika
    1966;53:183-190: the sum of O(O - 1)/E times the sum of E; given the total n of k areas, its mean is
    n(n - 1) and its variance 2(k - 1)n(n - 1). Dean CB. Testing for overdispersion in Poisson and
    binomial regression models. JASA 1992;87:451-457, the statistic P'_B. Where expected numbers are
    small the laws of reference are rough: the simulated p holds whatever they are.

    Examples
    --------
    >>> for test in dispersion_tests([9, 39, 11, 2, 1], [1.4, 8.7, 6.0, 5.5, 4.2], draws=999):
    ...     print(test.name, round(test.statistic, 1), test.p_simulated)
    Pearson 43.6 0.001
    Potthoff-Whittinghill 6204.1 0.001
    Dean 12.3 0.001
    """
    from scipy import stats

    if draws < 99:
        raise ParameterError(f"draws is {draws}", "99 or more", "draws=9999")
    y, e = check_counts(observed, expected)
    order = np.lexsort((y, e))
    y, e = y[order], e[order]
    n, k = int(y.sum()), len(y)
    share = e / e.sum()
    mu = n * share
    scale = np.sqrt(2 * (mu**2).sum())

    def pearson(counts: np.ndarray) -> np.ndarray:
        return np.asarray(((counts - mu) ** 2 / mu).sum(axis=-1))

    def potthoff(counts: np.ndarray) -> np.ndarray:
        return np.asarray((counts * (counts - 1) / share).sum(axis=-1))

    def dean(counts: np.ndarray) -> np.ndarray:
        return np.asarray(((counts - mu) ** 2 - counts + share * mu).sum(axis=-1) / scale)

    functions = {"Pearson": pearson, "Potthoff-Whittinghill": potthoff, "Dean": dean}
    found = {name: float(function(y)) for name, function in functions.items()}
    above = dict.fromkeys(functions, 0)
    random = np.random.default_rng(seed)
    step = max(1, 2_000_000 // k)
    for start in range(0, draws, step):
        counts = random.multinomial(n, share, size=min(step, draws - start)).astype(float)
        for name, function in functions.items():
            # Ties are counted as at least as large, whatever the rounding of the sums.
            above[name] += int((function(counts) >= found[name] * (1 - 1e-12 * np.sign(found[name]))).sum())
    pairs = float(n) * (n - 1)
    laws = {
        "Pearson": (k - 1.0, np.sqrt(2.0 * (k - 1)), stats.chi2.sf(found["Pearson"], k - 1)),
        # A single case has no pairs: nothing varies, and the limit law has no p.
        "Potthoff-Whittinghill": (
            pairs,
            np.sqrt(2 * (k - 1) * pairs),
            stats.norm.sf(found["Potthoff-Whittinghill"], pairs, np.sqrt(2 * (k - 1) * pairs)) if pairs else np.nan,
        ),
        "Dean": (0.0, 1.0, stats.norm.sf(found["Dean"])),
    }
    return tuple(
        DispersionTest(name, found[name], mean, float(sd), float(p), (1 + above[name]) / (1 + draws), draws)
        for name, (mean, sd, p) in laws.items()
    )
