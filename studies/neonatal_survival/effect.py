"""The effect of screening: by disease, against controls, across areas that began at different dates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
from design import only
from diseases import DISEASES, Disease

from epi.codes import screening_calendar
from epi.disclosure import read_policy
from epi.errors import EstimationError
from epi.plotting import Chart
from epi.survival import (
    CommonWindow,
    CoxModel,
    ExcessModel,
    LifeTable,
    Rates,
    RatioForest,
    RestrictedMean,
    SurvivalData,
    collect_ratios,
    compare_rmst,
    compare_with_controls,
    estimate_rates,
    find_common_window,
    fit_cox,
    fit_each,
    fit_excess,
    split_lexis,
)

TITLES = {
    "en": {"forest": "Hazard ratio of births with screening, by disease",
           "less_controls": "Ratio of hazard ratios: screened diseases over controls",
           "variants": "Hazard ratio of births with screening, under every choice"},
    "fr": {"forest": "Rapport de risques des naissances avec dépistage, par maladie",
           "less_controls": "Rapport de rapports : maladies dépistées sur témoins",
           "variants": "Rapport de risques des naissances avec dépistage, selon chaque choix"},
}  # fmt: skip
"""Titles of the forests."""

FEWEST_DEATHS = 10
"""With fewer, a ratio adjusted for sex and period says nothing."""

NO_COMMON_AGES = "no common ages of both eras · pas d'âges communs aux deux ères"
FEW_DEATHS = "too few deaths · trop peu de décès"
WITHHELD = "withheld: small numbers could be found · non publié : de petits effectifs pourraient être retrouvés"
REASONS = (NO_COMMON_AGES, FEW_DEATHS, WITHHELD)
"""Why there is no estimate, without a number, so that it may be published; English, then French."""


def chart_forest(forest: RatioForest, which: str, lang: str = "en") -> Chart:
    """Draw a forest with its title; what has no ratio says why.

    Parameters
    ----------
    forest : RatioForest
        The ratios.
    which : {"forest", "less_controls", "variants"}
        Which one it is.
    lang : {"en", "fr"}
        Language.

    Returns
    -------
    Chart
        The forest plot.
    """
    words = {reason: reason.split(" · ")[lang == "fr"] for reason in REASONS}
    return forest.chart(title=TITLES[lang][which], lang=lang, tell=words)


def window_of(data: SurvivalData, minimum: int) -> CommonWindow:
    """Find the ages at which both eras have enough patients at risk.

    Parameters
    ----------
    data : SurvivalData
        One disease.
    minimum : int
        Persons at risk in each era.

    Returns
    -------
    CommonWindow
        The window; estimates outside of it are refused.
    """
    if data.covariates["era"].nunique() < 2:
        raise EstimationError(NO_COMMON_AGES, "births before and after screening began")
    try:
        window = find_common_window(data, "era", minimum=minimum)
    except EstimationError as refusal:
        # The window's own words name days on which single patients enter and leave.
        raise EstimationError(NO_COMMON_AGES, f"{minimum} patients of each era at risk at the same ages") from refusal
    _check_left_out(data, window.inside)
    return window


def _check_left_out(data: SurvivalData, part: SurvivalData) -> None:
    """Refuse a part whose numbers, beside those of all, give few patients or deaths back."""
    least = read_policy().min_count
    for era in data.covariates["era"].cat.categories:
        sizes = zip(_sizes(data, era), _sizes(part, era), strict=True)
        if any(0 < everybody - some < least for everybody, some in sizes):
            raise EstimationError(WITHHELD, f"no patient or death of an era left out, or {least}")


def _check_deaths(data: SurvivalData) -> None:
    """Refuse few deaths."""
    if int((data.event > 0).sum()) < FEWEST_DEATHS:
        raise EstimationError(FEW_DEATHS, f"{FEWEST_DEATHS} or more for a ratio with its adjustment")


def _sizes(data: SurvivalData, era: str) -> tuple[int, int]:
    """Count the patients of an era, and their deaths."""
    inside = (data.covariates["era"] == era).to_numpy()
    return len(np.unique(data.person[inside])), int((data.event[inside] > 0).sum())


def lexis_of(data: SurvivalData) -> Rates:
    """Count person-time and deaths by age and calendar time.

    Parameters
    ----------
    data : SurvivalData
        One disease.

    Returns
    -------
    Rates
        Cells of ten years of age and three calendar years: narrower ones would be hidden.
    """
    return estimate_rates(data, age_bands=range(0, 60, 10), periods=range(2007, 2026, 3))


def add_period(data: SurvivalData) -> SurvivalData:
    """Cut each patient's time at New Year, and say in which year each piece lies.

    Parameters
    ----------
    data : SurvivalData
        Follow-up on the scale of age.

    Returns
    -------
    SurvivalData
        Several rows for a patient, with ``period``: years since 2010.
    """
    pieces = split_lexis(data, calendar=range(2007, 2031))
    middle = pieces.origin + (pieces.entry + pieces.exit) / 2
    year = np.floor(1970 + middle / 365.25) - 2010
    return replace(pieces, covariates=pieces.covariates.assign(period=year))


def fit_effect(data: SurvivalData, *, minimum: int = 20, period: bool = True) -> CoxModel:
    """Compare the hazards of both eras within their common window of ages.

    Parameters
    ----------
    data : SurvivalData
        One disease.
    minimum : int
        Persons at risk in each era over the window.
    period : bool
        Whether the progress of care, a slope of the calendar year, is taken into account.

    Returns
    -------
    CoxModel
        Hazard ratios of era, of one calendar year and of sex.
    """
    return fit_ages(window_of(data, minimum).inside, period=period)


def fit_ages(data: SurvivalData, *, period: bool = True) -> CoxModel:
    """Fit the model of :func:`fit_effect` to all ages of some follow-up.

    Parameters
    ----------
    data : SurvivalData
        One disease.
    period : bool
        Whether period is taken into account.

    Returns
    -------
    CoxModel
        The model.
    """
    _check_deaths(data)
    covariates = ["era"]
    if period:
        data = add_period(data)
        covariates.append("period")
    if {"F", "M"} <= set(data.covariates.loc[data.event > 0, "sex"]):
        covariates.append("sex")
    return fit_cox(data, covariates, reference={"sex": "F"} if "sex" in covariates else None)


def fit_excess_effect(data: SurvivalData, france: LifeTable, *, minimum: int = 20) -> ExcessModel:
    """Compare what the disease adds to the mortality of the general population, within the common window of ages.

    Parameters
    ----------
    data : SurvivalData
        One disease.
    france : LifeTable
        Mortality of the general population.
    minimum : int
        Persons at risk in each era over the window.

    Returns
    -------
    ExcessModel
        Ratios of excess hazards of era and of period; the excess is constant in each half of the window.
    """
    window = window_of(data, minimum)
    _check_deaths(window.inside)
    middle = round((window.low + window.high) / 2 / 365.25)
    return fit_excess(add_period(window.inside), france, ["era", "period"], bands=[0, middle])


def term_of(data: SurvivalData) -> str:
    """Name the term of the effect in a model.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    str
        As in the model's table.
    """
    return f"era: {data.covariates['era'].cat.categories[1]}"


def effects_by_disease(
    data: SurvivalData, keys: Iterable[str], *, minimum: int = 20, period: bool = True, lang: str = "en"
) -> RatioForest:
    """Estimate the effect in each disease, controls among them.

    Parameters
    ----------
    data : SurvivalData
        All diseases.
    keys : iterable of str
        Short names.
    minimum : int
        Persons at risk in each era.
    period : bool
        Whether period is taken into account.
    lang : {"en", "fr"}
        Language of names.

    Returns
    -------
    RatioForest
        Hazard ratios; those that cannot be estimated say why.
    """
    parts = {named(DISEASES[key], lang): only(data, key) for key in keys}
    models = fit_each(parts, lambda part: fit_effect(part, minimum=minimum, period=period))
    return collect_ratios(models, term_of(data), sizes=parts)


def named(disease: Disease, lang: str = "en") -> str:
    """Name a disease on a forest: controls are marked.

    Parameters
    ----------
    disease : Disease
        The disease.
    lang : {"en", "fr"}
        Language.

    Returns
    -------
    str
        The name.
    """
    mark = {"en": " (control)", "fr": " (témoin)"}[lang] if disease.control else ""
    return disease.name(lang) + mark


def effects_less_controls(forest: RatioForest, lang: str = "en") -> RatioForest:
    """Divide the ratio of each screened disease by that of the controls together.

    Parameters
    ----------
    forest : RatioForest
        From :func:`effects_by_disease`.
    lang : {"en", "fr"}
        Language of names.

    Returns
    -------
    RatioForest
        Ratios of hazard ratios.
    """
    controls = {named(disease, lang): disease.control for disease in DISEASES.values()}
    return compare_with_controls(forest, controls)


def starts_of(data: SurvivalData, key: str) -> pd.Series:
    """Say when screening began where each patient was born, by the calendar.

    Parameters
    ----------
    data : SurvivalData
        One disease.
    key : str
        Its short name in the calendar.

    Returns
    -------
    pandas.Series
        First year of screening.
    """
    calendar = screening_calendar()
    rows = calendar[calendar["disease"] == key].sort_values("start_date", ascending=False)
    place = data.covariates["departement"]
    year = pd.Series(np.nan, index=place.index)
    for row in rows.to_dict("records"):  # from the last start to the first one: an earlier one stands
        listed = row["departements"]
        here = place.str.len().eq(2) if listed == ("metropolitan",) else place.isin(listed) if listed else place.notna()
        year = year.where(~here, row["start_date"].year)
    return year.astype(int)


def fit_staggered(data: SurvivalData, key: str, *, minimum: int = 20) -> CoxModel:
    """Compare areas that began at different dates: births of the same years, screened in one and not in the other.

    Parameters
    ----------
    data : SurvivalData
        One disease.
    key : str
        Its short name.
    minimum : int
        Patients of each era whom an area must hold; smaller areas are left out.

    Returns
    -------
    CoxModel
        The hazard ratio of era, areas and years of birth being taken into account: a difference in differences. It is
        made to be published: the numbers of eras, areas and cohorts give no small number back.
    """
    placed = place_areas(data, key, minimum=minimum)
    _check_cells(placed)
    return fit_areas(placed)


def place_areas(data: SurvivalData, key: str, *, minimum: int = 20) -> SurvivalData:
    """Keep the areas with patients of both eras, and say of each patient which area and years of birth are theirs.

    Parameters
    ----------
    data : SurvivalData
        One disease.
    key : str
        Its short name.
    minimum : int
        Patients of each era whom an area must hold.

    Returns
    -------
    SurvivalData
        With ``area`` (the year in which screening began there) and ``cohort`` (births between such years).
    """
    start = starts_of(data, key)
    both = pd.crosstab(start.to_numpy(), data.covariates["screened"].to_numpy())
    kept = both.index[(both >= minimum).all(axis=1) & (both.shape[1] == 2)]
    if len(kept) < 2:
        raise EstimationError(
            "screening began at the same date where enough patients were born · le dépistage a commencé à la même date "
            "là où assez de patients sont nés",
            f"two areas or more with {minimum} patients of each era",
        )
    inside = start.isin(kept).to_numpy()
    _check_left_out(data, data.select(inside))
    data, start = data.select(inside), start[inside].reset_index(drop=True)
    first = sorted(kept)
    cuts = np.searchsorted(first, data.covariates["born"], side="right")
    edges = ["", *map(str, first), ""]
    spans = [f"{low}–{high}" for low, high in pairwise(edges)]
    cohorts = pd.Categorical.from_codes(cuts, spans).remove_unused_categories()
    areas = pd.Categorical(start.astype(str))
    return replace(data, covariates=data.covariates.assign(area=areas, cohort=cohorts))


def fit_areas(placed: SurvivalData) -> CoxModel:
    """Fit the model of :func:`fit_staggered`, whatever its numbers would tell.

    Parameters
    ----------
    placed : SurvivalData
        From :func:`place_areas`.

    Returns
    -------
    CoxModel
        The model.
    """
    return fit_cox(add_period(placed), ["era", "area", "cohort", "period"])


def _check_cells(placed: SurvivalData) -> None:
    """Refuse few patients, deaths or survivors of an area and cohort: margins tell cells, since era follows from both.

    Of two areas and three cohorts, only the middle cohort holds both eras: the deaths of an era less those of a cohort
    are the deaths of one cell.
    """
    least = read_policy().min_count
    people = (
        placed.covariates[["area", "cohort", "era"]].astype(str).assign(person=placed.person, died=(placed.event > 0))
    )
    cells = people.groupby(["area", "cohort", "era", "person"])["died"].any().groupby(["area", "cohort", "era"])
    sizes = pd.DataFrame({"patients": cells.size(), "deaths": cells.sum()})
    sizes["survivors"] = sizes["patients"] - sizes["deaths"]
    if ((sizes > 0) & (sizes < least)).to_numpy().any():
        raise EstimationError(
            "withheld: few patients or deaths of an area and cohort could be found · non publié : quelques patients ou "
            "décès d'un territoire et d'une cohorte pourraient être retrouvés",
            f"nobody or {least} of each, by area and years of birth",
        )


def compare_years(data: SurvivalData, minimum: int) -> RestrictedMean:
    """Compare the years lived within the common window of ages.

    Parameters
    ----------
    data : SurvivalData
        One disease.
    minimum : int
        Persons at risk in each era.

    Returns
    -------
    RestrictedMean
        Means by era, their difference and ratio.
    """
    window = window_of(data, minimum)
    return compare_rmst(window.inside, window.high, "era", start=window.low)
