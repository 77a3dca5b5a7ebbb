"""Lead time: a diagnosis made earlier lengthens survival since diagnosis, even of those whom it does not help.

Screening moves the diagnosis to the first weeks of life. Counted since diagnosis, time that would have been lived
undiagnosed is won at once; counted since birth, nothing is won but what is lived longer. Both are shown side by side.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.arguments import check_number, check_whole
from epi.errors import DataError, EstimationError, ParameterError
from epi.stats.intervals import check_level
from epi.survival.curves import estimate_survival
from epi.survival.data import DAYS_PER_YEAR, NONE, of_follow_up
from epi.survival.groups import By, split_groups
from epi.survival.immortal_time import exposure_days
from epi.survival.stays import first_rows
from epi.survival.steps import whole_days

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.plotting import Chart
    from epi.results import Release
    from epi.survival.data import SurvivalData
    from epi.survival.steps import Lang

SCALES = ("since_diagnosis", "age")


@dataclass(frozen=True)
class LeadTime:
    """Age at diagnosis by group, and survival since diagnosis beside survival since birth.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each group: `group`, `persons`, `age_q1`, `age_median`, `age_q3` (years of age at diagnosis), `shift`
        (median age less that of the first group, years).
    survival : pandas.DataFrame
        A row for each group and `scale` (since_diagnosis, age): `from_years`, `to_years` (the times on that scale
        between which survival is taken), `at_risk` just after the first one, `events` between them, `survival`, `se`,
        `ci_low`, `ci_high`, `difference` from the first group, `difference_low`, `difference_high`.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the estimates.
    """

    table: pd.DataFrame
    survival: pd.DataFrame
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of headings and notes.

        Returns
        -------
        Release
            A row for each group: age at diagnosis, and survival on both scales with the events it rests on.
        """
        from epi.survival.lead_time_chart import release_lead_time

        return release_lead_time(self, lang)

    def chart(self, *, lang: Lang = "en") -> Chart:
        """Draw age at diagnosis by group, and survival on both scales beside it.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Chart
            The figure and its table.
        """
        from epi.survival.lead_time_chart import draw_lead_time

        return draw_lead_time(self, lang)

    def __str__(self) -> str:
        lines = []
        first = self.table["group"].iloc[0]
        for row in self.table.iloc[1:].to_dict("records"):
            gains = self.survival[self.survival["group"] == row["group"]].set_index("scale")["difference"]
            lines.append(
                f"{row['group']} against {first}: diagnosis {-row['shift']:+.2f} years earlier, survival "
                f"{gains['since_diagnosis']:+.3f} since diagnosis, {gains['age']:+.3f} since birth"
            )
        return ". ".join(["; ".join(lines), *self.notes])

    def _repr_html_(self) -> str:
        tables = "".join(
            part.to_html(index=False, float_format="{:,.3f}".format, na_rep="–") for part in (self.table, self.survival)
        )
        return f"<p>{html.escape(str(self))}</p>{tables}"


@of_follow_up
def check_lead_time(
    data: SurvivalData,
    by: By,
    *,
    diagnosis: str | None = None,
    years: float = 10,
    minimum: int = 20,
    cause: str | None = None,
    level: float = 0.95,
) -> LeadTime:
    """Show how far an earlier diagnosis makes survival since diagnosis look better.

    Parameters
    ----------
    data : SurvivalData
        Follow-up of persons on the scale of age, with their ``diagnosis``; or since diagnosis, with their birth.
    by : str or sequence of str
        Covariates whose values are groups, such as births before and after screening; the first is compared with.
    diagnosis : str, optional
        On the scale of age: covariate with the date of diagnosis, or the age at it in days.
    years : float, optional
        Length of the time over which survival is taken, on both scales.
    minimum : int, optional
        Persons at risk that each group needs where that time starts: the first such time on each scale.
    cause : str, optional
        The event; any of them by default.
    level : float, optional
        Confidence level.

    Returns
    -------
    LeadTime
        Ages at diagnosis, and survival on both scales, of the same persons over the same follow-up: from diagnosis on.

    Raises
    ------
    ParameterError
        If the data hold no age at diagnosis, there is one group only, or an option is unknown.
    DataError
        If a diagnosis is missing, or comes before birth.
    EstimationError
        If groups are not followed for so long.

    Notes
    -----
    Both scales hold the same person-days: at risk from the later of entry and diagnosis. Where screening changes the
    diagnosis and nothing else, survival since diagnosis differs between groups and survival since birth does not: their
    difference on the first scale, less that on the second, is the lead time's part. Nothing here tells of length time:
    milder forms that screening finds are to be left out by their subtype. Differences take groups as independent; with
    clusters, which groups may share, they have no limits. Ages are weighted as survival is.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> rng = np.random.default_rng(1)
    >>> life = rng.integers(1200, 9000, 400)
    >>> seen = pd.DataFrame({"exit": life, "died": 1, "era": ["before", "after"] * 200,
    ...                      "found": [1000, 10] * 200})
    >>> ages = build_survival(seen, exit="exit", event="died", scale="age",
    ...                       covariates=["era", "found"])
    >>> found = check_lead_time(ages, "era", diagnosis="found", years=5)
    >>> found.table[["group", "age_median"]].round(2).to_numpy().tolist()
    [['after', 0.03], ['before', 2.74]]
    """
    check_level(level)
    minimum = check_whole("minimum", minimum, "at least 1 person at risk", least=1, do="minimum=20")
    years = check_number("years", years, "years above zero", above=0, do="years=10")
    labels = split_groups(data, by)[1]
    if len(labels) < 2:
        raise ParameterError(f"there is one group, {labels[0]}", "two or more to compare", "by= and another column")
    age, known = _ages(data, diagnosis)
    since, late = _since_diagnosis(data, age, known)
    scales = {"since_diagnosis": since, "age": _since_birth(since)}
    first = first_rows(since)
    group = split_groups(since, by)[0][first]
    kept_labels = split_groups(since, by)[1]
    gone = [label for label in labels if label not in kept_labels]
    if gone:
        raise EstimationError(
            f"nobody of group {', '.join(gone)} is followed after diagnosis", "follow-up of each group"
        )
    # Time zero is the diagnosis now: the birth lies as many days before.
    ages = scales["age"].entry[first] - since.entry[first]
    rows = []
    for at, label in enumerate(labels):
        inside = group == at
        low, middle, high = _quartiles(ages[inside], None if since.weight is None else since.weight[first][inside])
        rows.append({"group": label, "persons": int(inside.sum()), "age_q1": low, "age_median": middle,
                     "age_q3": high})  # fmt: skip
    table = pd.DataFrame(rows)
    table["shift"] = table["age_median"] - table["age_median"].iloc[0]
    parts, starts = [], {}
    for scale, follow in scales.items():
        part, starts[scale] = _survival(follow, by, labels, years, minimum, cause, level)
        parts.append(part.assign(scale=scale))
    survival = pd.concat(parts, ignore_index=True)
    survival.insert(1, "scale", survival.pop("scale"))
    notes = ["those diagnosed and followed are seen: ages at diagnosis are not those of all patients of a group"]
    if late:
        notes.append(f"{late} persons are not followed after their diagnosis and are left out")
    if data.cluster is not None:
        notes.append("differences have no limits: clusters may lie in several groups")
    settings = {
        "by": by, "groups": list(labels), "diagnosis": diagnosis, "years": years, "minimum": minimum, "cause": cause,
        "level": level, "from_days": starts, "left_out": late,
    }  # fmt: skip
    return LeadTime(table, survival, tuple(notes), settings)


def _ages(data: SurvivalData, diagnosis: str | None) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give each row's age at diagnosis, in days, and where it is known."""
    if data.scale == "since_diagnosis" and diagnosis is None:
        if data.birth is None or data.origin is None:
            raise ParameterError("the data do not know birth and diagnosis", "dates of both",
                                 "build_survival(..., origin='diagnosis_date', birth='birth_date')")  # fmt: skip
        age = data.origin - data.birth
    elif data.scale == "age" and diagnosis is not None:
        age = exposure_days(data, diagnosis)
    else:
        raise ParameterError(
            f"the scale is {data.scale!r} and diagnosis is {diagnosis!r}",
            "the scale of age with diagnosis=, or data since diagnosis with their birth", "diagnosis='diagnosis_date'",
        )  # fmt: skip
    known = age != NONE
    early = int((known & (age < 0)).sum())
    faults = [f"{int((~known).sum())} rows have no diagnosis"] if (~known).any() else []
    faults += [f"{early} rows have a diagnosis before birth: call it day 0 where it is antenatal"] if early else []
    if faults:
        raise DataError("ages at diagnosis cannot be used", "a diagnosis on or after birth for each person",
                        "select and count these rows", faults=faults)  # fmt: skip
    return age, known


def _since_diagnosis(data: SurvivalData, age: NDArray[np.int64], known: NDArray[np.bool_]) -> tuple[SurvivalData, int]:
    """Count from diagnosis, at risk from it on; and the persons who have no such time."""
    shift = age if data.scale == "age" else np.zeros_like(age)
    entry, exit_ = np.maximum(data.entry - shift, 0), data.exit - shift
    origin = None if data.origin is None else data.origin + shift
    follow = replace(data, entry=entry, exit=exit_, scale="since_diagnosis", origin=origin,
                     covariates=data.covariates.assign(_age=age))  # fmt: skip
    kept = known & (entry < exit_)
    if not kept.any():
        raise EstimationError("nobody is followed after diagnosis", "follow-up after diagnosis")
    lost = data.persons - len(np.unique(data.person[kept]))
    return follow.select(kept), lost


def _since_birth(since: SurvivalData) -> SurvivalData:
    age = since.covariates["_age"].to_numpy(dtype=np.int64)
    origin = None if since.origin is None else since.origin - age
    return replace(since, entry=since.entry + age, exit=since.exit + age, scale="age", origin=origin)


def _quartiles(days: NDArray[np.int64], weight: NDArray[np.float64] | None) -> list[float]:
    """Give the quartiles of ages in years; with weights the ages by which a quarter of the weight is reached."""
    shares, years = [0.25, 0.5, 0.75], days / DAYS_PER_YEAR
    found = np.quantile(years, shares) if weight is None else np.quantile(
        years, shares, weights=weight, method="inverted_cdf"
    )  # fmt: skip
    return [float(value) for value in found]


def _survival(
    data: SurvivalData, by: By, labels: tuple[str, ...], years: float, minimum: int, cause: str | None, level: float
) -> tuple[pd.DataFrame, int]:
    curve = estimate_survival(data, by=by, cause=cause, level=level).conditional(minimal=minimum)
    start = int(curve.settings["conditional_on"])
    end = start + int(whole_days([years], "years")[0])
    read = curve.at(end)
    if read["survival"].isna().any():
        short = ", ".join(read.loc[read["survival"].isna(), "group"])
        raise EstimationError(
            f"group {short} is not followed from {start / DAYS_PER_YEAR:.2f} to {end / DAYS_PER_YEAR:.2f} years on the "
            f"scale {data.scale!r}", "a time that all groups are followed for", f"a shorter years= than {years:g}",
        )  # fmt: skip
    there = curve.at(start + 1)["at_risk"].to_numpy()
    part = read[["group", "events", "survival", "se", "ci_low", "ci_high"]].copy()
    part.insert(1, "from_years", start / DAYS_PER_YEAR)
    part.insert(2, "to_years", end / DAYS_PER_YEAR)
    part.insert(3, "at_risk", there)
    part["difference"] = part["survival"] - part["survival"].iloc[0]
    spread = np.sqrt(part["se"] ** 2 + part["se"].iloc[0] ** 2) * stats.norm.isf((1 - level) / 2)
    # Of a group without event nothing tells how far its survival may be off.
    known = (part["se"] > 0) & (part["se"].iloc[0] > 0)
    spread = spread.where((np.arange(len(labels)) > 0) & (data.cluster is None) & known)
    part["difference_low"], part["difference_high"] = part["difference"] - spread, part["difference"] + spread
    return part, start
