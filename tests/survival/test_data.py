"""Survival data: what is refused, in which words, and what a window or a choice of rows leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.errors import DataError, ParameterError
from epi.survival import (
    build_survival,
    estimate_cumulative_hazard,
    estimate_cumulative_incidence,
    estimate_rmst,
    estimate_survival,
)


def table(**columns):
    base = {"who": ["a", "b", "c"], "start": [0, 30, 0], "stop": [90, 400, 35], "died": [1, 0, 1]}
    return pd.DataFrame({**base, **columns})


def build(frame, **options):
    return build_survival(frame, **{"entry": "start", "exit": "stop", "event": "died", **options})


def test_dates_become_days_since_their_origin():
    frame = pd.DataFrame({
        "birth": pd.to_datetime(["2000-01-15", "1990-06-15"]), "first": pd.to_datetime(["2008-01-15", "1990-06-16"]),
        "last": pd.to_datetime(["2020-01-15", "1991-06-15"]), "end": ["dead", "alive"],
    })  # fmt: skip
    data = build_survival(frame, entry="first", exit="last", event="end", causes=["dead"], censored=["alive"],
                          origin="birth", scale="age")  # fmt: skip
    assert data.entry.tolist() == [2922, 1] and data.exit.tolist() == [7305, 365]
    assert data.event.tolist() == [1, 0] and data.causes == ("dead",)
    assert data.birth.tolist() == data.origin.tolist() == [10971, 7470]
    assert data.delayed and data.persons == 2


def test_a_persons_pieces_are_put_in_order_and_may_not_overlap():
    frame = table(who=["b", "a", "b"], start=[30, 0, 0], stop=[90, 400, 30], died=[1, 0, 0])
    data = build(frame, person="who")
    assert data.person.tolist() == [0, 1, 1] and data.entry.tolist() == [0, 0, 30] and data.persons == 2
    with pytest.raises(DataError, match="overlap"):
        build(frame.assign(stop=[90, 400, 31]), person="who")
    with pytest.raises(DataError, match="more than one cluster"):
        build(frame.assign(centre=["x", "y", "z"]), person="who", cluster="centre")


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"died": [1, 2, 1]}, {}, "coded 1 and 2 without 0"),
        ({"died": [0, 2, 3]}, {"causes": {1: "death", 2: "transplant"}}, "codes other than 0 and 1, 2"),
        ({"died": ["dead", "lost", "dead"]}, {"causes": ["dead"]}, "neither in causes= nor in censored="),
        ({"died": ["dead", "censored", "dead"]}, {}, "say which texts are events"),
        ({"died": [1, np.nan, 0]}, {}, "died is missing"),
        ({"start": [0, 400, 0]}, {}, "start is not before stop"),
        ({"stop": [90, 400, 0]}, {}, "start is not before stop"),
        ({"stop": [90, 400, 90_000]}, {}, "beyond 130 years"),
        ({"stop": [90, 400, 1e300]}, {}, "beyond 130 years"),
        ({"stop": [90, np.inf, 35]}, {}, "missing or infinite"),
        ({"stop": [90.5, 400, 35]}, {}, "parts of a day"),
        ({"start": [-30_000, 30, 0]}, {}, "before time zero"),
        ({"start": [-1, 30, 0]}, {"scale": "age"}, "before birth"),
        ({"stop": ["2020-01-01", "2020-01-02", "2020-01-03"]}, {}, "text, not days or dates"),
        ({"stop": pd.to_datetime(["2020-01-01"] * 3)}, {}, "say what time is counted from"),
        ({"weight": [1.0, 0.0, 2.0]}, {"weight": "weight"}, "not above 0"),
        ({"centre": ["x", None, "y"]}, {"cluster": "centre"}, "centre is missing"),
        ({"era": ["x", None, "y"]}, {"strata": "era"}, "era is missing"),
    ],
)
def test_what_cannot_be_right_is_said_by_column_and_number_of_rows(change, options, words):
    with pytest.raises(DataError) as caught:
        build(table(**change), **options)
    assert words in str(caught.value)


def test_all_faults_come_at_once_and_no_value_is_told():
    with pytest.raises(DataError) as caught:
        build(table(start=[0, 77777, 0], died=[1, 2, 1]))
    assert len(caught.value.faults) == 3 and "77777" not in str(caught.value)
    with pytest.raises(ParameterError, match="no column absent"):
        build(table(), weight="absent")
    with pytest.raises(DataError, match="no row"):
        build(table().iloc[:0])


def test_a_window_takes_time_and_later_events_away():
    inside = build(table()).window(20, 60)
    assert inside.entry.tolist() == [20, 30, 20] and inside.exit.tolist() == [60, 60, 35]
    assert inside.event.tolist() == [0, 0, 1]
    assert build(table()).window(40, 500).persons == 2
    with pytest.raises(ParameterError, match="nobody is at risk"):
        build(table()).window(500, 600)


def test_rows_chosen_are_numbered_anew_and_strata_keep_their_names():
    data = build(table(era=["old", "new", "old"], x=[1.0, 2.0, 3.0]), strata="era", cluster="who")
    assert data.strata_labels == ("new", "old") and data.strata.tolist() == [1, 0, 1]
    part = data.select(np.array([False, True, True]))
    assert part.person.tolist() == [0, 1] and part.cluster.tolist() == [0, 1] and part.strata.tolist() == [0, 1]
    assert part.covariates["x"].tolist() == [2.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        data.entry[0] = 5


def test_causes_are_taken_one_by_one_or_together():
    data = build(table(died=[1, 2, 0]), causes={1: "death", 2: "transplant"})
    assert data.events == {"death": 1, "transplant": 1}
    assert data.for_cause("transplant").event.tolist() == [0, 1, 0]
    assert data.any_cause().events == {"event": 2}
    with pytest.raises(ParameterError, match="no cause is named"):
        data.cause_number()
    assert "transplant" in data._repr_html_()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.ones(2, dtype=bool), "the mask has 2 values"),
        (np.array([True, None, False], dtype=object), "rows is of type object"),
        ([0, 0], "positions stand twice"),
        ([-1], "positions lie outside the rows"),
        ([3], "positions lie outside the rows"),
        ([0.5], "rows is of type float64"),
        (["a"], "rows is of type"),
        (None, "rows is of type NoneType"),
        ([], "no row is left"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(rows, words):
    with pytest.raises(ParameterError, match=words):
        build(table()).select(rows)


def test_a_mask_of_objects_is_a_mask():
    data = build(table())
    assert len(data.select(np.array([True, False, True], dtype=object))) == 2
    assert len(data.select(pd.Series([True, False, False], index=[9, 8, 7]))) == 1


def test_entries_spread_before_time_zero_are_late_ones():
    frame = pd.DataFrame({"entry": [-100, -50, -100], "exit": [10, 20, 30], "died": [1, 0, 1]})
    assert build_survival(frame, entry="entry", exit="exit", event="died").delayed
    assert not build_survival(frame.assign(entry=-100), entry="entry", exit="exit", event="died").delayed
    assert not build_survival(frame, exit="exit", event="died").delayed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"causes": "death"}, "causes is 'death'"),
        ({"causes": 3}, "causes is 3"),
        ({"censored": "alive"}, "censored is 'alive'"),
        ({"causes": {1: None}}, "otherwise than by texts"),
        ({"causes": {"death": 1}}, "otherwise than by texts"),
        ({"causes": []}, "causes names no event"),
    ],
)
def test_causes_that_would_be_read_letter_by_letter_are_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        build(table(), **options)


def test_other_faults_of_a_table_are_told():
    frame = table()
    with pytest.raises(DataError, match="several columns died"):
        build(pd.concat([frame, frame[["died"]]], axis=1))
    with pytest.raises(DataError, match="holds numbers, and causes= names other codes"):
        build(frame, causes={"one": "death"})
    far = pd.DataFrame({"entry": [0, 1], "exit": [10**13, 10**13 + 1], "died": [1, 0]})
    with pytest.raises(DataError, match="more than 300 years from 1970"):
        build_survival(far, entry="entry", exit="exit", event="died", scale="calendar")


def test_groups_that_print_alike_are_not_mixed():
    seen = pd.DataFrame({"exit": [10, 20, 30, 40], "died": [1, 1, 0, 1]})
    fine = build_survival(seen.assign(dose=[1.0000001, 1.0000002, 0.1, 2.0]), exit="exit", event="died")
    assert estimate_survival(fine, by="dose").groups == ("0.1", "1.0000001", "1.0000002", "2")
    mixed = build_survival(seen.assign(code=[1, "1", 2, 2]), exit="exit", event="died")
    with pytest.raises(DataError, match="1 value of code prints like other values"):
        estimate_survival(mixed, by="code")


def test_limits_need_an_error():
    """Before the first event, and where nobody has it, no scale has limits: those of no width would claim certainty."""
    seen = pd.DataFrame({"exit": [10, 20, 30, 40], "died": [0, 1, 0, 0]})
    data = build_survival(seen, exit="exit", event="died")
    for interval in ("log-log", "log", "plain", "logit", "arcsin"):
        read = estimate_survival(data, interval=interval).at([5, 10, 20])
        assert read["survival"].tolist() == pytest.approx([1.0, 1.0, 2 / 3])
        assert read["ci_low"].isna().tolist() == [True, True, False]
        assert read["ci_high"].isna().tolist() == [True, True, False]
        incidence = estimate_cumulative_incidence(data, interval=interval).at([5, 10, 20])
        assert incidence["ci_low"].isna().tolist() == [True, True, False]
    for scale in ("log", "plain"):
        hazard = estimate_cumulative_hazard(data, interval=scale).at([5, 10, 20])
        assert hazard["ci_high"].isna().tolist() == [True, True, False]
    mean = estimate_rmst(data, 40).table.iloc[0]
    assert mean["ci_high"] <= 40
