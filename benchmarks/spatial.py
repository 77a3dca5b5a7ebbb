"""Moran's I, global and local, and the circular scan (F2): time and peak memory, against esda.

Each way runs in a process of its own, on the same map of six neighbours an area and the same values: a first call, then
the least of three warm ones. esda compiles its local permutations on the first call of a process that has no cache.
It is no dependency: its interpreter is given with ``--peer`` (``pip install esda numba`` in another environment), else
only this package is timed. No peer of the scan is known that runs offline and is free; its goal is its own time.

    python benchmarks/spatial.py --areas 35000 --peer /path/to/python
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

PERMUTATIONS = 999
Way = Callable[[], list[float]]


def make(areas: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give values with a wave of space in them, and the pairs of neighbours of a square map."""
    side = round(np.sqrt(areas))
    place = np.arange(side * side).reshape(side, side)
    first = np.concatenate([p.ravel() for p in (place[:, :-1], place[:-1], place[:-1, :-1])])
    second = np.concatenate([p.ravel() for p in (place[:, 1:], place[1:], place[1:, 1:])])
    noise = np.random.Generator(np.random.PCG64(1)).normal(size=side * side)
    wave = np.sin(place.ravel() % side / side * 9) * np.cos(place.ravel() // side / side * 7)
    return 0.3 * wave + noise, first, second


def epi_global(areas: int) -> Way:
    from epi.stats.spatial import moran_test, weights_from_pairs

    values, first, second = make(areas)
    weights = weights_from_pairs(range(len(values)), first, second)

    def call() -> list[float]:
        found = moran_test(values, weights, permutations=PERMUTATIONS)
        return [found.value, float(found.p_permutation)]

    return call


def epi_local(areas: int) -> Way:
    from epi.stats.spatial import local_moran_test, weights_from_pairs

    values, first, second = make(areas)
    weights = weights_from_pairs(range(len(values)), first, second)

    def call() -> list[float]:
        found = local_moran_test(values, weights, permutations=PERMUTATIONS)
        return [float(np.sum(found.value)), float(np.mean(found.p_permutation <= 0.05))]

    return call


def epi_scan(areas: int) -> Way:
    from epi.geography import area_points
    from epi.stats.spatial import scan_poisson

    points = area_points("bassin_de_vie")
    points = points[points["epsg"] == 2154].head(areas)
    expected = points["persons"].to_numpy(float)
    cases = np.random.Generator(np.random.PCG64(1)).poisson(expected / expected.sum() * 5_000)

    def call() -> list[float]:
        found = scan_poisson(points["area"], cases, expected, points["x_m"], points["y_m"], replicates=PERMUTATIONS)
        return [found.clusters[0].log_likelihood_ratio, found.clusters[0].p]

    return call


def _pysal(areas: int) -> tuple[np.ndarray, object]:
    import libpysal
    from scipy import sparse

    values, first, second = make(areas)
    pairs = sparse.coo_array((np.ones(len(first)), (first, second)), shape=(len(values), len(values)))
    weights = libpysal.weights.WSP(sparse.csr_matrix(pairs + pairs.T)).to_W(silence_warnings=True)
    weights.transform = "r"
    return values, weights


def esda_global(areas: int) -> Way:
    import esda

    values, weights = _pysal(areas)

    def call() -> list[float]:
        found = esda.Moran(values, weights, permutations=PERMUTATIONS)
        return [float(found.I), float(found.p_sim)]

    return call


def esda_local(areas: int) -> Way:
    import esda

    values, weights = _pysal(areas)

    def call() -> list[float]:
        found = esda.Moran_Local(values, weights, permutations=PERMUTATIONS, seed=1, n_jobs=1, keep_simulations=False)
        return [float(np.sum(found.Is)), float(np.mean(2 * found.p_sim <= 0.05))]

    return call


WAYS = {"epi global": epi_global, "epi local": epi_local, "epi scan": epi_scan, "esda global": esda_global,
        "esda local": esda_local}  # fmt: skip


def run(way: str, areas: int) -> None:
    """Time one way in this process."""
    call = WAYS[way](areas)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        figures = call()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"first": seconds[0], "warm": min(seconds[1:]), "peak_mb": round(peak), "figures": figures}))


def main() -> None:
    """Run every way in a process of its own and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--areas", type=int, default=35_000)
    parser.add_argument("--scanned", type=int, default=1_700)
    parser.add_argument("--peer", help="an interpreter that has esda")
    parser.add_argument("--run", choices=list(WAYS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        run(asked.run, asked.areas)
        return
    results = {}
    for way in WAYS:
        if way.startswith("esda") and not asked.peer:
            print(f"{way}: not measured, no --peer")
            continue
        python = asked.peer if way.startswith("esda") else sys.executable
        areas = asked.scanned if way == "epi scan" else asked.areas
        command = [python, __file__, "--run", way, "--areas", str(areas)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        results[way] = told = json.loads(done.stdout.splitlines()[-1])
        print(f"{way:<12} first {told['first']:6.2f} s, warm {told['warm']:6.2f} s, peak {told['peak_mb']:,} MB")
    for kind in ("global", "local"):
        if f"esda {kind}" not in results:
            continue
        ours, peer = results[f"epi {kind}"], results[f"esda {kind}"]
        assert np.isclose(ours["figures"][0], peer["figures"][0], rtol=1e-3), "the statistics differ"
        print(f"{kind}: ratio warm {ours['warm'] / peer['warm']:.2f}, first {ours['first'] / peer['first']:.2f}")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
