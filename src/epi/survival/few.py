"""How few persons may be told of: the policy in force, and whether a table's groups are large enough for it."""

from __future__ import annotations

import pandas as pd

from epi.arguments import check_whole
from epi.disclosure.door import read_granted
from epi.disclosure.policy import read_policy


def published_least(min_count: int | None) -> int:
    """Give the fewest persons an interval may tell of.

    Parameters
    ----------
    min_count : int or None
        What is asked for; never less than the policy in force, which is the default.

    Returns
    -------
    int
        Number of persons.

    Raises
    ------
    ParameterError
        If less than the policy allows is asked for.
    """
    floor = read_policy().for_protocol(read_granted()).min_count
    if min_count is None:
        return floor
    return check_whole("min_count", min_count, f"{floor} or more: the disclosure policy", least=floor)


def small_side(persons: pd.Series, events: pd.Series) -> bool:
    """Say whether some group has too few persons with the event, or without, to be told.

    Parameters
    ----------
    persons, events : pandas.Series
        Numbers by group.

    Returns
    -------
    bool
        Whether one has.
    """
    least = published_least(None)
    return bool(any(((side > 0) & (side < least)).any() for side in (events, persons - events)))
