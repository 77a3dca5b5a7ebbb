"""Codes harmonised, nearest sites and counts within radii, against pandas, scipy and geopandas.

Usage: python benchmarks/geography.py [--codes 10000000] [--points 35000] [--sites 50000] [--repeats 5]

Seeded: codes are drawn from all those valid on 1 January 2010; points and sites are scattered by 2 km around the
centroids of metropolitan communes drawn with replacement. Each task runs in a process of its own, so that peak
memory is its own; peers take turns within a process, and the median is shown.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

RADII_M = [1_000, 2_000, 5_000, 10_000]


def measure(tasks: dict[str, Callable[[], object]], repeats: int) -> None:
    """Time tasks in turn and print the median of each, the first call of each apart."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats + 1):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    own = float(np.median(next(iter(times.values()))[1:]))
    for name, found in times.items():
        median = float(np.median(found[1:]))
        print(f"{name:34} {median:8.3f} s  first {found[0]:7.3f} s  epi is {own / median:5.2f} x")
    print(f"{'peak of the process':34} {peak:8.0f} MB")


def harmonise_codes(rows: int, repeats: int) -> None:
    """Bring codes of 2010 to today, and merge them with a ready table of old and new codes."""
    from epi import geography
    from epi.geography.lineage import communes_since_1943
    from epi.geography.vintages import read_vintage

    pool = communes_since_1943().valid_at(read_vintage(2010)).to_numpy(dtype=object)
    random = np.random.Generator(np.random.PCG64(1))
    codes = pd.Series(pool[random.integers(0, len(pool), rows)])
    history = geography.harmonise(pool, 2010).table[["code", "insee_code", "status", "reason"]]
    frame = codes.to_frame("code")
    measure(
        {
            f"harmonise {rows:,} codes": lambda: geography.harmonise(codes, 2010),
            "pandas merge through a table": lambda: frame.merge(history, on="code", how="left", validate="m:1"),
        },
        repeats,
    )


def scatter(number: int, seed: int) -> pd.DataFrame:
    """Scatter places around the centroids of communes."""
    from epi import geography

    random = np.random.Generator(np.random.PCG64(seed))
    communes = geography.read_communes().query("epsg == 2154")
    chosen = communes.iloc[random.integers(0, len(communes), number)]
    x, y = (chosen[axis].to_numpy() + random.normal(0, 2_000, number) for axis in ("x_m", "y_m"))
    return geography.to_degrees(x, y, 2154).assign(x_m=x, y_m=y)


def find_sites(points: int, sites: int, repeats: int, what: str) -> None:
    """Find the nearest site of each point, or count sites within radii."""
    import geopandas
    from scipy.spatial import cKDTree

    from epi import geography

    here, there = scatter(points, 1), scatter(sites, 2)
    one, two = here[["x_m", "y_m"]].to_numpy(), there[["x_m", "y_m"]].to_numpy()
    frames = [
        geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(table["x_m"], table["y_m"]), crs=2154)
        for table in (here, there)
    ]
    if what == "nearest":
        measure(
            {
                f"nearest of {sites:,} from {points:,}": lambda: geography.nearest(here, there),
                "scipy cKDTree (plane)": lambda: cKDTree(two).query(one),
                "scipy cKDTree (plane), all cores": lambda: cKDTree(two).query(one, workers=-1),
                "geopandas sjoin_nearest (plane)": lambda: frames[0].sjoin_nearest(frames[1], distance_col="m"),
            },
            repeats,
        )
        return

    def count_in_plane() -> list[object]:
        tree = cKDTree(two)
        return [tree.query_ball_point(one, radius, return_length=True) for radius in RADII_M]

    def count_in_plane_by_all_cores() -> list[object]:
        tree = cKDTree(two)
        return [tree.query_ball_point(one, radius, return_length=True, workers=-1) for radius in RADII_M]

    def count_with_geopandas() -> list[object]:
        index = frames[1].sindex
        return [
            np.bincount(index.query(frames[0].geometry, predicate="dwithin", distance=radius)[0], minlength=points)
            for radius in RADII_M
        ]

    measure(
        {
            "sites within 1, 2, 5, 10 km": partial(geography.count_within, here, there, RADII_M),
            "scipy cKDTree (plane)": count_in_plane,
            "scipy cKDTree (plane), all cores": count_in_plane_by_all_cores,
            "geopandas dwithin (plane)": count_with_geopandas,
        },
        repeats,
    )


def main() -> None:
    """Run every task in a process of its own, or the one asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codes", type=int, default=10_000_000)
    parser.add_argument("--points", type=int, default=35_000)
    parser.add_argument("--sites", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--task", choices=("harmonise", "nearest", "within"))
    asked = parser.parse_args()
    if asked.task == "harmonise":
        harmonise_codes(asked.codes, asked.repeats)
    elif asked.task:
        find_sites(asked.points, asked.sites, asked.repeats, asked.task)
    else:
        for task in ("harmonise", "nearest", "within"):
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--task", task], check=True)


if __name__ == "__main__":
    main()
