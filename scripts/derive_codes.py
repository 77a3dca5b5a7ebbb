"""Derive the package's medical codes from the reference files named in EPI_REFERENCE_DATA.

Run from the repository: ``EPI_REFERENCE_DATA=... python scripts/derive_codes.py``. It writes
``src/epi/codes/data/{entities,edges}.parquet`` and ``src/epi/codes/data/lists/*.csv``; the same
input gives the same bytes. Sources and licence are in ``src/epi/codes/data/SOURCES.md``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pandas as pd

from epi.codes.lists import Code, CodeList
from epi.codes.nomenclature import OrphaNomenclature
from epi.files import write_parquet, write_text

OUT = Path(__file__).resolve().parents[1] / "src" / "epi" / "codes" / "data"
STATUS = {
    "Active": "active",
    "Inactive: Obsolete": "obsolete",
    "Inactive: Deprecated": "deprecated",
    "Inactive: Non rare disease in Europe": "non_rare_in_europe",
}
LEVEL = {"Group of disorders": "group", "Disorder": "disorder", "Subtype of disorder": "subtype"}
ORPHANET = "Orphanet nomenclature 2023-06 and packets 2025-12"
CURATED = f"curated study code set, ORPHA codes verified in {ORPHANET}"

OWNER = "study team, to be reviewed by a clinician"

# name, title, study in study_disease_codes.csv, codes (None: every code of that study)
LISTS = (
    ("als", "Amyotrophic lateral sclerosis", "SLA environment", (803, 300605, 357043)),
    (
        "als_and_related",
        "Amyotrophic lateral sclerosis and related motor-neuron diseases",
        "SLA environment",
        (803, 300605, 357043, 35689, 247604, 454706, 275872),
    ),
    (
        "als_differential",
        "Differential diagnoses of ALS: never cases",
        "SLA environment",
        (481, 65684, 85162, 70),
    ),
    ("mcgre", "Red-cell and erythropoiesis disorders (MCGRE)", "MCGRE filière report", None),
    ("vargen", "Variations of genital development (VarGen)", "VarGen", None),
    ("emir_algo", "Systemic auto-inflammatory and auto-immune diseases (EMIR-algo)", "EMIR-algo", None),
    ("undiagnosed", "Investigated without a determined diagnosis", "Undiagnosed", None),
)
# Two control groups for a case-control study inside the registry: diseases that one gene causes, so that no
# environmental exposure can, seen in adults; the first by the networks that see ALS, the second by others.
CONTROLS = (
    (
        "controls_neurological",
        "Monogenic neurological diseases of adults, as controls",
        (273, 269, 399, 95, 166),
    ),
    (
        "controls_other_networks",
        "Monogenic diseases followed by other networks, as controls",
        (586, 232, 251359, 251365, 822, 848, 558, 730, 774, 98878, 98879),
    ),
)


def read(folder: Path, name: str) -> pd.DataFrame:
    """Read a reference file as text."""
    return pd.read_csv(folder / name, dtype=str, keep_default_na=False, encoding="utf-8")


def derive_entities(folder: Path) -> pd.DataFrame:
    """Write status, level and redirections in our words."""
    raw = read(folder, "orphanet_entities.csv.gz")
    redirect = pd.to_numeric(raw["redirect_to"].replace("", None)).astype("Int32")
    return (
        pd.DataFrame(
            {
                "orpha_code": raw["orpha_code"].astype("int32"),
                "status": raw["status"].map(STATUS),
                "level": raw["classification_level"].map(LEVEL),
                "disorder_type": raw["disorder_type"],
                "label_en": raw["label_en"],
                "label_fr": raw["label_fr"],
                "aggregation": raw["aggregation_code"].str.strip(),
                "preferential_parent": raw["preferential_parent_code"].str.strip(),
                "moved_to": redirect.where(raw["redirect_type"] == "Moved to"),
                "referred_to": redirect.where(raw["redirect_type"] == "Referred to"),
                "in_pack_2023": raw["in_pack_2023"] == "1",
                "in_packets_2025": raw["in_packets_2025"] == "1",
            }
        )
        .sort_values("orpha_code")
        .reset_index(drop=True)
    )


def derive_edges(folder: Path, known: set[int]) -> pd.DataFrame:
    """Join the edges of both editions, between entities that exist."""
    pack = read(folder, "orphanet_classification_edges_2023.csv.gz").astype("int32")
    packets = read(folder, "orphanet_parents_2025.csv.gz").astype("int32").assign(classification_id=0)
    edges = pd.concat([pack, packets], ignore_index=True)
    edges = edges[edges["child"].isin(known) & edges["parent"].isin(known)]
    return (
        edges.astype({"child": "int32", "parent": "int32", "classification_id": "int16"})
        .sort_values(["classification_id", "child", "parent"])
        .reset_index(drop=True)
    )


def derive_lists(folder: Path, nomenclature: OrphaNomenclature) -> list[CodeList]:
    """Build the studies' lists."""
    curated = read(folder, "study_disease_codes.csv")
    lists = []
    for name, title, study, codes in LISTS:
        rows = curated[curated["study"] == study].drop_duplicates("orpha_code")
        notes = dict(zip(rows["orpha_code"].astype(int), rows["note"], strict=True))
        wanted = tuple(notes) if codes is None else codes
        lists.append(_list(nomenclature, name, title, wanted, notes))
    for name, title, codes in CONTROLS:
        lists.append(_list(nomenclature, name, title, codes, {}))
    return lists


def _list(
    nomenclature: OrphaNomenclature, name: str, title: str, codes: tuple[int, ...], notes: dict[int, str]
) -> CodeList:
    entries = tuple(
        Code(str(code), nomenclature.label(code, "en"), nomenclature.entity(code).label_fr, notes.get(code, ""))
        for code in codes
    )
    return CodeList(
        name=name,
        title=title,
        version="1.0",
        owner=OWNER,
        source=CURATED,
        system="ORPHA",
        date="2025-12-09",
        codes=entries,
    )


def main() -> int:
    """Write everything."""
    folder = Path(os.environ["EPI_REFERENCE_DATA"])
    entities = derive_entities(folder)
    edges = derive_edges(folder, set(entities["orpha_code"]))
    write_parquet(OUT / "entities.parquet", entities)
    write_parquet(OUT / "edges.parquet", edges)
    nomenclature = OrphaNomenclature(entities, edges, "derived")
    for codelist in derive_lists(folder, nomenclature):
        codelist.check(nomenclature)
        write_text(OUT / "lists" / f"{codelist.name}.csv", codelist.to_text())
    print(f"{len(entities)} entities, {len(edges)} edges written under {OUT.relative_to(OUT.parents[3])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
