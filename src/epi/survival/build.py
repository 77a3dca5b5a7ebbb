"""From a table to survival data: everything is checked at once, before anything is estimated.

Times are whole days, or dates with the column of their origin. What is wrong is said in one
message, by column and number of rows, never by a person's value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.arguments import check_names
from epi.errors import DataError, ParameterError
from epi.survival.data import DAYS_PER_YEAR, LONGEST, SCALES, Scale, SurvivalData

LONGEST_CALENDAR = 300
"""Years from 1970: days beyond are in another unit, such as seconds."""
EARLIEST = -50
"""Years before time zero: a sickness may begin before its diagnosis, never generations before."""


class _Faults(list[str]):
    def add(self, bad: Any, words: str) -> None:
        count = int(np.count_nonzero(bad))
        if count:
            self.append(f"{words} ({count} row{'s' if count > 1 else ''} of {len(bad)})")


def build_survival(
    table: pd.DataFrame,
    *,
    exit: str,
    event: str,
    entry: str | None = None,
    causes: Mapping[Any, str] | Sequence[str] | None = None,
    censored: Iterable[Any] = ("censored",),
    origin: str | None = None,
    birth: str | None = None,
    scale: Scale = "time",
    person: str | None = None,
    weight: str | None = None,
    cluster: str | None = None,
    strata: str | Sequence[str] | None = None,
    covariates: Sequence[str] | None = None,
) -> SurvivalData:
    """Make survival data of a table, and refuse what cannot be right.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each person, or for each piece of a person's time.
    exit : str
        Column of the end of being at risk: whole days since the origin, or dates.
    event : str
        Column of what happened at the exit: true or false, 0 or 1, a code of ``causes`` (0 is no
        event), or a text of ``causes`` or ``censored``.
    entry : str, optional
        Column of the start: everybody enters at time zero without it. At risk on (entry, exit].
    causes : mapping or sequence, optional
        Code to name of each event, or the texts that are events. Needed where there are several.
    censored : iterable of str, optional
        Texts of ``event`` that are no event.
    origin : str, optional
        Column of the date of time zero; needed where ``exit`` is a date, unless
        ``scale="calendar"``. On ``scale="age"`` it is the birth.
    birth : str, optional
        Column of the date of birth; needed for life tables on other scales than age.
    scale : {"age", "since_diagnosis", "calendar", "time"}, optional
        What times are counted from.
    person : str, optional
        Column that names the person, where a person may have several rows.
    weight : str, optional
        Column of positive weights.
    cluster : str, optional
        Column of clusters: errors are then robust to what its members share.
    strata : str or sequence of str, optional
        Columns whose combinations are strata.
    covariates : sequence of str, optional
        Columns that models may use; all other columns by default.

    Returns
    -------
    SurvivalData
        Rows in the order of the persons and of their time (of the table, where ``person`` is not given).

    Raises
    ------
    ParameterError
        If a column does not exist, or the arguments contradict one another.
    DataError
        If values cannot be right; all faults are listed.

    Examples
    --------
    >>> seen = pd.DataFrame({"entry": [0, 30, 0], "exit": [90, 400, 35], "died": [1, 0, 1]})
    >>> build_survival(seen, entry="entry", exit="exit", event="died", causes={1: "death"})
    SurvivalData(3 persons, 3 rows, 2 death, scale='time')
    """
    if not isinstance(table, pd.DataFrame):
        raise ParameterError(f"the table is of type {type(table).__name__}", "a pandas.DataFrame")
    strata_columns = check_names("strata", strata if strata is not None else (), "columns of the table")
    if covariates is not None:
        covariates = check_names("covariates", covariates, "columns of the table")
    named = [exit, entry, event, origin, birth, person, weight, cluster, *strata_columns, *(covariates or ())]
    _check_columns(table, [name for name in named if name is not None])
    if scale not in SCALES:
        raise ParameterError(f"scale is {scale!r}", f"one of {', '.join(SCALES)}", "scale='age'")
    _check_wording(causes, censored)
    if not len(table):
        raise DataError("the table has no row", "at least one person at risk")
    faults = _Faults()
    zero = _days(table[origin], origin, faults) if origin else None
    if origin is None and scale == "calendar":
        zero = np.zeros(len(table), dtype=np.int64)
    born = _days(table[birth], birth, faults) if birth else None
    if scale == "age" and zero is not None:
        if born is not None:
            faults.add(born != zero, f"on the scale of age the origin is the birth: {origin} and {birth} differ")
        born = zero
    stop = _times(table[exit], exit, zero, scale, faults)
    start = _times(table[entry], entry, zero, scale, faults) if entry else np.zeros(len(table), dtype=np.int64)
    if scale == "calendar" and not entry:
        faults.append("on the calendar scale everybody needs a date of entry: give entry=")
    numbers, names = _events(table[event], event, causes, tuple(censored), faults)
    weights = _weights(table[weight], weight, faults) if weight else None
    people, clusters = _codes(table, person, faults), _codes(table, cluster, faults)
    groups, labels = _strata(table, strata_columns, faults)
    if stop is not None and start is not None:
        faults.add(start >= stop, f"{entry or 'time zero'} is not before {exit}: nobody is at risk on (entry, exit]")
    if faults or stop is None or start is None or numbers is None:
        raise DataError("the follow-up cannot be right", "what is listed put right, or those rows left out and counted",
                        "select and count these rows before build_survival", faults=faults)  # fmt: skip
    used = {exit, entry, event, origin, birth, person, weight, cluster}
    kept = list(covariates) if covariates is not None else [name for name in table.columns if name not in used]
    # Rows in a stated order: by person, then by time.
    order = np.lexsort((start, people)) if people is not None else np.arange(len(table))
    result = SurvivalData(
        entry=start[order], exit=stop[order], event=numbers[order], causes=names,
        person=people[order] if people is not None else np.arange(len(table)),
        scale=scale,
        weight=weights[order] if weights is not None else None,
        cluster=clusters[order] if clusters is not None else None,
        strata=groups[order] if groups is not None else None, strata_labels=labels,
        origin=zero[order] if zero is not None else None, birth=born[order] if born is not None else None,
        covariates=table[kept].iloc[order].reset_index(drop=True),
        settings={"scale": scale, "entry": entry, "exit": exit, "event": event, "causes": list(names),
                  "origin": origin, "weight": weight, "cluster": cluster, "strata": strata_columns},
    )  # fmt: skip
    _check_persons(result)
    return result


def _check_columns(table: pd.DataFrame, names: Iterable[str]) -> None:
    twice = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
    if twice:
        raise DataError(f"the table has several columns {', '.join(twice)}", "each column once",
                        "table.loc[:, ~table.columns.duplicated()], where they are the same")  # fmt: skip
    absent = sorted({str(name) for name in names if name not in table.columns})
    if absent:
        raise ParameterError(
            f"the table has no column {', '.join(absent)}", f"some of {', '.join(map(str, table.columns))}"
        )


def _check_wording(causes: Any, censored: Any) -> None:
    """Refuse causes and texts that cannot be meant: a text alone would be read letter by letter."""
    for name, value, expected, example in (
        ("causes", causes, "codes with their names, or a list of texts", "{1: 'death'}, or ['death']"),
        ("censored", censored, "a list of texts", "['alive']"),
    ):
        if isinstance(value, str) or not isinstance(value, Iterable | None):
            raise ParameterError(f"{name} is {value!r}", expected, f"{name}={example}")
    words = list(causes.values()) if isinstance(causes, Mapping) else list(causes or ())
    if not all(isinstance(word, str) and word for word in words):
        raise ParameterError(
            "causes names events otherwise than by texts", "a text for each code",
            "causes={1: 'death', 2: 'transplant'}",
        )  # fmt: skip
    if causes is not None and not words:
        raise ParameterError("causes names no event", "one or more", "causes={1: 'death'}")


def _days(column: pd.Series, name: str | None, faults: _Faults) -> NDArray[np.int64] | None:
    """Calendar days since 1970-01-01 of a column of dates."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        faults.append(f"{name} holds {_kind(column)}, not dates: pd.to_datetime(table[{name!r}])")
        return None
    if column.isna().any():
        faults.add(column.isna(), f"{name} is missing")
        return None
    moments = column.dt.tz_localize(None) if column.dt.tz is not None else column
    return moments.dt.normalize().astype("datetime64[s]").astype(np.int64).to_numpy() // 86_400


def _times(
    column: pd.Series, name: str, zero: NDArray[np.int64] | None, scale: Scale, faults: _Faults
) -> NDArray[np.int64] | None:
    """Whole days since the origin of a column of dates or of numbers."""
    if pd.api.types.is_datetime64_any_dtype(column):
        days = _days(column, name, faults)
        if zero is None:
            faults.append(f"{name} holds dates: say what time is counted from with origin= and a column of dates")
            return None
        if days is None:
            return None
        times = days - zero
    elif column.dtype.kind != "c" and pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = ~np.isfinite(values)
        if bad.any():
            faults.add(bad, f"{name} is missing or infinite")
            return None
        faults.add(values != np.round(values), f"{name} holds parts of a day: times are whole days")
        if np.abs(values).max() > 1e15:
            faults.add(np.abs(values) > 1e15, f"{name} is beyond {LONGEST} years: days are expected")
            return None
        times = np.round(values).astype(np.int64)
    else:
        faults.append(f"{name} holds {_kind(column)}, not days or dates: pd.to_datetime(table[{name!r}]) for dates")
        return None
    if scale == "calendar":
        faults.add(np.abs(times) > LONGEST_CALENDAR * DAYS_PER_YEAR,
                   f"{name} is more than {LONGEST_CALENDAR} years from 1970: days since then are expected")  # fmt: skip
    else:
        faults.add(times > LONGEST * DAYS_PER_YEAR, f"{name} is beyond {LONGEST} years: days are expected")
        earliest = 0 if scale == "age" else EARLIEST * DAYS_PER_YEAR
        words = "before birth" if scale == "age" else f"more than {-EARLIEST} years before time zero"
        faults.add(times < earliest, f"{name} is {words}")
    return times


def _kind(column: pd.Series) -> str:
    if column.dtype.kind == "c":
        return "complex numbers"
    if pd.api.types.is_bool_dtype(column):
        return "true and false"
    if pd.api.types.is_numeric_dtype(column):
        return "numbers"
    return "text" if any(isinstance(value, str) for value in column) else f"values of type {column.dtype}"


def _events(
    column: pd.Series, name: str, causes: Any, censored: tuple[Any, ...], faults: _Faults
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if column.isna().any():
        faults.add(column.isna(), f"{name} is missing: say what happened, or that nothing did")
        return None, ()
    if column.dtype.kind == "c":
        faults.append(f"{name} holds complex numbers: 0 and 1, codes or texts are expected")
        return None, ()
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return _coded_events(column.to_numpy(dtype=np.float64), name, causes, faults)
    if causes is None:
        faults.append(f"{name} holds {_kind(column)}: say which texts are events with causes=")
        return None, ()
    wording = dict(causes) if isinstance(causes, Mapping) else {cause: cause for cause in causes}
    names = tuple(dict.fromkeys(wording.values()))
    texts = column.astype(object)
    numbers = texts.map({text: names.index(word) + 1 for text, word in wording.items()})
    numbers = numbers.where(~texts.isin(list(censored)), 0)
    faults.add(numbers.isna(), f"{name} holds texts that are neither in causes= nor in censored=")
    return (None if numbers.isna().any() else numbers.to_numpy(dtype=np.int64)), names


def _coded_events(
    values: NDArray[np.float64], name: str, causes: Any, faults: _Faults
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    codes = np.unique(values)
    if causes is None:
        wording: dict[float, str] = {1.0: "event"}
    elif isinstance(causes, Mapping):
        if not all(isinstance(code, Real) for code in causes):
            faults.append(f"{name} holds numbers, and causes= names other codes: write causes={{1: 'death'}}")
            return None, ()
        wording = {float(code): word for code, word in causes.items()}
    else:
        wording = {float(at): word for at, word in enumerate(causes, start=1)}
    if 0.0 in wording:
        faults.append("causes= names the code 0, which means no event")
        return None, ()
    if set(codes) == {1.0, 2.0} and len(wording) == 1:
        faults.append(
            f"{name} is coded 1 and 2 without 0: where 2 is the event write table[{name!r}] == 2; "
            "where both are events name them with causes="
        )
        return None, ()
    unknown = ~np.isin(values, [0.0, *wording])
    if unknown.any():
        known = ", ".join(f"{code:g}" for code in wording)
        faults.add(unknown, f"{name} holds codes other than 0 and {known}: name them with causes=")
        return None, ()
    names = tuple(dict.fromkeys(wording.values()))
    numbers = np.zeros(len(values), dtype=np.int64)
    for code, word in wording.items():
        numbers[values == code] = names.index(word) + 1
    return numbers, names


def _weights(column: pd.Series, name: str | None, faults: _Faults) -> NDArray[np.float64] | None:
    if column.dtype.kind == "c" or not pd.api.types.is_numeric_dtype(column):
        faults.append(f"{name} holds {_kind(column)}, not weights")
        return None
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    faults.add(~np.isfinite(values) | (values <= 0), f"{name} is missing, infinite or not above 0: a weight is")
    return values


def _codes(table: pd.DataFrame, name: str | None, faults: _Faults) -> NDArray[np.int64] | None:
    if name is None:
        return None
    if table[name].isna().any():
        faults.add(table[name].isna(), f"{name} is missing")
        return None
    try:
        return pd.factorize(table[name], sort=True)[0].astype(np.int64)
    except TypeError:
        faults.append(f"{name} holds lists or other things that are no names")
        return None


def _strata(
    table: pd.DataFrame, columns: list[str], faults: _Faults
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if not columns:
        return None, ()
    holes = table[columns].isna().any(axis=1)
    if holes.any():
        faults.add(holes, f"{' or '.join(columns)} is missing: a stratum is named")
        return None, ()
    numbers = table.groupby(columns, sort=True, observed=True).ngroup().to_numpy().astype(np.int64)
    first = table[columns].iloc[np.unique(numbers, return_index=True)[1]]
    labels = tuple(", ".join(map(str, row)) for row in first.itertuples(index=False))
    if len(set(labels)) < len(labels):
        faults.append(f"{' and '.join(columns)} {'has' if len(columns) == 1 else 'have'} values that print alike: "
                      "make them one type, with .astype(str)")  # fmt: skip
    return numbers, labels


def _check_persons(data: SurvivalData) -> None:
    """Refuse pieces of one person's time that contradict one another."""
    if data.persons == len(data):
        return
    same = data.person[1:] == data.person[:-1]
    faults = _Faults()
    faults.add(same & (data.entry[1:] < data.exit[:-1]), "the times of a person's rows overlap")
    for words, values in (("cluster", data.cluster), ("origin", data.origin), ("birth", data.birth)):
        if values is not None:
            faults.add(same & (values[1:] != values[:-1]), f"a person has more than one {words}")
    if faults:
        raise DataError("rows of one person contradict one another", "pieces of time that follow each other",
                        "check the column given as person=", faults=faults)  # fmt: skip
