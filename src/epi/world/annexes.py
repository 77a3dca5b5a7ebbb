"""The smaller tables that hang on patients: births, pregnancies, research, drugs, scores, collections."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from epi.sources.bndmr.tables import raw_columns
from epi.world.centres import FILIERES
from epi.world.journey import Journey
from epi.world.layout import NONE, codes, dates, fixed, labels, make_table, numbers, truths
from epi.world.patients import FETUS, YEAR, Patients
from epi.world.streams import choose, hexadecimal, open_stream, scramble


def annex_tables(patients: Patients, journey: Journey, seed: int) -> dict[str, pa.Table]:
    """Write the tables that few patients have: antenatal, pregnancies, research, drugs, scores, collections.

    Parameters
    ----------
    patients : Patients
        The patients.
    journey : Journey
        Their care.
    seed : int
        Seed of the world.

    Returns
    -------
    dict
        Raw tables by name.
    """
    n = len(patients)
    filiere = np.array(FILIERES)[patients.filiere]
    early = (patients.onset - patients.birth < 700) & (patients.birth > 0)
    out = _pregnancies(patients, journey, seed)
    generator = open_stream(seed, "antenatal")
    who = np.flatnonzero(generator.random(n) < np.where(patients.kind == FETUS, 0.8, np.where(early, 0.15, 0.005)))
    m = len(who)
    week = np.clip(39 - generator.exponential(1.6, m), 24, 42).astype(np.int64)
    weight = np.clip(3300 - 170 * (39 - week) + 430 * generator.standard_normal(m), 400, 5500).astype(np.int64)
    absent = generator.random((4, m)) < 0.25
    out["antenatal"] = make_table(
        "antenatal",
        {
            "patient_id": fixed(patients.patient_id[who]),
            "amp": truths(generator.random(m) < 0.04, absent[0]),
            "gestational_age_weeks": numbers(week),
            "birth_weight_g": numbers(weight, absent[1]),
            "birth_length_cm": numbers(np.round(np.clip(28 + weight / 160, 25, 58), 1), absent[2]),
            "head_circumference_cm": numbers(np.round(np.clip(22 + weight / 270, 20, 42), 1), absent[3]),
            "malformation": codes(
                choose(generator, [0.6, 0.25, 0.15], m), "MalformationAntenatale", ["none", "single", "multiple"]
            ),
        },
        m,
    )
    generator = open_stream(seed, "research")
    who = np.flatnonzero(generator.random(n) < 0.35)
    m = len(who)
    out["research"] = make_table(
        "research",
        {
            "patient_id": fixed(patients.patient_id[who]),
            "contact_allowed": truths(generator.random(m) < 0.8),
            "sample_research": truths(generator.random(m) < 0.15),
            "sample_diagnostic": truths(generator.random(m) < 0.4),
            "biobank": labels(np.zeros(m), ["biothèque hospitalière"], generator.random(m) >= 0.1),
        },
        m,
    )
    out["treatment"] = _treatments(patients, seed)
    measured = np.isin(filiere, ["FILSLAN", "FILNEMUS", "BRAIN-TEAM"])
    generator = open_stream(seed, "functional_score")
    who = np.flatnonzero(generator.random(n) < np.where(measured, 0.3, 0.01))
    m = len(who)
    out["functional_score"] = make_table(
        "functional_score",
        {
            "patient_id": fixed(patients.patient_id[who]),
            "item": labels(choose(generator, [4, 3, 2, 1], m), ["d450", "b440", "d330", "d550"]),
            "score": numbers(generator.integers(0, 5, m)),
            "date": dates(journey.last_day[who]),
        },
        m,
    )
    generator = open_stream(seed, "complementary_record")
    who = np.repeat(np.flatnonzero(generator.random(n) < np.where(filiere == "FILNEMUS", 0.1, 0.005)), 2)
    m = len(who)
    second = np.arange(m) % 2
    out["complementary_record"] = make_table(
        "complementary_record",
        {
            "patient_id": fixed(patients.patient_id[who]),
            "collection_code": labels(np.zeros(m), ["ERRANCE-IMPASSE"]),
            "item": labels(second, ["severity", "phenotype"]),
            "value": labels(choose(generator, np.ones(3), m) + 3 * second, ["1", "2", "3", "A", "B", "C"]),
            "date": dates(journey.last_day[who]),
        },
        m,
    )
    return {name: table.select(raw_columns(name)) for name, table in out.items()}


def _pregnancies(patients: Patients, journey: Journey, seed: int) -> dict[str, pa.Table]:
    generator = open_stream(seed, "pregnancy")
    fertile = (patients.sex == 1) & (patients.age > 18) & (patients.age < 44) & (patients.kind != FETUS)
    mother = np.flatnonzero(fertile & (generator.random(len(patients)) < 0.06))
    m = len(mother)
    end = patients.inclusion[mother]
    twins = generator.random(m) < 0.03
    pregnancy_id = hexadecimal(scramble(np.arange(m), seed, "pregnancy"))
    pregnancy = make_table(
        "pregnancy",
        {
            "pregnancy_id": fixed(pregnancy_id),
            "patient_id": fixed(patients.patient_id[mother]),
            "start_date": dates(end - generator.integers(90, 270, m), np.ones(m, np.int64)),
            "end_date": dates(end, choose(generator, [0.7, 0.3], m)),
            "number_of_fetuses": numbers(1 + twins.astype(np.int64)),
            "amp": truths(generator.random(m) < 0.06, generator.random(m) < 0.3),
        },
        m,
    )
    of = np.concatenate([np.arange(m), np.flatnonzero(twins)])
    rank = np.concatenate([np.ones(m, np.int64), np.full(int(twins.sum()), 2)])
    order = np.lexsort([rank, of])
    of, rank = of[order], rank[order]
    outcomes = ["delivery", "img", "miscarriage", "fetal_death", "ivg", "ectopic"]
    outcome = choose(generator, [0.68, 0.2, 0.06, 0.04, 0.015, 0.005], len(of))
    week = np.where(outcome == 0, 38, np.where(outcome == 1, 24, 12)) + generator.integers(-2, 3, len(of))
    fetus = make_table(
        "fetus",
        {
            "fetus_id": fixed(hexadecimal(scramble(np.arange(len(of)), seed, "fetus"))),
            "pregnancy_id": fixed(pregnancy_id[of]),
            "fetus_order": numbers(rank),
            "sex": codes(choose(generator, [0.4, 0.4, 0.2], len(of)), "Sex", ["M", "F", "UNK"]),
            "pregnancy_outcome": codes(outcome, "IssueGrossesse", outcomes),
            "gestational_age_weeks": numbers(week),
            "fetopathology": truths(generator.random(len(of)) < 0.3, outcome == 0),
            "death_date": dates(np.where(outcome == 0, NONE, end[of])),
        },
        len(of),
    )
    return {"pregnancy": pregnancy, "fetus": fetus}


def _treatments(patients: Patients, seed: int) -> pa.Table:
    generator = open_stream(seed, "treatment")
    als = patients.als >= 0
    who = np.flatnonzero(generator.random(len(patients)) < np.where(als, 0.75, 0.06))
    m = len(who)
    drug = np.where(als[who], 0, 1 + choose(generator, [3, 2, 2, 1, 1, 1], m))
    start = patients.inclusion[who] + np.minimum(
        generator.integers(0, 90, m), np.maximum(patients.end[who] - patients.inclusion[who], 0)
    )
    stop = np.minimum(
        start + (YEAR * generator.exponential(2.0, m)).astype(np.int64), np.maximum(patients.end[who], start)
    )
    return make_table(
        "treatment",
        {
            "patient_id": fixed(patients.patient_id[who]),
            "drug": labels(
                drug,
                [
                    "riluzole",
                    "hydroxycarbamide",
                    "immunoglobulines",
                    "ivacaftor",
                    "nusinersen",
                    "eculizumab",
                    "sirolimus",
                ],
            ),
            "start_date": dates(start, choose(generator, [0.6, 0.4], m)),
            "end_date": dates(np.where(generator.random(m) < 0.4, stop, NONE)),
            "early_access": truths(generator.random(m) < 0.08),
        },
        m,
    )


def link_fetuses(
    activity: pa.Table, journey: Journey, patients: Patients, fetus: pa.Table, pregnancy: pa.Table
) -> pa.Table:
    """Say which fetus a mother's first activity concerned.

    Parameters
    ----------
    activity : pyarrow.Table
        Raw activities.
    journey : Journey
        Their keys.
    patients : Patients
        The patients.
    fetus, pregnancy : pyarrow.Table
        Raw tables.

    Returns
    -------
    pyarrow.Table
        Activities with ``fetus_id`` filled for mothers.
    """
    mother_of = dict(zip(pregnancy["pregnancy_id"].to_pylist(), pregnancy["patient_id"].to_pylist(), strict=True))
    first = {}
    for fetus_id, pregnancy_id, rank in zip(
        fetus["fetus_id"].to_pylist(), fetus["pregnancy_id"].to_pylist(), fetus["fetus_order"].to_pylist(), strict=True
    ):
        if rank == "1":
            first[mother_of[pregnancy_id].encode()] = fetus_id
    mothers = np.array(sorted(first), dtype="S16")
    if not len(mothers):
        return activity
    owner = journey.care_patient[journey.activity_care]
    lead = np.ones(len(owner), dtype=bool)
    lead[1:] = owner[1:] != owner[:-1]
    at = np.searchsorted(mothers, patients.patient_id[owner])
    at = np.minimum(at, len(mothers) - 1)
    mine = lead & (mothers[at] == patients.patient_id[owner])
    column = labels(at, [first[mother] for mother in mothers.tolist()], ~mine)
    return activity.set_column(activity.column_names.index("fetus_id"), "fetus_id", column)
