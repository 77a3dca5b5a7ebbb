"""Proportional hazards against R's coxph: ties, late entry, weights, clusters, strata, repeated events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cox_cases import FIXTURE, SETS, close, fit, named
from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import EpiError, EstimationError, ParameterError
from epi.stats.notation import format_ratio
from epi.survival import SurvivalData, build_survival, fit_cox


@pytest.mark.parametrize("case", FIXTURE["cox"], ids=named)
def test_estimates_equal_coxph(case: dict[str, Any]) -> None:
    found = fit(case)
    close(found.coefficients, case["coef"])
    # R gives an error of ratios of which clusters tell nothing; they are named in a note here.
    told = found.table["se"].notna().to_numpy()
    assert told.any()
    assert told.all() or any("too few" in note for note in found.notes)
    close(found.table["se"][told], np.asarray(case["se"])[told])
    close(np.sqrt(np.diag(found.naive_covariance)), case["naive"])
    close([found.loglik_null, found.loglik], case["loglik"])
    tests = found.tests.set_index("test")["statistic"]
    if told.all():
        close(tests["wald"], case["wald"])
    if case["weight"] or case["cluster"]:
        # R prints tests of independent rows too; they hold for none of these.
        assert list(tests.index) == ["wald", "robust score"]
        close(tests["robust score"], case["rscore"])
        assert found.settings["variance"] == "robust"
    else:
        close(tests["score"], case["score"])


@pytest.mark.parametrize("case", [case for case in FIXTURE["cox"] if "rows" in case], ids=named)
def test_residuals_equal_those_of_coxph(case: dict[str, Any]) -> None:
    found = fit(case)
    for kind in ("martingale", "deviance", "score", "dfbeta"):
        close(found.residuals(kind).to_numpy()[case["rows"]], case[f"{kind}_residuals"], 1e-7, 1e-9)  # type: ignore[arg-type]
    for kind, key in (("schoenfeld", "schoenfeld"), ("scaled_schoenfeld", "scaled")):
        table = found.residuals(kind)  # type: ignore[arg-type]
        close(table[list(found.terms.names)].to_numpy()[case["events"]], case[key], 1e-7, 1e-9)


def test_fixtures_change_with_what_they_cross() -> None:
    """A fixture that ignored entry, weights, clusters, strata or ties would prove nothing of them."""

    def one(**wanted: Any) -> dict[str, Any]:
        basis = {"set": "ties", "ties": "efron", "entry": True, "weight": False, "cluster": False, "strata": None}
        wanted = basis | wanted
        return next(c for c in FIXTURE["cox"] if all(c[key] == value for key, value in wanted.items()))

    whole = one()
    for change in ({"entry": False}, {"ties": "breslow"}, {"weight": True}, {"strata": "group"}):
        other = one(**change)
        assert abs(other["coef"][0] - whole["coef"][0]) > 1e-3, change
    clustered = one(cluster=True)
    assert clustered["coef"] == whole["coef"]
    assert abs(clustered["se"][0] - whole["se"][0]) > 1e-3
    both = one(weight=True, cluster=True, strata="group")
    alone = fit({**both, "cluster": False})
    assert abs(both["se"][0] - alone.table["se"][0]) > 1e-3


def random_table(seed: int, size: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 8, size)
    return pd.DataFrame({
        "entry": entry, "exit": entry + rng.integers(1, 12, size), "event": rng.integers(0, 2, size),
        "a": rng.normal(size=size).round(2), "b": rng.integers(0, 2, size), "group": rng.choice(list("xy"), size),
        "weight": rng.integers(1, 5, size) / 2, "cluster": rng.integers(0, 25, size), "person": np.arange(size),
    })  # fmt: skip


def random_data(table: pd.DataFrame, **more: Any) -> SurvivalData:
    return build_survival(
        table, entry="entry", exit="exit", event="event", weight="weight", cluster="cluster", strata="group",
        person="person", covariates=["a", "b"], **more,
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.sampled_from(["efron", "breslow"]))
def test_order_of_rows_splits_and_units_change_nothing(seed: int, ties: Any) -> None:
    table = random_table(seed)
    basis = fit_cox(random_data(table), ["a", "b"], ties=ties)
    mixed = table.sample(frac=1, random_state=seed)
    again = fit_cox(random_data(mixed), ["a", "b"], ties=ties)
    # To the last digit, whatever the order.
    pd.testing.assert_frame_equal(again.table, basis.table, check_exact=True)
    # A person's time cut in two; the first piece ends without event.
    cut = table["entry"] + 1 + (table["a"].abs() * 5).astype(int)
    inside = cut < table["exit"]
    pieces = pd.concat([
        table[~inside], table[inside].assign(exit=cut[inside], event=0), table[inside].assign(entry=cut[inside]),
    ])  # fmt: skip
    split = fit_cox(random_data(pieces), ["a", "b"], ties=ties)
    close(split.coefficients, basis.coefficients)
    close(split.table["se"], basis.table["se"])
    # Another unit and another origin.
    other = fit_cox(random_data(table.assign(a=1e5 + table["a"] * 1e-3, b=1 - table["b"])), ["a", "b"], ties=ties)
    close(other.coefficients, basis.coefficients * [1e3, -1], 1e-6)
    close(other.table["se"], basis.table["se"] * [1e3, 1], 1e-6)


def test_weights_that_are_whole_repeat_rows_with_breslow() -> None:
    table = random_table(3).assign(weight=lambda t: t["b"] + 1)
    table["cluster"] = table["person"]
    repeated = table.loc[table.index.repeat(table["weight"])].assign(weight=1.0)
    repeated["person"] = np.arange(len(repeated))
    weighted = fit_cox(random_data(table), ["a"], ties="breslow")
    many = fit_cox(random_data(repeated), ["a"], ties="breslow")
    close(weighted.coefficients, many.coefficients)
    # Copies of one person are one cluster: the robust variance is the same, where the model's is not.
    close(weighted.table["se"], many.table["se"])


def refused(table: pd.DataFrame, names: list[str], match: str, **options: Any) -> None:
    data = build_survival(table, exit="days", event="died", covariates=[n for n in table if n not in ("days", "died")])
    with pytest.raises(EpiError, match=match) as told:
        fit_cox(data, names, **options)
    assert told.value.do or told.value.expected


def test_what_cannot_be_estimated_is_named() -> None:
    rng = np.random.default_rng(4)
    size = 200
    table = pd.DataFrame({"days": rng.integers(1, 400, size), "died": rng.integers(0, 2, size)})
    table["age"] = rng.normal(60, 10, size)
    table["months"] = table["age"] * 12
    table["nearly"] = table["age"] + rng.normal(0, 0.01, size)
    table["one"] = 3
    table["never"] = ((rng.random(size) < 0.2) & (table["died"] == 0)).astype(int)
    table["ill"] = table["died"]
    table["last"] = -table["days"] + 0.0
    table["holes"] = table["age"].where(table["age"] > 50)
    table["far"] = table["age"].where(table["age"] > 40, np.inf)
    table["arm"] = rng.choice(["old", "new"], size)
    refused(table, ["age", "months"], "'months' is a linear combination of 'age'")
    refused(table, ["age", "nearly"], "'nearly' is nearly a linear combination of 'age'")
    refused(table, ["age", "one"], "'one' is constant")
    refused(table, ["never"], "'never': all events are at its value 0")
    refused(table, ["ill"], "'ill': all events are at its value 1")
    refused(table, ["age", "last"], "events always happen to those with the highest 'last'")
    refused(table, ["holes"], "holes is missing in")
    refused(table, ["far"], "far is infinite in")
    refused(table, ["arm"], "reference={'arm': 'new'}")
    refused(table, ["arm"], "the reference of arm is 'none'", reference={"arm": "none"})
    table["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(table["days"], unit="D")
    refused(table, ["day"], "day holds values of type datetime64")
    refused(table, ["sex"], "no covariate 'sex'")
    refused(table, ["age", "age"], "named twice")
    refused(table, ["age"], "ties is 'exact'", ties="exact")
    refused(table.assign(died=0), ["age"], "there is no event")
    # Two columns that foretell the event only together.
    hidden = -table["days"] / 100
    table["u"], table["v"] = hidden + table["age"], table["age"] * 1.0
    refused(table, ["u", "v"], "'u', 'v' together foretell every event")
    # Separation that late entry alone makes: nobody above is at risk on the days of events.
    late = pd.DataFrame({"entry": [0, 0, 5, 5], "exit": [3, 4, 9, 9], "event": [1, 0, 1, 0], "x": [2, 1, 4, 3]})
    data = build_survival(late, entry="entry", exit="exit", event="event")
    with pytest.raises(EstimationError, match="highest 'x' at risk"):
        fit_cox(data, ["x"])
    # Constant within every stratum.
    table["site"] = rng.integers(0, 2, size)
    within = build_survival(table, exit="days", event="died", strata="site")
    with pytest.raises(EstimationError, match="'site' does not vary among those at risk"):
        fit_cox(within, ["age", "site"])


def test_options_and_notes() -> None:
    table = random_table(8).assign(site=lambda t: np.where(t["event"] == 1, "a", t["group"]))
    data = build_survival(table, entry="entry", exit="exit", event="event", strata="site")
    found = fit_cox(data, ["a"])
    assert any("without event tell" in note for note in found.notes)
    assert found.settings["strata_labels"] == ["a", "x", "y"]
    assert fit_cox(data, ["a"], strata=None).settings["strata"] is None
    bare = build_survival(table.assign(strata=table["b"]), entry="entry", exit="exit", event="event")
    assert fit_cox(bare, ["a"]).settings["strata"] is None
    assert fit_cox(bare, ["a"], strata=["strata"]).settings["strata_labels"] == ["0", "1"]
    group = fit_cox(data, ["a"], strata="group")
    assert group.settings["strata_labels"] == ["x", "y"]
    wide, narrow = fit_cox(data, ["a"], level=0.99).table, found.table
    assert (wide["ci_low"] < narrow["ci_low"]).all()
    robust = fit_cox(data, ["a"], robust=True)
    assert robust.settings["variance"] == "robust"
    assert robust.table["se"][0] != found.table["se"][0]
    assert any("Fewer than 10 events" in note for note in fit_cox(data.select(np.arange(20)), ["a", "b"]).notes)
    shared = random_data(table.assign(cluster=table["person"] % 4))
    assert any("clusters" in note for note in fit_cox(shared, ["a"]).notes)
    with pytest.raises(ParameterError, match="robust is False"):
        fit_cox(shared, ["a"], robust=False)
    twice = pd.DataFrame(
        {"entry": [0, 5, 0, 0], "exit": [5, 9, 7, 8], "event": [1, 1, 1, 0], "x": [1, 2, 2, 1], "who": [1, 1, 2, 3]}
    )
    repeated = build_survival(twice, entry="entry", exit="exit", event="event", person="who")
    assert fit_cox(repeated, ["x"]).settings["variance"] == "robust"
    with pytest.raises(ParameterError, match="several events"):
        fit_cox(repeated, ["x"], robust=False)
    categories = table.assign(group=pd.Categorical(table["group"], ["y", "x", "z"]))
    named_terms = fit_cox(build_survival(categories, entry="entry", exit="exit", event="event"), ["group", "a"])
    assert named_terms.table["term"].tolist() == ["group: x", "a"]
    assert named_terms.settings["reference"] == {"group": "y"}


def test_causes_are_told_apart() -> None:
    table = random_table(11, 200).assign(event=lambda t: np.where(t["event"] == 1, 1 + t["b"], 0))
    data = build_survival(table, entry="entry", exit="exit", event="event", causes={1: "cancer", 2: "other"})
    both = fit_cox(data, ["a"])
    cancer = fit_cox(data, ["a"], cause="cancer")
    alone = build_survival(table.assign(event=(table["event"] == 1) * 1), entry="entry", exit="exit", event="event")
    close(cancer.coefficients, fit_cox(alone, ["a"]).coefficients)
    assert both.settings["events"] > cancer.settings["events"]
    assert "cancer" in str(cancer)


def test_published_ratios_fall_with_their_counts() -> None:
    table = SETS["pbc"].assign(stage=lambda t: pd.Categorical("stage " + t["stage"].astype(str)))
    model = fit_cox(build_survival(table, entry="entry", exit="exit", event="event"), ["sex", "bili", "stage"])
    chart = model.chart(lang="fr")
    decision = check_release(chart.release(), read_policy())
    assert not decision.refused
    shown = decision.table.set_index(["covariate", "level"])
    whole = model.release().table.set_index(["covariate", "level"])
    assert whole.loc[("sex", "0"), ["persons", "events", "estimate"]].tolist() == [44, 24, 1]
    assert whole.loc[("bili", ""), "persons"] == len(table)
    # One of the 21 persons of stage 1 died: ratios against them are hidden where their number is, and beside it.
    few = shown.loc["stage"]["events"].isna()
    assert few["stage 1"] and few.sum() == 2
    assert shown.loc["stage"].loc[few.to_numpy(), ["estimate", "ci_low", "p"]].isna().all(axis=None)
    assert shown.loc[("sex", "1"), "estimate"] == float(f"{np.exp(model.coefficients[0]):.4g}")
    figure = chart.figure(decision.table)
    said = " ".join(text.get_text() for axis in figure.axes for text in axis.texts)
    assert "masqué : petit effectif" in said
    assert "stage : stage 3" in said
    assert format_ratio(*shown.loc[("bili", ""), ["estimate", "ci_low", "ci_high"]], lang="fr") in said
    assert "Persons" in model.release().labels.values()
    everything = check_release(model.chart().release(), read_policy()).table.assign(estimate=np.nan)
    assert model.chart().figure(everything) is not None
    with pytest.raises(ParameterError, match="lang is 'de'"):
        model.chart(lang="de")  # type: ignore[arg-type]


def test_published_events_are_persons_where_they_come_again() -> None:
    model = fit(next(c for c in FIXTURE["cox"] if c["set"] == "cgd" and not c["strata"]))
    release = model.release()
    table = SETS["cgd"]
    whole = release.table.set_index(["covariate", "level"])
    for level in (0, 1):
        inside = table[table["treat"] == level]
        assert whole.loc[("treat", str(level)), "persons"] == inside["cluster"].nunique()
        assert whole.loc[("treat", str(level)), "events"] == inside.loc[inside["event"] == 1, "cluster"].nunique()
    assert whole.loc[("age", ""), "events"] < table["event"].sum()
    assert release.labels["events"] == "With an event"
    assert model.settings["events"] == table["event"].sum()


def test_separation_that_the_search_ends_on_is_refused() -> None:
    """Some combination orders every event above all at risk; rounding emptied the score, and p was 0."""
    seen = pd.DataFrame({
        "t": [1, 5, 2, 3, 3, 6, 4, 1, 2, 8, 5, 4], "d": [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0],
        "x": [1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1], "y": [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0],
        "z": [0.6, 0.5, -0.3, -0.5, 1.3, 0.5, -0.7, 2.7, 0.1, -0.4, 0, 0],
    })  # fmt: skip
    with pytest.raises(EstimationError, match="foretell every event"):
        fit_cox(build_survival(seen, exit="t", event="d"), ["x", "y", "z"])
