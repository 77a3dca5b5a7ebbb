"""Do survival curves differ? The log-rank test and its weighted relatives, with late entry and strata."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from epi.arguments import check_number, check_numbers
from epi.errors import EstimationError, ParameterError
from epi.results import Counted, Release
from epi.stats.notation import format_number, format_p
from epi.survival.counting import count_days, stated_order
from epi.survival.data import of_follow_up
from epi.survival.few import small_side
from epi.survival.groups import By, split_groups, unused_strata
from epi.survival.risk_sets import check_first_events, wants_robust
from epi.survival.robust import FEW_CLUSTERS, ROUNDING, few_note, unit_words
from epi.survival.steps import Lang, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.survival.data import SurvivalData

Test = Literal["log-rank", "gehan", "tarone-ware", "peto", "fleming-harrington"]
TESTS: tuple[Test, ...] = ("log-rank", "gehan", "tarone-ware", "peto", "fleming-harrington")


_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "group": "Group", "persons": "Persons", "events": "Events", "none": "no statistic",
        "hidden": "result hidden: small counts", "within": " within strata",
        "chi": "chi-square {}, p {}", "df": "{} degree{} of freedom",
        "tests": {
            "log-rank": "Log-rank test", "gehan": "Gehan-Breslow (Wilcoxon) test", "tarone-ware": "Tarone-Ware test",
            "peto": "Peto-Peto test", "fleming-harrington": "Fleming-Harrington test ({rho:g}, {gamma:g})",
            "gray": "Gray's test of {cause}", "net log-rank": "Log-rank test of net survival",
        },
        "trend": " for trend",
        "note": "{}, {}; {}.",
        "variances": {"hypergeometric": "hypergeometric variance", "robust": "robust variance",
                      "Gray's": "Gray's variance", "Poisson increments": "Poisson increments variance"},
    },
    "fr": {
        "group": "Groupe", "persons": "Personnes", "events": "Événements", "none": "pas de statistique",
        "hidden": "résultat masqué : petits effectifs",
        "within": " au sein des strates", "chi": "khi-deux {}, p {}", "df": "{} degré{} de liberté",
        "note": "{}, {} ; {}.",
        "tests": {
            "log-rank": "Test du log-rank", "gehan": "Test de Gehan-Breslow (Wilcoxon)",
            "tarone-ware": "Test de Tarone-Ware", "peto": "Test de Peto-Peto",
            "fleming-harrington": "Test de Fleming-Harrington ({rho:g}, {gamma:g})", "gray": "Test de Gray : {cause}",
            "net log-rank": "Test du log-rank de la survie nette",
        },
        "trend": " de tendance",
        "variances": {"hypergeometric": "variance hypergéométrique", "robust": "variance robuste",
                      "Gray's": "variance de Gray", "Poisson increments": "variance d'accroissements de Poisson"},
    },
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """A test that curves are equal.

    Parameters
    ----------
    table : pandas.DataFrame
        `group`, `persons`, `events`, and what the test compares: `observed` and `expected`, weighted by
        the test's weights of time where it has some.
    statistic : float
        Chi-square; missing where no event tells the groups apart.
    df : int
        Degrees of freedom.
    p : float
        p-value.
    notes : tuple of str
        What a reader must know.
    settings : mapping
        What determined the test.
    """

    table: pd.DataFrame
    statistic: float
    df: int
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
            Persons and events by group, with the test in the note.
        """
        words, settings = words_of(_WORDS, lang), self.settings
        number = partial(format_number, lang=lang)
        result = words["none"]
        if small_side(self.table["persons"], self.table["events"]):
            # Of two groups a chi-square gives the hidden events of one back.
            result = words["hidden"]
        elif not np.isnan(self.statistic):
            result = words["chi"].format(number(self.statistic, 2), format_p(self.p, sign="= ", lang=lang))
        degrees = words["df"].format(self.df, "s" if self.df > 1 else "")
        variance = words["variances"][settings["variance"]]
        return Release(
            self.table[["group", "persons", "events"]],
            (Counted("persons", adds_up_within=()), Counted("events", of="persons", adds_up_within=())),
            f"{name_test(settings, lang)}{words['within'] if settings['strata'] else ''}",
            words["note"].format(result, degrees, variance),
            labels={name: words[name] for name in ("group", "persons", "events")},
        )

    def __str__(self) -> str:
        found = "no statistic"
        if not np.isnan(self.statistic):
            found = f"chi-square {self.statistic:.3f} ({self.df} df), p = {self.p:.4g}"
        return ". ".join([f"{name_test(self.settings)}: {found}", *self.notes])

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{self.table.to_html(index=False, float_format='{:,.2f}'.format)}"


@of_follow_up
def compare_survival(
    data: SurvivalData,
    by: By,
    *,
    test: Test = "log-rank",
    rho: float = 0.0,
    gamma: float = 0.0,
    cause: str | None = None,
    strata: By = None,
    trend: bool | Sequence[float] = False,
    robust: bool | None = None,
) -> Comparison:
    """Test whether groups have the same hazard, entry times counted.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    by : str or sequence of str
        Covariates whose values are groups; ``"strata"`` for the strata of the data.
    test : {"log-rank", "gehan", "tarone-ware", "peto", "fleming-harrington"}, optional
        What each day weighs: 1; the number at risk n (Gehan, Breslow; Wilcoxon); its square root; the
        product of 1 - d/(n+1) until the day (Peto and Peto; with weights their mean in place of 1);
        S(t-)^rho (1 - S(t-))^gamma, S being the curve of all groups of the stratum together.
    rho, gamma : float, optional
        Of Fleming and Harrington's weights.
    cause : str, optional
        The event; any of them by default. The other causes are then ends of follow-up.
    strata : str or sequence of str, optional
        Covariates within whose values groups are compared; ``"strata"`` for those of the data.
    trend : bool or sequence of float, optional
        Test against an order of the groups: their ranks, or a score for each.
    robust : bool, optional
        Whether the variance comes from the sums over clusters (persons where there are none). By
        default where there are weights or clusters.

    Returns
    -------
    Comparison
        The test.

    Raises
    ------
    ParameterError
        If an option is unknown, there is one group only, or scores do not fit the groups.
    EstimationError
        If a robust test has no more clusters than degrees of freedom.

    Notes
    -----
    Variance of draws without replacement from the risk set (Mantel 1966; Peto and Peto 1972; Tarone and
    Ware 1977; Harrington and Fleming 1982). Robust variance: Lin and Wei (JASA 1989), the sum over
    clusters of the products of its members' score residuals at no difference.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"days": [5, 8, 9, 12, 20, 25], "died": [1, 1, 1, 1, 0, 1], "arm": list("aababb")})
    >>> print(compare_survival(build_survival(seen, exit="days", event="died"), "arm"))
    Log-rank test: chi-square 2.557 (1 df), p = 0.1098
    """
    if test not in TESTS:
        raise ParameterError(f"test is {test!r}", f"one of {', '.join(TESTS)}", "test='log-rank'")
    if (rho or gamma) and test != "fleming-harrington":
        raise ParameterError("rho and gamma belong to Fleming and Harrington's weights", do="test='fleming-harrington'")
    rho, gamma = (check_number(name, value, "0 or more", least=0) for name, value in (("rho", rho), ("gamma", gamma)))
    check_first_events(data, cause)
    numbers, labels = split_groups(data, by)
    size = len(labels)
    if size < 2:
        raise ParameterError(f"there is one group, {labels[0]}", "two or more to compare", "by= and another column")
    scores = _scores(trend, size)
    jackknife = wants_robust(data, robust)
    event = data.is_event(cause)
    at = slice(None) if cause is None else slice(data.cause_number(cause) - 1, data.cause_number(cause))
    weigh = _weigher(test, rho, gamma, float(data.weights.mean()))
    variance, expected, weighted = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    residuals = np.zeros((len(data), size)) if jackknife else None
    for rows, part in layers(data, strata):
        group = numbers[rows]
        counts = count_days(part, group, size)
        risk, deaths = counts.weighted_at_risk, counts.weighted_events[:, :, at].sum(axis=2)
        total, events = risk.sum(axis=0), deaths.sum(axis=0)
        there = events > 0
        share = np.divide(risk, total, out=np.zeros_like(risk), where=total > 0)
        hazard = np.where(there, events / np.where(total > 0, total, 1), 0.0)
        weight = weigh(total, events, hazard)
        weighted += (weight * deaths).sum(axis=1)
        expected += (weight * events * share).sum(axis=1)
        if residuals is not None:
            residuals[rows] = _residuals(part, event[rows], group, counts.first, weight, hazard, share)
            continue
        spread = weight**2 * events * np.where(total > 1, (total - events) / np.maximum(total - 1, 1e-300), 0.0)
        variance += np.diag((spread * share).sum(axis=1)) - (spread * share) @ share.T
    score = weighted - expected
    notes = strata_notes(data, by, strata)
    if residuals is not None:
        variance, units = _robust(data, residuals)
        needed = 2 if scores is not None else size
        if 0 < units < needed:
            what = unit_words(data)
            raise EstimationError(
                f"a robust test of {size} groups cannot be made of {units} {what if units > 1 else what[:-1]}",
                f"{needed} {what} or more: of fewer the statistic is their number, whatever happened",
                "compare fewer groups, or smaller clusters",
            )  # fmt: skip
        if units < FEW_CLUSTERS and data.cluster is not None:
            notes.append(few_note(units))
    if scores is None:
        statistic, df = quadratic(score, variance)
    else:
        slope, spread = float(scores @ score), float(scores @ variance @ scores)
        statistic, df = (slope**2 / spread if spread > 0 else np.nan), 1
    people = [len(np.unique(data.person[numbers == group])) for group in range(size)]
    happened = np.bincount(numbers[event], minlength=size)
    table = pd.DataFrame(
        {"group": labels, "persons": people, "events": happened, "observed": weighted, "expected": expected}
    )
    if df < size - 1 and scores is None:
        notes.append("groups without anybody at risk when events happen are left out of the test")
    if np.isnan(statistic):
        notes.append("no event tells the groups apart")
    settings = {
        "test": test, "rho": rho, "gamma": gamma, "by": by,
        "groups": list(labels), "cause": cause, "strata": strata, "trend": None if scores is None else scores.tolist(),
        "variance": "robust" if jackknife else "hypergeometric", "weights": data.weight is not None,
        "clusters": data.cluster is not None,
    }  # fmt: skip
    return Comparison(table, statistic, df, float(stats.chi2.sf(statistic, df)), tuple(notes), settings)


def quadratic(score: NDArray[np.float64], variance: NDArray[np.float64]) -> tuple[float, int]:
    """Give the chi-square of scores that add up to zero.

    Parameters
    ----------
    score : numpy.ndarray, shape (groups,)
        Observed less expected.
    variance : numpy.ndarray, shape (groups, groups)
        Their variances and covariances.

    Returns
    -------
    statistic : float
        Chi-square; missing where nothing varies.
    df : int
        Degrees of freedom: groups that vary, less one.
    """
    varies = np.diag(variance) > 0
    if varies.sum() < 2:
        return float("nan"), max(int(varies.sum()) - 1, 0)
    kept = np.flatnonzero(varies)
    # Groups compared in separate strata only make the matrix of lower rank than groups less one.
    inner = variance[np.ix_(kept, kept)]
    scale = np.sqrt(np.diag(inner))
    values, vectors = np.linalg.eigh(inner / np.outer(scale, scale))
    large = values > 1e-9
    turned = vectors[:, large].T @ (score[kept] / scale)
    rank = int(large.sum())
    if rank == len(kept) - 1:
        statistic = float(score[kept[:-1]] @ np.linalg.solve(inner[:-1, :-1], score[kept[:-1]]))
    else:
        statistic = float((turned**2 / values[large]).sum())
    return statistic, rank


def name_test(settings: Mapping[str, Any], lang: Lang = "en") -> str:
    """Name a test.

    Parameters
    ----------
    settings : mapping
        ``test``, and what its name tells: ``rho`` and ``gamma``, ``cause``, ``trend``.
    lang : {"fr", "en"}, optional
        Language.

    Returns
    -------
    str
        Its name.

    Examples
    --------
    >>> name_test({"test": "gray", "cause": "relapse"}, "fr")
    'Test de Gray : relapse'
    """
    words = words_of(_WORDS, lang)
    return str(words["tests"][settings["test"]].format(**settings)) + (words["trend"] if settings.get("trend") else "")


def _scores(trend: bool | Sequence[float], groups: int) -> NDArray[np.float64] | None:
    if isinstance(trend, bool):
        return np.arange(groups, dtype=np.float64) if trend else None
    scores = check_numbers("trend", trend, "true, or a number for each group", do="trend=[0, 1, 2]")
    if scores.shape != (groups,) or not np.isfinite(scores).all() or np.ptp(scores) == 0:
        raise ParameterError(f"{len(scores)} scores are given for {groups} groups", "a number for each, not all equal")
    return scores


def _weigher(test: Test, rho: float, gamma: float, heavy: float) -> Any:
    def weigh(
        total: NDArray[np.float64], events: NDArray[np.float64], hazard: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if test == "gehan":
            return total
        if test == "tarone-ware":
            return np.asarray(np.sqrt(total), dtype=np.float64)
        if test == "peto":
            # Weights count as persons on the mean, whatever their unit.
            return np.asarray(np.cumprod(1 - events / (total + heavy)), dtype=np.float64)
        if test == "fleming-harrington":
            before = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
            return np.asarray(np.clip(before, 0, 1) ** rho * np.clip(1 - before, 0, 1) ** gamma, dtype=np.float64)
        return np.ones_like(total)

    return weigh


def strata_notes(data: SurvivalData, by: By, strata: By) -> list[str]:
    """Say that a test leaves the strata of the data aside.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    by, strata : str, sequence of str or None
        What the test compares, and within what.

    Returns
    -------
    list of str
        A sentence, or none.
    """
    return [] if strata is not None or by == "strata" else unused_strata(data, "strata='strata'")


def layers(data: SurvivalData, strata: By) -> Iterator[tuple[NDArray[np.int64], SurvivalData]]:
    """Cut the data into strata, one after the other: there may be many, each with its own days.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    strata : str, sequence of str or None
        Covariates; one stratum where None.

    Yields
    ------
    rows : numpy.ndarray of int64
        Positions of the stratum's rows.
    part : SurvivalData
        Their follow-up, without covariates.
    """
    if strata is None:
        yield np.arange(len(data)), data
        return
    numbers, _ = split_groups(data, strata, None)
    bare = replace(data, covariates=pd.DataFrame(index=pd.RangeIndex(len(data))))
    order = np.argsort(numbers, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        yield rows, bare.select(rows)


def _residuals(
    part: SurvivalData, event: NDArray[np.bool_], group: NDArray[np.int64], first: int, weight: NDArray[np.float64],
    hazard: NDArray[np.float64], share: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Give the score residuals of a stratum's rows at no difference between groups."""
    steps = np.cumsum(weight * hazard)
    shares = np.cumsum(weight * hazard * share, axis=1)
    stop, start = part.exit - first, part.entry - first
    own = np.zeros((len(part), len(share)))
    own[np.arange(len(part)), group] = 1.0
    found = -own * (steps[stop] - steps[start])[:, None] + (shares[:, stop] - shares[:, start]).T
    found += (event * weight[stop])[:, None] * (own - share[:, stop].T)
    return np.asarray(found * part.weights[:, None], dtype=np.float64)


def _robust(data: SurvivalData, residuals: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Sum over clusters the products of their members' score residuals; count the clusters that tell something."""
    order = stated_order(data)
    sums = residuals[order]
    if data.cluster is not None or data.persons < len(data):
        cluster = data.clusters[order]
        sums = np.stack([np.bincount(cluster, column) for column in sums.T], axis=1)
    largest = float(np.abs(sums).max(initial=0.0))
    telling = int((np.abs(sums).max(axis=1, initial=0.0) > ROUNDING * largest).sum())
    return np.asarray(sums.T @ sums, dtype=np.float64), telling
