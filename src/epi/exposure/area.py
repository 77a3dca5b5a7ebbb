"""Exposures of areas: the mean of their communes, weighted by population."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from epi.errors import DataError, ParameterError
from epi.exposure.derived import DERIVED
from epi.geography.areas import area_of

if TYPE_CHECKING:
    from epi.workspace import Workspace


def average_by_area(
    reference: pd.DataFrame,
    population: pd.DataFrame,
    by: str,
    variables: Sequence[str] | None = None,
    *,
    workspace: Workspace | None = None,
) -> pd.DataFrame:
    """Average exposures of communes over the persons of each area.

    Communes without a value are left out of the mean of their area, never counted as zero.

    Parameters
    ----------
    reference : pandas.DataFrame
        ``insee_code`` and one column for each variable.
    population : pandas.DataFrame
        ``insee_code`` and ``persons``, in as many rows as there are strata.
    by : str
        Level of territory.
    variables : sequence of str, optional
        Columns of `reference`, or variables that `workspace` allows to compute at each commune
        (``centre_distance_km``, ``density_km2``); all columns by default, none computed.
    workspace : Workspace, optional
        An open workspace, needed by the variables that are computed.

    Returns
    -------
    pandas.DataFrame
        Sorted by area: `by`, the variables, and ``persons`` of the area.

    Raises
    ------
    DataError
        If a commune is there twice in `reference`.
    ParameterError
        If a column is missing, or is computed and no workspace is given.

    Examples
    --------
    >>> file = pd.DataFrame({"insee_code": ["38185", "38421"], "pm25_ugm3": [12.0, 10.0]})
    >>> people = pd.DataFrame({"insee_code": ["38185", "38421"], "persons": [300, 100]})
    >>> average_by_area(file, people, "departement").values.tolist()
    [['38', 11.5, 400]]
    """
    names = [name for name in reference.columns if name != "insee_code"] if variables is None else list(variables)
    computed = [name for name in names if name in DERIVED and name not in reference.columns]
    if computed and workspace is None:
        raise ParameterError(
            f"{', '.join(computed)} are computed at each commune", "the workspace to compute them from", "workspace=ws"
        )
    for frame, needed, what in (
        (reference, ["insee_code", *(name for name in names if name not in computed)], "the exposures"),
        (population, ["insee_code", "persons"], "the population"),
    ):
        lacking = [name for name in needed if name not in frame.columns]
        if lacking:
            raise ParameterError(f"{what} have no {', '.join(lacking)}", ", ".join(needed))
    if reference["insee_code"].duplicated().any():
        raise DataError("a commune is there twice in the exposures", "one row a commune")
    persons = population.groupby("insee_code")["persons"].sum()
    kept = [name for name in names if name not in computed]
    table = reference[["insee_code", *kept]].merge(persons, left_on="insee_code", right_index=True, how="right")
    table = table.assign(**{name: DERIVED[name](table["insee_code"], workspace) for name in computed})
    table = table.assign(**{by: area_of(table["insee_code"], by)}).sort_values("insee_code")
    areas = table[by]
    out = pd.DataFrame(index=pd.Index(sorted(areas.dropna().unique()), name=by))
    for name in names:
        known = table[name].notna()
        weights = table["persons"].where(known, 0).astype(float)
        sums = (table[name].fillna(0.0) * weights).groupby(areas).sum()
        total = weights.groupby(areas).sum()
        out[name] = (sums / total.where(total > 0)).reindex(out.index)
    out["persons"] = table.groupby(areas)["persons"].sum().reindex(out.index).astype(int)
    return out.reset_index()
