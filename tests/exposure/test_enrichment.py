from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import epi
from epi.errors import DataError, EstimationError, GeographyError, ParameterError
from epi.exposure import average_by_area, enrich, nearest_site_km, open_catalogue, scale_exposure
from epi.exposure.coverage import OUTCOMES
from epi.exposure.derived import DERIVED
from epi.plotting import render
from epi.stats import cut_quantiles, find_step
from exposure.small_france import ABOUT, PATIENTS, exposures, population, write_workspace


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    return epi.open_workspace(write_workspace(tmp_path_factory.mktemp("small") / "ws"))


@pytest.fixture(scope="module")
def als(ws):
    return ws.cohort("ALS").diagnosed_with(orpha=803).first_diagnosed_between("2012-01-01", "2021-12-31")


def people(codes, **columns):
    return pd.DataFrame({"patient_id": [f"p{i}" for i in range(len(codes))], "insee_code": codes, **columns})


def give(members, names=("pm25_ugm3",), reference=None, about=ABOUT):
    return enrich(members, list(names), reference=exposures() if reference is None else reference, about=about)


def test_each_patient_has_a_value_or_the_reason_why_not(ws):
    members = pd.DataFrame([row[:2] for row in PATIENTS], columns=["patient_id", "residence_commune"])
    enriched = enrich(members, ["pm25_ugm3"], workspace=ws)
    expected = pd.Series([row[4] for row in PATIENTS]).value_counts()
    found = enriched.coverage.table.set_index("outcome")["persons"]
    assert found.to_dict() == {word: int(expected.get(word, 0)) for word in OUTCOMES}
    informed = [row[4] == "informed" for row in PATIENTS]
    assert enriched.table["pm25_ugm3"].notna().tolist() == informed
    assert enriched.table["pm25_ugm3"].iloc[2] == 13.0  # an arrondissement has its city's air


def test_the_verb_hangs_on_cohorts_and_keeps_rows_and_order(als):
    enriched = als.enrich(["fdep_like", "pm25_ugm3"])
    assert enriched.table["patient_id"].tolist() == als.members["patient_id"].tolist()
    assert list(enriched.table.columns) == [*als.members.columns, "fdep_like", "pm25_ugm3"]
    assert enriched.cohort is als
    assert enriched.n == als.n
    pd.testing.assert_frame_equal(enriched.table[als.members.columns], als.members)
    assert set(enriched.variables) == {"fdep_like", "pm25_ugm3"}
    assert "SYNTHETIC" in enriched._repr_html_()


def test_derived_variables_are_in_the_catalogue_and_computed_at_residence(ws, als):
    catalogue = open_catalogue(ws)
    assert list(catalogue) == ["centre_distance_km", "density_km2", "fdep_like", "pm25_ugm3"]
    table = als.enrich(["centre_distance_km", "density_km2"]).table.set_index("patient_id")
    assert table.loc["p03", "centre_distance_km"] == 0.0  # lives in the city of the centre
    assert table.loc["p01", "centre_distance_km"] == pytest.approx(94.03, abs=0.01)
    assert table.loc["p08", "centre_distance_km"] == 0.0  # the centre of La Réunion
    assert table.loc["p01", "density_km2"] > table.loc["p10", "density_km2"]
    assert catalogue.describe("centre_distance_km").derived
    assert catalogue.describe("centre_distance_km").origin == "synthetic"


def test_labels_of_centres_can_be_asked_on_a_day(ws):
    sites = ws.frame("site")
    reunion = pd.Series(["97411"], index=["x"])
    before = nearest_site_km(reunion, sites, labelled_on="2018-01-01")
    assert before["x"] > 8900  # the island's centre was labelled in 2023: the nearest is in Lyon
    assert nearest_site_km(reunion, sites, labelled_on="2024-01-01")["x"] == 0
    assert nearest_site_km(reunion, sites, centre_types=("CRMR_coordinator",))["x"] > 8900
    for call in (
        lambda: nearest_site_km(reunion, sites, network="NOBODY"),
        lambda: nearest_site_km(reunion, sites.drop(columns="fsmr")),
        lambda: nearest_site_km(reunion, sites, labelled_on="1990-01-01"),
        lambda: nearest_site_km(pd.Series(["00000"]), sites),
    ):
        with pytest.raises((DataError, ParameterError)):
            call()


def test_zero_is_a_value_and_missing_is_never_zero():
    file = exposures().assign(pm25_ugm3=[0.0, 0.0, np.nan, 1.0, np.nan])
    enriched = give(people(["38185", "73065", None]), reference=file)
    assert enriched.table["pm25_ugm3"].isna().tolist() == [False, True, True]
    assert enriched.table["pm25_ugm3"].iloc[0] == 0.0


codes = st.lists(st.sampled_from(["38185", "38421", "73065", "97411", "74010", None]), min_size=1, max_size=30)


@given(codes, st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_one_row_in_one_row_out_whatever_the_order(given_codes, random):
    members = people(given_codes).set_index(pd.Index(range(7, 7 + len(given_codes))))
    enriched = give(members, ("pm25_ugm3", "fdep_like"))
    assert enriched.table.index.tolist() == members.index.tolist()
    assert enriched.table["patient_id"].tolist() == members["patient_id"].tolist()
    sums = enriched.coverage.table.groupby("variable")["persons"].sum()
    assert (sums == len(members)).all()
    order = list(range(len(members)))
    random.shuffle(order)
    again = give(members.iloc[order], ("pm25_ugm3", "fdep_like"))
    pd.testing.assert_frame_equal(again.table, enriched.table.iloc[order])
    pd.testing.assert_frame_equal(again.coverage.table, enriched.coverage.table)


@pytest.mark.parametrize(
    ("codes_", "words"),
    [([38185, 1053], "leading zero"), (["1053", "38185"], "leading zero"), (["38185.0", "38421"], "decimal")],
)
def test_codes_that_lost_their_zero_are_refused(codes_, words):
    with pytest.raises(GeographyError, match=words):
        give(people(codes_))
    wrong = exposures().head(2).assign(insee_code=codes_)
    with pytest.raises(GeographyError, match=words):
        give(people(["38185"]), reference=wrong)


def test_what_cannot_be_joined_is_refused_with_the_reason():
    twice = pd.concat([exposures(), exposures().head(1)])
    with pytest.raises(DataError, match="1 commune"):
        give(people(["38185"]), reference=twice)
    old = exposures().assign(insee_code=["38185", "38421", "73065", "69123", "01003"])  # 01003 merged in 1964
    with pytest.raises(DataError, match="not communes of today"):
        give(people(["38185"]), reference=old)
    with pytest.raises(DataError, match="not numbers"):
        give(people(["38185"]), reference=exposures().assign(pm25_ugm3="high"))
    with pytest.raises(DataError, match="insee_code"):
        give(people(["38185"]), reference=exposures().rename(columns={"insee_code": "code"}))
    with pytest.raises(ParameterError, match="already have pm25_ugm3"):
        give(people(["38185"], pm25_ugm3=1.0))
    with pytest.raises(ParameterError, match="no residence"):
        give(pd.DataFrame({"patient_id": ["a"]}))
    with pytest.raises(ParameterError, match="where exposures are"):
        enrich(people(["38185"]))
    with pytest.raises(ParameterError, match="no metadata"):
        enrich(people(["38185"]), reference=exposures())
    with pytest.raises(ParameterError, match="members are a list"):
        give(["38185"])


def test_unknown_variables_are_named_with_near_ones_all_at_once():
    with pytest.raises(ParameterError) as caught:
        give(people(["38185"]), ["pm25", "fdep_like", "fdep_like", "zzz"])
    told = str(caught.value)
    assert "'pm25' is unknown: pm25_ugm3?" in told
    assert "'fdep_like' is asked for twice" in told
    assert "'zzz' is unknown" in told


def test_catalogue_is_searched_in_both_languages_without_accents(ws):
    catalogue = open_catalogue(ws)
    assert catalogue.search("DEFAVORISATION")["name"].tolist() == ["fdep_like"]
    assert catalogue.search("fine particles")["name"].tolist() == ["pm25_ugm3"]
    assert catalogue.search("densité")["name"].tolist() == ["density_km2"]
    assert len(catalogue.search("")) == 4
    assert catalogue.search("nothing like it").empty
    info = catalogue.describe("pm25_ugm3")
    assert info.label("fr") == "Particules fines (PM2,5)"
    assert info.provenance().startswith("SYNTHETIC")
    assert "INERIS" in info._repr_html_()
    assert "pm25_ugm3" in catalogue._repr_html_()
    assert catalogue.synthetic
    with pytest.raises(ParameterError, match="among"):
        catalogue.describe("radon")


def test_a_variable_without_metadata_is_refused():
    with pytest.raises(ParameterError, match="unknown"):
        give(people(["38185"]), ["fdep_like"], about={"pm25_ugm3": ABOUT["pm25_ugm3"]})
    with pytest.raises(DataError, match="lack"):
        give(people(["38185"]), about={"pm25_ugm3": {"label_en": "PM"}})
    with pytest.raises(DataError, match="origin"):
        give(people(["38185"]), about={"pm25_ugm3": ABOUT["pm25_ugm3"] | {"origin": "rumour"}})


def test_coverage_says_what_it_may_publish_and_draws_itself(als):
    coverage = als.enrich(["pm25_ugm3", "fdep_like"]).coverage
    release = coverage.release("fr")
    assert release.counts[0].column == "persons"
    assert release.counts[0].adds_up_within == ("variable",)
    assert coverage.summary["share_informed"].between(0, 1).all()
    assert coverage.summary["informed"].tolist() == [coverage.informed("pm25_ugm3"), coverage.informed("fdep_like")]
    with pytest.raises(ParameterError):
        coverage.informed("radon")
    with pytest.raises(ParameterError):
        coverage.chart(lang="de")
    chart = coverage.chart(lang="fr")
    assert render(chart.figure())[:4] == b"\x89PNG"
    hidden = release.table.assign(persons=release.table["persons"].astype("Int64"))
    hidden.loc[hidden["persons"] < 3, ["persons", "share"]] = pd.NA
    assert render(chart.figure(hidden)) != render(chart.figure())
    assert render(chart.figure()) == render(chart.figure())


def test_areas_take_the_mean_of_their_persons_not_of_their_communes():
    people_ = population()
    table = average_by_area(exposures(), people_, "departement").set_index("departement")
    weights = people_.groupby("insee_code")["persons"].sum()
    by_hand = (11.5 * weights["38185"] + 10.5 * weights["38421"]) / (weights["38185"] + weights["38421"])
    assert table.loc["38", "pm25_ugm3"] == pytest.approx(by_hand, rel=1e-12)
    assert np.isnan(table.loc["73", "pm25_ugm3"])  # its only commune has no value
    assert np.isnan(table.loc["74", "fdep_like"])  # populated, not in the file
    shuffled = average_by_area(exposures().iloc[::-1], people_.sample(frac=1, random_state=3), "departement")
    pd.testing.assert_frame_equal(shuffled.set_index("departement"), table)
    with pytest.raises(ParameterError, match="radon"):
        average_by_area(exposures(), people_, "departement", ["radon"])
    with pytest.raises(DataError, match="twice"):
        average_by_area(pd.concat([exposures(), exposures()]), people_, "departement")


def test_scaling_records_its_step():
    values = pd.Series([1.0, 2.0, 4.0, 8.0, None])
    scaled = scale_exposure(values)
    assert scaled.step == find_step(values) == 3.25
    assert scaled.unscale(1.3) == pytest.approx(0.4)
    assert scale_exposure(values, "unit").step == 1
    assert find_step(values, "sd") == pytest.approx(values.std())
    for wrong in ([1.0, 1.0, 1.0], [2.0], [0.0, 0, 0, 0, 0, 1]):
        with pytest.raises(EstimationError):
            find_step(wrong)
    with pytest.raises(ParameterError):
        find_step(values, "mad")


def test_quantile_classes_hold_their_breaks():
    values = pd.Series(np.arange(1.0, 101))
    cut, breaks = cut_quantiles(values, 5)
    assert cut.value_counts().tolist() == [20] * 5
    assert breaks == pytest.approx((20.8, 40.6, 60.4, 80.2))
    with pytest.raises(EstimationError, match="same"):
        cut_quantiles(pd.Series([0.0] * 50 + [1.0] * 10), 4)
    with pytest.raises(EstimationError):
        cut_quantiles(pd.Series([None], dtype=float), 2)
    with pytest.raises(ParameterError):
        cut_quantiles(values, 1)


def test_variables_computed_at_communes_are_averaged_over_persons_too(ws):
    people_ = ws.reference("population")
    names = ["pm25_ugm3", "centre_distance_km", "density_km2"]
    table = average_by_area(ws.reference("exposures"), people_, "departement", names, workspace=ws)
    row = table.set_index("departement").loc["38"]
    communes = pd.Series(["38185", "38421"])
    persons = people_.groupby("insee_code")["persons"].sum().reindex(communes).to_numpy()
    for name in ("centre_distance_km", "density_km2"):
        assert row[name] == pytest.approx(np.average(DERIVED[name](communes, ws), weights=persons))
    assert list(table.columns) == ["departement", *names, "persons"]
    assert (table["density_km2"] > 0).all()
    with pytest.raises(ParameterError, match=r"density_km2 are computed(.|\n)*workspace=ws"):
        average_by_area(ws.reference("exposures"), people_, "departement", ["density_km2"])
