"""Deprivation of areas recomputed from its four inputs by the method of the FDep: not the official index.

Rey G, Jougla E, Fouillet A, Hémon D. Ecological association between a deprivation index and mortality in France
over the period 1997-2001. BMC Public Health 2009;9:33. The index is the first component of a principal component
analysis, weighted by population, of four standardised variables of the area.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from epi.errors import DataError, EstimationError, ParameterError
from epi.results import Release

INPUTS: dict[str, str] = {
    "median_income": "median household income for each consumption unit",
    "share_bac": "share with the baccalauréat or more, of persons of 15 and over who have left school",
    "share_workers": "share of manual workers in the active population",
    "unemployment": "unemployment rate",
}
"""What goes in; the first two fall with deprivation, the others rise with it."""

NOTICE = {
    "en": "Recomputed by the published method (Rey 2009): this is not the official FDep, whose inputs, years and scale "
    "differ.",
    "fr": "Recalculé par la méthode publiée (Rey 2009) : ce n'est pas le FDep officiel, dont les variables, les années "
    "et l'échelle diffèrent.",
}
_FALLS = ("median_income", "share_bac")


@dataclass(frozen=True)
class Deprivation:
    """A deprivation score of areas.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each area, sorted: its key, ``fdep_recomputed`` (population mean 0; higher = more deprived; missing
        where an input is missing) and ``quintile_pop`` (fifths of the population, 5 = most deprived).
    loadings : pandas.DataFrame
        One row for each input: ``input``, ``column``, ``loading`` (correlation with the score), ``coefficient``.
    explained : float
        Share of the variance of the four inputs that the score carries.
    settings : mapping
        Columns, areas used and left out, method.
    """

    table: pd.DataFrame
    loadings: pd.DataFrame
    explained: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    def info(self, *, source: str, producer: str, vintage: str, licence: str, support: str) -> dict[str, Any]:
        """Write the metadata that :func:`epi.exposure.enrich` needs.

        Parameters
        ----------
        source, producer, vintage, licence, support : str
            Of the inputs.

        Returns
        -------
        dict
            The entry of ``fdep_recomputed``.
        """
        return {
            "label_en": "Deprivation, recomputed by the FDep method",
            "label_fr": "Défavorisation, recalculée par la méthode FDep",
            "unit": "score", "source": source, "producer": producer, "vintage": vintage, "licence": licence,
            "support": support, "origin": "open data", "theme": "social",
            "direction_note": f"higher = more deprived. {NOTICE['en']}",
            "method": f"first principal component, weighted by population; explains {100 * self.explained:.0f} %",
        }  # fmt: skip

    def release(self, lang: str = "en") -> Release:
        """Say what would be published: it counts nobody.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        Release
            One row for each area.
        """
        title = {"en": "Deprivation by area (FDep method)", "fr": "Défavorisation par territoire (méthode FDep)"}[lang]
        return Release(self.table, title=title, note=NOTICE[lang], not_counts=("quintile_pop",))

    def _repr_html_(self) -> str:
        return f"<p>{NOTICE['en']} Explains {self.explained:.1%}.</p>" + str(self.loadings.to_html(index=False))


def build_fdep(
    areas: pd.DataFrame,
    *,
    key: str,
    persons: str,
    median_income: str,
    share_bac: str,
    share_workers: str,
    unemployment: str,
) -> Deprivation:
    """Recompute deprivation from its inputs by the method of the FDep.

    Each input is centred and scaled by its mean and standard deviation over persons; the score is the first principal
    component of their correlation matrix, weighted by population, with the sign by which it rises with deprivation. Its
    variance over persons is the first eigenvalue, as components are usually given.

    Parameters
    ----------
    areas : pandas.DataFrame
        One row for each area.
    key : str
        Column of area codes.
    persons : str
        Column of population, the weights.
    median_income, share_bac, share_workers, unemployment : str
        Columns of the inputs; see :data:`INPUTS`.

    Returns
    -------
    Deprivation
        Scores, quintiles of population, loadings. Areas with a missing input have no score and enter nothing.

    Raises
    ------
    DataError
        If areas are there twice, or inputs are not numbers or populations are negative or missing.
    EstimationError
        If fewer than five areas are complete, an input is constant, or inputs are not signed as deprivation is.
    ParameterError
        If columns are missing.

    References
    ----------
    Rey G et al., BMC Public Health 2009;9:33.

    Examples
    --------
    >>> towns = pd.DataFrame({"code": list("abcde"), "persons": 1, "income": [30, 28, 22, 20, 18],
    ...     "bac": [0.7, 0.6, 0.5, 0.4, 0.3], "workers": [0.1, 0.2, 0.2, 0.3, 0.4], "jobless": [5, 6, 9, 10, 14]})
    >>> score = build_fdep(towns, key="code", persons="persons", median_income="income", share_bac="bac",
    ...     share_workers="workers", unemployment="jobless")
    >>> score.table["fdep_recomputed"].round(2).tolist(), round(score.explained, 3)
    ([-2.68, -1.47, 0.01, 1.22, 2.91], 0.966)
    """
    columns = {
        "median_income": median_income,
        "share_bac": share_bac,
        "share_workers": share_workers,
        "unemployment": unemployment,
    }
    _check(areas, key, persons, columns)
    ordered = areas.sort_values(key, ignore_index=True)
    x = ordered[list(columns.values())].to_numpy(dtype=float, na_value=np.nan)
    weight = ordered[persons].to_numpy(dtype=float)
    whole = ~np.isnan(x).any(axis=1) & (weight > 0)
    if whole.sum() < 5:
        raise EstimationError(f"{int(whole.sum())} area(s) have all four inputs and a population", "five or more")
    share = weight[whole] / weight[whole].sum()
    centre = share @ x[whole]
    spread = np.sqrt(share @ (x[whole] - centre) ** 2)
    varies = spread > 1e-12 * np.abs(centre)
    if not varies.all():
        flat = [column for column, moves in zip(columns.values(), varies, strict=True) if not moves]
        raise EstimationError(f"{', '.join(flat)} has the same value everywhere", "inputs that vary")
    z = (x - centre) / spread
    correlation = z[whole].T @ (z[whole] * share[:, None])
    eigenvalues, axes = np.linalg.eigh(correlation)
    axis = axes[:, -1]
    sign = np.array([-1.0 if name in _FALLS else 1.0 for name in columns])
    axis = axis * (1.0 if axis @ sign > 0 else -1.0)
    against = [column for column, a, s in zip(columns.values(), axis, sign, strict=True) if a * s <= 0]
    if against:
        raise EstimationError(
            f"{', '.join(against)} varies against deprivation",
            "income and education that fall, workers and unemployment that rise together",
            "check that columns were not exchanged",
        )
    score = z @ axis
    table = pd.DataFrame({key: ordered[key], "fdep_recomputed": np.where(whole, score, np.nan)})
    table["quintile_pop"] = _fifths(table["fdep_recomputed"].to_numpy(), weight)
    loadings = pd.DataFrame(
        {
            "input": list(columns),
            "column": list(columns.values()),
            "loading": axis * np.sqrt(eigenvalues[-1]),
            "coefficient": axis,
        }
    )
    settings = {"method": "population-weighted PCA (Rey 2009)", "columns": columns, "areas": int(whole.sum()),
                "left_out": int((~whole).sum()), "official": False}  # fmt: skip
    return Deprivation(table, loadings, float(eigenvalues[-1] / 4), settings)


def _check(areas: pd.DataFrame, key: str, persons: str, columns: Mapping[str, str]) -> None:
    lacking = [name for name in (key, persons, *columns.values()) if name not in areas.columns]
    if lacking:
        raise ParameterError(f"the areas have no {', '.join(lacking)}", "columns of the areas")
    if len(set(columns.values())) < len(columns):
        raise ParameterError("the same column is given for two inputs", "four columns")
    faults = []
    for name in (persons, *columns.values()):
        if areas[name].dtype.kind not in "fiu":
            faults.append(f"{name} is not numbers")
        elif np.isinf(areas[name].to_numpy(dtype=float, na_value=np.nan)).any():
            faults.append(f"{name} holds infinite values")
    below = 0 if faults else int((areas[persons].isna() | (areas[persons] < 0)).sum())
    twice = int((areas[key].isna() | areas[key].duplicated()).sum())
    if below:
        faults.append(f"{persons} is missing or negative in {below} row(s)")
    if twice:
        faults.append(f"{twice} row(s) repeat an area or have none")
    if faults:
        raise DataError("the inputs of the index cannot be used", "one row for each area, numbers", faults=faults)


def _fifths(score: np.ndarray, weight: np.ndarray) -> Any:
    """Cut areas, least deprived first, where cumulated persons pass each fifth of the population."""
    known = np.flatnonzero(~np.isnan(score))
    order = known[np.argsort(score[known], kind="stable")]
    total = np.cumsum(weight[order])
    # An area goes to the fifth in which the middle of its population falls; equal scores go together.
    middle = (total - weight[order] / 2) / total[-1]
    _, first, group = np.unique(score[order], return_index=True, return_inverse=True)
    fifth = np.minimum((middle * 5).astype(int) + 1, 5)[first][group]
    out = pd.array([pd.NA] * len(score), dtype="Int64")
    out[order] = fifth
    return out
