"""Rates on the Lexis diagram and Poisson models against R's Epi, pyears, glm and sandwich."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, EstimationError, ParameterError
from epi.stats.standardisation import direct_rate, standard_population
from epi.survival import SurvivalData, build_survival, estimate_rates, fit_rates, split_lexis

FOLDER = Path(__file__).parents[1] / "oracle"
FIXTURE = json.loads((FOLDER / "rates.json").read_text())
CASES = FIXTURE["cases"]
CGD = pd.DataFrame(json.loads((FOLDER / "survival_curves.json").read_text())["sets"]["cgd"])


def follow(case: dict[str, Any], **options: str) -> SurvivalData:
    table = pd.DataFrame(case["data"])
    for name in ("birth", "entry", "exit"):
        table[name] = pd.to_datetime(table[name], unit="D")
    return build_survival(
        table, entry="entry", exit="exit", event="event", origin="birth", scale="age", covariates=["group", "x"],
        **options,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["set"])
def test_cells_equal_those_of_epi_and_pyears(case: dict[str, Any]) -> None:
    found = estimate_rates(follow(case), by="group", age_bands=case["ages"], periods=case["years"], per=1)
    theirs = pd.DataFrame(case["cells"])
    theirs["low"], theirs["high"], theirs["pyears"] = case["low"], case["high"], case["pyears"]
    theirs = theirs.sort_values(["group", "age", "per"], ignore_index=True)
    ours = found.table
    assert len(ours) == len(theirs) > 15
    assert ours["events"].tolist() == theirs["d"].tolist()
    assert (ours["person_years"] * 365.25).round(6).tolist() == theirs["days"].tolist() == theirs["pyears"].tolist()
    np.testing.assert_allclose(ours["ci_low"], theirs["low"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours["ci_high"], theirs["high"], rtol=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["set"])
def test_models_equal_glm_and_sandwich(case: dict[str, Any]) -> None:
    reference = {"group": "exposed" if case["set"] == "nickel" else "F" if case["set"] == "DMlate" else "high"}
    for model in case["models"]:
        # In R an absent cluster is written as an empty object.
        cluster = model["cluster"] if isinstance(model["cluster"], str) else None
        options = {"weight": "weight"} if model["weight"] else {}
        if cluster == "cluster":
            options["cluster"] = "cluster"
        data = split_lexis(follow(case, **options), age=case["ages"], calendar=case["years"])
        names = ["group", "x", "age_band"] if "x" in model["terms"] else ["group", "age_band", "period"]
        found = fit_rates(data, names, reference=reference, correction="CR1")
        assert found.settings["variance"] == ("CR1" if cluster else "model")
        np.testing.assert_allclose(found.fit.coefficients, model["coef"], rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found.fit.standard_errors, model["se"], rtol=1e-7)
        if cluster is None:
            np.testing.assert_allclose(found.table["ci_low"], model["low"][1:], rtol=1e-7)
            np.testing.assert_allclose(found.table["ci_high"], model["high"][1:], rtol=1e-7)


def test_the_reference_changes_with_what_it_crosses() -> None:
    for case in CASES:
        plain, _, clustered, weighted, both = case["models"]
        assert plain["coef"] == pytest.approx(clustered["coef"])
        assert abs(plain["se"][1] / clustered["se"][1] - 1) > 0.02
        assert abs(plain["coef"][1] - weighted["coef"][1]) > 0.02
        assert abs(weighted["se"][1] / both["se"][1] - 1) > 0.02


def test_repeated_events_are_robust_over_persons() -> None:
    data = build_survival(CGD, entry="entry", exit="exit", event="event", person="cluster", covariates=["treat"])
    found = fit_rates(data, ["treat"], reference={"treat": "placebo"}, correction="CR1")
    theirs = FIXTURE["cgd"]
    assert found.settings["repeated"]
    np.testing.assert_allclose(found.fit.coefficients, theirs["coef"], rtol=1e-9)
    np.testing.assert_allclose(found.fit.standard_errors, theirs["se"], rtol=1e-8)
    rates = estimate_rates(data, by="treat", per=1)
    assert rates.settings["limits"] == "log-normal over clusters"
    # One group's log rate and its limits are those of the model without the factor G / (G - 1) of both groups.
    total = data.persons
    error = theirs["se"][0] * np.sqrt((total - 1) / total)
    row = rates.table.set_index("treat").loc["placebo"]
    assert np.log(row["rate"]) == pytest.approx(theirs["coef"][0])
    assert np.log(row["ci_high"] / row["rate"]) == pytest.approx(stats.norm.isf(0.025) * error)


def test_a_model_with_a_column_for_each_cell_gives_the_rates() -> None:
    data = follow(CASES[2])
    rates = estimate_rates(data, by="group").table
    model = fit_rates(data, ["group"], reference={"group": "F"})
    assert model.table["rate_ratio"].item() == pytest.approx(rates["rate"][1] / rates["rate"][0], rel=1e-10)
    error = np.sqrt((1 / rates["events"]).sum())
    assert model.table["se"].item() == pytest.approx(error, rel=1e-9)
    told = model.predict_rates(pd.DataFrame({"group": ["F", "M"]}, index=["f", "m"]))
    assert told["rate"].tolist() == pytest.approx(rates["rate"].tolist(), rel=1e-10)
    width = np.exp(stats.norm.isf(0.025) / np.sqrt(rates["events"]))
    assert told["ci_high"].tolist() == pytest.approx((rates["rate"] * width).tolist(), rel=1e-9)


def test_order_and_pieces_change_nothing() -> None:
    case = CASES[0]
    whole = follow(case, weight="weight", cluster="cluster")
    mixed = pd.DataFrame(case["data"]).sample(frac=1, random_state=3)
    shuffled = follow(
        {**case, "data": mixed.reset_index(drop=True).to_dict("list")}, weight="weight", cluster="cluster"
    )
    options = {"by": "group", "age_bands": case["ages"]}
    first, second = estimate_rates(whole, **options), estimate_rates(shuffled, **options)
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    cut = split_lexis(whole, since=[1, 2, 5])
    pd.testing.assert_frame_equal(first.table, estimate_rates(cut, **options).table, rtol=1e-12)


def test_standardised_rates_by_hand() -> None:
    data = follow(CASES[2])
    bands = [0, 50, 60, 70, 80]
    rates = estimate_rates(data, by="group", age_bands=bands)
    found = rates.standardise("european_2013")
    world = standard_population("european_2013")
    weights = world.groupby(np.searchsorted(bands, world["age_low"], side="right"))["weight"].sum()
    for row in found.table.to_dict("records"):
        part = rates.table[rates.table["group"] == row["group"]]
        wanted = direct_rate(part["events"], part["person_years"], weights, per=1000)
        assert [row["rate"], row["ci_low"], row["ci_high"]] == pytest.approx([wanted.estimate, wanted.low, wanted.high])
        mine = data.column("group") == row["group"]
        assert row["persons"] == mine.sum()
        assert row["crude"] == pytest.approx(1000 * row["events"] / row["person_years"])
    part = rates.standardise("european_2013", ages=(50, 80)).table
    assert (part["events"] < found.table["events"]).all()
    assert rates.standardise(pd.DataFrame({"age_low": bands, "weight": [0, 1, 0, 0, 0]})).table["rate"].tolist() == (
        pytest.approx(rates.table.loc[rates.table["age_band"] == "50-59", "rate"].tolist())
    )


def test_standardised_rates_over_clusters() -> None:
    """With weights of one and persons as clusters the variance is nearly that of independent events."""
    case = CASES[2]
    table = pd.DataFrame(case["data"]).assign(weight=1.0)
    bands = {"by": "group", "age_bands": [0, 50, 60, 70, 80]}
    plain = estimate_rates(follow(case), **bands).standardise()
    heavy = estimate_rates(follow({**case, "data": table.to_dict("list")}, weight="weight"), **bands).standardise()
    assert heavy.table["rate"].tolist() == pytest.approx(plain.table["rate"].tolist(), rel=1e-12)
    assert heavy.settings["limits"] == "log-normal over clusters"
    for column in ("ci_low", "ci_high"):
        assert heavy.table[column].tolist() == pytest.approx(plain.table[column].tolist(), rel=0.12)


def test_refusals() -> None:
    data = follow(CASES[2])
    rates = estimate_rates(data, by="group", age_bands=[0, 50, 62, 80])
    with pytest.raises(ParameterError, match="within a group of the standard"):
        rates.standardise()
    with pytest.raises(ParameterError, match="no bands of age"):
        estimate_rates(data).standardise()
    with pytest.raises(ParameterError, match="bands that begin where"):
        rates.standardise(ages=(50, 75))
    with pytest.raises(ParameterError, match="two of the ages of the standard"):
        rates.standardise(ages=(51, 80))
    late = follow(
        {**CASES[2], "data": pd.DataFrame(CASES[2]["data"]).query("entry - birth > 50 * 366").to_dict("list")}
    )
    with pytest.raises(EstimationError, match="nobody of F is at risk at ages 0-44"):
        estimate_rates(late, by="group", age_bands=[0, 45, 80]).standardise()
    with pytest.raises(ParameterError, match="per is 0"):
        estimate_rates(data, per=0)
    with pytest.raises(DataError, match="missing"):
        estimate_rates(build_survival(pd.DataFrame({"days": [5, 6], "died": [1, 0], "g": ["a", None]}), exit="days",
                                      event="died"), by="g")  # fmt: skip
    with pytest.raises(EstimationError, match="there is no event"):
        none = data.select(data.event == 0)
        fit_rates(none, ["group"], reference={"group": "F"})
    with pytest.raises(ParameterError, match="correction"):
        fit_rates(data, ["group"], reference={"group": "F"}, correction="CR3")  # type: ignore[arg-type]


def test_a_group_without_event_has_no_finite_ratio() -> None:
    seen = pd.DataFrame({"days": [100] * 60, "died": [1, 0] * 20 + [0] * 20, "g": ["a"] * 40 + ["b"] * 20})
    with pytest.raises(EstimationError, match="no rate ratio is finite"):
        fit_rates(build_survival(seen, exit="days", event="died"), ["g"], reference={"g": "a"})
    # Everybody having the event is no separation of rates: time tells them apart.
    all_died = build_survival(seen.assign(died=1, days=np.arange(60) + 50), exit="days", event="died")
    assert np.isfinite(fit_rates(all_died, ["g"], reference={"g": "a"}).table["rate_ratio"]).all()


def test_the_lexis_diagram_shows_what_the_gate_leaves() -> None:
    case = CASES[2]
    rates = estimate_rates(follow(case), age_bands=[0, 50, 60, 70, 80], periods=[1995, 2000, 2005])
    for lang, words in (("fr", "jamais observé"), ("en", "never observed")):
        chart = rates.chart_lexis(registry=1995, lang=lang)  # type: ignore[arg-type]
        decision = check_release(chart.release(), read_policy())
        assert not decision.refused
        table = decision.table
        assert "rate" not in table
        assert table["events"].isna().any()
        figure = chart.figure(table)
        written = [text.get_text() for text in figure.axes[1].texts]
        assert written.count("–") == table["events"].isna().sum()
        assert words in [text.get_text() for text in figure.axes[0].texts]
        # Open bands are as wide as their neighbours: the axes tell of nobody's age.
        assert figure.axes[0].get_ylim() == (0, 90)
        assert figure.axes[0].get_xlim()[1] == 2010
    for wrong in (
        estimate_rates(follow(case), by="group", age_bands=[0, 50], periods=[1995]),
        estimate_rates(follow(case)),
    ):
        with pytest.raises(ParameterError, match="by age and period alone"):
            wrong.chart_lexis()
    hidden = rates.chart_lexis().release().table.assign(person_years=np.nan, events=np.nan)
    assert "All values are hidden" in rates.chart_lexis().figure(hidden).axes[0].texts[0].get_text()


def test_what_leaves_passes_the_gate() -> None:
    case = CASES[2]
    data = split_lexis(follow(case), age=case["ages"], calendar=case["years"])
    rates = estimate_rates(follow(case), by="group", age_bands=case["ages"], periods=case["years"])
    decision = check_release(rates.release(), read_policy())
    assert not decision.refused
    hidden = decision.table["events"].isna()
    assert hidden.any()
    assert decision.table.loc[hidden, ["rate", "ci_low", "ci_high"]].isna().all(axis=None)
    standard = estimate_rates(follow(case), by="group", age_bands=case["ages"]).standardise()
    assert not check_release(standard.release(), read_policy()).refused
    model = fit_rates(data, ["group", "age_band"], reference={"group": "F"})
    for lang, words in (("fr", "Rapports de taux"), ("en", "Rate ratios")):
        chart = model.chart(lang=lang)  # type: ignore[arg-type]
        decision = check_release(chart.release(), read_policy())
        assert not decision.refused
        assert words in chart.release().title
        chart.figure(decision.table)
