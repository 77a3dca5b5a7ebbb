"""Errors of predicted curves over clusters: derivatives by weight, whatever the unit of weights, and their coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from epi.survival import build_survival, fit_cox, fit_fine_gray

SIZE, CLUSTERS = 60, 15
PROFILES = pd.DataFrame({"x": [0.5, -1.0], "g": [1, 0]}, index=["p", "q"])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    drawn = pd.DataFrame({
        "entry": rng.integers(0, 8, SIZE), "stay": rng.integers(1, 20, SIZE), "d": rng.integers(0, 3, SIZE),
        "w": rng.uniform(0.5, 3, SIZE), "c": np.arange(SIZE) % CLUSTERS, "x": rng.normal(size=SIZE),
        "g": rng.integers(0, 2, SIZE), "s": rng.choice(["a", "b"], SIZE),
    })  # fmt: skip
    return drawn.assign(exit=drawn["entry"] + drawn["stay"])


def predict(
    table: pd.DataFrame, weight: pd.Series, kind: str, ties: Any, strata: str | None, **more: Any
) -> pd.DataFrame:
    data = build_survival(table.assign(w=weight), entry="entry", exit="exit", event="d", causes={1: "a", 2: "b"},
                          weight="w", cluster="c", covariates=["x", "g", "s"])  # fmt: skip
    if kind == "cox":
        model = fit_cox(data, ["x", "g"], cause="a", ties=ties, strata=strata)
        return model.predict_survival(PROFILES, at_years=[0.03, 0.05], **more).table
    fine = fit_fine_gray(data, ["x", "g"], cause="a", ties=ties, strata=strata)
    return fine.predict_incidence(PROFILES, at_years=[0.03, 0.05]).table


@pytest.mark.parametrize("kind", ["cox", "fine-gray"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("strata", [None, "s"])
def test_errors_are_derivatives_by_weight_summed_over_clusters(
    table: pd.DataFrame, kind: str, ties: str, strata: str | None
) -> None:
    more = {"from_years": 0.02} if kind == "cox" else {}
    found = predict(table, table["w"], kind, ties, strata, **more)
    squares = np.zeros(len(found))
    for cluster in range(CLUSTERS):
        ends = [
            predict(table, table["w"] * (1 + step * (table["c"] == cluster)), kind, ties, strata, **more)["hazard"]
            for step in (1e-5, -1e-5)
        ]
        squares += ((ends[0] - ends[1]) / 2e-5).to_numpy() ** 2
    np.testing.assert_allclose(found["hazard_se"], np.sqrt(squares), rtol=1e-7)


def test_limits_do_not_know_the_unit_of_weights(table: pd.DataFrame) -> None:
    """They shrank with it: the baseline took a weight of 1,000 for a thousand persons."""
    once, often = (predict(table, table["w"] * unit, "cox", "efron", None) for unit in (1, 1000))
    np.testing.assert_allclose(once[["se", "ci_low", "ci_high"]], often[["se", "ci_low", "ci_high"]], rtol=1e-8)
    data = build_survival(table, entry="entry", exit="exit", event="d", causes={1: "a", 2: "b"}, weight="w",
                          covariates=["x"])  # fmt: skip
    heavy = build_survival(table.assign(w=table["w"] * 1000), entry="entry", exit="exit", event="d",
                           causes={1: "a", 2: "b"}, weight="w", covariates=["x"])  # fmt: skip
    first, second = (fit_cox(part, ["x"], cause="a").baseline()["se"] for part in (data, heavy))
    np.testing.assert_allclose(first, second, rtol=1e-8)


def test_limits_hold_the_truth_where_clusters_share_a_risk() -> None:
    """Over 250 samples 96 of 100 do, where the naive ones held it in 78; here 60 of them."""
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(9000 + seed)
        cluster = np.repeat(np.arange(40), 25)
        risk = rng.normal(0, 0.5, 40)[cluster]
        life = np.ceil(rng.exponential(1000 * np.exp(-risk))).astype(int)
        end = rng.integers(200, 2000, len(cluster))
        seen = pd.DataFrame({"exit": np.minimum(life, end), "d": (life <= end).astype(int), "c": cluster,
                             "z": rng.normal(size=len(cluster))})  # fmt: skip
        data = build_survival(seen, exit="exit", event="d", cluster="c", covariates=["z"])
        row = fit_cox(data, ["z"]).predict_survival(pd.DataFrame({"z": [0.0]}), at_years=[1]).table.iloc[0]
        # The mean over clusters of surviving a year.
        nodes, weights = np.polynomial.hermite_e.hermegauss(40)
        truth = float(weights @ np.exp(-365 / (1000 * np.exp(-0.5 * nodes))) / weights.sum())
        held += int(row["ci_low"] <= truth <= row["ci_high"])
    assert held >= 53
