"""A batch of 100 light runs on two processes, against papermill's own command handed to two processes.

Usage: python benchmarks/batch.py [--jobs 100] [--out FILE.json]

Both sides execute the same notebook with the same 100 values. Waste is the share of the two processes' time that no
run accounts for. The peer is one ``papermill`` process for each job, two at a time. A study of ten notebooks
that is done is then asked for again, with its process and in a process that lasts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from run_overhead import PROTOCOL, write_study

from epi.runner.batch import read_batch, run_batch
from epi.runner.run import run_study
from epi.runner.study import open_study


def time_batch(study: Path, work: Path, jobs: int) -> dict[str, float]:
    """Run the batch by epi, on two processes."""
    path = work / "sizes.yml"
    path.write_text(f"study: {study}\ngrid: {{size: {list(range(1, jobs + 1))}}}\n", encoding="utf-8")
    started = time.perf_counter()
    ended = run_batch(read_batch(path), runs_dir=work / "runs", jobs=2)
    wall = time.perf_counter() - started
    assert all(found.status == "done" and found.executed == 1 for found in ended.values())
    return {"seconds": wall, "waste": 1 - sum(found.seconds for found in ended.values()) / (2 * wall)}


def time_peer(study: Path, work: Path, jobs: int) -> float:
    """Hand papermill's command to two processes."""

    def execute(size: int) -> None:
        words = ["-m", "papermill", str(study / "01_light.ipynb"), str(work / f"{size}.ipynb"), "-p", "size", str(size)]
        subprocess.run([sys.executable, *words, "-k", "python3"], check=True, capture_output=True)

    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(execute, range(1, jobs + 1)))
    return time.perf_counter() - started


def time_cached(work: Path) -> dict[str, float]:
    """Ask again for a study of ten notebooks that is done, and for one whose ten steps are taken over."""
    (work / "ten").mkdir()
    study = write_study(work / "ten")
    text = (study / "01_light.ipynb").read_text(encoding="utf-8")
    names = [f"{number:02}_light.ipynb" for number in range(1, 11)]
    for name in names:
        (study / name).write_text(text, encoding="utf-8")
    lines = "notebooks:\n" + "".join(f"  - {{file: {name}, title: {{fr: Léger, en: Light}}}}\n" for name in names)
    head = PROTOCOL.split("notebooks:", maxsplit=1)[0]
    (study / "protocol.yml").write_text(head + lines, encoding="utf-8")
    unread = study / "codes" / "unread.csv"
    unread.parent.mkdir()
    unread.write_text("n\n1\n", encoding="utf-8")
    run_study(open_study(study), runs_dir=work / "runs")
    times: dict[str, float] = {}
    for name in ("cached_ten", "taken_over_ten"):
        if name == "taken_over_ten":
            # A file that no step reads changed: another run, whose steps are all taken over.
            unread.write_text("n\n2\n", encoding="utf-8")
        started = time.perf_counter()
        run = run_study(open_study(study), runs_dir=work / "runs")
        times[name] = time.perf_counter() - started
        assert run.reused or all(step["reused"] for step in run.manifest["timings"])
    started = time.perf_counter()
    words = ["-m", "epi.cli", "run", str(study), "--runs", str(work / "runs")]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return {**times, "cached_ten_own_process": time.perf_counter() - started}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        study = write_study(work)
        found = {"jobs": asked.jobs, **time_batch(study, work, asked.jobs)}
        found |= {"papermill_seconds": time_peer(study, work, asked.jobs), **time_cached(work)}
    found["ratio"] = found["seconds"] / found["papermill_seconds"]
    print(json.dumps(found, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
