"""Life tables: cells, infancy, years that are not there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.errors import DataError, ParameterError
from epi.survival import build_life_table, life_table

DAY = {
    year: int((np.datetime64(f"{year}-01-01") - np.datetime64("1970-01-01")).astype(int)) for year in range(1960, 2030)
}


def cells(ages=3, years=(2000, 2001), **more):
    rows = [(sex, year, age, 0.001 * (age + 1) + 0.0001 * (year - 2000) + 0.01 * (sex == "M"))
            for sex in "FM" for year in years for age in range(ages)]  # fmt: skip
    return pd.DataFrame(rows, columns=["sex", "year", "age", "qx"]).assign(**more)


def test_the_table_of_france_is_that_of_its_source():
    table = life_table()
    assert (table.first_year, table.last_year, table.oldest) == (1976, 2021, 99)
    for year, expected in ((1999, 75.0), (2019, 79.5)):  # INSEE: men, mean of 1998-2000, and of 2018-2020
        hazard = table.hazards[0, 1, year - 1976] * 365.25
        alive = np.exp(-np.concatenate([[0], np.cumsum(hazard)]))
        assert abs(np.trapezoid(alive) - expected) < 0.06


def test_the_first_year_keeps_its_deaths_and_shares_them_out():
    split, flat = life_table(year_length=365), life_table(infant=(), year_length=365)
    born = np.array([DAY[2010]])
    whole = [table.cumulative_hazard(["F"], born, born, born + 365)[0] for table in (split, flat)]
    assert whole[0] == pytest.approx(whole[1], rel=1e-12)
    dead = [-np.expm1(-split.cumulative_hazard(["F"], born, born, born + day)[0]) for day in (1, 7, 28)]
    year = -np.expm1(-flat.hazards[0, 0, 2010 - 1976, 0] * 365)
    assert np.array(dead) / year == pytest.approx([0.244, 0.478, 0.70], rel=1e-12)
    assert split.with_constant_infancy().hazard(["F"], [0], [DAY[2010]]) == flat.hazard(["F"], [300], [DAY[2010]])


def test_time_adds_up_day_by_day_over_birthdays_and_new_years():
    table, born = life_table(), DAY[1990] + 200
    days = np.arange(born, born + 4000)
    each = table.hazard(["M"] * len(days), days - born, days)
    total = table.cumulative_hazard(["M"], [born], [born], [born + 4000])[0]
    assert total == pytest.approx(each.sum(), rel=1e-12)
    parts = table.cumulative_hazard(["M"] * 2, [born] * 2, [born, born + 1234], [born + 1234, born + 4000])
    assert parts.sum() == pytest.approx(total, rel=1e-12)


def test_cells_are_found_by_sex_year_age_and_territory():
    two = pd.concat([cells(territory="north"), cells(territory="south").assign(qx=lambda x: x["qx"] * 2)])
    table = build_life_table(two, name="two shores", infant=())
    where = {"sex": ["F", "M", "F"], "age": [0, 800, 400], "day": [DAY[2000] + 5, DAY[2001] + 364, DAY[2001]]}
    found = -np.expm1(-365.25 * table.hazard(**where, territory=["north", "south", "south"]))
    assert found == pytest.approx([0.001, 2 * 0.0131, 2 * 0.0021])
    with pytest.raises(ParameterError, match="2 territories and none are given"):
        table.hazard(**where)
    with pytest.raises(DataError, match="1 of 3 persons have a territory that is not in it"):
        table.hazard(**where, territory=["north", "south", "east"])
    old = build_life_table(cells(), name="an island", infant=(), extend="nearest")
    assert old.hazard(["F"], [5000], [DAY[2001]]) == old.hazard(["F"], [731], [DAY[2001]]), "the last age holds"
    assert len(table.table) == len(two) and set(table.table["territory"]) == {"north", "south"}


def test_years_outside_are_refused_or_said():
    born = np.array([DAY[1999], DAY[2000]])
    with pytest.raises(DataError) as caught:
        build_life_table(cells(), name="an island").cumulative_hazard(["F", "F"], born, born, born + 1000)
    assert "1 persons are at risk before 2000, from 1999 on" in str(caught.value)
    assert "1 persons are at risk after 2001, until 2002" in str(caught.value)
    near = build_life_table(cells(), name="an island", extend="nearest", infant=())
    assert near.hazard(["F"], [0], [DAY[1965]]) == near.hazard(["F"], [0], [DAY[2000]])
    assert any("nearest year" in note for note in near.notes)
    with pytest.raises(DataError, match="1 persons are at risk before their birth"):
        near.cumulative_hazard(["F"], [DAY[2001]], [DAY[2000]], [DAY[2001] + 5])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda x: x.drop(columns="qx"), "no column hazard_per_day or qx"),
        (lambda x: x.assign(qx=1.5), "12 cells of life table an island have no qx"),
        (lambda x: x.assign(sex="male"), "12 cells have a sex that is neither F nor M"),
        (lambda x: x.iloc[:-1], "1 of 12 cells are absent"),
        (lambda x: pd.concat([x, x.iloc[:2]]), "2 cells are there twice"),
        (lambda x: x.assign(age=x["age"] + 0.5), "12 cells have no whole year or age"),
        (lambda x: x[x["year"] == 2000].drop(columns="qx").assign(hazard_per_day=-1.0), "6 cells have no hazard of 0"),
    ],
)
def test_broken_cells_are_told(spoil, said):
    with pytest.raises(DataError, match=said):
        build_life_table(spoil(cells()), name="an island")


def test_options_are_told():
    for wrong in ({"extend": "yes"}, {"year_length": 360}, {"infant": [(7, 0.5), (3, 0.6)]}, {"infant": [(7, 1.5)]}):
        with pytest.raises(ParameterError):
            build_life_table(cells(), name="an island", **wrong)
    with pytest.raises(ParameterError, match="no life table 'Spain'"):
        life_table("Spain")
    with pytest.raises(DataError, match="1 of 2 persons"):
        life_table().position(["F", None])


def test_an_age_past_the_last_is_refused_unless_the_table_ends_open_or_the_nearest_is_asked_for() -> None:
    cells = life_table().table
    short = cells[cells["age"] <= 60]
    born, day = np.array([0]), np.array([70 * 365])
    with pytest.raises(DataError, match="past the table's last age, 60") as refusal:
        build_life_table(short, name="short").check_cover(born, day, day + 1)
    assert "1 persons" in str(refusal.value)
    nearest = build_life_table(short, name="short", extend="nearest")
    nearest.check_cover(born, day, day + 1)
    assert "ages past 60 take its mortality" in nearest.notes
    late = day + 45 * 365
    life_table().check_cover(late - 115 * 365, late - 70 * 365, late - 70 * 365 + 1)
