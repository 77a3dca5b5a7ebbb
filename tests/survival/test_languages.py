"""What leaves in two languages: the same numbers, other words, names of covariates where they are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import check_release, read_policy
from epi.errors import ParameterError
from epi.survival import (
    build_survival,
    check_quasi_independence,
    compare_incidence,
    compare_rmst,
    compare_survival,
    fit_cox,
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    size = 400
    entry = rng.integers(0, 300, size)
    stay = rng.integers(1, 900, size)
    table = pd.DataFrame({"start": entry, "end": entry + stay, "died": rng.integers(0, 2, size),
                          "arm": rng.choice(["a", "b"], size), "age": rng.integers(40, 80, size)})  # fmt: skip
    return build_survival(table, entry="start", exit="end", event="died", covariates=["arm", "age"])


def test_tables_have_the_same_numbers_and_other_words(data):
    zero = build_survival(
        pd.DataFrame({"end": data.exit - data.entry, "what": data.event * (1 + np.arange(len(data)) % 2),
                      "arm": data.covariates["arm"]}),
        exit="end", event="what", causes={1: "relapse", 2: "death"}, covariates=["arm"],
    )  # fmt: skip
    model = fit_cox(data, ["arm", "age"], reference={"arm": "a"})
    for found, english, french in (
        (compare_survival(data, "arm"), "Log-rank test", "Test du log-rank"),
        (compare_survival(data, "arm", test="peto"), "Peto-Peto test", "Test de Peto-Peto"),
        (compare_incidence(zero, "arm", cause="relapse"), "Gray's test of relapse", "Test de Gray : relapse"),
        (compare_rmst(data, 700, "arm", start=200), "Mean time without event", "Temps moyen sans événement"),
        (check_quasi_independence(data), "Conditional Kendall's tau", "Tau de Kendall conditionnel"),
        (model.check_proportional(), "Tests of proportional hazards", "Tests des risques proportionnels"),
    ):
        one, two = found.release(), found.release(lang="fr")
        assert one.title.startswith(english)
        assert two.title.startswith(french)
        assert two.note != one.note
        assert set(one.labels) == set(two.labels) == set(one.table.columns)
        numbers = [part.table.select_dtypes("number") for part in (one, two)]
        pd.testing.assert_frame_equal(*numbers)
        check_release(two, read_policy())
        with pytest.raises(ParameterError, match="lang is 'de'"):
            found.release(lang="de")


def test_covariates_have_the_names_that_are_given(data):
    model = fit_cox(data, ["arm", "age"], reference={"arm": "a"})
    release = model.release(names={"arm": "Bras", "age": "Âge"}, lang="fr")
    assert release.table["covariate"].tolist() == ["Bras", "Bras", "Âge"]
    assert model.release().table["covariate"].tolist() == ["arm", "arm", "age"]
    shown = model.check_proportional().release(names={"arm": "Bras"}, lang="fr").table["covariate"]
    assert shown.tolist() == ["Bras", "age", "toutes les covariables"]
    with pytest.raises(ParameterError, match="names has weight"):
        model.chart(names={"weight": "Poids"})
