"""What the page shows of patients and models: tables by disease and era, names of covariates, detectable ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from epi.disclosure import read_policy
from epi.errors import EstimationError
from epi.plotting import Chart
from epi.results import Counted, Release
from epi.survival import CoxModel, RatioForest, RatioTable, SurvivalData

POWER = 2.8016
"""Standard errors between no effect and one that is found in four studies out of five: 1.96 + 0.8416."""

NAMES = {
    "en": {"era": "Era of birth", "period": "Calendar year", "sex": "Sex", "area": "Screening began in",
           "cohort": "Years of birth"},
    "fr": {"era": "Ère de naissance", "period": "Année civile", "sex": "Sexe", "area": "Début du dépistage",
           "cohort": "Années de naissance"},
}  # fmt: skip
"""What covariates are called on the page."""


def names_of(model: RatioTable, lang: str = "en") -> dict[str, str]:
    """Say what a model's covariates are called on the page.

    Parameters
    ----------
    model : RatioTable
        The model.
    lang : {"en", "fr"}
        Language.

    Returns
    -------
    dict
        Column to name.
    """
    return {name: NAMES[lang][name] for name in model.terms.covariates}


def chart_effect(model: RatioTable, lang: str = "en") -> Chart:
    """Draw a model's ratios with the names of the page.

    Parameters
    ----------
    model : RatioTable
        The model.
    lang : {"en", "fr"}
        Language.

    Returns
    -------
    Chart
        The forest plot.
    """
    return model.chart(lang=lang, names=names_of(model, lang))


def check_proportions(model: CoxModel, lang: str = "en") -> Release:
    """Test whether hazards are proportional, with the names of the page.

    Parameters
    ----------
    model : CoxModel
        The model.
    lang : {"en", "fr"}
        Language.

    Returns
    -------
    Release
        A test of each covariate, and of all.
    """
    return model.check_proportional().release(lang=lang, names=names_of(model, lang))


def detectable(forest: RatioForest, lang: str = "en") -> Release:
    """Say what effect each analysis could have found.

    Parameters
    ----------
    forest : RatioForest
        Ratios with their standard errors.
    lang : {"en", "fr"}
        Language.

    Returns
    -------
    Release
        By analysis, the ratio below one that would be found in four studies out of five.
    """
    known = forest.table[forest.table["reason"] == ""]
    if known.empty:
        raise EstimationError("no ratio could be estimated", "patients of both eras at common ages")
    table = known[["name", "persons", "events"]].assign(ratio=np.exp(-POWER * known["se"]).round(2))
    words = {
        "en": ("What could have been found", "Ratio found in four studies out of five, by the standard error here.",
               "Analysis", "Persons", "Deaths", "Ratio"),
        "fr": ("Ce qui aurait pu être trouvé", "Rapport trouvé dans quatre études sur cinq, d'après l'erreur type.",
               "Analyse", "Personnes", "Décès", "Rapport"),
    }[lang]  # fmt: skip
    return Release(
        table.reset_index(drop=True),
        (Counted("persons", derived=("events", "ratio")), Counted("events", of="persons", derived=("ratio",))),
        words[0], words[1], labels=dict(zip(table.columns, words[2:], strict=True)),
    )  # fmt: skip


def by_era_where_enough(data: SurvivalData, lang: str = "en") -> SurvivalData:
    """Take both eras of a disease together where one has few patients: the flow chart tells how many there are in all.

    Parameters
    ----------
    data : SurvivalData
        All diseases.
    lang : {"en", "fr"}
        Language.

    Returns
    -------
    SurvivalData
        The same, ``era`` being "all births" in such diseases.
    """
    people, least = data.covariates, read_policy().min_count
    sizes = people.groupby(["disease", "era"], observed=False).size()
    few = sizes[(sizes > 0) & (sizes < least)].index.get_level_values("disease")
    whole = {"en": "all births", "fr": "toutes les naissances"}[lang]
    categories = [*people["era"].cat.categories, whole]
    era = pd.Categorical(people["era"].astype(str).where(~people["disease"].isin(few), whole), categories=categories)
    return replace(data, covariates=people.assign(era=era))


def follow_up_table(data: SurvivalData, lang: str = "en") -> Release:
    """Lay out who is followed: patients, deaths and person-years by disease and era.

    Parameters
    ----------
    data : SurvivalData
        All diseases.
    lang : {"en", "fr"}
        Language.

    Returns
    -------
    Release
        A row for each disease and era.
    """
    frame = data.covariates[["disease", "era"]].assign(
        years=(data.exit - data.entry) / 365.25, entry=data.entry / 365.25, death=(data.event > 0).astype(int)
    )
    table = frame.groupby(["disease", "era"], observed=True).agg(
        patients=("death", "size"), deaths=("death", "sum"), person_years=("years", "sum"), entry=("entry", "median")
    )
    table = table.reset_index().astype({"disease": str, "era": str})
    table["person_years"], table["entry"] = table["person_years"].round(0).astype(int), table["entry"].round(1)
    words: Mapping[str, Any] = {
        "en": ("Patients and follow-up", "From the first record on; age in years at which time at risk begins, median.",
               "Disease", "Era of birth", "Patients", "Deaths", "Person-years", "Age at entry"),
        "fr": ("Patients et suivi", "À partir du premier enregistrement ; âge médian, en années, à l'entrée.",
               "Maladie", "Ère de naissance", "Patients", "Décès", "Personnes-années", "Âge à l'entrée"),
    }[lang]  # fmt: skip
    fallen = ("person_years", "entry")
    return Release(
        # The numbers of all patients and deaths are results of the study: a single hidden cell could be found.
        table,
        (Counted("patients", adds_up_within=(), derived=("deaths", *fallen)),
         Counted("deaths", of="patients", adds_up_within=())),
        words[0], words[1], ("person_years",), dict(zip(table.columns, words[2:], strict=True)),
    )  # fmt: skip
