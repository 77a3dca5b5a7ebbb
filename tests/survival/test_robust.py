"""Robust variances where a group or a value lies in one cluster: nothing is known, and nothing is claimed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from epi.errors import EstimationError
from epi.stats.models import fit_glm
from epi.survival import (
    SurvivalData,
    build_survival,
    check_quasi_independence,
    compare_rmst,
    compare_survival,
    estimate_cumulative_hazard,
    estimate_cumulative_incidence,
    estimate_rates,
    estimate_rmst,
    estimate_smr,
    estimate_survival,
    fit_cox,
    fit_excess,
    fit_fine_gray,
    fit_flexible,
    fit_rates,
    life_table,
    standardise_survival,
)

ROWS = 600


def follow(clusters: int, **columns: Any) -> SurvivalData:
    """Persons without effect of anything: group `b` and `ward` 0 are all of cluster 0."""
    rng = np.random.default_rng(7)
    cluster = rng.integers(0, clusters, ROWS)
    stay = 1 + rng.exponential(1500, ROWS).astype(int)
    table = pd.DataFrame({
        "start": pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 500, ROWS), unit="D"),
        "zero": pd.Timestamp("1990-01-01"), "born": pd.Timestamp("1950-06-15"), "sex": "F",
        "what": np.where(stay > 1800, 0, rng.integers(1, 3, ROWS)), "cluster": cluster,
        "group": np.where(cluster == 0, "b", "a"), "ward": (cluster > 0).astype(int), "z": rng.normal(size=ROWS),
    }).assign(**columns)  # fmt: skip
    table["end"] = table["start"] + pd.to_timedelta(np.minimum(stay, 1800), unit="D")
    return build_survival(table, entry="start", exit="end", event="what", causes={1: "death", 2: "other"},
                          origin="zero", birth="born", cluster="cluster")  # fmt: skip


def limits(table: pd.DataFrame, group: str = "b") -> pd.DataFrame:
    return table.loc[table["group"] == group, ["ci_low", "ci_high"]]


@pytest.mark.parametrize(
    "estimate",
    [
        lambda data: estimate_survival(data, by="group"),
        lambda data: estimate_cumulative_hazard(data, by="group"),
        lambda data: estimate_cumulative_incidence(data, by="group"),
        lambda data: estimate_rmst(data, 1500, by="group", start=500),
        lambda data: estimate_rates(data, by="group"),
        lambda data: estimate_smr(data, life_table("France"), by="group"),
        lambda data: check_quasi_independence(data, by="group"),
    ],
    ids=["survival", "hazard", "incidence", "mean", "rates", "mortality", "entry and exit"],
)
def test_a_group_in_one_cluster_has_no_limits(estimate: Callable[[SurvivalData], Any]) -> None:
    found = estimate(follow(30))
    assert limits(found.table, "b").isna().all(axis=None)
    other = limits(found.table, "a").dropna()
    assert len(other)
    assert (other["ci_low"] < other["ci_high"]).all()
    assert any("in one cluster" in note or "too few clusters" in note for note in found.notes)


def test_contrasts_with_such_a_group_are_missing() -> None:
    table = compare_rmst(follow(30), 1500, "group", start=500).table.set_index("group")
    assert table.loc["b", ["difference_low", "difference_high", "difference_p", "ratio_low", "ratio_p"]].isna().all()
    assert np.isfinite(table.loc["b", "difference"])


def test_no_p_value_of_entry_and_exit_in_one_cluster() -> None:
    found = check_quasi_independence(follow(30), by="group").table.set_index("group")
    assert np.isnan(found.loc["b", "p"])
    assert np.isfinite(found.loc["a", "p"])


MODELS: dict[str, Callable[[SurvivalData, list[str]], Any]] = {
    "cox": lambda data, names: fit_cox(data, names, cause="death"),
    "fine-gray": lambda data, names: fit_fine_gray(data, names, cause="death"),
    "flexible": lambda data, names: fit_flexible(data, names, cause="death", df=2),
    "excess": lambda data, names: fit_excess(data, life_table("France"), names),
    "rates": lambda data, names: fit_rates(data, names, cause="death"),
}


@pytest.mark.parametrize("model", MODELS)
def test_a_value_in_one_cluster_has_a_ratio_without_limits(model: str) -> None:
    """With thirty clusters, one of them exposed, CR2 gave limits of 0.60 to 0.70 where nothing has an effect."""
    fit = MODELS[model]
    table = fit(follow(30), ["ward", "z"]).table.set_index("term")
    assert table.loc["ward", ["ci_low", "ci_high", "p"]].isna().all()
    assert np.isfinite(table.loc["ward", "coef"])
    # What varies within clusters keeps its limits.
    assert np.isfinite(table.loc["z", ["ci_low", "ci_high", "p"]].astype(float)).all()
    with pytest.raises(EstimationError, match=r"(one|1) cluster"):
        fit(follow(1), ["z"])
    assert np.isfinite(fit(follow(30), ["z"]).table["p"]).all()


RNG = np.random.default_rng(11)
CASES: dict[str, Callable[[NDArray[np.int64]], dict[str, Any]]] = {
    "a measurement in one cluster": lambda c: {"x": np.where(c == 0, RNG.normal(size=ROWS), 0.0)},
    "a number of clusters, one far out": lambda c: {"x": np.where(c == 0, 10.0, 0.001 * (c % 20))},
    "one cluster and a person more": lambda c: {"x": ((c == 0) | (np.arange(ROWS) == 7)).astype(float)},
    "two clusters": lambda c: {"x": np.isin(c, [0, 1]).astype(float)},
    "one beyond another": lambda c: {"y": np.isin(c, [0, 1]).astype(float), "x": np.isin(c, [0, 1, 2]).astype(float)},
    "three pairs of three": lambda c: {
        name: np.isin(c, pair).astype(float) for name, pair in (("x", [0, 1]), ("y", [0, 2]), ("v", [1, 2]))
    },
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("model", ["cox", "flexible", "excess"])
def test_no_limits_where_all_that_is_known_lies_in_few_clusters(case: str, model: str) -> None:
    cluster = follow(30).cluster
    assert cluster is not None
    columns = CASES[case](cluster)
    found = MODELS[model](follow(30, **columns), ["z", *columns])
    table = found.table.set_index("term")
    assert np.isnan(table.loc["x", "se"])
    assert any("too few clusters" in note for note in found.notes)
    assert np.isfinite(table.loc["z", "se"])
    if model == "cox":
        profile = pd.DataFrame({name: [0.0] for name in ["z", *columns]})
        assert found.predict_survival(profile, at_years=[3]).table[["ci_low", "ci_high"]].isna().all(axis=None)


def test_a_person_of_great_weight_is_a_cluster() -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"exit": rng.integers(1, 900, 300), "d": rng.integers(0, 2, 300), "x": rng.normal(size=300),
                          "w": 1.0})  # fmt: skip
    table.loc[5, ["w", "d"]] = 1e5, 1
    model = fit_cox(build_survival(table, exit="exit", event="d", weight="w"), ["x"])
    assert np.isnan(model.table["se"].item())
    assert "too few persons" in str(model)


def test_hospitals_as_covariates_and_as_clusters_leave_what_varies_within_them() -> None:
    cluster = follow(30).cluster
    assert cluster is not None
    named = follow(30, hospital=[f"h{number}" for number in cluster])
    table = fit_cox(named, ["z", "hospital"], reference={"hospital": "h1"}, cause="death").table.set_index("term")
    assert np.isfinite(table.loc["z", "se"])
    assert table.drop(index="z")["se"].isna().all()


@pytest.mark.parametrize("model", ["cox", "fine-gray", "flexible", "excess"])
def test_models_say_that_clusters_are_few(model: str) -> None:
    words = "12 clusters: a robust variance of so few is too small"
    assert any(words in note for note in MODELS[model](follow(12), ["z"]).notes)
    assert MODELS[model](follow(2), ["z"]).table["se"].isna().all()


def test_a_robust_test_needs_more_clusters_than_degrees_of_freedom() -> None:
    """Of one cluster the chi-square was 1.000 whatever happened, of as many as degrees of freedom their number."""
    with pytest.raises(EstimationError, match="a robust test of 2 groups cannot be made of 1 cluster"):
        compare_survival(follow(1, group=np.resize(["a", "b"], ROWS)), "group")
    with pytest.raises(EstimationError, match="3 clusters or more"):
        compare_survival(follow(2, group=np.resize(["a", "b", "c"], ROWS)), "group")
    few = compare_survival(follow(12, group=np.resize(["a", "b"], ROWS)), "group")
    assert "12 clusters" in str(few)
    assert 0 < few.p < 1


def test_a_coefficient_that_one_cluster_determines_has_no_degrees_of_freedom() -> None:
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(20), 30)
    design = pd.DataFrame({"one": (cluster == 4).astype(float), "all": rng.normal(size=600)})
    for correction in ("CR2", "CR1"):
        fit = fit_glm(design, rng.poisson(2, 600), family="poisson", clusters=cluster, correction=correction)  # type: ignore[arg-type]
        assert fit.degrees_of("one") == 0
        assert fit.degrees_of("all") > 10
        assert np.isnan(fit.wald(["one", "all"]).p)
        assert np.isfinite(fit.wald(["all"]).p)
    # A set of its own in each cluster is no matter to what varies within them.
    sets = pd.get_dummies(cluster, drop_first=True, dtype=float).add_prefix("set").assign(all=design["all"])
    within = fit_glm(sets, rng.poisson(2, 600), family="poisson", clusters=cluster)
    assert within.degrees_of("all") > 10
    assert within.degrees_of("set3") == 0


def test_standardised_rates_of_an_age_in_one_cluster_have_no_limits() -> None:
    rng = np.random.default_rng(5)
    table = pd.DataFrame({
        "born": pd.to_datetime(rng.choice(["1950-06-15", "1990-06-15"], 400)), "start": pd.Timestamp("2000-01-01"),
        "end": pd.Timestamp("2004-01-01") + pd.to_timedelta(rng.integers(0, 900, 400), unit="D"),
        "died": rng.integers(0, 2, 400), "cluster": rng.integers(0, 30, 400),
    })  # fmt: skip
    alone = table.assign(cluster=table["cluster"].where(table["born"] < "1970-01-01", 0))
    standard = pd.DataFrame({"age_low": [0, 30], "weight": [0.4, 0.6]})
    for seen, known in ((table, True), (alone, False)):
        data = build_survival(seen, entry="start", exit="end", event="died", origin="start", birth="born",
                              cluster="cluster")  # fmt: skip
        found = estimate_rates(data, age_bands=[30]).standardise(standard)
        assert bool(np.isfinite(found.table["ci_low"]).all()) is known
        assert any("an age has no event, or lies in too few clusters" in note for note in found.notes) is not known


def test_strata_that_are_not_used_are_said() -> None:
    data = follow(30)
    layered = replace(data, strata=np.arange(ROWS) % 2, strata_labels=("p", "q"), cluster=None)
    for fit in (MODELS["flexible"], MODELS["excess"], MODELS["rates"]):
        assert any("strata of the data are not used" in note for note in fit(layered, ["z"]).notes)
    assert any("strata='strata'" in note for note in compare_survival(layered, "group").notes)
    assert not compare_survival(layered, "group", strata="strata").notes
    assert not any("not used" in note for note in fit_cox(layered, ["z"], cause="death").notes)


def test_what_is_published_says_that_clusters_are_few() -> None:
    found = estimate_survival(follow(12), cause="death")
    assert "Clusters are few" in found.release().note
    assert "Grappes peu nombreuses" in found.chart(lang="fr").release().note
    assert "Clusters are few" not in estimate_survival(follow(30), cause="death").release().note


def test_an_age_without_event_leaves_a_standardised_rate_without_limits() -> None:
    """Nine tenths of the weight on five persons without event: limits of 19.8 to 24.8 came out of the others alone."""
    rng = np.random.default_rng(5)
    begin = pd.Timestamp("1990-01-01")
    born = pd.to_datetime(["1960-01-01"] * 400 + ["1920-01-01"] * 5)
    stay = np.r_[rng.integers(100, 1500, 400), [1500] * 5]
    table = pd.DataFrame({"born": born, "start": begin, "end": begin + pd.to_timedelta(stay, unit="D"),
                          "died": np.r_[rng.integers(0, 2, 400), np.zeros(5, dtype=int)],
                          "cluster": rng.integers(0, 40, 405)})  # fmt: skip
    data = build_survival(table, exit="end", event="died", origin="start", birth="born", cluster="cluster")
    standard = pd.DataFrame({"age_low": [0, 60], "weight": [0.1, 0.9]})
    found = estimate_rates(data, age_bands=[0, 60]).standardise(standard)
    assert found.table[["ci_low", "ci_high"]].isna().all(axis=None)
    free = build_survival(table, exit="end", event="died", origin="start", birth="born")
    read = standardise_survival(free, standard=standard, age_bands=[0, 60]).at([1000])
    assert read["survival"].notna().all()
    assert read[["se", "ci_low", "ci_high"]].isna().all(axis=None)


def test_the_excess_over_clusters_has_limits_of_its_own() -> None:
    """Clusters of old and of young persons: the ratio varies little between them, the excess much."""
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(40), 50)
    old = cluster % 2 == 0
    born = np.where(old, np.datetime64("1910-01-01"), np.datetime64("1960-01-01"))
    stay = np.ceil(rng.exponential(1 / np.where(old, 0.12, 0.002)) * 365.25).astype(int)
    seen = np.minimum(stay, 1826)
    table = pd.DataFrame({"born": pd.to_datetime(born), "start": pd.Timestamp("1990-01-01"), "sex": "F",
                          "died": (stay <= 1826).astype(int), "cluster": cluster})  # fmt: skip
    table["end"] = table["start"] + pd.to_timedelta(seen, unit="D")

    def excess(rows: pd.DataFrame, name: str) -> pd.Series:
        data = build_survival(rows, exit="end", event="died", origin="start", birth="born", cluster=name)
        return estimate_smr(data, life_table("France")).table.iloc[0]

    found = excess(table, "cluster")
    parts = dict(list(table.groupby("cluster")))
    drawn = []
    for _ in range(150):
        chosen = rng.integers(0, 40, 40)
        again = pd.concat([parts[number].assign(unit=at) for at, number in enumerate(chosen)], ignore_index=True)
        drawn.append(excess(again, "unit")["excess"])
    half = (found["excess_high"] - found["excess_low"]) / 2
    assert half == pytest.approx(1.96 * np.std(drawn), rel=0.25)
