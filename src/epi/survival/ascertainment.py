"""Who was ever seen: patients observed by year of birth, against births times the incidence at birth.

Of a disease present at birth, births times incidence tell how many were born with it. A registry sees those who lived
until it began, came to a centre that fills it, and stayed in the country: the share observed, by year of birth, is the
ascertainment curve. Where it is low those seen are survivors, and nothing can be estimated of the others.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.arguments import check_names, check_numbers, check_whole
from epi.errors import DataError, ParameterError
from epi.geography import births_of_france
from epi.stats.intervals import check_level, ratio_interval
from epi.stats.uncertain_expected import uncertain_ratio_interval

if TYPE_CHECKING:
    from epi.plotting import Chart
    from epi.results import Release
    from epi.survival.steps import Lang

PER = 100_000
Incidence = float | tuple[float, float, float] | pd.DataFrame


@dataclass(frozen=True)
class Ascertainment:
    """Patients observed against those expected, by year of birth.

    Parameters
    ----------
    table : pandas.DataFrame
        The columns of groups, `birth_year` (the first of the years taken together), `last_year`, `births`, `expected`,
        `observed`, `ascertainment` (their ratio), `ci_low`, `ci_high` (Poisson limits with the uncertainty of the
        incidence), `exact_low`, `exact_high` (exact Poisson limits, the incidence being known), `incidence_error`
        (standard error of the logarithm of the incidence).
    totals : pandas.DataFrame
        The same for all years of a group together.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the curve.
    """

    table: pd.DataFrame
    totals: pd.DataFrame
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self, lang: Lang = "en", *, rounded: int = 1) -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of headings and notes.
        rounded : int, optional
            Numbers of patients are rounded to multiples of it, such as 10, and shares and limits computed from these:
            for counts that, beside others published elsewhere, would give few patients back.

        Returns
        -------
        Release
            The table; observed patients are protected, with the ratios computed from them.
        """
        from epi.survival.ascertainment_chart import release_ascertainment

        return release_ascertainment(self, lang, rounded)

    def chart(self, *, marks: Mapping[str, int] | None = None, lang: Lang = "en", rounded: int = 1) -> Chart:
        """Draw the share observed by year of birth, a panel for each group.

        Parameters
        ----------
        marks : mapping, optional
            Name to year: vertical lines, such as the start of screening or of the registry.
        lang : {"fr", "en"}, optional
            Language.
        rounded : int, optional
            As in :meth:`release`.

        Returns
        -------
        Chart
            The figure and its table.
        """
        from epi.survival.ascertainment_chart import draw_ascertainment

        return draw_ascertainment(self, marks or {}, lang, rounded)

    def __str__(self) -> str:
        by = list(self.settings["by"])
        told = "; ".join(
            (", ".join(str(row[name]) for name in by) + ": " if by else "")
            + f"{row['observed']:,} of {row['expected']:,.0f} expected, {row['ascertainment']:.0%} "
            f"({row['ci_low']:.0%} to {row['ci_high']:.0%})"
            for row in self.totals.to_dict("records")
        )
        return ". ".join([f"Observed by year of birth: {told}", *self.notes])

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, max_rows=30, float_format="{:,.3f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


def estimate_ascertainment(
    observed: pd.DataFrame,
    incidence: Incidence,
    births: pd.DataFrame | None = None,
    *,
    by: str | Sequence[str] = (),
    count: str | None = None,
    years: tuple[int, int] | None = None,
    width: int = 1,
    level: float = 0.95,
) -> Ascertainment:
    """Compare patients observed with births times incidence, by year of birth.

    Parameters
    ----------
    observed : pandas.DataFrame
        `birth_year` and the columns of ``by``: a row for each patient, or numbers of patients in ``count``.
    incidence : float, tuple or pandas.DataFrame
        Cases for 100,000 births: a number taken as known; an estimate with its lower and upper limits at 95 %; or a
        table with `incidence`, optionally `low` and `high` (at 95 %), and the columns of ``by`` or `birth_year` that it
        depends on.
    births : pandas.DataFrame, optional
        `birth_year`, `births` and the columns of ``by`` on which they depend, such as the territory; the live births of
        France by default.
    by : str or sequence of str, optional
        Columns of groups, such as disease and territory of birth.
    count : str, optional
        Column of ``observed`` with numbers of patients.
    years : tuple of int, optional
        First and last year of birth; those of ``births`` by default, from the first with a patient on.
    width : int, optional
        Years of birth taken together.
    level : float, optional
        Confidence level.

    Returns
    -------
    Ascertainment
        The curve by group. A year without any patient counts as 0 observed.

    Raises
    ------
    ParameterError
        If a column is absent, births or incidence do not tell groups apart as asked, or an option is unknown.
    DataError
        If numbers are missing, negative or not whole, a group has no births or no incidence, or a row stands twice.

    Notes
    -----
    Limits: exact Poisson (Garwood 1936) of the number observed; with limits of the incidence, its logarithm is taken as
    normal, the same error holding for all years of one incidence
    (:func:`epi.stats.uncertain_expected.uncertain_ratio_interval`). What is missing is deaths before the registry,
    centres that fill it late, persons followed elsewhere, and leaving the country, together: the curve does not tell
    them apart. Above 1 are arrivals from abroad (patients born elsewhere are to be left out), a definition wider than
    that of the incidence, or an incidence that rose.

    Examples
    --------
    >>> seen = pd.DataFrame({"birth_year": [2009] * 60 + [2010] * 95})
    >>> births = pd.DataFrame({"birth_year": [2009, 2010], "births": [825_000, 833_000]})
    >>> print(estimate_ascertainment(seen, (12.9, 12.0, 13.9), births))
    Observed by year of birth: 155 of 214 expected, 72% (61% to 86%)
    """
    check_level(level)
    names = check_names("by", by, "columns of groups", do="by='disease'")
    width = check_whole("width", width, "1 year or more", least=1, do="width=5")
    for label, table in (("observed", observed), ("births", births)):
        if table is not None and not isinstance(table, pd.DataFrame):
            raise ParameterError(f"{label} is of type {type(table).__name__}", "a table (pandas.DataFrame)")
    for label, table, wanted in (("observed", observed, ["birth_year", *names, *([count] if count else [])]),
                                 ("births", births, ["birth_year", "births"])):  # fmt: skip
        absent = [name for name in wanted if table is not None and name not in table]
        if absent:
            raise ParameterError(f"{label} has no column {', '.join(absent)}", f"columns {', '.join(wanted)}")
    born, source = (births_of_france(), "INSEE, live births of France") if births is None else (births, "given")
    born = _unique(born, "births", names)
    counts, lost, outside, span = _observed(observed, names, count, born, years)
    grid = _grid(counts, born, names, span)
    grid = _with_incidence(grid, incidence, names)
    grid["observed"] = (
        grid.merge(counts, on=["birth_year", *names], how="left")["observed"].fillna(0).astype(np.int64).to_numpy()
    )
    grid["expected"] = grid["births"] * grid["incidence"] / PER
    # The error of an incidence is shared by the years it holds for: it does not average out.
    grid["_error"] = grid["expected"] * grid["_log_error"]
    grid["_period"] = span[0] + (grid["birth_year"] - span[0]) // width * width
    table = _ratios(grid, [*names, "_period"], level)
    table = table.rename(columns={"_period": "birth_year"})
    table.insert(len(names) + 1, "last_year", np.minimum(table["birth_year"] + width - 1, span[1]))
    totals = _ratios(grid.assign(_all=0), [*names, "_all"], level).drop(columns="_all")
    notes = [f"{lost} patients have no year of birth and are left out"] if lost else []
    if outside:
        notes.append(f"{outside} patients were born outside {span[0]}-{span[1]} and are left out")
    if births is None and born.loc[born["birth_year"].between(*span), "provisional"].any():
        notes.append("the last numbers of births are provisional")
    settings = {
        "by": names, "years": span, "width": width, "level": level, "births": source,
        "incidence": incidence if not isinstance(incidence, pd.DataFrame) else "by " + ", ".join(
            str(name) for name in incidence.columns if name not in ("incidence", "low", "high")),
        "uncertain": bool((grid["_log_error"] > 0).any()), "without_birth_year": lost, "outside": outside,
    }  # fmt: skip
    return Ascertainment(table, totals, tuple(notes), settings)


def _unique(table: pd.DataFrame, value: str, names: list[str]) -> pd.DataFrame:
    """Check a table of births or of incidence: one whole row for each combination of what it depends on."""
    keys = [name for name in ("birth_year", *names) if name in table]
    faults = []
    strange = [name for name in {value, "birth_year"}.intersection(table) if table[name].dtype.kind not in "iuf"]
    if strange:
        raise DataError(f"{', '.join(strange)} of the table of {value} holds other than numbers", "numbers")
    if table[[value, *keys]].isna().any().any():
        faults.append(f"{int(table[[value, *keys]].isna().any(axis=1).sum())} rows have missing values")
    elif (table[value] <= 0).any() or not np.isfinite(table[value].to_numpy(dtype=np.float64)).all():
        faults.append(f"{value} is not above 0 in some rows")
    if keys and table.duplicated(keys).any():
        faults.append(f"{int(table.duplicated(keys).sum())} rows stand twice for the same {', '.join(keys)}")
    if not keys and len(table) != 1:
        faults.append("several rows, and no column of by= or birth_year tells them apart")
    if faults:
        raise DataError(f"the table of {value} cannot be used", f"one row for each {', '.join(keys) or 'table'}",
                        faults=faults)  # fmt: skip
    return table


def _observed(
    observed: pd.DataFrame, names: list[str], count: str | None, born: pd.DataFrame, years: tuple[int, int] | None
) -> tuple[pd.DataFrame, int, int, tuple[int, int]]:
    """Count patients by year of birth and group; those without year, and outside the years; and the years."""
    table = observed[["birth_year", *names]].copy()
    if count is None:
        table["observed"] = 1
    else:
        numbers = pd.to_numeric(observed[count], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        if not (np.isfinite(numbers) & (numbers >= 0) & (numbers == np.round(numbers))).all():
            raise DataError(f"{count} holds missing or negative values, or parts of a person", "numbers of patients")
        table["observed"] = numbers.astype(np.int64)
    if names and table[names].isna().any().any():
        raise DataError(f"{' or '.join(names)} is missing in {int(table[names].isna().any(axis=1).sum())} rows",
                        "a group for each patient", "name them a group, or leave them out and count them")  # fmt: skip
    lost = int(table.loc[table["birth_year"].isna(), "observed"].sum())
    table = table[table["birth_year"].notna()]
    if table.empty:
        raise DataError("nobody observed has a year of birth", "patients with a birth_year")
    born_in = pd.to_numeric(table["birth_year"], errors="coerce")
    if not (born_in == np.round(born_in)).all():
        raise DataError("birth_year holds other than whole years", "years such as 2009", "the year of the birth date")
    table["birth_year"] = born_in.astype(np.int64)
    first, last = int(born["birth_year"].min()), int(born["birth_year"].max())
    if years is None:
        span = max(first, int(table["birth_year"].min())), last
    else:
        asked = check_numbers("years", years, "the first and the last year of birth", do="years=(2000, 2020)")
        if len(asked) != 2 or not (asked == np.round(asked)).all():
            raise ParameterError(f"years is {years}", "the first and the last year of birth", "years=(2000, 2020)")
        span = int(asked[0]), int(asked[1])
    if span[0] > span[1] or span[0] < first or span[1] > last:
        raise ParameterError(f"years are {span[0]} to {span[1]}", f"years with births: {first} to {last}",
                             "births= with more years")  # fmt: skip
    inside = table["birth_year"].between(*span)
    outside = int(table.loc[~inside, "observed"].sum())
    sums = table[inside].groupby(["birth_year", *names], observed=True)["observed"].sum().reset_index()
    return sums, lost, outside, span


def _grid(counts: pd.DataFrame, born: pd.DataFrame, names: list[str], span: tuple[int, int]) -> pd.DataFrame:
    """Make a row for each year of birth and group that was observed, with its births."""
    years = pd.DataFrame({"birth_year": np.arange(span[0], span[1] + 1)})
    groups = counts[names].drop_duplicates().sort_values(names, ignore_index=True) if names else None
    grid = years if groups is None else groups.merge(years, how="cross")
    shared = ["birth_year", *(name for name in names if name in born)]
    grid = grid.merge(born[[*shared, "births"]], on=shared, how="left")
    if grid["births"].isna().any():
        raise DataError(f"{int(grid['births'].isna().sum())} years of birth of a group have no births",
                        f"births for each {', '.join(shared)} from {span[0]} to {span[1]}",
                        "births= of all groups, or years=")  # fmt: skip
    return grid


def _with_incidence(grid: pd.DataFrame, incidence: Incidence, names: list[str]) -> pd.DataFrame:
    """Add the incidence of each row, and the standard error of its logarithm."""
    if isinstance(incidence, pd.DataFrame):
        if "incidence" not in incidence:
            raise ParameterError("the table of incidence has no column incidence", "cases for 100,000 births")
        table = _unique(incidence, "incidence", names)
    else:
        given = incidence if isinstance(incidence, tuple) else (incidence,)
        values = check_numbers("incidence", given, "cases for 100,000 births, or that with its low and high limits",
                               do="incidence=(12.9, 12.0, 13.9)").tolist()  # fmt: skip
        if len(values) not in (1, 3):
            raise ParameterError(
                f"incidence has {len(values)} values", "a number, or an estimate with low and high limits"
            )
        table = _unique(
            pd.DataFrame([dict(zip(("incidence", "low", "high"), values, strict=False))]), "incidence", names
        )
    if ("low" in table) != ("high" in table):
        raise ParameterError("the incidence has one limit only", "both low and high, or none")
    error = np.zeros(len(table))
    if "low" in table:
        low, high = table["low"].to_numpy(dtype=np.float64), table["high"].to_numpy(dtype=np.float64)
        middle = table["incidence"].to_numpy(dtype=np.float64)
        if not ((low > 0) & (low <= middle) & (middle <= high) & np.isfinite(high)).all():
            raise ParameterError("limits of the incidence do not enclose it", "0 < low <= incidence <= high")
        error = np.log(high / low) / (2 * stats.norm.isf(0.025))
    keys = [name for name in ("birth_year", *names) if name in table]
    found = table[[*keys, "incidence"]].assign(_log_error=error)
    grid = grid.merge(found, on=keys, how="left") if keys else grid.merge(found, how="cross")
    if grid["incidence"].isna().any():
        raise DataError(f"{int(grid['incidence'].isna().sum())} years of birth of a group have no incidence",
                        f"an incidence for each {', '.join(keys)}")  # fmt: skip
    return grid


def _ratios(grid: pd.DataFrame, keys: list[str], level: float) -> pd.DataFrame:
    sums = grid.groupby(keys, observed=True, as_index=False)[["births", "expected", "observed", "_error"]].sum()
    sums["incidence_error"] = sums.pop("_error") / sums["expected"]
    return with_shares(sums, level)


def with_shares(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """Add the shares observed and their limits.

    Parameters
    ----------
    table : pandas.DataFrame
        `observed`, `expected` and `incidence_error`.
    level : float
        Confidence level.

    Returns
    -------
    pandas.DataFrame
        With `ascertainment`, `ci_low`, `ci_high`, `exact_low` and `exact_high`, in place of those that were there.
    """
    exact = ratio_interval(table["observed"], table["expected"], level=level)
    numbers = (table[name].to_numpy() for name in ("observed", "expected", "incidence_error"))
    spread = uncertain_ratio_interval(*numbers, level=level)
    return table.assign(
        ascertainment=exact.estimate, ci_low=spread.low, ci_high=spread.high, exact_low=exact.low, exact_high=exact.high
    )
