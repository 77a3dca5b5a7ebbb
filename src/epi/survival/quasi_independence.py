"""Is entry independent of what happens? Conditional Kendall's tau of entry and exit.

Curves with delayed entry rest on it: whoever enters late must have, from then on, the hazard of those who entered
before. Only pairs of persons who were at risk together can tell, and only where it is known who left first.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from epi.errors import ParameterError
from epi.results import Counted, Release
from epi.stats.intervals import check_level
from epi.stats.notation import format_number, format_p
from epi.survival.data import of_follow_up
from epi.survival.few import small_side
from epi.survival.groups import By, split_groups
from epi.survival.ranks import count_below
from epi.survival.robust import ROUNDING, told_groups, unit_notes
from epi.survival.stays import whole_stays
from epi.survival.steps import Lang, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData

DIGITS = 3
_WORDS = {
    "en": {
        "title": "Conditional Kendall's tau of entry and exit", "tsai": "Tsai's test",
        "robust": "Wald test, variance over clusters", "hidden": "all in all hidden",
        "none": "no pair can be compared", "within": " within groups",
        "whole": "tau{} {}, p {}", "group": "Group", "persons": "Persons", "events": "Events", "tau": "Tau",
        "ci_low": "Low", "ci_high": "High", "p": "p",
        "note": "{}; limits at {}% from the variance of a U-statistic; {}. Above zero those who enter late leave late.",
    },
    "fr": {
        "title": "Tau de Kendall conditionnel de l'entrée et de la sortie", "tsai": "Test de Tsai",
        "robust": "Test de Wald, variance sur les grappes", "none": "aucune paire n'est comparable",
        "hidden": "ensemble masqué",
        "within": " au sein des groupes", "whole": "tau{} {}, p {}", "group": "Groupe", "persons": "Personnes",
        "events": "Événements", "tau": "Tau", "ci_low": "Basse", "ci_high": "Haute", "p": "p",
        "note": "{} ; limites à {} % par la variance d'une U-statistique ; {}. Au-dessus de zéro, qui entre tard sort "
                "tard.",
    },
}  # fmt: skip


@dataclass(frozen=True)
class QuasiIndependence:
    """Conditional Kendall's tau of entry and exit, with a test that it is zero.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each group: `group`, `persons`, `events`, `pairs` (comparable ones), `tau` (-1 to 1; above zero
        those who enter late leave late), `se`, `ci_low`, `ci_high`, `statistic` (normal), `p`.
    tau, statistic, p : float
        The same of all groups, pairs being compared within groups only.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the test.
    """

    table: pd.DataFrame
    tau: float
    statistic: float
    p: float
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self, *, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Release
            Persons, events and tau by group; tau falls with the counts it comes from.
        """
        words = words_of(_WORDS, lang)
        kept = self.table.drop(columns=["pairs", "se", "statistic"])
        estimates = ["tau", "ci_low", "ci_high", "p"]
        for name in estimates:
            kept[name] = kept[name].round(DIGITS)
        whole = words["none"]
        if small_side(kept["persons"], kept["events"]):
            whole = words["hidden"]
        elif not np.isnan(self.tau):
            whole = words["whole"].format(
                words["within"] if len(self.table) > 1 else "", format_number(self.tau, 3, lang=lang),
                format_p(self.p, sign="= ", lang=lang),
            )  # fmt: skip
        level = format_number(100 * self.settings["level"], 0, lang=lang)
        return Release(
            kept,
            # How many there are in all is mostly known: a single hidden group could be found.
            (Counted("persons", adds_up_within=(), derived=("events", *estimates)),
             Counted("events", of="persons", adds_up_within=(), derived=tuple(estimates))),
            words["title"], words["note"].format(words[self.settings["test"]], level, whole),
            labels={name: words[name] for name in ("group", "persons", "events", *estimates)},
        )  # fmt: skip

    def __str__(self) -> str:
        words = "no pair can be compared" if np.isnan(self.tau) else f"{self.tau:.3f}, p = {self.p:.3g}"
        return ". ".join([f"Conditional Kendall's tau of entry and exit: {words}", *self.notes])

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, float_format="{:,.3f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


@of_follow_up
def check_quasi_independence(
    data: SurvivalData, by: By = None, *, cause: str | None = None, level: float = 0.95
) -> QuasiIndependence:
    """Test whether entry and exit are independent where both are observed.

    Two persons are compared where both were at risk when the first of them left, it is known that this one left
    first (with the event), and both entries and exits differ. Tau is the share of such pairs in which who entered
    later left later, less the share of the others.

    Parameters
    ----------
    data : SurvivalData
        Follow-up, without weights. Rows of a person that follow each other are one stay.
    by : str or sequence of str, optional
        Covariates whose values are groups; pairs are compared within groups. Where hazards or entries change
        with the year of birth, groups of births tell that apart from entry itself.
    cause : str, optional
        The event; any of them by default. The other causes are then ends of follow-up.
    level : float, optional
        Confidence level.

    Returns
    -------
    QuasiIndependence
        Tau by group and over all groups.

    Raises
    ------
    ParameterError
        If the data have weights, or a column or cause is unknown.
    DataError
        If a person's time has gaps or lies in several groups.

    Notes
    -----
    Test: at each event the rank of the entry among those at risk is compared with a draw without replacement from
    the risk set (Tsai, Biometrika 1990;77:169-177), which is the log-rank test with these ranks as scores. Ties of
    entries have middle ranks, so that pairs that entered on one day tell nothing; events of one day are compared
    with those left after that day, not with each other; who leaves without event on the day of an event leaves
    after it. Estimate and limits: Martin and Betensky (JASA 2005;100:484-492), a ratio of U-statistics, its
    variance the sum over persons of squared projections and limits on Fisher's scale. With clusters projections
    are first summed within them, and the test is on Fisher's scale too, since Tsai's needs independent persons. Pairs
    are counted by :func:`epi.survival.ranks.count_below`: n log n steps.

    A large p-value proves nothing where few pairs are compared: the limits say how much dependence is left open.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"entry": [0, 2, 4, 6, 1], "exit": [5, 8, 9, 12, 7], "died": [1, 1, 1, 0, 1]})
    >>> print(check_quasi_independence(build_survival(seen, entry="entry", exit="exit", event="died")))
    Conditional Kendall's tau of entry and exit: 1.000, p = 0.0149
    """
    check_level(level)
    if data.weight is not None:
        raise ParameterError(
            "the data have weights", "persons that count as one: no variance is known for weighted pairs",
            "build the data without weight=",
        )  # fmt: skip
    numbers, labels = split_groups(data, by)
    entry, exit_, event, first = whole_stays(data, cause, numbers)
    group = numbers[first]
    cluster = data.clusters[first] if data.cluster is not None else None
    balance, pairs = np.zeros(len(entry), dtype=np.int64), np.zeros(len(entry), dtype=np.int64)
    known = told_groups(data, numbers, len(labels))
    rows, spread = [], 0.0
    for at, label in enumerate(labels):
        inside = group == at
        of = entry[inside], exit_[inside], event[inside]
        balance[inside], pairs[inside] = compare_pairs(*of)
        variance = tsai_variance(*of)
        spread += variance
        told = _tell(balance[inside], pairs[inside], cluster[inside] if cluster is not None else None, variance, level)
        if cluster is not None and not known[at]:
            told |= dict.fromkeys(("se", "ci_low", "ci_high", "statistic", "p"), float("nan"))
        rows.append({"group": label, "persons": int(inside.sum()), "events": int(event[inside].sum()),
                     "pairs": int(pairs[inside].sum()) // 2, **told})  # fmt: skip
    whole = _tell(balance, pairs, cluster, spread, level)
    if cluster is not None and not told_groups(data, np.zeros_like(numbers), 1)[0]:
        whole |= {"statistic": float("nan"), "p": float("nan")}
    table = pd.DataFrame(rows)
    silent = table.loc[table["pairs"] == 0, "group"].tolist()
    notes = []
    if silent and len(labels) == 1:
        notes.append("no two persons can be compared: nobody enters late, or nobody has the event")
    elif silent:
        notes.append(f"no two persons of group {', '.join(silent)} can be compared")
    if cluster is not None:
        notes += unit_notes(data, numbers, labels)
    if cause is not None and len(data.causes) > 1:
        notes.append("ends by other causes are taken as censoring")
    settings = {
        "by": by, "groups": list(labels), "cause": cause, "level": level,
        "test": "tsai" if cluster is None else "robust", "clusters": cluster is not None,
    }  # fmt: skip
    return QuasiIndependence(table, whole["tau"], whole["statistic"], whole["p"], tuple(notes), settings)


def compare_pairs(
    entry: NDArray[np.int64], exit: NDArray[np.int64], event: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count each person's comparable pairs, and those alike less those opposed.

    Parameters
    ----------
    entry, exit : numpy.ndarray of int64, shape (persons,)
        At risk on (entry, exit].
    event : numpy.ndarray of bool
        Whether the event happened at the exit.

    Returns
    -------
    balance : numpy.ndarray of int64
        Pairs in which who entered later left later, less the others.
    pairs : numpy.ndarray of int64
        Pairs that can be compared.
    """
    # An event comes before the ends of follow-up of its day, and ties with the other events of it.
    leaving = 2 * exit + ~event
    order = np.argsort(entry, kind="stable")
    sorted_entry, sorted_leaving = entry[order], leaving[order]

    def later(first: NDArray[np.int64], bound: NDArray[np.int64]) -> NDArray[np.int64]:
        return first - count_below(sorted_leaving, first, bound + 1)

    balance, pairs = np.zeros(len(entry), dtype=np.int64), np.zeros(len(entry), dtype=np.int64)
    struck = np.flatnonzero(event)
    # As the one who leaves first: those at risk then and later, by entry.
    earlier = later(np.searchsorted(sorted_entry, entry[struck], side="left"), leaving[struck])
    until = later(np.searchsorted(sorted_entry, entry[struck], side="right"), leaving[struck])
    at_risk = later(np.searchsorted(sorted_entry, exit[struck], side="left"), leaving[struck])
    balance[struck] += (at_risk - until) - earlier
    pairs[struck] += (at_risk - until) + earlier
    # As the one who leaves later: events between entry and exit, by their entry.
    kept = order[event[order]]
    events_entry, events_exit = entry[kept], exit[kept]
    events_leaving = leaving[kept]
    before = np.searchsorted(events_entry, entry, side="left")
    upto = np.searchsorted(events_entry, entry, side="right")
    everyone = np.full(len(entry), len(kept))
    # Those who entered before and left in between; those who left at or before the entry do not count.
    alike = count_below(events_leaving, before, leaving) - count_below(events_exit, before, entry + 1)
    opposed = count_below(events_leaving, everyone, leaving) - count_below(events_leaving, upto, leaving)
    balance += alike - opposed
    pairs += alike + opposed
    return balance, pairs


def tsai_variance(entry: NDArray[np.int64], exit: NDArray[np.int64], event: NDArray[np.bool_]) -> float:
    """Give the variance of concordant less discordant pairs, entries being drawn without replacement from risk sets.

    Parameters
    ----------
    entry, exit : numpy.ndarray of int64, shape (persons,)
        At risk on (entry, exit].
    event : numpy.ndarray of bool
        Whether the event happened at the exit.

    Returns
    -------
    float
        The variance.
    """
    low, size = int(entry.min()), int(exit.max()) - int(entry.min()) + 2
    # At risk on each day, and the sum of cubes of the numbers who entered on one day and are still there.
    risk = np.bincount(entry - low + 1, minlength=size) - np.bincount(exit - low + 1, minlength=size)
    order = np.lexsort((exit, entry))
    starts = np.flatnonzero(np.diff(entry[order], prepend=low - 1))
    sizes = np.diff(np.append(starts, len(entry)))
    left = (np.repeat(sizes, sizes) - (np.arange(len(entry)) - np.repeat(starts, sizes))).astype(np.float64)
    cubes = np.bincount(exit[order] - low + 1, (left - 1) ** 3 - left**3, size)
    cubes += np.bincount(entry[order][starts] - low + 1, sizes.astype(np.float64) ** 3, size)
    events = np.bincount(exit[event] - low, minlength=size)
    days = np.flatnonzero(events)
    n, d, tied = np.cumsum(risk)[days].astype(np.float64), events[days], np.cumsum(cubes)[days]
    draws = d * np.where(n > 1, (n - d) / np.maximum(n - 1, 1), 0.0)
    return float((draws * (n**3 - tied) / (3 * n)).sum())


def _tell(
    balance: NDArray[np.int64], pairs: NDArray[np.int64], cluster: NDArray[np.int64] | None, variance: float,
    level: float,
) -> dict[str, float]:  # fmt: skip
    names = ("tau", "se", "ci_low", "ci_high", "statistic", "p")
    # Each pair stands twice in these sums.
    total = int(pairs.sum())
    if not total:
        return dict.fromkeys(names, float("nan"))
    tau = float(balance.sum() / total)
    projections = 2 * (balance - tau * pairs) / total
    sums = projections if cluster is None else np.bincount(cluster, projections)
    # In order of size: the same digits whatever the order of rows.
    error = float(np.sqrt(np.sort(sums**2).sum()))
    low = high = robust = float("nan")
    # Of one cluster the projections add up to nothing, and what rounding leaves is no error.
    if abs(tau) < 1 and error > ROUNDING:
        middle, wide = float(np.arctanh(tau)), error / (1 - tau**2)
        reach = float(stats.norm.isf((1 - level) / 2)) * wide
        low, high, robust = float(np.tanh(middle - reach)), float(np.tanh(middle + reach)), middle / wide
    if cluster is None:
        statistic = float(balance.sum() / 2 / np.sqrt(variance)) if variance > 0 else float("nan")
    else:
        # On the scale of the limits, which it agrees with: tau over its error rejects too often with 60 clusters.
        statistic = robust
    p = float(2 * stats.norm.sf(abs(statistic)))
    return dict(zip(names, (tau, error, low, high, statistic, p), strict=True))
