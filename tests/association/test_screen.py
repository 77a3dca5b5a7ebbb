from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

import epi
from epi.association import Screen, estimate_sir, screen_exposures
from epi.association.terms import find_unit, read_adjustment
from epi.errors import EstimationError, ParameterError
from epi.plotting import render
from epi.stats import fit_glm
from epi.stats.ratio_axis import log_ticks

ORACLE = Path(__file__).parents[1] / "oracle"
R = json.loads((ORACLE / "association.json").read_text())
MODELS = json.loads((ORACLE / "stats_models.json").read_text())
PERSONS = pd.DataFrame(R["persons"])
CASES = PERSONS[PERSONS["case"] == 1].drop(columns="case")
CONTROLS = PERSONS[PERSONS["case"] == 0].drop(columns="case")
EXPOSURES = ["pm25", "no2", "near_site"]
LABELS = {
    "pm25": {"label_en": "Fine particles", "label_fr": "Particules fines", "unit": "µg/m³"},
    "no2": {"label_en": "Nitrogen dioxide", "label_fr": "Dioxyde d'azote", "unit": "µg/m³"},
    "near_site": {"label_en": "Polluted site in the commune", "label_fr": "Site pollué dans la commune"},
}


def screen(cases=CASES, controls=CONTROLS, **options):
    return screen_exposures(cases, controls, **{"exposures": EXPOSURES, "cluster": "area", "labels": LABELS, **options})


@pytest.fixture(scope="module")
def found():
    return screen()


def areas_of(observed, expected, **columns):
    code = [f"{i:03d}" for i in range(len(observed))]
    cases = pd.DataFrame({"area": code, "observed": observed})
    people = pd.DataFrame({"area": code, "person_years": expected})
    sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    return sir, pd.DataFrame({"area": code, **columns})


@pytest.mark.parametrize("model", ["single", "joint"])
def test_ratios_limits_and_p_as_glm_and_clubsandwich_in_r(found, model):
    for expected in R[model]:
        row = found.of(expected["exposure"], model)
        assert (row["n"], row["n_cases"]) == (expected["n"], expected["cases"])
        assert row["n_controls"] == expected["n"] - expected["cases"]
        for mine, theirs in (("estimate", "estimate"), ("ci_low", "low"), ("ci_high", "high")):
            assert row[mine] == pytest.approx(expected[theirs], rel=1e-8)
        assert row["p"] == pytest.approx(expected["p"], rel=1e-7)
        assert row["df"] == pytest.approx(expected["df"], rel=1e-7)


def test_steps_and_q_values_as_in_r(found):
    singles = found.table[found.table["model"] == "single"]
    assert singles["unit_size"].tolist() == pytest.approx([R["step"][name] for name in EXPOSURES], rel=1e-12)
    assert singles["q"].tolist() == pytest.approx(R["q"], rel=1e-7)
    assert found.n_tests == {"single": 3, "joint": 3}
    assert "Number of tests: 3 (joint), 3 (single)" in found.note()
    assert found.of("near_site")["scale_fr"] == "oui / non"
    assert found.of("pm25")["scale_en"].startswith("per IQR (2.58 µg/m³)")


def test_the_model_errors_without_clusters_are_other_ones(found):
    plain = screen(cluster=None)
    assert plain.of("pm25")["estimate"] == pytest.approx(found.of("pm25")["estimate"], rel=1e-12)
    assert plain.of("pm25")["ci_low"] != pytest.approx(found.of("pm25")["ci_low"], rel=1e-4)
    assert plain.table["clusters"].isna().all()
    assert "model standard errors" in plain.note()


def test_row_order_changes_nothing(found):
    again = screen(CASES.sample(frac=1, random_state=5), CONTROLS.sample(frac=1, random_state=6))
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=False, rtol=1e-9, atol=0)


def test_threads_change_nothing(found):
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            again = screen()
        pd.testing.assert_frame_equal(again.table, found.table, check_exact=False, rtol=1e-9, atol=0)


def planted(seed, n=6000, beta=(0.25, 0.0, -0.15)):
    rng = np.random.default_rng(np.random.PCG64(seed))
    bassin = rng.integers(0, 150, n)
    field = rng.normal(size=(150, 3))
    frame = pd.DataFrame(field[bassin], columns=["risk", "null", "shield"])
    frame["patient_id"] = [f"p{i:05d}" for i in range(n)]
    frame["sex"] = rng.choice(["F", "M"], n)
    frame["age_at_index"] = rng.uniform(20, 90, n)
    frame["area"] = [f"{b:03d}" for b in bassin]
    log_odds = -1.5 + frame[["risk", "null", "shield"]] @ np.array(beta) + 0.02 * (frame["age_at_index"] - 55)
    case = rng.random(n) < 1 / (1 + np.exp(-(log_odds + 0.3 * (frame["sex"] == "M"))))
    return frame[case], frame[~case]


def test_planted_effects_are_found_again_and_the_null_is_not():
    cases, controls = planted(12)
    result = screen_exposures(cases, controls, exposures=["risk", "null", "shield"], cluster="area", scale="unit")
    for model in ("single", "joint"):
        for name, beta in (("risk", 0.25), ("null", 0.0), ("shield", -0.15)):
            row = result.of(name, model)
            error = np.log(row["ci_high"] / row["ci_low"]) / (2 * 1.959964)
            assert abs(np.log(row["estimate"]) - beta) < 4 * error
    singles = result.table[result.table["model"] == "single"].set_index("exposure")
    assert singles.loc["risk", "q"] < 0.001
    assert singles.loc["null", "q"] > 0.05


def test_age_may_enter_by_spline_by_bands_or_by_a_line():
    cases, controls = planted(3, n=1500)
    ratios = [
        screen_exposures(cases, controls, exposures=["risk"], cluster="area", age=form).of("risk")["estimate"]
        for form in ("spline", "bands", "linear")
    ]
    assert len(set(ratios)) == 3
    assert max(ratios) / min(ratios) < 1.03
    with pytest.raises(ParameterError, match="spline, bands or linear"):
        screen(age="cubic")


def test_adjusters_may_be_columns_logarithms_or_categories():
    extra = PERSONS.assign(
        density=np.exp(np.linspace(0, 6, len(PERSONS))), region=np.resize(["84", "93", "76", "84"], len(PERSONS))
    )
    cases, controls = extra[extra["case"] == 1], extra[extra["case"] == 0]
    words = ("age", "sex", "log(density)", "spline(density)", "region", "pm25")
    result = screen(cases, controls, adjust=words[:3] + words[4:])
    assert "log(density), region, pm25" in result.of("no2")["adjustment"]
    assert "pm25" not in result.of("pm25")["adjustment"]  # an adjuster is not adjusted for itself
    assert screen(cases, controls, adjust=("age", "spline(density)")).of("pm25")["reason"] == ""
    assert read_adjustment("sex").form == "linear"
    zero = extra.assign(density=0.0)
    undefined = screen(zero[zero["case"] == 1], zero[zero["case"] == 0], adjust=("log(density)",))
    assert undefined.table["reason"].str.contains("not above zero").all()
    for word in ("age + sex", "exp(density)", "log(density", "__import__('os')"):
        with pytest.raises(ParameterError, match="is not a term"):
            screen(adjust=(word,))
    with pytest.raises(ParameterError, match="'altitude' are not among"):
        screen(adjust=("altitude",))


def test_each_model_uses_its_complete_rows_and_says_how_many(found):
    assert found.of("pm25")["n"] == 485
    assert found.of("no2")["n"] == 500
    assert found.of("no2", "joint")["n"] == 485
    unknown = CASES.assign(sex=["UNK"] * 10 + CASES["sex"].tolist()[10:])
    assert screen(unknown).of("no2")["n"] == 490  # unknown sex is missing, not a third sex


def test_a_model_that_cannot_be_fitted_has_its_reason_beside_the_others():
    flags = PERSONS.assign(
        flat=3.0,
        rare=np.where(PERSONS["case"] == 1, np.arange(len(PERSONS)) % 40 == 0, 0).astype(float),
        double=PERSONS["no2"] * 2 + 1,
        mostly_zero=(np.arange(len(PERSONS)) % 9 == 0) * 2.0,
    )
    names = ["no2", "flat", "rare", "double", "mostly_zero"]
    result = screen(flags[flags["case"] == 1], flags[flags["case"] == 0], exposures=names)
    assert result.of("no2")["reason"] == ""
    assert "interquartile range is zero" in result.of("flat")["reason"]
    assert "scale={'mostly_zero'" in result.of("mostly_zero")["reason"]
    assert "'rare' = 1 holds only cases" in result.of("rare")["reason"]
    joint = result.of("double", "joint")
    assert "'double' is a linear combination of 'no2'" in joint["reason"]
    assert np.isnan(joint["estimate"])
    assert result.n_tests == {"single": 2, "joint": 0}
    assert result.table.loc[result.table["reason"] != "", "q"].isna().all()
    assert "refused: " in str(result)
    given = screen(
        flags[flags["case"] == 1], flags[flags["case"] == 0], exposures=["mostly_zero"], scale={"mostly_zero": 2}
    )
    assert given.of("mostly_zero")["estimate"] > 0
    named = screen(flags[flags["case"] == 1], flags[flags["case"] == 0], exposures=names, joint=["no2", "mostly_zero"],
                   scale={"mostly_zero": 2})  # fmt: skip
    assert named.n_tests["joint"] == 2


def test_when_nothing_can_be_fitted_all_reasons_are_told():
    flat = PERSONS.assign(a=3.0, b=2.0)
    nothing = screen(flat[flat["case"] == 1], flat[flat["case"] == 0], exposures=["a", "b"])
    assert nothing.is_empty
    assert nothing.of("a")["reason"].startswith("its interquartile range is zero")
    assert nothing.of("a", "joint")["reason"] == nothing.of("a")["reason"]
    assert nothing.estimates() == []
    strongest = nothing.strongest()
    assert (strongest["value"], strongest["n"]) == ("not estimable", None)
    assert sorted(strongest["settings"]["reasons"]) == ["a", "b"]
    assert not epi.record("strongest_association", **strongest).suppressed
    assert "refused" in str(nothing)
    epi.output(nothing, "screen")
    for lang in ("fr", "en"):
        for chart in (nothing.chart_forest(lang=lang), nothing.chart_forest("joint"), nothing.chart_volcano(lang=lang)):
            epi.output(chart, "nothing")
    assert "Nothing could be estimated" in nothing.chart_volcano().figure().axes[0].texts[0].get_text()
    assert nothing.chart_forest().figure().get_suptitle() == "Odds ratios: nothing could be estimated"


def test_one_cluster_is_a_reason_and_not_an_error():
    alone = screen(CASES.assign(area="x"), CONTROLS.assign(area="x"))
    assert alone.is_empty
    assert set(alone.table["reason"]) == {"1 cluster, robust errors need two"}
    assert alone.table["clusters"].tolist() == [1] * 6


def test_ratios_of_too_few_effective_clusters_are_marked_and_never_the_strongest(found):
    assert (found.table["warning"] == "").all()
    assert "†" not in found.note()
    few = {name: frame.assign(area=frame["area"].map(lambda code: str(hash_of(code) % 4))) for name, frame in
           (("cases", CASES), ("controls", CONTROLS))}  # fmt: skip
    marked = screen(few["cases"], few["controls"])
    assert not marked.is_empty
    assert (marked.table["df"] < 4).all()
    assert set(marked.table["warning"]) == {"too few effective clusters: fewer than 4 degrees of freedom"}
    assert "† too few effective clusters: fewer than 4 degrees of freedom (6 rows)" in marked.note()
    assert marked.strongest()["value"] == "not estimable"
    assert "too few" in marked.strongest()["settings"]["reasons"]["no2"]
    assert "too few" in marked.estimates()[0].settings["warning"]
    assert set(marked.release("fr").table["warning"]) == {
        "trop peu de grappes effectives : moins de 4 degrés de liberté"
    }
    shown = epi.output(marked, "screen").decision.table
    assert shown["warning"].str.contains("too few").all()
    for lang in ("fr", "en"):
        figure = marked.chart_forest(lang=lang).figure()
        assert any(text.get_text().endswith(" †") for text in figure.axes[0].texts)
        assert figure.get_supxlabel().startswith("† ")
        epi.output(marked.chart_forest(lang=lang), "forest")
    assert found.chart_forest().figure().get_supxlabel() == ""
    one = found.table.copy()
    best = found.strongest()["settings"]["exposure"]
    one.loc[one["exposure"] == best, "warning"] = "too few effective clusters"
    assert replace(found, table=one).strongest()["settings"]["exposure"] != best


def hash_of(code):
    return sum(map(ord, str(code)))


def test_the_note_claims_no_dispersion_where_clusters_take_its_place():
    rng = np.random.default_rng(np.random.PCG64(4))
    sir, exposures = areas_of(
        rng.poisson(20, 60), np.full(60, 20.0), x=rng.normal(size=60), dep=[f"{i % 15}" for i in range(60)]
    )
    robust = screen_exposures(sir, exposures, exposures=["x"], cluster="dep").note()
    assert robust.startswith("Poisson regression, offset log expected, standard errors robust to clusters by dep (CR2")
    plain = screen_exposures(sir, exposures, exposures=["x"], cluster=None).note()
    assert plain.startswith("Quasi-poisson regression")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: screen(pd.concat([CASES, CONTROLS.head(3)])), EstimationError, "3 person.*both case and control"),
        (lambda: screen(pd.concat([CASES, CASES.head(2)])), EstimationError, "2 person.*twice"),
        (lambda: screen(CASES.head(0)), EstimationError, "no cases"),
        (lambda: screen(controls=CONTROLS.drop(columns="no2")), ParameterError, "controls have no column 'no2'"),
        (lambda: screen(exposures=[]), ParameterError, "no exposure is named"),
        (lambda: screen(exposures=None, labels=None), ParameterError, "no exposure is named"),
        (lambda: screen(exposures=["no2", "no2"]), ParameterError, "named twice"),
        (lambda: screen(exposures=["sex"]), ParameterError, "not numbers"),
        (lambda: screen(scale="mad"), ParameterError, "iqr, sd, unit"),
        (lambda: screen(scale={"no2": -1.0}), ParameterError, "above zero"),
        (lambda: screen(joint=["radon"]), ParameterError, "radon"),
        (lambda: screen(cluster="canton"), ParameterError, "cannot be placed"),
        (lambda: screen(level=95), ParameterError, "level"),
        (lambda: screen([1, 2]), ParameterError, "cases are a list"),
        (lambda: screen().of("radon"), ParameterError, "not screened"),
        (lambda: screen().chart_forest(lang="de"), ParameterError, "lang"),
        (lambda: screen(joint=False).chart_forest("joint"), EstimationError, "nothing was estimated"),
        (lambda: screen(joint=False).chart_volcano("joint"), EstimationError, "nothing was estimated"),
    ],
)
def test_wrong_input_is_refused_with_the_reason(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_steps_are_of_the_whole_study():
    values = pd.Series([0.0, 1.0, 1.0, np.nan])
    assert find_unit(values, "iqr", "x").kind == "yes/no"
    assert find_unit(pd.Series([1.0, 2.0, 6.0]), "sd", "x").size == pytest.approx(2.6457513)
    assert find_unit(pd.Series([1.0, 2.0, 6.0]), {"x": 5.0}, "x").describe("km") == "per 5 km"
    assert find_unit(pd.Series([1.0, 2500.0, 6000.0]), "unit", "x").describe("km", "fr") == "par 1 km"
    assert "fewer than two" in find_unit(pd.Series([7.0]), "iqr", "x").reason


def test_counts_of_areas_by_the_three_laws_as_in_r():
    areas = pd.DataFrame(MODELS["areas"])
    sir, exposures = areas_of(areas["observed"], areas["expected"], x=areas["x"], z=areas["z"], dep=areas["dep"])
    for family, expected in (("poisson", "poisson"), ("quasi-poisson", "quasi")):
        result = screen_exposures(
            sir, exposures, exposures=["x"], adjust=["z"], cluster=None, family=family, scale="unit"
        )
        beta, error = MODELS[expected]["coef"][1], MODELS[expected]["se"][1]
        row = result.of("x")
        assert (row["estimate"], row["ci_high"]) == pytest.approx(
            (np.exp(beta), np.exp(beta + 1.959963984540054 * error)), rel=1e-8
        )
        assert result.measure == "RR"
    robust = screen_exposures(
        sir, exposures, exposures=["x"], adjust=["z"], cluster="dep", family="negative-binomial", scale="unit"
    ).of("x")
    beta, error, degrees = (MODELS["negbin_cr2"][key][1] for key in ("coef", "se", "df"))
    assert robust["df"] == pytest.approx(degrees, rel=1e-7)
    assert (robust["estimate"], robust["ci_low"]) == pytest.approx(
        (np.exp(beta), np.exp(beta - student.isf(0.025, degrees) * error)), rel=1e-8
    )
    assert robust["clusters"] == 24
    assert robust["n_cases"] == areas["observed"].sum()


def test_planted_effect_on_areas_is_found_again():
    rng = np.random.default_rng(np.random.PCG64(9))
    x, z = rng.normal(size=(2, 400))
    expected = rng.uniform(5, 80, 400)
    observed = rng.poisson(expected * np.exp(0.12 * x) * rng.gamma(15, 1 / 15, 400))
    sir, exposures = areas_of(observed, expected, x=x, z=z, dep=[f"{i % 40:02d}" for i in range(400)])
    result = screen_exposures(sir, exposures, exposures=["x", "z"], cluster="dep", scale="unit")
    for name, beta in (("x", 0.12), ("z", 0.0)):
        row = result.of(name)
        error = np.log(row["ci_high"] / row["ci_low"]) / (2 * 1.959964)
        assert abs(np.log(row["estimate"]) - beta) < 4 * error
    assert result.of("x")["q"] < 0.001


def test_withheld_areas_do_not_enter_and_order_does_not_matter():
    rng = np.random.default_rng(np.random.PCG64(2))
    observed = rng.poisson(20, 60).astype(float)
    observed[:7] = np.nan
    sir, exposures = areas_of(observed, np.full(60, 20.0), x=rng.normal(size=60), dep=[f"{i % 15}" for i in range(60)])
    options = {"exposures": ["x"], "cluster": "dep"}
    one = screen_exposures(sir, exposures, **options)
    assert one.of("x")["n"] == 53
    other = screen_exposures(sir, exposures.sample(frac=1, random_state=1), **options)
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-9)


def test_wrong_areas_are_refused():
    sir, exposures = areas_of([10, 20, 30, 14, 9], [12, 18, 30, 10, 10], x=[1.0, 2, 4, 3, 5])
    for table, options, error, words in (
        (exposures, {}, ParameterError, "clusters"),
        (exposures.assign(area="zzz"), {"cluster": None}, EstimationError, "twice"),
        (exposures.assign(area=[f"z{i}" for i in range(5)]), {"cluster": None}, EstimationError, "no area"),
        (exposures.drop(columns="x"), {"cluster": None}, ParameterError, "'x'"),
        (exposures, {"cluster": None, "family": "gamma"}, ParameterError, "family"),
        (exposures.assign(area=range(5)), {"cluster": None}, ParameterError, "leading zeros"),
    ):
        with pytest.raises(error, match=words):
            screen_exposures(sir, table, exposures=["x"], **options)


def test_release_protects_cases_controls_and_their_estimates(found):
    release = found.release("fr")
    assert [counted.column for counted in release.counts] == ["n_cases", "n_controls"]
    assert {"estimate", "ci_low", "ci_high", "p", "q"} <= set(release.counts[0].derived)
    assert "label" in release.table.columns
    assert release.table["label"].iloc[0] == "Particules fines"
    assert "Nombre de tests" in release.note
    numbers = release.table.select_dtypes("Int64").columns
    known = {"n", *(counted.column for counted in release.counts), *release.not_counts}
    assert set(numbers) <= known
    assert "<table" in found._repr_html_()
    assert isinstance(found, Screen)


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_charts_are_drawn_from_the_table_they_are_given(found, lang):
    for chart in (found.chart_forest(lang=lang), found.chart_volcano(lang=lang, q=0.5), found.chart_forest("joint")):
        whole = chart.data.table
        hidden = whole.copy()
        hidden.loc[[0], ["n", "n_cases", "n_controls"]] = pd.NA
        hidden.loc[[0], ["estimate", "ci_low", "ci_high", "p", "q"]] = np.nan
        assert render(chart.figure()) == render(chart.figure())
        assert render(chart.figure(hidden)) != render(chart.figure())
        assert chart.alt
    blank = whole.assign(estimate=np.nan, ci_low=np.nan, ci_high=np.nan, p=np.nan, q=np.nan)
    assert render(found.chart_volcano(lang=lang).figure(blank))[:4] == b"\x89PNG"
    assert render(found.chart_forest(lang=lang).figure(blank))[:4] == b"\x89PNG"


def test_axes_have_round_ticks_with_one_among_them():
    for low, high in ((0.9, 1.12), (0.5, 2.1), (0.7, 1.5), (0.05, 30), (0.97, 1.04), (0.35, 1.45), (0.2, 1.3)):
        ticks = log_ticks(low, high)
        assert 1 in ticks
        assert 3 <= len(ticks) <= 7
        assert all(low <= tick <= high for tick in ticks)
        assert np.log(ticks[-1] / ticks[0]) >= 0.5 * np.log(high / low)


def test_a_single_fit_is_what_the_screen_reports():
    cases, controls = planted(5, n=800)
    row = screen_exposures(cases, controls, exposures=["risk"], adjust=(), cluster=None, scale="unit").of("risk")
    both = pd.concat([cases.assign(y=1.0), controls.assign(y=0.0)])
    fit = fit_glm(both[["risk"]], both["y"], family="binomial")
    assert np.log(row["estimate"]) == pytest.approx(fit.term("risk")[0], rel=1e-9)


def test_adjustment_sets_give_what_each_gives_alone():
    sets = {"minimal": ["age"], "full": ["age", "sex"], "none": []}
    together = screen(adjust=sets)
    assert together.adjustment_sets == ("minimal", "full", "none")
    for name, words in sets.items():
        alone = screen(adjust=words)
        mine = together.within(name).table.drop(columns="adjustment_set")
        pd.testing.assert_frame_equal(mine, alone.table.drop(columns="adjustment_set"))
        assert together.within(name).settings["adjust"] == alone.settings["adjust"]
    assert together.of("pm25")["estimate"] == together.of("pm25", adjustment_set="minimal")["estimate"]
    assert together.of("pm25", adjustment_set="none")["estimate"] != together.of("pm25")["estimate"]
    assert (
        "minimal: age (natural spline, 4 df); full: age (natural spline, 4 df), sex; none: nothing" in together.note()
    )
    assert together.release().table["adjustment_set"].nunique() == 3
    assert "adjustment_set" not in together.within("full").release().table
    assert {one.stratum["adjustment_set"] for one in together.estimates()} == set(sets)
    assert (
        together.chart_forest(adjustment_set="full")
        .data.table["adjustment"]
        .eq("age (natural spline, 4 df), sex")
        .all()
    )
    epi.output(together, "sets")
    with pytest.raises(ParameterError, match="no adjustment set 'other'"):
        together.within("other")
    for wrong in ("age", {}, {"full": "age"}):
        with pytest.raises(ParameterError, match="adjust"):
            screen(adjust=wrong)


def test_benjamini_yekutieli_stands_beside_as_the_sensitivity(found):
    singles = found.table[found.table["model"] == "single"]
    factor = 1 + 1 / 2 + 1 / 3
    assert singles["q_by"].tolist() == pytest.approx(np.minimum(singles["q"] * factor, 1).tolist())
    assert "q_by: Benjamini-Yekutieli" in found.note()
