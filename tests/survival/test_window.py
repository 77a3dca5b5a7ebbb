"""The window of ages common to groups: found, drawn, and held to."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DisclosureError, EstimationError, ParameterError
from epi.survival import (
    SurvivalData,
    build_survival,
    estimate_cumulative_hazard,
    estimate_cumulative_incidence,
    estimate_rmst,
    estimate_survival,
    find_common_window,
    fit_cox,
)


@pytest.fixture(scope="module")
def registry() -> SurvivalData:
    """Patients born from 1975 to 2019, seen from 2007 on."""
    rng = np.random.default_rng(1)
    size = 2000
    birth = pd.Series(pd.Timestamp("1975-01-01") + pd.to_timedelta(rng.integers(0, 365 * 45, size), unit="D"))
    dead = birth + pd.to_timedelta(rng.integers(1, 30_000, size), unit="D")
    start = birth.clip(lower=pd.Timestamp("2007-01-01")) + pd.to_timedelta(rng.integers(0, 900, size), unit="D")
    table = pd.DataFrame({"birth": birth, "start": start, "stop": dead.clip(upper=pd.Timestamp("2024-12-31"))})
    table["died"] = dead == table["stop"]
    table["era"] = np.where(birth < "1995-01-01", "before", "after")
    table = table[table["start"] < table["stop"]]
    return build_survival(table, entry="start", exit="stop", event="died", origin="birth", scale="age")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12), st.sampled_from("ab")), min_size=2, max_size=25),
    st.integers(1, 4),
)
def test_every_day_of_the_window_has_enough_persons(rows: list[tuple[int, int, str]], minimum: int) -> None:
    table = pd.DataFrame(rows, columns=["entry", "stay", "group"]).assign(died=0)
    table["exit"] = table["entry"] + table["stay"]
    data = build_survival(table, entry="entry", exit="exit", event="died", covariates=["group"])
    groups = sorted(set(table["group"]))
    enough = [
        all(
            ((table["entry"] < day) & (table["exit"] >= day) & (table["group"] == one)).sum() >= minimum
            for one in groups
        )
        for day in range(1, 26)
    ]
    longest = max((len(run) for run in "".join("x" if ok else " " for ok in enough).split()), default=0)
    if not longest:
        with pytest.raises(EstimationError, match="at no time"):
            find_common_window(data, "group", minimum=minimum, step=None)
        return
    window = find_common_window(data, "group", minimum=minimum, step=None)
    assert window.high - window.low == longest
    assert all(enough[day - 1] for day in range(window.low + 1, window.high + 1))


def test_counts_and_whole_years(registry: SurvivalData) -> None:
    window = find_common_window(registry, "era", step=1)
    for end in (window.low, window.high):
        # A number of years is rounded down to a whole day, as everywhere.
        assert end == int(round(end / 365.25) * 365.25)
    free = find_common_window(registry, "era", step=None)
    quarters = find_common_window(registry, "era")
    assert free.low < quarters.low <= window.low < window.high <= quarters.high < free.high
    for end in (quarters.low, quarters.high):
        # The days themselves are those of single persons.
        assert end == int(round(end / 365.25 * 4) / 4 * 365.25)
    row = window.table.set_index("group").loc["before"]
    mine = registry.column("era") == "before"
    event, exit_ = registry.event[mine] > 0, registry.exit[mine]
    assert row["events"] == event.sum()
    assert row["events_before"] == (event & (exit_ <= window.low)).sum()
    assert row["events_inside"] == (event & (exit_ > window.low) & (exit_ <= window.high)).sum()
    assert row["events"] == row[["events_before", "events_inside", "events_after"]].sum()
    assert row["persons_inside"] == (
        (registry.entry[mine] < window.high) & (registry.exit[mine] > window.low)
    ).sum()  # fmt: skip


def test_times_outside_are_refused_with_the_reason(registry: SurvivalData) -> None:
    window = find_common_window(registry, "era", step=1)
    inside = window.inside
    reason = "a child born in 1995 who died in 1998 is never seen"
    five, late = 5 * 365.25, window.high + 400
    curve = estimate_survival(inside, by="era")
    for ask in (
        lambda: curve.at(five),
        lambda: estimate_cumulative_hazard(inside, by="era").at(five),
        lambda: estimate_cumulative_incidence(inside, by="era").at(five),
        lambda: estimate_rmst(inside, 20, by="era", unit="years"),
        lambda: window.check(5, "years"),
    ):
        with pytest.raises(EstimationError, match=reason):
            ask()
    with pytest.raises(EstimationError, match="Too few persons"):
        curve.at(late)
    window.check([window.low, window.high])
    # Outside of any window the same curve still tells.
    assert estimate_survival(registry, by="era").at(five)["survival"].notna().all()


def test_within_the_window_curves_are_conditional(registry: SurvivalData) -> None:
    window = find_common_window(registry, "era", step=1)
    curve = estimate_survival(window.inside, by="era")
    held = estimate_survival(registry, by="era").conditional(window.low)
    days = [window.low, window.low + 1000, window.high]
    pd.testing.assert_frame_equal(curve.at(days), held.at(days))
    assert curve.settings["conditional_on"] == window.low
    assert "at risk at" in curve.release().title
    mean = estimate_rmst(window.inside, window.high, start=window.low, by="era")
    assert mean.table["mean"].between(0, window.high - window.low).all()
    part = window.apply(registry.select((registry.column("era") == "after").to_numpy()))
    with pytest.raises(EstimationError, match="never seen"):
        estimate_survival(part).at(10)


def test_predictions_of_a_model_keep_to_the_window(registry: SurvivalData) -> None:
    window = find_common_window(registry, "era", step=1)
    model = fit_cox(window.inside, ["era"], reference={"era": "before"})
    profiles = pd.DataFrame({"era": ["before", "after"]}, index=["b", "a"])
    years = window.low / 365.25
    assert model.predict_survival(profiles).settings["from_days"] == window.low
    for options in ({"at_years": [5]}, {"from_years": 5}):
        with pytest.raises(EstimationError, match="never seen"):
            model.predict_survival(profiles, **options)
    model.predict_survival(profiles, from_years=years + 1, at_years=[years + 2])


def test_no_window_is_told_by_group(registry: SurvivalData) -> None:
    with pytest.raises(EstimationError, match="before: at no time") as caught:
        find_common_window(registry, "era", minimum=100_000)
    assert "after: at no time" in str(caught.value)
    with pytest.raises(EstimationError, match="over 40 years"):
        find_common_window(registry, "era", step=40)
    for wrong in ({"minimum": 0}, {"step": 0}):
        with pytest.raises(ParameterError):
            find_common_window(registry, "era", **wrong)
    with pytest.raises(ParameterError, match="one time scale"):
        other = build_survival(pd.DataFrame({"exit": [5], "died": [1]}), exit="exit", event="died")
        find_common_window(registry, "era").apply(other)


def test_what_leaves_passes_the_gate(registry: SurvivalData) -> None:
    window = find_common_window(registry, "era", step=1)
    assert not check_release(window.release(), read_policy()).refused
    chart = window.chart(lang="fr")
    decision = check_release(chart.release(), read_policy())
    assert not decision.refused
    figure = chart.figure(decision.table)
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert any("tous les groupes observés" in text for text in legend)
    assert list(decision.table) == ["group", "years", "at_risk"]
    assert (decision.table["at_risk"] >= 11).all()
    with pytest.raises(ParameterError, match="lang"):
        window.chart(lang="de")  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(60, 600))
def test_the_picture_and_the_curves_within_the_window_tell_of_no_few(seed: int, size: int) -> None:
    """Both are read at the same times within it; elsewhere nobody or enough come and go between two of them."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 6000, size)
    table = pd.DataFrame({"entry": entry, "exit": entry + rng.integers(1, 6000, size), "died": rng.integers(0, 2, size),
                          "era": rng.choice(["a", "b"], size)})  # fmt: skip
    data = build_survival(table, entry="entry", exit="exit", event="died", covariates=["era"])
    try:
        window = find_common_window(data, "era", minimum=11)
        curves = estimate_survival(window.inside, by="era").release().table
    except (EstimationError, DisclosureError):
        return
    told = window.chart().release().table
    both = told.merge(curves, on=["group", "years"], suffixes=("", "_curve"))
    assert len(both) == len(curves)
    assert (both["at_risk"] == both["at_risk_curve"]).all()
    low, high = window.low / 365.25, window.high / 365.25
    for group, part in told.groupby("group"):
        mine = table[table["era"] == group]
        inner = part["years"].isin(curves.loc[curves["group"] == group, "years"])
        assert inner[part["years"].between(low + 0.01, high - 0.01)].all()
        days = np.floor(np.sort(part["years"].to_numpy()) * 365.25 + 0.6).astype(int)
        for start, stop in pairwise(days):
            gone = mine["exit"].between(start + 3, stop - 3)
            counts = [(gone & (mine["died"] == died)).sum() for died in (0, 1)]
            near = [(mine["exit"].between(start - 3, stop + 3) & (mine["died"] == died)).sum() for died in (0, 1)]
            # A day is known to a hundredth of a year: few are few whichever of these days it is.
            assert all(few == 0 or many >= 11 for few, many in zip(counts, near, strict=True))
