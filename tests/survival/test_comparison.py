"""Tests between curves against survdiff, coxph's score tests and cmprsk, and against a slow plain reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import ParameterError
from epi.survival import SurvivalData, build_survival, compare_incidence, compare_survival

FIXTURE = json.loads((Path(__file__).parents[1] / "oracle" / "survival_curves.json").read_text())
SETS = {name: pd.DataFrame(columns) for name, columns in FIXTURE["sets"].items()}


def follow(case: dict[str, Any], causes: bool = False) -> SurvivalData:
    table = SETS[case["set"]]
    codes = sorted(set(table["event"]) - {0})
    data = build_survival(
        table, exit=case.get("time") or "exit", event="event", causes={code: str(code) for code in codes},
        entry="entry" if case.get("entry") else None, weight="weight" if case.get("weight") else None,
        cluster="cluster" if case.get("cluster") else None,
        covariates=[name for name in (case["by"], case["strata"]) if name],
    )  # fmt: skip
    return data if causes else data.any_cause()


def close(ours: Any, theirs: Any, rtol: float = 1e-8) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=rtol)


def named(case: dict[str, Any]) -> str:
    return "-".join(str(value) for key, value in case.items() if not isinstance(value, list | float))


@pytest.mark.parametrize("case", FIXTURE["logrank"], ids=named)
def test_log_rank_family_equals_survdiff(case: dict[str, Any]) -> None:
    test: Any = "fleming-harrington" if case["rho"] else "log-rank"
    found = compare_survival(follow(case), case["by"], strata=case["strata"], test=test, rho=case["rho"])
    close(found.statistic, case["statistic"])
    close(found.table["observed"], case["observed"])
    close(found.table["expected"], case["expected"])


@pytest.mark.parametrize("case", FIXTURE["score"], ids=named)
def test_log_rank_with_entry_clusters_and_weights_equals_the_score_test_of_coxph(case: dict[str, Any]) -> None:
    found = compare_survival(follow(case), case["by"], strata=case["strata"])
    close(found.statistic, case["statistic"])
    assert found.settings["variance"] == ("robust" if case["weight"] or case["cluster"] else "hypergeometric")


@pytest.mark.parametrize("case", FIXTURE["gray"], ids=named)
def test_gray_equals_cmprsk(case: dict[str, Any]) -> None:
    data = follow(case, causes=True)
    for cause, statistic, p in zip(
        data.causes, np.atleast_1d(case["statistic"]), np.atleast_1d(case["p"]), strict=True
    ):
        found = compare_incidence(data, case["by"], cause=cause, strata=case["strata"], rho=case["rho"])
        close(found.statistic, statistic)
        close(found.p, p, rtol=1e-7)


def slow(table: pd.DataFrame, weigh: Any, robust: bool) -> tuple[np.ndarray, np.ndarray]:
    """Day by day and person by person, two groups: the score of the second and its variance."""
    score, variance = 0.0, 0.0
    moved = pd.Series(0.0, index=table.index)
    left, peto = 1.0, 1.0
    for day in sorted(set(table.loc[table["event"] == 1, "exit"])):
        risk = (table["entry"] < day) & (table["exit"] >= day)
        dead = risk & (table["exit"] == day) & (table["event"] == 1)
        n, d = table.loc[risk, "weight"].sum(), table.loc[dead, "weight"].sum()
        share = table.loc[risk & (table["group"] == 1), "weight"].sum() / n
        peto *= 1 - d / (n + table["weight"].mean())
        w = weigh(n, left, peto)
        left *= 1 - d / n
        score += w * (table.loc[dead & (table["group"] == 1), "weight"].sum() - d * share)
        if n > 1:
            variance += w**2 * d * (n - d) / (n - 1) * share * (1 - share)
        moved[risk] += table["weight"][risk] * w * (table["group"][risk] - share) * (dead[risk] - d / n)
    return np.array(score), np.array((moved.groupby(table["unit"]).sum() ** 2).sum() if robust else variance)


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize(("test", "options", "weigh"), [
    ("gehan", {}, lambda n, left, peto: n),
    ("tarone-ware", {}, lambda n, left, peto: np.sqrt(n)),
    ("peto", {}, lambda n, left, peto: peto),
    ("fleming-harrington", {"rho": 1.0, "gamma": 0.5}, lambda n, left, peto: left * (1 - left) ** 0.5),
])  # fmt: skip
def test_weighted_relatives_with_entry_equal_a_plain_reference(
    test: Any, options: dict[str, float], weigh: Any, robust: bool
) -> None:
    rng = np.random.default_rng(11)
    entry = rng.integers(0, 30, 90)
    table = pd.DataFrame({"entry": entry, "exit": entry + rng.integers(1, 40, 90), "event": rng.integers(0, 2, 90),
                          "group": rng.integers(0, 2, 90), "unit": rng.integers(0, 12, 90), "weight": 1.0})  # fmt: skip
    columns: dict[str, Any] = {}
    if robust:
        table["weight"] = rng.integers(1, 9, 90) / 3
        columns = {"weight": "weight", "cluster": "unit"}
    data = build_survival(table, entry="entry", exit="exit", event="event", **columns)
    found = compare_survival(data, "group", test=test, **options)
    score, variance = slow(table, weigh, robust)
    close(found.statistic, score**2 / variance)
    trend = compare_survival(data, "group", test=test, trend=[3, 10], **options)
    close(trend.statistic, found.statistic)


def test_trend_gains_on_ordered_groups_and_takes_scores() -> None:
    case = {"set": "lung", "by": "ecog", "strata": "sex"}
    data = follow(case)
    data = data.select(data.covariates["ecog"] < 3)
    whole, trend = compare_survival(data, "ecog"), compare_survival(data, "ecog", trend=True)
    assert trend.df == 1 and whole.df == 2
    assert trend.statistic < whole.statistic
    assert trend.p < whole.p
    close(compare_survival(data, "ecog", trend=[5, 7, 9]).statistic, trend.statistic)
    assert compare_survival(data, "ecog", trend=[0, 1, 1]).statistic != trend.statistic


def test_strata_without_events_tell_nothing_and_there_may_be_many() -> None:
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"days": rng.integers(1, 60, 400), "died": rng.integers(0, 2, 400), "set": np.arange(400) // 3,
                          "arm": rng.integers(0, 2, 400)})  # fmt: skip
    data = build_survival(table, exit="days", event="died")
    found = compare_survival(data, "arm", strata="set")
    quiet = pd.DataFrame({"days": [9, 80], "died": 0, "set": 999, "arm": [0, 1]})
    more = build_survival(pd.concat([table, quiet]), exit="days", event="died")
    close(compare_survival(more, "arm", strata="set").statistic, found.statistic)
    close(
        compare_incidence(more, "arm", strata="set").statistic, compare_incidence(data, "arm", strata="set").statistic
    )


def test_bad_input_is_told() -> None:
    table = pd.DataFrame({"days": [5, 8, 9, 9], "died": [0, 0, 0, 0], "arm": list("aabb"), "unit": [1, 1, 2, 2]})
    data = build_survival(table, exit="days", event="died")
    found = compare_survival(data, "arm")
    assert np.isnan(found.statistic) and np.isnan(found.p)
    assert found.notes[-1] == "no event tells the groups apart"
    assert np.isnan(compare_incidence(data, "arm").statistic)
    with pytest.raises(ParameterError, match="one group"):
        compare_survival(data, None)
    with pytest.raises(ParameterError, match="no covariate 'sex'"):
        compare_survival(data, "sex")
    with pytest.raises(ParameterError, match="scores"):
        compare_survival(data, "arm", trend=[1, 2, 3])
    with pytest.raises(ParameterError, match="Fleming"):
        compare_survival(data, "arm", rho=1)
    with pytest.raises(ParameterError, match="test is 'wilcoxon'"):
        compare_survival(data, "arm", test="wilcoxon")  # type: ignore[arg-type]
    late = build_survival(table.assign(start=[1, 0, 0, 0]), entry="start", exit="days", event="died", cluster="unit")
    with pytest.raises(ParameterError, match="late entry, clusters"):
        compare_incidence(late, "arm")
    alone = build_survival(
        table.assign(died=[1, 1, 0, 0], arm=list("aaab"), days=[5, 6, 7, 4]), exit="days", event="died"
    )
    # The group left before any event: nothing can be compared with it.
    assert np.isnan(compare_survival(alone, "arm").statistic)


def test_published_comparison_passes_the_gate_and_hides_small_groups() -> None:
    data = follow({"set": "flchain", "by": "sex", "strata": None})
    release = compare_survival(data, "sex").release()
    assert "chi-square" in release.note
    decision = check_release(release, read_policy())
    assert not decision.refused
    assert decision.n_hidden == 0
    rows = np.r_[np.flatnonzero(data.covariates["sex"] == "F"), np.flatnonzero(data.covariates["sex"] == "M")[:20]]
    small = check_release(compare_survival(data.select(rows), "sex").release(), read_policy())
    assert small.refused or small.n_hidden
