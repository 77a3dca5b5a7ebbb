"""Net survival: equal to relsurv where it says what we say, to a plain reference where it ignores entry."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epi.errors import DataError, EstimationError, ParameterError
from epi.survival import (
    build_life_table,
    build_survival,
    estimate_crude_death,
    estimate_net_survival,
    estimate_survival,
    life_table,
    standardise_survival,
)
from epi.survival.expected import sum_hazards, sum_weights

ORACLE = Path(__file__).parents[1] / "oracle"
REFERENCE = json.loads((ORACLE / "net_survival.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def slopop():
    cells = pd.read_csv(ORACLE / "net_survival_slopop.csv.gz")
    cells["sex"] = cells["sex"].map({"male": "M", "female": "F"})
    # Cells of relsurv's table hold until the next year listed.
    wide = cells.pivot_table(index=["sex", "age"], columns="year", values="hazard_per_day")
    wide = wide.reindex(columns=range(wide.columns.min(), wide.columns.max() + 1)).ffill(axis=1)
    long = wide.stack().rename("hazard_per_day").reset_index()
    return build_life_table(long, name="slopop", infant=(), extend="nearest", year_length=365.241)


def dated(frame):
    start = pd.Timestamp("1970-01-01") + pd.to_timedelta(frame["diag"], unit="D")
    return frame.assign(
        start=start, born=start - pd.to_timedelta(frame["age"], unit="D"),
        end=start + pd.to_timedelta(frame["time"], unit="D"), sex=frame["sex"].map({1: "M", 2: "F"}),
        old=np.where(frame["age"] > 65 * 365.25, "old", "young"),
    )  # fmt: skip


def follow(frame, entry="start", **more):
    return build_survival(
        frame, entry=entry, exit="end", event="stat", origin="start", birth="born", covariates=["sex", "old"], **more
    )


def read(name):
    return dated(pd.read_csv(ORACLE / f"net_survival_{name}.csv.gz"))


@pytest.mark.parametrize("name", ["colrec", "rdata", "mgus2"])
def test_net_survival_is_that_of_relsurv(name, slopop):
    data, expected = follow(read(name)), REFERENCE["results"][name]
    times = expected["times"]
    for method, form, key, tolerance in (
        # relsurv joins both ends of a day by a straight line where we integrate.
        ("pohar-perme", "product", "every_day", 5e-8), ("pohar-perme", "exponential", "exponential", 5e-8),
        ("ederer2", "product", "ederer2", 1e-10),
    ):  # fmt: skip
        curve = estimate_net_survival(data, slopop, method=method, form=form)
        found = curve.at(times)
        if method == "ederer2":  # relsurv gives the value of the last day on which somebody left
            found = curve.table.iloc[np.searchsorted(curve.table["time"], times, side="right") - 1]
        assert found["survival"].to_numpy() == pytest.approx(expected[key]["survival"], rel=tolerance)
        assert (found["se"] / found["survival"]).to_numpy() == pytest.approx(expected[key]["se_log"], rel=1e-8)
    first = estimate_net_survival(data, slopop, method="ederer1").at(times)["survival"].to_numpy()
    cohort = np.array(expected["kaplan_meier"]) / np.array(expected["expected_cohort"])
    # survexp changes cells in the middle of a day; here, as in relsurv, a day takes the cell of its beginning.
    assert first == pytest.approx(cohort, rel=1e-4)
    origin, birth = data.origin, data.birth
    everybody = [slopop.cumulative_hazard(data.column("sex"), birth, origin, origin + day) for day in times]
    assert first == pytest.approx(
        np.array(expected["kaplan_meier"]) / [np.exp(-each).mean() for each in everybody], rel=1e-10
    )
    observed = estimate_survival(data).at(times)["survival"].to_numpy()
    assert observed == pytest.approx(expected["kaplan_meier"], rel=1e-10)


def test_the_published_numbers_of_colrec(slopop):
    data = follow(read("colrec"))
    five = {m: float(estimate_net_survival(data, slopop, method=m).at([1826])["survival"].iloc[0])
            for m in ("pohar-perme", "ederer2")}  # fmt: skip
    assert abs(five["pohar-perme"] - 0.44133099) < 1e-6 and abs(five["ederer2"] - 0.44107033) < 1e-8


def plain(frame, table, since="origin"):
    """Go through every day of every person."""
    sex, birth = frame["sex"].to_numpy(), days(frame["born"])
    origin, entry, exit_ = days(frame["start"]), days(frame["in"]), days(frame["end"])
    position, died = table.position(sex), frame["stat"].to_numpy() == 1
    hazard, survival, out, variance = np.zeros(len(frame)), 1.0, {}, 0.0
    for day in range(int((exit_ - origin).max())):
        each = table.cell(position, origin + day - birth, origin + day)
        inside = (entry - origin <= day) & (day < exit_ - origin)
        if since == "entry":
            hazard = np.where(entry - origin <= day, hazard, 0.0)
        before, after = np.exp(hazard), np.exp(hazard + each)
        hazard = hazard + each
        if not inside.any():
            continue
        dying = inside & died & (exit_ - origin == day + 1)
        usual = np.log(after[inside].sum() / before[inside].sum())
        survival *= 1 - after[dying].sum() / after[inside].sum() + usual
        variance += (after[dying] ** 2).sum() / after[inside].sum() ** 2
        out[day + 1] = (survival, survival * np.sqrt(variance))
    return out


def days(column):
    return ((column - pd.Timestamp("1970-01-01")).dt.days).to_numpy()


@pytest.fixture(scope="module")
def late(slopop):
    frame = read("rdata").iloc[::3].reset_index(drop=True)
    generator = np.random.default_rng(3)
    entry = np.minimum(generator.integers(0, 900, len(frame)), frame["time"] - 1)
    return frame.assign(**{"in": frame["start"] + pd.to_timedelta(entry, unit="D")})


def test_late_entry_is_that_of_a_plain_reference(late, slopop):
    assert REFERENCE["ignores_entry"], "relsurv gives the same with entry times as without"
    found = estimate_net_survival(follow(late, entry="in"), slopop)
    reference = plain(late, slopop)
    rows = found.table[found.table["time"] > 0]
    for column, at in (("survival", 0), ("se", 1)):
        assert rows[column].to_numpy() == pytest.approx([reference[day][at] for day in rows["time"]], rel=1e-10)
    wrong = plain(late, slopop, since="entry")[1826][0]
    assert abs(wrong / found.at([1826])["survival"].iloc[0] - 1) > 1e-3, "weights since entry are another estimate"


def test_row_order_splitting_and_reading_change_nothing(late, slopop):
    data = follow(late, entry="in")
    found = estimate_net_survival(data, slopop, by="old").table
    shuffled = late.sample(frac=1, random_state=1).reset_index(drop=True)
    again = estimate_net_survival(follow(shuffled, entry="in"), slopop, by="old").table
    pd.testing.assert_frame_equal(found, again, rtol=1e-11)
    middle = late["in"] + (late["end"] - late["in"]).dt.days.floordiv(2).pipe(pd.to_timedelta, unit="D")
    whole = late.assign(who=np.arange(len(late)))
    cut = middle > late["in"]
    halves = pd.concat([
        whole[~cut], whole[cut].assign(end=middle[cut], stat=0), whole[cut].assign(**{"in": middle[cut]}),
    ])  # fmt: skip
    split = estimate_net_survival(follow(halves, entry="in", person="who"), slopop, by="old").table
    pd.testing.assert_frame_equal(found, split, rtol=1e-11)
    alone = estimate_net_survival(data.select(data.covariates["old"] == "old"), slopop).table
    pd.testing.assert_frame_equal(
        alone.drop(columns="group"), found[found["group"] == "old"].drop(columns="group").reset_index(drop=True),
        rtol=1e-11,
    )  # fmt: skip


def test_sums_over_those_at_risk_are_those_of_every_day(slopop):
    table, generator = life_table(extend="nearest"), np.random.default_rng(5)
    n = 60
    birth = generator.integers(-9000, 12000, n)
    origin = birth + generator.integers(0, 30000, n)
    entry = generator.integers(0, 900, n)
    exit_ = entry + generator.integers(1, 1500, n)
    position = table.position(generator.choice(["F", "M"], n))
    for sign in (1, -1):
        sums = sum_weights(table, position, birth, origin, entry, exit_, sign=sign)
        hazard = np.zeros(n)
        for day in range(int(exit_.max())):
            each = table.cell(position, origin + day - birth, origin + day)
            inside, weight = (entry <= day) & (day < exit_), np.exp(sign * hazard)
            hazard += each
            if day >= sums.first:
                at = day - sums.first
                assert sums.weights[at] == pytest.approx(weight[inside].sum(), rel=1e-12)
                assert sums.at_end[at] == pytest.approx(np.exp(sign * hazard)[inside].sum(), rel=1e-12)
    total = sum_hazards(table, position, birth, origin, entry, exit_)
    wanted = table.cumulative_hazard(np.where(position % 2, "M", "F"), birth, origin + entry, origin + exit_)
    assert total.sum() == pytest.approx(wanted.sum(), rel=1e-11)


def test_from_an_age_on_and_what_leaves(late, slopop):
    found = estimate_net_survival(follow(late, entry="in"), slopop, by="old")
    later = found.conditional(700, minimal=20)
    ratio = found.at([2000])["survival"].to_numpy() / found.at([700])["survival"].to_numpy()
    assert later.at([2000])["survival"].to_numpy() == pytest.approx(ratio, rel=1e-10)
    with pytest.raises(EstimationError, match="too few persons are at risk"):
        found.conditional(6000)
    release = found.release()
    assert {"survival", "observed", "ci_low", "ci_high", "at_risk"} <= set(release.table)
    assert release.table["at_risk"].min() >= 11 and "slopop" in release.note
    for lang, title in (("en", "Net survival"), ("fr", "Survie nette")):
        chart = found.chart(lang=lang)
        assert chart.data.title.startswith(title)
        chart.figure()
    assert "deaths" in str(found) and "Pohar-Perme" in found._repr_html_()


def test_what_cannot_be_done_is_told(late, slopop):
    data = follow(late, entry="in")
    with pytest.raises(ParameterError, match="Ederer I with late entry"):
        estimate_net_survival(data, slopop, method="ederer1")
    for wrong in ({"method": "hakulinen"}, {"interval": "log-log"}, {"form": "km"}):
        with pytest.raises(ParameterError):
            estimate_net_survival(data, slopop, **wrong)
    with pytest.raises(ParameterError, match="weights or clusters"):
        estimate_net_survival(replace(data, weight=np.ones(len(data))), slopop)
    with pytest.raises(DataError, match="not placed in calendar time"):
        estimate_net_survival(replace(data, birth=None), slopop)
    narrow = replace(slopop, extend="refuse", hazards=slopop.hazards[:, :, :52].copy())
    with pytest.raises(DataError, match="does not cover this follow-up"):
        estimate_net_survival(data, narrow)
    unknown = follow(late.assign(sex=late["sex"].where(late.index > 2)), entry="in")
    with pytest.raises(DataError, match="sex is neither F nor M for 3 of"):
        estimate_net_survival(unknown, slopop)


def test_days_with_nobody_at_risk_leave_the_curve_as_it_is():
    table = life_table(extend="nearest")
    frame = pd.DataFrame({
        "start": pd.Timestamp("2000-01-01"), "born": pd.Timestamp("1940-06-15"), "sex": ["F", "M", "F", "M"],
        "in": pd.to_datetime(["2000-01-01", "2000-01-01", "2002-01-01", "2002-01-01"]),
        "end": pd.to_datetime(["2000-06-01", "2001-01-01", "2002-08-01", "2003-01-01"]), "stat": [1, 0, 1, 0],
        "old": "old",
    })  # fmt: skip
    curve = estimate_net_survival(follow(frame, entry="in"), table)
    assert np.isfinite(curve.table[["survival", "se", "ci_low", "ci_high"]].to_numpy()).all()
    gap = curve.at([366, 500, 730])
    assert gap["survival"].nunique() == 1 and gap["se"].nunique() == 1 and (gap["at_risk"].iloc[1:] == 0).all()
    reference = plain(frame, table)
    rows = curve.table[curve.table["time"] > 0]
    assert rows["se"].to_numpy() == pytest.approx([reference[day][1] for day in rows["time"]], rel=1e-10)


def test_few_deaths_are_noted(late, slopop):
    data = follow(late, entry="in")
    assert not any("cover less often" in note for note in estimate_net_survival(data, slopop).notes)
    few = data.select(np.arange(len(data)) < 25)
    assert any("fewer than 20 deaths: limits cover less often" in note for note in
               estimate_net_survival(few, slopop).notes)  # fmt: skip


def test_until_the_first_death_there_are_no_limits(slopop):
    frame = read("colrec").query("time > 1").iloc[::12]
    first = int(frame.loc[frame["stat"] == 1, "time"].min())
    data = follow(frame)
    for found, name in (
        (estimate_net_survival(data, slopop), "survival"),
        (estimate_net_survival(data, slopop, method="ederer2"), "survival"),
        (estimate_crude_death(data, slopop), "probability"),
        (standardise_survival(data), "survival"),
    ):
        before, after = found.at([first - 1]), found.at([first + 400])
        assert before[name].notna().all() and before[["ci_low", "ci_high"]].isna().all(axis=None)
        assert after["ci_low"].notna().all() and (after["ci_low"] < after["ci_high"]).all()
