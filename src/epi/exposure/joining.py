"""The join itself: positions of communes and windows in, values and what became of each member out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.errors import DataError, ParameterError
from epi.exposure.averages import average_single, average_yearly
from epi.exposure.catalogue import Catalogue
from epi.exposure.coverage import OUTCOMES
from epi.exposure.lookup import Lookup
from epi.exposure.periods import NO_DAY, Days, stated_years, year_of
from epi.exposure.provenance import ORDER, Trace
from epi.exposure.residences import Stays
from epi.geography import to_current
from epi.geography.codes import check_codes, distinct_codes

OutsideWindow = Literal["flag", "missing", "refuse"]
WORDS = list(OUTCOMES)
_BY_STATUS = {"missing": "no_residence", "abroad": "abroad", "overseas_collectivity": "abroad"}


@dataclass(frozen=True)
class Joined:
    """Values of members, and why some have none.

    Parameters
    ----------
    by_variable : numpy.ndarray of float
        One row for each variable, one column for each member.
    outcomes : pandas.DataFrame
        ``variable``, ``outcome``, ``persons``, ``share``, one row for each pair.
    by_commune : pandas.DataFrame
        ``variable``, ``insee_code``, ``persons``, ``missing``, for each commune somebody lives in.
    trace : Trace
        Provenance.
    """

    by_variable: NDArray[np.float64]
    outcomes: pd.DataFrame
    by_commune: pd.DataFrame
    trace: Trace


def locate(frame: pd.DataFrame, places: pd.Index) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Find each member's commune of today, and for those without one the reason.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``insee_code``, ``residence_commune`` or both.
    places : pandas.Index
        Communes.

    Returns
    -------
    tuple of numpy.ndarray
        Position of the commune (-1 for none), and position of the reason in ``OUTCOMES``.

    Raises
    ------
    GeographyError
        If codes are badly written.
    ParameterError
        If there is no column of residence.
    """
    columns = [name for name in ("insee_code", "residence_commune") if name in frame.columns]
    if not columns:
        raise ParameterError("the members have no residence", "a column insee_code or residence_commune")
    number, distinct = pd.factorize(frame[columns[0]])
    position = places.get_indexer(pd.Index(np.asarray(distinct, dtype=object)))
    if (position < 0).any():  # codes of today need no reading
        read = distinct_codes(frame[columns[0]])
        check_codes(read)
        number = read.place
        today = to_current(read.raw, on_fault="mark")
        position = places.get_indexer(pd.Index(today["insee_code"]))
    place = np.append(position, -1)[number]
    why = np.zeros(len(frame), dtype=np.int8)
    lost = np.flatnonzero(place < 0)
    if len(lost):
        recorded = distinct_codes(frame[columns[-1]].iloc[lost])
        said = to_current(recorded.raw, on_fault="mark")["status"].astype(object)
        reasons = [WORDS.index(_BY_STATUS.get(word, "not_placed")) for word in said]
        why[lost] = np.array([*reasons, WORDS.index("no_residence")], dtype=np.int8)[recorded.place]
    return place, why


def join_at_index(
    place: NDArray[np.int64], why: NDArray[np.int8], catalogue: Catalogue, lookup: Lookup
) -> Joined:  # fmt: skip
    """Give members the value of their commune, without regard to time.

    Parameters
    ----------
    place, why : numpy.ndarray
        As :func:`locate` gives them.
    catalogue : Catalogue
        The variables.
    lookup : Lookup
        Values by commune.

    Returns
    -------
    Joined
        Values; statuses are ``at_index`` or ``none``.
    """
    n = len(place)
    by_variable = np.empty((len(catalogue), n))
    status = {}
    none, given = ORDER.index("none"), ORDER.index("at_index")
    placed = place >= 0
    persons = np.bincount(place[placed], minlength=len(lookup.places))
    unplaced = np.bincount(why[~placed], minlength=len(WORDS))
    fates, missing = {}, {}
    for row, name in enumerate(catalogue):
        by_place = lookup.single[name]
        # The last position, which is no commune, is read by -1.
        np.take(by_place, place, out=by_variable[row], mode="wrap")
        lost = np.isnan(by_place)
        sea = np.where(lookup.overseas, WORDS.index("missing_overseas"), WORDS.index("missing_value"))
        fate = np.where(~lost, 0, np.where(lookup.listed[name], sea, WORDS.index("not_in_file")))[:-1]
        fates[name] = np.bincount(fate, weights=persons, minlength=len(WORDS)).astype(np.int64) + unplaced
        missing[name] = np.where(lost[:-1], persons, 0)
        status[name] = np.where(lost, none, given).astype(np.int8)
    trace = Trace(lookup.places, place, status, distance=lookup.distance, by_place=True)
    return Joined(by_variable, _outcomes(fates, n), _by_commune(lookup.places, persons, missing), trace)


def join_windows(
    stays: Stays, bounds: tuple[Days, Days], place: NDArray[np.int64], why: NDArray[np.int8], catalogue: Catalogue,
    lookup: Lookup, outside_window: OutsideWindow, minimum_share: float,
) -> Joined:  # fmt: skip
    """Give members the mean of each variable over their window, day by day.

    Parameters
    ----------
    stays : Stays
        Stays within windows.
    bounds : tuple of numpy.ndarray
        First day of each member's window, and first day after.
    place, why : numpy.ndarray
        As :func:`locate` gives them.
    catalogue : Catalogue
        The variables.
    lookup : Lookup
        Values by commune, and by year.
    outside_window : {"flag", "missing", "refuse"}
        What to do with a vintage that is not of the window, or that states no year.
    minimum_share : float
        Share of the window's days that must have a value.

    Returns
    -------
    Joined
        Values, outcomes and provenance.

    Raises
    ------
    DataError
        If vintages are outside windows and that is refused: variables and rows are counted.
    """
    n = len(place)
    first, after = bounds
    dated = first != NO_DAY
    length = np.where(dated, after - first, 0)
    years = (np.full(n, -1), np.full(n, -1))
    years[0][dated], years[1][dated] = year_of(first[dated]), year_of(after[dated] - 1)
    by_variable = np.empty((len(catalogue), n))
    status, known, used, fates, missing = {}, {}, {}, {}, {}
    placed = place >= 0
    refused = []
    main, n_places = _main_place(stays, stays.days, n)
    elsewhere = {}
    for row, (name, info) in enumerate(catalogue.items()):
        yearly = name in lookup.yearly
        if yearly:
            mean = average_yearly(stays, *lookup.yearly[name], n)
        else:
            mean = average_single(stays, lookup.single[name], n)
        given = ~np.isnan(mean.values)
        state = np.full(n, ORDER.index("none"), dtype=np.int8)
        if yearly:
            state[given] = np.where(mean.known == length, ORDER.index("window"), ORDER.index("part_of_window"))[given]
            state[given & mean.outside] = ORDER.index("outside_window")
            used[name] = (mean.first_year, mean.last_year)
            away = given & mean.outside
        else:
            span = stated_years(info.vintage)
            inside = np.zeros(n, dtype=bool) if span is None else (span[0] <= years[1]) & (span[1] >= years[0])
            state[given] = ORDER.index("vintage_unknown" if span is None else "outside_window")
            state[given & inside] = ORDER.index("single_vintage")
            away = given & ~inside
        if outside_window == "refuse" and away.any():
            refused.append(f"{name}: {int(away.sum()):,} of {n:,} members (vintage: {info.vintage})")
        fate = _fates(stays, n, dated, why, lookup, name)
        short = given & (mean.known < minimum_share * length)
        gone = (away & (outside_window == "missing")) | short
        fate[given] = 0
        fate[short] = WORDS.index("too_few_days")
        fate[away & (outside_window == "missing")] = WORDS.index("outside_window")
        state[gone] = ORDER.index("none")
        by_variable[row] = np.where(gone, np.nan, mean.values)
        status[name], known[name] = state, mean.known
        if (n_places > 1).any() and (mean.of_stay != stays.days).any():
            # Where days lack a value, the commune of the most days need not be one that gave any.
            elsewhere[name] = np.where(given, _main_place(stays, mean.of_stay, n)[0], main)
        fates[name] = np.bincount(fate, minlength=len(WORDS))
        missing[name] = np.bincount(place[placed & (fate != 0)], minlength=len(lookup.places))
    if refused:
        raise DataError(
            f"{len(refused)} variable(s) have no vintage of the window",
            "vintages within the window",
            'outside_window="flag" keeps them and says so, "missing" leaves them out',
            faults=refused,
        )
    days = {
        "window": length,
        "proxy": np.bincount(stays.member, weights=stays.days * stays.proxy, minlength=n).astype(np.int64),
    }
    days["places"] = n_places
    trace = Trace(lookup.places, main, status, days, known, used, lookup.distance, elsewhere=elsewhere)
    persons = np.bincount(place[placed], minlength=len(lookup.places))
    return Joined(by_variable, _outcomes(fates, n), _by_commune(lookup.places, persons, missing), trace)


def _fates(
    stays: Stays, n: int, dated: NDArray[np.bool_], why: NDArray[np.int8], lookup: Lookup, name: str
) -> NDArray[np.int8]:
    """Say why a member would have no value, from the communes of the window."""
    fate = np.where(why == 0, WORDS.index("not_placed"), why).astype(np.int8)
    placed = stays.place >= 0
    for rows, word in (
        (placed, "not_in_file"),
        (placed & lookup.listed[name][stays.place], "missing_value"),
        (placed & lookup.listed[name][stays.place] & lookup.overseas[stays.place], "missing_overseas"),
    ):
        fate[stays.member[rows]] = WORDS.index(word)
    fate[~dated] = WORDS.index("no_index_date")
    return fate


def _main_place(
    stays: Stays, weights: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Find the commune of the most days of each member, the lowest code among equals, and count communes."""
    main, count = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    rows = (stays.place >= 0) & (weights > 0)
    if not rows.any():
        return main, count
    key = stays.member[rows] * (stays.place.max() + 1) + stays.place[rows]
    distinct, inverse = np.unique(key, return_inverse=True)
    total = np.bincount(inverse, weights=weights[rows])
    member, place = np.divmod(distinct, stays.place.max() + 1)
    order = np.lexsort((place, -total, member))
    head = np.r_[True, np.diff(member[order]) != 0]
    main[member[order][head]] = place[order][head]
    count[:] = np.bincount(member, minlength=n)
    return main, count


def _outcomes(fates: Mapping[str, NDArray[np.int64]], n: int) -> pd.DataFrame:
    rows = [
        {"variable": name, "outcome": word, "persons": int(count), "share": int(count) / max(n, 1)}
        for name, counts in fates.items()
        for word, count in zip(WORDS, counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["variable", "outcome", "persons", "share"])


def _by_commune(places: pd.Index, persons: NDArray[np.int64], missing: Mapping[str, NDArray[np.int64]]) -> pd.DataFrame:
    lived = np.flatnonzero(persons)
    names = list(missing)
    return pd.DataFrame(
        {
            "variable": pd.Categorical(np.repeat(names, len(lived)), categories=names),
            "insee_code": np.tile(places[lived].to_numpy(dtype=object), len(names)),
            "persons": np.tile(persons[lived], len(names)),
            "missing": np.concatenate([counts[lived] for counts in missing.values()] or [lived[:0]]),
        }
    )
