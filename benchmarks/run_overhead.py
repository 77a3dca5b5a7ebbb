"""Run a study of one notebook, against papermill's own execute_notebook on the same notebook, in the same run.

Usage: python benchmarks/run_overhead.py [--repeats 5] [--out FILE.json]

The notebook has a parameters cell and three light cells, so that what is measured is everything but the cells.
Cold: a process of its own for each, imports included: ``epi run`` against a script that imports papermill and
calls execute_notebook. Warm: both in one process, after one of each. Cached: the same study asked for again.
The two sides alternate; medians are given, with the peak memory of the process that drives the kernel.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROTOCOL = """
id: light
version: "1"
title: {fr: Léger, en: Light}
question: {fr: "Combien coûte un lancement ?", en: "What does a start cost?"}
population: {fr: personne, en: nobody}
design: {fr: mesure, en: measure}
limits: [{fr: une machine, en: one machine}]
legal: {basis: none, expires: 2035-12-31}
investigators: [{role: none, institution: none}]
sources: [open_data]
parameters:
  size: {type: int, default: 10, min: 1, max: 100, meaning: how many}
notebooks: [{file: 01_light.ipynb, title: {fr: Léger, en: Light}}]
"""
SOURCES = ("size = 10", "numbers = list(range(size))", "total = sum(numbers)", "assert total >= 0")
PEER = """
import resource
from papermill import execute_notebook
execute_notebook({source!r}, {out!r}, parameters={{"size": 12}}, kernel_name="python3", progress_bar=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_study(root: Path) -> Path:
    """Write the study of one light notebook."""
    folder = root / "light"
    folder.mkdir()
    (folder / "protocol.yml").write_text(PROTOCOL, encoding="utf-8")
    cells = [
        {
            "id": f"cell-{number}",
            "cell_type": "code",
            "metadata": {} if number else {"tags": ["parameters"]},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(SOURCES)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "01_light.ipynb").write_text(json.dumps(content), encoding="utf-8")
    return folder


def timed_process(*words: str) -> tuple[float, str]:
    """Run a process of its own and time it."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True)
    return time.perf_counter() - started, done.stdout


def cold(folder: Path, work: Path, repeats: int) -> dict[str, list[float]]:
    """Time each side in processes of their own, one after the other in turn."""
    times: dict[str, list[float]] = {"epi": [], "papermill": [], "epi_cached": [], "papermill_mb": []}
    script = PEER.format(source=str(folder / "01_light.ipynb"), out=str(work / "out.ipynb"))
    run = ("-m", "epi.cli", "run", str(folder), "-p", "size=12", "--runs", str(work / "runs"))
    for _ in range(repeats):
        seconds, said = timed_process("-c", script)
        times["papermill"].append(seconds)
        times["papermill_mb"].append(int(said.split()[-1]) / 1024)
        times["epi"].append(timed_process(*run, "--force")[0])
        times["epi_cached"].append(timed_process(*run)[0])
    return times


def warm(folder: Path, work: Path, repeats: int) -> dict[str, list[float]]:
    """Time each side in this process, after one of each."""
    from papermill import execute_notebook

    from epi.runner.run import run_study
    from epi.runner.study import open_study

    study = open_study(folder)
    times: dict[str, list[float]] = {"epi": [], "papermill": [], "epi_cached": []}
    for _ in range(repeats + 1):
        started = time.perf_counter()
        execute_notebook(
            str(folder / "01_light.ipynb"),
            str(work / "warm.ipynb"),
            parameters={"size": 13},
            kernel_name="python3",
            progress_bar=False,
        )
        times["papermill"].append(time.perf_counter() - started)
        for name, force in (("epi", True), ("epi_cached", False)):
            started = time.perf_counter()
            run = run_study(study, {"size": 13}, runs_dir=work / "warm", force=force)
            times[name].append(time.perf_counter() - started)
            assert run.reused is not force
    return {name: values[1:] for name, values in times.items()}


def main() -> None:
    """Measure both, print the medians and what the runner adds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", default="")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = write_study(Path(place))
        found = {
            "cold": cold(folder, Path(place), asked.repeats),
            "warm": warm(folder, Path(place), asked.repeats),
        }
    medians = {
        state: {name: round(statistics.median(values), 3) for name, values in times.items()}
        for state, times in found.items()
    }
    result = {
        "row": "G2",
        "machine": {"python": platform.python_version(), "cpu": platform.processor() or platform.machine()},
        "medians": medians,
        "overhead_cold_s": round(medians["cold"]["epi"] - medians["cold"]["papermill"], 3),
        "overhead_warm_s": round(medians["warm"]["epi"] - medians["warm"]["papermill"], 3),
        "cached_s": medians["warm"]["epi_cached"],
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print("G2: a study of one notebook, seconds (medians)")
    for state, values in medians.items():
        print(f"  {state}: " + ", ".join(f"{name} {value}" for name, value in values.items()))
    print(
        f"  overhead of epi run over papermill in process: {result['overhead_cold_s']} cold, "
        f"{result['overhead_warm_s']} warm; cached {result['cached_s']}; peak {result['peak_mb']} MB"
    )
    if asked.out:
        Path(asked.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
