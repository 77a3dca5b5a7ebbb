"""The long proofs: run each, print it, and write ``docs/validation.md`` with its figures."""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from scipy.stats import t as student

from epi.files import write_text

ROOT = Path(__file__).parents[1]
PACKAGES = ("duckdb", "ibis-framework", "numpy", "pandas", "scipy", "statsmodels")
Row = tuple[str, str, bool]


def coverage_of_exact_intervals(replicates: int) -> Iterator[Row]:
    """Cover a planted ratio by exact Poisson intervals, at expected numbers fixed beforehand."""
    from epi.stats.intervals import ratio_interval

    generator = np.random.Generator(np.random.PCG64(20_260))
    for expected, ratio in ((2.0, 1.0), (5.0, 1.5), (20.0, 0.7), (54.07, 1.85)):
        observed = generator.poisson(expected * ratio, replicates)
        limits = [ratio_interval(int(count), expected) for count in observed]
        covered = sum(found.low <= ratio <= found.high for found in limits)
        # Exact limits are conservative: they may cover more than 95 %, never less.
        p = binomtest(covered, replicates, 0.95, alternative="less").pvalue
        yield (
            f"SIR, {expected:g} expected, ratio {ratio:g}",
            f"{covered} of {replicates} intervals cover ({covered / replicates:.1%})",
            p > 0.001,
        )


def coverage_of_case_control(replicates: int, world: Path) -> Iterator[Row]:
    """Redraw case status on the world's own patients; odds ratios planted on two exposures, none on one."""
    from epi.geography import area_of
    from epi.stats.models import fit_glm

    sys.path.insert(0, str(ROOT / "studies" / "sla_environment"))
    from design import select_cases, select_controls

    from epi.facade import open_workspace

    planted = {"nearest_industrial_km": -0.18, "water_nitrate_mg_l": 0.16, "pm25_ugm3": 0.0}
    workspace = open_workspace(world)
    period = {"start": "2012-01-01", "end": "2023-12-31"}
    groups = [select(workspace, **period).enrich(list(planted)).table for select in (select_cases, select_controls)]
    people = pd.concat(groups).sort_values("patient_id").dropna(subset=list(planted)).reset_index(drop=True)
    design = people[list(planted)].apply(lambda column: (column - column.mean()) / column.std())
    design["age"] = (people["age_at_index"] - 60) / 10
    area = area_of(people["insee_code"], "bassin_de_vie").astype("string").fillna("none")
    places = pd.Categorical(area)
    predictor = design[list(planted)].to_numpy() @ np.array(list(planted.values())) + 0.3 * design["age"] - 1.1
    generator = np.random.Generator(np.random.PCG64(803))
    covered = dict.fromkeys(planted, 0)
    degrees: dict[str, float] = {}
    for _ in range(replicates):
        noise = generator.normal(0, 0.08, len(places.categories))[places.codes]
        outcome = generator.random(len(design)) < 1 / (1 + np.exp(-(predictor + noise)))
        fit = fit_glm(design, outcome.astype(float), family="binomial", clusters=area)
        for name, truth in planted.items():
            estimate, error = fit.term(name)
            degrees[name] = fit.degrees_of(name)
            covered[name] += abs(estimate - truth) <= student.isf(0.025, fit.degrees_of(name)) * error
    for name, truth in planted.items():
        p = binomtest(covered[name], replicates, 0.95).pvalue
        share = covered[name] / replicates
        yield (
            f"odds ratio {math.exp(truth):.2f} per SD of {name}, {len(design):,} patients",
            f"{covered[name]} of {replicates} intervals cover ({share:.1%}), p = {p:.3f}; "
            f"{degrees[name]:.0f} degrees of freedom",
            p > 0.001,
        )


def faults_found(seeds: range, folder: Path) -> Iterator[Row]:
    """Find each injected fault at its line with its rule, and reject nothing else."""
    from epi.codes import open_nomenclature
    from epi.sources.bndmr import read_registry
    from epi.world import build_world

    for seed in seeds:
        world = build_world(folder / f"world{seed}", persons=400_000, seed=seed, faults=0.01)
        out = folder / f"tidy{seed}"
        report = read_registry(world.path / "raw", out, nomenclature=open_nomenclature().table())
        told = pd.read_parquet(world.path / "truth" / "faults.parquet")
        told = told[~told["rule"].isin(["V06-inactive", "V06-group"])]
        found = 0
        for table, part in told.groupby("table"):
            rejected = pd.read_parquet(out / "rejected" / f"{table}.parquet").set_index("line")["reason"]
            reasons = rejected.reindex(part["line"] + 1).fillna("").tolist()
            found += sum(rule in reason.split("|") for rule, reason in zip(part["rule"], reasons, strict=True))
        flow = report.flow
        kept = (flow["rows_in"] == flow["rows_tidy"] + flow["rows_rejected"]).all()
        yield (
            f"faults injected in seed {seed}, {len(told)} of {told['rule'].nunique()} kinds",
            f"{found} found at their line with their rule; rows in = kept + rejected: {bool(kept)}",
            found == len(told) and bool(kept),
        )


def same_seed_same_bytes(folder: Path) -> Iterator[Row]:
    """Build one world twice, with one and with two threads."""
    digests = []
    for threads in ("1", "2"):
        out = folder / f"bytes{threads}"
        code = f"from epi.world import build_world; build_world({str(out)!r}, persons=1_000_000, seed=5)"
        limits = dict.fromkeys(("EPI_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | limits)
        state = hashlib.sha256()
        for file in sorted(path for path in out.rglob("*") if path.is_file()):
            state.update(str(file.relative_to(out)).encode() + file.read_bytes())
        digests.append(state.hexdigest())
    yield (
        "same seed, 1 and 2 threads, 1 M persons",
        f"digests {digests[0][:12]} and {digests[1][:12]}",
        (digests[0] == digests[1]),
    )


def killed_builds(times: int, folder: Path) -> Iterator[Row]:
    """Kill a workspace build at instants spread over its length; what is left must be nothing or whole."""
    from epi.workspace import build_workspace, fingerprint_of
    from epi.world import build_world

    world = build_world(folder / "killed_world", persons=400_000, seed=2).path
    started = time.monotonic()
    build_workspace(world, folder / "clean")
    length = time.monotonic() - started + 2
    clean = fingerprint_of(folder / "clean")
    halves = wrong = 0
    for step in range(times):
        out = folder / f"killed{step}"
        code = f"from epi.workspace import build_workspace; build_workspace({str(world)!r}, {str(out)!r})"
        child = subprocess.Popen([sys.executable, "-c", code])
        try:
            child.wait(timeout=length * (step + 0.5) / times)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        halves += out.exists() and not (out / "workspace.json").is_file()
        build_workspace(world, out)
        wrong += fingerprint_of(out) != clean
    yield (
        f"workspace build killed at {times} instants",
        f"{halves} half-written, {wrong} unlike a clean one",
        (not halves and not wrong),
    )


def attacks(effort: int) -> Iterator[Row]:
    """Attack suppressed tables by integer programming and brute force."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "tests/disclosure/test_recovery_attack.py"],
        cwd=ROOT, env=os.environ | {"EPI_EFFORT": str(effort)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    yield (
        f"recovery attacks on random tables, {effort} times those of the tests",
        done.stdout.strip().splitlines()[-1],
        done.returncode == 0,
    )


def planted_rates(world: Path, workspace: Path) -> Iterator[Row]:
    """Hold the study's joint model against the truth of the demo-sized world."""
    sys.path.insert(0, str(ROOT / "studies" / "sla_environment"))
    from design import select_cases, select_controls

    from epi.association import screen_exposures
    from epi.facade import open_workspace

    planted = json.loads((world / "truth" / "planted.json").read_text())["variables"]
    names = ["nearest_industrial_km", "n_polluted_sites", "pm25_ugm3", "no2_ugm3", "water_nitrate_mg_l",
             "tree_cover_pct", "fdep_like"]  # fmt: skip
    ws = open_workspace(workspace)
    period = {"start": "2012-01-01", "end": "2023-12-31"}
    wanted = [*names, "centre_distance_km", "density_km2"]
    cases, controls = (select(ws, **period).enrich(wanted) for select in (select_cases, select_controls))
    adjust = ["age", "sex", "centre_distance_km", "log(density_km2)"]
    screen = screen_exposures(cases, controls, exposures=names, adjust=adjust)
    for name in names:
        row = screen.of(name, "joint")
        error = math.log(row["ci_high"] / row["ci_low"]) / (2 * student.isf(0.025, row["df"]))
        truth = planted[name]["log_rr_per_unit"] * row["unit_size"]
        away = (math.log(row["estimate"]) - truth) / error
        yield (
            f"{name}, planted {math.exp(truth):.2f} per IQR",
            f"{row['estimate']:.2f} ({row['ci_low']:.2f}-{row['ci_high']:.2f}), {away:+.1f} standard errors away",
            abs(away) < 4,
        )


def main() -> int:
    """Run the proofs and write the page; return 1 when one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--persons", type=int, default=10_000_000)
    asked = parser.parse_args()
    from epi.workspace import build_workspace
    from epi.world import build_world

    sections: list[tuple[str, list[Row]]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        world = build_world(folder / "world", persons=asked.persons, seed=1).path
        build_workspace(world, folder / "workspace")
        proofs: list[tuple[str, Callable[[], Iterator[Row]]]] = [
            ("Planted relative rates, demo world", lambda: planted_rates(world, folder / "workspace")),
            ("Coverage of exact intervals", lambda: coverage_of_exact_intervals(10 * asked.replicates)),
            (
                "Coverage of the case-control design",
                lambda: coverage_of_case_control(asked.replicates, folder / "workspace"),
            ),
            ("Faults of the registry", lambda: faults_found(range(1, 6), folder)),
            ("Determinism", lambda: same_seed_same_bytes(folder)),
            ("Killed builds", lambda: killed_builds(10, folder)),
            ("Disclosure", lambda: attacks(10)),
        ]
        for title, proof in proofs:
            print(title, flush=True)
            rows = []
            for row in proof():
                print("  ", "ok " if row[2] else "BAD", row[0], "|", row[1], flush=True)
                rows.append(row)
            sections.append((title, rows))
    write_text(ROOT / "docs" / "validation.md", page(sections, asked.persons))
    return 0 if all(row[2] for _, rows in sections for row in rows) else 1


def page(sections: list[tuple[str, list[Row]]], persons: int) -> str:
    """Write the results as a page."""
    used = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Validation",
        "",
        f"Written by `make validate` on {dt.date.today()}, Python {platform.python_version()}, {used}; "
        f"synthetic France of {persons:,} persons asked, seed 1. Criteria are fixed beforehand: coverage is held "
        "against 95 % by an exact binomial test (p > 0.001; one-sided for exact intervals, which may cover more), a "
        "planted rate is within 4 standard errors of its estimate. CI runs a short form of each.",
    ]
    for title, rows in sections:
        lines += ["", f"## {title}", "", "| what | found | holds |", "| --- | --- | --- |"]
        lines += [f"| {what} | {found} | {'yes' if holds else '**no**'} |" for what, found, holds in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
