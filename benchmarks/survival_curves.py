"""A5: Kaplan-Meier with variance, with and without late entry, against counting alone, lifelines, greenwood and R.

Run: python benchmarks/survival_curves.py [rows ...] (1 and 10 million by default). Each method runs in a process of its
own, on the same seeded data: days up to 20 years, 30 % events. Medians of three after a first call, which is given
apart. The bound is numpy.bincount of the exits, of the events, and of the entries where there are some. R is called
where Rscript and its survival package are installed, greenwood where it is; R reads the same integers and times survfit
alone, once.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SEED = 20
R = """
ok <- suppressWarnings(suppressMessages(require(survival, quietly = TRUE)))
if (!ok) quit(status = 3)
args <- commandArgs(TRUE); n <- as.integer(args[2]); late <- args[3] == "late"
column <- function(name) readBin(file.path(args[1], name), "integer", n, size = 4)
exit <- column("exit"); event <- column("event"); entry <- if (late) column("entry")
fit <- function() if (late) survfit(Surv(entry, exit, event) ~ 1) else survfit(Surv(exit, event) ~ 1)
took <- system.time(f <- fit())[["elapsed"]]
peak <- sub("[^0-9]*([0-9]+).*", "\\\\1", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))
at <- findInterval(3652, f$time)
cat(sprintf('{"first": %f, "median": %f, "mb": %f, "survival": %.17g, "se": %.17g}', took, took,
            as.numeric(peak) / 1024, f$surv[at], f$surv[at] * f$std.err[at]))
"""


def make(rows: int, late: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give entries, exits and events."""
    rng = np.random.default_rng(SEED)
    entry = rng.integers(0, 3_650, rows) if late else np.zeros(rows, dtype=np.int64)
    return entry, entry + rng.integers(1, 3_650 if late else 7_300, rows), (rng.random(rows) < 0.3).astype(np.int64)


def measure(call: Callable[[], tuple[float, float]]) -> dict[str, float]:
    times = []
    for _ in range(4):
        start = time.perf_counter()
        survival, error = call()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first": times[0], "median": statistics.median(times[1:]), "mb": peak, "survival": survival, "se": error}


def child(method: str, rows: int, late: bool) -> dict[str, float] | None:
    entry, exit_, event = make(rows, late)
    if method == "bound":

        def count() -> tuple[float, float]:
            np.bincount(exit_)
            np.bincount(exit_[event > 0])
            if late:
                np.bincount(entry)
            return float("nan"), float("nan")

        return measure(count)
    if method == "epi":
        import pandas as pd

        from epi.survival import SurvivalData, estimate_survival

        empty = pd.DataFrame(index=pd.RangeIndex(rows))
        data = SurvivalData(entry, exit_, event, ("event",), np.arange(rows), covariates=empty)

        def ours() -> tuple[float, float]:
            table = estimate_survival(data).table
            row = table[table["time"] <= 3_652].iloc[-1]
            return float(row["survival"]), float(row["se"])

        return measure(ours)
    if method == "greenwood":
        if importlib.util.find_spec("greenwood") is None:
            return None
        from greenwood import KaplanMeier, Surv

        def green() -> tuple[float, float]:
            found = KaplanMeier().fit(Surv(*((entry, exit_) if late else (exit_,)), event=event))
            at = np.searchsorted(found.time_, 3_652, side="right") - 1
            return float(found.survival_[at]), float(found.std_error_[at])

        return measure(green)
    from lifelines import KaplanMeierFitter

    def peer() -> tuple[float, float]:
        found = KaplanMeierFitter().fit(exit_, event, entry=entry if late else None)
        return float(found.survival_function_at_times(3_652).iloc[0]), float("nan")

    return measure(peer)


def run_r(rows: int, late: bool) -> dict[str, float] | None:
    program = shutil.which("Rscript")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name, values in zip(("entry", "exit", "event"), make(rows, late), strict=True):
            values.astype(np.int32).tofile(Path(folder) / name)
        script = Path(folder) / "km.R"
        script.write_text(R)
        done = subprocess.run(
            [program, str(script), folder, str(rows), "late" if late else "zero"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    return json.loads(done.stdout) if done.returncode == 0 else None


def main() -> None:
    """Time each method in its own process, and print ratios."""
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2], int(sys.argv[3]), sys.argv[4] == "late")))
        return
    for rows in [int(word) for word in sys.argv[1:]] or [1_000_000, 10_000_000]:
        for late in (False, True):
            found: dict[str, dict[str, float]] = {}
            for method in ("bound", "epi", "lifelines", "greenwood"):
                command = [sys.executable, __file__, "--child", method, str(rows), "late" if late else "zero"]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                if (read := json.loads(done.stdout)) is not None:
                    found[method] = read
            r = run_r(rows, late)
            if r is not None:
                found["R survival"] = r
            print(f"{rows:,} rows, {'late entry' if late else 'everybody from time zero'}")
            ours = found["epi"]
            for method, each in found.items():
                print(
                    f"  {method:11} {each['median']:8.3f} s (first {each['first']:.3f} s), {each['mb']:7,.0f} MB, "
                    f"epi takes {ours['median'] / each['median']:.3f} of it; "
                    f"S = {each['survival']:.9f}, se {each['se']:.3e}"
                )
            if r is not None:
                assert abs(ours["survival"] - r["survival"]) < 1e-10 and abs(ours["se"] / r["se"] - 1) < 1e-8


if __name__ == "__main__":
    main()
