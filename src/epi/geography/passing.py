"""From the communes of one date to those of another: one answer, candidates with their shares, or a reason."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from epi.geography import store
from epi.geography.lineage import (
    FIRST_DAY,
    FOREVER,
    LAST_DAY,
    arrondissement_starts,
    arrondissements_since_1943,
    communes_since_1943,
    parts,
)
from epi.geography.vintages import measured_at, write_day

_LEFT = {"97123": "Saint-Barthélemy", "97127": "Saint-Martin"}


@dataclass(frozen=True)
class Passing:
    """What every known code becomes between two dates.

    Parameters
    ----------
    table : pandas.DataFrame
        By code: status, insee_code, candidates, weights, reason; missing where there is none.
    shares : pandas.DataFrame
        One row for each candidate of a code that has several: code, candidate, weight (NaN where unknown),
        weight_source.
    """

    table: pd.DataFrame
    shares: pd.DataFrame


@dataclass
class _Related:
    """Codes of one date and those of another that hold a piece in common, and how they do."""

    code: np.ndarray
    other: np.ndarray
    single: np.ndarray
    wholly: np.ndarray


def _relate(origin: np.ndarray, other: np.ndarray, everywhere: np.ndarray, size: int) -> _Related:
    keys, common = np.unique(origin.astype("int64") * size + other, return_counts=True)
    code, found = keys // size, keys % size
    number = np.bincount(code, minlength=size)
    # All the pieces of the other commune lie in this one: none of its people come from elsewhere.
    wholly = common == np.bincount(everywhere, minlength=size)[found]
    return _Related(code, found, number[code] == 1, wholly)


@lru_cache(maxsize=32)
def build_passing(from_day: int | None, to_day: int, mode: str, divide_cities: bool) -> Passing:
    """Say what every known code becomes.

    Parameters
    ----------
    from_day : int or None
        The day on which the codes were valid, in days since 1970; None when it is unknown.
    to_day : int
        The day whose communes are wanted.
    mode : {"day", "latest", "any"}
        With a day unknown: take each code at the end of its last life, or consider every life.
    divide_cities : bool
        Give arrondissements of Paris, Lyon and Marseille and not the cities.

    Returns
    -------
    Passing
        For every code that can be read at that date, and for the others why it cannot.
    """
    lineage = communes_since_1943()
    size = len(lineage.codes)
    arrival = lineage.holders_at(to_day)
    known = _known()
    status = pd.Series("not_valid", index=known, dtype=object)
    insee, reason = _empty(known), _empty(known)
    several: dict[str, tuple[list[str], list[float], str | None]] = {}

    def settle(rows: np.ndarray, word: str | None) -> None:
        """Place the codes that hold these stays."""
        related = _relate(lineage.holder[rows], arrival[lineage.piece[rows]], arrival, size)
        names = lineage.codes.to_numpy()
        one = related.single
        code, target = names[related.code[one]], names[related.other[one]]
        status[code] = np.where(code == target, "current", "passed") if word is None else word
        insee[code] = target
        backward = from_day is not None and to_day < from_day
        if backward:
            since = pd.Series(lineage.start[rows]).groupby(lineage.holder[rows]).max()
        else:
            since = pd.Series(lineage.end[rows]).groupby(lineage.holder[rows]).min()
        when = since.reindex(related.code[one]).map(write_day).to_numpy().astype(str)
        told = np.char.add("apart or under this code since " if backward else "merged or renumbered on ", when)
        plain = "associated or delegated commune, taken to its commune"
        told = told.astype(object)
        told[code == target] = None
        reason[code] = told if word is None else plain
        for position in np.unique(related.code[~one]):
            mine = related.code == position
            others = related.other[mine]
            weights, source = _weights(others, related.wholly[mine], to_day)
            several[names[position]] = (names[others].tolist(), weights, source)
            name = names[position]
            if source is not None:
                status[name] = "split"
                reason[name] = f"divided between {len(others)} communes; shares of {source}"
            elif backward:
                status[name] = "refused"
                reason[name] = (
                    f"{len(others)} communes of {write_day(to_day)} have no population known on that geography: "
                    "nothing tells how to share out"
                )
            else:
                status[name] = "ambiguous"
                reason[name] = (
                    f"divided between {len(others)} communes"
                    if related.wholly[mine].all()
                    else f"divided between {len(others)} communes, some of which hold land of others too"
                ) + "; no share is known"

    if mode == "day" and from_day is not None:
        settle(lineage.stays_at(from_day), None)
        alive = parts()[(parts()["start"] <= from_day) & (from_day < parts()["end"])]["code"]
        delegated = alive[~alive.isin(lineage.valid_at(from_day))]
        settle(_last_life(lineage.codes.get_indexer(pd.Index(delegated)), from_day), "delegated")
        _explain_absent(status, insee, reason, several, from_day, arrival)
    else:
        settle(_last_life(np.arange(size), FOREVER), None)
        if mode == "any":
            _consider_every_life(status, insee, reason, several, to_day)
    _place_arrondissements(status, insee, reason, several, from_day, to_day, divide_cities)
    _place_overseas(status, insee, reason, from_day)
    return _assemble(status, insee, reason, several)


def _empty(index: pd.Index) -> pd.Series:
    return pd.Series(np.full(len(index), None, dtype=object), index=index, dtype=object)


def _known() -> pd.Index:
    lineage = communes_since_1943()
    mayotte = [f"985{number:02d}" for number in range(1, 18)]
    return lineage.codes.union(arrondissement_starts().index).union(pd.Index([*_LEFT, *mayotte]))


def _last_life(codes: np.ndarray, before: int) -> np.ndarray:
    """Give the stays under each code at the end of its last life that is over, or goes on, by a day."""
    lineage = communes_since_1943()
    chosen = np.zeros(len(lineage.codes), dtype=bool)
    chosen[codes[codes >= 0]] = True
    # A life of one day's events alone, on that very day, is over too.
    rows = np.flatnonzero(chosen[lineage.holder] & (lineage.start <= before))
    end = np.minimum(lineage.end[rows], before)
    last = np.zeros(len(lineage.codes), dtype="int64") - FOREVER
    np.maximum.at(last, lineage.holder[rows], end)
    return rows[end == last[lineage.holder[rows]]]


def _weights(others: np.ndarray, wholly: np.ndarray, day: int) -> tuple[list[float], str | None]:
    if wholly.all():
        for measured in measured_at(day):
            persons = measured.persons[others]
            if not np.isnan(persons).any() and persons.sum() > 0:
                return (persons / persons.sum()).tolist(), measured.source
    return [float("nan")] * len(others), None


def _explain_absent(
    status: pd.Series, insee: pd.Series, reason: pd.Series, several: dict, day: int, arrival: np.ndarray
) -> None:
    """Say of a code that no commune had on a day when one had it, and where that one stands."""
    lineage = communes_since_1943()
    absent = lineage.codes.get_indexer(pd.Index(status.index[status == "not_valid"]))
    chosen = np.zeros(len(lineage.codes), dtype=bool)
    chosen[absent[absent >= 0]] = True
    rows = np.flatnonzero(chosen[lineage.holder])
    lives = pd.DataFrame(
        {
            "code": lineage.codes.to_numpy()[lineage.holder[rows]],
            "start": lineage.start[rows],
            "end": lineage.end[rows],
            "other": lineage.codes.to_numpy()[arrival[lineage.piece[rows]]],
        }
    )
    told: dict[str, list[list[int]]] = {}
    for code, start, end in lives[["code", "start", "end"]].drop_duplicates().sort_values(["code", "start"]).to_numpy():
        spans = told.setdefault(code, [])
        if spans and spans[-1][1] >= start:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([start, end])
    for code, spans in told.items():
        when = " and ".join(
            f"on {write_day(start)} alone, between two events of that day"
            if start == end
            else " ".join(
                ([] if start == FIRST_DAY else [f"from {write_day(start)}"])
                + ([] if end == FOREVER else [f"until {write_day(end - 1)}"])
            )
            for start, end in spans
        )
        reason[code] = f"no commune had this code on {write_day(day)}; one had it {when}"
    for code, others in lives.groupby("code")["other"].unique().items():
        several[str(code)] = (sorted(others), [float("nan")] * len(others), None)


def _consider_every_life(status: pd.Series, insee: pd.Series, reason: pd.Series, several: dict, to_day: int) -> None:
    """Where the answer depends on the date at which a code was valid, report every one."""
    lineage = communes_since_1943()
    names = lineage.codes.to_numpy()
    arrival = lineage.holders_at(to_day)[lineage.piece]
    pairs = np.unique(lineage.holder.astype("int64") * len(names) + arrival)
    many = np.flatnonzero(np.bincount(pairs // len(names), minlength=len(names)) > 1)
    chosen = np.zeros(len(names), dtype=bool)
    chosen[many] = True
    rows = np.flatnonzero(chosen[lineage.holder])
    for code, stays in pd.Series(rows).groupby(lineage.holder[rows]):
        mine = stays.to_numpy()
        marks = np.unique(np.r_[lineage.start[mine], lineage.end[mine]])
        told: list[tuple[int, int, tuple[str, ...]]] = []
        for start, end in itertools.pairwise(marks):
            there = mine[(lineage.start[mine] <= start) & (start < lineage.end[mine])]
            if not len(there):
                continue
            answer = tuple(sorted(set(names[arrival[there]])))
            if told and told[-1][2] == answer and told[-1][1] == start:
                told[-1] = (told[-1][0], end, answer)
            else:
                told.append((int(start), int(end), answer))
        answers = {answer for _, _, answer in told}
        name = names[int(str(code))]
        if len(answers) == 1:
            continue
        candidates = sorted({place for answer in answers for place in answer})
        status[name], insee[name] = "ambiguous", None
        several[name] = (candidates, [float("nan")] * len(candidates), None)
        reason[name] = "the answer depends on the date: " + "; ".join(
            ("" if start == FIRST_DAY else f"from {write_day(start)} ")
            + ("" if end == FOREVER else f"until {write_day(end - 1)} ")
            + "or ".join(f"{place} " for place in answer).strip()
            for start, end, answer in told
        )


def _place_arrondissements(
    status: pd.Series,
    insee: pd.Series,
    reason: pd.Series,
    several: dict,
    from_day: int | None,
    to_day: int,
    divide_cities: bool,
) -> None:
    communes = store.communes()
    inner = communes[communes["type"] != "commune"].set_index("insee_code")
    starts = arrondissement_starts()
    late = starts[starts > (FOREVER if from_day is None else from_day)]
    status[late.index] = "not_valid"
    for code, start in zip(late.index, late, strict=True):
        reason[code] = f"this arrondissement was made on {write_day(start)}"
    there = starts.index.difference(late.index)
    if not divide_cities:
        status[there] = "arrondissement"
        insee[there] = inner["parent_code"].astype(object)[there]
        reason[there] = "municipal arrondissement, taken to its city"
        return
    lineage = arrondissements_since_1943()
    people = inner["population"].to_numpy(dtype=float)[inner.index.get_indexer(lineage.codes)]
    start = to_day if from_day is None else from_day
    begin, arrival, now = (lineage.holders_at(day) for day in (start, to_day, LAST_DAY))
    parent = inner["parent_code"].astype(object)[lineage.codes].to_numpy()
    ready = pd.Series(starts[lineage.codes].to_numpy() <= to_day).groupby(parent).any()
    home = parent[begin]

    def share(name: str, pieces: np.ndarray) -> None:
        others = np.unique(arrival[pieces])
        # An arrondissement of that day has the people of all that it was divided into since.
        persons = np.array([people[now[arrival == other]].sum() for other in others])
        several[name] = (lineage.codes[others].tolist(), (persons / persons.sum()).tolist(), "population_2023")
        status[name], insee[name] = "split", None
        reason[name] = f"divided between {len(others)} arrondissements; shares of population_2023"

    for city in sorted(set(parent)):
        if status[city] == "not_valid":
            continue
        if ready[city]:
            share(city, np.flatnonzero(home == city))
        else:
            status[city], insee[city] = "refused", None
            reason[city] = f"its arrondissements were not there on {write_day(to_day)}"
    for position in np.unique(begin):
        name = lineage.codes[position]
        if name not in there:
            continue
        pieces = np.flatnonzero(begin == position)
        if not ready[parent[position]]:
            status[name] = "refused"
            reason[name] = f"its arrondissements were not there on {write_day(to_day)}"
        elif len(np.unique(arrival[pieces])) > 1:
            share(name, pieces)
        else:
            target = lineage.codes[arrival[pieces[0]]]
            status[name], insee[name] = ("current" if target == name else "passed"), target


def _place_overseas(status: pd.Series, insee: pd.Series, reason: pd.Series, from_day: int | None) -> None:
    for code, name in _LEFT.items():
        status[code] = "overseas_collectivity"
        reason[code] = f"{name} left Guadeloupe in 2007 and is outside the table of communes"
    for number in range(1, 18):
        code = f"985{number:02d}"
        status[code], insee[code] = "passed", f"976{number:02d}"
        reason[code] = "Mayotte had 985 before it became the département 976 in 2011"


def _assemble(status: pd.Series, insee: pd.Series, reason: pd.Series, several: dict) -> Passing:
    candidates, weights = _empty(status.index), _empty(status.index)
    rows = []
    for code, (others, shares, source) in several.items():
        if insee[code] is not None:
            continue
        candidates[code] = "|".join(others)
        if source is not None:
            weights[code] = "|".join(f"{share:.6g}" for share in shares)
        rows += [(code, other, share, source) for other, share in zip(others, shares, strict=True)]
    table = pd.DataFrame(
        {"status": status, "insee_code": insee, "candidates": candidates, "weights": weights, "reason": reason}
    )
    shares = pd.DataFrame(rows, columns=["code", "candidate", "weight", "weight_source"])
    return Passing(table, shares.sort_values(["code", "candidate"], ignore_index=True))
