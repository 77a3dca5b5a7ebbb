"""Clusters of correlated exposures, and the forms in which an exposure enters a model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from epi.errors import EstimationError, ParameterError
from epi.exposure import cluster_exposures, encode_exposure, enrich
from epi.plotting import render
from exposure.small_france import ABOUT


def areas(n=200, seed=3):
    rng = np.random.default_rng(seed)
    traffic, rural = rng.standard_normal((2, n))
    return pd.DataFrame(
        {
            "no2": np.exp(traffic),
            "pm25": traffic + 0.3 * rng.standard_normal(n),
            "noise": 55 + 5 * traffic + 0.5 * rng.standard_normal(n),
            "trees": -rural,
            "pesticides": rural + 0.2 * rng.standard_normal(n),
            "radon": np.round(rng.standard_normal(n), 1),
            "people": rng.integers(10, 1000, n),
        }
    )


NAMES = ["no2", "pm25", "noise", "trees", "pesticides", "radon"]


def groups(found):
    return {frozenset(part) for part in found.table.groupby("cluster")["exposure"].agg(list)}


def test_planted_groups_are_found_whatever_sign_and_scale():
    frame = areas()
    found = cluster_exposures(frame, NAMES)
    assert groups(found) == {
        frozenset({"no2", "pm25", "noise"}),
        frozenset({"trees", "pesticides"}),
        frozenset({"radon"}),
    }
    assert found.table["cluster"].is_monotonic_increasing
    assert len(found.representatives) == 3
    members = found.table[found.table["exposure"].isin(["no2", "pm25", "noise"])].set_index("exposure")
    assert members["mean_abs_rho"].idxmax() == members.index[members["representative"]][0]
    expected = spearmanr(frame[found.correlation.index.tolist()]).statistic
    np.testing.assert_allclose(found.correlation, expected, atol=1e-12)
    assert len(groups(cluster_exposures(frame, NAMES, minimum_rho=0.999))) == 6
    assert len(groups(cluster_exposures(frame, NAMES, minimum_rho=0.001, linkage="single"))) == 1


def test_weights_count_rows_as_often():
    frame = areas(60)
    frame["people"] = frame["people"] % 7
    repeated = frame.loc[frame.index.repeat(frame["people"])]
    weighted = cluster_exposures(frame, NAMES, weights="people")
    plain = cluster_exposures(repeated, NAMES)
    np.testing.assert_allclose(weighted.correlation.loc[NAMES, NAMES], plain.correlation.loc[NAMES, NAMES], atol=1e-12)


@given(st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_neither_the_order_of_rows_nor_of_columns_counts(random):
    frame = areas(50)
    frame.loc[3, "no2"] = np.nan
    rows, names = list(range(50)), list(NAMES)
    random.shuffle(rows)
    random.shuffle(names)
    first, again = cluster_exposures(frame, NAMES), cluster_exposures(frame.iloc[rows], names)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    pd.testing.assert_frame_equal(first.correlation, again.correlation, check_exact=True)
    assert first.settings["left_out"] == 1


def test_members_bring_their_labels_and_the_figure_is_drawn_from_its_table():
    codes = ["38185", "38421", "69123", "73065"]
    file = pd.DataFrame({"insee_code": codes, "pm25_ugm3": [1.0, 2, 3, 4], "fdep_like": [4.0, 3, 2, 0]})
    people = pd.DataFrame({"patient_id": list("abcd"), "insee_code": codes})
    found = cluster_exposures(enrich(people, reference=file, about=ABOUT))
    assert set(found.table["label_fr"]) == {"Particules fines (PM2,5)", "Indice de défavorisation"}
    assert found.table["cluster"].tolist() == [1, 1]
    assert found.representatives == ["fdep_like"]  # equals: the first by name
    chart = found.chart_correlations(lang="fr")
    assert render(chart.figure())[:4] == b"\x89PNG"
    assert set(chart.data.table.columns) == {"exposure", "other", "rho"}
    assert found.release().not_counts == ("cluster",)
    with pytest.raises(ParameterError):
        found.chart_correlations(lang="de")


def test_what_cannot_be_clustered_is_refused_all_at_once():
    frame = areas(20).assign(word="a")
    with pytest.raises(ParameterError) as caught:
        cluster_exposures(frame, ["word", "ozone"], minimum_rho=2, linkage="ward", weights="nobody")
    assert len(caught.value.faults) == 5
    with pytest.raises(EstimationError, match="same value everywhere"):
        cluster_exposures(frame.assign(radon=1.0), NAMES)
    with pytest.raises(EstimationError, match="three or more"):
        cluster_exposures(frame.head(2), NAMES)


def test_forms_of_an_exposure():
    values = pd.Series([1.0, 2.0, 4.0, 8.0, 16.0, np.nan], name="pm", index=list("abcdef"))
    assert encode_exposure(values, "iqr").columns["pm"].tolist()[:2] == [1 / 6, 2 / 6]
    assert encode_exposure(values, "log2").columns["pm"].tolist()[:5] == [0, 1, 2, 3, 4]
    cut = encode_exposure(values, "quantiles", classes=2)
    assert cut.classes.tolist()[:5] == ["Q1", "Q1", "Q1", "Q2", "Q2"]
    assert cut.breaks == (4.0,)
    assert cut.columns["pm_Q2"].isna().tolist() == [False] * 5 + [True]
    bent = encode_exposure(values, "spline", df=2)
    assert bent.columns.shape == (6, 2)
    assert bent.columns.iloc[-1].isna().all()
    assert bent.breaks == (1.0, 4.0, 16.0)
    assert bent.n == 5
    with pytest.raises(EstimationError, match="zero or negative"):
        encode_exposure(values - 1, "log2")
    with pytest.raises(ParameterError):
        encode_exposure(values, "cubic")
