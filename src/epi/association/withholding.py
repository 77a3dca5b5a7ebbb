"""What figures that bear on all areas may say where some counts are hidden.

Moran's I, a test of overdispersion or the law that smoothed ratios are drawn towards depends on every count. Where few
are hidden and the others are printed, the values that are left can be tried one by one, and only one combination gives
what was printed: so it was with one hidden count among 310, and with five among 53. From ten on there are ten billion
combinations. Below, tests give the class of p alone, and smoothed ratios are published as what is printed makes them:
hidden counts are replaced by a number that does not depend on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from epi.disclosure.door import read_granted
from epi.disclosure.gate import check_release
from epi.disclosure.policy import Policy, read_policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.association.sir import Lang, Sir

LEAST_HIDDEN = 10
"""As many hidden counts, or none, and figures that bear on all of them may leave."""
P_CLASSES = (0.01, 0.05, 0.1)

_WORDS = {
    "en": " Some counts must be hidden, but of fewer than {least} areas: statistics of all areas would give them back "
    "and are withheld, and p is given by class.",
    "fr": " Des effectifs sont à masquer, mais de moins de {least} territoires : les statistiques qui portent sur tous "
    "les rendraient et sont retenues, et p est donné par classe.",
}


def active_policy() -> Policy:
    """Give the rules of the study in progress.

    Returns
    -------
    Policy
        The package's rules, with what the protocol of the study allows.
    """
    return read_policy().for_protocol(read_granted())


def count_small(observed: Any) -> int:
    """Count the areas whose number of cases must be hidden.

    Parameters
    ----------
    observed : array-like of float
        Cases of each area.

    Returns
    -------
    int
        Areas with a case, and fewer than the policy's minimum.

    Examples
    --------
    >>> count_small([0, 1, 10, 11])
    2
    """
    counts = np.asarray(observed, dtype=float)
    return int(((counts > 0) & (counts < active_policy().min_count)).sum())


def must_withhold(small: int) -> bool:
    """Tell whether statistics of all areas would give hidden counts back.

    Parameters
    ----------
    small : int
        Areas whose count must be hidden.

    Returns
    -------
    bool
        True from one to nine.

    Examples
    --------
    >>> [must_withhold(small) for small in (0, 1, 9, 10)]
    [False, True, True, False]
    """
    return 0 < small < LEAST_HIDDEN


def find_hidden(sir: Sir) -> NDArray[np.bool_]:
    """Find the areas whose count would not be printed in a table of all areas.

    Parameters
    ----------
    sir : Sir
        Incidence ratios by area.

    Returns
    -------
    ndarray of bool
        In the order of the table: small counts, and those that the gate hides to protect them.
    """
    policy = active_policy()
    counts = sir.table["observed"].to_numpy(float)
    shown = check_release(sir.release(), policy).table.set_index("area")["observed"].reindex(sir.table["area"])
    small = (counts > 0) & (counts < policy.min_count)
    return np.asarray((shown.isna().to_numpy() & ~np.isnan(counts)) | small, dtype=np.bool_)


def replace_hidden(sir: Sir) -> NDArray[np.float64]:
    """Replace the counts that would be hidden by a number that does not depend on them.

    Parameters
    ----------
    sir : Sir
        Incidence ratios by area.

    Returns
    -------
    ndarray of float
        Cases of each area, in the order of the table. Where the gate would hide the count, the mean of a Poisson
        count given that it lies from 1 to the policy's minimum, less one (rounded): the law's mean is the expected
        number at the ratio of the areas that are printed. Where that mean is larger than the minimum, it stands itself.
    """
    from scipy import stats

    policy = active_policy()
    table = sir.table
    counts, expected = table["observed"].to_numpy(float, copy=True), table["expected"].to_numpy(float)
    hidden = find_hidden(sir)
    shown = ~hidden & np.isfinite(counts) & (expected > 0)
    ratio = counts[shown].sum() / expected[shown].sum() if counts[shown].sum() > 0 else 1.0
    mean = expected[hidden] * ratio
    values = np.arange(1, policy.min_count)
    mass = stats.poisson.pmf(values, np.minimum(mean, policy.min_count)[:, None])
    small = (mass * values).sum(axis=1) / mass.sum(axis=1)
    counts[hidden] = np.round(np.where(mean > policy.min_count, mean, small))
    return counts


def round_statistic(value: float, small: int) -> float:
    """Round a test of all areas to the figures that may leave.

    Parameters
    ----------
    value : float
        Value, expectation or standard deviation.
    small : int
        Areas whose count must be hidden.

    Returns
    -------
    float
        To three figures where no count is hidden, to two where enough are; missing in between.

    Examples
    --------
    >>> [round_statistic(0.1234, small) for small in (0, 3, 10)]
    [0.123, nan, 0.12]
    """
    if must_withhold(small) or not np.isfinite(value):
        return float("nan")
    return float(f"{value:.{2 if small else 3}g}")


def show_p(p: float, small: int) -> float | str | None:
    """Give a p-value as it may leave.

    Parameters
    ----------
    p : float
        A p-value; missing where there is none.
    small : int
        Areas whose count must be hidden.

    Returns
    -------
    float, str or None
        The value where no count is hidden, otherwise its class.

    Examples
    --------
    >>> show_p(0.0312, 0), show_p(0.0312, 7)
    (0.0312, '≤ 0.05')
    """
    return class_of_p(p) if small else float(p)


def class_of_p(p: float) -> str | None:
    """Give the class of a p-value.

    Parameters
    ----------
    p : float
        A p- or q-value; missing where there is none.

    Returns
    -------
    str or None
        Such as ``≤ 0.05``; None when missing.

    Examples
    --------
    >>> class_of_p(0.03), class_of_p(0.5), class_of_p(float("nan"))
    ('≤ 0.05', '> 0.1', None)
    """
    if np.isnan(p):
        return None
    return next((f"≤ {limit:g}" for limit in P_CLASSES if p <= limit), f"> {P_CLASSES[-1]:g}")


def withheld_note(small: int, lang: Lang = "en") -> str:
    """Say that figures were withheld.

    Parameters
    ----------
    small : int
        Areas whose count must be hidden.
    lang : {"fr", "en"}, optional
        Language.

    Returns
    -------
    str
        A sentence after a space; empty when nothing is withheld.

    Examples
    --------
    >>> withheld_note(0)
    ''
    """
    return _WORDS[lang].format(least=LEAST_HIDDEN) if must_withhold(small) else ""
