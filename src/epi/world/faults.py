"""Faults put into the raw files on purpose, each with the rule that should find it.

A patient bears at most one faulty row, all tables together, so that no fault hides another. Rows that
fall only because the row above them does (V01-cascade) are listed apart. Faults touch all patients
at the same rate, ALS included, and never the truth files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from epi.codes import open_nomenclature
from epi.sources.bndmr.tables import DECLARED
from epi.world.streams import hexadecimal, open_stream, scramble

COPY, CONFLICT = "exact_duplicate", "same_key_other_content"
Values = Callable[[NDArray[np.int64]], list[str | None]]
Eligible = Callable[[], NDArray[np.bool_]]


@dataclass(frozen=True)
class Fault:
    """A way to spoil a cell.

    Parameters
    ----------
    name : str
        What is done.
    rule : str
        Identifier under which the reader counts it.
    column : str
        The column.
    texts : callable or str or None
        The new texts of given rows, or one text for all; None empties the cell.
    eligible : callable, optional
        Which rows may bear it; any filled cell otherwise.
    severity : {"E", "W"}, optional
        Whether the row is rejected.
    """

    name: str
    rule: str
    column: str
    texts: Values | str | None
    eligible: Eligible | None = None
    severity: str = "E"


def inject_faults(
    tables: dict[str, pa.Table], rate: float, seed: int
) -> tuple[dict[str, pa.Table], pd.DataFrame, pd.DataFrame]:
    """Spoil rows of the raw tables.

    Parameters
    ----------
    tables : dict
        Sound raw tables.
    rate : float
        Share of the rows of each patient table; at least one of each kind when it is not zero.
    seed : int
        Seed of the world.

    Returns
    -------
    tables : dict
        The tables with faults; copies stand at the end of their file.
    faults : pandas.DataFrame
        table, line (1 = first data row), key, fault, rule, severity, column.
    cascades : pandas.DataFrame
        table, line: rows that should be rejected because a row they refer to is.
    """
    columns = ["table", "line", "key", "fault", "rule", "severity", "column"]
    if rate <= 0:
        return tables, pd.DataFrame(columns=columns), pd.DataFrame(columns=["table", "line"])
    parents = _parents(tables)
    owner = _owners(tables, parents)
    tainted = np.zeros(tables["patient"].num_rows + 1, dtype=bool)
    tainted[-1] = True
    out, rows, rejected = dict(tables), [], {}
    for name in [table for table in DECLARED if table in owner]:
        table = tables[name]
        kinds: list[Fault | str] = [*_faults(name, tables, owner, seed)]
        if DECLARED[name].key:
            kinds.append(COPY)
        if name in _CONFLICT:
            kinds.append(CONFLICT)
        each = int(np.ceil(rate * table.num_rows / max(len(kinds), 1)))
        generator = open_stream(seed, "faults", name)
        changes: dict[str, list[tuple[int, str | None]]] = {}
        copies: list[tuple[int, str]] = []
        fallen = np.zeros(table.num_rows, dtype=bool)
        for kind in kinds:
            able = ~tainted[owner[name]]
            if isinstance(kind, Fault):
                able &= kind.eligible() if kind.eligible else table[kind.column].is_valid().to_numpy()
            pool = np.flatnonzero(able)
            _, single = np.unique(owner[name][pool], return_index=True)  # one row for each patient
            pool = pool[np.sort(single)]
            chosen = np.sort(generator.permutation(pool)[:each])
            tainted[owner[name][chosen]] = True
            if isinstance(kind, str):
                copies += [(int(row), kind) for row in chosen]
                fallen[chosen] |= kind == CONFLICT
                continue
            texts = kind.texts(chosen) if callable(kind.texts) else [kind.texts] * len(chosen)
            changes.setdefault(kind.column, []).extend(zip(chosen.tolist(), texts, strict=True))
            fallen[chosen] |= kind.severity == "E"
            rows += [(name, row, kind.name, kind.rule, kind.severity, kind.column) for row in chosen.tolist()]
        out[name] = _append(_change(table, changes), copies, name, rows)
        rejected[name] = fallen
    faults = pd.DataFrame(rows, columns=["table", "row", "fault", "rule", "severity", "column"])
    faults["line"] = faults["row"] + 1
    faults["key"] = _keys(faults, out)
    cascades = _cascades(tables, parents, rejected, out)
    return out, faults[columns].sort_values(["table", "line", "fault"], ignore_index=True), cascades


_CONFLICT = {
    "patient": ("consanguinity", "true", "false"),
    "care": ("out_of_label", "true", "false"),
    "activity": ("context", "11429006", "29"),
    "diagnosis": ("entry_appreciation", "2667000", "88323005"),
}


def _parents(tables: dict[str, pa.Table]) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Row of the parent that each row refers to, -1 for none."""
    out = {}
    for name, table in tables.items():
        for key in DECLARED[name].foreign:
            if key.table in ("fsmr", "hospital", "site"):
                continue
            target = tables[key.table][key.target].combine_chunks()
            found = pc.index_in(table[key.column].combine_chunks(), value_set=target)
            out[name, key.column] = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return out


def _owners(
    tables: dict[str, pa.Table], parents: dict[tuple[str, str], NDArray[np.int64]]
) -> dict[str, NDArray[np.int64]]:
    """Row of the patient behind each row of the patient tables."""
    owner = {"patient": np.arange(tables["patient"].num_rows)}
    for name in DECLARED:
        keys = [key for key in DECLARED[name].foreign if key.table in owner]
        if keys and name != "patient":
            owner[name] = owner[keys[0].table][parents[name, keys[0].column]]
    return owner


def _change(table: pa.Table, changes: dict[str, list[tuple[int, str | None]]]) -> pa.Table:
    for column, cells in changes.items():
        cells.sort()
        mask = np.zeros(table.num_rows, dtype=bool)
        mask[[row for row, _ in cells]] = True
        new = pa.array([text for _, text in cells], pa.string())
        old = table[column].combine_chunks()
        table = table.set_column(
            table.column_names.index(column), column, pc.replace_with_mask(old, pa.array(mask), new)
        )
    return table


def _append(
    table: pa.Table, copies: list[tuple[int, str]], name: str, rows: list[tuple[str, int, str, str, str, str]]
) -> pa.Table:
    if not copies:
        return table
    extra = table.take(pa.array([row for row, _ in copies]))
    for place, (row, kind) in enumerate(copies):
        line = table.num_rows + place
        if kind == COPY:
            rows.append((name, line, COPY, "V01-duplicate", "E", ""))
        else:  # none of the rows that share a key is kept
            rows.append((name, line, CONFLICT, "V01-conflict", "E", _CONFLICT[name][0]))
            rows.append((name, row, CONFLICT, "V01-conflict", "E", _CONFLICT[name][0]))
    if name in _CONFLICT:
        column, one, other = _CONFLICT[name]
        cells = extra[column].to_pylist()
        new = [
            (other if cell == one else one) if kind == CONFLICT else cell
            for cell, (_, kind) in zip(cells, copies, strict=True)
        ]
        extra = extra.set_column(extra.column_names.index(column), column, pa.array(new, pa.string()))
    return pa.concat_tables([table, extra]).combine_chunks()


def _keys(faults: pd.DataFrame, tables: dict[str, pa.Table]) -> list[str]:
    texts: dict[int, str] = {}
    for name, part in faults.groupby("table"):
        key = DECLARED[str(name)].key or ("patient_id",)
        found = tables[str(name)].select(list(key)).take(pa.array(part["row"].to_numpy())).to_pylist()
        texts |= {
            int(place): "|".join(str(row[column]) for column in key)
            for place, row in zip(part.index.to_numpy(), found, strict=True)
        }
    return [texts[place] for place in range(len(faults))]


def _cascades(
    tables: dict[str, pa.Table],
    parents: dict[tuple[str, str], NDArray[np.int64]],
    rejected: dict[str, NDArray[np.bool_]],
    out: dict[str, pa.Table],
) -> pd.DataFrame:
    """Follow rejected rows down to those that refer to them."""
    parts = []
    gone = {name: np.append(fallen, False) for name, fallen in rejected.items()}
    for name in DECLARED:
        keys = [key for key in DECLARED[name].foreign if (name, key.column) in parents]
        if not keys or name not in gone:
            continue
        hit = np.zeros(tables[name].num_rows, dtype=bool)
        for key in keys:
            hit |= gone[key.table][parents[name, key.column]]
        parts.append(pd.DataFrame({"table": name, "line": np.flatnonzero(hit) + 1}))
        gone[name][:-1] |= hit
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["table", "line"])


def _faults(name: str, tables: dict[str, pa.Table], owner: dict[str, NDArray[np.int64]], seed: int) -> list[Fault]:
    """List the faults of one table, apart from copies."""
    table, patient = tables[name], tables["patient"]

    def stray(rows: NDArray[np.int64]) -> list[str | None]:
        return [text.decode() for text in hexadecimal(scramble(rows + 10**12, seed, f"stray {name}")).tolist()]

    def cells(column: str) -> pa.Array:
        return table[column].combine_chunks()

    def of_patient(column: str) -> pa.Array:
        return patient[column].combine_chunks().take(pa.array(owner[name]))

    def born(low: int, high: int) -> NDArray[np.bool_]:
        year = pc.cast(of_patient("birth_year"), pa.int32()).to_numpy(zero_copy_only=False)
        return (year >= low) & (year <= high)

    def dead() -> NDArray[np.bool_]:
        return of_patient("death_date").is_valid().to_numpy(zero_copy_only=False)

    simple = {
        "opposition": [
            Fault("required_missing", "F01", "bndmr_opposed", None),
            Fault("value_not_listed", "F02", "bamara_informed", "oui"),
            Fault("malformed_date", "F03", "bndmr_note_date", "2019-02-30"),
        ],
        "pregnancy": [Fault("number_out_of_range", "F04", "number_of_fetuses", "42")],
        "fetus": [
            Fault("orphan_key", "V01-orphan", "pregnancy_id", stray),
            Fault("number_out_of_range", "F04", "gestational_age_weeks", "77"),
        ],
        "activity_objective": [
            Fault("orphan_key", "V01-orphan", "activity_id", stray),
            Fault("value_not_listed", "F02", "objective", "ORG-999"),
        ],
        "diagnosis_description": [Fault("value_not_listed", "F02", "ref", "LOCAL")],
        "diagnosis_gene": [Fault("malformed_text", "F05", "hgnc_id", "SOD1")],
        "diagnosis_technique": [Fault("value_not_listed", "F02", "technique", "MED-999")],
        "diagnosis_investigation": [Fault("orphan_key", "V01-orphan", "diagnosis_id", stray)],
        "antenatal": [Fault("number_out_of_range", "F04", "birth_weight_g", "99999")],
        "research": [Fault("value_not_listed", "F02", "contact_allowed", "peut-être")],
        "treatment": [Fault("required_missing", "F01", "drug", None)],
        "functional_score": [Fault("malformed_number", "F04", "score", "bon")],
        "complementary_record": [Fault("required_missing", "F01", "item", None)],
    }
    if name in simple:
        return simple[name]
    if name == "patient":
        return _patient_faults(table)
    if name == "care":
        return [
            Fault("orphan_key", "V01-orphan", "patient_id", stray),
            Fault("required_missing", "F01", "referred_by", None),
            Fault("value_not_listed", "F02", "referred_by", "G00_00"),
            Fault("malformed_date", "F03", "inclusion_date", "2019-02-30"),
        ]
    if name == "activity":
        fetal = cells("fetus_id").is_valid().to_numpy(zero_copy_only=False)
        fetal |= pc.equal(of_patient("is_fetus"), "true").to_numpy(zero_copy_only=False)
        return [
            Fault("orphan_key", "V01-orphan", "care_id", stray),
            Fault("required_missing", "F01", "context", None),
            Fault("value_not_listed", "F02", "context", "ORG-999"),
            Fault("malformed_date", "F03", "activity_date", "2019-02-30"),
            Fault(
                "activity_before_birth", "V02", "activity_date",
                lambda rows: [f"{int(y) - 2}-06-15" for y in of_patient("birth_year").take(pa.array(rows)).to_pylist()],
                lambda: born(1996, 2025) & ~fetal,
            ),
            Fault(
                "activity_after_death", "V04", "activity_date",
                lambda rows: [
                    f"{int(d[:4]) + 2}-01-15" for d in of_patient("death_date").take(pa.array(rows)).to_pylist()
                ],
                lambda: dead() & _before(of_patient("death_date"), 2023),
            ),
            Fault("activity_after_extraction", "V05", "activity_date", "2026-03-02", lambda: ~dead()),
            Fault("activity_before_1990", "V05", "activity_date", "1985-06-15", lambda: born(1900, 1980)),
        ]  # fmt: skip
    if name == "diagnosis":
        return _diagnosis_faults(table, stray)
    return []


def _before(texts: pa.Array, year: int) -> NDArray[np.bool_]:
    years = pc.cast(pc.utf8_slice_codeunits(texts, 0, 4), pa.int32())
    return pc.fill_null(pc.less(years, year), False).to_numpy(zero_copy_only=False)


def _patient_faults(table: pa.Table) -> list[Fault]:
    home = table["residence_commune"].combine_chunks()
    zero = pc.fill_null(pc.starts_with(home, "0"), False).to_numpy(zero_copy_only=False)
    # A territory whose codes do not begin with a zero cannot lose one: a last character goes instead.
    lost = ("insee_lost_zero", slice(1, None)) if zero.any() else ("insee_truncated", slice(0, 4))
    dead = table["death_date"].is_valid().to_numpy()
    year = table["birth_year"].combine_chunks()
    return [
        Fault("required_missing", "F01", "sex", None),
        Fault("value_not_listed", "F02", "source", "PAPIER"),
        Fault("malformed_date", "F03", "file_created", "2019-02-30"),
        Fault("swapped_date", "F03-swapped", "file_updated", "2019-25-03"),
        Fault("number_out_of_range", "F04", "birth_month", "13"),
        Fault(
            lost[0], "F05", "residence_commune",
            lambda rows: [text[lost[1]] for text in home.take(pa.array(rows)).to_pylist()],
            lambda: zero if zero.any() else home.is_valid().to_numpy(zero_copy_only=False),
        ),
        Fault(
            "death_before_birth", "V03", "death_date",
            lambda rows: [f"{int(y) - 2}-06" for y in year.take(pa.array(rows)).to_pylist()], lambda: dead,
        ),
        Fault("deceased_without_date", "V03", "death_date", None, lambda: dead),
    ]  # fmt: skip


def _diagnosis_faults(table: pa.Table, stray: Values) -> list[Fault]:
    listed = open_nomenclature().table()
    moved = listed.dropna(subset=["moved_to"]).sort_values("orpha_code")
    active = set(listed.loc[listed["status"] == "active", "orpha_code"].astype(int))
    former = {
        str(int(new)): str(int(old))
        for old, new in zip(moved["orpha_code"], moved["moved_to"], strict=True)
        if int(new) in active
    }
    groups = set(listed.loc[(listed["level"] == "group") & (listed["status"] == "active"), "orpha_code"].astype(int))
    group = str(min(groups))
    orpha = table["orpha_code"].combine_chunks()
    known = orpha.is_valid().to_numpy(zero_copy_only=False)
    redirected = pc.is_in(orpha, value_set=pa.array(sorted(former))).to_numpy(zero_copy_only=False)
    als = pc.fill_null(pc.equal(orpha, "803"), False).to_numpy(zero_copy_only=False)
    return [
        Fault("orphan_key", "V01-orphan", "patient_id", stray),
        Fault("required_missing", "F01", "entry_appreciation", None),
        Fault("value_not_listed", "F02", "status", "VRAI"),
        Fault("malformed_date", "F03", "diagnosis_date", "2019-02-30"),
        Fault("number_out_of_range", "F04", "first_signs_age", "-3"),
        Fault("unknown_orpha", "V06", "orpha_code", "999999", lambda: known),
        Fault(
            "inactive_orpha", "V06-inactive", "orpha_code",
            lambda rows: [former[text] for text in orpha.take(pa.array(rows)).to_pylist()], lambda: redirected, "W",
        ),
        Fault("group_orpha", "V06-group", "orpha_code", group, lambda: known & ~als, "W"),
    ]  # fmt: skip
