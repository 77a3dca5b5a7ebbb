"""Information notes and oppositions: patient by patient, at rates that differ between sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from epi.world.centres import FILIERES, Centres
from epi.world.layout import NONE, dates, fixed, labels, make_table, truths
from epi.world.patients import EXTRACTION, Patients
from epi.world.streams import choose, open_stream

MCGRE_RATE = 6_022 / 26_767
OTHER_RATE, OTHER_SPREAD = 0.058, 0.012
NEVER_TICKED_SHARE = 0.006
NOTE_NOT_GIVEN, NOTE_UNTRACED, NO_ROW, TWO_EVENTS = 0.05, 0.07, 0.02, 0.01
MCGRE = FILIERES.index("MCGRE")
ALS = FILIERES.index("FILSLAN")


@dataclass(frozen=True)
class Oppositions:
    """The table, and who is opposed.

    Parameters
    ----------
    table : pyarrow.Table
        The raw table ``opposition``.
    opposed : numpy.ndarray
        Whether an opposition is recorded, for each patient.
    rates : pandas.DataFrame
        site_code, patients, rate, never_ticked: what was planted.
    """

    table: pa.Table
    opposed: NDArray[np.bool_]
    rates: pd.DataFrame


def build_oppositions(patients: Patients, site: NDArray[np.int64], centres: Centres, seed: int) -> Oppositions:
    """Draw notes and oppositions.

    Parameters
    ----------
    patients : Patients
        The patients.
    site : numpy.ndarray
        Row of each patient's first site.
    centres : Centres
        The network.
    seed : int
        Seed of the world.

    Returns
    -------
    Oppositions
        The raw table and its truth.
    """
    generator = open_stream(seed, "opposition")
    n = len(patients)
    seen = np.bincount(site, minlength=len(centres.sites))
    rate, never = site_rates(centres, seen, seed)
    opposed = generator.random(n) < rate[site]
    given = choose(generator, [1 - NOTE_NOT_GIVEN - NOTE_UNTRACED, NOTE_NOT_GIVEN, NOTE_UNTRACED], n)
    given = np.where(opposed & never[site], 2, given)  # the box left as it was: no trace of a note either
    silent = (generator.random(n) < NO_ROW) & ~opposed
    end = np.maximum(patients.end, patients.inclusion)
    noted = patients.inclusion + (np.minimum(end - patients.inclusion, 400) * generator.random(n)).astype(np.int64)
    said = noted + (np.minimum(EXTRACTION - noted, 700) * generator.random(n)).astype(np.int64)
    said = np.where(never[site], patients.inclusion, said)
    rows = np.flatnonzero(~silent)
    # A few were informed first and opposed themselves at a later visit: two events.
    changed = np.flatnonzero(opposed & ~never[site] & (generator.random(n) < TWO_EVENTS * 10))
    every = np.concatenate([rows, changed])
    first = np.zeros(len(every), dtype=bool)
    first[len(rows) :] = True
    order = np.lexsort([~first, every])
    every, first = every[order], first[order]
    refusal = opposed[every] & ~first
    state = np.where(first, 0, given[every])
    month = choose(generator, [0.85, 0.1, 0.05], len(every))
    month = np.where(every_year(noted[every]) == 2025, 0, month)
    table = make_table(
        "opposition",
        {
            "patient_id": fixed(patients.patient_id[every]),
            "bamara_informed": truths(generator.random(len(every)) < 0.985),
            "bndmr_note_given": truths(state == 0, state == 2),
            "bndmr_note_date": dates(np.where(state == 0, noted[every], NONE), month),
            "bndmr_opposed": truths(refusal),
            "opposition_date": dates(np.where(refusal, said[every], NONE)),
            "erdri_ern_authorisation": labels(
                choose(generator, [0.1, 0.05, 0.15, 0.7], len(every)), ["yes", "no", "unknown", ""]
            ),
        },
        len(every),
    )
    rates = pd.DataFrame(
        {"site_code": centres.sites["site_code"], "patients": seen, "rate": rate.round(6), "never_ticked": never}
    )
    return Oppositions(table, opposed, rates)


def every_year(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the calendar year of days.

    Parameters
    ----------
    days : numpy.ndarray
        Days since 1970-01-01.

    Returns
    -------
    numpy.ndarray
        Years.
    """
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def site_rates(centres: Centres, seen: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give the opposition rate of each site; over MCGRE patients its mean is the published 22.5 %.

    Parameters
    ----------
    centres : Centres
        The network.
    seen : numpy.ndarray
        Patients by first site.
    seed : int
        Seed of the world.

    Returns
    -------
    rate : numpy.ndarray
        One for each site.
    never : numpy.ndarray
        Sites where the box was never ticked, so that everybody reads as opposed.
    """
    generator = open_stream(seed, "opposition", "sites")
    fsmr = centres.sites["fsmr"].to_numpy()
    small = np.isin(centres.sites["centre_type"], ["CCMR", "CRC"])
    chance = generator.random(len(fsmr))
    never = small & (chance < NEVER_TICKED_SHARE) & (fsmr != "FILSLAN")
    rate = np.clip(OTHER_RATE + OTHER_SPREAD * generator.standard_normal(len(fsmr)), 0.03, 0.085)
    mine = fsmr == "MCGRE"
    # In MCGRE the box is often forgotten: rates spread widely, and two small sites never ticked it.
    rate[mine] = generator.beta(1.6, 6.0, int(mine.sum()))
    fewest = [row for row in np.lexsort([np.arange(len(fsmr)), seen]) if mine[row] and small[row] and seen[row] > 0]
    never[mine] = False
    never[fewest[:2]] = True
    open_ = mine & ~never
    wanted = MCGRE_RATE * seen[mine].sum() - seen[mine & never].sum()
    if seen[open_].sum() and wanted > 0:
        for _ in range(60):  # scaled, and again where a rate met its ceiling
            now = (rate[open_] * seen[open_]).sum()
            rate[open_] = np.minimum(rate[open_] * wanted / max(now, 1e-12), 0.9)
    rate[never] = 1.0
    return rate, never
