"""Amyotrophic lateral sclerosis in the population: published rates, planted effects, capture by centres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.stats import standard_population
from epi.world.exposures import smooth_field, standardise
from epi.world.population import AGE_LOWS
from epi.world.streams import choose, open_stream
from epi.world.territory import Territory, all_communes, earth_points

FIRST_YEAR, LAST_YEAR = 2011, 2024
YEARS = LAST_YEAR - FIRST_YEAR + 1
DAYS = int((np.datetime64(f"{LAST_YEAR + 1}-01-01") - np.datetime64(f"{FIRST_YEAR}-01-01")).astype(int))
# Rates per 100,000 standardised on the US population of 2010 (Kab 2017, France 2012-2014).
STANDARDISED = {"M": 3.37, "F": 2.17}
# Shape by five-year age (0-4 ... 95+), peak at 70-79; scaled to the standardised rates above.
SHAPE = {
    "M": [0, 0, 0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.1, 1.9, 3.2, 5.0, 7.6, 10.6, 13.0, 13.2, 11.0, 7.5, 4.0, 2.0],
    "F": [0, 0, 0, 0.03, 0.06, 0.12, 0.2, 0.35, 0.65, 1.15, 2.0, 3.3, 5.1, 7.2, 9.0, 9.2, 7.6, 5.0, 2.6, 1.3],
}
# Log relative rate for one standard deviation of the raw variable; every other variable is null.
PLANTED = {"nearest_industrial_km": -0.18, "water_nitrate_mg_l": 0.16}
NOISE_SD, NOISE_KM = 0.08, 30.0
CAPTURE_AT_CENTRE, CAPTURE_LOG_PER_100_KM = 0.92, -0.25
FAMILIAL = 0.06
GENES = {28337: 0.55, 11179: 0.25, 11571: 0.1, 4010: 0.1}  # HGNC of C9orf72, SOD1, TARDBP, FUS
# Other motor-neuron diseases of the same centres, in addition to the cases of ORPHA:803.
RELATED = {35689: 0.030, 454706: 0.025, 275872: 0.020, 357043: 0.004, 300605: 0.003, 247604: 0.001}


@dataclass(frozen=True)
class AlsCases:
    """Cases in the population, and what made them.

    Parameters
    ----------
    commune : numpy.ndarray
        Row of the commune of residence in the territory.
    male : numpy.ndarray
        Truth values.
    age : numpy.ndarray
        Years at diagnosis, with decimals.
    day : numpy.ndarray
        Diagnosis, days since 1970-01-01.
    orpha : numpy.ndarray
        True disease: 803, or a related one (which is not counted as ALS).
    captured : numpy.ndarray
        Whether the network ever saw the case.
    communes : pandas.DataFrame
        One row for each commune: expected, multiplier, noise, distance, capture.
    planted : dict
        What was planted, for ``truth/planted.json``.
    """

    commune: NDArray[np.int64]
    male: NDArray[np.bool_]
    age: NDArray[np.float64]
    day: NDArray[np.int64]
    orpha: NDArray[np.int64]
    captured: NDArray[np.bool_]
    communes: pd.DataFrame
    planted: dict[str, Any]


def incidence_rates() -> NDArray[np.float64]:
    """Give the yearly incidence by sex and five-year age.

    Returns
    -------
    numpy.ndarray
        Rates per person and year: 20 for men, then 20 for women.

    Examples
    --------
    >>> weight = standard_population("us_2010")["weight"].to_numpy()
    >>> [round(1e5 * float(weight @ half), 2) for half in incidence_rates().reshape(2, 20)]
    [3.37, 2.17]
    """
    weight = standard_population("us_2010").sort_values("age_low")["weight"].to_numpy()
    rates = []
    for sex, shape in SHAPE.items():
        values = np.array(shape, dtype=float)
        # An exact sum: a product of vectors would differ in its last bit between processors.
        rates.append(values * (STANDARDISED[sex] / math.fsum(weight * values)) / 1e5)
    return np.concatenate(rates)


def draw_cases(
    territory: Territory,
    counts: NDArray[np.int32],
    exposures: pd.DataFrame,
    distance_km: NDArray[np.float64],
    seed: int,
) -> AlsCases:
    """Draw the cases of 2011-2024 in the population.

    Parameters
    ----------
    territory : Territory
        The communes.
    counts : numpy.ndarray
        Persons by commune and age-sex cell.
    exposures : pandas.DataFrame
        Exposure values by commune.
    distance_km : numpy.ndarray
        From each commune to the nearest ALS centre.
    seed : int
        Seed of the world.

    Returns
    -------
    AlsCases
        The cases, captured or not.
    """
    rates = incidence_rates()
    expected = counts * rates * YEARS
    base = expected.sum(axis=1)
    people = counts.sum(axis=1).astype(float)
    log_risk, effects = _effects(exposures, people)
    noise = _noise(territory, people, seed)
    multiplier = np.exp(log_risk + noise)
    normaliser = float((base * multiplier).sum() / base.sum())
    multiplier /= normaliser
    generator = open_stream(seed, "als", "cases")
    extra = 1 + sum(RELATED.values())
    cells = generator.poisson(expected * multiplier[:, None] * extra).ravel()
    where = np.repeat(np.arange(cells.size), cells)
    commune, cell = np.divmod(where, counts.shape[1])
    age_group = cell % len(AGE_LOWS)
    n = len(where)
    width = np.where(age_group == len(AGE_LOWS) - 1, 4.0, 5.0)
    age = AGE_LOWS[age_group] + width * generator.random(n)
    first = np.datetime64(f"{FIRST_YEAR}-01-01").astype("datetime64[D]").astype(int)
    day = first + generator.integers(0, DAYS, n)
    orpha = np.array([803, *RELATED])[choose(generator, [1.0, *RELATED.values()], n)]
    capture = CAPTURE_AT_CENTRE * np.exp(CAPTURE_LOG_PER_100_KM * distance_km / 100)
    captured = generator.random(n) < capture[commune]
    table = pd.DataFrame(
        {
            "insee_code": territory.communes["insee_code"].to_numpy(),
            "persons": counts.sum(axis=1),
            "expected_cases": base,
            "multiplier": multiplier,
            "noise": noise,
            "als_centre_km": distance_km,
            "capture": capture,
            "true_cases": np.bincount(commune[orpha == 803], minlength=len(counts)),
        }
    )
    planted = {
        "disease": {"orpha": 803, "related_orpha_not_counted": {str(k): v for k, v in RELATED.items()}},
        "diagnosis_years": [FIRST_YEAR, LAST_YEAR],
        "incidence": {
            "standardised_per_100k_us_2010": STANDARDISED,
            "rates_per_100k": {
                sex: (1e5 * half).round(6).tolist() for sex, half in zip("MF", rates.reshape(2, -1), strict=True)
            },
            "age_lows": AGE_LOWS.tolist(),
            "crude_per_100k_expected": float(1e5 * base.sum() / YEARS / people.sum()),
        },
        "expected_cases": float(base.sum()),
        "true_cases": int((orpha == 803).sum()),
        "captured_cases": int(((orpha == 803) & captured).sum()),
        "variables": _marginal(effects, exposures, multiplier, base),
        "missing_exposure": "no effect: the term of a missing value is zero",
        "normaliser": normaliser,
        "normalisation": "multipliers divided by their mean over expected cases, so that published rates hold",
        "noise": {"sd_log": NOISE_SD, "length_km": NOISE_KM, "mean_over_persons": 0.0},
        "capture": {
            "probability_at_a_centre": CAPTURE_AT_CENTRE,
            "log_per_100_km": CAPTURE_LOG_PER_100_KM,
            "distance": "great circle, commune centroid to the commune of the nearest ALS site",
        },
        "familial_share": FAMILIAL,
    }
    return AlsCases(commune, cell < len(AGE_LOWS), age, day, orpha, captured, table, planted)


def _effects(
    exposures: pd.DataFrame, people: NDArray[np.float64]
) -> tuple[NDArray[np.float64], dict[str, dict[str, Any]]]:
    """Sum of the planted terms by commune, and the account of every variable."""
    total = np.zeros(len(exposures))
    effects: dict[str, dict[str, Any]] = {}
    for name in exposures.columns.drop("insee_code"):
        values = exposures[name].to_numpy(float)
        known = np.isfinite(values) & (people > 0)
        if not known.any():
            effects[name] = {
                "transform": "identity",
                "mean": None,
                "sd": None,
                "log_rr_per_sd": 0.0,
                "log_rr_per_unit": 0.0,
            }
            continue
        mean = float(np.average(values[known], weights=people[known]))
        sd = float(np.sqrt(np.average((values[known] - mean) ** 2, weights=people[known])))
        beta = PLANTED.get(name, 0.0) if sd > 0 else 0.0
        if beta:
            total[known] += beta * (values[known] - mean) / sd
        effects[name] = {
            "transform": "identity",
            "mean": mean,
            "sd": sd,
            "log_rr_per_sd": beta,
            "log_rr_per_unit": beta / sd if beta else 0.0,
        }
    return total, effects


def _marginal(
    effects: dict[str, dict[str, Any]],
    exposures: pd.DataFrame,
    multiplier: NDArray[np.float64],
    base: NDArray[np.float64],
) -> dict[str, dict[str, Any]]:
    """Add what each variable shows alone: a null one that follows a planted one is not zero there."""
    for name, effect in effects.items():
        effect["marginal_log_rr_per_sd"] = None
        if not effect["sd"]:
            continue
        z = (exposures[name].to_numpy(float) - effect["mean"]) / effect["sd"]
        known = np.isfinite(z) & (base > 0)
        z, weight, target = z[known], base[known], (base * multiplier)[known]
        design = np.column_stack([np.ones(len(z)), z])
        beta = np.zeros(2)
        for _ in range(50):  # Newton's steps of a Poisson regression on expected cases
            fitted = weight * np.exp(np.clip(design @ beta, -20, 20))
            curvature = (design * fitted[:, None]).T @ design
            if np.linalg.cond(curvature) > 1e12:
                break
            step = np.linalg.solve(curvature, design.T @ (target - fitted))
            beta += step
            if np.abs(step).max() < 1e-10:
                effect["marginal_log_rr_per_sd"] = round(float(beta[1]), 8)
                break
    return effects


def _noise(territory: Territory, people: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Draw a smooth field over France, centred and scaled over the persons of this territory."""
    places = all_communes()
    points = earth_points(places["lon"].to_numpy(), places["lat"].to_numpy())
    field = smooth_field(points, open_stream(seed, "als", "noise"), NOISE_KM)
    field = field[places["insee_code"].searchsorted(territory.communes["insee_code"])]
    if len(field) < 2:
        return np.zeros(len(field))
    return NOISE_SD * standardise(field, people)
