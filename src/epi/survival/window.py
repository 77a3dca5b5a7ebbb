"""The times at which every group is observed, and the refusal to speak of others.

Patients that a registry sees from some year on are never seen if they died before. Whoever was born long before
is observed at later ages only, whoever was born lately at early ages only: groups of births share a window of ages, and
outside of it nothing can be compared, nor estimated for the group that is not there.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.arguments import check_number, check_whole
from epi.errors import EstimationError, ParameterError
from epi.results import Counted, Release
from epi.survival.counting import after_days
from epi.survival.data import DAYS_PER_YEAR, SCALE_WORDS, of_follow_up
from epi.survival.few import small_side
from epi.survival.groups import By, count_groups, split_groups
from epi.survival.steps import Lang, Unit, whole_days

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from epi.plotting import Chart
    from epi.survival.data import SurvivalData

KEY = "common_window"
"""Where data say that nothing outside their window may be estimated."""


_LABELS = {
    "group": "Group", "persons": "Persons", "persons_inside": "Persons in the window", "events": "Events",
    "events_inside": "Events in the window",
}  # fmt: skip


@dataclass(frozen=True)
class CommonWindow:
    """The times at which every group has enough persons at risk.

    Parameters
    ----------
    low, high : int
        Days on the time scale: the window is (low, high].
    table : pandas.DataFrame
        A row for each group: `group`, `persons`, `events`, `persons_inside` and `events_inside` (the window),
        `events_before`, `events_after`; `first` and `last`, days from and until which the group itself has enough
        persons at risk, in its longest such time.
    settings : mapping
        What determined the window.
    data : SurvivalData
        The whole follow-up.
    """

    low: int
    high: int
    table: pd.DataFrame
    settings: Mapping[str, Any]
    data: SurvivalData = field(repr=False, compare=False)

    @property
    def inside(self) -> SurvivalData:
        """The follow-up within the window; what is estimated from it speaks of no other time."""
        return self.apply(self.data)

    def apply(self, data: SurvivalData) -> SurvivalData:
        """Keep what happens within the window; whatever is estimated from the result refuses other times.

        Parameters
        ----------
        data : SurvivalData
            Follow-up on the same time scale, such as some of the persons.

        Returns
        -------
        SurvivalData
            Those at risk at some time of the window.

        Raises
        ------
        ParameterError
            If the time scale is another, or nobody is at risk in the window.
        """
        if data.scale != self.data.scale:
            raise ParameterError(f"the window is on the scale {self.data.scale!r}, the data on {data.scale!r}",
                                 "one time scale")  # fmt: skip
        kept = data.window(self.low, self.high)
        rule = {"low": self.low, "high": self.high, "why": self.settings["why"]}
        return replace(kept, settings={**kept.settings, KEY: rule})

    def check(self, times: ArrayLike, unit: Unit = "days") -> None:
        """Refuse times outside the window.

        Parameters
        ----------
        times : array-like
            Times at which something would be estimated.
        unit : {"days", "years"}, optional
            Their unit.

        Raises
        ------
        EstimationError
            If one lies outside, with the reason.
        """
        check_inside(self.inside, whole_days(times, unit))

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            Persons and events by group, in all and within the window; its limits in the note.
        """
        kept = self.table[["group", "persons", "persons_inside", "events", "events_inside"]]
        counts = [Counted("persons"), Counted("persons_inside", of="persons"), Counted("events", of="persons")]
        if small_side(kept["persons_inside"], kept["events_inside"]):
            # Those in the window without event could be found by subtraction.
            kept = kept.drop(columns="events_inside")
        else:
            counts.append(Counted("events_inside", of="events"))
        return Release(
            kept, tuple(counts),
            f"Observed in every group: {self._words()}",
            f"Within it every group has {self.settings['minimum']} persons at risk or more, all the time. "
            f"{self.settings['why']}",
            labels={str(name): _LABELS[str(name)] for name in kept},
        )  # fmt: skip

    def chart(self, *, lang: Lang = "en", min_count: int | None = None, years: float | None = None) -> Chart:
        """Draw the persons at risk in each group, with the window.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.
        min_count : int, optional
            Fewest persons an interval between two times may tell of; the policy's by default.
        years : float, optional
            Distance of the round times; found from the length of follow-up by default.

        Returns
        -------
        Chart
            The picture, drawn from what may be published.
        """
        from epi.survival.window_chart import draw_window

        return draw_window(self, lang, min_count, years)

    def _words(self) -> str:
        name = SCALE_WORDS[self.data.scale]["en"].lower()
        return f"{name} {self.low / DAYS_PER_YEAR:.1f} to {self.high / DAYS_PER_YEAR:.1f} years"

    def __str__(self) -> str:
        return f"Every group is observed: {self._words()}. {self.settings['why']}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{self.table.to_html(index=False)}"


@of_follow_up
def find_common_window(data: SurvivalData, by: By, *, minimum: int = 20, step: float | None = 0.25) -> CommonWindow:
    """Find the longest time during which every group has enough persons at risk.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.
    by : str or sequence of str
        Covariates whose values are groups, such as births before and after screening.
    minimum : int, optional
        Persons at risk that each group needs on each day of the window.
    step : float or None, optional
        Years: the window is narrowed to whole multiples of it, quarters of a year by default. None keeps the days
        themselves: they are those on which single persons enter and leave, and are not to be published.

    Returns
    -------
    CommonWindow
        The window; ``inside`` is the follow-up within it.

    Raises
    ------
    ParameterError
        If a column or an option is unknown.
    EstimationError
        If there is no such time; by group, when it is observed.

    Notes
    -----
    On the days of the window no risk set empties, so that curves, ratios and means of the groups are of the same
    times. ``window.inside`` starts there: its curves are conditional on being without event at ``low``,
    and what is asked of them at other times is refused.

    Examples
    --------
    >>> from epi.survival import build_survival
    >>> seen = pd.DataFrame({"entry": [0] * 30 + [900] * 30, "exit": [2000] * 60, "died": [0, 1] * 30,
    ...                      "era": ["after"] * 30 + ["before"] * 30})
    >>> window = find_common_window(build_survival(seen, entry="entry", exit="exit", event="died"), "era")
    >>> window.low, window.high
    (913, 1917)
    """
    minimum = check_whole("minimum", minimum, "at least 1 person at risk", least=1, do="minimum=20")
    if step is not None:
        step = check_number("step", step, "years above zero", above=0, do="step=1")
    numbers, labels = split_groups(data, by)
    counts, _, _ = count_groups(data, by)
    enough = after_days(counts) >= minimum
    ranges = [_longest(row) for row in enough]
    low, high = _longest(np.asarray(enough.all(axis=0)))
    if step is not None and high > low:
        width = step * DAYS_PER_YEAR
        begin = int(np.floor(np.ceil((low + counts.first) / width - 1e-9) * width + 1e-8))
        end = int(np.floor(np.floor((high + counts.first) / width + 1e-9) * width + 1e-8))
        low, high = begin - counts.first, end - counts.first
    if high <= low:
        told = [
            f"{label}: {_years(start + counts.first)} to {_years(stop + counts.first)} years" if stop > start
            else f"{label}: at no time" for label, (start, stop) in zip(labels, ranges, strict=True)
        ]  # fmt: skip
        raise EstimationError(
            f"at no time has every group {minimum} persons at risk" + (f" over {step:g} years" if step else ""),
            "groups observed over a common range of times: outside of it nothing compares them",
            "other groups, a lower minimum=, or another source for the times that are not seen", faults=told,
        )  # fmt: skip
    low, high = low + counts.first, high + counts.first
    event = data.event > 0
    inside = data.window(low, high)
    inner = _numbers_of(inside, by, labels)
    rows = []
    for at, label in enumerate(labels):
        mine, there = numbers == at, inner == at
        rows.append({
            "group": label, "persons": len(np.unique(data.person[mine])), "events": int(event[mine].sum()),
            "persons_inside": len(np.unique(inside.person[there])),
            "events_inside": int((inside.event[there] > 0).sum()),
            "events_before": int((event & mine & (data.exit <= low)).sum()),
            "events_after": int((event & mine & (data.exit > high)).sum()),
            "first": ranges[at][0] + counts.first, "last": ranges[at][1] + counts.first,
        })  # fmt: skip
    settings = {"by": by, "groups": list(labels), "minimum": minimum, "step": step, "scale": data.scale,
                "why": _reason(data)}  # fmt: skip
    return CommonWindow(low, high, pd.DataFrame(rows), settings, data)


def check_inside(data: SurvivalData, days: NDArray[np.int64]) -> None:
    """Refuse times outside the window that data keep to.

    Parameters
    ----------
    data : SurvivalData
        Follow-up; nothing happens where it keeps to no window.
    days : numpy.ndarray of int64
        Times at which something would be estimated.

    Raises
    ------
    EstimationError
        If one lies outside, with the reason.
    """
    rule = data.settings.get(KEY)
    if rule is None or not len(days):
        return
    low, high = rule["low"], rule["high"]
    if int(days.min()) >= low and int(days.max()) <= high:
        return
    early = int(days.min()) < low
    time = int(days.min()) if early else int(days.max())
    side = "before" if early else "after"
    raise EstimationError(
        f"{_years(time)} years lies {side} the times at which every group is observed. "
        + (rule["why"] if early else "Too few persons of a group have been followed for so long"),
        f"times from {_years(low)} to {_years(high)} years (days {low} to {high})",
        f"ask for times within them, start={low} where a start is asked for; "
        "or take what happens outside from another source",
    )


def window_start(data: SurvivalData) -> int | None:
    """Give the start of the window that data keep to.

    Parameters
    ----------
    data : SurvivalData
        Follow-up.

    Returns
    -------
    int or None
        Days; None without a window.
    """
    rule = data.settings.get(KEY)
    return None if rule is None else int(rule["low"])


def _longest(enough: NDArray[np.bool_]) -> tuple[int, int]:
    """Give the first and the end of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], enough, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, 0
    starts, stops = edges[::2], edges[1::2]
    at = int(np.argmax(stops - starts))
    return int(starts[at]), int(stops[at])


def _numbers_of(inside: SurvivalData, by: By, labels: tuple[str, ...]) -> NDArray[np.int64]:
    numbers, names = split_groups(inside, by)
    return np.array([labels.index(name) for name in names], dtype=np.int64)[numbers]


def _reason(data: SurvivalData) -> str:
    """Say in a sentence who is never seen."""
    if data.scale != "age" or data.origin is None:
        return "Whoever had the event before being observed is never seen"
    opened = int(np.datetime64(int((data.origin + data.entry).min()), "D").astype("datetime64[Y]").astype(int)) + 1970
    # An example a decade before: 12 years earlier by birth, dead three years later.
    return (
        f"Follow-up begins in {opened}: a child born in {opened - 12} who died in {opened - 9} is never seen, so that "
        "deaths at ages reached before that year cannot be estimated from these data"
    )


def _years(days: int) -> str:
    return f"{days / DAYS_PER_YEAR:.2f}"
