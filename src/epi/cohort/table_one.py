"""Table one: the members described, whole or by group, with standardised differences."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.cohort.balance_chart import draw_balance
from epi.errors import CohortError, EpiError, ParameterError
from epi.plotting import Chart
from epi.results import Counted, Release
from epi.stats import StandardisedDifference, standardised_difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from epi.cohort.cohort import Cohort

ALL = "all"
NOT_INFORMED = "not informed"
_STATISTICS = ["percent", "mean", "sd", "median", "q1", "q3"]
_COLUMNS = ["variable", "level", "group", "n", "denominator", *_STATISTICS, "missing", "smd", "smd_reason"]
_MOST_LEVELS = 30
_NAMES = {
    "age_at_index": "Age at the index date, years",
    "sex": "Sex",
    "has_residence": "Known commune of residence",
    "index_period": "Years of the index date",
    "diagnosis_status": "Status of the diagnosis",
    "died": "Death recorded",
}


@dataclass(frozen=True)
class TableOne:
    """Members described by group.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each variable, level and group: ``n`` (of the level, or informed), ``denominator``
        (informed), ``percent`` or ``mean, sd, median, q1, q3``, ``missing``, and on each row of the
        variable ``smd`` with, where there is none, ``smd_reason``.
    sizes : dict
        Members in each group.
    title : str
        The cohort and the groups.
    settings : dict
        How it was made.
    """

    table: pd.DataFrame
    sizes: dict[str, int]
    title: str
    settings: dict[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published: missing values are a level, percentages are of the group.

        A percentage of the informed would give away how many are not, however few they are.

        Returns
        -------
        Release
            ``variable, level, group, n, of, percent, mean, sd, median, q1, q3, smd``.
        """
        rows = self.table.copy()
        rows["of"] = rows["group"].map(self.sizes)
        rows["percent"] = rows["percent"].where(rows["percent"].isna(), 100 * rows["n"] / rows["of"])
        categorical = rows[rows["percent"].notna() & (rows["missing"] > 0)]
        absent = categorical.drop_duplicates(["variable", "group"]).copy()
        absent["n"], absent["level"] = absent["missing"], NOT_INFORMED
        absent["percent"] = 100 * absent["n"] / absent["of"]
        rows = pd.concat([rows, absent])
        order = {name: rank for rank, name in enumerate(dict.fromkeys(self.table["variable"]))}
        groups = {name: rank for rank, name in enumerate(self.sizes)}
        rows = rows.assign(
            rank=rows["variable"].map(order), last=rows["level"] == NOT_INFORMED, place=rows["group"].map(groups)
        )
        rows = rows.reset_index(drop=True).rename_axis("line").reset_index()
        rows = rows.sort_values(["rank", "place", "last", "line"], kind="stable").reset_index(drop=True)
        shown = rows[["variable", "level", "group", "n", "of", *_STATISTICS, "smd"]]
        return Release(
            shown,
            counts=(
                Counted(
                    "n", of="of", adds_up_within=("variable", "group"), derived=("percent", *_STATISTICS[1:], "smd")
                ),
                Counted("of"),
            ),
            title=self.title,
            note="n of the patients of the group; percentages are of the group, those not informed included. "
            "Standardised differences: " + self.settings.get("smd", ""),
            labels={"n": "n", "of": "of", "smd": "SMD", "q1": "Q1", "q3": "Q3", "sd": "SD"},
        )

    def chart(self) -> Chart:
        """Draw the standardised differences, the largest on top.

        Returns
        -------
        Chart
            One point for each variable; 0.1 is marked.

        Raises
        ------
        ParameterError
            If the table has no groups to compare.
        """
        differences = self.table.drop_duplicates("variable")[["variable", "smd"]]
        if len(self.sizes) < 2:
            raise ParameterError("this table has one group", "groups to compare", 'table_one(by="sex").chart()')
        smallest = self.table.groupby("variable")["denominator"].min()
        shown = differences.assign(n=differences["variable"].map(smallest)).reset_index(drop=True)
        release = Release(
            shown,
            counts=(Counted("n", derived=("smd",)),),
            title=f"Standardised differences, {self.title}",
            note="n: informed patients in the smaller group. " + self.settings.get("smd", ""),
            labels={"smd": "SMD"},
        )
        return Chart(release, draw_balance, f"Standardised differences of {len(shown)} variables: {self.title}.")

    def _repr_html_(self) -> str:
        groups = list(self.sizes)
        head = "".join(f"<th>{escape(group)}<br>n = {self.sizes[group]:,}</th>" for group in groups)
        smd_head = "<th>SMD</th>" if len(groups) > 1 else ""
        body = []
        for variable in dict.fromkeys(self.table["variable"]):
            rows = self.table[self.table["variable"] == variable]
            first = rows.iloc[0]
            smd = f"{first['smd']:.3f}" if pd.notna(first["smd"]) else f"– {escape(str(first['smd_reason']))}"
            for rank, level in enumerate(dict.fromkeys(rows["level"])):
                cells = "".join(f"<td>{_cell(rows, level, group)}</td>" for group in groups)
                label = f"<b>{escape(variable)}</b>" if rank == 0 else ""
                last = (f"<td>{smd}</td>" if rank == 0 else "<td></td>") if smd_head else ""
                body.append(f"<tr><td>{label}</td><td>{escape(level)}</td>{cells}{last}</tr>")
        return (
            f"<p>{escape(self.title)}</p><table><thead><tr><th></th><th></th>{head}{smd_head}</tr></thead>"
            f"<tbody>{''.join(body)}</tbody></table>"
        )


def _cell(rows: pd.DataFrame, level: str, group: str) -> str:
    found = rows[(rows["level"] == level) & (rows["group"] == group)]
    if found.empty:
        return ""
    row = found.iloc[0]
    absent = f"; {row['missing']:,} not informed" if row["missing"] else ""
    if pd.notna(row["percent"]):
        return f"{row['n']:,} / {row['denominator']:,} ({row['percent']:.1f} %){absent}"
    if not row["n"]:
        return f"none informed{absent}"
    spread = f" ± {row['sd']:.1f}" if pd.notna(row["sd"]) else ""
    quartiles = f"; median {row['median']:.1f} [{row['q1']:.1f}–{row['q3']:.1f}]"
    return f"{row['mean']:.1f}{spread}{quartiles}; {row['n']:,} informed{absent}"


def build_table_one(
    name: str,
    members: pd.DataFrame,
    by: str | pd.Series | None,
    variables: Sequence[str] | None,
    extra: pd.DataFrame | None,
) -> TableOne:
    """Describe members.

    Parameters
    ----------
    name : str
        The cohort.
    members : pandas.DataFrame
        Its members.
    by : str or pandas.Series or None
        The groups.
    variables : sequence of str or None
        Columns to describe.
    extra : pandas.DataFrame or None
        More columns, with a patient_id.

    Returns
    -------
    TableOne
        The table.

    Raises
    ------
    ParameterError
        If a column does not exist, or groups cannot be compared.
    """
    frame = _prepare(members, extra)
    groups, label = _groups(frame, by)
    chosen = list(variables) if variables is not None else _default_variables(frame, extra, label)
    unknown = [variable for variable in chosen if variable not in frame.columns]
    if unknown:
        usable = ", ".join(column for column in frame.columns if not column.endswith("_date"))
        raise ParameterError(f"table one has no column {', '.join(map(repr, unknown))}", f"some of {usable}")
    names = sorted(groups.dropna().unique().tolist())
    if by is not None and len(names) < 2:
        raise ParameterError(f"{label!r} has {len(names)} group(s)", "two groups or more to compare")
    # Persons of unknown sex are counted and are no group to be unlike.
    compared = [group for group in names if not (label == "sex" and group == "UNK")]
    rows = []
    for variable in chosen:
        rows += _describe(_NAMES.get(variable, variable), frame[variable], groups, names, compared)
    table = pd.DataFrame(rows, columns=_COLUMNS)
    ungrouped = int(groups.isna().sum())
    return TableOne(
        table=table,
        sizes={str(group): int((groups == group).sum()) for group in names},
        title=f"{name}, by {label}" if by is not None else name,
        settings={
            "by": label,
            "without_group": ungrouped,
            "smd": _smd_words(names, compared),
        },
    )


def compare_cohorts(
    first: Cohort, second: Cohort, variables: Sequence[str] | None = None, extra: pd.DataFrame | None = None
) -> TableOne:
    """Describe two cohorts side by side, with standardised differences.

    Parameters
    ----------
    first, second : Cohort
        Two cohorts without a patient in common, such as cases and controls.
    variables : sequence of str, optional
        Columns to describe; those of :meth:`Cohort.table_one` by default.
    extra : pandas.DataFrame, optional
        More columns, with a patient_id.

    Returns
    -------
    TableOne
        One group for each cohort, called by its name.

    Raises
    ------
    ParameterError
        If they have the same name.
    CohortError
        If patients belong to both.
    """
    if first.name == second.name:
        raise ParameterError("both cohorts have the same name", "two names", 'cohort.named("…")')
    members = pd.concat([first.members, second.members], ignore_index=True)
    shared = int(members["patient_id"].duplicated().sum())
    if shared:
        raise CohortError(
            f"{shared} patients belong to both cohorts", "cohorts without a patient in common", "exclude one diagnosis"
        )
    group = pd.Series([first.name] * len(first.members) + [second.name] * len(second.members), members["patient_id"])
    return build_table_one(f"{first.name} and {second.name}", members, group.rename("cohort"), variables, extra)


def _prepare(members: pd.DataFrame, extra: pd.DataFrame | None) -> pd.DataFrame:
    first = members["index_date"].dt.year.astype("Int64") // 5 * 5
    frame = members.assign(
        has_residence=np.where(members["insee_code"].notna(), "yes", "no"),
        # Five years at a time: single years of a rare disease hold too few patients to be published.
        index_period=first.astype("string") + "–" + (first + 4).astype("string"),
    )
    if extra is None:
        return frame
    if "patient_id" not in extra.columns or extra["patient_id"].duplicated().any():
        raise ParameterError("extra has no patient_id, or one twice", "one row for each patient_id")
    added = extra.drop(
        columns=[column for column in extra.columns if column in frame.columns and column != "patient_id"]
    )
    added = added.assign(patient_id=added["patient_id"].astype("string"))
    return frame.merge(added, how="left", on="patient_id", validate="one_to_one")


def _groups(frame: pd.DataFrame, by: str | pd.Series | None) -> tuple[pd.Series, str]:
    if by is None:
        return pd.Series(ALL, index=frame.index, dtype="string"), ALL
    if isinstance(by, str):
        if by not in frame.columns:
            raise ParameterError(f"there is no column {by!r} to group by", f"one of {', '.join(frame.columns)}")
        values, label = frame[by], by
    else:
        values, label = frame["patient_id"].map(by), str(by.name or "group")
    if values.nunique() > 8:
        raise ParameterError(f"{label!r} has {values.nunique()} groups", "at most 8")
    return values.astype("string"), label


def _default_variables(frame: pd.DataFrame, extra: pd.DataFrame | None, label: str) -> list[str]:
    offered = ["age_at_index", "sex", "has_residence", "index_period", "diagnosis_status", "died"]
    added = [column for column in extra.columns if column != "patient_id"] if extra is not None else []
    chosen = [column for column in (*offered, *added) if column != label and frame[column].notna().any()]
    # A single period (a fixed index date) describes nobody.
    return [column for column in chosen if column != "index_period" or len(frame[column].dropna().unique()) > 1]


def _smd_words(names: list[str], compared: list[str]) -> str:
    if len(names) < 2:
        return ""
    out = ", UNK left out" if len(compared) < len(names) else ""
    return ("the largest between two groups" if len(compared) > 2 else "first group minus second") + out


def _describe(
    name: str, values: pd.Series, groups: pd.Series, names: list[str], compared: list[str]
) -> list[list[Any]]:
    numeric = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
    if not numeric:
        values = values.astype("string").replace({"True": "yes", "False": "no"})
        if values.nunique() > _MOST_LEVELS:
            raise ParameterError(
                f"{name!r} has {values.nunique()} levels", f"at most {_MOST_LEVELS}", "group them first"
            )
    smd = _difference([values[groups == group] for group in compared], "continuous" if numeric else None)
    if len(compared) < 2 <= len(names):
        smd = (np.nan, "one group of known sex")
    levels = [""] if numeric else sorted(values.dropna().unique().tolist())
    rows: list[list[Any]] = []
    for level in levels or [NOT_INFORMED]:
        for group in names:
            own = values[groups == group]
            known = own.dropna()
            missing = len(own) - len(known)
            if numeric:
                cells = [len(known), len(known), np.nan, *_moments(known.astype("float64"))]
            else:
                n = int((known == level).sum())
                percent = 100 * n / len(known) if len(known) else np.nan
                cells = [n, len(known), percent, *[np.nan] * 5]
            rows.append([name, level, group, *cells, missing, smd[0], smd[1]])
    return rows


def _moments(known: pd.Series) -> list[float]:
    ordered = np.sort(known.to_numpy())  # sums do not depend on the order of rows
    if not len(ordered):
        return [np.nan] * 5
    deviation = float(np.std(ordered, ddof=1)) if len(ordered) > 1 else np.nan
    return [float(np.mean(ordered)), deviation, *(float(value) for value in np.quantile(ordered, [0.5, 0.25, 0.75]))]


def _difference(samples: list[pd.Series], kind: Any) -> tuple[float, str]:
    """Standardised difference of two groups, or the largest between any two of several."""
    if len(samples) < 2:
        return np.nan, ""
    found: list[StandardisedDifference] = []
    reasons: list[str] = []
    categorical = kind is None
    for first, second in combinations(samples, 2):
        try:
            values = [sample.astype(object if categorical else "float64") for sample in (first, second)]
            chosen: Any = kind or ("binary" if pd.concat(values).nunique() == 2 else "categorical")
            result = standardised_difference(values[0], values[1], kind=chosen)
        except EpiError as error:
            reasons.append(error.arrived)
            continue
        if result.reason:
            reasons.append(result.reason)
        else:
            found.append(result)
    if not found:
        return np.nan, reasons[0]
    largest = max(found, key=lambda result: abs(result.value))
    return (largest.value, "") if len(samples) == 2 else (abs(largest.value), "")
