"""Cumulative incidences against R's multi-state survfit and cmprsk."""

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
from epi.errors import EstimationError, ParameterError
from epi.survival import SurvivalData, build_survival, estimate_cumulative_incidence, estimate_survival
from epi.survival.robust import told_groups

FIXTURE = json.loads((Path(__file__).parents[1] / "oracle" / "survival_curves.json").read_text())
SETS = {name: pd.DataFrame(columns) for name, columns in FIXTURE["sets"].items()}


def follow(case: dict[str, Any]) -> SurvivalData:
    table = SETS[case["set"]]
    codes = sorted(set(table["event"]) - {0})
    return build_survival(
        table, exit=case["time"], event="event", causes={code: f"cause {code}" for code in codes},
        entry="entry" if case.get("entry") else None, weight="weight" if case.get("weight") else None,
        cluster="cluster" if case.get("cluster") else None, covariates=[case["by"]] if case["by"] else [],
    )  # fmt: skip


def close(ours: Any, theirs: Any, rtol: float = 1e-8, atol: float = 1e-13) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=rtol, atol=atol)


def named(case: dict[str, Any]) -> str:
    return "-".join(str(case[key]) for key in case if key in ("set", "by", "entry", "weight", "cluster", "time"))


@pytest.mark.parametrize("case", FIXTURE["incidence"], ids=named)
def test_aalen_johansen_equals_multi_state_survfit(case: dict[str, Any]) -> None:
    data = follow(case)
    found = estimate_cumulative_incidence(data, by=case["by"])
    assert len(found.groups) == len(case["curves"])
    for group, curve in zip(found.groups, case["curves"], strict=True):
        assert group == curve["group"].strip()
        for at, cause in enumerate(found.causes):
            rows = found.table[(found.table["group"] == group) & (found.table["cause"] == cause)]
            rows = rows.set_index("time").loc[curve["time"]]
            close(rows["event_free"], curve["free"])
            close(rows["incidence"], curve["incidence"][at])
            close(rows["se"], curve["se"][at])
            # R starts limits at the first row; ours are missing while the incidence is 0.
            risen = rows["incidence"].to_numpy() > 0
            close(rows["ci_low"][risen], np.asarray(curve["low"][at], dtype=float)[risen])
            close(rows["ci_high"][risen], np.asarray(curve["high"][at], dtype=float)[risen])


@pytest.mark.parametrize("case", FIXTURE["aalen"], ids=named)
def test_aalen_variance_equals_cmprsk(case: dict[str, Any]) -> None:
    found = estimate_cumulative_incidence(follow(case), by=case["by"], variance="aalen")
    seen = 0
    for curve in case["curves"]:
        group, code = curve["name"].rsplit(" ", 1)
        rows = found.table[(found.table["group"] == group) & (found.table["cause"] == f"cause {code}")]
        step = np.searchsorted(rows["time"], np.atleast_1d(curve["time"]), side="right")
        close(np.concatenate([[0], rows["incidence"]])[step], np.atleast_1d(curve["estimate"]))
        close(np.concatenate([[0], rows["se"]])[step] ** 2, np.atleast_1d(curve["variance"]))
        seen += int((rows["events"] > 1).any())
    assert seen


def test_fixtures_change_with_what_they_cross() -> None:
    def error(**wanted: Any) -> tuple[float, float]:
        case = next(c for c in FIXTURE["incidence"] if all(c[key] == value for key, value in wanted.items()))
        return case["curves"][-1]["incidence"][1][40], case["curves"][-1]["se"][1][40]

    late = error(set="mgus2", by="sex", entry=True, weight=False)
    assert abs(late[0] - error(set="mgus2", by="sex", time="time")[0]) > 1e-3
    assert abs(late[1] - error(set="mgus2", by="sex", entry=True, weight=True)[1]) > 1e-4
    case = next(c for c in FIXTURE["incidence"] if c["set"] == "mgus2" and c["entry"] and c["cluster"])
    alone = estimate_cumulative_incidence(follow(case | {"cluster": False})).table
    shared = estimate_cumulative_incidence(follow(case)).table
    assert np.abs(alone["se"] - shared["se"]).max() > 1e-3


days = st.integers(0, 40)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(days, st.integers(1, 30), st.integers(0, 2), st.integers(1, 7), st.integers(0, 9)),
                min_size=4, max_size=20), st.integers(0, 50))  # fmt: skip
def test_same_incidence_whatever_order_and_pieces_and_the_plain_jackknife(
    drawn: list[tuple[int, ...]], seed: int
) -> None:
    table = pd.DataFrame(drawn, columns=["entry", "stay", "event", "weight", "unit"])
    table = table.assign(exit=table["entry"] + table["stay"], weight=table["weight"] / 3, person=range(len(table)))

    def follow_up(rows: pd.DataFrame) -> SurvivalData:
        return build_survival(rows, entry="entry", exit="exit", event="event", causes={1: "a", 2: "b"}, person="person",
                              weight="weight", cluster="unit")  # fmt: skip

    def estimate(rows: pd.DataFrame) -> pd.DataFrame:
        return estimate_cumulative_incidence(follow_up(rows)).table

    first = estimate(table)
    pd.testing.assert_frame_equal(first, estimate(table.sample(frac=1, random_state=seed)), check_exact=True)
    cut = table["entry"] + table["stay"] // 2
    inside = cut > table["entry"]
    pieces = pd.concat([table.assign(entry=table["entry"].where(~inside, cut)),
                        table[inside].assign(exit=cut[inside], event=0)])  # fmt: skip
    pd.testing.assert_frame_equal(first, estimate(pieces), check_exact=False, rtol=1e-9, atol=1e-12)
    rows = first[first["cause"] == "a"]
    moved = []
    for unit in sorted(set(table["unit"])):
        step = np.where(table["unit"] == unit, table["weight"] * 1e-5, 0)
        high, low = (_plain(table, table["weight"] + sign * step, rows["time"]) for sign in (1, -1))
        moved.append((high - low) / 2e-5)
    plain = np.sqrt((np.array(moved) ** 2).sum(axis=0))
    # What moves with no cluster has no error, until all have had the event.
    told = told_groups(follow_up(table), np.zeros(len(table), dtype=np.int64), 1)[0]
    silent = ((plain < 1e-7) | ~told) & rows["incidence"].between(0, 1 - 1e-6, inclusive="neither").to_numpy()
    np.testing.assert_allclose(rows["se"], np.where(silent, np.nan, plain), rtol=1e-5, atol=1e-8)


def _plain(table: pd.DataFrame, weight: pd.Series, times: pd.Series) -> np.ndarray:
    free, risen, out = 1.0, 0.0, []
    for day in times:
        risk = weight[(table["entry"] < day) & (table["exit"] >= day)].sum()
        here = table["exit"] == day
        risen += free * weight[here & (table["event"] == 1)].sum() / risk
        free *= 1 - weight[here & (table["event"] > 0)].sum() / risk
        out.append(risen)
    return np.array(out)


def test_one_cause_is_one_minus_survival() -> None:
    data = follow({"set": "mgus2", "time": "exit", "entry": True, "by": None}).any_cause()
    incidence, survival = estimate_cumulative_incidence(data).table, estimate_survival(data, robust=True).table
    close(incidence["incidence"], 1 - survival["survival"])
    alive = survival["survival"] > 0
    close(incidence["se"][alive], survival["se"][alive])


def test_conditional_start_and_reading() -> None:
    data = follow({"set": "mgus2", "time": "exit", "entry": True, "by": "sex"})
    found = estimate_cumulative_incidence(data, by="sex").conditional(minimal=40)
    read = found.at([found.settings["conditional_on"], 12 * 80])
    assert read.groupby("time")["incidence"].sum().iloc[0] == 0
    assert list(read["group"]) == ["F"] * 4 + ["M"] * 4
    assert (read["incidence"] <= 1).all()
    with pytest.raises(EstimationError, match="at no time"):
        found.conditional(minimal=4000)


def test_bad_input_is_told() -> None:
    case = {"set": "mgus2", "time": "exit", "entry": True, "by": "sex"}
    with pytest.raises(ParameterError, match="late entry"):
        estimate_cumulative_incidence(follow(case), variance="aalen")
    with pytest.raises(ParameterError, match="weights or clusters"):
        estimate_cumulative_incidence(follow(case | {"entry": False, "weight": True, "time": "time"}), variance="aalen")
    with pytest.raises(ParameterError, match="variance is 'greenwood'"):
        estimate_cumulative_incidence(follow(case), variance="greenwood")  # type: ignore[arg-type]
    none = build_survival(
        pd.DataFrame({"days": [4, 5], "what": [0, 0]}), exit="days", event="what", causes={1: "a", 2: "b"}
    )
    table = estimate_cumulative_incidence(none).table
    assert (table["incidence"] == 0).all() and table["ci_low"].isna().all() and (table["se"] == 0).all()


def test_what_is_published_tells_of_enough_persons() -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"days": rng.integers(1, 2000, 900), "what": rng.integers(0, 3, 900)})
    data = build_survival(rows, exit="days", event="what", causes={1: "cause 1", 2: "cause 2"})
    release = estimate_cumulative_incidence(data).release()
    assert len(release.table) > 10
    for column in ("at_risk", "events_1", "events_2", "left"):
        assert ((release.table[column] == 0) | (release.table[column] >= 11)).all()
    decision = check_release(release, read_policy())
    assert not decision.refused
    assert decision.n_hidden == 0
    assert release.labels["incidence_2"] == "cause 2: cumulative incidence"
