"""Who became whom: the territory of every commune since 1943, followed through the official events.

France is cut into pieces that no event ever divides within what is known of it. Each piece has, at any
date, one commune that holds it; two communes of two dates are related when they hold a piece in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from epi.errors import GeographyError
from epi.geography import store

FIRST_DAY = int(np.datetime64("1943-01-01").astype(int))
LAST_DAY = int(np.datetime64(store.VINTAGE).astype(int))
FOREVER = np.iinfo(np.int32).max

CHANGES_OF_CODE = (41, 50)
MERGERS = (31, 32, 33, 34)
CREATION, REESTABLISHMENT = 20, 21
WHOLE, PARTS = "COM", ("COMA", "COMD")


@dataclass(frozen=True)
class Lineage:
    """Which commune held each piece of the territory, from when to when.

    Parameters
    ----------
    codes : pandas.Index
        Every code that a commune ever had, sorted.
    piece, holder, start, end : numpy.ndarray
        One row for each stay of a piece under a code: number of the piece, position of the code, first day
        and first day after, in days since 1970. Sorted by piece and start; stays of a piece follow each
        other without a gap.
    """

    codes: pd.Index
    piece: np.ndarray
    holder: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def stays_at(self, day: int) -> np.ndarray:
        """Give the rows of the stays that hold on a day, one for each piece, in their order.

        Parameters
        ----------
        day : int
            Days since 1970.

        Returns
        -------
        numpy.ndarray
            Positions of rows.
        """
        return np.flatnonzero((self.start <= day) & (day < self.end))

    def holders_at(self, day: int) -> np.ndarray:
        """Give the commune that holds each piece on a day.

        Parameters
        ----------
        day : int
            Days since 1970.

        Returns
        -------
        numpy.ndarray
            Positions in `codes`, one for each piece.
        """
        return self.holder[self.stays_at(day)]

    def valid_at(self, day: int) -> pd.Index:
        """List the communes of a day.

        Parameters
        ----------
        day : int
            Days since 1970.

        Returns
        -------
        pandas.Index
            Codes in order.
        """
        return self.codes[np.unique(self.holders_at(day))]


class _Pieces:
    """The pieces while history is replayed: what each is called from the outside in, and where it stood."""

    def __init__(self, codes: Iterable[str]) -> None:
        self.names: list[tuple[str, ...]] = []
        self.stays: list[list[tuple[int, str]]] = []
        self.held: dict[str, list[int]] = {}
        for code in codes:
            self.held[code] = [len(self.names)]
            self.names.append((code,))
            self.stays.append([(FIRST_DAY, code)])

    def move(self, day: int, moves: list[tuple[int, list[tuple[str, tuple[str, ...]]]]]) -> None:
        for piece, targets in moves:
            before = list(self.stays[piece])
            for order, (code, names) in enumerate(targets):
                if order:
                    here = len(self.names)
                    self.names.append(names)
                    self.stays.append(list(before))
                else:
                    here = piece
                    self.names[piece] = names
                if before[-1][1] != code:
                    self.stays[here].append((day, code))
                self.held.setdefault(code, []).append(here)


def build_lineage(events: pd.DataFrame, today: Iterable[str]) -> Lineage:
    """Replay the events from the first day on.

    Parameters
    ----------
    events : pandas.DataFrame
        Columns mod, day (since 1970), type_before, before, type_after, after, as in INSEE's list of events
        since 1943; changes of name may be left out.
    today : iterable of str
        Codes of the communes of the last day.

    Returns
    -------
    Lineage
        Every stay of every piece.

    Raises
    ------
    GeographyError
        If an event touches a code that no commune has on that day, or the replay does not end at today's
        communes.

    Notes
    -----
    A commune that merges goes on inside the other one, and comes out whole if it is re-established. A
    creation from parts of communes divides every piece of them, for nothing says which gave land.

    Examples
    --------
    >>> events = pd.DataFrame(
    ...     {"mod": [31, 31], "day": 0, "type_before": "COM", "before": ["a", "b"], "type_after": "COM", "after": "a"}
    ... )
    >>> lineage = build_lineage(events, ["a", "c"])
    >>> lineage.valid_at(-1).tolist(), lineage.valid_at(0).tolist()
    (['a', 'b', 'c'], ['a', 'c'])
    """
    whole = events[(events["type_before"] == WHOLE) & (events["mod"] != 10)]
    pieces = _Pieces(_communes_of_the_first_day(whole, today))
    for day, rows in whole.groupby("day", sort=True):
        changes = rows["mod"].isin(CHANGES_OF_CODE).to_numpy()
        # On one day a commune may change its code and then merge under the new one.
        for part in (rows[changes], rows[~changes]):
            _replay(pieces, int(str(day)), part)
    ended = {code for code, held in pieces.held.items() if held}
    if ended != set(today):
        raise GeographyError(
            f"the events lead to {len(ended - set(today))} communes that are none today, and not to "
            f"{len(set(today) - ended)} of today's",
            "events that end at the communes of today",
        )
    return _stays(pieces)


def _communes_of_the_first_day(whole: pd.DataFrame, today: Iterable[str]) -> list[str]:
    inside = whole[whole["type_after"] == WHOLE]
    born = inside[inside["mod"].isin(CHANGES_OF_CODE)].assign(before=inside["after"], there=False)
    rows = pd.concat(
        [inside.assign(there=True), inside.assign(before=inside["after"], there=False), born.assign(day=born["day"])]
    )
    first = rows.groupby("before")["day"].transform("min") == rows["day"]
    there = rows[first].groupby("before")["there"].any()
    by_change = set(born.loc[born["day"] == born["before"].map(rows.groupby("before")["day"].min()), "before"])
    untouched = set(today) - set(rows["before"])
    return sorted(untouched | (set(there.index[there]) - by_change))


def _replay(pieces: _Pieces, day: int, rows: pd.DataFrame) -> None:
    after: dict[str, set[str]] = {}
    joined: dict[str, set[str]] = {}
    mods: dict[str, int] = {}
    for mod, before, kind, code in zip(rows["mod"], rows["before"], rows["type_after"], rows["after"], strict=True):
        mods[before] = mod
        if kind == WHOLE:
            after.setdefault(before, set()).add(code)
        elif kind in PARTS and code != before:
            joined.setdefault(before, set()).add(code)
    moves: list[tuple[int, list[tuple[str, tuple[str, ...]]]]] = []
    for before in sorted(code for code, next_ in after.items() if next_ != {code}):
        held = pieces.held.get(before) or []
        if not held:
            raise GeographyError("an event touches a code that no commune has on its day", "events in order")
        inside = {name for piece in held for name in pieces.names[piece][1:]}
        associated = joined.get(before, set()) if mods[before] == REESTABLISHMENT else set()
        moves += [
            (piece, list(_targets(pieces.names[piece], before, mods[before], after[before], associated, inside)))
            for piece in held
        ]
        pieces.held[before] = []
    pieces.move(day, moves)


def _targets(
    names: tuple[str, ...], before: str, mod: int, after: set[str], associated: set[str], inside: set[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Say where a piece goes, and what it is called there from the outside in."""
    if mod in CHANGES_OF_CODE:
        for code in sorted(after):
            rest = names[1:] or (before,)
            yield code, (code, *(rest[1:] if rest[0] == code else rest))
    elif mod == REESTABLISHMENT:
        for place, name in enumerate(names[1:], start=1):
            if name in after and name != before:
                yield name, names[place:]
                return
            if name in associated:
                # The list does not say with which of the communes it is associated from now on.
                for code in sorted(after):
                    yield code, (code, *names[place:])
                return
        # Nothing inside bears the name of some commune that comes out: its land may come from anywhere.
        stays = {before} & after
        for code in sorted(stays | {code for code in after - {before} if code not in inside}):
            yield code, (names if code == before else (code,))
    else:
        for code in sorted(after):
            if code == before:
                yield code, names
            else:
                yield code, ((code,) if mod == CREATION else (code, *names))


def _stays(pieces: _Pieces) -> Lineage:
    codes = pd.Index(sorted({code for stays in pieces.stays for _, code in stays}), dtype=object)
    rows = []
    for number, stays in enumerate(pieces.stays):
        ends = [*(day for day, _ in stays[1:]), FOREVER]
        # Two events on one day leave a stay of no length: its code is known, and valid on no day.
        rows += [(number, code, day, end) for (day, code), end in zip(stays, ends, strict=True)]
    piece, code, start, end = zip(*rows, strict=True)
    return Lineage(
        codes,
        np.array(piece, dtype="int32"),
        codes.get_indexer(pd.Index(code)).astype("int32"),
        np.array(start, dtype="int32"),
        np.array(end, dtype="int32"),
    )


@cache
def communes_since_1943() -> Lineage:
    """Give the lineage of the communes of France.

    Returns
    -------
    Lineage
        From 1 January 1943 to :data:`epi.geography.store.VINTAGE`.
    """
    communes = store.communes()
    return build_lineage(store.events(), communes.loc[communes["type"] == "commune", "insee_code"])


@cache
def arrondissements_since_1943() -> Lineage:
    """Give the lineage of the municipal arrondissements of Paris, Lyon and Marseille.

    Returns
    -------
    Lineage
        Those of Marseille, made in 1946, are there from the beginning; see :func:`arrondissement_starts`.
    """
    communes, events = store.communes(), store.events()
    inner = events[(events["type_before"] == "ARM") & (events["type_after"] == "ARM")]
    today = communes.loc[communes["type"] != "commune", "insee_code"]
    return build_lineage(inner.assign(type_before=WHOLE, type_after=WHOLE), today)


@cache
def arrondissement_starts() -> pd.Series:
    """Give the first day of each municipal arrondissement.

    Returns
    -------
    pandas.Series
        Days since 1970, by code; :data:`FIRST_DAY` for those that were there in 1943.
    """
    events = store.events()
    made = events[(events["type_after"] == "ARM") & (events["before"] != events["after"])]
    communes = store.communes()
    codes = communes.loc[communes["type"] != "commune", "insee_code"]
    return codes.map(made.groupby("after")["day"].min()).fillna(FIRST_DAY).astype(int).set_axis(codes)


@cache
def parts() -> pd.DataFrame:
    """Give the lives of associated and delegated communes.

    Returns
    -------
    pandas.DataFrame
        Columns code, start, end (days since 1970, first day after), one row for each life.
    """
    events = store.events()
    born = events[events["type_after"].isin(PARTS)].groupby(["after", "day"]).size().index
    gone = events[events["type_before"].isin(PARTS)].groupby(["before", "day"]).size().index
    days: dict[str, dict[int, bool]] = {}
    for code, day in gone:
        days.setdefault(code, {})[day] = False
    for code, day in born:
        days.setdefault(code, {})[day] = True
    rows = []
    for code, marks in sorted(days.items()):
        since: int | None = None
        for day in sorted(marks):
            if marks[day] and since is None:
                since = day
            elif not marks[day] and since is not None:
                rows.append((code, since, day))
                since = None
        if since is not None:
            rows.append((code, since, FOREVER))
    return pd.DataFrame(rows, columns=["code", "start", "end"])
