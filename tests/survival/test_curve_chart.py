"""Pictures hold what the gate leaves, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import ParameterError
from epi.plotting import Chart
from epi.survival import (
    SurvivalData,
    build_survival,
    estimate_cumulative_hazard,
    estimate_cumulative_incidence,
    estimate_survival,
)


@pytest.fixture(scope="module")
def data() -> SurvivalData:
    rng = np.random.default_rng(2)
    size = 1200
    stay = np.minimum(rng.exponential(3000, size), rng.uniform(500, 6000, size)).astype(int) + 1
    entry = rng.integers(0, 20, size) * 365
    table = pd.DataFrame({"entry": entry, "exit": entry + stay, "what": rng.integers(0, 3, size)})
    table["era"], table["disease"] = rng.choice(["before", "after"], size), rng.choice(list("ABCDEFG"), size)
    causes = {1: "décès", 2: "greffe"}
    return build_survival(table, entry="entry", exit="exit", event="what", causes=causes, scale="age")


def texts(chart: Chart, table: pd.DataFrame | None = None) -> list[str]:
    figure = chart.figure(table)
    found = [text.get_text() for axis in figure.axes for text in axis.texts]
    return [*found, *(axis.get_xlabel() for axis in figure.axes), figure.get_suptitle()]


def test_survival_curves_with_numbers_at_risk(data: SurvivalData) -> None:
    chart = estimate_survival(data, by="era", cause="décès").chart(lang="fr")
    decision = check_release(chart.release(), read_policy())
    assert not decision.refused
    said = texts(chart, decision.table)
    assert "Survie sans décès" in said
    assert "Âge (années)" in said
    assert "À risque" in said
    table = decision.table
    whole = table[(table["group"] == "after") & (table["years"] == 10)]["at_risk"]
    assert str(int(whole.iloc[0])) in said
    assert chart.release().labels["at_risk"] == "À risque après"
    assert "d'au moins 11" in chart.release().note


def test_lines_hold_published_values_only(data: SurvivalData) -> None:
    chart = estimate_survival(data, by="era").chart()
    table = chart.release().table.copy()
    table.loc[table.index[5], ["survival", "ci_low", "ci_high", "at_risk"]] = np.nan
    figure = chart.figure(table)
    drawn = np.concatenate([line.get_ydata() for line in figure.axes[0].lines])
    assert np.isnan(drawn).sum() == 1
    assert set(drawn[~np.isnan(drawn)]) == set(table["survival"].dropna())
    assert "some values are hidden: small counts" in texts(chart, table)
    table[["survival", "ci_low", "ci_high"]] = np.nan
    assert "All values are hidden: small counts" in texts(chart, table)


def test_a_common_start_is_drawn(data: SurvivalData) -> None:
    held = estimate_survival(data, by="era").conditional(minimal=60)
    chart = held.chart()
    assert "from" in chart.release().title
    first = chart.release().table.groupby("group").first()
    assert (first["survival"] == 1).all()


def test_incidences_one_on_the_other(data: SurvivalData) -> None:
    found = estimate_cumulative_incidence(data, by="era")
    chart = found.chart_stack(lang="fr")
    decision = check_release(chart.release(), read_policy())
    assert not decision.refused
    figure = chart.figure(decision.table)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["after", "before"]
    legend = figure.axes[-1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["sans événement", "greffe", "décès"]
    assert chart.release().labels["incidence_2"] == "greffe : incidence cumulée"
    lines = found.chart("greffe")
    assert "Cumulative incidence of greffe" in texts(lines)
    assert estimate_cumulative_hazard(data, by="era").chart().figure().axes


def test_too_many_groups_are_refused(data: SurvivalData) -> None:
    with pytest.raises(ParameterError, match="7 groups"):
        estimate_survival(data, by="disease").chart()
    with pytest.raises(ParameterError, match="lang is 'de'"):
        estimate_survival(data, by="era").chart(lang="de")  # type: ignore[arg-type]
