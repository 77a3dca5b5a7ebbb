"""Covariates of a model turned into columns of numbers: values, true and false, categories against a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from epi.arguments import check_mapping, check_names
from epi.errors import DataError, ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData

MOST_LEVELS = 50
"""Categories: a column with more is an identifier."""


@dataclass(frozen=True)
class Terms:
    """Which columns a model has, and how covariates become them.

    Parameters
    ----------
    covariates : tuple of str
        Covariates, in order.
    names : tuple of str
        Columns: the covariate, or the covariate and a category.
    assign : numpy.ndarray of int64, shape (columns,)
        Position of each column's covariate.
    levels : mapping of str to tuple
        Categories of covariates that have some, the reference first.
    """

    covariates: tuple[str, ...]
    names: tuple[str, ...]
    assign: NDArray[np.int64] = field(repr=False)
    levels: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def columns(self, table: pd.DataFrame) -> list[NDArray[np.float64]]:
        """Turn covariates into columns of numbers.

        Parameters
        ----------
        table : pandas.DataFrame
            The covariates, complete.

        Returns
        -------
        list of numpy.ndarray of float64
            One for each name.

        Raises
        ------
        ParameterError
            If a covariate is absent.
        DataError
            If a value is missing or infinite, or a category unknown.
        """
        if not isinstance(table, pd.DataFrame):
            raise ParameterError(f"the table of covariates is of type {type(table).__name__}", "a pandas.DataFrame")
        absent = [name for name in self.covariates if name not in table]
        if absent:
            raise ParameterError(f"no column {', '.join(absent)}", f"columns {', '.join(self.covariates)}")
        faults, found = [], []
        for name in self.covariates:
            column = table[name]
            if column.isna().any():
                faults.append(f"{name} is missing in {int(column.isna().sum())} of {len(column)} rows")
                continue
            if name in self.levels:
                levels = list(self.levels[name])
                codes = pd.Categorical(column, categories=levels).codes
                if (codes < 0).any():
                    known = ", ".join(map(str, levels))
                    faults.append(f"{name} holds other categories than {known} in {int((codes < 0).sum())} rows")
                found += [(codes == at).astype(np.float64) for at in range(1, len(levels))]
                continue
            if column.dtype.kind == "c" or not (is_numeric_dtype(column) or is_bool_dtype(column)):
                faults.append(f"{name} holds values of type {column.dtype}, not numbers")
                continue
            values = np.ascontiguousarray(column.to_numpy(dtype=np.float64))
            # A sum tells of any infinite value in one pass.
            if not np.isfinite(values.sum()) and not np.isfinite(values).all():
                faults.append(f"{name} is infinite in {int((~np.isfinite(values)).sum())} of {len(column)} rows")
            found.append(values)
        if faults:
            raise DataError(
                f"{len(faults)} covariate{'s' if len(faults) > 1 else ''} cannot be used", "complete covariates",
                "leave these rows out with data.select(...) and count them, or make 'missing' a category",
                faults=faults,
            )  # fmt: skip
        return found

    def settings(self) -> dict[str, Any]:
        """Give what determined the columns.

        Returns
        -------
        dict
            `covariates` and `reference`, the reference category of those that have one.
        """
        reference = {name: str(levels[0]) for name, levels in self.levels.items()}
        return {"covariates": list(self.covariates), "reference": reference}


def build_terms(data: SurvivalData, covariates: Sequence[str], reference: Mapping[str, Any] | None = None) -> Terms:
    """Say which columns covariates become.

    Parameters
    ----------
    data : SurvivalData
        Follow-up with its covariates.
    covariates : sequence of str
        Columns: numbers are taken as they are, true is 1; a category has a column for each value but its reference.
    reference : mapping, optional
        Reference of covariates that are categories. A pandas categorical without one here has its first
        category; a text must have one. A number that has one is taken as categories.

    Returns
    -------
    Terms
        How covariates become columns.

    Raises
    ------
    ParameterError
        If a covariate does not exist or is named twice, or a reference is none of its values.
    """
    names = check_names("covariates", covariates, "columns of data.covariates", do="['age', 'sex']")
    asked = check_mapping("reference", reference, "a category by covariate", do="reference={'sex': 'F'}")
    if not names:
        raise ParameterError("no covariate is named", "one or more columns of data.covariates")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"{', '.join(twice)} is named twice", "each covariate once")
    strangers = [name for name in asked if name not in names]
    if strangers:
        raise ParameterError(f"reference= names {', '.join(strangers)}", f"some of {', '.join(names)}")
    faults: list[str] = []
    columns: list[str] = []
    assign: list[int] = []
    levels: dict[str, tuple[Any, ...]] = {}
    for at, name in enumerate(names):
        column = data.column(name)
        categorical = isinstance(column.dtype, pd.CategoricalDtype)
        numeric = column.dtype.kind != "c" and (is_numeric_dtype(column) or is_bool_dtype(column))
        if not categorical and name not in asked and numeric:
            columns.append(name)
            assign.append(at)
            continue
        found = _levels(column, categorical)
        listed = ", ".join(map(str, found[:8])) + (", ..." if len(found) > 8 else "")
        if name in asked and asked[name] not in found:
            faults.append(f"the reference of {name} is {asked[name]!r}; its values are {listed}")
        elif name not in asked and not categorical and not all(isinstance(value, str | bool) for value in found):
            faults.append(
                f"{name} holds values of type {column.dtype}: numbers, true and false, or categories are taken"
            )
        elif name not in asked and not categorical:
            faults.append(f"{name} holds text: say reference={{{name!r}: {found[0]!r}}} or another of {listed}")
        elif len(found) > MOST_LEVELS:
            faults.append(f"{name} has {len(found)} values: a category has at most {MOST_LEVELS}")
        else:
            first = asked.get(name, found[0])
            levels[name] = (first, *(level for level in found if level != first))
            columns += [f"{name}: {level}" for level in levels[name][1:]]
            assign += [at] * (len(found) - 1)
            if len(found) == 1:
                faults.append(f"{name} has one value only")
    if faults:
        raise ParameterError(
            f"{len(faults)} covariate{'s' if len(faults) > 1 else ''} cannot be used",
            "numbers, true and false, or categories with a reference", faults=faults,
        )  # fmt: skip
    return Terms(tuple(names), tuple(columns), np.asarray(assign, dtype=np.int64), levels)


def _levels(column: pd.Series, categorical: bool) -> list[Any]:
    """Give the values that are there: categories in their order, others sorted."""
    present = column.dropna().unique()
    if categorical:
        there = set(present)
        return [level for level in column.cat.categories if level in there]
    return sorted(present, key=lambda value: (str(type(value)), value))
