"""Raised risk near a source, on areas: what it says, what it draws, what it protects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.association import check_raised_risk, estimate_sir
from epi.disclosure import check_release, read_policy
from epi.errors import EstimationError, GeographyError, ParameterError
from epi.geography import area_points, distance_m
from epi.stats.intervals import ratio_interval

POINTS = area_points("departement")
CODES = list(POINTS["area"])
LILLE = pd.DataFrame({"name": ["plant"], "lon": [3.06], "lat": [50.63]})
BANDS = [100, 200, 400]


def ratios(observed, reference=None):
    cases = pd.DataFrame({"departement": CODES, "observed": observed})
    people = pd.DataFrame({"departement": CODES, "person_years": 50.0})
    rates = pd.DataFrame({"rate": [1.0]}) if reference is None else reference
    return estimate_sir(cases, people, "departement", strata=(), reference=rates)


def counts(excess, seed=4):
    km = distance_m(3.06, 50.63, POINTS["lon"], POINTS["lat"]) / 1_000
    return np.random.default_rng(seed).poisson(50 * (1 + excess * np.exp(-((km / 150) ** 2))))


@pytest.fixture(scope="module")
def found():
    return check_raised_risk(ratios(counts(0.8)), POINTS, LILLE, bands_km=BANDS, seed=2)


def test_the_bands_add_up_and_have_exact_limits(found):
    sir = ratios(counts(0.8))
    assert found.table["observed"].sum() == sir.overall["observed"]
    assert found.table["areas"].sum() == len(CODES) and found.table["expected"].sum() == pytest.approx(50 * len(CODES))
    assert found.table["from_km"].tolist() == [0, *BANDS] and found.table["to_km"].tolist()[:-1] == BANDS
    near = found.areas.query("distance_km <= 100")["area"]
    inside = sir.table[sir.table["area"].isin(near)]
    first = found.table.iloc[0]
    exact = ratio_interval(inside["observed"].sum(), inside["expected"].sum())
    assert (first["observed"], first["sir"], first["ci_low"], first["ci_high"]) == pytest.approx(
        (inside["observed"].sum(), float(exact.estimate), float(exact.low), float(exact.high))
    )
    # The fitted counts are those observed, all together.
    assert (found.table["fitted"] * found.table["expected"]).sum() == pytest.approx(found.table["observed"].sum())


def test_a_planted_excess_is_found_and_chance_is_not(found):
    assert found.tests["stone_p"] == found.tests["score_p"] == found.tests["decay_p"] == 0.001
    assert 0.3 < found.tests["alpha"] < 1.8 and 60 < found.tests["beta_km"] < 300 and not found.tests["at_edge"]
    quiet = check_raised_risk(ratios(counts(0.0, seed=5)), POINTS, LILLE, bands_km=BANDS, replicates=199)
    assert min(quiet.tests[name] for name in ("stone_p", "score_p", "decay_p")) > 0.05


def test_sources_are_places_or_areas_and_the_nearest_one_counts():
    sir = ratios(counts(0.0))
    by_code = check_raised_risk(sir, POINTS, ["59", "13"], replicates=19)
    at = POINTS.set_index("area").loc[["13", "59"]].reset_index()
    by_place = check_raised_risk(sir, POINTS, at.rename(columns={"area": "name"}), replicates=19)
    assert by_code.tests == by_place.tests
    pd.testing.assert_frame_equal(by_code.areas, by_place.areas)
    nearest = by_code.areas.set_index("area")["source"]
    assert nearest["62"] == "59" and nearest["83"] == "13" and by_code.areas["distance_km"].min() == 0


def test_nothing_depends_on_the_order_of_rows():
    sir, order = ratios(counts(0.3)), np.random.default_rng(1).permutation(len(CODES))
    places = pd.concat([LILLE, LILLE.assign(name="dump", lon=5.4, lat=43.3)])
    one = check_raised_risk(sir, POINTS, places, replicates=49)
    other = check_raised_risk(sir, POINTS.iloc[order], places.iloc[::-1], replicates=49)
    assert one.tests == other.tests and one.table.equals(other.table)


def test_far_areas_are_left_out_when_asked_and_the_reference_says_which_tests(found):
    near = check_raised_risk(ratios(counts(0.8)), POINTS, LILLE, bands_km=BANDS, within_km=300, replicates=19)
    assert near.areas["distance_km"].max() <= 300 and near.table["to_km"].tolist() == [100, 200, 300]
    assert near.settings["areas"] == len(near.areas) < 40
    assert found.tests["stone_level_p"] is not None and "level of the reference" in found.note()
    inside = check_raised_risk(ratios(counts(0.8), "internal"), POINTS, LILLE, replicates=19)
    assert inside.tests["stone_level_p"] is None and "level of the reference" not in inside.note()


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "chosen before looking at the cases"), ("fr", "choisies avant de regarder les cas")],
)
def test_the_note_says_what_the_p_values_rest_on(found, lang, words):
    assert words in found.note(lang) and found.release(lang).note == found.note(lang)


def test_small_counts_are_hidden_with_all_that_tells_them(found):
    release = found.release()
    (count,) = release.counts
    assert count.column == "observed" and count.adds_up_within == ()
    assert set(count.derived) == {"sir", "ci_low", "ci_high", "fitted"}
    # Neither the estimates of the fall nor the statistics are published: they tell counts.
    for name in ("alpha", "beta", "maximum"):
        assert name not in release.note.lower() and name not in release.table
    chart = found.chart_distance()
    shown = chart.data.table.copy()
    shown.loc[0, ["observed", "sir", "ci_low", "ci_high", "fitted"]] = np.nan
    told = [text.get_text() for text in chart.figure(shown).findobj(lambda artist: hasattr(artist, "get_text"))]
    assert "hidden" in told and not any(str(found.table["observed"][0]) in text for text in told)


def test_the_gate_hides_a_near_band_of_few_cases_and_a_second_one_with_it():
    km = distance_m(3.06, 50.63, POINTS["lon"], POINTS["lat"]) / 1_000
    few = check_raised_risk(ratios(np.where(km < 100, 2, 50)), POINTS, LILLE, bands_km=BANDS, replicates=19)
    assert few.table["observed"][0] == 6
    for release in (few.release(), few.chart_distance(lang="fr").release()):
        decision = check_release(release, read_policy())
        assert not decision.refused
        told = ["observed", "sir", "ci_low", "ci_high", "fitted"]
        # The total is known: alone, the hidden count would be found by subtraction.
        assert decision.table.loc[:1, told].isna().all(axis=None) and decision.table.loc[2:, told].notna().all(
            axis=None
        )


@pytest.mark.parametrize(("lang", "words"), [("en", "> 400"), ("fr", "Décroissance ajustée")])
def test_the_figure_names_its_bands(found, lang, words):
    told = [
        text.get_text()
        for text in found.chart_distance(lang=lang).figure().findobj(lambda artist: hasattr(artist, "get_text"))
    ]
    assert any(words in text for text in told)


def test_bands_without_a_case_are_drawn():
    km = distance_m(3.06, 50.63, POINTS["lon"], POINTS["lat"]) / 1_000
    observed = np.where(km < 100, 0, 50)
    none = check_raised_risk(ratios(observed), POINTS, LILLE, bands_km=BANDS, replicates=19)
    assert none.table["sir"][0] == 0 and none.table["ci_low"][0] == 0
    none.chart_distance(lang="fr").figure()


def test_bad_input_is_told():
    sir = ratios([50] * len(CODES))
    for change, error, words in [
        ({"points": POINTS.drop(columns="lon")}, ParameterError, "no column lon"),
        ({"points": POINTS.iloc[2:]}, EstimationError, "2 of 101 areas have no point"),
        ({"points": pd.concat([POINTS, POINTS.iloc[[0]]])}, EstimationError, "1 areas have two points"),
        ({"sources": ["59", "nowhere"]}, ParameterError, "1 sources are no area"),
        ({"sources": LILLE.drop(columns="lat")}, ParameterError, "no column lat"),
        ({"sources": LILLE.iloc[:0]}, ParameterError, "no source"),
        ({"sources": LILLE.assign(lat=np.nan)}, EstimationError, "1 of 1 sources have no place"),
        ({"sources": LILLE.assign(lon=704_000.0, lat=7_059_000.0)}, GeographyError, "degrees"),
        ({"bands_km": [10, 5]}, ParameterError, "rising"),
        ({"bands_km": []}, ParameterError, "bands_km"),
        ({"within_km": -1}, ParameterError, "above zero"),
        ({"within_km": 60}, EstimationError, "areas take part"),
        ({"replicates": 0}, ParameterError, "replicates is 0"),
    ]:
        given = {"points": POINTS, "sources": LILLE, "replicates": 9} | change
        with pytest.raises(error, match=words):
            check_raised_risk(sir, given.pop("points"), given.pop("sources"), **given)
    with pytest.raises(ParameterError, match="fr or en"):
        check_raised_risk(sir, POINTS, LILLE, replicates=9).chart_distance(lang="de")
