"""The test between net survival curves: equal to relsurv on ever finer grids, to a plain reference, at its level."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, ParameterError
from epi.survival import SurvivalData, build_life_table, compare_net, life_table

ORACLE = Path(__file__).parents[1] / "oracle"
REFERENCE = json.loads((ORACLE / "crude_death.json").read_text(encoding="utf-8"))["results"]
TESTS = {"old": ("old", None), "band": ("band", None), "sex": ("number", None), "sex_within_old": ("number", "old")}


@pytest.fixture(scope="module")
def slopop():
    cells = pd.read_csv(ORACLE / "net_survival_slopop.csv.gz")
    cells["sex"] = cells["sex"].map({"male": "M", "female": "F"})
    wide = cells.pivot_table(index=["sex", "age"], columns="year", values="hazard_per_day")
    wide = wide.reindex(columns=range(wide.columns.min(), wide.columns.max() + 1)).ffill(axis=1)
    long = wide.stack().rename("hazard_per_day").reset_index()
    return build_life_table(long, name="slopop", infant=(), extend="nearest", year_length=365.241)


def follow(name, rows=slice(None)):
    frame = pd.read_csv(ORACLE / f"net_survival_{name}.csv.gz")[rows].reset_index(drop=True)
    covariates = pd.DataFrame({
        "sex": frame["sex"].map({1: "M", 2: "F"}), "number": frame["sex"], "old": (frame["age"] > 65 * 365.25) * 1,
        "band": np.searchsorted([60 * 365.25, 70 * 365.25], frame["age"]),
    })  # fmt: skip
    exit_, origin, age = (frame[column].to_numpy(np.int64) for column in ("time", "diag", "age"))
    return SurvivalData(np.zeros_like(exit_), exit_, frame["stat"].to_numpy(np.int64), ("death",),
                        np.arange(len(frame)), origin=origin, birth=origin - age, covariates=covariates)  # fmt: skip


@pytest.mark.parametrize("name", ["colrec", "rdata", "mgus2"])
def test_the_test_is_that_of_relsurv(name, slopop):
    data, expected = follow(name), REFERENCE[name]
    for key, (by, strata) in TESTS.items():
        found = compare_net(data, slopop, by, strata=strata)
        daily, fine = expected["tests"][key], expected["fine"][key]
        score = (found.table["observed"] - found.table["expected"]).to_numpy()
        assert score.sum() == pytest.approx(0, abs=1e-8 * np.abs(found.table["observed"]).max())
        # relsurv takes the first day whole on any grid.
        assert score[:-1] == pytest.approx(fine["score"], rel=2e-5)
        assert found.statistic == pytest.approx(fine["statistic"], rel=3e-5)
        assert found.df == daily["df"]
        # Its default grid weighs a day's expected deaths as at the day's end.
        assert found.statistic == pytest.approx(daily["statistic"], rel=0.04) and abs(found.p - daily["p"]) < 0.005
        covariance = np.reshape(daily["covariance"], (found.df, found.df))
        assert score[:-1] @ np.linalg.solve(covariance, score[:-1]) == pytest.approx(found.statistic, rel=1e-9)


def plain(data, table, by, end_of_day=False):
    """Go through every day of every person: scores and their variances; relsurv's daily ones where asked for."""
    position = table.position(data.column("sex").to_numpy(dtype=object))
    values, group = np.unique(data.column(by), return_inverse=True)
    own = np.eye(len(values))[group]
    hazard, score, variance = np.zeros(len(data)), 0.0, 0.0
    for day in range(int(data.exit.max())):
        each = table.cell(position, data.origin + day - data.birth, data.origin + day)
        inside = (data.entry <= day) & (day < data.exit)
        before, after = np.exp(hazard) * inside, np.exp(hazard + each) * inside
        hazard = hazard + each
        if not inside.any():
            continue
        first, last = before @ own / before.sum(), after @ own / after.sum()
        dead = after * (data.event > 0) * (data.exit == day + 1)
        usual = after * each if end_of_day else after - before
        share = last if end_of_day else (first + last) / 2
        score = score + (dead - usual) @ own - last * dead.sum() + share * usual.sum()
        variance = variance + (own - last).T * dead**2 @ (own - last)
    return score, variance


def test_entry_is_counted_and_the_difference_from_relsurv_is_its_daily_weights(slopop):
    data = follow("rdata")
    for key in ("old", "band"):
        score, variance = plain(data, slopop, key, end_of_day=True)
        daily = REFERENCE["rdata"]["tests"][key]
        assert score[:-1] == pytest.approx(daily["score"], rel=1e-9)
        assert variance[:-1, :-1].ravel() == pytest.approx(daily["covariance"], rel=1e-9)
    entry = np.minimum(np.random.default_rng(3).integers(0, 900, len(data)), data.exit - 1)
    late = replace(data, entry=entry)
    score, variance = plain(late, slopop, "band")
    found = compare_net(late, slopop, "band")
    assert (found.table["observed"] - found.table["expected"]).to_numpy() == pytest.approx(score, rel=1e-8)
    statistic = score[:-1] @ np.linalg.solve(variance[:-1, :-1], score[:-1])
    assert found.statistic == pytest.approx(statistic, rel=1e-9)
    assert abs(found.statistic / compare_net(data, slopop, "band").statistic - 1) > 0.01


def draw(generator, table, size, ratio=1.0):
    """Draw two groups of other ages and sexes with the same excess hazard, times a ratio in the second."""
    group = generator.integers(0, 2, size)
    origin = np.full(size, 9131) + generator.integers(0, 1500, size)
    birth = origin - (generator.uniform(45, 70, size) * 365.25 + 8 * 365 * group).astype(np.int64)
    sex = np.where(generator.random(size) < 0.3 + 0.4 * group, "F", "M")
    excess = generator.exponential(365.25 / (0.06 * np.where(group == 1, ratio, 1.0)))
    grid, reached, other = np.arange(0, 4000, 100), generator.exponential(1, size), np.full(size, np.inf)
    usual = np.stack([table.cumulative_hazard(sex, birth, origin, origin + day) for day in grid])
    for at in range(size):
        other[at] = np.interp(reached[at], usual[:, at], grid, right=np.inf)
    death, end = np.minimum(excess, other), generator.uniform(1000, 3900, size)
    return SurvivalData(
        np.zeros(size, dtype=np.int64), np.ceil(np.minimum(death, end)).astype(np.int64), (death <= end) * 1,
        ("death",), np.arange(size), origin=origin, birth=birth,
        covariates=pd.DataFrame({"sex": sex, "arm": group}),
    )  # fmt: skip


def test_level_and_power_between_groups_of_other_ages():
    table, generator = life_table(extend="nearest"), np.random.default_rng(8)
    level = [compare_net(draw(generator, table, 250), table, "arm").p for _ in range(60)]
    power = [compare_net(draw(generator, table, 250, 2.5), table, "arm").p for _ in range(15)]
    assert sum(p < 0.05 for p in level) <= 9 and 0.3 < np.mean(level) < 0.7  # P(more than 9 of 60) = 0.001
    assert sum(p < 0.05 for p in power) >= 10


def test_groups_that_enter_late_strata_and_what_is_told(slopop):
    data = follow("rdata", slice(None, None, 2))
    found = compare_net(data, slopop, ["old", "number"], strata="band")
    assert 1 <= found.df <= 3 and np.isfinite(found.statistic) and "within strata" in found.release().title
    assert not check_release(found.release(), read_policy()).refused
    assert found.table["events"].sum() == data.event.sum()
    gone = replace(data, entry=np.where(data.covariates["old"] == 1, np.minimum(1500, data.exit - 1), 0))
    assert np.isfinite(compare_net(gone, slopop, "old").statistic)
    few = compare_net(data.select(np.arange(40)), slopop, "old")
    assert any("fewer than 10 deaths" in note for note in few.notes)
    with pytest.raises(ParameterError, match="there is one group"):
        compare_net(data.select((data.covariates["old"] == 1).to_numpy()), slopop, "old")
    with pytest.raises(ParameterError, match="weights or clusters"):
        compare_net(replace(data, weight=np.ones(len(data))), slopop, "old")
    with pytest.raises(DataError, match="not placed in calendar time"):
        compare_net(replace(data, birth=None), slopop, "old")
