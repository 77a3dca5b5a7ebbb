"""Import epi, and show its help, against importing pandas, lifelines and statsmodels, in the same run.

Usage: python benchmarks/import_time.py [--repeats 7] [--out FILE.json]

Each import has a process of its own; the start of an empty interpreter is subtracted. Sides alternate; medians
are given, with the peak memory of the whole process.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

MEASURE = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
SIDES = {
    "nothing": "pass",
    "epi": "import epi",
    "epi.cli": "import epi.cli",
    "pandas": "import pandas",
    "lifelines": "import lifelines",
    "statsmodels": "import statsmodels.api",
}
GOAL = 0.3


def main() -> None:
    """Measure each import and print the medians; fail when ``import epi`` loads pandas."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", default="")
    asked = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    megabytes: dict[str, float] = {}
    for _ in range(asked.repeats):
        for name, statement in SIDES.items():
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", f"{statement}\n{MEASURE}"], check=True, capture_output=True, text=True
            )
            seconds[name].append(time.perf_counter() - started)
            megabytes[name] = int(done.stdout) / 1024
    empty = statistics.median(seconds["nothing"])
    medians = {name: round(statistics.median(values) - empty, 3) for name, values in seconds.items()}
    probe = "import epi, sys; assert 'pandas' not in sys.modules and 'duckdb' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True)
    print("G1: seconds over an empty interpreter (medians), peak MB")
    for name, value in medians.items():
        print(f"  {name}: {value} s, {megabytes[name]:.0f} MB")
    print(f"  goal for epi: {GOAL} s; {'met' if medians['epi'] <= GOAL else 'missed'}")
    if asked.out:
        result = {"row": "G1", "python": platform.python_version(), "seconds": medians, "peak_mb": megabytes}
        Path(asked.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
