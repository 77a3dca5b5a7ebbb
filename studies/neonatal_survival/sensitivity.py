"""Other choices that could have been made, and the naive analyses, shown for what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from design import collect_members, follow_members
from diseases import DISEASES
from effect import fit_ages, fit_effect, term_of

from epi.errors import EpiError
from epi.survival import CoxModel, RatioForest, SurvivalData, collect_ratios
from epi.workspace import Workspace

WORDS: dict[str, tuple[str, str]] = {
    "main": ("Main analysis", "Analyse principale"),
    "alive": ("Lost: taken as alive", "Perdus de vue : vivants"),
    "dead": ("Lost: taken as dead", "Perdus de vue : décédés"),
    "confirmed": ("Confirmed diagnoses only", "Diagnostics confirmés seuls"),
    "mild": ("With the mild forms", "Avec les formes modérées"),
    "no_period": ("Without period", "Sans la période"),
    "all_ages": ("All ages, no common window", "Tous les âges, sans fenêtre commune"),
    "since_birth": ("Naive: at risk since birth", "Naïve : à risque depuis la naissance"),
    "since_diagnosis": ("Naive: since diagnosis", "Naïve : depuis le diagnostic"),
}
"""The analyses, in the order of the page; the last two are wrong, and shown to be."""

NAIVE = ("since_birth", "since_diagnosis")


def fit_variants(
    workspace: Workspace, members: pd.DataFrame, key: str, *, minimum: int, lost: str, lang: str = "en", **options: Any
) -> RatioForest:
    """Estimate the effect in one disease under every choice.

    Parameters
    ----------
    workspace : Workspace
        The data.
    members : pandas.DataFrame
        Patients of the main analysis.
    key : str
        Short name of the disease.
    minimum : int
        Persons at risk in each era over the common window.
    lost : {"censored", "alive", "dead"}
        The main analysis's choice.
    lang : {"en", "fr"}
        Language.
    **options : Any
        The main analysis's definition, as in ``design.select_patients``.

    Returns
    -------
    RatioForest
        Hazard ratios; those that cannot be estimated say why.
    """
    until = options["until"]
    mine = members[members["key"] == key]

    def again(**other: Any) -> SurvivalData:
        chosen = {**options, "lost": lost, **other}
        return follow_members(collect_members(workspace, [key], **chosen), until=until, lost=chosen["lost"], lang=lang)

    def given(**other: Any) -> SurvivalData:
        return follow_members(mine, until=until, **{"lost": lost, "lang": lang, **other})

    ways = {
        "main": lambda: fit_effect(given(), minimum=minimum),
        "alive": lambda: fit_effect(again(lost="alive"), minimum=minimum),
        "dead": lambda: fit_effect(given(lost="dead") if lost != "alive" else again(lost="dead"), minimum=minimum),
        "confirmed": lambda: fit_effect(again(statuses=["confirmed"]), minimum=minimum),
        "mild": lambda: fit_effect(again(mild_forms=True), minimum=minimum),
        "no_period": lambda: fit_effect(given(), minimum=minimum, period=False),
        "all_ages": lambda: fit_ages(given()),
        "since_birth": lambda: fit_ages(given(start="birth"), period=False),
        "since_diagnosis": lambda: fit_ages(given(start="diagnosis"), period=False),
    }
    if DISEASES[key].mild_codes is None:
        del ways["mild"]
    at = 1 if lang == "fr" else 0
    models: dict[str, CoxModel | EpiError] = {}
    for name, fit in ways.items():
        try:
            models[WORDS[name][at]] = fit()
        except EpiError as refusal:
            models[WORDS[name][at]] = refusal
    sizes: Mapping[str, SurvivalData] = {WORDS[name][at]: given() for name in ways}
    return collect_ratios(models, term_of(given()), overlapping=True, sizes=sizes)
