"""What may be published of age-standardised survival: values at times between which no age group tells of few.

A standardised value is a known sum over age groups: with few deaths in one of them, a step of the sum would be
that person's day. So the rule of a curve holds for the published counts and for the deaths of each age group, each
of which is nobody or enough between two times, and enough of each age group are at risk after. Ends without event by
age group are neither published nor steps of the sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from epi.errors import DisclosureError
from epi.survival.counting import after_days
from epi.survival.data import DAYS_PER_YEAR
from epi.survival.few import published_least
from epi.survival.groups import count_groups
from epi.survival.reporting import DECIMALS, declare, reporting_days, round_step

if TYPE_CHECKING:
    from epi.results import Release
    from epi.survival.standardised import StandardisedSurvival


def release_standardised(found: StandardisedSurvival, min_count: int | None, years: float | None) -> Release:
    """Say what would be published of standardised curves.

    Parameters
    ----------
    found : StandardisedSurvival
        The curves.
    min_count : int or None
        Fewest persons an interval may tell of.
    years : float or None
        Distance of round times.

    Returns
    -------
    Release
        The table.

    Raises
    ------
    DisclosureError
        If no time of any group will do.
    """
    settings, least = found.settings, published_least(min_count)
    longest = max(int(whole.data.exit.max() - whole.data.entry.min()) + 1 for _, whole in found.curves.values())
    step = round_step(longest, years)
    cause = settings["cause"]
    parts = []
    for group, (each, _) in found.curves.items():
        counts, _, _ = count_groups(each.data, each.settings["by"])
        number = None if cause is None else each.data.cause_number(cause) - 1
        happened = counts.events.sum(axis=2) if number is None else counts.events[:, :, number]
        dead, gone = happened.cumsum(axis=1), (counts.left - happened).cumsum(axis=1)
        come = counts.entered.cumsum(axis=1)
        whole = np.vstack([part.sum(axis=0) for part in (dead, gone, come)])
        days = reporting_days(np.vstack([dead, whole]), counts.first, least, step)
        at = days - counts.first
        kept = (after_days(counts)[:, at] >= least).all(axis=0)
        days, at = days[kept], at[kept]
        if not len(days):
            continue
        sums = whole[:, at]
        since = np.diff(sums, axis=1, prepend=0)
        read = found._group(group, days)[["survival", "ci_low", "ci_high", "unstandardised"]].round(DECIMALS)
        parts.append(pd.DataFrame({
            "group": group, "years": np.round(days / DAYS_PER_YEAR, 2), "at_risk": sums[2] - sums[0] - sums[1],
            "events": since[0], "left": since[1], "entered": since[2],
        }).join(read))  # fmt: skip
    if not parts:
        raise DisclosureError(
            f"no standardised curve can be read at any time without telling of fewer than {least} persons of an age",
            f"age groups with at least {least} events, or large enough", "age_bands= takes age groups together",
        )  # fmt: skip
    weights = ", ".join(f"{label} {weight:.0%}" for label, weight in settings["standard_weights"].items())
    note = (
        f"{settings['estimator']} estimate by age at time zero, standardised ({settings['standard']}: {weights}); "
        f"limits at {settings['level']:.0%} on the {settings['interval']} scale. Read at times between "
        f"which each number of persons, and of deaths of an age group, is nobody or at least {least}; the last "
        f"times of follow-up are left out."
    )
    net = "life_table" in settings
    if net:
        note += f" Life table: {settings['life_table']}."
    title = "Age-standardised net survival" if net else "Age-standardised survival"
    names = {"survival": "Standardised", "unstandardised": "Not standardised"}
    columns = ["survival", "ci_low", "ci_high", "unstandardised"]
    return declare(pd.concat(parts, ignore_index=True), columns, title, note, ["events"], names)
