"""A7: Pohar-Perme net survival of 100,000 persons, against relsurv, with peak memory.

Run: python benchmarks/net_survival.py [persons]. Both read the same persons, drawn again and again (seeded) from the
colorectal cancers of relsurv with other days of diagnosis and of death, against the same Slovene life table (fixtures
of the tests); relsurv is asked for every day, as nearly each is one of somebody's. Each runs in a process of its own;
ours is the median of three after a first call, relsurv is called once, where Rscript and the package are installed.
Net survival of both, and its standard errors, must agree at five times.
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SEED, PERSONS, LIMIT = 21, 100_000, 600
TIMES = [100, 365, 1000, 1826, 3000]
FIXTURES = Path(__file__).parents[1] / "tests" / "oracle"
R = """
args <- commandArgs(TRUE)
if (!suppressWarnings(suppressMessages(require(relsurv, quietly = TRUE)))) quit(status = 3)
d <- read.csv(args[1]); times <- as.integer(strsplit(args[2], ",")[[1]])
d$diag <- as.Date(d$diag, origin = "1970-01-01"); data(slopop)
took <- system.time(f <- rs.surv(Surv(time, stat) ~ 1, data = d, ratetable = slopop,
  rmap = list(age = age, sex = sex, year = diag), add.times = 1:max(d$time)))[["elapsed"]]
at <- sapply(times, function(x) max(which(f$time <= x)))
peak <- sub("[^0-9]*([0-9]+).*", "\\\\1", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))
listed <- function(values) paste(sprintf("%.17g", values), collapse = ", ")
cat(sprintf('{"first": %f, "median": %f, "mb": %f, "days": [%s], "survival": [%s], "se": [%s]}', took, took,
  as.numeric(peak) / 1024, listed(f$time[at]), listed(f$surv[at]), listed(f$std.err[at])))
"""


def make(persons: int) -> pd.DataFrame:
    """Draw persons: days followed, death, age in days, sex, day of diagnosis."""
    rng = np.random.default_rng(SEED)
    seen = pd.read_csv(FIXTURES / "net_survival_colrec.csv.gz")
    drawn = seen.iloc[rng.integers(0, len(seen), persons)].reset_index(drop=True)
    drawn["time"] = np.maximum(drawn["time"] + rng.integers(-20, 21, persons), 1)
    drawn["diag"] += rng.integers(-180, 181, persons)
    return drawn


def ours(persons: int) -> dict[str, Any]:
    """Estimate with this workbench."""
    from epi.survival import build_life_table, build_survival, estimate_net_survival

    cells = pd.read_csv(FIXTURES / "net_survival_slopop.csv.gz")
    cells["sex"] = cells["sex"].map({"male": "M", "female": "F"})
    wide = cells.pivot_table(index=["sex", "age"], columns="year", values="hazard_per_day")
    wide = wide.reindex(columns=range(wide.columns.min(), wide.columns.max() + 1)).ffill(axis=1)
    long = wide.reset_index().melt(["sex", "age"], var_name="year", value_name="hazard_per_day")
    table = build_life_table(long, name="slopop", infant=(), extend="nearest", year_length=365.241)
    frame = make(persons)
    start = pd.Timestamp("1970-01-01") + pd.to_timedelta(frame["diag"], unit="D")
    frame = frame.assign(
        start=start, born=start - pd.to_timedelta(frame["age"], unit="D"), sex=frame["sex"].map({1: "M", 2: "F"}),
        end=start + pd.to_timedelta(frame["time"], unit="D"),
    )  # fmt: skip
    data = build_survival(
        frame, entry="start", exit="end", event="stat", origin="start", birth="born", covariates=["sex"]
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = []
    for _ in range(4):
        begin = time.perf_counter()
        curve = estimate_net_survival(data, table)
        times.append(time.perf_counter() - begin)
    rows = curve.table.iloc[np.searchsorted(curve.table["time"], TIMES, side="right") - 1]
    return {
        "first": times[0], "median": statistics.median(times[1:]), "data_mb": before,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "days": rows["time"].tolist(),
        "survival": rows["survival"].tolist(), "se": (rows["se"] / rows["survival"]).tolist(),
    }  # fmt: skip


def run(command: list[str]) -> dict[str, Any] | str:
    """Run a method in a process; say why where there is no answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"stopped after {LIMIT} s"
    return json.loads(done.stdout) if done.returncode == 0 else f"no answer ({done.stderr.strip()[-200:]})"


def main() -> None:
    """Time each method in its own process, and print the ratio."""
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(ours(int(sys.argv[2]))))
        return
    persons = int(sys.argv[1]) if sys.argv[1:] else PERSONS
    print(f"Pohar-Perme net survival, {persons:,} persons", flush=True)
    found = {"epi": run([sys.executable, __file__, "--child", str(persons)])}
    program = shutil.which("Rscript")
    if program:
        with tempfile.TemporaryDirectory() as folder:
            make(persons).to_csv(Path(folder) / "persons.csv", index=False)
            script = Path(folder) / "net.R"
            script.write_text(R)
            found["relsurv"] = run([program, str(script), f"{folder}/persons.csv", ",".join(map(str, TIMES))])
    mine = found["epi"]
    assert isinstance(mine, dict), mine
    for method, each in found.items():
        if isinstance(each, str):
            print(f"  {method:10} {each}")
            continue
        assert each["days"] == mine["days"]
        apart = max(np.abs(np.divide(each[key], mine[key]) - 1).max() for key in ("survival", "se"))
        print(
            f"  {method:10} {each['median']:8.3f} s (first {each['first']:.3f} s), {each['mb']:7,.0f} MB"
            + (f" ({each['data_mb']:,.0f} before)" if "data_mb" in each else "")
            + f", epi takes {mine['median'] / each['median']:.4f} of it; apart by {apart:.1e} at most",
            flush=True,
        )
        assert apart < 1e-6


if __name__ == "__main__":
    main()
