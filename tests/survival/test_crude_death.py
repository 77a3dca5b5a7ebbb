"""Crude probabilities of death: equal to relsurv; entry and the jackknife held against plain references."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, EstimationError, ParameterError
from epi.survival import build_life_table, build_survival, estimate_crude_death, estimate_survival, life_table

ORACLE = Path(__file__).parents[1] / "oracle"
REFERENCE = json.loads((ORACLE / "crude_death.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def slopop():
    cells = pd.read_csv(ORACLE / "net_survival_slopop.csv.gz")
    cells["sex"] = cells["sex"].map({"male": "M", "female": "F"})
    wide = cells.pivot_table(index=["sex", "age"], columns="year", values="hazard_per_day")
    wide = wide.reindex(columns=range(wide.columns.min(), wide.columns.max() + 1)).ffill(axis=1)
    long = wide.stack().rename("hazard_per_day").reset_index()
    return build_life_table(long, name="slopop", infant=(), extend="nearest", year_length=365.241)


def read(name):
    frame = pd.read_csv(ORACLE / f"net_survival_{name}.csv.gz")
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


@pytest.fixture(scope="module")
def late():
    frame = read("rdata").iloc[::8].reset_index(drop=True)
    generator = np.random.default_rng(3)
    entry = np.minimum(generator.integers(0, 900, len(frame)), frame["time"] - 1)
    return frame.assign(**{"in": frame["start"] + pd.to_timedelta(entry, unit="D")})


@pytest.mark.parametrize("name", ["colrec", "rdata", "mgus2"])
def test_probabilities_and_variances_are_those_of_relsurv(name, slopop):
    data, expected = follow(read(name)), REFERENCE["results"][name]
    times = expected["times"]
    whole = estimate_crude_death(data, slopop, variance="poisson").at(times)
    by = estimate_crude_death(data, slopop, variance="poisson", by="old").at(times)
    for key, found in (("all", whole), ("old", by[by["group"] == "old"]), ("young", by[by["group"] == "young"])):
        for cause in ("disease", "population"):
            rows = found[found["cause"] == cause]
            assert rows["probability"].to_numpy() == pytest.approx(expected["crude"][key][cause], rel=1e-9)
            variance = expected["crude"][key][f"{cause}_variance"]
            assert rows["se"].to_numpy() ** 2 == pytest.approx(variance, rel=1e-9)
    # relsurv cuts a day in two where a birthday falls within it.
    for cause, tolerance in (("disease", 3e-3), ("population", 2e-3)):
        rows = whole.loc[whole["cause"] == cause, "probability"].to_numpy()
        assert rows == pytest.approx(expected["crude"]["as_is"][cause], rel=tolerance)


def test_everything_adds_up_to_one(slopop):
    data = follow(read("mgus2"))
    for variance in ("jackknife", "poisson"):
        table = estimate_crude_death(data, slopop, by="old", variance=variance).table
        sums = (
            table.groupby(["group", "time"])["probability"].sum() + table.groupby(["group", "time"])["observed"].first()
        )
        assert sums.to_numpy() == pytest.approx(np.ones(len(sums)), abs=1e-12)
        assert np.isfinite(table.drop(columns=["group", "cause"]).to_numpy()).all()
    observed = estimate_survival(data, by="old").table
    once = table[table["cause"] == "disease"]
    assert once["observed"].to_numpy() == pytest.approx(observed["survival"].to_numpy(), rel=1e-10)
    # relsurv has no variance for the day on which the last of mgus2 die.
    assert REFERENCE["results"]["mgus2"]["crude"]["all"]["last"] == "not a number"


def plain(frame, table, at, weight=None):
    """Go through every day of every person; both probabilities at some days, persons weighed."""
    birth, origin = days(frame["born"]), days(frame["start"])
    entry, exit_ = days(frame["in"]) - origin, days(frame["end"]) - origin
    position, died = table.position(frame["sex"].to_numpy()), frame["stat"].to_numpy() == 1
    weight = np.ones((1, len(frame))) if weight is None else weight
    survival, found, out = 1.0, np.zeros((2, len(weight))), []
    for day in range(int(exit_.max())):
        inside = (entry <= day) & (day < exit_)
        if inside.any():
            each = weight * inside
            risk = each.sum(axis=1)
            usual = each @ table.cell(position, origin + day - birth, origin + day) / risk
            dead = each @ (died & (exit_ == day + 1)) / risk
            found = found + survival * np.stack([dead - usual, usual])
            survival = survival * (1 - dead)
        if day + 1 in at:
            out.append(found)
    return np.array(out)


def days(column):
    return ((column - pd.Timestamp("1970-01-01")).dt.days).to_numpy()


def test_entry_and_jackknife_are_those_of_a_plain_reference(late, slopop):
    assert REFERENCE["ignores_entry"], "relsurv gives the same with entry times as without"
    at = [400, 1000, 2500, 4500]
    found = estimate_crude_death(follow(late, entry="in"), slopop).at(at)
    # The jackknife is the derivative in each person's weight, squared and summed.
    step, size = 1e-4, len(late)
    weights = 1 + step * np.concatenate([np.zeros((1, size)), np.eye(size), -np.eye(size)])
    values = plain(late, slopop, at, weights)
    slope = (values[:, :, 1 : size + 1] - values[:, :, size + 1 :]) / (2 * step)
    for number, cause in enumerate(("disease", "population")):
        rows = found[found["cause"] == cause]
        assert rows["probability"].to_numpy() == pytest.approx(values[:, number, 0], rel=1e-10)
        assert rows["se"].to_numpy() == pytest.approx(np.sqrt((slope[:, number] ** 2).sum(axis=1)), rel=1e-6)


def test_row_order_and_splitting_change_nothing(late, slopop):
    found = estimate_crude_death(follow(late, entry="in"), slopop, by="old").table
    again = estimate_crude_death(follow(late.sample(frac=1, random_state=1), entry="in"), slopop, by="old").table
    pd.testing.assert_frame_equal(found, again, rtol=1e-9)
    middle = late["in"] + (late["end"] - late["in"]).dt.days.floordiv(2).pipe(pd.to_timedelta, unit="D")
    whole, cut = late.assign(who=np.arange(len(late))), middle > late["in"]
    halves = pd.concat([
        whole[~cut], whole[cut].assign(end=middle[cut], stat=0), whole[cut].assign(**{"in": middle[cut]}),
    ])  # fmt: skip
    split = estimate_crude_death(follow(halves, entry="in", person="who"), slopop, by="old").table
    pd.testing.assert_frame_equal(found, split, rtol=1e-9)


def test_days_with_nobody_at_risk_leave_the_curves_as_they_are():
    frame = pd.DataFrame({
        "start": pd.Timestamp("2000-01-01"), "born": pd.Timestamp("1940-06-15"), "sex": ["F", "M", "F", "M"],
        "in": pd.to_datetime(["2000-01-01", "2000-01-01", "2002-01-01", "2002-01-01"]),
        "end": pd.to_datetime(["2000-06-01", "2001-01-01", "2002-08-01", "2003-01-01"]), "stat": [1, 0, 1, 0],
        "old": "old",
    })  # fmt: skip
    found = estimate_crude_death(follow(frame, entry="in"), life_table(extend="nearest"))
    gap = found.at([366, 500, 730]).groupby("cause")
    assert (gap["probability"].nunique() == 1).all() and (gap["se"].nunique() == 1).all()
    assert found.at([0, 1200])["probability"].isna().tolist() == [False, True] * 2
    assert any("fewer than 20 deaths" in note for note in found.notes)
    assert any("nobody is at risk" in note for note in found.notes)


def test_from_an_age_on_and_what_leaves(slopop):
    data = follow(read("rdata"))
    found = estimate_crude_death(data, slopop, by="old")
    later = found.conditional(700)
    start, end = found.at([700]), found.at([2000])
    alive = 1 - start.groupby("group", sort=False)["probability"].sum()
    ratio = (end["probability"] - start["probability"]) / start["group"].map(alive)
    assert later.at([2000])["probability"].to_numpy() == pytest.approx(ratio.to_numpy(), rel=1e-9)
    with pytest.raises(EstimationError, match="too few persons are at risk"):
        found.conditional(6000)
    release = found.release()
    assert {"disease", "disease_low", "population_high", "at_risk", "events"} <= set(release.table)
    assert release.table["at_risk"].min() >= 11 and "slopop" in release.note and "jackknife" in release.note
    decision = check_release(release, read_policy())
    assert not decision.refused and decision.table["disease"].notna().any()
    row = release.table.iloc[-1]
    value = found.at([row["years"]], "years")
    value = value[(value["group"] == row["group"]) & (value["cause"] == "disease")]["probability"].iloc[0]
    assert row["disease"] == pytest.approx(value, abs=2e-3)
    assert "of other causes" in str(found) and "Crude" in found._repr_html_()


def test_the_picture_holds_what_the_gate_leaves(slopop):
    data = follow(read("rdata"))
    for lang, title, word in (("en", "Crude probability", "At risk after"), ("fr", "Probabilité brute", "À risque")):
        for by in (None, "old"):
            chart = estimate_crude_death(data, slopop, by=by).chart(lang=lang)
            decision = check_release(chart.release(), read_policy())
            assert not decision.refused and chart.data.title.startswith(title)
            assert chart.data.labels["at_risk"].startswith(word)
            figure = chart.figure(decision.table)
            assert len(figure.axes) == (1 if by is None else 2)
            part = decision.table if by is None else decision.table[decision.table["group"] == "old"]
            # Solid pieces hold each time once; dots join those that are far apart.
            color = figure.axes[0].lines[-1].get_color()
            mine = [line for line in figure.axes[0].lines if line.get_color() == color and line.get_linestyle() == "-"]
            drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in mine])
            np.testing.assert_allclose(drawn, part["population"].to_numpy(float))
    gone = decision.table.assign(disease=np.nan, population=np.nan)
    assert chart.figure(gone) is not None
    with pytest.raises(ParameterError, match="fr or en"):
        estimate_crude_death(data, slopop).chart(lang="de")


def test_what_cannot_be_done_is_told(late, slopop):
    data = follow(late, entry="in")
    with pytest.raises(ParameterError, match="one of jackknife, poisson"):
        estimate_crude_death(data, slopop, variance="greenwood")
    with pytest.raises(ParameterError, match="weights or clusters"):
        estimate_crude_death(replace(data, weight=np.ones(len(data))), slopop)
    with pytest.raises(DataError, match="not placed in calendar time"):
        estimate_crude_death(replace(data, birth=None), slopop)
    gaps = pd.concat(
        [
            late.assign(who=range(len(late))),
            late.assign(
                who=range(len(late)),
                **{"in": late["end"] + pd.Timedelta(days=5)},
                end=late["end"] + pd.Timedelta(days=9),
            ),
        ]
    )
    again = follow(gaps.assign(stat=0), entry="in", person="who")
    with pytest.raises(DataError, match="not one stay in one group"):
        estimate_crude_death(again, slopop)
    assert np.isfinite(estimate_crude_death(again, slopop, variance="poisson").table["se"]).all()
