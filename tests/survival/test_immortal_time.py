"""Exposure after entry: what is counted on the wrong side, and the split that puts it right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, ParameterError
from epi.survival import (
    build_survival,
    check_immortal_time,
    estimate_cumulative_hazard,
    estimate_survival,
    fit_cox,
    split_at_exposure,
)

HEART = json.loads((Path(__file__).parents[1] / "oracle" / "survival_curves.json").read_text())["sets"]["heart"]


def test_heart_transplants_split_as_r_split_them() -> None:
    """The Stanford data as persons with a day of transplant give back the rows that survival::heart holds."""
    rows = pd.DataFrame(HEART)
    persons = rows.groupby("cluster").agg(entry=("entry", "min"), exit=("exit", "max"), event=("event", "max"))
    persons["transplant_day"] = rows[rows["transplant"] == 1].groupby("cluster")["entry"].min()
    data = build_survival(persons.reset_index(), entry="entry", exit="exit", event="event")
    split = split_at_exposure(data, "transplant_day", name="transplant", labels=("0", "1"))
    found = pd.DataFrame({
        "cluster": split.covariates["cluster"], "entry": split.entry, "exit": split.exit, "event": split.event,
        "transplant": split.covariates["transplant"].astype(int),
    })  # fmt: skip
    wanted = rows[["cluster", "entry", "exit", "event", "transplant"]]
    by = ["cluster", "entry"]
    pd.testing.assert_frame_equal(
        found.sort_values(by, ignore_index=True), wanted.sort_values(by, ignore_index=True), check_dtype=False
    )
    assert split.persons == len(persons)
    checked = check_immortal_time(data, "transplant_day")
    naive, right = checked.rates["ratio"]
    assert naive < 0.7 * right  # waiting for a heart is survived by those who get one
    years = checked.table["person_years"].sum()
    assert years == pytest.approx(data.person_days / 365.25)
    exposed = wanted[wanted["transplant"] == 1]
    assert checked.rates["exposed_years"][1] == pytest.approx((exposed["exit"] - exposed["entry"]).sum() / 365.25)
    assert checked.rates["exposed_events"][1] == exposed["event"].sum()
    ratio = fit_cox(split, ["transplant"]).table["hazard_ratio"][0]
    direct = build_survival(rows, entry="entry", exit="exit", event="event", person="cluster")
    assert ratio == pytest.approx(fit_cox(direct, ["transplant"]).table["hazard_ratio"][0], rel=1e-12)


def test_every_status_by_hand() -> None:
    seen = pd.DataFrame({
        "entry": [0, 10, 10, 10, 10], "exit": [100, 110, 110, 110, 110], "died": [1, 0, 1, 1, 1],
        "treated": [None, 10, 60, 110, 300],
    })  # fmt: skip
    found = check_immortal_time(build_survival(seen, entry="entry", exit="exit", event="died"), "treated")
    table = found.table.set_index("status")
    assert table["persons"].tolist() == [1, 1, 1, 2]
    assert table["events"].tolist() == [1, 0, 1, 2]
    assert (table["wrong_years"] * 365.25).round(9).tolist() == [0, 0, 50, 200]
    assert table["wrong_events"].tolist() == [0, 0, 0, 2]
    # Ever: 3 events in 400 days against 1 in 100. From exposure on: 1 in 150 against 3 in 350.
    assert found.rates["ratio"].tolist() == pytest.approx([(3 / 400) / (1 / 100), (1 / 150) / (3 / 350)])
    assert "3 of 5 persons" in str(found)


def test_limits_are_exact_given_the_number_of_events() -> None:
    """At each limit the binomial tail is half of what the level leaves out; R's poisson.test gives the same."""
    seen = pd.DataFrame({"exit": [1000] * 40, "died": [1] * 11 + [0] * 29, "treated": ([0, None] * 20)})
    row = check_immortal_time(build_survival(seen, exit="exit", event="died"), "treated").rates.iloc[1]
    assert (row["exposed_events"], row["unexposed_events"]) == (6, 5)
    # R: poisson.test(c(6, 5), c(20, 20))$conf.int
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([0.305131354874, 4.970573643400], rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 20), st.booleans(), st.none() | st.integers(-2, 35)),
                min_size=1, max_size=20))  # fmt: skip
def test_splitting_loses_nothing(rows: list[tuple[int, int, bool, int | None]]) -> None:
    table = pd.DataFrame(rows, columns=["entry", "stay", "died", "day"])
    table["exit"], table["day"] = table["entry"] + table["stay"], table["day"].astype(float)
    data = build_survival(table, entry="entry", exit="exit", event="died")
    split = split_at_exposure(data, "day")
    assert split.person_days == data.person_days
    assert split.events == data.events
    assert split.persons == data.persons
    pd.testing.assert_frame_equal(estimate_survival(data).table, estimate_survival(split).table)
    exposed = (split.covariates["exposed"] == "exposed").to_numpy()
    checked = check_immortal_time(data, "day").rates.iloc[1]
    assert checked["exposed_years"] == pytest.approx((split.exit - split.entry)[exposed].sum() / 365.25)
    assert checked["exposed_events"] == (split.event[exposed] > 0).sum()
    by = estimate_cumulative_hazard(split, by="exposed")
    assert set(by.groups) <= {"exposed", "unexposed"}


def test_dates_are_placed_by_the_origin() -> None:
    dates = pd.DataFrame({
        "birth": pd.to_datetime(["2000-01-01", "2001-06-01"]), "end": pd.to_datetime(["2010-01-01", "2012-06-01"]),
        "treated": pd.to_datetime([None, "2005-06-01"]), "died": [1, 0],
    })  # fmt: skip
    data = build_survival(dates, exit="end", event="died", origin="birth", scale="age")
    split = split_at_exposure(data, "treated")
    assert split.entry.tolist() == [0, 0, 1461]
    bare = build_survival(dates.assign(days=[100, 200]), exit="days", event="died", covariates=["treated"])
    with pytest.raises(ParameterError, match="date of time zero"):
        split_at_exposure(bare, "treated")


def test_refusals() -> None:
    seen = pd.DataFrame({"id": [1, 1], "entry": [0, 5], "exit": [5, 9], "died": [0, 1], "day": [3, 4],
                         "word": ["a", "b"], "part": [1.5, 2.0]})  # fmt: skip
    data = build_survival(seen, entry="entry", exit="exit", event="died", person="id")
    with pytest.raises(DataError, match="differs between the rows of 1 person"):
        split_at_exposure(data, "day")
    for column, words in (("word", "neither days nor dates"), ("part", "no whole number")):
        with pytest.raises(ParameterError, match=words):
            check_immortal_time(data, column)
    with pytest.raises(ParameterError, match="a name that is free"):
        split_at_exposure(data, "day", name="word")
    with pytest.raises(ParameterError, match="two different texts"):
        split_at_exposure(data, "day", labels=("a", "a"))


def test_what_leaves_passes_the_gate() -> None:
    rng = np.random.default_rng(4)
    seen = pd.DataFrame({"exit": rng.integers(100, 4000, 900), "died": rng.integers(0, 2, 900)})
    seen["day"] = np.where(rng.random(900) < 0.4, np.nan, rng.integers(-200, 4500, 900))
    release = check_immortal_time(build_survival(seen, exit="exit", event="died"), "day").release()
    decision = check_release(release, read_policy())
    assert not decision.refused
    assert "ever exposed" in release.note
    few = check_immortal_time(build_survival(seen.head(40), exit="exit", event="died"), "day").release()
    assert "Ratio" not in few.note
    table = check_release(few, read_policy()).table
    assert table["person_years"].isna().any()


def test_clusters_leave_ratios_without_limits() -> None:
    seen = pd.DataFrame({"exit": [1000] * 40, "died": [1] * 11 + [0] * 29, "treated": ([0, None] * 20),
                         "c": np.arange(40) % 7})  # fmt: skip
    found = check_immortal_time(build_survival(seen, exit="exit", event="died", cluster="c"), "treated")
    assert found.rates["ratio"].notna().all()
    assert found.rates[["ci_low", "ci_high"]].isna().all(axis=None)
    assert "clusters are not" in str(found)
