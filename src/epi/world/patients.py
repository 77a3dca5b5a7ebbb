"""Who the registry knows: disease, sex, birth, residence, the dates that matter."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.world.als import AlsCases
from epi.world.catalogue import CODED_SHARE, NOT_COUNTED_SHARE, ONSET, Catalogue
from epi.world.centres import CAPTURE_LOG_PER_100_KM, FILIERES, Centres
from epi.world.layout import NONE, middle_of_month
from epi.world.newborns import EXTRACTION, PLANTED, Newborns
from epi.world.population import AGE_LOWS
from epi.world.streams import choose, hexadecimal, open_stream, scramble
from epi.world.territory import Territory, earth_points

REGISTRY_SHARE = 1_600_000 / 68_000_000
FOREIGN_SHARE, FETUS_SHARE, UNKNOWN_SEX = 0.012, 0.008, 0.002
INCLUSIONS = {2007: 1.0, 2008: 2.0, 2009: 2.6, 2010: 3.0, 2011: 3.4, 2012: 3.6, 2013: 3.8, 2014: 4.0, 2015: 4.2,
              2016: 4.4, 2017: 4.6, 2018: 5.2, 2019: 6.0, 2020: 5.6, 2021: 6.6, 2022: 7.2, 2023: 7.8, 2024: 8.2,
              2025: 4.0}  # fmt: skip
# A sickle-cell population lives more often overseas and around Paris.
PLACE_FACTOR = {"MCGRE": {"971": 6.0, "972": 5.0, "973": 5.0, "974": 1.5, "976": 3.0, "75": 2.5, "93": 3.5, "94": 2.5,
                          "95": 2.5, "91": 2.0, "77": 1.8, "92": 1.8, "78": 1.5}}  # fmt: skip
DEATHS_RECORDED, ALS_DEATHS_RECORDED = 0.5, 0.6
ALS_MEDIAN_SURVIVAL_YEARS, ALS_MEDIAN_SIGNS_MONTHS = 1.5, 10.0
YEAR = 365.25
RESIDENT, FOREIGN, FETUS = 0, 1, 2
ALS_FILIERE = FILIERES.index("FILSLAN")


@dataclass
class Patients:
    """One entry for each patient, in the order of the pseudonyms.

    Parameters
    ----------
    patient_id : numpy.ndarray
        Pseudonyms, 16 hexadecimal characters.
    kind : numpy.ndarray
        0 resident, 1 foreign resident, 2 fetus.
    sex : numpy.ndarray
        0 man, 1 woman, 2 unknown.
    birth : numpy.ndarray
        Days since 1970-01-01.
    commune : numpy.ndarray
        Row of the commune in the territory (of the nearest crossing for foreign residents).
    filiere : numpy.ndarray
        Position in ``FILIERES``.
    disease : numpy.ndarray
        Row of the catalogue, -1 without a code.
    onset, diagnosis, inclusion, death : numpy.ndarray
        Days since 1970-01-01; ``NONE`` for no death, or no diagnosis.
    death_recorded : numpy.ndarray
        Whether the registry knows of the death.
    als, newborn : numpy.ndarray
        Row among the ALS cases, and among those born with a disease of newborn screening or its
        controls; -1 for others.
    visits_until : numpy.ndarray
        Last day on which a patient seen every year may come; ``NONE`` for those who come as it falls.
    """

    patient_id: NDArray[np.bytes_]
    kind: NDArray[np.int64]
    sex: NDArray[np.int64]
    birth: NDArray[np.int64]
    commune: NDArray[np.int64]
    filiere: NDArray[np.int64]
    disease: NDArray[np.int64]
    onset: NDArray[np.int64]
    diagnosis: NDArray[np.int64]
    inclusion: NDArray[np.int64]
    death: NDArray[np.int64]
    death_recorded: NDArray[np.bool_]
    als: NDArray[np.int64]
    newborn: NDArray[np.int64]
    visits_until: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def end(self) -> NDArray[np.int64]:
        """Last day on which anything may happen: death, or the extraction."""
        return np.where(self.death == NONE, EXTRACTION, np.minimum(self.death, EXTRACTION))

    @property
    def age(self) -> NDArray[np.float64]:
        """Age in years at inclusion."""
        return (self.inclusion - self.birth) / YEAR


def build_patients(
    territory: Territory,
    counts: NDArray[np.int32],
    cases: AlsCases,
    newborns: Newborns,
    centres: Centres,
    catalogue: Catalogue,
    seed: int,
) -> Patients:
    """Draw the patients of the registry.

    Parameters
    ----------
    territory : Territory
        The communes.
    counts : numpy.ndarray
        Persons by commune and age-sex cell.
    cases : AlsCases
        Cases in the population; the captured ones become patients.
    newborns : Newborns
        Those born with a disease of newborn screening; the captured ones become patients.
    centres : Centres
        The network.
    catalogue : Catalogue
        The diseases.
    seed : int
        Seed of the world.

    Returns
    -------
    Patients
        All patients, sorted by pseudonym.
    """
    seen = np.flatnonzero(cases.captured)
    planted = len(seen) + len(newborns.seen)
    total = max(round(REGISTRY_SHARE * territory.persons), planted, 1)
    generator = open_stream(seed, "patients", "others")
    others = _others(total - planted, planted, total, catalogue, generator)
    others["commune"] = _residences(others, territory, counts, centres, generator)
    parts = [others, _als(cases, seen, catalogue, seed), _newborns(newborns, catalogue)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in others}
    columns["death_recorded"] = columns["death_recorded"].astype(bool)
    bits = scramble(np.arange(total), seed, "patient")
    order = np.argsort(bits, kind="stable")
    columns["patient_id"] = hexadecimal(bits)
    return Patients(**{field.name: columns[field.name][order] for field in fields(Patients)})


def _others(
    n: int, planted: int, total: int, catalogue: Catalogue, generator: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    kind = choose(generator, [1 - FOREIGN_SHARE - FETUS_SHARE, FOREIGN_SHARE, FETUS_SHARE], n)
    # All planted patients have a code of a rare disorder: the others share what is left of the national proportions.
    resident = max(total * (1 - FOREIGN_SHARE - FETUS_SHARE), 1.0)
    left = max(resident - planted, 1.0)
    coded_share = np.clip((CODED_SHARE * resident - planted) / left, 0, 1)
    other_share = np.clip(CODED_SHARE * resident * NOT_COUNTED_SHARE / max(coded_share * left, 1.0), 0, 1)
    coded = generator.random(n) < coded_share
    uncounted = coded & (generator.random(n) < other_share)
    disease = np.where(coded, catalogue.draw_disorders(generator, n), -1)
    disease = np.where(uncounted, catalogue.draw_others(generator, n), disease)
    filiere = np.where(coded, catalogue.filiere[disease], catalogue.draw_filieres(generator, n))
    male_share = np.append(catalogue.table["male_share"].to_numpy(), 0.52)[disease]
    sex = np.where(generator.random(n) < male_share, 0, 1)
    sex = np.where(generator.random(n) < np.where(kind == FETUS, 0.3, UNKNOWN_SEX), 2, sex)
    none = {"als": np.full(n, -1), "newborn": np.full(n, -1), "visits_until": np.full(n, NONE)}
    drawn = {"kind": kind, "sex": sex, "filiere": filiere, "disease": disease}
    return drawn | none | _dates(kind, disease, catalogue, generator)


def _dates(
    kind: NDArray[np.int64], disease: NDArray[np.int64], catalogue: Catalogue, generator: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    n = len(kind)
    years = np.array(list(INCLUSIONS))
    year = years[choose(generator, list(INCLUSIONS.values()), n)]
    start = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    inclusion = start + (generator.random(n) * np.where(year == 2025, 178, 365)).astype(np.int64)
    category = (np.cumsum(catalogue.onset, axis=1)[disease] < generator.random(n)[:, None]).sum(axis=1)
    category = np.minimum(category, len(ONSET) - 1)
    low, high = np.array(list(ONSET.values())).T
    onset_age = low[category] + (high - low)[category] * generator.random(n)
    delay = np.exp(np.log(1.6) + 1.6 * generator.standard_normal(n)) * np.where(category <= 1, 0.35, 1.0)
    diagnosis_age = onset_age + np.minimum(delay, 40.0)
    way = choose(generator, [0.25, 0.27, 0.48], n)
    lag = np.select(
        [way == 0, way == 1],
        [-np.minimum(delay, 3.0) * generator.random(n), generator.exponential(0.2, n)],
        generator.exponential(12.0, n),
    )
    age = np.clip(diagnosis_age + lag, 0.003, 97.0)
    birth = inclusion - (age * YEAR).astype(np.int64)
    fetus = kind == FETUS
    birth = np.where(fetus, middle_of_month(inclusion + generator.integers(20, 150, n)), birth)
    onset_age = np.where(fetus, -0.3, onset_age)
    birth = _plausible_birth(birth, np.where(fetus, birth + 40, inclusion))
    onset = np.minimum(birth + (onset_age * YEAR).astype(np.int64), inclusion)
    diagnosis = np.maximum(birth + (diagnosis_age * YEAR).astype(np.int64), onset)
    late = diagnosis > EXTRACTION
    between = inclusion + (generator.random(n) * (EXTRACTION - inclusion)).astype(np.int64)
    diagnosis = np.where(late | fetus, between, diagnosis)
    diagnosis = np.where(fetus, np.minimum(diagnosis, inclusion + 30), diagnosis)
    death = inclusion + (YEAR * _remaining_years(np.maximum((inclusion - birth) / YEAR, 0), generator)).astype(np.int64)
    death = np.where(fetus, np.where(generator.random(n) < 0.4, birth, NONE), death)
    death = np.where((death != NONE) & (death > EXTRACTION), NONE, death)
    death = np.where((death != NONE) & ~fetus, np.maximum(death, diagnosis), death)
    recorded = (death != NONE) & (generator.random(n) < np.where(fetus, 1.0, DEATHS_RECORDED))
    return {"birth": birth, "onset": onset, "diagnosis": diagnosis, "inclusion": inclusion, "death": death,
            "death_recorded": recorded.astype(np.int64)}  # fmt: skip


def _plausible_birth(birth: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Births are known to the month and read as its 15th: no first event may fall before that day."""
    return np.where(middle_of_month(birth) > first, birth - 15, birth)


def _remaining_years(age: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Gompertz mortality about twice the general one, and a small constant excess."""
    slope, level = 0.09, 9e-5
    wear = np.log1p(slope * generator.exponential(1.0, len(age)) / (level * np.exp(slope * age))) / slope
    return np.minimum(wear, generator.exponential(1 / 0.003, len(age)))


def _als(cases: AlsCases, seen: NDArray[np.int64], catalogue: Catalogue, seed: int) -> dict[str, NDArray[np.int64]]:
    generator = open_stream(seed, "patients", "als")
    n = len(seen)
    diagnosis = cases.day[seen]
    birth = diagnosis - (cases.age[seen] * YEAR).astype(np.int64)
    months = np.exp(np.log(ALS_MEDIAN_SIGNS_MONTHS) + 0.6 * generator.standard_normal(n))
    onset = np.maximum(diagnosis - (months * YEAR / 12).astype(np.int64), birth + 365)
    survival = np.exp(np.log(ALS_MEDIAN_SURVIVAL_YEARS) + 0.85 * generator.standard_normal(n))
    death = diagnosis + (YEAR * survival).astype(np.int64)
    inclusion = np.minimum(diagnosis + generator.exponential(30.0, n).astype(np.int64), np.minimum(death, EXTRACTION))
    death = np.where(death > EXTRACTION, NONE, death)
    recorded = (death != NONE) & (generator.random(n) < ALS_DEATHS_RECORDED)
    index = pd.Index(catalogue.table["orpha_code"])
    return {
        "kind": np.full(n, RESIDENT),
        "sex": np.where(cases.male[seen], 0, 1),
        "filiere": np.full(n, ALS_FILIERE),
        "disease": index.get_indexer(cases.orpha[seen]),
        "als": seen,
        "newborn": np.full(n, -1),
        "visits_until": np.full(n, NONE),
        "birth": birth,
        "onset": onset,
        "diagnosis": diagnosis,
        "inclusion": inclusion,
        "death": death,
        "death_recorded": recorded.astype(np.int64),
        "commune": cases.commune[seen],
    }


def _newborns(newborns: Newborns, catalogue: Catalogue) -> dict[str, NDArray[np.int64]]:
    seen = newborns.seen
    people = newborns.table.iloc[seen]
    names = pd.Index(PLANTED)
    network = np.array([FILIERES.index(disease.filiere) for disease in PLANTED.values()])
    birth, diagnosis = people["birth"].to_numpy(), people["diagnosis"].to_numpy()
    return {
        "kind": np.full(len(seen), RESIDENT),
        "sex": np.where(people["male"], 0, 1),
        "filiere": network[names.get_indexer(pd.Index(people["disease"]))],
        "disease": pd.Index(catalogue.table["orpha_code"]).get_indexer(pd.Index(people["orpha_code"])),
        "als": np.full(len(seen), -1),
        "newborn": seen,
        "visits_until": people["visits_until"].to_numpy(),
        "birth": birth,
        # Found by screening, a child has no signs yet: they are dated to the diagnosis, as people write it.
        "onset": np.where(people["screened"], diagnosis, birth + ((diagnosis - birth) * 0.6).astype(np.int64)),
        "diagnosis": diagnosis,
        "inclusion": people["inclusion"].to_numpy(),
        "death": people["death"].to_numpy(),
        "death_recorded": people["death_recorded"].to_numpy().astype(np.int64),
        "commune": people["commune"].to_numpy(),
    }


def _residences(
    others: dict[str, NDArray[np.int64]],
    territory: Territory,
    counts: NDArray[np.int32],
    centres: Centres,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Communes in proportion to persons of the same sex and age, less so far from the filière's centres."""
    places = territory.communes
    points = earth_points(places["lon"].to_numpy(), places["lat"].to_numpy())
    chance = generator.random(len(others["kind"]))
    age = np.clip((others["inclusion"] - others["birth"]) / YEAR, 0, 99)
    fetus = others["kind"] == FETUS
    group = np.where(fetus, 6, np.minimum(age.astype(np.int64) // 5, len(AGE_LOWS) - 1))
    woman = (others["sex"] == 1) | fetus
    cell = group + woman * len(AGE_LOWS)
    key = others["filiere"] * counts.shape[1] + cell
    order = np.argsort(key, kind="stable")
    edges = np.searchsorted(key[order], np.arange(len(FILIERES) * counts.shape[1] + 1))
    by_cell = np.ascontiguousarray(counts.T).astype(float)
    out = np.zeros(len(key), dtype=np.int64)
    for number, name in enumerate(FILIERES):
        span = edges[number * counts.shape[1] : (number + 1) * counts.shape[1] + 1]
        if span[0] == span[-1]:
            continue
        near = np.concatenate([centres.distances(block, name).min(axis=1) for block in _blocks(points)])
        weight = np.exp(CAPTURE_LOG_PER_100_KM * near / 100)
        if name in PLACE_FACTOR:
            weight = weight * places["departement"].map(PLACE_FACTOR[name]).fillna(1.0).to_numpy(float)
        for column in np.flatnonzero(np.diff(span)):
            mine = order[span[column] : span[column + 1]]
            total = np.cumsum(by_cell[column] * weight)
            if total[-1] == 0:  # nobody of that age lives here: any inhabitant's commune will do
                total = np.cumsum(by_cell.sum(axis=0) * weight)
            found = np.searchsorted(total, chance[mine] * total[-1], side="right")
            out[mine] = np.minimum(found, len(total) - 1)
    return out


def _blocks(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [points[low : low + 4096] for low in range(0, len(points), 4096)]
