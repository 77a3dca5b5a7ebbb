"""Models of a subdistribution against R's finegray with coxph, and against cmprsk's crr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cox_cases import close
from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, EpiError, EstimationError, ParameterError
from epi.survival import FineGrayModel, SurvivalData, build_survival, fit_fine_gray

FIXTURE = json.loads((Path(__file__).parents[1] / "oracle" / "fine_gray.json").read_text())
SETS = {name: pd.DataFrame(columns) for name, columns in FIXTURE["sets"].items()}


def follow(case: dict[str, Any]) -> SurvivalData:
    table = SETS[case["set"]]
    return build_survival(
        table, exit="exit" if case["entry"] else "time", event="event", entry="entry" if case["entry"] else None,
        causes={1: "1", 2: "2", 3: "3"} if case["set"] == "transplant" else {1: "1", 2: "2"},
        weight="weight" if case["weight"] else None, cluster="cluster" if case["cluster"] else None,
        strata=case["strata"], covariates=case["x"],
    )  # fmt: skip


def fit(case: dict[str, Any]) -> FineGrayModel:
    return fit_fine_gray(follow(case), case["x"], cause=str(case["cause"]), method=case["method"], ties=case["ties"])


def named(case: dict[str, Any]) -> str:
    crossed = [key for key in ("entry", "weight", "cluster") if case[key]]
    return "-".join(
        [case["set"], str(case["cause"]), case["ties"], *crossed, *([case["strata"]] if case["strata"] else [])]
    )


@pytest.mark.parametrize("case", FIXTURE["finegray"], ids=named)
def test_weighted_model_equals_finegray_with_coxph(case: dict[str, Any]) -> None:
    found = fit(case)
    close(found.coefficients, case["coef"])
    close(found.table["se"], case["se"])
    close(np.sqrt(np.diag(found.naive_covariance)), case["naive"])
    close([found.loglik_null, found.loglik], case["loglik"])
    tests = found.tests.set_index("test")["statistic"]
    close(tests["wald"], case["wald"])
    close(tests["robust score"], case["rscore"])
    assert list(tests.index) == ["wald", "robust score"]


@pytest.mark.parametrize("case", [case for case in FIXTURE["finegray"] if "curves" in case], ids=named)
def test_predicted_incidence_equals_survfit_of_the_weighted_model(case: dict[str, Any]) -> None:
    profiles, curves = pd.DataFrame(case["profiles"]), case["curves"]
    table = fit(case).predict_incidence(profiles, at_years=np.asarray(curves["time"]) / 365.25).table
    for at, name in enumerate(map(str, profiles.index)):
        mine = table[table["profile"] == name]
        theirs = {key: np.asarray(curves[key], dtype=float)[:, at] for key in ("incidence", "se", "low", "high")}
        close(mine["incidence"], theirs["incidence"])
        close(mine["se"], theirs["se"])
        moved = theirs["incidence"] > 0
        close(mine["ci_low"][moved], theirs["low"][moved])
        close(mine["ci_high"][moved], theirs["high"][moved])


@pytest.mark.parametrize("case", FIXTURE["crr"], ids=named)
def test_own_estimator_equals_crr(case: dict[str, Any]) -> None:
    found = fit(case)
    close(found.coefficients, case["coef"], 1e-9)
    close(found.table["se"], case["se"], 1e-9)
    close([found.loglik_null, found.loglik], case["loglik"])
    profile = pd.DataFrame([dict(zip(case["x"], case["profile"], strict=True))])
    curve = found.predict_incidence(profile, at_years=np.asarray(case["times"]) / 365.25).table
    close(curve["incidence"], case["incidence"])
    assert curve["ci_low"].isna().all()
    assert found.settings["method"] == "crr"


def test_fixtures_change_with_what_they_cross() -> None:
    def one(**wanted: Any) -> dict[str, Any]:
        basis = {"set": "ties", "ties": "efron", "entry": True, "weight": False, "cluster": False, "strata": None}
        return next(c for c in FIXTURE["finegray"] if all(c[k] == v for k, v in {**basis, **wanted}.items()))

    whole = one()
    for change in ({"entry": False}, {"ties": "breslow"}, {"weight": True}, {"strata": "group"}):
        assert abs(one(**change)["coef"][0] - whole["coef"][0]) > 1e-3, change
    assert abs(one(cluster=True)["se"][0] - whole["se"][0]) > 1e-4
    crr = next(c for c in FIXTURE["crr"] if c["set"] == "mgus2" and c["cause"] == 1)
    weighted = next(c for c in FIXTURE["finegray"] if c["set"] == "mgus2" and c["x"] == crr["x"])
    # The two methods are not one: small in the coefficients, more in the standard errors.
    assert np.abs(np.subtract(crr["coef"], weighted["coef"])).max() > 1e-6
    assert np.abs(np.subtract(crr["se"], weighted["se"])).max() > 1e-6


def random_table(seed: int, size: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = rng.choice([0, 0, 0, 1, 2, 3], size)
    return pd.DataFrame({
        "entry": entry, "exit": entry + rng.integers(2, 14, size), "event": rng.choice([0, 1, 1, 2], size),
        "a": rng.normal(size=size).round(2), "b": rng.integers(0, 2, size), "cluster": rng.integers(0, 25, size),
        "weight": rng.integers(1, 5, size) / 2, "who": np.arange(size),
    })  # fmt: skip


def model(table: pd.DataFrame, **options: Any) -> FineGrayModel:
    data = build_survival(
        table, entry="entry", exit="exit", event="event", causes={1: "ill", 2: "dead"}, weight="weight",
        cluster="cluster", person="who", covariates=["a", "b"],
    )  # fmt: skip
    return fit_fine_gray(data, ["a", "b"], cause="ill", **options)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_splits_and_units_change_nothing(seed: int) -> None:
    table = random_table(seed)
    basis = model(table)
    pd.testing.assert_frame_equal(model(table.sample(frac=1, random_state=seed)).table, basis.table, check_exact=True)
    cut = table["entry"] + 1
    pieces = pd.concat([table.assign(exit=cut, event=0), table.assign(entry=cut)])
    split = model(pieces)
    close(split.coefficients, basis.coefficients)
    close(split.table["se"], basis.table["se"])
    other = model(table.assign(a=40 + table["a"] / 8))
    close(other.coefficients, basis.coefficients * [8, 1], 1e-7)
    close(other.table["se"], basis.table["se"] * [8, 1], 1e-7)


def test_published_ratios_and_incidences() -> None:
    table = pd.concat([random_table(1, 900), random_table(2, 900)], ignore_index=True)
    data = build_survival(
        table.assign(exit=table["exit"] * 300, entry=table["entry"] * 300), entry="entry", exit="exit", event="event",
        causes={1: "ill", 2: "dead"},
    )  # fmt: skip
    found = fit_fine_gray(data, ["a", "b"], cause="ill")
    assert "subdistribution of ill" in str(found)
    chart = found.chart(lang="fr")
    decision = check_release(chart.release(), read_policy())
    assert not decision.refused and not decision.n_hidden
    assert decision.table["events"].iloc[0] == (table["event"] == 1).sum()
    assert "SHR" in chart.release().labels.values()
    assert chart.figure(decision.table) is not None
    curves = found.predict_incidence(pd.DataFrame({"a": [0.0, 0.0], "b": [0, 1]}, index=["without", "with"]))
    shown = curves.chart(lang="fr")
    release = check_release(shown.release(), read_policy())
    assert not release.refused and not release.n_hidden
    assert {"competing", "incidence_with", "ci_low_with"} <= set(release.table)
    assert shown.release().title == "Incidence cumulée prédite de ill"
    assert shown.figure(release.table).axes[0].get_ylim()[1] > release.table["incidence_with"].max()


def test_what_cannot_be_fitted_is_told() -> None:
    table = random_table(5)

    def data(table: pd.DataFrame, **more: Any) -> SurvivalData:
        causes = {1: "ill", 2: "dead"}
        return build_survival(table, exit="exit", event="event", causes=causes, covariates=["a", "b"], **more)

    with pytest.raises(ParameterError) as told:
        fit_fine_gray(
            data(table, entry="entry", weight="weight", cluster="cluster", strata="b"), ["a"], cause="ill",
            method="crr", ties="efron",
        )  # fmt: skip
    assert len(told.value.faults) == 5
    with pytest.raises(EpiError, match="no competing event"):
        fit_fine_gray(data(table[table["event"] < 2]), ["a"], cause="ill")
    with pytest.raises(EpiError, match="no event of ill"):
        fit_fine_gray(data(table[table["event"] != 1]), ["a"], cause="ill")
    with pytest.raises(ParameterError, match="only cause"):
        fit_fine_gray(data(table).any_cause("death"), ["a"], cause="death")
    with pytest.raises(ParameterError, match="method is 'other'"):
        fit_fine_gray(data(table), ["a"], cause="ill", method="other")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="no cause 'relapse'"):
        fit_fine_gray(data(table), ["a"], cause="relapse")
    with pytest.raises(EstimationError, match="linear combination"):
        both = build_survival(table.assign(c=2 * table["a"]), exit="exit", event="event", causes={1: "ill", 2: "dead"})
        fit_fine_gray(both, ["a", "c"], cause="ill")
    rows = pd.DataFrame({"entry": [0, 4, 0, 6, 0, 0], "exit": [4, 9, 5, 8, 7, 8], "event": [1, 2, 0, 1, 2, 1],
                         "who": [1, 1, 2, 2, 3, 4], "a": [1, 2, 3, 4, 2, 1], "b": 0})  # fmt: skip
    with pytest.raises(DataError) as gaps:
        fit_fine_gray(data(rows, entry="entry", person="who"), ["a"], cause="ill")
    assert len(gaps.value.faults) == 2
    # Everybody of the first days is gone before the others come: nothing tells the chance of having entered.
    empty = pd.DataFrame({"entry": [0, 0, 0, 9, 9, 9], "exit": [3, 4, 5, 12, 13, 14], "event": [2, 1, 0, 1, 2, 1],
                          "a": [1, 2, 3, 2, 1, 3], "b": 0})  # fmt: skip
    with pytest.raises(EstimationError, match="chance of having entered is zero"):
        fit_fine_gray(data(empty, entry="entry"), ["a"], cause="ill")
