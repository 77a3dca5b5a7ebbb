"""Who is studied, in which era, and when they are at risk: the study's definitions, in one place.

The notebooks call these and hold no logic of their own. Every filter writes its row of attrition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from diseases import DISEASES, Disease

from epi.codes import screening_calendar, screening_coverage
from epi.cohort import Cohort
from epi.errors import EstimationError, ParameterError
from epi.survival import Ascertainment, SurvivalData, build_survival, estimate_ascertainment
from epi.workspace import Workspace

Lost = Literal["censored", "alive", "dead"]
ERAS = {"en": ("before screening", "with screening"), "fr": ("avant le dépistage", "avec dépistage")}
"""Births in areas and periods without and with screening; the first is the reference."""
DEATH = {"en": "death", "fr": "décès"}
"""What the event is called."""


def check_choice(diseases: Sequence[str], main_disease: str) -> None:
    """Refuse a main disease that is not among those studied, before anything is computed.

    Parameters
    ----------
    diseases : sequence of str
        Screened diseases studied.
    main_disease : str
        The disease of the curves.

    Raises
    ------
    ParameterError
        If it is not among them.
    """
    if main_disease not in diseases:
        raise ParameterError(
            f"parameter 'main_disease' is {main_disease!r}, which 'diseases' leaves out",
            f"one of {', '.join(diseases)}",
            f"-p main_disease={diseases[0]}" if diseases else "-p diseases=…",
        )


def select_patients(
    workspace: Workspace,
    disease: Disease,
    *,
    born_from: str,
    until: str,
    statuses: Sequence[str] = ("confirmed", "probable"),
    mild_forms: bool = False,
    lost: Lost = "censored",
    grace_days: int = 500,
    lang: str = "en",
) -> Cohort:
    """Define the patients of a disease, and when they are at risk.

    Parameters
    ----------
    workspace : Workspace
        The data.
    disease : Disease
        The disease.
    born_from, until : str
        First day of birth; last day of follow-up, and of birth.
    statuses : sequence of str
        Diagnosis statuses that make a case.
    mild_forms : bool
        Whether the forms that screening finds and that kill nobody are counted.
    lost : {"censored", "alive", "dead"}
        What is made of those without news: followed until the last news and a grace period, or to the end.
    grace_days : int
        Time after the last news during which a patient stays at risk.
    lang : {"en", "fr"}
        Language of the cohort's name.

    Returns
    -------
    Cohort
        The patients, followed from their first record.
    """
    codes = list(disease.codes.orpha_codes)
    if mild_forms and disease.mild_codes is not None:
        codes += disease.mild_codes.orpha_codes
    followed: dict[str, Any] = {"entry": "first_record", "until": until}
    if lost != "alive":
        followed |= {"end": "last_news", "grace_days": grace_days}
    return (
        workspace.cohort(disease.name(lang))
        .diagnosed_with(codes, descendants=False, status=set(statuses))
        .born_between(born_from, until)
        .born_in_france()
        .of_sex({"F", "M"})
        .index_on("birth")
        .followed("birth", **followed)
    )


def collect_members(workspace: Workspace, keys: Iterable[str], **options: Any) -> pd.DataFrame:
    """Lay out the patients of several diseases, one row for each patient and disease.

    Parameters
    ----------
    workspace : Workspace
        The data.
    keys : iterable of str
        Short names of diseases.
    **options : Any
        As in :func:`select_patients`.

    Returns
    -------
    pandas.DataFrame
        ``key``, ``sex``, ``departement`` (of birth), ``screened`` (whether newborns of the place and day were), the
        dates of birth, diagnosis, entry and exit, and ``died``.
    """
    parts = []
    for key in keys:
        members = select_patients(workspace, DISEASES[key], **options).members
        place = departement_of(members["birth_commune"])
        coverage = screening_coverage(DISEASES[key].calendar, place, members["birth_date"])
        told = members[["sex", "birth_date", "diagnosis_date", "entry_date", "exit_date"]]
        died = members["died"].fillna(False).astype(bool)
        screened = ~np.isin(np.asarray(coverage), ["none"])
        parts.append(told.assign(key=key, died=died, departement=place, screened=screened))
    return pd.concat(parts, ignore_index=True)


def follow_members(
    members: pd.DataFrame,
    *,
    until: str,
    lost: Lost = "censored",
    start: Literal["first_record", "birth", "diagnosis"] = "first_record",
    lang: str = "en",
) -> SurvivalData:
    """Follow patients on the scale of age, from their first record on.

    Parameters
    ----------
    members : pandas.DataFrame
        From :func:`collect_members`.
    until : str
        Last day of follow-up.
    lost : {"censored", "alive", "dead"}
        What was made of those without news.
    start : {"first_record", "birth", "diagnosis"}
        When time at risk begins. The last two are the naive analyses: they count years during which nobody could
        have been seen to die; with ``"diagnosis"`` time is that since diagnosis.
    lang : {"en", "fr"}
        Language of the groups and of the event.

    Returns
    -------
    SurvivalData
        With ``disease``, ``key``, ``control``, ``era``, ``screened``, ``sex``, ``born`` (year), ``departement`` and
        ``diagnosis_age_days`` (missing where the date is unknown).
    """
    before, after = ERAS[lang]
    names = {key: DISEASES[key].name(lang) for key in dict.fromkeys(members["key"])}
    died = members["died"]
    if lost == "dead":
        died = died | (members["exit_date"] < pd.Timestamp(until))
    people = members.assign(
        event=died.astype(int),
        control=members["key"].map({key: disease.control for key, disease in DISEASES.items()}),
        disease=pd.Categorical(members["key"].map(names), categories=list(names.values())),
        era=pd.Categorical(np.where(members["screened"], after, before), categories=[before, after]),
        born=members["birth_date"].dt.year,
        diagnosis_age_days=(members["diagnosis_date"] - members["birth_date"]).dt.days,
    )
    told: dict[str, Any] = {
        "exit": "exit_date", "event": "event", "causes": {1: DEATH[lang]},
        "covariates": ["disease", "key", "control", "era", "screened", "sex", "born", "departement",
                       "diagnosis_age_days"],
    }  # fmt: skip
    if start == "diagnosis":
        known = people["diagnosis_date"].between(people["birth_date"], people["exit_date"] - pd.Timedelta(days=1))
        return build_survival(
            people[known], origin="diagnosis_date", birth="birth_date", scale="since_diagnosis", **told
        )
    if start == "first_record":
        told["entry"] = "entry_date"
    return build_survival(people, origin="birth_date", scale="age", **told)


def departement_of(commune: pd.Series) -> pd.Series:
    """Read the département in a commune's code: three characters overseas.

    Parameters
    ----------
    commune : pandas.Series
        INSEE codes of any year.

    Returns
    -------
    pandas.Series
        Départements; missing where the code is.
    """
    overseas = commune.str.startswith(("97", "98"))
    return commune.str[:2].where(~overseas.fillna(False).astype(bool), commune.str[:3])


def only(data: SurvivalData, key: str) -> SurvivalData:
    """Keep one disease.

    Parameters
    ----------
    data : SurvivalData
        Follow-up of several.
    key : str
        Its short name.

    Returns
    -------
    SurvivalData
        Its patients.
    """
    return data.select((data.covariates["key"] == key).to_numpy())


def dated(data: SurvivalData) -> SurvivalData:
    """Keep patients whose date of diagnosis is known; a diagnosis before the middle of the month of birth is at birth.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    SurvivalData
        Those dated.
    """
    kept = data.select(data.covariates["diagnosis_age_days"].notna().to_numpy())
    age = kept.covariates["diagnosis_age_days"].clip(lower=0)
    return replace(kept, covariates=kept.covariates.assign(diagnosis_age_days=age))


def observed_births(
    members: pd.DataFrame, births: pd.DataFrame, keys: Iterable[str], *, width: int = 5, lang: str = "en"
) -> Ascertainment:
    """Compare patients with births times incidence, by disease and years of birth.

    Parameters
    ----------
    members : pandas.DataFrame
        From :func:`collect_members`.
    births : pandas.DataFrame
        Live births of the territory: ``departement``, ``year``, ``births``.
    keys : iterable of str
        Short names of the diseases. One whose incidence is published for overseas *départements* alone is compared
        with the births of these; one for which there is none among all births is left out.
    width : int
        Years of birth taken together.
    lang : {"en", "fr"}
        Language of the diseases' names.

    Returns
    -------
    Ascertainment
        The curves.
    """
    overseas = births["departement"].str.len() == 3
    seen, born, incidence = [], [], []
    for key in keys:
        found = _published_incidence(DISEASES[key])
        if found is None:
            continue
        rate, only_overseas = found
        name, mine, there = DISEASES[key].name(lang), members[members["key"] == key], births
        if only_overseas:
            name += {"en": " (overseas)", "fr": " (outre-mer)"}[lang]
            mine, there = mine[mine["departement"].str.len() == 3], births[overseas]
        total = there.rename(columns={"year": "birth_year"}).groupby("birth_year", as_index=False)["births"].sum()
        seen.append(mine.assign(birth_year=mine["birth_date"].dt.year, disease=name)[["birth_year", "disease"]])
        born.append(total.assign(disease=name))
        incidence.append({"disease": name, "incidence": rate})
    if not seen:
        raise EstimationError(
            "no incidence among all births is published: it was of some areas, or of newborns tested",
            "a disease with one incidence",
        )
    return estimate_ascertainment(pd.concat(seen), pd.DataFrame(incidence), pd.concat(born), by="disease", width=width)


def _published_incidence(disease: Disease) -> tuple[float, bool] | None:
    """Read the incidence among all births in the calendar, and whether it is that of overseas départements alone."""
    calendar = screening_calendar()
    rows = calendar[(calendar["disease"] == disease.calendar) & calendar["incidence_per_100k_births"].notna()]
    if disease.control or rows.empty:
        return None
    rates = rows["incidence_per_100k_births"].unique()
    if len(rates) == 1:
        return float(rates[0]), False
    # Elsewhere newborns were chosen for the test, and its incidence is of those tested.
    rows = rows[[bool(listed) and all(len(code) == 3 for code in listed) for listed in rows["departements"]]]
    rates = rows["incidence_per_100k_births"].unique()
    return (float(rates[0]), True) if len(rates) == 1 else None
