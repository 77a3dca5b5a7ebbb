"""The truth beside a world: what was planted, who is who, where faults are. Tests alone read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.files import write_json, write_parquet
from epi.world.als import AlsCases
from epi.world.centres import CAPTURE_LOG_PER_100_KM, DRAW, GRAVITY, Centres
from epi.world.journey import Journey
from epi.world.layout import NONE
from epi.world.newborns import Newborns
from epi.world.opposition import Oppositions
from epi.world.patients import Patients
from epi.world.territory import Territory


def write_truth(
    folder: Path,
    territory: Territory,
    cases: AlsCases,
    newborns: Newborns,
    patients: Patients,
    journey: Journey,
    centres: Centres,
    opposed: Oppositions,
    injected: pd.DataFrame,
    cascades: pd.DataFrame,
    catalogue: pd.DataFrame,
) -> None:
    """Write the folder ``truth``.

    Parameters
    ----------
    folder : Path
        Where.
    territory : Territory
        The communes.
    cases : AlsCases
        Cases in the population, and what was planted.
    newborns : Newborns
        Those born with a disease of newborn screening, and what was planted.
    patients : Patients
        The registry's patients.
    journey : Journey
        Their care.
    centres : Centres
        The network.
    opposed : Oppositions
        Oppositions and the rates of sites.
    injected, cascades : pandas.DataFrame
        Faulty rows, and rows that fall with them.
    catalogue : pandas.DataFrame
        The diseases.
    """
    write_json(folder / "planted.json", cases.planted)
    write_json(
        folder / "attraction.json",
        {
            "draw_by_centre_type": DRAW,
            "gravity": {**GRAVITY, "formula": "draw / (distance_km + offset_km) ** power, within the filière"},
            "capture_log_per_100_km_other_filieres": CAPTURE_LOG_PER_100_KM,
            "capture_als": cases.planted["capture"],
        },
    )
    write_parquet(folder / "communes.parquet", cases.communes)
    write_json(folder / "newborn_screening.json", newborns.planted)
    write_parquet(folder / "newborns.parquet", true_newborns(territory, newborns, patients))
    write_parquet(folder / "opposition_by_site.parquet", opposed.rates)
    write_parquet(folder / "faults.parquet", injected)
    write_parquet(folder / "cascades.parquet", cascades)
    write_parquet(
        folder / "patients.parquet", true_patients(territory, cases, patients, journey, centres, opposed, catalogue)
    )


def true_newborns(territory: Territory, newborns: Newborns, patients: Patients) -> pd.DataFrame:
    """Lay out the truth on everybody born with a disease of newborn screening or one of its controls.

    Parameters
    ----------
    territory : Territory
        The communes.
    newborns : Newborns
        Those born.
    patients : Patients
        The registry's patients.

    Returns
    -------
    pandas.DataFrame
        disease, orpha_code, mild, covered, screened, sex, birth_date, diagnosis_date, death_date, inclusion_date,
        death_recorded, captured, birth_commune and patient_id (empty if never captured).
    """
    people = newborns.table
    names = np.full(len(people), "", dtype="U16")
    known = patients.newborn >= 0
    names[patients.newborn[known]] = patients.patient_id[known].astype("U16")
    days = {
        f"{name}_date": people[name].to_numpy().astype("datetime64[D]").astype("datetime64[s]")
        for name in ("birth", "diagnosis", "death", "inclusion")
    }
    kept = ["disease", "orpha_code", "mild", "covered", "screened", "death_recorded", "captured"]
    return people[kept].assign(
        sex=np.where(people["male"], "M", "F"),
        birth_commune=territory.communes["insee_code"].to_numpy(dtype=object)[people["birth_commune"].to_numpy()],
        patient_id=names,
        **days,
    )


def true_patients(
    territory: Territory,
    cases: AlsCases,
    patients: Patients,
    journey: Journey,
    centres: Centres,
    opposed: Oppositions,
    catalogue: pd.DataFrame,
) -> pd.DataFrame:
    """Lay out the truth on every patient, and on the ALS cases that the network never saw.

    Parameters
    ----------
    territory : Territory
        The communes.
    cases : AlsCases
        Cases in the population.
    patients : Patients
        The registry's patients.
    journey : Journey
        Their care.
    centres : Centres
        The network.
    opposed : Oppositions
        Oppositions.
    catalogue : pandas.DataFrame
        The diseases.

    Returns
    -------
    pandas.DataFrame
        patient_id (empty if never captured), orpha_code, als, sex, birth, onset, diagnosis, death,
        insee_code, first_site, captured, opposed.
    """

    def as_date(days: NDArray[np.int64]) -> NDArray[Any]:
        return days.astype("datetime64[D]").astype("datetime64[s]")  # NaT is the same bits as "no date"

    missed = np.flatnonzero(~cases.captured)
    codes_ = territory.communes["insee_code"].to_numpy()
    orpha = np.append(catalogue["orpha_code"].to_numpy(), 0)[patients.disease]
    seen = pd.DataFrame(
        {
            "patient_id": patients.patient_id.astype("U16"),
            "orpha_code": orpha,
            "als": (patients.als >= 0) & (orpha == 803),
            "kind": np.array(["resident", "foreign", "fetus"])[patients.kind],
            "sex": np.array(["M", "F", "UNK"])[patients.sex],
            "birth_date": as_date(patients.birth),
            "onset_date": as_date(patients.onset),
            "diagnosis_date": as_date(patients.diagnosis),
            "inclusion_date": as_date(patients.inclusion),
            "death_date": as_date(patients.death),
            "insee_code": codes_[patients.commune],
            "first_site": centres.sites["site_code"].to_numpy()[journey.first_site],
            "captured": True,
            "opposed": opposed.opposed,
        }
    )
    if not len(missed):
        return seen
    unseen = pd.DataFrame(
        {
            "patient_id": "",
            "orpha_code": cases.orpha[missed],
            "als": cases.orpha[missed] == 803,
            "kind": "resident",
            "sex": np.where(cases.male[missed], "M", "F"),
            "birth_date": as_date(cases.day[missed] - (cases.age[missed] * 365.25).astype(np.int64)),
            "onset_date": as_date(np.full(len(missed), NONE)),
            "diagnosis_date": as_date(cases.day[missed]),
            "inclusion_date": as_date(np.full(len(missed), NONE)),
            "death_date": as_date(np.full(len(missed), NONE)),
            "insee_code": codes_[cases.commune[missed]],
            "first_site": "",
            "captured": False,
            "opposed": False,
        }
    )
    return pd.concat([seen, unseen], ignore_index=True)
