"""Regression of counts by area, without a spatial effect, with regions, and with BYM2, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.current_areas import check_areas
from epi.association.preparation import area_above
from epi.association.smoothing import informed_areas
from epi.association.terms import Scale, build_terms, find_unit, read_adjustment
from epi.errors import EstimationError, ParameterError
from epi.geography import communes as places
from epi.results import Counted, Release
from epi.stats.intervals import check_level
from epi.stats.models import fit_glm
from epi.stats.spatial.bym2 import fit_bym2

if TYPE_CHECKING:
    from epi.association.sir import Sir
    from epi.stats.spatial.weights import SpatialWeights

Model = Literal["poisson", "quasi-poisson", "negative-binomial", "bym2"]
MODELS = ("poisson", "quasi-poisson", "negative-binomial", "bym2")


@dataclass(frozen=True)
class SpatialRegression:
    """Rate ratios of exposures by area under several models.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each exposure and model: `exposure`, `model`, `space` (how place is taken into
        account: ``none``, ``region`` or ``neighbours``), `step` of the exposure that
        `rr` is for, `rr_low`, `rr_high`, `p` (missing for ``bym2``, whose limits are of the posterior),
        `areas`, `cases`, and `status`, empty when there is an estimate, else why not.
    settings : mapping
        What determined the estimates; ``left_out`` is the number of areas without complete values, ``silent`` that
        of areas in regions without a case, which models with an effect of each region leave out.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table; the number of cases is protected.
        """
        adjust = ", ".join(self.settings["adjust"]) or "nothing"
        silent = self.settings["silent"]
        told = f" {silent} areas in regions without a case are left out where regions have effects." if silent else ""
        # A model without any estimate has its reason in the note rather than empty rows.
        lost = self.table[self.table["status"] != ""]
        told += "".join(f" {model}: {why}." for model, why in lost[["model", "status"]].drop_duplicates().to_numpy())
        table = self.table[self.table["status"] == ""].drop(columns="status").reset_index(drop=True)
        return Release(
            table=table,
            counts=(Counted("cases", derived=("rr", "rr_low", "rr_high", "p")),),
            title=f"Rate ratios by {self.settings['by']}, with and without space",
            note=f"For one step of each exposure, all exposures together, adjusted for {adjust}; limits at "
            f"{self.settings['level']:.0%}, posterior ones for bym2. {self.settings['left_out']} areas left out, "
            f"values missing.{told}{self.settings['note']}",
            not_counts=("areas", "step"),
            labels={"exposure": "Exposure", "model": "Model", "space": "Space", "step": "Step", "rr": "RR",
                    "rr_low": "Low", "rr_high": "High", "p": "p", "areas": "Areas", "cases": "Cases"},
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format="{:,.3g}".format, na_rep="–"))


def fit_spatial_regression(
    sir: Sir,
    values: pd.DataFrame,
    exposures: Sequence[str],
    *,
    adjust: Sequence[str] = (),
    weights: SpatialWeights | None = None,
    region: str | None = None,
    models: Sequence[Model] | None = None,
    scale: Scale | Mapping[str, float] = "unit",
    level: float = 0.95,
) -> SpatialRegression:
    """Regress the counts of areas on exposures, and see whether the estimates depend on how space is treated.

    Parameters
    ----------
    sir : Sir
        Incidence ratios: the logarithm of the expected number is the offset.
    values : pandas.DataFrame
        One row an area: its code (a column named as the level of `sir`, or ``area``) and the columns named below.
    exposures : sequence of str
        Numeric columns, all in the model together.
    adjust : sequence of str, optional
        Terms to adjust for, as in :func:`epi.association.screen_exposures`: a column, ``log(column)``...
    weights : SpatialWeights, optional
        Who is whose neighbour, for ``bym2``.
    region : str, optional
        Column of regions, or a level of territory above: each model but ``bym2`` is fitted a second
        time with an effect of each. Regions without a case are left out there: their effect has no finite value, and
        they say nothing of differences within regions.
    models : sequence of str, optional
        Among ``poisson``, ``quasi-poisson``, ``negative-binomial`` and ``bym2``; by default
        ``quasi-poisson``, ``negative-binomial``, and ``bym2`` when there are weights.
    scale : {"unit", "iqr", "sd"} or mapping, optional
        Step of each exposure that its ratio is told for.
    level : float, optional
        Confidence level.

    Returns
    -------
    SpatialRegression
        One row for each exposure and model. A ratio that changes much from one to the next is not to be
        read without asking which places the exposure stands for (spatial confounding).

    Raises
    ------
    EstimationError
        If areas are given twice, columns are not numbers, or a model cannot be fitted for another reason
        than counts without overdispersion, which is told in `status`.
    ParameterError
        If a column or a model is unknown, or weights are lacking.

    Examples
    --------
    >>> from epi.association import estimate_sir
    >>> areas = list("abcdefgh")
    >>> cases = pd.DataFrame({"area": areas, "observed": [9, 12, 8, 5, 2, 14, 3, 6]})
    >>> people = pd.DataFrame({"area": areas, "person_years": [5_000.0] * 8})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [0.001]}))
    >>> values = pd.DataFrame({"area": areas, "dust": [3.0, 4.0, 3.0, 2.0, 1.0, 4.5, 1.0, 2.0]})
    >>> fit_spatial_regression(sir, values, ["dust"], models=["poisson"]).table[["rr", "p"]].round(2).values.tolist()
    [[1.56, 0.0]]
    """
    check_level(level)
    wanted = tuple(models) if models is not None else ("quasi-poisson", "negative-binomial") + ("bym2",) * (
        weights is not None
    )  # fmt: skip
    terms = [read_adjustment(word) for word in adjust]
    by = str(sir.settings["by"])
    key = by if by in values.columns else "area"
    names = [*exposures, *(term.column for term in terms)]
    above = region is not None and region not in values.columns and {region, by} <= set(places.LEVELS)
    faults = [f"model {name!r} is unknown" for name in wanted if name not in MODELS]
    faults += [
        f"there is no column {name!r}"
        for name in [key, *names, *([] if region is None or above else [region])]
        if name not in values
    ]
    faults += [] if exposures else ["there is no exposure"]
    faults += [f"{name!r} is given twice" for name in sorted({name for name in names if names.count(name) > 1})]
    if "bym2" in wanted and weights is None:
        faults.append("bym2 needs spatial weights")
    if faults:
        raise ParameterError(
            "this regression cannot be fitted", f"columns of values; {', '.join(MODELS)}", faults=faults
        )
    values = values.rename(columns={key: "area"})
    if values["area"].duplicated().any():
        raise EstimationError(f"{int(values['area'].duplicated().sum())} areas are given twice", "one row an area")
    check_areas(values["area"], by, "values of areas")
    texts = [name for name in names if not pd.api.types.is_numeric_dtype(values[name])]
    if texts:
        raise EstimationError(f"{', '.join(map(repr, texts))} are not numbers", "numeric columns")
    if above:
        values = values.assign(**{str(region): area_above(values["area"], by, str(region))})
    columns = ["area", *names, *([region] if region else [])]
    known = informed_areas(sir)[["area", "observed", "expected"]]
    data = known.merge(values[columns], on="area", how="left").sort_values("area", ignore_index=True)
    complete = data.dropna(ignore_index=True)
    if len(complete) <= len(names) + 1:
        raise EstimationError(f"{len(complete)} areas have complete values", f"more than {len(names) + 1}")
    units = {name: find_unit(complete[name], scale, name) for name in exposures}
    still = [f"{name}: {unit.reason}" for name, unit in units.items() if unit.reason]
    if still:
        raise EstimationError("an exposure has no step to tell a ratio for", "exposures that vary", faults=still)
    design = pd.concat(
        [complete[[name]].astype(float) / units[name].size for name in exposures] + [build_terms(complete, terms)],
        axis=1,
    )
    names = list(design.columns)
    complete = complete[["area", "observed", "expected", *([region] if region else [])]].join(design)
    rows: list[dict[str, Any]] = []
    for model in wanted:
        if model == "bym2" and weights is not None:
            rows += _posterior(complete, names, weights, level)
        else:
            rows += _likelihood(complete, names, model, None, level)
            rows += _likelihood(complete, names, model, region, level) if region else []
    table = pd.DataFrame(rows)
    table = table[table["exposure"].isin(list(exposures))].sort_values("exposure", kind="stable", ignore_index=True)
    table.insert(3, "step", table["exposure"].map({name: float(unit.size) for name, unit in units.items()}))
    table["cases"] = int(complete["observed"].sum())
    table["status"] = table.pop("status")
    settings = {
        "exposures": list(exposures), "adjust": [term.describe() for term in terms],
        "steps": {name: float(unit.size) for name, unit in units.items()}, "models": list(wanted), "region": region,
        "level": level, "left_out": len(data) - len(complete),
        "silent": len(complete) - len(_with_cases(complete, region)) if region else 0,
        **{name: sir.settings[name] for name in ("by", "strata", "reference", "years", "note") if name in sir.settings},
    }  # fmt: skip
    return SpatialRegression(table, settings)


def _with_cases(data: pd.DataFrame, region: str) -> pd.DataFrame:
    """Leave out the regions without a case: given its total, such a region says nothing of what goes on within it."""
    informed = data["observed"].groupby(data[region]).transform("sum") > 0
    return data[informed].reset_index(drop=True)


def _likelihood(
    data: pd.DataFrame, names: list[str], model: Any, region: str | None, level: float
) -> list[dict[str, Any]]:
    from scipy import stats

    if region:
        data = _with_cases(data, region)
    design = data[names].astype(float)
    if region:
        design = design.join(pd.get_dummies(data[region], prefix="region", drop_first=True).astype(float))
    space = "region" if region else "none"
    try:
        fit = fit_glm(
            design,
            data["observed"],
            family=model,
            offset=np.log(data["expected"].to_numpy(float)),
            model=f"{model}, {space}",
        )
    except EstimationError as error:
        if "not overdispersed" not in str(error):
            raise
        gone = {"rr": np.nan, "rr_low": np.nan, "rr_high": np.nan, "p": np.nan, "areas": len(data),
                "status": "counts not overdispersed"}  # fmt: skip
        return [{"exposure": name, "model": model, "space": space, **gone} for name in names]
    # A dispersion that was estimated has Student's law, as in R's summary of a quasi-likelihood.
    law = stats.t(len(data) - len(fit.coefficients)) if model == "quasi-poisson" else stats.norm()
    rows = []
    for name in names:
        b, se = fit.term(name)
        half = law.ppf((1 + level) / 2) * se
        rows.append(
            {"exposure": name, "model": model, "space": space, "rr": np.exp(b), "rr_low": np.exp(b - half),
             "rr_high": np.exp(b + half), "p": float(2 * law.sf(abs(b / se))), "areas": len(data), "status": ""}
        )  # fmt: skip
    return rows


def _posterior(data: pd.DataFrame, names: list[str], weights: SpatialWeights, level: float) -> list[dict[str, Any]]:
    fit = fit_bym2(
        data["observed"].to_numpy(float), data["expected"].to_numpy(float), weights.select(data["area"]),
        data[names].to_numpy(float),
    )  # fmt: skip
    tail = (1 - level) / 2
    low, middle, high = (np.exp(fit.coefficients.quantile(p)) for p in (tail, 0.5, 1 - tail))
    return [
        {"exposure": name, "model": "bym2", "space": "neighbours", "rr": middle[i], "rr_low": low[i],
         "rr_high": high[i], "p": np.nan, "areas": len(data), "status": ""}
        for i, name in enumerate(names, start=1)
    ]  # fmt: skip
