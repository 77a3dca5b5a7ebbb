"""Build a world of one million persons, against the same registry work in plain pandas.

Usage: python benchmarks/build_world.py [--persons 1000000] [--peer-patients 2000] [--out FILE.json]

Each side runs in a process of its own, whose peak memory is that of the whole process. The peer draws a
disease, a residence, sites by gravity, activities, objectives, a diagnosis and an opposition for each patient,
one patient at a time with pandas frames for sites, then writes five CSV files. It is run on fewer patients and its time
scaled to the number of patients of the world (its cost is linear in patients; start-up is not scaled). It
leaves out what the world also does: population, exposures, ten of the tables, faults and truth.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run_world(persons: int, folder: str) -> dict[str, float]:
    started = time.perf_counter()
    from epi.world import build_world

    world = build_world(Path(folder) / "world", persons=persons, seed=1, open_data=False)
    size = sum(path.stat().st_size for path in world.path.rglob("*") if path.is_file())
    return {
        "seconds": time.perf_counter() - started,
        "build_seconds": world.seconds,
        "persons": world.about["persons"],
        "patients": world.rows["patient"],
        "activities": world.rows["activity"],
        "megabytes_written": size / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def run_peer(patients: int, persons: int, folder: str) -> dict[str, float]:
    import numpy as np
    import pandas as pd

    from epi.world import choose_territory
    from epi.world.catalogue import load_catalogue
    from epi.world.centres import build_centres
    from epi.world.territory import earth_points

    communes = choose_territory(persons).communes
    communes[["x", "y", "z"]] = earth_points(communes["lon"].to_numpy(), communes["lat"].to_numpy())
    communes["p"] = communes["population"] / communes["population"].sum()
    sites = build_centres(1).sites
    table = load_catalogue().table
    diseases = table[(table["level"] == "disorder") & (table["weight"] > 0)].copy()
    diseases["p"] = diseases["weight"] / diseases["weight"].sum()
    draw = np.random.default_rng(1)
    end = pd.Timestamp("2025-06-30")
    started = time.perf_counter()
    people = pd.DataFrame(
        {
            "patient_id": [f"{draw.integers(0, 2**63):016x}" for _ in range(patients)],
            "row": draw.choice(len(diseases), patients, p=diseases["p"]),
            "home": draw.choice(len(communes), patients, p=communes["p"]),
        }
    )

    def follow(one: pd.Series) -> pd.Series:
        disease, home = diseases.iloc[one["row"]], communes.iloc[one["home"]]
        near = sites[sites["fsmr"] == disease["fsmr"]]
        gap = np.sqrt(((near[["x", "y", "z"]] - home[["x", "y", "z"]].astype(float)) ** 2).sum(axis=1))
        pull = near["draw"] / (gap + 25) ** 2.6
        site = near["site_code"].to_numpy()[draw.choice(len(near), p=(pull / pull.sum()).to_numpy())]
        start = pd.Timestamp("2007-01-01") + pd.Timedelta(days=int(draw.integers(0, 6_700)))
        born = start - pd.Timedelta(days=int(draw.integers(0, 30_000)))
        sex = "M" if draw.random() < disease["male_share"] else "F"
        return pd.Series([disease["orpha_code"], home["insee_code"], site, start, born, sex])

    people[["orpha_code", "residence_commune", "site_code", "start", "birth", "sex"]] = people.apply(follow, axis=1)
    activities, objectives = [], []
    for patient, part in people.groupby("patient_id"):
        day = part["start"].iloc[0]
        for number in range(1 + (draw.geometric(0.28) if draw.random() < 0.45 else 0)):
            if day > end:
                break
            key = f"{patient}-{number}"
            activities.append(
                {"activity_id": key, "patient_id": patient, "activity_date": day.date(), "context": "11429006"}
            )
            objectives += [{"activity_id": key, "objective": "ORG-047"}] * (1 + (draw.random() < 0.25))
            day += pd.Timedelta(days=20 + int(draw.exponential(300)))
    opposed = people["site_code"].map(sites.set_index("site_code")["fsmr"].eq("MCGRE").map({True: 0.225, False: 0.058}))
    opposition = people[["patient_id"]].assign(bndmr_opposed=opposed.map(lambda rate: draw.random() < rate))
    target = Path(folder)
    people.drop(columns=["row", "home"]).to_csv(target / "patient.csv", sep=";", index=False)
    opposition.to_csv(target / "opposition.csv", sep=";", index=False)
    pd.DataFrame(activities).to_csv(target / "activity.csv", sep=";", index=False)
    pd.DataFrame(objectives).to_csv(target / "activity_objective.csv", sep=";", index=False)
    people[["patient_id", "orpha_code"]].to_csv(target / "diagnosis.csv", sep=";", index=False)
    return {
        "seconds": time.perf_counter() - started,
        "patients": patients,
        "activities": len(activities),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(side: str, repeats: int, *arguments: str) -> dict[str, float]:
    runs = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, __file__, "--side", side, "--folder", folder, *arguments],
                check=True, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"},
            )  # fmt: skip
            runs.append(json.loads(done.stdout))
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--peer-patients", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side", choices=("world", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side == "world":
        print(json.dumps(run_world(asked.persons, asked.folder)))
        return
    if asked.side == "peer":
        print(json.dumps(run_peer(asked.peer_patients, asked.persons, asked.folder)))
        return
    size = ("--persons", str(asked.persons), "--peer-patients", str(asked.peer_patients))
    world, peer = measure("world", asked.repeats, *size), measure("peer", asked.repeats, *size)
    scaled = peer["seconds"] * world["patients"] / peer["patients"]
    result = {
        "task": "G3: world with registry, no claims",
        "machine": {"python": platform.python_version(), "cores": os.cpu_count(), "repeats": asked.repeats},
        "world": world,
        "peer": peer | {"what": "per-patient pandas, registry part only", "seconds_scaled_to_world": scaled},
        "ratio_world_over_peer": world["seconds"] / scaled,
        "goal_seconds": 30,
        "met": world["seconds"] <= 30,
    }
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{'':<34}{'patients':>10}{'seconds':>10}{'peak MB':>10}")
    for label, side in (("epi.world, whole (with imports)", world), ("plain pandas, measured", peer)):
        print(f"{label:<34}{side['patients']:>10,.0f}{side['seconds']:>10.2f}{side['peak_mb']:>10.0f}")
    print(f"{'plain pandas, scaled':<34}{world['patients']:>10,.0f}{scaled:>10.2f}{'':>10}")
    print(f"ratio {result['ratio_world_over_peer']:.3f}; goal 30 s: {'met' if result['met'] else 'missed'}")


if __name__ == "__main__":
    main()
