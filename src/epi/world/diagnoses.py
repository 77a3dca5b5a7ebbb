"""Diagnoses and what describes them: status, codes, moments and ages, genes, techniques, signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from epi.world.als import FAMILIAL, GENES
from epi.world.catalogue import Catalogue
from epi.world.centres import Centres
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
from epi.world.patients import EXTRACTION, FETUS, Patients
from epi.world.streams import choose, hexadecimal, open_stream, scramble

STATUSES = ["confirmed", "probable", "ongoing", "carrier", "refuted", "undetermined"]
CODED, ALS, UNCODED = [0.80, 0.15, 0.03, 0.02, 0, 0], [0.80, 0.195, 0.005, 0, 0, 0], [0, 0.06, 0.62, 0.09, 0.06, 0.17]
ROW_WITHOUT_CODE, COMPLEX_SHARE, SECOND_DIAGNOSIS = 0.75, 0.02, 0.03
DATED, DATED_ALS = 0.88, 0.97
PRECISION = [0.62, 0.25, 0.13]
MOMENTS = ["antenatal", "birth", "postnatal", "undetermined", "no_sign"]
COMPLEX = ["Q87.8", "G93.4", "R62.8", "F84.0"]
SIGNS = [
    "0001250",
    "0001249",
    "0001252",
    "0001263",
    "0000252",
    "0004322",
    "0000365",
    "0000505",
    "0001324",
    "0001903",
    "0002027",
    "0001945",
    "0002829",
    "0000952",
    "0001744",
    "0002240",
    "0000822",
    "0000083",
    "0002094",
    "0001251",
    "0001257",
    "0002015",
    "0001260",
    "0000729",
    "0000028",
    "0000047",
    "0000175",
    "0001638",
    "0001892",
    "0000988",
    "0002650",
    "0000518",
    "0000639",
    "0001508",
    "0001629",
    "0000238",
]
TECHNIQUES = ["targeted", "genome_wide", "acpa", "chromosomal", "other"]
INVESTIGATIONS = ["clinical", "molecular_genetics", "biological", "imaging", "biochemical", "pathology", "functional",
                  "cytogenetics", "other"]  # fmt: skip


@dataclass(frozen=True)
class Diagnoses:
    """Raw tables of diagnoses.

    Parameters
    ----------
    tables : dict
        diagnosis and its child tables.
    patient : numpy.ndarray
        Row of the patient of each diagnosis.
    """

    tables: dict[str, pa.Table]
    patient: NDArray[np.int64]


def build_diagnoses(
    patients: Patients,
    newborns: Newborns,
    site: NDArray[np.int64],
    centres: Centres,
    catalogue: Catalogue,
    seed: int,
) -> Diagnoses:
    """Write the diagnoses of all patients.

    Parameters
    ----------
    patients : Patients
        The patients.
    newborns : Newborns
        Those born with a disease of newborn screening.
    site : numpy.ndarray
        Row of each patient's first site.
    centres : Centres
        The network.
    catalogue : Catalogue
        The diseases.
    seed : int
        Seed of the world.

    Returns
    -------
    Diagnoses
        Raw tables.
    """
    generator = open_stream(seed, "diagnosis")
    coded = patients.disease >= 0
    main = np.flatnonzero(coded | (generator.random(len(patients)) < ROW_WITHOUT_CODE))
    level = np.append(catalogue.table["level"].to_numpy(), "none")
    rare = np.isin(level[patients.disease], ["disorder", "subtype"])
    two = np.flatnonzero(rare & (patients.als < 0) & (generator.random(len(patients)) < SECOND_DIAGNOSIS))
    patient = np.concatenate([main, two])
    disease = np.concatenate([patients.disease[main], catalogue.draw_disorders(generator, len(two))])
    second = np.concatenate([np.zeros(len(main), bool), np.ones(len(two), bool)])
    order = np.lexsort([second, patient])
    patient, disease, second = patient[order], disease[order], second[order]
    n = len(patient)
    als = (patients.als[patient] >= 0) & ~second
    table = np.cumsum([CODED, ALS, UNCODED, [0.5, 0.2, 0, 0, 0.3, 0]], axis=1)
    kind = np.select([second, als, disease >= 0], [3, 1, 0], 2)
    status = np.minimum((table[kind] <= generator.random(n)[:, None]).sum(axis=1), len(STATUSES) - 1)
    complex_ = (disease < 0) & (generator.random(n) < COMPLEX_SHARE)
    status = np.where(complex_, 0, status)
    diagnosis_id = hexadecimal(scramble(np.arange(n), seed, "diagnosis"))
    made = (status <= 1) | ((status >= 3) & (status <= 4))
    columns = _ages(patients, patient, made, als, catalogue, disease, generator)
    columns |= _origins(patients, newborns, patient, disease, als, catalogue, seed)
    orpha = np.append(catalogue.table["orpha_code"].to_numpy(), 0)[disease]
    dated = (status <= 1) & (generator.random(n) < np.where(als, DATED_ALS, DATED))
    day = patients.diagnosis[patient]
    precision = choose(generator, PRECISION, n)
    middle = np.where(precision == 1, middle_of_month(day), np.where(precision == 2, middle_of_year(day), day))
    edge = (middle > EXTRACTION) | (middle < middle_of_month(patients.birth[patient]))
    precision = np.where(edge | (every_year(day) == 2025), 0, precision)
    columns |= {
        "diagnosis_id": fixed(diagnosis_id),
        "patient_id": fixed(patients.patient_id[patient]),
        "status": codes(status, "StatutActuelDiagnostic", STATUSES),
        "orpha_code": numbers(orpha, disease < 0),
        "complex_nonrare_cim10": labels(choose(generator, np.ones(4), n), COMPLEX, ~complex_),
        "diagnosis_date": dates(np.where(dated, day, NONE), precision),
        "site_of_diagnosis": labels(
            site[patient], centres.sites["site_code"].tolist(), ~((status <= 1) & (generator.random(n) < 0.5))
        ),
        "entry_appreciation": codes(
            choose(generator, [0.5, 0.15, 0.35], n),
            "AppreciationDiagnosticCentre",
            ["absent", "inappropriate", "appropriate"],
        ),
        "apparently_healthy": truths(status == 3, generator.random(n) < 0.4),
    }
    tables = {"diagnosis": make_table("diagnosis", columns, n)}
    tables |= _children(diagnosis_id, patients, patient, disease, status, als, catalogue, seed)
    return Diagnoses(tables, patient)


def _ages(
    patients: Patients,
    patient: NDArray[np.int64],
    made: NDArray[np.bool_],
    als: NDArray[np.bool_],
    catalogue: Catalogue,
    disease: NDArray[np.int64],
    generator: np.random.Generator,
) -> dict[str, pa.Array]:
    """Moments and ages; one unit for the three ages of a row, whole units as people write them."""
    n = len(patient)
    birth, fetus = patients.birth[patient], patients.kind[patient] == FETUS
    first = patients.onset[patient] - birth
    # An age at diagnosis never exceeds the age at the end of observation.
    limit = np.maximum(patients.end[patient] - birth, 0)
    clinical = np.minimum(patients.diagnosis[patient] - birth, limit)
    genes = np.append(catalogue.table["hgnc"].to_numpy() != "", False)[disease]
    tested = made & genes & (generator.random(n) < np.where(als, 0.12, 0.5))
    genetic = np.minimum(clinical + generator.exponential(120.0, n).astype(np.int64), limit)
    oldest = np.where(made, np.maximum(clinical, first), first)
    unit = np.where(oldest < 60, 0, np.where(oldest < 730, 1, 2))
    length = np.array([1.0, 30.4375, 365.25])[unit]
    unknown = generator.random((3, n)) < np.where(als, 0.03, 0.08)
    out: dict[str, pa.Array] = {"age_unit": labels(unit, ["day", "month", "year"])}
    silent = generator.random(n) < 0.01
    for row, (stage, days, known) in enumerate(
        [("first_signs", first, np.ones(n, bool)), ("clinical_diag", clinical, made), ("genetic_diag", genetic, tested)]
    ):
        moment = np.where((days < 0) | fetus, 0, np.where(days < 3, 1, 2))
        moment = np.where(unknown[row] | ~known, 3, moment)
        if stage == "first_signs":
            moment = np.where(silent & ~als, 4, moment)
        age = np.floor(np.maximum(days, 0) / length).astype(np.int64)
        out[f"{stage}_moment"] = codes(moment, "Age", MOMENTS)
        out[f"{stage}_age"] = numbers(age, moment != 2)
    return out


def _origins(
    patients: Patients,
    newborns: Newborns,
    patient: NDArray[np.int64],
    disease: NDArray[np.int64],
    als: NDArray[np.bool_],
    catalogue: Catalogue,
    seed: int,
) -> dict[str, pa.Array]:
    generator = open_stream(seed, "diagnosis", "origins")
    n = len(patient)
    modes = ["AD", "AR", "XLR", "XLD", "MI", "SPO", "INC", ""]
    listed = np.append(catalogue.table["inheritance"].to_numpy(), "")[disease]
    mode = np.array([modes.index(text) for text in modes[:5]] + [7])[
        pd.Index([*modes[:5], ""]).get_indexer(pd.Index(listed))
    ]
    familial = generator.random(n) < np.where(als, FAMILIAL, np.where(mode < 5, 0.4, 0.08))
    mode = np.where(als, np.where(familial, 0, 5), mode)
    born = every_year(patients.birth[patient])
    screened = np.append(newborns.table["screened"].to_numpy(), False)[patients.newborn[patient]]
    asked = generator.random(n)
    return {
        "sporadic_familial": codes(
            familial.astype(np.int64),
            "CasSporadiqueFamilial",
            ["sporadic", "familial"],
            generator.random(n) < np.where(als, 0.02, 0.3),
        ),
        "inheritance": labels(mode, modes, (mode == 7) | (generator.random(n) < 0.3)),
        "newborn_screening": labels(
            np.where(screened & (asked < 0.9), 0, np.where(asked < 0.85, 1, 2)),
            ["yes", "no", "unknown"],
            (born < 1972) | (generator.random(n) < 0.5),
        ),
    }


def _children(
    diagnosis_id: NDArray[np.bytes_],
    patients: Patients,
    patient: NDArray[np.int64],
    disease: NDArray[np.int64],
    status: NDArray[np.int64],
    als: NDArray[np.bool_],
    catalogue: Catalogue,
    seed: int,
) -> dict[str, pa.Table]:
    n = len(patient)

    def rows_of(
        name: str, share: NDArray[np.float64] | float, most: int, kinds: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows with one to `most` different kinds each: distinct, so that keys stay unique."""
        generator = open_stream(seed, "diagnosis", name)
        who = np.flatnonzero(generator.random(n) < share)
        count = 1 + choose(generator, 0.35 ** np.arange(most), len(who))
        first = choose(generator, 0.8 ** np.arange(kinds), len(who))
        stride = 1 + choose(generator, np.ones(max(1, (kinds - 1) // max(most - 1, 1))), len(who))
        rows = np.repeat(np.arange(len(who)), count)
        rank = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        return who[rows], (first[rows] + rank * stride[rows]) % kinds

    out = {}
    who, sign = rows_of("signs", 0.22, 3, len(SIGNS))
    out["diagnosis_description"] = make_table(
        "diagnosis_description",
        {
            "diagnosis_id": fixed(diagnosis_id[who]),
            "ref": labels(np.zeros(len(who)), ["HPO"]),
            "code": labels(sign, [f"HP:{number}" for number in SIGNS]),
        },
        len(who),
    )
    out["diagnosis_gene"] = _genes(diagnosis_id, disease, status, als, catalogue, seed)
    who, technique = rows_of("techniques", np.where(status == 0, 0.4, 0.1), 2, len(TECHNIQUES))
    out["diagnosis_technique"] = make_table(
        "diagnosis_technique",
        {"diagnosis_id": fixed(diagnosis_id[who]), "technique": codes(technique, "TechniquesDiagnostic", TECHNIQUES)},
        len(who),
    )
    legacy = every_year(patients.inclusion[patient]) < 2020
    who, done = rows_of("investigations", np.where(legacy, 0.3, 0.0), 3, len(INVESTIGATIONS))
    out["diagnosis_investigation"] = make_table(
        "diagnosis_investigation",
        {
            "diagnosis_id": fixed(diagnosis_id[who]),
            "investigation": codes(done, "InvestigationsRealisees", INVESTIGATIONS),
        },
        len(who),
    )
    return out


def _genes(
    diagnosis_id: NDArray[np.bytes_],
    disease: NDArray[np.int64],
    status: NDArray[np.int64],
    als: NDArray[np.bool_],
    catalogue: Catalogue,
    seed: int,
) -> pa.Table:
    generator = open_stream(seed, "diagnosis", "genes")
    listed = [text.split("|") if text else [] for text in catalogue.table["hgnc"]] + [[]]
    size = np.array([len(genes) for genes in listed])
    start = np.cumsum(size) - size
    flat = [gene for genes in listed for gene in genes] + [str(gene) for gene in GENES]
    chance = generator.random(len(disease))
    who = np.flatnonzero(np.where(als, chance < FAMILIAL, (status == 0) & (size[disease] > 0) & (chance < 0.35)))
    pick = start[disease[who]] + (generator.random(len(who)) * size[disease[who]]).astype(np.int64)
    own = len(flat) - len(GENES) + choose(generator, list(GENES.values()), len(who))
    return make_table(
        "diagnosis_gene",
        {
            "diagnosis_id": fixed(diagnosis_id[who]),
            "hgnc_id": labels(np.where(als[who], own, pick), [f"HGNC:{gene}" for gene in flat]),
        },
        len(who),
    )
