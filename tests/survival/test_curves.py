"""Curves against R's survival: delayed entry, ties, weights, clusters, limits, quantiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, DisclosureError, EstimationError, ParameterError
from epi.survival import SurvivalData, build_survival, estimate_cumulative_hazard, estimate_survival
from epi.survival.robust import told_groups

FIXTURE = json.loads((Path(__file__).parents[1] / "oracle" / "survival_curves.json").read_text())
SETS = {name: pd.DataFrame(columns) for name, columns in FIXTURE["sets"].items()}


def follow(case: dict[str, Any], table: pd.DataFrame | None = None) -> SurvivalData:
    table = SETS[case["set"]] if table is None else table
    table = table.assign(any_event=(table["event"] > 0).astype(int))
    return build_survival(
        table, exit="exit", event="any_event", entry="entry" if case["entry"] else None,
        weight="weight" if case["weight"] else None, cluster="cluster" if case["cluster"] else None,
        covariates=[case["by"]] if case["by"] else [],
    )  # fmt: skip


def close(ours: Any, theirs: Any, rtol: float = 1e-8, atol: float = 1e-13) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=rtol, atol=atol)


def named(case: dict[str, Any]) -> str:
    return "-".join(str(case[key]) for key in case if key in ("set", "by", "entry", "weight", "cluster", "interval"))


@pytest.mark.parametrize("case", FIXTURE["survival"], ids=named)
def test_kaplan_meier_equals_survfit(case: dict[str, Any]) -> None:
    data = follow(case)
    found = estimate_survival(data, by=case["by"], interval=case["interval"], level=case["level"])
    hazard = estimate_cumulative_hazard(data, by=case["by"])
    spans = found.quantiles((0.1, 0.25, 0.5, 0.75))
    assert len(found.groups) == len(case["curves"])
    for group, curve in zip(found.groups, case["curves"], strict=True):
        assert group == curve["group"].strip()
        rows = found.table[found.table["group"] == group].set_index("time").loc[np.atleast_1d(curve["time"])]
        weighted = "weighted_" if case["weight"] else ""
        close(rows[weighted + "at_risk"], curve["at_risk"])
        close(rows[weighted + "events"], curve["events"])
        close(rows["survival"], curve["survival"])
        # Where everybody has died R's robust standard error is 0; ours is missing, as Greenwood's is in R.
        alive = np.atleast_1d(curve["survival"]) > 1e-12
        assert rows["se"][~alive].isna().all()
        for column, key in (("se", "se"), ("ci_low", "low"), ("ci_high", "high")):
            close(rows[column][alive], np.atleast_1d(np.asarray(curve[key], dtype=float))[alive])
        nelson = hazard.table[hazard.table["group"] == group].set_index("time").loc[np.atleast_1d(curve["time"])]
        close(nelson["hazard"], curve["hazard"])
        # One cluster at risk moves nothing: R's error is then 0, and ours is missing, since nothing is known of it.
        theirs = np.atleast_1d(np.asarray(curve["hazard_se"], dtype=float))
        silent = (theirs < 1e-8) & (nelson["hazard"].to_numpy() > 0)
        close(nelson["se"], np.where(silent, np.nan, theirs))
        whole = found.table[found.table["group"] == group]
        for column, key in (("time", "quantile"), ("ci_low", "quantile_low"), ("ci_high", "quantile_high")):
            limit = whole["survival" if column == "time" else column].dropna()
            # Limits may turn back; R then sorts them by height, we take the first day (docs/survival.md).
            if limit.is_monotonic_decreasing:
                close(spans.loc[spans["group"] == group, column], curve[key])


def test_fixtures_change_with_what_they_cross() -> None:
    """A fixture that ignored the entry, the weights or the clusters would prove nothing of them."""

    def final(**wanted: Any) -> tuple[float, float]:
        case = next(c for c in FIXTURE["survival"] if all(c[key] == value for key, value in wanted.items()))
        return case["curves"][0]["survival"][-2], case["curves"][0]["se"][-2]

    alone = final(set="veteran", by="prior", cluster=True)
    data = follow({"set": "veteran", "by": "prior", "entry": False, "weight": True, "cluster": False})
    assert abs(alone[1] - estimate_survival(data, by="prior").table["se"].iloc[-2]) > 1e-3
    weighted = final(set="lung", by="sex", weight=True)
    bare = final(set="lung", by="sex", weight=False)
    assert abs(weighted[0] - bare[0]) > 1e-3
    late = {"set": "heart", "by": None, "entry": True, "weight": False, "cluster": False}
    with_entry = estimate_survival(follow(late)).table["survival"]
    without = estimate_survival(follow(late | {"entry": False})).table["survival"]
    assert abs(with_entry.iloc[100] - without.iloc[100]) > 0.02


@pytest.mark.parametrize("case", FIXTURE["hazard"]["fleming"], ids=lambda case: case["set"])
def test_ties_taken_one_by_one_equal_survfit_ctype_2(case: dict[str, Any]) -> None:
    data = follow({"set": case["set"], "entry": False, "weight": False, "cluster": False, "by": None})
    found = estimate_cumulative_hazard(data, ties="fleming-harrington").table
    assert (found["events"] > 1).any()
    assert found["time"].tolist() == case["time"]
    close(found["hazard"], case["hazard"])
    close(found["se"], case["se"])


@pytest.mark.parametrize("case", FIXTURE["hazard"]["repeated"], ids=lambda case: f"{case['set']}-{case['weight']}")
def test_repeated_events_equal_survfit_over_persons(case: dict[str, Any]) -> None:
    weight = "weight" if case["weight"] else None
    table = SETS[case["set"]].query("entry < exit")
    data = build_survival(table, entry="entry", exit="exit", event="event", person="cluster", weight=weight)
    found = estimate_cumulative_hazard(data, by="treat")
    assert found.settings["repeated"]
    at = np.repeat(np.arange(len(case["strata"])), case["strata"])
    for number, group in enumerate(found.groups):
        theirs = pd.DataFrame({key: np.array(case[key])[at == number] for key in ("time", "hazard", "se")})
        ours = found.table[found.table["group"] == group].merge(theirs, on="time", suffixes=("", "_r"))
        assert len(ours) > 15
        close(ours["hazard"], ours["hazard_r"])
        close(ours["se"], ours["se_r"])


days = st.integers(0, 40)


@st.composite
def follow_ups(draw: st.DrawFn) -> pd.DataFrame:
    size = draw(st.integers(3, 25))
    entry = np.array(draw(st.lists(days, min_size=size, max_size=size)))
    stay = np.array(draw(st.lists(st.integers(1, 30), min_size=size, max_size=size)))
    event = np.array(draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    weight = np.array(draw(st.lists(st.integers(1, 7), min_size=size, max_size=size))) / 3
    unit = np.array(draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)))
    return pd.DataFrame({"entry": entry, "exit": entry + stay, "event": event, "weight": weight, "unit": unit,
                         "person": np.arange(size)})  # fmt: skip


def curve(table: pd.DataFrame, weight: str | None, cluster: str | None) -> pd.DataFrame:
    data = build_survival(
        table, entry="entry", exit="exit", event="event", person="person", weight=weight, cluster=cluster
    )
    return estimate_survival(data).table


@settings(max_examples=25, deadline=None)
@given(table=follow_ups(), seed=st.integers(0, 99), weighted=st.booleans(), clustered=st.booleans())
def test_same_curve_whatever_row_order_and_pieces(
    table: pd.DataFrame, seed: int, weighted: bool, clustered: bool
) -> None:
    weight, cluster = ("weight" if weighted else None), ("unit" if clustered else None)
    first = curve(table, weight, cluster)
    pd.testing.assert_frame_equal(
        first, curve(table.sample(frac=1, random_state=seed), weight, cluster), check_exact=True
    )
    rng = np.random.default_rng(seed)
    cut = table["entry"] + rng.integers(0, 30, len(table))
    inside = (cut > table["entry"]) & (cut < table["exit"])
    early = table[inside].assign(exit=cut[inside], event=0)
    late = table.assign(entry=table["entry"].where(~inside, cut))
    pd.testing.assert_frame_equal(first, curve(pd.concat([late, early]), weight, cluster), check_exact=False, rtol=1e-9)


@settings(max_examples=15, deadline=None)
@given(table=follow_ups())
def test_variances_equal_a_plain_reference(table: pd.DataFrame) -> None:
    """The jackknife by its definition: the derivative of the curve in each row's weight, by differences."""
    data = build_survival(
        table, entry="entry", exit="exit", event="event", weight="weight", cluster="unit", person="person"
    )
    found = estimate_survival(data).table

    def product(weight: np.ndarray) -> np.ndarray:
        value, out = 1.0, []
        for day in found["time"]:
            risk = weight[(table["entry"] < day) & (table["exit"] >= day)].sum()
            value *= 1 - weight[(table["exit"] == day) & (table["event"] == 1)].sum() / risk
            out.append(value)
        return np.array(out)

    base = table["weight"].to_numpy()
    moved = []
    for unit in sorted(set(table["unit"])):
        step = np.where(table["unit"] == unit, base * 1e-5, 0)
        moved.append((product(base + step) - product(base - step)) / 2e-5)
    error = np.sqrt((np.array(moved) ** 2).sum(axis=0))
    survival = found["survival"].to_numpy()
    alive = survival > 1e-9
    # Too few clusters, or none that moves it, tell no error.
    told = told_groups(data, np.zeros(len(data), dtype=np.int64), 1)[0]
    silent = (survival < 1) & ((error < 1e-7) | ~told)
    np.testing.assert_allclose(found["se"][alive], np.where(silent, np.nan, error)[alive], rtol=1e-5, atol=1e-8)


def test_at_reads_the_step_and_stops_where_follow_up_does() -> None:
    table = pd.DataFrame({"days": [5, 8, 8, 12, 20], "died": [1, 1, 0, 1, 0], "arm": list("aaabb")})
    found = estimate_survival(build_survival(table, exit="days", event="died"), by="arm")
    read = found.at([0, 5, 7, 8, 19, 21]).set_index(["group", "time"])
    assert read.loc["a", "at_risk"].tolist() == [0, 3, 2, 2, 0, 0]
    assert read.loc["a", "events"].tolist() == [0, 1, 1, 2, 2, 2]
    close(read.loc["a", "survival"], [1, 2 / 3, 2 / 3, 1 / 3, np.nan, np.nan])
    close(read.loc["b", "survival"], [1, 1, 1, 1, 0.5, np.nan])
    assert found.at([0.05], unit="years")["time"].tolist() == [18, 18]


def late_entries() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    entry = np.concatenate([[10, 12], rng.integers(30, 200, 400)])
    exit_ = np.concatenate([[20, 25], entry[2:] + rng.integers(1, 300, 400)])
    return pd.DataFrame({"entry": entry, "exit": exit_, "died": np.concatenate([[1, 1], rng.integers(0, 2, 400)])})


def test_an_early_fall_to_zero_is_said_and_a_conditional_curve_starts_later() -> None:
    data = build_survival(late_entries(), entry="entry", exit="exit", event="died")
    found = estimate_survival(data)
    assert (found.table["survival"].iloc[2:] == 0).all()
    assert any("stays at 0" in note for note in found.notes)
    assert any("nobody is at risk" in note for note in found.notes)
    held = found.conditional()
    start = held.settings["conditional_on"]
    assert not held.notes
    assert held.at([start + 1])["at_risk"].iloc[0] >= 20
    assert 0 < held.at([start + 100])["survival"].iloc[0] < 1
    # S(t)/S(a) of a curve that never fell: the ratio, and the variance of the days after a alone.
    plain = estimate_survival(data.window(low=30))
    late = plain.conditional(100)
    whole, part = plain.at([100, 180]), late.at([180])
    close(part["survival"].iloc[0], whole["survival"].iloc[1] / whole["survival"].iloc[0])
    relative = (whole["se"] / whole["survival"]) ** 2
    close((part["se"].iloc[0] / part["survival"].iloc[0]) ** 2, relative.iloc[1] - relative.iloc[0])
    with pytest.raises(EstimationError, match="too few persons are at risk"):
        found.conditional(12)
    with pytest.raises(EstimationError, match="at no time"):
        found.conditional(minimal=1000)
    with pytest.raises(EstimationError, match="risk set empties"):
        found.conditional(10, minimal=1)


def test_bad_input_is_told_in_a_sentence() -> None:
    table = pd.DataFrame({"days": [5, 8, 9], "died": [0, 0, 0], "arm": ["a", None, "b"], "unit": [1, 1, 2]})
    data = build_survival(table, exit="days", event="died")
    found = estimate_survival(data)
    assert found.notes == ("there is no event: the curve stays at 1, without limits",)
    assert (found.table["survival"] == 1).all() and found.table["ci_low"].isna().all()
    assert found.quantiles()["time"].isna().all()
    with pytest.raises(ParameterError, match="no covariate 'sex'"):
        estimate_survival(data, by="sex")
    with pytest.raises(DataError, match="arm is missing in 1 of 3 rows"):
        estimate_survival(data, by="arm")
    with pytest.raises(ParameterError, match="strata"):
        estimate_survival(data, by="strata")
    with pytest.raises(ParameterError, match="interval"):
        estimate_survival(data, interval="wilson")  # type: ignore[arg-type]
    clustered = build_survival(table, exit="days", event="died", cluster="unit")
    with pytest.raises(ParameterError, match="weights or clusters"):
        estimate_survival(clustered, robust=False)
    with pytest.raises(DataError, match="at risk again"):
        estimate_survival(build_survival(SETS["cgd"], entry="entry", exit="exit", event="event", person="cluster"))
    with pytest.raises(ParameterError, match="share"):
        found.quantiles((1.5,))
    groups = build_survival(table.assign(died=[1, 0, 0], arm=["a", "b", "b"]), exit="days", event="died")
    assert "no event in group b" in estimate_survival(groups, by="arm").notes[0]


def test_what_is_published_tells_of_nobody_or_of_enough_persons() -> None:
    data = follow({"set": "flchain", "by": "sex", "entry": True, "weight": False, "cluster": False})
    release = estimate_survival(data, by="sex").release()
    table = release.table
    for column in ("at_risk", "events", "left", "entered"):
        assert ((table[column] == 0) | (table[column] >= 11)).all()
    for group, part in table.groupby("group"):
        # So does what is left to tell after the last time.
        rows = data.covariates["sex"] == group
        events = int((data.event[rows] > 0).sum()) - part["events"].sum()
        assert events == 0 or events >= 11
        assert (part["at_risk"] == part["entered"].cumsum() - (part["events"] + part["left"]).cumsum()).all()
    assert not check_release(release, read_policy()).refused
    assert check_release(release, read_policy()).n_hidden == 0
    assert (table["survival"] == table["survival"].round(4)).all()
    with pytest.raises(ParameterError, match="min_count"):
        estimate_survival(data).release(min_count=3)
    hazard = estimate_cumulative_hazard(data, by="sex").release(min_count=20).table
    assert ((hazard["events"] == 0) | (hazard["events"] >= 20)).all()
    few = pd.DataFrame({"days": [5, 8, 9], "died": [1, 0, 1]})
    with pytest.raises(DisclosureError, match="no curve"):
        estimate_survival(build_survival(few, exit="days", event="died")).release()


def test_same_values_whatever_the_reporting_grid() -> None:
    data = follow({"set": "flchain", "by": "sex", "entry": True, "weight": False, "cluster": False})
    found = estimate_survival(data, by="sex")
    days = [24_000, 27_000, 30_000]
    fine = found.at(range(24_000, 30_001, 500)).query("time in @days").reset_index(drop=True)
    pd.testing.assert_frame_equal(found.at(days), fine)
    one, other = (found.release(years=step).table.set_index(["group", "years"]) for step in (5, 10))
    common = one.index.intersection(other.index)
    assert len(common) > 2
    pd.testing.assert_frame_equal(one.loc[common, ["survival", "ci_low"]], other.loc[common, ["survival", "ci_low"]])


def test_time_after_another_event_is_no_new_stay() -> None:
    rows = pd.DataFrame({"who": [1, 1, 2, 3], "entry": [0, 5, 0, 0], "exit": [5, 9, 7, 9], "what": [2, 1, 1, 0]})
    data = build_survival(rows, entry="entry", exit="exit", event="what", person="who", causes={1: "death", 2: "graft"})
    found = estimate_survival(data, cause="death")
    assert found.table["time"].tolist() == [7, 9]
    assert found.table["left"].tolist() == [0, 1]
    assert any("censoring" in note for note in found.notes)
    assert any("censoring" in note for note in found.conditional(1, minimal=1).notes)
    assert estimate_cumulative_hazard(data, cause="death").table["time"].tolist() == [7, 9]
    with pytest.raises(DataError, match="at risk again"):
        estimate_survival(data)
