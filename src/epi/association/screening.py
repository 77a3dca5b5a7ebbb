"""The exposure-wide screen: each exposure in turn, then all together, with q-values.

Two designs give the same table. *Case-control inside the registry* (design B): logistic regression
of case status, odds ratios. *Areas* (design A): regression of observed counts with the logarithm of
the expected number as offset, ratios of rates. Rows are put in the order of their key first, so
that nothing depends on how they arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from epi.association.preparation import Study, prepare_areas, prepare_persons
from epi.association.screen import FEW_CLUSTERS, LEAST_DF, Screen
from epi.association.sir import Sir
from epi.association.spatial_test import Spatial, SpatialTester, add_spatial_columns
from epi.association.terms import (
    Adjustment,
    AgeForm,
    Scale,
    Unit,
    build_terms,
    find_unit,
    read_adjustment,
)
from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level, wald_interval
from epi.stats.models import fit_glm
from epi.stats.multiplicity import adjust_p

SPATIAL = ("estimate_spatial", "ci_low_spatial", "ci_high_spatial", "p_spatial", "q_spatial", "p_family", "areas")
CountFamily = Literal["poisson", "quasi-poisson", "negative-binomial"]


def screen_exposures(
    data: Any,
    other: Any,
    *,
    exposures: Sequence[str] | None = None,
    adjust: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    cluster: str | None = "default",
    scale: Scale | Mapping[str, float] = "iqr",
    age: AgeForm = "spline",
    family: CountFamily = "quasi-poisson",
    joint: bool | Sequence[str] = True,
    level: float = 0.95,
    labels: Mapping[str, Mapping[str, Any]] | None = None,
    spatial: Spatial = None,
    draws: int = 999,
    seed: int = 0,
) -> Screen:
    """Screen exposures for an association with case status, or with the counts of areas.

    Parameters
    ----------
    data : Enriched or pandas.DataFrame or Sir
        Cases, one row a person, with their exposures (case-control); or the standardised ratios
        of areas, whose expected numbers become the offset.
    other : Enriched or pandas.DataFrame
        Controls, with the same columns; or the exposures of the areas.
    exposures : sequence of str, optional
        Columns to screen; by default those that the enrichment added.
    adjust : sequence of str or mapping, optional
        ``age``, ``sex``, a column, ``log(column)`` or ``spline(column)``; by default age and sex
        for persons, nothing for areas (already standardised). A mapping names several sets, such as
        ``{"minimal": ["age", "sex"], "full": ["age", "sex", "log(density_km2)"]}``: every model is
        fitted once for each, and the first set is the main one.
    cluster : str or None, optional
        Column or level of territory that robust standard errors are clustered by; by default
        *bassin de vie* for persons, *département* for areas. None gives the model's own errors.
    scale : {"iqr", "sd", "unit"} or mapping, optional
        Step that a ratio is given for: interquartile range of all rows of the study that are
        informed, standard deviation, one unit, or a step for each exposure.
    age : {"spline", "bands", "linear"}, optional
        How age enters: natural cubic spline of 4 columns, five-year bands, or a line.
    family : {"poisson", "quasi-poisson", "negative-binomial"}, optional
        Law of the counts of areas.
    joint : bool or sequence of str, optional
        Also fit one model with all exposures, or with those named: an index and its components
        cannot be in one model. One exposure for each cluster of correlated ones, by
        ``epi.exposure.cluster_exposures(...).representatives``, says which of them go together.
    level : float, optional
        Confidence level.
    labels : mapping, optional
        For each exposure, ``label_en``, ``label_fr`` and ``unit``; those of the enrichment by
        default.
    spatial : SpatialWeights or MoranBasis or "distance", optional
        Also test every exposure by maps at random that are as autocorrelated as it is (Moran spectral
        randomisation): `p_spatial`, `q_spatial` and `p_family`, with a ratio and limits that allow for the same
        (`estimate_spatial`, `ci_low_spatial`, `ci_high_spatial`). ``"distance"`` weighs all pairs of areas by
        their nearness, and is what was validated. Areas are those of the ratios, or the clusters of
        persons.
    draws : int, optional
        Random maps of each exposure.
    seed : int, optional
        Seed of the random maps.

    Returns
    -------
    Screen
        One row for each set of adjusters, exposure and model. A model that cannot be fitted has its reason in
        place of numbers, even when none can (``is_empty``); a ratio whose standard error rests on
        too few effective clusters has a warning.

    Raises
    ------
    EstimationError
        If persons are both cases and controls, or a group is empty.
    ParameterError
        If a column or an option is unknown.

    Notes
    -----
    Each model uses the rows complete for it, and says how many. An adjuster that is itself the
    exposure under test leaves the adjustment of that model. Intervals are Wald's on the log scale.
    With clusters, ``poisson`` and ``quasi-poisson`` are the same: the robust errors take the place
    of the dispersion. Below 4 degrees of freedom (Satterthwaite), tests are not to be relied on
    (Tipton, Psychol Methods 2015;20:375), and rows are marked so. q-values are within each set and model.

    The spatial test takes the mean of an exposure by area, weighted by the information of its persons: what
    varies inside areas plays no part in it. See :func:`epi.stats.spatial.map_test.map_score_test`. The spatial
    ratio weighs areas by what their residual risk leaves of their information, so that it is not exactly
    `estimate`. Its limits invert that test, and rest also on what varies inside areas, where persons count as
    independent (:func:`epi.stats.spatial.map_interval.map_interval`); they are 0 and infinity when the data
    bound none. Go by `q_spatial` for a family of exposures: `p_family` was measured a little liberal
    (docs/validation.md).
    """
    check_level(level)
    if isinstance(data, Sir):
        sets = _name_sets(adjust, ())
        study = prepare_areas(data, other, exposures, sets[next(iter(sets))], cluster, labels)
        law: str = family
        if family not in ("poisson", "quasi-poisson", "negative-binomial"):
            raise ParameterError(f"family is {family!r}", "poisson, quasi-poisson or negative-binomial")
    else:
        sets = _name_sets(adjust, ("age", "sex"))
        study = prepare_persons(data, other, exposures, sets[next(iter(sets))], cluster, labels)
        law = "binomial"
    read = {name: [read_adjustment(word, age=age) for word in words] for name, words in sets.items()}
    study.require([term.column for terms in read.values() for term in terms], "adjusters")
    tester = None
    if spatial is not None:
        tester = SpatialTester(study, spatial, draws, seed, level)
        tester.check(str(data.settings["by"]) if isinstance(data, Sir) else study.cluster)
    units = {name: find_unit(study.frame[name], scale, name) for name in study.exposures}
    rows = []
    for chosen, terms in read.items():
        found = [
            _row(study, (name,), name, "single", _without(terms, (name,)), units, law, level)
            for name in study.exposures
        ]
        found += _joint_rows(study, joint, terms, units, law, level)
        rows += [{"adjustment_set": chosen, **row} for row in found]
    table = pd.DataFrame(rows)
    families = table.groupby(["adjustment_set", "model"], sort=False)["p"]
    table["q"] = families.transform(lambda p: adjust_p(p.to_numpy()))
    table["q_by"] = families.transform(lambda p: adjust_p(p.to_numpy(), method="BY"))
    if tester is not None:
        table = add_spatial_columns(table, tester, read, _complete)
    for name in ("n", "n_cases", "n_controls", "clusters"):
        table[name] = table[name].astype("Int64")
    order = [
        "adjustment_set", "exposure", "model", "label_en", "label_fr", "scale_en", "scale_fr", "unit_size", "n",
        "n_cases", "n_controls", "estimate", "ci_low", "ci_high", "p", "q", "q_by", "clusters", "df",
        "adjustment", "reason", "warning", *(SPATIAL if tester is not None else ()),
    ]  # fmt: skip
    described = {name: [term.describe() for term in terms] for name, terms in read.items()}
    settings = {
        "design": study.design,
        "model": _model_words(law, study.cluster),
        "family": law,
        "adjust": described[next(iter(described))],
        "adjustment_sets": described,
        "cluster": study.cluster,
        "scale": dict(scale) if isinstance(scale, Mapping) else scale,
        "age": age,
        "level": level,
        "rows": len(study.frame),
        "spatial": None if spatial is None else {"weights": _spatial_words(spatial), "draws": draws, "seed": seed},
    }
    return Screen(table[order], "OR" if law == "binomial" else "RR", study.design, settings)


def _name_sets(
    adjust: Sequence[str] | Mapping[str, Sequence[str]] | None, default: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    if isinstance(adjust, str):
        raise ParameterError(f"adjust is {adjust!r}", "a list of terms, or a mapping of named lists")
    if not isinstance(adjust, Mapping):
        return {"main": tuple(default if adjust is None else adjust)}
    if not adjust:
        raise ParameterError("adjust is an empty mapping", "one named set of adjusters at least", "adjust=()")
    wrong = [str(name) for name, words in adjust.items() if isinstance(words, str)]
    if wrong:
        raise ParameterError(f"adjustment sets {', '.join(wrong)} are a word", "a list of terms for each name")
    return {str(name): tuple(words) for name, words in adjust.items()}


def _spatial_words(spatial: Spatial) -> str:
    return "distance" if isinstance(spatial, str) else "given"


def _model_words(law: str, cluster: str | None) -> str:
    if law == "binomial":
        return "Logistic regression"
    # Robust errors take the place of an estimated dispersion: the coefficients are those of Poisson.
    shown = "Poisson" if law == "quasi-poisson" and cluster else law.capitalize()
    return f"{shown} regression, offset log expected"


def _joint_rows(
    study: Study,
    joint: bool | Sequence[str],
    adjustments: Sequence[Adjustment],
    units: Mapping[str, Unit],
    law: str,
    level: float,
) -> list[dict[str, Any]]:
    if joint is True:
        named = study.exposures
    elif not joint:
        return []
    else:
        named = tuple(joint)
        lacking = [name for name in named if name not in study.exposures]
        if lacking:
            raise ParameterError(f"joint names {', '.join(lacking)}, not screened", ", ".join(study.exposures))
    if len(named) < 2:
        return []
    together = tuple(name for name in named if not units[name].reason)
    if len(together) < 2:
        why = "fewer than two exposures can enter one model"
        return [_row(study, named, name, "joint", adjustments, units, law, level, why) for name in named]
    terms = _without(adjustments, together)
    fitted = _fit(study, together, terms, units, law)
    return [_row(study, together, name, "joint", terms, units, law, level, fitted) for name in together]


def _without(adjustments: Sequence[Adjustment], exposures: Sequence[str]) -> list[Adjustment]:
    return [term for term in adjustments if term.column not in exposures]


def _complete(study: Study, exposures: Sequence[str], terms: Sequence[Adjustment]) -> pd.DataFrame:
    used = [*exposures, *(term.column for term in terms)]
    return study.frame.dropna(subset=[*dict.fromkeys(used), *(["cluster"] if study.cluster else [])])


def _fit(
    study: Study, exposures: Sequence[str], terms: Sequence[Adjustment], units: Mapping[str, Unit], law: str
) -> Any:
    """Fit one model; a refusal is returned in words, to stand in the table."""
    frame = _complete(study, exposures, terms)
    try:
        if frame.empty:
            raise EstimationError("no row is complete", "rows informed for every term")
        design = build_terms(frame, terms)
        design = pd.concat([design, *(frame[[name]].astype(float) / units[name].size for name in exposures)], axis=1)
        return fit_glm(
            design,
            frame["outcome"],
            family=law,  # type: ignore[arg-type]
            offset=np.log(frame["expected"]) if study.design == "areas" else None,
            clusters=frame["cluster"] if study.cluster else None,
        )
    except EstimationError as error:
        return "; ".join([error.arrived, *error.faults]).replace("the model cannot be fitted: ", "")


def _row(
    study: Study,
    exposures: Sequence[str],
    name: str,
    model: str,
    terms: Sequence[Adjustment],
    units: Mapping[str, Unit],
    law: str,
    level: float,
    fitted: Any = None,
) -> dict[str, Any]:
    label = study.labels.get(name, {})
    unit = units[name]
    row: dict[str, Any] = {
        "exposure": name,
        "model": model,
        "label_en": label.get("label_en") or name,
        "label_fr": label.get("label_fr") or label.get("label_en") or name,
        "unit_size": unit.size,
        "scale_en": unit.describe(str(label.get("unit") or ""), "en"),
        "scale_fr": unit.describe(str(label.get("unit") or ""), "fr"),
        "adjustment": ", ".join(
            [*(term.describe() for term in terms), *(["the other exposures"] if model == "joint" else [])]
        ),
    }
    hollow = dict.fromkeys(("estimate", "ci_low", "ci_high", "p", "df"), np.nan)
    row["warning"] = ""
    if unit.reason:
        nothing = {"n": pd.NA, "n_cases": pd.NA, "n_controls": pd.NA, "clusters": pd.NA}
        return {**row, **hollow, **nothing, "reason": unit.reason}
    frame = _complete(study, exposures, terms)
    cases = int(frame["outcome"].sum())
    row |= {
        "n": len(frame),
        "n_cases": cases,
        "n_controls": len(frame) - cases if study.design == "case-control" else pd.NA,
        "clusters": frame["cluster"].nunique() if study.cluster else pd.NA,
    }
    if fitted is None:
        fitted = _fit(study, exposures, terms, units, law)
    if isinstance(fitted, str):
        return {**row, **hollow, "reason": fitted}
    from scipy import stats

    beta, error = fitted.term(name)
    degrees = fitted.degrees_of(name)
    if degrees == 0:
        return {**row, **hollow, "reason": "it rests on one cluster, over which no error is known"}
    if not error > 0:
        return {**row, **hollow, "reason": "its robust standard error is zero"}
    interval = wald_interval(beta, error, log=True, level=level, degrees=degrees)
    return {
        **row,
        "estimate": interval.estimate,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "p": float(2 * stats.t.sf(abs(beta / error), degrees)),
        "df": degrees,
        "reason": "",
        "warning": FEW_CLUSTERS["en"] if degrees < LEAST_DF else "",
    }
