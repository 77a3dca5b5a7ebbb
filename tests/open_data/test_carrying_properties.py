"""Counts are conserved to the unit through the passage to today, whatever the codes and the order of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.geography.codes import known_codes
from epi.sources.open_data import Column, Form, Layout, OpenTable
from epi.sources.open_data.dating import follow_codes

# Codes given up long ago that are postal codes now: a column of those is refused, which is tested elsewhere.
CODES = sorted(known_codes().index[~known_codes()["postal"].to_numpy(dtype=bool)])
COLUMNS = (
    Column("code_commune", "code", code="commune"),
    Column("persons", "count", "persons"),
    Column("rate", "mean", "%"),
    Column("level", "class"),
)
LAYOUT = Layout(
    id="hand", theme="geography", title_en="t", title_fr="t", producer="p", licence="l", source="s",
    forms=(Form("x", "x"),), columns=COLUMNS, support="commune", area="code_commune", key=("code_commune",),
)  # fmt: skip


def hand_made(codes: list[str], seed: int) -> OpenTable:
    rng = np.random.default_rng(np.random.PCG64(seed))
    frame = pd.DataFrame(
        {
            "code_commune": codes,
            "persons": rng.integers(0, 5000, len(codes)),
            "rate": rng.normal(10, 3, len(codes)),
            "level": rng.choice(["1", "2"], len(codes)),
        }
    )
    return OpenTable(frame, LAYOUT, COLUMNS, "2010", "", "x.csv", "0" * 64)


codes_of_any_year = st.lists(st.sampled_from(CODES), min_size=1, max_size=400, unique=True)


@settings(max_examples=40)
@given(codes=codes_of_any_year, seed=st.integers(0, 10**6))
def test_counts_are_conserved_and_means_stay_within_their_parts(codes: list[str], seed: int) -> None:
    table = hand_made(codes, seed)
    today = table.to_current(weights="equal")
    assert today.table["code_commune"].is_unique
    passed = follow_codes(table, table.table["code_commune"]).passed
    parts = table.table.assign(today=passed["insee_code"], status=passed["status"].astype(str))
    parts = parts.dropna(subset=["today"])
    # A city or a commune that has a row of its own already holds its parts.
    inner = parts["status"].isin(["arrondissement", "delegated"]) & (parts["today"] != parts["code_commune"])
    parts = parts[~(inner & parts["today"].isin(codes))]
    assert today.table["persons"].sum() == parts["persons"].sum()
    expected = parts.groupby("today")["persons"].sum()
    assert today.table.set_index("code_commune")["persons"].astype(int).to_dict() == expected.to_dict()
    bounds = parts.groupby("today")["rate"].agg(["min", "max"])
    rates = today.table.set_index("code_commune")["rate"].reindex(bounds.index)
    assert ((rates >= bounds["min"] - 1e-9) & (rates <= bounds["max"] + 1e-9)).all()


@settings(max_examples=20)
@given(codes=codes_of_any_year, seed=st.integers(0, 10**6))
def test_order_of_rows_does_not_matter_and_today_is_a_fixed_point(codes: list[str], seed: int) -> None:
    table = hand_made(codes, seed)
    shuffled = table.table.sample(frac=1, random_state=seed % 1000).reset_index(drop=True)
    other = OpenTable(shuffled, LAYOUT, COLUMNS, "2010", "", "x.csv", "0" * 64)
    one = table.to_current(weights="persons").table.sort_values("code_commune", ignore_index=True)
    two = other.to_current(weights="persons").table.sort_values("code_commune", ignore_index=True)
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    again = table.to_current(weights="persons").to_current(weights="persons").table
    pd.testing.assert_frame_equal(one, again.sort_values("code_commune", ignore_index=True), check_exact=True)
