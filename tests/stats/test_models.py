from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epi.errors import EstimationError
from epi.stats import check_design, find_design_faults, find_separation, fit_glm, natural_spline

R = json.loads((Path(__file__).parents[1] / "oracle" / "stats_models.json").read_text())
PERSONS = pd.DataFrame(R["persons"])
AREAS = pd.DataFrame(R["areas"])
TIGHT = {"rel": 1e-8, "abs": 1e-10}
LOGIT = PERSONS[["age", "male", "pm25"]].astype(float)
COUNTS = AREAS[["x", "z"]].astype(float)


def check(fit, expected, terms=None):
    for name in terms or expected["terms"]:
        place = expected["terms"].index(name)
        mine = fit.term("intercept" if name == "(Intercept)" else name)
        assert mine == pytest.approx((expected["coef"][place], expected["se"][place]), **TIGHT), name


def test_logistic_as_glm_in_r():
    check(fit_glm(LOGIT, PERSONS["case"], family="binomial"), R["logit"])


def test_logistic_cluster_robust_as_sandwich_in_r():
    fit = fit_glm(LOGIT, PERSONS["case"], family="binomial", clusters=PERSONS["cluster"], correction="CR1")
    check(fit, R["logit_cluster"])
    assert fit.n_clusters == PERSONS["cluster"].nunique()


@pytest.mark.parametrize(
    ("clusters", "name"),
    [(PERSONS["cluster"], "logit_cr2"), (R["heavy"], "logit_cr2_heavy")],
    ids=["even clusters", "one cluster of a third of the rows"],
)
def test_bias_reduced_clusters_as_clubsandwich_in_r(clusters, name):
    fit = fit_glm(LOGIT, PERSONS["case"], family="binomial", clusters=clusters)
    check(fit, R[name])
    for term, degrees in zip(R[name]["terms"], R[name]["df"], strict=True):
        assert fit.degrees_of("intercept" if term == "(Intercept)" else term) == pytest.approx(degrees, rel=1e-7)
    plain = fit_glm(LOGIT, PERSONS["case"], family="binomial", clusters=clusters, correction="CR1")
    assert plain.term("age")[1] != pytest.approx(fit.term("age")[1], rel=1e-4)
    assert np.isinf(plain.degrees).all()


def test_bias_reduced_counts_as_clubsandwich_in_r():
    offset = np.log(AREAS["expected"])
    fit = fit_glm(COUNTS, AREAS["observed"], family="poisson", offset=offset, clusters=AREAS["dep"])
    check(fit, R["poisson_cr2"])
    found = [fit.degrees_of(term) for term in ("intercept", "x", "z")]
    assert found == pytest.approx(R["poisson_cr2"]["df"], rel=1e-7)


@pytest.mark.parametrize("clusters", [None, PERSONS["cluster"]], ids=["model", "cluster"])
def test_age_spline_gives_the_same_adjusted_effect_as_ns_in_r(clusters):
    design = pd.DataFrame(natural_spline(PERSONS["age"], df=4), columns=[f"age_{i}" for i in range(4)])
    design["male"] = PERSONS["male"].astype(float)
    for code in ("24", "53"):
        design[f"region{code}"] = (PERSONS["region"] == code).astype(float)
    design["pm25"] = PERSONS["pm25"]
    fit = fit_glm(design, PERSONS["case"], family="binomial", clusters=clusters, correction="CR1")
    expected = R["spline"] if clusters is None else R["spline_cluster"]
    check(fit, expected, ["male", "region24", "region53", "pm25"])


@pytest.mark.parametrize(
    ("family", "clusters", "name"),
    [
        ("poisson", None, "poisson"),
        ("poisson", AREAS["dep"], "poisson_cluster"),
        ("quasi-poisson", None, "quasi"),
    ],
)
def test_counts_with_an_offset_as_glm_in_r(family, clusters, name):
    fit = fit_glm(
        COUNTS, AREAS["observed"], family=family, offset=np.log(AREAS["expected"]), clusters=clusters, correction="CR1"
    )
    check(fit, R[name])
    assert fit.dispersion == pytest.approx(R["dispersion"], **TIGHT)


def test_negative_binomial_as_mass_in_r():
    offset = np.log(AREAS["expected"])
    fit = fit_glm(COUNTS, AREAS["observed"], family="negative-binomial", offset=offset)
    assert fit.theta == pytest.approx(R["negbin"]["theta"], rel=1e-8)
    check(fit, R["negbin"])
    robust = fit_glm(
        COUNTS, AREAS["observed"], family="negative-binomial", offset=offset, clusters=AREAS["dep"], correction="CR1"
    )
    check(robust, {**R["negbin"], "se": R["negbin"]["se_cluster"]})


def test_scaling_a_column_scales_its_coefficient_only():
    fit = fit_glm(LOGIT, PERSONS["case"], family="binomial")
    wide = fit_glm(LOGIT.assign(pm25=LOGIT["pm25"] * 1000), PERSONS["case"], family="binomial")
    assert wide.term("pm25")[0] * 1000 == pytest.approx(fit.term("pm25")[0], rel=1e-9)
    assert wide.term("age") == pytest.approx(fit.term("age"), rel=1e-9)


def test_a_negative_binomial_settles_when_counts_are_hardly_overdispersed():
    """Sizes in the thousands, where rounding is all that is left between two turns."""
    random = np.random.Generator(np.random.PCG64(8))
    settled = 0
    for _ in range(40):
        x, mean = random.normal(size=400), random.gamma(2, 20, 400)
        y = random.poisson(mean * random.gamma(2000, 1 / 2000, 400))
        try:
            fit = fit_glm(pd.DataFrame({"x": x}), y, family="negative-binomial", offset=np.log(mean))
        except EstimationError as error:
            assert "not overdispersed" in str(error)
            continue
        settled += fit.theta > 100
    assert settled > 10


def test_a_negative_binomial_is_of_whole_counts():
    with pytest.raises(EstimationError, match="not whole"):
        fit_glm(pd.DataFrame({"x": [0.0, 1, 2, 3]}), [1, 2, 3.5, 4], family="negative-binomial")


def test_counts_less_spread_than_poisson_have_no_negative_binomial():
    flat = pd.DataFrame({"x": np.arange(20.0)})
    with pytest.raises(EstimationError, match="overdispersed"):
        fit_glm(flat, [5, 6] * 10, family="negative-binomial")


def test_each_fault_of_a_design_is_named_all_at_once():
    design = pd.DataFrame(
        {
            "same": [1.0] * 6,
            "hole": [1.0, 2.0, np.nan, 3.0, 2.0, 2.5],
            "text": list("abcdef"),
            "tiny": np.arange(6) * 1e-9,
            "fine": [3.0, 1.0, 4.0, 1.0, 5.0, 9.0],
        }
    )
    with pytest.raises(EstimationError) as caught:
        check_design(design, [0, 1, 0, 1, 1, 0], model="the screen of 'fine'")
    told = str(caught.value)
    for words in ("'same' is constant", "'hole' is missing in 1 of 6", "'text' is", "'tiny' has a standard"):
        assert words in told
    assert "'fine' " not in told.split("reasons", 1)[1]


def test_collinear_columns_are_named_with_what_holds_them():
    rng = np.random.default_rng(3)
    design = pd.DataFrame(rng.normal(size=(30, 3)), columns=["a", "b", "c"])
    design["sum"] = 2 * design["a"] - design["c"]
    assert find_design_faults(design) == ("'sum' is a linear combination of 'a', 'c'",)
    regions = pd.get_dummies(pd.Series(list("xyz") * 10)).astype(float)
    assert "'z' is a linear combination of" in find_design_faults(regions)[0]
    assert find_design_faults(design[["a", "b", "c"]]) == ()


def test_an_index_beside_its_own_components_is_refused_though_rounding_hides_it():
    rng = np.random.default_rng(4)
    parts = pd.DataFrame(rng.normal(size=(300, 3)), columns=["income", "workers", "unemployment"])
    parts["index"] = (parts["workers"] + parts["unemployment"] - parts["income"]).round(3)
    told = find_design_faults(parts)
    assert told == ("'index' is nearly a linear combination of 'income', 'workers', 'unemployment'",)
    strong = pd.DataFrame({"a": parts["income"], "b": parts["income"] + 0.2 * parts["workers"]})
    assert find_design_faults(strong) == ()  # correlation 0.98: imprecise, and honest about it


def test_a_column_given_twice_is_refused():
    design = pd.DataFrame([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0], [0.0, 1.0]], columns=["a", "a"])
    assert find_design_faults(design) == ("'a' is there twice",)


def test_separation_by_one_column_is_said_before_fitting():
    x = pd.DataFrame({"near": [0.0, 0, 0, 0, 1, 1, 0, 0], "age": [1.0, 4, 2, 6, 3, 5, 5, 1]})
    faults = find_design_faults(x, [0, 1, 0, 1, 1, 1, 0, 0])
    assert faults == ("'near' = 1 holds only cases: its odds ratio is zero or infinite",)
    y = [0, 0, 0, 1, 1, 1, 1, 0]
    faults = find_design_faults(pd.DataFrame({"dose": [1.0, 2, 3, 4, 5, 6, 7, 0]}), y)
    assert "separates cases from controls" in faults[0]


def test_separation_by_several_columns_together_is_found_and_named():
    rng = np.random.default_rng(8)
    x = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "noise"])
    y = (x["a"] + x["b"] > 0).astype(int)
    assert find_design_faults(x, y) == ()
    with pytest.raises(EstimationError, match="separated by 'a', 'b'"):
        fit_glm(x, y, family="binomial")
    assert find_separation(LOGIT, PERSONS["case"]) == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"outcome": [0, 1, 2, 1, 0, 1], "family": "binomial"}, "not 0 and 1"),
        ({"outcome": [1, 1, 1, 1, 1, 1], "family": "poisson"}, "same in every row"),
        ({"outcome": [1, np.nan, 1, 2, 1, 1], "family": "poisson"}, "missing in 1"),
        ({"outcome": [1, -2, 1, 2, 1, 1], "family": "poisson"}, "negative"),
        ({"outcome": [1, 2], "family": "poisson"}, "2 values for 6 rows"),
        ({"offset": [0, 0, -np.inf, 0, 0, 0]}, "offset"),
        ({"clusters": ["a"] * 6}, "1 cluster"),
        ({"clusters": ["a", None, "b", "b", "a", "a"]}, "no cluster"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_the_reason(arguments, words):
    x = pd.DataFrame({"x": [1.0, 2, 3, 5, 4, 2]})
    given = {"outcome": [2, 3, 1, 4, 2, 2], "family": "poisson", **arguments}
    with pytest.raises(EstimationError, match=words):
        fit_glm(x, given.pop("outcome"), **given)


def test_too_few_rows_for_the_coefficients():
    x = pd.DataFrame({"a": [1.0, 2, 4], "b": [3.0, 1, 2]})
    assert find_design_faults(x) == ("3 rows for 3 coefficients",)


def test_splines_refuse_what_has_no_quantiles():
    for values, df in (([1, 1, 1, 2], 3), ([1.0, np.nan], 1), ([1, 2, 3], 0)):
        with pytest.raises(EstimationError):
            natural_spline(values, df=df)
    assert natural_spline([2.0, 4, 6], df=1)[:, 0] == pytest.approx([-np.sqrt(1.5), 0, np.sqrt(1.5)])


@pytest.mark.parametrize("family", ["poisson", "quasi-poisson", "negative-binomial"])
@pytest.mark.parametrize("clusters", [None, list("aabbccdd")])
def test_an_exposure_without_a_single_case_is_told_and_no_crash(family, clusters):
    exposed = pd.DataFrame({"plant": [0.0, 0, 0, 0, 0, 1, 1, 1], "age": [1.0, 2, 3, 4, 5, 2, 3, 4]})
    with pytest.raises(EstimationError, match="counts are zero wherever 'plant'"):
        fit_glm(exposed, [3, 19, 2, 1, 7, 0, 0, 0], family=family, clusters=clusters)


def test_zeros_on_both_sides_are_no_separation_of_counts():
    x = pd.DataFrame({"plant": [0.0, 0, 0, 1, 1, 1]})
    assert fit_glm(x, [0, 3, 1, 0, 0, 2], family="poisson").term("plant")[0] < 0
    assert find_separation(x, [0, 3, 1, 0, 0, 2], counts=True) == ()
    assert find_separation(x, [0, 3, 1, 0, 0, 0], counts=True) == ("plant",)


def test_a_city_that_holds_most_counts_does_not_hide_what_the_others_vary():
    # Against MASS::glm.nb(y ~ x + offset(log(e))), epsilon 1e-14; the city of 2,000 cases sits on its mean.
    y = np.array(
        [
            2000, 0, 2, 5, 0, 4, 1, 5, 3, 0, 0, 1, 1, 0, 1, 0, 4, 1, 1, 5,
            1, 0, 1, 0, 3, 7, 6, 0, 5, 7, 6, 1, 4, 1, 1, 4, 2, 6, 2, 6,
            0, 2, 1, 0, 2, 2, 2, 0, 3, 3, 1,
        ],
        float,
    )  # fmt: skip
    x = np.array(
        [
            0.294, 0.962, 0.928, 1.332, 0.806, -0.336, -0.054, 0.494, -0.31, 0.549,
            1.154, -0.801, -1.77, 1.194, 0.018, 0.709, -1.332, 1.733, 0.739, -0.126,
            -0.352, 0.114, -0.167, -0.279, -1.12, 1.263, -0.04, 0.075, 0.093, -2.358,
            0.527, -0.329, -0.289, 0.07, -0.972, 0.843, -0.696, -0.904, -0.862, 0.159,
            0.746, -0.595, -1.51, 1.062, -1.065, 1.195, -0.054, -0.698, -0.64, 0.462, 0.889,
        ],
        float,
    )  # fmt: skip
    offset = np.log(np.r_[2000.0, np.full(50, 3.0)])
    fit = fit_glm(pd.DataFrame({"x": x}), y, family="negative-binomial", offset=offset)
    assert fit.theta is not None and np.isclose(fit.theta, 1.979410933881, rtol=1e-8)
    assert np.allclose(fit.coefficients, [-0.277862215813, -0.153946981139], rtol=1e-8)
    assert np.allclose(fit.standard_errors, [0.135166393272, 0.154130819875], rtol=1e-6)


def test_counts_of_one_risk_with_a_city_have_no_negative_binomial():
    # A little less spread than Poisson around the city: the search further away finds nothing likelier.
    y, x = np.r_[2000.0, np.tile([2.0, 3, 4, 3], 12)], np.r_[0.5, np.tile([1.0, 2, 3, 5, 4, 6], 8)]
    with pytest.raises(EstimationError, match="not overdispersed"):
        fit_glm(pd.DataFrame({"x": x}), y, family="negative-binomial", offset=np.log(np.r_[2000.0, np.full(48, 3.0)]))
