"""Deaths observed over expected: equal to survival's pyears, poisson.test and sandwich, late entry among them.

Reference: ``tests/oracle/mortality_ratio.R`` (survival, relsurv's data, sandwich).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import check_release, read_policy
from epi.errors import ParameterError
from epi.survival import build_survival, estimate_smr
from survival.test_net import dated, slopop  # noqa: F401  # the fixture of relsurv's table

ORACLE = Path(__file__).parents[1] / "oracle"
REFERENCE = json.loads((ORACLE / "mortality_ratio.json").read_text(encoding="utf-8"))["results"]
Z = 1.959963984540054


def read(name: str, late: bool) -> pd.DataFrame:
    frame = pd.read_csv(ORACLE / f"net_survival_{name}.csv.gz")
    frame = frame[frame["time"] > 0].reset_index(drop=True)
    at = np.arange(1, len(frame) + 1)
    entry = np.minimum((at * 7919) % 500, frame["time"] - 1) if late else 0
    frame = dated(frame).assign(w=1.0 + at % 3, c=at % 40)
    return frame.assign(begin=frame["start"] + pd.to_timedelta(entry, unit="D"))


def follow(frame: pd.DataFrame, **more: str):
    return build_survival(
        frame, entry="begin", exit="end", event="stat", origin="start", birth="born", covariates=["sex", "old"], **more
    )


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", list(REFERENCE))
def test_expected_deaths_ratios_and_limits_are_those_of_r(name, late, slopop):  # noqa: F811
    frame = read(name, late)
    plain = estimate_smr(follow(frame), slopop, by="sex").table.set_index("group")
    clusters = estimate_smr(follow(frame, cluster="c"), slopop, by="sex").table.set_index("group")
    weights = estimate_smr(follow(frame, weight="w"), slopop, by="sex").table.set_index("group")
    both = estimate_smr(follow(frame, weight="w", cluster="c"), slopop, by="sex").table.set_index("group")
    for case in (case for case in REFERENCE[name] if case["late"] == late):
        sex = {1: "M", 2: "F"}[case["sex"]]
        row = plain.loc[sex]
        assert (row["persons"], row["observed"]) == (case["persons"], case["observed"])
        assert row["expected"] == pytest.approx(case["expected"], rel=1e-8)
        assert [row["ci_low"], row["ci_high"]] == pytest.approx(case["limits"], rel=1e-8)
        for found, smr, error in (
            (clusters, case["smr"], case["clusters"]), (weights, case["weighted"]["smr"], case["weighted"]["se"]),
            (both, case["weighted"]["smr"], case["weighted"]["both"]),
        ):  # fmt: skip
            assert found.loc[sex, "smr"] == pytest.approx(smr, rel=1e-8)
            spread = np.log(found.loc[sex, "ci_high"] / found.loc[sex, "ci_low"]) / (2 * Z)
            assert spread == pytest.approx(error, rel=1e-7)


def test_late_entry_weights_and_clusters_change_the_reference():
    """What the reference does not see it could not prove."""
    for cases in REFERENCE.values():
        early, late = cases[0], cases[2]
        assert late["expected"] < 0.99 * early["expected"]
        assert abs(early["weighted"]["smr"] / early["smr"] - 1) > 1e-4
        assert abs(early["weighted"]["both"] / early["weighted"]["se"] - 1) > 0.01


def test_order_and_cutting_change_nothing_and_no_death_has_no_robust_limits(slopop):  # noqa: F811
    frame = read("rdata", True).assign(who=lambda f: np.arange(len(f)))
    whole = estimate_smr(follow(frame, weight="w", cluster="c"), slopop, by="sex").table
    middle = frame["begin"] + pd.to_timedelta((frame["end"] - frame["begin"]).dt.days // 2, unit="D")
    cut = middle > frame["begin"]
    halves = pd.concat([
        frame[~cut], frame[cut].assign(end=middle[cut], stat=0), frame[cut].assign(begin=middle[cut]),
    ]).sample(frac=1, random_state=3)  # fmt: skip
    again = estimate_smr(follow(halves, weight="w", cluster="c", person="who"), slopop, by="sex").table
    pd.testing.assert_frame_equal(whole, again, rtol=1e-12)
    nobody = frame.assign(stat=0)
    row = estimate_smr(follow(nobody, cluster="c"), slopop).table.iloc[0]
    assert row["smr"] == 0
    assert np.isnan(row["ci_high"])
    assert estimate_smr(follow(nobody), slopop).table["ci_high"].iloc[0] > 0


def test_weighted_deaths_pass_the_gate_with_the_persons_they_come_from(slopop):  # noqa: F811
    frame = read("rdata", False)
    few = frame.assign(stat=np.where((frame["sex"] == "F") & (frame.groupby("sex").cumcount() > 8), 0, frame["stat"]))
    for lang in ("en", "fr"):
        release = estimate_smr(follow(few, weight="w"), slopop, by="sex").release(lang=lang)
        shown = check_release(release, read_policy()).table.set_index("group")
        assert shown.loc["F", ["deaths", "observed", "smr", "excess"]].isna().all()
        # A known total less the men's deaths would give the women's.
        assert shown.loc["M", ["deaths", "observed", "smr"]].isna().all()
        assert shown["persons"].notna().all()
    assert "limites" in release.note


def test_what_the_life_table_says_of_itself_is_kept_and_causes_are_told(slopop):  # noqa: F811
    noted = replace(slopop, notes=("ages over 100 are taken as 100",))
    frame = read("rdata", False)
    frame["stat"] = np.where(frame["stat"] == 1, 1 + np.arange(len(frame)) % 2, 0)
    data = build_survival(
        frame, entry="begin", exit="end", event="stat", causes={1: "heart", 2: "other"}, origin="start", birth="born"
    )
    found = estimate_smr(data, noted, by="sex")
    assert found.notes[0] == "ages over 100 are taken as 100"
    assert "deaths of all causes count (heart, other)" in str(found)
    assert "Deaths of all causes count" in found.release().note
    assert "ratios of groups of other ages are not to be set against each other" in found.release().note
    assert "against each other" not in estimate_smr(data, noted).release().note
    assert "à 95 %" in found.release(lang="fr").note and "at 95%" in found.release().note
    with pytest.raises(ParameterError, match="lang is 'de'"):
        found.release(lang="de")
