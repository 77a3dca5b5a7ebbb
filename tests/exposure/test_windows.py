"""Windows, lags and residential histories: means over days, worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import DataError, DisclosureError, GeographyError, ParameterError
from epi.exposure import check_residences, enrich
from epi.exposure.periods import NO_DAY, read_offset, read_window, stated_years
from exposure.small_france import ABOUT

GRENOBLE, LYON, CHAMBERY, REUNION = "38185", "69123", "73065", "97411"
INFO = {
    "pm25_ugm3": ABOUT["pm25_ugm3"],
    "fdep_like": ABOUT["fdep_like"],
    "noise": ABOUT["pm25_ugm3"] | {"vintage": "not stated"},
}


def panel() -> pd.DataFrame:
    """Grenoble falls from 20 by 1 a year from 2000, Lyon is at 30 always; Chambéry has no value in 2003."""
    years = np.arange(2000, 2011)
    rows = [(GRENOBLE, y, 20.0 - (y - 2000)) for y in years] + [(LYON, y, 30.0) for y in years]
    rows += [(CHAMBERY, y, np.nan if y == 2003 else 10.0) for y in years]
    return pd.DataFrame(rows, columns=["insee_code", "year", "pm25_ugm3"])


def file() -> pd.DataFrame:
    return pd.DataFrame({"insee_code": [GRENOBLE, LYON], "fdep_like": [1.0, 3.0], "noise": [50.0, 60.0]})


def people(homes, dates) -> pd.DataFrame:
    ids = [f"p{i}" for i in range(len(homes))]
    return pd.DataFrame({"patient_id": ids, "insee_code": homes, "index_date": pd.to_datetime(dates)})


def give(members, names=("pm25_ugm3",), **options):
    return enrich(members, list(names), reference=file(), panel=panel(), about=INFO, **options)


def moves(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["patient_id", "insee_code", "valid_from", "valid_to"])


def test_a_yearly_variable_takes_the_mean_of_the_days_of_the_window():
    # From 1 July 2002 to 1 July 2004: 184 days at 18, 365 at 17, 182 at 16 (2004 is a leap year).
    enriched = give(people([GRENOBLE], ["2007-07-01"]), window=("-5y", "-3y"))
    expected = (184 * 18 + 365 * 17 + 182 * 16) / (184 + 365 + 182)
    assert enriched.table["pm25_ugm3"].iloc[0] == pytest.approx(expected, rel=1e-14)
    row = enriched.explain("p0").iloc[0]
    assert row["status"] == "window"
    assert row["vintage"] == "2002-2004"
    assert (row["days_window"], row["days_known"], row["days_proxy"]) == (731, 731, 731)
    assert (row["area"], row["n_places"]) == (GRENOBLE, 1)


def test_a_lag_takes_the_year_of_one_day():
    enriched = give(people([GRENOBLE, LYON], ["2012-02-29", "2010-05-01"]), lag="3y")
    assert enriched.table["pm25_ugm3"].tolist() == [20.0 - 9, 30.0]  # 28 February 2009
    assert enriched.settings["window"] == ("-3y", "-3y")


def test_a_history_weighs_each_home_by_its_days():
    history = moves(("p0", LYON, "1990-01-01", "2004-01-01"), ("p0", GRENOBLE, "2004-01-01", None))
    enriched = give(
        people([GRENOBLE], ["2006-01-01"]), ["pm25_ugm3", "fdep_like"], window=("-4y", "0"), residences=history
    )
    # 2002 and 2003 in Lyon (730 days), 2004 (366 days) and 2005 (365 days) in Grenoble.
    assert enriched.table["pm25_ugm3"].iloc[0] == pytest.approx((730 * 30 + 366 * 16 + 365 * 15) / 1461, rel=1e-14)
    assert enriched.table["fdep_like"].iloc[0] == pytest.approx((730 * 3 + 731 * 1) / 1461, rel=1e-14)
    told = enriched.explain("p0").set_index("variable")
    assert told.loc["pm25_ugm3", "days_proxy"] == 0
    assert told.loc["pm25_ugm3", "n_places"] == 2
    assert told.loc["pm25_ugm3", "area"] == GRENOBLE  # 731 days against 730
    assert told.loc["fdep_like", "status"] == "outside_window"  # its single vintage is 2021


def test_the_area_told_is_one_that_gave_a_value():
    # Chambéry, of the most days, has no deprivation, and no air in 2003: Grenoble gave what there is.
    history = moves(("p0", CHAMBERY, "1990-01-01", "2005-01-01"), ("p0", GRENOBLE, "2005-01-01", None))
    enriched = give(
        people([GRENOBLE], ["2006-01-01"]), ["pm25_ugm3", "fdep_like"], window=("-4y", "0"), residences=history
    )
    assert enriched.table["fdep_like"].tolist() == [1.0]
    for told in (enriched.explain("p0"), enriched.provenance.of(["pm25_ugm3", "fdep_like"])):
        rows = told.set_index("variable")
        assert (rows.loc["fdep_like", "area"], rows.loc["fdep_like", "days_known"]) == (GRENOBLE, 365)
        # 2002 and 2004 in Chambéry (731 days) against 2005 in Grenoble.
        assert (rows.loc["pm25_ugm3", "area"], rows.loc["pm25_ugm3", "days_known"]) == (CHAMBERY, 1096)
    lost = give(people([GRENOBLE], ["2005-01-01"]), ["fdep_like"], window=("-1y", "0"), residences=history)
    assert lost.explain("p0")["area"].isna().all()


def test_days_without_history_are_stood_for_by_the_home_at_index_and_counted():
    history = moves(("p0", LYON, "2003-01-01", "2003-03-02"), ("p1", LYON, "2030-01-01", None))
    enriched = give(people([GRENOBLE] * 2, ["2006-01-01"] * 2), window=("-3y", "-2y"), residences=history)
    assert enriched.table["pm25_ugm3"].tolist() == pytest.approx([(60 * 30 + 305 * 17) / 365, 17.0], rel=1e-14)
    assert enriched.provenance.table["days_proxy"].tolist() == [305, 365]


def test_a_stay_abroad_is_known_and_has_no_value():
    history = moves(("p0", "99109", "2000-01-01", "2004-07-01"), ("p0", GRENOBLE, "2004-07-01", None))
    options = {"window": ("-2y", "-1y"), "residences": history}
    enriched = give(people([GRENOBLE], ["2006-01-01"]), **options)
    assert enriched.table["pm25_ugm3"].iloc[0] == 16.0
    told = enriched.explain("p0").iloc[0]
    assert (told["status"], told["days_known"], told["days_window"]) == ("part_of_window", 184, 366)
    strict = give(people([GRENOBLE], ["2006-01-01"]), minimum_share=0.6, **options)
    assert np.isnan(strict.table["pm25_ugm3"].iloc[0])
    assert outcomes(strict) == {"too_few_days": 1}
    assert strict.explain("p0")["status"].iloc[0] == "none"


def outcomes(enriched, variable="pm25_ugm3"):
    rows = enriched.coverage.table[enriched.coverage.table["variable"] == variable].set_index("outcome")["persons"]
    return {word: int(n) for word, n in rows[rows > 0].items()}


def test_a_vintage_of_another_time_is_never_silent():
    members = people([GRENOBLE, GRENOBLE, None], ["2025-06-01", "2022-06-01", "2022-06-01"])
    names = ["pm25_ugm3", "fdep_like", "noise"]
    flagged = give(members, names, window=("-2y", "0"))
    statuses = flagged.provenance.table.groupby("variable", observed=True)["status"].agg(list)
    assert statuses["pm25_ugm3"] == ["outside_window", "outside_window", "none"]  # the panel ends in 2010
    assert flagged.table["pm25_ugm3"].tolist()[:2] == [10.0, 10.0]  # its last year stands for the window, and is said
    assert flagged.provenance.of("pm25_ugm3")["vintage"].tolist()[:2] == ["2010", "2010"]
    assert statuses["fdep_like"] == ["outside_window", "single_vintage", "none"]
    assert statuses["noise"] == ["vintage_unknown", "vintage_unknown", "none"]
    left_out = give(members, names, window=("-2y", "0"), outside_window="missing")
    assert left_out.table[names].notna().to_numpy().tolist() == [[False] * 3, [False, True, False], [False] * 3]
    assert outcomes(left_out) == {"outside_window": 2, "no_residence": 1}
    with pytest.raises(DataError) as caught:
        give(members, names, window=("-2y", "0"), outside_window="refuse")
    assert len(caught.value.faults) == 3
    assert "fdep_like: 1 of 3 members (vintage: 2021)" in str(caught.value)
    assert give(members, ["fdep_like"], window=("-10y", "0"), outside_window="refuse").n == 3


def test_a_year_without_value_and_a_home_without_register_stay_missing():
    members = people([CHAMBERY, CHAMBERY, REUNION, GRENOBLE], ["2004-01-01", "2005-01-01", "2005-01-01", None])
    enriched = give(members, window=("-1y", "0"))
    assert enriched.table["pm25_ugm3"].isna().tolist() == [True, False, True, True]
    assert outcomes(enriched) == {"informed": 1, "not_in_file": 1, "missing_value": 1, "no_index_date": 1}
    half = give(people([CHAMBERY], ["2005-01-01"]), window=("-2y", "0")).explain("p0").iloc[0]
    assert (half["status"], half["days_known"], half["days_window"]) == ("part_of_window", 366, 731)


stays = st.lists(
    st.tuples(st.integers(0, 3000), st.sampled_from([GRENOBLE, LYON, CHAMBERY, "99109", None])), max_size=5
)


@given(st.lists(stays, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_every_day_counts_once_whatever_the_order_of_rows(histories, random):
    rows = []
    for number, given_stays in enumerate(histories):
        starts = sorted(dict(given_stays).items())
        for place, (day, code) in enumerate(starts):
            after = starts[place + 1][0] if place + 1 < len(starts) else None
            days = [np.datetime64("2001-01-01") + day, None if after is None else np.datetime64("2001-01-01") + after]
            rows.append((f"p{number}", code, *days))
    members = people([LYON] * len(histories), ["2009-05-17"] * len(histories))
    options = {"window": ("-6y", "-1y"), "residences": moves(*rows)}
    whole = give(members, ["pm25_ugm3", "fdep_like"], **options)
    told = whole.provenance.of("fdep_like")
    assert (told["days_known"] <= told["days_window"]).all()
    assert whole.table["fdep_like"].dropna().between(1, 3).all()
    by_hand = [day_by_day(rows, f"p{number}") for number in range(len(histories))]
    np.testing.assert_allclose(whole.table["pm25_ugm3"], by_hand, rtol=1e-12)
    order = list(range(len(members)))
    random.shuffle(order)
    options["residences"] = options["residences"].sample(frac=1, random_state=1)
    again = give(members.iloc[order], ["pm25_ugm3", "fdep_like"], **options)
    pd.testing.assert_frame_equal(again.table, whole.table.iloc[order], check_exact=True)


def day_by_day(rows, patient):
    """The slow way: one day at a time."""
    air = panel().set_index(["insee_code", "year"])["pm25_ugm3"]
    days = np.arange(np.datetime64("2003-05-17"), np.datetime64("2008-05-17"))
    home = np.full(len(days), LYON, dtype=object)
    for who, code, start, end in rows:
        if who == patient:
            home[(days >= start) & ((end is None) | (days < (days[-1] + 1 if end is None else end)))] = code
    values = [air.get((code, int(str(day)[:4])), np.nan) for code, day in zip(home, days, strict=True)]
    known = [value for value in values if not np.isnan(value)]
    return np.mean(known) if known else np.nan


def test_histories_that_cannot_be_are_refused_all_at_once():
    with pytest.raises(DataError) as caught:
        check_residences(
            moves(
                ("a", LYON, "2000-01-01", "2005-01-01"),
                ("a", GRENOBLE, "2004-12-31", None),
                ("b", LYON, None, "2001-01-01"),
                ("c", LYON, "2002-01-01", "2002-01-01"),
                (None, LYON, "2002-01-01", None),
            )
        )
    assert len(caught.value.faults) == 4
    assert all("1 of 5 stays" in fault for fault in caught.value.faults)
    with pytest.raises(GeographyError, match="leading zero"):
        check_residences(moves(("a", "1053", "2000-01-01", None)))
    with pytest.raises(DataError, match="valid_to"):
        check_residences(moves().drop(columns="valid_to"))
    with pytest.raises(ParameterError, match="1 of 1 values of valid_from"):
        check_residences(moves(("a", LYON, "spring", None)))
    with pytest.raises(ParameterError, match="frame of"):
        check_residences([("a", LYON)])
    assert check_residences(moves(("a", "01003", "1960-01-01", None)))["insee_code"].tolist() == ["01165"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": ("-5y", "-3y"), "lag": "3y"}, "both window and lag"),
        ({"window": ("-3y", "-5y")}, "empty"),
        ({"window": "-3y"}, "window is"),
        ({"window": ("3", "0")}, "offset is '3'"),
        ({"lag": "-3y"}, "lag is"),
        ({"lag": "3y", "outside_window": "silent"}, "options of the enrichment"),
        ({"lag": "3y", "minimum_share": 2}, "options of the enrichment"),
        ({"residences": moves()}, "options of the enrichment"),
        ({}, "yearly values only"),
        ({"lag": "3y", "index": "diagnosis_date"}, "no column 'diagnosis_date'"),
    ],
)
def test_windows_that_cannot_be_are_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        give(people([GRENOBLE], ["2006-01-01"]), **options)


def test_panels_and_keys_are_checked():
    members = people([GRENOBLE], ["2006-01-01"])
    double = pd.concat([panel(), panel().head(2)])
    with pytest.raises(DataError, match="2 row"):
        enrich(members, ["pm25_ugm3"], panel=double, about=INFO, lag="3y")
    with pytest.raises(DataError, match="whole years"):
        enrich(members, ["pm25_ugm3"], panel=panel().assign(year=lambda t: t["year"] + 0.5), about=INFO, lag="3y")
    with pytest.raises(DataError, match="not communes of today"):
        enrich(members, ["pm25_ugm3"], panel=panel().replace(CHAMBERY, "01003"), about=INFO, lag="3y")
    with pytest.raises(DataError, match="share one"):
        give(pd.concat([members, members]), lag="3y", residences=moves(("p0", LYON, "2000-01-01", None)))
    with pytest.raises(ParameterError, match="no patient_id"):
        give(members.drop(columns="patient_id"), lag="3y", residences=moves(("p0", LYON, "2000-01-01", None)))


def test_provenance_stays_on_the_screen_and_methods_may_leave():
    from epi.disclosure.gate import read_release

    enriched = give(people([GRENOBLE, LYON], ["2006-01-01"] * 2), window=("-3y", "-2y"))
    provenance = enriched.provenance
    with pytest.raises(DisclosureError):
        read_release(provenance, "provenance")
    assert "38185" not in repr(provenance)
    assert GRENOBLE not in repr(enriched._repr_html_())
    with pytest.raises(ParameterError, match="no member"):
        enriched.explain("nobody")
    methods = enriched.methods
    assert methods.table["persons"].tolist() == [2]
    release = methods.release("fr")
    assert release.counts[0].column == "persons"
    assert "-3y" in release.note
    assert release.table["status"].tolist() == ["tous les jours de la fenêtre"]


def test_offsets_follow_the_calendar():
    leap = np.array(["2020-02-29", "2021-03-31"], dtype="datetime64[D]").astype(int)
    moved = read_offset("-1m").from_days(leap).astype("datetime64[D]").astype(str).tolist()
    assert moved == ["2020-01-29", "2021-02-28"]
    assert read_offset("-10d").from_days(np.array([20, NO_DAY])).tolist() == [10, NO_DAY]
    assert read_window(("-10y", "-5y")).in_words("fr") == "de -10y à -5y de la date index"
    assert read_window() is None
    assert stated_years("mean 2009 to 2013") == (2009, 2013)
