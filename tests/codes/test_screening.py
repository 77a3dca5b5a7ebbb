"""The calendar of newborn screening."""

from __future__ import annotations

import pandas as pd
import pytest

from epi.codes import open_nomenclature, screening_calendar, screening_coverage
from epi.errors import CodeError, DataError


def test_the_calendar_is_whole_and_its_codes_are_known():
    calendar = screening_calendar()
    assert set(calendar["coverage"]) == {"universal", "targeted", "pilot"}
    assert calendar["start_date"].between("1972-01-01", "2025-09-01").all()
    nomenclature = open_nomenclature()
    for codes in calendar["orpha_codes"]:
        assert all(nomenclature.entity(code).status == "active" for code in codes)
    calendar.loc[:, "coverage"] = "spoilt"
    assert "spoilt" not in set(screening_calendar()["coverage"]), "a copy"


@pytest.mark.parametrize(
    ("disease", "place", "birth", "coverage"),
    [
        ("cf", "29", "1988-12-31", "none"),
        ("cf", "29", "1989-01-01", "universal"),
        ("cf", "69", "2001-12-31", "none"),
        ("cf", None, "2002-01-01", "universal"),
        ("cf", None, "1980-01-01", "none"),
        ("sickle_cell", "971", "1984-01-01", "universal"),
        ("sickle_cell", "974", "1991-12-31", "none"),
        ("sickle_cell", "93", "1995-06-01", "targeted"),
        ("sickle_cell", "69", "1999-06-01", "none"),
        ("sickle_cell", "69", "2024-11-01", "universal"),
        ("sma", "67", "2023-06-01", "pilot"),
        ("sma", "69", "2023-06-01", "none"),
    ],
)
def test_place_and_day_of_birth_tell(disease, place, birth, coverage):
    assert list(screening_coverage(disease, [place], [pd.Timestamp(birth)])) == [coverage]


def test_an_unknown_place_is_unknown_only_where_it_matters():
    births = pd.to_datetime(["1995-01-01", "2003-01-01"])
    assert screening_coverage("cf", [None, None], births).isna().tolist() == [True, False]
    assert screening_coverage("cf", ["29"], [pd.NaT]).isna().all()
    with pytest.raises(CodeError, match="no screening of 'gout'"):
        screening_coverage("gout", ["29"], [births[0]])
    with pytest.raises(DataError, match="1 places and 2 dates"):
        screening_coverage("cf", ["29"], births)
