"""From nothing to the reviewers' site, by the commands a user would type."""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path


def run(*words: str) -> None:
    """Print a command, run it, stop at the first failure with its exit code."""
    print(f"\n$ epi {shlex.join(words)}", flush=True)
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "epi.cli", *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    print(f"  ({time.monotonic() - started:.0f} s)", flush=True)


def main() -> None:
    """Build the world and the workspace, run the studies, build the site."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="build")
    parser.add_argument("--persons", default="10000000")
    parser.add_argument("--seed", default="1")
    asked = parser.parse_args()
    started = time.monotonic()
    out = Path(asked.out)
    world, workspace, runs, site = (str(out / name) for name in ("world", "workspace", "runs", "site"))
    run("world", "build", "--persons", asked.persons, "--seed", asked.seed, "--out", world)
    run("workspace", "build", world, "--out", workspace)
    for study in ("sla_environment", "neonatal_survival"):
        run("run", study, "--workspace", workspace, "--runs", runs)
    if os.environ.get("EPI_OPEN_DATA"):
        run("run", "t1d_arrondissements", "--runs", runs)
    else:
        print("\nOpen French data are not here (EPI_OPEN_DATA): the study of real diabetes counts is left out.")
    run("site", "build", "--runs", runs, "--out", site)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
    print(f"\nDone in {time.monotonic() - started:.0f} s; largest process {peak / 1024:.0f} MB.")
    print(f"Read the site: {(Path(site) / 'index.html').resolve().as_uri()}")
    print(f"or serve it on this machine: {shlex.join(['epi', 'site', 'serve', '--site', site])}")


if __name__ == "__main__":
    main()
