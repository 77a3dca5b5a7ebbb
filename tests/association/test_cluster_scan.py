"""The scan on areas: what it says, what it draws, what it protects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.association import estimate_sir, scan_clusters
from epi.association.withholding import active_policy
from epi.disclosure.gate import check_release
from epi.errors import EstimationError, ParameterError
from epi.geography import area_points

POINTS = area_points("departement")
CODES = list(POINTS["area"])
ALPS = ["38", "73", "74", "05"]


def ratios(observed):
    cases = pd.DataFrame({"departement": CODES, "observed": observed})
    people = pd.DataFrame({"departement": CODES, "person_years": 50.0})
    return estimate_sir(cases, people, "departement", strata=(), reference=pd.DataFrame({"rate": [1.0]}))


@pytest.fixture(scope="module")
def scanned():
    mean = np.where(np.isin(CODES, ALPS), 110, 50)
    return scan_clusters(ratios(np.random.default_rng(4).poisson(mean)), POINTS, seed=2)


def test_the_planted_cluster_is_the_first_and_everything_adds_up(scanned):
    first = scanned.table.iloc[0]
    inside = scanned.areas[scanned.areas["cluster"] == 1]
    # A circle takes what lies between: the four and a neighbour or two.
    assert set(ALPS) <= set(inside["area"]) and first["areas"] == len(inside) <= 6 and first["p"] == 0.001
    assert first["relative_risk"] > 1.4 and len(scanned.within(0.05)) == 1
    assert scanned.areas["cluster"].notna().sum() == scanned.table["areas"].sum()


def test_overseas_territories_are_in_no_circle_with_the_mainland(scanned):
    for _, group in scanned.areas.dropna(subset=["cluster"]).groupby("cluster"):
        mainland = group["area"].str.len() == 2
        assert mainland.all() or len(group) == 1 or not mainland.any()


@pytest.mark.parametrize(("lang", "words"), [("en", "1: risk × "), ("fr", "1 : risque × ")])
def test_the_map_names_the_cluster_and_hides_it_with_its_count(scanned, lang, words):
    chart = scanned.chart_map(lang=lang)
    told = [text.get_text() for text in chart.figure().findobj(lambda artist: hasattr(artist, "get_text"))]
    assert any(words in text for text in told)
    assert chart.data.counts[0].derived == ("kind",)
    release = scanned.release(lang)
    assert release.counts[0].column == "observed" and "relative_risk" in release.counts[0].derived


def test_bad_input_is_told(scanned):
    sir = ratios([50] * len(CODES))
    with pytest.raises(ParameterError, match="no column x_m"):
        scan_clusters(sir, POINTS.drop(columns="x_m"))
    with pytest.raises(EstimationError, match="2 of 101 areas have no point"):
        scan_clusters(sir, POINTS.iloc[2:])
    with pytest.raises(EstimationError, match="1 areas have two points"):
        scan_clusters(sir, pd.concat([POINTS, POINTS.iloc[[0]]]))


def test_a_circle_ends_with_the_territory_it_starts_in():
    # Two high areas overseas and six at one end of the mainland: one circle would take them all from 99,000 km away.
    areas = [f"m{place:02}" for place in range(40)] + ["r1", "r2"]
    cases = pd.DataFrame({"area": areas, "observed": [10] * 34 + [20] * 6 + [22, 25]})
    people = pd.DataFrame({"area": areas, "person_years": 1e4})
    points = pd.DataFrame(
        {"area": areas, "x_m": [*np.arange(40) * 2e4, 3e5, 3.2e5], "y_m": [6e6] * 40 + [7.6e6] * 2,
         "epsg": [2154] * 40 + [2975] * 2}
    )  # fmt: skip
    sir = estimate_sir(cases, people, "area", strata=())
    found = scan_clusters(sir, points).table
    assert (found["radius_km"] < 1000).all()
    assert found["areas"].head(2).tolist() == [6, 2]
    # A radius that was asked for is kept.
    assert (scan_clusters(sir, points, max_radius_km=30).table["radius_km"] <= 30).all()


def placed(observed, expected):
    """Scan areas far from each other, except that those whose name begins alike are close."""
    areas = list(observed)
    names = sorted({area[0] for area in areas})
    x = [1e6 * names.index(area[0]) + 1000.0 * int(area[1:]) for area in areas]
    cases = pd.DataFrame({"area": areas, "observed": list(observed.values())})
    people = pd.DataFrame({"area": areas, "person_years": [expected[area] for area in areas]})
    sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    points = pd.DataFrame({"area": areas, "x_m": x, "y_m": 0.0})
    return sir, scan_clusters(sir, points, max_share=None, max_radius_km=50, seed=3)


def printed(release):
    return check_release(release, active_policy()).table


def test_a_count_is_not_given_by_the_place_of_its_cluster_in_the_list():
    observed = {"a1": 90, "b1": 9, "c1": 60, "d1": 8, "e1": 400}
    expected = {"a1": 30.0, "b1": 1.5, "c1": 30.0, "d1": 5.0, "e1": 500.0}
    _, scan = placed(observed, expected)
    assert scan.table["centre"].tolist()[:4] == ["a1", "c1", "b1", "d1"], "by likelihood, hidden ones among the others"
    table = printed(scan.release())
    assert table["centre"].tolist() == ["a1", "c1", "b1"], "hidden ones last, and only where p is at most 0.05"
    assert table["cluster"].tolist() == [1, 2, 3]
    assert table["observed"].isna().tolist() == [False, False, True]
    assert table.loc[2, ["relative_risk", "p", "log_likelihood_ratio"]].isna().all()


def test_a_cluster_does_not_give_the_hidden_count_of_an_area_inside_it():
    observed = {"a1": 40, "a2": 6, "b1": 40, "b2": 7, "b3": 8, "c1": 300, "c2": 9}
    expected = {"a1": 20.0, "a2": 3.0, "b1": 20.0, "b2": 3.0, "b3": 3.0, "c1": 400.0, "c2": 15.0}
    sir, scan = placed(observed, expected)
    first = scan.areas.dropna(subset=["cluster"]).groupby("cluster")["area"].agg(set)
    assert {"a1", "a2"} in first.tolist() and {"b1", "b2", "b3"} in first.tolist()
    areas = printed(sir.release()).set_index("area")["observed"]
    assert areas[["a2", "b2", "b3"]].isna().all() and areas["a1"] == 40
    table = printed(scan.release()).set_index("centre")["observed"]
    assert table[[centre for centre in table.index if centre[0] == "a"]].isna().all(), "46 less 40 would give 6"
    assert (table[[centre for centre in table.index if centre[0] == "b"]] == 55).all(), "15 of two areas tell neither"
    # Without c2, what the total leaves outside of the printed cluster would be the 6 of a2: both clusters are hidden.
    _, scan = placed({k: v for k, v in observed.items() if k != "c2"}, {k: v for k, v in expected.items() if k != "c2"})
    assert printed(scan.release())["observed"].isna().all()


def test_the_map_does_not_give_the_hidden_count_of_a_cluster_by_what_is_left():
    observed = np.where(np.array(CODES) == "48", 10, 20)
    expected = np.where(np.array(CODES) == "48", 1.0, 20.0)
    cases = pd.DataFrame({"departement": CODES, "observed": observed})
    people = pd.DataFrame({"departement": CODES, "person_years": expected})
    sir = estimate_sir(cases, people, "departement", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    scan = scan_clusters(sir, POINTS, seed=2)
    assert scan.table.loc[0, "observed"] == 10 and scan.table.loc[0, "p"] <= 0.05
    data = printed(scan.chart_map().data)
    assert data.loc[data["area"] == "48", "cases"].isna().all()
    assert not data["cases"].eq(scan.settings["total"] - 10).any(), "with the total, that would be the count"
