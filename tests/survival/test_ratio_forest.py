"""Ratios of several models side by side: each is its model's, reasons stand for those that are not, few events hide."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import check_release, read_policy, record
from epi.errors import EstimationError, ParameterError
from epi.survival import build_survival, collect_ratios, compare_with_controls, fit_cox, fit_each, fit_rates


def patients(size, hazard, seed):
    rng = np.random.default_rng(seed)
    screened = np.arange(size) % 2
    time = np.ceil(rng.exponential(3000 / np.where(screened == 1, hazard, 1.0)))
    seen = pd.DataFrame({"days": np.minimum(time, 2000), "died": (time <= 2000).astype(int), "screened": screened})
    return build_survival(seen, exit="days", event="died", covariates=["screened"])


@pytest.fixture(scope="module")
def forest():
    parts = {"large": patients(400, 0.5, 1), "small": patients(30, 0.4, 2), "control": patients(400, 1.0, 3),
             "none": patients(40, 1.0, 4).select(np.arange(40) % 2 == 0)}  # fmt: skip
    return collect_ratios(fit_each(parts, lambda part: fit_cox(part, ["screened"])), "screened", sizes=parts), parts


def test_each_ratio_is_its_models_and_a_refusal_has_its_reason(forest):
    found, parts = forest
    for name in ("large", "small", "control"):
        row, model = found.of(name), fit_cox(parts[name], ["screened"]).table.iloc[0]
        assert (row["ratio"], row["ci_low"], row["ci_high"]) == (
            model["hazard_ratio"], model["ci_low"], model["ci_high"],
        )  # fmt: skip
        assert row["persons"] == parts[name].persons
        assert row["events"] == parts[name].events["event"]
    assert "constant" in found.of("none")["reason"]
    with pytest.raises(ParameterError, match="no model 'other'"):
        found.of("other")


def test_a_ratio_of_few_events_is_hidden_as_a_row_and_as_a_result(forest):
    found, _ = forest
    few = found.table.set_index("name")["events_with"]
    assert 0 < few["small"] < 11 <= few["large"]
    hidden = {row.stratum["analysis"]: record(row.name, row.estimate, n=row.n, unit=row.unit, stratum=row.stratum)
              for row in found.estimates("hazard_ratio")}  # fmt: skip
    assert {name: kept.suppressed for name, kept in hidden.items()} == {"large": False, "small": True, "control": False}
    told = {row.stratum["analysis"]: row.n for row in found.estimates("hazard_ratio")}
    assert told["large"] == 400
    shown = check_release(found.release(), read_policy()).table.set_index("name")["estimate"].isna()
    assert shown["small"]
    assert not shown["large"]


def test_a_control_divides_the_others(forest):
    found, _ = forest
    quotient = compare_with_controls(found, {"control": True})
    assert list(quotient.table["name"]) == ["large", "small", "none"]
    logs, errors = np.log(found.table.set_index("name")["ratio"]), found.table.set_index("name")["se"]
    row = quotient.of("large")
    assert np.log(row["ratio"]) == pytest.approx(logs["large"] - logs["control"], rel=1e-12)
    assert row["se"] == pytest.approx(np.hypot(errors["large"], errors["control"]), rel=1e-12)
    with pytest.raises(EstimationError, match="no control has a ratio with enough events"):
        compare_with_controls(found, {"small": True})


def test_rates_have_a_forest_too_and_kinds_are_not_mixed(forest):
    _, parts = forest
    rates = fit_each({"large": parts["large"]}, lambda part: fit_rates(part, ["screened"]))
    found = collect_ratios(rates, "screened")
    assert found.of("large")["ratio"] == rates["large"].table["rate_ratio"].iloc[0]
    assert {row.unit for row in found.estimates("rate_ratio")} == {"RR"}
    assert found.release().labels["estimate"] == "RR"
    cox = fit_each({"control": parts["control"]}, lambda part: fit_cox(part, ["screened"]))
    with pytest.raises(ParameterError, match="the models tell of HR, RR"):
        collect_ratios(rates | cox, "screened")


def test_counts_that_others_would_give_back_are_not_published(forest):
    found, parts = forest
    shown = check_release(found.release(), read_policy()).table.set_index("name")
    # Without a ratio the counts are of everybody: beside those of the groups they would tell of a small one.
    assert found.of("none")["persons"] == 20
    assert shown.loc["none", ["persons", "events"]].isna().all()
    ways = {"main": parts["large"], "fewer": parts["large"].select(np.arange(400) != 7), "few": parts["small"]}
    choices = collect_ratios(fit_each(ways, lambda part: fit_cox(part, ["screened"])), "screened", overlapping=True)
    shown = check_release(choices.release(), read_policy()).table.set_index("name")
    assert shown.loc["main", "persons"] == 400
    assert shown.loc["fewer", ["persons", "events", "events_with"]].isna().all()
    assert shown.loc["fewer", "estimate"] > 0
    assert np.isnan(shown.loc["few", "estimate"])
    told = {row.stratum["analysis"]: row.n for row in choices.estimates("ratio")}
    assert told["main"] == 400 and told["fewer"] is None and 0 < told["few"] < 11
    assert choices.chart(lang="fr").figure(shown.reset_index()) is not None


def test_levels_are_not_mixed_and_ratios_without_limits_say_why() -> None:
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(30), 20)
    seen = pd.DataFrame({"exit": rng.integers(1, 900, 600), "d": rng.integers(0, 2, 600), "z": rng.normal(size=600),
                         "c": cluster, "x": (cluster == 3).astype(int)})  # fmt: skip
    data = build_survival(seen, exit="exit", event="d", cluster="c")
    with pytest.raises(ParameterError, match="50%, 95%"):
        collect_ratios({"a": fit_cox(data, ["z"]), "b": fit_cox(data, ["z"], level=0.5)}, "z")
    forest = collect_ratios({"a": fit_cox(data, ["x", "z"])}, "x")
    assert forest.table["reason"].tolist() == ["known in too few clusters"]
    assert forest.table["ratio"].isna().all()
    release = fit_cox(data, ["x", "z"]).release()
    shown = release.table.set_index(["covariate", "level"])
    assert np.isnan(shown.loc[("x", "1"), "estimate"])
    assert np.isfinite(shown.loc[("z", ""), "estimate"])


def test_only_reasons_that_may_be_told_are_told(forest):
    _, parts = forest
    fixed = "too few deaths · trop peu de décès"
    models = {**fit_each({"large": parts["large"], "none": parts["none"]}, lambda part: fit_cox(part, ["screened"])),
              "few": EstimationError(fixed)}  # fmt: skip
    found = collect_ratios(models, "screened", sizes=parts)
    assert "Not estimable: none, few." in found.release().note
    assert "Not estimable: none, few (too few deaths)." in found.release(tell={fixed: "too few deaths"}).note
    assert (
        "Non estimable : none, few (trop peu de décès)."
        in found.chart(lang="fr", tell={fixed: "trop peu de décès"}).alt
    )
    with pytest.raises(ParameterError, match="tell"):
        found.release(tell=[fixed])  # type: ignore[arg-type]


def test_words_of_overlapping_rows_and_of_results_are_in_the_language(forest):
    _, parts = forest
    models = fit_each({"main": parts["large"]}, lambda part: fit_cox(part, ["screened"]))
    found = collect_ratios(models, "screened", overlapping=True)
    assert "Numbers are not given for the other rows" in found.release().note
    assert "Les effectifs des autres lignes ne sont pas donnés" in found.release(lang="fr").note
    assert dict(found.estimates("ratio", lang="fr")[0].stratum) == {"analyse": "main"}
