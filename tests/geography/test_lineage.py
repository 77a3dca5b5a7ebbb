"""History replayed on lists of events that can be read at a glance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.errors import GeographyError
from epi.geography.lineage import LAST_DAY, build_lineage, communes_since_1943
from epi.geography.vintages import POPULATIONS, measured_at, read_vintage


def events(*rows: tuple) -> pd.DataFrame:
    """Write events as (mod, day, before, after), with types where they are not communes."""
    table = pd.DataFrame([(*row, "COM", "COM")[:6] for row in rows])
    return table.set_axis(["mod", "day", "before", "after", "type_before", "type_after"], axis=1)


def becomes(lineage, code: str, start: int, end: int) -> set[str]:
    """Say what a commune of one day is on another."""
    here, there = (lineage.codes.to_numpy()[lineage.holders_at(day)] for day in (start, end))
    return set(there[here == code])


def test_a_merged_commune_that_is_reestablished_comes_out_of_the_other_one():
    # B and C merge into A; only B is re-established.
    lineage = build_lineage(
        events(
            (33, 10, "A", "A"), (33, 10, "B", "A"), (33, 10, "C", "A"),
            (21, 20, "A", "A"), (21, 20, "A", "B"),
        ),
        ["A", "B"],
    )  # fmt: skip
    assert [becomes(lineage, code, 0, 20) for code in "ABC"] == [{"A"}, {"B"}, {"A"}]
    assert becomes(lineage, "A", 15, 20) == {"A", "B"}
    assert becomes(lineage, "A", 20, 0) == {"A", "C"}
    assert lineage.valid_at(15).tolist() == ["A"]


def test_land_that_leaves_without_having_been_a_commune_may_come_from_any_part():
    lineage = build_lineage(
        events((31, 10, "A", "A"), (31, 10, "B", "A"), (20, 20, "A", "A"), (20, 20, "A", "N")), "AN"
    )
    assert becomes(lineage, "B", 0, 20) == {"A", "N"}
    assert becomes(lineage, "N", 20, 0) == {"A", "B"}


def test_a_deleted_commune_is_shared_by_those_that_take_it():
    lineage = build_lineage(
        events((30, 10, "A", "A"), (30, 10, "X", "A"), (30, 10, "X", "B"), (30, 10, "B", "B")), "AB"
    )
    assert becomes(lineage, "X", 0, 10) == {"A", "B"}
    assert becomes(lineage, "A", 0, 10) == {"A"}


def test_code_and_merger_on_one_day_and_a_code_used_again():
    # X becomes Y and merges into A the same day; later another commune takes the code X.
    lineage = build_lineage(
        events((41, 10, "X", "Y"), (32, 10, "A", "A"), (32, 10, "Y", "A"), (41, 30, "Z", "X")), ["A", "X"]
    )
    assert becomes(lineage, "X", 0, 40) == {"A"}
    assert becomes(lineage, "X", 30, 0) == {"Z"}
    assert "Y" in lineage.codes
    assert "Y" not in lineage.valid_at(10)


def test_a_commune_that_merged_twice_is_found_inside_both():
    # C in B, B in A; then B is re-established with C inside it, then C out of B.
    rows = [
        (33, 10, "B", "B"), (33, 10, "C", "B"),
        (33, 20, "A", "A"), (33, 20, "B", "A"),
        (21, 30, "A", "A"), (21, 30, "A", "B"),
        (21, 40, "B", "B"), (21, 40, "B", "C"),
    ]  # fmt: skip
    lineage = build_lineage(events(*rows), "ABC")
    assert [becomes(lineage, "C", 0, day) for day in (10, 20, 30, 40)] == [{"B"}, {"A"}, {"B"}, {"C"}]
    assert becomes(lineage, "B", 0, 40) == {"B"}


def test_an_associated_commune_whose_new_commune_is_not_said_is_ambiguous():
    lineage = build_lineage(
        events(
            (33, 10, "A", "A"), (33, 10, "B", "A"), (33, 10, "F", "A"),
            (21, 20, "A", "A"), (21, 20, "A", "B"), (21, 20, "A", "F", "COM", "COMA"),
        ),
        "AB",
    )  # fmt: skip
    assert becomes(lineage, "F", 0, 20) == {"A", "B"}
    assert becomes(lineage, "A", 0, 20) == {"A"}


def test_the_order_of_events_in_the_file_does_not_matter():
    rows = events((33, 10, "A", "A"), (33, 10, "B", "A"), (21, 20, "A", "B"), (21, 20, "A", "A"))
    one, two = build_lineage(rows, "AB"), build_lineage(rows.iloc[::-1], "BA")
    for name in ("piece", "holder", "start", "end"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def test_a_list_that_does_not_end_at_todays_communes_is_refused():
    with pytest.raises(GeographyError, match="lead to 0 communes that are none today, and not to 1"):
        build_lineage(events((31, 10, "A", "A"), (31, 10, "B", "A")), "AB")
    with pytest.raises(GeographyError, match="a code that no commune has on its day"):
        build_lineage(events((31, 10, "B", "A"), (31, 20, "B", "A")), "A")


@pytest.mark.parametrize(
    ("year", "communes"),
    [
        (2012, 36_683), (2013, 36_664), (2015, 36_641), (2016, 35_868), (2017, 35_399), (2018, 35_340),
        (2019, 34_953), (2020, 34_951), (2021, 34_948), (2022, 34_938), (2023, 34_928), (2024, 34_918),
        (2025, 34_858), (2026, 34_858),
    ],
)  # fmt: skip
def test_the_numbers_of_communes_that_insee_published(year, communes):
    # INSEE, number of communes on 1 January, less the 17 of Mayotte, which the list holds at every date.
    lineage = communes_since_1943()
    assert len(lineage.valid_at(read_vintage(year))) - 17 == communes


def test_every_piece_is_held_by_one_commune_on_every_day():
    lineage = communes_since_1943()
    pieces = lineage.piece.max() + 1
    last = np.append(lineage.piece[1:] != lineage.piece[:-1], True)
    assert (lineage.end[~last] == lineage.start[1:][~last[:-1]]).all()
    assert (lineage.end >= lineage.start).all()
    for year in range(1943, 2027):
        rows = lineage.stays_at(read_vintage(year))
        assert np.array_equal(lineage.piece[rows], np.arange(pieces))


def test_populations_of_former_communes_add_up_to_those_of_today():
    now = measured_at(LAST_DAY)[0].persons
    then = measured_at(read_vintage(2016))
    assert np.nansum(now) == 68_350_798
    # A commune of 2016 that merged since cannot be told apart in 2023, one that stayed whole can.
    assert 0.97 * 68_350_798 < np.nansum(then[0].persons) < 68_350_798
    assert [measured.source for measured in then] == list(POPULATIONS)
    place = communes_since_1943().codes.get_indexer(pd.Index(["01187", "01330", "38185"]))
    assert np.isnan(then[0].persons[place]).tolist() == [True, True, False]
    assert np.isnan(then[1].persons[place]).tolist() == [False, False, True]


@pytest.mark.parametrize("value", [1942, "2026-01-02", 2027, "2015-13-01", "yesterday", True, 20150101, 2015.5])
def test_dates_outside_the_list_are_refused(value):
    with pytest.raises(GeographyError, match="from_vintage is"):
        read_vintage(value, "from_vintage")


def test_dates_are_read():
    assert read_vintage("2015") == read_vintage(2015) == read_vintage(pd.Timestamp("2015-01-01"))
    assert read_vintage(np.datetime64("2015-01-02")) == read_vintage(2015) + 1
