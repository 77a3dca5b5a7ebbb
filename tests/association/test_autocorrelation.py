"""Autocorrelation of ratios and local clusters: presentations of the kernels, with what may leave."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import epi
from epi.association import check_autocorrelation, estimate_sir, find_local_clusters
from epi.errors import ParameterError
from epi.geography import neighbours
from epi.stats.spatial import moran_test, moran_test_rates, weights_from_pairs

DEPARTEMENTS = neighbours("departement")
METROPOLITAN = [code for code in DEPARTEMENTS.labels if len(code) == 2]
EAST = ["57", "67", "68", "88", "54", "70", "90", "25"]


def ratios(observed, areas, expected=200.0, by="departement"):
    cases = pd.DataFrame({by: areas, "observed": observed})
    people = pd.DataFrame({by: areas, "person_years": float(expected)})
    return estimate_sir(cases, people, by, strata=(), reference=pd.DataFrame({"rate": [1.0]}))


@pytest.fixture(scope="module")
def clustered():
    """Counts at 200, and at 300 in eight départements that touch each other, with chance."""
    mean = np.where(np.isin(METROPOLITAN, EAST), 300, 200)
    return ratios(np.random.default_rng(5).poisson(mean), METROPOLITAN)


def test_rows_are_those_of_the_kernels(clustered):
    found = check_autocorrelation(clustered, DEPARTEMENTS, seed=3)
    known = clustered.table.sort_values("area")
    weights = DEPARTEMENTS.select(known["area"])
    plain = moran_test(known["sir"].to_numpy(), weights, seed=3)
    rates = moran_test_rates(known["observed"].to_numpy(), known["expected"].to_numpy(), weights, seed=3)
    rows = found.table.set_index(["statistic", "of"])
    assert rows.loc[("Moran's I", "ratios"), "value"] == plain.value
    assert rows.loc[("Moran's I", "ratios"), "p_permutation"] == plain.p_permutation
    assert rows.loc[("Moran's I", "rates"), "value"] == rates.value
    assert (found.table["p_permutation"] < 0.05).all()


def test_an_adjuster_that_explains_the_map_takes_the_likeness_away(clustered):
    east = pd.DataFrame({"departement": METROPOLITAN, "east": np.isin(METROPOLITAN, EAST).astype(float)})
    found = check_autocorrelation(clustered, DEPARTEMENTS, values=east, adjust=["east"], seed=1).table
    residual = found[found["of"] == "residuals"].iloc[0]
    assert residual["p_permutation"] > 0.05 > found.loc[0, "p_permutation"]


def test_the_order_of_rows_does_not_matter(clustered):
    order = np.random.default_rng(2).permutation(len(METROPOLITAN))
    table = clustered.table.set_index("area").loc[METROPOLITAN, "observed"].to_numpy()
    again = ratios(table[order], np.array(METROPOLITAN)[order])
    first, second = (check_autocorrelation(sir, DEPARTEMENTS, seed=4).table for sir in (clustered, again))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    one, two = (find_local_clusters(sir, DEPARTEMENTS, seed=4).table for sir in (clustered, again))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_the_planted_cluster_stands_out_and_little_else(clustered):
    found = find_local_clusters(clustered, DEPARTEMENTS, seed=1)
    high = set(found.table.loc[found.table["cluster"] == "High-High", "area"])
    assert len(high & set(EAST)) >= 4
    assert len(high - set(EAST)) <= 1
    assert sum(found.counts.values()) == found.table["q"].notna().sum()
    stricter = find_local_clusters(clustered, DEPARTEMENTS, seed=1, method="BY")
    assert stricter.counts["High-High"] <= found.counts["High-High"]


def test_an_area_without_a_neighbour_has_no_test():
    areas = ["a", "b", "c", "d", "e", "f", "g"]
    line = weights_from_pairs(areas, areas[:5], areas[1:6])
    found = find_local_clusters(ratios([9, 8, 7, 2, 1, 1, 5], areas, 5, by="area"), line, permutations=99)
    last = found.table.set_index("area").loc["g"]
    assert last["cluster"] is None and math.isnan(last["q"])


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_map_hides_an_area_with_its_count(clustered, lang):
    chart = find_local_clusters(clustered, DEPARTEMENTS, seed=1).chart_map(lang=lang)
    (counted,) = chart.data.counts
    assert counted.column == "observed" and {"cluster", "q", "sir"} <= set(counted.derived)
    hidden = chart.data.table.copy()
    hidden.loc[0, ["observed", *counted.derived]] = None
    written = chart.figure(hidden).findobj(lambda artist: hasattr(artist, "get_text"))
    words = [text.get_text() for text in written]
    assert any("(1)" in word for word in words), "one area is hatched"


def test_a_hidden_count_is_not_solved_from_the_statistics_of_its_neighbours():
    areas = list("abcdefgh")
    line = weights_from_pairs(areas, areas[:-1], areas[1:])
    others, kept = [22, 18, 25, 31, 12, 15, 20], [area for area in areas if area != "d"]
    two_figures, published = set(), set()
    for guess in range(1, 5):
        sir = ratios([*others[:3], guess, *others[3:]], areas, 16, by="area")
        found = find_local_clusters(sir, line, permutations=99)
        values = found.table.set_index("area").loc[kept, "local_i"]
        two_figures.add(tuple(f"{value:.2g}" for value in values))
        shown = found.release().table.set_index("area").loc[kept]
        published.add(shown.to_csv())
    assert len(two_figures) == 4, "two figures of local I tell which count is hidden"
    assert len(published) == 1, "what is published is the same whatever the hidden count"


def test_tests_of_all_areas_leave_where_no_count_or_many_are_hidden(clustered):
    def printed(small):
        observed = clustered.table["observed"].to_numpy().copy()
        observed[:small] = 1 + np.arange(small) % 10
        found = check_autocorrelation(ratios(observed, clustered.table["area"]), DEPARTEMENTS, permutations=99)
        shown = epi.output(found, f"hidden_{small}").decision.table
        return found.table, shown, found.estimates()

    exact, shown, estimates = printed(0)
    assert shown["p_permutation"].tolist() == exact["p_permutation"].tolist()
    assert shown["value"].tolist() == [float(f"{value:.3g}") for value in exact["value"]]
    assert [estimate.estimate for estimate in estimates] == shown.loc[[0, 2, 3], "value"].tolist()
    exact, shown, estimates = printed(12)
    assert shown["value"].tolist() == [float(f"{value:.2g}") for value in exact["value"]]
    assert set(shown["p_permutation"]) <= {"≤ 0.01", "≤ 0.05", "≤ 0.1", "> 0.1"}
    assert len(estimates) == 3
    for small in (1, 9):
        _, shown, estimates = printed(small)
        assert shown[["value", "null_mean", "null_sd", "z"]].isna().all(axis=None)
        assert shown["p_permutation"].notna().all()
        assert estimates == []


def test_bad_questions_are_told(clustered):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        find_local_clusters(clustered, DEPARTEMENTS, q=5)
    with pytest.raises(ParameterError, match="no values are given"):
        check_autocorrelation(clustered, DEPARTEMENTS, adjust=["east"])
    holes = pd.DataFrame({"departement": METROPOLITAN[1:], "east": 0.0})
    with pytest.raises(ParameterError, match="1 of 96 areas lack a value of east"):
        check_autocorrelation(clustered, DEPARTEMENTS, values=holes, adjust=["east"])
    with pytest.raises(ParameterError, match="have no spatial weights"):
        check_autocorrelation(clustered, DEPARTEMENTS.select(METROPOLITAN[:50]))


def test_covariates_of_an_area_given_twice_are_refused():
    areas = list("abcdefgh")
    cases = pd.DataFrame({"area": areas, "observed": [19, 18, 15, 12, 9, 6, 5, 4]})
    people = pd.DataFrame({"area": areas, "person_years": 10.0})
    sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    values = pd.DataFrame({"area": [*areas, "a"], "dust": [1.0, 2, 1, 3, 2, 4, 1, 2, 9]})
    line = weights_from_pairs(areas, areas[:-1], areas[1:])
    with pytest.raises(ParameterError, match="1 areas are given twice"):
        check_autocorrelation(sir, line, values=values, adjust=["dust"])
