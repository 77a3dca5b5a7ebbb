"""The circular scan against a slow, plain reading of Kulldorff's formula, and against published clusters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from conftest import open_data
from epi.errors import EstimationError, ParameterError
from epi.stats.spatial import scan_poisson
from epi.stats.spatial.scan import _Likelihood
from epi.stats.spatial.windows import build_windows


def plain_scan(counts, expected, x, y, max_share=0.5):
    """Try every circle, one at a time, and give the best log likelihood ratio with its members."""
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    expected = expected * counts.sum() / expected.sum()
    total, best, members = counts.sum(), 0.0, ()
    for here in range(len(counts)):
        distance = np.hypot(x - x[here], y - y[here])
        for radius in np.unique(distance):
            inside = distance <= radius + 1e-6
            c, e = counts[inside].sum(), expected[inside].sum()
            if e > max_share * total * (1 + 1e-12) or c <= e or e >= total:
                continue
            ratio = c * math.log(c / e) + ((total - c) * math.log((total - c) / (total - e)) if total > c else 0.0)
            if ratio > best + 1e-9:
                best, members = ratio, frozenset(np.flatnonzero(inside))
    return best, members


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_the_best_circle_is_that_of_the_plain_reading(seed):
    generator = np.random.default_rng(seed)
    n = int(generator.integers(5, 25))
    x, y = generator.integers(0, 12, (2, n)) * 1_000.0  # a coarse grid: distances tie
    expected = generator.uniform(0.5, 20, n)
    counts = generator.poisson(expected)
    counts[0] += 1
    best, _ = plain_scan(counts, expected, x, y)
    found = scan_poisson(range(n), counts, expected, x, y, replicates=1)
    if best == 0:
        assert not found.clusters
        return
    first = found.clusters[0]
    assert first.log_likelihood_ratio == pytest.approx(best, rel=1e-9)
    assert first.observed == counts[list(map(int, first.areas))].sum()


def test_the_result_is_the_same_whatever_the_order_of_rows_and_clusters_share_nothing():
    generator = np.random.default_rng(1)
    x, y = generator.uniform(0, 3e5, (2, 80))
    expected = generator.uniform(1, 9, 80)
    counts = generator.poisson(expected * np.where(np.hypot(x - 1e5, y - 1e5) < 4e4, 3, 1))
    labels = np.array([f"a{place:02}" for place in range(80)])
    order = generator.permutation(80)
    first = scan_poisson(labels, counts, expected, x, y, replicates=99, seed=3)
    second = scan_poisson(labels[order], counts[order], expected[order], x[order], y[order], replicates=99, seed=3)
    assert first.clusters == second.clusters and np.array_equal(first.maxima, second.maxima)
    seen = [area for cluster in first.clusters for area in cluster.areas]
    assert len(seen) == len(set(seen))
    ratios = [cluster.log_likelihood_ratio for cluster in first.clusters]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize("risk", ["high", "low", "both"])
def test_circles_that_are_passed_over_never_hold_the_largest_ratio(risk):
    generator = np.random.default_rng(8)
    x, y = generator.uniform(0, 3e5, (2, 60))
    expected = generator.uniform(0.2, 9, 60)
    windows = build_windows(x, y, expected, max_share=0.5, max_radius_m=None)
    table = _Likelihood(300, expected / expected.sum() * 300, windows, risk)
    # Some maps without structure, some with: the best ratio of the block differs much between them.
    shares = np.where(np.arange(60) < 6, 1 + np.arange(12)[:, None], 1) * expected
    maps = np.array([generator.multinomial(300, share / share.sum()) for share in shares])
    every = [table.of(one).max(initial=0.0) for one in maps]
    assert np.array_equal(table.largest(np.ascontiguousarray(maps.T.astype(np.int32))), np.maximum(every, 0.0))


def test_limits_of_share_and_radius_hold():
    x = np.arange(20) * 10_000.0
    counts = [9] * 8 + [1] * 12
    wide = scan_poisson(range(20), counts, [4.2] * 20, x, 0 * x, replicates=9).clusters[0]
    assert len(wide.areas) == 8
    near = scan_poisson(range(20), counts, [4.2] * 20, x, 0 * x, replicates=9, max_share=None, max_radius_m=15_000)
    assert all(cluster.radius_m <= 15_000 for cluster in near.clusters)
    few = scan_poisson(range(20), counts, [4.2] * 20, x, 0 * x, replicates=9, max_share=0.1)
    assert all(len(cluster.areas) <= 2 for cluster in few.clusters)


def test_a_deficit_is_found_when_it_is_asked_for():
    x = np.arange(12) * 10_000.0
    counts = [9, 8, 10, 9, 1, 0, 1, 9, 10, 8, 9, 10]
    low = scan_poisson(range(12), counts, [7.0] * 12, x, 0 * x, replicates=199, risk="low").clusters[0]
    assert set(low.areas) == {4, 5, 6} and low.relative_risk < 1 and low.p < 0.05


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"observed": [1.5, 1, 1]}, EstimationError, "not whole"),
        ({"observed": [0, 0, 0]}, EstimationError, "no case"),
        ({"expected": [0, 1, 1]}, EstimationError, "1 areas have cases and nobody expected"),
        ({"x_m": [1.0, np.nan, 2e5]}, EstimationError, "1 of 3 areas have no coordinates"),
        ({"x_m": [2.1, 3.0, 4.0], "y_m": [48.0, 47.0, 46.0]}, ParameterError, "like degrees"),
        ({"labels": ["a", "a", "b"]}, ParameterError, "there twice"),
        ({"max_share": 2}, ParameterError, "max_share is 2"),
        ({"replicates": 0}, ParameterError, "replicates 0"),
        ({"risk": "raised"}, ParameterError, "high, low or both"),
    ],
)
def test_bad_input_gets_its_sentence(change, error, words):
    given_ = {"labels": ["a", "b", "c"], "observed": [3, 1, 1], "expected": [2, 2, 2], "x_m": [0.0, 1e5, 2e5],
              "y_m": [0.0, 0.0, 0.0], "replicates": 9} | change  # fmt: skip
    with pytest.raises(error, match=words):
        scan_poisson(**given_)


def test_the_published_clusters_of_sudden_infant_deaths_are_found_again():
    """North Carolina 1974-84, Kulldorff (1997): one in the south, one in the north-east.

    He places counties at their seats, these data at their centroids: the same places, a county more or less.
    """
    folder = open_data()
    if folder is None:
        return
    table = pd.read_csv(folder / "external_checks" / "nc_sids.csv.gz")
    to_metres = Transformer.from_crs(4326, 32119, always_xy=True)
    x, y = to_metres.transform(table["lon"].to_numpy(), table["lat"].to_numpy())
    cases, births = table["SID74"] + table["SID79"], table["BIR74"] + table["BIR79"]
    south, north = scan_poisson(table["NAME"], cases, births, x, y, seed=1).clusters[:2]
    assert {"Robeson", "Scotland", "Hoke", "Bladen"} <= set(south.areas) <= {
        "Robeson", "Scotland", "Hoke", "Bladen", "Columbus",
    }  # fmt: skip
    assert {"Halifax", "Hertford", "Northampton"} <= set(north.areas) and len(north.areas) <= 4
    assert south.p == north.p == 0.001


def test_the_pennsylvania_clusters_are_where_a_later_study_finds_them():
    """Lung cancer 2002, expected by race, sex and age.

    The state's registry of 2010-2017 has its most likely cluster in Philadelphia with Delaware and Montgomery, and a
    large one in the south-west around Allegheny, Washington, Greene, Fayette and Westmoreland (BMC Cancer 2022;22:555).
    """
    folder = open_data()
    if folder is None:
        return
    cases = pd.read_csv(folder / "external_checks" / "pennlc_cases.csv.gz")
    strata = ["race", "gender", "age"]
    rate = cases.groupby(strata)["cases"].transform("sum") / cases.groupby(strata)["population"].transform("sum")
    cases["expected"] = cases["population"] * rate
    counties = cases.groupby("county")[["cases", "population", "expected"]].sum()
    places = pd.read_csv(folder / "external_checks" / "pennlc_counties.csv.gz").set_index("county").loc[counties.index]
    assert counties["cases"].sum() == 10_279
    x, y = Transformer.from_crs(4326, 32618, always_xy=True).transform(places["x"].to_numpy(), places["y"].to_numpy())
    found = scan_poisson(
        counties.index, counties["cases"], counties["expected"], x, y, population=counties["population"], seed=1
    ).clusters
    first, second = found[0], found[1]
    assert set(first.areas) == {"philadelphia", "delaware"} and first.p == 0.001
    assert {"washington", "greene", "allegheny", "fayette", "westmoreland"} <= set(second.areas) and second.p < 0.05
    best, _ = plain_scan(counties["cases"], counties["expected"], x, y)
    assert first.log_likelihood_ratio == pytest.approx(best, rel=1e-9)
