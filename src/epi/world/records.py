"""The patient table: residence and birth as registries write them, vital status, file."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from epi.geography.communes import read_communes
from epi.geography.passages import merged_since
from epi.world.catalogue import Catalogue
from epi.world.centres import Centres
from epi.world.journey import Journey
from epi.world.layout import (
    NONE,
    codes,
    dates,
    fixed,
    labels,
    make_table,
    middle_of_month,
    middle_of_year,
    numbers,
    truths,
)
from epi.world.newborns import Newborns
from epi.world.opposition import every_year
from epi.world.patients import EXTRACTION, FETUS, FOREIGN, Patients
from epi.world.streams import choose, hexadecimal, open_stream, scramble
from epi.world.territory import Territory

ABROAD = {"BE": 3.0, "CH": 3.0, "DZ": 3.0, "MA": 2.0, "IT": 1.0, "DE": 1.0, "LU": 1.0, "TN": 1.0, "PT": 1.0, "SN": 0.5}
BORN_ABROAD = {
    "99352": ("DZ", 3.0),
    "99350": ("MA", 3.0),
    "99351": ("TN", 1.5),
    "99139": ("PT", 1.5),
    "99127": ("IT", 1.0),
}
RESIDENCE_MISSING, OLD_CODE, ARRONDISSEMENT = 0.015, 0.06, 0.9
RELATIONS = ["MTH", "FTH", "BRO", "SIS", "CHILD", "COUSN", "UNCLE", "AUNT"]


def recorded_communes(
    commune: NDArray[np.int64], territory: Territory, generator: np.random.Generator
) -> tuple[NDArray[np.int64], list[str]]:
    """Write communes as registries do: arrondissements of large cities, codes of before a merger.

    Parameters
    ----------
    commune : numpy.ndarray
        Rows of the territory.
    territory : Territory
        The communes.
    generator : numpy.random.Generator
        The stream.

    Returns
    -------
    index : numpy.ndarray
        Position of each code in `names`.
    names : list of str
        INSEE codes, current ones first, in the order of the territory.
    """
    names = territory.communes["insee_code"].tolist()
    current = {code: row for row, code in enumerate(names)}
    districts = read_communes(arrondissements=True)
    districts = districts[districts["type"].astype(str) != "commune"]
    old = merged_since("2010-01-01")
    index = commune.copy()
    chance, pick = generator.random(len(commune)), generator.random(len(commune))
    for share, pairs in (
        (ARRONDISSEMENT, zip(districts["parent_code"].astype(str), districts["insee_code"], strict=True)),
        (OLD_CODE, zip(old["insee_code"].astype(str), old["code"], strict=True)),
    ):
        former: dict[int, list[int]] = {}
        for parent, code in pairs:
            if parent in current:
                former.setdefault(current[parent], []).append(len(names))
                names.append(code)
        if not former:
            continue
        size, start = np.zeros(len(territory.communes), np.int64), np.zeros(len(territory.communes), np.int64)
        for row, members in former.items():  # codes of one commune stand side by side: passages are sorted below
            size[row], start[row] = len(members), members[0]
        flat = np.array([member for members in former.values() for member in members])
        where = {member: place for place, member in enumerate(flat.tolist())}
        for row, members in former.items():
            start[row] = where[members[0]]
        change = (size[commune] > 0) & (chance < share)
        index[change] = flat[start[commune[change]] + (pick[change] * size[commune[change]]).astype(np.int64)]
    return index, names


def patient_table(
    patients: Patients,
    newborns: Newborns,
    territory: Territory,
    journey: Journey,
    centres: Centres,
    catalogue: Catalogue,
    seed: int,
) -> pa.Table:
    """Write the table ``patient``.

    Parameters
    ----------
    patients : Patients
        The patients.
    newborns : Newborns
        Those born with a disease of newborn screening.
    territory : Territory
        The communes.
    journey : Journey
        Their care.
    centres : Centres
        The network.
    catalogue : Catalogue
        The diseases.
    seed : int
        Seed of the world.

    Returns
    -------
    pyarrow.Table
        The raw table.
    """
    generator = open_stream(seed, "patient")
    n = len(patients)
    foreign, fetus = patients.kind == FOREIGN, patients.kind == FETUS
    dead = (patients.death != NONE) & patients.death_recorded
    home, names = recorded_communes(patients.commune, territory, generator)
    year, month = (
        every_year(patients.birth),
        patients.birth.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1,
    )
    birth, birth_names, country, abroad = _births(patients, newborns, territory, generator)
    precision = choose(generator, [0.8, 0.12, 0.08], n)
    middle = np.where(
        precision == 1, middle_of_month(patients.death), np.where(precision == 2, middle_of_year(patients.death), 0)
    )
    loose = (middle < middle_of_month(patients.birth)) | (middle < journey.last_day) | (middle > EXTRACTION)
    precision = np.where(loose, 0, precision)
    nir = (generator.random(n) < 0.16) & ~fetus
    secret = [hexadecimal(scramble(np.arange(n), seed, f"nir {part}")) for part in range(4)]
    updated = np.minimum(journey.last_day + generator.integers(0, 60, n), EXTRACTION)
    autonomous = centres.sites["bamara_autonomous_date"].to_numpy()[journey.first_site]
    connected = centres.sites["bamara_connected_date"].to_numpy()[journey.first_site]
    way = np.where((patients.inclusion < np.where(autonomous < 0, 17_500, autonomous)), 0, 1)
    way = np.where((way == 1) & (connected >= 0) & (patients.inclusion >= connected), 2, way)
    propositus, related = _families(patients, generator)
    orpha = np.append(catalogue.table["orpha_code"].to_numpy(), 0)[patients.disease]
    cause = choose(generator, [0.5, 0.15, 0.35], n)
    return make_table(
        "patient",
        {
            "patient_id": fixed(patients.patient_id),
            "nir_available": truths(nir),
            "nir_pseudo": fixed(
                np.char.add(np.char.add(secret[0], secret[1]), np.char.add(secret[2], secret[3])), ~nir
            ),
            "sex": codes(patients.sex, "Sex", ["M", "F", "UNK"]),
            "birth_year": numbers(year),
            "birth_month": numbers(month),
            "birth_commune": labels(birth, birth_names, fetus | (generator.random(n) < 0.1)),
            "birth_country": labels(
                country, [*(name for name, _ in BORN_ABROAD.values()), "FR"], ~abroad & (generator.random(n) < 0.5)
            ),
            "residence_commune": labels(home, names, foreign | (generator.random(n) < RESIDENCE_MISSING)),
            "residence_country": labels(
                np.where(foreign, 1 + choose(generator, list(ABROAD.values()), n), 0), ["FR", *ABROAD]
            ),
            "multiple_birth": truths(generator.random(n) < 0.035, generator.random(n) < 0.4),
            "vital_status": codes(
                np.where(dead, 1, np.where(generator.random(n) < 0.06, 2, 0)),
                "VitalStatus",
                ["alive", "deceased", "unknown"],
            ),
            "death_date": dates(np.where(dead, patients.death, NONE), precision),
            "death_due_to_rd": labels(cause, ["yes", "no", "unknown"], ~dead | (generator.random(n) < 0.2)),
            "death_cause_orpha": numbers(orpha, ~dead | (cause != 0) | (patients.disease < 0)),
            "consanguinity": labels(
                choose(generator, [0.04, 0.5, 0.46], n), ["true", "false", "UNK"], generator.random(n) < 0.3
            ),
            "lost_to_follow_up": truths(generator.random(n) < 0.05, generator.random(n) < 0.3),
            "is_fetus": truths(fetus),
            "propositus_id": fixed(patients.patient_id[propositus], ~related),
            "propositus_relation": labels(choose(generator, np.ones(len(RELATIONS)), n), RELATIONS, ~related),
            "file_created": dates(patients.inclusion),
            "file_updated": dates(np.maximum(updated, patients.inclusion)),
            "source": labels(way, ["CEMARA", "AUTONOMOUS", "CONNECTED"]),
        },
        n,
    )


def _births(
    patients: Patients, newborns: Newborns, territory: Territory, generator: np.random.Generator
) -> tuple[NDArray[np.int64], list[str], NDArray[np.int64], NDArray[np.bool_]]:
    n = len(patients)
    moved = choose(generator, territory.communes["population"].to_numpy(), n)
    place = np.where(generator.random(n) < 0.6, patients.commune, moved)
    abroad = generator.random(n) < np.where(patients.kind == FOREIGN, 0.95, 0.08)
    native = patients.newborn >= 0  # born in the territory: their births are counted there
    place = np.where(native, np.append(newborns.table["birth_commune"].to_numpy(), 0)[patients.newborn], place)
    abroad &= ~native
    which = choose(generator, [weight for _, weight in BORN_ABROAD.values()], n)
    names = territory.communes["insee_code"].tolist() + list(BORN_ABROAD)
    return (
        np.where(abroad, len(territory.communes) + which, place),
        names,
        np.where(abroad, which, len(BORN_ABROAD)),
        abroad,
    )


def _families(patients: Patients, generator: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Let a few patients point to another one with the same disease."""
    order = np.argsort(patients.disease, kind="stable")
    before = np.roll(order, 1)
    other = np.empty(len(patients), dtype=np.int64)
    other[order] = before
    same = (patients.disease[other] == patients.disease) & (patients.disease >= 0) & (other != np.arange(len(patients)))
    return other, same & (generator.random(len(patients)) < 0.03)
