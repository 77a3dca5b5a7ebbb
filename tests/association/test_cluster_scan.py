"""The scan on areas: what it says, what it draws, what it protects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.association import estimate_sir, scan_clusters
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
