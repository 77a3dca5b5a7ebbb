"""What may be published of crude probabilities of death: their values at times between which nothing happens to few.

Deaths are not told by cause, so that both probabilities rest on the same counts and fall with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epi.survival.crude_variance import DISEASE, POPULATION
from epi.survival.data import DAYS_PER_YEAR
from epi.survival.few import published_least
from epi.survival.groups import count_groups
from epi.survival.reporting import DECIMALS, declare, reporting_rows

if TYPE_CHECKING:
    from epi.results import Release
    from epi.survival.crude_death import CrudeDeath

HEADINGS = {DISEASE: "Death of the disease", POPULATION: "Death of other causes"}


def release_crude(found: CrudeDeath, min_count: int | None, years: float | None) -> Release:
    """Say what would be published of crude probabilities of death.

    Parameters
    ----------
    found : CrudeDeath
        The probabilities.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Release
        The table, the disease beside other causes.
    """
    settings, least = found.settings, published_least(min_count)
    counts, labels, _ = count_groups(found.data, settings["by"])
    rows, _ = reporting_rows(counts, counts.events.sum(axis=2, keepdims=True), labels, least, years)
    table, columns = rows.rename(columns={"events_0": "events"}), list[str]()
    headings = dict[str, str]()
    # Between deaths the curves are no steps: they are read on the day itself.
    read = found.at(np.unique(rows["time"]))
    for cause, heading in HEADINGS.items():
        names = {"probability": cause, "ci_low": f"{cause}_low", "ci_high": f"{cause}_high"}
        part = read.loc[read["cause"] == cause, ["group", "time", *names]].rename(columns=names)
        table = table.merge(part.round(dict.fromkeys(names.values(), DECIMALS)), on=["group", "time"], how="left")
        columns += names.values()
        headings |= {cause: heading, f"{cause}_low": f"{heading}: low", f"{cause}_high": f"{heading}: high"}
    start = settings["conditional_on"]
    after = f" among those alive at {start / DAYS_PER_YEAR:.2f} years" if start is not None else ""
    note = (
        f"{settings['estimator']} estimate on every day, with delayed entry where persons enter late; limits at "
        f"{settings['level']:.0%}, {found.variance_words} variance. Read at times between which each number of "
        f"persons{' of a group' if len(labels) > 1 else ''} is nobody or at least {least}; the last times of follow-up "
        f"are left out. Other causes: life table {settings['life_table']}."
    )
    return declare(
        table.drop(columns="time"), columns, f"Crude probability of death{after}", note, ["events"], headings
    )
