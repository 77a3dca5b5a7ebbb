"""Care and activities: which sites follow a patient, and what is done there when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from epi.sources.bndmr.values import VALUE_SETS
from epi.world.centres import FILIERES, Centres
from epi.world.layout import (
    NONE,
    codes,
    dates,
    fixed,
    labels,
    make_table,
    middle_of_month,
    middle_of_year,
    truths,
)
from epi.world.opposition import every_year
from epi.world.patients import FETUS, YEAR, Patients
from epi.world.streams import choose, hexadecimal, open_stream, scramble

SECOND_SITE, THIRD_SITE, SAME_FILIERE = 0.17, 0.03, 0.6
SINGLE_ACTIVITY = 0.55
YEARLY_GAP = (200, 100)
"""Days between visits of patients seen for life: at least, and on average beyond."""
CONTEXTS = {"consultation": 0.52, "day_hospital": 0.13, "inpatient": 0.09, "multidisciplinary_consultation": 0.08,
            "teleconsultation": 0.04, "rcp_local": 0.03, "rcp_national": 0.02, "expert_opinion": 0.03,
            "file_opinion_in_consultation": 0.02, "ward_opinion": 0.03, "other": 0.01}  # fmt: skip
OBJECTIVES = {"follow_up": 0.36, "diagnosis": 0.36, "care_setup": 0.08, "genetic_counselling": 0.07,
              "medical_act": 0.05, "genetic_result": 0.03, "therapeutic_education": 0.02, "research_protocol": 0.015,
              "transition": 0.01, "emergency": 0.005}  # fmt: skip
PROFESSIONS = {"physician": 0.82, "nurse": 0.04, "genetic_counsellor": 0.04, "psychologist": 0.03,
               "physiotherapist": 0.02, "speech_therapist": 0.01, "occupational_therapist": 0.01, "dietitian": 0.01,
               "psychomotor_therapist": 0.005, "social_worker": 0.01, "special_educator": 0.002,
               "other": 0.003}  # fmt: skip
REFERRALS = {"gp": 0.2, "other_specialist": 0.3, "paediatrician_community": 0.06, "paediatrician_hospital": 0.12,
             "care_site": 0.08, "crmr": 0.05, "ccmr": 0.05, "geneticist": 0.05, "self": 0.04,
             "gynaecologist_obstetrician": 0.02, "cpdpn": 0.01, "patient_association": 0.005, "pmi": 0.005,
             "other": 0.01}  # fmt: skip


@dataclass(frozen=True)
class Journey:
    """Care and activities as raw tables, with what other tables need of them.

    Parameters
    ----------
    care, activity, activity_objective : pyarrow.Table
        Raw tables.
    care_patient, care_site : numpy.ndarray
        Row of the patient and of the site of each care; a patient's first care comes first.
    activity_care, activity_day : numpy.ndarray
        Row of the care and day of each activity.
    first_site : numpy.ndarray
        Row of the first site of each patient.
    last_day : numpy.ndarray
        Day of the last activity of each patient.
    """

    care: pa.Table
    activity: pa.Table
    activity_objective: pa.Table
    care_patient: NDArray[np.int64]
    care_site: NDArray[np.int64]
    activity_care: NDArray[np.int64]
    activity_day: NDArray[np.int64]
    first_site: NDArray[np.int64]
    last_day: NDArray[np.int64]


def build_journey(patients: Patients, points: NDArray[np.float64], centres: Centres, seed: int) -> Journey:
    """Draw the sites of each patient and what was done there.

    Parameters
    ----------
    patients : Patients
        The patients.
    points : numpy.ndarray
        Communes of the territory in kilometres.
    centres : Centres
        The network.
    seed : int
        Seed of the world.

    Returns
    -------
    Journey
        Raw tables and their keys.
    """
    generator = open_stream(seed, "care")
    n = len(patients)
    first = centres.choose_sites(points, patients.commune, patients.filiere, generator)
    start = patients.inclusion
    parts = [(np.arange(n), first, start)]
    room = np.maximum(patients.end - start, 0)
    for share in (SECOND_SITE, THIRD_SITE):
        who = np.flatnonzero(generator.random(n) < share)
        other = choose(generator, np.ones(len(FILIERES)), len(who))
        same = generator.random(len(who)) < SAME_FILIERE
        site = centres.choose_sites(
            points, patients.commune[who], np.where(same, patients.filiere[who], other), generator
        )
        later = start[who] + np.minimum((YEAR * generator.exponential(2.0, len(who))).astype(np.int64), room[who])
        new = site != first[who]
        parts.append((who[new], site[new], later[new]))
    patient, site, day = (np.concatenate(column) for column in zip(*parts, strict=True))
    _, kept = np.unique(patient * 100_000 + site, return_index=True)  # one care for a patient and a site
    kept = kept[np.lexsort([site[kept], kept >= n, patient[kept]])]
    patient, site, day = patient[kept], site[kept], day[kept]
    care_bits = scramble(np.arange(len(patient)), seed, "care")
    care_id = hexadecimal(care_bits)
    activity, objective, owner, when = _activities(patients, patient, day, care_id, seed)
    last = patients.inclusion.copy()
    np.maximum.at(last, patient[owner], when)
    care = _care_table(patients, patient, site, day, care_id, centres, seed)
    return Journey(care, activity, objective, patient, site, owner, when, first, last)


def _care_table(
    patients: Patients,
    patient: NDArray[np.int64],
    site: NDArray[np.int64],
    day: NDArray[np.int64],
    care_id: NDArray[np.bytes_],
    centres: Centres,
    seed: int,
) -> pa.Table:
    generator = open_stream(seed, "care", "columns")
    n = len(patient)
    precision = choose(generator, [0.94, 0.04, 0.02], n)
    born = middle_of_month(patients.birth[patient])
    year = every_year(day)
    middle = np.where(precision == 1, middle_of_month(day), np.where(precision == 2, middle_of_year(day), day))
    # A coarse date is read as its middle: it is kept only where that is still a possible day.
    sound = (middle >= born) & (middle <= patients.end[patient]) & (year < 2025)
    precision = np.where(sound, precision, 0)
    sender = labels(
        choose(generator, list(REFERRALS.values()), n), [VALUE_SETS["PatientAdressePar"].code_of[k] for k in REFERRALS]
    )
    both = generator.random(n) < 0.04
    second = VALUE_SETS["PatientAdressePar"].code_of["patient_association"]
    pair = labels(
        choose(generator, [1.0, 1.0], n),
        [f"{VALUE_SETS['PatientAdressePar'].code_of[k]}|{second}" for k in ("gp", "other_specialist")],
    )
    return make_table(
        "care",
        {
            "care_id": fixed(care_id),
            "patient_id": fixed(patients.patient_id[patient]),
            "site_code": labels(site, centres.sites["site_code"].tolist()),
            "inclusion_date": dates(day, precision),
            "referred_by": pc.if_else(pa.array(both), pair, sender),
            "out_of_label": truths(generator.random(n) < 0.05),
        },
        n,
    )


def _activities(
    patients: Patients,
    patient: NDArray[np.int64],
    start: NDArray[np.int64],
    care_id: NDArray[np.bytes_],
    seed: int,
) -> tuple[pa.Table, pa.Table, NDArray[np.int64], NDArray[np.int64]]:
    generator = open_stream(seed, "activity")
    n = len(patient)
    more = generator.random(n) >= SINGLE_ACTIVITY
    count = 1 + np.where(more, generator.geometric(0.28, n), 0)
    count = np.where(patients.kind[patient] == FETUS, np.minimum(count, 2), count)
    end = np.maximum(patients.end[patient], start)
    until = patients.visits_until[patient]
    # Followed for life at their first site: as many visits as there is room for, until they are lost.
    first = np.ones(n, dtype=bool)
    first[1:] = patient[1:] != patient[:-1]
    regular = first & (until != NONE)
    end = np.where(until != NONE, np.clip(until, start, end), end)
    count = np.where(regular, 1 + (end - start) // YEARLY_GAP[0], count)
    owner = np.repeat(np.arange(n), count)
    head = np.cumsum(count) - count
    gap = 20 + (generator.exponential(300.0, len(owner))).astype(np.int64)
    gap[regular[owner]] = YEARLY_GAP[0] + (gap[regular[owner]] - 20) * YEARLY_GAP[1] // 300
    gap[head] = np.where(generator.random(n) < 0.9, 0, generator.integers(0, 20, n))
    run = np.cumsum(gap)
    when = start[owner] + run - (run[head] - gap[head])[owner]
    end = end[owner]
    lead = np.zeros(len(owner), dtype=bool)
    lead[head] = True
    when = np.where(lead, np.minimum(when, end), when)
    kept = lead | (when <= end)
    owner, when = owner[kept], when[kept]
    m = len(owner)
    context = choose(generator, list(CONTEXTS.values()), m)
    is_other = context == list(CONTEXTS).index("other")
    activity_id = hexadecimal(scramble(np.arange(m), seed, "activity"))
    elsewhere = generator.random(m) >= 0.01
    table = make_table(
        "activity",
        {
            "activity_id": fixed(activity_id),
            "care_id": fixed(care_id[owner]),
            "activity_date": dates(when),
            "context": codes(context, "ContexteActivite", list(CONTEXTS)),
            "context_text": labels(np.zeros(m), ["autre contexte"], ~is_other),
            "performer_profession": codes(
                choose(generator, list(PROFESSIONS.values()), m),
                "ProfessionPersonnelActivite",
                list(PROFESSIONS),
                generator.random(m) < 0.1,
            ),
            "place_commune": labels(
                choose(generator, np.ones(6), m), ["75056", "69123", "13055", "31555", "59350", "44109"], elsewhere
            ),
        },
        m,
    )
    weights = np.array(list(OBJECTIVES.values()))
    first = choose(generator, weights, m)
    second = (first + 1 + choose(generator, np.ones(len(weights) - 1), m)) % len(weights)
    two = np.flatnonzero(generator.random(m) < 0.25)
    rows = np.concatenate([np.arange(m), two])
    what = np.concatenate([first, second[two]])
    order = np.argsort(rows, kind="stable")
    objective = make_table(
        "activity_objective",
        {
            "activity_id": fixed(activity_id[rows[order]]),
            "objective": codes(what[order], "ObjectifActivite", list(OBJECTIVES)),
        },
        len(rows),
    )
    return table, objective, owner, when
