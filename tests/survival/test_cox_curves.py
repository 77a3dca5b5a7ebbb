"""Predicted curves, the baseline and tests of proportionality against R; what leaves of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cox_cases import FIXTURE, SETS, close, fit, named
from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, DisclosureError, ParameterError
from epi.survival import build_survival, fit_cox

FULL = [case for case in FIXTURE["cox"] if "rows" in case]


@pytest.mark.parametrize("case", FULL, ids=named)
def test_predicted_curves_equal_survfit(case: dict[str, Any]) -> None:
    found = fit(case)
    profiles = pd.DataFrame(case["profiles"])
    profiles = profiles.rename(columns=lambda name: name.removeprefix("factor(").removesuffix(")"))
    for kind, curves in case["curves"].items():
        more: dict[str, Any] = {"interval": "log" if kind == "log" else "log-log"}
        if kind == "started":
            # R keeps the events of the start itself; here a curve starts after it.
            more["from_years"] = (case["start"] - 1) / 365.25
        for curve in curves:
            asked = np.asarray(curve["time"]) / 365.25
            table = found.predict_survival(profiles, at_years=asked, **more).table
            if curve["stratum"]:
                table = table[table["stratum"] == curve["stratum"]]
            for at, name in enumerate(map(str, profiles.index)):
                mine = table[table["profile"] == name]
                survival = np.asarray(curve["surv"], dtype=float)[:, at]
                close(mine["hazard"], np.asarray(curve["cumhaz"], dtype=float)[:, at])
                close(mine["survival"], survival)
                if case["weight"] or case["cluster"]:
                    # R counts a weight of 2 as two persons there, and no cluster: see test_curve_influence.
                    continue
                close(mine["hazard_se"], np.asarray(curve["se"], dtype=float)[:, at])
                # Where the curve is still 1 the log-log scale has no limits here; R gives 1.
                moved = survival < 1
                for column, key in (("ci_low", "low"), ("ci_high", "high")):
                    limits = np.asarray(curve[key], dtype=float)[:, at]
                    close(mine[column][moved], limits[moved])


@pytest.mark.parametrize("case", FULL, ids=named)
@pytest.mark.parametrize("transform", ["km", "rank", "identity", "log"])
def test_proportionality_equals_cox_zph(case: dict[str, Any], transform: Any) -> None:
    if case["weight"]:
        # R's statistic is multiplied with the weights, though their unit is nobody's.
        with pytest.raises(ParameterError, match="of a model with weights"):
            fit(case).check_proportional(transform)
        return
    found = fit(case).check_proportional(transform)
    close(found.table[["statistic", "df", "p"]], case["zph"][transform], 1e-7)


def test_baseline_is_the_curve_of_the_reference() -> None:
    case = next(c for c in FULL if c["strata"] and c["entry"])
    found = fit(case)
    baseline = found.baseline()
    whole = found.predict_survival(pd.DataFrame({name: [0] for name in case["x"]}), level=0.9)
    assert whole.settings["level"] == 0.9
    close(baseline["hazard"], whole.table["hazard"])
    close(baseline["se"], whole.table["hazard_se"])
    table = SETS[case["set"]]
    row = baseline.iloc[5]
    inside = table[table[case["strata"]].astype(str) == row["stratum"]]
    assert row["at_risk"] == ((inside["entry"] < row["time"]) & (inside["exit"] >= row["time"])).sum()
    assert row["events"] == ((inside["exit"] == row["time"]) & (inside["event"] == 1)).sum()


def cohort(size: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    table = pd.DataFrame({"entry": rng.integers(0, 3000, size), "old": rng.integers(0, 2, size),
                          "site": rng.choice(["Lyon", "Nantes"], size)})  # fmt: skip
    stay = np.minimum(rng.exponential(4000 / (1 + table["old"])), rng.uniform(100, 4000, size)).astype(int) + 1
    table["event"] = (rng.random(size) < 0.6).astype(int)
    return table.assign(exit=table["entry"] + stay)


def test_published_predictions_tell_of_enough_persons() -> None:
    data = build_survival(cohort(), entry="entry", exit="exit", event="event", strata="site", scale="age")
    model = fit_cox(data, ["old"])
    curves = model.predict_survival(pd.DataFrame({"old": [0, 1]}, index=["young", "old"]))
    release = curves.release()
    decision = check_release(release, read_policy())
    assert not decision.refused
    assert decision.n_hidden == 0
    assert ((release.table["events"] == 0) | (release.table["events"] > 10)).all()
    assert set(release.table["group"]) == {"Lyon", "Nantes"}
    row = release.table.iloc[3]
    exact = curves.table[(curves.table["profile"] == "old") & (curves.table["stratum"] == row["group"])]
    # Years are published to the second decimal: the value is the curve's on one of a few days.
    near = exact[exact["time"] <= (row["years"] + 0.005) * 365.25].tail(10)
    assert (near["survival"].round(4) == row["survival_old"]).any()
    for lang in ("fr", "en"):
        chart = curves.chart(lang=lang)  # type: ignore[arg-type]
        figure = chart.figure(decision.table)
        assert [axis.get_title(loc="left") for axis in figure.axes] == ["Lyon", "Nantes"]
        drawn = figure.axes[0].lines[0].get_ydata()
        close(drawn, decision.table.loc[decision.table["group"] == "Lyon", "survival_young"])
    assert "Survie prédite sans event" in curves.chart(lang="fr").release().title
    gone = decision.table.copy()
    gone[[name for name in gone if name.startswith("survival")]] = np.nan
    assert "hidden" in curves.chart().figure(gone).axes[0].texts[0].get_text()
    later = model.predict_survival(pd.DataFrame({"old": [1]}), from_years=4.1)
    # From the curves' start to the first event told of, too, nothing is told of few.
    table = later.release().table
    assert table["years"].min() >= 4.1
    for site, rows in table.groupby("group"):
        row = rows[rows["events"] > 0].iloc[0]
        inside = (data.covariates["site"] == site) & (data.event > 0) & (data.exit > 4.1 * 365.25)
        assert row["events"] == (inside & (data.exit < (row["years"] + 0.005) * 365.25)).sum()
        assert row["events"] > 10
        assert rows["survival_0"].iloc[0] == 1
    assert "4.10 years" in later.release().title
    with pytest.raises(DisclosureError, match="chosen times"):
        model.predict_survival(pd.DataFrame({"old": [1]}), at_years=[2]).release()
    tests = check_release(model.check_proportional().release(), read_policy())
    assert not tests.refused


def test_bad_profiles_and_options_are_told() -> None:
    table = cohort(200).assign(kind=pd.Categorical(np.tile(["a", "b"], 100)))
    model = fit_cox(build_survival(table, entry="entry", exit="exit", event="event"), ["old", "kind"])
    with pytest.raises(ParameterError, match="no column kind"):
        model.predict_survival(pd.DataFrame({"old": [1]}))
    with pytest.raises(DataError) as told:
        model.predict_survival(pd.DataFrame({"old": [np.nan], "kind": ["c"]}))
    assert len(told.value.faults) == 2
    fine = pd.DataFrame({"old": [1], "kind": ["b"]})
    with pytest.raises(ParameterError, match="one name"):
        model.predict_survival(pd.concat([fine, fine]))
    with pytest.raises(ParameterError, match="before from_years"):
        model.predict_survival(fine, at_years=[1], from_years=2)
    with pytest.raises(ParameterError, match="interval"):
        model.predict_survival(fine, interval="exact")  # type: ignore[arg-type]
    beyond = model.predict_survival(fine, at_years=[0, 100]).table
    assert beyond["survival"].iloc[0] == 1
    assert np.isnan(beyond["survival"].iloc[1])
    with pytest.raises(ParameterError, match="transform is 'sqrt'"):
        model.check_proportional("sqrt")  # type: ignore[arg-type]
    early = build_survival(
        table.assign(entry=table["entry"] - 3000, exit=table["exit"] - 3000), entry="entry", exit="exit", event="event"
    )
    with pytest.raises(ParameterError, match="above 0"):
        fit_cox(early, ["old"]).check_proportional("log")
    with pytest.raises(ParameterError, match="kind is 'cox-snell'"):
        model.residuals("cox-snell")  # type: ignore[arg-type]
