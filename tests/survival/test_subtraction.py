"""What one released table would give back of a hidden group, by subtraction or by a quotient, is hidden too."""

from __future__ import annotations

import numpy as np
import pandas as pd

from epi.disclosure import check_release, read_policy
from epi.survival import (
    build_survival,
    check_quasi_independence,
    compare_rmst,
    compare_survival,
    estimate_rates,
    estimate_survival,
    find_common_window,
    fit_cox,
)


def follow(events):
    parts = []
    for name, (persons, died) in events.items():
        at = np.arange(persons)
        parts.append(pd.DataFrame({"entry": at % 7, "exit": 400 + at, "died": (at < died).astype(int), "g": name}))
    return build_survival(
        pd.concat(parts, ignore_index=True), entry="entry", exit="exit", event="died", covariates=["g"]
    )


def test_contrasts_with_a_hidden_reference_are_hidden():
    data = follow({"a": (30, 1), "b": (60, 30), "c": (60, 25)})
    shown = check_release(compare_rmst(data, 425, "g").release(), read_policy()).table
    assert shown.filter(regex="^(difference|ratio)").isna().all(axis=None)
    enough = compare_rmst(follow({"b": (60, 30), "c": (60, 25)}), 425, "g").release()
    assert enough.table["difference"].notna().any()


def test_events_within_the_window_do_not_tell_of_few_without():
    data = follow({"a": (60, 57), "b": (60, 30)})
    window = find_common_window(data, "g", minimum=11, step=None)
    left = window.table["persons_inside"] - window.table["events_inside"]
    assert (left.between(1, 10)).any()
    assert "events_inside" not in window.release().table


def test_the_note_tells_no_test_whose_cells_are_hidden():
    release = check_quasi_independence(follow({"a": (60, 5)})).release()
    assert "all in all hidden" in release.note and "p =" not in release.note


def test_tests_beside_hidden_cells_are_hidden():
    data = follow({"a": (60, 5), "b": (60, 30)})
    for release in (compare_survival(data, "g").release(), fit_cox(data, ["g"], reference={"g": "b"}).release()):
        assert "hidden: small counts" in release.note
        assert "p =" not in release.note.replace("\u00a0", " ")
    enough = follow({"a": (60, 25), "b": (60, 30)})
    for release in (compare_survival(enough, "g").release(), fit_cox(enough, ["g"], reference={"g": "b"}).release()):
        assert "hidden" not in release.note
        assert "p =" in release.note.replace("\u00a0", " ")


def test_rates_of_groups_do_not_give_a_hidden_group_back_beside_the_rate_of_all():
    data = follow({"a": (60, 5), "b": (60, 30), "c": (80, 40)})
    shown = check_release(estimate_rates(data, by="g").release(), read_policy()).table
    # Not one alone: the events of all are published by the rate of all.
    assert shown["events"].isna().sum() >= 2
    assert estimate_rates(data).release().table["events"].item() == 75


def test_rates_by_group_and_age_hide_a_cell_in_its_row_and_in_its_column():
    rng = np.random.default_rng(2)
    size = 4000
    born = pd.Timestamp("1950-01-01") + pd.to_timedelta(rng.integers(0, 18_000, size), unit="D")
    seen = pd.DataFrame({"born": born, "start": pd.Timestamp("2005-01-01"), "end": pd.Timestamp("2009-12-31"),
                         "g": rng.choice(["a", "b", "c"], size), "died": 0})  # fmt: skip
    old = born < pd.Timestamp("1970-01-01")
    few = seen.index[old & (seen["g"] == "a")][:4]
    seen["died"] = np.where(old & (seen["g"] == "a"), 0, rng.random(size) < 0.2).astype(int)
    seen.loc[few, "died"] = 1
    data = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born")
    found = estimate_rates(data, by="g", age_bands=[40, 50])
    decision = check_release(found.release(), read_policy())
    assert not decision.refused
    hidden = decision.table["events"].isna()
    cells = decision.table.assign(hidden=hidden)
    assert hidden.any()
    # Neither the rate of a group nor that of an age gives a cell back that is alone in its row or column.
    for name in ("g", "age_band"):
        assert (cells.groupby(name)["hidden"].sum() != 1).all()


def test_repeated_events_of_few_persons_are_hidden():
    at = np.arange(40)
    rows = pd.concat([pd.DataFrame({"p": at, "entry": k * 100, "event": (at < 3).astype(int)}) for k in range(6)])
    rows["exit"] = rows["entry"] + 100
    data = build_survival(rows, entry="entry", exit="exit", event="event", person="p")
    release = estimate_rates(data).release()
    assert release.table[["struck", "events"]].to_numpy().tolist() == [[3, 18]]
    shown = check_release(release, read_policy()).table
    assert shown[["struck", "events", "rate"]].isna().all(axis=None)


def test_a_conditional_curve_starts_on_a_round_month():
    data = follow({"a": (60, 30)})
    late = data.window(low=3)
    start = estimate_survival(late).conditional(minimal=20).settings["conditional_on"]
    assert start == 30  # a twelfth of a year, in whole days
