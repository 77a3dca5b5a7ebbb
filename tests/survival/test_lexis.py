"""Splitting along age and calendar: cells by hand, nothing lost, no estimate changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import DataError, EstimationError, ParameterError
from epi.survival import (
    SurvivalData,
    build_survival,
    estimate_cumulative_hazard,
    estimate_net_survival,
    estimate_survival,
    find_common_window,
    fit_cox,
    life_table,
    split_lexis,
)


def registry(size: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    birth = pd.Series(pd.Timestamp("1980-01-01") + pd.to_timedelta(rng.integers(0, 365 * 40, size), unit="D"))
    start = birth.clip(lower=pd.Timestamp("2007-01-01")) + pd.to_timedelta(rng.integers(0, 900, size), unit="D")
    dead = birth + pd.to_timedelta(rng.integers(1, 30_000, size), unit="D")
    table = pd.DataFrame({"birth": birth, "start": start, "stop": dead.clip(upper=pd.Timestamp("2024-12-31"))})
    table["died"] = dead == table["stop"]
    table["era"] = np.where(birth < "2000-01-01", "before", "after")
    table["sex"] = rng.choice(["F", "M"], size)
    table["site"] = rng.integers(0, 12, size)
    table["weight"] = rng.uniform(0.5, 2, size)
    return table[table["start"] < table["stop"]].reset_index(drop=True)


def follow(table: pd.DataFrame, **options: str) -> SurvivalData:
    return build_survival(
        table, entry="start", exit="stop", event="died", origin="birth", scale="age",
        covariates=["era", "sex", "start", "birth"], **options,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_life_by_hand() -> None:
    seen = pd.DataFrame({"born": pd.to_datetime(["2000-06-15"]), "start": pd.to_datetime(["2007-03-01"]),
                         "end": pd.to_datetime(["2012-01-01"]), "died": [1]})  # fmt: skip
    whole = build_survival(seen, entry="start", exit="end", event="died", origin="born", scale="age")
    cut = split_lexis(whole, age=[0, 10], calendar=[2007, 2010, 2012])
    rows = cut.covariates[["age_band", "period"]].astype(str).to_numpy().tolist()
    assert rows == [["0-9", "2007-2009"], ["0-9", "2010-2011"], ["10+", "2010-2011"]]
    new_year = (pd.Timestamp("2010-01-01") - seen["born"][0]).days
    # Ten years of 365.25 days are lived on the 3,653rd day.
    assert cut.exit.tolist() == [new_year, 3653, whole.exit[0]]
    # On 1 January, the day of the cut, an event is still the earlier period's: its time ends with that day.
    assert cut.event.tolist() == [0, 0, 1]
    assert cut.persons == 1


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.floats(0, 44), min_size=1, max_size=6, unique=True),
    st.lists(st.integers(2005, 2026), min_size=1, max_size=6, unique=True),
    st.booleans(),
)
def test_splitting_changes_no_estimate(seed: int, ages: list[float], years: list[int], weighted: bool) -> None:
    table = registry(60, seed)
    whole = follow(table, **({"weight": "weight", "cluster": "site"} if weighted else {}))
    cut = split_lexis(whole, age=sorted(ages), calendar=sorted(years), since=[1, 3], since_day="start")
    assert cut.events == whole.events
    assert cut.persons == whole.persons
    assert cut.person_days == pytest.approx(whole.person_days, rel=1e-12)
    for estimate in (estimate_survival, estimate_cumulative_hazard):
        before, after = estimate(whole, by="era").table, estimate(cut, by="era").table
        pd.testing.assert_frame_equal(before, after, rtol=1e-10)
    # Every piece lies in one cell of each scale.
    for band, low, high in (
        ("age_band", cut.entry / 365.25, cut.exit / 365.25),
        ("since_band", (cut.entry - first_day(cut)) / 365.25, (cut.exit - first_day(cut)) / 365.25),
    ):
        edges = np.array([*sorted(ages)] if band == "age_band" else [1, 3])
        inside = (low[:, None] < edges - 1 / 365) & (edges + 1 / 365 < high[:, None])
        assert not inside.any()


def first_day(data: SurvivalData) -> np.ndarray:
    return (data.covariates["start"] - data.covariates["birth"]).dt.days.to_numpy()


def test_ratios_stay_and_time_may_change_them() -> None:
    whole = follow(registry(800, 3))
    cut = split_lexis(whole, calendar=[2007, 2013, 2019], age=[0, 10, 20, 30])
    ratio = fit_cox(whole, ["era"], reference={"era": "before"}).table
    again = fit_cox(cut, ["era"], reference={"era": "before"}).table
    pd.testing.assert_frame_equal(ratio, again, rtol=1e-9)
    timed = fit_cox(cut, ["era", "period"], reference={"era": "before"}).table
    assert timed["term"].tolist()[1:] == ["period: 2013-2018", "period: 2019+"]


def test_other_scales_give_the_same_cells() -> None:
    table = registry(300, 4)
    by_age = split_lexis(follow(table), age=[0, 5, 15], calendar=[2010, 2020])
    calendar = build_survival(table, entry="start", exit="stop", event="died", scale="calendar", birth="birth")
    since = build_survival(table, entry="start", exit="stop", event="died", origin="start", birth="birth", scale="time")
    with pytest.raises(ParameterError, match="do not know age"):
        split_lexis(build_survival(table.assign(days=5), exit="days", event="died"), age=[0, 5])
    for other in (split_lexis(since, age=[0, 5, 15], calendar=[2010, 2020]),
                  split_lexis(calendar, age=[0, 5, 15], calendar=[2010, 2020])):  # fmt: skip
        for name in ("age_band", "period"):
            assert other.covariates[name].tolist() == by_age.covariates[name].tolist()
        assert (other.exit - other.entry).tolist() == (by_age.exit - by_age.entry).tolist()


def test_bands_have_names_in_order() -> None:
    cut = split_lexis(follow(registry(300, 5)), age=[10, 20], calendar=[2010, 2011, 2020], since=[0.5, 2])
    assert cut.covariates["age_band"].cat.categories.tolist() == ["<10", "10-19", "20+"]
    assert cut.covariates["period"].cat.categories.tolist() == ["before 2010", "2010", "2011-2019", "2020+"]
    assert cut.covariates["since_band"].cat.categories.tolist() == ["<0.5", "0.5 to 2", "2+"]
    assert cut.settings["lexis"] == {"age": [10, 20], "calendar": [2010, 2011, 2020], "since": [0.5, 2]}


def test_refusals() -> None:
    data = follow(registry(50, 6))
    for options, words in (
        ({}, "no band"), ({"age": [5, 5]}, "does not rise"), ({"calendar": [2010.5]}, "other numbers than years"),
        ({"since_day": "start"}, "since is not"), ({"calendar": []}, "does not rise"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=words):
            split_lexis(data, **options)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="a column age_band"):
        split_lexis(split_lexis(data, age=[0, 5]), age=[0, 5])
    bare = build_survival(pd.DataFrame({"days": [5], "died": [1], "found": [np.nan]}), exit="days", event="died")
    with pytest.raises(ParameterError, match="date of time zero"):
        split_lexis(bare, calendar=[2010])
    with pytest.raises(DataError, match="missing in 1 row"):
        split_lexis(bare, since=[1], since_day="found")


def test_net_survival_keeps_to_a_common_window() -> None:
    table = registry(900, 7)
    data = follow(table)
    window = find_common_window(data, "era", step=1)
    net = estimate_net_survival(window.inside, life_table("France", extend="nearest"), by="era")
    assert net.settings["conditional_on"] == window.low
    with pytest.raises(EstimationError, match="never seen"):
        net.at(1, "years")
