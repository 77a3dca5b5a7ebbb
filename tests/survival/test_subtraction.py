"""What one released table would give back of a hidden group, by subtraction or by a quotient, is hidden too."""

from __future__ import annotations

import numpy as np
import pandas as pd

from epi.disclosure import check_release, read_policy
from epi.survival import build_survival, check_quasi_independence, compare_rmst, find_common_window


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
    window = find_common_window(data, "g", minimum=11)
    left = window.table["persons_inside"] - window.table["events_inside"]
    assert (left.between(1, 10)).any()
    assert "events_inside" not in window.release().table


def test_the_note_tells_no_test_whose_cells_are_hidden():
    release = check_quasi_independence(follow({"a": (60, 5)})).release()
    assert "all in all hidden" in release.note and "p =" not in release.note
