"""Derive the compact tables that the world carries, from open data and the Orphanet files.

Usage: EPI_OPEN_DATA=... EPI_REFERENCE_DATA=... python scripts/derive_world_data.py

Writes into ``src/epi/world/data``: ``age_shares_bv.csv.gz``, ``age_sex_france.csv``, ``births_france.csv`` and
``diseases.csv.gz``. Same inputs, same bytes. Sources and licences: ``SOURCES.md`` beside them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from epi.sources.open_data import read_bassins_de_vie, read_population_age_sex

TARGET = Path(__file__).resolve().parents[1] / "src" / "epi" / "world" / "data"
AGE_GROUPS = ["pop_0_14", "pop_15_29", "pop_30_44", "pop_45_59", "pop_60_74", "pop_75_89", "pop_90p"]

# Jannot 2023: 493,740 patients over 6,387 disorders, 5,429 used, 1,300 with 10-70, 792 above 70.
PATIENTS, DISORDERS, USED, MIDDLE, LARGE = 493_740, 6_387, 5_429, 1_300, 792

# Diseases generated from the population, not drawn from the tail (epi.world.als).
ALS_FAMILY = {803, 300605, 357043, 35689, 247604, 275872, 454706}
FILSLAN = {*ALS_FAMILY, 65684}
KNOWN = {
    586: "MUCO-CFTR", 48: "MUCO-CFTR", 481: "FILNEMUS", 70: "FILNEMUS", 797: "RESPIFIL", 881: "FIRENDO",
    805: "DEFISCIENCE", 117: "FAI2R", 567: "ANDDI-RARES", 90794: "FIRENDO", 636: "FIMARAD",
}  # fmt: skip
# Acute, infectious, toxic, tumoral or obstetric entities: rare guests of the centres whatever their frequency.
GUESTS = ("250908", "68416", "108999", "96344", "565779")

# Descendants of a group go to a filière: the first line that holds wins.
BY_GROUP = [
    ("MHEMO", [248308]),
    ("MCGRE", [183651, 275752, 707786]),
    ("NEUROSPHINX", [3388, 557, 268843]),
    ("FAVA-MULTI", [68419, 68362, 619249]),
    ("FILNEMUS", [68381]),
    ("SENSGENE", [68361, 519315]),
    ("TETECOU", [139039, 93453]),
    ("FIMATHO", [97945, 88993, 98043]),
    ("DEFISCIENCE", [611314, 101998, 180772]),
]
BY_HEAD = {
    93890: "ANDDI-RARES", 98006: "BRAIN-TEAM", 250908: "ANDDI-RARES", 68367: "G2M", 89826: "FIMARAD",
    93419: "OSCAR", 97966: "SENSGENE", 98004: "MARIH", 97978: "FIRENDO", 97992: "MARIH",
    68416: "MARIH", 98023: "FAI2R", 97935: "FIMATHO", 93626: "ORKID", 97955: "RESPIFIL",
    57146: "FILFOIE", 98036: "TETECOU", 97929: "CARDIOGEN", 98028: "FAVA-MULTI", 108999: "ANDDI-RARES",
    96344: "FIRENDO", 98026: "TETECOU", 101433: "ORKID", 68329: "TETECOU", 98047: "FIRENDO",
    165711: "FIMATHO", 97965: "CARDIOGEN", 97962: "FIMATHO", 565779: "FILFOIE", 98053: "ANDDI-RARES",
}  # fmt: skip
# Plausible shares of the national registry, before normalisation; MCGRE is 26,767 of 753,660.
SHARES = {
    "ANDDI-RARES": 0.150, "DEFISCIENCE": 0.085, "BRAIN-TEAM": 0.060, "FILNEMUS": 0.075, "FILSLAN": 0.002,
    "FIMARAD": 0.060, "FIRENDO": 0.100, "G2M": 0.035, "FAI2R": 0.080, "FAVA-MULTI": 0.050,
    "CARDIOGEN": 0.055, "MARIH": 0.045, "MCGRE": 0.042, "MHEMO": 0.030, "MUCO-CFTR": 0.016,
    "ORKID": 0.040, "OSCAR": 0.040, "RESPIFIL": 0.030, "SENSGENE": 0.060, "TETECOU": 0.040,
    "FIMATHO": 0.040, "FILFOIE": 0.020, "NEUROSPHINX": 0.020,
}  # fmt: skip
# Orders of size of well-known diseases in the registry of 2022 (plausible, not published counts).
ANCHORS = {
    232: 15500, 2965: 2600, 97292: 60, 63259: 30, 603: 40, 586: 6500,
    716: 2500, 98878: 5500, 98879: 1400, 903: 5000, 536: 6000,
    90291: 6500,
    117: 2500, 797: 3200, 558: 5500, 881: 3500, 636: 10500, 805: 2400, 778: 900, 70: 1700, 98896: 2400,
    273: 4500, 98895: 1200, 269: 2000, 589: 4200, 399: 2800, 870: 5500, 567: 3000, 90794: 2800,
    822: 2600, 251365: 4000, 848: 1100, 342: 2200, 95: 1200, 2138: 120,
    48: 600, 481: 450, 65684: 70,
}  # fmt: skip
ONSET = {"Antenatal": "A", "Neonatal": "N", "Infancy": "I", "Childhood": "C", "Adolescent": "D", "Adult": "U",
         "Elderly": "E", "All ages": "L"}  # fmt: skip
INHERITANCE = {"Autosomal recessive": "AR", "Autosomal dominant": "AD", "X-linked recessive": "XLR",
               "X-linked dominant": "XLD", "Mitochondrial inheritance": "MI"}  # fmt: skip
CLASS_PER_100K = {"<1 / 1 000 000": 0.05, "1-9 / 1 000 000": 0.4, "1-9 / 100 000": 4.0, "1-5 / 10 000": 25.0,
                  "6-9 / 10 000": 75.0, ">1 / 1000": 120.0}  # fmt: skip
MALE_SHARE = {881: 0.0, 778: 0.02}


def folder(variable: str) -> Path:
    """Give the folder that an environment variable names."""
    value = os.environ.get(variable)
    if not value or not Path(value).is_dir():
        sys.exit(f"{variable} must name a folder; it is {value!r}")
    return Path(value)


def noise(code: int) -> float:
    """Give a number in [0, 1) that depends on the code alone."""
    return int.from_bytes(hashlib.sha256(f"orpha {code}".encode()).digest()[:6], "big") / 2**48


def write_table(frame: pd.DataFrame, name: str) -> None:
    """Write CSV, gzipped without a time stamp when the name asks."""
    text = frame.to_csv(index=False, lineterminator="\n").encode()
    if name.endswith(".gz"):
        buffer = io.BytesIO()
        with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as handle:
            handle.write(text)
        text = buffer.getvalue()
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / name).write_bytes(text)
    print(f"{name}: {len(frame):,} rows, {len(text):,} bytes")


def derive_ages(open_data: Path) -> None:
    """Age shares of the bassins de vie, and the national age-sex table."""
    areas = read_bassins_de_vie(open_data).table
    shares = areas[AGE_GROUPS].div(areas[AGE_GROUPS].sum(axis=1), axis=0)
    out = (shares * 1e5).round().astype(int).rename(columns=lambda c: c.replace("pop_", "share_"))
    out.insert(0, "bv2022", areas["bv2022"])
    write_table(out.sort_values("bv2022"), "age_shares_bv.csv.gz")
    national = read_population_age_sex(open_data).table
    national = national[national["year"] == "2022"].copy()
    national["age_low"] = np.minimum(national["age"] // 5 * 5, 95)
    national["sex"] = national["sex"].map({"male": "M", "female": "F"})
    table = national.groupby(["sex", "age_low"], as_index=False)["population"].sum()
    write_table(table.rename(columns={"population": "persons"}), "age_sex_france.csv")


# Births registered, in thousands, of years outside the table of the open data (INSEE, civil registration):
# metropolitan France until 1981, France from 2020 on, where the table holds an early estimate.
BIRTHS_1960 = [
    820,
    839,
    833,
    869,
    878,
    866,
    864,
    841,
    836,
    842,
    850,
    881,
    878,
    857,
    801,
    745,
    720,
    745,
    737,
    757,
    800,
    805,
]
BIRTHS_2020 = [735, 742, 726, 678, 663]


def derive_births(open_data: Path) -> None:
    """Lay out the births of France by year."""
    table = pd.read_csv(open_data / "births_deaths_france_1982_2021.csv.gz").query("1982 <= year <= 2019")
    table = table.drop_duplicates("year", keep="last")  # 2014 is there without Mayotte, then with it
    births = (
        [1000 * n for n in BIRTHS_1960] + table["live_births"].astype(int).tolist() + [1000 * n for n in BIRTHS_2020]
    )
    write_table(pd.DataFrame({"year": range(1960, 2025), "births": births}), "births_france.csv")


def tail_curve() -> np.ndarray:
    """Give expected counts by rank: the published shape of the tail, the published total."""
    ranks = np.arange(1, DISORDERS + 1)

    def curve(top50: float, last: float) -> np.ndarray:
        knots = np.log([1, 50, LARGE, LARGE + MIDDLE, DISORDERS])
        return np.exp(np.interp(np.log(ranks), knots, np.log([17_000, top50, 70, 9.5, last])))

    low, high = 1e-6, 3.0
    for _ in range(80):
        last = (low + high) / 2
        low, high = (last, high) if np.exp(-curve(2500, last)).sum() > DISORDERS - USED else (low, last)
    low, high = 500.0, 9000.0
    for _ in range(80):
        top = (low + high) / 2
        low, high = (top, high) if curve(top, last).sum() < PATIENTS else (low, top)
    return curve(top, last)


def descendants(children: dict[int, set[int]], root: int) -> set[int]:
    """Transitive closure under the root."""
    found: set[int] = set()
    stack = [root]
    while stack:
        for child in children.get(stack.pop(), ()):
            if child not in found:
                found.add(child)
                stack.append(child)
    return found


def prevalence(reference: Path) -> dict[int, float]:
    """One order of magnitude per disease: France before Europe before the world."""
    table = pd.read_csv(reference / "orphanet_epidemiology.csv.gz")
    kinds = {
        "Point prevalence": 1.0,
        "Prevalence at birth": 0.2,
        "Annual incidence": 0.5,
        "Lifetime Prevalence": 0.5,
    }
    table = table[table["type"].isin(kinds)].copy()
    value = table["value_per_100k_or_count"].where(
        table["value_per_100k_or_count"] > 0, table["class"].map(CLASS_PER_100K)
    )
    table["value"] = value.clip(upper=60) * table["type"].map(kinds)
    table["order"] = (
        table["type"].map({kind: i for i, kind in enumerate(["Point prevalence", "Prevalence at birth"])}).fillna(2)
    )
    table["place"] = table["geography"].map({"France": 0, "Europe": 1, "Worldwide": 2}).fillna(3)
    table = table.dropna(subset=["value"]).sort_values(["orpha_code", "order", "place", "type", "value"])
    return table.groupby("orpha_code")["value"].first().to_dict()


def derive_diseases(reference: Path) -> None:
    """Derive the catalogue from which the world draws: filière, weight, onset, inheritance, genes."""
    entities = pd.read_csv(reference / "orphanet_entities.csv.gz").set_index("orpha_code")
    edges = pd.read_csv(reference / "orphanet_classification_edges_2023.csv.gz")[["child", "parent"]]
    newer = pd.read_csv(reference / "orphanet_parents_2025.csv.gz")
    children: dict[int, set[int]] = defaultdict(set)
    for child, parent in pd.concat([edges, newer]).itertuples(index=False):
        children[parent].add(child)
    active = entities[entities["status"] == "Active"]
    disorders = sorted(active.index[active["classification_level"] == "Disorder"])
    members = [(fsmr, set().union(*(descendants(children, g) for g in groups))) for fsmr, groups in BY_GROUP]

    def head(code: int) -> str:
        parent = str(entities["preferential_parent_code"].get(code, "")).split("|")[0].split(".")[0]
        return BY_HEAD.get(int(parent), "ANDDI-RARES") if parent.isdigit() else "ANDDI-RARES"

    def filiere(code: int) -> str:
        if code in FILSLAN:
            return "FILSLAN"
        if code in KNOWN:
            return KNOWN[code]
        if head(code) == "G2M":
            return "G2M"
        return next((fsmr for fsmr, codes in members if code in codes), head(code))

    fsmr = {code: filiere(code) for code in disorders}
    known = prevalence(reference)
    guests = {c for c in disorders if str(entities["preferential_parent_code"].get(c)).startswith(GUESTS)}
    base = {
        c: np.log10(known.get(c, 0.02)) - 1.5 * (c in guests) + 0.8 * noise(c) - 2.0 * (c not in known)
        for c in disorders
    }
    curve = tail_curve()
    drawn = [c for c in disorders if c not in ALS_FAMILY]
    total = sum(SHARES.values())
    shift = dict.fromkeys(SHARES, 0.0)
    for _ in range(60):  # move whole filières along the ranks until their shares of patients are plausible
        weight = place(drawn, {c: base[c] + shift[fsmr[c]] for c in drawn}, curve)
        mass = dict.fromkeys(SHARES, 0.0)
        for code, value in weight.items():
            mass[fsmr[code]] += value
        for name in shift:
            shift[name] += 0.5 * np.log10(SHARES[name] / total * PATIENTS / max(mass[name], 1.0))
    print({k: round(v / PATIENTS, 4) for k, v in sorted(mass.items())})
    rows = [describe(c, "disorder", c, fsmr[c], weight[c]) for c in drawn if weight.get(c, 0) > 0]
    rows += [describe(c, "disorder", c, "FILSLAN", 0.0) for c in sorted(ALS_FAMILY & set(disorders))]
    subtypes = active[active["classification_level"] == "Subtype of disorder"]
    for code, parents in sorted(subtypes["aggregation_code"].dropna().items()):
        parent = int(str(parents).split("|")[0].split(".")[0])
        if parent in weight:
            rows.append(describe(code, "subtype", parent, fsmr[parent], 1.0))
    for code in sorted(active.index[active["classification_level"] == "Group of disorders"]):
        under = [c for c in descendants(children, code) if weight.get(c, 0) > 0]
        if 2 <= len(under) <= 160:
            by = defaultdict(float)
            for c in sorted(under):
                by[fsmr[c]] += weight[c]
            rows.append(describe(code, "group", 0, max(sorted(by), key=by.get), round(sum(by.values()) ** 0.5, 3)))
    common = sorted(entities.index[entities["status"].str.contains("Non rare")])
    names = sorted(SHARES)
    for code in common:
        rows.append(
            describe(code, "not_rare", 0, "FIRENDO" if code in {95698, 484} else names[int(noise(code) * 23)], 1.0)
        )
    table = pd.DataFrame(rows)
    history = pd.read_csv(reference / "orphanet_natural_history.csv.gz").set_index("orpha_code")
    letters = history["age_of_onset"].fillna("").map(lambda t: "".join(ONSET.get(x, "") for x in sorted(t.split("|"))))
    modes = (
        history["inheritance"]
        .fillna("")
        .map(lambda t: next((INHERITANCE[x] for x in t.split("|") if x in INHERITANCE), ""))
    )
    key = table["disorder_code"].where(table["disorder_code"] > 0, table["orpha_code"])
    table["onset"] = key.map(letters.to_dict()).fillna("")
    table["inheritance"] = key.map(modes.to_dict()).fillna("")
    table["male_share"] = [
        MALE_SHARE.get(k, 0.88 if m == "XLR" else 0.35 if m == "XLD" else 0.5)
        for k, m in zip(key, table["inheritance"], strict=True)
    ]
    genes = pd.read_csv(reference / "orphanet_genes.csv.gz").dropna(subset=["hgnc_id"])
    genes = genes[genes["association"].str.startswith("Disease-causing germline")]
    listed = genes.groupby("orpha_code")["hgnc_id"].apply(lambda s: "|".join(str(int(g)) for g in sorted(set(s))[:6]))
    table["hgnc"] = key.map(listed.to_dict()).fillna("")
    write_table(table.sort_values(["level", "orpha_code"]), "diseases.csv.gz")


def place(codes: list[int], score: dict[int, float], curve: np.ndarray) -> dict[int, float]:
    """Give each disease an expected count: anchors near theirs, the others in order of their score."""
    free = np.ones(len(curve), dtype=bool)
    weight = {}
    for code, wanted in sorted(ANCHORS.items(), key=lambda item: -item[1]):
        slots = np.flatnonzero(free)
        slot = slots[np.argmin(np.abs(np.log(curve[slots] / wanted)))]
        free[slot] = False
        weight[code] = round(float(curve[slot]), 4)
    rest = sorted((c for c in codes if c not in weight), key=lambda c: (-score[c], c))
    for code, slot in zip(rest, np.flatnonzero(free), strict=False):
        weight[code] = round(float(curve[slot]), 4)
    return weight


def describe(code: int, level: str, disorder: int, fsmr: str, weight: float) -> dict[str, object]:
    """One row of the catalogue."""
    return {
        "orpha_code": int(code),
        "level": level,
        "disorder_code": int(disorder),
        "fsmr": fsmr,
        "weight": weight,
    }


if __name__ == "__main__":
    derive_ages(folder("EPI_OPEN_DATA"))
    derive_births(folder("EPI_OPEN_DATA"))
    derive_diseases(folder("EPI_REFERENCE_DATA"))
