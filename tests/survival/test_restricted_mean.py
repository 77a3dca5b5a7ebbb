"""Restricted means against R's survfit, and the trap of a horizon beyond follow-up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import EstimationError, ParameterError
from epi.survival import SurvivalData, build_survival, compare_rmst, estimate_rmst, estimate_survival

FIXTURE = json.loads((Path(__file__).parents[1] / "oracle" / "survival_curves.json").read_text())
SETS = {name: pd.DataFrame(columns) for name, columns in FIXTURE["sets"].items()}


def follow(case: dict[str, Any]) -> SurvivalData:
    table = SETS[case["set"]]
    table = table.assign(any_event=(table["event"] > 0).astype(int))
    return build_survival(
        table, exit="exit", event="any_event", entry="entry" if case.get("entry") else None,
        weight="weight" if case.get("weight") else None, cluster="cluster" if case.get("cluster") else None,
    )  # fmt: skip


def close(ours: Any, theirs: Any, rtol: float = 1e-8) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=rtol)


@pytest.mark.parametrize("case", FIXTURE["means"], ids=lambda case: case["set"])
def test_restricted_means_equal_survfit(case: dict[str, Any]) -> None:
    found = estimate_rmst(follow(case), case["tau"], by=case["by"])
    assert found.table["group"].tolist() == [group.strip() for group in case["group"]]
    close(found.table["mean"], case["mean"])
    close(found.table["se"], case["se"])
    close(found.table["mean"] + found.table["lost"], [case["tau"]] * len(found.table))


@pytest.mark.parametrize("case", FIXTURE["robust_means"], ids=lambda case: f"{case['set']}-{case['cluster']}")
def test_robust_errors_equal_the_influence_of_survfit(case: dict[str, Any]) -> None:
    found = estimate_rmst(follow(case | {"weight": True}), case["tau"]).table
    close(found["mean"], case["mean"])
    close(found["se"], case["se"])


def test_contrasts_by_their_formulas() -> None:
    data = follow({"set": "veteran"})
    found = compare_rmst(data, 180, "cell", reference="large").table.set_index("group")
    one, other = found.loc["adeno"], found.loc["large"]
    error = np.hypot(one["se"], other["se"])
    close(one["difference"], one["mean"] - other["mean"])
    close(one["difference_high"] - one["difference"], 1.959963984540054 * error)
    close(one["ratio"], one["mean"] / other["mean"])
    close(np.log(one["ratio_high"] / one["ratio"]) / 1.959963984540054,
          np.hypot(one["se"] / one["mean"], other["se"] / other["mean"]))  # fmt: skip
    assert other[["difference", "ratio", "difference_p"]].isna().all()


def test_clusters_across_groups_share_their_errors() -> None:
    """The contrast's variance by its definition: derivatives in each cluster's weight."""
    data = follow({"set": "veteran", "weight": True, "cluster": True})
    found = compare_rmst(data, 180, "trt").table.iloc[1]
    table = SETS["veteran"]

    def contrast(weight: pd.Series) -> float:
        rows = build_survival(table.assign(weight=weight), exit="exit", event="event", weight="weight")
        mean = estimate_rmst(rows, 180, by="trt").table["mean"]
        return float(mean[1] - mean[0])

    slopes = []
    for unit in sorted(set(table["cluster"])):
        step = 1e-4 * (table["cluster"] == unit)
        slopes.append((contrast(table["weight"] * (1 + step)) - contrast(table["weight"] * (1 - step))) / 2e-4)
    error = (found["difference_high"] - found["difference"]) / 1.959963984540054
    close(error, np.sqrt(np.sum(np.square(slopes))), rtol=1e-6)
    assert abs(error - np.hypot(*compare_rmst(data, 180, "trt").table["se"])) > 0.05


def test_conditional_mean_from_an_age_with_late_entry() -> None:
    data = follow({"set": "flchain", "entry": True})
    start, end = 70 * 365, 80 * 365
    found = estimate_rmst(data, end, start=start, by="sex").table
    curve = estimate_survival(data.window(low=start), by="sex")
    for group in ("F", "M"):
        grid = curve.at(range(start, end)).query("group == @group")["survival"]
        close(found.loc[found["group"] == group, "mean"], [grid.sum()])


def test_a_horizon_beyond_follow_up_is_refused() -> None:
    data = follow({"set": "lung"})
    with pytest.raises(EstimationError, match="not known until the horizon") as told:
        compare_rmst(data, 1010, "sex")
    assert told.value.faults == ("2: followed until day 965",)
    assert "rests on few" in compare_rmst(data, 900, "sex").notes[0]
    table = pd.DataFrame({"days": [5, 8, 9], "died": [1, 1, 1], "entry": [0, 0, 8]})
    # Nobody is left: what follows is known to be zero.
    whole = build_survival(table[["days", "died"]], exit="days", event="died")
    close(estimate_rmst(whole, 50).table["mean"], [22 / 3])
    fallen = build_survival(table, entry="entry", exit="days", event="died")
    with pytest.raises(EstimationError, match="not known until the horizon"):
        estimate_rmst(fallen, 9)
    with pytest.raises(ParameterError, match="not after the start"):
        estimate_rmst(whole, 5, start=5)
    early = build_survival(table.assign(entry=[-3, 0, 0]), entry="entry", exit="days", event="died")
    with pytest.raises(ParameterError, match="before time zero"):
        estimate_rmst(early, 9)
    close(estimate_rmst(early, 9, start=0).table["mean"], [22 / 3])
    with pytest.raises(ParameterError, match="one group"):
        compare_rmst(whole, 5, None)
    with pytest.raises(ParameterError, match="no group 'x'"):
        compare_rmst(data, 365, "sex", reference="x")


def test_published_means_pass_the_gate() -> None:
    release = compare_rmst(follow({"set": "lung"}), 365, "sex").release()
    decision = check_release(release, read_policy())
    assert not decision.refused
    assert decision.n_hidden == 0
    assert release.table["mean"].max() < 1


@pytest.mark.parametrize("robust", [False, True])
def test_a_group_without_event_has_a_mean_and_no_limits(robust: bool) -> None:
    seen = pd.DataFrame(
        {"days": [10 + at % 7 for at in range(40)], "died": [0] * 20 + [1] * 20, "arm": ["a"] * 20 + ["b"] * 20}
    )
    data = build_survival(seen, exit="days", event="died", covariates=["arm"])
    found = compare_rmst(data, 14, "arm", robust=robust)
    quiet, other = found.table.iloc[0], found.table.iloc[1]
    assert quiet["mean"] == 14
    assert found.table.loc[0, ["se", "ci_low", "ci_high"]].isna().all()
    assert other["se"] > 0 and np.isfinite(other["difference"])
    assert np.isnan(other["difference_low"]) and np.isnan(other["ratio_high"])
    assert any("there is no event before the horizon" in note for note in found.notes)
