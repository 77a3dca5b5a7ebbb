"""Enrichment at residence (F3): this package against plain pandas merges, wall time and peak memory.

One million patients are given twenty variables of their commune. The peer is what an analyst would write: one
``merge`` for each variable's file, on the commune code (``merges``), and, to be fair to it, a single ``merge``
on a table of all the variables (``one merge``). The peer follows no older code, checks nothing, and says neither
who has no value nor why. Each is run in a process of its own, whose peak memory is taken; seconds are the least of
three runs in it. One row in, one row out and the values themselves are compared.

    python benchmarks/enrichment.py --patients 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

VARIABLES = 20


def make(patients: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, dict[str, str]]]:
    """Draw patients by population, and variables; one commune in twenty has no value."""
    from epi.geography import read_communes

    communes = read_communes()
    rng = np.random.Generator(np.random.PCG64(seed))
    share = (communes["population"] / communes["population"].sum()).to_numpy()
    home = rng.choice(len(communes), patients, p=share)
    codes = communes["insee_code"].to_numpy(dtype=object)[home]
    codes[rng.random(patients) < 0.01] = None
    members = pd.DataFrame(
        {
            "patient_id": pd.array(np.char.add("p", np.arange(patients).astype(str)), dtype="string"),
            "insee_code": pd.array(codes, dtype="string"),
            "sex": pd.array(rng.choice(["M", "F"], patients), dtype="string"),
            "age_at_index": rng.random(patients) * 90,
        }
    )
    values = rng.random((len(communes), VARIABLES))
    values[rng.random(values.shape) < 0.05] = np.nan
    names = [f"variable_{number:02d}" for number in range(VARIABLES)]
    reference = pd.DataFrame(values, columns=names)
    reference.insert(0, "insee_code", communes["insee_code"])
    words = dict.fromkeys(("label_en", "label_fr", "unit", "source", "producer", "vintage", "licence"), "made up")
    return members, reference, {name: {**words, "support": "commune", "origin": "synthetic"} for name in names}


def by_epi(members: pd.DataFrame, reference: pd.DataFrame, about: dict[str, dict[str, str]]) -> pd.DataFrame:
    from epi.exposure import enrich

    return enrich(members, list(about), reference=reference, about=about).table


def by_merges(members: pd.DataFrame, reference: pd.DataFrame, about: dict[str, dict[str, str]]) -> pd.DataFrame:
    table = members
    for name in about:
        table = table.merge(reference[["insee_code", name]], on="insee_code", how="left")
    return table


def by_one_merge(members: pd.DataFrame, reference: pd.DataFrame, about: dict[str, dict[str, str]]) -> pd.DataFrame:
    return members.merge(reference, on="insee_code", how="left")


WAYS = {"epi": by_epi, "merges": by_merges, "one merge": by_one_merge}


def run(way: str, patients: int, seed: int) -> None:
    members, reference, about = make(patients, seed)
    import epi.exposure  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    first = time.perf_counter()
    table = WAYS[way](members, reference, about)
    first = time.perf_counter() - first
    assert len(table) == patients
    assert (table["patient_id"] == members["patient_id"]).all()
    sums = [round(float(np.nansum(table[name])), 3) for name in about] + [int(table[list(about)].isna().sum().sum())]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        WAYS[way](members, reference, about)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": round(min(seconds), 3), "first": round(first, 3), "input_mb": round(before)}
    print(json.dumps({**told, "peak_mb": round(peak), "sums": sums}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", choices=list(WAYS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments.run, arguments.patients, arguments.seed)
        return
    results = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--run", way, "--patients", str(arguments.patients)]
        done = subprocess.run([*command, "--seed", str(arguments.seed)], check=True, stdout=subprocess.PIPE, text=True)
        results[way] = json.loads(done.stdout.splitlines()[-1])
    agree = all(result.pop("sums") == sums for sums in [results["epi"]["sums"]] for result in results.values())
    assert agree, "the ways do not give the same values"
    print(f"{arguments.patients:,} patients, {VARIABLES} variables; values agree")
    print(f"{'way':<12}{'seconds':>10}{'ratio':>8}{'first':>8}{'peak MB':>10}")
    ours = results["epi"]["seconds"]
    for way, result in results.items():
        ratio = f"{ours / result['seconds']:.2f}"
        print(f"{way:<12}{result['seconds']:>10}{ratio:>8}{result['first']:>8}{result['peak_mb']:>10}")
    print(json.dumps({"patients": arguments.patients, **results}))


if __name__ == "__main__":
    main()
