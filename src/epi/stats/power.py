"""The smallest ratio that a study of given size finds with given power."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from epi.errors import EstimationError, ParameterError

LARGEST = 1e4
"""A ratio beyond this is said not to be detectable."""


def log_ratio_variance(
    log_ratio: float, cases: float, controls: float | None = None, prevalence: float | None = None
) -> float:
    """Variance of the estimated log ratio, from the information of its model.

    Parameters
    ----------
    log_ratio : float
        True log ratio: of the yes/no exposure, or per standard deviation of a normal one.
    cases : float
        Number of cases.
    controls : float, optional
        Number of controls; None for cases of a population with known persons at risk.
    prevalence : float, optional
        Share of the source population that is exposed; None for a continuous exposure, normal with
        standard deviation 1 in it.

    Returns
    -------
    float
        Variance of the maximum likelihood estimate, no adjustment, independent persons.

    Notes
    -----
    Cases of a Poisson model, their total being what it is: the exposure of a case is that of the
    population tilted by the ratio, and the information is cases times its variance among cases. Case-control: the
    information of a logistic regression with its intercept, cases and controls having their own
    distributions of the exposure (Prentice and Pyke, Biometrika 1979;66:403).

    Examples
    --------
    >>> round(log_ratio_variance(0.0, cases=100, controls=100, prevalence=0.5), 4)
    0.08
    """
    ratio = np.exp(log_ratio)
    if prevalence is not None:
        among = prevalence * ratio / (1 - prevalence + prevalence * ratio)
        own = 1 / (cases * among * (1 - among))
        return float(own if controls is None else own + 1 / (controls * prevalence * (1 - prevalence)))
    if controls is None:
        return 1 / cases  # tilting a normal law moves its mean and keeps its variance
    # Over the mixture of both normal laws, by the trapezium rule: exact to rounding for smooth tails.
    z = np.linspace(min(log_ratio, 0) - 10, max(log_ratio, 0) + 10, 4001)
    of_cases, of_controls = cases * norm.pdf(z - log_ratio), controls * norm.pdf(z)
    weight = of_cases * of_controls / np.maximum(of_cases + of_controls, 1e-300) * (z[1] - z[0])
    total = weight.sum()
    return float(1 / ((weight * z**2).sum() - (weight * z).sum() ** 2 / total))


def detectable_ratio(
    cases: float,
    controls: float | None = None,
    *,
    prevalence: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    r_squared: float = 0.0,
    design_effect: float = 1.0,
    direction: int = 1,
) -> float:
    """Find the smallest ratio that a two-sided test finds with the power asked for.

    Parameters
    ----------
    cases : float
        Number of cases, observed or expected.
    controls : float, optional
        Number of controls; None for counts of areas, whose persons at risk are known.
    prevalence : float, optional
        Share of the source population that is exposed; None for a continuous exposure, the ratio being
        for one standard deviation.
    power : float, optional
        Probability of finding it.
    alpha : float, optional
        Level of the two-sided test; divided by the number of tests beforehand for a family of them.
    r_squared : float, optional
        Share of the exposure's variance that the adjusters explain: it adds nothing to the estimate.
    design_effect : float, optional
        Factor of the variance for what is not independent: the dispersion of counts, or the squared
        ratio of clustered to model standard errors.
    direction : {1, -1}, optional
        Above 1, or below 1.

    Returns
    -------
    float
        The ratio; infinite (or 0 below 1) when none is detectable.

    Raises
    ------
    EstimationError
        If numbers are not above zero.
    ParameterError
        If a share or an option is out of its bounds.

    Notes
    -----
    The log ratio b is z(1 - alpha/2) + z(power) times its standard error at b, as for Wald's test: variance
    of :func:`log_ratio_variance` times `design_effect` / (1 - `r_squared`) (Hsieh, Bloch and Larsen, Stat Med
    1998;17:1623, who take the variance at 1).

    Examples
    --------
    >>> round(detectable_ratio(200, 200, prevalence=0.25), 2)
    1.85
    >>> round(detectable_ratio(100), 3)
    1.323
    """
    if not cases > 0 or (controls is not None and not controls > 0):
        raise EstimationError("cases or controls are not above zero", "numbers of persons above zero")
    faults = [
        f"{name} is {value}"
        for name, value, good in (
            ("prevalence", prevalence, prevalence is None or 0 < prevalence < 1),
            ("power", power, 0 < power < 1),
            ("alpha", alpha, 0 < alpha < 1),
            ("r_squared", r_squared, 0 <= r_squared < 1),
            ("design_effect", design_effect, 0 < design_effect < np.inf),
            ("direction", direction, direction in (1, -1)),
        )
        if not good
    ]
    if not faults and power <= alpha / 2:
        faults = [f"power is {power}, not above half of alpha"]
    if faults:
        raise ParameterError("the power of a study cannot be computed", "shares between 0 and 1", faults=faults)
    factor = design_effect / (1 - r_squared)
    wanted = float(norm.isf(alpha / 2) + norm.ppf(power))

    def lacking(size: float) -> float:
        variance = factor * log_ratio_variance(direction * size, cases, controls, prevalence)
        return size - wanted * float(np.sqrt(variance))

    grid = np.linspace(0, np.log(LARGEST), 400)
    # The first crossing: far away from 1 the exposed (or the unexposed) cases run out and power falls again.
    sign = [lacking(size) >= 0 for size in grid]
    if not any(sign):
        return np.inf if direction > 0 else 0.0
    first = sign.index(True)
    return float(np.exp(direction * brentq(lacking, grid[first - 1], grid[first], xtol=1e-12)))
