"""Flexible parametric models against survreg, a likelihood written out in R, lifelines, and plain differences."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import EstimationError, ParameterError
from epi.survival import (
    FlexibleModel,
    SurvivalData,
    build_survival,
    estimate_survival,
    find_common_window,
    fit_cox,
    fit_flexible,
    split_lexis,
)

FOLDER = Path(__file__).parents[1] / "oracle"
FIXTURE = json.loads((FOLDER / "flexible.json").read_text())
SETS = {
    name: pd.DataFrame(columns)
    for name, columns in json.loads((FOLDER / "survival_curves.json").read_text())["sets"].items()
}


def follow(case: dict[str, Any], entry: str | None = None) -> SurvivalData:
    table = SETS[case["set"]].iloc[:: case.get("every", 1)].reset_index(drop=True)
    table = table.assign(died=(table["event"] > 0).astype(int), group=table[case["x"]])
    return build_survival(
        table, entry=entry, exit="exit", event="died", weight="weight" if case.get("weight") else None,
        cluster="cluster" if case.get("cluster") else None, covariates=["group"],
    )  # fmt: skip


def fit(data: SurvivalData, **options: Any) -> FlexibleModel:
    column = data.column("group")
    return fit_flexible(
        data, ["group"], reference=None if column.dtype.kind in "fi" else {"group": min(column)}, **options
    )


@pytest.mark.parametrize(
    "case", FIXTURE["weibull"], ids=lambda case: f"{case['set']}-{case['weight']}-{case['cluster']}"
)
def test_one_degree_of_freedom_is_weibull_of_survreg(case: dict[str, Any]) -> None:
    found = fit(follow(case), df=1)
    np.testing.assert_allclose(found.parameters, case["parameters"], rtol=1e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), case["se"], rtol=1e-6)
    if not case["weight"]:
        assert found.loglik == pytest.approx(case["loglik"], rel=1e-10)


@pytest.mark.parametrize("case", FIXTURE["royston"], ids=lambda case: f"{case['set']}-{case['df']}-{case['tv']}")
def test_splines_with_late_entry_equal_r(case: dict[str, Any]) -> None:
    found = fit(follow(case, "entry"), df=case["df"], time_varying={"group": case["tv"]} if case["tv"] else None)
    assert found.loglik == pytest.approx(case["loglik"], rel=1e-10)
    error = np.asarray(case["se"])
    # A flat likelihood is climbed to a thousandth of a standard error by R's search, and much nearer by ours.
    np.testing.assert_allclose(found.parameters, case["parameters"], atol=1e-3 * error.min(), rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), error, rtol=1e-3)


def test_late_entry_changes_the_fixture() -> None:
    case = FIXTURE["royston"][0]
    late, at_birth = fit(follow(case, "entry"), df=3), fit(follow(case), df=3)
    assert abs(late.parameters.iloc[-1] - at_birth.parameters.iloc[-1]) > 0.02


def plain(model: FlexibleModel, theta: np.ndarray, step: float = 1e-6) -> float:
    """Write the likelihood out row by row, the hazard by a difference of cumulative hazards."""
    data, total = model.data, 0.0
    x = np.column_stack(model.terms.columns(data.covariates))
    knots = model.knots[""]

    def cumulative(year: float, row: np.ndarray) -> float:
        u = np.log(year)
        value = theta[0] + theta[1] * u + row @ theta[len(knots) :]
        for at, knot in enumerate(knots[1:-1]):
            share = (knots[-1] - knot) / (knots[-1] - knots[0])
            cubes = [max(u - end, 0) ** 3 for end in (knot, knots[0], knots[-1])]
            value += theta[2 + at] * (cubes[0] - share * cubes[1] - (1 - share) * cubes[2])
        return float(np.exp(value))

    for at in range(len(data)):
        start, stop = data.entry[at] / 365.25, data.exit[at] / 365.25
        total -= data.weights[at] * (cumulative(stop, x[at]) - (cumulative(start, x[at]) if start > 0 else 0))
        if data.event[at]:
            up, down = cumulative(stop * (1 + step), x[at]), cumulative(stop * (1 - step), x[at])
            total += data.weights[at] * np.log((up - down) / (2 * step * stop))
    return total


def test_nothing_near_is_more_likely() -> None:
    """At the maximum the plain likelihood has the same value, no slope, and a bend that gives the errors."""
    model = fit(follow({"set": "lung", "x": "sex", "every": 3}), df=2)
    best = model.parameters.to_numpy()
    assert plain(model, best) == pytest.approx(model.loglik, rel=1e-8)
    error = np.sqrt(np.diag(model.covariance))
    size, width = len(best), 1e-3
    bend = np.zeros((size, size))
    shift = np.eye(size) * width * error
    for i in range(size):
        slope = (plain(model, best + shift[i]) - plain(model, best - shift[i])) / (2 * width)
        assert abs(slope) < 1e-3
        for j in range(i + 1):
            four = [plain(model, best + a * shift[i] + b * shift[j]) for a in (1, -1) for b in (1, -1)]
            bend[i, j] = bend[j, i] = (four[0] - four[1] - four[2] + four[3]) / (4 * shift[i, i] * shift[j, j])
    np.testing.assert_allclose(
        np.linalg.inv(-bend), model.covariance, rtol=0.02, atol=1e-3 * np.outer(error, error).min()
    )


def test_lifelines_weibull_with_entry_and_weights_agrees() -> None:
    from lifelines import WeibullAFTFitter

    table = SETS["pbc"].assign(x=lambda frame: (frame["sex"] == "f").astype(int), died=lambda frame: frame["event"] > 0)
    data = build_survival(table, entry="entry", exit="exit", event="died", weight="weight", covariates=["x"])
    ours = fit_flexible(data, ["x"], df=1)
    years = table.assign(exit=table["exit"] / 365.25, entry=table["entry"] / 365.25)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = WeibullAFTFitter().fit(
            years[["entry", "exit", "died", "weight", "x"]], "exit", "died", entry_col="entry", weights_col="weight"
        )
    shape = np.exp(theirs.params_["rho_"]["Intercept"])
    assert ours.parameters["spline 1"] == pytest.approx(shape, rel=1e-3)
    assert ours.parameters["x"] == pytest.approx(-theirs.params_["lambda_"]["x"] * shape, rel=2e-3)
    assert ours.loglik >= theirs.log_likelihood_ - 1e-9


def test_ratios_are_near_those_of_cox_and_survival_near_kaplan_meier() -> None:
    data = follow({"set": "lung", "x": "sex"})
    model, cox = fit(data, df=4), fit_cox(data, ["group"])
    assert model.table["coef"].item() == pytest.approx(cox.table["coef"].item(), abs=0.01)
    assert model.table["se"].item() == pytest.approx(cox.table["se"].item(), rel=0.02)
    for sex in (1, 2):
        part = data.select((data.column("group") == sex).to_numpy())
        alone = fit_flexible(part, df=4)
        curve = estimate_survival(part).at([0.5, 1, 1.5], "years")
        told = alone.predict_survival(pd.DataFrame(index=["all"]), [0.5, 1, 1.5])
        # Kaplan and Meier's curve is itself known to its standard error only.
        assert (np.abs(told["survival"] - curve["survival"]) < curve["se"]).all()
        assert (told["ci_low"] < told["survival"]).all()
        assert (told["survival"] < told["ci_high"]).all()


def test_predictions_hang_together() -> None:
    data = follow({"set": "pbc", "x": "sex"}, "entry")
    model = fit(data, df=3, time_varying={"group": 2})
    women, men = pd.DataFrame({"group": ["f"]}, index=["f"]), pd.DataFrame({"group": ["m"]}, index=["m"])
    at = [45.0, 55.0, 65.0]
    hazards = [model.predict_hazard(who, at, per=1)["hazard"].to_numpy() for who in (women, men)]
    ratio = model.predict_ratio(men, women, at)
    np.testing.assert_allclose(ratio["hazard_ratio"], hazards[1] / hazards[0], rtol=1e-12)
    # The survival's slope is the hazard.
    times = np.array([54.99, 55.0, 55.01])
    curve = -np.log(model.predict_survival(women, times)["survival"].to_numpy())
    assert (curve[2] - curve[0]) / 0.02 == pytest.approx(hazards[0][1], rel=1e-4)
    later = model.predict_survival(women, [60], from_years=50)["survival"].item()
    whole = model.predict_survival(women, [50, 60])["survival"]
    assert later == pytest.approx(whole[1] / whole[0], rel=1e-12)
    assert model.tests["test"].tolist() == ["group", "group: change with time"]
    assert "nobody is at risk before" in str(model)
    with pytest.raises(EstimationError, match="nobody is followed"):
        model.predict_survival(women, [99])
    with pytest.raises(EstimationError, match="nobody is followed"):
        model.predict_survival(women, [50], from_years=5)
    with pytest.raises(ParameterError, match="before the start"):
        model.predict_survival(women, [40], from_years=50)
    with pytest.raises(ParameterError, match="changes with time"):
        model.release()


def test_pieces_and_order_change_nothing() -> None:
    case = {"set": "lung", "x": "sex", "weight": True, "cluster": True}
    data = follow(case)
    whole = fit(data, df=3)
    table = SETS["lung"].sample(frac=1, random_state=4).reset_index(drop=True)
    table = table.assign(died=(table["event"] > 0).astype(int), group=table["sex"])
    shuffled = build_survival(
        table, exit="exit", event="died", weight="weight", cluster="cluster", covariates=["group"]
    )
    again = fit(shuffled, df=3)
    assert whole.parameters.tolist() == again.parameters.tolist()
    assert whole.covariance.tolist() == again.covariance.tolist()
    cut = fit(split_lexis(data, since=[0.5, 1]), df=3)
    np.testing.assert_allclose(cut.parameters, whole.parameters, rtol=1e-6)
    np.testing.assert_allclose(np.diag(cut.covariance), np.diag(whole.covariance), rtol=1e-6)


def test_a_common_window_is_kept_to() -> None:
    rng = np.random.default_rng(5)
    size = 800
    table = pd.DataFrame({"entry": rng.integers(0, 9000, size), "era": rng.choice(["after", "before"], size)})
    table.loc[table["era"] == "before", "entry"] += 4000
    table["exit"] = table["entry"] + rng.integers(1, 4000, size)
    table["died"] = rng.integers(0, 2, size)
    data = build_survival(table, entry="entry", exit="exit", event="died", scale="age")
    window = find_common_window(data, "era")
    model = fit_flexible(window.inside, ["era"], reference={"era": "before"}, df=2)
    profile = pd.DataFrame({"era": ["after"]})
    told = model.predict_survival(profile, [window.low / 365.25 + 0.01, window.high / 365.25 - 1])
    assert told["survival"].iloc[0] == pytest.approx(1, abs=0.01)
    with pytest.raises(EstimationError, match="never seen"):
        model.predict_survival(profile, [1])


def test_refusals_and_the_gate() -> None:
    data = follow({"set": "lung", "x": "sex"})
    for options, words in (({"df": 0}, "df is 0"), ({"time_varying": {"age": 2}}, "time_varying names age")):
        with pytest.raises(ParameterError, match=words):
            fit(data, **options)
    with pytest.raises(EstimationError, match="events on"):
        fit(data.select(np.arange(6)), df=3)
    early = build_survival(pd.DataFrame({"a": [-5, 0], "b": [9, 9], "d": [1, 1]}), entry="a", exit="b", event="d")
    with pytest.raises(ParameterError, match="before time zero"):
        fit_flexible(early)
    alike = build_survival(SETS["lung"].assign(died=SETS["lung"]["event"], twice=SETS["lung"]["sex"] * 2), exit="exit",
                           event="died", covariates=["sex", "twice"])  # fmt: skip
    with pytest.raises(EstimationError, match="combinations of each other"):
        fit_flexible(alike, ["sex", "twice"])
    for lang, words in (("fr", "Modèle paramétrique flexible"), ("en", "Flexible parametric model")):
        chart = fit(data, df=3).chart(lang=lang)  # type: ignore[arg-type]
        decision = check_release(chart.release(), read_policy())
        assert not decision.refused
        assert words in chart.release().note
        chart.figure(decision.table)


def test_a_cumulative_hazard_that_falls_between_events_is_refused() -> None:
    generator = np.random.default_rng(0)
    died = np.concatenate([generator.integers(300, 700, 60), generator.integers(4000, 4400, 40)])
    left = generator.integers(800, 3900, 300)
    frame = pd.DataFrame({"exit": np.concatenate([died, left]), "died": np.repeat([1, 0], [100, 300])})
    with pytest.raises(EstimationError, match="falls where somebody is followed"):
        fit_flexible(build_survival(frame, exit="exit", event="died"), df=4)
