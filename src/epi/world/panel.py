"""Yearly values of some synthetic exposures: today's map, and how it drifts away as one goes back in time.

Real registers of this workbench have one vintage each: a panel is made for synthetic fields only, so that
windows and lags have something to bite on. The year of reference holds the values of the table ``exposures``
to the digit, and those are the ones that the planted effects act by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from epi.world.exposures import FIELD_KM, smooth_field
from epi.world.streams import open_stream
from epi.world.territory import Territory, all_communes, earth_points

FIRST_YEAR, REFERENCE_YEAR, LAST_YEAR = 1990, 2023, 2024
# Relative change for each year backwards: the air was worse, water a little better.
TREND = {"pm25_ugm3": 0.025, "no2_ugm3": 0.022, "water_nitrate_mg_l": -0.004}
STEP_YEARS, STEP_SD = 5, 0.15
"""A new smooth field is added every five years backwards, of this standard deviation on the log scale."""


def build_panel(
    territory: Territory, exposures: pd.DataFrame, about: dict[str, Any], seed: int
) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    """Build the reference table ``exposure_panel`` and its metadata.

    Parameters
    ----------
    territory : Territory
        The communes.
    exposures : pandas.DataFrame
        The table ``exposures`` of the same communes, in their order.
    about : dict
        Its metadata.
    seed : int
        Seed of the world.

    Returns
    -------
    tuple of pandas.DataFrame and dict, or None
        insee_code, year and one column for each variable, sorted by both; NaN where today's value is missing.
        None where the exposures are real registers.
    """
    names = [name for name in TREND if about[name]["origin"] == "synthetic"]
    if not names:
        return None
    years = np.arange(FIRST_YEAR, LAST_YEAR + 1)
    back = np.maximum(REFERENCE_YEAR - years, 0)
    columns: dict[str, Any] = {
        "insee_code": np.repeat(exposures["insee_code"].to_numpy(), len(years)),
        "year": np.tile(years.astype("int16"), len(exposures)),
    }
    for name in names:
        drift = _drift(territory, name, seed)
        # The drift is a broken line: zero in the year of reference, one more field every five years before it.
        step, part = np.divmod(back, STEP_YEARS)
        lower, upper = drift[:, step], drift[:, np.minimum(step + 1, drift.shape[1] - 1)]
        log_ratio = TREND[name] * back + lower + (upper - lower) * part / STEP_YEARS
        values = exposures[name].to_numpy(float)[:, None] * np.exp(log_ratio)
        columns[name] = np.round(values, 3).ravel()
    told = {
        name: {**about[name], "vintage": f"{FIRST_YEAR}-{LAST_YEAR}", "source": f"{about[name]['source']}, by year"}
        for name in names
    }
    return pd.DataFrame(columns), told


def _drift(territory: Territory, name: str, seed: int) -> np.ndarray:
    """Sum of the fields from the year of reference backwards, one column every five years, by commune."""
    places = all_communes()
    points = earth_points(places["lon"].to_numpy(), places["lat"].to_numpy())
    group = pd.Categorical(places["bassin_de_vie"]).codes
    size = np.bincount(group)
    centres = np.column_stack([np.bincount(group, weights=points[:, axis]) / size for axis in range(3)])
    rows = places["insee_code"].searchsorted(territory.communes["insee_code"])
    steps = -(-(REFERENCE_YEAR - FIRST_YEAR) // STEP_YEARS)
    fields = [np.zeros(len(rows))]
    for step in range(1, steps + 1):
        generator = open_stream(seed, "exposure_panel", name, str(step))
        fields.append(fields[-1] + STEP_SD * smooth_field(centres, generator, FIELD_KM)[group][rows])
    return np.column_stack(fields)
