"""Drinking water: results with "<" signs, and what a commune's water held."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pandas as pd

from epi.errors import DataError, ParameterError
from epi.sources.open_data.folder import PathLike
from epi.sources.open_data.layout import Column
from epi.sources.open_data.reading import read_layout
from epi.sources.open_data.table import OpenTable

_BELOW = {"zero": 0.0, "half": 0.5, "limit": 1.0}


def read_water_results(path: PathLike | None = None, *, vintage: str | None = None) -> OpenTable:
    """Read results of tap-water controls; what is below detection keeps its limit and says so.

    Parameters
    ----------
    path : path-like, optional
        ``DIS_RESULT_<year>.txt`` or a zip of it, or a folder; ``EPI_OPEN_DATA`` by default.
    vintage : str, optional
        Year wanted.

    Returns
    -------
    OpenTable
        The layout ``water_results`` with ``value`` (missing where the result is a word) and
        ``below_detection`` (true where the result was "<" a limit, which is then the value).

    Raises
    ------
    DataError
        If the file is not there or is not what its layout says.
    """
    read = read_layout("water_results", path, vintage=vintage)
    text = read.table["result"].astype(object).where(read.table["result"].notna(), "").str.replace(" ", "")
    below = text.str.startswith("<")
    # ">" is a number beyond what was measured: its limit is no measure.
    plain = text.str.removeprefix("<").str.replace(",", ".", regex=False)
    value = pd.to_numeric(plain, errors="coerce").astype(float)
    words = int((value.isna() & (text != "")).sum())
    table = read.table.assign(value=value, below_detection=below & value.notna())
    columns = (*read.columns, Column("value", "mean"), Column("below_detection", "flag"))
    notes = [f"{int(table['below_detection'].sum())} result(s) are below detection."]
    notes += [f"{words} result(s) are words or beyond the range, and have no value."] if words else []
    return replace(read, table=table, columns=columns, notes=(*read.notes, *notes))


def summarise_water(
    networks: OpenTable,
    samples: OpenTable,
    results: OpenTable,
    parameters: list[str],
    *,
    below_detection: Literal["zero", "half", "limit"],
) -> OpenTable:
    """Average tap-water controls over each commune.

    Each sample counts once, in every commune that its network serves.

    Parameters
    ----------
    networks, samples, results : OpenTable
        What :func:`read_water_networks`, :func:`read_water_samples` and :func:`read_water_results` gave,
        of one year.
    parameters : list of str
        Codes of parameters (``cdparametresiseeaux``), such as ``["NO3"]``.
    below_detection : {"zero", "half", "limit"}
        What a result below detection counts for: 0, half of the limit, or the limit.

    Returns
    -------
    OpenTable
        One row for each commune and parameter with a result: mean, n_results, n_below_detection.

    Raises
    ------
    DataError
        If the tables are of several years.
    ParameterError
        If a parameter has no result, or nothing says what is below detection counts for.
    """
    if below_detection not in _BELOW:
        raise ParameterError(f"below_detection is {below_detection!r}", "'zero', 'half' or 'limit'")
    years = {table.vintage for table in (networks, samples, results)}
    if len(years) > 1:
        raise DataError(f"the tables are of {', '.join(sorted(years))}", "one year", "read the three files of one year")
    chosen = results.table[results.table["parameter"].isin(parameters) & results.table["value"].notna()]
    lacking = sorted(set(parameters) - set(chosen["parameter"]))
    if lacking:
        raise ParameterError(f"{', '.join(lacking)}: no result", "codes of the column cdparametresiseeaux")
    factor = chosen["below_detection"].map({True: _BELOW[below_detection], False: 1.0})
    chosen = chosen.assign(value=chosen["value"] * factor)
    of_network = samples.table[["sample", "network"]].drop_duplicates()
    serves = networks.table[["code_commune", "network"]].drop_duplicates()
    joined = chosen.merge(of_network, on="sample").merge(serves, on="network")
    # A sample of a network that serves a commune twice is one sample.
    joined = joined.drop_duplicates(["code_commune", "parameter", "sample", "value"])
    joined = joined.sort_values(["code_commune", "parameter", "value"], kind="stable")
    table = (
        joined.groupby(["code_commune", "parameter"])
        .agg(mean=("value", "mean"), n_results=("value", "size"), n_below_detection=("below_detection", "sum"))
        .reset_index()
    )
    columns = (
        Column("code_commune", "code", code="commune"),
        Column("parameter", "code", code="id"),
        Column("mean", "mean", "unit of the parameter"),
        Column("n_results", "count", "results"),
        Column("n_below_detection", "count", "results"),
    )
    layout = replace(
        results.layout, support="commune", area="code_commune", key=("code_commune", "parameter"), columns=columns,
    )  # fmt: skip
    note = f"A result below detection counts for {below_detection} of its limit."
    return replace(
        results, table=table, layout=layout, columns=columns, notes=(*results.notes, note),
        settings={"below_detection": below_detection, "parameters": list(parameters)},
    )  # fmt: skip
