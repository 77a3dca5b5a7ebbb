from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import epi
from epi.association import estimate_rates, estimate_sir
from epi.association.charts import funnel_limits
from epi.association.eligibility import eligible_population
from epi.association.tabulation import tabulate
from epi.cohort.evidence import DiagnosedBetween
from epi.errors import CohortError, EstimationError, GeographyError, ParameterError
from epi.plotting import render
from epi.stats import format_ratio
from epi.stats.standardisation import STANDARDS
from exposure.small_france import population as small_population
from exposure.small_france import write_workspace

R = json.loads((Path(__file__).parents[1] / "oracle" / "association.json").read_text())
CELLS = pd.DataFrame(R["cells"])
COUNTS = CELLS[["area", "sex", "age_low", "observed"]]
PEOPLE = CELLS[["area", "sex", "age_low", "persons"]]
TIGHT = {"rel": 1e-8}


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    return epi.open_workspace(write_workspace(tmp_path_factory.mktemp("small") / "ws"))


def incident(ws):
    return (
        ws.cohort("ALS")
        .diagnosed_with(orpha=803)
        .first_diagnosed_between("2012-01-01", "2021-12-31")
        .index_on("diagnosis")
    )


def persons(codes, ages=60.0, sex="M"):
    return pd.DataFrame(
        {
            "patient_id": [f"p{i:03d}" for i in range(len(codes))],
            "insee_code": codes,
            "sex": sex,
            "age_at_index": ages,
        }
    )


def test_ratios_as_by_hand_in_r():
    table = estimate_sir(COUNTS, PEOPLE, "area", years=R["years"]).table
    expected = pd.DataFrame(R["areas"])
    assert table["area"].tolist() == expected["area"].tolist()
    for mine, theirs in (
        ("observed", "observed"), ("expected", "expected"), ("sir", "sir"), ("ci_low", "low"), ("ci_high", "high"),
    ):  # fmt: skip
        assert table[mine].to_numpy() == pytest.approx(expected[theirs].to_numpy(), **TIGHT), mine


def test_internal_reference_expects_as_many_as_were_observed():
    sir = estimate_sir(COUNTS, PEOPLE, "area", years=10)
    assert sir.overall["expected"] == pytest.approx(sir.overall["observed"], rel=1e-12)
    assert sir.overall["sir"] == pytest.approx(1)
    assert sir.table["person_years"].sum() == pytest.approx(10 * PEOPLE["persons"].sum())


def test_the_published_cluster_prints_as_published():
    cases = pd.DataFrame({"zone": ["Rhône-Alpes"], "observed": [100]})
    people = pd.DataFrame({"zone": ["Rhône-Alpes"], "person_years": [54.07e5]})
    sir = estimate_sir(cases, people, "zone", strata=(), reference=pd.DataFrame({"rate": [1e-5]}))
    row = sir.table.iloc[0]
    assert format_ratio(row["sir"], row["ci_low"], row["ci_high"]) == "1.85 (1.50-2.25)"


def test_given_rates_are_used_and_must_cover_every_stratum():
    rates = CELLS.groupby(["sex", "age_low"], as_index=False)[["observed", "persons"]].sum()
    rates["rate"] = rates["observed"] / rates["persons"] / R["years"]
    outside = estimate_sir(COUNTS, PEOPLE, "area", years=10, reference=rates)
    inside = estimate_sir(COUNTS, PEOPLE, "area", years=10)
    assert outside.table["sir"].to_numpy() == pytest.approx(inside.table["sir"].to_numpy(), rel=1e-12)
    assert outside.settings["reference"] == "external"
    with pytest.raises(EstimationError, match=r"2 stratum\(s\)"):
        estimate_sir(COUNTS, PEOPLE, "area", reference=rates[rates["age_low"] != 95])
    with pytest.raises(EstimationError, match="several rates"):
        estimate_sir(COUNTS, PEOPLE, "area", reference=pd.concat([rates, rates]))
    with pytest.raises(EstimationError, match="missing or negative"):
        estimate_sir(COUNTS, PEOPLE, "area", reference=rates.assign(rate=-1.0))
    with pytest.raises(ParameterError, match="'rate'"):
        estimate_sir(COUNTS, PEOPLE, "area", reference=rates.drop(columns="rate"))
    with pytest.raises(ParameterError, match="reference"):
        estimate_sir(COUNTS, PEOPLE, "area", reference="france")


def test_row_order_changes_nothing():
    one = estimate_sir(COUNTS, PEOPLE, "area", years=10).table
    other = estimate_sir(
        COUNTS.sample(frac=1, random_state=1), PEOPLE.sample(frac=1, random_state=2), "area", years=10
    ).table
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_withheld_count_is_missing_and_leaves_the_reference():
    cases = pd.DataFrame({"area": list("abc"), "observed": [20.0, np.nan, 10.0]})
    people = pd.DataFrame({"area": list("abc"), "persons": [1000, 500, 1000]})
    sir = estimate_sir(cases, people, "area", strata=())
    table = sir.table.set_index("area")
    assert np.isnan(table.loc["b", "sir"])
    assert table.loc["b", "status"] == "count withheld"
    assert table.loc["a", "expected"] == pytest.approx(15)  # 30 cases in 2,000 persons, not in 2,500
    assert sir.overall["left_out"]["count withheld"] == 1
    assert "1 areas: count withheld" in str(sir)


def test_an_area_without_a_row_of_counts_is_ambiguous():
    cases = pd.DataFrame({"area": ["a"], "observed": [20]})
    people = pd.DataFrame({"area": ["a", "b"], "persons": [1000, 500]})
    with pytest.raises(EstimationError, match="absent='zero'"):
        estimate_sir(cases, people, "area", strata=())
    zero = estimate_sir(cases, people, "area", strata=(), absent="zero").table.set_index("area")
    assert zero.loc["b", ["observed", "sir", "ci_low"]].tolist() == [0, 0, 0]
    assert zero.loc["b", "ci_high"] > 0
    missing = estimate_sir(cases, people, "area", strata=(), absent="missing").table.set_index("area")
    assert np.isnan(missing.loc["b", "sir"])


def test_cases_without_population_are_reported_and_not_divided_by_zero():
    cases = pd.DataFrame({"area": list("ab"), "observed": [20, 3]})
    people = pd.DataFrame({"area": list("ab"), "persons": [1000, 0]})
    sir = estimate_sir(cases, people, "area", strata=())
    assert sir.table["status"].tolist() == ["", "no population"]
    assert sir.overall["cases_without_population"] == 3
    assert np.isnan(sir.table["sir"].iloc[1])
    assert sir.table["expected"].iloc[0] == pytest.approx(20)


@pytest.mark.parametrize(
    ("cases", "people", "words"),
    [
        ({"observed": [20, 3, 3], "sex": ["M", "F", "X"]}, {"persons": [10, 10], "sex": ["M", "F"]}, "1 stratum"),
        ({"observed": [0, 0], "sex": ["M", "F"]}, {"persons": [10, 10], "sex": ["M", "F"]}, "no case"),
        ({"observed": [1, -1], "sex": ["M", "F"]}, {"persons": [10, 10], "sex": ["M", "F"]}, "cannot be used"),
        ({"observed": [1, 1.5], "sex": ["M", "F"]}, {"persons": [10, 10], "sex": ["M", "F"]}, "cannot be used"),
        ({"observed": [1, 1], "sex": ["M", None]}, {"persons": [10, 10], "sex": ["M", "F"]}, "cannot be used"),
        ({"observed": [1, 1], "sex": ["M", "F"]}, {"persons": [10, -10], "sex": ["M", "F"]}, "negative"),
        ({"observed": [1, 1], "sex": ["M", "F"]}, {"persons": [10, 10], "sex": ["M", None]}, "no 'sex'"),
        ({"observed": [1, 1], "sex": ["M", "F"]}, {"persons": [0, 0], "sex": ["M", "F"]}, "without any population"),
        ({"observed": [0, 0], "sex": ["M", "F"]}, {"persons": [0, 0], "sex": ["M", "F"]}, "nobody is at risk"),
        ({"observed": [np.nan] * 2, "sex": ["M", "F"]}, {"persons": [9, 9], "sex": ["M", "F"]}, "no case"),
    ],
)
def test_what_has_no_expected_number_is_refused_with_the_reason(cases, people, words):
    with pytest.raises(EstimationError, match=words):
        estimate_sir(
            pd.DataFrame({"area": "a", **cases}), pd.DataFrame({"area": "a", **people}), "area", strata=("sex",)
        )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: estimate_sir(COUNTS, PEOPLE, "canton"), "cannot be placed"),
        (lambda: estimate_sir(COUNTS, PEOPLE.drop(columns="sex"), "area"), "no column 'sex'"),
        (lambda: estimate_sir(COUNTS, PEOPLE.drop(columns="persons"), "area"), "no column 'persons'"),
        (lambda: estimate_sir(COUNTS.assign(area=1), PEOPLE, "area"), "leading zeros"),
        (lambda: estimate_sir([1], PEOPLE, "area"), "observed is a list"),
        (lambda: estimate_sir(COUNTS, None, "area"), "how many persons were at risk"),
        (lambda: estimate_sir(COUNTS, PEOPLE, "area", years=0), "years is 0"),
        (lambda: estimate_sir(COUNTS, PEOPLE, "area", level=95), "level"),
        (lambda: estimate_sir(COUNTS, PEOPLE.rename(columns={"persons": "person_years"}), "area", years=2), "years"),
        (lambda: estimate_sir(COUNTS, PEOPLE, "area", within="metropolitan France"), "insee_code"),
        (lambda: estimate_sir(COUNTS, PEOPLE, "area", years=10).chart_map(), "no level of territory"),
        (lambda: estimate_sir(COUNTS, PEOPLE, "area", years=10).chart_funnel(lang="de"), "lang"),
    ],
)
def test_wrong_arguments_are_told(call, words):
    with pytest.raises(ParameterError, match=words):
        call()


def test_codes_of_communes_that_lost_their_zero_are_refused():
    with pytest.raises(GeographyError, match="leading zero"):
        estimate_sir(persons(["1053", "1004"]), small_population(), "departement")


def test_persons_are_counted_where_they_live_and_the_others_are_counted_too():
    cases = persons(["38185", "38421", "73065", None, "97411"], ages=[60, 70, 97, 50, np.nan])
    cases.loc[1, "sex"] = "UNK"
    sir = estimate_sir(cases, small_population(), "departement", years=10)
    assert sir.table.set_index("area")["observed"].to_dict() == {"38": 1, "69": 0, "73": 1, "74": 0, "974": 0}
    assert sir.losses.set_index("reason")["persons"].to_dict() == {
        "no departement of residence": 1,
        "sex unknown or absent from the population": 1,
        "age_low unknown or absent from the population": 1,
    }
    assert sir.table["name"].tolist()[0] == "Isère"


def test_cases_that_are_all_lost_are_told_with_the_reasons(ws):
    undated = ws.cohort("ALS").diagnosed_with(orpha=803).first_diagnosed_between("2012-01-01", "2021-12-31")
    with pytest.raises(EstimationError, match=r"none of the 11 cases.*\n.*no departement.*\n.*age_low unknown"):
        estimate_sir(undated, ws.reference("population"), by="departement")


def test_communes_at_stake_bound_cases_and_population_both():
    cases = persons(["38185"] * 3 + ["97411"] * 4)
    everywhere = estimate_sir(cases, small_population(), "departement")
    inside = estimate_sir(cases, small_population(), "departement", within="metropolitan France")
    assert "974" not in set(inside.table["area"])
    assert inside.overall["observed"] == 3
    assert inside.losses["persons"].sum() == 4
    chosen = estimate_sir(cases, small_population(), "departement", within=["38185", "97411"])
    assert set(chosen.table["area"]) == {"38", "974"}
    assert everywhere.overall["person_years"] > inside.overall["person_years"]


def test_small_populations_count_in_the_reference_without_a_ratio_of_their_own():
    sir = estimate_sir(COUNTS, PEOPLE, "area", years=10, min_population=PEOPLE.groupby("area")["persons"].sum().max())
    assert (sir.table["status"] == "population too small").sum() == 11
    assert sir.table["sir"].notna().sum() == 1
    whole = estimate_sir(COUNTS, PEOPLE, "area", years=10)
    assert sir.table["expected"].tolist() == whole.table["expected"].tolist()


def test_a_cohort_brings_its_period_and_the_population_that_could_enter_it(ws):
    people = ws.reference("population")
    cohort = incident(ws)
    sir = estimate_sir(cohort, people, by="departement")
    assert sir.settings["years"] == 10.0
    assert sir.overall["observed"] == 7  # 11 patients, 4 without a commune of today
    assert sir.losses["persons"].sum() == 4
    adults = cohort.aged(at_least=60).residing_in("metropolitan France")
    bound = estimate_sir(adults, people, by="departement")
    assert "974" not in set(bound.table["area"])
    metropolitan = people[people["insee_code"] != "97411"]
    assert bound.overall["person_years"] == 10 * metropolitan.loc[metropolitan["age_low"] >= 60, "persons"].sum()
    assert bound.settings["eligibility"] == ["aged 60 or more", "residing in metropolitan France"]
    enriched = estimate_sir(adults.enrich(["pm25_ugm3"]), people, by="departement")
    pd.testing.assert_frame_equal(enriched.table, bound.table)


def test_a_group_cut_by_an_age_limit_keeps_its_share(ws):
    cohort = incident(ws).aged(at_least=18)
    people = ws.reference("population")
    total = estimate_sir(cohort, people, by="departement").overall["person_years"]
    whole = people.loc[people["age_low"] >= 20, "persons"].sum()
    part = people.loc[people["age_low"] == 15, "persons"].sum()
    assert total == pytest.approx(10 * (whole + 0.4 * part))
    young = incident(ws).aged(at_least=18, at_most=64).of_sex("F")
    women = people[people["sex"] == "F"]
    expected = women.loc[women["age_low"].between(20, 60), "persons"].sum()
    expected += 0.4 * women.loc[women["age_low"] == 15, "persons"].sum()
    assert estimate_sir(young, people, by="departement").overall["person_years"] == pytest.approx(10 * expected)


def test_a_file_active_is_not_taken_for_incidence(ws):
    known = ws.cohort("known").diagnosed_with(orpha=803).known_to_the_base()
    with pytest.raises(CohortError, match="incidence"):
        estimate_sir(known, ws.reference("population"), by="departement")


def test_release_protects_counts_and_what_is_made_of_them():
    sir = estimate_sir(COUNTS, PEOPLE, "area", years=10)
    counted = sir.release().counts[0]
    assert counted.column == "observed"
    assert set(counted.derived) == {"sir", "ci_low", "ci_high"}
    assert counted.adds_up_within == ()


def test_everything_passes_the_gate_with_small_counts_hidden():
    counts = COUNTS.assign(observed=COUNTS["observed"].where(COUNTS["area"] != "001", 0))
    counts.loc[counts.index[counts["area"] == "001"][0], "observed"] = 4
    sir = estimate_sir(counts, PEOPLE, "area", years=10)
    for name, given in (
        ("sir", sir),
        ("funnel", sir.chart_funnel(lang="fr")),
        ("rates", estimate_rates(counts, PEOPLE, "area", years=10)),
    ):
        shown = epi.output(given, name).decision.table
        row = shown[shown["area"] == "001"].iloc[0]
        assert pd.isna(row["observed"])
        assert pd.isna(row["sir" if "sir" in shown else "crude"])
        assert shown["observed"].isna().sum() == 2  # a second one, or the first is found by subtraction


def test_charts_are_drawn_from_the_table_they_are_given():
    sir = estimate_sir(persons(["38185"] * 30 + ["69123"] * 20 + ["73065"] * 12), small_population(), "departement")
    for chart in (sir.chart_funnel(lang="fr"), sir.chart_map(lang="en")):
        whole = chart.data.table
        hidden = whole.copy()
        hidden.loc[hidden["observed"] < 25, ["observed", "sir", "ci_low", "ci_high"]] = np.nan
        assert render(chart.figure())[:4] == b"\x89PNG"
        assert render(chart.figure(hidden)) != render(chart.figure())
        assert chart.alt
    nothing = whole.assign(sir=np.nan)
    assert render(sir.chart_funnel().figure(nothing))[:4] == b"\x89PNG"


def test_a_ratio_without_strata_is_not_called_standardised():
    crude = estimate_sir(
        COUNTS.groupby("area", as_index=False)["observed"].sum(),
        PEOPLE.groupby("area", as_index=False)["persons"].sum(),
        "area",
        strata=(),
    )
    assert "not standardised" in crude.release().title
    assert "<p>12 areas" in crude._repr_html_()


def test_funnel_limits_hold_what_they_promise():
    from scipy.stats import poisson

    expected = np.array([5.0, 20.0, 400.0])
    for level in (0.95, 0.998):
        low, high = funnel_limits(expected, level)
        outside = poisson.cdf(np.ceil(low * expected) - 1, expected) + poisson.sf(np.floor(high * expected), expected)
        assert (outside <= (1 - level) * 1.35).all()
        assert (low < 1).all()
        assert (high > 1).all()


def test_direct_rates_as_by_hand_in_r():
    rates = estimate_rates(COUNTS, PEOPLE, "area", years=R["years"]).table
    mine = rates[["standardised", "standardised_low", "standardised_high"]].to_numpy()
    assert mine == pytest.approx(np.array(R["direct"]), **TIGHT)
    assert rates["crude"].to_numpy() == pytest.approx(
        (1e5 * rates["observed"] / rates["person_years"]).to_numpy(), rel=1e-12
    )


def test_areas_are_compared_with_one_of_them():
    rates = estimate_rates(COUNTS, PEOPLE, "area", years=R["years"], limits="tiwari", standard="france_2019")
    first, second = rates.table["area"][:2]
    compared = estimate_rates(
        COUNTS, PEOPLE, "area", years=R["years"], limits="tiwari", standard="france_2019", reference=first
    )
    shared = list(rates.table.columns)
    pd.testing.assert_frame_equal(compared.table[shared], rates.table)
    table = compared.table.set_index("area")
    assert table.loc[first, "ratio"] == 1
    assert np.isnan(table.loc[first, "ratio_low"])
    expected = table.loc[second, "standardised"] / table.loc[first, "standardised"]
    assert table.loc[second, "ratio"] == pytest.approx(expected, rel=1e-12)
    assert table.loc[second, "ratio_low"] < expected < table.loc[second, "ratio_high"]
    assert "Tiwari" in compared.release().note
    mixed = estimate_rates(
        COUNTS.sample(frac=1, random_state=1), PEOPLE.sample(frac=1, random_state=2), "area", years=R["years"],
        limits="tiwari", standard="france_2019", reference=first,
    )  # fmt: skip
    pd.testing.assert_frame_equal(mixed.table, compared.table)
    with pytest.raises(ParameterError, match="none of the areas"):
        estimate_rates(COUNTS, PEOPLE, "area", years=R["years"], reference="999")


def test_a_small_reference_is_not_found_through_the_ratios():
    first = min(COUNTS["area"])
    counts = COUNTS.assign(observed=COUNTS["observed"].where(COUNTS["area"] != first, 0))
    counts.loc[counts.index[counts["area"] == first][0], "observed"] = 4
    rates = estimate_rates(counts, PEOPLE, "area", years=10, reference=first)
    assert rates.table["ratio"].notna().all()
    shown = epi.output(rates, "compared").decision.table
    assert shown["ratio"].isna().all()
    assert shown["reference_observed"].isna().all()


def test_rates_in_all_and_by_sex_agree():
    people = PEOPLE.groupby(["sex", "age_low"], as_index=False)["persons"].sum()
    counts = COUNTS.groupby(["sex", "age_low"], as_index=False)["observed"].sum()
    whole = estimate_rates(counts, people, standard="us_2010", years=10)
    by_sex = estimate_rates(counts, people, "sex", standard="us_2010", years=10)
    assert len(whole.table) == 1
    assert by_sex.table["area"].tolist() == ["F", "M"]
    assert by_sex.table["standardised"].mean() == pytest.approx(whole.table["standardised"].iloc[0], rel=1e-9)
    assert by_sex.table.set_index("area").loc["M", "standardised"] > whole.table["standardised"].iloc[0]
    assert whole.release().counts[0].derived[0] == "crude"
    assert "standardised" in whole._repr_html_()


def test_standards_must_fit_the_strata():
    with pytest.raises(EstimationError, match="age groups"):
        estimate_rates(
            COUNTS.assign(age_low=COUNTS["age_low"] + 1), PEOPLE.assign(age_low=PEOPLE["age_low"] + 1), "area"
        )
    with pytest.raises(ParameterError, match="by age"):
        estimate_rates(COUNTS, PEOPLE, "area", strata=("sex",), absent="zero")
    with pytest.raises(ParameterError, match="weight"):
        estimate_rates(COUNTS, PEOPLE, "area", standard=pd.DataFrame({"sex": ["F"]}))
    given = pd.DataFrame([(s, a, 1.0) for s in "FM" for a in range(0, 95, 5)], columns=["sex", "age_low", "weight"])
    with pytest.raises(EstimationError, match="no weight"):
        estimate_rates(COUNTS, PEOPLE, "area", standard=given)
    gap = PEOPLE.assign(persons=PEOPLE["persons"].where(PEOPLE["age_low"] != 40, 0))
    counts = COUNTS.assign(observed=COUNTS["observed"].where(COUNTS["age_low"] != 40, 0))
    rates = estimate_rates(counts, gap, "area").table
    assert rates["standardised"].isna().all()
    assert set(rates["status"]) == {"nobody at risk in some strata of the standard"}
    assert rates["crude"].notna().all()


def test_person_years_never_run_past_the_extraction(ws):
    cohort = incident(ws)
    late = replace(cohort.definition, criteria=(*(
        DiagnosedBetween(dt.date(2012, 1, 1), dt.date(2030, 12, 31)) if isinstance(item, DiagnosedBetween) else item
        for item in cohort.definition.criteria
    ),))  # fmt: skip
    for estimate in (estimate_sir, estimate_rates):
        with pytest.raises(EstimationError, match=r"extracted on 2024-06-30(.|\n)*first_diagnosed_between"):
            estimate(replace(cohort, definition=late), ws.reference("population"), by="departement")


def test_two_dated_incident_criteria_are_refused_in_either_order(ws):
    both = incident(ws).first_signs_between("2015-01-01", "2015-12-31")
    with pytest.raises(EstimationError, match="diagnosis and another of first signs"):
        estimate_rates(both, ws.reference("population"))


def test_a_birthday_is_read_in_completed_years(ws):
    # Born on 15 March 1950, index on 15 March 2015: 65 years, and 64.999 years of 365.25 days.
    one = persons(["38185"], ages=64.99931554).assign(age_completed=65)
    people = small_population()
    only = people[people["age_low"] != 60]
    assert estimate_sir(one, only, "departement").overall["observed"] == 1
    cells = tabulate(one, people, by="departement").cells
    assert cells.loc[cells["observed"] == 1, "age_low"].tolist() == [65]


def test_adults_are_standardised_on_the_adults_of_the_standard(ws):
    people = ws.reference("population")
    adults = incident(ws).aged(at_least=18)
    rates = estimate_rates(adults, people)
    assert rates.settings["standard"] == "european_2013, truncated at 18 and over"
    assert rates.release().title.endswith(", aged 18 and over")
    assert "truncated at 18 and over" in rates.release().note
    weights = {low: share for low, share in STANDARDS["european_2013"].items() if low >= 15}
    weights[15] *= 0.4
    placed = tabulate(adults, people, by=None).cells
    by_age = placed.assign(rate=placed["observed"] / placed["person_years"]).groupby("age_low")["rate"].mean()
    expected = 1e5 * sum(by_age[low] * weight for low, weight in weights.items()) / sum(weights.values())
    assert rates.table["standardised"].iloc[0] == pytest.approx(expected)
    middle = estimate_rates(incident(ws).aged(at_least=18, at_most=64), people)
    assert middle.settings["standard"].endswith("truncated at 18 to 64")
    assert middle.table["standardised"].notna().all()


def test_two_age_limits_in_one_group_leave_what_is_between(ws):
    people = ws.reference("population")
    _, told = eligible_population(incident(ws).aged(at_least=60).aged(at_most=62), people)
    kept, _ = eligible_population(incident(ws).aged(at_least=61).aged(at_most=62), people)
    assert told.ages.words() == "60 to 62"
    assert kept["persons"].sum() == pytest.approx(0.4 * people.loc[people["age_low"] == 60, "persons"].sum())


def test_what_restricts_the_cases_alone_is_refused_or_told(ws):
    people = ws.reference("population")
    with pytest.raises(EstimationError, match=r'age on 2015-01-01(.|\n)*on="index"'):
        estimate_sir(incident(ws).aged(at_least=18, on="2015-01-01"), people, by="departement")
    at_centre = estimate_sir(incident(ws).at_sites(fsmr="FILSLAN"), people, by="departement")
    assert at_centre.settings["cases_restricted_by"] == ["followed at: filière FILSLAN"]
    assert "Cases also restricted by: followed at: filière FILSLAN; population not." in at_centre.release().note
    assert "restricted" not in estimate_sir(incident(ws), people, by="departement").release().note


def test_the_note_says_which_population_and_which_ages(tmp_path):
    folder = write_workspace(tmp_path / "ws")
    about = {"source": "Census 2023", "method": "Raked. Taken as constant over years."}
    (folder / "reference" / "population.json").write_text(json.dumps(about))
    ws = epi.open_workspace(folder)
    adults = incident(ws).aged(at_least=18)
    for sir in (
        estimate_sir(adults, by="departement"),
        estimate_sir(adults, ws.reference("population"), "departement"),
    ):
        note = sir.release().note
        assert "Population: Census 2023, taken as constant over years." in note
        assert "Aged 18 and over." in note
        epi.output(sir, "sir")
    other = ws.reference("population").assign(persons=lambda t: t["persons"] * 2)
    assert "Census 2023" not in estimate_sir(adults, other, "departement").release().note


def test_persons_of_several_years_are_not_multiplied_by_the_years_again():
    cases = pd.DataFrame({"area": ["a", "b"], "observed": [30, 60]})
    people = pd.DataFrame({"area": ["a", "b"] * 3, "year": np.repeat([2018, 2019, 2020], 2), "persons": [1e5, 2e5] * 3})
    with pytest.raises(ParameterError, match="3 years, each of which would be multiplied by 3"):
        estimate_sir(cases, people, "area", strata=(), years=3)
    # One year of person-years for each year of persons.
    assert estimate_sir(cases, people, "area", strata=()).overall["person_years"] == 900_000
    one = people[people["year"] == 2019]
    assert estimate_sir(cases, one, "area", strata=(), years=3).overall["person_years"] == 900_000


def test_a_standard_with_a_stratum_twice_does_not_count_cases_twice():
    cases = pd.DataFrame({"age_low": [0, 50], "observed": [2, 3]})
    people = pd.DataFrame({"age_low": [0, 50], "persons": [5e4, 5e4]})
    twice = pd.DataFrame({"age_low": [0, 50, 0, 50], "weight": [1.0] * 4})
    with pytest.raises(EstimationError, match="gives 2 cell"):
        estimate_rates(cases, people, strata=("age_low",), standard=twice)
