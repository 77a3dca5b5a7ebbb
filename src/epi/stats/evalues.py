"""E-values: how strong an unmeasured confounder would have to be to explain an association away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from epi.errors import ParameterError

Measure = Literal["RR", "OR", "HR"]


@dataclass(frozen=True)
class EValue:
    """Strength of unmeasured confounding that would explain an association.

    Parameters
    ----------
    estimate : float
        Least ratio that a confounder would need with both exposure and outcome, beyond what was
        adjusted for, to bring the estimate to `true`; 1 when it is already there.
    limit : float or None
        The same for the interval's limit nearest to `true`; 1 when the interval holds it, None
        without an interval.
    risk_ratio : float
        The estimate as a risk ratio, on which the calculation is done.
    """

    estimate: float
    limit: float | None
    risk_ratio: float

    def __str__(self) -> str:
        limit = "" if self.limit is None else f"; limit of the interval {self.limit:.2f}"
        return f"E-value {self.estimate:.2f}{limit}"


def e_value(
    estimate: float,
    low: float | None = None,
    high: float | None = None,
    *,
    measure: Measure = "RR",
    common: bool = False,
    true: float = 1.0,
) -> EValue:
    """Compute the E-value of a ratio and of its interval.

    Parameters
    ----------
    estimate : float
        The ratio, above zero.
    low, high : float, optional
        Its interval; both or none.
    measure : {"RR", "OR", "HR"}, optional
        Risk or rate ratio, odds ratio, hazard ratio.
    common : bool, optional
        Whether the outcome is common (above 15 % at the end of follow-up): an odds ratio is then
        brought to a risk ratio by its square root, a hazard ratio by the approximation below. With
        a rare outcome both are taken as they are.
    true : float, optional
        Ratio that confounding would have to bring the estimate to, on the risk ratio scale.

    Returns
    -------
    EValue
        For the estimate and for the nearest limit.

    Raises
    ------
    ParameterError
        If a ratio is not above zero, the limits do not hold the estimate, or one is given alone.

    Notes
    -----
    With RR above 1, E = RR + sqrt(RR (RR - 1)); a ratio below 1 is inverted first. Common hazard ratio:
    RR = (1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1/HR)). VanderWeele and Ding, Ann Intern Med 2017;167:268. An
    E-value says nothing of chance, of selection or of measurement error.

    Examples
    --------
    >>> found = e_value(3.9, 1.8, 8.7)
    >>> round(found.estimate, 2), round(found.limit, 2)
    (7.26, 3.0)
    """
    if measure not in ("RR", "OR", "HR"):
        raise ParameterError(f"measure is {measure!r}", "RR, OR or HR")
    if (low is None) != (high is None):
        raise ParameterError("one limit of the interval is given", "both limits, or none")
    given = [estimate, true] if low is None or high is None else [estimate, true, low, high]
    if not all(math.isfinite(value) and value > 0 for value in given):
        raise ParameterError("a ratio is missing, infinite or not above zero", "ratios above zero")
    if low is not None and high is not None and not low <= estimate <= high:
        raise ParameterError(f"the interval {low:g} to {high:g} does not hold {estimate:g}", "low <= estimate <= high")
    ratio = _risk_ratio(estimate, measure, common)
    limit = None
    if low is not None and high is not None:
        nearest = _risk_ratio(low if ratio > true else high, measure, common)
        crossed = nearest <= true if ratio > true else nearest >= true
        limit = 1.0 if crossed else _strength(nearest / true)
    return EValue(_strength(ratio / true), limit, ratio)


def _risk_ratio(value: float, measure: str, common: bool) -> float:
    if measure == "RR" or not common:
        return value
    if measure == "OR":
        return math.sqrt(value)
    return (1 - 0.5 ** math.sqrt(value)) / (1 - 0.5 ** math.sqrt(1 / value))


def _strength(ratio: float) -> float:
    ratio = max(ratio, 1 / ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))
