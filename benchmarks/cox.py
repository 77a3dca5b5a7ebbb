"""A1 to A4 and A6: Cox models and Fine-Gray, against lifelines and R, with peak memory.

Run: python benchmarks/cox.py [task ...] (all but a2 by default, which is 10 million rows and asks 4 GB). Each method
runs in a process of its own on the same seeded data: 10 covariates, 30 % events or so, whole days up to 20 years.
Ours and lifelines: medians of three after a first call, which is given apart; one of more than 10 s is made once.
R is called where Rscript and its packages are installed; it reads the same numbers and times the fit alone, once.
coxstream (right-censored data alone) and greenwood take part where they are installed: `pip install --no-binary
coxstream coxstream greenwood`, the first built on the spot since its wheel does not load with today's C libraries.
Coefficients and standard errors of all must agree. A peer that takes more than ten minutes is stopped and said so.
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
from pathlib import Path
from typing import Any

import numpy as np

SEED, COLUMNS, LIMIT, ABSENT = 20, 10, 600, 3
PEERS = {"a1": ["lifelines", "coxstream", "greenwood"], "a2": ["lifelines", "coxstream"],
         "a3": ["lifelines", "greenwood"], "a4": ["lifelines", "greenwood"]}  # fmt: skip
TASKS = {
    "a1": ("Cox, Efron", 1_000_000), "a2": ("Cox, Efron", 10_000_000),
    "a3": ("Cox, variance over 20,000 clusters", 100_000),
    "a4": ("Cox, late entry", 100_000), "a6": ("Fine-Gray, crr's estimator and variance", 100_000),
    "a6-weighted": ("Fine-Gray, weights and variance over persons", 100_000),
    "a6-small": ("Fine-Gray, crr's estimator and variance, a size that crr ends", 4_000),
}  # fmt: skip
R = """
args <- commandArgs(TRUE); task <- args[2]; n <- as.integer(args[3])
there <- function(name) suppressWarnings(suppressMessages(require(name, quietly = TRUE, character.only = TRUE)))
if (!there("survival") || (task == "a6-small" && !there("cmprsk"))) quit(status = 3)
whole <- function(name) readBin(file.path(args[1], name), "integer", n, size = 4)
d <- data.frame(matrix(readBin(file.path(args[1], "x"), "double", n * 10), n)); names(d) <- paste0("x", 0:9)
d$exit <- whole("exit"); d$event <- whole("event"); d$entry <- whole("entry"); d$cluster <- whole("cluster")
right <- paste(paste0("x", 0:9), collapse = " + ")
invisible(gc(reset = TRUE))
took <- system.time(f <- switch(task,
  a3 = coxph(as.formula(paste("Surv(exit, event) ~", right)), d, cluster = cluster),
  a4 = coxph(as.formula(paste("Surv(entry, exit, event) ~", right)), d),
  "a6-small" = crr(d$exit, d$event, as.matrix(d[paste0("x", 0:9)])),
  coxph(as.formula(paste("Surv(exit, event) ~", right)), d)))[["elapsed"]]
v <- if (is.null(f$var)) vcov(f) else f$var
peak <- sub("[^0-9]*([0-9]+).*", "\\\\1", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))
listed <- function(values) paste(sprintf("%.17g", unname(values)), collapse = ", ")
cat(sprintf('{"first": %f, "median": %f, "mb": %f, "coef": [%s], "se": [%s]}', took, took, as.numeric(peak) / 1024,
            listed(f$coef), listed(sqrt(diag(v)))))
"""


def make(task: str, rows: int) -> dict[str, np.ndarray]:
    """Give covariates, entries, exits, events (2: a competing one) and clusters."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((rows, COLUMNS)).T.copy()
    x[5:] = (x[5:] > 0.5).astype(float)
    ratio = np.exp(np.linspace(-0.5, 0.5, COLUMNS) @ x)
    cluster = rng.integers(0, max(rows // 5, 1), rows)
    death = rng.exponential(46 * 365.25, rows) / ratio
    other = rng.exponential(25 * 365.25, rows) if task.startswith("a6") else np.full(rows, np.inf)
    entry = np.floor(rng.uniform(0, 10 * 365.25, rows)) if task == "a4" else np.zeros(rows)
    end = rng.uniform(1, 20 * 365.25, rows)
    first = np.minimum(np.minimum(death, other), end)
    event = np.where(first < end, np.where(death < other, 1, 2), 0)
    return {
        "x": x, "entry": entry.astype(np.int64), "exit": (entry + np.ceil(first)).astype(np.int64),
        "event": event.astype(np.int64), "cluster": cluster,
    }  # fmt: skip


def measure(call: Any) -> dict[str, Any]:
    """Time a fit, and keep its estimates."""
    times, found = [], (None, None)
    for _ in range(4):
        start = time.perf_counter()
        found = call()
        times.append(time.perf_counter() - start)
        if times[0] > 10:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    coef, se = (np.asarray(values, dtype=float).tolist() for values in found)
    return {"first": times[0], "median": statistics.median(times[1:] or times), "mb": peak, "coef": coef, "se": se}


def child(method: str, task: str, rows: int) -> dict[str, Any]:
    """Fit with one method."""
    import pandas as pd

    data = make(task, rows)
    names = [f"x{at}" for at in range(COLUMNS)]
    table = pd.DataFrame(dict(zip(names, data.pop("x"), strict=True)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if method == "epi":
        from epi.survival import SurvivalData, fit_cox, fit_fine_gray

        causes = ("event", "other") if task.startswith("a6") else ("event",)
        cluster = data["cluster"] if task == "a3" else None
        follow = SurvivalData(
            data["entry"], data["exit"], data["event"], causes, np.arange(rows), covariates=table, cluster=cluster
        )

        def ours() -> tuple[Any, Any]:
            if task == "a6-weighted":
                model: Any = fit_fine_gray(follow, names, cause="event")
            elif task.startswith("a6"):
                model = fit_fine_gray(follow, names, cause="event", method="crr")
            else:
                model = fit_cox(follow, names)
            return model.table["coef"], model.table["se"]

        return measure(ours) | {"data_mb": before}
    return measure(_peer(method, task, table, names, data)) | {"data_mb": before}


def _peer(method: str, task: str, table: Any, names: list[str], data: dict[str, np.ndarray]) -> Any:
    """Give a peer's fit; exit code 3 where it is not installed."""
    late, clustered = task == "a4", task == "a3"
    if method != "lifelines" and importlib.util.find_spec(method) is None:
        sys.exit(ABSENT)
    if method == "coxstream":
        from coxstream import CoxStream

        def stream() -> tuple[Any, Any]:
            found = CoxStream().fit(data["exit"], data["event"], table)
            return found.coef_, found.standard_errors_

        return stream
    if method == "greenwood":
        from greenwood import CoxPH, Surv

        def green() -> tuple[Any, Any]:
            times = (data["entry"], data["exit"]) if late else (data["exit"],)
            found = CoxPH().fit(
                Surv(*times, event=data["event"]), table, cluster=data["cluster"] if clustered else None
            )
            return found.coef_, found.std_error_

        return green
    from lifelines import CoxPHFitter

    table = table.assign(exit=data["exit"], event=data["event"], entry=data["entry"], cluster=data["cluster"])
    table = table[[*names, "exit", "event", *(["cluster"] if clustered else ["entry"] if late else [])]]

    def lifelines() -> tuple[Any, Any]:
        found = CoxPHFitter().fit(
            table, "exit", "event", entry_col="entry" if late else None, cluster_col="cluster" if clustered else None
        )
        return found.params_, found.standard_errors_

    return lifelines


def run(command: list[str]) -> dict[str, Any] | str:
    """Run a method in a process; say why where there is no answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"stopped after {LIMIT} s"
    if done.returncode == ABSENT:
        return "not installed"
    return json.loads(done.stdout) if done.returncode == 0 else f"no answer ({done.stderr.strip()[-200:]})"


def run_r(task: str, rows: int) -> dict[str, Any] | str | None:
    """Fit in R, where it is installed."""
    program = shutil.which("Rscript")
    if program is None or task in ("a6", "a6-weighted"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: what starts the others must stay small, since its peak counts as theirs.
        subprocess.run([sys.executable, __file__, "--write", folder, task, str(rows)], check=True)
        script = Path(folder) / "cox.R"
        script.write_text(R)
        return run([program, str(script), folder, task, str(rows)])


def main() -> None:
    """Time each method in its own process, and print ratios."""
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
        return
    if sys.argv[1:2] == ["--write"]:
        for name, values in make(sys.argv[3], int(sys.argv[4])).items():
            (values if name == "x" else values.astype(np.int32)).tofile(Path(sys.argv[2]) / name)
        return
    for task in sys.argv[1:] or [task for task in TASKS if task != "a2"]:
        words, rows = TASKS[task]
        print(f"{task}: {words}, {rows:,} rows", flush=True)
        methods = ["epi", *PEERS.get(task, [])]
        found = {method: run([sys.executable, __file__, "--child", method, task, str(rows)]) for method in methods}
        r = run_r(task, rows)
        if r is not None:
            found["R"] = r
        ours = found["epi"]
        assert isinstance(ours, dict), ours
        for method, each in found.items():
            if isinstance(each, str):
                print(f"  {method:10} {each}")
                continue
            apart = max(np.abs(np.subtract(each[key], ours[key])).max() for key in ("coef", "se"))
            print(
                f"  {method:10} {each['median']:8.3f} s (first {each['first']:.3f} s), {each['mb']:7,.0f} MB"
                + (f" ({each['data_mb']:,.0f} before)" if "data_mb" in each else "")
                + f", epi takes {ours['median'] / each['median']:.4f} of it; apart by {apart:.1e} at most",
                flush=True,
            )
            assert method in ("lifelines", "greenwood") or apart < 1e-6


if __name__ == "__main__":
    main()
