"""Building a world: population, exposures, registry, faults and truth, written as folders of files."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi import __version__
from epi.codes import open_nomenclature
from epi.errors import ParameterError, WorkspaceError
from epi.files import storage_faults, write_json, write_parquet
from epi.world import annexes, opposition
from epi.world.als import AlsCases, draw_cases
from epi.world.catalogue import CODED_SHARE, NOT_COUNTED_SHARE, load_catalogue
from epi.world.centres import build_centres
from epi.world.diagnoses import build_diagnoses
from epi.world.exposures import build_exposures, find_open_data
from epi.world.faults import inject_faults
from epi.world.journey import build_journey
from epi.world.layout import write_csv
from epi.world.network import network_tables
from epi.world.newborns import EXTRACTION, Newborns, draw_newborns
from epi.world.panel import build_panel
from epi.world.patients import REGISTRY_SHARE, build_patients
from epi.world.population import METHOD, count_persons, population_table
from epi.world.records import patient_table
from epi.world.territory import Territory, choose_territory, earth_points
from epi.world.truth import write_truth

FORMAT = 1
FAULT_RATE = 0.002
EXTRACTION_DATE = str(np.datetime64(EXTRACTION, "D"))


@dataclass(frozen=True)
class World:
    """What was built.

    Parameters
    ----------
    path : Path
        The folder.
    about : dict
        As ``world.json``: seed, territory, persons, rates, origins, versions.
    rows : dict
        Rows of each raw table, faults included.
    seconds : float
        Time taken.
    """

    path: Path
    about: dict[str, Any]
    rows: dict[str, int]
    seconds: float

    def __str__(self) -> str:
        return (
            f"synthetic world, seed {self.about['seed']}: {self.about['territory']['words']}; "
            f"{self.rows['patient']:,} patient rows; exposures: {self.about['exposures_origin']}"
        )


def build_world(
    out: str | os.PathLike[str],
    *,
    persons: int = 5_000_000,
    seed: int = 1,
    around: str = "69",
    territories: Sequence[str] | None = None,
    open_data: str | os.PathLike[str] | bool | None = None,
    faults: float = FAULT_RATE,
) -> World:
    """Build a synthetic France, or whole territories of it, with its raw registry and the truth beside.

    Parameters
    ----------
    out : path-like
        The world's folder. A world that is there already is replaced; any other folder is left alone.
    persons : int, optional
        Persons wished, from 1,000 to 68.4 million; whole territories come as near as they can.
    seed : int, optional
        Same seed, same bytes.
    around : str, optional
        Département in the middle of the territory.
    territories : sequence of str, optional
        Départements or communes to take instead of a number of persons.
    open_data : path-like or bool, optional
        Folder of the open registers for the exposures; None for the one that ``EPI_OPEN_DATA`` names;
        False for synthetic fields in any case.
    faults : float, optional
        Share of rows spoilt on purpose in each patient table, 0 to 0.05.

    Returns
    -------
    World
        Where it is and what it holds.

    Raises
    ------
    ParameterError
        If a parameter is out of bounds.
    WorkspaceError
        If `out` is a folder that is not a world.
    DataError
        If a folder of open data is named and files are missing there.
    StorageError
        If it cannot be written.
    """
    started = time.perf_counter()
    _check(seed, faults)
    territory = choose_territory(persons, around, territories)
    source = None if open_data is False else find_open_data(None if open_data is True else open_data)
    target = Path(out)
    _refuse_foreign(target)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    with storage_faults(target):
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            about, rows = _build(fresh, territory, seed, source, faults)
            write_json(fresh / "world.json", about)
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return World(target, about, rows, time.perf_counter() - started)


def _check(seed: int, faults: float) -> None:
    wrong = []
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        wrong.append(f"seed = {seed!r}: a whole number from 0 to {2**32 - 1}")
    if not isinstance(faults, int | float) or isinstance(faults, bool) or not 0 <= faults <= 0.05:
        wrong.append(f"faults = {faults!r}: a share from 0 to 0.05")
    if wrong:
        raise ParameterError("parameters of the world are out of bounds", faults=wrong)


def _refuse_foreign(target: Path) -> None:
    if not target.exists():
        return
    ours = target / "world.json"
    if target.is_dir() and not any(target.iterdir()):
        return
    try:
        if target.is_dir() and json.loads(ours.read_text(encoding="utf-8")).get("format") == FORMAT:
            return
    except (OSError, ValueError):
        pass
    raise WorkspaceError(f"{target} is not a world", "a new folder, or a world to replace", "choose another --out")


def _build(
    out: Path, territory: Territory, seed: int, source: Path | None, rate: float
) -> tuple[dict[str, Any], dict[str, int]]:
    counts = count_persons(territory, seed)
    exposures, described = build_exposures(territory, seed, source)
    newborns = draw_newborns(territory, seed)
    _write_reference(out / "reference", territory, counts, exposures, described, newborns)
    panel = build_panel(territory, exposures, described, seed)
    if panel is not None:
        write_parquet(out / "reference" / "exposure_panel.parquet", panel[0])
        write_json(out / "reference" / "exposure_panel.json", panel[1])
    centres = build_centres(seed)
    points = earth_points(territory.communes["lon"].to_numpy(), territory.communes["lat"].to_numpy())
    near = np.concatenate(
        [centres.distances(points[low : low + 4096], "FILSLAN").min(axis=1) for low in range(0, len(points), 4096)]
    )
    cases = draw_cases(territory, counts, exposures, near, seed)
    catalogue = load_catalogue()
    patients = build_patients(territory, counts, cases, newborns, centres, catalogue, seed)
    del counts
    journey = build_journey(patients, points, centres, seed)
    diagnoses = build_diagnoses(patients, newborns, journey.first_site, centres, catalogue, seed)
    opposed = opposition.build_oppositions(patients, journey.first_site, centres, seed)
    tables = network_tables(centres)
    tables["patient"] = patient_table(patients, newborns, territory, journey, centres, catalogue, seed)
    tables |= {"opposition": opposed.table, "care": journey.care} | diagnoses.tables
    tables |= annexes.annex_tables(patients, journey, seed)
    tables["activity"] = annexes.link_fetuses(journey.activity, journey, patients, tables["fetus"], tables["pregnancy"])
    tables["activity_objective"] = journey.activity_objective
    tables, injected, cascades = inject_faults(tables, rate, seed)
    rows = {}
    for name in sorted(tables):
        write_csv(out / "raw" / f"{name}.csv", tables[name])
        rows[name] = tables[name].num_rows
    nomenclature = open_nomenclature().version
    write_json(
        out / "raw" / "extract.json",
        {
            "extraction_date": EXTRACTION_DATE,
            "sdm_version": "SDM-MR 2024.01",
            "synthetic": True,
            "nomenclature": nomenclature,
            "title": f"Synthetic registry, seed {seed}",
        },
    )
    write_truth(
        out / "truth",
        territory,
        cases,
        newborns,
        patients,
        journey,
        centres,
        opposed,
        injected,
        cascades,
        catalogue.table,
    )
    return _describe(territory, seed, rate, described, cases, rows, injected, nomenclature), rows


def _write_reference(
    folder: Path,
    territory: Territory,
    counts: NDArray[np.int32],
    exposures: pd.DataFrame,
    described: dict[str, Any],
    newborns: Newborns,
) -> None:
    write_parquet(folder / "population.parquet", population_table(territory, counts))
    write_json(
        folder / "population.json",
        {
            "label_en": "Persons on 1 January, by commune, sex and five-year age",
            "label_fr": "Personnes au 1er janvier, par commune, sexe et âge quinquennal",
            "method": METHOD,
            "source": "INSEE: legal populations 2023, population estimates 2022; bassins de vie: census 2021",
            "licence": "Licence Ouverte 2.0; compilation of the bassins de vie to confirm",
            "age_low": "0, 5, ..., 95 (95 = 95 and over)",
            "persons": territory.persons,
            "territory": territory.words,
            "origin": "open data",
        },
    )
    write_parquet(folder / "births.parquet", newborns.births)
    write_json(
        folder / "births.json",
        {
            "label_en": "Live births by département and year",
            "label_fr": "Naissances vivantes par département et année",
            "method": "births of France shared out by today's population of the communes that are there",
            "source": "INSEE, civil registration",
            "licence": "Licence Ouverte 2.0",
            "territory": territory.words,
            "origin": "synthetic shares of real totals",
        },
    )
    write_parquet(folder / "exposures.parquet", exposures)
    write_json(folder / "exposures.json", described)


def _describe(
    territory: Territory,
    seed: int,
    rate: float,
    described: dict[str, Any],
    cases: AlsCases,
    rows: dict[str, int],
    injected: pd.DataFrame,
    nomenclature: str,
) -> dict[str, Any]:
    origins = sorted({entry["origin"] for name, entry in described.items() if name != "density_km2"})
    return {
        "format": FORMAT,
        "synthetic": True,
        "title": f"Synthetic world, seed {seed}",
        "seed": seed,
        "persons_asked": territory.asked,
        "persons": territory.persons,
        "territory": {
            "words": territory.words,
            "departements": list(territory.departements),
            "communes": len(territory.communes),
        },
        "population_method": METHOD,
        "exposures_origin": origins[0],
        "extraction_date": EXTRACTION_DATE,
        "rates": {
            "registry_patients_per_person": REGISTRY_SHARE,
            "coded": CODED_SHARE,
            "group_or_not_rare_among_coded": NOT_COUNTED_SHARE,
            "opposition_mcgre": opposition.MCGRE_RATE,
            "opposition_elsewhere_mean": opposition.OTHER_RATE,
            "note_untraced_or_not_given": opposition.NOTE_UNTRACED + opposition.NOTE_NOT_GIVEN,
            "no_opposition_row": opposition.NO_ROW,
            "faults_per_row": rate,
            "als_standardised_us_2010_per_100k": cases.planted["incidence"]["standardised_per_100k_us_2010"],
        },
        "faults": {rule: int(n) for rule, n in injected["rule"].value_counts().sort_index().items()},
        "faults_where": "patient tables only, never fsmr, hospital or site; at most one faulty row for each patient",
        "rows": rows,
        "versions": {"epi": __version__, "nomenclature": nomenclature, "communes": "COG 2026"},
        "notice": (
            "Everything about persons, patients and centres is synthetic. Communes, their totals and, where the origin "
            "is open data, exposures are real. The truth folder is for tests: studies never read it."
        ),
    }
