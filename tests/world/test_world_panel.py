"""Yearly exposures: the year of reference is today's map; the farther back, the less alike."""

from __future__ import annotations

import numpy as np
import pytest

from epi.world import choose_territory
from epi.world.exposures import build_exposures
from epi.world.panel import FIRST_YEAR, LAST_YEAR, REFERENCE_YEAR, TREND, build_panel
from world.raw_files import open_data_folders


@pytest.fixture(scope="module")
def made():
    place = choose_territory(territories=["69", "01", "38", "971"])
    table, about = build_exposures(place, 3, None)
    panel, told = build_panel(place, table, about, 3)
    return place, table, about, panel, told


def test_one_row_a_commune_and_year_in_order(made):
    _, table, _, panel, told = made
    assert len(panel) == len(table) * (LAST_YEAR - FIRST_YEAR + 1)
    assert not panel.duplicated(["insee_code", "year"]).any()
    assert panel[["insee_code", "year"]].equals(panel[["insee_code", "year"]].sort_values(["insee_code", "year"]))
    assert set(told) == set(TREND) and all(fact["origin"] == "synthetic" for fact in told.values())


def test_the_year_of_reference_is_the_table_of_exposures(made):
    _, table, _, panel, _ = made
    today = panel[panel["year"] == REFERENCE_YEAR].reset_index(drop=True)
    for name in TREND:
        np.testing.assert_array_equal(today[name], table[name])


def test_the_farther_back_the_less_alike_and_the_air_was_worse(made):
    _, table, _, panel, _ = made
    wide = panel.pivot(index="insee_code", columns="year", values="pm25_ugm3").dropna()
    assert wide[2000].mean() > wide[2010].mean() > wide[REFERENCE_YEAR].mean()
    # How far a year is from today, relative to today: it widens backwards by a field every five years.
    apart = [np.log(wide[year] / wide[REFERENCE_YEAR]).std() for year in (2018, 2008, 1993)]
    assert 0.05 < apart[0] < apart[1] < apart[2]
    assert wide.shape[0] < table.shape[0], "overseas départements that have no value today have none before"


def test_real_registers_get_no_invented_years(made):
    place = made[0]
    for folder in open_data_folders():
        if folder is not None:
            table, about = build_exposures(place, 3, folder)
            assert build_panel(place, table, about, 3) is None
    _, table, about, _, _ = made
    real = {name: {**fact, "origin": "open data"} for name, fact in about.items()}
    assert build_panel(place, table, real, 3) is None
